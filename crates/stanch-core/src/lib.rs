//! The verbs: decisions as plain functions over values.
//!
//! Nothing here reads a clock, a disk, a network or a random number; state, policy and `now` come
//! in, verdicts with their reasons go out. Read in this order: [`stage`] (what happens to an
//! alert), [`playbook`] (what happens to an incident), [`contain`] (may we act?), [`journal`] (what
//! is remembered), [`measure`] (how well we did).

pub mod assist;
pub mod chat;
pub mod config;
pub mod contain;
pub mod decided;
pub mod filter;
pub mod journal;
pub mod law;
pub mod measure;
pub mod playbook;
pub mod radar;
pub mod retention;
pub mod stage;
pub mod story;

pub use config::Config;
pub use decided::{Decided, Reason};
pub use stanch_expr as expr;
