//! The contract against a real kernel, and limits and ports with real packets.

use super::*;
use crate::responder::contract::daemon::tool;
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, cutter, is_present};
use crate::responder::lab::tests::a_bare_lab;
use crate::responder::lab::{Lab, Probe};
use stanch_model::Transport;

const INSIDE: &str = "10.0.0.100";
const OUTSIDE: &str = "10.0.254.35";

struct Firewall {
    lab: Lab,
    kind: ActionKind,
}

async fn a_firewall(kind: ActionKind) -> Option<Firewall> {
    let lab = a_bare_lab(INSIDE, OUTSIDE).await?;
    let firewall = Firewall { lab, kind };
    firewall.device().prepare().await.expect("a table");
    Some(firewall)
}

impl Firewall {
    fn device(&self) -> Nftables {
        Nftables::new(NftConfig::named("edge").in_netns(self.lab.firewall_ns()))
    }
}

#[async_trait]
impl Bench for Firewall {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let Some(cut) = cut else { return Box::new(self.device()) };
        let dir = tempfile::tempdir().expect("a folder");
        let (program, watch) = cutter::program(dir.path(), "/usr/sbin/nft", cut);
        let config = NftConfig { program, ..NftConfig::named("edge") };
        Box::new(Wired::new(Nftables::new(config.in_netns(self.lab.firewall_ns())), (watch, dir)))
    }

    fn kind(&self) -> ActionKind {
        self.kind.clone()
    }

    async fn state(&self) -> String {
        let ns = self.lab.firewall_ns();
        let text = tool("ip", &["netns", "exec", &ns, "/usr/sbin/nft", "-s", "list", "ruleset"], "");
        let text = text.expect("readable");
        // What is left of a timer runs by itself.
        let words: Vec<&str> = text.split_whitespace().collect();
        let timer = |at: usize| at > 0 && words[at - 1] == "expires";
        words.iter().enumerate().filter(|(at, _)| !timer(*at)).map(|(_, w)| *w).collect::<Vec<_>>().join(" ")
    }
}

fn net(text: &str) -> IpNet {
    text.parse().expect(text)
}

#[tokio::test]
async fn blocking_holds_the_contract() {
    let Some(fw) = a_firewall(ActionKind::BlockAddress { target: net("10.0.254.35/32") }).await else {
        return;
    };
    contract::run(&fw).await;
}

#[tokio::test]
async fn blocking_a_prefix_holds_the_contract() {
    let Some(fw) = a_firewall(ActionKind::BlockAddress { target: net("2001:db8::/64") }).await else {
        return;
    };
    contract::run(&fw).await;
}

#[tokio::test]
async fn limiting_holds_the_contract() {
    let kind = ActionKind::LimitAddress { target: net("10.0.254.0/28"), packets_per_second: 20 };
    let Some(fw) = a_firewall(kind).await else { return };
    contract::run(&fw).await;
}

#[tokio::test]
async fn blocking_a_port_holds_the_contract() {
    let kind = ActionKind::BlockPort { target: net("10.0.254.35/32"), protocol: Transport::Tcp, port: 445 };
    let Some(fw) = a_firewall(kind).await else { return };
    contract::run(&fw).await;
}

/// How many of 100 pings in two seconds are answered.
fn answered(lab: &Lab) -> u32 {
    let inside = lab.inside_ns();
    let words = ["netns", "exec", &inside, "/usr/bin/ping", "-q", "-c100", "-i0.02", "-W1", OUTSIDE];
    let said = tool("ip", &words, "").unwrap_or_else(|said| said);
    let count =
        said.split(" received").next().and_then(|s| s.rsplit(' ').next()).and_then(|n| n.parse().ok());
    count.unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test]
async fn a_limit_lets_its_share_through_and_no_more() {
    let kind = ActionKind::LimitAddress { target: net("10.0.0.100/32"), packets_per_second: 10 };
    let Some(fw) = a_firewall(kind.clone()).await else { return };
    let before = answered(&fw.lab);
    assert!(before > 90, "{before}");
    let (device, action) = (fw.device(), bare(kind, 1));
    assert!(is_present(&device.perform(&action).await));
    // 10 at once and 10 in each of two seconds, and as much again for a slow machine.
    let during = answered(&fw.lab);
    assert!((10..=60).contains(&during), "{during}");
    assert_eq!(device.revert(&action).await, Ok(Observed::Absent));
    assert!(answered(&fw.lab) > 90);
}

#[tokio::test]
async fn one_port_is_closed_and_the_others_stay_open() {
    let Some(mut lab) = a_bare_lab(INSIDE, OUTSIDE).await else { return };
    let first = lab.start_listener(0).await.expect("a listener");
    let kind =
        ActionKind::BlockPort { target: net("10.0.254.32/28"), protocol: Transport::Tcp, port: first.port() };
    let device = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    let action = bare(kind, 1);
    assert!(is_present(&device.perform(&action).await));
    assert!(matches!(lab.probe().await, Ok(Probe::Blocked { .. })));
    let second = lab.start_listener(0).await.expect("another");
    assert_ne!(first.port(), second.port());
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })));
}

/// Our own path in the lab: from inside to outside, through the firewall.
struct Through(Arc<Lab>);

#[async_trait]
impl OwnPath for Through {
    async fn is_open(&self) -> bool {
        matches!(self.0.probe().await, Ok(Probe::Open { .. }))
    }
    fn words(&self) -> String {
        "inside to outside".to_owned()
    }
}

async fn a_guarded_firewall() -> Option<(Arc<Lab>, Nftables)> {
    let lab = Arc::new(a_bare_lab(INSIDE, OUTSIDE).await?);
    let fw = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    let fw = fw.with_own_path(Arc::new(Through(lab.clone())));
    Some((lab, fw))
}

#[tokio::test]
async fn a_block_of_our_own_path_is_taken_back_at_once() {
    let Some((lab, fw)) = a_guarded_firewall().await else { return };
    let start = Instant::now();
    for target in ["10.0.254.35/32", "10.0.254.0/24", "10.0.0.100/32"] {
        let cut = bare(ActionKind::BlockAddress { target: net(target) }, 1);
        let said = fw.perform(&cut).await;
        assert!(matches!(&said, Err(Failure::Permanent { why }) if why.contains("our own path")), "{said:?}");
        assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })));
        assert_eq!(fw.verify(&cut).await, Ok(Observed::Absent));
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let harmless = bare(ActionKind::BlockAddress { target: net("203.0.113.9/32") }, 2);
    let seen = fw.perform(&harmless).await;
    let Ok(Observed::Present { expires_in: Some(left) }) = seen else { panic!("{seen:?}") };
    assert!(left > Span::mins(9), "it has its real time: {left}");
    assert_eq!(fw.list_ours().await.expect("readable").len(), 1);
}

#[tokio::test]
async fn a_trial_that_nobody_confirms_is_seen_confirmed_or_taken_back() {
    let Some((lab, fw)) = a_guarded_firewall().await else { return };
    let action = bare(ActionKind::BlockAddress { target: net("203.0.113.9/32") }, 3);
    fw.prepare().await.expect("a table");
    let alone = Nftables::new(NftConfig::named("edge").in_netns(lab.firewall_ns()));
    // As we would have left it if we had been ended before the confirmation.
    let target = target_of(&action).expect("a target");
    let trial = wire::create_element("stanch", &target, 20, &wire::on_trial(&action.tag()));
    for confirmed in [true, false] {
        assert!(alone.change(&trial).await.is_ok());
        let seen = fw.verify(&action).await;
        assert!(matches!(&seen, Ok(Observed::Different { what }) if what.contains("on trial")), "{seen:?}");
        if confirmed {
            assert!(is_present(&fw.perform(&action).await));
            assert!(is_present(&fw.verify(&action).await));
        }
        assert_eq!(fw.revert(&action).await, Ok(Observed::Absent));
    }
}

#[tokio::test]
async fn renewing_puts_the_end_off_and_makes_again_what_is_gone() {
    let kind = ActionKind::BlockAddress { target: net("10.0.254.35/32") };
    let Some(fw) = a_firewall(kind.clone()).await else { return };
    let device = fw.device();
    let short = Action { ttl: Span::secs(30), ..bare(kind.clone(), 1) };
    assert!(is_present(&device.perform(&short).await));
    let left = |seen: Result<Observed, Failure>| match seen {
        Ok(Observed::Present { expires_in: Some(left) }) => left,
        other => panic!("{other:?}"),
    };
    let long = Action { ttl: Span::mins(10), ..short.clone() };
    assert!(left(device.renew(&long).await) > Span::mins(9));
    assert_eq!(device.list_ours().await.expect("readable").len(), 1);
    assert_eq!(device.revert(&long).await, Ok(Observed::Absent));
    assert!(left(device.renew(&long).await) > Span::mins(9), "made again");
    let other = Action { id: stanch_model::ActionId(2), ..long };
    assert!(matches!(device.renew(&other).await, Ok(Observed::Different { .. })), "not another's");
}
