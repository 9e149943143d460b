//! `judge`: the whole pipeline over the largest labelled scenario, with durable writes, then its replay.
//!
//! Normalise, dedup, triage, correlate, commit, in one process and on what the machine has; every
//! acknowledgement comes after the disk. Each alert is sent as the Wazuh format writes it. The data is not
//! ours to ship: the folder is named by `STANCH_SHARED_DATA`, or lies beside the repository.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use futures::stream::{FuturesUnordered, StreamExt};
use stanch_connectors::format;
use stanch_core::journal::State;
use stanch_core::journal::learnt::EXAMPLES;
use stanch_engine::{Received, replay};
use stanch_judge::learner::{Example, Facts, Learner};
use stanch_judge::sluice::Sluice;
use stanch_judge::watch::{GAP, Sight, Watch};
use stanch_model::port::{Delivery, Journal};
use stanch_model::{Span, Timestamp};
use stanch_store::{Options, SqliteJournal};

use crate::engine::{now, start};
use crate::proc;

/// Alerts a delivery.
const BATCH: usize = 512;
/// Deliveries under way at once.
const DEEP: usize = 8;
/// What is asked of the pipeline, alerts a second, and of the replay, times real time.
const GOALS: (f64, f64) = (20_000.0, 1_000.0);

/// One alert of the scenario.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    at: i64,
    rule: String,
    address: String,
    host: String,
}

/// Runs all parts. With `--rows N` only the first N alerts are taken.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let most = match words {
        [] => usize::MAX,
        [flag, n] if flag == "--rows" => n.parse().context("--rows takes a number")?,
        _ => bail!("judge knows --rows N"),
    };
    let (name, mut rows) = largest()?;
    rows.truncate(most);
    let span = rows.last().map_or(0, |l| l.at) - rows.first().map_or(0, |f| f.at);
    println!("{name}: {} alerts over {:.1} days", rows.len(), span as f64 / 86_400.0);
    println!("{:<44} {:>14} {:>14}  ", "what", "found", "asked");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let dir = tempfile::tempdir()?;
    runtime.block_on(pipeline(dir.path(), &rows))?;
    again(dir.path(), span)?;
    memory(&rows)?;
    scoring(&rows);
    order(&rows)
}

fn row(what: &str, found: &str, asked: &str, met: Option<bool>) {
    let met = met.map_or("", |m| if m { "met" } else { "missed" });
    println!("{what:<44} {found:>14} {asked:>14}  {met}");
}

fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("STANCH_SHARED_DATA").map_or_else(beside, PathBuf::from).join("ait-ads")
}

/// The scenario with the most alerts, in order of time, then of content.
fn largest() -> Result<(String, Vec<Row>)> {
    let folder = folder();
    let all = std::fs::read_dir(&folder)
        .with_context(|| format!("{} is not there; set STANCH_SHARED_DATA", folder.display()))?;
    let files = all.filter_map(|f| f.ok().map(|f| f.path()));
    let csv = files.filter(|p| p.to_string_lossy().ends_with("_alerts.csv.gz"));
    let path = csv.max_by_key(|p| p.metadata().map_or(0, |m| m.len())).context("no *_alerts.csv.gz there")?;
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(std::fs::File::open(&path)?));
    let mut rows = Vec::new();
    for line in reader.records() {
        let line = line?;
        let field = |n: usize| line.get(n).unwrap_or_default().to_owned();
        let at = field(0).parse::<f64>().context("a time is no number")? as i64;
        rows.push(Row { at, rule: field(1), address: field(2), host: field(3) });
    }
    rows.sort_unstable();
    Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), rows))
}

/// As Wazuh writes them to `alerts.json`.
fn body(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 200);
    for r in rows {
        let time = Timestamp(r.at * 1_000).to_string();
        let uid = stanch_judge::text::number(&r.rule) % 1_000_000;
        let line = serde_json::json!({
            "timestamp": time,
            "rule": { "id": uid.to_string(), "level": 6, "description": r.rule },
            "agent": { "name": r.host, "ip": r.address },
        });
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
    }
    out
}

async fn pipeline(dir: &Path, rows: &[Row]) -> Result<()> {
    let engine = start(dir)?;
    let format = format::by_name("wazuh").context("no such format")?;
    let bodies: Vec<Vec<u8>> = rows.chunks(BATCH).map(body).collect();
    let (began, cpu) = (Instant::now(), proc::cpu("self")?);
    let mut waiting = FuturesUnordered::new();
    let mut bodies = bodies.into_iter();
    loop {
        while waiting.len() < DEEP {
            let Some(body) = bodies.next() else { break };
            let engine = engine.clone();
            // Parsed where a server would: on a thread of the runtime, not on the one that decides.
            waiting.push(tokio::spawn(async move {
                let records = format.parse(Delivery { body: &body, received: now() });
                let (source, site) = ("wazuh".to_owned(), "default".to_owned());
                engine.receive(Received { source, site, body, records, retry_of: None }).await
            }));
        }
        let Some(ack) = waiting.next().await else { break };
        drop(ack?.map_err(|e| anyhow!("{e}"))?);
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), proc::cpu("self")? - cpu);
    let speed = rows.len() as f64 / wall;
    let (alerts, incidents) = engine.read(|s: &State| (s.slots.len(), s.incidents.len()));
    row(
        "pipeline, durable, alerts a second",
        &format!("{speed:.0}"),
        &format!("{:.0}", GOALS.0),
        Some(speed >= GOALS.0),
    );
    row("  CPU an alert, µs", &format!("{:.1}", cpu * 1e6 / rows.len() as f64), "", None);
    row("  distinct alerts, incidents", &format!("{alerts}, {incidents}"), "", None);
    tokio::time::timeout(Span::secs(60).to_std(), engine.stop()).await.ok();
    Ok(())
}

/// Leads the journal through the stages again.
fn again(dir: &Path, span: i64) -> Result<()> {
    let journal = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        SqliteJournal::open(dir, Options::default()).ok()
    });
    let journal = journal.context("the journal stays locked")?;
    let rules = crate::engine::rules()?;
    let format = format::by_name("wazuh").context("no such format")?;
    let mut digests = Vec::new();
    let began = Instant::now();
    for _ in 0..2 {
        let mut reader = journal.reader()?;
        let parse = &mut |_: &str, body: &[u8], received| format.parse(Delivery { body, received });
        digests.push(replay::replay(reader.as_mut(), &rules, parse, &mut |_| {})?.digest);
    }
    let took = began.elapsed().as_secs_f64() / 2.0;
    let times = span as f64 / took;
    row(
        "replay, times real time",
        &format!("{times:.0}"),
        &format!("{:.0}", GOALS.1),
        Some(times >= GOALS.1),
    );
    row(
        "  the same digest twice",
        if digests[0] == digests[1] { "yes" } else { "no" },
        "yes",
        Some(digests[0] == digests[1]),
    );
    Ok(())
}

/// What the watch, the part of the judgement that grows with what it sees, takes after the history and after ten
/// such histories.
fn memory(rows: &[Row]) -> Result<()> {
    let mut watch = Watch::default();
    let long = rows.last().map_or(0, |l| l.at) - rows.first().map_or(0, |f| f.at) + 1;
    let before = proc::rss("self")?;
    let mut sizes = Vec::new();
    for round in 0..10 {
        for r in rows {
            watch.see(&sight(r, r.at + round * long));
        }
        if round == 0 || round == 9 {
            sizes.push(proc::rss("self")?.saturating_sub(before) >> 10);
        }
    }
    let flat = sizes[1] <= sizes[0] + sizes[0] / 4 + 4_096;
    row("watch after 1 and 10 histories, KiB", &format!("{}, {}", sizes[0], sizes[1]), "flat", Some(flat));
    Ok(())
}

/// What one score costs in a turn: a row of features and a judgement with its reasons, by a model grown from as
/// many examples as are ever taken, and how long that growth takes beside the turn.
fn scoring(rows: &[Row]) {
    let mut watch = Watch::default();
    let mut examples = Vec::new();
    let mut described = Vec::new();
    for r in rows {
        let (key, new) = watch.see(&sight(r, r.at));
        if !new {
            continue;
        }
        let Some(row) = watch.row(key, Timestamp(r.at * 1_000)) else { continue };
        // Any verdicts do: what is measured is time.
        let matters = examples.len() % 7 == 0;
        let fold = (examples.len() % 5) as u32;
        if examples.len() < EXAMPLES {
            examples.push((Example { row, rule: r.rule.clone(), fold, matters }, 0));
        } else {
            described.push((key, r));
        }
    }
    let many = examples.len();
    let began = Instant::now();
    let learner = Learner::from_verdicts(examples, 1);
    row(
        "growing a model, s",
        &format!("{:.1}", began.elapsed().as_secs_f64()),
        &format!("{many} examples"),
        None,
    );
    let asked: Vec<_> = described.iter().take(2_000).collect();
    let began = Instant::now();
    let mut sum = 0.0;
    for (key, r) in &asked {
        if let Some(row) = watch.row(*key, Timestamp(r.at * 1_000)) {
            sum += learner.moved(&Facts { row: &row, rule: &r.rule, place: 0 }, -1.0).0.probability;
        }
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / asked.len().max(1) as f64;
    row("scoring by a model, with reasons, µs an alert", &format!("{each:.0}"), "", None);
    assert!(sum.is_finite(), "a score is a number");
}

fn sight(r: &Row, at: i64) -> Sight<'_> {
    Sight {
        at: Timestamp(at * 1_000),
        site: "",
        machine: &r.host,
        tool: r.rule.split(':').next().unwrap_or_default(),
        rule: &r.rule,
        stage: 0,
        severity: 0,
        hostile: 0,
        asset: stanch_judge::watch::Asset::default(),
    }
}

/// The same groups whatever the order of arrival within the watermark.
fn order(rows: &[Row]) -> Result<()> {
    let groups = |late: i64| -> Vec<(i64, String, String)> {
        let mut shuffled: Vec<&Row> = rows.iter().collect();
        let mut chance = stanch_judge::chance::Chance::new(7);
        let arrival = |r: &Row, draw: u64| r.at * 1_000 + (draw % (late as u64 * 1_000 + 1)) as i64;
        let mut keyed: Vec<(i64, &Row)> =
            shuffled.drain(..).map(|r| (arrival(r, chance.draw()), r)).collect();
        keyed.sort_by_key(|k| k.0);
        let (mut sluice, mut watch, mut out) =
            (Sluice::new(Span::secs(late), usize::MAX), Watch::default(), Vec::new());
        let mut take = |at: Timestamp, r: &Row| {
            if watch.see(&sight(r, at.0 / 1_000)).1 {
                out.push((at.0, r.rule.clone(), r.host.clone()));
            }
        };
        for (_, r) in keyed {
            for (at, r) in sluice.put(Timestamp(r.at * 1_000), r.clone()) {
                take(at, &r);
            }
        }
        sluice.drain().into_iter().for_each(|(at, r)| take(at, &r));
        out
    };
    let (sorted, mixed) = (groups(0), groups(GAP.0 / 3_000));
    let same = sorted == mixed;
    row(
        "groups, in order and 10 min out of order",
        &format!("{}, {}", sorted.len(), mixed.len()),
        "the same",
        Some(same),
    );
    Ok(())
}
