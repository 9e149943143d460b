//! The journal from outside: one suite for all implementations, tampering, faults of the disk.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod conforms;
mod faults;
mod tamper;
