//! The story of an incident, told again by a language model: text beside the story, and nothing else.

use axum::Json;
use stanch_core::assist::{self, Assisted, Brief, NotAssisted, Said};
use stanch_core::config::AssistantConfig;
use stanch_model::IncidentId;

use super::incidents::missing;
use super::types::{AssistedRequest, AssistedView, SaidView};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time};
use crate::assist::Question;
use crate::auth::Analyst;
use crate::problem::Problem;

/// Have the story told again by a language model
///
/// Off unless policies/assistant.yaml names one. Nothing is done by the answer: it is text beside the story.
/// With `dry_run` nothing is sent, and the answer shows what would be.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/assisted", tag = "incidents", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example INC-3")),
    request_body(content = AssistedRequest, example = json!({ "dry_run": true })),
    responses((status = 200, description = "What may be shown of the answer, or why there is none", body = AssistedView), Failures))]
pub(super) async fn assisted(
    analyst: Analyst,
    Named(id): Named<IncidentId>,
    Body(asked): Body<AssistedRequest>,
) -> Answer<AssistedView> {
    let config = analyst.books().config();
    let Some(policy) = config.as_ref().and_then(|c| c.assistant.as_ref()) else {
        let mend = "write policies/assistant.yaml to allow one; docs/guide/assistant.md says how";
        return Err(Problem::not_found("no language model is configured", mend));
    };
    let gathered = analyst.books().read(|s| {
        let incident = s.incidents.get(&id)?;
        Some(assist::gather(s, incident, &policy.labels, policy.ceiling))
    });
    let brief = gathered.ok_or_else(|| missing(id))?.and_then(assist::brief);
    let (helper, now) = (analyst.assist()?, analyst.books().now());
    let mut sent = None;
    let read = match &brief {
        Ok(brief) if asked.dry_run => {
            sent = serde_json::to_string_pretty(&assist::request(brief, &policy.model)).ok();
            Ok(Assisted::default())
        }
        Ok(brief) => {
            let question = Question { policy, brief, by: &analyst.who().name, now };
            helper.ask(&question).await
        }
        Err(why) => Err(why.clone()),
    };
    let mut view = view(id, policy, brief.as_ref().ok(), read);
    (view.at, view.asked_today, view.sent) = (time(now), helper.asked(now), sent);
    Ok(Json(view))
}

fn view(
    id: IncidentId,
    policy: &AssistantConfig,
    brief: Option<&Brief>,
    read: Result<Assisted, NotAssisted>,
) -> AssistedView {
    let (read, failed) = match read {
        Ok(read) => (read, None),
        Err(why) => (Assisted::default(), Some(why.to_string())),
    };
    let all = |said: Vec<Said>| -> Vec<SaidView> {
        let one =
            |s: Said| SaidView { text: s.text, alerts: s.alerts.iter().map(ToString::to_string).collect() };
        said.into_iter().map(one).collect()
    };
    AssistedView {
        incident: id.to_string(),
        by: format!("written by the model {}, checked by nobody", policy.model),
        model: policy.model.clone(),
        label: brief.map(|b| b.label.0.word().to_owned()),
        ceiling: policy.ceiling.word().to_owned(),
        left_out: assist::left_out(&read.dropped),
        said: all(read.said),
        look_at: all(read.look_at),
        next: all(read.next),
        failed,
        sent: None,
        at: String::new(),
        asked_today: 0,
        per_day: policy.per_day,
    }
}
