//! `stanch playbook`: what a plan says, before anybody runs it.

mod cacao;
mod check;
mod diff;
mod explain;
mod graph;
mod read;
mod rehearse;
mod run;
mod schema;
mod shipped;

use anyhow::Result;
use clap::Subcommand;

use crate::cli::Ctx;
use crate::exit::Exit;

/// Check, explain, draw and compare playbooks
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Check(check::Args),
    Explain(explain::Args),
    Graph(graph::Args),
    Diff(diff::Args),
    Schema(schema::Args),
    Rehearse(rehearse::Args),
    Run(run::Args),
    Shipped(shipped::List),
    Add(shipped::Add),
    Import(cacao::Import),
    Export(cacao::Export),
    Signatures(cacao::Signatures),
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    match &args.verb {
        Verb::Check(args) => check::run(args, ctx),
        Verb::Explain(args) => explain::run(args, ctx),
        Verb::Graph(args) => graph::run(args, ctx),
        Verb::Diff(args) => diff::run(args, ctx),
        Verb::Schema(args) => Ok(schema::run(args, ctx)),
        Verb::Rehearse(args) => rehearse::run(args, ctx),
        Verb::Run(args) => run::run(args, ctx).await,
        Verb::Shipped(args) => shipped::list(args, ctx),
        Verb::Add(args) => shipped::add(args, ctx),
        Verb::Import(args) => cacao::import(args, ctx),
        Verb::Export(args) => cacao::export(args, ctx),
        Verb::Signatures(args) => cacao::signatures(args, ctx),
    }
}
