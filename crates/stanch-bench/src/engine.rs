//! `engine`: parse, decide and commit without HTTP, to see where the time goes.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use stanch_connectors::format;
use stanch_core::config::{compile, init};
use stanch_engine::{Engine, Ports, Received, Rules};
use stanch_model::port::Delivery;
use stanch_model::{Span, Timestamp};
use stanch_store::{Options, SqliteJournal};

use crate::payload;
use crate::proc;

/// Runs the cases, or the one whose name is given.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let cases: [(&str, u64, u64, u64, usize); 5] = [
        ("512-dup", 400_000, 512, 10, 8),
        ("512-new", 200_000, 512, 1, 8),
        ("64-dup", 200_000, 64, 10, 8),
        ("1-dup", 40_000, 1, 10, 64),
        ("1-new", 40_000, 1, 1, 64),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for (name, total, batch, share, deep) in cases {
        if words.first().is_none_or(|w| w == name) {
            runtime.block_on(case(name, total, batch, share, deep))?;
        }
    }
    Ok(())
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The rules of the folder that `stanch init` writes.
pub(crate) fn rules() -> Result<Rules> {
    let files: Vec<(String, String)> =
        init::template().iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    let config = compile(&files).map_err(|all| anyhow!("{} mistakes in the template", all.len()))?;
    let mut rules = Rules::new(Arc::new(config));
    rules.seal = stanch_core::contain::Seal::new(&[7; 32]);
    Ok(rules)
}

pub(crate) fn start(dir: &std::path::Path) -> Result<Engine> {
    let journal = SqliteJournal::open(dir, Options::default())?;
    let ports = Ports {
        look_up: Arc::new(|_, _| async { Vec::new() }.boxed()),
        responders: Vec::new(),
        notifiers: Vec::new(),
        callers: Vec::new(),
        now: Arc::new(now),
    };
    Ok(Engine::start(Box::new(journal), rules()?, ports, tokio::runtime::Handle::current())?)
}

async fn case(name: &str, total: u64, batch: u64, share: u64, deep: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let engine = start(dir.path())?;
    let format = format::by_name("alertmanager").context("no such format")?;
    let mut bodies = payload::bodies(0, total, batch, share).into_iter();
    let (began, cpu) = (Instant::now(), proc::cpu("self")?);
    let mut parsing = std::time::Duration::ZERO;
    let mut waiting = FuturesUnordered::new();
    loop {
        while waiting.len() < deep {
            let Some(body) = bodies.next() else { break };
            let one = Instant::now();
            let records = format.parse(Delivery { body: &body, received: now() });
            parsing += one.elapsed();
            let (source, site) = ("prometheus".to_owned(), "default".to_owned());
            let engine = engine.clone();
            waiting.push(async move {
                engine.receive(Received { source, site, body, records, retry_of: None }).await
            });
        }
        match waiting.next().await {
            Some(ack) => drop(ack.map_err(|e| anyhow!("{e}"))?),
            None => break,
        }
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), proc::cpu("self")? - cpu);
    let each = total as f64;
    println!(
        "{name:>8}: {:>8.0}/s  {:>6.1} us CPU  (parse {:.1})  RSS {} MiB",
        each / wall,
        cpu * 1e6 / each,
        parsing.as_secs_f64() * 1e6 / each,
        proc::rss("self")? >> 20,
    );
    tokio::time::timeout(Span::secs(30).to_std(), engine.stop()).await.ok();
    recover(dir.path(), total)
}

/// How long the fold of what was just written takes.
fn recover(dir: &std::path::Path, total: u64) -> Result<()> {
    // The engine's thread may hold the lock for a moment after it has stopped.
    let journal = (0..50).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        SqliteJournal::open(dir, Options::default()).ok()
    });
    let journal = journal.context("the journal stays locked")?;
    let began = Instant::now();
    let state = stanch_engine::recover(&journal)?;
    let took = began.elapsed();
    let per_million = took.as_secs_f64() * 1e6 / total as f64;
    println!(
        "{:>8}  recovered {} alerts in {took:?} ({per_million:.2} s per million records)",
        "",
        state.slots.len()
    );
    Ok(())
}
