//! `stanch playbook rehearse`: a playbook tried out on a world that only pretends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use stanch_model::{IncidentId, Timestamp};
use stanch_server::rehearse::{Alerts, Rehearsal, Report, rehearse};

use crate::cli::{self, Ctx, id};
use crate::cmd::tasks::{pair, values};
use crate::exit::{Exit, Failure};
use crate::find;
use crate::output::{Style, now, safe};

/// Try a playbook on a world that only pretends: every step, every question, every change; then with a
/// crash behind every move, and with each outward step failing in turn
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The playbook
    file: PathBuf,
    /// Begin with the alerts in this file; may be given several times
    #[arg(long, value_name = "FILE")]
    event: Vec<PathBuf>,
    /// Their format: one for all files, or one for each, in their order
    #[arg(long, value_name = "FORMAT", default_value = "suricata")]
    format: Vec<String>,
    /// For the format generic: a file with JSON, { "fields": { "title": "event.name", … } }
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Begin with this incident; needs --data
    #[arg(long, value_name = "INC", value_parser = id::<IncidentId>, requires = "data")]
    incident: Option<String>,
    /// The store that holds the incident
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// An input, as NAME=VALUE; may be given several times
    #[arg(long = "with", value_name = "NAME=VALUE", value_parser = pair)]
    with: Vec<(String, String)>,
    /// The body of a hook's call: a file with JSON
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// What declared calls answer, and what people say and fill in: a file with JSON, by the names of
    /// calls and steps
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let name = args.file.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
    let text = read(&args.file)?;
    let incident = match (&args.incident, &args.data) {
        (Some(incident), Some(data)) => Some((data.clone(), incident.parse::<IncidentId>()?)),
        (None | Some(_), _) => None,
    };
    let alerts = alerts(args)?;
    let inputs = match &args.body {
        Some(file) => {
            serde_json::from_str(&read(file)?).with_context(|| format!("{} is not JSON", file.display()))?
        }
        None => values(&args.with),
    };
    let answers: BTreeMap<String, serde_json::Value> = match &args.answers {
        Some(file) => serde_json::from_str(&read(file)?)
            .with_context(|| format!("{} is not JSON by name", file.display()))?,
        None => BTreeMap::new(),
    };
    let now: Timestamp = now();
    let config_dir = find::config_dir(ctx.globals.config.as_deref());
    let asked = Rehearsal { config_dir, playbook: (name, text), alerts, incident, inputs, answers, now };
    let report =
        rehearse(&asked).map_err(|why| Failure::new(Exit::Failed, why, "mend it, then rehearse again"))?;
    if ctx.out.json {
        ctx.out.json(&serde_json::to_value(&report)?);
    } else {
        show(ctx, &report);
    }
    Ok(if report.sound() { Exit::Ok } else { Exit::Findings })
}

/// The deliveries to begin with.
fn alerts(args: &Args) -> Result<Vec<Alerts>> {
    let (files, formats) = (args.event.len(), args.format.len());
    if formats != 1 && formats != files {
        let message = format!("{files} files with alerts and {formats} formats");
        return Err(cli::usage(message, "give one --format for all files, or one for each --event"));
    }
    let mapping = match &args.mapping {
        Some(file) => Some(
            serde_json::from_str(&read(file)?)
                .with_context(|| format!("{} holds no mapping", file.display()))?,
        ),
        None => None,
    };
    let one = |(file, format): (&PathBuf, &String)| {
        let (format, mapping) = (format.clone(), mapping.clone());
        Ok(Alerts { format, mapping, body: read(file)?.into_bytes() })
    };
    args.event.iter().zip(args.format.iter().cycle()).map(one).collect()
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|e| cli::usage(format!("{}: {e}", file.display()), "name a file that can be read"))
}

fn show(ctx: &Ctx, r: &Report) {
    let paint = ctx.out.paint;
    ctx.out.line(paint.on(Style::Strong, &safe(&format!("{} on a world that only pretends", r.playbook))));
    for l in &r.plan.lines {
        ctx.out.line(safe(&format!("  {:>8}  {:<7} {}", l.after, l.what, l.text)));
    }
    ctx.out.line(safe(&format!("ends {}", r.plan.end)));
    let took = format!("{} commits, {} outward steps", r.plan.commits, r.plan.outward);
    ctx.out.line(safe(&format!("took {took}; left in place: {}", list(&r.plan.left))));
    ctx.out.line(safe(&format!("{} crashes tried; {} changed the end", r.crashes, r.crash_findings.len())));
    for f in &r.crash_findings {
        ctx.out.line(safe(&format!("  ✗ {f}")));
    }
    for f in &r.failures {
        ctx.out.line(safe(&format!("when this fails: {}", f.step)));
        ctx.out.line(safe(&format!("  the run ends {}; left in place: {}", f.end, list(&f.left))));
    }
    for b in r.plan.breaches.iter().chain(r.failures.iter().flat_map(|f| &f.breaches)) {
        ctx.out.line(safe(&format!("  ✗ {b}")));
    }
}

fn list(left: &[String]) -> String {
    if left.is_empty() { "nothing".to_owned() } else { left.join(", ") }
}
