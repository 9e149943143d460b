//! What is told to nsupdate and dig, and what their answers mean. Pure.
//!
//! Source: RFC 2136 (updates and prerequisites); draft-vixie-dnsop-dns-rpz-00, sections 3 and 4 (what
//! the records of a policy zone mean); nsupdate(1) of BIND 9.18, texts checked against what it prints.

use std::fmt::Write as _;
use std::net::IpAddr;

use stanch_model::Failure;

/// Below this label lie our marks. No name that people look up ends in it.
const MARKS: &str = "_stanch";
/// Source: RFC 1035, 2.3.4, less the final dot.
const LONGEST: usize = 253;

/// What a resolver answers for a name that is sinkholed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sinkhole {
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The name has no data (NODATA).
    NoData,
    /// The address of a server of ours that tells people, or listens to malware.
    Address(IpAddr),
    /// The same, by name.
    Host(String),
}

impl Sinkhole {
    /// Type and value of the record.
    fn record(&self) -> (&'static str, String) {
        match self {
            Sinkhole::NoSuchName => ("CNAME", ".".to_owned()),
            Sinkhole::NoData => ("CNAME", "*.".to_owned()),
            Sinkhole::Address(IpAddr::V4(ip)) => ("A", ip.to_string()),
            Sinkhole::Address(IpAddr::V6(ip)) => ("AAAA", ip.to_string()),
            Sinkhole::Host(name) => ("CNAME", format!("{name}.")),
        }
    }

    /// What to ask a resolver for to see it.
    pub(super) const fn asked(&self) -> &'static str {
        match self {
            Sinkhole::Address(IpAddr::V6(_)) => "AAAA",
            Sinkhole::NoSuchName
            | Sinkhole::NoData
            | Sinkhole::Address(IpAddr::V4(_))
            | Sinkhole::Host(_) => "A",
        }
    }

    /// What dig printed (`+comments +answer`), if it is not this.
    pub(super) fn differs(&self, said: &str) -> Option<String> {
        let status = said.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
        let status = status.unwrap_or("nothing").to_owned();
        let answers: Vec<&str> =
            said.lines().filter(|l| !l.starts_with(';') && !l.trim().is_empty()).collect();
        let (kind, value) = self.record();
        let as_asked = match self {
            Sinkhole::NoSuchName => status == "NXDOMAIN",
            Sinkhole::NoData => status == "NOERROR" && answers.is_empty(),
            Sinkhole::Address(_) | Sinkhole::Host(_) => answers.iter().any(|line| {
                let mut words = line.split_whitespace().skip(3);
                words.next() == Some(kind) && words.next() == Some(value.as_str())
            }),
        };
        (!as_asked).then(|| format!("{status} with {} records", answers.len()))
    }
}

/// What is wrong with a name, if anything. Strict: what passes holds nothing that could end a line
/// or a word of nsupdate's language.
pub(super) fn name_mistake(name: &str) -> Option<String> {
    let shown: String = name.chars().take(64).collect();
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    if name.len() > LONGEST || !name.split('.').all(label) {
        return Some(format!("{shown:?} is not a domain name in lower case without a final dot"));
    }
    None
}

/// One rule as it is, or would be, in the zone.
pub(super) struct Rule {
    pub(super) domain: String,
    pub(super) tag: String,
    /// The name that bears our mark.
    pub(super) mark: String,
    /// The name itself and the wildcard below it, in the zone.
    owners: [String; 2],
    record: (&'static str, String),
    ttl: u32,
}

impl Rule {
    /// Refuses what is no name, a whole top-level domain, and what does not fit into the zone.
    pub(super) fn new(
        domain: &str,
        zone: &str,
        answer: &Sinkhole,
        ttl: u32,
        tag: &str,
    ) -> Result<Rule, String> {
        if let Some(why) = name_mistake(domain) {
            return Err(why);
        }
        if !domain.contains('.') {
            return Err(format!("{domain} is a whole top-level domain; this is never sinkholed"));
        }
        if domain.parse::<IpAddr>().is_ok() {
            return Err(format!("{domain} is an address, not a name"));
        }
        if let Sinkhole::Host(host) = answer
            && (host == domain || host.ends_with(&format!(".{domain}")))
        {
            return Err(format!("{domain} is where the sinkhole {host} itself lies"));
        }
        let mark = format!("{domain}.{MARKS}.{zone}");
        if mark.len() > LONGEST {
            return Err(format!("{domain} is too long for the zone {zone}"));
        }
        let owners = [format!("{domain}.{zone}"), format!("*.{domain}.{zone}")];
        let (domain, tag) = (domain.to_owned(), tag.to_owned());
        Ok(Rule { domain, tag, mark, owners, record: answer.record(), ttl })
    }

    fn lines(&self, owner: &str, mark: &str) -> String {
        let (kind, value) = &self.record;
        let mut text = String::new();
        for name in &self.owners {
            let _ = writeln!(text, "{owner} {name}. {} {kind} {value}", self.ttl_for(owner));
        }
        let _ = writeln!(text, "{mark} {}. {} TXT \"{}\"", self.mark, self.ttl_for(mark), self.tag);
        text
    }

    /// Only what is added has a time to live.
    fn ttl_for(&self, verb: &str) -> String {
        if verb == "update add" { self.ttl.to_string() } else { String::new() }
    }

    /// Holds exactly when the rule is there and ours.
    pub(super) fn present(&self) -> String {
        self.lines("prereq yxrrset", "prereq yxrrset")
    }

    /// Holds when nothing at all is there, neither ours nor anybody's.
    pub(super) fn free(&self) -> String {
        let names = [&self.owners[0], &self.owners[1], &self.mark];
        names.iter().fold(String::new(), |mut text, name| {
            let _ = writeln!(text, "prereq nxdomain {name}.");
            text
        })
    }

    /// Holds when our mark is there, whatever became of the rest.
    pub(super) fn marked(&self) -> String {
        format!("prereq yxrrset {}. TXT \"{}\"\n", self.mark, self.tag)
    }

    /// Adds the rule where nothing is.
    pub(super) fn add(&self) -> String {
        self.free() + &self.lines("update add", "update add")
    }

    /// Takes the rule away where our mark is; only records exactly like ours.
    pub(super) fn delete(&self) -> String {
        self.marked() + &self.lines("update delete", "update delete")
    }
}

/// What came of an update message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The prerequisites held, and all was done.
    Done,
    /// A prerequisite did not hold: nothing was done.
    Unmet(String),
    /// It failed, and nothing was done.
    Certain(Failure),
    /// It may have been done.
    Lost(String),
}

/// Reads what nsupdate left behind.
pub(super) fn read(code: Option<i32>, said: &str) -> Said {
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    if code == Some(0) && !has(&["update failed", "error"]) {
        return Said::Done;
    }
    let why = format!("nsupdate: {}", brief(&[], said));
    if has(&[
        "update failed: YXDOMAIN",
        "update failed: YXRRSET",
        "update failed: NXDOMAIN",
        "update failed: NXRRSET",
    ]) {
        return Said::Unmet(why);
    }
    if has(&[
        "BADKEY",
        "BADSIG",
        "BADTIME",
        "REFUSED",
        "NOTAUTH",
        "tsig indicates error",
        "could not read key",
    ]) {
        return Said::Certain(Failure::Unauthorised { why });
    }
    if has(&["NOTZONE", "FORMERR", "NOTIMP", "syntax error", "incorrect section"]) {
        return Said::Certain(Failure::permanent(why));
    }
    if has(&["connection refused", "host unreachable", "network unreachable"]) {
        return Said::Certain(Failure::transient(why));
    }
    Said::Lost(why)
}

/// One short line of what a program printed.
pub(super) fn brief(out: &[u8], err: &str) -> String {
    let out = String::from_utf8_lossy(out);
    let text = if err.is_empty() { out.trim() } else { err };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "it said nothing".to_owned() } else { line.chars().take(300).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(domain: &str) -> Result<Rule, String> {
        Rule::new(domain, "rpz.lab", &Sinkhole::NoSuchName, 60, "stanch:ACT-4")
    }

    #[test]
    fn a_rule_is_added_only_where_nothing_is_and_covers_all_below() {
        assert_eq!(
            rule("bad.example").map(|r| r.add()),
            Ok("prereq nxdomain bad.example.rpz.lab.\n\
                prereq nxdomain *.bad.example.rpz.lab.\n\
                prereq nxdomain bad.example._stanch.rpz.lab.\n\
                update add bad.example.rpz.lab. 60 CNAME .\n\
                update add *.bad.example.rpz.lab. 60 CNAME .\n\
                update add bad.example._stanch.rpz.lab. 60 TXT \"stanch:ACT-4\"\n"
                .to_owned())
        );
    }

    #[test]
    fn what_is_no_name_never_reaches_nsupdate() {
        let long = format!("{}.example", "a".repeat(64));
        let deep = ["abcdefgh"; 28].join(".");
        for text in [
            "",
            ".",
            "com",
            "bad.example.",
            "Bad.example",
            "bad example.com",
            "bad.example\nsend",
            "b..ad",
            "*.example",
            "bad.example;",
            "10.0.0.1",
            "bäd.example",
            "\"bad\".example",
            &long,
            &deep,
        ] {
            assert!(rule(text).is_err(), "{text:?}");
        }
        assert!(rule("_dmarc.xn--bd-via.example").is_ok());
        let own = Rule::new("example.com", "rpz.lab", &Sinkhole::Host("sink.example.com".into()), 60, "t");
        assert!(own.is_err(), "a sinkhole below the name would sink itself");
    }

    #[test]
    fn every_answer_of_nsupdate_has_its_class() {
        let unauthorised = |said| matches!(read(Some(2), said), Said::Certain(Failure::Unauthorised { .. }));
        assert_eq!(read(Some(0), ""), Said::Done);
        assert!(matches!(read(Some(2), "update failed: YXDOMAIN"), Said::Unmet(_)));
        assert!(unauthorised(
            "; TSIG error with server: tsig indicates error update failed: NOTAUTH(BADKEY)"
        ));
        assert!(unauthorised("update failed: REFUSED"));
        let refused = "; Communication with 127.0.0.1#9 failed: connection refused";
        assert!(matches!(read(Some(1), refused), Said::Certain(Failure::Transient { .. })));
        assert!(matches!(read(Some(2), "update failed: SERVFAIL"), Said::Lost(_)));
        assert!(matches!(read(Some(1), "; Communication with 127.0.0.1#9 failed: timed out"), Said::Lost(_)));
        assert!(matches!(read(None, ""), Said::Lost(_)), "killed");
    }

    #[test]
    fn an_answer_of_a_resolver_is_compared_with_what_was_asked_for() {
        let nothing = ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n";
        let real = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\nbad.example. 60 IN A 192.0.2.1\n";
        let empty = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n";
        assert_eq!(Sinkhole::NoSuchName.differs(nothing), None);
        assert_eq!(Sinkhole::NoSuchName.differs(real).as_deref(), Some("NOERROR with 1 records"));
        assert_eq!(Sinkhole::NoData.differs(empty), None);
        assert_eq!(Sinkhole::Address("192.0.2.1".parse().expect("address")).differs(real), None);
        assert!(Sinkhole::Address("192.0.2.9".parse().expect("address")).differs(real).is_some());
        assert!(Sinkhole::NoSuchName.differs("").is_some());
    }
}
