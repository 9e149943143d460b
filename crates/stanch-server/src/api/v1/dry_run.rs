//! What exactly a yes would do: shown before anybody says it, and changing nothing.

use axum::Json;
use stanch_core::contain::Approval;
use stanch_core::contain::guard::must_be_lifted;
use stanch_core::contain::weigh::own;
use stanch_model::ApprovalId;

use super::approvals::target;
use super::settings::{limit, team};
use super::types::{DryRunView, TeamView};
use super::{Answer, Failures};
use crate::api::extract::Named;
use crate::auth::Viewer;
use crate::books::Books;
use crate::problem::Problem;

/// Why the change must not be made, if it must not: the guard's own rule.
fn protected(books: &Books, a: &Approval) -> Option<String> {
    let config = books.config();
    let mut discovered = books.discovered();
    discovered.extend(config.iter().flat_map(|c| own(c)));
    let policy = config.as_ref().map(|c| c.containment.clone()).unwrap_or_default();
    must_be_lifted(&a.action, &policy, &discovered).map(|why| why.0)
}

fn told(books: &Books, a: &Approval) -> Vec<TeamView> {
    let Some(config) = books.config() else { return Vec::new() };
    let noc = config.containment.noc_team.iter();
    let mut names: Vec<&String> = noc.chain(&a.teams).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|n| seen.insert(*n));
    names.into_iter().filter_map(|n| config.teams.get(n)).map(team).collect()
}

fn view(books: &Books, a: &Approval, kill_switch: bool) -> DryRunView {
    let at = target(&a.action.kind);
    let name = &a.action.responder;
    DryRunView {
        approval: a.id.to_string(),
        action: a.action.kind.words(),
        call: vec![
            limit("device", name),
            limit("change", a.action.kind.words()),
            limit("mark on the device", a.action.tag()),
            limit("ends by itself after", a.action.ttl),
            limit("then", "read back from the device"),
        ],
        targets: vec![at.clone()],
        protected: protected(books, a),
        undo: vec![
            format!("by itself {} after it began, at the device or by the lease here", a.action.ttl),
            format!("at any time: Release in the console, or: stanch release {}", a.action.id),
        ],
        told: told(books, a),
        simulated: a.simulated,
        kill_switch,
        digest: a.digest(),
    }
}

/// What exactly a yes would do
#[utoipa::path(get, path = "/api/v1/approvals/{id}/dry-run", tag = "approvals", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example APR-1")),
    responses((status = 200, description = "What would happen", body = DryRunView), Failures))]
pub(super) async fn dry_run(viewer: Viewer, Named(id): Named<ApprovalId>) -> Answer<DryRunView> {
    let books = viewer.books();
    let found = books.read(|s| s.approvals.get(&id).map(|a| (a.approval.clone(), s.kill_switch)));
    let mend = "list them with GET /api/v1/approvals";
    let missing = || Problem::not_found(format!("there is no {id}"), mend);
    let (approval, kill_switch) = found.ok_or_else(missing)?;
    Ok(Json(view(books, &approval, kill_switch)))
}
