//! A storm over a real server: dozens of incidents in minutes, a chat that fails in every way it can, one storm
//! message that is changed in place, questions and what is critical told all the same, and nobody forgotten.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::chat::chat_over_sockets;
use crate::cloud::Cloud;
use crate::house::{House, beacon};
use crate::workspace::{Shown, Trouble};

/// The channel of the team that answers.
pub(crate) const CHANNEL: &str = "C1";
/// How many new messages that count a channel takes in ten minutes.
const BUDGET: usize = 6;

async fn house(cloud: &Cloud) -> House {
    let house = House::with(|config| {
        chat_over_sockets(config, &cloud.url, "");
        one_server_is_asked_about(config);
    })
    .await;
    cloud.until_opened(1).await;
    house
}

/// One server only is worth a question: the others are for people from the start.
pub(crate) fn one_server_is_asked_about(config: &std::path::Path) {
    let file = config.join("playbooks/c2-beacon.yaml");
    let playbook = std::fs::read_to_string(&file).unwrap();
    let one = playbook.replace("incident.peer != \"\"", "incident.peer == \"203.0.113.200\"");
    assert_ne!(one, playbook);
    std::fs::write(file, one).unwrap();
}

/// A machine of its own calls a server of its own: an incident of its own.
fn calls_home(n: usize) -> Value {
    let mut alert = beacon();
    alert["flow_id"] = n.into();
    alert["src_ip"] = format!("10.0.{n}.5").into();
    alert["dest_ip"] = format!("203.0.113.{n}").into();
    alert["alert"]["signature_id"] = (2_035_000 + n).into();
    alert["alert"]["signature"] = format!("ET MALWARE family {n} CnC beacon").into();
    alert
}

/// Files of a machine are being encrypted: critical by its source's own word.
pub(crate) fn burns() -> Value {
    json!({
        "timestamp": "2026-03-03T22:20:00.000+0000", "id": "9.99", "manager": { "name": "m" }, "data": {},
        "rule": { "id": "100999", "level": 15, "description": "Ransomware: files are being encrypted",
                  "groups": ["ransomware"],
                  "mitre": { "id": ["T1486"], "tactic": ["Impact"], "technique": ["Data Encrypted for Impact"] } },
        "agent": { "id": "007", "name": "files-1", "ip": "10.0.99.5" }, "decoder": { "name": "syscheck" },
        "location": "syscheck",
    })
}

/// Alerts arrive, and so many incidents are there then.
pub(crate) async fn storm(house: &House, which: std::ops::RangeInclusive<usize>, then: usize) -> Vec<String> {
    for n in which {
        assert!(house.deliver("suricata", calls_home(n).to_string()).await.status.is_success());
    }
    let there = |v: &Value| v["total"].as_u64() == Some(then as u64);
    let all = house.until("/api/v1/incidents?limit=200", there).await;
    let id = |i: &Value| i["id"].as_str().unwrap().to_owned();
    all["incidents"].as_array().unwrap().iter().map(id).collect()
}

/// Messages that are there because of an incident, by incident: `INC-7` of "High, nobody has taken it yet".
pub(crate) fn told(all: &[&Shown]) -> BTreeSet<String> {
    let name = |m: &&Shown| {
        let text = m.text().trim_start_matches(":warning: ").trim_start_matches(":rotating_light: ");
        Some(text.strip_prefix("INC-")?.split(' ').next()?.to_owned()).map(|n| format!("INC-{n}"))
    };
    all.iter().filter_map(name).collect()
}

/// The message about the storm that says this.
pub(crate) fn about(all: &[&Shown], words: &str) -> Option<Shown> {
    all.iter().find(|m| m.text().contains(words)).map(|m| (*m).clone())
}

/// Lets the clock run until the channel shows it: after a failure the next try is due later.
pub(crate) async fn shows<T>(
    house: &House,
    cloud: &Cloud,
    what: &str,
    look: impl Fn(&[&Shown]) -> Option<T>,
) -> T {
    let (mut tries, passing) = (0, std::time::Duration::from_millis(300));
    loop {
        let seen = cloud.messages(CHANNEL);
        if let Some(found) = look(&seen.iter().collect::<Vec<_>>()) {
            return found;
        }
        tries += 1;
        assert!(tries < 120, "{what} never came: {:#?}", seen.iter().map(Shown::text).collect::<Vec<_>>());
        house.forward(if tries < 30 { 2 } else { 20 });
        // A change is waited for, and where there is none the clock goes on.
        drop(tokio::time::timeout(passing, cloud.changes()).await);
    }
}

#[tokio::test]
async fn a_storm_is_one_message_and_nobody_is_forgotten_whatever_the_chat_does() {
    let cloud = Cloud::start().await;
    // The first word, the storm message and its changes all go wrong in every way before they go right.
    let all = [Trouble::Status(429), Trouble::Status(500), Trouble::Status(503)];
    cloud.trouble("chat.postMessage", "INC-1 ", &all);
    cloud.trouble("chat.postMessage", "Storm: ", &all);
    cloud.trouble("chat.update", "Storm: ", &[Trouble::Status(500), Trouble::Lost, Trouble::Status(429)]);
    let house = house(&cloud).await;
    let ids = storm(&house, 1..=30, 30).await;
    let first = shows(&house, &cloud, "the storm message", |all| about(all, "Storm: 24 incidents")).await;
    let own =
        shows(&house, &cloud, "six messages", |all| (told(all).len() >= BUDGET).then(|| told(all))).await;
    assert_eq!(own.len(), BUDGET, "{own:?}");

    // In the middle of it: a question, with its buttons, and an incident that is critical.
    storm(&house, 200..=200, 31).await;
    let asked = house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    let digest = asked["approvals"][0]["digest"].as_str().unwrap().to_owned();
    let question = shows(&house, &cloud, "the question", |all| about(all, "needs a decision")).await;
    assert!(question.body.to_string().contains("stanch_approve"), "{}", question.body);
    assert!(house.deliver("wazuh", burns().to_string()).await.status.is_success());
    house.until("/api/v1/incidents?limit=200", |v| v["total"] == 32).await;
    shows(&house, &cloud, "what is critical", |all| about(all, "Critical, nobody has taken it yet")).await;

    // A minute later the same message says what came since, also after a restart.
    let house = house.again().await;
    cloud.until_opened(2).await;
    house.forward(61);
    let changed = shows(&house, &cloud, "the new count", |all| about(all, "Storm: 25 incidents")).await;
    assert_eq!(changed.ts, first.ts);
    let seen = cloud.messages(CHANNEL);
    let storms = seen.iter().filter(|m| m.text().contains("Storm: ")).count();
    assert_eq!(storms, 1, "{seen:#?}");
    // A change whose answer got lost is there before it is made once more, against the last failure.
    shows(&house, &cloud, "every failure", |_| (cloud.troubles() == 0).then_some(())).await;
    // Nobody is forgotten: told in the channel, or counted there and named in its own story.
    let own = told(&seen.iter().collect::<Vec<_>>());
    for id in &ids {
        let story = house.get(&format!("/api/v1/incidents/{id}/story")).await.to_string();
        assert_eq!(story.contains("not told in C1 of chat"), !own.contains(id), "{id} {story}");
    }

    // The answer still counts, and the change is made.
    let yes = json!({
        "type": "block_actions", "api_app_id": "A1",
        "user": { "id": "U11", "name": "secops-lead", "team_id": "T1" }, "team": { "id": "T1" },
        "container": { "type": "message", "channel_id": CHANNEL, "message_ts": question.ts },
        "actions": [{ "action_id": "stanch_approve", "value": digest, "action_ts": "1" }],
    });
    cloud.envelope(2, "yes", "interactive", &yes);
    house.until("/api/v1/blocks", |v| v["blocks"][0]["state"] == "in_force").await;

    // People take them all; the storm ends with one last word, and the next incident is told as ever.
    for n in 1..=32 {
        let done = house.post("secops-lead", &format!("/api/v1/incidents/INC-{n}/ack"), json!({})).await;
        assert!(done.status.is_success(), "{}", done.text());
    }
    // The change's run has a word for the team ten minutes later, which the storm still keeps: ten more.
    house.forward(660);
    let over = shows(&house, &cloud, "the end", |all| {
        all.iter().find(|m| m.ts == first.ts && m.text().contains("The storm is over")).map(|m| (*m).clone())
    })
    .await;
    assert!(over.edits >= 2 && over.text().contains("25 incidents"), "{}", over.text());
    shows(&house, &cloud, "the last word", |all| {
        all.iter().find(|m| m.ts != first.ts && m.text().contains("The storm is over")).map(drop)
    })
    .await;
    storm(&house, 101..=101, 33).await;
    shows(&house, &cloud, "the next incident", |all| about(all, "INC-33 High, nobody has taken it yet"))
        .await;
    assert_eq!(cloud.wrong(), Vec::<String>::new());
}

/// An answer that got lost may give a second message, never none, and never a second storm.
#[tokio::test]
async fn an_answer_that_is_lost_gives_a_second_message_and_never_none() {
    let cloud = Cloud::start().await;
    cloud.trouble("chat.postMessage", "INC-2 ", &[Trouble::Lost]);
    cloud.trouble("chat.postMessage", "Storm: ", &[Trouble::Lost]);
    let house = house(&cloud).await;
    storm(&house, 1..=16, 16).await;
    let twice = |all: &[&Shown], words: &str| {
        let fits: Vec<String> =
            all.iter().filter(|m| m.text().contains(words)).map(|m| m.ts.clone()).collect();
        (fits.len() == 2).then_some(fits)
    };
    shows(&house, &cloud, "the incident, twice", |all| twice(all, "INC-2 High")).await;
    shows(&house, &cloud, "the storm, twice", |all| twice(all, "Storm: ")).await;
    // The one that answered is the one that is kept up to date.
    storm(&house, 17..=20, 20).await;
    house.forward(61);
    let changed = shows(&house, &cloud, "the new count", |all| about(all, "Storm: 14 incidents")).await;
    assert_eq!(changed.edits, 1);
    assert_eq!(told(&cloud.messages(CHANNEL).iter().collect::<Vec<_>>()).len(), BUDGET);
    assert_eq!((cloud.troubles(), cloud.wrong()), (0, Vec::new()));
}
