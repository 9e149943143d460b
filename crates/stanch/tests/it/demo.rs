//! The demonstration from outside: as a newcomer starts it, and what it claims to have seen.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Records in the bundled recording.
const RECORDS: u64 = 4_274;

fn demo(args: &[&str], simulate: bool) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
    command.arg("demo").args(args).stdin(Stdio::null());
    command.env_remove("STANCH_DEMO_SIMULATE");
    if simulate {
        command.env("STANCH_DEMO_SIMULATE", "1");
    }
    command
}

fn summary(args: &[&str], simulate: bool) -> Value {
    let done = demo(args, simulate).output().expect("started");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", done.status);
    serde_json::from_slice(&done.stdout).expect("JSON and nothing else")
}

/// What must hold whether or not real packets were sent.
fn holds(s: &Value) {
    let n = |key: &str| s[key].as_u64().unwrap_or_else(|| panic!("{key} in {s:#}"));
    assert_eq!(n("received"), RECORDS);
    assert_eq!(s["balanced"], true);
    let places = ["merged", "suppressed", "in_incidents", "open", "closed", "quarantined"];
    assert_eq!(places.iter().map(|p| n(p)).sum::<u64>(), RECORDS);
    assert_eq!(n("quarantined"), 0);
    assert!(n("incidents") >= 1 && n("records_in_story") > 1_000, "{s:#}");
    assert!(n("first_incident_ms") < 10_000, "{s:#}");
    assert_eq!(s["answer"], "approved");
    assert_eq!(s["block"], "lifted");
    assert_eq!(s["run"], "completed");
    assert!(n("noc_mails") >= 2, "told of the change and of its end: {s:#}");
    assert_eq!(s["clock_exact"], true);
    assert_eq!(s["journal_ok"], true);
    assert!(n("journal_entries") > 0 && s["journal_head"].as_str().is_some_and(|h| h.len() == 64));
    assert_ne!(s["target"], s["victim"]);
}

/// Namespaces that belong to a process.
fn namespaces(pid: u32) -> Vec<String> {
    let names = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = names.filter_map(|n| n.file_name().into_string().ok());
    names.filter(|n| n.starts_with(&format!("stanch-{pid}-"))).collect()
}

fn folders(pid: u32) -> usize {
    let all = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    all.filter(|f| f.file_name().to_string_lossy().starts_with(&format!("stanch-demo-{pid}-"))).count()
}

#[test]
fn the_main_job_is_done_on_real_alerts_and_real_packets() {
    let s = summary(&["--yes", "--ttl", "3s", "--json"], false);
    holds(&s);
    let simulated = s["simulated"] == true;
    if std::env::var("STANCH_REQUIRE_LAB").as_deref() == Ok("1") {
        assert!(!simulated, "no lab here: {}", s["simulated_because"]);
    }
    let probes = ["probe_before", "probe_during", "probe_after"].map(|p| s[p].as_str().unwrap_or_default());
    if simulated {
        assert_eq!(probes, ["simulated"; 3]);
        return;
    }
    assert_eq!(probes, ["open", "blocked", "open"], "{s:#}");
    assert_eq!(s["session_cut"], true);
    let kernel = s["kernel"][0].as_str().unwrap_or_default();
    assert!(kernel.contains("timeout 3s") && kernel.contains("stanch:ACT-"), "{s:#}");
}

#[test]
fn without_namespaces_everything_else_is_done_and_labelled() {
    let s = summary(&["--yes", "--ttl", "2s", "--json"], true);
    holds(&s);
    assert_eq!(s["simulated"], true);
    assert!(s["simulated_because"].is_string());
    let done = demo(&["--yes", "--ttl", "2s"], true).output().expect("started");
    let text = String::from_utf8_lossy(&done.stdout);
    let acts: Vec<&str> = text.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(acts.len(), 7, "{text}");
    assert!(acts.iter().all(|l| l.ends_with("SIMULATED")), "{text}");
    assert!(text.contains("SIMULATED: nothing real is changed"), "the question itself says so: {text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn where_nobody_can_be_asked_nothing_is_changed() {
    let done = demo(&["--ttl", "2s"], true).output().expect("started");
    let text = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(6), "{text}");
    assert!(text.contains("nothing was changed") && text.contains("stanch demo --yes"), "{text}");
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let mut child = demo(&["--yes", "--ttl", "1m"], false).stdout(Stdio::piped()).spawn().expect("started");
    let pid = child.id();
    let out = child.stdout.take().expect("piped");
    // In the middle: the block is in force.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    assert!(lines.any(|l| l.is_ok_and(|l| l.starts_with('6'))), "the last act but one was not reached");
    assert_eq!(folders(pid), 1);
    let int = Command::new("kill").args(["-INT", &pid.to_string()]).status().expect("sent");
    assert!(int.success());
    let _rest: Vec<_> = lines.collect();
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(1));
    assert_eq!(namespaces(pid), Vec::<String>::new());
    assert_eq!(folders(pid), 0);
    assert!(!Path::new("/proc").join(pid.to_string()).exists());
}
