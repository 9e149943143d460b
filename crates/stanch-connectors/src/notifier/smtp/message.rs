//! Turns a notice into a mail. Pure: the same notice gives the same mail, byte for byte.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use stanch_model::{Notice, Urgency};

use super::SmtpConfig;
use crate::notifier::post::{endpoint, page};
use crate::notifier::text;

/// Reads `a@b` or `Name <a@b>`.
///
/// # Errors
/// What is wrong, in words for the configuration.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} holds control characters"));
    }
    text.trim().parse().map_err(|e| format!("{text:?} is not a mail address: {e}"))
}

/// The mail for one notice.
///
/// # Errors
/// When an address in the settings cannot be used.
pub(super) fn write(config: &SmtpConfig, notice: &Notice) -> Result<Message, String> {
    let from = mailbox(&config.from)?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder().from(from);
    for to in recipients(config, notice)? {
        builder = builder.to(to);
    }
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(notice.at.0).unwrap_or(0));
    // All mails of one incident hang together under a message that need not exist.
    let thread = format!("<{}@{domain}>", notice.incident.to_string().to_lowercase());
    builder = builder
        .date(at)
        .message_id(Some(format!("<{}@{domain}>", fingerprint(&notice.key))))
        .references(thread)
        .subject(text::subject(&notice.subject))
        .header(ContentType::TEXT_PLAIN)
        // No vacation replies, please. Source: RFC 3834 §5.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if notice.urgency == Urgency::Critical {
        // Source: RFC 2156 §5.3.4.
        let high = HeaderValue::new(HeaderName::new_from_ascii_str("Importance"), "high".to_owned());
        builder = builder.raw_header(high);
    }
    // Behind a sign-in; opening it changes nothing.
    let console = config.console.as_deref().and_then(|c| endpoint(c).ok());
    let mut body = text::body(&notice.body);
    if let Some(url) = console.map(|c| page(&c, notice)) {
        body.push_str(&format!("\nOpen it:  {url}\n"));
    }
    builder.body(body).map_err(|e| format!("the mail could not be written: {e}"))
}

/// Addresses in the notice; and the configured ones as soon as it names somebody without an address.
fn recipients(config: &SmtpConfig, notice: &Notice) -> Result<Vec<Mailbox>, String> {
    let mut all: Vec<Mailbox> = notice.to.iter().filter_map(|to| mailbox(to).ok()).collect();
    if all.len() < notice.to.len() || all.is_empty() {
        for to in &config.to {
            all.push(mailbox(to)?);
        }
    }
    let mut seen: Vec<Mailbox> = Vec::new();
    for to in all {
        if !seen.iter().any(|s| s.email == to.email) {
            seen.push(to);
        }
    }
    Ok(seen)
}

/// 128 bits of the key's hash: the same for every attempt, and safe in a header whatever the key holds.
fn fingerprint(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
