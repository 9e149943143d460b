//! `stanch completions SHELL`: what the shell needs to complete our commands.

use anyhow::Result;

use crate::cli::{self, Ctx};
use crate::exit::Exit;

/// Print completions for a shell, for example: stanch completions bash > /etc/bash_completion.d/stanch
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "stanch", &mut text);
    ctx.out.bytes(&text);
    Ok(Exit::Ok)
}
