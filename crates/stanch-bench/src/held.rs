//! What an engine holds in memory, and nothing but the engine: in a process of its own.
//!
//! Beside the engine a benchmark holds its data and the requests it has made ready, which is more than
//! the engine ever does, and whatever of it the allocator has not given back yet counts as memory too. So
//! the engine under measurement runs in a child, which is given one delivery after the other on its
//! standard input: a length in four bytes, then the body; a length of nothing asks for the size.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use futures::stream::{FuturesUnordered, StreamExt};
use stanch_connectors::format;
use stanch_engine::{Engine, Received};
use stanch_model::Span;
use stanch_model::port::{Delivery, Format};

use crate::engine::{now, start};
use crate::proc;

/// Deliveries under way at once.
const DEEP: usize = 8;

/// What an engine holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Bytes in memory.
    pub(crate) bytes: u64,
    /// Distinct alerts.
    pub(crate) alerts: usize,
    pub(crate) incidents: usize,
}

/// An engine in a process of its own.
pub(crate) struct Held {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Held {
    /// Starts it on an empty journal.
    pub(crate) fn start() -> Result<Held> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("held").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = BufWriter::new(child.stdin.take().context("no input")?);
        let from = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Held { child, to, from })
    }

    /// Hands a delivery over. Waits while too many are under way.
    pub(crate) fn deliver(&mut self, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len())?;
        self.to.write_all(&length.to_le_bytes())?;
        Ok(self.to.write_all(body)?)
    }

    /// What it holds once all of them are on disk.
    pub(crate) fn now(&mut self) -> Result<Size> {
        self.to.write_all(&[0; 4])?;
        self.to.flush()?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().context("the engine said nothing")?.context("no number");
        let (bytes, alerts, incidents) = (next()?, next()?, next()?);
        Ok(Size { bytes, alerts: usize::try_from(alerts)?, incidents: usize::try_from(incidents)? })
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Result<()> {
        let Held { mut child, to, from } = self;
        drop((to, from));
        let ended = child.wait()?;
        if ended.success() { Ok(()) } else { bail!("the engine in a process of its own ended with {ended}") }
    }
}

/// `held`: the child. Reads deliveries until its input ends.
pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let dir = tempfile::tempdir()?;
    runtime.block_on(async {
        let engine = start(dir.path())?;
        take(&engine).await?;
        tokio::time::timeout(Span::secs(60).to_std(), engine.stop()).await.ok();
        Ok(())
    })
}

async fn take(engine: &Engine) -> Result<()> {
    let format = format::by_name("wazuh").context("no such format")?;
    let mut input = std::io::stdin().lock();
    let mut waiting = FuturesUnordered::new();
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e.into()),
        }
        let length = u32::from_le_bytes(length) as usize;
        let most = if length == 0 { 1 } else { DEEP };
        while waiting.len() >= most {
            let Some(ack) = waiting.next().await else { break };
            acknowledged(ack)?;
        }
        if length == 0 {
            let (alerts, incidents) = engine.read(|s| (s.slots.len(), s.incidents.len()));
            println!("{} {alerts} {incidents}", proc::rss("self")?);
            continue;
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        waiting.push(tokio::spawn(deliver(engine.clone(), format, body)));
    }
    while let Some(ack) = waiting.next().await {
        acknowledged(ack)?;
    }
    Ok(())
}

async fn deliver(engine: Engine, format: &'static dyn Format, body: Vec<u8>) -> Result<()> {
    let records = format.parse(Delivery { body: &body, received: now() });
    let (source, site) = ("wazuh".to_owned(), "default".to_owned());
    let received = Received { source, site, body, records, retry_of: None };
    engine.receive(received).await.map(drop).map_err(|e| anyhow!("{e}"))
}

fn acknowledged(ack: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    ack?
}
