//! The words: values that both sides of a port must understand.
//!
//! Everything here is small, plain and stable. Nothing here reads a clock, opens a file or talks
//! to a network; times, ids and randomness are handed in by the shell.

pub mod action;
pub mod alert;
pub mod fact;
pub mod failure;
pub mod flow;
pub mod id;
pub mod notice;
pub mod observable;
pub mod port;
pub mod time;
pub mod unmapped;

pub use action::{Action, ActionKind, Observed, Transport};
pub use alert::{Alert, AlertState, Attack, Endpoint, Product, Rule, Severity};
pub use fact::{Fact, Meaning};
pub use failure::Failure;
pub use flow::Flow;
pub use id::{ActionId, AlertId, ApprovalId, EffectId, IncidentId, RunId, SilenceId, TaskId};
pub use notice::{Ask, Card, Notice, Place, Undo, Urgency};
pub use observable::{Observable, ObservableKind};
pub use time::{Span, Timestamp};
pub use unmapped::Unmapped;
