//! The language model of `policies/assistant.yaml`, made ready.

use std::sync::Arc;

use stanch_connectors::assistant::{Assistant, AssistantConfig};
use stanch_core::Config;
use stanch_core::config::Mistake;

use super::{Safe, secret, to};

const FILE: &str = "policies/assistant.yaml";

/// The model, if one is configured and can be asked, and all mistakes.
pub(super) fn model(safe: &Safe<'_>, config: &Config, m: &mut Vec<Mistake>) -> Option<Arc<Assistant>> {
    let policy = config.assistant.as_ref()?;
    let mut found = Vec::new();
    let token = match policy
        .token
        .as_ref()
        .map(|at| secret(safe, at, "assistant", &to(&policy.endpoint), &mut found))
    {
        None => None,
        Some(None) => {
            m.extend(found.into_iter().map(|f| Mistake { file: FILE.into(), ..f }));
            return None;
        }
        Some(token) => token,
    };
    let made = Assistant::new(AssistantConfig {
        endpoint: policy.endpoint.clone(),
        token,
        egress: policy.egress.clone(),
        allow_private: policy.allow_private.clone(),
        deadline: policy.deadline,
    });
    let help = "write `endpoint: https://HOST/v1` and `egress: [\"HOST:443\"]`";
    match made {
        Ok(model) => Some(Arc::new(model)),
        Err(wrong) => {
            m.extend(wrong.into_iter().map(|why| Mistake::error(FILE, (0, 0), why, help)));
            None
        }
    }
}
