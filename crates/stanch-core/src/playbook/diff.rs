//! What differs between two plans, in terms of what they do: not which lines of text changed.
//!
//! A change that lets the machine do more, or asks fewer people, is a warning.

use std::collections::BTreeMap;

use stanch_model::Span;

use super::explain::{change_words, words};
use super::{Act, OnFailure, Playbook, Step, StepKind, Trigger};
use crate::config::Autonomy;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The step, or empty for the head of the plan.
    pub step: String,
    /// In words.
    pub words: String,
    /// True when the machine may do more, or fewer people are asked.
    pub widens: bool,
}

/// All differences, in the order of the new plan; removed steps last.
#[must_use]
pub fn diff(old: &Playbook, new: &Playbook) -> Vec<Difference> {
    let mut all = Vec::new();
    head(old, new, &mut all);
    let before: BTreeMap<&str, (&Step, String)> =
        placed(old).into_iter().map(|(s, p)| (s.id.as_str(), (s, p))).collect();
    let after = placed(new);
    for (step, place) in &after {
        match before.get(step.id.as_str()) {
            None => added(step, &mut all),
            Some((was, was_at)) => {
                if was_at != place {
                    say(&mut all, &step.id, format!("moved: was {was_at}, is {place}"), false);
                }
                compare(was, step, &mut all);
            }
        }
    }
    for (step, _) in placed(old) {
        if !after.iter().any(|(s, _)| s.id == step.id) {
            let guards =
                matches!(step.kind, StepKind::Approve { .. } | StepKind::Verify | StepKind::Notify { .. });
            say(&mut all, &step.id, format!("removed: {}", words(step)), guards);
        }
    }
    order(old, new, &mut all);
    all
}

fn say(all: &mut Vec<Difference>, step: &str, words: String, widens: bool) {
    all.push(Difference { step: step.to_owned(), words, widens });
}

/// Every step and the list it stands in, in words.
fn placed(playbook: &Playbook) -> Vec<(&Step, String)> {
    fn collect<'s>(steps: &'s [Step], place: &str, all: &mut Vec<(&'s Step, String)>) {
        for step in steps {
            all.push((step, place.to_owned()));
            for (title, inside) in super::explain::ways(step) {
                let title = title.map_or(String::new(), |t| format!(", {t}"));
                collect(inside, &format!("in {}{title}", step.id), all);
            }
        }
    }
    let mut all = Vec::new();
    collect(&playbook.steps, "at the top", &mut all);
    all
}

fn head(old: &Playbook, new: &Playbook, all: &mut Vec<Difference>) {
    let trigger = |p: &Playbook| match &p.trigger {
        Trigger::Incident(when) => format!("when {}", when.source()),
        Trigger::Hook => "on hook".to_owned(),
        Trigger::Called => "on called".to_owned(),
    };
    let changed = |what: &str, a: String, b: String, widens: bool, all: &mut Vec<Difference>| {
        if a != b {
            say(all, "", format!("{what}: was {a}, is {b}"), widens);
        }
    };
    // Whether the new trigger matches more cannot be told in general: somebody should look.
    changed("trigger", trigger(old), trigger(new), true, all);
    let autonomy = |p: &Playbook| p.autonomy.map_or("as the route says", Autonomy::word).to_owned();
    let more = match (old.autonomy, new.autonomy) {
        (Some(was), Some(is)) => is > was,
        (Some(_), None) => true,
        (None, _) => false,
    };
    changed("autonomy", autonomy(old), autonomy(new), more, all);
    let inputs = |p: &Playbook| {
        let one = |i: &super::Param| {
            let default = i.default.as_ref().map_or(String::new(), |d| format!(" = {d}"));
            format!("{}: {}{default}", i.name, super::explain::type_words(&i.kind))
        };
        let all: Vec<String> = p.inputs.iter().map(one).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    changed("inputs", inputs(old), inputs(new), false, all);
    for (what, a, b) in
        [("ATT&CK", &old.attack, &new.attack), ("CSF", &old.csf, &new.csf), ("RE&CT", &old.react, &new.react)]
    {
        let show = |labels: &[String]| if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        changed(what, show(a), show(b), false, all);
    }
    if old.sop != new.sop {
        say(all, "", "the text for people changed".to_owned(), false);
    }
}

fn added(step: &Step, all: &mut Vec<Difference>) {
    let widens = matches!(step.kind, StepKind::Act(_) | StepKind::Call { .. });
    say(all, &step.id, format!("added: {}", words(step)), widens);
}

fn compare(old: &Step, new: &Step, all: &mut Vec<Difference>) {
    let id = &new.id;
    match (&old.kind, &new.kind) {
        (StepKind::Act(a), StepKind::Act(b)) => acts(id, a, b, all),
        (StepKind::Approve { approvers: a, .. }, StepKind::Approve { approvers: b, .. }) => {
            approvers(id, a, b, all);
            if words(old) != words(new) && a == b {
                say(all, id, format!("was: {}; is: {}", words(old), words(new)), false);
            }
        }
        (a, b) if a.name() != b.name() => {
            let widens = matches!(b, StepKind::Act(_));
            say(all, id, format!("was: {}; is: {}", words(old), words(new)), widens);
        }
        _ if words(old) != words(new) => {
            say(all, id, format!("was: {}; is: {}", words(old), words(new)), false);
        }
        _ => {}
    }
    let when = |s: &Step| s.when.as_ref().map(|w| w.source().to_owned());
    if when(old) != when(new) {
        let show = |w: Option<String>| w.unwrap_or_else(|| "always".to_owned());
        let widens = matches!(new.kind, StepKind::Act(_)) || when(old).is_none();
        say(all, id, format!("runs if: was {}, is {}", show(when(old)), show(when(new))), widens);
    }
    let failure = |s: &Step| match &s.on_failure {
        OnFailure::Hand => "hand",
        OnFailure::Continue => "continue",
        OnFailure::Unwind => "unwind",
        OnFailure::Steps(_) => "steps of its own",
    };
    if failure(old) != failure(new) {
        let widens = failure(new) == "continue";
        say(all, id, format!("on failure: was {}, is {}", failure(old), failure(new)), widens);
    }
    if old.retry != new.retry {
        let show = |s: &Step| format!("{} times after {}", s.retry.times, s.retry.wait);
        say(all, id, format!("retry: was {}, is {}", show(old), show(new)), false);
    }
    if old.timeout != new.timeout {
        let show = |t: Option<Span>| t.map_or("none".to_owned(), |t| t.to_string());
        say(all, id, format!("timeout: was {}, is {}", show(old.timeout), show(new.timeout)), false);
    }
}

fn acts(id: &str, old: &Act, new: &Act, all: &mut Vec<Difference>) {
    let (was, is) = (change_words(&old.change), change_words(&new.change));
    if was != is {
        say(all, id, format!("changes something else: was {was}, is {is}"), true);
    }
    if old.ttl != new.ttl {
        let show = |t: Option<Span>| t.map_or("the policy's default".to_owned(), |t| t.to_string());
        let widens = match (old.ttl, new.ttl) {
            (Some(was), Some(is)) => is > was,
            (Some(_), None) | (None, Some(_)) => true,
            (None, None) => false,
        };
        say(all, id, format!("time to live: was {}, is {}", show(old.ttl), show(new.ttl)), widens);
    }
    approvers(id, &old.approvers, &new.approvers, all);
    if old.people != new.people {
        let widens = new.people < old.people;
        say(all, id, format!("people who must say yes: was {}, is {}", old.people, new.people), widens);
    }
    if old.expires != new.expires {
        let show = |t: Option<Span>| t.map_or("the policy's default".to_owned(), |t| t.to_string());
        say(
            all,
            id,
            format!("the question waits: was {}, is {}", show(old.expires), show(new.expires)),
            false,
        );
    }
    if old.undo != new.undo {
        let show = |undo: bool| if undo { "undone by itself" } else { "never undone" };
        say(all, id, format!("was {}, is {}", show(old.undo), show(new.undo)), !new.undo);
    }
}

fn approvers(id: &str, old: &[String], new: &[String], all: &mut Vec<Difference>) {
    for team in new.iter().filter(|t| !old.contains(t)) {
        say(all, id, format!("{team} may say yes now"), true);
    }
    for team in old.iter().filter(|t| !new.contains(t)) {
        say(all, id, format!("{team} may not say yes any more"), false);
    }
}

/// Steps of one list whose order changed.
fn order(old: &Playbook, new: &Playbook, all: &mut Vec<Difference>) {
    let lists = |p: &Playbook| {
        let mut by_place: BTreeMap<String, Vec<String>> = BTreeMap::new();
        placed(p).into_iter().for_each(|(s, place)| by_place.entry(place).or_default().push(s.id.clone()));
        by_place
    };
    let (old, new) = (lists(old), lists(new));
    for (place, ids) in &new {
        let Some(before) = old.get(place) else { continue };
        let stayed: Vec<&String> = ids.iter().filter(|id| before.contains(id)).collect();
        let was: Vec<&String> = before.iter().filter(|id| ids.contains(id)).collect();
        if stayed != was {
            let show = |ids: &[&String]| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            say(all, "", format!("order {place}: was {}, is {}", show(&was), show(&stayed)), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::load;
    use super::*;

    const OLD: &str = "\
name: p
summary: s
autonomy: approve
when: incident.kind == \"c2\"
steps:
  - id: sure
    approve: { question: Block?, approvers: [secops] }
  - id: block
    block_address: { target: incident.peer, ttl: 4h, people: 2, approvers: [netops] }
  - id: check
    verify: all
  - id: tell
    notify: { team: netops, text: done }
sop: x
";

    fn said(changes: &[(&str, &str)]) -> Vec<String> {
        let new = changes.iter().fold(OLD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let read = |text: &str| load("p", "p.yaml", text).unwrap_or_else(|m| panic!("{m:?}"));
        let line = |d: &Difference| format!("{}{}: {}", if d.widens { "! " } else { "" }, d.step, d.words);
        diff(&read(OLD), &read(&new)).iter().map(line).collect()
    }

    #[test]
    fn what_only_looks_different_is_no_difference() {
        assert!(
            said(&[("name: p\n", "# a comment\nname:   p\n"), ("text: done", "text: \"done\"")]).is_empty()
        );
    }

    #[test]
    fn more_power_and_fewer_questions_are_warnings() {
        assert_eq!(said(&[("ttl: 4h", "ttl: 24h")]), ["! block: time to live: was 4h, is 1d"]);
        assert_eq!(said(&[("ttl: 4h", "ttl: 1h")]), ["block: time to live: was 4h, is 1h"]);
        assert_eq!(said(&[("people: 2, ", "")]), ["! block: people who must say yes: was 2, is 1"]);
        assert_eq!(said(&[("[netops]", "[netops, helpdesk]")]), ["! block: helpdesk may say yes now"]);
        assert_eq!(
            said(&[("autonomy: approve\n", "autonomy: act\n")]),
            ["! : autonomy: was approve, is act"]
        );
        assert_eq!(said(&[("autonomy: approve\n", "")]), ["! : autonomy: was approve, is as the route says"]);
        assert_eq!(
            said(&[("target: incident.peer", "target: 'incident.victims[0]'")]),
            ["! block: changes something else: was block incident.peer, is block incident.victims[0]"]
        );
        assert_eq!(
            said(&[("  - id: sure\n    approve: { question: Block?, approvers: [secops] }\n", "")]),
            ["! sure: removed: ask secops: Block?"]
        );
        assert_eq!(
            said(&[("when: incident.kind == \"c2\"", "when: incident.kind != \"scan\"")]),
            ["! : trigger: was when incident.kind == \"c2\", is when incident.kind != \"scan\""]
        );
    }

    #[test]
    fn added_moved_and_reordered_steps_are_told() {
        let all = said(&[(
            "  - id: check\n    verify: all\n  - id: tell\n    notify: { team: netops, text: done }\n",
            "  - id: tell\n    notify: { team: netops, text: done }\n  - id: check\n    verify: all\n  - id: cool\n    wait: 10m\n",
        )]);
        assert_eq!(
            all,
            [
                "cool: added: wait 10m",
                "! : order at the top: was sure, block, check, tell, is sure, block, tell, check"
            ]
        );
        let moved = said(&[(
            "  - id: tell\n    notify: { team: netops, text: done }\n",
            "  - id: maybe\n    if: { condition: incident.severity > 3, then: [{ id: tell, notify: { team: netops, text: done } }] }\n",
        )]);
        assert_eq!(
            moved,
            [
                "maybe: added: look whether incident.severity > 3",
                "tell: moved: was at the top, is in maybe, then"
            ]
        );
    }
}
