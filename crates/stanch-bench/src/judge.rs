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
use stanch_engine::{Engine, Received, replay};
use stanch_judge::learner::{Example, Facts, Learner};
use stanch_judge::sluice::Sluice;
use stanch_judge::watch::{GAP, Sight, Watch};
use stanch_model::port::{Delivery, Journal};
use stanch_model::{Span, Timestamp};
use stanch_store::{Options, SqliteJournal};

use crate::engine::{now, start};
use crate::held::{Held, Size};
use crate::plan::{date, here};
use crate::proc;
use crate::report::{self, Figures, Row as Line, Section, number};

/// Alerts a delivery.
const BATCH: usize = 512;
/// Deliveries under way at once.
const DEEP: usize = 8;
/// What is asked of the pipeline, alerts a second, and of the replay, times real time.
const GOALS: (f64, f64) = (20_000.0, 1_000.0);
/// Histories one after the other, for what memory does.
const HISTORIES: i64 = 10;
/// Alerts of the case in which none repeats another.
const DISTINCT: usize = 20_000;
/// How often that case is played.
const TIMES: usize = 5;
/// The name of the part, and of its file.
const NAME: &str = "judge";

/// One alert of the scenario.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    at: i64,
    rule: String,
    address: String,
    host: String,
}

/// Runs all parts. With `--rows N` only the first N alerts are taken; `--write-docs` writes the page.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let (mut most, mut write) = (usize::MAX, false);
    let mut only = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rows" => most = words.next().context("--rows takes a number")?.parse()?,
            "--write-docs" => write = true,
            "--only" => only = words.next().cloned(),
            _ => bail!("judge knows --rows N, --only held|distinct and --write-docs"),
        }
    }
    let (name, mut rows) = largest()?;
    rows.truncate(most);
    let span = rows.last().map_or(0, |l| l.at) - rows.first().map_or(0, |f| f.at);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let machine = here()?;
    let mut lines = Vec::new();
    if let Some(only) = only {
        runtime.block_on(part(&only, &rows, &mut lines))?;
        lines.iter().for_each(|l| println!("{} | {} | {} | {}", l.what, l.ours, l.peer, l.result));
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    runtime.block_on(pipeline(dir.path(), &rows, &mut lines))?;
    histories(&rows, &mut lines)?;
    strangers(&rows, &mut lines)?;
    again(dir.path(), span, &mut lines)?;
    runtime.block_on(distinct(&rows, &mut lines))?;
    scoring(&rows, &mut lines);
    order(&rows, &mut lines);
    let section = Section {
        name: NAME.to_owned(),
        title: "Judgement: the whole pipeline and the time machine".to_owned(),
        method: method(&name, rows.len(), span),
        rows: lines,
        machine,
        date: date()?,
    };
    section.keep(&report::history())?;
    if write {
        report::write_docs(&[NAME])?;
    }
    Ok(())
}

fn method(name: &str, rows: usize, span: i64) -> String {
    format!(
        "{name}: {} alerts over {:.1} days, in order, written as Wazuh does, {BATCH} a delivery and {DEEP} deliveries under \
         way, into one engine in the same process: normalise, dedup, triage, correlate, commit; a delivery counts when the disk \
         has it. Most alerts repeat another, as they do in such captures; the case without any repeat gives every alert \
         a machine of its own. Then {HISTORIES} such histories one after the other into an engine in a process of its own, \
         which holds nothing else, and what it holds (VmRSS) after the first and after the last. The replay leads the journal of the first case through the stages again, twice. \
         `cargo xtask bench judge`; the captures are not ours to ship.",
        number(rows as f64),
        span as f64 / 86_400.0
    )
}

fn figure(n: f64) -> Figures {
    Figures(vec![n])
}

fn line(what: &str, ours: String) -> Line {
    Line { ours, ..Line::plain(what, &figure(0.0), None) }
}

/// A yes or no that must be a yes.
fn holds(what: &str, ours: String, met: bool) -> Line {
    Line {
        goal: "judge".to_owned(),
        result: if met { "yes" } else { "no" }.to_owned(),
        floor: "yes".to_owned(),
        met: Some(met),
        ..line(what, ours)
    }
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

/// Sends the bodies; gives seconds and seconds of CPU.
async fn send(engine: &Engine, bodies: Vec<Vec<u8>>) -> Result<(f64, f64)> {
    let format = format::by_name("wazuh").context("no such format")?;
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
    Ok((began.elapsed().as_secs_f64(), proc::cpu("self")? - cpu))
}

fn held(engine: &Engine) -> String {
    let (alerts, incidents) = engine.read(|s: &State| (s.slots.len(), s.incidents.len()));
    counted(alerts, incidents)
}

fn counted(alerts: usize, incidents: usize) -> String {
    format!("{}, {}", number(alerts as f64), number(incidents as f64))
}

/// One case alone, printed and not kept.
async fn part(name: &str, rows: &[Row], lines: &mut Vec<Line>) -> Result<()> {
    match name {
        "held" => histories(rows, lines).and_then(|()| strangers(rows, lines)),
        "distinct" => distinct(rows, lines).await,
        other => bail!("there is no case {other:?}: held or distinct"),
    }
}

/// One history, timed.
async fn pipeline(dir: &Path, rows: &[Row], lines: &mut Vec<Line>) -> Result<()> {
    let engine = start(dir)?;
    let (wall, cpu) = send(&engine, rows.chunks(BATCH).map(body).collect()).await?;
    let speed = rows.len() as f64 / wall;
    lines.push(
        Line::plain("alerts/s, durable", &figure(speed), None).goal("judge", speed, "/s", GOALS.0, true),
    );
    lines.push(Line::plain("µs CPU an alert", &figure(cpu * 1e6 / rows.len() as f64), None));
    lines.push(line("distinct alerts, incidents", held(&engine)));
    tokio::time::timeout(Span::secs(60).to_std(), engine.stop()).await.ok();
    Ok(())
}

/// Histories one after the other into an engine in a process of its own, and what that process holds.
/// The first follows on nothing, as the last follows on nine others.
fn histories(rows: &[Row], lines: &mut Vec<Line>) -> Result<()> {
    let mut held = Held::start()?;
    let long = rows.last().map_or(0, |l| l.at) - rows.first().map_or(0, |f| f.at) + 1;
    let mut sizes = Vec::new();
    for round in 0..HISTORIES {
        let back = (HISTORIES - round) * long;
        let later = |r: &Row| Row { at: r.at - back, ..r.clone() };
        for some in rows.chunks(BATCH) {
            held.deliver(&body(&some.iter().map(later).collect::<Vec<_>>()))?;
        }
        sizes.push(held.now()?);
    }
    held.stop()?;
    let [first, .., last] = &sizes[..] else { bail!("histories are missing") };
    let mb = |size: &Size| size.bytes as f64 / 1e6;
    lines.push(
        Line::plain(
            format!("MB held after {HISTORIES} histories (peer: after one)"),
            &figure(mb(last)),
            Some(&figure(mb(first))),
        )
        .goal("judge", mb(last) / mb(first), "×", 1.25, false),
    );
    let each = (last.bytes as f64 - first.bytes as f64) / (rows.len() as f64 * (HISTORIES - 1) as f64);
    lines.push(Line::plain("bytes held more for each alert after the first history", &figure(each), None));
    lines.push(line("distinct alerts, incidents after them", counted(last.alerts, last.incidents)));
    Ok(())
}

/// Alerts of which each is of a machine of its own, so that none repeats another.
fn unlike(rows: &[Row]) -> Vec<Row> {
    let own = |(n, r): (usize, &Row)| Row {
        host: format!("{}-{n}", r.host),
        address: std::net::Ipv4Addr::from(0x0a00_0000 + n as u32).to_string(),
        ..r.clone()
    };
    rows.iter().take(DISTINCT).enumerate().map(own).collect()
}

/// What is held for each alert that repeats no other: what memory does grow with.
fn strangers(rows: &[Row], lines: &mut Vec<Line>) -> Result<()> {
    let (rows, mut held, mut sizes) = (unlike(rows), Held::start()?, Vec::new());
    for half in rows.chunks(rows.len().div_ceil(2).max(1)) {
        half.chunks(BATCH).try_for_each(|some| held.deliver(&body(some)))?;
        sizes.push(held.now()?);
    }
    held.stop()?;
    let [first, last] = &sizes[..] else { return Ok(()) };
    let each = last.bytes.saturating_sub(first.bytes) as f64 / (last.alerts - first.alerts).max(1) as f64;
    let opened = last.incidents - first.incidents;
    let what = format!(
        "KB held for each alert more, none a repeat, {} of {} open an incident about which nobody can be told",
        number(opened as f64),
        number((last.alerts - first.alerts) as f64)
    );
    lines.push(Line::plain(what, &figure(each / 1e3), None));
    Ok(())
}

/// No alert repeats another: what dedup cannot take away. A second's work, so more than once: one slow
/// sync of the disk would decide it.
async fn distinct(rows: &[Row], lines: &mut Vec<Line>) -> Result<()> {
    let few = unlike(rows);
    let (mut speed, mut cost, mut opened) = (Figures::default(), Figures::default(), String::new());
    for _ in 0..TIMES {
        let dir = tempfile::tempdir()?;
        let engine = start(dir.path())?;
        let (wall, cpu) = send(&engine, few.chunks(BATCH).map(body).collect()).await?;
        speed.add(few.len() as f64 / wall);
        cost.add(cpu * 1e6 / few.len() as f64);
        opened = held(&engine);
        tokio::time::timeout(Span::secs(60).to_std(), engine.stop()).await.ok();
    }
    let what = format!("alerts/s, durable, none a repeat, each of a machine of its own, {TIMES} times");
    lines.push(Line::plain(what, &speed, None).goal("judge", speed.median(), "/s", GOALS.0, true));
    lines.push(Line::plain("µs CPU an alert, none a repeat", &cost, None));
    lines.push(line("distinct alerts, incidents, none a repeat", opened));
    Ok(())
}

/// Leads the journal through the stages again.
fn again(dir: &Path, span: i64, lines: &mut Vec<Line>) -> Result<()> {
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
    lines.push(
        Line::plain("times real time, replay", &figure(times), None).goal("judge", times, "×", GOALS.1, true),
    );
    let same = digests[0] == digests[1];
    lines.push(holds("replay, the same digest twice", digests[0].chars().take(12).collect(), same));
    Ok(())
}

/// What one score costs in a turn: a row of features and a judgement with its reasons, by a model grown from as
/// many examples as are ever taken, and how long that growth takes beside the turn.
fn scoring(rows: &[Row], lines: &mut Vec<Line>) {
    const ASKED: usize = 2_000;
    let mut watch = Watch::default();
    let (mut examples, mut described) = (Vec::new(), Vec::new());
    let stride = (rows.len() / (EXAMPLES + ASKED)).max(1);
    for (n, r) in rows.iter().enumerate() {
        let (key, _) = watch.see(&sight(r, r.at));
        if !n.is_multiple_of(stride) {
            continue;
        }
        let Some(row) = watch.row(key, Timestamp(r.at * 1_000)) else { continue };
        // Any verdicts do: what is measured is time.
        let turn = n / stride;
        if turn % 7 < 5 && examples.len() < EXAMPLES {
            let (matters, fold) = (turn.is_multiple_of(11), (turn % 5) as u32);
            examples.push((Example { row, rule: r.rule.clone(), fold, matters }, 0));
        } else {
            described.push((key, r));
        }
    }
    let many = examples.len();
    let began = Instant::now();
    let learner = Learner::from_verdicts(examples, 1);
    let grown = began.elapsed().as_secs_f64();
    lines.push(Line::plain(
        format!("s to grow a model from {many} verdicts, beside the turn"),
        &figure(grown),
        None,
    ));
    let asked: Vec<_> = described.iter().take(ASKED).collect();
    let began = Instant::now();
    let mut sum = 0.0;
    for (key, r) in &asked {
        if let Some(row) = watch.row(*key, Timestamp(r.at * 1_000)) {
            sum += learner.moved(&Facts { row: &row, rule: &r.rule, place: 0 }, -1.0).0.probability;
        }
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / asked.len().max(1) as f64;
    lines.push(Line::plain("µs to score a new alert by that model, with reasons", &figure(each), None));
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
fn order(rows: &[Row], lines: &mut Vec<Line>) {
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
    let ours = format!("{}, {}", number(sorted.len() as f64), number(mixed.len() as f64));
    lines.push(holds("groups, in order and 10 min out of order", ours, sorted == mixed));
}
