//! Two replays of one journal, and what is different: incidents gained, lost, joined and taken
//! apart; who is woken; what is changed; how many minutes of people it saves.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stanch_core::journal::event::RunEnd;
use stanch_core::journal::incident::{Incident, MarkKind};
use stanch_core::journal::state::Disposition;
use stanch_core::story;
use stanch_model::{IncidentId, Timestamp};

use super::{Origin, Replayed};

/// One replay in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// SHA-256 over every fact of the replay.
    pub digest: String,
    /// Records taken in.
    pub records: u64,
    /// Alerts made of them.
    pub alerts: u64,
    /// Of them kept quiet.
    pub suppressed: u64,
    /// Records that could not be read.
    pub quarantined: u64,
    /// Incidents, parts of others not counted.
    pub incidents: u64,
    /// Notices that wake somebody.
    pub pages: u64,
    /// All notices.
    pub notices: u64,
    /// Questions put to people about changes.
    pub questions: u64,
    /// Changes that would have been made without asking.
    pub unasked_changes: u64,
    /// Look-ups that were not made then, and so have no answer now.
    pub unanswered: u64,
}

/// An incident in a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its names in the two replays: before, after. Names are the replay's own.
    pub before: Vec<String>,
    /// After.
    pub after: Vec<String>,
    /// What it is about.
    pub title: String,
    /// Its alerts.
    pub alerts: u64,
    /// What is different, in words.
    pub what: String,
}

/// A change to the outside world that would be asked for or made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Wish {
    /// What, in words: `block 203.0.113.9`.
    pub what: String,
    /// True when a person would be asked first.
    pub asked: bool,
}

/// What is different.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// By the rules in force.
    pub before: Summary,
    /// By the others.
    pub after: Summary,
    /// Incidents that only the others make.
    pub gained: Vec<Change>,
    /// Incidents that the others miss: none of their alerts is in any incident any more.
    pub lost: Vec<Change>,
    /// Incidents that become one.
    pub merged: Vec<Change>,
    /// Incidents that fall apart.
    pub split: Vec<Change>,
    /// The same incident with another team, severity or playbook.
    pub changed: Vec<Change>,
    /// Who is woken how often: team's address, before, after. Only where it differs.
    pub pages: BTreeMap<String, (u64, u64)>,
    /// Changes only asked for or made by the rules in force.
    pub wishes_lost: Vec<Wish>,
    /// Changes only asked for or made by the others.
    pub wishes_gained: Vec<Wish>,
    /// Minutes of people saved, at the median that an incident kept somebody busy in this journal;
    /// below 0 when it costs more. None when no incident was ever resolved.
    pub minutes_saved: Option<i64>,
}

/// What makes a difference a failure, for use in front of a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Lost incidents.
    pub lost: bool,
    /// Gained incidents.
    pub gained: bool,
    /// Joined or split incidents, and changed ones.
    pub changed: bool,
    /// Anybody woken more often.
    pub pages: bool,
    /// Any difference in changes to the outside world.
    pub containment: bool,
}

impl Difference {
    /// True when nothing is different.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.before.digest == self.after.digest
    }

    /// Why the gate stays shut, in words; empty: it opens.
    #[must_use]
    pub fn stopped_by(&self, gate: Gate) -> Vec<String> {
        let mut out = Vec::new();
        let mut check = |on: bool, n: usize, what: &str| {
            if on && n > 0 {
                out.push(format!("{n} {what}"));
            }
        };
        check(gate.lost, self.lost.len(), "incidents lost");
        check(gate.gained, self.gained.len(), "incidents gained");
        let changed = self.merged.len() + self.split.len() + self.changed.len();
        check(gate.changed, changed, "incidents changed");
        let more = self.pages.values().filter(|(before, after)| after > before).count();
        check(gate.pages, more, "people or teams woken more often");
        check(
            gate.containment,
            self.wishes_lost.len() + self.wishes_gained.len(),
            "changes to the outside world different",
        );
        out
    }
}

/// Incidents by head, with where their alerts came from.
struct View<'a> {
    replayed: &'a Replayed,
    members: BTreeMap<IncidentId, BTreeSet<Origin>>,
    home: BTreeMap<Origin, IncidentId>,
}

impl<'a> View<'a> {
    fn new(replayed: &'a Replayed, since: Timestamp) -> View<'a> {
        let mut view = View { replayed, members: BTreeMap::new(), home: BTreeMap::new() };
        for (slot, origin) in replayed.state.slots.iter().zip(&replayed.origins) {
            if slot.disposition != Disposition::InIncident {
                continue;
            }
            let head = replayed.state.head_of(IncidentId(u64::from(slot.link)));
            view.home.insert(*origin, head);
            view.members.entry(head).or_default().insert(*origin);
        }
        view.members
            .retain(|id, _| replayed.state.incidents.get(id).is_some_and(|i| i.first_received >= since));
        view
    }

    fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.replayed.state.incidents.get(&id)
    }

    fn title(&self, id: IncidentId) -> String {
        self.incident(id).map(story::title).unwrap_or_default()
    }

    /// Incidents of this view that hold any of the records.
    fn holding(&self, records: &BTreeSet<Origin>) -> BTreeSet<IncidentId> {
        records.iter().filter_map(|o| self.home.get(o).copied()).collect()
    }
}

/// Says what is different between two replays of one journal, looking at incidents whose first alert
/// came in at `since` or later.
#[must_use]
pub fn compare(before: &Replayed, after: &Replayed, since: Timestamp) -> Difference {
    let (b, a) = (View::new(before, since), View::new(after, since));
    let (lost, split) = one_way(&b, &a, false);
    let (gained, merged) = one_way(&a, &b, true);
    let (old, new) = (wishes(before, since), wishes(after, since));
    let (ours, theirs) = (summary(before, since), summary(after, since));
    let minutes = busy_minutes(before);
    let fewer = b.members.len() as i64 - a.members.len() as i64;
    Difference {
        gained,
        lost,
        merged,
        split,
        changed: changed(&b, &a),
        pages: pages(before, after, since),
        wishes_lost: old.difference(&new).cloned().collect(),
        wishes_gained: new.difference(&old).cloned().collect(),
        minutes_saved: minutes.map(|m| m * fewer),
        before: ours,
        after: theirs,
    }
}

/// Incidents of `from` that have no counterpart in `to`, and those that have several.
fn one_way(from: &View<'_>, to: &View<'_>, reversed: bool) -> (Vec<Change>, Vec<Change>) {
    let (mut alone, mut several) = (Vec::new(), Vec::new());
    for (id, records) in &from.members {
        let others = to.holding(records);
        let mut change = Change {
            before: vec![id.to_string()],
            after: others.iter().map(ToString::to_string).collect(),
            title: from.title(*id),
            alerts: records.len() as u64,
            what: String::new(),
        };
        if reversed {
            std::mem::swap(&mut change.before, &mut change.after);
        }
        let (before, after) = (change.before.len(), change.after.len());
        match others.len() {
            0 => {
                change.what = if reversed { "new".into() } else { "not there any more".into() };
                alone.push(change);
            }
            1 => {}
            _ => {
                change.what = format!("{before} → {after}");
                several.push(change);
            }
        }
    }
    (alone, several)
}

/// Incidents that are one in both replays and are treated otherwise.
fn changed(before: &View<'_>, after: &View<'_>) -> Vec<Change> {
    let mut out = Vec::new();
    for (id, records) in &before.members {
        let others = after.holding(records);
        let (Some(other), 1) = (others.first(), others.len()) else { continue };
        if after.members.get(other).is_none_or(|o| before.holding(o).len() != 1) {
            continue;
        }
        let (Some(b), Some(a)) = (before.incident(*id), after.incident(*other)) else { continue };
        let mut what = Vec::new();
        let mut note = |name: &str, old: String, new: String| {
            if old != new {
                what.push(format!("{name}: {old} → {new}"));
            }
        };
        let none = || "nobody".to_owned();
        note("team", b.team.clone().unwrap_or_else(none), a.team.clone().unwrap_or_else(none));
        note("severity", format!("{:?}", b.severity()), format!("{:?}", a.severity()));
        note("kind", b.kind().to_owned(), a.kind().to_owned());
        note("playbooks", playbooks(before, b), playbooks(after, a));
        if !what.is_empty() {
            out.push(Change {
                before: vec![id.to_string()],
                after: vec![other.to_string()],
                title: before.title(*id),
                alerts: records.len() as u64,
                what: what.join("; "),
            });
        }
    }
    out
}

fn playbooks(view: &View<'_>, incident: &Incident) -> String {
    let names: BTreeSet<String> = incident
        .runs
        .iter()
        .filter_map(|r| view.replayed.state.runs.get(r))
        .map(|r| r.name.clone())
        .collect();
    if names.is_empty() { "none".into() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

fn pages(before: &Replayed, after: &Replayed, since: Timestamp) -> BTreeMap<String, (u64, u64)> {
    let mut out: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (n, replayed) in [before, after].into_iter().enumerate() {
        for told in replayed.told.iter().filter(|t| t.page && t.at >= since) {
            for to in &told.to {
                let counts = out.entry(to.clone()).or_default();
                if n == 0 { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
    }
    out.retain(|_, (before, after)| before != after);
    out
}

/// Changes asked for, and those a shadow run would have made.
fn wishes(replayed: &Replayed, since: Timestamp) -> BTreeSet<Wish> {
    let asked = replayed.state.approvals.values().filter(|a| a.approval.requested_at >= since);
    let mut out: BTreeSet<Wish> =
        asked.map(|a| Wish { what: a.approval.action.kind.words(), asked: true }).collect();
    for run in replayed.state.runs.values().filter(|r| r.started >= since) {
        if let Some((_, RunEnd::Declined, why)) = &run.ended
            && why.starts_with("rehearsal")
        {
            out.insert(Wish { what: format!("{}: {why}", run.name), asked: false });
        }
    }
    out
}

fn summary(replayed: &Replayed, since: Timestamp) -> Summary {
    let s = &replayed.state;
    let slots = || s.slots.iter().filter(|a| a.arrived >= since);
    let wishes = wishes(replayed, since);
    let told = || replayed.told.iter().filter(|t| t.at >= since);
    Summary {
        digest: replayed.digest.clone(),
        records: replayed.records,
        alerts: slots().count() as u64,
        suppressed: slots().filter(|a| a.disposition == Disposition::Suppressed).count() as u64,
        quarantined: s.quarantine.values().filter(|q| q.at >= since && !q.recovered).count() as u64,
        incidents: s
            .incidents
            .values()
            .filter(|i| i.merged_into.is_none() && i.first_received >= since)
            .count() as u64,
        pages: told().filter(|t| t.page).count() as u64,
        notices: told().count() as u64,
        questions: wishes.iter().filter(|w| w.asked).count() as u64,
        unasked_changes: wishes.iter().filter(|w| !w.asked).count() as u64,
        unanswered: replayed.unanswered,
    }
}

/// The median time from acknowledging to resolving, in minutes.
fn busy_minutes(replayed: &Replayed) -> Option<i64> {
    let mut all: Vec<i64> = replayed
        .state
        .incidents
        .values()
        .filter_map(|i| {
            let at = |kind: MarkKind| i.marks.iter().find(|m| m.what == kind).map(|m| m.at);
            let (from, to) = (at(MarkKind::Acknowledged)?, at(MarkKind::Resolved)?);
            Some(to.since(from).0.max(0) / 60_000)
        })
        .collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}
