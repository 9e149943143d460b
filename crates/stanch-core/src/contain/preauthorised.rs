//! A yes given in advance: signed by a named approver, dated, and with a budget.
//!
//! It answers two questions only: may the machine act without asking (autonomy), and is this much
//! blast radius acceptable. It never answers for protected things, widths, weak or old evidence,
//! caps, shared addresses or repeats: those are asked as ever. The signature covers every field, so
//! that whoever can edit the configuration folder cannot widen it.
//!
//! Source: SEC-63, SEC-76; RFC 8032 (Ed25519), RFC 8785.

use std::collections::BTreeSet;

use ring::signature::{ED25519, UnparsedPublicKey};
use stanch_model::{ActionKind, Fact, Meaning, Span, Timestamp};

use super::blast_radius::Level;
use crate::Reason;

/// First field of what is signed.
const VERSION: &str = "stanch pre-authorisation v1";

/// Over which time a budget counts.
pub(super) const BUDGET_OVER: Span = Span::hours(24);

/// A yes given in advance, as the configuration holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preauthorisation {
    /// Its name.
    pub name: String,
    /// For these playbooks. At least one.
    pub playbooks: BTreeSet<String>,
    /// For these kinds of change. At least one.
    pub actions: BTreeSet<String>,
    /// For targets of these classes; empty means all. See [`crate::config::AutonomyRule::assets`].
    pub assets: BTreeSet<String>,
    /// One of these feeds must call the target hostile; empty means that no feed has to.
    pub indicators: BTreeSet<String>,
    /// And with at least this confidence, 0 to 100.
    pub confidence: u8,
    /// Up to this blast radius; `High` includes what is not known.
    pub blast_radius: Level,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Changes in any 24 hours.
    pub budget: u32,
    /// Who signed it.
    pub signed_by: String,
    /// Their signature, 128 hexadecimal digits.
    pub signature: String,
}

/// A pre-authorisation that covers the change at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preauthorised {
    /// Its name.
    pub name: String,
    /// Who signed it.
    pub by: String,
    /// Up to this blast radius.
    pub blast_radius: Level,
}

/// What a pre-authorisation is held against.
#[derive(Clone, Copy, Debug)]
pub struct Proposed<'a> {
    /// By which playbook.
    pub playbook: &'a str,
    /// What.
    pub kind: &'a ActionKind,
    /// The target's classes.
    pub classes: &'a BTreeSet<String>,
    /// What is known about the target.
    pub facts: &'a [Fact],
    /// Changes made on this pre-authorisation in the last 24 hours.
    pub used: u32,
    /// Now.
    pub now: Timestamp,
}

impl Preauthorisation {
    /// What is signed: canonical JSON of every field but the signature.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let value = serde_json::json!({
            "version": VERSION,
            "name": self.name,
            "playbooks": self.playbooks,
            "actions": self.actions,
            "assets": self.assets,
            "indicators": self.indicators,
            "confidence": self.confidence.to_string(),
            "blast_radius": self.blast_radius.word(),
            "from": self.from.0.to_string(),
            "until": self.until.0.to_string(),
            "budget": self.budget.to_string(),
            "signed_by": self.signed_by,
        });
        // Texts, lists and maps only: nothing here can fail to be written.
        serde_json_canonicalizer::to_vec(&value).unwrap_or_default()
    }

    /// True when this public key (64 hexadecimal digits) made the signature over exactly this.
    #[must_use]
    pub fn signed_with(&self, public_key: &str) -> bool {
        let (Some(key), Some(signature)) = (unhex::<32>(public_key), unhex::<64>(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key).verify(&self.signed_bytes(), &signature).is_ok()
    }

    /// Does it cover this change, now?
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers(&self, it: Proposed<'_>) -> Result<Preauthorised, Reason> {
        let refuse = |why: String| Err(Reason(format!("pre-authorisation {}: {why}", self.name)));
        if !self.playbooks.contains(it.playbook) {
            return refuse(format!("it is not for playbook {}", it.playbook));
        }
        if !self.actions.contains(it.kind.name()) {
            return refuse(format!("it is not for {}", it.kind.name()));
        }
        if !self.assets.is_empty() && self.assets.is_disjoint(it.classes) {
            return refuse("it is not for targets of this class".to_owned());
        }
        let calls_it = |f: &Fact| {
            matches!(&f.meaning, Meaning::Malicious { feed, confidence, valid_until, .. }
                if self.indicators.contains(feed)
                    && *confidence >= self.confidence
                    && valid_until.is_none_or(|until| it.now < until))
        };
        if !self.indicators.is_empty() && !it.facts.iter().any(calls_it) {
            return refuse(format!(
                "no feed it trusts calls the target hostile with {} or more",
                self.confidence
            ));
        }
        if it.now < self.from {
            return refuse(format!("it begins at {}", self.from));
        }
        if it.now >= self.until {
            return refuse(format!("it ended at {}", self.until));
        }
        if it.used >= self.budget {
            return refuse(format!("its budget of {} changes in {BUDGET_OVER} is used up", self.budget));
        }
        let (name, by) = (self.name.clone(), self.signed_by.clone());
        Ok(Preauthorised { name, by, blast_radius: self.blast_radius })
    }
}

/// Hexadecimal digits as bytes, exactly `N` of them.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 * N {
        return None;
    }
    let digit = |b: u8| (b as char).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *slot = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use stanch_model::{Observable, ObservableKind};

    use super::*;
    use crate::contain::question::hex;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn key() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("seed")
    }

    fn signed() -> Preauthorisation {
        let mut p = Preauthorisation {
            name: "botnets".into(),
            playbooks: set(&["c2"]),
            actions: set(&["block_address"]),
            assets: set(&["external"]),
            indicators: set(&["feodo"]),
            confidence: 80,
            blast_radius: Level::Medium,
            from: Timestamp(1_000),
            until: Timestamp(9_000),
            budget: 2,
            signed_by: "jon".into(),
            signature: String::new(),
        };
        p.signature = hex(key().sign(&p.signed_bytes()).as_ref());
        p
    }

    fn public() -> String {
        hex(key().public_key().as_ref())
    }

    fn feed(feed: &str, confidence: u8, valid_until: Option<i64>) -> Fact {
        let valid_until = valid_until.map(Timestamp);
        let meaning = Meaning::Malicious { feed: feed.into(), confidence, label: None, valid_until };
        Fact { provider: "intel".into(), about: Observable::new(ObservableKind::Ip, "203.0.113.9"), meaning }
    }

    #[test]
    fn a_signature_holds_for_every_field_and_for_one_key() {
        assert!(signed().signed_with(&public()));
        assert!(signed().signed_with(&public().to_uppercase()), "digits are digits");
        let changes: Vec<fn(&mut Preauthorisation)> = vec![
            |p| p.name.push('x'),
            |p| p.playbooks = set(&["c2", "x"]),
            |p| p.actions = set(&["lock_account"]),
            |p| p.assets.clear(),
            |p| p.indicators.clear(),
            |p| p.confidence = 0,
            |p| p.blast_radius = Level::High,
            |p| p.from = Timestamp(0),
            |p| p.until = Timestamp(9_001),
            |p| p.budget = 3,
            |p| p.signed_by = "eve".into(),
            |p| p.signature = "00".repeat(64),
            |p| p.signature.clear(),
            |p| p.signature.push('0'),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut p = signed();
            change(&mut p);
            assert!(!p.signed_with(&public()), "change {n}");
        }
        for wrong in ["", "zz", &"00".repeat(32), &public()[..62]] {
            assert!(!signed().signed_with(wrong), "{wrong}");
        }
    }

    #[test]
    fn it_covers_what_it_says_while_it_holds_and_as_long_as_the_budget_lasts() {
        let p = signed();
        let kind = ActionKind::BlockAddress { target: "203.0.113.9/32".parse().expect("net") };
        let (external, ours) = (set(&["external"]), set(&["high", "server"]));
        let facts = [feed("other", 99, None), feed("feodo", 80, Some(6_000))];
        let good = Proposed {
            playbook: "c2",
            kind: &kind,
            classes: &external,
            facts: &facts,
            used: 1,
            now: Timestamp(5_000),
        };
        let why = |it: Proposed<'_>| match p.covers(it) {
            Ok(yes) => format!("{} by {} up to {}", yes.name, yes.by, yes.blast_radius.word()),
            Err(why) => why.0.trim_start_matches("pre-authorisation botnets: ").to_owned(),
        };
        let yes = "botnets by jon up to medium";
        assert_eq!(why(good), yes);
        assert_eq!(why(Proposed { playbook: "scan", ..good }), "it is not for playbook scan");
        let lock = ActionKind::LockAccount { account: "alice".into() };
        assert_eq!(why(Proposed { kind: &lock, ..good }), "it is not for lock_account");
        assert_eq!(why(Proposed { classes: &ours, ..good }), "it is not for targets of this class");
        let none = "no feed it trusts calls the target hostile with 80 or more";
        assert_eq!(why(Proposed { facts: &[], ..good }), none);
        assert_eq!(why(Proposed { facts: &[feed("feodo", 79, None)], ..good }), none);
        assert_eq!(
            why(Proposed { facts: &[feed("feodo", 99, Some(5_000))], ..good }),
            none,
            "the feed stands by it no more"
        );
        assert_eq!(why(Proposed { facts: &[feed("feodo", 99, Some(5_001))], ..good }), yes);
        assert_eq!(why(Proposed { now: Timestamp(999), ..good }), "it begins at 1970-01-01T00:00:01.000Z");
        let timeless = [feed("feodo", 80, None)];
        assert_eq!(why(Proposed { now: Timestamp(1_000), facts: &timeless, ..good }), yes);
        assert_eq!(why(Proposed { now: Timestamp(8_999), facts: &timeless, ..good }), yes);
        assert_eq!(
            why(Proposed { now: Timestamp(9_000), facts: &timeless, ..good }),
            "it ended at 1970-01-01T00:00:09.000Z"
        );
        assert_eq!(why(Proposed { used: 2, ..good }), "its budget of 2 changes in 1d is used up");
        let anywhere = Preauthorisation { assets: set(&[]), indicators: set(&[]), ..signed() };
        assert!(anywhere.covers(Proposed { classes: &ours, facts: &[], ..good }).is_ok());
    }
}
