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
use stanch_model::{Alert, AlertState, Product, Rule, Severity, Timestamp};

use super::json::{self, Fields};
use super::pick;
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
                let fields = json::object(body, raw.clone());
                Record { raw, parsed: fields.and_then(|fields| one(fields, product, delivery.received)) }
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
    let name = pick::peek(labels, "alertname").unwrap_or("unnamed").to_owned();
    let fingerprint = fingerprint(labels);
    let severity = ["severity", "priority", "level"].iter().find_map(|key| pick::peek(labels, key));
    let severity =
        severity.map_or(Severity::Unknown, |word| pick::severity_word(word).unwrap_or(Severity::Other));
    let named = ["instance", "host", "hostname", "node", "nodename", "device"];
    let device = named.iter().find_map(|key| pick::peek(labels, key)).and_then(pick::machine);
    let notes = pick::peek_object(&fields, "annotations");
    let note = |keys: &[&str]| {
        let text = keys.iter().find_map(|key| notes.and_then(|notes| pick::peek(notes, key)));
        text.filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    let (title, message) = (note(&["summary", "title"]), note(&["description", "message"]));

    let state = state(&fields, received);
    let began = pick::peek(&fields, "startsAt").unwrap_or("-").to_owned();
    let when = if state == AlertState::Resolved { "endsAt" } else { "startsAt" };
    let time = pick::time(&mut fields, when, received);
    // Opening and end are two claims with two ids, or the end would pass for a copy of the opening.
    let uid_end = if state == AlertState::Resolved { "|resolved" } else { "" };
    fields.remove("fingerprint");
    let vendor = if product == "grafana" { "Grafana Labs" } else { "Prometheus" };
    let alert = Alert {
        time,
        title: title.unwrap_or_else(|| name.clone()),
        message,
        severity,
        state,
        product: Product { name: product.to_owned(), vendor_name: Some(vendor.to_owned()) },
        rule: Rule { uid: name.clone(), name, category: None },
        device,
        source_uid: Some(format!("{fingerprint}|{began}{uid_end}")),
        unmapped: fields,
        ..Alert::default()
    };
    Ok(Parsed::Alert { alert: Box::new(alert), group_key: format!("{product}|{fingerprint}") })
}

/// `status` when the sender gives it; else an alert whose end has come is over. Prometheus sets the
/// end of firing alerts in the future, the webhook sets it to the year 1.
fn state(fields: &Fields, received: Timestamp) -> AlertState {
    match pick::peek(fields, "status") {
        Some("resolved") => return AlertState::Resolved,
        Some("firing") => return AlertState::Firing,
        _ => {}
    }
    let end = pick::peek(fields, "endsAt").and_then(|text| Timestamp::parse(text).ok());
    match end {
        Some(end) if end.0 > 0 && end <= received => AlertState::Resolved,
        _ => AlertState::Firing,
    }
}

/// Alertmanager's fingerprint of a set of labels: FNV-1a over the sorted names and values, each
/// followed by a byte that UTF-8 never holds.
fn fingerprint(labels: &Fields) -> String {
    let mut sorted: Vec<(&String, &Value)> = labels.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut sum: u64 = 14_695_981_039_346_656_037;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[255]) {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
        }
    };
    for (name, value) in sorted {
        add(name.as_bytes());
        match value {
            Value::String(text) => add(text.as_bytes()),
            other => add(other.to_string().as_bytes()),
        }
    }
    format!("{sum:016x}")
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
