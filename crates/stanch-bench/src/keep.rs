//! `keep`: alerts stored a second beside Keep, goal S6. Asked for by name, because Keep and what it needs
//! are some hundred packages from PyPI.
//!
//! Keep answers before it stores, so its rows are counted in its own database until they stand still. The
//! newest version on PyPI is measured: later ones are published as containers only.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags};

use crate::load::{Door, Driven, drive};
use crate::payload;
use crate::peers::{Running, Stanch, ready};
use crate::plan::Plan;
use crate::report::{Figures, Row, Section, history};

/// The newest that can be installed from PyPI.
const KEEP: &str = "0.2.7";
/// What resolves its hundred and fifty packages.
const UV: &str = "uv==0.13.9";
/// Connections.
const CONNECTIONS: usize = 10;
/// Rows that do not come for so long do not come any more.
const STILL: Duration = Duration::from_secs(10);

/// One way of sending: alerts a request, and how many each program is sent. Stanch is sent more, and needs
/// less time for it.
struct Case {
    batch: u64,
    to_keep: u64,
    to_stanch: u64,
}

const CASES: [Case; 2] = [
    Case { batch: 1, to_keep: 300, to_stanch: 30_000 },
    Case { batch: 64, to_keep: 1_920, to_stanch: 96_000 },
];

#[derive(Default)]
struct Taken {
    stored: Figures,
    answered: Figures,
    p50: Figures,
    p99: Figures,
    cpu: Figures,
    missing: u64,
}

/// Measures both.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let program = install()?;
    let mut taken: Vec<(Taken, Taken)> = CASES.iter().map(|_| Default::default()).collect();
    for round in 0..plan.runs {
        for (case, (ours, theirs)) in CASES.iter().zip(&mut taken) {
            for first in [round % 2 == 0, round % 2 == 1] {
                if first { stanch(plan, case, ours)? } else { keep(&program, plan, case, theirs)? }
            }
            let last = |t: &Taken| t.stored.0.last().copied().unwrap_or(0.0);
            let (of, ours, theirs) = (plan.runs, last(ours), last(theirs));
            println!("{}/{of} {} a request: {ours:.0}/s against {theirs:.1}/s stored", round + 1, case.batch);
        }
    }
    for (_, theirs) in taken.iter().filter(|(_, theirs)| theirs.missing > 0) {
        println!("Keep answered for {} alerts that it did not store within {STILL:?}", theirs.missing);
    }
    Ok(section(plan, &taken))
}

fn stanch(plan: &Plan, case: &Case, taken: &mut Taken) -> Result<()> {
    let n = case.to_stanch / plan.shrink;
    let bodies = bodies(n, case.batch);
    let stanch = Stanch::new(&plan.server)?;
    let running = stanch.start()?;
    let before = running.cpu()?;
    let driven = drive(&running.door, &bodies, CONNECTIONS)?;
    // What is answered is on disk.
    taken.add(n, (n, driven.wall), &driven, running.cpu()? - before);
    Ok(())
}

fn keep(program: &Path, plan: &Plan, case: &Case, taken: &mut Taken) -> Result<()> {
    let n = case.to_keep / plan.shrink;
    let bodies = bodies(n, case.batch);
    let dir = tempfile::tempdir_in(crate::peers::work()?)?;
    let running = start(program, dir.path())?;
    let before = running.cpu()?;
    let began = Instant::now();
    let driven = drive(&running.door, &bodies, CONNECTIONS)?;
    let stored = count(&dir.path().join("keep.db"), n, began)?;
    taken.missing += n.saturating_sub(stored.0);
    taken.add(n, stored, &driven, running.cpu()? - before);
    Ok(())
}

/// Alertmanager's webhook, nine alerts of ten a duplicate: the same bytes to both.
fn bodies(total: u64, batch: u64) -> Vec<Vec<u8>> {
    let head = r#"{"version":"4","groupKey":"g","status":"firing","receiver":"r","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"","alerts":"#;
    let whole = |alerts: Vec<u8>| {
        let alerts =
            String::from_utf8_lossy(&alerts).replace(r#"{"labels""#, r#"{"status":"firing","labels""#);
        format!("{head}{alerts}}}").into_bytes()
    };
    payload::bodies(0, total, batch, 10).into_iter().map(whole).collect()
}

/// Rows in Keep's database, and when the last of them came.
fn count(db: &Path, wanted: u64, began: Instant) -> Result<(u64, Duration)> {
    let db = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    let (mut rows, mut last) = (0, began.elapsed());
    loop {
        let now: i64 = db.query_row("SELECT count(*) FROM alert", [], |r| r.get(0))?;
        let now = u64::try_from(now)?;
        if now != rows {
            (rows, last) = (now, began.elapsed());
        }
        if rows >= wanted || began.elapsed() - last > STILL {
            return Ok((rows, last));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Taken {
    fn add(&mut self, n: u64, (stored, after): (u64, Duration), driven: &Driven, cpu: f64) {
        self.stored.add(stored as f64 / after.as_secs_f64());
        self.answered.add(n as f64 / driven.wall.as_secs_f64());
        self.p50.add(driven.quantile(500).as_secs_f64() * 1e3);
        self.p99.add(driven.quantile(990).as_secs_f64() * 1e3);
        self.cpu.add(cpu * 1e3 / n as f64);
    }
}

/// Starts Keep in a directory of its own: SQLite, one worker, nobody has to sign in, no scheduler.
fn start(program: &Path, dir: &Path) -> Result<Running> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = std::fs::File::create(dir.join("log"))?;
    let mut command = Command::new(program);
    command.arg("api").current_dir(dir).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
    command.envs([("KEEP_HOST", "127.0.0.1"), ("AUTH_TYPE", "NO_AUTH"), ("SCHEDULER", "false")]);
    command.envs([("CONSUMER", "false"), ("LOG_LEVEL", "ERROR"), ("PUSHER_DISABLED", "true")]);
    // Else it calls home for each alert, and waits for that.
    command.env("DISABLE_POSTHOG", "true");
    command.env("PORT", address.port().to_string());
    let began = Instant::now();
    let door = Door { address, path: "/alerts/event/prometheus".to_owned(), token: None };
    let running = Running::new(command.spawn()?, door);
    ready(address, "/healthcheck", began).with_context(|| {
        let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(8).collect();
        format!("Keep does not start: {tail:#?}")
    })?;
    Ok(running)
}

/// Installs Keep into an environment of its own, once; gives its program.
fn install() -> Result<PathBuf> {
    let dir = history().join("peers").join("keep");
    let (done, program) = (dir.join("installed"), dir.join("env/bin/keep"));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == KEEP) {
        return Ok(program);
    }
    println!("installing keephq {KEEP}; it wants Python 3.11");
    std::fs::create_dir_all(&dir)?;
    let good = |command: &mut Command| command.status().is_ok_and(|s| s.success());
    if !good(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir.join("env"))) {
        bail!("python3 makes no environments here: apt-get install python3-venv");
    }
    let package = format!("keephq=={KEEP}");
    // The resolver of pip was still at it after ten minutes; this one takes half a minute.
    let resolver = Command::new(dir.join("env/bin/pip")).args(["install", "--quiet", UV]).status();
    let mut uv = Command::new(dir.join("env/bin/uv"));
    uv.args(["pip", "install", "--quiet", "--python"]).arg(dir.join("env/bin/python")).arg(&package);
    if !resolver.is_ok_and(|s| s.success()) || !good(&mut uv) {
        bail!("{package} could not be installed");
    }
    std::fs::write(done, KEEP)?;
    Ok(program)
}

fn section(plan: &Plan, taken: &[(Taken, Taken)]) -> Section {
    let mut rows = Vec::new();
    for (case, (ours, theirs)) in CASES.iter().zip(taken) {
        let each = format!("{} a request", case.batch);
        let ratio = ours.stored.median() / theirs.stored.median();
        let stored = Row::plain(format!("alerts/s stored, {each}"), &ours.stored, Some(&theirs.stored));
        rows.push(stored.goal("S6", ratio, "×", 1_000.0, true));
        rows.push(Row::plain(format!("alerts/s answered, {each}"), &ours.answered, Some(&theirs.answered)));
        rows.push(Row::plain(format!("ms a request p50, {each}"), &ours.p50, Some(&theirs.p50)));
        rows.push(Row::plain(format!("ms a request p99, {each}"), &ours.p99, Some(&theirs.p99)));
        rows.push(Row::plain(format!("ms CPU an alert, {each}"), &ours.cpu, Some(&theirs.cpu)));
    }
    Section {
        name: "keep".to_owned(),
        title: "Intake beside Keep".to_owned(),
        method: format!(
            "Alertmanager's webhook, {CONNECTIONS} connections, 90 % duplicate, to Stanch and to Keep {KEEP} (the newest on PyPI, of \
             late 2023; SQLite, one worker, telemetry off). Keep answers first and stores later; counted are the rows in its \
             database, until the last has come. Stanch has stored what it has answered. Later versions of Keep, published as \
             containers only, do more for each alert and could not be measured in the same run."
        ),
        rows,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    }
}
