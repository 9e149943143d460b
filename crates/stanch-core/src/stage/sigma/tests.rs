//! Correlations: reading with all mistakes, each kind by example, any order, bounds, and a naive
//! evaluator that knows nothing of streams.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stanch_model::{Span, Timestamp};

use super::stream::{MAX_EVENTS, MAX_GROUPS};
use super::window::{Held, figure};
use super::*;
use crate::config::{Mistake, yaml};

fn read(text: &str) -> Result<Correlation, String> {
    let mut m: Vec<Mistake> = Vec::new();
    let root = yaml::parse("correlations/x.yaml", text, &mut m);
    let read = root.and_then(|root| read::read("x", &root, &mut m));
    m.sort();
    let shown = m.iter().map(Mistake::render).collect::<Vec<_>>().join("\n");
    read.ok_or(shown)
}

fn rule(kind: &str, rules: &str, group: &str, span: &str, condition: &str) -> Correlation {
    let text = format!(
        "title: T\ncorrelation:\n  type: {kind}\n  rules: {rules}\n  group-by: {group}\n  timespan: {span}\n  condition: {condition}\n"
    );
    read(&text).unwrap_or_else(|m| panic!("{m}\n{text}"))
}

fn event(id: u64, seconds: i64, rule: &str, fields: &[(&str, &str)]) -> Event {
    let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Event {
        id,
        alert: id,
        site: "main".into(),
        time: Timestamp(seconds * 1_000),
        rules: vec![rule.to_owned()],
        fields,
    }
}

fn run(correlations: Vec<Correlation>, lateness: Span, events: &[Event]) -> Vec<Match> {
    let mut stream = Stream::new(correlations, lateness);
    let mut all: Vec<Match> = events.iter().flat_map(|e| stream.take(e)).collect();
    let end = events.iter().map(|e| e.time).max().unwrap_or_default();
    all.extend(stream.until(end.plus(Span::hours(24 * 365))));
    all
}

#[test]
fn the_example_of_the_specification_is_read_as_it_stands() {
    let c = read(
        "title: Many failed logins\nid: 0e95725d-7320-415d-80f7-004da920fc11\nstatus: test\nlevel: high\n\
         author: somebody\nfalsepositives: [Scanners]\ncorrelation:\n  type: value_count\n  rules: failed_login\n  \
         group-by: [ComputerName, WorkstationName]\n  timespan: 1d\n  condition:\n    gte: 100\n    field: User\n",
    )
    .expect("read");
    assert_eq!((c.kind, c.rules.len(), c.timespan), (Kind::ValueCount, 1, Span::hours(24)));
    assert_eq!(c.condition, Condition { bounds: vec![(Op::Gte, 100.0)], fields: vec!["User".into()] });
    assert_eq!((c.level, c.name.as_str()), (Some(stanch_model::Severity::High), "x"));
}

#[test]
fn all_mistakes_are_shown_at_once_where_they_stand() {
    let shown = read(
        "title: T\nid: 12\nlevel: hihg\ncorrelation:\n  type: value_sum\n  rules: [a, a]\n  group_by: host\n  \
         timespan: 5 minutes\n  condition: { gte: 1, gt: 2 }\n  aliases: { who: { b: user } }\n",
    )
    .expect_err("mistakes");
    for said in [
        ":2:5: `id` is not a UUID",
        ":3:8: unknown level \"hihg\"",
        ":6:10: the rule \"a\" is named twice",
        ":7:3: unknown key `group_by`",
        "did you mean `group-by`",
        ":8:13: `timespan`: \"5 minutes\" is not a length of time",
        ":9:14: `condition` compares in ways that do not go together",
        ":9:14: `value_sum` needs `field`",
        ":10:21: the alias `who` speaks of the rule \"b\"",
    ] {
        assert!(shown.contains(said), "{said}\n---\n{shown}");
    }
}

#[test]
fn what_leads_back_to_itself_or_is_named_twice_is_refused() {
    let of = |name: &str, rules: &str| Correlation {
        name: name.into(),
        ..rule("event_count", rules, "[h]", "5m", "{ gte: 2 }")
    };
    let mut m = Vec::new();
    read::check(&[of("a", "[b]"), of("b", "[a]"), of("c", "[x]"), of("c", "[y]")], &mut m);
    let shown: Vec<&str> = m.iter().map(|m| m.message.as_str()).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[0].contains("leads back to itself") && shown[2].contains("already the name"));
}

#[test]
fn events_are_counted_by_group_within_the_timespan_both_ends_included() {
    let c = rule("event_count", "[login]", "[user]", "60s", "{ gte: 3 }");
    let at = |id, s, user| event(id, s, "login", &[("user", user)]);
    let together = [at(1, 0, "ann"), at(2, 30, "bob"), at(3, 30, "ann"), at(4, 60, "ann")];
    let found = run(vec![c.clone()], Span(0), &together);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].alerts.clone(), found[0].group.clone()), (vec![1, 3, 4], vec!["ann".to_owned()]));
    assert_eq!(
        found[0].because,
        "correlation \"T\" (correlations/x.yaml:1): 3 alerts for user ann within 1m"
    );
    let apart = [at(1, 0, "ann"), at(2, 30, "ann"), at(3, 61, "ann")];
    assert_eq!(run(vec![c.clone()], Span(0), &apart), []);
    // Silent for one timespan after a match, then again.
    let storm: Vec<Event> = (0_u8..100).map(|i| at(u64::from(i), i64::from(i) * 10, "ann")).collect();
    assert_eq!(run(vec![c], Span(0), &storm).len(), 14);
}

#[test]
fn distinct_values_count_once_and_several_fields_count_together() {
    let c = rule("value_count", "[login]", "[host]", "5m", "{ gt: 2, field: user }");
    let at = |id, user: &str| event(id, id as i64, "login", &[("host", "h"), ("user", user), ("port", "1")]);
    assert_eq!(run(vec![c.clone()], Span(0), &[at(1, "a"), at(2, "b"), at(3, "b"), at(4, "a")]), []);
    assert_eq!(run(vec![c], Span(0), &[at(1, "a"), at(2, "b"), at(3, "c")]).len(), 1);
    let both = rule("value_count", "[login]", "[host]", "5m", "{ gte: 3, field: [user, port] }");
    assert_eq!(run(vec![both], Span(0), &[at(1, "a"), at(2, "b"), at(3, "c")]).len(), 1);
}

#[test]
fn rules_together_in_any_order_and_rules_in_order() {
    let of = |kind| {
        read(&format!("title: T\ncorrelation: {{ type: {kind}, rules: [scan, login, exfil], group-by: [ip], timespan: 10m }}")).expect("read")
    };
    let at = |id, s, rule: &str| event(id, s, rule, &[("ip", "192.0.2.1")]);
    let mixed = [at(1, 0, "exfil"), at(2, 60, "scan"), at(3, 120, "login")];
    assert_eq!(run(vec![of("temporal")], Span(0), &mixed).len(), 1);
    assert_eq!(run(vec![of("temporal_ordered")], Span(0), &mixed), []);
    let ordered = [at(1, 0, "scan"), at(2, 60, "exfil"), at(3, 120, "login"), at(4, 600, "exfil")];
    assert_eq!(run(vec![of("temporal_ordered")], Span(0), &ordered).len(), 1);
    // The last step comes first over the wire: found all the same.
    let late = [at(1, 0, "scan"), at(4, 300, "exfil"), at(3, 120, "login")];
    assert_eq!(run(vec![of("temporal_ordered")], Span::mins(10), &late).len(), 1);
}

#[test]
fn sums_means_percentiles_and_medians_are_those_of_the_numbers_there() {
    let window: Vec<Held> = ["1", "x", "4", "2", "10"]
        .iter()
        .zip(0_u64..)
        .map(|(v, id)| Held {
            time: Timestamp(0),
            id,
            rule: 0,
            value: Some(vec![(*v).to_owned()]),
            members: vec![],
        })
        .collect();
    let of = |kind| figure(kind, 1, &window).expect("a figure");
    assert!((of(Kind::ValueSum) - 17.0).abs() < 1e-9);
    assert!((of(Kind::ValueAvg) - 4.25).abs() < 1e-9);
    assert!((of(Kind::ValueMedian) - 3.0).abs() < 1e-9);
    // numpy.percentile([1, 2, 4, 10], 90) is 8.2.
    assert!((of(Kind::ValuePercentile(90.0)) - 8.2).abs() < 1e-9);
    assert_eq!(figure(Kind::ValueSum, 1, &[]), None);
    let c = rule("value_sum", "[flow]", "[host]", "5m", "{ gte: 100, field: bytes }");
    let at = |id, s, bytes: &str| event(id, s, "flow", &[("host", "h"), ("bytes", bytes)]);
    assert_eq!(run(vec![c], Span(0), &[at(1, 0, "60"), at(2, 10, "50"), at(3, 900, "99")]).len(), 1);
}

#[test]
fn an_upper_bound_is_judged_when_the_window_has_gone_by() {
    let c = rule("event_count", "[beat]", "[host]", "60s", "{ lt: 3 }");
    let at = |id, s| event(id, s, "beat", &[("host", "h")]);
    // Windows 0..60 with three, 100..160 with one.
    let events = [at(1, 0), at(2, 20), at(3, 40), at(4, 100), at(5, 300)];
    let mut stream = Stream::new(vec![c], Span::secs(10));
    let found: Vec<Match> = events.iter().flat_map(|e| stream.take(e)).collect();
    assert_eq!(found.iter().map(|m| m.alerts.clone()).collect::<Vec<_>>(), [vec![4]]);
    assert_eq!(stream.until(Timestamp(1_000_000)).len(), 1);
}

#[test]
fn a_correlation_of_correlations_and_fields_of_other_names() {
    let many =
        Correlation { name: "many".into(), ..rule("event_count", "[fail]", "[user]", "5m", "{ gte: 2 }") };
    let then = read(
        "title: Then in\ncorrelation:\n  type: temporal_ordered\n  rules: [many, success]\n  group-by: [who]\n  timespan: 10m\n  \
         aliases:\n    who: { many: user, success: account }\n",
    )
    .expect("read");
    let at = |id, s, rule: &str, field: &str, who: &str| event(id, s, rule, &[(field, who)]);
    let events = [
        at(1, 0, "fail", "user", "ann"),
        at(2, 9, "fail", "user", "ann"),
        at(3, 20, "success", "account", "bob"),
        at(4, 30, "success", "account", "ann"),
    ];
    let found = run(vec![then, many], Span(0), &events);
    assert_eq!(found.len(), 2);
    assert_eq!((found[1].correlation, found[1].alerts.clone()), (0, vec![1, 2, 4]));
}

#[test]
fn the_same_values_at_two_sites_are_two_groups() {
    let c = rule("event_count", "[scan]", "[ip]", "5m", "{ gte: 2 }");
    let at =
        |id, site: &str| Event { site: site.into(), ..event(id, id as i64, "scan", &[("ip", "10.0.0.1")]) };
    assert_eq!(run(vec![c.clone()], Span(0), &[at(1, "north"), at(2, "south")]), []);
    let found = run(vec![c], Span(0), &[at(1, "north"), at(2, "south"), at(3, "north")]);
    assert_eq!(
        found.iter().map(|m| (m.site.as_str(), m.alerts.clone())).collect::<Vec<_>>(),
        [("north", vec![1, 3])]
    );
}

#[test]
fn memory_is_bounded_and_what_is_let_go_is_counted() {
    let c = rule("event_count", "[scan]", "[ip]", "1h", "{ gte: 9999 }");
    let mut stream = Stream::new(vec![c], Span(0));
    for i in 0..(MAX_GROUPS as u64 + 500) {
        stream.take(&event(i, i as i64 / 100, "scan", &[("ip", &i.to_string())]));
    }
    assert!(stream.held() <= MAX_GROUPS);
    let (_, gone) = stream.lost();
    assert_eq!(stream.held() as u64 + gone, MAX_GROUPS as u64 + 500, "held or counted, each one");
    stream.take(&event(9, 100_000, "scan", &[("ip", "x")]));
    assert_eq!(stream.held(), 1, "what no window reaches is forgotten");
    stream.take(&event(10, 5, "scan", &[("ip", "x")]));
    assert_eq!(stream.lost(), (1, gone), "an alert behind the watermark is counted");
    const { assert!(MAX_EVENTS as f64 >= MAX_COUNT) };
}

/// Which groups match at all, by trying every window: quadratic, and nothing like a stream.
fn naive(c: &Correlation, events: &[Event]) -> BTreeSet<Vec<String>> {
    let mut groups: BTreeMap<Vec<String>, Vec<Held>> = BTreeMap::new();
    for e in events {
        for (place, _) in c.rules.iter().enumerate().filter(|(_, r)| e.rules.contains(r)) {
            let key: Option<Vec<String>> = c.group_by.iter().map(|f| e.fields.get(f).cloned()).collect();
            let value = c.condition.fields.iter().map(|f| e.fields.get(f).cloned()).collect();
            let held = Held { time: e.time, id: e.id, rule: place, value, members: vec![e.id] };
            key.into_iter().for_each(|k| groups.entry(k).or_default().push(held.clone()));
        }
    }
    let matches = |held: &Vec<Held>| {
        held.iter().any(|last| {
            let from = Timestamp(last.time.0 - c.timespan.0);
            let window: Vec<&Held> = held.iter().filter(|h| h.time >= from && h.time <= last.time).collect();
            naive_figure(c, &window).is_some_and(|f| {
                c.condition.bounds.iter().all(|(op, b)| match op {
                    Op::Gt => f > *b,
                    Op::Gte => f >= *b,
                    Op::Lt | Op::Lte | Op::Eq | Op::Neq => panic!("not tried here"),
                })
            })
        })
    };
    groups.into_iter().filter(|(_, held)| matches(held)).map(|(k, _)| k).collect()
}

fn naive_figure(c: &Correlation, window: &[&Held]) -> Option<f64> {
    let mut numbers: Vec<f64> =
        window.iter().filter_map(|h| h.value.as_ref()?.first()?.parse().ok()).collect();
    numbers.sort_by(f64::total_cmp);
    let some = !numbers.is_empty();
    let sum: f64 = numbers.iter().sum();
    match c.kind {
        Kind::EventCount => Some(window.len() as f64),
        Kind::ValueCount => {
            Some(window.iter().filter_map(|h| h.value.clone()).collect::<BTreeSet<_>>().len() as f64)
        }
        Kind::Temporal => {
            Some((0..c.rules.len()).filter(|r| window.iter().any(|h| h.rule == *r)).count() as f64)
        }
        // Only the whole order is tried: every way of choosing one event a rule.
        Kind::TemporalOrdered => {
            Some(if chain(0, i64::MIN, c.rules.len(), window) { c.rules.len() as f64 } else { 0.0 })
        }
        Kind::ValueSum => some.then_some(sum),
        Kind::ValueAvg => some.then(|| sum / numbers.len() as f64),
        Kind::ValueMedian => {
            some.then(|| (numbers[(numbers.len() - 1) / 2] + numbers[numbers.len() / 2]) / 2.0)
        }
        Kind::ValuePercentile(_) => panic!("not tried here"),
    }
}

fn chain(rule: usize, from: i64, rules: usize, window: &[&Held]) -> bool {
    rule == rules
        || window
            .iter()
            .any(|h| h.rule == rule && h.time.0 >= from && chain(rule + 1, h.time.0, rules, window))
}

fn kinds() -> impl Strategy<Value = Correlation> {
    prop::sample::select(vec![
        ("event_count", "{ gte: 4 }"),
        ("event_count", "{ gt: 2 }"),
        ("value_count", "{ gte: 3, field: v }"),
        ("temporal", "{ gte: 3 }"),
        ("temporal", "{ gte: 2 }"),
        ("temporal_ordered", "{ gte: 3 }"),
        ("value_sum", "{ gte: 12, field: v }"),
        ("value_avg", "{ gt: 4, field: v }"),
        ("value_median", "{ gte: 5, field: v }"),
    ])
    .prop_map(|(kind, condition)| rule(kind, "[a, b, c]", "[g]", "20s", condition))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// In order, and in any order within the watermark, the same groups match as by trying every window.
    #[test]
    fn a_stream_finds_what_trying_every_window_finds(
        c in kinds(),
        rows in prop::collection::vec((0_i64..120, 0_usize..3, 0_u8..2, 0_u8..8, any::<bool>()), 0..40),
        order in any::<u64>(),
    ) {
        let mut events: Vec<Event> = rows.iter().zip(0_u64..).map(|((s, r, g, v, has), id)| {
            let mut fields = vec![("g", g.to_string())];
            if *has { fields.push(("v", v.to_string())); }
            let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
            event(id, *s, ["a", "b", "c"][*r], &fields)
        }).collect();
        let expected = naive(&c, &events);
        let groups = |found: Vec<Match>| found.into_iter().map(|m| m.group).collect::<BTreeSet<_>>();
        events.sort_by_key(|e| (e.time, e.id));
        prop_assert_eq!(groups(run(vec![c.clone()], Span(0), &events)), expected.clone());
        events.sort_by_key(|e| (e.id ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        prop_assert_eq!(groups(run(vec![c], Span::secs(121), &events)), expected);
    }

    /// Nothing anybody writes makes the reader panic.
    #[test]
    fn any_text_is_read_or_refused(text in "(title|correlation|type|rules|timespan|condition|gte|field|: |\\n  |\\n|\\[|\\]|\\{|\\}|5m|-1|event_count|temporal){0,30}") {
        let _ = read(&text);
    }
}

/// `fixtures/sigma/peer.py` asks the reference implementation about the same files.
#[test]
#[allow(clippy::disallowed_methods)] // fixtures are files
fn the_fixtures_are_read_and_refused_as_their_folders_say() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sigma");
    for (folder, reads) in [("good", true), ("bad", false), ("stricter", false), ("wider", true)] {
        let entries: Vec<_> = std::fs::read_dir(root.join(folder)).expect("a folder").flatten().collect();
        assert!(!entries.is_empty());
        for entry in entries {
            let read = read(&std::fs::read_to_string(entry.path()).expect("text"));
            assert_eq!(read.is_ok(), reads, "{}: {read:?}", entry.path().display());
            if let Err(shown) = read {
                assert!(shown.contains("mend:"), "{}: {shown}", entry.path().display());
            }
        }
    }
}
