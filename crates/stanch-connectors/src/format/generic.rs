//! A format that is configured instead of written: a mapping of CEL expressions, for products
//! whose webhooks are templates.
//!
//! An expression that has no value rejects its record, naming field and expression: a mapping that
//! silently yields half an alert would look as if it worked. Guard what may be missing with
//! `has(event.x)`, and give `null` for a field that shall stay empty.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stanch_expr::{Expr, Scope};
use stanch_model::port::{Delivery, Format, Parsed, Record, Rejected};
use stanch_model::{Alert, AlertState, Attack, Endpoint, Product, Rule, Severity, Timestamp};

use super::json::{self, Fields, short};
use super::pick;

/// How many records the `records` expression may give for one object.
const MAX_RECORDS: usize = 1_000;

/// How the records of a product become alerts, as written in configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// An expression that gives the list of records within one object, for example `event.alerts`.
    /// Default: the object itself is the one record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// What every record is. Default: `alert`.
    #[serde(default)]
    pub kind: MappingKind,
    /// For each field of the alert (see [`TARGETS`]), the expression that gives its value; in it,
    /// `event` is the record. `title` and `rule_uid` are required for alerts.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// What the records of a mapping are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingKind {
    /// Claims that something is wrong, or is over.
    #[default]
    Alert,
    /// Kept, and of no use for a decision.
    Context,
}

/// The fields a mapping can fill. `severity` is a number (OCSF `severity_id`) or a word; `time` RFC
/// 3339 or seconds or milliseconds since 1970; `state` is `firing` or `resolved`; `established` true
/// or false; ports 1 to 65535. Everything else is text.
pub const TARGETS: &[&str] = &[
    "time",
    "title",
    "message",
    "severity",
    "state",
    "product",
    "rule_uid",
    "rule_name",
    "category",
    "sensor",
    "src_ip",
    "src_port",
    "src_hostname",
    "dst_ip",
    "dst_port",
    "dst_hostname",
    "device_ip",
    "device_hostname",
    "user",
    "protocol",
    "source_uid",
    "group_key",
    "established",
    "technique",
    "tactic",
];

/// One thing wrong with a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingMistake {
    /// The field of the mapping, `records`, or `fields`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for MappingMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for MappingMistake {}

/// A compiled mapping.
#[derive(Debug)]
pub struct GenericFormat {
    product: String,
    records: Option<Expr>,
    kind: MappingKind,
    fields: BTreeMap<String, Expr>,
}

impl GenericFormat {
    /// Compiles a mapping. `name` is the product unless the mapping gives another.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn compile(name: &str, mapping: Mapping) -> Result<GenericFormat, Vec<MappingMistake>> {
        let mut mistakes = Vec::new();
        let mut mistake =
            |field: &str, message: String| mistakes.push(MappingMistake { field: field.to_owned(), message });
        let records = mapping
            .records
            .and_then(|source| compile(&source).map_err(|message| mistake("records", message)).ok());
        let mut fields = BTreeMap::new();
        for (field, source) in mapping.fields {
            if !TARGETS.contains(&field.as_str()) {
                mistake(&field, format!("no such field; there are {}", TARGETS.join(", ")));
                continue;
            }
            match compile(&source) {
                Ok(expression) => drop(fields.insert(field, expression)),
                Err(message) => {
                    mistake(&field, message);
                    continue;
                }
            }
        }
        if mapping.kind == MappingKind::Alert {
            for required in ["title", "rule_uid"] {
                let tried = mistakes.iter().any(|m| m.field == required);
                if !fields.contains_key(required) && !tried {
                    let message = "every alert needs it; give an expression for it".to_owned();
                    mistakes.push(MappingMistake { field: required.to_owned(), message });
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(GenericFormat { product: name.to_ascii_lowercase(), records, kind: mapping.kind, fields })
    }

    /// The records within one object.
    fn split(&self, fields: Fields) -> Result<Vec<Value>, Rejected> {
        let Some(records) = &self.records else { return Ok(vec![Value::Object(fields)]) };
        match records.eval(&scope(Value::Object(fields))) {
            Ok(Value::Array(list)) if list.len() <= MAX_RECORDS => Ok(list),
            Ok(Value::Array(list)) => Err(failed(
                "records",
                records,
                &format!("{} records in one object; at most {MAX_RECORDS} are allowed", list.len()),
            )),
            Ok(_) => Err(failed("records", records, "the value is not a list")),
            Err(why) => Err(failed("records", records, &why.message)),
        }
    }

    fn record(&self, event: Value, received: Timestamp) -> Result<Parsed, Rejected> {
        if self.kind == MappingKind::Context {
            return Ok(Parsed::Context { what: format!("{} record", self.product) });
        }
        let unmapped = match &event {
            Value::Object(fields) => fields.clone(),
            other => [("event".to_owned(), other.clone())].into_iter().collect(),
        };
        let read = Reading { format: self, scope: scope(event) };
        let alert = read.alert(unmapped, received)?;
        let group_key = read.text("group_key")?.unwrap_or_else(|| {
            let device = match alert.device.as_ref() {
                Some(Endpoint { hostname: Some(name), .. }) => name.clone(),
                other => pick::spelled(other),
            };
            let src = pick::spelled(alert.src_endpoint.as_ref());
            let dst = pick::spelled(alert.dst_endpoint.as_ref());
            format!("{}|{}|{src}|{dst}|{device}", alert.product.name, alert.rule.uid)
        });
        Ok(Parsed::Alert { alert: Box::new(alert), group_key })
    }
}

impl Format for GenericFormat {
    /// Always `generic`; the configured name is the product of its alerts.
    fn name(&self) -> &'static str {
        "generic"
    }

    /// Records that one object was split into all have the bytes of that object.
    fn parse(&self, delivery: Delivery<'_>) -> Vec<Record> {
        json::stretches(delivery.body, |raw, out| {
            let records = json::object(delivery.body, raw.clone()).and_then(|fields| self.split(fields));
            match records {
                Err(rejected) => out.push(Record { raw, parsed: Err(rejected) }),
                Ok(list) if list.is_empty() => {
                    let what = format!("{} without records", self.product);
                    out.push(Record { raw, parsed: Ok(Parsed::Context { what }) });
                }
                Ok(list) => {
                    out.extend(list.into_iter().map(|event| Record {
                        raw: raw.clone(),
                        parsed: self.record(event, delivery.received),
                    }))
                }
            }
        })
    }
}

/// An expression that reads `event` and nothing else, or in words what is wrong with it.
fn compile(source: &str) -> Result<Expr, String> {
    let expression = Expr::compile(source).and_then(|e| e.only_reads(&["event"]).map(|()| e));
    expression.map_err(|e| match e.column {
        0 => e.message,
        column => format!("{} (column {column})", e.message),
    })
}

/// A record as expressions see it, converted once for all of them. Records are read beside the thread that
/// decides, so that there is time for longer lists.
fn scope(event: Value) -> Scope {
    Scope::new().with("event", event).patient()
}

fn failed(field: &str, expression: &Expr, why: &str) -> Rejected {
    let source = short(expression.source());
    Rejected {
        reason: format!("the mapping of {field}, `{source}`, gives nothing usable for this record: {why}"),
    }
}

/// One record being read.
struct Reading<'f> {
    format: &'f GenericFormat,
    scope: Scope,
}

impl Reading<'_> {
    fn alert(&self, unmapped: Fields, received: Timestamp) -> Result<Alert, Rejected> {
        let side = |ip: &str, port: &str, name: &str| {
            Ok(pick::endpoint(self.ip(ip)?, self.port(port)?, self.text(name)?))
        };
        let title = self.required("title")?;
        let uid = self.required("rule_uid")?;
        let state = self.read("state", |value| match value.as_str() {
            Some("firing") => Ok(AlertState::Firing),
            Some("resolved") => Ok(AlertState::Resolved),
            _ => Err("the value is neither \"firing\" nor \"resolved\""),
        })?;
        let device = pick::endpoint(self.ip("device_ip")?, None, self.text("device_hostname")?);
        Ok(Alert {
            time: self.read("time", time)?.unwrap_or(received),
            rule: Rule {
                uid,
                name: self.text("rule_name")?.unwrap_or_else(|| title.clone()),
                category: self.text("category")?,
            },
            title,
            message: self.text("message")?,
            severity: self.read("severity", severity)?.unwrap_or_default(),
            state: state.unwrap_or_default(),
            product: Product {
                name: self
                    .text("product")?
                    .map_or_else(|| self.format.product.clone(), |p| p.to_ascii_lowercase()),
                vendor_name: None,
            },
            sensor: self.text("sensor")?,
            src_endpoint: side("src_ip", "src_port", "src_hostname")?,
            dst_endpoint: side("dst_ip", "dst_port", "dst_hostname")?,
            device,
            user: self.text("user")?,
            protocol: self.text("protocol")?.map(|p| p.to_ascii_lowercase()),
            established: self
                .read("established", |v| v.as_bool().ok_or("the value is neither true nor false"))?
                .unwrap_or(false),
            source_uid: self.text("source_uid")?,
            attacks: self.attacks()?,
            unmapped: unmapped.into(),
            ..Alert::default()
        })
    }

    /// One ATT&CK reference, when the mapping gives a technique or a tactic.
    fn attacks(&self) -> Result<Vec<Attack>, Rejected> {
        let (technique, tactic) = (self.text("technique")?, self.text("tactic")?);
        if technique.is_none() && tactic.is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![Attack { technique_uid: technique.unwrap_or_default(), tactic }])
    }

    /// The value of a field: `None` when the mapping does not give it, or gives null or "".
    fn read<T>(
        &self,
        field: &str,
        understand: impl FnOnce(&Value) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Rejected> {
        let Some(expression) = self.format.fields.get(field) else { return Ok(None) };
        let value = expression.eval(&self.scope).map_err(|why| failed(field, expression, &why.message))?;
        if value.is_null() || value.as_str() == Some("") {
            return Ok(None);
        }
        understand(&value).map(Some).map_err(|why| failed(field, expression, why))
    }

    fn text(&self, field: &str) -> Result<Option<String>, Rejected> {
        self.read(field, |value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => Err("the value is not text"),
        })
    }

    fn required(&self, field: &str) -> Result<String, Rejected> {
        self.text(field)?.ok_or_else(|| match self.format.fields.get(field) {
            Some(expression) => failed(field, expression, "the value is empty, and every alert needs it"),
            None => pick::missing("a mapping", field, "give an expression for it"),
        })
    }

    fn ip(&self, field: &str) -> Result<Option<IpAddr>, Rejected> {
        self.read(field, |value| {
            let ip = value.as_str().and_then(|text| text.trim().parse::<IpAddr>().ok());
            ip.map(|ip| ip.to_canonical()).ok_or("the value is not an IP address")
        })
    }

    fn port(&self, field: &str) -> Result<Option<u16>, Rejected> {
        self.read(field, |value| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            let port = number.and_then(|n| u16::try_from(n).ok()).filter(|port| *port != 0);
            port.ok_or("the value is not a port from 1 to 65535")
        })
    }
}

/// RFC 3339, or a number (also as text) of seconds or milliseconds since 1970. Numbers from 10^11 on
/// are milliseconds: as seconds they would lie beyond the year 5000, as milliseconds after 1973.
fn time(value: &Value) -> Result<Timestamp, &'static str> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let number = pick::epoch_seconds(&text).map(|seconds| match seconds.0.abs() >= 100_000_000_000_000 {
        true => Timestamp(seconds.0 / 1_000),
        false => seconds,
    });
    number
        .or_else(|| Timestamp::parse(&text).ok())
        .ok_or("the value is not a time; give RFC 3339 or a number")
}

fn severity(value: &Value) -> Result<Severity, &'static str> {
    let known = match value {
        Value::Number(number) => number.as_u64().and_then(|n| u8::try_from(n).ok()),
        _ => None,
    };
    let by_number = known.and_then(|id| Severity::try_from(id).ok());
    let by_word = value.as_str().and_then(pick::severity_word);
    by_number.or(by_word).ok_or("the value is neither an OCSF severity_id (0 to 6 or 99) nor a severity word")
}

#[cfg(test)]
#[path = "generic_tests.rs"]
mod tests;
