//! Finds where objects begin and end in a body, without reading them.
//!
//! One pass, no recursion, no allocation but for reasons. The rules of recovery: a line break inside
//! a string ends a broken stretch (JSON strings cannot hold one); an object that is never closed
//! ends where the next line starts with `{`. After [`MAX_RESYNCS`] of those each line stands alone,
//! so that the work stays linear whatever the body.

use std::ops::Range;

use super::json::{MAX_DEPTH, MAX_ELEMENTS, not_an_object};

/// How often an object that is never closed may cost a look ahead to the end of the body.
const MAX_RESYNCS: usize = 8;

/// A stretch of a body that is not white space or punctuation between records.
#[derive(Debug)]
pub(crate) enum Stretch {
    /// From a `{` to its `}`; what lies between is not checked yet.
    Object(Range<usize>),
    /// Not readable, and why.
    Bad {
        /// Where it lies.
        range: Range<usize>,
        /// True when it begins like an object.
        is_object: bool,
        /// What is wrong, where, and what would be right.
        reason: String,
    },
}

/// The stretches of a body in order. See the module's description for the rules.
pub(crate) struct Stretches<'a> {
    body: &'a [u8],
    at: usize,
    /// Where the array began that we are in.
    array: Option<usize>,
    /// A comma that still waits for an element after it.
    comma: Option<usize>,
    /// True when an element stands before us that a comma may follow.
    after_element: bool,
    found: usize,
    resyncs: usize,
}

impl<'a> Stretches<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Stretches<'a> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let at = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Stretches { body, at, array: None, comma: None, after_element: false, found: 0, resyncs: 0 }
    }

    /// Only the stretches that lie in a part of the body; ranges still count from the body's start.
    pub(crate) fn within(body: &'a [u8], part: Range<usize>) -> Stretches<'a> {
        Stretches { at: part.start, ..Stretches::new(body.get(..part.end).unwrap_or_default()) }
    }

    fn bad(&mut self, range: Range<usize>, is_object: bool, reason: String) -> Option<Stretch> {
        self.found += 1;
        Some(Stretch::Bad { range, is_object, reason })
    }

    /// The body ends here, perhaps too early.
    fn end(&mut self) -> Option<Stretch> {
        let open = self.array.take()?;
        self.bad(
            open..open + 1,
            false,
            format!("the array that begins at byte {open} is not closed; the body was cut short"),
        )
    }

    fn object(&mut self) -> Option<Stretch> {
        let from = self.at;
        self.after_element = true;
        self.comma = None;
        // Once too many objects were left open, each line has to stand alone.
        let limit = match self.resyncs < MAX_RESYNCS {
            true => self.body.len(),
            false => line_end(self.body, from),
        };
        let scan = scan(self.body.get(..limit).unwrap_or_default(), from);
        match scan.end {
            End::Closed(end) if scan.deepest <= MAX_DEPTH => {
                self.at = end;
                self.found += 1;
                Some(Stretch::Object(from..end))
            }
            End::Closed(end) => {
                self.at = end;
                let deep = scan.deepest;
                self.bad(from..end, true, format!(
                    "the object at byte {from} is nested {deep} deep, deeper than {MAX_DEPTH}; send a flatter record"
                ))
            }
            End::BrokenString(quote, end) => {
                self.at = end;
                self.bad(from..end, true, format!(
                    "the string that begins at byte {quote} is not closed before the end of its line; write line breaks in strings as \\n"
                ))
            }
            End::Open => {
                self.resyncs += 1;
                self.at = next_object_line(self.body, from);
                let end = trim_end(self.body, from, self.at);
                self.bad(
                    from..end,
                    true,
                    format!("the object that begins at byte {from} is not closed; the record was cut short"),
                )
            }
        }
    }

    fn garbage(&mut self) -> Option<Stretch> {
        let from = self.at;
        let mut at = from;
        while let Some(byte) = self.body.get(at) {
            at = match byte {
                b'{' | b'\n' => break,
                b',' | b']' if self.array.is_some() && at > from => break,
                b'"' => string_end(self.body, at).unwrap_or_else(|| line_end(self.body, at)),
                b'[' => match scan(self.body, at).end {
                    End::Closed(end) | End::BrokenString(_, end) => end,
                    End::Open => self.body.len(),
                },
                _ => at + 1,
            };
        }
        self.at = at.max(from + 1);
        self.after_element = true;
        self.comma = None;
        let end = trim_end(self.body, from, self.at);
        self.bad(from..end, false, not_an_object(from))
    }
}

impl Iterator for Stretches<'_> {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        loop {
            self.at = skip_space(self.body, self.at);
            let Some(byte) = self.body.get(self.at) else { return self.end() };
            if self.found >= MAX_ELEMENTS {
                let rest = self.at..trim_end(self.body, self.at, self.body.len());
                self.at = self.body.len();
                self.array = None;
                return self.bad(rest, true, format!(
                    "more than {MAX_ELEMENTS} records in one body; what follows was not read: send smaller batches"
                ));
            }
            let at = self.at;
            match (byte, self.array) {
                (b'{', _) => return self.object(),
                (b'[', None) => {
                    self.array = Some(at);
                    self.after_element = false;
                }
                (b']', Some(_)) => {
                    self.array = None;
                    self.at += 1;
                    if let Some(comma) = self.comma.take() {
                        return self.bad(
                            comma..comma + 1,
                            false,
                            format!("the comma at byte {comma} has no element after it; leave it out"),
                        );
                    }
                    continue;
                }
                (b',', Some(_)) if self.after_element => {
                    self.after_element = false;
                    self.comma = Some(at);
                }
                (b',', _) => {
                    self.at += 1;
                    return self.bad(at..at + 1, false, format!(
                        "the comma at byte {at} does not stand between two elements of an array; leave it out"
                    ));
                }
                _ => return self.garbage(),
            }
            self.at += 1;
        }
    }
}

struct Scan {
    end: End,
    deepest: usize,
}

enum End {
    /// Just after the closing bracket.
    Closed(usize),
    /// A string met the end of its line: where it began, and where the line ends.
    BrokenString(usize, usize),
    /// The body ended first.
    Open,
}

/// From an opening bracket to its closing one. Brackets are only counted: whether they match is for
/// the reader to say.
fn scan(body: &[u8], from: usize) -> Scan {
    let (mut depth, mut deepest, mut at) = (0usize, 0usize, from);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => match string_end(body, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => {
                    let stop = line_end(body, at);
                    let end = if stop < body.len() { End::BrokenString(at, stop) } else { End::Open };
                    return Scan { end, deepest };
                }
            },
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Scan { end: End::Closed(at + 1), deepest };
                }
            }
            _ => {}
        }
        at += 1;
    }
    Scan { end: End::Open, deepest }
}

/// Just after the quote that closes the string which begins at `quote`; `None` when its line or the
/// body ends first.
pub(crate) fn string_end(body: &[u8], quote: usize) -> Option<usize> {
    let mut at = quote + 1;
    loop {
        at += body.get(at..)?.iter().position(|b| matches!(b, b'"' | b'\\' | b'\n'))?;
        match body.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// Just after the value that begins at `at`.
pub(crate) fn value_end(body: &[u8], at: usize) -> Option<usize> {
    match body.get(at)? {
        b'"' => string_end(body, at),
        b'{' | b'[' => match scan(body, at).end {
            End::Closed(end) => Some(end),
            End::BrokenString(..) | End::Open => None,
        },
        _ => body.get(at..)?.iter().position(|b| matches!(b, b',' | b'}' | b']')).map(|n| at + n),
    }
}

/// The first place at or after `at` that is neither white space nor one of `also`.
pub(crate) fn skip_space_and(body: &[u8], at: usize, also: &[u8]) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !is_space(*b) && !also.contains(b)).unwrap_or(rest.len())
}

fn skip_space(body: &[u8], at: usize) -> usize {
    skip_space_and(body, at, b"")
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn line_end(body: &[u8], at: usize) -> usize {
    body.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\n')).map_or(body.len(), |n| at + n)
}

/// Where the first line after `at` begins that starts with `{`; the end of the body when none does.
fn next_object_line(body: &[u8], at: usize) -> usize {
    let mut at = line_end(body, at);
    while at < body.len() {
        if body.get(at + 1) == Some(&b'{') {
            return at + 1;
        }
        at = line_end(body, at + 1);
    }
    body.len()
}

fn trim_end(body: &[u8], from: usize, end: usize) -> usize {
    let slice = body.get(from..end).unwrap_or_default();
    from + slice.iter().rposition(|b| !is_space(*b)).map_or(0, |last| last + 1)
}
