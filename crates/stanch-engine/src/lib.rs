//! The loop: inputs become commits, commits become effects.
//!
//! One thread owns the state. It takes what has come in, decides, writes one commit, waits until
//! the disk has it, and only then answers and acts. First run, retry, restart: all take this road.
//! Read `pipeline` for what happens to an alert, `turn` for how decisions become entries, `drive`
//! for the threads, `engine` for what others see of it.

mod again;
mod backlog;
mod chats;
pub mod command;
mod drift;
mod drive;
mod due;
mod engine;
pub mod hand;
mod health;
pub mod input;
mod known;
mod lanes;
mod learn;
mod leases;
mod look;
mod order;
mod outbox;
mod patterns;
mod pipeline;
mod queue;
mod recover;
pub mod rehearse;
pub mod replay;
pub mod rules;
pub mod runs;
mod settle;
mod turn;

pub use command::{Command, CommandError, Done};
pub use engine::{Engine, EngineError, LookUp, Now, Ports};
pub use hand::Hand;
pub use input::{Ack, Answer, Busy, Loader, Outcome, Received};
pub use look::{Occurrence, SharedReader};
pub use recover::recover;
pub use rules::{Lately, Rules};
pub use runs::{Replied, Start, TaskReply};
