//! Alertmanager: its webhook (version 4) and the array that Prometheus posts to `/api/v2/alerts`.
//!
//! Each element of `alerts` is one record; what surrounds them is kept as context. Grafana sends a
//! superset of the webhook and is told apart by its `version` 1 or `orgId`. The group key is made
//! of all labels, as Alertmanager's own fingerprint, so a resolution finds its opener by either way.
//!
//! Source: Prometheus documentation, "Alerting configuration: webhook_config"; Alertmanager API v2
//! `postableAlert`; prometheus/common `model/signature.go` (FNV-1a).

use std::ops::Range;

use serde_json::Value;
use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{Alert, AlertState, Endpoint, Product, Rule, Severity, Timestamp, Unmapped};

use super::json::{self, Fields};
use super::pick;
use super::plain::{self, Member, Members};
use super::stretch::{Stretch, Stretches};

/// Alertmanager webhook v4, Grafana's superset of it, or a bare array of alerts.
#[derive(Clone, Copy, Debug)]
pub struct Alertmanager;

impl Format for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        let body = delivery.body;
        json::stretches(body, |range, out| {
            let slice = body.get(range.clone()).unwrap_or_default();
            if let Some(parsed) = quick(slice, "prometheus", delivery.received) {
                out.push(Record { raw: range, parsed: Ok(parsed) });
                return;
            }
            let inner =
                json::find_member(slice, "alerts").map(|r| r.start + range.start..r.end + range.start);
            match inner.filter(|r| body.get(r.start) == Some(&b'[')) {
                Some(alerts) => webhook(delivery, range, alerts, out),
                None => {
                    let fields = json::object(body, range.clone());
                    let parsed = fields.and_then(|fields| one(fields, "prometheus", delivery.received));
                    out.push(Record { raw: range, parsed });
                }
            }
        })
    }
}

/// One notification: what surrounds the alerts, and each of them.
fn webhook(delivery: Delivery<'_>, whole: Range<usize>, alerts: Range<usize>, out: &mut Vec<Record>) {
    let body = delivery.body;
    // Around the array, the rest of the object is still an object once the array is empty.
    let part = |range: Range<usize>| body.get(range).unwrap_or_default();
    let around = [part(whole.start..alerts.start), b"[]", part(alerts.end..whole.end)].concat();
    let envelope = match json::object(&around, 0..around.len()) {
        Ok(envelope) => envelope,
        Err(rejected) => {
            let reason =
                format!("around the alerts of the notification at byte {}: {}", whole.start, rejected.reason);
            out.push(Record { raw: whole, parsed: Err(Rejected { reason }) });
            return;
        }
    };
    let grafana = pick::peek(&envelope, "version") == Some("1") || envelope.contains_key("orgId");
    let product = if grafana { "grafana" } else { "prometheus" };
    let left_out = pick::peek_whole(&envelope, "truncatedAlerts").unwrap_or(0);
    let notification = match left_out {
        0 => Ok(Parsed::Context { what: format!("{product} notification") }),
        n => Err(Rejected {
            reason: format!(
                "the sender left {n} alerts out of this notification; raise max_alerts of its webhook_config"
            ),
        }),
    };
    out.push(Record { raw: whole.start..alerts.start, parsed: notification });
    for stretch in Stretches::within(body, alerts.clone()) {
        out.push(match stretch {
            Stretch::Object(raw) => {
                let slice = body.get(raw.clone()).unwrap_or_default();
                let parsed = match quick(slice, product, delivery.received) {
                    Some(parsed) => Ok(parsed),
                    None => {
                        let fields = json::object(body, raw.clone());
                        fields.and_then(|fields| one(fields, product, delivery.received))
                    }
                };
                Record { raw, parsed }
            }
            Stretch::Bad { range, reason, .. } => Record { raw: range, parsed: Err(Rejected { reason }) },
        });
    }
    let rest = alerts.end..whole.end;
    out.push(Record { raw: rest, parsed: Ok(Parsed::Context { what: format!("{product} notification") }) });
}

/// One alert, from either way in.
fn one(mut fields: Fields, product: &str, received: Timestamp) -> Result<Parsed, Rejected> {
    let Some(labels) = pick::peek_object(&fields, "labels").filter(|labels| !labels.is_empty()) else {
        let mend = "send Alertmanager's webhook or a list of alerts; for a payload of your own use the generic format";
        return Err(pick::missing("a Prometheus alert", "labels", mend));
    };
    let notes = pick::peek_object(&fields, "annotations");
    let state = state(|key| pick::peek(&fields, key), received);
    let claim = Claim {
        state,
        began: pick::peek(&fields, "startsAt").unwrap_or("-"),
        fingerprint: fingerprint(labels),
        ..Claim::read(|key| pick::peek(labels, key), |key| notes.and_then(|notes| pick::peek(notes, key)))
    };
    let (mut alert, group_key) = claim.alert(product);
    alert.time = pick::time(&mut fields, when(state), received);
    fields.remove("fingerprint");
    alert.unmapped = fields.into();
    Ok(Parsed::Alert { alert: Box::new(alert), group_key })
}

/// The same for an alert without surprises, as nearly all are: nothing but texts, no key twice, no
/// escapes. What stays behind is kept as the text it came in. `None` sends it the long way.
fn quick(slice: &[u8], product: &str, received: Timestamp) -> Option<Parsed> {
    const KNOWN: [&str; 7] =
        ["labels", "annotations", "startsAt", "endsAt", "generatorURL", "status", "fingerprint"];
    const OBJECTS: [&str; 2] = ["labels", "annotations"];
    let (mut object, mut labels, mut notes) = (Members::default(), Members::default(), Members::default());
    plain::object(slice, &mut object)?;
    let object = object.members();
    let known = |m: &Member<'_>| KNOWN.contains(&m.key) && (!m.is_object() || OBJECTS.contains(&m.key));
    if !object.iter().all(known) {
        return None;
    }
    let text = |key: &str| plain::text(object, key);
    plain::find(object, "labels")?.within(&mut labels)?;
    if let Some(found) = plain::find(object, "annotations") {
        found.within(&mut notes)?;
    }
    let fingerprint = labels
        .sort()
        .iter()
        .fold(Fnv::new(), |sum, m| sum.add(m.key.as_bytes()).add(m.text().unwrap_or_default().as_bytes()));
    let (labels, notes) = (labels.members(), notes.members());
    // Every label must be a text, or the fingerprint above is not Alertmanager's.
    if labels.is_empty() || !labels.iter().chain(notes).all(|m| m.text().is_some()) {
        return None;
    }
    let state = state(text, received);
    let claim = Claim {
        state,
        began: text("startsAt").unwrap_or("-"),
        fingerprint: fingerprint.hex(),
        ..Claim::read(|key| plain::text(labels, key), |key| plain::text(notes, key))
    };
    let (mut alert, group_key) = claim.alert(product);
    let time = text(when(state)).and_then(pick::time_of);
    alert.time = time.unwrap_or(received);
    let gone = |m: &Member<'_>| m.key == "fingerprint" || (time.is_some() && m.key == when(state));
    alert.unmapped = Unmapped::from_text(plain::without(object, gone));
    Some(Parsed::Alert { alert: Box::new(alert), group_key })
}

/// `status` when the sender gives it; else an alert whose end has come is over. Prometheus sets the
/// end of firing alerts in the future, the webhook sets it to the year 1.
fn state<'a>(field: impl Fn(&str) -> Option<&'a str>, received: Timestamp) -> AlertState {
    match field("status") {
        Some("resolved") => return AlertState::Resolved,
        Some("firing") => return AlertState::Firing,
        _ => {}
    }
    match field("endsAt").and_then(|text| Timestamp::parse(text).ok()) {
        Some(end) if end.0 > 0 && end <= received => AlertState::Resolved,
        _ => AlertState::Firing,
    }
}

/// Which field says when it happened.
fn when(state: AlertState) -> &'static str {
    if state == AlertState::Resolved { "endsAt" } else { "startsAt" }
}

/// What an alert says, however it was read.
struct Claim<'a> {
    name: &'a str,
    severity: Option<&'a str>,
    device: Option<Endpoint>,
    title: Option<&'a str>,
    message: Option<&'a str>,
    state: AlertState,
    began: &'a str,
    fingerprint: String,
}

impl<'a> Claim<'a> {
    /// What the labels and the annotations say.
    fn read(label: impl Fn(&str) -> Option<&'a str>, note: impl Fn(&str) -> Option<&'a str>) -> Claim<'a> {
        let named = ["instance", "host", "hostname", "node", "nodename", "device"];
        let note = |keys: [&str; 2]| keys.iter().find_map(|key| note(key)).filter(|text| !text.is_empty());
        Claim {
            name: label("alertname").unwrap_or("unnamed"),
            severity: ["severity", "priority", "level"].iter().find_map(|key| label(key)),
            device: named.iter().find_map(|key| label(key)).and_then(pick::machine),
            title: note(["summary", "title"]),
            message: note(["description", "message"]),
            state: AlertState::Firing,
            began: "-",
            fingerprint: String::new(),
        }
    }

    /// The alert but for its time and what is left over, and its group key.
    fn alert(self, product: &str) -> (Alert, String) {
        let severity = self
            .severity
            .map_or(Severity::Unknown, |word| pick::severity_word(word).unwrap_or(Severity::Other));
        // Opening and end are two claims with two ids, or the end would pass for a copy of the opening.
        let uid_end = if self.state == AlertState::Resolved { "|resolved" } else { "" };
        let vendor = if product == "grafana" { "Grafana Labs" } else { "Prometheus" };
        let alert = Alert {
            title: self.title.unwrap_or(self.name).to_owned(),
            message: self.message.map(ToOwned::to_owned),
            severity,
            state: self.state,
            product: Product { name: product.to_owned(), vendor_name: Some(vendor.to_owned()) },
            rule: Rule { uid: self.name.to_owned(), name: self.name.to_owned(), category: None },
            device: self.device,
            source_uid: Some([&self.fingerprint, "|", self.began, uid_end].concat()),
            ..Alert::default()
        };
        (alert, [product, "|", &self.fingerprint].concat())
    }
}

/// FNV-1a, each piece followed by a byte that UTF-8 never holds.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(14_695_981_039_346_656_037)
    }

    fn add(self, bytes: &[u8]) -> Fnv {
        let one = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
        Fnv(one(bytes.iter().fold(self.0, one), &255))
    }

    fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Alertmanager's fingerprint of a set of labels: FNV-1a over the sorted names and values.
fn fingerprint(labels: &Fields) -> String {
    let mut sorted: Vec<(&String, &Value)> = labels.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let sum = sorted.into_iter().fold(Fnv::new(), |sum, (name, value)| {
        let sum = sum.add(name.as_bytes());
        match value {
            Value::String(text) => sum.add(text.as_bytes()),
            other => sum.add(other.to_string().as_bytes()),
        }
    });
    sum.hex()
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
