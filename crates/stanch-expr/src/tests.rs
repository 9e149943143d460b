use serde_json::json;

use super::*;

fn scope() -> Scope {
    Scope::new()
        .with(
            "incident",
            json!({
                "id": "INC-3", "kind": "c2", "severity": 5, "confidence": 0.9, "peer": "203.0.113.9",
                "victims": ["10.0.0.7", "10.0.0.8"], "huge": 18_446_744_073_709_551_615_u64,
                "title": "${{ incident.peer }}", "nothing": null, "labels": {"b": 1, "a": 2},
            }),
        )
        .with("run", json!({"blocked": []}))
}

/// The value as JSON text, or `error: …`.
fn check(source: &str, expected: &str) {
    let got = match Expr::compile(source).and_then(|e| e.eval(&scope())) {
        Ok(value) => value.to_string(),
        Err(e) => format!("error: {e}"),
    };
    assert_eq!(got, expected, "{source}");
}

#[test]
fn conditions_read_fields_lists_and_addresses() {
    check(r#"incident.kind == "c2" && incident.confidence >= 0.6"#, "true");
    check("incident.severity - 6", "-1");
    check("incident.severity >= 4 && incident.severity < 6.5", "true");
    check("incident.victims.exists(v, v == '10.0.0.8')", "true");
    check("'10.0.0.9' in incident.victims", "false");
    check("size(incident.victims)", "2");
    check("has(incident.owner)", "false");
    check("incident.peer.startsWith('203.') && incident.peer.matches('^[0-9.]+$')", "true");
    check("ip_in(incident.peer, '203.0.113.0/24')", "true");
    check("ip_in('2001:db8::1', '2001:db8::/32')", "true");
    check("ip_in('10.0.0.1', '10.0.0.2')", "false");
    check("incident.huge", "18446744073709551615");
    check("incident.nothing == null", "true");
    check("incident.victims.map(v, {'ip': v})[0]", r#"{"ip":"10.0.0.7"}"#);
    check("incident.labels == incident.labels", "true");
    check("'a' in incident.labels && size(incident.labels) == 2", "true");
}

#[test]
fn an_error_is_a_third_value_and_never_false() {
    check(
        "incident.knid == 'c2'",
        "error: there is no field \"knid\"; guard it with has() if it may be missing",
    );
    check("incident.kind > 3", "error: > cannot be used on string and int");
    check("incident.kind + 3", "error: + cannot be used on string and int");
    check("ip_in('', '10.0.0.0/8')", "error: ip_in: \"\" is not an address");
    check("ip_in('10.0.0.1', 'ten')", "error: ip_in: \"ten\" is not a prefix");
    check("incident.severity / 0", "error: division by zero");
    check("incident.severity % 0", "error: division by zero");
    check("incident.victims[7]", "error: the list has no element at that place");
    check("9223372036854775807 + 1", "error: the result of + is too large");
    check("incident.labels[1]", "error: [_] cannot be used on map and int");
    check("0.0 / 0.0", "error: the result is not a finite number");
    check("b'abc'", "error: the result is not text, a number, a list or an object");
    let err = |s: &str| Expr::compile(s).and_then(|e| e.test(&scope())).expect_err(s).to_string();
    assert_eq!(err("incident.kind"), "a condition must be true or false, but this is text");
    assert_eq!(err("incident"), "a condition must be true or false, but this is an object");
    assert_eq!(err("null"), "a condition must be true or false, but this is null");
    assert_eq!(err("[1]"), "a condition must be true or false, but this is a list");
    assert_eq!(err("1"), "a condition must be true or false, but this is a number");
    assert_eq!(err("nobody == 1"), "\"nobody\" is not known here");
}

#[test]
fn ten_thousand_parentheses_are_an_error_and_no_crash() {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{1:", "}"), ("!", ""), ("-", ""), ("- ", ""), ("true ? ", " : 1")]
    {
        assert!(Expr::compile(&deep(open, close, 10_000)).is_err(), "{open}");
    }
    for n in 33..500 {
        assert!(Expr::compile(&deep("(", ")", n)).is_err(), "{n}");
    }
    assert!(Expr::compile(&deep("(", ")", 32)).is_ok());
    assert!(Expr::compile(&"1+".repeat(2_000)).is_err());
    assert!(Expr::compile(&format!("{}1", "1+".repeat(300))).is_err());
    assert!(Expr::compile(&format!("a{}", ".a".repeat(1_500))).is_err());
    assert!(Expr::compile(&format!("a{}", "[0]".repeat(1_000))).is_err());
    assert!(Expr::compile(&format!("{}1", "true ? 1 : ".repeat(200))).is_err());
    assert!(Expr::compile(&format!("{}true", "!".repeat(400))).is_ok(), "signs in a row are folded");
    assert!(Expr::compile(&format!("{}1", "1 == 1 || ".repeat(200))).is_err());
}

#[test]
fn what_survives_compilation_can_be_evaluated_on_a_small_stack() {
    let deepest = format!("{}1", "1+".repeat(38));
    let expr = Expr::compile(&deepest).expect("just within the limit");
    let small = std::thread::Builder::new().stack_size(1536 * 1024);
    let done = small.spawn(move || expr.eval(&Scope::new())).expect("thread").join().expect("no crash");
    assert_eq!(done, Ok(json!(39)));
}

#[test]
fn mistakes_are_found_when_compiling() {
    let err = |s: &str| {
        let e = Expr::compile(s).expect_err(s);
        (e.column, e.message)
    };
    let said = |column, words: &str| (column, words.to_owned());
    assert_eq!(err("  "), said(1, "the expression is empty"));
    assert_eq!(
        err("incident.kind.startWith('c')"),
        said(15, "there is no function \"startWith\"; did you mean \"startsWith\"?")
    );
    assert_eq!(err("launch()"), said(1, "there is no function \"launch\""));
    assert_eq!(err("Name{a: 1}"), said(0, "messages like Name{…} are not available here"));
    assert_eq!(
        err("{'a': 1, 'b': 2}.map(k, k)"),
        said(0, "an object written here has no order to go through; write a list")
    );
    assert_eq!(err("[1].map(a, [2].map(b, [3].map(c, c)))"), said(0, "more than 2 loops within each other"));
    assert!(err("incident.kind = 'c2'").1.starts_with("not a CEL expression: "));
    assert!(err("a.?b").1.starts_with("not a CEL expression: "));
    assert!(err("1 ==\n\n == 2").1.ends_with("(line 3 of the expression)"));
    assert_eq!(err(&"x".repeat(5_000)).1, "the expression is 5000 bytes long; at most 4096 are allowed");
}

#[test]
fn variables_are_listed_without_loop_variables() {
    let expr = Expr::compile("incident.victims.all(v, v != run.x) && zone == 1").expect("valid");
    assert_eq!(expr.variables(), ["incident", "run", "zone"]);
    assert_eq!(expr.fields(), ["incident.victims", "run.x"]);
    let inner =
        Expr::compile("has(incident.team) && [incident].all(incident, incident.x == 1)").expect("valid");
    assert_eq!(inner.fields(), ["incident.team"], "a loop variable of the same name is the loop's own");
    for (text, reads_team, reads_kind) in [
        ("incident.team == ''", true, false),
        ("has(incident.team) && incident['kind'] == 'c2'", true, true),
        ("incident.victims.exists(v, v == incident.kind)", false, true),
        ("incident.victims.exists(incident, incident == 'x')", false, false),
        ("'team' in incident", true, true),
        ("size(incident) > 2 && incident.team == ''", true, true),
        ("incident[run.x] == ''", true, true),
        ("run.team == incidents.kind", false, false),
    ] {
        let e = Expr::compile(text).expect(text);
        assert_eq!(
            (e.reads("incident", "team"), e.reads("incident", "kind")),
            (reads_team, reads_kind),
            "{text}"
        );
    }
    let e = expr.only_reads(&["incident", "run"]).expect_err("zone");
    assert_eq!((e.column, e.message.as_str()), (40, "\"zone\" is not known here (known: incident, run)"));
    let typo = Expr::compile("incidnt.kind == 'c2'").expect("valid");
    let e = typo.only_reads(&["incident", "run"]).expect_err("typo");
    assert_eq!(e.message, "\"incidnt\" is not known here; did you mean \"incident\"? (known: incident, run)");
    assert_eq!(expr.only_reads(&["incident", "run", "zone"]), Ok(()));
}

#[test]
fn objects_are_gone_through_in_alphabetical_order_every_time() {
    let many: serde_json::Map<String, serde_json::Value> =
        (0..50).map(|i| (format!("k{i:02}"), json!(i))).collect();
    let expr = Expr::compile("o.map(k, k)").expect("valid");
    let keys = expr.eval(&Scope::new().with("o", many.into())).expect("list");
    let keys: Vec<String> = serde_json::from_value(keys).expect("strings");
    assert!(keys.is_sorted() && keys.len() == 50);
}

#[test]
fn long_lists_are_not_gone_through() {
    let long = Scope::new().with("l", json!(vec![1; 1_001]));
    let eval = |s: &str| Expr::compile(s).expect(s).eval(&long).map_err(|e| e.message);
    assert_eq!(eval("size(l)"), Ok(json!(1_001)));
    assert_eq!(
        eval("l.exists(x, x == 2)"),
        Err("a list of 1001 is too long to go through here (at most 1000)".to_owned())
    );
    assert_eq!(
        eval("l.exists(x, l.exists(y, x == y))"),
        Err("a list of 1001 is too long to go through here (at most 100)".to_owned())
    );
}

#[test]
fn texts_are_filled_in_once_and_data_stays_data() {
    let render = |s: &str| Text::compile(s).and_then(|t| t.render(&scope()));
    assert_eq!(render("plain").as_deref(), Ok("plain"));
    assert_eq!(render("").as_deref(), Ok(""));
    assert_eq!(
        render("Block ${{ incident.peer }} for ${{incident.victims}}, ${{ incident.severity }}/6").as_deref(),
        Ok("Block 203.0.113.9 for 10.0.0.7, 10.0.0.8, 5/6")
    );
    assert_eq!(render("${{ incident.title }}").as_deref(), Ok("${{ incident.peer }}"), "second order");
    assert_eq!(render("${{ '}}' + \"\\\"}}\" }}").as_deref(), Ok("}}\"}}"));
    assert_eq!(render("${{ {'a': {'b': 1}} }}").as_deref(), Ok(r#"{"a":{"b":1}}"#));
    assert_eq!(render("{{ incident.peer }}").as_deref(), Ok("{{ incident.peer }}"));
    let evil = Scope::new().with("x", json!("a\r\nBcc: b\u{202e}c\u{1b}[31m"));
    let text = Text::compile("${{ x }}").expect("valid");
    assert_eq!(text.render(&evil).as_deref(), Ok("a  Bcc: b c [31m"));
    let long = Scope::new().with("x", json!("é".repeat(600)));
    assert_eq!(text.render(&long).expect("text").chars().count(), 501);
}

#[test]
fn mistakes_in_texts_are_placed() {
    let err = |s: &str| {
        let e = Text::compile(s).expect_err(s);
        (e.column, e.message)
    };
    assert_eq!(err("see ${{ incident.peer"), (5, "\"${{\" is never closed with \"}}\"".to_owned()));
    assert_eq!(err("see ${{ launch() }}"), (9, "there is no function \"launch\"".to_owned()));
    assert_eq!(err("see ${{ }}").1, "the expression is empty");
    assert!(err(&"x".repeat(9_000)).1.starts_with("the text is longer"));
    let text = Text::compile("é ${{ 1 }} ${{ zone.x }}").expect("valid");
    let e = text.only_reads(&["incident"]).expect_err("zone");
    assert_eq!(e.message, "\"zone\" is not known here (known: incident) in \"zone.x\"");
    assert_eq!(e.column, 16);
    assert_eq!(text.source(), "é ${{ 1 }} ${{ zone.x }}");
    assert_eq!(text.only_reads(&["zone"]), Ok(()));
    assert!(text.render(&Scope::new()).is_err());
}

#[test]
fn expressions_are_shared_between_threads() {
    fn shared<T: Clone + std::fmt::Debug + Send + Sync + 'static>(_: &T) {}
    let expr = Expr::compile("1 + 1").expect("valid");
    shared(&expr);
    shared(&scope());
    assert_eq!(format!("{expr:?}"), "Expr(\"1 + 1\")");
    assert_eq!(expr, expr.clone());
    assert_eq!(expr.source(), "1 + 1");
}
