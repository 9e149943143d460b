//! Senders: eight at once, each posting batches until the server is gone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;

use super::ledger::{Ledger, Sent};
use crate::http::Client;

/// The two sources that the senders post to.
pub(crate) const SOURCES: [&str; 2] = ["suricata", "suricata-b"];

/// Senders at once.
const SENDERS: u64 = 8;
/// Records sent at full speed in one life; then slower, so that looking for each stays quick.
const SOON: u64 = 300;

/// A small generator of numbers: the same seed gives the same run.
pub(crate) struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// Where to send, and as whom.
pub(crate) struct Door {
    pub(crate) address: String,
    pub(crate) token: String,
}

/// Posts until the server is gone or `stop` is set. `numbers` gives each record its own number.
pub(crate) fn storm(door: &Door, ledger: &Ledger, numbers: &AtomicU64, stop: &AtomicBool, seed: u64) {
    std::thread::scope(|scope| {
        for n in 0..SENDERS {
            scope.spawn(move || {
                let mut random = Random::new(seed ^ (n + 1) << 40);
                let source = SOURCES[(n % 2) as usize];
                // In one directory of four, one sender in eight sends much at once, so that the log is
                // copied and reused too.
                let bulky = n == 7 && seed >> 20 & 3 == 0;
                let size = if bulky { 24 } else { 1 + n % 4 };
                let mut client = Client::new(&door.address, &door.token);
                let first = numbers.load(Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    let batch = batch(source, size, bulky, numbers, &mut random);
                    if post(&mut client, source, &batch, ledger).is_err() {
                        return;
                    }
                    if numbers.load(Ordering::Relaxed) - first > SOON {
                        std::thread::sleep(std::time::Duration::from_millis(40));
                    }
                }
            });
        }
    });
}

/// Sends again what was never acknowledged, once.
pub(crate) fn send_again(door: &Door, ledger: &Ledger) -> Result<()> {
    let open = ledger.open();
    let mut client = Client::new(&door.address, &door.token);
    for source in SOURCES {
        let mine: Vec<_> = open.iter().filter(|(_, s)| s.source == source).cloned().collect();
        for batch in mine.chunks(16) {
            post(&mut client, source, batch, ledger)?;
        }
    }
    Ok(())
}

fn post(client: &mut Client, source: &str, batch: &[(String, Sent)], ledger: &Ledger) -> Result<()> {
    let mut body = String::new();
    for (_, one) in batch {
        body.push_str(&one.line);
        body.push('\n');
    }
    ledger.trying(batch);
    let answer = client.post(&format!("/in/{source}"), body.as_bytes())?;
    match answer.status {
        202 => {
            let accepted = answer.json()?["accepted"].as_u64();
            anyhow::ensure!(accepted == Some(batch.len() as u64), "{accepted:?} accepted of {}", batch.len());
            ledger.acked(batch);
        }
        503 => std::thread::sleep(std::time::Duration::from_millis(20)),
        other => anyhow::bail!("answered {other}: {}", answer.text()),
    }
    Ok(())
}

fn batch(
    source: &'static str,
    size: u64,
    bulky: bool,
    numbers: &AtomicU64,
    random: &mut Random,
) -> Vec<(String, Sent)> {
    (0..size)
        .map(|_| {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let marker = format!("marker-{number:08}");
            let sound = random.below(20) > 0;
            let line = if sound { eve(&marker, number, bulky, random) } else { damaged(&marker) };
            (marker, Sent { line, source, tried: 0, acked: 0, sound })
        })
        .collect()
}

/// One EVE alert: seven in ten are alerts of their own, the others repeat one of forty.
fn eve(marker: &str, number: u64, bulky: bool, random: &mut Random) -> String {
    let distinct = random.below(10) < 7;
    let n = if distinct { 1_000 + number } else { random.below(40) };
    let (source, target) =
        (format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255), random.below(4) + 10);
    let target = if distinct { target } else { 10 };
    // Digits that do not compress, to fill the log.
    let filler: String =
        if bulky { (0..256).map(|_| format!("{:016x}", random.next())).collect() } else { String::new() };
    format!(
        r#"{{"timestamp":"2026-11-20T10:00:{:02}.{:06}+0000","flow_id":{number},"event_type":"alert","src_ip":"{source}","src_port":{},"dest_ip":"192.0.2.{target}","dest_port":443,"proto":"TCP","alert":{{"action":"allowed","gid":1,"signature_id":{},"rev":1,"signature":"ET POLICY test rule {}","category":"Misc activity","severity":3}},"marker":"{marker}","filler":"{filler}"}}"#,
        number % 60,
        number % 1_000_000,
        1_024 + number % 60_000,
        2_000_000 + n % 7,
        n % 7,
    )
}

fn damaged(marker: &str) -> String {
    format!(r#"{{"event_type":"alert","marker":"{marker}","alert":{{"signature_id":"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_records_are_json_and_damaged_ones_are_not() {
        let (numbers, mut random) = (AtomicU64::new(0), Random::new(3));
        for (marker, sent) in batch("suricata", 400, false, &numbers, &mut random) {
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&sent.line).is_ok(),
                sent.sound,
                "{}",
                sent.line
            );
            assert!(sent.line.contains(&marker) && !sent.line.contains('\n'));
        }
    }
}
