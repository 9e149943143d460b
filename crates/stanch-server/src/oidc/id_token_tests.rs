use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// A public key of RSA, as a provider shows it; nobody here has the other half.
const N: &str = "xwQ72P9z9OYshiQ-ntDYaPnnfwG6u9JAdLMZ5o0dmjlcyrvwQRdoFIKPnO65Q8mh6F_LDSxjxa2Yzo_wdjhbPZLjfUJXgCzm54cClXzT5twzo7lzoAfaJlkTsoZc2HFWqmcri0BuzmTFLZx2Q7wYBm0pXHmQKF0V-C1O6NWfd4mfBhbM-I1tHYSpAMgarSm22WDMDx-WWI7TEzy2QhaBVaENW9BKaKkJklocAZCxk18WhR0fckIGiWiSM5FcU1PY2jfGsTmX505Ub7P5Dz75Ygqrutd5tFrcqyPAtPTFDk8X1InxkkUwpP3nFU5o50DGhwQolGYKPGtQ-ZtmbOfcWQ";

struct Provider {
    key: EcdsaKeyPair,
    keys: Vec<Jwk>,
}

fn curve() -> EcdsaKeyPair {
    let rng = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng).unwrap()
}

fn shown(kid: &str, key: &EcdsaKeyPair) -> Jwk {
    let point = key.public_key().as_ref();
    let (x, y) = (B64.encode(&point[1..33]), B64.encode(&point[33..]));
    serde_json::from_value(
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": x, "y": y }),
    )
    .unwrap()
}

impl Provider {
    fn new() -> Provider {
        let key = curve();
        let rsa = json!({ "kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": N, "e": "AQAB" });
        let keys = vec![shown("one", &key), serde_json::from_value(rsa).unwrap()];
        Provider { key, keys }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims.to_string().as_bytes(), |m| {
            self.key.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec()
        })
    }

    fn read(&self, token: &str) -> Result<Came, Wrong> {
        read(token, &self.keys, &expected())
    }
}

fn expected() -> Expected<'static> {
    Expected { issuer: "https://sso.example.com", client_id: "stanch", nonce: "the-nonce", now: NOW }
}

fn signed(header: &Value, claims: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims));
    let signature = B64.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "one", "typ": "JWT" })
}

fn claims() -> Value {
    let now = NOW.0 / 1_000;
    json!({ "iss": "https://sso.example.com", "sub": "u-1", "aud": "stanch", "exp": now + 300, "iat": now - 5,
            "nonce": "the-nonce", "groups": ["soc", "leads"], "preferred_username": "maria" })
}

/// The usual claims with some replaced; null takes one away.
fn with(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

#[test]
fn a_token_of_the_provider_says_who_came() {
    let p = Provider::new();
    let came = p.read(&p.sign(&header(), &claims())).unwrap();
    assert_eq!((came.subject.as_str(), came.text("preferred_username")), ("u-1", Some("maria")));
    assert_eq!(came.texts("groups").into_iter().collect::<Vec<_>>(), ["leads", "soc"]);
    assert!(came.texts("none").is_empty());
    for good in [
        json!({ "aud": ["stanch"] }),
        json!({ "aud": ["stanch", "other"], "azp": "stanch" }),
        json!({ "exp": NOW.0 / 1_000 - 59 }),
        json!({ "iat": NOW.0 / 1_000 + 59, "nbf": NOW.0 / 1_000 + 59 }),
        json!({ "exp": NOW.0 as f64 / 1_000.0 + 0.5 }),
    ] {
        assert!(p.read(&p.sign(&header(), &with(good.clone()))).is_ok(), "{good}");
    }
    let lone = json!({ "alg": "ES256" });
    assert!(p.read(&p.sign(&lone, &claims())).is_ok(), "one key fits, so it need not be named");
}

#[test]
fn claims_that_are_not_meant_for_us_or_not_for_now_are_refused_with_their_cause() {
    let p = Provider::new();
    let now = NOW.0 / 1_000;
    let table = [
        (json!({ "iss": "https://sso.example.com/" }), Wrong::Issuer),
        (json!({ "iss": ["https://sso.example.com"] }), Wrong::Shape),
        (json!({ "iss": null }), Wrong::Shape),
        (json!({ "aud": "other" }), Wrong::Audience),
        (json!({ "aud": [] }), Wrong::Audience),
        (json!({ "aud": ["STANCH"] }), Wrong::Audience),
        (json!({ "aud": { "stanch": 1 } }), Wrong::Shape),
        (json!({ "aud": null }), Wrong::Shape),
        (json!({ "aud": ["stanch", "other"] }), Wrong::Party),
        (json!({ "azp": "other" }), Wrong::Party),
        (json!({ "exp": now - 60 }), Wrong::Expired),
        (json!({ "exp": 0 }), Wrong::Expired),
        (json!({ "exp": -1 }), Wrong::Expired),
        (json!({ "exp": format!("{}", now + 300) }), Wrong::Shape),
        (json!({ "exp": null }), Wrong::Shape),
        (json!({ "iat": now + 61 }), Wrong::NotYet),
        (json!({ "iat": null }), Wrong::Shape),
        (json!({ "nbf": now + 61 }), Wrong::NotYet),
        (json!({ "nbf": "soon" }), Wrong::Shape),
        (json!({ "nonce": "another" }), Wrong::Nonce),
        (json!({ "nonce": null }), Wrong::Nonce),
        (json!({ "nonce": "" }), Wrong::Nonce),
        (json!({ "sub": "" }), Wrong::Subject),
        (json!({ "sub": "u".repeat(256) }), Wrong::Subject),
        (json!({ "sub": 7 }), Wrong::Shape),
        (json!({ "sub": null }), Wrong::Shape),
    ];
    for (change, cause) in table {
        let refused = p.read(&p.sign(&header(), &with(change.clone())));
        assert_eq!(refused.map(|c| c.subject), Err(cause), "{change}");
    }
    let double = claims().to_string().replacen('{', "{\"aud\":\"other\",", 1);
    let token = signed(&header(), double.as_bytes(), |m| {
        p.key.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec()
    });
    assert!(matches!(p.read(&token), Err(Wrong::Shape)), "a claim that is there twice");
}

#[test]
fn a_signature_that_is_not_the_providers_opens_nothing() {
    let p = Provider::new();
    let good = p.sign(&header(), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let head = |h: Value| B64.encode(h.to_string());
    let (none, hs, rs) = (
        head(json!({ "alg": "none" })),
        head(json!({ "alg": "HS256", "kid": "one" })),
        head(json!({ "alg": "RS256", "kid": "rsa" })),
    );
    // The public key taken for a shared secret: as its raw bytes, as its point, and as the text shown.
    let modulus = B64.decode(N).unwrap();
    let forge = |secret: &[u8], kid: &str| {
        signed(&json!({ "alg": "HS256", "kid": kid }), claims().to_string().as_bytes(), |m| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
            mac.update(m);
            mac.finalize().into_bytes().to_vec()
        })
    };
    let other = Provider::new();
    let rng = SystemRandom::new();
    let ed = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&rng).unwrap().as_ref()).unwrap();
    let by_ed = |alg: &str| {
        signed(&json!({ "alg": alg, "kid": "one" }), claims().to_string().as_bytes(), |m| {
            ed.sign(m).as_ref().to_vec()
        })
    };
    let table: Vec<(String, Wrong)> = vec![
        (format!("{none}.{}.", parts[1]), Wrong::Algorithm),
        (format!("{none}.{}.{}", parts[1], parts[2]), Wrong::Algorithm),
        (format!("{}.{}.", head(json!({ "alg": "NONE" })), parts[1]), Wrong::Algorithm),
        (format!("{}.{}.{}", head(json!({ "alg": ["ES256"] })), parts[1], parts[2]), Wrong::Algorithm),
        (format!("{}.{}.{}", head(json!({ "kid": "one" })), parts[1], parts[2]), Wrong::Algorithm),
        (format!("{hs}.{}.{}", parts[1], parts[2]), Wrong::Algorithm),
        (forge(&modulus, "rsa"), Wrong::Algorithm),
        (forge(N.as_bytes(), "rsa"), Wrong::Algorithm),
        (forge(p.key.public_key().as_ref(), "one"), Wrong::Algorithm),
        (forge(b"", "one"), Wrong::Algorithm),
        (format!("{rs}.{}.{}", parts[1], parts[2]), Wrong::Signature),
        (format!("{rs}.{}.", parts[1]), Wrong::Signature),
        (other.sign(&header(), &claims()), Wrong::Signature),
        (format!("{}.{}.", parts[0], parts[1]), Wrong::Signature),
        (format!("{}.{}.{}", parts[0], parts[1], B64.encode([0_u8; 64])), Wrong::Signature),
        (
            format!("{}.{}.{}", parts[0], B64.encode(with(json!({ "sub": "u-2" })).to_string()), parts[2]),
            Wrong::Signature,
        ),
        (by_ed("ES256"), Wrong::Signature),
        (by_ed("EdDSA"), Wrong::NoKey),
        (p.sign(&json!({ "alg": "ES256", "kid": "two" }), &claims()), Wrong::NoKey),
        (p.sign(&json!({ "alg": "ES384", "kid": "one" }), &claims()), Wrong::NoKey),
        (p.sign(&json!({ "alg": "PS256", "kid": "rsa" }), &claims()), Wrong::NoKey),
        (p.sign(&json!({ "alg": "ES256", "kid": "one", "crit": ["exp"] }), &claims()), Wrong::Shape),
        (format!("{good}.x"), Wrong::Shape),
        (parts[..2].join("."), Wrong::Shape),
        (String::new(), Wrong::Shape),
        ("..".to_owned(), Wrong::Algorithm),
        ("x".repeat(LONGEST + 1), Wrong::Shape),
    ];
    for (token, cause) in table {
        assert_eq!(p.read(&token).map(|c| c.subject), Err(cause), "{token:.60}");
    }
    // A key that came with the token itself is not looked at.
    let brought = serde_json::to_value(shown("one", &other.key)).unwrap();
    let token = other.sign(
        &json!({ "alg": "ES256", "kid": "one", "jwk": brought, "jku": "https://evil.example/" }),
        &claims(),
    );
    assert!(p.read(&token).is_err());
}

#[test]
fn a_new_key_of_the_provider_is_found_by_its_name() {
    let mut p = Provider::new();
    let new = curve();
    let token = signed(&json!({ "alg": "ES256", "kid": "two" }), claims().to_string().as_bytes(), |m| {
        new.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec()
    });
    assert!(matches!(p.read(&token), Err(Wrong::NoKey)));
    p.keys.push(shown("two", &new));
    assert!(p.read(&token).is_ok());
    let lone = p.sign(&json!({ "alg": "ES256" }), &claims());
    assert!(matches!(p.read(&lone), Err(Wrong::NoKey)), "of two that fit, none is guessed");
}
