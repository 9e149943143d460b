//! Recorded answers of nft and what they mean.

use super::*;

const WHOLE: &str = include_str!("../../../../fixtures/nftables/list_table.json");

fn net(text: &str) -> IpNet {
    text.parse().expect(text)
}

fn block(text: &str) -> Target {
    Target { net: net(text), port: None, rate: None }
}

fn sees(target: &str, tag: &str) -> String {
    let table = parse(WHOLE.as_bytes()).expect("recorded answer");
    match table.judge(&block(target), tag) {
        Sight::Ours { expires } => {
            format!("ours, {}", expires.map_or("no timer".into(), |s| s.to_string()))
        }
        Sight::Trial { .. } => "on trial".to_owned(),
        Sight::Absent => "absent".to_owned(),
        Sight::Other { what } => what,
    }
}

#[test]
fn a_recorded_table_is_whole_and_needs_no_repair() {
    let table = parse(WHOLE.as_bytes()).expect("recorded answer");
    assert_eq!((table.layout.flaw(Does::Block), table.repair("stanch")), (None, None));
    assert_eq!(table.elements.len(), 8);
    assert_eq!(table.layout.dropped, 3);
}

#[test]
fn an_action_knows_its_own_element_by_tag_and_address() {
    assert_eq!(sees("10.1.0.5/32", "stanch:ACT-4"), "ours, 59s");
    assert_eq!(sees("10.0.0.0/24", "stanch:ACT-1"), "ours, 59s");
    assert_eq!(sees("2001:db8::5/128", "stanch:ACT-6"), "ours, 59s");
    assert_eq!(sees("10.9.9.9/32", "stanch:ACT-9"), "absent");
}

#[test]
fn what_others_put_there_is_named_with_its_owner() {
    assert_eq!(
        sees("10.1.0.5/32", "stanch:ACT-5"),
        "10.1.0.5 is already blocked by stanch:ACT-4 for another 59s"
    );
    assert_eq!(
        sees("10.0.0.7/32", "stanch:ACT-7"),
        "10.0.0.7 overlaps with 10.0.0.0/24, which is already blocked by stanch:ACT-1 for another 59s"
    );
    assert_eq!(
        sees("10.2.0.0/16", "stanch:ACT-7"),
        "10.2.0.0/16 overlaps with 10.2.0.1-10.2.0.9, which is already blocked by an entry that is not ours \
         without expiry"
    );
    assert_eq!(
        sees("10.3.0.3/32", "stanch:ACT-7"),
        "10.3.0.3 is already blocked by an entry that is not ours (comment \"by hand\") for another 59s"
    );
    assert_eq!(
        sees("10.1.0.6/32", "stanch:ACT-4"),
        "our tag stanch:ACT-4 is on 10.1.0.5 instead of 10.1.0.6"
    );
}

#[test]
fn a_missing_rule_is_a_flaw_and_only_that_rule_is_added() {
    let mut answer: Value = serde_json::from_str(WHOLE).expect("json");
    let items = answer["nftables"].as_array_mut().expect("list");
    let at = items.iter().position(|i| i.get("rule").is_some()).expect("a rule");
    items.remove(at);
    let table = parse(answer.to_string().as_bytes()).expect("still readable");
    assert_eq!(
        table.layout.flaw(Does::Block).as_deref(),
        Some("1 of our rules are missing, first `saddr @blocked4 drop` in chain forward")
    );
    let batch: Value = serde_json::from_slice(&table.repair("stanch").expect("a repair")).expect("json");
    assert_eq!(batch["nftables"].as_array().map(Vec::len), Some(1));
}

#[test]
fn everything_and_disguised_addresses_are_refused() {
    assert!(refusal(&net("0.0.0.0/0")).is_some());
    assert!(refusal(&net("::/0")).is_some());
    assert!(refusal(&net("::ffff:10.0.0.1/128")).is_some());
    assert_eq!(refusal(&net("10.0.0.1/32")), None);
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    for text in [
        "",
        "{}",
        "[]",
        "{\"nftables\": 3}",
        "{\"nftables\": [{\"set\": {\"name\": \"blocked4\", \"elem\": [{}]}}]}",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(parse(b"{\"nftables\": []}"), Ok(Table::default()));
}

#[test]
fn limits_and_ports_are_known_by_target_rate_and_port() {
    let table = parse(WHOLE.as_bytes()).expect("recorded answer");
    let port =
        |net_text: &str, transport, number| Target { port: Some((transport, number)), ..block(net_text) };
    let limit = |net_text: &str, rate| Target { rate: Some(rate), ..block(net_text) };
    let ours = |target: &Target, tag: &str| matches!(table.judge(target, tag), Sight::Ours { .. });
    assert!(ours(&port("10.0.0.0/24", Transport::Tcp, 445), "stanch:ACT-7"));
    assert!(ours(&port("2001:db8::5/128", Transport::Udp, 53), "stanch:ACT-8"));
    assert!(ours(&limit("10.1.0.5/32", 100), "stanch:ACT-9"));
    let what = |target: &Target, tag: &str| match table.judge(target, tag) {
        Sight::Other { what } => what,
        other => format!("{other:?}"),
    };
    assert_eq!(
        what(&limit("10.1.0.5/32", 50), "stanch:ACT-9"),
        "our entry stands at 100 packets a second, not at 50"
    );
    assert_eq!(
        what(&port("10.0.0.9/32", Transport::Tcp, 445), "stanch:ACT-1"),
        "tcp port 445 of 10.0.0.9 overlaps with tcp port 445 of 10.0.0.0/24, which is already blocked by \
         stanch:ACT-7 for another 59s"
    );
    assert_eq!(what(&port("10.0.0.9/32", Transport::Udp, 445), "stanch:ACT-1"), "Absent");
    assert_eq!(what(&port("10.0.0.9/32", Transport::Tcp, 446), "stanch:ACT-1"), "Absent");
}

#[test]
fn what_is_sent_holds_addresses_numbers_and_our_tag_alone() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let limit = Target { rate: Some(0), ..block("2001:db8::/64") };
    assert_eq!(
        text(create_element("stanch", &limit, 60, "stanch:ACT-1")),
        "create element inet stanch limited6 { 2001:db8::/64 limit rate over 1/second burst 1 packets timeout 60s \
         comment \"stanch:ACT-1\" }\n"
    );
    let port = Target { port: Some((Transport::Udp, 53)), ..block("10.0.0.1/32") };
    assert_eq!(
        text(confirm_element("stanch", &port, 60, "stanch:ACT-1")),
        "delete element inet stanch ports4 { 10.0.0.1 . udp . 53 }\n\
         create element inet stanch ports4 { 10.0.0.1 . udp . 53 timeout 60s comment \"stanch:ACT-1\" }\n"
    );
}
