//! A small blocking HTTP/1.1 client for loopback: one connection, kept open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The longest an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of one server.
pub(crate) struct Client {
    address: String,
    token: String,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    /// For `address:port`, with a bearer token.
    pub(crate) fn new(address: &str, token: &str) -> Client {
        Client { address: address.to_owned(), token: token.to_owned(), open: None }
    }

    /// Posts a body.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Result<Answer> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address).context("cannot connect")?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.get_mut().write_all(&request).context("cannot send")?;
        let answer = read(&mut stream)?;
        self.open = Some(stream);
        Ok(answer)
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line).context("no answer")?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.with_context(|| format!("not an answer: {line:?}"))?;
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            bail!("the answer was cut off");
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("an odd length")?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).context("the answer was cut off")?;
    Ok(Answer { status, body })
}
