//! Runs that are asked for by people and by calls from outside, and the tasks that runs put to people.

use serde_json::{Map, Value as Json};
use stanch_core::journal::event::{Answered, Event, RunEnd, RunStarted, TaskAnswered};
use stanch_core::playbook::run::task::{self, TaskError};
use stanch_core::playbook::run::{MAX_OUTPUT, inputs, resume, started};
use stanch_core::playbook::{Playbook, Trigger};
use stanch_model::{IncidentId, RunId, TaskId};
use tokio::sync::oneshot;

use crate::command::{CommandError, Done, Who};
use crate::turn::Turn;

/// What the caller of a hook is told: its answer, or that the run is over without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Replied {
    /// Which run.
    pub run: RunId,
    /// What the playbook answered.
    pub reply: Option<Json>,
    /// How and why the run ended, when it has.
    pub ended: Option<(RunEnd, String)>,
}

/// Somebody who waits for a run's answer.
pub type Waiter = oneshot::Sender<Replied>;

/// What is asked of a run that is to begin.
#[derive(Debug)]
pub struct Start {
    /// Which playbook.
    pub playbook: String,
    /// For which incident, if for one.
    pub incident: Option<IncidentId>,
    /// What it is given, by name.
    pub inputs: Json,
    /// True for a call from outside: the inputs are the call's body, and only hooks may be begun so.
    pub hook: bool,
    /// Told of the answer once it is on disk.
    pub waiter: Option<Waiter>,
}

/// An answer to a task.
#[derive(Clone, Debug)]
pub struct TaskReply {
    /// Which task.
    pub task: TaskId,
    /// The digest of what was shown.
    pub digest: String,
    /// Yes or done; no or cannot be done.
    pub yes: bool,
    /// The form, for work.
    pub values: Json,
    /// In their words.
    pub reason: String,
}

impl Turn<'_> {
    /// Begins a run that somebody asked for.
    pub(crate) fn start(&mut self, asked: Start, by: String) -> Result<Done, CommandError> {
        let name = &asked.playbook;
        let config = self.config();
        let Some(playbook) = config.playbooks.iter().find(|p| p.name == *name) else {
            return Err(CommandError::NotFound(format!("playbook {name}")));
        };
        let incident = match asked.incident {
            None => None,
            Some(id) => Some(self.open_incident(id)?.id),
        };
        let given = given(playbook, &asked, incident)?;
        if given.to_string().len() > MAX_OUTPUT {
            let most = MAX_OUTPUT / 1024;
            return Err(CommandError::Invalid(format!("what is given is larger than {most} KiB")));
        }
        let begun = started(self.state, playbook, incident, given);
        let run = begun.run;
        self.record(Event::RunStarted(RunStarted { by: Some(by), ..begun }));
        if let Some(waiter) = asked.waiter {
            self.waiting.push((run, waiter));
        }
        Ok(Done { message: format!("{run} of {name} has begun"), incident, run: Some(run), ack: None })
    }

    /// Lets a run that ended in a person's hands go on. What it did stays done; what failed begins anew,
    /// before the guard as it is now.
    pub(crate) fn resume(&mut self, id: RunId, who: &Who, reason: &str) -> Result<Done, CommandError> {
        let run = self.state.runs.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        let incident = run.incident;
        let resumed = resume(self.state, run, &who.name, reason).map_err(CommandError::Conflict)?;
        if let Some(incident) = incident {
            self.open_incident(incident)?;
        }
        let from =
            resumed.first().and_then(|r| r.again.first().or(r.on.first())).cloned().unwrap_or_default();
        for event in resumed {
            self.record(Event::RunResumed(event));
        }
        Ok(Done { message: format!("{id} goes on from {from}"), incident, run: Some(id), ack: None })
    }

    /// Open tasks about an incident that is closed are asked no more.
    pub(crate) fn withdraw_tasks(&mut self, incident: IncidentId) {
        let open = |t: &&stanch_core::journal::state::TaskState| {
            t.answered.is_none() && t.task.incident == Some(incident)
        };
        let tasks: Vec<TaskId> = self.state.tasks.values().filter(open).map(|t| t.task.id).collect();
        for task in tasks {
            self.record(Event::TaskAnswered(TaskAnswered {
                task,
                answer: Answered::Withdrawn,
                by: "stanch".into(),
                digest: String::new(),
                values: Json::Null,
                reason: "the incident was closed".into(),
                seal: String::new(),
            }));
        }
    }

    /// Takes an answer to a task, or says why it does not count.
    pub(crate) fn answer_task(&mut self, reply: TaskReply, who: &Who) -> Result<Done, CommandError> {
        let id = reply.task;
        let asked = self.state.tasks.get(&id).ok_or_else(|| CommandError::NotFound(id.to_string()))?;
        if let Some((at, e)) = &asked.answered {
            return Err(CommandError::Conflict(format!(
                "{id} was answered by {} at {at}; this changes nothing",
                e.by
            )));
        }
        let weighed = task::Reply {
            person: &who.name,
            role: who.role,
            teams: &who.teams,
            digest: &reply.digest,
            yes: reply.yes,
            values: &reply.values,
        };
        let values = match &asked.task.ask {
            task::Ask::Work { form } => {
                let wanted: Vec<_> = form.iter().map(task::Field::param).collect();
                inputs::typed(&wanted, reply.values.clone())
            }
            task::Ask::Decision => Json::Null,
        };
        let weighed = task::Reply { values: &values, ..weighed };
        let values = task::weigh(&asked.task, &weighed, self.now).map_err(|e| match e {
            TaskError::Refused(why) => CommandError::Refused(why),
            TaskError::Conflict(why) => CommandError::Conflict(why),
            TaskError::Invalid(why) => CommandError::Invalid(why),
        })?;
        let (run, incident) = (asked.task.run, asked.task.incident);
        let answer = if reply.yes { Answered::Approved } else { Answered::Denied };
        let (by, digest, reason, seal) = (who.name.clone(), reply.digest, reply.reason, String::new());
        let answered = TaskAnswered { task: id, answer, by, digest, values, reason, seal };
        let seal = if reply.yes { self.rules.seal.of_answer(&answered) } else { String::new() };
        self.record(Event::TaskAnswered(TaskAnswered { seal, ..answered }));
        let word = if reply.yes { "answered; the run goes on" } else { "refused" };
        Ok(Done { message: format!("{id} is {word}"), incident, run: Some(run), ack: None })
    }
}

/// What the run is given, checked: a hook gets the body under `body` where it asks for one.
fn given(playbook: &Playbook, asked: &Start, incident: Option<IncidentId>) -> Result<Json, CommandError> {
    let name = &playbook.name;
    let given = match (&playbook.trigger, asked.hook) {
        (Trigger::Hook, _) if incident.is_some() => {
            return Err(CommandError::Invalid(format!(
                "{name} answers calls from outside and knows no incident"
            )));
        }
        (Trigger::Hook, true) => {
            let wanted = playbook.inputs.iter().any(|p| p.name == "body");
            let body = wanted.then(|| ("body".to_owned(), asked.inputs.clone()));
            Json::Object(Map::from_iter(body))
        }
        (Trigger::Incident(_) | Trigger::Called, true) => {
            return Err(CommandError::NotFound(format!("hook {name}")));
        }
        (Trigger::Incident(_), false) if incident.is_none() => {
            return Err(CommandError::Invalid(format!("{name} is about an incident: say which one")));
        }
        (Trigger::Hook | Trigger::Incident(_) | Trigger::Called, false) => {
            inputs::typed(&playbook.inputs, asked.inputs.clone())
        }
    };
    inputs::check(&playbook.inputs, &given).map_err(CommandError::Invalid)
}
