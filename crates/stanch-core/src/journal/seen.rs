//! The dedup index: which claims are known, by what their repeats share.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use stanch_model::AlertId;

use super::event::Key;

/// What is remembered of a claim to recognise its repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The alert that repeats are counted on.
    pub alert: AlertId,
    /// Fingerprint of the latest delivery.
    pub delivery: u64,
    /// The source has said that it is over.
    pub resolved: bool,
}

/// Keys are already 128 bits of a SHA-256: hashing them again would only cost time.
#[derive(Default)]
pub struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 ^= n;
    }

    #[allow(clippy::cast_possible_truncation)] // the low half is as random as the whole
    fn write_u128(&mut self, n: u128) {
        self.0 ^= n as u64 ^ (n >> 64) as u64;
    }
}

/// A map over keys that are hashes already.
pub type HashedMap<K, V> = HashMap<K, V, BuildHasherDefault<PassThrough>>;

/// The dedup index. Never iterated, so that its order cannot matter.
#[derive(Default)]
pub struct Seen {
    known: HashedMap<u128, Known>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seen({} claims)", self.known.len())
    }
}

impl Seen {
    pub(super) fn make_room(&mut self, claims: usize) {
        self.known.reserve(claims);
    }

    /// What is known of a claim.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Known> {
        self.known.get(&key.0)
    }

    /// Remembers a claim, replacing what was known under the same key.
    pub fn insert(&mut self, key: Key, known: Known) {
        self.known.insert(key.0, known);
    }

    /// Changes what is known of a claim.
    pub fn update(&mut self, key: Key, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.get_mut(&key.0) {
            change(known);
        }
    }

    /// How many claims are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True when nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
