//! `sources/NAME.yaml`: one sender of alerts per file; the file's name is the name in `/in/NAME`.

use stanch_model::Span;

use super::common::{secret, set};
use super::share::{self, Share};
use super::yaml::{Fields, Node};
use super::{Credential, GenericMapping, Mistake, SecretRef, SourceConfig, programs};
use crate::expr::Expr;
use crate::stage::health::OWN_SOURCE;

/// The formats that can be read, in alphabetical order.
pub const FORMATS: &[&str] = &["alertmanager", "generic", "pagerduty", "suricata", "wazuh", "zeek"];

/// The fields that a generic mapping can fill. `title` and `rule` are required.
pub const MAPPED_FIELDS: &[&str] = &[
    "time",
    "title",
    "message",
    "severity",
    "state",
    "product",
    "rule",
    "rule_name",
    "category",
    "sensor",
    "src_ip",
    "src_port",
    "src_host",
    "dst_ip",
    "dst_port",
    "dst_host",
    "device_ip",
    "device_host",
    "user",
    "protocol",
    "established",
    "technique",
    "tactic",
    "source_uid",
    "group_key",
];

/// The site of sample data: kept for us, so that what is played is never taken for what is real.
pub const SAMPLE_SITE: &str = "sample";

/// The site of a source that names none.
pub const DEFAULT_SITE: &str = "default";

const KEYS: &[&str] =
    &["format", "mapping", "credential", "site", "authenticated", "silent_after", "weight", "limit", "lane"];

/// Reads one source.
pub(super) fn read(name: &str, root: &Node, mistakes: &mut Vec<Mistake>) -> Option<SourceConfig> {
    let m = mistakes;
    let fields = root.map(m)?;
    if name == OWN_SOURCE {
        let message = format!("a source may not be called {OWN_SOURCE}");
        m.push(root.mistake(message, "that is the name under which our own alerts come in: rename the file"));
    }
    let format = fields.required("format", m).and_then(|n| n.choice("format", FORMATS, m));
    let mapping = mapping(&fields, format, m);
    let credential = fields.optional("credential").and_then(|n| credential(n, format, m));
    if fields.optional("credential").is_none() {
        let message = "the source has no credential, so nothing can be sent to it over HTTP";
        let help = format!("add `credential: {{ bearer: {{ file: secrets/{name}.token }} }}`");
        m.push(root.warning(message, help));
    }
    let mut site = DEFAULT_SITE.to_owned();
    set(&mut site, fields.optional("site").and_then(|n| n.name(m)));
    if let Some(node) = fields.optional("site").filter(|_| site == SAMPLE_SITE) {
        let message =
            format!("`site: {SAMPLE_SITE}` is kept for sample data, for which nothing real is changed");
        m.push(node.mistake(message, "choose another name"));
    }
    let mut authenticated = true;
    set(&mut authenticated, fields.optional("authenticated").and_then(|n| n.boolean(m)));
    let range = Span::mins(1)..=Span::hours(24 * 30);
    let silent_after = fields.optional("silent_after").and_then(|n| n.span_within(range, m));
    let mut shared = Share::default();
    set(&mut shared.weight, fields.optional("weight").and_then(|n| share::weight(n, m)));
    if let Some((alerts, bytes)) = fields.optional("limit").and_then(|n| share::limit(n, m)) {
        shared = Share { alerts, bytes, ..shared };
    }
    let lane = fields.optional("lane").and_then(|n| share::critical(n, authenticated, m));
    set(&mut shared.critical, lane);
    fields.finish(KEYS, m);
    let format = format?.to_owned();
    Some(SourceConfig {
        name: name.to_owned(),
        format,
        mapping,
        credential,
        site,
        authenticated,
        silent_after,
        share: shared,
    })
}

fn mapping(fields: &Fields<'_>, format: Option<&str>, mistakes: &mut Vec<Mistake>) -> Option<GenericMapping> {
    match (format, fields.optional("mapping")) {
        (Some("generic"), None) => {
            let help = "add `mapping: { fields: { title: event.…, rule: event.… } }`; the values are CEL over `event`";
            mistakes.push(fields.node().mistake("a generic source needs a `mapping`", help));
            None
        }
        (Some(format), Some(node)) if format != "generic" => {
            let message = format!("`mapping` has no meaning for format {format}");
            mistakes.push(node.mistake(message, "take it out, or write `format: generic`"));
            None
        }
        (_, Some(node)) => mapping_body(node, mistakes),
        (_, None) => None,
    }
}

fn mapping_body(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<GenericMapping> {
    let outer = node.map(mistakes)?;
    outer.finish(&["records", "fields"], mistakes);
    let records = outer.optional("records").and_then(|n| expression(n, mistakes));
    let inner = outer.required("fields", mistakes)?.map(mistakes)?;
    inner.finish(MAPPED_FIELDS, mistakes);
    for needed in ["title", "rule"] {
        inner.required(needed, mistakes);
    }
    let known = inner.entries().iter().filter(|(k, _)| MAPPED_FIELDS.contains(&&*k.text));
    let fields = known.filter_map(|(k, n)| Some((k.text.to_string(), expression(n, mistakes)?))).collect();
    Some(GenericMapping { records, fields })
}

/// CEL over `event`, checked now so that it cannot fail for its grammar later.
fn expression(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    if text.trim_start().starts_with("${{") {
        let help = "the values of a mapping are always CEL: write them without `${{ }}`";
        return node.wrong(&text, "CEL", help, mistakes);
    }
    if let Err(error) = Expr::compile(&text).and_then(|e| e.only_reads(&["event"])) {
        let message = format!("`{}`: {}", node.name, error.message);
        let help = "write CEL over `event`, for example event.src.ip; a fixed text stands in its own quotes: '\"text\"'";
        mistakes.push(node.mistake(message, help));
        return None;
    }
    Some(text)
}

fn credential(node: &Node, format: Option<&str>, mistakes: &mut Vec<Mistake>) -> Option<Credential> {
    const KINDS: &[&str] = &["bearer", "hmac", "routing_key", "certificate"];
    let fields = node.map(mistakes)?;
    fields.finish(KINDS, mistakes);
    let mut written = KINDS.iter().filter_map(|kind| Some((*kind, fields.optional(kind)?)));
    let Some((kind, value)) = written.next() else {
        if fields.entries().is_empty() {
            let help = "write one of `bearer`, `hmac`, `certificate` or `routing_key`";
            mistakes.push(node.mistake("`credential` is empty", help));
        }
        return None;
    };
    if let Some((second, at)) = written.next() {
        mistakes
            .push(at.mistake(format!("`credential` has both `{kind}` and `{second}`"), "keep one of them"));
    }
    match kind {
        "bearer" => secret(value, mistakes).map(Credential::Bearer),
        "hmac" => hmac(value, mistakes),
        "certificate" => programs::subject(value, mistakes).map(Credential::Certificate),
        _ => {
            if format.is_some_and(|f| f != "pagerduty") {
                let help = "write `bearer` or `hmac`, or `format: pagerduty`";
                mistakes.push(value.mistake("`routing_key` is for format pagerduty only", help));
            }
            secret(value, mistakes).map(Credential::RoutingKey)
        }
    }
}

fn hmac(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Credential> {
    let fields = node.map(mistakes)?;
    fields.finish(&["secrets", "header", "timestamp_header"], mistakes);
    let list = fields.required("secrets", mistakes);
    let secrets: Option<Vec<SecretRef>> = list.and_then(|n| n.list(mistakes, secret));
    if let (Some(node), Some(secrets)) = (list, &secrets)
        && !(1..=2).contains(&secrets.len())
        && matches!(&node.value, super::yaml::Value::List(items) if items.len() == secrets.len())
    {
        let message = format!("`secrets` has {} entries", secrets.len());
        mistakes
            .push(node.mistake(message, "write one secret, or two while you change from the old to the new"));
    }
    let header = fields.required("header", mistakes).and_then(|n| header_name(n, mistakes));
    let timestamp = fields.optional("timestamp_header");
    let timestamp_header = timestamp.and_then(|n| header_name(n, mistakes));
    if timestamp.is_none() {
        let help = "add `timestamp_header` if the sender signs the time";
        mistakes.push(
            node.warning("without `timestamp_header` an old delivery can be sent again by others", help),
        );
    }
    Some(Credential::Hmac { secrets: secrets?, header: header?, timestamp_header })
}

/// The name of an HTTP header. Source: RFC 9110 §5.6.2, `token`.
fn header_name(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
        return Some(text);
    }
    node.wrong(&text, "the name of a header", "write for example X-Signature", mistakes)
}
