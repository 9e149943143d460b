//! Two hosts and a firewall between them, under the addresses of the incident.

use std::ffi::OsString;
use std::net::IpAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use stanch_connectors::responder::lab::{self, Beat, Lab, Probe};
use stanch_model::Failure;
use stanch_server::api::v1::types::{AlertDetail, AlertPage};

use crate::client::{Api, Route};

/// How often the kept-open connection says something.
const BEAT: Duration = Duration::from_millis(200);
/// Looks at an empty firewall so long as nothing is found.
const TABLE: &str = "stanch";

/// What stands on the two sides of the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// A machine of ours that the incident is about.
    pub victim: IpAddr,
    /// What is to be blocked.
    pub target: IpAddr,
    /// The target's port in the alert.
    pub port: u16,
}

/// Whether a network of its own can be built here.
///
/// # Errors
/// What is missing, and the line that mends it.
pub fn possible() -> Result<(), String> {
    if std::env::var_os("STANCH_DEMO_SIMULATE").is_some_and(|v| v == "1") {
        return Err("STANCH_DEMO_SIMULATE=1 asks for the simulated firewall".into());
    }
    lab::available()
}

/// Three empty network namespaces.
///
/// # Errors
/// When they cannot be made.
pub async fn namespaces() -> Result<Lab> {
    let _stale = Lab::sweep_stale();
    let me: OsString = std::env::current_exe().context("this program cannot find itself")?.into();
    Lab::empty(vec![me, "lab-helper".into()]).await.map_err(cannot)
}

/// A failure of the lab as one of ours.
pub fn cannot(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!("the network of the demonstration: {failure}")
}

/// Who stood on the two ends of the alert that speaks most clearly against the target.
///
/// # Errors
/// When the alerts cannot be read, or none of them names both ends.
pub async fn ends(api: &Api, incident: &str, target: &str) -> Result<Ends> {
    let route = Route::new(&["alerts"]).with("incident", Some(incident)).with("limit", Some(1000));
    let mut alerts = api.get_as::<AlertPage>(&route).await?.alerts;
    alerts.retain(|a| [&a.src, &a.dst].iter().any(|end| end.as_deref() == Some(target)));
    // The surest first; among equals the one repeated most, then the first, so that it is always the same.
    alerts
        .sort_by(|a, b| b.score.total_cmp(&a.score).then(b.count.cmp(&a.count)).then(a.first.cmp(&b.first)));
    for alert in alerts.iter().take(20) {
        let detail: AlertDetail = api.get_as(&Route::new(&["alerts", &alert.id])).await?;
        let both = [detail.normalised.src_endpoint, detail.normalised.dst_endpoint];
        let both: Vec<(IpAddr, Option<u16>)> =
            both.into_iter().flatten().filter_map(|e| Some((e.ip?.parse().ok()?, e.port))).collect();
        let target: IpAddr = target.parse().context("the target is not one address")?;
        if let [a, b] = both.as_slice() {
            let (theirs, ours) = if a.0 == target { (a, b) } else { (b, a) };
            if theirs.0 == target && ours.0 != target && theirs.0.is_ipv4() == ours.0.is_ipv4() {
                return Ok(Ends { victim: ours.0, target, port: theirs.1.filter(|p| *p > 0).unwrap_or(443) });
            }
        }
    }
    anyhow::bail!("no alert of {incident} names a machine on the other side of {target}")
}

/// What a probe met, in one word.
#[must_use]
pub fn word(probe: &Probe) -> &'static str {
    match probe {
        Probe::Open { .. } => "open",
        Probe::Blocked { .. } => "blocked",
        Probe::Refused { .. } => "refused",
    }
}

/// What has become of the kept-open connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Lines that came back.
    pub echoes: u64,
    /// Why it is over.
    pub lost: Option<String>,
}

/// A connection kept open in the background.
pub struct Watched(Arc<Mutex<Session>>, tokio::task::JoinHandle<()>);

impl Watched {
    /// Opens it.
    ///
    /// # Errors
    /// When the helper could not run.
    pub fn open(lab: &Lab) -> Result<Watched> {
        let mut held = lab.hold(BEAT).map_err(cannot)?;
        let session = Arc::new(Mutex::new(Session::default()));
        let seen = session.clone();
        let watching = tokio::spawn(async move {
            while let Some(beat) = held.next().await {
                let mut s = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match beat {
                    Beat::Echo { .. } => s.echoes += 1,
                    Beat::Lost { why } => s.lost = Some(why),
                }
            }
        });
        Ok(Watched(session, watching))
    }

    /// How it stands.
    #[must_use]
    pub fn now(&self) -> Session {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// What the kernel itself says about an address: the elements of our table that name it.
pub async fn kernel(netns: &str, target: IpAddr) -> Vec<String> {
    let listed = tokio::process::Command::new("ip")
        .args(["netns", "exec", netns, "nft", "list", "table", "inet", TABLE])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let Ok(Ok(listed)) = tokio::time::timeout(Duration::from_secs(5), listed).await else {
        return Vec::new();
    };
    elements(&String::from_utf8_lossy(&listed.stdout), target)
}

/// The elements that name an address, each on a line of its own.
fn elements(table: &str, target: IpAddr) -> Vec<String> {
    let target = target.to_string();
    let texts = table.split("elements = {").skip(1).filter_map(|rest| rest.split_once('}'));
    let all = texts.flat_map(|(inside, _)| inside.split(','));
    let all = all.map(|e| e.split_whitespace().collect::<Vec<_>>().join(" "));
    all.filter(|e| e.split(' ').next() == Some(&target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_elements_are_found_by_their_address_alone() {
        let table = "table inet stanch {\n set a {\n elements = { 10.0.0.1 timeout 8s expires 7s\n  comment \
                     \"stanch:ACT-1\",\n 10.0.0.10 timeout 9s }\n }\n}";
        assert_eq!(
            elements(table, "10.0.0.1".parse().expect("an address")),
            ["10.0.0.1 timeout 8s expires 7s comment \"stanch:ACT-1\""]
        );
        assert!(elements(table, "10.0.0.2".parse().expect("an address")).is_empty());
    }
}
