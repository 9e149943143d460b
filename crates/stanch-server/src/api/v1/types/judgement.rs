//! The judgement's own account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A past incident like the one asked about.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlikeView {
    /// Which.
    pub incident: String,
    /// How much alike, 0 to 1.
    pub likeness: f64,
    /// What people called it; empty while nobody did.
    pub outcome: String,
    /// What both share.
    pub because: String,
}

/// How often an outcome was.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutcomeCount {
    /// `true`, `false` or `benign`.
    pub outcome: String,
    /// In so many incidents.
    pub count: u32,
}

/// How often something was done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActionCount {
    /// What, without its target.
    pub action: String,
    /// In so many incidents.
    pub count: u32,
    /// Of them, where it was seen in place and did not fail.
    pub held: u32,
}

/// A team that may be the right one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SuggestedTeam {
    /// The team.
    pub team: String,
    /// 0 to 1.
    pub probability: f64,
    /// In counts of earlier incidents.
    pub reason: String,
}

/// Advice from past incidents. Nothing is done by it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdviceView {
    /// The likest past incidents, at most 5.
    pub alike: Vec<AlikeView>,
    /// What people called them.
    pub outcomes: Vec<OutcomeCount>,
    /// What was done about them.
    pub actions: Vec<ActionCount>,
    /// The likeliest teams, at most 3.
    pub teams: Vec<SuggestedTeam>,
    /// Why no team is suggested; none when the first is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstains: Option<String>,
    /// The team that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Past incidents looked at, at most 2000.
    pub looked_at: usize,
    /// The same as sentences.
    pub sentences: Vec<String>,
}

/// What people found at one height of confidence.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReliabilityBar {
    /// Confidence from here, 0 to 1.
    pub from: f64,
    /// To there.
    pub to: f64,
    /// Judged incidents.
    pub judged: u64,
    /// Of them, those that mattered.
    pub mattered: u64,
    /// The true share is above this, at 95 %.
    pub low: f64,
    /// And below this, at 95 %.
    pub high: f64,
}

/// An open incident and whether it may be closed by itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CandidateView {
    /// Which.
    pub incident: String,
    /// Probability that it matters, 0 to 1.
    pub confidence: f64,
    /// Why it is left to people; none when it will be closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// The model that scores.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    /// Verdicts given so far.
    pub verdicts: u64,
    /// The model in force knows the first so many of them; none: the untrained model scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown_from: Option<u64>,
    /// A model that will know so many is being grown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growing: Option<u64>,
    /// Judged alerts the model in force was grown from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
}

/// A kind of decision that may be taken without asking anybody, and what stands for or against it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// close, page, contain_reversible or contain_costly.
    pub decision: String,
    /// What a mistake costs: low, medium or high.
    pub cost: String,
    /// What a mistake is.
    pub mistake: String,
    /// The owner wrote a budget for it; without one it is as it would be without evidence: nothing is
    /// closed, every incident pages, and changes follow routes, playbooks and pre-authorisations alone.
    pub measured: bool,
    /// The threshold is earned and not taken back.
    pub allowed: bool,
    /// Confidence, 0 to 1; none where nothing is earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// at_most: decided for incidents up to the threshold; at_least: from it on.
    pub side: String,
    /// The share of wrong ones allowed; none when no budget is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Judged incidents on that side of the threshold, or of the best one that was not enough.
    pub judged: u64,
    /// Of them, wrong ones.
    pub errors: u64,
    /// Upper bound of the share of wrong ones there, 0 to 1.
    pub bound: f64,
    /// Why, or why not.
    pub because: Vec<String>,
}

/// What may be done by itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AutonomyView {
    /// Incidents may be closed by themselves now.
    pub allowed: bool,
    /// Up to this confidence, 0 to 1; none where nothing is earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The part of what is closed that may have mattered; none when it is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Incidents people judged.
    pub judged: u64,
    /// Of them, at or below the threshold, or the best one that was not enough.
    pub below: u64,
    /// Of those, mattered.
    pub errors: u64,
    /// Upper bound of the error rate there, 0 to 1.
    pub bound: f64,
    /// Why, or why not.
    pub because: Vec<String>,
    /// Each kind of decision, with a threshold of its own; the fields above are those of `close`.
    pub decisions: Vec<DecisionView>,
    /// The reliability curve.
    pub curve: Vec<ReliabilityBar>,
    /// Open incidents nobody took, the latest 50.
    pub candidates: Vec<CandidateView>,
    /// The model that scores.
    pub model: ModelView,
}

/// A question to the language model.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssistedRequest {
    /// Send nothing; show what would be sent.
    #[serde(default)]
    pub dry_run: bool,
}

/// A sentence a language model wrote. It may be wrong, and an attacker may have had a say in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SaidView {
    /// Plain text, without links.
    pub text: String,
    /// Alerts it rests on, at least one.
    pub alerts: Vec<String>,
}

/// A story told again by a language model. Nothing is done by it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssistedView {
    /// Which incident.
    pub incident: String,
    /// Who wrote it, to be shown beside it.
    pub by: String,
    /// Which model.
    pub model: String,
    /// The incident's TLP label; none where it may not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The strictest label that may be sent.
    pub ceiling: String,
    /// The story in other words.
    pub said: Vec<SaidView>,
    /// What the model suggests looking at.
    pub look_at: Vec<SaidView>,
    /// What the model suggests to do next.
    pub next: Vec<SaidView>,
    /// Sentences that were left out, and why; empty when none was.
    pub left_out: String,
    /// Why there is no text; the story stands without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// In a dry run: what would be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// When it was asked.
    pub at: String,
    /// Questions asked today, UTC, over all people.
    pub asked_today: u32,
    /// Questions a day.
    pub per_day: u32,
}
