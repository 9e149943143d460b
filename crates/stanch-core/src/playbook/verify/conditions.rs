//! Triggers that never match, conditions that are never or always true, and steps nobody reaches.

use super::Judge;
use crate::expr::{Expr, Kind, Known, Truth, truth};
use crate::playbook::load::{incident_ranges, incident_words};
use crate::playbook::{OnFailure, Step, StepKind, Trigger, Wait};

/// Conditions that certainly hold, or certainly do not, where a step stands.
type Given<'p> = Vec<(&'p Expr, bool)>;

impl<'p> Judge<'p> {
    pub(super) fn conditions(&mut self) {
        let known = Known { words: incident_words(), ranges: incident_ranges(), ..Known::default() };
        if let Trigger::Incident(when) = &self.playbook.trigger
            && let Truth::Never(why) = truth(&[(when, true)], &known)
        {
            let message = format!("no incident ever starts this playbook: {why}");
            self.wrong(
                "",
                ".when",
                message,
                "mend the condition; `stanch playbook explain` shows it in words",
            );
        }
        let playbook = self.playbook;
        self.ways(&playbook.steps, &Vec::new(), &known);
    }

    fn ways(&mut self, steps: &'p [Step], given: &Given<'p>, known: &Known) {
        for step in steps {
            let mut here = given.clone();
            if let Some(when) = &step.when {
                self.when(step, when, given, known);
                push(&mut here, when, true);
            }
            self.inside(step, &here, known);
            if let OnFailure::Steps(steps) = &step.on_failure {
                self.ways(steps, &here, known);
            }
            self.ways(&step.compensate, &here, known);
        }
    }

    fn when(&mut self, step: &Step, when: &'p Expr, given: &Given<'p>, known: &Known) {
        match self.judged(when, given, known) {
            Truth::Never(why) => {
                let message = format!("step {} is always skipped: {why}", step.id);
                self.wrong(&step.id, ".when", message, "mend the condition, or take the step out");
            }
            Truth::Always => {
                let message = format!("step {} is never skipped: its `when` is always true", step.id);
                self.odd(&step.id, ".when", message, "take the `when` out");
            }
            Truth::Maybe => {}
        }
    }

    fn judged(&self, expr: &'p Expr, given: &Given<'p>, known: &Known) -> Truth {
        let all: Given<'p> = given.iter().copied().chain([(expr, true)]).collect();
        truth(&all, known)
    }

    fn inside(&mut self, step: &'p Step, given: &Given<'p>, known: &Known) {
        match &step.kind {
            StepKind::If { condition, then, otherwise } => {
                self.if_else(step, condition, otherwise, given, known);
                for (steps, yes) in [(then, true), (otherwise, false)] {
                    let mut way = given.clone();
                    push(&mut way, condition, yes);
                    self.ways(steps, &way, known);
                }
            }
            StepKind::Switch { on, cases, default } => {
                self.switch(step, on, cases, default.is_some());
                cases.iter().for_each(|(_, steps)| self.ways(steps, given, known));
                self.ways(default.as_deref().unwrap_or_default(), given, known);
            }
            StepKind::Parallel { branches, .. } => {
                branches.iter().for_each(|(_, steps)| self.ways(steps, given, known));
            }
            StepKind::ForEach { steps, .. } => self.ways(steps, given, known),
            StepKind::Repeat { condition, steps, .. } => {
                if let Truth::Never(why) = self.judged(condition, given, known) {
                    let message = format!("the steps of {} never run: {why}", step.id);
                    self.wrong(&step.id, ".while", message, "mend the condition");
                }
                self.ways(steps, given, known);
            }
            StepKind::Wait(Wait::Until { condition, .. }) => match self.judged(condition, given, known) {
                Truth::Never(why) => {
                    let message = format!("step {} waits in vain: {why}", step.id);
                    self.wrong(&step.id, ".until", message, "mend the condition");
                }
                Truth::Always => {
                    let message = format!("step {} never waits: its condition is always true", step.id);
                    self.wrong(&step.id, ".until", message, "mend the condition, or take the step out");
                }
                Truth::Maybe => {}
            },
            StepKind::Wait(Wait::For(_) | Wait::Lifted)
            | StepKind::Act(_)
            | StepKind::Enrich { .. }
            | StepKind::Fetch { .. }
            | StepKind::Set { .. }
            | StepKind::Approve { .. }
            | StepKind::Manual { .. }
            | StepKind::Notify { .. }
            | StepKind::Verify
            | StepKind::Call { .. }
            | StepKind::Reply { .. } => {}
        }
    }

    fn if_else(
        &mut self,
        step: &Step,
        condition: &'p Expr,
        otherwise: &[Step],
        given: &Given<'p>,
        known: &Known,
    ) {
        match self.judged(condition, given, known) {
            Truth::Never(why) => {
                let message = format!("the steps under `then` of {} never run: {why}", step.id);
                self.wrong(&step.id, ".condition", message, "mend the condition");
            }
            Truth::Always if otherwise.is_empty() => {
                let message = format!("the condition of {} is always true", step.id);
                self.wrong(&step.id, ".condition", message, "mend it, or take the `if` away");
            }
            Truth::Always => {
                let message =
                    format!("the steps under `else` of {} never run: its condition is always true", step.id);
                self.wrong(&step.id, ".condition", message, "mend the condition");
            }
            Truth::Maybe => {}
        }
    }

    /// Cases that cannot match, and a default nobody reaches.
    fn switch(&mut self, step: &Step, on: &Expr, cases: &[(String, Vec<Step>)], default: bool) {
        let words: Option<Vec<&str>> = match self.playbook.places.kind(&step.id, "on") {
            Some(Kind::Bool) => Some(vec!["false", "true"]),
            Some(_) | None => incident_words().remove(on.source().trim()),
        };
        let whole = self.playbook.places.kind(&step.id, "on") == Some(&Kind::Int);
        for (case, _) in cases {
            let key = format!("case {case}");
            if let Some(words) = words.as_deref().filter(|words| !words.contains(&case.as_str())) {
                let help = crate::config::mistake::suggest(case, "values", words.iter().copied());
                let message =
                    format!("case \"{case}\" of {} never matches: `{}`", step.id, on.source().trim());
                self.wrong(&step.id, &key, format!("{message} is never that"), help);
            } else if whole && case.parse::<i64>().is_err() {
                let message = format!("case \"{case}\" of {} never matches: `on` is a whole number", step.id);
                self.wrong(&step.id, &key, message, "write a whole number");
            }
        }
        if default
            && let Some(words) = words
            && words.iter().all(|w| cases.iter().any(|(case, _)| case == w))
        {
            let message = format!("the `default` of {} is never reached: every value has a case", step.id);
            self.wrong(&step.id, ".default", message, "take it out");
        }
    }
}

/// Adds what cannot change while the run goes on: an incident can, an input cannot.
fn push<'p>(given: &mut Given<'p>, expr: &'p Expr, yes: bool) {
    if expr.variables().iter().all(|v| v == "inputs" || v == "run") {
        given.push((expr, yes));
    }
}
