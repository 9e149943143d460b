//! Where secrets must not stand: in the memory of a running server, where a core dump would have it, and in
//! all that it writes and says.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::site::Site;

const KEY: &str = "Y2FuYXJ5LWluLW1lbW9yeS05YzFkLWNhbmFyeQ==";

/// How often a text stands in the writable memory of a process; none when it must not be read.
fn standing(pid: u32, needle: &[u8]) -> Option<usize> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut found = 0;
    for line in maps.lines().filter(|l| l.split(' ').nth(1).is_some_and(|p| p.starts_with("rw"))) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let (mut at, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut before = Vec::new();
        while at < to {
            let mut piece = vec![0; usize::try_from((to - at).min(1 << 20)).ok()?];
            if memory.read_exact_at(&mut piece, at).is_err() {
                break;
            }
            at += piece.len() as u64;
            // What lies across two pieces counts too.
            let whole = [before.as_slice(), &piece].concat();
            found += memchr::memmem::find_iter(&whole, needle).count();
            before = whole[whole.len().saturating_sub(needle.len() - 1)..].to_vec();
        }
    }
    Some(found)
}

fn furnished() -> Site {
    let site = Site::new();
    let config = site.config();
    std::fs::write(config.join("secrets/canary.key"), format!("whsec_{KEY}\n")).unwrap();
    std::fs::write(
        config.join("connectors/canary.yaml"),
        "notifiers:\n  - { name: canary, type: webhook, url: \"http://127.0.0.1:9/hook\", secret: { file: secrets/canary.key } }\n",
    )
    .unwrap();
    let people = config.join("policies/people.yaml");
    let text = std::fs::read_to_string(&people).unwrap();
    std::fs::write(&people, text.replace("notifier: mail", "notifier: canary")).unwrap();
    site
}

#[test]
fn a_secret_that_was_read_and_used_does_not_stand_in_memory() {
    let mut site = furnished();
    site.serve();
    let pid = site.pid();
    let alert = r#"{"timestamp":"2026-03-03T22:10:00.000000+0000","event_type":"alert","src_ip":"10.0.0.5","dest_ip":"203.0.113.66","proto":"TCP","dest_port":443,"alert":{"signature_id":2028765,"signature":"ET MALWARE canary-in-memory-marker","category":"A Network Trojan was detected","severity":1}}"#;
    let file = site.dir.path().join("eve.json");
    std::fs::write(&file, alert).unwrap();
    site.run(&["ingest", file.to_str().unwrap(), "--source", "suricata"]).ends(0);
    site.run(&["reload", "--as", "admin"]).ends(0);
    let Some(seen) = standing(pid, b"canary-in-memory-marker") else {
        eprintln!("skipped: the memory of the server must not be read here (this needs root)");
        return;
    };
    assert!(seen > 0, "the search finds what is there");
    assert_eq!(standing(pid, KEY.as_bytes()), Some(0), "the key as it stands in its file");
    assert_eq!(standing(pid, b"canary-in-memory-9c1d-canary"), Some(0), "the key itself");
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
    let mut line = std::net::TcpStream::connect(address).unwrap();
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    line.write_all(ask.as_bytes()).unwrap();
    let mut said = Vec::new();
    line.read_to_end(&mut said).unwrap();
    said
}

#[test]
fn no_secret_stands_in_what_the_server_writes_logs_or_answers() {
    let mut site = furnished();
    let log = site.dir.path().join("log");
    let address = site.serve_logged(&log);
    let stored = "canary-stored-5f0e2b7a91c4";
    site.pipe(
        &["secret", "set", "kept", "--connector", "canary", "--host", "127.0.0.1:9"],
        stored.as_bytes(),
    )
    .ends(0);
    site.pipe(&["ingest", "-", "--source", "suricata"], crate::site::intrusion().as_bytes()).ends(0);
    site.until(&["approvals"], |a| a["pending"].as_u64() > Some(0));
    site.run(&["reload", "--as", "admin"]).ends(0);

    let mut places = Vec::new();
    files(&site.config().join("secrets"), &mut places);
    let mut needles: Vec<Vec<u8>> = vec![stored.into(), KEY.into(), "canary-in-memory-9c1d-canary".into()];
    needles.extend(places.iter().map(|p| std::fs::read(p).unwrap().trim_ascii().to_vec()));
    needles.retain(|n| n.len() >= 16);
    let hex = |n: &[u8]| n.iter().map(|b| format!("{b:02x}")).collect::<String>().into_bytes();
    let coded: Vec<Vec<u8>> = needles.iter().map(|n| hex(n)).collect();
    needles.extend(coded);
    assert!(needles.len() >= 20, "{} canaries", needles.len());

    let admin = std::fs::read_to_string(site.config().join("secrets/admin.token")).unwrap();
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
