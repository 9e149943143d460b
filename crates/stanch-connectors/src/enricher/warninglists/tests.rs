use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// The shared data beside the repository, or `None` (with a word on it) where there is none.
fn shared_lists() -> Option<PathBuf> {
    let root = std::env::var_os("STANCH_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let lists = root.join("warninglists");
    if lists.is_dir() {
        return Some(lists);
    }
    eprintln!("skipped: no folder {}; set STANCH_DATA to the shared data", lists.display());
    None
}

fn said(lists: &Warninglists, kind: ObservableKind, value: &str) -> Vec<String> {
    let facts = lists.look_up("north", &Observable::new(kind, value));
    facts
        .into_iter()
        .map(|f| match f.meaning {
            Meaning::NeverBlock { list } => format!("never block ({list})"),
            Meaning::Shared { list } => format!("shared ({list})"),
            Meaning::Harmless { list } => format!("harmless ({list})"),
            Meaning::Note { name, value } => format!("{name}: {value}"),
            other => format!("{other:?}"),
        })
        .collect()
}

fn of(name: &str, text: &str) -> (Warninglists, Vec<String>) {
    let mut lists = Warninglists::default();
    let mut mistakes = Mistakes::new(name);
    lists.add(name, text, &mut mistakes);
    (lists, mistakes.done().iter().map(Mistake::to_string).collect())
}

#[test]
fn the_embedded_lists_are_sound_and_small() {
    let mut found = Vec::new();
    let sources =
        EMBEDDED.iter().map(|(n, t)| ((*n).to_owned(), ((*n).to_owned(), (*t).to_owned()))).collect();
    let lists = Warninglists::of(sources, &mut found);
    assert_eq!(found, []);
    assert_eq!(lists.lists().count(), EMBEDDED.len());
    assert!(EMBEDDED.iter().map(|(_, text)| text.len()).sum::<usize>() < 300_000);
    assert!(lists.lists().all(|(_, class)| matches!(class, Class::NeverBlock | Class::AddressSpace)));
}

#[test]
fn what_would_hurt_everyone_is_known_without_any_import() {
    let lists = Warninglists::embedded();
    for (kind, value) in [
        (ObservableKind::Ip, "8.8.8.8"),
        (ObservableKind::Ip, "2606:4700:4700::1111"),
        (ObservableKind::Ip, "198.41.0.4"),
        (ObservableKind::Ip, "127.0.0.1"),
        (ObservableKind::Ip, "::1"),
        (ObservableKind::Ip, "::ffff:127.0.0.1"),
        (ObservableKind::Ip, "0.0.0.0"),
        (ObservableKind::Ip, "169.254.169.254"),
        (ObservableKind::Ip, "fe80::1"),
        (ObservableKind::Ip, "224.0.0.251"),
        (ObservableKind::Ip, "ff02::1"),
        (ObservableKind::Ip, "255.255.255.255"),
        (ObservableKind::Hostname, "a.root-servers.net"),
        (ObservableKind::Hostname, "dns.google"),
        (ObservableKind::Hostname, "com"),
        (ObservableKind::Url, "https://one.one.one.one:443/dns-query"),
        (ObservableKind::Hash, "D14A028C2A3A2BC9476102BB288234C415A2B01F828EA62AC5B3E42F"),
    ] {
        let said = said(&lists, kind, value);
        assert!(said.iter().any(|s| s.starts_with("never block")), "{value}: {said:?}");
    }
}

#[test]
fn private_space_is_a_note_because_an_attacker_inside_has_a_private_address() {
    let lists = Warninglists::embedded();
    let space = |ip| said(&lists, ObservableKind::Ip, ip).first().cloned().unwrap_or_default();
    for ip in ["10.1.2.3", "172.31.255.255", "192.168.0.1", "fd00::1", "::ffff:10.1.2.3"] {
        assert_eq!(space(ip), "address space: private", "{ip}");
        assert!(!said(&lists, ObservableKind::Ip, ip).iter().any(|s| s.starts_with("never")), "{ip}");
    }
    assert_eq!(space("100.64.0.1"), "address space: carrier-grade NAT");
    assert_eq!(space("203.0.113.9"), "address space: documentation");
    assert_eq!(said(&lists, ObservableKind::Ip, "10.1.2.3").len(), 1, "two lists, one note");
    assert_eq!(space("198.41.0.5"), "");
}

#[test]
fn every_list_of_misp_is_read_and_has_a_considered_meaning() {
    let Some(folder) = shared_lists() else { return };
    let (lists, mistakes) = Warninglists::load_dir(&folder);
    let known: Vec<&str> = lists.lists().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(&folder).expect("listable").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let class = meaning::of(&name);
        assert!(class.is_some(), "{name} has no meaning");
        assert!(class == Some(Class::Aside) || known.contains(&name.as_str()), "{name} was not loaded");
    }
    let mistakes: Vec<String> = mistakes.iter().map(|m| m.message.clone()).collect();
    assert_eq!(mistakes, ["entry 5, \"3::\", is no address"; 0]);
}

#[test]
fn the_lists_of_misp_mean_what_they_should() {
    let Some(folder) = shared_lists() else { return };
    let (lists, _) = Warninglists::load_dir(&folder);
    let has = |kind, value: &str, what: &str| said(&lists, kind, value).iter().any(|s| s.starts_with(what));
    assert!(has(ObservableKind::Ip, "8.8.8.8", "never block"));
    assert!(has(ObservableKind::Ip, "104.16.0.1", "shared (cloudflare)"));
    assert!(has(ObservableKind::Hostname, "evil.duckdns.org", "shared (dynamic-dns)"));
    assert!(has(ObservableKind::Hostname, "bit.ly", "shared (url-shortener)"));
    assert!(has(ObservableKind::Url, "https://bit.ly/abc", "shared (url-shortener)"));
    assert!(has(ObservableKind::Hostname, "wikipedia.org", "harmless"));
    assert!(has(ObservableKind::Hostname, "captive.apple.com", "harmless"));
    assert!(has(ObservableKind::Hostname, "co.uk", "never block (second-level-tlds)"));
    assert!(has(ObservableKind::Email, "someone@mailinator.com", "shared (disposable-email)"));
    assert!(has(ObservableKind::Email, "abuse@firm.example", "harmless (common-contact-emails)"));
    // Anyone can get such a name, so praise for the site above does not reach it.
    assert!(!has(ObservableKind::Hostname, "evil.github.io", "harmless"));
    assert!(!has(ObservableKind::Hostname, "evil.s3.amazonaws.com", "harmless"));
    assert!(!has(ObservableKind::Url, "https://github.com/evil/tool", "harmless"));
    assert!(!has(ObservableKind::Hostname, "pastebin.com", "harmless"));
    assert!(!has(ObservableKind::Ip, "10.0.0.1", "never block"));
    assert_eq!(said(&lists, ObservableKind::User, "root"), [""; 0]);
    let top =
        said(&lists, ObservableKind::Hostname, "google.com").iter().filter(|s| s.contains("top")).count();
    assert!(top <= 1, "rankings of the same web speak once");
}

#[test]
fn an_unknown_list_counts_as_shared_and_says_so() {
    let (lists, mistakes) = of("new-cloud", r#"{"type": "cidr", "list": ["198.51.100.0/24"]}"#);
    assert_eq!(said(&lists, ObservableKind::Ip, "198.51.100.1"), ["shared (new-cloud)"]);
    assert_eq!(
        mistakes,
        [
            "new-cloud: the list \"new-cloud\" is not known; it counts as shared (add \"meaning\": \"never_block\", \"shared\" or \"harmless\" to it)"
        ]
    );
    let own = r#"{"type": "hostname", "list": ["partner.example"], "meaning": "never_block"}"#;
    let (lists, mistakes) = of("partners", own);
    assert_eq!(said(&lists, ObservableKind::Hostname, "vpn.partner.example"), ["never block (partners)"]);
    assert_eq!(said(&lists, ObservableKind::Hostname, "notpartner.example"), [""; 0]);
    assert_eq!(mistakes, [""; 0]);
}

#[test]
fn broken_entries_are_listed_and_the_others_used() {
    let text = r#"{"type": "cidr", "list": ["198.51.100.0/24", "198.51.100.0/99", ""], "meaning": "shared"}"#;
    let (lists, mistakes) = of("own", text);
    assert_eq!(said(&lists, ObservableKind::Ip, "198.51.100.1"), ["shared (own)"]);
    assert_eq!(
        mistakes,
        ["own: entry 2, \"198.51.100.0/99\", is no address", "own: entry 3, \"\", is empty"]
    );
    let (_, mistakes) =
        of("own", r#"{"type": "regex", "list": ["/(?=x)/", "/a{1000}{1000}{1000}/"], "meaning": "shared"}"#);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    let (_, mistakes) = of("own", "{");
    assert_eq!(mistakes.len(), 1);
}

#[test]
fn a_folder_that_is_not_there_leaves_the_embedded_lists() {
    let (lists, mistakes) = Warninglists::load_dir(Path::new("no-such-folder"));
    assert_eq!(lists.lists().count(), EMBEDDED.len());
    assert_eq!(mistakes.len(), 1);
}

#[test]
fn a_folder_of_ones_own_is_read_in_both_layouts() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/warninglists");
    let (lists, mistakes) = Warninglists::load_dir(&folder);
    assert_eq!(mistakes, []);
    assert_eq!(
        said(&lists, ObservableKind::Ip, "198.51.100.66"),
        ["never block (own-partners)", "address space: documentation"]
    );
    assert_eq!(said(&lists, ObservableKind::Hostname, "cdn.shared.example"), ["shared (own-shared)"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_a_list_makes_the_loader_panic(cut in 0..800_usize, at in 0..800_usize, with in any::<char>()) {
        for (name, text) in EMBEDDED {
            let mut damaged: Vec<char> = text.chars().take(cut).collect();
            if let Some(c) = damaged.get_mut(at) {
                *c = with;
            }
            let damaged: String = damaged.into_iter().collect();
            let (lists, _) = of(name, &damaged);
            let _ = said(&lists, ObservableKind::Hostname, "www.example.org");
        }
    }

    #[test]
    fn no_question_makes_the_lists_panic(value in ".{0,60}") {
        let lists = Warninglists::embedded();
        for kind in [ObservableKind::Ip, ObservableKind::Hostname, ObservableKind::Url, ObservableKind::Email] {
            let _ = said(&lists, kind, &value);
        }
    }
}
