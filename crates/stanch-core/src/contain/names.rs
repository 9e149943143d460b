//! Does a change touch a protected name: an account, a group, a domain, a port? Both ways, and
//! through every spelling that means the same to somebody.
//!
//! Where two readings are possible the one that protects more is taken: a protected list that is a
//! little too wide costs a question, one that is a little too narrow costs the firm its directory.
//!
//! Source: SEC-51, SEC-61, SEC-62 and abuse cases 4 and 5.

use ipnet::IpNet;

use super::protect;
use super::target::Touched;
use crate::config::Thing;

/// Accounts that are nobody's to lock by machine, whatever the configuration says: the last way in.
///
/// Source: the built-in accounts of Unix, of Active Directory (RIDs 500 and 502) and of the usual
/// databases.
const LAST_WAY_IN: &[&str] = &[
    "root",
    "toor",
    "administrator",
    "admin",
    "krbtgt",
    "system",
    "localsystem",
    "daemon",
    "nobody",
    "postgres",
    "mysql",
    "sa",
    "oracle",
    "breakglass",
    "break-glass",
    "break_glass",
    "emergency",
];

/// Groups that hold a directory or a machine together.
///
/// Source: the built-in groups of Active Directory and of Debian.
const HOLD_IT_TOGETHER: &[&str] = &[
    "administrators",
    "domain admins",
    "enterprise admins",
    "schema admins",
    "domain controllers",
    "admins",
    "sudo",
    "wheel",
    "root",
    "adm",
];

/// Beginnings of names that programs sign in with.
const PROGRAMS: &[&str] = &["svc-", "svc_", "svc.", "service-", "service_", "sa-", "sa_", "gmsa-", "gmsa_"];

/// Labels below a country's domain under which anyone registers: `co.uk`, `com.au`.
///
/// Source: the second-level registrations of the Public Suffix List that more than one country uses.
const REGISTRIES: &[&str] = &[
    "ac", "asso", "co", "com", "edu", "firm", "gen", "gob", "gouv", "gov", "gv", "id", "idv", "in", "ind",
    "info", "lg", "ltd", "me", "mil", "mod", "ne", "net", "nhs", "nic", "nom", "or", "org", "plc", "police",
    "pro", "sch", "school", "web", "go", "gr", "ad", "ed", "govt", "maori", "health", "k12", "tm",
];

/// Names below which thousands of unrelated parties live.
///
/// Source: the private section of the Public Suffix List and the delivery networks' own pages,
/// read in 2026; `warninglists` knows more where a folder of them is configured.
const SHARED: &[&str] = &[
    "akamai.net",
    "akamaiedge.net",
    "akamaihd.net",
    "akamaized.net",
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azureedge.net",
    "azurewebsites.net",
    "blogspot.com",
    "cloudapp.net",
    "cloudflare.com",
    "cloudflare.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "core.windows.net",
    "digitaloceanspaces.com",
    "edgekey.net",
    "edgesuite.net",
    "fastly.net",
    "fastlylb.net",
    "firebaseapp.com",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "googleapis.com",
    "googleusercontent.com",
    "gstatic.com",
    "herokuapp.com",
    "in-addr.arpa",
    "ip6.arpa",
    "microsoftonline.com",
    "netlify.app",
    "office.com",
    "office365.com",
    "onmicrosoft.com",
    "outlook.com",
    "pages.dev",
    "root-servers.net",
    "run.app",
    "sharepoint.com",
    "slack.com",
    "trafficmanager.net",
    "vercel.app",
    "web.app",
    "windows.net",
    "windowsupdate.com",
    "workers.dev",
];

/// True when the two have something in common.
pub(super) fn meets(touched: &Touched, thing: &Thing) -> bool {
    match (touched, thing) {
        (Touched::Net(a), Thing::Net(b)) => protect::overlaps(a, b),
        (Touched::Account(a), Thing::Account(b)) => same_account(a, b),
        (Touched::Group(a), Thing::Group(b)) => a.eq_ignore_ascii_case(b),
        (Touched::Domain(a), Thing::Domain(b)) => related(a, b),
        (Touched::Port(a), Thing::Port(b)) => same_port(a, b),
        (Touched::Words(text), thing) => names(text, thing),
        (
            Touched::Net(_) | Touched::Account(_) | Touched::Group(_) | Touched::Domain(_) | Touched::Port(_),
            Thing::Net(_) | Thing::Account(_) | Thing::Group(_) | Thing::Domain(_) | Thing::Port(_),
        ) => false,
    }
}

/// Why a target is protected by nature, if it is.
pub(super) fn built_in(touched: &Touched) -> Option<String> {
    match touched {
        Touched::Net(net) => protect::built_in(net).map(str::to_owned),
        Touched::Account(name) => {
            last_way_in(name).then(|| "is the last way in when all else fails".to_owned())
        }
        Touched::Group(name) => HOLD_IT_TOGETHER
            .iter()
            .any(|g| g.eq_ignore_ascii_case(name))
            .then(|| "holds the directory together".to_owned()),
        Touched::Domain(name) => many_live_below(name),
        Touched::Port(_) => None,
        Touched::Words(text) => words_built_in(text),
    }
}

/// True for a name that programs sign in with, by its looks.
pub(super) fn looks_like_a_program(account: &str) -> bool {
    let local = local(account).to_ascii_lowercase();
    PROGRAMS.iter().any(|p| local.starts_with(p))
}

fn last_way_in(account: &str) -> bool {
    let local = local(account).to_ascii_lowercase();
    LAST_WAY_IN.contains(&local.as_str())
        || ["breakglass", "break-glass", "break_glass", "emergency"].iter().any(|p| local.starts_with(p))
}

/// The part before the realm.
fn local(account: &str) -> &str {
    account.split('@').next().unwrap_or_default()
}

/// Names of accounts are the same in every realm when one of them names none.
pub(super) fn same_account(a: &str, b: &str) -> bool {
    let (a_realm, b_realm) = (a.split_once('@').map(|(_, r)| r), b.split_once('@').map(|(_, r)| r));
    local(a).eq_ignore_ascii_case(local(b))
        && match (a_realm, b_realm) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, _) | (_, None) => true,
        }
}

/// The same name, or one above the other.
pub(super) fn related(a: &str, b: &str) -> bool {
    below(a, b) || below(b, a)
}

/// True when `name` is `above` or lies below it, label by label.
fn below(name: &str, above: &str) -> bool {
    let (name, above) = (name.strip_suffix('.').unwrap_or(name), above.strip_suffix('.').unwrap_or(above));
    let mut of_name = name.rsplit('.');
    above.rsplit('.').all(|label| of_name.next().is_some_and(|l| l.eq_ignore_ascii_case(label)))
}

/// A name that is one party's alone is a target; a registry or a shared house is not.
fn many_live_below(name: &str) -> Option<String> {
    let labels: Vec<&str> = name.split('.').collect();
    match labels[..] {
        [] | [_] => return Some("is a whole top-level domain".to_owned()),
        [second, country] if country.len() == 2 && REGISTRIES.contains(&second) => {
            return Some("is a registry: anyone has names below it".to_owned());
        }
        [..] => {}
    }
    // A name below a shared house is one party's; the house itself, and what lies above it, are not.
    let house = SHARED.iter().find(|house| below(house, name))?;
    Some(if *house == name {
        "is a house that thousands share".to_owned()
    } else {
        format!("is above {house}, which thousands share")
    })
}

/// The same port, also where one is written short: `Gi1/0/1` and `GigabitEthernet1/0/1`.
pub(super) fn same_port(a: &str, b: &str) -> bool {
    let split = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let at = lower.find(|c: char| c.is_ascii_digit()).unwrap_or(lower.len());
        (lower[..at].to_owned(), lower[at..].to_owned())
    };
    let ((a_word, a_number), (b_word, b_number)) = (split(a), split(b));
    a_number == b_number
        && if a_number.is_empty() {
            a_word == b_word
        } else {
            a_word.starts_with(&b_word) || b_word.starts_with(&a_word)
        }
}

/// Pieces of a text that might name something, each alone.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let tokens = text
        .split(|c: char| c.is_whitespace() || c.is_control() || ",;'\"()[]{}<>|=&?!#".contains(c))
        .filter(|t| !t.is_empty());
    tokens.flat_map(|token| {
        let parts = token.split(['/', '@', '\\']).chain(token.split(':'));
        let hosts = token.split(['/', '@', ':', '\\']);
        std::iter::once(token).chain(parts).chain(hosts).filter(|p| !p.is_empty())
    })
}

fn as_net(piece: &str) -> Option<IpNet> {
    let piece = piece.trim_end_matches('.');
    piece.parse::<IpNet>().ok().or_else(|| piece.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

/// True when a text names a protected thing anywhere.
fn names(text: &str, thing: &Thing) -> bool {
    let whole = text.trim();
    match thing {
        Thing::Net(net) => pieces(text).filter_map(as_net).any(|n| protect::overlaps(&n, net)),
        Thing::Account(account) => {
            same_account(whole, account) || pieces(text).any(|p| same_account(p, account))
        }
        Thing::Group(group) => {
            whole.eq_ignore_ascii_case(group) || pieces(text).any(|p| p.eq_ignore_ascii_case(group))
        }
        // A text that merely holds a single word is not a parent of everything.
        Thing::Domain(domain) => pieces(text).any(|p| {
            // However many dots stand around it, some reader takes the name out of them.
            let name = p.trim_matches('.');
            p.contains('.') && related(name, domain) || below(name, domain)
        }),
        Thing::Port(port) => pieces(text).any(|p| same_port(p, port)),
    }
}

fn words_built_in(text: &str) -> Option<String> {
    let net = pieces(text).filter_map(as_net).find_map(|n| protect::built_in(&n));
    let account = || last_way_in(text.trim()).then_some("is the last way in when all else fails");
    net.or_else(account).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Option<String> {
        built_in(&Touched::Domain(name.to_owned()))
    }

    #[test]
    fn a_name_is_related_to_what_is_above_and_below_it_and_not_to_what_only_looks_like_it() {
        for (a, b) in [
            ("ours.example", "ours.example"),
            ("www.ours.example", "ours.example"),
            ("example", "ours.example"),
            ("OURS.example.", "ours.example"),
        ] {
            assert!(related(a, b) && related(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("notours.example", "ours.example"),
            ("ours.example.evil", "ours.example"),
            ("a.example", "b.example"),
            ("ours", "ours.example"),
        ] {
            assert!(!related(a, b) && !related(b, a), "{a} {b}");
        }
    }

    #[test]
    fn registries_and_shared_houses_are_nobodys_to_sinkhole_but_names_below_them_are() {
        for name in [
            "com",
            "co.uk",
            "com.au",
            "amazonaws.com",
            "github.io",
            "windows.net",
            "core.windows.net",
            "net",
            "arpa",
            "root-servers.net",
        ] {
            assert!(domain(name).is_some(), "{name}");
        }
        for name in [
            "evil.com",
            "evil.co.uk",
            "evil.github.io",
            "x.s3.amazonaws.com",
            "co.example",
            "sch.org",
            "evil.de",
        ] {
            assert_eq!(domain(name), None, "{name}");
        }
        assert_eq!(
            domain("windows.net").as_deref(),
            Some("is above core.windows.net, which thousands share")
        );
        assert_eq!(domain("github.io").as_deref(), Some("is a house that thousands share"));
        assert_eq!(domain("co.uk").as_deref(), Some("is a registry: anyone has names below it"));
    }

    #[test]
    fn accounts_are_the_same_whatever_the_case_and_in_every_realm_unless_both_name_one() {
        for (a, b) in [
            ("alice", "Alice"),
            ("alice@corp.example", "alice"),
            ("ALICE", "alice@corp.example"),
            ("a@X.example", "a@x.example"),
        ] {
            assert!(same_account(a, b) && same_account(b, a), "{a} {b}");
        }
        for (a, b) in [("alice", "alicia"), ("a@x.example", "a@y.example"), ("alice", "malice")] {
            assert!(!same_account(a, b) && !same_account(b, a), "{a} {b}");
        }
        for name in ["root", "Administrator", "root@corp.example", "breakglass-2", "KRBTGT", "emergency1"] {
            assert!(built_in(&Touched::Account(name.into())).is_some(), "{name}");
        }
        for name in ["alice", "rooted", "svc-backup", "administrator2"] {
            assert_eq!(built_in(&Touched::Account(name.into())), None, "{name}");
        }
        assert!(looks_like_a_program("SVC-backup@corp.example") && !looks_like_a_program("svcalice"));
        assert!(built_in(&Touched::Group("domain admins".into())).is_some());
        assert_eq!(built_in(&Touched::Group("vpn-users".into())), None);
    }

    #[test]
    fn a_port_is_the_same_port_written_short_or_long() {
        for (a, b) in [
            ("Gi1/0/1", "GigabitEthernet1/0/1"),
            ("veth-a1", "VETH-A1"),
            ("1", "port1"),
            ("p1.100", "port1.100"),
        ] {
            assert!(same_port(a, b) && same_port(b, a), "{a} {b}");
        }
        for (a, b) in [("Gi1/0/1", "Gi1/0/11"), ("Gi1/0/1", "Te1/0/1"), ("p1", "p2"), ("ab", "abc")] {
            assert!(!same_port(a, b) && !same_port(b, a), "{a} {b}");
        }
        assert_eq!(built_in(&Touched::Port("p1".into())), None);
    }

    #[test]
    fn text_is_searched_for_everything_it_might_name() {
        let hits = |text: &str, thing: Thing| names(text, &thing);
        let net = || Thing::Net("10.0.0.0/24".parse().expect("net"));
        for text in [
            "10.0.0.9",
            "block 10.0.0.9, please",
            "https://10.0.0.9/x",
            "10.0.0.9:443",
            "10.0.0.0/8",
            "[10.0.0.9]",
            "user@10.0.0.9",
            "::ffff:10.0.0.9",
            "at 10.0.0.9.",
        ] {
            assert!(hits(text, net()), "{text}");
        }
        assert!(!hits("10.0.1.9", net()));
        let dom = || Thing::Domain("ours.example".into());
        for text in [
            "ours.example",
            "https://www.ours.example:8443/x",
            "mail a@ours.example",
            "x.ours.example..",
            "..ours.example",
        ] {
            assert!(hits(text, dom()), "{text}");
        }
        for text in ["example", "notours.example", "ours"] {
            assert!(!hits(text, dom()), "{text}");
        }
        let account = || Thing::Account("alice".into());
        for text in ["alice", "CORP\\alice", "user=alice", "alice@corp.example", "disable Alice now"] {
            assert!(hits(text, account()), "{text}");
        }
        assert!(!hits("malice", account()));
        assert!(hits("Domain Users", Thing::Group("domain users".into())));
        assert!(hits("switch:Gi1/0/1", Thing::Port("GigabitEthernet1/0/1".into())));
        assert!(words_built_in("127.0.0.1").is_some() && words_built_in("root").is_some());
        assert_eq!(words_built_in("203.0.113.9"), None);
    }

    #[test]
    fn things_of_different_kinds_have_nothing_in_common() {
        let net: IpNet = "10.0.0.1/32".parse().expect("net");
        assert!(!meets(&Touched::Net(net), &Thing::Account("10.0.0.1".into())));
        assert!(!meets(&Touched::Account("a.example".into()), &Thing::Domain("a.example".into())));
        assert!(!meets(&Touched::Domain("a.example".into()), &Thing::Account("a.example".into())));
        assert!(!meets(&Touched::Port("p1".into()), &Thing::Group("p1".into())));
        assert!(!meets(&Touched::Group("p1".into()), &Thing::Port("p1".into())));
        assert!(meets(&Touched::Net(net), &Thing::Net(net)));
        assert!(meets(&Touched::Group("A".into()), &Thing::Group("a".into())));
        assert!(meets(&Touched::Port("A1".into()), &Thing::Port("a1".into())));
    }
}
