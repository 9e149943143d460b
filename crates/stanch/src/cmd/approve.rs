//! `stanch approve APR`: a yes to exactly what was shown.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Result;
use stanch_model::ApprovalId;
use stanch_server::api::v1::types::{ApprovalDetail, DecideRequest};

use crate::cli::{self, Ctx, id};
use crate::client::{Api, Route, view};
use crate::cmd::{approvals, incidents};
use crate::exit::{Exit, Failure};

/// Say yes to a change, after looking at exactly what it is
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which, for example APR-1
    #[arg(value_parser = id::<ApprovalId>)]
    approval: String,
    /// In your words
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask; needs --code or --digest
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    seen: Seen,
}

/// What the person who decides has seen.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The short code of what you looked at
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// The whole digest of what you looked at
    #[arg(long, value_name = "SHA-256")]
    pub(crate) digest: Option<String>,
}

impl Seen {
    /// Does it name what the server asks now?
    ///
    /// # Errors
    /// When it names something else.
    pub(crate) fn fits(&self, a: &ApprovalDetail) -> Result<()> {
        let same =
            |given: &Option<String>, now: &str| given.as_ref().is_none_or(|g| g.eq_ignore_ascii_case(now));
        if same(&self.code, &a.summary.code) && same(&self.digest, &a.summary.digest) {
            return Ok(());
        }
        let message = format!("{} is not what you looked at: its code is {}", a.summary.id, a.summary.code);
        let mend = format!("look again: stanch approvals {}", a.summary.id);
        Err(Failure::new(Exit::Refused, message, mend).into())
    }
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let given = args.seen.code.is_some() || args.seen.digest.is_some();
    let person = std::io::stdin().is_terminal() && !ctx.out.json;
    if !person && !given {
        let message = "there is no terminal to ask on; nothing was approved";
        let mend = format!("look with `stanch approvals {}`, then add --yes --code CODE", args.approval);
        return Err(cli::usage(message, mend));
    }
    if !person && !args.yes || args.yes && !given {
        let flag = if args.yes { "--code CODE" } else { "--yes" };
        let message = format!("without a question this needs {flag} too; nothing was approved");
        return Err(cli::usage(message, format!("add {flag}")));
    }
    let api = ctx.server()?;
    let asked = look(&api, &args.approval).await?;
    if !ctx.out.json {
        approvals::show(ctx, &asked);
    }
    still_open(&asked)?;
    args.seen.fits(&asked)?;
    if !args.yes {
        ctx.out.ask("Type yes to approve: ");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            return Err(Failure::new(Exit::Refused, "not approved: the answer was not yes", "").into());
        }
    }
    answer(ctx, &api, &asked, "approve", args.reason.clone()).await
}

/// Fetches the question as it stands.
///
/// # Errors
/// When there is no such question.
pub(crate) async fn look(api: &Api, approval: &str) -> Result<ApprovalDetail> {
    view(api.get(&Route::new(&["approvals", approval])).await?)
}

/// Nobody is asked about what is settled.
///
/// # Errors
/// How it was settled.
pub(crate) fn still_open(asked: &ApprovalDetail) -> Result<()> {
    let a = &asked.summary;
    if a.state == "pending" {
        return Ok(());
    }
    let by = a.settled.as_ref().map(|s| format!(" by {} at {}", s.by, s.at)).unwrap_or_default();
    Err(Failure::new(Exit::Refused, format!("{} is {}{by}; nothing was changed", a.id, a.state), "").into())
}

/// Answers the question that was shown and no other: its digest goes along.
///
/// # Errors
/// When the answer does not count.
pub(crate) async fn answer(
    ctx: &Ctx,
    api: &Api,
    asked: &ApprovalDetail,
    verb: &str,
    reason: Option<String>,
) -> Result<Exit> {
    let body = DecideRequest { digest: asked.summary.digest.clone(), reason };
    let said = api.post(&Route::new(&["approvals", &asked.summary.id, verb]), &body).await?;
    let exit = incidents::done(ctx, said)?;
    if verb == "approve" {
        ctx.out.note(format!("follow it: stanch blocks {}", asked.action_id));
    }
    Ok(exit)
}
