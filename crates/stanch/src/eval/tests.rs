//! Whole runs on small made-up captures: what must hold whatever the data.

use std::path::PathBuf;

use stanch_judge::chance::Chance;
use stanch_judge::learner::Learner;
use stanch_judge::measure::average_precision;

use super::folder::Capture;
use super::scenario::{Scenario, read};
use super::{Progress, Read, examples, triage};

/// A made-up company: daily noise on four machines, and on the third day a scan, a login and a shell.
fn made_up(seed: u64, days: i64) -> String {
    let mut chance = Chance::new(seed);
    let mut lines = vec!["time,name,ip,host,short,time_label,event_label".to_owned()];
    let mut add = |at: i64, name: &str, host: usize, label: &str| {
        let window = if label == "-" { "false_positive" } else { label };
        lines.push(format!("{at},{name},10.{}.0.{host},host{host},X,{window},{label}", seed % 200));
    };
    for hour in 0..days * 24 {
        for host in 1..=4 {
            if chance.below(3) == 0 {
                let rule = ["Acme: update done", "Acme: login ok", "Beta: odd packet"][chance.below(3)];
                add(hour * 3_600 + chance.below(3_600) as i64, rule, host, "-");
            }
        }
    }
    let start = 2 * 86_400 + 3_600 * (2 + chance.below(15) as i64);
    for host in 1..=4 {
        (0..5).for_each(|i| add(start + i, "Beta: port scan seen", host, "scan"));
    }
    add(start + 300, "Acme: many logins failed", 2, "crack");
    add(start + 400, "Acme: new user account", 2, "crack");
    add(start + 500, "Beta: web shell request", 2, "shell");
    add(start + 510, "Acme: update stopped", 2, "shell");
    lines.join("\n") + "\n"
}

fn capture(dir: &tempfile::TempDir, name: &str, text: &str) -> Capture {
    let path: PathBuf = dir.path().join(format!("{name}_alerts.csv"));
    std::fs::write(&path, text).expect("written");
    Capture { name: name.to_owned(), path }
}

fn scenario(seed: u64) -> Scenario {
    let dir = tempfile::tempdir().expect("a folder");
    read(&capture(&dir, "made", &made_up(seed, 4)), &[]).expect("readable")
}

fn described(seed: u64) -> Read {
    let scenario = scenario(seed);
    let groups = scenario.groups();
    Read { scenario, groups }
}

fn precision(learner: &Learner, read: &Read) -> f64 {
    let scores = triage::scores(learner, read);
    let real: Vec<bool> = read.groups.iter().map(super::scenario::Group::real).collect();
    average_precision(&scores, &real)
}

#[test]
fn shuffled_labels_teach_nothing_and_true_ones_do() {
    let (a, b, test) = (described(1), described(2), described(3));
    let honest = examples(&[&a, &b]);
    let mut shuffled = honest.clone();
    let mut labels: Vec<bool> = shuffled.iter().map(|e| e.matters).collect();
    Chance::new(9).shuffle(&mut labels);
    shuffled.iter_mut().zip(labels).for_each(|(e, l)| e.matters = l);
    let base = test.groups.iter().filter(|g| g.real()).count() as f64 / test.groups.len() as f64;
    let (good, bad) =
        (precision(&Learner::train(honest, 1), &test), precision(&Learner::train(shuffled, 1), &test));
    assert!(good > 0.85, "{good}");
    assert!(bad < 4.0 * base + 0.1, "{bad} with a base rate of {base}");
}

#[test]
fn cutting_off_the_future_changes_no_score_of_the_past() {
    let whole = scenario(4);
    let learner = Learner::train(examples(&[&described(1), &described(2)]), 1);
    let middle = whole.rows[whole.rows.len() / 2].at;
    let mut cut = whole.clone();
    cut.rows.retain(|r| r.at <= middle);
    let score = |s: &Scenario| {
        let read = Read { scenario: s.clone(), groups: s.groups() };
        let scores = triage::scores(&learner, &read);
        // Groups that are over by the cut: nothing of theirs was taken away.
        let over = middle.plus(stanch_model::Span(-stanch_judge::watch::GAP.0));
        let all = read.groups.iter().zip(scores).filter(|(g, _)| g.end < over);
        all.map(|(g, p)| (g.rule, g.machine, g.start, g.end, g.features.clone(), p)).collect::<Vec<_>>()
    };
    let (before, after) = (score(&whole), score(&cut));
    assert!(before.len() > 50, "{}", before.len());
    assert!(before == after);
}

#[test]
fn the_order_of_lines_in_a_file_changes_nothing() {
    let text = made_up(5, 4);
    let (head, body) = text.split_once('\n').expect("a heading");
    let mut lines: Vec<&str> = body.lines().collect();
    let run = |lines: &[&str]| {
        let dir = tempfile::tempdir().expect("a folder");
        let text = format!("{head}\n{}\n", lines.join("\n"));
        let s = read(&capture(&dir, "made", &text), &[]).expect("readable");
        let mut groups: Vec<_> = s
            .groups()
            .into_iter()
            .map(|g| {
                (
                    s.rules[g.rule as usize].clone(),
                    s.hosts[g.machine as usize].name.clone(),
                    g.start,
                    g.end,
                    g.features,
                )
            })
            .collect();
        groups.sort_by(|a, b| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
        groups
    };
    let in_order = run(&lines);
    Chance::new(3).shuffle(&mut lines);
    // Not assert_eq: thousands of numbers help nobody.
    assert!(in_order == run(&lines));
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let dir = tempfile::tempdir().expect("a folder");
    for seed in 1..=3 {
        capture(&dir, &format!("company{seed}"), &made_up(seed, 4));
    }
    let run = || {
        let found = super::folder::look(dir.path()).expect("readable");
        let data = super::Data { train: &found, test: &found, same: true, seed: 7 };
        let measured = super::measure(&data, &Progress::new(false)).expect("measured");
        (super::report::json(&data, &measured).to_string(), super::report::text(&data, &measured))
    };
    let (one, two) = (run(), run());
    assert_eq!(one, two);
    let shown = one.1.join("\n");
    assert!(shown.contains("company2 (trained on company1, company3)"), "{shown}");
    assert!(shown.contains("stage_macro_accuracy: not in this folder"), "{shown}");
    assert!(one.0.contains("\"triage_average_precision\""), "{}", one.0);
}

/// On the shared captures, where they are at hand: the smallest one, without training, must beat the simple
/// floor. The whole measurement belongs to the release program.
#[test]
fn a_real_capture_is_ranked_better_than_by_rarity_before_any_training() {
    let root = std::env::var_os("STANCH_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let found = super::folder::look(&root).ok();
    let smallest =
        found.iter().flat_map(|f| &f.alerts).min_by_key(|c| c.path.metadata().map_or(u64::MAX, |m| m.len()));
    let (Some(found), Some(capture)) = (&found, smallest) else {
        eprintln!("SKIPPED: no labelled captures in {}; set STANCH_SHARED_DATA", root.display());
        return;
    };
    let scenario = read(capture, &found.assets).expect("readable");
    let groups = scenario.groups();
    let real: Vec<bool> = groups.iter().map(super::scenario::Group::real).collect();
    let read = Read { scenario, groups };
    let ours = precision(&Learner::new(1), &read);
    let mut rarity = Vec::new();
    let mut seen = std::collections::BTreeMap::<(u32, u32), f64>::new();
    for g in &read.groups {
        let n = seen.entry((g.rule, g.machine)).or_default();
        rarity.push(-*n);
        *n += 1.0;
    }
    let floor = average_precision(&rarity, &real);
    assert!(ours > 2.0 * floor, "{ours} against {floor}");
}
