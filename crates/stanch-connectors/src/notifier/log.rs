//! Tells people through our own log: the default when no other way is configured.
//!
//! It keeps nothing, and its receipt says plainly that nobody was reached by mail.

use async_trait::async_trait;
use stanch_model::port::Notifier;
use stanch_model::{Failure, Notice, Urgency};

use super::text;

/// Writes notices to the log.
#[derive(Clone, Debug)]
pub struct Log {
    name: String,
}

impl Log {
    /// Under a name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Log {
        Log { name: name.into() }
    }
}

#[async_trait]
impl Notifier for Log {
    fn name(&self) -> &str {
        &self.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let (subject, body) = (text::subject(&notice.subject), text::body(&notice.body));
        let (key, incident, to) = (&notice.key, notice.incident, notice.to.join(", "));
        match notice.urgency {
            Urgency::Information => tracing::info!(key, %incident, to, subject, body, "notice"),
            Urgency::Warning => tracing::warn!(key, %incident, to, subject, body, "notice"),
            Urgency::Critical => tracing::error!(key, %incident, to, subject, body, "notice"),
        }
        Ok("written to the log; no mail is configured".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::strict;
    use super::*;

    #[tokio::test]
    async fn the_receipt_says_that_only_the_log_was_told() {
        let notice = Notice { urgency: Urgency::Critical, to: vec![], ..strict::notice() };
        assert_eq!(
            Log::new("log").notify(&notice).await.as_deref(),
            Ok("written to the log; no mail is configured")
        );
    }
}
