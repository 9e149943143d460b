//! CACAO 2.0: security playbooks as the open standard writes them, in and out.
//!
//! In: [`import`] checks a document, turns its graph of steps into a plan of ours, and writes it as
//! YAML for people to read, bind and check. Nothing imported ever starts by itself: it is a playbook
//! that must be called, its calls must be declared by an operator, its shell commands become tasks
//! for people, and its inline secrets are refused. Out: [`export`] writes a plan as a CACAO document
//! that validates against the official schemas; what the standard cannot say travels in an
//! extension of ours, so that our own import gives back the same plan.
//!
//! Source: OASIS CACAO Security Playbooks 2.0, Committee Specification 01, 27 November 2023, and
//! the JSON schemas of oasis-open/cacao-json-schemas.

mod check;
mod command;
mod condition;
mod document;
mod export;
mod graph;
mod import;
mod sign;
mod write;

use std::fmt;

pub use condition::Condition;
pub use export::{Stamp, export};
pub use import::{Binding, Imported, import};
pub use sign::{Reading, SignError, Signature, verify};

/// Something to say about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// True when the document is refused because of it.
    pub refused: bool,
    /// Where, as a JSON pointer: `/workflow/action--…/on_completion`. Empty for the whole document.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.refused { "error" } else { "warning" };
        let place = if self.place.is_empty() { "/" } else { &self.place };
        write!(f, "{place}: {kind}: {}\n  mend: {}", self.message, self.help)
    }
}

/// All there is to say, in the order it was found.
#[derive(Clone, Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn refuse(&mut self, place: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.say(true, place.into(), message.into(), help.into());
    }

    fn warn(&mut self, place: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.say(false, place.into(), message.into(), help.into());
    }

    fn say(&mut self, refused: bool, place: String, message: String, help: String) {
        let finding = Finding { refused, place, message, help };
        // Two ways can lead to the same place.
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn refused(&self) -> bool {
        self.0.iter().any(|f| f.refused)
    }
}

/// Text of others, short enough to repeat in a message, without control characters.
fn short(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    clean.trim().to_owned()
}

/// A name as ours are: lower case, digits and dashes, at most 48 characters, never empty.
fn slug(text: &str, otherwise: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
        if out.len() == 48 {
            break;
        }
    }
    let out = out.trim_end_matches('-').to_owned();
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{otherwise}{}{out}", if out.is_empty() { "" } else { "-" })
    } else {
        out
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
