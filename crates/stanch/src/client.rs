//! One way to ask: over HTTP from a running server, or from the store without one.
//!
//! Commands name routes of API v1 and get JSON; which door it came through they do not know. The
//! store answers questions only: a change needs the running server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stanch_server::api::v1::types::ErrorBody;
use tower::ServiceExt as _;

use crate::exit::{Exit, Failure};

/// Where a server listens unless told otherwise.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:7878";

/// Largest answer taken from the store, in bytes.
const LARGEST: usize = 1 << 30;

/// Who answers.
enum Door {
    /// A running server.
    Http { client: reqwest::Client, base: String, token: Option<String> },
    /// The store, read in this process.
    Store(Router),
}

/// API v1, through either door.
pub(crate) struct Api {
    door: Door,
}

/// How to reach the server.
pub(crate) struct Reach {
    /// Base URL without a slash at its end.
    pub(crate) server: String,
    /// Bearer token.
    pub(crate) token: Option<String>,
    /// Certificate authority in PEM, for a server with a certificate of its own.
    pub(crate) ca: Option<PathBuf>,
    /// Longest wait for one answer.
    pub(crate) timeout: Duration,
}

impl Api {
    /// Prepares to ask a server. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL or the certificate authority cannot be used.
    pub(crate) fn http(reach: &Reach) -> Result<Api> {
        let client = http_client(reach)?;
        Ok(Api {
            door: Door::Http {
                client,
                base: reach.server.trim_end_matches('/').to_owned(),
                token: reach.token.clone(),
            },
        })
    }

    /// Answers from a router in this process.
    #[must_use]
    pub(crate) fn store(router: Router) -> Api {
        Api { door: Door::Store(router) }
    }

    /// Asks.
    ///
    /// # Errors
    /// What the server answered, or that it cannot be reached.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        json(&self.send("GET", path, None).await?)
    }

    /// Asks and reads the answer as `T`.
    ///
    /// # Errors
    /// What the server answered, or that it cannot be reached.
    pub(crate) async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        view(self.get(path).await?)
    }

    /// The bytes of an answer.
    ///
    /// # Errors
    /// What the server answered, or that it cannot be reached.
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Bytes> {
        self.send("GET", path, None).await
    }

    /// Orders a change.
    ///
    /// # Errors
    /// What the server answered, or that it cannot be reached; also when there is only the store.
    pub(crate) async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Value> {
        if matches!(self.door, Door::Store(_)) && path != "/api/v1/journal/verify" {
            let message = "a change needs the running server; --data only answers questions";
            return Err(Failure::usage(message, "leave --data out").into());
        }
        json(&self.send("POST", path, Some(serde_json::to_vec(body)?)).await?)
    }

    /// Puts something in its place.
    ///
    /// # Errors
    /// As [`Api::post`].
    pub(crate) async fn put(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Value> {
        json(&self.send("PUT", path, Some(serde_json::to_vec(body)?)).await?)
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Api::post`].
    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        json(&self.send("DELETE", path, None).await?)
    }

    async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Bytes> {
        let (status, bytes) = match &self.door {
            Door::Http { client, base, token } => {
                over_http(client, base, token.as_ref(), method, path, body).await?
            }
            Door::Store(router) => in_process(router, method, path, body).await?,
        };
        if (200..300).contains(&status) { Ok(bytes) } else { Err(refused(status, &bytes).into()) }
    }
}

/// A client that follows no redirects and never sends a token for this machine through a proxy.
///
/// # Errors
/// When the certificate authority cannot be read.
pub(crate) fn http_client(reach: &Reach) -> Result<reqwest::Client> {
    let url = reqwest::Url::parse(&reach.server).map_err(|e| {
        Failure::usage(format!("--server {}: {e}", reach.server), "write http://127.0.0.1:7878")
    })?;
    // A second installation is refused, and the first one is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(reach.timeout)
        .user_agent(concat!("stanch/", env!("CARGO_PKG_VERSION")));
    if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        builder = builder.no_proxy();
    }
    if let Some(own) = url.host_str().filter(|host| host.ends_with(".localhost")) {
        // Such names are this machine; not every resolver knows. Source: RFC 6761, section 6.3.
        builder = builder.no_proxy().resolve(own, ([127, 0, 0, 1], 0).into());
    }
    if let Some(ca) = &reach.ca {
        builder = builder.tls_certs_only(authorities(ca)?);
    } else if url.scheme() == "http" {
        // No certificate is needed, so none is looked for: a machine without any works too.
        builder = builder.tls_certs_only([]);
    }
    builder.build().context("no HTTP client could be made")
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let pem = std::fs::read(path)
        .map_err(|e| Failure::usage(format!("--ca {}: {e}", path.display()), "name a PEM file"))?;
    reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|e| Failure::usage(format!("--ca {}: {e}", path.display()), "name a PEM file").into())
}

async fn over_http(
    client: &reqwest::Client,
    base: &str,
    token: Option<&String>,
    method: &str,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<(u16, Bytes)> {
    let method = reqwest::Method::from_bytes(method.as_bytes())?;
    let mut request = client.request(method, format!("{base}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body);
    }
    let answer = request.send().await.map_err(|e| unreachable(base, &e))?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.map_err(|e| unreachable(base, &e))?;
    Ok((status, bytes))
}

/// Why no answer came.
#[must_use]
pub(crate) fn unreachable(base: &str, error: &reqwest::Error) -> Failure {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        why = deeper.to_string();
        source = deeper.source();
    }
    if error.is_timeout() && !error.is_connect() {
        return Failure::new(
            Exit::TimedOut,
            format!("{base} did not answer in time"),
            "try a longer --timeout",
        );
    }
    let mend = "start it with `stanch serve`, name another one with --server, \
                or read the store itself with --data DIR";
    Failure::new(Exit::Unreachable, format!("{base} cannot be reached: {why}"), mend)
}

async fn in_process(
    router: &Router,
    method: &str,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<(u16, Bytes)> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.unwrap_or_default()))?;
    let answer = router.clone().oneshot(request).await?;
    let status = answer.status().as_u16();
    Ok((status, to_bytes(answer.into_body(), LARGEST).await?))
}

/// The server's refusal in our words.
#[must_use]
pub(crate) fn refused(status: u16, body: &[u8]) -> Failure {
    let exit = Exit::of_status(status);
    let Ok(ErrorBody { error, .. }) = serde_json::from_slice::<ErrorBody>(body) else {
        let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
        let mend = if status == 401 { "name your token with --token-file" } else { "" };
        return Failure::new(exit, format!("the server answered {status}: {text}"), mend);
    };
    let exit = if error.mistakes.is_empty() { exit } else { Exit::Findings };
    Failure {
        exit,
        code: Some(error.code),
        message: error.message,
        mend: for_a_terminal(&error.mend),
        mistakes: error.mistakes,
    }
}

fn json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).context("the server's answer is no JSON; is it a Stanch server?")
}

/// Reads an answer as one of the API's types.
///
/// # Errors
/// When the server is of another version and answers otherwise.
pub(crate) fn view<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("the server's answer has another shape; is it of another version?")
}

/// Builds `path?a=b&c=d`, each value percent-encoded.
pub(crate) struct Route {
    text: String,
    mark: char,
}

impl Route {
    /// A route below `/api/v1/`; the parts are joined by slashes and percent-encoded.
    #[must_use]
    pub(crate) fn new(parts: &[&str]) -> Route {
        let parts: Vec<String> = parts.iter().map(|p| encode(p)).collect();
        Route { text: format!("/api/v1/{}", parts.join("/")), mark: '?' }
    }

    /// Adds a question's detail, if there is one.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Option<impl ToString>) -> Route {
        if let Some(value) = value {
            self.text.push(self.mark);
            self.text.push_str(name);
            self.text.push('=');
            self.text.push_str(&encode(&value.to_string()));
            self.mark = '&';
        }
        self
    }

    /// Adds `name=true` when it is.
    #[must_use]
    pub(crate) fn flag(self, name: &str, value: bool) -> Route {
        self.with(name, value.then_some("true"))
    }
}

impl std::ops::Deref for Route {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// Percent-encodes all but the unreserved characters. Source: RFC 3986 §2.3.
fn encode(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let piece = |b: u8| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    // A part of dots alone would climb out of its route.
    if !text.is_empty() && text.bytes().all(|b| b == b'.') {
        return "%2E".repeat(text.len());
    }
    text.bytes().map(piece).collect()
}

/// The server names its own addresses; whoever types commands is named the command that asks for the same.
fn for_a_terminal(mend: &str) -> String {
    const LISTS: [&str; 9] =
        ["alerts", "approvals", "blocks", "incidents", "quarantine", "runs", "secrets", "tasks", "webhooks"];
    let Some((before, at)) = mend.split_once("GET /api/v1/") else { return mend.to_owned() };
    let end = at.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(at.len());
    let (noun, rest) = at.split_at(end);
    let (flag, rest) = rest.strip_prefix("?all=true").map_or(("", rest), |rest| (" --all", rest));
    let command = match noun {
        "secrets" | "webhooks" => format!("{} list", noun.trim_end_matches('s')),
        other => other.to_owned(),
    };
    if !LISTS.contains(&noun) || rest.starts_with('/') {
        return mend.to_owned();
    }
    format!("{before}`stanch {command}{flag}`{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_route_cannot_become_two() {
        assert_eq!(&*Route::new(&["alerts", "A-1/../../x?y"]), "/api/v1/alerts/A-1%2F..%2F..%2Fx%3Fy");
        assert_eq!(&*Route::new(&["alerts", ".."]), "/api/v1/alerts/%2E%2E");
        let listed =
            Route::new(&["alerts"]).with("state", Some("a b&c")).with("limit", None::<u8>).flag("all", true);
        assert_eq!(&*listed, "/api/v1/alerts?state=a%20b%26c&all=true");
    }

    #[test]
    fn a_refusal_keeps_code_message_and_mend() {
        let body = br#"{"error":{"code":"ST0404","message":"there is no INC-99","mend":"list them"}}"#;
        let failure = refused(404, body);
        assert_eq!((failure.exit, failure.code.as_deref()), (Exit::NotFound, Some("ST0404")));
        assert_eq!((failure.message.as_str(), failure.mend.as_str()), ("there is no INC-99", "list them"));
        assert_eq!(refused(502, b"<html>").exit, Exit::Failed);
    }

    #[tokio::test]
    async fn the_store_takes_no_orders() {
        let api = Api::store(Router::new());
        let error =
            api.post("/api/v1/incidents/INC-1/ack", &serde_json::json!({})).await.expect_err("refused");
        assert_eq!(error.downcast_ref::<Failure>().map(|f| f.exit), Some(Exit::Usage));
    }

    #[test]
    fn a_mend_names_the_command_and_not_the_address() {
        for (server, terminal) in [
            ("list them with GET /api/v1/incidents", "list them with `stanch incidents`"),
            ("list them with GET /api/v1/blocks?all=true", "list them with `stanch blocks --all`"),
            ("see GET /api/v1/webhooks", "see `stanch webhook list`"),
            ("see GET /api/v1/openapi.json for its shape", "see GET /api/v1/openapi.json for its shape"),
            (
                "send the digest of GET /api/v1/approvals/{id}",
                "send the digest of GET /api/v1/approvals/{id}",
            ),
            ("try again", "try again"),
        ] {
            assert_eq!(for_a_terminal(server), terminal);
        }
    }
}
