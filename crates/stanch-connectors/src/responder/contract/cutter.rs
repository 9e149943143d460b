//! A wire that breaks on demand: a relay between a responder and its target that loses one exchange.
//!
//! Requests are counted as pieces that arrive from the client, which holds for clients that wait for
//! each answer before they ask on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{Cut, Lost};

/// How long the answer that is to be lost is waited for, so that the target has surely acted.
const ANSWER: Duration = Duration::from_millis(1_500);

/// A relay; gone when dropped.
#[derive(Debug)]
pub(crate) struct Cutter(JoinHandle<()>);

impl Drop for Cutter {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Between TCP clients and `target`.
pub(crate) async fn tcp(target: SocketAddr, cut: Cut) -> (SocketAddr, Cutter) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("bound");
    let count = Arc::new(AtomicUsize::new(0));
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (cut, count) = (cut.clone(), count.clone());
            tokio::spawn(async move {
                let server = TcpStream::connect(target).await?;
                relay(client, server, &cut, &count).await
            });
        }
    });
    (at, Cutter(task))
}

/// Between clients of a socket in the file system and `target`.
pub(crate) async fn unix(at: PathBuf, target: PathBuf, cut: Cut) -> Cutter {
    let listener = UnixListener::bind(at).expect("a socket");
    let count = Arc::new(AtomicUsize::new(0));
    Cutter(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (cut, count, target) = (cut.clone(), count.clone(), target.clone());
            tokio::spawn(async move {
                let server = UnixStream::connect(target).await?;
                relay(client, server, &cut, &count).await
            });
        }
    }))
}

async fn relay<S>(client: S, server: S, cut: &Cut, count: &AtomicUsize) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let mut buffer = vec![0; 1 << 16];
    let mut answers = vec![0; 1 << 16];
    loop {
        tokio::select! {
            n = from_client.read(&mut buffer) => {
                let n = n?;
                if n == 0 {
                    return to_server.shutdown().await;
                }
                let strikes = count.fetch_add(1, Ordering::SeqCst) == cut.after;
                if strikes {
                    cut.struck.store(true, Ordering::SeqCst);
                }
                if strikes && cut.lost == Lost::Request {
                    return Ok(());
                }
                to_server.write_all(&buffer[..n]).await?;
                if strikes {
                    let _ = tokio::time::timeout(ANSWER, from_server.read(&mut answers)).await;
                    return Ok(());
                }
            }
            n = from_server.read(&mut answers) => {
                let n = n?;
                if n == 0 {
                    return to_client.shutdown().await;
                }
                to_client.write_all(&answers[..n]).await?;
            }
        }
    }
}

/// A program that stands before another and is killed at one of its calls: before it hands on, or
/// after the other has done its work. `dir` holds its count and the mark that it struck.
pub(crate) fn program(dir: &std::path::Path, real: &str, cut: Cut) -> (PathBuf, Watch) {
    let (count, struck) = (dir.join("count"), dir.join("struck"));
    std::fs::write(&count, "0").expect("written");
    let name = real.rsplit('/').next().expect("a name");
    let path = dir.join(name);
    let (count_at, struck_at) = (count.display(), struck.display());
    let deed = match cut.lost {
        Lost::Request => String::new(),
        Lost::Answer => format!("{real} \"$@\" >/dev/null 2>&1; "),
    };
    let script = format!(
        "#!/bin/sh\nn=$(cat {count_at}); echo $((n+1)) >{count_at}\n\
         if [ \"$n\" = {} ]; then {deed}: >{struck_at}; kill -9 $$; fi\nexec {real} \"$@\"\n",
        cut.after
    );
    std::fs::write(&path, script).expect("written");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    (path, Watch { mark: struck, cut })
}

/// Tells the cut that a program was killed, when it looks at it for the last time.
#[derive(Debug)]
pub(crate) struct Watch {
    mark: PathBuf,
    cut: Cut,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.mark.exists() {
            self.cut.struck.store(true, Ordering::SeqCst);
        }
    }
}
