//! Coming in, people's accounts, and tokens for programs.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How one may come in here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaysView {
    /// True when somebody has a password.
    pub password: bool,
    /// What the provider is called, when one can sign in through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// True while the set-up token can make the first administrator; only ever told to this machine.
    pub set_up: bool,
}

/// A name and a password.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The name in the journal.
    pub name: String,
    /// The password.
    pub password: String,
}

/// A link to set a password, and the password to set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WelcomeRequest {
    /// What the link holds behind its `#`.
    pub token: String,
    /// The password to set: 12 characters or more.
    pub password: String,
}

/// The first administrator.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUpRequest {
    /// The set-up token that `stanch up` printed.
    pub token: String,
    /// A name: small letters, digits, `-` and `_`.
    pub name: String,
    /// The password to set: 12 characters or more.
    pub password: String,
}

/// Another password.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasswordRequest {
    /// The one before.
    pub before: String,
    /// The one from now on: 12 characters or more.
    pub after: String,
}

/// Everybody who may come in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeoplePage {
    /// By name.
    pub people: Vec<KnownPersonView>,
}

/// Somebody who may come in, as administrators see them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KnownPersonView {
    /// The name in the journal.
    #[schema(example = "maria")]
    pub name: String,
    /// What they may do.
    #[schema(example = "analyst")]
    pub role: String,
    /// Their teams.
    pub teams: Vec<String>,
    /// True when `policies/people.yaml` says what they may do.
    pub configured: bool,
    /// How they prove who they are: `token`, `password`, `provider`. Empty: not at all yet.
    pub proofs: Vec<String>,
    /// True when their account is shut.
    pub disabled: bool,
    /// Until when a link to set a password is good, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<String>,
    /// Sessions in browsers.
    pub sessions: usize,
    /// Tokens for programs.
    pub tokens: usize,
}

/// An account to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPersonRequest {
    /// A name: small letters, digits, `-` and `_`.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Their teams, of those in `policies/people.yaml`.
    #[serde(default)]
    pub teams: Vec<String>,
}

/// What is to be changed about an account; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePersonRequest {
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Their teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
    /// True shuts the account, false opens it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// A link to set a password. Shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InviteView {
    /// For whom.
    pub name: String,
    /// The path of the link, with its secret behind the `#`: put the address of the console before it.
    pub path: String,
    /// Until when it is good.
    pub until: String,
}

/// Tokens for programs: one's own, or all for administrators.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenPage {
    /// In the order they were made.
    pub tokens: Vec<TokenView>,
}

/// A token for programs, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    #[schema(example = "TOK-3")]
    pub id: String,
    /// Whose it is.
    pub person: String,
    /// What it is for.
    pub name: String,
    /// The most it may do.
    pub role: String,
    /// When it was made.
    pub created: String,
    /// Until when it is good.
    pub until: String,
    /// When it was last used, to the hour; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

/// A token to be made, for oneself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeTokenRequest {
    /// What it is for, in a few words.
    pub name: String,
    /// The most it may do; not more than oneself.
    pub role: String,
    /// For how long, from `1m` to `366d`. Default 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
}

/// A token that was just made. Shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeTokenView {
    /// Its name.
    pub id: String,
    /// The secret: send it as `Authorization: Bearer`.
    pub token: String,
    /// Until when it is good.
    pub until: String,
}

/// What is to be explained.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// About whom; oneself by default.
    #[serde(default)]
    pub who: Option<String>,
    /// The method, for example `POST`.
    #[param(example = "POST")]
    pub method: String,
    /// The path, for example `/api/v1/approvals/APR-1/approve`.
    #[param(example = "/api/v1/approvals/APR-1/approve")]
    pub path: String,
}

/// Whether somebody may do something, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainView {
    /// Who.
    pub who: String,
    /// What they may do.
    pub role: String,
    /// Their teams.
    pub teams: Vec<String>,
    /// What was asked about.
    pub asked: String,
    /// The route that answers to it.
    pub route: String,
    /// The least roles that pass; any of them is enough.
    pub least: Vec<String>,
    /// True when they may.
    pub allowed: bool,
    /// Why, or why not.
    pub because: Vec<String>,
}
