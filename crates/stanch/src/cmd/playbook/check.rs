//! `stanch playbook check`: everything that is wrong with playbooks, at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use stanch_core::config::Mistake;
use stanch_core::playbook::Playbook;
use stanch_core::playbook::verify::{Around, calls, verify};
use stanch_server::api::v1::types::MistakeView;

use super::read;
use crate::cli::Ctx;
use crate::exit::{Exit, Failure};
use crate::output::render_mistake;
use crate::{find, local};

/// Say everything that is wrong with a playbook, a folder of them, or those of a configuration folder
///
/// Ends with 0 when nothing is wrong, 3 when something is, 5 when there is no such file. A file or
/// folder inside a configuration folder is checked against its teams, limits and devices; any other is
/// checked alone.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A playbook's file, a folder of playbooks, or a configuration folder [default: the configuration]
    #[arg(value_name = "FILE|DIR")]
    path: Option<PathBuf>,
    /// Also end with 3 when there are only warnings
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let path = match &args.path {
        Some(path) => path.clone(),
        None => find::needed_config_dir(ctx.globals.config.as_deref())?,
    };
    let (mistakes, checked) = judge(&path)?;
    let warnings = mistakes.iter().filter(|m| m.warning).count();
    let errors = mistakes.len() - warnings;
    if ctx.out.json {
        ctx.out.json(&json!({
            "path": path, "ok": errors == 0, "checked": checked,
            "errors": errors, "warnings": warnings, "mistakes": mistakes,
        }));
    } else {
        mistakes.iter().for_each(|m| ctx.out.line(render_mistake(m)));
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        ctx.out.note(format!(
            "{} {}: {}, {}, {}",
            if errors == 0 { "✓" } else { "✗" },
            path.display(),
            count(checked, "playbook"),
            count(errors, "mistake"),
            count(warnings, "warning"),
        ));
    }
    let found = errors > 0 || (args.strict && warnings > 0);
    Ok(if found { Exit::Findings } else { Exit::Ok })
}

/// All mistakes, and how many playbooks were looked at.
fn judge(path: &Path) -> Result<(Vec<MistakeView>, usize)> {
    if !path.exists() {
        let message = format!("{} is not there", path.display());
        return Err(Failure::new(Exit::NotFound, message, "name a file or a folder").into());
    }
    if let Some(config) = configuration(path) {
        let name = path.is_file().then(|| path.file_name()).flatten().and_then(|n| n.to_str());
        let wanted = name.map_or("playbooks/".to_owned(), |name| format!("playbooks/{name}"));
        let mut mistakes = local::check(&config);
        mistakes.retain(|m| m.file.starts_with(&wanted));
        let count = if name.is_some() { 1 } else { read::folder(&config.join("playbooks"))?.len() };
        return Ok((mistakes, count));
    }
    let files = if path.is_dir() { read::folder(path)? } else { vec![path.to_owned()] };
    let (mut mistakes, mut sound): (Vec<Mistake>, Vec<(String, Arc<Playbook>)>) = (Vec::new(), Vec::new());
    for file in &files {
        let shown = file.display().to_string();
        match read::playbook(file)? {
            Ok(playbook) => {
                mistakes.extend(verify(&playbook, &shown, Around::default()));
                sound.push((shown, Arc::new(playbook)));
            }
            Err(more) => mistakes.extend(more),
        }
    }
    // A file alone cannot know the others; in a folder all of them are there.
    if path.is_dir() && sound.len() == files.len() {
        let others: Vec<Arc<Playbook>> = sound.iter().map(|(_, playbook)| Arc::clone(playbook)).collect();
        for (shown, playbook) in &sound {
            mistakes.extend(calls(playbook, shown, &others));
        }
    }
    mistakes.sort();
    Ok((mistakes.into_iter().map(local::shown).collect(), files.len()))
}

/// The configuration folder a path is, or lies in.
fn configuration(path: &Path) -> Option<PathBuf> {
    let is_one = |dir: &Path| dir.join("stanch.yaml").is_file() || dir.join("policies").is_dir();
    let path = path.canonicalize().ok()?;
    let in_folder = |dir: &Path| dir.file_name().is_some_and(|n| n == "playbooks");
    let candidates = if path.is_file() {
        path.parent().filter(|dir| in_folder(dir)).and_then(Path::parent)
    } else if in_folder(&path) {
        path.parent()
    } else {
        Some(path.as_path())
    };
    candidates.filter(|dir| is_one(dir)).map(Path::to_owned)
}
