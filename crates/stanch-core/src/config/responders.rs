//! Devices that can be changed, in `connectors/*.yaml`: what each kind needs to know.

use std::net::SocketAddr;

use ipnet::IpNet;
use stanch_model::Span;

use super::calls::{self, CallConfig};
use super::common::{path, secret, set};
use super::connectors::{Taken, name};
use super::yaml::{Fields, Node};
use super::{Mistake, SecretRef};

const RESPONDERS: &[&str] = &["nftables", "open_vswitch", "ldap", "rpz", "http", "exec", "simulated"];

/// A device we can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponderConfig {
    /// nftables on this machine, optionally in a network namespace.
    Nftables {
        /// Name used in playbooks.
        name: String,
        /// Network namespace; none is our own.
        netns: Option<String>,
        /// Table. Default `stanch`.
        table: String,
        /// TCP connections that no block may cut; each block stands on trial while they are looked at.
        own_path: Vec<SocketAddr>,
    },
    /// The ports of an Open vSwitch, over its database.
    OpenVswitch(OvsResponder),
    /// Accounts and groups in an LDAP directory.
    Ldap(Box<LdapResponder>),
    /// A DNS sinkhole by response policy zone.
    Rpz(RpzResponder),
    /// Calls declared here, over HTTP.
    Http {
        /// Name used in playbooks.
        name: String,
        /// `host:port` that may be called; nothing else is.
        allow: Vec<String>,
        /// Ranges that may be called although they are not on the internet.
        allow_private: Vec<IpNet>,
        /// Bearer token, if any.
        token: Option<SecretRef>,
        /// How long one call may take. Default 10 s.
        timeout: Span,
        /// The calls.
        calls: Vec<CallConfig>,
    },
    /// Calls declared here, of programs.
    Exec {
        /// Name used in playbooks.
        name: String,
        /// The calls.
        calls: Vec<CallConfig>,
    },
    /// Changes nothing; every screen says so.
    Simulated {
        /// Name used in playbooks.
        name: String,
    },
}

/// An Open vSwitch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvsResponder {
    /// Name used in playbooks.
    pub name: String,
    /// `unix:/path` or `tcp:address:port` of its database. Default `unix:/run/openvswitch/db.sock`.
    pub database: String,
    /// Only ports of this bridge. Default: any.
    pub bridge: Option<String>,
    /// Ports that are never moved.
    pub uplinks: Vec<String>,
    /// `refuse` or `access`: what a port without a tag is. Default `refuse`.
    pub untagged: String,
    /// The daemon's control socket, to count machines behind a port. Default: not asked.
    pub control: Option<String>,
    /// A port with more machines behind it is not moved. 1 to 1000, default 4.
    pub most_machines: usize,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapResponder {
    /// Name used in playbooks.
    pub name: String,
    /// `ldaps://host`, `ldap://host` or `ldapi://…`.
    pub url: String,
    /// `starttls` or `none`, for `ldap://`. Default `starttls`.
    pub tls: String,
    /// PEM file with the authorities to trust. Default: those of the system.
    pub ca: Option<String>,
    /// The entry to sign in as.
    pub bind_dn: String,
    /// Its password.
    pub password: SecretRef,
    /// Below which entry the accounts lie.
    pub people: String,
    /// Which attribute holds an account's name. Default `uid`.
    pub account_attribute: String,
    /// Below which entry the groups lie; without it groups are not changed.
    pub groups: Option<String>,
    /// Which attribute holds a group's name. Default `cn`.
    pub group_attribute: String,
    /// Which attribute takes our mark. Default `description`.
    pub tag_attribute: String,
    /// `auto`, `ppolicy` or `password`. Default `auto`.
    pub lock: String,
    /// Seals password hashes; without it no password is touched.
    pub seal_key: Option<SecretRef>,
}

/// A response policy zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpzResponder {
    /// Name used in playbooks.
    pub name: String,
    /// The server that takes updates.
    pub server: SocketAddr,
    /// The policy zone.
    pub zone: String,
    /// File with the shared key, as `tsig-keygen` writes it.
    pub key: Option<String>,
    /// `nxdomain`, `nodata`, an address, or the name of a host. Default `nxdomain`.
    pub answer: String,
    /// Time to live of our records. Default 60 s.
    pub record_ttl: Span,
    /// A resolver that uses the zone, asked at each look. Default: none.
    pub resolver: Option<SocketAddr>,
}

impl ResponderConfig {
    /// The name used in playbooks.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            ResponderConfig::Nftables { name, .. }
            | ResponderConfig::OpenVswitch(OvsResponder { name, .. })
            | ResponderConfig::Rpz(RpzResponder { name, .. })
            | ResponderConfig::Http { name, .. }
            | ResponderConfig::Exec { name, .. }
            | ResponderConfig::Simulated { name } => name,
            ResponderConfig::Ldap(ldap) => &ldap.name,
        }
    }

    /// Its type, as configured.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            ResponderConfig::Nftables { .. } => "nftables",
            ResponderConfig::OpenVswitch(_) => "open_vswitch",
            ResponderConfig::Ldap(_) => "ldap",
            ResponderConfig::Rpz(_) => "rpz",
            ResponderConfig::Http { .. } => "http",
            ResponderConfig::Exec { .. } => "exec",
            ResponderConfig::Simulated { .. } => "simulated",
        }
    }

    /// The calls declared with it.
    #[must_use]
    pub fn calls(&self) -> &[CallConfig] {
        match self {
            ResponderConfig::Http { calls, .. } | ResponderConfig::Exec { calls, .. } => calls,
            ResponderConfig::Nftables { .. }
            | ResponderConfig::OpenVswitch(_)
            | ResponderConfig::Ldap(_)
            | ResponderConfig::Rpz(_)
            | ResponderConfig::Simulated { .. } => &[],
        }
    }
}

/// Reads one entry of `responders`.
pub(super) fn responder(node: &Node, taken: &mut Taken, m: &mut Vec<Mistake>) -> Option<ResponderConfig> {
    let fields = node.map(m)?;
    let name = name(&fields, "responder", taken, m);
    match fields.required("type", m).and_then(|n| n.choice("type", RESPONDERS, m))? {
        "nftables" => nftables(&fields, name, m),
        "open_vswitch" => open_vswitch(&fields, name, m),
        "ldap" => ldap(&fields, name, m),
        "rpz" => rpz(&fields, name, m),
        "http" => http(&fields, name, taken, m),
        "exec" => {
            let calls = calls::read(&fields, calls::By::Program, taken, m);
            fields.finish(&["name", "type", "calls"], m);
            Some(ResponderConfig::Exec { name: name?, calls })
        }
        _ => {
            fields.finish(&["name", "type"], m);
            Some(ResponderConfig::Simulated { name: name? })
        }
    }
}

fn nftables(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<ResponderConfig> {
    let netns = fields.optional("netns").and_then(|n| n.name(m));
    let mut table = "stanch".to_owned();
    set(&mut table, fields.optional("table").and_then(|n| table_name(n, m)));
    let own_path = fields.optional("own_path").and_then(|n| n.list(m, address)).unwrap_or_default();
    fields.finish(&["name", "type", "netns", "table", "own_path"], m);
    Some(ResponderConfig::Nftables { name: name?, netns, table, own_path })
}

/// Source: nft(8), identifiers begin with a letter; `-` is left out because some versions refuse it.
fn table_name(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 31
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits {
        return Some(text);
    }
    let help = "use letters, digits and `_`, at most 31, beginning with a letter";
    node.wrong(&text, "the name of a table", help, mistakes)
}

/// An address with its port. Names are not looked up: what answers for a name is not ours to trust.
fn address(node: &Node, m: &mut Vec<Mistake>) -> Option<SocketAddr> {
    let text = node.string(m)?;
    match text.parse() {
        Ok(at) => Some(at),
        Err(_) => {
            let help = "write for example 192.0.2.53:53 or \"[2001:db8::53]:53\"; names are not looked up";
            node.wrong(&text, "an address with a port", help, m)
        }
    }
}

fn open_vswitch(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<ResponderConfig> {
    let mut database = "unix:/run/openvswitch/db.sock".to_owned();
    set(&mut database, fields.optional("database").and_then(|n| ovs_database(n, m)));
    let bridge = fields.optional("bridge").and_then(|n| n.string(m));
    let uplinks = fields.optional("uplinks").and_then(|n| n.list(m, Node::string_of));
    let mut untagged = "refuse";
    set(&mut untagged, fields.optional("untagged").and_then(|n| n.choice("word", &["access", "refuse"], m)));
    let control = fields.optional("control").and_then(|n| absolute(n, m));
    let mut most_machines = 4;
    let count = fields.optional("most_machines").and_then(|n| n.integer(1..=1_000, m));
    set(&mut most_machines, count.and_then(|n| usize::try_from(n).ok()));
    const KEYS: &[&str] =
        &["name", "type", "database", "bridge", "uplinks", "untagged", "control", "most_machines"];
    fields.finish(KEYS, m);
    if fields.optional("uplinks").is_none() {
        let help = "add `uplinks: [PORT]`; write `uplinks: []` if there are none";
        m.push(fields.node().warning("no uplink is declared, so only signs tell which port is one", help));
    }
    Some(ResponderConfig::OpenVswitch(OvsResponder {
        name: name?,
        database,
        bridge,
        uplinks: uplinks.unwrap_or_default(),
        untagged: untagged.to_owned(),
        control,
        most_machines,
    }))
}

fn ovs_database(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let fits = match text.split_once(':') {
        Some(("unix", path)) => path.starts_with('/'),
        Some(("tcp", at)) => at.parse::<SocketAddr>().is_ok(),
        _ => false,
    };
    if fits {
        return Some(text);
    }
    let help = "write unix:/run/openvswitch/db.sock or tcp:192.0.2.10:6640";
    node.wrong(&text, "the place of a switch database", help, m)
}

/// A path that does not depend on where Stanch was started.
pub(super) fn absolute(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = path(node, m)?;
    if text.starts_with('/') && !text.split('/').any(|part| part == "..") {
        return Some(text);
    }
    node.wrong(&text, "an absolute path", "begin it with `/`, without `..`", m)
}

fn ldap(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<ResponderConfig> {
    let text = |key: &str, m: &mut Vec<Mistake>| fields.optional(key).and_then(|n| n.string(m));
    let url_node = fields.required("url", m);
    let url = url_node.and_then(|n| ldap_url(n, m));
    let mut tls = "starttls";
    set(&mut tls, fields.optional("tls").and_then(|n| n.choice("tls mode", &["none", "starttls"], m)));
    let mut lock = "auto";
    set(
        &mut lock,
        fields.optional("lock").and_then(|n| n.choice("lock", &["auto", "ppolicy", "password"], m)),
    );
    let ca = fields.optional("ca").and_then(|n| path(n, m));
    let bind_dn = fields.required("bind_dn", m).and_then(|n| n.string(m));
    let password = fields.required("password", m).and_then(|n| secret(n, m));
    let people = fields.required("people", m).and_then(|n| n.string(m));
    let mut attributes = ["uid", "cn", "description"].map(str::to_owned);
    for (slot, key) in attributes.iter_mut().zip(["account_attribute", "group_attribute", "tag_attribute"]) {
        set(slot, fields.optional(key).and_then(|n| attribute(n, m)));
    }
    let groups = text("groups", m);
    let seal_key = fields.optional("seal_key").and_then(|n| secret(n, m));
    const KEYS: &[&str] = &[
        "name",
        "type",
        "url",
        "tls",
        "ca",
        "bind_dn",
        "password",
        "people",
        "account_attribute",
        "groups",
        "group_attribute",
        "tag_attribute",
        "lock",
        "seal_key",
    ];
    fields.finish(KEYS, m);
    if let (Some(node), Some(url)) = (url_node, &url)
        && url.starts_with("ldap://")
        && tls == "none"
        && !["ldap://127.0.0.1", "ldap://[::1]", "ldap://localhost"].iter().any(|here| url.starts_with(here))
    {
        m.push(node.mistake("the password would be sent unencrypted", "write `tls: starttls` or ldaps://"));
    }
    if seal_key.is_none() && fields.optional("seal_key").is_none() {
        let help = "add `seal_key: { file: secrets/NAME }` with 32 random characters or more";
        match fields.optional("lock").filter(|_| lock == "password") {
            Some(at) => m.push(at.mistake("`lock: password` without `seal_key`", help)),
            None => m.push(fields.node().warning("without `seal_key` no password can be reset", help)),
        }
    }
    let [account_attribute, group_attribute, tag_attribute] = attributes;
    Some(ResponderConfig::Ldap(Box::new(LdapResponder {
        name: name?,
        url: url?,
        tls: tls.to_owned(),
        ca,
        bind_dn: bind_dn?,
        password: password?,
        people: people?,
        account_attribute,
        groups,
        group_attribute,
        tag_attribute,
        lock: lock.to_owned(),
        seal_key,
    })))
}

fn ldap_url(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let known = ["ldap://", "ldaps://", "ldapi://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if known.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' '])) {
        return Some(text);
    }
    node.wrong(&text, "an LDAP URL", "write for example ldaps://directory.example.com", m)
}

/// Source: RFC 4512, 1.4: keystring.
fn attribute(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        return Some(text);
    }
    node.wrong(
        &text,
        "the name of an attribute",
        "use letters, digits and `-`, for example sAMAccountName",
        m,
    )
}

fn rpz(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<ResponderConfig> {
    let server = fields.required("server", m).and_then(|n| address(n, m));
    let zone = fields.required("zone", m).and_then(|n| domain(n, m));
    let key = fields.optional("key").and_then(|n| path(n, m));
    let mut answer = "nxdomain".to_owned();
    set(&mut answer, fields.optional("answer").and_then(|n| sinkhole(n, m)));
    let mut record_ttl = Span::secs(60);
    let range = Span::secs(1)..=Span::hours(1);
    set(&mut record_ttl, fields.optional("record_ttl").and_then(|n| n.span_within(range, m)));
    let resolver = fields.optional("resolver").and_then(|n| address(n, m));
    fields.finish(&["name", "type", "server", "zone", "key", "answer", "record_ttl", "resolver"], m);
    if fields.optional("key").is_none() {
        let help = "make one with `tsig-keygen stanch`, and name its file with `key`";
        m.push(
            fields
                .node()
                .warning("updates are not signed, so whoever sends from our address can make them", help),
        );
    }
    Some(ResponderConfig::Rpz(RpzResponder {
        name: name?,
        server: server?,
        zone: zone?,
        key,
        answer,
        record_ttl,
        resolver,
    }))
}

/// A name in lower case without its final dot, so that it compares as it is written.
fn is_domain(text: &str) -> bool {
    let label = |l: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        !l.is_empty() && l.len() <= 63 && l.bytes().all(fits)
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn domain(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    if is_domain(&text) {
        return Some(text);
    }
    node.wrong(&text, "a domain name", "write it in lower case without the final dot: rpz.example.net", m)
}

fn sinkhole(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let name = text.contains('.') && is_domain(&text);
    if matches!(text.as_str(), "nxdomain" | "nodata") || text.parse::<std::net::IpAddr>().is_ok() || name {
        return Some(text);
    }
    let help = "write nxdomain, nodata, an address, or the name of a host";
    node.wrong(&text, "an answer", help, m)
}

fn http(
    fields: &Fields<'_>,
    name: Option<String>,
    taken: &mut Taken,
    m: &mut Vec<Mistake>,
) -> Option<ResponderConfig> {
    let allow = fields.required("allow", m).and_then(|n| n.list(m, host_and_port));
    let allow_private = fields.optional("allow_private").and_then(|n| n.list(m, Node::net_of));
    let token = fields.optional("token").and_then(|n| secret(n, m));
    let mut timeout = Span::secs(10);
    let range = Span::secs(1)..=Span::secs(25);
    set(&mut timeout, fields.optional("timeout").and_then(|n| n.span_within(range, m)));
    let calls = calls::read(fields, calls::By::Http, taken, m);
    fields.finish(&["name", "type", "allow", "allow_private", "token", "timeout", "calls"], m);
    Some(ResponderConfig::Http {
        name: name?,
        allow: allow?,
        allow_private: allow_private.unwrap_or_default(),
        token,
        timeout,
        calls,
    })
}

/// One host and one port: no patterns, no scheme.
fn host_and_port(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let parts = text.rsplit_once(':');
    let host = |h: &str| !h.is_empty() && !h.contains(['*', '/', '@', '?', '#', ' ']);
    if parts.is_some_and(|(h, p)| host(h) && p.parse::<u16>().is_ok_and(|p| p > 0)) {
        return Some(text);
    }
    node.wrong(
        &text,
        "a host with a port",
        "write for example edr.example.com:443; patterns are not known",
        m,
    )
}

impl Node {
    /// For lists of texts.
    fn string_of(&self, m: &mut Vec<Mistake>) -> Option<String> {
        self.string(m)
    }

    /// For lists of prefixes.
    pub(super) fn net_of(&self, m: &mut Vec<Mistake>) -> Option<IpNet> {
        self.net(m)
    }
}
