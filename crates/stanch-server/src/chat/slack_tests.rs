use std::process::Command as Process;

use axum::http::{HeaderName, HeaderValue};

use super::*;

/// Source: Slack, "Verifying requests from Slack", the example.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const STAMP: &str = "1531420618";
const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
const NOW: Timestamp = Timestamp(1_531_420_618_000);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn holds(stamp: &str, signature: &str, body: &str, now: Timestamp) -> bool {
    let headers = headers(&[("x-slack-request-timestamp", stamp), ("x-slack-signature", signature)]);
    verify(SECRET, &headers, body.as_bytes(), now).is_some()
}

#[test]
fn slacks_own_example_verifies_and_nothing_near_it_does() {
    assert!(holds(STAMP, SIGNATURE, BODY, NOW));
    assert!(!holds(STAMP, SIGNATURE, &format!("{BODY} "), NOW));
    assert!(!holds("1531420619", SIGNATURE, BODY, NOW));
    assert!(!holds(STAMP, &SIGNATURE.replace("v0=", "v1="), BODY, NOW));
    assert!(!holds(STAMP, &SIGNATURE["v0=".len()..], BODY, NOW));
    assert!(!holds(STAMP, "", BODY, NOW) && !holds("", SIGNATURE, BODY, NOW));
    assert!(!holds("-1531420618", SIGNATURE, BODY, NOW) && !holds("1531420618.0", SIGNATURE, BODY, NOW));
    for i in 3..SIGNATURE.len() {
        let mut other = SIGNATURE.as_bytes().to_vec();
        other[i] = if other[i] == b'0' { b'1' } else { b'0' };
        assert!(!holds(STAMP, std::str::from_utf8(&other).unwrap(), BODY, NOW), "digit {i}");
    }
    let good = headers(&[("x-slack-request-timestamp", STAMP), ("x-slack-signature", SIGNATURE)]);
    assert!(verify("", &good, BODY.as_bytes(), NOW).is_none(), "no secret opens nothing");
    assert!(verify("another", &good, BODY.as_bytes(), NOW).is_none());
    assert!(verify(SECRET, &HeaderMap::new(), BODY.as_bytes(), NOW).is_none());
    let twice = headers(&[
        ("x-slack-request-timestamp", STAMP),
        ("x-slack-signature", SIGNATURE),
        ("x-slack-signature", SIGNATURE),
    ]);
    assert!(verify(SECRET, &twice, BODY.as_bytes(), NOW).is_none());
}

#[test]
fn old_and_future_requests_are_refused_at_five_minutes() {
    let at = |ms: i64| holds(STAMP, SIGNATURE, BODY, NOW.plus(Span(ms)));
    assert!(at(300_000) && at(-300_000));
    assert!(!at(300_001) && !at(-300_001));
    assert!(
        !holds(STAMP, SIGNATURE, BODY, Timestamp(i64::MAX))
            && !holds(STAMP, SIGNATURE, BODY, Timestamp(i64::MIN))
    );
}

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
        let wanted = format!("slack_sdk=={SDK}");
        drop(Process::new("python3").args(pip).arg(&folder).arg(wanted).output());
    }
    imports().then_some(folder)
}

/// The SDK that is fetched where there is none.
const SDK: &str = "3.35.0";

/// Slack's own SDK as the other side, both ways round.
#[test]
fn slacks_sdk_and_we_agree_on_signatures() {
    let folder = sdk_folder();
    let sdk = |code: &str| {
        let folder = folder.as_ref()?;
        let mut python = Process::new("python3");
        let out = python.args(["-c", code, SECRET, STAMP, BODY]).env("PYTHONPATH", folder).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let made = sdk(
        "import sys\nfrom slack_sdk.signature import SignatureVerifier as V\nprint(V(sys.argv[1]).generate_signature(timestamp=sys.argv[2], body=sys.argv[3]))",
    );
    let Some(made) = made else {
        eprintln!(
            "SKIPPED: python3 with slack_sdk is not there and pip cannot fetch it; pip install slack_sdk"
        );
        return;
    };
    assert!(holds(STAMP, &made, BODY, NOW), "{made}");
    let odd = sdk(
        "import sys\nfrom slack_sdk.signature import SignatureVerifier as V\nprint(V(sys.argv[1]).generate_signature(timestamp='1531420700', body='payload=%7B%22x%22%3A%22%C3%BC%22%7D'))",
    );
    let now = Timestamp(1_531_420_700_000);
    assert!(holds("1531420700", &odd.unwrap_or_default(), "payload=%7B%22x%22%3A%22%C3%BC%22%7D", now));
}

#[test]
fn the_one_field_of_the_form_is_read_in_one_way() {
    for body in [
        "",
        "x=1&payload=%7B%7D",
        "payload=%7",
        "payload=%zz",
        "payload=%ff",
        "payload=%7B%7D&payload=%7B%7D",
        "{}",
    ] {
        assert_eq!(field(body.as_bytes()), None, "{body}");
    }
    assert_eq!(field(b"payload=a+b%20c").as_deref(), Some("a b c"));
    assert_eq!(field(b"payload=").as_deref(), Some(""));
}
