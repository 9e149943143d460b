//! Who asks, and what keeps Stanch running.

use axum::Json;
use stanch_core::config::May;
use stanch_core::journal::state::Stop;
use stanch_engine::Command;
use stanch_engine::command::{Stops, Who};

use super::types::{DoneView, ErrorBody, KillSwitchRequest, KillSwitchView, ReloadView, Whoami};
use super::{Answer, Failures, done};
use crate::api::extract::Body;
use crate::auth::{Operator, Stopper, Viewer};
use crate::problem::{Problem, mistake_view};

/// Somebody as they see themselves.
pub(crate) fn me(who: &Who, way: &str) -> Whoami {
    Whoami {
        name: who.name.clone(),
        role: who.role.word().to_owned(),
        may: May::ALL.iter().filter(|m| who.role.may(**m)).map(|m| m.word().to_owned()).collect(),
        teams: who.teams.iter().cloned().collect(),
        way: way.to_owned(),
    }
}

/// Who the token belongs to
#[utoipa::path(get, path = "/api/v1/whoami", tag = "people", security(("person" = ["viewer"])),
    responses((status = 200, description = "You", body = Whoami), Failures))]
pub(super) async fn whoami(viewer: Viewer) -> Json<Whoami> {
    Json(me(viewer.who(), viewer.way()))
}

/// Read the configuration again
///
/// The whole is put in force, or nothing: then all mistakes are in the answer.
#[utoipa::path(post, path = "/api/v1/admin/reload", tag = "operation", security(("person" = ["operator"])),
    responses((status = 200, description = "In force", body = ReloadView),
        (status = 422, description = "Refused, with all mistakes", body = ErrorBody), Failures))]
pub(super) async fn reload(operator: Operator) -> Answer<ReloadView> {
    let reloaded = operator.running()?.reload(&operator.who().name).await;
    let r = reloaded.map_err(|mistakes| Problem::configuration(&mistakes))?;
    let message = if r.changed {
        "the new configuration is in force"
    } else {
        "the configuration is as it was; files it names were read again"
    };
    let warnings = r.warnings.iter().map(mistake_view).collect();
    Ok(Json(ReloadView { message: message.to_owned(), hash: r.hash, changed: r.changed, warnings }))
}

/// Are changes to the outside world stopped?
#[utoipa::path(get, path = "/api/v1/admin/kill-switch", tag = "operation", security(("person" = ["viewer"])),
    responses((status = 200, description = "Whether they are", body = KillSwitchView), Failures))]
pub(super) async fn kill_switch_state(viewer: Viewer) -> Json<KillSwitchView> {
    let view = viewer.books().read(|s| {
        let mut view = KillSwitchView { engaged: s.kill_switch, ..KillSwitchView::default() };
        for stop in &s.stopped {
            match stop {
                Stop::Responder(name) => view.responders.push(name.clone()),
                Stop::Playbook(name) => view.playbooks.push(name.clone()),
            }
        }
        view
    });
    Json(view)
}

/// Stop changes to the outside world, or allow them again
///
/// Whoever may approve a change, or keeps Stanch running, may stop them all; allowing them again needs an
/// operator.
#[utoipa::path(post, path = "/api/v1/admin/kill-switch", tag = "operation", security(("person" = ["approver"])),
    request_body(content = KillSwitchRequest, example = json!({ "engaged": true })),
    responses((status = 200, description = "Done", body = DoneView), Failures))]
pub(super) async fn kill_switch(stopper: Stopper, Body(asked): Body<KillSwitchRequest>) -> Answer<DoneView> {
    if !asked.engaged {
        stopper.needs(May::Operate)?;
    }
    let stops = match (asked.responder, asked.playbook) {
        (None, None) => Stops::Everything,
        (Some(name), None) => Stops::Responder(name),
        (None, Some(name)) => Stops::Playbook(name),
        (Some(_), Some(_)) => {
            let mend = "send two requests, one for each";
            return Err(Problem::invalid(
                "`responder` and `playbook` cannot be stopped in one request",
                mend,
            ));
        }
    };
    let command = |who| Command::KillSwitch { engaged: asked.engaged, stops, who };
    Ok(done(stopper.command(command).await?))
}
