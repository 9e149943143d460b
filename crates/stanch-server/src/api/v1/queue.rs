//! The queue: incidents in the order of work, with what one needs to choose the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::Json;
use stanch_core::filter::{Beside, Filter};
use stanch_core::journal::{Incident, State, Status};
use stanch_core::measure::{self, Phases, Waiting};
use stanch_core::story;
use stanch_model::{IncidentId, Timestamp};

use super::clock::word;
use super::incidents::{summary, wanted, word as status_word};
use super::types::{ClockCell, Facet, QueueFilter, QueuePage, QueuePart, QueueQuery, QueueRow, Undecided};
use super::{Answer, Failures};
use crate::api::extract::{Query, limit, time};
use crate::auth::Viewer;
use crate::books::Books;
use crate::problem::Problem;

/// Stages of the response that a row shows.
const CELLS: [&str; 5] = ["triage", "enrich", "escalate", "investigate", "contain"];
/// Entities a row names.
const ENTITIES: usize = 3;
/// The longest search text, in characters.
const LONGEST: usize = 200;
/// A filter that takes longer over all incidents is refused.
const LONGEST_FILTER: Duration = Duration::from_secs(3);
/// Values listed of each facet.
const VALUES: usize = 20;

/// What is asked for, read.
pub(super) struct Wanted {
    status: Option<&'static [Status]>,
    severity: Vec<String>,
    team: Option<String>,
    owner: Option<String>,
    kind: Option<String>,
    waiting: bool,
    words: Vec<String>,
    filter: Option<Filter>,
}

impl Wanted {
    pub(super) fn read(asked: &QueueFilter, me: &str) -> Result<Wanted, Problem> {
        let status = match asked.status.as_deref() {
            Some("all") => None,
            Some(word) => Some(wanted(word)?),
            None => Some(wanted("open")?),
        };
        let text = asked.q.as_deref().unwrap_or_default();
        if text.chars().count() > LONGEST {
            let message = format!("`q` is longer than {LONGEST} characters");
            return Err(Problem::invalid(message, "search for fewer words"));
        }
        let list = asked.severity.as_deref().unwrap_or_default().split(',');
        Ok(Wanted {
            status,
            severity: list.map(|s| s.trim().to_lowercase()).filter(|s| !s.is_empty()).collect(),
            team: asked.team.clone(),
            owner: asked.owner.as_ref().map(|o| if o == "me" { me.to_owned() } else { o.clone() }),
            kind: asked.kind.clone(),
            waiting: asked.waiting.unwrap_or(false),
            words: text.split_whitespace().map(str::to_lowercase).collect(),
            filter: asked.filter.as_deref().filter(|w| !w.trim().is_empty()).map(filter).transpose()?,
        })
    }

    fn keeps(&self, i: &Incident, waits: bool) -> bool {
        let owner = i.acknowledged_by.as_deref();
        let taken = |wanted: &str| if wanted == "none" { owner.is_none() } else { owner == Some(wanted) };
        let severity = || i.severity().word().to_lowercase();
        (!self.waiting || waits)
            && (self.severity.is_empty() || self.severity.contains(&severity()))
            && self.team.as_ref().is_none_or(|t| i.team.as_deref().unwrap_or_default() == t)
            && self.owner.as_deref().is_none_or(taken)
            && self.kind.as_ref().is_none_or(|k| i.kind() == k)
            && (self.words.is_empty() || self.finds(i))
    }

    fn finds(&self, i: &Incident) -> bool {
        let mut text = format!("{} {} {}", i.id, story::title(i), i.site).to_lowercase();
        text.push_str(i.team.as_deref().unwrap_or_default());
        let all = |w: &String| text.contains(w) || i.entities.keys().any(|e| e.to_lowercase().contains(w));
        self.words.iter().all(all)
    }
}

/// What waits for a yes or no: names, and when the first expires.
#[derive(Default)]
struct Waits {
    names: Vec<String>,
    first: Option<Timestamp>,
}

fn waits(s: &State, now: Timestamp) -> BTreeMap<IncidentId, Waits> {
    let mut all: BTreeMap<IncidentId, Waits> = BTreeMap::new();
    let open = s.approvals.values().filter(|a| a.settled.is_none() && now < a.approval.expires_at);
    for a in open {
        let w = all.entry(s.head_of(a.approval.incident)).or_default();
        w.names.push(a.approval.id.to_string());
        w.first = Some(w.first.map_or(a.approval.expires_at, |f| f.min(a.approval.expires_at)));
    }
    all
}

fn live(s: &State) -> BTreeMap<IncidentId, usize> {
    let mut all: BTreeMap<IncidentId, usize> = BTreeMap::new();
    for a in s.live_actions() {
        *all.entry(s.head_of(a.action.incident)).or_default() += 1;
    }
    all
}

/// The order: what waits for a person's yes first, then what nobody has taken, then harm, then how
/// sure we are; of equals the newest, and in the end the name, so that nothing flickers.
fn order(i: &Incident, waits: bool) -> impl Ord + use<> {
    let sure = (i.confidence() * 1_000.0) as u32;
    let free = i.status == Status::Triggered;
    let over = i.status == Status::Resolved;
    (over, Reverse(waits), Reverse(free), Reverse(i.severity().rank()), Reverse(sure), Reverse(i.id))
}

fn sort(
    found: &mut [&Incident],
    by: Option<&str>,
    waits: &BTreeMap<IncidentId, Waits>,
) -> Result<(), Problem> {
    match by.unwrap_or("priority") {
        "priority" => found.sort_by_cached_key(|i| order(i, waits.contains_key(&i.id))),
        "newest" => found.sort_by_key(|i| Reverse(i.id)),
        "oldest" => found.sort_by_key(|i| i.id),
        "activity" => found.sort_by_key(|i| (Reverse(i.marks.last().map(|m| m.at)), Reverse(i.id))),
        _ => {
            return Err(Problem::invalid(
                "there is no such order",
                "write priority, newest, oldest or activity",
            ));
        }
    }
    Ok(())
}

fn facets(all: &[&Incident]) -> Vec<Facet> {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for i in all {
        let values = [
            ("kind", i.kind().to_owned()),
            ("owner", i.acknowledged_by.clone().unwrap_or_default()),
            ("severity", i.severity().word().to_owned()),
            ("status", status_word(i.status).to_owned()),
            ("team", i.team.clone().unwrap_or_default()),
        ];
        for (field, value) in values {
            *counts.entry((field, value)).or_default() += 1;
        }
    }
    let mut all: Vec<Facet> =
        counts.into_iter().map(|((f, value), count)| Facet { field: f.to_owned(), value, count }).collect();
    all.sort_by(|a, b| a.field.cmp(&b.field).then(b.count.cmp(&a.count)).then(a.value.cmp(&b.value)));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    all.retain(|f| {
        let n = seen.entry(f.field.clone()).or_default();
        *n += 1;
        *n <= VALUES
    });
    all
}

fn cells(phases: &Phases) -> Vec<ClockCell> {
    let shown = phases.list().into_iter().filter(|(name, _)| CELLS.contains(name));
    let cell = |(name, after): (&str, Option<stanch_model::Span>)| ClockCell {
        phase: name.to_owned(),
        after_ms: after.map(|s| s.0),
        after: after.map(|s| s.to_string()),
    };
    shown.map(cell).collect()
}

/// Who is waited for now, and since when: stretches of one party that meet count as one.
fn waiting_now(i: &Incident, now: Timestamp) -> Option<(Waiting, Timestamp)> {
    if i.status == Status::Resolved {
        return None;
    }
    let all = measure::segments(i, now);
    let on = all.last()?.on;
    all.iter().rev().take_while(|s| s.on == on).last().map(|s| (on, s.from))
}

fn row(s: &State, i: &Incident, waits: Option<&Waits>, live_blocks: usize, now: Timestamp) -> QueueRow {
    let mut entities: Vec<(&String, u32)> =
        i.entities.iter().map(|(e, p)| (e, p.acted + p.suffered)).collect();
    entities.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let waiting = waiting_now(i, now);
    let sources: BTreeSet<&str> = i.alerts.iter().map(|a| a.source.as_str()).collect();
    QueueRow {
        summary: summary(s, i),
        clock: cells(&measure::clock(i, now).phases),
        waiting_on: waiting.map(|(on, _)| word(on)),
        waiting_since: waiting.map(|(_, since)| time(since)),
        approvals: waits.map(|w| w.names.clone()).unwrap_or_default(),
        expires_at: waits.and_then(|w| w.first).map(time),
        live_blocks,
        entities: entities.into_iter().take(ENTITIES).map(|(e, _)| story::name_of(i, e)).collect(),
        entities_total: i.entities.len(),
        sources: sources.len(),
    }
}

/// A filter, read; what is wrong with it is told with its place.
fn filter(text: &str) -> Result<Filter, Problem> {
    Filter::read(text).map_err(|e| {
        let at = if e.column > 0 { format!(" (column {})", e.column) } else { String::new() };
        let mend = "it is CEL over `incident`, as in playbooks; GET /api/v1/queue/filters lists the fields";
        Problem::invalid(format!("`where`: {}{at}", e.message), mend)
    })
}

/// What passed a filter, and those for which it had no value.
pub(super) struct Kept {
    ids: BTreeSet<IncidentId>,
    undecided: Option<Undecided>,
}

/// Evaluates a filter over all that is asked for otherwise. The values are read from the state in one
/// look; the filter is evaluated afterwards, so that nobody waits for it. Blocks.
pub(super) fn kept(books: &Books, wanted: &Wanted) -> Result<Option<Kept>, Problem> {
    let Some(filter) = &wanted.filter else { return Ok(None) };
    let now = books.now();
    let values: Vec<(IncidentId, serde_json::Value)> = books.read(|s| {
        let (waits, live) = (waits(s, now), live(s));
        let beside = |id: &IncidentId| Beside {
            waiting: waits.contains_key(id),
            live_changes: live.get(id).copied().unwrap_or(0),
        };
        let asked = wanted.all(s).into_iter().filter(|i| wanted.keeps(i, waits.contains_key(&i.id)));
        asked.map(|i| (i.id, filter.values(s, i, beside(&i.id), now))).collect()
    });
    let begun = Instant::now();
    let (all, mut kept) = (values.len(), Kept { ids: BTreeSet::new(), undecided: None });
    for (n, (id, values)) in values.into_iter().enumerate() {
        if n % 256 == 0 && begun.elapsed() > LONGEST_FILTER {
            let message = format!("the filter is too costly for {all} incidents");
            return Err(Problem::invalid(message, "ask for one status, team or severity beside it"));
        }
        match filter.holds(values) {
            Ok(true) => drop(kept.ids.insert(id)),
            Ok(false) => {}
            Err(e) => {
                let first = || Undecided { count: 0, first: id.to_string(), why: e.to_string() };
                kept.undecided.get_or_insert_with(first).count += 1;
            }
        }
    }
    Ok(Some(kept))
}

/// All that is asked for, in the order asked for. Blocks.
pub(super) fn matching(books: &Books, asked: &QueueFilter, me: &str) -> Result<Vec<IncidentId>, Problem> {
    let wanted = Wanted::read(asked, me)?;
    let kept = kept(books, &wanted)?;
    if let Some(u) = kept.as_ref().and_then(|k| k.undecided.as_ref()) {
        let message =
            format!("the filter has no value for {} of the incidents: {}: {}", u.count, u.first, u.why);
        return Err(Problem::invalid(message, "mend the filter first: it cannot be told which are meant"));
    }
    let now = books.now();
    books.read(|s| {
        let waits = waits(s, now);
        let found = wanted.found(s, &waits, kept.as_ref(), asked.sort.as_deref())?;
        Ok(found.iter().map(|i| i.id).collect())
    })
}

impl Wanted {
    /// All incidents of the status asked for.
    fn all<'s>(&self, s: &'s State) -> Vec<&'s Incident> {
        let heads = s.incidents.values().filter(|i| i.merged_into.is_none() && !i.is_taken_away());
        heads.filter(|i| self.status.is_none_or(|all| all.contains(&i.status))).collect()
    }

    fn found<'s>(
        &self,
        s: &'s State,
        waits: &BTreeMap<IncidentId, Waits>,
        kept: Option<&Kept>,
        by: Option<&str>,
    ) -> Result<Vec<&'s Incident>, Problem> {
        let mut found = self.all(s);
        found.retain(|i| {
            kept.is_none_or(|k| k.ids.contains(&i.id)) && self.keeps(i, waits.contains_key(&i.id))
        });
        sort(&mut found, by, waits)?;
        Ok(found)
    }
}

/// All that is asked for, as rows, and how many there are. Blocks.
pub(super) fn rows(
    books: &Books,
    asked: &QueueFilter,
    me: &str,
    most: usize,
) -> Result<(Vec<QueueRow>, usize), Problem> {
    let wanted = Wanted::read(asked, me)?;
    let kept = kept(books, &wanted)?;
    let now = books.now();
    books.read(|s| {
        let (waits, live) = (waits(s, now), live(s));
        let found = wanted.found(s, &waits, kept.as_ref(), asked.sort.as_deref())?;
        let one = |i: &&Incident| row(s, i, waits.get(&i.id), live.get(&i.id).copied().unwrap_or(0), now);
        Ok((found.iter().take(most).map(one).collect(), found.len()))
    })
}

/// What is asked for, in words for a report.
pub(super) fn words_of(asked: &QueueFilter) -> String {
    let said = [
        ("status", &asked.status),
        ("severity", &asked.severity),
        ("team", &asked.team),
        ("owner", &asked.owner),
        ("kind", &asked.kind),
        ("words", &asked.q),
        ("where", &asked.filter),
        ("order", &asked.sort),
    ];
    let mut words: Vec<String> =
        said.iter().filter_map(|(name, value)| value.as_ref().map(|v| format!("{name} {v}"))).collect();
    if asked.waiting == Some(true) {
        words.push("waiting for a yes or no".to_owned());
    }
    words.join(", ")
}

fn page(books: &Books, asked: &QueueQuery, me: &str) -> Result<QueuePage, Problem> {
    let (most, offset) = (limit(asked.limit)?, asked.offset.unwrap_or(0));
    let wanted = Wanted::read(&asked.filter, me)?;
    let kept = kept(books, &wanted)?;
    let now = books.now();
    books.read(|s| {
        let (waits, live) = (waits(s, now), live(s));
        let found = wanted.found(s, &waits, kept.as_ref(), asked.filter.sort.as_deref())?;
        let of_status = wanted.all(s);
        let rows = found.iter().skip(offset).take(most);
        let one = |i: &&Incident| row(s, i, waits.get(&i.id), live.get(&i.id).copied().unwrap_or(0), now);
        Ok(QueuePage {
            rows: rows.map(one).collect(),
            total: found.len(),
            unfiltered: of_status.len(),
            facets: facets(&of_status),
            undecided: kept.and_then(|k| k.undecided),
            seq: s.seq,
        })
    })
}

/// Incidents in the order of work
#[utoipa::path(get, path = "/api/v1/queue", tag = "incidents", security(("person" = ["viewer"])), params(QueueFilter, QueuePart),
    responses((status = 200, description = "A page", body = QueuePage), Failures))]
pub(super) async fn queue(viewer: Viewer, Query(asked): Query<QueueQuery>) -> Answer<QueuePage> {
    let me = viewer.who().name.clone();
    viewer.look(move |books| page(books, &asked, &me)).await.map(Json)
}
