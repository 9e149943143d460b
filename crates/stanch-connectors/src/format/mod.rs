//! The formats that alerts arrive in: one file each, in a list you can read.
//!
//! All of them are pure: the same bytes give the same records, nothing is fetched, no clock is
//! read. None ever fails as a whole or panics; what cannot be read becomes a record with a reason.

pub mod alertmanager;
#[cfg(test)]
mod fuzz_tests;
pub mod generic;
mod json;
pub mod pagerduty;
mod pick;
mod plain;
mod stretch;
pub mod suricata;
#[cfg(test)]
mod testing;
pub mod wazuh;
pub mod zeek;
mod zeek_tsv;

use stanch_model::port::Format;

pub use json::{MAX_DEPTH, MAX_ELEMENTS, MAX_KEYS, MAX_STRING, MAX_VALUES};

/// Every built-in format.
pub const FORMATS: &[&dyn Format] =
    &[&suricata::Suricata, &zeek::Zeek, &wazuh::Wazuh, &alertmanager::Alertmanager, &pagerduty::PagerDuty];

/// The built-in format of this name, for example `suricata`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}
