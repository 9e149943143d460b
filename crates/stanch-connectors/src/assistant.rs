//! A language model behind an OpenAI-compatible API: one question, one bounded answer.
//!
//! It goes out by the one egress client: only to hosts on its allow-list, no redirects, no proxy. It knows
//! nothing of incidents: what is asked is a JSON value made by `stanch-core`, what comes back is the text of
//! the first choice. It is given no tools, and an answer that calls for one has no text.
//! Source: OpenAI API reference, "Create chat completion", as vLLM, Ollama, llama.cpp and others serve it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use reqwest::{Method, Url, header};
use serde::Deserialize;
use serde_json::Value;
use stanch_model::{Failure, Span};

use crate::egress::Egress;
use crate::notifier::Secret;
use crate::notifier::post::{Post, endpoint};

/// Where a model is.
#[derive(Clone, Debug)]
pub struct AssistantConfig {
    /// Base of the API, for example `https://llm.example.com/v1`.
    pub endpoint: String,
    /// Sent as `Authorization: Bearer …`. Default: none.
    pub token: Option<Secret>,
    /// Where calls may go, `host:port`.
    pub egress: Vec<String>,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
    /// Longest wait for the whole answer.
    pub deadline: Span,
}

/// A model that can be asked.
pub struct Assistant {
    url: Url,
    post: Post,
    token: Option<Secret>,
    deadline: Span,
}

/// As much of an answer as is read.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Assistant {
    /// Makes it ready to ask; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: AssistantConfig) -> Result<Assistant, Vec<String>> {
        let base = config.endpoint.trim_end_matches('/');
        let url = endpoint(&format!("{base}/chat/completions")).map_err(|why| vec![why])?;
        if url.query().is_some() {
            return Err(vec!["endpoint: a query does not belong there".to_owned()]);
        }
        let mut private = config.allow_private.clone();
        // An address that an operator wrote, and this machine, were meant.
        match url.host_str().unwrap_or_default().trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => private.push(ip.into()),
            Err(_) if url.host_str() == Some("localhost") => {
                private.push(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
                private.push(IpAddr::V6(Ipv6Addr::LOCALHOST).into());
            }
            Err(_) => {}
        }
        let egress = Egress::new(&config.egress, private).map_err(|why| vec![format!("egress: {why}")])?;
        egress.permit(&url).map_err(|why| vec![format!("endpoint: {why}; add it to `egress`")])?;
        let post = Post::through(egress, config.deadline.to_std()).map_err(|why| vec![why])?;
        Ok(Assistant { url, post, token: config.token, deadline: config.deadline })
    }

    /// Asks once; nothing is asked again by itself.
    ///
    /// # Errors
    /// Why there is no text.
    pub async fn ask(&self, question: &Value) -> Result<String, Failure> {
        let mut headers = header::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", &*token.expose());
            let mut value = header::HeaderValue::from_str(&value)
                .map_err(|_| Failure::permanent("the token holds characters that no header can"))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let sent = self.post.send(Method::POST, self.url.clone(), headers, question.to_string().into_bytes());
        let late = |_| Failure::Late { after: self.deadline };
        let reply = tokio::time::timeout(self.deadline.to_std(), sent).await.map_err(late)??;
        if !reply.status.is_success() {
            return Err(Failure::permanent(format!("it answered {}", reply.status)));
        }
        let read: Completion = serde_json::from_slice(&reply.body)
            .map_err(|_| Failure::permanent("its answer is no completion"))?;
        let first = read.choices.into_iter().next().and_then(|c| c.message.content);
        first.ok_or_else(|| Failure::permanent("its answer holds no text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str, egress: &str) -> AssistantConfig {
        AssistantConfig {
            endpoint: endpoint.into(),
            token: None,
            egress: vec![egress.into()],
            allow_private: Vec::new(),
            deadline: Span::secs(5),
        }
    }

    #[test]
    fn it_goes_only_where_the_list_says_and_never_in_the_clear() {
        assert!(Assistant::new(config("https://llm.example.com/v1", "llm.example.com:443")).is_ok());
        let why =
            |endpoint, egress| Assistant::new(config(endpoint, egress)).err().unwrap_or_default().join("; ");
        assert!(why("https://other.example.com/v1", "llm.example.com:443").contains("add it to `egress`"));
        assert!(why("https://llm.example.com:8443/v1", "llm.example.com:443").contains("egress"));
        assert!(why("http://llm.example.com/v1", "llm.example.com:80").contains("use https"));
        assert!(why("https://u:p@llm.example.com/v1", "llm.example.com:443").contains("does not belong"));
        assert!(why("https://llm.example.com/v1?key=1", "llm.example.com:443").contains("query"));
        assert!(why("nonsense", "llm.example.com:443").contains("not a URL"));
        assert!(why("http://169.254.169.254/v1", "169.254.169.254:80").contains("https"));
    }
}
