//! From a folder of texts to one [`Config`], or to all of its mistakes at once.
//!
//! Definitions are read before what refers to them: connectors, people, routing, containment,
//! playbooks. A file that could not be read at all makes the names it would define unknown, and
//! references to them are then not judged, so that one mistake does not look like many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::common::Known;
use super::mistake::nearest;
use super::people::People;
use super::routing::Routing;
use super::yaml::{self, NAME_HELP, Node, is_name};
use super::{
    Config, ConnectorsConfig, ContainmentPolicy, Mistake, ServerConfig, SilenceRule, SourceConfig,
    TriagePolicy, assistant, check, connectors, containment, people, policy, preauthorisations, routing,
    server, sources,
};
use crate::playbook::Playbook;
use crate::stage::sigma::{self, Correlation};

/// The files that stand alone.
const SINGLE: &[&str] = &[
    "stanch.yaml",
    "policies/people.yaml",
    "policies/triage.yaml",
    "policies/silences.yaml",
    "policies/routing.yaml",
    "policies/containment.yaml",
    "policies/preauthorisations.yaml",
    "policies/assistant.yaml",
];
/// Folders in which every `NAME.yaml` is read.
const FOLDERS: &[&str] = &["sources", "connectors", "playbooks", "correlations"];
/// Folders that others read.
const FOREIGN: &[&str] = &["inventory", "intel", "warninglists", "secrets"];

/// Compiles a folder. `files` are (path relative to the folder, text), in any order; the same
/// files give the same result.
///
/// # Errors
/// All mistakes and warnings, sorted by file, line and column, when at least one is no warning.
pub fn compile(files: &[(String, String)]) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let folder = Folder::sort(files, &mut mistakes);
    let config = folder.config(&mut mistakes);
    mistakes.sort();
    mistakes.dedup();
    if mistakes.iter().any(|m| !m.warning) {
        return Err(mistakes);
    }
    Ok(Config { warnings: mistakes, ..config })
}

/// The files that are ours, by path.
struct Folder<'a> {
    files: BTreeMap<&'a str, &'a str>,
}

impl<'a> Folder<'a> {
    /// Keeps what is ours; what is neither ours nor known to be somebody else's is a mistake.
    fn sort(files: &'a [(String, String)], mistakes: &mut Vec<Mistake>) -> Folder<'a> {
        let mut kept = BTreeMap::new();
        for (path, text) in files {
            let path = path.strip_prefix("./").unwrap_or(path);
            match place(path) {
                Ok(false) => {}
                Ok(true) => {
                    if kept.insert(path, text.as_str()).is_some() {
                        mistakes.push(Mistake::error(
                            path,
                            (0, 0),
                            "the file was given twice",
                            "give it once",
                        ));
                    }
                }
                Err((message, help)) => mistakes.push(Mistake::error(path, (0, 0), message, help)),
            }
        }
        Folder { files: kept }
    }

    /// The files of one folder as (name, path, text), in order of their names.
    fn within(&self, folder: &str) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.files.iter().filter_map(move |(path, text)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".yaml")?;
            Some((name, *path, *text))
        })
    }

    /// One file that stands alone: `Ok(None)` when it is not there, `Err` when it is unreadable.
    fn single(&self, path: &str, mistakes: &mut Vec<Mistake>) -> Result<Option<Node>, ()> {
        match self.files.get(path) {
            None => Ok(None),
            Some(text) => yaml::parse(path, text, mistakes).map(Some).ok_or(()),
        }
    }

    /// Reads everything. Where something is wrong the value has a gap, but then the caller sees
    /// the mistakes and not the value.
    fn config(&self, m: &mut Vec<Mistake>) -> Config {
        let (connectors, responders, notifiers) = self.connectors(m);
        let (people, teams) = self.people(&connectors, &notifiers, m);
        let sources = self.sources(m);
        let routing = self.routing(&teams, m);
        let containment = match self.single("policies/containment.yaml", m) {
            Ok(Some(root)) => containment::read(&root, &responders, &teams, m),
            _ => ContainmentPolicy::default(),
        };
        let preauthorisations = match self.single("policies/preauthorisations.yaml", m) {
            Ok(Some(root)) => preauthorisations::read(&root, &people.people, m),
            _ => Vec::new(),
        };
        let anyone = people.anyone || teams.is_none();
        let server = match self.single("stanch.yaml", m) {
            Ok(Some(root)) => server::read(&root, anyone, m),
            _ => ServerConfig::default(),
        };
        let config = Config {
            server,
            sources,
            connectors,
            people: people.people,
            programs: people.programs,
            provider: people.provider,
            teams: people.teams,
            triage: self.triage(m),
            silences: self.silences(m),
            routes: routing.root,
            escalations: routing.escalations,
            containment,
            preauthorisations,
            assistant: self.assistant(m),
            playbooks: self.playbooks(m),
            correlations: self.correlations(m),
            hash: self.hash(),
            warnings: Vec::new(),
        };
        check::certificates(&config, m);
        check::playbooks(&config, &teams, m);
        config
    }

    fn connectors(&self, m: &mut Vec<Mistake>) -> (ConnectorsConfig, Known, Known) {
        let mut config = ConnectorsConfig::default();
        let mut taken = connectors::Taken::default();
        let mut whole = true;
        for (_, path, text) in self.within("connectors") {
            match yaml::parse(path, text, m) {
                Some(root) => connectors::read(&root, &mut config, &mut taken, m),
                None => whole = false,
            }
        }
        let known = |kind| whole.then(|| taken.names(kind).cloned().collect::<BTreeSet<_>>());
        let (responders, notifiers) = (known("responder"), known("notifier"));
        (config, responders, notifiers)
    }

    fn people(
        &self,
        connectors: &ConnectorsConfig,
        notifiers: &Known,
        m: &mut Vec<Mistake>,
    ) -> (People, Known) {
        match self.single("policies/people.yaml", m) {
            Ok(Some(root)) => {
                let people = people::read(&root, connectors, notifiers, m);
                let names = people.team_names.clone();
                (people, Some(names))
            }
            Ok(None) => (People::default(), Some(BTreeSet::new())),
            Err(()) => (People::default(), None),
        }
    }

    fn sources(&self, m: &mut Vec<Mistake>) -> BTreeMap<String, SourceConfig> {
        let mut sources = BTreeMap::new();
        for (name, path, text) in self.within("sources") {
            let read = yaml::parse(path, text, m).and_then(|root| sources::read(name, &root, m));
            sources.extend(read.map(|source| (name.to_owned(), source)));
        }
        sources
    }

    fn routing(&self, teams: &Known, m: &mut Vec<Mistake>) -> Routing {
        match self.single("policies/routing.yaml", m) {
            Ok(Some(root)) => routing::read(&root, teams, m),
            Ok(None) => {
                let help = "add `route: { team: TEAM }`; `stanch init` writes a whole folder to begin with";
                let message = "the file is missing, so nobody would answer for any alert";
                m.push(Mistake::error("policies/routing.yaml", (0, 0), message, help));
                Routing::default()
            }
            Err(()) => Routing::default(),
        }
    }

    fn triage(&self, m: &mut Vec<Mistake>) -> TriagePolicy {
        match self.single("policies/triage.yaml", m) {
            Ok(Some(root)) => policy::triage(&root, m),
            _ => TriagePolicy::default(),
        }
    }

    fn assistant(&self, m: &mut Vec<Mistake>) -> Option<assistant::AssistantConfig> {
        let root = self.single("policies/assistant.yaml", m).ok()??;
        assistant::read(&root, m)
    }

    fn silences(&self, m: &mut Vec<Mistake>) -> Vec<SilenceRule> {
        match self.single("policies/silences.yaml", m) {
            Ok(Some(root)) => policy::silences(&root, m),
            _ => Vec::new(),
        }
    }

    fn playbooks(&self, m: &mut Vec<Mistake>) -> Vec<Arc<Playbook>> {
        let mut playbooks = Vec::new();
        for (name, path, text) in self.within("playbooks") {
            match crate::playbook::load::load(name, path, text) {
                Ok(playbook) => playbooks.push(Arc::new(playbook)),
                Err(more) => m.extend(more),
            }
        }
        playbooks
    }

    fn correlations(&self, m: &mut Vec<Mistake>) -> Vec<Correlation> {
        let read = |(name, path, text)| sigma::read::read(name, &yaml::parse(path, text, m)?, m);
        let all: Vec<Correlation> = self.within("correlations").filter_map(read).collect();
        sigma::read::check(&all, m);
        all
    }

    /// Lengths stand before paths and texts, so that no two folders run together.
    fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, text) in &self.files {
            for part in [path, text] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// True when a file is ours, false when it is somebody else's, or why it is neither.
fn place(path: &str) -> Result<bool, (String, String)> {
    let parts: Vec<&str> = path.split('/').collect();
    let foreign = parts.len() > 1 && FOREIGN.contains(&parts[0]);
    if foreign || path.ends_with(".md") || parts.iter().any(|p| p.starts_with('.')) {
        return Ok(false);
    }
    if SINGLE.contains(&path) {
        return Ok(true);
    }
    let [folder, file] = parts[..] else { return Err(stranger(path, parts[0], parts.len())) };
    if !FOLDERS.contains(&folder) {
        return Err(stranger(path, folder, 2));
    }
    let Some(name) = file.strip_suffix(".yaml") else {
        let stem = file.split('.').next().unwrap_or_default();
        let help = format!("name it {folder}/{stem}.yaml, or move it elsewhere");
        return Err((format!("files in {folder}/ end with .yaml"), help));
    };
    if !is_name(name) {
        return Err((format!("\"{name}\" is not a name"), format!("rename the file: {NAME_HELP}")));
    }
    Ok(true)
}

/// A file that belongs nowhere.
fn stranger(path: &str, folder: &str, depth: usize) -> (String, String) {
    let folders: Vec<&str> = FOLDERS.iter().chain(["policies"].iter()).chain(FOREIGN).copied().collect();
    let all = folders.join("/, ");
    if depth > 1 && !folders.contains(&folder) {
        let help = match nearest(folder, &folders) {
            Some(near) => format!("did you mean {near}/? known folders: {all}/"),
            None => format!("move it elsewhere; known folders: {all}/"),
        };
        return (format!("unknown folder {folder}/"), help);
    }
    if depth > 2 {
        return ("folders in folders are not read".to_owned(), format!("move the file up, into {folder}/"));
    }
    let help = match nearest(path, SINGLE) {
        Some(near) => format!("did you mean {near}? known files: {}", SINGLE.join(", ")),
        None => format!("move it elsewhere; known files: {}", SINGLE.join(", ")),
    };
    ("unknown file".to_owned(), help)
}
