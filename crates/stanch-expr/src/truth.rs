//! Whether a condition can be true at all, found out without evaluating it.
//!
//! The condition is taken apart into ways to be true, each a list of simple tests; a way whose tests
//! contradict each other, or the range of a field, is no way. What is no simple test may be anything.
//! Nothing is claimed beyond [`MOST_WAYS`] ways.

use std::collections::{BTreeMap, BTreeSet};

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Ast, LiteralValue, operators as op};

use super::infer::{path_of, text_of};
use super::{Expr, Known};

/// Most ways that are looked at.
const MOST_WAYS: usize = 256;

/// What is known about a condition before it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is never true, and why.
    Never(String),
    /// It may be either.
    Maybe,
    /// It is always true.
    Always,
}

/// What is known about all of some conditions, each as it stands or, with `false`, turned round.
#[must_use]
pub fn truth(all: &[(&Expr, bool)], known: &Known) -> Truth {
    if let Some(Err(why)) = open(all, known) {
        return Truth::Never(why);
    }
    // Always true: when the last one, turned round, leaves no way beside the others.
    let Some(((last, as_is), others)) = all.split_last() else { return Truth::Always };
    let mut turned = others.to_vec();
    turned.push((last, !as_is));
    match open(&turned, known) {
        Some(Err(_)) => Truth::Always,
        Some(Ok(())) | None => Truth::Maybe,
    }
}

/// `Ok` when some way is open, the reason when none is, `None` when there are too many to look at.
fn open(all: &[(&Expr, bool)], known: &Known) -> Option<Result<(), String>> {
    let mut ways: Vec<Vec<Test>> = vec![Vec::new()];
    for (expr, as_is) in all {
        ways = both(&ways, &ways_of(expr.0.program.expression(), !as_is)?)?;
    }
    let mut why = None;
    for way in &ways {
        match contradiction(way, known) {
            None => return Some(Ok(())),
            Some(words) => drop(why.get_or_insert(words)),
        }
    }
    Some(Err(why.unwrap_or_else(|| "it is written as false".to_owned())))
}

/// One simple test.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Nothing is known about it.
    Opaque,
    /// A field against a value.
    Compare(String, Sign, Word),
    /// A field against a list of values; false: it is none of them.
    Among(String, Vec<Word>, bool),
    /// A value in a list field; false: it is not in it.
    Holds(String, Word, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Sign {
    fn of(name: &str) -> Option<Sign> {
        Some(match name {
            op::EQUALS => Sign::Equal,
            op::NOT_EQUALS => Sign::NotEqual,
            op::LESS => Sign::Less,
            op::LESS_EQUALS => Sign::AtMost,
            op::GREATER => Sign::Greater,
            op::GREATER_EQUALS => Sign::AtLeast,
            _ => return None,
        })
    }

    /// `a < b` is `b > a`.
    fn mirrored(self) -> Sign {
        match self {
            Sign::Equal | Sign::NotEqual => self,
            Sign::Less => Sign::Greater,
            Sign::AtMost => Sign::AtLeast,
            Sign::Greater => Sign::Less,
            Sign::AtLeast => Sign::AtMost,
        }
    }

    /// `!(a < b)` is `a >= b`.
    fn turned(self) -> Sign {
        match self {
            Sign::Equal => Sign::NotEqual,
            Sign::NotEqual => Sign::Equal,
            Sign::Less => Sign::AtLeast,
            Sign::AtMost => Sign::Greater,
            Sign::Greater => Sign::AtMost,
            Sign::AtLeast => Sign::Less,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Sign::Equal => "==",
            Sign::NotEqual => "!=",
            Sign::Less => "<",
            Sign::AtMost => "<=",
            Sign::Greater => ">",
            Sign::AtLeast => ">=",
        }
    }
}

/// A value written out.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Text(String),
    Number(f64),
    Bool(bool),
}

impl Word {
    fn of(node: &IdedExpr) -> Option<Word> {
        if let Some(text) = text_of(node) {
            return Some(Word::Text(text.to_owned()));
        }
        match &node.expr {
            Ast::Literal(LiteralValue::Boolean(b)) => Some(Word::Bool(*b.inner())),
            #[allow(clippy::cast_precision_loss)] // limits are small numbers
            Ast::Literal(LiteralValue::Int(n)) => Some(Word::Number(*n.inner() as f64)),
            Ast::Literal(LiteralValue::Double(n)) => Some(Word::Number(*n.inner())),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Word::Text(text) => format!("\"{}\"", super::short(text)),
            Word::Number(n) => n.to_string(),
            Word::Bool(b) => b.to_string(),
        }
    }
}

/// Every combination of one way of each.
fn both(a: &[Vec<Test>], b: &[Vec<Test>]) -> Option<Vec<Vec<Test>>> {
    if a.len() * b.len() > MOST_WAYS {
        return None;
    }
    let join = |x: &Vec<Test>, y: &Vec<Test>| x.iter().chain(y).cloned().collect();
    Some(a.iter().flat_map(|x| b.iter().map(move |y| join(x, y))).collect())
}

/// The ways in which an expression is true, or with `not`, false.
fn ways_of(node: &IdedExpr, not: bool) -> Option<Vec<Vec<Test>>> {
    let one = |test: Test| Some(vec![vec![test]]);
    if let Some(path) = path_of(node) {
        return one(Test::Compare(path, Sign::Equal, Word::Bool(!not)));
    }
    let Ast::Call(call) = &node.expr else {
        return match Word::of(node) {
            Some(Word::Bool(b)) if b == not => Some(Vec::new()),
            Some(Word::Bool(_)) => Some(vec![Vec::new()]),
            Some(Word::Text(_) | Word::Number(_)) | None => one(Test::Opaque),
        };
    };
    match (call.func_name.as_str(), &call.args[..]) {
        (op::LOGICAL_NOT, [inner]) => ways_of(inner, !not),
        (op::LOGICAL_AND | op::LOGICAL_OR, parts) => {
            let all = (call.func_name == op::LOGICAL_AND) != not;
            let mut ways = if all { vec![Vec::new()] } else { Vec::new() };
            for part in parts {
                let more = ways_of(part, not)?;
                if all {
                    ways = both(&ways, &more)?;
                } else {
                    ways.extend(more);
                }
            }
            (ways.len() <= MOST_WAYS).then_some(ways)
        }
        (op::CONDITIONAL, [which, yes, no]) => {
            let mut ways = both(&ways_of(which, false)?, &ways_of(yes, not)?)?;
            ways.extend(both(&ways_of(which, true)?, &ways_of(no, not)?)?);
            Some(ways)
        }
        (op::IN, [item, list]) => one(among(item, list, not)),
        (name, [a, b]) => match Sign::of(name) {
            Some(sign) => one(compare(a, sign, b, not)),
            None => one(Test::Opaque),
        },
        _ => one(Test::Opaque),
    }
}

/// A field, or the size of one.
fn field(node: &IdedExpr) -> Option<String> {
    let size = |c: &CallExpr| c.func_name == "size";
    match &node.expr {
        Ast::Call(c) if size(c) => {
            let of = c.target.as_deref().or_else(|| c.args.first())?;
            Some(format!("size({})", path_of(of)?))
        }
        _ => path_of(node),
    }
}

fn compare(a: &IdedExpr, sign: Sign, b: &IdedExpr, not: bool) -> Test {
    let turn = |sign: Sign| if not { sign.turned() } else { sign };
    match (field(a), Word::of(b), Word::of(a), field(b)) {
        (Some(path), Some(word), ..) => Test::Compare(path, turn(sign), word),
        (_, _, Some(word), Some(path)) => Test::Compare(path, turn(sign.mirrored()), word),
        _ => Test::Opaque,
    }
}

fn among(item: &IdedExpr, list: &IdedExpr, not: bool) -> Test {
    match (&list.expr, field(item)) {
        (Ast::List(list), Some(path)) => {
            let words: Option<Vec<Word>> = list.elements.iter().map(Word::of).collect();
            words.map_or(Test::Opaque, |words| Test::Among(path, words, !not))
        }
        _ => match (Word::of(item), path_of(list)) {
            (Some(word), Some(path)) => Test::Holds(path, word, !not),
            _ => Test::Opaque,
        },
    }
}

impl Test {
    fn path(&self) -> Option<&str> {
        match self {
            Test::Opaque => None,
            Test::Compare(path, ..) | Test::Among(path, ..) | Test::Holds(path, ..) => Some(path),
        }
    }

    fn shown(&self) -> String {
        match self {
            Test::Opaque => "…".to_owned(),
            Test::Compare(path, sign, word) => format!("`{path} {} {}`", sign.word(), word.shown()),
            Test::Among(path, words, yes) => {
                let list = words.iter().map(Word::shown).collect::<Vec<_>>().join(", ");
                format!("`{}{path} in [{list}]`", if *yes { "" } else { "!" })
            }
            Test::Holds(path, word, yes) => {
                format!("`{}{} in {path}`", if *yes { "" } else { "!" }, word.shown())
            }
        }
    }
}

/// Why the tests of one way cannot all be true; none when they can.
fn contradiction(way: &[Test], known: &Known) -> Option<String> {
    let mut by_path: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in way {
        if let Some(path) = test.path() {
            by_path.entry(path).or_default().push(test);
        }
    }
    by_path.into_iter().find_map(|(path, tests)| {
        // The shortest part of the tests that already contradicts is what people want to read.
        let until = (1..=tests.len()).find(|n| !possible(path, &tests[..*n], known))?;
        let mut shown: Vec<String> = tests[..until].iter().map(|t| t.shown()).collect();
        shown.dedup();
        Some(match &shown[..] {
            [one] => match range_words(path, known) {
                Some(range) => format!("{one} is never true: {range}"),
                None => format!("{one} is never true"),
            },
            many => format!("{} are never true together", many.join(" and ")),
        })
    })
}

fn range_words(path: &str, known: &Known) -> Option<String> {
    if path.starts_with("size(") {
        return Some("a size is 0 or more".to_owned());
    }
    let (low, high) = known.ranges.get(path)?;
    Some(if high.is_finite() {
        format!("it is from {low} to {high}")
    } else {
        format!("it is {low} or more")
    })
}

/// False when no value passes all tests of one field.
fn possible(path: &str, tests: &[&Test], known: &Known) -> bool {
    let size = path.starts_with("size(");
    let range = known.ranges.get(path).copied();
    let (mut low, mut high) = range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    if size {
        low = 0.0;
    }
    let (mut open_low, mut open_high) = (false, false);
    let mut allowed: Option<Vec<Word>> =
        known.words.get(path).map(|words| words.iter().map(|w| Word::Text((*w).to_owned())).collect());
    let mut refused: Vec<&Word> = Vec::new();
    let (mut held, mut missing) = (BTreeSet::new(), BTreeSet::new());
    let keep = |allowed: &mut Option<Vec<Word>>, words: &[Word]| {
        *allowed = Some(match allowed.take() {
            None => words.to_vec(),
            Some(old) => old.into_iter().filter(|w| words.contains(w)).collect(),
        });
    };
    for test in tests {
        match test {
            Test::Opaque => {}
            Test::Compare(_, Sign::Equal, word) => keep(&mut allowed, std::slice::from_ref(word)),
            Test::Compare(_, Sign::NotEqual, word) => refused.push(word),
            Test::Compare(_, sign, Word::Number(n)) => match sign {
                Sign::Less if *n <= high => (high, open_high) = (*n, true),
                Sign::AtMost if *n < high => (high, open_high) = (*n, false),
                Sign::Greater if *n >= low => (low, open_low) = (*n, true),
                Sign::AtLeast if *n > low => (low, open_low) = (*n, false),
                Sign::Less | Sign::AtMost | Sign::Greater | Sign::AtLeast => {}
                Sign::Equal | Sign::NotEqual => {}
            },
            Test::Compare(..) => {}
            Test::Among(_, words, true) => keep(&mut allowed, words),
            Test::Among(_, words, false) => refused.extend(words),
            Test::Holds(_, word, yes) => {
                let list = known.words.get(path);
                if let (Some(words), Word::Text(text), true) = (list, word, *yes)
                    && !words.contains(&text.as_str())
                {
                    return false;
                }
                if *yes {
                    held.insert(word.shown())
                } else {
                    missing.insert(word.shown())
                };
            }
        }
    }
    if held.intersection(&missing).next().is_some() {
        return false;
    }
    let inside = |n: f64| {
        (if open_low { n > low } else { n >= low }) && (if open_high { n < high } else { n <= high })
    };
    // `words` of a list field say what its items can be, and not what it is.
    let lists = !held.is_empty() || !missing.is_empty();
    match (&allowed, lists) {
        (Some(words), false) => words.iter().any(|w| {
            !refused.contains(&w)
                && match w {
                    Word::Number(n) => inside(*n),
                    Word::Text(_) | Word::Bool(_) => true,
                }
        }),
        (None, _) | (Some(_), true) => {
            let both = |yes| refused.contains(&&Word::Bool(yes));
            let whole = low <= high && !(low == high && (open_low || open_high));
            let between = !size || low.floor() + 1.0 < high || inside(low) || inside(low.floor() + 1.0);
            whole && between && !(both(true) && both(false))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a condition, over fields of known words and ranges.
    fn said(source: &str) -> String {
        let mut known = Known::default();
        known.words.insert("kind".into(), vec!["c2", "scan"]);
        known.words.insert("stages".into(), vec!["impact"]);
        known.ranges.insert("confidence".into(), (0.0, 1.0));
        let expr = Expr::compile(source).expect(source);
        match truth(&[(&expr, true)], &known) {
            Truth::Never(why) => why,
            Truth::Maybe => "maybe".to_owned(),
            Truth::Always => "always".to_owned(),
        }
    }

    #[test]
    fn contradictions_are_found_and_told() {
        assert_eq!(
            said("kind == 'c2' && kind == 'scan'"),
            "`kind == \"c2\"` and `kind == \"scan\"` are never true together"
        );
        assert_eq!(said("n > 5 && n < 5"), "`n > 5` and `n < 5` are never true together");
        assert_eq!(said("confidence > 1.0"), "`confidence > 1` is never true: it is from 0 to 1");
        assert_eq!(said("size(list) < 0"), "`size(list) < 0` is never true: a size is 0 or more");
        assert_eq!(said("a && !a"), "`a == true` and `a == false` are never true together");
        assert_eq!(said("!(kind in ['c2', 'scan'])"), "`!kind in [\"c2\", \"scan\"]` is never true");
        assert_eq!(said("'impact' in stages && !('impact' in stages)").matches("never").count(), 1);
        assert_eq!(said("'x' in stages"), "`\"x\" in stages` is never true");
        assert_eq!(said("false"), "it is written as false");
        assert_eq!(said("1 > 2 ? a : a && !a"), "maybe", "constants are not folded, and nothing is claimed");
    }

    #[test]
    fn what_is_always_true_is_found() {
        for source in
            ["true", "confidence >= 0.0", "kind == 'c2' || kind == 'scan'", "a || !a", "n < 5 || n >= 5"]
        {
            assert_eq!(said(source), "always", "{source}");
        }
    }

    #[test]
    fn what_can_be_either_is_left_alone() {
        for source in [
            "kind == 'c2' || (kind == 'scan' && n > 3)",
            "n > 3 && n < 4",
            "n >= 5 && n <= 5",
            "peer != '' && list.exists(x, x == peer)",
            "!(kind == 'c2' && confidence >= 0.6)",
            "size(list) > 0 && size(list) < 2",
            "'impact' in stages && kind == 'c2'",
        ] {
            assert_eq!(said(source), "maybe", "{source}");
        }
    }

    #[test]
    fn what_is_known_from_around_counts() {
        let known = Known::default();
        let (a, b) = (Expr::compile("n > 10").expect("a"), Expr::compile("n > 5").expect("b"));
        assert_eq!(truth(&[(&a, true), (&b, true)], &known), Truth::Always);
        assert!(matches!(truth(&[(&b, false), (&a, true)], &known), Truth::Never(_)));
    }
}
