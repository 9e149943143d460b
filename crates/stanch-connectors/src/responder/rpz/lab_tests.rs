//! The responder against a real BIND, and people who really ask it.

use super::named::Named;
use super::*;
use crate::responder::contract::cutter::{self, Cutter};
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, captured, is_present};

struct Zone {
    named: Named,
    answer: Sinkhole,
}

#[async_trait]
impl Bench for Zone {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let (at, wire): (SocketAddr, Option<Cutter>) = match cut {
            None => (self.named.at, None),
            Some(cut) => {
                let (at, wire) = cutter::tcp(self.named.at, cut).await;
                (at, Some(wire))
            }
        };
        let mut config = self.named.config(at);
        config.answer = self.answer.clone();
        Box::new(Wired::new(Rpz::new(config), wire))
    }

    fn kind(&self) -> ActionKind {
        sink("bad.example")
    }

    async fn state(&self) -> String {
        self.named.zone()
    }
}

fn sink(domain: &str) -> ActionKind {
    ActionKind::SinkholeDomain { domain: domain.to_owned() }
}

#[tokio::test]
async fn sinkholing_holds_the_contract() {
    let Some(named) = Named::start() else { return };
    contract::run(&Zone { named, answer: Sinkhole::NoSuchName }).await;
}

#[tokio::test]
async fn sinkholing_to_an_address_holds_the_contract() {
    let Some(named) = Named::start() else { return };
    contract::run(&Zone { named, answer: Sinkhole::Address("192.0.2.66".parse().expect("address")) }).await;
}

#[tokio::test]
async fn a_name_and_all_below_it_are_sunk_and_come_back() {
    let Some(named) = Named::start() else { return };
    let names = ["bad.example", "c2.bad.example", "deep.below.bad.example"];
    let real = ["NOERROR 192.0.2.1", "NOERROR 192.0.2.2", "NOERROR 192.0.2.3"];
    let asked = || names.map(|name| named.ask(name));
    assert_eq!(asked(), real);
    for (answer, sunk) in [
        (Sinkhole::NoSuchName, "NXDOMAIN"),
        (Sinkhole::NoData, "NOERROR"),
        (Sinkhole::Address("192.0.2.66".parse().expect("address")), "NOERROR 192.0.2.66"),
    ] {
        let mut config = named.config(named.at);
        config.answer = answer;
        let rpz = Rpz::new(config);
        let action = captured(&rpz, sink("bad.example"), 4).await.expect("captured");
        let seen = rpz.perform(&action).await;
        assert!(is_present(&seen), "{seen:?}");
        assert_eq!(asked(), [sunk; 3]);
        assert_eq!(rpz.revert(&action).await, Ok(Observed::Absent));
        let back = || asked() == real;
        assert!(contract::daemon::within(Duration::from_secs(10), back), "{:?}", asked());
    }
}

#[tokio::test]
async fn rules_of_others_are_left_alone_and_a_wider_one_is_no_obstacle() {
    let Some(named) = Named::start() else { return };
    let (rpz, before) = (Rpz::new(named.config(named.at)), named.zone());
    let theirs = bare(sink("theirs.example"), 5);
    assert!(matches!(rpz.perform(&theirs).await, Ok(Observed::Different { .. })));
    assert_eq!(rpz.revert(&theirs).await, Ok(Observed::Absent));
    assert_eq!(named.zone(), before);
    let within = bare(sink("one.wide.example"), 6);
    assert_eq!(rpz.verify(&within).await, Ok(Observed::Absent), "their wildcard is not our rule");
    assert!(is_present(&rpz.perform(&within).await));
    let second = rpz.perform(&bare(sink("one.wide.example"), 7)).await;
    assert!(
        matches!(&second, Ok(Observed::Different { what }) if what.contains("stanch:ACT-6")),
        "{second:?}"
    );
    assert_eq!(rpz.revert(&bare(sink("one.wide.example"), 7)).await, Ok(Observed::Absent), "not ours");
    assert!(is_present(&rpz.verify(&within).await), "another's undo does not touch it");
    assert_eq!(rpz.revert(&within).await, Ok(Observed::Absent));
    assert_eq!(named.zone(), before);
}

#[tokio::test]
async fn a_rule_somebody_took_apart_is_seen_and_the_rest_of_it_goes_with_the_undo() {
    let Some(named) = Named::start() else { return };
    let (rpz, before) = (Rpz::new(named.config(named.at)), named.zone());
    let action = bare(sink("bad.example"), 8);
    assert!(is_present(&rpz.perform(&action).await));
    named.by_hand("update delete *.bad.example.rpz.lab. CNAME");
    let seen = rpz.verify(&action).await;
    assert!(
        matches!(&seen, Ok(Observed::Different { what }) if what.contains("not as we made it")),
        "{seen:?}"
    );
    assert_eq!(rpz.revert(&action).await, Ok(Observed::Absent));
    assert_eq!(named.zone(), before);
}

#[tokio::test]
async fn a_wrong_key_a_dead_server_and_a_resolver_that_does_not_heed_are_told_apart() {
    let Some(named) = Named::start() else { return };
    let mut config = named.config(named.at);
    config.key = Some(named.key("wrong.key"));
    let refused = Rpz::new(config).perform(&bare(sink("bad.example"), 1)).await;
    assert!(matches!(refused, Err(Failure::Unauthorised { .. })), "{refused:?}");
    let dead = Rpz::new(named.config(SocketAddr::from(([127, 0, 0, 1], 9))));
    let dead = dead.perform(&bare(sink("bad.example"), 1)).await;
    assert!(matches!(dead, Err(Failure::Transient { .. })), "{dead:?}");

    // Another resolver, which does not use the zone.
    let Some(other) = Named::start() else { return };
    let mut config = named.config(named.at);
    config.resolver = Some(other.at);
    config.timeout = Duration::from_secs(1);
    let rpz = Rpz::new(config);
    let action = bare(sink("bad.example"), 2);
    let seen = rpz.perform(&action).await;
    assert!(
        matches!(&seen, Ok(Observed::Different { what }) if what.contains("response-policy")),
        "{seen:?}"
    );
    assert_eq!(rpz.revert(&action).await, Ok(Observed::Absent));
}
