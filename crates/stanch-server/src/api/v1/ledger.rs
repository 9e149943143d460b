//! The conservation ledger.

use axum::Json;
use stanch_core::journal::Tally;

use super::types::{LedgerView, TallyView};
use super::{Answer, Failures};
use crate::auth::Viewer;

fn tally(t: &Tally) -> TallyView {
    TallyView {
        received: t.received,
        merged: t.merged,
        suppressed: t.suppressed,
        in_incidents: t.in_incidents,
        open: t.open,
        closed: t.closed,
        quarantined: t.quarantined,
        closed_as_context: t.closed_as_context,
    }
}

/// Where everything received is
///
/// `received = merged + suppressed + in_incidents + open + closed + quarantined`, exactly, in all and
/// for each source.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "sources", security(("person" = ["viewer"])),
    responses((status = 200, description = "The ledger", body = LedgerView), Failures))]
pub(super) async fn ledger(viewer: Viewer) -> Answer<LedgerView> {
    let ledger = viewer.books().read(stanch_core::journal::State::ledger);
    let sources = ledger.sources.iter().map(|(name, t)| (name.clone(), tally(t))).collect();
    Ok(Json(LedgerView { total: tally(&ledger.total), balanced: ledger.balanced, sources }))
}
