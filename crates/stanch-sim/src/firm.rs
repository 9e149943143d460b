//! The firm that every world is about: two firewalls' worth of policy, playbooks of every shape, and
//! two people.

use std::sync::Arc;

use stanch_connectors::format;
use stanch_core::config::Role;
use stanch_core::contain::Seal;
use stanch_engine::command::Who;
use stanch_engine::{Received, Rules};
use stanch_model::fact::Criticality;
use stanch_model::port::{Delivery, Reference};
use stanch_model::{Fact, Meaning, Observable, Span, Timestamp};

/// When every story begins.
pub(crate) const START: Timestamp = Timestamp(1_790_000_000_000);

const FILES: &[(&str, &str)] = &[
    ("stanch.yaml", "listen: 127.0.0.1:7878\n"),
    ("sources/ids.yaml", "format: suricata\ncredential:\n  bearer: { env: X }\n"),
    (
        "connectors/all.yaml",
        "responders:\n  - { name: edge, type: simulated }\nnotifiers:\n  - { name: mail, type: log }\n",
    ),
    (
        "connectors/calls.yaml",
        "responders:\n  - name: http\n    type: http\n    allow: [ '127.0.0.1:9' ]\n    allow_private: [ 127.0.0.1/32 ]\n    calls:\n      - { name: ticket, inputs: { about: text }, changes: false, ask: { url: 'http://127.0.0.1:9/ticket' } }\n      - { name: close, changes: false, ask: { url: 'http://127.0.0.1:9/close' } }\n      - { name: confirm, changes: false, ask: { url: 'http://127.0.0.1:9/confirm' } }\n      - { name: look, inputs: { who: text }, changes: false, ask: { url: 'http://127.0.0.1:9/look' } }\n      - { name: poll, changes: false, ask: { url: 'http://127.0.0.1:9/poll' } }\n      - { name: echo, changes: false, ask: { url: 'http://127.0.0.1:9/echo' } }\n",
    ),
    (
        "policies/people.yaml",
        "teams:\n  secops: { notifier: mail, to: [secops@example.com] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  lead: { token: { env: X }, teams: [secops], role: approver }\n  second: { token: { env: Y }, teams: [secops], role: approver }\n",
    ),
    (
        "policies/routing.yaml",
        "route:\n  team: secops\n  escalation: steps\n  autonomy: approve\n  routes:\n    - { matchers: [ 'kind = \"c2\"' ], autonomy: act }\nescalations:\n  steps:\n    rules:\n      - { teams: [secops], wait: 5m }\n      - { teams: [secops, netops], wait: 10m }\n    repeat: 1\n",
    ),
    (
        "policies/containment.yaml",
        "protected:\n  - { net: 198.51.100.0/24, why: our partners }\nblock_address: edge\nnoc_team: netops\ndefault_ttl: 1h\nmax_active: 1000\nmax_per_10_minutes: 100\n",
    ),
    (
        "playbooks/c2.yaml",
        "name: c2\nsummary: block a caller home\nwhen: incident.kind == \"c2\" && incident.peer != \"\"\nsteps:\n  - id: block\n    block_address: { target: incident.peer, approvers: [secops], expires: 15m }\n  - id: check\n    on_failure: continue\n    verify: all\n  - id: hold\n    wait: lifted\nsop: by hand\n",
    ),
    (
        "playbooks/careful.yaml",
        "name: careful\nsummary: block, ask, and undo when anything fails\nwhen: incident.kind == \"c2\" && incident.peer != \"\"\nsteps:\n  - id: block\n    block_address: { target: incident.peer, approvers: [secops], expires: 15m, ttl: 30m }\n  - id: ticket\n    on_failure: unwind\n    fetch: { call: ticket, with: { about: incident.id } }\n    compensate:\n      - { id: close, retry: { times: 2, wait: 10s }, fetch: { call: close } }\n  - id: confirm\n    on_failure: unwind\n    retry: { times: 1, wait: 30s }\n    fetch: { call: confirm }\n  - id: check\n    on_failure: continue\n    verify: all\nsop: by hand\n",
    ),
    (
        "playbooks/scan.yaml",
        "name: scan\nsummary: look around while somebody is asked\nwhen: incident.kind == \"scan\" || incident.kind == \"exploit\"\nsteps:\n  - id: race\n    parallel:\n      until: any\n      branches:\n        person: [ { id: ask, manual: { task: have a look, team: secops, form: { bad: { type: bool, default: false } }, expires: 1h } } ]\n        machine:\n          - { id: know, on_failure: continue, enrich: { about: incident.peer } }\n          - { id: pause, wait: 10m }\n  - id: each\n    for_each:\n      in: incident.victims\n      at_most: 50\n      steps:\n        - { id: look, on_failure: continue, retry: { times: 2, wait: 5s }, fetch: { call: look, with: { who: item } } }\n  - { id: sub, on_failure: continue, run: { playbook: helper, with: { n: 3 } } }\n  - { id: ask2, approve: { question: close it?, approvers: [secops], expires: 30m } }\nsop: by hand\n",
    ),
    (
        "playbooks/helper.yaml",
        "name: helper\nsummary: counts\non: called\ninputs: { n: { type: integer } }\noutputs: { n: inputs.n }\nsteps:\n  - id: again\n    on_failure: continue\n    repeat:\n      while: \"!has(steps.poll) || steps.poll.failed\"\n      at_most: 3\n      every: 20s\n      steps:\n        - { id: poll, on_failure: continue, timeout: 1m, fetch: { call: poll } }\nsop: by hand\n",
    ),
    (
        "playbooks/greet.yaml",
        "name: greet\nsummary: answers\non: hook\ninputs: { body: { type: map } }\nsteps:\n  - id: fork\n    if:\n      condition: inputs.body.n > 2\n      then: [ { id: big, set: { size: '\"big\"' } } ]\n      else: [ { id: small, set: { size: '\"small\"' } } ]\n  - { id: call, retry: { times: 2, wait: 1s }, timeout: 2m, fetch: { call: echo } }\n  - { id: answer, reply: { ok: true } }\n  - { id: until, on_failure: continue, wait: { until: inputs.body.n > 5, at_most: 5m } }\nsop: by hand\n",
    ),
];

/// One of ours for every address in 10/8.
struct Ours;

impl Reference for Ours {
    fn name(&self) -> &str {
        "assets"
    }

    fn look_up(&self, _: &str, about: &Observable) -> Vec<Fact> {
        if !about.value.starts_with("10.") {
            return Vec::new();
        }
        let meaning = Meaning::Asset {
            name: format!("host-{}", about.value.replace('.', "-")),
            criticality: Criticality::Medium,
            owner: None,
            kind: None,
        };
        vec![Fact { provider: "assets".into(), about: about.clone(), meaning }]
    }
}

/// The firm's rules. `None` when its own files do not load, which a test looks at.
pub(crate) fn rules() -> Result<Rules, String> {
    let files: Vec<(String, String)> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let config = stanch_core::config::compile(&files).map_err(|m| format!("{m:#?}"))?;
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = Seal::new(&[7; 32]);
    rules.references = vec![Arc::new(Ours)];
    rules.enrichers = vec!["assets".into()];
    rules.responders.insert("edge".into(), false);
    Ok(rules)
}

/// Somebody of the firm.
pub(crate) fn person(name: &str) -> Who {
    Who { name: name.into(), role: Role::Approver, teams: ["secops".to_owned()].into() }
}

/// What facts are known about an address, as the firm's enricher answers.
pub(crate) fn facts(about: &Observable) -> Vec<Fact> {
    Ours.look_up("default", about)
}

/// One alert of the intrusion detection system.
pub(crate) fn alert(at: Timestamp, sid: u64, kind: u64, victim: u64, other: u64) -> Received {
    let ours = format!("10.0.0.{victim}");
    // One of the others is protected: the guard has to refuse it.
    let theirs = if other == 0 { "198.51.100.3".into() } else { format!("203.0.113.{other}") };
    let (class, severity, src, dst) = match kind {
        0 => ("A Network Trojan was detected", 1, ours, theirs),
        1 => ("Attempted Information Leak", 2, theirs, ours),
        _ => ("Web Application Attack", 1, theirs, ours),
    };
    let body = format!(
        r#"{{"timestamp":"{at}","flow_id":{},"event_type":"alert","src_ip":"{src}","src_port":40000,"dest_ip":"{dst}","dest_port":443,"proto":"TCP","stream":1,"app_proto":"http","alert":{{"action":"allowed","gid":1,"signature_id":{sid},"rev":1,"signature":"rule {sid}","category":"{class}","severity":{severity}}},"flow":{{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":900,"bytes_toclient":800}}}}"#,
        at.0.unsigned_abs().wrapping_add(sid)
    );
    let format = format::by_name("suricata");
    let records =
        format.map(|f| f.parse(Delivery { body: body.as_bytes(), received: at })).unwrap_or_default();
    Received {
        source: "ids".into(),
        site: "default".into(),
        body: body.into_bytes(),
        records,
        retry_of: None,
    }
}

/// A day, for clocks that jump.
pub(crate) const DAY: Span = Span::hours(24);
