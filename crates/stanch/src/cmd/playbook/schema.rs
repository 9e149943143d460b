//! `stanch playbook schema`: for editors.

use stanch_core::playbook::schema::schema;

use crate::cli::Ctx;
use crate::exit::Exit;

/// Print the JSON Schema of playbooks, for editors
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, ctx: &Ctx) -> Exit {
    ctx.out.json(&schema());
    Exit::Ok
}
