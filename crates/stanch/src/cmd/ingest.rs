//! `stanch ingest FILE|-`: records of a source from a file or a pipe, cut into bodies of bounded size.

mod cut;
mod feed;
mod proof;
mod send;
mod sniff;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::cli::{Ctx, duration};
use crate::client::http_client;
use crate::exit::{Exit, Failure};
use crate::output::{Out, grouped};
use cut::{CHUNK, Cutter, Framing, Piece};
use feed::{Feed, Pipe, Steady};
use send::{Counts, Sender};

/// Bytes read from a file at once.
const BUFFER: usize = 64 * 1024;

/// Send a file, or what comes through a pipe, as one of the sources
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file, also gzipped; - for what comes through the pipe
    file: PathBuf,
    /// As which source of the configuration
    #[arg(long, value_name = "NAME")]
    source: String,
    /// How records are told apart
    #[arg(long, value_enum, default_value = "auto")]
    format: Framing,
    /// How long to go on asking a server that is busy
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    patience: Duration,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let source = proof::of(ctx, &args.source)?;
    let reach = ctx.reach_without_token();
    let client = http_client(&reach)?;
    let sender = Sender::new(client, &reach.server, &args.source, source.proof, args.patience);
    let bar = bar(&ctx.out, &args.file);
    let input = open(&args.file, &bar)?;
    let begun = Instant::now();
    let mut counts = Counts::default();
    let cutter = Cutter::new(input, args.format, CHUNK, source.max_body);
    let ended = match cutter {
        Ok(cutter) => pass_on(ctx, cutter, &sender, &bar, &mut counts).await,
        Err(error) => Err(error.into()),
    };
    bar.finish_and_clear();
    let took = begun.elapsed();
    let complete = ended.is_ok() && counts.refused == 0;
    summary(ctx, args, &counts, took, complete);
    ended.with_context_of(&args.file)?;
    if !counts.add_up() {
        return Err(
            Failure::new(Exit::Failed, "the server's counts do not add up", "please report it").into()
        );
    }
    Ok(if counts.refused > 0 { Exit::Failed } else { Exit::Ok })
}

async fn pass_on<R: Feed>(
    ctx: &Ctx,
    mut cutter: Cutter<R>,
    sender: &Sender,
    bar: &ProgressBar,
    counts: &mut Counts,
) -> Result<()> {
    while let Some(piece) = cutter.next()? {
        match piece {
            Piece::Body(body) => {
                let before = counts.refused;
                sender.send(body, counts).await?;
                if counts.refused > before {
                    bar.suspend(|| ctx.out.say("▲ a body is larger than the server takes; it was not sent"));
                }
            }
            Piece::TooLarge { at, bytes } => {
                counts.refused += 1;
                let said = format!(
                    "▲ a record of {bytes} bytes at byte {at} is larger than `max_body`; it was not sent"
                );
                bar.suspend(|| ctx.out.say(&said));
            }
        }
        bar.set_message(format!("{} records", grouped(counts.accepted)));
    }
    Ok(())
}

/// The last line: numbers that add up.
fn summary(ctx: &Ctx, args: &Args, c: &Counts, took: Duration, complete: bool) {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 { c.accepted as f64 / seconds } else { 0.0 };
    if ctx.out.json {
        let mut value = json!(c);
        value["source"] = json!(args.source);
        value["complete"] = json!(complete);
        value["seconds"] = json!((seconds * 1000.0).round() / 1000.0);
        value["records_per_second"] = json!(rate.round());
        ctx.out.json(&value);
        return;
    }
    let refused = if c.refused > 0 { format!("; {} not sent", c.refused) } else { String::new() };
    ctx.out.line(format!(
        "accepted {} = new {} + merged {} + context {} + quarantined {}{refused}",
        c.accepted, c.new, c.merged, c.context, c.quarantined
    ));
    let again = if c.retries > 0 { format!(", {} sent again", c.retries) } else { String::new() };
    ctx.out.note(format!(
        "{} bytes in {} requests{again}, {seconds:.1} s, {} records/s",
        grouped(c.bytes),
        c.requests,
        grouped(rate.round() as u64)
    ));
    if c.quarantined > 0 {
        ctx.out.note(format!("what could not be read is kept: stanch quarantine --source {}", args.source));
    }
}

/// Opens the file or the pipe, and looks through gzip.
fn open(file: &Path, bar: &ProgressBar) -> Result<Box<dyn Feed>> {
    if file == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(Failure::usage("there is no pipe to read from", "write stanch ingest FILE").into());
        }
        return unpacked(Pipe::new(bar.wrap_read(io::stdin()))).context("the pipe cannot be read");
    }
    let opened = File::open(file).map_err(|e| {
        let exit = if e.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("{} cannot be read: {e}", file.display()), "")
    })?;
    unpacked(Steady(BufReader::with_capacity(BUFFER, bar.wrap_read(opened))))
        .with_context(|| format!("{} cannot be read", file.display()))
}

fn unpacked(mut input: impl Feed + 'static) -> io::Result<Box<dyn Feed>> {
    if input.fill_buf()?.starts_with(b"\x1f\x8b") {
        return Ok(Box::new(Steady(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input)))));
    }
    Ok(Box::new(input))
}

/// A bar on a terminal, nothing elsewhere.
fn bar(out: &Out, file: &Path) -> ProgressBar {
    if out.quiet || out.json || !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let length = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let template = match length {
        Some(_) => "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta}",
        None => "{spinner} {bytes} {bytes_per_sec} {msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█▒░"));
    }
    bar
}

/// An error of reading, with the file's name.
trait WithFile {
    fn with_context_of(self, file: &Path) -> Result<()>;
}

impl WithFile for Result<()> {
    fn with_context_of(self, file: &Path) -> Result<()> {
        self.map_err(|error| match error.downcast::<io::Error>() {
            Ok(io) => {
                let message = format!("{} cannot be read to its end: {io}", file.display());
                let mend = "what was whole before has been sent; sending the file again counts it as merged";
                Failure::new(Exit::Failed, message, mend).into()
            }
            Err(other) => other,
        })
    }
}
