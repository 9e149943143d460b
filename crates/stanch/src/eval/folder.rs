//! What a folder of captures holds: found by the shape of names and first lines, never by known names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// How deep captures are looked for below the folder given.
const DEPTH: usize = 3;
const ALERTS: [&str; 2] = ["_alerts.csv.gz", "_alerts.csv"];
const EVE: [&str; 2] = [".eve.json.gz", ".eve.json"];

/// One capture: its name and file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Capture {
    /// The file's name without its ending: the scenario, or the site.
    pub(crate) name: String,
    /// Where.
    pub(crate) path: PathBuf,
}

/// Everything found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// `SCENARIO_alerts.csv.gz`: labelled alerts.
    pub(crate) alerts: Vec<Capture>,
    /// `SITE.eve.json.gz`: Suricata alerts, one file a site.
    pub(crate) eve: Vec<Capture>,
    /// `attack_stages.json`: stages of signatures.
    pub(crate) stages: Vec<PathBuf>,
    /// `assets.json`: inventories.
    pub(crate) assets: Vec<PathBuf>,
    /// Audit trails of a service desk (`number,incident_state,…`).
    pub(crate) itsm: Vec<PathBuf>,
    /// A folder of `NAME/list.json`.
    pub(crate) warninglists: Option<PathBuf>,
    /// Indicators with a verdict: `kev`-like or feed files are not needed; the folder given itself.
    pub(crate) root: PathBuf,
}

/// Looks through a folder.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn look(root: &Path) -> Result<Found> {
    let mut found = Found { root: root.to_owned(), ..Found::default() };
    walk(root, DEPTH, &mut found).with_context(|| format!("{} cannot be read", root.display()))?;
    found.alerts.sort();
    found.eve.sort();
    found.stages.sort();
    found.assets.sort();
    found.itsm.sort();
    Ok(found)
}

fn walk(dir: &Path, depth: usize, found: &mut Found) -> Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if path.join("list.json").is_file() {
                found.warninglists.get_or_insert_with(|| dir.to_owned());
            } else if depth > 0 {
                walk(&path, depth - 1, found)?;
            }
        } else {
            sort_in(path, found)?;
        }
    }
    Ok(())
}

fn sort_in(path: PathBuf, found: &mut Found) -> Result<()> {
    let Some(name) = path.file_name().and_then(|n| n.to_str()).map(str::to_owned) else { return Ok(()) };
    let cut = |ends: &[&str]| ends.iter().find_map(|e| name.strip_suffix(e)).map(str::to_owned);
    if let Some(name) = cut(&ALERTS) {
        found.alerts.push(Capture { name, path });
    } else if let Some(name) = cut(&EVE) {
        found.eve.push(Capture { name, path });
    } else if name == "attack_stages.json" {
        found.stages.push(path);
    } else if name == "assets.json" {
        found.assets.push(path);
    } else if name == "list.json" {
        found
            .warninglists
            .get_or_insert_with(|| path.parent().and_then(Path::parent).unwrap_or(&path).to_owned());
    } else if (name.ends_with(".csv") || name.ends_with(".csv.gz"))
        && first_line(&path)?.starts_with("number,incident_state")
    {
        found.itsm.push(path);
    }
    Ok(())
}

fn first_line(path: &Path) -> Result<String> {
    use std::io::{BufRead, Read};
    let mut line = Vec::new();
    let mut reader = std::io::BufReader::new(open(path)?.take(4_096));
    reader.read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}').to_owned())
}

/// Opens a file, unpacking it when its name says gzip.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(path: &Path) -> Result<Box<dyn std::io::Read>> {
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let file = std::io::BufReader::new(file);
    Ok(if path.extension().is_some_and(|e| e == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_found_by_shape_at_any_of_three_levels() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("a/acme_alerts.csv", "time,name,ip,host,short,time_label,event_label\n");
        write("b/branch.eve.json", "");
        write("b/attack_stages.json", "{}");
        write("c/trail.csv", "number,incident_state,active\n");
        write("c/other.csv", "a,b\n");
        write("w/lists/rfc1918/list.json", "{}");
        let found = look(dir.path()).expect("readable");
        assert_eq!(found.alerts[0].name, "acme");
        assert_eq!(found.eve[0].name, "branch");
        assert_eq!((found.stages.len(), found.itsm.len()), (1, 1));
        assert_eq!(found.warninglists, Some(dir.path().join("w/lists")));
    }
}
