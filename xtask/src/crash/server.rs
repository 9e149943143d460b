//! One life of a server: started, found listening, ended.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Death, Target};

/// How long a server may take to listen, recovery and strace included.
const START: Duration = Duration::from_secs(60);

/// Why calls cannot be intercepted here, if they cannot.
pub(crate) fn missing() -> Option<String> {
    let found = Command::new("strace").arg("--version").output();
    found.is_err().then(|| "strace is not installed: apt-get install strace".to_owned())
}

/// A running server; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

/// How a start ended.
pub(crate) enum Start {
    Listening(Server),
    /// It was killed on its way, as planned.
    Killed,
}

/// Starts a server on a data directory. With [`Death::At`] it runs under strace and may die any time.
pub(crate) fn start(target: &Target, config: &Path, data: &Path, death: Option<Death>) -> Result<Start> {
    let mut command = match death {
        Some(Death::At { call, when }) => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qqq", "--seccomp-bpf", "-o", "/dev/null", "-e"]);
            strace
                .arg(format!("trace={call}"))
                .arg("-e")
                .arg(format!("inject={call}:signal=KILL:when={when}"));
            strace.arg(&target.binary);
            strace
        }
        _ => Command::new(&target.binary),
    };
    if target.reader.is_none() {
        command.arg(super::CONTROL_SERVER).arg(data);
    } else {
        command.arg("serve").arg("--config").arg(config).arg("--data").arg(data);
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let log = std::fs::OpenOptions::new().create(true).append(true).open(config.with_extension("log"))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
    let mut child =
        command.spawn().with_context(|| format!("{} cannot be started", target.binary.display()))?;
    let out = child.stdout.take().context("no output")?;
    let mut server = Server { child, address: String::new() };
    match first_line(out)? {
        Some(line) => {
            let address = line.split("http://").nth(1).map(|a| a.trim().trim_end_matches('/').to_owned());
            server.address = address.with_context(|| format!("it said {line:?}, not where it listens"))?;
            Ok(Start::Listening(server))
        }
        None if matches!(death, Some(Death::At { .. })) => {
            server.wait(Duration::from_secs(5))?;
            Ok(Start::Killed)
        }
        None => {
            bail!("it ended before it listened; its words are in {}", config.with_extension("log").display())
        }
    }
}

/// The first line it prints, or nothing when it ends before; the rest is read and thrown away.
fn first_line(out: std::process::ChildStdout) -> Result<Option<String>> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(out).lines();
        tell.send(lines.next().and_then(Result::ok)).ok();
        lines.for_each(drop);
    });
    told.recv_timeout(START).context("it does not listen after a minute")
}

impl Server {
    /// True once it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Kills it at once, with all that runs under the same strace.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.wait(Duration::from_secs(10))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        self.wait(Duration::from_secs(30))
    }

    fn signal(&self, name: &str) -> Result<()> {
        // The child leads a group of its own, so this reaches nothing that we did not start.
        let group = format!("-{}", self.child.id());
        let told =
            Command::new("kill").args([&format!("-{name}"), "--", &group]).stderr(Stdio::null()).status();
        told.map(drop).context("kill cannot be run")
    }

    fn wait(&mut self, at_most: Duration) -> Result<()> {
        let began = Instant::now();
        while !self.ended() {
            if began.elapsed() > at_most {
                bail!("it does not end within {} s", at_most.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.ended() {
            self.kill().ok();
        }
    }
}
