//! API v1: additive only.

pub mod types;
