//! What we can look up about an observable, and how we ask everyone at once.
//!
//! References ([`assets`], [`intel`], [`warninglists`]) are files read into memory: they answer in
//! microseconds and cannot fail. [`http_lookup`] asks a service of the operator's. [`schedule`] asks
//! all of them at the same time and waits for none longer than it must.
//!
//! Nothing here judges: a fact says what is known and by whom, the guard and triage decide.

pub mod assets;
pub mod http_lookup;
pub mod intel;
pub mod schedule;
pub mod warninglists;

mod index;

use std::fmt;

pub use assets::{Asset, Assets};
pub(crate) use http_lookup::install_crypto;
pub use http_lookup::{HttpLookup, HttpLookupConfig, Secret};
pub use intel::{Intel, IntelSet};
pub use schedule::{Answer, Health, Limits, Local, Schedule};
pub use warninglists::Warninglists;

/// Something in a file that cannot be used as it stands, for the person who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file, as it was named to the loader.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// From 1, in characters; 0 when the whole line is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it; empty when the message says it all.
    pub help: String,
}

impl fmt::Display for Mistake {
    /// `assets.csv:3:7: "10.0.0.300" is no address (write 10.0.0.30 or 10.0.0.0/24)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        write!(f, ": {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}

/// Mistakes of one file, in the order found. Keeps the first [`Mistakes::KEEP`] and counts the rest.
#[derive(Debug)]
pub(crate) struct Mistakes {
    file: String,
    list: Vec<Mistake>,
    more: usize,
}

impl Mistakes {
    /// More than a person reads; a million-line feed of the wrong kind must not fill the memory.
    const KEEP: usize = 1_000;

    pub(crate) fn new(file: &str) -> Mistakes {
        Mistakes { file: file.to_owned(), list: Vec::new(), more: 0 }
    }

    pub(crate) fn add(
        &mut self,
        (line, column): (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.list.len() >= Mistakes::KEEP {
            self.more += 1;
            return;
        }
        let (file, message, help) = (self.file.clone(), message.into(), help.into());
        self.list.push(Mistake { file, line, column, message, help });
    }

    /// True when nothing more is kept, so that finding out where a mistake stands is not worth it.
    pub(crate) fn full(&self) -> bool {
        self.list.len() >= Mistakes::KEEP
    }

    pub(crate) fn done(mut self) -> Vec<Mistake> {
        if self.more > 0 {
            let message = format!("{} more mistakes are not listed", self.more);
            self.list.push(Mistake { file: self.file, line: 0, column: 0, message, help: String::new() });
        }
        self.list
    }
}

/// A text of unknown origin, short enough for a message: the first 80 characters, controls removed.
pub(crate) fn brief(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if text.chars().count() > 80 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_reads_like_a_compiler_message() {
        let mut found = Mistakes::new("assets.csv");
        found.add((3, 7), "\"10.0.0.300\" is no address", "write 10.0.0.30");
        found.add((0, 0), "the file is empty", "");
        let shown: Vec<String> = found.done().iter().map(Mistake::to_string).collect();
        assert_eq!(
            shown,
            [
                "assets.csv:3:7: \"10.0.0.300\" is no address (write 10.0.0.30)",
                "assets.csv: the file is empty"
            ]
        );
    }

    #[test]
    fn endless_mistakes_are_counted_and_not_kept() {
        let mut found = Mistakes::new("feed.txt");
        for line in 1..=5_000 {
            found.add((line, 0), "no", "");
        }
        let found = found.done();
        assert_eq!(found.len(), 1_001);
        assert_eq!(found[1_000].message, "4000 more mistakes are not listed");
    }
}
