//! A real Open vSwitch for tests: its database, its daemon in a namespace of its own, and two hosts.
//!
//! The userspace datapath (`datapath_type=netdev`) needs no kernel module.

use super::*;
use crate::responder::contract::daemon::{self, Daemon, tool};
use crate::responder::lab::Lab;

pub(super) struct Switch {
    dir: tempfile::TempDir,
    lab: Lab,
    _daemons: [Daemon; 2],
}

impl Switch {
    /// Builds one; none where it cannot be built. Ports: `h1` and `h2` (access, VLAN 10), `up` (trunk),
    /// `flat` (no tag); `q0` is a machine in the quarantine VLAN 999.
    pub(super) async fn start() -> Option<Switch> {
        let needs =
            ["ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovsdb-tool"].map(|p| (p, "openvswitch-switch"));
        if !daemon::have(&[&needs[..], &[("ping", "iputils-ping"), ("ip", "iproute2")]].concat()) {
            return None;
        }
        let lab = crate::responder::lab::tests::an_empty_lab().await?;
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let path =
            |program: &str| crate::responder::run::find(program).expect("installed").display().to_string();
        tool("ovsdb-tool", &["create", &at("db"), "/usr/share/openvswitch/vswitch.ovsschema"], "")
            .expect("a database");
        let (ip, sock, log) = (path("ip"), at("db.sock"), "-vconsole:off");
        let base = Daemon::start(&[
            &path("ovsdb-server"),
            &at("db"),
            &format!("--remote=punix:{sock}"),
            &format!("--unixctl={}", at("db.ctl")),
            &format!("--pidfile={}", at("db.pid")),
            log,
        ]);
        assert!(daemon::within(Duration::from_secs(10), || std::path::Path::new(&sock).exists()));
        let ns = lab.firewall_ns();
        let vswitchd = Daemon::start(&[
            &ip,
            "netns",
            "exec",
            &ns,
            &path("ovs-vswitchd"),
            &format!("unix:{sock}"),
            "--disable-system",
            &format!("--unixctl={}", at("vs.ctl")),
            &format!("--pidfile={}", at("vs.pid")),
            log,
        ]);
        let switch = Switch { dir, lab, _daemons: [vswitchd, base] };
        switch.wire();
        Some(switch)
    }

    fn wire(&self) {
        let (fw, inside, outside) = (self.lab.firewall_ns(), self.lab.inside_ns(), self.lab.outside_ns());
        // Nothing of ours may come into being in the namespace of the machine itself.
        self.vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"]);
        for (port, ns, address) in [("h1", &inside, "10.9.9.1/24"), ("h2", &outside, "10.9.9.2/24")] {
            ip(&["-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", &fw]);
            ip(&["-n", ns, "addr", "add", address, "dev", "eth0"]);
            ip(&["-n", ns, "link", "set", "eth0", "up"]);
            ip(&["-n", &fw, "link", "set", port, "up"]);
            self.vsctl(&["add-port", "br0", port, "tag=10"]);
        }
        for (port, more) in [("up", "trunks=10,20"), ("flat", "other_config:x=y")] {
            ip(&["-n", &fw, "link", "add", port, "type", "veth", "peer", "name", &format!("{port}-far")]);
            self.vsctl(&["add-port", "br0", port, "--", "set", "port", port, more]);
        }
        self.vsctl(&["add-port", "br0", "q0", "tag=999", "--", "set", "interface", "q0", "type=internal"]);
        ip(&["-n", &fw, "addr", "add", "10.9.9.99/24", "dev", "q0"]);
        ip(&["-n", &fw, "link", "set", "q0", "up"]);
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("db.sock")
    }

    /// A place for one more socket.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn config(&self, socket: PathBuf) -> OvsConfig {
        let mut config = OvsConfig::new("switch", OvsRemote::Unix(socket));
        config.uplinks = vec!["h2".to_owned()];
        config.control = Some(self.place("vs.ctl"));
        config
    }

    /// `ovs-vsctl`, as somebody else would use it.
    pub(super) fn vsctl(&self, words: &[&str]) -> String {
        let db = format!("--db=unix:{}", self.socket().display());
        tool("ovs-vsctl", &[&[&db, "--timeout=10"], words].concat(), "").expect("ovs-vsctl")
    }

    /// All rows of the table of ports, without what the switch counts.
    pub(super) fn rows(&self) -> String {
        let columns =
            "--columns=_uuid,name,tag,trunks,vlan_mode,external_ids,other_config,interfaces,bond_mode";
        let text = self.vsctl(&[columns, "list", "port"]);
        let mut rows: Vec<&str> = text.split("\n\n").collect();
        rows.sort_unstable();
        rows.join("\n\n")
    }

    /// Whether a ping from host 1 is answered within two seconds.
    pub(super) fn pings(&self, address: &str) -> bool {
        let inside = self.lab.inside_ns();
        let ping =
            || tool("ip", &["netns", "exec", &inside, "/usr/bin/ping", "-c1", "-W1", address], "").is_ok();
        daemon::within(Duration::from_secs(1), ping)
    }
}

fn ip(words: &[&str]) {
    tool("ip", words, "").expect("wired");
}
