//! The seal on every yes and every permit: a MAC whose key is not in the database.
//!
//! Whoever can write rows can write a row that says "approved" or "permitted", and can compute the
//! hash chain anew. They cannot compute this: the key lies in a file outside the journal. What does
//! not carry the seal is never acted upon; it is shown, and a person is told.
//!
//! Source: SEC-71 and abuse case 14; RFC 2104 (HMAC) with SHA-256.

use ring::hmac;
use stanch_model::{Action, ActionId, ApprovalId, RunId, Timestamp};

use super::approval::Vote;
use crate::journal::event::{Answered, TaskAnswered};

/// Seals and recognises its own seals.
#[derive(Clone, Default)]
pub struct Seal(Option<hmac::Key>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Seal(***)" } else { "Seal(none)" })
    }
}

/// What a permit is sealed over.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// For which run.
    pub run: RunId,
    /// The change.
    pub action: &'a Action,
    /// The approval it rests on, if any.
    pub approval: Option<ApprovalId>,
    /// The pre-authorisation it rests on, if any.
    pub preauthorised: Option<&'a str>,
}

impl Seal {
    /// A seal with this key: 32 bytes from a good source of randomness.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Seal {
        Seal(Some(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Without a key nothing is sealed and no seal holds, so nothing is ever changed.
    #[must_use]
    pub fn none() -> Seal {
        Seal(None)
    }

    /// The seal on people's yes to a question: 64 hexadecimal digits.
    #[must_use]
    pub fn of_yes(&self, approval: ApprovalId, digest: &str, yes: &[Vote]) -> String {
        self.over(&yes_bytes(approval, digest, yes))
    }

    /// True when this is our seal on exactly that.
    #[must_use]
    pub fn holds_yes(&self, seal: &str, approval: ApprovalId, digest: &str, yes: &[Vote]) -> bool {
        self.holds(seal, &yes_bytes(approval, digest, yes))
    }

    /// The seal on a permit.
    #[must_use]
    pub fn of_permit(&self, what: Sealed<'_>) -> String {
        self.over(&permit_bytes(what))
    }

    /// True when this is our seal on exactly that permit.
    #[must_use]
    pub fn holds_permit(&self, seal: &str, what: Sealed<'_>) -> bool {
        self.holds(seal, &permit_bytes(what))
    }

    /// The seal on an end that was put off.
    #[must_use]
    pub fn of_renewal(&self, action: ActionId, until: Timestamp, approval: ApprovalId) -> String {
        self.over(&renewal_bytes(action, until, approval))
    }

    /// True when this is our seal on exactly that.
    #[must_use]
    pub fn holds_renewal(
        &self,
        seal: &str,
        action: ActionId,
        until: Timestamp,
        approval: ApprovalId,
    ) -> bool {
        self.holds(seal, &renewal_bytes(action, until, approval))
    }

    /// The seal on people's yes to a task, or on their word that it is done. Whatever else they say only
    /// stops a run, and needs none.
    #[must_use]
    pub fn of_answer(&self, answer: &TaskAnswered) -> String {
        self.over(&answer_bytes(answer))
    }

    /// True when this is a yes, and carries our seal on exactly what it says.
    #[must_use]
    pub fn holds_answer(&self, answer: &TaskAnswered) -> bool {
        answer.answer == Answered::Approved && self.holds(&answer.seal, &answer_bytes(answer))
    }

    fn over(&self, bytes: &[u8]) -> String {
        let Some(key) = &self.0 else { return String::new() };
        hmac::sign(key, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Compares in constant time; one spelling only.
    fn holds(&self, seal: &str, bytes: &[u8]) -> bool {
        let (Some(key), Some(mac)) = (&self.0, unhex(seal)) else { return false };
        hmac::verify(key, bytes, &mac).is_ok()
    }
}

/// 64 small hexadecimal digits as bytes.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *slot = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

/// Parts with their lengths before them, so that no two lists of parts are alike.
fn join<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend((part.len() as u64).to_be_bytes());
        out.extend(part);
    }
    out
}

fn yes_bytes(approval: ApprovalId, digest: &str, yes: &[Vote]) -> Vec<u8> {
    let id = approval.to_string();
    // No name has a space. Yeses without a proof keep the seal they have.
    let proof = |v: &Vote| v.proof.map(|p| format!("proved by {} at {}", p.how.word(), p.at.0));
    let vote = |v: &Vote| [Some(v.by.clone()), Some(v.at.0.to_string()), proof(v)].into_iter().flatten();
    let votes: Vec<String> = yes.iter().flat_map(vote).collect();
    let head = ["stanch yes v1".as_bytes(), id.as_bytes(), digest.as_bytes()];
    join(head.into_iter().chain(votes.iter().map(String::as_bytes)))
}

fn permit_bytes(what: Sealed<'_>) -> Vec<u8> {
    // What the target was like before is learnt after the permit, and not part of it.
    let action = Action { before: None, ..what.action.clone() };
    // Our own types hold nothing that could not be written.
    let action = serde_json::to_vec(&action).unwrap_or_default();
    let approval = what.approval.map(|a| a.to_string()).unwrap_or_default();
    let run = what.run.to_string();
    let preauthorised = what.preauthorised.unwrap_or_default();
    join([
        "stanch permit v1".as_bytes(),
        run.as_bytes(),
        &action,
        approval.as_bytes(),
        preauthorised.as_bytes(),
    ])
}

fn renewal_bytes(action: ActionId, until: Timestamp, approval: ApprovalId) -> Vec<u8> {
    let parts =
        ["stanch renewal v1".to_owned(), action.to_string(), until.0.to_string(), approval.to_string()];
    join(parts.iter().map(String::as_bytes))
}

fn answer_bytes(e: &TaskAnswered) -> Vec<u8> {
    let (id, values) = (e.task.to_string(), e.values.to_string());
    let parts = ["stanch answer v1", &id, &e.digest, &e.by, &values, &e.reason];
    join(parts.into_iter().map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use stanch_model::{ActionKind, IncidentId, Span, TaskId};

    use super::*;

    fn seal() -> Seal {
        Seal::new(&[7; 32])
    }

    fn vote(by: &str, at: i64) -> Vote {
        Vote { by: by.into(), at: Timestamp(at), proof: None }
    }

    fn action() -> Action {
        Action {
            id: ActionId(4),
            incident: IncidentId(3),
            responder: "edge-fw".into(),
            kind: ActionKind::LockAccount { account: "alice".into() },
            ttl: Span::hours(4),
            before: None,
        }
    }

    fn sealed(action: &Action) -> Sealed<'_> {
        Sealed { run: RunId(2), action, approval: Some(ApprovalId(1)), preauthorised: None }
    }

    #[test]
    fn an_answer_to_a_task_is_sealed_in_all_that_it_says() {
        let yes = TaskAnswered {
            task: TaskId(1),
            answer: Answered::Approved,
            by: "mira".into(),
            digest: "abc".into(),
            values: serde_json::json!({ "port": "ge-0/0/7" }),
            reason: "seen".into(),
            seal: String::new(),
        };
        let yes = TaskAnswered { seal: seal().of_answer(&yes), ..yes };
        assert!(seal().holds_answer(&yes));
        let others: [fn(&mut TaskAnswered); 7] = [
            |e| e.task = TaskId(2),
            |e| e.answer = Answered::Denied,
            |e| e.by = "jon".into(),
            |e| e.digest = "abd".into(),
            |e| e.values["port"] = "ge-0/0/8".into(),
            |e| e.reason = String::new(),
            |e| e.seal = String::new(),
        ];
        for change in others {
            let mut other = yes.clone();
            change(&mut other);
            assert!(!seal().holds_answer(&other), "{other:?}");
        }
        assert!(!Seal::none().holds_answer(&yes) && !Seal::new(&[8; 32]).holds_answer(&yes));
    }

    #[test]
    fn a_yes_is_sealed_to_the_letter() {
        let yes = [vote("jon", 5), vote("mira", 6)];
        let mac = seal().of_yes(ApprovalId(1), "abc", &yes);
        assert_eq!(mac.len(), 64);
        assert!(seal().holds_yes(&mac, ApprovalId(1), "abc", &yes));
        assert!(!seal().holds_yes(&mac, ApprovalId(2), "abc", &yes));
        assert!(!seal().holds_yes(&mac, ApprovalId(1), "abd", &yes));
        assert!(!seal().holds_yes(&mac, ApprovalId(1), "abc", &yes[..1]));
        assert!(!seal().holds_yes(&mac, ApprovalId(1), "abc", &[vote("jon", 5), vote("mira", 7)]));
        assert!(!seal().holds_yes(&mac, ApprovalId(1), "abc", &[vote("jon", 5), vote("mina", 6)]));
        assert!(!seal().holds_yes(&mac.to_uppercase(), ApprovalId(1), "abc", &yes));
        assert!(!seal().holds_yes(&mac[..62], ApprovalId(1), "abc", &yes));
        assert!(!seal().holds_yes("", ApprovalId(1), "abc", &yes));
        assert!(!Seal::new(&[8; 32]).holds_yes(&mac, ApprovalId(1), "abc", &yes));
    }

    #[test]
    fn a_permit_is_sealed_to_the_letter_but_for_what_is_learnt_later() {
        let base = action();
        let mac = seal().of_permit(sealed(&base));
        assert!(seal().holds_permit(&mac, sealed(&base)));
        let later = Action { before: Some("uid=alice".into()), ..base.clone() };
        assert!(seal().holds_permit(&mac, sealed(&later)));
        for changed in [
            Action { id: ActionId(5), ..base.clone() },
            Action { incident: IncidentId(4), ..base.clone() },
            Action { responder: "core-fw".into(), ..base.clone() },
            Action { kind: ActionKind::LockAccount { account: "bob".into() }, ..base.clone() },
            Action { kind: ActionKind::UnlockAccount { account: "alice".into() }, ..base.clone() },
            Action { ttl: Span::hours(5), ..base.clone() },
        ] {
            assert!(!seal().holds_permit(&mac, sealed(&changed)), "{changed:?}");
        }
        assert!(!seal().holds_permit(&mac, Sealed { run: RunId(3), ..sealed(&base) }));
        assert!(!seal().holds_permit(&mac, Sealed { approval: None, ..sealed(&base) }));
        assert!(!seal().holds_permit(&mac, Sealed { preauthorised: Some("x"), ..sealed(&base) }));
    }

    #[test]
    fn a_renewal_is_sealed_and_the_three_kinds_never_stand_for_each_other() {
        let mac = seal().of_renewal(ActionId(4), Timestamp(9), ApprovalId(1));
        assert!(seal().holds_renewal(&mac, ActionId(4), Timestamp(9), ApprovalId(1)));
        assert!(!seal().holds_renewal(&mac, ActionId(5), Timestamp(9), ApprovalId(1)));
        assert!(!seal().holds_renewal(&mac, ActionId(4), Timestamp(10), ApprovalId(1)));
        assert!(!seal().holds_renewal(&mac, ActionId(4), Timestamp(9), ApprovalId(2)));
        assert!(!seal().holds_yes(&mac, ApprovalId(1), "9", &[]));
        assert!(!seal().holds_permit(&mac, sealed(&action())));
    }

    #[test]
    fn without_a_key_nothing_is_sealed_and_nothing_holds() {
        let none = Seal::none();
        let mac = none.of_yes(ApprovalId(1), "abc", &[]);
        assert_eq!(mac, "");
        assert!(!none.holds_yes(&mac, ApprovalId(1), "abc", &[]));
        assert!(!none.holds_yes(&seal().of_yes(ApprovalId(1), "abc", &[]), ApprovalId(1), "abc", &[]));
        assert!(!none.holds_permit(&none.of_permit(sealed(&action())), sealed(&action())));
        assert_eq!(format!("{:?} {none:?}", seal()), "Seal(***) Seal(none)");
    }
}
