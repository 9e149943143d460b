//! Records that could not be read: listed, shown, tried again. Never lost.

use axum::Json;
use axum::response::Response;
use stanch_core::journal::state::Quarantined;
use stanch_engine::{Command, Received};

use super::alerts::download;
use super::types::{DoneView, ErrorBody, QuarantineItem, QuarantinePage, QuarantineQuery};
use super::{Answer, Failures, done};
use crate::api::extract::{Named, Query, limit, time};
use crate::auth::{Operator, Viewer};
use crate::books::Books;
use crate::problem::Problem;

fn item(id: u64, q: &Quarantined, source: &str) -> QuarantineItem {
    QuarantineItem {
        id,
        source: source.to_owned(),
        at: time(q.at),
        reason: q.reason.clone(),
        recovered: q.recovered,
        entry: q.seq,
    }
}

/// List records that could not be read, the newest first
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "sources", security(("person" = ["viewer"])), params(QuarantineQuery),
    responses((status = 200, description = "A page", body = QuarantinePage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<QuarantineQuery>) -> Answer<QuarantinePage> {
    let most = limit(asked.limit)?;
    let (all, before) = (asked.all.unwrap_or(false), asked.before.unwrap_or(u64::MAX));
    let page = viewer.books().read(|s| {
        let name = |q: &Quarantined| s.sources.get(usize::from(q.source)).map_or("", |s| s.name.as_str());
        let kept = s.quarantine.range(..before).rev().filter(|(_, q)| all || !q.recovered);
        let kept = kept.filter(|(_, q)| asked.source.as_deref().is_none_or(|n| n == name(q)));
        let mut records: Vec<QuarantineItem> =
            kept.take(most + 1).map(|(id, q)| item(*id, q, name(q))).collect();
        let more = records.len() > most;
        records.truncate(most);
        let next_before = records.last().filter(|_| more).map(|r| r.id);
        let waiting = s.quarantine.values().filter(|q| !q.recovered).count() as u64;
        QuarantinePage { records, waiting, next_before }
    });
    Ok(Json(page))
}

fn missing(id: u64) -> Problem {
    Problem::not_found(
        format!("there is no record {id} in quarantine"),
        "list them with GET /api/v1/quarantine",
    )
}

/// Where a record lies: its source, entry, delivery and index.
fn locate(books: &Books, id: u64) -> Result<(String, u64, u32, u32), Problem> {
    let found = books.read(|s| {
        let q = s.quarantine.get(&id)?;
        let source = s.sources.get(usize::from(q.source))?.name.clone();
        Some((source, q.seq, q.delivery, q.record))
    });
    found.ok_or_else(|| missing(id))
}

/// The bytes of a record that could not be read
#[utoipa::path(get, path = "/api/v1/quarantine/{id}/raw", tag = "sources", security(("person" = ["viewer"])),
    params(("id" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"), Failures))]
pub(super) async fn raw(viewer: Viewer, Named(id): Named<u64>) -> Result<Response, Problem> {
    let found = viewer.look(move |books| {
        let (_, seq, delivery, record) = locate(books, id)?;
        Ok(books.record(seq, delivery, record)?)
    });
    found.await?.map(download).ok_or_else(|| missing(id))
}

/// Try a record again, with the format its source has now
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/retry", tag = "sources", security(("person" = ["operator"])),
    params(("id" = u64, Path, description = "Its number")),
    responses((status = 200, description = "What became of it", body = DoneView), (status = 409, description = "It was read already, or its source is gone", body = ErrorBody), Failures))]
pub(super) async fn retry(operator: Operator, Named(id): Named<u64>) -> Answer<DoneView> {
    let live = operator.running()?.clone();
    let (doors, now) = (live.intake.doors(), operator.books().now());
    let received = operator.look(move |books| {
        let (source, seq, delivery, record) = locate(books, id)?;
        let body = books.record(seq, delivery, record)?.ok_or_else(|| missing(id))?;
        let door = doors
            .by_name(&source)
            .ok_or_else(|| Problem::conflict(format!("the source {source} is not configured any more")))?;
        let records = door.parse(&body, now);
        Ok(Received { source, site: door.site.clone(), body, records, retry_of: Some(id) })
    });
    let received = received.await?;
    Ok(done(operator.command(|who| Command::Retry { quarantine: id, received, who }).await?))
}
