//! What a request says, read strictly; what cannot be read is answered in our one error shape.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use stanch_model::Timestamp;

use crate::problem::Problem;

/// How many a list gives by default, and at most.
const DEFAULT: usize = 100;
const MOST: usize = 1_000;

/// A limit as asked for, within bounds.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(DEFAULT),
        Some(n @ 1..=MOST) => Ok(n),
        Some(_) => Err(Problem::invalid(
            format!("limit must be 1 to {MOST}"),
            "page through with `before` or `after`",
        )),
    }
}

/// Cuts a list that was read one too long to the page that was asked for; gives the name of the last
/// one when there is more.
pub(crate) fn page<T>(list: &mut Vec<T>, most: usize, id: impl Fn(&T) -> &String) -> Option<String> {
    let more = list.len() > most;
    list.truncate(most);
    list.last().filter(|_| more).map(|last| id(last).clone())
}

/// A name in a query, if there is one.
pub(crate) fn named<T>(text: Option<&String>) -> Result<Option<T>, Problem>
where
    T: FromStr<Err = stanch_model::id::BadId>,
{
    Ok(text.map(|t| t.parse::<T>()).transpose()?)
}

/// A text that has to be there and short.
pub(crate) fn words(field: &str, text: &str) -> Result<String, Problem> {
    const LONGEST: usize = 8 * 1024;
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::invalid(
            format!("`{field}` is empty"),
            "say it in a few words: it goes into the journal",
        ));
    }
    if text.len() > LONGEST {
        return Err(Problem::invalid(format!("`{field}` is longer than {LONGEST} bytes"), "shorten it"));
    }
    Ok(text.to_owned())
}

/// A time as it travels.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// JSON in the body: the content type has to say so, and unknown or double fields are refused.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Body(value)),
            Err(e) => Err(json_problem(&e)),
        }
    }
}

fn json_problem(e: &JsonRejection) -> Problem {
    match e {
        JsonRejection::MissingJsonContentType(_) => not_json(),
        JsonRejection::BytesRejection(_) => Problem::too_large(super::BODY_LIMIT as u64),
        // The reader's message names fields and kinds; it is cut so that it cannot repeat a body.
        other => Problem::invalid(short(&other.body_text()), "see GET /api/v1/openapi.json for its shape"),
    }
}

fn not_json() -> Problem {
    Problem::media("the body has to be JSON", "send Content-Type: application/json")
}

/// True when a request says that its body is JSON. A web form cannot.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The same, where the body may be left out.
pub(crate) struct MaybeBody<T>(#[allow(dead_code)] pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_| Problem::too_large(super::BODY_LIMIT as u64))?;
        if bytes.is_empty() {
            return Ok(MaybeBody(T::default()));
        }
        if !json {
            return Err(not_json());
        }
        let read = serde_json::from_slice(&bytes);
        read.map(MaybeBody).map_err(|e| Problem::invalid(short(&e.to_string()), "leave the body out"))
    }
}

/// The query, read strictly.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(e) => Err(Problem::invalid(
                short(&e.body_text()),
                "see GET /api/v1/openapi.json for its parameters",
            )),
        }
    }
}

/// The one name in the path.
pub(crate) struct Named<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let text = text.map_err(|_| Problem::no_route())?.0;
        text.parse()
            .map(Named)
            .map_err(|e: T::Err| Problem::invalid(e.to_string(), "list what there is first"))
    }
}
