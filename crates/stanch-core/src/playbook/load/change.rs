//! Steps that change something.

use stanch_model::{Span, Transport};

use super::Reader;
use super::scope::Seen;
use super::step::Read;
use crate::config::yaml::{Fields, Node};
use crate::expr::{Expr, Kind};
use crate::playbook::{Act, Change, StepKind, shape};

impl Reader<'_> {
    pub(super) fn act(&mut self, kind: &str, node: &Node, seen: &mut Seen) -> Option<Read> {
        // Also when it cannot be read, so that one mistake does not look like two.
        let before = std::mem::replace(&mut seen.acted, true);
        if self.hook {
            let message = format!("a hook's playbook changes nothing, but this is a `{kind}`");
            let help = "let the hook answer, and let an incident's playbook make the change";
            self.m.push(node.mistake(message, help));
        }
        let fields = node.map(self.m)?;
        fields.finish(&shape::keys(kind), self.m);
        let change = self.change(kind, &fields, seen);
        let range = Span::secs(1)..=Span::hours(24 * 90);
        let ttl = self.span(&fields, "ttl", range);
        let expires = self.span(&fields, "expires", Span::mins(1)..=Span::hours(24));
        let people = match fields.optional("people") {
            None => Some(1),
            Some(n) => n.integer(1..=2, self.m).and_then(|n| u8::try_from(n).ok()),
        };
        let undo = match fields.optional("undo") {
            None => Some(true),
            Some(n) => n.choice("undo", &["none"], self.m).map(|_| false),
        };
        let approvers = self.approvers(&fields, "change");
        seen.acted |= before;
        Some(Read::plain(StepKind::Act(Act {
            change: change?,
            ttl: ttl?,
            approvers: approvers?,
            people: people?,
            expires: expires?,
            undo: undo?,
        })))
    }

    /// A length of time that may be left out: `None` when it is there and wrong.
    #[allow(clippy::option_option)] // left out, and wrong, are two things
    pub(super) fn span(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        range: std::ops::RangeInclusive<Span>,
    ) -> Option<Option<Span>> {
        match fields.optional(key) {
            None => Some(None),
            Some(node) => node.span_within(range, self.m).map(Some),
        }
    }

    /// Teams that may say yes: at least one.
    pub(super) fn approvers(&mut self, fields: &Fields<'_>, what: &str) -> Option<Vec<String>> {
        let list = fields.required("approvers", self.m)?;
        let before = self.m.len();
        let approvers = list.list(self.m, |n, m| n.name(m))?;
        if approvers.is_empty() && before == self.m.len() {
            self.m.push(list.mistake(format!("nobody may approve this {what}"), "name at least one team"));
        }
        Some(approvers)
    }

    fn aim(&mut self, fields: &Fields<'_>, key: &str, seen: &Seen, wanted: &[Kind]) -> Option<Expr> {
        let node = fields.required(key, self.m)?;
        self.target(node, seen, wanted)
    }

    fn change(&mut self, kind: &str, fields: &Fields<'_>, seen: &Seen) -> Option<Change> {
        let address = [Kind::Address];
        let account = [Kind::Account];
        match kind {
            "block_address" => {
                Some(Change::BlockAddress { target: self.aim(fields, "target", seen, &address)? })
            }
            "limit_address" => {
                let target = self.aim(fields, "target", seen, &address);
                let rate = self.count(fields, "packets_per_second", 10_000_000);
                Some(Change::LimitAddress { target: target?, packets_per_second: rate? })
            }
            "block_port" => {
                let target = self.aim(fields, "target", seen, &address);
                let protocol = fields.required("protocol", self.m);
                let protocol = protocol.and_then(|n| n.choice("protocol", &["tcp", "udp"], self.m));
                let port = self.count(fields, "port", 65_535).and_then(|p| u16::try_from(p).ok());
                let protocol = if protocol? == "tcp" { Transport::Tcp } else { Transport::Udp };
                Some(Change::BlockPort { target: target?, protocol, port: port? })
            }
            "quarantine_port" => {
                let port = self.aim(fields, "port", seen, &[Kind::Port]);
                let vlan = self.count(fields, "vlan", 4094).and_then(|v| u16::try_from(v).ok());
                Some(Change::QuarantinePort { port: port?, vlan: vlan? })
            }
            "lock_account" => {
                Some(Change::LockAccount { account: self.aim(fields, "account", seen, &account)? })
            }
            "unlock_account" => {
                Some(Change::UnlockAccount { account: self.aim(fields, "account", seen, &account)? })
            }
            "reset_credential" => {
                Some(Change::ResetCredential { account: self.aim(fields, "account", seen, &account)? })
            }
            "remove_from_group" => {
                let account = self.aim(fields, "account", seen, &account);
                let group = fields.required("group", self.m).and_then(|n| self.group(n, seen));
                Some(Change::RemoveFromGroup { account: account?, group: group? })
            }
            "sinkhole_domain" => {
                Some(Change::SinkholeDomain { domain: self.aim(fields, "domain", seen, &[Kind::Domain])? })
            }
            _ => self.declared_call(fields, seen),
        }
    }

    /// A group is written out by the author, or given as an input: never taken from an alert's text.
    fn group(&mut self, node: &Node, seen: &Seen) -> Option<Expr> {
        let group = self.expr(node, seen, &Kind::Text)?;
        if let Some(other) = group.variables().iter().find(|v| *v != "inputs") {
            let message = format!("`group` reads `{other}`, and free text never becomes a target");
            self.m.push(node.mistake(message, "write the group out, '\"vpn-users\"', or make it an input"));
            return None;
        }
        Some(group)
    }

    fn declared_call(&mut self, fields: &Fields<'_>, seen: &Seen) -> Option<Change> {
        let call = fields.required("call", self.m).and_then(|n| n.name(self.m));
        let all = [Kind::Address, Kind::Account, Kind::Domain, Kind::Port];
        let subject = self.aim(fields, "subject", seen, &all);
        let inputs = fields.optional("with").map_or(Some(Vec::new()), |n| self.exprs(n, seen));
        Some(Change::Call { call: call?, subject: subject?, inputs: inputs? })
    }

    fn count(&mut self, fields: &Fields<'_>, key: &str, most: u32) -> Option<u32> {
        let node = fields.required(key, self.m)?;
        node.integer(1..=i64::from(most), self.m).and_then(|n| u32::try_from(n).ok())
    }
}
