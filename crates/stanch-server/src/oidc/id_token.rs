//! An ID token: who came, said by the provider, or a refusal with its cause.
//!
//! The algorithm is chosen by what the key is for, never by the token alone; every claim that matters is
//! read strictly, and read once. Times are judged by our clock, with a minute of tolerance.
//!
//! Source: OpenID Connect Core 1.0 §3.1.3.7; RFC 8725 (JWT best current practices); SEC-5, SEC-19.

use std::collections::BTreeSet;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use stanch_model::{Span, Timestamp};

use super::ring_keys;

/// How far the provider's clock may be from ours.
const SKEW: Span = Span::mins(1);
/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// Longest subject. Source: OpenID Connect Core §2.
const SUBJECT: usize = 255;

/// What the token has to say to be ours.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) now: Timestamp,
}

/// Why a token says nothing to us. For the log; whoever sent it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Shape,
    Algorithm,
    /// No key of the provider fits: it may have changed its keys.
    NoKey,
    Signature,
    Issuer,
    Audience,
    Party,
    Expired,
    NotYet,
    Nonce,
    Subject,
    /// They signed in there before we asked, or it does not say when.
    Before,
}

/// Who came.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) subject: String,
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: Number,
    iat: Number,
    #[serde(default)]
    nbf: Option<Number>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Came {
    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.rest.get(claim)?.as_str()
    }

    /// True when they signed in there after this, as far as the clocks agree; false when it does not say when.
    /// Source: OpenID Connect Core 1.0 §2 (`auth_time`).
    pub(crate) fn signed_in_since(&self, begun: Timestamp) -> bool {
        let at = self.rest.get("auth_time").and_then(Value::as_i64).and_then(|s| s.checked_mul(1_000));
        at.is_some_and(|at| at >= begun.0.saturating_sub(SKEW.0))
    }

    /// A claim that is a text or a list of texts.
    pub(crate) fn texts(&self, claim: &str) -> BTreeSet<String> {
        match self.rest.get(claim) {
            Some(Value::String(one)) => BTreeSet::from([one.clone()]),
            Some(Value::Array(many)) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                BTreeSet::new()
            }
        }
    }
}

/// Reads a token, given the provider's keys.
///
/// # Errors
/// Why it says nothing to us.
pub(crate) fn read(token: &str, keys: &[Jwk], expected: &Expected<'_>) -> Result<Came, Wrong> {
    ring_keys::install();
    if token.len() > LONGEST || token.split('.').count() != 3 {
        return Err(Wrong::Shape);
    }
    let header = decode_header(token).map_err(|_| Wrong::Algorithm)?;
    if !ASYMMETRIC.contains(&header.alg) {
        return Err(Wrong::Algorithm);
    }
    if must_be_understood(token) {
        return Err(Wrong::Shape);
    }
    let fitting: Vec<&Jwk> = keys.iter().filter(|k| fits(k, header.alg)).collect();
    let key = match &header.kid {
        Some(kid) => fitting.into_iter().find(|k| k.common.key_id.as_ref() == Some(kid)),
        // Without a name only one key can be meant.
        None if fitting.len() == 1 => fitting.first().copied(),
        None => None,
    };
    let key = DecodingKey::from_jwk(key.ok_or(Wrong::NoKey)?).map_err(|_| Wrong::NoKey)?;
    let mut validation = Validation::new(header.alg);
    // Judged below, by our clock and to the letter.
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let claims: Claims = decode(token, &key, &validation).map_err(|e| cause(&e))?.claims;
    judge(&claims, expected)?;
    Ok(Came { subject: claims.sub, rest: claims.rest })
}

const ASYMMETRIC: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

fn cause(error: &jsonwebtoken::errors::Error) -> Wrong {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Wrong::Signature,
        ErrorKind::InvalidAlgorithm => Wrong::Algorithm,
        _ => Wrong::Shape,
    }
}

/// A header with `crit` names what we must understand, and we understand nothing of the sort.
/// Source: RFC 7515 §4.1.11.
fn must_be_understood(token: &str) -> bool {
    use base64::Engine as _;
    let head = token.split('.').next().unwrap_or_default();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
    serde_json::from_slice::<Map<String, Value>>(&bytes).is_ok_and(|h| h.contains_key("crit"))
}

/// True when this key signs with this algorithm: by its kind, and by what it says of itself.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => ASYMMETRIC[..6].contains(&algorithm),
        AlgorithmParameters::EllipticCurve(c) => match c.curve {
            EllipticCurve::P256 => algorithm == Algorithm::ES256,
            EllipticCurve::P384 => algorithm == Algorithm::ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(_) => algorithm == Algorithm::EdDSA,
        // Shared secrets, and what the library may come to know: never a key of ours.
        _ => false,
    };
    let said = key.common.key_algorithm.is_none_or(|a| a.to_string() == format!("{algorithm:?}"));
    let signs = key.common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    kind && said && signs
}

fn judge(claims: &Claims, expected: &Expected<'_>) -> Result<(), Wrong> {
    if claims.iss != expected.issuer {
        return Err(Wrong::Issuer);
    }
    let (ours, others) = match &claims.aud {
        Audience::One(aud) => (aud == expected.client_id, false),
        Audience::Many(all) => (all.iter().any(|a| a == expected.client_id), all.len() > 1),
    };
    if !ours {
        return Err(Wrong::Audience);
    }
    match claims.azp.as_deref() {
        Some(azp) if azp != expected.client_id => return Err(Wrong::Party),
        None if others => return Err(Wrong::Party),
        Some(_) | None => {}
    }
    let seconds = |n: &Number| n.as_f64().ok_or(Wrong::Shape);
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for ages")]
    let (now, skew) = (expected.now.0 as f64 / 1_000.0, SKEW.0 as f64 / 1_000.0);
    if seconds(&claims.exp)? + skew <= now {
        return Err(Wrong::Expired);
    }
    let nbf = claims.nbf.as_ref().map(seconds).transpose()?.unwrap_or(now);
    if seconds(&claims.iat)? > now + skew || nbf > now + skew {
        return Err(Wrong::NotYet);
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if expected.nonce.is_empty() || !crate::identity::book::same(nonce, expected.nonce) {
        return Err(Wrong::Nonce);
    }
    if claims.sub.is_empty() || claims.sub.len() > SUBJECT {
        return Err(Wrong::Subject);
    }
    Ok(())
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
