//! The demonstration: a real recording through the same server as `stanch serve`, one decision, one
//! real block in a network of its own, and every second accounted for.
//!
//! Reading order: [`scene`] (what happens, act by act) → [`stage`] (the folder and the server it
//! happens on) → [`feed`] (the recording, over HTTP) → [`network`] (hosts, firewall, probes) →
//! [`mail`] (what the network team got) → [`tell`] (what is printed) → [`summary`] (the same as JSON).
//!
//! Nothing here decides: which alerts matter, what belongs together, what to block and whether a
//! person must agree is all said by the engine.

pub mod feed;
pub mod mail;
pub mod network;
pub mod scene;
pub mod stage;
pub mod summary;
pub mod tell;
