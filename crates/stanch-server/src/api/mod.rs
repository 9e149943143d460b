//! The HTTP API: one router, default deny.
//!
//! Routes for people live in [`v1`] and take one of the extractors of `auth`; routes without a person
//! are listed in `anonymous` and nowhere else; intake brings its own locks.

pub(crate) mod anonymous;
mod extract;
pub(crate) mod manners;
pub mod v1;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use axum_server::tls::TlsInfo;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::Desk;
use crate::certificate;
use crate::chat;
use crate::console;
use crate::problem::{Code, Problem};

/// How long browsers keep to TLS, in seconds.
const A_YEAR: &str = "max-age=31536000";
/// The largest request body of a route for people, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Every route, with its description at `/api/v1/openapi.json`.
pub(crate) fn router(desk: Desk, intake: Option<OpenApiRouter>) -> Router {
    let people = OpenApiRouter::new()
        .merge(v1::router().into_router())
        .merge(anonymous::router())
        .merge(chat::router());
    let people = people
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(desk.clone(), hosted))
        .layer(middleware::from_fn(guarded))
        .with_state(desk.clone());
    let pages = console::router()
        .layer(middleware::from_fn_with_state(desk.clone(), hosted))
        .layer(middleware::from_fn(canonical_only));
    let all = OpenApiRouter::with_openapi(about()).merge(people).merge(intake.unwrap_or_default());
    let (router, described) = all.split_for_parts();
    let described = anonymous::described(described).layer(middleware::from_fn(guarded));
    let inner = router.merge(described).merge(pages).fallback(no_route);
    let around = manners::Around { desk: desk.clone(), inner: inner.clone() };
    inner
        .layer(middleware::from_fn_with_state(around, manners::manners))
        .layer(middleware::from_fn_with_state(desk, outermost))
}

/// Counts errors by their code. Over TLS, browsers are told to ask for this name by TLS only from now on; not for
/// names of this machine: every program on it would share the promise.
///
/// Source: SEC-32; RFC 6797 §7.2.
async fn outermost(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let own = |host: &str| host == "localhost" || host.ends_with(".localhost");
    let line = request.extensions().get::<Arc<TlsInfo>>();
    let strict = line.is_some_and(|line| !line.server_name.as_deref().is_some_and(own));
    let mut response = next.run(request).await;
    if response.status().as_u16() >= 400
        && let Some(Code(code)) = response.extensions().get::<Code>()
    {
        desk.erred(code);
    }
    if strict {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(A_YEAR));
    }
    response
}

/// What stands at the head of the description.
fn about() -> OpenApi {
    let info = InfoBuilder::new().title("Stanch").version(env!("CARGO_PKG_VERSION")).description(Some(
        "Turns security alerts into contained, explained incidents. Additive within v1. \
             The scopes of `person` name the least role that passes.",
    ));
    let mut components = Components::new();
    let http = |scheme, about: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(about)).build())
    };
    components.add_security_scheme(
        "person",
        http(HttpAuthScheme::Bearer, "The token of a person in policies/people.yaml"),
    );
    components.add_security_scheme("source", http(HttpAuthScheme::Bearer, "The credential of a source: a bearer token, or a signature in the header that its configuration names"));
    let key = ApiKey::Header(ApiKeyValue::with_description(
        "routing_key",
        "In the body, as PagerDuty's Events API v2 has it",
    ));
    components.add_security_scheme("routing_key", SecurityScheme::ApiKey(key));
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Refuses paths that could be spelled in another way, and marks every answer as private.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response =
        if canonical(request.uri()) { next.run(request).await } else { Problem::no_route().into_response() };
    if response.status() == http::StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers().get(header::ALLOW).cloned();
        response = Problem::method().into_response();
        response.headers_mut().extend(allow.map(|a| (header::ALLOW, a)));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    console::secured(&mut response);
    response
}

/// The pages of the console: the same spelling rule, their own headers.
async fn canonical_only(request: Request, next: Next) -> Response {
    let mut response =
        if canonical(request.uri()) { next.run(request).await } else { Problem::no_route().into_response() };
    console::secured(&mut response);
    response
}

/// Refuses browsers that were led here under a name that is not ours. Whoever shows a token was not
/// led anywhere, and probes of health tell nothing; but a page can send any word as a token where nobody
/// asks for one, so doors and pages are shut to foreign names whatever is shown.
///
/// Source: SEC-31; DNS rebinding; RFC 9112 §3.2 for the one `Host`.
async fn hosted(State(desk): State<Desk>, mut request: Request, next: Next) -> Response {
    let named = request.uri().authority().map(|a| a.as_str().to_owned());
    let hosts = request.headers().get_all(header::HOST).iter().count();
    // HTTP/2 names the host in the address of the request: one place to look from here on. Where both
    // are there, the address counts and the header must not say otherwise.
    if let Some(host) = named {
        let same = |v: &HeaderValue| v.as_bytes().eq_ignore_ascii_case(host.as_bytes());
        if request.headers().get_all(header::HOST).iter().any(|v| !same(v)) {
            return Problem::foreign("this request names two hosts").into_response();
        }
        if let Ok(value) = HeaderValue::from_str(&host) {
            request.headers_mut().insert(header::HOST, value);
        }
    }
    if hosts > 1 {
        return Problem::foreign("this request names more than one host").into_response();
    }
    let path = request.uri().path();
    let probe = matches!(path, "/healthz" | "/readyz");
    let asked = path.starts_with("/api/") && !anonymous::DOORS.contains(&path) || path == "/metrics";
    let shown = asked && request.headers().contains_key(header::AUTHORIZATION);
    let program = shown || certificate::is_program(request.extensions(), request.headers());
    if !probe && !program && !desk.is_ours(request.headers()) {
        return Problem::foreign("this host name is not one of ours").into_response();
    }
    next.run(request).await
}

/// One spelling for each path: what is decided about is exactly what was asked for.
///
/// Source: SEC-27.
fn canonical(uri: &Uri) -> bool {
    let path = uri.path();
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    plain
        && !path.contains("//")
        && (path == "/" || !path.ends_with('/'))
        && !path.split('/').any(|p| p.starts_with('.') || p.ends_with('.'))
}

async fn no_route() -> Response {
    let mut response = Problem::no_route().into_response();
    console::secured(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_a_path_is_answered() {
        let good = ["/api/v1/alerts", "/api/v1/alerts/A-12/raw", "/api/v1/openapi.json", "/healthz"];
        for path in good {
            assert!(canonical(&path.parse().unwrap()), "{path}");
        }
        for path in [
            "/api//v1/alerts",
            "/api/v1/alerts/",
            "/api/v1/%61lerts",
            "/api/v1/alerts/A%2d1",
            "/api/v1/./alerts",
            "/api/v1/../v1/alerts",
            "/api/v1/alerts;x=1",
            "/api/v1/alerts.",
            "/api/v1/%252e%252e/alerts",
        ] {
            assert!(!canonical(&path.parse().unwrap()), "{path}");
        }
    }
}
