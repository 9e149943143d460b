//! What the memory of a running server shows: a canary is looked for where a core dump would have it.

use std::os::unix::fs::FileExt;

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
            found += whole.windows(needle.len()).filter(|w| *w == needle).count();
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
