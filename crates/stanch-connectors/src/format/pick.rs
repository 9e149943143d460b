//! Takes known fields out of a record, so that what stays behind is `unmapped`.
//!
//! Senders disagree about numbers and strings (Wazuh writes every number as a string), so each
//! reader accepts both. A field of an unexpected shape is left where it is: nothing is lost.

use std::net::IpAddr;

use serde_json::Value;
use stanch_model::port::Rejected;
use stanch_model::{Attack, Endpoint, Observable, ObservableKind, Severity, Timestamp};

use super::json::{Fields, short};

/// Removes a text, or a number or truth value as text. Empty texts are removed and not given.
pub(crate) fn text(from: &mut Fields, key: &str) -> Option<String> {
    match from.get(key)? {
        Value::String(_) => match from.remove(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        },
        Value::Number(_) | Value::Bool(_) => from.remove(key).map(|v| v.to_string()),
        Value::Null => {
            from.remove(key);
            None
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Looks at a text without removing it.
pub(crate) fn peek<'f>(from: &'f Fields, key: &str) -> Option<&'f str> {
    from.get(key).and_then(Value::as_str)
}

/// Removes a whole number, also when written as a string or with zeros after the point.
pub(crate) fn whole(from: &mut Fields, key: &str) -> Option<u64> {
    let number = peek_whole(from, key)?;
    from.remove(key);
    Some(number)
}

/// Looks at a whole number without removing it.
pub(crate) fn peek_whole(from: &Fields, key: &str) -> Option<u64> {
    as_whole(from.get(key)?)
}

/// A whole number, also when written as a string or with zeros after the point.
pub(crate) fn as_whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64(),
        // Wazuh 4 writes large numbers as "1039376568223671.000000".
        Value::String(s) => match s.split_once('.') {
            Some((number, zeros)) if zeros.bytes().all(|b| b == b'0') => number.parse().ok(),
            Some(_) => None,
            None => s.parse().ok(),
        },
        _ => None,
    }
}

/// Removes an address.
pub(crate) fn ip(from: &mut Fields, key: &str) -> Option<IpAddr> {
    let ip = peek(from, key)?.parse::<IpAddr>().ok()?.to_canonical();
    from.remove(key);
    Some(ip)
}

/// Removes a port; 0 counts as none.
pub(crate) fn port(from: &mut Fields, key: &str) -> Option<u16> {
    let port = u16::try_from(peek_whole(from, key)?).ok()?;
    from.remove(key);
    (port != 0).then_some(port)
}

/// Removes an object.
pub(crate) fn object(from: &mut Fields, key: &str) -> Option<Fields> {
    match from.get(key)? {
        Value::Object(_) => match from.remove(key) {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

/// Looks into an object without removing it.
pub(crate) fn peek_object<'f>(from: &'f Fields, key: &str) -> Option<&'f Fields> {
    from.get(key).and_then(Value::as_object)
}

/// Puts back what is left of an object that fields were taken from.
pub(crate) fn put_back(into: &mut Fields, key: &str, rest: Fields) {
    if !rest.is_empty() {
        into.insert(key.to_owned(), Value::Object(rest));
    }
}

/// The texts of a list of texts, or the one text.
pub(crate) fn texts<'f>(from: &'f Fields, key: &str) -> Vec<&'f str> {
    match from.get(key) {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Removes a time. When there is none, or none we can read, the time of arrival; what was not
/// understood stays in its place.
pub(crate) fn time(from: &mut Fields, key: &str, received: Timestamp) -> Timestamp {
    let read = match from.get(key) {
        Some(Value::String(text)) => time_of(text),
        Some(Value::Number(number)) => epoch_seconds(&number.to_string()),
        _ => None,
    };
    match read {
        Some(time) => {
            from.remove(key);
            time
        }
        None => received,
    }
}

/// A time as text, or seconds since 1970.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok().or_else(|| epoch_seconds(text))
}

/// Reads seconds since 1970 with a fraction, digit by digit: binary fractions would be a
/// millisecond off now and then, and two encodings of one event would not agree.
pub(crate) fn epoch_seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) || whole.starts_with('+') {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let millis = fraction.bytes().chain(*b"000").take(3).fold(0i64, |ms, b| ms * 10 + i64::from(b - b'0'));
    let millis = if whole.starts_with('-') { -millis } else { millis };
    seconds.checked_mul(1_000)?.checked_add(millis).map(Timestamp)
}

/// One side of a connection; `None` when nothing is known of it.
pub(crate) fn endpoint(ip: Option<IpAddr>, port: Option<u16>, hostname: Option<String>) -> Option<Endpoint> {
    (ip.is_some() || port.is_some() || hostname.is_some()).then_some(Endpoint { ip, port, hostname })
}

/// The address of one side as group keys spell it; `-` when there is none.
pub(crate) fn spelled(end: Option<&Endpoint>) -> String {
    end.and_then(|e| e.ip).map_or_else(|| "-".to_owned(), |ip| ip.to_string())
}

/// A name or address without its port and brackets.
pub(crate) fn without_port(host: &str) -> &str {
    let bare = host.strip_prefix('[').and_then(|h| h.split_once(']')).map(|(h, _)| h);
    let bare = bare.or_else(|| match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => Some(name),
        _ => None,
    });
    bare.unwrap_or(host)
}

/// A machine from a name that may also be an address, with or without a port.
pub(crate) fn machine(host: &str) -> Option<Endpoint> {
    let host = without_port(host);
    match host.parse::<IpAddr>() {
        Ok(ip) => endpoint(Some(ip.to_canonical()), None, None),
        Err(_) if host.is_empty() || host.contains(char::is_whitespace) => None,
        Err(_) => endpoint(None, None, Some(host.to_owned())),
    }
}

/// Adds a name that may also be an address, with or without a port.
pub(crate) fn push_host(into: &mut Vec<Observable>, host: &str) {
    let host = without_port(host);
    if host.is_empty() {
        return;
    }
    let kind = match host.parse::<IpAddr>() {
        Ok(_) => ObservableKind::Ip,
        Err(_) => ObservableKind::Hostname,
    };
    into.push(Observable::new(kind, host));
}

/// Adds a digest if the text is one: 32, 40, 64 or 128 hexadecimal digits, colons allowed.
pub(crate) fn push_hash(into: &mut Vec<Observable>, text: &str) {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if matches!(digits.len(), 32 | 40 | 64 | 128) && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        into.push(Observable::new(ObservableKind::Hash, digits));
    }
}

/// The severity a word stands for, in the vocabularies of the tools we read.
///
/// Source: Prometheus community `severity` labels, PagerDuty Events API v2, syslog (RFC 5424,
/// 6.2.1), OCSF 1.8.0 `severity_id` captions, Nagios states, Datadog and incident-tool P1 to P5.
pub(crate) fn severity_word(word: &str) -> Option<Severity> {
    let lower = word.trim().to_ascii_lowercase();
    Some(match lower.as_str() {
        "fatal" | "emergency" | "emerg" => Severity::Fatal,
        "critical" | "crit" | "page" | "disaster" | "alert" | "p1" | "sev1" => Severity::Critical,
        "high" | "error" | "err" | "major" | "p2" | "sev2" => Severity::High,
        "medium" | "moderate" | "warning" | "warn" | "average" | "p3" | "sev3" => Severity::Medium,
        "low" | "minor" | "notice" | "p4" | "sev4" => Severity::Low,
        "informational" | "information" | "info" | "debug" | "none" | "ok" | "p5" | "sev5" => {
            Severity::Informational
        }
        "unknown" | "" => Severity::Unknown,
        _ => return None,
    })
}

/// ATT&CK references from two lists. They belong together item by item when they are equally long;
/// else which tactic goes with which technique is unknown, and each is given alone.
pub(crate) fn attacks(techniques: &[&str], tactics: &[&str]) -> Vec<Attack> {
    let attack = |technique: Option<&&str>, tactic: Option<&&str>| Attack {
        technique_uid: technique.map(|t| (*t).to_owned()).unwrap_or_default(),
        tactic: tactic.map(|t| (*t).to_owned()),
    };
    if techniques.len() == tactics.len() {
        return techniques.iter().zip(tactics).map(|(t, a)| attack(Some(t), Some(a))).collect();
    }
    let alone = techniques.iter().map(|t| attack(Some(t), None));
    alone.chain(tactics.iter().map(|a| attack(None, Some(a)))).collect()
}

/// The rejection for a field that must be there.
pub(crate) fn missing(what: &str, field: &str, mend: &str) -> Rejected {
    Rejected { reason: format!("{what} without a usable \"{}\"; {mend}", short(field)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_times_are_read_by_their_digits() {
        assert_eq!(epoch_seconds("1521911720.629574"), Some(Timestamp(1_521_911_720_629)));
        assert_eq!(epoch_seconds("1588205199.8"), Some(Timestamp(1_588_205_199_800)));
        assert_eq!(epoch_seconds("0"), Some(Timestamp(0)));
        for bad in ["", ".", "1e9", "1.2.3", "99999999999999999999", "1.-5", "+1"] {
            assert_eq!(epoch_seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_lose_their_port_and_addresses_stay_addresses() {
        let read = |host: &str| {
            let mut out = Vec::new();
            push_host(&mut out, host);
            out.first().map(ToString::to_string)
        };
        assert_eq!(read("Example.org:8080").as_deref(), Some("hostname example.org"));
        assert_eq!(read("192.0.2.1:80").as_deref(), Some("ip 192.0.2.1"));
        assert_eq!(read("[2001:db8::1]:443").as_deref(), Some("ip 2001:db8::1"));
        assert_eq!(read("2001:db8::1").as_deref(), Some("ip 2001:db8::1"));
        assert_eq!(read(""), None);
    }
}
