//! What kind of value an expression gives, found out without evaluating it.
//!
//! A comparison that can never be true, a field nobody sets and a text where a number belongs are
//! mistakes of the author, told with their column when the file is read. Where a kind is unknown
//! nothing is claimed: evaluation tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr as Ast, LiteralValue, SelectExpr, SourceInfo,
    operators as op,
};

use super::{ExprError, Kind, check::find_word, short};
use crate::near::suggest;

/// What an expression may read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Top-level names.
    pub variables: BTreeMap<String, Kind>,
    /// Fields that may be missing when the expression is evaluated, as `steps.look.facts`: their
    /// kind, and why they may be missing. An expression may read them after asking `has(…)`. A last part
    /// `*` stands for every field.
    pub uncertain: BTreeMap<String, (Kind, String)>,
    /// All the words a field, or each item of a list field, can hold: `incident.kind`.
    pub words: BTreeMap<String, Vec<&'static str>>,
    /// The smallest and the largest value of a field: `incident.confidence`.
    pub ranges: BTreeMap<String, (f64, f64)>,
}

pub(super) fn infer(
    root: &IdedExpr,
    source: &str,
    info: &SourceInfo,
    known: &Known,
) -> Result<Kind, ExprError> {
    let mut asked = BTreeSet::new();
    collect_asked(root, &mut asked);
    let mut infer = Infer { source, info, known, asked, bound: Vec::new() };
    infer.kind(root)
}

/// The fields whose presence the expression asks for with `has(…)`.
fn collect_asked(node: &IdedExpr, asked: &mut BTreeSet<String>) {
    let mut visit = |n: &IdedExpr| collect_asked(n, asked);
    match &node.expr {
        Ast::Select(s) => {
            visit(&s.operand);
            if s.test
                && let Some(path) = path_of(&s.operand)
            {
                asked.insert(format!("{path}.{}", s.field));
            }
        }
        Ast::Call(c) => c.target.iter().map(AsRef::as_ref).chain(&c.args).for_each(visit),
        Ast::List(l) => l.elements.iter().for_each(visit),
        Ast::Comprehension(c) => [&c.iter_range, &c.loop_step, &c.result].into_iter().for_each(visit),
        Ast::Map(m) => m.entries.iter().for_each(|e| match &e.expr {
            EntryExpr::MapEntry(e) => {
                visit(&e.key);
                visit(&e.value);
            }
            EntryExpr::StructField(f) => visit(&f.value),
        }),
        Ast::Unspecified | Ast::Literal(_) | Ast::Ident(_) | Ast::Struct(_) => {}
    }
}

/// `a.b.c`, also when it is written `a["b"].c`; none for anything else.
pub(super) fn path_of(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Ast::Ident(name) => Some(name.trim_start_matches('.').to_owned()),
        Ast::Select(s) if !s.test => Some(format!("{}.{}", path_of(&s.operand)?, s.field)),
        Ast::Call(c) if c.func_name == op::INDEX => match &c.args[..] {
            [of, key] => Some(format!("{}.{}", path_of(of)?, text_of(key)?)),
            _ => None,
        },
        _ => None,
    }
}

/// The text, when it is a text written out.
pub(super) fn text_of(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Ast::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

struct Infer<'a> {
    source: &'a str,
    info: &'a SourceInfo,
    known: &'a Known,
    asked: BTreeSet<String>,
    /// Loop variables of the macros around, the innermost last.
    bound: Vec<(String, Kind)>,
}

impl Infer<'_> {
    fn kind(&mut self, node: &IdedExpr) -> Result<Kind, ExprError> {
        match &node.expr {
            Ast::Unspecified | Ast::Struct(_) => Ok(Kind::Any),
            Ast::Literal(value) => Ok(match value {
                LiteralValue::Boolean(_) => Kind::Bool,
                LiteralValue::Bytes(_) => Kind::Any,
                LiteralValue::Double(_) => Kind::Double,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Kind::Int,
                LiteralValue::Null => Kind::Null,
                LiteralValue::String(_) => Kind::Text,
            }),
            Ast::Ident(name) => Ok(self.variable(name)),
            Ast::Select(select) => self.select(node, select),
            Ast::Call(call) => self.call(node, call),
            Ast::List(list) => {
                let mut of: Option<Kind> = None;
                for element in &list.elements {
                    let kind = self.kind(element)?;
                    of = Some(of.map_or(kind.clone(), |of| of.or(&kind)));
                }
                Ok(Kind::list(of.unwrap_or(Kind::Any)))
            }
            Ast::Map(map) => {
                let mut fields = BTreeMap::new();
                let mut named = true;
                for entry in &map.entries {
                    let EntryExpr::MapEntry(e) = &entry.expr else { return Ok(Kind::Map) };
                    self.kind(&e.key)?;
                    let value = self.kind(&e.value)?;
                    match text_of(&e.key) {
                        Some(key) => drop(fields.insert(key.to_owned(), value)),
                        None => named = false,
                    }
                }
                Ok(if named { Kind::Record(Arc::new(fields)) } else { Kind::Map })
            }
            Ast::Comprehension(c) => self.comprehension(c),
        }
    }

    fn variable(&self, name: &str) -> Kind {
        let name = name.trim_start_matches('.');
        let bound = self.bound.iter().rev().find(|(n, _)| n == name).map(|(_, k)| k);
        bound.or_else(|| self.known.variables.get(name)).cloned().unwrap_or(Kind::Any)
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Result<Kind, ExprError> {
        let operand = self.kind(&select.operand)?;
        let path = path_of(&select.operand);
        let found = self.field(node, &operand, path.as_deref(), &select.field, select.test)?;
        Ok(if select.test { Kind::Bool } else { found })
    }

    fn field(
        &self,
        node: &IdedExpr,
        of: &Kind,
        path: Option<&str>,
        field: &str,
        test: bool,
    ) -> Result<Kind, ExprError> {
        let fields = match of {
            Kind::Any | Kind::Map => return Ok(Kind::Any),
            Kind::Record(fields) => fields,
            other => {
                return Err(self.wrong(node, format!("{} has no fields, so no \"{}\"", other, short(field))));
            }
        };
        if let Some(kind) = fields.get(field) {
            return Ok(kind.clone());
        }
        let whole = path.map(|p| format!("{p}.{field}")).unwrap_or_default();
        let any = || self.known.uncertain.get(&path.map(|p| format!("{p}.*"))?);
        if let Some((kind, why)) = self.known.uncertain.get(&whole).or_else(any) {
            // Asked for at any place of the expression is enough: the check wants the question put,
            // not the expression proved.
            if test || self.asked.contains(&whole) {
                return Ok(kind.clone());
            }
            return Err(self.word(field, format!("`{whole}` may be missing here: {why}")));
        }
        let owner = path.map_or("this map".to_owned(), |p| format!("`{p}`"));
        let names = fields.keys().map(String::as_str);
        let help = if fields.is_empty() { "it has none".to_owned() } else { suggest(field, "fields", names) };
        Err(self.word(field, format!("{owner} has no field \"{}\"; {help}", short(field))))
    }

    /// An error at the place of a node.
    fn wrong(&self, node: &IdedExpr, message: String) -> ExprError {
        let column = self.info.offset_for(node.id).map_or(0, |(start, _)| {
            let before: String = self.source.chars().take(start as usize).collect();
            before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
        });
        ExprError::at(column, message)
    }

    /// An error at the first use of a word.
    fn word(&self, word: &str, message: String) -> ExprError {
        ExprError::at(find_word(self.source, word), message)
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Kind, ExprError> {
        let mut parts = Vec::with_capacity(call.args.len() + 1);
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            parts.push((part, self.kind(part)?));
        }
        match (call.func_name.as_str(), &parts[..]) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, parts) => {
                for (part, kind) in parts {
                    self.needs(part, kind, &Kind::Bool)?;
                }
                Ok(Kind::Bool)
            }
            (op::CONDITIONAL, [(which, kind), (_, yes), (_, no)]) => {
                self.needs(which, kind, &Kind::Bool)?;
                Ok(yes.or(no))
            }
            (op::EQUALS | op::NOT_EQUALS, [a, b]) => {
                if !a.1.can_equal(&b.1) {
                    let help = hint(&a.1, &b.1);
                    return Err(self.wrong(node, format!("{} is never equal to {}{help}", a.1, b.1)));
                }
                self.words(a.0, b.0)?;
                self.words(b.0, a.0)?;
                Ok(Kind::Bool)
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [a, b]) => {
                let ordered = |k: &Kind| k.is_number() || k.is_text() || *k == Kind::Any;
                if !ordered(&a.1) || !ordered(&b.1) || !a.1.can_equal(&b.1) {
                    let help = hint(&a.1, &b.1);
                    let sign = call.func_name.trim_matches('_');
                    let message = format!("`{sign}` cannot compare {} with {}{help}", a.1, b.1);
                    return Err(self.wrong(node, message));
                }
                Ok(Kind::Bool)
            }
            (op::IN, [item, list]) => self.membership(node, item, list),
            (op::INDEX, [of, key]) => self.index(node, of, key),
            (op::NEGATE, [(_, kind)]) => self.arithmetic(node, "-", kind, kind),
            (sign @ (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO), [a, b]) => {
                self.arithmetic(node, sign.trim_matches('_'), &a.1, &b.1)
            }
            (name, parts) => self.function(name, parts),
        }
    }

    fn needs(&self, node: &IdedExpr, kind: &Kind, wanted: &Kind) -> Result<(), ExprError> {
        if kind.fits(wanted) {
            return Ok(());
        }
        Err(self.wrong(node, format!("{wanted} expected, but this is {kind}")))
    }

    /// A text that a field of fixed words can never hold.
    fn words(&self, field: &IdedExpr, value: &IdedExpr) -> Result<(), ExprError> {
        let Some(path) = path_of(field) else { return Ok(()) };
        let Some(words) = self.known.words.get(&path) else { return Ok(()) };
        let values: Vec<&IdedExpr> = match &value.expr {
            Ast::List(list) => list.elements.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            if let Some(text) = text_of(value)
                && !words.contains(&text)
            {
                let help = suggest(text, "values", words.iter().copied());
                return Err(self.wrong(value, format!("`{path}` is never \"{}\"; {help}", short(text))));
            }
        }
        Ok(())
    }

    fn membership(
        &self,
        node: &IdedExpr,
        (item, item_kind): &(&IdedExpr, Kind),
        (list, list_kind): &(&IdedExpr, Kind),
    ) -> Result<Kind, ExprError> {
        match list_kind {
            Kind::Any => {}
            Kind::Map | Kind::Record(_) => self.needs(item, item_kind, &Kind::Text)?,
            Kind::List(of) if item_kind.can_equal(of) => {
                self.words(item, list)?;
                self.words(list, item)?;
            }
            Kind::List(_) => {
                return Err(self.wrong(node, format!("{item_kind} is never in {list_kind}")));
            }
            other => {
                return Err(self.wrong(list, format!("`in` needs a list or a map, but this is {other}")));
            }
        }
        Ok(Kind::Bool)
    }

    fn index(
        &self,
        node: &IdedExpr,
        (of, kind): &(&IdedExpr, Kind),
        (key, key_kind): &(&IdedExpr, Kind),
    ) -> Result<Kind, ExprError> {
        match (kind, text_of(key)) {
            (Kind::List(of), _) => {
                self.needs(key, key_kind, &Kind::Int)?;
                Ok((**of).clone())
            }
            (Kind::Record(_), Some(field)) => self.field(node, kind, path_of(of).as_deref(), field, false),
            (Kind::Any | Kind::Map | Kind::Record(_), _) => Ok(Kind::Any),
            (other, _) => Err(self.wrong(of, format!("only lists and maps have items, but this is {other}"))),
        }
    }

    fn arithmetic(&self, node: &IdedExpr, sign: &str, a: &Kind, b: &Kind) -> Result<Kind, ExprError> {
        match (a, b) {
            (Kind::Any, _) | (_, Kind::Any) => Ok(Kind::Any),
            (Kind::Int, Kind::Int) => Ok(Kind::Int),
            (Kind::Double, Kind::Double) if sign != "%" => Ok(Kind::Double),
            (a, b) if sign == "+" && a.is_text() && b.is_text() => Ok(Kind::Text),
            (Kind::List(a), Kind::List(b)) if sign == "+" => Ok(Kind::list(a.or(b))),
            (a, b) if a.is_number() && b.is_number() => {
                let message = format!(
                    "`{sign}` needs two whole numbers or two with a fraction; write double(…) around both"
                );
                Err(self.wrong(node, message))
            }
            (a, b) => {
                let help = if sign == "+" && (a.is_text() || b.is_text()) {
                    "; write string(…) around the other one"
                } else {
                    ""
                };
                Err(self.wrong(node, format!("`{sign}` cannot be used on {a} and {b}{help}")))
            }
        }
    }

    fn function(&self, name: &str, parts: &[(&IdedExpr, Kind)]) -> Result<Kind, ExprError> {
        let (wanted, gives): (&[Kind], Kind) = match name {
            "contains" | "startsWith" | "endsWith" | "matches" | "ip_in" => {
                (&[Kind::Text, Kind::Text], Kind::Bool)
            }
            "size" => {
                return match parts {
                    [(_, Kind::Any | Kind::List(_) | Kind::Map | Kind::Record(_))] => Ok(Kind::Int),
                    [(_, kind)] if kind.is_text() => Ok(Kind::Int),
                    [(node, kind)] => Err(self.wrong(node, format!("{kind} has no size"))),
                    _ => Err(self.word(name, count(name, 1, parts.len()))),
                };
            }
            "int" | "uint" => (&[Kind::Any], Kind::Int),
            "double" => (&[Kind::Any], Kind::Double),
            "string" => (&[Kind::Any], Kind::Text),
            "bool" => (&[Kind::Any], Kind::Bool),
            _ => return Ok(Kind::Any),
        };
        if parts.len() != wanted.len() {
            return Err(self.word(name, count(name, wanted.len(), parts.len())));
        }
        for ((node, kind), wanted) in parts.iter().zip(wanted) {
            self.needs(node, kind, wanted)?;
        }
        Ok(gives)
    }

    fn comprehension(&mut self, c: &ComprehensionExpr) -> Result<Kind, ExprError> {
        let range = self.kind(&c.iter_range)?;
        let item = match range {
            Kind::Any => Kind::Any,
            Kind::Map | Kind::Record(_) => Kind::Text,
            Kind::List(of) => *of,
            other => {
                return Err(self
                    .wrong(&c.iter_range, format!("only a list can be gone through, but this is {other}")));
            }
        };
        let start = self.kind(&c.accu_init)?;
        let before = self.bound.len();
        self.bound.push((c.iter_var.clone(), item));
        self.bound.extend(c.iter_var2.iter().map(|v| (v.clone(), Kind::Any)));
        self.bound.push((c.accu_var.clone(), start.clone()));
        let step = self.kind(&c.loop_step);
        let made = self.made(&c.loop_step);
        self.bound.truncate(before);
        step?;
        Ok(match start {
            // `map` and `filter` begin with an empty list, the others with a yes, a no or a count.
            Kind::List(_) => Kind::list(made?.unwrap_or(Kind::Any)),
            _ => Kind::Bool,
        })
    }

    /// What `map` and `filter` put into their list: the one item of the list that is added.
    fn made(&mut self, step: &IdedExpr) -> Result<Option<Kind>, ExprError> {
        let Ast::Call(call) = &step.expr else { return Ok(None) };
        if call.func_name == op::CONDITIONAL {
            return call.args.get(1).map_or(Ok(None), |yes| self.made(yes));
        }
        match call.args.get(1).map(|added| &added.expr) {
            Some(Ast::List(list)) if list.elements.len() == 1 => self.kind(&list.elements[0]).map(Some),
            _ => Ok(None),
        }
    }
}

fn count(name: &str, wanted: usize, given: usize) -> String {
    format!("{name} takes {wanted} value{}, not {given}", if wanted == 1 { "" } else { "s" })
}

/// What people usually meant when they mixed two kinds.
fn hint(a: &Kind, b: &Kind) -> &'static str {
    match (a, b) {
        (a, b) if a.is_text() && b.is_number() => {
            "; take the number into quotes, or write int(…) around the text"
        }
        (a, b) if a.is_number() && b.is_text() => "; take the quotes away, or write int(…) around the text",
        (Kind::List(_), b) if b.is_text() => "; write \"…\" in LIST to look for an item",
        (a, Kind::List(_)) if a.is_text() => "; write … in LIST to look for an item",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expr;

    /// What an expression gives, or what is wrong with it and where.
    fn kind(source: &str) -> String {
        let mut known = Known::default();
        let fields = [
            ("peer", Kind::Address),
            ("victims", Kind::list(Kind::Address)),
            ("domains", Kind::list(Kind::Domain)),
            ("title", Kind::Text),
            ("severity", Kind::Int),
            ("confidence", Kind::Number),
        ];
        known.variables.insert("incident".into(), Kind::record(fields));
        known.variables.insert("answer".into(), Kind::Any);
        known
            .variables
            .insert("steps".into(), Kind::record([("look", Kind::record([("failed", Kind::Bool)]))]));
        known
            .uncertain
            .insert("steps.look.facts".into(), (Kind::list(Kind::Map), "it may have failed".into()));
        let expr = Expr::compile(source).expect(source);
        match expr.kind(&known) {
            Ok(kind) => kind.to_string(),
            Err(e) => format!("{}: {e}", e.column),
        }
    }

    #[test]
    fn only_what_was_read_as_an_address_is_one() {
        for source in [
            "incident.peer",
            "incident[\"peer\"]",
            "incident.victims[0]",
            "incident.severity > 3 ? incident.peer : incident.victims[1]",
            "incident.victims.filter(v, v != incident.peer)[0]",
            "incident.victims.map(v, v)[0]",
            "[incident.peer][0]",
            "{\"a\": incident.peer}.a",
        ] {
            assert_eq!(kind(source), "an address", "{source}");
        }
        assert_eq!(kind("incident.victims.filter(v, v != incident.peer)"), "a list of addresses");
        assert_eq!(kind("incident.victims + [incident.peer]"), "a list of addresses");
    }

    #[test]
    fn joined_converted_or_mixed_it_is_text_or_unknown() {
        for source in [
            "incident.peer + \"/8\"",
            "string(incident.peer)",
            "true ? incident.peer : incident.title",
            "[incident.peer, incident.title][0]",
            "incident.victims.map(v, v + \"\")[0]",
            "true ? incident.peer : \"0.0.0.0/0\"",
            "incident.domains[0] + incident.peer",
        ] {
            assert_eq!(kind(source), "a text", "{source}");
        }
        for source in
            ["answer", "answer.ip", "dyn(incident.title)", "true ? incident.peer : answer", "[answer][0]"]
        {
            assert_eq!(kind(source), "a value of unknown kind", "{source}");
            assert!(!Kind::Any.fits(&Kind::Address));
        }
    }

    #[test]
    fn what_may_be_missing_is_read_after_asking() {
        assert_eq!(
            kind("size(steps.look.facts)"),
            "17: `steps.look.facts` may be missing here: it may have failed"
        );
        assert_eq!(kind("has(steps.look.facts) && size(steps.look.facts) > 0"), "true or false");
        assert_eq!(
            kind("has(steps.look.fakts)"),
            "16: `steps.look` has no field \"fakts\"; known fields: failed"
        );
    }

    #[test]
    fn kinds_that_do_not_go_together_are_told_at_their_place() {
        assert_eq!(
            kind("incident.title == 3"),
            "16: a text is never equal to a whole number; take the number into quotes, or write int(…) around the text"
        );
        assert_eq!(kind("incident.peer && true"), "9: true or false expected, but this is an address");
        assert_eq!(
            kind("incident.victims.exists(v, v > 3)").split(';').next(),
            Some("30: `>` cannot compare an address with a whole number")
        );
        assert_eq!(kind("size(3)"), "6: a whole number has no size");
        assert_eq!(kind("incident.title.startsWith(3)"), "27: a text expected, but this is a whole number");
    }
}
