//! Options of a verb: `--name value`, `--flag`, and plain words.
//!
//! Small on purpose: a chore has a handful of options, and the chores must build in seconds.

use std::str::FromStr;

use anyhow::{Result, bail};

/// The options and words of one call.
pub(crate) struct Args {
    rest: Vec<String>,
}

impl Args {
    /// Takes the words after the verb.
    pub(crate) fn new(words: &[String]) -> Args {
        Args { rest: words.to_vec() }
    }

    /// True when `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|w| w != name);
        self.rest.len() != before
    }

    /// The value after `--name`, if it was given.
    pub(crate) fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(at) = self.rest.iter().position(|w| w == name) else { return Ok(None) };
        if at + 1 >= self.rest.len() {
            bail!("{name} needs a value");
        }
        let text = self.rest.remove(at + 1);
        self.rest.remove(at);
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => bail!("{name} {text}: not a value it takes"),
        }
    }

    /// Plain words; an option that nobody asked for is a mistake.
    pub(crate) fn words(self) -> Result<Vec<String>> {
        match self.rest.iter().find(|w| w.starts_with("--")) {
            Some(odd) => bail!("unknown option {odd}"),
            None => Ok(self.rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_values_and_words_are_told_apart() {
        let words = ["intake", "--runs", "5", "--quick", "cold"].map(str::to_owned);
        let mut args = Args::new(&words);
        assert!(args.flag("--quick") && !args.flag("--slow"));
        assert_eq!(args.value::<u32>("--runs").unwrap(), Some(5));
        assert_eq!(args.words().unwrap(), ["intake", "cold"]);
        let mut args = Args::new(&["--runs".to_owned(), "many".to_owned()]);
        assert!(args.value::<u32>("--runs").is_err());
        assert!(Args::new(&["--odd".to_owned()]).words().is_err());
    }
}
