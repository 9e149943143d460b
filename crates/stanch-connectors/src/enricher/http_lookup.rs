//! Asks a web service of the operator's about one observable, one GET per look-up.
//!
//! ```text
//! GET https://reputation.example/v1/{kind}/{value}
//! 200 {"malicious": true, "confidence": 80, "label": "Example RAT", "note": {"country": "ZZ"}}
//! ```
//!
//! | answer | meaning |
//! | --- | --- |
//! | 200 with `malicious: true` | hostile; `confidence` 0 to 100 (default 50), `label` optional |
//! | 200 with `note` | text, numbers or booleans worth showing; never used in a decision |
//! | 200 with `{}` or `malicious: false`, 204, 404 with a JSON body | nothing is known |
//! | 401, 403 | credentials refused |
//! | 429 | asked to slow down, for `Retry-After` seconds |
//! | 5xx, no connection | may work later |
//! | anything else | permanent failure: wrong address or not this kind of service |
//!
//! Only the configured host is dialled: redirects and proxies are not followed, and a value from an
//! alert can change the path or the query but never the host. Private addresses are not told to
//! the service unless the configuration says so.

mod answer;

use std::net::IpAddr;
use std::sync::Once;

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::{StatusCode, Url, header};
use stanch_model::port::Enricher;
use stanch_model::{Fact, Failure, Observable, ObservableKind, Span};

use super::{Mistake, Mistakes, brief};
use crate::egress::Egress;
pub use crate::notifier::Secret;

/// The largest answer that is read, in bytes: 256 KiB.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// A longer value is not asked about, in bytes. Source: servers commonly refuse longer request lines.
const MAX_VALUE_BYTES: usize = 2_048;
/// How long to leave a service alone that asks for it without saying how long.
const RETRY_AFTER: Span = Span::secs(30);

/// How to reach a service and what to ask it.
#[derive(Clone, Debug)]
pub struct HttpLookupConfig {
    /// The name shown beside its facts.
    pub name: String,
    /// Where to ask: `https://host/path/{kind}/{value}`. Both placeholders are percent-encoded and
    /// may stand in the path and the query only; `{value}` must be there.
    pub url: String,
    /// Sent as `Authorization: Bearer …`. Default: none.
    pub token: Option<Secret>,
    /// What it is asked about. Default: addresses, host names, URLs and digests.
    pub kinds: Vec<ObservableKind>,
    /// Whether it may be told addresses that are not on the internet. Default: no.
    pub private_addresses: bool,
    /// The longest it is waited for. Default: 2 seconds.
    pub deadline: Span,
    /// Ranges that its name may lead to although they are not on the internet. Default: none.
    pub allow_private: Vec<IpNet>,
}

impl HttpLookupConfig {
    /// The defaults, for one service.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> HttpLookupConfig {
        use ObservableKind::{Hash, Hostname, Ip, Url};
        HttpLookupConfig {
            name: name.into(),
            url: url.into(),
            token: None,
            kinds: vec![Ip, Hostname, Url, Hash],
            private_addresses: false,
            deadline: Span::secs(2),
            allow_private: Vec::new(),
        }
    }

    /// All that is wrong with it. `file` is where it was read from, for the mistakes. Pure.
    #[must_use]
    pub fn check(&self, file: &str) -> Vec<Mistake> {
        let mut mistakes = Mistakes::new(file);
        let mut say = |message: String, help: &str| mistakes.add((0, 0), message, help);
        let name = brief(&self.name);
        if self.name.trim().is_empty() {
            say("the look-up has no name".to_owned(), "the name is shown beside its facts");
        }
        if !self.url.contains("{value}") {
            say(format!("{name}: the URL has no {{value}}"), "write https://host/path/{value}");
        }
        if self.deadline <= Span::ZERO || self.deadline > Span::mins(5) {
            say(format!("{name}: the deadline is {}", self.deadline), "write 1ms to 5m");
        }
        if self.kinds.is_empty() {
            say(format!("{name}: it is never asked"), "list at least one kind, for example ip");
        }
        match endpoint(&self.url) {
            Err(why) => say(format!("{name}: {why}"), "write https://host/path/{value}"),
            Ok(url) if url.scheme() == "http" && self.token.is_some() && !is_loopback(&url) => {
                say(format!("{name}: the token would travel in the clear"), "use https");
            }
            Ok(_) => {}
        }
        if self.token.as_ref().is_some_and(|t| header::HeaderValue::from_str(&t.expose()).is_err()) {
            say(format!("{name}: the token holds characters that no header can"), "");
        }
        mistakes.done()
    }
}

/// A service that is asked over HTTP.
pub struct HttpLookup {
    config: HttpLookupConfig,
    client: reqwest::Client,
    /// The URL with plain words in it: every URL that is asked must have its host.
    host: Url,
}

impl HttpLookup {
    /// Makes it ready to ask; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration, or why TLS could not be set up.
    pub fn new(config: HttpLookupConfig) -> Result<HttpLookup, Vec<Mistake>> {
        let mistakes = config.check(&config.name);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let failed = |why: String| {
            let mut mistakes = Mistakes::new(&config.name);
            mistakes.add((0, 0), why, "");
            mistakes.done()
        };
        let host = endpoint(&config.url).map_err(|why| failed(why.to_owned()))?;
        let egress = Egress::to(&host, &config.allow_private).map_err(failed)?;
        let client = egress.client(config.deadline.to_std()).map_err(failed)?;
        Ok(HttpLookup { config, client, host })
    }

    /// Where to ask about a value, or why not.
    fn url(&self, about: &Observable) -> Result<Url, Failure> {
        let value = about.value.as_str();
        if value.is_empty() || value.len() > MAX_VALUE_BYTES {
            return Err(Failure::permanent(format!("a value of {} bytes is not asked about", value.len())));
        }
        // A path segment of dots would climb to another path, encoded or not.
        if value.chars().all(|c| c == '.') {
            return Err(Failure::permanent("a value of dots is not asked about"));
        }
        let text = self.config.url.replace("{kind}", about.kind.word()).replace("{value}", &encoded(value));
        let url = Url::parse(&text).map_err(|e| Failure::permanent(format!("no URL comes of it: {e}")))?;
        let there =
            |u: &Url| (u.scheme().to_owned(), u.host_str().map(str::to_owned), u.port_or_known_default());
        if there(&url) != there(&self.host) {
            return Err(Failure::permanent("the value would lead to another host"));
        }
        Ok(url)
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, Failure> {
        let mut request = self.client.get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(&*token.expose());
        }
        let mut response = request.send().await.map_err(|e| self.failure(&e))?;
        let json = response.headers().get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok());
        let json = json.is_some_and(|t| t.starts_with("application/json"));
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT => return Ok(b"{}".to_vec()),
            StatusCode::NOT_FOUND if json => return Ok(b"{}".to_vec()),
            status => return Err(refusal(status, response.headers())),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failure(&e))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(Failure::permanent(format!(
                    "the answer is longer than {MAX_ANSWER_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Never tells the URL: it holds the value, which belongs in the journal once.
    fn failure(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return Failure::Late { after: self.config.deadline };
        }
        Failure::transient(format!("no answer: {}", chain(error)))
    }
}

#[async_trait]
impl Enricher for HttpLookup {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn deadline(&self) -> Span {
        self.config.deadline
    }

    fn knows(&self, about: &Observable) -> bool {
        let told = self.config.private_addresses || about.value.parse().map_or(true, is_public);
        self.config.kinds.contains(&about.kind) && (about.kind != ObservableKind::Ip || told)
    }

    async fn look_up(&self, _site: &str, about: &Observable) -> Result<Vec<Fact>, Failure> {
        let body = self.fetch(self.url(about)?).await?;
        answer::facts(&self.config.name, about, &body)
    }
}

/// TLS needs one provider of cryptography for the whole process; whoever comes first installs it.
pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The host of a template, with plain words in the place of the placeholders.
fn endpoint(template: &str) -> Result<Url, &'static str> {
    let url = |word: &str| Url::parse(&template.replace("{kind}", word).replace("{value}", word));
    let url_of_a = url("a").map_err(|_| "this is no URL")?;
    if !matches!(url_of_a.scheme(), "http" | "https") || url_of_a.host_str().is_none() {
        return Err("the URL must begin with https:// (or http://) and a host");
    }
    // Whatever is put in, the same host must come out.
    let url_of_b = url("b").map_err(|_| "this is no URL")?;
    if url_of_a.origin() != url_of_b.origin() {
        return Err("a placeholder stands in the host");
    }
    if !url_of_a.username().is_empty() || url_of_a.password().is_some() {
        return Err("the URL holds credentials; use the token");
    }
    Ok(url_of_a)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// False for addresses that mean something only at home.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast())
                && !(ip.is_broadcast() || shared || a == 0)
        }
        IpAddr::V6(ip) => {
            let local = ip.is_unique_local() || ip.is_unicast_link_local();
            !(local || ip.is_loopback() || ip.is_multicast() || ip.is_unspecified())
        }
    }
}

/// Everything but the unreserved characters becomes `%XX`. Source: RFC 3986, section 2.3.
fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

fn refusal(status: StatusCode, headers: &header::HeaderMap) -> Failure {
    let why = format!("the service answered {status}");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Unauthorised { why },
        StatusCode::TOO_MANY_REQUESTS => {
            let said =
                headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse::<u32>().ok());
            Failure::RateLimited { why, retry_after: said.map_or(RETRY_AFTER, |s| Span::secs(i64::from(s))) }
        }
        StatusCode::REQUEST_TIMEOUT => Failure::transient(why),
        s if s.is_server_error() => Failure::transient(why),
        s if s.is_redirection() => Failure::permanent(format!("{why}; redirects are not followed")),
        _ => Failure::permanent(why),
    }
}

/// What went wrong, down to its cause, without the URL.
fn chain(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() { "the request failed".to_owned() } else { brief(&words.join(": ")) }
}

#[cfg(test)]
mod tests;
