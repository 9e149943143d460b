//! Runs one outside program: fixed arguments, no shell, a clean environment, a deadline, a size limit.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The most bytes a program may answer with. Ten thousand set elements take 683 kB as JSON.
/// Source: measured with nft 1.0.6.
const ANSWER_LIMIT: u64 = 64 * 1024 * 1024;

/// Where programs of the system are looked for, in this order; never in `PATH`.
const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The absolute path of a program of the system.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| PathBuf::from(place).join(program)).find(|path| path.is_file())
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub(crate) struct Done {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) out: Vec<u8>,
    /// Its standard error as one trimmed text.
    pub(crate) err: String,
}

/// Why a program gave no result.
#[derive(Debug)]
pub(crate) enum RunError {
    /// It could not be started: certain that nothing was done.
    NotStarted(String),
    /// It was started, and what it did is not known.
    Lost(String),
}

/// Starts a program in a clean environment, so that nothing of ours leaks into it and its messages
/// are in English.
pub(crate) fn clean_env(command: &mut std::process::Command) {
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
}

/// Runs `argv` to its end, feeding `input` to it. The program is killed at the deadline, and also
/// when the returned future is dropped.
pub(crate) async fn run(argv: &[OsString], input: &[u8], deadline: Duration) -> Result<Done, RunError> {
    start(argv, input, deadline, ANSWER_LIMIT, true).await
}

/// The same with no environment at all, in the root folder, and with a limit on what it may answer:
/// more is an outcome that is not known.
pub(crate) async fn run_bare(
    argv: &[OsString],
    input: &[u8],
    deadline: Duration,
    limit: u64,
) -> Result<Done, RunError> {
    let done = start(argv, input, deadline, limit + 1, false).await?;
    match done.out.len() as u64 > limit {
        true => Err(RunError::Lost(format!("the program answered with more than {limit} bytes"))),
        false => Ok(done),
    }
}

async fn start(
    argv: &[OsString],
    input: &[u8],
    deadline: Duration,
    limit: u64,
    usual: bool,
) -> Result<Done, RunError> {
    let Some((program, args)) = argv.split_first() else {
        return Err(RunError::NotStarted("no program given".to_owned()));
    };
    let mut command = std::process::Command::new(program);
    if usual {
        clean_env(&mut command);
    } else {
        command.env_clear().current_dir("/");
    }
    let mut command = Command::from(command);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|e| RunError::NotStarted(format!("{} could not be started: {e}", shown(program))))?;

    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut pipe) = stdin {
            // A program that ends without reading everything says why in its exit code.
            let _ = pipe.write_all(input).await;
        }
    };
    let all = async {
        let (_, out, err, status) =
            tokio::join!(feed, drain(stdout, limit), drain(stderr, limit), child.wait());
        (out, err, status)
    };
    let finished = tokio::time::timeout(deadline, all).await;
    let Ok((out, err, status)) = finished else {
        let _ = child.start_kill();
        return Err(RunError::Lost(format!(
            "{} gave no answer within {} ms and was killed",
            shown(program),
            deadline.as_millis()
        )));
    };
    let status = status.map_err(|e| RunError::Lost(format!("{} was lost: {e}", shown(program))))?;
    let err = String::from_utf8_lossy(&err).split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Done { code: status.code(), out, err })
}

async fn drain(pipe: Option<impl tokio::io::AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(pipe) = pipe {
        // A pipe that breaks shows in the exit code; what came before it is still worth reading.
        let _ = pipe.take(limit).read_to_end(&mut all).await;
    }
    all
}

fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(parts: &[&str]) -> Vec<OsString> {
        parts.iter().map(OsString::from).collect()
    }

    #[tokio::test]
    async fn a_program_gets_its_input_and_only_a_clean_environment() {
        let cat = find("cat").expect("coreutils");
        let done = run(&argv(&[cat.to_str().expect("utf-8")]), b"hello", Duration::from_secs(5)).await;
        assert_eq!(done.expect("runs").out, b"hello");
        let env = find("env").expect("coreutils");
        let done = run(&argv(&[env.to_str().expect("utf-8")]), b"", Duration::from_secs(5)).await;
        let out = String::from_utf8(done.expect("runs").out).expect("utf-8");
        assert_eq!(out.lines().count(), 2, "{out}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_and_its_outcome_is_not_guessed() {
        let sleep = find("sleep").expect("coreutils");
        let lost = run(&argv(&[sleep.to_str().expect("utf-8"), "60"]), b"", Duration::from_millis(50)).await;
        assert!(matches!(lost, Err(RunError::Lost(_))));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_certainly_did_nothing() {
        let missing = run(&argv(&["/nonexistent/program"]), b"", Duration::from_secs(1)).await;
        assert!(matches!(missing, Err(RunError::NotStarted(_))));
    }
}
