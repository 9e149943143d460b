//! `stanch replay`: what would have been different by other rules.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget};
use stanch_model::{Span, Timestamp};
use stanch_server::replay::{Change, Difference, Gate, Overlay, ReplayError, Summary, what_if};

use crate::cli::Ctx;
use crate::exit::Exit;
use crate::output::{Cell, Style, Table, render_mistake, safe};
use crate::{find, local};

/// Replay recorded history with a change and say what would have been different; with --fail-on it
/// ends with 3 when that is, for use before a merge
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder [default: .stanch in the configuration folder]
    #[arg(long, env = "STANCH_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The change: a folder laid over the configuration, or PLACE=FILE for one file, for example
    /// policies/routing.yaml=new.yaml; may be given several times
    #[arg(long = "with", value_name = "CHANGE", required = true)]
    with: Vec<String>,
    /// Look only at incidents since then: a duration back from now such as 7d, or a time such as
    /// 2026-01-31T00:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// End with 3 when one of these differs
    #[arg(long = "fail-on", value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// An incident is lost
    Lost,
    /// An incident is gained
    Gained,
    /// An incident is joined, split or treated otherwise
    Changed,
    /// Somebody is woken more often
    Pages,
    /// A change to the outside world differs
    Containment,
    /// Any of these
    Any,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let config = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let data = find::data_dir(args.data.as_deref(), &config);
    let overlays = args.with.iter().map(|w| overlay(w)).collect::<Result<Vec<_>>>()?;
    let since = match &args.since {
        None => Timestamp(i64::MIN),
        Some(text) => since(text)?,
    };
    let bar = spinner(ctx);
    let done = what_if(&data, &config, &overlays, since, &mut |which, entry| {
        bar.set_message(format!("replaying, {which}: entry {entry}"));
    });
    bar.finish_and_clear();
    let difference = match done {
        Ok(difference) => difference,
        Err(ReplayError::Config { which, mistakes }) => {
            for mistake in mistakes {
                ctx.out.say(&render_mistake(&local::shown(mistake)));
            }
            ctx.out.say(&format!("✗ {which} cannot be used"));
            return Ok(Exit::BadConfig);
        }
        Err(e) => return Err(e.into()),
    };
    let stopped = difference.stopped_by(gate(&args.fail_on));
    if ctx.out.json {
        let mut json = serde_json::to_value(&difference)?;
        json["stopped_by"] = serde_json::to_value(&stopped)?;
        json["same"] = difference.is_none().into();
        ctx.out.json(&json);
    } else {
        show(&difference, ctx);
        for why in &stopped {
            ctx.out.say(&format!("✗ {why}"));
        }
    }
    Ok(if stopped.is_empty() { Exit::Ok } else { Exit::Findings })
}

/// On a terminal, how far it is.
fn spinner(ctx: &Ctx) -> ProgressBar {
    let hidden = ctx.out.json || ctx.out.quiet || !ctx.out.tty;
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

fn overlay(with: &str) -> Result<Overlay> {
    let overlay = match with.split_once('=') {
        Some((place, file)) => Overlay { place: Some(place.to_owned()), from: file.into() },
        None => Overlay { place: None, from: with.into() },
    };
    anyhow::ensure!(
        overlay.from.exists() && (overlay.place.is_some() || overlay.from.is_dir()),
        "{}: there is no such {}; name a folder, or PLACE=FILE",
        overlay.from.display(),
        if overlay.place.is_some() { "file" } else { "folder" }
    );
    Ok(overlay)
}

fn since(text: &str) -> Result<Timestamp> {
    if let Ok(span) = text.parse::<Span>() {
        return Ok(crate::output::now().plus(Span(-span.0)));
    }
    Timestamp::parse(text).with_context(|| format!("--since {text}: write 7d, or 2026-01-31T00:00:00Z"))
}

fn gate(on: &[FailOn]) -> Gate {
    let has = |what| on.contains(&what) || on.contains(&FailOn::Any);
    Gate {
        lost: has(FailOn::Lost),
        gained: has(FailOn::Gained),
        changed: has(FailOn::Changed),
        pages: has(FailOn::Pages),
        containment: has(FailOn::Containment),
    }
}

/// A row of the summary: its name and where its number is.
type Row = (&'static str, fn(&Summary) -> u64);

fn show(d: &Difference, ctx: &Ctx) {
    let mut table = Table::new(&["", "in force", "changed"]);
    let rows: [Row; 9] = [
        ("records", |s| s.records),
        ("alerts", |s| s.alerts),
        ("suppressed", |s| s.suppressed),
        ("quarantined", |s| s.quarantined),
        ("incidents", |s| s.incidents),
        ("pages", |s| s.pages),
        ("notices", |s| s.notices),
        ("questions", |s| s.questions),
        ("changes without a question", |s| s.unasked_changes),
    ];
    for (name, of) in rows {
        let (before, after) = (of(&d.before), of(&d.after));
        let style = if before == after { Style::Faint } else { Style::Strong };
        table.row(vec![Cell::new(name), Cell::number(before), Cell::number(after).styled(style)]);
    }
    ctx.out.table(&table);
    for (what, changes) in [
        ("lost", &d.lost),
        ("gained", &d.gained),
        ("joined", &d.merged),
        ("split", &d.split),
        ("treated otherwise", &d.changed),
    ] {
        list(what, changes, ctx);
    }
    for (to, (before, after)) in &d.pages {
        ctx.out.line(safe(&format!("woken      {to}: {before} → {after} times")));
    }
    for (sign, wishes) in [("-", &d.wishes_lost), ("+", &d.wishes_gained)] {
        for wish in wishes {
            let asked = if wish.asked { " (a person is asked)" } else { "" };
            ctx.out.line(safe(&format!("change {sign}   {}{asked}", wish.what)));
        }
    }
    match d.minutes_saved {
        _ if d.is_none() => ctx.out.note("✓ nothing would have been different"),
        Some(minutes) => ctx.out.note(format!("people's time saved: {minutes} min")),
        None => ctx.out.note("people's time saved: not known, no incident here was ever resolved"),
    }
    if d.after.unanswered > 0 {
        let n = d.after.unanswered;
        ctx.out.note(format!("{n} look-ups were not made at the time and have no answer here"));
    }
}

fn list(what: &str, changes: &[Change], ctx: &Ctx) {
    for c in changes {
        let names = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join("+") };
        ctx.out.line(safe(&format!(
            "{what:<10} {} → {}  {}  ({} alerts){}",
            names(&c.before),
            names(&c.after),
            c.title,
            c.alerts,
            if c.what.contains(':') { format!("  {}", c.what) } else { String::new() }
        )));
    }
}
