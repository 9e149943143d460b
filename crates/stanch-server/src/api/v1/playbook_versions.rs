//! Versions of a playbook: the one in force, those that runs are pinned to, those that were replaced, and what
//! the one in force does otherwise.

use std::collections::BTreeMap;

use axum::Json;
use stanch_core::journal::State;
use stanch_core::playbook::Playbook;
use stanch_core::playbook::diff::diff;
use stanch_core::playbook::load::load;
use stanch_model::{RunId, Timestamp};

use super::types::{DifferenceView, PlaybookVersion, PlaybookVersions};
use super::{Answer, Failures};
use crate::api::extract::{Named, time};
use crate::auth::Viewer;
use crate::books::Books;
use crate::problem::Problem;
use crate::{versions, workshop};

/// Runs named with a version.
const RUNS: usize = 10;

/// One version, before it is compared.
struct Version {
    source: String,
    runs: Vec<RunId>,
    /// When it was last of use: a run began by it, or it was replaced.
    last: Timestamp,
    replaced: Option<Timestamp>,
}

impl Version {
    fn new(source: &str) -> Version {
        Version { source: source.to_owned(), runs: Vec::new(), last: Timestamp(0), replaced: None }
    }
}

/// What runs of this playbook were pinned to, by digest.
fn pinned(s: &State, name: &str) -> BTreeMap<String, Version> {
    let mut all: BTreeMap<String, Version> = BTreeMap::new();
    for (id, run) in s.runs.iter().filter(|(_, r)| r.name == name) {
        let Some(playbook) = &run.playbook else { continue };
        let version = all.entry(playbook.hash.clone()).or_insert_with(|| Version::new(&playbook.source));
        version.runs.push(*id);
        version.last = version.last.max(run.started);
    }
    all
}

fn differences(name: &str, source: &str, now: &Playbook) -> Vec<DifferenceView> {
    let Ok(old) = load(name, &workshop::place(name), source) else { return Vec::new() };
    let view = |d: stanch_core::playbook::diff::Difference| DifferenceView {
        step: d.step,
        words: d.words,
        widens: d.widens,
    };
    diff(&old, now).into_iter().map(view).collect()
}

fn all(books: &Books, name: &str) -> Result<PlaybookVersions, Problem> {
    let config = books.config();
    let missing = || Problem::not_found("there is no such playbook", "list them with GET /api/v1/playbooks");
    let now = config.iter().flat_map(|c| &c.playbooks).find(|p| p.name == name).ok_or_else(missing)?;
    let mut found = books.read(|s| pinned(s, name));
    for former in versions::kept(books.data_dir(), name) {
        let digest = workshop::hex_digest(former.text.as_bytes());
        let version = found.entry(digest).or_insert_with(|| Version::new(&former.text));
        version.replaced = Some(former.replaced);
        version.last = version.last.max(former.replaced);
    }
    found.entry(now.hash.clone()).or_insert_with(|| Version::new(&now.source));
    let mut found: Vec<(String, Version)> = found.into_iter().collect();
    // The one in force first, then what was of use last; the digest breaks ties.
    found.sort_by(|a, b| {
        let key =
            |(hash, v): &(String, Version)| (*hash != now.hash, std::cmp::Reverse(v.last), hash.clone());
        key(a).cmp(&key(b))
    });
    found.truncate(versions::MOST + 1);
    let view = |(hash, v): (String, Version)| {
        let in_force = hash == now.hash;
        PlaybookVersion {
            differences: if in_force { Vec::new() } else { differences(name, &v.source, now) },
            replaced: v.replaced.filter(|_| !in_force).map(time),
            run_count: v.runs.len(),
            runs: v.runs.iter().rev().take(RUNS).map(ToString::to_string).collect(),
            source: v.source,
            in_force,
            hash,
        }
    };
    Ok(PlaybookVersions { versions: found.into_iter().map(view).collect() })
}

/// Versions of a playbook
///
/// The one in force first, then those that runs are pinned to and those that were replaced by saving, newest
/// first, at most 21. With each comes what the version in force does otherwise.
#[utoipa::path(get, path = "/api/v1/playbooks/{name}/versions", tag = "playbooks", security(("person" = ["viewer"])),
    params(("name" = String, Path, description = "For example c2-beacon")),
    responses((status = 200, description = "Its versions", body = PlaybookVersions), Failures))]
pub(super) async fn list(viewer: Viewer, Named(name): Named<String>) -> Answer<PlaybookVersions> {
    viewer.look(move |books| all(books, &name)).await.map(Json)
}
