//! A running Stanch: the engine and what a reload swaps.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum_server::tls_rustls::RustlsConfig;
use stanch_core::config::Mistake;
use stanch_core::contain::Mode;
use stanch_engine::{Engine, Loader, Now};
use stanch_model::port::Responder;

use crate::api::manners::{Answers, Limits};
use crate::assist::Assist;
use crate::audit::Audit;
use crate::auth::{HookRoom, Proofs};
use crate::certificate::Authorities;
use crate::chat::Links;
use crate::config_dir::{self, Loaded, Written};
use crate::connect::Kept;
use crate::desks::Desks;
use crate::identity::Identity;
use crate::intake::Intake;
use crate::oidc::Provider;
use crate::people::People;
use crate::places::Places;
use crate::session::Sessions;
use crate::sse::Pulse;
use crate::swap::Swap;
use crate::vault::Vault;
use crate::webhooks::Webhooks;

/// A running Stanch.
pub(crate) struct Live {
    pub(crate) engine: Engine,
    pub(crate) intake: Arc<Intake>,
    pub(crate) people: Swap<People>,
    /// People and teams as the folder says, without accounts.
    pub(crate) written: Swap<Written>,
    pub(crate) identity: Identity,
    pub(crate) provider: Swap<Option<Arc<Provider>>>,
    pub(crate) sessions: Sessions,
    /// What people have proved just now, each for one question.
    pub(crate) proofs: Proofs,
    /// From where those who act are connected.
    pub(crate) desks: Desks,
    /// Where the names lead that we depend on.
    pub(crate) places: Arc<Places>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) webhooks: Arc<Webhooks>,
    /// Connections to chats.
    pub(crate) links: Links,
    pub(crate) assist: Assist,
    pub(crate) limits: Limits,
    /// Room for calls that begin runs.
    pub(crate) hooks: HookRoom,
    pub(crate) answers: Arc<Answers>,
    pub(crate) data_dir: PathBuf,
    pub(crate) now: Now,
    /// Which tenant this is, where there are several.
    pub(crate) tenant: Option<String>,
    /// Whose client certificates count.
    pub(crate) clients: Arc<Swap<Authorities>>,
    /// True when `/metrics` needs no token: the listener is loopback.
    pub(crate) open_metrics: bool,
    pub(crate) config_dir: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) tls: Option<RustlsConfig>,
    pub(crate) responders: Mutex<Vec<Arc<dyn Responder>>>,
    /// One reload at a time.
    pub(crate) reloading: tokio::sync::Mutex<()>,
}

/// What a reload put in force.
pub(crate) struct Reloaded {
    pub(crate) hash: String,
    pub(crate) changed: bool,
    pub(crate) warnings: Vec<Mistake>,
}

impl Live {
    /// Reads the folder again and puts it in force whole, or keeps what is in force.
    ///
    /// # Errors
    /// All mistakes, when nothing was changed.
    pub(crate) async fn reload(&self, by: &str) -> Result<Reloaded, Vec<Mistake>> {
        let one = self.reloading.lock().await;
        self.reload_alone(by.into(), &one).await
    }

    /// The same for whoever holds the lock already, because they have just written into the folder.
    ///
    /// # Errors
    /// All mistakes, when nothing was changed.
    pub(crate) async fn reload_alone(
        &self,
        loader: Loader,
        _one: &tokio::sync::MutexGuard<'_, ()>,
    ) -> Result<Reloaded, Vec<Mistake>> {
        let by = loader.by.clone();
        let devices = self.responders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = Kept { devices, data: Some(self.data_dir.clone()), tenant: self.tenant.clone() };
        let (dir, now) = (self.config_dir.clone(), self.now.clone());
        let loaded = tokio::task::spawn_blocking(move || config_dir::load(&dir, &now, &kept)).await;
        let loaded = loaded.unwrap_or_else(|_| Err(vec![bug()])).and_then(|l| self.acceptable(l));
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(mistakes) => {
                let errors = mistakes.iter().filter(|m| !m.warning).count();
                tracing::warn!(
                    by,
                    errors,
                    "the new configuration was refused; the one before stays in force"
                );
                return Err(mistakes);
            }
        };
        let before = self.engine.rules().config.clone();
        if loaded.config.server.listen != before.server.listen
            || loaded.config.server.intake_queue != before.server.intake_queue
        {
            let message = "`listen` and `intake_queue` change at the next start only";
            loaded.warnings.push(Mistake::warning("stanch.yaml", (0, 0), message, "restart stanch"));
        }
        match (&self.tls, loaded.tls.take()) {
            (Some(running), Some(tls)) => running.reload_from_config(Arc::new(tls)),
            (None, Some(_)) => {
                let message = "`tls` is new, and a listener begins to speak it at the next start only";
                loaded.warnings.push(Mistake::warning("stanch.yaml", (0, 0), message, "restart stanch"));
            }
            (_, None) => {}
        }
        loaded.enlist(&self.identity.book());
        let hash = loaded.config.hash.clone();
        let mut rules = loaded.connected.rules(loaded.config.clone(), self.mode);
        // One key for the life of the process: what it sealed must hold until the end.
        rules.seal = self.engine.rules().seal.clone();
        rules.connected = self.engine.rules().connected.clone();
        rules.resolved = self.engine.rules().resolved.clone();
        self.places.follow(loaded.connected.places.clone());
        let ports = loaded.connected.ports(self.now.clone());
        *self.responders.lock().unwrap_or_else(PoisonError::into_inner) = loaded.connected.responders.clone();
        self.vault.follow(loaded.config.server.master_keys.clone());
        self.engine.reload(rules, ports, loader).await;
        self.people.set(loaded.people);
        self.written.set(loaded.written);
        self.provider.set(loaded.provider);
        self.clients.set(loaded.clients);
        self.intake.swap(loaded.doors);
        self.links.swap(loaded.connected.chats.clone());
        self.assist.swap(loaded.connected.assistant.clone());
        tracing::info!(by, hash, "a new configuration is in force");
        Ok(Reloaded { changed: hash != before.hash, hash, warnings: loaded.warnings })
    }

    /// Puts accounts in force as they are now, for sign-in and for the guard: who left cannot approve, who
    /// came can.
    pub(crate) async fn regrant(&self, by: &str) {
        let _one = self.reloading.lock().await;
        let mut rules = (*self.engine.rules()).clone();
        let mut config = (*rules.config).clone();
        config.people = self.written.now().everybody(&self.identity.book());
        let people = self.people.now().regranted(&config);
        rules.config = Arc::new(config);
        self.engine.rule(rules, by).await;
        self.people.set(people);
    }

    /// A running listener that others can reach must not lose its certificate or its last person.
    fn acceptable(&self, loaded: Loaded) -> Result<Loaded, Vec<Mistake>> {
        let why = if self.tls.is_some() && loaded.tls.is_none() {
            "stanch listens with TLS, and `tls` is gone"
        } else if !self.open_metrics && loaded.people.nobody() && !self.identity.look(|b| b.can_come_in()) {
            "stanch can be reached by others, and nobody could sign in any more"
        } else {
            return Ok(loaded);
        };
        let mut mistakes = loaded.warnings;
        mistakes.push(Mistake::error(
            "stanch.yaml",
            (0, 0),
            why,
            "put it back, or restart with another `listen`",
        ));
        Err(mistakes)
    }
}

fn bug() -> Mistake {
    Mistake::error("", (0, 0), "a bug ended the reading of the configuration", "see the log, and report it")
}
