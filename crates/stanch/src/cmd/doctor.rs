//! `stanch doctor`: is everything there that Stanch needs, and how to mend what is not.

mod machine;

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use stanch_core::Config;
use stanch_core::config::{May, SelfApproval};

use crate::cli::Ctx;
use crate::client::Api;
use crate::exit::{Exit, Failure};
use crate::output::{Style, render_mistake, safe};
use crate::{find, local};

/// Look at configuration, store, server and machine; ends with 1 when something is broken
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder [default: .stanch in the configuration folder]
    #[arg(long, env = "STANCH_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// In order.
    Ok,
    /// Works, but somebody should look.
    Warning,
    /// Broken.
    Broken,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// What.
    pub(crate) name: &'static str,
    /// How it stands.
    pub(crate) state: State,
    /// In words.
    pub(crate) message: String,
    /// How to mend it; empty when nothing is to be mended.
    pub(crate) mend: String,
}

impl Finding {
    /// In order.
    pub(crate) fn ok(name: &'static str, message: impl Into<String>) -> Finding {
        Finding { name, state: State::Ok, message: message.into(), mend: String::new() }
    }

    /// Works, but somebody should look.
    pub(crate) fn warning(
        name: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding { name, state: State::Warning, message: message.into(), mend: mend.into() }
    }

    /// Broken.
    pub(crate) fn broken(name: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { name, state: State::Broken, message: message.into(), mend: mend.into() }
    }
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let findings = look(args.data.as_ref(), ctx).await;
    let broken = findings.iter().filter(|f| f.state == State::Broken).count();
    if ctx.out.json {
        ctx.out.json(&json!({ "ok": broken == 0, "findings": findings }));
    } else {
        findings.iter().for_each(|f| show(ctx, f));
    }
    Ok(if broken > 0 { Exit::Failed } else { Exit::Ok })
}

/// Looks at everything. `data`: the store's folder, where it is not beside the configuration.
pub(crate) async fn look(data: Option<&PathBuf>, ctx: &Ctx) -> Vec<Finding> {
    let dir = find::config_dir(ctx.globals.config.as_deref());
    let config = dir.as_deref().and_then(local::config);
    let data = match (data, &dir) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(dir)) => Some(find::data_dir(None, dir)),
        (None, None) => None,
    };
    let mut findings = vec![configuration(dir.as_ref())];
    findings.push(store(data.as_ref(), dir.as_ref()).await);
    findings.extend(data.as_ref().map(|d| machine::disk(d)));
    findings.extend(config.as_deref().map(second_person));
    findings.extend(machine::tools(config.as_deref()));
    findings.push(server(ctx).await);
    findings.extend(chats(ctx).await);
    findings.push(machine::clock(&ctx.globals.server, ctx).await);
    findings
}

fn show(ctx: &Ctx, f: &Finding) {
    let (mark, style) = match f.state {
        State::Ok => ("✓", Style::Good),
        State::Warning => ("▲", Style::Warn),
        State::Broken => ("✗", Style::Bad),
    };
    ctx.out.line(format!("{} {:<8} {}", ctx.out.paint.on(style, mark), f.name, safe(&f.message)));
    if !f.mend.is_empty() {
        ctx.out.line(format!("    mend:  {}", safe(&f.mend)));
    }
}

fn configuration(dir: Option<&PathBuf>) -> Finding {
    const NAME: &str = "config";
    let Some(dir) = dir else {
        let message = "no configuration folder here";
        return Finding::warning(
            NAME,
            message,
            "write one with `stanch init stanch`, or name yours with --config DIR",
        );
    };
    let mistakes = local::check(dir);
    let errors: Vec<_> = mistakes.iter().filter(|m| !m.warning).collect();
    let shown = dir.display();
    match (errors.first(), mistakes.first()) {
        (Some(first), _) => {
            let first = render_mistake(first).replace('\n', ";");
            Finding::broken(
                NAME,
                format!("{shown}: {} mistakes, first {first}", errors.len()),
                "run `stanch check`",
            )
        }
        (None, Some(_)) => Finding::warning(
            NAME,
            format!("{shown} works, with {} warnings", mistakes.len()),
            "run `stanch check`",
        ),
        (None, None) => Finding::ok(NAME, format!("{shown} has no mistakes")),
    }
}

/// Does it take a second person where somebody wrote the playbook that asks, or began its run?
fn second_person(config: &Config) -> Finding {
    const NAME: &str = "approve";
    let may: Vec<&str> =
        config.people.values().filter(|p| p.role.may(May::Decide)).map(|p| p.name.as_str()).collect();
    let mend = "write `self_approval: when_alone` into policies/containment.yaml";
    match (config.containment.self_approval, &may[..]) {
        (SelfApproval::Allowed, _) => Finding::warning(
            NAME,
            "ONE PERSON CAN DO EVERYTHING: whoever writes a playbook or begins a run may also approve what it asks",
            mend,
        ),
        (SelfApproval::WhenAlone, [one]) => Finding::warning(
            NAME,
            format!("{one} is the only approver of the files, and so may approve what {one} wrote or began"),
            "give a second person the role approver",
        ),
        (SelfApproval::Never, [one]) => Finding::warning(
            NAME,
            format!("{one} is the only approver of the files: nobody can approve what {one} wrote or began"),
            "give a second person the role approver",
        ),
        (SelfApproval::WhenAlone | SelfApproval::Never, _) => {
            Finding::ok(NAME, "nobody approves what their own playbook or their own run asks")
        }
    }
}

async fn store(data: Option<&PathBuf>, config: Option<&PathBuf>) -> Finding {
    const NAME: &str = "store";
    let Some(data) = data else {
        return Finding::warning(NAME, "not looked at: where it is is not known", "name it with --data DIR");
    };
    let shown = data.display();
    if !data.exists() {
        return Finding::ok(NAME, format!("{shown} does not exist yet; `stanch serve` makes it"));
    }
    let head = match local::store(data, config.map(PathBuf::as_path)) {
        Ok(api) => api.get("/api/v1/journal/head").await,
        Err(error) => Err(error),
    };
    match head {
        Ok(head) => Finding::ok(NAME, format!("{shown} can be read, {} entries", head["seq"])),
        Err(error) => {
            Finding::broken(NAME, error.to_string(), "see the message; a backup is a copy of the folder")
        }
    }
}

async fn server(ctx: &Ctx) -> Finding {
    const NAME: &str = "server";
    let url = &ctx.globals.server;
    let named = url != crate::client::DEFAULT_SERVER;
    let api = match ctx.server() {
        Ok(api) => api,
        Err(error) => {
            return Finding::broken(NAME, error.to_string(), "name a token you can read with --token-file");
        }
    };
    if let Err(error) = reachable(&api).await {
        let mend = "start it with `stanch serve`, or name another one with --server";
        let message = error.to_string();
        // Not running yet is no fault; not where somebody said it is, is one.
        return if named {
            Finding::broken(NAME, message, mend)
        } else {
            Finding::warning(NAME, message, mend)
        };
    }
    match api.get("/api/v1/whoami").await {
        Ok(who) => {
            let word = |key: &str| who[key].as_str().unwrap_or("?").to_owned();
            Finding::ok(NAME, format!("{url} is ready; you are {} ({})", word("name"), word("role")))
        }
        Err(error) => Finding::warning(
            NAME,
            format!("{url} is ready, but: {error}"),
            "name your token with --token-file",
        ),
    }
}

/// Lasting connections to chats, as the server sees them; none when it cannot be asked.
async fn chats(ctx: &Ctx) -> Vec<Finding> {
    let Ok(api) = ctx.server() else { return Vec::new() };
    let Ok(settings) = api.get("/api/v1/settings").await else { return Vec::new() };
    settings["connectors"].as_array().into_iter().flatten().filter_map(chat).collect()
}

/// One connector with a lasting connection; none for all others.
fn chat(connector: &serde_json::Value) -> Option<Finding> {
    const NAME: &str = "chat";
    let (name, link) = (connector["name"].as_str()?, connector["link"].as_str()?);
    Some(match connector["trouble"].as_str() {
        Some(trouble) => {
            let mend = "see docs/guide/chat.md; people can answer in the console meanwhile";
            Finding::warning(NAME, format!("{name}: {link}: {trouble}"), mend)
        }
        None => Finding::ok(NAME, format!("{name}: {link}")),
    })
}

async fn reachable(api: &Api) -> Result<()> {
    match api.get_bytes("/readyz").await {
        Ok(_) => Ok(()),
        Err(error) => match error.downcast_ref::<Failure>() {
            Some(f) if f.exit == Exit::Unreachable => Err(error),
            _ => Err(error.context("the server is there but not ready")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_looked_at_only_where_it_keeps_a_connection() {
        let of = |trouble: serde_json::Value| {
            chat(&json!({ "name": "chat", "link": "Socket Mode: down", "trouble": trouble }))
        };
        assert_eq!(of(json!("invalid_auth")).map(|f| f.state), Some(State::Warning));
        assert_eq!(of(json!(null)).map(|f| f.state), Some(State::Ok));
        assert!(chat(&json!({ "name": "mail", "trouble": "refused" })).is_none());
    }
}
