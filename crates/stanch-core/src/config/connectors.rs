//! `connectors/*.yaml`: responders, enrichers and notifiers. Any file may hold any of the three
//! lists; the files are read in order of their names.

use std::collections::BTreeMap;

use stanch_model::{ObservableKind, Span};

use super::channels::channels;
use super::common::{path, secret, set};
use super::responders::responder;
use super::yaml::{Fields, Node};
use super::{ConnectorsConfig, EnricherConfig, Mistake, NotifierConfig};
use crate::chat::ChatBudget;

const ENRICHERS: &[&str] = &["assets", "http", "intel", "warninglists"];
const NOTIFIERS: &[&str] = &["log", "smtp", "webhook", "slack", "teams", "rt"];

/// Every kind of observable, for `kinds`.
const KINDS: &[ObservableKind] = &[
    ObservableKind::Ip,
    ObservableKind::Hostname,
    ObservableKind::User,
    ObservableKind::Email,
    ObservableKind::Url,
    ObservableKind::Hash,
    ObservableKind::Mac,
    ObservableKind::File,
    ObservableKind::Process,
];

/// Where each name was first used, by kind, over all files.
#[derive(Default)]
pub(super) struct Taken(BTreeMap<(&'static str, String), String>);

impl Taken {
    fn take(&mut self, kind: &'static str, node: Option<&Node>, name: &Option<String>, m: &mut Vec<Mistake>) {
        let (Some(node), Some(name)) = (node, name) else { return };
        if let Some(first) = self.0.get(&(kind, name.clone())) {
            let help = format!("choose another name; the first is at {first}");
            m.push(node.mistake(format!("there are two {kind}s named \"{name}\""), help));
            return;
        }
        self.0.insert((kind, name.clone()), node.place());
    }

    /// The names of one kind, also of those whose other fields are wrong.
    pub(super) fn names(&self, kind: &str) -> impl Iterator<Item = &String> {
        self.0.keys().filter(move |(k, _)| *k == kind).map(|(_, name)| name)
    }
}

/// Reads one file and adds what it says.
pub(super) fn read(
    root: &Node,
    config: &mut ConnectorsConfig,
    taken: &mut Taken,
    mistakes: &mut Vec<Mistake>,
) {
    let Some(fields) = root.map(mistakes) else { return };
    fields.finish(&["responders", "enrichers", "notifiers"], mistakes);
    let m = mistakes;
    let list = |name, m: &mut Vec<Mistake>, read: &mut dyn FnMut(&Node, &mut Vec<Mistake>)| {
        if let Some(node) = fields.optional(name) {
            node.list(m, |item, m| {
                read(item, m);
                Some(())
            });
        }
    };
    list("responders", m, &mut |n, m| config.responders.extend(responder(n, taken, m)));
    list("enrichers", m, &mut |n, m| config.enrichers.extend(enricher(n, taken, m)));
    list("notifiers", m, &mut |n, m| config.notifiers.extend(notifier(n, taken, m)));
}

pub(super) fn name(
    fields: &Fields<'_>,
    kind: &'static str,
    taken: &mut Taken,
    mistakes: &mut Vec<Mistake>,
) -> Option<String> {
    let node = fields.required("name", mistakes);
    let name = node.and_then(|n| n.name(mistakes));
    taken.take(kind, node, &name, mistakes);
    name
}

fn enricher(node: &Node, taken: &mut Taken, m: &mut Vec<Mistake>) -> Option<EnricherConfig> {
    let fields = node.map(m)?;
    let kind = fields.required("type", m).and_then(|n| n.choice("type", ENRICHERS, m))?;
    match kind {
        "http" => return http(&fields, taken, m),
        "intel" => {
            let name = name(&fields, "enricher", taken, m);
            let path = fields.required("path", m).and_then(|n| path(n, m));
            fields.finish(&["type", "name", "path"], m);
            return Some(EnricherConfig::Intel { name: name?, path: path? });
        }
        _ => {}
    }
    let path = fields.required("path", m).and_then(|n| path(n, m));
    fields.finish(&["type", "path"], m);
    let path = path?;
    Some(if kind == "assets" {
        EnricherConfig::Assets { path }
    } else {
        EnricherConfig::Warninglists { path }
    })
}

fn http(fields: &Fields<'_>, taken: &mut Taken, m: &mut Vec<Mistake>) -> Option<EnricherConfig> {
    let name = name(fields, "enricher", taken, m);
    let url_node = fields.required("url", m);
    let url = url_node.and_then(|n| url(n, m));
    let words: Vec<&str> = KINDS.iter().map(|k| k.word()).collect();
    let kinds = fields.optional("kinds").and_then(|n| n.list(m, |n, m| n.choice("kind", &words, m)));
    let token = fields.optional("token").and_then(|n| secret(n, m));
    if let (Some(node), Some(url), Some(_)) = (url_node, &url, &token)
        && url.starts_with("http://")
    {
        m.push(node.warning("the token is sent unencrypted", "use https://"));
    }
    let mut deadline = Span::secs(1);
    let range = Span(10)..=Span::mins(1);
    set(&mut deadline, fields.optional("deadline").and_then(|n| n.span_within(range, m)));
    let allow_private = private(fields, m);
    fields.finish(&["type", "name", "url", "kinds", "token", "deadline", "allow_private"], m);
    let kinds = kinds.unwrap_or_default().into_iter().map(str::to_owned).collect();
    Some(EnricherConfig::Http { name: name?, url: url?, kinds, token, deadline, allow_private })
}

/// Ranges that a name may lead to although they are not on the internet.
fn private(fields: &Fields<'_>, m: &mut Vec<Mistake>) -> Vec<ipnet::IpNet> {
    fields.optional("allow_private").and_then(|n| n.list(m, Node::net_of)).unwrap_or_default()
}

fn url(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    const HELP: &str = "write for example https://intel.example.com/v1/{kind}/{value}";
    let text = node.string(mistakes)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        None => node.wrong(&text, "an http or https URL", HELP, mistakes),
        Some(rest) if rest.starts_with(['/', '{']) || rest.is_empty() => {
            node.wrong(&text, "a URL with a host of its own", HELP, mistakes)
        }
        Some(_) if text.contains(char::is_whitespace) => node.wrong(&text, "a URL", HELP, mistakes),
        Some(_) if !text.contains("{value}") => {
            node.wrong(&text, "a URL with a place for the value", HELP, mistakes)
        }
        Some(_) => Some(text),
    }
}

fn notifier(node: &Node, taken: &mut Taken, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let fields = node.map(m)?;
    let name = name(&fields, "notifier", taken, m);
    let kind = fields.required("type", m).and_then(|n| n.choice("type", NOTIFIERS, m))?;
    if kind == "log" {
        fields.finish(&["name", "type"], m);
        return Some(NotifierConfig::Log { name: name? });
    }
    match kind {
        "webhook" => webhook(&fields, name, m),
        "slack" => slack(&fields, name, m),
        "rt" => rt(&fields, name, m),
        "teams" => teams(&fields, name, m),
        _ => smtp(&fields, name, m),
    }
}

fn webhook(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let url = fields.required("url", m).and_then(|n| n.string(m));
    let secret = fields.required("secret", m).and_then(|n| secret(n, m));
    let allow_private = private(fields, m);
    fields.finish(&["name", "type", "url", "secret", "allow_private"], m);
    Some(NotifierConfig::Webhook { name: name?, url: url?, secret: secret?, allow_private })
}

fn teams(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let url = fields.required("url", m).and_then(|n| n.string(m));
    let sig = fields.required("sig", m).and_then(|n| secret(n, m));
    let console = fields.optional("console").and_then(|n| n.string(m));
    let allow_private = private(fields, m);
    fields.finish(&["name", "type", "url", "sig", "console", "allow_private"], m);
    Some(NotifierConfig::Teams { name: name?, url: url?, sig: sig?, console, allow_private })
}

fn slack(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let mut url = "https://slack.com/api".to_owned();
    set(&mut url, fields.optional("url").and_then(|n| n.string(m)));
    let token = fields.required("token", m).and_then(|n| secret(n, m));
    let signing_secret = fields.optional("signing_secret").and_then(|n| secret(n, m));
    let app_token = fields.optional("app_token").and_then(|n| secret(n, m));
    let workspace = fields.optional("workspace").and_then(|n| n.string(m));
    let allow_private = private(fields, m);
    let console = fields.optional("console").and_then(|n| n.string(m));
    let budget = fields.optional("budget").and_then(|n| budget(n, m)).unwrap_or_default();
    let channels = fields.optional("channels").and_then(|n| channels(n, m)).unwrap_or_default();
    fields.finish(
        &[
            "name",
            "type",
            "url",
            "token",
            "signing_secret",
            "app_token",
            "workspace",
            "budget",
            "channels",
            "console",
            "allow_private",
        ],
        m,
    );
    Some(NotifierConfig::Slack {
        name: name?,
        url,
        token: token?,
        signing_secret,
        app_token,
        workspace,
        budget,
        channels,
        console,
        allow_private,
    })
}

/// How much is said in one channel.
fn budget(node: &Node, m: &mut Vec<Mistake>) -> Option<ChatBudget> {
    let fields = node.map(m)?;
    let mut all = ChatBudget::default();
    let mut number = |key: &str, into: &mut u32| {
        let written = fields.optional(key).and_then(|n| n.integer(1..=10_000, m));
        set(into, written.and_then(|n| u32::try_from(n).ok()));
    };
    number("per_10_minutes", &mut all.per_10_minutes);
    number("per_hour", &mut all.per_hour);
    number("storm", &mut all.storm);
    number("critical", &mut all.critical);
    fields.finish(&["per_10_minutes", "per_hour", "storm", "critical"], m);
    if all.per_hour < all.per_10_minutes {
        let message =
            format!("{} messages in 10 minutes are more than {} an hour", all.per_10_minutes, all.per_hour);
        m.push(node.mistake(message, "raise `per_hour`, or lower `per_10_minutes`"));
    }
    Some(all)
}

fn rt(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let url = fields.required("url", m).and_then(|n| n.string(m));
    let token = fields.required("token", m).and_then(|n| secret(n, m));
    let mut queue = "General".to_owned();
    set(&mut queue, fields.optional("queue").and_then(|n| n.string(m)));
    let allow_private = private(fields, m);
    fields.finish(&["name", "type", "url", "token", "queue", "allow_private"], m);
    Some(NotifierConfig::Rt { name: name?, url: url?, token: token?, queue, allow_private })
}

fn smtp(fields: &Fields<'_>, name: Option<String>, m: &mut Vec<Mistake>) -> Option<NotifierConfig> {
    let host = fields.required("host", m).and_then(|n| n.string(m));
    let mut tls = "starttls";
    set(&mut tls, fields.optional("tls").and_then(|n| n.choice("tls mode", &["none", "starttls", "tls"], m)));
    // Source: RFC 6409 (587), RFC 8314 §3.3 (465, TLS from the first byte), RFC 5321 (25).
    let mut port = match tls {
        "none" => 25,
        "tls" => 465,
        _ => 587,
    };
    let written = fields.optional("port").and_then(|n| n.integer(1..=65_535, m));
    set(&mut port, written.and_then(|n| u16::try_from(n).ok()));
    let from = fields.required("from", m).and_then(|n| mail_address(n, m));
    let username = fields.optional("username");
    let password = fields.optional("password");
    match (username, password) {
        (Some(at), None) => {
            m.push(at.mistake("`username` without `password`", "add `password: { file: … }`"))
        }
        (None, Some(at)) => {
            m.push(at.mistake("`password` without `username`", "add `username`, or take it out"))
        }
        (Some(_), Some(at)) if tls == "none" => {
            m.push(
                at.mistake("the password would be sent unencrypted", "write `tls: starttls` or `tls: tls`"),
            );
        }
        _ => {}
    }
    let username = username.and_then(|n| n.string(m));
    let password = password.and_then(|n| secret(n, m));
    let console = fields.optional("console").and_then(|n| n.string(m));
    fields.finish(&["name", "type", "host", "port", "tls", "from", "username", "password", "console"], m);
    let tls = tls.to_owned();
    let (name, host, from) = (name?, host?, from?);
    Some(NotifierConfig::Smtp { name, host, port, tls, from, username, password, console })
}

/// Only what would certainly fail is refused; the mail server is the judge of the rest.
pub(super) fn mail_address(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let text = node.string(mistakes)?;
    let parts = text.split_once('@');
    if parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;".contains(c))
    {
        return Some(text);
    }
    node.wrong(&text, "a mail address", "write for example noc@example.com, without a display name", mistakes)
}
