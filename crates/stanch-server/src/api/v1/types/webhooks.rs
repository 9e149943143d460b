//! Subscriptions of other programs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to subscribe.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// Where to send: HTTPS, or HTTP to this machine.
    pub url: String,
    /// What to tell, for example `incident.opened`; none: everything in `kinds`.
    #[serde(default)]
    pub events: Vec<String>,
    /// Ranges that the URL's name may lead to although they are not on the internet.
    #[serde(default)]
    pub allow_private: Vec<String>,
}

/// A subscription, without its key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its name.
    #[schema(example = "HOOK-1")]
    pub id: String,
    /// Where it is sent.
    pub url: String,
    /// What is told; none: everything.
    pub events: Vec<String>,
    /// Since when there is this subscription.
    pub created: String,
    /// Who made it.
    pub by: String,
    /// `on`, `failing` (tried again) or `off` (until somebody switches it on).
    #[schema(example = "on")]
    pub state: String,
    /// Up to which entry of the journal it has been told.
    pub cursor: u64,
    /// Events delivered in all.
    pub delivered: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// The last failure, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// Until when the key before signs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub both_keys_until: Option<String>,
}

/// All subscriptions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookPage {
    /// Each without its key.
    pub webhooks: Vec<WebhookView>,
    /// All events that can be subscribed to.
    pub kinds: Vec<String>,
}

/// A subscription and the key that signs its events.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookCreated {
    /// The subscription.
    pub webhook: WebhookView,
    /// The key, `whsec_…`: shown now and never again.
    pub key: String,
}

/// From where to deliver again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeliverRequest {
    /// Everything after this entry of the journal; 0: from the beginning.
    pub after: u64,
}

/// What came of a test.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookTested {
    /// True when the receiver took it.
    pub delivered: bool,
    /// Why not, otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
