//! Where secrets must not stand: in the memory of a running server, where a core dump would have it, and in
//! all that it writes and says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::site::Site;

/// The key of a notifier, as it stands in its file, and what it means.
const KEY: &str = "Y2FuYXJ5LWluLW1lbW9yeS05YzFkLWNhbmFyeQ==";
const KEY_ITSELF: &str = "canary-in-memory-9c1d-canary";
/// What a source signs with.
const SIGNS: &str = "canary-of-a-source-that-signs-3b77e0";
/// What we show an identity provider.
const CLIENT: &str = "canary-of-an-identity-provider-e21f";
/// The master key of the stored secrets, and the same as its file holds it.
const MASTER: &str = "canary-of-the-master-key-32-byte";
/// A stored secret: the key of another notifier.
const STORED: &str = "Y2FuYXJ5LXN0b3JlZC01ZjBlMmI3YTkxYzQtY2FuYXJ5";
/// What an alert says: not a secret, and there to be found.
const SEEN: &str = "canary-in-memory-marker";

/// Longest wait for memory to be given back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of a page, in bytes, on every machine that Debian runs on and we build for.
const PAGE: u64 = 4_096;

/// Runs of pages of a process that are there and may be written, as (from, to).
fn present(pid: u32) -> Option<Vec<(u64, u64)>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let pages = std::fs::File::open(format!("/proc/{pid}/pagemap")).ok()?;
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for line in maps.lines().filter(|l| l.split(' ').nth(1).is_some_and(|p| p.starts_with("rw"))) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut entries = vec![0; usize::try_from((to - from) / PAGE * 8).ok()?];
        pages.read_exact_at(&mut entries, from / PAGE * 8).ok()?;
        for (n, entry) in entries.chunks_exact(8).enumerate() {
            let at = from + n as u64 * PAGE;
            // In memory, or in swap. Source: Documentation/admin-guide/mm/pagemap.rst of Linux.
            if u64::from_le_bytes(entry.try_into().ok()?) >> 62 == 0 {
                continue;
            }
            match runs.last_mut().filter(|r| r.1 == at) {
                Some(run) => run.1 = at + PAGE,
                None => runs.push((at, at + PAGE)),
            }
        }
    }
    Some(runs)
}

/// How often each of these stands in the writable memory of a process, in one pass; none when it must not be
/// read. `grep` looks, because it takes a tenth of a second for what a test build takes a minute for.
fn standing(pid: u32, needles: &[&str]) -> Option<BTreeMap<String, usize>> {
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let runs = present(pid)?;
    let mut command = Command::new("grep");
    command.args(["-a", "-o", "-z", "-F"]).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    for needle in needles {
        command.args(["-e", needle]);
    }
    let mut grep = command.spawn().expect("grep is part of every system");
    let mut into = grep.stdin.take().unwrap();
    let mut read = 0_u64;
    for (mut at, to) in runs {
        while at < to {
            let mut piece = vec![0; usize::try_from((to - at).min(4 << 20)).unwrap()];
            if memory.read_exact_at(&mut piece, at).is_err() {
                break;
            }
            (at, read) = (at + piece.len() as u64, read + piece.len() as u64);
            into.write_all(&piece).unwrap();
        }
        into.write_all(&[0]).unwrap();
    }
    drop(into);
    let found = grep.wait_with_output().unwrap().stdout;
    assert!(read > 1 << 20, "only {read} bytes of the server were there to be read");
    let mut count: BTreeMap<String, usize> = needles.iter().map(|n| ((*n).to_owned(), 0)).collect();
    for one in found.split(|b| *b == 0).filter(|o| !o.is_empty()) {
        *count.entry(String::from_utf8_lossy(one).into_owned()).or_default() += 1;
    }
    eprintln!("memory: {} MiB of the server searched for {} texts", read >> 20, needles.len());
    Some(count)
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn furnished() -> Site {
    let site = Site::new();
    let config = site.config();
    let write = |path: &str, text: &str| std::fs::write(config.join(path), text).unwrap();
    write("secrets/canary.key", &format!("whsec_{KEY}\n"));
    write("secrets/generic-scanner.key", &format!("{SIGNS}\n"));
    write("secrets/sso.secret", &format!("{CLIENT}\n"));
    write("secrets/master.key", &format!("{}\n", hex(MASTER)));
    for file in ["canary.key", "generic-scanner.key", "sso.secret", "master.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let at = config.join("secrets").join(file);
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    write(
        "connectors/canary.yaml",
        "notifiers:\n  - { name: canary, type: webhook, url: \"http://127.0.0.1:9/hook\", secret: { file: secrets/canary.key } }\n",
    );
    let server = std::fs::read_to_string(config.join("stanch.yaml")).unwrap();
    write("stanch.yaml", &format!("{server}\nsecrets: {{ key: {{ file: secrets/master.key }} }}\n"));
    let people = std::fs::read_to_string(config.join("policies/people.yaml")).unwrap();
    let provider = "\nprovider:\n  title: SSO\n  issuer: http://127.0.0.1:9\n  client_id: stanch\n  client_secret: { file: secrets/sso.secret }\n  url: http://127.0.0.1:7878\n  roles: [{ group: soc, role: viewer }]\n";
    write(
        "policies/people.yaml",
        &format!("{}{provider}", people.replace("notifier: mail", "notifier: canary")),
    );
    site
}

/// What the server answers to this request.
fn exchange(address: &str, request: &str) -> Vec<u8> {
    let mut line = std::net::TcpStream::connect(address).unwrap();
    line.write_all(request.as_bytes()).unwrap();
    let mut said = Vec::new();
    line.read_to_end(&mut said).unwrap();
    said
}

/// A delivery that is signed as its source has to.
fn signed(address: &str) {
    let body =
        r#"{"findings":[{"title":"open port","check_id":"p-1","severity":3,"host":{"ip":"10.0.0.9"}}]}"#;
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SIGNS.as_bytes());
    let tag = ring::hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let tag: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let said = exchange(
        address,
        &format!(
            "POST /in/generic-scanner HTTP/1.1\r\nhost: {address}\r\nx-signature: sha256={tag}\r\nx-timestamp: {at}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(said.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&said));
}

/// A request as our own page makes it.
fn page(address: &str, first: &str, headers: &str, body: &str) -> String {
    let said = exchange(
        address,
        &format!(
            "{first} HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\nx-stanch-console: 1\r\n{headers}\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
    );
    String::from_utf8(said).unwrap()
}

/// What an administrator's browser does: comes in, makes a token for a program, and goes. Gives what the
/// session was named and the token.
fn comes_and_goes(address: &str, admin: &str) -> (String, String) {
    let came = page(address, "POST /api/v1/session", &format!("authorization: Bearer {admin}\r\n"), "");
    let set = came.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap_or_else(|| panic!("{came}"));
    let cookie = format!("cookie: {}\r\n", set.split(';').next().unwrap());
    let id = set.split(['=', ';']).nth(1).unwrap().to_owned();
    let made = page(address, "POST /api/v1/tokens", &cookie, r#"{"name":"t","role":"viewer","lasts":"1h"}"#);
    let token = made.split("\"token\":\"").nth(1).and_then(|t| t.split('"').next());
    let token = token.unwrap_or_else(|| panic!("{made}")).to_owned();
    assert!(page(address, "DELETE /api/v1/session", &cookie, "").starts_with("HTTP/1.1 200"));
    assert!(page(address, "GET /api/v1/whoami", &cookie, "").starts_with("HTTP/1.1 401"), "it is over");
    (id, token)
}

fn admin(site: &Site) -> String {
    std::fs::read_to_string(site.config().join("secrets/admin.token")).unwrap().trim().to_owned()
}

#[test]
fn no_secret_that_was_read_and_used_stands_in_memory() {
    let mut site = furnished();
    let address = site.serve_logged(&site.dir.path().join("log"));
    let alert = format!(
        r#"{{"timestamp":"2026-03-03T22:10:00.000000+0000","event_type":"alert","src_ip":"10.0.0.5","dest_ip":"203.0.113.66","proto":"TCP","dest_port":443,"alert":{{"signature_id":2028765,"signature":"ET MALWARE {SEEN}","category":"A Network Trojan was detected","severity":1}}}}"#
    );
    site.pipe(&["ingest", "-", "--source", "suricata"], alert.as_bytes()).ends(0);
    signed(&address);
    let set = ["secret", "set", "kept", "--connector", "second", "--host", "127.0.0.1:9"];
    site.pipe(&set, format!("whsec_{STORED}").as_bytes()).ends(0);
    let second = "notifiers:\n  - { name: second, type: webhook, url: \"http://127.0.0.1:9/hook\", secret: { stored: kept } }\n";
    std::fs::write(site.config().join("connectors/second.yaml"), second).unwrap();
    site.run(&["reload", "--as", "admin"]).ends(0);
    // What came in a request may lie in a buffer for a while; another process never saw it.
    assert_eq!(site.stop(), Some(0));
    let address = site.serve_logged(&site.dir.path().join("log"));
    signed(&address);
    site.pipe(&["ingest", "-", "--source", "suricata"], crate::site::intrusion().as_bytes()).ends(0);
    site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
    site.run(&["reload", "--as", "admin"]).ends(0);
    let master = hex(MASTER);
    let secrets = [KEY, KEY_ITSELF, SIGNS, CLIENT, MASTER, master.as_str(), STORED];
    let Some(found) = standing(site.pid(), &[&secrets[..], &[SEEN]].concat()) else {
        eprintln!("skipped: the memory of the server must not be read here (this needs root)");
        return;
    };
    assert!(found[SEEN] > 0, "the search finds what is there");
    for secret in secrets {
        assert_eq!(found[secret], 0, "{secret}");
    }
}

#[test]
fn what_came_in_requests_that_are_over_stands_nowhere_in_memory() {
    let mut site = furnished();
    let address = site.serve_logged(&site.dir.path().join("log"));
    let admin = admin(&site);
    let mut shown = vec![admin.clone()];
    for _ in 0..50 {
        let (id, token) = comes_and_goes(&address, &admin);
        shown.extend([id, token]);
    }
    let texts: Vec<&str> = shown.iter().map(String::as_str).collect();
    let begun = std::time::Instant::now();
    // A line that is closed here may be let go of a moment later there, with what came by it.
    loop {
        assert!(page(&address, "GET /healthz", "", "").starts_with("HTTP/1.1 200"));
        let Some(mut found) = standing(site.pid(), &texts) else {
            eprintln!("skipped: the memory of the server must not be read here (this needs root)");
            return;
        };
        found.retain(|_, n| *n > 0);
        eprintln!(
            "memory: {} of {} texts of requests that are over still stand there",
            found.len(),
            texts.len()
        );
        if found.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "these do not go: {found:?}");
    }
}

#[test]
fn a_server_that_dies_leaves_no_core_behind() {
    let mut site = furnished();
    site.serve();
    let pid = site.pid();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let killed = std::process::Command::new("kill").args(["-ABRT", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = site.wait();
    assert!(!ended.success() && !format!("{ended:?}").contains("core dumped"), "{ended:?}");
}

/// Every file below a folder.
fn files(at: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(at).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// What the server answers to a person who may see everything.
fn answer(address: &str, path: &str, token: &str) -> Vec<u8> {
    let who = format!("host: {address}\r\nauthorization: Bearer {token}\r\nconnection: close");
    exchange(address, &format!("GET {path} HTTP/1.1\r\n{who}\r\n\r\n"))
}

#[test]
fn no_secret_stands_in_what_the_server_writes_logs_or_answers() {
    let mut site = furnished();
    let log = site.dir.path().join("log");
    let address = site.serve_logged(&log);
    site.pipe(
        &["secret", "set", "kept", "--connector", "canary", "--host", "127.0.0.1:9"],
        STORED.as_bytes(),
    )
    .ends(0);
    site.pipe(&["ingest", "-", "--source", "suricata"], crate::site::intrusion().as_bytes()).ends(0);
    site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
    site.run(&["reload", "--as", "admin"]).ends(0);
    signed(&address);
    let (session, token) = comes_and_goes(&address, &admin(&site));
    let wrong = format!("stanch_{}", "5a".repeat(32));
    for headers in [format!("authorization: Bearer {wrong}\r\n"), format!("cookie: stanch-1={wrong}\r\n")] {
        assert!(page(&address, "GET /api/v1/whoami", &headers, "").starts_with("HTTP/1.1 401"));
    }
    let in_address = page(&address, &format!("GET /api/v1/whoami?token={wrong}"), "", "");
    assert!(in_address.starts_with("HTTP/1.1 401"), "{in_address}");

    let mut places = Vec::new();
    files(&site.config().join("secrets"), &mut places);
    let mut needles: Vec<Vec<u8>> =
        [STORED, KEY, KEY_ITSELF, SIGNS, CLIENT, MASTER, &session, &token, &wrong]
            .map(|n| n.as_bytes().to_vec())
            .into();
    needles.extend(places.iter().map(|p| std::fs::read(p).unwrap().trim_ascii().to_vec()));
    needles.retain(|n| n.len() >= 16);
    let coded_hex = |n: &[u8]| n.iter().map(|b| format!("{b:02x}")).collect::<String>().into_bytes();
    let coded: Vec<Vec<u8>> = needles.iter().map(|n| coded_hex(n)).collect();
    needles.extend(coded);
    assert!(needles.len() >= 20, "{} canaries", needles.len());

    let admin = admin(&site);
    let api: serde_json::Value = {
        let said = answer(&address, "/api/v1/openapi.json", admin.trim());
        let at = memchr::memmem::find(&said, b"\r\n\r\n").unwrap();
        serde_json::from_slice(&said[at + 4..]).unwrap()
    };
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        // An answer without an end is not one.
        if item.get("get").is_some() && !path.contains('{') && !path.ends_with("/events") {
            texts.push((path.clone(), answer(&address, path, admin.trim())));
        }
    }
    assert!(texts.len() > 20, "{} answers", texts.len());
    assert_eq!(site.stop(), Some(0));
    let mut written = vec![log];
    files(&site.config().join(".stanch"), &mut written);
    assert!(written.len() > 4, "{written:?}");
    texts.extend(written.iter().map(|p| (p.display().to_string(), std::fs::read(p).unwrap())));
    let seen =
        |needle: &[u8]| texts.iter().filter(|(_, t)| memchr::memmem::find(t, needle).is_some()).count();
    assert!(seen(b"ET MALWARE Cobalt Strike") > 1, "the search finds what is there");
    for (place, text) in &texts {
        for (n, needle) in needles.iter().enumerate() {
            assert!(memchr::memmem::find(text, needle).is_none(), "canary {n} stands in {place}");
        }
    }
}
