//! Blocks: changes to the outside world.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which blocks to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BlockQuery {
    /// True: also those that are over. Default false.
    pub all: Option<bool>,
    /// Only of this incident.
    pub incident: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `ACT-4`: the `next_before` of the page before.
    pub before: Option<String>,
}

/// Blocks, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockPage {
    /// The blocks.
    pub blocks: Vec<BlockView>,
    /// How many of all are in force or on their way there.
    pub live: u64,
    /// Changes that wait for a no of the NOC.
    #[serde(default)]
    pub announced: Vec<AnnouncedView>,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One block.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockView {
    /// Its name, and the mark on the device: `stanch:ACT-4`.
    #[schema(example = "ACT-4")]
    pub id: String,
    /// For which incident.
    pub incident: String,
    /// For which run.
    pub run: String,
    /// The approval it rests on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The incidents that rest on it.
    #[serde(default)]
    pub holders: Vec<String>,
    /// Who decided: people, a signature in advance, or `policy`.
    #[serde(default)]
    pub owner: String,
    /// The kind of change.
    #[serde(default)]
    #[schema(example = "block_address")]
    pub kind: String,
    /// The pre-authorisation it rests on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preauthorised: Option<String>,
    /// True when it cannot be undone, and so has no end.
    #[serde(default)]
    pub lasting: bool,
    /// True when its end was put off.
    #[serde(default)]
    pub renewed: bool,
    /// How often it was made again after it had vanished.
    #[serde(default)]
    pub repairs: u32,
    /// What is blocked.
    pub target: String,
    /// In words: `block 203.0.113.9`.
    pub action: String,
    /// On which device.
    pub responder: String,
    /// True when nothing real is changed.
    pub simulated: bool,
    /// `permitted` (on its way), `in_force`, `lifted`, `failed` or `unknown`.
    #[schema(example = "in_force")]
    pub state: String,
    /// Time to live.
    pub ttl_ms: i64,
    /// Time to live, in words.
    pub ttl: String,
    /// When the guard agreed.
    pub permitted_at: String,
    /// When it was first seen in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Time left, while it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<i64>,
    /// Time left, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// What the device showed last: `present`, `absent` or `different: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// When it showed that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<String>,
    /// Why the guard agreed.
    pub because: Vec<String>,
    /// How it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<BlockEnd>,
}

/// How a block ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockEnd {
    /// When.
    pub at: String,
    /// `lifted`, `failed` or `unknown`.
    pub how: String,
    /// In words.
    pub why: String,
}

/// Lifts a block before its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// Why.
    pub reason: String,
    /// Only for this incident: where others rest on the block too, it stays for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

/// Asks people whether a block may go on for longer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// For how long from now, in milliseconds.
    pub ttl_ms: i64,
    /// Why.
    pub reason: String,
}

/// Says no, for the NOC, to a change that was announced.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VetoRequest {
    /// Why.
    pub reason: String,
}

/// A change that is made unless the NOC says no.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AnnouncedView {
    /// Its name.
    #[schema(example = "ACT-4")]
    pub id: String,
    /// For which incident.
    pub incident: String,
    /// In words.
    pub action: String,
    /// On which device.
    pub responder: String,
    /// When it is made.
    pub at: String,
}
