//! The first minutes: which source to connect and how, and sample data that goes away again.
//!
//! Sample data goes the way of every alert, under a site of its own that no source can have: it is named
//! in every title, counts in no clock, meets no real alert and changes nothing real.

use axum::Json;
use stanch_core::config::{Credential, SAMPLE_SITE, SecretRef, SourceConfig};
use stanch_engine::{Command, Received};
use stanch_model::port::Delivery;
use stanch_model::{IncidentId, Timestamp};

use super::types::{DoneView, FirstRunView, FirstSourceView};
use super::{Answer, Failures};
use crate::api::extract::time;
use crate::auth::Admin;
use crate::problem::Problem;

/// The source that sample data comes from.
const SOURCE: &str = "sample";

/// What to do first: sources and how to send to them, and sample data that is there
#[utoipa::path(get, path = "/api/v1/admin/first-run", tag = "operation", security(("person" = ["admin"])),
    responses((status = 200, description = "What to do", body = FirstRunView), Failures))]
pub(super) async fn first_run(admin: Admin) -> Answer<FirstRunView> {
    let live = admin.running()?;
    let dir = live.config_dir.canonicalize().unwrap_or_else(|_| live.config_dir.clone());
    let dir = dir.to_string_lossy().into_owned();
    let url = live.sessions.place().url();
    let config = live.engine.rules().config.clone();
    let received: Vec<(String, u64)> =
        admin.books().read(|s| s.sources.iter().map(|s| (s.name.clone(), s.received)).collect());
    let one = |s: &SourceConfig| FirstSourceView {
        received: received.iter().find(|(n, _)| *n == s.name).map_or(0, |(_, n)| *n),
        command: format!("stanch ingest FILE --source {} --config {} --server {url}", s.name, quoted(&dir)),
        curl: curl(s, &dir, &url),
        name: s.name.clone(),
        format: s.format.clone(),
    };
    let sources = config.sources.values().map(one).collect();
    let samples = samples(&admin).iter().map(ToString::to_string).collect();
    Ok(Json(FirstRunView { config_dir: dir, sources, samples }))
}

/// For a shell: in single quotes where it is not plain.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The secret stays where it lies: the shell of whoever may read it puts it in.
fn curl(source: &SourceConfig, dir: &str, url: &str) -> Option<String> {
    let Some(Credential::Bearer(secret)) = &source.credential else { return None };
    let secret = match secret {
        SecretRef::File(path) => format!("$(cat {})", quoted(&format!("{dir}/{path}"))),
        SecretRef::Env(name) => format!("${name}"),
        // A source proves itself by a file or a variable: `check` says so.
        SecretRef::Stored(_) => "TOKEN".to_owned(),
    };
    let name = &source.name;
    Some(format!("curl -H \"Authorization: Bearer {secret}\" --data-binary @FILE {url}/in/{name}"))
}

/// Incidents of sample data that are not resolved.
fn samples(admin: &Admin) -> Vec<IncidentId> {
    let there =
        |i: &&stanch_core::journal::Incident| i.is_sample() && !i.is_taken_away() && i.merged_into.is_none();
    admin.books().read(|s| s.incidents.values().filter(there).map(|i| i.id).collect())
}

/// Play sample data: a machine that was broken into calls home
///
/// It is marked as such everywhere, counts in no clock, and nothing real is changed for it.
#[utoipa::path(post, path = "/api/v1/admin/sample", tag = "operation", security(("person" = ["admin"])),
    responses((status = 200, description = "Taken in", body = DoneView), Failures))]
pub(super) async fn sample(admin: Admin) -> Answer<DoneView> {
    let live = admin.running()?;
    let now = (live.now)();
    let body = records(now).into_bytes();
    let format = stanch_connectors::format::by_name("suricata");
    let format = format.ok_or_else(|| Problem::internal("the format of the sample is gone"))?;
    let records = format.parse(Delivery { body: &body, received: now });
    let (source, site) = (SOURCE.to_owned(), SAMPLE_SITE.to_owned());
    let received = Received { source, site, body, records, retry_of: None };
    let ack = live.engine.receive(received).await.map_err(|_| Problem::busy("intake is full"))?;
    let message = format!("{} sample alerts taken in", ack.accepted);
    Ok(Json(DoneView { message, incident: None, run: None, ack: None }))
}

/// Three alerts of Suricata: an exploit, a download, a beacon. Addresses are private or for documentation.
fn records(now: Timestamp) -> String {
    let hosts = ("10.99.0.5", "203.0.113.9");
    let alerts = [
        (
            120,
            1,
            "ET EXPLOIT Possible code execution in web application",
            "Attempted Administrator Privilege Gain",
            "T1190",
            "TA0001",
            true,
        ),
        (
            75,
            2,
            "ET MALWARE Download of an executable from an unknown host",
            "A Network Trojan was detected",
            "T1105",
            "TA0011",
            false,
        ),
        (
            30,
            3,
            "ET MALWARE Observed CnC beacon",
            "Malware Command and Control Activity Detected",
            "T1071",
            "TA0011",
            false,
        ),
    ];
    let one = |(ago, n, signature, category, technique, tactic, inbound): (
        i64,
        i64,
        &str,
        &str,
        &str,
        &str,
        bool,
    )| {
        let at = time(Timestamp(now.0 - ago * 1_000)).replace('Z', "+0000");
        let (src, dest) = if inbound { (hosts.1, hosts.0) } else { hosts };
        let event = serde_json::json!({
            // Another flow each time, so that a second sample is a second one.
            "timestamp": at, "flow_id": now.0 * 10 + n, "event_type": "alert", "src_ip": src,
            "src_port": 40_000 + n, "dest_ip": dest, "dest_port": 443, "proto": "TCP",
            "flow": { "pkts_toserver": 12, "pkts_toclient": 10, "bytes_toserver": 4_000, "bytes_toclient": 9_000,
                      "state": "established" },
            "alert": { "signature_id": 2_035_000 + n, "gid": 1, "rev": 1, "signature": signature,
                       "category": category, "severity": 1,
                       "metadata": { "mitre_technique_id": [technique], "mitre_tactic_id": [tactic] } }
        });
        format!("{event}\n")
    };
    alerts.into_iter().map(one).collect()
}

/// Take sample data away
///
/// Its incidents are closed, what was pretended for them is lifted, and they are listed nowhere any more.
/// The journal keeps that they were played.
#[utoipa::path(post, path = "/api/v1/admin/sample/take-away", tag = "operation", security(("person" = ["admin"])),
    responses((status = 200, description = "Taken away", body = DoneView), Failures))]
pub(super) async fn take_away(admin: Admin) -> Answer<DoneView> {
    let all = samples(&admin);
    for incident in &all {
        let (incident, text) = (*incident, "sample data taken away".to_owned());
        let order = |who| Command::Resolve { incident, who, text, leave_changes: true };
        admin.command(order).await?;
    }
    let message = match all.len() {
        0 => "there is no sample data".to_owned(),
        n => format!("sample data taken away ({n} incidents)"),
    };
    Ok(Json(DoneView { message, incident: None, run: None, ack: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_odd_names_cannot_leave_its_quotes() {
        assert_eq!(quoted("/etc/stanch"), "/etc/stanch");
        assert_eq!(quoted("/my files/$(id)"), "'/my files/$(id)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
