//! The support bundle of a running server.

use axum::Json;

use super::types::{SupportBundle, SupportQuery};
use super::{Answer, Failures};
use crate::api::extract::Query;
use crate::auth::Admin;
use crate::problem::Problem;
use crate::support::{Around, gather};

/// What somebody who mends Stanch needs to see, and nothing of what it is about
///
/// Built by an allow-list: versions, sizes, counts, times, and the structure of the configuration. Every name,
/// text, address and secret is a placeholder. Look at it before you send it to anybody.
#[utoipa::path(get, path = "/api/v1/support-bundle", tag = "operation", security(("person" = ["admin"])),
    params(SupportQuery),
    responses((status = 200, description = "The bundle", body = SupportBundle), Failures))]
pub(super) async fn bundle(admin: Admin, Query(asked): Query<SupportQuery>) -> Answer<SupportBundle> {
    let verify = asked.verify.unwrap_or(true);
    let turn = super::journal::Turn::take().ok_or_else(|| Problem::busy("a verification is under way"))?;
    let tenant = admin.running()?.tenant.clone();
    tracing::info!(by = admin.who().name, "a support bundle is made");
    let made = admin.books().now();
    let bundle = admin.look(move |books| {
        let _turn = turn;
        let around = Around { folder: books.folder(), tenant: tenant.as_deref(), verify };
        Ok(gather(books, &around, made)?)
    });
    Ok(Json(bundle.await?))
}
