//! One program as declared: an absolute path, fixed arguments, no shell, an empty environment.
//!
//! It gets one JSON object on its input and answers with one on its output:
//!
//! ```text
//! in   {"verb": "perform", "key": "stanch:ACT-4", "incident": "INC-1", "ttl_seconds": 600, "inputs": {"host": "ws-12"}}
//! out  {"state": "present", "expires_in_seconds": 590}      or "absent", or "different" with "what"
//! in   {"verb": "ask", "key": "RUN-2/step", "inputs": {"host": "ws-12"}}
//! out  any JSON
//! ```
//!
//! Exit codes: 0 done; 64 or 65 the order is wrong, nothing done; 75 try later, nothing done; 77 not
//! allowed, nothing done; anything else, a signal, silence or too much output: unknown.
//! Source: sysexits(3) for the numbers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stanch_model::{Action, Failure, Observed, Span};

use super::Verb;
use super::template::{self, InputType, Values};
use crate::responder::run::{self, RunError};

/// The most a program may answer, in bytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;
/// Programs that run whatever they are told: never declared by themselves. A script of your own is
/// declared by its own path.
const INTERPRETERS: [&str; 26] = [
    "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "busybox", "env", "sudo", "su", "doas",
    "xargs", "nohup", "setsid", "awk", "gawk", "mawk", "perl", "ruby", "php", "node", "lua", "tclsh",
];

/// A program as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its arguments; places are written `{input}`, and each stays one argument.
    pub args: Vec<String>,
    /// SHA-256 of the file in hexadecimal; with it nothing else is ever run. Default: not looked at.
    pub sha256: Option<String>,
    /// False until an operator enables it: then it is refused.
    pub enabled: bool,
    /// How long it may take. Default 10 s.
    pub timeout: Duration,
}

impl Program {
    /// All that is wrong with it; runs nothing.
    pub(super) fn mistakes(&self, inputs: &BTreeMap<String, InputType>) -> Vec<String> {
        let mut mistakes = Vec::new();
        let shown = self.path.display();
        if !self.path.is_absolute() || self.path.components().any(|c| c.as_os_str() == "..") {
            mistakes.push(format!("{shown} is not an absolute path"));
        }
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if INTERPRETERS.contains(&name.as_str()) || name.starts_with("python") {
            mistakes.push(format!("{shown} runs whatever it is told; declare a program of its own instead"));
        }
        for arg in &self.args {
            match template::names(arg) {
                Err(why) => mistakes.push(why),
                Ok(all) => {
                    let own = |n: &&&str| !inputs.contains_key(**n) && !["key", "ttl_seconds"].contains(*n);
                    mistakes
                        .extend(all.iter().find(|n| own(n)).map(|n| format!("nothing is called {{{n}}}")));
                }
            }
        }
        if self.sha256.as_ref().is_some_and(|s| s.len() != 64 || !s.bytes().all(|b| b.is_ascii_hexdigit())) {
            mistakes.push("sha256: must be 64 hexadecimal digits".to_owned());
        }
        mistakes
    }

    /// Makes, looks at, or takes back a change.
    pub(super) async fn act(
        &self,
        verb: Verb,
        action: &Action,
        inputs: &BTreeMap<String, String>,
        values: &Values<'_>,
    ) -> Result<Observed, Failure> {
        let ttl: i64 = super::seconds(action.ttl).parse().unwrap_or(1);
        let order = json!({ "verb": verb.word(), "key": action.tag(), "incident": action.incident.to_string(),
            "ttl_seconds": ttl, "inputs": inputs });
        let changes = verb != Verb::Verify;
        let answer = self.run(&order, values, changes).await?;
        observed(&answer).map_err(|why| if changes { Failure::unknown(why) } else { Failure::permanent(why) })
    }

    /// Asks something.
    pub(super) async fn ask(
        &self,
        key: &str,
        inputs: &BTreeMap<String, String>,
        values: &Values<'_>,
    ) -> Result<Value, Failure> {
        self.run(&json!({ "verb": "ask", "key": key, "inputs": inputs }), values, false).await
    }

    async fn run(&self, order: &Value, values: &Values<'_>, changes: bool) -> Result<Value, Failure> {
        let shown = self.path.display();
        if !self.enabled {
            return Err(Failure::permanent(format!(
                "{shown} is declared but not enabled; write `enabled: true`"
            )));
        }
        self.is_the_one()?;
        let mut argv: Vec<OsString> = vec![self.path.clone().into()];
        for arg in &self.args {
            argv.push(template::argument(arg, values).map_err(Failure::permanent)?.into());
        }
        let input = format!("{order}\n");
        let done = match run::run_bare(&argv, input.as_bytes(), self.timeout, ANSWER_LIMIT).await {
            Ok(done) => done,
            Err(RunError::NotStarted(why)) => return Err(Failure::permanent(why)),
            Err(RunError::Lost(why)) if changes => return Err(Failure::unknown(why)),
            Err(RunError::Lost(why)) => return Err(Failure::transient(why)),
        };
        let said: String = done.err.chars().filter(|c| !c.is_control()).take(200).collect();
        let why = match done.code {
            Some(code) => format!("{shown} ended with {code}: {said}"),
            None => format!("{shown} was ended by a signal"),
        };
        match done.code {
            Some(0) => serde_json::from_slice(&done.out).map_err(|e| {
                let why = format!("{shown} did not answer with JSON: {e}");
                if changes { Failure::unknown(why) } else { Failure::permanent(why) }
            }),
            Some(64 | 65) => Err(Failure::permanent(why)),
            Some(75) => Err(Failure::transient(why)),
            Some(77) => Err(Failure::Unauthorised { why }),
            Some(_) | None if changes => Err(Failure::unknown(why)),
            Some(_) | None => Err(Failure::transient(why)),
        }
    }

    /// Refuses a file that somebody else may change, or that is not the one declared.
    fn is_the_one(&self) -> Result<(), Failure> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let shown = self.path.display();
        let meta = std::fs::metadata(&self.path)
            .map_err(|e| Failure::permanent(format!("{shown} cannot be read: {e}")))?;
        if !meta.is_file() || meta.mode() & 0o111 == 0 {
            return Err(Failure::permanent(format!("{shown} is not a program")));
        }
        if meta.permissions().mode() & 0o022 != 0 {
            return Err(Failure::permanent(format!("others may write to {shown}; run: chmod go-w {shown}")));
        }
        let Some(wanted) = &self.sha256 else { return Ok(()) };
        let bytes = std::fs::read(&self.path)
            .map_err(|e| Failure::permanent(format!("{shown} cannot be read: {e}")))?;
        let found: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        if found.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        Err(Failure::permanent(format!("{shown} is not the file that was declared: its SHA-256 is {found}")))
    }
}

fn observed(answer: &Value) -> Result<Observed, String> {
    let expires_in = answer["expires_in_seconds"].as_i64().filter(|s| *s >= 0).map(Span::secs);
    match answer["state"].as_str() {
        Some("present") => Ok(Observed::Present { expires_in }),
        Some("absent") => Ok(Observed::Absent),
        Some("different") => {
            let what = answer["what"].as_str().unwrap_or("it is not as asked for").chars();
            Ok(Observed::Different { what: what.filter(|c| !c.is_control()).take(200).collect() })
        }
        _ => Err("the answer has no `state` of present, absent or different".to_owned()),
    }
}
