use proptest::prelude::*;
use stanch_model::{ApprovalId, Ask, EffectId, Span};

use super::budget::{CALM, SHORT};
use super::fixture::{notice, taken};
use super::*;
use crate::journal::event::{Event, IncidentOpened};
use crate::journal::posts::STORM;

/// A channel and what reached it.
struct Channel {
    state: State,
    now: Timestamp,
    /// Everything that was sent, with the time.
    told: Vec<(Timestamp, Said)>,
    held: u64,
}

impl Channel {
    fn new() -> Channel {
        Channel { state: State::default(), now: Timestamp(1_000_000), told: Vec::new(), held: 0 }
    }

    fn put(&mut self, event: Event) {
        let seq = self.state.seq + 1;
        self.state.apply(seq, self.now, &event);
    }

    /// Sends, and the chat takes it at once.
    fn say(&mut self, said: Said) {
        for event in taken(&said, EffectId(self.state.next.effect)) {
            self.put(event);
        }
        self.told.push((self.now, said));
    }

    /// A notice comes; true when it was told. Its incident is there, as it always is.
    fn notice(&mut self, notice: &Notice, noc: bool) -> bool {
        if !self.state.incidents.contains_key(&notice.incident) {
            let (incident, site) = (notice.incident, "hq".to_owned());
            self.put(Event::IncidentOpened(IncidentOpened { incident, site, because: Vec::new() }));
        }
        let budget = ChatBudget::default();
        let steps =
            steps(&self.state, ("chat", budget, &ChannelRules::default()), "C1", (notice, noc), self.now);
        assert!(steps.len() <= 1, "{steps:?}");
        let mut said = false;
        for step in steps {
            match step {
                Step::Say(s) => {
                    self.say(*s);
                    said = true;
                }
                Step::Hold(withheld) => {
                    self.put(Event::Withheld(withheld));
                    self.held += 1;
                }
            }
        }
        said
    }

    /// Time passes, a minute at a time.
    fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.now = self.now.plus(Span::mins(1));
            self.tick();
        }
    }

    fn tick(&mut self) {
        for said in storms(&self.state, &|_| true, self.now) {
            self.say(said);
        }
    }

    fn about_storms(&self) -> Vec<&Notice> {
        let of = |s: &&(Timestamp, Said)| s.1.notice.key.starts_with(STORM);
        self.told.iter().filter(of).map(|(_, s)| &s.notice).collect()
    }

    /// New messages, not changes of those that are there.
    fn posted(&self) -> impl Iterator<Item = &(Timestamp, Said)> {
        self.told.iter().filter(|(_, s)| s.notice.card.as_ref().is_none_or(|c| c.at.is_none()))
    }
}

fn opens(n: u64) -> Notice {
    notice(n, &format!("INC-{n}-rung-0-secops"), Urgency::Warning)
}

fn burns(n: u64) -> Notice {
    notice(n, &format!("INC-{n}-rung-0-secops"), Urgency::Critical)
}

fn asks(n: u64) -> Notice {
    let ask = Some(Ask { approval: ApprovalId(n), digest: "ab".repeat(32) });
    Notice { ask, ..notice(n, &format!("APR-{n}-asked-secops"), Urgency::Critical) }
}

#[test]
fn a_storm_is_one_message_that_is_changed_every_minute_and_closed_by_one_last_word() {
    let mut c = Channel::new();
    let told = (1..=43).filter(|n| c.notice(&opens(*n), false)).count();
    assert_eq!((told, c.held), (6, 37), "six in ten minutes, and then the storm");
    c.tick();
    let first = c.about_storms()[0].clone();
    assert!(first.subject.contains("37 incidents"), "{}", first.subject);
    c.tick();
    assert_eq!(c.about_storms().len(), 1, "one message, not one a tick");
    assert!(!c.notice(&opens(44), false));
    c.pass(1);
    let second = c.about_storms()[1].clone();
    assert!(second.card.as_ref().is_some_and(|c| c.at.is_some()) && second.subject.contains("38"));
    c.pass(5);
    assert_eq!(c.about_storms().len(), 2, "nothing new, nothing said");
    assert!(c.notice(&asks(9), false), "a question in the middle of it");
    c.pass(30);
    let all = c.about_storms();
    assert_eq!(all.len(), 4, "one last word, and the message is closed");
    assert!(all[2].subject.contains("is over") && !all[2].closes && all[3].closes);
    assert!(c.state.posts.storms().next().is_none());
    assert!(c.notice(&opens(45), false), "and incidents are told again");
}

#[test]
fn a_channel_with_room_has_no_storm_and_an_hour_has_its_own_limit() {
    let mut c = Channel::new();
    for n in 1..=30 {
        assert!(c.notice(&opens(n), false), "{n}");
        c.pass(2);
    }
    assert!(c.about_storms().is_empty());
    assert!(c.notice(&opens(31), false), "the first ones are an hour old");
    // One every 100 s: six in ten minutes have room, and thirty an hour.
    let mut c = Channel::new();
    for n in 1..=31 {
        assert_eq!(c.notice(&opens(n), false), n <= 30, "{n}");
        c.now = c.now.plus(Span::secs(100));
    }
}

#[test]
fn many_incidents_make_a_storm_even_where_messages_have_room() {
    let budget = ChatBudget { per_10_minutes: 1_000, per_hour: 1_000, ..ChatBudget::default() };
    let mut chatter = budget::Chatter::default();
    let (incident, other) = ((Urgency::Warning, true), (Urgency::Warning, false));
    for n in 0..12 {
        assert!(budget::has_room(&chatter, budget, Timestamp(n), incident), "{n}");
        chatter.said(Timestamp(n), incident);
    }
    assert!(!budget::has_room(&chatter, budget, Timestamp(20), incident));
    assert!(budget::has_room(&chatter, budget, Timestamp(20), other), "other messages still have room");
    assert!(budget::has_room(&chatter, budget, Timestamp(0).plus(SHORT).plus(Span::secs(1)), incident));
}

#[test]
fn a_storm_that_nobody_could_be_told_of_is_told_when_it_is_over() {
    let mut c = Channel::new();
    assert_eq!((1..=8).filter(|n| c.notice(&opens(*n), false)).count(), 6);
    c.now = c.now.plus(CALM);
    c.tick();
    let all = c.about_storms();
    assert!(all.len() == 1 && all[0].closes && all[0].subject.contains("is over"));
    c.tick();
    assert_eq!(c.about_storms().len(), 1);
}

#[test]
fn what_is_critical_is_told_in_a_storm_up_to_ten_an_hour_and_counted_after_that() {
    let mut c = Channel::new();
    assert_eq!((1..=20).filter(|n| c.notice(&opens(*n), false)).count(), 6);
    assert_eq!((21..=40).filter(|n| c.notice(&burns(*n), false)).count(), 10);
    c.tick();
    assert!(c.about_storms()[0].subject.contains("24 incidents"), "{}", c.about_storms()[0].subject);
    c.pass(9);
    assert!(!c.notice(&burns(41), false), "the storm goes on, and ten of them were told in this hour");
    c.pass(52);
    assert!(c.notice(&burns(42), false));
}

#[derive(Clone, Debug)]
enum Move {
    Burns,
    Opens,
    Asks,
    Reminds,
    Noc,
    Good,
    Pass(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => Just(Move::Burns),
        6 => Just(Move::Opens),
        1 => Just(Move::Asks),
        1 => Just(Move::Reminds),
        1 => Just(Move::Noc),
        2 => Just(Move::Good),
        3 => (0i64..7).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 1..200)
}

proptest! {
    /// Whatever happens: what needs a person is told, nothing is lost uncounted, and no ten minutes and no
    /// hour hold more than they may.
    #[test]
    fn what_needs_a_person_is_never_withheld_and_everything_withheld_is_counted(all in moves()) {
        let mut c = Channel::new();
        let (mut n, mut told_of_storms) = (0, 0u64);
        for one in all {
            n += 1;
            match one {
                Move::Burns => {
                    c.notice(&burns(n), false);
                }
                Move::Opens => {
                    c.notice(&opens(n), false);
                }
                Move::Asks => prop_assert!(c.notice(&asks(n), false)),
                Move::Reminds => {
                    let reminder = notice(n, &format!("APR-{n}-reminded-secops"), Urgency::Critical);
                    prop_assert!(c.notice(&reminder, false));
                }
                Move::Noc => {
                    let about = Some(ActionId(n));
                    let noc = Notice { about, ..notice(n, &format!("ACT-{n}-noc"), Urgency::Information) };
                    prop_assert!(c.notice(&noc, true));
                }
                Move::Good => {
                    c.notice(&notice(n, &format!("RUN-{n}-1"), Urgency::Information), false);
                }
                Move::Pass(minutes) => c.pass(minutes),
            }
            c.tick();
            if let Some((.., storm)) = c.state.posts.storms().next() {
                told_of_storms = told_of_storms.max(storm.messages);
                prop_assert!(storm.messages <= c.held);
            } else {
                told_of_storms = 0;
            }
        }
        let budget = ChatBudget::default();
        let counted: Vec<(Timestamp, bool)> = c
            .posted()
            .filter(|(_, s)| !s.notice.key.starts_with(STORM) && budget::counts(&s.notice, s.noc))
            .map(|(at, s)| (*at, s.notice.urgency == Urgency::Critical))
            .collect();
        for (from, _) in &counted {
            let within = |span: Span, critical: bool| {
                counted.iter().filter(|(at, c)| *c == critical && *at >= *from && at.since(*from) < span).count()
            };
            prop_assert!(within(SHORT, false) <= budget.per_10_minutes as usize);
            prop_assert!(within(Span::hours(1), false) <= budget.per_hour as usize);
            let most = (budget.critical + budget.per_hour) as usize;
            prop_assert!(within(Span::hours(1), true) <= most);
        }
        // Calm comes back, and with it the last word.
        c.pass(12);
        prop_assert!(c.state.posts.storms().next().is_none());
        let closed = c.about_storms().iter().filter(|n| n.closes).count();
        prop_assert_eq!(closed > 0, c.held > 0);
    }
}
