//! Playbooks in force: what each says, and how its runs went.

use axum::Json;
use stanch_core::journal::State;
use stanch_core::journal::event::RunEnd;
use stanch_core::playbook::Playbook;

use super::types::{PlaybookDetail, PlaybookPage, PlaybookView};
use super::{Answer, Failures};
use crate::api::extract::{Named, time};
use crate::auth::Viewer;
use crate::problem::Problem;
use crate::workshop;

fn view(s: &State, p: &Playbook) -> PlaybookView {
    let runs = || s.runs.values().filter(|r| r.name == p.name);
    let ended = |end: RunEnd| runs().filter(|r| r.ended.as_ref().is_some_and(|(_, e, _)| *e == end)).count();
    PlaybookView {
        name: p.name.clone(),
        summary: p.summary.clone(),
        hash: p.hash.clone(),
        attack: p.attack.clone(),
        steps: p.steps.iter().map(|s| s.id.clone()).collect(),
        runs: runs().count(),
        running: runs().filter(|r| r.ended.is_none()).count(),
        completed: ended(RunEnd::Completed),
        handed: ended(RunEnd::Handed),
        last_started: runs().map(|r| r.started).max().map(time),
    }
}

/// List playbooks
#[utoipa::path(get, path = "/api/v1/playbooks", tag = "playbooks", security(("person" = ["viewer"])),
    responses((status = 200, description = "All of them", body = PlaybookPage), Failures))]
pub(super) async fn list(viewer: Viewer) -> Answer<PlaybookPage> {
    let config = viewer.books().config();
    let playbooks = viewer.books().read(|s| {
        let all = config.iter().flat_map(|c| &c.playbooks);
        all.map(|p| view(s, p)).collect()
    });
    let edits = config.as_ref().map(|c| c.server.playbook_edits).unwrap_or_default();
    let folder = viewer.books().folder().map(std::path::Path::to_owned);
    let read_only = match folder {
        Some(folder) => workshop::refused(&folder, edits).map(|(why, mend)| format!("{why}; {mend}")),
        None => {
            Some("stanch is not running here: the journal can be read, nothing can be changed".to_owned())
        }
    };
    Ok(Json(PlaybookPage { playbooks, read_only }))
}

/// One playbook, with its text
#[utoipa::path(get, path = "/api/v1/playbooks/{name}", tag = "playbooks", security(("person" = ["viewer"])),
    params(("name" = String, Path, description = "For example c2-beacon")),
    responses((status = 200, description = "The playbook", body = PlaybookDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(name): Named<String>) -> Answer<PlaybookDetail> {
    let config = viewer.books().config();
    let playbook = config.iter().flat_map(|c| &c.playbooks).find(|p| p.name == name);
    let missing = || Problem::not_found("there is no such playbook", "list them with GET /api/v1/playbooks");
    let p = playbook.ok_or_else(missing)?;
    let summary = viewer.books().read(|s| view(s, p));
    Ok(Json(PlaybookDetail { summary, source: p.source.clone(), sop: p.sop.clone() }))
}
