//! Broken playbooks and what is said about them, as one transcript: `broken.txt`.
//!
//! Each case is a title behind `##`, a playbook, and behind `>>>` every mistake as people see it.
//! A case that does not say so gets `name`, `summary`, `when` and `sop` at its end; one whose title
//! ends with `(whole)` stands as it is.

use std::fmt::Write as _;

use super::load::load;
use super::verify::{Around, verify};
use crate::config::Mistake;

const TRANSCRIPT: &str = include_str!("broken.txt");

/// Keys every playbook needs, added where a case is about something else.
const HEAD: &[(&str, &str)] = &[
    ("name:", "name: p\n"),
    ("summary:", "summary: s\n"),
    ("when:", "when: incident.kind == \"c2\"\n"),
    ("sop:", "sop: s\n"),
];

pub(super) struct Case {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) said: String,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut said = false;
    for line in TRANSCRIPT.lines().skip_while(|l| !l.starts_with("## ")) {
        if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case { title: title.to_owned(), text: String::new(), said: String::new() });
            said = false;
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if line == ">>>" {
            said = true;
        } else if said {
            let _ = writeln!(case.said, "{line}");
        } else {
            let _ = writeln!(case.text, "{line}");
        }
    }
    for case in &mut cases {
        case.said.truncate(case.said.trim_end().len());
        if !case.title.ends_with("(whole)") {
            for (key, line) in HEAD {
                let triggered = *key == "when:" && case.text.lines().any(|l| l.starts_with("on:"));
                if !triggered && !case.text.lines().any(|l| l.starts_with(key)) {
                    case.text.push_str(line);
                }
            }
        }
    }
    cases
}

/// Everything that is said about one playbook.
fn judged(text: &str) -> Vec<Mistake> {
    match load("p", "p.yaml", text) {
        Ok(playbook) => verify(&playbook, "p.yaml", Around::default()),
        Err(mistakes) => mistakes,
    }
}

#[test]
fn every_broken_playbook_is_refused_in_the_words_a_person_needs() {
    let mut transcript =
        TRANSCRIPT.lines().take_while(|l| !l.starts_with("## ")).fold(String::new(), |t, l| t + l + "\n");
    let mut wrong = Vec::new();
    for case in cases() {
        let said = judged(&case.text).iter().map(Mistake::render).collect::<Vec<_>>().join("\n");
        if said != case.said {
            wrong.push(case.title.clone());
        }
        let body =
            TRANSCRIPT.split(&format!("## {}\n", case.title)).nth(1).and_then(|t| t.split("\n>>>").next());
        let _ = write!(transcript, "## {}\n{}\n>>>\n{said}\n\n", case.title, body.unwrap_or_default());
    }
    // To look at what is said now: STANCH_SHOW=1, and compare before believing it.
    if std::env::var_os("STANCH_SHOW").is_some() {
        eprintln!("{transcript}");
    }
    assert!(wrong.is_empty(), "said otherwise: {wrong:#?}");
}

#[test]
fn there_are_at_least_sixty_of_them_and_each_says_something() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    assert!(cases.iter().all(|c| !c.said.is_empty()));
}
