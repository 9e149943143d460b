//! The HTTP API.

pub mod v1;
