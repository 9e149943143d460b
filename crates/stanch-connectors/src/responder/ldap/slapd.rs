//! A real slapd for tests: its own folder, its own port, a small company in it.

use std::net::SocketAddr;

use super::*;
use crate::responder::contract::daemon::{self, Daemon, tool};

pub(super) const ROOT: &str = "cn=admin,dc=example,dc=com";
pub(super) const PASSWORD: &str = "lab-only";
const SUFFIX: &str = "dc=example,dc=com";

pub(super) struct Slapd {
    pub(super) at: SocketAddr,
    /// The authority that signed its certificate for `localhost`.
    pub(super) ca: PathBuf,
    _daemon: Daemon,
    _dir: tempfile::TempDir,
}

const COMPANY: &str = "\
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=default,dc=example,dc=com
objectClass: organizationalRole
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: shadowAccount
uid: alice
cn: Alice
sn: A
uidNumber: 1001
gidNumber: 1001
homeDirectory: /home/alice
shadowExpire: 30000
userPassword: alice-password
description: Accounts payable

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
userPassword: bob-password

dn: uid=a*b (x)\\\\,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: a*b (x)\\
cn: Odd
sn: Odd

dn: cn=vpn,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: vpn
member: uid=Alice,ou=people,dc=example,dc=com
member: uid=bob,ou=people,dc=example,dc=com

dn: cn=unix,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: unix
gidNumber: 2000
memberUid: alice

dn: cn=lonely,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: lonely
member: uid=alice,ou=people,dc=example,dc=com
";

impl Slapd {
    /// Starts one, with or without a password policy; none where slapd is not installed.
    pub(super) fn start(ppolicy: bool) -> Option<Slapd> {
        if !daemon::have(&[
            ("slapd", "slapd"),
            ("slapadd", "slapd"),
            ("ldapsearch", "ldap-utils"),
            ("openssl", "openssl"),
        ]) {
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let (conf, data) = (dir.path().join("slapd.conf"), dir.path().join("data"));
        std::fs::create_dir(&data).expect("a folder");
        let schema = ["core", "cosine", "inetorgperson", "nis"]
            .map(|s| format!("include /etc/ldap/schema/{s}.schema\n"));
        let overlay =
            if ppolicy { "overlay ppolicy\nppolicy_default cn=default,dc=example,dc=com\n" } else { "" };
        let tls = certificates(dir.path());
        let text = format!(
            "{}{tls}modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\npidfile {dir}/pid\nargsfile {dir}/args\n\
             database mdb\nsuffix {SUFFIX}\nrootdn {ROOT}\nrootpw {PASSWORD}\ndirectory {data}\n\
             access to * by dn.exact=\"{STANCH}\" write by * auth\n{overlay}",
            schema.concat(),
            STANCH = "cn=stanch,dc=example,dc=com",
            dir = dir.path().display(),
            data = data.display(),
        );
        std::fs::write(&conf, text).expect("written");
        let conf = conf.display().to_string();
        tool("slapadd", &["-f", &conf], COMPANY).expect("the company");
        let at = SocketAddr::from(([127, 0, 0, 1], daemon::free_port()));
        let slapd = crate::responder::run::find("slapd").expect("installed").display().to_string();
        let _daemon = Daemon::start(&[&slapd, "-f", &conf, "-h", &format!("ldap://{at}"), "-d", "0"]);
        assert!(daemon::listens(at), "slapd did not start");
        Some(Slapd { at, ca: dir.path().join("ca.pem"), _daemon, _dir: dir })
    }

    pub(super) fn config(&self, at: SocketAddr) -> LdapConfig {
        let mut config = LdapConfig::new(
            "directory",
            format!("ldap://{at}"),
            ROOT,
            Secret::new(PASSWORD),
            format!("ou=people,{SUFFIX}"),
        );
        config.tls = LdapTls::None;
        config.groups = Some(format!("ou=groups,{SUFFIX}"));
        config.seal_key = Some(Secret::new("0123456789abcdef0123456789abcdef"));
        config
    }

    /// Everything in the directory as LDIF, lines of each entry sorted, without what the server
    /// counts for itself.
    pub(super) fn ldif(&self) -> String {
        let url = format!("ldap://{}", self.at);
        let args = [
            "-x",
            "-LLL",
            "-o",
            "ldif-wrap=no",
            "-H",
            &url,
            "-D",
            ROOT,
            "-w",
            PASSWORD,
            "-b",
            SUFFIX,
            "*",
            "+",
        ];
        let text = tool("ldapsearch", &args, "").expect("readable");
        let own = [
            "entryCSN",
            "modifyTimestamp",
            "modifiersName",
            "pwdChangedTime",
            "pwdHistory",
            "createTimestamp",
        ];
        let entry = |text: &str| {
            let mut lines: Vec<&str> =
                text.lines().filter(|l| !own.iter().any(|name| l.starts_with(name))).collect();
            lines.sort_unstable();
            lines.join("\n")
        };
        text.split("\n\n").map(entry).collect::<Vec<_>>().join("\n\n")
    }

    /// Whether this password lets this person in.
    pub(super) fn lets_in(&self, uid: &str, password: &str) -> bool {
        let (url, dn) = (format!("ldap://{}", self.at), format!("uid={uid},ou=people,{SUFFIX}"));
        tool("ldapwhoami", &["-x", "-H", &url, "-D", &dn, "-w", password], "").is_ok()
    }

    /// A change by somebody else.
    pub(super) fn by_hand(&self, ldif: &str) {
        let url = format!("ldap://{}", self.at);
        tool("ldapmodify", &["-x", "-H", &url, "-D", ROOT, "-w", PASSWORD], ldif).expect("changed by hand");
    }
}

/// An authority and a certificate for `localhost`; the lines that name them to slapd.
fn certificates(dir: &std::path::Path) -> String {
    let at = |name: &str| dir.join(name).display().to_string();
    let (ca, ca_key, cert, key) = (at("ca.pem"), at("ca.key"), at("cert.pem"), at("key.pem"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let authority = ["-subj", "/CN=lab authority", "-keyout", &ca_key, "-out", &ca];
    tool("openssl", &[&new[..], &authority].concat(), "").expect("an authority");
    let server = ["-CA", &ca, "-CAkey", &ca_key, "-subj", "/CN=localhost", "-keyout", &key, "-out", &cert];
    let names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    tool("openssl", &[&new[..], &server, &names].concat(), "").expect("a certificate");
    format!("TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n")
}
