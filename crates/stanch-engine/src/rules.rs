//! What decisions are made by: swapped whole at a reload, or not at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use stanch_core::Config;
use stanch_core::config::Protected;
use stanch_core::contain::{Mode, Seal};
use stanch_core::journal::State;
use stanch_core::playbook::run::World;
use stanch_core::stage::triage::{Baselines, Model};
use stanch_model::port::Reference;
use stanch_model::{Fact, Observable, ObservableKind, Timestamp};

use crate::patterns::Patterns;

/// What decisions are made by.
#[derive(Clone)]
pub struct Rules {
    /// The configuration folder, compiled.
    pub config: Arc<Config>,
    /// Look-ups that answer at once: inventory, intelligence, warninglists.
    pub references: Vec<Arc<dyn Reference>>,
    /// Names of the enrichers that are asked through the outbox; none means nothing is waited for.
    pub enrichers: Vec<String>,
    /// Addresses never to be blocked, found by ourselves.
    pub discovered: Vec<Protected>,
    /// Addresses from which those who act are connected.
    pub connected: Lately,
    /// Where the names lead that we depend on.
    pub resolved: Lately,
    /// Responders by name: true when nothing real is changed.
    pub responders: BTreeMap<String, bool>,
    /// Our seal on what people and the guard agreed to; without a key nothing is ever changed.
    pub seal: Seal,
    /// May the world be changed at all?
    pub mode: Mode,
    /// Judges alerts.
    pub model: Arc<dyn Model>,
    /// What people wrote in `correlations/`, and what it has seen.
    pub(crate) patterns: Patterns,
}

/// Addresses as the shell last saw them; clones share the list. No new change may cut them off. What is in
/// force already stays: to sign in from a blocked address must not lift its block, nor must whoever answers
/// for a name.
#[derive(Clone, Default)]
pub struct Lately(Arc<RwLock<Arc<[Protected]>>>);

impl Lately {
    /// The list as it is now.
    #[must_use]
    pub fn now(&self) -> Arc<[Protected]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another list in its place.
    pub fn set(&self, list: Vec<Protected>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = list.into();
    }
}

impl Rules {
    /// Rules with nothing connected: no look-ups, no devices.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Rules {
        Rules {
            patterns: Patterns::new(&config),
            config,
            references: Vec::new(),
            enrichers: Vec::new(),
            discovered: Vec::new(),
            connected: Lately::default(),
            resolved: Lately::default(),
            responders: BTreeMap::new(),
            seal: Seal::none(),
            mode: Mode::Live,
            model: Arc::new(Baselines),
        }
    }

    /// All that is known at once about an address.
    #[must_use]
    pub fn about_address(&self, site: &str, address: IpAddr) -> Vec<Fact> {
        self.about(site, &Observable::new(ObservableKind::Ip, address.to_string()))
    }

    /// The world as playbooks and the guard see it.
    pub(crate) fn world<T>(&self, state: &State, now: Timestamp, look: impl FnOnce(World<'_>) -> T) -> T {
        let look_up = |site: &str, address: IpAddr| -> Vec<Fact> { self.about_address(site, address) };
        let (connected, resolved) = (self.connected.now(), self.resolved.now());
        look(World {
            state,
            config: &self.config,
            discovered: &self.discovered,
            connected: &connected,
            resolved: &resolved,
            look_up: &look_up,
            about: &|site, about| self.about(site, about),
            seal: &self.seal,
            simulated: &|responder| self.responders.get(responder).copied().unwrap_or(false),
            mode: self.mode,
            kill_switch: state.kill_switch,
            now,
        })
    }

    /// All that is known at once about an observable.
    #[must_use]
    pub fn about(&self, site: &str, about: &Observable) -> Vec<Fact> {
        self.references.iter().flat_map(|r| r.look_up(site, about)).collect()
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rules({})", self.config.hash)
    }
}
