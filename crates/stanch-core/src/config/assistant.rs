//! `policies/assistant.yaml`: a language model that may retell stories. Without the file: none.

use std::collections::BTreeMap;

use ipnet::IpNet;
use stanch_model::Span;

use super::common::{secret, set};
use super::yaml::Node;
use super::{Mistake, SecretRef};
use crate::assist::Tlp;
use crate::assist::tlp::Labels;

/// Which model, and what it may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssistantConfig {
    /// Base of an OpenAI-compatible API, for example `https://llm.example.com/v1`.
    pub endpoint: String,
    /// Which model, by the endpoint's name for it.
    pub model: String,
    /// Sent as `Authorization: Bearer …`. Default: none.
    pub token: Option<SecretRef>,
    /// Where calls may go, `host:port`; the endpoint must be among them.
    pub egress: Vec<String>,
    /// Ranges that its name may lead to although they are not on the internet. Default: none.
    pub allow_private: Vec<IpNet>,
    /// The strictest label that may be sent: clear, green or amber. No default.
    pub ceiling: Tlp,
    /// Labels of sites and sources.
    pub labels: Labels,
    /// Longest wait for an answer. 1 s to 2 min, default 20 s.
    pub deadline: Span,
    /// Questions a day (UTC), over all people. 1 to 10,000, default 100.
    pub per_day: u32,
}

const KEYS: &[&str] =
    &["endpoint", "model", "token", "egress", "allow_private", "tlp", "labels", "deadline", "per_day"];
/// What may leave at most: what is for named people or one organisation alone never does.
const CEILINGS: &[&str] = &["clear", "green", "amber"];
const LABELS: &[&str] = &["clear", "green", "amber", "amber+strict", "red"];

/// Reads the file.
pub(super) fn read(root: &Node, m: &mut Vec<Mistake>) -> Option<AssistantConfig> {
    let fields = root.map(m)?;
    fields.finish(KEYS, m);
    let endpoint = fields.required("endpoint", m).and_then(|n| n.string(m));
    let model = fields.required("model", m).and_then(|n| n.string(m));
    let (token, token_wrong) = match fields.optional("token") {
        Some(n) => {
            let read = secret(n, m);
            let wrong = read.is_none();
            (read, wrong)
        }
        None => (None, false),
    };
    let egress = fields.required("egress", m).and_then(|n| n.list(m, |n, m| n.string(m)));
    let allow_private =
        fields.optional("allow_private").and_then(|n| n.list(m, Node::net_of)).unwrap_or_default();
    let ceiling = fields.required("tlp", m).and_then(|n| n.choice("TLP label", CEILINGS, m));
    let labels = fields.optional("labels").map_or_else(Labels::default, |n| labels(n, m));
    let mut deadline = Span::secs(20);
    let range = Span::secs(1)..=Span::mins(2);
    set(&mut deadline, fields.optional("deadline").and_then(|n| n.span_within(range, m)));
    let per_day = fields.optional("per_day").map_or(Some(100), |n| n.integer(1..=10_000, m));
    if token_wrong {
        return None;
    }
    Some(AssistantConfig {
        endpoint: endpoint?,
        model: model?,
        token,
        egress: egress?,
        allow_private,
        ceiling: Tlp::of_word(ceiling?)?,
        labels,
        deadline,
        per_day: u32::try_from(per_day?).ok()?,
    })
}

fn label(node: &Node, m: &mut Vec<Mistake>) -> Option<Tlp> {
    node.choice("TLP label", LABELS, m).and_then(Tlp::of_word)
}

fn labels(node: &Node, m: &mut Vec<Mistake>) -> Labels {
    let mut labels = Labels::default();
    let Some(fields) = node.map(m) else { return labels };
    fields.finish(&["default", "sites", "sources"], m);
    set(&mut labels.default, fields.optional("default").and_then(|n| label(n, m)));
    let each = |key: &str, m: &mut Vec<Mistake>| -> BTreeMap<String, Tlp> {
        let entries = fields.optional(key).and_then(|n| n.map(m));
        let entries = entries.iter().flat_map(|e| e.entries());
        entries.filter_map(|(k, n)| Some((k.text.to_string(), label(n, m)?))).collect()
    };
    labels.sites = each("sites", m);
    labels.sources = each("sources", m);
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn read_text(text: &str) -> (Option<AssistantConfig>, Vec<String>) {
        let mut m = Vec::new();
        let root = yaml::parse("policies/assistant.yaml", text, &mut m).expect("the test made it");
        let config = read(&root, &mut m);
        (config, m.into_iter().map(|m| m.message).collect())
    }

    #[test]
    fn what_is_written_is_read_and_the_rest_has_defaults() {
        let text = "endpoint: https://llm.example.com/v1\nmodel: small\negress: [\"llm.example.com:443\"]\n\
                    tlp: green\nlabels: { default: red, sources: { honeypot: clear } }\n";
        let (config, mistakes) = read_text(text);
        assert_eq!(mistakes, Vec::<String>::new());
        let config = config.expect("the test made it");
        assert_eq!((config.ceiling, config.per_day, config.deadline), (Tlp::Green, 100, Span::secs(20)));
        assert_eq!(config.labels.default, Tlp::Red);
        assert_eq!(config.labels.sources["honeypot"], Tlp::Clear);
    }

    #[test]
    fn the_ceiling_has_no_default_and_what_is_red_cannot_be_let_out() {
        let base = "endpoint: https://llm.example.com/v1\nmodel: small\negress: [\"llm.example.com:443\"]\n";
        let (config, mistakes) = read_text(base);
        assert!(config.is_none() && mistakes.iter().any(|m| m.contains("`tlp` is missing")), "{mistakes:?}");
        for label in ["red", "amber+strict", "all"] {
            let (config, mistakes) = read_text(&format!("{base}tlp: {label}\n"));
            assert!(config.is_none() && mistakes.len() == 1, "{label}: {mistakes:?}");
        }
        let (config, mistakes) = read_text(&format!("{base}tlp: green\ntoken: sk-abc\n"));
        assert!(config.is_none() && mistakes[0].contains("holds the secret itself"), "{mistakes:?}");
    }
}
