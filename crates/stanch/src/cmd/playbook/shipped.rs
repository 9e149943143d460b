//! `stanch playbook shipped` and `add`: the ten runbooks that are in the program.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::json;
use stanch_core::config::mistake::suggest;
use stanch_core::playbook::load::load;
use stanch_core::playbook::{Playbook, StepKind};

use crate::cli::Ctx;
use crate::exit::{Exit, Failure};
use crate::output::{Cell, Style, Table, render_mistake};
use crate::{find, local};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Names and texts, in order of their names.
        const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../../playbooks/", $name, ".yaml")))),*];
    };
}
shipped!(
    "brute-force",
    "c2-beacon",
    "ddos",
    "device-change",
    "dns-tunnel",
    "exfiltration",
    "identity",
    "lateral-movement",
    "ransomware",
    "rogue-device",
);

/// List the ten runbooks that come with the program, and the changes each asks for
#[derive(clap::Args)]
pub(crate) struct List {}

/// Write runbooks that come with the program into the configuration folder
///
/// A file that is there already stays as it is. Says afterwards what the folder still lacks for them: a device
/// for a kind of change, somebody who may approve. They run after `stanch reload`, as far as their route allows.
#[derive(clap::Args)]
pub(crate) struct Add {
    /// Which; see `stanch playbook shipped`
    #[arg(required_unless_present = "all", value_name = "NAME")]
    names: Vec<String>,
    /// All ten
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Only say what would be written
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn list(_: &List, ctx: &Ctx) -> Result<Exit> {
    let config = find::config_dir(ctx.globals.config.as_deref());
    let there = |name: &str| config.as_ref().is_some_and(|dir| file(dir, name).exists());
    let mut table = Table::new(&["name", "there", "what it is for", "changes it asks for"]);
    let mut rows = Vec::new();
    for (name, text) in SHIPPED {
        let playbook = read(name, text)?;
        let changes: Vec<&str> = changes(&playbook).into_iter().collect();
        table.row(vec![
            Cell::new(*name).styled(Style::Strong),
            Cell::new(if there(name) { "yes" } else { "" }),
            Cell::new(&playbook.summary),
            Cell::new(changes.join(" ")),
        ]);
        rows.push(json!({
            "name": name, "there": there(name), "summary": playbook.summary, "changes": changes,
            "attack": playbook.attack,
        }));
    }
    if ctx.out.json {
        ctx.out.json(&json!({ "playbooks": rows }));
    } else {
        ctx.out.table(&table);
        ctx.out.note("add one with `stanch playbook add NAME`, all with `stanch playbook add --all`");
    }
    Ok(Exit::Ok)
}

pub(crate) fn add(args: &Add, ctx: &Ctx) -> Result<Exit> {
    let dir = find::needed_config_dir(ctx.globals.config.as_deref())?;
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    for (name, text) in chosen(args)? {
        let path = file(&dir, name);
        if path.exists() {
            kept.push(name);
        } else {
            if !args.dry_run {
                put(&path, text)?;
            }
            written.push(name);
        }
    }
    let mut lacks = local::check(&dir);
    lacks.retain(|m| written.iter().any(|name| m.file == format!("playbooks/{name}.yaml")));
    if ctx.out.json {
        ctx.out.json(&json!({
            "dir": dir, "written": written, "kept": kept, "dry_run": args.dry_run, "mistakes": lacks,
        }));
        return Ok(Exit::Ok);
    }
    let verb = if args.dry_run { "would be written" } else { "written" };
    written.iter().for_each(|name| ctx.out.line(format!("{} {verb}", file(&dir, name).display())));
    kept.iter().for_each(|name| ctx.out.line(format!("{} stays as it is", file(&dir, name).display())));
    if !lacks.is_empty() {
        ctx.out.note("\nWhat the folder lacks for them; until then these steps go to a person:");
        lacks.iter().for_each(|m| ctx.out.line(render_mistake(m)));
    }
    if !args.dry_run && !written.is_empty() {
        ctx.out.note("\nA running server takes them over with `stanch reload`.");
    }
    Ok(Exit::Ok)
}

/// The named ones, each once.
fn chosen(args: &Add) -> Result<Vec<(&'static str, &'static str)>> {
    if args.all {
        return Ok(SHIPPED.to_vec());
    }
    let wanted: BTreeSet<&str> = args.names.iter().map(String::as_str).collect();
    let find = |name: &str| {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).copied().ok_or_else(|| {
            let mend = suggest(name, "playbooks", SHIPPED.iter().map(|(name, _)| *name));
            Failure::new(Exit::NotFound, format!("no playbook \"{name}\" comes with the program"), mend)
                .into()
        })
    };
    wanted.into_iter().map(find).collect()
}

fn file(config: &std::path::Path, name: &str) -> std::path::PathBuf {
    config.join("playbooks").join(format!("{name}.yaml"))
}

/// Never over a file that appeared meanwhile.
fn put(path: &std::path::Path, text: &str) -> Result<()> {
    let said = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(said)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).with_context(said)?;
    file.write_all(text.as_bytes()).with_context(said)
}

fn read(name: &str, text: &str) -> Result<Playbook> {
    load(name, name, text).map_err(|mistakes| {
        let first = mistakes.first().map(stanch_core::config::Mistake::render).unwrap_or_default();
        anyhow::anyhow!("the shipped playbook {name} is not sound: {first}")
    })
}

/// The kinds of change it may ask for.
fn changes(playbook: &Playbook) -> BTreeSet<&'static str> {
    let of = |step: &&stanch_core::playbook::Step| match &step.kind {
        StepKind::Act(act) => Some(act.change.name()),
        _ => None,
    };
    playbook.all_steps().iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_what_the_folder_of_playbooks_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks");
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("playbooks/")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, shipped);
        for (name, text) in SHIPPED {
            assert!(!changes(&read(name, text).expect("sound")).is_empty(), "{name}");
        }
    }
}
