//! The responder against a real Open vSwitch, and packets between hosts.

use super::switch::Switch;
use super::*;
use crate::responder::contract::cutter;
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, captured, is_present};

struct Access {
    switch: Switch,
}

#[async_trait]
impl Bench for Access {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let (socket, wire) = match cut {
            None => (self.switch.socket(), None),
            Some(cut) => {
                let at = self.switch.place(&format!("cut-{}-{:?}", cut.after, cut.lost));
                let _ = std::fs::remove_file(&at);
                let wire = cutter::unix(at.clone(), self.switch.socket(), cut).await;
                (at, Some(wire))
            }
        };
        Box::new(Wired::new(OpenVswitch::new(self.switch.config(socket)), wire))
    }

    fn kind(&self) -> ActionKind {
        quarantine("h1")
    }

    async fn state(&self) -> String {
        self.switch.rows()
    }
}

fn quarantine(port: &str) -> ActionKind {
    ActionKind::QuarantinePort { port: port.to_owned(), vlan: 999 }
}

fn device(switch: &Switch) -> OpenVswitch {
    OpenVswitch::new(switch.config(switch.socket()))
}

#[tokio::test]
async fn quarantine_holds_the_contract() {
    let Some(switch) = Switch::start().await else { return };
    contract::run(&Access { switch }).await;
}

#[tokio::test]
async fn a_quarantined_host_reaches_the_quarantine_alone_and_everybody_again_after() {
    let Some(switch) = Switch::start().await else { return };
    let ovs = device(&switch);
    let sees = || (switch.pings("10.9.9.2"), switch.pings("10.9.9.99"));
    assert_eq!(sees(), (true, false), "before");
    let action = captured(&ovs, quarantine("h1"), 4).await.expect("captured");
    let seen = ovs.perform(&action).await;
    assert!(is_present(&seen), "{seen:?}");
    assert_eq!(sees(), (false, true), "during");
    let ids = switch.vsctl(&["get", "port", "h1", "external_ids"]);
    assert_eq!(ids.trim(), "{stanch=\"stanch:ACT-4\", stanch-was=\"10\"}");
    assert_eq!(ovs.revert(&action).await, Ok(Observed::Absent));
    assert_eq!(sees(), (true, false), "after");
}

#[tokio::test]
async fn trunks_uplinks_crowds_and_the_switch_itself_are_refused() {
    let Some(switch) = Switch::start().await else { return };
    let (ovs, before) = (device(&switch), switch.rows());
    for (port, why) in [
        ("up", "a trunk"),
        ("flat", "every VLAN"),
        ("h2", "declared an uplink"),
        ("q0", "type internal"),
        ("br0", "type internal"),
        ("nowhere", "no port"),
    ] {
        let said = ovs.capture(&bare(quarantine(port), 1)).await;
        assert!(matches!(&said, Err(Failure::Permanent { why: w }) if w.contains(why)), "{port}: {said:?}");
        let done =
            ovs.perform(&Action { before: Some("{\"tag\":null}".into()), ..bare(quarantine(port), 1) }).await;
        assert!(matches!(done, Err(Failure::Permanent { .. })), "{port}: {done:?}");
    }
    assert!(switch.pings("10.9.9.2"), "so that the switch learns somebody");
    let crowd = OvsConfig { most_machines: 0, ..switch.config(switch.socket()) };
    let said = OpenVswitch::new(crowd).capture(&bare(quarantine("h1"), 1)).await;
    assert!(matches!(&said, Err(Failure::Permanent { why }) if why.contains("1 machines")), "{said:?}");
    assert_eq!(switch.rows(), before);
}

#[tokio::test]
async fn a_port_that_somebody_moved_since_stays_where_it_is() {
    let Some(switch) = Switch::start().await else { return };
    let ovs = device(&switch);
    let action = captured(&ovs, quarantine("h1"), 5).await.expect("captured");
    assert!(is_present(&ovs.perform(&action).await));
    let other = ovs.capture(&bare(quarantine("h1"), 6)).await;
    assert!(matches!(&other, Err(Failure::Permanent { why }) if why.contains("stanch:ACT-5")), "{other:?}");
    switch.vsctl(&["set", "port", "h1", "tag=20"]);
    assert!(matches!(ovs.verify(&action).await, Ok(Observed::Different { .. })));
    assert_eq!(ovs.revert(&action).await, Ok(Observed::Absent));
    assert_eq!(switch.vsctl(&["get", "port", "h1", "tag", "external_ids"]), "20\n{}\n");
}

#[tokio::test]
async fn what_changed_after_the_capture_is_not_overwritten_and_a_recipe_lost_is_on_the_switch() {
    let Some(switch) = Switch::start().await else { return };
    let ovs = device(&switch);
    let stale = captured(&ovs, quarantine("h1"), 7).await.expect("captured");
    switch.vsctl(&["set", "port", "h1", "tag=20"]);
    assert!(matches!(ovs.perform(&stale).await, Err(Failure::Permanent { .. })));
    let fresh = captured(&ovs, quarantine("h1"), 8).await.expect("captured");
    assert!(is_present(&ovs.perform(&fresh).await));
    let forgotten = Action { before: None, ..fresh };
    assert_eq!(ovs.revert(&forgotten).await, Ok(Observed::Absent));
    assert_eq!(switch.vsctl(&["get", "port", "h1", "tag"]), "20\n");
    assert!(matches!(ovs.perform(&forgotten).await, Err(Failure::Permanent { .. })));
}

#[tokio::test]
async fn a_switch_that_is_not_there_was_not_changed() {
    let gone = OpenVswitch::new(OvsConfig::new("switch", OvsRemote::Unix("/nonexistent/db.sock".into())));
    let said = gone.verify(&bare(quarantine("h1"), 1)).await;
    assert!(matches!(said, Err(Failure::Transient { .. })), "{said:?}");
    let wrong = ActionKind::QuarantinePort { port: "h1".into(), vlan: 4_095 };
    assert!(matches!(gone.verify(&bare(wrong, 1)).await, Err(Failure::Permanent { .. })));
}
