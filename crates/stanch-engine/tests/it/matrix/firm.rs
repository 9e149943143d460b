//! Ten firms, one for each kind of change, with one playbook that makes it.

use std::sync::Arc;

use stanch_core::config::Role;
use stanch_core::contain::Seal;
use stanch_engine::command::Who;
use stanch_engine::{Received, Rules};

use crate::world::call_home;

/// Every kind of change, as a step writes it.
pub const KINDS: [(&str, &str); 10] = [
    ("block_address", "target: incident.peer"),
    ("limit_address", "target: incident.peer, packets_per_second: 10"),
    ("block_port", "target: incident.peer, protocol: tcp, port: 445"),
    ("quarantine_port", "port: inputs.port, vlan: 666"),
    ("lock_account", "account: inputs.account"),
    ("unlock_account", "account: inputs.account"),
    ("reset_credential", "account: inputs.account"),
    ("remove_from_group", "account: inputs.account, group: '\"vpn-users\"'"),
    ("sinkhole_domain", "domain: inputs.domain"),
    ("call", "call: isolate, subject: incident.peer, with: { host: incident.peer }"),
];

/// The one kind that cannot be undone: a password that is gone does not come back.
pub const LASTING: &str = "reset_credential";

const PEOPLE: &str = "teams:\n  secops: { notifier: mail, to: [secops@example.com] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  lead: { token: { env: X }, teams: [secops], role: approver }\n  second: { token: { env: Y }, teams: [secops], role: approver }\n";

fn playbook(kind: &str, target: &str) -> String {
    let (before, how, after) = if kind == LASTING {
        ("  - { id: sure, approve: { question: sure?, approvers: [secops] } }\n", "undo: none", "")
    } else {
        ("", "ttl: 10m", "  - { id: hold, wait: lifted }\n")
    };
    let given = [("port", "eth5"), ("account", "svc-copy"), ("domain", "bad.example.net")];
    let given = given.iter().find(|(name, _)| target.contains(&format!("inputs.{name}")));
    let inputs = given.map_or(String::new(), |(name, value)| {
        format!("inputs: {{ {name}: {{ type: {name}, default: {value} }} }}\n")
    });
    format!(
        "name: one\nsummary: makes one change\nwhen: incident.kind == \"c2\" && incident.peer != \"\"\n{inputs}steps:\n{before}  - id: change\n    {kind}: {{ {target}, {how}, approvers: [secops], expires: 1h }}\n  - id: check\n    on_failure: continue\n    verify: all\n{after}sop: by hand\n"
    )
}

/// The rules of the firm that can make this kind of change.
pub fn rules(kind: &str, target: &str) -> Rules {
    let call = "  - name: edr\n    type: http\n    allow: [ '127.0.0.1:9' ]\n    allow_private: [ 127.0.0.1/32 ]\n    calls:\n      - name: isolate\n        inputs: { host: text }\n        perform: { method: PUT, url: 'http://127.0.0.1:9/{host}' }\n        verify: { url: 'http://127.0.0.1:9/{host}', outcome: /state, equals: isolated }\n        revert: { method: DELETE, url: 'http://127.0.0.1:9/{host}' }\n";
    let (more, made_by) =
        if kind == "call" { (call, String::new()) } else { ("", format!("{kind}: edge\n")) };
    let files = [
        ("stanch.yaml", "listen: 127.0.0.1:7878\n".to_owned()),
        ("sources/ids.yaml", "format: suricata\ncredential:\n  bearer: { env: X }\n".to_owned()),
        (
            "connectors/all.yaml",
            format!(
                "responders:\n  - {{ name: edge, type: simulated }}\n{more}notifiers:\n  - {{ name: mail, type: log }}\n"
            ),
        ),
        ("policies/people.yaml", PEOPLE.to_owned()),
        ("policies/routing.yaml", "route:\n  team: secops\n".to_owned()),
        ("policies/containment.yaml", format!("noc_team: netops\ndefault_ttl: 10m\n{made_by}")),
        ("playbooks/one.yaml", playbook(kind, target)),
    ];
    let files: Vec<(String, String)> = files.into_iter().map(|(p, t)| (p.to_owned(), t)).collect();
    let config = stanch_core::config::compile(&files).unwrap_or_else(|m| panic!("{kind}: {m:#?}"));
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = Seal::new(&[7; 32]);
    rules.responders.insert("edge".into(), false);
    rules.responders.insert("edr".into(), false);
    rules
}

/// A machine of ours calls home.
pub fn alert() -> Received {
    crate::world::parsed("ids", &call_home(0, "10.0.0.7", "203.0.113.9"))
}

/// One of the two who may agree.
pub fn person(name: &str) -> Who {
    Who { name: name.into(), role: Role::Approver, teams: ["secops".to_owned()].into() }
}
