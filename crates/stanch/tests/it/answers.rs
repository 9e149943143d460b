//! What a script can rely on: exit codes, stdout for data, stderr for messages.

use crate::site::Site;

#[test]
fn the_exit_code_says_what_kind_of_failure_it_was() {
    let mut site = Site::served();
    site.run(&["alerts", "show", "A-999"]).ends(5);
    site.run(&["story", "INC-999"]).ends(5);
    site.run(&["story", "APR-1"]).ends(2);
    site.run(&["alerts", "--limit", "0"]).ends(2);
    site.run(&["incidnets"]).ends(2);
    site.run(&["ingest", "no-such-file", "--source", "suricata"]).ends(5);
    site.run(&["ingest", "stanch/README.md", "--source", "no-such-source"]).ends(5);
    site.run(&["reload", "--as", "secops-lead"]).ends(4);
    site.run(&["whoami", "--token-file", "stanch/secrets/suricata.token"]).ends(4);
    site.run(&["whoami", "--token-file", "no-such-file"]).ends(4);
    site.run(&["ledger", "--data", "no-such-store"]).ends(5);
    site.stop();
    site.run(&["incidents"]).ends(8);
    site.pipe(&["ingest", "-", "--source", "suricata"], b"{}").ends(8);
}

#[test]
fn failures_go_to_stderr_and_are_json_where_json_was_asked_for() {
    let site = Site::served();
    let said = site.run(&["story", "INC-9"]).ends(5);
    assert!(said.out.is_empty() && said.err.contains("ST0404") && said.err.contains("mend:"), "{}", said.err);
    let said = site.run(&["story", "INC-9", "--json"]).ends(5);
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["code"], "ST0404");
}

#[test]
fn every_question_answers_in_json() {
    let site = Site::under_attack();
    for line in [
        "alerts",
        "alerts list",
        "alerts show A-1",
        "alerts why A-1",
        "alerts raw A-1",
        "alerts ocsf A-1",
        "incidents",
        "incidents list",
        "incidents show INC-1",
        "story INC-1",
        "incidents story INC-1",
        "approvals",
        "approvals APR-1",
        "blocks",
        "sources",
        "ledger",
        "clock",
        "clock INC-1",
        "journal",
        "journal head",
        "journal verify",
        "quarantine",
        "silence",
        "runs",
        "runs RUN-1",
        "whoami",
        "version",
        "kill-switch",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(site.json(&words).is_object(), "{line}");
        let plain = site.run(&words).ends(0);
        assert!(!plain.out.is_empty() && !plain.out.contains('\u{1b}'), "{line}: {}", plain.out);
    }
}

#[test]
fn what_an_attacker_writes_cannot_act_on_the_terminal() {
    let site = Site::served();
    let nasty = crate::site::intrusion()
        .replace("Cobalt Strike", "\\u001b[2J\\u202eCobalt\\u200b\\n\\tStrike\\u009b31m");
    site.pipe(&["ingest", "-", "--source", "suricata"], nasty.as_bytes()).ends(0);
    site.until(&["incidents"], |i| i["total"].as_u64() > Some(0));
    let hidden = ['\u{1b}', '\u{202e}', '\u{200b}', '\u{9b}'];
    for line in
        ["alerts", "alerts show A-2", "alerts why A-2", "story INC-1", "incidents show INC-1", "journal"]
    {
        for json in [false, true] {
            let mut words: Vec<&str> = line.split(' ').collect();
            words.extend(json.then_some("--json"));
            let said = site.run(&words).ends(0);
            assert!(!said.out.contains(hidden) && !said.err.contains(hidden), "{line}: {:?}", said.out);
        }
    }
    let list = site.run(&["alerts"]).ends(0).out;
    assert!(list.contains("\\x1b[2J\\u{202e}Cobalt\\u{200b}"), "{list}");
    assert!(list.lines().all(|l| l.split('\t').count() == 9), "a title breaks no line: {list}");
    let json = site.json(&["alerts", "show", "A-2"]);
    assert!(json["title"].as_str().unwrap().contains('\u{202e}'), "JSON keeps the value: {json}");
}

#[test]
fn help_documents_the_exit_codes_and_a_wrong_verb_names_the_nearest() {
    let site = Site::new();
    let help = site.run(&["--help"]).ends(0);
    assert!(help.out.contains("Exit codes") && help.out.contains("78"));
    let said = site.run(&["incidnets"]).ends(2);
    assert!(said.err.contains("'incidents'"), "{}", said.err);
}
