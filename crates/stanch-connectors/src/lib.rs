//! The doors to the world: one file for each product.
//!
//! Formats take bytes apart, references and enrichers answer look-ups, responders change devices,
//! notifiers tell people. Connectors know [`stanch_model`] and nothing else of Stanch: no decision
//! is taken here.

pub mod assistant;
pub mod calls;
pub mod discover;
pub mod egress;
pub mod enricher;
pub mod format;
pub mod notifier;
pub mod responder;
pub mod socket_mode;
