//! One sentence of a model, as text that can do no harm, or why it is left out.
//!
//! Strict, because leaving out costs little: the deterministic story tells the same. A name, a number or
//! an address that was not in what we sent is invented or smuggled in, so the sentence goes.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use super::Dropped;
use super::brief::Brief;

/// The longest sentence, in characters.
const LONGEST: usize = 400;

/// What calls for less attention, or decides in a person's place. A list of words is no proof: the proof
/// is that nothing can be done with the text; this keeps it from talking people out of looking.
const LOWERS: &str = r"(?i)\b(?:severity|priority|confidence|informational|benign|harmless|innocuous|legitimate|legit|false[ -]?(?:positive|alarm)s?|not (?:an? |any )?(?:real |actual |true )?(?:attack|threat|incident|malicious|suspicious|dangerous|concern|risk)|no (?:real |further |immediate |security )?(?:threat|risk|action|concern|impact|investigation|response|danger|need|reason)s?|nothing (?:to|is|was|happened|wrong|suspicious|malicious)|safe(?:ly)?|ignor\w+|dismiss\w*|disregard\w*|suppress\w*|silenc\w+|mut(?:e|ed|ing)|clos(?:e|es|ed|ing|ure)|resolv\w+|whitelist\w*|allow(?:ed|ing)?[ -]?list\w*|approv\w+|authori[sz]ed|releas\w+|unblock\w*|unlock\w*|unquarantine\w*|merg(?:e|ed|ing)|downgrad\w+|lower(?:ed|ing)?|deprioriti\w+|routine|expected|planned|scheduled|drill|exercise|simulat\w+|(?:a|the|our|internal|security) (?:test|scan|audit)\w*|penetration|red[ -]team\w*|do(?:es)? not (?:need|require|matter|investigate|escalate|block|act)|don'?t|stop (?:looking|investigating|monitoring)|no longer|stand down|kill[ -]switch|disabl\w+|turn(?:ed|ing)? off|switch(?:ed|ing)? off|uninstall\w*|instruction\w*|prompt\w*|system message|as an ai|language model|administrator says|ceo|call (?:the|us|this|now)|phone)\b";

struct Patterns {
    lowers: Regex,
    link: Regex,
    dotted: Regex,
    numbered: Regex,
    digits: Regex,
    id: Regex,
    name: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    Some(Patterns {
        lowers: Regex::new(LOWERS).ok()?,
        link: Regex::new(
            r"(?i)[a-z][a-z0-9+.\-]{1,20}:[/\\]|\bwww\.|\bh(?:xx|tt)ps?\b|\b(?:data|javascript|mailto|file|ftp|tel|sms|vbscript):|\.[a-z]{2,}[/:?#]|\[\.\]|\(dot\)|\[dot\]|@",
        )
        .ok()?,
        dotted: Regex::new(r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)+|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*").ok()?,
        numbered: Regex::new(r"[A-Za-z]+[-_#]?[0-9]+[A-Za-z0-9]*|[0-9]+[A-Za-z0-9]*").ok()?,
        digits: Regex::new(r"[0-9](?:[0-9]|[ ().\-/][0-9(]){5,}").ok()?,
        id: Regex::new(r"(?i)\b[a-z]{1,6}-[0-9]+\b").ok()?,
        name: Regex::new(r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*\.[A-Za-z]{2,}").ok()?,
    })
});

/// The sentence with its placeholders put back, or why it is left out.
pub(super) fn sentence(brief: &Brief, raw: &str) -> Result<String, Dropped> {
    let raw = raw.trim();
    if raw.is_empty() || raw.chars().count() > LONGEST {
        return Err(Dropped::Length);
    }
    // Typographic signs that models like are written plainly; all else beyond plain letters goes.
    let plain: String = raw
        .chars()
        .map(|c| match c {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            '\u{2010}'..='\u{2014}' => '-',
            c => c,
        })
        .collect();
    let fine = |c: char| (' '..='~').contains(&c) || matches!(c, '\u{c0}'..='\u{17f}' | '→' | '…');
    if !plain.chars().all(fine) {
        return Err(Dropped::Characters);
    }
    if plain.contains(['<', '>', '`', '*', '{', '}', '[', ']', '|', '\\', '~', '^', '!', '&', ';', '$', '='])
        || plain.contains(" -") && !plain.contains(" - ")
        || plain.contains("__")
        || plain.starts_with(['#', '-'])
    {
        return Err(Dropped::Markup);
    }
    let Some(p) = PATTERNS.as_ref() else { return Err(Dropped::Unknown) };
    if p.link.is_match(&plain) {
        return Err(Dropped::Link);
    }
    if p.lowers.is_match(&plain) {
        return Err(Dropped::Lowers);
    }
    // What stands in the text of an alert is no proof that somebody took part: an attacker would name whom he
    // wants blocked, and where he wants people to go.
    if p.name.is_match(&plain) {
        return Err(Dropped::Unknown);
    }
    let sent = brief.text.to_ascii_lowercase();
    let tokens = [&p.dotted, &p.numbered, &p.digits].into_iter().flat_map(|r| r.find_iter(&plain));
    for token in tokens {
        if !stands_in(&sent, &token.as_str().to_ascii_lowercase()) {
            return Err(Dropped::Unknown);
        }
    }
    for id in p.id.find_iter(&plain) {
        // Not by what was sent: the text of an alert may speak of ids, too.
        let id = id.as_str();
        let ours = id == brief.incident.to_string() || brief.known.iter().any(|k| k.to_string() == id);
        if !ours && !id.to_ascii_lowercase().starts_with("cve-") {
            return Err(Dropped::Unknown);
        }
    }
    let whole = brief.redaction.put_back(&plain).map_err(|()| Dropped::Unknown)?;
    // After they are back: an address of ours that only a text speaks of has no part in it either.
    for token in p.dotted.find_iter(&whole).map(|t| t.as_str().trim_end_matches(['.', ':'])) {
        let ip = token.parse::<IpAddr>().ok().or_else(|| token.rsplit_once(':')?.0.parse().ok());
        if ip.is_some_and(|ip| !brief.addresses.contains(&ip.to_canonical())) {
            return Err(Dropped::Unknown);
        }
    }
    Ok(whole)
}

/// True when the token stands whole in what was sent.
fn stands_in(sent: &str, token: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    sent.match_indices(token).any(|(at, hit)| {
        !inside(sent[..at].chars().next_back()) && !inside(sent[at + hit.len()..].chars().next())
    })
}
