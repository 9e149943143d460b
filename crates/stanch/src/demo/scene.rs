//! The demonstration, act by act.

mod account;
mod contain;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use stanch_connectors::responder::lab::Lab;
use stanch_server::api::v1::types::{
    ApprovalDetail, ApprovalPage, LedgerView, SentenceView, StoryView,
};

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
/// Sentences of the story shown; `stanch story` shows all.
const SENTENCES: usize = 9;

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
    let post = Post::open(args.smtp.as_deref()).await?;
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
    tell.raw(&format!("{} {}", tell.paint(Style::Strong, &format!("stanch {version} demo")), tell.paint(Style::Faint,
        "· one process, a temporary store, nothing leaves this machine")));
    if let Some(why) = why_not {
        tell.raw("");
        tell.said("SIMULATED", Style::Warn, &format!("the firewall is pretended here: {why}"));
        tell.said("", Style::Faint, "for real packets: apt-get install nftables iproute2, then run it as root");
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
        let network = self.build_network(&asked).await?;
        let exit = if self.answer(&asked).await? {
            self.contain(&asked, network.as_ref()).await?;
            Exit::Ok
        } else {
            self.decline(&asked).await?
        };
        self.close(&asked).await?;
        self.last_words(exit);
        Ok(exit)
    }

    /// Act 1: the recording, through the intake.
    async fn take_in(&mut self) -> Result<Fed> {
        self.tell.act(1, "take in", "a day of a real intrusion, as its sensor wrote it down");
        self.tell.said("recording", Style::Plain, "4 November 2017, Suricata EVE, one network under attack (CPTC 2017, MIT)");
        let how = format!("POST http://{}/in/suricata, acknowledged after fsync", self.stage.app.addr());
        self.tell.said("way in", Style::Plain, &how);
        let started = self.begun.elapsed();
        let fed = feed::feed(&self.stage, &self.tell, self.args.speed).await?;
        let first = fed.first_incident.context("the recording opened no incident")?;
        self.summary.first_incident_ms = millis(started + first);
        self.summary.intake_ms = millis(fed.took);
        let rate = fed.records as f64 / fed.took.as_secs_f64().max(0.001);
        let words = format!(
            "{} records → {} alerts → {}; {} records a second",
            number(fed.records), number(fed.alerts), incidents(fed.incidents), number(rate as u64)
        );
        self.tell.milestone(fed.took, &words);
        Ok(fed)
    }

    async fn account_for(&mut self, fed: &Fed) -> Result<()> {
        let ledger: LedgerView = self.stage.api.get_as(&Route::new(&["ledger"])).await?;
        let t = &ledger.total;
        let line = format!(
            "{} received = {} merged + {} in incidents + {} open + {} suppressed + {} closed + {} quarantined",
            number(t.received), number(t.merged), number(t.in_incidents), number(t.open), number(t.suppressed),
            number(t.closed), number(t.quarantined)
        );
        self.tell.said("ledger", Style::Plain, &line);
        let exact = ledger.balanced && t.received == fed.records;
        let (style, words) = if exact { (Style::Good, "✓ balanced: nothing lost, nothing twice") } else { (Style::Bad, "✗ does not balance") };
        self.tell.said("", style, words);
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
                let asked: ApprovalDetail = self.stage.api.get_as(&Route::new(&["approvals", &first.id])).await?;
                self.summary.incident.clone_from(&asked.summary.incident);
                self.summary.approval.clone_from(&asked.summary.id);
                self.summary.code.clone_from(&asked.summary.code);
                self.summary.target.clone_from(&asked.summary.target);
                return Ok(asked);
            }
            if begun.elapsed() > QUESTION {
                return Err(Failure::new(Exit::Failed, "the engine proposes no change for this recording",
                    "please report it: it should").into());
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
            story.severity, story.confidence, number(story.records), number(story.alerts as u64), story.actors_total
        );
        self.tell.said("", Style::of_severity(&story.severity), &sure);
        self.tell.said("stages", Style::Plain, &story.stages.join(" → "));
        for s in chosen(&story) {
            let cited = s.alerts.first().map(|a| {
                let more = s.alerts.len() - 1 + s.more;
                if more > 0 { format!(" [{a} +{more}]") } else { format!(" [{a}]") }
            });
            let at = s.at.get(11..19).unwrap_or(&s.at);
            self.tell.said(at, Style::Plain, &format!("{}{}", s.text, cited.unwrap_or_default()));
        }
        let told = chosen(&story).len();
        if story.happened.len() > told {
            let rest = format!("and {} more sentences, each with the alerts it rests on", story.happened.len() - told);
            self.tell.said("", Style::Faint, &rest);
        }
        for line in story.unknown.iter().take(2) {
            self.tell.said("not known", Style::Faint, line);
        }
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
        if !self.can_ask() {
            return Ok(false);
        }
        let what = format!("{} {} for {}, code {}", "Block", asked.summary.target, asked.summary.ttl, asked.summary.code);
        self.out.ask(&format!("\n   {} Type yes: ", self.tell.paint(Style::Warn, &format!("{what}?"))));
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

/// The sentences shown: what is late in the attack first, then told in order.
fn chosen(story: &StoryView) -> Vec<&SentenceView> {
    let late = |text: &str| {
        let stage = text.split(':').next().unwrap_or_default().to_lowercase();
        story.stages.iter().position(|s| *s == stage).unwrap_or(0)
    };
    let mut all: Vec<(usize, &_)> = story.happened.iter().enumerate().collect();
    // A few of each stage, the latest stages first: a stage that fills the page tells nothing new.
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    all.sort_by_key(|(n, s)| (std::cmp::Reverse(late(&s.text)), *n));
    all.retain(|(_, s)| {
        let of_stage = taken.entry(late(&s.text)).or_default();
        *of_stage += 1;
        *of_stage <= 2
    });
    all.truncate(SENTENCES);
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, s)| s).collect()
}
