//! `stanch audit` against a running server and against its folder, and the verifier in Python beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::Site;

fn python(data: &Path, key: &str) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stanch-store/verify_audit.py");
    let out = Command::new("python3").arg(script).arg(data).args(["--key", key]).output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn a_journal_is_verified_with_a_pinned_key_while_it_runs_and_after_and_a_cut_is_found() {
    let mut site = Site::under_attack();
    let key = site.run(&["audit", "key", "--as", "admin"]).ends(0).out.trim().to_owned();
    assert!(key.starts_with("stanch-audit+"), "{key}");
    let live = site.json(&["audit", "verify", "--key", &key, "--as", "admin"]);
    assert_eq!((live["ok"].as_bool(), live["pinned"].as_bool()), (Some(true), Some(true)), "{live}");
    assert_eq!(site.stop(), Some(0));

    let data: PathBuf = site.config().join(".stanch");
    let shown = data.to_str().unwrap();
    let said = site.json(&["audit", "verify", "--data", shown, "--key", &key]);
    assert_eq!(said["covered"], said["head"]["seq"], "the stop is signed: {said}");
    assert_eq!(python(&data, &key).0, Some(0));

    // Cut like somebody with the file would: the last entries, and their details with them.
    let cut = "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); \
               [d.execute('DROP TRIGGER '+t) for t in ('entry_stays','detail_stays')]; \
               m=d.execute('SELECT max(seq) FROM entry').fetchone()[0]; \
               [d.execute('DELETE FROM %s WHERE seq > ?' % t, (m-3,)) for t in ('detail','entry')]; d.commit()";
    let cut = Command::new("python3").args(["-c", cut]).arg(data.join("journal.db")).status().unwrap();
    assert!(cut.success());
    let said = site.run(&["audit", "verify", "--data", shown, "--key", &key]).ends(3);
    assert!(said.out.contains("truncated"), "{}", said.out);
    let (code, text) = python(&data, &key);
    assert_eq!((code, text.contains("FINDING truncated")), (Some(1), true), "{text}");
}
