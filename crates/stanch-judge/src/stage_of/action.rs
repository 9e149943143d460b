//! What an intruder may be doing, in the words of two published vocabularies.

use serde::{Deserialize, Serialize};

/// What an intruder does when a rule fires, finer than a tactic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Which machines answer.
    HostDiscovery,
    /// Which services they offer.
    ServiceDiscovery,
    /// Which of them are weak.
    VulnerabilityDiscovery,
    /// What can be read off a system.
    InformationDiscovery,
    /// Looking at what is public.
    Surfing,
    /// Guessing passwords.
    BruteForce,
    /// Taking or using credentials of others.
    CredentialAccess,
    /// Becoming an administrator.
    PrivilegeEscalation,
    /// Changing accounts and rights.
    AccountManipulation,
    /// Breaking into a web application.
    PublicAppExploit,
    /// Breaking into a network service.
    RemoteServiceExploit,
    /// Running code.
    CodeExecution,
    /// Deceiving people.
    Phishing,
    /// Bringing in files.
    Delivery,
    /// Calling home.
    CommandAndControl,
    /// From machine to machine.
    LateralMovement,
    /// Hiding.
    DefenseEvasion,
    /// Staying.
    Persistence,
    /// Taking data out.
    Exfiltration,
    /// Making a service fail.
    DenialOfService,
    /// Using the machine for one's own ends.
    ResourceHijack,
    /// Destroying data.
    Destruction,
    /// Encrypting or falsifying data.
    Distortion,
    /// Not an attack step by itself.
    Policy,
}

/// One row for each action: its name in `words.txt`, the ATT&CK tactic it belongs to, and its
/// micro and macro stage in the Action-Intent Framework. Source: ATT&CK enterprise 18.1; Moskal and
/// Yang, "Cyberattack Action-Intent-Framework for Mapping Intrusion Observables", 2020, spelled as
/// the published alert sets spell them.
const TABLE: [(Action, &str, &str, &str, &str); 24] = [
    (Action::HostDiscovery, "host_discovery", "discovery", "HOST_DISC", "ACTIVE_RECON"),
    (Action::ServiceDiscovery, "service_discovery", "discovery", "SERVICE_DISC", "ACTIVE_RECON"),
    (
        Action::VulnerabilityDiscovery,
        "vulnerability_discovery",
        "reconnaissance",
        "VULN_DISC",
        "ACTIVE_RECON",
    ),
    (Action::InformationDiscovery, "information_discovery", "discovery", "INFO_DISC", "ACTIVE_RECON"),
    (Action::Surfing, "surfing", "reconnaissance", "SURFING", "PASSIVE_RECON"),
    (Action::BruteForce, "brute_force", "credential-access", "BRUTE_FORCE_CREDS", "PRIVLEDGE_ESC"),
    (Action::CredentialAccess, "credential_access", "credential-access", "USER_PRIV_ESC", "PRIVLEDGE_ESC"),
    (
        Action::PrivilegeEscalation,
        "privilege_escalation",
        "privilege-escalation",
        "ROOT_PRIV_ESC",
        "PRIVLEDGE_ESC",
    ),
    (Action::AccountManipulation, "account_manipulation", "persistence", "ACCT_MANIP", "PRIVLEDGE_ESC"),
    (Action::PublicAppExploit, "public_app_exploit", "initial-access", "PUBLIC_APP_EXP", "TARGETED_EXP"),
    (
        Action::RemoteServiceExploit,
        "remote_service_exploit",
        "initial-access",
        "REMOTE_SERVICE_EXP",
        "TARGETED_EXP",
    ),
    (Action::CodeExecution, "code_execution", "execution", "ARBITRARY_CODE_EXE", "TARGETED_EXP"),
    (Action::Phishing, "phishing", "initial-access", "SPEARPHISHING", "TARGETED_EXP"),
    (Action::Delivery, "delivery", "initial-access", "DATA_DELIVERY", "DELIVERY"),
    (
        Action::CommandAndControl,
        "command_and_control",
        "command-and-control",
        "COMMAND_AND_CONTROL",
        "ENSURE_ACCESS",
    ),
    (Action::LateralMovement, "lateral_movement", "lateral-movement", "LATERAL_MOVEMENT", "ENSURE_ACCESS"),
    (Action::DefenseEvasion, "defense_evasion", "defense-evasion", "DEFENSE_EVASION", "ENSURE_ACCESS"),
    (Action::Persistence, "persistence", "persistence", "COMMAND_AND_CONTROL", "ENSURE_ACCESS"),
    (Action::Exfiltration, "exfiltration", "exfiltration", "DATA_EXFILTRATION", "DISCLOSURE"),
    (Action::DenialOfService, "denial_of_service", "impact", "NETWORK_DOS", "DISRUPT"),
    (Action::ResourceHijack, "resource_hijack", "impact", "RESOURCE_HIJACKING", "DISRUPT"),
    (Action::Destruction, "destruction", "impact", "DATA_DESTRUCTION", "DESTROY"),
    (Action::Distortion, "distortion", "impact", "DATA_ENCRYPTION", "DISTORT"),
    (Action::Policy, "policy", "", "NON_MALICIOUS", "NON_MALICIOUS"),
];

impl Action {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Action> {
        TABLE.iter().map(|row| row.0)
    }

    /// The action of a name, as `words.txt` writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Action> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Its name: `host_discovery`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        self.name().replace('_', " ")
    }

    /// The ATT&CK tactic it belongs to; empty when it is no attack step.
    #[must_use]
    pub fn tactic(self) -> &'static str {
        self.row().2
    }

    /// Its micro stage in the Action-Intent Framework.
    #[must_use]
    pub fn micro(self) -> &'static str {
        self.row().3
    }

    /// Its macro stage in the Action-Intent Framework.
    #[must_use]
    pub fn macro_stage(self) -> &'static str {
        self.row().4
    }

    /// Its place among all.
    #[must_use]
    pub fn number(self) -> usize {
        TABLE.iter().position(|row| row.0 == self).unwrap_or_default()
    }

    /// The action that stands for a tactic of which nothing finer is known.
    #[must_use]
    pub fn of_tactic(tactic: &str) -> Option<Action> {
        Some(match tactic {
            "reconnaissance" | "discovery" | "resource-development" => Action::InformationDiscovery,
            "initial-access" => Action::PublicAppExploit,
            "credential-access" => Action::CredentialAccess,
            "execution" => Action::CodeExecution,
            "persistence" => Action::Persistence,
            "privilege-escalation" => Action::PrivilegeEscalation,
            "defense-evasion" => Action::DefenseEvasion,
            "lateral-movement" => Action::LateralMovement,
            "command-and-control" => Action::CommandAndControl,
            "collection" | "exfiltration" => Action::Exfiltration,
            "impact" => Action::Destruction,
            _ => return None,
        })
    }

    fn row(self) -> &'static (Action, &'static str, &'static str, &'static str, &'static str) {
        // Every action has a row: `every_action_has_one_row` counts them.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[23])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_one_row_and_a_tactic_that_leads_back_near_it() {
        for (i, action) in Action::all().enumerate() {
            assert_eq!(action.number(), i);
            assert_eq!(Action::named(action.name()), Some(action));
            if action != Action::Policy {
                assert!(Action::of_tactic(action.tactic()).is_some(), "{}", action.name());
            }
        }
        assert_eq!(Action::Policy.number() + 1, TABLE.len());
    }
}
