//! The responder against a real slapd, and people who really sign in.

use super::slapd::{PASSWORD, ROOT, Slapd};
use super::*;
use crate::responder::contract::cutter;
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, captured, is_present};

struct Company {
    slapd: Slapd,
    kind: ActionKind,
}

#[async_trait]
impl Bench for Company {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let (at, wire) = match cut {
            None => (self.slapd.at, None),
            Some(cut) => {
                let (at, wire) = cutter::tcp(self.slapd.at, cut).await;
                (at, Some(wire))
            }
        };
        Box::new(Wired::new(Directory::new(self.slapd.config(at)).expect("settings"), wire))
    }

    fn kind(&self) -> ActionKind {
        self.kind.clone()
    }

    async fn state(&self) -> String {
        self.slapd.ldif()
    }
}

fn lock(account: &str) -> ActionKind {
    ActionKind::LockAccount { account: account.into() }
}

fn unlock(account: &str) -> ActionKind {
    ActionKind::UnlockAccount { account: account.into() }
}

fn reset(account: &str) -> ActionKind {
    ActionKind::ResetCredential { account: account.into() }
}

fn remove(account: &str, group: &str) -> ActionKind {
    ActionKind::RemoveFromGroup { account: account.into(), group: group.into() }
}

fn directory(slapd: &Slapd) -> Directory {
    Directory::new(slapd.config(slapd.at)).expect("settings")
}

const LOCKED_BY_HAND: &str = "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\n\
    add: pwdAccountLockedTime\npwdAccountLockedTime: 20261122120000Z\n";

#[tokio::test]
async fn locking_holds_the_contract_with_a_password_policy() {
    let Some(slapd) = Slapd::start(true) else { return };
    contract::run(&Company { slapd, kind: lock("alice") }).await;
}

#[tokio::test]
async fn locking_holds_the_contract_without_a_password_policy() {
    let Some(slapd) = Slapd::start(false) else { return };
    contract::run(&Company { slapd, kind: lock("alice") }).await;
}

#[tokio::test]
async fn unlocking_holds_the_contract() {
    let Some(slapd) = Slapd::start(true) else { return };
    slapd.by_hand(LOCKED_BY_HAND);
    contract::run(&Company { slapd, kind: unlock("alice") }).await;
}

#[tokio::test]
async fn resetting_holds_the_contract() {
    let Some(slapd) = Slapd::start(true) else { return };
    contract::run(&Company { slapd, kind: reset("alice") }).await;
}

#[tokio::test]
async fn removing_from_a_group_of_names_holds_the_contract() {
    let Some(slapd) = Slapd::start(false) else { return };
    contract::run(&Company { slapd, kind: remove("alice", "vpn") }).await;
}

#[tokio::test]
async fn removing_from_a_unix_group_holds_the_contract() {
    let Some(slapd) = Slapd::start(false) else { return };
    contract::run(&Company { slapd, kind: remove("alice", "unix") }).await;
}

#[tokio::test]
async fn a_locked_person_stays_out_and_comes_in_again_after() {
    for ppolicy in [true, false] {
        let Some(slapd) = Slapd::start(ppolicy) else { return };
        let device = directory(&slapd);
        assert!(slapd.lets_in("alice", "alice-password"));
        let action = captured(&device, lock("alice"), 4).await.expect("captured");
        assert!(is_present(&device.perform(&action).await));
        assert!(!slapd.lets_in("alice", "alice-password"), "locked, ppolicy: {ppolicy}");
        assert!(slapd.lets_in("bob", "bob-password"), "nobody else is");
        assert!(slapd.ldif().contains("description: stanch:ACT-4"));
        assert_eq!(device.revert(&action).await, Ok(Observed::Absent));
        assert!(slapd.lets_in("alice", "alice-password"));
    }
}

#[tokio::test]
async fn an_unlocked_person_comes_in_and_is_locked_again_by_the_undo() {
    let Some(slapd) = Slapd::start(true) else { return };
    slapd.by_hand(&LOCKED_BY_HAND.replace("20261122120000Z", "000001010000Z"));
    let device = directory(&slapd);
    assert!(!slapd.lets_in("alice", "alice-password"));
    let action = captured(&device, unlock("alice"), 4).await.expect("captured");
    assert!(is_present(&device.perform(&action).await));
    assert!(slapd.lets_in("alice", "alice-password"));
    assert_eq!(device.revert(&action).await, Ok(Observed::Absent));
    assert!(!slapd.lets_in("alice", "alice-password"));
}

#[tokio::test]
async fn a_password_set_anew_after_a_reset_survives_the_undo() {
    let Some(slapd) = Slapd::start(true) else { return };
    let device = directory(&slapd);
    let action = captured(&device, reset("bob"), 5).await.expect("captured");
    assert!(!action.before.as_deref().unwrap_or_default().contains("bob-password"));
    assert!(is_present(&device.perform(&action).await));
    assert!(!slapd.lets_in("bob", "bob-password"));
    slapd.by_hand(
        "dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\nuserPassword: new-one\n",
    );
    assert!(matches!(device.verify(&action).await, Ok(Observed::Different { .. })));
    assert_eq!(device.revert(&action).await, Ok(Observed::Absent));
    assert!(slapd.lets_in("bob", "new-one") && !slapd.lets_in("bob", "bob-password"));
    assert!(!slapd.ldif().contains("stanch:"), "our mark is gone");
}

#[tokio::test]
async fn what_changed_after_the_capture_is_not_overwritten() {
    let Some(slapd) = Slapd::start(true) else { return };
    let device = directory(&slapd);
    let action = captured(&device, lock("alice"), 6).await.expect("captured");
    slapd.by_hand(LOCKED_BY_HAND);
    let before = slapd.ldif();
    assert!(matches!(device.perform(&action).await, Err(Failure::Permanent { .. })));
    assert_eq!(slapd.ldif(), before);
}

#[tokio::test]
async fn names_are_data_and_a_wrong_one_changes_nothing() {
    let Some(slapd) = Slapd::start(true) else { return };
    let (device, before) = (directory(&slapd), slapd.ldif());
    for name in ["*", "al*", "alice)(uid=bob", "nobody", "", "alice\n", "uid=alice", "admin)(|(uid=*"] {
        let said = device.capture(&bare(lock(name), 7)).await;
        assert!(matches!(said, Err(Failure::Permanent { .. })), "{name:?}: {said:?}");
    }
    let odd = captured(&device, lock("a*b (x)\\"), 8).await.expect("an odd name is still one account");
    assert!(is_present(&device.perform(&odd).await));
    assert_eq!(device.revert(&odd).await, Ok(Observed::Absent));
    for kind in [remove("alice", "lonely"), remove("bob", "unix"), remove("alice", "no-such-group")] {
        let said = device.capture(&bare(kind.clone(), 9)).await;
        assert!(matches!(said, Err(Failure::Permanent { .. })), "{kind:?}: {said:?}");
    }
    let never = device.perform(&bare(lock("alice"), 10)).await;
    assert!(matches!(never, Err(Failure::Permanent { .. })), "without a capture there is no way back");
    assert_eq!(slapd.ldif(), before);
}

#[tokio::test]
async fn a_wrong_password_and_a_dead_server_are_told_apart() {
    let Some(slapd) = Slapd::start(false) else { return };
    let mut config = slapd.config(slapd.at);
    config.password = Secret::new(format!("not-{PASSWORD}"));
    let refused = Directory::new(config).expect("settings").capture(&bare(lock("alice"), 1)).await;
    assert!(matches!(&refused, Err(Failure::Unauthorised { why }) if why.contains(ROOT)), "{refused:?}");
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let dead = Directory::new(slapd.config(nobody)).expect("settings").capture(&bare(lock("alice"), 1)).await;
    assert!(matches!(dead, Err(Failure::Transient { .. })), "{dead:?}");
}

#[tokio::test]
async fn two_orders_at_once_leave_one_lock() {
    let Some(slapd) = Slapd::start(true) else { return };
    let (one, two) = (directory(&slapd), directory(&slapd));
    for round in 0..10 {
        let a = captured(&one, lock("alice"), 100 + round).await.expect("captured");
        let b = captured(&two, lock("alice"), 200 + round).await.expect("captured");
        let (same_1, same_2, other) = tokio::join!(one.perform(&a), two.perform(&a), two.perform(&b));
        assert!(is_present(&same_1) || is_present(&other), "{same_1:?} {other:?}");
        let tags = slapd.ldif().matches("description: stanch:").count();
        assert_eq!(tags, 1, "{same_1:?} {same_2:?} {other:?}");
        for action in [&a, &b] {
            assert_eq!(one.revert(action).await, Ok(Observed::Absent));
        }
        assert!(!slapd.ldif().contains("pwdAccountLockedTime"));
    }
}

#[tokio::test]
async fn start_tls_trusts_only_the_authority_it_was_given() {
    let Some(slapd) = Slapd::start(false) else { return };
    let mut config = slapd.config(slapd.at);
    config.url = format!("ldap://localhost:{}", slapd.at.port());
    config.tls = LdapTls::StartTls;
    config.ca = Some(slapd.ca.clone());
    let trusted = Directory::new(config.clone()).expect("settings");
    let action = captured(&trusted, lock("alice"), 1).await.expect("captured over TLS");
    assert!(is_present(&trusted.perform(&action).await));
    assert_eq!(trusted.revert(&action).await, Ok(Observed::Absent));
    config.ca = None;
    let stranger = Directory::new(config.clone()).expect("settings").capture(&bare(lock("alice"), 2)).await;
    assert!(matches!(stranger, Err(Failure::Transient { .. } | Failure::Permanent { .. })), "{stranger:?}");
    config.ca = Some(slapd.ca.clone());
    config.url = format!("ldap://{}", slapd.at);
    let other_name = Directory::new(config).expect("settings").capture(&bare(lock("alice"), 3)).await;
    assert!(matches!(other_name, Err(Failure::Transient { .. })), "{other_name:?}");
}
