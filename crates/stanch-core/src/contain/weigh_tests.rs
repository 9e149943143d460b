use super::*;

#[test]
fn the_host_of_a_url_is_found_in_every_spelling() {
    for (url, host) in [
        ("https://hooks.example.com/services/T1", "hooks.example.com"),
        ("https://id.example.com", "id.example.com"),
        ("https://192.0.2.9:8443/rt?x=1", "192.0.2.9"),
        ("https://[2001:db8::9]:8443/rt", "2001:db8::9"),
        ("nothing", ""),
    ] {
        assert_eq!(host_of(url), host, "{url}");
    }
}

#[test]
fn where_people_are_told_and_sign_in_is_protected_by_name_or_by_address() {
    let files = [
        ("stanch.yaml", "listen: 127.0.0.1:7878\n"),
        (
            "policies/people.yaml",
            "teams:\n  secops: { notifier: mail, to: [secops@example.org] }\nprovider:\n  title: Staff\n  issuer: https://id.example.com/realms/staff\n  client_id: stanch\n  url: https://stanch.example.com\n  roles:\n    - { group: secops, role: viewer }\n",
        ),
        ("policies/routing.yaml", "route:\n  team: secops\n"),
        (
            "connectors/all.yaml",
            "notifiers:\n  - { name: mail, type: smtp, host: 192.0.2.25, port: 25, from: stanch@example.org, tls: none }\n",
        ),
    ];
    let files: Vec<(String, String)> =
        files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    let config = crate::config::compile(&files).unwrap_or_else(|m| panic!("{m:#?}"));
    let found: Vec<String> = own(&config).iter().map(|p| format!("{}: {}", p.what.words(), p.why)).collect();
    assert_eq!(
        found,
        [
            "192.0.2.25: our mail server",
            "example.org: our mail domain",
            "id.example.com: people sign in there"
        ]
    );
}
