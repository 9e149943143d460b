//! `stanch radar`: what is configured and does nothing.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use stanch_model::Span;
use stanch_server::replay::{ReplayError, idle};

use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, render_mistake};
use crate::{find, local};

/// List sources, routes, playbooks and silences that did nothing for some time
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder [default: .stanch in the configuration folder]
    #[arg(long, env = "STANCH_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// For how long
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    idle: Span,
    /// End with 3 when there are any
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let config = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let data = find::data_dir(args.data.as_deref(), &config);
    let found = match idle(&data, &config, now().plus(Span(-args.idle.0))) {
        Ok(found) => found,
        Err(ReplayError::Config { mistakes, .. }) => {
            for mistake in mistakes {
                ctx.out.say(&render_mistake(&local::shown(mistake)));
            }
            return Ok(Exit::BadConfig);
        }
        Err(e) => return Err(e.into()),
    };
    if ctx.out.json {
        ctx.out.json(&json!({ "idle_for": args.idle.to_string(), "idle": found }));
    } else {
        let mut table = Table::new(&["kind", "name", "where", "last", "why"]);
        for i in &found {
            table.row(vec![
                Cell::new(i.kind),
                Cell::new(&i.name).styled(Style::Strong),
                Cell::new(&i.place),
                Cell::new(i.last.map_or_else(|| "never".to_owned(), |at| at.to_string())),
                Cell::new(&i.hint).styled(Style::Faint),
            ]);
        }
        ctx.out.table(&table);
        ctx.out.note(format!("{} did nothing for {}", found.len(), args.idle));
    }
    Ok(if args.strict && !found.is_empty() { Exit::Findings } else { Exit::Ok })
}
