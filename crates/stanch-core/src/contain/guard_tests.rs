use std::collections::BTreeSet;

use ipnet::IpNet;
use stanch_model::fact::Criticality;
use stanch_model::{ActionKind, ApprovalId, IncidentId, Meaning, Observable, ObservableKind, RunId};

use super::*;
use crate::config::Role;
use crate::contain::ENCODING;
use crate::contain::approval::{Answer, Approval, ApprovalState, Decision, Vote, decide};
use crate::contain::blast_radius::{Level, TouchedAsset};

const NOW: Timestamp = Timestamp(1_772_576_000_000);

fn net(text: &str) -> IpNet {
    text.parse().expect(text)
}

/// A change and everything around it, such that the guard permits it; tests change one thing.
struct Case {
    action: Action,
    policy: ContainmentPolicy,
    discovered: Vec<Protected>,
    target_facts: Vec<Fact>,
    blast: BlastRadius,
    evidence: Evidence,
    autonomy: Autonomy,
    autonomy_because: Vec<Reason>,
    leave: Leave,
    approval: Option<Approved>,
    preauthorised: Option<Preauthorised>,
    usage: Usage,
    lasting: bool,
    planned_work: Option<&'static str>,
    kill_switch: bool,
    mode: Mode,
}

impl Case {
    /// A change of another kind.
    fn of(kind: ActionKind) -> Case {
        let mut case = Case::new("203.0.113.9/32");
        if kind.network().is_none() {
            case.blast.target = None;
            case.blast.what = kind.subject();
        }
        case.blast.target = kind.network().copied();
        case.action.kind = kind;
        case
    }

    fn new(target: &str) -> Case {
        let target = net(target);
        Case {
            action: Action {
                id: ActionId(4),
                incident: IncidentId(3),
                responder: "edge-fw".into(),
                kind: ActionKind::BlockAddress { target },
                ttl: Span::hours(4),
                before: None,
            },
            policy: ContainmentPolicy::default(),
            discovered: vec![],
            target_facts: vec![],
            blast: BlastRadius {
                target: Some(target),
                what: String::new(),
                addresses: 1,
                own_assets: vec![],
                users: vec![],
                peers: 1,
                flows: 1,
                bytes: 1,
                shared: vec![],
                level: Level::Low,
                unknown: vec![],
            },
            evidence: Evidence {
                established: true,
                independent_sources: 2,
                newest: NOW,
                max_age: Span::mins(30),
            },
            autonomy: Autonomy::Act,
            autonomy_because: vec![],
            leave: Leave::Unmeasured,
            approval: None,
            preauthorised: None,
            usage: Usage::default(),
            lasting: false,
            planned_work: None,
            kill_switch: false,
            mode: Mode::Live,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Case)) -> Case {
        change(&mut self);
        self
    }

    fn question(&self) -> Approval {
        Approval {
            encoding: ENCODING,
            id: ApprovalId(1),
            incident: self.action.incident,
            title: "C2 beacon".into(),
            run: RunId(2),
            playbook: "c2-beacon".into(),
            playbook_hash: "ab".into(),
            step: "block".into(),
            action: self.action.clone(),
            simulated: false,
            blast: self.blast.clone(),
            because: vec![],
            lasting: self.lasting,
            renewal: false,
            people: 1,
            asked_by: None,
            parties: vec![],
            fresh_within: None,
            policy: "cd".into(),
            teams: vec!["secops".into()],
            requested_at: NOW,
            expires_at: NOW.plus(Span::mins(15)),
        }
    }

    /// Asks a person, who says yes.
    fn approved(self) -> Case {
        self.approved_by(&["jon"])
    }

    /// Asks that many people, who all say yes.
    fn approved_by(mut self, people: &[&str]) -> Case {
        let question = Approval { people: people.len() as u8, ..self.question() };
        let yes: Vec<Vote> =
            people.iter().map(|by| Vote { by: (*by).to_owned(), at: NOW, proof: None }).collect();
        let Some((last, before)) = yes.split_last() else { return self };
        let (digest, teams) = (question.digest(), BTreeSet::from(["secops".to_owned()]));
        let answer = Answer {
            person: &last.by,
            machine: false,
            role: Role::Approver,
            teams: &teams,
            digest: &digest,
            approve: true,
            reason: None,
            proof: None,
            others: &[],
        };
        match decide(&question, &ApprovalState::Pending, before, &answer, NOW) {
            Ok(Decision::Approved(yes)) => self.approval = Some(*yes),
            other => panic!("{other:?}"),
        }
        self
    }

    fn judge(&self) -> Decided<Verdict> {
        let facts = GuardFacts {
            now: NOW,
            policy: &self.policy,
            discovered: &self.discovered,
            target_facts: &self.target_facts,
            blast: &self.blast,
            evidence: self.evidence,
            autonomy: self.autonomy,
            autonomy_because: &self.autonomy_because,
            leave: &self.leave,
            approval: self.approval.as_ref(),
            preauthorised: self.preauthorised.as_ref(),
            usage: self.usage,
            lasting: self.lasting,
            planned_work: self.planned_work,
            kill_switch: self.kill_switch.then_some("it is engaged"),
            mode: self.mode,
        };
        guard(&self.action, &facts)
    }
}

/// The verdict's word and all reasons, one per line.
fn check(case: &Case, expected: &str) {
    let judged = case.judge();
    let because: Vec<&str> = judged.because.iter().map(|r| r.0.as_str()).collect();
    assert_eq!(format!("{}\n{}", judged.verdict.word(), because.join("\n")), expected);
}

fn fact(meaning: Meaning) -> Fact {
    Fact {
        provider: "warninglists".into(),
        about: Observable::new(ObservableKind::Ip, "203.0.113.9"),
        meaning,
    }
}

const GOOD: &str = "permitted\nautonomy: act, and every rule agrees";
const PEER: &str = "203.0.113.9/32";

// ------------------------------------------------------------------------------ each rule, alone

#[test]
fn a_change_against_which_nothing_speaks_is_permitted_with_its_action() {
    let case = Case::new(PEER);
    check(&case, GOOD);
    check(&Case::new("2001:db8::9/128"), GOOD);
    let Verdict::Permit(permit) = case.judge().verdict else { panic!("no permit") };
    assert_eq!(permit.action(), &case.action);
    let written = serde_json::to_value(&permit).expect("JSON");
    assert_eq!(written["action"]["ttl"], 14_400_000);
    assert_eq!(permit, Permit::from_journal(case.action.clone()));
    assert_eq!(permit.into_action(), case.action);
}

#[test]
fn the_kill_switch_stops_everything() {
    let why = "refused\nkill switch: it is engaged; nothing is changed until it is released";
    check(&Case::new(PEER).with(|c| c.kill_switch = true), why);
    check(&Case::new(PEER).approved().with(|c| c.kill_switch = true), why);
}

#[test]
fn protected_addresses_are_refused_both_ways_and_an_approval_does_not_help() {
    let protect = |net_: &str| Protected::net(net(net_), "resolver");
    let by_policy = |p: &'static str| move |c: &mut Case| c.policy.protected = vec![protect(p)];
    check(
        &Case::new(PEER).with(by_policy("203.0.113.0/24")).approved(),
        "refused\nprotected: 203.0.113.9 touches 203.0.113.0/24 (resolver; by policy)",
    );
    check(
        &Case::new("203.0.113.8/30").with(by_policy("203.0.113.9/32")).approved(),
        "refused\nprotected: 203.0.113.8/30 touches 203.0.113.9 (resolver; by policy)",
    );
    check(
        &Case::new(PEER).with(|c| c.discovered = vec![protect("203.0.113.9/32")]).approved(),
        "refused\nprotected: 203.0.113.9 touches 203.0.113.9 (resolver; discovered)",
    );
    check(&Case::new("127.0.0.1/32").approved(), "refused\nprotected: 127.0.0.1 is loopback");
    check(&Case::new(PEER).with(by_policy("203.0.113.10/32")), GOOD);
}

#[test]
fn a_time_to_live_is_required_and_bounded_and_an_approval_does_not_help() {
    let none = "refused\ntime to live: it has none, and nothing we do is for ever";
    check(&Case::new(PEER).with(|c| c.action.ttl = Span::ZERO).approved(), none);
    check(&Case::new(PEER).with(|c| c.action.ttl = Span(-1)).approved(), none);
    check(
        &Case::new(PEER).with(|c| c.action.ttl = Span(Span::hours(168).0 + 1)).approved(),
        "refused\ntime to live: 7d is longer than the longest allowed, 7d",
    );
    check(&Case::new(PEER).with(|c| c.action.ttl = Span::hours(168)), GOOD);
    check(&Case::new(PEER).with(|c| c.action.ttl = Span(1)), GOOD);
}

#[test]
fn width_is_the_machines_one_address_a_persons_few_and_nobodys_many() {
    let asks = |len: u8| format!("needs approval\nwidth: /{len} covers more than one address");
    let alone = |len: u8, min: u8| {
        format!("needs approval\nwidth: /{len} is wider than /{min}, the widest one person may approve")
    };
    let one = "refused\napproval: APR-1 was answered by 1, and it takes 2 people now";
    let ever = |len: u8, widest: u8| {
        format!("refused\nwidth: /{len} is wider than /{widest}, the widest ever allowed")
    };
    check(&Case::new("203.0.113.8/31"), &asks(31));
    check(&Case::new("203.0.113.8/29"), &asks(29));
    check(&Case::new("203.0.113.0/28"), &alone(28, 29));
    check(&Case::new("203.0.113.0/28").approved(), one);
    assert_eq!(Case::new("203.0.113.0/28").judge().verdict, Verdict::NeedsApproval { people: 2 });
    assert_eq!(Case::new("203.0.113.8/29").judge().verdict, Verdict::NeedsApproval { people: 1 });
    let two = |target: &str| Case::new(target).approved_by(&["jon", "mira"]).judge().verdict.word();
    assert_eq!(two("203.0.113.0/28"), "permitted");
    assert_eq!(two("203.0.0.0/16"), "permitted");
    assert_eq!(two("203.0.0.0/15"), "refused");
    check(&Case::new("203.0.0.0/16").approved(), one);
    check(&Case::new("203.0.0.0/15").approved(), &ever(15, 16));
    check(&Case::new("203.0.0.0/15").with(|c| c.policy.min_prefix_v4 = 8).approved(), &ever(15, 16));
    check(&Case::new("203.0.0.0/16").with(|c| c.policy.min_prefix_v4 = 8), &asks(16));
    check(&Case::new("2001:db8::/127"), &asks(127));
    check(&Case::new("2001:db8::/64"), &asks(64));
    check(&Case::new("2001:db8::/63"), &alone(63, 64));
    check(&Case::new("2001:db8::/63").approved(), one);
    check(&Case::new("2001:db8::/32").with(|c| c.policy.min_prefix_v6 = 8), &asks(32));
    check(&Case::new("2001:da0::/27").with(|c| c.policy.min_prefix_v6 = 8).approved(), &ever(27, 32));
    check(
        &Case::new("203.0.113.9/30").approved(),
        "refused\nwidth: 203.0.113.9/30 has bits set beyond /30; say what is meant",
    );
    let yes = "permitted\napproval: jon said yes to APR-1 at 2026-03-03T22:13:20.000Z\nwidth: /29 covers more than one address";
    check(&Case::new("203.0.113.8/29").approved(), yes);
}

#[test]
fn caps_stop_the_machine_first_and_then_everybody() {
    let rate = |n: u32| move |c: &mut Case| c.usage.started_last_10_minutes = n;
    let active = |n: u32| move |c: &mut Case| c.usage.active = n;
    check(&Case::new(PEER).with(rate(9)), GOOD);
    check(
        &Case::new(PEER).with(rate(10)),
        "needs approval\nrate: 10 changes begun in ten minutes; the cap for the machine alone is 10",
    );
    assert_eq!(Case::new(PEER).with(rate(19)).approved().judge().verdict.word(), "permitted");
    check(
        &Case::new(PEER).with(rate(20)).approved(),
        "refused\nrate: 20 changes begun in ten minutes; the cap is 10, and 20 with approval: ask again later",
    );
    check(&Case::new(PEER).with(active(199)), GOOD);
    check(
        &Case::new(PEER).with(active(200)),
        "needs approval\nactive: 200 changes in force; the cap for the machine alone is 200",
    );
    assert_eq!(Case::new(PEER).with(active(399)).approved().judge().verdict.word(), "permitted");
    check(
        &Case::new(PEER).with(active(400)).approved(),
        "refused\nactive: 400 changes in force; the cap is 200, and 400 with approval: ask again later",
    );
    let closed = Case::new(PEER).with(|c| c.policy.max_active = 0);
    assert_eq!(closed.judge().verdict, Verdict::Refused, "a cap of none means none");
    let huge = Case::new(PEER).with(|c| (c.policy.max_active, c.usage.active) = (u32::MAX, u32::MAX));
    assert_eq!(huge.judge().verdict, Verdict::Refused);
}

#[test]
fn lists_say_never_or_ask() {
    let on = |meaning: Meaning| Case::new(PEER).with(|c| c.target_facts = vec![fact(meaning)]);
    let list = || "cloudflare".to_owned();
    check(
        &on(Meaning::NeverBlock { list: list() }).approved(),
        "refused\nnever block: 203.0.113.9 is on \"cloudflare\" (warninglists)",
    );
    check(
        &on(Meaning::Shared { list: list() }),
        "needs approval\nshared: many unrelated parties sit behind 203.0.113.9: \"cloudflare\"",
    );
    check(
        &on(Meaning::Harmless { list: list() }),
        "needs approval\nharmless: 203.0.113.9 is on \"cloudflare\", usually benign",
    );
    assert_eq!(on(Meaning::Shared { list: list() }).approved().judge().verdict.word(), "permitted");
    for silent in [
        Meaning::Malicious { feed: list(), confidence: 90, label: None, valid_until: None },
        Meaning::Seen { first: NOW, last: NOW, count: 1, with: list() },
        Meaning::Traffic { peers: 1, flows: 1, bytes: 1, top: vec![] },
        Meaning::Asset { name: list(), criticality: Criticality::Low, owner: None, kind: None },
        Meaning::Note { name: list(), value: list() },
    ] {
        check(&on(silent), GOOD);
    }
}

#[test]
fn the_blast_radius_asks_when_it_is_high_or_touches_many_of_ours() {
    check(&Case::new(PEER).with(|c| c.blast.level = Level::High), "needs approval\nblast radius: it is high");
    check(&Case::new(PEER).with(|c| c.blast.level = Level::Medium), GOOD);
    let asset = |i: u8| TouchedAsset {
        name: format!("h{i}"),
        address: std::net::IpAddr::from([10, 0, 0, i]),
        criticality: Criticality::Low,
        last_contact: None,
    };
    check(&Case::new(PEER).with(|c| c.blast.own_assets = (0..5).map(asset).collect()), GOOD);
    let six = Case::new(PEER).with(|c| c.blast.own_assets = (0..6).map(asset).collect());
    check(&six, "needs approval\nblast radius: 6 machines of ours are touched; the machine may touch 5");
    check(
        &Case::new(PEER).with(|c| c.blast.target = Some(net("203.0.113.10/32"))).approved(),
        "refused\nblast radius: it was estimated for 203.0.113.10, not for 203.0.113.9",
    );
}

#[test]
fn autonomy_is_a_ladder() {
    let at = |a: Autonomy| Case::new(PEER).with(|c| c.autonomy = a);
    let observe = "refused\nautonomy: observe only: nothing is changed here";
    check(&at(Autonomy::Observe), observe);
    check(&at(Autonomy::Observe).approved(), observe);
    check(&at(Autonomy::Suggest), "needs approval\nautonomy: suggest: a person decides");
    check(&at(Autonomy::Approve), "needs approval\nautonomy: approve: a person decides");
    check(&at(Autonomy::Act), GOOD);
    for rung in [Autonomy::Suggest, Autonomy::Approve, Autonomy::Act] {
        assert_eq!(at(rung).approved().judge().verdict.word(), "permitted", "{rung:?}");
    }
}

#[test]
fn shadow_and_exercise_never_give_a_permit() {
    for mode in [Mode::Shadow, Mode::Exercise] {
        let quiet = "mode: not live, so nothing is changed";
        check(
            &Case::new(PEER).with(|c| c.mode = mode),
            &format!("would be permitted\n{quiet}\nautonomy: act, and every rule agrees"),
        );
        assert_eq!(Case::new(PEER).approved().with(|c| c.mode = mode).judge().verdict, Verdict::WouldPermit);
        let asks = Case::new(PEER).with(|c| (c.mode, c.autonomy) = (mode, Autonomy::Approve));
        assert_eq!(asks.judge().verdict, Verdict::NeedsApproval { people: 1 });
        assert_eq!(asks.with(|c| c.kill_switch = true).judge().verdict, Verdict::Refused);
    }
}

#[test]
fn every_reason_is_told_and_not_only_the_first() {
    let bad = Case::new("127.0.0.0/8").with(|c| {
        c.kill_switch = true;
        c.action.ttl = Span::ZERO;
        c.autonomy = Autonomy::Observe;
    });
    let rules: Vec<String> =
        bad.judge().because.iter().filter_map(|r| Some(r.0.split_once(':')?.0.to_owned())).collect();
    assert_eq!(rules, ["kill switch", "protected", "time to live", "width", "autonomy"]);
}

#[test]
fn a_yes_that_does_not_hold_is_worse_than_none() {
    let used = Case::new(PEER).approved().with(|c| c.approval = c.approval.take().map(Approved::used));
    check(&used, "refused\napproval: APR-1 has been used already");
    let question = Case::new(PEER).with(|c| c.action.ttl = Span::hours(3)).approved();
    let other = Case::new(PEER).with(|c| c.approval = question.approval);
    check(&other, "refused\napproval: APR-1 covers another action than ACT-4");
}

// -------------------------------------------------------------------------------- abuse cases
//
// Not here: 3 (spellings) is in `address` and `target`; 4 and 5 (ports, credentials) are in
// `guard_kinds_tests`; 6 (a forged "resolved") cannot lift anything, because no input of the guard or
// of a run means "lift" but a person's order and the end of a lease; 7 (hiding behind dedup) is in
// `stage::dedup`; 9 (hostile text) is in `approval` and `expr`.

#[test]
fn abuse_1_a_forged_source_blocks_nothing_by_itself_and_no_service_of_ours_at_all() {
    let forged = |c: &mut Case| {
        c.evidence.established = false;
        c.evidence.independent_sources = 1;
    };
    check(
        &Case::new(PEER).with(forged),
        "needs approval\nspoofable: no completed exchange was seen, and only 1 of 2 independent \
         authenticated sources saw it",
    );
    check(&Case::new(PEER).with(|c| c.evidence.independent_sources = 0), GOOD);
    check(&Case::new(PEER).with(|c| c.evidence.established = false), GOOD);
    for service in ["resolver", "gateway", "NTP", "IdP", "SIEM", "chat provider", "partner", "CDN"] {
        let ours = Case::new(PEER).with(|c| {
            c.discovered = vec![Protected::net(net(PEER), service)];
        });
        assert_eq!(ours.judge().verdict, Verdict::Refused, "{service}");
        assert_eq!(ours.approved().judge().verdict, Verdict::Refused, "{service}, even approved");
    }
}

#[test]
fn abuse_2_a_flood_of_sources_neither_fills_the_table_nor_displaces_a_real_block() {
    let (mut permitted, mut asked, mut usage) = (0, 0, Usage::default());
    for i in 0..100_000_u32 {
        let source = std::net::Ipv4Addr::from_bits(0xc633_0000 + i);
        let case = Case::new(&format!("{source}/32")).with(|c| c.usage = usage);
        match case.judge().verdict {
            Verdict::Permit(_) => {
                permitted += 1;
                usage.started_last_10_minutes += 1;
                usage.active += 1;
            }
            Verdict::NeedsApproval { .. } => asked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((permitted, asked), (10, 99_990));
    // Spread over days, the number in force is what stops it.
    let mut active = 0;
    while let Verdict::Permit(_) = Case::new(PEER).with(|c| c.usage.active = active).judge().verdict {
        active += 1;
    }
    assert_eq!(active, 200);
}

#[test]
fn abuse_3_no_boundless_target_passes_even_when_built_without_the_parser() {
    for target in [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/1",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "1.2.3.4/8",
        "::ffff:10.0.0.1/128",
        "::ffff:0:0/96",
    ] {
        let case = Case::new(target).with(|c| (c.policy.min_prefix_v4, c.policy.min_prefix_v6) = (0, 0));
        assert_eq!(case.judge().verdict, Verdict::Refused, "{target}");
        assert_eq!(case.approved().judge().verdict, Verdict::Refused, "{target}, even approved");
    }
}

#[test]
fn abuse_8_when_look_ups_are_burnt_the_unknown_target_goes_to_a_person() {
    let blank = Case::new(PEER).with(|c| c.blast = BlastRadius::estimate(net(PEER), &[], &[]));
    check(
        &blank,
        "needs approval\nblast radius: it is high; not known: who else talks to it: no traffic records",
    );
}

#[test]
fn abuse_10_a_yes_to_a_benign_change_does_not_run_another() {
    let benign = Case::new("198.51.100.7/32").approved();
    for other in [PEER, "198.51.100.6/31", "198.51.100.8/32"] {
        let case = Case::new(other).with(|c| c.approval = benign.approval.clone());
        assert_eq!(case.judge().verdict, Verdict::Refused, "{other}");
    }
    let elsewhere = Case::new("198.51.100.7/32").with(|c| {
        c.action.responder = "core-fw".into();
        c.approval = benign.approval.clone();
    });
    assert_eq!(elsewhere.judge().verdict, Verdict::Refused);
}

#[test]
fn abuse_11_nobody_is_blocked_for_ever_by_being_blamed_again_and_again() {
    check(
        &Case::new(PEER).with(|c| c.usage.already_active_on_target = Some(ActionId(2))).approved(),
        "refused\nrepeat: ACT-2 is in force on this target; a change is never extended unseen",
    );
    check(&Case::new(PEER).with(|c| c.usage.earlier_on_target = 2), GOOD);
    check(
        &Case::new(PEER).with(|c| c.usage.earlier_on_target = 3),
        "needs approval\nrepeat: this target has been changed 3 times in seven days",
    );
}

#[test]
fn abuse_12_yesterdays_alerts_do_not_act_today() {
    let newest = |ms: i64| move |c: &mut Case| c.evidence.newest = Timestamp(NOW.0 + ms);
    check(
        &Case::new(PEER).with(newest(-Span::hours(24).0)),
        "needs approval\nstale: the latest alert is 1d old; the machine acts within 30m",
    );
    check(&Case::new(PEER).with(newest(-Span::mins(30).0)), GOOD);
    check(&Case::new(PEER).with(newest(Span::mins(5).0)), GOOD);
    check(
        &Case::new(PEER).with(newest(Span::mins(5).0 + 1)),
        "needs approval\nstale: the latest alert is dated 2026-03-03T22:18:20.001Z, ahead of our clock",
    );
    for extreme in [i64::MIN, i64::MAX] {
        let case = Case::new(PEER).with(|c| c.evidence.newest = Timestamp(extreme));
        assert_eq!(case.judge().verdict, Verdict::NeedsApproval { people: 1 });
    }
}

#[test]
fn abuse_13_the_only_sensor_that_sees_the_attacker_is_not_cut_off() {
    let sensor = Case::new("10.0.0.30/32").with(|c| {
        c.discovered = vec![Protected::net(net("10.0.0.30/32"), "sensor \"suricata-hq\"")];
    });
    check(
        &sensor.approved(),
        "refused\nprotected: 10.0.0.30 touches 10.0.0.30 (sensor \"suricata-hq\"; discovered)",
    );
}

#[test]
fn abuse_14_a_row_written_by_hand_never_runs() {
    let honest = Case::new(PEER).approved();
    let yes = honest.approval.as_ref().expect("approved");
    let mut row = honest.question();
    row.action.kind = ActionKind::BlockAddress { target: net("198.51.100.1/32") };
    let forged = Approved::from_journal(&row, yes.digest(), yes.yes(), false);
    check(
        &Case::new("198.51.100.1/32").with(|c| c.approval = Some(forged)),
        "refused\napproval: APR-1 is not what jon agreed to: its digest differs",
    );
}

#[path = "guard_kinds_tests.rs"]
mod kinds;

#[path = "guard_property.rs"]
mod property;
