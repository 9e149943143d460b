//! `waiting`: a hundred thousand runs that wait, each with its timer: what they hold, and how soon they
//! go on after a restart.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::load::{Door, Wire, drive};
use crate::peers::{Running, Stanch, work};
use crate::plan::Plan;
use crate::report::{Figures, Row, Section};

/// Runs that wait at once.
const RUNS: u64 = 100_000;
/// How long each waits: longer than it takes to begin them all.
const WAIT: Duration = Duration::from_secs(90);
/// The longest they may take to go on.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures it.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    Ok(Section {
        name: "waiting".to_owned(),
        title: "Runs that wait".to_owned(),
        method: format!(
            "Each was begun by a call of its own from outside, has answered, and waits {} s by a timer. The server is \
             killed with SIGKILL once all wait, started, killed again, and started when all are due: from that start until \
             `/metrics` counts none. Memory is VmRSS from /proc.",
            WAIT.as_secs()
        ),
        rows: rows(plan)?,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    })
}

/// Begins them, ends the server, starts it before and after they are due.
fn rows(plan: &Plan) -> Result<Vec<Row>> {
    let runs = RUNS / plan.shrink;
    let stanch = Stanch::in_dir(&plan.server, tempfile::tempdir_in(work()?)?)?;
    let folder = stanch.dir.path().join("config/playbooks");
    std::fs::create_dir_all(&folder)?;
    let wait = format!("{}s", WAIT.as_secs());
    let text = include_str!("../peers/stanch-wait.yaml").replace("WAIT", &wait);
    std::fs::write(folder.join("patience.yaml"), text)?;
    let running = stanch.start()?;
    let door = Door { path: "/api/v1/hooks/patience".to_owned(), ..running.door.clone() };
    let bodies: Vec<Vec<u8>> =
        (0..runs).map(|n| format!(r#"{{"host":"web-{n}","severity":5}}"#).into_bytes()).collect();
    println!("beginning {runs} runs that wait");
    let filled = drive(&door, &bodies, 64)?;
    let all_due = Instant::now() + WAIT;
    if filled.wall >= WAIT {
        bail!("it took {} s to begin {runs} runs: the first did not wait any more", filled.wall.as_secs());
    }
    let waiting = under_way(&running)?;
    if waiting != runs {
        bail!("{waiting} runs wait, not {runs}");
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let (held, peak) = (mb(running.rss()?), mb(running.peak()?));
    drop(running);
    // Back before they are due: all still wait.
    let running = stanch.start()?;
    if under_way(&running)? != runs && Instant::now() < all_due - filled.wall {
        bail!("runs were lost over SIGKILL");
    }
    let (back, after) = (running.ready_after.as_secs_f64(), mb(running.rss()?));
    drop(running);
    std::thread::sleep(all_due.saturating_duration_since(Instant::now()) + Duration::from_millis(200));
    let began = Instant::now();
    let running = stanch.start()?;
    while under_way(&running)? > 0 {
        if began.elapsed() > PATIENCE {
            bail!("{} runs still wait", under_way(&running)?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (resumed, most) = (began.elapsed().as_secs_f64(), mb(running.peak()?));
    let one = |figure: f64| Figures(vec![figure]);
    let rate = runs as f64 / filled.wall.as_secs_f64();
    let figure = |what: String, of: f64| Row::plain(what, &one(of), None);
    Ok(vec![
        figure(format!("runs/s begun, {runs} that wait, 64 connections"), rate),
        figure(format!("MB held, {runs} runs that wait, each with a timer"), held)
            .goal("waiting", held, " MB", 200.0, false),
        figure("MB at most while they are begun".to_owned(), peak),
        figure("MB held after SIGKILL and a start".to_owned(), after)
            .goal("waiting", after, " MB", 200.0, false),
        figure(format!("s to ready after SIGKILL, {runs} runs that wait"), back),
        figure(format!("s from a start until all {runs} runs, due meanwhile, are over"), resumed)
            .goal("waiting", resumed, " s", 5.0, false),
        figure("MB at most meanwhile".to_owned(), most),
    ])
}

/// How many runs are not over, as the server counts them.
fn under_way(running: &Running) -> Result<u64> {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", running.door.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (_, page) = runtime
        .block_on(async { Wire::open(running.door.address).await?.exchange(request.as_bytes()).await })?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let line = page.lines().find_map(|l| l.strip_prefix("stanch_runs_under_way "));
    line.and_then(|n| n.trim().parse().ok()).context("the server does not count its runs")
}
