//! STIX patterns, as far as they can be looked up. Source: STIX 2.1, section 9.

use super::super::value::{self, Indicator};
use super::brief;

/// A pattern longer than this is not looked at (characters).
const MAX_PATTERN: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A word, a path or an operator.
    Word(String),
    /// A quoted text.
    Text(String),
    /// One of `[ ] ( ) ,`.
    Mark(char),
}

/// The indicators in a pattern that each hold alone, and words about every part that cannot be used.
pub(super) fn atoms(pattern: &str) -> (Vec<Indicator>, Vec<String>) {
    let shown = brief(pattern);
    let tokens = match tokens(pattern) {
        Ok(tokens) => tokens,
        Err(why) => return (Vec::new(), vec![format!("{why}: {shown}")]),
    };
    let words =
        |word: &str| tokens.iter().any(|t| matches!(t, Token::Word(w) if w.eq_ignore_ascii_case(word)));
    for (word, why) in [
        ("AND", "conditions joined by AND do not hold alone"),
        ("FOLLOWEDBY", "a sequence of observations cannot be looked up"),
        ("NOT", "a negation cannot be looked up"),
        ("WITHIN", "a time window cannot be looked up"),
        ("REPEATS", "a repetition cannot be looked up"),
        ("START", "a time window cannot be looked up"),
    ] {
        if words(word) {
            return (Vec::new(), vec![format!("{why}: {shown}")]);
        }
    }
    let (mut found, mut unusable) = (Vec::new(), Vec::new());
    // Only OR is left between comparisons, so brackets and parentheses no longer matter.
    for part in tokens.split(|t| matches!(t, Token::Word(w) if w.eq_ignore_ascii_case("OR"))) {
        match comparison(part) {
            Ok(indicators) => found.extend(indicators),
            Err(why) => unusable.push(format!("{why}: {shown}")),
        }
    }
    (found, unusable)
}

fn tokens(pattern: &str) -> Result<Vec<Token>, &'static str> {
    if pattern.len() > MAX_PATTERN {
        return Err("the pattern is too long");
    }
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '[' | ']' | '(' | ')' | ',' => tokens.push(Token::Mark(c)),
            '\'' => tokens.push(Token::Text(quoted(&mut chars)?)),
            '=' | '!' | '<' | '>' => {
                let mut operator = c.to_string();
                while let Some(next) = chars.next_if(|n| matches!(n, '=' | '<' | '>')) {
                    operator.push(next);
                }
                tokens.push(Token::Word(operator));
            }
            c => {
                let mut word = c.to_string();
                // A path may hold a quoted key: file:hashes.'SHA-256'
                while let Some(next) = chars.next_if(|n| {
                    n.is_alphanumeric() || matches!(n, ':' | '.' | '-' | '_' | '*') || (*n == '\'')
                }) {
                    if next == '\'' {
                        word.push_str(&quoted(&mut chars)?);
                    } else {
                        word.push(next);
                    }
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

/// The rest of a quoted text; `\'` and `\\` are the escapes.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, &'static str> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' => return Ok(text),
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    Err("a quote is not closed")
}

/// One comparison: `path = 'x'`, `path IN ('x', 'y')` or `path ISSUBSET 'net'`.
fn comparison(part: &[Token]) -> Result<Vec<Indicator>, String> {
    // Brackets and parentheses outside an IN list only group.
    let open = part.iter().position(|t| !matches!(t, Token::Mark(_))).unwrap_or(part.len());
    let (path, operator, rest) = match &part[open..] {
        [Token::Word(path), Token::Word(operator), rest @ ..] => (path, operator.to_ascii_uppercase(), rest),
        _ => return Err("not a comparison we can read".to_owned()),
    };
    let texts: Vec<&str> =
        rest.iter().filter_map(|t| if let Token::Text(t) = t { Some(t.as_str()) } else { None }).collect();
    let plain = rest.iter().all(|t| matches!(t, Token::Text(_) | Token::Mark(_)));
    match operator.as_str() {
        "=" | "==" | "ISSUBSET" if texts.len() == 1 && plain => {}
        "IN" if !texts.is_empty() && plain => {}
        "=" | "==" | "ISSUBSET" | "IN" => return Err(format!("the value of {} cannot be read", brief(path))),
        other => return Err(format!("the comparison {} cannot be looked up", brief(other))),
    }
    let (object, property) = path.split_once(':').unwrap_or((path, ""));
    let address = object == "ipv4-addr" || object == "ipv6-addr";
    if operator == "ISSUBSET" && !address {
        return Err(format!("ISSUBSET of {} cannot be looked up", brief(path)));
    }
    let read = |text: &str| match (object, property) {
        ("ipv4-addr" | "ipv6-addr", "value") => match super::super::index::address(text) {
            Some(net) => value::address(net).map_err(|why| why.message),
            None => Err("is no address"),
        },
        ("domain-name", "value") => value::domain(&value::refang(text)).map_err(|why| why.message),
        ("url", "value") => value::url(text).map_err(|why| why.message),
        ("email-addr", "value") => value::email(text).map_err(|why| why.message),
        ("file", hashes) if hashes.starts_with("hashes.") => {
            let digest = value::is_digest(text).then(|| Indicator::Hash(text.to_ascii_lowercase()));
            digest.ok_or("is no digest we know")
        }
        _ => Err("is of a kind that cannot be looked up"),
    };
    let one = |text: &&str| read(text).map_err(|why| format!("{} '{}' {why}", brief(path), brief(text)));
    texts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str) -> String {
        let (found, unusable) = atoms(pattern);
        let found: Vec<String> = found.iter().map(|i| format!("{i:?}")).collect();
        let unusable: Vec<String> =
            unusable.iter().map(|u| u.split(": [").next().unwrap_or(u).to_owned()).collect();
        [found.join(" "), unusable.join(" ")].join("|")
    }

    #[test]
    fn what_holds_alone_is_taken() {
        assert_eq!(check("[ipv4-addr:value = '192.0.2.1']"), "Address(192.0.2.1/32)|");
        assert_eq!(check("[ipv4-addr:value ISSUBSET '192.0.2.0/24']"), "Address(192.0.2.0/24)|");
        assert_eq!(
            check("[ipv6-addr:value='2001:db8::1' OR domain-name:value = 'Bad.Example']"),
            "Address(2001:db8::1/128) Domain(\"bad.example\")|"
        );
        assert_eq!(
            check(
                "[domain-name:value IN ('a.example', 'b.example')] OR [(url:value = 'http://c.example/x')]"
            ),
            "Domain(\"a.example\") Domain(\"b.example\") Url(\"c.example/x\")|"
        );
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(check(&format!("[file:hashes.MD5 = '{md5}']")), format!("Hash(\"{md5}\")|"));
        assert_eq!(check(&format!("[file:hashes.'MD5' = '{md5}']")), format!("Hash(\"{md5}\")|"));
        assert_eq!(check("[email-addr:value = 'Eve@bad.example']"), "Email(\"eve@bad.example\")|");
        assert_eq!(check(r"[url:value = 'http://bad.example/o\'neil']"), "Url(\"bad.example/o'neil\")|");
    }

    #[test]
    fn what_does_not_hold_alone_is_said() {
        assert_eq!(
            check("[ipv4-addr:value = '192.0.2.1' AND file:name = 'a AND b']"),
            "|conditions joined by AND do not hold alone"
        );
        assert_eq!(
            check("[a:b = 'x'] FOLLOWEDBY [a:b = 'y']"),
            "|a sequence of observations cannot be looked up"
        );
        assert_eq!(check("[domain-name:value LIKE '%.bad']"), "|the comparison LIKE cannot be looked up");
        assert_eq!(check("[ipv4-addr:value != '192.0.2.1']"), "|the comparison != cannot be looked up");
        assert_eq!(
            check("[domain-name:value = 'bad.example' OR process:name = 'x']"),
            "Domain(\"bad.example\")|process:name 'x' is of a kind that cannot be looked up"
        );
        assert_eq!(check("[domain-name:value = 'OR AND NOT']").split('|').next(), Some(""));
        assert_eq!(check("[url:value = 'open"), "|a quote is not closed");
        assert_eq!(check(""), "|not a comparison we can read: ");
    }
}
