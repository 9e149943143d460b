//! Past incidents like this one, and what was done about them.
//!
//! Two kinds of likeness: words (kind, title, rules, techniques; BM25, so that rare words count more)
//! and entities (the same address, host or account; the rarer, the more). Both are worth half. Pure,
//! and bounded: the oldest incidents go when there are too many. Never says what to do: it says what
//! people did, how often, and how it ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// What is kept of an incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number, as people know it.
    pub id: String,
    /// What kind it is.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Names of the rules of its alerts.
    pub rules: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Addresses, hosts, accounts, each with its site where that matters: `north/10.0.0.5`.
    pub entities: Vec<String>,
    /// How it ended, in one word of the user's choice: `true_positive`, `false_positive`, a closure code.
    /// Empty while it is open.
    pub outcome: String,
    /// What was changed, and whether it held.
    pub actions: Vec<Taken>,
}

/// Something that was done about an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Taken {
    /// What, without its target: `block_address`.
    pub action: String,
    /// True when it did what it should and nobody undid it early.
    pub held: bool,
}

/// A past incident like the one asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Alike {
    /// Which.
    pub id: String,
    /// How much alike, 0 to 1.
    pub likeness: f64,
    /// How it ended; empty while it is open.
    pub outcome: String,
    /// What both share, in words.
    pub because: String,
}

/// What was done before, counted over incidents alike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before {
    /// The incidents, the likest first.
    pub alike: Vec<Alike>,
    /// How they ended: outcome and how many, the commonest first.
    pub outcomes: Vec<(String, u32)>,
    /// What was done: action, how often, and how often it held; the commonest first.
    pub actions: Vec<(String, u32, u32)>,
}

/// Past incidents, ready to be asked.
#[derive(Clone, Debug)]
pub struct History {
    most: usize,
    all: VecDeque<Entry>,
    /// The number of the first entry: numbers only grow.
    first: u64,
    words: BTreeMap<String, BTreeMap<u64, u32>>,
    entities: BTreeMap<String, BTreeSet<u64>>,
    length: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    summary: Summary,
    length: u32,
}

/// How strongly a word's repetition counts, and how much long texts are held back.
/// Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// What stands in more than this share of all incidents tells nothing apart.
const COMMON: f64 = 0.5;
/// Words and entities of one incident beyond these are not looked at.
const MOST_PARTS: usize = 256;

impl History {
    /// An empty history of at most `most` incidents.
    #[must_use]
    pub fn new(most: usize) -> History {
        History {
            most: most.max(1),
            all: VecDeque::new(),
            first: 0,
            words: BTreeMap::new(),
            entities: BTreeMap::new(),
            length: 0,
        }
    }

    /// How many incidents it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds an incident; the oldest goes when there are too many.
    pub fn add(&mut self, summary: Summary) {
        let number = self.first + self.all.len() as u64;
        let words = words(&summary);
        let length: u32 = words.values().sum();
        for (word, many) in words {
            self.words.entry(word).or_default().insert(number, many);
        }
        for entity in summary.entities.iter().take(MOST_PARTS) {
            self.entities.entry(entity.to_lowercase()).or_default().insert(number);
        }
        self.length += u64::from(length);
        self.all.push_back(Entry { summary, length });
        if self.all.len() > self.most {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(gone) = self.all.pop_front() else { return };
        let number = self.first;
        self.first += 1;
        self.length -= u64::from(gone.length);
        for word in words(&gone.summary).into_keys() {
            if let Some(at) = self.words.get_mut(&word) {
                at.remove(&number);
                if at.is_empty() {
                    self.words.remove(&word);
                }
            }
        }
        for entity in gone.summary.entities.iter().take(MOST_PARTS).map(|e| e.to_lowercase()) {
            if let Some(at) = self.entities.get_mut(&entity) {
                at.remove(&number);
                if at.is_empty() {
                    self.entities.remove(&entity);
                }
            }
        }
    }

    /// The `most` incidents most like this one, itself left out, and what came of them.
    #[must_use]
    pub fn like(&self, of: &Summary, most: usize) -> Before {
        let (by_words, shared_words) = self.by_words(of);
        let (by_entities, shared_entities) = self.by_entities(of);
        let top = |scores: &BTreeMap<u64, f64>| scores.values().copied().fold(0.0, f64::max);
        // Likeness is measured against the incident itself: what it would score if it met its copy.
        let (words_whole, entities_whole) =
            (self.whole_words(of).max(top(&by_words)), self.whole_entities(of));
        let share = |score: Option<&f64>, whole: f64| {
            score.map_or(0.0, |s| if whole > 0.0 { (s / whole).min(1.0) } else { 0.0 })
        };
        let numbers: BTreeSet<u64> = by_words.keys().chain(by_entities.keys()).copied().collect();
        let mut scored: Vec<(f64, u64)> = numbers
            .into_iter()
            .map(|n| {
                (
                    0.5 * share(by_words.get(&n), words_whole)
                        + 0.5 * share(by_entities.get(&n), entities_whole),
                    n,
                )
            })
            .collect();
        // Of equals, the latest first.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        let mut before = Before::default();
        let (mut outcomes, mut actions) =
            (BTreeMap::<String, u32>::new(), BTreeMap::<String, (u32, u32)>::new());
        for (likeness, number) in scored {
            let Some(entry) = self.entry(number).filter(|e| e.summary.id != of.id) else { continue };
            if before.alike.len() >= most {
                break;
            }
            let s = &entry.summary;
            if !s.outcome.is_empty() {
                *outcomes.entry(s.outcome.clone()).or_default() += 1;
            }
            for taken in s.actions.iter().collect::<BTreeSet<_>>() {
                let (all, held) = actions.entry(taken.action.clone()).or_default();
                *all += 1;
                *held += u32::from(taken.held);
            }
            let because = because(shared_entities.get(&number), shared_words.get(&number));
            before.alike.push(Alike { id: s.id.clone(), likeness, outcome: s.outcome.clone(), because });
        }
        before.outcomes = outcomes.into_iter().collect();
        before.outcomes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        before.actions = actions.into_iter().map(|(a, (all, held))| (a, all, held)).collect();
        before.actions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        before
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.all.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// How telling it is that something stands in `in_many` of all incidents; 0 when it is everywhere.
    fn telling(&self, in_many: usize) -> f64 {
        let (all, many) = (self.all.len() as f64, in_many as f64);
        if many > all * COMMON && self.all.len() > 10 {
            return 0.0;
        }
        (1.0 + (all - many + 0.5) / (many + 0.5)).ln()
    }

    fn by_words(&self, of: &Summary) -> (BTreeMap<u64, f64>, BTreeMap<u64, Vec<String>>) {
        let (mut scores, mut shared) =
            (BTreeMap::<u64, f64>::new(), BTreeMap::<u64, Vec<(f64, String)>>::new());
        let mean = self.length as f64 / self.all.len().max(1) as f64;
        for word in words(of).into_keys() {
            let Some(at) = self.words.get(&word) else { continue };
            let telling = self.telling(at.len());
            if telling <= 0.0 {
                continue;
            }
            for (number, many) in at {
                let length = self.entry(*number).map_or(mean, |e| f64::from(e.length));
                let many = f64::from(*many);
                let score =
                    telling * many * (K1 + 1.0) / (many + K1 * (1.0 - B + B * length / mean.max(1.0)));
                *scores.entry(*number).or_default() += score;
                shared.entry(*number).or_default().push((telling, word.clone()));
            }
        }
        (scores, shared.into_iter().map(|(n, words)| (n, strongest(words))).collect())
    }

    fn by_entities(&self, of: &Summary) -> (BTreeMap<u64, f64>, BTreeMap<u64, Vec<String>>) {
        let (mut scores, mut shared) =
            (BTreeMap::<u64, f64>::new(), BTreeMap::<u64, Vec<(f64, String)>>::new());
        let own: BTreeSet<String> = of.entities.iter().take(MOST_PARTS).map(|e| e.to_lowercase()).collect();
        for entity in own {
            let Some(at) = self.entities.get(&entity) else { continue };
            let telling = self.telling(at.len());
            for number in at.iter().filter(|_| telling > 0.0) {
                *scores.entry(*number).or_default() += telling;
                shared.entry(*number).or_default().push((telling, entity.clone()));
            }
        }
        (scores, shared.into_iter().map(|(n, all)| (n, strongest(all))).collect())
    }

    fn whole_words(&self, of: &Summary) -> f64 {
        words(of).keys().filter_map(|w| self.words.get(w)).map(|at| self.telling(at.len())).sum()
    }

    fn whole_entities(&self, of: &Summary) -> f64 {
        let own: BTreeSet<String> = of.entities.iter().take(MOST_PARTS).map(|e| e.to_lowercase()).collect();
        // An entity never seen before tells incidents apart as well as any.
        own.iter().map(|e| self.telling(self.entities.get(e).map_or(1, BTreeSet::len))).sum()
    }
}

fn strongest(mut all: Vec<(f64, String)>) -> Vec<String> {
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all.into_iter().take(3).map(|(_, text)| text).collect()
}

fn because(entities: Option<&Vec<String>>, words: Option<&Vec<String>>) -> String {
    let entities = entities.filter(|e| !e.is_empty()).map(|e| format!("the same {}", e.join(", ")));
    let words = words.filter(|w| !w.is_empty()).map(|w| format!("both speak of {}", w.join(", ")));
    [entities, words].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The words of an incident and how often each stands there. Rules and techniques are words as a whole
/// as well.
fn words(of: &Summary) -> BTreeMap<String, u32> {
    let mut all = BTreeMap::new();
    let texts = [&of.kind, &of.title].into_iter().chain(&of.rules);
    let split = texts.flat_map(|t| t.split(|c: char| !c.is_alphanumeric())).filter(|w| w.chars().count() > 1);
    let whole = of.rules.iter().chain(&of.techniques).cloned();
    for word in split.map(str::to_owned).chain(whole).take(MOST_PARTS) {
        *all.entry(word.to_lowercase()).or_default() += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn incident(
        id: &str,
        title: &str,
        rules: &[&str],
        entities: &[&str],
        outcome: &str,
        actions: &[(&str, bool)],
    ) -> Summary {
        let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
        Summary {
            id: id.into(),
            kind: "c2".into(),
            title: title.into(),
            rules: texts(rules),
            techniques: vec![],
            entities: texts(entities),
            outcome: outcome.into(),
            actions: actions.iter().map(|(a, held)| Taken { action: (*a).into(), held: *held }).collect(),
        }
    }

    fn history() -> History {
        let mut h = History::new(100);
        h.add(incident(
            "1",
            "Beacon to a strange host",
            &["cobalt beacon"],
            &["10.0.0.5", "203.0.113.9"],
            "true_positive",
            &[("block_address", true)],
        ));
        h.add(incident("2", "Backup failed", &["job missing"], &["10.0.0.7"], "false_positive", &[]));
        h.add(incident(
            "3",
            "Beacon seen again",
            &["cobalt beacon"],
            &["10.0.0.8"],
            "true_positive",
            &[("block_address", false), ("isolate_host", true)],
        ));
        for i in 4..20 {
            h.add(incident(
                &i.to_string(),
                "Port scan",
                &["portscan"],
                &[&format!("198.51.100.{i}")],
                "benign",
                &[],
            ));
        }
        h
    }

    #[test]
    fn words_and_entities_find_what_is_alike_and_what_was_done_is_counted() {
        let asked = incident("9000", "Beacon at night", &["cobalt beacon"], &["203.0.113.9"], "", &[]);
        let before = history().like(&asked, 2);
        assert_eq!(before.alike.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        assert!(before.alike[0].likeness > before.alike[1].likeness && before.alike[0].likeness <= 1.0);
        assert_eq!(
            before.alike[0].because,
            "the same 203.0.113.9; both speak of beacon, cobalt, cobalt beacon"
        );
        assert_eq!(before.outcomes, [("true_positive".to_owned(), 2)]);
        assert_eq!(before.actions, [("block_address".to_owned(), 2, 1), ("isolate_host".to_owned(), 1, 1)]);
    }

    #[test]
    fn an_incident_is_not_like_itself_and_nothing_shared_is_nothing_alike() {
        let h = history();
        let own = incident("1", "Beacon to a strange host", &["cobalt beacon"], &["203.0.113.9"], "", &[]);
        assert!(h.like(&own, 5).alike.iter().all(|a| a.id != "1"));
        let mut stranger = incident("x", "Zebra", &[], &["fd00::1"], "", &[]);
        stranger.kind = "other".into();
        assert_eq!(h.like(&stranger, 5), Before::default());
        assert_eq!(History::new(5).like(&stranger, 5), Before::default());
    }

    proptest! {
        /// However much comes in, memory is that of the latest; what was forgotten is never named.
        #[test]
        fn the_oldest_go_and_leave_nothing_behind(titles in prop::collection::vec("[a-d]{2}( [a-d]{2}){0,3}", 1..60)) {
            let mut h = History::new(10);
            for (i, t) in titles.iter().enumerate() {
                h.add(incident(&i.to_string(), t, &[t.as_str()], &[t.as_str()], "x", &[]));
            }
            let kept = titles.len().min(10);
            prop_assert_eq!(h.len(), kept);
            prop_assert!(h.entities.len() <= kept && h.entities.values().map(BTreeSet::len).sum::<usize>() == kept);
            let mut fresh = History::new(10);
            for (i, t) in titles.iter().enumerate().skip(titles.len() - kept) {
                fresh.add(incident(&i.to_string(), t, &[t.as_str()], &[t.as_str()], "x", &[]));
            }
            let asked = incident("asked", &titles[0], &[], &[titles[0].as_str()], "", &[]);
            prop_assert_eq!(h.like(&asked, 20), fresh.like(&asked, 20));
            prop_assert!(h.like(&asked, 20).alike.iter().all(|a| (0.0..=1.0).contains(&a.likeness)));
        }
    }
}
