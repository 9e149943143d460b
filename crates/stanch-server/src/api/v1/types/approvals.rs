//! Questions to people.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which questions to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// True: only those that wait for an answer. Default false: all.
    pub pending: Option<bool>,
    /// Only of this incident.
    pub incident: Option<String>,
    /// How many; 100 by default, at most 1000.
    pub limit: Option<usize>,
    /// Only older than this one, for example `APR-3`: the `next_before` of the page before.
    pub before: Option<String>,
}

/// Questions to people, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApprovalPage {
    /// The questions.
    pub approvals: Vec<ApprovalSummary>,
    /// How many of all wait for an answer.
    pub pending: u64,
    /// What to give as `before` for the next page; none when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// One question in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApprovalSummary {
    /// Its name.
    #[schema(example = "APR-1")]
    pub id: String,
    /// About which incident.
    pub incident: String,
    /// That incident's title, as shown.
    pub title: String,
    /// `pending`, `approved`, `denied`, `expired` or `withdrawn`.
    #[schema(example = "pending")]
    pub state: String,
    /// What would be done, in words: `block 203.0.113.9`.
    pub action: String,
    /// What would be blocked.
    pub target: String,
    /// On which device.
    pub responder: String,
    /// True when nothing real would be changed.
    pub simulated: bool,
    /// For how long.
    pub ttl_ms: i64,
    /// For how long, in words.
    pub ttl: String,
    /// Whom it would hurt: `low`, `medium` or `high`.
    pub blast_radius: String,
    /// Members of these teams may answer.
    pub teams: Vec<String>,
    /// When it was asked.
    pub requested_at: String,
    /// An answer counts only before this.
    pub expires_at: String,
    /// The first eight digits of the digest, for people to compare.
    pub code: String,
    /// SHA-256 over everything that is shown: an answer has to name it.
    pub digest: String,
    /// How many different people have to say yes.
    #[serde(default)]
    pub people: u8,
    /// Who has said yes so far.
    #[serde(default)]
    pub yes: Vec<String>,
    /// True when it is about a later end of a change in force.
    #[serde(default)]
    pub renewal: bool,
    /// True when the change cannot be undone.
    #[serde(default)]
    pub lasting: bool,
    /// The person who asked for it; see `parties`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// Everybody with a part in it: who saved the playbook that asks, began its run, or let it go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<PartyView>,
    /// How it was settled, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<SettledView>,
}

/// Somebody with a part in a question.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartyView {
    /// Who.
    #[schema(example = "jon")]
    pub person: String,
    /// What they did, in words that follow their name.
    #[schema(example = "saved playbook c2-beacon")]
    pub why: String,
    /// True when their yes counts all the same: the policy says so, or nobody else may decide. A no always counts.
    pub counts: bool,
}

/// How a question was settled.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettledView {
    /// When.
    pub at: String,
    /// `approved`, `denied`, `expired` or `withdrawn`.
    pub how: String,
    /// By whom.
    pub by: String,
    /// What they said.
    pub reason: String,
}

/// One question, whole: everything a person has to see before answering.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: ApprovalSummary,
    /// The change it is about, for example `ACT-4`.
    pub action_id: String,
    /// Asked by which run.
    pub run: String,
    /// Of which playbook.
    pub playbook: String,
    /// SHA-256 of that playbook.
    pub playbook_hash: String,
    /// At which of its steps.
    pub step: String,
    /// Why it is proposed, and why a person is asked.
    pub because: Vec<String>,
    /// Whom it would hurt.
    pub blast: Blast,
    /// Who may say yes now, by name: members of the teams who may decide, have no part in it, and have not said
    /// yes before.
    #[serde(default)]
    pub may_say_yes: Vec<String>,
    /// The fresh proof that each yes takes; none where it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<FreshView>,
    /// What a person is shown, exactly; the digest covers it.
    pub shown: String,
}

/// The fresh proof of the person that each yes takes, for whoever looks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FreshView {
    /// How old it may be when it is used.
    pub within_ms: i64,
    /// The same in words.
    pub within: String,
    /// By what you can prove that it is you, from where you are signed in: `password`, `provider`, `token`.
    pub ways: Vec<String>,
    /// True when you have just proved it for this question, from here.
    pub proved: bool,
}

/// A proof that it is you: one of both.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// The `digest` of what was shown, all 64 digits: the proof is for nothing else.
    pub digest: String,
    /// The password of your account.
    #[serde(default)]
    pub password: Option<String>,
    /// For a session that was opened with a token: the token, again.
    #[serde(default)]
    pub token: Option<String>,
}

/// What was proved.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// By what: `password` or `token`.
    pub how: String,
    /// A yes to this question has to be said before.
    pub until: String,
}

/// Which question somebody goes to the provider for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderProofRequest {
    /// The `digest` of what was shown, all 64 digits: the proof is for nothing else.
    pub digest: String,
}

/// Where to go, in the same browser.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ToProviderView {
    /// The provider's address.
    pub to: String,
}

/// Whom a change would hurt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Blast {
    /// `low`, `medium` or `high`.
    pub level: String,
    /// Addresses covered.
    pub addresses: u64,
    /// Our machines that would lose it.
    pub own_assets: Vec<TouchedAssetView>,
    /// Accounts seen on them.
    pub users: Vec<String>,
    /// Machines that exchanged packets with it lately.
    pub peers: u64,
    /// Connections lately.
    pub flows: u64,
    /// Bytes lately.
    pub bytes: u64,
    /// Lists that say many unrelated parties sit behind it.
    pub shared: Vec<String>,
    /// What could not be found out.
    pub unknown: Vec<String>,
    /// The same as text, line by line.
    pub lines: Vec<String>,
}

/// One of our machines that would be touched.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TouchedAssetView {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `low`, `medium`, `high` or `critical`.
    pub criticality: String,
    /// When they last exchanged packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact: Option<String>,
}

/// An answer. Counts only for the question whose digest it names.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideRequest {
    /// The `digest` of what was shown, all 64 digits.
    pub digest: String,
    /// In your words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
