//! The demonstration, act by act.

mod account;
mod contain;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;
use stanch_connectors::responder::lab::Lab;
use stanch_server::api::v1::types::{ApprovalDetail, ApprovalPage, LedgerView, SentenceView, StoryView};

use super::feed::{self, Fed};
use super::mail::Post;
use super::network;
use super::stage::{Folder, OPERATOR, Plan, Stage};
use super::summary::Summary;
use super::tell::{Tell, incidents, number};
use crate::client::Route;
use crate::cmd::demo::Args;
use crate::exit::{Exit, Failure};
use crate::output::{Out, Style};

/// How long the engine may take from the last record to its question.
const QUESTION: Duration = Duration::from_secs(15);
/// Sentences shown about the address in question; `stanch story` shows all.
const ABOUT_TARGET: usize = 4;

/// Everything that stands while the demonstration runs.
struct Scene<'a> {
    args: &'a Args,
    out: &'a Out,
    tell: Tell<'a>,
    stage: Stage,
    post: Post,
    lab: Option<Lab>,
    summary: Summary,
    begun: Instant,
}

/// Plays it. Whatever happens, namespaces and folder are gone afterwards.
///
/// # Errors
/// What went wrong.
pub async fn play(args: &Args, out: &Out) -> Result<Exit> {
    let begun = Instant::now();
    let why_not = network::possible().err();
    let tell = Tell::new(out, why_not.is_some());
    opening(&tell, why_not.as_deref());
    let lab = if why_not.is_none() { Some(network::namespaces().await?) } else { None };
    let post = Post::open(args.smtp.as_ref()).await?;
    let folder = Folder::create(args.keep.as_deref())?;
    let plan = Plan {
        netns: lab.as_ref().map(Lab::firewall_ns),
        smtp: post.place(),
        noc: args.noc.clone(),
        ttl: args.ttl,
    };
    let stage = Stage::build(&folder, &plan).await?;
    let summary = Summary { simulated: lab.is_none(), simulated_because: why_not, ..Summary::default() };
    let mut scene = Scene { args, out, tell, stage, post, lab, summary, begun };
    let played = scene.acts().await;
    let Scene { stage, mut summary, .. } = scene;
    stage.app.stop().await;
    let exit = played?;
    summary.took_ms = millis(begun.elapsed());
    if out.json {
        out.json(&summary);
    }
    Ok(exit)
}

fn opening(tell: &Tell<'_>, why_not: Option<&str>) {
    let version = env!("CARGO_PKG_VERSION");
    tell.raw(&format!(
        "{} {}",
        tell.paint(Style::Strong, &format!("stanch {version} demo")),
        tell.paint(Style::Faint, "· one process, a temporary store, nothing leaves this machine")
    ));
    if let Some(why) = why_not {
        tell.raw("");
        tell.said("SIMULATED", Style::Warn, &format!("the firewall is pretended here: {why}"));
        tell.said(
            "",
            Style::Faint,
            "for real packets: apt-get install nftables iproute2, then run it as root",
        );
    }
}

/// Whole milliseconds.
fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

impl Scene<'_> {
    async fn acts(&mut self) -> Result<Exit> {
        let fed = self.take_in().await?;
        self.account_for(&fed).await?;
        let asked = self.question().await?;
        self.fold(&asked).await?;
        self.propose(&asked);
        let exit = if self.args.yes || self.can_ask() {
            self.act_on(&asked).await?
        } else {
            self.decline(&asked, false).await?
        };
        self.close(&asked).await?;
        self.last_words(exit);
        Ok(exit)
    }

    /// Acts 4 to 6: a network that works, a yes or a no, and what follows from it.
    async fn act_on(&mut self, asked: &ApprovalDetail) -> Result<Exit> {
        let network = self.build_network(asked).await?;
        if !self.answer(asked).await? {
            return self.decline(asked, true).await;
        }
        self.contain(asked, network.as_ref()).await?;
        Ok(Exit::Ok)
    }

    /// Act 1: the recording, through the intake.
    async fn take_in(&mut self) -> Result<Fed> {
        self.tell.act(1, "take in", "a day of a real intrusion, as its sensor wrote it down");
        self.tell.said(
            "recording",
            Style::Plain,
            "4 November 2017, Suricata EVE, one network under attack (CPTC 2017, MIT)",
        );
        let how = format!("POST http://{}/in/suricata, acknowledged after fsync", self.stage.app.addr());
        self.tell.said("way in", Style::Plain, &how);
        let started = self.begun.elapsed();
        let fed = feed::feed(&self.stage, &self.tell, self.args.speed).await?;
        let first = fed.first_incident.context("the recording opened no incident")?;
        self.summary.first_incident_ms = millis(started + first);
        self.summary.intake_ms = millis(fed.took);
        let rate = fed.records as f64 / fed.took.as_secs_f64().max(0.001);
        let words = format!(
            "{} records → {} alerts → {}, {} records a second",
            number(fed.records),
            number(fed.alerts),
            incidents(fed.incidents),
            number(rate as u64)
        );
        self.tell.milestone(fed.took, &words);
        Ok(fed)
    }

    async fn account_for(&mut self, fed: &Fed) -> Result<()> {
        let ledger: LedgerView = self.stage.api.get_as(&Route::new(&["ledger"])).await?;
        let t = &ledger.total;
        let held = format!(
            "{} received = {} merged + {} in incidents + {} open",
            number(t.received),
            number(t.merged),
            number(t.in_incidents),
            number(t.open)
        );
        let exact = ledger.balanced && t.received == fed.records;
        let (style, words) =
            if exact { (Style::Good, "✓ balanced") } else { (Style::Bad, "✗ does not balance") };
        self.tell.said("ledger", Style::Plain, &held);
        let rest =
            format!("+ {} suppressed + {} closed + {} quarantined", t.suppressed, t.closed, t.quarantined);
        self.tell.pair("", &rest, style, words);
        self.summary.alerts = fed.alerts;
        self.summary.incidents = fed.incidents;
        self.summary.balanced = exact;
        self.summary.ledger = ledger.total;
        Ok(())
    }

    /// Waits for the engine's question; which one it asks is its own affair.
    async fn question(&mut self) -> Result<ApprovalDetail> {
        let begun = Instant::now();
        loop {
            let route = Route::new(&["approvals"]).flag("pending", true);
            let page: ApprovalPage = self.stage.api.get_as(&route).await?;
            if let Some(first) = page.approvals.last() {
                let asked: ApprovalDetail =
                    self.stage.api.get_as(&Route::new(&["approvals", &first.id])).await?;
                self.summary.incident.clone_from(&asked.summary.incident);
                self.summary.approval.clone_from(&asked.summary.id);
                self.summary.code.clone_from(&asked.summary.code);
                self.summary.target.clone_from(&asked.summary.target);
                return Ok(asked);
            }
            if begun.elapsed() > QUESTION {
                return Err(Failure::new(
                    Exit::Failed,
                    "the engine proposes no change for this recording",
                    "please report it: it should",
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Act 2: the story of the incident that needs a decision.
    async fn fold(&mut self, asked: &ApprovalDetail) -> Result<()> {
        let incident = &asked.summary.incident;
        let story: StoryView = self.stage.api.get_as(&Route::new(&["incidents", incident, "story"])).await?;
        self.tell.act(2, "fold", &format!("{} records, one story", number(story.records)));
        self.tell.said(incident, Style::Strong, &story.title);
        let sure = format!(
            "{} · confidence {:.2} · {} records in {} alerts between {} machines",
            story.severity,
            story.confidence,
            number(story.records),
            number(story.alerts as u64),
            story.actors_total
        );
        self.tell.said("", Style::of_severity(&story.severity), &sure);
        self.tell.said("stages", Style::Plain, &story.stages.join(" → "));
        let told = chosen(&story, &asked.summary.target);
        for s in &told {
            let cited = s.alerts.first().map(|a| {
                let more = s.alerts.len() - 1 + s.more;
                if more > 0 { format!(" [{a} +{more}]") } else { format!(" [{a}]") }
            });
            let at = s.at.get(11..19).unwrap_or(&s.at);
            self.tell.said(at, Style::Plain, &format!("{}{}", s.text, cited.unwrap_or_default()));
        }
        let rest = story.happened.len() - told.len();
        if rest > 0 {
            self.tell.said(
                "",
                Style::Faint,
                &format!("and {rest} more sentences; [A-1 +2] names the alerts one rests on"),
            );
        }
        for line in story.unknown.iter().take(2) {
            self.tell.said("not known", Style::Faint, line);
        }
        // Whoever reads it has taken it: from here on nobody else is woken.
        self.stage.api.post(&Route::new(&["incidents", incident, "ack"]), &json!({})).await?;
        self.tell.said("taken by", Style::Plain, OPERATOR);
        self.summary.title = story.title;
        self.summary.records_in_story = story.records;
        Ok(())
    }

    /// Act 3: the question, exactly as it stands in the journal.
    fn propose(&self, asked: &ApprovalDetail) {
        self.tell.act(3, "decide", "what the engine proposes, and what a person is shown");
        for line in asked.shown.lines() {
            let style = if line.starts_with("Block ") { Style::Strong } else { Style::Plain };
            self.tell.quoted(line, style);
        }
    }

    /// A yes, however it is given; false: nobody agrees.
    async fn answer(&mut self, asked: &ApprovalDetail) -> Result<bool> {
        if self.args.yes {
            self.tell.said("answer", Style::Good, &format!("yes, by --yes as {OPERATOR}"));
            return Ok(true);
        }
        let s = &asked.summary;
        let simulated = if s.simulated { "SIMULATED: " } else { "" };
        let what = format!("{simulated}block {} for {}, code {}?", s.target, s.ttl, s.code);
        self.out.ask(&format!("\n   {} Type yes: ", self.tell.paint(Style::Warn, &what)));
        // On a thread of its own, so that a signal still ends the demonstration.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        Ok(line.await??.trim().eq_ignore_ascii_case("yes"))
    }

    /// Somebody is there who can be asked.
    fn can_ask(&self) -> bool {
        use std::io::IsTerminal as _;
        std::io::stdin().is_terminal() && !self.tell.silent()
    }
}

/// The sentences shown: one for each stage, and the latest about the address in question.
fn chosen<'s>(story: &'s StoryView, target: &str) -> Vec<&'s SentenceView> {
    let address = |c: char| c.is_ascii_hexdigit() || ".:".contains(c);
    let names = |text: &str| text.split(|c| !address(c)).any(|w| w.trim_end_matches(':') == target);
    let stage = |s: &SentenceView| s.text.split(':').next().unwrap_or_default().to_lowercase();
    let about = story.happened.iter().enumerate().rev().filter(|(_, s)| names(&s.text));
    let mut shown: BTreeSet<usize> = about.take(ABOUT_TARGET).map(|(n, _)| n).collect();
    let mut told: BTreeSet<String> = shown.iter().map(|n| stage(&story.happened[*n])).collect();
    for (n, s) in story.happened.iter().enumerate() {
        if story.stages.contains(&stage(s)) && told.insert(stage(s)) {
            shown.insert(n);
        }
    }
    shown.into_iter().map(|n| &story.happened[n]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_for_a_stage_and_more_about_the_address_in_question() {
        let sentence =
            |text: &str| SentenceView { at: String::new(), text: text.into(), alerts: vec![], more: 0 };
        let texts = [
            "Policy: 10.0.0.3 → 10.0.0.4",
            "Scan: 10.0.0.10 → 3 machines",
            "Scan: 10.0.0.10 → 2 machines",
            "Calls: web (10.0.0.1) → x",
            "Calls: web → 10.0.0.1: again",
            "Calls: web → 10.0.0.12: other",
        ];
        let story: StoryView = serde_json::from_value(serde_json::json!({
            "incident": "INC-1", "title": "", "status": "", "severity": "", "confidence": 1.0, "records": 1, "alerts": 1,
            "happened": texts.map(sentence), "actors": [], "actors_total": 0, "stages": ["scan", "calls"], "techniques": [],
            "unknown": [], "done": [], "parts": [], "text": ""
        }))
        .expect("a story");
        let told: Vec<&str> = chosen(&story, "10.0.0.1").iter().map(|s| s.text.as_str()).collect();
        assert_eq!(told, [texts[1], texts[3], texts[4]]);
    }
}
