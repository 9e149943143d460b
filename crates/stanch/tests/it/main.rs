//! The real program, driven as a person or a script would: one folder, one server, many commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
mod audit;
mod demo;
mod hostile;
mod lifecycle;
mod mcp;
mod memory;
mod offline;
mod playbook;
mod rehearse;
mod site;
mod support;
mod tenants;
mod work;
