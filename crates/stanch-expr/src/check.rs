//! Limits and lint: what is refused before anything is evaluated.

use std::collections::{BTreeMap, BTreeSet};

use cel::IdedExpr;
use cel::common::ast::operators::INDEX;
use cel::common::ast::{CallExpr, EntryExpr, Expr as Ast};

use super::near::nearest;
use super::{ExprError, FUNCTIONS, MAX_NESTING, MAX_SOURCE};

/// Most nodes of the expanded tree.
const MAX_NODES: usize = 500;

/// Deepest tree; chains such as `a + b + c` count one level per operator. Evaluating recurses, and
/// must fit a worker thread's stack also without optimisation.
const MAX_DEPTH: usize = 40;

/// Loops within loops, in body or range.
const MAX_LOOPS: usize = 2;

/// Longest list in scope when an expression loops once, and when it loops within a loop. Where [`Scope`] is
/// patient, ten times as long: about a million steps.
///
/// [`Scope`]: super::Scope
const LONGEST: [usize; MAX_LOOPS + 1] = [usize::MAX, 1_000, 100];

/// Names that stand for a type.
const TYPES: [&str; 8] = ["bool", "bytes", "double", "int", "list", "map", "string", "uint"];

/// What the check found out.
#[derive(Debug)]
pub(super) struct Checked {
    /// Free variables, sorted.
    pub(super) variables: Vec<String>,
    /// Fields read directly from a free variable, as `variable.field`, sorted.
    pub(super) fields: Vec<String>,
    /// Free variables that are read otherwise than by a field, sorted.
    pub(super) whole: Vec<String>,
    loops: usize,
}

impl Checked {
    /// Refuses to loop over very long lists.
    pub(super) fn admit(&self, longest: usize, patience: usize) -> Result<(), ExprError> {
        let limit = LONGEST.get(self.loops).copied().unwrap_or(0).saturating_mul(patience);
        if longest > limit {
            return Err(ExprError::new(format!(
                "a list of {longest} is too long to go through here (at most {limit})"
            )));
        }
        Ok(())
    }
}

/// Checks the text itself: length and nesting, before the recursive parser sees it.
pub(super) fn text(source: &str) -> Result<(), ExprError> {
    if source.trim().is_empty() {
        return Err(ExprError::at(1, "the expression is empty"));
    }
    if source.len() > MAX_SOURCE {
        return Err(ExprError::new(format!(
            "the expression is {} bytes long; at most {MAX_SOURCE} are allowed",
            source.len()
        )));
    }
    // Brackets inside quoted text count too: the limit stays simple, and no honest text needs so
    // many.
    let (mut depth, mut signs) = (0_usize, 0_usize);
    for (i, c) in source.chars().enumerate() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '?' | '!' | '-' => signs += 1,
            _ => {}
        }
        if depth > MAX_NESTING || signs > MAX_SOURCE / 8 {
            return Err(ExprError::at(
                i + 1,
                format!("the expression is nested deeper than {MAX_NESTING} levels"),
            ));
        }
    }
    Ok(())
}

/// Checks the tree, and collects what it reads.
pub(super) fn tree(root: &IdedExpr, source: &str) -> Result<Checked, ExprError> {
    let mut walk = Walk {
        source,
        nodes: 0,
        free: BTreeSet::new(),
        fields: BTreeSet::new(),
        reads: BTreeMap::new(),
        bound: Vec::new(),
        loops: 0,
    };
    walk.visit(root, 1, 0, false)?;
    Ok(Checked {
        variables: walk.free.into_iter().collect(),
        fields: walk.fields.into_iter().collect(),
        whole: walk.reads.into_iter().filter(|(_, n)| *n > 0).map(|(name, _)| name).collect(),
        loops: walk.loops,
    })
}

struct Walk<'a> {
    source: &'a str,
    nodes: usize,
    free: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// How often each free variable is read, less how often that is by a field.
    reads: BTreeMap<String, usize>,
    bound: Vec<String>,
    loops: usize,
}

impl Walk<'_> {
    fn visit(&mut self, node: &IdedExpr, depth: usize, loops: usize, ranged: bool) -> Result<(), ExprError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(ExprError::new(format!("the expression has more than {MAX_NODES} parts")));
        }
        if depth > MAX_DEPTH {
            return Err(ExprError::new(format!("the expression is nested deeper than {MAX_DEPTH} levels")));
        }
        let deeper = depth + 1;
        match &node.expr {
            Ast::Unspecified | Ast::Literal(_) => Ok(()),
            Ast::Ident(name) => {
                if let Some(name) = self.free_name(name) {
                    *self.reads.entry(name.clone()).or_default() += 1;
                    self.free.insert(name);
                }
                Ok(())
            }
            Ast::Select(select) => {
                if let Ast::Ident(name) = &select.operand.expr
                    && let Some(name) = self.free_name(name)
                {
                    self.fields.insert(format!("{name}.{}", select.field));
                    self.visit(&select.operand, deeper, loops, ranged)?;
                    self.by_field(&name);
                    return Ok(());
                }
                self.visit(&select.operand, deeper, loops, ranged)
            }
            Ast::Call(call) => {
                self.function(&call.func_name)?;
                let by_field = self.indexed(call);
                let mut parts = call.target.iter().map(AsRef::as_ref).chain(&call.args);
                parts.try_for_each(|part| self.visit(part, deeper, loops, ranged))?;
                by_field.iter().for_each(|name| self.by_field(name));
                Ok(())
            }
            Ast::List(list) => list.elements.iter().try_for_each(|e| self.visit(e, deeper, loops, ranged)),
            Ast::Map(map) => {
                if ranged {
                    return Err(ExprError::new(
                        "an object written here has no order to go through; write a list",
                    ));
                }
                map.entries.iter().try_for_each(|entry| match &entry.expr {
                    EntryExpr::MapEntry(e) => {
                        self.visit(&e.key, deeper, loops, ranged)?;
                        self.visit(&e.value, deeper, loops, ranged)
                    }
                    EntryExpr::StructField(f) => self.visit(&f.value, deeper, loops, ranged),
                })
            }
            Ast::Struct(_) => Err(ExprError::new("messages like Name{…} are not available here")),
            Ast::Comprehension(c) => {
                let inner = loops + 1;
                if inner > MAX_LOOPS {
                    return Err(ExprError::new(format!("more than {MAX_LOOPS} loops within each other")));
                }
                self.loops = self.loops.max(inner);
                self.visit(&c.iter_range, deeper, inner, true)?;
                let before = self.bound.len();
                self.bound.push(c.iter_var.clone());
                self.bound.extend(c.iter_var2.clone());
                for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                    self.visit(part, deeper, inner, ranged)?;
                }
                self.bound.truncate(before);
                Ok(())
            }
        }
    }

    /// The last read of this name was one by a field.
    fn by_field(&mut self, name: &str) {
        if let Some(reads) = self.reads.get_mut(name) {
            *reads = reads.saturating_sub(1);
        }
    }

    /// `name["field"]` reads a field as `name.field` does; the name, if it does so.
    fn indexed(&mut self, call: &CallExpr) -> Option<String> {
        if call.func_name == INDEX
            && let [of, key] = &call.args[..]
            && let Ast::Ident(name) = &of.expr
            && let Some(name) = self.free_name(name)
            && let Some(field) = super::infer::text_of(key)
        {
            self.fields.insert(format!("{name}.{field}"));
            return Some(name);
        }
        None
    }

    /// The name, unless it is a loop's own or that of a type, as in `type(x) == string`.
    fn free_name(&self, name: &str) -> Option<String> {
        let name = name.trim_start_matches('.');
        let given = name.starts_with('@') || TYPES.contains(&name) || self.bound.iter().any(|b| b == name);
        (!given).then(|| name.to_owned())
    }

    fn function(&self, name: &str) -> Result<(), ExprError> {
        // Operators are spelled with signs (`_&&_`, `@in`); only words can be mistyped.
        let is_word = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
        if !is_word || FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let mut known = FUNCTIONS.to_vec();
        known.extend(["has", "all", "exists", "exists_one", "map", "filter"]);
        let near = nearest(name, &known).map_or(String::new(), |n| format!("; did you mean \"{n}\"?"));
        Err(ExprError::at(find_word(self.source, name), format!("there is no function \"{name}\"{near}")))
    }
}

/// The column, from 1 and in characters, of the first whole-word use of `word`; 0 when there is
/// none on one line.
pub(super) fn find_word(source: &str, word: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    for line in source.lines() {
        for (at, _) in line.match_indices(word) {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            if !before.is_some_and(is_part) && !after.is_some_and(is_part) {
                return line[..at].chars().count() + 1;
            }
        }
    }
    0
}
