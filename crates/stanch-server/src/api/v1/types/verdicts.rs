//! Opinions of people, and proposals made of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Says what an incident turned out to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictRequest {
    /// `true`: an attack or what comes before one. `false`: nothing of the kind. `benign`: it happened
    /// and is meant to. `duplicate`: the same as the incident named in `of`. `wrong_team`: it belongs to the
    /// team named in `team`. `wrong_merge`: it holds what does not belong together. The last three replace
    /// none of the first three.
    #[schema(example = "false")]
    pub verdict: String,
    /// For `duplicate`: of which incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "INC-2")]
    pub of: Option<String>,
    /// For `wrong_team`: which team would have been the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A rule that could be kept quiet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoiseView {
    /// Whose rule it is.
    pub product: String,
    /// Its name.
    pub rule: String,
    /// At which site.
    pub site: String,
    /// Distinct alerts it would have hidden so far.
    pub hides: u64,
    /// Of so many in all.
    pub of: u64,
    /// Incidents called true that it took part in.
    pub hidden_confirmed: u32,
    /// Of so many called true in all.
    pub of_confirmed: u32,
    /// Incidents called false or harmless that it took part in.
    pub refuted: u32,
    /// The matcher of a silence that would do it.
    pub matcher: String,
}

/// Proposals.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoisePage {
    /// The noisiest first.
    pub proposals: Vec<NoiseView>,
    /// Incidents that somebody has given an opinion on.
    pub judged: u64,
}
