//! Records that were counted on an alert: each can be seen, and taken out again.

use axum::Json;
use stanch_engine::{Command, Occurrence, Received};
use stanch_model::AlertId;

use super::types::{DoneView, ErrorBody, OccurrencePage, OccurrenceView, SplitOccurrenceRequest};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, time};
use crate::auth::{Analyst, Viewer};
use crate::books::Books;
use crate::problem::Problem;

/// Records listed at most.
const LISTED: usize = 1_000;

fn found(books: &Books, id: AlertId) -> Result<Vec<Occurrence>, Problem> {
    let Books::Live(live) = books else { return Err(Problem::read_only()) };
    if live.engine.read(|s| s.slot(id).is_none()) {
        return Err(Problem::not_found(format!("there is no {id}"), "list them with GET /api/v1/alerts"));
    }
    Ok(live.engine.occurrences(id)?)
}

/// List the records counted on an alert
///
/// Reads the journal from the alert on, so it takes a moment on a long one.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/occurrences", tag = "alerts", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example A-12")),
    responses((status = 200, description = "The records", body = OccurrencePage), Failures))]
pub(super) async fn list(viewer: Viewer, Named(id): Named<AlertId>) -> Answer<OccurrencePage> {
    let all = viewer.look(move |books| found(books, id)).await?;
    let total = all.len() as u64;
    let view = |o: Occurrence| OccurrenceView {
        entry: o.entry,
        delivery: o.delivery,
        record: o.record,
        source: o.source,
        time: time(o.time),
        cause: o.cause.to_owned(),
    };
    Ok(Json(OccurrencePage { occurrences: all.into_iter().take(LISTED).map(view).collect(), total }))
}

/// Take a counted record out again: it becomes an alert of its own
#[utoipa::path(post, path = "/api/v1/alerts/{id}/split", tag = "alerts", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "Out of which")),
    request_body(content = SplitOccurrenceRequest, example = json!({ "entry": 7, "delivery": 0, "record": 0 })),
    responses((status = 200, description = "Done", body = DoneView), (status = 409, description = "It does not fit", body = ErrorBody), Failures))]
pub(super) async fn split(
    analyst: Analyst,
    Named(alert): Named<AlertId>,
    Body(asked): Body<SplitOccurrenceRequest>,
) -> Answer<DoneView> {
    let place = (asked.entry, asked.delivery, asked.record);
    let received = analyst.look(move |books| {
        let SplitOccurrenceRequest { entry, delivery, record } = asked;
        let all = found(books, alert)?;
        let is_it = |o: &&Occurrence| (o.entry, o.delivery, o.record) == (entry, delivery, record);
        let missing =
            || Problem::not_found(format!("no such record is counted on {alert}"), "list its occurrences");
        let source = all.iter().find(is_it).ok_or_else(missing)?.source.clone();
        let body = books.record(entry, delivery, record)?.ok_or_else(missing)?;
        let gone = || Problem::conflict(format!("the source {source} is not configured any more"));
        let doors = books.doors().ok_or_else(Problem::read_only)?;
        let door = doors.by_name(&source).ok_or_else(gone)?;
        let records = door.parse(&body, books.now());
        Ok(Received { source: door.name.clone(), site: door.site.clone(), body, records, retry_of: None })
    });
    let received = received.await?;
    Ok(done(analyst.command(|who| Command::SplitOccurrence { alert, place, received, who }).await?))
}
