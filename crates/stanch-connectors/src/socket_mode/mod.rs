//! Slack's Socket Mode: clicks come in over a connection that we open, so that nothing of ours has to be
//! reachable from outside.
//!
//! Every frame with an envelope is acknowledged before anything is done about it, and a click that comes
//! twice is handed on once. When Slack wants a connection to end, the next one is opened while the old one
//! is still listened to. A connection that breaks is opened again, ever more patiently, for ever.
//!
//! Connecting goes through the one way out, like every other call: the socket is an HTTP request to a host
//! that [`place`] has judged, upgraded; the library only knows frames.
//!
//! What a click means is decided elsewhere; here nothing of it is read.
//!
//! Source: Slack, "Socket Mode implementation" and `apps.connections.open`, read in 2026.

mod heard;
mod pace;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::{Sink, SinkExt, StreamExt};
use ipnet::IpNet;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use zeroize::Zeroizing;

pub use heard::{Heard, Leave, acknowledgement, heard, place};
pub use pace::{Gone, Pace};

use crate::egress::Egress;
use crate::notifier::Secret;
use crate::notifier::plain;
use crate::notifier::post::{Post, endpoint};

/// The largest message that is read, in bytes; a message with all its blocks is far smaller.
const LARGEST: usize = 1 << 20;
/// Envelopes remembered, so that one that comes twice is handed on once.
const REMEMBERED: usize = 1_000;

/// Settings of one app's connection.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// The notifier's name in the configuration.
    pub name: String,
    /// Where Slack's Web API is.
    pub url: String,
    /// The app-level token, `xapp-…`, with `connections:write`.
    pub token: Secret,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
    /// How patient it is.
    pub pace: Pace,
}

/// One click, as Slack sent it over a connection that we opened to Slack with our app's token. Only this
/// module makes one, so that it is proof of where it came from.
#[derive(Debug)]
pub struct Click {
    app: Option<String>,
    payload: String,
}

impl Click {
    /// The app whose connection it came over, as Slack named it.
    #[must_use]
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// What was clicked: the same text that HTTP has in its field `payload`.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }
}

/// How the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It is being opened.
    Opening,
    /// Clicks come in.
    Open,
    /// They do not; it is tried again by itself.
    Down {
        /// Why, in words.
        why: String,
    },
}

/// Who is told how the connection stands.
pub type Tell = Arc<dyn Fn(Link) + Send + Sync>;

/// One app's connection to Slack.
pub struct SocketMode {
    config: SocketConfig,
    api: Url,
    open: Url,
    post: Post,
}

/// What a connection has to report.
enum Said {
    Opened,
    Gone(Gone),
}

/// Envelopes handed on lately.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// True when it is new.
    fn add(&mut self, envelope: &str) -> bool {
        if !self.names.insert(envelope.to_owned()) {
            return false;
        }
        self.order.push_back(envelope.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(old) = self.order.pop_front()
        {
            self.names.remove(&old);
        }
        true
    }
}

/// What all connections of one app share.
#[derive(Clone)]
struct Shared {
    clicks: mpsc::Sender<Click>,
    said: mpsc::Sender<(u64, Said)>,
    seen: Arc<Mutex<Seen>>,
}

impl SocketMode {
    /// Makes it ready; opens nothing.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: SocketConfig) -> Result<SocketMode, Vec<String>> {
        let mut wrong = Vec::new();
        let base = config.url.trim_end_matches('/');
        let api = endpoint(base).map_err(|why| wrong.push(why)).ok();
        let open = endpoint(&format!("{base}/apps.connections.open")).ok();
        if !config.token.expose().starts_with("xapp-") {
            wrong.push(
                "app_token: an app-level token of Slack begins with xapp-; the bot token belongs in `token`"
                    .to_owned(),
            );
        } else if HeaderValue::from_str(&config.token.expose()).is_err() {
            wrong.push("app_token: it holds characters that no token has".to_owned());
        }
        let post = Post::to(open.as_ref(), &config.allow_private).map_err(|why| wrong.push(why)).ok();
        match (api, open, post) {
            (Some(api), Some(open), Some(post)) if wrong.is_empty() => {
                Ok(SocketMode { config, api, open, post })
            }
            _ => Err(wrong),
        }
    }

    /// The notifier's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// True when the other would open the same connection: then this one may stay.
    #[must_use]
    pub fn same(&self, other: &SocketMode) -> bool {
        let (a, b) = (&self.config, &other.config);
        (&a.name, &a.url, &a.allow_private) == (&b.name, &b.url, &b.allow_private)
            && *a.token.expose() == *b.token.expose()
    }

    /// Keeps a connection open and hands clicks on, until it is dropped.
    pub async fn run(self: Arc<Self>, clicks: mpsc::Sender<Click>, tell: Tell) {
        let (said, mut from) = mpsc::channel(16);
        let shared = Shared { clicks, said, seen: Arc::default() };
        // Ends with this future: no connection outlives it.
        let mut connections = JoinSet::new();
        let (mut newest, mut tries, mut since) = (0u64, 0u32, None);
        tell(Link::Opening);
        connections.spawn(self.clone().connection(newest, std::time::Duration::ZERO, shared.clone()));
        while let Some((n, said)) = from.recv().await {
            while connections.try_join_next().is_some() {}
            // An old connection may end as it likes.
            if n != newest {
                continue;
            }
            match said {
                Said::Opened => {
                    since = Some(Instant::now());
                    tell(Link::Open);
                }
                Said::Gone(why) => {
                    let held =
                        since.take().is_some_and(|at: Instant| at.elapsed() >= self.config.pace.settled);
                    tries = if held { 0 } else { tries.saturating_add(1) };
                    // One renewal is at once even if it comes early.
                    let counted = if matches!(&why, Gone::Left(l) if !l.is_refusal()) {
                        tries.saturating_sub(1)
                    } else {
                        tries.max(1)
                    };
                    let wait = self.config.pace.wait(&why, counted, chance());
                    match &why {
                        Gone::Left(leave) => {
                            tracing::info!(
                                notifier = self.name(),
                                why = leave.words(),
                                "a fresh connection to Slack is opened"
                            );
                            if leave.is_refusal() {
                                tell(Link::Down { why: leave.words() });
                            }
                        }
                        Gone::Broke(why) => {
                            tracing::warn!(
                                notifier = self.name(),
                                why,
                                "no connection to Slack; it is opened again"
                            );
                            tell(Link::Down { why: why.clone() });
                        }
                    }
                    newest += 1;
                    connections.spawn(self.clone().connection(newest, wait, shared.clone()));
                }
            }
        }
    }

    /// One connection, from its first request to its end.
    async fn connection(self: Arc<Self>, n: u64, wait: std::time::Duration, shared: Shared) {
        tokio::time::sleep(wait).await;
        let opened = tokio::time::timeout(self.config.pace.open, self.open()).await;
        let ended = match opened {
            Ok(Ok(socket)) => self.listen(n, socket, &shared).await,
            Ok(Err(why)) => why,
            Err(_) => "Slack did not open a connection in time".to_owned(),
        };
        // Nobody listens any more when everything is being stopped.
        let _ = shared.said.send((n, Said::Gone(Gone::Broke(ended)))).await;
    }

    /// Asks where the socket is, and opens it.
    async fn open(&self) -> Result<WebSocketStream<reqwest::Upgraded>, String> {
        let url = self.ask().await?;
        let egress = Egress::to(&url, &self.config.allow_private)?;
        egress.permit(&url)?;
        let client = egress.client(self.config.pace.open)?;
        let key = generate_key();
        let lost = |e: reqwest::Error| format!("the socket was not opened: {}", e.without_url());
        let request = client
            .request(Method::GET, url)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        let answer = request.send().await.map_err(lost)?;
        let proof = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(format!("the socket was not opened: Slack answered {}", answer.status()));
        }
        // Source: RFC 6455 §4.1: a server that does not know the key is none.
        if proof != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err("the socket was not opened: what answered is no WebSocket".to_owned());
        }
        let stream = answer.upgrade().await.map_err(lost)?;
        let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await)
    }

    /// `apps.connections.open`: a fresh address that holds once.
    async fn ask(&self) -> Result<Url, String> {
        let mut headers = HeaderMap::new();
        let bearer = Zeroizing::new(format!("Bearer {}", *self.config.token.expose()));
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|e| e.to_string())?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        let sent = self.post.send(Method::POST, self.open.clone(), headers, Vec::new()).await;
        let reply = sent.map_err(|e| e.to_string())?;
        let said: Value = serde_json::from_slice(&reply.body)
            .map_err(|_| format!("Slack answered {} without JSON", reply.status))?;
        if said["ok"] != true {
            let why = plain(said["error"].as_str().unwrap_or("no reason given"));
            return Err(match why.as_str() {
                "invalid_auth"
                | "not_authed"
                | "token_revoked"
                | "not_allowed_token_type"
                | "missing_scope" => {
                    format!(
                        "Slack refuses the app token ({why}): it must be an app-level token with connections:write"
                    )
                }
                _ => format!("Slack opens no connection: {why}"),
            });
        }
        place(&self.api, said["url"].as_str().unwrap_or_default())
    }

    /// Listens until it ends; returns why it did.
    async fn listen(&self, n: u64, socket: WebSocketStream<reqwest::Upgraded>, shared: &Shared) -> String {
        let pace = self.config.pace;
        let (mut out, mut frames) = socket.split();
        let mut ping = tokio::time::interval(pace.ping);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let started = tokio::time::Instant::now();
        let (mut last, mut end) = (started, started + pace.open);
        let (mut greeted, mut leaving, mut app) = (false, false, None);
        loop {
            let dead = last + pace.silence;
            let frame = tokio::select! {
                frame = frames.next() => frame,
                _ = ping.tick() => match out.send(Message::Ping(Vec::new().into())).await {
                    Ok(()) => continue,
                    Err(e) => return lost(&e),
                },
                () = tokio::time::sleep_until(dead) => return format!("nothing was heard for {} s", pace.silence.as_secs()),
                () = tokio::time::sleep_until(end), if leaving || !greeted => {
                    return if leaving { "left, as Slack asked".to_owned() } else { "Slack did not say hello in time".to_owned() };
                }
            };
            last = tokio::time::Instant::now();
            let text = match frame {
                None => return "Slack closed the connection".to_owned(),
                Some(Err(e)) => return lost(&e),
                Some(Ok(Message::Close(_))) => return "Slack closed the connection".to_owned(),
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                    continue;
                }
            };
            match heard(&text) {
                Ok(Heard::Hello { app: own }) => {
                    (greeted, app) = (true, own);
                    let _ = shared.said.send((n, Said::Opened)).await;
                }
                Ok(Heard::Leave(why)) => {
                    (leaving, end) = (true, last + pace.linger);
                    let _ = shared.said.send((n, Said::Gone(Gone::Left(why)))).await;
                }
                Ok(Heard::Click { envelope, payload }) => {
                    let click = Click { app: app.clone(), payload };
                    if let Err(e) = self.take(&envelope, click, &mut out, shared).await {
                        return e;
                    }
                }
                Ok(Heard::Other { envelope, kind }) => {
                    tracing::debug!(notifier = self.name(), kind, "a message from Slack that is of no use");
                    if let Some(envelope) = envelope
                        && let Err(e) = out.send(Message::text(acknowledgement(&envelope))).await
                    {
                        return lost(&e);
                    }
                }
                Err(why) => {
                    tracing::warn!(notifier = self.name(), why, "a message from Slack cannot be read")
                }
            }
        }
    }

    /// Finds a place for a click, acknowledges it, and hands it on, once. Without a place it is not
    /// acknowledged, so that Slack tells the person that nobody answered.
    async fn take<S>(&self, envelope: &str, click: Click, out: &mut S, shared: &Shared) -> Result<(), String>
    where
        S: Sink<Message, Error = Error> + Unpin,
    {
        let Ok(Ok(place)) = tokio::time::timeout(self.config.pace.place, shared.clicks.reserve()).await
        else {
            tracing::error!(
                notifier = self.name(),
                "clicks come faster than they are decided; one was not taken"
            );
            return Ok(());
        };
        let sent = out.send(Message::text(acknowledgement(envelope))).await;
        // What was heard counts, also when the acknowledgement is lost: it comes again and is known then.
        if shared.seen.lock().unwrap_or_else(PoisonError::into_inner).add(envelope) {
            place.send(click);
        }
        sent.map_err(|e| lost(&e))
    }
}

fn lost(e: &Error) -> String {
    format!("the connection to Slack broke: {e}")
}

/// Any number.
fn chance() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the waits are what they are.
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod workspace;
