//! Loops that multiply, and loops that nothing inside can end.

use stanch_model::Span;

use super::Judge;
use crate::expr::Expr;
use crate::playbook::{Step, StepKind};

/// Most rounds of all loops around a step together.
const MOST_ROUNDS: u64 = 2_000;

/// Longest a `repeat` may go on.
const LONGEST: Span = Span::hours(24 * 30);

/// So many of a length of time.
pub(super) fn times(span: Span, n: u32) -> Span {
    Span(span.0.saturating_mul(i64::from(n)))
}

impl Judge<'_> {
    pub(super) fn loops(&mut self) {
        let playbook = self.playbook;
        self.rounds(&playbook.steps, &[]);
    }

    fn rounds(&mut self, steps: &[Step], around: &[u64]) {
        for step in steps {
            let mut inside = around.to_vec();
            if let StepKind::ForEach { at_most, .. } = &step.kind {
                inside.push(u64::from(*at_most));
            }
            if let StepKind::Repeat { condition, at_most, every, .. } = &step.kind {
                inside.push(u64::from(*at_most));
                self.endless(step, condition, times(*every, *at_most));
            }
            let all: u64 = inside.iter().product();
            if inside.len() > around.len() && all > MOST_ROUNDS {
                let factors = inside.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ");
                let message =
                    format!("the loops around the steps of {} make {factors} = {all} rounds", step.id);
                let help = format!("choose smaller `at_most`; together at most {MOST_ROUNDS}");
                self.wrong(&step.id, ".at_most", message, help);
            }
            step.inner().for_each(|steps| self.rounds(steps, &inside));
        }
    }

    fn endless(&mut self, step: &Step, condition: &Expr, whole: Span) {
        if !condition.variables().iter().any(|v| v == "incident" || v == "steps") {
            let message =
                format!("the condition of {} never changes, so it always runs into `at_most`", step.id);
            let help = "let it read `incident` or what a step inside gives";
            self.wrong(&step.id, ".while", message, help);
        }
        if whole > LONGEST {
            let message = format!("all rounds of {} take {whole}", step.id);
            self.wrong(&step.id, ".at_most", message, format!("{LONGEST} is the longest"));
        }
    }
}
