//! Facts about incidents: what is in them, who takes part, who was told.

use std::collections::BTreeMap;

use stanch_model::{IncidentId, Timestamp};

use super::event::{
    AlertsMoved, ByPerson, Escalated, IncidentOpened, IncidentsMerged, IncidentsUnmerged, Joined, PageHeld,
};
use super::incident::{Climb, Incident, Mark, MarkKind, Part, Status, Totals};
use super::state::{Disposition, State};
use crate::stage::fingerprint;

impl State {
    pub(super) fn opened(&mut self, at: Timestamp, e: &IncidentOpened) {
        self.next.incident = self.next.incident.max(e.incident.0 + 1);
        let incident = Incident {
            id: e.incident,
            site: e.site.clone(),
            opened_at: at,
            because: e.because.clone(),
            status: Status::Triggered,
            alerts: Vec::new(),
            entities: BTreeMap::new(),
            totals: Totals::default(),
            facts: BTreeMap::new(),
            missing: Vec::new(),
            first_received: at,
            span: (Timestamp(i64::MAX), Timestamp(i64::MIN)),
            team: None,
            acknowledged_by: None,
            climb: Climb::default(),
            runs: Vec::new(),
            marks: Vec::new(),
            merged_into: None,
            parts: std::collections::BTreeSet::new(),
            machines: BTreeMap::new(),
        };
        self.incidents.insert(e.incident, incident);
        self.mark(e.incident, at, MarkKind::Opened, format!("{} opened", e.incident));
    }

    pub(super) fn joined(&mut self, incident: IncidentId, j: &Joined) {
        let Some(slot) = self.slot(j.alert) else { return };
        let (arrived, judged) = (slot.arrived, slot.judged);
        self.place(j.alert, Disposition::InIncident, incident.0 as u32);
        let learnt = self.facts.remove(&j.alert);
        let Some(i) = self.incidents.get_mut(&incident) else { return };
        if i.alerts.is_empty() && !i.marks.iter().any(|m| m.what == MarkKind::Received) {
            i.first_received = arrived;
            let text = format!("{} came in from {}", j.alert, j.source);
            i.marks.push(Mark { at: arrived, what: MarkKind::Received, text });
            let text = format!("{} judged: score {:.2}", j.alert, f64::from(j.score) / 1000.0);
            i.marks.push(Mark { at: judged, what: MarkKind::Triaged, text });
        }
        i.first_received = i.first_received.min(arrived);
        i.span = (i.span.0.min(j.time), i.span.1.max(j.time));
        for (entity, acted) in fingerprint::roles(&j.ends, j.stage) {
            let part = i.entities.entry(entity.clone()).or_insert(Part {
                first: j.time,
                last: j.time,
                ..Part::default()
            });
            part.first = part.first.min(j.time);
            part.last = part.last.max(j.time);
            if acted {
                part.acted += 1
            } else {
                part.suffered += 1
            }
            let print = fingerprint::entity(&i.site, &entity);
            let of = self.by_entity.entry(print).or_default();
            if !of.contains(&incident) {
                of.push(incident);
            }
        }
        if let Some(learnt) = learnt {
            let text = format!("{} facts about {}", learnt.facts.len(), j.alert);
            i.marks.push(Mark { at: learnt.at, what: MarkKind::Enriched, text });
            for f in learnt.facts {
                i.facts.insert((f.provider.clone(), f.about.to_string()), f);
            }
            for m in learnt.missing {
                if !i.missing.contains(&m) {
                    i.missing.push(m);
                }
            }
        }
        if let Some(machine) = fingerprint::machine(&i.site, &j.ends) {
            let active = i.machines.entry(machine).or_insert_with(|| {
                let of = self.by_machine.entry(machine).or_default();
                if !of.contains(&incident) {
                    of.push(incident);
                }
                (j.time, j.time)
            });
            *active = (active.0.min(j.time), active.1.max(j.time));
        }
        i.totals.add(j);
        i.alerts.push(j.clone());
        self.touch_incident(incident);
    }

    pub(super) fn moved(&mut self, at: Timestamp, e: &AlertsMoved) {
        self.moved_by(e);
        let Some(from) = self.incidents.get_mut(&e.from) else { return };
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut from.alerts).into_iter().partition(|j| e.alerts.contains(&j.alert));
        from.alerts = kept;
        // What is left decides who still takes part: recount rather than subtract.
        let stay = std::mem::take(&mut from.alerts);
        from.entities.clear();
        from.machines.clear();
        from.totals = Totals::default();
        from.span = (Timestamp(i64::MAX), Timestamp(i64::MIN));
        for j in &stay {
            self.joined(e.from, j);
        }
        let facts = self.incidents.get(&e.from).map(|i| i.facts.clone()).unwrap_or_default();
        for j in &gone {
            self.joined(e.to, j);
        }
        if let Some(to) = self.incidents.get_mut(&e.to) {
            for (k, f) in facts {
                to.facts.entry(k).or_insert(f);
            }
        }
        self.apart.insert((e.from.min(e.to), e.from.max(e.to)));
        let text = format!("{} alerts moved from {} to {} by {}", gone.len(), e.from, e.to, e.by);
        self.mark(e.from, at, MarkKind::Noted, text.clone());
        self.mark(e.to, at, MarkKind::Noted, text);
    }

    pub(super) fn merged_incidents(&mut self, at: Timestamp, e: &IncidentsMerged) {
        self.merged_by(e);
        if let Some(from) = self.incidents.get_mut(&e.from) {
            from.merged_into = Some(e.into);
            from.climb.next = None;
        }
        if let Some(into) = self.incidents.get_mut(&e.into) {
            into.parts.insert(e.from);
        }
        let text = format!("{} merged into {} by {}: {}", e.from, e.into, e.by, e.because);
        self.mark(e.into, at, MarkKind::Merged, text.clone());
        self.mark(e.from, at, MarkKind::Merged, text);
        self.touch_incident(e.from);
    }

    pub(super) fn unmerged(&mut self, at: Timestamp, e: &IncidentsUnmerged) {
        let Some(into) = self.incidents.get_mut(&e.from).and_then(|from| from.merged_into.take()) else {
            return;
        };
        if let Some(i) = self.incidents.get_mut(&into) {
            i.parts.remove(&e.from);
        }
        self.bound(e.from, into, -1);
        self.apart.insert((into.min(e.from), into.max(e.from)));
        let text = format!("{} taken out of {into} again by {}", e.from, e.by);
        self.mark(into, at, MarkKind::Unmerged, text.clone());
        self.mark(e.from, at, MarkKind::Unmerged, text);
    }

    pub(super) fn escalated(&mut self, at: Timestamp, e: &Escalated) {
        self.mark(
            e.incident,
            at,
            MarkKind::Escalated,
            format!("rung {}: told {}", e.rung, e.teams.join(", ")),
        );
        if let Some(i) = self.incidents.get_mut(&e.incident) {
            i.climb.rung = e.rung;
            i.climb.next = e.next;
            i.climb.held = false;
            self.agenda.rungs.extend(e.next.map(|t| (t, e.incident)));
        }
    }

    pub(super) fn page_held(&mut self, at: Timestamp, e: &PageHeld) {
        let why: Vec<&str> = e.because.iter().map(|r| r.0.as_str()).collect();
        let text = format!("nobody is woken before {}: {}", e.until, why.join("; "));
        self.mark(e.incident, at, MarkKind::PageHeld, text);
        if let Some(i) = self.incidents.get_mut(&e.incident) {
            (i.climb.next, i.climb.held) = (Some(e.until), true);
        }
        self.agenda.rungs.insert((e.until, e.incident));
    }

    pub(super) fn acknowledged(&mut self, at: Timestamp, e: &ByPerson) {
        self.mark(e.incident, at, MarkKind::Acknowledged, format!("acknowledged by {}", e.by));
        if let Some(i) = self.incidents.get_mut(&e.incident) {
            i.acknowledged_by = Some(e.by.clone());
            i.climb.next = None;
            i.status = i.status.max(Status::Acknowledged);
        }
        self.touch_incident(e.incident);
    }

    pub(super) fn mark(&mut self, incident: IncidentId, at: Timestamp, what: MarkKind, text: String) {
        if let Some(i) = self.incidents.get_mut(&incident) {
            i.marks.push(Mark { at, what, text });
        }
        if self.posts.of(incident).next().is_some() {
            self.agenda.cards.insert(incident);
        }
    }
}
