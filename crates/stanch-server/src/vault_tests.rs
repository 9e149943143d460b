//! A vault does not give a secret to the wrong connector, the wrong host or the wrong file.

use super::*;

const VALUE: &str = "canary-7f3a9b51c0de";

fn vault(dir: &Path, key: MasterKey) -> Vault {
    Vault::new(dir, dir, key)
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
