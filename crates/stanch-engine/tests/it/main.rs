//! The engine as a whole: real stages, a journal in memory, a clock moved by hand.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod alerts;
mod attacks;
mod budgets;
mod chat;
mod containment;
mod earned;
mod fair;
mod health;
mod law;
mod learning;
mod leases;

mod matrix;
mod opinions;
mod patterns;
mod people;
mod replay;
mod runbooks;
mod runs;
mod together;
#[path = "../../../stanch-connectors/src/socket_mode/workspace.rs"]
mod workspace;
mod world;
