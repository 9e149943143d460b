//! Ways to tell people.

pub mod hook;
pub mod log;
pub(crate) mod post;
pub mod rt;
mod secret;
pub mod sink;
pub mod slack;
pub mod smtp;
pub mod teams;
mod text;
pub mod webhook;

#[cfg(test)]
mod strict;

pub use hook::Hook;
pub use log::Log;
pub use rt::{Rt, RtConfig};
pub use secret::Secret;
pub use sink::Sink;
pub use slack::{Slack, SlackConfig};
pub use smtp::{Smtp, SmtpConfig, Tls};
pub use teams::{Teams, TeamsConfig};
pub use webhook::{Webhook, WebhookConfig};

/// One line of foreign text that obeys nothing and hides nothing.
pub(crate) fn plain(text: &str) -> String {
    text::subject(text)
}
