//! Seeded worlds in which everything goes wrong: crashes, delays, duplicates, other orders, clocks that
//! jump, disks that refuse, devices that fail, forget and lie. After every move the numbered laws are
//! asked ([`stanch_core::law`]); at the end the world is left in peace, and everything must come to
//! rest.
//!
//! One thread, no clock and no randomness but the seed's: the same seed gives the same journal, byte
//! for byte, so that what was found once can be looked at again.

mod chance;
mod device;
mod firm;
mod world;

pub use world::{Outcome, play};
