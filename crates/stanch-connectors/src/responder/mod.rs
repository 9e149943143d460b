//! Devices we can change, and two stand-ins for them.
//!
//! Every responder looks at its device before it answers, recognises its own work by the tag of the
//! action alone, and never touches what it did not put there.

#[cfg(test)]
pub(crate) mod contract;
pub mod fake;
pub mod lab;
pub mod ldap;
pub mod nftables;
pub mod open_vswitch;
pub mod rpz;
pub(crate) mod run;
mod seal;
pub mod simulated;

pub use fake::{Fault, Faulty};
pub use ldap::{Directory, LdapConfig, LdapTls, Lock};
pub use nftables::{NftConfig, Nftables, OwnPath, TcpPaths};
pub use open_vswitch::{OpenVswitch, OvsConfig, OvsRemote};
pub use rpz::{Rpz, RpzConfig, Sinkhole};
pub use simulated::Simulated;
