//! A plan in plain English: what starts it, what it does step by step, who is asked, what it may
//! change, how that is undone, and who is told.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Act, Change, Join, OnFailure, Playbook, Step, StepKind, Trigger, Type, Wait};

/// The whole plan, in lines without colour.
#[must_use]
pub fn explain(playbook: &Playbook) -> String {
    let mut text = format!("{} - {}\n\n", playbook.name, playbook.summary);
    let _ = writeln!(text, "Starts when\n  {}", starts(playbook));
    if !playbook.inputs.is_empty() {
        text.push_str("\nIs given\n");
        for p in &playbook.inputs {
            let default = p.default.as_ref().map_or(String::new(), |d| format!(", {d} when left out"));
            let about = if p.about.is_empty() { String::new() } else { format!(" - {}", p.about) };
            let _ = writeln!(text, "  {}: {}{default}{about}", p.name, type_words(&p.kind));
        }
    }
    text.push_str("\nStep by step\n");
    lines(&playbook.steps, "", 1, &mut text);
    for (title, items) in summary(playbook) {
        let _ = writeln!(text, "\n{title}");
        if items.is_empty() {
            text.push_str("  nothing\n");
        }
        items.iter().for_each(|item| {
            let _ = writeln!(text, "  {item}");
        });
    }
    let labels = [("ATT&CK", &playbook.attack), ("CSF", &playbook.csf), ("RE&CT", &playbook.react)];
    for (name, labels) in labels.iter().filter(|(_, labels)| !labels.is_empty()) {
        let _ = write!(text, "\n{name}: {}", labels.join(", "));
    }
    if !playbook.outputs.is_empty() {
        let all: Vec<String> =
            playbook.outputs.iter().map(|(n, e)| format!("{n} = {}", e.source())).collect();
        let _ = write!(text, "\nGives back: {}", all.join(", "));
    }
    let _ = writeln!(text, "\nVersion {}", &playbook.hash[..playbook.hash.len().min(12)]);
    text
}

fn starts(playbook: &Playbook) -> String {
    let start = match &playbook.trigger {
        Trigger::Incident(when) => format!("an incident fits: {}", one_line(when.source())),
        Trigger::Hook => format!("somebody calls POST /api/v1/hooks/{}", playbook.name),
        Trigger::Called => "another playbook or a person runs it".to_owned(),
    };
    match playbook.autonomy {
        Some(autonomy) => format!("{start}\n  and goes no further by itself than: {}", autonomy.word()),
        None => start,
    }
}

/// In the words of a form.
#[must_use]
pub fn type_words(of: &Type) -> String {
    super::load::kind_of(of).to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Numbered lines: `2.1 block: …`.
fn lines(steps: &[Step], number: &str, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (n, step) in steps.iter().enumerate() {
        let number = format!("{number}{}", n + 1);
        let _ = writeln!(text, "{indent}{number}. {}: {}", step.id, words(step));
        let more = format!("{indent}   ");
        if !step.about.is_empty() {
            let _ = writeln!(text, "{more}because: {}", step.about);
        }
        if let Some(when) = &step.when {
            let _ = writeln!(text, "{more}only if {}", one_line(when.source()));
        }
        conditions(step, &more, text);
        for (title, inside) in ways(step) {
            if let Some(title) = title {
                let _ = writeln!(text, "{more}{title}");
            }
            lines(inside, &format!("{number}."), depth + 2, text);
        }
    }
}

fn conditions(step: &Step, more: &str, text: &mut String) {
    if step.retry.times > 0 {
        let _ = writeln!(
            text,
            "{more}tried again up to {} times, first after {}",
            step.retry.times, step.retry.wait
        );
    }
    if let Some(timeout) = step.timeout {
        let _ = writeln!(text, "{more}given up after {timeout}");
    }
    match &step.on_failure {
        OnFailure::Hand | OnFailure::Steps(_) => {}
        OnFailure::Continue => {
            let _ = writeln!(text, "{more}if it fails, the run goes on");
        }
        OnFailure::Unwind => {
            let _ = writeln!(text, "{more}if it fails, everything done so far is undone");
        }
    }
}

/// The lists of steps inside, each with its title.
pub(super) fn ways(step: &Step) -> Vec<(Option<String>, &[Step])> {
    let mut all: Vec<(Option<String>, &[Step])> = match &step.kind {
        StepKind::If { then, otherwise, .. } => {
            let no: Option<(Option<String>, &[Step])> =
                (!otherwise.is_empty()).then_some((Some("otherwise".to_owned()), otherwise));
            [(Some("then".to_owned()), &then[..])].into_iter().chain(no).collect()
        }
        StepKind::Switch { cases, default, .. } => cases
            .iter()
            .map(|(case, steps)| (Some(format!("case {case}")), &steps[..]))
            .chain(default.as_deref().map(|steps| (Some("in any other case".to_owned()), steps)))
            .collect(),
        StepKind::Parallel { branches, .. } => {
            branches.iter().map(|(name, steps)| (Some(format!("branch {name}")), &steps[..])).collect()
        }
        StepKind::ForEach { steps, .. } | StepKind::Repeat { steps, .. } => vec![(None, &steps[..])],
        StepKind::Act(_)
        | StepKind::Enrich { .. }
        | StepKind::Fetch { .. }
        | StepKind::Set { .. }
        | StepKind::Wait(_)
        | StepKind::Approve { .. }
        | StepKind::Manual { .. }
        | StepKind::Notify { .. }
        | StepKind::Verify
        | StepKind::Call { .. }
        | StepKind::Reply { .. } => Vec::new(),
    };
    if let OnFailure::Steps(steps) = &step.on_failure {
        all.push((Some("if it fails".to_owned()), steps));
    }
    if !step.compensate.is_empty() {
        all.push((Some("undone by".to_owned()), &step.compensate));
    }
    all
}

/// What one step does.
#[must_use]
pub fn words(step: &Step) -> String {
    let given = |inputs: &[(String, crate::expr::Expr)]| {
        let all: Vec<String> =
            inputs.iter().map(|(n, e)| format!("{n} = {}", one_line(e.source()))).collect();
        if all.is_empty() { String::new() } else { format!(" with {}", all.join(", ")) }
    };
    match &step.kind {
        StepKind::Act(act) => acting(act),
        StepKind::Enrich { about } => format!("ask all enrichers about {}", one_line(about.source())),
        StepKind::Fetch { call, inputs } => format!("ask {call}{}", given(inputs)),
        StepKind::Set { values } => format!("compute{}", given(values).replacen(" with", "", 1)),
        StepKind::If { condition, .. } => format!("look whether {}", one_line(condition.source())),
        StepKind::Switch { on, .. } => format!("choose by {}", one_line(on.source())),
        StepKind::Parallel { until: Join::All, .. } => "all at once, until all are done".to_owned(),
        StepKind::Parallel { until: Join::Any, .. } => "all at once, until the first is done".to_owned(),
        StepKind::ForEach { variable, list, at_most, .. } => {
            format!("for each {variable} of {}, at most {at_most}", one_line(list.source()))
        }
        StepKind::Repeat { condition, at_most, every, .. } => {
            format!("every {every} while {}, at most {at_most} times", one_line(condition.source()))
        }
        StepKind::Wait(Wait::For(span)) => format!("wait {span}"),
        StepKind::Wait(Wait::Lifted) => "wait until every change is lifted".to_owned(),
        StepKind::Wait(Wait::Until { condition, at_most }) => {
            format!("wait until {}, at most {at_most}", one_line(condition.source()))
        }
        StepKind::Approve { question, approvers, .. } => {
            format!("ask {}: {}", approvers.join(" or "), one_line(question.source()))
        }
        StepKind::Manual { task, team, form, .. } => {
            let fields: Vec<&str> = form.iter().map(|p| p.name.as_str()).collect();
            let answer =
                if fields.is_empty() { String::new() } else { format!(" (answers {})", fields.join(", ")) };
            format!("a person of {team}: {}{answer}", one_line(task.source()))
        }
        StepKind::Notify { team, text } => format!("tell {team}: {}", one_line(text.source())),
        StepKind::Verify => "look again whether every change is in place".to_owned(),
        StepKind::Call { playbook, inputs } => format!("run playbook {playbook}{}", given(inputs)),
        StepKind::Reply { values } => format!("answer the caller{}", given(values)),
    }
}

/// A change in words, its expressions as written.
#[must_use]
pub fn change_words(change: &Change) -> String {
    let source = |e: &crate::expr::Expr| one_line(e.source());
    match change {
        Change::BlockAddress { target } => format!("block {}", source(target)),
        Change::LimitAddress { target, packets_per_second } => {
            format!("limit {} to {packets_per_second} packets a second", source(target))
        }
        Change::BlockPort { target, protocol, port } => {
            format!("block {} port {port} of {}", protocol.word(), source(target))
        }
        Change::QuarantinePort { port, vlan } => {
            format!("put switch port {} into the quarantine VLAN {vlan}", source(port))
        }
        Change::LockAccount { account } => format!("lock account {}", source(account)),
        Change::UnlockAccount { account } => format!("unlock account {}", source(account)),
        Change::ResetCredential { account } => format!("reset the password of {}", source(account)),
        Change::RemoveFromGroup { account, group } => {
            format!("take {} out of group {}", source(account), source(group))
        }
        Change::SinkholeDomain { domain } => format!("sinkhole {}", source(domain)),
        Change::Call { call, subject, .. } => format!("{call} for {}", source(subject)),
    }
}

fn acting(act: &Act) -> String {
    let until = match (act.undo, act.ttl) {
        (false, _) => ", for good".to_owned(),
        (true, Some(ttl)) => format!(", for {ttl}"),
        (true, None) => ", for the policy's default time".to_owned(),
    };
    let people = if act.people > 1 { format!(" ({} people)", act.people) } else { String::new() };
    let asked = if act.approvers.is_empty() { "nobody".to_owned() } else { act.approvers.join(" or ") };
    format!("{}{until}; when the guard asks, {asked} decides{people}", change_words(&act.change))
}

/// What the plan comes to, under four titles.
fn summary(playbook: &Playbook) -> Vec<(&'static str, Vec<String>)> {
    let (mut asked, mut changed, mut undone, mut told) =
        (BTreeSet::new(), Vec::new(), Vec::new(), BTreeSet::new());
    for step in playbook.all_steps() {
        match &step.kind {
            StepKind::Act(act) => {
                changed.push(format!("{} ({})", change_words(&act.change), step.id));
                asked.extend(act.approvers.iter().map(|t| format!("{t}, before {}", step.id)));
                undone.push(format!("{}: {}", step.id, undo_words(step, act)));
                told.insert("the NOC, with every change (when `noc_team` is set)".to_owned());
            }
            StepKind::Approve { approvers, .. } => {
                asked.extend(approvers.iter().map(|t| format!("{t}, in {}", step.id)));
            }
            StepKind::Manual { team, .. } => drop(asked.insert(format!("{team}, to do {}", step.id))),
            StepKind::Notify { team, .. } => drop(told.insert(team.clone())),
            StepKind::Call { playbook, .. } => {
                changed.push(format!("whatever playbook {playbook} changes ({})", step.id))
            }
            StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Parallel { .. }
            | StepKind::ForEach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Wait(_)
            | StepKind::Verify
            | StepKind::Reply { .. } => {}
        }
    }
    vec![
        ("Who is asked", asked.into_iter().collect()),
        ("What it may change", changed),
        ("How it is undone", undone),
        ("Who is told", told.into_iter().collect()),
    ]
}

fn undo_words(step: &Step, act: &Act) -> String {
    if !step.compensate.is_empty() {
        let ids: Vec<&str> = step.compensate.iter().map(|s| s.id.as_str()).collect();
        return format!("by {}", ids.join(", "));
    }
    match (act.undo, act.ttl) {
        (false, _) => "not at all".to_owned(),
        (true, Some(ttl)) => format!("by itself after {ttl}, or earlier by a person (`stanch release`)"),
        (true, None) => "by itself after the policy's default time, or earlier by a person".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::load;
    use super::*;

    #[test]
    fn the_shipped_playbook_reads_as_english() {
        let text = include_str!("../../../../playbooks/c2-beacon.yaml");
        let playbook = load("c2-beacon", "playbooks/c2-beacon.yaml", text).expect("valid");
        let said = explain(&playbook);
        let (said, _) = said.split_once("\nVersion").expect("a version");
        assert_eq!(said.trim_end(), include_str!("explain.txt").trim_end(), "{said}");
    }

    #[test]
    fn every_kind_of_step_has_words() {
        let text = include_str!("load/everything.yaml");
        let playbook = load("everything", "playbooks/everything.yaml", text).expect("valid");
        let said = explain(&playbook);
        for step in playbook.all_steps() {
            assert!(said.contains(&format!(" {}: {}", step.id, words(step))), "{}", step.id);
        }
        assert!(said.contains("reset: not at all"), "{said}");
        assert!(said.contains("tried again up to 2 times, first after 5s"));
    }
}
