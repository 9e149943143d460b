//! Attacks over real HTTP against the running server: whole suites, made from the description of the API, so
//! that a route that is added is attacked the same day. Each says how much it tried.

mod forged;
mod led;
mod paths;
mod sessions;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stanch_server::{ANONYMOUS_PATHS, DOOR_PATHS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, beacon};
use crate::people::{concrete, operations};

/// Longest wait for one answer, in seconds.
const PATIENCE: u64 = 30;

/// A request, written as it goes over the wire: nothing is made right on the way.
#[derive(Clone)]
pub(crate) struct Ask {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Ask {
    pub(crate) fn new(method: &Method, path: &str) -> Ask {
        Ask { line: format!("{method} {path}"), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body of this type; a request that reads has none.
    pub(crate) fn body(mut self, kind: &str, body: &str) -> Ask {
        if !self.line.starts_with("GET ") {
            body.clone_into(&mut self.body);
            self = self.with("content-type", kind);
        }
        self
    }

    fn bytes(&self, addr: SocketAddr) -> Vec<u8> {
        let mut text = format!("{} HTTP/1.1\r\n", self.line);
        if !self.headers.iter().any(|(n, _)| n == "host") {
            write!(text, "host: {addr}\r\n").unwrap();
        }
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        write!(text, "content-length: {}\r\nconnection: close\r\n\r\n{}", self.body.len(), self.body)
            .unwrap();
        text.into_bytes()
    }

    /// Sends it; none where the line was closed without a word.
    pub(crate) async fn to(&self, addr: SocketAddr) -> Option<Said> {
        let mut line = TcpStream::connect(addr).await.unwrap();
        // A server that has read enough may close while we write.
        line.write_all(&self.bytes(addr)).await.ok();
        Said::read(&mut line).await
    }

    /// Sends it, and there is an answer.
    pub(crate) async fn at(&self, house: &House) -> Said {
        self.to(house.app.addr()).await.unwrap_or_else(|| panic!("no answer to {}", self.line))
    }
}

/// What came back.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Said {
    async fn read(line: &mut (impl AsyncRead + Unpin)) -> Option<Said> {
        let (mut all, mut head) = (Vec::new(), None);
        let mut piece = [0; 16 * 1024];
        let read = async {
            // Whoever closes hard has said what there was to say.
            while let Ok(n @ 1..) = line.read(&mut piece).await {
                all.extend_from_slice(&piece[..n]);
                if head.is_none() {
                    head = all.windows(4).position(|w| w == b"\r\n\r\n");
                    let told = String::from_utf8_lossy(&all[..head.unwrap_or_default()]).into_owned();
                    // An answer that does not end has been seen when its head has.
                    if told.contains("text/event-stream") {
                        break;
                    }
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(PATIENCE), read)
            .await
            .expect("an answer in time");
        let text = String::from_utf8_lossy(&all).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let pair = |l: &str| l.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
        Some(Said { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() })
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    pub(crate) fn head(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        let code = self.body.split("\"code\":\"").nth(1).and_then(|t| t.split('"').next());
        code.unwrap_or_default().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The session that was opened, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let set =
            self.head("set-cookie").unwrap_or_else(|| panic!("no cookie: {} {}", self.status, self.body));
        set.split(';').next().unwrap().to_owned()
    }
}

/// A route of the API: how, the path of the description, and an address that fits it.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) at: String,
    pub(crate) kind: Kind,
}

/// Who comes in by a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// People, by token or session.
    People,
    /// Whoever wants to sign in.
    Door,
    /// Anybody.
    Open,
    /// Sources and chats, which bring a proof of their own.
    Intake,
}

/// Every route there is.
pub(crate) async fn routes(house: &House) -> Vec<Route> {
    let api = Ask::new(&Method::GET, "/api/v1/openapi.json").at(house).await.json();
    let kind = |path: &str| match path {
        p if ANONYMOUS_PATHS.contains(&p) => Kind::Open,
        p if DOOR_PATHS.contains(&p) => Kind::Door,
        p if ["/in/", "/v2/", "/api/v2/", "/chat/"].iter().any(|i| p.starts_with(i)) => Kind::Intake,
        _ => Kind::People,
    };
    let all: Vec<Route> = operations(&api)
        .into_iter()
        .map(|(method, path, _)| Route { at: concrete(&path), kind: kind(&path), method, path })
        .collect();
    let of = |kind| all.iter().filter(|r| r.kind == kind).count();
    assert!(of(Kind::People) > 90 && of(Kind::Door) >= 6 && of(Kind::Intake) >= 4, "{}", all.len());
    all
}

/// Somebody who may do everything, so that no want of a role hides what is looked for.
pub(crate) const VICTIM: &str = "the-victim";

/// Adds the victim, and lets them ask as fast as they like.
pub(crate) fn open_to_attack(config: &Path) {
    let people = config.join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    let victim = format!(
        "  {VICTIM}:\n    token: {{ file: secrets/{VICTIM}.token }}\n    role: admin\n    teams: [secops]\n"
    );
    std::fs::write(&people, format!("{text}{victim}")).unwrap();
    std::fs::write(config.join(format!("secrets/{VICTIM}.token")), token_of(VICTIM)).unwrap();
    std::fs::write(config.join("stanch.yaml"), "requests_per_second: 1000000\n").unwrap();
}

pub(crate) fn token_of(person: &str) -> String {
    House::secret(&format!("{person}.token"))
}

/// A Stanch in which every route has something to do.
pub(crate) async fn house() -> House {
    let house = House::with(open_to_attack).await;
    furnished(house).await
}

async fn furnished(house: House) -> House {
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    for (path, body) in [
        ("/api/v1/tokens", json!({ "name": "kept", "role": "viewer", "lasts": "1h" })),
        ("/api/v1/people", json!({ "name": "maria", "role": "viewer", "teams": [] })),
    ] {
        let made = house.post("admin", path, body).await;
        assert_eq!(made.status, StatusCode::OK, "{path}: {}", made.text());
    }
    house
}

/// Where our own pages are.
pub(crate) fn origin(house: &House) -> String {
    format!("http://{}", house.app.addr())
}

/// Signs somebody in as our own page does; gives the answer.
pub(crate) async fn sign_in(house: &House, person: &str, more: &[(&str, &str)]) -> Said {
    let mut ask = Ask::new(&Method::POST, "/api/v1/session")
        .with("authorization", &format!("Bearer {}", token_of(person)))
        .with("origin", &origin(house))
        .with("x-stanch-console", "1");
    for (name, value) in more {
        ask = ask.with(name, value);
    }
    let said = ask.at(house).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.body);
    said
}

/// What a session sees of itself.
pub(crate) async fn whoami(house: &House, cookie: &str) -> Said {
    Ask::new(&Method::GET, "/api/v1/whoami").with("cookie", cookie).at(house).await
}

/// What must not change: the configuration, what is kept beside the journal, and every other file around.
pub(crate) fn kept(house: &House) -> BTreeMap<String, Vec<u8>> {
    fn walk(at: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(at).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.path().display().to_string());
            if path.is_dir() {
                walk(&path, into);
            } else if !name.contains("/data/") || name.ends_with(".json") {
                into.insert(name, std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(house.config().parent().unwrap(), &mut all);
    all
}

/// Entries of the journal that name somebody.
pub(crate) async fn doings(house: &House, person: &str) -> BTreeSet<String> {
    let page = house.get("/api/v1/journal?limit=1000").await;
    let entries = page["entries"].as_array().unwrap().iter().map(Value::to_string);
    entries.filter(|e| e.contains(person)).collect()
}

/// Where routes are made by hand: pages, which hold no data, and the description of all others.
const BY_HAND: [&str; 2] = ["console.rs", "api/anonymous.rs"];

#[test]
fn no_route_is_made_past_the_description() {
    fn look(at: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(at).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                look(&path, found);
            } else if !BY_HAND.iter().any(|f| path.ends_with(f)) {
                let text = std::fs::read_to_string(&path).unwrap();
                let lines = text.lines().filter(|l| {
                    [".route(", ".route_service(", ".nest_service(", ".fallback_service("]
                        .iter()
                        .any(|r| l.contains(r))
                });
                found.extend(lines.map(|l| format!("{}: {}", path.display(), l.trim())));
            }
        }
    }
    let mut found = Vec::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "the suites here would not see these: {found:#?}");
}
