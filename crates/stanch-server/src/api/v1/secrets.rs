//! Stored secrets: set, changed and removed here, and never read back.

use axum::Json;

use super::types::{SecretDone, SecretPage, SecretRequest, SecretView, SecretsKeyRequest, SecretsKeyView};
use super::{Answer, Failures};
use crate::api::extract::{Body, Named, time};
use crate::auth::Admin;
use crate::problem::Problem;
use crate::vault::{New, Record, Refused, Rotated};

fn shown(record: Record) -> SecretView {
    let Record { name, connector, hosts, version, created, changed, by, fingerprint, .. } = record;
    SecretView {
        name,
        connector,
        hosts,
        version,
        created: time(created),
        changed: time(changed),
        by,
        fingerprint,
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Problem {
        let words = why.words().to_owned();
        match why {
            Refused::Invalid(_) => Problem::invalid(words, ""),
            Refused::Missing(_) => Problem::not_found(words, "see GET /api/v1/secrets"),
            Refused::Bound(_) => Problem::conflict(words),
            Refused::Broken(_) => {
                tracing::error!(error = words, "stored secrets");
                Problem::internal("stored secrets cannot be used")
            }
        }
    }
}

/// List stored secrets, without what they are
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", security(("person" = ["admin"])),
    responses((status = 200, description = "All of them", body = SecretPage), Failures))]
pub(super) async fn list(admin: Admin) -> Answer<SecretPage> {
    let vault = admin.running()?.vault.clone();
    let secrets = admin.look(move |_| Ok(vault.list()?)).await?;
    Ok(Json(SecretPage { secrets: secrets.into_iter().map(shown).collect() }))
}

/// Set a secret, or a new version of one
///
/// It is bound to one connector and to the places it may be sent to; nothing binds it elsewhere later. It
/// is in force at once, and never handed out again. Who did it is in the journal.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "secrets", security(("person" = ["admin"])),
    params(("name" = String, Path, description = "As the configuration names it: { stored: NAME }")),
    request_body(content = SecretRequest, example = json!({ "value": "a long random text", "connector": "edr", "hosts": ["edr.example.com:443"] })),
    responses((status = 200, description = "Kept", body = SecretDone), (status = 409, description = "It is bound otherwise", body = super::types::ErrorBody), Failures))]
pub(super) async fn set(
    admin: Admin,
    Named(name): Named<String>,
    Body(asked): Body<SecretRequest>,
) -> Answer<SecretDone> {
    let (vault, by, now) = (admin.running()?.vault.clone(), admin.who().name.clone(), admin.books().now());
    let key = name.clone();
    let kept = admin.look(move |_| {
        let SecretRequest { value, connector, hosts } = asked;
        let new = New {
            name: &key,
            connector: connector.as_deref(),
            hosts: &hosts,
            value: value.text(),
            by: &by,
            now,
        };
        Ok(vault.set(&new)?)
    });
    let secret = shown(kept.await?);
    let (in_force, why) =
        reload(&admin, &format!("stored secret {name} set, version {}", secret.version)).await?;
    Ok(Json(SecretDone { secret, in_force, why }))
}

/// Remove a secret
///
/// Whoever used it has none from then on, and says so.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", security(("person" = ["admin"])),
    params(("name" = String, Path, description = "As in GET /api/v1/secrets")),
    responses((status = 200, description = "Gone", body = SecretDone), Failures))]
pub(super) async fn remove(admin: Admin, Named(name): Named<String>) -> Answer<SecretDone> {
    let vault = admin.running()?.vault.clone();
    let key = name.clone();
    let secret = shown(admin.look(move |_| Ok(vault.remove(&key)?)).await?);
    let (in_force, why) = reload(&admin, &format!("stored secret {name} removed")).await?;
    Ok(Json(SecretDone { secret, in_force, why }))
}

/// Wrap all stored secrets by another key
///
/// Everything goes on meanwhile, and no secret has to be handed over again. Where the key is a file, a new one is made and
/// takes its place. Where it comes from outside, name the new one as `key` and the old one as `before` in
/// stanch.yaml first. The configuration is read again; who did it is in the journal.
#[utoipa::path(post, path = "/api/v1/admin/secrets-key", tag = "secrets", security(("person" = ["admin"])),
    request_body(content = SecretsKeyRequest, example = json!({ "dry_run": true })),
    responses((status = 200, description = "Done, or what would be", body = SecretsKeyView),
        (status = 409, description = "The configuration has mistakes", body = super::types::ErrorBody), Failures))]
pub(super) async fn change_key(admin: Admin, Body(asked): Body<SecretsKeyRequest>) -> Answer<SecretsKeyView> {
    let vault = admin.running()?.vault.clone();
    if asked.dry_run {
        let would = admin.look(move |_| Ok(vault.would_rotate()?)).await?;
        return Ok(Json(key_view(would, false)));
    }
    // First: what stanch.yaml says now about where keys are has to be in force.
    if let (false, Some(why)) = reload(&admin, "the key of the stored secrets is changed").await? {
        return Err(Problem::conflict(why));
    }
    let done = admin.look(move |_| Ok(vault.rotate()?)).await?;
    tracing::info!(
        by = admin.who().name,
        secrets = done.secrets,
        "the key of the stored secrets was changed"
    );
    Ok(Json(key_view(done, true)))
}

fn key_view(r: Rotated, done: bool) -> SecretsKeyView {
    let did = if done { "are" } else { "would be" };
    let left = match (r.gone, done) {
        (true, _) => "the key before is gone; keep a copy of the new one elsewhere than the backup",
        (false, true) => "take `before` out of `secrets` in stanch.yaml, reload, and destroy the key before",
        (false, false) => "then `before` can be taken out of `secrets` in stanch.yaml",
    };
    let message = match r.secrets {
        0 => "there are no stored secrets, so that there is nothing to wrap".to_owned(),
        1 => format!("1 secret {} wrapped by another key; {left}", if done { "is" } else { "would be" }),
        n => format!("{n} secrets {did} wrapped by another key; {left}"),
    };
    SecretsKeyView { done, secrets: r.secrets, behind: r.behind, gone: r.gone, message }
}

/// Puts it in force with a reload, which journals who did it; what is wrong elsewhere in the
/// configuration keeps the one before in force.
async fn reload(admin: &Admin, what: &str) -> Result<(bool, Option<String>), Problem> {
    let by = format!("{}: {what}", admin.who().name);
    tracing::info!(by, "stored secrets");
    Ok(match admin.running()?.reload(&by).await {
        Ok(_) => (true, None),
        Err(mistakes) => {
            let n = mistakes.iter().filter(|m| !m.warning).count();
            (
                false,
                Some(format!(
                    "the configuration has {n} mistakes; mend them and reload: until then the old value is used"
                )),
            )
        }
    })
}
