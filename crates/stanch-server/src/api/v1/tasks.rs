//! What runs ask of people that is not about one change: decisions and work by hand.

use axum::Json;
use stanch_core::journal::event::Answered;
use stanch_core::journal::state::TaskState;
use stanch_core::playbook::run::task::Ask;
use stanch_engine::{Command, TaskReply};
use stanch_model::{TaskId, Timestamp};

use super::approvals::party;
use super::types::{DoneView, ErrorBody, FieldView, TaskAnswer, TaskPage, TaskQuery, TaskView};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, limit, named, page, time};
use crate::auth::{Analyst, Viewer};
use crate::problem::Problem;

fn open(t: &TaskState, now: Timestamp) -> bool {
    t.answered.is_none() && now < t.task.expires_at
}

fn shown(t: &TaskState, now: Timestamp) -> TaskView {
    let task = &t.task;
    let state = match &t.answered {
        None if open(t, now) => "open",
        None => "expired",
        Some((_, e)) => match e.answer {
            Answered::Approved => "done",
            Answered::Denied => "refused",
            Answered::Expired => "expired",
            Answered::Withdrawn => "withdrawn",
        },
    };
    let (kind, form) = match &task.ask {
        Ask::Decision => ("decision", Vec::new()),
        Ask::Work { form } => ("work", form.clone()),
    };
    let field = |f: stanch_core::playbook::run::task::Field| FieldView {
        name: f.name,
        kind: f.kind,
        default: f.default,
        about: f.about,
    };
    TaskView {
        id: task.id.to_string(),
        state: state.to_owned(),
        kind: kind.to_owned(),
        run: task.run.to_string(),
        step: task.step.clone(),
        playbook: task.playbook.clone(),
        incident: task.incident.map(|i| i.to_string()),
        title: task.title.clone(),
        text: task.text.clone(),
        form: form.into_iter().map(field).collect(),
        teams: task.teams.clone(),
        parties: task.parties.iter().map(party).collect(),
        asked_at: time(task.asked_at),
        expires_at: time(task.expires_at),
        digest: task.digest(),
        answered_by: t.answered.as_ref().map(|(_, e)| e.by.clone()),
        answered_at: t.answered.as_ref().map(|(at, _)| time(*at)),
        values: t.answered.as_ref().map_or(serde_json::Value::Null, |(_, e)| e.values.clone()),
    }
}

/// List what runs ask of people, the newest first
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", security(("person" = ["viewer"])), params(TaskQuery),
    responses((status = 200, description = "A page", body = TaskPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<TaskQuery>) -> Answer<TaskPage> {
    let most = limit(asked.limit)?;
    let only = asked.open.unwrap_or(false);
    let now = viewer.books().now();
    let before = named(asked.before.as_ref())?.unwrap_or(TaskId(u64::MAX));
    let mut tasks: Vec<TaskView> = viewer.books().read(|s| {
        let kept = s.tasks.range(..before).rev().map(|(_, t)| t).filter(|t| !only || open(t, now));
        kept.take(most + 1).map(|t| shown(t, now)).collect()
    });
    let next_before = page(&mut tasks, most, |t| &t.id);
    Ok(Json(TaskPage { tasks, next_before }))
}

/// One task
#[utoipa::path(get, path = "/api/v1/tasks/{id}", tag = "tasks", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example TASK-1")),
    responses((status = 200, description = "The task", body = TaskView), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<TaskId>) -> Answer<TaskView> {
    let now = viewer.books().now();
    let found = viewer.books().read(|s| s.tasks.get(&id).map(|t| shown(t, now)));
    let mend = "list them with GET /api/v1/tasks";
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no {id}"), mend))
}

/// Answer a task: yes or no to a decision, the form of work that is done, or that it cannot be done
#[utoipa::path(post, path = "/api/v1/tasks/{id}/answer", tag = "tasks", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example TASK-1")),
    request_body(content = TaskAnswer, example = json!({ "digest": "0000000000000000000000000000000000000000000000000000000000000000", "yes": true, "values": { "port": "ge-0/0/7" } })),
    responses((status = 200, description = "Counted", body = DoneView), (status = 409, description = "Answered before, over, or something else was shown", body = ErrorBody), Failures))]
pub(super) async fn answer(
    analyst: Analyst,
    Named(task): Named<TaskId>,
    Body(asked): Body<TaskAnswer>,
) -> Answer<DoneView> {
    let TaskAnswer { digest, yes, values, reason } = asked;
    let reason = reason.unwrap_or_default();
    if reason.len() > 8 * 1024 {
        return Err(Problem::invalid("`reason` is longer than 8192 bytes", "shorten it"));
    }
    let reply = TaskReply { task, digest: digest.to_ascii_lowercase(), yes, values, reason };
    Ok(done(analyst.command(|who| Command::AnswerTask { reply, who }).await?))
}
