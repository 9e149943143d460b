//! The audit: the signed checkpoints of the journal, and whether it holds against them.

use axum::Json;

use super::types::{AuditReport, AuditRequest, AuditView};
use super::{Answer, Failures};
use crate::api::extract::Body;
use crate::audit::{Asked, CannotCheck, check};
use crate::auth::Viewer;
use crate::problem::Problem;

/// The public key and the last signed checkpoint
///
/// Keep both elsewhere: with them, not even whoever can write journal and keys can change history unseen.
#[utoipa::path(get, path = "/api/v1/audit", tag = "journal", security(("person" = ["viewer"])),
    responses((status = 200, description = "Where the audit stands", body = AuditView), Failures))]
pub(super) async fn view(viewer: Viewer) -> Answer<AuditView> {
    let audit = viewer.books().audit().ok_or_else(Problem::read_only)?;
    Ok(Json(AuditView { key: audit.public().text(), checkpoint: audit.last() }))
}

/// Hold the journal against its signed checkpoints
///
/// Recomputes the whole chain and checks every checkpoint beside the journal, and those sent along.
/// Changes nothing; takes as long as reading the journal does.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "journal", security(("person" = ["viewer"])),
    request_body = AuditRequest,
    responses((status = 200, description = "What was found", body = AuditReport), Failures))]
pub(super) async fn verify(viewer: Viewer, Body(asked): Body<AuditRequest>) -> Answer<AuditReport> {
    const KEYS: usize = 16;
    if asked.keys.len() > KEYS {
        return Err(Problem::invalid(
            format!("`keys` holds more than {KEYS}"),
            "name the one that was in use",
        ));
    }
    let turn = super::journal::Turn::take().ok_or_else(|| Problem::busy("a verification is under way"))?;
    let asked = Asked { keys: asked.keys, notes: asked.checkpoints };
    let report = viewer.look(move |books| {
        let _turn = turn;
        // A server that has just started may not have come to sign anything yet.
        if let Some(Err(why)) = books.audit().map(|a| a.look(false)) {
            tracing::error!(error = why, "no checkpoint of the journal could be written");
        }
        check(books.data_dir(), &asked).map_err(|e| match e {
            CannotCheck::Asked(why) => Problem::invalid(why, "`stanch audit key` prints it"),
            CannotCheck::Read(why) => {
                tracing::error!(error = why, "the audit could not be made");
                Problem::internal("the audit could not be made")
            }
        })
    });
    Ok(Json(report.await?))
}
