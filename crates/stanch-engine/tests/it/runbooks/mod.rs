//! The shipped playbooks on real alerts: through the real formats and stages into an incident, from the
//! incident into a run by its own trigger, people answer, devices change and change back, mails are
//! sent; and all of it is told in the same words as in `transcript.txt`.
//!
//! `STANCH_BLESS=1 cargo test -p stanch-engine runbooks` writes the transcripts anew.

mod firm;
mod show;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use stanch_connectors::format;
use stanch_connectors::format::generic::GenericFormat;
use stanch_core::journal::event::ActionEnd;
use stanch_engine::Received;
use stanch_model::port::{Delivery, Format, Parsed, Record};
use stanch_model::{Span, Timestamp};

use show::Show;

/// One delivery of a rehearsal: `<order>-<source>.<format>.json`.
struct Fixture {
    name: String,
    source: String,
    body: Vec<u8>,
    records: Vec<Record>,
}

fn format_of(folder: &Path, source: &str, name: &str) -> Box<dyn Format> {
    if name != "generic" {
        let built_in = format::FORMATS.iter().find(|f| f.name() == name);
        assert!(built_in.is_some(), "there is no format {name}");
    }
    match name {
        "suricata" => Box::new(format::suricata::Suricata),
        "wazuh" => Box::new(format::wazuh::Wazuh),
        "zeek" => Box::new(format::zeek::Zeek),
        "alertmanager" => Box::new(format::alertmanager::Alertmanager),
        "generic" => {
            let mapping = std::fs::read(folder.join(format!("{source}.mapping.json"))).unwrap();
            Box::new(GenericFormat::compile(source, serde_json::from_slice(&mapping).unwrap()).unwrap())
        }
        other => panic!("no rehearsal has used {other} yet: add it here"),
    }
}

/// The deliveries of a rehearsal, in order.
fn fixtures(folder: &Path) -> Vec<Fixture> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.starts_with(|c: char| c.is_ascii_digit()) && !n.ends_with(".mapping.json"))
        .collect();
    names.sort();
    let read = |name: String| {
        let mut parts = name.split('.');
        let (source, format) = (parts.next().unwrap().to_owned(), parts.next().unwrap());
        let body = std::fs::read(folder.join(&name)).unwrap();
        let received = Timestamp(1_790_000_000_000);
        let records = format_of(folder, &source, format).parse(Delivery { body: &body, received });
        Fixture { source: source.split_once('-').unwrap().1.to_owned(), name, body, records }
    };
    names.into_iter().map(read).collect()
}

/// Everything happens two seconds after the latest alert.
fn begin(fixtures: &[Fixture]) -> Timestamp {
    let time = |r: &Record| match &r.parsed {
        Ok(Parsed::Alert { alert, .. }) => Some(alert.time),
        Ok(_) | Err(_) => None,
    };
    fixtures.iter().flat_map(|f| f.records.iter().filter_map(time)).max().unwrap().plus(Span::secs(2))
}

/// Rehearses one case, and gives its transcript.
async fn rehearse(folder: &Path) -> String {
    let case = folder.file_name().unwrap().to_str().unwrap();
    let playbook = case.split('.').next().unwrap();
    let people = serde_json::from_slice(&std::fs::read(folder.join("people.json")).unwrap()).unwrap();
    let fixtures = fixtures(folder);
    let mut show = Show::new(firm::rules(), begin(&fixtures), people).await;
    for Fixture { name, source, body, records } in fixtures {
        let received = Received { source, site: "default".into(), body, records, retry_of: None };
        show.receive(&name, received);
        show.settle().await;
    }
    let incidents: Vec<_> =
        show.hand.state().incidents.values().filter(|i| i.merged_into.is_none()).map(|i| i.id).collect();
    assert_eq!(incidents.len(), 1, "{case}: one incident\n{}", show.lines.join("\n"));
    show.take(incidents[0]);
    show.play().await;
    let state = show.hand.state();
    let ran: BTreeSet<&str> = state.runs.values().map(|r| r.name.as_str()).collect();
    assert_eq!(ran, BTreeSet::from([playbook]), "{case} starts its own playbook and no other");
    let lasting = state.actions.values().filter(|a| a.lasting).count();
    for (name, device) in &show.devices {
        assert!(device.doubles().is_empty(), "{case}: {name} was changed twice");
        let stays = lasting > 0 && name == "directory";
        assert!(stays || device.device().is_empty(), "{case}: something is left on {name}");
    }
    assert_eq!(show.mail.mails().len(), show.sent, "{case}: every notice is a mail that arrived");
    let mut text = show.lines.join("\n");
    let lifted =
        state.actions.values().filter(|a| matches!(a.ended, Some((_, ActionEnd::Lifted, _)))).count();
    let (made, sent) = (state.actions.len(), show.sent);
    write!(
        text,
        "\n\n{made} changes: {lifted} lifted again, {lasting} for good; nothing else is left on a device\n"
    )
    .unwrap();
    writeln!(text, "{sent} mails, all delivered; no law broken").unwrap();
    text
}

fn cases() -> Vec<PathBuf> {
    let folder = firm::playbooks().join("rehearsals");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.is_dir());
    all.sort();
    all
}

#[tokio::test]
async fn every_shipped_playbook_goes_on_real_alerts_as_its_transcript_says() {
    let bless = std::env::var_os("STANCH_BLESS").is_some();
    let mut seen = BTreeSet::new();
    let mut other = Vec::new();
    for folder in cases() {
        let case = folder.file_name().unwrap().to_str().unwrap().to_owned();
        seen.insert(case.split('.').next().unwrap().to_owned());
        let (path, told) = (folder.join("transcript.txt"), rehearse(&folder).await);
        if bless {
            std::fs::write(&path, &told).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        if golden != told {
            let at = golden.lines().zip(told.lines()).position(|(a, b)| a != b);
            let at = at.unwrap_or_else(|| golden.lines().count().min(told.lines().count()));
            let line = |t: &str| t.lines().nth(at).unwrap_or("(its end)").to_owned();
            other.push(format!("{case}, line {}:\n  was {}\n  now {}", at + 1, line(&golden), line(&told)));
        }
    }
    assert!(
        other.is_empty(),
        "{}\nwrite them anew with STANCH_BLESS=1 and read the difference",
        other.join("\n")
    );
    let shipped: BTreeSet<String> = firm::rules().config.playbooks.iter().map(|p| p.name.clone()).collect();
    assert_eq!(seen, shipped, "each shipped playbook has a rehearsal");
}
