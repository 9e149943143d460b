//! The shell: HTTP, configuration, start and stop. The only crate that knows all the others.
//!
//! Read [`app`] first: one function wires everything. `intake` is the way in for alerts, [`api`]
//! the way in for people, `auth` the only door between a request and the engine.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should say where"))]

pub mod api;
pub mod app;
mod assist;
pub mod audit;
mod auth;
mod books;
mod certificate;
mod chat;
pub mod config_dir;
/// How routes name what they need; see the module.
pub mod door {
    pub use crate::auth::Viewer;
    pub use crate::auth::door::{Guarded, Proves, Scope, needs};
}
mod connect;
mod console;
mod desks;
mod export;
pub mod identity;
mod intake;
mod key_file;
mod live;
mod metrics;
mod offline;
mod oidc;
mod people;
mod places;
mod problem;
pub mod rehearse;
pub mod replay;
mod retention;
mod seal_key;
mod secrets;
mod serve;
mod session;
mod sse;
mod subject;
pub mod support;
mod swap;
pub mod tenants;
mod vault;
mod versions;
mod webhooks;
mod workshop;

pub use api::anonymous::DOORS as DOOR_PATHS;
pub use api::anonymous::PATHS as ANONYMOUS_PATHS;
pub use app::{App, Options, StartError};
pub use config_dir::check;
pub use offline::{OfflineError, offline_router};
