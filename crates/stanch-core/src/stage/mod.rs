//! What happens to an alert: one file for each verb, in story order.

pub mod advice;
pub mod autonomy;
pub mod correlate;
pub mod dedup;
pub mod escalate;
pub mod fingerprint;
pub mod health;
pub mod kill_chain;
pub mod learned;
pub mod normalise;
pub mod recall;
pub mod route;
pub mod sigma;
pub mod subject;
pub mod suppress;
pub mod triage;
