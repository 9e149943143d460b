//! The shipped playbooks rehearsed from the command line, on the alerts that lie beside them: with a crash
//! behind every move, and with each outward step failing in turn.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::Site;

fn playbooks() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

fn cases() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(playbooks().join("rehearsals")).unwrap();
    let mut all: Vec<PathBuf> = folder.map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    all.sort();
    all
}

/// What the command is given for a case: its deliveries in order, and what people answer.
fn words(case: &Path) -> Vec<String> {
    let name = case.file_name().unwrap().to_str().unwrap();
    let playbook = format!("{}.yaml", name.split('.').next().unwrap());
    let shown = |p: &Path| p.to_str().unwrap().to_owned();
    let mut words = vec![
        "playbook".to_owned(),
        "rehearse".to_owned(),
        shown(&playbooks().join(playbook)),
        "--json".into(),
    ];
    let mut files: Vec<PathBuf> = std::fs::read_dir(case).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            [order, "mapping", "json"] if order.starts_with(|c: char| c.is_ascii_digit()) => {
                words.extend(["--mapping".to_owned(), shown(&file)]);
            }
            [order, format, "json"] if order.starts_with(|c: char| c.is_ascii_digit()) => {
                words.extend(["--event".to_owned(), shown(&file), "--format".to_owned(), format.to_owned()]);
            }
            _ => {}
        }
    }
    words.extend(["--answers".to_owned(), shown(&case.join("people.json"))]);
    words
}

/// What is wrong with one rehearsal.
fn wrong(case: &Path, report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut need = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{}: {what}: {report}", case.display()));
        }
    };
    let list = |v: &Value| v.as_array().map_or(usize::MAX, Vec::len);
    let plan = &report["plan"];
    let end = plan["end"].as_str().unwrap_or_default();
    // An account for emergencies is protected: there the right end is with a person.
    let break_glass = case.ends_with("identity.break-glass");
    need(end.starts_with(if break_glass { "handed: " } else { "completed" }), "it ends otherwise");
    need(list(&plan["breaches"]) == 0, "a law is broken");
    need(report["crashes"].as_u64() > Some(5), "hardly a crash was tried");
    need(list(&report["crash_findings"]) == 0, "a crash changed the end");
    for failure in report["failures"].as_array().into_iter().flatten() {
        need(list(&failure["breaches"]) == 0, "a law is broken when a step fails");
        need(
            failure["end"].as_str().is_some_and(|e| !e.is_empty()),
            "a failing step leaves it without an end",
        );
    }
    wrong
}

#[test]
fn each_shipped_playbook_rehearses_on_its_alerts_through_every_crash_and_every_failing_step() {
    let (site, cases, nowhere) = (Site::new(), cases(), tempfile::tempdir().unwrap());
    assert!(cases.len() >= 13, "{}", cases.len());
    let one = |case: &PathBuf| {
        let words = words(case);
        let said = site.finish(site.command().current_dir(nowhere.path()).args(&words));
        if said.code == 0 { wrong(case, &said.json()) } else { vec![format!("{words:?}: {}", said.err)] }
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let mine = cases.iter().skip(half).step_by(2);
                scope.spawn(move || mine.flat_map(one).collect::<Vec<_>>())
            })
            .collect();
        halves.into_iter().flat_map(|h| h.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
