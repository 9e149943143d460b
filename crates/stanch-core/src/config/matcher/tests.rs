use super::*;

fn subject<'a>(
    ips: &'a [IpAddr],
    hosts: &'a [String],
    users: &'a [String],
    tactics: &'a [String],
) -> Subject<'a> {
    Subject {
        source: "edge",
        site: "north",
        product: "suricata",
        rule: "1:2010937",
        severity: 4,
        ips,
        hosts,
        users,
        tactics,
        team: None,
        kind: Some("c2_beacon"),
    }
}

/// Does the matcher fit an alert from `edge` about 10.0.0.5 and 203.0.113.9?
fn fits(text: &str) -> bool {
    let ips = ["10.0.0.5", "203.0.113.9"].map(|t| t.parse().expect(t));
    let hosts = ["www.example.com".to_owned(), "db1".to_owned()];
    let tactics = ["TA0011".to_owned()];
    Matcher::parse(text).expect(text).matches(&subject(&ips, &hosts, &[], &tactics))
}

fn refused(text: &str) -> String {
    let bad = Matcher::parse(text).expect_err(text);
    format!("{}; {}", bad.message, bad.help)
}

#[test]
fn equal_and_unequal_compare_the_whole_value() {
    assert!(fits("source=edge") && !fits("source=edg") && !fits("source!=edge") && fits("source!=core"));
    assert!(fits(" site = north ") && fits("rule=\"1:2010937\"") && fits("product!=\"\""));
    assert!(fits("kind=c2_beacon") && !fits("source=Edge"));
}

#[test]
fn regular_expressions_are_anchored_at_both_ends() {
    assert!(fits("source=~edge|core") && fits("rule=~1:20.*") && !fits("rule=~20.*") && !fits("rule=~1:20"));
    assert!(fits("source!~ed") && !fits("source!~e.*"));
    // Without the inner group, `^a|b$` would match too much.
    assert!(!fits("source=~ed|ore") && fits("source=~x|edge"));
    assert!(!fits("source=~(?m)edg$"));
}

#[test]
fn any_of_several_values_is_enough_and_unequal_means_none_of_them() {
    assert!(fits("host=db1") && fits("host=DB1") && fits("host=~.*\\.EXAMPLE\\.com") && !fits("host!=db1"));
    assert!(fits("tactic=ta0011") && fits("host!=db2"));
}

#[test]
fn what_is_not_there_is_the_empty_text() {
    assert!(fits("team=\"\"") && !fits("team=secops") && fits("team!=secops") && fits("user=\"\""));
    assert!(fits("user!=root") && !fits("user=~.+") && fits("user=~.*"));
    let none = Subject::default();
    let m = |text: &str| Matcher::parse(text).expect(text).matches(&none);
    assert!(m("ip=\"\"") && m("ip!=10.0.0.0/8") && !m("ip=0.0.0.0/0"));
}

#[test]
fn addresses_are_inside_prefixes() {
    assert!(
        fits("ip=10.0.0.0/8")
            && fits("ip=203.0.113.9")
            && !fits("ip=192.0.2.0/24")
            && !fits("ip!=10.0.0.0/8")
    );
    assert!(fits("ip=~10\\..*") && !fits("ip=2001:db8::/32"));
    let mapped = ["::ffff:10.0.0.5".parse().expect("an address")];
    assert!(Matcher::parse("ip=10.0.0.0/8").expect("a matcher").matches(&subject(&mapped, &[], &[], &[])));
}

#[test]
fn severities_compare_by_rank_and_unknown_ranks_as_low() {
    assert!(
        fits("severity=high") && fits("severity=4") && fits("severity>=medium") && fits("severity>=High")
    );
    assert!(!fits("severity>=critical") && fits("severity!=low") && fits("severity=~high|critical"));
    let of = |severity, text: &str| {
        Matcher::parse(text).expect(text).matches(&Subject { severity, ..Subject::default() })
    };
    assert!(of(0, "severity>=low") && of(99, "severity>=low") && !of(0, "severity>=medium"));
    assert!(
        of(0, "severity=unknown")
            && !of(2, "severity=unknown")
            && of(17, "severity!~x") != of(17, "severity=~x")
    );
}

#[test]
fn a_matcher_reads_back_as_it_was_written() {
    for text in [
        "source=edge",
        "ip!=10.0.0.0/8",
        "rule=~1:20.*",
        "host!~\\w+",
        "severity>=high",
        "team=\"\"",
        "user=\"a b \"",
    ] {
        assert_eq!(Matcher::parse(text).expect(text).to_string(), text);
    }
    assert_eq!(Matcher::parse(" source = \"edge fw\"").expect("a matcher").to_string(), "source=edge fw");
}

#[test]
fn what_is_no_matcher_is_refused_with_help() {
    assert_eq!(
        refused("sorce=edge"),
        format!(
            "there is no field \"sorce\" to match on; did you mean \"source\"? known fields: {}",
            FIELDS.join(", ")
        )
    );
    assert_eq!(
        refused("source"),
        "\"source\" is not a matcher; write for example source=edge, rule!~1:20.* or severity>=high"
    );
    assert_eq!(
        refused("source>edge"),
        "\"source>edge\" is not a matcher; write for example source=edge, rule!~1:20.* or severity>=high"
    );
    assert_eq!(refused("source>=edge"), "`>=` is for severity only, not for source; write = or =~");
    assert_eq!(
        refused("source="),
        "\"source=\" has no value; write a value; \"\" stands for a field that is not there"
    );
    assert_eq!(
        refused("source=\"edge"),
        "the quotes in \"source=\"edge\" are not closed; close them, or leave them out"
    );
    assert!(refused("severity>=hihg").starts_with("unknown severity \"hihg\"; did you mean \"high\"?"));
    assert!(refused("severity=7").starts_with("unknown severity \"7\""));
    assert!(refused("ip=10.0.0.5/8").ends_with("write 10.0.0.0/8, or the single address 10.0.0.5"));
    assert!(refused("ip=edge").starts_with("\"edge\" is not an address or a prefix"));
    assert!(refused("rule=~(").starts_with("\"(\" is not a regular expression: unclosed group"));
}

#[test]
fn a_pattern_can_neither_leave_its_anchors_nor_grow_without_limit() {
    assert!(refused("rule=~a)|(b").contains("is not a regular expression"));
    assert!(refused("rule=~(?x)a # no end").contains("is not a regular expression"));
    assert!(refused("rule=~((a{100}){100}){100}").contains("it grows too large"));
    assert!(refused(&format!("rule=~{}", "a".repeat(2000))).contains("at most 1024 are allowed"));
    assert!(refused(&format!("rule=~{}", "(".repeat(500))).contains("is not a regular expression"));
}

#[test]
fn all_must_match_and_the_reason_says_which() {
    let list: Vec<Matcher> = ["source=edge", "severity>=high"].map(|t| Matcher::parse(t).expect(t)).into();
    let s = subject(&[], &[], &[], &[]);
    assert_eq!(all_match(&list, &s), Some(Reason::new("source=edge, severity>=high")));
    assert_eq!(all_match(&list, &Subject { severity: 3, ..s }), None);
    assert_eq!(all_match(&[], &s), Some(Reason::new("takes everything")));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_a_matcher_or_refused_and_reads_back(text in "(source|ip|severity|rule)?(=|!=|=~|!~|>=)?\\PC{0,40}") {
        if let Ok(m) = Matcher::parse(&text) {
            let again = Matcher::parse(&m.to_string()).expect("reads back");
            assert_eq!((again.field, again.op, again.value), (m.field, m.op, m.value));
        }
    }
}
