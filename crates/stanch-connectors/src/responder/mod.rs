//! Devices we can change, and two stand-ins for them.
//!
//! Every responder looks at its device before it answers, recognises its own work by the tag of the
//! action alone, and never touches what it did not put there.

pub mod fake;
pub mod lab;
pub mod nftables;
pub(crate) mod run;
pub mod simulated;

pub use fake::{Fault, Faulty};
pub use nftables::{NftConfig, Nftables};
pub use simulated::Simulated;
