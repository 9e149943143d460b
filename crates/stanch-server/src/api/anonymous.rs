//! Every route that answers without a person: all of them, and only here.
//!
//! None tells anything about alerts, people or configuration; metrics are free only where nobody but
//! this machine can ask.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Desk;

/// The paths of this file: all that answer without a person.
pub const PATHS: &[&str] = &["/healthz", "/readyz", "/metrics", OPENAPI];

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
async fn metrics(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    match desk.scrape(&headers) {
        Ok(page) => {
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The routes of this file, but for the description.
pub(super) fn router() -> OpenApiRouter<Desk> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
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
    let text: bytes::Bytes = api.to_json().unwrap_or_default().into();
    let answer = move || async move {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text.clone()).into_response()
    };
    Router::new().route(OPENAPI, get(answer))
}
