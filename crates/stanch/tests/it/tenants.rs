//! `stanch serve --tenants` and `stanch check --tenants` as an operator runs them, and a model's program that speaks
//! to one tenant of two.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::mcp::Client;
use crate::site::{Site, intrusion};

const A: &str = "alpha.localhost";
const B: &str = "bravo.localhost";

/// Two tenants, and what serves them once it does.
struct Both {
    site: Site,
    serving: Option<(Child, String)>,
}

impl Both {
    fn new() -> Both {
        let both = Both { site: Site::new(), serving: None };
        for tenant in [A, B] {
            both.site.run(&["init", both.config(tenant).to_str().unwrap()]).ends(0);
        }
        both
    }

    fn folder(&self) -> PathBuf {
        self.site.dir.path().join("tenants")
    }

    fn config(&self, tenant: &str) -> PathBuf {
        self.folder().join(tenant).join("config")
    }

    fn serve(&mut self) {
        let mut command = self.site.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--quiet", "--tenants"]).arg(self.folder());
        let mut child = command.env("STANCH_LOG", "off").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit_once(':').unwrap_or_else(|| panic!("{line}")).1.to_owned();
        self.serving = Some((child, port));
    }

    /// A command as somebody of a tenant, by the configuration of one and at the address of the other or the same.
    fn by(&self, of: &str, at: &str, words: &[&str]) -> Command {
        let port = &self.serving.as_ref().unwrap().1;
        let mut command = self.site.command();
        command.args(words).args(["--as", "admin", "--config"]).arg(self.config(of));
        command.env("STANCH_SERVER", format!("http://{at}:{port}"));
        command
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.serving {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_models_program_sees_the_tenant_it_was_given_and_no_other() {
    let mut both = Both::new();
    both.serve();
    let file = both.site.dir.path().join("eve.json");
    std::fs::write(&file, intrusion()).unwrap();
    let ingest = ["ingest", file.to_str().unwrap(), "--source", "suricata"];
    both.site.finish(&mut both.by(A, A, &ingest)).ends(0);
    let mut own = Client::of(&mut both.by(A, A, &["mcp"]));
    let (failed, text) = own.call("get_incident", json!({ "id": "INC-1" }));
    assert!(!failed && text.contains("INC-1"), "{text}");
    own.end();
    let mut other = Client::of(&mut both.by(B, B, &["mcp"]));
    for (tool, arguments) in
        [("get_incident", json!({ "id": "INC-1" })), ("incident_story", json!({ "id": "INC-1" }))]
    {
        let (failed, text) = other.call(tool, arguments);
        assert!(failed && text.contains("INC-1"), "{tool}: {text}");
    }
    let (failed, text) = other.call("list_alerts", json!({}));
    assert!(!failed && !text.contains("Cobalt"), "{text}");
    other.end();
    // The token of one at the address of the other is nobody's, for commands and for deliveries.
    for words in [&["incidents"][..], &ingest] {
        let said = both.site.finish(&mut both.by(A, B, words));
        assert_ne!(said.code, 0, "{words:?}: {}", said.out);
        assert!(!said.out.contains("INC-1"), "{}", said.out);
    }
}

#[test]
fn check_says_what_is_wrong_in_every_tenant() {
    let both = Both::new();
    let folder = both.folder();
    let check = ["check", "--tenants", folder.to_str().unwrap()];
    both.site.run(&check).ends(0);
    std::fs::write(both.config(A).join("stanch.yaml"), "max_body: 8\n").unwrap();
    std::fs::write(both.config(B).join("stanch.yaml"), "tls: { cert: none.crt, key: none.key }\n").unwrap();
    let said = both.site.run(&check).ends(3);
    assert!(said.out.contains("max_body") && said.out.contains("none.crt"), "{}", said.out);
    let said = both.site.run(&["check", "--json", "--tenants", folder.to_str().unwrap()]).ends(3).json();
    assert_eq!(said["tenants"][0]["tenant"], A);
    assert!(said["tenants"][1]["errors"].as_u64() > Some(0), "{said}");
    std::fs::create_dir_all(folder.join("Not_A_Host/config")).unwrap();
    let said = both.site.run(&check).ends(78);
    assert!(said.err.contains("is not a host name"), "{}", said.err);
}
