//! The responder against a real firewall and real traffic, in namespaces made for it.

use std::future::Future;
use std::process::Command;
use std::time::{Duration, Instant};

use stanch_model::{ActionId, IncidentId};

use super::*;
use crate::responder::lab::tests::a_bare_lab;
use crate::responder::lab::{Beat, Lab, Probe};

const INSIDE: &str = "10.0.0.100";
const OUTSIDE: &str = "10.0.254.35";

/// A lab with a firewall whose table is laid out, where labs can be built.
async fn a_lab(inside: &str, outside: &str) -> Option<(Lab, Nftables)> {
    let lab = a_bare_lab(inside, outside).await?;
    let fw = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    fw.prepare().await.expect("a table");
    Some((lab, fw))
}

fn block(id: u64, target: &str, ttl: Span) -> Action {
    Action {
        id: ActionId(id),
        incident: IncidentId(1),
        responder: "edge".to_owned(),
        kind: ActionKind::BlockAddress { target: target.parse().expect(target) },
        ttl,
        before: None,
    }
}

/// nft by hand, as somebody else on the same machine would.
fn by_hand(lab: &Lab, args: &[&str]) -> String {
    let done = Command::new("/usr/sbin/ip")
        .args(["netns", "exec", &lab.firewall_ns(), "/usr/sbin/nft"])
        .args(args)
        .output()
        .expect("nft runs");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("utf-8")
}

/// The ruleset without counters.
fn snapshot(lab: &Lab) -> String {
    by_hand(lab, &["-s", "list", "ruleset"])
}

/// Looks again and again until it is so; says how long it took.
async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < Duration::from_secs(10), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

fn is_present(seen: &Result<Observed, Failure>) -> bool {
    matches!(seen, Ok(Observed::Present { expires_in: Some(_) }))
}

fn expiry(seen: &Result<Observed, Failure>) -> Span {
    match seen {
        Ok(Observed::Present { expires_in: Some(left) }) => *left,
        other => panic!("not present: {other:?}"),
    }
}

#[tokio::test]
async fn a_block_stops_a_connection_that_worked_and_a_revert_restores_the_ruleset_exactly() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let before = snapshot(&lab);
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })), "{:?}", lab.probe().await);

    let action = block(4, "10.0.254.35/32", Span::mins(10));
    assert_eq!(fw.verify(&action).await, Ok(Observed::Absent));
    assert!(is_present(&fw.perform(&action).await));
    assert!(is_present(&fw.verify(&action).await));
    assert!(matches!(lab.probe().await, Ok(Probe::Blocked { .. })));
    assert!(fw.dropped_packets().await.expect("readable") > 0);
    assert_eq!(fw.list_ours().await.expect("readable").len(), 1);

    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })));
    assert_eq!(snapshot(&lab), before);
}

#[tokio::test]
async fn a_block_of_the_inside_host_cuts_its_established_connection() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let mut held = lab.hold(Duration::from_millis(50)).expect("a connection");
    assert!(matches!(held.next().await, Some(Beat::Echo { .. })));
    let action = block(1, "10.0.0.100/32", Span::mins(1));
    assert!(is_present(&fw.perform(&action).await));
    let cut = async {
        loop {
            match held.next().await {
                Some(Beat::Echo { .. }) => {}
                other => return other,
            }
        }
    };
    let cut = tokio::time::timeout(Duration::from_secs(10), cut).await.expect("the connection is cut");
    assert!(matches!(cut, Some(Beat::Lost { .. })), "{cut:?}");
}

#[tokio::test]
async fn a_block_ends_by_itself_with_nobody_there_to_end_it() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let before = snapshot(&lab);
    let action = block(2, "10.0.254.35/32", Span::secs(2));
    assert!(is_present(&fw.perform(&action).await));
    let performed = Instant::now();
    assert!(matches!(lab.probe().await, Ok(Probe::Blocked { .. })));
    drop(fw);
    until("traffic flows again", || async { matches!(lab.probe().await, Ok(Probe::Open { .. })) }).await;
    assert!(
        performed.elapsed() < Duration::from_secs(2 + 5),
        "P-8: TTL + 5 s, took {:?}",
        performed.elapsed()
    );
    assert_eq!(snapshot(&lab), before);

    // The room is free again, and a revert after the end is no error.
    let fw = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert!(is_present(&fw.perform(&block(3, "10.0.254.35/32", Span::secs(60))).await));
}

#[tokio::test]
async fn performing_twice_blocks_once_and_never_extends() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let action = block(5, "10.0.254.35/32", Span::secs(60));
    let first = expiry(&fw.perform(&action).await);
    until("the timer has run for a second", || async { expiry(&fw.verify(&action).await) < first }).await;
    let longer = Action { ttl: Span::hours(4), ..action.clone() };
    assert!(expiry(&fw.perform(&longer).await) < first);
    assert_eq!(fw.list_ours().await.expect("readable").len(), 1);
    assert_eq!(by_hand(&lab, &["list", "ruleset"]).matches("stanch:ACT-5").count(), 1);
}

#[tokio::test]
async fn what_others_put_there_is_reported_and_left_alone() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    by_hand(&lab, &["add", "element", "inet", "stanch", "blocked4", "{ 10.0.254.35 comment \"by hand\" }"]);
    by_hand(&lab, &["add", "element", "inet", "stanch", "blocked4", "{ 10.7.0.0/16 timeout 1h }"]);
    by_hand(&lab, &["add", "table", "inet", "theirs"]);
    assert!(is_present(&fw.perform(&block(6, "10.8.0.1/32", Span::mins(1))).await));
    let before = snapshot(&lab);
    for target in ["10.0.254.35/32", "10.7.1.1/32", "10.7.0.0/16", "10.8.0.1/32", "10.8.0.0/24"] {
        let action = block(7, target, Span::mins(1));
        assert!(matches!(fw.perform(&action).await, Ok(Observed::Different { .. })), "{target}");
        assert!(matches!(fw.verify(&action).await, Ok(Observed::Different { .. })), "{target}");
        assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    }
    let timeless = |text: String| {
        text.lines().map(|l| l.split(" expires").next().unwrap_or(l).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(timeless(snapshot(&lab)).len(), timeless(before).len());
    assert!(matches!(fw.verify(&block(6, "10.8.0.1/32", Span::mins(1))).await, Ok(Observed::Present { .. })));
    assert!(!fw.withdraw().await.expect("readable"), "a table in use stays");
}

#[tokio::test]
async fn a_table_that_lost_its_rules_or_is_gone_is_seen_and_made_whole_again() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let action = block(8, "10.0.254.35/32", Span::mins(1));
    assert!(is_present(&fw.perform(&action).await));
    by_hand(&lab, &["flush", "chain", "inet", "stanch", "forward"]);
    assert!(matches!(fw.verify(&action).await, Ok(Observed::Different { .. })));
    assert!(is_present(&fw.perform(&action).await));
    assert!(matches!(lab.probe().await, Ok(Probe::Blocked { .. })));
    by_hand(&lab, &["flush", "ruleset"]);
    assert_eq!(fw.verify(&action).await, Ok(Observed::Absent));
    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert!(is_present(&fw.perform(&action).await));
    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert!(fw.withdraw().await.expect("withdrawn"));
    assert_eq!(snapshot(&lab), "");
}

#[tokio::test]
async fn blocks_work_for_ipv6_and_for_prefixes() {
    let Some((lab, fw)) = a_lab("2001:db8:1::100", "2001:db8:2::35").await else { return };
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })), "{:?}", lab.probe().await);
    let action = block(9, "2001:db8:2::/64", Span::mins(1));
    assert!(is_present(&fw.perform(&action).await));
    assert!(matches!(lab.probe().await, Ok(Probe::Blocked { .. })));
    let ours = fw.list_ours().await.expect("readable");
    assert_eq!((ours[0].0.as_str(), ours[0].1.to_string().as_str()), ("stanch:ACT-9", "2001:db8:2::/64"));
    assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })));
}

#[tokio::test]
async fn a_program_that_hangs_leaves_the_outcome_unknown_and_a_missing_one_says_how_to_install_it() {
    let missing = NftConfig { program: "/nonexistent/nft".into(), ..NftConfig::named("edge") };
    let failure = Nftables::new(missing).perform(&block(1, "192.0.2.1/32", Span::mins(1))).await;
    assert!(matches!(&failure, Err(Failure::Permanent { why }) if why.contains(INSTALL)), "{failure:?}");

    let Some((lab, _)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let gone = Nftables::new(NftConfig::named("edge").in_netns(format!("{}-not", lab.firewall_ns())));
    assert!(matches!(
        gone.verify(&block(1, "192.0.2.1/32", Span::mins(1))).await,
        Err(Failure::Permanent { .. })
    ));

    // Answers the look, then hangs on the change, with the change made.
    let dir = tempfile::tempdir().expect("a folder");
    let slow = dir.path().join("nft");
    let script = "#!/bin/sh\nin=$(cat)\necho \"$in\" | /usr/sbin/nft \"$@\"\ncase \"$in\" in *create*) exec sleep 30;; esac\n";
    std::fs::write(&slow, script).expect("written");
    std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let config = NftConfig { program: slow, timeout: Duration::from_secs(1), ..NftConfig::named("edge") };
    let fw = Nftables::new(config.in_netns(lab.firewall_ns()));
    let action = block(10, "10.0.254.35/32", Span::mins(1));
    let lost = fw.perform(&action).await;
    assert!(matches!(lost, Err(Failure::Unknown { .. })), "{lost:?}");
    assert!(is_present(&fw.verify(&action).await), "a look settles what the lost answer left open");
}

#[tokio::test]
async fn two_writers_at_once_leave_one_block_and_the_other_is_told() {
    let Some((lab, one)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let two = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    for round in 1..=20 {
        let target = format!("192.0.2.{round}/32");
        let (a, b) = (block(round, &target, Span::mins(1)), block(100 + round, &target, Span::mins(1)));
        let (same_1, same_2, other) = tokio::join!(one.perform(&a), two.perform(&a), two.perform(&b));
        assert!(is_present(&same_1) == is_present(&same_2), "{same_1:?} {same_2:?}");
        assert!(is_present(&same_1) != is_present(&other), "{same_1:?} {other:?}");
    }
    let ours = one.list_ours().await.expect("readable");
    assert_eq!(ours.len(), 20);
    assert!(ours.iter().all(|(_, _, expires)| expires.is_some()), "nothing is immortal");
}

#[tokio::test]
async fn the_addresses_of_a_firewall_are_discovered_in_its_own_namespace() {
    let Some((lab, _)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let found = |ns: String| {
        let all = crate::discover::discover(Some(&ns)).addresses;
        all.into_iter().map(|d| format!("{} {}", d.net, d.why)).collect::<Vec<_>>()
    };
    let inside = found(lab.inside_ns());
    assert!(inside.contains(&"10.0.0.100/32 own address".to_owned()), "{inside:?}");
    assert!(inside.contains(&"169.254.77.1/32 default gateway on eth0".to_owned()), "{inside:?}");
    let firewall = found(lab.firewall_ns());
    assert!(firewall.contains(&"169.254.77.1/32 own address".to_owned()), "{firewall:?}");
}

#[tokio::test]
async fn fifty_cycles_leave_nothing_and_no_block_is_immortal() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let before = snapshot(&lab);
    for id in 1..=50_u64 {
        let action = block(id, &format!("198.51.100.{}/32", id % 20), Span::secs(30));
        assert!(expiry(&fw.perform(&action).await) <= action.ttl);
        assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    }
    assert_eq!(snapshot(&lab), before);
}

#[tokio::test]
async fn ten_thousand_blocks_are_listed_and_one_more_is_added_in_time() {
    let Some((lab, fw)) = a_lab(INSIDE, OUTSIDE).await else { return };
    let many: Vec<String> = (0..10_000_u32)
        .map(|n| {
            format!("10.{}.{}.1 timeout 1h comment \"stanch:ACT-{}\"", 100 + n / 250, n % 250, n + 1_000)
        })
        .collect();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("many.nft");
    std::fs::write(&file, format!("add element inet stanch blocked4 {{ {} }}\n", many.join(", ")))
        .expect("written");
    by_hand(&lab, &["-f", file.to_str().expect("utf-8")]);
    let start = Instant::now();
    assert!(is_present(&fw.perform(&block(1, "10.0.254.35/32", Span::mins(1))).await));
    assert_eq!(fw.list_ours().await.expect("readable").len(), 10_001);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "four calls took {took:?}");
}
