//! `stanch secret`: secrets that are handed over once and never shown again.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};
use stanch_server::api::v1::types::{SecretDone, SecretPage, SecretsKeyView};

use crate::cli::{self, Ctx};
use crate::client::{Route, view};
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Style, Table, now, safe};

/// Hand over a secret for a connector, list what is kept, change one, or remove one
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List stored secrets, without what they are
    List,
    /// Hand over a secret; it is read from a file or from stdin, never from the command line
    Set {
        /// Its name, as in the configuration: { stored: NAME }
        name: String,
        /// The only connector that may use it
        #[arg(long)]
        connector: String,
        /// Where it may be sent, for example edr.example.com:443; may be repeated
        #[arg(long = "host", required = true, value_name = "HOST:PORT")]
        hosts: Vec<String>,
        #[command(flatten)]
        from: From,
    },
    /// Hand over a new version of a secret; what it is bound to stays
    Rotate {
        /// Its name
        name: String,
        #[command(flatten)]
        from: From,
    },
    /// Wrap all of them by another master key, while everything runs
    RotateKey {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove a secret
    Remove {
        /// Its name
        name: String,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(clap::Args)]
struct From {
    /// The file that holds it; stdin otherwise
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, ctx: &Ctx) -> Result<Exit> {
    match args.verb {
        Verb::List => list(ctx).await,
        Verb::Set { name, connector, hosts, from } => {
            keep(ctx, &name, &from, json!({"connector": connector, "hosts": hosts})).await
        }
        Verb::Rotate { name, from } => keep(ctx, &name, &from, json!({})).await,
        Verb::RotateKey { dry_run } => rotate_key(ctx, dry_run).await,
        Verb::Remove { name, dry_run } => {
            let page: SecretPage = ctx.server()?.get_as("/api/v1/secrets").await?;
            if dry_run {
                let there = page.secrets.iter().any(|s| s.name == name);
                ctx.out.line(safe(&if there {
                    format!("would remove {name}")
                } else {
                    format!("there is no {name}")
                }));
                return Ok(if there { Exit::Ok } else { Exit::NotFound });
            }
            done(ctx, ctx.server()?.delete(&Route::new(&["secrets", &name])).await?, "removed")
        }
    }
}

async fn keep(ctx: &Ctx, name: &str, from: &From, mut body: Value) -> Result<Exit> {
    if from.dry_run {
        ctx.out.line(safe(&format!("would set {name} {body}")));
        return Ok(Exit::Ok);
    }
    body["value"] = read(from.file.as_deref())?.into();
    done(ctx, ctx.server()?.put(&Route::new(&["secrets", name]), &body).await?, "kept")
}

fn read(file: Option<&Path>) -> Result<String> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path).map_err(|e| {
            Failure::usage(format!("{}: {e}", path.display()), "name a file that can be read")
        })?,
        None => {
            if std::io::stdin().is_terminal() {
                return Err(cli::usage(
                    "a secret is not typed where others could read over your shoulder",
                    "pipe it in: pass show edr | stanch secret set …, or name a --file",
                ));
            }
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn done(ctx: &Ctx, answer: Value, what: &str) -> Result<Exit> {
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let done: SecretDone = view(answer)?;
    let s = &done.secret;
    ctx.out.line(safe(&format!(
        "{what}: {} version {} for {} at {}",
        s.name,
        s.version,
        s.connector,
        s.hosts.join(", ")
    )));
    if let Some(why) = &done.why {
        ctx.out.note(safe(why));
    }
    Ok(Exit::Ok)
}

async fn rotate_key(ctx: &Ctx, dry_run: bool) -> Result<Exit> {
    let answer = ctx.server()?.post("/api/v1/admin/secrets-key", &json!({ "dry_run": dry_run })).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let done: SecretsKeyView = view(answer)?;
    ctx.out.line(safe(&done.message));
    Ok(Exit::Ok)
}

async fn list(ctx: &Ctx) -> Result<Exit> {
    let answer = ctx.server()?.get("/api/v1/secrets").await?;
    if ctx.out.json {
        ctx.out.json(&answer);
        return Ok(Exit::Ok);
    }
    let page: SecretPage = view(answer)?;
    let now = now();
    let mut table = Table::new(&["name", "version", "connector", "hosts", "changed", "by", "fingerprint"]);
    for s in &page.secrets {
        table.row(vec![
            Cell::new(&s.name).styled(Style::Strong),
            Cell::new(s.version.to_string()),
            Cell::new(&s.connector),
            Cell::new(s.hosts.join(" ")),
            Cell::time(&s.changed, now),
            Cell::new(&s.by),
            Cell::new(&s.fingerprint).styled(Style::Faint),
        ]);
    }
    ctx.out.table(&table);
    if table.is_empty() {
        ctx.out.note("no stored secrets");
    }
    Ok(Exit::Ok)
}
