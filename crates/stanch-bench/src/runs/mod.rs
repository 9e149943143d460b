//! `runs`: playbook runs beside other engines. Goals S12 to S16.

mod echo;
mod engines;
mod install;

use std::time::Duration;

use anyhow::Result;

use crate::limits;
use crate::load::{Window, drive_for};
use crate::peers::work;
use crate::plan::Plan;
use crate::report::{Figures, Row, Section};
use engines::{Engine, GIVEN};

/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 10, 50];
/// Steps of the flow: the call that begins it, condition, mapping, call, answer.
const ACTIONS: f64 = 4.0;

const ENGINES: [Engine; 5] = [Engine::Stanch, Engine::NodeRed, Engine::Restate, Engine::N8n, Engine::N8nFast];

/// What one engine did with so many connections.
#[derive(Default)]
struct Done {
    rate: Figures,
    p50: Figures,
    p99: Figures,
    /// Milliseconds of CPU for a run.
    cpu: Figures,
    /// MiB held at the end.
    held: Figures,
}

impl Done {
    fn add(&mut self, window: &Window, time: Duration, held: u64) {
        self.rate.add(window.rate);
        self.p50.add(window.ms(500));
        self.p99.add(window.ms(990));
        self.cpu.add(window.spent * 1e3 / (window.rate * time.as_secs_f64()));
        self.held.add(held as f64 / f64::from(1 << 20));
    }
}

/// All that was measured.
struct Measured {
    /// By engine, then by connections.
    done: Vec<[Done; 3]>,
    sync: Figures,
}

/// Measures all engines.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let peers = install::install()?;
    let echo = echo::start()?;
    let quick = plan.shrink > 1;
    let [warm, time] = if quick { [1, 3] } else { [2, 10] }.map(Duration::from_secs);
    let mut measured =
        Measured { done: ENGINES.map(|_| Default::default()).into(), sync: Figures::default() };
    for round in 0..plan.runs {
        for n in 0..ENGINES.len() {
            // Who goes first changes, so that none always meets the warmer machine.
            let which = (n + round) % ENGINES.len();
            let engine = ENGINES[which];
            let name = format!("{engine:?}").to_lowercase();
            if (quick && engine == Engine::N8nFast) || !(plan.only.is_empty() || plan.only == name) {
                continue;
            }
            let up = engines::start(engine, &plan.server, &peers, echo)?;
            for (connections, done) in CONNECTIONS.into_iter().zip(&mut measured.done[which]) {
                let right = |status, body: &[u8]| status == 200 && engines::right(body);
                let window =
                    drive_for(&up.door, GIVEN.as_bytes(), connections, [warm, time], right, || up.cpu())?;
                println!(
                    "{}/{} {engine:?}, {connections} connections: {:.0}/s, p50 {:.2} ms",
                    round + 1,
                    plan.runs,
                    window.rate,
                    window.ms(500)
                );
                done.add(&window, time, up.rss()?);
            }
        }
        let dir = tempfile::tempdir_in(work()?)?;
        measured.sync.add(limits::sync(dir.path())?);
    }
    Ok(section(plan, rows(&measured)))
}

fn rows(measured: &Measured) -> Vec<Row> {
    let of = |engine: Engine| &measured.done[ENGINES.iter().position(|e| *e == engine).unwrap_or_default()];
    let ours = of(Engine::Stanch);
    let peers = [
        (Engine::NodeRed, "Node-RED", "S14", 1.0),
        (Engine::Restate, "Restate, three durable steps", "S12", 5.0),
        (Engine::N8n, "n8n as it comes", "S13", 50.0),
        (Engine::N8nFast, "n8n, expressions in its own process, nothing kept", "S13", 20.0),
    ];
    let mut rows = Vec::new();
    for (engine, name, goal, floor) in peers {
        let theirs = of(engine);
        for (n, connections) in CONNECTIONS.into_iter().enumerate() {
            if theirs[n].rate.0.is_empty() {
                continue;
            }
            let what = format!("runs/s, {connections} connections; peer: {name}");
            let row = Row::plain(what, &ours[n].rate, Some(&theirs[n].rate));
            let ratio = ours[n].rate.median() / theirs[n].rate.median();
            rows.push(if connections == 50 {
                row.goal(goal, ratio, "×", floor, true)
            } else {
                Row { result: format!("{}×", crate::report::number(ratio)), ..row }
            });
        }
        for (what, n, pick) in [
            ("ms a run p50, 1 connection", 0, (|d| &d.p50) as fn(&Done) -> &Figures),
            ("ms a run p50, 50 connections", 2, |d| &d.p50),
            ("ms a run p99, 50 connections", 2, |d| &d.p99),
            ("ms CPU a run, 50 connections", 2, |d| &d.cpu),
            ("MiB held after it all", 2, |d| &d.held),
        ] {
            if !pick(&theirs[n]).0.is_empty() {
                rows.push(Row::plain(
                    format!("{what}; peer: {name}"),
                    pick(&ours[n]),
                    Some(pick(&theirs[n])),
                ));
            }
        }
    }
    let published = ours[2].rate.median();
    rows.push(
        Row::plain("runs/s, 50 connections, against n8n's published 220/s", &ours[2].rate, None)
            .goal("S13", published, "/s", 220.0, true),
    );
    rows.extend(alone(measured, of(Engine::Restate)));
    rows
}

/// What is measured against the disk and not against a peer.
fn alone(measured: &Measured, restate: &[Done; 3]) -> Vec<Row> {
    let ours = &measured.done[0];
    let one = &ours[0].p50;
    let most = 5.0 * measured.sync.median() + 2.0;
    let mut rows =
        vec![
            Row::plain("ms of one sync p50 of this disk", &Figures::default(), Some(&measured.sync)),
            Row::plain("ms a durable run of 5 steps, p50, 1 connection; floor: 5 syncs + 2 ms", one, None)
                .goal("S15", one.median(), " ms", most, false),
        ];
    if !restate[0].p50.0.is_empty() {
        let ratio = one.median() / restate[0].p50.median();
        let what = "ms a durable run of 5 steps, p50, 1 connection; peer: Restate";
        rows.push(Row::plain(what, one, Some(&restate[0].p50)).goal("S15", ratio, "×", 0.25, false));
    }
    let each = Figures(ours[0].cpu.0.iter().map(|ms| ms / ACTIONS).collect());
    let worst = each.median();
    rows.push(
        Row::plain(
            "ms CPU a built-in action, 1 connection: all of the server, shared out over four",
            &each,
            None,
        )
        .goal("S16", worst, " ms", 1.0, false),
    );
    let each = Figures(ours[2].cpu.0.iter().map(|ms| ms / ACTIONS).collect());
    let many = each.median();
    rows.push(Row::plain("the same, 50 connections", &each, None).goal("S16", many, " ms", 1.0, false));
    rows
}

fn section(plan: &Plan, rows: Vec<Row>) -> Section {
    Section {
        name: "runs".to_owned(),
        title: "Playbook runs beside other engines".to_owned(),
        method: format!(
            "One flow in each engine: a call from outside (JSON, 29 bytes) → a condition → a mapping → an HTTP call to one \
             service on loopback, the same for all, that answers at once → the answer, which is compared. Kept-open \
             connections, each asks again as soon as it is answered; one driver thread. Stanch: a playbook `on: hook`, \
             every step in the journal, synced before the call goes out and before the caller is answered. Restate: \
             three `ctx.run` steps, its own defaults, the handler's Node process counted with it. Node-RED keeps nothing. \
             n8n keeps what has run, on SQLite. Node-RED {}, n8n {}, Restate {} with its SDK {}, all from npm.",
            install::NODE_RED,
            install::N8N,
            install::RESTATE,
            install::RESTATE_SDK
        ),
        rows,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    }
}
