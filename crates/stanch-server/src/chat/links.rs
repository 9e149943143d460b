//! Connections to chats: opened when the configuration names them, kept over a reload that does not touch
//! them, and their health.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use stanch_connectors::notifier::Slack;
use stanch_connectors::socket_mode::{Click, Link, SocketMode, Tell};
use stanch_engine::Now;
use stanch_model::Timestamp;
use tokio::sync::mpsc;

use super::click;
use crate::auth::Desk;

/// Clicks that may wait to be decided.
const WAITING: usize = 256;
/// Clicks decided at the same time.
const AT_ONCE: usize = 16;

/// One workspace: how to speak there, and how clicks come back, if they do over a socket.
#[derive(Clone)]
pub(crate) struct Chat {
    pub(crate) name: String,
    pub(crate) slack: Arc<Slack>,
    pub(crate) socket: Option<Arc<SocketMode>>,
}

/// How a connection stands, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) link: Link,
    pub(crate) since: Timestamp,
}

impl Standing {
    /// In words for a person.
    pub(crate) fn words(&self) -> String {
        match &self.link {
            Link::Opening => "Socket Mode: being opened".to_owned(),
            Link::Open => format!("Socket Mode: open since {}", self.since),
            Link::Down { .. } => format!("Socket Mode: down since {}", self.since),
        }
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &self.link {
            Link::Opening | Link::Open => None,
            Link::Down { why } => {
                Some(format!("clicks in Slack do not come in: {why}; it is tried again by itself"))
            }
        }
    }
}

struct Running {
    socket: Arc<SocketMode>,
    standing: Arc<Mutex<Standing>>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[derive(Default)]
struct All {
    chats: Vec<Chat>,
    running: BTreeMap<String, Running>,
}

/// All connections to chats.
pub(crate) struct Links {
    all: Mutex<All>,
    clicks: mpsc::Sender<(String, Click)>,
    now: Now,
}

/// What has been clicked, for [`answer`].
pub(crate) type Clicks = mpsc::Receiver<(String, Click)>;

impl Links {
    /// None yet; and where their clicks will come in.
    pub(crate) fn new(now: Now) -> (Links, Clicks) {
        let (clicks, come) = mpsc::channel(WAITING);
        (Links { all: Mutex::default(), clicks, now }, come)
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts chats in force: opens what is new, closes what is gone, and leaves alone what stays as it was.
    pub(crate) fn swap(&self, chats: Vec<Chat>) {
        let mut all = self.lock();
        let mut before = std::mem::take(&mut all.running);
        for socket in chats.iter().filter_map(|c| c.socket.clone()) {
            let name = socket.name().to_owned();
            let kept = before.remove(&name).filter(|r| r.socket.same(&socket));
            let running = kept.unwrap_or_else(|| self.open(socket));
            all.running.insert(name, running);
        }
        all.chats = chats;
    }

    fn open(&self, socket: Arc<SocketMode>) -> Running {
        let standing = Arc::new(Mutex::new(Standing { link: Link::Opening, since: (self.now)() }));
        let (own, now) = (standing.clone(), self.now.clone());
        let tell: Tell = Arc::new(move |link| {
            let mut standing = own.lock().unwrap_or_else(PoisonError::into_inner);
            // Down stays down since it went down, whatever the newest reason is.
            let same = std::mem::discriminant(&standing.link) == std::mem::discriminant(&link);
            let since = if same { standing.since } else { now() };
            *standing = Standing { link, since };
        });
        let (to, mut from) = mpsc::channel(WAITING);
        let (name, clicks) = (socket.name().to_owned(), self.clicks.clone());
        let passing = tokio::spawn(async move {
            while let Some(click) = from.recv().await {
                if clicks.send((name.clone(), click)).await.is_err() {
                    return;
                }
            }
        });
        let listening = tokio::spawn(socket.clone().run(to, tell));
        Running { socket, standing, tasks: [listening, passing] }
    }

    /// The chat under this name.
    pub(crate) fn chat(&self, name: &str) -> Option<Arc<Slack>> {
        self.lock().chats.iter().find(|c| c.name == name).map(|c| c.slack.clone())
    }

    /// How the connection of a chat stands; none when it has none.
    pub(crate) fn standing(&self, name: &str) -> Option<Standing> {
        let all = self.lock();
        let running = all.running.get(name)?;
        Some(running.standing.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Closes all.
    pub(crate) fn close(&self) {
        *self.lock() = All::default();
    }
}

/// Decides about clicks as they come in, until they end.
pub(crate) async fn answer(desk: Desk, clicks: Clicks) {
    let come = futures::stream::unfold(clicks, |mut clicks| async { Some((clicks.recv().await?, clicks)) });
    let one = |(name, came): (String, Click)| {
        let desk = desk.clone();
        async move { click::from_socket(&desk, &name, &came).await }
    };
    come.for_each_concurrent(AT_ONCE, one).await;
}
