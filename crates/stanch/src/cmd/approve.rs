//! `stanch approve APR`: a yes to exactly what was shown.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::Result;
use stanch_model::ApprovalId;
use stanch_server::api::v1::types::{ApprovalDetail, BlockView, DecideRequest};

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
    /// Wait until it is done, at most so long; ends with 7 when it is not
    #[arg(long, value_name = "TIME", value_parser = cli::duration)]
    wait: Option<Duration>,
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
    in_the_console(&asked, &ctx.globals.server)?;
    if !args.yes {
        ctx.out.ask("Type yes to approve: ");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            return Err(Failure::new(Exit::Refused, "not approved: the answer was not yes", "").into());
        }
    }
    let exit = answer(ctx, &api, &asked, "approve", args.reason.clone()).await?;
    match args.wait {
        Some(wait) => carried_out(ctx, &api, &asked.action_id, wait).await,
        None => {
            ctx.out.note(format!("follow it: stanch blocks {}", asked.action_id));
            Ok(exit)
        }
    }
}

/// A token in a file proves nothing about who sits here.
///
/// # Errors
/// When a yes takes a fresh proof of the person.
fn in_the_console(asked: &ApprovalDetail, server: &str) -> Result<()> {
    let Some(fresh) = &asked.fresh else { return Ok(()) };
    let (id, within) = (&asked.summary.id, &fresh.within);
    let message = format!(
        "a yes to {id} takes a fresh proof that it is you, not older than {within}; nothing was approved"
    );
    let mend = format!("answer it in the console: {}/approvals/{id}", server.trim_end_matches('/'));
    Err(Failure::new(Exit::Refused, message, mend).into())
}

/// Waits until the device shows the change, or it has failed.
async fn carried_out(ctx: &Ctx, api: &Api, action: &str, wait: Duration) -> Result<Exit> {
    const BETWEEN: Duration = Duration::from_millis(200);
    let begun = Instant::now();
    loop {
        // Between the yes and the permit there is no block yet.
        let block = match api.get(&Route::new(&["blocks", action])).await {
            Ok(answer) => Some(view::<BlockView>(answer)?),
            Err(error) if error.downcast_ref::<Failure>().is_some_and(|f| f.exit == Exit::NotFound) => None,
            Err(error) => return Err(error),
        };
        let state = block.as_ref().map_or("not begun", |b| b.state.as_str());
        let why =
            block.as_ref().and_then(|b| b.ended.as_ref()).map(|e| format!(": {}", e.why)).unwrap_or_default();
        match state {
            "in_force" => {
                ctx.out.note(format!("✓ {action} is in force"));
                return Ok(Exit::Ok);
            }
            "failed" | "lifted" => {
                return Err(Failure::new(Exit::Failed, format!("{action} is {state}{why}"), "").into());
            }
            _ if begun.elapsed() >= wait => {
                let mend = format!("look again: stanch blocks {action}");
                return Err(Failure::new(Exit::TimedOut, format!("{action} is {state} still"), mend).into());
            }
            _ => tokio::time::sleep(BETWEEN).await,
        }
    }
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
    let said = api.post(&Route::new(&["approvals", &asked.summary.id, verb]), &body).await;
    let said = said.map_err(|e| whose_turn(e, asked))?;
    incidents::done(ctx, said)
}

/// Who may not answer is told who may.
fn whose_turn(error: anyhow::Error, asked: &ApprovalDetail) -> anyhow::Error {
    match error.downcast::<Failure>() {
        Ok(failure) if failure.exit == Exit::Forbidden => {
            let mend = match &asked.may_say_yes[..] {
                [] => {
                    let teams = asked.summary.teams.join(", ");
                    format!("answer as an approver of {teams}: --as PERSON, or --token-file FILE")
                }
                others => format!("one of these may answer: {}", others.join(", ")),
            };
            Failure { mend, ..failure }.into()
        }
        Ok(failure) => failure.into(),
        Err(error) => error,
    }
}
