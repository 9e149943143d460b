//! What each list means. One row for each of MISP's lists, considered one by one.

use stanch_model::ObservableKind;

/// What being on a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Blocking it would hurt ourselves or everyone.
    NeverBlock,
    /// A list of special ranges, split range by range: loopback, link-local and multicast must
    /// never be blocked; private space is only worth a note.
    AddressSpace,
    /// Many unrelated parties sit behind it.
    Shared,
    /// Well known and usually benign.
    Harmless,
    /// Worth showing, under this name, and no reason to act or not to act.
    Note(&'static str),
    /// About values that no observable of ours holds (telephone numbers, application ids).
    Aside,
}

impl Class {
    /// The meaning that a list of one's own may state.
    #[must_use]
    pub fn named(word: &str) -> Option<Class> {
        match word {
            "never_block" => Some(Class::NeverBlock),
            "shared" => Some(Class::Shared),
            "harmless" => Some(Class::Harmless),
            _ => None,
        }
    }
}

/// Lists of suffixes under which anyone can get a name.
pub(super) const PUBLIC_SUFFIXES: [&str; 2] = ["second-level-tlds", "tlds"];

/// Sites where anyone can publish within minutes: their fame says nothing about what lies there, so
/// no list that praises them is told.
pub(super) const ANYONE_PUBLISHES: [&str; 5] =
    ["dynamic-dns", "link-in-bio", "lots-project", "public-ipfs-gateways", "url-shortener"];

/// Rankings of the same web: one of them is enough to say so.
pub(super) const TOP_SITES: [&str; 13] = [
    "alexa",
    "cisco_top1000",
    "cisco_top5k",
    "cisco_top10k",
    "cisco_top20k",
    "cloudflare-top200",
    "cloudflare-top1k",
    "cloudflare-top2k",
    "cloudflare-top5k",
    "cloudflare-top10k",
    "majestic_million",
    "moz-top500",
    "tranco10k",
];

/// Blocking these breaks name resolution, certificate checks or whole top-level domains.
/// Note on `public-dns-v4`: most of its 62 745 entries are small resolvers. Being listed protects
/// them; a person who knows better can still decide so in the policy.
const NEVER_BLOCK: [&str; 15] = [
    "crl-hostname",
    "crl-ip",
    "empty-hashes",
    "mozilla-CA",
    "mozilla-IntermediateCA",
    "public-dns-v4",
    "public-dns-v6",
    "public-dns-hostname",
    "rfc6761",
    "second-level-tlds",
    "tlds",
    // Compiled in, ours.
    "dns-root-names",
    "dns-root-servers",
    "public-dns-names",
    "public-dns-well-known",
];

/// Special address ranges. See [`Class::AddressSpace`].
const ADDRESS_SPACE: [&str; 7] =
    ["ipv6-linklocal", "multicast", "rfc1918", "rfc3849", "rfc5735", "rfc6598", "special-ranges"];

/// Clouds, content networks, proxies, VPNs, mail relays, and sites where anyone can publish.
/// `check-host-net`, `findip-host` and `whats-my-ip` are asked by malware as by everyone else;
/// `digitalside` names hosting sites that feeds list because of single files on them.
const SHARED: [&str; 44] = [
    "akamai",
    "amazon-aws",
    "bunny-net",
    "check-host-net",
    "cloudflare",
    "digitalside",
    "disposable-email",
    "dynamic-dns",
    "fastly",
    "findip-host",
    "github",
    "google-gcp",
    "google-gmail-sending-ips",
    "icloud-private-relay",
    "link-in-bio",
    "lots-project",
    "microsoft",
    "microsoft-azure",
    "microsoft-azure-china",
    "microsoft-azure-germany",
    "microsoft-azure-us-gov",
    "microsoft-mdca-proxy",
    "microsoft-office365",
    "microsoft-office365-cn",
    "microsoft-office365-ip",
    "microsoft-win10-connection-endpoints",
    "oracle-oci",
    "ovh-cluster",
    "palo-alto-networks-cortex-cloud",
    "parking-domain",
    "parking-domain-ns",
    "public-ipfs-gateways",
    "smtp-receiving-ips",
    "smtp-sending-ips",
    "stackpath",
    "telegram-ips",
    "tor-exit-nodes",
    "url-shortener",
    "vpn-ipv4",
    "vpn-ipv6",
    "wikimedia",
    "whats-my-ip",
    "zscaler",
    "apple",
];

/// Well-known sites, known mistakes of feeds, test files, and researchers who scan the whole internet
/// every day: their probes are noise, and blocking them hurts nobody.
const HARMLESS: [&str; 54] = [
    "alphastrike-research-nt-scanning",
    "alphastrike-scanning",
    "automated-malware-analysis",
    "bank-website",
    "bufferover-nt-scanning",
    "captive-portals",
    "censys-scanning",
    "circl-security-scanning",
    "circl-ssh-scanning",
    "coalition-signals-intelligence-nt-scanning",
    "common-contact-emails",
    "common-ioc-false-positive",
    "covid",
    "covid-19-cyber-threat-coalition-whitelist",
    "covid-19-krassi-whitelist",
    "cybergreen-nt-scanning",
    "cyberresilience-nt-scanning",
    "cypex-nt-scanning",
    "dax30",
    "eicar.com",
    "f6-nt-scanning",
    "google",
    "googlebot",
    "internet-census-nt-scanning",
    "internetcleanup-scanner",
    "intrinsec-nt-scanning",
    "ipinfo-nt-scanning",
    "ipip-nt-scanning",
    "microsoft-attack-simulator",
    "modat-nt-scanning",
    "modat-scanner",
    "netsecscan-nt-scanning",
    "netsecscan-scanning",
    "onyphe-nt-scanning",
    "onyphe-scanner",
    "openai-gptbot",
    "palo-alto-networks-cortex-xpanse",
    "probethenet-nt-scanning",
    "rapid7-nt-scanning",
    "research-scanner-nt-scanning",
    "security-provider-blogpost",
    "shadowforce-nt-scanning",
    "shadowforce-scanning",
    "shadowserver",
    "shadowserver-nt-scanning",
    "shodan-nt-scanning",
    "shodan-scanning",
    "skipa-nt-scanning",
    "stretchoid-nt-scanning",
    "tenable-cloud-ipv4",
    "tenable-cloud-ipv6",
    "ti-falsepositives",
    "umich-cse-connection-attempts",
    "university_domains",
];

/// The considered meaning of a list; `None` for one the table does not know.
///
/// A sinkhole is operated by defenders, but whoever talks to it is infected; a block page shows
/// that something was already stopped. Neither speaks for or against the address.
#[must_use]
pub fn of(list: &str) -> Option<Class> {
    match list {
        _ if NEVER_BLOCK.contains(&list) => Some(Class::NeverBlock),
        _ if ADDRESS_SPACE.contains(&list) => Some(Class::AddressSpace),
        _ if SHARED.contains(&list) => Some(Class::Shared),
        _ if HARMLESS.contains(&list) || TOP_SITES.contains(&list) => Some(Class::Harmless),
        "sinkholes" => Some(Class::Note("sinkhole")),
        "umbrella-blockpage-hostname" | "umbrella-blockpage-v4" | "umbrella-blockpage-v6" => {
            Some(Class::Note("block page"))
        }
        "microsoft-azure-appid" | "phone_numbers" => Some(Class::Aside),
        _ => None,
    }
}

/// The kinds of observables that MISP attribute types stand for. A list that names none is taken
/// to speak of addresses, names, URLs and digests.
pub(super) fn kinds(attributes: &[String]) -> Vec<ObservableKind> {
    use ObservableKind::{Email, Hash, Hostname, Ip, Url};
    if attributes.is_empty() {
        return vec![Ip, Hostname, Url, Hash];
    }
    let mut kinds = Vec::new();
    for part in attributes.iter().flat_map(|a| a.split('|')) {
        let kind = match part {
            "ip-src" | "ip-dst" | "ip" => Ip,
            "domain" | "hostname" => Hostname,
            "url" | "uri" => Url,
            "email-src" | "email-dst" | "email" | "target-email" => Email,
            "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" => Hash,
            x509 if x509.starts_with("x509-fingerprint") => Hash,
            _ => continue,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}
