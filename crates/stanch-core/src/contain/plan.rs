//! From a change as a playbook plans it to a change as it would be made: expressions are evaluated,
//! and what comes out is read by the strict grammar of its kind.

use serde_json::Value;
use stanch_model::ActionKind;

use super::address::parse_target;
use super::target::{parse_account, parse_domain, parse_group, parse_port, parse_subject};
use crate::expr::{Expr, Scope};
use crate::playbook::Change;

/// The change that a plan amounts to here and now.
///
/// # Errors
/// In words, what could not be told or must not be a target.
pub fn plan(change: &Change, scope: &Scope) -> Result<ActionKind, String> {
    let net = |expr: &Expr| {
        let text = text(expr, scope, "address to block")?;
        parse_target(&text).map_err(|why| why.0)
    };
    let name = |expr: &Expr, what: &str, read: fn(&str) -> Result<String, crate::Reason>| {
        read(&text(expr, scope, what)?).map_err(|why| why.0)
    };
    Ok(match change {
        Change::BlockAddress { target } => ActionKind::BlockAddress { target: net(target)? },
        Change::LimitAddress { target, packets_per_second } => {
            ActionKind::LimitAddress { target: net(target)?, packets_per_second: *packets_per_second }
        }
        Change::BlockPort { target, protocol, port } => {
            ActionKind::BlockPort { target: net(target)?, protocol: *protocol, port: *port }
        }
        Change::QuarantinePort { port, vlan } => {
            ActionKind::QuarantinePort { port: name(port, "port to quarantine", parse_port)?, vlan: *vlan }
        }
        Change::LockAccount { account } => {
            ActionKind::LockAccount { account: name(account, "account to lock", parse_account)? }
        }
        Change::UnlockAccount { account } => {
            ActionKind::UnlockAccount { account: name(account, "account to unlock", parse_account)? }
        }
        Change::ResetCredential { account } => {
            ActionKind::ResetCredential { account: name(account, "account to reset", parse_account)? }
        }
        Change::RemoveFromGroup { account, group } => ActionKind::RemoveFromGroup {
            account: name(account, "account to remove", parse_account)?,
            group: name(group, "group to remove it from", parse_group)?,
        },
        Change::SinkholeDomain { domain } => {
            ActionKind::SinkholeDomain { domain: name(domain, "name to sinkhole", parse_domain)? }
        }
        Change::Call { call, subject, inputs } => ActionKind::Call {
            call: call.clone(),
            subject: name(subject, "subject of the call", parse_subject)?,
            inputs: inputs
                .iter()
                .map(|(key, expr)| Ok((key.clone(), input(expr, scope, key)?)))
                .collect::<Result<_, String>>()?,
        },
    })
}

/// The text of a target: nothing else is one.
fn text(expr: &Expr, scope: &Scope, what: &str) -> Result<String, String> {
    match expr.eval(scope) {
        Ok(Value::String(text)) if !text.is_empty() => Ok(text),
        Ok(_) => Err(format!("no single {what} is known")),
        Err(e) => Err(format!("the {what} cannot be told: {e}")),
    }
}

/// An input of a call, as text.
fn input(expr: &Expr, scope: &Scope, name: &str) -> Result<String, String> {
    match expr.eval(scope) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Null) => Err(format!("input {name} of the call is nothing")),
        Ok(other) => Ok(other.to_string()),
        Err(e) => Err(format!("input {name} of the call cannot be told: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use stanch_model::Transport;

    use super::*;

    fn expr(source: &str) -> Expr {
        Expr::compile(source).expect(source)
    }

    /// The change in words, or why there is none.
    fn check(change: &Change, expected: &str) {
        let incident = serde_json::json!({
            "peer": "203.0.113.9", "user": "alice", "bad": "*", "domain": "EVIL.example.", "none": "", "n": 7
        });
        let scope = Scope::new().with("incident", incident);
        let got =
            plan(change, &scope).map_or_else(|why| why, |kind| format!("{}: {}", kind.name(), kind.words()));
        assert_eq!(got, expected);
    }

    #[test]
    fn every_kind_of_change_is_planned_from_its_expressions() {
        let peer = || expr("incident.peer");
        let user = || expr("incident.user");
        check(&Change::BlockAddress { target: peer() }, "block_address: block 203.0.113.9");
        check(
            &Change::LimitAddress { target: peer(), packets_per_second: 9 },
            "limit_address: limit 203.0.113.9 to 9 packets a second",
        );
        check(
            &Change::BlockPort { target: peer(), protocol: Transport::Tcp, port: 445 },
            "block_port: block tcp port 445 of 203.0.113.9",
        );
        check(
            &Change::QuarantinePort { port: expr("'p' + '7'"), vlan: 666 },
            "quarantine_port: put port p7 into the quarantine VLAN 666",
        );
        check(&Change::LockAccount { account: user() }, "lock_account: lock account alice");
        check(&Change::UnlockAccount { account: user() }, "unlock_account: unlock account alice");
        check(&Change::ResetCredential { account: user() }, "reset_credential: reset the password of alice");
        check(
            &Change::RemoveFromGroup { account: user(), group: expr("'vpn-users'") },
            "remove_from_group: take alice out of group vpn-users",
        );
        check(
            &Change::SinkholeDomain { domain: expr("incident.domain") },
            "sinkhole_domain: sinkhole evil.example",
        );
        let inputs = vec![("n".to_owned(), expr("incident.n")), ("user".to_owned(), user())];
        check(
            &Change::Call { call: "edr-isolate".into(), subject: user(), inputs },
            "call: edr-isolate for alice",
        );
    }

    #[test]
    fn what_cannot_be_told_or_must_not_be_a_target_is_no_plan() {
        check(&Change::BlockAddress { target: expr("incident.none") }, "no single address to block is known");
        check(&Change::BlockAddress { target: expr("incident.n") }, "no single address to block is known");
        check(
            &Change::LockAccount { account: expr("incident.bad") },
            "account \"*\" refused: \"*\" means something to a directory or a shell; it is never passed on",
        );
        check(
            &Change::Call {
                call: "x".into(),
                subject: expr("'x'"),
                inputs: vec![("a".into(), expr("null"))],
            },
            "input a of the call is nothing",
        );
    }
}
