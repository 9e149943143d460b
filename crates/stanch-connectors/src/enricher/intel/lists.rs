//! One indicator per line: plain lists, hosts files, filter lists, Spamhaus DROP (text and JSON lines).

use serde::Deserialize;

use super::{Intel, Mistakes, UNSAID_CONFIDENCE, brief, value};

/// Plain lists. Comments begin with `#`, `;` or `//`, also after an indicator. Hosts files
/// (`0.0.0.0 name`), filter lists (`||name^`) and DROP (`network ; reference`) are understood.
pub(super) fn plain(text: &str, intel: &mut Intel, mistakes: &mut Mistakes) {
    for (i, line) in text.lines().enumerate() {
        let (rest, reference) = without_comment(line);
        let mut words = rest.split_whitespace();
        let Some(first) = words.next() else { continue };
        let column = line.find(first).map_or(0, |at| line[..at].chars().count() + 1);
        let at = (i + 1, column);
        let hosts_file = matches!(first, "0.0.0.0" | "127.0.0.1" | "::" | "::1");
        let entry = intel.entry(UNSAID_CONFIDENCE, reference, None);
        if hosts_file && rest.split_whitespace().nth(1).is_some() {
            // The usual preamble of a hosts file names this very machine.
            let own = [
                "localhost",
                "localhost.localdomain",
                "local",
                "broadcasthost",
                "ip6-localhost",
                "ip6-loopback",
                "0.0.0.0",
            ];
            words.filter(|w| !own.contains(w)).for_each(|w| intel.take(w, entry, at, mistakes));
            continue;
        }
        let filter = first.strip_prefix("||").map(|f| f.split(['^', '$']).next().unwrap_or(f));
        if first.starts_with("@@") || first.starts_with('!') {
            mistakes.add(
                at,
                format!("\"{}\" is an exception or remark of a filter list; it is left out", brief(first)),
                "",
            );
            continue;
        }
        intel.take(filter.unwrap_or(first).trim_end_matches(','), entry, at, mistakes);
    }
}

/// The line without its comment, and the reference that DROP gives in one (`SBL123`).
fn without_comment(line: &str) -> (&str, Option<&str>) {
    let starts = |at: usize| at == 0 || line[..at].ends_with(char::is_whitespace);
    // `//` inside a URL and `#` inside its fragment are no comments: both need a space before them.
    let cut = line
        .char_indices()
        .find(|&(at, c)| match c {
            ';' => true,
            '#' => starts(at),
            '/' => starts(at) && line[at..].starts_with("//"),
            _ => false,
        })
        .map_or(line.len(), |(at, _)| at);
    let (rest, comment) = line.split_at(cut);
    let reference = comment.trim_start_matches([';', ' ']).split_whitespace().next();
    let reference =
        reference.filter(|r| r.strip_prefix("SBL").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())));
    (rest.trim(), reference)
}

/// A line of Spamhaus' JSON files. The last one is about the file itself.
#[derive(Deserialize)]
struct DropLine {
    cidr: Option<String>,
    sblid: Option<String>,
    asn: Option<u32>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Spamhaus `drop_v4.json` and `drop_v6.json`: objects `{cidr, sblid, rir}`, one per line.
/// Source: the published files; `asndrop.json` is listed as unusable, since no observable is an AS.
pub(super) fn json_lines(text: &str, intel: &mut Intel, mistakes: &mut Mistakes) {
    for (i, line) in text.lines().enumerate() {
        let at = (i + 1, 0);
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<DropLine>(line) {
            Ok(DropLine { cidr: Some(cidr), sblid, .. }) => {
                let entry = intel.entry(UNSAID_CONFIDENCE, sblid.as_deref(), None);
                match super::index::address(&cidr).map(value::address) {
                    Some(Ok(network)) => intel.add(network, entry),
                    Some(Err(why)) => {
                        mistakes.add(at, format!("\"{}\" {}", brief(&cidr), why.message), why.help)
                    }
                    None => mistakes.add(at, format!("\"{}\" is no network", brief(&cidr)), ""),
                }
            }
            Ok(DropLine { kind: Some(kind), .. }) if kind == "metadata" => {}
            Ok(DropLine { asn: Some(asn), .. }) => {
                mistakes.add(at, format!("AS{asn} is a network operator, which no observable is"), "");
            }
            Ok(_) => mistakes.add(
                at,
                "there is no \"cidr\" in this line",
                "lines read {\"cidr\": …, \"sblid\": …}",
            ),
            Err(e) => mistakes.add(at, format!("this line is not JSON: {e}"), ""),
        }
    }
}
