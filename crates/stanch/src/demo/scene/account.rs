//! The end of the demonstration: where the time went, and whether the journal holds.

use anyhow::Result;
use serde_json::json;
use stanch_server::api::v1::types::{ApprovalDetail, ClockView, ClocksView, VerifyView};

use super::super::tell::{number, seconds};
use super::Scene;
use crate::client::{Route, view};
use crate::cmd::clock::look;
use crate::exit::Exit;
use crate::output::{Slice, Style, stacked};

/// Columns of the bar.
const BAR: usize = 60;

impl Scene<'_> {
    /// Act 7: the incident is closed, the clock is read, the journal is recomputed.
    pub(super) async fn close(&mut self, asked: &ApprovalDetail) -> Result<()> {
        let incident = &asked.summary.incident;
        self.tell.act(7, "account", "every second of it, and every entry of the journal");
        let body = json!({ "reason": "end of the demonstration", "leave_changes": false });
        self.stage.api.post(&Route::new(&["incidents", incident, "resolve"]), &body).await?;
        let clocks: ClocksView = self.stage.api.get_as(&Route::new(&["clock"])).await?;
        if let Some(clock) = clocks.incidents.into_iter().find(|c| c.incident == *incident) {
            self.show_clock(&clock);
            self.summary.clock_exact = clock.waiting.iter().map(|w| w.time_ms).sum::<i64>() == clock.wall_ms;
            self.summary.clock = Some(clock);
        }
        let verified: VerifyView = view(self.stage.api.post("/api/v1/journal/verify", &json!({})).await?)?;
        self.summary.journal_ok = verified.ok;
        if let Some(head) = verified.head {
            let words =
                format!("✓ {} entries recomputed in {}, the chain holds", number(head.seq), verified.took);
            self.tell.said("journal", Style::Good, &words);
            self.tell.said("", Style::Faint, &format!("head {}", head.hash));
            self.summary.journal_entries = head.seq;
            self.summary.journal_head = head.hash;
        }
        if let Some(broken) = verified.broken {
            self.tell.said("journal", Style::Bad, &format!("✗ entry {}: {}", broken.seq, broken.why));
        }
        Ok(())
    }

    fn show_clock(&self, clock: &ClockView) {
        let phases: Vec<String> = clock
            .phases
            .iter()
            .filter_map(|p| Some(format!("{} {}", p.phase.replace('_', " "), p.after.as_ref()?)))
            .collect();
        self.tell.said("clock", Style::Plain, &format!("since the first alert: {}", phases.join(" · ")));
        let parts: Vec<_> = clock.waiting.iter().filter(|w| w.time_ms > 0).collect();
        let slices: Vec<Slice> = parts.iter().map(|w| slice(&w.on, w.time_ms)).collect();
        self.tell.raw(&format!("   {:<10} {}", "", stacked(&slices, BAR, self.out.paint)));
        let words: Vec<String> = parts
            .iter()
            .map(|w| format!("{} {} {}", slice(&w.on, 0).glyph, w.on.replace('_', " "), w.time))
            .collect();
        self.tell.said("", Style::Plain, &format!("{} = {}", words.join(" + "), clock.wall));
    }

    /// What to type next.
    pub(super) fn last_words(&self, exit: Exit) {
        self.tell.raw("");
        let took = seconds(self.begun.elapsed());
        let (words, kept) = match (&self.args.keep, exit) {
            (Some(dir), _) => (format!("Done in {took}."), Some(dir.join("data").display().to_string())),
            (None, Exit::Ok) => (format!("Done in {took}; everything it made is gone again."), None),
            (None, _) => (format!("Ended after {took}."), None),
        };
        self.tell.raw(&self.tell.paint(Style::Strong, &words));
        let incident = &self.summary.incident;
        let next = [
            kept.map(|data| {
                (format!("stanch story {incident} --data {data}"), "the whole story, from what was kept")
            }),
            Some(("stanch init ./stanch".to_owned(), "a commented configuration of your own")),
            Some(("stanch serve --config ./stanch".to_owned(), "the same server, on your alerts")),
            Some(("stanch doctor --config ./stanch".to_owned(), "what is missing on this machine")),
        ];
        for (command, what) in next.into_iter().flatten() {
            let command = self.tell.paint(Style::Accent, &format!("{command:<34}"));
            self.tell.raw(&format!("   {command} {}", self.tell.paint(Style::Faint, what)));
        }
    }
}

fn slice(on: &str, size: i64) -> Slice {
    let (glyph, style) = look(on);
    Slice { size, glyph, style }
}
