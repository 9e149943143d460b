//! Runs played by hand: facts in, facts out, no engine around them.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use stanch_model::{EffectId, Failure, RunId, Span, TaskId, Timestamp};

use super::task::{self, Reply, TaskError};
use super::{Standing, WaitsFor, World, answered, standing, started};
use crate::config::{Config, Role};
use crate::contain::{Mode, Seal};
use crate::journal::event::{Answered, Effect, Event, RunEnd, RunStarted, Settled, TaskAnswered};
use crate::journal::{State, decode, encode};

static SEAL: LazyLock<Seal> = LazyLock::new(|| Seal::new(&[7; 32]));

const FILES: &[(&str, &str)] = &[
    ("stanch.yaml", "listen: 127.0.0.1:7878\n"),
    ("connectors/all.yaml", "notifiers:\n  - { name: mail, type: log }\n"),
    (
        "connectors/calls.yaml",
        "responders:\n  - name: http\n    type: http\n    allow: [ '127.0.0.1:9' ]\n    allow_private: [ 127.0.0.1/32 ]\n    calls:\n      - { name: find, inputs: { name: text }, changes: false, ask: { url: 'http://127.0.0.1:9/find' } }\n      - { name: look, changes: false, ask: { url: 'http://127.0.0.1:9/look' } }\n      - { name: state, changes: false, ask: { url: 'http://127.0.0.1:9/state' } }\n      - { name: open, changes: false, ask: { url: 'http://127.0.0.1:9/open' } }\n      - { name: close, changes: false, ask: { url: 'http://127.0.0.1:9/close' } }\n      - { name: free, changes: false, ask: { url: 'http://127.0.0.1:9/free' } }\n      - { name: boom, changes: false, ask: { url: 'http://127.0.0.1:9/boom' } }\n",
    ),
    (
        "policies/people.yaml",
        "teams:\n  secops: { notifier: mail, to: [secops@example.com] }\npeople:\n  lead: { token: { env: X }, teams: [secops], role: approver }\n  boss: { token: { env: Y }, teams: [secops], role: approver }\n",
    ),
    ("policies/routing.yaml", "route:\n  team: secops\n"),
];

/// A run on the bench.
pub(super) struct Play {
    pub(super) state: State,
    config: Config,
    pub(super) now: Timestamp,
    seq: u64,
    /// Every fact so far, as the journal would hold it.
    tape: Vec<(Timestamp, stanch_model::port::NewEntry)>,
}

impl Play {
    /// Playbooks by name and body; the head is written here.
    pub(super) fn new(playbooks: &[(&str, &str)]) -> Play {
        let mut files: Vec<(String, String)> =
            FILES.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        for (name, body) in playbooks {
            let on = if body.contains("reply:") { "hook" } else { "called" };
            let text = format!("name: {name}\nsummary: a test\non: {on}\n{body}\nsop: by hand\n");
            files.push((format!("playbooks/{name}.yaml"), text));
        }
        let config = crate::config::compile(&files).unwrap_or_else(|m| panic!("{m:#?}"));
        Play { state: State::default(), config, now: Timestamp(1_790_000_000_000), seq: 0, tape: Vec::new() }
    }

    pub(super) fn world(&self) -> World<'_> {
        World {
            state: &self.state,
            config: &self.config,
            discovered: &[],
            connected: &[],
            resolved: &[],
            look_up: &|_, _| Vec::new(),
            about: &|_, _| Vec::new(),
            seal: &SEAL,
            simulated: &|_| true,
            mode: Mode::Live,
            kill_switch: false,
            now: self.now,
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        self.seq += 1;
        self.tape.push((self.now, encode(&event, None)));
        self.state.apply(self.seq, self.now, &event);
    }

    pub(super) fn start(&mut self, name: &str, inputs: Json) -> RunId {
        let playbook = self.config.playbooks.iter().find(|p| p.name == name).expect("loaded").clone();
        let begun = started(&self.state, &playbook, None, inputs);
        let run = begun.run;
        self.take(Event::RunStarted(RunStarted { by: Some("lead".into()), ..begun }));
        self.go();
        run
    }

    /// Lets every run go as far as it can.
    pub(super) fn go(&mut self) {
        for _ in 0..5_000 {
            let live: Vec<RunId> = self.state.agenda.live_runs.iter().copied().collect();
            let world = self.world();
            let Some(events) = live.iter().find_map(|r| {
                let s = standing(world, world.state.runs.get(r)?);
                assert!(!s.events.is_empty() || !s.waits.is_empty(), "{r} has no next timer");
                Some(s.events).filter(|e| !e.is_empty())
            }) else {
                return;
            };
            for event in events {
                self.take(event);
            }
        }
        panic!("no end of steps");
    }

    pub(super) fn pass(&mut self, span: Span) {
        self.now = self.now.plus(span);
        self.go();
    }

    pub(super) fn standing(&self, run: RunId) -> Standing {
        standing(self.world(), &self.state.runs[&run])
    }

    pub(super) fn fetch(&self) -> (EffectId, RunId, String, String) {
        let fetch = |(id, p): (&EffectId, &crate::journal::state::Pending)| match &p.what {
            Effect::Fetch { run, path, call, .. } => Some((*id, *run, path.clone(), call.clone())),
            _ => None,
        };
        self.state.pending.iter().find_map(fetch).expect("a call under way")
    }

    pub(super) fn answer(&mut self, outcome: Result<Json, Failure>) {
        let (effect, run, path, _) = self.fetch();
        let failure = outcome.as_ref().err().cloned();
        self.take(Event::Settled(Settled { effect, failure, retry_at: None, receipt: String::new() }));
        let events = answered(self.world(), &self.state.runs[&run], &path, effect, outcome);
        events.into_iter().for_each(|e| self.take(e));
        self.go();
    }

    pub(super) fn decide(&mut self, task: TaskId, answer: Answered, values: Json) {
        let (by, digest) = ("lead".to_owned(), self.state.tasks[&task].task.digest());
        let (reason, seal) = (String::new(), String::new());
        let e = TaskAnswered { task, answer, by, digest, values, reason, seal };
        let seal = SEAL.of_answer(&e);
        self.take(Event::TaskAnswered(TaskAnswered { seal, ..e }));
        self.go();
    }

    pub(super) fn ended(&self, run: RunId) -> (RunEnd, &str) {
        let (_, end, why) = self.state.runs[&run].ended.as_ref().expect("over");
        (*end, why)
    }

    /// Paths and ends, in the order in which steps were over.
    pub(super) fn story(&self, run: RunId) -> Vec<String> {
        self.state.runs[&run].over().map(|(path, _, o)| format!("{path} {}", o.end.word())).collect()
    }

    /// The same state from the journal's own bytes.
    pub(super) fn folds_back(&self) {
        let mut again = State::default();
        for (n, (at, e)) in self.tape.iter().enumerate() {
            let entry = stanch_model::port::Entry {
                seq: n as u64 + 1,
                at: *at,
                stream: e.stream.clone(),
                kind: e.kind.clone(),
                body: e.body.clone(),
            };
            again.apply(entry.seq, *at, &decode(&entry).expect("our own bytes"));
        }
        let shown = |s: &State| {
            format!("{:?}", s.runs.values().map(|r| (&r.steps, &r.order, &r.ended)).collect::<Vec<_>>())
        };
        assert_eq!(shown(&self.state), shown(&again));
    }
}

#[test]
fn one_way_is_taken_and_stays_taken_and_outputs_are_given() {
    let mut p = Play::new(&[(
        "ways",
        "inputs:\n  n: { type: integer }\noutputs:\n  size: steps.sum.size\nsteps:\n  - id: sum\n    set: { size: inputs.n + 1 }\n  - id: fork\n    if:\n      condition: steps.sum.size > 3\n      then:\n        - { id: big, set: { word: '\"big\"' } }\n      else:\n        - { id: small, set: { word: '\"small\"' } }\n  - id: pick\n    switch:\n      on: inputs.n\n      cases:\n        \"3\": [ { id: three, wait: 10s } ]\n        \"4\": [ { id: four, wait: 20s } ]\n  - { id: never, when: inputs.n > 100, wait: 1h }",
    )]);
    let run = p.start("ways", json!({"n": 3}));
    assert_eq!(p.story(run), ["sum done", "fork/then/big done", "fork done"]);
    assert_eq!(p.standing(run).wake(), Some(p.now.plus(Span::secs(10))));
    p.pass(Span::secs(10));
    assert_eq!(p.story(run)[3..], ["pick/case0/three done", "pick done", "never skipped"]);
    assert_eq!(p.ended(run), (RunEnd::Completed, "all steps done"));
    assert_eq!(p.state.runs[&run].output.value(), json!({"size": 4}));
    let other = p.start("ways", json!({"n": 9}));
    assert_eq!(p.ended(other).0, RunEnd::Handed);
    assert!(p.ended(other).1.contains("no case fits \"9\""));
    p.folds_back();
}

#[test]
fn a_loop_goes_through_its_list_round_by_round_and_refuses_a_longer_one() {
    let mut p = Play::new(&[(
        "each",
        "inputs:\n  names: { type: [text] }\nsteps:\n  - id: all\n    for_each:\n      in: inputs.names\n      at_most: 3\n      steps:\n        - { id: call, fetch: { call: find, with: { name: item } } }\n        - { id: keep, set: { last: item } }\noutputs:\n  last: \"has(steps.keep) ? steps.keep.last : ''\"",
    )]);
    let run = p.start("each", json!({"names": ["a", "b"]}));
    assert_eq!(p.fetch().2, "all/0/call");
    p.answer(Ok(json!({"ok": true})));
    assert_eq!(p.fetch().2, "all/1/call");
    p.answer(Ok(json!({"ok": true})));
    assert_eq!(
        p.story(run),
        ["all/0/call done", "all/0/keep done", "all/1/call done", "all/1/keep done", "all done"]
    );
    assert_eq!(p.state.runs[&run].output.value(), json!({"last": "b"}));
    let long = p.start("each", json!({"names": ["a", "b", "c", "d"]}));
    assert!(p.ended(long).1.contains("holds 4, and at most 3"), "{:?}", p.ended(long));
    p.folds_back();
}

#[test]
fn a_repeat_waits_between_its_rounds_and_has_an_end() {
    let body = |at_most| {
        format!(
            "steps:\n  - id: poll\n    repeat:\n      while: \"!has(steps.ask) || steps.ask.busy\"\n      at_most: {at_most}\n      every: 1m\n      steps:\n        - {{ id: ask, fetch: {{ call: state }} }}"
        )
    };
    let mut p = Play::new(&[("poll", &body(5)), ("short", &body(2))]);
    let run = p.start("poll", Json::Null);
    p.answer(Ok(json!({"busy": true})));
    assert_eq!(p.standing(run).wake(), Some(p.now.plus(Span::mins(1))));
    p.pass(Span::mins(1));
    p.answer(Ok(json!({"busy": false})));
    p.pass(Span::mins(1));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    let short = p.start("short", Json::Null);
    for _ in 0..2 {
        p.answer(Ok(json!({"busy": true})));
        p.pass(Span::mins(1));
    }
    assert!(p.ended(short).1.contains("still holds after 2 rounds"));
}

#[test]
fn the_first_branch_wins_and_what_the_others_asked_is_withdrawn() {
    let branches = "        look: [ { id: call, fetch: { call: look } } ]\n        person: [ { id: ask, manual: { task: look by hand, team: secops } } ]";
    let body = |until| {
        format!("steps:\n  - id: race\n    parallel:\n      until: {until}\n      branches:\n{branches}")
    };
    let mut p = Play::new(&[("any", &body("any")), ("all", &body("all"))]);
    let run = p.start("any", Json::Null);
    assert!(p.standing(run).waits.contains(&WaitsFor::Task(TaskId(1))));
    p.answer(Ok(json!({})));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    assert_eq!(p.story(run), ["race/look/call done", "race/person/ask stopped", "race done"]);
    let task = p.state.tasks[&TaskId(1)].answered.as_ref().map(|(_, e)| e.answer);
    assert_eq!(task, Some(Answered::Withdrawn));

    let run = p.start("all", Json::Null);
    p.decide(TaskId(2), Answered::Approved, json!({}));
    assert!(p.state.runs[&run].ended.is_none(), "the other one is still under way");
    p.answer(Ok(json!({})));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    p.folds_back();
}

#[test]
fn a_call_is_tried_again_with_growing_waits_and_then_fails_as_the_author_says() {
    let call = "steps:\n  - id: call\n    retry: { times: 2, wait: 10s }\n    on_failure:\n      - { id: mend, set: { why: '\"it failed\"' } }\n    fetch: { call: look }\n  - { id: after, set: { broken: steps.call.failed } }";
    let mut p = Play::new(&[("call", call)]);
    let run = p.start("call", Json::Null);
    for wait in [10, 20] {
        p.answer(Err(Failure::transient("busy")));
        assert_eq!(p.standing(run).wake(), Some(p.now.plus(Span::secs(wait))));
        p.pass(Span::secs(wait));
    }
    p.answer(Err(Failure::transient("busy")));
    assert_eq!(p.story(run), ["call failed", "call/failed/mend done", "after done"]);
    assert_eq!(
        p.state.runs[&run].step("after").and_then(|s| s.over.as_ref()).map(|o| o.output.value()),
        Some(json!({"broken": true}))
    );
    let refused = p.start("call", Json::Null);
    p.answer(Err(Failure::permanent("no such thing")));
    assert_eq!(p.story(refused)[0], "call failed", "what cannot work is not tried again");
    p.folds_back();
}

#[test]
fn a_step_that_takes_too_long_has_failed_and_a_late_answer_changes_nothing() {
    let mut p = Play::new(&[("slow", "steps:\n  - id: call\n    timeout: 30s\n    fetch: { call: look }")]);
    let run = p.start("slow", Json::Null);
    let (effect, _, path, _) = p.fetch();
    p.pass(Span::secs(30));
    assert_eq!(p.ended(run), (RunEnd::Handed, "it took longer than 30s"));
    assert!(p.state.pending.keys().all(|e| *e != effect), "nobody waits for it any more");
    assert!(answered(p.world(), &p.state.runs[&run], &path, effect, Ok(json!(1))).is_empty());
}

#[test]
fn silence_is_never_a_yes_and_whoever_asked_for_the_run_does_not_decide_it() {
    let mut p = Play::new(&[(
        "ask",
        "steps:\n  - { id: ask, approve: { question: go on?, approvers: [secops], expires: 15m } }",
    )]);
    let run = p.start("ask", Json::Null);
    p.pass(Span::mins(15));
    assert_eq!(p.ended(run), (RunEnd::Handed, "nobody answered in time"));

    let run = p.start("ask", Json::Null);
    let task = p.state.tasks[&TaskId(2)].task.clone();
    let teams: BTreeSet<String> = ["secops".to_owned()].into();
    let digest = task.digest();
    let values = Json::Null;
    let reply = Reply {
        person: "boss",
        role: Role::Approver,
        teams: &teams,
        digest: &digest,
        yes: true,
        values: &values,
    };
    assert_eq!(task::weigh(&task, &reply, p.now), Ok(Json::Null));
    let refused = |r: Reply<'_>| task::weigh(&task, &r, p.now).expect_err("refused");
    assert!(matches!(refused(Reply { person: "lead", ..reply.clone() }), TaskError::Refused(_)));
    assert!(matches!(refused(Reply { role: Role::Analyst, ..reply.clone() }), TaskError::Refused(_)));
    assert!(matches!(refused(Reply { teams: &BTreeSet::new(), ..reply.clone() }), TaskError::Refused(_)));
    assert!(matches!(refused(Reply { digest: "0", ..reply.clone() }), TaskError::Conflict(_)));
    let late = task::weigh(&task, &reply, p.now.plus(Span::mins(15)));
    assert!(matches!(late, Err(TaskError::Conflict(_))));
    p.decide(TaskId(2), Answered::Denied, Json::Null);
    assert_eq!(p.ended(run).0, RunEnd::Declined);
}

#[test]
fn an_answer_that_somebody_wrote_past_us_is_no_answer() {
    let mut p = Play::new(&[(
        "ask",
        "steps:\n  - { id: ask, approve: { question: go on?, approvers: [secops], expires: 15m } }",
    )]);
    let genuine = |p: &Play, task: TaskId| {
        let digest = p.state.tasks[&task].task.digest();
        let (answer, by, values) = (Answered::Approved, "lead".to_owned(), Json::Null);
        let e = TaskAnswered { task, answer, by, digest, values, reason: String::new(), seal: String::new() };
        TaskAnswered { seal: SEAL.of_answer(&e), ..e }
    };
    let forge: [fn(&mut TaskAnswered); 4] = [
        |_| (),
        |e| e.by = "boss".into(),
        |e| e.seal = String::new(),
        |e| {
            // Sealed by us, but not to what this task asks.
            e.digest = "0".repeat(64);
            e.seal = SEAL.of_answer(e);
        },
    ];
    for (n, forge) in forge.into_iter().enumerate() {
        let run = p.start("ask", Json::Null);
        let mut e = genuine(&p, TaskId(n as u64 + 1));
        forge(&mut e);
        p.take(Event::TaskAnswered(e));
        p.go();
        let (end, why) = p.ended(run);
        let wanted = if n == 0 { RunEnd::Completed } else { RunEnd::Handed };
        assert_eq!(end, wanted, "{n}: {why}");
        assert!(n == 0 || why.contains("does not carry our seal"), "{why}");
    }
}

#[test]
fn a_form_is_checked_and_gives_its_values() {
    let mut p = Play::new(&[(
        "form",
        "outputs: { port: steps.ask.port }\nsteps:\n  - id: ask\n    manual: { task: find the port, team: secops, form: { port: { type: port }, sure: { type: bool, default: false } } }",
    )]);
    let run = p.start("form", Json::Null);
    let task = p.state.tasks[&TaskId(1)].task.clone();
    let teams: BTreeSet<String> = ["secops".to_owned()].into();
    let digest = task.digest();
    let weigh = |values: Json| {
        let r = Reply {
            person: "lead",
            role: Role::Analyst,
            teams: &teams,
            digest: &digest,
            yes: true,
            values: &values,
        };
        task::weigh(&task, &r, p.now)
    };
    assert!(matches!(weigh(json!({"port": 7})), Err(TaskError::Invalid(_))));
    let values = weigh(json!({"port": "ge-0/0/7"})).expect("filled in");
    assert_eq!(values, json!({"port": "ge-0/0/7", "sure": false}));
    p.decide(TaskId(1), Answered::Approved, values);
    assert_eq!(p.state.runs[&run].output.value(), json!({"port": "ge-0/0/7"}));
}

#[test]
fn a_called_playbook_gets_its_inputs_gives_its_outputs_and_ends_with_its_caller() {
    let mut p = Play::new(&[
        (
            "outer",
            "outputs: { sum: steps.call.sum }\nsteps:\n  - { id: call, run: { playbook: inner, with: { n: 20 + 1 } } }",
        ),
        (
            "inner",
            "inputs: { n: { type: integer } }\noutputs: { sum: inputs.n * 2 }\nsteps:\n  - { id: hold, wait: 1m }",
        ),
        (
            "limit",
            "steps:\n  - { id: call, timeout: 10s, on_failure: continue, run: { playbook: inner, with: { n: 1 } } }",
        ),
    ]);
    let run = p.start("outer", Json::Null);
    assert_eq!(p.standing(run).waits, [WaitsFor::Run(RunId(2))]);
    p.pass(Span::mins(1));
    assert_eq!(p.state.runs[&run].output.value(), json!({"sum": 42}));
    let limited = p.start("limit", Json::Null);
    p.pass(Span::secs(10));
    assert_eq!(p.ended(limited).0, RunEnd::Completed);
    assert_eq!(p.ended(RunId(4)).0, RunEnd::Stopped, "nobody waits for it any more");
    p.folds_back();
}

#[test]
fn unwinding_goes_backwards_and_what_cannot_be_undone_is_told() {
    let step = |id: &str, undo: &str| {
        format!(
            "  - id: {id}\n    fetch: {{ call: open }}\n    compensate:\n      - {{ id: undo_{id}, fetch: {{ call: {undo} }} }}\n"
        )
    };
    let fail = "  - { id: boom, on_failure: unwind, fetch: { call: boom } }";
    let body = format!("steps:\n{}{}{fail}", step("one", "free"), step("two", "close"));
    let mut p = Play::new(&[("undo", &body)]);
    let run = p.start("undo", Json::Null);
    p.answer(Ok(json!({})));
    p.answer(Ok(json!({})));
    p.answer(Err(Failure::permanent("no")));
    assert_eq!(p.fetch().3, "close", "the last first");
    p.answer(Ok(json!({})));
    assert_eq!(p.fetch().3, "free");
    p.answer(Ok(json!({})));
    assert_eq!(p.ended(run).0, RunEnd::Unwound, "{:?}", p.ended(run));

    let run = p.start("undo", Json::Null);
    p.answer(Ok(json!({})));
    p.answer(Ok(json!({})));
    p.answer(Err(Failure::permanent("no")));
    p.answer(Err(Failure::permanent("the switch is gone")));
    p.answer(Ok(json!({})));
    let (end, why) = p.ended(run);
    assert_eq!(end, RunEnd::Handed);
    assert!(why.contains("two could not be undone: the switch is gone"), "{why}");
    p.folds_back();
}

#[test]
fn a_hook_is_answered_once_and_goes_on() {
    let mut p = Play::new(&[(
        "hook",
        "inputs: { body: { type: map } }\nsteps:\n  - { id: answer, reply: { ok: inputs.body.n == 1 } }\n  - { id: hold, wait: 1m }",
    )]);
    let run = p.start("hook", json!({"body": {"n": 1}}));
    assert_eq!(p.state.runs[&run].reply(), Some(json!({"ok": true})));
    assert!(p.state.runs[&run].ended.is_none());
    p.folds_back();
}

#[test]
fn a_run_without_an_incident_changes_nothing() {
    let plan = |p: &Play| Arc::clone(&p.config.playbooks[0]);
    let mut p = Play::new(&[("wait", "steps:\n  - { id: hold, wait: 1m }")]);
    // The loader refuses such a plan; a journal of somebody else might hold one all the same.
    let mut changed = (*plan(&p)).clone();
    let target = crate::expr::Expr::compile("\"203.0.113.9\"").expect("an expression");
    changed.steps[0].kind = crate::playbook::StepKind::Act(crate::playbook::Act {
        change: crate::playbook::Change::BlockAddress { target },
        ttl: None,
        approvers: vec!["secops".into()],
        people: 1,
        expires: None,
        undo: true,
    });
    let run = p.start("wait", Json::Null);
    p.state.runs.get_mut(&run).expect("begun").playbook = Some(Arc::new(changed));
    p.go();
    assert!(p.ended(run).1.contains("without an incident"));
    assert!(p.state.actions.is_empty() && p.state.approvals.is_empty());
}

#[test]
fn facts_written_before_runs_had_paths_are_read_as_they_were_meant() {
    let entry = |seq, kind: &str, body: &str| stanch_model::port::Entry {
        seq,
        at: Timestamp(1),
        stream: "RUN-1".into(),
        kind: kind.into(),
        body: body.as_bytes().to_vec(),
    };
    let source = "name: old\\nsummary: s\\non: called\\nsteps:\\n  - { id: a, wait: 1m }\\n  - { id: b, wait: 1m }\\nsop: x\\n";
    let begun =
        format!("{{\"run\":1,\"incident\":3,\"playbook\":\"old\",\"hash\":\"h\",\"source\":\"{source}\"}}");
    let mut state = State::default();
    for e in [
        entry(1, "run_started", &begun),
        entry(2, "step_done", "{\"run\":1,\"step\":0,\"id\":\"a\",\"outcome\":\"waited 1m\"}"),
    ] {
        state.apply(e.seq, e.at, &decode(&e).expect("an old entry"));
    }
    let run = &state.runs[&RunId(1)];
    assert_eq!(run.incident, Some(stanch_model::IncidentId(3)));
    assert_eq!(run.over().map(|(p, ..)| p).collect::<Vec<_>>(), ["a"]);
    assert_eq!(run.old_path(), "b");
}
