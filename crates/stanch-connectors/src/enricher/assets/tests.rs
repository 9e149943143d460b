use proptest::prelude::*;

use super::*;

const CSV: &str = include_str!("../../../fixtures/assets/inventory.csv");
const YAML: &str = include_str!("../../../fixtures/assets/inventory.yaml");

fn names(assets: &Assets, site: &str, kind: ObservableKind, value: &str) -> Vec<String> {
    let facts = assets.look_up(site, &Observable::new(kind, value));
    facts
        .into_iter()
        .map(|f| match f.meaning {
            Meaning::Asset { name, .. } => name,
            other => format!("{other:?}"),
        })
        .collect()
}

fn good(path: &str, text: &str) -> Assets {
    let (assets, mistakes) = Assets::load(path, text);
    assert_eq!(mistakes, [], "{path}");
    assets
}

fn shown(path: &str, text: &str) -> Vec<String> {
    Assets::load(path, text).1.iter().map(Mistake::to_string).collect()
}

#[test]
fn csv_and_yaml_say_the_same() {
    assert_eq!(good("inventory.csv", CSV).list(), good("inventory.yaml", YAML).list());
}

#[test]
fn the_longest_prefix_answers_alone() {
    let assets = good("inventory.csv", CSV);
    assert_eq!(names(&assets, "north", ObservableKind::Ip, "10.20.0.10"), ["web-1"]);
    assert_eq!(names(&assets, "north", ObservableKind::Ip, "2001:db8:20::10"), ["web-1"]);
    assert_eq!(names(&assets, "north", ObservableKind::Ip, "10.20.0.99"), ["server room"]);
    assert_eq!(names(&assets, "north", ObservableKind::Ip, "10.99.0.1"), ["all sites"]);
    assert_eq!(names(&assets, "north", ObservableKind::Ip, "203.0.113.1"), [""; 0]);
}

#[test]
fn the_same_address_is_another_machine_at_another_site() {
    let assets = good("inventory.csv", CSV);
    assert_eq!(names(&assets, "south", ObservableKind::Ip, "10.20.0.10"), ["till-4"]);
    assert_eq!(names(&assets, "west", ObservableKind::Ip, "10.20.0.10"), ["all sites"]);
    assert_eq!(names(&assets, "south", ObservableKind::Hostname, "web-1"), [""; 0]);
}

#[test]
fn short_and_full_host_names_meet_only_at_home() {
    let assets = good("inventory.csv", CSV);
    for name in ["web-1.example.org", "WEB-1.Example.ORG.", "web-1"] {
        assert_eq!(names(&assets, "north", ObservableKind::Hostname, name), ["web-1"], "{name}");
    }
    assert_eq!(names(&assets, "north", ObservableKind::Hostname, "desk-7"), ["desk-7"]);
    assert_eq!(names(&assets, "north", ObservableKind::Hostname, "desk-7.local"), ["desk-7"]);
    assert_eq!(names(&assets, "north", ObservableKind::Hostname, "desk-7.example.org"), ["desk-7"]);
    assert_eq!(names(&assets, "north", ObservableKind::Hostname, "desk-7.elsewhere.example"), [""; 0]);
    assert_eq!(names(&assets, "north", ObservableKind::Hostname, "web-1.elsewhere.example"), [""; 0]);
}

#[test]
fn accounts_are_found_with_and_without_their_domain() {
    let assets = good("inventory.csv", CSV);
    for user in ["alice", "ALICE", "EXAMPLE\\alice", "alice@example.org"] {
        assert_eq!(names(&assets, "north", ObservableKind::User, user), ["desk-7"], "{user}");
    }
    assert_eq!(names(&assets, "north", ObservableKind::Email, "alice@elsewhere.example"), [""; 0]);
}

#[test]
fn the_fact_says_what_the_inventory_says() {
    let assets = good("inventory.csv", CSV);
    let facts = assets.look_up("north", &Observable::new(ObservableKind::Ip, "10.20.0.10"));
    let (name, owner, kind) = ("web-1".to_owned(), Some("platform".to_owned()), Some("server".to_owned()));
    assert_eq!(facts[0].meaning, Meaning::Asset { name, criticality: Criticality::High, owner, kind });
    assert_eq!(assets.list()[1].tags, ["internet-facing", "dmz"]);
}

#[test]
fn all_mistakes_of_a_csv_are_found_at_once() {
    let text = "name,ip,hostnme,criticality,site\n\
                a,10.0.0.300 10.0.0.1,x,high,\n\
                b,10.0.0.0/40,,hihg,\n\
                ,10.0.0.2,,,\n\
                A,,,whatever,\n\
                b,,,,north\n";
    assert_eq!(
        shown("a.csv", text),
        [
            "a.csv:1:9: there is no column \"hostnme\" (did you mean \"hostname\"?)",
            "a.csv:2:3: \"10.0.0.300\" is no address (write 192.0.2.7, 2001:db8::7 or a network like 192.0.2.0/24)",
            "a.csv:3:3: \"10.0.0.0/40\" is no address (write 192.0.2.7, 2001:db8::7 or a network like 192.0.2.0/24)",
            "a.csv:3:16: \"hihg\" is no criticality (did you mean \"high\"?)",
            "a.csv:4: the asset has no name (fill in the column \"name\")",
            "a.csv:5:5: \"whatever\" is no criticality (write one of low, medium, high, critical)",
            "a.csv:5: \"A\" is already the name of the asset in line 2 (give each asset of a site its own name)",
        ]
    );
}

#[test]
fn all_mistakes_of_a_yaml_file_are_found_at_once() {
    let text = "- name: a\n  ip: [10.0.0.1, 10.0.0.x]\n  colour: red\n- name: b\n  criticality: crit\n- just text\n- name: {}\n";
    assert_eq!(
        shown("a.yaml", text),
        [
            "a.yaml:3:3: there is no column \"colour\" (the columns are name, ip, hostname, user, owner, kind, criticality, site, tags)",
            "a.yaml:6:3: an asset is a mapping (write - name: …)",
            "a.yaml:7:9: \"name\" must be text or a list of texts",
            "a.yaml:2:18: \"10.0.0.x\" is no address (write 192.0.2.7, 2001:db8::7 or a network like 192.0.2.0/24)",
            "a.yaml:5:16: \"crit\" is no criticality (write one of low, medium, high, critical)",
        ]
    );
    assert_eq!(shown("a.yaml", &"[".repeat(100_000)).len(), 1);
    assert_eq!(shown("a.yaml", &"- ".repeat(100_000)).len(), 1);
}

#[test]
fn a_criticality_that_cannot_be_read_protects() {
    let (assets, _) = Assets::load("a.csv", "name,ip,criticality\na,10.0.0.1,hihg\n");
    assert_eq!(assets.list()[0].criticality, Criticality::Critical);
}

#[test]
fn an_empty_file_is_a_mistake() {
    assert_eq!(shown("a.csv", "").len(), 1);
    assert_eq!(shown("a.yaml", "").len(), 1);
    assert_eq!(shown("a.yaml", "name: a").len(), 1);
}

#[test]
fn a_spreadsheet_with_semicolons_and_a_byte_order_mark_is_read() {
    let assets = good("a.csv", "\u{feff}name;ip;criticality\na;10.0.0.1;high\n");
    assert_eq!(names(&assets, "", ObservableKind::Ip, "10.0.0.1"), ["a"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_damage_to_a_file_makes_the_loader_panic(cut in 0..2_000_usize, at in 0..2_000_usize, with in any::<char>()) {
        for (path, text) in [("a.csv", CSV), ("a.yaml", YAML)] {
            let mut damaged: Vec<char> = text.chars().take(cut).collect();
            if at < damaged.len() {
                damaged[at] = with;
            }
            let damaged: String = damaged.into_iter().collect();
            let (assets, _) = Assets::load(path, &damaged);
            let _ = assets.look_up("north", &Observable::new(ObservableKind::Ip, "10.20.0.10"));
        }
    }
}
