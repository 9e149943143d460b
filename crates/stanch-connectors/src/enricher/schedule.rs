//! Asks all enrichers about all observables at once, and waits for none longer than it must.
//!
//! Every look-up runs as a task of its own, bounded by its enricher's deadline, so a caller that
//! goes away strands nobody and a dead enricher costs the others nothing. Equal look-ups share one
//! call; answers are kept for a while, failures for a shorter while. After several failures in a row
//! an enricher is left alone for a time. What is missing is always recorded, with the reason:
//! a partial result is shown as partial.

mod cache;
mod lane;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use stanch_model::port::{Enricher, Reference};
use stanch_model::{Fact, Failure, Observable, Span};
use tokio::time::Instant;

use lane::Lane;

/// More observables than this in one question are not looked up, and recorded as missing.
/// An alert has a handful; this bounds the fan-out of a hostile one.
pub const MAX_ABOUT: usize = 256;

/// What one enricher said about one observable.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The enricher's name.
    pub provider: String,
    /// What it was asked about.
    pub about: Observable,
    /// What it knows, or why the answer is missing.
    pub outcome: Result<Vec<Fact>, Failure>,
    /// From the question to this answer; about zero when it was remembered.
    pub took: Span,
}

/// Bounds of a [`Schedule`]. All apply to each enricher by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Look-ups under way at the same time; more wait, and their waiting counts. Default: 16.
    pub concurrency: usize,
    /// Answers remembered. Default: 10 000.
    pub remembered: usize,
    /// How long an answer is remembered. Default: 5 minutes.
    pub fresh: Span,
    /// How long a failure is remembered. Default: 10 seconds.
    pub fresh_failure: Span,
    /// Failures in a row after which the enricher is left alone. Default: 5.
    pub failures: u32,
    /// For how long it is then left alone, before one look-up may try again. Default: 30 seconds.
    pub cool_down: Span,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            concurrency: 16,
            remembered: 10_000,
            fresh: Span::mins(5),
            fresh_failure: Span::secs(10),
            failures: 5,
            cool_down: Span::secs(30),
        }
    }
}

/// How an enricher is doing, for screens and metrics. Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The enricher's name.
    pub provider: String,
    /// Look-ups that were really made.
    pub calls: u64,
    /// Questions answered from memory.
    pub remembered: u64,
    /// Questions that joined a look-up already under way.
    pub joined: u64,
    /// Look-ups that failed.
    pub failures: u64,
    /// Questions not asked because the enricher was left alone.
    pub skipped: u64,
    /// For how long it is still left alone, if it is.
    pub left_alone: Option<Span>,
}

/// The enrichers, and everything needed to ask them politely.
pub struct Schedule {
    lanes: Vec<Arc<Lane>>,
    overall: Span,
}

impl Schedule {
    /// Asks `enrichers` with the default [`Limits`]; no question takes longer than `overall`.
    #[must_use]
    pub fn new(enrichers: Vec<Arc<dyn Enricher>>, overall: Span) -> Schedule {
        Schedule::with_limits(enrichers, overall, Limits::default())
    }

    /// Asks `enrichers` within `limits`; no question takes longer than `overall`.
    #[must_use]
    pub fn with_limits(enrichers: Vec<Arc<dyn Enricher>>, overall: Span, limits: Limits) -> Schedule {
        let lanes = enrichers.into_iter().map(|e| Arc::new(Lane::new(e, limits))).collect();
        Schedule { lanes, overall }
    }

    /// All answers about all observables, in the order of the observables and then of the enrichers.
    /// Exactly one answer for each pair where the enricher knows the kind; equal observables are
    /// asked once. Needs a Tokio runtime with time.
    pub async fn look_up_all(&self, site: &str, about: &[Observable]) -> Vec<Answer> {
        let mut answers = Vec::new();
        self.look_up_each(site, about, |place, answer| answers.push((place, answer.clone()))).await;
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The same, but hands over each answer as it comes, so that a slow enricher delays no other
    /// answer. `each` gets the answer's place in the order of [`Schedule::look_up_all`].
    pub async fn look_up_each(&self, site: &str, about: &[Observable], mut each: impl FnMut(usize, &Answer)) {
        let start = Instant::now();
        let site: Arc<str> = Arc::from(site);
        let mut asked: Vec<&Observable> = Vec::new();
        let mut open: Vec<Option<(usize, String, Observable)>> = Vec::new();
        let mut under_way = FuturesUnordered::new();
        for observable in about {
            if asked.contains(&observable) {
                continue;
            }
            asked.push(observable);
            for lane in self.lanes.iter().filter(|l| l.knows(observable)) {
                let place = open.len();
                let (provider, about) = (lane.name().to_owned(), observable.clone());
                if asked.len() > MAX_ABOUT {
                    open.push(None);
                    let why = format!("more than {MAX_ABOUT} observables in one question");
                    let outcome = Err(Failure::permanent(why));
                    each(place, &Answer { provider, about, outcome, took: Span::ZERO });
                    continue;
                }
                open.push(Some((place, provider, about)));
                let (lane, site) = (lane.clone(), site.clone());
                let observable = observable.clone();
                under_way.push(async move { (place, lane.ask(site, observable).await) });
            }
        }
        let deadline = tokio::time::sleep(self.overall.to_std());
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                // An answer that is there at the deadline counts.
                biased;
                next = under_way.next() => {
                    let Some((place, outcome)) = next else { break };
                    if let Some((_, provider, about)) = open.get_mut(place).and_then(Option::take) {
                        each(place, &Answer { provider, about, outcome, took: span(start.elapsed()) });
                    }
                }
                () = &mut deadline => {
                    for (place, provider, about) in open.into_iter().flatten() {
                        let outcome = Err(Failure::Late { after: self.overall });
                        each(place, &Answer { provider, about, outcome, took: span(start.elapsed()) });
                    }
                    break;
                }
            }
        }
    }

    /// Forgets all answers, for example after a feed was reloaded. Look-ups under way go on, and
    /// are not remembered.
    pub fn forget(&self) {
        self.lanes.iter().for_each(|l| l.forget());
    }

    /// How each enricher is doing.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.lanes.iter().map(|l| l.health()).collect()
    }
}

/// Whole milliseconds; what is longer than 292 million years is that long.
fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// Makes an [`Enricher`] of any [`Reference`], so that both are asked in one way.
pub struct Local(pub Arc<dyn Reference>);

#[async_trait::async_trait]
impl Enricher for Local {
    fn name(&self) -> &str {
        self.0.name()
    }

    /// One second: far more than memory needs.
    fn deadline(&self) -> Span {
        Span::secs(1)
    }

    fn knows(&self, _about: &Observable) -> bool {
        true
    }

    async fn look_up(&self, site: &str, about: &Observable) -> Result<Vec<Fact>, Failure> {
        Ok(self.0.look_up(site, about))
    }
}

#[cfg(test)]
mod tests;
