//! Keeps a ticket in Request Tracker 5 for every change: opened before it is made, commented as it
//! goes on, resolved when it is lifted.
//!
//! The ticket of a change is found by its mark in the subject, `[stanch:ACT-4]`, so that a repeated
//! notice, a restart or a lost answer never opens a second one.
//!
//! Source: RT 5 documentation, REST2.

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use stanch_model::port::Notifier;
use stanch_model::{Failure, Notice};
use zeroize::Zeroizing;

use super::Secret;
use super::post::{Post, Reply, endpoint};
use super::text;

/// Settings of one ticket system.
#[derive(Clone, Debug)]
pub struct RtConfig {
    /// The name used in configuration.
    pub name: String,
    /// Where RT is, for example `https://rt.example.org`.
    pub url: String,
    /// An authentication token of RT.
    pub token: Secret,
    /// The queue new tickets go to.
    pub queue: String,
    /// Ranges that its name may lead to although they are not on the internet.
    pub allow_private: Vec<IpNet>,
}

/// A ticket system.
pub struct Rt {
    name: String,
    url: Url,
    token: Secret,
    queue: String,
    post: Post,
}

impl Rt {
    /// Makes it ready to send; opens no connection.
    ///
    /// # Errors
    /// All mistakes of the configuration.
    pub fn new(config: &RtConfig) -> Result<Rt, Vec<String>> {
        let mut wrong = Vec::new();
        let base = format!("{}/REST/2.0/", config.url.trim_end_matches('/'));
        let url = endpoint(&base).map_err(|why| wrong.push(why)).ok();
        if config.queue.trim().is_empty() {
            wrong.push("queue: name the queue that new tickets go to".to_owned());
        }
        if HeaderValue::from_str(&config.token.expose()).is_err() {
            wrong.push("token: it holds characters that no token has".to_owned());
        }
        let post = Post::to(url.as_ref(), &config.allow_private).map_err(|why| wrong.push(why)).ok();
        match (url, post) {
            (Some(url), Some(post)) if wrong.is_empty() => Ok(Rt {
                name: config.name.clone(),
                url,
                token: config.token.clone(),
                queue: config.queue.clone(),
                post,
            }),
            _ => Err(wrong),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Reply, Failure> {
        let url = self.url.join(path).map_err(|e| Failure::permanent(e.to_string()))?;
        let mut headers = HeaderMap::new();
        let token = Zeroizing::new(format!("token {}", *self.token.expose()));
        let mut token = HeaderValue::from_str(&token).map_err(|e| Failure::permanent(e.to_string()))?;
        token.set_sensitive(true);
        headers.insert("authorization", token);
        headers.insert("accept", HeaderValue::from_static("application/json"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        self.post
            .send(method, url, headers, body.map(|b| b.to_string().into_bytes()).unwrap_or_default())
            .await
    }

    /// The ticket with this mark, if there is one.
    async fn find(&self, mark: &str) -> Result<Option<u64>, Failure> {
        let mut url = self.url.join("tickets").map_err(|e| Failure::permanent(e.to_string()))?;
        url.query_pairs_mut()
            .append_pair("query", &format!("Subject LIKE '{mark}'"))
            .append_pair("orderby", "id");
        let path = format!("tickets?{}", url.query().unwrap_or_default());
        let said = json_of(&self.ask(Method::GET, &path, None).await?, StatusCode::OK)?;
        let first = said["items"].as_array().and_then(|items| items.first());
        Ok(first.and_then(|t| number(&t["id"])))
    }

    async fn open(&self, mark: &str, notice: &Notice) -> Result<u64, Failure> {
        let ticket = json!({
            "Queue": self.queue,
            "Subject": format!("{} [{mark}]", text::subject(&notice.subject)),
            "Content": text::body(&notice.body),
            "ContentType": "text/plain",
        });
        let reply = self.ask(Method::POST, "ticket", Some(ticket)).await?;
        let said = json_of(&reply, StatusCode::CREATED)?;
        number(&said["id"]).ok_or_else(|| Failure::transient("RT opened a ticket without saying which"))
    }

    async fn comment(&self, id: u64, notice: &Notice) -> Result<(), Failure> {
        let comment = json!({
            "Subject": text::subject(&notice.subject),
            "Content": text::body(&notice.body),
            "ContentType": "text/plain",
        });
        let reply = self.ask(Method::POST, &format!("ticket/{id}/comment"), Some(comment)).await?;
        json_of(&reply, StatusCode::CREATED).map(drop)
    }

    async fn resolve(&self, id: u64) -> Result<(), Failure> {
        let reply =
            self.ask(Method::PUT, &format!("ticket/{id}"), Some(json!({ "Status": "resolved" }))).await?;
        json_of(&reply, StatusCode::OK).map(drop)
    }
}

/// RT gives numbers as numbers in one place and as texts in the next.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(|t| t.parse().ok()))
}

fn json_of(reply: &Reply, wanted: StatusCode) -> Result<Value, Failure> {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if reply.status == wanted {
        return Ok(said);
    }
    let why = said["message"].as_str().map(text::subject).unwrap_or_default();
    Err(Failure::permanent(format!("RT answered {}: {why}", reply.status)))
}

/// The mark by which a ticket is found: letters that mean nothing to RT's query language.
fn mark_of(notice: &Notice) -> String {
    let text = notice.about.map_or_else(|| notice.key.clone(), |a| a.to_string());
    let plain: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(64).collect();
    format!("stanch:{plain}")
}

#[async_trait]
impl Notifier for Rt {
    fn name(&self) -> &str {
        &self.name
    }

    async fn notify(&self, notice: &Notice) -> Result<String, Failure> {
        let mark = mark_of(notice);
        let id = match self.find(&mark).await? {
            Some(id) => {
                self.comment(id, notice).await?;
                id
            }
            None => self.open(&mark, notice).await?,
        };
        if notice.closes {
            self.resolve(id).await?;
        }
        Ok(format!("RT ticket {id}"))
    }
}

#[cfg(test)]
#[path = "rt_tests.rs"]
mod tests;
