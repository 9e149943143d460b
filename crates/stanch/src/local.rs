//! What is done without asking a server: reading the configuration folder and the store, and being
//! the server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use stanch_core::Config;
use stanch_core::config::Mistake;
use stanch_server::api::v1::types::MistakeView;
use stanch_server::tenants::Tenants;
use stanch_server::{App, Options, StartError, offline_router};

use crate::cli::Ctx;
use crate::client::Api;
use crate::exit::{Exit, Failure};

/// All mistakes and warnings of a configuration folder, in order of file and line.
#[must_use]
pub(crate) fn check(dir: &Path) -> Vec<MistakeView> {
    stanch_server::check(dir).into_iter().map(shown).collect()
}

/// The same for every tenant of a folder, each with its host name.
///
/// # Errors
/// When the folder says something that is no tenant.
pub(crate) fn check_tenants(folder: &Path) -> Result<Vec<(String, Vec<MistakeView>)>, String> {
    let found = stanch_server::tenants::check(folder)?;
    Ok(found.into_iter().map(|(name, all)| (name, all.into_iter().map(shown).collect())).collect())
}

/// The configuration as a value; none when it has mistakes.
#[must_use]
pub(crate) fn config(dir: &Path) -> Option<Arc<Config>> {
    stanch_server::config_dir::compiled(dir)
}

/// A mistake as every command shows it.
#[must_use]
pub(crate) fn shown(m: Mistake) -> MistakeView {
    let Mistake { file, line, column, message, help, warning } = m;
    MistakeView { file, line, column, message, help, warning }
}

/// The API, answered from a store.
///
/// # Errors
/// When there is no store, or it cannot be read.
pub(crate) fn store(data: &Path, config: Option<&Path>) -> Result<Api> {
    if !data.is_dir() {
        let message = format!("{} is no folder with a store", data.display());
        let mend = "name the folder that `stanch serve` writes to";
        return Err(Failure::new(Exit::NotFound, message, mend).into());
    }
    let router = offline_router(data, config).map_err(|e| {
        let message = format!("the store in {} cannot be read: {e}", data.display());
        Failure::new(Exit::Failed, message, "run `stanch doctor`")
    })?;
    Ok(Api::store(router))
}

/// Runs the server until it is told to stop. The first line on stdout says where it listens.
///
/// # Errors
/// Why it did not start, or could not go on.
pub(crate) async fn serve(
    ctx: &Ctx,
    config: &Path,
    data: &Path,
    listen: Option<SocketAddr>,
    hosts: Vec<String>,
) -> Result<Exit> {
    log(ctx, "info");
    keep_memory_in(ctx);
    let mut options = Options::new(config, data);
    options.listen = listen;
    options.hosts = hosts;
    let app = App::start(options).await.map_err(not_started)?;
    let url = url(config, app.addr());
    ctx.out.line(format!("listening on {url}"));
    app.run()
        .await
        .map_err(|why| Failure::new(Exit::Failed, format!("the server ended: {why}"), "start it again"))?;
    Ok(Exit::Ok)
}

/// Runs several tenants until it is told to stop. The first line on stdout says where it listens.
///
/// # Errors
/// Why it did not start, or could not go on.
pub(crate) async fn serve_tenants(ctx: &Ctx, folder: &Path, listen: Option<SocketAddr>) -> Result<Exit> {
    log(ctx, "info");
    keep_memory_in(ctx);
    let tenants = Tenants::start(folder, listen).await.map_err(not_started)?;
    let scheme = if tenants.tls() { "https" } else { "http" };
    ctx.out.line(format!("listening on {scheme}://{}", tenants.addr()));
    tenants
        .run()
        .await
        .map_err(|why| Failure::new(Exit::Failed, format!("the server ended: {why}"), "start it again"))?;
    Ok(Exit::Ok)
}

/// Where browsers find it.
fn url(config: &Path, addr: SocketAddr) -> String {
    let tls = self::config(config).is_some_and(|c| c.server.tls.is_some());
    format!("http{}://{addr}", if tls { "s" } else { "" })
}

/// Runs the server until it is told to stop, and lets the first administrator be made where there is
/// none. `made`: the configuration is new.
///
/// # Errors
/// Why it did not start, or could not go on.
pub(crate) async fn up(
    ctx: &Ctx,
    config: &Path,
    data: &Path,
    listen: Option<SocketAddr>,
    made: bool,
) -> Result<Exit> {
    log(ctx, "warn");
    keep_memory_in(ctx);
    let mut options = Options::new(config, data);
    options.listen = listen;
    let token = options.let_set_up().map_err(|why| Failure::new(Exit::Failed, why, ""))?;
    let app = App::start(options).await.map_err(not_started)?;
    let url = url(config, app.addr());
    let link = app.can_be_set_up().then(|| format!("{url}/setup#{token}"));
    if ctx.out.json {
        let said = json!({ "url": url, "set_up": link, "config": config, "data": data, "made": made });
        ctx.out.line(said.to_string());
    } else {
        if made {
            ctx.out.note(format!(
                "a new configuration is in {}; every key is explained where it stands",
                config.display()
            ));
        }
        match &link {
            Some(link) => {
                ctx.out.note(
                    "Stanch runs. Open this address on this machine, within 15 minutes; it works once:",
                );
                ctx.out.line(link);
            }
            None => {
                ctx.out.note("Stanch runs. Open this address and sign in:");
                ctx.out.line(&url);
            }
        }
        ctx.out.note("Ctrl-C stops it; nothing is lost.");
    }
    app.run()
        .await
        .map_err(|why| Failure::new(Exit::Failed, format!("the server ended: {why}"), "start it again"))?;
    Ok(Exit::Ok)
}

/// No core dumps, and no debuggers of other users: memory holds secrets while they are used.
/// Source: SEC-42; prctl(2), `PR_SET_DUMPABLE`.
fn keep_memory_in(ctx: &Ctx) {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    if let Err(e) = limited.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)) {
        ctx.out.say(&format!("a crash could leave a core dump with secrets in it: {e}"));
    }
}

fn not_started(error: StartError) -> Failure {
    let message = error.to_string();
    match error {
        StartError::Configuration(mistakes) => Failure {
            mistakes: mistakes.into_iter().map(shown).collect(),
            ..Failure::new(Exit::BadConfig, message, "mend what is listed, then run `stanch check`")
        },
        StartError::Refused(_) => Failure::new(Exit::BadConfig, message, ""),
        StartError::Journal(_) | StartError::Engine(_) => {
            Failure::new(Exit::Failed, message, "run `stanch doctor`")
        }
        StartError::Listen { .. } | StartError::Bug(_) => Failure::new(Exit::Failed, message, ""),
    }
}

/// The log goes to stderr; `STANCH_LOG` says how much, for example `debug` or `stanch_server=debug`.
fn log(ctx: &Ctx, least: &str) {
    use std::io::IsTerminal as _;
    let least = if ctx.out.quiet { "warn" } else { least };
    let wanted = std::env::var("STANCH_LOG").unwrap_or_else(|_| least.to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(&wanted)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(least));
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !ctx.globals.no_color;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // Set already when a demo runs several servers in one process.
    let _ = if ctx.out.json { builder.json().try_init() } else { builder.try_init() };
}
