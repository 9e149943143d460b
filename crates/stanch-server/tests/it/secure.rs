//! TLS as others see it. The key beside this file is for this test alone: it names `localhost`.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{House, noise};

pub(crate) fn client(protocols: &[&'static rustls::SupportedProtocolVersion]) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("tls/test.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(protocols).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth()).into()
}

/// Lets a Stanch speak TLS.
pub(crate) fn with_tls(config: &std::path::Path) {
    std::fs::write(config.join("secrets/tls.crt"), include_str!("tls/test.crt")).unwrap();
    std::fs::write(config.join("secrets/tls.key"), include_str!("tls/test.key")).unwrap();
    std::fs::write(config.join("stanch.yaml"), "tls: { cert: secrets/tls.crt, key: secrets/tls.key }\n")
        .unwrap();
}

#[tokio::test]
async fn over_tls_alerts_are_taken_in_and_plain_text_is_not_answered() {
    let house = House::with(with_tls).await;
    let body = noise(0).to_string();
    let token = House::secret("suricata.token");
    let request = format!(
        "POST /in/suricata HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = tokio::net::TcpStream::connect(house.app.addr()).await.unwrap();
        let mut tls =
            client(&[version]).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    let mut plain = tokio::net::TcpStream::connect(house.app.addr()).await.unwrap();
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP/"), "answered in the clear");
    assert_eq!(house.ledger().await["received"], 2);

    std::fs::write(house.config().join("stanch.yaml"), "").unwrap();
    let reload = house.ask("admin", axum::http::Method::POST, "/api/v1/admin/reload", None).await;
    assert_eq!(reload.status, 422, "a listener does not lose its certificate: {}", reload.text());
}
