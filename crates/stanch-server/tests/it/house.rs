//! A Stanch of its own for each test: the folder that `init` writes, a journal, a clock to turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stanch_model::Timestamp;
use stanch_server::{App, Options};
use tower::ServiceExt;

/// Longest wait for something that happens by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A Stanch of its own.
pub(crate) struct House {
    dir: tempfile::TempDir,
    pub(crate) app: App,
    skew: Arc<AtomicI64>,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Sends one request within the process.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, bytes }
}

/// Seconds since 1970, now.
pub(crate) fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub(crate) fn furnish(config: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let write = |path: &str, text: &str| {
        let path = config.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    for (path, text) in stanch_core::config::init::template() {
        write(path, text);
    }
    for name in stanch_core::config::init::SECRETS.iter().chain(&["secrets/watcher.token"]) {
        write(name, &format!("the-secret-of-{name}\n"));
    }
    let people = std::fs::read_to_string(config.join("policies/people.yaml")).unwrap();
    let watcher = "  watcher:\n    token: { file: secrets/watcher.token }\n    role: viewer\n";
    write("policies/people.yaml", &format!("{people}{watcher}"));
    write("sources/shut.yaml", "format: suricata\ncredential: { bearer: { file: secrets/none.token } }\n");
    write("playbooks/c2-beacon.yaml", include_str!("../../../../playbooks/c2-beacon.yaml"));
    write("inventory/assets.csv", "name,ip,criticality,owner\nweb-1,10.0.0.5,high,web\n");
}

impl House {
    pub(crate) async fn new() -> House {
        House::with(|_| {}).await
    }

    /// With something changed in the configuration folder first.
    pub(crate) async fn with(change: impl FnOnce(&Path)) -> House {
        let dir = tempfile::tempdir().unwrap();
        furnish(&dir.path().join("config"));
        change(&dir.path().join("config"));
        House::open(dir, Arc::default(), |_| {}).await
    }

    /// With something changed in the folder, and started in another way.
    pub(crate) async fn started(change: impl FnOnce(&Path), how: impl FnOnce(&mut Options)) -> House {
        let dir = tempfile::tempdir().unwrap();
        furnish(&dir.path().join("config"));
        change(&dir.path().join("config"));
        House::open(dir, Arc::default(), how).await
    }

    async fn open(dir: tempfile::TempDir, skew: Arc<AtomicI64>, how: impl FnOnce(&mut Options)) -> House {
        let mut options = Options::new(dir.path().join("config"), dir.path().join("data"));
        options.listen = Some("127.0.0.1:0".parse().unwrap());
        let (system, own) = (options.clock.clone(), skew.clone());
        options.clock = Arc::new(move || Timestamp(system().0 + own.load(Ordering::Relaxed)));
        how(&mut options);
        let app = App::start(options).await.unwrap_or_else(|e| panic!("{e:?}"));
        House { dir, app, skew }
    }

    /// Stops and starts on the same folder.
    pub(crate) async fn again(self) -> House {
        self.app.stop().await;
        House::open(self.dir, self.skew, |_| {}).await
    }

    pub(crate) fn config(&self) -> std::path::PathBuf {
        self.dir.path().join("config")
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.skew.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    /// What a person's or a source's secret file holds.
    pub(crate) fn secret(name: &str) -> String {
        format!("the-secret-of-secrets/{name}")
    }

    fn token(person: &str) -> String {
        format!("Bearer {}", House::secret(&format!("{person}.token")))
    }

    /// A call of the API by a person.
    pub(crate) async fn ask(&self, person: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request =
            Request::builder().method(method).uri(path).header("authorization", House::token(person));
        let request = match body {
            None => request.body(Body::empty()),
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
        };
        call(&self.app.router(), request.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask("watcher", Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, person: &str, path: &str, body: Value) -> Answer {
        self.ask(person, Method::POST, path, Some(body)).await
    }

    /// A delivery with these headers.
    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        call(&self.app.router(), request.body(body.into()).unwrap()).await
    }

    /// A delivery to a source with a bearer token, properly authorised.
    pub(crate) async fn deliver(&self, source: &str, body: impl Into<Body>) -> Answer {
        self.send(&format!("/in/{source}"), &[("authorization", &House::token(source))], body).await
    }

    /// The ledger; it must balance, always.
    pub(crate) async fn ledger(&self) -> Value {
        let ledger = self.get("/api/v1/ledger").await;
        assert_eq!(ledger["balanced"], json!(true), "{ledger}");
        let places = ["merged", "suppressed", "in_incidents", "open", "closed", "quarantined"];
        let sum: u64 = places.iter().map(|p| ledger[p].as_u64().unwrap()).sum();
        assert_eq!(ledger["received"].as_u64().unwrap(), sum, "{ledger}");
        ledger
    }

    /// Looks until there is something to see.
    pub(crate) async fn until(&self, path: &str, seen: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.get(path).await;
            if seen(&value) {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} never showed it: {value:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A Suricata alert of everyday noise.
pub(crate) fn noise(n: usize) -> Value {
    json!({
        "timestamp": format!("2026-03-03T22:{:02}:{:02}.000000+0000", n / 60 % 60, n % 60),
        "flow_id": n, "event_type": "alert", "src_ip": format!("198.51.100.{}", n % 250 + 1), "src_port": 40_000,
        "dest_ip": "10.0.0.5", "dest_port": 80, "proto": "TCP",
        "alert": { "signature_id": 2_000_000 + n, "gid": 1, "rev": 1, "signature": "ET INFO something seen",
                   "category": "Misc activity", "severity": 3 }
    })
}

/// A Suricata alert that opens an incident: a machine of ours calls home.
pub(crate) fn beacon() -> Value {
    json!({
        "timestamp": "2026-03-03T22:10:00.000000+0000", "flow_id": 77, "event_type": "alert",
        "src_ip": "10.0.0.5", "src_port": 51_000, "dest_ip": "203.0.113.9", "dest_port": 443, "proto": "TCP",
        "flow": { "pkts_toserver": 12, "pkts_toclient": 10, "bytes_toserver": 4_000, "bytes_toclient": 9_000, "state": "established" },
        "alert": { "signature_id": 2_035_000, "gid": 1, "rev": 1, "signature": "ET MALWARE Observed CnC beacon",
                   "category": "Malware Command and Control Activity Detected", "severity": 1,
                   "metadata": { "mitre_technique_id": ["T1071"], "mitre_tactic_id": ["TA0011"] } }
    })
}

/// Records, one in each line.
pub(crate) fn lines(records: impl IntoIterator<Item = Value>) -> String {
    records.into_iter().map(|r| format!("{r}\n")).collect()
}
