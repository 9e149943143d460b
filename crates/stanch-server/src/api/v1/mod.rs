//! API v1: additive only. One file for each resource, in the order of a request's life.

mod admin;
mod alerts;
mod approvals;
mod assisted;
mod audit;
mod authz;
mod blocks;
mod bulk;
mod clock;
mod dry_run;
mod erasure;
mod events;
mod exports;
mod filters;
mod first_run;
mod graph;
mod hooks;
mod incidents;
mod journal;
mod judgement;
mod ledger;
mod occurrences;
mod people;
mod playbook_edit;
mod playbook_versions;
mod playbooks;
mod proofs;
mod quarantine;
mod queue;
mod runs;
mod secrets;
pub(crate) mod session;
mod settings;
mod silences;
mod sources;
mod story;
mod support;
mod tasks;
mod timeline;
mod tokens;
pub mod types;
mod verdicts;
mod webhooks;

use stanch_engine::Done;

// Every handler listed here names what it needs, or this file does not compile.
use crate::auth::door::{Guard, doors as routes};
use crate::intake::ack_view;
use crate::problem::Problem;
use types::DoneView;

/// What a handler gives back.
type Answer<T> = Result<axum::Json<T>, Problem>;

/// The errors that every route for people may answer with.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "described, never made")]
enum Failures {
    /// What was asked makes no sense
    #[response(status = 400)]
    Invalid(types::ErrorBody),
    /// Who is asking is not known
    #[response(status = 401)]
    Unauthorised(types::ErrorBody),
    /// This needs another role
    #[response(status = 403)]
    Forbidden(types::ErrorBody),
    /// There is no such thing
    #[response(status = 404)]
    NotFound(types::ErrorBody),
    /// Stopping, or not running
    #[response(status = 503)]
    Unavailable(types::ErrorBody),
}

fn done(done: Done) -> axum::Json<DoneView> {
    axum::Json(DoneView {
        message: done.message,
        incident: done.incident.map(|i| i.to_string()),
        run: done.run.map(|r| r.to_string()),
        ack: done.ack.map(ack_view),
    })
}

/// The routes for people.
pub(super) fn router() -> Guard {
    Guard::new()
        .routes(routes!(admin::whoami))
        .routes(routes!(authz::explain))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(session::sign_out_everywhere))
        .routes(routes!(session::change_password))
        .routes(routes!(people::list, people::add))
        .routes(routes!(people::change))
        .routes(routes!(people::invite))
        .routes(routes!(people::sign_out))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
        .routes(routes!(events::events))
        .routes(routes!(queue::queue))
        .routes(routes!(filters::list, filters::keep))
        .routes(routes!(exports::incident))
        .routes(routes!(exports::queue_file))
        .routes(routes!(bulk::incidents))
        .routes(routes!(timeline::timeline))
        .routes(routes!(graph::graph))
        .routes(routes!(dry_run::dry_run))
        .routes(routes!(playbooks::list))
        .routes(routes!(playbooks::one, playbook_edit::save))
        .routes(routes!(playbook_edit::check))
        .routes(routes!(playbook_versions::list))
        .routes(routes!(playbook_edit::rehearse))
        .routes(routes!(playbook_edit::schema))
        .routes(routes!(settings::settings))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one))
        .routes(routes!(alerts::raw))
        .routes(routes!(alerts::ocsf_event))
        .routes(routes!(occurrences::list))
        .routes(routes!(occurrences::split))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(story::story))
        .routes(routes!(assisted::assisted))
        .routes(routes!(incidents::ack))
        .routes(routes!(incidents::note))
        .routes(routes!(incidents::resolve))
        .routes(routes!(verdicts::judge))
        .routes(routes!(verdicts::noise))
        .routes(routes!(judgement::advice))
        .routes(routes!(judgement::autonomy))
        .routes(routes!(incidents::merge))
        .routes(routes!(incidents::unmerge))
        .routes(routes!(incidents::split))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::one))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::deny))
        .routes(routes!(proofs::prove))
        .routes(routes!(proofs::to_provider))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::one))
        .routes(routes!(blocks::release))
        .routes(routes!(blocks::renew))
        .routes(routes!(blocks::veto))
        .routes(routes!(sources::list))
        .routes(routes!(ledger::ledger))
        .routes(routes!(clock::all))
        .routes(routes!(clock::one))
        .routes(routes!(journal::list))
        .routes(routes!(journal::head))
        .routes(routes!(journal::verify))
        .routes(routes!(audit::view))
        .routes(routes!(audit::verify))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::raw))
        .routes(routes!(quarantine::retry))
        .routes(routes!(silences::list, silences::set))
        .routes(routes!(silences::end))
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(hooks::call))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::one))
        .routes(routes!(tasks::answer))
        .routes(routes!(runs::one))
        .routes(routes!(runs::go_on))
        .routes(routes!(first_run::first_run))
        .routes(routes!(first_run::sample))
        .routes(routes!(first_run::take_away))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(webhooks::enable))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(webhooks::test))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::set, secrets::remove))
        .routes(routes!(secrets::change_key))
        .routes(routes!(erasure::retention))
        .routes(routes!(erasure::erasure))
        .routes(routes!(support::bundle))
        .routes(routes!(admin::reload))
        .routes(routes!(admin::kill_switch_state, admin::kill_switch))
}
