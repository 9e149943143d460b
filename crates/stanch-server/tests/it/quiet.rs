//! A night over a real server: what can wait is one message in the morning, what cannot is told at once, and a restart
//! loses neither.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::chat::chat_over_sockets;
use crate::cloud::Cloud;
use crate::house::House;
use crate::storm::{CHANNEL, about, burns, one_server_is_asked_about, shows, storm};
use crate::workspace::{Shown, Trouble};

const HOUR: u64 = 3_600;

/// The time of the day in UTC, as the configuration writes it.
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / HOUR % 24, seconds / 60 % 60)
}

/// It has been quiet for an hour, and is so for two more.
async fn at_night(cloud: &Cloud) -> House {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (from, to) = (clock(now - HOUR), clock(now + 2 * HOUR));
    let quiet =
        format!(", channels: {{ {CHANNEL}: {{ quiet: {{ from: \"{from}\", to: \"{to}\", zone: UTC }} }} }}");
    let house = House::with(|config| {
        chat_over_sockets(config, &cloud.url, &quiet);
        one_server_is_asked_about(config);
    })
    .await;
    cloud.until_opened(1).await;
    house
}

#[tokio::test]
async fn what_can_wait_is_one_message_in_the_morning_and_what_cannot_is_told_at_night() {
    let cloud = Cloud::start().await;
    cloud.trouble("chat.postMessage", "Digest: ", &[Trouble::Status(500), Trouble::Status(429)]);
    let house = at_night(&cloud).await;
    storm(&house, 1..=3, 3).await;

    // A question and what is critical come at night as well.
    let waiting = storm(&house, 200..=200, 4).await;
    house.until("/api/v1/approvals?pending=true", |v| v["pending"] == 1).await;
    shows(&house, &cloud, "the question", |all| about(all, "needs a decision")).await;
    assert!(house.deliver("wazuh", burns().to_string()).await.status.is_success());
    shows(&house, &cloud, "what is critical", |all| about(all, "Critical, nobody has taken it yet")).await;
    let seen = cloud.messages(CHANNEL);
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(about(&seen.iter().collect::<Vec<_>>(), "Digest: ").is_none());

    // Who is awake takes them, so that nobody is to be woken about them any more.
    for id in &waiting {
        let taken = house.post("secops-lead", &format!("/api/v1/incidents/{id}/ack"), json!({})).await;
        assert!(taken.status.is_success(), "{}", taken.text());
    }

    // The night is over after a restart: one message, with every incident that waited by name.
    let house = house.again().await;
    cloud.until_opened(2).await;
    house.forward(2 * HOUR as i64 + 61);
    let digest =
        shows(&house, &cloud, "the digest", |all| about(all, "Digest: 4 incidents (0 not taken)")).await;
    shows(&house, &cloud, "every failure", |_| (cloud.troubles() == 0).then_some(())).await;
    for id in &waiting {
        assert!(digest.body.to_string().contains(&format!("{id} ")), "{id}: {}", digest.body);
    }
    let seen: Vec<Shown> = cloud.messages(CHANNEL);
    assert_eq!(seen.iter().filter(|m| m.text().contains("Digest: ")).count(), 1, "{seen:#?}");
    for id in &waiting {
        let story = house.get(&format!("/api/v1/incidents/{id}/story")).await.to_string();
        assert!(story.contains("C1 of chat"), "{id} {story}");
    }

    // By day an incident is told as ever.
    storm(&house, 101..=101, 6).await;
    shows(&house, &cloud, "the next incident", |all| about(all, "INC-6 High, nobody has taken it yet")).await;
    assert_eq!(cloud.wrong(), Vec::<String>::new());
}
