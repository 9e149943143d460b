//! The judgement: what an alert is worth, learnt from what people said about earlier ones.
//!
//! Numbers and small facts come in; a calibrated probability with its reasons goes out. Nothing
//! here reads a clock, a disk, a network or a random number that was not seeded: the same history
//! gives the same judgement, on every machine and in every replay.

pub mod baseline;
pub mod bound;
pub mod calibrate;
pub mod chance;
pub mod forest;
pub mod kin;
pub mod learner;
pub mod measure;
pub mod queue;
pub mod route_of;
pub mod similar;
pub mod sluice;
pub mod softmax;
pub mod stage_of;
pub mod text;
pub mod twins;
pub mod watch;
