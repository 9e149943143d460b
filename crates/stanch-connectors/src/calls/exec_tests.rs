//! Declared programs: real ones, written for the test.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::responder::contract::wired::Wired;
use crate::responder::contract::{self, Bench, Cut, bare, captured, cutter, is_present};

fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

fn config(program: PathBuf, args: &[&str], changes: bool) -> CallsConfig {
    let program = Program {
        path: program,
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        sha256: None,
        enabled: true,
        timeout: Duration::from_secs(5),
    };
    let inputs = BTreeMap::from([("host".to_owned(), InputType::Text)]);
    let call = Declared { inputs, does: Does::Run { program, changes } };
    CallsConfig {
        name: "tools".to_owned(),
        egress: Egress::new(&[], Vec::new()).expect("nowhere"),
        token: None,
        timeout: Duration::from_secs(5),
        calls: BTreeMap::from([("mark".to_owned(), call)]),
    }
}

fn mark(host: &str) -> ActionKind {
    let inputs = BTreeMap::from([("host".to_owned(), host.to_owned())]);
    ActionKind::Call { call: "mark".to_owned(), subject: host.to_owned(), inputs }
}

/// Keeps one file a host, as a small tool of an operator would.
struct Tool {
    dir: tempfile::TempDir,
    program: PathBuf,
}

impl Tool {
    fn new() -> Tool {
        let dir = tempfile::tempdir().expect("a folder");
        let marks = dir.path().join("marks");
        std::fs::create_dir(&marks).expect("a folder");
        let text = format!(
            "#!/bin/sh\nread -r order\nfile={}/$2\ncase \"$order\" in\n\
             *'\"verb\":\"perform\"'*) echo \"$3\" >\"$file\" ;;\n\
             *'\"verb\":\"revert\"'*) /bin/rm -f \"$file\" ;;\nesac\n\
             if [ -e \"$file\" ]; then echo '{{\"state\": \"present\", \"expires_in_seconds\": 60}}'; \
             else echo '{{\"state\": \"absent\"}}'; fi\n",
            marks.display()
        );
        let program = script(dir.path(), "mark-host", &text);
        Tool { dir, program }
    }
}

#[async_trait]
impl Bench for Tool {
    async fn responder(&self, cut: Option<Cut>) -> Box<dyn Responder> {
        let args = ["--host", "{host}", "{key}"];
        let Some(cut) = cut else {
            return Box::new(Calls::new(config(self.program.clone(), &args, true)).expect("settings"));
        };
        let dir = tempfile::tempdir().expect("a folder");
        // The wrapper is a shell script and needs a way to find `cat`.
        let (program, watch) = cutter::program(dir.path(), &self.program.display().to_string(), cut);
        Box::new(Wired::new(Calls::new(config(program, &args, true)).expect("settings"), (watch, dir)))
    }

    fn kind(&self) -> ActionKind {
        mark("ws-12")
    }

    async fn state(&self) -> String {
        let all = std::fs::read_dir(self.dir.path().join("marks")).expect("readable").flatten();
        let mut all: Vec<String> =
            all.map(|e| format!("{:?} {:?}", e.file_name(), std::fs::read_to_string(e.path()))).collect();
        all.sort();
        all.join("\n")
    }
}

#[tokio::test]
async fn programs_hold_the_contract() {
    // The key is in the file, so what is compared would differ between actions: the file goes each time.
    contract::run(&Tool::new()).await;
}

async fn asked(text: &str, args: &[&str], host: &str) -> Result<Value, Failure> {
    let dir = tempfile::tempdir().expect("a folder");
    let calls = Calls::new(config(script(dir.path(), "tool", text), args, false)).expect("settings");
    let inputs = BTreeMap::from([("host".to_owned(), host.to_owned())]);
    calls.call("mark", "RUN-1/look", &inputs).await
}

#[tokio::test]
async fn an_input_is_one_argument_and_the_environment_is_empty() {
    let show = "#!/usr/bin/python3 -I\nimport sys, os, json\n\
        print(json.dumps({'args': sys.argv[1:], 'order': json.load(sys.stdin), 'cwd': os.getcwd(),\n\
        'env': sorted(k for k in os.environ if k != 'LC_CTYPE')}))\n";
    let nasty = "a b; touch /tmp/x $(id) `id` | cat \" ' \\ *";
    let said = asked(show, &["--host", "{host}", "by={key}"], nasty).await.expect("answered");
    assert_eq!(said["args"], json!(["--host", nasty, "by=RUN-1/look"]));
    assert_eq!(said["order"], json!({ "verb": "ask", "key": "RUN-1/look", "inputs": { "host": nasty } }));
    assert_eq!((said["env"].clone(), said["cwd"].clone()), (json!([]), json!("/")));
    let option = asked(show, &["{host}"], "--delete-everything").await;
    assert!(matches!(option, Err(Failure::Permanent { .. })), "{option:?}");
}

#[tokio::test]
async fn exit_codes_silence_and_floods_have_their_class() {
    for (text, class, of_change) in [
        ("exit 64", "permanent", "permanent"),
        ("exit 75", "transient", "transient"),
        ("exit 77", "unauthorised", "unauthorised"),
        ("exit 1", "transient", "unknown"),
        ("kill -9 $$", "transient", "unknown"),
        ("echo not json", "permanent", "unknown"),
        ("echo '{\"state\": \"perhaps\"}'", "", "unknown"),
        ("/usr/bin/yes", "transient", "unknown"),
        ("exec /bin/sleep 60", "transient", "unknown"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        // Looks are answered soundly, so that the verb that changes something is reached.
        let whole = format!(
            "#!/bin/sh\nread -r order\ncase \"$order\" in *verify*) echo '{{\"state\":\"absent\"}}'; exit 0;; esac\n{text}\n"
        );
        let program = script(dir.path(), "tool", &whole);
        let settings = |changes| {
            let mut config = config(program.clone(), &[], changes);
            if let Some(Declared { does: Does::Run { program, .. }, .. }) = config.calls.get_mut("mark") {
                program.timeout = Duration::from_millis(500);
            }
            Calls::new(config).expect("settings")
        };
        let inputs = BTreeMap::from([("host".to_owned(), "x".to_owned())]);
        match settings(false).call("mark", "RUN-1", &inputs).await {
            Ok(_) => assert_eq!(class, "", "{text}"),
            Err(failure) => assert_eq!(json!(failure)["class"], class, "{text}: {failure}"),
        }
        let calls = settings(true);
        let action = captured(&calls, mark("x"), 1).await.expect("captured");
        let failure = calls.perform(&action).await.expect_err("a failure");
        assert_eq!(json!(failure)["class"], of_change, "{text}: {failure}");
    }
}

#[tokio::test]
async fn a_program_runs_only_when_enabled_unchanged_and_safe_from_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = script(dir.path(), "tool", "#!/bin/sh\necho '{\"state\": \"absent\"}'\n");
    let digest = "sha256 of something else".bytes().fold(String::new(), |t, _| t + "00")[..48].to_owned()
        + &"0".repeat(16);
    let with = |change: &dyn Fn(&mut Program)| {
        let mut config = config(path.clone(), &[], true);
        if let Some(Declared { does: Does::Run { program, .. }, .. }) = config.calls.get_mut("mark") {
            change(program);
        }
        Calls::new(config).expect("settings")
    };
    assert!(with(&|_| {}).can(&mark("x")));
    let disabled = with(&|p| p.enabled = false);
    assert!(!disabled.can(&mark("x")));
    for (calls, why) in [
        (disabled, "not enabled"),
        (with(&|p| p.sha256 = Some(digest.clone())), "not the file that was declared"),
        (with(&|p| p.path = "/nonexistent/tool".into()), "cannot be read"),
        (with(&|p| p.path = "/tmp".into()), "is not a program"),
    ] {
        let said = calls.capture(&bare(mark("x"), 1)).await;
        assert!(matches!(&said, Err(Failure::Permanent { why: w }) if w.contains(why)), "{why}: {said:?}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("opened");
    let said = with(&|_| {}).capture(&bare(mark("x"), 1)).await;
    assert!(matches!(&said, Err(Failure::Permanent { why }) if why.contains("chmod go-w")), "{said:?}");
}

#[test]
fn interpreters_relative_paths_and_unknown_places_are_refused() {
    for (path, args, why) in [
        ("/bin/sh", vec!["-c", "{host}"], "runs whatever it is told"),
        ("/usr/bin/python3.11", vec![], "runs whatever it is told"),
        ("/usr/bin/env", vec![], "runs whatever it is told"),
        ("tool", vec![], "is not an absolute path"),
        ("/opt/../bin/tool", vec![], "is not an absolute path"),
        ("/opt/tool", vec!["{nobody}"], "nothing is called {nobody}"),
        ("/opt/tool", vec!["{"], "is not closed"),
    ] {
        let said = config(path.into(), &args, true).check();
        assert!(said.len() == 1 && said[0].contains(why), "{path}: {said:?}");
    }
    assert_eq!(
        config("/opt/tool".into(), &["{host}", "{key}", "{ttl_seconds}"], true).check(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_program_that_was_asked_twice_did_it_once() {
    let tool = Tool::new();
    let calls = tool.responder(None).await;
    let action = captured(&*calls, mark("ws-12"), 4).await.expect("captured");
    assert!(is_present(&calls.perform(&action).await));
    assert!(is_present(&calls.perform(&action).await));
    assert!(tool.state().await.contains("stanch:ACT-4"));
}
