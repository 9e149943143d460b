//! `stanch support-bundle`: marks are put wherever people and alerts put words, and none of them is in it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::site::{Site, intrusion};

/// Stands in every mark.
const MARK: &str = "kanari";

/// What lies in files of the configuration, and where.
const WRITTEN: &[(&str, &str)] = &[
    ("secrets/kanari-source.token", "kanari-secret-of-a-source-0123456789abcdef\n"),
    ("secrets/kanari-hook.key", "whsec_a2FuYXJpa2FuYXJpa2FuYXJpa2FuYXJpa2FuYXJp\n"),
    (
        "sources/kanari-source.yaml",
        "format: suricata\nsite: kanari-site\ncredential: { bearer: { file: secrets/kanari-source.token } }\n",
    ),
    (
        "connectors/kanari-file.yaml",
        "notifiers:\n  - { name: kanari-hook, type: webhook, url: \"https://kanari-host.example:8443/kanari-path\", \
         secret: { file: secrets/kanari-hook.key } }\n",
    ),
    (
        "policies/silences.yaml",
        "silences:\n  - { name: kanari-silence, until: 2099-01-01T00:00:00Z, matchers: [user=kanari-matcher], comment: kanari-comment, author: kanari-author }\n",
    ),
];

fn furnish(config: &Path) {
    for (path, text) in WRITTEN {
        let file = config.join(path);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let people = config.join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    let teams = "teams:\n  kanari-team: { notifier: kanari-hook, to: [kanari-channel, mail@kanari.example] }";
    let text = text.replacen("teams:", teams, 1).replacen(
        "  admin:\n",
        "  kanari-person:\n    token: { file: secrets/kanari-source.token }\n    teams: [kanari-team]\n    role: viewer\n  admin:\n",
        1,
    );
    std::fs::write(people, text).unwrap();
}

/// An intrusion whose rule, addresses' names and payload carry marks.
fn alerts() -> String {
    intrusion().replace("ET SCAN Potential SSH Scan", "kanari-title").replace(
        "\"proto\":\"TCP\"",
        "\"proto\":\"TCP\",\"host\":\"kanari-sensor\",\"payload_printable\":\"kanari-payload\"",
    )
}

fn bundle_of(site: &Site, more: &[&str], file: &str) -> (Value, Value) {
    let mut args = vec!["support-bundle", "--out", file];
    args.extend(more);
    let listed = site.json(&args);
    let bytes = std::fs::read(site.dir.path().join(file)).unwrap();
    assert_eq!(listed["bytes"], bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    let at = text.to_lowercase().find(MARK);
    assert_eq!(
        at.map(|n| &text[n.saturating_sub(80)..(n + 40).min(text.len())]),
        None,
        "a mark is in the bundle"
    );
    // The same marks as base64 and hexadecimal hold these.
    for form in ["a2FuYXJp", "thbmFya", "rYW5hcm", "6b616e617269"] {
        assert!(!text.contains(form), "{form} is in the bundle");
    }
    for said in ["198.51.100.4", "192.0.2.7", "example.com", "secops", "admin", "stanch.yaml/"] {
        // `admin` is a role of ours as well: only as a value behind `role`.
        let found = text.replace("\"role\": \"admin\"", "").contains(&format!("\"{said}\""));
        assert!(!found, "{said} is in the bundle");
    }
    let bundle = serde_json::from_str(&text).unwrap();
    (listed, bundle)
}

fn part<'v>(bundle: &'v Value, name: &str) -> &'v Value {
    let parts = bundle["parts"].as_array().unwrap();
    &parts.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("no part {name}"))["content"]
}

#[test]
fn a_bundle_has_what_one_mends_by_and_no_word_of_anybody_while_it_runs_and_after() {
    let mut site = Site::new();
    furnish(&site.config());
    site.serve();
    site.pipe(&["ingest", "-", "--source", "kanari-source"], alerts().as_bytes()).ends(0);
    site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
    site.pipe(&["ingest", "-", "--source", "kanari-source"], b"{\"kanari-broken\"\n").ends(0);
    site.run(&["incidents", "note", "INC-1", "kanari-note in the chat"]).ends(0);
    site.run(&["people", "add", "kanari-account", "--role", "viewer"]).ends(0);
    site.run(&["tokens", "make", "kanari-token", "--role", "viewer", "--lasts", "1d"]).ends(0);
    site.pipe(
        &[
            "secret",
            "set",
            "kanari-stored",
            "--connector",
            "kanari-hook",
            "--host",
            "kanari-host.example:8443",
        ],
        b"kanari-value-of-a-stored-secret",
    )
    .ends(0);
    site.run(&["story", "INC-999"]).ends(5);

    let raw = site.run(&["alerts", "raw", "A-1"]).ends(0).out;
    assert!(raw.contains("kanari-sensor") && raw.contains("kanari-payload"), "{raw}");

    // Nothing is written unless it is wanted, and what would be is listed.
    let before = std::fs::read_dir(site.dir.path()).unwrap().count();
    let dry = site.json(&["support-bundle"]);
    assert_eq!(dry["written"], Value::Null);
    assert_eq!(std::fs::read_dir(site.dir.path()).unwrap().count(), before);
    let shown = site.run(&["support-bundle"]).ends(0);
    assert!(
        shown.out.contains("kinds[].entries") && !shown.out.to_lowercase().contains(MARK),
        "{}",
        shown.out
    );

    let (listed, live) = bundle_of(&site, &[], "live.json");
    assert_eq!(part(&live, "about")["running"], true);
    assert_eq!(part(&live, "journal")["verified"]["ok"], true);
    assert_eq!(part(&live, "ledger")["balanced"], true);
    let kinds = part(&live, "journal")["kinds"].as_array().unwrap();
    assert!(kinds.iter().any(|k| k["kind"] == "intake" && k["detail_bytes"].as_u64() > Some(1_000)));
    let codes = part(&live, "errors")["api"].as_array().unwrap();
    assert!(codes.iter().any(|c| c["code"] == "ST0404"), "{codes:?}");
    let files = part(&live, "config")["files"].as_array().unwrap();
    assert_eq!(files.len(), part_files(&site.config()), "every file is there, without its name");
    assert!(files.iter().any(|f| f["content"]["format"] == "suricata"));
    assert!(part(&live, "tables")["incidents"].as_u64() > Some(0));
    let fields: usize =
        listed["parts"].as_array().unwrap().iter().map(|p| p["fields"].as_array().unwrap().len()).sum();
    assert!(fields > 60, "{fields} fields are listed");

    // A file that is there is never replaced, and whoever is no administrator gets none.
    site.run(&["support-bundle", "--out", "live.json"]).ends(1);
    site.run(&["support-bundle", "--as", "secops-lead"]).ends(4);

    assert_eq!(site.stop(), Some(0));
    let (_, after) = bundle_of(&site, &["--data", "stanch/.stanch"], "after.json");
    assert_eq!(part(&after, "about")["running"], false);
    assert_eq!(part(&after, "ledger"), part(&live, "ledger"), "the same placeholders for the same names");

    // The marks were really there to be found.
    let all = everything(&site.config());
    for mark in ["title", "note", "account", "token", "host", "channel", "matcher"] {
        let mark = format!("{MARK}-{mark}");
        assert!(all.contains(&mark), "{mark} was never put anywhere");
    }
}

/// How many files of the configuration are read.
fn part_files(config: &Path) -> usize {
    let folders = ["", "connectors", "correlations", "playbooks", "policies", "sources"];
    let files = |folder: &str| {
        let entries = std::fs::read_dir(config.join(folder)).into_iter().flatten().flatten();
        entries.filter(|e| e.path().extension().is_some_and(|x| x == "yaml")).count()
    };
    folders.into_iter().map(files).sum()
}

/// All bytes of a folder as text; details of the journal are compressed there.
fn everything(folder: &Path) -> String {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                all.write_all(&std::fs::read(entry.path()).unwrap()).unwrap();
            }
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}
