//! Steps around other steps: one way or the other, several at once, again and again.

use serde_json::Value as Json;
use stanch_model::{Span, Timestamp};

use super::stop;
use super::walk::{At, Flow, MAX_OUTPUT, Next, WaitsFor, Walk, join};
use crate::expr::Expr;
use crate::journal::event::{Event, StepBegan, StepEnd};
use crate::playbook::{Join, Step};

type Kind = Result<Next, Flow>;

impl<'a> Walk<'a> {
    pub(super) fn if_step(
        &mut self,
        at: At<'a, '_>,
        condition: &Expr,
        then: &'a [Step],
        otherwise: &'a [Step],
    ) -> Kind {
        let way = match at.state.and_then(|s| s.more().way.as_deref()) {
            Some(way) => way.to_owned(),
            None => match condition.test(&self.scope([condition])) {
                Ok(yes) => {
                    let way = if yes { "then" } else { "else" };
                    let steps = if yes { then } else { otherwise };
                    return Ok(self.took(at, way, steps));
                }
                Err(e) => return Ok(Next::Failed(format!("its condition cannot be told: {e}"))),
            },
        };
        let steps = if way == "then" { then } else { otherwise };
        self.inside(at, steps, &way)
    }

    pub(super) fn switch(
        &mut self,
        at: At<'a, '_>,
        on: &Expr,
        cases: &'a [(String, Vec<Step>)],
        default: Option<&'a [Step]>,
    ) -> Kind {
        if let Some(way) = at.state.and_then(|s| s.more().way.as_deref()) {
            let case = way.strip_prefix("case").and_then(|n| n.parse::<usize>().ok());
            let steps = case.and_then(|n| cases.get(n)).map(|(_, steps)| steps.as_slice()).or(default);
            return self.inside(at, steps.unwrap_or_default(), way);
        }
        let value = match on.eval(&self.scope([on])) {
            Ok(Json::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(e) => return Ok(Next::Failed(format!("what to switch on cannot be told: {e}"))),
        };
        Ok(match (cases.iter().position(|(case, _)| *case == value), default) {
            (Some(n), _) => self.took(at, &format!("case{n}"), &cases[n].1),
            (None, Some(steps)) => self.took(at, "default", steps),
            (None, None) => Next::Failed(format!("no case fits \"{value}\", and there is no default")),
        })
    }

    /// A way was chosen: remembered, so that it stays chosen whatever changes.
    fn took(&self, at: At<'_, '_>, way: &str, steps: &[Step]) -> Next {
        if steps.is_empty() {
            return Next::done(format!("took the way \"{way}\""));
        }
        let (run, path, way) = (self.run.id, at.path.to_owned(), way.to_owned());
        Next::Facts(vec![Event::StepBegan(StepBegan { run, path, round: 0, way, items: Vec::new() })])
    }

    fn inside(&mut self, at: At<'a, '_>, steps: &'a [Step], way: &str) -> Kind {
        match self.sequence(steps, &join(at.path, way)) {
            Flow::Over => Ok(Next::done(format!("took the way \"{way}\""))),
            Flow::Wait => Ok(Next::Wait),
            other => Err(other),
        }
    }

    pub(super) fn parallel(
        &mut self,
        at: At<'a, '_>,
        branches: &'a [(String, Vec<Step>)],
        until: Join,
    ) -> Kind {
        if at.state.is_none() {
            return Ok(Next::Facts(vec![self.began(at.path)]));
        }
        let mut over = 0;
        for (name, steps) in branches {
            match self.sequence(steps, &join(at.path, name)) {
                Flow::Over if until == Join::Any => {
                    let why = format!("branch {name} was first");
                    let others = branches.iter().map(|(other, _)| other).filter(|other| *other != name);
                    let stopped = others
                        .flat_map(|o| stop::branch(self.world, self.run, &join(at.path, o), &why))
                        .collect();
                    let output = serde_json::json!({ "first": name });
                    return Ok(match Next::gives(why, output) {
                        Next::Done(_, done) => Next::Done(stopped, done),
                        other => other,
                    });
                }
                Flow::Over => over += 1,
                Flow::Wait => {}
                other => return Err(other),
            }
        }
        if over == branches.len() { Ok(Next::done("all branches are done")) } else { Ok(Next::Wait) }
    }

    pub(super) fn for_each(
        &mut self,
        at: At<'a, '_>,
        variable: &str,
        list: &Expr,
        at_most: u32,
        steps: &'a [Step],
    ) -> Kind {
        let Some(state) = at.state else {
            return Ok(self.list(at, list, at_most));
        };
        let items = state.more().items.as_deref().unwrap_or_default();
        let round = state.round;
        let Some(item) = items.get(round as usize) else {
            return Ok(Next::done("nothing to go through"));
        };
        self.loops.push((variable.to_owned(), item.clone()));
        let flow = self.sequence(steps, &join(at.path, &round.to_string()));
        self.loops.pop();
        match flow {
            Flow::Over if round as usize + 1 < items.len() => Ok(self.round(at, round + 1)),
            Flow::Over => {
                let output = serde_json::json!({ "rounds": items.len() });
                Ok(Next::gives(format!("went through {}", items.len()), output))
            }
            Flow::Wait => Ok(Next::Wait),
            other => Err(other),
        }
    }

    fn list(&self, at: At<'_, '_>, list: &Expr, at_most: u32) -> Next {
        let items = match list.eval(&self.scope([list])) {
            Ok(Json::Array(items)) => items,
            Ok(_) => return Next::Failed("what to go through is not a list".into()),
            Err(e) => return Next::Failed(format!("what to go through cannot be told: {e}")),
        };
        if items.is_empty() {
            return Next::gives("nothing to go through", serde_json::json!({ "rounds": 0 }));
        }
        if items.len() > at_most as usize {
            return Next::Failed(format!(
                "the list holds {}, and at most {at_most} are allowed",
                items.len()
            ));
        }
        if serde_json::to_vec(&items).map_or(true, |json| json.len() > MAX_OUTPUT) {
            return Next::Failed(format!("the list is larger than {} KiB", MAX_OUTPUT / 1024));
        }
        let (run, path) = (self.run.id, at.path.to_owned());
        Next::Facts(vec![Event::StepBegan(StepBegan { run, path, round: 0, way: String::new(), items })])
    }

    fn round(&self, at: At<'_, '_>, round: u32) -> Next {
        let (run, path) = (self.run.id, at.path.to_owned());
        let began = StepBegan { run, path, round, way: String::new(), items: Vec::new() };
        Next::Facts(vec![Event::StepBegan(began)])
    }

    pub(super) fn repeat(
        &mut self,
        at: At<'a, '_>,
        condition: &Expr,
        at_most: u32,
        every: Span,
        steps: &'a [Step],
    ) -> Kind {
        let Some(state) = at.state else {
            return Ok(match condition.test(&self.scope([condition])) {
                Ok(true) => self.round(at, 0),
                Ok(false) => Next::gives("not once", serde_json::json!({ "rounds": 0 })),
                Err(e) => Next::Failed(format!("its condition cannot be told: {e}")),
            });
        };
        let round = state.round;
        let around = join(at.path, &round.to_string());
        match self.sequence(steps, &around) {
            Flow::Over => {}
            Flow::Wait => return Ok(Next::Wait),
            other => return Err(other),
        }
        let due = self.round_over(steps, &around).unwrap_or(state.began).plus(every);
        if due > self.world.now {
            self.waits.push(WaitsFor::Time(due));
            return Ok(Next::Wait);
        }
        Ok(match condition.test(&self.scope([condition])) {
            Ok(true) if round + 1 >= at_most => {
                Next::Failed(format!("its condition still holds after {at_most} rounds"))
            }
            Ok(true) => self.round(at, round + 1),
            Ok(false) => {
                let rounds = round + 1;
                Next::gives(format!("{rounds} rounds"), serde_json::json!({ "rounds": rounds }))
            }
            Err(e) => Next::Failed(format!("its condition cannot be told: {e}")),
        })
    }

    /// When the last step of a round was over.
    fn round_over(&self, steps: &[Step], around: &str) -> Option<Timestamp> {
        let over = steps.iter().filter_map(|s| self.run.step(&join(around, &s.id))?.over.as_ref());
        over.filter(|o| o.end != StepEnd::Stopped).map(|o| o.at).max()
    }
}
