//! A real network on one machine: a host inside, a firewall, a host outside, each in a network
//! namespace of its own. For the demonstration and for tests.
//!
//! The two hosts reach each other only through the firewall. Nothing outside the three namespaces is
//! touched, no link leads out of them, and they vanish with the process that made them: on drop, and
//! by a small reaper beside it when it is killed.
//!
//! Nothing here can enter a namespace by itself (that would need `unsafe`); the hosts are played by
//! helper processes started with `ip netns exec`. See [`helper_main`].

mod helper;

pub use helper::helper_main;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stanch_model::{Failure, Span};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::nftables::INSTALL;
use super::run::{self, RunError};

/// How long one step of building may take.
const STEP: Duration = Duration::from_secs(10);
/// How long a probe waits for an answer.
const PROBE: Duration = Duration::from_secs(1);
const PREFIX: &str = "stanch-";

/// What to build.
#[derive(Clone, Debug)]
pub struct LabPlan {
    /// The address of the host inside. Any, also one that would share a subnet with the outside.
    pub inside: IpAddr,
    /// The address of the host outside; of the same family.
    pub outside: IpAddr,
    /// The beginning of a command line that ends up in [`helper_main`], program first, for example
    /// `["/usr/bin/stanch", "lab-helper"]`.
    pub helper: Vec<OsString>,
}

/// What one attempt to connect from inside to outside met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "snake_case")]
pub enum Probe {
    /// The connection was made and the other side spoke.
    Open {
        /// From the first packet to the banner.
        took: Span,
    },
    /// No answer at all.
    Blocked {
        /// How long was waited.
        after: Span,
    },
    /// Something answered, but not the listener: no block, and no success either.
    Refused {
        /// What the system said.
        why: String,
    },
}

/// One sign of life, or its lack, on a connection that is kept open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "beat", rename_all = "snake_case")]
pub enum Beat {
    /// Our line came back.
    Echo {
        /// How long it took.
        took: Span,
    },
    /// It did not come back in time. The connection is given up.
    Lost {
        /// How long was waited, or what the system said.
        why: String,
    },
}

/// Three namespaces and what runs in them.
#[derive(Debug)]
pub struct Lab {
    helper: Vec<OsString>,
    /// The address of the host outside, once there is one.
    outside: Option<IpAddr>,
    base: String,
    ip: PathBuf,
    listeners: Vec<Child>,
    target: Option<SocketAddr>,
    /// Holds the reaper's input open; its end is the reaper's sign.
    reaper: Option<std::process::Child>,
}

/// A connection kept open from inside to outside. Closed on drop.
#[derive(Debug)]
pub struct Held {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// Whether labs can be built here.
///
/// # Errors
/// What is missing, and the line that mends it.
pub fn available() -> Result<(), String> {
    super::nftables::available()?;
    let ip = run::find("ip").ok_or_else(|| format!("`ip` is not installed; run: {INSTALL}"))?;
    // Only trying tells: containers often allow the one and not the other.
    let name = format!("{}-in", next_base());
    let mut command = std::process::Command::new(&ip);
    run::clean_env(&mut command);
    let done = command.args(["netns", "add", &name]).stdin(Stdio::null()).output();
    remove_ns(&ip, &name);
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(format!(
            "network namespaces need root and CAP_SYS_ADMIN; `ip netns add` said: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
        Err(e) => Err(format!("`ip` could not be started: {e}")),
    }
}

/// The beginning of the names of one lab's namespaces.
fn next_base() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Lab {
    /// Builds the three namespaces and the way between them. Names: `stanch-<pid>-<n>-in`, `-fw`, `-out`.
    ///
    /// # Errors
    /// When a step failed; what was built until then is taken away again.
    pub async fn create(plan: LabPlan) -> Result<Lab, Failure> {
        check(&plan.inside, &plan.outside)?;
        let mut lab = Lab::empty(plan.helper).await?;
        lab.wire(plan.inside, plan.outside).await?;
        Ok(lab)
    }

    /// Builds the three namespaces with nothing between them, so that a firewall can be named before
    /// it is known who shall stand on its two sides. [`Lab::wire`] does the rest.
    ///
    /// # Errors
    /// When a step failed; what was built until then is taken away again.
    pub async fn empty(helper: Vec<OsString>) -> Result<Lab, Failure> {
        let ip =
            run::find("ip").ok_or_else(|| Failure::permanent(format!("no `ip` here; run: {INSTALL}")))?;
        let base = next_base();
        let mut lab =
            Lab { helper, outside: None, base, ip, listeners: Vec::new(), target: None, reaper: None };
        lab.reaper = Some(lab.start_reaper()?);
        for ns in [lab.inside_ns(), lab.firewall_ns(), lab.outside_ns()] {
            lab.ip(&["netns", "add", &ns]).await?;
            lab.ip(&["-n", &ns, "link", "set", "lo", "up"]).await?;
        }
        Ok(lab)
    }

    /// Gives the two hosts their addresses and connects both to the firewall. Once.
    ///
    /// # Errors
    /// When the two addresses cannot stand on two sides of a firewall, or a step failed.
    pub async fn wire(&mut self, inside: IpAddr, outside: IpAddr) -> Result<(), Failure> {
        check(&inside, &outside)?;
        if self.outside.replace(outside).is_some() {
            return Err(Failure::permanent("this lab is wired already"));
        }
        let fw = self.firewall_ns();
        self.set(&fw, "net/ipv4/ip_forward", "1").await?;
        if inside.is_ipv6() {
            self.set(&fw, "net/ipv6/conf/all/forwarding", "1").await?;
        }
        self.connect(&self.inside_ns(), inside, "to-in").await?;
        self.connect(&self.outside_ns(), outside, "to-out").await
    }

    /// The namespace of the host inside.
    #[must_use]
    pub fn inside_ns(&self) -> String {
        format!("{}-in", self.base)
    }

    /// The namespace of the firewall: where an [`super::Nftables`] belongs.
    #[must_use]
    pub fn firewall_ns(&self) -> String {
        format!("{}-fw", self.base)
    }

    /// The namespace of the host outside.
    #[must_use]
    pub fn outside_ns(&self) -> String {
        format!("{}-out", self.base)
    }

    /// Starts a listener on the host outside and returns its address. It greets, then echoes. Port 0
    /// takes any free one. Later probes go to the listener started last.
    ///
    /// # Errors
    /// When it could not listen.
    pub async fn start_listener(&mut self, port: u16) -> Result<SocketAddr, Failure> {
        let outside = self.outside.ok_or_else(|| Failure::permanent("this lab is not wired yet"))?;
        let address = SocketAddr::new(outside, port);
        let (child, mut lines) = self.spawn(&self.outside_ns(), &["listen", &address.to_string()])?;
        let line = tokio::time::timeout(STEP, lines.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
        let address: SocketAddr =
            line.parse().map_err(|_| Failure::permanent(format!("the listener did not start: {line:?}")))?;
        self.listeners.push(child);
        self.target = Some(address);
        Ok(address)
    }

    /// One real TCP connection from inside to the listener, waiting 1 s at most.
    ///
    /// # Errors
    /// When the probe itself could not run.
    pub async fn probe(&self) -> Result<Probe, Failure> {
        let target = self.target.ok_or_else(|| Failure::permanent("no listener was started"))?;
        let (_child, mut lines) =
            self.spawn(&self.inside_ns(), &["probe", &target.to_string(), &PROBE.as_millis().to_string()])?;
        let line = tokio::time::timeout(STEP, lines.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
        serde_json::from_str(&line).map_err(|e| Failure::transient(format!("the probe said {line:?}: {e}")))
    }

    /// Opens a connection from inside to the listener and sends a line every `every`.
    ///
    /// # Errors
    /// When the helper could not run.
    pub fn hold(&self, every: Duration) -> Result<Held, Failure> {
        let target = self.target.ok_or_else(|| Failure::permanent("no listener was started"))?;
        let (child, lines) = self.spawn(
            &self.inside_ns(),
            &["hold", &target.to_string(), &every.as_millis().to_string(), &PROBE.as_millis().to_string()],
        )?;
        Ok(Held { lines, _child: child })
    }

    /// Takes everything away now; dropping does the same.
    pub fn remove(self) {
        drop(self);
    }

    /// Removes the labs of processes that are gone; returns the names of the namespaces removed.
    #[must_use]
    pub fn sweep_stale() -> Vec<String> {
        let Some(ip) = run::find("ip") else { return Vec::new() };
        let names = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let stale = names.filter(|name| {
            owner(name).is_some_and(|pid| !std::path::Path::new("/proc").join(pid.to_string()).exists())
        });
        stale.filter(|name| remove_ns(&ip, name)).collect()
    }

    /// One host and its wire to the firewall. Host routes only, so that any two addresses work, and a
    /// next hop from a range that never leaves a link.
    async fn connect(&self, ns: &str, address: IpAddr, fw_port: &str) -> Result<(), Failure> {
        let fw = self.firewall_ns();
        let (family, hop, hop_len, len) = if address.is_ipv4() {
            ("-4", "169.254.77.1", "32", "32")
        } else {
            ("-6", "fe80::1", "64", "128")
        };
        let host = format!("{address}/{len}");
        let hop_net = format!("{hop}/{hop_len}");
        // Without this a v6 address is unusable for a second or two.
        let nodad: &[&str] = if address.is_ipv6() { &["nodad"] } else { &[] };

        self.ip(&["-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", fw_port, "netns", &fw])
            .await?;
        self.ip(&[&["-n", ns, "addr", "add", &host, "dev", "eth0"], nodad].concat()).await?;
        self.ip(&[&["-n", &fw, "addr", "add", &hop_net, "dev", fw_port], nodad].concat()).await?;
        self.ip(&["-n", ns, "link", "set", "eth0", "up"]).await?;
        self.ip(&["-n", &fw, "link", "set", fw_port, "up"]).await?;
        self.ip(&["-n", &fw, family, "route", "add", &host, "dev", fw_port]).await?;
        if address.is_ipv4() {
            self.ip(&["-n", ns, family, "route", "add", hop, "dev", "eth0", "scope", "link"]).await?;
        }
        self.ip(&["-n", ns, family, "route", "add", "default", "via", hop, "dev", "eth0"]).await
    }

    async fn ip(&self, args: &[&str]) -> Result<(), Failure> {
        let mut argv = vec![OsString::from(&self.ip)];
        argv.extend(args.iter().map(OsString::from));
        finish(&argv, b"").await
    }

    async fn set(&self, ns: &str, key: &str, value: &str) -> Result<(), Failure> {
        let tee = run::find("tee")
            .ok_or_else(|| Failure::permanent("no `tee` here; run: apt-get install coreutils"))?;
        let mut argv = vec![OsString::from(&self.ip)];
        argv.extend(["netns", "exec", ns].map(OsString::from));
        argv.extend([tee.into(), OsString::from(format!("/proc/sys/{key}"))]);
        finish(&argv, value.as_bytes()).await
    }

    /// Starts a helper that ends when we do: its input is a pipe that only we hold open.
    fn spawn(&self, ns: &str, args: &[&str]) -> Result<(Child, Lines<BufReader<ChildStdout>>), Failure> {
        let mut command = std::process::Command::new(&self.ip);
        run::clean_env(&mut command);
        command.args(["netns", "exec", ns]).args(&self.helper).args(args);
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| Failure::permanent(format!("no helper: {e}")))?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::permanent("the helper has no output"))?;
        Ok((child, BufReader::new(stdout).lines()))
    }

    /// In a process group of its own, so that Ctrl-C ends us and leaves it to clean up.
    fn start_reaper(&self) -> Result<std::process::Child, Failure> {
        let Some((program, args)) = self.helper.split_first() else {
            return Err(Failure::permanent("the lab needs a helper program"));
        };
        let mut command = std::process::Command::new(program);
        run::clean_env(&mut command);
        command.args(args).arg("reap").args([self.inside_ns(), self.firewall_ns(), self.outside_ns()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map_err(|e| Failure::permanent(format!("no reaper: {e}")))
    }
}

impl Held {
    /// The next sign; none when the helper ended.
    pub async fn next(&mut self) -> Option<Beat> {
        let line = self.lines.next_line().await.ok().flatten()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.listeners {
            let _ = child.start_kill();
        }
        for ns in [self.inside_ns(), self.firewall_ns(), self.outside_ns()] {
            remove_ns(&self.ip, &ns);
        }
        if let Some(mut reaper) = self.reaper.take() {
            drop(reaper.stdin.take());
            let _ = reaper.wait();
        }
    }
}

fn check(inside: &IpAddr, outside: &IpAddr) -> Result<(), Failure> {
    if inside.is_ipv4() != outside.is_ipv4() || inside == outside {
        return Err(Failure::permanent("inside and outside must be two addresses of the same family"));
    }
    Ok(())
}

/// The process a namespace belongs to, if its name is one of ours.
fn owner(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let pid = parts.next()?.parse().ok()?;
    let _count: u32 = parts.next()?.parse().ok()?;
    let role = parts.next()?;
    (matches!(role, "in" | "fw" | "out") && parts.next().is_none()).then_some(pid)
}

/// True when it is gone. A namespace that was never there is no error.
fn remove_ns(ip: &std::path::Path, name: &str) -> bool {
    let mut command = std::process::Command::new(ip);
    run::clean_env(&mut command);
    command.args(["netns", "delete", name]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

async fn finish(argv: &[OsString], input: &[u8]) -> Result<(), Failure> {
    match run::run(argv, input, STEP).await {
        Ok(done) if done.code == Some(0) => Ok(()),
        Ok(done) => {
            let words: Vec<_> = argv.iter().map(|a| a.to_string_lossy()).collect();
            Err(Failure::permanent(format!("`{}` failed: {}", words.join(" "), done.err)))
        }
        Err(RunError::NotStarted(why)) => Err(Failure::permanent(format!("{why}; run: {INSTALL}"))),
        Err(RunError::Lost(why)) => Err(Failure::transient(why)),
    }
}

#[cfg(test)]
pub(crate) mod tests;
