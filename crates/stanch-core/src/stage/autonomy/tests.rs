//! Synthetic streams of verdicts, and what they earn.

use stanch_model::{IncidentId, Span, Timestamp};

use super::close::{closable, kept};
use super::*;
use crate::journal::event::{Event, IncidentOpened};
use crate::journal::opinion::{Judged, Opinion};

fn policy() -> Budget {
    Budget::of(Automatic::Close, 0.02)
}

/// So many judged incidents at this confidence, of them so many that mattered.
fn state(groups: &[(u64, u64, u16)]) -> State {
    let mut s = State::default();
    let mut id = 0;
    for (n, real, confidence) in groups {
        for k in 0..*n {
            id += 1;
            let opinion = if k < *real { Opinion::True } else { Opinion::False };
            let j = Judged { incident: IncidentId(id), opinion, ..Judged::default() };
            s.opinions.confidence.insert(IncidentId(id), *confidence);
            s.opinions.incidents.insert(IncidentId(id), (Timestamp(0), j, Default::default()));
        }
    }
    s
}

#[test]
fn leave_is_earned_by_the_bound_and_not_by_the_share_seen() {
    let few = standing(&state(&[(20, 0, 620)]), Automatic::Close, Some(&policy()));
    assert!(!few.allowed && few.threshold.is_none() && few.bound > 0.02, "{few:?}");
    assert!(few.because[1].contains("not earned; 297 such incidents"), "{:?}", few.because);
    let many = standing(&state(&[(400, 0, 620), (50, 45, 950)]), Automatic::Close, Some(&policy()));
    assert_eq!((many.allowed, many.threshold, many.beyond, many.errors), (true, Some(0.65), 400, 0));
    let one_wrong = standing(&state(&[(400, 4, 620)]), Automatic::Close, Some(&policy()));
    assert!(!one_wrong.allowed, "{one_wrong:?}");
}

#[test]
fn it_is_off_unless_the_owner_writes_a_budget_and_the_curve_is_shown_all_the_same() {
    let off = standing(&state(&[(400, 0, 620)]), Automatic::Close, None);
    assert!(!off.allowed && off.because[0].starts_with("switched off"), "{off:?}");
    let curve = curve(&state(&[(400, 0, 620)]));
    assert_eq!(curve.len(), 1);
    assert_eq!((curve[0].judged, curve[0].mattered), (400, 0));
    assert!(closable(&state(&[(400, 0, 620)]), None, Timestamp(0)).is_empty());
}

#[test]
fn an_incident_is_closed_only_after_its_wait_and_one_in_ten_is_left_to_people() {
    let mut s = state(&[(400, 0, 620)]);
    for id in [1_001, 1_010] {
        let opened = IncidentOpened { incident: IncidentId(id), site: "hq".into(), because: Vec::new() };
        s.apply(1, Timestamp(0), &Event::IncidentOpened(opened));
    }
    assert!(closable(&s, Some(&policy()), Timestamp(0)).is_empty());
    let later = Timestamp(0).plus(Span::hours(1));
    let closed = closable(&s, Some(&policy()), later);
    assert_eq!(closed.iter().map(|c| c.0).collect::<Vec<_>>(), [IncidentId(1_001)]);
    assert!(closed[0].1.contains("of 400 judged incidents"), "{closed:?}");
    let kept = kept(&s, &s.incidents[&IncidentId(1_010)], &policy(), later);
    assert_eq!(kept.as_deref(), Some("one in 10 is left to people, so that the figures stay true"));
}

#[test]
fn drift_takes_the_leave_back_and_says_so() {
    let mut s = state(&[(400, 0, 620)]);
    for n in 0..30 {
        s.health.drift.verdict(Timestamp(n), IncidentId(n as u64), 900, false);
    }
    let now = standing(&s, Automatic::Close, Some(&policy()));
    assert!(!now.allowed && now.threshold.is_some());
    assert!(now.because.last().is_some_and(|w| w.starts_with("taken back for now: Confidence is not kept")));
}

/// A stream of `n` judged incidents of which those that are `c` sure matter with probability `truth(c)`.
fn stream(seed: u64, n: u64, truth: impl Fn(f64) -> f64) -> State {
    let mut at = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        at ^= at << 13;
        at ^= at >> 7;
        at ^= at << 17;
        (at >> 11) as f64 / (1_u64 << 53) as f64
    };
    let groups: Vec<(u64, u64, u16)> = (0..n)
        .map(|_| {
            let c = next();
            (1, u64::from(next() < truth(c)), thousandths(c))
        })
        .collect();
    state(&groups)
}

fn budgets(close: f64, page: f64, reversible: f64, costly: f64) -> Budgets {
    Budgets {
        close: Some(Budget::of(Automatic::Close, close)),
        page: Some(Budget::of(Automatic::Page, page)),
        contain_reversible: Some(Budget::of(Automatic::ContainReversible, reversible)),
        contain_costly: Some(Budget::of(Automatic::ContainCostly, costly)),
        ..Budgets::default()
    }
}

#[test]
fn on_one_calibrated_stream_each_kind_of_decision_gets_the_threshold_its_mistakes_allow() {
    // Half as likely to be wrong as it says, at both ends: what a good score looks like.
    let s = stream(7, 6_000, |c| if c < 0.5 { c / 2.0 } else { 1.0 - (1.0 - c) / 2.0 });
    let all = standings(&s, &budgets(0.1, 0.25, 0.15, 0.05));
    let heights: Vec<f64> = all.iter().map(|s| s.threshold.expect("there is one")).collect();
    let [close, page, reversible, costly] = heights[..] else { panic!("{all:?}") };
    assert!(close < page && page < reversible && reversible < costly, "{heights:?}");
    for one in &all {
        assert!(one.allowed && one.bound <= one.budget.expect("a budget"), "{one:?}");
        assert!((one.errors as f64) < one.budget.expect("a budget") * one.beyond as f64, "{one:?}");
        assert!(one.because[0].contains(&format!("of {} judged incidents", one.beyond)), "{one:?}");
    }
}

#[test]
fn a_score_that_promises_more_than_it_keeps_earns_nothing_for_what_it_is_sure_of() {
    let s = stream(7, 6_000, |c| c / 2.0);
    let all = standings(&s, &budgets(0.1, 0.25, 0.15, 0.05));
    let earned: Vec<Automatic> = all.iter().filter(|s| s.allowed).map(|s| s.what).collect();
    assert_eq!(earned, [Automatic::Close], "what is held for noise is noise, and the rest is not kept");
    assert!(all[3].because[1].contains("such incidents without one that did not matter"), "{all:?}");
    // And the other way round: attacks among what is called noise.
    let s = stream(7, 6_000, |c| 0.5 + c / 2.0);
    let all = standings(&s, &budgets(0.1, 0.25, 0.15, 0.05));
    assert!(!all[0].allowed && all[1].allowed, "{all:?}");
}

#[test]
fn a_threshold_that_is_earned_keeps_its_promise_in_nearly_all_histories() {
    let truth = |c: f64| c * c;
    // The true share of wrong ones from a height on, where confidence is even between 0 and 1.
    let wrong_from = |t: f64| 1.0 - (1.0 - t * t * t) / 3.0 / (1.0 - t);
    let wrong_up_to = |t: f64| t * t / 3.0;
    let (mut earned, mut broken) = (0, 0);
    for seed in 1..=300 {
        for s in standings(&stream(seed, 400, truth), &budgets(0.05, 0.5, 0.3, 0.2)) {
            let (Some(t), Some(budget)) = (s.threshold, s.budget) else { continue };
            let wrong = if s.what.is_for_noise() { wrong_up_to(t) } else { wrong_from(t) };
            earned += 1;
            broken += u32::from(wrong > budget);
        }
    }
    assert!(earned > 400, "{earned} were earned: the test says something");
    assert!(f64::from(broken) <= 0.05 * f64::from(earned), "{broken} of {earned} promises broken");
}

#[test]
fn a_threshold_reaches_no_further_than_what_was_judged() {
    let s = state(&[(400, 400, 812)]);
    let one = standing(&s, Automatic::ContainCostly, Some(&Budget::of(Automatic::ContainCostly, 0.05)));
    assert_eq!((one.allowed, one.threshold, one.beyond), (true, Some(0.8), 400));
}

#[test]
fn leave_is_given_beyond_the_threshold_only_and_never_without_evidence_or_under_drift() {
    let b = budgets(0.02, 0.5, 0.1, 0.02);
    let mut s = state(&[(400, 400, 812), (40, 20, 500)]);
    let costly = |s: &State, sure: f64| leave(s, &b, Automatic::ContainCostly, sure);
    let given =
        |l: &Leave| matches!(l, Leave::Given(why) if why.contains("of 400 judged incidents from 80 %"));
    assert!(given(&costly(&s, 0.8)) && given(&costly(&s, 1.0)), "{:?}", costly(&s, 0.8));
    let below = costly(&s, 0.799);
    let why = "contain_costly is earned from 80 % on, and this is 79.9 % sure: of 400 judged";
    assert!(matches!(&below, Leave::Withheld(words) if words.starts_with(why)), "{below:?}");
    assert_eq!(leave(&s, &Budgets::default(), Automatic::ContainCostly, 1.0), Leave::Unmeasured);
    let nothing = costly(&State::default(), 1.0);
    assert!(
        matches!(&nothing, Leave::Withheld(why) if why.contains("is not earned: of 0 judged")),
        "{nothing:?}"
    );
    for n in 0..30 {
        s.health.drift.verdict(Timestamp(n), IncidentId(n as u64), 900, false);
    }
    let drifted = costly(&s, 1.0);
    assert!(matches!(&drifted, Leave::Withheld(why) if why.contains("taken back for now")), "{drifted:?}");
}
