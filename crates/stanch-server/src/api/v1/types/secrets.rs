//! Stored secrets, without what they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A stored secret as far as anybody may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// Its name, as in `{ stored: NAME }`.
    pub name: String,
    /// The only connector that may use it.
    pub connector: String,
    /// The only places it may be sent to, as host:port.
    pub hosts: Vec<String>,
    /// 1, 2, 3, …
    pub version: u64,
    /// When it was first set.
    pub created: String,
    /// When this version was set.
    pub changed: String,
    /// Who set this version.
    pub by: String,
    /// Eight digits that tell two values apart and do not tell what they are.
    pub fingerprint: String,
}

/// All stored secrets, by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretPage {
    /// Each without what it is.
    pub secrets: Vec<SecretView>,
}

/// What came of a change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretDone {
    /// The secret.
    pub secret: SecretView,
    /// True when it is in use from now on.
    pub in_force: bool,
    /// Why not, otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Another key for stored secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsKeyRequest {
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of another key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretsKeyView {
    /// True when it was done.
    pub done: bool,
    /// Secrets whose keys are wrapped anew.
    pub secrets: usize,
    /// Of these, how many only the key before opened.
    pub behind: usize,
    /// True when the key before is gone, false when stanch.yaml still names it as `before`.
    pub gone: bool,
    /// In words, and what is left to do.
    pub message: String,
}

/// A secret to keep. Comes in and never goes out: there is no way to write it down again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// The secret itself: 1 to 16384 bytes on one line.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 16384)]
    pub value: SecretText,
    /// The connector that may use it; left out for a new version of a secret that is there.
    #[serde(default)]
    pub connector: Option<String>,
    /// Where it may be sent, as host:port; left out for a new version of a secret that is there.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub hosts: Vec<String>,
}

/// A text that is read from a request and cannot be shown or written.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// What was sent.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
