//! A real BIND for tests: its own folder and port, a policy zone, and a small internet.

use std::net::SocketAddr;

use super::*;
use crate::responder::contract::daemon::{self, Daemon, tool};

pub(super) const ZONE: &str = "rpz.lab";

pub(super) struct Named {
    pub(super) at: SocketAddr,
    dir: tempfile::TempDir,
    _daemon: Daemon,
}

const HEAD: &str = "$TTL 60\n@ IN SOA ns.lab. root.lab. 1 60 60 60 60\n@ IN NS ns.lab.\n";

impl Named {
    /// Starts one; none where BIND is not installed.
    pub(super) fn start() -> Option<Named> {
        if !daemon::have(&[("named", "bind9"), ("nsupdate", "bind9-dnsutils"), ("dig", "bind9-dnsutils")]) {
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
        let key =
            |secret: &str| format!("key \"stanch\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n");
        write("stanch.key", &key("bGFiLW9ubHktbGFiLW9ubHktbGFiLW9ubHktMDEyMzQ="));
        write("wrong.key", &key("d3JvbmctbGFiLW9ubHktd3JvbmctbGFiLW9ubHktMDE="));
        write("rpz.db", &format!("{HEAD}theirs.example CNAME rpz-passthru.\n*.wide.example CNAME .\n"));
        let people = "@ A 192.0.2.1\n* A 192.0.2.2\ndeep.below A 192.0.2.3\n";
        write("example.db", &format!("{HEAD}{people}"));
        write("root.db", &format!("{HEAD}ns.lab. A 127.0.0.1\n"));
        let port = daemon::free_port();
        let zone = |name: &str, file: &str, more: &str| {
            format!("zone \"{name}\" {{ type primary; file \"{file}\"; {more} }};\n")
        };
        let allow =
            "allow-update { key stanch; }; allow-transfer { key stanch; }; allow-query { key stanch; };";
        let conf = format!(
            "include \"{dir}/stanch.key\";\ncontrols {{ }};\noptions {{ directory \"{dir}\"; pid-file none; \
             session-keyfile none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
             recursion yes; allow-recursion {{ 127.0.0.1; }}; dnssec-validation no; \
             response-policy {{ zone \"{ZONE}\" min-update-interval 0; }} qname-wait-recurse no; }};\n{}{}{}{}",
            zone(ZONE, "rpz.db", allow),
            zone("bad.example", "example.db", ""),
            zone("wide.example", "example.db", ""),
            zone(".", "root.db", ""),
            dir = dir.path().display(),
        );
        write("named.conf", &conf);
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let named = run::find("named").expect("installed").display().to_string();
        let file = dir.path().join("named.conf").display().to_string();
        let _daemon = Daemon::start(&[&named, "-f", "-n", "1", "-c", &file]);
        assert!(daemon::listens(at), "named did not start");
        let named = Named { at, dir, _daemon };
        let answers = || named.ask("bad.example") == "NOERROR 192.0.2.1";
        assert!(daemon::within(Duration::from_secs(10), answers), "named does not answer");
        Some(named)
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn config(&self, at: SocketAddr) -> RpzConfig {
        let mut config = RpzConfig::new("sinkhole", at, ZONE);
        config.key = Some(self.key("stanch.key"));
        config.resolver = Some(self.at);
        config
    }

    /// What people get who ask: status and answers.
    pub(super) fn ask(&self, name: &str) -> String {
        let port = self.at.port().to_string();
        let words =
            ["@127.0.0.1", "-p", &port, "+tries=1", "+time=2", "+noall", "+comments", "+answer", name, "A"];
        let said = tool("dig", &words, "").unwrap_or_default();
        let status = said.split("status: ").nth(1).and_then(|s| s.split(',').next()).unwrap_or("none");
        let answers = said.lines().filter(|l| !l.starts_with(';') && !l.is_empty());
        let values: Vec<&str> = answers.filter_map(|l| l.split_whitespace().last()).collect();
        format!("{status} {}", values.join(" ")).trim().to_owned()
    }

    /// All records of the policy zone but its serial number, in order.
    pub(super) fn zone(&self) -> String {
        let (port, key) = (self.at.port().to_string(), self.key("stanch.key").display().to_string());
        let words = ["@127.0.0.1", "-p", &port, "-k", &key, "+noall", "+answer", ZONE, "AXFR"];
        let said = tool("dig", &words, "").expect("a transfer");
        let mut lines: Vec<&str> =
            said.lines().filter(|l| !l.contains("SOA") && !l.contains("TSIG")).collect();
        assert!(lines.len() >= 3, "{said}");
        lines.sort_unstable();
        lines.join("\n")
    }

    /// A change by somebody else.
    pub(super) fn by_hand(&self, line: &str) {
        let input = format!("server 127.0.0.1 {}\nzone {ZONE}\n{line}\nsend\n", self.at.port());
        let key = self.key("stanch.key").display().to_string();
        tool("nsupdate", &["-v", "-k", &key], &input).expect("changed by hand");
    }
}
