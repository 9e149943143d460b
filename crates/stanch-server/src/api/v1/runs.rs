//! Runs of playbooks: what each has done and what it waits for.

use axum::Json;
use stanch_core::journal::State;
use stanch_core::playbook::explain::words as words_of;
use stanch_core::playbook::run::{Over, Resumed, Run, StepState, WaitsFor, id_of, resume};
use stanch_engine::{Command, Start};
use stanch_model::{IncidentId, RunId};

use super::settings::limit as limit_view;
use super::types::{
    DoneView, ErrorBody, LimitView, RunDetail, RunPage, RunQuery, RunRequest, RunResumeRequest,
    RunResumedView, RunStep, RunSummary, RunWait,
};
use super::{Answer, Failures, done};
use crate::api::extract::{Body, Named, Query, limit, named, page, time, words};
use crate::auth::{Analyst, Viewer};
use crate::problem::Problem;

fn summary(r: &Run) -> RunSummary {
    let state = match (&r.ended, &r.unwinding) {
        (None, None) => "running",
        (None, Some(_)) => "unwinding",
        (Some((_, end, _)), _) => end.word(),
    };
    // The innermost of the steps under way; between two steps, none.
    let step = r.under_way().max_by_key(|(path, s)| (path.matches('/').count(), s.began));
    let since = step.map_or_else(|| r.over().last().map_or(r.started, |(.., o)| o.at), |(_, s)| s.began);
    RunSummary {
        id: r.id.to_string(),
        incident: r.incident.map(|i| i.to_string()),
        playbook: r.name.clone(),
        state: state.to_owned(),
        started: time(r.started),
        step: step.filter(|_| r.ended.is_none()).map(|(path, _)| path.to_owned()),
        step_since: time(since),
        ended: r.ended.as_ref().map(|(at, ..)| time(*at)),
        why: r.ended.as_ref().map(|(.., why)| why.clone()),
    }
}

/// What the plan says of a step: its kind, and what it does.
fn planned(r: &Run, path: &str) -> Option<(String, String)> {
    let plan = r.playbook.as_ref()?;
    let step = plan.all_steps().into_iter().find(|s| s.id == id_of(path))?;
    Some((step.kind.name().to_owned(), words_of(step)))
}

/// What a step worked on, resolved when it was carried out.
fn worked_on(s: &State, state: &StepState) -> Vec<LimitView> {
    let more = state.more();
    let change = more.action.and_then(|id| Some((id, s.actions.get(&id)?)));
    let change = change.map(|(id, a)| limit_view("change", format!("{id}: {}", a.action.kind.words())));
    let others = [
        more.approval.map(|a| limit_view("question", a)),
        more.task.map(|t| limit_view("task", t)),
        more.child.map(|c| limit_view("run", c)),
        more.items.as_ref().map(|all| limit_view("goes through", plural(all.len(), "item"))),
        more.way.as_ref().map(|w| limit_view("way taken", w)),
    ];
    change.into_iter().chain(others.into_iter().flatten()).collect()
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn over(s: &State, r: &Run, (path, state, over): (&str, &StepState, &Over)) -> RunStep {
    let (kind, words) = planned(r, path).unzip();
    RunStep {
        step: path.to_owned(),
        began: Some(time(state.began)),
        kind,
        words,
        on: worked_on(s, state),
        at: time(over.at),
        outcome: over.outcome.to_string(),
        end: over.end.word().to_owned(),
        tries: state.tries,
        output: over.output.value(),
    }
}

fn under_way(r: &Run, (path, s): (&str, &StepState)) -> RunWait {
    let (kind, words) = planned(r, path).unzip();
    RunWait {
        step: path.to_owned(),
        kind,
        words,
        since: time(s.began),
        tries: s.tries,
        last_failure: s.more().last_failure.as_deref().map(str::to_owned),
        again: s.more().again.map(time),
        task: s.more().task.map(|t| t.to_string()),
        run: s.more().child.map(|c| c.to_string()),
    }
}

fn detail(s: &State, r: &Run, waits: &[WaitsFor]) -> RunDetail {
    RunDetail {
        summary: summary(r),
        playbook_hash: r.playbook.as_ref().map(|p| p.hash.clone()),
        steps: r.over().map(|o| over(s, r, o)).collect(),
        steps_total: r.playbook.as_ref().map_or(r.order.len(), |p| p.steps.len()),
        approval: r.under_way().find_map(|(_, s)| s.more().approval).map(|a| a.to_string()),
        blocks: r.actions.iter().map(ToString::to_string).collect(),
        inputs: r.inputs.value(),
        output: r.output.value(),
        called_by: r.caller.as_ref().map(|c| format!("{} at {}", c.run, c.path)),
        by: r.by.clone(),
        resumable: resumable(s, r),
        resumed: r.resumed.iter().map(resumed).collect(),
        under_way: if r.ended.is_none() {
            r.under_way().map(|w| under_way(r, w)).collect()
        } else {
            Vec::new()
        },
        waits_for: waits.iter().map(waited).collect(),
    }
}

/// Steps from which it can go on, those of runs that it called included.
fn resumable(s: &State, r: &Run) -> Vec<String> {
    let mut all = resume(s, r, "", "").unwrap_or_default().into_iter();
    let own = all.next().map(|own| if own.again.is_empty() { own.on } else { own.again });
    own.unwrap_or_default()
}

fn resumed(r: &Resumed) -> RunResumedView {
    let from = r.from.iter().map(|(path, why)| limit_view(path, why)).collect();
    RunResumedView { at: time(r.at), by: r.by.clone(), reason: r.reason.clone(), from }
}

/// What a run waits for, for people.
fn waited(w: &WaitsFor) -> String {
    match w {
        WaitsFor::Time(at) => format!("until {}", time(*at)),
        WaitsFor::Effect(e) => format!("an answer from outside ({e})"),
        WaitsFor::Question(a) => format!("an answer to {a}"),
        WaitsFor::Task(t) => format!("an answer to {t}"),
        WaitsFor::Change(a) => format!("the device, or the end of {a}"),
        WaitsFor::Run(r) => format!("the end of {r}"),
        WaitsFor::LookUps => "look-ups under way".to_owned(),
    }
}

/// List runs of playbooks, the newest first
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", security(("person" = ["viewer"])), params(RunQuery),
    responses((status = 200, description = "A page", body = RunPage), Failures))]
pub(super) async fn list(viewer: Viewer, Query(asked): Query<RunQuery>) -> Answer<RunPage> {
    let most = limit(asked.limit)?;
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let before = named(asked.before.as_ref())?.unwrap_or(RunId(u64::MAX));
    let mut runs: Vec<RunSummary> = viewer.books().read(|s| {
        let all = s.runs.range(..before).rev().map(|(_, r)| r);
        let kept = all.filter(|r| incident.is_none_or(|i| r.incident == Some(i)));
        kept.take(most + 1).map(|r| summary(r)).collect()
    });
    let next_before = page(&mut runs, most, |r| &r.id);
    Ok(Json(RunPage { runs, next_before }))
}

/// One run
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", security(("person" = ["viewer"])),
    params(("id" = String, Path, description = "For example RUN-2")),
    responses((status = 200, description = "The run", body = RunDetail), Failures))]
pub(super) async fn one(viewer: Viewer, Named(id): Named<RunId>) -> Answer<RunDetail> {
    let waits = viewer.books().waits(id);
    let found = viewer.books().read(|s| s.runs.get(&id).map(|r| detail(s, r, &waits)));
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no {id}"), "list them with GET /api/v1/runs"))
}

/// Let a run go on from the step that failed
///
/// What was done is not done again and keeps its result; what failed begins anew, with the guard, questions
/// and evidence as they are now. Only for a run that was handed to a person (`GET /api/v1/runs/{id}` names
/// the steps as `resumable`).
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", tag = "runs", security(("person" = ["analyst"])),
    params(("id" = String, Path, description = "For example RUN-2")),
    request_body(content = RunResumeRequest, example = json!({ "reason": "the firewall answers again" })),
    responses((status = 200, description = "It goes on", body = DoneView),
        (status = 409, description = "It cannot go on", body = ErrorBody), Failures))]
pub(super) async fn go_on(
    analyst: Analyst,
    Named(run): Named<RunId>,
    Body(asked): Body<RunResumeRequest>,
) -> Answer<DoneView> {
    let reason = words("reason", &asked.reason)?;
    Ok(done(analyst.command(|who| Command::Resume { run, who, reason }).await?))
}

/// Begin a run of a playbook by hand
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", security(("person" = ["analyst"])),
    request_body(content = RunRequest, example = json!({ "playbook": "collect-evidence", "incident": "INC-3", "inputs": {} })),
    responses((status = 200, description = "Begun", body = DoneView), Failures))]
pub(super) async fn start(analyst: Analyst, Body(asked): Body<RunRequest>) -> Answer<DoneView> {
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let RunRequest { playbook, inputs, .. } = asked;
    let asked = Start { playbook, incident, inputs, hook: false, waiter: None };
    Ok(done(analyst.command(|who| Command::Start { asked, who }).await?))
}
