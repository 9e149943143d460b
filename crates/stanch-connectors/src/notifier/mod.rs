//! Ways to tell people.

pub mod log;
mod secret;
pub mod sink;
pub mod smtp;
mod text;

pub use log::Log;
pub use secret::Secret;
pub use sink::Sink;
pub use smtp::{Smtp, SmtpConfig, Tls};
