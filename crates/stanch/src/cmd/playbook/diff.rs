//! `stanch playbook diff`: what differs between two plans, in terms of what they do.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use stanch_core::playbook::diff::diff;

use super::read;
use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::safe;

/// Say what a new version of a playbook does otherwise; `!` marks what lets the machine do more
///
/// Compares steps, targets, times and approvers, not lines of text. Ends with 0; with --strict, with 3
/// when the machine may do more or fewer people are asked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The old version
    old: PathBuf,
    /// The new version
    new: PathBuf,
    /// End with 3 when the new version may do more, or asks fewer people
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let (old, new) = (read::sound(&args.old)?, read::sound(&args.new)?);
    let all = diff(&old, &new);
    let wider = all.iter().filter(|d| d.widens).count();
    if ctx.out.json {
        ctx.out.json(&json!({ "old": old.hash, "new": new.hash, "differences": all, "widens": wider > 0 }));
    } else {
        for d in &all {
            let mark = if d.widens { "! " } else { "  " };
            let step = if d.step.is_empty() { "playbook" } else { &d.step };
            ctx.out.line(format!("{mark}{}: {}", safe(step), safe(&d.words)));
        }
        ctx.out.note(match (all.len(), wider) {
            (0, _) => "they do the same".to_owned(),
            (n, 0) => format!("{n} differences, none lets the machine do more"),
            (n, w) => format!("{n} differences; look at the {w} marked with !"),
        });
    }
    Ok(if args.strict && wider > 0 { Exit::Findings } else { Exit::Ok })
}
