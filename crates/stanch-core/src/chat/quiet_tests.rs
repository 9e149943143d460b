use std::collections::BTreeSet;

use proptest::prelude::*;
use stanch_model::{ActionId, ApprovalId, Ask, EffectId};

use super::*;
use crate::chat::{ChatBudget, Step, fixture, steps};
use crate::journal::event::{ByPerson, Event, IncidentOpened};

fn berlin(from: (i8, i8), to: (i8, i8)) -> Quiet {
    let zone = TimeZone::get("Europe/Berlin").expect("built in");
    Quiet { from: Time::constant(from.0, from.1, 0, 0), to: Time::constant(to.0, to.1, 0, 0), zone }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

/// The quiet hours around a moment, as text.
fn around(quiet: &Quiet, now: &str) -> String {
    quiet.around(at(now)).map_or("told".into(), |(begin, end)| format!("{begin} to {end}"))
}

#[test]
fn quiet_hours_go_over_midnight_by_the_clocks_of_their_zone() {
    let night = berlin((22, 0), (6, 0));
    let whole = "2026-01-12T21:00:00.000Z to 2026-01-13T05:00:00.000Z";
    assert_eq!(around(&night, "2026-01-12T20:59:59.999Z"), "told");
    assert_eq!(around(&night, "2026-01-12T21:00:00Z"), whole);
    assert_eq!(around(&night, "2026-01-13T04:59:59.999Z"), whole);
    assert_eq!(around(&night, "2026-01-13T05:00:00Z"), "told");
    let noon = berlin((12, 0), (13, 0));
    assert_eq!(around(&noon, "2026-07-01T10:30:00Z"), "2026-07-01T10:00:00.000Z to 2026-07-01T11:00:00.000Z");
    assert_eq!(around(&noon, "2026-07-01T11:30:00Z"), "told");
}

/// Clocks in Berlin: on 29 March 2026 02:00 is followed by 03:00, on 25 October 2026 03:00 by 02:00.
#[test]
fn a_change_of_clocks_makes_a_night_an_hour_shorter_or_longer_and_begins_none_again() {
    let night = berlin((22, 0), (6, 0));
    assert_eq!(
        around(&night, "2026-03-29T01:00:00Z"),
        "2026-03-28T21:00:00.000Z to 2026-03-29T04:00:00.000Z"
    );
    assert_eq!(
        around(&night, "2026-10-25T01:00:00Z"),
        "2026-10-24T20:00:00.000Z to 2026-10-25T05:00:00.000Z"
    );
    // 02:30 is left out in spring: they end at 03:30, an hour after 01:30 and a half.
    let spring = berlin((22, 0), (2, 30));
    assert_eq!(
        around(&spring, "2026-03-29T01:29:59Z"),
        "2026-03-28T21:00:00.000Z to 2026-03-29T01:30:00.000Z"
    );
    assert_eq!(around(&spring, "2026-03-29T01:30:00Z"), "told");
    // 02:30 comes twice in autumn: they end at the first, and do not begin again.
    assert_eq!(
        around(&spring, "2026-10-25T00:29:59Z"),
        "2026-10-24T20:00:00.000Z to 2026-10-25T00:30:00.000Z"
    );
    for later in
        ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:29:59Z", "2026-10-25T01:31:00Z"]
    {
        assert_eq!(around(&spring, later), "told", "{later}");
    }
    // And the next evening as ever.
    assert_eq!(
        around(&night, "2026-10-25T22:00:00Z"),
        "2026-10-25T21:00:00.000Z to 2026-10-26T05:00:00.000Z"
    );
}

#[test]
fn a_digest_is_due_after_its_time_never_in_quiet_hours_and_always_after_them() {
    let (evening, night, morning) =
        (at("2026-01-12T20:00:00Z"), at("2026-01-12T23:00:00Z"), at("2026-01-13T05:00:00Z"));
    let quiet = ChannelRules { quiet: Some(berlin((22, 0), (6, 0))), digest: None };
    assert_eq!((quiet.waits(evening), quiet.waits(night), quiet.waits(morning)), (false, true, false));
    assert_eq!((quiet.due(night, night), quiet.due(night, morning)), (false, true));
    let both = ChannelRules { digest: Some(Span::hours(12)), ..quiet };
    assert!(both.waits(evening) && both.waits(night));
    assert!(!both.due(evening, evening.plus(Span::hours(11))));
    assert!(both.due(evening, evening.plus(Span::hours(12))));
    assert!(both.due(night, morning), "the night is over: its digest comes in the morning");
    let often = ChannelRules { quiet: None, digest: Some(Span::hours(1)) };
    assert_eq!(
        (often.due(night, night.plus(Span::mins(59))), often.due(night, night.plus(Span::hours(1)))),
        (false, true)
    );
    assert!(ChannelRules::default().due(night, night), "rules that are gone keep nothing back");
}

/// A channel with rules, everything that became of it, and the journal it can be folded from again.
struct Channel {
    state: State,
    rules: ChannelRules,
    now: Timestamp,
    journal: Vec<(Timestamp, Event)>,
    told: Vec<Said>,
}

impl Channel {
    fn new(rules: ChannelRules) -> Channel {
        let now = at("2026-01-12T12:00:00Z");
        Channel { state: State::default(), rules, now, journal: Vec::new(), told: Vec::new() }
    }

    fn put(&mut self, event: Event) {
        self.state.apply(self.state.seq + 1, self.now, &event);
        self.state.seq += 1;
        self.journal.push((self.now, event));
    }

    /// The process ends, and begins again with what is in the journal.
    fn restart(&mut self) {
        self.state = State::default();
        for (n, (at, event)) in (1u64..).zip(&self.journal) {
            self.state.apply(n, *at, event);
            self.state.seq = n;
        }
    }

    fn say(&mut self, said: Said) {
        for event in fixture::taken(&said, EffectId(self.state.next.effect)) {
            self.put(event);
        }
        self.told.push(said);
    }

    /// A notice comes; true when it was told at once.
    fn notice(&mut self, notice: &Notice, noc: bool) -> bool {
        let (incident, site) = (notice.incident, "hq".to_owned());
        if !self.state.incidents.contains_key(&incident) {
            self.put(Event::IncidentOpened(IncidentOpened { incident, site, because: Vec::new() }));
        }
        // A budget without end: what is held here is held for the digest.
        let budget = ChatBudget { per_10_minutes: 10_000, per_hour: 10_000, storm: 10_000, critical: 10_000 };
        let mut said = false;
        for step in steps(&self.state, ("chat", budget, &self.rules), "C1", (notice, noc), self.now) {
            match step {
                Step::Say(s) => {
                    self.say(*s);
                    said = true;
                }
                Step::Hold(withheld) => {
                    assert!(withheld.digest);
                    self.put(Event::Withheld(withheld));
                }
            }
        }
        said
    }

    fn pass(&mut self, span: Span) {
        self.now = self.now.plus(span);
        let rules = self.rules.clone();
        for said in digests(&self.state, &|_, _| Some(rules.clone()), self.now) {
            self.say(said);
        }
    }

    fn digests(&self) -> Vec<&Notice> {
        self.told.iter().map(|s| &s.notice).filter(|n| n.key.starts_with("digest-")).collect()
    }

    fn rise(&mut self, n: u64) {
        let i = self.state.incidents.get_mut(&IncidentId(n)).expect("the incident");
        i.totals.severity = Severity::Critical;
    }
}

fn opens(n: u64, urgency: Urgency) -> Notice {
    fixture::notice(n, &format!("INC-{n}-rung-0-secops"), urgency)
}

fn good(n: u64) -> Notice {
    let news = fixture::notice(n, &format!("RUN-{n}-1"), Urgency::Information);
    Notice { subject: format!("news {n}"), ..news }
}

fn asks(n: u64) -> Notice {
    let ask = Some(Ask { approval: ApprovalId(n), digest: "ab".repeat(32) });
    Notice { ask, ..fixture::notice(n, &format!("APR-{n}-asked-secops"), Urgency::Warning) }
}

fn hourly() -> ChannelRules {
    ChannelRules { quiet: None, digest: Some(Span::hours(1)) }
}

#[test]
fn what_waits_comes_as_one_digest_also_after_a_restart_and_what_needs_a_person_comes_at_once() {
    let mut c = Channel::new(hourly());
    for n in 1..=12 {
        assert!(!c.notice(&opens(n, Urgency::Warning), false), "{n}");
    }
    assert!(!c.notice(&good(3), false) && !c.notice(&good(4), false));
    assert!(c.notice(&opens(20, Urgency::Critical), false) && c.notice(&asks(1), false));
    let noc = Notice { about: Some(ActionId(1)), ..fixture::notice(1, "ACT-1-noc", Urgency::Information) };
    assert!(c.notice(&noc, true));
    c.put(Event::Acknowledged(ByPerson { incident: IncidentId(2), by: "jon".into(), text: String::new() }));
    c.restart();
    c.pass(Span::mins(59));
    assert!(c.digests().is_empty());
    c.pass(Span::mins(1));
    let all = c.digests();
    assert_eq!(all.len(), 1);
    assert!(
        all[0].subject.starts_with("Digest: 12 incidents (11 not taken) and 2 other messages since "),
        "{}",
        all[0].subject
    );
    let body = &all[0].body;
    assert!(
        body.contains("INC-1 ") && body.contains("taken by jon") && body.contains("and 2 more\n"),
        "{body}"
    );
    assert!(body.contains("news 3\nnews 4\n"), "{body}");
    c.restart();
    c.pass(Span::hours(5));
    assert_eq!(c.digests().len(), 1, "told once");
    assert!(c.state.posts.waiting().next().is_none() && c.state.posts.storms().next().is_none());
}

#[test]
fn an_incident_that_becomes_critical_while_it_waits_is_told_then_and_not_once_more() {
    let mut c = Channel::new(hourly());
    c.notice(&opens(1, Urgency::Warning), false);
    c.notice(&opens(2, Urgency::Warning), false);
    c.rise(2);
    c.pass(Span::mins(1));
    assert_eq!(c.told.len(), 1);
    assert_eq!((c.told[0].notice.incident, c.told[0].notice.urgency), (IncidentId(2), Urgency::Critical));
    c.pass(Span::mins(1));
    assert_eq!(c.told.len(), 1);
    c.pass(Span::hours(1));
    assert!(
        c.digests()[0].subject.starts_with("Digest: 1 incident (1 not taken) since "),
        "{}",
        c.digests()[0].subject
    );
}

#[test]
fn a_channel_whose_notifier_is_gone_keeps_what_waits_until_it_is_back() {
    let mut c = Channel::new(hourly());
    c.notice(&opens(1, Urgency::Warning), false);
    assert_eq!(digests(&c.state, &|_, _| None, c.now.plus(Span::hours(9))), []);
    assert_eq!(
        digests(&c.state, &|_, _| Some(ChannelRules::default()), c.now).len(),
        1,
        "without rules: at once"
    );
}

#[derive(Clone, Debug)]
enum Move {
    Opens(bool),
    Good,
    Asks,
    Rises(u64),
    Restart,
    Pass(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => any::<bool>().prop_map(Move::Opens),
        2 => Just(Move::Good),
        1 => Just(Move::Asks),
        1 => (1u64..20).prop_map(Move::Rises),
        1 => Just(Move::Restart),
        4 => (1i64..400).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 1..80)
}

proptest! {
    /// Whatever happens, at whatever hour: every incident and every word is told once, by itself or in a digest;
    /// what is critical and what is asked at once; and in quiet hours nothing else.
    #[test]
    fn nothing_that_waits_is_lost_or_told_twice(all in moves(), nightly in any::<bool>(), every in prop_oneof![Just(None), (5i64..900).prop_map(Some)]) {
        let quiet = nightly.then(|| berlin((22, 0), (6, 0)));
        let rules = ChannelRules { quiet: quiet.clone(), digest: every.map(Span::mins) };
        let mut c = Channel::new(rules);
        let (mut n, mut words, mut opened) = (0u64, 0usize, BTreeSet::new());
        for one in all {
            n += 1;
            match one {
                Move::Opens(critical) => {
                    let urgency = if critical { Urgency::Critical } else { Urgency::Warning };
                    let at_once = c.notice(&opens(n, urgency), false);
                    prop_assert!(at_once || !critical);
                    opened.insert(n);
                }
                Move::Good => {
                    c.notice(&good(n), false);
                    words += 1;
                }
                Move::Asks => prop_assert!(c.notice(&asks(n), false)),
                Move::Rises(n) => if opened.contains(&n) { c.rise(n) },
                // Severity is not in this journal: what rose before has been told, or falls back.
                Move::Restart => c.restart(),
                Move::Pass(minutes) => {
                    let before = c.digests().len();
                    c.pass(Span::mins(minutes));
                    let silent = quiet.as_ref().is_some_and(|q| q.around(c.now).is_some());
                    prop_assert!(!silent || c.digests().len() == before);
                }
            }
        }
        // A night and a day later nothing waits.
        for _ in 0..4 {
            c.pass(Span::hours(12));
        }
        prop_assert!(c.state.posts.waiting().next().is_none());
        let cards = c.told.iter().filter(|s| s.notice.card.as_ref().is_some_and(|k| k.of == s.notice.incident.to_string()));
        let own: BTreeSet<u64> = cards.map(|s| s.notice.incident.0).collect();
        let held: Vec<u64> = c.journal.iter().filter_map(|(_, e)| match e {
            Event::Withheld(w) if w.subject.is_empty() => Some(w.incident.0),
            _ => None,
        }).collect();
        for n in &opened {
            prop_assert!(own.contains(n) || held.contains(n), "INC-{} was forgotten", n);
        }
        let count = |n: &&Notice| {
            let said = n.subject.strip_prefix("Digest: ").and_then(|s| s.split(' ').next()?.parse::<usize>().ok());
            let more = n.subject.split(" and ").nth(1).and_then(|s| s.split(' ').next()?.parse::<usize>().ok());
            (said.unwrap_or(0), more.unwrap_or(0))
        };
        let (incidents, others) = c.digests().iter().map(count).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let at_once = c.told.iter().filter(|s| s.notice.key.starts_with("RUN-")).count();
        prop_assert_eq!(others + at_once, words, "every other word");
        let alone = held.iter().filter(|n| !own.contains(n)).count();
        prop_assert_eq!(incidents, alone, "every incident that waited and never got its own message, once");
    }
}
