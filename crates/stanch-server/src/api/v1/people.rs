//! Who may come in: accounts, links to set a password, sessions. For administrators.

use std::collections::BTreeSet;

use axum::Json;
use stanch_core::config::Role;

use super::types::{
    AddPersonRequest, ChangePersonRequest, DoneView, ErrorBody, InviteView, KnownPersonView, PeoplePage,
};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time};
use crate::auth::{Admin, Change};
use crate::problem::Problem;

pub(super) fn role(word: &str) -> Result<Role, Problem> {
    Role::of_word(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|r| r.word()).collect();
        Problem::invalid("this is no role", format!("roles: {}", known.join(", ")))
    })
}

fn said(message: String) -> Json<DoneView> {
    Json(DoneView { message, incident: None, run: None, ack: None })
}

/// Who may come in, and by what they prove it
#[utoipa::path(get, path = "/api/v1/people", tag = "people", security(("person" = ["admin"])),
    responses((status = 200, description = "Everybody", body = PeoplePage), Failures))]
pub(super) async fn list(admin: Admin) -> Answer<PeoplePage> {
    let people = admin.people()?.into_iter().map(|k| {
        let account = k.account.as_ref();
        let invite = account.and_then(|a| a.invite.as_ref()).map(|i| stanch_model::Timestamp(i.until));
        let proofs = [
            ("token", k.token),
            ("password", account.is_some_and(|a| a.password.is_some())),
            ("provider", account.is_some_and(|a| a.provider.is_some())),
        ];
        KnownPersonView {
            role: k.role.word().to_owned(),
            teams: k.teams.iter().cloned().collect(),
            configured: k.written,
            proofs: proofs.iter().filter(|p| p.1).map(|p| p.0.to_owned()).collect(),
            disabled: account.is_some_and(|a| a.disabled),
            invited_until: invite.map(time),
            sessions: k.sessions,
            tokens: k.tokens,
            name: k.name,
        }
    });
    Ok(Json(PeoplePage { people: people.collect() }))
}

/// Make an account
///
/// For somebody whom `policies/people.yaml` does not name. Make a link for them next.
#[utoipa::path(post, path = "/api/v1/people", tag = "people", security(("person" = ["admin"])),
    request_body(content = AddPersonRequest, example = json!({ "name": "maria", "role": "analyst", "teams": ["secops"] })),
    responses((status = 200, description = "Made", body = DoneView),
        (status = 409, description = "There is one of this name", body = ErrorBody), Failures))]
pub(super) async fn add(admin: Admin, Body(asked): Body<AddPersonRequest>) -> Answer<DoneView> {
    let teams: BTreeSet<String> = asked.teams.into_iter().collect();
    admin.add_person(&asked.name, role(&asked.role)?, teams).await?;
    Ok(said(format!("{} has an account", asked.name)))
}

/// Change what somebody may do, shut their account, or open it again
///
/// Shutting ends every session and every token of theirs at once. Nobody changes their own account.
#[utoipa::path(post, path = "/api/v1/people/{person}/change", tag = "people", security(("person" = ["admin"])),
    params(("person" = String, Path, description = "Whom")),
    request_body(content = ChangePersonRequest, example = json!({ "role": "viewer" })),
    responses((status = 200, description = "Done", body = DoneView), Failures))]
pub(super) async fn change(
    admin: Admin,
    Named(name): Named<String>,
    Body(asked): Body<ChangePersonRequest>,
) -> Answer<DoneView> {
    if asked.role.is_none() && asked.teams.is_none() && asked.disabled.is_none() {
        return Err(Problem::invalid("nothing is to be changed", "send `role`, `teams` or `disabled`"));
    }
    let change = Change {
        role: asked.role.as_deref().map(role).transpose()?,
        teams: asked.teams.map(|t| t.into_iter().collect()),
        disabled: asked.disabled,
    };
    admin.change_person(&name, change).await?;
    Ok(said("the account was changed".to_owned()))
}

/// Make a link with which somebody sets their password, once
///
/// The one before is worth nothing from then on. The link holds for 24 hours and is shown only here.
#[utoipa::path(post, path = "/api/v1/people/{person}/invite", tag = "people", security(("person" = ["admin"])),
    params(("person" = String, Path, description = "For whom")),
    responses((status = 200, description = "The link", body = InviteView),
        (status = 409, description = "The account is shut", body = ErrorBody), Failures))]
pub(super) async fn invite(admin: Admin, Named(name): Named<String>) -> Answer<InviteView> {
    let (secret, until) = admin.invite(&name).await?;
    Ok(Json(InviteView { path: format!("/welcome#{secret}"), until: time(until), name }))
}

/// End every session of somebody
#[utoipa::path(post, path = "/api/v1/people/{person}/sign-out", tag = "people", security(("person" = ["admin"])),
    params(("person" = String, Path, description = "Whose")),
    responses((status = 200, description = "Ended", body = DoneView), Failures))]
pub(super) async fn sign_out(admin: Admin, Named(name): Named<String>) -> Answer<DoneView> {
    let ended = admin.end_sessions(&name).await?;
    Ok(said(format!("{ended} sessions ended")))
}
