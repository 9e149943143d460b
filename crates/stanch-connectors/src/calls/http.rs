//! One HTTP request as declared, and what its answer means.
//!
//! | answer to a request that changes something | meaning |
//! | --- | --- |
//! | a status that is expected | done |
//! | no connection | certain that nothing was done; may work later |
//! | 401, 403 | credentials refused, nothing done |
//! | 429 | asked to slow down, nothing done |
//! | other 4xx, 3xx | nothing done; it will not work however often we ask |
//! | 5xx, no answer, half an answer | unknown |

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url, header};
use serde_json::Value;
use stanch_model::{Failure, Observed, Span};

use super::template::{self, InputType, Values};
use crate::egress::Egress;
use crate::notifier::Secret;

/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// How long to leave a service alone that asks for it without saying how long.
const RETRY_AFTER: Span = Span::secs(30);
/// Ours, or the library's: a declared header would only get in their way.
const RESERVED: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "idempotency-key", "authorization"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A request as declared. Places are written `{input}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// Places may stand in its path and query.
    pub url: String,
    /// Name and value; places may stand in the value.
    pub headers: Vec<(String, String)>,
    /// Sent as JSON; places may stand in its texts.
    pub body: Option<Value>,
    /// Statuses that mean success. Default: 200, 201, 202, 204.
    pub expect: Vec<u16>,
    /// Where the outcome lies in the answer, as a JSON pointer (RFC 6901). Default: all of it.
    pub outcome: Option<String>,
}

/// How to tell whether a change is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What to ask.
    pub request: Request,
    /// Statuses that mean that it is not there. Default: 404.
    pub absent: Vec<u16>,
    /// It is there when the outcome is this. None: when the status is an expected one.
    pub equals: Option<Value>,
}

impl Request {
    /// All that is wrong with it; asks nobody.
    pub(super) fn mistakes(&self, inputs: &BTreeMap<String, InputType>, egress: &Egress) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !METHODS.contains(&self.method.as_str()) {
            mistakes.push(format!("method {:?} is none of {}", self.method, METHODS.join(", ")));
        }
        let sample: BTreeMap<String, String> =
            inputs.iter().map(|(name, kind)| (name.clone(), sample(kind))).collect();
        let filled =
            Values::new(inputs, &sample).map(|v| v.with("stanch:ACT-1", Some("60"))).and_then(|values| {
                self.body.as_ref().map(|b| template::body(b, &values)).transpose()?;
                for (name, value) in &self.headers {
                    if RESERVED.iter().any(|r| name.eq_ignore_ascii_case(r)) {
                        return Err(format!(
                            "the header {name} is not declared here; use `token` for credentials"
                        ));
                    }
                    header::HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| format!("{name:?} is no header"))?;
                    template::header(value, &values)?;
                }
                template::url(&self.url, &values)
            });
        match filled {
            Err(why) => mistakes.push(why),
            Ok(url) => mistakes.extend(egress.permit(&url).err()),
        }
        if let Some(bad) = self.expect.iter().find(|s| !(100..600).contains(*s)) {
            mistakes.push(format!("{bad} is no HTTP status"));
        }
        if self.outcome.as_deref().is_some_and(|p| !p.is_empty() && !p.starts_with('/')) {
            mistakes.push("`outcome` is a JSON pointer and begins with `/`".to_owned());
        }
        mistakes
    }
}

/// A value that fits, to try templates with.
fn sample(kind: &InputType) -> String {
    match kind {
        InputType::Text | InputType::Word => "x".to_owned(),
        InputType::Integer => "1".to_owned(),
        InputType::Boolean => "true".to_owned(),
        InputType::Address | InputType::Prefix => "192.0.2.1".to_owned(),
        InputType::Domain => "x.example".to_owned(),
        InputType::Choice(all) => all.first().cloned().unwrap_or_default(),
    }
}

/// What requests are sent with.
pub(super) struct Http<'c> {
    pub(super) client: &'c reqwest::Client,
    pub(super) egress: &'c Egress,
    pub(super) token: Option<&'c Secret>,
    pub(super) timeout: Duration,
}

impl Http<'_> {
    /// Sends a request and takes the outcome out of its answer.
    pub(super) async fn send(
        &self,
        request: &Request,
        values: &Values<'_>,
        key: Option<&str>,
        changes: bool,
    ) -> Result<Value, Failure> {
        let (status, after, body) = self.exchange(request, values, key, changes).await?;
        if !request.expect.contains(&status) {
            return Err(refusal(status, after, &body, changes));
        }
        // What was done is done, whatever it says.
        match outcome(&body, request.outcome.as_deref()) {
            Err(_) if changes => Ok(Value::Null),
            other => other.map_err(Failure::permanent),
        }
    }

    /// Looks whether a change is there.
    pub(super) async fn look(&self, look: &Look, values: &Values<'_>) -> Result<Observed, Failure> {
        let (status, after, body) = self.exchange(&look.request, values, None, false).await?;
        if look.absent.contains(&status) {
            return Ok(Observed::Absent);
        }
        if !look.request.expect.contains(&status) {
            return Err(refusal(status, after, &body, false));
        }
        let Some(wanted) = &look.equals else { return Ok(Observed::Present { expires_in: None }) };
        let wanted = template::body(wanted, values).map_err(Failure::permanent)?;
        Ok(match outcome(&body, look.request.outcome.as_deref()) {
            Err(what) => Observed::Different { what },
            Ok(found) if found == wanted => Observed::Present { expires_in: None },
            Ok(_) => Observed::Absent,
        })
    }

    async fn exchange(
        &self,
        request: &Request,
        values: &Values<'_>,
        key: Option<&str>,
        changes: bool,
    ) -> Result<(u16, Option<Span>, Vec<u8>), Failure> {
        let url = template::url(&request.url, values).map_err(Failure::permanent)?;
        // Checked again with what was really put in.
        self.egress.permit(&url).map_err(Failure::permanent)?;
        let ready = self.build(request, values, key, url)?;
        let lost = |e: reqwest::Error| self.lost(&e, changes);
        let mut answer = self.client.execute(ready).await.map_err(lost)?;
        let status = answer.status().as_u16();
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|e| self.lost(&e, changes))? {
            if body.len() + piece.len() > ANSWER_LIMIT {
                let why = format!("the answer is longer than {ANSWER_LIMIT} bytes");
                return Err(if changes { Failure::unknown(why) } else { Failure::permanent(why) });
            }
            body.extend_from_slice(&piece);
        }
        Ok((status, after.map(Span::secs), body))
    }

    fn build(
        &self,
        request: &Request,
        values: &Values<'_>,
        key: Option<&str>,
        url: Url,
    ) -> Result<reqwest::Request, Failure> {
        let bad = |why: String| Failure::permanent(why);
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|e| bad(e.to_string()))?;
        let mut ready = self.client.request(method, url).header(header::ACCEPT, "application/json");
        for (name, value) in &request.headers {
            ready = ready.header(name, template::header(value, values).map_err(bad)?);
        }
        if let Some(key) = key {
            // Source: draft-ietf-httpapi-idempotency-key-header-07, section 2: a string in quotes.
            ready = ready.header("Idempotency-Key", format!("\"{key}\""));
        }
        if let Some(token) = self.token {
            ready = ready.bearer_auth(&*token.expose());
        }
        if let Some(body) = &request.body {
            ready = ready.json(&template::body(body, values).map_err(bad)?);
        }
        ready.build().map_err(|e| bad(format!("no request comes of it: {}", chain(&e))))
    }

    fn lost(&self, error: &reqwest::Error, changes: bool) -> Failure {
        let text = chain(error);
        if error.is_connect() && text.contains("is not dialled") {
            return Failure::permanent(text);
        }
        // Without a connection nothing was sent.
        if error.is_connect() || !changes {
            return Failure::transient(format!("no answer: {text}"));
        }
        let why = if error.is_timeout() {
            format!("no answer within {} ms", self.timeout.as_millis())
        } else {
            format!("the answer was lost: {text}")
        };
        Failure::unknown(why)
    }
}

/// The outcome in an answer; an empty answer has none.
fn outcome(body: &[u8], pointer: Option<&str>) -> Result<Value, String> {
    if body.is_empty() && pointer.is_none() {
        return Ok(Value::Null);
    }
    let whole: Value = serde_json::from_slice(body)
        .map_err(|e| format!("the answer is not the JSON that was declared: {e}"))?;
    match pointer {
        None => Ok(whole),
        Some(at) => whole.pointer(at).cloned().ok_or_else(|| format!("the answer has nothing at {at}")),
    }
}

/// What a status that was not expected means.
fn refusal(status: u16, after: Option<Span>, body: &[u8], changes: bool) -> Failure {
    let said: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(120).collect();
    let name = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("");
    let why = format!("the answer was {status} {name} {said}").trim().to_owned();
    match status {
        401 | 403 => Failure::Unauthorised { why },
        429 => Failure::RateLimited { why, retry_after: after.unwrap_or(RETRY_AFTER) },
        300..=399 => Failure::permanent(format!("{why}; redirects are not followed")),
        500..=599 if changes => Failure::unknown(why),
        500..=599 => Failure::transient(why),
        _ => Failure::permanent(why),
    }
}

/// An error and all that led to it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
