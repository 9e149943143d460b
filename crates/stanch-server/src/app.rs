//! Start, reload, stop. All wiring is in [`App::start`].

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use stanch_connectors::egress;
use stanch_core::config::Mistake;
use stanch_core::contain::Mode;
use stanch_engine::{Engine, EngineError, Now};
use stanch_model::Timestamp;
use stanch_model::port::JournalError;
use stanch_store::SqliteJournal;

use crate::api::manners::{Answers, Limits};
use crate::assist::Assist;
use crate::audit::{Audit, Keeper};
use crate::auth::{Desk, HookRoom};
use crate::chat::Links;
use crate::config_dir;
use crate::connect::Kept;
use crate::desks::Desks;
use crate::identity::{Identity, SetUp};
use crate::intake::{self, Front, Intake};
use crate::live::Live;
use crate::places::Places;
use crate::retention;
use crate::serve::Speaks;
use crate::session::{Place, Sessions};
use crate::sse::Pulse;
use crate::swap::Swap;
use crate::vault::Vault;
use crate::webhooks::{Book, Webhooks};
use crate::{api, chat, seal_key, serve};

/// How long requests under way may take at a stop.
const DRAIN: Duration = Duration::from_secs(30);

/// What a start needs to know.
#[derive(Clone)]
pub struct Options {
    /// The configuration folder.
    pub config_dir: PathBuf,
    /// Where the journal lies.
    pub data_dir: PathBuf,
    /// Where to listen instead of what the configuration says.
    pub listen: Option<SocketAddr>,
    /// The clock; the machine's by default.
    pub clock: Now,
    /// May the world be changed at all?
    pub mode: Mode,
    /// A set-up token that makes the first administrator, once; none by default.
    pub set_up: Option<SetUp>,
    /// Names under which browsers reach the console through a proxy, beside where it listens.
    pub hosts: Vec<String>,
    /// One tenant of several in this process.
    pub(crate) tenant: Option<OneOfSeveral>,
}

impl Options {
    /// The usual: the machine's clock, and changes where the guard agrees.
    #[must_use]
    pub fn new(config_dir: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Options {
        let (config_dir, data_dir) = (config_dir.into(), data_dir.into());
        Options {
            config_dir,
            data_dir,
            listen: None,
            clock: system_clock(),
            mode: Mode::Live,
            hosts: Vec::new(),
            set_up: None,
            tenant: None,
        }
    }

    /// Lets the first administrator be made with a token: 15 minutes, once, on this machine. Returns the
    /// token; it is worth nothing where an administrator has a password already.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn let_set_up(&mut self) -> Result<String, String> {
        let token = crate::identity::random()?;
        self.set_up = Some(SetUp::of(&token, (self.clock)()));
        Ok(token)
    }
}

/// A tenant, and the listener that it shares with the others.
#[derive(Clone)]
pub(crate) struct OneOfSeveral {
    /// Its host name.
    pub(crate) name: String,
    /// Where the listener of all is.
    pub(crate) addr: SocketAddr,
    /// True when that listener speaks TLS.
    pub(crate) tls: bool,
}

impl OneOfSeveral {
    /// Whether its own configuration fits the listener of all.
    fn fits(&self, tls: bool, nobody: bool) -> Result<(), StartError> {
        let why = match (self.tls, tls) {
            (true, false) => {
                "the listener of all tenants speaks TLS, and this one names no certificate; add `tls: { cert: …, key: … }` \
                 to its stanch.yaml"
            }
            (false, true) => "`tls` came into its stanch.yaml while stanch started; start it again",
            (true, true) | (false, false) => return refuse_open_doors(self.addr, tls, nobody),
        };
        Err(StartError::Refused(why.to_owned()))
    }
}

/// Why Stanch did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has mistakes; all of them are here.
    #[error("the configuration has mistakes")]
    Configuration(Vec<Mistake>),
    /// It would be reachable by others without protection.
    #[error("{0}")]
    Refused(String),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The engine cannot run on it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {why}; choose another with `listen` in stanch.yaml or --listen")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// A bug.
    #[error("a bug ended the start: {0}")]
    Bug(String),
}

/// The machine's clock.
pub(crate) fn system_clock() -> Now {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// A listener and what it answers with.
pub(crate) struct Listening {
    handle: Handle<SocketAddr>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Listening {
    /// Answers from now on.
    pub(crate) fn start(listener: TcpListener, front: Front, speaks: Speaks) -> Listening {
        let handle = Handle::new();
        let serving = tokio::spawn(serve::serve(listener, front, speaks, handle.clone()));
        Listening { handle, serving }
    }

    /// Why it ended, which it never does by itself.
    pub(crate) async fn ended(&mut self) -> String {
        let ended = (&mut self.serving).await;
        let why = ended
            .map_or_else(|e| e.to_string(), |r| r.map_or_else(|e| e.to_string(), |()| "it ended".into()));
        format!("the listener is gone: {why}")
    }

    /// Takes nothing new, and finishes what is in hand.
    pub(crate) async fn stop(self) {
        self.handle.graceful_shutdown(Some(DRAIN));
        if let Err(e) = self.serving.await {
            tracing::warn!(error = %e, "the listener ended badly");
        }
    }
}

/// Where it listens, or the listener of all tenants does.
fn listen_on(
    wanted: SocketAddr,
    tenant: Option<&OneOfSeveral>,
) -> Result<(Option<TcpListener>, SocketAddr), StartError> {
    if let Some(one) = tenant {
        return Ok((None, one.addr));
    }
    let cannot = |why| StartError::Listen { addr: wanted, why };
    let listener = TcpListener::bind(wanted).map_err(cannot)?;
    let addr = listener.local_addr().map_err(cannot)?;
    Ok((Some(listener), addr))
}

/// A running Stanch.
pub struct App {
    addr: SocketAddr,
    live: Arc<Live>,
    router: Router,
    /// None for a tenant, whose requests come in through the listener of all.
    listening: Option<Listening>,
    keeper: Keeper,
    telling: tokio::task::JoinHandle<()>,
    answering: tokio::task::JoinHandle<()>,
    keeping: tokio::task::JoinHandle<()>,
}

impl App {
    /// Starts everything: configuration, journal, engine, listener, in this order; what fails first
    /// ends it, and nothing is left running.
    ///
    /// # Errors
    /// Why it did not start, in words that say how to mend it.
    pub async fn start(options: Options) -> Result<App, StartError> {
        let Options { config_dir, data_dir, listen, clock: now, mode, mut hosts, set_up, tenant } = options;
        let (dir, clock) = (config_dir.clone(), now.clone());
        let named = tenant.as_ref().map(|t| t.name.clone());
        let kept = Kept { data: Some(data_dir.clone()), tenant: named, ..Kept::default() };
        let mut loaded = blocking(move || config_dir::load(&dir, &clock, &kept))
            .await?
            .map_err(StartError::Configuration)?;
        let data = data_dir.clone();
        let identity = blocking(move || open_identity(&data, set_up)).await?.map_err(StartError::Refused)?;
        if identity.look(|b| b.has_admin(&loaded.config.people)) {
            identity.forget_set_up();
        }
        loaded.enlist(&identity.book());
        for w in &loaded.warnings {
            tracing::warn!(
                file = w.file,
                line = w.line,
                warning = w.message,
                mend = w.help,
                "the configuration"
            );
        }
        for b in &loaded.connected.blind {
            tracing::warn!(warning = b, "discovery of addresses to protect");
        }
        let wanted = listen.unwrap_or(loaded.config.server.listen);
        let tls = loaded.tls.take().map(|tls| RustlsConfig::from_config(Arc::new(tls)));
        let nobody = loaded.people.nobody() && !identity.look(|b| b.can_come_in());
        match &tenant {
            None => refuse_open_doors(wanted, tls.is_some(), nobody)?,
            Some(one) => {
                one.fits(tls.is_some(), nobody)?;
                hosts.push(one.name.clone());
            }
        }
        let (listener, addr) = listen_on(wanted, tenant.as_ref())?;

        let named = loaded.config.containment.seal_key.clone();
        let (folder, data) = (config_dir.clone(), data_dir.clone());
        let mut rules = loaded.connected.rules(loaded.config.clone(), mode);
        // Before anything is decided, so that a run that goes on knows them too.
        let (wanted, look_up) = (loaded.connected.places.clone(), egress::by_the_system());
        let places = Places::start(wanted, rules.resolved.clone(), look_up, now.clone()).await;
        let ports = loaded.connected.ports(now.clone());
        let (dir, runtime) = (data_dir.clone(), tokio::runtime::Handle::current());
        let (files, time) = (loaded.config.server.audit.clone(), now.clone());
        let (engine, audit) = blocking(move || -> Result<(Engine, Audit), StartError> {
            let journal = SqliteJournal::open(&dir, stanch_store::Options::default())?;
            if journal.is_volatile() {
                tracing::warn!("the journal lies in memory and ends with this machine");
            }
            // After the journal: it makes the data folder.
            rules.seal =
                seal_key::read_or_make(&folder, &data, named.as_deref()).map_err(StartError::Refused)?;
            let audit = Audit::open(&folder, &data, &files, time).map_err(StartError::Refused)?;
            Ok((Engine::start(Box::new(journal), rules, ports, runtime)?, audit))
        })
        .await??;

        let vault = Vault::new(&config_dir, &data_dir, loaded.config.server.master_keys.clone());
        vault.settle().map_err(|why| StartError::Refused(why.words().to_owned()))?;
        let vault = Arc::new(vault);
        let book = Book::open(&data_dir).map_err(StartError::Refused)?;
        let (webhooks, telling) =
            Webhooks::start(book, vault.clone(), engine.clone(), data_dir.clone(), now.clone());
        let assist = Assist::open(&data_dir, now(), loaded.connected.assistant.clone());
        let assist = assist.map_err(StartError::Refused)?;
        let (links, clicks) = Links::new(now.clone());
        let limits = Limits::new(loaded.config.server.requests_per_second);
        let hooks = HookRoom::new(loaded.config.server.intake_queue);
        let (dir, time) = (data_dir.clone(), now());
        let answers = blocking(move || Arc::new(Answers::open(&dir, time))).await?;
        let audit = Arc::new(audit);
        let keeper = Keeper::start(audit.clone());
        let pulse = Pulse::start(engine.clone(), data_dir.clone());
        let place = Place::new(addr, tls.is_some(), hosts);
        let clients = Arc::new(Swap::new(loaded.clients));
        let intake = Arc::new(Intake::new(engine.clone(), loaded.doors, clients.clone(), now.clone()));
        let live = Arc::new(Live {
            engine,
            intake: intake.clone(),
            people: Swap::new(loaded.people),
            written: Swap::new(loaded.written),
            identity,
            provider: Swap::new(loaded.provider),
            sessions: Sessions::new(place),
            proofs: crate::auth::Proofs::default(),
            desks: Desks::default(),
            places,
            pulse,
            audit,
            vault,
            webhooks,
            links,
            assist,
            limits,
            hooks,
            answers,
            data_dir,
            now,
            clients,
            // A proxy before several tenants is on this machine too.
            open_metrics: addr.ip().is_loopback() && tenant.is_none(),
            tenant: tenant.map(|t| t.name),
            config_dir,
            mode,
            tls: tls.clone(),
            responders: Mutex::new(loaded.connected.responders.clone()),
            reloading: tokio::sync::Mutex::new(()),
        });
        live.links.swap(loaded.connected.chats.clone());
        let answering = tokio::spawn(chat::links::answer(Desk::live(live.clone()), clicks));
        let keeping = tokio::spawn(retention::keep(live.clone()));
        let router = api::router(Desk::live(live.clone()), Some(intake::router(intake.clone())));
        let front = Front::new(intake, router.clone());
        let speaks = tls.map_or(Speaks::Plain, Speaks::Tls);
        let listening = listener.map(|listener| Listening::start(listener, front, speaks));
        tracing::info!(%addr, "stanch answers");
        Ok(App { addr, live, router, listening, keeper, telling, answering, keeping })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// True while the set-up token can be used.
    #[must_use]
    pub fn can_be_set_up(&self) -> bool {
        self.live.identity.can_be_set_up((self.live.now)())
    }

    /// The engine, for those who run it in their own process: a demo, a benchmark, a test.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.live.engine
    }

    /// What it shows on a line, where it speaks TLS; a reload swaps what is in it.
    pub(crate) fn tls(&self) -> Option<RustlsConfig> {
        self.live.tls.clone()
    }

    /// The whole API, for calls within the process.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Reads the configuration again and puts it in force whole, or keeps what is in force. Returns
    /// what somebody should look at.
    ///
    /// # Errors
    /// All mistakes, when nothing was changed.
    pub async fn reload(&self, by: &str) -> Result<Vec<Mistake>, Vec<Mistake>> {
        self.live.reload(by).await.map(|r| r.warnings)
    }

    /// Runs until it is told to stop (SIGTERM, SIGINT), reloading at SIGHUP.
    ///
    /// # Errors
    /// Why it could not go on: the process must then end with an error.
    pub async fn run(mut self) -> Result<(), String> {
        use tokio::signal::unix::{SignalKind, signal};
        let catch = |kind| signal(kind).map_err(|e| format!("signals cannot be caught: {e}"));
        let mut end = catch(SignalKind::terminate())?;
        let mut interrupt = catch(SignalKind::interrupt())?;
        let mut hang_up = catch(SignalKind::hangup())?;
        let live = self.live.clone();
        let Some(mut listening) = self.listening.take() else { return Err("it has no listener".to_owned()) };
        loop {
            tokio::select! {
                _ = end.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    if let Err(mistakes) = live.reload("SIGHUP").await {
                        for m in mistakes.iter().filter(|m| !m.warning) {
                            tracing::error!(file = m.file, line = m.line, mistake = m.message, mend = m.help, "the configuration");
                        }
                    }
                }
                why = live.engine.failed() => return Err(why),
                why = listening.ended() => return Err(why),
            }
        }
        tracing::info!("stanch stops");
        self.listening = Some(listening);
        self.stop().await;
        Ok(())
    }

    /// Takes nothing new, finishes what is in hand, and stops. Another call would find nothing.
    pub async fn stop(self) {
        self.live.pulse.close();
        self.telling.abort();
        self.live.links.close();
        self.answering.abort();
        self.keeping.abort();
        if let Some(listening) = self.listening {
            listening.stop().await;
        }
        self.live.engine.stop().await;
        self.keeper.finish().await;
    }
}

/// Accounts and tokens; the folder is made first, for its owner alone.
fn open_identity(data: &Path, set_up: Option<SetUp>) -> Result<Identity, String> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|e| format!("{} cannot be made: {e}", data.display()))?;
    Identity::open(data, set_up)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| StartError::Bug(e.to_string()))
}

/// Others must not reach what is not protected.
fn refuse_open_doors(addr: SocketAddr, tls: bool, nobody: bool) -> Result<(), StartError> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    if !tls {
        return Err(StartError::Refused(format!(
            "{addr} can be reached from other machines, and there is no TLS; add `tls: {{ cert: …, key: … }}` to \
             stanch.yaml, or listen on 127.0.0.1 behind a proxy that speaks TLS"
        )));
    }
    if nobody {
        return Err(StartError::Refused(format!(
            "{addr} can be reached from other machines, and nobody could sign in; give at least one person in \
             policies/people.yaml a token that can be read"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_reach_stanch_only_with_tls_and_somebody_who_can_sign_in() {
        let open: SocketAddr = "0.0.0.0:7878".parse().unwrap();
        let own: SocketAddr = "127.0.0.1:7878".parse().unwrap();
        assert!(refuse_open_doors(own, false, true).is_ok());
        assert!(refuse_open_doors(open, false, false).is_err());
        assert!(refuse_open_doors(open, true, true).is_err());
        assert!(refuse_open_doors(open, true, false).is_ok());
    }
}
