use stanch_model::{ActionKind, IncidentId, RunId, Span};

use super::*;
use crate::contain::blast_radius::{BlastRadius, Level, WIDTH};
use crate::contain::fresh::{FreshProof, How};
use crate::contain::question::exact;
use crate::contain::{ENCODING, Party};

/// A name and a change to a question.
type Change = (&'static str, fn(&mut Approval));

fn approval() -> Approval {
    let target = "203.0.113.9/32".parse().expect("prefix");
    Approval {
        encoding: ENCODING,
        id: ApprovalId(1),
        incident: IncidentId(3),
        title: "C2 beacon from lap-7".into(),
        run: RunId(2),
        playbook: "c2-beacon".into(),
        playbook_hash: "ab".repeat(32),
        step: "block".into(),
        action: Action {
            id: stanch_model::ActionId(4),
            incident: IncidentId(3),
            responder: "edge-fw".into(),
            kind: ActionKind::BlockAddress { target },
            ttl: Span::hours(4),
            before: None,
        },
        simulated: false,
        blast: BlastRadius {
            target: Some(target),
            what: String::new(),
            addresses: 1,
            own_assets: vec![],
            users: vec![],
            peers: 1,
            flows: 12,
            bytes: 4096,
            shared: vec![],
            level: Level::Low,
            unknown: vec![],
        },
        because: vec![
            Reason::new("intel: urlhaus calls it hostile"),
            Reason::new("autonomy: approve: a person decides"),
        ],
        lasting: false,
        renewal: false,
        people: 1,
        asked_by: None,
        parties: vec![],
        fresh_within: None,
        policy: "cd".repeat(32),
        teams: vec!["netops".into(), "secops".into()],
        requested_at: Timestamp(1_772_575_800_000),
        expires_at: Timestamp(1_772_576_700_000),
    }
}

fn vote(by: &str, at: Timestamp) -> Vec<Vote> {
    vec![Vote { by: by.to_owned(), at, proof: None }]
}

fn party(person: &str, why: &str, counts: bool) -> Party {
    Party { person: person.into(), why: why.into(), counts }
}

const NOW: Timestamp = Timestamp(1_772_576_000_000);

fn teams(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// A good answer with one thing changed, and what comes of it.
fn check(state: &ApprovalState, now: Timestamp, change: impl Fn(&mut Answer<'_>), expected: &str) {
    let question = approval();
    let (digest, secops) = (question.digest(), teams(&["secops"]));
    let mut answer = Answer {
        person: "jon",
        machine: false,
        role: Role::Approver,
        teams: &secops,
        digest: &digest,
        approve: true,
        reason: Some("seen it"),
        proof: None,
        others: &[],
    };
    change(&mut answer);
    let got = match decide(&question, state, &[], &answer, now) {
        Ok(Decision::Approved(yes)) => format!("approved by {} at {}", yes.by(), yes.at().0),
        Ok(Decision::Counted { by, missing }) => format!("{by} counts, {missing} missing"),
        Ok(Decision::Denied { by, reason }) => format!("denied by {by}: {}", reason.unwrap_or_default()),
        Err(e) => e.to_string(),
    };
    assert_eq!(got, expected);
}

#[test]
fn a_person_sees_exactly_what_is_asked() {
    let question = approval();
    assert_eq!(
        question.shown(),
        format!(
            "APR-1 for INC-3    short code {}
C2 beacon from lap-7

Block 203.0.113.9 for 4h on edge-fw
asked by playbook c2-beacon, step block (RUN-2)

why
  - intel: urlhaus calls it hostile
  - autonomy: approve: a person decides

what it touches
  203.0.113.9: 1 address covered; blast radius low
  traffic: 4 KiB with 1 machine in 12 connections
  machines of ours: none known

may answer: netops, secops
asked 2026-03-03T22:10:00.000Z, open until 2026-03-03T22:25:00.000Z
No answer means no. The change ends by itself when its time is over.
sha-256 {}
",
            question.code(),
            question.digest()
        )
    );
    assert_eq!(question.code().len(), 8);
    assert!(question.digest().starts_with(&question.code()));
    let mut pretended = approval();
    pretended.simulated = true;
    assert!(pretended.shown().contains("\nSIMULATED: nothing real is changed\n"));
}

/// The encoding is a promise: a digest in an old journal must be found again.
#[test]
fn the_digest_of_a_known_question_never_changes() {
    // Computed by a second implementation of the encoding.
    let first = Approval { encoding: 1, ..approval() };
    assert_eq!(first.digest(), "f1a05f8bedc694c94d9f8a1fc80078c8a89a2636b3945dd4b7286e1ee56cf834");
    // Computed with the package `rfc8785` of PyPI and Python's hashlib.
    assert_eq!(approval().digest(), "064a03c5e81a4be8eefbecb5cb6dfe0c4f53a1f55d6890980f6dfb0c814098b4");
}

#[test]
fn every_field_that_is_shown_changes_the_digest() {
    let base = approval().digest();
    let changes: Vec<Change> = vec![
        ("id", |a| a.id = ApprovalId(2)),
        ("incident", |a| a.incident = IncidentId(4)),
        ("title", |a| a.title.push('x')),
        ("run", |a| a.run = RunId(3)),
        ("playbook", |a| a.playbook.push('x')),
        ("playbook_hash", |a| a.playbook_hash.push('0')),
        ("step", |a| a.step.push('x')),
        ("action.id", |a| a.action.id = stanch_model::ActionId(5)),
        ("action.incident", |a| a.action.incident = IncidentId(4)),
        ("responder", |a| a.action.responder.push('x')),
        ("target", |a| {
            a.action.kind = ActionKind::BlockAddress { target: "203.0.113.8/32".parse().expect("net") }
        }),
        ("width", |a| {
            a.action.kind = ActionKind::BlockAddress { target: "203.0.113.9/31".parse().expect("net") }
        }),
        ("ttl", |a| a.action.ttl = Span(a.action.ttl.0 + 1)),
        ("simulated", |a| a.simulated = true),
        ("lasting", |a| a.lasting = true),
        ("renewal", |a| a.renewal = true),
        ("people", |a| a.people = 2),
        ("asked_by", |a| a.asked_by = Some("eve".into())),
        ("fresh proof", |a| a.fresh_within = Some(Span::mins(5))),
        ("fresh proof's age", |a| a.fresh_within = Some(Span::mins(6))),
        ("party", |a| a.parties = vec![party("eve", "saved playbook x", false)]),
        ("party's name", |a| a.parties = vec![party("eva", "saved playbook x", false)]),
        ("party's part", |a| a.parties = vec![party("eve", "saved playbook y", false)]),
        ("party counts", |a| a.parties = vec![party("eve", "saved playbook x", true)]),
        ("policy", |a| a.policy.push('0')),
        ("before", |a| a.action.before = Some(String::new())),
        ("kind", |a| a.action.kind = ActionKind::LockAccount { account: "alice".into() }),
        ("account", |a| a.action.kind = ActionKind::LockAccount { account: "alicf".into() }),
        ("unlock", |a| a.action.kind = ActionKind::UnlockAccount { account: "alice".into() }),
        ("vlan", |a| a.action.kind = ActionKind::QuarantinePort { port: "p1".into(), vlan: 7 }),
        ("vlan 8", |a| a.action.kind = ActionKind::QuarantinePort { port: "p1".into(), vlan: 8 }),
        ("input", |a| {
            let inputs = [("a".to_owned(), "b".to_owned())].into();
            a.action.kind = ActionKind::Call { call: "x".into(), subject: "y".into(), inputs };
        }),
        ("input's name", |a| {
            let inputs = [("ab".to_owned(), String::new())].into();
            a.action.kind = ActionKind::Call { call: "x".into(), subject: "y".into(), inputs };
        }),
        ("blast", |a| a.blast.peers = 2),
        ("reason", |a| a.because[0].0.push('.')),
        ("reasons split", |a| {
            a.because =
                vec![Reason::new("intel: urlhaus calls it hostileautonomy: approve: a person decides")]
        }),
        ("reason moved to teams", |a| {
            let r = a.because.pop().expect("reason");
            a.teams.push(r.0);
        }),
        ("no reasons", |a| a.because.clear()),
        ("teams", |a| {
            a.teams.push("zz".into());
        }),
        ("requested_at", |a| a.requested_at.0 += 1),
        ("expires_at", |a| a.expires_at.0 += 1),
    ];
    let mut seen = BTreeSet::from([base]);
    for (name, change) in changes {
        let mut other = approval();
        change(&mut other);
        assert!(seen.insert(other.digest()), "{name}");
    }
}

#[test]
fn a_question_survives_the_journal_with_its_digest() {
    let text = serde_json::to_string(&approval()).expect("JSON");
    let back: Approval = serde_json::from_str(&text).expect("JSON");
    assert_eq!((back.digest(), &back), (approval().digest(), &approval()));
}

#[test]
fn an_exact_answer_from_the_right_person_in_time_counts() {
    let pending = ApprovalState::Pending;
    check(&pending, NOW, |_| {}, "approved by jon at 1772576000000");
    check(&pending, NOW, |a| a.role = Role::Admin, "approved by jon at 1772576000000");
    check(&pending, NOW, |a| a.approve = false, "denied by jon: seen it");
}

#[test]
fn every_other_answer_is_refused_with_the_reason() {
    let pending = ApprovalState::Pending;
    let none = BTreeSet::new();
    let other = teams(&["helpdesk"]);
    check(&pending, NOW, |a| a.machine = true, "jon is a program; APR-1 has to be answered by a person");
    check(&pending, NOW, |a| a.role = Role::Viewer, "jon has the role viewer; APR-1 needs at least approver");
    check(
        &pending,
        NOW,
        |a| a.role = Role::Analyst,
        "jon has the role analyst; APR-1 needs at least approver",
    );
    let in_none = "jon is in none of the teams that may answer APR-1: netops, secops";
    for set in [&none, &other] {
        let question = approval();
        let digest = question.digest();
        let answer = Answer {
            person: "jon",
            machine: false,
            role: Role::Admin,
            teams: set,
            digest: &digest,
            approve: true,
            reason: None,
            proof: None,
            others: &[],
        };
        let got = decide(&question, &pending, &[], &answer, NOW).expect_err("team");
        assert_eq!(got.to_string(), in_none);
    }
    let late =
        "APR-1 expired at 2026-03-03T22:25:00.000Z; nothing was changed, and a new question has to be asked";
    let end = approval().expires_at;
    check(&pending, end, |_| {}, late);
    check(&pending, Timestamp(end.0 - 1), |_| {}, "approved by jon at 1772576699999");
    check(&ApprovalState::Expired, NOW, |_| {}, late);
    check(&ApprovalState::Withdrawn, NOW, |_| {}, "APR-1 was withdrawn: what it asked for no longer applies");
    let (by, at) = ("mira".to_owned(), Timestamp(1_772_575_900_000));
    check(
        &ApprovalState::Approved { by: by.clone(), at },
        NOW,
        |_| {},
        "APR-1 was approved by mira at 2026-03-03T22:11:40.000Z; this answer changes nothing",
    );
    check(
        &ApprovalState::Denied { by, at },
        NOW,
        |_| {},
        "APR-1 was denied by mira at 2026-03-03T22:11:40.000Z; this answer changes nothing",
    );
}

#[test]
fn no_digest_but_the_exact_one_is_accepted() {
    let digest = approval().digest();
    let wrong = format!(
        "this answer is not to APR-1 as it stands (its code is {}); look at it again",
        approval().code()
    );
    let mut forms = vec![
        String::new(),
        digest[..8].to_owned(),
        digest[..63].to_owned(),
        format!("{digest}0"),
        digest.to_uppercase(),
        format!(" {digest}"),
    ];
    for i in 0..64 {
        let mut other = digest.clone().into_bytes();
        other[i] = if other[i] == b'0' { b'1' } else { b'0' };
        forms.push(String::from_utf8(other).expect("hexadecimal"));
    }
    let question = approval();
    let secops = teams(&["secops"]);
    for form in forms {
        if form == digest {
            continue;
        }
        for approve in [true, false] {
            let answer = Answer {
                person: "jon",
                machine: false,
                role: Role::Approver,
                teams: &secops,
                digest: &form,
                approve,
                reason: None,
                proof: None,
                others: &[],
            };
            let got = decide(&question, &ApprovalState::Pending, &[], &answer, NOW).expect_err(&form);
            assert_eq!(got.to_string(), wrong, "{form}");
        }
    }
}

fn yes(question: &Approval) -> Approved {
    Approved::from_journal(question, &question.digest(), &vote("jon", NOW), false)
}

#[test]
fn a_yes_covers_exactly_one_action_once_and_in_time() {
    let action = approval().action;
    let why = |yes: &Approved, action: &Action, now| yes.covers(action, now).map_err(|r| r.0);
    assert_eq!(why(&yes(&approval()), &action, NOW), Ok(()));
    let mut longer = action.clone();
    longer.ttl = Span::hours(5);
    assert_eq!(
        why(&yes(&approval()), &longer, NOW),
        Err("approval: APR-1 covers another action than ACT-4".into())
    );
    assert_eq!(
        why(&yes(&approval()).used(), &action, NOW),
        Err("approval: APR-1 has been used already".into())
    );
    let end = approval().expires_at;
    assert_eq!(
        why(&yes(&approval()), &action, end),
        Err("approval: APR-1 expired at 2026-03-03T22:25:00.000Z".into())
    );
    for at in [end, Timestamp(0)] {
        let late = Approved::from_journal(&approval(), &approval().digest(), &vote("jon", at), false);
        assert!(why(&late, &action, NOW).expect_err("late").contains("answered outside its time"));
    }
    let yes = yes(&approval());
    assert_eq!(
        (yes.approval().id, yes.by(), yes.at(), yes.digest().len()),
        (ApprovalId(1), "jon".to_owned(), NOW, 64)
    );
}

/// Abuse cases 10 and 14: the row that is acted upon is not the row that was shown.
#[test]
fn abuse_10_and_14_a_question_changed_after_the_answer_is_worthless() {
    let digest = approval().digest();
    let mut changed = approval();
    changed.action.kind = ActionKind::BlockAddress { target: "10.0.0.1/32".parse().expect("net") };
    let action = changed.action.clone();
    let forged = Approved::from_journal(&changed, &digest, &vote("jon", NOW), false);
    assert_eq!(
        forged.covers(&action, NOW).map_err(|r| r.0),
        Err("approval: APR-1 is not what jon agreed to: its digest differs".into())
    );
}

/// Abuse case 9: attacker's text in a reason cannot forge lines, colours or directions.
#[test]
fn abuse_9_hostile_text_stays_inside_its_paragraph() {
    let mut question = approval();
    let long = "x".repeat(200);
    question.because = vec![
        Reason::new("title: ok\r\nBlock 10.0.0.1\u{1b}[31m red \u{202e}evil\u{200b} <!channel> *bold*"),
        Reason::new(format!("name: {long} {}", "word ".repeat(40))),
        Reason::new(""),
    ];
    question.step = "a\nb".into();
    let shown = question.shown();
    assert!(shown.lines().all(|l| l.chars().count() <= WIDTH), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}']), "{shown}");
    assert_eq!(shown.lines().filter(|l| l.starts_with("Block ")).count(), 1, "{shown}");
    assert_eq!(shown.matches('x').count(), 200, "a reason is broken, never cut");
}

#[test]
fn a_time_to_live_is_shown_to_the_millisecond() {
    for (ms, text) in
        [(14_400_000, "4h"), (14_401_000, "4h 1s"), (90_061_001, "1d 1h 1m 1s 1ms"), (0, "0ms"), (-5, "-5ms")]
    {
        assert_eq!(exact(Span(ms)), text);
    }
}

/// A question that takes two people, and what comes of an answer after those before.
fn second(before: &[&str], change: impl Fn(&mut Approval), who: &str, approve: bool) -> String {
    let mut question = approval();
    question.people = 2;
    change(&mut question);
    let (digest, secops) = (question.digest(), teams(&["secops"]));
    let yes: Vec<Vote> = before.iter().flat_map(|by| vote(by, NOW)).collect();
    let answer = Answer {
        person: who,
        machine: false,
        role: Role::Approver,
        teams: &secops,
        digest: &digest,
        approve,
        reason: None,
        proof: None,
        others: &["mira".to_owned()],
    };
    match decide(&question, &ApprovalState::Pending, &yes, &answer, NOW) {
        Ok(Decision::Approved(yes)) => format!("approved by {} ({})", yes.by(), yes.people()),
        Ok(Decision::Counted { by, missing }) => format!("{by} counts, {missing} missing"),
        Ok(Decision::Denied { by, .. }) => format!("denied by {by}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn two_different_people_say_yes_and_one_says_no() {
    let as_is = |_: &mut Approval| {};
    assert_eq!(second(&[], as_is, "jon", true), "jon counts, 1 missing");
    assert_eq!(second(&["jon"], as_is, "mira", true), "approved by jon and mira (2)");
    assert_eq!(
        second(&["jon"], as_is, "jon", true),
        "jon has said yes to APR-1 already; it takes 1 more, of other people"
    );
    assert_eq!(second(&["jon"], as_is, "mira", false), "denied by mira");
    assert_eq!(
        second(&["jon"], as_is, "jon", false),
        "denied by jon",
        "a yes can be taken back while others think"
    );
    assert_eq!(second(&["jon", "jon"], as_is, "mira", true), "approved by jon and jon and mira (2)");
    assert_eq!(second(&[], |a| a.people = 3, "jon", true), "jon counts, 2 missing");
    assert_eq!(second(&["a"], |a| a.people = 3, "jon", true), "jon counts, 1 missing");
    assert_eq!(second(&[], |a| a.people = 0, "jon", true), "approved by jon (1)", "never fewer than one");
}

const OWN: &str = "jon asked for it, so a yes of jon does not count for APR-1; mira may say yes instead";

#[test]
fn nobody_agrees_with_themselves() {
    let by_jon = |a: &mut Approval| a.asked_by = Some("jon".into());
    assert_eq!(second(&[], by_jon, "jon", true), OWN);
    assert_eq!(
        second(&[], by_jon, "jon", false),
        "denied by jon",
        "taking back what one asked for is always possible"
    );
    assert_eq!(second(&["mira"], by_jon, "jon", true), OWN);
    assert_eq!(second(&["mira"], by_jon, "ada", true), "approved by mira and ada (2)");
}

/// What was answered past [`decide`] is weighed again when it is used.
#[test]
fn a_yes_read_back_counts_only_with_enough_other_people() {
    let why = |change: fn(&mut Approval), yes: &[Vote]| {
        let mut question = approval();
        change(&mut question);
        let yes = Approved::from_journal(&question, &question.digest(), yes, false);
        yes.covers(&question.action, NOW).map_err(|r| r.0)
    };
    let jon = vote("jon", NOW);
    let both: Vec<Vote> = [vote("jon", NOW), vote("mira", NOW)].concat();
    let twice: Vec<Vote> = [vote("jon", NOW), vote("jon", NOW)].concat();
    assert_eq!(why(|a| a.people = 2, &both), Ok(()));
    let one = Err("approval: APR-1 needs 2 people, and 1 said yes".to_owned());
    assert_eq!(why(|a| a.people = 2, &jon), one);
    assert_eq!(why(|a| a.people = 2, &twice), one);
    assert_eq!(why(|_| {}, &[]), Err("approval: APR-1 needs 1 people, and 0 said yes".to_owned()));
    let own = Err("approval: APR-1 was answered by jon, who asked for it".to_owned());
    assert_eq!(why(|a| a.asked_by = Some("jon".into()), &jon), own);
    let early = [vote("mira", Timestamp(0)), vote("jon", NOW)].concat();
    assert!(why(|_| {}, &early).expect_err("early").contains("answered outside its time"));
    let end = approval().expires_at;
    assert!(why(|_| {}, &vote("jon", end)).is_err());
    assert_eq!(why(|_| {}, &vote("jon", approval().requested_at)), Ok(()));
    let yes = Approved::from_journal(
        &approval(),
        "x",
        &[vote("b", Timestamp(7)), vote("a", Timestamp(5))].concat(),
        false,
    );
    assert_eq!((yes.at(), yes.by(), yes.people(), yes.yes().len()), (Timestamp(7), "b and a".into(), 2, 2));
    let nobody = Approved::from_journal(&approval(), "x", &[], false);
    assert_eq!((nobody.at(), nobody.by()), (Timestamp(i64::MIN), String::new()));
}

#[test]
fn authority_is_a_role_and_a_team_that_was_asked() {
    let may = |role, names: &[&str]| has_authority(&approval(), role, &teams(names));
    assert!(may(Role::Approver, &["secops"]) && may(Role::Admin, &["x", "netops"]));
    assert!(!may(Role::Analyst, &["secops"]) && !may(Role::Approver, &["x"]) && !may(Role::Admin, &[]));
}

#[test]
fn what_is_special_about_a_question_is_shown() {
    let shown = |change: fn(&mut Approval)| {
        let mut a = approval();
        change(&mut a);
        a.shown()
    };
    assert!(
        shown(|a| a.people = 2).contains("\nIt takes 2 different people to say yes, and one to say no.\n")
    );
    let lasting = shown(|a| a.lasting = true);
    assert!(lasting.contains("\nBlock 203.0.113.9 for good on edge-fw\n"), "{lasting}");
    assert!(lasting.contains("\nNo answer means no. THE CHANGE CANNOT BE UNDONE and has no end.\n"));
    assert!(shown(|a| a.renewal = true).contains("\nGo on for 4h more: block 203.0.113.9 on edge-fw\n"));
    assert!(shown(|a| a.asked_by = Some("jon".into())).contains("(RUN-2) for jon\n"));
    let call = shown(|a| {
        let inputs = [("host".to_owned(), "web-1".to_owned())].into();
        a.action.kind = ActionKind::Call { call: "edr".into(), subject: "web-1".into(), inputs };
    });
    assert!(call.contains("\nEdr for web-1 for 4h on edge-fw\n  host: web-1\n"), "{call}");
}

/// A yes of jon to a question that takes a fresh proof, with this one.
fn proved(proof: Option<FreshProof>, people: u8) -> String {
    let mut question = approval();
    (question.fresh_within, question.people) = (Some(Span::mins(5)), people);
    let (digest, secops) = (question.digest(), teams(&["secops"]));
    let answer = Answer {
        person: "jon",
        machine: false,
        role: Role::Approver,
        teams: &secops,
        digest: &digest,
        approve: true,
        reason: None,
        proof,
        others: &[],
    };
    match decide(&question, &ApprovalState::Pending, &[], &answer, NOW) {
        Ok(Decision::Approved(yes)) => format!("approved: {:?}", yes.covers(&question.action, NOW)),
        Ok(Decision::Counted { by, missing }) => format!("{by} counts, {missing} missing"),
        Ok(Decision::Denied { by, .. }) => format!("denied by {by}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn where_it_takes_a_fresh_proof_each_yes_has_one_and_a_no_needs_none() {
    let none = "a yes to APR-1 takes a fresh proof that it is jon, not older than 5m";
    let at = |ago: i64| Some(FreshProof { how: How::Password, at: NOW.plus(Span(-ago)) });
    assert_eq!(proved(at(0), 1), "approved: Ok(())");
    assert_eq!(proved(at(300_000), 2), "jon counts, 1 missing");
    for (proof, people) in [(None, 1), (None, 2), (at(300_001), 1), (at(-1), 1)] {
        assert_eq!(proved(proof, people), none, "{proof:?}");
    }
    assert_eq!(second(&[], |a| a.fresh_within = Some(Span::mins(5)), "jon", false), "denied by jon");
    // What was written past `decide` is weighed again when it is used.
    let mut question = approval();
    question.fresh_within = Some(Span::mins(5));
    let why = |proof| {
        let yes = [Vote { by: "jon".into(), at: NOW, proof }];
        Approved::from_journal(&question, &question.digest(), &yes, false).covers(&question.action, NOW)
    };
    assert_eq!(why(at(0)), Ok(()));
    let without = Err(Reason("approval: APR-1 was answered by jon without a fresh proof".into()));
    assert_eq!((why(None), why(at(300_001)), why(at(-1))), (without.clone(), without.clone(), without));
    assert!(question.shown().contains("each yes takes: a fresh proof that it is you, not older than 5m"));
}
