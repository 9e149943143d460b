use proptest::prelude::*;

use super::*;

const URLHAUS: &[u8] = include_bytes!("../../../fixtures/intel/urlhaus.csv");
const THREATFOX: &[u8] = include_bytes!("../../../fixtures/intel/threatfox.csv");
const FEODO: &[u8] = include_bytes!("../../../fixtures/intel/feodo.json");
const DROP: &[u8] = include_bytes!("../../../fixtures/intel/drop.txt");
const DROP_V4: &[u8] = include_bytes!("../../../fixtures/intel/drop_v4.json");
const PLAIN: &[u8] = include_bytes!("../../../fixtures/intel/plain.txt");
const STIX: &[u8] = include_bytes!("../../../fixtures/intel/bundle.json");

/// Everything a feed says about a value, in words.
fn said(intel: &dyn Reference, kind: ObservableKind, value: &str) -> Vec<String> {
    let facts = intel.look_up("north", &Observable::new(kind, value));
    facts
        .into_iter()
        .map(|f| match f.meaning {
            Meaning::Malicious { feed, confidence, label, valid_until } => {
                let until = valid_until.map(|t| format!(" until {t}")).unwrap_or_default();
                format!("{feed} {confidence} {}{until}", label.as_deref().unwrap_or("-"))
            }
            other => format!("{other:?}"),
        })
        .collect()
}

fn load(bytes: &[u8]) -> (Intel, Vec<String>) {
    let (intel, mistakes) = Intel::load_file("f", "feed", bytes);
    (intel, mistakes.iter().map(Mistake::to_string).collect())
}

fn good(bytes: &[u8]) -> Intel {
    let (intel, mistakes) = load(bytes);
    assert_eq!(mistakes, [""; 0]);
    intel
}

#[test]
fn urlhaus_is_read_with_its_heading_in_a_comment() {
    let intel = good(URLHAUS);
    assert_eq!(intel.len(), 3);
    assert_eq!(said(&intel, ObservableKind::Url, "https://bad.example/a.exe"), ["f 50 malware_download"]);
    assert_eq!(said(&intel, ObservableKind::Url, "http://bad.example/other"), [""; 0]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "bad.example"), [""; 0]);
    assert_eq!(
        said(&intel, ObservableKind::Url, "http://198.51.100.9:8080/bin.sh"),
        ["f 50 malware_download"]
    );
}

#[test]
fn threatfox_is_read_with_spaces_before_its_quotes() {
    let intel = good(THREATFOX);
    assert_eq!(said(&intel, ObservableKind::Ip, "198.51.100.23"), ["f 75 Gafgyt"]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "c2.bad.example"), ["f 100 Cobalt Strike"]);
    let digest = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(said(&intel, ObservableKind::Hash, digest), ["f 50 Qakbot"]);
}

#[test]
fn feodo_json_and_both_kinds_of_drop_are_read() {
    assert_eq!(said(&good(FEODO), ObservableKind::Ip, "198.51.100.77"), ["f 50 Emotet"]);
    for drop in [DROP, DROP_V4] {
        let intel = good(drop);
        assert_eq!(said(&intel, ObservableKind::Ip, "203.0.113.200"), ["f 50 SBL100001"]);
        assert_eq!(said(&intel, ObservableKind::Ip, "203.0.112.255"), [""; 0]);
    }
}

#[test]
fn plain_lists_are_tolerant_and_tell_what_they_could_not_use() {
    let (intel, mistakes) = load(PLAIN);
    assert_eq!(said(&intel, ObservableKind::Ip, "198.51.100.1"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Ip, "2001:db8:bad::7"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "www.bad.example"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "notbad.example"), [""; 0]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "tracker.example"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "filtered.example"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Url, "http://evil.example/x#part"), ["f 50 -"]);
    assert_eq!(said(&intel, ObservableKind::Email, "EVE@phish.example"), ["f 50 -"]);
    assert_eq!(
        mistakes,
        [
            "feed:15:1: \"0.0.0.0/0\" covers a large part of the internet (networks down to /8 (IPv4) and /19 (IPv6) are taken)",
            "feed:16:1: \"not/\" is a single label and would cover everything below it (write the full domain)",
            "feed:17:3: \"com\" is a single label and would cover everything below it (write the full domain)",
        ]
    );
}

#[test]
fn a_stix_bundle_gives_its_usable_part_and_lists_the_rest() {
    let (intel, mistakes) = load(STIX);
    assert_eq!(
        said(&intel, ObservableKind::Ip, "198.51.100.5"),
        ["f 85 Example RAT until 2026-06-01T00:00:00.000Z"]
    );
    assert_eq!(said(&intel, ObservableKind::Hostname, "old.example"), [""; 0], "an older version");
    assert_eq!(said(&intel, ObservableKind::Hostname, "new.example"), ["f 50 newest version"]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "revoked.example"), [""; 0]);
    assert_eq!(said(&intel, ObservableKind::Hostname, "benign.example"), [""; 0]);
    let starts: Vec<&str> = mistakes.iter().map(|m| m.split(" (").next().unwrap_or(m)).collect();
    assert_eq!(
        starts,
        [
            "feed:53:20: indicator--00000000-0000-4000-8000-000000000004: conditions joined by AND do not hold alone: [ipv4-addr:value = '198.51.100.6' AND network-traffic:dst_port = 443]",
            "feed:62:20: indicator--00000000-0000-4000-8000-000000000005: a yara pattern cannot be looked up",
            "feed:71:20: indicator--00000000-0000-4000-8000-000000000006: says that something is benign, so it is not indexed as hostile",
        ]
    );
}

#[test]
fn feeds_answer_in_their_order_and_by_their_names() {
    let (a, _) = Intel::load_file("a", "a.txt", b"198.51.100.1\n");
    let (b, _) = Intel::load_file("b", "b.txt", b"198.51.100.0/24\n198.51.100.1\n");
    let set = IntelSet::new(vec![a, b]);
    assert_eq!(set.len(), 3);
    // The same thing said twice by one feed is one fact.
    assert_eq!(said(&set, ObservableKind::Ip, "198.51.100.1"), ["a 50 -", "b 50 -"]);
    let facts = set.look_up("", &Observable::new(ObservableKind::Ip, "198.51.100.9"));
    assert_eq!(facts[0].provider, "intel:b");
}

#[test]
fn what_is_no_feed_is_said() {
    assert_eq!(load(b"42").1.len(), 1);
    assert_eq!(load(b"{\"objects\": 7").1.len(), 1);
    assert_eq!(load(b"[1, {\"a\": 2}]").1.len(), 2);
    assert_eq!(load(b"").1, [""; 0]);
    assert_eq!(load(b"\xff\xfe\x00").1.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_damage_to_a_feed_makes_the_loader_panic(cut in 0..4_000_usize, at in 0..4_000_usize, with in any::<u8>()) {
        for feed in [URLHAUS, THREATFOX, FEODO, DROP, DROP_V4, PLAIN, STIX] {
            let mut damaged = feed[..cut.min(feed.len())].to_vec();
            if let Some(byte) = damaged.get_mut(at) {
                *byte = with;
            }
            let (intel, _) = Intel::load_file("f", "feed", &damaged);
            let _ = said(&intel, ObservableKind::Url, "http://bad.example/a.exe");
        }
    }

    #[test]
    fn no_question_makes_a_feed_panic(value in ".{0,60}") {
        let (intel, _) = Intel::load_file("f", "feed", PLAIN);
        for kind in [ObservableKind::Ip, ObservableKind::Hostname, ObservableKind::Url, ObservableKind::Email] {
            let _ = said(&intel, kind, &value);
        }
    }
}
