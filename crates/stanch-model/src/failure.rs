//! How a call to the outside world can fail. The class decides what happens next.

use serde::{Deserialize, Serialize};

use crate::Span;

/// Why a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Failure {
    /// It may work later, and it is certain that nothing was changed.
    #[error("{why} (may work later)")]
    Transient {
        /// What happened.
        why: String,
    },
    /// The other side asks us to slow down.
    #[error("{why} (asked to wait {retry_after})")]
    RateLimited {
        /// What it said.
        why: String,
        /// How long it asks us to wait.
        retry_after: Span,
    },
    /// Our credentials were refused.
    #[error("{why} (credentials refused)")]
    Unauthorised {
        /// What it said.
        why: String,
    },
    /// It will not work however often we ask.
    #[error("{why}")]
    Permanent {
        /// What is wrong.
        why: String,
    },
    /// We cannot tell whether the change was made: look before doing anything else.
    #[error("{why} (outcome unknown)")]
    Unknown {
        /// What happened.
        why: String,
    },
    /// No answer within the deadline. For look-ups only: a change that times out is `Unknown`.
    #[error("no answer within {after}")]
    Late {
        /// The deadline.
        after: Span,
    },
}

impl Failure {
    /// Shorthand for [`Failure::Transient`].
    pub fn transient(why: impl Into<String>) -> Failure {
        Failure::Transient { why: why.into() }
    }

    /// Shorthand for [`Failure::Permanent`].
    pub fn permanent(why: impl Into<String>) -> Failure {
        Failure::Permanent { why: why.into() }
    }

    /// Shorthand for [`Failure::Unknown`].
    pub fn unknown(why: impl Into<String>) -> Failure {
        Failure::Unknown { why: why.into() }
    }
}
