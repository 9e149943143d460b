//! `stanch clock`: where the time went.

use anyhow::Result;
use stanch_model::IncidentId;
use stanch_server::api::v1::types::{ClockView, ClocksView, WaitingTime};

use crate::cli::{Ctx, Store, id};
use crate::client::{Route, view};
use crate::exit::Exit;
use crate::output::{Cell, Paint, Slice, Style, Table, percents, safe, stacked, wrap};

/// Columns of the bar.
const BAR: usize = 60;

/// Say where the time went, from the first alert to the end
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of this incident only
    #[arg(value_parser = id::<IncidentId>)]
    incident: Option<String>,
    #[command(flatten)]
    store: Store,
}

pub(crate) async fn run(args: &Args, ctx: &Ctx) -> Result<Exit> {
    let mut parts = vec!["clock"];
    parts.extend(args.incident.as_deref());
    let answer = ctx.api(&args.store)?.get(&Route::new(&parts)).await?;
    if ctx.out.json {
        ctx.out.json(&answer);
    } else if args.incident.is_some() {
        one(ctx, &view(answer)?);
    } else {
        all(ctx, &view(answer)?);
    }
    Ok(Exit::Ok)
}

fn one(ctx: &Ctx, c: &ClockView) {
    let head: &[&str] = if ctx.out.tty { &["phase", "after"] } else { &["phase", "after", "after ms"] };
    let mut table = Table::new(head);
    for p in &c.phases {
        let after = p.after.clone().unwrap_or_else(|| "not reached".to_owned());
        let style = if p.after.is_some() { Style::Plain } else { Style::Faint };
        let mut row = vec![Cell::new(&p.phase), Cell::new(after).styled(style)];
        if !ctx.out.tty {
            row.push(Cell::new(p.after_ms.map(|ms| ms.to_string()).unwrap_or_default()));
        }
        table.row(row);
    }
    if !ctx.out.tty {
        for w in &c.waiting {
            let name = format!("waiting_{}", w.on);
            table.row(vec![Cell::new(name), Cell::new(&w.time), Cell::new(w.time_ms.to_string())]);
        }
        ctx.out.table(&table);
        return;
    }
    let title = format!("{}  {}", safe(&c.incident), safe(&c.title));
    ctx.out.line(ctx.out.paint.on(Style::Strong, &title));
    ctx.out.line(format!("{} from the first alert's arrival\n", safe(&c.wall)));
    ctx.out.table(&table);
    ctx.out.line("");
    for line in waited(&c.waiting, &c.wall, ctx.out.paint) {
        ctx.out.line(line);
    }
}

fn all(ctx: &Ctx, c: &ClocksView) {
    let mut table = Table::new(&["phase", "incidents", "p50", "p90"]);
    // In the order of the work, not of the alphabet.
    let order =
        ["triage", "enrich", "escalate", "investigate", "approve", "contain", "notify_noc", "resolve"];
    let known = order.iter().filter_map(|name| c.phases.get_key_value(*name));
    let others = c.phases.iter().filter(|(name, _)| !order.contains(&name.as_str()));
    for (name, q) in known.chain(others) {
        table.row(vec![Cell::new(name), Cell::number(q.n as u64), Cell::new(&q.p50), Cell::new(&q.p90)]);
    }
    ctx.out.table(&table);
    if !ctx.out.tty {
        ctx.out.note(safe(&c.advice));
        return;
    }
    let total: i64 = c.waiting.iter().map(|w| w.time_ms).sum();
    ctx.out.line("");
    for line in waited(&c.waiting, &stanch_model::Span(total).to_string(), ctx.out.paint) {
        ctx.out.line(line);
    }
    for line in wrap(&c.advice, 98) {
        ctx.out.line(format!("  {line}"));
    }
    if c.incidents.is_empty() {
        return;
    }
    let mut list = Table::new(&["incident", "title", "wall", "costliest"]);
    for i in c.incidents.iter().take(20) {
        list.row(vec![
            Cell::new(&i.incident).styled(Style::Strong),
            Cell::new(&i.title),
            Cell::new(&i.wall),
            Cell::new(words(&i.costliest)),
        ]);
    }
    ctx.out.line("");
    ctx.out.table(&list);
}

/// Who was waited for: a bar and a line each, summing to the whole; the costliest is marked.
fn waited(waiting: &[WaitingTime], wall: &str, paint: Paint) -> Vec<String> {
    let sizes: Vec<i64> = waiting.iter().map(|w| w.time_ms).collect();
    let share = percents(&sizes);
    let most = sizes.iter().copied().max().filter(|m| *m > 0);
    let first = most.and_then(|m| sizes.iter().position(|s| *s == m));
    let slices: Vec<Slice> = waiting
        .iter()
        .map(|w| Slice { size: w.time_ms, glyph: look(&w.on).0, style: look(&w.on).1 })
        .collect();
    let mut out = vec![format!("  {}  {}", stacked(&slices, BAR, paint), safe(wall))];
    for (n, (w, share)) in waiting.iter().zip(share).enumerate() {
        let (glyph, style) = look(&w.on);
        let flag = if first == Some(n) { "  ◄ cost most" } else { "" };
        out.push(format!(
            "  {} {:<22} {:>10} {share:>4} %{}",
            paint.on(style, &glyph.to_string()),
            words(&w.on),
            safe(&w.time),
            paint.on(Style::Bad, flag)
        ));
    }
    out
}

pub(crate) fn look(on: &str) -> (char, Style) {
    match on {
        "tool" => ('█', Style::Accent),
        "hand_off" => ('▓', Style::Warn),
        "approval" => ('▒', Style::Bad),
        "human" => ('░', Style::Strong),
        "active" => ('▪', Style::Good),
        _ => ('?', Style::Plain),
    }
}

fn words(on: &str) -> String {
    match on {
        "tool" => "waiting for a tool".to_owned(),
        "hand_off" => "waiting for a hand-off".to_owned(),
        "approval" => "waiting for approval".to_owned(),
        "human" => "waiting for a person".to_owned(),
        "active" => "being worked on".to_owned(),
        other => safe(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_and_its_lines_sum_to_the_whole_and_the_costliest_is_marked() {
        let part = |on: &str, time_ms| WaitingTime { on: on.into(), time_ms, time: format!("{time_ms}ms") };
        let parts = [part("tool", 10), part("hand_off", 0), part("approval", 72_000), part("human", 81_990)];
        let lines = waited(&parts, "2m 34s", Paint(false));
        let drawn = lines[0].chars().filter(|c| "█▓▒░▪".contains(*c)).count();
        assert_eq!(drawn, BAR);
        assert!(lines[4].contains("waiting for a person") && lines[4].ends_with("◄ cost most"), "{lines:?}");
        assert_eq!(lines.iter().filter(|l| l.contains('◄')).count(), 1);
        assert!(lines.iter().all(|l| l.chars().count() <= 100));
    }
}
