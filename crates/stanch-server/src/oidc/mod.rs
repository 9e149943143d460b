//! Sign-in by OpenID Connect: the authorization code with PKCE, state and nonce, through the one way out.
//!
//! What the provider says is believed only as far as its signature, our nonce and the configuration go:
//! who somebody is, is issuer and subject; what they may do, is said by `roles` in
//! `policies/people.yaml`. Nothing is asked of the provider until somebody wants to come in.
//!
//! Source: OpenID Connect Core 1.0 and Discovery 1.0; RFC 7636 (PKCE); RFC 9207 (`iss` in the answer);
//! RFC 9700 (OAuth 2.0 security); SEC-19, SEC-43.

mod discovery;
pub(crate) mod id_token;
mod ring_keys;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use stanch_connectors::egress::{Ask, Egress, encoded};
use stanch_connectors::notifier::Secret;
use stanch_core::config::{Mistake, ProviderConfig};
use stanch_model::{ApprovalId, Span, Timestamp};

use crate::auth::Holder;
use crate::identity::book::same;
use crate::identity::random;
use crate::secrets;
use discovery::{Discovered, Found};
use id_token::{Came, Expected, Wrong};

/// Somebody may take this long at the provider.
const PATIENCE: Span = Span::mins(10);
/// People at the provider at the same time; the oldest has to begin again to make room.
const MOST: usize = 1_000;
/// Where the provider sends people back to, below our own address.
pub(crate) const RETURN: &str = "/api/v1/session/provider/return";

/// A provider, ready to be asked.
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    secret: Option<Secret>,
    egress: Egress,
    found: Discovered,
    waiting: Mutex<BTreeMap<String, Waiting>>,
}

/// What somebody is at the provider for.
#[derive(Clone)]
pub(crate) enum Errand {
    /// To come in.
    SignIn,
    /// To prove, for one question, that it is still them.
    Prove {
        /// From where they are signed in.
        holder: Box<Holder>,
        /// Who they are here.
        person: String,
        /// Of the question.
        digest: String,
        /// The question.
        approval: ApprovalId,
    },
}

/// Somebody who is at the provider.
struct Waiting {
    errand: Errand,
    begun: Timestamp,
    nonce: String,
    verifier: String,
    /// Digest of what the browser's cookie holds: the answer has to come from the same browser.
    browser: String,
    until: Timestamp,
}

/// Where to send somebody, and what to give their browser.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) cookie: String,
}

/// Why nobody comes in; the details go to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The provider cannot be asked, or answers nonsense.
    Provider,
    /// The answer belongs to nobody who waits: too late, another browser, or made up.
    Stale,
    /// The provider said no, or its token says nothing to us.
    Said,
    /// None of their groups may come in.
    Groups,
    /// Their name is taken here by somebody else.
    Name,
}

impl Refused {
    /// As in the address of the page that explains it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Refused::Provider => "provider",
            Refused::Stale => "stale",
            Refused::Said => "said",
            Refused::Groups => "groups",
            Refused::Name => "name",
        }
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

impl Provider {
    /// Makes it ready; nothing is asked yet.
    ///
    /// # Errors
    /// A mistake of the configuration.
    pub(crate) fn new(folder: &Path, config: &ProviderConfig) -> Result<Provider, Mistake> {
        const FILE: &str = "policies/people.yaml";
        let wrong = |why: String, mend: &str| Mistake::error(FILE, (0, 0), format!("provider: {why}"), mend);
        let secret = config.client_secret.as_ref().map(|at| secrets::read(folder, at)).transpose();
        let secret = secret.map_err(|why| wrong(why, "put the secret that the provider gave you there"))?;
        let mut allowed = config.allow.clone();
        allowed.push(discovery::host_of(&config.issuer).map_err(|why| wrong(why, "name the issuer"))?);
        let egress = Egress::new(&allowed, config.allow_private.clone())
            .map_err(|why| wrong(format!("allow: {why}"), "write host:port"))?;
        Ok(Provider {
            config: config.clone(),
            secret,
            egress,
            found: Discovered::default(),
            waiting: Mutex::default(),
        })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redirect(&self) -> String {
        format!("{}{RETURN}", self.config.url.trim_end_matches('/'))
    }

    /// Somebody wants to come in: where to send them.
    ///
    /// # Errors
    /// When the provider cannot be asked what it is.
    pub(crate) async fn begin(&self, errand: Errand, now: Timestamp) -> Result<Sent, Refused> {
        let found = self.found(now).await?;
        let fresh = || random().map_err(|_| Refused::Provider);
        let (state, nonce, verifier, cookie) = (fresh()?, fresh()?, fresh()?, fresh()?);
        // Source: RFC 7636 §4.2.
        let challenge = base64(&Sha256::digest(verifier.as_bytes()));
        let redirect = self.redirect();
        let scopes = self.config.scopes.join(" ");
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", redirect.as_str()),
            ("scope", scopes.as_str()),
            ("state", state.as_str()),
            ("nonce", nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        if matches!(errand, Errand::Prove { .. }) {
            // A session that they have there proves nothing. Source: OpenID Connect Core 1.0 §3.1.2.1.
            query.extend([("prompt", "login"), ("max_age", "0")]);
        }
        let query: Vec<String> = query.iter().map(|(n, v)| format!("{n}={}", encoded(v))).collect();
        let mark = if found.authorization_endpoint.contains('?') { '&' } else { '?' };
        let to = format!("{}{mark}{}", found.authorization_endpoint, query.join("&"));
        let mut waiting = self.waiting();
        waiting.retain(|_, w| now < w.until);
        while waiting.len() >= MOST {
            let oldest = waiting.iter().min_by_key(|(_, w)| w.until).map(|(s, _)| s.clone());
            waiting.remove(&oldest.unwrap_or_default());
        }
        let browser = digest(&cookie);
        let until = now.plus(PATIENCE);
        waiting.insert(digest(&state), Waiting { errand, begun: now, nonce, verifier, browser, until });
        Ok(Sent { to, cookie })
    }

    /// Somebody comes back with a code: who the provider says they are. A state is good once.
    ///
    /// # Errors
    /// Why they do not come in.
    pub(crate) async fn finish(
        &self,
        code: &str,
        state: &str,
        issuer: Option<&str>,
        cookie: &str,
        now: Timestamp,
    ) -> Result<(Came, Errand), Refused> {
        let waited = self.waiting().remove(&digest(state));
        let mine = waited.filter(|w| now < w.until && same(&w.browser, &digest(cookie)));
        let Some(waited) = mine else { return Err(Refused::Stale) };
        // Source: RFC 9207 §2.4, against mixing providers up.
        if issuer.is_some_and(|i| i != self.config.issuer) {
            return Err(Refused::Said);
        }
        let token = self.exchange(code, &waited.verifier, now).await?;
        let client_id = self.config.client_id.as_str();
        let expected = Expected { issuer: &self.config.issuer, client_id, nonce: &waited.nonce, now };
        let keys = self.keys(now, false).await?;
        let read = match id_token::read(&token, &keys, &expected) {
            // The provider may have changed its keys since we looked.
            Err(Wrong::NoKey) => id_token::read(&token, &self.keys(now, true).await?, &expected),
            read => read,
        };
        let refused = |why: Wrong| {
            tracing::warn!(issuer = self.config.issuer, cause = ?why, "an ID token was refused");
            Refused::Said
        };
        let came = read.map_err(refused)?;
        if matches!(waited.errand, Errand::Prove { .. }) && !came.signed_in_since(waited.begun) {
            return Err(refused(Wrong::Before));
        }
        Ok((came, waited.errand))
    }

    /// The question for which somebody is there, if they are not there to come in.
    pub(crate) fn about(&self, state: &str) -> Option<ApprovalId> {
        match self.waiting().get(&digest(state))?.errand {
            Errand::Prove { approval, .. } => Some(approval),
            Errand::SignIn => None,
        }
    }

    /// Somebody was refused there: what waited for them is over.
    pub(crate) fn forget(&self, state: &str) {
        self.waiting().remove(&digest(state));
    }

    /// The code for a token.
    async fn exchange(&self, code: &str, verifier: &str, now: Timestamp) -> Result<String, Refused> {
        let found = self.found(now).await?;
        let redirect = self.redirect();
        let id = self.config.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", verifier),
        ];
        let exposed = self.secret.as_ref().map(Secret::expose);
        let basic = match exposed.as_ref().map(|s| s.as_str()) {
            Some(secret) if found.takes_basic() => Some((id, secret)),
            Some(secret) => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                None
            }
            None => {
                form.push(("client_id", id));
                None
            }
        };
        let ask = Ask { url: &found.token_endpoint, form: Some(&form), basic };
        let (status, body) = self.egress.fetch(ask).await.map_err(|why| self.gone(&why))?;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            // Only the code of the error: what else is said there is the provider's to say.
            let error = answer["error"].as_str().unwrap_or("no reason").chars().take(60).collect::<String>();
            tracing::warn!(issuer = self.config.issuer, status, error, "the provider gave no token");
            return Err(Refused::Said);
        }
        answer["id_token"].as_str().map(str::to_owned).ok_or_else(|| self.gone("no id_token in the answer"))
    }

    fn gone(&self, why: &str) -> Refused {
        tracing::warn!(issuer = self.config.issuer, error = why, "the provider cannot be used");
        Refused::Provider
    }

    async fn found(&self, now: Timestamp) -> Result<std::sync::Arc<Found>, Refused> {
        self.found.endpoints(&self.egress, &self.config.issuer, now).await.map_err(|why| self.gone(&why))
    }

    async fn keys(
        &self,
        now: Timestamp,
        again: bool,
    ) -> Result<std::sync::Arc<Vec<jsonwebtoken::jwk::Jwk>>, Refused> {
        let found = self.found(now).await?;
        self.found.keys(&self.egress, &found.jwks_uri, again, now).await.map_err(|why| self.gone(&why))
    }
}
