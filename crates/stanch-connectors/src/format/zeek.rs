//! Zeek logs: notices and weirds become alerts, conn becomes flows, all other logs are context.
//!
//! Two encodings and three dialects of one thing: JSON with `_path` and `id.orig_h`, JSON with
//! `@stream` and `id_orig_h`, and tab-separated text with a `#fields` header. The same traffic gives
//! the same alerts in each. Zeek has no severities; `note_severity` says where ours come from.
//!
//! Source: Zeek documentation, "Log Files" and "Notice Index"; log writer `Ascii.cc` for escapes.

use serde_json::Value;
use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{Alert, Attack, Flow, Observable, Product, Rule, Severity, Timestamp};

use super::json::{self, Fields, short};
use super::{pick, zeek_tsv};

/// Zeek logs as JSON (one object per line, or an array) or as tab-separated text.
#[derive(Clone, Copy, Debug)]
pub struct Zeek;

impl Format for Zeek {
    fn name(&self) -> &'static str {
        "zeek"
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        let first = delivery.body.iter().find(|b| !b.is_ascii_whitespace());
        if first == Some(&b'#') {
            return zeek_tsv::records(delivery.body, |path, fields| record(path, fields, delivery.received));
        }
        json::records(delivery.body, |fields| {
            let mut fields = one_dialect(fields);
            let path = ["_path", "@stream", "log_name"].iter().find_map(|key| pick::text(&mut fields, key));
            let path = path.or_else(|| guess_path(&fields).map(ToOwned::to_owned)).ok_or_else(|| {
                pick::missing(
                    "a Zeek record",
                    "_path",
                    "send the JSON streaming format, which names the log in _path",
                )
            })?;
            record(&path, fields, delivery.received)
        })
    }
}

/// Spells connection fields with a dot, as Zeek does itself.
fn one_dialect(mut fields: Fields) -> Fields {
    for (other, ours) in [
        ("id_orig_h", "id.orig_h"),
        ("id_orig_p", "id.orig_p"),
        ("id_resp_h", "id.resp_h"),
        ("id_resp_p", "id.resp_p"),
    ] {
        if let Some(value) = fields.remove(other) {
            fields.insert(ours.to_owned(), value);
        }
    }
    fields
}

/// Shippers that read one file per log may drop its name; these fields tell it all the same.
fn guess_path(fields: &Fields) -> Option<&'static str> {
    let has = |key: &str| fields.contains_key(key);
    match () {
        () if has("note") && has("msg") => Some("notice"),
        () if has("conn_state") && has("uid") => Some("conn"),
        () if has("name") && has("notice") => Some("weird"),
        () => None,
    }
}

fn record(path: &str, mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    // The writer's own clock: not part of what happened, and only in one of the encodings.
    fields.remove("_write_ts");
    match path {
        "notice" => notice(fields, received),
        "weird" => weird(fields, received),
        "conn" => conn(fields, received).map(Parsed::Flow),
        other => Ok(Parsed::Context { what: format!("zeek {}", short(other)) }),
    }
}

fn notice(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let Some(note) = pick::text(&mut fields, "note") else {
        return Err(pick::missing("a Zeek notice", "note", "send notice.log as Zeek writes it"));
    };
    let category = note.split_once("::").map(|(family, _)| family.to_owned());
    let protocol = pick::peek(&fields, "proto").map(str::to_ascii_lowercase);
    let established = protocol.as_deref() == Some("tcp") && saw_exchange(&note, &fields);
    let title = pick::text(&mut fields, "msg").unwrap_or_else(|| note.clone());
    let alert = Alert {
        title,
        message: pick::text(&mut fields, "sub"),
        severity: note_severity(&note),
        attacks: attacks(&note),
        rule: Rule { uid: note.clone(), name: note, category },
        sensor: sensor(&mut fields, "peer_descr"),
        established,
        ..Alert::default()
    };
    Ok(finish(alert, fields, received))
}

/// Something in the traffic that breaks a protocol's rules: common on real networks, so only a
/// hint; one step more when Zeek's own policy raised it to a notice.
fn weird(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let Some(name) = pick::text(&mut fields, "name") else {
        return Err(pick::missing("a Zeek weird", "name", "send weird.log as Zeek writes it"));
    };
    let raised = fields.get("notice") == Some(&Value::Bool(true));
    let alert = Alert {
        title: format!("Unusual protocol behaviour: {name}"),
        message: pick::text(&mut fields, "addl"),
        severity: if raised { Severity::Low } else { Severity::Informational },
        rule: Rule {
            uid: format!("weird:{name}"),
            name,
            category: pick::text(&mut fields, "source").or_else(|| Some("Weird".to_owned())),
        },
        sensor: sensor(&mut fields, "peer"),
        ..Alert::default()
    };
    Ok(finish(alert, fields, received))
}

/// A cluster names the worker; the `@system` of the second dialect names the machine.
fn sensor(fields: &mut Fields, peer: &str) -> Option<String> {
    pick::text(fields, "@system").or_else(|| pick::text(fields, peer))
}

/// Fills in what notices and weirds have in common.
fn finish(mut alert: Alert, mut fields: Fields, received: Timestamp) -> Parsed {
    // The uid names the connection, which may raise the same note again later: the time belongs to it.
    let spelled_uid = pick::peek(&fields, "uid").unwrap_or("-").to_owned();
    alert.time = pick::time(&mut fields, "ts", received);
    alert.source_uid = Some(format!("{}|{spelled_uid}|{}", alert.rule.uid, alert.time.0));
    alert.product = Product { name: "zeek".to_owned(), vendor_name: Some("Zeek".to_owned()) };
    alert.protocol = pick::text(&mut fields, "proto").map(|p| p.to_ascii_lowercase());
    let mut side = |host: &str, port: &str, alone: &str| {
        let of_connection = pick::ip(&mut fields, host);
        // Notices without a connection (scans, guesses) carry only `src` and `dst`; beside a
        // connection these repeat it, or differ and then stay in `unmapped`.
        let named = pick::peek(&fields, alone).and_then(|ip| ip.parse().ok());
        if of_connection.is_none() || of_connection == named {
            fields.remove(alone);
        }
        pick::endpoint(of_connection.or(named), pick::port(&mut fields, port), None)
    };
    alert.src_endpoint = side("id.orig_h", "id.orig_p", "src");
    alert.dst_endpoint = side("id.resp_h", "id.resp_p", "dst");
    if let Some(dst) = &mut alert.dst_endpoint {
        match pick::peek_whole(&fields, "p").and_then(|p| u16::try_from(p).ok()) {
            Some(p) if dst.port.is_none_or(|known| known == p) => {
                dst.port = (p != 0).then_some(p);
                fields.remove("p");
            }
            _ => {}
        }
    }
    alert.observables = observables(&fields);
    let group_key = format!(
        "zeek|{}|{}|{}",
        alert.rule.uid,
        pick::spelled(alert.src_endpoint.as_ref()),
        pick::spelled(alert.dst_endpoint.as_ref())
    );
    alert.unmapped = fields.into();
    Parsed::Alert { alert: Box::new(alert), group_key }
}

fn observables(fields: &Fields) -> Vec<Observable> {
    let mut out = Vec::new();
    for key in ["md5", "sha1", "sha256"] {
        pick::push_hash(&mut out, pick::peek(fields, key).unwrap_or_default());
    }
    out
}

/// The harm of a note, by its family: Zeek itself gives none.
///
/// Source: our judgement on Zeek 7's "Notice Index" and the published packages whose notes are
/// listed; a note says what was *seen*: success and known-bad matches are High, attempts Medium,
/// bad hygiene Low, notes on Zeek's own health Informational. Anything unknown is Medium, because
/// someone found it worth a notice.
fn note_severity(note: &str) -> Severity {
    let (family, name) = note.split_once("::").unwrap_or((note, ""));
    match (family, name) {
        ("Heartbleed", "SSL_Heartbeat_Attack_Success") => Severity::Critical,
        ("Heartbleed" | "Intel" | "TeamCymruMalwareHashRegistry" | "ATTACK", _)
        | ("FTP", "Site_Exec_Success")
        | ("SSH", "Login_By_Password_Guesser")
        | ("HTTP", "SQL_Injection_Victim") => Severity::High,
        (cve, _) if cve.starts_with("CVE") => Severity::High,
        ("Scan" | "SSL" | "X509" | "Traceroute" | "ProtocolDetector" | "Software" | "DNS" | "SMTP", _) => {
            Severity::Low
        }
        (
            "CaptureLoss" | "PacketFilter" | "Weird" | "Notice" | "Known" | "LoadBalancing" | "Telemetry",
            _,
        ) => Severity::Informational,
        _ => Severity::Medium,
    }
}

/// The ATT&CK package (`ATTACK::Lateral_Movement`) names tactics in its notes.
fn attacks(note: &str) -> Vec<Attack> {
    let tactic = note.strip_prefix("ATTACK::").map(|name| name.to_ascii_lowercase().replace('_', "-"));
    tactic.map(|tactic| Attack { technique_uid: String::new(), tactic: Some(tactic) }).into_iter().collect()
}

/// True for notes that Zeek can only raise after payload went over a TCP connection.
fn saw_exchange(note: &str, fields: &Fields) -> bool {
    let family = note.split_once("::").map_or(note, |(family, _)| family);
    let of_application = ["SSL", "SSH", "HTTP", "FTP", "SMTP", "Heartbleed", "TeamCymruMalwareHashRegistry"];
    fields.contains_key("uid") && (fields.contains_key("fuid") || of_application.contains(&family))
}

fn conn(mut fields: Fields, received: Timestamp) -> Result<Flow, Rejected> {
    let mend = "send conn.log as Zeek writes it";
    let Some(src) = pick::ip(&mut fields, "id.orig_h") else {
        return Err(pick::missing("a Zeek connection", "id.orig_h", mend));
    };
    let Some(dst) = pick::ip(&mut fields, "id.resp_h") else {
        return Err(pick::missing("a Zeek connection", "id.resp_h", mend));
    };
    // Source: Zeek documentation, base/protocols/conn `conn_state`. RSTOS0, RSTRH, SH, SHR and OTH
    // are half-seen exchanges.
    let both_spoke = ["SF", "S1", "S2", "S3", "RSTO", "RSTR"];
    Ok(Flow {
        time: pick::time(&mut fields, "ts", received),
        src,
        dst,
        dst_port: pick::port(&mut fields, "id.resp_p").unwrap_or(0),
        protocol: pick::text(&mut fields, "proto").map(|p| p.to_ascii_lowercase()).unwrap_or_default(),
        bytes_out: pick::whole(&mut fields, "orig_bytes").unwrap_or(0),
        bytes_in: pick::whole(&mut fields, "resp_bytes").unwrap_or(0),
        established: pick::peek(&fields, "conn_state").is_some_and(|state| both_spoke.contains(&state)),
    })
}

#[cfg(test)]
#[path = "zeek_tests.rs"]
mod tests;
