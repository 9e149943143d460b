//! A firewall that is only pretended: for trying Stanch out, and for playbooks under construction.
//!
//! It behaves like a real one with timers of its own, says on every question that it is simulated,
//! and never changes anything outside its own memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed, Timestamp};

/// Tells what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A pretended firewall. Clones share the same entries.
#[derive(Clone)]
pub struct Simulated {
    name: String,
    clock: Clock,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

#[derive(Clone, Debug)]
struct Entry {
    tag: String,
    until: Timestamp,
    net: Option<IpNet>,
    /// Something is missing of it.
    half: bool,
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulated")
            .field("name", &self.name)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl Simulated {
    /// An empty firewall whose timers follow `clock`.
    #[must_use]
    pub fn new(name: impl Into<String>, clock: Clock) -> Simulated {
        Simulated { name: name.into(), clock, entries: Arc::default() }
    }

    /// An empty firewall whose timers follow real time, and jump with no wall clock.
    #[must_use]
    pub fn in_real_time(name: impl Into<String>) -> Simulated {
        let start = std::time::Instant::now();
        Simulated::new(
            name,
            Arc::new(move || Timestamp(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))),
        )
    }

    /// What is blocked now: tag and address.
    #[must_use]
    pub fn blocked(&self) -> Vec<(String, IpNet)> {
        self.with(|entries, _| {
            entries.values().filter_map(|e| e.net.map(|net| (e.tag.clone(), net))).collect()
        })
    }

    /// True when nothing is in place, of any kind and from anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.with(|entries, _| entries.is_empty())
    }

    /// Puts an entry there that is not ours, for rehearsals.
    pub fn plant_foreign(&self, net: IpNet, comment: &str, until: Timestamp) {
        let key = ActionKind::BlockAddress { target: net }.words();
        self.with(|entries, _| {
            entries.insert(key, Entry { tag: comment.to_owned(), until, net: Some(net), half: false })
        });
    }

    /// Makes half of a change, as a device does that loses power over it.
    pub fn half(&self, action: &Action) {
        let net = action.kind.network().map(IpNet::trunc);
        self.with(|entries, now| {
            let until = now.plus(action.ttl);
            entries.entry(key_of(action)).or_insert_with(|| Entry {
                tag: action.tag(),
                until,
                net,
                half: true,
            });
        });
    }

    /// Empties the firewall, as a reboot would.
    pub fn flush(&self) {
        self.with(|entries, _| entries.clear());
    }

    /// Runs `f` on the entries that have not run out.
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Entry>, Timestamp) -> T) -> T {
        let now = (self.clock)();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, e| e.until > now);
        f(&mut entries, now)
    }
}

/// What the entry is kept under: what is changed, in words.
fn key_of(action: &Action) -> String {
    match &action.kind {
        ActionKind::BlockAddress { target } => ActionKind::BlockAddress { target: target.trunc() }.words(),
        other => other.words(),
    }
}

fn observed(entries: &BTreeMap<String, Entry>, key: &str, tag: &str, now: Timestamp) -> Observed {
    match entries.get(key) {
        Some(e) if e.tag == tag && e.half => {
            Observed::Different { what: format!("only half of it is in place: {key}") }
        }
        Some(e) if e.tag == tag => Observed::Present { expires_in: Some(e.until.since(now)) },
        Some(e) => Observed::Different { what: format!("{} already does this: {key}", e.tag) },
        None => Observed::Absent,
    }
}

#[async_trait]
impl Responder for Simulated {
    fn name(&self) -> &str {
        &self.name
    }

    fn simulated(&self) -> bool {
        true
    }

    fn expires_by_itself(&self) -> bool {
        true
    }

    fn management_addresses(&self) -> Vec<std::net::IpAddr> {
        Vec::new()
    }

    fn can(&self, _kind: &ActionKind) -> bool {
        true
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        if action.ttl.0 <= 0 {
            return Err(Failure::permanent("a block without an end is never made: the TTL is zero"));
        }
        let (key, tag) = (key_of(action), action.tag());
        let net = action.kind.network().map(IpNet::trunc);
        Ok(self.with(|entries, now| {
            let until = now.plus(action.ttl);
            let entry = || Entry { tag: tag.clone(), until, net, half: false };
            let there = entries.entry(key.clone()).or_insert_with(entry);
            // Ordered again, what is ours is made whole.
            there.half &= there.tag != tag;
            observed(entries, &key, &tag, now)
        }))
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        Ok(self.with(|entries, now| observed(entries, &key_of(action), &action.tag(), now)))
    }

    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        let key = key_of(action);
        self.with(|entries, _| {
            if entries.get(&key).is_some_and(|e| e.tag == action.tag()) {
                entries.remove(&key);
            }
        });
        Ok(Observed::Absent)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use stanch_model::{ActionId, IncidentId, Span};

    use super::*;

    fn block(id: u64, target: &str, ttl: Span) -> Action {
        Action {
            id: ActionId(id),
            incident: IncidentId(1),
            responder: "fw".to_owned(),
            kind: ActionKind::BlockAddress { target: target.parse().expect(target) },
            ttl,
            before: None,
        }
    }

    fn with_clock() -> (Simulated, Arc<AtomicI64>) {
        let now = Arc::new(AtomicI64::new(0));
        let read = Arc::clone(&now);
        (Simulated::new("fw", Arc::new(move || Timestamp(read.load(Ordering::SeqCst)))), now)
    }

    #[tokio::test]
    async fn it_says_that_it_is_simulated_and_keeps_its_own_timers() {
        let (fw, now) = with_clock();
        assert!(fw.simulated());
        let action = block(4, "203.0.113.9/32", Span::secs(10));
        assert_eq!(fw.perform(&action).await, Ok(Observed::Present { expires_in: Some(Span::secs(10)) }));
        now.store(4_000, Ordering::SeqCst);
        assert_eq!(fw.perform(&action).await, Ok(Observed::Present { expires_in: Some(Span::secs(6)) }));
        now.store(10_000, Ordering::SeqCst);
        assert_eq!(fw.verify(&action).await, Ok(Observed::Absent));
    }

    #[tokio::test]
    async fn it_leaves_foreign_entries_alone_and_reverts_twice() {
        let (fw, _) = with_clock();
        let (mine, other) =
            (block(4, "203.0.113.9/32", Span::secs(10)), block(5, "203.0.113.9/32", Span::secs(10)));
        fw.perform(&mine).await.expect("performed");
        assert!(matches!(fw.perform(&other).await, Ok(Observed::Different { .. })));
        assert_eq!(fw.revert(&other).await, Ok(Observed::Absent));
        assert_eq!(fw.blocked().len(), 1);
        assert_eq!(fw.revert(&mine).await, Ok(Observed::Absent));
        assert_eq!(fw.revert(&mine).await, Ok(Observed::Absent));
        assert_eq!(fw.blocked(), vec![]);
    }
}
