//! One receiver of events, as Standard Webhooks has it: for whoever keeps its own list of receivers.
//!
//! While a key is being changed, both sign: the header then holds both signatures, and a receiver that
//! knows either is content. Source: Standard Webhooks specification 1.0.0, "Webhook secret rotation".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use stanch_model::Failure;

use super::Secret;
use super::post::{Post, endpoint};
use super::webhook::{key_bytes, now, sign};

/// A receiver; opens no connection until something is delivered.
pub struct Hook {
    url: Url,
    post: Post,
}

impl Hook {
    /// For one URL: HTTPS, or HTTP to this machine.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(url: &str, private: &[IpNet]) -> Result<Hook, String> {
        let url = endpoint(url)?;
        let post = Post::to(Some(&url), private)?;
        Ok(Hook { url, post })
    }

    /// A key that nobody has yet: `whsec_` and 32 random bytes as base64.
    ///
    /// # Errors
    /// When this machine gives no random numbers.
    pub fn fresh_key() -> Result<Secret, String> {
        let mut bytes = [0; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| "this machine gives no random numbers".to_owned())?;
        Ok(Secret::new(format!("whsec_{}", STANDARD.encode(bytes))))
    }

    /// Delivers one event. `id` is the same for every try of it. Only 2xx is success.
    ///
    /// # Errors
    /// The class of the failure; `Permanent` with `410` in it when the receiver wants nothing more.
    pub async fn deliver(&self, keys: &[Secret], id: &str, body: Vec<u8>) -> Result<(), Failure> {
        let seconds = now();
        let signatures: Vec<String> = keys
            .iter()
            .filter_map(key_bytes)
            .map(|bytes| sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), id, seconds, &body))
            .collect();
        if signatures.is_empty() {
            return Err(Failure::permanent("there is no key to sign with"));
        }
        let mut headers = HeaderMap::new();
        let said = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        for (name, value) in said {
            let value = HeaderValue::from_str(&value).map_err(|e| Failure::permanent(e.to_string()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let reply = self.post.send(Method::POST, self.url.clone(), headers, body).await?;
        if reply.status.is_success() {
            return Ok(());
        }
        let host = self.url.host_str().unwrap_or_default();
        Err(Failure::permanent(format!("{host} answered {}", reply.status.as_u16())))
    }
}
