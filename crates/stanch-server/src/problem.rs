//! Every error that leaves the API: one shape, a stable code, and how to mend it.
//!
//! Messages never repeat what was sent, beyond ids that were understood.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stanch_core::config::Mistake;
use stanch_engine::CommandError;
use stanch_model::port::JournalError;

use crate::api::v1::types::{ErrorBody, ErrorDetail, MistakeView};
use crate::certificate::Refused;
use crate::identity::book::No;

/// The code of an answer that is an error: beside it, for whoever counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    mend: String,
    mistakes: Vec<MistakeView>,
    /// Whole seconds to wait, where that is known better than by the status.
    wait: Option<u64>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Problem {
        Problem { status, code, message: message.into(), mend: mend.into(), mistakes: Vec::new(), wait: None }
    }

    /// What was asked makes no sense.
    pub(crate) fn invalid(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "ST0400", message, mend)
    }

    /// Nobody we know. The same words for every cause, so that they tell nothing.
    pub(crate) fn unauthorised() -> Problem {
        let mend = "send Authorization: Bearer TOKEN with the token of a person in policies/people.yaml";
        Problem::new(StatusCode::UNAUTHORIZED, "ST0401", "who is asking is not known", mend)
    }

    /// A name or a password that is wrong: the same words for both, and for accounts that are shut.
    pub(crate) fn wrong_password() -> Problem {
        let mend =
            "try again; if you forgot it, an administrator makes a new link: stanch people invite NAME";
        Problem::new(StatusCode::UNAUTHORIZED, "ST0401", "name or password is wrong", mend)
    }

    /// It takes a fresh proof of the person, and there is none that holds.
    pub(crate) fn unproved(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "ST0426", message, mend)
    }

    /// A link or set-up token that cannot be used: the same words for every cause.
    pub(crate) fn spent() -> Problem {
        let mend = "links to set a password hold for 24 hours and once: ask an administrator for a new one; \
                    for the first start, run `stanch up` again";
        Problem::new(StatusCode::UNAUTHORIZED, "ST0401", "this link is used up, too old or not ours", mend)
    }

    /// No tenant of this host name; the same for every path.
    pub(crate) fn no_tenant() -> Problem {
        let mend = "ask under the host name of your tenant";
        Problem::new(StatusCode::NOT_FOUND, "ST0404", "there is nothing under this host name", mend)
    }

    /// The line was opened for one tenant, and the request names another. Source: RFC 9110 §15.5.20.
    pub(crate) fn misdirected() -> Problem {
        let message = "this line was opened for another host name than the request is for";
        let mend = "open a new line for that name; behind a proxy, let both names be the same";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "ST0425", message, mend)
    }

    /// A client certificate that proves nothing. Said in full: whoever shows one knows what is in it.
    pub(crate) fn certificate(why: &Refused) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "ST0401", why.to_string(), why.mend())
    }

    /// No sender we know, or a wrong proof: the same answer for both.
    pub(crate) fn sender() -> Problem {
        let mend = "check the name of the source and its credential; see GET /api/v1/sources";
        Problem::new(StatusCode::UNAUTHORIZED, "ST0401", "who sends this is not known", mend)
    }

    /// A signed delivery that was accepted before.
    pub(crate) fn replayed() -> Problem {
        let message = "this very delivery was accepted before; nothing was taken in again";
        Problem::new(
            StatusCode::CONFLICT,
            "ST0409",
            message,
            "sign every delivery anew, with the time of sending",
        )
    }

    /// Too many wrong tokens from one place.
    pub(crate) fn too_many(seconds: i64) -> Problem {
        let message = format!("too many failed sign-ins from this address; wait {seconds} s");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "ST0429", message, "then try again with the right token")
    }

    /// More requests than one caller may send.
    pub(crate) fn too_fast(seconds: u64) -> Problem {
        let mend = "ask less often, or raise requests_per_second in stanch.yaml";
        let mut problem =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "ST0430", "too many requests from this caller", mend);
        problem.wait = Some(seconds);
        problem
    }

    /// A source has sent more than its limit.
    pub(crate) fn beyond_limit(seconds: u64) -> Problem {
        let message =
            format!("this source has sent more than its limit; nothing was taken in, wait {seconds} s");
        let mend = "send it again after Retry-After, or raise `limit` in the source's file";
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "ST0431", message, mend);
        problem.wait = Some(seconds);
        problem
    }

    /// A source has as much in hand as one source may.
    pub(crate) fn beyond_share() -> Problem {
        let message = "this source has as many deliveries in hand as one source may; nothing was taken in";
        let mend = "try again in a moment; send fewer at a time and more in each, or raise intake_queue in stanch.yaml";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ST0504", message, mend)
    }

    /// What was to be changed is not what the caller has read.
    pub(crate) fn changed(path: &str) -> Problem {
        let message =
            format!("{path} is not what If-Match names: it was changed, or there is nothing to compare");
        Problem::new(StatusCode::PRECONDITION_FAILED, "ST0412", message, "read it again, then decide anew")
    }

    /// An `Idempotency-Key` that came with another body.
    pub(crate) fn key_reused() -> Problem {
        let message = "this Idempotency-Key came with another body before";
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "ST0423",
            message,
            "use a fresh key for each thing to be done",
        )
    }

    /// An `Idempotency-Key` whose first request has no answer.
    pub(crate) fn key_unknown() -> Problem {
        let message = "a request with this Idempotency-Key is under way, or began before a crash: whether it was done is not known";
        Problem::new(
            StatusCode::CONFLICT,
            "ST0424",
            message,
            "look whether it was done; if not, use a fresh key",
        )
    }

    /// A request of a browser that does not come from our own pages.
    pub(crate) fn foreign(message: impl Into<String>) -> Problem {
        let mend =
            "open the console at the address that stanch prints; behind a proxy, name that host with --host";
        Problem::new(StatusCode::FORBIDDEN, "ST0421", message, mend)
    }

    /// It does not fit the state of things.
    pub(crate) fn conflict(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "ST0409", message, "look at it again, then decide anew")
    }

    /// What went wrong, in words.
    pub(crate) fn message(&self) -> String {
        self.message.clone()
    }

    /// What went wrong and how to mend it, in a line for a person in a chat.
    pub(crate) fn told(&self) -> String {
        let Problem { message, mend, .. } = self;
        if mend.is_empty() {
            format!("Nothing was changed: {message}")
        } else {
            format!("Nothing was changed: {message}. {mend}")
        }
    }

    /// True when a fresh proof of the person is wanted.
    pub(crate) fn is_unproved(&self) -> bool {
        self.code == "ST0426"
    }

    /// True when the rules forbid what was asked.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// The same words, as a conflict with the state of things.
    pub(crate) fn into_conflict(self) -> Problem {
        Problem::conflict(self.message)
    }

    /// What is there is not what the caller looked at.
    pub(crate) fn moved_on(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "ST0409", message, mend)
    }

    /// Somebody who may not.
    pub(crate) fn role(has: &str, needs: &str) -> Problem {
        let mend = "ask somebody with that role; roles are given in policies/people.yaml";
        Problem::new(
            StatusCode::FORBIDDEN,
            "ST0403",
            format!("this needs the role {needs}; you have {has}"),
            mend,
        )
    }

    /// Somebody who may not, for another reason than a role.
    pub(crate) fn forbidden(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "ST0403", message, mend)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "ST0404", message, mend)
    }

    /// There is no such route.
    pub(crate) fn no_route() -> Problem {
        Problem::not_found("there is nothing at this path", "see GET /api/v1/openapi.json for what there is")
    }

    /// The route exists, for another method.
    pub(crate) fn method() -> Problem {
        let mend = "see GET /api/v1/openapi.json for what there is";
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "ST0405",
            "this path does not answer to this method",
            mend,
        )
    }

    /// The body is larger than it may be.
    pub(crate) fn too_large(limit: u64) -> Problem {
        let message = format!("the body is larger than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "ST0413", message, "send less at once")
    }

    /// The body comes in a form that is not read.
    pub(crate) fn media(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "ST0415", message, mend)
    }

    /// Understood, but it cannot be done, for this reason.
    pub(crate) fn refused(message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "ST0422", message, mend)
    }

    /// The configuration has mistakes; the one before stays in force.
    pub(crate) fn configuration(mistakes: &[Mistake]) -> Problem {
        let errors = mistakes.iter().filter(|m| !m.warning).count();
        let message = format!("the configuration has {errors} mistakes; the one before stays in force");
        let mut problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "ST0422",
            message,
            "mend them all, then reload again",
        );
        problem.mistakes = mistakes.iter().map(mistake_view).collect();
        problem
    }

    /// Without the engine nothing can be changed.
    pub(crate) fn read_only() -> Problem {
        let message = "stanch is not running here: the journal can be read, nothing can be changed";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ST0503", message, "start it with: stanch serve")
    }

    /// Too much at once, or stopping.
    pub(crate) fn busy(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ST0503", message, "try again in a moment")
    }

    /// Something of ours broke. The cause goes to the log, not to the caller.
    pub(crate) fn internal(what: &'static str) -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ST0500",
            what,
            "see the log of stanch; run: stanch doctor",
        )
    }
}

/// A mistake as it travels.
pub(crate) fn mistake_view(m: &Mistake) -> MistakeView {
    MistakeView {
        file: m.file.clone(),
        line: m.line,
        column: m.column,
        message: m.message.clone(),
        help: m.help.clone(),
        warning: m.warning,
    }
}

impl From<No> for Problem {
    fn from(no: No) -> Problem {
        match no {
            No::Unknown(what) => {
                Problem::not_found(format!("there is no {what}"), "list what there is first")
            }
            No::Conflict(message, mend) => Problem::new(StatusCode::CONFLICT, "ST0409", message, mend),
            No::Invalid(message, mend) => Problem::invalid(message, mend),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(e: CommandError) -> Problem {
        let message = e.to_string();
        match e {
            CommandError::NotFound(_) => Problem::not_found(message, "list what there is first"),
            CommandError::Conflict(_) => Problem::conflict(message),
            CommandError::Refused(_) => {
                Problem::new(StatusCode::FORBIDDEN, "ST0403", message, "the rules in policies/ say why")
            }
            CommandError::Invalid(_) => Problem::invalid(message, ""),
            CommandError::Unproved(_) => Problem::unproved(
                message,
                "open the question in the console and prove there that it is you; a chat and a command line cannot",
            ),
            CommandError::Stopping => Problem::busy(message),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(e: JournalError) -> Problem {
        tracing::error!(error = %e, "the journal could not be read");
        Problem::internal("the journal could not be read")
    }
}

impl From<stanch_model::id::BadId> for Problem {
    fn from(e: stanch_model::id::BadId) -> Problem {
        Problem::invalid(e.to_string(), "")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let kind = format!("urn:stanch:error:{}", self.code);
        let detail = if self.mend.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", self.message, self.mend)
        };
        let error = ErrorDetail {
            code: self.code.to_owned(),
            message: self.message,
            mend: self.mend,
            mistakes: self.mistakes,
        };
        let body = ErrorBody { kind, title, status: status.as_u16(), detail, error };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(Code(self.code));
        let mut put = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        // Source: RFC 9457, 3.
        put(header::CONTENT_TYPE, "application/problem+json");
        if status == StatusCode::UNAUTHORIZED {
            put(header::WWW_AUTHENTICATE, "Bearer realm=\"stanch\"");
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            put(header::RETRY_AFTER, "60");
        }
        if let Some(seconds) = self.wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        let mut put = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            put(header::RETRY_AFTER, "1");
        }
        response
    }
}
