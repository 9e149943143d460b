//! Suricata EVE: alerts, drops, anomalies and flows of the network sensor.
//!
//! `src_ip` and `dest_ip` of an EVE record follow the *packet* that fired, not the connection: an
//! alert on an answer names the server as source. `alert` puts the side that opened the
//! connection into `src_endpoint`, so that alerts on both directions meet in one group. Wazuh relays
//! EVE records inside its own; its format calls `alert` too, so that both tools' alerts agree.
//!
//! Source: Suricata 7 documentation, "Eve JSON Format"; OISF/suricata `etc/schema.json`.

use serde_json::Value;
use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{
    Alert, Attack, Endpoint, Flow, Observable, ObservableKind, Product, Rule, Severity, Timestamp,
};

use super::json::{self, Fields};
use super::pick;

/// Suricata EVE JSON: one object per line, an array, or a single object.
#[derive(Clone, Copy, Debug)]
pub struct Suricata;

impl Format for Suricata {
    fn name(&self) -> &'static str {
        "suricata"
    }

    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        json::records(delivery.body, |fields| record(fields, delivery.received))
    }
}

fn record(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let mend = "send EVE records as eve.json writes them";
    let Some(kind) = pick::text(&mut fields, "event_type") else {
        return Err(pick::missing("a Suricata record", "event_type", mend));
    };
    match kind.as_str() {
        "alert" => alert(fields, received),
        // With an alert inside, a drop is that alert with its packet discarded; without, it only
        // says that a flow that was cut off earlier went on trying.
        "drop" if fields.contains_key("alert") => alert(fields, received),
        "anomaly" => anomaly(fields, received),
        "flow" | "netflow" => flow(fields, &kind, received).map(Parsed::Flow),
        other => Ok(Parsed::Context { what: format!("suricata {}", json::short(other)) }),
    }
}

/// One EVE alert, from Suricata itself or relayed by another tool with numbers as strings.
pub(crate) fn alert(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let mend = "send EVE alerts as eve.json writes them";
    let Some(mut claim) = pick::object(&mut fields, "alert") else {
        return Err(pick::missing("a Suricata alert", "alert", mend));
    };
    let Some(sid) = pick::whole(&mut claim, "signature_id") else {
        return Err(pick::missing("a Suricata alert", "alert.signature_id", mend));
    };
    let gid = pick::whole(&mut claim, "gid").unwrap_or(1);
    let uid = format!("{gid}:{sid}");
    let name = pick::text(&mut claim, "signature").unwrap_or_else(|| format!("Suricata signature {uid}"));
    let severity = severity(pick::whole(&mut claim, "severity"));
    let rule = Rule { uid, name, category: pick::text(&mut claim, "category") };
    let attacks = attacks(&claim);
    pick::put_back(&mut fields, "alert", claim);
    Ok(finish(fields, rule, severity, attacks, received))
}

/// A packet or stream that breaks its protocol's rules: common on real networks, so only a hint.
fn anomaly(mut fields: Fields, received: Timestamp) -> Result<Parsed, Rejected> {
    let mut claim = pick::object(&mut fields, "anomaly").unwrap_or_default();
    let Some(what) = pick::text(&mut claim, "event") else {
        return Err(pick::missing(
            "a Suricata anomaly",
            "anomaly.event",
            "send EVE records as eve.json writes them",
        ));
    };
    let category = pick::text(&mut claim, "type");
    pick::put_back(&mut fields, "anomaly", claim);
    let rule = Rule { uid: format!("anomaly:{what}"), name: format!("Protocol anomaly {what}"), category };
    Ok(finish(fields, rule, Severity::Informational, Vec::new(), received))
}

fn finish(
    mut fields: Fields,
    rule: Rule,
    severity: Severity,
    attacks: Vec<Attack>,
    received: Timestamp,
) -> Parsed {
    let seen = Seen::new(&fields);
    let turned = seen.answer_fired(&fields);
    let established = seen.established();
    let observables = observables(&seen);
    let source_uid = source_uid(&fields, &rule.uid);
    let time = pick::time(&mut fields, "timestamp", received);
    let (src, dst) = endpoints(&mut fields, turned);
    let group_key =
        format!("suricata|{}|{}|{}", rule.uid, pick::spelled(src.as_ref()), pick::spelled(dst.as_ref()));
    let alert = Alert {
        time,
        title: rule.name.clone(),
        severity,
        product: Product { name: "suricata".to_owned(), vendor_name: Some("OISF".to_owned()) },
        rule,
        sensor: pick::text(&mut fields, "host"),
        src_endpoint: src,
        dst_endpoint: dst,
        protocol: pick::text(&mut fields, "proto").map(lower),
        established,
        attacks,
        observables,
        source_uid: Some(source_uid),
        unmapped: fields.into(),
        ..Alert::default()
    };
    Parsed::Alert { alert: Box::new(alert), group_key }
}

/// Suricata counts down: 1 is worst.
///
/// Source: Suricata documentation, "classtype" and `classification.config`, priorities 1 to 4.
fn severity(priority: Option<u64>) -> Severity {
    match priority {
        Some(1) => Severity::High,
        Some(2) => Severity::Medium,
        Some(3) => Severity::Low,
        Some(4) => Severity::Informational,
        Some(_) => Severity::Other,
        None => Severity::Unknown,
    }
}

fn lower(mut text: String) -> String {
    text.make_ascii_lowercase();
    // Suricata names both families of ICMP; IANA calls the second `ipv6-icmp`, logs say `icmp6`.
    match text.as_str() {
        "ipv6-icmp" | "icmpv6" => "icmp6".to_owned(),
        _ => text,
    }
}

fn endpoints(fields: &mut Fields, turned: bool) -> (Option<Endpoint>, Option<Endpoint>) {
    let src = (pick::ip(fields, "src_ip"), pick::port(fields, "src_port"));
    let dst = (pick::ip(fields, "dest_ip"), pick::port(fields, "dest_port"));
    let (src, dst) = if turned { (dst, src) } else { (src, dst) };
    (pick::endpoint(src.0, src.1, None), pick::endpoint(dst.0, dst.1, None))
}

/// What the judgements below look at, collected in one pass over the record: this is the hot path,
/// and most records have few of these fields.
#[derive(Default)]
struct Seen<'f> {
    flow: Option<&'f Fields>,
    http: Option<&'f Fields>,
    tls: Option<&'f Fields>,
    dns: Option<&'f Fields>,
    email: Option<&'f Fields>,
    fileinfo: Option<&'f Value>,
    files: &'f [Value],
    direction: Option<&'f str>,
    tcp: bool,
    /// The alert was raised on a reassembled stream.
    stream: bool,
    /// Suricata recognised what was spoken, for which it must have seen payload.
    spoke: bool,
}

impl<'f> Seen<'f> {
    fn new(fields: &'f Fields) -> Seen<'f> {
        let mut seen = Seen::default();
        for (key, value) in fields {
            match key.as_str() {
                "flow" => seen.flow = value.as_object(),
                "http" => (seen.http, seen.spoke) = (value.as_object(), true),
                "tls" => (seen.tls, seen.spoke) = (value.as_object(), true),
                "dns" => (seen.dns, seen.spoke) = (value.as_object(), true),
                "ssh" | "smtp" | "ftp" | "smb" | "rdp" => seen.spoke = true,
                "app_proto" => {
                    seen.spoke |= value.as_str().is_some_and(|p| !matches!(p, "failed" | "unknown" | ""));
                }
                "email" => seen.email = value.as_object(),
                "fileinfo" => seen.fileinfo = Some(value),
                "files" => seen.files = value.as_array().map(Vec::as_slice).unwrap_or_default(),
                "direction" => seen.direction = value.as_str(),
                "proto" => seen.tcp = value.as_str().is_some_and(|p| p.eq_ignore_ascii_case("tcp")),
                "stream" => seen.stream = pick::as_whole(value) == Some(1),
                _ => {}
            }
        }
        seen
    }

    /// A count of the flow, if there is one.
    fn count(&self, key: &str) -> Option<u64> {
        pick::peek_whole(self.flow?, key)
    }

    /// True when the packet that fired was an answer, so that source and destination must be turned.
    /// The first evidence decides:
    ///
    /// 1. `flow.src_ip`, the opener by Suricata's own flow table (Suricata 7);
    /// 2. `direction`;
    /// 3. the flow has no packet from the responder yet;
    /// 4. the application protocol was recognised and the packet comes from a system port (below
    ///    1024) to one that is not: a guess, for sensors older than `direction`.
    fn answer_fired(&self, fields: &Fields) -> bool {
        if let Some(opener) = self.flow.and_then(|f| pick::peek(f, "src_ip")) {
            let port = self.count("src_port");
            let same = |ip: &str, p: &str| {
                pick::peek(fields, ip) == Some(opener)
                    && (port.is_none() || pick::peek_whole(fields, p) == port)
            };
            if same("src_ip", "src_port") {
                return false;
            }
            if same("dest_ip", "dest_port") {
                return true;
            }
        }
        match self.direction {
            Some("to_client") => return true,
            Some("to_server") => return false,
            _ => {}
        }
        if !self.spoke || self.count("pkts_toclient") == Some(0) {
            return false;
        }
        let system = |key: &str| pick::peek_whole(fields, key).map(|port| port < 1024);
        system("src_port") == Some(true) && system("dest_port") == Some(false)
    }

    /// True when a TCP connection was really made, so that its source address is not forged.
    ///
    /// Evidence: payload of a reassembled stream, the flow's own state, or packets both ways with at
    /// least three from the opener (a lone SYN that is refused also shows one packet each way, and
    /// its source may be forged).
    fn established(&self) -> bool {
        self.tcp
            && (self.spoke
                || self.stream
                || self.flow.and_then(|f| pick::peek(f, "state")) == Some("established")
                || (self.count("pkts_toclient") > Some(0) && self.count("pkts_toserver") >= Some(3)))
    }
}

/// Suricata gives alerts no id: these five together name one.
fn source_uid(fields: &Fields, rule: &str) -> String {
    let spell = |key: &str| match fields.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "-".to_owned(),
    };
    format!("{}|{rule}|{}|{}", spell("flow_id"), spell("tx_id"), spell("timestamp"))
}

fn attacks(claim: &Fields) -> Vec<Attack> {
    let Some(metadata) = pick::peek_object(claim, "metadata") else { return Vec::new() };
    // Rule writers cannot use a dot in metadata and write T1071_001.
    let techniques: Vec<String> =
        pick::texts(metadata, "mitre_technique_id").iter().map(|t| t.replace('_', ".")).collect();
    let techniques: Vec<&str> = techniques.iter().map(String::as_str).collect();
    pick::attacks(&techniques, &pick::texts(metadata, "mitre_tactic_id"))
}

/// Names, links and digests of the application layers. They stay in `unmapped` as well, where a
/// person looks for the whole request.
fn observables(seen: &Seen<'_>) -> Vec<Observable> {
    let mut out = Vec::new();
    if let Some(http) = seen.http {
        let host = pick::peek(http, "hostname").unwrap_or_default();
        pick::push_host(&mut out, host);
        match pick::peek(http, "url") {
            Some(url) if url.contains("://") => out.push(Observable::new(ObservableKind::Url, url)),
            Some(path) if !host.is_empty() && path.starts_with('/') => {
                out.push(Observable::new(ObservableKind::Url, format!("http://{host}{path}")));
            }
            _ => {}
        }
    }
    if let Some(tls) = seen.tls {
        pick::push_host(&mut out, pick::peek(tls, "sni").unwrap_or_default());
        pick::push_hash(&mut out, pick::peek(tls, "fingerprint").unwrap_or_default());
    }
    if let Some(dns) = seen.dns {
        dns_names(dns, &mut out);
    }
    for file in seen.fileinfo.into_iter().chain(seen.files).filter_map(Value::as_object) {
        for digest in ["md5", "sha1", "sha256"] {
            pick::push_hash(&mut out, pick::peek(file, digest).unwrap_or_default());
        }
        if let Some(name) = pick::peek(file, "filename").filter(|n| !n.is_empty()) {
            out.push(Observable::new(ObservableKind::File, name));
        }
    }
    if let Some(email) = seen.email {
        for address in pick::texts(email, "from").into_iter().chain(pick::texts(email, "to")) {
            let bare = address.rsplit_once('<').map_or(address, |(_, a)| a.trim_end_matches('>'));
            out.push(Observable::new(ObservableKind::Email, bare));
        }
    }
    out
}

/// Version 1 names the question beside the rest, 2 lists it under `query`, 3 under `queries`.
fn dns_names(dns: &Fields, out: &mut Vec<Observable>) {
    let lists = ["query", "queries"].into_iter().filter_map(|key| dns.get(key).and_then(Value::as_array));
    let listed = lists.flatten().filter_map(|q| q.get("rrname").and_then(Value::as_str));
    for name in listed.chain(pick::peek(dns, "rrname")) {
        if !name.is_empty() {
            out.push(Observable::new(ObservableKind::Hostname, name));
        }
    }
}

fn flow(mut fields: Fields, kind: &str, received: Timestamp) -> Result<Flow, Rejected> {
    let mend = "send EVE records as eve.json writes them";
    let mut counts = pick::object(&mut fields, kind).unwrap_or_default();
    let time = match counts.contains_key("start") {
        true => pick::time(&mut counts, "start", received),
        false => pick::time(&mut fields, "timestamp", received),
    };
    let Some(src) = pick::ip(&mut fields, "src_ip") else {
        return Err(pick::missing("a Suricata flow", "src_ip", mend));
    };
    let Some(dst) = pick::ip(&mut fields, "dest_ip") else {
        return Err(pick::missing("a Suricata flow", "dest_ip", mend));
    };
    let mut count = |key: &str| pick::whole(&mut counts, key).unwrap_or(0);
    // A netflow record is one direction of a flow and counts only that.
    let bytes_out = if kind == "netflow" { count("bytes") } else { count("bytes_toserver") };
    Ok(Flow {
        time,
        src,
        dst,
        dst_port: pick::port(&mut fields, "dest_port").unwrap_or(0),
        protocol: pick::text(&mut fields, "proto").map(lower).unwrap_or_default(),
        bytes_out,
        bytes_in: count("bytes_toclient"),
        established: count("pkts_toserver") > 0 && count("pkts_toclient") > 0,
    })
}

#[cfg(test)]
#[path = "suricata_tests.rs"]
mod tests;
