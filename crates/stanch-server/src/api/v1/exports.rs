//! Exports: the queue or one incident as a file.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use stanch_model::IncidentId;

use super::types::{ExportQuery, QueueExportQuery, QueueFilter};
use super::{Failures, approvals, blocks, incidents, journal, queue, story, timeline};
use crate::api::extract::{Named, Query};
use crate::auth::Viewer;
use crate::books::{Books, Place};
use crate::export::{self, Case, Evidence, Format, Listing};
use crate::problem::Problem;

/// Most incidents of the queue in one file.
const ROWS: usize = 10_000;
/// Most alerts of an incident in one file, with their bytes.
const ALERTS: usize = 1_000;

fn format(word: &str) -> Result<Format, Problem> {
    let mend = || format!("write one of: {}", Format::words());
    Format::of(word).ok_or_else(|| Problem::invalid("there is no such format", mend()))
}

fn file(name: &str, format: Format, bytes: Vec<u8>) -> Response {
    let (kind, ending) = format.kind();
    // Names are ours: letters, digits and a dash.
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{ending}\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    (headers, bytes).into_response()
}

fn gathered(books: &Books, id: IncidentId) -> Result<Case, Problem> {
    let now = books.now();
    let told = books.read(|s| {
        let i = s.incidents.get(&id)?;
        let places: Vec<Place> =
            i.alert_ids().take(ALERTS).filter_map(|a| s.slot(a).map(|slot| Place::of(a, slot))).collect();
        let arrived: Vec<_> = places.iter().filter_map(|p| s.slot(p.id).map(|slot| slot.arrived)).collect();
        let views = (incidents::detail(s, i), story::taken(s, id)?, timeline::view(s, i, now));
        Some((
            views,
            blocks::of_incident(s, id, books, now),
            approvals::of_incident(s, id, now),
            places,
            arrived,
        ))
    });
    let ((incident, story, timeline), blocks, approvals, places, arrived) =
        told.ok_or_else(|| incidents::missing(id))?;
    let story = story::told(story);
    let evidence = books.evidence(&places)?.into_iter().zip(arrived);
    let evidence =
        evidence.map(|((id, alert, raw), received)| Evidence { id, alert, raw, received }).collect();
    let head = journal::head_view(&books.journal()?.head()?);
    Ok(Case { now, incident, story, timeline, blocks, approvals, evidence, head })
}

/// An incident as a file
///
/// `csv`: its timeline. `json`: everything. `ocsf`: an Incident Finding and its Detection Findings. `stix`:
/// a bundle, TLP:AMBER. `markdown` and `pdf`: a report.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/export", tag = "exports", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example INC-3"), ExportQuery),
    responses((status = 200, description = "The file, by the format asked for", content(
        (serde_json::Value = "application/json"), (Object = "application/stix+json"), (String = "text/csv"),
        (String = "text/markdown"), (Vec<u8> = "application/pdf"))), Failures))]
pub(super) async fn incident(
    viewer: Viewer,
    Named(id): Named<IncidentId>,
    Query(asked): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let format = format(asked.format.as_deref().unwrap_or("json"))?;
    let bytes = viewer.look(move |books| Ok(export::case(&gathered(books, id)?, format))).await?;
    Ok(file(&id.to_string(), format, bytes))
}

fn listed(books: &Books, asked: &QueueFilter, me: &str) -> Result<Listing, Problem> {
    let (rows, total) = queue::rows(books, asked, me, ROWS)?;
    Ok(Listing { now: books.now(), query: queue::words_of(asked), total, rows })
}

/// The queue as a file
///
/// All that matches, in the order asked for, at most 10000 incidents.
#[utoipa::path(get, path = "/api/v1/export/queue", tag = "exports", security(("person" = ["viewer"])),
    params(ExportQuery, QueueFilter),
    responses((status = 200, description = "The file, by the format asked for", content(
        (serde_json::Value = "application/json"), (Object = "application/stix+json"), (String = "text/csv"),
        (String = "text/markdown"), (Vec<u8> = "application/pdf"))), Failures))]
pub(super) async fn queue_file(
    viewer: Viewer,
    Query(asked): Query<QueueExportQuery>,
) -> Result<Response, Problem> {
    let format = format(asked.format.as_deref().unwrap_or("json"))?;
    let me = viewer.who().name.clone();
    let asked = asked.filter;
    let bytes = viewer.look(move |books| Ok(export::listing(&listed(books, &asked, &me)?, format))).await?;
    Ok(file("stanch-queue", format, bytes))
}
