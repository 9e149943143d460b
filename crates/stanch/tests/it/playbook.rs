//! Playbooks looked at before anybody runs them.

use std::path::PathBuf;

use crate::site::Site;

/// The playbooks that are shipped.
fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

/// Puts a shipped playbook into the site's configuration, changed.
fn put(site: &Site, name: &str, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(shipped().join(format!("{name}.yaml"))).unwrap();
    assert!(text.contains(from), "{from}");
    let path = format!("stanch/playbooks/{name}.yaml");
    std::fs::create_dir_all(site.dir.path().join("stanch/playbooks")).unwrap();
    std::fs::write(site.dir.path().join(&path), text.replacen(from, to, 1)).unwrap();
    path
}

#[test]
fn the_shipped_playbooks_fit_the_configuration_that_init_writes() {
    let site = Site::new();
    for file in std::fs::read_dir(shipped()).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        put(&site, name, "name:", "name:");
    }
    let said = site.run(&["playbook", "check", "stanch", "--json"]).ends(0).json();
    assert_eq!((said["ok"].as_bool(), said["checked"].as_u64()), (Some(true), Some(10)), "{said}");
    let alone = shipped();
    let said = site.run(&["playbook", "check", alone.to_str().unwrap()]).ends(0);
    assert!(said.out.is_empty() && said.err.contains("10 playbooks, 0 mistakes, 0 warnings"), "{}", said.err);
}

#[test]
fn mistakes_are_told_with_their_place_and_end_with_three() {
    let site = Site::new();
    let path = put(&site, "c2-beacon", "approvers: [netops, secops]", "approvers: [netop]");
    let said = site.run(&["playbook", "check", &path]).ends(3);
    assert!(said.out.starts_with("playbooks/c2-beacon.yaml:"), "{}", said.out);
    assert!(said.out.contains("there is no team \"netop\""), "{}", said.out);
    assert!(said.out.contains("mend: did you mean \"netops\"?"), "{}", said.out);
    let path = put(&site, "c2-beacon", "target: incident.peer", "target: incident.title");
    let said = site.run(&["playbook", "explain", &path]).ends(3);
    assert!(said.out.is_empty() && said.err.contains("free text never becomes a target"), "{}", said.err);
    site.run(&["playbook", "check", "nowhere.yaml"]).ends(5);
}

#[test]
fn a_plan_is_explained_drawn_and_compared() {
    let site = Site::new();
    let old = put(&site, "ransomware", "name:", "name:");
    let said = site.run(&["playbook", "explain", &old, "--sop"]).ends(0);
    for words in ["Who is asked", "How it is undone\n", "cage: by itself after 7d", "By hand"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(site.run(&["playbook", "graph", &old]).ends(0).out.contains("├─ "));
    assert!(site.run(&["playbook", "graph", &old, "--dot"]).ends(0).out.starts_with("digraph"));
    assert!(site.run(&["playbook", "graph", &old, "--mermaid"]).ends(0).out.starts_with("flowchart TD"));
    assert!(site.run(&["playbook", "graph", &old, "--svg"]).ends(0).out.starts_with("<svg"));
    assert!(site.json(&["playbook", "graph", &old])["nodes"].as_array().unwrap().len() > 10);
    let new = site.dir.path().join("ransomware.yaml");
    let text = std::fs::read_to_string(site.dir.path().join(&old)).unwrap();
    std::fs::write(&new, text.replacen("ttl: 24h", "ttl: 7d", 1)).unwrap();
    let said = site.run(&["playbook", "diff", &old, "ransomware.yaml", "--strict"]).ends(3);
    assert_eq!(said.out, "! smb: time to live: was 1d, is 7d\n");
    let same = site.run(&["playbook", "diff", &old, &old, "--strict"]).ends(0);
    assert!(same.out.is_empty() && same.err.contains("they do the same"), "{}", same.err);
}

#[test]
fn the_schema_that_is_printed_is_the_one_that_is_committed() {
    let site = Site::new();
    let printed = site.run(&["playbook", "schema"]).ends(0).out;
    assert!(printed == include_str!("../../../../docs/reference/playbook.schema.json"));
}

#[test]
fn a_shipped_runbook_is_added_once_and_what_it_lacks_is_said() {
    let site = Site::new();
    let there = |name: &str| site.dir.path().join(format!("stanch/playbooks/{name}.yaml")).exists();
    let rows = site.run(&["playbook", "shipped", "--json"]).ends(0).json();
    assert_eq!(rows["playbooks"].as_array().map(Vec::len), Some(10), "{rows}");
    site.run(&["playbook", "add", "ransomware", "--dry-run"]).ends(0);
    assert!(!there("ransomware"));
    let said = site.run(&["playbook", "add", "ransomware"]).ends(0);
    assert!(
        there("ransomware") && said.out.contains("no responder is configured for quarantine_port"),
        "{}",
        said.out
    );
    let mine = "# mine\n";
    std::fs::write(site.dir.path().join("stanch/playbooks/ddos.yaml"), mine).unwrap();
    let said = site.run(&["playbook", "add", "ddos"]).ends(0);
    assert!(said.out.contains("stays as it is"), "{}", said.out);
    assert_eq!(std::fs::read_to_string(site.dir.path().join("stanch/playbooks/ddos.yaml")).unwrap(), mine);
    let said = site.run(&["playbook", "add", "ransomwar"]).ends(5);
    assert!(said.err.contains("did you mean \"ransomware\"?"), "{}", said.err);
}
