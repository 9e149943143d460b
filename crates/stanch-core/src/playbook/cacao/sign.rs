//! Signatures of documents: JSON canonicalised (RFC 8785), hashed, and the hash signed.
//!
//! The standard leaves open what exactly is signed, and its published RSA example signs the
//! *hexadecimal text* of the hash. That reading is taken by default; the other one, which signs the
//! 32 bytes of the hash, is accepted where the caller allows it.
//!
//! Source: CACAO 2.0, section 10.15 and appendix A; signature-example-rsa.md of oasis-tcs/cacao.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::command::base64;
use super::document::text;
use super::{Findings, document, short};

/// What is taken to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The hash as 64 hexadecimal digits, as in the published example.
    HexDigest,
    /// The hash as 32 bytes.
    RawDigest,
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its identifier.
    pub id: String,
    /// Who signed, as the signature itself says: nothing proves this name.
    pub signee: String,
    /// Which algorithm.
    pub algorithm: String,
    /// Under which reading it holds.
    pub reading: Reading,
    /// SHA-256 of the public key, in hexadecimal: compare it with the one you were given.
    pub key: String,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The document cannot be read.
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
    /// There is none.
    #[error("the document carries no signature")]
    None,
    /// It is not one that can be checked here.
    #[error("signature {id} cannot be checked: {why}")]
    Unsupported {
        /// Which.
        id: String,
        /// What is missing.
        why: String,
    },
    /// It does not fit the document.
    #[error("signature {id} does not fit: the document was changed, or another key signed it")]
    Wrong {
        /// Which.
        id: String,
    },
}

/// Checks every signature of a document. `also_raw` accepts [`Reading::RawDigest`] as well.
///
/// # Errors
/// The first signature that does not count; [`SignError::None`] when there is none. A key says
/// nothing about who holds it: compare [`Signature::key`].
pub fn verify(text_: &str, also_raw: bool) -> Result<Vec<Signature>, SignError> {
    let mut f = Findings::default();
    let Some(d) = document::read(text_, &mut f) else {
        let why = f.0.first().map(|f| f.message.clone()).unwrap_or_default();
        return Err(SignError::Unreadable(why));
    };
    let all = d.get("signatures").and_then(Value::as_array).cloned().unwrap_or_default();
    if all.is_empty() {
        return Err(SignError::None);
    }
    all.iter().map(|s| one(&d, s, also_raw)).collect()
}

fn one(d: &Map<String, Value>, signature: &Value, also_raw: bool) -> Result<Signature, SignError> {
    let Some(s) = signature.as_object() else { return Err(SignError::None) };
    let id = short(text(s, "id").unwrap_or("without a name"));
    let cannot = |why: &str| SignError::Unsupported { id: id.clone(), why: why.to_owned() };
    if text(s, "hash_algorithm").is_some_and(|h| h != "sha-256") {
        return Err(cannot("only the hash sha-256 is known"));
    }
    let name = text(s, "algorithm").unwrap_or("");
    let algorithm = algorithm(name)
        .ok_or_else(|| cannot("its algorithm is not one of RS256, RS384, RS512, PS256, ES256, Ed25519"))?;
    let key = text(s, "public_key").ok_or_else(|| cannot("it carries no public_key"))?;
    let key = base64(key).ok_or_else(|| cannot("its public_key is not base64"))?;
    let value = text(s, "value").ok_or_else(|| cannot("it has no value"))?;
    let value = base64(value).ok_or_else(|| cannot("its value is not base64url"))?;
    let hash = hash(d, s).map_err(|why| cannot(&why))?;
    let bits = bits(&key).ok_or_else(|| cannot("its public_key is not a SubjectPublicKeyInfo"))?;
    let public = UnparsedPublicKey::new(algorithm, bits);
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    let reading = if public.verify(hex.as_bytes(), &value).is_ok() {
        Reading::HexDigest
    } else if also_raw && public.verify(&hash, &value).is_ok() {
        Reading::RawDigest
    } else {
        return Err(SignError::Wrong { id });
    };
    let key = Sha256::digest(&key).iter().map(|b| format!("{b:02x}")).collect();
    let signee = short(text(s, "signee").unwrap_or(""));
    Ok(Signature { id, signee, algorithm: name.to_owned(), reading, key })
}

fn algorithm(name: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match name {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "ES256" => &ECDSA_P256_SHA256_FIXED,
        "Ed25519" => &ED25519,
        _ => return None,
    })
}

/// The document with this one signature and without its value, canonical, hashed.
pub(super) fn hash(d: &Map<String, Value>, s: &Map<String, Value>) -> Result<[u8; 32], String> {
    let mut bare = s.clone();
    bare.remove("value");
    let mut signed = d.clone();
    signed.insert("signatures".to_owned(), Value::Array(vec![Value::Object(bare)]));
    let canonical = serde_json_canonicalizer::to_vec(&signed).map_err(|e| e.to_string())?;
    Ok(Sha256::digest(canonical).into())
}

/// The key itself inside a SubjectPublicKeyInfo: SEQUENCE { SEQUENCE algorithm, BIT STRING key }.
fn bits(spki: &[u8]) -> Option<&[u8]> {
    let (0x30, body, _) = der(spki)? else { return None };
    let (0x30, _, rest) = der(body)? else { return None };
    let (0x03, bits, _) = der(rest)? else { return None };
    let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key))? else { return None };
    Some(key)
}

/// One DER value: its tag, its content, and what follows.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (length, rest) = rest.split_at_checked(count)?;
        (length.iter().fold(0_usize, |n, b| (n << 8) | usize::from(*b)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
