//! `stanch preauth key|sign|check`: what approvers agree to in advance, signed by hand.
//!
//! Works on files alone: the private key never goes near the server.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use stanch_core::config::preauthorisation_entries;
use stanch_core::contain::Preauthorisation;

use crate::cli::Ctx;
use crate::exit::Exit;

/// The file, inside the configuration folder.
const FILE: &str = "policies/preauthorisations.yaml";

/// Sign in advance what the machine may do by itself, or check what was signed
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    then: Then,
}

#[derive(clap::Subcommand)]
enum Then {
    /// Make a key of your own, and show the public half for policies/people.yaml
    Key {
        /// Where to keep the private half; never over a file that is there
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show the signature for one entry of policies/preauthorisations.yaml
    Sign {
        /// The entry's name
        name: String,
        /// The file with your private key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The configuration folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        config: PathBuf,
    },
    /// Tell of each entry whether its signature is by this public key
    Check {
        /// The public key, 64 hexadecimal digits
        #[arg(long, value_name = "HEX")]
        public: String,
        /// The configuration folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        config: PathBuf,
    },
}

pub(crate) fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    match &args.then {
        Then::Key { out } => {
            let public = make(out)?;
            ctx.out.line(format!("key: {public}"));
            ctx.out
                .note("put that line under your name in policies/people.yaml, and keep the file to yourself");
            Ok(Exit::Ok)
        }
        Then::Sign { name, key, config } => {
            let entries = entries(config)?;
            let Some(entry) = entries.iter().find(|p| p.name == *name) else {
                bail!("there is no pre-authorisation \"{name}\" in {FILE}");
            };
            let pair = read(key)?;
            let signature = hex(pair.sign(&entry.signed_bytes()).as_ref());
            ctx.out.line(format!("signature: {signature}"));
            let by = &entry.signed_by;
            ctx.out.note(format!(
                "put that line under {name}; it holds while nothing else of it is changed, as {by}'s"
            ));
            Ok(Exit::Ok)
        }
        Then::Check { public, config } => {
            let mut all = true;
            for entry in entries(config)? {
                let holds = entry.signed_with(public);
                all &= holds;
                let word = if holds { "signed" } else { "NOT signed by this key as it stands" };
                let (from, until) = (entry.from, entry.until);
                ctx.out.line(format!("{}  {word}; {from} to {until}, {} a day", entry.name, entry.budget));
            }
            Ok(if all { Exit::Ok } else { Exit::Findings })
        }
    }
}

fn entries(config: &Path) -> Result<Vec<Preauthorisation>> {
    let path = config.join(FILE);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    preauthorisation_entries(FILE, &text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|m| m.render()).collect();
        anyhow!("{}", lines.join("\n"))
    })
}

/// Makes a key, keeps it in a file for its owner alone, and returns the public half.
fn make(out: &Path) -> Result<String> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| anyhow!("this machine gives no random numbers"))?;
    let pair =
        Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|e| anyhow!("the key is not sound: {e}"))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .with_context(|| format!("{} cannot be made", out.display()))?;
    file.write_all(document.as_ref()).and_then(|()| file.sync_all())?;
    Ok(hex(pair.public_key().as_ref()))
}

fn read(key: &Path) -> Result<Ed25519KeyPair> {
    let bytes = std::fs::read(key).with_context(|| format!("{} cannot be read", key.display()))?;
    Ed25519KeyPair::from_pkcs8(&bytes)
        .map_err(|e| anyhow!("{} holds no key made by `stanch preauth key`: {e}", key.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use super::*;

    const TEXT: &str = "preauthorisations:\n  - name: botnets\n    playbooks: [c2]\n    actions: [block_address]\n    from: 2026-01-01T00:00:00Z\n    until: 2026-06-01T00:00:00Z\n    budget: 5\n    signed_by: jon\n";

    #[test]
    fn what_is_signed_here_holds_there_and_no_longer_once_it_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jon.key");
        let public = make(&file).unwrap();
        assert!(make(&file).is_err(), "never over a key that is there");
        std::fs::create_dir(dir.path().join("policies")).unwrap();
        std::fs::write(dir.path().join(FILE), TEXT).unwrap();
        let entry = entries(dir.path()).unwrap().remove(0);
        let signature = hex(read(&file).unwrap().sign(&entry.signed_bytes()).as_ref());
        let write = |text: &str| {
            std::fs::write(dir.path().join(FILE), format!("{text}    signature: {signature}\n")).unwrap();
            entries(dir.path()).unwrap().remove(0).signed_with(&public)
        };
        assert!(write(TEXT));
        assert!(!write(&TEXT.replace("budget: 5", "budget: 6")));
        assert!(!write(&TEXT.replace("jon", "eve")));
    }
}
