//! Plays the hosts of a lab in this crate's own tests. See `stanch_connectors::responder::lab`.
//!
//! `lab_helper make INSIDE OUTSIDE` builds a lab, prints the name of its firewall's namespace, and
//! keeps the lab until it is killed: for the test that a lab vanishes with its process.
//!
//! `lab_helper block NAMESPACE ADDRESS SECONDS` blocks an address on the firewall in that namespace, says
//! `blocked`, and waits to be killed. `lab_helper trial NAMESPACE ADDRESS` does the same with an own path
//! that never answers again, so that the block stands on trial: for `cargo xtask lab`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stanch_connectors::responder::lab::{Lab, LabPlan, helper_main};
use stanch_connectors::responder::{NftConfig, Nftables, OwnPath};
use stanch_model::port::Responder;
use stanch_model::{Action, ActionId, ActionKind, IncidentId, Observed, Span};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["make", inside, outside] => make(inside, outside),
        ["block", ns, address, seconds] => block(ns, address, Some(seconds)),
        ["trial", ns, address] => block(ns, address, None),
        _ => return helper_main(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody may be listening any more.
            let _ = writeln!(std::io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    }
}

/// Works once, before the block; after it there is never an answer.
struct Silent(AtomicBool);

#[async_trait]
impl OwnPath for Silent {
    async fn is_open(&self) -> bool {
        if self.0.swap(false, Ordering::SeqCst) {
            return true;
        }
        say("blocked");
        std::future::pending().await
    }

    fn words(&self) -> String {
        "nowhere".to_owned()
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

/// Blocks and waits to be killed. Without a time the block stays on trial.
fn block(ns: &str, address: &str, seconds: Option<&&str>) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ttl = seconds.map_or(Ok(Span::hours(1)), |s| s.parse().map(Span::secs))?;
    let kind = ActionKind::BlockAddress { target: address.parse()? };
    let (id, incident) = (ActionId(1), IncidentId(1));
    let action = Action { id, incident, responder: "lab".to_owned(), kind, ttl, before: None };
    let mut firewall = Nftables::new(NftConfig::named("lab").in_netns(ns));
    if seconds.is_none() {
        firewall = firewall.with_own_path(Arc::new(Silent(AtomicBool::new(true))));
    }
    runtime.block_on(async {
        match firewall.perform(&action).await? {
            Observed::Present { .. } => say("blocked"),
            other => return Err(format!("{other:?}").into()),
        }
        std::future::pending().await
    })
}

fn make(inside: &str, outside: &str) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let helper = vec![std::env::current_exe()?.into()];
        let lab = Lab::create(LabPlan { inside: inside.parse()?, outside: outside.parse()?, helper }).await?;
        writeln!(std::io::stdout(), "{}", lab.firewall_ns())?;
        std::future::pending::<()>().await;
        lab.remove();
        Ok(())
    })
}
