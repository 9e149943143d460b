//! `stanch authz`: who may do what, and why.

use anyhow::Result;
use clap::Subcommand;
use stanch_server::api::v1::types::ExplainView;

use crate::cli::Ctx;
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::safe;

/// Say whether somebody may do something, and why
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Explain it; ends with 4 when they may not
    Explain {
        /// Who, for example maria
        who: String,
        /// What: ack, approve, deny, judge, kill-switch, look, people, reload, release, retry, silence, tokens;
        /// or a route, for example "POST /api/v1/approvals/APR-1/approve"
        what: String,
        /// Which one is meant, for example APR-1
        which: Option<String>,
    },
}

/// Words for routes.
const WORDS: &[(&str, &str, &str)] = &[
    ("ack", "POST", "/api/v1/incidents/{}/ack"),
    ("approve", "POST", "/api/v1/approvals/{}/approve"),
    ("deny", "POST", "/api/v1/approvals/{}/deny"),
    ("judge", "POST", "/api/v1/incidents/{}/verdict"),
    ("kill-switch", "POST", "/api/v1/admin/kill-switch"),
    ("look", "GET", "/api/v1/queue"),
    ("people", "POST", "/api/v1/people"),
    ("release", "POST", "/api/v1/blocks/{}/release"),
    ("reload", "POST", "/api/v1/admin/reload"),
    ("retry", "POST", "/api/v1/quarantine/{}/retry"),
    ("silence", "POST", "/api/v1/silences"),
    ("tokens", "POST", "/api/v1/tokens"),
];

/// Method and path of what was asked.
fn route(what: &str, which: Option<&str>) -> Option<(String, String)> {
    if let Some((method, path)) = what.split_once(' ').filter(|(_, p)| p.starts_with('/')) {
        return Some((method.to_owned(), path.trim().to_owned()));
    }
    let (_, method, path) = WORDS.iter().find(|(word, ..)| *word == what)?;
    Some(((*method).to_owned(), path.replace("{}", which.unwrap_or("-"))))
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let Verb::Explain { who, what, which } = &args.verb;
    let Some((method, path)) = route(what, which.as_deref()) else {
        let known: Vec<&str> = WORDS.iter().map(|(word, ..)| *word).collect();
        let mend = format!("write one of {}, or a route like \"POST /api/v1/silences\"", known.join(", "));
        return Err(crate::cli::usage(format!("{what} is not known here"), mend));
    };
    let asked = Route::new(&["authz", "explain"]);
    let asked = asked.with("who", Some(who)).with("method", Some(method)).with("path", Some(path));
    let answer = ctx.server()?.get(&asked).await?;
    let e: ExplainView = view(answer.clone())?;
    let exit = if e.allowed { Exit::Ok } else { Exit::Forbidden };
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(exit);
    }
    let verdict = if e.allowed { "may" } else { "may not" };
    ctx.out.line(format!("{} {verdict}: {}", safe(&e.who), safe(&e.asked)));
    for because in &e.because {
        ctx.out.line(format!("  {}", safe(because)));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_a_route_is_taken_and_nothing_else() {
        let approve = Some(("POST".to_owned(), "/api/v1/approvals/APR-1/approve".to_owned()));
        assert_eq!(route("approve", Some("APR-1")), approve);
        assert_eq!(route("POST /api/v1/approvals/APR-1/approve", None), approve);
        assert_eq!(route("fly", None), None);
    }
}
