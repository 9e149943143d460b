//! A server that acknowledges too early: the harness must notice, or it proves nothing.
//!
//! It keeps lines in memory, writes them every 20 ms and never syncs. The real server has no such
//! mode and no hook for one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::Target;
use super::check::Found;

/// The verb under which this program plays the server.
pub(crate) const CONTROL_SERVER: &str = "crash-control-server";

/// This program itself.
pub(crate) fn target() -> Result<Target> {
    Ok(Target { binary: std::env::current_exe()?, reader: None })
}

/// What it kept, one line for each record.
pub(crate) fn records(data: &Path) -> Result<Vec<Found>> {
    let text = std::fs::read(data.join("lines")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let found = text.lines().filter_map(|line| {
        let (source, raw) = line.split_once('\t')?;
        let sound = serde_json::from_str::<serde_json::Value>(raw).is_ok();
        let place = if sound { "new" } else { "quarantined" };
        Some(Found { places: vec![place.to_owned()], raw: raw.to_owned(), source: source.to_owned() })
    });
    Ok(found.collect())
}

/// Plays the server until it is killed.
pub(crate) fn serve_control(words: &[String]) -> Result<ExitCode> {
    let data = words.first().context("which directory?")?;
    std::fs::create_dir_all(data)?;
    let file = Path::new(data).join("lines");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on http://{}", listener.local_addr()?);
    let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
    let waiting = lines.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let bytes = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
            file.write_all(&bytes).ok();
        }
    });
    for stream in listener.incoming() {
        let lines = lines.clone();
        std::thread::spawn(move || stream.map(|s| answer(s, &lines)));
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(stream: TcpStream, lines: &Mutex<Vec<u8>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut source, mut length) = (String::new(), 0);
        for n in 0.. {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if n == 0 {
                let path = line.split(' ').nth(1).unwrap_or_default();
                source = path.rsplit('/').next().unwrap_or_default().to_owned();
            } else if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.parse()?;
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let records: Vec<&[u8]> = body.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
        let mut kept = lines.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &records {
            kept.extend_from_slice(source.as_bytes());
            kept.push(b'\t');
            kept.extend_from_slice(record);
            kept.push(b'\n');
        }
        drop(kept);
        let text = format!("{{\"accepted\":{}}}", records.len());
        let head = format!("HTTP/1.1 202 Accepted\r\nContent-Length: {}\r\n\r\n", text.len());
        stream.get_mut().write_all((head + &text).as_bytes())?;
    }
}
