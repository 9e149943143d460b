//! Writing playbooks through the API: judged by line, tried out, saved whole or not at all.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::{House, beacon};

const AT: &str = "/api/v1/playbooks/c2-beacon";

async fn source(house: &House) -> (String, String) {
    let view = house.get(AT).await;
    (view["source"].as_str().unwrap().to_owned(), view["hash"].as_str().unwrap().to_owned())
}

async fn save(house: &House, person: &str, name: &str, text: &str, base: &str) -> crate::house::Answer {
    let body = json!({ "text": text, "base": base });
    house.ask(person, Method::PUT, &format!("/api/v1/playbooks/{name}"), Some(body)).await
}

#[tokio::test]
async fn a_text_is_judged_by_line_and_compared_with_the_version_in_force() {
    let house = House::new().await;
    let (text, hash) = source(&house).await;
    let check = async |text: &str| -> Value {
        let answer = house.post("endpoint-lead", &format!("{AT}/check"), json!({ "text": text })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    };
    let same = check(&text).await;
    assert_eq!((&same["ok"], &same["in_force"], &same["hash"]), (&json!(true), &json!(hash), &json!(hash)));
    assert_eq!(same["differences"], json!([]));
    let block = same["nodes"].as_array().unwrap().iter().find(|n| n["id"] == "block").unwrap();
    assert_eq!(block["changes"], true);
    assert!(text.lines().nth(block["line"].as_u64().unwrap() as usize - 1).unwrap().contains("block"));
    let longer = check(&text.replace("ttl: 24h", "ttl: 7d")).await;
    let widens = longer["differences"].as_array().unwrap().iter().any(|d| d["widens"] == true);
    assert!(widens, "{longer:#}");
    let broken = check(&text.replace("wait: 10m", "wait: soon")).await;
    assert_eq!(broken["ok"], false);
    let line = text.lines().position(|l| l.contains("wait: 10m")).unwrap() + 1;
    assert_eq!(broken["mistakes"][0]["line"], line, "{broken:#}");
    let viewer = house.post("watcher", &format!("{AT}/check"), json!({ "text": text })).await;
    assert_eq!(viewer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_saved_playbook_is_in_force_and_a_bad_one_changes_nothing() {
    let house = House::new().await;
    let (text, hash) = source(&house).await;
    let file = house.config().join("playbooks/c2-beacon.yaml");
    let bad = save(&house, "admin", "c2-beacon", &text.replace("wait: 10m", "wait: soon"), &hash).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.text());
    assert!(bad.json()["error"]["mistakes"][0]["line"].as_u64().unwrap() > 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let better = text.replace("wait: 10m", "wait: 20m");
    let saved = save(&house, "admin", "c2-beacon", &better, &hash).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), better);
    assert_eq!(source(&house).await.0, better);
    let journal = house.get("/api/v1/journal?limit=1000").await;
    let by = journal["entries"].as_array().unwrap().iter().rev().find(|e| e["kind"] == "loaded").unwrap();
    assert_eq!(by["body"]["by"], "admin, saving playbook c2-beacon");
    // Whoever began from the old text is told, and nothing is lost.
    let late = save(&house, "admin", "c2-beacon", &text, &hash).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), better);
    // Elsewhere the folder is broken: saving here does not make half of it take effect.
    std::fs::write(house.config().join("policies/triage.yaml"), "incident_at: 7\n").unwrap();
    let now = source(&house).await.1;
    let refused = save(&house, "admin", "c2-beacon", &text, &now).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), better);
}

#[tokio::test]
async fn a_folder_in_git_refuses_and_says_what_to_do_and_names_lead_nowhere_else() {
    let house = House::with(|config| std::fs::create_dir(config.join(".git")).unwrap()).await;
    let (text, hash) = source(&house).await;
    let refused = save(&house, "admin", "c2-beacon", &text.replace("10m", "20m"), &hash).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.text().contains("git") && refused.text().contains("playbook_edits"),
        "{}",
        refused.text()
    );
    assert!(house.get("/api/v1/playbooks").await["read_only"].as_str().unwrap().contains("git"));
    for name in ["..", "UPPER", ".hidden", "a%2fb"] {
        let answer = save(&house, "admin", name, &text, "").await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.status);
    }
    let outside = house.config().join("kept-elsewhere.yaml");
    let link = house.config().join("playbooks/linked.yaml");
    std::fs::write(house.config().join("stanch.yaml"), "playbook_edits: on\n").unwrap();
    assert_eq!(house.ask("admin", Method::POST, "/api/v1/admin/reload", None).await.status, StatusCode::OK);
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    let linked = save(&house, "admin", "linked", &text, "").await;
    assert_eq!(linked.status, StatusCode::FORBIDDEN, "{}", linked.text());
    assert!(!outside.exists());
}

#[tokio::test]
async fn a_rehearsal_plays_the_evidence_of_an_incident_and_touches_nothing() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let made = async || {
        let (runs, asked) = (house.get("/api/v1/runs").await, house.get("/api/v1/approvals").await);
        let count = |v: &Value, what: &str| v[what].as_array().map(Vec::len);
        (
            count(&runs, "runs"),
            count(&asked, "approvals"),
            house.get("/api/v1/blocks?all=true").await["blocks"].clone(),
        )
    };
    let before = made().await;
    let (text, _) = source(&house).await;
    let asked = json!({ "text": text, "incident": "INC-1" });
    let answer = house.post("endpoint-lead", &format!("{AT}/rehearse"), asked).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let view = answer.json();
    assert_eq!(view["sound"], true, "{view:#}");
    let lines = view["lines"].as_array().unwrap();
    assert!(
        lines.iter().any(|l| l["what"] == "changed" && l["text"].as_str().unwrap().contains("203.0.113.9")),
        "{view:#}"
    );
    assert!(view["crashes"].as_u64().unwrap() > 5 && !view["failures"].as_array().unwrap().is_empty());
    assert_eq!(made().await, before, "no run, no question, no change");
    let without = house.post("admin", &format!("{AT}/rehearse"), json!({ "text": text })).await;
    assert_eq!(without.status, StatusCode::BAD_REQUEST, "{}", without.text());
    let gone =
        house.post("admin", &format!("{AT}/rehearse"), json!({ "text": text, "incident": "INC-99" })).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let broken = json!({ "text": "name: c2-beacon\n", "incident": "INC-1" });
    let broken = house.post("admin", &format!("{AT}/rehearse"), broken).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn versions_that_were_replaced_and_those_that_runs_are_pinned_to_are_compared_with_the_one_in_force() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/approvals", |v| v["pending"] == 1).await;
    let versions =
        async || house.get(&format!("{AT}/versions")).await["versions"].as_array().unwrap().clone();
    let (first, hash) = source(&house).await;
    let only = versions().await;
    assert_eq!((only.len(), &only[0]["hash"], &only[0]["in_force"]), (1, &json!(hash), &json!(true)));
    assert_eq!(only[0]["run_count"], 1, "{only:#?}");
    let second = first.replace("ttl: 24h", "ttl: 7d");
    assert_eq!(save(&house, "admin", "c2-beacon", &second, &hash).await.status, StatusCode::OK);
    let (_, hash) = source(&house).await;
    let third = second.replace("wait: 10m", "wait: 20m");
    assert_eq!(save(&house, "admin", "c2-beacon", &third, &hash).await.status, StatusCode::OK);
    let all = versions().await;
    assert_eq!(all.len(), 3, "{all:#?}");
    assert_eq!((&all[0]["source"], &all[0]["differences"]), (&json!(third), &json!([])));
    // Nothing ran by the second, and it is known all the same.
    let before = all.iter().find(|v| v["source"] == json!(second)).unwrap();
    assert!(before["replaced"].is_string() && before["run_count"] == 0, "{before:#}");
    assert_eq!(before["differences"].as_array().unwrap().len(), 1, "{before:#}");
    let pinned = all.iter().find(|v| v["source"] == json!(first)).unwrap();
    assert_eq!(pinned["runs"], json!(["RUN-1"]));
    assert!(pinned["differences"].as_array().unwrap().iter().any(|d| d["widens"] == true), "{pinned:#}");
    let missing = house.ask("watcher", Method::GET, "/api/v1/playbooks/none/versions", None).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let house = house.again().await;
    assert_eq!(house.get(&format!("{AT}/versions")).await["versions"].as_array().unwrap().len(), 3);
}
