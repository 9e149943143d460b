//! Runs begun from outside and by hand, with calls that fail and restarts in between.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use stanch_core::journal::event::RunEnd;
use stanch_engine::command::{CommandError, Who};
use stanch_engine::{Command, Hand, Outcome, Replied, Start, TaskReply};
use stanch_model::port::Caller;
use stanch_model::{EffectId, Failure, RunId, Span, TaskId};
use stanch_store::MemoryJournal;
use tokio::sync::oneshot;

use crate::world::{START, World, lead};

/// Answers with what it was asked; knows nobody called `nobody`.
pub struct Echo;

#[async_trait::async_trait]
impl Caller for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn changes(&self, call: &str) -> Option<bool> {
        (call == "echo").then_some(false)
    }

    async fn call(&self, _: &str, _: &str, inputs: &BTreeMap<String, String>) -> Result<Json, Failure> {
        if inputs.values().any(|v| v == "nobody") {
            return Err(Failure::permanent("no such thing"));
        }
        Ok(json!(inputs))
    }
}

const HOOK: (&str, &str) = (
    "playbooks/greet.yaml",
    "name: greet\nsummary: say hello\non: hook\ninputs: { body: { type: map } }\nsteps:\n  - id: check\n    if:\n      condition: inputs.body.n > 0\n      then: [ { id: ok, set: { word: '\"yes\"' } } ]\n      else: [ { id: no, set: { word: '\"no\"' } } ]\n  - { id: map, set: { name: inputs.body.name } }\n  - { id: call, retry: { times: 2, wait: 1s }, fetch: { call: echo, with: { name: steps.map.name } } }\n  - { id: answer, reply: { hello: steps.call.name } }\nsop: by hand\n",
);

const CALLS: (&str, &str) = (
    "connectors/calls.yaml",
    "responders:\n  - name: http\n    type: http\n    allow: [ '127.0.0.1:9' ]\n    allow_private: [ 127.0.0.1/32 ]\n    calls:\n      - { name: echo, inputs: { name: text }, changes: false, ask: { url: 'http://127.0.0.1:9/echo' } }\n",
);

const ASK: (&str, &str) = (
    "playbooks/ask.yaml",
    "name: ask\nsummary: find a port\non: called\noutputs: { port: steps.find.port }\nsteps:\n  - { id: find, manual: { task: find the port, team: secops, form: { port: { type: port } } } }\nsop: by hand\n",
);

async fn called(w: &World, body: Json) -> Result<Replied, CommandError> {
    let (waiter, answer) = oneshot::channel();
    let asked =
        Start { playbook: "greet".into(), incident: None, inputs: body, hook: true, waiter: Some(waiter) };
    w.order(Command::Start { asked, who: lead() }).await?;
    Ok(answer.await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_outside_is_answered_once_its_run_is_on_disk() {
    let w = World::with(&[CALLS, HOOK]).await;
    let replied = called(&w, json!({"n": 1, "name": "anna"})).await.unwrap();
    assert_eq!(replied.reply, Some(json!({"hello": "anna"})));
    let on_disk = stanch_engine::recover(&w.journal.reopen()).unwrap();
    assert_eq!(
        on_disk.runs[&RunId(1)].reply(),
        replied.reply,
        "the answer was journalled before it was given"
    );
    let paths: Vec<String> =
        w.engine.read(|s| s.runs[&RunId(1)].over().map(|(p, ..)| p.to_owned()).collect());
    assert_eq!(paths, ["check/then/ok", "check", "map", "call", "answer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_for_good_ends_the_run_and_tells_the_caller() {
    let w = World::with(&[CALLS, HOOK]).await;
    let replied = called(&w, json!({"n": 1, "name": "nobody"})).await.unwrap();
    assert_eq!(replied.reply, None);
    assert!(matches!(replied.ended, Some((RunEnd::Handed, why)) if why.contains("no such thing")));
    w.until("a person is told", |s| s.pending.is_empty()).await;
    let told = |m: &stanch_connectors::notifier::sink::Received| {
        m.header("Subject").is_some_and(|s| s.contains("greet needs a person"))
    };
    assert!(w.mail.mails().iter().any(told));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hook_is_given_is_checked_and_only_hooks_are_called_from_outside() {
    let w = World::with(&[CALLS, HOOK, ASK]).await;
    let ask = |playbook: &str, hook, inputs| {
        let asked = Start { playbook: playbook.into(), incident: None, inputs, hook, waiter: None };
        w.order(Command::Start { asked, who: lead() })
    };
    assert!(matches!(ask("greet", true, json!([1])).await, Err(CommandError::Invalid(_))));
    assert!(matches!(ask("ask", true, json!({})).await, Err(CommandError::NotFound(_))));
    assert!(matches!(ask("nothing", true, json!({})).await, Err(CommandError::NotFound(_))));
    assert!(
        matches!(ask("c2", false, json!({})).await, Err(CommandError::Invalid(_))),
        "c2 needs an incident"
    );
    assert!(matches!(ask("ask", false, json!({"x": "1"})).await, Err(CommandError::Invalid(_))));
    w.engine.read(|s| assert!(s.runs.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_survives_a_restart_and_its_answer_counts_once() {
    let w = World::with(&[ASK]).await;
    let asked =
        Start { playbook: "ask".into(), incident: None, inputs: Json::Null, hook: false, waiter: None };
    w.order(Command::Start { asked, who: lead() }).await.unwrap();
    let w = w.restart().await;
    let digest = w.engine.read(|s| s.tasks[&TaskId(1)].task.digest());
    let reply = TaskReply {
        task: TaskId(1),
        digest,
        yes: true,
        values: json!({"port": "ge-0/0/7"}),
        reason: String::new(),
    };
    let stranger = Who { teams: ["netops".to_owned()].into(), ..lead() };
    let order = |reply: TaskReply, who: Who| w.order(Command::AnswerTask { reply, who });
    assert!(matches!(order(reply.clone(), stranger).await, Err(CommandError::Refused(_))));
    let empty = TaskReply { values: json!({}), ..reply.clone() };
    assert!(matches!(order(empty, lead()).await, Err(CommandError::Invalid(_))));
    order(reply.clone(), lead()).await.unwrap();
    assert!(matches!(order(reply, lead()).await, Err(CommandError::Conflict(_))));
    w.engine.read(|s| assert_eq!(s.runs[&RunId(1)].output.value(), json!({"port": "ge-0/0/7"})));
}

/// A run by hand, stopped after each of its commits and begun again: it always ends the same way, no
/// step runs twice, and the call keeps its key.
#[test]
fn a_run_goes_on_after_a_crash_behind_every_commit() {
    let rules = crate::world::rules_of(&[(CALLS.0, CALLS.1.to_owned()), (HOOK.0, HOOK.1.to_owned())]);
    let rules = || rules.clone();
    let play = |crash_after: u64| -> (String, Vec<EffectId>, u64) {
        let journal = MemoryJournal::new();
        let open = |now| Hand::open(Box::new(journal.reopen()), rules(), now).unwrap();
        let mut now = START;
        let mut hand = open(now);
        let asked = Start {
            playbook: "greet".into(),
            incident: None,
            inputs: json!({"n": 0, "name": "b"}),
            hook: true,
            waiter: None,
        };
        hand.order(now, Command::Start { asked, who: lead() }).unwrap().unwrap();
        let (mut crashed, mut keys, mut tries, mut turns) = (false, Vec::new(), 0, 0);
        for _ in 0..100 {
            turns += 1;
            if !crashed && turns > crash_after {
                crashed = true;
                hand = open(now);
            }
            for (id, _) in hand.outgoing() {
                keys.push(id);
                tries += 1;
                let outcome =
                    if tries == 1 { Err(Failure::transient("busy")) } else { Ok(json!({"name": "b"})) };
                hand.settle(now, id, Outcome::Fetched(outcome)).unwrap();
            }
            now = now.plus(Span::secs(1));
            hand.tick(now).unwrap();
            if hand.state().runs[&RunId(1)].ended.is_some() {
                break;
            }
        }
        let run = &hand.state().runs[&RunId(1)];
        let story = run.over().map(|(p, _, o)| format!("{p} {}", o.end.word())).collect::<Vec<_>>();
        (format!("{story:?} {:?} {:?}", run.reply(), run.ended.as_ref().map(|e| e.1)), keys, turns)
    };
    let (whole, _, turns) = play(u64::MAX);
    assert!(whole.contains("Completed"), "{whole}");
    for crash in 0..turns {
        assert_eq!(play(crash).0, whole, "crashed after {crash}");
    }
}

const NAP: (&str, &str) = (
    "playbooks/nap.yaml",
    "name: nap\nsummary: waits\non: hook\nsteps:\n  - { id: nap, wait: 1m }\nsop: by hand\n",
);

/// More than are asked in one turn.
#[test]
fn very_many_runs_due_at_once_go_on_in_batches_and_none_is_forgotten() {
    const RUNS: usize = 5_000;
    let rules = crate::world::rules_of(&[(NAP.0, NAP.1.to_owned())]);
    let journal = MemoryJournal::new();
    let open = |now| Hand::open(Box::new(journal.reopen()), rules.clone(), now).unwrap();
    let mut hand = open(START);
    for _ in 0..RUNS {
        let (playbook, inputs) = ("nap".to_owned(), json!({}));
        let asked = Start { playbook, incident: None, inputs, hook: true, waiter: None };
        hand.order(START, Command::Start { asked, who: lead() }).unwrap().unwrap();
    }
    let live = |hand: &Hand| hand.state().agenda.live_runs.len();
    assert_eq!(live(&hand), RUNS);
    // Stopped, and begun again when all are due.
    let now = START.plus(Span::mins(1));
    hand = open(now);
    let left = live(&hand);
    assert!(left > 0 && left < RUNS, "{left}");
    hand.tick(now).unwrap();
    assert_eq!(live(&hand), 0);
    assert!(hand.state().runs.values().all(|r| matches!(r.ended, Some((_, RunEnd::Completed, _)))));
}
