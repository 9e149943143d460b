//! Whatever is generated, no permit touches what is protected.

use proptest::prelude::*;
use proptest::test_runner::{Config as TestConfig, TestRunner};
use stanch_model::{ActionKind, Transport};

use super::*;
use crate::config::Thing;
use crate::contain::target::{parse_account, parse_domain, parse_group, parse_port};

/// Addresses from a small space, so that overlaps are common; IPv4 also in its IPv6 disguises.
fn any_net() -> impl Strategy<Value = IpNet> {
    let v4 = || (0_u32..64, prop::sample::select(vec![0x0a00_0000_u32, 0xcb00_7100, 0x7f00_0000]));
    let length = || prop_oneof![3 => Just(32_u8), 2 => 24_u8..=32, 1 => 0_u8..=32];
    let disguises =
        prop::sample::select(vec!["::ffff:0:0", "64:ff9b::", "::", "2001:db8::", "2001:db8::100:0"]);
    prop_oneof![
        3 => (v4(), length()).prop_map(|((low, high), len)| {
            IpNet::new(std::net::Ipv4Addr::from_bits(high | low).into(), len).expect("length")
        }),
        2 => (v4(), disguises, length()).prop_map(|((low, high), prefix, len)| {
            let prefix: std::net::Ipv6Addr = prefix.parse().expect("address");
            let bits = prefix.to_bits() | u128::from(high | low);
            IpNet::new(std::net::Ipv6Addr::from_bits(bits).into(), 96 + len).expect("length")
        }),
        1 => (v4(), 16_u8..=128).prop_map(|((low, high), len)| {
            let bits = (0x2002_u128 << 112) | (u128::from(high | low) << 80);
            IpNet::new(std::net::Ipv6Addr::from_bits(bits).into(), len).expect("length")
        }),
    ]
}

/// Names from a small space of labels, in either case, sometimes with a final dot.
fn any_domain() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec![
        "a", "b", "ours", "OURS", "example", "com", "co", "uk", "xn--e1a", "*", "",
    ]);
    (prop::collection::vec(label, 1..5), any::<bool>())
        .prop_map(|(labels, dot)| format!("{}{}", labels.join("."), if dot { "." } else { "" }))
}

fn any_account() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alice",
        "Alice",
        "bob",
        "root",
        "ROOT",
        "svc-x",
        "a b",
        "ali*ce",
        "breakglass",
    ]);
    let realm = prop::sample::select(vec!["", "@a.example", "@A.example", "@b.example", "@"]);
    (name, realm).prop_map(|(name, realm)| format!("{name}{realm}"))
}

fn any_port() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["p", "port", "Gi", "gigabitethernet", "Te", ""]);
    let number = prop::sample::select(vec!["1", "1/0/1", "1/0/11", "2", ""]);
    (word, number).prop_map(|(word, number)| format!("{word}{number}"))
}

fn any_group() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["vpn", "VPN", "wheel", "Domain Admins", "x y", "a,b", ""])
        .prop_map(str::to_owned)
}

/// Text that may name any of them, with something around it.
fn any_words() -> impl Strategy<Value = String> {
    let thing = prop_oneof![
        any_net().prop_map(|n| n.to_string()),
        any_net().prop_map(|n| n.addr().to_string()),
        any_domain(),
        any_account(),
        any_port(),
        any_group(),
    ];
    let around = prop::sample::select(vec![
        ("", ""),
        ("host ", ""),
        ("https://", "/x"),
        ("{\"a\":\"", "\"}"),
        ("x,", ";y"),
    ]);
    (thing, around).prop_map(|(thing, (before, after))| format!("{before}{thing}{after}"))
}

fn any_kind() -> impl Strategy<Value = ActionKind> {
    let tcp = Transport::Tcp;
    prop_oneof![
        3 => any_net().prop_map(|target| ActionKind::BlockAddress { target }),
        1 => (any_net(), 0_u32..3)
            .prop_map(|(target, packets_per_second)| ActionKind::LimitAddress { target, packets_per_second }),
        1 => (any_net(), 0_u16..3)
            .prop_map(move |(target, port)| ActionKind::BlockPort { target, protocol: tcp, port }),
        2 => (any_port(), 0_u16..5).prop_map(|(port, vlan)| ActionKind::QuarantinePort { port, vlan }),
        1 => any_account().prop_map(|account| ActionKind::LockAccount { account }),
        1 => any_account().prop_map(|account| ActionKind::UnlockAccount { account }),
        1 => any_account().prop_map(|account| ActionKind::ResetCredential { account }),
        1 => (any_account(), any_group())
            .prop_map(|(account, group)| ActionKind::RemoveFromGroup { account, group }),
        3 => any_domain().prop_map(|domain| ActionKind::SinkholeDomain { domain }),
        3 => (any_words(), any_words()).prop_map(|(subject, input)| ActionKind::Call {
            call: "x".into(),
            subject,
            inputs: [("i".to_owned(), input)].into(),
        }),
    ]
}

/// What a configuration can protect: it reads names by the grammar of targets.
fn any_thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        3 => any_net().prop_map(Thing::Net),
        1 => any_account().prop_filter_map("an account", |t| parse_account(&t).ok().map(Thing::Account)),
        1 => any_group().prop_filter_map("a group", |t| parse_group(&t).ok().map(Thing::Group)),
        2 => any_domain().prop_filter_map("a name", |t| parse_domain(&t).ok().map(Thing::Domain)),
        1 => any_port().prop_filter_map("a port", |t| parse_port(&t).ok().map(Thing::Port)),
    ]
}

/// First and last IPv4 address that an address range amounts to, written independently of
/// `protect`: an interval of the real addresses behind it, or none.
fn real_v4(net: &IpNet) -> Vec<(u32, u32)> {
    let IpNet::V6(v6) = net else {
        let IpNet::V4(v4) = net else { return vec![] };
        return vec![(v4.network().to_bits(), v4.broadcast().to_bits())];
    };
    let (first, last) = (v6.network().to_bits(), v6.broadcast().to_bits());
    let mut out = vec![];
    for (carrier, shift) in [(0xffff_u128 << 32, 0), (0x0064_ff9b_u128 << 96, 0), (0x2002_u128 << 112, 80)] {
        let size = u128::from(u32::MAX) << shift | ((1_u128 << shift) - 1);
        let (a, b) = (first.max(carrier), last.min(carrier + size));
        if a <= b {
            out.push((((a - carrier) >> shift) as u32, ((b - carrier) >> shift) as u32));
        }
    }
    out
}

fn share_an_address(a: &IpNet, b: &IpNet) -> bool {
    let plain = match (a, b) {
        (IpNet::V4(_), IpNet::V4(_)) => false, // through `real_v4`
        (IpNet::V6(a), IpNet::V6(b)) => a.network() <= b.broadcast() && b.network() <= a.broadcast(),
        (IpNet::V4(_), IpNet::V6(_)) | (IpNet::V6(_), IpNet::V4(_)) => false,
    };
    let (a, b) = (real_v4(a), real_v4(b));
    plain || a.iter().any(|x| b.iter().any(|y| x.0 <= y.1 && y.0 <= x.1))
}

/// One below the other or the same, by reversed text: written independently of `names`.
fn one_above_the_other(a: &str, b: &str) -> bool {
    let path = |name: &str| {
        let name = name.trim_end_matches('.').to_lowercase();
        format!("{}/", name.split('.').rev().collect::<Vec<_>>().join("/"))
    };
    let (a, b) = (path(a), path(b));
    a.starts_with(&b) || b.starts_with(&a)
}

/// True when a change plainly touches a thing: the least that must never be permitted.
fn plainly_touches(kind: &ActionKind, thing: &Thing) -> bool {
    let lower = str::to_lowercase;
    match (kind, thing) {
        (
            ActionKind::BlockAddress { target }
            | ActionKind::LimitAddress { target, .. }
            | ActionKind::BlockPort { target, .. },
            Thing::Net(net),
        ) => share_an_address(target, net),
        (
            ActionKind::LockAccount { account }
            | ActionKind::UnlockAccount { account }
            | ActionKind::ResetCredential { account }
            | ActionKind::RemoveFromGroup { account, .. },
            Thing::Account(protected),
        ) => {
            let (a, b) = (lower(account), lower(protected));
            a == b || a.split('@').next() == Some(&b) || b.split('@').next() == Some(&a)
        }
        (ActionKind::RemoveFromGroup { group, .. }, Thing::Group(protected)) => {
            lower(group) == lower(protected)
        }
        (ActionKind::QuarantinePort { port, .. }, Thing::Port(protected)) => lower(port) == lower(protected),
        (ActionKind::SinkholeDomain { domain }, Thing::Domain(protected)) => {
            one_above_the_other(domain, protected)
        }
        (ActionKind::Call { subject, inputs, .. }, thing) => {
            let texts = || std::iter::once(subject).chain(inputs.values()).map(|t| lower(t));
            match thing {
                Thing::Net(net) => texts().any(|t| t.parse().is_ok_and(|n: IpNet| share_an_address(&n, net))),
                Thing::Account(name) | Thing::Group(name) | Thing::Port(name) => {
                    !name.trim().is_empty() && texts().any(|t| t == lower(name))
                }
                Thing::Domain(name) => {
                    name.contains(|c: char| c.is_alphanumeric())
                        && texts()
                            .any(|t| t.contains('.') && one_above_the_other(&t, name) && !t.contains("//"))
                }
            }
        }
        _ => false,
    }
}

/// SEC-51: whatever the change, the list, the autonomy and the approval, no permit touches what is
/// protected. `STANCH_GUARD_CASES` sets how many pairs are tried.
#[test]
#[allow(clippy::disallowed_methods)] // the number of cases is the tester's choice
fn no_permit_ever_touches_what_is_protected() {
    let cases = std::env::var("STANCH_GUARD_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let mut runner = TestRunner::new(TestConfig {
        cases,
        failure_persistence: None,
        max_local_rejects: u32::MAX,
        ..TestConfig::default()
    });
    let strategy = (any_kind(), prop::collection::vec(any_thing(), 0..4), any::<bool>(), any::<bool>());
    let permits = std::cell::RefCell::new(std::collections::BTreeMap::<&str, u32>::new());
    let outcome = runner.run(&strategy, |(kind, protected, discovered, ask)| {
        let list: Vec<Protected> =
            protected.iter().map(|what| Protected { what: what.clone(), why: String::new() }).collect();
        let mut case = Case::of(kind.clone()).with(|c| {
            (c.policy.min_prefix_v4, c.policy.min_prefix_v6) = (0, 0);
            if discovered { c.discovered = list } else { c.policy.protected = list }
        });
        if ask {
            case = case.approved_by(&["jon", "mira"]);
        }
        if let Verdict::Permit(permit) = case.judge().verdict {
            *permits.borrow_mut().entry(kind.name()).or_default() += 1;
            prop_assert_eq!(permit.action(), &case.action);
            for thing in &protected {
                prop_assert!(!plainly_touches(&kind, thing), "{:?} {:?}", kind, thing);
            }
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    let permits = permits.into_inner();
    assert_eq!(permits.len(), 10, "every kind is permitted sometimes: {permits:?}");
    assert!(
        permits.values().sum::<u32>() > cases / 20,
        "the generator must reach the interesting half: {permits:?}"
    );
}
