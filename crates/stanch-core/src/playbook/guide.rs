//! The tables of `docs/guide/playbooks.md` are what [`super::shape`] says.

use std::fmt::Write as _;

use super::load::{incident_kind, incident_kinds, load};
use super::shape::{Form, KINDS, Key, STEP};
use super::verify::{Around, verify};
use crate::expr::Kind;

const GUIDE: &str = include_str!("../../../../docs/guide/playbooks.md");

fn keys(keys: &[Key]) -> String {
    keys.iter()
        .map(|k| if k.needed { format!("`{}`", k.name) } else { format!("`{}`?", k.name) })
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is written behind a key, in short.
fn written(form: &Form) -> String {
    match form {
        Form::Map(map) => keys(map),
        Form::Exprs => "names and CEL".to_owned(),
        Form::Word(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Form::Either(forms) => forms.iter().map(written).collect::<Vec<_>>().join("; or "),
        Form::Expr => "CEL".to_owned(),
        Form::Span => "a time".to_owned(),
        Form::Steps => "steps".to_owned(),
        Form::Text | Form::Template => "a text".to_owned(),
        Form::Name => "a name".to_owned(),
        Form::Names => "names".to_owned(),
        Form::Count(least, most) => format!("{least} to {most}"),
        Form::Labels(_) | Form::Type | Form::Params | Form::Value | Form::Branches => "…".to_owned(),
    }
}

fn step_keys() -> String {
    STEP.iter().filter(|k| k.name != "id").fold(
        "| key | written | what |\n| --- | --- | --- |\n".to_owned(),
        |mut t, k| {
            let _ = writeln!(t, "| `{}` | {} | {} |", k.name, written(&k.form), k.about);
            t
        },
    )
}

fn kinds() -> String {
    let head =
        "| step | written; `?` may be left out | what | gives |\n| --- | --- | --- | --- |\n".to_owned();
    KINDS.iter().fold(head, |mut t, k| {
        // What all changes take is told once, below the table.
        let form = written(&k.form).replace(", `ttl`?, `approvers`, `people`?, `expires`?, `undo`?", ", …");
        let _ = writeln!(t, "| `{}` | {form} | {} | {} |", k.name, k.about, k.gives);
        t
    })
}

fn part(name: &str) -> &'static str {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    GUIDE.split(&begin).nth(1).and_then(|t| t.split(&end).next()).expect("both marks")
}

#[test]
fn the_tables_of_the_guide_are_what_the_loader_reads() {
    let tables = [("keys of every step", step_keys()), ("kinds of steps", kinds())];
    let stale = tables.iter().filter(|(name, table)| part(name) != table);
    let stale = stale.map(|(name, table)| format!("<!-- begin: {name} -->\n{table}")).collect::<String>();
    assert!(stale.is_empty(), "put this into docs/guide/playbooks.md:\n{stale}");
}

#[test]
fn the_guide_names_every_field_and_kind_of_an_incident() {
    let Kind::Record(fields) = incident_kind() else { panic!("a record") };
    for word in fields.keys().map(String::as_str).chain(incident_kinds()) {
        assert!(GUIDE.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn the_first_example_of_the_guide_is_a_good_playbook() {
    let text = GUIDE.split("```yaml\n").nth(1).and_then(|t| t.split("```").next()).expect("an example");
    let playbook = load("c2-beacon", "playbooks/c2-beacon.yaml", text).unwrap_or_else(|m| panic!("{m:#?}"));
    assert!(verify(&playbook, "playbooks/c2-beacon.yaml", Around::default()).is_empty());
}

#[test]
fn the_examples_of_steps_in_the_guide_are_read() {
    let text =
        GUIDE.split("```yaml\n").find(|t| t.starts_with("- id: ways")).and_then(|t| t.split("```").next());
    let text = text.expect("steps");
    // The question comes first where its answer is read.
    let (before, rest) = text.split_once("- id: judge").expect("judge");
    let (judge, after) = rest.split_once("\n\n").expect("a gap");
    let steps = format!("- id: judge{judge}\n\n{before}{after}");
    let indented: String = steps.lines().fold(String::new(), |t, l| t + "  " + l + "\n");
    let whole = format!("name: p\nsummary: s\nwhen: incident.kind == \"c2\"\nsteps:\n{indented}sop: s\n");
    load("p", "p.yaml", &whole).unwrap_or_else(|m| panic!("{m:#?}\n{whole}"));
}
