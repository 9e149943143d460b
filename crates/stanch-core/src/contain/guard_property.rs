//! Whatever is generated, no permit touches what is protected.

use proptest::prelude::*;
use proptest::test_runner::{Config as TestConfig, TestRunner};
use stanch_model::ActionKind;

use super::*;

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

/// SEC-51: whatever the target, the list, the autonomy and the approval, no
/// permit touches a protected address. `STANCH_GUARD_CASES` sets how many pairs are tried.
#[test]
#[allow(clippy::disallowed_methods)] // the number of cases is the tester's choice
fn no_permit_ever_touches_a_protected_address() {
    let cases = std::env::var("STANCH_GUARD_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut runner =
        TestRunner::new(TestConfig { cases, failure_persistence: None, ..TestConfig::default() });
    let strategy = (any_net(), prop::collection::vec(any_net(), 0..4), any::<bool>(), any::<bool>());
    let permits = std::cell::Cell::new(0_u32);
    let base = Case::new(PEER);
    let outcome = runner.run(&strategy, |(target, protected, discovered, ask)| {
        let list: Vec<Protected> =
            protected.iter().map(|net| Protected { net: *net, why: String::new() }).collect();
        let mut case = Case::new(PEER).with(|c| {
            c.action.kind = ActionKind::BlockAddress { target };
            c.blast.target = target;
            (c.policy.min_prefix_v4, c.policy.min_prefix_v6) = (0, 0);
            if discovered { c.discovered = list } else { c.policy.protected = list }
        });
        if ask {
            case = case.approved();
        }
        if let Verdict::Permit(permit) = case.judge().verdict {
            permits.set(permits.get() + 1);
            prop_assert_eq!(permit.action(), &case.action);
            for net in &protected {
                prop_assert!(!share_an_address(&target, net), "{} {}", target, net);
            }
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    assert!(permits.get() > cases / 50, "the generator must reach the interesting half: {}", permits.get());
    assert_eq!(base.judge().verdict.word(), "permitted");
}
