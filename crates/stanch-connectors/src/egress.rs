//! The one way out for HTTP: an allow-list of hosts and ports, and a check of the address
//! that is really dialled.
//!
//! A host that is allowed by name may still be led elsewhere by whoever answers for its name. So the
//! name is looked up once, every address of the answer is judged, and the connection goes to those
//! addresses and nowhere else: nothing looks the name up again. Redirects and proxies are off.
//! Source: SEC-43 to SEC-47; addresses: IANA special-purpose registries (RFC 6890 and successors).

mod fetch;

pub use fetch::{Ask, encoded};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks a name up. Handed in, so that a test can be the liar.
pub type LookUp = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// As this machine looks names up.
#[must_use]
pub fn by_the_system() -> LookUp {
    Arc::new(|name| {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|at| at.ip()).collect()) },
        )
    })
}

/// Where calls may go.
#[derive(Clone)]
pub struct Egress {
    /// Host, as in URLs, and port.
    allowed: Vec<(String, u16)>,
    /// Addresses that are not on the internet and may be dialled all the same.
    private: Vec<IpNet>,
    look_up: LookUp,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress")
            .field("allowed", &self.allowed)
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}

impl Egress {
    /// `allowed`: `host:port` or `[v6]:port`, exactly; nothing else is dialled. `private`: ranges that
    /// may be dialled although they are not on the internet.
    ///
    /// # Errors
    /// An entry that is no host with a port.
    pub fn new(allowed: &[String], private: Vec<IpNet>) -> Result<Egress, String> {
        let allowed = allowed.iter().map(|entry| host_and_port(entry)).collect::<Result<_, _>>()?;
        Ok(Egress { allowed, private, look_up: by_the_system() })
    }

    /// For the one host of a URL that an operator wrote. What is written as an address, or as
    /// `localhost`, was meant; a name that leads to a private address needs `private`.
    ///
    /// # Errors
    /// When the URL has no host.
    pub fn to(url: &Url, private: &[IpNet]) -> Result<Egress, String> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("the URL has no host".to_owned());
        };
        let mut private = private.to_vec();
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            private.push(ip.into());
        } else if host == "localhost" {
            private.push(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
            private.push(IpAddr::V6(Ipv6Addr::LOCALHOST).into());
        }
        Egress::new(&[format!("{host}:{port}")], private)
    }

    /// The same, with another way to look names up.
    #[must_use]
    pub fn with_look_up(mut self, look_up: LookUp) -> Egress {
        self.look_up = look_up;
        self
    }

    /// Whether a URL may be called, as far as its text tells.
    ///
    /// # Errors
    /// Why not.
    pub fn permit(&self, url: &Url) -> Result<(), String> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("the URL has no host".to_owned());
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{} is not called; http and https are", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL holds credentials".to_owned());
        }
        if !self.allowed.iter().any(|(h, p)| h == host && *p == port) {
            return Err(format!("{host}:{port} is not among the hosts that may be called"));
        }
        // An address in a URL is never looked up, so it is judged here.
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => self.judge(ip),
            Err(_) => Ok(()),
        }
    }

    fn judge(&self, ip: IpAddr) -> Result<(), String> {
        match refusal(ip) {
            None => Ok(()),
            Some((_, false)) if self.private.iter().any(|net| net.contains(&ip.to_canonical())) => Ok(()),
            Some((what, _)) => Err(format!("{ip} is {what} and is not dialled")),
        }
    }

    /// A client that goes only where it may.
    ///
    /// # Errors
    /// When TLS could not be set up.
    pub fn client(&self, timeout: Duration) -> Result<reqwest::Client, String> {
        crate::enricher::install_crypto();
        #[allow(clippy::disallowed_methods, reason = "the one place where a client is made")]
        let builder = reqwest::Client::builder();
        builder
            .user_agent("stanch")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A connection that was lost meanwhile must not be mistaken for a request that was.
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .dns_resolver(Arc::new(Checked(self.clone())))
            .build()
            .map_err(|e| format!("no HTTP client: {e}"))
    }

    /// The addresses of the hosts that may be called, as far as they are written as such: for the
    /// list of what is never blocked.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let ip = |(host, _): &(String, u16)| host.trim_matches(['[', ']']).parse().ok();
        self.allowed.iter().filter_map(ip).filter(|ip: &IpAddr| !ip.is_loopback()).collect()
    }
}

/// Hands out only addresses that were judged; the connection is made to these.
struct Checked(Egress);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0.clone();
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = (egress.look_up)(name.clone()).await?;
            // One bad address spoils the answer: who mixes them in means to be dialled there.
            for ip in &found {
                egress.judge(*ip).map_err(|why| format!("{name}: {why}"))?;
            }
            if found.is_empty() {
                return Err(format!("{name} has no address").into());
            }
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// Host and port of a URL as an allow-list writes them; none when it has none.
#[must_use]
pub fn place(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let port = url.port_or_known_default().or(match url.scheme() {
        "ldap" => Some(389),
        "ldaps" => Some(636),
        _ => None,
    })?;
    // Schemes that URLs do not know keep the host as written.
    Some(format!("{}:{port}", url.host_str()?.to_ascii_lowercase()))
}

/// As a URL writes them: lower case, numbers in their plain form.
fn host_and_port(entry: &str) -> Result<(String, u16), String> {
    let wrong = || format!("{entry:?} is not a host with a port; write for example edr.example.com:443");
    let (_, port) = entry.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let url = Url::parse(&format!("https://{entry}/")).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let plain = url.path() == "/" && url.username().is_empty() && url.query().is_none() && port > 0;
    if plain && !entry.contains(['*', '@', '/', '?', '#']) {
        Ok((host.to_owned(), port))
    } else {
        Err(wrong())
    }
}

/// What an address is, when it is not a host on the internet; and whether that is so whatever anybody
/// allows.
fn refusal(ip: IpAddr) -> Option<(&'static str, bool)> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => refusal_v4(ip),
        IpAddr::V6(ip) => refusal_v6(ip),
    }
}

fn refusal_v4(ip: Ipv4Addr) -> Option<(&'static str, bool)> {
    let within = |a: u8, b: u8, bits: u32| {
        u32::from(ip) >> (32 - bits) == u32::from(Ipv4Addr::new(a, b, 0, 0)) >> (32 - bits)
    };
    Some(match ip {
        _ if ip.is_unspecified() || within(0, 0, 8) => ("no host", true),
        _ if ip.is_broadcast() || ip.is_multicast() => ("not one host", true),
        // Here lie the metadata services of clouds, which hand out credentials.
        _ if ip.is_link_local() => ("link-local", true),
        // Source: Azure's 168.63.129.16 and Alibaba's 100.100.100.200, as their makers document them.
        _ if ip == Ipv4Addr::new(168, 63, 129, 16) || ip == Ipv4Addr::new(100, 100, 100, 200) => {
            ("a metadata service", true)
        }
        _ if ip.is_loopback() => ("this machine", false),
        _ if ip.is_private() => ("private", false),
        _ if within(100, 64, 10) => ("shared behind NAT", false),
        _ if ip.is_documentation() || within(198, 18, 15) || within(192, 0, 24) => ("reserved", false),
        _ if within(240, 0, 4) => ("reserved", true),
        _ => return None,
    })
}

fn refusal_v6(ip: Ipv6Addr) -> Option<(&'static str, bool)> {
    let first = ip.segments()[0];
    Some(match first {
        _ if ip.is_unspecified() => ("no host", true),
        _ if ip.is_multicast() => ("not one host", true),
        _ if ip.is_unicast_link_local() => ("link-local", true),
        // Source: AWS EC2 instance metadata over IPv6.
        _ if ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) => ("a metadata service", true),
        _ if ip.is_loopback() => ("this machine", false),
        _ if first & 0xfe00 == 0xfc00 => ("private", false),
        // NAT64, 6to4, Teredo and the old mapped forms: an IPv4 address in disguise.
        0x0064 | 0x2002 => ("a translated IPv4 address", true),
        0x2001 if ip.segments()[1] == 0 => ("a translated IPv4 address", true),
        0 => ("a translated IPv4 address", true),
        _ if first & 0xffc0 == 0xfec0 => ("site-local", false),
        0x2001 if ip.segments()[1] == 0xdb8 => ("reserved", false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
