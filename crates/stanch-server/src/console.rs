//! The console: pages and assets that are part of the program, and the headers they go out with.
//!
//! Nothing here needs a person: the assets are the same for everybody and hold no data. Whatever the
//! console shows it asks of the API, as the person who has signed in.
//!
//! Source: SEC-32; MDN on Content-Security-Policy and Trusted Types.

use std::io::Read as _;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::problem::Problem;

/// One file of the console, compressed when it was built.
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    etag: &'static str,
    br: &'static [u8],
    gz: &'static [u8],
}

mod built {
    use super::Asset;
    include!(concat!(env!("OUT_DIR"), "/console_assets.rs"));
}

/// First segments of the addresses that people see: each gives the one page, which reads the rest.
const PAGES: &[&str] = &[
    "alerts",
    "approvals",
    "clock",
    "exercises",
    "incidents",
    "playbooks",
    "queue",
    "reviews",
    "runs",
    "settings",
    "setup",
    "signin",
    "sources",
    "welcome",
];

/// Only our own files; no inline script or style, no frames, no other site; and no script may turn
/// text into markup.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";
/// What our pages never use.
const PERMISSIONS: &str = "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), \
    microphone=(), payment=(), usb=()";

/// Headers of every answer, whatever it is.
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Pages and assets.
pub(crate) fn router() -> Router {
    let mut router = Router::new().route("/", get(page)).route("/assets/{file}", get(asset));
    for p in PAGES {
        router = router.route(&format!("/{p}"), get(page)).route(&format!("/{p}/{{*rest}}"), get(page));
    }
    for a in built::ASSETS.iter().filter(|a| !a.path.starts_with("/assets/") && a.path != "/index.html") {
        router = router.route(a.path, get(own));
    }
    router
}

fn find(path: &str) -> Option<&'static Asset> {
    built::ASSETS.iter().find(|a| a.path == path)
}

async fn page(headers: HeaderMap) -> Response {
    match find("/index.html") {
        Some(a) => dressed(a, &headers, "no-cache"),
        None => placeholder(built::MISSING),
    }
}

async fn own(uri: Uri, headers: HeaderMap) -> Response {
    find(uri.path()).map_or_else(|| Problem::no_route().into_response(), |a| dressed(a, &headers, "no-cache"))
}

async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    // The name holds a digest of the content, so a browser never has to ask twice.
    let found = find(&format!("/assets/{file}"));
    let forever = "public, max-age=31536000, immutable";
    found.map_or_else(|| Problem::no_route().into_response(), |a| dressed(a, &headers, forever))
}

/// True when the client takes this coding.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    let mut each = all.flat_map(|v| v.split(',')).map(|c| c.split(';').map(str::trim).collect::<Vec<_>>());
    each.any(|c| c.first() == Some(&coding) && !c.iter().any(|p| matches!(*p, "q=0" | "q=0.0" | "q=0.00")))
}

fn dressed(a: &Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(|e| e == a.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes(headers, "br") {
        ([(header::CONTENT_ENCODING, "br")], a.br).into_response()
    } else if takes(headers, "gzip") {
        ([(header::CONTENT_ENCODING, "gzip")], a.gz).into_response()
    } else {
        let mut plain = Vec::new();
        match flate2::read::GzDecoder::new(a.gz).read_to_end(&mut plain) {
            Ok(_) => plain.into_response(),
            Err(_) => return Problem::internal("a file of the console is damaged").into_response(),
        }
    };
    let put = [
        (header::CONTENT_TYPE, a.kind),
        (header::CACHE_CONTROL, cache),
        (header::ETAG, a.etag),
        (header::VARY, "accept-encoding"),
    ];
    response.headers_mut().extend(put.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if a.kind.starts_with("text/html") {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    }
    secured(&mut response);
    response
}

/// The headers of every answer; one that says more already keeps it.
pub(crate) fn secured(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
}

/// The page of a program without the console: what is missing, and how to mend it.
fn placeholder(why: &str) -> Response {
    let why: String = why.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Stanch</title>\n\
         <h1>Stanch is running. Its console is not in this build.</h1>\n\
         <p>Why: {why}.</p>\n\
         <p>To mend it: install Node 20.19 or newer with npm, then run <code>cargo xtask ui</code> and build again.</p>\n\
         <p>Everything works without it: the command line (<code>stanch incidents</code>, <code>stanch approvals</code>) \
         and the API, described at <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>\n"
    );
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    secured(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_console_says_what_is_missing_and_runs_nothing() {
        let response = placeholder("there is no Node here; install <script>alert(1)</script>");
        let csp = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'"), "{csp}");
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn a_coding_that_is_refused_is_not_taken() {
        let headers = |text: &str| {
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap())])
        };
        assert!(takes(&headers("gzip, deflate, br"), "br"));
        assert!(takes(&headers("br;q=0.5"), "br"));
        assert!(!takes(&headers("br;q=0, gzip"), "br"));
        assert!(!takes(&headers("brotli"), "br"));
        assert!(!takes(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn every_asset_is_small_enough_together() {
        let all: usize = built::ASSETS.iter().map(|a| a.br.len()).sum();
        assert!(all <= 600 * 1024, "{all} bytes of brotli; the budget is 600 KiB");
    }
}
