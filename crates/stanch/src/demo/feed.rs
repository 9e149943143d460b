//! The recording, sent as a sensor would send it: over HTTP, with its credential, in batches.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use stanch_model::Timestamp;
use stanch_server::api::v1::types::AckView;

use super::stage::Stage;
use super::tell::Tell;
use crate::client::refused;

/// The recording. See `demo/capture/NOTICE`.
const CAPTURE: &[u8] = include_bytes!("../../../../demo/capture/cptc-2017-team1.eve.json.gz");
/// Records in one request.
const BATCH: usize = 64;
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Fed {
    /// Records sent and acknowledged.
    pub records: u64,
    /// Alerts among them not seen before.
    pub alerts: u64,
    /// Incidents that stand alone.
    pub incidents: usize,
    /// How long it took.
    pub took: Duration,
    /// From the first record sent to the first incident.
    pub first_incident: Option<Duration>,
}

/// The lines of the recording.
///
/// # Errors
/// When it cannot be unpacked, which would be a bug of the build.
pub fn capture() -> Result<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(CAPTURE).read_to_string(&mut text).context("the recording is damaged")?;
    Ok(text)
}

/// When a record happened, by the sensor's clock.
fn time_of(line: &str) -> Option<Timestamp> {
    let record: serde_json::Value = serde_json::from_str(line).ok()?;
    Timestamp::parse(record.get("timestamp")?.as_str()?).ok()
}

/// Sends the recording: as fast as it is acknowledged, or at `speed` times the pace of the day.
///
/// # Errors
/// When a batch was not taken in.
pub async fn feed(stage: &Stage, tell: &Tell<'_>, speed: Option<f64>) -> Result<Fed> {
    let text = capture()?;
    let lines: Vec<&str> = text.lines().collect();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let url = format!("http://{}/in/suricata", stage.app.addr());
    let begin = Instant::now();
    let first = lines.first().and_then(|l| time_of(l));
    let (mut fed, mut looked) = (Fed::default(), Instant::now());
    for batch in lines.chunks(BATCH) {
        if let (Some(speed), Some(first), Some(now)) = (speed, first, batch.first().and_then(|l| time_of(l)))
        {
            let due = Duration::from_secs_f64(now.since(first).to_std().as_secs_f64() / speed);
            tokio::time::sleep(due.saturating_sub(begin.elapsed())).await;
        }
        let ack = send(&client, &url, &stage.source_token, batch).await?;
        fed.records += ack.accepted;
        fed.alerts += ack.new;
        let first_seen = fed.first_incident.is_none();
        if first_seen || looked.elapsed() >= LOOK {
            looked = Instant::now();
            progress(stage, tell, &mut fed, lines.len(), begin.elapsed());
        }
    }
    fed.took = begin.elapsed();
    let took = fed.took;
    progress(stage, tell, &mut fed, lines.len(), took);
    tell.live_end();
    Ok(fed)
}

async fn send(client: &reqwest::Client, url: &str, token: &str, batch: &[&str]) -> Result<AckView> {
    let sent = client
        .post(url)
        .bearer_auth(token)
        .header("content-type", "application/x-ndjson")
        .body(batch.join("\n"))
        .send()
        .await
        .context("the server of the demonstration does not answer")?;
    let status = sent.status();
    let body = sent.bytes().await?;
    if !status.is_success() {
        return Err(refused(status.as_u16(), &body).into());
    }
    serde_json::from_slice(&body).context("the intake answered something else")
}

/// Looks at the state and tells what is new.
fn progress(stage: &Stage, tell: &Tell<'_>, fed: &mut Fed, of: usize, at: Duration) {
    let (incidents, latest) = stage.app.engine().read(|s| {
        let open = s.incidents.values().filter(|i| i.merged_into.is_none());
        let latest = open.clone().max_by_key(|i| (i.alerts.len(), std::cmp::Reverse(i.id)));
        (open.count(), latest.map(|i| (i.id.to_string(), stanch_core::story::title(i))))
    });
    fed.incidents = incidents;
    let words = latest.map(|(id, title)| format!("{id} {title}")).unwrap_or_default();
    if fed.first_incident.is_none() && incidents > 0 {
        fed.first_incident = Some(at);
        tell.milestone(at, &format!("first incident, after {} records: {words}", fed.records));
    }
    tell.live(fed, of, &words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_whole_and_in_order_of_time() {
        let text = capture().expect("unpacked");
        assert_eq!(text.lines().count(), 4_274);
        let times: Vec<Timestamp> = text.lines().map(|l| time_of(l).expect("a time")).collect();
        assert!(times.is_sorted());
    }
}
