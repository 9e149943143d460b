use serde_json::{Value as Json, json};
use stanch_model::{Failure, RunId, Span, TaskId};

use super::resume;
use super::tests::Play;
use crate::journal::event::{Answered, Event, RunEnd};

const CALLS: &str = "steps:\n  - { id: first, fetch: { call: look } }\n  - { id: note, set: { seen: steps.first.n } }\n  - { id: second, fetch: { call: open } }\n  - { id: third, fetch: { call: close } }";

fn go_on(p: &mut Play, run: RunId) -> Result<Vec<String>, String> {
    let all = resume(&p.state, &p.state.runs[&run], "anna", "mended")?;
    let from = all.iter().flat_map(|e| e.again.iter().map(move |s| format!("{} {s}", e.run))).collect();
    all.into_iter().for_each(|e| p.take(Event::RunResumed(e)));
    p.go();
    Ok(from)
}

#[test]
fn it_goes_on_from_the_step_that_failed_and_what_was_done_is_not_done_again() {
    let mut p = Play::new(&[("calls", CALLS)]);
    let run = p.start("calls", Json::Null);
    assert!(go_on(&mut p, run).expect_err("under way").contains("under way"));
    p.answer(Ok(json!({ "n": 7 })));
    p.answer(Err(Failure::permanent("no such thing")));
    assert_eq!(p.ended(run).0, RunEnd::Handed);
    assert_eq!(p.story(run), ["first done", "note done", "second failed"]);
    p.pass(Span::hours(5));
    assert_eq!(go_on(&mut p, run), Ok(vec![format!("{run} second")]));
    assert_eq!(p.fetch().3, "open", "the failed call is made again, and the first one is not");
    assert_eq!(p.story(run), ["first done", "note done"]);
    p.answer(Ok(json!({})));
    p.answer(Ok(json!({})));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    assert_eq!(p.story(run), ["first done", "note done", "second done", "third done"]);
    let kept = p.state.runs[&run].step("note").and_then(|s| s.over.as_ref()).map(|o| o.output.value());
    assert_eq!(kept, Some(json!({ "seen": 7 })), "with what the first step had given");
    let history = &p.state.runs[&run].resumed;
    assert_eq!((history.len(), history[0].by.as_str(), history[0].from.len()), (1, "anna", 1));
    assert!(go_on(&mut p, run).expect_err("completed").contains("completed"));
    p.folds_back();
}

#[test]
fn it_may_fail_and_go_on_as_often_as_it_takes() {
    let mut p = Play::new(&[("calls", CALLS)]);
    let run = p.start("calls", Json::Null);
    for _ in 0..3 {
        p.answer(Err(Failure::permanent("no")));
        assert_eq!(go_on(&mut p, run), Ok(vec![format!("{run} first")]));
    }
    assert_eq!(p.state.runs[&run].resumed.len(), 3);
    p.folds_back();
}

#[test]
fn rounds_that_are_over_stay_over_and_the_ways_taken_stay_taken() {
    let body = "inputs:\n  all: { type: [text] }\nsteps:\n  - id: each\n    for_each:\n      in: inputs.all\n      at_most: 5\n      steps:\n        - { id: look, fetch: { call: look } }\n        - id: way\n          if:\n            condition: item == 'b'\n            then:\n              - { id: shut, fetch: { call: close } }";
    let mut p = Play::new(&[("loop", body)]);
    let run = p.start("loop", json!({ "all": ["a", "b", "c"] }));
    p.answer(Ok(json!(1)));
    p.answer(Ok(json!(2)));
    p.answer(Err(Failure::permanent("no")));
    assert_eq!(p.ended(run).0, RunEnd::Handed);
    assert_eq!(go_on(&mut p, run), Ok(vec![format!("{run} each/1/way/then/shut")]));
    let (_, _, path, call) = p.fetch();
    assert_eq!((path.as_str(), call.as_str()), ("each/1/way/then/shut", "close"));
    p.answer(Ok(json!(3)));
    assert_eq!(p.fetch().2, "each/2/look", "the third round, and no round twice");
    p.answer(Ok(json!(4)));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    p.folds_back();
}

#[test]
fn what_was_stopped_beside_it_begins_anew_with_a_new_question_and_a_first_branch_stays_first() {
    let body = "steps:\n  - id: both\n    parallel:\n      until: all\n      branches:\n        call: [ { id: look, fetch: { call: look } } ]\n        person: [ { id: ask, manual: { task: look by hand, team: secops } } ]";
    let mut p = Play::new(&[("both", body)]);
    let run = p.start("both", Json::Null);
    p.answer(Err(Failure::permanent("no")));
    assert_eq!(p.story(run), ["both/call/look failed", "both/person/ask stopped", "both stopped"]);
    let from = go_on(&mut p, run).expect("it goes on");
    assert_eq!(from, [format!("{run} both/call/look"), format!("{run} both/person/ask")]);
    assert!(p.state.tasks[&TaskId(1)].answered.is_some(), "the old question stays withdrawn");
    p.decide(TaskId(2), Answered::Approved, json!({}));
    p.answer(Ok(json!({})));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    p.folds_back();
}

#[test]
fn a_called_run_goes_on_itself_and_not_by_its_own_name() {
    let outer = "steps:\n  - { id: before, fetch: { call: state } }\n  - { id: inside, run: { playbook: calls } }\n  - { id: last, fetch: { call: free } }";
    let mut p = Play::new(&[("calls", CALLS), ("outer", outer)]);
    let run = p.start("outer", Json::Null);
    p.answer(Ok(json!(0)));
    let child = RunId(run.0 + 1);
    p.answer(Ok(json!({ "n": 1 })));
    p.answer(Err(Failure::permanent("no")));
    assert_eq!((p.ended(run).0, p.ended(child).0), (RunEnd::Handed, RunEnd::Handed));
    assert!(go_on(&mut p, child).expect_err("called").contains("go on with that one"));
    assert_eq!(go_on(&mut p, run), Ok(vec![format!("{child} second")]));
    p.answer(Ok(json!(2)));
    p.answer(Ok(json!(3)));
    assert_eq!(p.fetch().3, "free");
    p.answer(Ok(json!(4)));
    assert_eq!(p.ended(run).0, RunEnd::Completed);
    assert_eq!(p.state.runs.len(), 2, "no second child");
    p.folds_back();
}

#[test]
fn what_was_ended_on_purpose_or_undone_does_not_go_on() {
    let asks = "steps:\n  - { id: ask, approve: { question: may we?, approvers: [secops] } }";
    let undo = "steps:\n  - { id: one, fetch: { call: look } }\n  - { id: two, on_failure: unwind, fetch: { call: open } }";
    let mut p = Play::new(&[("asks", asks), ("undo", undo)]);
    let run = p.start("asks", Json::Null);
    p.decide(TaskId(1), Answered::Denied, json!({}));
    assert!(go_on(&mut p, run).expect_err("declined").contains("on purpose"));
    let run = p.start("undo", Json::Null);
    p.answer(Ok(json!(1)));
    p.answer(Err(Failure::permanent("no")));
    assert!(go_on(&mut p, run).expect_err("unwound").contains("undone"));
}
