//! How the program ends: the exit code and, when something failed, what and how to mend it.

use std::fmt;

use stanch_server::api::v1::types::MistakeView;

/// The exit code, documented in `stanch --help` and in the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Ok,
    /// 1: failed.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: a check found something.
    Findings,
    /// 4: not authenticated, or not allowed.
    Forbidden,
    /// 5: there is no such thing.
    NotFound,
    /// 6: refused by policy, or still waiting for an approval.
    Refused,
    /// 7: it took too long.
    TimedOut,
    /// 8: the server cannot be reached.
    Unreachable,
    /// 78: the configuration cannot be used (`EX_CONFIG` of sysexits).
    BadConfig,
}

/// What `stanch --help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done                              5  there is no such thing
  1  failed                            6  refused by policy, or waiting for an approval
  2  the command line is wrong         7  timed out
  3  a check found something           8  the server cannot be reached
  4  not authenticated, or forbidden   78 the configuration cannot be used

Data goes to stdout, messages to stderr. On a terminal lists are tables, otherwise they are
tab-separated with one line of headings; --json prints what the API answers.";

impl Exit {
    /// The number the shell sees.
    #[must_use]
    pub(crate) const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Findings => 3,
            Exit::Forbidden => 4,
            Exit::NotFound => 5,
            Exit::Refused => 6,
            Exit::TimedOut => 7,
            Exit::Unreachable => 8,
            Exit::BadConfig => 78,
        }
    }

    /// What an HTTP status means to a script.
    #[must_use]
    pub(crate) const fn of_status(status: u16) -> Exit {
        match status {
            200..=299 => Exit::Ok,
            400 | 405 | 413 | 414 | 415 | 422 => Exit::Usage,
            401 | 403 => Exit::Forbidden,
            404 | 410 => Exit::NotFound,
            409 | 412 | 423 => Exit::Refused,
            408 | 504 => Exit::TimedOut,
            _ => Exit::Failed,
        }
    }
}

/// Something that failed, with how to mend it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// The server's code for it, for example `ST0404`.
    pub(crate) code: Option<String>,
    /// What went wrong.
    pub(crate) message: String,
    /// How to mend it; may be empty.
    pub(crate) mend: String,
    /// All mistakes, when a configuration was refused.
    pub(crate) mistakes: Vec<MistakeView>,
}

impl Failure {
    /// A failure without a code of the server's.
    pub(crate) fn new(exit: Exit, message: impl Into<String>, mend: impl Into<String>) -> Failure {
        Failure { exit, code: None, message: message.into(), mend: mend.into(), mistakes: Vec::new() }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>, mend: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message, mend)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        let all = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::Findings,
            Exit::Forbidden,
            Exit::NotFound,
            Exit::Refused,
            Exit::TimedOut,
            Exit::Unreachable,
            Exit::BadConfig,
        ];
        for exit in all {
            assert!(HELP.contains(&format!(" {} ", exit.code())), "{exit:?}");
        }
    }
}
