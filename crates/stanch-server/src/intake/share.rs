//! How much of intake one source may take: places, memory, and what flows in a second.
//!
//! Places and memory are given by what is still free: a source may hold as much as is left for all others.
//! So one that floods ends at half of it, a second one finds a third, and nobody has to know who else will
//! come. Who has not proven yet who they are holds what they hold together, as one source.
//!
//! Source: SEC-7; Choudhury, Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
//! IEEE/ACM Transactions on Networking 6(2), 1998.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use stanch_core::config;
use stanch_model::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

/// A limit a second holds over so many: a sender that was cut off may catch up.
const SECONDS: f64 = 10.0;

/// What one source holds, and what was refused to it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Bodies in hand, from when one begins to be read until it is answered.
    bodies: AtomicU32,
    /// Of them: those that wait for the disk.
    queued: AtomicU32,
    /// Memory set aside for them, in pieces.
    pieces: AtomicU32,
    /// Deliveries refused because it held its share.
    beyond_share: AtomicU64,
    /// Deliveries refused because of its limit.
    beyond_limit: AtomicU64,
    /// The most commits that one delivery waited for.
    waited: AtomicU64,
}

/// How much of intake one source may take.
#[derive(Debug, Default)]
pub(crate) struct Share {
    counts: Arc<Counts>,
    limit: Option<Limit>,
}

/// More than its share is in hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beyond;

/// Its limit is used up; for so many seconds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent(pub(crate) u64);

/// A place for one body, given back when it is dropped.
pub(crate) struct Held<'a> {
    share: &'a Share,
    pieces: u32,
    /// Of the memory of all.
    room: Option<OwnedSemaphorePermit>,
}

/// A place among the deliveries that wait for the disk, given back when it is dropped.
pub(crate) struct Queued<'a>(&'a Counts);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.share.counts.bodies.fetch_sub(1, Ordering::Relaxed);
        if self.pieces > 0 {
            self.share.counts.pieces.fetch_sub(self.pieces, Ordering::Relaxed);
        }
    }
}

/// Adds to what is held, if no more is held then than may be.
fn hold(held: &AtomicU32, more: u32, most: u32) -> bool {
    let before = held.fetch_add(more, Ordering::Relaxed);
    // One is always let in: whether there is room for it at all is judged elsewhere.
    let fits = before == 0 || before.saturating_add(more) <= most;
    if !fits {
        held.fetch_sub(more, Ordering::Relaxed);
    }
    fits
}

impl Share {
    pub(crate) fn new(of: &config::Share) -> Share {
        let limit = (of.alerts.is_some() || of.bytes.is_some()).then(|| Limit {
            alerts: of.alerts.map(|a| Bucket::new(f64::from(a))).map(Mutex::new),
            bytes: of.bytes.map(|b| Bucket::new(b as f64)).map(Mutex::new),
        });
        Share { counts: Arc::default(), limit }
    }

    /// Goes on with what a source of the same name holds and has used, after a reload.
    pub(crate) fn follow(&mut self, before: &Share) {
        self.counts = before.counts.clone();
        if let (Some(limit), Some(before)) = (&self.limit, &before.limit) {
            limit.follow(before);
        }
    }

    /// A place for one body. `places` and `room` are what is free for all: deliveries, and pieces of memory.
    ///
    /// # Errors
    /// When it holds as much as is free, of one or the other.
    pub(crate) fn hold(&self, places: usize, pieces: u32, room: usize) -> Result<Held<'_>, Beyond> {
        let counts = &self.counts;
        if !hold(&counts.bodies, 1, u32::try_from(places).unwrap_or(u32::MAX)) {
            counts.beyond_share.fetch_add(1, Ordering::Relaxed);
            return Err(Beyond);
        }
        if pieces > 0 && !hold(&counts.pieces, pieces, u32::try_from(room).unwrap_or(u32::MAX)) {
            counts.bodies.fetch_sub(1, Ordering::Relaxed);
            counts.beyond_share.fetch_add(1, Ordering::Relaxed);
            return Err(Beyond);
        }
        Ok(Held { share: self, pieces, room: None })
    }

    /// A place among the deliveries that wait for the disk. Asked for anew, because bodies that are still read
    /// take none.
    ///
    /// # Errors
    /// When it has as many there as are free.
    pub(crate) fn queue(&self, places: usize) -> Result<Queued<'_>, Beyond> {
        if hold(&self.counts.queued, 1, u32::try_from(places).unwrap_or(u32::MAX)) {
            return Ok(Queued(&self.counts));
        }
        self.counts.beyond_share.fetch_add(1, Ordering::Relaxed);
        Err(Beyond)
    }

    /// Whether something may be sent now: asked before a body is read.
    ///
    /// # Errors
    /// When the limit is used up.
    pub(crate) fn open(&self, now: Timestamp) -> Result<(), Spent> {
        let Some(limit) = &self.limit else { return Ok(()) };
        limit.open(now).inspect_err(|_| {
            self.counts.beyond_limit.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Counts what is taken in. One delivery may be more than what is left: then the next waits longer.
    pub(crate) fn charge(&self, alerts: usize, bytes: usize) {
        if let Some(limit) = &self.limit {
            limit.add(-(alerts as f64), -(bytes as f64));
        }
    }

    /// Takes the count back: it was not taken in after all.
    pub(crate) fn refund(&self, alerts: usize, bytes: usize) {
        if let Some(limit) = &self.limit {
            limit.add(alerts as f64, bytes as f64);
        }
    }

    /// Remembers how many commits a delivery waited for.
    pub(crate) fn waited(&self, commits: u64) {
        // Looked at first: a store by every delivery would make two cores take the line from each other.
        if self.counts.waited.load(Ordering::Relaxed) < commits {
            self.counts.waited.fetch_max(commits, Ordering::Relaxed);
        }
    }

    /// What was refused because of its share, and because of its limit; and the most commits waited for.
    pub(crate) fn told(&self) -> [u64; 3] {
        let Counts { beyond_share, beyond_limit, waited, .. } = &*self.counts;
        [beyond_share, beyond_limit, waited].map(|n| n.load(Ordering::Relaxed))
    }
}

impl Held<'_> {
    /// With the memory of all that was set aside for it.
    pub(crate) fn with(mut self, room: Option<OwnedSemaphorePermit>) -> Self {
        self.room = room;
        self
    }

    /// True when it is on this account.
    pub(crate) fn is_of(&self, share: &Share) -> bool {
        std::ptr::eq(self.share, share)
    }

    /// The same place on the account of another source: of the one that was proven meanwhile.
    ///
    /// # Errors
    /// When that one holds its share.
    pub(crate) fn moved(mut self, to: &Share, places: usize, room: usize) -> Result<Held<'_>, Beyond> {
        let held = to.hold(places, self.pieces, room)?;
        Ok(held.with(self.room.take()))
    }
}

/// What may flow in a second; none is without limit.
#[derive(Debug)]
struct Limit {
    alerts: Option<Mutex<Bucket>>,
    bytes: Option<Mutex<Bucket>>,
}

impl Limit {
    fn buckets(&self) -> impl Iterator<Item = &Mutex<Bucket>> {
        self.alerts.iter().chain(&self.bytes)
    }

    fn open(&self, now: Timestamp) -> Result<(), Spent> {
        let waits = self.buckets().filter_map(|b| locked(b).wait(now)).max();
        waits.map_or(Ok(()), |seconds| Err(Spent(seconds)))
    }

    fn add(&self, alerts: f64, bytes: f64) {
        for (bucket, more) in [(&self.alerts, alerts), (&self.bytes, bytes)] {
            if let Some(bucket) = bucket {
                locked(bucket).left += more;
            }
        }
    }

    /// Where the same is allowed as before, what was used stays used.
    fn follow(&self, before: &Limit) {
        for (new, old) in [(&self.alerts, &before.alerts), (&self.bytes, &before.bytes)] {
            let (Some(new), Some(old)) = (new, old) else { continue };
            let (mut new, old) = (locked(new), *locked(old));
            if new.second == old.second {
                *new = old;
            }
        }
    }
}

/// Nothing here can be left half done by a panic.
fn locked(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bucket that fills by so much a second.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    second: f64,
    /// May be below nothing: the last delivery was larger than what was left.
    left: f64,
    filled: Option<Timestamp>,
}

impl Bucket {
    fn new(second: f64) -> Bucket {
        Bucket { second, left: second * SECONDS, filled: None }
    }

    /// Whole seconds until there is something in it; none while there is.
    fn wait(&mut self, now: Timestamp) -> Option<u64> {
        // A clock that was set back fills nothing, and goes on from there.
        let passed = self.filled.map_or(0.0, |at| now.since(at).0.max(0) as f64 / 1e3);
        self.filled = Some(now);
        self.left = (self.left + passed * self.second).min(self.second * SECONDS);
        (self.left <= 0.0).then(|| ((-self.left / self.second).ceil() as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use stanch_model::Span;

    use super::*;

    fn limited(alerts: Option<u32>, bytes: Option<u64>) -> Share {
        Share::new(&config::Share { alerts, bytes, ..config::Share::default() })
    }

    #[test]
    fn a_source_holds_as_much_as_is_free_and_others_find_room_beside_it() {
        // Two that take all they can get, one after the other, of a room of 1,024.
        let (a, b) = (Share::default(), Share::default());
        let mut held = Vec::new();
        for share in [&a, &b] {
            while let Ok(one) = share.queue(1_024 - held.len()) {
                held.push(one);
            }
        }
        let of = |s: &Share| s.counts.queued.load(Ordering::Relaxed);
        assert_eq!((of(&a), of(&b)), (512, 256));
        assert!(Share::default().queue(1_024 - held.len()).is_ok(), "a third finds room");
        assert!(a.hold(1_024, 0, 0).is_ok(), "a body that is read takes no place there");
        assert_eq!((a.told(), b.told()), ([1, 0, 0], [1, 0, 0]));
        drop(held);
        assert_eq!((of(&a), of(&b)), (0, 0));
    }

    #[test]
    fn memory_is_shared_in_the_same_way_and_one_body_always_has_a_chance() {
        let share = Share::default();
        let mut held = Vec::new();
        while let Ok(one) = share.hold(1_024, 128, 4_096 - 128 * held.len()) {
            held.push(one);
        }
        assert_eq!(held.len(), 16, "half of 4,096 pieces");
        assert_eq!(share.counts.bodies.load(Ordering::Relaxed), 16, "what was refused holds no place");
        assert!(Share::default().hold(0, 4_096, 1).is_ok(), "whether there is room is the room's to say");
    }

    #[test]
    fn who_is_proven_holds_on_their_own_account_and_the_memory_moves_along() {
        let room = Arc::new(tokio::sync::Semaphore::new(4));
        let (strangers, source) = (Share::default(), Share::default());
        let permit = room.clone().try_acquire_many_owned(3).unwrap();
        let held = strangers.hold(9, 3, 4).unwrap().with(Some(permit));
        let held = held.moved(&source, 9, 4).unwrap();
        let of =
            |s: &Share| (s.counts.bodies.load(Ordering::Relaxed), s.counts.pieces.load(Ordering::Relaxed));
        assert_eq!((of(&strangers), of(&source), room.available_permits()), ((0, 0), (1, 3), 1));
        drop(held);
        assert_eq!((of(&source), room.available_permits()), ((0, 0), 4));
    }

    #[test]
    fn a_limit_holds_over_ten_seconds_and_what_was_too_much_is_waited_for() {
        let (share, t) = (limited(Some(10), None), Timestamp(1_000_000));
        assert_eq!(share.open(t), Ok(()));
        share.charge(100, 1 << 30);
        assert_eq!(share.open(t), Err(Spent(1)), "used up exactly");
        assert_eq!(share.open(t.plus(Span(100))), Ok(()), "one more");
        share.charge(31, 0);
        assert_eq!(share.open(t.plus(Span(100))), Err(Spent(3)));
        share.refund(31, 0);
        assert_eq!(share.open(t.plus(Span(100))), Ok(()), "it was not taken in after all");
        share.charge(31, 0);
        // A clock that was set back by an hour is gone on from.
        assert_eq!(share.open(t.plus(Span::hours(-1))), Err(Spent(3)));
        assert_eq!(share.open(t.plus(Span::hours(-1)).plus(Span::secs(4))), Ok(()));
        // However long it was silent, no more than ten seconds' worth is saved up.
        assert_eq!(share.open(t.plus(Span::hours(9))), Ok(()));
        share.charge(100, 0);
        assert_eq!(share.open(t.plus(Span::hours(9))), Err(Spent(1)));
        assert_eq!(share.told(), [0, 4, 0]);
    }

    #[test]
    fn bytes_count_as_alerts_do_and_the_longer_wait_is_told() {
        let (share, t) = (limited(Some(1), Some(1_024)), Timestamp(0));
        share.charge(1, 1_024 * 30);
        assert_eq!(share.open(t), Err(Spent(20)));
        assert_eq!(limited(None, None).open(t), Ok(()));
    }

    #[test]
    fn after_a_reload_what_was_used_stays_used_unless_the_limit_is_another() {
        let (before, t) = (limited(Some(10), None), Timestamp(0));
        before.charge(150, 0);
        assert_eq!(before.open(t), Err(Spent(5)));
        let held = before.hold(10, 0, 0).unwrap();
        let (mut same, mut other) = (limited(Some(10), None), limited(Some(20), None));
        same.follow(&before);
        other.follow(&before);
        assert_eq!((same.open(t), other.open(t)), (Err(Spent(5)), Ok(())));
        assert_eq!(same.counts.bodies.load(Ordering::Relaxed), 1, "what is in hand is still counted");
        drop(held);
        assert_eq!(other.counts.bodies.load(Ordering::Relaxed), 0);
    }
}
