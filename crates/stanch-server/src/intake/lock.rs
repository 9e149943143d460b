//! How a sender proves itself: over the raw bytes, before anything in them is looked at.
//!
//! There is no lock that opens by itself: a source whose secret is missing is [`Lock::Shut`], and a
//! [`Verified`] body can only be made here.
//!
//! Source: SEC-1 to SEC-4, SEC-12.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::{HeaderMap, HeaderName, header};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stanch_connectors::format::pagerduty::routing_key;
use stanch_connectors::notifier::Secret;
use stanch_core::config::{Credential, Mistake, SecretRef, SourceConfig};
use stanch_model::{Span, Timestamp};

use super::replay::Signature;
use crate::secrets::{self, TokenDigest, from_hex};

/// A signed time this far from ours is refused, either way.
pub(crate) const SKEW: Span = Span::secs(300);
/// Signatures read in one header at most: a sender that rotates sends two.
const ALTERNATIVES: usize = 4;

/// What a sender has to show.
pub(crate) enum Lock {
    /// Nothing opens it.
    Shut,
    /// A token in `Authorization`.
    Bearer(TokenDigest),
    /// A signature over the body.
    Hmac(HmacLock),
    /// The `routing_key` of PagerDuty Events v2.
    RoutingKey(TokenDigest),
    /// A client certificate with this name in it.
    Certificate(String),
}

/// A signature over the body.
pub(crate) struct HmacLock {
    keys: Vec<Secret>,
    header: HeaderName,
    timestamp_header: Option<HeaderName>,
}

/// Who sent it is not proven. Carries no reason: the sender is told nothing.
#[derive(Debug)]
pub(crate) struct Denied;

/// The sender is proven by what stands before the body. Only made here.
pub(crate) struct Proven(());

/// A body whose sender is proven.
pub(crate) struct Verified {
    body: Bytes,
    /// What must not come twice, where the lock can tell.
    pub(crate) once: Option<Signature>,
}

impl Verified {
    pub(crate) fn into_body(self) -> Bytes {
        self.body
    }
}

impl Lock {
    /// The lock of a source, or why it stays shut.
    pub(crate) fn of(
        folder: &Path,
        source: &SourceConfig,
        file: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> (Lock, Option<String>) {
        let mut read = |at: &SecretRef| {
            if secrets::too_open(folder, at) {
                let place = secrets::named(at);
                let help = format!("run: chmod 600 {place}");
                mistakes.push(Mistake::warning(
                    &place,
                    (0, 0),
                    "others on this machine can read this secret",
                    help,
                ));
            }
            secrets::read(folder, at)
        };
        let made = match &source.credential {
            None => return (Lock::Shut, Some("it has no credential".to_owned())),
            Some(Credential::Bearer(at)) => read(at).and_then(|s| TokenDigest::stored(&s)).map(Lock::Bearer),
            Some(Credential::RoutingKey(at)) => {
                read(at).and_then(|s| TokenDigest::stored(&s)).map(Lock::RoutingKey)
            }
            Some(Credential::Certificate(name)) => Ok(Lock::Certificate(name.clone())),
            Some(Credential::Hmac { secrets, header, timestamp_header }) => {
                HmacLock::of(secrets, header, timestamp_header.as_deref(), &mut read).map(Lock::Hmac)
            }
        };
        made.map_or_else(
            |why| {
                let message = format!("nothing can be sent to {}: {why}", source.name);
                mistakes.push(Mistake::warning(
                    file,
                    (0, 0),
                    message,
                    "put a random secret there, readable by stanch only",
                ));
                (Lock::Shut, Some(why))
            },
            |lock| (lock, None),
        )
    }

    /// What can be judged before the body is read: refuses what cannot become valid any more, and says
    /// when the sender is proven already. `names` are those that a client certificate proves.
    pub(crate) fn before_body(
        &self,
        headers: &HeaderMap,
        names: Option<&BTreeSet<String>>,
    ) -> Result<Option<Proven>, Denied> {
        match self {
            Lock::Shut => Err(Denied),
            Lock::Bearer(known) => {
                let sent = bearer(headers).ok_or(Denied)?;
                if known.same(&TokenDigest::of(sent)) { Ok(Some(Proven(()))) } else { Err(Denied) }
            }
            Lock::Hmac(lock) => headers.contains_key(&lock.header).then_some(None).ok_or(Denied),
            Lock::RoutingKey(_) => Ok(None),
            Lock::Certificate(name) => match names {
                Some(names) if names.contains(name) => Ok(Some(Proven(()))),
                Some(_) | None => Err(Denied),
            },
        }
    }

    /// The whole proof, over the bytes as they came; what is proven already is not proven twice.
    pub(crate) fn verify(
        &self,
        proven: Option<Proven>,
        headers: &HeaderMap,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Verified, Denied> {
        match self {
            Lock::Shut => Err(Denied),
            Lock::Bearer(_) | Lock::Certificate(_) if proven.is_some() => Ok(Verified { body, once: None }),
            Lock::Bearer(_) => self.before_body(headers, None).map(|_| Verified { body, once: None }),
            Lock::Certificate(_) => Err(Denied),
            Lock::Hmac(lock) => {
                let once = lock.verify(headers, &body, now)?;
                Ok(Verified { body, once })
            }
            Lock::RoutingKey(known) => {
                let sent = routing_key(&body).ok_or(Denied)?;
                if known.same(&TokenDigest::of(&sent)) {
                    Ok(Verified { body, once: None })
                } else {
                    Err(Denied)
                }
            }
        }
    }
}

impl HmacLock {
    fn of(
        at: &[SecretRef],
        header: &str,
        timestamp_header: Option<&str>,
        read: &mut impl FnMut(&SecretRef) -> Result<Secret, String>,
    ) -> Result<HmacLock, String> {
        // One secret of two may be missing while they are changed; without any the source is shut.
        let (mut keys, mut missing) = (Vec::new(), String::new());
        for at in at {
            match read(at) {
                Ok(key) => keys.push(key),
                Err(why) => missing = why,
            }
        }
        if keys.is_empty() {
            return Err(if missing.is_empty() { "it has no secret".to_owned() } else { missing });
        }
        let name = |text: &str| {
            text.parse::<HeaderName>()
                .map_err(|_| "the configured header is not the name of a header".to_owned())
        };
        Ok(HmacLock {
            keys,
            header: name(header)?,
            timestamp_header: timestamp_header.map(name).transpose()?,
        })
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Option<Signature>, Denied> {
        let stamp = match &self.timestamp_header {
            None => None,
            Some(name) => {
                let text = headers.get(name).and_then(|v| v.to_str().ok()).ok_or(Denied)?;
                let seconds: i64 = text.parse().map_err(|_| Denied)?;
                let off = now.since(Timestamp(seconds.saturating_mul(1_000))).0.saturating_abs();
                if off > SKEW.0 {
                    return Err(Denied);
                }
                Some(text)
            }
        };
        let sent: Vec<[u8; 32]> = headers
            .get_all(&self.header)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .filter_map(signature)
            .take(ALTERNATIVES)
            .collect();
        for key in &self.keys {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(|_| Denied)?;
            if let Some(stamp) = stamp {
                mac.update(stamp.as_bytes());
                mac.update(b".");
            }
            mac.update(body);
            for s in &sent {
                // Compares in constant time.
                if mac.clone().verify_slice(s).is_ok() {
                    return Ok(stamp.map(|_| Signature(*s)));
                }
            }
        }
        Err(Denied)
    }
}

/// One signature: hexadecimal, with or without the scheme in front.
fn signature(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let hex = ["sha256=", "v1="].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    from_hex(hex)
}

/// The token in `Authorization: Bearer …`, if there is exactly one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let text = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
