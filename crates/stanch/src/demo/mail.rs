//! What the network team got: real SMTP, to the bundled mail server or to one that was named.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use stanch_connectors::notifier::Sink;
use stanch_connectors::notifier::sink::Received;

/// What the subject of the network team's notices begins with.
pub const CHANGE: &str = "Network change by SecOps";
/// What it begins with when the change is over.
pub const LIFTED: &str = "Network change lifted";

/// Where mail goes.
pub enum Post {
    /// To the bundled mail server, which keeps everything and delivers nothing.
    Bundled(Sink),
    /// To somebody else's: what became of it only they can see.
    Foreign(String, u16),
}

impl Post {
    /// Starts the bundled server, or takes the one that was named.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub async fn open(named: Option<&(String, u16)>) -> Result<Post> {
        match named {
            Some((host, port)) => Ok(Post::Foreign(host.clone(), *port)),
            None => Ok(Post::Bundled(Sink::start().await.context("the bundled mail server does not start")?)),
        }
    }

    /// Host and port.
    #[must_use]
    pub fn place(&self) -> (String, u16) {
        match self {
            Post::Bundled(sink) => (sink.addr().ip().to_string(), sink.addr().port()),
            Post::Foreign(host, port) => (host.clone(), *port),
        }
    }

    /// The first mail to an address whose subject begins so; waits for it a little.
    pub async fn wait_for(&self, to: &str, subject: &str, longest: Duration) -> Option<Received> {
        let Post::Bundled(sink) = self else { return None };
        let begin = Instant::now();
        loop {
            let mails = sink.mails();
            let found = mails.into_iter().find(|m| {
                m.to.iter().any(|a| a == to) && m.header("subject").is_some_and(|s| s.starts_with(subject))
            });
            if found.is_some() || begin.elapsed() >= longest {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many notices of changes an address got.
    #[must_use]
    pub fn changes_told(&self, to: &str) -> usize {
        let Post::Bundled(sink) = self else { return 0 };
        let about = |s: String| s.starts_with(CHANGE) || s.starts_with(LIFTED);
        let mails = sink.mails();
        mails
            .iter()
            .filter(|m| m.to.iter().any(|a| a == to) && m.header("subject").is_some_and(about))
            .count()
    }

    /// The envelope of the mail with this subject, as it was spoken.
    #[must_use]
    pub fn envelope(&self, subject: &str) -> Vec<String> {
        let Post::Bundled(sink) = self else { return Vec::new() };
        envelope(&sink.transcript(), subject)
    }
}

fn envelope(spoken: &[String], subject: &str) -> Vec<String> {
    let head = format!("C: Subject: {subject}");
    let Some(at) = spoken.iter().position(|l| l.starts_with(&head)) else { return Vec::new() };
    let Some(from) = spoken[..at].iter().rposition(|l| l.starts_with("C: MAIL FROM")) else {
        return Vec::new();
    };
    let said = spoken[from..at].iter();
    let word = |l: &&String| {
        ["C: MAIL", "C: RCPT", "C: DATA"].iter().any(|w| l.starts_with(w)) || l.starts_with("S: ")
    };
    let mut spoken_of: Vec<&str> = said.filter(word).map(String::as_str).collect();
    if let Some(end) = spoken[at..].iter().position(|l| l == "C: .") {
        spoken_of.push("C: (the mail)");
        spoken_of.extend(spoken[at + end..].iter().find(|l| l.starts_with("S: ")).map(String::as_str));
    }
    let pairs = spoken_of.chunks(2).map(|pair| {
        let said = |n: usize| pair.get(n).map_or("", |l| l.get(3..).unwrap_or_default());
        format!("{:<38} {}", said(0), said(1))
    });
    pairs.collect()
}

/// The body as a mail program shows it. Source: RFC 2045 §6.7, quoted-printable.
#[must_use]
pub fn body(mail: &Received) -> String {
    let quoted =
        mail.header("content-transfer-encoding").is_some_and(|e| e.eq_ignore_ascii_case("quoted-printable"));
    if !quoted {
        return mail.body().to_owned();
    }
    let joined = mail.body().replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let [first, after @ ..] = rest {
        let pair = after.get(..2).and_then(|p| std::str::from_utf8(p).ok());
        match pair.filter(|_| *first == b'=').and_then(|p| u8::from_str_radix(p, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A mail server as `HOST:PORT`.
///
/// # Errors
/// How to write one.
pub fn server(text: &str) -> Result<(String, u16), String> {
    let clean = |host: &&str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_[]".contains(c))
    };
    let named =
        text.rsplit_once(':').and_then(|(host, port)| Some((Some(host).filter(clean)?, port.parse().ok()?)));
    match named {
        Some((host, port)) => Ok((host.trim_matches(['[', ']']).to_owned(), port)),
        None => Err("write HOST:PORT, for example mail.example.com:25".to_owned()),
    }
}

/// An address that can stand in a configuration file and in an envelope.
///
/// # Errors
/// How to write one.
pub fn address(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._%+-@".contains(c);
    match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() && text.chars().all(plain) => {
            Ok(text.to_owned())
        }
        _ => Err("write a mail address, for example noc@example.com".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_one_of_this_mail() {
        let spoken: Vec<String> = [
            "S: 220 x",
            "C: EHLO y",
            "S: 250 z",
            "C: MAIL FROM:<s@x>",
            "S: 250 a",
            "C: RCPT TO:<n@x>",
            "S: 250 b",
            "C: DATA",
            "S: 354 c",
            "C: From: s@x",
            "C: Subject: Network change: x",
            "C: ",
            "C: body",
            "C: .",
            "S: 250 kept",
            "C: QUIT",
        ]
        .map(str::to_owned)
        .to_vec();
        let lines = envelope(&spoken, "Network");
        let lines: Vec<String> =
            lines.iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            ["MAIL FROM:<s@x> 250 a", "RCPT TO:<n@x> 250 b", "DATA 354 c", "(the mail) 250 kept"]
        );
        assert!(envelope(&spoken, "Other").is_empty());
    }

    #[test]
    fn a_body_is_shown_as_a_mail_program_would() {
        let text =
            "Content-Transfer-Encoding: quoted-printable\r\n\r\na =E2=86=92 b=3D1 soft=\r\n line =\r\n";
        let mail = Received { from: String::new(), to: vec![], text: text.into() };
        assert_eq!(body(&mail), "a → b=1 soft line ");
        let plain = Received { text: "Subject: x\r\n\r\na =E2 b\r\n".into(), ..mail };
        assert_eq!(body(&plain), "a =E2 b\r\n");
    }

    #[test]
    fn an_address_cannot_break_out_of_the_configuration() {
        assert!(address("noc@example.com").is_ok());
        for bad in ["", "noc", "@x", "a@", "a\"@b", "a@b\nc", "a@b]"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert_eq!(server("[::1]:25"), Ok(("::1".into(), 25)));
        for bad in ["mail", ":25", "mail:x", "a b:25", "a\"b:25", "mail:99999"] {
            assert!(server(bad).is_err(), "{bad:?}");
        }
    }
}
