//! The commented configuration folder that `stanch init DIR` writes.
//!
//! It is a working configuration: it compiles without mistakes, changes nothing real and reaches
//! nobody until somebody puts a device and a mail server in. Each key behind `#` without a space
//! shows its default, and a test keeps that true.

macro_rules! files {
    ($($path:literal => $file:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("template/", $file)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "README.md" => "README.md",
    ".gitignore" => "gitignore",
    "stanch.yaml" => "stanch.yaml",
    "sources/alertmanager.yaml" => "sources/alertmanager.yaml",
    "sources/generic-scanner.yaml" => "sources/generic-scanner.yaml",
    "sources/pagerduty.yaml" => "sources/pagerduty.yaml",
    "sources/suricata.yaml" => "sources/suricata.yaml",
    "sources/wazuh.yaml" => "sources/wazuh.yaml",
    "sources/zeek.yaml" => "sources/zeek.yaml",
    "connectors/enrichers.yaml" => "connectors/enrichers.yaml",
    "connectors/notifiers.yaml" => "connectors/notifiers.yaml",
    "connectors/responders.yaml" => "connectors/responders.yaml",
    "policies/containment.yaml" => "policies/containment.yaml",
    "policies/people.yaml" => "policies/people.yaml",
    "policies/routing.yaml" => "policies/routing.yaml",
    "policies/silences.yaml" => "policies/silences.yaml",
    "policies/triage.yaml" => "policies/triage.yaml",
    "inventory/assets.csv" => "inventory/assets.csv",
];

/// Secrets that the folder refers to, relative to it: the shell fills each with a random token of
/// its own, readable by the owner only.
pub const SECRETS: &[&str] = &[
    "secrets/admin.token",
    "secrets/alertmanager.token",
    "secrets/data-security-lead.token",
    "secrets/endpoint-lead.token",
    "secrets/generic-scanner.key",
    "secrets/identity-lead.token",
    "secrets/netops-lead.token",
    "secrets/pagerduty.key",
    "secrets/secops-lead.token",
    "secrets/suricata.token",
    "secrets/wazuh.token",
    "secrets/zeek.token",
];

/// The playbook that comes with the product, as it stands in the repository.
const PLAYBOOK: (&str, &str) =
    ("playbooks/c2-beacon.yaml", include_str!("../../../../playbooks/c2-beacon.yaml"));

/// The files of the folder: path relative to it, and text.
#[must_use]
pub fn template() -> Vec<(&'static str, &'static str)> {
    FILES.iter().copied().chain([PLAYBOOK]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use stanch_model::ActionKind;

    use crate::config::{
        Autonomy, Config, ContainmentPolicy, Credential, MAPPED_FIELDS, Mistake, SecretRef, ServerConfig,
        TriagePolicy, compile,
    };

    use super::*;

    /// Takes away each `#` that stands directly before a key.
    fn uncommented(text: &str) -> String {
        let line = |line: &str| {
            let at = line.len() - line.trim_start().len();
            let key = line[at..]
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            match key {
                Some(key) => format!("{}{key}\n", &line[..at]),
                None => format!("{line}\n"),
            }
        };
        text.lines().map(line).collect()
    }

    fn compiled(change: impl Fn(&str) -> String) -> Config {
        let files: Vec<(String, String)> =
            template().iter().map(|(path, text)| ((*path).to_owned(), change(text))).collect();
        compile(&files).unwrap_or_else(|all| {
            let all: Vec<String> = all.iter().map(Mistake::render).collect();
            panic!("{}", all.join("\n"))
        })
    }

    #[test]
    fn the_template_compiles_without_mistakes_or_warnings() {
        let config = compiled(str::to_owned);
        let warnings: Vec<String> = config.warnings.iter().map(Mistake::render).collect();
        assert_eq!(warnings, Vec::<String>::new());
        let teams: Vec<&str> = config.teams.keys().map(String::as_str).collect();
        assert_eq!(teams, ["data-security", "endpoint", "identity", "netops", "secops"]);
        assert_eq!(config.sources.len(), 6);
        assert_eq!(config.routes.autonomy, Some(Autonomy::Approve));
        assert!(config.escalations["critical"].rules.len() > 2);
    }

    #[test]
    fn every_default_shown_is_the_real_default() {
        let (mut shown, mut real) = (compiled(uncommented), compiled(str::to_owned));
        assert_eq!(shown.server, ServerConfig::default());
        assert_eq!(shown.triage, TriagePolicy::default());
        let ContainmentPolicy { protected, responders, noc_team, .. } = shown.containment.clone();
        let but = ContainmentPolicy { protected, responders, noc_team, ..ContainmentPolicy::default() };
        assert_eq!(shown.containment, but);
        // Which responder does what has no default: it is only shown.
        shown.containment.responders.clone_from(&real.containment.responders);
        assert_ne!(shown.hash, real.hash, "nothing was behind a #");
        shown.hash.clear();
        real.hash.clear();
        assert_eq!(format!("{shown:#?}"), format!("{real:#?}"));
    }

    /// Every key that a reader knows, taken from the readers themselves so that none is forgotten.
    fn keys() -> BTreeSet<&'static str> {
        let lists =
            regex::Regex::new(r"(?:finish\(\s*|KEYS: &\[&str\] =\s*|KINDS: &\[&str\] =\s*)&\[([^\]]*)\]");
        let lists = lists.expect("a regular expression");
        let readers = [
            include_str!("calls.rs"),
            include_str!("common.rs"),
            include_str!("connectors.rs"),
            include_str!("containment.rs"),
            include_str!("preauthorisations.rs"),
            include_str!("people.rs"),
            include_str!("policy.rs"),
            include_str!("responders.rs"),
            include_str!("routing.rs"),
            include_str!("server.rs"),
            include_str!("sources.rs"),
        ];
        let lists = readers.iter().flat_map(|text| lists.captures_iter(text));
        lists.flat_map(|c| c.extract::<1>().1[0].split('"').skip(1).step_by(2)).collect()
    }

    #[test]
    fn every_key_is_explained() {
        assert!(keys().len() > 60, "{:?}", keys());
        let text: String = template().iter().map(|(_, text)| *text).collect();
        for key in keys().into_iter().chain(MAPPED_FIELDS.iter().copied()) {
            let ends = [":", ",", ".", " (", "\n"];
            let explained = ends.iter().any(|end| text.contains(&format!(" {key}{end}")))
                || text.contains(&format!("#{key}:"))
                || text.contains(&format!("\n{key}:"));
            assert!(explained, "`{key}` is not in the template");
        }
    }

    /// Takes the examples of responders out of their comments.
    fn examples(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix("  # ") {
            Some(rest) if rest.starts_with("- name:") || rest.starts_with("  ") => format!("  {rest}\n"),
            _ => format!("{line}\n"),
        };
        // The first example has the name of the pretended one.
        text.lines().map(line).collect::<String>().replacen(
            "name: edge-fw\n    type: nft",
            "name: nft\n    type: nft",
            1,
        )
    }

    #[test]
    fn every_responder_shown_is_one_that_can_be_configured() {
        let text = template().into_iter().find(|(path, _)| *path == "connectors/responders.yaml");
        let text = examples(text.expect("the file").1);
        let file = |(path, old): &(&str, &str)| {
            let new = if *path == "connectors/responders.yaml" { text.clone() } else { (*old).to_owned() };
            ((*path).to_owned(), new)
        };
        let files: Vec<(String, String)> = template().iter().map(file).collect();
        let config = compile(&files).unwrap_or_else(|all| {
            panic!("{}", all.iter().map(Mistake::render).collect::<Vec<_>>().join("\n"))
        });
        let kinds: BTreeSet<&str> = config.connectors.responders.iter().map(|r| r.kind()).collect();
        let all = ["exec", "http", "ldap", "nftables", "open_vswitch", "rpz", "simulated"];
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
        let (with, call) = config.connectors.call("host_facts").expect("a declared call");
        assert_eq!((with.name(), call.changes()), ("edr", false));
        assert!(config.connectors.call("isolate_host").is_some_and(|(_, call)| call.changes()));
        // Each call goes to the connector that declares it, however many declare some.
        let with = |call: &str| {
            let (call, subject) = (call.to_owned(), "web-1".to_owned());
            config.responder_for(&ActionKind::Call { call, subject, inputs: BTreeMap::new() })
        };
        assert_eq!((with("isolate_host"), with("port_down")), (Some("edr"), Some("tools")));
        assert_eq!(with("nobody_declares_this"), None);
    }

    #[test]
    fn all_secrets_are_listed_and_kept_out_of_version_control() {
        let config = compiled(str::to_owned);
        let of_source = |credential: &Credential| match credential {
            Credential::Bearer(secret) | Credential::RoutingKey(secret) => vec![secret.clone()],
            Credential::Hmac { secrets, .. } => secrets.clone(),
            Credential::Certificate(_) => Vec::new(),
        };
        let mut used: BTreeSet<String> = BTreeSet::new();
        let sources = config.sources.values().filter_map(|s| s.credential.as_ref()).flat_map(of_source);
        for secret in sources.chain(config.people.values().filter_map(|p| p.token.clone())) {
            let SecretRef::File(path) = secret else { panic!("{secret:?} is no file") };
            used.insert(path);
        }
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), SECRETS);
        assert!(template().iter().any(|(path, text)| *path == ".gitignore" && text.contains("secrets/")));
    }

    #[test]
    fn addresses_are_from_the_ranges_for_documentation() {
        for (path, text) in template() {
            let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
            let dotted = words.filter(|w| w.split('.').filter(|n| !n.is_empty()).count() == 4);
            for address in dotted.filter(|w| !w.starts_with("127.")) {
                assert!(address.starts_with("192.0.2."), "{address} in {path}");
            }
        }
    }
}
