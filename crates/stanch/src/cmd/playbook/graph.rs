//! `stanch playbook graph`: a plan as a picture.

use std::path::PathBuf;

use anyhow::Result;
use stanch_core::playbook::{graph, svg};

use super::read;
use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::safe_lines;

/// Draw a playbook: as a tree of text, or in a language that other programs draw
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The playbook's file
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

#[derive(clap::Args)]
#[group(multiple = false)]
struct Form {
    /// In Graphviz's language
    #[arg(long)]
    dot: bool,
    /// In Mermaid's language
    #[arg(long)]
    mermaid: bool,
    /// As an SVG picture
    #[arg(long)]
    svg: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let playbook = read::sound(&args.file)?;
    let text = match &args.form {
        Form { dot: true, .. } => graph::dot(&playbook),
        Form { mermaid: true, .. } => graph::mermaid(&playbook),
        Form { svg: true, .. } => svg::svg(&playbook),
        _ if ctx.out.json => {
            ctx.out.json(&graph::json(&playbook));
            return Ok(Exit::Ok);
        }
        _ => graph::tree(&playbook),
    };
    ctx.out.line(safe_lines(text.trim_end()));
    Ok(Exit::Ok)
}
