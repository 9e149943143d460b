//! A configuration folder and a server of one test's own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command left behind.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {} {}", self.out, self.err))
    }

    /// Checks the exit code and hands the answer on.
    pub(crate) fn ends(self, code: i32) -> Said {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

/// A folder with a configuration, and a server on it once started.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    server: Option<(Child, BufReader<ChildStdout>, String)>,
}

impl Site {
    /// A fresh configuration, not served yet.
    pub(crate) fn new() -> Site {
        let site = Site { dir: tempfile::tempdir().unwrap(), server: None };
        site.run(&["init", "stanch"]).ends(0);
        site
    }

    /// A fresh configuration and a server on it.
    pub(crate) fn served() -> Site {
        let mut site = Site::new();
        site.serve();
        site
    }

    /// The configuration folder.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("stanch")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STANCH_")) {
            command.env_remove(name);
        }
        match &self.server {
            Some((_, _, url)) => command.env("STANCH_SERVER", url),
            // Nobody listens on port 1.
            None => command.env("STANCH_SERVER", "http://127.0.0.1:1"),
        };
        command
    }

    /// Starts the server; the first line tells where it is.
    pub(crate) fn serve(&mut self) {
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--quiet"]).env("STANCH_LOG", "off");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("first line: {line:?}"));
        self.server = Some((child, out, url.to_owned()));
    }

    /// Starts the server with everything it can log going to a file; gives its address and port.
    pub(crate) fn serve_logged(&mut self, log: &std::path::Path) -> String {
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("STANCH_LOG", "debug");
        let log = std::fs::File::create(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("first line: {line:?}"));
        self.server = Some((child, out, url.to_owned()));
        url.strip_prefix("http://").unwrap().to_owned()
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().unwrap().0.id()
    }

    /// Waits until the server has ended.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.server.take().unwrap().0.wait().unwrap()
    }

    /// Stops the server in order and gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let (mut child, _, _) = self.server.take().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        child.wait().unwrap().code()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.finish(self.command().args(args))
    }

    pub(crate) fn finish(&self, command: &mut Command) -> Said {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command with something coming through the pipe.
    pub(crate) fn pipe(&self, args: &[&str], input: &[u8]) -> Said {
        let mut command = self.command();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing closes the pipe: its answer tells why.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command with `--json` that must succeed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        self.run(&all).ends(0).json()
    }

    /// Asks again until the answer is as wanted.
    pub(crate) fn until(&self, args: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.json(args);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{args:?} still says {answer}");
        }
    }

    /// Sends an intrusion and waits until a block is proposed for it.
    pub(crate) fn under_attack() -> Site {
        let site = Site::served();
        site.pipe(&["ingest", "-", "--source", "suricata"], intrusion().as_bytes()).ends(0);
        site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
        site
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some((child, _, _)) = &mut self.server {
            // Gone already is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Suricata alerts of a machine that is scanned, taken over, and calls out. Addresses for documentation.
pub(crate) fn intrusion() -> String {
    let alert = |n: usize, src: &str, dst: &str, sid: u32, name: &str, category: &str, severity: u8| {
        format!(
            "{{\"timestamp\":\"2026-03-03T22:{:02}:{:02}.000000+0000\",\"event_type\":\"alert\",\"src_ip\":\"{src}\",\
             \"src_port\":4{n:04},\"dest_ip\":\"{dst}\",\"dest_port\":443,\"proto\":\"TCP\",\"alert\":{{\"action\":\
             \"allowed\",\"gid\":1,\"signature_id\":{sid},\"rev\":1,\"signature\":\"{name}\",\"category\":\
             \"{category}\",\"severity\":{severity}}}}}\n",
            n / 60,
            n % 60
        )
    };
    let mut text = String::new();
    for n in 0..20 {
        text += &alert(
            n,
            "198.51.100.4",
            "192.0.2.7",
            2_001_219,
            "ET SCAN Potential SSH Scan",
            "Attempted Information Leak",
            2,
        );
    }
    for n in 20..40 {
        let name = "ET MALWARE Cobalt Strike Beacon Observed";
        text += &alert(
            n,
            "192.0.2.7",
            "198.51.100.4",
            2_033_658,
            name,
            "Malware Command and Control Activity Detected",
            1,
        );
    }
    text
}
