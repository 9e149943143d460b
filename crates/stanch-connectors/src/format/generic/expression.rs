//! One CEL expression of a mapping: compiled once with limits, evaluated for every record.
//!
//! The parser recurses several frames for each bracket and a stack overflow cannot be caught, so
//! the text is checked before it and it runs on a thread of its own with a large stack; the tree is
//! checked after it, so that evaluating fits a worker thread's stack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr as Ast};
use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, IdedExpr, Program, Value};
use serde_json::Value as Json;

use super::value;
use crate::format::json::short;

/// The longest source text, in bytes.
pub(super) const MAX_SOURCE: usize = 4 * 1024;
/// The deepest nesting of brackets in the source text. Source: measured; 16 overflow a 2 MiB stack
/// in a debug build of cel 0.15, 32 fit [`COMPILE_STACK`] many times over.
pub(super) const MAX_NESTING: usize = 32;
/// The stack of the thread that compiles, in bytes.
const COMPILE_STACK: usize = 32 * 1024 * 1024;
/// The deepest tree: chains such as `a + b + c` count one level per operator. Source: measured; the
/// deepest tree allowed is evaluated on a 2 MiB stack by a test.
const MAX_TREE: usize = 40;
/// The largest tree, in nodes, with macros expanded.
const MAX_NODES: usize = 500;
/// The longest list or object in a record that an expression with one loop, and with a loop within
/// a loop, may be evaluated on: both allow about a million steps.
const LONGEST: [usize; 3] = [usize::MAX, 10_000, 1_000];

/// Without optional types: `a.?b` would be a second way to be silent about what is missing.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    source: String,
    program: Program,
    loops: usize,
}

impl Expression {
    /// Compiles, or says in words what is wrong.
    pub(super) fn compile(source: &str) -> Result<Expression, String> {
        check_text(source)?;
        let owned = source.to_owned();
        let compiling = std::thread::Builder::new()
            .name("mapping-compile".to_owned())
            .stack_size(COMPILE_STACK)
            .spawn(move || compile_here(owned))
            .map_err(|e| format!("no thread to compile on: {e}"))?;
        compiling.join().map_err(|_| "this is not an expression the parser can read".to_owned())?
    }

    /// The text it was compiled from.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Its value for one record, or why it has none.
    pub(super) fn evaluate(&self, event: &Event) -> Result<Json, String> {
        let limit = LONGEST.get(self.loops).copied().unwrap_or(0);
        if event.longest > limit {
            return Err(format!("a list of {} is too long to go through (at most {limit})", event.longest));
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let value =
                Value::resolve_val(self.program.expression(), &event.context).map_err(|e| explain(&e))?;
            value::to_json(value.as_ref())
        }));
        outcome.unwrap_or_else(|_| Err("the expression could not be evaluated".to_owned()))
    }
}

/// A record as expressions see it: the variable `event`. Converted once for all fields.
pub(super) struct Event {
    context: Context<'static, 'static>,
    longest: usize,
}

impl Event {
    pub(super) fn new(json: Json) -> Event {
        let longest = value::longest_list(&json);
        let mut context = Context::with_env(Arc::clone(&ENV));
        let event: Box<dyn Val> = value::from_json(json);
        context.add_variable_as_val("event", event);
        Event { context, longest }
    }
}

/// Checks length and nesting before the recursive parser sees the text. Brackets inside quoted
/// text count too: no honest text needs so many.
fn check_text(source: &str) -> Result<(), String> {
    if source.trim().is_empty() {
        return Err("the expression is empty".to_owned());
    }
    if source.len() > MAX_SOURCE {
        return Err(format!("the expression has {} bytes; at most {MAX_SOURCE} are allowed", source.len()));
    }
    let (mut depth, mut signs) = (0_usize, 0_usize);
    for character in source.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // Each of these also nests what follows it.
            '?' | '!' | '-' => signs += 1,
            _ => {}
        }
        if depth > MAX_NESTING || signs > MAX_SOURCE / 8 {
            return Err(format!("the expression is nested deeper than {MAX_NESTING} levels"));
        }
    }
    Ok(())
}

/// Runs on the large stack; what it refuses is also dropped there.
fn compile_here(source: String) -> Result<Expression, String> {
    let program = ENV.compile(&source).map_err(|errors| {
        let first = errors.errors.first();
        let words = first.map_or_else(String::new, |e| short(&e.msg));
        let column = first.map_or(0, |e| e.pos.1);
        format!("not a CEL expression: {words} (column {column})")
    })?;
    let mut walk = Walk { nodes: 0, loops: 0, bound: Vec::new() };
    walk.visit(program.expression(), 1, 0)?;
    let loops = walk.loops;
    Ok(Expression { source, program, loops })
}

struct Walk {
    nodes: usize,
    loops: usize,
    /// Loop variables in reach.
    bound: Vec<String>,
}

impl Walk {
    fn visit(&mut self, node: &IdedExpr, depth: usize, loops: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("the expression has more than {MAX_NODES} parts"));
        }
        if depth > MAX_TREE {
            return Err(format!("the expression is nested deeper than {MAX_TREE} levels"));
        }
        let deeper = depth + 1;
        match &node.expr {
            Ast::Unspecified | Ast::Literal(_) => Ok(()),
            Ast::Ident(name) => self.name(name),
            Ast::Select(select) => self.visit(&select.operand, deeper, loops),
            Ast::Call(call) => {
                self.function(&call.func_name)?;
                let mut parts = call.target.iter().map(AsRef::as_ref).chain(&call.args);
                parts.try_for_each(|part| self.visit(part, deeper, loops))
            }
            Ast::List(list) => list.elements.iter().try_for_each(|e| self.visit(e, deeper, loops)),
            // A map written here would be a hash map, gone through in another order at every start.
            Ast::Map(map) if !map.entries.is_empty() => {
                map.entries.iter().try_for_each(|entry| match &entry.expr {
                    EntryExpr::MapEntry(e) if loops == 0 => {
                        self.visit(&e.key, deeper, loops)?;
                        self.visit(&e.value, deeper, loops)
                    }
                    EntryExpr::MapEntry(_) => {
                        Err("an object cannot be written inside a loop; write a list".to_owned())
                    }
                    EntryExpr::StructField(f) => self.visit(&f.value, deeper, loops),
                })
            }
            Ast::Map(_) => Ok(()),
            Ast::Struct(_) => Err("messages like Name{…} are not available here".to_owned()),
            Ast::Comprehension(c) => {
                let inner = loops + 1;
                if inner >= LONGEST.len() {
                    return Err(format!("more than {} loops within each other", LONGEST.len() - 1));
                }
                self.loops = self.loops.max(inner);
                self.visit(&c.iter_range, deeper, inner)?;
                let before = self.bound.len();
                self.bound.push(c.iter_var.clone());
                self.bound.extend(c.iter_var2.clone());
                for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                    self.visit(part, deeper, inner)?;
                }
                self.bound.truncate(before);
                Ok(())
            }
        }
    }

    /// Names with `@` are the loop's own; names of types stand for themselves: `type(x) == string`.
    fn name(&self, name: &str) -> Result<(), String> {
        const TYPES: [&str; 8] = ["bool", "bytes", "double", "int", "list", "map", "string", "uint"];
        let plain = name.trim_start_matches('.');
        if plain == "event"
            || TYPES.contains(&plain)
            || plain.starts_with('@')
            || self.bound.iter().any(|b| b == plain)
        {
            return Ok(());
        }
        Err(format!("\"{}\" is not known here; the record is called event", short(plain)))
    }

    /// Operators are spelled with signs (`_&&_`, `@in`); only words can be mistyped.
    fn function(&self, name: &str) -> Result<(), String> {
        const FUNCTIONS: [&str; 13] = [
            "bool",
            "bytes",
            "contains",
            "double",
            "dyn",
            "endsWith",
            "int",
            "matches",
            "size",
            "startsWith",
            "string",
            "type",
            "uint",
        ];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || FUNCTIONS.contains(&name) {
            return Ok(());
        }
        Err(format!("there is no function \"{}\" (there are: {})", short(name), FUNCTIONS.join(", ")))
    }
}

/// An evaluation error in words; never a dump of the data.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => {
            format!("there is no field \"{}\"; guard it with has() if it may be missing", short(name))
        }
        ExecutionError::IndexOutOfBounds(_) => "the list has no element at that place".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::FunctionError { function, message } => format!("{function}: {}", short(message)),
        ExecutionError::NoSuchOverload(overload) => {
            let operator = overload.function().trim_matches(['_', '@']);
            format!("{operator} cannot be used on {}", overload.argument_types().join(" and "))
        }
        ExecutionError::ValuesNotComparable(..) => "values of different types cannot be compared".to_owned(),
        ExecutionError::UnexpectedType { got, want } => format!("{want} expected, but this is {got}"),
        other => short(&other.to_string()),
    }
}
