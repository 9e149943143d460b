//! Which tactic the words of a name are used for in the descriptions of ATT&CK.
//!
//! `attack_words.txt` is counted from the names and descriptions of all techniques: how much more
//! often a word is used for techniques of one tactic than for all. The notice that ATT&CK's terms
//! ask for stands in that file. A test counts it anew and compares.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::Action;

/// Tactics in a fixed order, folded as [`Action::of_tactic`] folds them.
const TACTICS: [&str; 11] = [
    "discovery",
    "initial-access",
    "credential-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "lateral-movement",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// For each word, what it adds to each tactic it speaks for: natural logarithms.
type Counted = BTreeMap<String, Vec<(usize, f64)>>;

/// The tactic a name speaks for, its share among all, and the words that say so. Nothing when no
/// word is known.
pub(super) fn tactic(name: &str) -> Option<(Action, f64, Vec<String>)> {
    let mut scores = [0.0_f64; TACTICS.len()];
    let mut said: Vec<(usize, f64, String)> = Vec::new();
    let mut words = stems(name);
    words.sort();
    words.dedup_by(|a, b| a.0 == b.0);
    for (stem, word) in words {
        for (tactic, score) in counted().get(&stem).into_iter().flatten() {
            if let Some(s) = scores.get_mut(*tactic) {
                *s += score;
            }
            said.push((*tactic, *score, word.clone()));
        }
    }
    if said.is_empty() {
        return None;
    }
    let sum: f64 = scores.iter().map(|s| s.exp()).sum();
    let (best, score) = scores.iter().enumerate().reduce(|a, b| if *b.1 > *a.1 { b } else { a })?;
    said.retain(|s| s.0 == best);
    said.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.2.cmp(&b.2)));
    let because = said.iter().take(3).map(|s| format!("\"{}\" as ATT&CK uses it", s.2)).collect();
    Some((Action::of_tactic(TACTICS.get(best)?)?, score.exp() / sum, because))
}

fn counted() -> &'static Counted {
    static COUNTED: OnceLock<Counted> = OnceLock::new();
    COUNTED.get_or_init(|| read(include_str!("attack_words.txt")))
}

fn read(text: &str) -> Counted {
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    let entry = |line: &str| {
        let mut parts = line.split(' ');
        let word = parts.next().filter(|w| !w.is_empty())?.to_owned();
        let score = |part: &str| {
            let (tactic, tenths) = part.split_once(':')?;
            Some((tactic.parse().ok()?, tenths.parse::<f64>().ok()? / 10.0))
        };
        Some((word, parts.filter_map(score).collect()))
    };
    lines.filter_map(entry).collect()
}

/// Words that carry no meaning of their own, in names or in descriptions.
const EMPTY: &str = " a an and or the to of in on for by with from as at is are be may this that their such \
    which can it use used using also not other adversaries adversary via into has have been will they these \
    system systems within example include including more ";

/// The words of a text: how they are counted, and how they were written.
fn stems(text: &str) -> Vec<(String, String)> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let telling = |w: &&str| {
        w.len() > 1 && !w.bytes().all(|b| b.is_ascii_digit()) && !EMPTY.contains(&format!(" {w} "))
    };
    words.filter(telling).map(|w| (stem(w).to_owned(), w.to_owned())).collect()
}

fn stem(word: &str) -> &str {
    let endings = ["ations", "ation", "ings", "ing", "ed", "es", "s"];
    let cut = |e: &&str| word.strip_suffix(*e).filter(|rest| rest.len() >= 4);
    endings.iter().find_map(cut).unwrap_or(word)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const HEAD: &str = "\
# How much more often a word is used for ATT&CK techniques of one tactic than for all of them:
# the stem of a word, then tactic:tenths of a natural logarithm. Counted, not written.
# Counted from ATT&CK enterprise 18.1. (c) The MITRE Corporation. This work is reproduced and
# distributed with the permission of The MITRE Corporation. MITRE ATT&CK is a registered trademark
# of The MITRE Corporation. Licence: royalty-free use with this notice, see attack.mitre.org.
";

    /// Words of a name count three times those of a description.
    fn count(techniques: &serde_json::Value) -> String {
        let mut of: BTreeMap<String, [f64; TACTICS.len()]> = BTreeMap::new();
        let mut documents: BTreeMap<String, u32> = BTreeMap::new();
        for technique in techniques.as_array().expect("a list") {
            let text = |key: &str| technique[key].as_str().unwrap_or_default().to_owned();
            let named = technique["tactics"].as_array().expect("tactics");
            let folded = named.iter().filter_map(|t| t.as_str()).filter(|t| *t != "resource-development");
            let folded = folded.filter_map(Action::of_tactic).map(|a| match a.tactic() {
                "reconnaissance" => "discovery",
                other => other,
            });
            let mut tactics: Vec<usize> =
                folded.filter_map(|t| TACTICS.iter().position(|x| *x == t)).collect();
            tactics.sort_unstable();
            tactics.dedup();
            let mut words: BTreeMap<String, f64> = BTreeMap::new();
            for (text, weight) in [(text("name"), 3.0), (uncited(&text("description")), 1.0)] {
                let mut twice: BTreeMap<String, u32> = BTreeMap::new();
                for (stem, _) in stems(&text) {
                    let seen = twice.entry(stem.clone()).or_default();
                    *seen += 1;
                    if *seen <= 2 {
                        *words.entry(stem).or_default() += weight;
                    }
                }
            }
            for (word, many) in words {
                *documents.entry(word.clone()).or_default() += 1;
                let row = of.entry(word).or_default();
                tactics.iter().for_each(|t| row[*t] += many / tactics.len() as f64);
            }
        }
        let mut all = [0.0; TACTICS.len()];
        of.values().for_each(|row| row.iter().zip(&mut all).for_each(|(n, a)| *a += n));
        let everything: f64 = all.iter().sum();
        let mut lines = HEAD.to_owned();
        for (word, row) in of.iter().filter(|(w, _)| documents[*w] >= 4) {
            let share = row.iter().sum::<f64>() / everything;
            // 200 words of the usual kind are added, so that rare words say little.
            let told = |(n, a): (&f64, &f64)| ((n + 200.0 * share) / (a + 200.0) / share).ln() * 10.0;
            let scores: Vec<f64> = row.iter().zip(&all).map(told).map(f64::round).collect();
            let strong: Vec<String> = scores
                .iter()
                .enumerate()
                .filter(|(_, s)| **s >= 4.0)
                .map(|(t, s)| format!("{t}:{s}"))
                .collect();
            if !strong.is_empty() && scores.iter().any(|s| *s >= 6.0) {
                lines.push_str(&format!("{word} {}\n", strong.join(" ")));
            }
        }
        lines
    }

    fn uncited(text: &str) -> String {
        let mut parts = text.split("(Citation:");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| all + part.split_once(')').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn the_words_are_counted_from_the_descriptions_of_attack() {
        let Some(folder) = crate::stage_of::tests::shared("attack") else { return };
        let text = std::fs::read_to_string(folder.join("techniques.json")).expect("techniques");
        let counted = count(&serde_json::from_str(&text).expect("JSON"));
        let at = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stage_of/attack_words.txt");
        if std::env::var_os("STANCH_REGENERATE").is_some() {
            std::fs::write(at, &counted).expect("written");
        }
        assert!(counted == include_str!("attack_words.txt"), "run with STANCH_REGENERATE=1, twice");
    }

    #[test]
    fn words_speak_for_the_tactic_they_are_used_for() {
        let of = |name: &str| tactic(name).map(|(a, _, _)| a);
        assert_eq!(of("Clipboard contents staged and compressed"), Some(Action::Exfiltration));
        assert_eq!(of("Kerberos tickets of a domain controller"), Some(Action::CredentialAccess));
        assert_eq!(of("zzz qqq"), None);
    }
}
