//! The command line: what may be typed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::client::{Api, DEFAULT_SERVER, Reach};
use crate::cmd;
use crate::exit::{Exit, Failure, HELP};
use crate::output::Out;
use crate::{find, local};

/// Turns security alerts into contained, explained incidents.
#[derive(Parser)]
#[command(name = "stanch", version, after_help = HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Globals {
    /// The server to ask
    #[arg(long, global = true, env = "STANCH_SERVER", hide_env_values = true, value_name = "URL", default_value = DEFAULT_SERVER)]
    pub(crate) server: String,
    /// File with your token [env: STANCH_TOKEN_FILE, or STANCH_TOKEN with the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Use this person's token from the configuration folder [default: admin]
    #[arg(long = "as", global = true, value_name = "PERSON", conflicts_with = "token_file")]
    pub(crate) person: Option<String>,
    /// The configuration folder [default: ./stanch, or . when stanch.yaml is there]
    #[arg(long, global = true, env = "STANCH_CONFIG", hide_env_values = true, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// Certificate authority in PEM, for a server with a certificate of your own
    #[arg(long, global = true, env = "STANCH_CA", hide_env_values = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Longest wait for one answer
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No colours (also: NO_COLOR=1)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// No messages but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Where a question is answered from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Store {
    /// Answer from this store, without a server
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// A duration as everywhere: `250ms`, `30s`, `5m`, `4h`, `7d`.
///
/// # Errors
/// Says how to write one.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span: stanch_model::Span = text.parse().map_err(|e: stanch_model::time::BadSpan| e.to_string())?;
    Ok(span.to_std())
}

/// What to do.
#[derive(Subcommand)]
enum Verb {
    Demo(cmd::demo::Args),
    Up(cmd::up::Args),
    Init(cmd::init::Args),
    Check(cmd::check::Args),
    Serve(cmd::serve::Args),
    Reload(cmd::reload::Args),
    Doctor(cmd::doctor::Args),
    SupportBundle(cmd::support_bundle::Args),
    Erase(cmd::erase::Args),
    KillSwitch(cmd::kill_switch::Args),
    Preauth(cmd::preauth::Args),
    People(cmd::people::Args),
    Tokens(cmd::tokens::Args),
    Authz(cmd::authz::Args),
    Ingest(cmd::ingest::Args),
    Story(cmd::story::Args),
    Export(cmd::export::Args),
    Incidents(cmd::incidents::Args),
    Alerts(cmd::alerts::Args),
    Sources(cmd::sources::Args),
    Quarantine(cmd::quarantine::Args),
    Ledger(cmd::ledger::Args),
    Clock(cmd::clock::Args),
    Journal(cmd::journal::Args),
    Audit(cmd::audit::Args),
    Ack(cmd::ack::Args),
    Resolve(cmd::resolve::Args),
    Verdict(cmd::verdict::Args),
    Noise(cmd::noise::Args),
    Advice(cmd::advice::Args),
    Autonomy(cmd::autonomy::Args),
    Approvals(cmd::approvals::Args),
    Approve(cmd::approve::Args),
    Deny(cmd::deny::Args),
    Blocks(cmd::blocks::Args),
    Release(cmd::release::Args),
    Runs(cmd::runs::Args),
    Resume(cmd::resume::Args),
    Tasks(cmd::tasks::Args),
    Answer(cmd::tasks::Answer),
    Silence(cmd::silence::Args),
    Secret(cmd::secret::Args),
    Webhook(cmd::webhook::Args),
    Playbook(cmd::playbook::Args),
    Replay(cmd::replay::Args),
    Radar(cmd::radar::Args),
    Eval(cmd::eval::Args),
    Mcp(cmd::mcp::Args),
    Whoami(cmd::whoami::Args),
    Completions(cmd::completions::Args),
    Version(cmd::version::Args),
    #[command(hide = true)]
    LabHelper(cmd::demo::HelperArgs),
}

/// The verbs by what they are for, in the order of the help.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Begin and run",
        &[
            "demo",
            "up",
            "init",
            "check",
            "serve",
            "reload",
            "doctor",
            "support-bundle",
            "erase",
            "kill-switch",
            "preauth",
            "secret",
            "webhook",
        ],
    ),
    ("Let in", &["people", "tokens", "authz", "whoami"]),
    ("Feed", &["ingest", "sources", "quarantine"]),
    ("Look", &["incidents", "story", "export", "alerts", "ledger", "clock", "journal", "audit"]),
    (
        "Decide",
        &[
            "ack",
            "resolve",
            "verdict",
            "noise",
            "advice",
            "autonomy",
            "approvals",
            "approve",
            "deny",
            "blocks",
            "release",
            "runs",
            "resume",
            "tasks",
            "answer",
            "silence",
        ],
    ),
    ("Rehearse and measure", &["playbook", "replay", "radar", "eval"]),
    ("Other", &["mcp", "completions", "version"]),
];

/// The whole grammar, with the verbs in groups.
#[must_use]
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let mut groups = String::new();
    for (title, verbs) in GROUPS {
        groups.push_str(&format!("{title}:\n"));
        for verb in *verbs {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about);
            groups
                .push_str(&format!("  {verb:<14} {}\n", about.map(ToString::to_string).unwrap_or_default()));
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{{options}}{{after-help}}"
    ))
}

/// What a command gets besides its own arguments.
pub(crate) struct Ctx {
    /// Where output goes.
    pub(crate) out: Out,
    /// What every command takes.
    pub(crate) globals: Globals,
}

impl Ctx {
    /// How to reach the server.
    ///
    /// # Errors
    /// When a token was named that cannot be read.
    pub(crate) fn reach(&self) -> Result<Reach> {
        let g = &self.globals;
        let token = find::token(g.token_file.as_deref(), g.person.as_deref(), g.config.as_deref())?;
        Ok(Reach { token, ..self.reach_without_token() })
    }

    /// The same for those who prove themselves otherwise.
    #[must_use]
    pub(crate) fn reach_without_token(&self) -> Reach {
        let g = &self.globals;
        Reach { server: g.server.clone(), token: None, ca: g.ca.clone(), timeout: g.timeout }
    }

    /// The running server.
    ///
    /// # Errors
    /// When the URL or the token cannot be used.
    pub(crate) fn server(&self) -> Result<Api> {
        Api::http(&self.reach()?)
    }

    /// The store when one was named, the running server otherwise.
    ///
    /// # Errors
    /// When the store cannot be read, or the URL or the token cannot be used.
    pub(crate) fn api(&self, store: &Store) -> Result<Api> {
        match &store.data {
            Some(data) => local::store(data, find::config_dir(self.globals.config.as_deref()).as_deref()),
            None => self.server(),
        }
    }
}

impl Cli {
    /// True for what goes on for long and does many things at once.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.verb, Verb::Serve(_) | Verb::Up(_) | Verb::Demo(_))
    }
}

/// Reads the command line. Help and mistakes are printed by the parser itself.
///
/// # Errors
/// What the parser has to say, help included.
pub(crate) fn parse() -> Result<(Ctx, Cli), clap::Error> {
    let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&command().try_get_matches()?)?;
    let g = &cli.globals;
    let out = Out::new(g.json, g.quiet, g.no_color);
    Ok((Ctx { out, globals: g.clone() }, cli))
}

/// Carries a command out.
///
/// # Errors
/// What went wrong, as a [`Failure`] where the exit code matters.
pub(crate) async fn run(cli: Cli, ctx: &Ctx) -> Result<Exit> {
    match cli.verb {
        Verb::Demo(args) => cmd::demo::run(args, ctx).await,
        Verb::Up(args) => cmd::up::run(args, ctx).await,
        Verb::Init(args) => cmd::init::run(&args, ctx),
        Verb::Check(args) => cmd::check::run(&args, ctx),
        Verb::Eval(args) => cmd::eval::run(&args, ctx),
        Verb::Replay(args) => cmd::replay::run(&args, ctx),
        Verb::Radar(args) => cmd::radar::run(&args, ctx),
        Verb::Serve(args) => cmd::serve::run(args, ctx).await,
        Verb::Reload(args) => cmd::reload::run(&args, ctx).await,
        Verb::Doctor(args) => cmd::doctor::run(&args, ctx).await,
        Verb::Erase(args) => cmd::erase::run(&args, ctx).await,
        Verb::SupportBundle(args) => cmd::support_bundle::run(&args, ctx).await,
        Verb::KillSwitch(args) => cmd::kill_switch::run(&args, ctx).await,
        Verb::Preauth(args) => cmd::preauth::run(&args, ctx),
        Verb::People(args) => cmd::people::run(args, ctx).await,
        Verb::Tokens(args) => cmd::tokens::run(args, ctx).await,
        Verb::Authz(args) => cmd::authz::run(&args, ctx).await,
        Verb::Ingest(args) => cmd::ingest::run(&args, ctx).await,
        Verb::Story(args) => cmd::story::run(&args, ctx).await,
        Verb::Export(args) => cmd::export::run(&args, ctx).await,
        Verb::Incidents(args) => cmd::incidents::run(args, ctx).await,
        Verb::Alerts(args) => cmd::alerts::run(args, ctx).await,
        Verb::Sources(args) => cmd::sources::run(&args, ctx).await,
        Verb::Quarantine(args) => cmd::quarantine::run(args, ctx).await,
        Verb::Ledger(args) => cmd::ledger::run(&args, ctx).await,
        Verb::Clock(args) => cmd::clock::run(&args, ctx).await,
        Verb::Journal(args) => cmd::journal::run(args, ctx).await,
        Verb::Audit(args) => cmd::audit::run(args, ctx).await,
        Verb::Ack(args) => cmd::ack::run(&args, ctx).await,
        Verb::Resolve(args) => cmd::resolve::run(&args, ctx).await,
        Verb::Verdict(args) => cmd::verdict::run(&args, ctx).await,
        Verb::Noise(args) => cmd::noise::run(&args, ctx).await,
        Verb::Advice(args) => cmd::advice::run(&args, ctx).await,
        Verb::Autonomy(args) => cmd::autonomy::run(&args, ctx).await,
        Verb::Approvals(args) => cmd::approvals::run(&args, ctx).await,
        Verb::Approve(args) => cmd::approve::run(&args, ctx).await,
        Verb::Deny(args) => cmd::deny::run(&args, ctx).await,
        Verb::Blocks(args) => cmd::blocks::run(&args, ctx).await,
        Verb::Release(args) => cmd::release::run(&args, ctx).await,
        Verb::Runs(args) => cmd::runs::run(&args, ctx).await,
        Verb::Resume(args) => cmd::resume::run(&args, ctx).await,
        Verb::Tasks(a) => cmd::tasks::run(&a, ctx).await,
        Verb::Answer(a) => cmd::tasks::answer(&a, ctx).await,
        Verb::Silence(args) => cmd::silence::run(args, ctx).await,
        Verb::Webhook(args) => cmd::webhook::run(args, ctx).await,
        Verb::Secret(args) => cmd::secret::run(args, ctx).await,
        Verb::Playbook(args) => cmd::playbook::run(&args, ctx).await,
        Verb::Mcp(args) => cmd::mcp::run(&args, ctx).await,
        Verb::Whoami(args) => cmd::whoami::run(&args, ctx).await,
        Verb::Completions(args) => cmd::completions::run(&args, ctx),
        Verb::Version(args) => cmd::version::run(&args, ctx),
        Verb::LabHelper(args) => cmd::demo::helper(&args),
    }
}

/// A number of lines to list.
///
/// # Errors
/// When it is not 1 to 1000.
pub(crate) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err("write a whole number from 1 to 1000".to_owned()),
    }
}

/// Is this name of the right kind? Takes it in any case, or the bare number.
///
/// # Errors
/// Says what a name of this kind looks like.
pub(crate) fn id<T: std::str::FromStr + ToString>(text: &str) -> Result<String, String>
where
    T::Err: ToString,
{
    text.parse::<T>().map(|id| id.to_string()).map_err(|e| e.to_string())
}

/// A failure of the command line found after parsing.
pub(crate) fn usage(message: impl Into<String>, mend: impl Into<String>) -> anyhow::Error {
    Failure::usage(message, mend).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_is_in_one_group_of_the_help_and_explained() {
        let command = Cli::command();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| *verbs).copied().collect();
        let shown = command.get_subcommands().filter(|c| !c.is_hide_set());
        let mut known: Vec<&str> = shown.map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
        assert!(command.get_subcommands().all(|c| c.get_about().is_some()));
    }

    #[test]
    fn the_nearest_verb_is_suggested() {
        let Err(error) = command().try_get_matches_from(["stanch", "incidnets"]) else { panic!("accepted") };
        assert!(error.to_string().contains("'incidents'"), "{error}");
    }

    #[test]
    fn names_are_taken_in_any_case_or_as_a_number() {
        assert_eq!(id::<stanch_model::IncidentId>("inc-3").as_deref(), Ok("INC-3"));
        assert_eq!(id::<stanch_model::IncidentId>("3").as_deref(), Ok("INC-3"));
        assert!(id::<stanch_model::IncidentId>("APR-3").is_err());
    }
}
