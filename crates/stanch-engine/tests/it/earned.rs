//! What people correct is learnt, what they did is told again, and autonomy is earned.

use stanch_core::config::Automatic;
use stanch_core::journal::incident::Status;
use stanch_core::journal::opinion::Opinion;
use stanch_core::stage::advice;
use stanch_core::stage::autonomy::standing;
use stanch_engine::{Command, CommandError, Done, Hand};
use stanch_model::{AlertId, IncidentId, Span, Timestamp};
use stanch_store::MemoryJournal;

use crate::world::{START, call_home, eve, lead, parsed, rules_of};

fn open(triage: &str) -> Hand {
    let mut rules = rules_of(&[("policies/triage.yaml", triage.to_owned())]);
    rules.enrichers.clear();
    Hand::open(Box::new(MemoryJournal::new()), rules, START).unwrap()
}

fn after(minutes: i64) -> Timestamp {
    START.plus(Span::mins(minutes))
}

fn incident_of(hand: &Hand, alert: u64) -> IncidentId {
    IncidentId(u64::from(hand.state().slot(AlertId(alert)).unwrap().link))
}

fn judge(hand: &mut Hand, incident: u64, opinion: Opinion) -> Result<Done, CommandError> {
    let (incident, text) = (IncidentId(incident), String::new());
    let of = (opinion == Opinion::Duplicate).then_some(IncidentId(2));
    let team = (opinion == Opinion::WrongTeam).then(|| "netops".to_owned());
    hand.order(after(1), Command::Judge { incident, who: lead(), opinion, of, team, text }).unwrap()
}

#[test]
fn what_people_take_apart_twice_is_not_joined_again() {
    let mut hand = open("incident_at: 0.6\n");
    let mut joined = Vec::new();
    for n in 1..=3 {
        let (at, now, victim) = (n * 36_000, after(n * 600), format!("10.{n}.0.7"));
        hand.receive(now, parsed("ids", &call_home(at, &victim, &format!("203.0.113.{n}")))).unwrap();
        let other = eve(at + 1, 90, "A Network Trojan was detected", 1, &victim, &format!("198.51.100.{n}"));
        hand.receive(now, parsed("ids", &other)).unwrap();
        let (first, second) = (2 * n as u64 - 1, 2 * n as u64);
        let together = incident_of(&hand, first) == incident_of(&hand, second);
        joined.push(together);
        if together {
            let (from, alerts) = (incident_of(&hand, first), vec![AlertId(second)]);
            hand.order(now, Command::Split { from, alerts, to: None, who: lead() }).unwrap().unwrap();
        }
    }
    assert_eq!(joined, [true, true, false]);
}

#[test]
fn a_correction_needs_what_would_be_right_and_replaces_no_verdict() {
    let mut hand = open("incident_at: 0.6\n");
    for n in 1..=2 {
        let body = call_home(n * 60, &format!("10.{n}.0.7"), &format!("203.0.113.{n}"));
        hand.receive(after(n), parsed("ids", &body)).unwrap();
    }
    judge(&mut hand, 1, Opinion::True).unwrap();
    judge(&mut hand, 1, Opinion::WrongTeam).unwrap();
    judge(&mut hand, 1, Opinion::Duplicate).unwrap();
    assert!(matches!(judge(&mut hand, 2, Opinion::Duplicate), Err(CommandError::NotFound(_))), "of itself");
    let nobody = Command::Judge {
        incident: IncidentId(1),
        who: lead(),
        opinion: Opinion::WrongTeam,
        of: None,
        team: Some("nobody".into()),
        text: String::new(),
    };
    assert!(matches!(hand.order(after(1), nobody).unwrap(), Err(CommandError::NotFound(_))));
    let said = &hand.state().opinions;
    assert_eq!(said.incidents[&IncidentId(1)].1.opinion, Opinion::True);
    assert_eq!(said.corrections.len(), 2);
}

#[test]
fn what_was_found_before_is_told_with_what_both_share() {
    let mut hand = open("incident_at: 0.6\n");
    for n in 1..=2 {
        let body = call_home(n * 39_600, &format!("10.{n}.0.7"), "203.0.113.5");
        // Eleven hours apart: the same machine outside, and not the same incident.
        hand.receive(after(n * 660), parsed("ids", &body)).unwrap();
    }
    let ids: Vec<IncidentId> = hand.state().incidents.keys().copied().collect();
    judge(&mut hand, ids[0].0, Opinion::False).unwrap();
    let last = *ids.last().unwrap();
    let advice = advice::advise(advice::ask(hand.state(), last).unwrap());
    assert_eq!(advice.before.alike[0].id, ids[0].to_string());
    assert!(advice.before.alike[0].because.contains("203.0.113.5"), "{advice:?}");
    assert_eq!(advice.before.outcomes, [("false".to_owned(), 1)]);
    assert!(advice.route.abstains.is_some(), "one past incident teaches no route");
    let words = advice::sentences(&advice);
    assert!(words.last().unwrap().starts_with("no team is suggested: "), "{words:?}");
}

#[test]
fn an_incident_is_closed_by_itself_once_that_is_earned_and_a_wrong_one_takes_the_leave_back() {
    let mut hand =
        open("incident_at: 0.2\nenrich_at: 0.1\nauto_close: { budget: 0.5, confidence: 0.5, wait: 30m }\n");
    let scan = |n: i64| {
        eve(
            n * 60,
            90,
            "Attempted Administrator Privilege Gain",
            1,
            &format!("203.0.113.{n}"),
            &format!("10.{n}.0.7"),
        )
    };
    for n in 1..=9 {
        hand.receive(after(n), parsed("ids", &scan(n))).unwrap();
    }
    assert_eq!(hand.state().incidents.len(), 9);
    hand.tick(after(60)).unwrap();
    let open =
        |hand: &Hand| hand.state().incidents.values().filter(|i| i.status == Status::Triggered).count();
    assert_eq!(open(&hand), 9, "nothing is earned yet");
    for n in 1..=8 {
        judge(&mut hand, n, Opinion::False).unwrap();
    }
    hand.tick(after(61)).unwrap();
    let ninth = &hand.state().incidents[&IncidentId(9)];
    assert_eq!(ninth.status, Status::Resolved);
    let why = ninth.marks.last().unwrap().text.clone();
    assert!(why.starts_with("resolved by stanch: closed by itself at"), "{why}");
    // People look at it all the same, and find that it mattered; and so did others.
    for n in [9, 1, 2, 3] {
        judge(&mut hand, n, Opinion::True).unwrap();
    }
    let now = standing(hand.state(), Automatic::Close, hand.rules().config.triage.budgets.close.as_ref());
    assert!(!now.allowed, "{now:?}");
    hand.receive(after(62), parsed("ids", &scan(11))).unwrap();
    hand.tick(after(120)).unwrap();
    let last = hand.state().incidents.values().next_back().unwrap();
    assert_eq!(last.status, Status::Triggered);
}
