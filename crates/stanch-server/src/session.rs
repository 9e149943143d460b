//! Sessions of browsers: a proof shown once becomes a cookie that no script can read.
//!
//! Kept in memory and as digests only: a restart signs everybody out, and nothing that lies around
//! can be used. A session is worth exactly what its proof is worth: role and teams are looked up at
//! every request, and a token that is changed or emptied ends its sessions at the next reload. Each
//! sign-in makes a new one and ends the one that the browser had.
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

use crate::identity::who::Credential;
use crate::problem::Problem;
use crate::secrets::TokenDigest;

/// A session ends after this long, whatever happens: one night shift.
const LONGEST: Span = Span::hours(12);
/// A session that is not used ends after this long.
const IDLE: Span = Span::mins(30);
/// Sessions of all people together; the oldest is ended to make room.
const MOST: usize = 10_000;
/// Sessions of one person; the oldest is ended to make room.
const MOST_OF_ONE: usize = 20;
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

    /// The address of this machine's own browsers and programs.
    pub(crate) fn url(&self) -> String {
        format!("http{}://{}", if self.tls { "s" } else { "" }, self.addr)
    }

    /// The name of the cookie. Cookies do not know ports, so without TLS the port is in the name.
    fn cookie(&self) -> String {
        if self.tls { "__Host-stanch".to_owned() } else { format!("stanch-{}", self.addr.port()) }
    }

    /// True when a browser that names this host means us. On loopback only loopback names and those
    /// given by `--host` do: any other name was bent to point here. On other addresses any name may be
    /// ours until one is given; an address always may, because nobody can bend one.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        if self.hosts.iter().any(|h| *h == host || h == name) {
            return true;
        }
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if name == "localhost" || name.ends_with(".localhost") || literal.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        !self.addr.ip().is_loopback() && (literal.is_some() || self.hosts.is_empty())
    }

    /// True when a page from this origin is one of ours, given the host that was asked.
    fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        // What came in the clear anybody on the way may have written.
        if scheme != "https" && (self.tls || scheme != "http") {
            return false;
        }
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

/// True when the browser itself says that a page of another site asks.
fn elsewhere(headers: &HeaderMap) -> bool {
    let all = headers.get_all("sec-fetch-site").iter();
    all.map(|v| v.to_str().unwrap_or("?")).any(|site| !matches!(site, "same-origin" | "none"))
}

#[derive(Clone)]
struct Session {
    proof: Credential,
    person: String,
    opened: Timestamp,
    used: Timestamp,
}

impl Session {
    fn alive(&self, now: Timestamp) -> bool {
        now.since(self.opened) < LONGEST && now.since(self.used) < IDLE
    }
}

/// Sessions by the digest of their cookie.
type Table = BTreeMap<TokenDigest, Session>;

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

    /// Opens a session for a proof that is good, and ends the one the browser had; returns the cookie.
    ///
    /// # Errors
    /// When the page that asks is not ours, or there is no randomness.
    pub(crate) fn open(
        &self,
        proof: Credential,
        person: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<HeaderValue, Problem> {
        self.must_be_our_page(headers)?;
        let secure = text(headers, header::ORIGIN).is_some_and(|o| o.starts_with("https://"));
        self.begin(proof, person, headers, secure, now)
    }

    /// The same for somebody whom a provider sent back to us, which no page of ours could do.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn begin(
        &self,
        proof: Credential,
        person: &str,
        headers: &HeaderMap,
        secure: bool,
        now: Timestamp,
    ) -> Result<HeaderValue, Problem> {
        let mut raw = [0_u8; 32];
        getrandom::fill(&mut raw).map_err(|_| Problem::internal("the system gives no random numbers"))?;
        let id: String = raw.iter().map(|b| format!("{b:02x}")).collect();
        let before = self.carried(headers);
        let mut sessions = self.table();
        sessions.retain(|id, s| s.alive(now) && Some(*id) != before);
        make_room(&mut sessions, MOST_OF_ONE, |s| s.person == person);
        make_room(&mut sessions, MOST, |_| true);
        let session = Session { proof, person: person.to_owned(), opened: now, used: now };
        sessions.insert(TokenDigest::of(&id), session);
        Ok(self.cookie(&id, LONGEST.0 / 1_000, secure || self.place.tls))
    }

    fn cookie(&self, id: &str, seconds: i64, secure: bool) -> HeaderValue {
        let secure = if secure { "; Secure" } else { "" };
        let name = self.place.cookie();
        let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The cookie of a browser that is on its way to a provider; an empty value forgets it. `Lax`, because
    /// it has to come back with somebody whom another site sends.
    pub(crate) fn errand(&self, value: &str, seconds: i64, secure: bool) -> HeaderValue {
        let secure = if secure || self.place.tls { "; Secure" } else { "" };
        let name = self.place.cookie();
        let text =
            format!("{name}-errand={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// What that cookie holds.
    pub(crate) fn on_errand(&self, headers: &HeaderMap) -> Option<String> {
        let name = format!("{}-errand", self.place.cookie());
        let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|p| p.trim().split_once('='));
        pairs.find(|(n, id)| *n == name && id.len() == 64).map(|(_, id)| id.to_owned())
    }

    /// The digest of the session that a request carries.
    fn carried(&self, headers: &HeaderMap) -> Option<TokenDigest> {
        let name = self.place.cookie();
        let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|p| p.trim().split_once('='));
        pairs.find(|(n, id)| *n == name && id.len() == 64).map(|(_, id)| TokenDigest::of(id))
    }

    /// True when a request carries a cookie of ours, good or not.
    pub(crate) fn carries(&self, headers: &HeaderMap) -> bool {
        self.carried(headers).is_some()
    }

    /// The session of a request and the proof behind it.
    ///
    /// # Errors
    /// No session, one that is over, or a request that our own pages did not make.
    pub(crate) fn of(
        &self,
        method: &Method,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<(TokenDigest, Credential), Problem> {
        let id = self.carried(headers).ok_or_else(Problem::unauthorised)?;
        if elsewhere(headers) {
            return Err(Problem::foreign("this request was made by a page of another site"));
        }
        if !method.is_safe() {
            self.must_be_our_page(headers)?;
        }
        let mut table = self.table();
        let Some(session) = table.get_mut(&id) else { return Err(Problem::unauthorised()) };
        if !session.alive(now) {
            table.remove(&id);
            return Err(Problem::unauthorised());
        }
        session.used = now;
        Ok((id, session.proof.clone()))
    }

    /// True while a session can be used; does not count as a use.
    pub(crate) fn alive(&self, id: &TokenDigest, now: Timestamp) -> bool {
        self.table().get(id).is_some_and(|s| s.alive(now))
    }

    /// Ends the session that a request carries; returns the cookie that forgets it.
    pub(crate) fn end(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = self.carried(headers) {
            self.table().remove(&id);
        }
        self.cookie("", 0, self.place.tls)
    }

    /// Ends every session of a person but the one named; returns how many.
    pub(crate) fn end_all(&self, person: &str, but: Option<TokenDigest>) -> usize {
        let mut sessions = self.table();
        let before = sessions.len();
        sessions.retain(|id, s| s.person != person || Some(*id) == but);
        before - sessions.len()
    }

    /// How many sessions of a person can be used.
    pub(crate) fn count(&self, person: &str, now: Timestamp) -> usize {
        self.table().values().filter(|s| s.person == person && s.alive(now)).count()
    }

    /// Only our own pages send both: other sites can neither set the header nor choose the origin.
    ///
    /// # Errors
    /// When another page asks.
    pub(crate) fn must_be_our_page(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if elsewhere(headers) {
            return Err(Problem::foreign("this request was made by a page of another site"));
        }
        if !headers.contains_key(OURS) {
            return Err(Problem::foreign(format!("a change by cookie needs the header {OURS}")));
        }
        if headers.get_all(header::ORIGIN).iter().count() > 1 {
            return Err(Problem::foreign("this request has more than one Origin"));
        }
        match text(headers, header::ORIGIN) {
            Some(origin) if self.place.is_own_origin(origin, text(headers, header::HOST)) => Ok(()),
            Some(_) => Err(Problem::foreign("this request was made by a page of another site")),
            None => Err(Problem::foreign("a change by cookie needs an Origin")),
        }
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
