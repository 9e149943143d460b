//! `stanch export`: an incident or the queue as a file.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use stanch_model::IncidentId;

use crate::cli::{self, Ctx, Store};
use crate::client::Route;
use crate::exit::Exit;

/// Write an incident, or the queue, as CSV, JSON, OCSF, STIX, Markdown or PDF
///
/// The file goes to --output, or to where the output goes. PDF is not written to a terminal.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An incident, for example INC-3, or `queue`
    what: String,
    /// csv, json, ocsf, stix, markdown or pdf
    #[arg(long, short, default_value = "json", value_parser = ["csv", "json", "ocsf", "stix", "markdown", "pdf"])]
    format: String,
    /// Into this file; an existing one is replaced
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For the queue: a filter in CEL, for example 'incident.severity >= 4'
    #[arg(long = "where", value_name = "CEL")]
    filter: Option<String>,
    /// For the queue: open, all, triggered, acknowledged, contained or resolved
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let route = if args.what == "queue" {
        Route::new(&["export", "queue"])
            .with("where", args.filter.as_ref())
            .with("status", args.status.as_ref())
    } else {
        let wrong = |_| {
            cli::usage(format!("{} is no incident", args.what), "name one, for example INC-3, or write queue")
        };
        args.what.parse::<IncidentId>().map_err(wrong)?;
        if args.filter.is_some() || args.status.is_some() {
            let mend = "leave them out, or export the queue";
            return Err(cli::usage("--where and --status choose among the queue", mend));
        }
        Route::new(&["incidents", &args.what, "export"])
    };
    let bytes = ctx.api(&args.store)?.get_bytes(&route.with("format", Some(&args.format))).await?;
    match &args.output {
        Some(file) => {
            std::fs::write(file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            ctx.out.note(format!("{} bytes in {}", bytes.len(), file.display()));
        }
        None if args.format == "pdf" && std::io::IsTerminal::is_terminal(&std::io::stdout()) => {
            return Err(cli::usage("a PDF is nothing for a terminal", "name a file with --output"));
        }
        None => std::io::stdout().write_all(&bytes).context("the output is closed")?,
    }
    Ok(Exit::Ok)
}
