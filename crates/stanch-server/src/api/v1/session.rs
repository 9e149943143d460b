//! Signing in and out, for browsers. Programs go on sending their token.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use stanch_engine::command::Who;

use super::admin::me;
use super::types::{DoneView, ErrorBody, NewPasswordRequest, SignedOut, Whoami};
use super::{Answer, Failures};
use crate::api::extract::Body;
use crate::auth::{SignIn, Viewer};
use crate::problem::Problem;

/// Exchange a token for a session
///
/// Send the token once, as `Authorization: Bearer`, with the headers `Origin` and `X-Stanch-Console`.
/// The answer sets a cookie that no script can read. The session ends after 12 hours, after 30 minutes
/// without use, when stanch restarts, and when the token is changed or taken back.
#[utoipa::path(post, path = "/api/v1/session", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "Signed in", body = Whoami),
        (status = 429, description = "Too many wrong tokens from this address", body = ErrorBody), Failures))]
pub(super) async fn sign_in(who: SignIn, headers: HeaderMap) -> Result<Response, Problem> {
    let cookie = who.open(&headers)?;
    tracing::info!(person = who.who().name, "signed in to the console");
    Ok(with_cookie(cookie, &who.who().clone(), who.way()))
}

/// The answer to somebody who has just come in.
pub(crate) fn with_cookie(cookie: HeaderValue, who: &Who, way: &str) -> Response {
    ([(header::SET_COOKIE, cookie)], Json(me(who, way))).into_response()
}

/// End the session of this browser
#[utoipa::path(delete, path = "/api/v1/session", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "Signed out", body = SignedOut), Failures))]
pub(super) async fn sign_out(viewer: Viewer, headers: HeaderMap) -> Response {
    let cookie = viewer.sign_out(&headers).unwrap_or_else(|| HeaderValue::from_static(""));
    let body = Json(SignedOut { message: "signed out".to_owned() });
    ([(header::SET_COOKIE, cookie)], body).into_response()
}

/// End every session of yours, in every browser
///
/// Tokens go on: take those back one by one.
#[utoipa::path(post, path = "/api/v1/session/everywhere/end", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "Ended, this one included", body = DoneView), Failures))]
pub(super) async fn sign_out_everywhere(viewer: Viewer) -> Answer<DoneView> {
    let ended = viewer.sign_out_everywhere().await?;
    Ok(Json(DoneView { message: format!("{ended} sessions ended"), incident: None, run: None, ack: None }))
}

/// Set another password
///
/// Every session of yours ends, this one included.
#[utoipa::path(post, path = "/api/v1/session/password/change", tag = "people", security(("person" = ["viewer"])),
    request_body(content = NewPasswordRequest, example = json!({ "before": "four words of it", "after": "five other words of it" })),
    responses((status = 200, description = "Set", body = DoneView),
        (status = 429, description = "Too many wrong passwords", body = ErrorBody), Failures))]
pub(super) async fn change_password(
    viewer: Viewer,
    Body(asked): Body<NewPasswordRequest>,
) -> Answer<DoneView> {
    viewer.change_password(asked.before, asked.after).await?;
    let message = "the password was changed; sign in with it".to_owned();
    Ok(Json(DoneView { message, incident: None, run: None, ack: None }))
}
