//! Tokens for programs: made for oneself, shown once, scoped, and over by themselves.

use axum::Json;
use stanch_model::{Span, Timestamp};

use super::people::role;
use super::types::{DoneView, ErrorBody, MadeTokenView, MakeTokenRequest, TokenPage, TokenView};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time, words};
use crate::auth::Viewer;
use crate::problem::Problem;

/// `TOK-3`, in any case, or the bare number.
pub(super) struct TokenId(u64);

impl std::str::FromStr for TokenId {
    type Err = String;

    fn from_str(text: &str) -> Result<TokenId, String> {
        let digits = text.to_ascii_uppercase();
        let number = digits.strip_prefix("TOK-").unwrap_or(&digits).parse();
        number.map(TokenId).map_err(|_| "this is no name of a token; write for example TOK-3".to_owned())
    }
}

/// Tokens for programs
///
/// One's own; those of all for administrators. Never their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "The tokens", body = TokenPage), Failures))]
pub(super) async fn list(viewer: Viewer) -> Answer<TokenPage> {
    let one = |(id, t): (u64, crate::identity::book::ApiToken)| TokenView {
        id: format!("TOK-{id}"),
        person: t.person,
        name: t.name,
        role: t.role,
        created: time(Timestamp(t.created)),
        until: time(Timestamp(t.until)),
        used: t.used.map(|at| time(Timestamp(at))),
    };
    Ok(Json(TokenPage { tokens: viewer.tokens()?.into_iter().map(one).collect() }))
}

/// Make a token for a program
///
/// It does what its role may, as long as you may do that too. Its secret is shown only here. A token can
/// make no tokens.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "people", security(("person" = ["viewer"])),
    request_body(content = MakeTokenRequest, example = json!({ "name": "nightly report", "role": "viewer", "lasts": "30d" })),
    responses((status = 200, description = "The token, this once", body = MadeTokenView),
        (status = 409, description = "You have too many", body = ErrorBody), Failures))]
pub(super) async fn make(viewer: Viewer, Body(asked): Body<MakeTokenRequest>) -> Answer<MadeTokenView> {
    let name = words("name", &asked.name)?;
    if name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("`name` is longer than 80 characters, or not one line", "shorten it"));
    }
    let lasts = asked
        .lasts
        .as_deref()
        .map(|t| t.parse::<Span>().map_err(|e| Problem::invalid(e.to_string(), "write for example 30d")));
    let made = viewer.make_token(&name, role(&asked.role)?, lasts.transpose()?).await?;
    Ok(Json(MadeTokenView { id: format!("TOK-{}", made.id), token: made.secret, until: time(made.until) }))
}

/// Take a token back
#[utoipa::path(post, path = "/api/v1/tokens/{token}/revoke", tag = "people", security(("person" = ["viewer"])),
    params(("token" = String, Path, description = "Which, for example TOK-3")),
    responses((status = 200, description = "It is worth nothing any more", body = DoneView), Failures))]
pub(super) async fn revoke(viewer: Viewer, Named(TokenId(id)): Named<TokenId>) -> Answer<DoneView> {
    let name = viewer.revoke_token(id).await?;
    let message = format!("TOK-{id} ({name}) is worth nothing any more");
    Ok(Json(DoneView { message, incident: None, run: None, ack: None }))
}
