//! What may be decided without asking, by the budget of each kind of decision.

use stanch_core::config::Automatic;
use stanch_core::journal::incident::MarkKind;
use stanch_core::journal::opinion::Opinion;
use stanch_core::journal::state::State;
use stanch_core::stage::autonomy::standing;
use stanch_engine::{Command, Hand};
use stanch_model::{IncidentId, Span, Timestamp};
use stanch_store::MemoryJournal;

use crate::world::{START, call_home, lead, parsed, rules_of};

const ACTS: &str = "route:\n  team: secops\n  escalation: steps\n  autonomy: act\nescalations:\n  steps:\n    rules:\n      - { teams: [secops], wait: 5m }\n    repeat: 1\n";
const CONTAINS: &str = "protected: []\nblock_address: edge\nnoc_team: netops\ndefault_ttl: 1h\nnew_playbooks: act\nmax_per_10_minutes: 100\n";

fn open(journal: &MemoryJournal, triage: &str) -> Hand {
    let files = [
        ("policies/triage.yaml", triage.to_owned()),
        ("policies/routing.yaml", ACTS.to_owned()),
        ("policies/containment.yaml", CONTAINS.to_owned()),
    ];
    let mut rules = rules_of(&files);
    rules.enrichers.clear();
    Hand::open(Box::new(journal.reopen()), rules, START).unwrap()
}

fn after(minutes: i64) -> Timestamp {
    START.plus(Span::mins(minutes))
}

/// The n-th machine of ours calls the n-th attacker, ten minutes after the one before.
fn calls_home(hand: &mut Hand, n: u8) -> IncidentId {
    let (at, victim, server) = (i64::from(n) * 600, format!("10.{n}.0.7"), format!("203.0.113.{n}"));
    let time = START.plus(Span::secs(at - 5));
    // A flow sensor has counted whom it would hurt: nobody else.
    let flow = format!(
        r#"{{"timestamp":"{time}","flow_id":{n},"event_type":"flow","src_ip":"{victim}","src_port":40000,"dest_ip":"{server}","dest_port":443,"proto":"TCP","flow":{{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":900,"bytes_toclient":800,"start":"{time}","end":"{time}"}}}}"#
    );
    hand.receive(after(i64::from(n) * 10), parsed("ids", &flow)).unwrap();
    hand.receive(after(i64::from(n) * 10), parsed("ids", &call_home(at, &victim, &server))).unwrap();
    *hand.state().incidents.keys().next_back().unwrap()
}

fn judge(hand: &mut Hand, incident: u64, opinion: Opinion) {
    let (incident, text) = (IncidentId(incident), String::new());
    let order = Command::Judge { incident, who: lead(), opinion, of: None, team: None, text };
    hand.order(after(incident.0 as i64 * 10 + 1), order).unwrap().unwrap();
}

/// How the change of an incident came about: asked, or made, and the reason that matters here.
fn came(state: &State, incident: IncidentId) -> (bool, bool, String) {
    let asked = state.approvals.values().find(|a| a.approval.incident == incident);
    let made = state.actions.values().find(|a| a.action.incident == incident);
    let because = match (asked, made) {
        (Some(a), _) => a.approval.because.iter().map(ToString::to_string).collect(),
        (None, Some(a)) => a.because.iter().map(ToString::to_string).collect(),
        (None, None) => Vec::new(),
    };
    let why: Option<String> = because.into_iter().find(|r: &String| r.starts_with("confidence: "));
    (asked.is_some(), made.is_some(), why.unwrap_or_default())
}

const BUDGETS: &str = "incident_at: 0.2\nenrich_at: 0.1\nbudgets:\n  contain_reversible: { budget: 0.5, confidence: 0.5 }\n  contain_costly: { budget: 0.01 }\n";

#[test]
fn a_playbook_that_may_act_asks_until_the_bound_is_within_the_budget_of_its_changes() {
    let mut hand = open(&MemoryJournal::new(), BUDGETS);
    let first = calls_home(&mut hand, 1);
    let (asked, made, why) = came(hand.state(), first);
    assert!(asked && !made, "nothing is earned yet");
    assert!(why.starts_with("confidence: contain_reversible is not earned: of 0 judged incidents"), "{why}");
    judge(&mut hand, 1, Opinion::True);
    for n in 2..=6 {
        calls_home(&mut hand, n);
        judge(&mut hand, u64::from(n), Opinion::True);
    }
    let seventh = calls_home(&mut hand, 7);
    let (asked, made, why) = came(hand.state(), seventh);
    assert!(!asked && made, "{why}");
    assert!(why.contains("of 6 judged incidents") && why.contains("0 did not matter"), "{why}");
    // What would be costly has another budget, and has not earned it by the same verdicts.
    let budgets = &hand.rules().config.triage.budgets;
    let costly = standing(hand.state(), Automatic::ContainCostly, budgets.contain_costly.as_ref());
    assert!(!costly.allowed && costly.bound > 0.01, "{costly:?}");
    // People find that it was wrong, more than once: the next one asks again.
    for n in [7, 6, 5] {
        judge(&mut hand, n, Opinion::False);
    }
    let eighth = calls_home(&mut hand, 8);
    let (asked, made, why) = came(hand.state(), eighth);
    assert!(asked && !made && why.contains("not earned"), "{why}");
}

#[test]
fn without_budgets_a_playbook_that_may_act_acts_as_ever() {
    let mut hand = open(&MemoryJournal::new(), "incident_at: 0.2\nenrich_at: 0.1\n");
    let first = calls_home(&mut hand, 1);
    assert_eq!(came(hand.state(), first), (false, true, String::new()));
}

fn woken(state: &State, incident: IncidentId, what: MarkKind) -> Option<&str> {
    let marks = &state.incidents[&incident].marks;
    marks.iter().rev().find(|m| m.what == what).map(|m| m.text.as_str())
}

/// A kind of alert that is less sure than a call home.
fn scan(hand: &mut Hand, n: u8) -> IncidentId {
    let (from, to) = (format!("198.51.100.{n}"), format!("10.{n}.0.7"));
    let body = crate::world::eve(i64::from(n) * 600, 91, "Misc activity", 3, &from, &to);
    hand.receive(after(i64::from(n) * 10), parsed("ids", &body)).unwrap();
    *hand.state().incidents.keys().next_back().unwrap()
}

/// Calls home that were real, and scans that were nothing, in turns; all of them page.
fn taught(hand: &mut Hand) {
    for n in 1..=8 {
        for (opinion, id) in
            [(Opinion::True, calls_home(hand, 2 * n)), (Opinion::False, scan(hand, 2 * n + 1))]
        {
            let at = MarkKind::Escalated;
            assert!(woken(hand.state(), id, at).is_some(), "too little is known: {id} pages");
            let order = Command::Judge {
                incident: id,
                who: lead(),
                opinion,
                of: None,
                team: None,
                text: String::new(),
            };
            hand.order(after(170), order).unwrap().unwrap();
        }
    }
}

fn paging(wait: &str) -> String {
    format!(
        "incident_at: 0.001\nenrich_at: 0.001\nbudgets:\n  page: {{ budget: 0.4, confidence: 0.5, wait: {wait} }}\n"
    )
}

#[test]
fn nobody_is_woken_for_what_is_doubtful_until_its_wait_is_over() {
    let journal = MemoryJournal::new();
    let mut hand = open(&journal, &paging("20m"));
    taught(&mut hand);
    let sure = calls_home(&mut hand, 18);
    assert!(woken(hand.state(), sure, MarkKind::Escalated).is_some(), "a sure one pages at once");
    let doubtful = scan(&mut hand, 19);
    assert_eq!(woken(hand.state(), doubtful, MarkKind::Escalated), None);
    let why = woken(hand.state(), doubtful, MarkKind::PageHeld).unwrap();
    assert!(why.starts_with("nobody is woken before ") && why.contains("8 judged incidents below"), "{why}");
    drop(hand);
    let mut hand = open(&journal, &paging("20m"));
    hand.tick(after(209)).unwrap();
    assert_eq!(woken(hand.state(), doubtful, MarkKind::Escalated), None, "a restart wakes nobody");
    hand.tick(after(211)).unwrap();
    assert!(woken(hand.state(), doubtful, MarkKind::Escalated).is_some(), "its wait is over");
}

#[test]
fn what_was_held_back_pages_as_soon_as_the_leave_to_hold_it_is_gone() {
    let mut hand = open(&MemoryJournal::new(), &paging("10h"));
    taught(&mut hand);
    let doubtful = scan(&mut hand, 19);
    assert_eq!(woken(hand.state(), doubtful, MarkKind::Escalated), None);
    // Half of the scans were attacks after all.
    for id in [2, 4, 6, 8] {
        judge(&mut hand, id, Opinion::True);
    }
    hand.tick(after(191)).unwrap();
    assert!(woken(hand.state(), doubtful, MarkKind::Escalated).is_some());
}
