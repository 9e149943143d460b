//! From one file in `correlations/` to a [`Correlation`], or to all of its mistakes.

use std::collections::{BTreeMap, BTreeSet};

use stanch_model::{Severity, Span};

use super::{Condition, Correlation, Kind, MAX_COUNT, MAX_RULES, MAX_TIMESPAN, Op};
use crate::config::Mistake;
use crate::config::yaml::{Fields, Node, Value};

const TYPES: [&str; 8] = [
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
];
const LEVELS: [(&str, Severity); 5] = [
    ("informational", Severity::Informational),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];
const STATUSES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];
/// Keys that a Sigma file may have and that we do not need.
const ASIDE: [&str; 13] = [
    "author",
    "custom",
    "date",
    "description",
    "falsepositives",
    "fields",
    "license",
    "modified",
    "references",
    "related",
    "scope",
    "tags",
    "taxonomy",
];

/// Reads one file. `name` is the file's, without its ending.
pub fn read(name: &str, root: &Node, m: &mut Vec<Mistake>) -> Option<Correlation> {
    let file = root.map(m)?;
    let before = m.iter().filter(|m| !m.warning).count();
    let own = ["title", "id", "name", "status", "level", "generate", "correlation"];
    let known: Vec<&str> = own.iter().chain(&ASIDE).copied().collect();
    let mut strange = Vec::new();
    file.finish(&known, &mut strange);
    // Sigma lets people add keys of their own; a misspelt one should be seen all the same.
    m.extend(strange.into_iter().map(|s| Mistake { warning: true, ..s }));
    let title = file.required("title", m).and_then(|n| n.string(m));
    let level = file.optional("level").and_then(|n| {
        let words = LEVELS.map(|(word, _)| word);
        let word = n.choice("level", &words, m)?;
        LEVELS.iter().find(|(w, _)| *w == word).map(|(_, s)| *s)
    });
    if let Some(status) = file.optional("status") {
        status.choice("status", &STATUSES, m);
    }
    let id = file.optional("id").and_then(|n| uuid(n, m));
    let named = file.optional("name").and_then(|n| n.string(m));
    let section = file.required("correlation", m)?.map(m)?;
    section.finish(&["type", "rules", "group-by", "timespan", "condition", "aliases", "generate"], m);
    let word = section.required("type", m).and_then(|n| n.choice("type", &TYPES, m));
    let rules = section.required("rules", m).and_then(|n| texts(n, m)).unwrap_or_default();
    check_rules(&section, &rules, m);
    let group_by = section.optional("group-by").and_then(|n| texts(n, m)).unwrap_or_default();
    let timespan = section.required("timespan", m).and_then(|n| timespan(n, m));
    let aliases = section.optional("aliases").map(|n| aliases(n, &rules, m)).unwrap_or_default();
    let generate = section.optional("generate").or(file.optional("generate")).and_then(|n| n.boolean(m));
    let (kind, condition) = condition(word?, &section, rules.len(), m)?;
    if m.iter().filter(|m| !m.warning).count() > before {
        return None;
    }
    Some(Correlation {
        name: named.unwrap_or_else(|| name.to_owned()),
        id,
        title: title?,
        level,
        kind,
        rules,
        group_by,
        aliases,
        timespan: timespan?,
        condition,
        generate: generate.unwrap_or_default(),
        place: root.place(),
    })
}

/// A list of texts, or one text alone.
fn texts(node: &Node, m: &mut Vec<Mistake>) -> Option<Vec<String>> {
    match node.value {
        Value::Scalar { .. } => node.string(m).map(|one| vec![one]),
        Value::List(_) | Value::Map(_) | Value::Null | Value::Invalid => node.list(m, |n, m| n.string(m)),
    }
}

fn uuid(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if parts == [8, 4, 4, 4, 12] && hex {
        return Some(text.to_ascii_lowercase());
    }
    m.push(node.mistake("`id` is not a UUID", "write for example 0e95725d-7320-415d-80f7-004da920fc11"));
    None
}

fn check_rules(section: &Fields<'_>, rules: &[String], m: &mut Vec<Mistake>) {
    let Some(node) = section.optional("rules") else { return };
    if rules.is_empty() && !matches!(node.value, Value::Invalid) {
        m.push(node.mistake("`rules` names no rule", "name rules by their uid or name"));
    }
    if rules.len() > MAX_RULES {
        let message = format!("`rules` names {} rules; at most {MAX_RULES} are watched", rules.len());
        m.push(node.mistake(message, "split it into several correlations"));
    }
    let mut seen = BTreeSet::new();
    for twice in rules.iter().filter(|r| !seen.insert(*r)) {
        m.push(node.mistake(format!("the rule \"{twice}\" is named twice"), "name it once"));
    }
}

/// A number and a unit, as Sigma writes it. `M` is a month and `y` a year, as in its reference
/// implementation.
fn timespan(node: &Node, m: &mut Vec<Mistake>) -> Option<Span> {
    const HELP: &str = "write a whole number and one of s, m, h, d or w, for example 15m";
    let text = node.string(m)?;
    let units = [
        ("s", 1),
        ("m", 60),
        ("h", 3_600),
        ("d", 86_400),
        ("w", 604_800),
        ("M", 2_629_746),
        ("y", 31_556_952),
    ];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit).filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        number.parse::<i64>().ok()?.checked_mul(*seconds)?.checked_mul(1_000).map(Span)
    });
    let (wanted, help) = match read {
        Some(span) if span > Span(0) && span <= MAX_TIMESPAN => return Some(span),
        Some(Span(0)) => ("a length of time", "write more than zero".to_owned()),
        Some(_) => {
            let help = format!("choose at most {MAX_TIMESPAN}: so long are alerts kept for a window");
            ("a length of time that is watched", help)
        }
        None => ("a length of time", HELP.to_owned()),
    };
    let shown: String = text.chars().take(64).collect();
    m.push(node.mistake(format!("`timespan`: \"{shown}\" is not {wanted}"), help));
    None
}

fn aliases(
    node: &Node,
    rules: &[String],
    m: &mut Vec<Mistake>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (alias, of) in node.map(m).map(|f| f.entries()).unwrap_or_default() {
        let mut fields = BTreeMap::new();
        for (rule, field) in of.map(m).map(|f| f.entries()).unwrap_or_default() {
            if !rules.iter().any(|r| **r == *rule.text) {
                let message = format!(
                    "the alias `{}` speaks of the rule \"{}\", which `rules` does not name",
                    alias.text, rule.text
                );
                let place = (rule.line, rule.column);
                m.push(Mistake::error(&node.file, place, message, "name the rule as `rules` does"));
            }
            if let Some(field) = field.string(m) {
                fields.insert(rule.text.to_string(), field);
            }
        }
        all.insert(alias.text.to_string(), fields);
    }
    all
}

fn condition(
    word: &str,
    section: &Fields<'_>,
    rules: usize,
    m: &mut Vec<Mistake>,
) -> Option<(Kind, Condition)> {
    let temporal = matches!(word, "temporal" | "temporal_ordered");
    let Some(node) = section.optional("condition") else {
        if temporal {
            let bounds = vec![(Op::Gte, rules as f64)];
            return kind(word, None).map(|k| (k, Condition { bounds, fields: Vec::new() }));
        }
        let help = "add for example `condition: { gte: 10 }`";
        m.push(section.node().mistake("`condition` is missing in `correlation`", help));
        return None;
    };
    if matches!(node.value, Value::Scalar { .. }) {
        let help = "write a count, for example `condition: { gte: 2 }`; split the rest into several files";
        m.push(node.mistake("conditions with `and`, `or` and `not` are not evaluated here", help));
        return None;
    }
    let fields = node.map(m)?;
    let known: Vec<&str> = Op::ALL.iter().map(|(w, _)| *w).chain(["field", "percentile"]).collect();
    fields.finish(&known, m);
    let counted = !word.starts_with("value_") || word == "value_count";
    let bound = |name: &str, m: &mut Vec<Mistake>| {
        let node = fields.optional(name)?;
        if counted {
            node.integer(0..=MAX_COUNT as i64, m).map(|n| n as f64)
        } else {
            node.float(-1e15..=1e15, m)
        }
    };
    let bounds: Vec<(Op, f64)> = Op::ALL.iter().filter_map(|(w, op)| Some((*op, bound(w, m)?))).collect();
    check_bounds(node, &fields, &bounds, m);
    let of = fields.optional("field").and_then(|n| texts(n, m)).unwrap_or_default();
    if word.starts_with("value_") && of.is_empty() {
        m.push(node.mistake(
            format!("`{word}` needs `field`"),
            "add `field: NAME`, the field whose values are meant",
        ));
    }
    if word.starts_with("value_") && word != "value_count" && of.len() > 1 {
        m.push(
            node.mistake(
                format!("`{word}` reads one field"),
                "name one field; only value_count takes several",
            ),
        );
    }
    let percentile = fields.optional("percentile").and_then(|n| n.float(0.0..=100.0, m));
    if word == "value_percentile" && fields.optional("percentile").is_none() {
        m.push(node.mistake("`value_percentile` needs `percentile`", "add for example `percentile: 95`"));
    }
    kind(word, percentile).map(|k| (k, Condition { bounds, fields: of }))
}

fn check_bounds(node: &Node, fields: &Fields<'_>, bounds: &[(Op, f64)], m: &mut Vec<Mistake>) {
    let written = Op::ALL.iter().filter(|(w, _)| fields.optional(w).is_some()).count();
    let lower = bounds.iter().filter(|(op, _)| op.is_lower_bound()).count();
    let upper = bounds.iter().filter(|(op, _)| matches!(op, Op::Lt | Op::Lte)).count();
    if written == 0 {
        m.push(node.mistake("`condition` compares with nothing", "add one of gt, gte, lt, lte, eq or neq"));
    } else if written > 2 || (bounds.len() == 2 && (lower, upper) != (1, 1)) {
        let help = "write one of them, or a lower and an upper one that form a range";
        m.push(node.mistake("`condition` compares in ways that do not go together", help));
    }
}

fn kind(word: &str, percentile: Option<f64>) -> Option<Kind> {
    Some(match word {
        "event_count" => Kind::EventCount,
        "value_count" => Kind::ValueCount,
        "temporal" => Kind::Temporal,
        "temporal_ordered" => Kind::TemporalOrdered,
        "value_sum" => Kind::ValueSum,
        "value_avg" => Kind::ValueAvg,
        "value_percentile" => Kind::ValuePercentile(percentile?),
        "value_median" => Kind::ValueMedian,
        _ => return None,
    })
}

/// Looks at all correlations together: names that are taken twice, and correlations that lead back to
/// themselves.
pub fn check(all: &[Correlation], m: &mut Vec<Mistake>) {
    for (i, c) in all.iter().enumerate() {
        let (file, line) = c.place.rsplit_once(':').unwrap_or((&c.place, "0"));
        let place = (line.parse().unwrap_or(0), 0);
        if let Some(other) = all.iter().take(i).find(|o| o.name == c.name || (c.id.is_some() && o.id == c.id))
        {
            let message = format!("\"{}\" is already the name or id of {}", c.name, other.place);
            m.push(Mistake::error(file, place, message, "give it another"));
        }
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut next: Vec<usize> = vec![i];
        while let Some(at) = next.pop() {
            let named = all.get(at).map(|c| c.rules.as_slice()).unwrap_or_default();
            let to = all.iter().enumerate().filter(|(_, o)| named.iter().any(|r| o.answers_to(r)));
            next.extend(to.map(|(n, _)| n).filter(|n| reached.insert(*n)));
        }
        if reached.contains(&i) {
            let message = format!("\"{}\" leads back to itself through `rules`", c.name);
            m.push(Mistake::error(file, place, message, "take one of the references out"));
        }
    }
}
