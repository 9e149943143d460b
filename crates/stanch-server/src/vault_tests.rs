//! A vault does not give a secret to the wrong connector, the wrong host or the wrong file.

use std::collections::BTreeSet;

use super::master::{KEY, NEXT};
use super::rotate::Step;
use super::*;
use stanch_core::config::MasterKey;

const VALUE: &str = "canary-7f3a9b51c0de";

fn vault(dir: &Path, key: MasterKey) -> Vault {
    Vault::new(dir, dir, MasterKeys { key, before: None })
}

fn set(
    v: &Vault,
    name: &str,
    connector: Option<&str>,
    hosts: &[&str],
    value: &str,
) -> Result<Record, Refused> {
    let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    v.set(&New { name, connector, hosts: &hosts, value, by: "anna", now: Timestamp(1) })
}

fn to(host: &str) -> Vec<String> {
    vec![host.to_owned()]
}

#[test]
fn a_secret_goes_to_its_connector_and_its_host_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    set(&v, "edr", Some("edr"), &["edr.example.com:443"], VALUE).unwrap();
    assert_eq!(**v.open("edr", "edr", &to("edr.example.com:443")).unwrap().expose(), *VALUE);
    for (connector, host) in [
        ("other", "edr.example.com:443"),
        ("edr", "edr.example.com:8443"),
        ("edr", "evil.example:443"),
        ("edr", "edr.example.com.evil.example:443"),
    ] {
        let said = v.open("edr", connector, &to(host)).unwrap_err();
        assert!(matches!(said, Refused::Bound(_)), "{connector} {host}: {said:?}");
    }
    let both = ["edr.example.com:443".to_owned(), "evil.example:443".to_owned()];
    assert!(v.open("edr", "edr", &both).is_err(), "one wrong place is enough");
    assert!(matches!(v.open("none", "edr", &[]), Err(Refused::Missing(_))));
}

#[test]
fn what_lies_on_disk_does_not_show_it_and_opens_only_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    let record = set(&v, "edr", Some("edr"), &["h:443"], VALUE).unwrap();
    let file = dir.path().join(NAME);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(VALUE) && !text.contains(&STANDARD.encode(VALUE)), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(record.fingerprint.len(), 8);
    std::fs::write(dir.path().join(KEY), "00".repeat(32)).unwrap();
    assert!(matches!(v.open("edr", "edr", &to("h:443")), Err(Refused::Broken(_))), "another key");
    std::fs::remove_file(dir.path().join(KEY)).unwrap();
    assert!(
        matches!(v.open("edr", "edr", &to("h:443")), Err(Refused::Broken(_))),
        "a lost key is not made anew"
    );
    assert!(!dir.path().join(KEY).exists());
}

#[test]
fn rows_cannot_be_swapped_moved_or_led_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    set(&v, "a", Some("c"), &["h:443"], "value-of-a-0123456789").unwrap();
    set(&v, "b", Some("c"), &["h:443"], "value-of-b-0123456789").unwrap();
    let whole: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join(NAME)).unwrap()).unwrap();
    let tries: [fn(&mut serde_json::Value); 6] = [
        |f| f["secrets"][0]["sealed"] = f["secrets"][1]["sealed"].clone(),
        |f| f["secrets"][0]["wrapped"] = f["secrets"][1]["wrapped"].clone(),
        |f| {
            f["secrets"][0]["sealed"] = f["secrets"][1]["sealed"].clone();
            f["secrets"][0]["wrapped"] = f["secrets"][1]["wrapped"].clone();
        },
        |f| f["secrets"][0]["hosts"] = serde_json::json!(["h:443", "evil:443"]),
        |f| f["secrets"][0]["connector"] = "other".into(),
        |f| f["secrets"][0]["version"] = 2.into(),
    ];
    for change in tries {
        let mut file = whole.clone();
        change(&mut file);
        std::fs::write(dir.path().join(NAME), file.to_string()).unwrap();
        let connector = file["secrets"][0]["connector"].as_str().unwrap().to_owned();
        assert!(matches!(v.open("a", &connector, &to("h:443")), Err(Refused::Broken(_))), "{file}");
    }
}

#[test]
fn a_new_version_keeps_what_it_is_bound_to_and_nothing_binds_it_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    let first = set(&v, "edr", Some("edr"), &["h:443"], VALUE).unwrap();
    let second = set(&v, "edr", None, &[], "another value").unwrap();
    assert_eq!((second.version, second.connector.as_str()), (2, "edr"));
    assert_ne!(first.fingerprint, second.fingerprint);
    assert!(matches!(set(&v, "edr", Some("other"), &[], VALUE), Err(Refused::Bound(_))));
    assert!(matches!(set(&v, "edr", None, &["evil:443"], VALUE), Err(Refused::Bound(_))));
    v.remove("edr").unwrap();
    assert!(v.list().unwrap().is_empty());
    assert!(matches!(v.remove("edr"), Err(Refused::Missing(_))));
}

#[test]
fn nonsense_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    for (name, hosts, value) in [
        ("", vec!["h:443"], VALUE),
        ("a b", vec!["h:443"], VALUE),
        ("../a", vec!["h:443"], VALUE),
        ("a", vec![], VALUE),
        ("a", vec!["h"], VALUE),
        ("a", vec!["h:0"], VALUE),
        ("a", vec!["https://h:443"], VALUE),
        ("a", vec!["h:443"], ""),
        ("a", vec!["h:443"], "two\nlines"),
    ] {
        assert!(
            matches!(set(&v, name, Some("c"), &hosts, value), Err(Refused::Invalid(_))),
            "{name} {hosts:?}"
        );
    }
    assert!(!dir.path().join(NAME).exists());
}

#[test]
fn the_master_key_comes_from_a_command_too() {
    let dir = tempfile::tempdir().unwrap();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let key = "ab".repeat(32);
    let v = vault(dir.path(), MasterKey::Command(words(&format!("echo {key}"))));
    set(&v, "edr", Some("edr"), &["h:443"], VALUE).unwrap();
    assert!(v.open("edr", "edr", &to("h:443")).is_ok());
    for wrong in ["false", "echo short", "no-such-program-here"] {
        let v = vault(dir.path(), MasterKey::Command(words(wrong)));
        assert!(matches!(v.open("edr", "edr", &to("h:443")), Err(Refused::Broken(_))), "{wrong}");
    }
}

#[test]
fn the_master_key_comes_from_the_kernels_keyring_too() {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};
    let name = format!("stanch-test-{}", std::process::id());
    let key = "cd".repeat(32);
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true);
    let kept = match ring.and_then(|ring| ring.add_key(&name, key.as_bytes())) {
        Ok(kept) => kept,
        Err(e) => return eprintln!("SKIPPED: this kernel keeps no keys for us: {e}"),
    };
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::Keyring(name.clone()));
    set(&v, "edr", Some("edr"), &["h:443"], VALUE).unwrap();
    assert!(v.open("edr", "edr", &to("h:443")).is_ok());
    kept.invalidate().unwrap();
    let gone = vault(dir.path(), MasterKey::Keyring(name)).open("edr", "edr", &to("h:443"));
    assert!(matches!(gone, Err(Refused::Broken(why)) if why.contains("keyctl padd")));
}

/// Some secrets of several connectors, and what they are.
fn several(v: &Vault) -> Vec<(String, String)> {
    let all: Vec<_> = (0..5).map(|n| (format!("s{n}"), format!("value-of-secret-{n}-0123456789"))).collect();
    for (name, value) in &all {
        set(v, name, Some("edr"), &["h:443"], value).unwrap();
    }
    all
}

fn all_open(v: &Vault, all: &[(String, String)]) {
    for (name, value) in all {
        assert_eq!(**v.open(name, "edr", &to("h:443")).unwrap().expose(), **value, "{name}");
    }
}

fn key_in(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(KEY)).unwrap()
}

#[test]
fn another_key_opens_everything_and_the_one_before_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    assert_eq!(v.rotate().unwrap().secrets, 0);
    assert!(!dir.path().join(KEY).exists(), "there is nothing to wrap, so no key is made");
    let all = several(&v);
    let (old, before) = (key_in(dir.path()), v.list().unwrap());
    let would = v.would_rotate().unwrap();
    assert_eq!((key_in(dir.path()), would.secrets), (old.clone(), 5), "a look changes nothing");
    assert_eq!(v.rotate().unwrap(), Rotated { secrets: 5, behind: 0, gone: true });
    all_open(&v, &all);
    all_open(&vault(dir.path(), MasterKey::File(None)), &all);
    assert!(!dir.path().join(format!("{KEY}{NEXT}")).exists());
    let after = v.list().unwrap();
    for (b, a) in before.iter().zip(&after) {
        assert_eq!((&a.name, a.version, a.changed, &a.sealed), (&b.name, b.version, b.changed, &b.sealed));
        assert!(a.wrapped != b.wrapped && a.fingerprint != b.fingerprint);
    }
    std::fs::write(dir.path().join(KEY), old).unwrap();
    assert!(
        matches!(v.open("s0", "edr", &to("h:443")), Err(Refused::Broken(_))),
        "the old key opens nothing"
    );
}

#[test]
fn a_crash_behind_any_step_leaves_every_secret_readable_and_the_next_change_ends_it() {
    for stop in [Step::Made, Step::Wrapped] {
        let dir = tempfile::tempdir().unwrap();
        let v = vault(dir.path(), MasterKey::File(None));
        let all = several(&v);
        let old = key_in(dir.path());
        let cut = v.rotate_by(&mut |step| {
            if step == stop { Err(Refused::Broken("the process ended".into())) } else { Ok(()) }
        });
        assert!(cut.is_err());
        // A new process finds both keys, and opens everything before it has mended anything.
        let again = vault(dir.path(), MasterKey::File(None));
        assert!(dir.path().join(format!("{KEY}{NEXT}")).exists());
        all_open(&again, &all);
        again.settle().unwrap();
        assert!(!dir.path().join(format!("{KEY}{NEXT}")).exists());
        assert_eq!(
            key_in(dir.path()) == old,
            stop == Step::Made,
            "up to the write the old one, then the new one"
        );
        all_open(&again, &all);
        // Without settling by hand: whoever changes something next does it.
        again
            .rotate_by(&mut |step| if step == stop { Err(Refused::Broken("again".into())) } else { Ok(()) })
            .unwrap_err();
        set(&again, "s9", Some("edr"), &["h:443"], "set-in-between").unwrap();
        assert_eq!(again.rotate().unwrap().secrets, 6);
        all_open(&again, &all);
        assert_eq!(**again.open("s9", "edr", &to("h:443")).unwrap().expose(), *"set-in-between");
    }
}

#[test]
fn a_key_from_outside_is_changed_by_naming_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let command = |digit: &str| MasterKey::Command(vec!["echo".into(), digit.repeat(64)]);
    let first = vault(dir.path(), command("a"));
    let all = several(&first);
    assert!(matches!(first.rotate(), Err(Refused::Invalid(_))), "another one has to come from outside");
    first.follow(MasterKeys { key: command("b"), before: Some(command("a")) });
    all_open(&first, &all);
    assert_eq!(first.would_rotate().unwrap(), Rotated { secrets: 5, behind: 5, gone: false });
    assert_eq!(first.rotate().unwrap(), Rotated { secrets: 5, behind: 5, gone: false });
    assert_eq!(first.would_rotate().unwrap().behind, 0);
    all_open(&vault(dir.path(), command("b")), &all);
    assert!(vault(dir.path(), command("a")).open("s0", "edr", &to("h:443")).is_err());
    // From there into a file that is made for it.
    let file = MasterKey::File(Some("new.key".into()));
    first.follow(MasterKeys { key: file.clone(), before: Some(command("b")) });
    assert_eq!(first.rotate().unwrap().behind, 5);
    all_open(&vault(dir.path(), file), &all);
}

#[test]
fn secrets_are_opened_all_the_while_the_key_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path(), MasterKey::File(None));
    let all = several(&v);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|s| {
        // A vault of its own, as a reload has: no lock is shared.
        let other = vault(dir.path(), MasterKey::File(None));
        let (over, all) = (&over, &all);
        let reading = s.spawn(move || {
            let mut opened = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) || opened == 0 {
                all_open(&other, all);
                opened += 1;
            }
        });
        for _ in 0..30 {
            v.rotate().unwrap();
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        reading.join().unwrap();
    });
}

#[test]
fn no_nonce_comes_twice_over_many_wraps_by_one_key() {
    const WRAPS: usize = 50_000;
    let (master, key) = ([7; 32], [9; 32]);
    let nonces: BTreeSet<Vec<u8>> = (0..WRAPS)
        .map(|_| STANDARD.decode(close(&master, &key, b"context").unwrap()).unwrap()[..NONCE_LEN].to_vec())
        .collect();
    assert_eq!(nonces.len(), WRAPS);
    // All bits move: a counter or a clock would leave the upper ones alone.
    let mut moved = [0_u8; NONCE_LEN];
    let first = nonces.first().unwrap().clone();
    nonces.iter().for_each(|n| n.iter().zip(&first).zip(&mut moved).for_each(|((a, b), m)| *m |= a ^ b));
    assert_eq!(moved, [0xff; NONCE_LEN]);
}
