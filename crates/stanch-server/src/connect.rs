//! From connectors as configured to connectors that work: what is named is read, checked and built.

mod chat;
mod device;
mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use stanch_connectors::assistant::Assistant;
use stanch_connectors::discover::discover;
use stanch_connectors::enricher::{
    self, Assets, HttpLookup, HttpLookupConfig, Intel, Schedule, Warninglists, intel,
};
use stanch_connectors::notifier::{
    Log, Rt, RtConfig, Smtp, SmtpConfig, Teams, TeamsConfig, Tls, Webhook, WebhookConfig,
};
use stanch_core::Config;
use stanch_core::config::{EnricherConfig, Mistake, NotifierConfig, Protected, ResponderConfig, SecretRef};
use stanch_core::contain::Mode;
use stanch_core::contain::weigh::{Place, places};
use stanch_engine::{Answer, Now, Ports, Rules};
use stanch_model::ObservableKind;
use stanch_model::port::{Caller, Enricher, Notifier, Reference, Responder};

use crate::chat::links::Chat;
use crate::config_dir::bytes;
use crate::secrets;
use crate::vault::{Refused, Vault};

const FILE: &str = "connectors/";
/// The largest inventory that is read, in bytes.
const INVENTORY_LIMIT: u64 = 64 << 20;

/// Connectors that work.
pub(crate) struct Connected {
    pub(crate) references: Vec<Arc<dyn Reference>>,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) enrichers: Vec<String>,
    pub(crate) responders: Vec<Arc<dyn Responder>>,
    /// The responders with declared calls, for look-ups of playbooks.
    pub(crate) callers: Vec<Arc<dyn Caller>>,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    /// The notifiers through which people answer, and their connections.
    pub(crate) chats: Vec<Chat>,
    pub(crate) discovered: Vec<Protected>,
    /// A language model that may be asked; none unless configured.
    pub(crate) assistant: Option<Arc<Assistant>>,
    /// Names that we depend on; where they lead is looked up.
    pub(crate) places: Vec<Place>,
    /// What discovery could not find out, for the log.
    pub(crate) blind: Vec<String>,
}

/// What outlives a reload because it holds what is in force: pretended devices.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) devices: Vec<Arc<dyn Responder>>,
    /// Where stored secrets lie; none where a folder is only looked at.
    pub(crate) data: Option<PathBuf>,
    /// The tenant whose folder it is, where there are several.
    pub(crate) tenant: Option<String>,
}

/// Where secrets are found.
pub(super) struct Safe<'a> {
    pub(super) folder: &'a Path,
    vault: Option<Vault>,
}

impl Connected {
    /// What decisions are made by.
    pub(crate) fn rules(&self, config: Arc<Config>, mode: Mode) -> Rules {
        let mut rules = Rules::new(config);
        rules.references.clone_from(&self.references);
        rules.enrichers.clone_from(&self.enrichers);
        rules.discovered.clone_from(&self.discovered);
        rules.responders = self.responders.iter().map(|r| (r.name().to_owned(), r.simulated())).collect();
        rules.mode = mode;
        rules
    }

    /// What the engine calls in the world.
    pub(crate) fn ports(&self, now: Now) -> Ports {
        let schedule = self.schedule.clone();
        Ports {
            look_up: Arc::new(move |site, about| {
                let schedule = schedule.clone();
                async move {
                    let answers = schedule.look_up_all(&site, &about).await;
                    answers.into_iter().map(answer).collect()
                }
                .boxed()
            }),
            responders: self.responders.clone(),
            notifiers: self.notifiers.clone(),
            callers: self.callers.clone(),
            now,
        }
    }
}

fn answer(a: enricher::Answer) -> Answer {
    Answer { provider: a.provider, about: a.about, outcome: a.outcome, took: a.took }
}

/// Builds everything that is configured, and all mistakes.
pub(crate) fn connect(folder: &Path, config: &Config, now: &Now, kept: &Kept) -> (Connected, Vec<Mistake>) {
    let mut m = Vec::new();
    let vault = kept.data.as_ref().map(|d| Vault::new(folder, d, config.server.master_keys.clone()));
    let safe = &Safe { folder, vault };
    let mut references: Vec<Arc<dyn Reference>> = Vec::new();
    let mut asked: Vec<Arc<dyn Enricher>> = Vec::new();
    let mut lists = false;
    for enricher in &config.connectors.enrichers {
        lists |= matches!(enricher, EnricherConfig::Warninglists { .. });
        look_up(safe, enricher, &mut references, &mut asked, &mut m);
    }
    if !lists {
        references.push(Arc::new(Warninglists::embedded()));
    }
    let mut responders: Vec<Arc<dyn Responder>> = Vec::new();
    let mut callers = Vec::new();
    let mut namespaces: Vec<Option<String>> = vec![None];
    for responder in &config.connectors.responders {
        if let ResponderConfig::Nftables { netns: Some(netns), .. } = responder {
            namespaces.push(Some(netns.clone()));
        }
        if let Some((responder, caller)) = device::device(safe, responder, now, kept, &mut m) {
            responders.push(responder);
            callers.extend(caller);
        }
    }
    let mut chats = Vec::new();
    let notifiers = config.connectors.notifiers.iter();
    let notifiers = notifiers.filter_map(|n| notifier(safe, config, n, &mut chats, &mut m)).collect();
    let own = protect(&namespaces, &responders);
    let enrichers = asked.iter().map(|e| e.name().to_owned()).collect();
    let schedule = Arc::new(Schedule::new(asked, config.server.enrich_deadline));
    let assistant = model::model(safe, config, &mut m);
    let connected = Connected {
        references,
        schedule,
        enrichers,
        responders,
        callers,
        notifiers,
        chats,
        discovered: own.addresses,
        assistant,
        places: places(config).into_iter().chain(own.names).collect(),
        blind: own.blind,
    };
    (connected, m)
}

/// What is ours by what the machine says.
struct Own {
    addresses: Vec<Protected>,
    names: Vec<Place>,
    blind: Vec<String>,
}

/// Addresses and names never to be touched, found by ourselves, with the management addresses of devices.
fn protect(namespaces: &[Option<String>], responders: &[Arc<dyn Responder>]) -> Own {
    let (mut found, mut names, mut blind) = (BTreeMap::new(), Vec::new(), Vec::new());
    for netns in namespaces {
        let more = discover(netns.as_deref());
        blind.extend(more.warnings);
        let place = |host| Place { host, why: "time server".to_owned() };
        names.extend(more.time_servers.into_iter().map(place));
        for d in more.addresses {
            found.entry(d.net).or_insert(d.why);
        }
    }
    for r in responders {
        for address in r.management_addresses() {
            found.entry(address.into()).or_insert_with(|| format!("management address of {}", r.name()));
        }
    }
    blind.sort();
    blind.dedup();
    let addresses = found.into_iter().map(|(net, why)| Protected::net(net, why)).collect();
    Own { addresses, names, blind }
}

/// Mistakes in a file that a connector reads, under the name it has in the configuration.
fn foreign(named: &str, folder: &Path, found: Vec<enricher::Mistake>, warning: bool) -> Vec<Mistake> {
    let whole = format!("{}/", folder.display());
    let one = |e: enricher::Mistake| {
        let file = if e.file.is_empty() { named.to_owned() } else { e.file.replace(&whole, "") };
        Mistake { file, line: e.line, column: e.column, message: e.message, help: e.help, warning }
    };
    found.into_iter().map(one).collect()
}

fn file(folder: &Path, named: &str, limit: u64, m: &mut Vec<Mistake>) -> Option<Vec<u8>> {
    let read = bytes(&folder.join(named), limit);
    read.map_err(|why| m.push(Mistake::error(named, (0, 0), why, "name a file that stanch can read"))).ok()
}

fn look_up(
    safe: &Safe<'_>,
    config: &EnricherConfig,
    references: &mut Vec<Arc<dyn Reference>>,
    asked: &mut Vec<Arc<dyn Enricher>>,
    m: &mut Vec<Mistake>,
) {
    let folder = safe.folder;
    match config {
        EnricherConfig::Assets { path } => {
            let Some(bytes) = file(folder, path, INVENTORY_LIMIT, m) else { return };
            let (assets, found) = Assets::load(path, &String::from_utf8_lossy(&bytes));
            // The inventory says what is ours and must not be cut off: half of it is worse than none.
            m.extend(foreign(path, folder, found, false));
            references.push(Arc::new(assets));
        }
        EnricherConfig::Intel { name, path } => {
            let Some(bytes) = file(folder, path, intel::MAX_FILE_BYTES as u64, m) else { return };
            let (feed, found) = Intel::load_file(name, path, &bytes);
            m.extend(foreign(path, folder, found, true));
            references.push(Arc::new(feed));
        }
        EnricherConfig::Warninglists { path } => {
            let at: PathBuf = folder.join(path);
            if !at.is_dir() {
                m.push(Mistake::error(path, (0, 0), "is not a folder", "name a folder of MISP warninglists"));
                return;
            }
            let (lists, found) = Warninglists::load_dir(&at);
            m.extend(foreign(path, folder, found, true));
            references.push(Arc::new(lists));
        }
        EnricherConfig::Http { name, url, kinds, token, deadline, allow_private } => {
            let mut config = HttpLookupConfig::new(name.clone(), url.clone());
            config.deadline = *deadline;
            config.kinds = kinds_of(kinds);
            config.allow_private.clone_from(allow_private);
            let to = to(url);
            match token.as_ref().map(|at| secret(safe, at, name, &to, m)) {
                // Asking without the token would only tell the service whom we look for.
                Some(None) => return,
                other => config.token = other.flatten(),
            }
            match HttpLookup::new(config) {
                Ok(look_up) => asked.push(Arc::new(look_up)),
                Err(found) => m.extend(found.into_iter().map(|e| said(name, e.message, e.help))),
            }
        }
    }
}

fn said(name: &str, message: String, help: impl Into<String>) -> Mistake {
    let message = if message.starts_with(name) { message } else { format!("{name}: {message}") };
    Mistake::error(FILE, (0, 0), message, help)
}

/// The one place that a URL leads to.
fn to(url: &str) -> Vec<String> {
    stanch_connectors::egress::place(url).into_iter().collect()
}

/// A secret for one connector, which will send it `to` these places.
fn secret(
    Safe { folder, vault }: &Safe<'_>,
    at: &SecretRef,
    name: &str,
    to: &[String],
    m: &mut Vec<Mistake>,
) -> Option<stanch_connectors::notifier::Secret> {
    if let SecretRef::Stored(stored) = at {
        let Some(vault) = vault else {
            let why = format!("{name}: whether the stored secret {stored} fits is seen when stanch runs");
            m.push(Mistake::warning(FILE, (0, 0), why, "run it, or ask: stanch secret list"));
            return None;
        };
        return match vault.open(stored, name, to) {
            Ok(secret) => Some(secret),
            Err(why @ Refused::Bound(_)) => {
                m.push(said(
                    name,
                    why.words().to_owned(),
                    "a secret is bound to where it is sent; see stanch secret list",
                ));
                None
            }
            // Not there yet: it can only be handed over to a server that runs.
            Err(why) => {
                let text = format!("{name} does not work: {}", why.words());
                m.push(Mistake::warning(
                    FILE,
                    (0, 0),
                    text,
                    format!("stanch secret set {stored} --connector {name} --host …"),
                ));
                None
            }
        };
    }
    secrets::read(folder, at).map_err(|why| m.push(said(name, why, "put the secret there"))).ok()
}

/// Kinds by their words; none means all.
fn kinds_of(words: &[String]) -> Vec<ObservableKind> {
    use ObservableKind::{Email, File, Hash, Hostname, Ip, Mac, Process, Url, User};
    let all = [Ip, Hostname, User, Email, Url, Hash, Mac, File, Process];
    all.into_iter().filter(|k| words.is_empty() || words.iter().any(|w| w == k.word())).collect()
}

/// A notifier that is ready, or all that is wrong with it.
fn ready<N: Notifier + 'static>(
    made: Result<N, Vec<String>>,
    name: &str,
    m: &mut Vec<Mistake>,
) -> Option<Arc<dyn Notifier>> {
    match made {
        Ok(n) => Some(Arc::new(n)),
        Err(wrong) => {
            m.extend(wrong.into_iter().map(|why| said(name, why, "")));
            None
        }
    }
}

fn notifier(
    safe: &Safe<'_>,
    config: &Config,
    n: &NotifierConfig,
    chats: &mut Vec<Chat>,
    m: &mut Vec<Mistake>,
) -> Option<Arc<dyn Notifier>> {
    let (name, host, port, tls, from, username, password, console) = match n {
        NotifierConfig::Log { name } => return Some(Arc::new(Log::new(name.clone()))),
        NotifierConfig::Webhook { name, url, secret: at, allow_private } => {
            let secret = secret(safe, at, name, &to(url), m)?;
            let allow_private = allow_private.clone();
            let config = WebhookConfig { name: name.clone(), url: url.clone(), secret, allow_private };
            return ready(Webhook::new(&config), name, m);
        }
        NotifierConfig::Slack { .. } => {
            let chat = chat::chat(safe, n, m)?;
            let slack = chat.slack.clone();
            chats.push(chat);
            return Some(slack);
        }
        NotifierConfig::Teams { name, url, sig, console, allow_private } => {
            let sig = secret(safe, sig, name, &to(url), m)?;
            let (url, console, allow_private) = (url.clone(), console.clone(), allow_private.clone());
            let config = TeamsConfig { name: name.clone(), url, sig, console, allow_private };
            return ready(Teams::new(&config), name, m);
        }
        NotifierConfig::Rt { name, url, token, queue, allow_private } => {
            let token = secret(safe, token, name, &to(url), m)?;
            let (url, queue, allow_private) = (url.clone(), queue.clone(), allow_private.clone());
            let config = RtConfig { name: name.clone(), url, token, queue, allow_private };
            return ready(Rt::new(&config), name, m);
        }
        NotifierConfig::Smtp { name, host, port, tls, from, username, password, console } => {
            (name, host, port, tls, from, username, password, console.clone())
        }
    };
    let to: Vec<String> =
        config.teams.values().filter(|t| t.notifier == *name).flat_map(|t| t.to.iter().cloned()).collect();
    if to.is_empty() {
        let message = format!("{name}: no team is told by it");
        m.push(Mistake::warning(
            FILE,
            (0, 0),
            message,
            "name it as a team's notifier in policies/people.yaml",
        ));
        return None;
    }
    let password = password.as_ref().map(|at| secret(safe, at, name, &[format!("{host}:{port}")], m));
    let login = match (username, password) {
        (Some(user), Some(password)) => Some((user.clone(), password?)),
        _ => None,
    };
    let tls = match tls.as_str() {
        "none" => Tls::None,
        "tls" => Tls::Tls,
        _ => Tls::StartTls,
    };
    let timeout = std::time::Duration::from_secs(30);
    let (name, host, from, port) = (name.clone(), host.clone(), from.clone(), *port);
    match Smtp::new(SmtpConfig {
        name: name.clone(),
        host,
        port,
        tls,
        allow_plain: false,
        from,
        to,
        login,
        console,
        timeout,
    }) {
        Ok(smtp) => Some(Arc::new(smtp)),
        Err(wrong) => {
            m.extend(wrong.into_iter().map(|why| said(&name, why, "")));
            None
        }
    }
}
