//! What rule names say, on names nobody here wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;

use super::*;

/// A folder of the shared data beside the repository, or `None` (with a word on it).
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("STANCH_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no folder {}; set STANCH_SHARED_DATA to the shared data", folder.display());
    None
}

pub(crate) fn gunzip(path: &std::path::Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("readable");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text
}

fn of(name: &str, category: Option<&str>) -> Option<Action> {
    action(&Signature { name, category, references: &[] }).map(|g| g.action)
}

#[test]
fn names_of_many_products_are_understood() {
    for (name, action) in [
        // Suricata and Snort.
        ("ET MALWARE Cobalt Strike Beacon Observed", Action::CommandAndControl),
        ("ET EXPLOIT Apache log4j RCE Attempt (CVE-2021-44228)", Action::PublicAppExploit),
        ("SERVER-WEBAPP Wordpress SQL injection attempt", Action::PublicAppExploit),
        ("ET COINMINER CoinHive In-Browser Miner Detected", Action::ResourceHijack),
        // Wazuh.
        ("sshd: brute force trying to get access to the system.", Action::BruteForce),
        ("Host-based anomaly detection event (rootcheck): Rootkit detected", Action::Persistence),
        // Zeek notices.
        ("Scan::Port_Scan", Action::ServiceDiscovery),
        ("SSH::Password_Guessing", Action::BruteForce),
        ("HTTP::SQL_Injection_Attacker", Action::PublicAppExploit),
        // Endpoint and cloud.
        ("Credential dumping from LSASS memory", Action::CredentialAccess),
        ("Lateral movement with PsExec", Action::LateralMovement),
        ("Ransomware note written", Action::Distortion),
        ("CloudTrail logging disabled", Action::DefenseEvasion),
        ("Suspicious scheduled task created", Action::Persistence),
    ] {
        assert_eq!(of(name, None), Some(action), "{name}");
    }
    for silent in ["", "Rule 100234", "north-7", "disk sda1"] {
        let guess = action(&Signature { name: silent, ..Signature::default() });
        assert!(guess.is_none_or(|g| g.action == Action::Policy), "{silent}");
    }
}

#[test]
fn a_guess_names_the_words_it_rests_on() {
    let guess = action(&Signature {
        name: "ET SCAN Potential SSH brute force",
        category: Some("Attempted Information Leak"),
        references: &[],
    });
    let guess = guess.expect("a guess");
    assert_eq!(guess.action, Action::BruteForce);
    assert!(guess.because.contains(&"\"brute\"".to_owned()), "{:?}", guess.because);
    assert!(guess.share > 0.5 && guess.share <= 1.0);
}

struct Capture {
    name: String,
    category: String,
    micro: String,
    stage: String,
    teams: BTreeSet<String>,
}

impl Capture {
    fn signature(&self) -> Signature<'_> {
        Signature { name: &self.name, category: Some(&self.category), references: &[] }
    }
}

fn captures() -> Option<Vec<Capture>> {
    let folder = shared("cptc-2017")?;
    let text = std::fs::read_to_string(folder.join("attack_stages.json")).expect("stages");
    let stages: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&text).expect("JSON");
    let mut seen: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for team in ["team1", "team2", "team3", "team5", "team7"] {
        for line in gunzip(&folder.join(format!("{team}.eve.json.gz"))).lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| event["alert"][key].as_str().unwrap_or_default().to_owned();
            let entry = seen.entry(text("signature")).or_insert_with(|| (text("category"), BTreeSet::new()));
            entry.1.insert(team.to_owned());
        }
    }
    let one = |(name, stage): (String, BTreeMap<String, String>)| {
        let (category, teams) = seen.remove(&name).unwrap_or_default();
        Capture { category, teams, micro: stage["micro"].clone(), stage: stage["macro"].clone(), name }
    };
    Some(stages.into_iter().map(one).collect())
}

/// The share of left-out rules whose stage is told, when the rest is learnt from.
fn left_out(
    all: &[Capture],
    label: fn(&Capture) -> &str,
    out: impl Fn(usize, &Capture) -> Option<usize>,
) -> f64 {
    let folds: BTreeSet<usize> = all.iter().enumerate().filter_map(|(i, c)| out(i, c)).collect();
    let (mut right, mut asked) = (0, 0);
    for fold in folds {
        let is_out = |i: usize, c: &Capture| out(i, c) == Some(fold);
        let rest = all.iter().enumerate().filter(|(i, c)| !is_out(*i, c));
        let rest: Vec<Labelled<'_>> =
            rest.map(|(_, c)| Labelled { signature: c.signature(), label: label(c) }).collect();
        let learnt = Labels::learn(&rest);
        for (_, c) in all.iter().enumerate().filter(|(i, c)| is_out(*i, c)) {
            asked += 1;
            right += usize::from(learnt.of(&c.signature()).first().is_some_and(|(l, _)| *l == label(c)));
        }
    }
    f64::from(right as u32) / f64::from(asked.max(1) as u32)
}

#[test]
fn the_stage_of_signatures_left_out_is_told_for_three_of_four() {
    let Some(all) = captures() else { return };
    let told = |c: &Capture| action(&c.signature()).is_some_and(|g| g.action.macro_stage() == c.stage);
    let zero_shot = all.iter().filter(|c| told(c)).count() as f64 / all.len() as f64;
    let macro_stage = left_out(&all, |c| &c.stage, |i, _| Some(i));
    let micro = left_out(&all, |c| &c.micro, |i, _| Some(i));
    let tenths = left_out(&all, |c| &c.stage, |i, _| Some(i % 10));
    // Rules that only one team set off: what another team's network would show as new.
    let only = |c: &Capture| {
        if c.teams.len() == 1 { c.teams.iter().next().and_then(|t| t.bytes().last()) } else { None }
    };
    let team = left_out(&all, |c| &c.stage, |_, c| only(c).map(usize::from));
    eprintln!(
        "no training {zero_shot:.3}, one rule out {macro_stage:.3} (micro {micro:.3}), a tenth out {tenths:.3}, one team's own {team:.3}"
    );
    assert!(macro_stage >= 0.75 && tenths >= 0.75 && zero_shot >= 0.65 && micro >= 0.65);
}

#[test]
fn shuffled_labels_teach_nothing() {
    let Some(mut all) = captures() else { return };
    let labels: Vec<String> = all.iter().map(|c| c.stage.clone()).collect();
    let many = labels.len();
    // 37 shares no divisor with the number of rules, so that every rule gets another's label.
    all.iter_mut().enumerate().for_each(|(i, c)| c.stage = labels[(i * 37 + 11) % many].clone());
    let shuffled = left_out(&all, |c| &c.stage, |i, _| Some(i % 10));
    assert!(shuffled < 0.5, "{shuffled}");
}

#[test]
fn the_order_of_rules_changes_nothing_learnt() {
    let rule = |name, label| Labelled { signature: Signature { name, ..Signature::default() }, label };
    let mut rules =
        vec![rule("port scan", "a"), rule("sql injection", "b"), rule("beacon", "c"), rule("scan", "a")];
    let once = Labels::learn(&rules);
    rules.reverse();
    assert_eq!(once, Labels::learn(&rules));
    assert_eq!(once.of(&rules[0].signature).first().map(|x| x.0), Some("a"));
    assert!(Labels::default().of(&rules[0].signature).is_empty());
}

/// Titles of cloud and identity detections with the tactics their authors gave. Nothing here was
/// tuned on them.
#[test]
fn titles_of_cloud_detections_are_told_better_than_by_chance() {
    let Some(folder) = shared("detections") else { return };
    let mut rules: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("listable").flatten() {
        if entry.path().extension().is_none_or(|e| e != "ndjson") {
            continue;
        }
        for line in std::fs::read_to_string(entry.path()).expect("text").lines() {
            let rule: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let tactics = rule["mitre"].as_array().into_iter().flatten().filter_map(|m| m.as_str());
            let tactics =
                tactics.filter_map(|m| tactic_of(m.split(':').next().unwrap_or_default())).collect();
            let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
            rules.insert(text("rule_id"), (text("title"), tactics));
        }
    }
    rules.retain(|_, (title, tactics)| !title.is_empty() && !tactics.is_empty());
    let (mut told, mut right) = (0, 0);
    for (title, tactics) in rules.values() {
        if let Some(guess) = action(&Signature { name: title, ..Signature::default() })
            && guess.action != Action::Policy
        {
            told += 1;
            right += u32::from(tactics.contains(fold(guess.action.tactic())));
        }
    }
    eprintln!("{} titles, {told} told, {right} right", rules.len());
    // One stage for all would be right for 25 % (measured: 45 %).
    assert!(f64::from(right) / f64::from(told) > 0.40, "{right} of {told}");
}

fn fold(tactic: &str) -> &str {
    if tactic == "reconnaissance" { "discovery" } else { tactic }
}

fn tactic_of(id: &str) -> Option<String> {
    Some(
        match id {
            "TA0043" | "TA0042" | "TA0007" => "discovery",
            "TA0001" => "initial-access",
            "TA0006" => "credential-access",
            "TA0002" => "execution",
            "TA0003" => "persistence",
            "TA0004" => "privilege-escalation",
            "TA0005" => "defense-evasion",
            "TA0008" => "lateral-movement",
            "TA0011" => "command-and-control",
            "TA0009" | "TA0010" => "exfiltration",
            "TA0040" => "impact",
            _ => return None,
        }
        .to_owned(),
    )
}
