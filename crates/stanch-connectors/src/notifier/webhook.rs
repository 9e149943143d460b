//! Tells another program, as Standard Webhooks has it: an id, a time, and a signature over both and
//! the body.
//!
//! ```text
//! POST https://chat.example/hooks/noc
//! webhook-id: ACT-4-noc            the same for every attempt
//! webhook-timestamp: 1772575800    seconds, when this attempt was made
//! webhook-signature: v1,base64(HMAC-SHA256(key, "id.timestamp.body"))
//! {"type":"notice","timestamp":"2026-03-03T22:10:00.000Z","data":{…}}
//! ```
//!
//! Only 2xx is success. Redirects are not followed: a signature goes to the host it was meant for.
//!
//! Source: Standard Webhooks specification 1.0.0.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use ring::hmac;
use stanch_model::port::Notifier;
use stanch_model::{Failure, Notice};
use zeroize::Zeroizing;

use super::Secret;
use super::post::{Post, endpoint};
use super::text;

/// The shortest key, in bytes. Source: the specification asks for 24 to 64.
const SHORTEST: usize = 24;

/// Settings of one receiver.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// The name used in configuration.
    pub name: String,
    /// Where to send: HTTPS, or HTTP to this machine.
    pub url: String,
    /// The key: `whsec_` and base64, of 24 bytes or more.
    pub secret: Secret,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
}

/// The bytes of a key as written: `whsec_` and base64, or none when it is no such key or too short.
pub(super) fn key_bytes(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
    (bytes.len() >= SHORTEST).then_some(bytes)
}

/// Another program that is told.
pub struct Webhook {
    name: String,
    url: Url,
    key: hmac::Key,
    post: Post,
}

impl Webhook {
    /// Makes it ready to send; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: &WebhookConfig) -> Result<Webhook, Vec<String>> {
        let mut wrong = Vec::new();
        let url = endpoint(&config.url).map_err(|why| wrong.push(why)).ok();
        let bytes = key_bytes(&config.secret);
        if bytes.is_none() {
            wrong.push(format!("secret: write whsec_ and at least {SHORTEST} bytes as base64, for example from `openssl rand -base64 32`"));
        }
        let post = Post::to(url.as_ref(), &config.allow_private).map_err(|why| wrong.push(why)).ok();
        match (url, bytes, post) {
            (Some(url), Some(bytes), Some(post)) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
                Ok(Webhook { name: config.name.clone(), url, key, post })
            }
            _ => Err(wrong),
        }
    }
}

/// The signature over an attempt.
pub(super) fn sign(key: &hmac::Key, id: &str, seconds: i64, body: &[u8]) -> String {
    let mut over = format!("{id}.{seconds}.").into_bytes();
    over.extend_from_slice(body);
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &over)))
}

/// The id of a notice as a header may hold it.
fn id_of(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(128)
        .collect()
}

fn body_of(notice: &Notice) -> Vec<u8> {
    let value = serde_json::json!({
        "type": if notice.ask.is_some() { "question" } else { "notice" },
        "timestamp": notice.at.to_string(),
        "data": {
            "key": notice.key,
            "incident": notice.incident.to_string(),
            "urgency": notice.urgency,
            "to": notice.to,
            "subject": text::subject(&notice.subject),
            "body": text::body(&notice.body),
            "change": notice.about.map(|a| a.to_string()),
            "closes": notice.closes,
            "approval": notice.ask.as_ref().map(|a| a.approval.to_string()),
        },
    });
    value.to_string().into_bytes()
}

/// Seconds since 1970, now.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Notifier for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let (id, seconds, body) = (id_of(&notice.key), now(), body_of(notice));
        let signature = sign(&self.key, &id, seconds, &body);
        let mut headers = HeaderMap::new();
        let said = [
            ("webhook-id", id.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        for (name, value) in said {
            let value = HeaderValue::from_str(&value).map_err(|e| Failure::permanent(e.to_string()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let reply = self.post.send(Method::POST, self.url.clone(), headers, body).await?;
        if reply.status.is_success() {
            return Ok(format!("{id}: {}", reply.status.as_u16()));
        }
        let host = self.url.host_str().unwrap_or_default();
        Err(Failure::permanent(format!("{host} answered {} to a notice", reply.status)))
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
