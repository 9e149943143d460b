//! A verdict and why. No decision returns a bare `bool`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason for a verdict, in words for people, naming the fact or the rule it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub String);

impl Reason {
    /// A reason in words.
    pub fn new(words: impl Into<String>) -> Reason {
        Reason(words.into())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A verdict and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided<T> {
    /// What was decided.
    pub verdict: T,
    /// Why, most important first.
    pub because: Vec<Reason>,
}

impl<T> Decided<T> {
    /// A verdict with a single reason.
    pub fn new(verdict: T, because: impl Into<String>) -> Decided<T> {
        Decided { verdict, because: vec![Reason::new(because)] }
    }
}
