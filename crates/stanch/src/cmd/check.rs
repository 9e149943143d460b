//! `stanch check`: all mistakes of a configuration folder at once.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use stanch_server::api::v1::types::MistakeView;

use crate::cli::Ctx;
use crate::exit::{Exit, Failure};
use crate::output::render_mistake;
use crate::{find, local};

/// Say everything that is wrong with the configuration, with file, line and how to mend it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also end with 3 when there are only warnings
    #[arg(long)]
    strict: bool,
    /// Check a folder of tenants, as `stanch serve --tenants` reads it
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    tenants: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    if let Some(folder) = &args.tenants {
        return several(args, ctx, folder);
    }
    let dir = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let mistakes = local::check(&dir);
    let (errors, warnings) = counted(&mistakes);
    if ctx.out.json {
        let said = as_json(&dir, &mistakes);
        ctx.out.json(&said);
    } else {
        tell(ctx, &dir, &mistakes);
    }
    Ok(exit(args, errors, warnings))
}

/// Every tenant of a folder, each by itself.
fn several(args: &Args, ctx: &Ctx, folder: &Path) -> Result<Exit> {
    let found = local::check_tenants(folder);
    let found = found.map_err(|why| Failure::new(Exit::BadConfig, why, ""))?;
    let all: Vec<(usize, usize)> = found.iter().map(|(_, mistakes)| counted(mistakes)).collect();
    let (errors, warnings) = all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let config = |name: &str| folder.join(name).join("config");
    if ctx.out.json {
        let each = |(name, mistakes): &(String, Vec<MistakeView>)| {
            let mut said = as_json(&config(name), mistakes);
            said["tenant"] = json!(name);
            said
        };
        let tenants: Vec<_> = found.iter().map(each).collect();
        let said = json!({ "ok": errors == 0, "errors": errors, "warnings": warnings, "tenants": tenants });
        ctx.out.json(&said);
    } else {
        found.iter().for_each(|(name, mistakes)| tell(ctx, &config(name), mistakes));
    }
    Ok(exit(args, errors, warnings))
}

/// How many mistakes and how many warnings.
fn counted(mistakes: &[MistakeView]) -> (usize, usize) {
    let warnings = mistakes.iter().filter(|m| m.warning).count();
    (mistakes.len() - warnings, warnings)
}

fn as_json(dir: &Path, mistakes: &[MistakeView]) -> serde_json::Value {
    let (errors, warnings) = counted(mistakes);
    json!({ "dir": dir, "ok": errors == 0, "errors": errors, "warnings": warnings, "mistakes": mistakes })
}

fn tell(ctx: &Ctx, dir: &Path, mistakes: &[MistakeView]) {
    for mistake in mistakes {
        ctx.out.line(render_mistake(mistake));
    }
    let (errors, warnings) = counted(mistakes);
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mark = if errors == 0 { "✓" } else { "✗" };
    ctx.out.note(format!(
        "{mark} {}: {}, {}",
        dir.display(),
        count(errors, "mistake"),
        count(warnings, "warning")
    ));
}

fn exit(args: &Args, errors: usize, warnings: usize) -> Exit {
    if errors > 0 || (args.strict && warnings > 0) { Exit::Findings } else { Exit::Ok }
}
