//! One line of text with `${{ cel }}` inside.

use serde_json::Value as Json;

use super::{Expr, ExprError, Scope, short};

/// Longest template, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// Longest filled-in value, in characters; the rest is cut and marked with `…`.
const MAX_VALUE: usize = 500;

/// A compiled text. Templates come from the playbook only: what is filled in is data, and stays
/// data even when it looks like a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    /// An expression, and the column at which it begins in the source.
    Filled(Expr, usize),
}

impl Text {
    /// Compiles a text.
    ///
    /// # Errors
    /// When a `${{` is never closed or what is inside is not an expression. The column counts
    /// from the start of the text.
    pub fn compile(source: &str) -> Result<Text, ExprError> {
        if source.len() > MAX_TEXT {
            return Err(ExprError::new(format!("the text is longer than {MAX_TEXT} bytes")));
        }
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find("${{") {
            let start = source.len() - rest.len() + open;
            let column = source[..start].chars().count() + 1;
            let inside = &rest[open + 3..];
            let Some(close) = end_of_expression(inside) else {
                return Err(ExprError::at(column, "\"${{\" is never closed with \"}}\""));
            };
            if open > 0 {
                parts.push(Part::Plain(rest[..open].to_owned()));
            }
            let cel = &inside[..close];
            let blank = cel.chars().take_while(|c| c.is_whitespace()).count();
            let begins = column + 3 + blank;
            let expr = Expr::compile(cel.trim())
                .map_err(|e| ExprError { column: begins + e.column.saturating_sub(1), ..e })?;
            parts.push(Part::Filled(expr, begins));
            rest = &inside[close + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Plain(rest.to_owned()));
        }
        Ok(Text { source: source.to_owned(), parts })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The expressions inside, in order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|part| match part {
            Part::Plain(_) => None,
            Part::Filled(expr, _) => Some(expr),
        })
    }

    /// The text with every value filled in. Values are inserted once and never looked at again.
    ///
    /// # Errors
    /// When one of the expressions has no value.
    pub fn render(&self, scope: &Scope) -> Result<String, ExprError> {
        let mut out = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Filled(expr, _) => out.push_str(&clean(&words(&expr.eval(scope)?))),
            }
        }
        Ok(out)
    }
}

/// Where the expression ends: the first `}}` that is neither inside quotes nor inside the braces of
/// an object.
fn end_of_expression(text: &str) -> Option<usize> {
    let (mut quote, mut braces, mut escaped) = (None, 0_usize, false);
    for (i, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '{' => braces += 1,
            None if c == '}' && braces > 0 => braces -= 1,
            None if c == '}' && text[i..].starts_with("}}") => return Some(i),
            None => {}
        }
    }
    None
}

/// A value as people read it: text without quotes, lists with commas.
fn words(value: &Json) -> String {
    match value {
        Json::String(s) => s.clone(),
        Json::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

/// True for characters that can move the cursor, turn the direction of writing, or hide.
#[must_use]
pub fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Attacker-chosen text on one line, without control or direction-changing characters.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    match text.char_indices().nth(MAX_VALUE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

impl Text {
    /// Applies a check to every expression inside; columns count from the start of the text.
    ///
    /// # Errors
    /// The first error; its message quotes the expression it stands in.
    pub fn check_each(&self, check: impl Fn(&Expr) -> Result<(), ExprError>) -> Result<(), ExprError> {
        for part in &self.parts {
            if let Part::Filled(expr, begins) = part {
                check(expr).map_err(|e| ExprError {
                    message: format!("{} in \"{}\"", e.message, short(expr.source())),
                    column: begins + e.column.saturating_sub(1),
                })?;
            }
        }
        Ok(())
    }

    /// The first name it reads that is not one of `known`.
    ///
    /// # Errors
    /// When there is such a name.
    pub fn only_reads(&self, known: &[&str]) -> Result<(), ExprError> {
        self.check_each(|expr| expr.only_reads(known))
    }
}
