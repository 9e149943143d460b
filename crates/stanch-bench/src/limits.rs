//! What this machine can do at most: the same work without anything around it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use rusqlite::{Connection, params};

use crate::load::{Door, drive};

/// Records in one group.
const GROUP: usize = 512;
/// Syncs of which the one in the middle is taken.
const SYNCS: usize = 500;
/// How long each is measured.
const TIME: Duration = Duration::from_secs(2);

/// Requests a second that HTTP alone takes: the body is read, nothing is done with it, and the answer is 202.
pub(crate) fn http(bodies: &[Vec<u8>], connections: usize) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let door = Door { address: listener.local_addr()?, path: "/".to_owned(), token: None };
    let listener = listener.tap_io(|stream| {
        // Without it an answer may wait for the acknowledgement of the one before; the rate shows it.
        stream.set_nodelay(true).ok();
    });
    let app = Router::new().route("/", post(|_: Bytes| async { StatusCode::ACCEPTED }));
    runtime.spawn(async move { axum::serve(listener, app).await });
    let driven = drive(&door, bodies, connections)?;
    Ok(bodies.len() as f64 / driven.wall.as_secs_f64())
}

/// Records of 512 bytes a second, appended to a growing file, 512 to a sync.
pub(crate) fn append(dir: &Path) -> Result<f64> {
    let mut file = std::fs::File::create(dir.join("append"))?;
    let group = vec![b'x'; GROUP * 512];
    let (began, mut records) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        file.write_all(&group)?;
        file.sync_data()?;
        records += GROUP;
    }
    Ok(records as f64 / began.elapsed().as_secs_f64())
}

/// Milliseconds of one sync, the one in the middle of many: 4 KiB written over zeros that are there, the
/// least that a disk can be asked for.
pub(crate) fn sync(dir: &Path) -> Result<f64> {
    use std::os::unix::fs::FileExt as _;
    let mut file = std::fs::File::create(dir.join("sync"))?;
    file.write_all(&vec![0; 4_096 * SYNCS])?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(SYNCS);
    for n in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&[b'x'; 4_096], n as u64 * 4_096)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took[SYNCS / 2].as_secs_f64() * 1e3)
}

/// Rows a second: SQLite, log ahead, synchronous FULL, nine in ten rows known already.
pub(crate) fn upsert(dir: &Path) -> Result<f64> {
    let mut db = Connection::open(dir.join("upsert.db"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(
        "CREATE TABLE alert (id INTEGER PRIMARY KEY, key BLOB UNIQUE, count INTEGER, body BLOB)",
    )?;
    let body = vec![b'x'; 390];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (began, mut rows) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        let group = db.transaction()?;
        {
            let mut put = group.prepare_cached(
                "INSERT INTO alert (key, count, body) VALUES (?1, 1, ?2) ON CONFLICT (key) DO UPDATE SET count = count + 1",
            )?;
            for _ in 0..GROUP {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // A tenth as many keys as rows that will be written, spread by a multiplication.
                let key = (random % (rows as u64 / 10 + 51)).wrapping_mul(0x2545_f491_4f6c_dd1d);
                let key = [key.to_be_bytes(), key.rotate_left(32).to_be_bytes()].concat();
                put.execute(params![key, body])?;
            }
        }
        group.commit()?;
        rows += GROUP;
    }
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}
