use std::collections::BTreeSet;

use stanch_model::{ActionKind, ApprovalId, Ask, EffectId, Place, Severity};

use super::*;
use crate::journal::event::{ByPerson, Effect, Event, IncidentOpened, Intended, Settled};

const INC: IncidentId = IncidentId(3);

/// A journal in miniature: what is said is intended, and settled as the test wants it.
struct Desk {
    state: State,
    /// Whether the notifier is still configured.
    here: bool,
    now: Timestamp,
}

impl Desk {
    fn new() -> Desk {
        let mut desk = Desk { state: State::default(), here: true, now: Timestamp(1_000_000) };
        desk.put(Event::IncidentOpened(IncidentOpened {
            incident: INC,
            site: "hq".into(),
            because: Vec::new(),
        }));
        desk
    }

    fn put(&mut self, event: Event) {
        let seq = self.state.seq + 1;
        self.state.apply(seq, self.now, &event);
    }

    fn intend(&mut self, said: &Said) -> EffectId {
        let effect = EffectId(self.state.next.effect);
        let what =
            Effect::Notify { notifier: said.notifier.clone(), notice: said.notice.clone(), noc: said.noc };
        self.put(Event::Intended(Intended { effect, what }));
        effect
    }

    fn settle(&mut self, effect: EffectId, receipt: Result<&str, ()>) {
        let failure = receipt.is_err().then(|| stanch_model::Failure::permanent("no"));
        let receipt = receipt.unwrap_or_default().to_owned();
        self.put(Event::Settled(Settled { effect, failure, retry_at: None, receipt }));
    }

    fn tell(&self, notice: &Notice) -> Vec<Said> {
        posts(&self.state, "chat", "C1", notice, false)
    }

    fn edits(&self) -> (Vec<Said>, bool) {
        edits(&self.state, &|_| self.here, INC, self.now)
    }
}

fn notice(key: &str) -> Notice {
    fixture::notice(INC.0, key, Urgency::Warning)
}

fn card(said: &Said) -> Card {
    said.notice.card.as_deref().cloned().unwrap_or_default()
}

fn place(message: &str) -> Option<Place> {
    Some(Place { channel: "C1".into(), message: message.into() })
}

#[test]
fn an_incident_has_one_message_in_a_channel_and_it_is_changed_when_things_change() {
    let mut desk = Desk::new();
    let first = desk.tell(&notice("INC-3-rung-0-secops"));
    assert_eq!((first.len(), card(&first[0]).of.as_str()), (1, "INC-3"));
    assert_eq!(first[0].notice.to, ["C1"]);
    assert!(first[0].notice.body.contains("nobody has taken it yet"), "{}", first[0].notice.body);
    let effect = desk.intend(&first[0]);
    // The same again while the first is on its way: an answer, not a second message about the incident.
    assert_eq!(card(&desk.tell(&notice("INC-3-rung-1-netops"))[0]).of, "");
    assert_eq!(desk.edits(), (vec![], true), "on its way: later");
    desk.settle(effect, Ok("C1 1.1"));
    desk.now = desk.now.plus(EDIT_EVERY);
    assert_eq!(desk.edits(), (vec![], false), "it shows what is so");

    desk.put(Event::Acknowledged(ByPerson { incident: INC, by: "jon".into(), text: String::new() }));
    assert!(desk.state.agenda.cards.contains(&INC));
    let (changed, wait) = desk.edits();
    assert_eq!((changed.len(), wait), (1, false));
    assert_eq!(card(&changed[0]), Card { of: "INC-3".into(), at: place("1.1"), ..Card::default() });
    assert!(changed[0].notice.subject.contains("taken by jon"));
    let effect = desk.intend(&changed[0]);
    desk.put(Event::Resolved(ByPerson { incident: INC, by: "jon".into(), text: "clean".into() }));
    assert_eq!(desk.edits(), (vec![], true), "one change at a time");
    desk.settle(effect, Ok("C1 1.1"));
    assert_eq!(desk.edits(), (vec![], true), "and not more often than every 5 s");
    desk.now = desk.now.plus(EDIT_EVERY);
    let (last, _) = desk.edits();
    assert!(last[0].notice.closes && last[0].notice.subject.contains("resolved"));
    let effect = desk.intend(&last[0]);
    desk.settle(effect, Ok("C1 1.1"));
    assert!(desk.state.posts.is_empty(), "what is over is not kept");
}

#[test]
fn a_later_rung_answers_loudly_in_the_thread_and_other_channels_have_their_own() {
    let mut desk = Desk::new();
    let first = desk.tell(&notice("INC-3-rung-0-secops"));
    let effect = desk.intend(&first[0]);
    desk.settle(effect, Ok("C1 1.1"));
    let second = desk.tell(&notice("INC-3-rung-1-secops"));
    assert_eq!(card(&second[0]), Card { under: place("1.1"), loud: true, ..Card::default() });
    let elsewhere = posts(&desk.state, "chat", "C2", &notice("INC-3-rung-1-secops"), false);
    assert_eq!(card(&elsewhere[0]).of, "INC-3");
}

#[test]
fn a_message_that_was_given_up_is_posted_anew() {
    let mut desk = Desk::new();
    let first = desk.tell(&notice("INC-3-rung-0-secops"));
    let effect = desk.intend(&first[0]);
    desk.settle(effect, Err(()));
    assert!(desk.state.posts.is_empty());
    assert_eq!(card(&desk.tell(&notice("INC-3-rung-1-secops"))[0]).of, "INC-3");
}

#[test]
fn a_receipt_that_names_no_message_leaves_nothing_to_change() {
    let mut desk = Desk::new();
    let first = desk.tell(&notice("INC-3-rung-0-secops"));
    let effect = desk.intend(&first[0]);
    desk.settle(effect, Ok("replayed: nobody was told"));
    assert!(desk.state.posts.is_empty());
}

#[test]
fn a_question_is_posted_loudly_once_and_stays_as_it_is_while_it_is_open() {
    let mut desk = Desk::new();
    let ask = Some(Ask { approval: ApprovalId(1), digest: "ab".repeat(32) });
    let asking = Notice { ask, urgency: Urgency::Critical, ..notice("APR-1-asked-secops") };
    let said = desk.tell(&asking);
    assert_eq!(card(&said[0]), Card { of: "APR-1".into(), loud: true, ..Card::default() });
    assert_eq!(said[0].notice.ask, asking.ask);
    let effect = desk.intend(&said[0]);
    let twice = Notice { key: "APR-1-asked-netops".into(), ..asking.clone() };
    assert_eq!(desk.tell(&twice), [], "two teams in one channel read it once");
    desk.settle(effect, Ok("C1 2.1"));
    assert_eq!(desk.tell(&twice), []);
    assert_eq!(desk.edits(), (vec![], false));
}

#[test]
fn the_first_word_about_a_change_has_its_own_message_and_trouble_with_it_is_said_anew() {
    let mut desk = Desk::new();
    let about = Some(ActionId(4));
    let noc = |n: &Notice, desk: &Desk| posts(&desk.state, "chat", "C1", n, true);
    let first = noc(&Notice { about, urgency: Urgency::Information, ..notice("ACT-4-announced") }, &desk);
    assert_eq!(card(&first[0]).of, "ACT-4");
    let effect = desk.intend(&first[0]);
    desk.settle(effect, Ok("C1 3.1"));
    let done = noc(&Notice { about, urgency: Urgency::Information, ..notice("ACT-4-noc") }, &desk);
    assert_eq!(card(&done[0]), Card { of: "ACT-4".into(), at: place("3.1"), ..Card::default() }, "in place");
    let effect = desk.intend(&done[0]);
    desk.settle(effect, Ok("C1 3.1"));
    let stuck = noc(&Notice { about, ..notice("ACT-4-stuck-3") }, &desk);
    assert_eq!(card(&stuck[0]), Card { under: place("3.1"), loud: true, ..Card::default() });
    let over = noc(&Notice { about, closes: true, ..notice("ACT-4-lifted") }, &desk);
    assert_eq!(over, [], "its message will show it");
    // Where no message is known, the end is said in one of its own that is never changed.
    let elsewhere =
        posts(&desk.state, "chat", "C9", &Notice { about, closes: true, ..notice("ACT-4-lifted") }, true);
    assert_eq!((elsewhere.len(), card(&elsewhere[0]).of.as_str()), (1, ""));
}

#[test]
fn a_notifier_that_is_gone_from_the_configuration_is_not_waited_for() {
    let mut desk = Desk::new();
    let first = desk.tell(&notice("INC-3-rung-0-secops"));
    desk.intend(&first[0]);
    desk.here = false;
    assert_eq!(desk.edits(), (vec![], false));
}

#[test]
fn the_number_of_alerts_alone_changes_no_message() {
    let mut desk = Desk::new();
    let before = shown(&desk.state, "INC-3").map(|s| s.key);
    let i = desk.state.incidents.get_mut(&INC).expect("the incident");
    i.totals.rules.insert("another".into(), 0);
    assert_eq!(shown(&desk.state, "INC-3").map(|s| s.key), before);
    let i = desk.state.incidents.get_mut(&INC).expect("the incident");
    i.totals.severity = Severity::Critical;
    assert_ne!(shown(&desk.state, "INC-3").map(|s| s.key), before, "but its severity does");
}

#[test]
fn the_name_of_a_change_in_a_button_is_its_own_and_does_not_depend_on_what_was_there_before() {
    let action = |id: u64, target: &str, ttl| stanch_model::Action {
        id: ActionId(id),
        incident: INC,
        responder: "fw".into(),
        kind: ActionKind::BlockAddress { target: target.parse().expect("a network") },
        ttl,
        before: None,
    };
    let one = action(4, "203.0.113.9/32", Span::hours(1));
    let names: BTreeSet<String> = [
        undo_name(&one),
        undo_name(&action(5, "203.0.113.9/32", Span::hours(1))),
        undo_name(&action(4, "203.0.113.8/32", Span::hours(1))),
    ]
    .into();
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|n| n.len() == 64 && n.bytes().all(|b| b.is_ascii_hexdigit())));
    let later = stanch_model::Action { before: Some("x".into()), ttl: Span::hours(9), ..one.clone() };
    assert_eq!(undo_name(&one), undo_name(&later));
    assert_eq!(shown(&State::default(), "nonsense"), None);
}
