//! A fresh proof of the person: what a yes takes, beside a session, where a change may hurt much.
//!
//! Tiers: the machine alone (autonomy), one approver anywhere (the default of a question), one approver in the
//! console with a fresh proof, and two of them. The last two are wanted by blast radius or by kind of change, as
//! two people are. What was proved is for one question only, is used once, and is shown in the journal.
//!
//! Source: SEC-22, SEC-76.

use serde::{Deserialize, Serialize};
use stanch_model::{ActionKind, Span, Timestamp};

use super::blast_radius::Level;
use crate::config::ContainmentPolicy;

/// By what somebody proved that it is them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The password of their account.
    Password,
    /// A new sign-in at the provider.
    Provider,
    /// The token of their session, shown again.
    Token,
}

impl How {
    /// The word shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            How::Password => "password",
            How::Provider => "provider",
            How::Token => "token",
        }
    }
}

/// A proof that it was this person, for one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshProof {
    /// By what.
    pub how: How,
    /// When they proved it.
    pub at: Timestamp,
}

impl FreshProof {
    /// True when it is not older than `within` at this time, and not of a time to come.
    #[must_use]
    pub fn holds(&self, within: Span, at: Timestamp) -> bool {
        self.at <= at && at.since(self.at) <= within
    }
}

/// How old a proof may be for a yes to this change; none where it takes none.
#[must_use]
pub fn wanted(policy: &ContainmentPolicy, kind: &ActionKind, level: Level) -> Option<Span> {
    let by_radius = policy.fresh_proof_when_high && level == Level::High;
    (by_radius || policy.fresh_proof_for.contains(kind.name())).then_some(policy.fresh_proof_within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_from_when_it_was_given_for_as_long_as_the_policy_says() {
        let proof = FreshProof { how: How::Password, at: Timestamp(1_000) };
        let holds = |at| proof.holds(Span(500), Timestamp(at));
        assert!(holds(1_000) && holds(1_500));
        assert!(!holds(999) && !holds(1_501));
    }

    #[test]
    fn it_is_wanted_by_radius_or_by_kind_and_by_nothing_else() {
        let lock = ActionKind::LockAccount { account: "alice".into() };
        let block = ActionKind::BlockAddress { target: "203.0.113.9/32".parse().expect("net") };
        let mut policy = ContainmentPolicy::default();
        assert_eq!(wanted(&policy, &lock, Level::High), None);
        policy.fresh_proof_for.insert("lock_account".into());
        assert_eq!(wanted(&policy, &lock, Level::Low), Some(Span::mins(5)));
        assert_eq!(wanted(&policy, &block, Level::High), None);
        policy.fresh_proof_when_high = true;
        assert_eq!(wanted(&policy, &block, Level::High), Some(Span::mins(5)));
        assert_eq!(wanted(&policy, &block, Level::Medium), None);
    }
}
