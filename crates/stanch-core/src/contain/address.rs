//! What may be the target of a change: one strict spelling per address, everything else refused.
//!
//! Lenient readers disagree with each other: `010.1.1.1` is 10.1.1.1 to one and 8.1.1.1 to the
//! next, `1.1` is 1.0.0.1 to some. A block must never depend on who reads it.
//!
//! Source: SEC-55 and abuse case 3; RFC 6943 section 3.1 on ambiguous spellings; RFC 5952 for
//! IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::Reason;

/// Longest text looked at, in bytes. The longest honest one is 43.
const MAX_TEXT: usize = 64;

/// Reads a target: a dotted quad or an IPv6 address, alone or with `/length` and no bits set
/// beyond it.
///
/// # Errors
/// In words, what is wrong and why it matters. Never guesses.
pub fn parse_target(text: &str) -> Result<IpNet, Reason> {
    let refuse = |why: &str| Err(Reason::new(format!("target \"{}\" refused: {why}", echo(text))));
    if text.is_empty() {
        return Err(Reason::new("target refused: it is empty"));
    }
    if text.len() > MAX_TEXT {
        return refuse("too long for an address");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse("it contains blanks or control characters");
    }
    if !text.is_ascii() {
        return refuse("it contains characters that only look like digits or letters of an address");
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = match read_address(address) {
        Ok(address) => address,
        Err(why) => return refuse(&why),
    };
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = match length.map_or(Ok(full), |l| read_length(l, full)) {
        Ok(length) => length,
        Err(why) => return refuse(&why),
    };
    let Ok(net) = IpNet::new(address, length) else {
        return refuse("the prefix length is too large");
    };
    if net.network() != net.addr() {
        return refuse(&format!("bits are set beyond /{length}; did you mean {}?", net.trunc()));
    }
    match unusual(&net) {
        Some(why) => refuse(why),
        None => Ok(net),
    }
}

/// Reads the address part.
fn read_address(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') {
        return Err("an address with a zone belongs to one machine only".to_owned());
    }
    if text.contains(':') {
        return read_v6(text).map(IpAddr::V6);
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(not_numeric(text));
    }
    read_v4(text).map(IpAddr::V4)
}

/// Why a text that has other characters than digits and dots is no target.
fn not_numeric(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "" => "there is no address before the length".to_owned(),
        "any" | "all" | "*" | "default" => "it means every address there is".to_owned(),
        hex if hex.split('.').any(|part| part.starts_with("0x")) => {
            "write the address in decimal digits".to_owned()
        }
        _ => {
            "it is not an address; names are never resolved, because what they point to can change".to_owned()
        }
    }
}

fn read_v4(text: &str) -> Result<Ipv4Addr, String> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return Err(format!("an IPv4 address has four numbers, this has {}", parts.len()));
    }
    let mut octets = [0_u8; 4];
    for (octet, part) in octets.iter_mut().zip(parts) {
        if part.len() > 1 && part.starts_with('0') {
            return Err("a number with a leading zero is octal to some programs".to_owned());
        }
        *octet = part.parse().map_err(|_| format!("\"{part}\" is not a number from 0 to 255"))?;
    }
    Ok(Ipv4Addr::from(octets))
}

fn read_v6(text: &str) -> Result<Ipv6Addr, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| "it is not an IPv6 address".to_owned())?;
    if let Some(v4) = address.to_ipv4_mapped() {
        return Err(format!("it is the IPv4 address {v4} in disguise; write {v4}"));
    }
    if text.contains('.') {
        return Err("write the last 32 bits of an IPv6 address in hexadecimal".to_owned());
    }
    // RFC 4291 section 2.5.5.1 (deprecated), RFC 6052 section 2.1.
    let bits = u128::from(address);
    if bits >> 32 == 0 && bits > 0xffff {
        return Err(format!("it is the IPv4 address {} in disguise", Ipv4Addr::from_bits(low(bits))));
    }
    if bits >> 32 == 0x0064_ff9b_0000_0000_0000_0000 {
        return Err(format!(
            "it is the IPv4 address {} behind a translator (NAT64); block that",
            Ipv4Addr::from_bits(low(bits))
        ));
    }
    Ok(address)
}

/// The last 32 bits.
fn low(bits: u128) -> u32 {
    u32::try_from(bits & 0xffff_ffff).unwrap_or(0)
}

fn read_length(text: &str, full: u8) -> Result<u8, String> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(format!("\"/{text}\" is not a prefix length"));
    }
    match text.parse() {
        Ok(length) if length <= full => Ok(length),
        Ok(_) | Err(_) => Err(format!("\"/{text}\" is longer than /{full}")),
    }
}

/// Prefixes that hide others: the whole address space, and the space that maps IPv4 into IPv6.
fn unusual(net: &IpNet) -> Option<&'static str> {
    if net.prefix_len() == 0 {
        return Some("it means every address there is");
    }
    match net {
        IpNet::V4(_) => None,
        IpNet::V6(net) => {
            let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
            net.contains(&mapped).then_some("it covers the IPv4 addresses mapped into IPv6")
        }
    }
}

/// The text as it may be shown: short, and without anything that could move the cursor.
fn echo(text: &str) -> String {
    text.chars().take(MAX_TEXT).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The prefix in its canonical spelling, or the reason without its beginning.
    fn check(text: &str, expected: &str) {
        let got = match parse_target(text) {
            Ok(net) => net.to_string(),
            Err(why) => why.0.split_once("refused: ").map_or(String::new(), |(_, why)| why.to_owned()),
        };
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn honest_targets_are_read() {
        check("203.0.113.9", "203.0.113.9/32");
        check("203.0.113.9/32", "203.0.113.9/32");
        check("203.0.113.0/24", "203.0.113.0/24");
        check("0.0.0.0", "0.0.0.0/32"); // a single address; the guard protects it
        check("2001:db8::1", "2001:db8::1/128");
        check("2001:DB8:0::1", "2001:db8::1/128");
        check("2001:db8::/32", "2001:db8::/32");
        check("::1", "::1/128"); // the guard protects it
    }

    /// Abuse case 3 (the spellings; what they would cover is the guard's business).
    #[test]
    fn abuse_3_every_ambiguous_or_boundless_spelling_is_refused() {
        let everything = "it means every address there is";
        let octal = "a number with a leading zero is octal to some programs";
        let name = "it is not an address; names are never resolved, because what they point to can change";
        for (text, why) in [
            ("", "it is empty"),
            ("0.0.0.0/0", everything),
            ("::/0", everything),
            ("any", everything),
            ("ANY", everything),
            ("*", everything),
            ("all", everything),
            ("default", everything),
            ("10.0.0.0/1", "bits are set beyond /1; did you mean 0.0.0.0/1?"),
            ("1.2.3.4/8", "bits are set beyond /8; did you mean 1.0.0.0/8?"),
            ("010.1.1.1", octal),
            ("10.1.1.01", octal),
            ("00.0.0.0", octal),
            ("::ffff:10.0.0.1", "it is the IPv4 address 10.0.0.1 in disguise; write 10.0.0.1"),
            ("::ffff:a00:1", "it is the IPv4 address 10.0.0.1 in disguise; write 10.0.0.1"),
            ("::ffff:0:0/96", "it is the IPv4 address 0.0.0.0 in disguise; write 0.0.0.0"),
            ("::a00:1", "it is the IPv4 address 10.0.0.1 in disguise"),
            ("::10.0.0.1", "write the last 32 bits of an IPv6 address in hexadecimal"),
            ("64:ff9b::a00:1", "it is the IPv4 address 10.0.0.1 behind a translator (NAT64); block that"),
            ("2001:db8::10.0.0.1", "write the last 32 bits of an IPv6 address in hexadecimal"),
            ("::/8", "it covers the IPv4 addresses mapped into IPv6"),
            ("1.1", "an IPv4 address has four numbers, this has 2"),
            ("16843009", "an IPv4 address has four numbers, this has 1"),
            ("1.2.3.4.5", "an IPv4 address has four numbers, this has 5"),
            ("1.2.3.", "\"\" is not a number from 0 to 255"),
            ("1.2.3.256", "\"256\" is not a number from 0 to 255"),
            ("0x0a000001", "write the address in decimal digits"),
            ("0xa.0.0.1", "write the address in decimal digits"),
            ("fe80::1%eth0", "an address with a zone belongs to one machine only"),
            ("bad.example.com", name),
            ("localhost", name),
            ("1.2.3.4:80", "it is not an IPv6 address"),
            ("[2001:db8::1]", "it is not an IPv6 address"),
            ("2001:db8:::1", "it is not an IPv6 address"),
            ("/24", "there is no address before the length"),
            ("10.0.0.0/", "\"/\" is not a prefix length"),
            ("10.0.0.0/08", "\"/08\" is not a prefix length"),
            ("10.0.0.0/+8", "\"/+8\" is not a prefix length"),
            ("10.0.0.0/-1", "\"/-1\" is not a prefix length"),
            ("10.0.0.0/255.0.0.0", "\"/255.0.0.0\" is not a prefix length"),
            ("10.0.0.0/8/8", "\"/8/8\" is not a prefix length"),
            ("10.0.0.0/33", "\"/33\" is longer than /32"),
            ("2001:db8::/129", "\"/129\" is longer than /128"),
            ("10.0.0.0/999", "\"/999\" is longer than /32"),
            (" 10.0.0.1", "it contains blanks or control characters"),
            ("10.0.0.1\n", "it contains blanks or control characters"),
            ("10.0.0.1\0", "it contains blanks or control characters"),
            ("10.0.0.1 -j ACCEPT", "it contains blanks or control characters"),
            ("10.0.0.1;reboot", name),
            ("-10.0.0.1", name),
            ("1０.0.0.1", "it contains characters that only look like digits or letters of an address"),
            ("١.1.1.1", "it contains characters that only look like digits or letters of an address"),
            ("10。0。0。1", "it contains characters that only look like digits or letters of an address"),
        ] {
            check(text, why);
        }
        check(&"1".repeat(100), "too long for an address");
        let shown = parse_target("\u{1b}[31m").expect_err("control");
        assert!(!shown.0.contains('\u{1b}'), "{shown}");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_back_the_same_way(text in "[0-9a-f:./x%]{0,24}") {
            if let Ok(net) = parse_target(&text) {
                prop_assert_eq!(parse_target(&net.to_string()), Ok(net));
                prop_assert_eq!(net.trunc(), net);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse_target(&text);
        }
    }
}
