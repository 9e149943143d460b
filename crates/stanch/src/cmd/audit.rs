//! `stanch audit`: the signed checkpoints of the journal, and whether it holds against them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use stanch_server::api::v1::types::{AuditReport, AuditRequest, AuditView};

use crate::cli::{Ctx, Store};
use crate::client::view;
use crate::exit::{Exit, Failure};
use crate::output::safe;

/// Bytes of a file of checkpoints that are sent: the newest ones.
const SENT: usize = 48 * 1024;

/// Verify the journal against signed checkpoints, or print the key or the last of them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Recompute the chain and hold it against every signed checkpoint; ends with 3 when anything does not fit
    Verify {
        #[command(flatten)]
        store: Store,
        /// Public key kept elsewhere, or a file with such keys; may be repeated
        #[arg(long, value_name = "KEY|FILE")]
        key: Vec<String>,
        /// A file of checkpoints kept elsewhere
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
    },
    /// Print the public key; write it down elsewhere
    Key,
    /// Print the last signed checkpoint; keep it elsewhere
    Checkpoint,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    match args.verb {
        Verb::Verify { store, key, checkpoints } => {
            let keys = keys(&key)?;
            let checkpoints = checkpoints.as_deref().map(read).transpose()?.unwrap_or_default();
            let report = match &store.data {
                Some(data) => stanch_server::audit::verify_store(data, &keys, &checkpoints)
                    .map_err(|why| Failure::new(Exit::Failed, why, ""))?,
                None => {
                    let body = AuditRequest { keys, checkpoints: newest(&checkpoints) };
                    view(ctx.server()?.post("/api/v1/audit/verify", &body).await?)?
                }
            };
            show(ctx, &report)
        }
        Verb::Key => print(ctx, |v| &v.key).await,
        Verb::Checkpoint => print(ctx, |v| &v.checkpoint).await,
    }
}

async fn print(ctx: &Ctx, what: impl Fn(&AuditView) -> &String) -> Result<Exit> {
    let answer = ctx.server()?.get("/api/v1/audit").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let audit: AuditView = view(answer)?;
    for line in what(&audit).lines() {
        ctx.out.line(safe(line));
    }
    Ok(Exit::Ok)
}

/// Keys as typed, or from files with one a line.
fn keys(given: &[String]) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for text in given {
        if text.starts_with("stanch-audit+") {
            keys.push(text.clone());
        } else {
            let lines = read(Path::new(text))?;
            keys.extend(lines.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned));
        }
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        Failure::usage(format!("{}: {e}", path.display()), "name a file that can be read").into()
    })
}

/// The end of a file of checkpoints, beginning with a whole one.
fn newest(text: &str) -> String {
    let from = text.len().saturating_sub(SENT);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail = text.get(from..).unwrap_or_default();
    match (from, tail.find("\n\nstanch/journal/")) {
        (0, _) | (_, None) => tail.to_owned(),
        (_, Some(at)) => tail.get(at + 2..).unwrap_or_default().to_owned(),
    }
}

fn show(ctx: &Ctx, report: &AuditReport) -> Result<Exit> {
    let exit = if report.ok { Exit::Ok } else { Exit::Findings };
    if ctx.out.json {
        ctx.out.json(&serde_json::to_value(report)?);
        return Ok(exit);
    }
    for f in &report.findings {
        let at = if f.entry == 0 { String::new() } else { format!(" at entry {}", f.entry) };
        ctx.out.line(safe(&format!("✗ {}{at}: {}", f.what, f.why)));
    }
    let more = report.findings_total.saturating_sub(report.findings.len() as u64);
    if more > 0 {
        ctx.out.line(format!("✗ and {more} more"));
    }
    if let (true, Some(head)) = (report.ok, &report.head) {
        ctx.out.line(safe(&format!(
            "✓ {} entries hold, in {}: {}; {} checkpoints vouch for the first {}",
            head.seq, report.took, head.hash, report.checkpoints, report.covered
        )));
    }
    if !report.pinned {
        ctx.out.note(
            "the key lay beside the journal: whoever can write both could have signed anew; \
             verify with --key and a key that was written down elsewhere",
        );
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_file_the_newest_whole_checkpoints_are_sent() {
        let one = "stanch/journal/00\n1\nh\ntime t\n\n\u{2014} stanch-audit x\n\n";
        let text = one.repeat(2_000);
        let sent = newest(&text);
        assert!(sent.len() <= SENT && sent.len() > SENT - one.len() - 4, "{}", sent.len());
        assert!(sent.starts_with("stanch/journal/") && text.ends_with(&sent));
        assert_eq!(newest(one), one);
    }
}
