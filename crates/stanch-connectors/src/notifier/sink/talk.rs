//! One SMTP conversation, from the server's side. Source: RFC 5321.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{MAIL_LIMIT, Received, SinkFault, State};

/// Bytes of one line at most. Source: RFC 5321 §4.5.3.1 asks for 512 and 1000 at least.
const LINE_LIMIT: u64 = 8 * 1024;
const RECIPIENTS: usize = 100;
/// How long a client may keep silent. Source: RFC 5321 §4.5.3.2.7 asks for 5 minutes of a real server.
const SILENCE: Duration = Duration::from_secs(60);

struct Talk<'a> {
    stream: BufReader<TcpStream>,
    state: &'a State,
    from: Option<String>,
    to: Vec<String>,
}

/// Whether the conversation goes on.
enum Next {
    On,
    End,
}

/// Talks until the client leaves.
pub(super) async fn talk(stream: TcpStream, state: &State) {
    let mut talk = Talk { stream: BufReader::new(stream), state, from: None, to: Vec::new() };
    // A client that leaves in the middle of a sentence has left all the same.
    let _ = talk.run().await;
}

impl Talk<'_> {
    async fn run(&mut self) -> std::io::Result<()> {
        self.say("220 stanch-sink ESMTP keeps everything, delivers nothing").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            self.state.write("C", if verb == "AUTH" { "AUTH PLAIN ***" } else { &line });
            if let Some(reply) = self.state.answer_to(&verb) {
                self.say(&reply).await?;
                continue;
            }
            if let Next::End = self.obey(&verb, &line).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn obey(&mut self, verb: &str, line: &str) -> std::io::Result<Next> {
        match verb {
            "HELO" => self.say("250 stanch-sink").await?,
            "EHLO" => {
                self.say("250-stanch-sink").await?;
                if self.state.offers_auth {
                    self.say("250-AUTH PLAIN").await?;
                }
                self.say("250-8BITMIME").await?;
                self.say(&format!("250 SIZE {MAIL_LIMIT}")).await?;
            }
            "AUTH" if self.state.offers_auth => self.say("235 2.7.0 welcome").await?,
            "MAIL" => match path(line, "FROM:") {
                Some(from) => {
                    (self.from, self.to) = (Some(from), Vec::new());
                    self.say("250 2.1.0 sender taken").await?;
                }
                None => self.say("501 5.5.4 say MAIL FROM:<address>").await?,
            },
            "RCPT" => self.recipient(line).await?,
            "DATA" if self.to.is_empty() => self.say("503 5.5.1 first MAIL, then RCPT").await?,
            "DATA" => {
                self.say("354 end with a single dot").await?;
                return self.mail().await;
            }
            "RSET" => {
                (self.from, self.to) = (None, Vec::new());
                self.say("250 2.0.0 forgotten").await?;
            }
            "NOOP" => self.say("250 2.0.0 still here").await?,
            "QUIT" => {
                self.say("221 2.0.0 goodbye").await?;
                return Ok(Next::End);
            }
            _ => self.say("502 5.5.2 not understood").await?,
        }
        Ok(Next::On)
    }

    async fn recipient(&mut self, line: &str) -> std::io::Result<()> {
        match path(line, "TO:") {
            _ if self.from.is_none() => self.say("503 5.5.1 first MAIL").await,
            _ if self.to.len() >= RECIPIENTS => self.say("452 4.5.3 too many recipients").await,
            Some(to) if !to.is_empty() => {
                self.to.push(to);
                self.say("250 2.1.5 recipient taken").await
            }
            _ => self.say("501 5.5.4 say RCPT TO:<address>").await,
        }
    }

    /// Reads a mail up to its dot, also when it is too large: then it is read and thrown away.
    async fn mail(&mut self) -> std::io::Result<Next> {
        let mut text = Vec::new();
        let mut too_large = false;
        loop {
            let Some(line) = self.line().await? else { return Ok(Next::End) };
            self.state.write("C", &String::from_utf8_lossy(&line));
            if line == b"." {
                break;
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            too_large |= text.len() + line.len() + 2 > MAIL_LIMIT;
            if !too_large {
                text.extend_from_slice(line);
                text.extend_from_slice(b"\r\n");
            }
        }
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if too_large {
            self.say("552 5.3.4 too large").await?;
            return Ok(Next::On);
        }
        if let Some(reply) = self.state.answer_to(".") {
            self.say(&reply).await?;
            return Ok(Next::On);
        }
        let kept = self.state.keep(Received { from, to, text: String::from_utf8_lossy(&text).into_owned() });
        match (self.state.after_data(), kept) {
            (Some(SinkFault::DropAfterData), _) => return Ok(Next::End),
            (Some(SinkFault::SilentAfterData), _) => {
                // Waits for the client to lose patience.
                while self.line().await?.is_some() {}
                return Ok(Next::End);
            }
            (_, Some(number)) => self.say(&format!("250 2.0.0 kept as mail {number}")).await?,
            (_, None) => self.say("452 4.3.1 no room").await?,
        }
        Ok(Next::On)
    }

    async fn say(&mut self, reply: &str) -> std::io::Result<()> {
        self.state.write("S", reply);
        self.stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await
    }

    /// One line without its end; none when the client left, kept silent or did not end its line.
    async fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_LIMIT);
        let read = tokio::time::timeout(SILENCE, limited.read_until(b'\n', &mut line)).await;
        match read {
            Ok(Ok(_)) if line.ends_with(b"\n") => {}
            Ok(Err(e)) => return Err(e),
            _ => return Ok(None),
        }
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
        Ok(Some(line))
    }
}

/// The address in `MAIL FROM:<a@b> SIZE=1`; empty for `<>`.
fn path(line: &str, word: &str) -> Option<String> {
    let rest = line.get(5..)?.trim_start();
    let (head, rest) = (rest.get(..word.len())?, rest.get(word.len()..)?);
    let inner = rest.trim_start().strip_prefix('<')?;
    head.eq_ignore_ascii_case(word).then(|| inner.split_once('>').map(|(address, _)| address.to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::Sink;

    #[test]
    fn a_path_is_read_with_its_parameters_cut_off() {
        assert_eq!(
            path("MAIL FROM:<a@example.org> BODY=8BITMIME", "FROM:"),
            Some("a@example.org".to_owned())
        );
        assert_eq!(path("rcpt to: <b@example.org>", "TO:"), Some("b@example.org".to_owned()));
        assert_eq!(path("MAIL FROM:<>", "FROM:"), Some(String::new()));
        for bad in ["MAIL", "MAIL a@example.org", "MAIL FROM:a@example.org", "MAIL FROM:<a", "MAIL ü"] {
            assert_eq!(path(bad, "FROM:"), None, "{bad}");
        }
    }

    /// Sends all at once and reads until the server closes.
    async fn converse(sink: &Sink, said: &str) -> String {
        let mut stream = TcpStream::connect(sink.addr()).await.expect("connected");
        stream.write_all(said.as_bytes()).await.expect("sent");
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.expect("heard");
        heard.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    }

    #[tokio::test]
    async fn a_mail_is_kept_with_its_dots_unstuffed_and_order_is_enforced() {
        let sink = Sink::start().await.expect("started");
        let said = "HELO me\r\nDATA\r\nRCPT TO:<b@example.org>\r\nMAIL FROM:<a@example.org>\r\nRSET\r\nNOOP\r\n\
                    MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n y\r\n\r\n..dot\r\n\
                    .\r\nHELP\r\nQUIT\r\n";
        assert_eq!(converse(&sink, said).await, "220 250 503 503 250 250 250 250 250 354 250 502 221");
        let mails = sink.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].header("subject").as_deref(), Some("x y"));
        assert_eq!(mails[0].body(), ".dot\r\n");
        assert_eq!(sink.transcript().last().map(String::as_str), Some("S: 221 2.0.0 goodbye"));
    }

    #[tokio::test]
    async fn a_mail_that_is_too_large_is_refused_and_the_conversation_goes_on() {
        let sink = Sink::start().await.expect("started");
        let big = format!("{}\r\n", "x".repeat(1_000)).repeat(1_100);
        let said = format!("MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n{big}.\r\nNOOP\r\nQUIT\r\n");
        assert_eq!(converse(&sink, &said).await, "220 250 250 354 552 250 221");
        assert_eq!(sink.mails(), vec![]);
    }

    #[tokio::test]
    async fn mails_are_also_written_to_a_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let sink = Sink::start_in_folder(dir.path().join("mail")).await.expect("started");
        converse(&sink, "MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n").await;
        let text = std::fs::read_to_string(dir.path().join("mail/000001.eml")).expect("written");
        assert_eq!(text, "hello\r\n");
    }
}
