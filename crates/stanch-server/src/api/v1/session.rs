//! Signing in and out, for browsers. Programs go on sending their token.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Failures;
use super::types::{ErrorBody, SignedOut, Whoami};
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
    let role = who.who().role.word().to_owned();
    let teams = who.who().teams.iter().cloned().collect();
    let body = Json(Whoami { name: who.who().name.clone(), role, teams });
    tracing::info!(person = who.who().name, "signed in to the console");
    Ok(([(header::SET_COOKIE, cookie)], body).into_response())
}

/// End the session of this browser
#[utoipa::path(delete, path = "/api/v1/session", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "Signed out", body = SignedOut), Failures))]
pub(super) async fn sign_out(viewer: Viewer, headers: HeaderMap) -> Response {
    let cookie = viewer.sign_out(&headers).unwrap_or_else(|| HeaderValue::from_static(""));
    let body = Json(SignedOut { message: "signed out".to_owned() });
    ([(header::SET_COOKIE, cookie)], body).into_response()
}
