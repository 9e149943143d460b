//! PagerDuty Events API v2, as a way in: whatever can page PagerDuty can report to Stanch.
//!
//! `trigger` is an alert, `resolve` takes it back. `acknowledge` is kept as context: that a person
//! elsewhere has seen a page says nothing about the harm, and must not calm an incident here.
//! Who may send is the endpoint's decision, by [`routing_key`]; the key never enters an alert.
//!
//! Source: PagerDuty developer documentation, "Send an event" (Events API v2).

use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{Alert, AlertState, Product, Rule, Severity, Timestamp};

use super::json::{self, Fields, short};
use super::pick;
use super::stretch::{Stretch, Stretches};

/// The longest `dedup_key`, in characters. Source: Events API v2.
const MAX_DEDUP_KEY: usize = 255;
/// The longest routing key we look at, in bytes; PagerDuty's have 32 characters.
const MAX_ROUTING_KEY: usize = 255;

/// PagerDuty Events API v2 events.
#[derive(Clone, Copy, Debug)]
pub struct PagerDuty;

impl Format for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        json::records(delivery.body, |fields| record(fields, delivery.received))
    }
}

/// The `routing_key` of the first event of a body, for telling which source sent it. Reads no more
/// of the body than it needs and builds nothing but the key.
#[must_use]
pub fn routing_key(body: &[u8]) -> Option<String> {
    let Stretch::Object(range) = Stretches::new(body).next()? else { return None };
    let slice = body.get(range)?;
    let quoted = slice.get(json::find_member(slice, "routing_key")?)?;
    if quoted.len() > MAX_ROUTING_KEY + 2 {
        return None;
    }
    serde_json::from_slice::<String>(quoted).ok().filter(|key| !key.is_empty())
}

fn record(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    fields.remove("routing_key");
    let action = pick::text(&mut fields, "event_action").unwrap_or_default();
    let dedup_key = pick::text(&mut fields, "dedup_key");
    if dedup_key.as_ref().is_some_and(|key| key.chars().count() > MAX_DEDUP_KEY) {
        return Err(Rejected {
            reason: format!("dedup_key is longer than {MAX_DEDUP_KEY} characters; shorten it"),
        });
    }
    match (action.as_str(), dedup_key) {
        ("trigger", key) => trigger(fields, key, received),
        ("resolve", Some(key)) => Ok(resolve(fields, key, received)),
        ("acknowledge", Some(_)) => Ok(Parsed::Context { what: "pagerduty acknowledge".to_owned() }),
        ("resolve" | "acknowledge", None) => Err(Rejected {
            reason: format!(
                "the {action} event lacks dedup_key; send the key that its trigger was sent with"
            ),
        }),
        ("", _) => Err(Rejected {
            reason: "the event lacks event_action; send trigger, acknowledge or resolve".to_owned(),
        }),
        (other, _) => Err(Rejected {
            reason: format!("event_action \"{}\" is not one of trigger, acknowledge, resolve", short(other)),
        }),
    }
}

fn trigger(mut fields: Fields, key: Option<String>, received: Timestamp) -> Result<Parsed, Rejected> {
    let mut payload = pick::object(&mut fields, "payload").unwrap_or_default();
    let [summary, source, word] = ["summary", "source", "severity"].map(|key| pick::text(&mut payload, key));
    let (Some(summary), Some(source), Some(word)) = (summary.clone(), source.clone(), word.clone()) else {
        let named = [("payload.summary", summary), ("payload.source", source), ("payload.severity", word)];
        let lacking: Vec<&str> = named.iter().filter(|(_, v)| v.is_none()).map(|(name, _)| *name).collect();
        return Err(Rejected {
            reason: format!("the trigger event lacks {}; Events API v2 requires them", lacking.join(", ")),
        });
    };
    let severity = match word.as_str() {
        "critical" => Severity::Critical,
        "error" => Severity::High,
        "warning" => Severity::Medium,
        "info" => Severity::Informational,
        other => {
            return Err(Rejected {
                reason: format!(
                    "payload.severity \"{}\" is not one of critical, error, warning, info",
                    short(other)
                ),
            });
        }
    };
    let class = ["class", "component", "group"].iter().find_map(|key| pick::peek(&payload, key));
    let uid = class.unwrap_or("event").to_owned();
    let name = class.unwrap_or(&summary).to_owned();
    // Without a key PagerDuty would open one incident for every event; the same words from the same
    // place are one claim to us.
    let group_key = match &key {
        Some(key) => format!("pagerduty|{key}"),
        None => format!("pagerduty|{source}|{uid}|{summary}"),
    };
    let alert = Alert {
        time: pick::time(&mut payload, "timestamp", received),
        rule: Rule { uid, name, category: None },
        title: summary,
        severity,
        product: product(),
        sensor: pick::text(&mut fields, "client"),
        device: pick::machine(&source),
        unmapped: {
            if pick::machine(&source).is_none() {
                payload.insert("source".to_owned(), source.into());
            }
            pick::put_back(&mut fields, "payload", payload);
            fields.into()
        },
        ..Alert::default()
    };
    Ok(Parsed::Alert { alert: Box::new(alert), group_key })
}

/// The end of a claim; the API lets it come with nothing but the key.
fn resolve(mut fields: Fields, key: String, received: Timestamp) -> Parsed {
    let mut payload = pick::object(&mut fields, "payload").unwrap_or_default();
    let title = pick::text(&mut payload, "summary").unwrap_or_else(|| format!("Resolved: {key}"));
    let uid = ["class", "component", "group"].iter().find_map(|key| pick::peek(&payload, key));
    let uid = uid.unwrap_or("event").to_owned();
    let alert = Alert {
        time: pick::time(&mut payload, "timestamp", received),
        rule: Rule { name: title.clone(), uid, category: None },
        title,
        state: AlertState::Resolved,
        product: product(),
        device: pick::peek(&payload, "source").and_then(pick::machine),
        unmapped: {
            pick::put_back(&mut fields, "payload", payload);
            fields.into()
        },
        ..Alert::default()
    };
    Parsed::Alert { alert: Box::new(alert), group_key: format!("pagerduty|{key}") }
}

fn product() -> Product {
    Product { name: "pagerduty".to_owned(), vendor_name: Some("PagerDuty".to_owned()) }
}

#[cfg(test)]
#[path = "pagerduty_tests.rs"]
mod tests;
