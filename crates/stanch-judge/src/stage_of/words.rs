//! The vocabulary of rule names, and what a name says in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Action, CATEGORY, Signature};

/// Words of a name beyond these say nothing more.
const MOST_WORDS: usize = 64;

/// Phrases by their first word: most words of a name begin none, and are passed over at once.
type Vocabulary = BTreeMap<String, Vec<Phrase>>;

/// Words that speak for an action.
#[derive(Debug)]
struct Phrase {
    words: Vec<String>,
    action: Action,
    weight: f64,
}

/// What the words of one rule say.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    scores: BTreeMap<Action, f64>,
    said: Vec<(String, Action, f64)>,
}

impl Evidence {
    /// The share of each action that something speaks for; they add up to 1, or there are none.
    pub(super) fn shares(&self) -> Vec<(Action, f64)> {
        let grown: Vec<(Action, f64)> = self.scores.iter().map(|(a, s)| (*a, s.exp_m1())).collect();
        let all: f64 = grown.iter().map(|(_, s)| s).sum();
        if all <= 0.0 {
            return Vec::new();
        }
        grown.into_iter().map(|(a, s)| (a, s / all)).collect()
    }

    /// The phrases that speak for an action, strongest first.
    pub(super) fn because(&self, action: Action) -> Vec<String> {
        let mut own: Vec<&(String, Action, f64)> = self.said.iter().filter(|s| s.1 == action).collect();
        own.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        own.dedup_by(|a, b| a.0 == b.0);
        own.into_iter().take(3).map(|s| format!("\"{}\"", s.0)).collect()
    }

    fn add(&mut self, phrase: &str, action: Action, weight: f64) {
        *self.scores.entry(action).or_default() += weight;
        self.said.push((phrase.to_owned(), action, weight));
    }
}

/// What name, category and references say.
pub(super) fn evidence(of: &Signature<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    seek(of.name, 1.0, &mut evidence);
    seek(of.category.unwrap_or_default(), CATEGORY, &mut evidence);
    for reference in of.references {
        if is_cve(reference) {
            evidence.add("a CVE number", Action::RemoteServiceExploit, 1.0);
            evidence.add("a CVE number", Action::PublicAppExploit, 1.0);
        } else {
            // The path of a page often names the thing; its host does not.
            let path = reference.split_once("://").map_or(*reference, |(_, r)| r);
            seek(path.split_once('/').map_or("", |(_, p)| p), 0.5, &mut evidence);
        }
    }
    evidence
}

fn is_cve(reference: &str) -> bool {
    let lower = reference.to_ascii_lowercase();
    let digits =
        |t: &str| t.trim_start_matches([',', '-', ' ', ':']).starts_with(|c: char| c.is_ascii_digit());
    lower.strip_prefix("cve").is_some_and(digits)
        || lower.contains("/cve-")
        || lower.contains("cve.mitre.org")
}

fn seek(text: &str, weight: f64, into: &mut Evidence) {
    let words = words(text);
    for (from, word) in words.iter().enumerate() {
        for phrase in vocabulary().get(word).into_iter().flatten() {
            if words.get(from..).is_some_and(|rest| rest.starts_with(&phrase.words)) {
                into.add(&phrase.words.join(" "), phrase.action, phrase.weight * weight);
            }
        }
    }
}

/// The words of a text in lower case, plurals made singular.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let all = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    all.take(MOST_WORDS).map(singular).collect()
}

fn singular(word: &str) -> String {
    let plain = word.len() > 4 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    let stem = if plain { word.strip_suffix('s') } else { None };
    stem.unwrap_or(word).to_owned()
}

fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    VOCABULARY.get_or_init(|| read(include_str!("words.txt")).0)
}

/// Reads the vocabulary; the second part lists what could not be read, which a test forbids.
fn read(text: &str) -> (Vocabulary, Vec<String>) {
    let (mut all, mut bad) = (Vocabulary::new(), Vec::new());
    let mut action = None;
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            action = Action::named(name);
            if action.is_none() {
                bad.push(line.to_owned());
            }
            continue;
        }
        for part in line.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let read = part.rsplit_once(' ').and_then(|(p, w)| Some((words(p), w.parse().ok()?)));
            match (action, read) {
                (Some(action), Some((words, weight))) if !words.is_empty() => {
                    let first = words.first().cloned().unwrap_or_default();
                    all.entry(first).or_default().push(Phrase { words, action, weight });
                }
                _ => bad.push(part.to_owned()),
            }
        }
    }
    (all, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_sound_and_every_action_is_spoken_for() {
        let (all, bad) = read(include_str!("words.txt"));
        assert_eq!(bad, Vec::<String>::new());
        let phrases = || all.values().flatten();
        assert!(phrases().count() > 600, "{}", phrases().count());
        for action in Action::all() {
            let many = phrases().filter(|p| p.action == action).count();
            assert!(many >= 5, "{}: {many}", action.name());
        }
        assert!(phrases().all(|p| p.weight > 0.0 && p.weight <= 3.0));
        // A list of rule names would be no vocabulary.
        assert!(phrases().filter(|p| p.words.len() > 3).count() < 40);
    }

    #[test]
    fn plurals_are_the_same_word_and_parts_of_words_are_not() {
        assert_eq!(words("Port Scans, DoS; access"), ["port", "scan", "dos", "access"]);
        assert!(evidence(&Signature { name: "scandinavian", ..Signature::default() }).shares().is_empty());
    }

    #[test]
    fn a_cve_number_speaks_for_an_exploit_and_a_host_name_for_nothing() {
        let of = |reference: &str| {
            let references = [reference];
            let signature = Signature { name: "x", category: None, references: &references };
            evidence(&signature).shares().first().map(|(a, _)| *a)
        };
        assert_eq!(of("cve,2021-44228"), Some(Action::PublicAppExploit));
        assert_eq!(of("https://exploit.example/"), None);
        assert_eq!(of("https://example.org/pages/ransomware"), Some(Action::Distortion));
    }
}
