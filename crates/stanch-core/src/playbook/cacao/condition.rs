//! Conditions: three dialects in, one meaning, CEL and standard STIX patterning out.
//!
//! The specification's examples compare bare (`__v__:value == '10.0.0.1'`), one engine splits on
//! blanks and does not quote (`__v__:value = 10`), and STIX patterning wants brackets and quotes
//! (`[__v__:value ISSUBSET '10.0.0.0/8']`). All three are read; the bracketed one is written.

use std::fmt::Write as _;

/// Longest condition, in bytes.
const LONGEST: usize = 4_096;

/// Deepest nesting of brackets.
const DEEPEST: usize = 32;

/// A condition, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A comparison.
    Compare {
        /// The left side: a variable's name without its underscores.
        variable: String,
        /// How.
        op: Op,
        /// The right side.
        right: Operand,
        /// Turned around by NOT.
        negated: bool,
    },
    /// All of them.
    All(Vec<Condition>),
    /// One of them.
    Any(Vec<Condition>),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Like,
    Matches,
    /// The left address lies in the right prefix.
    IsSubset,
    /// The right address lies in the left prefix.
    IsSuperset,
}

/// A right side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Quoted text, or an unquoted word that is no number.
    Text(String),
    /// A number or `true`/`false`, as written.
    Bare(String),
    /// Several texts.
    Set(Vec<String>),
    /// Another variable; no standard pattern says this.
    Variable(String),
}

/// A piece of a condition, with its place.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Bracket,
    EndBracket,
    Comma,
    Word(String),
    Quoted(String),
}

impl Condition {
    /// Reads a condition in any of the three dialects.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(source: &str) -> Result<Condition, String> {
        if source.len() > LONGEST {
            return Err(format!("it has {} bytes; at most {LONGEST} are read", source.len()));
        }
        let tokens = tokens(source)?;
        let mut reader = Reader { tokens: &tokens, at: 0, depth: 0 };
        let condition = reader.any()?;
        match reader.peek() {
            None => Ok(condition),
            Some(token) => Err(format!("{} is one thing too many", words(token))),
        }
    }

    /// Every variable it reads.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Condition::Compare { variable, right, .. } => {
                let mut all = vec![variable.as_str()];
                if let Operand::Variable(other) = right {
                    all.push(other);
                }
                all
            }
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().flat_map(Condition::variables).collect()
            }
        }
    }

    /// As CEL. `name` says where a variable's value lies and whether it is a number or yes-or-no
    /// there (then an unquoted right side stays unquoted).
    ///
    /// # Errors
    /// When CEL cannot say it: a prefix that is a variable's.
    pub fn cel(&self, name: &dyn Fn(&str) -> (String, bool)) -> Result<String, String> {
        match self {
            Condition::Compare { variable, op, right, negated } => {
                let (left, bare) = name(variable);
                let said = compare_cel(&left, *op, right, bare, name)?;
                Ok(if *negated { format!("!({said})") } else { said })
            }
            Condition::All(parts) => join_cel(parts, " && ", name),
            Condition::Any(parts) => join_cel(parts, " || ", name),
        }
    }

    /// As a STIX pattern in brackets, the form the standard's prose asks for. None when a side is
    /// something no pattern can say (two variables).
    #[must_use]
    pub fn stix(&self) -> Option<String> {
        Some(format!("[{}]", self.stix_inner(false)?))
    }

    fn stix_inner(&self, nested: bool) -> Option<String> {
        let joined = |parts: &[Condition], word: &str| {
            let all: Option<Vec<String>> = parts.iter().map(|p| p.stix_inner(true)).collect();
            all.map(|all| all.join(word))
        };
        let said = match self {
            Condition::Compare { variable, op, right, negated } => {
                let right = match right {
                    Operand::Text(text) => quoted(text),
                    Operand::Bare(word) => word.clone(),
                    Operand::Set(all) => {
                        format!("({})", all.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
                    }
                    Operand::Variable(_) => return None,
                };
                let not = if *negated { "NOT " } else { "" };
                return Some(format!("__{variable}__:value {not}{} {right}", op.stix()));
            }
            Condition::All(parts) => joined(parts, " AND ")?,
            Condition::Any(parts) => joined(parts, " OR ")?,
        };
        Some(if nested { format!("({said})") } else { said })
    }
}

impl Op {
    const fn stix(self) -> &'static str {
        match self {
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessOrEqual => "<=",
            Op::Greater => ">",
            Op::GreaterOrEqual => ">=",
            Op::In => "IN",
            Op::Like => "LIKE",
            Op::Matches => "MATCHES",
            Op::IsSubset => "ISSUBSET",
            Op::IsSuperset => "ISSUPERSET",
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// As CEL writes text.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn join_cel(
    parts: &[Condition],
    word: &str,
    name: &dyn Fn(&str) -> (String, bool),
) -> Result<String, String> {
    let all: Result<Vec<String>, String> = parts
        .iter()
        .map(|p| {
            let said = p.cel(name)?;
            Ok(if matches!(p, Condition::Compare { .. }) { said } else { format!("({said})") })
        })
        .collect();
    Ok(all?.join(word))
}

fn compare_cel(
    left: &str,
    op: Op,
    right: &Operand,
    bare: bool,
    name: &dyn Fn(&str) -> (String, bool),
) -> Result<String, String> {
    let one = || match right {
        Operand::Bare(word) if bare => Ok(word.clone()),
        Operand::Text(text) | Operand::Bare(text) => {
            let plain = bare && is_plain(text);
            Ok(if plain { text.clone() } else { literal(text) })
        }
        Operand::Variable(other) => Ok(name(other).0),
        Operand::Set(_) => Err(format!("{} takes one value, not several", op.stix())),
    };
    let prefix = |right: &Operand| match right {
        Operand::Text(text) | Operand::Bare(text) => Ok(text.clone()),
        Operand::Variable(_) | Operand::Set(_) => Err("a prefix must be written out".to_owned()),
    };
    Ok(match (op, right) {
        (Op::Equal, _) => format!("{left} == {}", one()?),
        (Op::NotEqual, _) => format!("{left} != {}", one()?),
        (Op::Less, _) => format!("{left} < {}", one()?),
        (Op::LessOrEqual, _) => format!("{left} <= {}", one()?),
        (Op::Greater, _) => format!("{left} > {}", one()?),
        (Op::GreaterOrEqual, _) => format!("{left} >= {}", one()?),
        (Op::In, Operand::Set(all)) => {
            let list: Vec<String> = all.iter().map(|t| literal(t)).collect();
            format!("{left} in [{}]", list.join(", "))
        }
        // `IN '10.0.0.0/8'`, as one engine and the specification's example write it.
        (Op::In | Op::IsSubset, _) => format!("ip_in({left}, {})", literal(&prefix(right)?)),
        (Op::IsSuperset, _) => format!("ip_in({}, {left})", literal(&prefix(right)?)),
        (Op::Like, _) => format!("{left}.matches({})", literal(&like(&prefix(right)?))),
        (Op::Matches, _) => format!("{left}.matches({})", literal(&prefix(right)?)),
    })
}

/// True for text that is a number or yes-or-no in CEL as it stands.
fn is_plain(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) || text == "true" || text == "false"
}

/// SQL's LIKE as a regular expression: `%` any text, `_` one character.
fn like(pattern: &str) -> String {
    let mut out = String::from("^");
    for c in pattern.chars() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            c if c.is_alphanumeric() || c == ' ' => out.push(c),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    out.push('$');
    out
}

fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = source.chars().peekable();
    while let Some(&c) = chars.peek() {
        let single = match c {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '[' => Some(Token::Bracket),
            ']' => Some(Token::EndBracket),
            ',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = single {
            out.push(token);
            chars.next();
        } else if c.is_whitespace() {
            chars.next();
        } else if c == '\'' || c == '"' {
            chars.next();
            out.push(Token::Quoted(until_quote(&mut chars, c)?));
        } else if "=!<>".contains(c) {
            let mut word = String::new();
            while let Some(c) = chars.next_if(|c| "=!<>".contains(*c)) {
                word.push(c);
            }
            out.push(Token::Word(word));
        } else {
            let mut word = String::new();
            while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"()[],='\"!<>".contains(*c)) {
                word.push(c);
            }
            out.push(Token::Word(word));
        }
    }
    Ok(out)
}

fn until_quote(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("a quote is opened and not closed".to_owned()),
            Some('\\') => match chars.next() {
                Some(c) => text.push(c),
                None => return Err("a quote is opened and not closed".to_owned()),
            },
            Some(c) if c == quote => return Ok(text),
            Some(c) => text.push(c),
        }
    }
}

fn words(token: &Token) -> String {
    match token {
        Token::Open => "\"(\"".into(),
        Token::Close => "\")\"".into(),
        Token::Bracket => "\"[\"".into(),
        Token::EndBracket => "\"]\"".into(),
        Token::Comma => "\",\"".into(),
        Token::Word(word) | Token::Quoted(word) => format!("\"{}\"", super::short(word)),
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn keyword(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(here);
        here
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.keyword("OR") || self.keyword("||") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.keyword("AND") || self.keyword("&&") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn one(&mut self) -> Result<Condition, String> {
        let closing = match self.peek() {
            Some(Token::Open) => Token::Close,
            Some(Token::Bracket) => Token::EndBracket,
            Some(Token::Close | Token::EndBracket | Token::Comma | Token::Word(_) | Token::Quoted(_))
            | None => return self.compare(),
        };
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("brackets are nested more than {DEEPEST} deep"));
        }
        self.at += 1;
        let inner = self.any()?;
        self.depth -= 1;
        match self.next() {
            Some(token) if token == closing => Ok(inner),
            _ => Err(format!("{} is missing", words(&closing))),
        }
    }

    fn compare(&mut self) -> Result<Condition, String> {
        let left = match self.next() {
            Some(Token::Word(word)) => variable(&word).ok_or_else(|| {
                format!("\"{}\" is not a variable such as __name__:value", super::short(&word))
            })?,
            Some(other) => return Err(format!("{} stands where a variable should", words(&other))),
            None => return Err("something is missing: a comparison has three parts".to_owned()),
        };
        let negated = self.keyword("NOT");
        let op = match self.next() {
            Some(Token::Word(word)) => op(&word)
                .ok_or_else(|| format!("\"{}\" is not a comparison that is known", super::short(&word)))?,
            Some(other) => return Err(format!("{} stands where a comparison should", words(&other))),
            None => return Err("something is missing: a comparison has three parts".to_owned()),
        };
        let right = match self.next() {
            Some(Token::Quoted(text)) => Operand::Text(text),
            Some(Token::Open) => Operand::Set(self.set()?),
            Some(Token::Word(word)) => match variable(&word) {
                Some(other) => Operand::Variable(other),
                None if is_plain(&word) => Operand::Bare(word),
                None => Operand::Text(word),
            },
            Some(other) => return Err(format!("{} stands where a value should", words(&other))),
            None => return Err("something is missing: a comparison has three parts".to_owned()),
        };
        Ok(Condition::Compare { variable: left, op, right, negated })
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        loop {
            match self.next() {
                Some(Token::Quoted(text) | Token::Word(text)) => all.push(text),
                _ => return Err("a list such as ('a', 'b') has something else in it".to_owned()),
            }
            match self.next() {
                Some(Token::Comma) => {}
                Some(Token::Close) => return Ok(all),
                _ => return Err("a list is opened and not closed".to_owned()),
            }
        }
    }
}

/// `__name__:value`, or `__name__` alone, as the name without its underscores.
pub(super) fn variable(word: &str) -> Option<String> {
    let word = word.strip_suffix(":value").unwrap_or(word);
    let name = word.strip_prefix("__")?.strip_suffix("__")?;
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let first = name.chars().next()?;
    let fits = (first.is_ascii_alphabetic() || first == '_') && name.len() <= 200;
    (fits && name.chars().all(known)).then(|| name.to_owned())
}

fn op(word: &str) -> Option<Op> {
    Some(match word.to_ascii_uppercase().as_str() {
        "=" | "==" => Op::Equal,
        "!=" | "<>" => Op::NotEqual,
        "<" => Op::Less,
        "<=" => Op::LessOrEqual,
        ">" => Op::Greater,
        ">=" => Op::GreaterOrEqual,
        "IN" => Op::In,
        "LIKE" => Op::Like,
        "MATCHES" => Op::Matches,
        "ISSUBSET" => Op::IsSubset,
        "ISSUPERSET" => Op::IsSuperset,
        _ => return None,
    })
}
