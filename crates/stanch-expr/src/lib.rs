//! Conditions and mappings: CEL behind our own words and limits.
//!
//! Source text is compiled once, when the configuration is loaded, and checked then: unknown
//! functions and unknown variables are mistakes of the author, not surprises at night. Evaluation
//! has three outcomes: a value, or an error in words. An error is never turned into "false".
//!
//! Nothing here reads a clock, draws a number or touches the world; the only functions beyond the
//! CEL standard library are listed in [`FUNCTIONS`].

mod check;
mod infer;
mod kind;
pub mod near;
mod text;
mod truth;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::types::{self, CelBool, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};

pub use infer::Known;
pub use kind::Kind;
pub use text::{Text, hidden};
pub use truth::{Truth, truth};

/// Longest source text, in bytes.
///
/// Source: our own bench; compile time grows with length, and no honest condition needs more.
pub const MAX_SOURCE: usize = 4 * 1024;

/// Deepest nesting of brackets in the source text.
pub const MAX_NESTING: usize = 32;

/// Stack of the thread that compiles, in bytes. The parser recurses several frames per level.
const COMPILE_STACK: usize = 32 * 1024 * 1024;

/// Longest part of a value or message repeated in an error, in characters.
const MAX_ECHO: usize = 200;

/// Functions a condition may call, beyond the operators and the macros `has`, `all`, `exists`,
/// `exists_one`, `map` and `filter`. `ip_in(address, prefix)` is ours; it is an error, not false,
/// when either text is not what it should be.
pub const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "ip_in",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// The one environment of the process: building it costs more than evaluating.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    let text = || types::STRING_TYPE;
    // Cannot fail: the name is not one of the standard library's.
    let _ = env.add_overload("ip_in", "ip_in_string_string", vec![text(), text()], ip_in);
    Arc::new(env)
});

/// What is wrong with an expression, or why it has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// In words for the author.
    pub message: String,
    /// From 1, in characters, within its line of the source; 0 when no place is known.
    pub column: usize,
}

impl ExprError {
    fn new(message: impl Into<String>) -> ExprError {
        ExprError::at(0, message)
    }

    fn at(column: usize, message: impl Into<String>) -> ExprError {
        ExprError { message: message.into(), column }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExprError {}

/// A compiled expression. Cheap to clone, shared between threads.
#[derive(Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    source: String,
    program: Program,
    checked: check::Checked,
}

impl Expr {
    /// Compiles `source`.
    ///
    /// # Errors
    /// When it is too long, too deep, not CEL, or calls an unknown function.
    pub fn compile(source: &str) -> Result<Expr, ExprError> {
        check::text(source)?;
        let owned = source.to_owned();
        // A thread of its own: the parser recurses, and a stack overflow cannot be caught.
        let compiled = std::thread::Builder::new()
            .name("expr-compile".to_owned())
            .stack_size(COMPILE_STACK)
            .spawn(move || compile_here(owned))
            .map_err(|e| ExprError::new(format!("no thread to compile on: {e}")))?
            .join()
            .map_err(|_| ExprError::new("this is not an expression the parser can read"))??;
        Ok(Expr(Arc::new(compiled)))
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The top-level names it reads, sorted, each once; loop variables of its own are not among
    /// them.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.0.checked.variables
    }

    /// The fields it reads directly from a top-level name, as `incident.kind`, sorted, each once.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.0.checked.fields
    }

    /// True when it reads this field of a top-level name, or may: because it reads the name otherwise than by
    /// a field, as in `x in steps`.
    #[must_use]
    pub fn reads(&self, name: &str, field: &str) -> bool {
        let check::Checked { fields, whole, .. } = &self.0.checked;
        let own = |f: &String| f.strip_prefix(name).and_then(|f| f.strip_prefix('.')) == Some(field);
        whole.iter().any(|w| w == name) || fields.iter().any(own)
    }

    /// The first name it reads that is not one of `known`, as an error that lists what is known.
    ///
    /// # Errors
    /// When there is such a name.
    pub fn only_reads(&self, known: &[&str]) -> Result<(), ExprError> {
        let Some(stranger) = self.variables().iter().find(|v| !known.contains(&v.as_str())) else {
            return Ok(());
        };
        let column = check::find_word(&self.0.source, stranger);
        let near =
            near::nearest(stranger, known).map_or(String::new(), |n| format!("; did you mean \"{n}\"?"));
        Err(ExprError::at(
            column,
            format!("\"{stranger}\" is not known here{near} (known: {})", known.join(", ")),
        ))
    }

    /// What kind of value it gives, where it reads what is `known`.
    ///
    /// # Errors
    /// What can be known to go wrong: a field that is not there, kinds that do not go together, a
    /// comparison that can never be true.
    pub fn kind(&self, known: &Known) -> Result<Kind, ExprError> {
        infer::infer(self.0.program.expression(), &self.0.source, self.0.program.source_info(), known)
    }

    /// Its value, as JSON.
    ///
    /// # Errors
    /// When it has none: a missing field, types that do not go together, a list too long to go
    /// through.
    pub fn eval(&self, scope: &Scope) -> Result<serde_json::Value, ExprError> {
        self.0.checked.admit(scope.longest(), if scope.patient { 10 } else { 1 })?;
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(scope);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let value = Value::resolve_val(self.0.program.expression(), &context).map_err(|e| explain(&e))?;
            value::to_json(value.as_ref())
        }));
        outcome.unwrap_or_else(|_| Err(ExprError::new("the expression could not be evaluated")))
    }

    /// Its value as yes or no.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the value is neither true nor false.
    pub fn test(&self, scope: &Scope) -> Result<bool, ExprError> {
        match self.eval(scope)? {
            serde_json::Value::Bool(yes) => Ok(yes),
            other => Err(ExprError::new(format!(
                "a condition must be true or false, but this is {}",
                value::kind_of(&other)
            ))),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.0.source)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.0.source == other.0.source
    }
}

impl Eq for Expr {}

/// The variables of one evaluation. Converted once, used by any number of expressions.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    variables: BTreeMap<String, Arc<Variable>>,
    patient: bool,
}

#[derive(Debug)]
struct Variable {
    value: Box<dyn Val>,
    longest_list: usize,
}

impl Scope {
    /// No variables.
    #[must_use]
    pub fn new() -> Scope {
        Scope::default()
    }

    /// The same with one variable more. Whole numbers become CEL `int` wherever they fit.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: serde_json::Value) -> Scope {
        let longest_list = value::longest_list(&value);
        let value = value::from_json(value);
        self.variables.insert(name.into(), Arc::new(Variable { value, longest_list }));
        self
    }

    /// The same, and expressions may go through lists ten times as long: for work that holds up nobody else.
    #[must_use]
    pub fn patient(self) -> Scope {
        Scope { patient: true, ..self }
    }

    fn longest(&self) -> usize {
        self.variables.values().map(|v| v.longest_list).max().unwrap_or(0)
    }
}

impl VariableResolver for Scope {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.variables.get(variable).map(|v| CowVal::Borrowed(v.value.as_ref()))
    }
}

/// Runs on the big stack; what it refuses is also dropped there.
fn compile_here(source: String) -> Result<Compiled, ExprError> {
    let program = ENV.compile(&source).map_err(|errors| {
        let first = errors.errors.first();
        let (line, column) = first.map_or((1, 0), |e| e.pos);
        let words = first.map_or_else(String::new, |e| short(&e.msg));
        let place = if line > 1 { format!(" (line {line} of the expression)") } else { String::new() };
        ExprError::at(usize::try_from(column).unwrap_or(0), format!("not a CEL expression: {words}{place}"))
    })?;
    let checked = check::tree(program.expression(), &source)?;
    Ok(Compiled { source, program, checked })
}

fn ip_in<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let wrong = |why: String| ExecutionError::function_error("ip_in", why);
    let text = |i: usize| {
        args.get(i)
            .and_then(|a| a.downcast_ref::<CelString<'_>>())
            .map(|s| s.inner().to_string())
            .ok_or_else(|| wrong("takes two texts".to_owned()))
    };
    let (ip, net) = (text(0)?, text(1)?);
    let ip: std::net::IpAddr =
        ip.parse().map_err(|_| wrong(format!("\"{}\" is not an address", short(&ip))))?;
    let net: ipnet::IpNet = match net.parse::<std::net::IpAddr>() {
        Ok(single) => single.into(),
        Err(_) => net.parse().map_err(|_| wrong(format!("\"{}\" is not a prefix", short(&net))))?,
    };
    Ok(CowVal::owned(CelBool::from(net.contains(&ip))))
}

/// An evaluation error in our words; never a dump of the data.
fn explain(error: &ExecutionError) -> ExprError {
    let words = match error {
        ExecutionError::NoSuchKey(name) => {
            format!("there is no field \"{}\"; guard it with has() if it may be missing", short(name))
        }
        ExecutionError::UndeclaredReference(name) => format!("\"{}\" is not known here", short(name)),
        ExecutionError::IndexOutOfBounds(_) => "the list has no element at that place".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(op, _, _) => format!("the result of {} is too large", sign(op)),
        ExecutionError::UnsupportedBinaryOperator(op, a, b) => {
            format!("{} cannot be used on {} and {}", sign(op), a.type_of(), b.type_of())
        }
        ExecutionError::FunctionError { function, message } => format!("{function}: {}", short(message)),
        ExecutionError::NoSuchOverload(overload) => {
            // `_>_` and `@in` are how the parser spells operators.
            let operator = overload.function().trim_matches(['_', '@']);
            format!("{operator} cannot be used on {}", overload.argument_types().join(" and "))
        }
        ExecutionError::ValuesNotComparable(..) => "values of different types cannot be compared".to_owned(),
        ExecutionError::UnexpectedType { got, want } => format!("{want} expected, but this is {got}"),
        other => short(&other.to_string()),
    };
    ExprError::new(words)
}

/// An operator as authors write it.
fn sign(name: &'static str) -> &'static str {
    match name {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other,
    }
}

fn short(text: &str) -> String {
    let text: String = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    match text.char_indices().nth(MAX_ECHO) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
