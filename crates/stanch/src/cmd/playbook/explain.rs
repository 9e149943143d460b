//! `stanch playbook explain`: a plan in plain English.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use stanch_core::playbook::explain::{explain, words};

use super::read;
use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::safe_lines;

/// Say in plain English what starts a playbook, what it does, who is asked, and how it is undone
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The playbook's file
    file: PathBuf,
    /// Also print what people do by hand
    #[arg(long)]
    sop: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let playbook = read::sound(&args.file)?;
    if ctx.out.json {
        let steps: Vec<_> = playbook
            .all_steps()
            .iter()
            .map(|s| json!({ "id": s.id, "kind": s.kind.name(), "words": words(s), "about": s.about }))
            .collect();
        ctx.out.json(&json!({
            "playbook": playbook.name, "summary": playbook.summary, "hash": playbook.hash,
            "attack": playbook.attack, "csf": playbook.csf, "react": playbook.react,
            "steps": steps, "text": explain(&playbook), "sop": playbook.sop,
        }));
        return Ok(Exit::Ok);
    }
    ctx.out.line(safe_lines(explain(&playbook).trim_end()));
    if args.sop {
        ctx.out.line(safe_lines(&format!("\nBy hand\n{}", playbook.sop.trim_end())));
    }
    Ok(Exit::Ok)
}
