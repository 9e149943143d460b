//! What may be the target of a change that is not aimed at an address: one strict spelling for
//! accounts, groups, names, switch ports and VLANs; everything else is refused.
//!
//! A name that reaches a directory, a resolver or a switch must mean the same thing there as here.
//! So there is no quoting to get wrong: characters that mean something to LDAP, to a shell or to a
//! zone file do not pass at all.
//!
//! Source: SEC-55, SEC-61, SEC-62 and abuse cases 3 to 5; RFC 1035 section 2.3.1 and RFC 5891
//! section 4.2.3.1 for names; RFC 4514 and RFC 4515 for what LDAP treats specially; IEEE 802.1Q for
//! VLANs.

use ipnet::IpNet;
use stanch_model::{ActionKind, Observable, ObservableKind};

use super::address::parse_target;
use crate::Reason;

/// Longest account or group name, in bytes. Source: 256 is the limit of Active Directory's
/// `sAMAccountName` for groups; user names are shorter everywhere.
const MAX_ACCOUNT: usize = 256;
/// Longest port name, in bytes. Source: the longest of the vendors' own is under 40.
const MAX_PORT: usize = 64;
/// Longest name, in bytes. Source: RFC 1035 section 2.3.4, less the root's dot.
const MAX_DOMAIN: usize = 253;
/// Longest label of a name, in bytes. Source: RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;
/// Longest subject of a call, in bytes.
const MAX_SUBJECT: usize = 256;
/// Longest input of a call, in bytes.
const MAX_INPUT: usize = 8 * 1024;

/// One thing that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// An address or prefix.
    Net(IpNet),
    /// An account.
    Account(String),
    /// A group.
    Group(String),
    /// A name and all names below it.
    Domain(String),
    /// A switch port.
    Port(String),
    /// Text that may name anything: the subject or an input of a call.
    Words(String),
}

impl Touched {
    /// As people write it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Touched::Net(net) => stanch_model::action::plain(net),
            Touched::Account(text) | Touched::Domain(text) | Touched::Words(text) => echo(text),
            Touched::Group(text) => format!("group {}", echo(text)),
            Touched::Port(text) => format!("port {}", echo(text)),
        }
    }
}

/// Everything that a change touches.
#[must_use]
pub fn touched(kind: &ActionKind) -> Vec<Touched> {
    match kind {
        ActionKind::BlockAddress { target }
        | ActionKind::LimitAddress { target, .. }
        | ActionKind::BlockPort { target, .. } => vec![Touched::Net(*target)],
        ActionKind::QuarantinePort { port, .. } => vec![Touched::Port(port.clone())],
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account } => vec![Touched::Account(account.clone())],
        ActionKind::RemoveFromGroup { account, group } => {
            vec![Touched::Account(account.clone()), Touched::Group(group.clone())]
        }
        ActionKind::SinkholeDomain { domain } => vec![Touched::Domain(domain.clone())],
        ActionKind::Call { subject, inputs, .. } => {
            let inputs = inputs.values().cloned().map(Touched::Words);
            std::iter::once(Touched::Words(subject.clone())).chain(inputs).collect()
        }
    }
}

/// What the look-ups are asked about: the target itself.
#[must_use]
pub fn observable(kind: &ActionKind) -> Observable {
    let (what, value) = match kind {
        ActionKind::BlockAddress { target }
        | ActionKind::LimitAddress { target, .. }
        | ActionKind::BlockPort { target, .. } => (ObservableKind::Ip, target.addr().to_string()),
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account }
        | ActionKind::RemoveFromGroup { account, .. } => (ObservableKind::User, account.clone()),
        ActionKind::SinkholeDomain { domain } => (ObservableKind::Hostname, domain.clone()),
        ActionKind::QuarantinePort { port, .. } => (ObservableKind::Hostname, port.clone()),
        ActionKind::Call { subject, .. } => {
            let what = match subject {
                s if parse_target(s).is_ok() => ObservableKind::Ip,
                s if s.contains('@') => ObservableKind::Email,
                s if parse_domain(s).is_ok() => ObservableKind::Hostname,
                _ => ObservableKind::User,
            };
            (what, subject.clone())
        }
    };
    Observable::new(what, value)
}

/// Reads an account's name: letters, digits, `.`, `_`, `-`, `+`, and one `@` before a realm.
///
/// # Errors
/// In words, what is wrong. Never guesses, never strips.
pub fn parse_account(text: &str) -> Result<String, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("account \"{}\" refused: {why}", echo(text))));
    if text.is_empty() {
        return Err(Reason::new("account refused: it is empty"));
    }
    if text.len() > MAX_ACCOUNT {
        return refuse("too long for an account");
    }
    if !text.is_ascii() {
        return refuse("it contains characters that may only look like those of the account");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
        let odd = odd.escape_debug();
        return refuse(&format!(
            "\"{odd}\" means something to a directory or a shell; it is never passed on"
        ));
    }
    let (local, realm) = match text.split_once('@') {
        Some((local, realm)) => (local, Some(realm)),
        None => (text, None),
    };
    if !local.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return refuse("it must begin with a letter or a digit");
    }
    match realm {
        Some(realm) if read_name(realm).is_err() => refuse("what follows the @ is not a realm"),
        Some(_) | None => Ok(text.to_owned()),
    }
}

/// Reads a group's name: as an account's, also with blanks between words, without a realm.
///
/// # Errors
/// As [`parse_account`].
pub fn parse_group(text: &str) -> Result<String, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("group \"{}\" refused: {why}", echo(text))));
    if text.is_empty() {
        return Err(Reason::new("group refused: it is empty"));
    }
    if text.len() > MAX_ACCOUNT {
        return refuse("too long for a group");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
        let odd = odd.escape_debug();
        return refuse(&format!(
            "\"{odd}\" means something to a directory or a shell; it is never passed on"
        ));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') || text.ends_with(' ') {
        return refuse("it must begin with a letter or a digit and not end with a blank");
    }
    Ok(text.to_owned())
}

/// Reads a name: letters, digits and hyphens in labels between dots, at least two of them. Capital
/// letters and one final dot are understood; the result has neither.
///
/// # Errors
/// In words, what is wrong and why it matters.
pub fn parse_domain(text: &str) -> Result<String, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("name \"{}\" refused: {why}", echo(text))));
    if text.is_empty() {
        return Err(Reason::new("name refused: it is empty"));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    match read_name(&name) {
        Err(why) => refuse(&why),
        Ok(()) if !name.contains('.') => {
            refuse("a single label is a whole top-level domain, or means nothing outside")
        }
        Ok(()) => Ok(name),
    }
}

/// A name in its canonical spelling, with one label or more.
fn read_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_DOMAIN {
        return Err(format!("longer than {MAX_DOMAIN} characters"));
    }
    if !name.is_ascii() {
        return Err("write the name as resolvers see it, with labels that begin with xn--".to_owned());
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("it has an empty label".to_owned());
        }
        if label.len() > MAX_LABEL {
            return Err(format!("a label is longer than {MAX_LABEL} characters"));
        }
        if let Some(odd) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(match odd {
                '*' => "a sinkhole covers all names below by itself; leave the * out".to_owned(),
                '_' => "host names have no _".to_owned(),
                odd => format!("\"{}\" cannot be in a host name", odd.escape_debug()),
            });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a label begins or ends with a hyphen".to_owned());
        }
        let bytes = label.as_bytes();
        if bytes.get(2) == Some(&b'-')
            && bytes.get(3) == Some(&b'-')
            && (!label.starts_with("xn--") || label.len() < 5)
        {
            return Err("a label has hyphens where only xn-- may".to_owned());
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err("it is an address, not a name".to_owned());
    }
    Ok(())
}

/// Reads a port as its switch names it: letters, digits, `-`, `_`, `.`, `/` and `:`.
///
/// # Errors
/// In words, what is wrong.
pub fn parse_port(text: &str) -> Result<String, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("port \"{}\" refused: {why}", echo(text))));
    if text.is_empty() {
        return Err(Reason::new("port refused: it is empty"));
    }
    if text.len() > MAX_PORT {
        return refuse("too long for a port");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
        return refuse(&format!("\"{}\" is in no switch's port names", odd.escape_debug()));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.contains("..") || text.contains("//") {
        return refuse("it must begin with a letter or a digit, and is not a path");
    }
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return refuse("a port has a number; a word alone may mean many");
    }
    Ok(text.to_owned())
}

/// Reads the subject of a call: printable text, and where it looks like an address, a strict one.
///
/// # Errors
/// In words, what is wrong.
pub fn parse_subject(text: &str) -> Result<String, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("subject \"{}\" refused: {why}", echo(text))));
    if text.trim().is_empty() {
        return Err(Reason::new("subject refused: it is empty; nobody could tell whom the call is about"));
    }
    if text.len() > MAX_SUBJECT {
        return refuse("too long");
    }
    if text.chars().any(crate::expr::hidden) {
        return refuse("it contains control characters");
    }
    let numeric =
        text.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'/' | b'x' | b'X'));
    if numeric && text.contains(['.', ':']) && parse_domain(text).is_err() {
        parse_target(text)?;
    }
    Ok(text.to_owned())
}

/// What is wrong with a change as it stands, however it was built: each with the rule it breaks.
#[must_use]
pub fn malformed(kind: &ActionKind) -> Vec<Reason> {
    let mut wrong = Vec::new();
    // A spelling that reads as another one is not the one people saw.
    let mut exact = |read: Result<String, Reason>, text: &str| match read {
        Ok(same) if same == text => {}
        Ok(other) => wrong.push(Reason::new(format!("target: \"{}\" must be written {other}", echo(text)))),
        Err(why) => wrong.push(Reason::new(format!("target: {why}"))),
    };
    match kind {
        // Prefixes are judged by width and protection.
        ActionKind::BlockAddress { .. } => {}
        ActionKind::LimitAddress { packets_per_second, .. } => {
            if *packets_per_second == 0 {
                wrong.push(Reason::new("target: a limit of 0 packets a second is a block; ask for a block"));
            }
        }
        ActionKind::BlockPort { port, .. } => {
            if *port == 0 {
                wrong.push(Reason::new("target: there is no port 0"));
            }
        }
        ActionKind::QuarantinePort { port, vlan } => {
            exact(parse_port(port), port);
            if !(1..=4094).contains(vlan) {
                wrong.push(Reason::new(format!("target: VLAN {vlan} is not one of 1 to 4094")));
            }
        }
        ActionKind::LockAccount { account }
        | ActionKind::UnlockAccount { account }
        | ActionKind::ResetCredential { account } => exact(parse_account(account), account),
        ActionKind::RemoveFromGroup { account, group } => {
            exact(parse_account(account), account);
            exact(parse_group(group), group);
        }
        ActionKind::SinkholeDomain { domain } => exact(parse_domain(domain), domain),
        ActionKind::Call { subject, inputs, .. } => {
            exact(parse_subject(subject), subject);
            for (name, value) in inputs {
                if value.len() > MAX_INPUT || value.contains('\0') {
                    wrong.push(Reason::new(format!("target: input {} is too long or binary", echo(name))));
                }
            }
        }
    }
    wrong
}

/// The text as it may be shown: short, and without anything that could move the cursor.
pub(super) fn echo(text: &str) -> String {
    text.chars().take(MAX_PORT).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
