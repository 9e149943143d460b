//! The folder the demonstration lives in, and the server that runs on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use stanch_server::{App, Options, StartError};

use crate::client::{Api, Reach};
use crate::exit::{Exit, Failure};

/// Files of `demo/config`, which is a complete configuration by itself.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../demo/config/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "stanch.yaml",
    "sources/suricata.yaml",
    "connectors/firewall.yaml",
    "connectors/lookups.yaml",
    "connectors/mail.yaml",
    "inventory/assets.csv",
    "playbooks/c2-beacon.yaml",
    "policies/containment.yaml",
    "policies/people.yaml",
    "policies/routing.yaml",
];

/// The responder where nothing real can be changed.
const SIMULATED: &str = "responders:\n  - name: edge-fw\n    type: simulated\n";

/// Who runs the demonstration, as `demo/config/policies/people.yaml` names them.
pub const OPERATOR: &str = "demo-operator";

/// What is only known when the demonstration starts.
pub struct Plan {
    /// The firewall's network namespace; none: a simulated firewall.
    pub netns: Option<String>,
    /// The mail server.
    pub smtp: (String, u16),
    /// Where the network team reads its mail.
    pub noc: String,
    /// How long the block holds.
    pub ttl: Duration,
}

/// A folder that is removed when it is dropped, unless it was asked for.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// A temporary folder that only its owner can read, or `keep`, which must be new or empty.
    ///
    /// # Errors
    /// When it cannot be made, or is not empty.
    pub fn create(keep: Option<&Path>) -> Result<Folder> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        if let Some(path) = keep {
            builder.recursive(true);
            builder.create(path).with_context(|| format!("{} cannot be made", path.display()))?;
            if std::fs::read_dir(path)?.next().is_some() {
                let message = format!("--keep {}: the folder is not empty", path.display());
                return Err(Failure::usage(message, "name a new one").into());
            }
            return Ok(Folder { path: path.to_owned(), keep: true });
        }
        let name = format!("stanch-demo-{}-{}", std::process::id(), random(4)?);
        let path = std::env::temp_dir().join(name);
        builder.create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Folder { path, keep: false })
    }

    /// Where the configuration lies.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join("config")
    }

    /// Where the journal lies.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // At worst a folder of a few megabytes stays in /tmp.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Letters and digits nobody can guess: two for each byte.
fn random(bytes: usize) -> Result<String> {
    let mut raw = vec![0; bytes];
    getrandom::fill(&mut raw).map_err(|e| anyhow::anyhow!("no random bytes: {e}"))?;
    Ok(raw.iter().map(|b| format!("{b:02x}")).collect())
}

/// Exchanges one text for another that must be there.
fn put(text: &str, from: &str, to: &str) -> Result<String> {
    anyhow::ensure!(text.contains(from), "demo/config does not say {from:?} any more");
    Ok(text.replacen(from, to, 1))
}

/// One file as this run needs it.
fn fitted(path: &str, text: &str, plan: &Plan) -> Result<String> {
    let ttl = format!("ttl: {}ms", plan.ttl.as_millis());
    match (path, &plan.netns) {
        ("connectors/firewall.yaml", None) => Ok(SIMULATED.to_owned()),
        ("connectors/firewall.yaml", Some(netns)) => put(text, "stanch-demo-fw", netns),
        ("connectors/mail.yaml", _) => {
            let text = put(text, "host: 127.0.0.1", &format!("host: \"{}\"", plan.smtp.0))?;
            put(&text, "port: 2525", &format!("port: {}", plan.smtp.1))
        }
        ("policies/people.yaml", _) => put(text, "[noc@example.com]", &format!("[\"{}\"]", plan.noc)),
        ("playbooks/c2-beacon.yaml", _) => put(text, "ttl: 8s", &ttl),
        _ => Ok(text.to_owned()),
    }
}

/// The tokens of one run.
struct Tokens {
    source: String,
    operator: String,
}

fn write(folder: &Folder, plan: &Plan) -> Result<Tokens> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let tokens = Tokens { source: random(32)?, operator: random(32)? };
    let config = folder.config();
    for (path, text) in FILES {
        let at = config.join(path);
        if let Some(parent) = at.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&at, fitted(path, text, plan)?)?;
    }
    std::fs::create_dir_all(config.join("secrets"))?;
    for (name, token) in [("suricata", &tokens.source), (OPERATOR, &tokens.operator)] {
        let at = config.join("secrets").join(format!("{name}.token"));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(at)?;
        std::io::Write::write_all(&mut file, token.as_bytes())?;
    }
    std::fs::create_dir_all(folder.data())?;
    Ok(tokens)
}

/// The server of the demonstration: the same as `stanch serve`, on a free port of this machine.
pub struct Stage {
    /// The server.
    pub app: App,
    /// Its API, as the operator of the demonstration.
    pub api: Api,
    /// What the sensor proves itself with.
    pub source_token: String,
}

impl Stage {
    /// Writes the folder and starts the server on it.
    ///
    /// # Errors
    /// When the folder cannot be written, or the server does not start.
    pub async fn build(folder: &Folder, plan: &Plan) -> Result<Stage> {
        let tokens = write(folder, plan)?;
        let mut options = Options::new(folder.config(), folder.data());
        options.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let app = App::start(options).await.map_err(refused)?;
        let api = Api::http(&Reach {
            server: format!("http://{}", app.addr()),
            token: Some(tokens.operator),
            ca: None,
            timeout: Duration::from_secs(30),
        })?;
        Ok(Stage { app, api, source_token: tokens.source })
    }
}

fn refused(error: StartError) -> anyhow::Error {
    let StartError::Configuration(mistakes) = &error else { return error.into() };
    let all: Vec<String> = mistakes.iter().map(stanch_core::config::Mistake::render).collect();
    Failure::new(Exit::BadConfig, format!("demo/config has mistakes:\n{}", all.join("\n")), "").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(netns: Option<&str>) -> Plan {
        Plan {
            netns: netns.map(str::to_owned),
            smtp: ("127.0.0.1".into(), 4025),
            noc: "noc@example.org".into(),
            ttl: Duration::from_secs(3),
        }
    }

    #[test]
    fn the_folder_compiles_as_it_lies_and_as_a_run_needs_it() {
        let yaml = FILES.iter().filter(|(path, _)| path.ends_with(".yaml"));
        let as_it_lies: Vec<(String, String)> =
            yaml.clone().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        let mut all = vec![as_it_lies];
        for plan in [plan(Some("stanch-7-0-fw")), plan(None)] {
            let file = |(p, t): &(&str, &str)| ((*p).to_owned(), fitted(p, t, &plan).expect(p));
            all.push(yaml.clone().map(file).collect());
        }
        for files in all {
            let config = stanch_core::config::compile(&files).unwrap_or_else(|m| {
                panic!("{}", m.iter().map(|m| m.render()).collect::<Vec<_>>().join("\n"))
            });
            assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        }
    }

    #[test]
    fn a_folder_vanishes_unless_it_was_asked_for() {
        let folder = Folder::create(None).expect("a folder");
        let path = folder.path.clone();
        write(&folder, &plan(None)).expect("written");
        assert!(path.join("config/secrets/suricata.token").exists());
        drop(folder);
        assert!(!path.exists());
        let wanted = tempfile::tempdir().expect("a folder");
        let kept = wanted.path().join("kept");
        drop(Folder::create(Some(&kept)).expect("made"));
        assert!(kept.exists());
        std::fs::write(kept.join("x"), "").expect("written");
        assert!(Folder::create(Some(&kept)).is_err());
    }
}
