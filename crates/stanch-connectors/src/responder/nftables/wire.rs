//! nft's JSON, in and out: what we send, what we read, and what we make of it. Pure.
//!
//! Source: libnftables-json(5), nftables 1.0.6; shapes checked against what nft 1.0.6 prints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde_json::{Value, json};
use stanch_model::Span;
use stanch_model::action::plain;

/// Where our chains hook in. `input` and `output` cover the machine itself.
pub(super) const HOOKS: [&str; 3] = ["forward", "input", "output"];
/// Just before the usual filter chains, so that an accept there comes too late.
pub(super) const PRIORITY: i64 = -10;
/// (set, element type, protocol in a payload match)
const SETS: [(&str, &str, &str); 2] = [("blocked4", "ipv4_addr", "ip"), ("blocked6", "ipv6_addr", "ip6")];
const FIELDS: [&str; 2] = ["saddr", "daddr"];

/// One entry of our sets, as a closed range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    pub(super) expires: Option<Span>,
    pub(super) comment: Option<String>,
}

/// Our table as it stands on the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    exists: bool,
    dormant: bool,
    sets: Vec<String>,
    chains: Vec<String>,
    rules: Vec<(String, &'static str, &'static str)>,
    pub(super) elements: Vec<Element>,
    /// Packets our rules have dropped so far.
    pub(super) dropped: u64,
    /// What stands under our names and is not as we make it.
    odd: Option<String>,
}

/// What an action finds when it looks for its own element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Ours { expires: Option<Span> },
    Absent,
    Other { what: String },
}

pub(super) fn set_for(target: &IpNet) -> &'static str {
    match target {
        IpNet::V4(_) => "blocked4",
        IpNet::V6(_) => "blocked6",
    }
}

fn batch(commands: Vec<Value>) -> Vec<u8> {
    json!({ "nftables": commands }).to_string().into_bytes()
}

pub(super) fn list(table: &str) -> Vec<u8> {
    batch(vec![json!({ "list": { "table": { "family": "inet", "name": table } } })])
}

pub(super) fn delete_table(table: &str) -> Vec<u8> {
    batch(vec![json!({ "delete": { "table": { "family": "inet", "name": table } } })])
}

fn range(target: &IpNet) -> Value {
    if target.prefix_len() == target.max_prefix_len() {
        json!(target.addr().to_string())
    } else {
        json!({ "prefix": { "addr": target.network().to_string(), "len": target.prefix_len() } })
    }
}

/// `create`, not `add`: adding what is already there would refresh its timer. Source: measured, nft
/// 1.0.6 on kernel 6.18 (10 s became 60 s).
pub(super) fn create_element(table: &str, target: &IpNet, seconds: i64, tag: &str) -> Vec<u8> {
    let element = json!({ "elem": { "val": range(target), "timeout": seconds, "comment": tag } });
    batch(vec![json!({ "create": { "element": {
        "family": "inet", "table": table, "name": set_for(target), "elem": [element] } } })])
}

pub(super) fn delete_element(table: &str, target: &IpNet) -> Vec<u8> {
    batch(vec![json!({ "delete": { "element": {
        "family": "inet", "table": table, "name": set_for(target), "elem": [range(target)] } } })])
}

impl Table {
    /// The commands that add what is missing of our table, as one batch; none when it is complete.
    /// Adds only: nothing that stands is removed or changed.
    pub(super) fn repair(&self, table: &str) -> Option<Vec<u8>> {
        let mut commands = Vec::new();
        if !self.exists {
            commands.push(json!({ "add": { "table": { "family": "inet", "name": table } } }));
        }
        for (set, kind, _) in SETS {
            if !self.sets.iter().any(|s| s == set) {
                commands.push(json!({ "add": { "set": { "family": "inet", "table": table, "name": set,
                    "type": kind, "flags": ["timeout", "interval"] } } }));
            }
        }
        for hook in HOOKS {
            if !self.chains.iter().any(|c| c == hook) {
                commands.push(json!({ "add": { "chain": { "family": "inet", "table": table, "name": hook,
                    "type": "filter", "hook": hook, "prio": PRIORITY, "policy": "accept" } } }));
            }
        }
        for (chain, set, field) in self.missing_rules() {
            let protocol = if set == "blocked4" { "ip" } else { "ip6" };
            commands.push(json!({ "add": { "rule": { "family": "inet", "table": table, "chain": chain,
                "expr": [
                    { "match": { "op": "==", "right": format!("@{set}"),
                        "left": { "payload": { "protocol": protocol, "field": field } } } },
                    { "counter": null },
                    { "drop": null } ] } } }));
        }
        (!commands.is_empty()).then(|| batch(commands))
    }

    fn missing_rules(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut missing = Vec::new();
        for chain in HOOKS {
            for (set, _, _) in SETS {
                for field in FIELDS {
                    if !self.rules.iter().any(|(c, s, f)| c == chain && *s == set && *f == field) {
                        missing.push((chain, set, field));
                    }
                }
            }
        }
        missing
    }

    /// Why an address in our sets would pass all the same; none when the table is whole.
    pub(super) fn flaw(&self) -> Option<String> {
        if let Some(odd) = &self.odd {
            return Some(odd.clone());
        }
        if self.dormant {
            return Some("our table is dormant, so nothing in it is in force".to_owned());
        }
        let missing = self.missing_rules();
        let (chain, set, field) = missing.first()?;
        Some(format!(
            "{} of our rules are missing, first `{field} @{set} drop` in chain {chain}",
            missing.len()
        ))
    }

    /// True when nothing at all is blocked through this table.
    pub(super) fn is_idle(&self) -> bool {
        self.elements.is_empty()
    }

    pub(super) fn exists(&self) -> bool {
        self.exists
    }

    /// What one action finds. Its own element is recognised by tag and address together.
    pub(super) fn judge(&self, target: &IpNet, tag: &str) -> Sight {
        let (first, last) = (target.network(), target.broadcast());
        let ours = |e: &&Element| e.comment.as_deref() == Some(tag);
        if let Some(e) = self.elements.iter().filter(ours).find(|e| e.first == first && e.last == last) {
            return Sight::Ours { expires: e.expires };
        }
        let overlaps =
            |e: &&Element| e.first.is_ipv4() == first.is_ipv4() && e.first <= last && first <= e.last;
        if let Some(e) = self.elements.iter().find(overlaps) {
            let relation = if e.first == first && e.last == last {
                format!("{} is", plain(target))
            } else {
                format!("{} overlaps with {}, which is", plain(target), e.words())
            };
            return Sight::Other { what: format!("{relation} already blocked {}", e.owner()) };
        }
        match self.elements.iter().find(ours) {
            Some(e) => Sight::Other {
                what: format!("our tag {tag} is on {} instead of {}", e.words(), plain(target)),
            },
            None => Sight::Absent,
        }
    }
}

impl Element {
    /// The prefixes that make up the range; one, unless somebody else wrote it.
    pub(super) fn nets(&self) -> Vec<IpNet> {
        match (self.first, self.last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Ipv4Subnets::new(a, b, 0).map(IpNet::V4).collect(),
            (IpAddr::V6(a), IpAddr::V6(b)) => Ipv6Subnets::new(a, b, 0).map(IpNet::V6).collect(),
            _ => Vec::new(),
        }
    }

    fn words(&self) -> String {
        match self.nets().as_slice() {
            [one] => plain(one),
            _ => format!("{}-{}", self.first, self.last),
        }
    }

    fn owner(&self) -> String {
        let until = self.expires.map_or("without expiry".to_owned(), |s| format!("for another {s}"));
        match &self.comment {
            Some(tag) if tag.starts_with("stanch:") => format!("by {tag} {until}"),
            Some(comment) => format!("by an entry that is not ours (comment {comment:?}) {until}"),
            None => format!("by an entry that is not ours {until}"),
        }
    }
}

/// Reads the answer to [`list`].
///
/// # Errors
/// When it is not what nft is documented to print.
pub(super) fn parse(out: &[u8]) -> Result<Table, String> {
    let answer: Value = serde_json::from_slice(out).map_err(|e| format!("nft's answer is not JSON: {e}"))?;
    let items = answer["nftables"].as_array().ok_or("nft's answer has no `nftables` list")?;
    let mut table = Table::default();
    for item in items {
        if let Some(t) = item.get("table") {
            table.exists = true;
            // 1.0.6 prints one flag as a text, several as a list.
            table.dormant = t.get("flags").is_some_and(|flags| flags.to_string().contains("\"dormant\""));
        } else if let Some(set) = item.get("set") {
            read_set(set, &mut table)?;
        } else if let Some(chain) = item.get("chain") {
            read_chain(chain, &mut table);
        } else if let Some(rule) = item.get("rule") {
            read_rule(rule, &mut table);
        }
    }
    Ok(table)
}

fn read_set(set: &Value, table: &mut Table) -> Result<(), String> {
    let Some((name, kind, _)) = SETS.iter().find(|(name, _, _)| set["name"] == *name) else {
        return Ok(());
    };
    let flags = set["flags"].to_string();
    if set["type"] != *kind || !flags.contains("\"timeout\"") || !flags.contains("\"interval\"") {
        table.odd = Some(format!("a set named {name} stands there that is not as we make it"));
    }
    table.sets.push((*name).to_owned());
    for item in set["elem"].as_array().into_iter().flatten() {
        let body = item.get("elem");
        let value = body.map_or(item, |b| &b["val"]);
        let (first, last) = read_range(value).ok_or_else(|| format!("element {value} was not understood"))?;
        let expires = body.and_then(|b| b["expires"].as_i64().or(b["timeout"].as_i64())).map(Span::secs);
        let comment = body.and_then(|b| b["comment"].as_str()).map(str::to_owned);
        table.elements.push(Element { first, last, expires, comment });
    }
    Ok(())
}

fn read_range(value: &Value) -> Option<(IpAddr, IpAddr)> {
    if let Some(text) = value.as_str() {
        let address = text.parse().ok()?;
        return Some((address, address));
    }
    if let Some(prefix) = value.get("prefix") {
        let address: IpAddr = prefix["addr"].as_str()?.parse().ok()?;
        let net = IpNet::new(address, u8::try_from(prefix["len"].as_u64()?).ok()?).ok()?;
        return Some((net.network(), net.broadcast()));
    }
    let ends = value.get("range")?.as_array()?;
    let end = |i: usize| -> Option<IpAddr> { ends.get(i)?.as_str()?.parse().ok() };
    Some((end(0)?, end(1)?))
}

fn read_chain(chain: &Value, table: &mut Table) {
    let Some(hook) = HOOKS.iter().find(|hook| chain["name"] == **hook) else { return };
    if chain["hook"] != *hook || chain["prio"] != PRIORITY || chain["type"] != "filter" {
        table.odd = Some(format!("a chain named {hook} stands there that is not hooked in as we make it"));
    }
    table.chains.push((*hook).to_owned());
}

/// Counts a rule as ours only when it is exactly match, counter, drop.
fn read_rule(rule: &Value, table: &mut Table) {
    let Some([test, counter, drop]) = rule["expr"].as_array().map(Vec::as_slice) else { return };
    if drop.get("drop").is_none() || counter.get("counter").is_none() || test["match"]["op"] != "==" {
        return;
    }
    let (left, right) = (&test["match"]["left"]["payload"], &test["match"]["right"]);
    let set =
        SETS.iter().find(|(set, _, protocol)| *right == format!("@{set}") && left["protocol"] == *protocol);
    let field = FIELDS.iter().find(|field| left["field"] == **field);
    if let (Some((set, _, _)), Some(field), Some(chain)) = (set, field, rule["chain"].as_str()) {
        table.rules.push((chain.to_owned(), set, field));
        table.dropped = table.dropped.saturating_add(counter["counter"]["packets"].as_u64().unwrap_or(0));
    }
}

/// The widest things there are, refused whatever anybody decided: a set cannot take back `all`.
pub(super) fn refusal(target: &IpNet) -> Option<String> {
    if target.prefix_len() == 0 {
        return Some(format!("{target} is every address there is; this is never blocked"));
    }
    match target.addr() {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => Some(format!(
            "{target} is an IPv4 address in IPv6 spelling, which no packet carries; write it as IPv4"
        )),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            Some(format!("{target} is no address of a host"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = include_str!("../../../fixtures/nftables/list_table.json");

    fn net(text: &str) -> IpNet {
        text.parse().expect(text)
    }

    fn sees(target: &str, tag: &str) -> String {
        let table = parse(WHOLE.as_bytes()).expect("recorded answer");
        match table.judge(&net(target), tag) {
            Sight::Ours { expires } => {
                format!("ours, {}", expires.map_or("no timer".into(), |s| s.to_string()))
            }
            Sight::Absent => "absent".to_owned(),
            Sight::Other { what } => what,
        }
    }

    #[test]
    fn a_recorded_table_is_whole_and_needs_no_repair() {
        let table = parse(WHOLE.as_bytes()).expect("recorded answer");
        assert_eq!((table.flaw(), table.repair("stanch")), (None, None));
        assert_eq!(table.elements.len(), 5);
        assert_eq!(table.dropped, 3);
    }

    #[test]
    fn an_action_knows_its_own_element_by_tag_and_address() {
        assert_eq!(sees("10.1.0.5/32", "stanch:ACT-4"), "ours, 59s");
        assert_eq!(sees("10.0.0.0/24", "stanch:ACT-1"), "ours, 59s");
        assert_eq!(sees("2001:db8::5/128", "stanch:ACT-6"), "ours, 59s");
        assert_eq!(sees("10.9.9.9/32", "stanch:ACT-9"), "absent");
    }

    #[test]
    fn what_others_put_there_is_named_with_its_owner() {
        assert_eq!(
            sees("10.1.0.5/32", "stanch:ACT-5"),
            "10.1.0.5 is already blocked by stanch:ACT-4 for another 59s"
        );
        assert_eq!(
            sees("10.0.0.7/32", "stanch:ACT-7"),
            "10.0.0.7 overlaps with 10.0.0.0/24, which is already blocked by stanch:ACT-1 for another 59s"
        );
        assert_eq!(
            sees("10.2.0.0/16", "stanch:ACT-7"),
            "10.2.0.0/16 overlaps with 10.2.0.1-10.2.0.9, which is already blocked by an entry that is not ours \
             without expiry"
        );
        assert_eq!(
            sees("10.3.0.3/32", "stanch:ACT-7"),
            "10.3.0.3 is already blocked by an entry that is not ours (comment \"by hand\") for another 59s"
        );
        assert_eq!(
            sees("10.1.0.6/32", "stanch:ACT-4"),
            "our tag stanch:ACT-4 is on 10.1.0.5 instead of 10.1.0.6"
        );
    }

    #[test]
    fn a_missing_rule_is_a_flaw_and_only_that_rule_is_added() {
        let mut answer: Value = serde_json::from_str(WHOLE).expect("json");
        let items = answer["nftables"].as_array_mut().expect("list");
        let at = items.iter().position(|i| i.get("rule").is_some()).expect("a rule");
        items.remove(at);
        let table = parse(answer.to_string().as_bytes()).expect("still readable");
        assert_eq!(
            table.flaw().as_deref(),
            Some("1 of our rules are missing, first `saddr @blocked4 drop` in chain forward")
        );
        let batch: Value = serde_json::from_slice(&table.repair("stanch").expect("a repair")).expect("json");
        assert_eq!(batch["nftables"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn everything_and_disguised_addresses_are_refused() {
        assert!(refusal(&net("0.0.0.0/0")).is_some());
        assert!(refusal(&net("::/0")).is_some());
        assert!(refusal(&net("::ffff:10.0.0.1/128")).is_some());
        assert_eq!(refusal(&net("10.0.0.1/32")), None);
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        for text in [
            "",
            "{}",
            "[]",
            "{\"nftables\": 3}",
            "{\"nftables\": [{\"set\": {\"name\": \"blocked4\", \"elem\": [{}]}}]}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(b"{\"nftables\": []}"), Ok(Table::default()));
    }
}
