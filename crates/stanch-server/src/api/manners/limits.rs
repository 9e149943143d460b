//! How fast one caller may ask: a bucket that fills steadily and holds ten seconds' worth.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use stanch_model::Timestamp;

/// Seconds' worth that a bucket holds.
const WINDOW: u32 = 10;
/// Callers remembered; beyond that those with full buckets are forgotten.
const CALLERS: usize = 10_000;

/// The buckets of all callers.
pub(crate) struct Limits {
    per_second: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request.
    left: u64,
    at: Timestamp,
}

/// What a bucket said.
pub(crate) struct Room {
    pub(crate) passed: bool,
    /// Requests left.
    left: u64,
    size: u64,
    /// Whole seconds until one more passes; 0 when one passes now.
    pub(crate) seconds: u64,
}

impl Limits {
    /// `per_second` requests for each caller.
    pub(crate) fn new(per_second: u32) -> Limits {
        Limits { per_second: per_second.max(1), buckets: Mutex::default() }
    }

    /// Takes one request out of a caller's bucket.
    pub(crate) fn take(&self, caller: &str, now: Timestamp) -> Room {
        let full = u64::from(self.per_second) * u64::from(WINDOW) * 1_000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS && !buckets.contains_key(caller) {
            let rate = u64::from(self.per_second);
            buckets.retain(|_, b| b.left + elapsed(b.at, now) * rate < full);
        }
        let bucket = buckets.entry(caller.to_owned()).or_insert(Bucket { left: full, at: now });
        // A thousandth of a request for each millisecond and each request a second.
        bucket.left = (bucket.left + elapsed(bucket.at, now) * u64::from(self.per_second)).min(full);
        bucket.at = bucket.at.max(now);
        let passed = bucket.left >= 1_000;
        if passed {
            bucket.left -= 1_000;
        }
        let lacking = 1_000_u64.saturating_sub(bucket.left);
        let seconds = lacking.div_ceil(u64::from(self.per_second) * 1_000);
        Room { passed, left: bucket.left / 1_000, size: full / 1_000, seconds }
    }
}

fn elapsed(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

impl Room {
    /// Tells the caller.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        let policy = format!("\"caller\";q={};w={WINDOW}", self.size);
        let now = format!("\"caller\";r={};t={}", self.left, self.seconds);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_fills_steadily_and_is_its_owners_alone() {
        let limits = Limits::new(2);
        let t0 = Timestamp(1_000_000);
        for n in 0..20 {
            assert!(limits.take("anna", t0).passed, "{n}");
        }
        let room = limits.take("anna", t0);
        assert!(!room.passed);
        assert_eq!((room.left, room.seconds), (0, 1));
        assert!(limits.take("bert", t0).passed);
        assert!(limits.take("anna", Timestamp(t0.0 + 500)).passed, "two a second: one each half");
        assert!(!limits.take("anna", Timestamp(t0.0 + 500)).passed);
        // A clock that goes back gives nothing.
        assert!(!limits.take("anna", Timestamp(0)).passed);
        assert_eq!(limits.take("anna", Timestamp(t0.0 + 3_600_000)).left, 19);
    }
}
