//! Servers that tests start for themselves: on private ports and folders, and gone with the test.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::responder::run;

/// A server process. It dies with the thread that started it, also when that is killed.
#[derive(Debug)]
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts `argv`, program first, which must stay in the foreground.
    pub(crate) fn start(argv: &[&str]) -> Daemon {
        let setpriv = run::find("setpriv").expect("util-linux");
        let mut command = Command::new(setpriv);
        run::clean_env(&mut command);
        command.args(["--pdeathsig", "KILL"]).args(argv);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Daemon(command.spawn().expect("started"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// Waits until something listens there; false when nothing does within 10 s.
pub(crate) fn listens(at: SocketAddr) -> bool {
    within(Duration::from_secs(10), || TcpStream::connect_timeout(&at, Duration::from_millis(200)).is_ok())
}

/// Waits until it is so.
pub(crate) fn within(long: Duration, mut so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !so() {
        if start.elapsed() > long {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Runs a program of the system to its end and returns what it printed.
pub(crate) fn tool(program: &str, args: &[&str], input: &str) -> Result<String, String> {
    let path = run::find(program).ok_or_else(|| format!("no program `{program}`"))?;
    let mut command = Command::new(path);
    run::clean_env(&mut command);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    child.stdin.take().expect("piped").write_all(input.as_bytes()).map_err(|e| e.to_string())?;
    let done = child.wait_with_output().map_err(|e| e.to_string())?;
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    match done.status.success() {
        true => Ok(out),
        false => Err(format!("{program} {args:?}: {out}{}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// Whether all these programs are here. If not, the test skips and says so loudly; with
/// STANCH_REQUIRE_LAB=1 it fails instead.
pub(crate) fn have(needs: &[(&str, &str)]) -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let missing: Vec<&str> =
        needs.iter().filter(|(p, _)| run::find(p).is_none()).map(|(_, package)| *package).collect();
    let why = match (root, missing.is_empty()) {
        (true, true) => return true,
        (_, false) => format!("run: apt-get install {}", missing.join(" ")),
        (false, true) => "this lab needs root".to_owned(),
    };
    assert!(std::env::var("STANCH_REQUIRE_LAB").as_deref() != Ok("1"), "no lab here: {why}");
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED, no lab here: {why} ***\n");
    false
}
