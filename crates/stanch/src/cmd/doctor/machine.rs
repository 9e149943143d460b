//! What the machine must have: space, tools, a clock.

use std::path::Path;
use std::process::{Command, Stdio};

use stanch_core::Config;
use stanch_core::config::ResponderConfig;
use stanch_model::{Span, Timestamp};

use super::Finding;
use crate::cli::Ctx;
use crate::output::now;

/// Less than this is not enough to go on, in bytes.
const LEAST: u64 = 64 << 20;
/// Less than this should be looked at, in bytes.
const LOW: u64 = 1 << 30;
/// A clock further off than this is refused by signed sources. Source: `stanch_server::intake::lock`.
const SKEW: Span = Span::secs(300);
/// No build of ours is older than this: 2025-01-01T00:00:00Z.
const EPOCH: Timestamp = Timestamp(1_735_689_600_000);

/// Space for the journal.
pub(crate) fn disk(data: &Path) -> Finding {
    const NAME: &str = "disk";
    let Some(place) = data.ancestors().find(|p| p.exists() || p.as_os_str().is_empty()) else {
        return Finding::warning(NAME, "not looked at", "");
    };
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let stat = match rustix::fs::statvfs(place) {
        Ok(stat) => stat,
        Err(error) => return Finding::warning(NAME, format!("{}: {error}", place.display()), ""),
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let message = format!("{} MiB free for {}", free >> 20, data.display());
    match free {
        0..LEAST => Finding::broken(NAME, message, "make room: without it nothing can be acknowledged"),
        LEAST..LOW => Finding::warning(NAME, message, "make room before it runs out"),
        _ => Finding::ok(NAME, message),
    }
}

/// `nft` and `ip`: needed when a responder uses them, good to have otherwise.
pub(crate) fn tools(config: Option<&Config>) -> Vec<Finding> {
    let used = |wanted: fn(&ResponderConfig) -> bool| {
        config.is_some_and(|c| c.connectors.responders.iter().any(wanted))
    };
    let nft = used(|r| matches!(r, ResponderConfig::Nftables { .. }));
    let netns = used(|r| matches!(r, ResponderConfig::Nftables { netns: Some(_), .. }));
    vec![
        tool("nft", &["list", "tables"], nft, "apt-get install nftables"),
        tool("ip", &["netns", "list"], netns, "apt-get install iproute2"),
    ]
}

fn tool(name: &'static str, harmless: &[&str], needed: bool, install: &str) -> Finding {
    let fault = |message: String, mend: String| {
        if needed {
            return Finding::broken(name, message, mend);
        }
        Finding::warning(name, format!("{message}; no responder of this configuration needs it"), mend)
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = Command::new(name)
        .args(harmless)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .output();
    match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fault("is not installed".to_owned(), format!("on Debian: {install}"))
        }
        Err(error) => fault(format!("cannot be run: {error}"), String::new()),
        Ok(output) if output.status.success() => Finding::ok(name, "there, and we may use it"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().next().unwrap_or_default().to_owned();
            fault(
                format!("is there, but refuses us: {first}"),
                "give stanch CAP_NET_ADMIN, or run it as root".to_owned(),
            )
        }
    }
}

/// Is it plausible, and the same as the server's?
pub(crate) async fn clock(server: &str, ctx: &Ctx) -> Finding {
    const NAME: &str = "clock";
    let ours = now();
    if ours < EPOCH {
        return Finding::broken(NAME, format!("it is {ours}, which cannot be"), "set the clock; use NTP");
    }
    let Some(theirs) = server_time(server, ctx).await else {
        return Finding::ok(NAME, format!("{ours}; no server to compare it with"));
    };
    let off = ours.since(theirs);
    if off.0.abs() > SKEW.0 {
        let message = format!("{ours}, but the server has {theirs}");
        return Finding::broken(
            NAME,
            message,
            "use NTP on both: signed deliveries are refused beyond five minutes",
        );
    }
    Finding::ok(NAME, format!("{ours}, as on the server"))
}

/// The time in the `Date` header: to the second.
async fn server_time(server: &str, ctx: &Ctx) -> Option<Timestamp> {
    let client = crate::client::http_client(&ctx.reach_without_token()).ok()?;
    let answer = client.get(format!("{}/healthz", server.trim_end_matches('/'))).send().await.ok()?;
    http_date(answer.headers().get("date")?.to_str().ok()?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110 §5.6.7.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_http_is_read() {
        let time = http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(|t| t.to_string());
        assert_eq!(time.as_deref(), Some("1994-11-06T08:49:37.000Z"));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_missing_tool_is_a_fault_only_when_it_is_needed() {
        let missing = |needed| tool("stanch-no-such-tool", &[], needed, "apt-get install it").state;
        assert_eq!(missing(true), super::super::State::Broken);
        assert_eq!(missing(false), super::super::State::Warning);
    }
}
