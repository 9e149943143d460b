//! `start`: how soon it is ready, empty and full, and how much memory it holds. Goals S8 to S11.

use anyhow::Result;

use crate::load::drive;
use crate::payload;
use crate::peers::{Running, Stanch, alertmanager};
use crate::plan::Plan;
use crate::report::{Figures, Row, Section};

/// Alerts the server is filled with.
const FULL: u64 = 1_000_000;
/// Groups the server is filled with for the memory of one.
const GROUPS: u64 = 100_000;
/// Alerts sent at a time, so that the driver stays small.
const PART: u64 = 50_000;

const MIB: f64 = 1_048_576.0;

/// Measures all of it.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut rows = vec![cold(plan)?];
    rows.extend(groups(plan)?);
    rows.extend(full(plan)?);
    Ok(Section {
        name: "start".to_owned(),
        title: "Start, recovery and memory".to_owned(),
        method: "From the start of the process to the first 200 of `/readyz` (Alertmanager: `/-/ready`), asked every \
                 millisecond. Recovery: a data directory filled with distinct alerts, the process killed with SIGKILL \
                 and started again; Alertmanager comes back empty, so it has no such figure. Memory is VmRSS from \
                 /proc after the last acknowledgement."
            .to_owned(),
        rows,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    })
}

/// S9: nothing to read.
fn cold(plan: &Plan) -> Result<Row> {
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    for _ in 0..plan.runs.max(3) {
        ours.add(Stanch::new(&plan.server)?.start()?.ready_after.as_secs_f64());
        let dir = tempfile::tempdir()?;
        theirs.add(alertmanager(dir.path(), "alertname")?.ready_after.as_secs_f64());
    }
    let median = ours.median();
    Ok(Row::plain("s to ready, empty", &ours, Some(&theirs)).goal("S9", median, " s", 0.25, false))
}

fn fill(running: &Running, first: u64, total: u64) -> Result<()> {
    let mut sent = 0;
    while sent < total {
        let part = PART.min(total - sent);
        drive(&running.door, &payload::bodies(first + sent, part, 512, 1), 8)?;
        sent += part;
    }
    Ok(())
}

/// S11: bytes for each group, one alert to a group.
fn groups(plan: &Plan) -> Result<Vec<Row>> {
    let groups = GROUPS / plan.shrink;
    let stanch = Stanch::new(&plan.server)?;
    let running = stanch.start()?;
    let empty = running.rss()?;
    fill(&running, 0, groups)?;
    let each = running.rss()?.saturating_sub(empty) as f64 / groups as f64 / 1_024.0;
    drop(running);
    // The peer starts a task for each group: a tenth of the groups shows it.
    let dir = tempfile::tempdir()?;
    let peer = alertmanager(dir.path(), "alertname, instance")?;
    let (empty, few) = (peer.rss()?, groups / 10);
    fill(&peer, 0, few)?;
    std::thread::sleep(std::time::Duration::from_secs(2));
    let theirs = peer.rss()?.saturating_sub(empty) as f64 / few as f64 / 1_024.0;
    let what = format!("KiB for each alert group, {groups} groups (peer: {few})");
    let row = Row::plain(what, &Figures(vec![each]), Some(&Figures(vec![theirs])));
    Ok(vec![row.goal("S11", each, " KiB", 2.0, false)])
}

/// S8 and S10: a full server, its memory, and how soon it is back after SIGKILL.
fn full(plan: &Plan) -> Result<Vec<Row>> {
    let alerts = FULL / plan.shrink;
    let stanch = Stanch::new(&plan.server)?;
    let running = stanch.start()?;
    println!("filling with {alerts} distinct alerts");
    fill(&running, 0, alerts)?;
    let (held, peak) = (running.rss()? as f64 / MIB, running.peak()? as f64 / MIB);
    drop(running);
    let (mut back, mut after) = (Figures::default(), Figures::default());
    for _ in 0..plan.runs {
        let running = stanch.start()?;
        back.add(running.ready_after.as_secs_f64());
        after.add(running.rss()? as f64 / MIB);
    }
    let dir = tempfile::tempdir()?;
    let peer = alertmanager(dir.path(), "alertname")?;
    fill(&peer, 0, plan.peer_alerts)?;
    let theirs = peer.rss()? as f64 / MIB * alerts as f64 / plan.peer_alerts as f64;
    let median = back.median();
    let scaled =
        format!("MiB held, {alerts} active alerts (peer measured at {} and scaled)", plan.peer_alerts);
    let one = |figure: f64| Figures(vec![figure]);
    Ok(vec![
        Row::plain(format!("s to ready after SIGKILL, {alerts} active alerts"), &back, None)
            .goal("S8", median, " s", 3.0, false),
        Row::plain(scaled, &one(held), Some(&one(theirs))).goal("S10", held / theirs, "×", 0.25, false),
        Row::plain("MiB at most while filling", &one(peak), None),
        Row::plain("MiB held after recovery", &after, None),
    ])
}
