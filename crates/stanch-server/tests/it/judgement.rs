//! Advice, autonomy and corrections over the API.

use axum::http::StatusCode;
use serde_json::json;

use crate::house::{House, beacon};

#[tokio::test]
async fn advice_abstains_autonomy_is_off_and_a_correction_says_what_is_missing() {
    let house = House::new().await;
    house.deliver("suricata", beacon().to_string()).await;
    house.until("/api/v1/incidents/INC-1", |v| v["id"] == "INC-1").await;
    let path = "/api/v1/incidents/INC-1/verdict";
    let odd = house.post("secops-lead", path, json!({ "verdict": "perhaps" })).await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    assert!(odd.text().contains("duplicate"), "it says what there is: {}", odd.text());
    let alone = house.post("secops-lead", path, json!({ "verdict": "duplicate" })).await;
    assert!(alone.status.is_client_error(), "{}", alone.text());
    let yes = house.post("secops-lead", path, json!({ "verdict": "true" })).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.text());
    let team = house.post("secops-lead", path, json!({ "verdict": "wrong_team", "team": "netops" })).await;
    assert_eq!(team.status, StatusCode::OK, "{}", team.text());

    let advice = house.get("/api/v1/incidents/INC-1/advice").await;
    assert_eq!(advice["alike"], json!([]), "it is not like itself");
    assert!(advice["abstains"].as_str().is_some_and(|w| w.contains("too few")), "{advice:#}");
    let story = house.get("/api/v1/incidents/INC-1/story").await;
    assert!(story["text"].as_str().is_some_and(|t| t.contains("What solved it before")), "{story:#}");

    let autonomy = house.get("/api/v1/autonomy").await;
    assert_eq!((&autonomy["allowed"], &autonomy["judged"]), (&json!(false), &json!(1)));
    assert!(autonomy["because"][0].as_str().is_some_and(|w| w.starts_with("switched off")), "{autonomy:#}");
    assert_eq!(autonomy["model"]["verdicts"], 1);
    let decisions = autonomy["decisions"].as_array().unwrap();
    let shown: Vec<(&str, &str, bool, bool)> = decisions
        .iter()
        .map(|d| {
            let flag = |key: &str| d[key].as_bool().unwrap();
            let text = |key: &str| d[key].as_str().unwrap();
            (text("decision"), text("cost"), flag("measured"), flag("allowed"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("close", "high", false, false),
            ("page", "low", false, false),
            ("contain_reversible", "medium", false, false),
            ("contain_costly", "high", false, false),
        ]
    );
    assert!(decisions[1]["because"][0].as_str().unwrap().starts_with("no budget: every incident pages"));
    let alert = house.get("/api/v1/alerts/A-1").await;
    assert_eq!(alert["model"], "baselines-2");
    assert_eq!(alert["calibration"]["mattered"], 1, "{alert:#}");
}
