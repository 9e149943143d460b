//! Silences: why alerts are quiet for a while, and until when.

use axum::Json;
use stanch_core::config::{MatchOp, Matcher, SilenceRule};
use stanch_core::journal::event::SilenceSet;
use stanch_engine::Command;
use stanch_model::{SilenceId, Span, Timestamp};

use super::types::{DoneView, ErrorBody, SilencePage, SilenceQuery, SilenceRequest, SilenceView};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, time, words};
use crate::auth::{Analyst, Viewer};
use crate::problem::Problem;

/// The longest silence that can be set at run time; longer ones belong into the configuration.
const LONGEST: Span = Span::hours(24 * 30);
/// Matchers of one silence at most.
const MATCHERS: usize = 20;

fn set_view(s: &SilenceSet, ended: Option<Timestamp>, now: Timestamp) -> SilenceView {
    SilenceView {
        id: s.silence.to_string(),
        matchers: s.matchers.clone(),
        from: None,
        until: time(s.until),
        by: s.by.clone(),
        comment: s.comment.clone(),
        active: ended.is_none() && now < s.until,
        configured: false,
        maintenance: false,
        ended_at: ended.map(time),
    }
}

fn written(m: &Matcher) -> String {
    let op = match m.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
        MatchOp::AtLeast => ">=",
    };
    format!("{}{op}{}", m.field, m.value)
}

fn rule_view(r: &SilenceRule, now: Timestamp) -> SilenceView {
    SilenceView {
        id: r.name.clone(),
        matchers: r.matchers.iter().map(written).collect(),
        from: r.from.map(time),
        until: time(r.until),
        by: r.author.clone(),
        comment: r.comment.clone(),
        active: r.from.is_none_or(|f| f <= now) && now < r.until,
        configured: true,
        maintenance: r.maintenance,
        ended_at: None,
    }
}

/// List silences
#[utoipa::path(get, path = "/api/v1/silences", tag = "silences", security(("person" = ["viewer"])), params(SilenceQuery),
    responses((status = 200, description = "All of them", body = SilencePage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<SilenceQuery>) -> Answer<SilencePage> {
    let books = viewer.books();
    let now = books.now();
    let mut silences: Vec<SilenceView> =
        books.read(|s| s.silences.values().rev().map(|(set, ended)| set_view(set, *ended, now)).collect());
    if let Some(config) = books.config() {
        silences.extend(config.silences.iter().map(|r| rule_view(r, now)));
    }
    // What begins later is worth seeing too: only what is over is left out.
    let all = asked.all.unwrap_or(false);
    let begins_later = |s: &SilenceView| s.from.as_ref().is_some_and(|f| *f > time(now));
    silences.retain(|s| all || s.active || begins_later(s));
    Ok(Json(SilencePage { silences }))
}

fn until(asked: &SilenceRequest, now: Timestamp) -> Result<Timestamp, Problem> {
    let mend = "write either \"for\": \"2h\" or \"until\": \"2026-03-03T22:10:00Z\"";
    let until = match (&asked.until, &asked.for_) {
        (Some(until), None) => Timestamp::parse(until).map_err(|e| Problem::invalid(e.to_string(), mend))?,
        (None, Some(span)) => now.plus(
            span.parse().map_err(|e: stanch_model::time::BadSpan| Problem::invalid(e.to_string(), mend))?,
        ),
        _ => return Err(Problem::invalid("exactly one of `until` and `for` is needed", mend)),
    };
    if until <= now {
        return Err(Problem::invalid("the silence would be over before it begins", mend));
    }
    if until > now.plus(LONGEST) {
        let mend = "write longer ones into policies/silences.yaml, where they are reviewed";
        return Err(Problem::invalid(format!("a silence lasts at most {LONGEST}"), mend));
    }
    Ok(until)
}

/// Make alerts quiet for a while
#[utoipa::path(post, path = "/api/v1/silences", tag = "silences", security(("person" = ["analyst"])),
    request_body(content = SilenceRequest, example = json!({ "matchers": ["source=suricata", "ip=192.0.2.7"], "for": "2h", "comment": "planned scan" })),
    responses((status = 200, description = "Done", body = DoneView), Failures))]
pub(super) async fn set(analyst: Analyst, Body(asked): Body<SilenceRequest>) -> Answer<DoneView> {
    let until = until(&asked, analyst.books().now())?;
    let comment = words("comment", &asked.comment)?;
    if asked.matchers.is_empty() || asked.matchers.len() > MATCHERS {
        let message = format!("`matchers` must hold 1 to {MATCHERS}");
        return Err(Problem::invalid(message, "a silence without matchers would make everything quiet"));
    }
    for text in &asked.matchers {
        Matcher::parse(text)
            .map_err(|e| Problem::invalid(e.to_string(), "for example source=suricata or ip=192.0.2.0/24"))?;
    }
    let matchers = asked.matchers;
    Ok(done(analyst.command(|who| Command::Silence { matchers, until, comment, who }).await?))
}

/// Take a silence back
#[utoipa::path(post, path = "/api/v1/silences/{id}/end", tag = "silences", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example SIL-2")),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It is over already", body = ErrorBody), Failures))]
pub(super) async fn end(analyst: Analyst, Named(silence): Named<SilenceId>) -> Answer<DoneView> {
    Ok(done(analyst.command(|who| Command::Unsilence { silence, who }).await?))
}
