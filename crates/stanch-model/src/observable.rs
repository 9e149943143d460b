//! A value seen: an address, a name, an account, a digest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of value it is. Comments give OCSF `observable.type_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservableKind {
    /// 2
    Ip,
    /// 1, also a domain name
    Hostname,
    /// 4
    User,
    /// 5
    Email,
    /// 6
    Url,
    /// 8
    Hash,
    /// 3
    Mac,
    /// 7
    File,
    /// 9
    Process,
}

impl ObservableKind {
    /// The word used in files and on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ObservableKind::Ip => "ip",
            ObservableKind::Hostname => "hostname",
            ObservableKind::User => "user",
            ObservableKind::Email => "email",
            ObservableKind::Url => "url",
            ObservableKind::Hash => "hash",
            ObservableKind::Mac => "mac",
            ObservableKind::File => "file",
            ObservableKind::Process => "process",
        }
    }
}

/// A value seen, with its kind. Hostnames, e-mail addresses, digests and MACs are lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Observable {
    /// What it is.
    pub kind: ObservableKind,
    /// Its text.
    pub value: String,
}

impl Observable {
    /// A value in its canonical spelling.
    #[must_use]
    pub fn new(kind: ObservableKind, value: impl Into<String>) -> Observable {
        let mut value = value.into();
        match kind {
            ObservableKind::Hostname | ObservableKind::Email | ObservableKind::Hash | ObservableKind::Mac => {
                value.make_ascii_lowercase();
                if kind == ObservableKind::Hostname && value.ends_with('.') {
                    value.pop();
                }
            }
            ObservableKind::Ip
            | ObservableKind::User
            | ObservableKind::Url
            | ObservableKind::File
            | ObservableKind::Process => {}
        }
        Observable { kind, value }
    }
}

impl fmt::Display for Observable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.value)
    }
}
