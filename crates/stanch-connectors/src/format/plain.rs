//! Objects without surprises, read without building anything: members that are texts, or objects of
//! texts, each key once, no escapes.
//!
//! A quick first look for formats whose records are nearly always so. Whatever is not is `None` here
//! and is left to the bounded reader in [`super::json`], which also says what is wrong with it: this
//! reader never rejects, and never takes what that one would reject.

/// The most members one object may have here.
const MEMBERS: usize = 24;
/// The longest object, in bytes; far below every limit of the bounded reader.
const LONGEST: usize = 64 * 1024;

/// One member of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) key: &'a str,
    /// The value with its quotes or braces.
    value: &'a str,
    /// Key, colon and value as they came.
    whole: &'a str,
}

/// The members of an object, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Members<'a> {
    all: [Member<'a>; MEMBERS],
    many: usize,
}

impl<'a> Member<'a> {
    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&'a str> {
        self.value.strip_prefix('"')?.strip_suffix('"')
    }

    /// True when its value is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.value.starts_with('{')
    }

    /// Reads the members of its object, if it is one.
    pub(crate) fn within(&self, members: &mut Members<'a>) -> Option<()> {
        object(self.value.as_bytes(), members)
    }
}

impl<'a> Members<'a> {
    pub(crate) fn members(&self) -> &[Member<'a>] {
        self.all.get(..self.many).unwrap_or_default()
    }

    /// Puts them in the order of their keys.
    pub(crate) fn sort(&mut self) -> &[Member<'a>] {
        if let Some(all) = self.all.get_mut(..self.many) {
            all.sort_unstable_by_key(|m| m.key);
        }
        self.members()
    }

    /// Adds one; false when there is no room, or the key is there already.
    fn add(&mut self, member: Member<'a>) -> bool {
        if self.members().iter().any(|m| m.key == member.key) {
            return false;
        }
        let place = self.all.get_mut(self.many);
        self.many += usize::from(place.is_some());
        place.map(|place| *place = member).is_some()
    }
}

/// The member of this name.
pub(crate) fn find<'m, 'a>(members: &'m [Member<'a>], key: &str) -> Option<&'m Member<'a>> {
    members.iter().find(|m| m.key == key)
}

/// The text of the member of this name, if it is one.
pub(crate) fn text<'a>(members: &[Member<'a>], key: &str) -> Option<&'a str> {
    find(members, key).and_then(Member::text)
}

/// The object again as text, without some members.
pub(crate) fn without(members: &[Member<'_>], gone: impl Fn(&Member<'_>) -> bool) -> String {
    let mut text = String::with_capacity(2 + members.iter().map(|m| m.whole.len() + 1).sum::<usize>());
    text.push('{');
    for member in members.iter().filter(|m| !gone(m)) {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(member.whole);
    }
    text.push('}');
    text
}

/// Reads the members of the object that `bytes` are, from brace to brace. Of objects within it is not
/// known yet whether a key is there twice: whoever takes an object reads each of them with
/// [`Member::within`].
pub(crate) fn object<'a>(bytes: &'a [u8], members: &mut Members<'a>) -> Option<()> {
    members.many = 0;
    if bytes.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let end = walk(text, 0, &mut |member| members.add(member), true)?;
    (end == text.len()).then_some(())
}

/// Goes over one object that begins at `at`; gives where it ends.
#[inline]
fn walk<'a>(
    text: &'a str,
    at: usize,
    each: &mut impl FnMut(Member<'a>) -> bool,
    outer: bool,
) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = space(bytes, expect(bytes, at, b'{')?);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let from = at;
        at = string(bytes, at)?;
        let key = text.get(from + 1..at - 1)?;
        at = space(bytes, expect(bytes, space(bytes, at), b':')?);
        let value = at;
        at = match bytes.get(at)? {
            b'"' => string(bytes, at)?,
            b'{' if outer => within(text, at)?,
            _ => return None,
        };
        if !each(Member { key, value: text.get(value..at)?, whole: text.get(from..at)? }) {
            return None;
        }
        at = space(bytes, at);
        match bytes.get(at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Behind the object of texts that begins at `at`.
fn within(text: &str, at: usize) -> Option<usize> {
    walk(text, at, &mut |_| true, false)
}

/// Behind a string without escapes that begins at `at`.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    let from = expect(bytes, at, b'"')?;
    let rest = bytes.get(from..)?;
    let stop = rest.iter().position(|b| *b == b'"' || *b == b'\\' || *b < b' ')?;
    (rest.get(stop) == Some(&b'"')).then_some(from + stop + 1)
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

fn space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    /// As formats use it: every object within is read, too.
    fn plain(bytes: &[u8]) -> Option<Members<'_>> {
        let (mut object, mut inner) = (Members::default(), Members::default());
        super::object(bytes, &mut object)?;
        for member in object.members().iter().filter(|m| m.is_object()) {
            member.within(&mut inner)?;
            inner.members().iter().all(|m| !m.is_object()).then_some(())?;
        }
        Some(object)
    }

    #[test]
    fn plain_objects_are_taken_apart_and_put_together() {
        let text = r#" {"a" : "1" , "o":{"x":"y"},"é":""}"#;
        let (mut object, mut inner) = (Members::default(), Members::default());
        super::object(text.trim().as_bytes(), &mut object).expect("plain");
        let members = object.members();
        assert_eq!(find(members, "a").and_then(Member::text), Some("1"));
        find(members, "o").expect("plain").within(&mut inner).expect("plain");
        assert_eq!(find(inner.members(), "x").and_then(Member::text), Some("y"));
        assert_eq!((find(members, "o").expect("plain").text(), find(members, "b")), (None, None));
        assert_eq!(without(members, |m| m.key == "a"), r#"{"o":{"x":"y"},"é":""}"#);
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_bounded_reader() {
        for odd in [
            "",
            "{",
            "[]",
            "{}x",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":"\n"}"#,
            r#"{"a":"1","a":"2"}"#,
            r#"{"a":"1",}"#,
            r#"{"a":{"b":{"c":"d"}}}"#,
            r#"{"a":{"b":"1","b":"2"}}"#,
            r#"{"a" "b"}"#,
            r#"{,}"#,
            r#"{"a":"}"#,
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\n\"}",
        ] {
            assert!(plain(odd.as_bytes()).is_none(), "{odd}");
        }
        assert!(plain(b"{\"a\":\"\xff\"}").is_none(), "not UTF-8");
        let many: Vec<String> = (0..=MEMBERS).map(|n| format!("\"{n}\":\"\"")).collect();
        assert!(plain(format!("{{{}}}", many.join(",")).as_bytes()).is_none());
        assert!(plain(format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST)).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_the_same_as_by_serde(text in r#"\{("[a-c]?"[:,] ?("[a-c\\]?"|\{("a":"b",?)?\}|1)[,}]){0,4}"#) {
            if let Some(object) = plain(text.as_bytes()) {
                let whole: Map<String, Value> = serde_json::from_str(&text).expect("plain");
                let again: Map<String, Value> = serde_json::from_str(&without(object.members(), |_| false)).expect("plain");
                prop_assert_eq!(object.members().len(), whole.len());
                prop_assert_eq!(again, whole);
            }
        }
    }
}
