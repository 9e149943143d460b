//! How we prove to the server that we are the source: the other side of `stanch_server::intake`.

use std::path::Path;

use anyhow::Result;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use stanch_core::config::{Credential, SecretRef};

use crate::cli::Ctx;
use crate::exit::{Exit, Failure};
use crate::output::now;
use crate::{find, local};

/// What is sent along with each body.
pub(crate) enum Proof {
    /// Nothing: the body holds its key itself, or the server will refuse it.
    Nothing,
    /// `Authorization: Bearer …`
    Bearer(String),
    /// A signature over the body.
    Hmac {
        /// The key.
        key: String,
        /// Header with the signature.
        header: String,
        /// Header with the time that is signed too.
        timestamp_header: Option<String>,
    },
}

impl Proof {
    /// The headers for a body, made now.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub(crate) fn headers(&self, body: &[u8]) -> Result<Vec<(String, String)>> {
        Ok(match self {
            Proof::Nothing => Vec::new(),
            Proof::Bearer(token) => vec![("authorization".to_owned(), format!("Bearer {token}"))],
            Proof::Hmac { key, header, timestamp_header } => {
                let stamp = (now().0 / 1000).to_string();
                let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())?;
                if timestamp_header.is_some() {
                    mac.update(stamp.as_bytes());
                    mac.update(b".");
                }
                mac.update(body);
                let signature: String =
                    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
                let mut headers = vec![(header.clone(), format!("sha256={signature}"))];
                headers.extend(timestamp_header.clone().map(|name| (name, stamp)));
                headers
            }
        })
    }
}

/// What is known about the source from this side.
pub(crate) struct Source {
    /// How we prove who we are.
    pub(crate) proof: Proof,
    /// Largest body the server takes, in bytes.
    pub(crate) max_body: usize,
}

/// The largest body by default. Source: `stanch.yaml`, `max_body`.
const MAX_BODY: usize = 8 << 20;

/// A named token file first, then the source's credential in the configuration folder, then the
/// environment.
///
/// # Errors
/// When what is named cannot be read, or the configuration has no such source.
pub(crate) fn of(ctx: &Ctx, source: &str) -> Result<Source> {
    let g = &ctx.globals;
    let dir = find::config_dir(g.config.as_deref());
    let config = dir.as_deref().and_then(local::config);
    let max_body = config.as_ref().and_then(|c| usize::try_from(c.server.max_body).ok()).unwrap_or(MAX_BODY);
    if let Some(file) = &g.token_file {
        return Ok(Source { proof: Proof::Bearer(find::read_token(file)?), max_body });
    }
    if let (Some(dir), Some(config)) = (&dir, &config) {
        let Some(known) = config.sources.get(source) else {
            let all: Vec<&str> = config.sources.keys().map(String::as_str).collect();
            let message = format!("{} has no source {source}", dir.display());
            return Err(
                Failure::new(Exit::NotFound, message, format!("sources there: {}", all.join(", "))).into()
            );
        };
        if let Some(credential) = &known.credential {
            return Ok(Source { proof: proof(dir, credential)?, max_body });
        }
    } else if let (Some(named), None) = (&g.config, &config) {
        let message = format!("the configuration in {} cannot be used", named.display());
        return Err(Failure::new(Exit::BadConfig, message, "run `stanch check`").into());
    }
    let proof = find::env_token()?.map_or(Proof::Nothing, Proof::Bearer);
    Ok(Source { proof, max_body })
}

fn proof(dir: &Path, credential: &Credential) -> Result<Proof> {
    Ok(match credential {
        Credential::Bearer(secret) => Proof::Bearer(read(dir, secret)?),
        // The key is in each event, as PagerDuty has it; a certificate belongs to its program.
        Credential::RoutingKey(_) | Credential::Certificate(_) => Proof::Nothing,
        Credential::Hmac { secrets, header, timestamp_header } => {
            let Some(secret) = secrets.first() else { return Ok(Proof::Nothing) };
            Proof::Hmac {
                key: read(dir, secret)?,
                header: header.clone(),
                timestamp_header: timestamp_header.clone(),
            }
        }
    })
}

fn read(dir: &Path, secret: &SecretRef) -> Result<String> {
    match secret {
        SecretRef::File(path) => find::read_token(&dir.join(path)),
        SecretRef::Env(name) => {
            let text = std::env::var(name).map_err(|_| {
                let message = format!("the environment variable {name} is not set");
                Failure::new(Exit::Forbidden, message, "set it here too")
            })?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        SecretRef::Stored(name) => {
            let message = format!("the stored secret {name} is never handed out");
            Err(Failure::new(Exit::Forbidden, message, "a source proves itself by a file or a variable")
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_time_and_body() {
        let header = |stamped: bool| Proof::Hmac {
            key: "key".into(),
            header: "X-Signature".into(),
            timestamp_header: stamped.then(|| "X-Timestamp".into()),
        };
        let plain = header(false).headers(b"The quick brown fox jumps over the lazy dog").expect("signed");
        // Source: RFC 4231's method on the usual sentence.
        let known = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert_eq!(plain, [("X-Signature".to_owned(), known.to_owned())]);
        let stamped = header(true).headers(b"x").expect("signed");
        assert_eq!(stamped.len(), 2);
        assert_eq!(stamped[1].0, "X-Timestamp");
    }
}
