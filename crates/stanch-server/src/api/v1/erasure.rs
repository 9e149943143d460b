//! What is kept for how long, and where a subject stands.

use std::collections::BTreeMap;

use axum::Json;

use super::types::{ErasureFile, ErasureKind, ErasureRequest, ErasureView, RetentionRequest, RetentionView};
use super::{Answer, Failures};
use crate::api::extract::Body;
use crate::auth::Admin;
use crate::problem::Problem;
use crate::retention::{self, Report};
use crate::subject::{Findings, search};

/// Shortest and longest subject, in bytes: shorter ones stand everywhere.
const SUBJECT: std::ops::RangeInclusive<usize> = 3..=256;

/// Take away what was kept for long enough
///
/// Bytes as received, normalised alerts and reasons beside old entries, as `retention` in stanch.yaml says; never what an
/// open incident or a change in force rests on. The entries and the chain stay whole: `journal verify` says
/// how many details are gone. It happens by itself each hour; this does it now, or says what it would do.
#[utoipa::path(post, path = "/api/v1/admin/retention", tag = "operation", security(("person" = ["admin"])),
    request_body(content = RetentionRequest, example = json!({ "dry_run": true })),
    responses((status = 200, description = "Done, or what would be", body = RetentionView), Failures))]
pub(super) async fn retention(admin: Admin, Body(asked): Body<RetentionRequest>) -> Answer<RetentionView> {
    let live = admin.running()?.clone();
    let policy = live.engine.rules().config.server.retention;
    if !policy.any() {
        let mend = "say how long under `retention` in stanch.yaml, for example { alerts: 400d }";
        return Err(Problem::invalid("nothing is ever taken away: there is no `retention`", mend));
    }
    let done = retention::pass(&live, &admin.who().name, asked.dry_run).await;
    let report = done.map_err(|error| {
        tracing::error!(error, "retention could not be carried out");
        Problem::internal("retention could not be carried out in full")
    })?;
    Ok(Json(view(report, !asked.dry_run, policy.alerts, policy.incidents)))
}

fn view(
    r: Report,
    done: bool,
    alerts: Option<stanch_model::Span>,
    incidents: Option<stanch_model::Span>,
) -> RetentionView {
    let did = if done { "were" } else { "would be" };
    let message = format!(
        "{} details ({} bytes) {did} taken away; {} are old enough and needed by an open incident or a change in force",
        r.details, r.bytes, r.needed
    );
    RetentionView {
        done,
        details: r.details,
        bytes: r.bytes,
        needed: r.needed,
        alerts: alerts.map(|s| s.to_string()),
        incidents: incidents.map(|s| s.to_string()),
        message,
    }
}

/// Say where a subject stands
///
/// An account, a mail address, a host, an address: every entry, every detail and every other file of the data folder is
/// searched, in small and capital letters and within longer words. Changes nothing, and the subject is written
/// nowhere. Erasing by subject is not possible yet; what is missing is in the answer.
#[utoipa::path(post, path = "/api/v1/admin/erasure", tag = "operation", security(("person" = ["admin"])),
    request_body(content = ErasureRequest, example = json!({ "subject": "j.doe@example.com" })),
    responses((status = 200, description = "Where it stands", body = ErasureView), Failures))]
pub(super) async fn erasure(admin: Admin, Body(asked): Body<ErasureRequest>) -> Answer<ErasureView> {
    admin.running()?;
    let subject = asked.subject.trim().to_owned();
    if !SUBJECT.contains(&subject.len()) {
        let (least, most) = (SUBJECT.start(), SUBJECT.end());
        return Err(Problem::invalid(
            format!("`subject` must have {least} to {most} bytes"),
            "name one account, address or host",
        ));
    }
    let turn = super::journal::Turn::take().ok_or_else(|| Problem::busy("a verification is under way"))?;
    tracing::info!(by = admin.who().name, "the data folder is searched for a subject");
    let found = admin.look(move |books| {
        let _turn = turn;
        Ok(search(books, &subject)?)
    });
    Ok(Json(shown(found.await?)))
}

fn shown(found: Findings) -> ErasureView {
    let sum = |of: fn(&crate::subject::Found) -> u64| found.kinds.values().map(of).sum::<u64>();
    let (entries, details, needed) = (sum(|k| k.entries), sum(|k| k.details), sum(|k| k.needed));
    let mut stays = Vec::new();
    if entries > 0 {
        stays.push(format!(
            "{entries} entries name it in what the chain itself is computed over and what every start reads: addresses, hosts and accounts \
             of alerts, titles, notes, notices, questions. They cannot be taken away without breaking the chain"
        ));
    }
    if details > 0 {
        stays.push(format!(
            "{details} details hold it, with other alerts that came in the same moment. They go when their time under `retention` in \
             stanch.yaml is over; {needed} are needed until incidents are resolved and changes are lifted"
        ));
    }
    if !found.files.is_empty() {
        let n = found.files.len();
        stays.push(format!(
            "{n} files beside the journal hold it: answers.log forgets within 24 hours, an account goes with `stanch people disable` and its \
             name stays, files of your own are yours to delete"
        ));
    }
    stays.push(
        "backups, exports, logs, mails, chats, tickets and receivers of webhooks are not searched: what has left the data folder is not \
         known here"
            .to_owned(),
    );
    let kind = |(kind, k): (String, crate::subject::Found)| ErasureKind {
        kind,
        entries: k.entries,
        first: k.first,
        last: k.last,
        details: k.details,
        detail_bytes: k.detail_bytes,
        needed: k.needed,
    };
    let files: BTreeMap<String, u64> = found.files;
    ErasureView {
        erased: false,
        entries,
        details,
        needed,
        kinds: found.kinds.into_iter().map(kind).collect(),
        files: files.into_iter().map(|(file, times)| ErasureFile { file, times }).collect(),
        open_incidents: found.open,
        stays,
    }
}
