use std::time::{Duration, Instant};

use super::*;

/// Reads a body the way every JSON format does: objects become context, the rest stays rejected.
struct Plain;

impl stanch_model::port::Format for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn parse(&self, delivery: stanch_model::port::Delivery<'_>) -> Vec<Record> {
        records(delivery.body, |fields| {
            Ok(Parsed::Context { what: serde_json::to_string(&fields).unwrap_or_default() })
        })
    }
}

/// One line for each record: its bytes, and what it says or why it was rejected.
fn check(body: &str) -> Vec<String> {
    check_bytes(body.as_bytes())
}

fn check_bytes(body: &[u8]) -> Vec<String> {
    let records = crate::format::testing::parse(&Plain, body);
    let line = |record: Record| match record.parsed {
        Ok(Parsed::Context { what }) => format!("{:?} {what}", record.raw),
        Ok(other) => panic!("{other:?}"),
        Err(rejected) => format!("{:?} REJECTED {}", record.raw, rejected.reason),
    };
    records.into_iter().map(line).collect()
}

#[test]
fn one_object_an_array_and_lines_are_read_alike() {
    assert_eq!(check(r#"{"a":1}"#), [r#"0..7 {"a":1}"#]);
    assert_eq!(check(r#" [ {"a":1}, {"a":2} ] "#), [r#"3..10 {"a":1}"#, r#"12..19 {"a":2}"#]);
    assert_eq!(check("{\"a\":1}\r\n\r\n{\"a\":2}\n"), [r#"0..7 {"a":1}"#, r#"11..18 {"a":2}"#]);
    assert_eq!(check(r#"{"a":1}{"a":2}"#), [r#"0..7 {"a":1}"#, r#"7..14 {"a":2}"#]);
    assert_eq!(check("{\n \"a\": [\n 1 ]\n}"), ["0..16 {\"a\":[1]}"]);
    assert_eq!(check("\u{feff}{}"), ["3..5 {}"]);
    assert!(check("").is_empty() && check(" \n").is_empty() && check("[ ]").is_empty());
}

#[test]
fn brackets_and_quotes_inside_strings_are_text() {
    assert_eq!(check(r#"[{"a":"}\"]{\\"},{"b":1}]"#), [r#"1..16 {"a":"}\"]{\\"}"#, r#"17..24 {"b":1}"#]);
}

#[test]
fn whole_numbers_above_two_to_the_53_stay_exact() {
    assert_eq!(
        check(r#"{"a":9007199254740993,"b":18446744073709551615,"c":-9223372036854775808}"#),
        [r#"0..72 {"a":9007199254740993,"b":18446744073709551615,"c":-9223372036854775808}"#]
    );
}

#[test]
fn a_body_without_any_object_is_one_rejected_record() {
    for body in ["hello\nworld\n", "42", "\"text\"", "[1,2,3]", "[[[]]]", "null", "[", "\u{1}\u{2}"] {
        let found = check(body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].starts_with(&format!("0..{} REJECTED", body.len())), "{found:?}");
    }
}

#[test]
fn a_bad_stretch_costs_only_itself() {
    let rejected = |body: &str, at: usize| {
        let found = check(body);
        let good = found.iter().filter(|line| !line.contains("REJECTED")).count();
        assert_eq!(good, 2, "{body}: {found:#?}");
        assert!(found[at].contains("REJECTED"), "{body}: {found:#?}");
    };
    rejected("[{\"a\":1}, nonsense, {\"b\":2}]", 1);
    rejected("[{\"a\":1},{\"b\":2},]", 2);
    rejected("[{\"a\":1},,{\"b\":2}]", 1);
    rejected("[,{\"a\":1},{\"b\":2}]", 0);
    rejected("[{\"a\":1},{\"b\":2}", 2);
    rejected("[{\"a\":1},{\"b\":2},{\"c\":", 2);
    rejected("{\"a\":1}\n{\"cut\":{\"x\":[\n{\"b\":2}\n", 1);
    rejected("{\"a\":1}\n{\"cut\": \"off\n{\"b\":2}\n", 1);
    rejected("{\"a\":1}\n{\"x\":tru}\n{\"b\":2}", 1);
    rejected("{\"a\":1}\n{\"x\":1,\"x\":2}\n{\"b\":2}", 1);
    rejected("{\"a\":1}}\n{\"b\":2}", 1);
    rejected("{\"a\":1} // why\n{\"b\":2}", 1);
}

#[test]
fn reasons_say_what_where_and_what_would_be_right() {
    let reason = |body: &str| check(body).remove(0);
    assert_eq!(
        reason(r#"{"a":{"b":[{"c":1,"c":2}]}}"#),
        "0..27 REJECTED at byte 20 of the body (line 1 of the record), in field \"a.b\": the key \"c\" is there twice; send each key once"
    );
    assert_eq!(
        reason("{\"a\":1,\n\"b\":\"\\ud800\"}"),
        "0..21 REJECTED at byte 19 of the body (line 2 of the record), in field \"b\": unexpected end of hex escape; send well-formed JSON (RFC 8259, UTF-8)"
    );
    assert!(reason(r#"{"n":1e999}"#).contains("number out of range"));
    let broken = check_bytes(b"{\"a\":\"\xff\xfe\"}\n{\"b\":1}");
    assert!(broken[0].contains("invalid unicode code point") && broken[0].contains("\"a\""), "{broken:?}");
    assert_eq!(broken[1], "11..18 {\"b\":1}");
}

#[test]
fn hostile_bodies_are_refused_quickly_and_the_good_record_beside_them_is_read() {
    let deep_array = format!("{}{}", r#"{"a":"#.to_owned() + &"[".repeat(100_000), "]".repeat(100_000) + "}");
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let many_keys =
        format!("{{{}}}", (0..1_000_000).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(","));
    let many_values = format!("{{\"a\":[{}1]}}", "1,".repeat(1_000_000));
    let long_string = format!("{{\"a\":\"{}\"}}", "x".repeat(5_000_000));
    let long_key = format!("{{\"{}\":1}}", "k".repeat(5_000_000));
    for (hostile, word) in [
        (&deep_array, "deeper than 64"),
        (&deep_object, "deeper than 64"),
        (&many_keys, "more than 10000 keys"),
        (&many_values, "more than 100000 values"),
        (&long_string, "5000000 bytes, longer than"),
        (&long_key, "5000000 bytes, longer than"),
    ] {
        let started = Instant::now();
        let found = check(&format!("[{hostile},{{\"good\":1}}]"));
        // Debug builds on a busy machine: minutes would be wrong, seconds are not.
        assert!(started.elapsed() < Duration::from_secs(20), "{word}");
        assert_eq!(found.len(), 2);
        assert!(found[0].contains(word), "{}", short(&found[0]));
        assert!(found[0].len() < 1_000);
        assert!(found[1].ends_with(r#"{"good":1}"#));
    }
}

#[test]
fn bodies_that_are_never_closed_cost_one_look_at_each_byte() {
    for body in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        r#"{"a":"#.repeat(100_000),
        "{\n".repeat(200_000),
        "{\"a\":[\n".repeat(100_000),
        "\"".repeat(100_001),
        "[\"".repeat(100_000),
        "{\"".repeat(100_000),
        "\\".repeat(100_000),
        "[,".repeat(100_000),
        "}]".repeat(100_000),
    ] {
        let started = Instant::now();
        let found = check(&body);
        assert!(started.elapsed() < Duration::from_secs(20), "{}", short(&body));
        assert!(found.len() <= MAX_ELEMENTS + 1);
    }
}

#[test]
fn records_beyond_the_limit_are_one_rejected_record() {
    let found = check(&"{}\n".repeat(MAX_ELEMENTS + 5));
    assert_eq!(found.len(), MAX_ELEMENTS + 1);
    assert!(found.last().is_some_and(|last| last.contains("send smaller batches")));
}

#[test]
fn a_member_is_found_without_building_the_object() {
    let find =
        |text: &str| find_member(text.as_bytes(), "x").and_then(|r| text.get(r).map(ToOwned::to_owned));
    assert_eq!(find(r#"{"a":{"x":1},"x":[1,"]"],"b":2}"#).as_deref(), Some(r#"[1,"]"]"#));
    assert_eq!(find(r#"{ "x" : "v" }"#).as_deref(), Some(r#""v""#));
    assert_eq!(find(r#"{"a":"x"}"#), None);
    for broken in ["{", "{\"x\"", "{\"x\":", "{\"x\":[", "{\"x\":\"", "{}", "{\"a", ""] {
        assert_eq!(find(broken), None, "{broken}");
    }
}
