//! May we act? The guard, what it weighs, and the people it asks.
//!
//! Read in this order: [`address`] and [`target`] (what may be a target at all), [`blast_radius`] (how much it
//! would hurt), [`approval`] (the question to a person, and the exact answer), [`mod@guard`] (the
//! verdict). There is one way to a change of the outside world: a [`Permit`], and only the guard
//! gives one.

pub mod address;
pub mod approval;
pub mod blast_radius;
pub mod contacts;
pub mod fresh;
pub mod guard;
pub mod ladder;
pub mod lease;
mod names;
pub mod own_doing;
pub mod parties;
pub mod plan;
mod preauthorised;
mod protect;
mod question;
mod question_v1;
mod rules;
pub mod seal;
pub mod target;
pub mod weigh;

pub use address::parse_target;
pub use approval::{Answer, Approval, ApprovalError, ApprovalState, Approved, Decision, Vote};
pub use blast_radius::{BlastRadius, Level, Peer, TouchedAsset};
pub use fresh::FreshProof;
pub use guard::{Evidence, GuardFacts, Mode, Permit, Usage, Verdict, guard};
pub use parties::Party;
pub use preauthorised::{Preauthorisation, Preauthorised};
pub use question::ENCODING;
pub use seal::{Seal, Sealed};
