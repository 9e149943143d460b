//! Who was let in, and what was changed about who may come in. Never a secret, and nothing that
//! could be used as one.

use serde::{Deserialize, Serialize};

/// Something about who may come in was changed, or somebody came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// What.
    pub what: Access,
    /// About whom.
    pub of: String,
    /// By whom; themselves where a person acts alone.
    pub by: String,
    /// In words, for example a role or the name of a token; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
}

/// What can happen to who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// The first administrator was made with the set-up token.
    SetUp,
    /// An account was made.
    Added,
    /// Role or teams of an account were changed.
    Changed,
    /// An account was shut.
    Disabled,
    /// An account was opened again.
    Enabled,
    /// A link to set a password was made.
    Invited,
    /// A password was set.
    PasswordSet,
    /// A token was made.
    TokenMade,
    /// A token was taken back.
    TokenRevoked,
    /// Somebody came in by the console.
    SignedIn,
    /// Every session of somebody was ended.
    SignedOutEverywhere,
}

impl Access {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Access::SetUp => "first administrator made",
            Access::Added => "account made",
            Access::Changed => "role or teams changed",
            Access::Disabled => "account shut",
            Access::Enabled => "account opened again",
            Access::Invited => "link to set a password made",
            Access::PasswordSet => "password set",
            Access::TokenMade => "token made",
            Access::TokenRevoked => "token taken back",
            Access::SignedIn => "signed in",
            Access::SignedOutEverywhere => "signed out everywhere",
        }
    }
}
