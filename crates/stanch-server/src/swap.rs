//! A value that is replaced whole: readers keep what they took, and never wait for each other.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that is replaced whole.
#[derive(Debug)]
pub(crate) struct Swap<T>(RwLock<Arc<T>>);

impl<T> Swap<T> {
    pub(crate) fn new(value: T) -> Swap<T> {
        Swap(RwLock::new(Arc::new(value)))
    }

    /// The value as it is now; it stays as it is for whoever holds it.
    pub(crate) fn now(&self) -> Arc<T> {
        // The lock is only ever held for a copy of a pointer, so a poisoned one holds a whole value.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub(crate) fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
