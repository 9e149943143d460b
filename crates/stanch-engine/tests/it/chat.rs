//! A workspace of Slack beside the small firm, and the laws that hold of what it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stanch_connectors::notifier::{Secret, Slack, SlackConfig};
use stanch_core::journal::event::Effect;
use stanch_core::journal::{Event, decode};
use stanch_model::port::{Journal, Notifier};
use stanch_model::{EffectId, Notice, Span, Timestamp, Urgency};
use tokio::net::TcpListener;

use crate::workspace::{self, Shown, Trouble, Workspace};
use crate::world::World;

/// Through which notifier, and in which channel, the team that answers is told.
const CHAT: &str = "chat";
const CHANNEL: &str = "C1";

/// The files of a firm whose first team sits in a chat, with little room so that it is often used up.
pub const FILES: &[(&str, &str)] = &[
    (
        "connectors/all.yaml",
        "responders:\n  - { name: edge, type: simulated }\nnotifiers:\n  - { name: mail, type: log }\n  - { name: chat, type: slack, token: { env: X }, budget: { per_10_minutes: 2, per_hour: 5, storm: 3 } }\n",
    ),
    (
        "policies/people.yaml",
        "teams:\n  secops: { notifier: chat, to: [C1] }\n  netops: { notifier: mail, to: [noc@example.com] }\npeople:\n  secops-lead: { token: { env: X }, teams: [secops], role: approver }\n",
    ),
];

/// Slack, as far as the laws need it.
#[derive(Clone)]
pub struct Chat {
    url: String,
    web: Arc<Mutex<Workspace>>,
}

impl Chat {
    pub async fn start() -> Chat {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let chat = Chat { url, web: Arc::default() };
        let web = chat.web.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let web = web.clone();
                let answer = move |asked| web.lock().unwrap().call(asked, || serde_json::Value::Null);
                tokio::spawn(workspace::serve(stream, answer));
            }
        });
        chat
    }

    pub fn notifier(&self) -> Arc<dyn Notifier> {
        let (name, url, token) = (CHAT.to_owned(), self.url.clone(), Secret::new("xoxb-of-the-law"));
        let (console, allow_private) = (None, Vec::new());
        Arc::new(
            Slack::new(&SlackConfig { name, url, token, answers: true, console, allow_private }).unwrap(),
        )
    }

    /// The next call goes wrong: which one, and how, by this number.
    pub fn trouble(&self, n: u8) {
        let method = if n.is_multiple_of(2) { "chat.postMessage" } else { "chat.update" };
        let how = match n / 2 % 3 {
            0 => Trouble::Status(429),
            1 => Trouble::Status(500),
            _ => Trouble::Lost,
        };
        self.web.lock().unwrap().troubles.push((method.to_owned(), String::new(), how));
    }

    fn messages(&self) -> Vec<Shown> {
        self.web.lock().unwrap().messages.clone()
    }
}

/// What the journal says of the chat: what was to be sent when, what came of it, and whom it was spared.
#[derive(Default)]
struct Said {
    sent: Vec<(Timestamp, EffectId, Notice)>,
    receipts: BTreeMap<EffectId, String>,
    given_up: usize,
    /// Rungs of the team in the chat, by entry; and every message or word about an incident after them.
    rungs: Vec<(u64, stanch_model::IncidentId)>,
    words: Vec<(u64, stanch_model::IncidentId)>,
}

impl Said {
    fn read(journal: &dyn Journal) -> Said {
        let mut all = Said::default();
        let read = &mut |entry: stanch_model::port::Entry| {
            match decode(&entry).expect("readable") {
                Event::Escalated(e) if e.teams.iter().any(|t| t == "secops") => {
                    all.rungs.push((entry.seq, e.incident));
                }
                Event::Withheld(e) => all.words.push((entry.seq, e.incident)),
                Event::Intended(e) => {
                    if let Effect::Notify { notifier, notice, .. } = e.what
                        && notifier == CHAT
                    {
                        all.words.push((entry.seq, notice.incident));
                        all.sent.push((entry.at, e.effect, notice));
                    }
                }
                Event::Settled(e) if e.failure.is_none() => {
                    all.receipts.insert(e.effect, e.receipt);
                }
                Event::Settled(e) if e.retry_at.is_none() => {
                    all.given_up += usize::from(all.sent.iter().any(|(_, effect, _)| *effect == e.effect));
                }
                _ => {}
            }
            Ok(())
        };
        journal.replay(0, read).expect("readable");
        all
    }
}

/// New messages that say an incident is there, or that nobody has taken it: by what is in them, not by what
/// the engine counts.
fn counted(notice: &Notice) -> bool {
    let new = notice.card.as_ref().is_some_and(|c| c.at.is_none());
    let of_incident = notice.card.as_ref().is_some_and(|c| c.of == notice.incident.to_string());
    new && (of_incident || notice.key.contains("-rung-"))
}

/// Lets everything that is due be told, stops, and checks: every rung became a message or is counted; every message
/// that was to be sent is there, once or, where an answer got lost, twice; and no channel got more than it may.
pub async fn check(w: &World) -> Result<(), String> {
    let Some(chat) = &w.chat else { return Ok(()) };
    let told_here = |what: &Effect| matches!(what, Effect::Notify { notifier, .. } if notifier == CHAT);
    let waiting = |s: &stanch_core::journal::State| s.pending.values().any(|p| told_here(&p.what));
    for _ in 0..2_000 {
        if !w.engine.read(waiting) {
            break;
        }
        w.pass(Span::secs(1));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The clock itself brings new ones: only what has waited for long is a fault.
    let (now, long) = (w.engine.now(), Span::mins(15));
    let stuck = |s: &stanch_core::journal::State| {
        s.pending.values().any(|p| told_here(&p.what) && now.since(p.since) > long)
    };
    if w.engine.read(stuck) {
        return Err(format!("still not told: {:#?}", w.engine.read(|s| s.pending.clone())));
    }
    // Nothing is sent any more; what was intended meanwhile is in the journal until it is told.
    w.engine.stop().await;
    let journal = w.journal.reopen();
    let (said, folded) = (Said::read(&journal), stanch_engine::recover(&journal).expect("readable"));
    let on_its_way = |effect: &EffectId| folded.pending.contains_key(effect);
    if said.given_up > 0 {
        return Err("a message was given up".to_owned());
    }
    for (seq, incident) in &said.rungs {
        // What comes of a rung stands in the same commit, right behind it.
        if !said.words.iter().any(|(at, i)| i == incident && (*seq + 1..=*seq + 6).contains(at)) {
            return Err(format!("the rung of {incident} in entry {seq} reached nobody"));
        }
    }
    let shown = chat.messages();
    for (_, effect, notice) in &said.sent {
        let there = |receipt: &String| {
            receipt
                .strip_prefix("C1 ")
                .is_some_and(|ts| shown.iter().any(|m| m.ts == ts && m.channel == CHANNEL))
        };
        if !on_its_way(effect) && !said.receipts.get(effect).is_some_and(there) {
            return Err(format!("{effect} was not told: {notice:?}"));
        }
    }
    let new = |(_, effect, n): &&(Timestamp, EffectId, Notice)| {
        n.card.as_ref().is_some_and(|c| c.at.is_none()) && !on_its_way(effect)
    };
    let new = said.sent.iter().filter(new).count();
    // What was under way while the process stopped may have been told, and is told once more.
    let most =
        if w.restarts == 0 { new + folded.pending.len() + chat.web.lock().unwrap().lost } else { usize::MAX };
    if shown.len() < new || shown.len() > most {
        return Err(format!("{} messages where {new} to {most} should be", shown.len()));
    }
    budget(&said)?;
    let wrong = chat.web.lock().unwrap().wrong.clone();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?}")) }
}

fn budget(said: &Said) -> Result<(), String> {
    let times: Vec<(Timestamp, bool)> = said
        .sent
        .iter()
        .filter(|(.., n)| counted(n))
        .map(|(at, _, n)| (*at, n.urgency == Urgency::Critical))
        .collect();
    for (from, _) in &times {
        let within = |span: Span| {
            times.iter().filter(|(at, critical)| !critical && *at >= *from && at.since(*from) < span).count()
        };
        let (short, long) = (within(Span::mins(10)), within(Span::hours(1)));
        if short > 2 || long > 5 {
            return Err(format!("{short} messages in 10 minutes and {long} in an hour after {from}"));
        }
    }
    Ok(())
}
