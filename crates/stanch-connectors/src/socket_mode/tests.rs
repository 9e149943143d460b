use std::process::Command as Process;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::cloud::Cloud;
use super::*;

/// In a hurry, but never so much that a slow machine is taken for a dead one.
fn pace() -> Pace {
    Pace {
        open: Duration::from_secs(5),
        ping: Duration::from_millis(50),
        silence: Duration::from_secs(10),
        linger: Duration::from_secs(10),
        place: Duration::from_millis(50),
        settled: Duration::ZERO,
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
    }
}

struct Rig {
    cloud: Cloud,
    clicks: mpsc::Receiver<Click>,
    link: watch::Receiver<Link>,
    running: tokio::task::JoinHandle<()>,
}

impl Rig {
    async fn with(pace: Pace, places: usize) -> Rig {
        let cloud = Cloud::start().await;
        let (name, url, token) = ("chat".to_owned(), cloud.url.clone(), Secret::new("xapp-1-secret"));
        let config = SocketConfig { name, url, token, allow_private: Vec::new(), pace };
        let socket = Arc::new(SocketMode::new(config).unwrap_or_else(|why| panic!("{why:?}")));
        let (to, clicks) = mpsc::channel(places);
        let (tell, link) = watch::channel(Link::Opening);
        let tell: Tell = Arc::new(move |link| drop(tell.send(link)));
        let running = tokio::spawn(socket.run(to, tell));
        Rig { cloud, clicks, link, running }
    }

    async fn new() -> Rig {
        let mut rig = Rig::with(pace(), 64).await;
        rig.cloud.until_opened(1).await;
        rig.link(|l| *l == Link::Open).await;
        rig
    }

    async fn link(&mut self, is: impl FnMut(&Link) -> bool) -> Link {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.link.wait_for(is)).await;
        waited.expect("the state of the connection").expect("a connection").clone()
    }

    async fn click(&mut self) -> Click {
        let waited = tokio::time::timeout(Duration::from_secs(20), self.clicks.recv()).await;
        waited.expect("a click").expect("a connection")
    }

    fn none(&mut self) {
        assert!(self.clicks.try_recv().is_err(), "a click that should not be");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.running.abort();
        assert_eq!(self.cloud.wrong(), Vec::<String>::new());
    }
}

fn payload(n: u32) -> Value {
    json!({ "type": "block_actions", "n": n })
}

#[tokio::test]
async fn a_click_is_acknowledged_and_handed_on_with_its_app() {
    let mut rig = Rig::new().await;
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    assert_eq!(rig.cloud.until_acked("e1").await, 1);
    let click = rig.click().await;
    assert_eq!((click.app(), click.payload()), (Some("A1"), payload(1).to_string().as_str()));
    let asked = &rig.cloud.calls("apps.connections.open")[0];
    assert_eq!(asked.token, "xapp-1-secret");
    rig.cloud.until("pings", |s| (s.pings > 2).then_some(())).await;
}

#[tokio::test]
async fn an_envelope_that_comes_twice_is_acknowledged_twice_and_handed_on_once() {
    let mut rig = Rig::new().await;
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    rig.cloud.envelope(1, "e2", "interactive", &payload(2));
    rig.cloud.until_acked("e2").await;
    assert_eq!(rig.cloud.acks().len(), 3);
    assert_eq!(rig.click().await.payload(), payload(1).to_string());
    assert_eq!(rig.click().await.payload(), payload(2).to_string());
    rig.none();
}

#[tokio::test]
async fn a_fresh_connection_is_opened_before_the_old_one_ends_and_both_are_listened_to() {
    for reason in ["refresh_requested", "warning", "a reason of the year 2030"] {
        let mut rig = Rig::new().await;
        rig.cloud.disconnect(1, reason);
        rig.cloud.until_opened(2).await;
        rig.cloud.until("both", |s| (s.open.len() == 2).then_some(())).await;
        // In the middle of it: one on each, and one that comes over both.
        rig.cloud.envelope(1, "old", "interactive", &payload(1));
        rig.cloud.envelope(2, "new", "interactive", &payload(2));
        assert_eq!(rig.cloud.until_acked("old").await, 1);
        assert_eq!(rig.cloud.until_acked("new").await, 2);
        rig.cloud.envelope(2, "old", "interactive", &payload(1));
        rig.cloud.until("three", |s| (s.acks.len() == 3).then_some(())).await;
        let mut got = [rig.click().await.payload().to_owned(), rig.click().await.payload().to_owned()];
        got.sort();
        assert_eq!(got, [payload(1).to_string(), payload(2).to_string()]);
        rig.cloud.close(1);
        rig.cloud.until("the old one ends", |s| (s.open.len() == 1).then_some(())).await;
        rig.cloud.envelope(2, "later", "interactive", &payload(3));
        rig.cloud.until_acked("later").await;
        assert_eq!(rig.click().await.payload(), payload(3).to_string());
        rig.none();
        assert_eq!(*rig.link.borrow(), Link::Open);
        assert_eq!(rig.cloud.calls("apps.connections.open").len(), 2, "{reason}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_after_an_acknowledgement_loses_no_click() {
    let mut rig = Rig::new().await;
    rig.cloud.cut_after_ack(true);
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    assert_eq!(rig.click().await.payload(), payload(1).to_string());
    rig.cloud.until_opened(2).await;
    rig.cloud.cut_after_ack(false);
    // Slack is not sure that it was taken.
    rig.cloud.envelope(2, "e1", "interactive", &payload(1));
    rig.cloud.envelope(2, "e2", "interactive", &payload(2));
    rig.cloud.until_acked("e2").await;
    assert_eq!(rig.click().await.payload(), payload(2).to_string());
    rig.none();
    rig.link(|l| *l == Link::Open).await;
}

#[tokio::test]
async fn what_cannot_be_read_or_used_ends_nothing() {
    let mut rig = Rig::new().await;
    for text in ["{", "[]", "null", r#"{"type":7}"#, r#"{"type":"interactive","envelope_id":7}"#, "\u{202e}"]
    {
        rig.cloud.say(1, text);
    }
    rig.cloud.envelope(1, "event", "events_api", &json!({ "event": {} }));
    rig.cloud.envelope(1, "slash", "slash_commands", &json!({ "command": "/x" }));
    rig.cloud.envelope(1, "text", "interactive", &json!("a text"));
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    rig.cloud.until_acked("e1").await;
    assert_eq!(rig.click().await.payload(), payload(1).to_string());
    rig.none();
    let acked: Vec<String> = rig.cloud.acks().into_iter().map(|(_, e)| e).collect();
    assert_eq!(acked, ["event", "slash", "e1"]);
    assert_eq!(rig.cloud.calls("apps.connections.open").len(), 1);
}

#[tokio::test]
async fn every_way_of_not_connecting_is_told_and_tried_again() {
    let mut rig = Rig::with(pace(), 64).await;
    rig.cloud.until_opened(1).await;
    for (status, body, words) in [
        (200, r#"{"ok":false,"error":"invalid_auth"}"#, "app-level token with connections:write"),
        (200, r#"{"ok":false,"error":"internal_error"}"#, "internal_error"),
        (429, "", "slow down"),
        (503, "", "503"),
        (200, "<html>", "without JSON"),
        (0, "", "127.0.0.1"),
        (200, r#"{"ok":true,"url":"wss://evil.example/link"}"#, "neither at"),
        (200, r#"{"ok":true,"url":"ws://127.0.0.1:1/link"}"#, "another port"),
        (200, r#"{"ok":true}"#, "no address"),
    ] {
        rig.link(|l| *l == Link::Open).await;
        rig.cloud.answer("apps.connections.open", status, body);
        let before = rig.cloud.until("sockets", |s| Some(s.opened)).await;
        rig.cloud.cut(before);
        let down = rig.link(|l| matches!(l, Link::Down { why } if why.contains(words))).await;
        let Link::Down { why } = down else { panic!("{down:?}") };
        assert!(!why.contains("xapp") && !why.contains("ticket"), "{why}");
        rig.cloud.until_opened(before + 1).await;
    }
}

#[tokio::test]
async fn a_ticket_that_was_used_opens_nothing_and_a_fresh_one_is_asked_for() {
    let mut rig = Rig::new().await;
    let used = rig.cloud.url.replacen("http", "ws", 1).replace("/api", "/link/?ticket=1");
    rig.cloud.answer("apps.connections.open", 200, &json!({ "ok": true, "url": used }).to_string());
    rig.cloud.cut(1);
    rig.link(|l| matches!(l, Link::Down { why } if why.contains("403"))).await;
    rig.cloud.until_opened(2).await;
    rig.link(|l| *l == Link::Open).await;
}

#[tokio::test]
async fn a_silent_connection_and_one_without_hello_are_given_up() {
    let quick = Pace { open: Duration::from_millis(300), ..pace() };
    let mut rig = Rig::with(quick, 64).await;
    rig.cloud.mute(true);
    rig.cloud.until_opened(1).await;
    rig.cloud.cut(1);
    rig.link(|l| matches!(l, Link::Down { why } if why.contains("hello"))).await;
    rig.cloud.mute(false);
    rig.link(|l| *l == Link::Open).await;
    drop(rig);

    // Our pings are the only life; a side that hears none of them within its time is dead to us.
    let deaf = Pace { ping: Duration::from_secs(60), silence: Duration::from_millis(200), ..pace() };
    let mut rig = Rig::with(deaf, 64).await;
    rig.link(|l| matches!(l, Link::Down { why } if why.contains("nothing was heard"))).await;
    rig.cloud.until_opened(2).await;
}

#[tokio::test]
async fn socket_mode_that_is_switched_off_is_told_and_not_hammered() {
    let slow = Pace { longest: Duration::from_secs(3_600), ..pace() };
    let mut rig = Rig::with(slow, 64).await;
    rig.link(|l| *l == Link::Open).await;
    rig.cloud.disconnect(1, "link_disabled");
    let down = rig.link(|l| matches!(l, Link::Down { .. })).await;
    assert!(matches!(down, Link::Down { why } if why.contains("switched off")));
    assert_eq!(rig.cloud.calls("apps.connections.open").len(), 1);
}

/// A click for which there is no place is not acknowledged: Slack then says that nobody answers.
#[tokio::test]
async fn a_click_without_a_place_is_not_acknowledged_and_counts_when_it_comes_again() {
    let mut rig = Rig::with(pace(), 1).await;
    rig.link(|l| *l == Link::Open).await;
    rig.cloud.envelope(1, "e1", "interactive", &payload(1));
    rig.cloud.envelope(1, "e2", "interactive", &payload(2));
    rig.cloud.envelope(1, "mark", "events_api", &json!({}));
    rig.cloud.until_acked("mark").await;
    assert_eq!(rig.cloud.acks().into_iter().map(|(_, e)| e).collect::<Vec<_>>(), ["e1", "mark"]);
    assert_eq!(rig.click().await.payload(), payload(1).to_string());
    rig.cloud.envelope(1, "e2", "interactive", &payload(2));
    rig.cloud.until_acked("e2").await;
    assert_eq!(rig.click().await.payload(), payload(2).to_string());
}

#[test]
fn a_wrong_token_is_told_before_anything_is_opened_and_never_shown() {
    let with = |token: &str, url: &str| {
        let (name, url, token) = ("chat".to_owned(), url.to_owned(), Secret::new(token));
        let config = SocketConfig { name, url, token, allow_private: Vec::new(), pace: Pace::default() };
        SocketMode::new(config).err().unwrap_or_default().join(" ")
    };
    let said = with("xoxb-1-secret", "https://slack.com/api");
    assert!(said.contains("begins with xapp-") && !said.contains("secret"), "{said}");
    assert!(with("xapp-\u{7}", "https://slack.com/api").contains("characters"));
    assert!(with("xapp-1", "http://slack.com/api").contains("https"));
    assert_eq!(with("xapp-1", "https://slack.com/api"), "");
}

/// The SDK that is fetched where there is none.
const SDK: &str = "3.35.0";

/// Slack's own client against our stand-in for Slack's cloud: what it acknowledges, and how it takes a
/// renewal, is what the stand-in expects of us.
#[tokio::test]
async fn slacks_own_sdk_speaks_with_the_same_cloud() {
    let Some(folder) = tokio::task::spawn_blocking(sdk_folder).await.expect("a thread") else {
        eprintln!(
            "SKIPPED: python3 with slack_sdk is not there and pip cannot fetch it; pip install slack_sdk"
        );
        return;
    };
    let cloud = Cloud::start().await;
    let mut python = tokio::process::Command::new("python3")
        .args(["-c", CLIENT, &cloud.url])
        .env("PYTHONPATH", folder)
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    cloud.until_opened(1).await;
    cloud.envelope(1, "e1", "interactive", &payload(1));
    cloud.until_acked("e1").await;
    cloud.disconnect(1, "warning");
    cloud.until_opened(2).await;
    cloud.envelope(2, "e2", "interactive", &payload(2));
    cloud.until_acked("e2").await;
    python.kill().await.expect("ends");
    assert_eq!(cloud.wrong(), Vec::<String>::new());
}

const CLIENT: &str = r#"
import sys, threading
from slack_sdk.web import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
client = SocketModeClient(app_token="xapp-1-sdk", web_client=WebClient(base_url=sys.argv[1] + "/"))
client.socket_mode_request_listeners.append(
    lambda c, r: c.send_socket_mode_response(SocketModeResponse(envelope_id=r.envelope_id)))
client.connect()
threading.Event().wait()
"#;

/// Where Slack's SDK lies: with this Python, or fetched once with pip for this test.
fn sdk_folder() -> Option<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("stanch-slack-sdk-{SDK}"));
    let imports = || {
        let out =
            Process::new("python3").args(["-c", "import slack_sdk"]).env("PYTHONPATH", &folder).output();
        out.is_ok_and(|out| out.status.success())
    };
    if !imports() {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"];
        drop(Process::new("python3").args(pip).arg(&folder).arg(format!("slack_sdk=={SDK}")).output());
    }
    imports().then_some(folder)
}
