//! A small firm: one site, one firewall, three teams, and a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use stanch_connectors::format;
use stanch_connectors::notifier::{Sink, Smtp, SmtpConfig};
use stanch_connectors::responder::{Faulty, Simulated};
use stanch_core::config::Role;
use stanch_core::journal::{Event, State, encode};
use stanch_engine::command::Who;
use stanch_engine::{Ack, Answer, Command, CommandError, Done, Engine, Ports, Received, Rules};
use stanch_model::port::{Delivery, Format, Journal, NewEntry, Notifier, Reference, Responder};
use stanch_model::{Fact, Observable, Span, Timestamp};
use stanch_store::MemoryJournal;

use crate::chat::Chat;

pub const START: Timestamp = Timestamp(1_790_000_000_000);

const FILES: &[(&str, &str)] = &[
    ("stanch.yaml", "listen: 127.0.0.1:7878\n"),
    ("sources/ids.yaml", "format: suricata\ncredential:\n  bearer: { env: X }\n"),
    ("sources/siem.yaml", "format: wazuh\ncredential:\n  bearer: { env: X }\n"),
    ("sources/metrics.yaml", "format: alertmanager\ncredential:\n  bearer: { env: X }\n"),
    (
        "connectors/all.yaml",
        "responders:\n  - { name: edge, type: simulated }\nnotifiers:\n  - { name: mail, type: log }\n",
    ),
    (
        "policies/people.yaml",
        "teams:\n  secops: { notifier: mail, to: [secops@example.com] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  secops-lead: { token: { env: X }, teams: [secops], role: approver }\n",
    ),
    (
        "policies/routing.yaml",
        "route:\n  team: secops\n  escalation: steps\nescalations:\n  steps:\n    rules:\n      - { teams: [secops], wait: 5m }\n      - { teams: [secops, netops], wait: 10m }\n    repeat: 1\n",
    ),
    (
        "policies/containment.yaml",
        "protected:\n  - { net: 198.51.100.0/24, why: our partners }\nblock_address: edge\nnoc_team: netops\ndefault_ttl: 1h\n",
    ),
    (
        "playbooks/c2.yaml",
        "name: c2\nsummary: block a caller home\nwhen: incident.kind == \"c2\" && incident.peer != \"\"\nsteps:\n  - id: block\n    block_address: { target: incident.peer, approvers: [secops], expires: 15m }\n  - id: check\n    verify: all\n  - id: hold\n    wait: lifted\nsop: by hand\n",
    ),
];

/// One of ours for every address in 10/8.
struct Ours;

impl Reference for Ours {
    fn name(&self) -> &str {
        "assets"
    }

    fn look_up(&self, _: &str, about: &Observable) -> Vec<Fact> {
        let ours = about.value.starts_with("10.");
        let meaning = stanch_model::Meaning::Asset {
            name: format!("host-{}", about.value.replace('.', "-")),
            criticality: stanch_model::fact::Criticality::Medium,
            owner: None,
            kind: None,
        };
        ours.then(|| Fact { provider: "assets".into(), about: about.clone(), meaning }).into_iter().collect()
    }
}

pub struct World {
    pub engine: Engine,
    pub journal: MemoryJournal,
    pub device: Faulty<Simulated>,
    pub mail: Sink,
    /// Where a team is told by chat; none in the usual firm.
    pub chat: Option<Chat>,
    /// How often the process was stopped and started again.
    pub restarts: usize,
    clock: Arc<AtomicI64>,
    extra: Vec<(&'static str, String)>,
}

impl World {
    pub async fn new() -> World {
        World::with(&[]).await
    }

    /// A firm whose first team is told by chat.
    pub async fn with_chat() -> World {
        World::made(crate::chat::FILES, Some(Chat::start().await)).await
    }

    /// A firm with some files replaced.
    pub async fn with(extra: &[(&'static str, &str)]) -> World {
        World::made(extra, None).await
    }

    /// A firm whose journal lies on another disk.
    pub async fn on(
        extra: &[(&'static str, &str)],
        disk: impl FnOnce(MemoryJournal) -> Box<dyn Journal>,
    ) -> World {
        World::built(extra, None, disk).await
    }

    async fn made(extra: &[(&'static str, &str)], chat: Option<Chat>) -> World {
        World::built(extra, chat, |rows| Box::new(rows)).await
    }

    async fn built(
        extra: &[(&'static str, &str)],
        chat: Option<Chat>,
        disk: impl FnOnce(MemoryJournal) -> Box<dyn Journal>,
    ) -> World {
        let extra: Vec<(&str, String)> = extra.iter().map(|(p, t)| (*p, (*t).to_owned())).collect();
        let clock = Arc::new(AtomicI64::new(START.0));
        let time = clock.clone();
        let device =
            Faulty::new(Simulated::new("edge", Arc::new(move || Timestamp(time.load(Ordering::SeqCst)))));
        let mail = Sink::start().await.unwrap();
        let journal = MemoryJournal::new();
        let engine = start(disk(journal.clone()), &extra, ports(&device, &mail, chat.as_ref(), &clock));
        World { engine, journal, device, mail, chat, restarts: 0, clock, extra }
    }

    /// Stops the process and starts it again on the same journal.
    pub async fn restart(mut self) -> World {
        self.engine.stop().await;
        self.journal = self.journal.reopen();
        self.restarts += 1;
        self.engine = start(Box::new(self.journal.clone()), &self.extra, self.ports());
        self
    }

    fn ports(&self) -> Ports {
        ports(&self.device, &self.mail, self.chat.as_ref(), &self.clock)
    }

    /// Puts other rules in force without a stop.
    pub async fn reload(&self, extra: &[(&'static str, &str)]) {
        let extra: Vec<(&str, String)> = extra.iter().map(|(p, t)| (*p, (*t).to_owned())).collect();
        self.engine.reload(rules_of(&extra), self.ports(), "test").await;
    }

    /// Stops, writes rows past the engine as whoever can write the database could, and starts again.
    pub async fn forge(mut self, forged: &[Event]) -> World {
        self.engine.stop().await;
        self.journal = self.journal.reopen();
        let entries: Vec<NewEntry> = forged.iter().map(|e| encode(e, None)).collect();
        let at = Timestamp(self.clock.load(Ordering::SeqCst));
        self.journal.append(at, &entries).unwrap();
        self.engine = start(Box::new(self.journal.clone()), &self.extra, self.ports());
        self
    }

    pub fn pass(&self, span: Span) {
        self.clock.fetch_add(span.0, Ordering::SeqCst);
    }

    pub async fn send(&self, source: &str, body: &str) -> Ack {
        let received = parsed(source, body);
        self.engine.receive(received).await.unwrap()
    }

    pub async fn order(&self, command: Command) -> Result<Done, CommandError> {
        self.engine.command(command).await
    }

    /// The kinds of all entries in the journal, in order.
    pub fn kinds(&self) -> Vec<String> {
        let entries = self.journal.reader().unwrap().entries(0, 100_000).unwrap();
        entries.into_iter().map(|e| e.kind.to_string()).collect()
    }

    /// Waits until something holds; the engine works on its own threads.
    pub async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.engine.read(&holds) {
            assert!(
                Instant::now() < deadline,
                "waited 20 s in vain for: {what}\n{}",
                self.engine.read(summary)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn format_of(source: &str) -> &'static dyn Format {
    let name = match source {
        "ids" | "ids-2" => "suricata",
        "siem" => "wazuh",
        _ => "alertmanager",
    };
    format::by_name(name).unwrap()
}

pub fn parsed(source: &str, body: &str) -> Received {
    let records = format_of(source).parse(Delivery { body: body.as_bytes(), received: START });
    let (source, body) = (source.to_owned(), body.as_bytes().to_vec());
    Received { source, site: "default".into(), body, records, retry_of: None }
}

/// The firm's rules with some files replaced.
pub fn rules_of(extra: &[(&'static str, String)]) -> Rules {
    let mut files: Vec<(String, String)> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for (path, text) in extra {
        files.retain(|(p, _)| p != path);
        files.push(((*path).to_owned(), text.clone()));
    }
    let config = stanch_core::config::compile(&files).unwrap_or_else(|m| panic!("{m:#?}"));
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = stanch_core::contain::Seal::new(&[7; 32]);
    rules.references = vec![Arc::new(Ours)];
    rules.enrichers = vec!["assets".into()];
    rules.responders.insert("edge".into(), true);
    rules
}

fn start(journal: Box<dyn Journal>, extra: &[(&'static str, String)], ports: Ports) -> Engine {
    let rules = rules_of(extra);
    Engine::start(journal, rules, ports, tokio::runtime::Handle::current()).unwrap()
}

fn ports(device: &Faulty<Simulated>, mail: &Sink, chat: Option<&Chat>, clock: &Arc<AtomicI64>) -> Ports {
    let mail = SmtpConfig::local("mail", mail.addr(), "stanch@example.com", &["ops@example.com"]);
    let mail = Arc::new(Smtp::new(mail).unwrap()) as Arc<dyn Notifier>;
    let time = clock.clone();
    Ports {
        look_up: Arc::new(|site, about| {
            Box::pin(async move {
                let one = |o: &Observable| Answer {
                    provider: "assets".into(),
                    about: o.clone(),
                    outcome: Ok(Ours.look_up(&site, o)),
                    took: Span(1),
                };
                about.iter().map(one).collect()
            })
        }),
        responders: vec![Arc::new(device.clone()) as Arc<dyn Responder>],
        callers: vec![Arc::new(crate::runs::Echo)],
        notifiers: [mail].into_iter().chain(chat.map(Chat::notifier)).collect(),
        now: Arc::new(move || Timestamp(time.load(Ordering::SeqCst))),
    }
}

pub fn lead() -> Who {
    Who { name: "secops-lead".into(), role: Role::Approver, teams: ["secops".to_owned()].into() }
}

/// A Suricata alert. `at` is seconds after the start of the story.
pub fn eve(at: i64, sid: u32, class: &str, severity: u8, src: &str, dst: &str) -> String {
    let time = START.plus(Span::secs(at));
    format!(
        r#"{{"timestamp":"{time}","flow_id":{},"event_type":"alert","src_ip":"{src}","src_port":40000,"dest_ip":"{dst}","dest_port":443,"proto":"TCP","stream":1,"app_proto":"http","alert":{{"action":"allowed","gid":1,"signature_id":{sid},"rev":1,"signature":"rule {sid}","category":"{class}","severity":{severity}}},"flow":{{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":900,"bytes_toclient":800}}}}"#,
        at * 1000 + i64::from(sid)
    )
}

/// A machine of ours calls an attacker.
pub fn call_home(at: i64, victim: &str, server: &str) -> String {
    eve(at, 77, "A Network Trojan was detected", 1, victim, server)
}

/// What two folds of the same journal must agree on, as text.
pub fn summary(s: &State) -> String {
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{} claims, {} total, {:?}\n{}\n{:#?}\n{:?}\n{:?}",
        s.ledger(),
        s.slots,
        s.incidents,
        s.runs.values().map(|r| (r.id, &r.steps, &r.order, &r.unwinding, &r.ended)).collect::<Vec<_>>(),
        s.approvals,
        s.actions,
        s.pending,
        s.quarantine,
        s.seen.len(),
        s.baseline.total,
        s.next,
        s.learnt.folded(),
        s.posts,
        s.kin,
        s.second,
    )
}
