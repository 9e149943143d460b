//! Several tenants in one process: each a whole Stanch in a folder of its own, under a host name of its own.
//!
//! A tenant has its own configuration, journal, engine with its queue and its thread, caches, keys,
//! accounts, sessions and audit; no row, key or queue knows that there are others. Which one a request is
//! for is said by the host name alone, before anybody is asked who they are: there is one name for each
//! tenant, and browsers keep what belongs to one name from the pages of another.
//!
//! Where tenants speak TLS themselves, each shows its own certificate, and a line that was opened for one
//! name never carries a request for another.
//!
//! One that does not start, or that fails, is down under its own name; the others go on.
//!
//! Never shares a decision, and never says which names there are. Source: SEC-26; ADR 0027.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum_server::tls::TlsInfo;
use stanch_core::config::{Mistake, subject_name};
use stanch_engine::{Engine, Now};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::app::{App, Listening, OneOfSeveral, Options, StartError, blocking, system_clock};
use crate::intake::Front;
use crate::problem::Problem;
use crate::serve::Speaks;
use crate::swap::Swap;
use crate::{config_dir, console};
use by_name::ByName;

pub(crate) mod by_name;

/// Where one listens when nothing else is said.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7878);

/// What stands behind a host name.
enum Door {
    Open(Router),
    /// It did not start, or it failed.
    Down,
}

/// Host names and what stands behind each.
type Doors = BTreeMap<String, Swap<Door>>;

/// Several tenants, running.
pub struct Tenants {
    addr: SocketAddr,
    tls: bool,
    doors: Arc<Doors>,
    apps: BTreeMap<String, App>,
    watching: Vec<tokio::task::JoinHandle<()>>,
    listening: Listening,
}

impl Tenants {
    /// Starts every tenant of a folder, then the listener. Each sub-folder is one: its name is the host
    /// name, `config` in it the configuration, `data` the store. One with mistakes is down, and the log
    /// says why; the others start.
    ///
    /// # Errors
    /// When the folder says something that is no tenant, none can start, or nothing can be listened on.
    pub async fn start(folder: &Path, listen: Option<SocketAddr>) -> Result<Tenants, StartError> {
        Tenants::start_at(folder, listen, system_clock()).await
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// As [`Tenants::start`].
    pub async fn start_at(
        folder: &Path,
        listen: Option<SocketAddr>,
        clock: Now,
    ) -> Result<Tenants, StartError> {
        let found = found(folder).map_err(StartError::Refused)?;
        let wanted = listen.unwrap_or(USUAL);
        let tls = speaks_tls(&found).await?;
        if !tls && !wanted.ip().is_loopback() {
            let why = format!(
                "{wanted} can be reached from other machines, and no tenant has TLS; add `tls: {{ cert: …, key: … }}` to \
                 the stanch.yaml of each, or listen on 127.0.0.1 behind a proxy that speaks TLS and keeps the host name"
            );
            return Err(StartError::Refused(why));
        }
        let cannot = |why| StartError::Listen { addr: wanted, why };
        let listener = TcpListener::bind(wanted).map_err(cannot)?;
        let addr = listener.local_addr().map_err(cannot)?;
        let (mut doors, mut apps) = (Doors::new(), BTreeMap::new());
        for (name, at) in found {
            let mut options = Options::new(at.join("config"), at.join("data"));
            options.clock = clock.clone();
            options.tenant = Some(OneOfSeveral { name: name.clone(), addr, tls });
            let span = tracing::info_span!("tenant", name);
            match App::start(options).instrument(span).await {
                Ok(app) => {
                    doors.insert(name.clone(), Swap::new(Door::Open(app.router())));
                    apps.insert(name, app);
                }
                Err(why) => {
                    tell(&name, &why);
                    doors.insert(name, Swap::new(Door::Down));
                }
            }
        }
        if apps.is_empty() {
            let why = format!("no tenant in {} could start; the log says why for each", folder.display());
            return Err(StartError::Refused(why));
        }
        let doors = Arc::new(doors);
        let watching = apps.iter().map(|(name, app)| watch(&doors, name, app.engine())).collect();
        let speaks = if tls {
            let shown = apps.iter().filter_map(|(name, app)| Some((name.clone(), app.tls()?))).collect();
            Speaks::ByName(ByName::new(shown).map_err(StartError::Bug)?)
        } else {
            Speaks::Plain
        };
        let listening = Listening::start(listener, Front::plain(router(doors.clone())), speaks);
        tracing::info!(%addr, tls, tenants = apps.len(), "stanch answers");
        Ok(Tenants { addr, tls, doors, apps, watching, listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// True when the tenants speak TLS themselves.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host names of the tenants that run.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }

    /// One tenant, for those who run it in their own process.
    #[must_use]
    pub fn tenant(&self, name: &str) -> Option<&App> {
        self.apps.get(name)
    }

    /// Everything that the listener answers with, for calls within the process.
    pub fn router(&self) -> Router {
        router(self.doors.clone())
    }

    /// Runs until it is told to stop (SIGTERM, SIGINT); at SIGHUP every tenant reads its configuration again.
    ///
    /// # Errors
    /// Why it could not go on.
    pub async fn run(mut self) -> Result<(), String> {
        use tokio::signal::unix::{SignalKind, signal};
        let catch = |kind| signal(kind).map_err(|e| format!("signals cannot be caught: {e}"));
        let mut end = catch(SignalKind::terminate())?;
        let mut interrupt = catch(SignalKind::interrupt())?;
        let mut hang_up = catch(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = end.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload().await,
                why = self.listening.ended() => return Err(why),
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn reload(&self) {
        for (name, app) in &self.apps {
            if let Err(mistakes) = app.reload("SIGHUP").await {
                tell(name, &StartError::Configuration(mistakes));
            }
        }
    }

    /// Takes nothing new, finishes what is in hand, and stops every tenant.
    pub async fn stop(self) {
        self.watching.iter().for_each(tokio::task::JoinHandle::abort);
        self.listening.stop().await;
        for (_, app) in self.apps {
            app.stop().await;
        }
    }
}

/// All mistakes and warnings of a folder of tenants: for each its host name and what is wrong with it. Changes
/// nothing and reaches nobody.
///
/// # Errors
/// When the folder says something that is no tenant.
pub fn check(folder: &Path) -> Result<Vec<(String, Vec<Mistake>)>, String> {
    let found = found(folder)?;
    let tls = found.iter().any(|(_, at)| names_tls(at));
    let each = found.into_iter().map(|(name, at)| {
        let mut mistakes = config_dir::check_for(&at.join("config"), Some(name.clone()));
        let readable = config_dir::compiled(&at.join("config"));
        if readable.as_ref().is_some_and(|c| tls && c.server.tls.is_none()) {
            let message =
                "other tenants speak TLS themselves, and this one names no certificate: it would be down";
            let mend = "add `tls: { cert: …, key: … }`";
            mistakes.push(Mistake::error("stanch.yaml", (0, 0), message, mend));
        }
        if readable.is_some_and(|c| c.server.listen != USUAL) {
            let message = "`listen` of a tenant does nothing: there is one listener for all";
            mistakes.push(Mistake::warning(
                "stanch.yaml",
                (0, 0),
                message,
                "use: stanch serve --tenants DIR --listen",
            ));
        }
        mistakes.sort();
        (name, mistakes)
    });
    Ok(each.collect())
}

/// True when a tenant's configuration can be read and names a certificate.
fn names_tls(at: &Path) -> bool {
    config_dir::compiled(&at.join("config")).is_some_and(|c| c.server.tls.is_some())
}

/// One tenant that speaks TLS makes all of them: half in the clear would be a mistake that nobody sees.
async fn speaks_tls(found: &[(String, PathBuf)]) -> Result<bool, StartError> {
    let places: Vec<PathBuf> = found.iter().map(|(_, at)| at.clone()).collect();
    blocking(move || places.iter().any(|at| names_tls(at))).await
}

/// Shuts the door of a tenant whose engine fails; the others do not notice.
fn watch(doors: &Arc<Doors>, name: &str, engine: &Engine) -> tokio::task::JoinHandle<()> {
    let (doors, name, engine) = (doors.clone(), name.to_owned(), engine.clone());
    tokio::spawn(async move {
        let why = engine.failed().await;
        tracing::error!(
            tenant = name,
            error = why,
            "this tenant cannot go on; restart stanch once it is mended"
        );
        if let Some(door) = doors.get(&name) {
            door.set(Door::Down);
        }
    })
}

fn tell(name: &str, why: &StartError) {
    if let StartError::Configuration(mistakes) = why {
        for m in mistakes.iter().filter(|m| !m.warning) {
            let (mistake, mend) = (&m.message, &m.help);
            tracing::error!(tenant = name, file = m.file, line = m.line, mistake, mend, "the configuration");
        }
    }
    tracing::error!(tenant = name, error = %why, "this tenant is not what its folder says");
}

/// The tenants of a folder: host name and place, in order of their names.
///
/// # Errors
/// What is no tenant, and how to mend it.
fn found(folder: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let cannot = |e: std::io::Error| format!("{} cannot be read: {e}", folder.display());
    let mut all = Vec::new();
    let mut places = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let (place, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') || !place.is_dir() {
            continue;
        }
        if subject_name(&name).as_deref() != Some(name.as_str()) || name.contains(':') {
            return Err(format!(
                "{} is not a host name in small letters; name the folder of a tenant as browsers find it",
                place.display()
            ));
        }
        let config = place.join("config");
        if !config.is_dir() {
            return Err(format!("{} is missing; make it with: stanch init {0}", config.display()));
        }
        for part in [config, place.join("data")] {
            // A link could lead two tenants to one place.
            if !places.insert(part.canonicalize().unwrap_or(part.clone())) {
                return Err(format!(
                    "{} belongs to another tenant already; give each its own",
                    part.display()
                ));
            }
        }
        all.push((name, place));
    }
    all.sort();
    if all.is_empty() {
        return Err(format!(
            "{} holds no tenant; make one with: stanch init {0}/tenant.example.com/config",
            folder.display()
        ));
    }
    Ok(all)
}

fn router(doors: Arc<Doors>) -> Router {
    Router::new().fallback(dispatch).with_state(doors)
}

/// Hands a request to the tenant of its host name; to nobody where that is not plain.
async fn dispatch(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let mut answer = handed_on(&doors, request).await;
    console::secured(&mut answer);
    answer
}

async fn handed_on(doors: &Doors, request: Request) -> Response {
    let asked = host(&request);
    if of_another_line(&request, asked.as_deref()) {
        return Problem::misdirected().into_response();
    }
    let Some((name, door)) = asked.and_then(|name| doors.get_key_value(&name)) else {
        // Whether the process lives is for whoever watches it, under any name.
        if request.uri().path() == "/healthz" {
            return axum::Json(serde_json::json!({ "status": "ok" })).into_response();
        }
        return Problem::no_tenant().into_response();
    };
    match door.now().as_ref() {
        Door::Down => Problem::busy("this tenant is down; the log says why").into_response(),
        Door::Open(router) => {
            let span = tracing::info_span!("tenant", name);
            let Ok(answer) = router.clone().oneshot(request).instrument(span).await;
            answer
        }
    }
}

/// True when a request came by a line that was opened for another name, or says no name by a line that has one.
///
/// Browsers use one HTTP/2 connection for all names that its certificate covers, and whoever holds a line can
/// write any name on it: certificate, client certificate and tenant must be those of one name. A browser that
/// is told so asks again by a line of its own.
fn of_another_line(request: &Request, asked: Option<&str>) -> bool {
    let line = request.extensions().get::<Arc<TlsInfo>>().map(|info| info.server_name.as_deref());
    line.is_some_and(|line| line.is_none() || line != asked)
}

/// The one host name that a request says it is for; none when it says two, or says it in another way.
fn host(request: &Request) -> Option<String> {
    let mut all = request.headers().get_all(header::HOST).iter();
    let said = match (all.next(), all.next()) {
        (None, _) => None,
        (Some(one), None) => Some(one.to_str().ok()?),
        (Some(_), Some(_)) => return None,
    };
    let asked = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let whole = match (said, asked) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => return None,
        (a, b) => a.or(b)?,
    };
    let name = match whole.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) => return None,
        None => whole,
    };
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::get(uri);
        for h in hosts {
            request = request.header("host", *h);
        }
        host(&request.body(axum::body::Body::empty()).unwrap())
    }

    #[test]
    fn a_request_is_for_one_host_or_for_nobody() {
        let a = Some("a.example.com".to_owned());
        assert_eq!(of("/x", &["a.example.com"]), a);
        assert_eq!(of("/x", &["A.Example.com:443"]), a);
        assert_eq!(of("https://a.example.com/x", &[]), a, "as HTTP/2 has it");
        assert_eq!(of("https://a.example.com/x", &["b.example.com"]), None);
        assert_eq!(of("/x", &["a.example.com", "b.example.com"]), None);
        assert_eq!(of("/x", &["a.example.com", "a.example.com"]), None);
        assert_eq!(of("/x", &[]), None);
        assert_ne!(of("/x", &["a.example.com."]), a);
        assert_ne!(of("/x", &["u@a.example.com"]), a);
        assert_eq!(of("/x", &["a.example.com:"]), None);
    }

    #[test]
    fn two_tenants_never_share_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(found(dir.path()).unwrap_err().contains("holds no tenant"));
        std::fs::create_dir_all(at("a.example.com/config")).unwrap();
        std::fs::create_dir_all(at("a.example.com/data")).unwrap();
        std::fs::create_dir_all(at(".old")).unwrap();
        assert_eq!(found(dir.path()).unwrap().len(), 1);
        std::fs::create_dir_all(at("b.example.com/config")).unwrap();
        std::os::unix::fs::symlink(at("a.example.com/data"), at("b.example.com/data")).unwrap();
        assert!(found(dir.path()).unwrap_err().contains("belongs to another tenant"));
        std::fs::remove_file(at("b.example.com/data")).unwrap();
        assert_eq!(found(dir.path()).unwrap().len(), 2);
        std::fs::create_dir_all(at("C.example.com/config")).unwrap();
        assert!(found(dir.path()).unwrap_err().contains("not a host name"));
    }
}
