//! Devices as configured to devices that work. One function a kind.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use stanch_connectors::calls::{
    Calls, CallsConfig, Change, Declared, Does, InputType, Look, Program, Request,
};
use stanch_connectors::egress::Egress;
use stanch_connectors::responder::{
    Directory, LdapConfig, LdapTls, Lock, NftConfig, Nftables, OpenVswitch, OvsConfig, OvsRemote, Rpz,
    RpzConfig, Simulated, Sinkhole, TcpPaths, nftables, rpz,
};
use stanch_core::config::{
    CallConfig, CallDoes, InputKind, LdapResponder, Mistake, OvsResponder, RequestConfig, ResponderConfig,
    RpzResponder,
};
use stanch_engine::Now;
use stanch_model::port::{Caller, Responder};

use super::{FILE, Kept, Safe, said, secret, to};
use crate::secrets::place;

/// How long one connection of our own path may take.
const OWN_PATH: std::time::Duration = std::time::Duration::from_secs(2);

/// What was built: a device, and the same as a caller where calls are declared with it.
pub(super) type Built = (Arc<dyn Responder>, Option<Arc<dyn Caller>>);

/// Builds one device; none when its settings are wrong.
pub(super) fn device(
    safe: &Safe<'_>,
    config: &ResponderConfig,
    now: &Now,
    kept: &Kept,
    m: &mut Vec<Mistake>,
) -> Option<Built> {
    let built: Result<Arc<dyn Responder>, Vec<String>> = match config {
        ResponderConfig::Simulated { name } => {
            let before = kept.devices.iter().find(|r| r.simulated() && r.name() == name).cloned();
            Ok(before.unwrap_or_else(|| Arc::new(Simulated::new(name.clone(), now.clone()))))
        }
        ResponderConfig::Nftables { name, netns, table, own_path } => {
            firewall(name, netns.as_ref(), table, own_path, m)
        }
        ResponderConfig::OpenVswitch(ovs) => switch(ovs),
        ResponderConfig::Ldap(ldap) => directory(safe, ldap, m)?,
        ResponderConfig::Rpz(zone) => sinkhole(safe.folder, zone, m),
        ResponderConfig::Http { name, .. } | ResponderConfig::Exec { name, .. } => {
            return match Calls::new(declared(safe, config, m)?) {
                Ok(calls) => {
                    let calls = Arc::new(calls);
                    Some((calls.clone(), Some(calls)))
                }
                Err(wrong) => {
                    m.extend(wrong.into_iter().map(|why| said(name, why, "")));
                    None
                }
            };
        }
    };
    match built {
        Ok(responder) => Some((responder, None)),
        Err(wrong) => {
            m.extend(wrong.into_iter().map(|why| said(config.name(), why, "")));
            None
        }
    }
}

fn would_fail(name: &str, why: &str, m: &mut Vec<Mistake>) {
    m.push(Mistake::warning(FILE, (0, 0), format!("{name}: changes would fail: {why}"), ""));
}

fn firewall(
    name: &str,
    netns: Option<&String>,
    table: &str,
    own_path: &[std::net::SocketAddr],
    m: &mut Vec<Mistake>,
) -> Result<Arc<dyn Responder>, Vec<String>> {
    let mut nft = NftConfig::named(name);
    nft.netns = netns.cloned();
    table.clone_into(&mut nft.table);
    let wrong = nft.check();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let Err(why) = nftables::available() {
        would_fail(name, &why, m);
    }
    let nft = Nftables::new(nft);
    Ok(match own_path {
        [] => Arc::new(nft),
        to => Arc::new(nft.with_own_path(Arc::new(TcpPaths { to: to.to_vec(), within: OWN_PATH }))),
    })
}

fn switch(ovs: &OvsResponder) -> Result<Arc<dyn Responder>, Vec<String>> {
    let remote = match ovs.database.split_once(':') {
        Some(("unix", path)) => OvsRemote::Unix(path.into()),
        Some(("tcp", at)) => OvsRemote::Tcp(at.parse().map_err(|e| vec![format!("database: {e}")])?),
        _ => return Err(vec!["database: neither unix: nor tcp:".to_owned()]),
    };
    let mut config = OvsConfig::new(ovs.name.clone(), remote);
    config.bridge.clone_from(&ovs.bridge);
    config.uplinks.clone_from(&ovs.uplinks);
    config.untagged_is_access = ovs.untagged == "access";
    config.control = ovs.control.as_ref().map(Into::into);
    config.most_machines = ovs.most_machines;
    Ok(Arc::new(OpenVswitch::new(config)))
}

/// None when a secret is not there, which has been said.
fn directory(
    safe: &Safe<'_>,
    ldap: &LdapResponder,
    m: &mut Vec<Mistake>,
) -> Option<Result<Arc<dyn Responder>, Vec<String>>> {
    let password = secret(safe, &ldap.password, &ldap.name, &to(&ldap.url), m)?;
    let mut config = LdapConfig::new(&ldap.name, &ldap.url, &ldap.bind_dn, password, &ldap.people);
    config.tls = if ldap.tls == "none" { LdapTls::None } else { LdapTls::StartTls };
    config.ca = ldap.ca.as_ref().map(|path| place(safe.folder, path));
    config.account_attribute.clone_from(&ldap.account_attribute);
    config.groups.clone_from(&ldap.groups);
    config.group_attribute.clone_from(&ldap.group_attribute);
    config.tag_attribute.clone_from(&ldap.tag_attribute);
    config.lock = match ldap.lock.as_str() {
        "ppolicy" => Lock::Ppolicy,
        "password" => Lock::Password,
        _ => Lock::Auto,
    };
    if let Some(at) = &ldap.seal_key {
        config.seal_key = Some(secret(safe, at, &ldap.name, &[], m)?);
    }
    Some(Directory::new(config).map(|d| Arc::new(d) as Arc<dyn Responder>))
}

fn sinkhole(
    folder: &Path,
    zone: &RpzResponder,
    m: &mut Vec<Mistake>,
) -> Result<Arc<dyn Responder>, Vec<String>> {
    let mut config = RpzConfig::new(&zone.name, zone.server, &zone.zone);
    config.key = zone.key.as_ref().map(|path| place(folder, path));
    config.answer = match (zone.answer.as_str(), zone.answer.parse()) {
        ("nxdomain", _) => Sinkhole::NoSuchName,
        ("nodata", _) => Sinkhole::NoData,
        (_, Ok(address)) => Sinkhole::Address(address),
        (host, Err(_)) => Sinkhole::Host(host.to_owned()),
    };
    config.record_ttl = u32::try_from(zone.record_ttl.0 / 1_000).unwrap_or(60);
    config.resolver = zone.resolver;
    let wrong = config.check();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let Err(why) = rpz::available() {
        would_fail(&zone.name, &why, m);
    }
    if let Some(key) = config.key.as_ref().filter(|key| !key.is_file()) {
        would_fail(&zone.name, &format!("{} is not there", key.display()), m);
    }
    Ok(Arc::new(Rpz::new(config)))
}

/// The declared calls of a responder of type http or exec; none when something was missing.
fn declared(safe: &Safe<'_>, config: &ResponderConfig, m: &mut Vec<Mistake>) -> Option<CallsConfig> {
    let calls = config.calls().iter().map(|c| (c.name.clone(), call(c))).collect();
    let mut all = CallsConfig {
        name: config.name().to_owned(),
        egress: Egress::new(&[], Vec::new()).ok()?,
        token: None,
        timeout: std::time::Duration::from_secs(10),
        calls,
    };
    if let ResponderConfig::Http { name, allow, allow_private, token, timeout, .. } = config {
        all.egress = match Egress::new(allow, allow_private.clone()) {
            Ok(egress) => egress,
            Err(why) => {
                m.push(said(name, why, ""));
                return None;
            }
        };
        all.timeout = timeout.to_std();
        if let Some(at) = token {
            all.token = Some(secret(safe, at, name, allow, m)?);
        }
    }
    Some(all)
}

fn call(config: &CallConfig) -> Declared {
    let inputs: BTreeMap<String, InputType> =
        config.inputs.iter().map(|(name, kind)| (name.clone(), input(kind))).collect();
    let does = match &config.does {
        CallDoes::Ask(r) => Does::Ask(request(r)),
        CallDoes::Change { perform, verify, revert } => Does::Change(Box::new(Change {
            perform: request(perform),
            verify: Look {
                request: request(verify),
                absent: verify.absent.clone(),
                equals: verify.equals.clone(),
            },
            revert: revert.as_ref().map(request),
        })),
        CallDoes::Program { changes, program, args, sha256, enabled, timeout } => Does::Run {
            program: Program {
                path: program.into(),
                args: args.clone(),
                sha256: sha256.clone(),
                enabled: *enabled,
                timeout: timeout.to_std(),
            },
            changes: *changes,
        },
    };
    Declared { inputs, does }
}

fn input(kind: &InputKind) -> InputType {
    match kind {
        InputKind::Text => InputType::Text,
        InputKind::Word => InputType::Word,
        InputKind::Integer => InputType::Integer,
        InputKind::Boolean => InputType::Boolean,
        InputKind::Address => InputType::Address,
        InputKind::Prefix => InputType::Prefix,
        InputKind::Domain => InputType::Domain,
        InputKind::Choice(words) => InputType::Choice(words.clone()),
    }
}

fn request(r: &RequestConfig) -> Request {
    Request {
        method: r.method.clone(),
        url: r.url.clone(),
        headers: r.headers.clone(),
        body: r.body.clone(),
        expect: r.expect.clone(),
        outcome: r.outcome.clone(),
    }
}
