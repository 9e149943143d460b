//! What becomes one incident and what does not, by machines, sites, time and second looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stanch_core::journal::state::Disposition;
use stanch_core::stage::triage::{Features, Model, Score};
use stanch_engine::Received;
use stanch_engine::replay::Stream;
use stanch_model::port::{Parsed, Record};
use stanch_model::{Alert, Attack, Endpoint, IncidentId, Rule, Span, Timestamp};

use crate::world::{START, rules_of};

/// Gives what the last word of a rule says.
struct AsNamed;

impl Model for AsNamed {
    fn score(&self, features: &Features) -> Score {
        let rule = features.described.as_ref().map_or("", |d| d.rule.as_str());
        let probability = rule.rsplit(' ').next().and_then(|w| w.parse().ok()).unwrap_or(0.0);
        Score { probability, because: Vec::new(), model: 0 }
    }

    fn reads_described(&self) -> bool {
        true
    }
}

/// An alert of a machine: minutes after the start, site, address, rule that ends in its score.
type Told = (i64, &'static str, &'static str, &'static str);

fn at(minutes: i64) -> Timestamp {
    START.plus(Span::mins(minutes))
}

fn received((minutes, site, address, rule): Told, tactic: Option<&str>) -> Received {
    let alert = Alert {
        time: at(minutes),
        title: rule.into(),
        rule: Rule { uid: rule.into(), name: rule.into(), category: None },
        device: Some(Endpoint { ip: address.parse().ok(), hostname: None, port: None }),
        source_uid: Some(format!("{minutes} {site} {address} {rule}")),
        attacks: tactic
            .map(|t| Attack { technique_uid: String::new(), tactic: Some(t.into()) })
            .into_iter()
            .collect(),
        ..Alert::default()
    };
    let parsed = Parsed::Alert { alert: Box::new(alert), group_key: format!("{rule}|{address}") };
    let records = vec![Record { raw: 0..0, parsed: Ok(parsed) }];
    Received { source: site.into(), site: site.into(), body: Vec::new(), records, retry_of: None }
}

fn stream() -> Stream {
    let mut rules = rules_of(&[]);
    rules.model = Arc::new(AsNamed);
    Stream::new(rules)
}

/// Plays alerts, each arriving when it happened, and lets everything settle.
fn play(all: &[Told]) -> Stream {
    let mut stream = stream();
    for told in all {
        stream.receive(at(told.0), vec![received(*told, None)]);
    }
    stream.pass(at(all.last().map_or(0, |l| l.0) + 60));
    stream
}

/// The incident of each alert, in the order they came in.
fn homes(stream: &Stream) -> Vec<Option<IncidentId>> {
    let state = stream.state();
    let home = |slot: &stanch_core::journal::AlertSlot| {
        (slot.disposition == Disposition::InIncident).then(|| state.head_of(IncidentId(u64::from(slot.link))))
    };
    state.slots.iter().map(home).collect()
}

#[test]
fn steps_on_machines_that_belong_together_are_one_and_a_stranger_is_another() {
    let all = homes(&play(&[
        (0, "hq", "10.1.0.5", "scan 0.9"),
        (5, "hq", "10.1.0.9", "login 0.4"),
        (6, "hq", "172.16.9.9", "other 0.9"),
        (600, "hq", "10.1.0.5", "shell 0.4"),
        (601, "hq", "10.1.0.5", "noise 0.05"),
    ]));
    assert_eq!(all[0], Some(IncidentId(1)));
    assert_eq!((all[1], all[3]), (all[0], all[0]));
    assert_eq!((all[2], all[4]), (Some(IncidentId(2)), None));
}

#[test]
fn the_same_address_at_another_site_never_joins() {
    let all = homes(&play(&[(0, "hq", "10.0.0.101", "scan 0.9"), (0, "branch", "10.0.0.101", "scan 0.9")]));
    assert!(all[0].is_some() && all[1].is_some() && all[0] != all[1], "{all:?}");
}

#[test]
fn an_alert_that_stayed_alone_joins_once_it_is_known_what_came_after_it() {
    let told = [(0, "hq", "10.1.0.5", "odd 0.3"), (4, "hq", "10.1.0.5", "shell 0.9")];
    let mut stream = stream();
    for t in told {
        stream.receive(at(t.0), vec![received(t, None)]);
    }
    assert_eq!(homes(&stream), [None, Some(IncidentId(1))]);
    stream.pass(at(20));
    assert_eq!(homes(&stream), [Some(IncidentId(1)); 2]);
    assert!(stream.state().second.is_empty());
    let joined = &stream.state().incidents[&IncidentId(1)].alerts[1];
    assert_eq!(joined.because, "INC-1 was active on this machine moments ago");
}

#[test]
fn an_alert_that_says_who_acted_is_not_joined_by_its_machine_alone() {
    let mut stream = stream();
    stream.receive(at(0), vec![received((0, "hq", "10.1.0.5", "scan 0.9"), None)]);
    let mut other = received((5, "hq", "10.1.0.5", "probe 0.4"), None);
    for record in &mut other.records {
        if let Ok(Parsed::Alert { alert, .. }) = &mut record.parsed {
            alert.src_endpoint =
                Some(Endpoint { ip: "203.0.113.9".parse().ok(), hostname: None, port: None });
        }
    }
    stream.receive(at(5), vec![other]);
    stream.pass(at(60));
    assert_eq!(homes(&stream), [Some(IncidentId(1)), None]);
}

/// The incident of an alert that called home, and of a sure one on 10.1.0.5 three days later.
fn days_before(first: Told, tactic: &str) -> Vec<Option<IncidentId>> {
    let mut stream = stream();
    stream.receive(at(first.0), vec![received(first, Some(tactic))]);
    let sure = (3 * 24 * 60, "hq", "10.1.0.5", "shell 0.95");
    stream.receive(at(sure.0), vec![received(sure, None)]);
    homes(&stream)
}

#[test]
fn what_called_home_days_before_is_taken_into_a_sure_incident_on_its_machine() {
    for likely in ["beacon 0.55", "beacon 0.8"] {
        let all = days_before((0, "hq", "10.1.0.5", likely), "command-and-control");
        assert!(all[0].is_some() && all[0] == all[1], "{likely}: {all:?}");
    }
}

#[test]
fn what_is_doubtful_early_elsewhere_or_long_ago_is_not_taken_in() {
    let others = [
        ((0, "hq", "10.1.0.5", "beacon 0.4"), "command-and-control"),
        ((0, "hq", "10.1.0.5", "beacon 0.55"), "reconnaissance"),
        ((0, "hq", "10.1.0.6", "beacon 0.55"), "command-and-control"),
        ((0, "branch", "10.1.0.5", "beacon 0.55"), "command-and-control"),
        ((-5 * 24 * 60, "hq", "10.1.0.5", "beacon 0.55"), "command-and-control"),
    ];
    for (first, tactic) in others {
        let all = days_before(first, tactic);
        assert!(all[1].is_some() && all[0] != all[1], "{first:?}: {all:?}");
    }
}

/// Alerts of a burst, by who they are: which of them are together.
fn partition(order: &[Told]) -> BTreeSet<BTreeSet<String>> {
    let mut stream = stream();
    for told in order {
        // All arrive within the same minute, whenever they happened.
        stream.receive(at(10), vec![received(*told, None)]);
    }
    stream.pass(at(60));
    let mut of: BTreeMap<Option<IncidentId>, BTreeSet<String>> = BTreeMap::new();
    for (home, told) in homes(&stream).into_iter().zip(order) {
        of.entry(home).or_default().insert(format!("{} {}", told.2, told.3));
    }
    of.into_values().collect()
}

#[test]
fn late_and_out_of_order_alerts_end_in_the_same_incidents() {
    let told: [Told; 7] = [
        (1, "hq", "10.1.0.5", "scan 0.7"),
        (2, "hq", "10.1.0.6", "login 0.3"),
        (3, "hq", "10.1.0.5", "shell 0.25"),
        (4, "hq", "172.16.9.9", "other 0.8"),
        (5, "hq", "172.16.9.9", "more 0.3"),
        (6, "hq", "192.168.7.7", "noise 0.3"),
        (7, "hq", "10.1.0.6", "noise 0.05"),
    ];
    let in_order = partition(&told);
    assert_eq!(in_order.len(), 3, "{in_order:?}");
    for turn in 1..told.len() {
        let mut order = told;
        order.rotate_left(turn);
        assert_eq!(partition(&order), in_order, "{turn}");
        order.reverse();
        assert_eq!(partition(&order), in_order, "{turn} reversed");
    }
}
