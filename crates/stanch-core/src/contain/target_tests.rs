use stanch_model::Transport;

use super::*;

/// What is read, or the reason without its beginning.
fn said(read: Result<String, Reason>) -> String {
    match read {
        Ok(text) => format!("ok {text}"),
        Err(why) => why.0.split_once("refused: ").map_or(why.0.clone(), |(_, why)| why.to_owned()),
    }
}

#[test]
fn honest_accounts_are_read_as_they_stand() {
    for text in [
        "alice",
        "Alice.Smith",
        "a_b-c",
        "_www",
        "svc-backup",
        "alice@corp.example",
        "a+b@corp.example",
        "x1",
    ] {
        assert_eq!(said(parse_account(text)), format!("ok {text}"));
    }
}

/// Abuse case 5 (the spellings; whom it would hit is the guard's business).
#[test]
fn abuse_5_an_account_that_could_mean_something_else_elsewhere_is_refused() {
    let special =
        |c: &str| format!("\"{c}\" means something to a directory or a shell; it is never passed on");
    for (text, why) in [
        ("", "it is empty".to_owned()),
        ("*", special("*")),
        ("alice)(uid=*", special(")")),
        ("a(b", special("(")),
        ("cn=alice,dc=example", special("=")),
        ("alice,bob", special(",")),
        ("CORP\\alice", special("\\\\")),
        ("alice;id", special(";")),
        ("$(id)", special("$")),
        ("host$", special("$")),
        ("a`b", special("`")),
        ("a|b", special("|")),
        ("a&b", special("&")),
        ("a b", special(" ")),
        (" alice", special(" ")),
        ("alice\n", special("\\n")),
        ("alice\0", special("\\0")),
        ("a/b", special("/")),
        ("a:b", special(":")),
        ("a\"b", special("\\\"")),
        ("a#b", special("#")),
        ("a%2ab", special("%")),
        ("-rf", "it must begin with a letter or a digit".to_owned()),
        (".hidden", "it must begin with a letter or a digit".to_owned()),
        ("@corp.example", "it must begin with a letter or a digit".to_owned()),
        ("alice@", "what follows the @ is not a realm".to_owned()),
        ("alice@b@c", "what follows the @ is not a realm".to_owned()),
        ("аdmin", "it contains characters that may only look like those of the account".to_owned()),
    ] {
        assert_eq!(said(parse_account(text)), why, "{text:?}");
    }
    assert_eq!(said(parse_account(&"a".repeat(256))), format!("ok {}", "a".repeat(256)));
    assert_eq!(said(parse_account(&"a".repeat(257))), "too long for an account");
}

#[test]
fn groups_may_have_blanks_between_words_and_nothing_else() {
    for text in ["vpn-users", "Domain Users", "wheel", "a"] {
        assert_eq!(said(parse_group(text)), format!("ok {text}"));
    }
    for text in ["", " vpn", "vpn ", "vpn,users", "cn=vpn", "vpn*", "a@b", "vpn\tusers", "-a"] {
        assert!(parse_group(text).is_err(), "{text:?}");
    }
    assert!(parse_group(&"g".repeat(257)).is_err());
    assert!(parse_group(&"g".repeat(256)).is_ok());
}

#[test]
fn names_have_one_spelling() {
    for (text, read) in [
        ("evil.example", "ok evil.example"),
        ("EVIL.Example.", "ok evil.example"),
        ("a-b.c1.example", "ok a-b.c1.example"),
        ("xn--e1afmkfd.example", "ok xn--e1afmkfd.example"),
        ("1.example", "ok 1.example"),
    ] {
        assert_eq!(said(parse_domain(text)), read, "{text:?}");
    }
    let single = "a single label is a whole top-level domain, or means nothing outside";
    for (text, why) in [
        ("", "it is empty"),
        (".", "it has an empty label"),
        ("com", single),
        ("com.", single),
        ("localhost", single),
        ("evil..example", "it has an empty label"),
        ("evil.example..", "it has an empty label"),
        (".evil.example", "it has an empty label"),
        ("*.evil.example", "a sinkhole covers all names below by itself; leave the * out"),
        ("_dmarc.evil.example", "host names have no _"),
        ("evil.example/x", "\"/\" cannot be in a host name"),
        ("evil.example\n", "\"\\n\" cannot be in a host name"),
        ("evil.example CNAME .", "\" \" cannot be in a host name"),
        ("evil.example;", "\";\" cannot be in a host name"),
        ("$ORIGIN.example", "\"$\" cannot be in a host name"),
        ("-evil.example", "a label begins or ends with a hyphen"),
        ("evil-.example", "a label begins or ends with a hyphen"),
        ("ab--cd.example", "a label has hyphens where only xn-- may"),
        ("xn--.example", "a label begins or ends with a hyphen"),
        ("10.0.0.1", "it is an address, not a name"),
        ("1.2", "it is an address, not a name"),
        ("2001:db8::1", "\":\" cannot be in a host name"),
        ("évil.example", "write the name as resolvers see it, with labels that begin with xn--"),
        ("gооgle.com", "write the name as resolvers see it, with labels that begin with xn--"),
    ] {
        assert_eq!(said(parse_domain(text)), why, "{text:?}");
    }
    assert!(parse_domain(&format!("{}.example", "a".repeat(63))).is_ok());
    assert!(parse_domain(&format!("{}.example", "a".repeat(64))).is_err());
    let long = ["a".repeat(61), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join(".");
    assert_eq!(long.len(), 253);
    assert!(parse_domain(&long).is_ok());
    assert_eq!(said(parse_domain(&format!("a{long}"))), "longer than 253 characters");
}

/// Abuse case 4 (the spellings).
#[test]
fn abuse_4_a_port_is_one_port_and_a_vlan_is_a_vlan() {
    for text in ["Ethernet1/0/7", "veth-a1", "port7", "GigabitEthernet1/0/24.100", "sw-3:Gi1/0/1", "7"] {
        assert_eq!(said(parse_port(text)), format!("ok {text}"));
    }
    for text in [
        "",
        "all",
        "any",
        "*",
        "Gi1/0/1-24,2",
        "Gi1 0",
        "-p1",
        "/dev/eth0",
        "a..1",
        "a//1",
        "p1;x",
        "p1\n",
        "port",
        "пp1",
    ] {
        assert!(parse_port(text).is_err(), "{text:?}");
    }
    assert!(parse_port(&format!("p{}", "1".repeat(63))).is_ok());
    assert!(parse_port(&format!("p{}", "1".repeat(64))).is_err());
    let port = |vlan| malformed(&ActionKind::QuarantinePort { port: "p1".into(), vlan }).len();
    assert_eq!([0, 1, 4094, 4095, 65535].map(port), [1, 0, 0, 1, 1]);
}

#[test]
fn a_subject_is_plain_text_and_an_address_in_it_is_a_strict_one() {
    for text in [
        "203.0.113.9",
        "10.0.0.0/8",
        "2001:db8::1",
        "host web-1",
        "alice@corp.example",
        "evil.example",
        "cafe.be",
        "Zürich",
    ] {
        assert_eq!(said(parse_subject(text)), format!("ok {text}"));
    }
    for text in
        ["", "  ", "a\nb", "010.1.1.1", "10.1", "0x0a.0.0.1", "::ffff:10.0.0.1", "0.0.0.0/0", "a\u{202e}b"]
    {
        assert!(parse_subject(text).is_err(), "{text:?}");
    }
    assert!(parse_subject(&"x".repeat(256)).is_ok());
    assert!(parse_subject(&"x".repeat(257)).is_err());
}

/// Abuse case 3: what was built without the parser is looked at all the same.
#[test]
fn abuse_3_a_change_built_without_the_parser_is_still_judged_by_the_grammar() {
    let net = "203.0.113.9/32".parse().expect("net");
    let bad = [
        ActionKind::SinkholeDomain { domain: "EVIL.example".into() },
        ActionKind::SinkholeDomain { domain: "evil.example.".into() },
        ActionKind::SinkholeDomain { domain: "com".into() },
        ActionKind::LockAccount { account: "a*".into() },
        ActionKind::UnlockAccount { account: String::new() },
        ActionKind::ResetCredential { account: "a(b".into() },
        ActionKind::RemoveFromGroup { account: "a".into(), group: "b,c".into() },
        ActionKind::RemoveFromGroup { account: "a b".into(), group: "b".into() },
        ActionKind::LimitAddress { target: net, packets_per_second: 0 },
        ActionKind::BlockPort { target: net, protocol: Transport::Tcp, port: 0 },
        ActionKind::QuarantinePort { port: "*".into(), vlan: 7 },
        ActionKind::Call { call: "x".into(), subject: "10.1".into(), inputs: [].into() },
        ActionKind::Call {
            call: "x".into(),
            subject: "y".into(),
            inputs: [("i".into(), "\0".into())].into(),
        },
        ActionKind::Call {
            call: "x".into(),
            subject: "y".into(),
            inputs: [("i".into(), "a".repeat(8193))].into(),
        },
    ];
    for kind in bad {
        assert_eq!(malformed(&kind).len(), 1, "{kind:?}");
    }
    let good = [
        ActionKind::SinkholeDomain { domain: "evil.example".into() },
        ActionKind::LockAccount { account: "alice".into() },
        ActionKind::LimitAddress { target: net, packets_per_second: 1 },
        ActionKind::BlockPort { target: net, protocol: Transport::Udp, port: 1 },
        ActionKind::Call {
            call: "x".into(),
            subject: "y".into(),
            inputs: [("i".into(), "a".repeat(8192))].into(),
        },
    ];
    for kind in good {
        assert_eq!(malformed(&kind), [], "{kind:?}");
    }
}

#[test]
fn look_ups_are_asked_about_the_target_itself() {
    let about = |kind: ActionKind| observable(&kind).to_string();
    let call =
        |subject: &str| ActionKind::Call { call: "x".into(), subject: subject.into(), inputs: [].into() };
    assert_eq!(
        about(ActionKind::BlockAddress { target: "203.0.113.9/32".parse().expect("net") }),
        "ip 203.0.113.9"
    );
    assert_eq!(about(ActionKind::LockAccount { account: "alice".into() }), "user alice");
    assert_eq!(about(ActionKind::SinkholeDomain { domain: "evil.example".into() }), "hostname evil.example");
    assert_eq!(about(call("203.0.113.9")), "ip 203.0.113.9");
    assert_eq!(about(call("a@b.example")), "email a@b.example");
    assert_eq!(about(call("b.example")), "hostname b.example");
    assert_eq!(about(call("alice")), "user alice");
}
