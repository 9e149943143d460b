//! The middle of the demonstration: a network, a yes, a block, its end.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use stanch_connectors::responder::lab::{Lab, Probe};
use stanch_model::Timestamp;
use stanch_server::api::v1::types::{ApprovalDetail, BlockPage, BlockView, RunPage};

use super::super::mail::{self, CHANGE, LIFTED, Post};
use super::super::network::{self, Ends, Watched, cannot};
use super::Scene;
use crate::client::Route;
use crate::exit::Exit;
use crate::output::{Style, safe};

/// How long a change may take to be seen in place, or an ended one to be seen gone.
const DEVICE: Duration = Duration::from_secs(15);
/// How long a mail may take.
const MAIL: Duration = Duration::from_secs(10);
/// Lines of a mail shown, besides its last.
const MAIL_LINES: usize = 9;
/// How often the server is asked while waiting.
const ASK: Duration = Duration::from_millis(100);

/// The network, and a connection through it that is kept open.
pub(super) struct Network {
    ends: Ends,
    session: Watched,
}

impl Scene<'_> {
    /// Act 4: two hosts under the incident's own addresses, a firewall, and traffic that works.
    pub(super) async fn build_network(&mut self, asked: &ApprovalDetail) -> Result<Option<Network>> {
        let ends = network::ends(&self.stage.api, &asked.summary.incident, &asked.summary.target).await?;
        self.summary.victim = Some(ends.victim.to_string());
        let Some(lab) = self.lab.as_mut() else {
            self.tell.act(4, "before", "no packets are sent: the firewall is pretended");
            for slot in [
                &mut self.summary.probe_before,
                &mut self.summary.probe_during,
                &mut self.summary.probe_after,
            ] {
                *slot = "simulated".into();
            }
            return Ok(None);
        };
        self.tell.act(4, "before", "the same addresses in network namespaces of their own, and real packets");
        lab.wire(ends.victim, ends.target).await.map_err(cannot)?;
        lab.start_listener(ends.port).await.map_err(cannot)?;
        self.tell.said(
            "network",
            Style::Plain,
            &format!("{} ── firewall {} ── {}:{}", ends.victim, lab.firewall_ns(), ends.target, ends.port),
        );
        let session = Watched::open(lab)?;
        let probe = lab.probe().await.map_err(cannot)?;
        self.summary.probe_before = network::word(&probe).into();
        self.show_probe(&probe, &ends);
        self.wait_for_echo(&session).await;
        self.tell.said(
            "session",
            Style::Good,
            &format!("● open: {} lines sent and echoed", session.now().echoes),
        );
        Ok(Some(Network { ends, session }))
    }

    async fn wait_for_echo(&self, session: &Watched) {
        let begun = Instant::now();
        while session.now().echoes < 2 && begun.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn show_probe(&self, probe: &Probe, ends: &Ends) {
        let way = format!("{} → {}:{}", ends.victim, ends.target, ends.port);
        let (style, words) = match probe {
            Probe::Open { took } if took.0 == 0 => {
                (Style::Good, format!("✓ {way} connected in less than 1ms"))
            }
            Probe::Open { took } => (Style::Good, format!("✓ {way} connected in {took}")),
            Probe::Blocked { after } => (Style::Warn, format!("■ {way} blocked: no answer within {after}")),
            Probe::Refused { why } => (Style::Warn, format!("? {way} {why}")),
        };
        self.tell.said("probe", style, &words);
    }

    /// Act 5 and 6: the yes, the block in the kernel, the proof, the mail; then its end.
    pub(super) async fn contain(&mut self, asked: &ApprovalDetail, network: Option<&Network>) -> Result<()> {
        self.summary.answer = "approved".into();
        self.tell.act(5, "contain", &format!("{} for {}", asked.summary.action, asked.summary.ttl));
        let route = Route::new(&["approvals", &asked.summary.id, "approve"]);
        let body = json!({ "digest": asked.summary.digest, "reason": "the demonstration" });
        self.stage.api.post(&route, &body).await?;
        let block = self.wait_for_block(asked, |b| b.state != "permitted").await?;
        let words =
            format!("{} {} on {}{}", block.id, block.state.replace('_', " "), block.responder, delay(&block));
        self.tell.said("block", Style::Plain, &words);
        anyhow::ensure!(block.state == "in_force", "the block is {}: {:?}", block.state, block.ended);
        if let (Some(lab), Some(network)) = (&self.lab, network) {
            self.proof(lab, network).await?.apply(&mut self.summary);
        } else {
            self.tell.said(
                "firewall",
                Style::Warn,
                "SIMULATED: the entry is kept in memory, no packet is touched",
            );
        }
        self.show_mail(CHANGE, true).await;
        self.end(asked, &block, network).await
    }

    /// What the kernel holds and what packets meet, now.
    async fn proof(&self, lab: &Lab, network: &Network) -> Result<Proof> {
        let kernel = network::kernel(&lab.firewall_ns(), network.ends.target).await;
        for element in &kernel {
            self.tell.said("kernel", Style::Plain, element);
        }
        let probe = lab.probe().await.map_err(cannot)?;
        self.show_probe(&probe, &network.ends);
        let begun = Instant::now();
        while network.session.now().lost.is_none() && begun.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let session = network.session.now();
        let (style, words) = match &session.lost {
            Some(why) => (Style::Warn, format!("■ cut after {} echoes: {why}", session.echoes)),
            None => (Style::Bad, "✗ still open".to_owned()),
        };
        self.tell.said("session", style, &words);
        Ok(Proof { kernel, probe: network::word(&probe), cut: session.lost.is_some() })
    }

    async fn show_mail(&self, subject: &str, whole: bool) {
        let noc = &self.args.noc;
        if let Post::Foreign(host, port) = &self.post {
            return self.tell.said("mail", Style::Plain, &format!("for {noc}, by way of {host}:{port}"));
        }
        let Some(mail) = self.post.wait_for(noc, subject, MAIL).await else {
            return self.tell.said(
                "mail",
                Style::Bad,
                &format!("{noc} was not told within {} s", MAIL.as_secs()),
            );
        };
        let title = mail.header("subject").unwrap_or_default();
        self.tell.said("mail", Style::Strong, &format!("to {noc}: {title}"));
        if !whole {
            return;
        }
        for line in self.post.envelope(subject) {
            self.tell.quoted(&line, Style::Faint);
        }
        for line in excerpt(&mail::body(&mail)) {
            self.tell.quoted(&line, Style::Plain);
        }
    }

    /// Waits until the block is as wanted.
    async fn wait_for_block(
        &self,
        asked: &ApprovalDetail,
        wanted: impl Fn(&BlockView) -> bool,
    ) -> Result<BlockView> {
        let route = Route::new(&["blocks"]).flag("all", true).with("incident", Some(&asked.summary.incident));
        let begun = Instant::now();
        loop {
            let page: BlockPage = self.stage.api.get_as(&route).await?;
            let ours = page.blocks.into_iter().find(|b| b.approval.as_ref() == Some(&asked.summary.id));
            if let Some(block) = ours.filter(|b| wanted(b)) {
                return Ok(block);
            }
            anyhow::ensure!(begun.elapsed() < DEVICE + self.args.ttl, "the firewall did not follow in time");
            tokio::time::sleep(ASK).await;
        }
    }

    async fn end(
        &mut self,
        asked: &ApprovalDetail,
        block: &BlockView,
        network: Option<&Network>,
    ) -> Result<()> {
        self.tell.act(6, "release", "nothing holds for ever: the block ends by itself");
        let mut left = Duration::from_millis(block.left_ms.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
        loop {
            let now = self.wait_for_block(asked, |_| true).await?;
            let Some(ms) = now.left_ms.filter(|_| now.state == "in_force") else { break };
            left = Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(left.max(ASK));
            self.tell.countdown(
                left,
                self.args.ttl,
                &format!("until {} is free again", safe(&asked.summary.target)),
            );
            tokio::time::sleep(ASK).await;
        }
        self.tell.live_end();
        let over = self.wait_for_block(asked, |b| b.ended.is_some()).await?;
        let why = over.ended.as_ref().map(|e| e.why.clone()).unwrap_or_default();
        self.summary.block.clone_from(&over.state);
        self.tell.said("block", Style::Plain, &format!("{} {}: {why}", over.id, over.state));
        if let (Some(lab), Some(network)) = (&self.lab, network) {
            let held = network::kernel(&lab.firewall_ns(), network.ends.target).await;
            let words = if held.is_empty() { "no entry any more".to_owned() } else { held.join("; ") };
            self.tell.said("kernel", Style::Plain, &words);
            let probe = lab.probe().await.map_err(cannot)?;
            self.show_probe(&probe, &network.ends);
            self.summary.probe_after = network::word(&probe).into();
        }
        self.show_mail(LIFTED, false).await;
        self.summary.noc_mails = self.post.changes_told(&self.args.noc);
        let run = self.wait_for_run(&asked.run).await?;
        self.tell.said("playbook", Style::Plain, &format!("{} {}: {run}", asked.run, asked.playbook));
        self.summary.run = run;
        Ok(())
    }

    async fn wait_for_run(&self, run: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            let page: RunPage = self.stage.api.get_as(&Route::new(&["runs"])).await?;
            let state = page.runs.into_iter().find(|r| r.id == run).map(|r| r.state).unwrap_or_default();
            if state != "running" || begun.elapsed() > DEVICE {
                return Ok(state);
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// Nobody agreed: nothing is changed.
    pub(super) async fn decline(&mut self, asked: &ApprovalDetail, somebody: bool) -> Result<Exit> {
        let reason =
            if somebody { "the person at the terminal said no" } else { "nobody was there to be asked" };
        let body = json!({ "digest": asked.summary.digest, "reason": reason });
        self.stage.api.post(&Route::new(&["approvals", &asked.summary.id, "deny"]), &body).await?;
        self.tell.said("answer", Style::Warn, &format!("no: {reason}; nothing was changed"));
        if !somebody {
            self.tell.said("", Style::Plain, "to see the rest without being asked: stanch demo --yes");
        }
        self.summary.answer = format!("denied: {reason}");
        Ok(if somebody { Exit::Ok } else { Exit::Refused })
    }
}

/// How long the device took, in words.
fn delay(block: &BlockView) -> String {
    let parse = |text: &str| Timestamp::parse(text).ok();
    let since = block.since.as_deref().and_then(parse);
    let took = since.zip(parse(&block.permitted_at)).map(|(seen, permitted)| seen.since(permitted));
    took.map(|t| format!(", seen in place {t} after the yes")).unwrap_or_default()
}

/// The beginning of a mail and its last line.
fn excerpt(body: &str) -> Vec<String> {
    let lines: Vec<&str> = body.trim_end().lines().collect();
    if lines.len() <= MAIL_LINES + 2 {
        return lines.iter().map(ToString::to_string).collect();
    }
    let mut shown: Vec<String> = lines[..MAIL_LINES].iter().map(ToString::to_string).collect();
    shown.push(format!("  … {} more lines", lines.len() - MAIL_LINES - 1));
    shown.extend(lines.last().map(ToString::to_string));
    shown
}

/// What was seen while the block was in force.
struct Proof {
    kernel: Vec<String>,
    probe: &'static str,
    cut: bool,
}

impl Proof {
    fn apply(self, summary: &mut super::Summary) {
        summary.kernel = self.kernel;
        summary.probe_during = self.probe.into();
        summary.session_cut = self.cut;
    }
}
