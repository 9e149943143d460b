//! Sources take turns while more waits than one commit holds: counted in commits, never in time.

use std::sync::{Arc, Condvar, Mutex};

use futures::future::{join_all, poll_fn};
use stanch_engine::{Ack, Command, Done, Engine, Received};
use stanch_model::Timestamp;
use stanch_model::port::{Entry, Head, Journal, JournalError, JournalReader, NewEntry};
use stanch_store::MemoryJournal;

use crate::world::{World, eve, lead, parsed};

/// A disk that writes when it is let.
struct Gated {
    rows: MemoryJournal,
    gate: Gate,
}

/// Open or shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn set(&self, shut: bool) {
        *self.0.0.lock().unwrap() = shut;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(shut, |shut| *shut).unwrap());
    }
}

impl Journal for Gated {
    fn append(&mut self, at: Timestamp, entries: &[NewEntry]) -> Result<Head, JournalError> {
        self.gate.pass();
        self.rows.append(at, entries)
    }

    fn head(&self) -> Head {
        self.rows.head()
    }

    fn replay(
        &self,
        after: u64,
        each: &mut dyn FnMut(Entry) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.rows.replay(after, each)
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, JournalError> {
        self.rows.reader()
    }
}

/// A firm whose disk stands still once its first delivery waits for it.
struct Standstill {
    world: World,
    gate: Gate,
    first: tokio::task::JoinHandle<Ack>,
}

impl Standstill {
    async fn new(extra: &[(&'static str, &str)]) -> Standstill {
        let gate = Gate::default();
        let gated = gate.clone();
        let world =
            World::on(extra, move |rows| Box::new(Gated { rows, gate: gated }) as Box<dyn Journal>).await;
        // What is said at the start is on disk.
        until(|| !world.kinds().is_empty()).await;
        gate.set(true);
        let free = world.engine.free();
        let first = deliver(&world.engine, body("ids", 0, 0));
        until(|| world.engine.free() == free - 1).await;
        // Taken out of the queue, and on its way to the disk: the fold knows it.
        world.until("the first delivery", |s| !s.sources.is_empty()).await;
        Standstill { world, gate, first }
    }

    /// Puts deliveries behind the one that waits for the disk, in order.
    async fn line_up(&self, all: Vec<Received>) -> Vec<tokio::task::JoinHandle<Ack>> {
        let mut told = Vec::new();
        for received in all {
            let free = self.world.engine.free();
            told.push(deliver(&self.world.engine, received));
            until(|| self.world.engine.free() == free - 1).await;
        }
        told
    }

    /// Lets the disk write; how many commits each delivery waited for.
    async fn go(&self, told: Vec<tokio::task::JoinHandle<Ack>>) -> Vec<u64> {
        self.gate.set(false);
        join_all(told).await.into_iter().map(|ack| ack.unwrap().waited).collect()
    }
}

/// Gives way to others until it is so.
async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

fn deliver(engine: &Engine, received: Received) -> tokio::task::JoinHandle<Ack> {
    let engine = engine.clone();
    tokio::spawn(async move { engine.receive(received).await.unwrap() })
}

/// A delivery of its own, with so many bytes of white space behind it.
fn body(source: &str, n: u32, padding: usize) -> Received {
    let alert = eve(i64::from(n), 1_000 + n, "Misc activity", 3, "192.0.2.7", "10.0.0.5");
    parsed(source, &format!("{alert}{}", " ".repeat(padding)))
}

/// A second sender of the same format.
const SECOND: (&str, &str) = ("sources/ids-2.yaml", "format: suricata\ncredential:\n  bearer: { env: X }\n");

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_behind_a_flood_of_another_source_is_in_the_next_commit() {
    let still = Standstill::new(&[SECOND]).await;
    // 3 MB of one source: eight commits and more. Then one of the other.
    let flood = (1..=300).map(|n| body("ids", n, 10_000)).collect();
    let flood = still.line_up(flood).await;
    let other = still.line_up(vec![body("ids-2", 1, 0), body("ids-2", 2, 0)]).await;
    let all = still.go(flood.into_iter().chain(other).collect()).await;
    let (flood, other) = all.split_at(300);
    assert_eq!(other, [1, 1]);
    let commits = *flood.iter().max().unwrap();
    assert!(commits >= 8, "the flood waited behind itself: {commits}");
    assert!(flood.is_sorted(), "and kept its order");
    assert_eq!(still.first.await.unwrap().waited, 1);
    still.world.until("all of it", |s| s.ledger().total.received == 303).await;
    assert!(still.world.engine.read(|s| s.ledger().balanced));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_flood_the_heavier_is_served_twice_as_fast() {
    let heavy = (SECOND.0, "format: suricata\ncredential:\n  bearer: { env: X }\nweight: 2\n");
    let still = Standstill::new(&[heavy]).await;
    let of = |source: &'static str| (1..=200).map(move |n| body(source, n, 8_000));
    let light = still.line_up(of("ids").collect()).await;
    let heavy = still.line_up(of("ids-2").collect()).await;
    let all = still.go(light.into_iter().chain(heavy).collect()).await;
    let (light, heavy) = all.split_at(200);
    // While both wait, which is until the commit that takes the last of the heavier.
    let last = heavy.iter().max().unwrap();
    let while_both = |of: &[u64]| of.iter().filter(|at| *at < last).count() as f64;
    let ratio = while_both(heavy) / while_both(light);
    assert!((1.8..2.2).contains(&ratio), "{ratio}: {heavy:?} beside {light:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_critical_by_grant_goes_first_and_what_an_alert_says_of_itself_moves_nothing() {
    let granted = (SECOND.0, "format: suricata\ncredential:\n  bearer: { env: X }\nlane: critical\n");
    let still = Standstill::new(&[granted]).await;
    // As severe as Suricata can say, without a grant; then, behind them all, the source that has one.
    let loud = |n: u32| {
        let alert = eve(i64::from(n), 1_000 + n, "A Network Trojan was detected", 1, "10.0.0.7", "192.0.2.5");
        parsed("ids", &format!("{alert}{}", " ".repeat(10_000)))
    };
    let flood = still.line_up((1..=300).map(loud).collect()).await;
    let granted = still.line_up((1..=20).map(|n| body("ids-2", n, 10_000)).collect()).await;
    let all = still.go(flood.into_iter().chain(granted).collect()).await;
    let (flood, granted) = all.split_at(300);
    assert!(granted.iter().all(|at| *at == 1), "{granted:?}");
    assert!(flood.iter().max().unwrap() >= &8);
    still.world.until("all of it", |s| s.ledger().total.received == 321 && s.ledger().balanced).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_orders_does_not_wait_behind_a_flood() {
    let still = Standstill::new(&[]).await;
    let flood = still.line_up((1..=200).map(|n| body("ids", n, 10_000)).collect()).await;
    let engine = still.world.engine.clone();
    let order = Command::KillSwitch { engaged: true, stops: Default::default(), who: lead() };
    let mut order = Box::pin(async move { engine.command(order).await });
    // Asked once: it is in the queue.
    poll_fn(|cx| {
        assert!(order.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    let ordered = tokio::spawn(order);
    let waited = still.go(flood).await;
    assert!(matches!(ordered.await.unwrap(), Ok(Done { .. })));
    let commits = still.world.kinds();
    let order = commits.iter().position(|k| k == "kill_switch").unwrap();
    let before = commits[..order].iter().filter(|k| *k == "intake").count();
    assert!(waited.iter().max().unwrap() >= &5 && before <= 2, "{before} commits before it: {commits:?}");
}
