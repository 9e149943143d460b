//! From an empty folder to a running server and back.

use std::os::unix::fs::PermissionsExt as _;

use crate::site::Site;

#[test]
fn init_writes_a_folder_that_has_no_mistakes_with_tokens_for_the_owner_only() {
    let site = Site::new();
    let checked = site.json(&["check"]);
    assert_eq!((&checked["errors"], &checked["warnings"]), (&0.into(), &0.into()), "{checked}");
    let mut tokens = Vec::new();
    for entry in std::fs::read_dir(site.config().join("secrets")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        tokens.push(std::fs::read_to_string(entry.path()).unwrap());
    }
    assert!(tokens.len() > 10 && tokens.iter().all(|t| t.trim().len() == 64));
    tokens.sort();
    tokens.dedup();
    assert!(tokens.len() > 10, "every token is its own");
}

#[test]
fn init_leaves_a_folder_with_something_in_it_alone() {
    let site = Site::new();
    let file = site.config().join("stanch.yaml");
    std::fs::write(&file, "listen: 127.0.0.1:9\n").unwrap();
    let token = std::fs::read_to_string(site.config().join("secrets/admin.token")).unwrap();
    let said = site.run(&["init", "stanch"]).ends(6);
    assert!(said.err.contains("--force"), "{}", said.err);
    std::fs::remove_file(site.config().join("README.md")).unwrap();
    site.run(&["init", "stanch", "--force"]).ends(0);
    assert!(site.config().join("README.md").exists());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "listen: 127.0.0.1:9\n");
    assert_eq!(std::fs::read_to_string(site.config().join("secrets/admin.token")).unwrap(), token);
}

#[test]
fn check_names_every_mistake_with_file_line_and_how_to_mend_it() {
    let site = Site::new();
    std::fs::write(site.config().join("stanch.yaml"), "max_body: 8\nlisten: here\n").unwrap();
    std::fs::write(site.config().join("sources/edge.yaml"), "format: suricatta\n").unwrap();
    let said = site.run(&["check"]).ends(3);
    for part in
        ["stanch.yaml:1:", "stanch.yaml:2:", "sources/edge.yaml:1:", "mend: did you mean \"suricata\""]
    {
        assert!(said.out.contains(part), "{part} is not in {}", said.out);
    }
    let json = site.run(&["check", "--json"]).ends(3).json();
    assert_eq!(json["ok"], false);
    assert!(json["errors"].as_u64() >= Some(3));
    let said = site.run(&["serve", "--listen", "127.0.0.1:0"]).ends(78);
    assert!(said.err.contains("stanch.yaml:2:") && said.out.is_empty(), "{}", said.err);
}

#[test]
fn without_a_configuration_the_way_to_one_is_told() {
    let site = Site::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for verb in ["serve", "check"] {
        let said = site.finish(site.command().arg(verb).current_dir(elsewhere.path())).ends(78);
        assert!(said.err.contains("stanch init"), "{}", said.err);
    }
}

#[test]
fn serve_says_where_it_listens_stops_in_order_and_begins_again_with_what_it_knew() {
    let mut site = Site::served();
    site.pipe(&["ingest", "-", "--source", "suricata"], crate::site::intrusion().as_bytes()).ends(0);
    let before = site.json(&["ledger"]);
    assert_eq!(site.stop(), Some(0));
    assert_eq!(site.run(&["ledger"]).code, 8);
    site.serve();
    assert_eq!(site.json(&["ledger"]), before);
}

#[test]
fn reload_takes_the_whole_new_configuration_or_nothing() {
    let site = Site::served();
    let file = site.config().join("sources/edge.yaml");
    let source = "format: suricata\ncredential:\n  bearer: { file: secrets/suricata.token }\n";
    std::fs::write(&file, format!("{source}wrong: 1\n")).unwrap();
    let said = site.run(&["reload"]).ends(3);
    assert!(said.err.contains("sources/edge.yaml:4:"), "{}", said.err);
    std::fs::write(&file, source.replace("suricata.token", "edge.token")).unwrap();
    std::fs::write(site.config().join("secrets/edge.token"), "e".repeat(64)).unwrap();
    site.run(&["reload"]).ends(0);
    site.pipe(&["ingest", "-", "--source", "edge"], crate::site::intrusion().as_bytes()).ends(0);
}

#[test]
fn doctor_finds_what_is_broken_and_how_to_mend_it() {
    let mut site = Site::served();
    let well = site.json(&["doctor"]);
    assert_eq!(well["ok"], true, "{well}");
    let named = |value: &serde_json::Value, name: &str| {
        value["findings"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap().clone()
    };
    for name in ["config", "store", "disk", "server", "clock"] {
        assert_eq!(named(&well, name)["state"], "ok", "{well}");
    }
    site.stop();
    std::fs::write(site.config().join("stanch.yaml"), "listen: here\n").unwrap();
    let said = site.run(&["doctor"]).ends(1);
    assert!(said.out.contains("✗ config") && said.out.contains("mend:"), "{}", said.out);
    assert!(said.out.contains("✗ server"), "a server that was named and is not there: {}", said.out);
}

#[test]
fn completions_know_the_verbs_of_every_shell() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = site.run(&["completions", shell]).ends(0);
        for verb in ["incidents", "approve", "quarantine", "kill-switch"] {
            assert!(said.out.contains(verb), "{shell} does not know {verb}");
        }
    }
    site.run(&["completions", "tcl"]).ends(2);
}
