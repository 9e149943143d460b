//! Client certificates: which names they prove, judged at every request and by our own clock.
//!
//! The handshake asks for a certificate and checks that its key is at the other end, nothing more: what
//! the certificate is worth is judged here, so that a refusal comes in words, a serial number or an
//! authority taken back at a reload counts on connections that are open, and there is one clock. A
//! certificate that was not judged proves nothing: names come out of [`Authorities::judge`] alone.
//!
//! A browser would show its certificate for a page of any site, as it does with cookies. What looks as
//! if a browser sent it is therefore not taken for a program.
//!
//! Source: SEC-11; RFC 5280; ADR 0026.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Extensions, HeaderMap, header};
use axum_server::tls::TlsInfo;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use stanch_core::config::{ClientAuthority, subject_name};
use stanch_model::Timestamp;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Certificates whose judgement is remembered; when there are more, all are judged anew.
const REMEMBERED: usize = 1_024;

/// What a connection has shown: certificates as they came, the program's own first.
#[derive(Clone)]
pub(crate) struct Shown(Arc<TlsInfo>);

impl PartialEq for Shown {
    fn eq(&self, other: &Shown) -> bool {
        self.0.peer_certificates == other.0.peer_certificates
    }
}

impl Eq for Shown {}

impl Shown {
    /// What this request's connection has shown, if anything.
    pub(crate) fn of(extensions: &Extensions) -> Option<Shown> {
        let info = extensions.get::<Arc<TlsInfo>>()?;
        (!info.peer_certificates.is_empty()).then(|| Shown(info.clone()))
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for certificate in &self.0.peer_certificates {
            hash.update((certificate.len() as u64).to_be_bytes());
            hash.update(certificate);
        }
        hash.finalize().into()
    }
}

/// The names that a certificate proves: URIs, and DNS names in small letters.
pub(crate) type Names = Arc<BTreeSet<String>>;

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Nobody was named whose certificates count.
    #[error("client certificates are not taken here")]
    NoAuthority,
    /// Not a certificate that we can read.
    #[error("the client certificate cannot be read")]
    Unreadable,
    /// Over.
    #[error("the client certificate was good until {0}")]
    Expired(Timestamp),
    /// Not begun.
    #[error("the client certificate is good from {0} on")]
    NotYet(Timestamp),
    /// Of somebody else, or made up.
    #[error("the client certificate is not signed by an authority that is known here")]
    Stranger,
    /// Made for something else.
    #[error("the client certificate is not made for clients")]
    Purpose,
    /// Its serial number is on the list.
    #[error("the client certificate was taken back")]
    Revoked,
    /// No URI and no DNS name.
    #[error("the client certificate holds neither a URI nor a DNS name")]
    Nameless,
    /// Good, but nobody we know.
    #[error("the client certificate is good, but none of its names is known here")]
    Unmapped,
    /// It looks as if a page of a site had asked.
    #[error("a browser shows certificates for pages of any site, so none counts from there")]
    Browser,
}

impl Refused {
    /// How to mend it.
    pub(crate) const fn mend(&self) -> &'static str {
        match self {
            Refused::NoAuthority => "name the authority in stanch.yaml: tls: { clients: { authority: … } }",
            Refused::Unreadable => "show an X.509 certificate",
            Refused::Expired(_) | Refused::NotYet(_) => "renew it, and look at the clocks of both machines",
            Refused::Stranger => {
                "have it signed by the authority of `tls.clients` in stanch.yaml, and show the certificates between"
            }
            Refused::Purpose => "have it made with the extended key usage clientAuth",
            Refused::Revoked => "have a new one made; the list is `tls.clients.revoked` in stanch.yaml",
            Refused::Nameless => "have it made with a subjectAltName; the common name is not read",
            Refused::Unmapped => {
                "name it under `programs` in policies/people.yaml, or as the credential of a source, then reload"
            }
            Refused::Browser => "sign in, or ask from a program that sends neither Origin nor Sec-Fetch-Site",
        }
    }
}

/// A judgement that holds while nothing is reloaded, between two times.
struct Judged {
    names: Names,
    from: Timestamp,
    until: Timestamp,
}

/// Whose certificates count, and which of them not.
#[derive(Default)]
pub(crate) struct Authorities {
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    revoked: BTreeSet<String>,
    judged: Mutex<BTreeMap<[u8; 32], Judged>>,
}

impl Authorities {
    /// Reads the authorities' own certificates.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub(crate) fn read(folder: &Path, config: &ClientAuthority) -> Result<Authorities, String> {
        let said = |e: &dyn std::fmt::Display| format!("{}: {e}", config.authority);
        let file = folder.join(&config.authority);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&file).map_err(|e| said(&e))? {
            roots.add(certificate.map_err(|e| said(&e))?).map_err(|e| said(&e))?;
        }
        if roots.is_empty() {
            return Err(said(&"holds no certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = verifier.map_err(|e| said(&e))?;
        let revoked = config.revoked.iter().cloned().collect();
        Ok(Authorities { verifier: Some(verifier), revoked, judged: Mutex::default() })
    }

    fn judged(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Judged>> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the handshake asks; none when certificates do not count here.
    pub(crate) fn asking(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.verifier.clone().map(|inner| Arc::new(Asking(inner)) as Arc<dyn ClientCertVerifier>)
    }

    /// The names that a certificate proves now.
    ///
    /// # Errors
    /// Why it proves none.
    pub(crate) fn judge(&self, shown: &Shown, now: Timestamp) -> Result<Names, Refused> {
        let verifier = self.verifier.as_ref().ok_or(Refused::NoAuthority)?;
        let digest = shown.digest();
        let held = |j: &Judged| (j.from <= now && now <= j.until).then(|| j.names.clone());
        if let Some(names) = self.judged().get(&digest).and_then(held) {
            return Ok(names);
        }
        let new = judge(verifier.as_ref(), &self.revoked, &shown.0.peer_certificates, now)?;
        let mut judged = self.judged();
        if judged.len() >= REMEMBERED {
            judged.clear();
        }
        let names = new.names.clone();
        judged.insert(digest, new);
        Ok(names)
    }
}

/// # Errors
/// When a browser's page asks.
pub(crate) fn not_a_browser(headers: &HeaderMap) -> Result<(), Refused> {
    let page = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if page { Err(Refused::Browser) } else { Ok(()) }
}

/// True for what looks like a program that has shown a certificate, whatever that is worth.
pub(crate) fn is_program(extensions: &Extensions, headers: &HeaderMap) -> bool {
    Shown::of(extensions).is_some() && not_a_browser(headers).is_ok()
}

fn judge(
    verifier: &dyn ClientCertVerifier,
    revoked: &BTreeSet<String>,
    chain: &[Vec<u8>],
    now: Timestamp,
) -> Result<Judged, Refused> {
    let read = |der: &Vec<u8>| {
        X509Certificate::from_der(der).map(|(_, c)| dates(&c)).map_err(|_| Refused::Unreadable)
    };
    let own = chain.first().ok_or(Refused::Unreadable)?;
    let (_, leaf) = X509Certificate::from_der(own).map_err(|_| Refused::Unreadable)?;
    let (mut from, mut until) = dates(&leaf);
    let seconds = u64::try_from(now.0 / 1_000).unwrap_or_default();
    let ders: Vec<CertificateDer<'_>> = chain.iter().map(|c| CertificateDer::from(c.as_slice())).collect();
    let (own, between) = ders.split_first().ok_or(Refused::Unreadable)?;
    verifier
        .verify_client_cert(own, between, UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
        .map_err(|e| refusal(&e, from, until))?;
    let serial: String = leaf.raw_serial().iter().map(|b| format!("{b:02x}")).collect();
    if revoked.contains(serial.trim_start_matches('0')) {
        return Err(Refused::Revoked);
    }
    for between in chain.iter().skip(1) {
        let (begins, ends) = read(between)?;
        (from, until) = (from.max(begins), until.min(ends));
    }
    let names = names(&leaf)?;
    Ok(Judged { names: Arc::new(names), from, until })
}

/// From when until when.
fn dates(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    let at = |seconds: i64| Timestamp(seconds.saturating_mul(1_000));
    (at(validity.not_before.timestamp()), at(validity.not_after.timestamp()))
}

fn names(leaf: &X509Certificate<'_>) -> Result<BTreeSet<String>, Refused> {
    let extension = leaf.subject_alternative_name().map_err(|_| Refused::Unreadable)?;
    let all = extension.map(|e| e.value.general_names.as_slice()).unwrap_or_default();
    let of = |name: &GeneralName<'_>| match name {
        // A DNS name with a colon in it would be compared as if it were a URI.
        GeneralName::DNSName(dns) => subject_name(dns).filter(|n| !n.contains(':')),
        GeneralName::URI(uri) => subject_name(uri).filter(|n| n.contains(':')),
        _ => None,
    };
    let names: BTreeSet<String> = all.iter().filter_map(of).collect();
    if names.is_empty() { Err(Refused::Nameless) } else { Ok(names) }
}

fn refusal(error: &rustls::Error, from: Timestamp, until: Timestamp) -> Refused {
    use CertificateError as E;
    match error {
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => Refused::Expired(until),
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
            Refused::NotYet(from)
        }
        rustls::Error::InvalidCertificate(E::InvalidPurpose | E::InvalidPurposeContext { .. }) => {
            Refused::Purpose
        }
        rustls::Error::InvalidCertificate(E::BadEncoding) => Refused::Unreadable,
        _ => Refused::Stranger,
    }
}

/// Asks for a certificate, and lets everybody in who holds the key to theirs: [`Authorities::judge`] says
/// what it is worth.
#[derive(Debug)]
struct Asking(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
