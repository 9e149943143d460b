//! Tells people by mail, over SMTP.
//!
//! One connection for each notice, spoken step by step, so that every failure says at which step it
//! happened and whether the mail may be on its way. The Message-ID is made from the notice's key: a
//! repeat carries the same one, and mail programs show it once. It never sends a password in plain
//! text over a network.

mod message;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::{Address, Message};
use stanch_model::port::Notifier;
use stanch_model::{Failure, Notice};

use super::Secret;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Not at all. Only to this machine itself, unless [`SmtpConfig::allow_plain`] is set.
    None,
    /// Starts in plain text and must switch to TLS before anything is said. Usual port: 587.
    #[default]
    StartTls,
    /// TLS from the first byte. Usual port: 465.
    Tls,
}

/// Settings of one mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpConfig {
    /// The name used in configuration.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port; 587, 465 or 25.
    pub port: u16,
    /// How the connection is protected. Default [`Tls::StartTls`].
    pub tls: Tls,
    /// Allows [`Tls::None`] to other machines. Default false.
    pub allow_plain: bool,
    /// The sender, `stanch@example.org` or `Stanch <stanch@example.org>`.
    pub from: String,
    /// Who is told when a notice names no mail address.
    pub to: Vec<String>,
    /// User name and password, where the server wants them.
    pub login: Option<(String, Secret)>,
    /// Where people reach the console; mails lead there. None: they carry no link.
    pub console: Option<String>,
    /// How long one delivery may take as a whole. Default 30 s.
    pub timeout: Duration,
}

impl SmtpConfig {
    /// A server on this machine, in plain text.
    #[must_use]
    pub fn local(name: impl Into<String>, at: std::net::SocketAddr, from: &str, to: &[&str]) -> SmtpConfig {
        SmtpConfig {
            name: name.into(),
            host: at.ip().to_string(),
            port: at.port(),
            tls: Tls::None,
            allow_plain: false,
            from: from.to_owned(),
            to: to.iter().map(|t| (*t).to_owned()).collect(),
            login: None,
            console: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// All mistakes in these settings; opens nothing.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.host.is_empty() || self.host.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/')
        {
            mistakes.push(format!("host: {:?} is not a host name or address", self.host));
        }
        if self.port == 0 {
            mistakes.push("port: 0 is no port; usual are 587 (starttls), 465 (tls) and 25".to_owned());
        }
        if let Some(Err(why)) = self.console.as_deref().map(super::post::endpoint) {
            mistakes.push(format!("console: {why}"));
        }
        if let Err(why) = message::mailbox(&self.from) {
            mistakes.push(format!("from: {why}"));
        }
        if self.to.is_empty() {
            mistakes.push("to: at least one address is needed".to_owned());
        }
        mistakes.extend(
            self.to.iter().filter_map(|to| message::mailbox(to).err()).map(|why| format!("to: {why}")),
        );
        if self.tls == Tls::None && !self.is_loopback() {
            if !self.allow_plain {
                mistakes.push(
                    "tls: mail to another machine needs starttls or tls (or allow_plain: true)".to_owned(),
                );
            }
            if self.login.is_some() {
                mistakes.push(
                    "password: is never sent in plain text to another machine; use starttls or tls"
                        .to_owned(),
                );
            }
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(300) {
            mistakes.push("timeout: must be more than 0 and at most 5m".to_owned());
        }
        mistakes
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// A mail server that delivers our notices.
#[derive(Clone, Debug)]
pub struct Smtp {
    config: SmtpConfig,
}

impl Smtp {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// All mistakes in the settings; see [`SmtpConfig::check`].
    pub fn new(config: SmtpConfig) -> Result<Smtp, Vec<String>> {
        let mistakes = config.check();
        if mistakes.is_empty() { Ok(Smtp { config }) } else { Err(mistakes) }
    }

    async fn deliver(&self, mail: &Message, handed_over: &AtomicBool) -> Result<String, Failure> {
        let mut connection = self.connect().await?;
        let envelope = mail.envelope();
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        connection.command(from).await.map_err(|e| failure("MAIL", &e))?;
        let refused = offer(&mut connection, envelope.to()).await?;
        connection.command(Data).await.map_err(|e| failure("DATA", &e))?;

        handed_over.store(true, Ordering::SeqCst);
        let answer = connection.message(&mail.formatted()).await.map_err(|e| failure_at_end(&e))?;
        handed_over.store(false, Ordering::SeqCst);
        // The mail is delivered; how the farewell goes changes nothing.
        let _ = connection.quit().await;
        receipt(&answer, &refused)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let config = &self.config;
        let hello = ClientId::default();
        let tls = || TlsParameters::new(config.host.clone()).map_err(|e| Failure::permanent(chain(&e)));
        let at_once = if config.tls == Tls::Tls { Some(tls()?) } else { None };
        let server = (config.host.as_str(), config.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(config.timeout), &hello, at_once, None)
                .await
                .map_err(|e| failure("connecting", &e))?;
        if config.tls == Tls::StartTls {
            if !connection.can_starttls() {
                return Err(Failure::permanent(
                    "the server offers no STARTTLS, and nothing is sent without it",
                ));
            }
            connection.starttls(tls()?, &hello).await.map_err(|e| failure("STARTTLS", &e))?;
        }
        if let Some((user, password)) = &config.login {
            let login = Credentials::new(user.clone(), password.expose().to_string());
            connection.auth(DEFAULT_MECHANISMS, &login).await.map_err(|e| match e.is_permanent() {
                true => Failure::Unauthorised { why: chain(&e) },
                false => failure("AUTH", &e),
            })?;
        }
        Ok(connection)
    }
}

/// A recipient the server did not take, and what it said.
struct NotTaken {
    words: String,
    for_now: bool,
}

/// Offers every recipient, so that one bad address does not keep the others in the dark.
async fn offer(connection: &mut AsyncSmtpConnection, to: &[Address]) -> Result<Vec<NotTaken>, Failure> {
    let mut refused = Vec::new();
    let mut last = None;
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(e) if e.is_transient() || e.is_permanent() => {
                let words = format!("{address}: {}", chain(&e));
                refused.push(NotTaken { words, for_now: e.is_transient() });
                last = Some(failure("RCPT", &e));
            }
            Err(e) => return Err(failure("RCPT", &e)),
        }
    }
    let any_for_now = refused.iter().any(|r| r.for_now);
    match last {
        Some(_) if refused.len() == to.len() && any_for_now => Err(Failure::transient(words(&refused))),
        Some(failure) if refused.len() == to.len() => Err(failure),
        _ => Ok(refused),
    }
}

fn words(refused: &[NotTaken]) -> String {
    refused.iter().map(|r| r.words.as_str()).collect::<Vec<_>>().join("; ")
}

/// The server's last word. Recipients refused for now make it a failure all the same: the caller tries
/// again, the others get a repeat under the same Message-ID, and nobody is left out silently.
fn receipt(answer: &Response, refused: &[NotTaken]) -> Result<String, Failure> {
    let said = format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" "));
    if refused.iter().any(|r| r.for_now) {
        return Err(Failure::transient(format!("{said}, but not taken for {}", words(refused))));
    }
    if refused.is_empty() { Ok(said) } else { Ok(format!("{said}; refused for {}", words(refused))) }
}

/// The class of an error before the mail was handed over: nothing can have been delivered.
fn failure(step: &str, e: &Error) -> Failure {
    let why = format!("{step}: {}", chain(e));
    match e.status().map(u16::from) {
        // 530 authentication required, 535 credentials invalid. Source: RFC 4954 §6.
        Some(530 | 535) => Failure::Unauthorised { why },
        Some(500..) => Failure::Permanent { why },
        Some(_) => Failure::Transient { why },
        // lettre reports a certificate it does not trust as a connection error.
        None if why.contains("invalid peer certificate") => Failure::permanent(format!(
            "{why}; the certificates this system trusts do not vouch for the server (see SSL_CERT_FILE)"
        )),
        None if e.is_tls() || e.is_client() => Failure::Permanent { why },
        None => Failure::Transient { why },
    }
}

/// The class of an error after it: without an answer, nobody knows.
fn failure_at_end(e: &Error) -> Failure {
    match e.status() {
        Some(_) => failure("the mail itself", e),
        None => Failure::unknown(format!("no answer to the mail itself: {}", chain(e))),
    }
}

/// An error with its causes, on one line.
fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    super::text::subject(&text)
}

#[async_trait]
impl Notifier for Smtp {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let mail = message::write(&self.config, notice).map_err(Failure::permanent)?;
        let handed_over = AtomicBool::new(false);
        let outcome = tokio::time::timeout(self.config.timeout, self.deliver(&mail, &handed_over)).await;
        outcome.unwrap_or_else(|_| {
            let why =
                format!("{} gave no answer within {} ms", self.config.host, self.config.timeout.as_millis());
            match handed_over.load(Ordering::SeqCst) {
                true => Err(Failure::unknown(why)),
                false => Err(Failure::transient(why)),
            }
        })
    }
}
