//! What an indicator may look like, and the one spelling under which it is kept.

use ipnet::IpNet;

use super::super::index;

/// One indicator in its canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Indicator {
    Address(IpNet),
    Domain(String),
    Url(String),
    Hash(String),
    Email(String),
}

/// Why a text is no indicator; the message continues `"…" `.
pub(super) struct Unfit {
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

const NO_INDICATOR: Unfit = Unfit {
    message: "is no address, network, domain, URL, digest or e-mail address",
    help: "write one indicator per line",
};

/// Undoes the usual ways of writing an indicator so that nobody clicks on it.
pub(super) fn refang(text: &str) -> String {
    let mut text = text.replace("[.]", ".").replace("(.)", ".").replace("[dot]", ".").replace("{.}", ".");
    text = text.replace("[:]", ":").replace("[://]", "://").replace("[at]", "@").replace("[@]", "@");
    let lower = text.get(..5).map(str::to_ascii_lowercase).unwrap_or_default();
    if lower.starts_with("hxxp") {
        text.replace_range(1..3, "tt");
    }
    text
}

/// Judges a text.
pub(super) fn read(text: &str) -> Result<Indicator, Unfit> {
    let text = refang(text.trim().trim_matches('"'));
    let text = text.as_str();
    if let Some(net) = index::address(text) {
        return address(net);
    }
    if text.contains("://") || (text.contains('/') && !text.starts_with('/')) {
        return url(text);
    }
    if text.contains('@') {
        return email(text);
    }
    if is_digest(text) {
        return Ok(Indicator::Hash(text.to_ascii_lowercase()));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return match index::address(host) {
            Some(net) => address(net),
            None => domain(host),
        };
    }
    domain(text)
}

/// An address or network, unless it would cover too much or makes no sense in a feed.
pub(super) fn address(net: IpNet) -> Result<Indicator, Unfit> {
    let broad = match net {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 19,
    };
    if net.prefix_len() < broad {
        return Err(Unfit {
            message: "covers a large part of the internet",
            help: "networks down to /8 (IPv4) and /19 (IPv6) are taken",
        });
    }
    let ip = net.network();
    let broadcast = ip == std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || broadcast {
        return Err(Unfit { message: "can never be a remote machine", help: "remove it from the feed" });
    }
    Ok(Indicator::Address(net))
}

/// A domain of at least two labels: a feed that lists `com` must not condemn half the world.
pub(super) fn domain(text: &str) -> Result<Indicator, Unfit> {
    let name = text.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.').to_lowercase();
    let label = |l: &str| {
        !l.is_empty() && l.len() <= 63 && l.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    if name.len() > 253 || name.is_empty() || !name.split('.').all(label) {
        return Err(NO_INDICATOR);
    }
    if !name.contains('.') {
        return Err(Unfit {
            message: "is a single label and would cover everything below it",
            help: "write the full domain",
        });
    }
    if name.rsplit('.').next().is_none_or(|last| last.chars().all(|c| c.is_ascii_digit())) {
        return Err(NO_INDICATOR);
    }
    Ok(Indicator::Domain(name))
}

/// A URL with a host.
pub(super) fn url(text: &str) -> Result<Indicator, Unfit> {
    let bad = Unfit { message: "is no URL with a host", help: "write https://host.example/path" };
    let (key, host) = url_key(&refang(text)).ok_or(bad)?;
    match index::address(&host) {
        Some(_) => Ok(Indicator::Url(key)),
        None => domain(&host).map(|_| Indicator::Url(key)),
    }
}

/// An e-mail address.
pub(super) fn email(text: &str) -> Result<Indicator, Unfit> {
    match text.rsplit_once('@') {
        Some((local, host))
            if !local.is_empty() && !text.contains(char::is_whitespace) && domain(host).is_ok() =>
        {
            Ok(Indicator::Email(text.to_ascii_lowercase()))
        }
        _ => Err(NO_INDICATOR),
    }
}

/// MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512 in hexadecimal, by length.
pub(super) fn is_digest(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The spelling under which a URL is kept and sought, and its host: no scheme (the same path serves
/// both), host in lower case, no account, no default port, no fragment, no empty path.
pub(super) fn url_key(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), text),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let cut = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => {
            (host, port)
        }
        _ => (authority.as_str(), ""),
    };
    let host = host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let usual = match scheme.as_str() {
        "http" => port == "80",
        "https" => port == "443",
        "ftp" => port == "21",
        _ => port == "80" || port == "443",
    };
    let path = if path.is_empty() { "/" } else { path };
    let port = if port.is_empty() || usual { String::new() } else { format!(":{port}") };
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some((format!("{host}{port}{slash}{path}"), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_urls_have_one_spelling() {
        let spellings = [
            "http://Bad.Example/a?b=C",
            "https://bad.example:443/a?b=C#top",
            "hxxp://bad[.]example:80/a?b=C",
            "bad.example/a?b=C",
            "http://user:pw@bad.example./a?b=C",
        ];
        for url in spellings {
            let key = url_key(&refang(url)).map(|(key, _)| key);
            assert_eq!(key.as_deref(), Some("bad.example/a?b=C"), "{url}");
        }
        let key = |u| url_key(u).map(|(key, host)| format!("{key} {host}"));
        assert_eq!(key("http://192.0.2.1:8080").as_deref(), Some("192.0.2.1:8080/ 192.0.2.1"));
        assert_eq!(key("http://[2001:db8::1]:81/x").as_deref(), Some("2001:db8::1:81/x 2001:db8::1"));
        assert_eq!(key("http://bad.example?q").as_deref(), Some("bad.example/?q bad.example"));
        assert_eq!(key("http:///x"), None);
    }

    #[test]
    fn indicators_are_known_by_their_looks() {
        let kind = |text: &str| match read(text) {
            Ok(found) => format!("{found:?}"),
            Err(why) => why.message.to_owned(),
        };
        assert_eq!(kind("192.0.2[.]7"), "Address(192.0.2.7/32)");
        assert_eq!(kind("192.0.2.7:4444"), "Address(192.0.2.7/32)");
        assert_eq!(kind("192.0.2.0/24"), "Address(192.0.2.0/24)");
        assert_eq!(kind("*.Bad[.]example"), "Domain(\"bad.example\")");
        assert_eq!(kind("bad.example:8443"), "Domain(\"bad.example\")");
        assert_eq!(kind("hxxps://bad[.]example/x"), "Url(\"bad.example/x\")");
        assert_eq!(kind("D41D8CD98F00B204E9800998ECF8427E"), "Hash(\"d41d8cd98f00b204e9800998ecf8427e\")");
        assert_eq!(kind("Eve@bad.example"), "Email(\"eve@bad.example\")");
        assert_eq!(kind("0.0.0.0/0"), "covers a large part of the internet");
        assert_eq!(kind("127.0.0.1"), "can never be a remote machine");
        assert_eq!(kind("com"), "is a single label and would cover everything below it");
        assert_eq!(kind("10.0.0.300"), NO_INDICATOR.message);
        assert_eq!(kind("two words"), NO_INDICATOR.message);
        assert_eq!(kind(""), NO_INDICATOR.message);
    }
}
