use super::*;

const GOOD: &str = "\
name: p
summary: Blocks
when: incident.kind == \"c2\"
steps:
  - id: block
    block: { target: incident.peer, ttl: 4h, approvers: [netops], expires: 15m }
  - id: hold
    wait: lifted
sop: Think.
";

/// All mistakes of a file, each as `line:column message | help`, one per line.
fn check(text: &str, expected: &str) {
    let got = match load("p", "playbooks/p.yaml", text) {
        Ok(playbook) => format!("ok: {} steps", playbook.steps.len()),
        Err(mistakes) => {
            assert!(mistakes.iter().all(|m| m.file == "playbooks/p.yaml"));
            let line = |m: &Mistake| format!("{}:{} {} | {}", m.line, m.column, m.message, m.help);
            mistakes.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    };
    assert_eq!(got, expected, "{text}");
}

/// The good file with one piece replaced.
fn broken(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    check(&GOOD.replace(from, to), expected);
}

/// Steps put after the good file's `block`.
fn with_step(step: &str) -> String {
    GOOD.replace("  - id: hold\n    wait: lifted\n", step)
}

#[test]
fn a_playbook_is_read_whole() {
    let playbook = load("p", "playbooks/p.yaml", GOOD).expect("valid");
    assert_eq!(
        (playbook.name.as_str(), playbook.summary.as_str(), playbook.sop.as_str()),
        ("p", "Blocks", "Think.")
    );
    assert_eq!(when(&playbook).source(), "incident.kind == \"c2\"");
    assert_eq!((playbook.hash.len(), playbook.source.as_str()), (64, GOOD));
    let StepKind::Act(Act { change: Change::BlockAddress { target }, ttl, approvers, expires, .. }) =
        &playbook.steps[0].kind
    else {
        panic!("block")
    };
    assert_eq!(
        (target.source(), ttl, expires),
        ("incident.peer", &Some(Span::hours(4)), &Some(Span::mins(15)))
    );
    assert_eq!(approvers, &["netops"]);
    assert!(matches!(playbook.steps[1].kind, StepKind::Wait(Wait::Lifted)));
    let other = load("p", "playbooks/p.yaml", &format!("{GOOD}\n")).expect("valid");
    assert_ne!(playbook.hash, other.hash, "the hash is over the file");
}

#[test]
fn every_kind_of_step_is_read() {
    check(
        &with_step("  - { id: a, verify: all }\n  - { id: b, wait: 30m, when: run.id != '' }\n"),
        "ok: 3 steps",
    );
    check(
        &with_step(
            "  - id: t\n    notify: { team: noc, text: \"${{ incident.peer }} of ${{ run.playbook }}\" }\n",
        ),
        "ok: 2 steps",
    );
    check(&with_step(""), "ok: 1 steps");
    broken("target: incident.peer", "target: 'incident.victims[0]'", "ok: 2 steps");
    check("name: p\nsummary: s\nwhen: 'true'\nsteps: [{ id: a, wait: 5m }]\nsop: x\n", "ok: 1 steps");
}

#[test]
fn missing_and_unknown_keys_are_told_with_what_was_meant() {
    check(
        "",
        "1:1 `name` is missing | add `name: …`\n\
         1:1 `summary` is missing | add `summary: …`\n\
         1:1 `when` is missing | add `when: …`\n\
         1:1 `steps` is missing | add `steps: …`\n\
         1:1 `sop` is missing | add `sop: …`",
    );
    broken(
        "summary: Blocks",
        "summry: Blocks",
        "1:1 `summary` is missing | add `summary: …`\n\
         2:1 unknown key `summry` | did you mean `summary`? known here: name, summary, attack, react, when, steps, sop",
    );
    broken(
        "wait: lifted",
        "wiat: lifted",
        "8:5 unknown key `wiat` | did you mean `wait`? known here: id, when, block, notify, wait, verify",
    );
    broken(
        "expires: 15m",
        "expire: 15m",
        "6:67 unknown key `expire` | did you mean `expires`? known here: target, ttl, approvers, expires",
    );
}

#[test]
fn names_and_ids_are_checked() {
    broken(
        "name: p",
        "name: q",
        "1:7 the playbook is named \"q\", but its file \"p\" | write `name: p`, or rename the file",
    );
    broken("id: hold", "id: block", "7:9 there are two steps with the id \"block\" | choose another id");
    broken(
        "id: hold",
        "id: Hold on",
        "7:9 `id`: \"Hold on\" is not a name | use small letters, digits, `-` and `_`, at most 63, beginning with a letter or a digit",
    );
    check(&with_step("  - wait: 5m\n"), "7:5 `id` is missing in `steps` | add `id: …`");
}

#[test]
fn a_step_does_exactly_one_thing() {
    check(&with_step("  - id: a\n"), "7:5 this step does nothing | add one of block, notify, wait, verify");
    check(
        &with_step("  - { id: a, wait: 5m, verify: all }\n"),
        "7:5 this step does two things, `wait` and `verify` | make two steps of it, each with its own id",
    );
    check(
        &GOOD.replace("steps:\n", "steps: []\nx:\n"),
        "4:8 the playbook has no steps | add at least one, for example a `notify`\n5:1 unknown key `x` | take it out; known here: name, summary, attack, react, when, steps, sop",
    );
    let many: String = (0..50).map(|i| format!("  - {{ id: s{i}, wait: 5m }}\n")).collect();
    check(&with_step(&many), "5:3 the playbook has 51 steps; at most 50 are read | split it in two");
    check(
        "name: p\nsummary: s\nwhen: 'true'\nsteps: block\nsop: x\n",
        "4:8 `steps` must be a list | write `[a, b]`, or one `- item` per line",
    );
}

#[test]
fn steps_about_changes_come_after_a_change() {
    let early =
        |step: &str| format!("name: p\nsummary: s\nwhen: 'true'\nsteps: [{{ id: a, {step} }}]\nsop: x\n");
    check(
        &early("wait: lifted"),
        "4:24 `wait` comes before any `block`: there is no change yet | move it after a `block`, or take it out",
    );
    check(
        &early("verify: all"),
        "4:26 `verify` comes before any `block`: there is no change yet | move it after a `block`, or take it out",
    );
}

#[test]
fn expressions_are_compiled_and_their_names_checked_in_their_place() {
    const CEL: &str = "this is a CEL expression, for example incident.kind == \"c2\"";
    let when = |to: &str, expected: &str| broken("incident.kind == \"c2\"", to, expected);
    when(
        "incidnt.kind == \"c2\"",
        &format!(
            "3:7 `when`: \"incidnt\" is not known here; did you mean \"incident\"? (known: incident) | {CEL}"
        ),
    );
    when(
        "incident.knid == \"c2\"",
        &format!(
            "3:16 `when`: `incident` has no field \"knid\"; did you mean \"kind\"? known fields: {} | {CEL}",
            INCIDENT_FIELDS.join(", ")
        ),
    );
    when("run.id == \"\"", &format!("3:7 `when`: \"run\" is not known here (known: incident) | {CEL}"));
    when(
        "'incident.kind.startWith(\"c\")'",
        &format!("3:22 `when`: there is no function \"startWith\"; did you mean \"startsWith\"? | {CEL}"),
    );
    when(
        "\"${{ incident.kind }}\"",
        "3:8 `when`: not a CEL expression: Syntax error: token recognition error at: '$' | \
         this key is always an expression: leave out `${{` and `}}`",
    );
    let step = "  - id: t\n    when: run.nmae == 1\n    wait: 5m\n";
    check(
        &with_step(step),
        &format!("8:15 `when`: `run` has no field \"nmae\"; known fields: id, playbook | {CEL}"),
    );
}

#[test]
fn a_target_comes_from_an_address_field_and_from_nowhere_else() {
    let target =
        |to: &str, expected: &str| broken("target: incident.peer", &format!("target: {to}"), expected);
    let help = "take the target from incident.peer or incident.victims: free text never becomes a target";
    target("incident.title", &format!("6:31 `target`: `incident.title` is no address | {help}"));
    target(
        "'incident.peer + incident.site'",
        &format!("6:48 `target`: `incident.site` is no address | {help}"),
    );
    target(
        "'\"203.0.113.9\"'",
        "6:22 the target \"\"203.0.113.9\"\" is the same for every incident | take it from incident.peer or incident.victims",
    );
}

#[test]
fn times_teams_and_texts_are_checked() {
    const SPAN: &str = "write a whole number and a unit, without a space: 250ms, 30s, 5m, 4h or 7d";
    broken("ttl: 4h", "ttl: 4 hours", &format!("6:42 `ttl`: \"4 hours\" is not a duration | {SPAN}"));
    broken(
        "ttl: 4h",
        "ttl: 0s",
        "6:42 `ttl`: \"0s\" is not a duration from 1s to 90d | choose one within the range",
    );
    broken(
        "approvers: [netops]",
        "approvers: []",
        "6:57 nobody may approve this change | name at least one team",
    );
    broken("approvers: [netops], ", "", "6:12 `approvers` is missing in `block` | add `approvers: …`");
    let wait = "write for example 30m, or `lifted` to wait until every change is lifted";
    broken(
        "wait: lifted",
        "wait: lited",
        &format!("8:11 `wait`: \"lited\" is neither a duration nor \"lifted\" | {wait}"),
    );
    broken(
        "wait: lifted",
        "wait: 0s",
        "8:11 `wait`: 0s is not between 1ms and 90d | choose a time within the range",
    );
    broken(
        "wait: lifted",
        "verify: al",
        "8:13 unknown scope \"al\" | did you mean \"all\"? known scopes: all",
    );
    let notify =
        |text: &str| with_step(&format!("  - id: t\n    notify: {{ team: noc, text: \"{text}\" }}\n"));
    let help = "write \"… ${{ incident.peer }} …\", in quotes";
    check(
        &notify("hi ${{ incident.peer"),
        &format!("8:36 `text`: \"${{{{\" is never closed with \"}}}}\" | {help}"),
    );
    check(
        &notify("hi ${{ alert.x }}"),
        &format!("8:40 `text`: \"alert\" is not known here (known: incident, run) in \"alert.x\" | {help}"),
    );
    check(
        &with_step("  - id: t\n    notify: { text: x }\n"),
        "8:13 `team` is missing in `notify` | add `team: …`",
    );
}

#[test]
fn labels_have_the_form_of_their_catalogue() {
    check(&GOOD.replace("steps:", "attack: [T1071, T1071.004]\nreact: [RA3101]\nsteps:"), "ok: 2 steps");
    check(
        &GOOD.replace("steps:", "attack: [1071, T1071.4]\nreact: [T1071]\nsteps:"),
        "4:10 \"1071\" is not an ATT&CK technique | write for example T1071 or T1071.004\n\
         4:16 \"T1071.4\" is not an ATT&CK technique | write for example T1071 or T1071.004\n\
         5:9 \"T1071\" is not a RE&CT action | write for example RA3101",
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_their_places() {
    let text = GOOD.replace("name: p", "name: q").replace("ttl: 4h", "ttl: soon").replace("lifted", "never");
    let mistakes = load("p", "playbooks/p.yaml", &text).expect_err("three mistakes");
    assert_eq!(mistakes.iter().map(|m| m.line).collect::<Vec<_>>(), [1, 6, 8]);
}

#[test]
fn what_is_no_yaml_or_no_map_is_told() {
    check("- a\n", "1:1 the file must be a map | write one `key: value` per line");
    let broken = load("p", "playbooks/p.yaml", "name: [p").expect_err("not YAML");
    assert!(broken[0].message.starts_with("this is not YAML"), "{broken:?}");
}

#[test]
fn the_shipped_playbook_for_a_beacon_loads() {
    let text = include_str!("../../../../playbooks/c2-beacon.yaml");
    let playbook = load("c2-beacon", "playbooks/c2-beacon.yaml", text).expect("valid");
    let ids: Vec<&str> = playbook.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["block", "settle", "check", "tell", "hold", "after"]);
    assert_eq!(
        (playbook.attack.join(" "), playbook.react.join(" ")),
        ("T1071 T1095 T1573".into(), "RA3101".into())
    );
    assert!(playbook.sop.lines().all(|l| l.chars().count() <= 100));
    let scope = |confidence: f64| {
        crate::expr::Scope::new().with(
            "incident",
            serde_json::json!({ "id": "INC-3", "kind": "c2", "confidence": confidence, "peer": "203.0.113.9", "assets": ["lap-7"] }),
        )
    };
    assert_eq!(when(&playbook).test(&scope(0.6)), Ok(true));
    assert_eq!(when(&playbook).test(&scope(0.5)), Ok(false));
    let StepKind::Notify { text, .. } = &playbook.steps[3].kind else { panic!("notify") };
    assert_eq!(
        text.render(&scope(0.6)).as_deref(),
        Ok("INC-3: 203.0.113.9 is blocked at the edge; look at lap-7")
    );
}

fn when(playbook: &Playbook) -> &Expr {
    let Trigger::Incident(when) = &playbook.trigger else { panic!("another trigger") };
    when
}
