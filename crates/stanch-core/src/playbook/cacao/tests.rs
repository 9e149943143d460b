use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cacao")
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(fixtures().join("playbooks").join(name)).expect(name)
}

fn binding() -> Binding {
    Binding { team: "secops".to_owned(), ..Binding::default() }
}

fn said(findings: &[Finding]) -> String {
    findings.iter().map(|f| format!("{f}\n")).collect()
}

/// A document with the given steps, sound otherwise. Steps are named by short keys: `action-1`
/// stands for `action--…1`.
fn document(start: &str, steps: &[(&str, Value)]) -> Value {
    let mut workflow = serde_json::Map::new();
    for (id, step) in steps {
        let mut step = long(step.clone());
        if let Some(map) = step.as_object_mut() {
            let kind = id.rsplit_once('-').map_or(*id, |(kind, _)| kind);
            map.entry("type").or_insert(json!(kind));
            if kind == "action" {
                map.entry("agent").or_insert(json!(AGENT));
                map.entry("commands").or_insert(json!([{ "type": "manual", "command": "look" }]));
            }
        }
        workflow.insert(key(id), step);
    }
    json!({
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": "playbook--a0777575-5c4c-4710-9f01-15776103837f",
        "name": "A plan",
        "created_by": "identity--5abe695c-7bd5-4c31-8824-2528696cdbf1",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "workflow_start": key(start),
        "workflow": workflow,
        "agent_definitions": { AGENT: { "type": "individual", "name": "somebody" } },
    })
}

const AGENT: &str = "individual--6b23a237-ade8-4d00-9aa1-75999732d557";

fn key(id: &str) -> String {
    match id.rsplit_once('-') {
        Some((kind, n)) if n.parse::<u32>().is_ok() => {
            format!("{kind}--00000000-0000-4000-8000-{:0>12}", n)
        }
        Some(_) | None => id.to_owned(),
    }
}

/// The same with every short key written out.
fn long(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(key(&text)),
        Value::Array(list) => Value::Array(list.into_iter().map(long).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, long(v))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn end() -> Value {
    json!({})
}

#[track_caller]
fn refused(document: &Value, message: &str) {
    let got = import(&document.to_string(), &binding());
    assert!(got.yaml.is_none(), "it was taken:\n{}", got.yaml.unwrap_or_default());
    assert!(
        got.findings.iter().any(|f| f.refused && f.message.contains(message)),
        "expected: {message}\nsaid: {}",
        said(&got.findings)
    );
}

#[test]
fn every_good_fixture_becomes_a_plan_that_loads() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures().join("playbooks")).expect("fixtures") {
        let path = entry.expect("entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("").to_owned();
        if !name.ends_with(".json") || name.contains("missing_step") {
            continue;
        }
        seen += 1;
        let got = import(&fixture(&name), &binding());
        let Some(yaml) = got.yaml else { panic!("{name}: {}", said(&got.findings)) };
        if let Err(mistakes) = crate::playbook::load::load(&got.name, &name, &yaml) {
            let all: Vec<String> = mistakes.iter().map(crate::config::Mistake::render).collect();
            panic!("{name}:\n{yaml}\n{}", all.join("\n"));
        }
    }
    assert!(seen >= 8, "only {seen} fixtures");
}

#[test]
fn the_broken_fixture_is_refused_with_the_step_that_is_missing() {
    let got = import(&fixture("test_missing_step_playbook.json"), &binding());
    assert_eq!(got.yaml, None);
    let refusals: Vec<&Finding> = got.findings.iter().filter(|f| f.refused).collect();
    assert_eq!(
        refusals.first().map(|f| f.place.as_str()),
        Some("/workflow/action--2190f685-1857-44ac-ad0e-0ded6c6ef3ce/on_completion")
    );
    assert!(refusals.iter().any(|f| f.message.contains("there is no such step")), "{}", said(&got.findings));
}

#[test]
fn inline_secrets_are_told_and_never_written() {
    for name in ["ssh-playbook.json", "powershell-playbook.json", "test_playbook.json"] {
        let text = fixture(name);
        let got = import(&text, &binding());
        assert!(said(&got.findings).contains("is refused and not taken over"), "{name}");
        let everything = format!("{}{}", got.yaml.unwrap_or_default(), said(&got.findings));
        for secret in ["super-secure-password", "Password1234!"] {
            assert!(!everything.contains(secret), "{name} repeats a secret");
        }
    }
}

#[test]
fn a_shell_command_is_a_task_until_an_operator_names_a_program() {
    let text = fixture("powershell-playbook.json");
    let plain = import(&text, &binding()).yaml.expect("taken");
    assert!(plain.contains("manual:") && plain.contains("Run by hand, if it is right: pwd"), "{plain}");
    let step = "action--010b0420-db3e-4810-ba75-08a10f473214".to_owned();
    let named = Binding { programs: [(step, "where-am-i".to_owned())].into(), ..binding() };
    let bound = import(&text, &named).yaml.expect("taken");
    assert!(bound.contains("call: where-am-i") && !bound.contains("manual:"), "{bound}");
}

#[test]
fn broken_graphs_are_refused_with_their_reason() {
    let lead = |to: &str| json!({ "on_completion": to });
    refused(
        &document("action-1", &[("action-1", lead("action-2")), ("action-2", lead("action-1"))]),
        "a circle",
    );
    refused(&document("action-1", &[("action-1", json!({}))]), "nothing follows this step");
    refused(
        &document("action-1", &[("action-1", lead("end-1")), ("action-2", lead("end-1")), ("end-1", end())]),
        "nothing leads to this step",
    );
    let shared = document(
        "parallel-1",
        &[
            ("parallel-1", json!({ "next_steps": ["action-1", "action-2"], "on_completion": "end-3" })),
            ("action-1", lead("action-3")),
            ("action-2", lead("action-3")),
            ("action-3", lead("end-1")),
            ("end-1", end()),
            ("end-3", end()),
        ],
    );
    refused(&shared, "which another branch has already");
    refused(
        &document(
            "parallel-1",
            &[
                ("parallel-1", json!({ "next_steps": ["end-1"], "on_completion": "end-2" })),
                ("end-1", end()),
                ("end-2", end()),
            ],
        ),
        "there are 1 branches",
    );
    refused(
        &document("start-1", &[("start-1", lead("end-1")), ("start-2", lead("end-1")), ("end-1", end())]),
        "2 steps of type start",
    );
    refused(&document("start-1", &[("start-1", lead("end-1")), ("end-1", end())]), "nothing is done");
    let mut other = document("action-1", &[("action-1", lead("end-1")), ("end-1", end())]);
    other["workflow"][key("action-1")]["type"] = json!("end");
    refused(&other, "its key does not begin with its type");
    other["workflow"][key("action-1")]["type"] = json!("jump");
    refused(&other, "a step of type \"jump\" is not known");
}

#[test]
fn broken_steps_are_refused_with_their_reason() {
    let with = |extra: Value| {
        let mut step = json!({ "on_completion": "end-1" });
        for (k, v) in extra.as_object().expect("object") {
            step[k] = v.clone();
        }
        document("action-1", &[("action-1", step), ("end-1", end())])
    };
    refused(&with(json!({ "commands": [] })), "an action without commands");
    refused(&with(json!({ "agent": "individual--nobody" })), "is defined nowhere");
    refused(&with(json!({ "timeout": 0 })), "not a number of milliseconds");
    refused(&with(json!({ "commands": [{ "type": "bash", "command_b64": "%%%" }] })), "not text in base64");
    refused(
        &with(json!({ "commands": [{ "type": "http-api", "command": "FETCH it" }] })),
        "first line of an HTTP",
    );
    refused(&with(json!({ "step_variables": { "x": { "type": "string" } } })), "no name of a variable");
    let branch = |condition: Value| {
        document(
            "if-condition-1",
            &[
                (
                    "if-condition-1",
                    json!({ "condition": condition, "on_true": "action-1", "on_completion": "end-2" }),
                ),
                ("action-1", json!({ "on_completion": "end-1" })),
                ("end-1", end()),
                ("end-2", end()),
            ],
        )
    };
    refused(&branch(json!("__a__:value")), "something is missing");
    refused(&branch(json!("[__a__:value = 'x'")), "is missing");
    refused(&branch(json!("a = 3")), "is not a variable");
}

#[test]
fn broken_documents_are_refused_with_their_reason() {
    let good = document("action-1", &[("action-1", json!({ "on_completion": "end-1" })), ("end-1", end())]);
    assert!(import(&good.to_string(), &binding()).yaml.is_some());
    let but = |key: &str, value: Value| {
        let mut d = good.clone();
        d[key] = value;
        d
    };
    refused(&but("spec_version", json!("cacao-1.1")), "not \"cacao-2.0\"");
    refused(&but("type", json!("bundle")), "not \"playbook\"");
    refused(&but("modified", json!("yesterday")), "is not a time");
    refused(&but("revoked", json!(true)), "has revoked this playbook");
    refused(&but("workflow", json!({})), "there are no steps");
    refused(&but("workflow_start", json!("action--none")), "no such step");
    let text = |t: &str| {
        let got = import(t, &binding());
        assert_eq!(got.yaml, None);
        said(&got.findings)
    };
    assert!(text("{\"type\":1,\"type\":2}").contains("is there twice"));
    assert!(text("[]").contains("but no object"));
    assert!(text(&format!("{}1{}", "[".repeat(500), "]".repeat(500))).contains("not JSON that can be read"));
    assert!(text(&format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20))).contains("at most"));
}

#[test]
fn three_dialects_mean_the_same() {
    let name = |v: &str| (format!("inputs.{v}"), v == "n");
    #[track_caller]
    fn same(source: &str, cel: &str, stix: Option<&str>, name: &dyn Fn(&str) -> (String, bool)) {
        let read = Condition::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(read.cel(name).as_deref(), Ok(cel), "{source}");
        assert_eq!(read.stix().as_deref(), stix, "{source}");
        if let Some(stix) = stix {
            assert_eq!(Condition::parse(stix), Ok(read), "{stix}");
        }
        crate::expr::Expr::compile(cel).unwrap_or_else(|e| panic!("{cel}: {e}"));
    }
    same(
        "__ip__:value == '10.0.0.1'",
        "inputs.ip == \"10.0.0.1\"",
        Some("[__ip__:value = '10.0.0.1']"),
        &name,
    );
    same("__ip__:value = 10.0.0.1", "inputs.ip == \"10.0.0.1\"", Some("[__ip__:value = '10.0.0.1']"), &name);
    same("[__n__:value > 3]", "inputs.n > 3", Some("[__n__:value > 3]"), &name);
    same("__n__:value >= '3'", "inputs.n >= 3", Some("[__n__:value >= '3']"), &name);
    same(
        "__ip__:value IN '10.0.0.0/8'",
        "ip_in(inputs.ip, \"10.0.0.0/8\")",
        Some("[__ip__:value IN '10.0.0.0/8']"),
        &name,
    );
    same(
        "[__ip__:value ISSUBSET '10.0.0.0/8' AND (__a__:value = 'x' OR __a__:value IN ('y', 'z'))]",
        "ip_in(inputs.ip, \"10.0.0.0/8\") && (inputs.a == \"x\" || inputs.a in [\"y\", \"z\"])",
        Some("[__ip__:value ISSUBSET '10.0.0.0/8' AND (__a__:value = 'x' OR __a__:value IN ('y', 'z'))]"),
        &name,
    );
    same(
        "__a__:value LIKE 'web-%'",
        "inputs.a.matches(\"^web\\\\-.*$\")",
        Some("[__a__:value LIKE 'web-%']"),
        &name,
    );
    same("__a__:value NOT = 'x'", "!(inputs.a == \"x\")", Some("[__a__:value NOT = 'x']"), &name);
    same("__a__:value == __b__:value", "inputs.a == inputs.b", None, &name);
}

fn schema() -> jsonschema::Validator {
    let root = fixtures().join("schemas/schemas");
    let mut registry = Vec::new();
    let mut todo = vec![root.clone()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).expect("schemas") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let text = std::fs::read_to_string(&path).expect("schema");
                let mut schema: Value = serde_json::from_str(&text).expect("schema is JSON");
                let relative = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                let id = format!("https://cacao.example/schemas/{relative}");
                schema["$id"] = json!(id);
                registry.push((id, schema));
            }
        }
    }
    let entry =
        registry.iter().find(|(id, _)| id.ends_with("schemas/playbook.json")).expect("root").1.clone();
    let resources =
        registry.into_iter().map(|(id, schema)| (id, jsonschema::Resource::from_contents(schema)));
    let registry =
        jsonschema::Registry::new().extend(resources).expect("resources").prepare().expect("registry");
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .with_registry(&registry)
        .build(&entry)
        .expect("the official schemas")
}

fn stamp() -> Stamp {
    Stamp {
        created: "2026-01-01T00:00:00.000Z".to_owned(),
        modified: "2026-11-22T00:00:00.000Z".to_owned(),
        by: "Example".to_owned(),
    }
}

fn shipped() -> Vec<crate::playbook::Playbook> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("playbooks") {
        let path = entry.expect("entry").path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".yaml"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("playbook");
        all.push(crate::playbook::load::load(name, name, &text).expect(name));
    }
    all
}

#[test]
fn what_is_exported_is_valid_and_comes_back_the_same() {
    let schema = schema();
    let all = shipped();
    assert!(!all.is_empty());
    for playbook in all {
        let document = export(&playbook, &stamp());
        let errors: Vec<String> =
            schema.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", playbook.name);
        let back = import(&document.to_string(), &binding());
        assert_eq!(back.yaml.as_deref(), Some(playbook.source.as_str()), "{}", said(&back.findings));
        assert_eq!(back.name, playbook.name);
        // Without our extension it is still a plan: people do by hand what the standard cannot say.
        let mut foreign = document;
        foreign.as_object_mut().expect("object").remove("playbook_extensions");
        let read = import(&foreign.to_string(), &binding());
        let yaml = read.yaml.unwrap_or_else(|| panic!("{}: {}", playbook.name, said(&read.findings)));
        crate::playbook::load::load(&read.name, "x", &yaml).unwrap_or_else(|m| {
            panic!("{yaml}\n{}", m.iter().map(crate::config::Mistake::render).collect::<Vec<_>>().join("\n"))
        });
    }
}

#[test]
fn the_official_schemas_agree_with_the_fixtures() {
    let schema = schema();
    let document: Value = serde_json::from_str(&fixture("manual-playbook.json")).expect("JSON");
    assert!(schema.is_valid(&document));
    let mut broken = document;
    broken["spec_version"] = json!("cacao-9");
    assert!(!schema.is_valid(&broken), "the schemas refuse nothing");
}

/// Source: signature-example-rsa.md of oasis-tcs/cacao: the published vector.
const SIGNED: &str = r#"{"type":"playbook","spec_version":"cacao-2.0","id":"playbook--a0777575-5c4c-4710-9f01-15776103837f","name":"Playbook 1","created_by":"identity--5abe695c-7bd5-4c31-8824-2528696cdbf1","created":"2022-05-18T11:31:31.319Z","modified":"2022-05-18T11:31:31.319Z","signatures":[{"type":"jss","id":"jss--af892292-c4b4-47eb-9be6-4897ff4b9388","created_by":"identity--5abe695c-7bd5-4c31-8824-2528696cdbf1","created":"2023-01-10T17:39:31.319Z","modified":"2023-01-10T17:39:31.319Z","signee":"ACME Cyber Company","valid_from":"2023-01-10T17:39:31.319Z","valid_until":"2023-06-10T17:39:31.319Z","related_to":"playbook--a0777575-5c4c-4710-9f01-15776103837f","related_version":"2022-05-18T11:31:31.319Z","hash_algorithm":"sha-256","algorithm":"RS256","public_key":"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAptKZyFPStvmOlb0WihOBhlHUr6wFDHC+tW7hJAudfTQ5mHZQpB8PoMz07udZA+dG8dhUIPkmXlp1TgREeYTHdhxhuf0y/GhbpZv5JPYHx3watO+HWO2qYkjRMEcrWhPMdaVkS/Xe/liaMcow4jYoWaFm8VobeYsyVD2bWWdyl4joTEETm1Z47RnnfR15kVhVudVrDzEFmM4nXV/6dmIg184RJE4httwBFxR8qZCQCwTiJmsoyJxfUR0Gs4ePKc5sB0NTkmFZc5klQSitd67RJn2ldhbqE7EpDl4XlIt+UyLJm1guCBltia8Agke7dXuhpB7hQ6LJwY4EjzthkJ8IPwIDAQAB","value":"gXyPW--uUKvGXRh_oDC7IYlx13hGmkiQw6XX3YX_V_i4Y39OPilf0q0qf46aO3IrvG-5_fgeQ3dIunmizYneaVJKjsXo-gkJczvGDehlTjS7MBUIGyD9DRd41DnaxWWwzU-T4sZCur664_3J0C-WRCDgZxiB_ItFpeSnPJ8rR8GRFO6M9YS-ejEGJl-sd_hfZUqjZOE_S_UWp_Fd9QYlP2cWDvGH8vFhx2ek9KovEob5Bh2LX_Gaf7t237B34wKeN4B8aqapyTh3Q8v_Z61bDTNLyi6ZA8zcrUOgCVLVMx_EFizx31WIDZrePsSpX4bfRurcvRyvNNVdWLaS96JYog"}]}"#;

#[test]
fn the_published_signature_holds_over_the_hexadecimal_digest() {
    let d: Value = serde_json::from_str(SIGNED).expect("JSON");
    let map = d.as_object().expect("object");
    let hash = sign::hash(map, d["signatures"][0].as_object().expect("object")).expect("hash");
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, "973bb6492184e4681b1eab9df1f56926fc1a91582e3529bfd0bfb231e1c51b0a");
    let found = verify(SIGNED, false).expect("it holds");
    assert_eq!(
        found.first().map(|s| (s.signee.as_str(), s.reading)),
        Some(("ACME Cyber Company", Reading::HexDigest))
    );
}

#[test]
fn a_changed_document_or_key_does_not_hold_under_either_reading() {
    for (from, to) in
        [("Playbook 1", "Playbook 2"), ("ACME", "ACNE"), ("gXyPW", "gXyPV"), ("ptKZyFPS", "ptKZyFPT")]
    {
        let changed = SIGNED.replacen(from, to, 1);
        assert_ne!(changed, SIGNED);
        assert!(matches!(verify(&changed, true), Err(SignError::Wrong { .. })), "{from} → {to}");
    }
    assert_eq!(verify(r#"{"type":"playbook"}"#, true), Err(SignError::None));
}

#[test]
fn the_raw_digest_is_read_only_where_it_is_allowed() {
    use base64::Engine as _;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("key");
    let mut spki = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    spki.extend(pair.public_key().as_ref());
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut d: Value = serde_json::from_str(SIGNED).expect("JSON");
    d["signatures"][0]["algorithm"] = json!("Ed25519");
    d["signatures"][0]["public_key"] = json!(base64::engine::general_purpose::STANDARD.encode(spki));
    let hash =
        sign::hash(d.as_object().expect("map"), d["signatures"][0].as_object().expect("map")).expect("hash");
    d["signatures"][0]["value"] = json!(url.encode(pair.sign(&hash)));
    assert!(matches!(verify(&d.to_string(), false), Err(SignError::Wrong { .. })));
    assert_eq!(verify(&d.to_string(), true).map(|s| s[0].reading), Ok(Reading::RawDigest));
}

#[test]
fn every_construct_of_the_standard_becomes_a_plan_that_loads() {
    let next = |to: &str| json!({ "on_completion": to });
    let mut d = document(
        "start-1",
        &[
            ("start-1", next("action-1")),
            (
                "action-1",
                json!({
                    "name": "Ask the owner", "on_completion": "if-condition-1", "delay": 1500, "timeout": 3_600_000,
                    "step_variables": { "__answer__": { "type": "bool", "description": "is it known?" } },
                    "out_args": ["__answer__"]
                }),
            ),
            (
                "if-condition-1",
                json!({ "condition": "[__answer__:value = 'true' AND __limit__:value > 3]",
                        "on_true": "action-2", "on_false": "end-2", "on_completion": "switch-condition-1" }),
            ),
            (
                "action-2",
                json!({ "name": "Fetch hosts", "on_success": "end-1", "on_failure": "action-3", "timeout": 30_000,
                        "commands": [{ "type": "http-api", "command": "GET http://cmdb.example/hosts/__host__:value HTTP/1.1" }] }),
            ),
            ("action-3", next("end-3")),
            ("end-1", end()),
            ("end-2", end()),
            ("end-3", end()),
            (
                "switch-condition-1",
                json!({ "switch": "__colour__", "cases": { "red": "action-4", "default": "end-5" }, "on_completion": "parallel-1" }),
            ),
            ("action-4", next("end-4")),
            ("end-4", end()),
            ("end-5", end()),
            (
                "parallel-1",
                json!({ "next_steps": ["action-5", "action-6"], "on_completion": "while-condition-1" }),
            ),
            ("action-5", next("end-6")),
            ("action-6", next("end-7")),
            ("end-6", end()),
            ("end-7", end()),
            (
                "while-condition-1",
                json!({ "condition": "__host__:value IN '10.0.0.0/8'", "on_true": "action-7", "on_completion": "playbook-action-1" }),
            ),
            ("action-7", next("end-8")),
            ("end-8", end()),
            (
                "playbook-action-1",
                json!({ "playbook_id": "playbook--b0777575-5c4c-4710-9f01-15776103837f", "in_args": ["__host__"], "on_completion": "end-9" }),
            ),
            ("end-9", end()),
        ],
    );
    d["playbook_variables"] = json!({
        "__limit__": { "type": "integer", "value": "5" },
        "__host__": { "type": "ipv4-addr", "external": true },
        "__colour__": { "type": "string", "value": "red" }
    });
    let got = import(&d.to_string(), &binding());
    let yaml = got.yaml.unwrap_or_else(|| panic!("{}", said(&got.findings)));
    if let Err(mistakes) = crate::playbook::load::load(&got.name, "x", &yaml) {
        panic!(
            "{yaml}\n{}",
            mistakes.iter().map(crate::config::Mistake::render).collect::<Vec<_>>().join("\n")
        );
    }
    let urls: Vec<&str> = got.calls.iter().map(|c| c.url.as_str()).collect();
    assert_eq!(urls, ["http://cmdb.example/hosts/${host}"]);
    for part in
        ["wait: 1500ms", "repeat:", "switch:", "parallel:", "on_failure: continue", "ip_in(inputs.host"]
    {
        assert!(yaml.contains(part), "{part} is missing in\n{yaml}");
    }
}
