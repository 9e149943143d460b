//! How an incident, an answered question and an ended change read in a chat. Pure.

use sha2::{Digest, Sha256};
use stanch_model::{Action, ActionId, ApprovalId, IncidentId};

use crate::journal::event::{ActionEnd, Answered};
use crate::journal::incident::{Incident, Status};
use crate::journal::state::{ActionState, Asked, State};

/// Questions and changes listed in an incident's message: the latest ones.
const LISTED: usize = 6;

/// What a message shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Names this very content: the same content has the same key.
    pub key: String,
    /// One line that says it all.
    pub subject: String,
    /// The whole.
    pub body: String,
    /// True when it will not change any more.
    pub over: bool,
}

/// What the message about `INC-3`, `APR-1` or `ACT-4` shows now; none when it is to stay as it was sent.
#[must_use]
pub fn shown(state: &State, of: &str) -> Option<Shown> {
    if let Ok(id) = of.parse::<IncidentId>() {
        return state.incidents.get(&id).map(|i| incident(state, i));
    }
    if let Ok(id) = of.parse::<ApprovalId>() {
        return state.approvals.get(&id).and_then(question);
    }
    let action = of.parse::<ActionId>().ok()?;
    state.actions.get(&action).and_then(change)
}

/// What a change is called by in a button: names it, for whoever has the right to take it back.
#[must_use]
pub fn undo_name(action: &Action) -> String {
    let what = (action.id, action.incident, &action.responder, &action.kind);
    let bytes = serde_json::to_vec(&("stanch undo 1", what)).unwrap_or_default();
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn incident(state: &State, i: &Incident) -> Shown {
    let title = crate::story::title(i);
    let (severity, confidence) = (i.severity().word(), i.confidence());
    let taken = i.acknowledged_by.as_ref().map(|who| format!("taken by {who}"));
    let stands = match (i.merged_into, i.status) {
        (Some(head), _) => format!("now a part of {head}"),
        (None, Status::Triggered) => "nobody has taken it yet".to_owned(),
        (None, Status::Acknowledged) => taken.clone().unwrap_or_else(|| "taken".to_owned()),
        (None, Status::Contained) => "contained".to_owned(),
        (None, Status::Resolved) => "resolved".to_owned(),
    };
    let mut body = format!("{title}\n\nState       {stands}\n");
    if let Some(taken) = taken.filter(|t| *t != stands) {
        body.push_str(&format!("Who         {taken}\n"));
    }
    if let Some(team) = &i.team {
        body.push_str(&format!("Team        {team}\n"));
    }
    body.push_str(&format!("Severity    {severity}\nConfidence  {confidence:.1}\n"));
    let asked = state.approvals.values().rev().filter(|a| a.approval.incident == i.id).take(LISTED);
    for line in asked.map(question_line) {
        body.push_str(&format!("Question    {line}\n"));
    }
    let made =
        state.actions.values().rev().filter(|a| a.holders.contains(&i.id) || a.action.incident == i.id);
    for line in made.take(LISTED).map(change_line) {
        body.push_str(&format!("Change      {line}\n"));
    }
    // How many alerts there are changes all the time and is no news: not part of what names the content.
    let key = format!("{}-card-{}", i.id, &hex(&Sha256::digest(body.as_bytes()))[..16]);
    body.push_str(&format!("Alerts      {}, {} rules\n", i.alerts.len(), i.totals.rules.len()));
    let over = i.status == Status::Resolved;
    body.push_str(&format!("\nRead it:    stanch story {}\n", i.id));
    if !over && i.acknowledged_by.is_none() {
        body.push_str(&format!("Take it:    stanch ack {}\n", i.id));
    }
    Shown { key, subject: format!("{} {severity}, {stands}: {title}", i.id), body, over }
}

fn answer(asked: &Asked) -> Option<String> {
    let (at, s) = asked.settled.as_ref()?;
    let names: Vec<&str> = asked.yes.iter().map(|(v, _)| v.by.as_str()).collect();
    Some(match s.answer {
        Answered::Approved => format!("approved by {} at {at}", names.join(" and ")),
        Answered::Denied => format!("denied by {} at {at}", s.by),
        Answered::Expired => format!("nobody answered until {at}; nothing was changed"),
        Answered::Withdrawn => format!("withdrawn at {at}"),
    })
}

fn question_line(asked: &Asked) -> String {
    let a = &asked.approval;
    let stands = answer(asked).unwrap_or_else(|| {
        let who = a.teams.join(" or ");
        format!("waits for {who} until {} ({} of {} said yes)", a.expires_at, asked.yes.len(), a.people)
    });
    format!("{}: {}: {stands}", a.id, a.action.kind.words())
}

fn change_line(a: &ActionState) -> String {
    format!("{}: {} on {}: {}", a.action.id, a.action.kind.words(), a.action.responder, stands(a))
}

fn stands(a: &ActionState) -> String {
    match (&a.ended, a.in_force) {
        (Some((at, ActionEnd::Lifted, _)), _) => format!("lifted at {at}"),
        (Some((_, ActionEnd::Failed, why)), _) => format!("not made: {why}"),
        (Some((_, ActionEnd::Unknown, why)), _) => format!("nobody can tell, look at the device: {why}"),
        (None, Some(_)) if a.lasting => "made, for good".to_owned(),
        (None, Some((_, until))) => format!("in force until {until}"),
        (None, None) => "being made".to_owned(),
    }
}

/// An answered question: what was asked, and the answer. An open one stays as it was sent.
fn question(asked: &Asked) -> Option<Shown> {
    let (a, answer) = (&asked.approval, answer(asked)?);
    let reason = asked.settled.as_ref().map(|(_, s)| s.reason.clone()).filter(|r| !r.is_empty());
    let reason = reason.map(|r| format!("Reason      {r}\n")).unwrap_or_default();
    let subject = format!("{} {}: {}", a.id, answer, a.action.kind.words());
    let body = format!("{answer}\n{reason}\n{}\n", a.shown());
    Some(Shown { key: format!("{}-answered", a.id), subject, body, over: true })
}

/// A change that ended, or goes on for longer than was said. Any other stays as it was told.
fn change(a: &ActionState) -> Option<Shown> {
    let id = a.action.id;
    let key = match (&a.ended, &a.renewed) {
        (Some((_, end, _)), _) => format!("{id}-ended-{}", *end as u8),
        (None, Some(renewed)) => format!("{id}-renewed-{}", renewed.approval),
        (None, None) => return None,
    };
    let words = a.action.kind.words();
    let subject = match &a.ended {
        Some((_, ActionEnd::Lifted, _)) => format!("Network change lifted: {words} ({})", a.action.incident),
        Some((_, ActionEnd::Failed, _)) => {
            format!("Network change not made: {words} ({})", a.action.incident)
        }
        Some((_, ActionEnd::Unknown, _)) => {
            format!("Network change unclear, look at the device: {words} ({})", a.action.incident)
        }
        None => format!("Network change goes on: {words} ({})", a.action.incident),
    };
    let mut body = format!(
        "What    {words} on {}\nState   {}\nTag     {}\n",
        a.action.responder,
        stands(a),
        a.action.tag()
    );
    if a.ended.is_none() && !a.lasting {
        body.push_str(&format!("\nIf this hurts a service:  stanch release {id}\n"));
    } else if matches!(&a.ended, Some((_, ActionEnd::Lifted, _))) {
        body.push_str("\nTraffic flows as before.\n");
    }
    Some(Shown { key, subject, body, over: a.ended.is_some() })
}
