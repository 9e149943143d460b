//! Subscriptions of other programs to what happens.

use std::sync::Arc;

use axum::Json;
use stanch_connectors::notifier::Hook as Receiver;
use stanch_model::port::Entry;
use stanch_model::{Span, Timestamp};

use super::types::{
    RedeliverRequest, WebhookCreated, WebhookPage, WebhookRequest, WebhookTested, WebhookView,
};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time};
use crate::auth::Admin;
use crate::problem::Problem;
use crate::vault::New;
use crate::webhooks::{Hook, KINDS, MOST, OVERLAP, Webhooks, event};

fn shown(h: Hook) -> WebhookView {
    WebhookView {
        id: h.id(),
        url: h.url,
        events: h.events,
        created: time(h.created),
        by: h.by,
        state: if h.off {
            "off"
        } else if h.failures > 0 {
            "failing"
        } else {
            "on"
        }
        .to_owned(),
        cursor: h.cursor,
        delivered: h.delivered,
        failures: h.failures,
        failing_since: h.since.map(time),
        last_failure: h.why,
        next_try: (h.failures > 0 && !h.off).then(|| time(h.next)),
        both_keys_until: h.both_until.map(time),
    }
}

fn broken(why: String) -> Problem {
    tracing::error!(error = why, "webhooks");
    Problem::internal("the subscriptions could not be kept")
}

fn number(id: &str) -> Result<u64, Problem> {
    let n = id.strip_prefix("HOOK-").and_then(|n| n.parse().ok());
    n.ok_or_else(|| Problem::invalid("a subscription is named like HOOK-1", "see GET /api/v1/webhooks"))
}

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no {id}"), "see GET /api/v1/webhooks")
}

/// Changes one, away from the threads that answer others.
async fn change(
    admin: &Admin,
    id: String,
    change: impl FnOnce(&mut Hook) + Send + 'static,
) -> Result<Hook, Problem> {
    let (n, hooks) = (number(&id)?, webhooks(admin)?);
    let done = admin.look(move |_| hooks.book.change(n, change).map_err(broken)).await?;
    done.ok_or_else(|| missing(&id))
}

fn webhooks(admin: &Admin) -> Result<Arc<Webhooks>, Problem> {
    Ok(admin.running()?.webhooks.clone())
}

/// Keeps a key for one receiver and no other, and gives it back as text: the only time it is shown.
fn keep(admin: &Admin, name: &str, hook: &str, url: &str, text: &str) -> Result<(), Problem> {
    let hosts: Vec<String> = stanch_connectors::egress::place(url).into_iter().collect();
    let by = admin.who().name.clone();
    let new =
        New { name, connector: Some(hook), hosts: &hosts, value: text, by: &by, now: admin.books().now() };
    admin.running()?.vault.set(&new)?;
    Ok(())
}

fn fresh() -> Result<String, Problem> {
    let key = Receiver::fresh_key().map_err(|_| Problem::internal("no key could be made"))?;
    Ok(key.expose().to_string())
}

/// List subscriptions
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("person" = ["admin"])),
    responses((status = 200, description = "All of them", body = WebhookPage), Failures))]
pub(super) async fn list(admin: Admin) -> Answer<WebhookPage> {
    let webhooks = webhooks(&admin)?.book.list().into_iter().map(shown).collect();
    Ok(Json(WebhookPage { webhooks, kinds: KINDS.iter().map(|(_, name)| (*name).to_owned()).collect() }))
}

/// Subscribe a receiver to what happens from now on
///
/// The answer holds the key that signs its events (Standard Webhooks); it is shown once.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", security(("person" = ["admin"])),
    request_body(content = WebhookRequest, example = json!({ "url": "https://siem.example.com/stanch", "events": ["incident.opened"] })),
    responses((status = 200, description = "Subscribed", body = WebhookCreated), Failures))]
pub(super) async fn add(admin: Admin, Body(asked): Body<WebhookRequest>) -> Answer<WebhookCreated> {
    let hooks = webhooks(&admin)?;
    let invalid = |why: String| Problem::invalid(why, "see `kinds` in GET /api/v1/webhooks");
    if let Some(odd) = asked.events.iter().find(|e| !KINDS.iter().any(|(_, name)| name == e)) {
        let odd: String = odd.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
        return Err(invalid(format!("there is no event {odd:?}")));
    }
    let private: Result<Vec<ipnet::IpNet>, _> = asked.allow_private.iter().map(|n| n.parse()).collect();
    let private = private.map_err(|_| {
        Problem::invalid("`allow_private` holds what is no range", "for example 10.20.0.0/16")
    })?;
    if asked.events.len() > KINDS.len() || private.len() > 32 || asked.url.len() > 2_000 {
        return Err(invalid("that is more than can be meant".to_owned()));
    }
    Receiver::new(&asked.url, &private).map_err(|why| Problem::invalid(why, "write an https URL"))?;
    if stanch_connectors::egress::place(&asked.url).is_none() {
        return Err(Problem::invalid("the URL has no host", "write an https URL"));
    }
    if hooks.book.list().len() >= MOST {
        return Err(Problem::conflict(format!("there are {MOST} subscriptions already")));
    }
    let (text, cursor, now) = (fresh()?, admin.books().read(|s| s.seq), admin.books().now());
    let (by, url, events) = (admin.who().name.clone(), asked.url.clone(), asked.events);
    let kept = admin.look(move |_| {
        // Off until its key is kept: without one nothing may go out.
        let make = |n| Hook {
            n,
            url,
            events,
            allow_private: private,
            created: now,
            by,
            cursor,
            delivered: 0,
            failures: 0,
            since: None,
            why: None,
            next: Timestamp(0),
            off: true,
            both_until: None,
        };
        hooks.book.add(make).map_err(broken)
    });
    let hook = kept.await?;
    let id = hook.id();
    keep(&admin, &id, &id, &asked.url, &text)?;
    let hook = change(&admin, id, |h| h.off = false).await?;
    tracing::info!(hook = hook.id(), by = admin.who().name, "a webhook was subscribed");
    Ok(Json(WebhookCreated { webhook: shown(hook), key: text }))
}

/// End a subscription
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("person" = ["admin"])),
    params(("id" = String, Path, description = "For example HOOK-1")),
    responses((status = 200, description = "Ended", body = WebhookView), Failures))]
pub(super) async fn remove(admin: Admin, Named(id): Named<String>) -> Answer<WebhookView> {
    let (n, hooks, vault) = (number(&id)?, webhooks(&admin)?, admin.running()?.vault.clone());
    let name = id.clone();
    let gone = admin.look(move |_| {
        let gone = hooks.book.remove(n).map_err(broken)?;
        for key in [name.clone(), format!("{name}.before")] {
            let _ = vault.remove(&key);
        }
        Ok(gone)
    });
    tracing::info!(hook = id, by = admin.who().name, "a webhook was ended");
    gone.await?.map(|h| Json(shown(h))).ok_or_else(|| missing(&id))
}

/// Switch a receiver on again
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/enable", tag = "webhooks", security(("person" = ["admin"])),
    params(("id" = String, Path, description = "For example HOOK-1")),
    responses((status = 200, description = "It is tried from now on; what waits is delivered", body = WebhookView), Failures))]
pub(super) async fn enable(admin: Admin, Named(id): Named<String>) -> Answer<WebhookView> {
    let was_off = webhooks(&admin)?.book.list().into_iter().any(|h| h.id() == id && h.off);
    let hook = change(&admin, id, |h| {
        (h.off, h.failures, h.since, h.why, h.next) = (false, 0, None, None, Timestamp(0));
    });
    let hook = hook.await?;
    if was_off {
        webhooks(&admin)?.tell_people(&hook);
    }
    Ok(Json(shown(hook)))
}

/// Change the key of a receiver
///
/// Both keys sign for 24 hours. The new one is in the answer and shown once.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks", security(("person" = ["admin"])),
    params(("id" = String, Path, description = "For example HOOK-1")),
    responses((status = 200, description = "Changed", body = WebhookCreated), Failures))]
pub(super) async fn rotate(admin: Admin, Named(id): Named<String>) -> Answer<WebhookCreated> {
    let n = number(&id)?;
    let hook = webhooks(&admin)?.book.list().into_iter().find(|h| h.n == n).ok_or_else(|| missing(&id))?;
    let hosts: Vec<String> = stanch_connectors::egress::place(&hook.url).into_iter().collect();
    let old = admin.running()?.vault.open(&id, &id, &hosts)?;
    keep(&admin, &format!("{id}.before"), &id, &hook.url, &old.expose())?;
    let text = fresh()?;
    keep(&admin, &id, &id, &hook.url, &text)?;
    let until = admin.books().now().plus(Span(OVERLAP.0));
    let hook = change(&admin, id, move |h| h.both_until = Some(until)).await?;
    Ok(Json(WebhookCreated { webhook: shown(hook), key: text }))
}

/// Deliver again what happened after an entry of the journal
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/redeliver", tag = "webhooks", security(("person" = ["admin"])),
    params(("id" = String, Path, description = "For example HOOK-1")),
    request_body(content = RedeliverRequest, example = json!({ "after": 120 })),
    responses((status = 200, description = "It begins there", body = WebhookView), Failures))]
pub(super) async fn redeliver(
    admin: Admin,
    Named(id): Named<String>,
    Body(asked): Body<RedeliverRequest>,
) -> Answer<WebhookView> {
    let head = admin.books().read(|s| s.seq);
    if asked.after > head {
        return Err(Problem::invalid(format!("the journal ends at {head}"), "see GET /api/v1/journal/head"));
    }
    let hook = change(&admin, id, move |h| (h.cursor, h.next) = (asked.after, Timestamp(0)));
    Ok(Json(shown(hook.await?)))
}

/// Send a test event now, and say what came of it
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", security(("person" = ["admin"])),
    params(("id" = String, Path, description = "For example HOOK-1")),
    responses((status = 200, description = "What came of it", body = WebhookTested), Failures))]
pub(super) async fn test(admin: Admin, Named(id): Named<String>) -> Answer<WebhookTested> {
    let (n, hooks) = (number(&id)?, webhooks(&admin)?);
    let hook = hooks.book.list().into_iter().find(|h| h.n == n).ok_or_else(|| missing(&id))?;
    let now = admin.books().now();
    let entry =
        Entry { seq: 0, at: now, stream: "test".to_owned(), kind: "test".to_owned(), body: Vec::new() };
    let said = hooks.deliver(&hook, &format!("{id}-test-{}", now.0), &event("test", &entry)).await;
    Ok(Json(WebhookTested { delivered: said.is_ok(), why: said.err().map(|e| e.to_string()) }))
}
