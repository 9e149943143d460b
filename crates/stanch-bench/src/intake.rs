//! `intake`: alerts a second and CPU for each, beside Alertmanager. Goals S1 to S5.

use anyhow::Result;

use crate::load::{Driven, drive};
use crate::peers::{Running, Stanch, alertmanager};
use crate::plan::Plan;
use crate::report::{Figures, Row, Section};
use crate::{limits, payload};

/// One way of sending.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) total: u64,
    pub(crate) batch: u64,
    pub(crate) connections: usize,
    /// One alert in so many is new.
    pub(crate) share: u64,
    /// The goal for the rate and its floor; the goal for CPU and its floor.
    rate: Option<(&'static str, f64)>,
    cpu: Option<(&'static str, f64)>,
}

/// Every way of sending that is measured.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "512 a request, 90 % duplicate",
        total: 200_000,
        batch: 512,
        connections: 8,
        share: 10,
        rate: Some(("S1", 2.0)),
        cpu: Some(("S5", 0.5)),
    },
    Case {
        name: "512 a request, all distinct",
        total: 100_000,
        batch: 512,
        connections: 8,
        share: 1,
        rate: None,
        cpu: None,
    },
    Case {
        name: "64 a request, 90 % duplicate",
        total: 150_000,
        batch: 64,
        connections: 8,
        share: 10,
        rate: Some(("S2", 1.5)),
        cpu: None,
    },
    Case {
        name: "64 a request, all distinct",
        total: 100_000,
        batch: 64,
        connections: 8,
        share: 1,
        rate: None,
        cpu: None,
    },
    Case {
        name: "1 a request, 8 connections, 90 % duplicate",
        total: 30_000,
        batch: 1,
        connections: 8,
        share: 10,
        rate: Some(("S3", 1.0)),
        cpu: Some(("S5", 0.5)),
    },
    Case {
        name: "1 a request, 64 connections, 90 % duplicate",
        total: 60_000,
        batch: 1,
        connections: 64,
        share: 10,
        rate: Some(("S3", 3.0)),
        cpu: None,
    },
];

/// What one program did with one case.
#[derive(Default)]
struct Taken {
    rate: Figures,
    cpu: Figures,
    p50: Figures,
    p99: Figures,
    peak: Figures,
    /// Requests a second that HTTP alone takes, where one alert is a request.
    http: Figures,
}

impl Taken {
    fn add(&mut self, total: u64, driven: &Driven, cpu: f64, peak: u64) {
        self.rate.add(total as f64 / driven.wall.as_secs_f64());
        self.cpu.add(cpu * 1e6 / total as f64);
        self.p50.add(driven.quantile(500).as_secs_f64() * 1e3);
        self.p99.add(driven.quantile(990).as_secs_f64() * 1e3);
        self.peak.add(peak as f64 / f64::from(1 << 20));
    }
}

/// Measures all cases.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let mut taken: Vec<(Taken, Taken)> = CASES.iter().map(|_| Default::default()).collect();
    let (mut append, mut upsert) = (Figures::default(), Figures::default());
    for round in 0..plan.runs {
        for (case, (ours, theirs)) in CASES.iter().zip(&mut taken) {
            let bodies = payload::bodies(0, case.total / plan.shrink, case.batch, case.share);
            // Who goes first changes, so that neither always meets the warmer machine.
            for first in [round % 2 == 0, round % 2 == 1] {
                if first {
                    let stanch = Stanch::new(&plan.server)?;
                    measure(case, plan, &bodies, &stanch.start()?, ours)?;
                } else {
                    let dir = tempfile::tempdir()?;
                    measure(case, plan, &bodies, &alertmanager(dir.path(), "alertname")?, theirs)?;
                }
            }
            if case.batch == 1 {
                ours.http.add(limits::http(&bodies, case.connections)?);
            }
            println!(
                "{}/{} {}: {:.0}/s against {:.0}/s",
                round + 1,
                plan.runs,
                case.name,
                ours.rate.0.last().copied().unwrap_or(0.0),
                theirs.rate.0.last().copied().unwrap_or(0.0)
            );
        }
        let dir = tempfile::tempdir()?;
        append.add(limits::append(dir.path())?);
        upsert.add(limits::upsert(dir.path())?);
    }
    Ok(section(plan, &taken, &append, &upsert))
}

fn measure(case: &Case, plan: &Plan, bodies: &[Vec<u8>], running: &Running, taken: &mut Taken) -> Result<()> {
    let cpu = running.cpu()?;
    let driven = drive(&running.door, bodies, case.connections)?;
    if driven.again > 0 {
        println!("  {} requests were asked to wait", driven.again);
    }
    taken.add(case.total / plan.shrink, &driven, running.cpu()? - cpu, running.peak()?);
    Ok(())
}

fn section(plan: &Plan, taken: &[(Taken, Taken)], append: &Figures, upsert: &Figures) -> Section {
    let mut rows = Vec::new();
    for (case, (ours, theirs)) in CASES.iter().zip(taken) {
        let row = Row::plain(format!("alerts/s, {}", case.name), &ours.rate, Some(&theirs.rate));
        let ratio = ours.rate.median() / theirs.rate.median();
        rows.push(match case.rate {
            Some((goal, floor)) => row.goal(goal, ratio, "×", floor, true),
            None => Row { result: format!("{ratio:.2}×"), ..row },
        });
        if case.batch == 1 {
            let what = format!("alerts/s, {}; peer: HTTP alone, which does nothing with them", case.name);
            let result = format!("{:.2}×", ours.rate.median() / ours.http.median());
            rows.push(Row { result, ..Row::plain(what, &ours.rate, Some(&ours.http)) });
        }
        let row = Row::plain(format!("µs CPU an alert, {}", case.name), &ours.cpu, Some(&theirs.cpu));
        let ratio = ours.cpu.median() / theirs.cpu.median();
        rows.push(match case.cpu {
            Some((goal, floor)) => row.goal(goal, ratio, "×", floor, false),
            None => Row { result: format!("{ratio:.2}×"), ..row },
        });
        rows.push(Row::plain(format!("ms a request p50, {}", case.name), &ours.p50, Some(&theirs.p50)));
        rows.push(Row::plain(format!("ms a request p99, {}", case.name), &ours.p99, Some(&theirs.p99)));
        rows.push(Row::plain(format!("MiB at most, {}", case.name), &ours.peak, Some(&theirs.peak)));
    }
    if let Some((ours, _)) = taken.first() {
        let of = |limit: &Figures| ours.rate.median() / limit.median();
        let what = "alerts/s, S1's case; peer: this disk, 512 records of 512 B appended to a sync";
        rows.push(Row::plain(what, &ours.rate, Some(append)).goal("S4", of(append), "×", 0.25, true));
        let what = "alerts/s, S1's case; peer: SQLite FULL upserts, 512 to a commit, 90 % known";
        rows.push(Row::plain(what, &ours.rate, Some(upsert)).goal("S4", of(upsert), "×", 1.0, true));
    }
    Section {
        name: "intake".to_owned(),
        title: "Intake: durable here, in memory at the peer".to_owned(),
        method: format!(
            "Alerts as Prometheus posts them (about 390 bytes), the same bytes to `POST /in/alertmanager` of Stanch and to \
             `POST /api/v2/alerts` of Alertmanager {}; one driver thread, 8 connections unless said. Stanch has parsed, \
             deduplicated, triaged and synced each alert before it answers; Alertmanager keeps nothing over a restart.",
            plan.peer_version
        ),
        rows,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    }
}
