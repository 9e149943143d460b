//! Sessions of browsers: a token shown once becomes a cookie that no script can read.
//!
//! Kept in memory and as digests only: a restart signs everybody out, and nothing that lies around
//! can be used. A session is worth exactly what its token is worth: role and teams are looked up at
//! every request, and a token that is changed or emptied ends its sessions at the next reload.
//!
//! A cookie travels by itself, so whatever rests on one must prove that our own page asked: the
//! `Origin` must be ours and a header must be there that other sites cannot set. Never reads either
//! where a bearer token is given, because that does not travel by itself.
//!
//! Source: SEC-30, SEC-31; OWASP Session Management Cheat Sheet.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use stanch_model::{Span, Timestamp};

use crate::problem::Problem;
use crate::secrets::TokenDigest;

/// A session ends after this long, whatever happens: one night shift.
const LONGEST: Span = Span::hours(12);
/// A session that is not used ends after this long.
const IDLE: Span = Span::mins(30);
/// Sessions of all people together; the oldest is ended to make room.
const MOST: usize = 10_000;
/// Sessions of one token; the oldest is ended to make room.
const MOST_OF_ONE: usize = 20;
/// Wrong tokens from one address before it has to wait.
const TRIES: u32 = 10;
/// For how long wrong tokens count.
const REMEMBERED: Span = Span::mins(1);
/// Addresses whose wrong tokens are remembered; beyond that all others share one count.
const ADDRESSES: usize = 4_096;
/// The header that our own pages send and other sites cannot.
pub(crate) const OURS: &str = "x-stanch-console";

/// Where browsers find us.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    addr: SocketAddr,
    tls: bool,
    hosts: Vec<String>,
}

impl Place {
    pub(crate) fn new(addr: SocketAddr, tls: bool, hosts: Vec<String>) -> Place {
        Place { addr, tls, hosts: hosts.into_iter().map(|h| h.to_ascii_lowercase()).collect() }
    }

    /// The name of the cookie. Cookies do not know ports, so without TLS the port is in the name.
    fn cookie(&self) -> String {
        if self.tls { "__Host-stanch".to_owned() } else { format!("stanch-{}", self.addr.port()) }
    }

    /// True when a browser that names this host means us. On loopback only loopback names and those
    /// given by `--host` do: any other name was bent to point here.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        if self.hosts.iter().any(|h| *h == host || h == name) || !self.addr.ip().is_loopback() {
            return true;
        }
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        name == "localhost" || name.ends_with(".localhost") || literal.is_ok_and(|ip| ip.is_loopback())
    }

    /// True when a page from this origin is one of ours, given the host that was asked.
    fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((_, authority)) = origin.split_once("://") else { return false };
        let authority = authority.to_ascii_lowercase();
        let listed = self.hosts.iter().any(|h| *h == authority || h == without_port(&authority));
        listed || host.is_some_and(|h| h.eq_ignore_ascii_case(&authority) && self.is_ours(h))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

#[derive(Clone, Copy)]
struct Session {
    token: TokenDigest,
    opened: Timestamp,
    used: Timestamp,
}

impl Session {
    fn alive(&self, now: Timestamp) -> bool {
        now.since(self.opened) < LONGEST && now.since(self.used) < IDLE
    }
}

/// Wrong tokens: how many, and since when.
#[derive(Clone, Copy)]
struct Failed {
    count: u32,
    since: Timestamp,
}

#[derive(Default)]
struct Table {
    sessions: BTreeMap<TokenDigest, Session>,
    failed: BTreeMap<Option<IpAddr>, Failed>,
}

/// All sessions.
pub(crate) struct Sessions {
    place: Place,
    table: Mutex<Table>,
}

impl Sessions {
    pub(crate) fn new(place: Place) -> Sessions {
        Sessions { place, table: Mutex::default() }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session for a token that is known; returns the cookie.
    ///
    /// # Errors
    /// When the page that asks is not ours, or there is no randomness.
    pub(crate) fn open(
        &self,
        token: TokenDigest,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<HeaderValue, Problem> {
        self.must_be_our_page(headers)?;
        let mut raw = [0_u8; 32];
        getrandom::fill(&mut raw).map_err(|_| Problem::internal("the system gives no random numbers"))?;
        let id: String = raw.iter().map(|b| format!("{b:02x}")).collect();
        let mut table = self.table();
        let sessions = &mut table.sessions;
        sessions.retain(|_, s| s.alive(now));
        make_room(sessions, MOST_OF_ONE, |s| s.token == token);
        make_room(sessions, MOST, |_| true);
        sessions.insert(TokenDigest::of(&id), Session { token, opened: now, used: now });
        let secure =
            self.place.tls || text(headers, header::ORIGIN).is_some_and(|o| o.starts_with("https://"));
        Ok(self.cookie(&id, LONGEST.0 / 1_000, secure))
    }

    fn cookie(&self, id: &str, seconds: i64, secure: bool) -> HeaderValue {
        let secure = if secure { "; Secure" } else { "" };
        let name = self.place.cookie();
        let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The digest of the session that a request carries.
    fn carried(&self, headers: &HeaderMap) -> Option<TokenDigest> {
        let name = self.place.cookie();
        let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|p| p.trim().split_once('='));
        pairs.find(|(n, id)| *n == name && id.len() == 64).map(|(_, id)| TokenDigest::of(id))
    }

    /// The session of a request and the token behind it.
    ///
    /// # Errors
    /// No session, one that is over, or a request that our own pages did not make.
    pub(crate) fn of(
        &self,
        method: &Method,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<(TokenDigest, TokenDigest), Problem> {
        let id = self.carried(headers).ok_or_else(Problem::unauthorised)?;
        if matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site")) {
            return Err(Problem::foreign("this request was made by a page of another site"));
        }
        if !method.is_safe() {
            self.must_be_our_page(headers)?;
        }
        let mut table = self.table();
        let Some(session) = table.sessions.get_mut(&id) else { return Err(Problem::unauthorised()) };
        if !session.alive(now) {
            table.sessions.remove(&id);
            return Err(Problem::unauthorised());
        }
        session.used = now;
        Ok((id, session.token))
    }

    /// True while a session can be used; does not count as a use.
    pub(crate) fn alive(&self, id: &TokenDigest, now: Timestamp) -> bool {
        self.table().sessions.get(id).is_some_and(|s| s.alive(now))
    }

    /// Ends the session that a request carries; returns the cookie that forgets it.
    pub(crate) fn end(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = self.carried(headers) {
            self.table().sessions.remove(&id);
        }
        self.cookie("", 0, self.place.tls)
    }

    /// Only our own pages send both: other sites can neither set the header nor choose the origin.
    fn must_be_our_page(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !headers.contains_key(OURS) {
            return Err(Problem::foreign(format!("a change by cookie needs the header {OURS}")));
        }
        let origin = text(headers, header::ORIGIN);
        match origin {
            Some(origin) if self.place.is_own_origin(origin, text(headers, header::HOST)) => Ok(()),
            Some(_) => Err(Problem::foreign("this request was made by a page of another site")),
            None => Err(Problem::foreign("a change by cookie needs an Origin")),
        }
    }

    /// May this address try a token?
    ///
    /// # Errors
    /// After too many wrong ones, until they are forgotten.
    pub(crate) fn may_try(&self, peer: Option<IpAddr>, now: Timestamp) -> Result<(), Problem> {
        let table = self.table();
        match table.failed.get(&network(peer)) {
            Some(f) if f.count >= TRIES && now.since(f.since) < REMEMBERED => {
                let rest = REMEMBERED.0 - now.since(f.since).0;
                Err(Problem::too_many(rest / 1_000 + 1))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong token.
    pub(crate) fn failed(&self, peer: Option<IpAddr>, now: Timestamp) {
        let mut table = self.table();
        table.failed.retain(|_, f| now.since(f.since) < REMEMBERED);
        let known = table.failed.contains_key(&network(peer));
        let key = if known || table.failed.len() < ADDRESSES { network(peer) } else { None };
        table.failed.entry(key).or_insert(Failed { count: 0, since: now }).count += 1;
    }
}

/// Whoever has an IPv6 address has 2^64 of them: they count as one.
fn network(peer: Option<IpAddr>) -> Option<IpAddr> {
    match peer?.to_canonical() {
        IpAddr::V6(v6) => Some(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

/// Ends the oldest of a kind until there is room for one more.
fn make_room(sessions: &mut BTreeMap<TokenDigest, Session>, most: usize, counts: impl Fn(&Session) -> bool) {
    while sessions.values().filter(|s| counts(s)).count() >= most {
        let oldest =
            sessions.iter().filter(|(_, s)| counts(s)).min_by_key(|(_, s)| s.used).map(|(id, _)| *id);
        let Some(oldest) = oldest else { return };
        sessions.remove(&oldest);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
