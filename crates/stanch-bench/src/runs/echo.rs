//! The service that every engine calls: one for all of them, answering at once.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it answers to everything.
const ANSWER: &str = r#"{"known":true,"reputation":7}"#;

/// Starts it on a thread of its own; it runs until the program ends.
pub(super) fn start() -> Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let serve = async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    };
    std::thread::Builder::new().name("echo".into()).spawn(move || runtime.block_on(serve))?;
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut buffer = Vec::with_capacity(4_096);
    loop {
        while let Some(end) = request(&buffer)? {
            buffer.drain(..end);
            stream.write_all(whole.as_bytes()).await?;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the first request in the buffer ends; none while it is not whole.
fn request(buffer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(buffer.get(..head).unwrap_or_default()).context("an odd request")?;
    let field = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    if field("transfer-encoding").is_some() {
        // The last piece of a body in pieces is empty.
        let rest = buffer.get(head..).unwrap_or_default();
        return Ok(rest.windows(5).position(|w| w == b"0\r\n\r\n").map(|at| head + at + 5));
    }
    let length: usize = field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    Ok((buffer.len() >= head + length).then_some(head + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_after_its_body_however_that_is_sent() {
        let whole = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(request(whole).unwrap(), Some(whole.len()));
        assert_eq!(request(&whole[..whole.len() - 1]).unwrap(), None);
        let pieces = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET";
        assert_eq!(request(pieces).unwrap(), Some(pieces.len() - 3));
    }
}
