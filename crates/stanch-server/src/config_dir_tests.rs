use super::*;

fn folder(change: impl Fn(&Path)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in stanch_core::config::init::template() {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::create_dir_all(dir.path().join("secrets")).unwrap();
    for (n, secret) in stanch_core::config::init::SECRETS.iter().enumerate() {
        write_secret(&dir.path().join(secret), &format!("{n:02}-a-secret-of-some-length"));
    }
    change(dir.path());
    check(dir.path()).iter().map(Mistake::render).collect()
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn the_folder_that_init_writes_has_no_mistakes() {
    assert_eq!(folder(|_| {}), Vec::<String>::new());
}

#[test]
fn a_missing_or_empty_secret_is_named_with_the_file() {
    let found = folder(|d| {
        std::fs::remove_file(d.join("secrets/suricata.token")).unwrap();
        write_secret(&d.join("secrets/admin.token"), "\n");
    });
    assert!(
        found.iter().any(|m| m.contains("suricata") && m.contains("secrets/suricata.token")),
        "{found:#?}"
    );
    assert!(found.iter().any(|m| m.contains("admin cannot sign in")), "{found:#?}");
}

#[test]
fn a_secret_that_others_can_read_is_a_warning_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let found = folder(|d| {
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(d.join("secrets/zeek.token"), open).unwrap();
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("chmod 600 secrets/zeek.token"), "{found:#?}");
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x.yaml"), "format: zeek\n").unwrap();
    let found = folder(|d| {
        std::os::unix::fs::symlink(outside.path().join("x.yaml"), d.join("sources/x.yaml")).unwrap();
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("sources/x.yaml: the link leads out"), "{found:#?}");
}

#[test]
fn a_bad_inventory_and_a_missing_certificate_are_found_together() {
    let found = folder(|d| {
        std::fs::write(d.join("inventory/assets.csv"), "name,ip\nweb-1,10.0.0.300\n").unwrap();
        std::fs::write(d.join("stanch.yaml"), "tls: { cert: no.crt, key: no.key }\n").unwrap();
    });
    assert!(found.iter().any(|m| m.starts_with("inventory/assets.csv:2")), "{found:#?}");
    assert!(found.iter().any(|m| m.contains("no.crt")), "{found:#?}");
}

#[test]
fn two_people_with_one_token_are_refused() {
    let found = folder(|d| {
        write_secret(&d.join("secrets/admin.token"), "the-same-secret-twice-over");
        write_secret(&d.join("secrets/netops-lead.token"), "the-same-secret-twice-over");
    });
    assert!(found.iter().any(|m| m.contains("have the same token")), "{found:#?}");
}
