//! Labs for the tests of this crate, and tests of the labs themselves.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;

/// The helper beside this test, `target/debug/examples/lab_helper`. `cargo test` builds it; with the name
/// of a test behind it, it does not.
fn helper() -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let path = me.parent().and_then(|deps| deps.parent()).map(|debug| debug.join("examples/lab_helper"));
    path.filter(|p| p.exists())
        .ok_or_else(|| "lab_helper is not built; run: cargo build --example lab_helper".to_owned())
}

/// A lab with a listener, or a loud word why there is none. With STANCH_REQUIRE_LAB=1 there must be one.
pub(crate) async fn a_bare_lab(inside: &str, outside: &str) -> Option<Lab> {
    let mut lab = an_empty_lab().await?;
    lab.wire(inside.parse().expect("address"), outside.parse().expect("address")).await.expect("wired");
    lab.start_listener(0).await.expect("a listener");
    Some(lab)
}

/// Three namespaces with nothing between them.
pub(crate) async fn an_empty_lab() -> Option<Lab> {
    let helper = match available().and_then(|()| helper()) {
        Ok(helper) => helper,
        Err(why) if std::env::var("STANCH_REQUIRE_LAB").as_deref() == Ok("1") => panic!("no lab here: {why}"),
        Err(why) => {
            // Past the test harness, which keeps what passing tests print to itself.
            let _ = writeln!(std::io::stderr(), "\n*** SKIPPED, no lab here: {why} ***\n");
            return None;
        }
    };
    Some(Lab::empty(vec![helper.into()]).await.expect("a lab"))
}

fn exists(ns: &str) -> bool {
    Path::new("/run/netns").join(ns).exists()
}

#[test]
fn only_our_own_names_are_ever_swept() {
    assert_eq!(owner("stanch-4711-0-fw"), Some(4711));
    for foreign in ["blue", "stanch-", "stanch-x-0-fw", "stanch-1-0-db", "stanch-1-0-fw-x", "stanch-1-fw"] {
        assert_eq!(owner(foreign), None, "{foreign}");
    }
}

#[tokio::test]
async fn a_lab_leaves_nothing_behind() {
    let Some(lab) = a_bare_lab("10.1.1.1", "10.1.1.2").await else { return };
    let names = [lab.inside_ns(), lab.firewall_ns(), lab.outside_ns()];
    assert!(names.iter().all(|n| exists(n)));
    lab.remove();
    assert!(!names.iter().any(|n| exists(n)));
}

#[tokio::test]
async fn an_answer_that_is_no_listener_is_neither_open_nor_blocked() {
    let Some(mut lab) = a_bare_lab("192.0.2.1", "192.0.2.2").await else { return };
    assert!(matches!(lab.probe().await, Ok(Probe::Open { .. })));
    lab.listeners.clear();
    lab.target = lab.target.map(|at| SocketAddr::new(at.ip(), 9));
    assert!(matches!(lab.probe().await, Ok(Probe::Refused { .. })));
}

#[tokio::test]
async fn a_lab_vanishes_with_a_process_that_is_killed() {
    if a_bare_lab("10.1.1.1", "10.1.1.2").await.is_none() {
        return;
    }
    let mut command = std::process::Command::new(helper().expect("built"));
    let mut child =
        command.args(["make", "10.1.1.1", "10.1.1.2"]).stdout(Stdio::piped()).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a name");
    let name = line.trim().to_owned();
    assert!(name.starts_with(PREFIX) && exists(&name), "{name:?}");
    child.kill().expect("killed");
    child.wait().expect("ended");
    let start = Instant::now();
    while exists(&name) {
        assert!(start.elapsed() < Duration::from_secs(10), "{name} is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_dead_process_left_is_swept_and_labs_in_use_are_not() {
    let Some(lab) = a_bare_lab("10.1.1.1", "10.1.1.2").await else { return };
    // Above the largest pid a kernel hands out (2^22), so certainly dead.
    lab.ip(&["netns", "add", "stanch-4194399-0-fw"]).await.expect("added");
    assert_eq!(Lab::sweep_stale(), ["stanch-4194399-0-fw"]);
    assert!(exists(&lab.firewall_ns()));
}
