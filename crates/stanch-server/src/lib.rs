//! The shell: HTTP, configuration, start and stop. The only crate that knows all the others.

pub mod api;
