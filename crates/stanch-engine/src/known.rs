//! What is known at once about those who take part in an incident: inventory, intelligence files,
//! warninglists. Written into the incident in the commit in which they join, before anything is
//! decided about it: whose machines these are tells which one to block.

use std::collections::BTreeSet;

use stanch_core::journal::event::{Enriched, Event};
use stanch_core::stage::fingerprint;
use stanch_model::{Fact, IncidentId, Observable, ObservableKind};

use crate::turn::Turn;

impl Turn<'_> {
    /// Learns about the entities of the incident's alerts from the `from`th on; what it knows
    /// already is not written again.
    pub(crate) fn know(&mut self, incident: IncidentId, from: usize) {
        if self.rules.references.is_empty() {
            return;
        }
        let Some(i) = self.state.incidents.get(&incident) else { return };
        let Some(first) = i.alerts.get(from) else { return };
        let alert = first.alert;
        let roles = i.alerts[from..].iter().flat_map(|a| fingerprint::roles(&a.ends, a.stage));
        let about: BTreeSet<Observable> = roles.map(|(entity, _)| observable(&entity)).collect();
        let known = |f: &Fact| i.facts.get(&(f.provider.clone(), f.about.to_string())) == Some(f);
        let found = about.iter().flat_map(|o| self.rules.about(&i.site, o));
        let facts: Vec<Fact> = found.filter(|f| !known(f)).collect();
        if facts.is_empty() {
            return;
        }
        let score = self.state.slot(alert).map_or(0, |s| s.score);
        self.record(Event::Enriched(Enriched {
            alert,
            facts,
            missing: Vec::new(),
            score,
            because: Vec::new(),
        }));
    }
}

/// The observable behind an entity's name.
pub(crate) fn observable(entity: &str) -> Observable {
    let (kind, value) = match entity.split_once(':') {
        Some(("host", name)) => (ObservableKind::Hostname, name),
        Some(("user", name)) => (ObservableKind::User, name),
        _ => (ObservableKind::Ip, entity),
    };
    Observable::new(kind, value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_names_an_observable_also_where_addresses_hold_colons() {
        let words = |entity: &str| observable(entity).to_string();
        assert_eq!(words("host:web-1"), "hostname web-1");
        assert_eq!(words("user:DOM\\a:b"), "user DOM\\a:b");
        assert_eq!(words("2001:db8::1"), "ip 2001:db8::1");
    }
}
