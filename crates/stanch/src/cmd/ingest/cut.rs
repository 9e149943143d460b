//! A stream of any length cut into bodies of bounded size, at the borders of records.
//!
//! Nothing is thrown away: what is not understood is sent as it is, and the server quarantines it.
//! Memory is bounded by two bodies and one record.

use std::io::{self, BufRead as _, Cursor, Read as _};

use super::feed::Feed;
use super::sniff::{Kind, sniff};

/// Target size of a body, in bytes.
pub(crate) const CHUNK: usize = 1 << 20;

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Framing {
    /// Look at the beginning
    Auto,
    /// One record per line
    Lines,
    /// One JSON document, or an array of them
    Json,
    /// Zeek's tab-separated logs: each body gets the header
    Zeek,
}

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A body to send.
    Body(Vec<u8>),
    /// A record that is too large to be sent; it was read over.
    TooLarge {
        /// Where it begins, in bytes from the start.
        at: u64,
        /// How long it is, in bytes.
        bytes: u64,
    },
}

/// Where we are in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

/// A stream being cut.
pub(crate) struct Cutter<R> {
    input: io::Chain<Cursor<Vec<u8>>, R>,
    kind: Kind,
    /// Target size of a body.
    chunk: usize,
    /// Largest body.
    largest: usize,
    at: u64,
    body: Vec<u8>,
    header: Vec<u8>,
    in_header: bool,
    place: Place,
    failed: Option<io::Error>,
}

/// One record read.
enum Record {
    End,
    Some(Vec<u8>),
    TooLarge(u64),
}

impl<R: Feed> Cutter<R> {
    /// Looks at the beginning. `largest` is the largest body the server takes.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub(crate) fn new(mut input: R, framing: Framing, chunk: usize, largest: usize) -> io::Result<Cutter<R>> {
        let mut head = Vec::new();
        // A byte order mark belongs to the file and not to its first record.
        input.by_ref().take(3).read_to_end(&mut head)?;
        if head.starts_with(b"\xef\xbb\xbf") {
            head.clear();
        }
        let kind = match framing {
            Framing::Lines => Kind::Lines,
            Framing::Zeek => Kind::Zeek,
            Framing::Auto | Framing::Json => sniff(&mut input, &mut head, framing, largest)?,
        };
        Ok(Cutter {
            input: Cursor::new(head).chain(input),
            kind,
            chunk: chunk.min(largest),
            largest,
            at: 0,
            body: Vec::new(),
            header: Vec::new(),
            in_header: false,
            place: Place::Before,
            failed: None,
        })
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the stream cannot be read on; what was whole before has come out first.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let piece = match self.kind {
            Kind::Whole => self.whole(),
            Kind::Lines => self.lines(),
            Kind::Zeek => self.zeek(),
            Kind::Array => self.array(),
        };
        match piece {
            Err(error) if !self.body.is_empty() => {
                self.failed = Some(error);
                Ok(self.flush())
            }
            other => other,
        }
    }

    fn flush(&mut self) -> Option<Piece> {
        let mut body = std::mem::take(&mut self.body);
        if body.is_empty() {
            return None;
        }
        if self.kind == Kind::Array {
            body.push(b']');
        }
        Some(Piece::Body(body))
    }

    fn whole(&mut self) -> io::Result<Option<Piece>> {
        let mut body = Vec::new();
        self.input.read_to_end(&mut body)?;
        Ok((!body.iter().all(u8::is_ascii_whitespace)).then_some(Piece::Body(body)))
    }

    fn lines(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let from = self.at;
            match self.line()? {
                Record::End => return Ok(self.flush()),
                Record::TooLarge(bytes) => return Ok(Some(Piece::TooLarge { at: from, bytes })),
                Record::Some(line) => {
                    let full = self.add(&line);
                    if full.is_some() {
                        return Ok(full);
                    }
                    if self.dry() {
                        return Ok(self.flush());
                    }
                }
            }
        }
    }

    /// True when a pipe makes a pause: what is whole goes out now.
    fn dry(&mut self) -> bool {
        let (head, rest) = self.input.get_mut();
        head.position() >= head.get_ref().len() as u64 && rest.dry()
    }

    /// Adds a line to the body; gives the body back when it was full without it.
    fn add(&mut self, line: &[u8]) -> Option<Piece> {
        let full = (self.body.len() + line.len() > self.chunk).then(|| self.flush()).flatten();
        if self.body.is_empty() && self.kind == Kind::Zeek && !self.in_header {
            self.body.extend_from_slice(&self.header);
        }
        self.body.extend_from_slice(line);
        full
    }

    fn zeek(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let from = self.at;
            let line = match self.line()? {
                Record::End => return Ok(self.flush()),
                Record::TooLarge(bytes) => return Ok(Some(Piece::TooLarge { at: from, bytes })),
                Record::Some(line) => line,
            };
            let header = line.starts_with(b"#") && !line.starts_with(b"#close");
            // Another log begins: what came before has a header of its own.
            let begins = header && (!self.in_header || line.starts_with(b"#separator"));
            let before = if begins { self.flush() } else { None };
            if begins {
                self.header.clear();
            }
            if header {
                self.header.extend_from_slice(&line);
            }
            self.in_header = header;
            let full = self.add(&line).or(before);
            if full.is_some() {
                return Ok(full);
            }
            if !header && self.dry() {
                return Ok(self.flush());
            }
        }
    }

    fn array(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let from = self.at;
            match self.element()? {
                Record::TooLarge(bytes) => return Ok(Some(Piece::TooLarge { at: from, bytes })),
                Record::Some(element) => {
                    let full = self.body.len() + element.len() + 2 > self.chunk;
                    let full = full.then(|| self.flush()).flatten();
                    self.body.push(if self.body.is_empty() { b'[' } else { b',' });
                    self.body.extend_from_slice(&element);
                    if full.is_some() {
                        return Ok(full);
                    }
                }
                Record::End => {
                    let last = self.flush();
                    // What stands after the array is another one, or lines.
                    let rest = self.input.fill_buf()?;
                    if rest.is_empty() {
                        return Ok(last);
                    }
                    if rest.first() != Some(&b'[') {
                        self.kind = Kind::Lines;
                    }
                    match last {
                        Some(last) => return Ok(Some(last)),
                        None if self.kind == Kind::Lines => return self.lines(),
                        None => {}
                    }
                }
            }
        }
    }

    /// One line with its line break.
    fn line(&mut self) -> io::Result<Record> {
        let mut line = Vec::new();
        let n = self.input.by_ref().take(self.largest as u64 + 1).read_until(b'\n', &mut line)?;
        self.at += n as u64;
        if n == 0 {
            return Ok(Record::End);
        }
        if line.ends_with(b"\n") || n <= self.largest {
            return Ok(Record::Some(line));
        }
        let over = self.skip_line()?;
        Ok(Record::TooLarge(n as u64 + over))
    }

    /// Reads to the end of the line and keeps nothing of it.
    fn skip_line(&mut self) -> io::Result<u64> {
        let mut over = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            let (n, end) = match buffer.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(n);
            self.at += n as u64;
            over += n as u64;
            if end {
                return Ok(over);
            }
        }
    }

    /// One element of the array, without the commas around it; afterwards white space is read over.
    fn element(&mut self) -> io::Result<Record> {
        let mut out = Vec::new();
        let (mut depth, mut string, mut escaped, mut bytes) = (0_u64, false, false, 0_u64);
        loop {
            if self.place == Place::After {
                if bytes > 0 {
                    return Ok(self.ended(out, bytes));
                }
                self.place = Place::Before;
                self.skip_white()?;
                return Ok(Record::End);
            }
            let Some(b) = self.byte()? else {
                return Ok(self.ended(out, bytes));
            };
            let between = !string && depth == 0;
            match b {
                _ if self.place == Place::Before => {
                    self.place = if b == b'[' { Place::Inside } else { Place::Before };
                    continue;
                }
                b']' if between => {
                    self.place = Place::After;
                    continue;
                }
                b',' if between && bytes > 0 => return Ok(self.ended(out, bytes)),
                b',' if between => continue,
                _ => {}
            }
            if between && bytes == 0 && b.is_ascii_whitespace() {
                continue;
            }
            match b {
                _ if escaped => escaped = false,
                b'\\' if string => escaped = true,
                b'"' => string = !string,
                b'{' | b'[' if !string => depth += 1,
                b'}' | b']' if !string => depth = depth.saturating_sub(1),
                _ => {}
            }
            bytes += 1;
            if out.len() < self.largest {
                out.push(b);
            }
        }
    }

    fn ended(&self, mut out: Vec<u8>, bytes: u64) -> Record {
        match bytes {
            0 => Record::End,
            // Two bytes for the brackets around it.
            n if n + 2 > self.largest as u64 => Record::TooLarge(n),
            _ => {
                out.truncate(out.trim_ascii_end().len());
                Record::Some(out)
            }
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let first = self.input.fill_buf()?.first().copied();
        if first.is_some() {
            self.input.consume(1);
            self.at += 1;
        }
        Ok(first)
    }

    fn skip_white(&mut self) -> io::Result<()> {
        while self.input.fill_buf()?.first().is_some_and(u8::is_ascii_whitespace) {
            self.byte()?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "cut_tests.rs"]
mod tests;
