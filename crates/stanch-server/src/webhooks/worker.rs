//! Delivers: one task for all receivers, each at its own pace.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stanch_connectors::notifier::{Hook as Receiver, Secret};
use stanch_core::stage::health::Ailment;
use stanch_engine::{Command, Engine, Now};
use stanch_model::Failure;
use stanch_model::port::{Entry, JournalReader};
use stanch_store::SqliteJournal;

use super::{After, Book, Hook, after};
use crate::vault::Vault;

/// How often it is looked whether there is something to deliver.
const LOOK: Duration = Duration::from_millis(250);
/// Entries read at a time for one receiver.
const PAGE: usize = 500;
/// Deliveries to one receiver before the next one's turn.
const TURN: usize = 50;

/// Subscriptions, and what delivers them.
pub(crate) struct Webhooks {
    pub(crate) book: Book,
    vault: Arc<Vault>,
    engine: Engine,
    data: std::path::PathBuf,
    now: Now,
}

impl Webhooks {
    /// Starts the task; it ends when it is aborted or with the process: what it has not delivered is
    /// delivered after the next start.
    pub(crate) fn start(
        book: Book,
        vault: Arc<Vault>,
        engine: Engine,
        data: std::path::PathBuf,
        now: Now,
    ) -> (Arc<Webhooks>, tokio::task::JoinHandle<()>) {
        let webhooks = Arc::new(Webhooks { book, vault, engine, data, now });
        let own = webhooks.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                own.round().await;
            }
        });
        (webhooks, task)
    }

    /// Every receiver that has something waiting and may be tried now; all at the same time, so that a
    /// slow one holds nobody up for longer than its own time limit.
    async fn round(&self) {
        let head = self.engine.read(|s| s.seq);
        let now = (self.now)();
        let due = self.book.list().into_iter().filter(|h| !h.off && h.cursor < head && h.next <= now);
        futures::future::join_all(due.map(|h| self.serve(h))).await;
    }

    async fn serve(&self, hook: Hook) {
        let (data, from) = (self.data.clone(), hook.cursor);
        let read = move || SqliteJournal::open_read_only(&data).and_then(|mut r| r.entries(from, PAGE));
        let entries = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(entries)) => entries,
            Ok(Err(e)) => return tracing::warn!(error = %e, "the journal could not be read for a webhook"),
            Err(e) => return tracing::warn!(error = %e, "a bug ended a look at the journal"),
        };
        let (mut cursor, mut delivered) = (from, 0);
        for entry in &entries {
            let Some(name) = hook.wants(&entry.kind) else {
                cursor = entry.seq;
                continue;
            };
            if delivered == TURN {
                break;
            }
            let id = format!("{}-{}", hook.id(), entry.seq);
            if let Err(why) = self.deliver(&hook, &id, &event(name, entry)).await {
                self.note(&hook, |h| h.cursor = cursor, delivered);
                return self.failed(&hook, &why);
            }
            (cursor, delivered) = (entry.seq, delivered + 1);
        }
        self.note(&hook, |h| h.cursor = cursor, delivered);
    }

    /// Sends one event, signed with every key that is valid now.
    pub(crate) async fn deliver(&self, hook: &Hook, id: &str, event: &Value) -> Result<(), Failure> {
        let keys = self.keys(hook)?;
        let receiver = Receiver::new(&hook.url, &hook.allow_private).map_err(Failure::permanent)?;
        receiver.deliver(&keys, id, event.to_string().into_bytes()).await
    }

    fn keys(&self, hook: &Hook) -> Result<Vec<Secret>, Failure> {
        let to: Vec<String> = stanch_connectors::egress::place(&hook.url).into_iter().collect();
        let open = |name: String| self.vault.open(&name, &hook.id(), &to);
        let mut keys = vec![open(hook.id()).map_err(|e| Failure::permanent(e.words()))?];
        if hook.both_until.is_some_and(|until| (self.now)() < until) {
            keys.extend(open(format!("{}.before", hook.id())).ok());
        }
        Ok(keys)
    }

    /// Remembers how far it has come; a redelivery that was asked for meanwhile is not undone.
    fn note(&self, hook: &Hook, cursor: impl FnOnce(&mut Hook), delivered: usize) {
        let change = |h: &mut Hook| {
            if h.cursor == hook.cursor {
                cursor(h);
            }
            if delivered > 0 {
                h.delivered += delivered as u64;
                (h.failures, h.since, h.why) = (0, None, None);
            }
        };
        if delivered == 0 {
            // Entries that nobody asked for: read once more after a restart, and that is all.
            return self.book.touch(hook.n, change);
        }
        let done = self.book.change(hook.n, change);
        if let Err(why) = done {
            tracing::error!(error = why, hook = hook.id(), "how far a webhook has come could not be kept");
        }
    }

    fn failed(&self, hook: &Hook, why: &Failure) {
        let now = (self.now)();
        let changed = self.book.change(hook.n, |h| {
            h.failures += 1;
            let since = *h.since.get_or_insert(now);
            h.why = Some(why.to_string());
            match after(h.failures, since, now, why) {
                After::Again(at) => h.next = at,
                After::Off => h.off = true,
            }
        });
        match changed {
            Ok(Some(h)) if h.off => {
                tracing::error!(
                    hook = h.id(),
                    failures = h.failures,
                    why = %why,
                    "a webhook was switched off: its receiver takes nothing; mend it, then: stanch webhook enable"
                );
                self.tell_people(&h);
            }
            Ok(_) => {
                tracing::warn!(hook = hook.id(), why = %why, "a webhook was not delivered; it is tried again")
            }
            Err(e) => tracing::error!(error = e, "webhooks.json could not be written"),
        }
    }
}

impl Webhooks {
    /// Tells people that a receiver was switched off, or is tried again: an alert of our own, in the journal,
    /// which opens an incident of its own and is told to whoever answers for it.
    pub(crate) fn tell_people(&self, hook: &Hook) {
        let (engine, ailment) = (self.engine.clone(), Box::new(ailment(hook)));
        tokio::spawn(async move {
            if let Err(e) = engine.command(Command::Ails { ailment }).await {
                tracing::error!(error = %e, "nobody could be told about a webhook");
            }
        });
    }
}

/// What is wrong with a receiver, or is not any more.
fn ailment(hook: &Hook) -> Ailment {
    let (id, why) = (hook.id(), hook.why.clone().unwrap_or_default());
    // Never the whole URL: its path may hold a secret of the receiver.
    let place = stanch_connectors::egress::place(&hook.url).unwrap_or_default();
    let (title, message) = if hook.off {
        (
            format!("Webhook {id} to {place} was switched off after {} failures in a row", hook.failures),
            format!(
                "The last failure: {why}. Nothing is sent there any more; what happens meanwhile waits in the journal and \
                 is delivered later. Mend the receiver, then switch it on again: stanch webhook enable {id}"
            ),
        )
    } else {
        let message = "A person switched it on again. What waited in the journal is delivered now.";
        (format!("Webhook {id} to {place} is tried again"), message.to_owned())
    };
    Ailment {
        key: format!("stanch|webhook-off|{id}"),
        site: stanch_core::config::DEFAULT_SITE.to_owned(),
        rule: "webhook-off",
        name: format!("webhook {id} is switched off"),
        title,
        message,
        lasts: hook.off,
    }
}

/// What is told of an entry: what happened, when, and to what. Never text from alerts.
pub(crate) fn event(name: &str, entry: &Entry) -> Value {
    json!({
        "type": name,
        "timestamp": entry.at.to_string(),
        "data": { "entry": entry.seq, "about": entry.stream },
    })
}
