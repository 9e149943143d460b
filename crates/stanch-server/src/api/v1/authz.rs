//! Who may do what, and why: asked of the very table that the routes are made of.

use std::sync::LazyLock;

use axum::Json;
use serde_json::Value;
use stanch_core::config::{May, Role};
use stanch_core::contain::approval::has_authority;
use stanch_core::contain::parties::{instead, who_may};
use stanch_engine::command::Who;
use stanch_model::ApprovalId;

use super::types::{ExplainQuery, ExplainView};
use super::{Answer, Failures};
use crate::api::extract::Query;
use crate::auth::Viewer;
use crate::problem::Problem;

/// May somebody do this? And why, or why not
///
/// About oneself, or about anybody for administrators.
#[utoipa::path(get, path = "/api/v1/authz/explain", tag = "people", security(("person" = ["viewer"])), params(ExplainQuery),
    responses((status = 200, description = "Yes or no, and why", body = ExplainView), Failures))]
pub(super) async fn explain(viewer: Viewer, Query(asked): Query<ExplainQuery>) -> Answer<ExplainView> {
    let me = viewer.who();
    let who = match asked.who.as_deref() {
        None => me.clone(),
        Some(name) if name == me.name => me.clone(),
        Some(_) if !me.role.may(May::Govern) => return Err(Problem::role(me.role.word(), "admin")),
        Some(name) => viewer.known(name)?.ok_or_else(|| {
            Problem::not_found("there is nobody of this name who may come in", "list them: stanch people")
        })?,
    };
    let method = asked.method.to_ascii_lowercase();
    let (template, least) = find(&method, &asked.path).ok_or_else(|| {
        Problem::not_found(
            "there is no such route for people",
            "see GET /api/v1/openapi.json for what there is",
        )
    })?;
    let (mut allowed, mut because) = by_role(&who, &least);
    if allowed && (template.ends_with("/approve") || template.ends_with("/deny")) {
        (allowed, because) = by_team(&viewer, &who, &asked.path, because);
    }
    let path = asked.path;
    Ok(Json(ExplainView {
        who: who.name,
        role: who.role.word().to_owned(),
        teams: who.teams.into_iter().collect(),
        asked: format!("{} {path}", method.to_uppercase()),
        route: template,
        least,
        allowed,
        because,
    }))
}

fn by_role(who: &Who, least: &[String]) -> (bool, Vec<String>) {
    let role = who.role;
    let may: Vec<&str> = May::ALL.iter().filter(|m| role.may(**m)).map(|m| m.word()).collect();
    let passes = |word: &String| Role::of_word(word).is_some_and(|least| role.covers(least));
    let allowed = least.iter().any(passes);
    let needs = least.join(" or ");
    let verdict = if allowed { "does" } else { "does not do" };
    let because = vec![
        format!("{} has the role {}, which may {}", who.name, role.word(), may.join(", ")),
        format!("this needs what {needs} may, and {} {verdict}", role.word()),
    ];
    (allowed, because)
}

/// A question is answered by its teams, too.
fn by_team(viewer: &Viewer, who: &Who, path: &str, mut because: Vec<String>) -> (bool, Vec<String>) {
    let id = path.split('/').nth(4).and_then(|p| p.parse::<ApprovalId>().ok());
    let found = id.and_then(|id| viewer.books().read(|s| s.approvals.get(&id).map(|a| a.approval.clone())));
    let Some(approval) = found else {
        because.push("which question is meant is not known, so its teams were not looked at".to_owned());
        return (true, because);
    };
    let teams = approval.teams.join(", ");
    let allowed = has_authority(&approval, who.role, &who.teams);
    let verdict = if allowed { "one of them is theirs" } else { "none of them is theirs" };
    because.push(format!("{} is answered by {teams}; {verdict}", approval.id));
    let part = approval.parties.iter().find(|p| p.person == who.name);
    match approval.no_vote_of(&who.name) {
        Some(why) if allowed && path.ends_with("/approve") => {
            let config = viewer.books().config();
            let others = config.map(|c| who_may(&c, &approval, &[])).unwrap_or_default();
            because.push(format!(
                "{} {why}, so their yes does not count; {}",
                who.name,
                instead(&others, &approval.teams)
            ));
            return (false, because);
        }
        Some(why) => because.push(format!("{} {why}: their no counts, and a yes would not", who.name)),
        None => {
            because.extend(part.map(|p| format!("{} {}, and their yes counts all the same", who.name, p.why)))
        }
    }
    (allowed, because)
}

/// The description of all routes, made once.
static ROUTES: LazyLock<Value> = LazyLock::new(|| {
    let (_, api) = super::router().into_router().split_for_parts();
    serde_json::to_value(&api).unwrap_or_default()
});

/// The route that answers, and the least roles that pass.
fn find(method: &str, path: &str) -> Option<(String, Vec<String>)> {
    let paths = ROUTES["paths"].as_object()?;
    let (template, item) =
        paths.iter().find(|(template, item)| fits(template, path) && !item[method].is_null())?;
    let security = item[method]["security"].as_array()?;
    let least = security.iter().find_map(|s| s["person"].as_array())?;
    Some((template.clone(), least.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
}

/// True when a path is one of a template: `{…}` stands for one part.
fn fits(template: &str, path: &str) -> bool {
    let (mut a, mut b) = (template.split('/'), path.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given => {}
            (Some(part), Some(given)) if part.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_route_and_what_that_needs() {
        let (route, least) = find("post", "/api/v1/approvals/APR-7/approve").unwrap();
        assert_eq!((route.as_str(), least), ("/api/v1/approvals/{id}/approve", vec!["approver".to_owned()]));
        let (_, least) = find("post", "/api/v1/admin/kill-switch").unwrap();
        assert_eq!(least, ["approver", "operator"]);
        assert!(find("delete", "/api/v1/approvals/APR-7/approve").is_none());
        assert!(find("get", "/api/v1/approvals/").is_none() && find("get", "/api/v1/x/y/z").is_none());
    }
}
