//! Where the bytes come from: a file, or a pipe that may pause.
//!
//! What comes through a pipe in drops (`tail -f eve.json | stanch ingest -`) must not wait for a
//! body to fill up: a thread reads ahead, and the cutter asks whether the pipe has run dry.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// A pipe that gives nothing for this long has run dry.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes read at once.
const BLOCK: usize = 64 * 1024;
/// Blocks read ahead.
const AHEAD: usize = 16;

/// A stream that knows whether more would come at once.
pub(crate) trait Feed: BufRead {
    /// True when the sender makes a pause. Files never do.
    fn dry(&mut self) -> bool {
        false
    }
}

impl Feed for Box<dyn Feed> {
    fn dry(&mut self) -> bool {
        (**self).dry()
    }
}

impl Feed for &[u8] {}

/// A file, or anything that does not pause.
pub(crate) struct Steady<R>(pub(crate) R);

impl<R: BufRead> Read for Steady<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl<R: BufRead> BufRead for Steady<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.0.consume(n);
    }
}

impl<R: BufRead> Feed for Steady<R> {}

/// A pipe, read ahead by a thread of its own.
pub(crate) struct Pipe {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
    failed: Option<io::Error>,
}

impl Pipe {
    /// Begins to read.
    pub(crate) fn new(input: impl Read + Send + 'static) -> Pipe {
        let (send, blocks) = sync_channel(AHEAD);
        // Ends with the pipe, or when nobody takes what it reads.
        std::thread::spawn(move || read_ahead(input, &send));
        Pipe { blocks, block: Vec::new(), at: 0, failed: None }
    }

    fn take(&mut self, got: io::Result<Vec<u8>>) {
        match got {
            Ok(block) => (self.block, self.at) = (block, 0),
            Err(error) => self.failed = Some(error),
        }
    }
}

fn read_ahead(mut input: impl Read, send: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK];
        let got = match input.read(&mut block) {
            Ok(0) => return,
            Ok(n) => {
                block.truncate(n);
                Ok(block)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = got.is_err();
        if send.send(got).is_err() || last {
            return;
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(to.len());
        to[..n].copy_from_slice(&from[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Pipe {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.block.len() && self.failed.is_none() {
            self.block.clear();
            if let Ok(got) = self.blocks.recv() {
                self.take(got);
            }
        }
        if self.at >= self.block.len()
            && let Some(error) = self.failed.take()
        {
            return Err(error);
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Feed for Pipe {
    fn dry(&mut self) -> bool {
        if self.at < self.block.len() || self.failed.is_some() {
            return false;
        }
        match self.blocks.recv_timeout(PAUSE) {
            Ok(got) => {
                self.take(got);
                false
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_of_a_pipe_arrive_in_order_and_an_error_after_them() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut out = Vec::new();
        Pipe::new(io::Cursor::new(text.clone())).read_to_end(&mut out).expect("readable");
        assert!(out == text);

        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cut off"))
            }
        }
        let mut out = Vec::new();
        assert!(Pipe::new(io::Cursor::new(b"ab").chain(Broken)).read_to_end(&mut out).is_err());
        assert_eq!(out, b"ab");
    }
}
