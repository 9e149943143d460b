//! `cargo xtask fuzz-api`: thousands of made-up requests against the real server, from its own description.
//!
//! Schemathesis reads the OpenAPI description and tries what fits it and what does not: no answer may be
//! a 5xx, and every answer must have a status, headers, type and shape that are described. `--cases N`
//! goes on with further seeds until at least N requests were made (2,000 unless told), `--seed S` begins
//! elsewhere. The stream of events is left out (it does not end), and so are sessions (it would lock
//! itself out).

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::args::Args;
use crate::cargo_build;
use crate::http::Client;

/// Pinned: another version makes other requests.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// What is looked for in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// Requests for each operation and seed.
const EACH: &str = "30";
/// Seeds at most.
const SEEDS: u64 = 200;

/// Makes them all.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let mut args = Args::new(words);
    let cases: u64 = args.value("--cases")?.unwrap_or(2_000);
    let first: u64 = args.value("--seed")?.unwrap_or(1);
    args.words()?;
    let Some(program) = schemathesis()? else { return Ok(ExitCode::SUCCESS) };
    let stanch = cargo_build(&["stanch"], false)?.join("stanch");
    let mut world = World::start(&stanch)?;
    let mut made = 0;
    for seed in first..first + SEEDS {
        if made >= cases {
            break;
        }
        let (good, n) = play(&program, &world, seed)?;
        made += n;
        println!("fuzz-api: seed {seed}: {n} requests, {made} in all");
        ensure!(world.child.try_wait()?.is_none(), "the server ended");
        if !good {
            bail!(
                "seed {seed} found something, see above; again: cargo xtask fuzz-api --seed {seed} --cases 1"
            );
        }
        ensure!(n > 0, "no request was made");
    }
    world.stop()?;
    println!("fuzz-api: {made} requests, no 5xx, every answer as described");
    Ok(ExitCode::SUCCESS)
}

/// One seed. True when nothing was found, and how many requests were made.
fn play(program: &Path, world: &World, seed: u64) -> Result<(bool, u64)> {
    let out = Command::new(program)
        .args(["run", &format!("http://{}/api/v1/openapi.json", world.address)])
        .args(["-H", &format!("Authorization: Bearer {}", world.token)])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "-n", EACH])
        .args(["--exclude-path-regex", "^/api/v1/(events|session)"])
        .args(["--seed", &seed.to_string(), "--workers", "1", "--continue-on-failure", "--no-color"])
        // A busy machine is slow; only what never answers is a finding.
        .args(["--request-timeout", "120"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .current_dir(world.folder.path())
        .stderr(Stdio::inherit())
        .output()
        .context("schemathesis cannot be started")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let made = text.lines().find_map(|l| l.trim().split_once(" generated")?.0.parse().ok()).unwrap_or(0);
    if !out.status.success() {
        println!("{text}");
    }
    Ok((out.status.success(), made))
}

/// The program in an environment of its own; none, said loudly, when it cannot be had here.
fn schemathesis() -> Result<Option<PathBuf>> {
    let venv = crate::target()?.join(SCHEMATHESIS.replace("==", "-"));
    let program = venv.join("bin/schemathesis");
    if program.is_file() {
        return Ok(Some(program));
    }
    let good = |c: &mut Command| c.stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if !good(Command::new("python3").args(["-c", "import ensurepip"]).stderr(Stdio::null())) {
        let mut install = Command::new("apt-get");
        install.args(["install", "-y", "-qq", "--no-install-recommends", "python3-venv"]);
        if !good(install.env("DEBIAN_FRONTEND", "noninteractive")) {
            println!(
                "skipped: python3 makes no environments here; install it with: apt-get install python3-venv"
            );
            return Ok(None);
        }
    }
    ensure!(good(Command::new("python3").args(["-m", "venv"]).arg(&venv)), "python3 -m venv failed");
    let mut pip = Command::new(venv.join("bin/pip"));
    ensure!(good(pip.args(["install", "--quiet", SCHEMATHESIS])), "pip could not install {SCHEMATHESIS}");
    Ok(Some(program))
}

/// A server with something to ask about.
struct World {
    folder: tempfile::TempDir,
    child: Child,
    address: String,
    token: String,
}

impl World {
    fn start(stanch: &Path) -> Result<World> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("stanch");
        let made = Command::new(stanch)
            .arg("init")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ensure!(made?.success(), "stanch init failed");
        // Its own limit would answer most of this.
        let mut file = std::fs::OpenOptions::new().append(true).open(config.join("stanch.yaml"))?;
        writeln!(file, "\nrequests_per_second: 1000000")?;
        let mut child = Command::new(stanch)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .env("STANCH_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").context(line.clone())?.to_owned();
        let secret = |name: &str| -> Result<String> {
            Ok(std::fs::read_to_string(config.join("secrets").join(name))?.trim().to_owned())
        };
        let mut world = World { child, token: secret("admin.token")?, address, folder };
        world.feed(&secret("suricata.token")?)?;
        Ok(world)
    }

    /// Alerts that open incidents and questions, and one delivery that nobody can read.
    fn feed(&mut self, token: &str) -> Result<()> {
        let mut source = Client::new(&self.address, token);
        for n in 1..=5 {
            let alert = format!(
                r#"{{"timestamp":"2026-03-03T22:10:0{n}.000000+0000","event_type":"alert","src_ip":"10.0.0.{n}","dest_ip":"203.0.113.66","proto":"TCP","dest_port":443,"alert":{{"signature_id":202876{n},"signature":"ET MALWARE CnC beacon {n}","category":"A Network Trojan was detected","severity":1}}}}"#
            );
            let said = source.post("/in/suricata", alert.as_bytes())?;
            ensure!(said.status == 202, "{}", said.text());
        }
        source.post("/in/suricata", b"not json")?;
        Ok(())
    }

    /// Ends it as an operator would.
    fn stop(&mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "kill failed");
        ensure!(self.child.wait()?.success(), "the server did not stop well");
        ensure!(TcpStream::connect(&self.address).is_err(), "something still listens");
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
