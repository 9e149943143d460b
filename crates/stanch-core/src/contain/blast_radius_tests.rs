use stanch_model::Observable;

use super::*;

fn fact(about: &str, meaning: Meaning) -> Fact {
    let kind = if about.parse::<IpAddr>().is_ok() { ObservableKind::Ip } else { ObservableKind::User };
    Fact { provider: "test".into(), about: Observable::new(kind, about), meaning }
}

fn asset(name: &str, criticality: Criticality) -> Meaning {
    Meaning::Asset { name: name.into(), criticality, owner: None, kind: None }
}

fn traffic(peers: u64) -> Fact {
    fact("203.0.113.9", Meaning::Traffic { peers, flows: 12, bytes: 3_500_000, top: vec![] })
}

fn peer(address: &str, name: Option<&str>, criticality: Criticality) -> Peer {
    Peer {
        address: address.parse().expect("address"),
        asset: name.map(|n| fact(address, asset(n, criticality))),
        last_contact: Some(Timestamp(1_700_000_000_000)),
    }
}

fn estimate(target: &str, facts: &[Fact], peers: &[Peer]) -> BlastRadius {
    BlastRadius::estimate(target.parse().expect("prefix"), facts, peers)
}

#[test]
fn one_victim_and_little_traffic_is_low() {
    let blast =
        estimate("203.0.113.9/32", &[traffic(1)], &[peer("10.0.0.7", Some("lap-7"), Criticality::Medium)]);
    assert_eq!(
        blast.lines(),
        [
            "203.0.113.9: 1 address covered; blast radius low",
            "traffic: 3 MiB with 1 machine in 12 connections",
            "machines of ours: 1",
            "  lap-7 10.0.0.7 (medium criticality), last contact 2023-11-14T22:13:20Z",
        ]
    );
    assert_eq!(blast.level, Level::Low);
}

#[test]
fn what_is_not_known_counts_as_high() {
    let blast = estimate("203.0.113.9/32", &[], &[]);
    assert_eq!(blast.level, Level::High);
    assert_eq!(
        blast.lines().last().map(String::as_str),
        Some("not known: who else talks to it: no traffic records")
    );
    let blast = estimate("203.0.113.9/32", &[traffic(4)], &[]);
    assert_eq!((blast.level, blast.unknown.len()), (Level::High, 1));
    let blast = estimate("203.0.113.9/32", &[traffic(0)], &[]);
    assert_eq!((blast.level, blast.unknown.len()), (Level::Low, 0));
}

#[test]
fn each_thing_that_hurts_raises_the_level() {
    let low = peer("10.0.0.7", Some("lap-7"), Criticality::Low);
    let level = |facts: &[Fact], peers: &[Peer]| estimate("203.0.113.9/32", facts, peers).level;
    assert_eq!(level(&[traffic(3)], std::slice::from_ref(&low)), Level::Medium);
    assert_eq!(level(&[traffic(25)], std::slice::from_ref(&low)), Level::High);
    assert_eq!(level(&[traffic(1)], &[peer("10.0.0.1", Some("erp"), Criticality::High)]), Level::High);
    assert_eq!(level(&[traffic(1)], &[peer("10.0.0.1", Some("dc-1"), Criticality::Critical)]), Level::High);
    let two = [low.clone(), peer("10.0.0.8", Some("lap-8"), Criticality::Low)];
    assert_eq!(level(&[traffic(2)], &two), Level::Medium);
    assert_eq!(
        level(&[traffic(1), fact("alice", Meaning::Note { name: "n".into(), value: "v".into() })], &[]),
        Level::High
    );
    let user = fact("alice", Meaning::Note { name: "n".into(), value: "v".into() });
    assert_eq!(level(&[traffic(1), user], std::slice::from_ref(&low)), Level::Medium);
    let cdn = fact("203.0.113.9", Meaning::Shared { list: "cdn".into() });
    assert_eq!(level(&[traffic(1), cdn], std::slice::from_ref(&low)), Level::High);
    assert_eq!(estimate("203.0.113.8/30", &[traffic(1)], std::slice::from_ref(&low)).level, Level::Medium);
    let own = fact("203.0.113.9", asset("web-1", Criticality::Low));
    assert_eq!(level(&[traffic(1), own], &[low]), Level::High, "the target is ours");
}

#[test]
fn the_order_of_facts_does_not_matter_and_repeats_count_once() {
    let a = peer("10.0.0.7", Some("lap-7"), Criticality::Low);
    let b = peer("10.0.0.1", Some("dc-1"), Criticality::Critical);
    let user = |n: &str| fact(n, Meaning::Note { name: "n".into(), value: "v".into() });
    let one = estimate(
        "203.0.113.9/32",
        &[traffic(2), traffic(9), user("x"), user("a")],
        &[a.clone(), b.clone(), a.clone()],
    );
    let two = estimate("203.0.113.9/32", &[user("a"), user("x"), traffic(9), user("a")], &[b, a]);
    assert_eq!(one.own_assets, two.own_assets);
    assert_eq!((one.own_assets.len(), one.own_assets[0].name.as_str()), (2, "dc-1"));
    assert_eq!((one.users.join(" "), one.peers), ("a x".to_owned(), 9));
    assert!(one.lines().contains(&"accounts: a, x".to_owned()));
}

#[test]
fn wide_targets_are_counted_without_overflow() {
    let n = |text: &str| addresses(&text.parse().expect("prefix"));
    assert_eq!(n("10.0.0.0/8"), 1 << 24);
    assert_eq!(n("2001:db8::/65"), 1 << 63);
    assert_eq!(n("2001:db8::/64"), u64::MAX);
    assert_eq!(n("::/0"), u64::MAX);
    let lines = estimate("2001:db8::/32", &[], &[]).lines();
    assert_eq!(lines[0], "2001:db8::/32: 2^64 addresses or more covered; blast radius high");
    let lines = estimate("10.0.0.0/24", &[], &[]).lines();
    assert_eq!(lines[0], "10.0.0.0/24: 256 addresses covered; blast radius high");
}

#[test]
fn lines_are_never_wider_than_the_screen_and_hide_nothing_behind_control_characters() {
    let long = "x\u{1b}[2J".repeat(40);
    let peers: Vec<Peer> =
        (1..9).map(|i| peer(&format!("10.0.0.{i}"), Some(&format!("{long}{i}")), Criticality::Low)).collect();
    let shared = fact("203.0.113.9", Meaning::Shared { list: long });
    let lines = estimate("203.0.113.9/32", &[traffic(9), shared], &peers).lines();
    assert!(lines.iter().all(|l| l.chars().count() <= WIDTH && !l.contains('\u{1b}')), "{lines:?}");
    assert!(lines.contains(&"  and 3 more".to_owned()));
    assert_eq!(
        [size(0), size(1023), size(5 << 40), size(u64::MAX)],
        ["0 bytes", "1023 bytes", "5 TiB", "16777215 TiB"]
    );
}

#[test]
fn a_target_that_is_no_address_is_rated_by_what_is_known_of_it() {
    let of = |facts: &[Fact]| BlastRadius::of_named("account alice", facts);
    let unknown = of(&[]);
    assert_eq!((unknown.level, unknown.target), (Level::High, None));
    assert_eq!(
        unknown.lines(),
        [
            "account alice: blast radius high",
            "not known: whom it would hurt: neither inventory nor traffic records know it"
        ]
    );
    let person = |c| fact("alice", asset("Alice", c));
    assert_eq!(of(&[person(Criticality::Low)]).level, Level::Low);
    assert_eq!(of(&[person(Criticality::Medium)]).level, Level::Medium);
    assert_eq!(of(&[person(Criticality::High)]).level, Level::High);
    assert_eq!(of(&[person(Criticality::Low), person(Criticality::Critical)]).level, Level::High);
    assert_eq!(of(&[traffic(1)]).level, Level::Low);
    assert_eq!(of(&[traffic(2)]).level, Level::Low);
    assert_eq!(of(&[traffic(3)]).level, Level::Medium);
    assert_eq!(of(&[traffic(24)]).level, Level::Medium);
    assert_eq!(of(&[traffic(25)]).level, Level::High);
    assert_eq!(of(&[traffic(1), fact("x", Meaning::Shared { list: "cdn".into() })]).level, Level::High);
    assert_eq!(
        of(&[person(Criticality::Low), traffic(2)]).lines(),
        [
            "account alice: blast radius low",
            "traffic: 3 MiB with 2 machines in 12 connections",
            "of ours: Alice (low criticality)"
        ]
    );
    let mut low = of(&[person(Criticality::Low)]);
    low.add_unknown("more".into());
    assert_eq!(low.level, Level::High);
}
