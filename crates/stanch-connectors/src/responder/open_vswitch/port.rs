//! One port as the database has it, whether it may be moved, and the transactions that move it. Pure.
//!
//! Source: ovs-vswitchd.conf.db(5) of Open vSwitch 3.1, tables Port, Interface and Bridge.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Our mark, and what the tag was before, among a port's external ids.
pub(super) const MARK: &str = "stanch";
const WAS: &str = "stanch-was";
/// What stands there for a port that had no tag.
const NONE: &str = "none";
/// Interfaces a machine can be behind. All others (patch, internal, tunnels) belong to the network.
const HOSTS: [&str; 8] =
    ["", "system", "tap", "afxdp", "afxdp-nonpmd", "dpdk", "dpdkvhostuser", "dpdkvhostuserclient"];

/// One port.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Port {
    uuid: String,
    /// The columns a transaction waits on, as they were read: if one changed, nothing is done.
    raw: Value,
    pub(super) tag: Option<u16>,
    trunks: bool,
    mode: Option<String>,
    bond: bool,
    pub(super) external: BTreeMap<String, String>,
    interfaces: Vec<Interface>,
    /// The bridges it is in.
    pub(super) bridges: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Interface {
    kind: String,
    lldp: bool,
    number: Option<i64>,
}

/// What stands in a set, of which a single value is written without its set. Source: RFC 7047, 5.1.
fn set(value: &Value) -> Vec<Value> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(word), Value::Array(items)]) if word == "set" => items.clone(),
        _ => vec![value.clone()],
    }
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_array().and_then(|all| all.get(1)).and_then(Value::as_array);
    let pair = |p: &Value| Some((p[0].as_str()?.to_owned(), p[1].as_str()?.to_owned()));
    pairs.into_iter().flatten().filter_map(pair).collect()
}

fn uuid(value: &Value) -> Option<String> {
    (value[0] == "uuid").then(|| value[1].as_str().map(str::to_owned)).flatten()
}

fn optional_text(value: &Value) -> Option<String> {
    set(value).first().and_then(Value::as_str).map(str::to_owned)
}

/// Three reads in one transaction, so that they fit together.
pub(super) fn select(port: &str) -> Vec<Value> {
    let columns = ["_uuid", "tag", "trunks", "vlan_mode", "bond_mode", "lacp", "interfaces", "external_ids"];
    vec![
        json!({ "op": "select", "table": "Port", "where": [["name", "==", port]], "columns": columns }),
        json!({ "op": "select", "table": "Interface", "where": [],
            "columns": ["_uuid", "type", "lldp", "ofport"] }),
        json!({ "op": "select", "table": "Bridge", "where": [], "columns": ["name", "ports"] }),
    ]
}

/// Reads the answer to [`select`]; none when there is no such port.
///
/// # Errors
/// When it is not what the schema says.
pub(super) fn read(result: &Value) -> Result<Option<Port>, String> {
    let rows = |at: usize| {
        result[at]["rows"].as_array().ok_or_else(|| format!("answer {at} has no rows: {}", result[at]))
    };
    let Some(row) = rows(0)?.first() else { return Ok(None) };
    let id = uuid(&row["_uuid"]).ok_or("a port without an id")?;
    let wanted: Vec<Value> = set(&row["interfaces"]);
    let interfaces = rows(1)?.iter().filter(|i| wanted.contains(&i["_uuid"])).map(|i| Interface {
        kind: i["type"].as_str().unwrap_or("unknown").to_owned(),
        lldp: map(&i["lldp"]).get("enable").is_some_and(|v| v == "true"),
        number: set(&i["ofport"]).first().and_then(Value::as_i64),
    });
    let bridges = rows(2)?.iter().filter(|b| set(&b["ports"]).contains(&row["_uuid"]));
    let tag = match set(&row["tag"]).first() {
        None => None,
        Some(n) => Some(n.as_u64().and_then(|n| u16::try_from(n).ok()).ok_or("a tag that is no VLAN")?),
    };
    let mut raw = row.clone();
    if let Some(columns) = raw.as_object_mut() {
        columns.remove("_uuid");
    }
    Ok(Some(Port {
        uuid: id,
        raw,
        tag,
        trunks: !set(&row["trunks"]).is_empty(),
        mode: optional_text(&row["vlan_mode"]),
        bond: wanted.len() > 1 || !set(&row["bond_mode"]).is_empty() || active(&row["lacp"]),
        external: map(&row["external_ids"]),
        interfaces: interfaces.collect(),
        bridges: bridges.filter_map(|b| b["name"].as_str().map(str::to_owned)).collect(),
    }))
}

fn active(lacp: &Value) -> bool {
    optional_text(lacp).is_some_and(|mode| mode != "off")
}

impl Port {
    /// Why this port must not be moved, if it must not. `untagged`: ports without a tag are access
    /// ports here, on a switch that knows no VLANs.
    pub(super) fn refusal(&self, name: &str, uplinks: &[String], untagged: bool) -> Option<String> {
        let no = |why: &str| Some(format!("{name} is not an access port: {why}"));
        if uplinks.iter().any(|u| u == name) {
            return no("it is declared an uplink");
        }
        if self.bridges.is_empty() {
            return no("it is in no bridge");
        }
        if self.trunks || self.mode.as_deref().is_some_and(|m| m != "access") {
            return no("it carries several VLANs (a trunk)");
        }
        if self.bond {
            return no("it is a bond of several links");
        }
        if let Some(other) = self.interfaces.iter().find(|i| !HOSTS.contains(&i.kind.as_str())) {
            return no(&format!("its interface is of type {}", other.kind));
        }
        if self.interfaces.is_empty() {
            return no("it has no interface");
        }
        if self.interfaces.iter().any(|i| i.lldp) {
            return no("it speaks LLDP, as links between switches do");
        }
        if self.tag.is_none() && !untagged {
            return no(
                "without a tag it carries every VLAN; if this switch has none, write `untagged: access`",
            );
        }
        None
    }

    /// The number the switch knows the port by.
    pub(super) fn number(&self) -> Option<i64> {
        self.interfaces.first().and_then(|i| i.number)
    }

    /// Whose mark it bears.
    pub(super) fn mark(&self) -> Option<&str> {
        self.external.get(MARK).map(String::as_str)
    }

    /// What the switch itself remembers of the tag before.
    pub(super) fn was(&self) -> Option<Option<u16>> {
        let text = self.external.get(WAS)?;
        if text == NONE { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn here(&self) -> Value {
        json!([["_uuid", "==", ["uuid", self.uuid]]])
    }

    /// Holds only as long as the port is as it was read.
    fn unchanged(&self) -> Value {
        let columns: Vec<&String> = self.raw.as_object().map(|o| o.keys().collect()).unwrap_or_default();
        json!({ "op": "wait", "table": "Port", "timeout": 0, "where": self.here(), "columns": columns,
            "until": "==", "rows": [self.raw] })
    }

    fn mutate(&self, mutation: &Value) -> Value {
        json!({ "op": "mutate", "table": "Port", "where": self.here(), "mutations": [mutation] })
    }

    fn retag(&self, tag: Option<u16>) -> Value {
        let tag = tag.map_or(json!(["set", []]), |tag| json!(tag));
        json!({ "op": "update", "table": "Port", "where": self.here(), "row": { "tag": tag } })
    }

    /// Moves the port and marks it, in one transaction.
    pub(super) fn quarantine(&self, vlan: u16, mark: &str) -> Vec<Value> {
        let was = self.tag.map_or(NONE.to_owned(), |tag| tag.to_string());
        let marks = json!(["external_ids", "insert", ["map", [[MARK, mark], [WAS, was]]]]);
        let say = format!("{mark}: into quarantine VLAN {vlan}, was {was}");
        let mut all = vec![self.unchanged(), self.retag(Some(vlan)), self.mutate(&marks)];
        all.extend(apply(&say));
        all
    }

    /// Takes our mark off, and moves the port back if it is still where we moved it.
    pub(super) fn release(&self, vlan: u16, was: Option<u16>, mark: &str) -> Vec<Value> {
        let marks = json!(["external_ids", "delete", ["set", [MARK, WAS]]]);
        let mut all = vec![self.unchanged(), self.mutate(&marks)];
        if self.tag == Some(vlan) {
            all.insert(1, self.retag(was));
        }
        all.extend(apply(&format!("{mark}: taken back")));
        all
    }
}

/// Asks the switch to take the new state over, and for the number by which it will say so.
fn apply(say: &str) -> [Value; 3] {
    [
        json!({ "op": "comment", "comment": say }),
        json!({ "op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]] }),
        json!({ "op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"] }),
    ]
}

/// What came of a transaction: the number to wait for, or why nothing was done.
pub(super) fn outcome(result: &Value) -> Result<i64, String> {
    let parts = result.as_array().ok_or("the answer is no list")?;
    // A failed operation is named at its place; one more at the end means that the commit failed.
    if let Some(bad) = parts.iter().find(|p| p.get("error").is_some_and(|e| !e.is_null())) {
        return Err(format!(
            "{} {}",
            bad["error"].as_str().unwrap_or("error"),
            bad["details"].as_str().unwrap_or("")
        ));
    }
    let number = parts.last().and_then(|p| p["rows"][0]["next_cfg"].as_i64());
    number.ok_or_else(|| "the answer names no configuration number".to_owned())
}

/// How many machines the switch has learnt behind a port, from what `fdb/show` prints.
pub(super) fn learnt(table: &str, number: i64) -> usize {
    let number = number.to_string();
    table.lines().filter(|line| line.split_whitespace().next() == Some(number.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(row: Value, interfaces: &[Value]) -> Port {
        let ids: Vec<Value> = (0..interfaces.len()).map(|n| json!(["uuid", format!("i{n}")])).collect();
        let mut whole = json!({ "_uuid": ["uuid", "p"], "tag": 10, "trunks": ["set", []], "vlan_mode": ["set", []],
            "bond_mode": ["set", []], "lacp": ["set", []], "interfaces": ["set", ids],
            "external_ids": ["map", []] });
        for (key, value) in row.as_object().expect("a row") {
            whole[key] = value.clone();
        }
        let interfaces: Vec<Value> = interfaces
            .iter()
            .enumerate()
            .map(|(n, i)| {
                let mut all = json!({ "_uuid": ["uuid", format!("i{n}")], "type": "", "lldp": ["map", []], "ofport": 3 });
                for (key, value) in i.as_object().expect("an interface") {
                    all[key] = value.clone();
                }
                all
            })
            .collect();
        let bridge = json!({ "name": "br0", "ports": ["set", [["uuid", "p"], ["uuid", "q"]]] });
        read(&json!([{ "rows": [whole] }, { "rows": interfaces }, { "rows": [bridge] }]))
            .expect("readable")
            .expect("a port")
    }

    fn said(row: Value, interfaces: &[Value]) -> String {
        let port = port(row, interfaces);
        port.refusal("eth5", &["eth48".to_owned()], false).unwrap_or_else(|| "may be moved".to_owned())
    }

    #[test]
    fn only_access_ports_with_a_machine_behind_them_may_be_moved() {
        let one = [json!({})];
        assert_eq!(said(json!({}), &one), "may be moved");
        assert_eq!(said(json!({ "vlan_mode": "access" }), &one), "may be moved");
        for (row, interfaces, why) in [
            (json!({ "trunks": 10 }), vec![json!({})], "several VLANs"),
            (json!({ "tag": ["set", []], "trunks": ["set", [10, 20]] }), vec![json!({})], "several VLANs"),
            (json!({ "vlan_mode": "trunk" }), vec![json!({})], "several VLANs"),
            (json!({ "vlan_mode": "native-untagged" }), vec![json!({})], "several VLANs"),
            (json!({ "tag": ["set", []] }), vec![json!({})], "every VLAN"),
            (json!({}), vec![json!({}), json!({})], "a bond"),
            (json!({ "bond_mode": "balance-slb" }), vec![json!({})], "a bond"),
            (json!({ "lacp": "active" }), vec![json!({})], "a bond"),
            (json!({}), vec![json!({ "type": "patch" })], "type patch"),
            (json!({}), vec![json!({ "type": "internal" })], "type internal"),
            (json!({}), vec![json!({ "type": "vxlan" })], "type vxlan"),
            (json!({}), vec![json!({ "type": "something-new" })], "type something-new"),
            (json!({}), vec![json!({ "lldp": ["map", [["enable", "true"]]] })], "LLDP"),
            (json!({}), vec![], "no interface"),
        ] {
            let text = said(row.clone(), &interfaces);
            assert!(text.contains(why), "{row}: {text}");
        }
        let declared = port(json!({}), &one).refusal("eth48", &["eth48".to_owned()], false);
        assert!(declared.is_some_and(|w| w.contains("declared an uplink")));
        let flat = port(json!({ "tag": ["set", []] }), &one).refusal("eth5", &[], true);
        assert_eq!(flat, None, "a switch without VLANs, declared as such");
    }

    #[test]
    fn a_failed_operation_and_a_failed_commit_are_both_seen() {
        let timed_out = json!([{ "error": "timed out", "details": "\"where\" clause" }, null]);
        assert!(outcome(&timed_out).is_err_and(|why| why.starts_with("timed out")));
        let commit =
            json!([{}, { "count": 1 }, { "rows": [{ "next_cfg": 5 }] }, { "error": "constraint violation" }]);
        assert!(outcome(&commit).is_err());
        assert_eq!(outcome(&json!([{}, { "count": 1 }, { "rows": [{ "next_cfg": 5 }] }])), Ok(5));
        assert!(outcome(&json!({})).is_err());
    }

    #[test]
    fn machines_behind_a_port_are_counted_by_its_number() {
        let table = " port  VLAN  MAC                Age\n    3    10  c2:3b:d6:3e:1f:81    1\n   13    10  aa:3b:d6:3e:1f:81    1\n    3    11  c2:3b:d6:3e:1f:82    1\n";
        assert_eq!((learnt(table, 3), learnt(table, 13), learnt(table, 1)), (2, 1, 0));
    }
}
