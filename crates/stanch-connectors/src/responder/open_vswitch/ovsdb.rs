//! The database of a switch: JSON-RPC over a socket, one transaction at a time.
//!
//! Source: RFC 7047 (OVSDB), sections 4.1.3 (transact), 4.1.11 (echo), 5.1 (values).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use stanch_model::Failure;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::OvsRemote;

/// The most bytes one answer may have. A thousand ports with all columns we read take 600 kB.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// What a call gave.
pub(super) enum Answer {
    /// The result, as sent.
    Result(Value),
    /// The other side said why not.
    Error(String),
}

/// Why there is no answer.
pub(super) enum Lost {
    /// It was never sent: certain that nothing was done.
    NotSent(String),
    /// It was sent, and what came of it is not known.
    Sent(String),
}

impl Lost {
    /// For calls that change nothing.
    pub(super) fn harmless(self) -> Failure {
        let (Lost::NotSent(why) | Lost::Sent(why)) = self;
        Failure::transient(why)
    }

    /// For calls that change something.
    pub(super) fn of_change(self) -> Failure {
        match self {
            Lost::NotSent(why) => Failure::transient(why),
            Lost::Sent(why) => Failure::unknown(why),
        }
    }
}

/// One call on a fresh connection.
pub(super) async fn call(
    remote: &OvsRemote,
    method: &str,
    params: Value,
    timeout: Duration,
) -> Result<Answer, Lost> {
    let late = || format!("{remote} gave no answer within {} ms", timeout.as_millis());
    let unreachable = |e: std::io::Error| Lost::NotSent(format!("{remote} cannot be reached: {e}"));
    let connect = tokio::time::timeout(timeout, connect(remote));
    let mut stream = connect.await.map_err(|_| Lost::NotSent(late()))?.map_err(unreachable)?;
    let request = json!({ "id": 1, "method": method, "params": params }).to_string();
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        read(&mut stream).await
    };
    match tokio::time::timeout(timeout, talk).await {
        Err(_) => Err(Lost::Sent(late())),
        Ok(Err(e)) => Err(Lost::Sent(format!("{remote} was lost: {e}"))),
        Ok(Ok(answer)) => Ok(answer),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(remote: &OvsRemote) -> std::io::Result<Box<dyn Stream>> {
    Ok(match remote {
        OvsRemote::Unix(path) => Box::new(UnixStream::connect(path).await?),
        OvsRemote::Tcp(at) => Box::new(TcpStream::connect(at).await?),
    })
}

/// Reads until the answer to our one call is there; answers the other side's signs of life.
async fn read(stream: &mut Box<dyn Stream>) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.len() > ANSWER_LIMIT {
            return Err(std::io::Error::other("the answer is too large"));
        }
        let mut whole = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        let mut used = 0;
        let mut found = Vec::new();
        while let Some(Ok(message)) = whole.next() {
            used = whole.byte_offset();
            found.push(message);
        }
        bytes.drain(..used);
        for message in found {
            if message["method"] == "echo" {
                let back = json!({ "id": message["id"], "result": message["params"], "error": null });
                stream.write_all(back.to_string().as_bytes()).await?;
            } else if message["id"] == 1 {
                return Ok(match &message["error"] {
                    Value::Null => Answer::Result(message["result"].clone()),
                    error => Answer::Error(error.to_string()),
                });
            }
        }
    }
}

/// Where a switch daemon listens for questions about what it has learnt.
pub(super) fn control(path: &std::path::Path) -> OvsRemote {
    OvsRemote::Unix(PathBuf::from(path))
}
