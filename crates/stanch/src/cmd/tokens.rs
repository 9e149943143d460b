//! `stanch tokens`: tokens for programs.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use stanch_server::api::v1::types::{MadeTokenView, MakeTokenRequest, TokenPage};

use crate::cli::Ctx;
use crate::client::{Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, now, safe};

/// List tokens for programs, make one, or take one back
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List yours; those of all when you are an admin
    List,
    /// Make one for yourself; its secret is printed once
    Make {
        /// What it is for, in a few words
        name: String,
        /// The most it may do; not more than you
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: String,
        /// For how long, 1m to 366d [default: 90d]
        #[arg(long, value_name = "TIME")]
        lasts: Option<String>,
    },
    /// Take one back: it is worth nothing from then on
    Revoke {
        /// Which, for example TOK-3
        token: String,
    },
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let answer = api.get("/api/v1/tokens").await?;
            if ctx.out.json {
                ctx.out.json(&answer);
                return Ok(Exit::Ok);
            }
            list(ctx, &view(answer)?);
            Ok(Exit::Ok)
        }
        Verb::Make { name, role, lasts } => {
            let answer = api.post("/api/v1/tokens", &MakeTokenRequest { name, role, lasts }).await?;
            if ctx.out.json {
                ctx.out.json(&answer);
                return Ok(Exit::Ok);
            }
            let made: MadeTokenView = view(answer)?;
            ctx.out.line(safe(&made.token));
            ctx.out.note(format!(
                "{} is good until {}. It is not shown again; take it back with: stanch tokens revoke {0}",
                safe(&made.id),
                safe(&made.until)
            ));
            Ok(Exit::Ok)
        }
        Verb::Revoke { token } => {
            done(ctx, api.post(&Route::new(&["tokens", &token, "revoke"]), &json!({})).await?)
        }
    }
}

fn list(ctx: &Ctx, page: &TokenPage) {
    let now = now();
    let mut table = Table::new(&["id", "for", "of", "role", "until", "last used"]);
    for t in &page.tokens {
        table.row(vec![
            Cell::new(&t.id).styled(Style::Strong),
            Cell::new(&t.name),
            Cell::new(&t.person),
            Cell::new(&t.role),
            Cell::time(&t.until, now),
            t.used.as_deref().map_or_else(|| Cell::new("never").styled(Style::Faint), |u| Cell::time(u, now)),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("no tokens; make one with: stanch tokens make \"what it is for\"");
    }
}
