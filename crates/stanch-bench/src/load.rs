//! The load: HTTP/1.1 on kept-open connections, requests made before the clock starts.
//!
//! One thread and hand-made requests, so that the driver takes little of the machine it measures;
//! the same driver for every peer.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Where and how to post.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
}

impl Door {
    /// A whole request, ready to be written.
    pub(crate) fn request(&self, body: &[u8]) -> Vec<u8> {
        let token = self.token.as_ref().map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\n{token}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.path,
            self.address,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }
}

/// What came of a load.
#[derive(Clone, Debug)]
pub(crate) struct Driven {
    /// From the first byte sent to the last answer.
    pub(crate) wall: Duration,
    /// How long each request took, sorted.
    pub(crate) each: Vec<Duration>,
    /// Requests that were answered 503 and sent again.
    pub(crate) again: u64,
}

impl Driven {
    /// A quantile of the requests, in thousandths.
    pub(crate) fn quantile(&self, thousandths: usize) -> Duration {
        self.each.get((self.each.len().saturating_sub(1)) * thousandths / 1_000).copied().unwrap_or_default()
    }
}

/// Sends all requests over `connections`, each as soon as the one before it is answered.
pub(crate) fn drive(door: &Door, bodies: &[Vec<u8>], connections: usize) -> Result<Driven> {
    let requests: Rc<Vec<Vec<u8>>> = Rc::new(bodies.iter().map(|b| door.request(b)).collect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(door.address).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            streams.push(Wire { stream, buffer: Vec::with_capacity(4_096) });
        }
        let next = Rc::new(Cell::new(0));
        let began = Instant::now();
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|wire| tokio::task::spawn_local(one(wire, requests.clone(), next.clone())))
            .collect();
        let (mut each, mut again) = (Vec::with_capacity(requests.len()), 0);
        for task in tasks {
            let (took, repeated) = task.await??;
            each.extend(took);
            again += repeated;
        }
        let wall = began.elapsed();
        each.sort_unstable();
        Ok(Driven { wall, each, again })
    })
}

async fn one(
    mut wire: Wire,
    requests: Rc<Vec<Vec<u8>>>,
    next: Rc<Cell<usize>>,
) -> Result<(Vec<Duration>, u64)> {
    let (mut took, mut again) = (Vec::new(), 0);
    loop {
        let n = next.get();
        let Some(request) = requests.get(n) else { return Ok((took, again)) };
        next.set(n + 1);
        let began = Instant::now();
        loop {
            let (status, body) = wire.exchange(request).await?;
            match status {
                200 | 202 => break,
                503 => {
                    again += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                other => bail!("answered {other}: {}", String::from_utf8_lossy(&body)),
            }
        }
        took.push(began.elapsed());
    }
}

/// What was answered within a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Answers a second.
    pub(crate) rate: f64,
    /// How long each answered request took, sorted.
    pub(crate) each: Vec<Duration>,
    /// What was spent meanwhile, as the caller counts it.
    pub(crate) spent: f64,
}

impl Window {
    /// A quantile of the requests in milliseconds, in thousandths.
    pub(crate) fn ms(&self, thousandths: usize) -> f64 {
        let at = self.each.len().saturating_sub(1) * thousandths / 1_000;
        self.each.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
    }
}

/// Sends the same request over `connections` for a time, each as soon as the one before it is
/// answered. What is answered before `warm` is over is not counted; what is wrong ends it all.
pub(crate) fn drive_for(
    door: &Door,
    body: &[u8],
    connections: usize,
    [warm, time]: [Duration; 2],
    right: fn(u16, &[u8]) -> bool,
    spent: impl Fn() -> Result<f64>,
) -> Result<Window> {
    let request = Rc::new(door.request(body));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (address, begins) = (door.address, Instant::now() + warm);
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let request = request.clone();
                tokio::task::spawn_local(async move {
                    let (mut wire, mut took) = (Wire::open(address).await?, Vec::new());
                    loop {
                        let began = Instant::now();
                        if began >= begins + time {
                            return anyhow::Ok(took);
                        }
                        // One that is not answered within the time does not count.
                        let left = (begins + time).saturating_duration_since(began);
                        let Ok(answer) = tokio::time::timeout(left, wire.exchange(&request)).await else {
                            return Ok(took);
                        };
                        let (status, body) = answer?;
                        if !right(status, &body) {
                            bail!("answered {status}: {}", String::from_utf8_lossy(&body));
                        }
                        if Instant::now() >= begins {
                            took.push(began.elapsed());
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep_until(begins.into()).await;
        let before = spent()?;
        tokio::time::sleep_until((begins + time).into()).await;
        let spent = spent()? - before;
        let mut each = Vec::new();
        for task in tasks {
            each.extend(task.await??);
        }
        each.sort_unstable();
        Ok(Window { rate: each.len() as f64 / time.as_secs_f64(), each, spent })
    })
}

/// One kept-open connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: Vec::new() })
    }

    /// Sends one request and reads its answer: status and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed before the answer");
            }
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let (status, length) = parse(self.buffer.get(..head).unwrap_or_default())?;
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the answer was cut off");
            }
        }
        Ok((status, self.buffer.get(head..head + length).unwrap_or_default().to_vec()))
    }
}

fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("an odd answer")?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).context("an odd answer")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok((status, length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_read_whatever_the_case() {
        assert_eq!(parse(b"HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n").unwrap(), (202, 12));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap(), (200, 0));
        assert!(parse(b"\r\n\r\n").is_err());
    }
}
