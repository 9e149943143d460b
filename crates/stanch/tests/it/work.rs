//! Alerts in, an incident out, a decision, a block, an account of it all.

use crate::site::{Site, intrusion};

#[test]
fn what_is_ingested_is_accounted_for_and_sending_it_again_adds_nothing_new() {
    let site = Site::served();
    let file = site.dir.path().join("eve.json");
    std::fs::write(&file, intrusion()).unwrap();
    let first = site.json(&["ingest", "eve.json", "--source", "suricata"]);
    assert_eq!((&first["accepted"], &first["complete"]), (&40.into(), &true.into()), "{first}");
    let sum: u64 =
        ["new", "merged", "context", "quarantined"].iter().map(|k| first[k].as_u64().unwrap()).sum();
    assert_eq!(sum, 40);
    let again = site.json(&["ingest", "eve.json", "--source", "suricata"]);
    assert_eq!((&again["new"], &again["merged"]), (&0.into(), &40.into()), "{again}");
    let ledger = site.json(&["ledger"]);
    assert_eq!((&ledger["balanced"], &ledger["received"]), (&true.into(), &80.into()), "{ledger}");
    let text = site.run(&["ledger"]).ends(0);
    assert!(text.out.starts_with("source\treceived\t") && text.out.contains("\nall\t80\t"), "{}", text.out);
    assert!(text.err.contains("balanced"));
}

#[test]
fn gzip_zeek_and_a_pipe_are_read_and_what_cannot_be_read_is_kept() {
    use std::io::Write as _;
    let site = Site::served();
    let packed = std::fs::File::create(site.dir.path().join("eve.json.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed.write_all(intrusion().as_bytes()).unwrap();
    packed.finish().unwrap();
    assert_eq!(site.json(&["ingest", "eve.json.gz", "--source", "suricata"])["accepted"], 40);
    let zeek = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\n#types\ttime\taddr\taddr\n\
                1709503805.1\t192.0.2.7\t203.0.113.9\n";
    let said = site.pipe(&["ingest", "-", "--source", "zeek", "--json"], zeek.as_bytes()).ends(0).json();
    assert!(said["context"].as_u64() >= Some(1), "{said}");
    let said = site.pipe(&["ingest", "-", "--source", "suricata"], b"{\"event_type\": nonsense\n").ends(0);
    assert!(said.out.contains("accepted 1 = new 0 + merged 0 + context 0 + quarantined 1"), "{}", said.out);
    let waiting = site.json(&["quarantine"]);
    assert_eq!(waiting["waiting"], 1, "{waiting}");
    let number = waiting["records"][0]["id"].to_string();
    assert_eq!(site.run(&["quarantine", "raw", &number]).ends(0).out.trim_end(), "{\"event_type\": nonsense");
    let shown = site.json(&["quarantine", "show", &number]);
    assert!(shown["raw"].as_str().unwrap().contains("nonsense") && shown["reason"].is_string());
    let tried = site.run(&["quarantine", "retry", "--all", "--json"]).ends(3).json();
    assert_eq!((&tried["tried"], &tried["still_quarantined"]), (&1.into(), &1.into()), "{tried}");
    assert_eq!(site.json(&["ledger"])["balanced"], true);
}

#[test]
fn a_quarantined_record_is_read_once_its_source_is_mended() {
    let site = Site::served();
    let mapping = |title: &str| {
        format!(
            "format: generic\nmapping:\n  fields:\n    title: event.{title}\n    rule: event.check\n\
             credential:\n  bearer: {{ file: secrets/scan.token }}\n"
        )
    };
    let file = site.config().join("sources/scan.yaml");
    std::fs::write(site.config().join("secrets/scan.token"), "s".repeat(64)).unwrap();
    std::fs::write(&file, mapping("headline")).unwrap();
    site.run(&["reload"]).ends(0);
    let record = br#"{"title":"open port","check":"tcp-22"}"#;
    let said = site.pipe(&["ingest", "-", "--source", "scan", "--json"], record).ends(0).json();
    assert_eq!(said["quarantined"], 1, "{said}");
    std::fs::write(&file, mapping("title")).unwrap();
    site.run(&["reload"]).ends(0);
    let tried = site.json(&["quarantine", "retry", "--all"]);
    assert_eq!(tried["still_quarantined"], 0, "{tried}");
    assert_eq!(site.json(&["quarantine"])["waiting"], 0);
    assert_eq!(site.json(&["ledger"])["balanced"], true);
    assert!(site.run(&["alerts"]).ends(0).out.contains("open port"));
}

#[test]
fn an_incident_is_told_taken_decided_contained_released_and_closed() {
    let site = Site::under_attack();
    let incident = site.json(&["incidents"])["incidents"][0]["id"].as_str().unwrap().to_owned();
    let story = site.run(&["story", &incident]).ends(0);
    for part in
        ["WHAT HAPPENED", "WHO", "WHAT WAS DONE", "NEXT", "Cobalt Strike", "stanch approve APR-1", "[A-"]
    {
        assert!(story.out.contains(part), "{part} is not in {}", story.out);
    }
    assert!(story.out.lines().all(|l| l.chars().count() <= 100), "{}", story.out);
    site.run(&["ack", &incident, "--as", "secops-lead"]).ends(0);
    let question = site.json(&["approvals", "APR-1"]);
    let (code, shown) = (question["code"].as_str().unwrap(), question["shown"].as_str().unwrap());
    let said = site.run(&["approve", "APR-1", "--as", "netops-lead"]).ends(2);
    assert!(said.err.contains("--code"), "{}", said.err);
    site.run(&["approve", "APR-1", "--as", "netops-lead", "--yes", "--code", "00000000"]).ends(6);
    site.run(&["approve", "APR-1", "--as", "admin", "--yes", "--code", code]).ends(4);
    let said = site
        .run(&[
            "approve",
            "APR-1",
            "--as",
            "netops-lead",
            "--yes",
            "--code",
            code,
            "--reason",
            "ok",
            "--wait",
            "60s",
        ])
        .ends(0);
    assert!(said.out.starts_with(shown.trim_end()), "exactly what is shown: {}", said.out);
    site.run(&["approve", "APR-1", "--as", "netops-lead", "--yes", "--code", code]).ends(6);
    let blocks = site.until(&["blocks"], |b| b["blocks"][0]["state"] == "in_force");
    let block = blocks["blocks"][0]["id"].as_str().unwrap();
    let said = site.run(&["resolve", &incident, "--reason", "too early"]).ends(6);
    assert!(!said.err.is_empty());
    site.run(&["release", block, "--reason", "cleaned"]).ends(0);
    site.until(&["blocks", "--all"], |b| b["blocks"][0]["state"] == "lifted");
    site.run(&["incidents", "note", &incident, "rebuilt"]).ends(0);
    site.run(&["resolve", &incident, "--reason", "rebuilt"]).ends(0);
    let clock = site.json(&["clock", &incident]);
    let sum: i64 = clock["waiting"].as_array().unwrap().iter().map(|w| w["time_ms"].as_i64().unwrap()).sum();
    assert_eq!(sum, clock["wall_ms"].as_i64().unwrap(), "{clock}");
    let journal = site.json(&["journal", "verify"]);
    assert_eq!(journal["ok"], true);
    assert!(site.run(&["runs", "RUN-1"]).ends(0).out.contains(&incident));
}

#[test]
fn deny_settles_the_question_and_nothing_is_blocked() {
    let site = Site::under_attack();
    site.run(&["deny", "APR-1", "--as", "netops-lead", "--reason", "a test"]).ends(0);
    assert_eq!(site.json(&["approvals", "APR-1"])["state"], "denied");
    assert_eq!(site.json(&["blocks", "--all"])["blocks"], serde_json::json!([]));
}

#[test]
fn a_silence_is_set_listed_and_ended() {
    let site = Site::served();
    site.run(&["silence", "set", "source=suricata", "--for", "2h", "--comment", "planned"]).ends(0);
    let listed = site.json(&["silence"]);
    let silence = listed["silences"][0].clone();
    assert_eq!((&silence["active"], &silence["comment"]), (&true.into(), &"planned".into()), "{listed}");
    site.pipe(&["ingest", "-", "--source", "suricata"], intrusion().as_bytes()).ends(0);
    assert!(site.json(&["ledger"])["suppressed"].as_u64() > Some(0));
    site.run(&["silence", "end", silence["id"].as_str().unwrap()]).ends(0);
    assert_eq!(site.json(&["silence"])["silences"], serde_json::json!([]));
    site.run(&["silence", "set", "source=suricata", "--comment", "for ever"]).ends(2);
}

#[test]
fn the_kill_switch_is_turned_on_and_off() {
    let site = Site::served();
    assert!(site.run(&["kill-switch", "on"]).ends(0).out.starts_with("on:"));
    assert!(site.run(&["kill-switch", "off"]).ends(0).out.starts_with("off:"));
    site.run(&["kill-switch", "on", "--as", "endpoint-lead"]).ends(4);
    site.run(&["kill-switch", "on", "--as", "secops-lead"]).ends(0);
    site.run(&["kill-switch", "off", "--as", "secops-lead"]).ends(4);
    assert_eq!(site.json(&["kill-switch"])["engaged"], true);
}

#[test]
fn what_drips_from_a_pipe_is_taken_in_while_the_pipe_is_open() {
    use std::io::Write as _;
    let site = Site::served();
    let mut command = site.command();
    command.args(["ingest", "-", "--source", "suricata", "--json"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for (n, line) in (1_u64..).zip(intrusion().lines().take(3)) {
        writeln!(pipe, "{line}").unwrap();
        site.until(&["ledger"], |l| l["received"] == n);
    }
    drop(pipe);
    let said = child.wait_with_output().unwrap();
    let counts: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&counts["accepted"], &counts["complete"]), (&3.into(), &true.into()), "{counts}");
}
