//! OCSF 1.8: the incident as an *Incident Finding* (2005), its alerts as *Detection Findings* (2004).
//!
//! Source: ocsf-schema tag 1.8.0, events/findings/incident_finding.json.

use serde_json::{Value, json};
use stanch_core::stage::normalise::{OCSF_VERSION, ocsf};
use stanch_model::Timestamp;

use super::{Case, Listing};
use crate::api::v1::types::IncidentSummary;

/// Milliseconds since 1970 of a time as it travels.
fn millis(text: &str) -> i64 {
    Timestamp::parse(text).map(|t| t.0).unwrap_or_default()
}

fn status(word: &str) -> (u8, &'static str) {
    match word {
        "triggered" => (1, "New"),
        "acknowledged" | "contained" => (2, "In Progress"),
        "resolved" => (4, "Resolved"),
        _ => (0, "Unknown"),
    }
}

fn incident(s: &IncidentSummary, techniques: &[String], alerts: &[String], now: Timestamp) -> Value {
    let (status_id, word) = status(&s.status);
    let (activity_id, activity) = match s.status.as_str() {
        "triggered" => (1, "Create"),
        "resolved" => (3, "Close"),
        _ => (2, "Update"),
    };
    let mut info = json!({
        "uid": s.id, "title": s.title, "created_time": millis(&s.opened_at),
        "first_seen_time": millis(&s.first), "last_seen_time": millis(&s.last),
    });
    if !techniques.is_empty() {
        info["attacks"] = techniques.iter().map(|t| json!({ "technique": { "uid": t } })).collect();
    }
    if !alerts.is_empty() {
        info["related_events"] = alerts
            .iter()
            .map(|a| json!({ "uid": a, "type_uid": 200_401, "type_name": "Detection Finding: Create" }))
            .collect();
    }
    let mut event = json!({
        "class_uid": 2005, "class_name": "Incident Finding", "category_uid": 2, "category_name": "Findings",
        "activity_id": activity_id, "activity_name": activity,
        "type_uid": 200_500 + activity_id, "type_name": format!("Incident Finding: {activity}"),
        "time": now.0, "start_time": millis(&s.first), "end_time": millis(&s.last),
        "severity_id": s.severity_id, "severity": s.severity,
        "status_id": status_id, "status": word,
        "confidence_score": (s.confidence * 100.0).round() as i64,
        "count": s.records, "desc": s.title, "message": s.title,
        "finding_info_list": [info],
        "metadata": {
            "version": OCSF_VERSION, "uid": s.id, "logged_time": now.0,
            "product": { "name": "Stanch", "vendor_name": "Stanch", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    if let Some(owner) = &s.acknowledged_by {
        event["assignee"] = json!({ "name": owner });
    }
    if let Some(team) = &s.team {
        event["assignee_group"] = json!({ "name": team });
    }
    event
}

/// The incident first, then its alerts.
pub(super) fn case(case: &Case) -> Value {
    let first = incident(&case.incident.summary, &case.story.techniques, &case.incident.alert_ids, case.now);
    let alerts = case.evidence.iter().map(|e| ocsf(e.id, &e.alert, &e.raw, e.received));
    std::iter::once(first).chain(alerts).collect()
}

/// The incidents of the queue.
pub(super) fn listing(list: &Listing) -> Value {
    list.rows.iter().map(|r| incident(&r.summary, &[], &[], list.now)).collect()
}
