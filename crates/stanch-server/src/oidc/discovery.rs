//! What a provider says of itself: its endpoints and its keys, kept for an hour.

use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;
use stanch_connectors::egress::{Ask, Egress};
use stanch_model::{Span, Timestamp};

/// For how long an answer is kept.
const KEPT: Span = Span::hours(1);
/// Keys are looked at again for a token whose key is not known, but not more often than this. Each try costs
/// whoever makes it a code of the provider.
const PAUSE: Span = Span::secs(1);
/// Keys of one provider that are looked at.
const KEYS: usize = 100;

/// Endpoints of a provider.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Found {
    /// True when the secret goes into a header. Source: OpenID Connect Discovery §3 (the default).
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|all| {
            all.iter().any(|m| m == "client_secret_basic") || !all.iter().any(|m| m == "client_secret_post")
        })
    }
}

type Kept<T> = Mutex<Option<(Timestamp, Arc<T>)>>;

/// What is known of it.
#[derive(Default)]
pub(super) struct Discovered {
    endpoints: Kept<Found>,
    keys: Kept<Vec<Jwk>>,
}

fn kept<T>(of: &Kept<T>, now: Timestamp, longest: Span) -> Option<Arc<T>> {
    let kept = of.lock().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref().filter(|(at, _)| now.since(*at) < longest).map(|(_, v)| v.clone())
}

fn keep<T>(of: &Kept<T>, now: Timestamp, value: T) -> Arc<T> {
    let value = Arc::new(value);
    *of.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, value.clone()));
    value
}

async fn page(egress: &Egress, url: &str) -> Result<Value, String> {
    let (status, body) = egress.fetch(Ask { url, form: None, basic: None }).await?;
    if status != 200 {
        return Err(format!("{url} answers {status}"));
    }
    serde_json::from_slice(&body).map_err(|e| format!("{url}: {e}"))
}

impl Discovered {
    /// The endpoints.
    ///
    /// # Errors
    /// In words, when the provider cannot be asked or is not the one that was meant.
    pub(super) async fn endpoints(
        &self,
        egress: &Egress,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Arc<Found>, String> {
        if let Some(found) = kept(&self.endpoints, now, KEPT) {
            return Ok(found);
        }
        // Source: OpenID Connect Discovery §4.
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found = read(page(egress, &url).await?, issuer)?;
        Ok(keep(&self.endpoints, now, found))
    }

    /// The keys; `again`: also when they were looked at not long ago.
    ///
    /// # Errors
    /// In words, when they cannot be had.
    pub(super) async fn keys(
        &self,
        egress: &Egress,
        url: &str,
        again: bool,
        now: Timestamp,
    ) -> Result<Arc<Vec<Jwk>>, String> {
        if let Some(keys) = kept(&self.keys, now, if again { PAUSE } else { KEPT }) {
            return Ok(keys);
        }
        let page = page(egress, url).await?;
        let all = page["keys"].as_array().ok_or_else(|| format!("{url} holds no keys"))?;
        // One key that cannot be read must not hide the others.
        let keys = all.iter().take(KEYS).filter_map(|k| serde_json::from_value(k.clone()).ok()).collect();
        Ok(keep(&self.keys, now, keys))
    }
}

/// Reads what a provider says of itself.
fn read(page: Value, issuer: &str) -> Result<Found, String> {
    let found: Found =
        serde_json::from_value(page).map_err(|e| format!("what {issuer} says of itself: {e}"))?;
    if found.issuer != issuer {
        return Err(format!("{issuer} calls itself {}; write that as `issuer`", found.issuer));
    }
    if found.code_challenge_methods_supported.as_ref().is_some_and(|all| !all.iter().any(|m| m == "S256")) {
        return Err(format!("{issuer} does not know PKCE with S256"));
    }
    for url in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
        let near = issuer.starts_with("http://") && url.starts_with("http://");
        if !url.starts_with("https://") && !near {
            return Err(format!("{issuer} names {url}, which is not HTTPS"));
        }
    }
    Ok(found)
}

/// `host:port` of an address.
///
/// # Errors
/// When it has none.
pub(super) fn host_of(url: &str) -> Result<String, String> {
    let uri: http::Uri = url.parse().map_err(|e| format!("{url}: {e}"))?;
    let host = uri.host().ok_or_else(|| format!("{url} names no host"))?;
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(usual)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page_of(changes: Value) -> Value {
        let mut page = json!({
            "issuer": "https://sso.example.com", "authorization_endpoint": "https://sso.example.com/auth",
            "token_endpoint": "https://sso.example.com/token", "jwks_uri": "https://sso.example.com/jwks"
        });
        for (name, value) in changes.as_object().unwrap() {
            page[name] = value.clone();
        }
        page
    }

    #[test]
    fn a_provider_that_is_another_or_less_safe_than_it_must_be_is_refused() {
        let issuer = "https://sso.example.com";
        assert!(read(page_of(json!({})), issuer).is_ok());
        for bad in [
            json!({ "issuer": "https://sso.example.com/" }),
            json!({ "issuer": "https://evil.example" }),
            json!({ "code_challenge_methods_supported": ["plain"] }),
            json!({ "token_endpoint": "http://sso.example.com/token" }),
            json!({ "jwks_uri": "file:///etc/passwd" }),
            json!({ "jwks_uri": 7 }),
        ] {
            assert!(read(page_of(bad.clone()), issuer).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_goes_where_the_provider_wants_it() {
        let takes = |methods: Value| {
            read(
                page_of(json!({ "token_endpoint_auth_methods_supported": methods })),
                "https://sso.example.com",
            )
            .unwrap()
            .takes_basic()
        };
        assert!(read(page_of(json!({})), "https://sso.example.com").unwrap().takes_basic());
        assert!(takes(json!(["client_secret_post", "client_secret_basic"])));
        assert!(!takes(json!(["client_secret_post"])));
    }

    #[test]
    fn the_host_of_an_issuer_has_a_port() {
        assert_eq!(host_of("https://sso.example.com/realms/net").unwrap(), "sso.example.com:443");
        assert_eq!(host_of("http://127.0.0.1:9555").unwrap(), "127.0.0.1:9555");
        assert_eq!(host_of("https://[2001:db8::1]:8443/x").unwrap(), "[2001:db8::1]:8443");
    }
}
