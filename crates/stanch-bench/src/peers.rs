//! The programs under measurement, started fresh and ended for sure.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::load::{Door, Wire};
use crate::proc;

/// The longest a program may take to be ready.
const START: Duration = Duration::from_secs(120);

/// A running program.
pub(crate) struct Running {
    child: Child,
    pub(crate) door: Door,
    /// From its start to the first good answer of its readiness page.
    pub(crate) ready_after: Duration,
}

impl Running {
    /// A process that has just been started.
    pub(crate) fn new(child: Child, door: Door) -> Running {
        Running { child, door, ready_after: Duration::ZERO }
    }

    /// Seconds of CPU used so far.
    pub(crate) fn cpu(&self) -> Result<f64> {
        proc::cpu(self.child.id())
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Bytes in memory now.
    pub(crate) fn rss(&self) -> Result<u64> {
        proc::rss(self.child.id())
    }

    /// The most bytes that were in memory at once.
    pub(crate) fn peak(&self) -> Result<u64> {
        proc::peak(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// For data directories: on the disk that is measured, and not in memory as a temporary directory may be.
pub(crate) fn work() -> Result<PathBuf> {
    let dir = crate::report::history().join("work");
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Stanch: a program, a configuration folder and a data directory.
pub(crate) struct Stanch {
    binary: PathBuf,
    pub(crate) dir: tempfile::TempDir,
}

impl Stanch {
    /// Writes the configuration that comes with the product into a new directory.
    pub(crate) fn new(binary: &Path) -> Result<Stanch> {
        Stanch::in_dir(binary, tempfile::tempdir()?)
    }

    /// The same, in a directory that is there.
    pub(crate) fn in_dir(binary: &Path, dir: tempfile::TempDir) -> Result<Stanch> {
        let out = Command::new(binary).arg("init").arg(dir.path().join("config")).output();
        let out = out.with_context(|| format!("{} cannot be run", binary.display()))?;
        if !out.status.success() {
            bail!("init: {}", String::from_utf8_lossy(&out.stderr));
        }
        // What one caller may ask a second is a matter of policy, and not what is measured.
        let mut server =
            std::fs::OpenOptions::new().append(true).open(dir.path().join("config/stanch.yaml"))?;
        server.write_all(b"\nrequests_per_second: 1000000\n")?;
        Ok(Stanch { binary: binary.to_owned(), dir })
    }

    /// A token of the configuration.
    pub(crate) fn token(&self, name: &str) -> Result<String> {
        let file = self.dir.path().join("config/secrets").join(name);
        Ok(std::fs::read_to_string(&file).with_context(|| format!("no {name}"))?.trim().to_owned())
    }

    /// Starts the server on its data directory, which is kept between starts.
    pub(crate) fn start(&self) -> Result<Running> {
        let began = Instant::now();
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(self.dir.path().join("config"));
        command.arg("--data").arg(self.dir.path().join("data")).args(["--listen", "127.0.0.1:0"]);
        let log = std::fs::File::create(self.dir.path().join("log"))?;
        let mut child = command.stdout(Stdio::piped()).stderr(log).stdin(Stdio::null()).spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("no output")?);
        let door = Door {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            path: "/in/alertmanager".to_owned(),
            token: Some(self.token("alertmanager.token")?),
        };
        let mut running = Running { child, door, ready_after: Duration::ZERO };
        let mut line = String::new();
        out.read_line(&mut line)?;
        std::thread::spawn(move || out.lines().for_each(drop));
        let address = line.split("http://").nth(1).map(|a| a.trim().trim_end_matches('/'));
        let address = address.and_then(|a| a.parse().ok());
        running.door.address = address.with_context(|| {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            format!("it does not say where it listens: {line:?} {log}")
        })?;
        ready(running.door.address, "/readyz", began)?;
        running.ready_after = began.elapsed();
        Ok(running)
    }
}

/// Prometheus Alertmanager, the peer: in memory, one group for each of the rules, nobody told.
pub(crate) fn alertmanager(dir: &Path, group_by: &str) -> Result<Running> {
    let config = format!("route:\n  receiver: none\n  group_by: [{group_by}]\nreceivers:\n  - name: none\n");
    let file = dir.join("alertmanager.yml");
    std::fs::write(&file, config)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let began = Instant::now();
    let mut command = Command::new(alertmanager_binary()?);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.path={}", dir.join("alertmanager").display()));
    command
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .arg("--log.level=error");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let door = Door { address, path: "/api/v2/alerts".to_owned(), token: None };
    let mut running = Running { child, door, ready_after: Duration::ZERO };
    ready(address, "/-/ready", began)?;
    running.ready_after = began.elapsed();
    Ok(running)
}

fn alertmanager_binary() -> Result<&'static str> {
    let found = ["prometheus-alertmanager", "alertmanager"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    found.context("Alertmanager is not installed: apt-get install prometheus-alertmanager")
}

/// Its version, as it says.
pub(crate) fn alertmanager_version() -> Result<String> {
    let out = Command::new(alertmanager_binary()?).arg("--version").output()?;
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let version = text.split("version ").nth(1).and_then(|t| t.split([' ', ',']).next());
    Ok(version.unwrap_or("unknown").to_owned())
}

/// Waits until a page answers 200.
pub(crate) fn ready(address: SocketAddr, path: &str, began: Instant) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").into_bytes();
    runtime.block_on(async {
        while began.elapsed() < START {
            if let Ok(mut wire) = Wire::open(address).await
                && let Ok((200, _)) = wire.exchange(&request).await
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("{address}{path} is not ready after {} s", START.as_secs())
    })
}
