//! How our table is laid out: sets, chains and rules, what is missing of them, and what is odd. Pure.
//!
//! Sets and elements are never sent in one batch: nft 1.0.6 then gives an element the limit of its set
//! instead of its own (measured).

use serde_json::{Value, json};

/// Where our chains hook in. `input` and `output` cover the machine itself.
const HOOKS: [&str; 3] = ["forward", "input", "output"];
/// Just before the usual filter chains, so that an accept there comes too late.
const PRIORITY: i64 = -10;

/// What the elements of a set do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Everything from and to them is dropped.
    Block,
    /// What is above their own limit is dropped.
    Limit,
    /// What goes to one of their ports is dropped.
    Port,
}

/// One of our sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) name: &'static str,
    pub(super) does: Does,
    pub(super) six: bool,
}

/// All of them.
pub(super) const SETS: [Set; 6] = [
    Set { name: "blocked4", does: Does::Block, six: false },
    Set { name: "blocked6", does: Does::Block, six: true },
    Set { name: "limited4", does: Does::Limit, six: false },
    Set { name: "limited6", does: Does::Limit, six: true },
    Set { name: "ports4", does: Does::Port, six: false },
    Set { name: "ports6", does: Does::Port, six: true },
];

/// The set for elements that do this.
pub(super) fn set_for(does: Does, six: bool) -> &'static Set {
    SETS.iter().find(|s| s.does == does && s.six == six).unwrap_or(&SETS[0])
}

impl Set {
    fn protocol(&self) -> &'static str {
        if self.six { "ip6" } else { "ip" }
    }

    fn kind(&self) -> Value {
        let address = if self.six { "ipv6_addr" } else { "ipv4_addr" };
        match self.does {
            Does::Block | Does::Limit => json!(address),
            Does::Port => json!([address, "inet_proto", "inet_service"]),
        }
    }

    fn declaration(&self, table: &str) -> Value {
        let mut set = json!({ "family": "inet", "table": table, "name": self.name, "type": self.kind(),
            "flags": ["timeout", "interval"] });
        if self.does == Does::Limit {
            // What an element gets that names no limit of its own; ours always name one.
            set["stmt"] = json!([{ "limit": { "rate": 1, "per": "second", "inv": true } }]);
        }
        json!({ "add": { "set": set } })
    }

    /// Chain and test of each of its rules.
    fn rules(&self) -> Vec<(&'static str, Value)> {
        let payload = |field: &str| json!({ "payload": { "protocol": self.protocol(), "field": field } });
        let test = |left: Value| json!({ "match": { "op": "==", "left": left, "right": format!("@{}", self.name) } });
        let of = |chains: &[&'static str], left: &Value| -> Vec<(&'static str, Value)> {
            chains.iter().map(|chain| (*chain, test(left.clone()))).collect()
        };
        match self.does {
            Does::Block => {
                let sides = ["saddr", "daddr"].map(payload);
                sides.iter().flat_map(|side| of(&HOOKS, side)).collect()
            }
            // Nothing comes in through `output`.
            Does::Limit => of(&HOOKS[..2], &payload("saddr")),
            Does::Port => {
                let left = json!({ "concat": [
                    payload("daddr"),
                    { "meta": { "key": "l4proto" } },
                    { "payload": { "protocol": "th", "field": "dport" } } ] });
                of(&HOOKS, &left)
            }
        }
    }
}

/// What stands of our layout on the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) exists: bool,
    pub(super) dormant: bool,
    sets: Vec<String>,
    chains: Vec<String>,
    /// Chain and test of the rules that are as we make them.
    rules: Vec<(String, Value)>,
    /// Packets our rules have dropped so far.
    pub(super) dropped: u64,
    /// What stands under our names and is not as we make it.
    odd: Option<String>,
}

impl Layout {
    /// Takes in a set as listed; the one it is of ours.
    pub(super) fn read_set(&mut self, set: &Value) -> Option<&'static Set> {
        let ours = SETS.iter().find(|s| set["name"] == s.name)?;
        let flags = set["flags"].to_string();
        let limits = set["stmt"][0]["limit"]["inv"] == true;
        if set["type"] != ours.kind()
            || !flags.contains("\"timeout\"")
            || !flags.contains("\"interval\"")
            || limits != (ours.does == Does::Limit)
        {
            self.odd = Some(format!("a set named {} stands there that is not as we make it", ours.name));
        }
        self.sets.push(ours.name.to_owned());
        Some(ours)
    }

    /// Takes in a chain as listed.
    pub(super) fn read_chain(&mut self, chain: &Value) {
        let Some(hook) = HOOKS.iter().find(|hook| chain["name"] == **hook) else { return };
        if chain["hook"] != *hook || chain["prio"] != PRIORITY || chain["type"] != "filter" {
            self.odd = Some(format!("a chain named {hook} stands there that is not hooked in as we make it"));
        }
        self.chains.push((*hook).to_owned());
    }

    /// Counts a rule as ours only when it is exactly match, counter, drop.
    pub(super) fn read_rule(&mut self, rule: &Value) {
        let Some([test, counter, drop]) = rule["expr"].as_array().map(Vec::as_slice) else { return };
        let Some(chain) = rule["chain"].as_str() else { return };
        if drop.get("drop").is_none() || counter.get("counter").is_none() {
            return;
        }
        if SETS.iter().flat_map(Set::rules).any(|(c, t)| c == chain && t == *test) {
            self.rules.push((chain.to_owned(), test.clone()));
            self.dropped = self.dropped.saturating_add(counter["counter"]["packets"].as_u64().unwrap_or(0));
        }
    }

    /// The commands that add what is missing; none when it is complete. Adds only: nothing that
    /// stands is removed or changed.
    pub(super) fn repair(&self, table: &str) -> Vec<Value> {
        let mut commands = Vec::new();
        if !self.exists {
            commands.push(json!({ "add": { "table": { "family": "inet", "name": table } } }));
        }
        let missing = |set: &&Set| !self.sets.iter().any(|s| s == set.name);
        commands.extend(SETS.iter().filter(missing).map(|set| set.declaration(table)));
        for hook in HOOKS {
            if !self.chains.iter().any(|c| c == hook) {
                commands.push(json!({ "add": { "chain": { "family": "inet", "table": table, "name": hook,
                    "type": "filter", "hook": hook, "prio": PRIORITY, "policy": "accept" } } }));
            }
        }
        for (_, chain, test) in self.missing_rules(|_| true) {
            commands.push(json!({ "add": { "rule": { "family": "inet", "table": table, "chain": chain,
                "expr": [test, { "counter": null }, { "drop": null }] } } }));
        }
        commands
    }

    fn missing_rules(&self, of: impl Fn(Does) -> bool) -> Vec<(&'static Set, &'static str, Value)> {
        let wanted = SETS
            .iter()
            .filter(|s| of(s.does))
            .flat_map(|set| set.rules().into_iter().map(move |(chain, test)| (set, chain, test)));
        wanted.filter(|(_, chain, test)| !self.rules.iter().any(|(c, t)| c == chain && t == test)).collect()
    }

    /// Why an element that does this would do nothing; none when all is in place.
    pub(super) fn flaw(&self, does: Does) -> Option<String> {
        if let Some(odd) = &self.odd {
            return Some(odd.clone());
        }
        if self.dormant {
            return Some("our table is dormant, so nothing in it is in force".to_owned());
        }
        let missing = self.missing_rules(|d| d == does);
        let (set, chain, test) = missing.first()?;
        let field = test["match"]["left"]["payload"]["field"].as_str().unwrap_or("daddr and port");
        Some(format!(
            "{} of our rules are missing, first `{field} @{} drop` in chain {chain}",
            missing.len(),
            set.name
        ))
    }
}
