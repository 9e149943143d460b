//! Broken configurations and what is said about them, as one transcript: `broken.txt`.
//!
//! Each case is a title behind `##`, files behind `---` laid over a small sound folder, and behind
//! `>>>` every mistake and warning, as people see them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Config, Mistake, compile};

const TRANSCRIPT: &str = include_str!("broken.txt");

/// A small sound folder.
const SOUND: &[(&str, &str)] = &[
    (
        "connectors/all.yaml",
        "responders:\n- { name: edge-fw, type: simulated }\n\
         notifiers:\n- { name: log, type: log }\n\
         - { name: mail, type: smtp, host: mail.example.com, from: stanch@example.com }\n",
    ),
    (
        "policies/people.yaml",
        "teams:\n  secops: { notifier: log }\n  netops: { notifier: log }\n\
         people:\n  netops-lead: { token: { env: TOKEN }, teams: [netops], role: approver }\n",
    ),
    (
        "policies/routing.yaml",
        "route: { team: secops, escalation: normal }\n\
         escalations:\n  normal: { rules: [{ teams: [secops], wait: 5m }] }\n",
    ),
];

/// Compiles files laid over the sound folder.
fn laid_over(files: &[(String, String)]) -> Result<Config, Vec<Mistake>> {
    let sound = SOUND.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let over = files.iter().cloned();
    let all: BTreeMap<String, String> = sound.chain(over).collect();
    compile(&all.into_iter().collect::<Vec<_>>())
}

fn said(result: &Result<Config, Vec<Mistake>>) -> String {
    let all = match result {
        Ok(config) => &config.warnings,
        Err(all) => all,
    };
    all.iter().fold(String::new(), |mut text, m| {
        let _ = writeln!(text, "{}", m.render());
        text
    })
}

struct Case {
    title: String,
    files: Vec<(String, String)>,
    said: String,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut said = false;
    for line in TRANSCRIPT.lines().skip_while(|l| !l.starts_with("## ")) {
        if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case { title: title.to_owned(), files: Vec::new(), said: String::new() });
            said = false;
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(path) = line.strip_prefix("--- ") {
            case.files.push((path.to_owned(), String::new()));
        } else if line == ">>>" {
            said = true;
        } else if said {
            case.said.push_str(&format!("{line}\n"));
        } else if let Some((_, text)) = case.files.last_mut() {
            text.push_str(&format!("{line}\n"));
        }
    }
    for case in &mut cases {
        case.said.truncate(case.said.trim_end().len());
    }
    cases
}

#[test]
fn every_broken_configuration_is_told_where_and_how_to_mend_it() {
    let cases = cases();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let now = said(&laid_over(&case.files));
        if now.trim_end() != case.said || case.said.is_empty() {
            let _ = writeln!(wrong, "## {}\n{now}", case.title);
        }
    }
    assert!(wrong.is_empty(), "said now:\n{wrong}");
}

#[test]
fn every_mistake_has_a_place_and_help() {
    for case in cases() {
        let (Err(all) | Ok(Config { warnings: all, .. })) = laid_over(&case.files);
        for m in all {
            assert!(!m.help.is_empty(), "{}", m.render());
            assert!((m.line == 0) == (m.column == 0), "{}", m.render());
        }
    }
}

#[test]
fn the_sound_folder_has_neither_mistakes_nor_warnings() {
    assert_eq!(said(&laid_over(&[])), "");
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once_in_order() {
    let files = [
        ("stanch.yaml", "listn: x\nmax_body: 8\n"),
        ("sources/edge.yaml", "format: suricatta\nsite: A B\n"),
        ("policies/triage.yaml", "enrich_at: 2\nage_out: never\n"),
        ("policies/silence.yaml", ""),
        ("policies/routing.yaml", "route:\n  team: secop\n  routes:\n  - matchers: [sorce=x]\n"),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()));
    let all = laid_over(&files).expect_err("broken");
    let places: Vec<(&str, usize, usize, bool)> =
        all.iter().map(|m| (m.file.as_str(), m.line, m.column, m.warning)).collect();
    assert_eq!(
        places,
        [
            ("policies/routing.yaml", 2, 3, true),
            ("policies/routing.yaml", 2, 9, false),
            ("policies/routing.yaml", 4, 16, false),
            ("policies/silence.yaml", 0, 0, false),
            ("policies/triage.yaml", 1, 12, false),
            ("policies/triage.yaml", 2, 10, false),
            ("sources/edge.yaml", 1, 1, true),
            ("sources/edge.yaml", 1, 9, false),
            ("sources/edge.yaml", 2, 7, false),
            ("stanch.yaml", 1, 1, false),
            ("stanch.yaml", 2, 11, false),
        ]
    );
}

#[test]
fn the_hash_depends_on_every_path_and_text_and_not_on_the_order() {
    let hash = |files: &[(&str, &str)]| {
        let mut all: Vec<(String, String)> =
            SOUND.iter().chain(files).map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        let forth = compile(&all).expect("sound").hash;
        all.reverse();
        assert_eq!(compile(&all).expect("sound").hash, forth);
        forth
    };
    let one = hash(&[]);
    assert_eq!(one.len(), 64);
    assert_ne!(one, hash(&[("stanch.yaml", "")]));
    assert_ne!(hash(&[("stanch.yaml", "")]), hash(&[("stanch.yaml", "# x\n")]));
    assert_ne!(hash(&[("stanch.yaml", "")]), hash(&[("policies/triage.yaml", "")]));
    // Not ours: neither read nor part of the hash.
    assert_eq!(one, hash(&[("secrets/a.token", "x"), ("README.md", "{"), (".stanch/x.yaml", "{")]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_file_is_compiled_or_refused_and_never_panics(
        path in proptest::sample::select(vec![
            "stanch.yaml", "sources/a.yaml", "connectors/a.yaml", "policies/people.yaml", "policies/triage.yaml",
            "policies/silences.yaml", "policies/routing.yaml", "policies/containment.yaml",
        ]),
        lines in proptest::collection::vec(
            ("[ ]{0,6}(- )?", "(route|routes|teams|people|silences|matchers|team|net|protected|rules|mapping|fields|credential|hmac|listen|name|type|[a-z]{1,8}): ?", "(\\[\\]|\\{\\}|\\{ file: x \\}|simulated|smtp|1|5m|true|source=x|[\\PC]{0,8})"),
            0..12,
        ),
    ) {
        let text: String = lines.iter().map(|(a, b, c)| format!("{a}{b}{c}\n")).collect();
        if let Err(all) = laid_over(&[(path.to_owned(), text)]) {
            assert!(all.iter().any(|m| !m.warning));
        }
    }
}
