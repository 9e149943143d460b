//! Names of people and machines, and secrets, replaced by placeholders before text leaves.
//!
//! The same value gets the same placeholder (`USER_1`) everywhere in one question, and comes back in its
//! place afterwards. What looks like a placeholder in the text of an alert is replaced as well, so that
//! nobody can ask for somebody else's value.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A password, key or token.
    Secret,
    /// An e-mail address.
    Mail,
    /// A person's or a service's account.
    User,
    /// A machine's name.
    Host,
    /// An address of ours.
    Address,
}

impl Class {
    const fn word(self) -> &'static str {
        match self {
            Class::Secret => "SECRET",
            Class::Mail => "MAIL",
            Class::User => "USER",
            Class::Host => "HOST",
            Class::Address => "ADDRESS",
        }
    }
}

/// What was replaced, and by what.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    names: BTreeMap<(Class, String), String>,
    values: BTreeMap<String, String>,
    /// Values that are known beforehand, in lower case.
    known: BTreeMap<String, Class>,
}

/// Patterns, the first group (or the whole) is what is replaced. Order does not matter: the leftmost
/// counts, then the longest.
static PATTERNS: LazyLock<Vec<(Class, Regex)>> = LazyLock::new(|| {
    let list: &[(Class, &str)] = &[
        (Class::Mail, r"[A-Za-z0-9._%+\-']+@[A-Za-z0-9][A-Za-z0-9.\-]*"),
        (Class::Secret, r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
        (
            Class::Secret,
            r#"(?i)\b(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth|credential|session(?:id)?|cookie|community)\b["']?\s*(?:[:=]|\bis\b)\s*["']?([^\s"',;&]{2,})"#,
        ),
        (Class::Secret, r"(?i)\b(?:bearer|basic|digest)\s+([A-Za-z0-9._~+/=\-]{8,})"),
        (Class::Secret, r"(?i)authorization\s*:\s*(\S.*)"),
        (Class::Secret, r"://[^/\s:@]+:([^/\s@]+)@"),
        (Class::Secret, r"\beyJ[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*){1,2}"),
        (Class::Secret, r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
        (
            Class::Secret,
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abpors]-|sk-|hf_|whsec_|AIza)[A-Za-z0-9_\-]{8,}",
        ),
        (Class::Secret, r"\b[A-Fa-f0-9]{32,}\b"),
        (Class::Secret, r"[A-Za-z0-9+/_\-]{40,}={0,2}"),
        (
            Class::User,
            r#"(?i)\b(?:user(?:[ _-]?name)?|account|login|logname|uid|euid|ruser|samaccountname|subject)\s*[=:]\s*["']?([^\s"',;]{1,64})"#,
        ),
        (
            Class::User,
            r#"(?i)\b(?:for|by|of|from)\s+(?:invalid\s+|illegal\s+)?user\s+["']?([^\s"',;]{1,64})"#,
        ),
        (Class::User, r"(?i)(?:/home/|/Users/|\\Users\\)([A-Za-z0-9._\-]{1,64})"),
        (Class::User, r"\b[A-Z][A-Z0-9\-]{1,14}\\([A-Za-z0-9._$\-]{1,64})"),
        // What only looks like ours.
        (Class::Secret, r"(?i)\b(?:SECRET|MAIL|USER|HOST|ADDRESS)_[0-9]+"),
        (Class::Address, r"[0-9A-Fa-f:.]*[0-9A-Fa-f][0-9A-Fa-f:.]*"),
    ];
    // A pattern that cannot be compiled would be a bug that the first test finds.
    list.iter().filter_map(|(class, text)| Some((*class, Regex::new(text).ok()?))).collect()
});

impl Redaction {
    /// Knows these values wherever they stand: accounts, machines, addresses of ours.
    pub(super) fn knowing(known: impl IntoIterator<Item = (Class, String)>) -> Redaction {
        let known = known.into_iter().filter(|(_, v)| v.trim().len() > 1);
        let known = known.map(|(class, v)| (v.trim().to_ascii_lowercase(), class)).collect();
        Redaction { known, ..Redaction::default() }
    }

    /// The text without what must stay here.
    pub(super) fn hide(&mut self, text: &str) -> String {
        let mut found = self.found(text);
        found.sort_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (from, to, class) in found {
            if from < done {
                continue;
            }
            let name = self.name(class, &text[from..to]);
            out.push_str(&text[done..from]);
            out.push_str(&name);
            done = to;
        }
        out.push_str(&text[done..]);
        out
    }

    fn found(&self, text: &str) -> Vec<(usize, usize, Class)> {
        let mut found = Vec::new();
        for (class, pattern) in PATTERNS.iter() {
            for c in pattern.captures_iter(text) {
                let Some(m) = c.get(1).or_else(|| c.get(0)) else { continue };
                let (from, to) = (m.start(), m.end());
                if *class != Class::Address {
                    found.push((from, to, *class));
                } else if let Some(to) = ours(&text[from..to]).map(|n| from + n) {
                    found.push((from, to, *class));
                }
            }
        }
        let lower = text.to_ascii_lowercase();
        for (value, class) in &self.known {
            for (from, hit) in lower.match_indices(value.as_str()) {
                let to = from + hit.len();
                let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                if !inside(lower[..from].chars().next_back()) && !inside(lower[to..].chars().next()) {
                    found.push((from, to, *class));
                }
            }
        }
        found
    }

    fn name(&mut self, class: Class, value: &str) -> String {
        let key = (class, value.to_ascii_lowercase());
        // Known from now on, also where it stands alone.
        if value.trim().len() > 1 {
            self.known.entry(key.1.clone()).or_insert(class);
        }
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let number = self.names.keys().filter(|(c, _)| *c == class).count() + 1;
        let name = format!("{}_{number}", class.word());
        self.names.insert(key, name.clone());
        self.values.insert(name.clone(), value.to_owned());
        name
    }

    /// Puts the values back. What could not stand in plain text keeps its placeholder.
    ///
    /// # Errors
    /// When it holds a placeholder that was never given.
    pub(super) fn put_back(&self, text: &str) -> Result<String, ()> {
        static NAMED: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"(?i)(?:SECRET|MAIL|USER|HOST|ADDRESS)_[0-9]+").ok());
        let Some(named) = NAMED.as_ref() else { return Err(()) };
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for m in named.find_iter(text) {
            let value = self.values.get(m.as_str()).ok_or(())?;
            out.push_str(&text[done..m.start()]);
            out.push_str(if shows(value) { value } else { m.as_str() });
            done = m.end();
        }
        out.push_str(&text[done..]);
        Ok(out)
    }

    /// Everything that must not leave, for tests.
    #[cfg(test)]
    pub(super) fn values(&self) -> BTreeSet<&str> {
        self.values.values().map(String::as_str).collect()
    }
}

/// True for a value that is a plain name: what an attacker made of links or markup stays a placeholder.
fn shows(value: &str) -> bool {
    value.len() <= 128
        && !value.contains("//")
        && value
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '$' | '+' | ' '))
}

/// How much of this begins with an address that is not one of the internet; none when it does not.
fn ours(token: &str) -> Option<usize> {
    let trimmed = token.trim_end_matches(['.', ':']);
    let ip: IpAddr = match trimmed.parse() {
        Ok(ip) => ip,
        // An address with its port.
        Err(_) => trimmed.rsplit_once(':')?.0.parse().ok()?,
    };
    let local = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    };
    let whole = if trimmed.parse::<IpAddr>().is_ok() { trimmed } else { trimmed.rsplit_once(':')?.0 };
    local.then_some(whole.len())
}

/// Values of an incident that must not leave, from who takes part and what is known about them.
pub(super) fn known_of(incident: &crate::journal::incident::Incident) -> BTreeSet<(Class, String)> {
    use stanch_model::{Meaning, ObservableKind};
    let mut known = BTreeSet::new();
    for entity in incident.entities.keys() {
        if let Some(user) = entity.strip_prefix("user:") {
            known.insert((Class::User, user.to_owned()));
        } else if let Some(host) = entity.strip_prefix("host:") {
            known.insert((Class::Host, host.to_owned()));
        }
    }
    for ip in incident.own_addresses() {
        known.insert((Class::Address, ip.to_string()));
    }
    for fact in incident.facts.values() {
        match fact.about.kind {
            ObservableKind::User => drop(known.insert((Class::User, fact.about.value.clone()))),
            ObservableKind::Email => drop(known.insert((Class::Mail, fact.about.value.clone()))),
            ObservableKind::Ip
            | ObservableKind::Hostname
            | ObservableKind::Url
            | ObservableKind::Hash
            | ObservableKind::Mac
            | ObservableKind::File
            | ObservableKind::Process => {}
        }
        if let Meaning::Asset { name, owner, .. } = &fact.meaning {
            known.insert((Class::Host, name.clone()));
            known.extend(owner.iter().map(|o| (Class::User, o.clone())));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Redaction {
        Redaction::knowing([
            (Class::User, "olga".to_owned()),
            (Class::Host, "web-1".to_owned()),
            (Class::Address, "198.51.100.7".to_owned()),
        ])
    }

    #[test]
    fn people_machines_and_secrets_leave_as_placeholders_and_come_back() {
        let cases = [
            (
                "Failed password for invalid user Bob from 10.0.0.5 port 22",
                "Failed password for invalid user USER_1 from ADDRESS_1 port 22",
            ),
            (
                "OLGA on web-1 (198.51.100.7) wrote to a.b@mail.example.org",
                "USER_1 on HOST_1 (ADDRESS_1) wrote to MAIL_1",
            ),
            ("curl -H 'Authorization: Bearer abcdefgh12345678'", "curl -H 'Authorization: SECRET_1"),
            ("login ok; password=hunter2; token: t0k3n-99", "login ok; password=SECRET_1; token: SECRET_2"),
            ("key AKIAIOSFODNN7EXAMPLE in /home/ivan/x", "key SECRET_1 in /home/USER_1/x"),
            ("jwt eyJhbGciOi.eyJzdWIi.c2lnbmF0 seen", "jwt SECRET_1 seen"),
            ("http://u:pw@host/", "http://u:MAIL_1/"),
            ("CORP\\petra logged on; user=petra", "CORP\\USER_1 logged on; user=USER_1"),
            ("203.0.113.9 → 10.0.0.5:443 and fd00::1", "203.0.113.9 → ADDRESS_1:443 and ADDRESS_2"),
            ("say USER_1 and SECRET_7", "say SECRET_1 and SECRET_2"),
            ("web-10 and volga are others", "web-10 and volga are others"),
        ];
        for (text, hidden) in cases {
            let mut r = known();
            assert_eq!(r.hide(text), hidden);
            for value in r.values() {
                assert!(!hidden.contains(value), "{value} in {hidden}");
            }
        }
        let mut r = known();
        let hidden = r.hide("olga wrote to a.b@mail.example.org from web-1");
        assert_eq!(r.put_back(&hidden), Ok("olga wrote to a.b@mail.example.org from web-1".to_owned()));
    }

    #[test]
    fn the_same_value_has_the_same_placeholder_and_an_unknown_one_is_refused() {
        let mut r = known();
        assert_eq!(r.hide("olga, Olga and user=ivan"), "USER_1, USER_1 and user=USER_2");
        assert_eq!(r.hide("ivan again: user=ivan"), "USER_2 again: user=USER_2");
        assert_eq!(r.put_back("USER_3 did it"), Err(()));
        assert_eq!(r.put_back("user_1 did it"), Err(()), "as given, or not at all");
    }

    #[test]
    fn a_value_that_is_a_link_stays_a_placeholder() {
        let mut r = Redaction::default();
        let hidden = r.hide("user=http://evil.example/x");
        assert_eq!(hidden, "user=USER_1");
        assert_eq!(r.put_back("USER_1 logged in"), Ok("USER_1 logged in".to_owned()));
    }
}
