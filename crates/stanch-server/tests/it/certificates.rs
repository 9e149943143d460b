//! Client certificates over real TLS: programs and sources that are let in, and everybody who is not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::Method;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{House, noise};

const COLLECTOR: &str = "spiffe://example.com/collector";
const WATCH: &str = "watch.example.com";
const MINUTE: u64 = 60;

/// Somebody who signs certificates.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Id(pub(crate) Vec<CertificateDer<'static>>, pub(crate) Vec<u8>);

/// What a certificate says.
struct Says<'a> {
    names: &'a [SanType],
    serial: u64,
    begins: i64,
    lasts: u64,
    usage: ExtendedKeyUsagePurpose,
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

fn says(names: &[SanType]) -> Says<'_> {
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    Says { names, serial: 7, begins: -60, lasts: 60 * MINUTE, usage }
}

fn at(seconds: i64) -> SystemTime {
    let now = SystemTime::now();
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { now - by } else { now + by }
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one.
    fn below(&self) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(rcgen::DnType::CommonName, "below");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Authority(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    /// A program's certificate with these names.
    pub(crate) fn for_program(&self, names: &[SanType]) -> Id {
        self.signs(&says(names))
    }

    /// A server's certificate for these names and its key, as PEM.
    pub(crate) fn for_server(&self, names: &[&str]) -> (String, String) {
        let mut params =
            CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        // Under the usual name of both, OpenSSL would take it for one that signed itself.
        params.distinguished_name.push(rcgen::DnType::CommonName, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn signs(&self, says: &Says<'_>) -> Id {
        let mut params = CertificateParams::default();
        params.subject_alt_names = says.names.to_vec();
        params.serial_number = Some(SerialNumber::from(says.serial));
        params.not_before = at(says.begins).into();
        params.not_after = at(says.begins + says.lasts.cast_signed()).into();
        params.extended_key_usages = vec![says.usage.clone()];
        params.distinguished_name.push(rcgen::DnType::CommonName, COLLECTOR);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Id(vec![certificate.der().clone()], key.serialize_der())
    }
}

/// A connection with whatever certificate.
struct Line(tokio_rustls::client::TlsStream<tokio::net::TcpStream>);

impl Line {
    async fn open(house: &House, id: Option<&Id>) -> Line {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(include_bytes!("tls/test.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match id {
            None => builder.with_no_client_auth(),
            Some(Id(chain, key)) => {
                let key = PrivateKeyDer::try_from(key.clone()).unwrap();
                builder.with_client_auth_cert(chain.clone(), key).unwrap()
            }
        };
        let stream = tokio::net::TcpStream::connect(house.app.addr()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Line(connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap())
    }

    async fn ask(&mut self, first: &str, headers: &str, body: &str) -> (u16, Value) {
        let text = format!(
            "{first} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn look(&mut self) -> (u16, Value) {
        self.ask("GET /api/v1/whoami", "", "").await
    }

    async fn deliver(&mut self) -> (u16, Value) {
        self.ask("POST /in/edge", "", &noise(0).to_string()).await
    }
}

fn configure(config: &std::path::Path, revoked: &str) {
    let tls = format!(
        "tls:\n  cert: secrets/tls.crt\n  key: secrets/tls.key\n  clients: {{ authority: secrets/clients.crt, revoked: [{revoked}] }}\n"
    );
    std::fs::write(config.join("stanch.yaml"), tls).unwrap();
}

/// A Stanch that takes certificates of this authority.
async fn taking(authority: &Authority) -> House {
    House::with(|config| {
        std::fs::write(config.join("secrets/tls.crt"), include_str!("tls/test.crt")).unwrap();
        std::fs::write(config.join("secrets/tls.key"), include_str!("tls/test.key")).unwrap();
        std::fs::write(config.join("secrets/clients.crt"), authority.0.pem()).unwrap();
        configure(config, "");
        let edge = format!("format: suricata\ncredential: {{ certificate: \"{COLLECTOR}\" }}\n");
        std::fs::write(config.join("sources/edge.yaml"), edge).unwrap();
        let people = config.join("policies/people.yaml");
        let text = std::fs::read_to_string(&people).unwrap();
        let programs = format!("programs:\n  watch: {{ certificate: {WATCH}, role: viewer }}\n");
        std::fs::write(people, format!("{text}{programs}")).unwrap();
    })
    .await
}

async fn reload(house: &House) {
    let answer = house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_program_is_who_its_certificate_names_and_does_what_it_was_given() {
    let authority = Authority::new();
    let house = taking(&authority).await;
    let collector = authority.signs(&says(&[uri(COLLECTOR)]));
    let mut line = Line::open(&house, Some(&collector)).await;
    assert_eq!(line.deliver().await.0, 202, "as a source");
    let (status, said) = line.look().await;
    assert_eq!((status, said["error"]["code"].as_str()), (401, Some("ST0401")), "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("none of its names is known"), "{said}");

    // DNS names are compared in small letters, and one name of several is enough.
    let watch = authority.signs(&says(&[dns("other.example.com"), dns("Watch.Example.Com")]));
    let mut line = Line::open(&house, Some(&watch)).await;
    let (status, me) = line.look().await;
    assert_eq!((status, &me["name"], &me["role"]), (200, &json!("program watch"), &json!("viewer")), "{me}");
    assert_eq!(line.deliver().await.0, 401, "it is not the certificate of that source");
    let (status, said) = line.ask("POST /api/v1/silences", "", "{}").await;
    assert_eq!(status, 403, "a viewer only looks: {said}");
    assert_eq!(line.ask("POST /api/v1/tokens", "", r#"{"name":"x","role":"viewer"}"#).await.0, 403);
    assert_eq!(house.ledger().await["received"], 1);

    // Whoever shows nothing is nobody, and tokens go on as before.
    let mut line = Line::open(&house, None).await;
    assert_eq!(line.look().await.0, 401);
    let token = format!("authorization: Bearer {}\r\n", House::secret("watcher.token"));
    assert_eq!(line.ask("GET /api/v1/whoami", &token, "").await.1["name"], "watcher");
    let mut line = Line::open(&house, Some(&watch)).await;
    assert_eq!(line.ask("GET /api/v1/whoami", &token, "").await.1["name"], "watcher", "a token is meant");
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_and_nothing_is_taken_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let house = taking(&authority).await;
    let names = [uri(COLLECTOR), dns(WATCH)];
    let good = says(&names);
    let below = authority.below();
    let mut whole = below.signs(&good);
    whole.0.push(below.0.der().clone());
    assert_eq!(Line::open(&house, Some(&whole)).await.deliver().await.0, 202, "with what is between");
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    let table = [
        ("another authority", other.signs(&good), "not signed by an authority"),
        ("without what is between", below.signs(&good), "not signed by an authority"),
        ("expired", authority.signs(&Says { begins: -7_200, ..says(&names) }), "was good until"),
        ("of tomorrow", authority.signs(&Says { begins: 86_400, ..says(&names) }), "is good from"),
        ("for servers", authority.signs(&Says { usage: server, ..says(&names) }), "not made for clients"),
        ("a common name only", authority.signs(&says(&[])), "neither a URI nor a DNS name"),
        ("a pattern", authority.signs(&says(&[dns("*.example.com")])), "neither a URI nor a DNS name"),
        ("unmapped", authority.signs(&says(&[uri("spiffe://example.com/collector2")])), "none of its names"),
        ("a URI as a DNS name", authority.signs(&says(&[dns(COLLECTOR)])), "neither a URI nor a DNS name"),
    ];
    for (what, id, words) in &table {
        let mut line = Line::open(&house, Some(id)).await;
        let (status, said) = line.look().await;
        let message = said["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 401 && message.contains(words), "{what}: {status} {said}");
        let (status, said) = line.deliver().await;
        assert_eq!(status, 401, "{what}: {said}");
        let (_, stranger) = line.ask("POST /in/none", "", "{}").await;
        assert_eq!(said["error"]["message"], stranger["error"]["message"], "{what}: tells of sources");
    }
    let id = authority.signs(&good);
    for page in
        ["origin: https://evil.example\r\n", "sec-fetch-site: cross-site\r\n", "sec-fetch-site: none\r\n"]
    {
        let mut line = Line::open(&house, Some(&id)).await;
        let (status, said) = line.ask("GET /api/v1/whoami", page, "").await;
        assert_eq!(status, 401, "{page}: {said}");
        let (status, _) = line.ask("POST /in/edge", page, &noise(1).to_string()).await;
        assert_eq!(status, 401, "{page}");
    }
    assert_eq!(house.ledger().await["received"], 1);
}

#[tokio::test]
async fn what_is_over_or_taken_back_counts_at_once_on_connections_that_are_open() {
    let authority = Authority::new();
    let house = taking(&authority).await;
    let names = [dns(WATCH)];
    let old = authority.signs(&Says { serial: 0xbeef, lasts: 5 * MINUTE, ..says(&names) });
    let new = authority.signs(&Says { serial: 0xcafe, ..says(&names) });
    let mut first = Line::open(&house, Some(&old)).await;
    let mut second = Line::open(&house, Some(&new)).await;
    assert_eq!((first.look().await.0, second.look().await.0), (200, 200));

    house.forward(600);
    let (status, said) = first.look().await;
    assert!(status == 401 && said.to_string().contains("was good until"), "{said}");
    assert_eq!(second.look().await.0, 200);

    configure(&house.config(), "\"00:CA:FE\"");
    reload(&house).await;
    let (status, said) = second.look().await;
    assert!(status == 401 && said.to_string().contains("was taken back"), "{said}");

    let third = authority.signs(&says(&names));
    let mut third = Line::open(&house, Some(&third)).await;
    assert_eq!(third.look().await.0, 200);
    let people = house.config().join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.rsplit_once("programs:").unwrap().0).unwrap();
    reload(&house).await;
    let (status, said) = third.look().await;
    assert!(status == 401 && said.to_string().contains("none of its names"), "{said}");

    // Another authority from now on: what was good before is a stranger's, also where it was judged before.
    std::fs::write(house.config().join("secrets/clients.crt"), Authority::new().0.pem()).unwrap();
    reload(&house).await;
    let (status, said) = third.look().await;
    assert!(status == 401 && said.to_string().contains("not signed by an authority"), "{said}");
}
