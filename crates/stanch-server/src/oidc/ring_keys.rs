//! The cryptography under `jsonwebtoken`: ring, as everywhere in this program, and only what verifies.
//!
//! Signatures with shared secrets are not here at all: a public key can never be taken for one.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// Makes ours the one that is used. Twice is as good as once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    static OURS: CryptoProvider = CryptoProvider {
        signer_factory: no_signer,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| {
        // A library that installed another one first would be a bug; tokens would then be refused by the
        // algorithm list all the same.
        let _ = OURS.install_default();
    });
}

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let bad = || Error::from(ErrorKind::InvalidAlgorithm);
    if algorithm.family() != key.family() {
        return Err(bad());
    }
    let rsa: Option<&'static RsaParameters> = match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    };
    let curve: Option<&'static dyn VerificationAlgorithm> = match algorithm {
        Algorithm::ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Some(&signature::ED25519),
        _ => None,
    };
    let check = match (rsa, curve, key.kind()) {
        (Some(parameters), _, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Check::Rsa { parameters, n: n.clone(), e: e.clone() }
        }
        (_, Some(curve), DecodingKeyKind::SecretOrDer(point)) => Check::Curve { curve, point: point.clone() },
        _ => return Err(bad()),
    };
    Ok(Box::new(Verifier { algorithm: *algorithm, check }))
}

enum Check {
    Rsa { parameters: &'static RsaParameters, n: Vec<u8>, e: Vec<u8> },
    Curve { curve: &'static dyn VerificationAlgorithm, point: Vec<u8> },
}

struct Verifier {
    algorithm: Algorithm,
    check: Check,
}

impl jsonwebtoken::signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), jsonwebtoken::signature::Error> {
        let good = match &self.check {
            Check::Rsa { parameters, n, e } => {
                // Leading zeros are not part of a number. Source: RFC 7518 §6.3.1.1.
                let n = n.strip_prefix(&[0]).unwrap_or(n);
                RsaPublicKeyComponents { n, e: e.as_slice() }.verify(parameters, message, signature).is_ok()
            }
            Check::Curve { curve, point } => {
                UnparsedPublicKey::new(*curve, point).verify(message, signature).is_ok()
            }
        };
        if good { Ok(()) } else { Err(jsonwebtoken::signature::Error::new()) }
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
