//! Two tenants that speak TLS themselves: nobody gets from one to the other, whatever is said in the
//! handshake, in the request, or on a line that is used again.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::http::{Request, StatusCode};
use rustls::HandshakeKind;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use stanch_server::tenants::{Tenants, check};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Id, dns};
use crate::house::noise;
use crate::tenants::{A, B, bearer, furnished, secret};

const PROGRAM: &str = "watch.example.net";

/// Two tenants, the authority of their certificates, and one of client certificates for each.
struct Town {
    dir: tempfile::TempDir,
    tenants: Tenants,
    signs: Authority,
    clients: [Authority; 2],
}

fn shows(root: &Path, tenant: &str, (certificate, key): (String, String)) {
    let config = root.join(tenant).join("config");
    std::fs::write(config.join("secrets/tls.crt"), certificate).unwrap();
    std::fs::write(config.join("secrets/tls.key"), key).unwrap();
    let tls =
        "tls: { cert: secrets/tls.crt, key: secrets/tls.key, clients: { authority: secrets/clients.crt } }\n";
    std::fs::write(config.join("stanch.yaml"), tls).unwrap();
}

fn built(dir: &Path, signs: &Authority, clients: &[Authority; 2]) {
    for (tenant, clients) in [A, B].iter().zip(clients) {
        furnished(dir, tenant);
        let config = dir.join(tenant).join("config");
        std::fs::write(config.join("secrets/clients.crt"), clients.0.pem()).unwrap();
        let people = config.join("policies/people.yaml");
        let text = std::fs::read_to_string(&people).unwrap();
        let programs = format!("programs:\n  watch: {{ certificate: {PROGRAM}, role: viewer }}\n");
        std::fs::write(people, format!("{text}{programs}")).unwrap();
        shows(dir, tenant, signs.for_server(&[tenant]));
    }
}

impl Town {
    async fn new() -> Town {
        let dir = tempfile::tempdir().unwrap();
        let (signs, clients) = (Authority::new(), [Authority::new(), Authority::new()]);
        built(dir.path(), &signs, &clients);
        let tenants = Tenants::start(dir.path(), Some("127.0.0.1:0".parse().unwrap())).await;
        Town { dir, tenants: tenants.unwrap_or_else(|e| panic!("{e:?}")), signs, clients }
    }

    fn config(&self, id: Option<&Id>) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.signs.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        match id {
            None => builder.with_no_client_auth(),
            Some(Id(chain, key)) => {
                let key = PrivateKeyDer::try_from(key.clone()).unwrap();
                builder.with_client_auth_cert(chain.clone(), key).unwrap()
            }
        }
    }

    async fn line(
        &self,
        name: &str,
        config: &Arc<rustls::ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.tenants.addr()).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        tokio_rustls::TlsConnector::from(config.clone()).connect(name, stream).await
    }

    async fn plain_line(&self, name: &str) -> TlsStream<TcpStream> {
        self.line(name, &Arc::new(self.config(None))).await.unwrap()
    }
}

/// The head of an answer, in small letters.
async fn head(line: &mut TlsStream<TcpStream>, text: &str) -> String {
    line.write_all(text.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(line.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn browsers_are_told_to_keep_to_tls_where_it_is_spoken() {
    let town = Town::new().await;
    for path in ["/", "/api/v1/whoami", "/healthz", "/in/suricata", "/nothing"] {
        let mut line = town.plain_line(A).await;
        let said = head(&mut line, &format!("GET {path} HTTP/1.1\r\nhost: {A}\r\n\r\n")).await;
        assert!(said.contains("strict-transport-security: max-age=31536000\r\n"), "{path}: {said}");
    }
    // Not where a proxy speaks for us: it is not known here that all of the name is TLS.
    let request = Request::get("/").header("host", A).body(axum::body::Body::empty()).unwrap();
    let plain = crate::house::call(&town.tenants.router(), request).await;
    assert!(plain.headers.get("strict-transport-security").is_none());
    town.tenants.stop().await;
}

/// One request on a line: the status and what was said.
async fn ask(line: &mut TlsStream<TcpStream>, first: &str, headers: &str, body: &str) -> (u16, Value) {
    let text = format!(
        "{first} HTTP/1.1\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let head = head(line, &text).await;
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    line.read_exact(&mut body).await.unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn of(tenant: &str) -> String {
    format!("host: {tenant}\r\nauthorization: {}\r\n", bearer(&secret(tenant, "the-admin.token")))
}

const ME: &str = "GET /api/v1/whoami";

#[tokio::test]
async fn every_tenant_shows_its_own_certificate_and_nobody_else_is_answered() {
    let town = Town::new().await;
    assert!(town.tenants.tls());
    let mut shown = Vec::new();
    for tenant in [A, B, "A.Example.Com"] {
        let mut line = town.plain_line(tenant).await;
        let certificates: Vec<CertificateDer<'_>> = line.get_ref().1.peer_certificates().unwrap().to_vec();
        shown.push(certificates);
        let (status, said) = ask(&mut line, ME, &of(&tenant.to_lowercase()), "").await;
        assert_eq!(status, 200, "{said}");
    }
    assert_ne!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2], "names are compared in small letters");

    let config = Arc::new(town.config(None));
    for name in ["c.example.com", "xa.example.com", "example.com", "localhost", "127.0.0.1"] {
        let refused = town.line(name, &config).await.unwrap_err().to_string();
        assert!(refused.contains("AccessDenied"), "{name}: {refused}");
    }
    let mut plain = TcpStream::connect(town.tenants.addr()).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {A}\r\nconnection: close\r\n\r\n");
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP/"), "answered in the clear");
    town.tenants.stop().await;
}

#[tokio::test]
async fn a_line_of_one_tenant_never_carries_a_request_for_another() {
    let town = Town::new().await;
    let (own, other) = (of(A), of(B));
    let paths =
        ["/api/v1/whoami", "/", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/session"];
    let mut line = town.plain_line(A).await;
    for path in paths {
        let hosts =
            [format!("host: {B}\r\n"), format!("host: {B}:443\r\n"), "host: c.example.com\r\n".to_owned()];
        for headers in hosts.iter().chain([&other]) {
            let (status, said) = ask(&mut line, &format!("GET {path}"), headers, "").await;
            assert_eq!((status, &said["error"]["code"]), (421, &json!("ST0425")), "{path} {headers}: {said}");
        }
        // The whole address in the first line is where the request is for, too.
        let first = format!("GET https://{B}{path}");
        let (status, _) = ask(&mut line, &first, &other, "").await;
        assert_eq!(status, 421, "{path}");
        let (status, _) = ask(&mut line, &first, &own, "").await;
        assert_eq!(status, 421, "{path}: two names are none");
        let two = format!("host: {A}\r\n{other}");
        assert!(matches!(ask(&mut line, &format!("GET {path}"), &two, "").await.0, 400 | 421), "{path}");
        let mut again = town.plain_line(A).await;
        std::mem::swap(&mut line, &mut again);
    }
    let (status, _) =
        ask(&mut line, "POST /in/suricata", &other.replace("the-admin", "suricata"), &noise(1).to_string())
            .await;
    assert_eq!(status, 421);
    assert_eq!(ask(&mut line, ME, &own, "").await.0, 200, "the line goes on for whom it is");
    for tenant in [A, B] {
        let mut line = town.plain_line(tenant).await;
        assert_eq!(ask(&mut line, "GET /api/v1/ledger", &of(tenant), "").await.1["received"], 0);
    }
    town.tenants.stop().await;
}

#[tokio::test]
async fn an_http_2_connection_is_not_shared_even_where_one_certificate_covers_both() {
    let town = Town::new().await;
    // One certificate for all, as a firm has it that bought a pattern: browsers then use a connection again.
    let both = town.signs.for_server(&["*.example.com"]);
    for tenant in [A, B] {
        shows(town.dir.path(), tenant, both.clone());
        town.tenants.tenant(tenant).unwrap().reload("test").await.unwrap();
    }
    let mut config = town.config(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let line = town.line(A, &Arc::new(config)).await.unwrap();
    assert_eq!(line.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = h2::client::handshake(line).await.unwrap();
    let driving = tokio::spawn(connection);
    let asked = [
        (A, None, A, StatusCode::OK),
        (B, None, B, StatusCode::MISDIRECTED_REQUEST),
        (A, Some(B), A, StatusCode::MISDIRECTED_REQUEST),
        (B, Some(A), A, StatusCode::MISDIRECTED_REQUEST),
        (A, Some(A), A, StatusCode::OK),
        // Another tenant's word on the right line is nobody's.
        (A, None, B, StatusCode::UNAUTHORIZED),
    ];
    for (authority, host, whose, wanted) in asked {
        let mut request = Request::get(format!("https://{authority}/api/v1/whoami"));
        request = request.header("authorization", bearer(&secret(whose, "the-admin.token")));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        sender = sender.ready().await.unwrap();
        let (answer, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), wanted, "{authority} {host:?} {whose}");
    }
    drop(sender);
    driving.abort();
    town.tenants.stop().await;
}

#[tokio::test]
async fn a_program_of_one_tenant_is_nobody_at_another_though_both_know_its_name() {
    let town = Town::new().await;
    for (own, other, authority) in [(A, B, &town.clients[0]), (B, A, &town.clients[1])] {
        let id = authority.for_program(&[dns(PROGRAM)]);
        let config = Arc::new(town.config(Some(&id)));
        let mut line = town.line(own, &config).await.unwrap();
        let (status, me) = ask(&mut line, ME, &format!("host: {own}\r\n"), "").await;
        assert_eq!((status, &me["name"]), (200, &json!("program watch")), "{me}");
        let (status, _) = ask(&mut line, ME, &format!("host: {other}\r\n"), "").await;
        assert_eq!(status, 421, "what was shown to one is not carried over");
        let mut line = town.line(other, &config).await.unwrap();
        let (status, said) = ask(&mut line, ME, &format!("host: {other}\r\n"), "").await;
        assert!(status == 401 && said.to_string().contains("not signed by an authority"), "{status} {said}");
    }
    town.tenants.stop().await;
}

/// Keeps what one server gave and offers it to every other.
#[derive(Debug)]
struct Indifferent(ClientSessionMemoryCache);

fn same() -> ServerName<'static> {
    ServerName::try_from("any.example").unwrap()
}

impl ClientSessionStore for Indifferent {
    fn set_kx_hint(&self, name: ServerName<'static>, group: rustls::NamedGroup) {
        self.0.set_kx_hint(name, group);
    }
    fn kx_hint(&self, name: &ServerName<'_>) -> Option<rustls::NamedGroup> {
        self.0.kx_hint(name)
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(same(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&same())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&same());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(same(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&same())
    }
}

#[tokio::test]
async fn a_tls_session_of_one_tenant_is_not_taken_up_again_at_another() {
    let town = Town::new().await;
    let id = town.clients[0].for_program(&[dns(PROGRAM)]);
    let mut config = town.config(Some(&id));
    let store = Indifferent(ClientSessionMemoryCache::new(32));
    config.resumption = rustls::client::Resumption::store(Arc::new(store));
    let config = Arc::new(config);
    let kind = async |name: &str, host: &str| {
        let mut line = town.line(name, &config).await.unwrap();
        // What can be taken up again comes after the handshake, with the first answer at the latest.
        let (status, _) = ask(&mut line, ME, &format!("host: {host}\r\n"), "").await;
        (line.get_ref().1.handshake_kind().unwrap(), status)
    };
    assert_eq!(kind(A, A).await, (HandshakeKind::Full, 200));
    assert_eq!(kind(A, A).await, (HandshakeKind::Resumed, 200), "or the rest would say nothing");
    assert_eq!(kind(B, B).await, (HandshakeKind::Full, 401));
    assert_eq!(kind(A, B).await.1, 421);
    town.tenants.stop().await;
}

#[tokio::test]
async fn a_new_certificate_counts_without_a_restart_and_only_for_its_own_name() {
    let town = Town::new().await;
    let shown = async |name: &str| {
        let line = town.plain_line(name).await;
        line.get_ref().1.peer_certificates().unwrap().to_vec()
    };
    let (a, b) = (shown(A).await, shown(B).await);
    shows(town.dir.path(), A, town.signs.for_server(&[A]));
    let mut line = town.plain_line(A).await;
    assert_eq!(ask(&mut line, "POST /api/v1/admin/reload", &of(A), "").await.0, 200);
    assert_ne!(shown(A).await, a);
    assert_eq!(shown(B).await, b);

    let a = shown(A).await;
    shows(town.dir.path(), A, town.signs.for_server(&[B]));
    let (status, said) = ask(&mut line, "POST /api/v1/admin/reload", &of(A), "").await;
    assert!(status == 422 && said.to_string().contains("is not for a.example.com"), "{said}");
    assert_eq!(shown(A).await, a, "what was in force stays");
    let found = check(town.dir.path()).unwrap();
    let errors = |n: usize| found[n].1.iter().filter(|m| !m.warning).count();
    assert_eq!((errors(0), errors(1)), (1, 0), "{found:?}");

    std::fs::write(town.dir.path().join(A).join("config/stanch.yaml"), "").unwrap();
    let (status, said) = ask(&mut line, "POST /api/v1/admin/reload", &of(A), "").await;
    assert!(status == 422 && said.to_string().contains("`tls` is gone"), "{said}");
    town.tenants.stop().await;
}

#[tokio::test]
async fn others_reach_tenants_only_with_tls_and_where_somebody_can_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    let (signs, clients) = (Authority::new(), [Authority::new(), Authority::new()]);
    built(dir.path(), &signs, &clients);
    let open = || Some("0.0.0.0:0".parse().unwrap());
    let config = |tenant: &str, file: &str| dir.path().join(tenant).join("config").join(file);

    // One names no certificate: it is down, and the other goes on.
    std::fs::write(config(B, "stanch.yaml"), "").unwrap();
    let tenants = Tenants::start(dir.path(), open()).await.unwrap();
    assert_eq!(tenants.names().collect::<Vec<_>>(), [A]);
    tenants.stop().await;
    let said = check(dir.path()).unwrap();
    assert!(said[1].1.iter().any(|m| !m.warning && m.message.contains("names no certificate")), "{said:?}");

    // Nobody of one could sign in: the same.
    shows(dir.path(), B, signs.for_server(&[B]));
    std::fs::write(config(B, "policies/people.yaml"), "people: {}\nteams:\n  secops: { notifier: log }\n")
        .unwrap();
    let tenants = Tenants::start(dir.path(), open()).await.unwrap();
    assert_eq!(tenants.names().collect::<Vec<_>>(), [A]);
    tenants.stop().await;

    for tenant in [A, B] {
        std::fs::write(config(tenant, "stanch.yaml"), "").unwrap();
    }
    let refused = Tenants::start(dir.path(), open()).await.err().unwrap().to_string();
    assert!(refused.contains("no tenant has TLS"), "{refused}");
}

#[tokio::test]
async fn openssl_agrees_on_who_shows_what() {
    let town = Town::new().await;
    let addr = town.tenants.addr().to_string();
    let authority = town.dir.path().join(A).join("authority.crt");
    std::fs::write(&authority, town.signs.0.pem()).unwrap();
    let asked = async |words: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &addr, "-brief", "-verify_return_error", "-CAfile"]);
        command.arg(&authority).args(words).stdin(std::process::Stdio::null());
        let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        // Not there: `cargo xtask test` installs it, elsewhere it is said.
        let done = done.map_err(|e| eprintln!("skipped: openssl: {e}")).ok()?;
        Some((done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned()))
    };
    for (words, good, wanted) in [
        (vec!["-servername", A, "-verify_hostname", A], true, "Verification: OK"),
        (vec!["-servername", B, "-verify_hostname", B], true, "Verification: OK"),
        (vec!["-servername", A, "-verify_hostname", B], false, "mismatch"),
        (vec!["-servername", A, "-tls1_2"], true, "TLSv1.2"),
        (vec!["-servername", "c.example.com"], false, "alert"),
        (vec!["-noservername"], false, "alert"),
    ] {
        let Some((ended_well, said)) = asked(&words).await else { return };
        assert_eq!(ended_well, good, "{words:?}: {said}");
        assert!(said.contains(wanted), "{words:?}: {said}");
    }
    town.tenants.stop().await;
}
