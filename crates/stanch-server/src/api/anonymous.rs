//! Every route that answers without a person: all of them, and only here. Some tell how Stanch is; the
//! others are doors, at which one shows a proof that is not a token.
//!
//! None tells anything about alerts, people or configuration; metrics are free only where nobody but
//! this machine can ask.

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Query};
use super::manners;
use super::v1::session::with_cookie;
use super::v1::types::{ErrorBody, PasswordRequest, SetUpRequest, WaysView, WelcomeRequest, Whoami};
use crate::auth::{Back, Came, CameIn, Desk, Knock};
use crate::problem::Problem;

/// The paths of this file: all that answer without a person.
pub const PATHS: &[&str] = &["/healthz", "/readyz", "/metrics", OPENAPI];

/// The doors of this file: they answer without a person, because they are how one comes in.
pub const DOORS: &[&str] = &[
    "/api/v1/session/ways",
    "/api/v1/session/password",
    "/api/v1/session/welcome",
    "/api/v1/session/set-up",
    "/api/v1/session/provider",
    "/api/v1/session/provider/return",
];

/// Where the description of the API is.
const OPENAPI: &str = "/api/v1/openapi.json";

/// How Stanch is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or what is wrong.
    #[schema(example = "ok")]
    pub(crate) status: String,
}

fn health(status: StatusCode, text: &str) -> Response {
    (status, Json(Health { status: text.to_owned() })).into_response()
}

/// Is the process alive?
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()),
    responses((status = 200, description = "It is", body = Health)))]
async fn healthz() -> Response {
    health(StatusCode::OK, "ok")
}

/// Does it take alerts in?
#[utoipa::path(get, path = "/readyz", tag = "operation", security(()),
    responses((status = 200, description = "It does", body = Health), (status = 503, description = "It does not", body = Health)))]
async fn readyz(State(desk): State<Desk>) -> Response {
    match desk.ready() {
        Ok(()) => health(StatusCode::OK, "ok"),
        Err(why) => {
            tracing::warn!(error = why, "not ready");
            health(StatusCode::SERVICE_UNAVAILABLE, "the journal takes no entries; see the log")
        }
    }
}

/// Numbers for Prometheus
///
/// Free when Stanch listens on loopback; needs the token of a person otherwise.
#[utoipa::path(get, path = "/metrics", tag = "operation", security((), ("person" = ["viewer"])),
    responses((status = 200, description = "The page", body = String, content_type = "text/plain")))]
async fn metrics(State(desk): State<Desk>, parts: Parts) -> Response {
    match desk.scrape(&parts) {
        Ok(page) => {
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

fn come_in(came: CameIn) -> Response {
    with_cookie(came.cookie, &came.who, "account")
}

/// How one may come in here
#[utoipa::path(get, path = "/api/v1/session/ways", tag = "people", security(()),
    responses((status = 200, description = "The ways", body = WaysView)))]
async fn ways(knock: Knock) -> Json<WaysView> {
    Json(WaysView {
        password: knock.has_passwords(),
        provider: knock.provider_title(),
        set_up: knock.can_be_set_up(),
    })
}

/// Come in with a name and a password
///
/// Send the headers `Origin` and `X-Stanch-Console`. The answer sets a cookie that no script can read, as
/// `POST /api/v1/session` does. A wrong name and a wrong password are answered alike, and slowed down.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "people", security(()),
    request_body(content = PasswordRequest, example = json!({ "name": "maria", "password": "four words of it" })),
    responses((status = 200, description = "Signed in", body = Whoami),
        (status = 400, description = "What was asked makes no sense", body = ErrorBody),
        (status = 401, description = "Name or password is wrong", body = ErrorBody),
        (status = 403, description = "Not one of our own pages", body = ErrorBody),
        (status = 429, description = "Too many wrong ones", body = ErrorBody)))]
async fn by_password(knock: Knock, Body(asked): Body<PasswordRequest>) -> Result<Response, Problem> {
    Ok(come_in(knock.by_password(&asked.name, asked.password).await?))
}

/// Set a password with a link, and come in
#[utoipa::path(post, path = "/api/v1/session/welcome", tag = "people", security(()),
    request_body(content = WelcomeRequest, example = json!({ "token": "behind the #", "password": "four words of it" })),
    responses((status = 200, description = "Signed in", body = Whoami),
        (status = 400, description = "This cannot be a password", body = ErrorBody),
        (status = 401, description = "The link is used up, too old or not ours", body = ErrorBody),
        (status = 403, description = "Not one of our own pages", body = ErrorBody),
        (status = 429, description = "Too many wrong ones", body = ErrorBody)))]
async fn by_invite(knock: Knock, Body(asked): Body<WelcomeRequest>) -> Result<Response, Problem> {
    Ok(come_in(knock.by_invite(&asked.token, asked.password).await?))
}

/// Make the first administrator with the set-up token, and come in
///
/// The token is printed by `stanch up`, holds for 15 minutes and once, and only on the machine itself.
#[utoipa::path(post, path = "/api/v1/session/set-up", tag = "people", security(()),
    request_body(content = SetUpRequest, example = json!({ "token": "behind the #", "name": "maria", "password": "four words of it" })),
    responses((status = 200, description = "Signed in", body = Whoami),
        (status = 400, description = "This cannot be a name or a password", body = ErrorBody),
        (status = 401, description = "The token is used up, too old or not ours", body = ErrorBody),
        (status = 403, description = "Not one of our own pages", body = ErrorBody),
        (status = 429, description = "Too many wrong ones", body = ErrorBody)))]
async fn by_set_up(knock: Knock, Body(asked): Body<SetUpRequest>) -> Result<Response, Problem> {
    Ok(come_in(knock.by_set_up(&asked.token, &asked.name, asked.password).await?))
}

/// Go to the provider, to come in through it
///
/// For browsers: the answer sends them there, and a cookie holds what the way back needs, for ten minutes.
#[utoipa::path(get, path = "/api/v1/session/provider", tag = "people", security(()),
    responses((status = 303, description = "To the provider"),
        (status = 404, description = "There is no provider", body = ErrorBody),
        (status = 503, description = "The provider does not answer", body = ErrorBody)))]
async fn to_provider(knock: Knock) -> Result<Response, Problem> {
    let (to, cookie) = knock.to_provider().await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

/// What the provider sends back with somebody.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FromProvider {
    /// For a token.
    #[serde(default)]
    code: Option<String>,
    /// Which of those who wait it is.
    #[serde(default)]
    state: Option<String>,
    /// Who answers.
    #[serde(default)]
    iss: Option<String>,
}

/// Come back from the provider
///
/// For browsers: sends them on to the queue with a session, or back to the sign-in with the cause.
#[utoipa::path(get, path = "/api/v1/session/provider/return", tag = "people", security(()), params(FromProvider),
    responses((status = 303, description = "On"), (status = 400, description = "Not of a provider", body = ErrorBody)))]
async fn from_provider(knock: Knock, Query(asked): Query<FromProvider>) -> Response {
    let state = asked.state.as_deref().unwrap_or_default();
    let back = Back { code: asked.code.as_deref(), state, issuer: asked.iss.as_deref() };
    let about = knock.about(state);
    let (to, cookie) = match (knock.by_provider(back).await, about) {
        (Ok(Came::In(came)), _) => ("/queue".to_owned(), Some(came.cookie)),
        (Ok(Came::Proved(id)), _) => (format!("/approvals/{id}"), None),
        (Err(refused), Some(id)) => (format!("/approvals/{id}?failed={}", refused.word()), None),
        (Err(refused), None) => (format!("/signin?failed={}", refused.word()), None),
    };
    let mut answer = Redirect::to(&to).into_response();
    for cookie in cookie.into_iter().chain([knock.errand_done()]) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// The routes of this file, but for the description.
pub(super) fn router() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(ways))
        .routes(routes!(by_password))
        .routes(routes!(by_invite))
        .routes(routes!(by_set_up))
        .routes(routes!(to_provider))
        .routes(routes!(from_provider))
}

/// Gives every operation a name of its own, from method and path: generators key by it, and the names
/// of our functions (`list`, `one`) repeat.
fn named(api: &mut OpenApi) {
    for (path, item) in &mut api.paths.paths {
        let place: Vec<&str> = path
            .split(['/', '{', '}', '.', '-'])
            .filter(|p| !p.is_empty() && *p != "api" && *p != "v1")
            .collect();
        let place = place.join("_");
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{place}"));
            }
        }
    }
}

/// The description of everything, itself included.
pub(super) fn described(mut api: OpenApi) -> Router {
    let own = utoipa::openapi::path::OperationBuilder::new()
        .tag("operation")
        .summary(Some("The description of this API"))
        .securities(Some([utoipa::openapi::security::SecurityRequirement::default()]))
        .response("200", utoipa::openapi::ResponseBuilder::new().description("OpenAPI 3.1").build());
    let item = utoipa::openapi::PathItem::new(utoipa::openapi::HttpMethod::Get, own);
    api.paths.paths.insert(OPENAPI.to_owned(), item);
    named(&mut api);
    let mut api = serde_json::to_value(&api).unwrap_or_default();
    manners::describe(&mut api);
    let text: bytes::Bytes = serde_json::to_string(&api).unwrap_or_default().into();
    let answer = move || async move {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text.clone()).into_response()
    };
    Router::new().route(OPENAPI, get(answer))
}
