//! The journal itself: entries, its end, and whether the chain holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Json;
use stanch_model::Span;
use stanch_model::port::{Entry, Head, JournalError, JournalReader};

use super::types::{JournalEntry, JournalHead, JournalPage, JournalQuery, VerifyBroken, VerifyView};
use super::{Answer, Failures};
use crate::api::extract::{Query, limit, time};
use crate::auth::Viewer;
use crate::problem::Problem;

fn entry(e: Entry) -> JournalEntry {
    // A body of a newer program is shown as it is.
    let body = serde_json::from_slice(&e.body)
        .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(&e.body).into_owned()));
    JournalEntry { seq: e.seq, at: time(e.at), stream: e.stream, kind: e.kind, body }
}

pub(super) fn head_view(head: &Head) -> JournalHead {
    JournalHead { seq: head.seq, hash: head.hash.iter().map(|b| format!("{b:02x}")).collect() }
}

/// List journal entries in order
#[utoipa::path(get, path = "/api/v1/journal", tag = "journal", security(("person" = ["viewer"])), params(JournalQuery),
    responses((status = 200, description = "A page", body = JournalPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<JournalQuery>) -> Answer<JournalPage> {
    let (after, most) = (asked.after.unwrap_or(0), limit(asked.limit)?);
    let page = viewer.look(move |books| {
        let mut entries = books.journal()?.entries(after, most + 1)?;
        let more = entries.len() > most;
        entries.truncate(most);
        let next_after = entries.last().filter(|_| more).map(|e| e.seq);
        Ok(JournalPage { entries: entries.into_iter().map(entry).collect(), next_after })
    });
    Ok(Json(page.await?))
}

/// Where the chain ends
///
/// Write it down elsewhere: with it, even the loss of the end of a journal can be noticed.
#[utoipa::path(get, path = "/api/v1/journal/head", tag = "journal", security(("person" = ["viewer"])),
    responses((status = 200, description = "Its end", body = JournalHead), Failures))]
pub(super) async fn head(viewer: Viewer) -> Answer<JournalHead> {
    Ok(Json(viewer.look(|books| Ok(head_view(&books.journal()?.head()?))).await?))
}

/// One verification at a time: it reads the whole journal.
static VERIFYING: AtomicBool = AtomicBool::new(false);

pub(super) struct Turn;

impl Turn {
    pub(super) fn take() -> Option<Turn> {
        (!VERIFYING.swap(true, Ordering::AcqRel)).then_some(Turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        VERIFYING.store(false, Ordering::Release);
    }
}

/// Recompute the whole chain
///
/// Changes nothing; takes as long as reading the journal does. The answer says where the chain ends,
/// or which entry is the first that is not as it was written.
#[utoipa::path(post, path = "/api/v1/journal/verify", tag = "journal", security(("person" = ["viewer"])),
    responses((status = 200, description = "Whether it holds", body = VerifyView), Failures))]
pub(super) async fn verify(viewer: Viewer) -> Answer<VerifyView> {
    let turn = Turn::take().ok_or_else(|| Problem::busy("a verification is under way"))?;
    let view = viewer.look(move |books| {
        let _turn = turn;
        let begun = Instant::now();
        let mut reader = books.journal()?;
        let verified = reader.verify(&mut |_| {});
        let took = Span(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
        let (head, broken) = match verified {
            Ok(head) => (Some(head_view(&head)), None),
            Err(JournalError::Broken { seq, why }) => (None, Some(VerifyBroken { seq, why })),
            Err(e) => return Err(e.into()),
        };
        let erased = reader.erased()?;
        Ok(VerifyView { ok: broken.is_none(), head, broken, erased, took_ms: took.0, took: took.to_string() })
    });
    Ok(Json(view.await?))
}
