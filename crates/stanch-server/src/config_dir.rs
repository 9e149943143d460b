//! The configuration folder on disk: read within limits, compiled, and made ready with everything
//! it names: secrets, inventories, feeds, mappings, certificates.
//!
//! [`check`] and a start see the same mistakes, because both take the same road.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stanch_core::Config;
use stanch_core::config::{Mistake, Person, compile};
use stanch_engine::Now;

use crate::certificate::Authorities;
use crate::connect::{self, Connected, Kept};
use crate::identity::book::Book;
use crate::intake::Doors;
use crate::oidc::Provider;
use crate::people::People;
use crate::serve;

/// The largest file that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;
/// Files read of one folder in all.
const FILES: usize = 1_000;
/// Folders that others read, or nobody does.
const FOREIGN: &[&str] = &["inventory", "intel", "warninglists", "secrets"];

/// A folder made ready to run by.
pub(crate) struct Loaded {
    pub(crate) config: Arc<Config>,
    pub(crate) written: Written,
    pub(crate) people: People,
    pub(crate) provider: Option<Arc<Provider>>,
    pub(crate) doors: Doors,
    pub(crate) connected: Connected,
    pub(crate) tls: Option<rustls::ServerConfig>,
    pub(crate) clients: Authorities,
    pub(crate) warnings: Vec<Mistake>,
}

impl Loaded {
    /// Adds those who only have an account.
    pub(crate) fn enlist(&mut self, book: &Book) {
        let config = Config { people: self.written.everybody(book), ..(*self.config).clone() };
        self.people = self.people.regranted(&config);
        self.config = Arc::new(config);
    }
}

/// People and teams as the folder says.
pub(crate) struct Written {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) teams: BTreeSet<String>,
}

impl Written {
    /// Everybody in force: those of the folder, and those who only have an account.
    pub(crate) fn everybody(&self, book: &Book) -> BTreeMap<String, Person> {
        let mut people = self.people.clone();
        book.enlist(&mut people, &self.teams);
        people
    }
}

/// All mistakes and warnings of a folder, in order of file and line. Changes nothing and reaches
/// nobody.
#[must_use]
pub fn check(dir: &Path) -> Vec<Mistake> {
    check_for(dir, None)
}

/// The same for the folder of a tenant, whose certificate has to be for its host name.
pub(crate) fn check_for(dir: &Path, tenant: Option<String>) -> Vec<Mistake> {
    match load(dir, &crate::app::system_clock(), &Kept { tenant, ..Kept::default() }) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes,
    }
}

/// Makes a folder ready to run by. Blocks while files are read.
///
/// # Errors
/// All mistakes and warnings, when at least one is no warning.
pub(crate) fn load(dir: &Path, now: &Now, kept: &Kept) -> Result<Loaded, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let files = read(dir, &mut mistakes);
    let config = match compile(&files) {
        Ok(config) => Arc::new(config),
        Err(more) => {
            mistakes.extend(more);
            mistakes.sort();
            return Err(mistakes);
        }
    };
    let teams = config.teams.keys().cloned().collect();
    let written = Written { people: config.people.clone(), teams };
    mistakes.extend(config.warnings.iter().cloned());
    let (people, more) = People::read(dir, &config);
    mistakes.extend(more);
    let provider = config.provider.as_ref().and_then(|p| match Provider::new(dir, p) {
        Ok(provider) => Some(Arc::new(provider)),
        Err(mistake) => {
            mistakes.push(mistake);
            None
        }
    });
    let (doors, more) = Doors::open(dir, &config);
    mistakes.extend(more);
    let (connected, more) = connect::connect(dir, &config, now, kept);
    mistakes.extend(more);
    let (tls, clients) = listener(dir, &config, kept.tenant.as_deref(), &mut mistakes);
    mistakes.sort();
    mistakes.dedup();
    if mistakes.iter().any(|m| !m.warning) {
        return Err(mistakes);
    }
    Ok(Loaded { config, written, people, provider, doors, connected, tls, clients, warnings: mistakes })
}

/// The listener's certificate, and whose certificates it takes.
fn listener(
    dir: &Path,
    config: &Config,
    tenant: Option<&str>,
    mistakes: &mut Vec<Mistake>,
) -> (Option<rustls::ServerConfig>, Authorities) {
    let Some(files) = &config.server.tls else { return (None, Authorities::default()) };
    let clients = files.clients.as_ref().map(|c| Authorities::read(dir, c)).transpose();
    let made = clients.and_then(|clients| {
        let clients = clients.unwrap_or_default();
        Ok((Some(serve::tls(dir, files, &clients)?), clients))
    });
    if let (Ok(_), Some(tenant)) = (&made, tenant)
        && let Err(why) = serve::is_for(dir, files, tenant)
    {
        let mend = "name a certificate whose subjectAltName holds that name, or a pattern that covers it";
        mistakes.push(Mistake::error("stanch.yaml", (0, 0), format!("tls: {why}"), mend));
    }
    made.unwrap_or_else(|why| {
        let mend = "name PEM files that stanch can read";
        mistakes.push(Mistake::error("stanch.yaml", (0, 0), format!("tls: {why}"), mend));
        (None, Authorities::default())
    })
}

/// A folder compiled and nothing else; none when it has mistakes.
#[must_use]
pub fn compiled(dir: &Path) -> Option<Arc<Config>> {
    compile(&read(dir, &mut Vec::new())).ok().map(Arc::new)
}

/// The texts of a folder, as (path relative to it, text).
///
/// # Errors
/// What cannot be read.
pub(crate) fn texts(dir: &Path) -> Result<Vec<(String, String)>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let files = read(dir, &mut mistakes);
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

/// The texts of a folder as (path relative to it, text).
fn read(dir: &Path, mistakes: &mut Vec<Mistake>) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let root = match dir.canonicalize() {
        Ok(root) if root.is_dir() => root,
        Ok(_) => {
            mistakes.push(Mistake::error(
                "",
                (0, 0),
                "the configuration is not a folder",
                "name the folder, not a file in it",
            ));
            return files;
        }
        Err(e) => {
            let message = format!("the configuration folder cannot be read: {e}");
            mistakes.push(Mistake::error("", (0, 0), message, "make one with: stanch init DIR"));
            return files;
        }
    };
    walk(&root, &root, 0, &mut files, mistakes);
    files
}

fn walk(
    root: &Path,
    at: &Path,
    depth: usize,
    files: &mut Vec<(String, String)>,
    mistakes: &mut Vec<Mistake>,
) {
    let mut entries: Vec<PathBuf> = match std::fs::read_dir(at) {
        Ok(entries) => entries.flatten().map(|e| e.path()).collect(),
        Err(e) => return mistakes.push(unreadable(root, at, &e)),
    };
    entries.sort();
    for entry in entries {
        let name = entry.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || (depth == 0 && FOREIGN.contains(&name.as_str())) || name.ends_with(".md")
        {
            continue;
        }
        let path = relative(root, &entry);
        match entry.canonicalize() {
            Err(e) => mistakes.push(unreadable(root, &entry, &e)),
            Ok(real) if !real.starts_with(root) => {
                let message = "the link leads out of the configuration folder";
                mistakes.push(Mistake::error(&path, (0, 0), message, "put the file itself there"));
            }
            // One level more than anything of ours lies, so that what is too deep is reported.
            Ok(real) if real.is_dir() && depth < 2 => walk(root, &entry, depth + 1, files, mistakes),
            Ok(real) if real.is_dir() => {}
            Ok(_) if files.len() >= FILES => {
                let message = format!("the folder holds more than {FILES} files; the rest is not read");
                return mistakes.push(Mistake::error(
                    &path,
                    (0, 0),
                    message,
                    "move what is not ours elsewhere",
                ));
            }
            Ok(real) => match text(&real) {
                Ok(text) => files.push((path, text)),
                Err(why) => mistakes.push(Mistake::error(&path, (0, 0), why, "")),
            },
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn unreadable(root: &Path, path: &Path, e: &std::io::Error) -> Mistake {
    Mistake::error(&relative(root, path), (0, 0), format!("cannot be read: {e}"), "let stanch read it")
}

/// A text file within the limit.
fn text(path: &Path) -> Result<String, String> {
    let bytes = bytes(path, FILE_LIMIT)?;
    String::from_utf8(bytes).map_err(|e| format!("byte {} is not UTF-8", e.utf8_error().valid_up_to()))
}

/// A file within a limit: regular files only, so that nothing waits for a pipe.
pub(crate) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let meta = std::fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?;
    if !meta.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > limit { Err(format!("is larger than {limit} bytes")) } else { Ok(bytes) }
}

#[cfg(test)]
#[path = "config_dir_tests.rs"]
mod tests;
