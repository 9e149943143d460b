//! What the helper processes of a lab do: listen, probe, hold a connection, clean up.
//!
//! Each ends when its input ends, which is when the process that started it is gone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stanch_model::Span;

use super::{Beat, Probe, owner, remove_ns};
use crate::responder::run;

const BANNER: &[u8] = b"stanch lab\n";
/// At most this many bytes are read as one line.
const LINE: u64 = 1_024;

/// The whole helper. `args` is what follows the helper's own argv prefix:
///
/// - `listen ADDRESS:PORT` prints the bound address, then greets and echoes until its input ends.
/// - `probe ADDRESS:PORT MILLISECONDS` prints one [`Probe`] as a JSON line.
/// - `hold ADDRESS:PORT EVERY_MS WITHIN_MS` prints one [`Beat`] as a JSON line for each line sent.
/// - `reap NAMESPACE…` waits for the end of its input, then removes those namespaces of a lab.
#[must_use]
pub fn helper_main(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["listen", address] => parse(address).and_then(listen),
        ["probe", address, within] => parse(address).and_then(|a| say(&probe(a, millis(within)))),
        ["hold", address, every, within] => {
            parse(address).and_then(|a| hold(a, millis(every), millis(within)))
        }
        ["reap", names @ ..] => {
            reap(names);
            Ok(())
        }
        _ => Err(io::Error::other("usage: listen A:P | probe A:P MS | hold A:P MS MS | reap NS…")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Nobody may be listening any more; then there is nobody to tell.
            let _ = writeln!(io::stderr(), "{e}");
            ExitCode::FAILURE
        }
    }
}

fn parse(address: &str) -> io::Result<SocketAddr> {
    address.parse().map_err(|_| io::Error::other(format!("{address:?} is no address with port")))
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or(1_000))
}

fn span(since: Instant) -> Span {
    Span(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX))
}

fn say(what: &impl serde::Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(what)?)?;
    out.flush()
}

/// Ends this process as soon as its input ends.
fn end_with_parent() {
    std::thread::spawn(|| {
        wait_for_end_of_input();
        std::process::exit(0);
    });
}

fn wait_for_end_of_input() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}

fn listen(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    end_with_parent();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || greet_and_echo(stream));
    }
    Ok(())
}

fn greet_and_echo(mut stream: TcpStream) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    stream.write_all(BANNER)?;
    let mut back = stream.try_clone()?;
    io::copy(&mut stream, &mut back)
}

fn probe(address: SocketAddr, within: Duration) -> Probe {
    let start = Instant::now();
    match open(address, within) {
        Ok(_) => Probe::Open { took: span(start) },
        Err(e) if is_silence(&e) => Probe::Blocked { after: span(start) },
        Err(e) => Probe::Refused { why: e.to_string() },
    }
}

fn is_silence(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// Connects and reads the banner, all within the time given.
fn open(address: SocketAddr, within: Duration) -> io::Result<BufReader<TcpStream>> {
    let start = Instant::now();
    let stream = TcpStream::connect_timeout(&address, within)?;
    let left = within.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    match line(&mut reader)?.as_bytes() == BANNER {
        true => Ok(reader),
        false => Err(io::Error::other("somebody else answered")),
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    match reader.by_ref().take(LINE).read_line(&mut text)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(text),
    }
}

fn hold(address: SocketAddr, every: Duration, within: Duration) -> io::Result<()> {
    end_with_parent();
    let lost = |why: String| say(&Beat::Lost { why });
    let mut reader = match open(address, within) {
        Ok(reader) => reader,
        Err(e) => return lost(e.to_string()),
    };
    reader.get_ref().set_read_timeout(Some(within))?;
    for count in 0_u64.. {
        let start = Instant::now();
        let sent = reader.get_mut().write_all(format!("{count}\n").as_bytes());
        match sent.and_then(|()| line(&mut reader)) {
            Ok(_) => say(&Beat::Echo { took: span(start) })?,
            Err(e) if is_silence(&e) => return lost(format!("no echo within {} ms", within.as_millis())),
            Err(e) => return lost(e.to_string()),
        }
        std::thread::sleep(every);
    }
    Ok(())
}

/// Removes only what is named like a namespace of a lab, whatever it was handed.
fn reap(names: &[&str]) {
    wait_for_end_of_input();
    let Some(ip) = run::find("ip") else { return };
    for name in
        names.iter().filter(|name| owner(name).is_some() && Path::new("/run/netns").join(name).exists())
    {
        remove_ns(&ip, name);
    }
}
