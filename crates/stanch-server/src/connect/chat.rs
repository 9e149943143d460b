//! A workspace of Slack as configured: how we speak there, and how clicks come back.

use std::sync::Arc;

use stanch_connectors::notifier::{Slack, SlackConfig};
use stanch_connectors::socket_mode::{Pace, SocketConfig, SocketMode};
use stanch_core::config::{Mistake, NotifierConfig};

use super::{Safe, said, secret, to};
use crate::chat::links::Chat;

/// Makes both ready; opens nothing.
pub(super) fn chat(safe: &Safe<'_>, n: &NotifierConfig, m: &mut Vec<Mistake>) -> Option<Chat> {
    let NotifierConfig::Slack { name, url, token, signing_secret, app_token, console, allow_private, .. } = n
    else {
        return None;
    };
    let place = to(url);
    // Without its app token it still tells people; they answer elsewhere, and `stanch check` says so.
    let app_token = app_token.as_ref().and_then(|at| secret(safe, at, name, &place, m));
    let socket = app_token.and_then(|token| {
        let (name, url, allow_private) = (name.clone(), url.clone(), allow_private.clone());
        let config = SocketConfig { name: name.clone(), url, token, allow_private, pace: Pace::default() };
        let help = "make one in Slack: Basic Information, App-Level Tokens, with connections:write";
        let wrong = |wrong: Vec<String>| {
            let own = wrong.into_iter().filter(|why| why.starts_with("app_token"));
            m.extend(own.map(|why| said(&name, why, help)));
        };
        SocketMode::new(config).map_err(wrong).ok().map(Arc::new)
    });
    let token = secret(safe, token, name, &place, m)?;
    let (url, allow_private) = (url.clone(), allow_private.clone());
    let answers = signing_secret.is_some() || socket.is_some();
    let (name, console) = (name.clone(), console.clone());
    let made = Slack::new(&SlackConfig { name: name.clone(), url, token, answers, console, allow_private });
    match made {
        Ok(slack) => Some(Chat { name, slack: Arc::new(slack), socket }),
        Err(wrong) => {
            m.extend(wrong.into_iter().map(|why| said(&name, why, "")));
            None
        }
    }
}
