//! Finds addresses that must never be blocked: our own, our gateways, resolvers and time servers.
//!
//! It only reads what the kernel and the system's configuration say; it asks nobody over the network
//! and resolves no names: names of time servers are handed on to whoever does. What it cannot find out it
//! says in a warning, so that a person can add it to the protected assets. It sees the main routing table
//! only, and not what a proxy or NAT hides.

mod parse;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ipnet::IpNet;

use crate::responder::run;

/// Bytes read of one file at most; beyond that a warning is given.
const LIMIT: u64 = 64 * 1024 * 1024;
/// Files read of one folder at most.
const FILES: usize = 64;

/// An address that must never be blocked, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Discovered {
    /// The address or prefix.
    pub net: IpNet,
    /// In words for people, for example `default gateway on eth0`.
    pub why: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// In order of address.
    pub addresses: Vec<Discovered>,
    /// Names of time servers, each once: their addresses are not known here.
    pub time_servers: Vec<String>,
    /// What could not be found, in words.
    pub warnings: Vec<String>,
}

/// Everything that the machine says.
///
/// `netns` names the network namespace whose addresses and routes count; none is our own. Blocks for
/// as long as a few small files take to read.
#[must_use]
pub fn discover(netns: Option<&str>) -> Found {
    let mut all = Found::default();
    kernel(netns, &mut all.addresses, &mut all.warnings);
    resolvers(netns, &mut all.addresses, &mut all.warnings);
    time_servers(&mut all);
    all.addresses.sort();
    all.addresses.dedup();
    all.time_servers.sort();
    all.time_servers.dedup();
    all.warnings.sort();
    all.warnings.dedup();
    all
}

type Parser = fn(&str) -> Vec<Discovered>;

fn kernel(netns: Option<&str>, found: &mut Vec<Discovered>, warnings: &mut Vec<String>) {
    let sources: [(&str, Parser, bool); 4] = [
        ("/proc/net/fib_trie", parse::fib_trie, true),
        ("/proc/net/if_inet6", parse::if_inet6, false),
        ("/proc/net/route", parse::route, true),
        ("/proc/net/ipv6_route", parse::ipv6_route, false),
    ];
    for (path, parser, must_exist) in sources {
        match in_netns(netns, path) {
            Ok(text) => found.extend(parser(&text)),
            // A kernel without IPv6 has no such files, and then nothing to protect.
            Err(why) if must_exist || netns.is_none() && Path::new(path).exists() => warnings.push(why),
            Err(_) => {}
        }
    }
    if !found.iter().any(|d| d.why.starts_with("default gateway")) {
        warnings
            .push("no default gateway was found; protect your gateways by hand if there are any".to_owned());
    }
}

fn resolvers(netns: Option<&str>, found: &mut Vec<Discovered>, warnings: &mut Vec<String>) {
    let own = netns.map(|name| Path::new("/etc/netns").join(name).join("resolv.conf")).filter(|p| p.exists());
    let main = own.unwrap_or_else(|| PathBuf::from("/etc/resolv.conf"));
    let before = found.len();
    // The second tells the servers behind systemd-resolved's own 127.0.0.53.
    for path in [main, PathBuf::from("/run/systemd/resolve/resolv.conf")] {
        if path.exists() {
            match read(&path) {
                Ok(text) => found.extend(parse::resolv_conf(&text)),
                Err(why) => warnings.push(why),
            }
        }
    }
    if found.len() == before {
        warnings.push("no resolver was found in /etc/resolv.conf; protect your resolvers by hand".to_owned());
    }
}

fn time_servers(all: &mut Found) {
    let mut files: Vec<PathBuf> =
        ["/etc/chrony/chrony.conf", "/etc/chrony.conf", "/etc/ntp.conf", "/etc/ntpsec/ntp.conf"]
            .map(PathBuf::from)
            .to_vec();
    for folder in ["/etc/chrony/conf.d", "/etc/chrony/sources.d", "/run/chrony-dhcp"] {
        files.extend(folder_files(folder));
    }
    let mut timesyncd = vec![PathBuf::from("/etc/systemd/timesyncd.conf")];
    timesyncd.extend(folder_files("/etc/systemd/timesyncd.conf.d"));

    let of_ntp = files.into_iter().map(|f| (f, parse::ntp_conf as fn(&str) -> Vec<String>));
    let of_timesyncd = timesyncd.into_iter().map(|f| (f, parse::timesyncd_conf as fn(&str) -> Vec<String>));
    for (path, parser) in of_ntp.chain(of_timesyncd) {
        if !path.exists() {
            continue;
        }
        match read(&path) {
            Ok(text) => {
                let (addresses, names) = parse::time_servers(&parser(&text));
                all.addresses.extend(addresses);
                all.time_servers.extend(names);
            }
            Err(why) => all.warnings.push(why),
        }
    }
}

/// The files of a folder in order of name; none when it is not there.
fn folder_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_file()).take(FILES).collect();
    files.sort();
    files
}

/// A file of the kernel, as seen from a network namespace.
fn in_netns(netns: Option<&str>, path: &str) -> Result<String, String> {
    let Some(netns) = netns else { return read(Path::new(path)) };
    let (Some(ip), Some(cat)) = (run::find("ip"), run::find("cat")) else {
        return Err(format!(
            "`ip` is needed to look into {netns}; run: {}",
            crate::responder::nftables::INSTALL
        ));
    };
    let mut command = Command::new(ip);
    run::clean_env(&mut command);
    let args: [OsString; 5] = ["netns".into(), "exec".into(), netns.into(), cat.into(), path.into()];
    let done = command.args(args).stdin(Stdio::null()).output();
    let done = done.map_err(|e| format!("{path} in {netns} could not be read: {e}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!("{path} in {netns}: {}", String::from_utf8_lossy(&done.stderr).trim())),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let fail = |e: std::io::Error| format!("{} could not be read: {e}", path.display());
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(LIMIT).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 == LIMIT {
        true => Err(format!("{} is larger than {LIMIT} bytes and was not read", path.display())),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_finds_itself() {
        let found = discover(None).addresses;
        let loopback: IpNet = "127.0.0.1/32".parse().expect("address");
        assert!(found.iter().any(|d| d.net.contains(&loopback)), "{found:?}");
        assert!(found.iter().all(|d| !d.why.is_empty() && d.net.prefix_len() > 0));
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let warnings = discover(Some("stanch-no-such-namespace")).warnings;
        assert!(warnings.iter().any(|w| w.contains("fib_trie")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("no default gateway")), "{warnings:?}");
    }
}
