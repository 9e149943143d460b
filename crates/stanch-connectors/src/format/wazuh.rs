//! Wazuh 4 alerts, as in `alerts.json`: host events judged by the manager's rules.
//!
//! Wazuh also relays the alerts of Suricata sensors. Those are unwrapped and read by the Suricata
//! format, so that they share product, orientation and group key with the sensor's own record and
//! one attack is not counted twice.
//!
//! Source: Wazuh 4 documentation, "Alert management" and "Rules classification".

use serde_json::Value;
use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{Alert, Endpoint, Observable, ObservableKind, Product, Rule, Severity, Timestamp};

use super::json::{self, Fields};
use super::{pick, suricata};

/// Wazuh 4 `alerts.json`: one object per line, an array, or a single object.
#[derive(Clone, Copy, Debug)]
pub struct Wazuh;

impl Format for Wazuh {
    fn name(&self) -> &'static str {
        "wazuh"
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        json::records(delivery.body, |fields| record(fields, delivery.received))
    }
}

const MEND: &str = "send alerts as Wazuh 4 writes them to alerts.json";

fn record(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let Some(mut claim) = pick::object(&mut fields, "rule") else {
        return Err(pick::missing("a Wazuh alert", "rule", MEND));
    };
    let Some(uid) = pick::text(&mut claim, "id") else {
        return Err(pick::missing("a Wazuh alert", "rule.id", MEND));
    };
    let id = pick::text(&mut fields, "id");
    let time = pick::time(&mut fields, "timestamp", received);
    let agent = pick::object(&mut fields, "agent").unwrap_or_default();
    match pick::object(&mut fields, "data") {
        Some(eve) if is_suricata(&eve) => {
            claim.insert("id".to_owned(), Value::String(uid));
            relayed(eve, fields, claim, agent, id, time)
        }
        data => native(uid, claim, data.unwrap_or_default(), agent, fields, id, time),
    }
}

fn is_suricata(data: &Fields) -> bool {
    pick::peek(data, "event_type") == Some("alert")
        && pick::peek_object(data, "alert").is_some_and(|alert| alert.contains_key("signature_id"))
}

/// A Suricata alert in a Wazuh wrapper. The claim is Suricata's; Wazuh's own judgement is kept in
/// `unmapped.wazuh`.
fn relayed(
    eve: Fields,
    mut wrapper: Fields,
    rule: Fields,
    mut agent: Fields,
    id: Option<String>,
    time: Timestamp,
) -> Result<Parsed, Rejected> {
    let sensor = pick::text(&mut agent, "name");
    let mut parsed = suricata::alert(eve, time)?;
    if let Parsed::Alert { alert, .. } = &mut parsed {
        alert.sensor = alert.sensor.take().or(sensor);
        alert.source_uid = id.or_else(|| alert.source_uid.take());
        // The line the agent read is the very record we unwrapped.
        wrapper.remove("full_log");
        wrapper.insert("rule".to_owned(), Value::Object(rule));
        pick::put_back(&mut wrapper, "agent", agent);
        pick::put_back(&mut alert.unmapped, "wazuh", wrapper);
    }
    Ok(parsed)
}

fn native(
    uid: String,
    mut claim: Fields,
    mut data: Fields,
    mut agent: Fields,
    mut fields: Fields,
    id: Option<String>,
    time: Timestamp,
) -> Result<Parsed, Rejected> {
    let Some(level) = pick::whole(&mut claim, "level") else {
        return Err(pick::missing("a Wazuh alert", "rule.level", MEND));
    };
    let name = pick::text(&mut claim, "description").unwrap_or_else(|| format!("Wazuh rule {uid}"));
    let groups = pick::texts(&claim, "groups");
    let established = groups.iter().any(|group| SAW_EXCHANGE.contains(group));
    let category = (!groups.is_empty()).then(|| groups.join(","));
    let attacks = pick::peek_object(&claim, "mitre").map(pick_attacks).unwrap_or_default();
    let observables = observables(&data, &fields);
    let device = device(&mut agent);
    let user = user(&mut data);
    let src = source(&mut data);
    let dst = pick::endpoint(pick::ip(&mut data, "dstip"), pick::port(&mut data, "dstport"), None);
    let agent_name = device.as_ref().and_then(|d| d.hostname.clone()).unwrap_or_else(|| "-".to_owned());
    let group_key = format!(
        "wazuh|{uid}|{agent_name}|{}|{}",
        pick::spelled(src.as_ref()),
        user.as_deref().unwrap_or("-")
    );
    pick::put_back(&mut fields, "rule", claim);
    pick::put_back(&mut fields, "agent", agent);
    let protocol = pick::text(&mut data, "protocol").or_else(|| pick::text(&mut data, "proto"));
    pick::put_back(&mut fields, "data", data);
    let manager =
        pick::peek_object(&fields, "manager").and_then(|m| pick::peek(m, "name")).map(ToOwned::to_owned);
    let alert = Alert {
        time,
        title: name.clone(),
        message: pick::text(&mut fields, "full_log"),
        severity: severity(level),
        product: Product { name: "wazuh".to_owned(), vendor_name: Some("Wazuh".to_owned()) },
        rule: Rule { uid, name, category },
        sensor: manager,
        established: established && src.is_some(),
        src_endpoint: src,
        dst_endpoint: dst,
        device,
        user,
        protocol: protocol.map(|p| p.to_ascii_lowercase()),
        attacks,
        observables,
        source_uid: id,
        unmapped: fields.into(),
        ..Alert::default()
    };
    Ok(Parsed::Alert { alert: Box::new(alert), group_key })
}

/// Rule groups whose log lines are only written after a TCP handshake or a login, so that the
/// address in them is not forged.
const SAW_EXCHANGE: &[&str] = &["authentication_success", "sshd", "web", "accesslog", "web_accesslog"];

/// Source: Wazuh "Rules classification" (levels 0 to 15); bands as in STANDARDS: 0-3
/// informational, 4-6 low, 7-11 medium, 12-14 high, 15 and more critical.
fn severity(level: u64) -> Severity {
    match level {
        0..=3 => Severity::Informational,
        4..=6 => Severity::Low,
        7..=11 => Severity::Medium,
        12..=14 => Severity::High,
        15.. => Severity::Critical,
    }
}

fn pick_attacks(mitre: &Fields) -> Vec<stanch_model::Attack> {
    let tactics: Vec<String> =
        pick::texts(mitre, "tactic").iter().map(|t| t.to_ascii_lowercase().replace(' ', "-")).collect();
    let tactics: Vec<&str> = tactics.iter().map(String::as_str).collect();
    pick::attacks(&pick::texts(mitre, "id"), &tactics)
}

/// The machine whose agent reported; agents without a fixed address say `any`.
fn device(agent: &mut Fields) -> Option<Endpoint> {
    let name = pick::text(agent, "name");
    pick::endpoint(pick::ip(agent, "ip"), None, name)
}

/// The account the claim is about: whoever was logged in as, else whoever tried.
fn user(data: &mut Fields) -> Option<String> {
    let plain = ["dstuser", "srcuser", "user"].iter().find_map(|key| pick::text(data, key));
    plain.or_else(|| {
        let event = windows(data)?;
        let name = pick::peek(event, "targetUserName").or_else(|| pick::peek(event, "user"))?;
        (!name.is_empty() && name != "-").then(|| name.to_owned())
    })
}

fn source(data: &mut Fields) -> Option<Endpoint> {
    let plain = pick::endpoint(pick::ip(data, "srcip"), pick::port(data, "srcport"), None);
    plain.or_else(|| {
        let event = windows(data)?;
        let ip = pick::peek(event, "ipAddress").or_else(|| pick::peek(event, "sourceIp"))?.parse().ok()?;
        let port = pick::peek_whole(event, "ipPort").and_then(|p| u16::try_from(p).ok()).filter(|p| *p != 0);
        pick::endpoint(Some(ip), port, None)
    })
}

fn windows(data: &Fields) -> Option<&Fields> {
    pick::peek_object(pick::peek_object(data, "win")?, "eventdata")
}

/// Names, links and digests; they stay in `unmapped` as well.
fn observables(data: &Fields, fields: &Fields) -> Vec<Observable> {
    let mut out = Vec::new();
    if let Some(url) = pick::peek(data, "url").filter(|url| url.contains("://")) {
        out.push(Observable::new(ObservableKind::Url, url));
    }
    if let Some(change) = pick::peek_object(fields, "syscheck") {
        if let Some(path) = pick::peek(change, "path") {
            out.push(Observable::new(ObservableKind::File, path));
        }
        for digest in ["md5_after", "sha1_after", "sha256_after"] {
            pick::push_hash(&mut out, pick::peek(change, digest).unwrap_or_default());
        }
    }
    if let Some(event) = windows(data) {
        if let Some(image) = pick::peek(event, "image").or_else(|| pick::peek(event, "newProcessName")) {
            out.push(Observable::new(ObservableKind::Process, image));
        }
        // Sysmon: SHA1=…,MD5=…,SHA256=…,IMPHASH=…; the last groups unrelated programs and is no link.
        for named in pick::peek(event, "hashes").unwrap_or_default().split(',') {
            match named.split_once('=') {
                Some(("IMPHASH", _)) | None => {}
                Some((_, digest)) => pick::push_hash(&mut out, digest),
            }
        }
    }
    out
}

#[cfg(test)]
#[path = "wazuh_tests.rs"]
mod tests;
