use super::super::strict::{Reply, Strict, class, notice, ok};
use super::*;

fn rt(url: &str, token: &str, queue: &str) -> Rt {
    let config = RtConfig {
        name: "tickets".into(),
        url: url.into(),
        token: Secret::new(token),
        queue: queue.into(),
        allow_private: Vec::new(),
    };
    Rt::new(&config).unwrap_or_else(|why| panic!("{why:?}"))
}

fn created(body: &str) -> Reply {
    Reply::Say(201, "", body.to_owned())
}

#[tokio::test]
async fn a_change_has_one_ticket_from_its_beginning_to_its_end() {
    let other = Strict::start(vec![
        ok(r#"{"items":[]}"#),
        created(r#"{"id":"17","type":"ticket"}"#),
        ok(r#"{"items":[{"id":"17"}]}"#),
        created(r#"["Comments added"]"#),
        ok(r#"["Ticket 17: Status changed"]"#),
    ])
    .await;
    let rt = rt(&other.url, "1-23-abc", "General");
    assert_eq!(rt.notify(&notice()).await.expect("opened"), "RT ticket 17");
    let closing = Notice { closes: true, key: "ACT-4-lifted".into(), ..notice() };
    assert_eq!(rt.notify(&closing).await.expect("closed"), "RT ticket 17");
    let seen = other.seen();
    let calls: Vec<String> =
        seen.iter().map(|s| format!("{} {}", s.method, s.path.split('?').next().unwrap_or(""))).collect();
    assert_eq!(
        calls,
        [
            "GET /REST/2.0/tickets",
            "POST /REST/2.0/ticket",
            "GET /REST/2.0/tickets",
            "POST /REST/2.0/ticket/17/comment",
            "PUT /REST/2.0/ticket/17"
        ]
    );
    assert!(seen.iter().all(|s| s.header("authorization") == "token 1-23-abc"));
    assert!(seen[0].path.contains("stanch%3AACT-4"), "{}", seen[0].path);
    assert!(seen[1].json()["Subject"].as_str().expect("subject").ends_with("[stanch:ACT-4]"));
    assert_eq!(seen[4].json()["Status"], "resolved");
}

#[tokio::test]
async fn a_ticket_system_that_misbehaves_is_tried_again_and_never_taken_for_success() {
    for (script, expected) in [
        (vec![Reply::HangUp], "transient"),
        (vec![Reply::Say(500, "", String::new())], "transient"),
        (vec![Reply::Say(401, "", r#"{"message":"Unauthorized"}"#.into())], "unauthorised"),
        (vec![ok(r#"{"items":[]}"#), Reply::HangUp], "transient"),
        (vec![ok(r#"{"items":[]}"#), created("{}")], "transient"),
        (vec![ok(r#"{"items":[]}"#), Reply::Say(422, "", r#"{"message":"no queue"}"#.into())], "permanent"),
        (vec![ok(r#"{"items":[]}"#), ok(r#"{"id":1}"#)], "permanent"),
        (vec![ok(r#"{"items":[{"id":3}]}"#), Reply::Say(404, "", "{}".into())], "permanent"),
    ] {
        let other = Strict::start(script.clone()).await;
        let got = rt(&other.url, "t", "General").notify(&notice()).await;
        assert_eq!(class(&got), expected, "{script:?}");
    }
}

#[test]
fn a_mark_holds_nothing_that_a_query_would_obey() {
    let hostile = Notice { about: None, key: "x' OR Owner = 'root".into(), ..notice() };
    assert_eq!(mark_of(&hostile), "stanch:xOROwnerroot");
    assert_eq!(mark_of(&notice()), "stanch:ACT-4");
    let config = RtConfig {
        allow_private: Vec::new(),
        name: "t".into(),
        url: "http://example.com".into(),
        token: Secret::new("x"),
        queue: " ".into(),
    };
    assert_eq!(Rt::new(&config).err().map(|wrong| wrong.len()), Some(2));
}

/// A Request Tracker 5 of this machine's own, from Debian's package, for as long as this value lives.
struct Lab {
    server: std::process::Child,
    url: String,
    token: String,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

const SERVER: &str = "/usr/share/request-tracker5/libexec/standalone_httpd";
const TOKEN: &str = "use lib '/usr/share/request-tracker5/lib'; use RT -init; my $u = RT::User->new(RT->SystemUser); \
    $u->Load('root'); my $t = RT::AuthToken->new(RT::CurrentUser->new($u->Id)); \
    my (undef, undef, $a) = $t->Create(Owner => $u->Id, Description => 'stanch test'); print $a;";

/// Starts it, or says why that cannot be done here.
async fn lab() -> Result<Lab, String> {
    if !std::path::Path::new(SERVER).exists() {
        return Err("apt-get install request-tracker5 rt5-db-sqlite rt5-standalone".to_owned());
    }
    let perl = std::process::Command::new("perl").args(["-e", TOKEN]).output().map_err(|e| e.to_string())?;
    let token = String::from_utf8_lossy(&perl.stdout).trim().to_owned();
    if !perl.status.success() || token.is_empty() {
        return Err("its database can be used by root only".to_owned());
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .map_err(|e| e.to_string())?
        .port();
    let server = std::process::Command::new(SERVER)
        .args(["--port", &port.to_string()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let lab = Lab { server, url: format!("http://127.0.0.1:{port}"), token };
    for _ in 0..200 {
        if rt(&lab.url, &lab.token, "General").find("stanch:none").await.is_ok() {
            return Ok(lab);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Err("it did not answer within 40 s".to_owned())
}

#[tokio::test]
async fn a_real_request_tracker_opens_comments_and_resolves() {
    let lab = match lab().await {
        Ok(lab) => lab,
        Err(why) => {
            assert!(std::env::var_os("STANCH_REQUIRE_LAB").is_none(), "no Request Tracker: {why}");
            eprintln!("SKIPPED: no Request Tracker: {why}");
            return;
        }
    };
    let rt = rt(&lab.url, &lab.token, "General");
    let about = stanch_model::ActionId(u64::from(std::process::id()));
    let notice = Notice { about: Some(about), ..notice() };
    let first = rt.notify(&notice).await.expect("opened");
    let again = rt.notify(&Notice { key: "again".into(), ..notice.clone() }).await.expect("commented");
    assert_eq!(first, again, "one ticket");
    let closed = rt.notify(&Notice { key: "over".into(), closes: true, ..notice }).await.expect("resolved");
    assert_eq!(first, closed);
    let id = first.trim_start_matches("RT ticket ").to_owned();
    let reply = rt.ask(Method::GET, &format!("ticket/{id}"), None).await.expect("read");
    let said = json_of(&reply, StatusCode::OK).expect("JSON");
    assert_eq!(said["Status"], "resolved");
    assert!(said["Subject"].as_str().expect("subject").contains(&format!("[stanch:{about}]")));
}
