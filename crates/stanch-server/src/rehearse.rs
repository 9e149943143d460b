//! A playbook rehearsed: wired like a start, on a journal in memory and a world that only pretends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;
use stanch_connectors::format;
use stanch_connectors::format::generic::{GenericFormat, Mapping};
use stanch_core::Config;
use stanch_core::config::{Mistake, Role};
use stanch_core::contain::Seal;
use stanch_core::playbook::{Playbook, Trigger};
use stanch_engine::command::Who;
use stanch_engine::rehearse::{Line, Play, Trouble, play};
use stanch_engine::{Command, EngineError, Hand, Received, Rules, Start};
use stanch_model::port::{Delivery, Format as _, Journal as _, JournalReader as _, NewEntry, Parsed, Record};
use stanch_model::{IncidentId, RunId, Span, Timestamp};
use stanch_store::{MemoryJournal, SqliteJournal};

/// Most moves after which a crash is tried.
const CRASHES: u32 = 200;
/// Entries read at a time.
const PAGE: usize = 2_048;

/// Why there is nothing to begin with.
const NO_INCIDENT: &str = "these alerts open no incident";

/// Kinds of change that the made-up firm can make.
const KINDS: [&str; 10] = [
    "block_address",
    "limit_address",
    "block_port",
    "quarantine_port",
    "lock_account",
    "unlock_account",
    "reset_credential",
    "remove_from_group",
    "sinkhole_domain",
    "call",
];

/// What is to be rehearsed, and on what.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The configuration folder; without one a small firm is made up.
    pub config_dir: Option<PathBuf>,
    /// The playbook's name and text.
    pub playbook: (String, String),
    /// Alerts to begin with, delivery by delivery.
    pub alerts: Vec<Alerts>,
    /// An incident of this store to begin with.
    pub incident: Option<(PathBuf, IncidentId)>,
    /// What a hook or a called playbook is given.
    pub inputs: Json,
    /// What declared calls answer, by name, and what people say and fill in, by the step's name.
    pub answers: BTreeMap<String, Json>,
    /// When it begins; old alerts take it back to two seconds after the latest of them.
    pub now: Timestamp,
}

/// One delivery of alerts.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Their format, for example `suricata`; `generic` needs a mapping.
    pub format: String,
    /// How a product's own fields become an alert, for the format `generic`.
    pub mapping: Option<Mapping>,
    /// The bytes as they would be delivered.
    pub body: Vec<u8>,
}

impl Alerts {
    /// Takes them apart.
    fn records(&self, received: Timestamp) -> Result<Vec<Record>, String> {
        let delivery = Delivery { body: &self.body, received };
        match (format::by_name(&self.format), &self.mapping) {
            (Some(format), _) => Ok(format.parse(delivery)),
            (None, Some(mapping)) if self.format == "generic" => {
                let format = GenericFormat::compile("rehearsal", mapping.clone());
                let format =
                    format.map_err(|all| all.iter().map(|m| format!("{m}\n")).collect::<String>())?;
                Ok(format.parse(delivery))
            }
            (None, _) if self.format == "generic" => Err("the format generic needs a mapping".to_owned()),
            (None, _) => Err(format!("there is no format {}", self.format)),
        }
    }
}

/// What a rehearsal came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The playbook.
    pub playbook: String,
    /// The plan as it goes when nothing fails.
    pub plan: Play,
    /// Crashes tried; after each the run went on and ended the same way, or is listed here.
    pub crashes: u32,
    /// Moves after which a crash changed the end.
    pub crash_findings: Vec<String>,
    /// What follows when one outward step fails for good: each in turn.
    pub failures: Vec<Failing>,
}

/// One outward step failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failing {
    /// What failed.
    pub step: String,
    /// How the run ended.
    pub end: String,
    /// What was left in place.
    pub left: Vec<String>,
    /// Laws that did not hold.
    pub breaches: Vec<String>,
}

impl Report {
    /// True when the plan ends, and no law was broken on any way.
    #[must_use]
    pub fn sound(&self) -> bool {
        !self.plan.end.is_empty()
            && self.plan.breaches.is_empty()
            && self.crash_findings.is_empty()
            && self.failures.iter().all(|f| f.breaches.is_empty() && !f.end.is_empty())
    }
}

/// Rehearses. Blocks while it does.
///
/// # Errors
/// In words: the playbook or the configuration cannot be read, or there is nothing to begin with.
pub fn rehearse(asked: &Rehearsal) -> Result<Report, String> {
    let (name, text) = &asked.playbook;
    let path = format!("{name}.yaml");
    let playbook = stanch_core::playbook::load::load(name, &path, text).map_err(|m| words(&m))?;
    let mut rules = rules(asked.config_dir.as_deref(), playbook.clone())?;
    let now = begins(asked)?;
    let weak = Begin { asked, playbook: &playbook, rules: &rules }.opens_nothing(now);
    if weak {
        rules.config = Arc::new(open_to_all(&rules.config));
    }
    let begin = Begin { asked, playbook: &playbook, rules: &rules };
    let once = |trouble: Trouble| {
        let mut journal = MemoryJournal::new();
        let mut run = None;
        let mut failed = None;
        let played = play(
            &mut |now, again| {
                if !again {
                    journal = MemoryJournal::new();
                }
                let hand = begin.open(&journal, now, again, &mut run, &mut failed)?;
                Ok((hand, run.unwrap_or_default()))
            },
            now,
            &asked.answers,
            trouble,
        );
        match failed {
            Some(why) => Err(why),
            None => played.map_err(|e| e.to_string()),
        }
    };
    let mut plan = once(Trouble::default())?;
    let steps =
        |p: &Play| p.lines.iter().filter(|l| l.what == "step").map(|l| l.text.clone()).collect::<Vec<_>>();
    let (mut crashes, mut crash_findings) = (0, Vec::new());
    for after in 1..=CRASHES.min(plan.lines.len() as u32 + 2) {
        let crashed = once(Trouble { crash_after: Some(after), fail: None })?;
        crashes += 1;
        if crashed.end != plan.end || steps(&crashed) != steps(&plan) || !crashed.breaches.is_empty() {
            crash_findings.push(format!(
                "after move {after}: {} {}",
                crashed.end,
                crashed.breaches.join("; ")
            ));
        }
    }
    let mut failures = Vec::new();
    for fail in 0..plan.outward {
        let failed = once(Trouble { crash_after: None, fail: Some(fail) })?;
        let step = failed.lines.iter().find(|l| l.text.contains("failed:")).map(|l| l.text.clone());
        failures.push(Failing {
            step: step.unwrap_or_else(|| format!("outward step {}", fail + 1)),
            end: failed.end,
            left: failed.left,
            breaches: failed.breaches,
        });
    }
    if weak {
        let text = format!("{NO_INCIDENT} by what is known here; the rehearsal opens one all the same");
        plan.lines.insert(0, Line { after: "0s".into(), what: "alerts".into(), text });
    }
    Ok(Report { playbook: name.clone(), plan, crashes, crash_findings, failures })
}

/// A recording of long ago is played as if it were new: evidence that is old changes nothing.
fn begins(asked: &Rehearsal) -> Result<Timestamp, String> {
    let mut latest = None;
    for alerts in &asked.alerts {
        for record in alerts.records(asked.now)? {
            if let Ok(Parsed::Alert { alert, .. }) = record.parsed {
                latest = latest.max(Some(alert.time));
            }
        }
    }
    Ok(latest.map_or(asked.now, |t: Timestamp| t.plus(Span::secs(2)).min(asked.now)))
}

/// The rules of the folder, or of a small firm, with this playbook and those it may call.
fn rules(folder: Option<&Path>, playbook: Playbook) -> Result<Rules, String> {
    let config = match folder {
        Some(folder) => crate::config_dir::compiled(folder).ok_or_else(|| {
            format!("the configuration in {} has mistakes; see `stanch check`", folder.display())
        })?,
        None => Arc::new(small_firm(&playbook)?),
    };
    let mut config = Config::clone(&config);
    config.playbooks.retain(|p| matches!(p.trigger, Trigger::Called) && p.name != playbook.name);
    config.playbooks.push(Arc::new(playbook));
    let named = config.containment.responders.values().cloned();
    let responders: Vec<String> =
        named.chain(config.connectors.responders.iter().map(|r| r.name().to_owned())).collect();
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = Seal::new(&[1; 32]);
    rules.responders = responders.into_iter().map(|r| (r, true)).collect();
    Ok(rules)
}

/// The same, where every alert is enough for an incident. How much alerts weigh depends on the inventory
/// and on feeds, which a rehearsal does not ask.
fn open_to_all(config: &Config) -> Config {
    let mut config = config.clone();
    config.triage.enrich_at = 0.0;
    config.triage.incident_at = 0.0;
    config
}

/// A firm with the teams that the playbook names, and two people who are in all of them.
fn small_firm(playbook: &Playbook) -> Result<Config, String> {
    let mut teams = playbook.teams();
    teams.extend(["secops", "netops"]);
    let list = teams.iter().copied().collect::<Vec<_>>().join(", ");
    let team = |t: &&str| format!("  {t}: {{ notifier: mail, to: [{t}] }}\n");
    let people = format!(
        "teams:\n{}people:\n  one: {{ token: {{ env: A }}, teams: [{list}], role: admin }}\n  two: {{ token: {{ env: B }}, teams: [{list}], role: admin }}\n",
        teams.iter().map(team).collect::<String>()
    );
    let kinds = KINDS.iter().map(|kind| format!("{kind}: edge\n")).collect::<String>();
    let files = [
        ("stanch.yaml", "listen: 127.0.0.1:7878\n".to_owned()),
        (
            "connectors/all.yaml",
            "responders:\n  - { name: edge, type: simulated }\nnotifiers:\n  - { name: mail, type: log }\n"
                .to_owned(),
        ),
        ("policies/people.yaml", people),
        ("policies/routing.yaml", "route:\n  team: secops\n".to_owned()),
        ("policies/containment.yaml", format!("noc_team: netops\n{kinds}")),
    ];
    let files: Vec<(String, String)> = files.into_iter().map(|(p, t)| (p.to_owned(), t)).collect();
    stanch_core::config::compile(&files).map_err(|m| words(&m))
}

/// Mistakes, a line each.
fn words(mistakes: &[Mistake]) -> String {
    let line = |m: &Mistake| format!("{}:{}:{}: {}; {}", m.file, m.line, m.column, m.message, m.help);
    mistakes.iter().filter(|m| !m.warning).map(line).collect::<Vec<_>>().join("\n")
}

struct Begin<'a> {
    asked: &'a Rehearsal,
    playbook: &'a Playbook,
    rules: &'a Rules,
}

impl Begin<'_> {
    /// True when the alerts are too weak to open an incident by themselves.
    fn opens_nothing(&self, now: Timestamp) -> bool {
        let (mut run, mut failed) = (None, None);
        drop(self.open(&MemoryJournal::new(), now, false, &mut run, &mut failed));
        failed.is_some_and(|why| why == NO_INCIDENT)
    }

    /// Opens the engine on a journal; the first time the run is begun too. Why it cannot be is in
    /// `failed`.
    fn open(
        &self,
        journal: &MemoryJournal,
        now: Timestamp,
        again: bool,
        run: &mut Option<RunId>,
        failed: &mut Option<String>,
    ) -> Result<Hand, EngineError> {
        let rules = self.rules.clone();
        if again {
            return Hand::open(Box::new(journal.reopen()), rules, now);
        }
        if let Some((data, _)) = &self.asked.incident
            && let Err(why) = copy(data, &mut journal.reopen())
        {
            *failed = Some(why);
        }
        let mut hand = Hand::open(Box::new(journal.reopen()), rules, now)?;
        match self.begin(&mut hand, now)? {
            Ok(begun) => *run = Some(begun),
            Err(why) => drop(failed.get_or_insert(why)),
        }
        Ok(hand)
    }

    fn begin(&self, hand: &mut Hand, now: Timestamp) -> Result<Result<RunId, String>, EngineError> {
        let mut incident = self.asked.incident.as_ref().map(|(_, id)| *id);
        for alerts in &self.asked.alerts {
            let records = match alerts.records(now) {
                Ok(records) => records,
                Err(why) => return Ok(Err(why)),
            };
            let (source, site) = ("rehearsal".to_owned(), stanch_core::config::DEFAULT_SITE.to_owned());
            let body = alerts.body.clone();
            hand.receive(now, Received { source, site, body, records, retry_of: None })?;
            for (id, _) in hand.outgoing() {
                hand.settle(now, id, stanch_engine::Outcome::Looked(Vec::new()))?;
            }
        }
        if !self.asked.alerts.is_empty() {
            incident = incident.or_else(|| hand.state().incidents.keys().next().copied());
            if incident.is_none() {
                return Ok(Err(NO_INCIDENT.into()));
            }
        }
        let mut runs = hand.state().runs.values();
        if let Some(run) = runs.find(|r| r.name == self.playbook.name && r.ended.is_none()) {
            return Ok(Ok(run.id));
        }
        let hook = matches!(self.playbook.trigger, Trigger::Hook);
        if matches!(self.playbook.trigger, Trigger::Incident(_)) && incident.is_none() {
            return Ok(Err("this playbook is about an incident: give alerts with --event FILE, or --incident INC with --data DIR".into()));
        }
        let (playbook, inputs) = (self.playbook.name.clone(), self.asked.inputs.clone());
        let incident = if hook { None } else { incident };
        let asked = Start { playbook, incident, inputs, hook, waiter: None };
        let who =
            Who { name: "rehearsal".into(), role: Role::Admin, teams: std::collections::BTreeSet::new() };
        let begun = hand.order(now, Command::Start { asked, who })?;
        Ok(begun.map_err(|e| e.to_string()).and_then(|d| d.run.ok_or_else(|| "no run has begun".to_owned())))
    }
}

/// Copies a store into a journal in memory.
fn copy(data: &Path, journal: &mut MemoryJournal) -> Result<(), String> {
    let mut reader = SqliteJournal::open_read_only(data).map_err(|e| e.to_string())?;
    let mut after = 0;
    loop {
        let entries = reader.entries(after, PAGE).map_err(|e| e.to_string())?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.seq;
        for e in entries {
            let detail = reader.detail(e.seq).map_err(|e| e.to_string())?;
            let new = NewEntry { stream: e.stream, kind: e.kind, body: e.body, detail };
            journal.append(e.at, &[new]).map_err(|e| e.to_string())?;
        }
    }
}
