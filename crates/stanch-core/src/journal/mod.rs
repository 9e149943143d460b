//! What is remembered: events (stored facts), effects (stored intentions) and their fold.
//!
//! The journal is the truth. Everything shown, counted or decided is a fold over it: [`State`] is
//! that fold, and [`State::apply`] the only way to change it. `apply` may only grow between
//! releases; deciding may change as we learn.

pub mod agenda;
mod apply;
mod apply_changes;
mod apply_incidents;
mod apply_runs;
pub mod bonds;
mod codec;
pub mod detail;
pub mod event;
pub mod health;
pub mod incident;
pub mod learnt;
pub mod ledger;
pub mod opinion;
pub mod posts;
pub mod saved;
pub mod second;
pub mod seen;
pub mod sightings;
pub mod state;

pub use codec::{KINDS, Undecodable, decode, encode};
pub use event::{Effect, Event};
pub use incident::{Incident, Status};
pub use ledger::{Ledger, Tally};
pub use state::{AlertSlot, Disposition, State};
