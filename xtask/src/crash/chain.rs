//! One data directory, crashed several times in a row.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::check::{self, Seen};
use super::ledger::Ledger;
use super::power::{self, Disk};
use super::sender::{self, Door};
use super::server::{self, Server, Start};
use super::{Death, Plan, Target};

/// The longest senders go on when the planned call never comes.
const STORM: Duration = Duration::from_secs(6);

/// What is told after each crash: how, what was found, records newly acknowledged.
pub(crate) type Report<'a> = &'a (dyn Fn(&Death, &Seen, u64) + Sync);

/// Where everything of one chain lies.
struct Place {
    config: PathBuf,
    data: PathBuf,
    token: String,
    disk: Option<Disk>,
    _dir: tempfile::TempDir,
}

/// Crashes one directory as planned, then sends again what was never acknowledged, stops in order
/// and looks once more.
pub(crate) fn run(target: &Target, plan: &Plan, report: Report<'_>) -> Result<()> {
    let place = prepare(target, plan)?;
    let (ledger, numbers) = (Ledger::default(), AtomicU64::new(0));
    let (mut before, mut late) = (0, 0);
    for (n, death) in plan.deaths.iter().enumerate() {
        let seed = plan.seed ^ (n as u64) << 8;
        crash(target, &place, *death, &ledger, &numbers, seed).with_context(|| death.to_string())?;
        let seen = check::check(target, &place.data, &ledger.copy()).with_context(|| death.to_string())?;
        report(death, &seen, ledger.records() - before);
        if ledger.late() > late {
            println!(
                "          {} requests were answered after the power was off; they do not count",
                ledger.late() - late
            );
            late = ledger.late();
        }
        ledger.strike(&seen.gone);
        before = ledger.records();
    }
    let Start::Listening(server) = server::start(target, &place.config, &place.data, None)? else {
        bail!("it was killed, and nobody wanted that");
    };
    let door = Door { address: server.address.clone(), token: place.token.clone() };
    sender::send_again(&door, &ledger).context("sending again")?;
    server.stop().context("an orderly stop")?;
    let seen = check::check(target, &place.data, &ledger.copy())?;
    if !seen.words.is_empty() && target.reader.is_some() {
        bail!("after sending again: {}", seen.words.join("; "));
    }
    offline(target, &place, ledger.records())
}

/// One life: start, senders, death, and for a power cut the way back.
fn crash(
    target: &Target,
    place: &Place,
    death: Death,
    ledger: &Ledger,
    numbers: &AtomicU64,
    seed: u64,
) -> Result<()> {
    let Start::Listening(mut server) = server::start(target, &place.config, &place.data, Some(death))? else {
        return Ok(());
    };
    let door = Door { address: server.address.clone(), token: place.token.clone() };
    let (stop, acks) = (AtomicBool::new(false), ledger.acks());
    std::thread::scope(|scope| {
        scope.spawn(|| sender::storm(&door, ledger, numbers, &stop, seed));
        let ended = die(&mut server, place, death, &|| ledger.acks() - acks, ledger);
        stop.store(true, Ordering::Relaxed);
        ended
    })?;
    ledger.dark(false);
    match (&place.disk, death) {
        (Some(disk), Death::PowerCut { .. }) => disk.restore(),
        _ => Ok(()),
    }
}

/// Waits for the moment, and ends the server.
fn die(
    server: &mut Server,
    place: &Place,
    death: Death,
    acks: &dyn Fn() -> u64,
    ledger: &Ledger,
) -> Result<()> {
    let began = Instant::now();
    let over = |server: &mut Server| match death {
        Death::At { .. } => server.ended(),
        Death::After { millis } => began.elapsed() >= Duration::from_millis(millis),
        Death::PowerCut { acks: n } => acks() >= n,
    };
    while !over(server) && began.elapsed() < STORM {
        std::thread::sleep(Duration::from_millis(1));
    }
    if let (Death::PowerCut { .. }, Some(disk)) = (death, &place.disk) {
        ledger.dark(true);
        disk.cut()?;
        std::thread::sleep(Duration::from_millis(30));
    }
    server.kill()
}

/// Writes a configuration with two sources, and makes the disk.
fn prepare(target: &Target, plan: &Plan) -> Result<Place> {
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("config");
    let disk = match plan.deaths.first() {
        Some(Death::PowerCut { .. }) => Some(Disk::new(dir.path(), power::kind(plan.number))?),
        _ => None,
    };
    let data = disk.as_ref().map_or_else(|| dir.path().to_owned(), |d| d.mount.clone()).join("data");
    let token = match target.reader {
        Some(_) => configure(target, &config)?,
        None => "none".to_owned(),
    };
    Ok(Place { config, data, token, disk, _dir: dir })
}

fn configure(target: &Target, config: &Path) -> Result<String> {
    let out = Command::new(&target.binary).arg("init").arg(config).output()?;
    if !out.status.success() {
        bail!("init: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    let second = "format: suricata\ncredential:\n  bearer: { file: secrets/suricata.token }\n";
    std::fs::write(config.join("sources/suricata-b.yaml"), second)?;
    let token =
        std::fs::read_to_string(config.join("secrets/suricata.token")).context("no token was made")?;
    Ok(token.trim().to_owned())
}

/// The product's own words about the directory must agree: its ledger and its chain.
fn offline(target: &Target, place: &Place, records: u64) -> Result<()> {
    if target.reader.is_none() {
        return Ok(());
    }
    let ask = |words: &[&str]| -> Result<std::process::Output> {
        Ok(Command::new(&target.binary).args(words).arg("--data").arg(&place.data).output()?)
    };
    let out = ask(&["ledger", "--json"])?;
    let ledger: serde_json::Value = serde_json::from_slice(&out.stdout)
        .with_context(|| String::from_utf8_lossy(&out.stderr).into_owned())?;
    let received = ledger["received"].as_u64().unwrap_or(0);
    if ledger["balanced"] != true || received < records {
        bail!("{records} records were acknowledged, and `ledger` says {ledger}");
    }
    let verified = ask(&["journal", "verify"])?;
    if !verified.status.success() {
        bail!("`journal verify`: {}", String::from_utf8_lossy(&verified.stderr).trim());
    }
    Ok(())
}
