//! `enrich`: from an alert to the incident with all that was looked up. Goals S17 and S19.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::load::{Door, Wire};
use crate::peers::Stanch;
use crate::plan::Plan;
use crate::report::{Figures, Row, Section};

/// How long each service takes to answer, in milliseconds.
const DELAYS: [u64; 5] = [10, 20, 30, 40, 50];
/// Alerts in one run.
const ALERTS: u64 = 200;
/// The longest an incident is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the services did about a value: which one, when it was asked, when it had answered.
type Answered = Arc<Mutex<HashMap<String, Vec<(usize, Instant, Instant)>>>>;

/// Measures with five services, then with the last one dead.
pub(crate) fn run(plan: &Plan) -> Result<Section> {
    let alerts = (ALERTS / plan.shrink).max(50);
    let mut parts: Vec<[Figures; 5]> = vec![Default::default(), Default::default()];
    for _ in 0..plan.runs {
        for (part, dead) in parts.iter_mut().zip([false, true]) {
            let one = measure(plan, alerts, dead)?;
            let Times { mut incident, mut over, mut others } = one;
            [&mut incident, &mut over, &mut others].into_iter().for_each(|all| all.sort_unstable());
            let ms = |all: &[Duration], q: usize| {
                all.get((all.len().saturating_sub(1)) * q / 100).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
            };
            let all = [ms(&incident, 50), ms(&over, 50), ms(&over, 99), ms(&others, 50), ms(&others, 99)];
            part.iter_mut().zip(all).for_each(|(figures, value)| figures.add(value));
        }
    }
    Ok(section(plan, alerts, &parts))
}

fn section(plan: &Plan, alerts: u64, parts: &[[Figures; 5]]) -> Section {
    let mut rows = Vec::new();
    if let [[p50, over50, over99, others50, others], [dead50, _, _, _, dead_others]] = parts {
        rows.push(Row::plain("ms from alert to incident, p50, five services of 10 to 50 ms", p50, None));
        let what = "ms from alert to incident beyond what the slowest service took";
        let goal = |q: &str, over: &Figures, floor: f64| {
            Row::plain(format!("{what}, {q}"), over, None).goal("S17", over.median(), " ms", floor, false)
        };
        rows.extend([goal("p50", over50, 5.0), goal("p99", over99, 20.0)]);
        rows.push(Row::plain("ms from alert to the answers of the first four services, p50", others50, None));
        let moved = (dead_others.median() / others.median() - 1.0) * 100.0;
        let what = "ms from alert to the answers of the first four services, p99: fifth dead; peer column: fifth alive";
        rows.push(Row::plain(what, dead_others, Some(others)).goal("S19", moved, " % more", 10.0, false));
        rows.push(Row::plain("ms from alert to incident, p50, fifth service dead", dead50, None));
    }
    Section {
        name: "enrich".to_owned(),
        title: "From alert to enriched incident".to_owned(),
        method: format!(
            "{alerts} alerts, one after the other, each about an address never seen before; five HTTP look-ups on \
             loopback that answer after 10, 20, 30, 40 and 50 ms. Measured from before the POST until `GET \
             /api/v1/alerts/ID` says `in_incident`, asked every half millisecond. *Dead*: takes the connection and never \
             answers; its deadline is 1 s, and after five failures it is left alone for 30 s.",
        ),
        rows,
        machine: plan.machine.clone(),
        date: plan.date.clone(),
    }
}

struct Times {
    /// From the POST to the incident.
    incident: Vec<Duration>,
    /// The same, less what the slowest service took by its own clock.
    over: Vec<Duration>,
    /// From the POST to the last answer of the services that live in both runs.
    others: Vec<Duration>,
}

fn measure(plan: &Plan, alerts: u64, dead: bool) -> Result<Times> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let answered = Answered::default();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let services = listener.local_addr()?;
    let book = answered.clone();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, dead, book.clone()));
        }
    });
    let stanch = Stanch::new(&plan.server)?;
    std::fs::write(stanch.dir.path().join("config/connectors/bench.yaml"), enrichers(services))?;
    let running = stanch.start()?;
    let send = Door {
        path: "/in/suricata".to_owned(),
        token: Some(stanch.token("suricata.token")?),
        ..running.door.clone()
    };
    let admin = stanch.token("admin.token")?;
    let mut times = Times { incident: Vec::new(), over: Vec::new(), others: Vec::new() };
    let driver = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    driver.block_on(async {
        let mut wire = Wire::open(running.door.address).await?;
        for n in 0..alerts {
            let began = Instant::now();
            let took = one(&mut wire, &send, &admin, n).await?;
            let served = answered.lock().unwrap_or_else(PoisonError::into_inner).remove(&address(n));
            let served = served.context("no service was asked")?;
            let slowest = served.iter().map(|(_, asked, done)| done.duration_since(*asked)).max();
            times.incident.push(took);
            times.over.push(took.saturating_sub(slowest.unwrap_or_default()));
            // The four that live in both runs.
            let four = served.iter().filter(|(which, _, _)| *which < DELAYS.len() - 1);
            let last = four.map(|(_, _, done)| *done).max();
            times.others.push(last.context("a service was not asked")?.duration_since(began));
        }
        anyhow::Ok(())
    })?;
    Ok(times)
}

fn enrichers(services: SocketAddr) -> String {
    let mut text = "enrichers:\n".to_owned();
    for n in 0..DELAYS.len() {
        text += &format!(
            "  - type: http\n    name: service-{n}\n    url: http://{services}/{n}/{{kind}}/{{value}}\n    kinds: [ip]\n    deadline: 1s\n"
        );
    }
    text
}

/// An address of the benchmark range, each used once. Source: RFC 2544, 198.18.0.0/15.
fn address(n: u64) -> String {
    format!("198.18.{}.{}", n / 250, n % 250 + 1)
}

/// One alert: from before it is sent until it is part of an incident.
async fn one(wire: &mut Wire, send: &Door, admin: &str, n: u64) -> Result<Duration> {
    let record = format!(
        r#"{{"timestamp":"2026-11-20T10:00:00.{n:06}+0000","flow_id":{n},"event_type":"alert","src_ip":"10.20.{}.{}","src_port":40000,"dest_ip":"{}","dest_port":443,"proto":"TCP","flow":{{"pkts_toserver":9,"pkts_toclient":9}},"alert":{{"action":"allowed","gid":1,"signature_id":{},"rev":1,"signature":"ET MALWARE test CnC Beacon {n}","category":"Malware Command and Control Activity Detected","severity":1}}}}"#,
        n / 250,
        n % 250 + 1,
        address(n),
        2_900_000 + n,
    );
    let request = send.request(record.as_bytes());
    let began = Instant::now();
    let (status, body) = wire.exchange(&request).await?;
    if status != 202 {
        bail!("answered {status}: {}", String::from_utf8_lossy(&body));
    }
    let ack: Value = serde_json::from_slice(&body)?;
    let id = ack["alerts"][0].as_str().context("it opened no alert")?;
    let look = format!(
        "GET /api/v1/alerts/{id} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {admin}\r\n\r\n",
        send.address
    );
    while began.elapsed() < PATIENCE {
        let (status, body) = wire.exchange(look.as_bytes()).await?;
        let alert: Value = serde_json::from_slice(&body)?;
        match alert["state"].as_str() {
            Some("in_incident") => return Ok(began.elapsed()),
            Some("open") => tokio::time::sleep(Duration::from_micros(500)).await,
            _ => bail!("answered {status}: {alert}"),
        }
    }
    bail!("{id} is in no incident after {} s", PATIENCE.as_secs())
}

/// A service: answers `GET /N/kind/value` after its delay; the last one may be dead.
async fn answer(mut stream: TcpStream, dead: bool, book: Answered) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        while !buffer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&buffer).into_owned();
        buffer.clear();
        let asked = Instant::now();
        let path = text.split(' ').nth(1).unwrap_or_default();
        let mut parts = path.trim_start_matches('/').split('/');
        let which: usize = parts.next().and_then(|n| n.parse().ok()).context("an odd path")?;
        let value = parts.nth(1).unwrap_or_default().to_owned();
        if dead && which == DELAYS.len() - 1 {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(DELAYS.get(which).copied().unwrap_or(0))).await;
        book.lock().unwrap_or_else(PoisonError::into_inner).entry(value).or_default().push((
            which,
            asked,
            Instant::now(),
        ));
        let body = r#"{"malicious":true,"confidence":80,"label":"test"}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
        stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    }
}
