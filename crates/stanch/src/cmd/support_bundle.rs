//! `stanch support-bundle`: what somebody who mends Stanch needs to see, and nothing of what it is about.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};
use stanch_server::support::{SupportBundle, SupportPart, of_folder};

use super::doctor;
use crate::cli::{Ctx, Store};
use crate::client::{Route, view};
use crate::exit::{Exit, Failure};
use crate::find;
use crate::output::{Cell, Style, Table, now};

/// Show what a support bundle would hold; write it with --out or --yes
///
/// The bundle is one JSON file of versions, sizes, counts, times and the structure of the configuration. Names,
/// texts, addresses and secrets are never in it: each is a placeholder. Without --out and --yes nothing is
/// written; every part and every field that would go in is listed with its size.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write it into this new file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it into a new file in this folder, named after the time
    #[arg(long)]
    yes: bool,
    /// Do not recompute the chain of the journal, which takes as long as reading it
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    store: Store,
}

/// One part, as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
    bytes: usize,
    fields: Vec<Field>,
}

/// One field of a part. Entries of lists, and what stands under placeholders, are counted together.
#[derive(Serialize)]
struct Field {
    field: String,
    values: usize,
    bytes: usize,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let mut bundle = gather(args, ctx).await?;
    let findings = doctor::look(args.store.data.as_ref(), ctx).await;
    bundle.parts.push(doctors(&findings));
    let bytes = serde_json::to_vec_pretty(&bundle)?;
    let listed = bundle.parts.iter().map(list).collect::<Result<Vec<_>>>()?;
    let file = args.out.clone().or_else(|| args.yes.then(|| PathBuf::from(name())));
    if let Some(file) = &file {
        write(file, &bytes)?;
    }
    if ctx.out.json {
        ctx.out.json(&json!({ "written": file, "bytes": bytes.len(), "parts": listed }));
        return Ok(Exit::Ok);
    }
    show(ctx, &listed);
    match &file {
        Some(file) => ctx.out.note(format!(
            "written: {} bytes in {}; read it before you send it to anybody",
            bytes.len(),
            file.display()
        )),
        None => ctx.out.note(format!("nothing was written; --out FILE writes these {} bytes", bytes.len())),
    }
    Ok(Exit::Ok)
}

async fn gather(args: &Args, ctx: &Ctx) -> Result<SupportBundle> {
    let Some(data) = &args.store.data else {
        let route = Route::new(&["support-bundle"]).with("verify", args.no_verify.then_some(false));
        return view(ctx.server()?.get(&route).await?);
    };
    let config = find::config_dir(ctx.globals.config.as_deref());
    of_folder(data, config.as_deref(), !args.no_verify, now()).map_err(|e| {
        let message = format!("the store in {} cannot be read: {e}", data.display());
        Failure::new(Exit::Failed, message, "run `stanch doctor`").into()
    })
}

/// What `stanch doctor` says, without its words: they name files and hosts.
fn doctors(findings: &[doctor::Finding]) -> SupportPart {
    let all: Vec<Value> = findings.iter().map(|f| json!({ "name": f.name, "state": f.state })).collect();
    SupportPart {
        name: "doctor".to_owned(),
        about: "how each thing stands that `stanch doctor` looks at, without its words".to_owned(),
        content: json!({ "client": env!("CARGO_PKG_VERSION"), "findings": all }),
    }
}

fn name() -> String {
    let at: String = now().to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    format!("stanch-support-{at}.json")
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut made = made.map_err(|e| {
        let message = format!("{} cannot be made: {e}", file.display());
        Failure::new(Exit::Failed, message, "name a file that is not there yet")
    })?;
    made.write_all(bytes)
        .and_then(|()| made.sync_all())
        .with_context(|| format!("{} cannot be written", file.display()))
}

fn list(part: &SupportPart) -> Result<Listed> {
    let mut fields = BTreeMap::new();
    walk(&part.content, String::new(), &mut fields);
    let fields = fields.into_iter().map(|(field, (values, bytes))| Field { field, values, bytes }).collect();
    let bytes = serde_json::to_vec_pretty(&part.content)?.len();
    Ok(Listed { name: part.name.clone(), about: part.about.clone(), bytes, fields })
}

fn walk(value: &Value, path: String, fields: &mut BTreeMap<String, (usize, usize)>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| walk(v, format!("{path}[]"), fields)),
        Value::Object(all) => {
            for (key, value) in all {
                let key = if key.starts_with('<') { "<text>" } else { key };
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, format!("{path}{dot}{key}"), fields);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let entry = fields.entry(path).or_insert((0, 0));
            *entry = (entry.0 + 1, entry.1 + value.to_string().len());
        }
    }
}

fn show(ctx: &Ctx, listed: &[Listed]) {
    let mut table = Table::new(&["part", "field", "values", "bytes"]);
    for part in listed {
        let (empty, bytes) = (|| Cell::new(""), part.bytes.to_string());
        let about = Cell::new(&part.about).styled(Style::Faint);
        table.row(vec![Cell::new(&part.name).styled(Style::Strong), about, empty(), Cell::new(bytes)]);
        for f in &part.fields {
            let (values, bytes) = (Cell::new(f.values.to_string()), Cell::new(f.bytes.to_string()));
            table.row(vec![empty(), Cell::new(&f.field), values, bytes]);
        }
    }
    ctx.out.table(&table);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_listed_once_with_how_many_values_it_has() {
        let content = json!({ "files": [{ "name": "<text 1>", "n": 1 }, { "name": "<text 2>" }], "<text 3>": { "a": null } });
        let part = SupportPart { name: "p".into(), about: "a".into(), content };
        let Ok(listed) = list(&part) else { panic!("it cannot be listed") };
        let short: Vec<_> = listed.fields.iter().map(|f| (f.field.as_str(), f.values, f.bytes)).collect();
        assert_eq!(short, [("<text>.a", 1, 4), ("files[].n", 1, 1), ("files[].name", 2, 20)]);
    }
}
