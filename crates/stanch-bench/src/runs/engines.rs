//! The engines under measurement, each with the same flow, started fresh and ended for sure.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::install::{Installed, path};
use crate::load::{Door, Wire};
use crate::peers::{Running, Stanch, work};
use crate::proc;

/// The longest an engine may take until its flow answers.
const START: Duration = Duration::from_secs(180);
/// What every flow is given.
pub(super) const GIVEN: &str = r#"{"host":"web-1","severity":5}"#;

/// Which engine, and how it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Stanch,
    NodeRed,
    Restate,
    /// As it comes.
    N8n,
    /// Expressions evaluated in the same process, and no run kept.
    N8nFast,
}

/// A running engine.
pub(super) struct Up {
    pub(super) door: Door,
    children: Vec<Child>,
    /// Ours is ended by its own guard.
    running: Option<Running>,
    _dir: tempfile::TempDir,
}

impl Up {
    /// Seconds of CPU used so far by all its processes.
    pub(super) fn cpu(&self) -> Result<f64> {
        self.processes().map(proc::cpu).sum()
    }

    /// Bytes that all its processes hold now.
    pub(super) fn rss(&self) -> Result<u64> {
        self.processes().map(proc::rss).sum()
    }

    fn processes(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(Child::id).chain(self.running.as_ref().map(Running::id))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The whole group: what an engine has started ends with it.
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status().ok();
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Starts an engine and waits until its flow gives the right answer.
pub(super) fn start(engine: Engine, server: &Path, peers: &Installed, echo: SocketAddr) -> Result<Up> {
    let dir = tempfile::tempdir_in(work()?)?;
    let echo = format!("http://{echo}/");
    let up = match engine {
        Engine::Stanch => stanch(server, &echo, dir),
        Engine::NodeRed => node_red(peers, &echo, dir),
        Engine::Restate => restate(peers, &echo, dir),
        Engine::N8n => n8n(peers, &echo, dir, false),
        Engine::N8nFast => n8n(peers, &echo, dir, true),
    };
    let up = up.with_context(|| format!("{engine:?} cannot be started"))?;
    ready(&up.door).with_context(|| format!("{engine:?}"))?;
    Ok(up)
}

/// The right answer to [`GIVEN`].
pub(super) fn right(body: &[u8]) -> bool {
    let wanted = serde_json::json!({ "host": "web-1", "score": 50, "known": true });
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|found| found == wanted)
}

fn stanch(server: &Path, echo: &str, dir: tempfile::TempDir) -> Result<Up> {
    let stanch = Stanch::in_dir(server, dir)?;
    let config = stanch.dir.path().join("config");
    let host = echo.trim_start_matches("http://").trim_end_matches('/');
    let calls = include_str!("../../peers/stanch-calls.yaml").replace("ECHO", host);
    std::fs::write(config.join("connectors/bench.yaml"), calls)?;
    std::fs::create_dir_all(config.join("playbooks"))?;
    std::fs::write(config.join("playbooks/bench.yaml"), include_str!("../../peers/stanch.yaml"))?;
    let running = stanch.start()?;
    let door = Door { path: "/api/v1/hooks/bench".to_owned(), ..running.door.clone() };
    Ok(Up { door, children: Vec::new(), running: Some(running), _dir: stanch.dir })
}

fn node_red(peers: &Installed, echo: &str, dir: tempfile::TempDir) -> Result<Up> {
    let flows = include_str!("../../peers/node-red.json").replace("ECHO", echo);
    std::fs::write(dir.path().join("flows.json"), flows)?;
    let settings = dir.path().join("settings.js");
    std::fs::write(&settings, include_str!("../../peers/node-red.settings.js"))?;
    let address = free()?;
    let mut command = node(peers, &dir);
    command.arg(&peers.node_red).arg("--userDir").arg(dir.path()).arg("--settings").arg(settings);
    let child = spawn(command.env("PORT", address.port().to_string()), dir.path())?;
    Ok(Up { door: door(address, "/bench"), children: vec![child], running: None, _dir: dir })
}

fn restate(peers: &Installed, echo: &str, dir: tempfile::TempDir) -> Result<Up> {
    // Beside the installed library, so that Node finds it.
    let folder = peers.restate.ancestors().find(|a| a.ends_with("node_modules")).and_then(Path::parent);
    let script = folder.context("an odd installation")?.join("flow.mjs");
    std::fs::write(&script, include_str!("../../peers/restate.mjs"))?;
    let (service, ingress, admin, own) = (free()?, free()?, free()?, free()?);
    let mut command = node(peers, &dir);
    command.arg(&script).env("PORT", service.port().to_string()).env("ECHO", echo);
    let handler = spawn(&mut command, dir.path())?;
    let mut command = Command::new(&peers.restate);
    command.arg("--no-logo").env("DO_NOT_TRACK", "1").env("RESTATE_LISTEN_MODE", "tcp");
    command.env("RESTATE_BASE_DIR", dir.path().join("data"));
    command.env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string());
    command.env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string());
    command.env("RESTATE_BIND_ADDRESS", own.to_string());
    command.env("RESTATE_ADVERTISED_ADDRESS", format!("http://{own}"));
    let server = spawn(&mut command, dir.path())?;
    let up =
        Up { door: door(ingress, "/bench/flow"), children: vec![server, handler], running: None, _dir: dir };
    let register = door(admin, "/deployments").request(format!(r#"{{"uri":"http://{service}"}}"#).as_bytes());
    until("the handler is registered", admin, &register, |status, _| (200..300).contains(&status))?;
    Ok(up)
}

fn n8n(peers: &Installed, echo: &str, dir: tempfile::TempDir, fast: bool) -> Result<Up> {
    let (address, broker) = (free()?, free()?);
    let flow = dir.path().join("flow.json");
    std::fs::write(&flow, include_str!("../../peers/n8n.json").replace("ECHO", echo))?;
    let set_up = |words: &[&str]| {
        let mut command = node(peers, &dir);
        command.arg(&peers.n8n).args(words).env("N8N_USER_FOLDER", dir.path());
        for (name, value) in N8N {
            command.env(name, value);
        }
        if fast {
            command.env("N8N_EXPRESSION_ENGINE", "legacy");
            command
                .env("EXECUTIONS_DATA_SAVE_ON_SUCCESS", "none")
                .env("EXECUTIONS_DATA_SAVE_ON_ERROR", "none");
        }
        command.env("N8N_PORT", address.port().to_string());
        command.env("N8N_RUNNERS_BROKER_PORT", broker.port().to_string());
        command
    };
    for words in [
        &["import:workflow", &format!("--input={}", flow.display())][..],
        &["publish:workflow", "--id=bench"],
    ] {
        let out = set_up(words).output()?;
        if !out.status.success() {
            bail!("n8n {words:?}: {}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
        }
    }
    let child = spawn(&mut set_up(&["start"]), dir.path())?;
    Ok(Up { door: door(address, "/webhook/bench"), children: vec![child], running: None, _dir: dir })
}

/// As it comes, without what it would ask its maker for.
const N8N: [(&str, &str); 7] = [
    ("N8N_LISTEN_ADDRESS", "127.0.0.1"),
    ("N8N_DIAGNOSTICS_ENABLED", "false"),
    ("N8N_VERSION_NOTIFICATIONS_ENABLED", "false"),
    ("N8N_TEMPLATES_ENABLED", "false"),
    ("N8N_COMMUNITY_PACKAGES_ENABLED", "false"),
    ("N8N_LOG_LEVEL", "error"),
    ("NODE_ENV", "production"),
];

fn node(peers: &Installed, dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(peers.node.join("bin/node"));
    command.env("PATH", path(&peers.node)).env("HOME", dir.path()).current_dir(dir.path());
    command
}

fn spawn(command: &mut Command, dir: &Path) -> Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
    let again = log.try_clone()?;
    command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(again);
    command.spawn().with_context(|| format!("{command:?}"))
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn door(address: SocketAddr, path: &str) -> Door {
    Door { address, path: path.to_owned(), token: None }
}

/// Waits until the flow answers, and answers right.
fn ready(door: &Door) -> Result<()> {
    let request = door.request(GIVEN.as_bytes());
    until("its flow answers right", door.address, &request, |status, body| status == 200 && right(body))
}

/// Asks again and again until the answer is as wanted.
fn until(what: &str, to: SocketAddr, request: &[u8], wanted: impl Fn(u16, &[u8]) -> bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let mut last = "no answer".to_owned();
        while began.elapsed() < START {
            let asked = async { Wire::open(to).await?.exchange(request).await };
            match tokio::time::timeout(Duration::from_secs(10), asked).await {
                Ok(Ok((status, body))) if wanted(status, &body) => return Ok(()),
                Ok(Ok((status, body))) => last = format!("{status}: {}", String::from_utf8_lossy(&body)),
                Ok(Err(_)) | Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("after {} s not yet: {what}; the last answer was {last}", START.as_secs())
    })
}
