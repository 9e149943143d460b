//! The journal on disk: append-only, hash-chained, durable before it answers.
//!
//! # The rule of acknowledgement
//!
//! **Nobody outside is told "accepted" before [`Journal::append`] has returned `Ok`.** That call returns
//! after the disk has confirmed an `fsync` of the commit, so everything acknowledged is there after a
//! crash or a power cut. The order is always: check the signature, parse within limits, append, answer.
//! Many alerts share one append (group commit), because a sync costs the same for one as for 512.
//!
//! After any error of `append` the journal refuses every further one, and the process must stop and
//! start again. A failed `fsync` is never retried: the kernel may have dropped the dirty pages and would
//! answer the second call with success. The new process reads what really is on disk; senders that got
//! no answer send again and are recognised by their deduplication key.
//!
//! Entries of one `append` are all there or none. Entries that were written but whose answer was lost in
//! a crash may be there too: more than was acknowledged is possible, less never.
//!
//! Source: PostgreSQL's handling of fsync errors, <https://wiki.postgresql.org/wiki/Fsync_Errors>;
//! <https://www.sqlite.org/pragma.html#pragma_synchronous>.
//!
//! # Reading order
//!
//! [`chain`] (what is hashed) → [`detail`] (how bulk is stored) → `schema` (tables, settings) →
//! [`sqlite`] (the writer) → `checkpoint` (its log) → `walk`, [`reader`] (the way back) → [`memory`] (the same for tests) → [`contract`] (what all must do).
//!
//! The store never interprets a body: it keeps stream, kind and bytes, also those of a version it has
//! never heard of. Only `stanch-core` knows what they mean.
//!
//! [`Journal::append`]: stanch_model::port::Journal::append

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should say where"))]

mod backup;
pub mod chain;
mod checkpoint;
pub mod contract;
pub mod detail;
pub mod erasure;
pub mod memory;
pub mod place;
pub mod reader;
mod schema;
pub mod sqlite;
pub mod statistics;
mod walk;

pub use chain::{BadHead, GENESIS, head_from_text, head_to_text};
pub use memory::{MemoryJournal, MemoryReader};
pub use reader::SqliteReader;
pub use sqlite::{Options, SqliteJournal};
pub use statistics::{KindSize, Statistics};
