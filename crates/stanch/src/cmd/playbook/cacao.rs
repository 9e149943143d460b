//! `stanch playbook import|export|signatures`: CACAO 2.0, the open standard for playbooks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use stanch_core::playbook::cacao::{self, Binding, Reading, SignError, Stamp};
use stanch_core::playbook::load;

use super::read;
use crate::cli::Ctx;
use crate::exit::Exit;
use crate::local;
use crate::output::{now, render_mistake, safe, safe_lines};

/// Read a CACAO 2.0 playbook and write it as a plan of ours: a draft that starts only when called
#[derive(clap::Args)]
pub(crate) struct Import {
    /// The CACAO document
    file: PathBuf,
    /// The team that gets its tasks
    #[arg(long, default_value = "secops", value_name = "TEAM")]
    team: String,
    /// Let a program declared in connectors.yaml stand for a shell command: STEP=CALL; without it
    /// the command becomes a task that shows its text
    #[arg(long = "exec", value_name = "STEP=CALL", value_parser = pair)]
    programs: Vec<(String, String)>,
    /// Which playbook of ours a playbook-action calls: ID=NAME
    #[arg(long = "playbook", value_name = "ID=NAME", value_parser = pair)]
    playbooks: Vec<(String, String)>,
    /// Write the plan to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with 3 when there are warnings too
    #[arg(long)]
    strict: bool,
}

/// Write a plan as a CACAO 2.0 document, valid against the official schemas
#[derive(clap::Args)]
pub(crate) struct Export {
    /// The plan's file
    file: PathBuf,
    /// Who publishes it
    #[arg(long, default_value = "stanch", value_name = "NAME")]
    by: String,
    /// When it was first made, for example 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    created: Option<String>,
    /// Write the document to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Check the signatures of a CACAO 2.0 document; ends with 3 when one does not hold
#[derive(clap::Args)]
pub(crate) struct Signatures {
    /// The CACAO document
    file: PathBuf,
    /// Also accept signatures over the raw digest instead of its hexadecimal text
    #[arg(long)]
    also_raw: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (a, b) = text.split_once('=').ok_or("write NAME=NAME")?;
    Ok((a.to_owned(), b.to_owned()))
}

fn text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn write(ctx: &Ctx, output: Option<&Path>, content: &str) -> Result<()> {
    match output {
        None => ctx.out.line(safe_lines(content.trim_end())),
        Some(file) => {
            std::fs::write(file, content).with_context(|| format!("{} cannot be written", file.display()))?;
            ctx.out.note(format!("✓ written to {}", file.display()));
        }
    }
    Ok(())
}

pub(crate) fn import(args: &Import, ctx: &Ctx) -> Result<Exit> {
    let binding = Binding {
        team: args.team.clone(),
        programs: args.programs.iter().cloned().collect::<BTreeMap<_, _>>(),
        playbooks: args.playbooks.iter().cloned().collect(),
    };
    let got = cacao::import(&text(&args.file)?, &binding);
    let refused = got.findings.iter().filter(|f| f.refused).count();
    let warnings = got.findings.len() - refused;
    // What the import wrote must be what the loader reads; a mistake here is ours, and told.
    let mistakes = got.yaml.as_deref().map(|yaml| load::load(&got.name, &format!("{}.yaml", got.name), yaml));
    let mistakes = match mistakes {
        Some(Err(mistakes)) => mistakes,
        Some(Ok(_)) | None => Vec::new(),
    };
    let ok = got.yaml.is_some() && mistakes.iter().all(|m| m.warning);
    if ctx.out.json {
        let findings: Vec<_> = got
            .findings
            .iter()
            .map(|f| json!({ "refused": f.refused, "place": f.place, "message": f.message, "help": f.help }))
            .collect();
        let calls: Vec<_> = got
            .calls
            .iter()
            .map(|c| json!({ "name": c.name, "method": c.method, "url": c.url, "inputs": c.inputs }))
            .collect();
        ctx.out.json(&json!({
            "ok": ok, "name": got.name, "yaml": got.yaml, "findings": findings, "calls_to_declare": calls,
        }));
    } else {
        for finding in &got.findings {
            ctx.out.say(&safe_lines(&format!("{}:{finding}", args.file.display())));
        }
        for mistake in mistakes {
            ctx.out.say(&render_mistake(&local::shown(mistake)));
        }
        match &got.yaml {
            Some(yaml) => write(ctx, args.output.as_deref(), yaml)?,
            None => ctx.out.say(&format!("✗ refused: {refused} mistakes, {warnings} warnings")),
        }
    }
    Ok(if !ok || (args.strict && warnings > 0) { Exit::Findings } else { Exit::Ok })
}

pub(crate) fn export(args: &Export, ctx: &Ctx) -> Result<Exit> {
    let playbook = read::sound(&args.file)?;
    let time = |at: stanch_model::Timestamp| at.to_string();
    let modified = time(now());
    let created = match &args.created {
        None => modified.clone(),
        Some(text) => {
            time(stanch_model::Timestamp::parse(text).with_context(|| format!("--created {text}"))?)
        }
    };
    let document = cacao::export(&playbook, &Stamp { created, modified, by: args.by.clone() });
    if ctx.out.json && args.output.is_none() {
        ctx.out.json(&document);
    } else {
        write(ctx, args.output.as_deref(), &format!("{}\n", serde_json::to_string_pretty(&document)?))?;
    }
    Ok(Exit::Ok)
}

pub(crate) fn signatures(args: &Signatures, ctx: &Ctx) -> Result<Exit> {
    let found = match cacao::verify(&text(&args.file)?, args.also_raw) {
        Ok(found) => found,
        Err(
            e @ (SignError::None
            | SignError::Unreadable(_)
            | SignError::Unsupported { .. }
            | SignError::Wrong { .. }),
        ) => {
            if ctx.out.json {
                ctx.out.json(&json!({ "ok": false, "why": e.to_string() }));
            } else {
                ctx.out.say(&safe(&format!("✗ {}: {e}", args.file.display())));
            }
            return Ok(Exit::Findings);
        }
    };
    let reading = |r: Reading| match r {
        Reading::HexDigest => "over the digest's hexadecimal text",
        Reading::RawDigest => "over the raw digest",
    };
    if ctx.out.json {
        let all: Vec<_> = found
            .iter()
            .map(|s| {
                json!({ "id": s.id, "signee": s.signee, "algorithm": s.algorithm,
                        "reading": reading(s.reading), "key_sha256": s.key })
            })
            .collect();
        ctx.out.json(&json!({ "ok": true, "signatures": all }));
        return Ok(Exit::Ok);
    }
    for s in found {
        ctx.out.line(safe(&format!("✓ {} by {} ({}, {})", s.id, s.signee, s.algorithm, reading(s.reading))));
        ctx.out.line(format!("  key SHA-256 {}: compare it with the one you were given", s.key));
    }
    Ok(Exit::Ok)
}
