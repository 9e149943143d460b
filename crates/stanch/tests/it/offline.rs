//! The same answers from the store, without a server.

use crate::site::Site;

#[test]
fn the_store_answers_as_the_server_does() {
    let mut site = Site::under_attack();
    // What neither a clock that goes on nor a server that stops changes.
    let questions = [
        "ledger",
        "alerts",
        "alerts show A-1",
        "incidents",
        "story INC-1",
        "approvals",
        "blocks",
        "quarantine",
        "runs",
    ];
    let words = |line: &'static str| line.split(' ').collect::<Vec<_>>();
    // Until nothing is written while all are asked.
    let online: Vec<_> = loop {
        let before = site.json(&["journal", "head"]);
        let answers = questions.iter().map(|q| site.json(&words(q))).collect();
        if site.json(&["journal", "head"]) == before {
            break answers;
        }
    };
    site.stop();
    for (question, online) in questions.iter().zip(online) {
        let mut words = words(question);
        words.extend(["--data", "stanch/.stanch"]);
        let offline = site.json(&words);
        assert_eq!(offline, online, "{question}");
    }
    assert_eq!(site.json(&["ledger", "--data", "stanch/.stanch"])["balanced"], true);
}

#[test]
fn the_chain_is_verified_without_a_server() {
    let mut site = Site::under_attack();
    let verified = site.json(&["journal", "verify", "--data", "stanch/.stanch"]);
    assert_eq!(verified["ok"], true, "also while the server writes: {verified}");
    site.stop();
    assert_eq!(site.json(&["journal", "verify", "--data", "stanch/.stanch"])["ok"], true);
}

#[test]
fn the_store_takes_no_orders() {
    let mut site = Site::under_attack();
    site.stop();
    let said = site
        .run(&["silence", "set", "source=x", "--for", "1h", "--comment", "c", "--data", "stanch/.stanch"])
        .ends(2);
    assert!(said.err.contains("--data"), "{}", said.err);
}
