//! Writing playbooks: judge a text as it is typed, try it out, put it in force.

use std::time::Instant;

use axum::Json;
use stanch_core::config::is_name;
use stanch_core::playbook::diff::diff;
use stanch_core::playbook::graph::graph;
use stanch_core::playbook::{Playbook, Trigger, schema as shape};
use stanch_model::{AlertId, IncidentId};
use tokio::sync::Semaphore;

use super::types::{
    DifferenceView, ErrorBody, PlanArrow, PlanNode, PlaybookCheck, PlaybookSave, PlaybookSaved, PlaybookText,
    RehearsalFailing, RehearsalLine, RehearsalRequest, RehearsalView,
};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, named};
use crate::auth::{Analyst, Author, Viewer};
use crate::books::{Books, Place};
use crate::problem::{Problem, mistake_view};
use crate::rehearse::{Alerts, Rehearsal, Report};
use crate::{config_dir, rehearse as stage, workshop};

/// The longest text, in bytes; the whole request has to fit into a body.
const LONGEST: usize = 60 * 1024;
/// Records of an incident that a rehearsal begins with.
const RECORDS: usize = 200;

/// One rehearsal at a time: each is some hundred plays of the plan.
static STAGE: Semaphore = Semaphore::const_new(1);

fn sized(text: &str) -> Result<(), Problem> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    let message = format!("`text` is longer than {LONGEST} bytes");
    Err(Problem::invalid(message, "split the plan: one playbook can call another"))
}

fn proper(name: String) -> Result<String, Problem> {
    if is_name(&name) {
        return Ok(name);
    }
    let mend = "use small letters, digits, - and _; at most 63; begin with a letter or a digit";
    Err(Problem::invalid("this is no name of a playbook", mend))
}

fn nodes(p: &Playbook) -> (Vec<PlanNode>, Vec<PlanArrow>) {
    let (nodes, edges) = graph(p);
    let node = |n: stanch_core::playbook::graph::Node| PlanNode {
        line: if n.kind.is_empty() { 0 } else { p.places.of(&n.id, "").0 },
        id: n.id,
        kind: n.kind,
        words: n.words,
        changes: n.changes,
    };
    let arrow = |e: stanch_core::playbook::graph::Edge| PlanArrow { from: e.from, to: e.to, label: e.label };
    (nodes.into_iter().map(node).collect(), edges.into_iter().map(arrow).collect())
}

fn checked(books: &Books, name: &str, text: &str) -> Result<PlaybookCheck, Problem> {
    let folder = books.folder().ok_or_else(Problem::read_only)?;
    let files = config_dir::texts(folder).map_err(|m| Problem::configuration(&m))?;
    let judged = workshop::judge(files, name, text);
    let config = books.config();
    let in_force = config.iter().flat_map(|c| &c.playbooks).find(|p| p.name == name);
    let (nodes, arrows) = judged.playbook.as_ref().map(nodes).unwrap_or_default();
    let differences = match (in_force, &judged.playbook) {
        (Some(old), Some(new)) => diff(old, new),
        (None, _) | (_, None) => Vec::new(),
    };
    let view = |d: stanch_core::playbook::diff::Difference| DifferenceView {
        step: d.step,
        words: d.words,
        widens: d.widens,
    };
    Ok(PlaybookCheck {
        ok: judged.ok(),
        hash: workshop::hex_digest(text.as_bytes()),
        mistakes: judged.mistakes.iter().map(mistake_view).collect(),
        nodes,
        arrows,
        differences: differences.into_iter().map(view).collect(),
        in_force: in_force.map(|p| p.hash.clone()),
    })
}

/// Judge the text of a playbook
///
/// Exactly as a reload would, beside all other files; nothing is changed. With it come the picture of
/// the plan and what it does otherwise than the version in force.
#[utoipa::path(post, path = "/api/v1/playbooks/{name}/check", tag = "playbooks", security(("person" = ["analyst"])),
    params(("name" = String, Path, description = "For example c2-beacon")),
    request_body(content = PlaybookText, example = json!({ "text": "name: c2-beacon\nsummary: x\n" })),
    responses((status = 200, description = "What is wrong with it, if anything", body = PlaybookCheck),
        (status = 422, description = "The folder has mistakes elsewhere", body = ErrorBody), Failures))]
pub(super) async fn check(
    analyst: Analyst,
    Named(name): Named<String>,
    Body(asked): Body<PlaybookText>,
) -> Answer<PlaybookCheck> {
    let name = proper(name)?;
    sized(&asked.text)?;
    analyst.look(move |books| checked(books, &name, &asked.text)).await.map(Json)
}

/// The records of an incident as they were received, and their format. Blocks.
fn evidence(books: &Books, id: IncidentId) -> Result<(String, Vec<u8>), Problem> {
    let config = books.config().ok_or_else(Problem::read_only)?;
    let (source, places) = books
        .read(|s| {
            let i = s.incidents.get(&id)?;
            let source = i.alerts.first().map(|a| a.source.to_string())?;
            let ids: Vec<AlertId> = i.alert_ids().take(RECORDS * 4).collect();
            let of_it = |a: &AlertId| s.slot(*a).map(|slot| (Place::of(*a, slot), slot.source));
            let first = ids.iter().find_map(|a| of_it(a).map(|(_, n)| n))?;
            let all = ids.iter().filter_map(of_it).filter(|(_, n)| *n == first);
            Some((source, all.map(|(p, _)| p).take(RECORDS).collect::<Vec<_>>()))
        })
        .ok_or_else(|| Problem::not_found(format!("there is no {id} with evidence"), "choose another"))?;
    let format = config.sources.values().find(|s| s.name == source).map(|s| s.format.clone());
    let format = format.filter(|f| f != "generic").ok_or_else(|| {
        let message = format!("records of {source} cannot be read again for a rehearsal");
        Problem::invalid(message, "give a record with `event` and `format`")
    })?;
    let mut body = Vec::new();
    for (_, _, raw) in books.evidence(&places)? {
        body.extend_from_slice(&raw);
        body.push(b'\n');
    }
    Ok((format, body))
}

fn rehearsed(books: &Books, name: String, asked: RehearsalRequest) -> Result<RehearsalView, Problem> {
    let folder = books.folder().ok_or_else(Problem::read_only)?.to_owned();
    let incident: Option<IncidentId> = named(asked.incident.as_ref())?;
    let alerts = match (incident, asked.event) {
        (Some(id), _) => Some(evidence(books, id)?),
        (None, Some(event)) => {
            Some((asked.format.unwrap_or_else(|| "suricata".to_owned()), event.into_bytes()))
        }
        (None, None) => None,
    };
    let plan = stanch_core::playbook::load::load(&name, &workshop::place(&name), &asked.text)
        .map_err(|m| Problem::configuration(&m))?;
    if matches!(plan.trigger, Trigger::Incident(_)) && alerts.is_none() {
        let message = "this playbook is about an incident: a rehearsal needs one to begin with";
        return Err(Problem::invalid(message, "name an incident whose evidence is played, or give a record"));
    }
    let begun = Instant::now();
    let now = books.now();
    let asked = Rehearsal {
        config_dir: Some(folder),
        playbook: (name, asked.text),
        alerts: alerts.map(|(format, body)| Alerts { format, mapping: None, body }).into_iter().collect(),
        incident: None,
        inputs: asked.inputs,
        answers: asked.answers,
        now,
    };
    let report = stage::rehearse(&asked)
        .map_err(|why| Problem::refused(why, "mend it, or begin with another incident"))?;
    Ok(view(report, u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

fn view(r: Report, took_ms: u64) -> RehearsalView {
    let failing = |f: &stage::Failing| RehearsalFailing {
        step: f.step.clone(),
        end: f.end.clone(),
        left: f.left.clone(),
        breaches: f.breaches.clone(),
    };
    RehearsalView {
        sound: r.sound(),
        failures: r.failures.iter().map(failing).collect(),
        end: r.plan.end,
        lines: r
            .plan
            .lines
            .into_iter()
            .map(|l| RehearsalLine { after: l.after, what: l.what, text: l.text })
            .collect(),
        left: r.plan.left,
        breaches: r.plan.breaches,
        outward: r.plan.outward,
        crashes: r.crashes,
        crash_findings: r.crash_findings,
        took_ms,
    }
}

/// Try a playbook out on a world that only pretends
///
/// The whole plan, then with a crash behind every move, then with each outward step failing in turn.
/// Nothing outside is touched and nothing is written down.
#[utoipa::path(post, path = "/api/v1/playbooks/{name}/rehearse", tag = "playbooks", security(("person" = ["analyst"])),
    params(("name" = String, Path, description = "For example c2-beacon")),
    request_body(content = RehearsalRequest, example = json!({ "text": "name: c2-beacon\nsummary: Waits\non: called\nsteps:\n  - { id: cool, wait: 10m }\nsop: x\n" })),
    responses((status = 200, description = "What would happen", body = RehearsalView),
        (status = 422, description = "It cannot be played", body = ErrorBody), Failures))]
pub(super) async fn rehearse(
    analyst: Analyst,
    Named(name): Named<String>,
    Body(asked): Body<RehearsalRequest>,
) -> Answer<RehearsalView> {
    let name = proper(name)?;
    sized(&asked.text)?;
    let Ok(_one) = STAGE.try_acquire() else {
        return Err(Problem::busy("another rehearsal is under way"));
    };
    analyst.look(move |books| rehearsed(books, name, asked)).await.map(Json)
}

/// Save a playbook and put it in force
///
/// The whole folder is judged with it first. Refused where the folder is kept in git or may not be
/// written; then the answer says what to do instead.
#[utoipa::path(put, path = "/api/v1/playbooks/{name}", tag = "playbooks", security(("person" = ["admin"])),
    params(("name" = String, Path, description = "For example c2-beacon")),
    request_body(content = PlaybookSave, example = json!({ "text": "name: c2-beacon\nsummary: x\n", "base": "" })),
    responses((status = 200, description = "In force", body = PlaybookSaved),
        (status = 409, description = "It was changed by somebody else meanwhile", body = ErrorBody),
        (status = 422, description = "Refused, with all mistakes", body = ErrorBody), Failures))]
pub(super) async fn save(
    author: Author,
    Named(name): Named<String>,
    Body(asked): Body<PlaybookSave>,
) -> Answer<PlaybookSaved> {
    let name = proper(name)?;
    sized(&asked.text)?;
    let hash = workshop::hex_digest(asked.text.as_bytes());
    let saved = workshop::save(author.running()?, &name, asked.text, &asked.base, &author.who().name).await?;
    Ok(Json(PlaybookSaved {
        message: format!("{name} is in force; runs under way go on with the version they began with"),
        hash,
        config_hash: saved.hash,
        warnings: saved.warnings.iter().map(mistake_view).collect(),
    }))
}

/// The shape of a playbook, for editors
///
/// A JSON Schema, draft 2020-12; `stanch playbook schema` prints the same.
#[utoipa::path(get, path = "/api/v1/playbook-schema", tag = "playbooks", security(("person" = ["viewer"])),
    responses((status = 200, description = "The schema", body = Object), Failures))]
pub(super) async fn schema(_viewer: Viewer) -> Json<serde_json::Value> {
    Json(shape::schema())
}
