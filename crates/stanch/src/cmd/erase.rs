//! `stanch erase`: what was kept for long enough, and where somebody stands.

use anyhow::Result;
use serde_json::json;
use stanch_server::api::v1::types::{ErasureView, RetentionView};

use crate::cli::Ctx;
use crate::client::view;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// Say where a subject stands, or take away what was kept for long enough
///
/// Nothing is erased by subject yet: --subject searches everything in the data folder and says where it stands, what would
/// go, and what stays and why. --retention takes away what `retention` in stanch.yaml says; without --yes it only
/// says how much that is.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An account, a mail address, a host or an address
    #[arg(long, value_name = "TEXT", required_unless_present = "retention", conflicts_with = "retention")]
    subject: Option<String>,
    /// What was kept for longer than stanch.yaml says
    #[arg(long)]
    retention: bool,
    /// Do it
    #[arg(long, requires = "retention")]
    yes: bool,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    match &args.subject {
        Some(subject) => search(ctx, subject).await,
        None => retention(ctx, args.yes).await,
    }
}

async fn retention(ctx: &Ctx, yes: bool) -> Result<Exit> {
    let answer = ctx.server()?.post("/api/v1/admin/retention", &json!({ "dry_run": !yes })).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let done: RetentionView = view(answer)?;
    ctx.out.line(safe(&done.message));
    if !done.done {
        ctx.out.note("nothing was taken away; --yes does it");
    }
    Ok(Exit::Ok)
}

async fn search(ctx: &Ctx, subject: &str) -> Result<Exit> {
    let answer = ctx.server()?.post("/api/v1/admin/erasure", &json!({ "subject": subject })).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let found: ErasureView = view(answer)?;
    let mut table = Table::new(&["kind", "entries", "first", "last", "details", "needed"]);
    for k in &found.kinds {
        table.row(vec![
            Cell::new(&k.kind).styled(Style::Strong),
            Cell::new(k.entries.to_string()),
            Cell::new(k.first.to_string()),
            Cell::new(k.last.to_string()),
            Cell::new(k.details.to_string()),
            Cell::new(k.needed.to_string()),
        ]);
    }
    for f in &found.files {
        let empty = || Cell::new("");
        table.row(vec![
            Cell::new(&f.file),
            Cell::new(f.times.to_string()),
            empty(),
            empty(),
            empty(),
            empty(),
        ]);
    }
    ctx.out.table(&table);
    if !found.open_incidents.is_empty() {
        ctx.out.note(safe(&format!("open incidents speak of it: {}", found.open_incidents.join(", "))));
    }
    for stays in &found.stays {
        ctx.out.note(safe(&format!("stays: {stays}")));
    }
    ctx.out.note("nothing was erased: erasing by subject is not possible yet");
    Ok(Exit::Ok)
}
