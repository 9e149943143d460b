//! Calls from outside that begin runs, and the tasks that runs put to people, over HTTP.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::{Answer, House};

const ASK: &str = "name: ask\nsummary: Answers from what it was given\non: hook\ninputs:\n  body: { type: map }\nsteps:\n  - id: judge\n    set: { hot: inputs.body.severity >= 3 }\n  - id: answer\n    reply: { hot: steps.judge.hot }\nsop: Nothing.\n";
const WORK: &str = "name: work\nsummary: Asks a person first\non: hook\nsteps:\n  - id: find\n    manual: { task: Find the port, team: secops, form: { port: { type: port } }, expires: 1h }\n  - id: answer\n    reply: { port: steps.find.port }\nsop: Nothing.\n";
const MUTE: &str = "name: mute\nsummary: Says nothing\non: hook\nsteps:\n  - id: judge\n    set: { hot: 'true' }\nsop: Nothing.\n";
const BREAKS: &str = "name: breaks\nsummary: Fails before it answers\non: hook\ninputs:\n  body: { type: map }\nsteps:\n  - id: judge\n    set: { hot: inputs.body.nobody_sent_this > 3 }\n  - id: answer\n    reply: { hot: steps.judge.hot }\nsop: Nothing.\n";
const DECIDE: &str = "name: decide\nsummary: Asks for a yes\non: called\nsteps:\n  - id: ask\n    approve: { question: Go on?, approvers: [secops], expires: 1h }\nsop: Nothing.\n";

async fn house() -> House {
    house_with("").await
}

async fn house_with(setting: &str) -> House {
    House::with(|config| {
        let file = config.join("stanch.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{setting}\n")).unwrap();
        for (name, text) in
            [("ask", ASK), ("work", WORK), ("mute", MUTE), ("breaks", BREAKS), ("decide", DECIDE)]
        {
            std::fs::write(config.join(format!("playbooks/{name}.yaml")), text).unwrap();
        }
    })
    .await
}

fn run_of(answer: &Answer) -> String {
    answer.headers["stanch-run"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hook_answers_with_what_the_playbook_replies_to_sources_and_to_people() {
    let house = house().await;
    for (caller, run, severity, hot) in [("suricata", "RUN-1", 5, true), ("secops-lead", "RUN-2", 1, false)] {
        let answer = house.post(caller, "/api/v1/hooks/ask", json!({ "severity": severity })).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "hot": hot })), "{caller}");
        assert_eq!(run_of(&answer), run);
    }
    let run = house.get("/api/v1/runs/RUN-1").await;
    assert_eq!((&run["state"], &run["by"]), (&json!("completed"), &json!("source suricata")), "{run}");
    let steps: Vec<&str> =
        run["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["judge", "answer"]);
    // A run that has answered is in the journal with its answer: a restart changes nothing.
    let house = house.again().await;
    let again = house.get("/api/v1/runs/RUN-1").await;
    assert_eq!(again["steps"], run["steps"]);
}

#[tokio::test]
async fn a_run_that_does_not_answer_is_told_apart_from_one_that_fails() {
    let house = house().await;
    let mute = house.post("suricata", "/api/v1/hooks/mute", json!({})).await;
    assert_eq!(mute.status, StatusCode::OK, "{}", mute.text());
    assert_eq!((&mute.json()["state"], &mute.json()["run"]), (&json!("completed"), &json!("RUN-1")));
    let broken = house.post("suricata", "/api/v1/hooks/breaks", json!({ "severity": 5 })).await;
    assert_eq!(broken.status, StatusCode::BAD_GATEWAY, "{}", broken.text());
    let told = broken.json();
    assert_eq!(told["state"], "handed", "{told}");
    assert!(told["why"].as_str().unwrap().contains("nobody_sent_this"), "{told}");
}

#[tokio::test]
async fn what_is_no_hook_is_not_begun_by_a_call() {
    let house = house().await;
    for (path, body, status) in [
        ("/api/v1/hooks/nobody", json!({}), StatusCode::NOT_FOUND),
        // About an incident, and called by other playbooks: not by strangers.
        ("/api/v1/hooks/c2-beacon", json!({}), StatusCode::NOT_FOUND),
        ("/api/v1/hooks/decide", json!({}), StatusCode::NOT_FOUND),
        ("/api/v1/hooks/ask", json!([1]), StatusCode::BAD_REQUEST),
        ("/api/v1/hooks/ask?wait=2m", json!({}), StatusCode::BAD_REQUEST),
        ("/api/v1/hooks/ask?wait=soon", json!({}), StatusCode::BAD_REQUEST),
        ("/api/v1/hooks/ask?later=1", json!({}), StatusCode::BAD_REQUEST),
        ("/api/v1/hooks/ask", json!({ "x": "y".repeat(70_000) }), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answer = house.post("suricata", path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.headers.get("stanch-run").is_none());
    }
    let token = format!("Bearer {}", House::secret("suricata.token"));
    let headers = [("authorization", token.as_str()), ("content-type", "text/plain")];
    let plain = house.send("/api/v1/hooks/ask", &headers, "{}").await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(house.get("/api/v1/runs").await["runs"], json!([]));
}

#[tokio::test]
async fn sources_begin_runs_faster_than_people_may_ask() {
    let house = house_with("requests_per_second: 1").await;
    for n in 0..30 {
        let answer = house.post("suricata", "/api/v1/hooks/ask", json!({ "severity": 5 })).await;
        assert_eq!(answer.status, StatusCode::OK, "{n}");
        assert!(answer.headers.get("ratelimit").is_none());
    }
    assert_eq!(house.get("/api/v1/runs?limit=100").await["runs"].as_array().unwrap().len(), 30);
    // People keep their limit there; and a source has no business anywhere else.
    for (caller, path) in [("secops-lead", "/api/v1/hooks/ask"), ("suricata", "/api/v1/runs")] {
        let mut last = StatusCode::OK;
        for _ in 0..14 {
            last = house.post(caller, path, json!({ "severity": 5 })).await.status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "{caller} {path}");
    }
}

#[tokio::test]
async fn calls_beyond_the_room_are_refused_before_they_begin_or_not_waited_for() {
    let house = house_with("intake_queue: 1").await;
    let calls = (0..20).map(|_| house.post("suricata", "/api/v1/hooks/work?wait=0s", json!({})));
    let answers = futures::future::join_all(calls).await;
    let (begun, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == StatusCode::ACCEPTED);
    assert!(!begun.is_empty() && !refused.is_empty());
    for answer in refused {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
        assert!(answer.headers.contains_key("retry-after"));
        assert!(answer.text().contains("no run was begun"), "{}", answer.text());
    }
    assert_eq!(house.get("/api/v1/runs?limit=100").await["runs"].as_array().unwrap().len(), begun.len());
    // One waits for a person; the next does not wait, and its run goes on.
    let first = house.post("suricata", "/api/v1/hooks/work?wait=60s", json!({}));
    let second = async {
        house.until("/api/v1/runs?limit=100", |v| v["runs"].as_array().unwrap().len() > begun.len()).await;
        loop {
            // The run is seen a moment before its call has left the room for those that begin.
            let answer = house.post("suricata", "/api/v1/hooks/work?wait=60s", json!({})).await;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = first => panic!("nobody did the task: {}", answer.text()),
        answer = second => assert_eq!(answer.json()["state"], "running"),
    }
}

#[tokio::test]
async fn a_source_that_sends_a_call_again_with_its_key_begins_one_run() {
    let house = house().await;
    let token = format!("Bearer {}", House::secret("suricata.token"));
    for (name, body) in [("ask", json!({ "severity": 5 })), ("breaks", json!({ "severity": 5 }))] {
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", name),
        ];
        let path = format!("/api/v1/hooks/{name}");
        let first = house.send(&path, &headers, body.to_string()).await;
        let again = house.send(&path, &headers, body.to_string()).await;
        assert_eq!((again.status, again.text()), (first.status, first.text()), "{name}");
        assert_eq!(run_of(&again), run_of(&first));
        assert_eq!(again.headers["idempotency-replayed"], "true");
    }
    assert_eq!(house.get("/api/v1/runs").await["runs"].as_array().unwrap().len(), 2);
}

/// The open task, and its path for answers.
async fn task(house: &House) -> (Value, String) {
    let page = house.until("/api/v1/tasks?open=true", |v| v["tasks"][0].is_object()).await;
    let task = page["tasks"][0].clone();
    let path = format!("/api/v1/tasks/{}/answer", task["id"].as_str().unwrap());
    (task, path)
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_is_answered_202_and_goes_on_after_the_form() {
    let house = house().await;
    let begun = house.post("suricata", "/api/v1/hooks/work?wait=0s", json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text());
    assert_eq!(begun.json(), json!({ "run": "RUN-1", "state": "running" }));
    let (shown, path) = task(&house).await;
    assert_eq!((&shown["kind"], &shown["state"]), (&json!("work"), &json!("open")));
    assert_eq!(shown["form"][0]["type"], "port", "{shown}");
    let digest = shown["digest"].clone();
    let good = json!({ "digest": digest, "yes": true, "values": { "port": "ge-0/0/7" } });
    for (person, body, status) in [
        ("watcher", good.clone(), StatusCode::FORBIDDEN),
        ("netops-lead", good.clone(), StatusCode::FORBIDDEN),
        (
            "secops-lead",
            json!({ "digest": "0".repeat(64), "yes": true, "values": { "port": "ge-0/0/7" } }),
            StatusCode::CONFLICT,
        ),
        ("secops-lead", json!({ "digest": digest, "yes": true, "values": {} }), StatusCode::BAD_REQUEST),
        (
            "secops-lead",
            json!({ "digest": digest, "yes": true, "values": { "port": 7 } }),
            StatusCode::BAD_REQUEST,
        ),
        (
            "secops-lead",
            json!({ "digest": digest, "yes": true, "values": { "port": "x", "more": 1 } }),
            StatusCode::BAD_REQUEST,
        ),
        ("secops-lead", json!({ "digest": digest }), StatusCode::BAD_REQUEST),
    ] {
        let answer = house.post(person, &path, body.clone()).await;
        assert_eq!(answer.status, status, "{person} {body}: {}", answer.text());
    }
    let nobody = house.post("secops-lead", "/api/v1/tasks/TASK-9/answer", good.clone()).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    let by_get = house.ask("secops-lead", Method::GET, &path, None).await;
    assert_eq!(by_get.status, StatusCode::METHOD_NOT_ALLOWED, "nothing is answered by looking");
    let done = house.post("secops-lead", &path, good.clone()).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    let run = house.until("/api/v1/runs/RUN-1", |v| v["state"] != "running").await;
    assert_eq!(run["state"], "completed", "{run}");
    assert_eq!(run["steps"][1]["output"], json!({ "port": "ge-0/0/7" }), "{run}");
    let twice = house.post("secops-lead", &path, good).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    // Under a new start the answer still carries our seal.
    let house = house.again().await;
    assert_eq!(house.get("/api/v1/runs/RUN-1").await["state"], "completed");
}

#[tokio::test]
async fn whoever_asked_for_a_run_does_not_decide_its_question_and_silence_is_no_yes() {
    let house = house().await;
    let begin = json!({ "playbook": "decide" });
    assert_eq!(house.post("secops-lead", "/api/v1/runs", begin.clone()).await.status, StatusCode::OK);
    let (shown, path) = task(&house).await;
    let yes = json!({ "digest": shown["digest"], "yes": true });
    let own = house.post("secops-lead", &path, yes.clone()).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN, "{}", own.text());
    assert_eq!(house.post("endpoint-lead", &path, yes.clone()).await.status, StatusCode::FORBIDDEN);
    house.forward(3_700);
    let late = house.post("secops-lead", &path, yes).await;
    assert!(matches!(late.status, StatusCode::CONFLICT | StatusCode::FORBIDDEN), "{}", late.text());
    let run = house.until("/api/v1/runs/RUN-1", |v| v["state"] != "running").await;
    assert_eq!(run["state"], "handed", "{run}");
    // Begun by somebody else, one yes is enough.
    assert_eq!(house.post("admin", "/api/v1/runs", begin).await.status, StatusCode::OK);
    let (shown, path) = task(&house).await;
    let yes = json!({ "digest": shown["digest"], "yes": true });
    assert_eq!(house.post("secops-lead", &path, yes).await.status, StatusCode::OK);
    assert_eq!(house.get("/api/v1/runs/RUN-2").await["state"], "completed");
}
