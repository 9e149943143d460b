//! HTTP/2 as an attacker speaks it, frame by frame over TLS: the connection ends or its streams are refused, and
//! others are served. Old versions of TLS are turned away.
//!
//! Source: SEC-34; RFC 9113; CVE-2023-44487 (rapid reset), CVE-2024-27316 (CONTINUATION), CVE-2019-9518 (empty
//! frames), CVE-2019-9517 (small windows).

use std::sync::Arc;

use axum::http::StatusCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::house::{House, PATIENCE};
use crate::secure::with_tls;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Error codes. Source: RFC 9113, 7.
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame. Source: RFC 9113, 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A text as HPACK writes it when it is short. Source: RFC 7541, 5.2.
fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// The head of a request by somebody who may send. Source: RFC 7541, appendix A: 2 and 3 are GET and POST, 7
/// is https, 1 `:authority`, 4 `:path`, 23 `authorization`.
fn head(post: bool, path: &str) -> Vec<u8> {
    let token = format!("Bearer {}", House::secret("suricata.token"));
    let mut head = vec![if post { 0x83 } else { 0x82 }, 0x87];
    // Literals that are not remembered; the number of `authorization` takes two bytes.
    for (name, value) in [(&[0x01][..], "localhost"), (&[0x04], path), (&[0x0f, 0x08], &token)] {
        head.extend([name, &text(value)].concat());
    }
    head
}

struct Line {
    tls: TlsStream<TcpStream>,
}

/// What came back, until the end of the connection or of what was waited for.
#[derive(Debug, Default)]
struct Seen {
    /// Kind, stream and payload of each frame.
    frames: Vec<(u8, u32, Vec<u8>)>,
    closed: bool,
}

impl Seen {
    fn code(payload: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(payload[at..at + 4].try_into().unwrap())
    }

    /// The error with which the server said good-bye.
    fn goodbye(&self) -> Option<u32> {
        self.frames.iter().find(|f| f.0 == GOAWAY).map(|f| Seen::code(&f.2, 4))
    }

    fn refused(&self) -> usize {
        self.frames.iter().filter(|f| f.0 == RST_STREAM && Seen::code(&f.2, 0) == REFUSED_STREAM).count()
    }
}

impl Line {
    /// A connection whose preface and settings are sent.
    async fn open(house: &House, settings: &[u8]) -> Line {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(include_bytes!("tls/test.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(house.app.addr()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut tls = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]].concat();
        tls.write_all(&hello).await.unwrap();
        Line { tls }
    }

    /// Sends all of it, as far as the server takes it, and reads until this is enough or the end.
    async fn attack(self, bytes: Vec<u8>, enough: impl Fn(&Seen) -> bool) -> Seen {
        let (mut from, mut to) = tokio::io::split(self.tls);
        let send = tokio::spawn(async move {
            drop(to.write_all(&bytes).await);
            drop(to.flush().await);
            to
        });
        let (mut seen, mut rest) = (Seen::default(), Vec::new());
        let read = async {
            while !enough(&seen) {
                match from.read_buf(&mut rest).await {
                    Ok(0) | Err(_) => {
                        seen.closed = true;
                        return;
                    }
                    Ok(_) => {}
                }
                while rest.len() >= 9 {
                    let length =
                        usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
                    if rest.len() < 9 + length {
                        break;
                    }
                    let all: Vec<u8> = rest.drain(..9 + length).collect();
                    let stream = Seen::code(&all, 5);
                    seen.frames.push((all[3], stream, all[9..].to_vec()));
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, read).await;
        assert!(ended.is_ok(), "the server goes on with it: {:?}", seen.frames.last());
        send.abort();
        seen
    }
}

/// Somebody else is served, over a connection of their own.
async fn others_are_served(house: &House, n: usize) {
    // Another source: the attacker's has its share of places and memory, and no more.
    let delivered = house.deliver("wazuh", format!("not json, {n}")).await;
    assert_eq!(delivered.status, StatusCode::ACCEPTED);
    let line = Line::open(house, &[]).await;
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(false, "/healthz"));
    let seen = line.attack(request, |s| s.frames.iter().any(|f| f.0 == DATA)).await;
    assert!(seen.frames.iter().any(|f| f.0 == DATA && f.1 == 1), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_their_connection_and_nobody_elses() {
    let house = House::with(with_tls).await;
    let get = head(false, "/healthz");
    let streams = (0..2_000u32).map(|n| 2 * n + 1);
    let rapid_reset: Vec<u8> = streams
        .flat_map(|s| {
            [
                frame(HEADERS, END_STREAM | END_HEADERS, s, &get),
                frame(RST_STREAM, 0, s, &CANCEL.to_be_bytes()),
            ]
        })
        .flatten()
        .collect();
    let endless_head = [
        frame(HEADERS, END_STREAM, 1, &get),
        frame(CONTINUATION, 0, 1, &[&[0x00][..], &text("x"), &text("y")].concat()).repeat(100_000),
    ]
    .concat();
    let large_head = [
        frame(HEADERS, END_STREAM, 1, &get),
        frame(CONTINUATION, 0, 1, &[&[0x00][..], &text("x"), &text(&"y".repeat(100))].concat().repeat(150))
            .repeat(4_000),
    ]
    .concat();
    let empty_data =
        [frame(HEADERS, END_HEADERS, 1, &head(true, "/in/suricata")), frame(DATA, 0, 1, &[]).repeat(500_000)]
            .concat();
    for (n, (what, bytes)) in [
        ("rapid reset", rapid_reset),
        ("a head without end", endless_head),
        ("a head of 60 MB", large_head),
        ("data without bytes", empty_data),
    ]
    .into_iter()
    .enumerate()
    {
        let line = Line::open(&house, &[]).await;
        let seen = line.attack(bytes, |s| s.goodbye().is_some()).await;
        let said = seen.goodbye();
        assert!(said == Some(ENHANCE_YOUR_CALM) || seen.closed, "{what}: {said:?}");
        others_are_served(&house, n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_limit_are_refused_and_those_before_it_are_served() {
    let house = House::with(with_tls).await;
    let line = Line::open(&house, &[]).await;
    // Deliveries that are begun and not gone on with.
    let begun: Vec<u8> = (0..150u32)
        .flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, &head(true, "/in/suricata")))
        .collect();
    let seen = line.attack(begun, |s| s.refused() >= 22).await;
    assert_eq!(seen.refused(), 22, "128 at a time");
    others_are_served(&house, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_much_and_reads_nothing_holds_up_nobody() {
    let house = House::with(with_tls).await;
    // SETTINGS_INITIAL_WINDOW_SIZE (4) is 0: the head of each answer comes, and nothing of its body.
    let line = Line::open(&house, &[0, 4, 0, 0, 0, 0]).await;
    let asked: Vec<u8> = (0..100u32)
        .flat_map(|n| {
            frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, &head(false, "/api/v1/openapi.json"))
        })
        .collect();
    let heads = |s: &Seen| s.frames.iter().filter(|f| f.0 == HEADERS).count();
    let seen = line.attack(asked, |s| heads(s) == 100).await;
    assert!(seen.frames.iter().all(|f| f.0 != DATA), "{seen:?}");
    others_are_served(&house, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_pings_in_thousands_are_answered_one_by_one_and_others_are_served() {
    let house = House::with(with_tls).await;
    for (n, (kind, payload)) in [(SETTINGS, &[][..]), (PING, &[7; 8])].into_iter().enumerate() {
        let line = Line::open(&house, &[]).await;
        let flood = frame(kind, 0, 0, payload).repeat(5_000);
        let acks = |s: &Seen| s.frames.iter().filter(|f| f.0 == kind && f.2 == payload).count();
        let seen = line.attack(flood, |s| s.goodbye().is_some() || acks(s) >= 5_000).await;
        assert!(!seen.closed || seen.goodbye().is_some(), "{} frames", seen.frames.len());
        others_are_served(&house, n).await;
    }
}

#[tokio::test]
async fn tls_older_than_1_2_is_turned_away() {
    let house = House::with(with_tls).await;
    for minor in [0u8, 1, 2] {
        // A whole ClientHello of SSL 3.0, TLS 1.0 and 1.1, with ciphers of their time and no extensions.
        let hello =
            [&[3, minor][..], &[9; 32], &[0], &[0, 6, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x0a], &[1, 0]].concat();
        let length = u8::try_from(hello.len()).unwrap();
        let record = [&[22, 3, minor, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        let mut stream = TcpStream::connect(house.app.addr()).await.unwrap();
        stream.write_all(&record).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        // A fatal alert, `protocol_version` or `handshake_failure`, and the end. Source: RFC 5246, 7.2.
        assert!(
            answer[0] == 21 && [[2, 70], [2, 40]].iter().any(|a| answer[5..] == *a),
            "3.{minor}: {answer:?}"
        );
    }
}
