//! Filters of the queue that people keep, and what a filter can read.

use std::collections::BTreeMap;

use axum::Json;
use stanch_core::expr::FUNCTIONS;
use stanch_core::filter::{self, OWN};

use super::types::{DoneView, FilterField, FilterPage, FilterRequest, FilterView};
use super::{Answer, Failures, done};
use crate::api::extract::Body;
use crate::auth::Viewer;

fn fields() -> Vec<FilterField> {
    let about: BTreeMap<&str, &str> = OWN.iter().copied().collect();
    let words = filter::words();
    let field = |(name, kind): (String, stanch_core::expr::Kind)| FilterField {
        kind: kind.to_string(),
        about: about.get(name.as_str()).copied().unwrap_or_default().to_owned(),
        words: words
            .get(&format!("incident.{name}"))
            .into_iter()
            .flatten()
            .map(|w| (*w).to_owned())
            .collect(),
        name,
    };
    filter::kinds().into_iter().map(field).collect()
}

/// The filters you keep, and what a filter can read
#[utoipa::path(get, path = "/api/v1/queue/filters", tag = "incidents", security(("person" = ["viewer"])),
    operation_id = "list_filters",
    responses((status = 200, description = "All of yours", body = FilterPage), Failures))]
pub(super) async fn list(viewer: Viewer) -> Json<FilterPage> {
    let filters = viewer.books().read(|s| {
        let own = s.filters.get(&viewer.who().name).into_iter().flatten();
        own.map(|(name, search)| FilterView { name: name.clone(), search: search.clone() }).collect()
    });
    let functions = FUNCTIONS.iter().map(|f| (*f).to_owned()).collect();
    Json(FilterPage { filters, fields: fields(), functions })
}

/// Keep a filter for yourself, or give it up
#[utoipa::path(post, path = "/api/v1/queue/filters", tag = "incidents", security(("person" = ["viewer"])),
    operation_id = "keep_filter",
    request_body(content = FilterRequest, example = json!({ "name": "mine, severe", "search": "owner=me&severity=critical" })),
    responses((status = 200, description = "Done", body = DoneView), Failures))]
pub(super) async fn keep(viewer: Viewer, Body(asked): Body<FilterRequest>) -> Answer<DoneView> {
    Ok(done(viewer.keep_filter(asked.name, asked.search).await?))
}
