//! Expressions and texts of a playbook: compiled, and what they read checked, in their place.

use super::Reader;
use super::scope::Seen;
use crate::config::Mistake;
use crate::config::yaml::{Node, Value};
use crate::expr::{Expr, ExprError, Kind, Text};

const HELP: &str = "this is a CEL expression, for example incident.kind == \"c2\"";
const HELP_TEXT: &str = "write \"… ${{ incident.peer }} …\", in quotes";

impl Reader<'_> {
    /// A compiled expression that reads only what there is, and its kind.
    pub(super) fn expr(&mut self, node: &Node, seen: &Seen, wanted: &Kind) -> Option<Expr> {
        let source = node.string(self.m)?;
        let checked = compiled(&source, seen);
        let help = if source.contains("${{") {
            "this key is always an expression: leave out `${{` and `}}`"
        } else if is_word(&source) && !seen.names().contains(&source.as_str()) {
            "a fixed text stands in its own quotes: '\"text\"'"
        } else {
            HELP
        };
        let (expr, kind) = checked.map_err(|e| self.m.push(placed(node, &e, help))).ok()?;
        if !kind.fits(wanted) {
            let message = format!("`{}` must be {wanted}, but this is {kind}", node.name);
            self.m.push(node.mistake(message, HELP));
            return None;
        }
        self.places.put_kind(&self.step, &node.name, kind);
        Some(expr)
    }

    /// A target: an expression that gives what was read as an address, a domain, an account or a
    /// port, and from nowhere else.
    ///
    /// Source: SEC-55.
    pub(super) fn target(&mut self, node: &Node, seen: &Seen, wanted: &[Kind]) -> Option<Expr> {
        let source = node.string(self.m)?;
        let what = wanted.iter().map(Kind::to_string).collect::<Vec<_>>().join(", ");
        let help = format!(
            "take it from {}: free text never becomes a target",
            sources(wanted, seen.names().contains(&"incident"))
        );
        let (expr, kind) = compiled(&source, seen).map_err(|e| self.m.push(placed(node, &e, &help))).ok()?;
        let message = match &kind {
            kind if wanted.contains(kind) => {
                self.places.put_kind(&self.step, &node.name, kind.clone());
                return Some(expr);
            }
            _ if expr.variables().is_empty() => {
                format!("the target \"{}\" is the same for every incident", short(expr.source()))
            }
            Kind::List(of) if wanted.contains(of) => {
                let message = format!("`{}` must be {what}, but this is {kind}", node.name);
                let help =
                    format!("do it in a `for_each` over {}, with `item` as the target", short(&source));
                self.m.push(node.mistake(message, help));
                return None;
            }
            kind => format!("`{}` must be {what}, but this is {kind}", node.name),
        };
        self.m.push(node.mistake(message, help));
        None
    }

    /// A text with expressions inside.
    pub(super) fn text(&mut self, node: &Node, seen: &Seen) -> Option<Text> {
        let source = node.string(self.m)?;
        let checked = Text::compile(&source).and_then(|text| {
            text.check_each(|expr| {
                expr.only_reads(&seen.names())?;
                expr.kind(seen.known()).map(|_| ())
            })?;
            Ok(text)
        });
        checked.map_err(|e| self.m.push(placed(node, &e, HELP_TEXT))).ok()
    }

    /// Names and expressions. Names are written without `-`, so that `steps.ID.NAME` is no minus.
    pub(super) fn exprs(&mut self, node: &Node, seen: &Seen) -> Option<Vec<(String, Expr)>> {
        let fields = node.map(self.m)?;
        let mut all = Vec::new();
        for (key, value) in fields.entries() {
            let named = self.word(&key.text, (key.line, key.column), &node.file);
            if let (Some(name), Some(expr)) = (named, self.expr(value, seen, &Kind::Any)) {
                all.push((name, expr));
            }
        }
        Some(all)
    }

    /// A name that expressions can read behind a dot.
    pub(super) fn word(&mut self, text: &str, place: (usize, usize), file: &str) -> Option<String> {
        let reserved = RESERVED.contains(&text);
        if is_word(text) && !reserved {
            return Some(text.to_owned());
        }
        let shown = short(text);
        let (message, help) = if reserved {
            (format!("\"{shown}\" has a meaning of its own here"), "choose another name")
        } else {
            let help = "use small letters, digits and `_`, at most 63, beginning with a letter";
            (format!("\"{shown}\" cannot be read by expressions"), help)
        };
        self.m.push(Mistake::error(file, place, message, help));
        None
    }
}

/// Words that expressions read as something else.
///
/// Source: CEL specification, reserved words; the fields every step has.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "failed",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "incident",
    "inputs",
    "let",
    "loop",
    "namespace",
    "null",
    "outcome",
    "package",
    "return",
    "run",
    "steps",
    "true",
    "var",
    "void",
    "while",
];

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn compiled(source: &str, seen: &Seen) -> Result<(Expr, Kind), ExprError> {
    let expr = Expr::compile(source)?;
    expr.only_reads(&seen.names())?;
    let kind = expr.kind(seen.known())?;
    Ok((expr, kind))
}

/// Where a target may come from, for help texts.
fn sources(wanted: &[Kind], incident: bool) -> String {
    let mut all: Vec<String> = Vec::new();
    for kind in wanted {
        let (field, input) = match kind {
            Kind::Address => (Some("incident.peer, incident.victims"), "address"),
            Kind::Domain => (Some("incident.domains"), "domain"),
            Kind::Account => (Some("incident.accounts"), "account"),
            Kind::Port => (None, "port"),
            Kind::Any
            | Kind::Null
            | Kind::Bool
            | Kind::Int
            | Kind::Double
            | Kind::Number
            | Kind::Text
            | Kind::List(_)
            | Kind::Map
            | Kind::Record(_) => continue,
        };
        all.extend(field.filter(|_| incident).map(str::to_owned));
        all.push(format!("an input or a form's field of type {input}"));
    }
    all.join(", ")
}

/// A mistake inside a value. The column is exact for a value on one line without escapes. Where the
/// error says what was meant, that is the help.
pub(super) fn placed(node: &Node, error: &ExprError, help: &str) -> Mistake {
    let (message, inside) = match error.message.split_once(" in \"") {
        Some((message, inside)) if message.contains("; ") => (message, format!(" in \"{inside}")),
        Some(_) | None => (error.message.as_str(), String::new()),
    };
    let (message, help) = match message.split_once("; ") {
        Some((message, meant)) => (message, meant),
        None if message.contains("may be missing") => {
            (message, "read it only after asking has(…), or on the same way")
        }
        None => (message, help),
    };
    let mut mistake = node.mistake(format!("`{}`: {message}{inside}", node.name), help);
    if let Value::Scalar { text, quoted } = &node.value
        && !text.contains('\n')
        && error.column > 0
    {
        mistake.column += error.column - 1 + usize::from(*quoted);
    }
    mistake
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
