//! What is sent: alerts as Prometheus posts them, about 390 bytes each, the same bytes to every peer.

/// How many rules the alerts come from; the rest of the variety lies in the machines.
const RULES: u64 = 50;

/// One alert. The same `n` gives the same labels, so that a peer sees a duplicate.
fn alert(n: u64, out: &mut String) {
    use std::fmt::Write as _;
    let (rule, machine) = (n % RULES, n / RULES);
    let severity = match n % 20 {
        0 => "critical",
        1..=5 => "info",
        _ => "warning",
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{{\"labels\":{{\"alertname\":\"NodeCondition{rule:02}\",\"instance\":\"node-{machine:06}.example.net:9100\",\
         \"job\":\"node\",\"severity\":\"{severity}\",\"region\":\"eu-central\",\"service\":\"checkout\"}},\
         \"annotations\":{{\"summary\":\"Condition {rule:02} holds on node-{machine:06}\",\"description\":\
         \"Above the threshold for more than five minutes.\"}},\"startsAt\":\"2026-11-20T10:00:00.000Z\",\
         \"generatorURL\":\"http://prometheus.example.net/graph?g0.expr=condition\"}}"
    );
}

/// Bodies of `batch` alerts each, `total` in all, with numbers from `first` on. With `share` 10, ten
/// times as many are sent as are distinct, spread over the whole run in a fixed order.
pub(crate) fn bodies(first: u64, total: u64, batch: u64, share: u64) -> Vec<Vec<u8>> {
    let distinct = (total / share).max(1);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut number = 0;
    let mut all = Vec::new();
    while number < total {
        let mut body = String::with_capacity(batch as usize * 400 + 2);
        body.push('[');
        for i in 0..batch.min(total - number) {
            if i > 0 {
                body.push(',');
            }
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let n = if share == 1 { number } else { random % distinct };
            alert(first + n, &mut body);
            number += 1;
        }
        body.push(']');
        all.push(body.into_bytes());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_of_the_promised_size_and_share() {
        let all = bodies(0, 10_000, 512, 10);
        let alerts: Vec<serde_json::Value> =
            all.iter().flat_map(|b| serde_json::from_slice::<Vec<serde_json::Value>>(b).unwrap()).collect();
        assert_eq!(alerts.len(), 10_000);
        let distinct: std::collections::BTreeSet<String> =
            alerts.iter().map(|a| a["labels"].to_string()).collect();
        assert!((900..=1_000).contains(&distinct.len()), "{}", distinct.len());
        let bytes: usize = all.iter().map(Vec::len).sum();
        assert!((380..=410).contains(&(bytes / 10_000)), "{}", bytes / 10_000);
    }
}
