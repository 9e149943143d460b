//! `stanch people`: who may come in, and how they prove who they are.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use stanch_server::api::v1::types::{AddPersonRequest, ChangePersonRequest, InviteView, PeoplePage};

use crate::cli::Ctx;
use crate::client::{Api, Route, view};
use crate::cmd::incidents::done;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, safe};

/// List who may come in; add, invite, change or shut out somebody
///
/// What people in policies/people.yaml may do is said there; this gives them a password, and makes
/// accounts for everybody else.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List everybody, and by what they prove who they are
    List,
    /// Make an account, and a link with which they set their password
    Add {
        /// Their name, as the journal will show it
        name: String,
        /// What they may do
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: String,
        /// A team of policies/people.yaml; may be given several times
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
    },
    /// Make a new link to set a password; it holds for 24 hours and once
    Invite {
        /// For whom
        name: String,
    },
    /// Change what somebody with an account may do
    Change {
        /// Whom
        name: String,
        /// What they may do from now on
        #[arg(long, value_name = "ROLE", required_unless_present = "teams")]
        role: Option<String>,
        /// Their teams from now on; may be given several times
        #[arg(long = "team", value_name = "TEAM")]
        teams: Option<Vec<String>>,
    },
    /// Shut an account: its sessions and tokens end at once
    Disable {
        /// Whose
        name: String,
    },
    /// Open an account again
    Enable {
        /// Whose
        name: String,
    },
    /// End every session of somebody
    SignOut {
        /// Whose
        name: String,
    },
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    let api = ctx.server()?;
    let change = |name: String, body: ChangePersonRequest| {
        let api = &api;
        async move { done(ctx, api.post(&Route::new(&["people", &name, "change"]), &body).await?) }
    };
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => list(&api, ctx).await,
        Verb::Add { name, role, teams } => {
            let body = AddPersonRequest { name: name.clone(), role, teams };
            api.post("/api/v1/people", &body).await?;
            invite(&api, ctx, &name).await
        }
        Verb::Invite { name } => invite(&api, ctx, &name).await,
        Verb::Change { name, role, teams } => {
            change(name, ChangePersonRequest { role, teams, disabled: None }).await
        }
        Verb::Disable { name } => {
            change(name, ChangePersonRequest { disabled: Some(true), ..Default::default() }).await
        }
        Verb::Enable { name } => {
            change(name, ChangePersonRequest { disabled: Some(false), ..Default::default() }).await
        }
        Verb::SignOut { name } => {
            done(ctx, api.post(&Route::new(&["people", &name, "sign-out"]), &json!({})).await?)
        }
    }
}

async fn invite(api: &Api, ctx: &Ctx, name: &str) -> Result<Exit> {
    let answer = api.post(&Route::new(&["people", name, "invite"]), &json!({})).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let link: InviteView = view(answer)?;
    let server = ctx.globals.server.trim_end_matches('/');
    ctx.out.line(format!("{server}{}", safe(&link.path)));
    ctx.out.note(format!(
        "{} sets a password with this link: once, and until {}. Whoever has the link can; send it only to them.",
        safe(&link.name),
        safe(&link.until)
    ));
    Ok(Exit::Ok)
}

async fn list(api: &Api, ctx: &Ctx) -> Result<Exit> {
    let answer = api.get("/api/v1/people").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: PeoplePage = view(answer)?;
    let mut table = Table::new(&["name", "role", "teams", "said by", "proves it by", "sessions", "tokens"]);
    for p in &page.people {
        let proofs = match (p.disabled, p.proofs.is_empty(), &p.invited_until) {
            (true, ..) => Cell::new("account shut").styled(Style::Warn),
            (false, true, Some(_)) => Cell::new("a link, not used yet").styled(Style::Faint),
            (false, true, None) => Cell::new("nothing").styled(Style::Warn),
            (false, false, _) => Cell::new(p.proofs.join(", ")),
        };
        table.row(vec![
            Cell::new(&p.name).styled(Style::Strong),
            Cell::new(&p.role),
            Cell::new(p.teams.join(", ")),
            Cell::new(if p.configured { "people.yaml" } else { "account" }),
            proofs,
            Cell::new(p.sessions.to_string()),
            Cell::new(p.tokens.to_string()),
        ]);
    }
    ctx.out.table(&table);
    Ok(Exit::Ok)
}
