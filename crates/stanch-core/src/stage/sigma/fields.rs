//! The fields of an alert by name: OCSF's words first, then those that Sigma rules use for the same.

use stanch_model::{Alert, Endpoint, Observable, ObservableKind};

/// The value of a field of an alert, as text. `source` and `site` are where it came in. What is not
/// one of our own fields is sought in what the source sent beyond them, by its path with dots.
pub fn fields<'a>(alert: &'a Alert, source: &'a str, site: &'a str) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| {
        let lower = name.to_ascii_lowercase().replace(['-', '_'], "");
        own(alert, source, site, &lower).or_else(|| unmapped(alert, name)).filter(|v| !v.is_empty())
    }
}

fn own(alert: &Alert, source: &str, site: &str, name: &str) -> Option<String> {
    let ip = |e: &Option<Endpoint>| e.as_ref().and_then(|e| e.ip).map(|ip| ip.to_string());
    let host = |e: &Option<Endpoint>| e.as_ref().and_then(|e| e.hostname.clone());
    let seen = |kind: ObservableKind| {
        let of = |o: &&Observable| o.kind == kind;
        alert.observables.iter().find(of).map(|o| o.value.clone())
    };
    match name {
        "srcendpoint.ip" | "srcip" | "sourceip" | "ipaddress" | "clientip" => ip(&alert.src_endpoint),
        "dstendpoint.ip" | "dstip" | "destip" | "destinationip" => ip(&alert.dst_endpoint),
        "srcendpoint.port" | "srcport" | "sourceport" => port(&alert.src_endpoint),
        "dstendpoint.port" | "dstport" | "destport" | "destinationport" => port(&alert.dst_endpoint),
        "srcendpoint.hostname" | "sourcehostname" => host(&alert.src_endpoint),
        "dstendpoint.hostname" | "destinationhostname" => host(&alert.dst_endpoint),
        "device.hostname" | "host" | "hostname" | "computer" | "computername" => {
            host(&alert.device).or_else(|| ip(&alert.device))
        }
        "device.ip" => ip(&alert.device),
        "actor.user.name" | "user" | "username" | "targetusername" | "subjectusername" => {
            alert.user.clone().or_else(|| seen(ObservableKind::User))
        }
        "connectioninfo.protocolname" | "protocol" | "proto" => alert.protocol.clone(),
        "rule.uid" | "ruleid" | "signatureid" => Some(alert.rule.uid.clone()),
        "rule.name" | "rulename" | "signature" => Some(alert.rule.name.clone()),
        "rule.category" | "category" => alert.rule.category.clone(),
        "severityid" | "severity" => Some((alert.severity as u8).to_string()),
        "sensor" | "metadata.logprovider" => alert.sensor.clone(),
        "source" => Some(source.to_owned()),
        "site" => Some(site.to_owned()),
        "url" => seen(ObservableKind::Url),
        "domain" | "queryname" => seen(ObservableKind::Hostname),
        "hash" | "hashes" => seen(ObservableKind::Hash),
        "file" | "targetfilename" => seen(ObservableKind::File),
        "image" | "process" => seen(ObservableKind::Process),
        _ => None,
    }
}

fn port(end: &Option<Endpoint>) -> Option<String> {
    end.as_ref().and_then(|e| e.port).map(|p| p.to_string())
}

fn unmapped(alert: &Alert, name: &str) -> Option<String> {
    let at = |path: &str| alert.unmapped.get(path);
    let mut parts = name.split('.');
    let value = at(name).or_else(|| {
        let first = at(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })?;
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(yes) => Some(yes.to_string()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
    }
}
