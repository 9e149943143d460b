//! `stanch check`: all mistakes of a configuration folder at once.

use anyhow::Result;
use serde_json::json;

use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::render_mistake;
use crate::{find, local};

/// Say everything that is wrong with the configuration, with file, line and how to mend it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also end with 3 when there are only warnings
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let dir = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let mistakes = local::check(&dir);
    let warnings = mistakes.iter().filter(|m| m.warning).count();
    let errors = mistakes.len() - warnings;
    if ctx.out.json {
        ctx.out.json(&json!({
            "dir": dir, "ok": errors == 0, "errors": errors, "warnings": warnings, "mistakes": mistakes,
        }));
    } else {
        for mistake in &mistakes {
            ctx.out.line(render_mistake(mistake));
        }
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mark = if errors == 0 { "✓" } else { "✗" };
        ctx.out.note(format!(
            "{mark} {}: {}, {}",
            dir.display(),
            count(errors, "mistake"),
            count(warnings, "warning")
        ));
    }
    let found = errors > 0 || (args.strict && warnings > 0);
    Ok(if found { Exit::Findings } else { Exit::Ok })
}
