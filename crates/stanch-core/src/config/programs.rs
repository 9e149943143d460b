//! `programs` in `policies/people.yaml`: who comes in with a client certificate, and the names that
//! certificates carry.
//!
//! A certificate says who a program is by a URI or a DNS name in it, compared whole: there are no
//! patterns, and the common name is not read. A program looks, works, writes or operates; it never
//! decides about changes and never says who may come in.
//!
//! Source: SEC-11; RFC 5280 (4.2.1.6), RFC 6125 (the common name is no identity).

use std::collections::BTreeMap;

use super::yaml::Node;
use super::{Mistake, Role};

/// The longest name that is read in a certificate, in bytes.
const LONGEST: usize = 255;
/// The longest serial number, in bytes. Source: RFC 5280, 4.1.2.2.
const SERIAL: usize = 20;

/// A program that comes in with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name shown in the journal, as `program NAME`.
    pub name: String,
    /// The URI or DNS name in its certificate; DNS names in small letters.
    pub certificate: String,
    /// What it may do.
    pub role: Role,
}

/// Who signs the certificates of programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthority {
    /// Certificates of the authorities: a PEM file.
    pub authority: String,
    /// Serial numbers that count no longer: hexadecimal, small letters, without leading zeros.
    pub revoked: Vec<String>,
}

/// What programs may be. Whoever decides about changes or about people is a person.
const ROLES: &[Role] = &[Role::Viewer, Role::Analyst, Role::Author, Role::Operator];

/// One program.
pub(super) fn program(
    name: &str,
    node: &Node,
    known: &BTreeMap<String, Program>,
    m: &mut Vec<Mistake>,
) -> Option<Program> {
    let fields = node.map(m)?;
    fields.finish(&["certificate", "role"], m);
    let certificate = fields.required("certificate", m).and_then(|n| subject(n, m));
    let words: Vec<&str> = ROLES.iter().map(|r| r.word()).collect();
    let role = fields.required("role", m).and_then(|n| n.choice("program role", &words, m));
    let certificate = certificate?;
    if let Some(other) = known.values().find(|p| p.certificate == certificate) {
        let message = format!("\"{name}\" and \"{}\" have the same name in their certificates", other.name);
        m.push(node.mistake(message, "a certificate is one program: keep one of them"));
    }
    Some(Program { name: name.to_owned(), certificate, role: role.and_then(Role::of_word)? })
}

/// The name in a certificate: a URI, or a DNS name.
pub(super) fn subject(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    if let Some(known) = subject_name(&text) {
        return Some(known);
    }
    let help = "write the URI or the DNS name that stands in it, whole, for example \
                spiffe://example.com/collector or collector.example.com";
    node.wrong(&text, "a name in a certificate", help, m)
}

/// A name as it is compared: a URI as it is, a DNS name in small letters; none when it is neither.
#[must_use]
pub fn subject_name(text: &str) -> Option<String> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic()) && text.len() <= LONGEST;
    if !printable || text.contains('*') {
        return None;
    }
    if let Some((scheme, rest)) = text.split_once(':') {
        let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        return (letters && begins && !rest.is_empty()).then(|| text.to_owned());
    }
    let label = |l: &str| {
        let plain = l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !l.is_empty() && l.len() <= 63 && plain && !l.starts_with('-') && !l.ends_with('-')
    };
    text.split('.').all(label).then(|| text.to_ascii_lowercase())
}

/// `tls.clients` in `stanch.yaml`.
pub(super) fn clients(node: &Node, m: &mut Vec<Mistake>) -> Option<ClientAuthority> {
    let fields = node.map(m)?;
    fields.finish(&["authority", "revoked"], m);
    let authority = fields.required("authority", m).and_then(|n| super::common::path(n, m));
    let revoked = fields.optional("revoked").and_then(|n| n.list(m, serial)).unwrap_or_default();
    Some(ClientAuthority { authority: authority?, revoked })
}

fn serial(node: &Node, m: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(m)?;
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    let short = digits.trim_start_matches('0').to_ascii_lowercase();
    if hex && !short.is_empty() && short.len() <= 2 * SERIAL {
        return Some(short);
    }
    let help = "write it in hexadecimal and in quotes, as `openssl x509 -noout -serial` shows it";
    node.wrong(&text, "a serial number", help, m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_certificates_are_uris_or_dns_names_and_never_patterns() {
        for same in ["spiffe://example.com/Collector", "urn:uuid:1", "a.example.com", "localhost"] {
            assert_eq!(subject_name(same).as_deref(), Some(same));
        }
        assert_eq!(subject_name("Edge.Example.COM").as_deref(), Some("edge.example.com"));
        for none in
            ["", "*.example.com", "spiffe://*/x", "a..b", "-a", "a b", "é.example", ":x", "1:x", "spiffe:"]
        {
            assert_eq!(subject_name(none), None, "{none}");
        }
        assert_eq!(subject_name(&"a".repeat(256)), None);
    }
}
