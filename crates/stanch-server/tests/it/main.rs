//! The shell against a real engine on a real journal in a folder of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod assisted;
mod attack;
mod bad_input;
mod certificates;
mod chat;
#[path = "../../../stanch-connectors/src/socket_mode/cloud.rs"]
mod cloud;
mod console;
mod described;
mod explained;
mod filters;
mod h2_attack;
mod hooks;
mod house;
mod identity;
mod intake;
mod judgement;
mod manners;
mod matrix;
mod parties;
mod people;
mod playbook_edit;
mod proofs;
mod quiet;
mod reload;
mod retention;
mod secrets;
mod secure;
mod shares;
mod socket;
mod storm;
mod tenants;
mod tenants_apart;
mod tenants_tls;
mod webhooks;
mod whole_loop;
#[path = "../../../stanch-connectors/src/socket_mode/workspace.rs"]
mod workspace;
