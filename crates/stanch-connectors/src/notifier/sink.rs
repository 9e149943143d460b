//! A small mail server that keeps what it gets: for the demonstration and for tests.
//!
//! It listens on the loopback address only, speaks real SMTP, delivers nothing to anybody, and keeps
//! the conversation word for word, so that it can be shown.

mod talk;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Bytes of one mail at most; announced as SIZE.
pub(crate) const MAIL_LIMIT: usize = 1024 * 1024;
/// Mails kept at most; more are refused with 452.
const KEPT: usize = 1_000;
/// Lines of conversation kept at most; then the oldest go.
const LINES: usize = 20_000;
/// Connections served at the same time.
const AT_ONCE: usize = 32;

/// One mail as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body, dots unstuffed, lines ended by CR LF as they came.
    pub text: String,
}

impl Received {
    /// The value of a header, unfolded; the name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// What follows the headers.
    #[must_use]
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// One thing the server does wrong, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkFault {
    /// Answers this command (`MAIL`, `RCPT`, `DATA`, `AUTH`; `.` for the end of a mail) with this line,
    /// and does not do what was asked.
    Answer(&'static str, String),
    /// Takes the mail and closes the connection without a word.
    DropAfterData,
    /// Takes the mail and never answers.
    SilentAfterData,
}

/// A running mail server. Stops on drop.
#[derive(Debug)]
pub struct Sink {
    addr: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    mails: Mutex<Vec<Received>>,
    lines: Mutex<VecDeque<String>>,
    faults: Mutex<VecDeque<SinkFault>>,
    folder: Option<PathBuf>,
    pub(crate) offers_auth: bool,
}

impl Sink {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> std::io::Result<Sink> {
        Sink::start_with(State::default()).await
    }

    /// The same, which also writes every mail into a folder, as `000001.eml`, `000002.eml`, …
    ///
    /// # Errors
    /// When it cannot listen, or the folder cannot be made.
    pub async fn start_in_folder(folder: PathBuf) -> std::io::Result<Sink> {
        tokio::fs::create_dir_all(&folder).await?;
        Sink::start_with(State { folder: Some(folder), ..State::default() }).await
    }

    /// The same, which also offers AUTH PLAIN and takes any password.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start_with_auth() -> std::io::Result<Sink> {
        Sink::start_with(State { offers_auth: true, ..State::default() }).await
    }

    async fn start_with(state: State) -> std::io::Result<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(state);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Sink { addr, state, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every mail so far, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Received> {
        lock(&self.state.mails).clone()
    }

    /// The conversation so far: `C: ` before what clients said, `S: ` before our answers. Passwords
    /// are left out.
    #[must_use]
    pub fn transcript(&self) -> Vec<String> {
        lock(&self.state.lines).iter().cloned().collect()
    }

    /// Adds a fault; they strike in the order they were added.
    pub fn next(&self, fault: SinkFault) {
        lock(&self.state.faults).push_back(fault);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    // Conversations end together with this task.
    let mut talks = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        talks.spawn(async move {
            talk::talk(stream, &state).await;
            drop(place);
        });
        while talks.try_join_next().is_some() {}
    }
}

impl State {
    pub(crate) fn write(&self, who: &str, line: &str) {
        let mut lines = lock(&self.lines);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{who}: {line}"));
    }

    /// The answer that a fault gives to this command, if one waits for it.
    pub(crate) fn answer_to(&self, verb: &str) -> Option<String> {
        let mut faults = lock(&self.faults);
        let at = faults
            .iter()
            .position(|f| matches!(f, SinkFault::Answer(v, _) if v.eq_ignore_ascii_case(verb)))?;
        match faults.remove(at) {
            Some(SinkFault::Answer(_, reply)) => Some(reply),
            _ => None,
        }
    }

    /// The fault that strikes after a mail was taken, if one waits.
    pub(crate) fn after_data(&self) -> Option<SinkFault> {
        let mut faults = lock(&self.faults);
        let at = faults.iter().position(|f| !matches!(f, SinkFault::Answer(..)))?;
        faults.remove(at)
    }

    /// Keeps a mail; its number, or none when there is no room.
    pub(crate) fn keep(&self, mail: Received) -> Option<usize> {
        let mut mails = lock(&self.mails);
        if mails.len() >= KEPT {
            return None;
        }
        let number = mails.len() + 1;
        if let Some(folder) = &self.folder
            && let Err(e) = std::fs::write(folder.join(format!("{number:06}.eml")), &mail.text)
        {
            tracing::warn!(error = %e, folder = %folder.display(), "a mail could not be written");
            return None;
        }
        mails.push(mail);
        Some(number)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
