//! The crash and lie matrix: seven points to be killed at, ten kinds of change, twenty seeds each, on
//! the way there and on the way back; and devices that time out after they did it, fail after they
//! did it, do half of it, or lie about it.
//!
//! What must come out of every play: the change took effect at most once, it is either in place, seen,
//! and later undone, or a person was told; nothing is repeated blindly; no law is broken.

mod firm;
mod play;

use stanch_connectors::responder::fake::{Fault, Verb};
use stanch_engine::Rules;
use stanch_model::{Failure, Span};

use firm::{KINDS, LASTING};
use play::{Came, KILLS, Play};

/// Plays of one point and one kind.
const SEEDS: u64 = 20;

/// What many plays came to.
#[derive(Debug, Default)]
struct Sum {
    plays: u32,
    struck: u32,
    made: u32,
    told: u32,
    unknown: u32,
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, what: &str, came: Came) {
        self.plays += 1;
        self.struck += u32::from(came.struck);
        self.made += u32::from(came.made);
        self.told += u32::from(!came.made && came.told);
        self.unknown += u32::from(came.unknown);
        self.wrong.extend(came.wrong.into_iter().map(|w| format!("{what}: {w}")));
    }

    fn join(mut self, other: Sum) -> Sum {
        self.plays += other.plays;
        self.struck += other.struck;
        self.made += other.made;
        self.told += other.told;
        self.unknown += other.unknown;
        self.wrong.extend(other.wrong);
        self
    }
}

/// Plays all kinds, on as many threads as there are.
fn over_kinds(of_one: impl Fn(&str, &Rules) -> Sum + Sync) -> Sum {
    let of_one = &of_one;
    std::thread::scope(|scope| {
        let halves = KINDS.chunks(KINDS.len() / 2).map(|half| {
            scope.spawn(move || {
                half.iter()
                    .map(|(kind, target)| of_one(kind, &firm::rules(kind, target)))
                    .fold(Sum::default(), Sum::join)
            })
        });
        let halves: Vec<_> = halves.collect();
        halves.into_iter().map(|h| h.join().unwrap()).fold(Sum::default(), Sum::join)
    })
}

#[test]
fn a_kill_at_any_of_seven_points_neither_doubles_nor_loses_a_change() {
    let sum = over_kinds(|kind, rules| {
        let mut sum = Sum::default();
        for kill in KILLS {
            for seed in 0..SEEDS {
                let verb = if seed % 2 == 0 || kind == LASTING { Verb::Perform } else { Verb::Revert };
                let came = Play::new(kind, rules, Some((kill, verb)), seed).go();
                if !came.struck {
                    sum.wrong.push(format!("{kind} {kill:?} {verb:?} {seed}: the kill did not strike"));
                }
                sum.add(&format!("{kind}, killed at {kill:?} of {verb:?}, seed {seed}"), came);
            }
        }
        sum
    });
    eprintln!(
        "crash matrix: {} plays, {} kills; {} changes made and undone once, {} handed to a person ({} unknown), {} wrong",
        sum.plays,
        sum.struck,
        sum.made,
        sum.told,
        sum.unknown,
        sum.wrong.len()
    );
    assert!(sum.wrong.is_empty(), "{}", sum.wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!(u64::from(sum.plays), KILLS.len() as u64 * KINDS.len() as u64 * SEEDS);
    assert!(sum.made > sum.plays / 2, "most kills lose nothing at all: {}", sum.made);
}

fn lies() -> Vec<Fault> {
    vec![
        Fault::TimeoutAfterApply,
        Fault::ErrorAfterApply,
        Fault::HalfApply,
        Fault::LieOnPerform,
        Fault::LieOnVerify,
        Fault::LieOnRevert,
        Fault::BlindVerify(Failure::transient("no answer")),
        Fault::ErrorBefore(Failure::unknown("500, and nothing was done")),
        Fault::ErrorBefore(Failure::transient("busy")),
        Fault::ErrorBefore(Failure::RateLimited { why: "429".into(), retry_after: Span::secs(5) }),
        Fault::ErrorBefore(Failure::permanent("no such table")),
        Fault::Duplicate,
    ]
}

#[test]
fn a_device_that_lies_ends_in_adopted_or_in_the_hands_of_a_person() {
    let lies = lies();
    let sum = over_kinds(|kind, rules| {
        let mut sum = Sum::default();
        for (n, lie) in lies.iter().enumerate() {
            for seed in 0..SEEDS {
                let play = Play::new(kind, rules, None, seed);
                play.lie(lie.clone());
                // Some lie again, or about something else.
                match seed % 4 {
                    1 => play.lie(lie.clone()),
                    2 => play.lie(lies[(n + seed as usize) % lies.len()].clone()),
                    _ => {}
                }
                sum.add(&format!("{kind}, {lie:?}, seed {seed}"), play.go());
            }
        }
        sum
    });
    eprintln!(
        "lie matrix: {} plays; {} changes adopted or made and undone once, {} handed to a person ({} unknown), {} wrong",
        sum.plays,
        sum.made,
        sum.told,
        sum.unknown,
        sum.wrong.len()
    );
    assert!(sum.wrong.is_empty(), "{}", sum.wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_device_nobody_can_read_after_a_lost_answer_is_unknown_and_a_person_is_told() {
    let sum = over_kinds(|kind, rules| {
        let mut sum = Sum::default();
        for seed in 0..SEEDS {
            let play = Play::new(kind, rules, None, seed);
            play.lie(Fault::TimeoutAfterApply);
            for _ in 0..5 {
                play.lie(Fault::BlindVerify(Failure::transient("no answer")));
            }
            let came = play.go();
            if !(came.unknown && came.told) {
                sum.wrong.push(format!("{kind}, seed {seed}: {came:?}"));
            }
            sum.add(kind, came);
        }
        sum
    });
    assert!(sum.wrong.is_empty(), "{}", sum.wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!(u64::from(sum.unknown), KINDS.len() as u64 * SEEDS);
}
