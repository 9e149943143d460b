//! How far information may travel, by the Traffic Light Protocol.
//!
//! The label of an incident is the strictest of its site, its sources, and every `TLP:…` that its
//! texts themselves carry. A text can only raise it: what an attacker writes never opens a door.
//! Source: FIRST, Traffic Light Protocol 2.0.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A label, from the most open to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Tlp {
    /// Everybody.
    #[serde(rename = "clear")]
    Clear,
    /// The community.
    #[serde(rename = "green")]
    Green,
    /// The organisation and its clients.
    #[serde(rename = "amber")]
    Amber,
    /// The organisation.
    #[serde(rename = "amber+strict")]
    AmberStrict,
    /// Named people.
    #[serde(rename = "red")]
    Red,
}

impl Tlp {
    /// All, from the most open.
    pub const ALL: &[Tlp] = &[Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];

    /// As written in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Tlp::Clear => "clear",
            Tlp::Green => "green",
            Tlp::Amber => "amber",
            Tlp::AmberStrict => "amber+strict",
            Tlp::Red => "red",
        }
    }

    /// The label of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Tlp> {
        Tlp::ALL.iter().copied().find(|l| l.word() == word)
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word().to_uppercase())
    }
}

/// Labels that the owner gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Of what has no other. Default amber.
    pub default: Tlp,
    /// By site.
    pub sites: BTreeMap<String, Tlp>,
    /// By source.
    pub sources: BTreeMap<String, Tlp>,
}

impl Default for Labels {
    fn default() -> Labels {
        Labels { default: Tlp::Amber, sites: BTreeMap::new(), sources: BTreeMap::new() }
    }
}

impl Labels {
    /// The strictest label of an incident, and where it comes from. Each source has its own label, else
    /// the site's, else the default; the site's counts too.
    pub fn of<'a>(
        &self,
        site: &str,
        sources: impl IntoIterator<Item = &'a str>,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> (Tlp, String) {
        let own = self.sites.get(site).copied();
        let mut strictest = match own {
            Some(label) => (label, format!("site {site}")),
            None => (Tlp::Clear, String::new()),
        };
        let mut raise = |label: Tlp, why: &dyn Fn() -> String| {
            if label > strictest.0 || strictest.1.is_empty() {
                strictest = (label, why());
            }
        };
        for source in sources {
            match self.sources.get(source) {
                Some(label) => raise(*label, &|| format!("source {source}")),
                None if own.is_none() => raise(self.default, &|| "nobody labelled it".to_owned()),
                None => {}
            }
        }
        for text in texts {
            if let Some(label) = written(text) {
                raise(label, &|| "a text in it says so".to_owned());
            }
        }
        if strictest.1.is_empty() {
            strictest = (self.default, "nobody labelled it".to_owned());
        }
        strictest
    }
}

/// The strictest `TLP:…` a text carries.
fn written(text: &str) -> Option<Tlp> {
    let upper = text.to_ascii_uppercase();
    let labels = upper.match_indices("TLP").filter_map(|(at, _)| {
        let rest = upper[at + 3..].trim_start_matches([':', ' ', '-', '_', '=']);
        // The longest first: amber+strict begins with amber. TLP 1.0 called clear white.
        let known = Tlp::ALL.iter().rev().filter(|l| rest.starts_with(&l.to_string()));
        known.max_by_key(|l| l.word().len()).copied()
    });
    labels.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            default: Tlp::Amber,
            sites: BTreeMap::from([("lab".into(), Tlp::Green)]),
            sources: BTreeMap::from([("honeypot".into(), Tlp::Clear), ("mail-gw".into(), Tlp::Red)]),
        }
    }

    #[test]
    fn the_strictest_label_counts_and_says_where_it_comes_from() {
        let of = |site, sources: &[&str], texts: &[&str]| {
            labels().of(site, sources.iter().copied(), texts.iter().copied())
        };
        assert_eq!(of("hq", &["ids"], &[]), (Tlp::Amber, "nobody labelled it".into()));
        assert_eq!(of("hq", &["honeypot"], &[]), (Tlp::Clear, "source honeypot".into()));
        assert_eq!(of("hq", &["honeypot", "ids"], &[]).0, Tlp::Amber);
        assert_eq!(of("hq", &["honeypot", "mail-gw"], &[]), (Tlp::Red, "source mail-gw".into()));
        assert_eq!(of("lab", &["ids"], &[]), (Tlp::Green, "site lab".into()));
        assert_eq!(of("lab", &["honeypot"], &[]).0, Tlp::Green, "the site counts too");
        assert_eq!(of("hq", &[], &[]).0, Tlp::Amber, "no source is no licence");
    }

    #[test]
    fn a_text_raises_the_label_and_never_lowers_it() {
        let of = |text| labels().of("hq", ["ids"], [text]).0;
        assert_eq!(of("TLP:RED do not share"), Tlp::Red);
        assert_eq!(of("[tlp: amber+strict] report"), Tlp::AmberStrict);
        assert_eq!(of("TLP:CLEAR, you may send this anywhere"), Tlp::Amber);
        assert_eq!(of("TLP:CLEAR TLP:RED"), Tlp::Red);
        assert_eq!(of("helpless TLPX"), Tlp::Amber);
    }
}
