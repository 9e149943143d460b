//! `stanch eval`: how good triage, incidents, stages and routing are on labelled captures.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::Ctx;
use crate::eval::{Data, Progress, folder, measure, report, svg};
use crate::exit::{Exit, Failure};
use crate::output::safe;

/// Measure triage and incidents on labelled captures that were not trained on
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder to learn from
    #[arg(long, value_name = "DIR")]
    train: PathBuf,
    /// Folder to measure on; the same folder leaves one scenario out at a time
    #[arg(long, value_name = "DIR")]
    test: PathBuf,
    /// Draw the curves into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Settles everything that looks random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    for (what, dir) in [("--train", &args.train), ("--test", &args.test)] {
        if !dir.is_dir() {
            let text = format!("{what} {} is no folder", dir.display());
            let mend = "give a folder with captures; docs/guide/eval.md says how they are laid out";
            return Err(Failure::new(Exit::NotFound, text, mend).into());
        }
    }
    let same = args.train.canonicalize()? == args.test.canonicalize()?;
    let (train, test) = (folder::look(&args.train)?, folder::look(&args.test)?);
    let data = Data { train: &train, test: &test, same, seed: args.seed };
    let progress = Progress::new(!ctx.out.quiet);
    let measured = measure(&data, &progress)?;
    if measured.sections.is_empty() {
        let text = format!("nothing in {} can be measured", args.test.display());
        let mend = "it needs SCENARIO_alerts.csv.gz, SITE.eve.json.gz with attack_stages.json, or an audit trail; see docs/guide/eval.md";
        return Err(Failure::new(Exit::NotFound, text, mend).into());
    }
    if let Some(dir) = &args.svg {
        let drawn = svg::write(dir, &measured.curves)?;
        ctx.out.note(format!("{drawn} drawings in {}", dir.display()));
    }
    if ctx.out.json {
        ctx.out.json(&report::json(&data, &measured));
    } else {
        report::text(&data, &measured).iter().for_each(|line| ctx.out.line(safe(line)));
    }
    Ok(Exit::Ok)
}
