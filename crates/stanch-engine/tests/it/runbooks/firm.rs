//! The firm that the rehearsals of the shipped playbooks happen at: five teams, a device for each kind
//! of change, an inventory, a feed of intelligence, and all ten playbooks at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stanch_connectors::enricher::{Assets, Intel, Warninglists};
use stanch_core::config::Config;
use stanch_core::contain::Seal;
use stanch_engine::Rules;
use stanch_engine::command::Who;

/// The devices, and the kinds of change each of them makes.
pub const DEVICES: [(&str, &[&str]); 4] = [
    ("edge-fw", &["block_address", "limit_address", "block_port"]),
    ("access-switch", &["quarantine_port"]),
    ("directory", &["lock_account", "unlock_account", "reset_credential", "remove_from_group"]),
    ("resolver", &["sinkhole_domain"]),
];

const TEAMS: [&str; 5] = ["secops", "netops", "endpoint", "identity", "data-security"];

const INVENTORY: &str = "\
- { name: machines, ip: 10.0.0.0/8, owner: netops, kind: network, criticality: low }
- { name: servers, ip: 172.16.0.0/12, owner: platform, kind: network, criticality: low }
- { name: web-1, ip: 172.16.24.80, hostname: web-1, owner: platform, kind: server, criticality: high }
";

/// The folder of the shipped playbooks.
pub fn playbooks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

/// Two people a team, of whom either may agree.
fn people() -> String {
    let team = |t: &&str| format!("  {t}: {{ notifier: mail, to: [{t}@example.com] }}\n");
    let person = |t: &&str| {
        let of = |n: &str| {
            format!("  {t}-{n}: {{ token: {{ env: {n} }}, teams: [{t}], role: approver }}\n")
                .replace("env: ", &format!("env: {}_", t.replace('-', "_").to_uppercase()))
        };
        of("LEAD").replace("-LEAD:", "-lead:") + &of("SECOND").replace("-SECOND:", "-second:")
    };
    let teams: String = TEAMS.iter().map(team).collect();
    let persons: String = TEAMS.iter().map(person).collect();
    format!("teams:\n{teams}people:\n{persons}")
}

fn files() -> Vec<(String, String)> {
    let kinds: String = DEVICES
        .iter()
        .flat_map(|(device, kinds)| kinds.iter().map(move |kind| format!("{kind}: {device}\n")))
        .collect();
    let devices: String =
        DEVICES.iter().map(|(d, _)| format!("  - {{ name: {d}, type: simulated }}\n")).collect();
    let mut files = vec![
        ("stanch.yaml".to_owned(), "listen: 127.0.0.1:7878\n".to_owned()),
        (
            "connectors/all.yaml".to_owned(),
            format!("responders:\n{devices}notifiers:\n  - {{ name: mail, type: log }}\n"),
        ),
        ("policies/people.yaml".to_owned(), people()),
        ("policies/routing.yaml".to_owned(), "route:\n  team: secops\n  autonomy: approve\n".to_owned()),
        ("policies/containment.yaml".to_owned(), format!("noc_team: netops\ndefault_ttl: 4h\n{kinds}")),
    ];
    let mut shipped: Vec<PathBuf> =
        std::fs::read_dir(playbooks()).unwrap().map(|e| e.unwrap().path()).collect();
    shipped.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    shipped.sort();
    files.extend(shipped.iter().map(|p| {
        let name = p.file_name().unwrap().to_str().unwrap();
        (format!("playbooks/{name}"), std::fs::read_to_string(p).unwrap())
    }));
    files
}

/// The firm's rules, with real references: inventory, intelligence, warninglists.
pub fn rules() -> Rules {
    let config = stanch_core::config::compile(&files()).unwrap_or_else(|m| panic!("{m:#?}"));
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = Seal::new(&[7; 32]);
    let (assets, mistakes) = Assets::load("inventory.yaml", INVENTORY);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let (feed, mistakes) =
        Intel::load_file("feed", "feed.txt", b"54.190.53.19\n203.0.113.140\nupdates-cdn.example\n");
    assert!(mistakes.is_empty(), "{mistakes:?}");
    rules.references = vec![Arc::new(assets), Arc::new(feed), Arc::new(Warninglists::embedded())];
    rules.enrichers = vec!["references".into()];
    rules.responders = DEVICES.iter().map(|(d, _)| ((*d).to_owned(), false)).collect();
    rules
}

/// The first person of these teams who may agree and is none of `not`.
pub fn somebody(config: &Config, teams: &[String], not: &[String]) -> Option<Who> {
    let mut may = teams.iter().flat_map(|t| {
        config
            .people
            .iter()
            .filter(move |(_, p)| p.role.may(stanch_core::config::May::Decide) && p.teams.contains(t))
    });
    let (name, p) = may.find(|(name, _)| !not.contains(name))?;
    Some(Who { name: name.clone(), role: p.role, teams: p.teams.iter().cloned().collect() })
}
