//! The guard over all ten kinds of change: what is protected, what is asked, and who is asked.

use stanch_model::Transport;

use super::*;
use crate::config::{Caps, Thing};

/// What is broken, and how.
type Break = (&'static str, fn(&mut Case));

const GOOD_BY_PREAUTH: &str = "permitted\npre-authorised: jon said yes in advance (botnets)";

fn lock(account: &str) -> Case {
    Case::of(ActionKind::LockAccount { account: account.into() })
}

fn port(port: &str) -> Case {
    Case::of(ActionKind::QuarantinePort { port: port.into(), vlan: 666 })
}

fn sinkhole(domain: &str) -> Case {
    Case::of(ActionKind::SinkholeDomain { domain: domain.into() })
}

fn call(subject: &str, input: &str) -> Case {
    let inputs = [("host".to_owned(), input.to_owned())].into();
    Case::of(ActionKind::Call { call: "edr-isolate".into(), subject: subject.into(), inputs })
}

/// One harmless change of every kind.
fn every_kind() -> Vec<Case> {
    let target = net(PEER);
    let account = || "alice".to_owned();
    let kinds = vec![
        ActionKind::BlockAddress { target },
        ActionKind::LimitAddress { target, packets_per_second: 10 },
        ActionKind::BlockPort { target, protocol: Transport::Udp, port: 53 },
        ActionKind::QuarantinePort { port: "veth-7".into(), vlan: 666 },
        ActionKind::LockAccount { account: account() },
        ActionKind::ResetCredential { account: account() },
        ActionKind::RemoveFromGroup { account: account(), group: "vpn-users".into() },
        ActionKind::SinkholeDomain { domain: "evil.example".into() },
        ActionKind::Call { call: "edr-isolate".into(), subject: "lap-7".into(), inputs: [].into() },
        ActionKind::UnlockAccount { account: account() },
    ];
    kinds.into_iter().map(Case::of).collect()
}

fn protect(what: Thing) -> impl FnOnce(&mut Case) {
    move |c: &mut Case| c.policy.protected = vec![Protected { what, why: "ours".into() }]
}

#[test]
fn every_kind_is_judged_and_permitted_when_nothing_speaks_against_it() {
    let mut kinds = every_kind();
    assert_eq!(kinds.len(), 10);
    let unlock = kinds.pop().expect("unlock");
    check(&unlock, "needs approval\naccount: giving access back is for a person to decide");
    assert_eq!(unlock.approved().judge().verdict.word(), "permitted");
    for case in kinds {
        check(&case, GOOD);
    }
}

#[test]
fn every_never_rule_holds_for_every_kind_and_an_approval_does_not_help() {
    let breaks: Vec<Break> = vec![
        ("kill switch", |c| c.kill_switch = true),
        ("time to live", |c| c.action.ttl = Span::ZERO),
        ("autonomy", |c| c.autonomy = Autonomy::Observe),
        ("rate", |c| c.usage.started_last_10_minutes = 20),
        ("active", |c| c.usage.active = 400),
        ("repeat", |c| c.usage.already_active_on_target = Some(ActionId(1))),
        ("repeat", |c| c.usage.in_the_way = Some(ActionId(1))),
        ("blast radius", |c| {
            c.blast.target = Some(net("192.0.2.1/32"));
            c.blast.what = "another".into();
        }),
        ("never block", |c| c.target_facts = vec![fact(Meaning::NeverBlock { list: "l".into() })]),
    ];
    for (rule, change) in breaks {
        for case in every_kind() {
            let name = case.action.kind.name();
            for case in
                [case.approved_by(&["jon", "mira"]), Case::of(every_kind().swap_remove(0).action.kind)]
            {
                let judged = case.with(change).judge();
                assert_eq!(judged.verdict, Verdict::Refused, "{rule} {name}");
                assert!(
                    judged.because.iter().any(|r| r.0.starts_with(rule)),
                    "{rule} {name}: {:?}",
                    judged.because
                );
            }
        }
    }
}

#[test]
fn every_ask_rule_holds_for_every_kind() {
    let breaks: Vec<Break> = vec![
        ("spoofable", |c| (c.evidence.established, c.evidence.independent_sources) = (false, 1)),
        ("stale", |c| c.evidence.newest = Timestamp(0)),
        ("blast radius", |c| c.blast.level = Level::High),
        ("rate", |c| c.usage.started_last_10_minutes = 10),
        ("active", |c| c.usage.active = 200),
        ("repeat", |c| c.usage.earlier_on_target = 3),
        ("autonomy", |c| c.autonomy = Autonomy::Approve),
        ("shared", |c| c.target_facts = vec![fact(Meaning::Shared { list: "l".into() })]),
        ("planned work", |c| c.planned_work = Some("switch upgrade until tomorrow")),
        ("lasting", |c| c.lasting = true),
    ];
    for (rule, change) in breaks {
        for case in every_kind() {
            let (name, judged) = (case.action.kind.name(), case.with(change).judge());
            assert!(matches!(judged.verdict, Verdict::NeedsApproval { people: 1 }), "{rule} {name}");
            assert!(
                judged.because.iter().any(|r| r.0.starts_with(rule)),
                "{rule} {name}: {:?}",
                judged.because
            );
        }
    }
}

/// Abuse case 4: our own path, an uplink, the sensor's port.
#[test]
fn abuse_4_a_protected_port_is_not_isolated_however_it_is_written_and_no_management_vlan_is_used() {
    let uplink = || Thing::Port("GigabitEthernet1/0/48".into());
    for written in ["GigabitEthernet1/0/48", "gigabitethernet1/0/48", "Gi1/0/48"] {
        let case = port(written).with(protect(uplink()));
        assert_eq!(case.approved().judge().verdict, Verdict::Refused, "{written}");
    }
    check(
        &port("Gi1/0/48").with(protect(uplink())),
        "refused\nprotected: port Gi1/0/48 touches port GigabitEthernet1/0/48 (ours; by policy)",
    );
    check(&port("Gi1/0/47").with(protect(uplink())), GOOD);
    let into = |vlan| Case::of(ActionKind::QuarantinePort { port: "p7".into(), vlan });
    check(
        &into(1).approved(),
        "refused\nprotected: VLAN 1 is a management VLAN, no place for a quarantined machine",
    );
    let two = |c: &mut Case| c.policy.management_vlans = [1, 99].into();
    assert_eq!(into(99).with(two).judge().verdict, Verdict::Refused);
    check(&into(98).with(two), GOOD);
    check(&into(4095).approved(), "refused\ntarget: VLAN 4095 is not one of 1 to 4094");
    check(&into(0).approved(), "refused\ntarget: VLAN 0 is not one of 1 to 4094");
}

/// Abuse case 5: break-glass, service, on-call and approvers.
#[test]
fn abuse_5_nobody_is_locked_out_of_the_last_way_in_and_no_approver_out_of_approving() {
    for account in ["root", "Administrator", "krbtgt", "breakglass-1", "root@corp.example"] {
        let kinds = [
            ActionKind::LockAccount { account: account.into() },
            ActionKind::UnlockAccount { account: account.into() },
            ActionKind::ResetCredential { account: account.into() },
            ActionKind::RemoveFromGroup { account: account.into(), group: "vpn-users".into() },
        ];
        for kind in kinds {
            let case = Case::of(kind).approved_by(&["jon", "mira"]);
            assert_eq!(case.judge().verdict, Verdict::Refused, "{account}");
        }
    }
    check(&lock("root").approved(), "refused\nprotected: root is the last way in when all else fails");
    let approver = |c: &mut Case| {
        c.discovered =
            vec![Protected { what: Thing::Account("mira".into()), why: "mira may approve changes".into() }];
    };
    check(
        &lock("MIRA").with(approver).approved(),
        "refused\nprotected: MIRA touches account mira (mira may approve changes; discovered)",
    );
    check(&lock("alice").with(approver), GOOD);
    check(
        &lock("svc-backup"),
        "needs approval\naccount: svc-backup looks like a program's; what depends on it stops",
    );
    let admins =
        Case::of(ActionKind::RemoveFromGroup { account: "alice".into(), group: "Domain Admins".into() });
    check(&admins.approved(), "refused\nprotected: group Domain Admins holds the directory together");
    let vpn = Case::of(ActionKind::RemoveFromGroup { account: "alice".into(), group: "VPN-users".into() });
    let vpn = vpn.with(protect(Thing::Group("vpn-users".into())));
    assert_eq!(vpn.approved().judge().verdict, Verdict::Refused);
}

/// Abuse case 3 for names: nobody's mail disappears because a parent was sinkholed.
#[test]
fn abuse_3_no_name_above_or_below_ours_is_sinkholed_and_no_registry() {
    let ours = || Thing::Domain("ours.example".into());
    for name in ["ours.example", "mail.ours.example", "a.b.ours.example"] {
        assert_eq!(
            sinkhole(name).with(protect(ours())).approved().judge().verdict,
            Verdict::Refused,
            "{name}"
        );
    }
    let above = sinkhole("corp.example").with(protect(Thing::Domain("mail.hq.corp.example".into())));
    check(
        &above.approved(),
        "refused\nprotected: corp.example touches mail.hq.corp.example (ours; by policy)",
    );
    check(&sinkhole("notours.example").with(protect(ours())), GOOD);
    check(
        &sinkhole("co.uk").approved(),
        "refused\nprotected: co.uk is a registry: anyone has names below it",
    );
    assert_eq!(sinkhole("com").approved().judge().verdict, Verdict::Refused);
    assert_eq!(sinkhole("amazonaws.com").approved().judge().verdict, Verdict::Refused);
    let known =
        |meaning| sinkhole("evil.example").with(|c| c.target_facts = vec![fact(meaning)]).judge().verdict;
    assert_eq!(known(Meaning::Harmless { list: "top sites".into() }), Verdict::Refused);
    assert_eq!(known(Meaning::NeverBlock { list: "dns".into() }), Verdict::Refused);
    assert_eq!(known(Meaning::Shared { list: "dyndns".into() }), Verdict::NeedsApproval { people: 1 });
}

/// Abuse case 1 for calls: whatever text names something of ours is refused.
#[test]
fn abuse_1_a_call_cannot_be_pointed_at_what_is_protected_by_its_subject_or_by_an_input() {
    let gateway = || Thing::Net(net("10.0.0.0/24"));
    for (subject, input) in [
        ("10.0.0.1", ""),
        ("lap-7", "10.0.0.1"),
        ("lap-7", "{\"ip\":\"10.0.0.1\"}"),
        ("https://10.0.0.1/x", ""),
        ("lap-7", "10.0.0.0/8"),
        ("::ffff:10.0.0.1 (gateway)", ""),
    ] {
        let case = call(subject, input).with(protect(gateway()));
        assert_eq!(case.approved().judge().verdict, Verdict::Refused, "{subject} {input}");
    }
    let named = |what: Thing, subject: &str| call(subject, "").with(protect(what)).approved().judge().verdict;
    assert_eq!(named(Thing::Account("alice".into()), "CORP\\Alice"), Verdict::Refused);
    assert_eq!(named(Thing::Domain("ours.example".into()), "www.ours.example"), Verdict::Refused);
    assert_eq!(named(Thing::Port("Gi1/0/1".into()), "GigabitEthernet1/0/1"), Verdict::Refused);
    assert_eq!(named(Thing::Group("admins-eu".into()), "Admins-EU"), Verdict::Refused);
    assert_eq!(call("127.0.0.1", "").approved().judge().verdict, Verdict::Refused);
    assert_eq!(call("root", "").approved().judge().verdict, Verdict::Refused);
    check(&call("lap-7", "10.0.1.9").with(protect(gateway())), GOOD);
}

/// Abuse case 2, per kind: a flood of one kind does not use up what the others may do.
#[test]
fn abuse_2_each_kind_has_caps_of_its_own() {
    let used = |rate, active| {
        move |c: &mut Case| (c.usage.kind_started_last_10_minutes, c.usage.kind_active) = (rate, active)
    };
    check(&lock("alice").with(used(4, 19)), GOOD);
    check(
        &lock("alice").with(used(5, 0)),
        "needs approval\nrate: 5 of lock_account begun in ten minutes; the cap for the machine alone is 5",
    );
    check(
        &lock("alice").with(used(10, 0)).approved(),
        "refused\nrate: 10 of lock_account begun in ten minutes; the cap is 5, and 10 with approval: ask again later",
    );
    check(
        &lock("alice").with(used(0, 20)),
        "needs approval\nactive: 20 of lock_account in force; the cap for the machine alone is 20",
    );
    assert_eq!(lock("alice").with(used(0, 40)).approved().judge().verdict, Verdict::Refused);
    check(&Case::new(PEER).with(used(9, 199)), GOOD);
    let tight = |c: &mut Case| {
        c.policy.caps.insert("block_address".into(), Caps { per_10_minutes: 2, active: 3 });
    };
    assert_eq!(Case::new(PEER).with(tight).with(used(2, 0)).judge().verdict.word(), "needs approval");
    assert_eq!(Case::new(PEER).with(tight).with(used(0, 3)).judge().verdict.word(), "needs approval");
    check(&Case::new(PEER).with(tight).with(used(1, 2)), GOOD);
}

/// Abuse case 6: nothing that an alert says undoes a containment; not by the opposite change either.
#[test]
fn abuse_6_an_opposite_change_never_lifts_a_containment() {
    let unlock = Case::of(ActionKind::UnlockAccount { account: "alice".into() });
    check(
        &unlock.with(|c| c.usage.in_the_way = Some(ActionId(9))).approved(),
        "refused\nrepeat: ACT-9 is in force and says the opposite; release that instead",
    );
}

#[test]
fn two_people_are_asked_where_the_policy_wants_two() {
    let two_for = |c: &mut Case| c.policy.two_people_for.extend(["lock_account".to_owned()]);
    check(&lock("alice").with(two_for), "needs approval\ntwo people: the policy wants two for lock_account");
    assert_eq!(lock("alice").with(two_for).judge().verdict, Verdict::NeedsApproval { people: 2 });
    assert_eq!(
        lock("alice").approved().with(two_for).judge().because[0].0,
        "approval: APR-1 was answered by 1, and it takes 2 people now"
    );
    assert_eq!(lock("alice").approved_by(&["jon", "mira"]).with(two_for).judge().verdict.word(), "permitted");
    check(&port("p7").with(two_for), GOOD);
    let high = |c: &mut Case| (c.policy.two_people_when_high, c.blast.level) = (true, Level::High);
    assert_eq!(port("p7").with(high).judge().verdict, Verdict::NeedsApproval { people: 2 });
    let medium = |c: &mut Case| (c.policy.two_people_when_high, c.blast.level) = (true, Level::Medium);
    check(&port("p7").with(medium), GOOD);
    let off = |c: &mut Case| c.blast.level = Level::High;
    assert_eq!(port("p7").with(off).judge().verdict, Verdict::NeedsApproval { people: 1 });
}

#[test]
fn a_yes_in_advance_answers_for_autonomy_and_blast_radius_and_for_nothing_else() {
    let with = |level: Level| {
        move |c: &mut Case| {
            c.autonomy = Autonomy::Approve;
            c.preauthorised =
                Some(Preauthorised { name: "botnets".into(), by: "jon".into(), blast_radius: level });
        }
    };
    let asks = "autonomy: approve: a person decides";
    check(&Case::new(PEER).with(with(Level::Low)), &format!("{GOOD_BY_PREAUTH}\n{asks}"));
    let at = |level: Level| move |c: &mut Case| c.blast.level = level;
    check(
        &Case::new(PEER).with(with(Level::Low)).with(at(Level::Medium)),
        &format!(
            "needs approval\nblast radius: it is medium, and pre-authorisation botnets covers low\n{asks}"
        ),
    );
    check(
        &Case::new(PEER).with(with(Level::Medium)).with(at(Level::Medium)),
        &format!("{GOOD_BY_PREAUTH}\n{asks}"),
    );
    check(
        &Case::new(PEER).with(with(Level::Medium)).with(at(Level::High)),
        &format!("needs approval\nblast radius: it is high\n{asks}"),
    );
    let high = Case::new(PEER).with(with(Level::High)).with(at(Level::High));
    check(&high, &format!("{GOOD_BY_PREAUTH}\nblast radius: it is high\n{asks}"));
    let others: Vec<fn(&mut Case)> = vec![
        |c| (c.evidence.established, c.evidence.independent_sources) = (false, 1),
        |c| c.evidence.newest = Timestamp(0),
        |c| c.usage.started_last_10_minutes = 10,
        |c| c.usage.earlier_on_target = 3,
        |c| c.target_facts = vec![fact(Meaning::Shared { list: "l".into() })],
        |c| c.planned_work = Some("work"),
        |c| c.lasting = true,
        |c| c.autonomy = Autonomy::Suggest,
        |c| c.policy.two_people_for.extend(["block_address".to_owned()]),
    ];
    for (n, other) in others.into_iter().enumerate() {
        let case = Case::new(PEER).with(with(Level::High)).with(other);
        assert!(matches!(case.judge().verdict, Verdict::NeedsApproval { .. }), "{n}");
    }
    let observe = Case::new(PEER).with(with(Level::High)).with(|c| c.autonomy = Autonomy::Observe);
    assert_eq!(observe.judge().verdict, Verdict::Refused);
    check(&Case::new(PEER).with(with(Level::Low)).with(|c| c.autonomy = Autonomy::Act), GOOD);
}

#[test]
fn what_is_not_asked_must_have_been_earned_by_measured_confidence() {
    let not = |c: &mut Case| c.leave = Leave::Withheld("contain_costly is not earned: few".into());
    let earned = |c: &mut Case| c.leave = Leave::Given("contain_costly is earned".into());
    let yes = |c: &mut Case| {
        c.autonomy = Autonomy::Approve;
        let (name, by) = ("botnets".into(), "jon".into());
        c.preauthorised = Some(Preauthorised { name, by, blast_radius: Level::Low });
    };
    let why = "confidence: contain_costly is not earned: few: a person decides";
    let asks = "autonomy: approve: a person decides";
    check(&Case::new(PEER).with(not), &format!("needs approval\n{why}"));
    check(&Case::new(PEER).with(yes).with(not), &format!("needs approval\n{why}\n{asks}"));
    check(&Case::new(PEER).with(earned), &format!("{GOOD}\nconfidence: contain_costly is earned"));
    check(
        &Case::new(PEER).with(yes).with(earned),
        &format!("{GOOD_BY_PREAUTH}\n{asks}\nconfidence: contain_costly is earned"),
    );
    // Who is asked anyway is not told of a leave that nobody takes, and may say yes without it.
    check(
        &Case::new(PEER).with(not).with(|c| c.autonomy = Autonomy::Approve),
        &format!("needs approval\n{asks}"),
    );
    assert_eq!(Case::new(PEER).with(not).approved().judge().verdict.word(), "permitted");
    let observe = Case::new(PEER).with(earned).with(|c| c.autonomy = Autonomy::Observe);
    assert_eq!(observe.judge().verdict, Verdict::Refused, "it raises nothing");
}

#[test]
fn why_the_machine_may_not_go_further_is_told() {
    let new = |level| {
        lock("alice").with(|c| {
            c.autonomy = level;
            c.autonomy_because = vec![Reason::new("this version of playbook x has not completed a run yet")];
        })
    };
    let why = "this version of playbook x has not completed a run yet";
    check(&new(Autonomy::Approve), &format!("needs approval\nautonomy: approve ({why}): a person decides"));
    check(
        &new(Autonomy::Observe),
        &format!("refused\nautonomy: observe only ({why}): nothing is changed here"),
    );
}

#[test]
fn what_becomes_protected_must_be_lifted() {
    let policy = ContainmentPolicy::default();
    let lift =
        |case: &Case, policy: &ContainmentPolicy| must_be_lifted(&case.action, policy, &[]).map(|r| r.0);
    assert_eq!(lift(&lock("alice"), &policy), None);
    let case = lock("alice").with(protect(Thing::Account("alice".into())));
    assert_eq!(
        lift(&case, &case.policy).as_deref(),
        Some("protected: alice touches account alice (ours; by policy)")
    );
    let found = [Protected::net(net("203.0.113.0/24"), "new gateway")];
    assert!(must_be_lifted(&Case::new(PEER).action, &policy, &found).is_some());
}
