//! One small call through the one way out: a page read, or a form posted, within a size and a time.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Url;

use super::Egress;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const LARGEST: usize = 256 * 1024;

/// What is asked.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where.
    pub url: &'a str,
    /// A form to post; none reads.
    pub form: Option<&'a [(&'a str, &'a str)]>,
    /// Name and secret, for the `Authorization` header.
    pub basic: Option<(&'a str, &'a str)>,
}

impl Egress {
    /// Asks once; nothing is repeated and no redirect is followed. Returns status and body.
    ///
    /// # Errors
    /// In words, without the secret: the URL may not be called, nobody answers, or the answer is too large.
    pub async fn fetch(&self, ask: Ask<'_>) -> Result<(u16, Vec<u8>), String> {
        let url = Url::parse(ask.url).map_err(|e| format!("{}: {e}", ask.url))?;
        self.permit(&url)?;
        let client = self.client(PATIENCE)?;
        let shown = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        let mut request = match ask.form {
            None => client.get(url),
            Some(form) => client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.iter().map(|(n, v)| format!("{n}={}", encoded(v))).collect::<Vec<_>>().join("&")),
        };
        if let Some((name, secret)) = ask.basic {
            // Source: RFC 6749 §2.3.1, which has both encoded as in a form first.
            request = request.basic_auth(encoded(name), Some(encoded(secret)));
        }
        let request = request.header("accept", "application/json");
        let mut answer = request.send().await.map_err(|e| format!("{shown}: {}", why(&e)))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|e| format!("{shown}: {}", why(&e)))? {
            if body.len() + piece.len() > LARGEST {
                return Err(format!("{shown} answers with more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        Ok((status, body))
    }
}

/// The innermost cause, which is the one that says something.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Percent-encodes all but the unreserved characters. Source: RFC 3986 §2.3.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_form_cannot_become_another_field() {
        assert_eq!(encoded("a b&c=d%/é"), "a%20b%26c%3Dd%25%2F%C3%A9");
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_not_called() {
        let egress = Egress::new(&["sso.example.com:443".to_owned()], Vec::new()).expect("a list");
        for url in ["https://other.example.com/", "http://169.254.169.254/", "file:///etc/passwd", "nonsense"]
        {
            assert!(egress.fetch(Ask { url, form: None, basic: None }).await.is_err(), "{url}");
        }
    }
}
