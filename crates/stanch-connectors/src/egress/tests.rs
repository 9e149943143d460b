//! What may not be dialled, in all its spellings, and a name server that lies.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn egress(allowed: &[&str], private: &[&str]) -> Egress {
    let allowed: Vec<String> = allowed.iter().map(|a| (*a).to_owned()).collect();
    let private = private.iter().map(|p| p.parse().expect("a range")).collect();
    Egress::new(&allowed, private).expect("an allow-list")
}

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

#[test]
fn only_the_listed_host_on_the_listed_port_is_called() {
    let out = egress(&["edr.example.com:443", "[2606:4700::1]:8443"], &[]);
    assert_eq!(out.permit(&url("https://edr.example.com/v1")), Ok(()));
    assert_eq!(out.permit(&url("https://EDR.example.com:443/v1")), Ok(()));
    assert_eq!(out.permit(&url("https://[2606:4700:0::1]:8443/")), Ok(()));
    for text in [
        "https://edr.example.com:8443/",
        "http://edr.example.com/",
        "https://edr.example.com.evil.example/",
        "https://evil.example/edr.example.com",
        "https://edr.example.com@evil.example/",
        "ftp://edr.example.com:443/",
        "https://user:pass@edr.example.com/",
        "https://sub.edr.example.com/",
        "file:///etc/passwd",
    ] {
        assert!(out.permit(&url(text)).is_err(), "{text}");
    }
}

#[test]
fn home_is_refused_in_every_spelling_even_when_it_is_on_the_list() {
    let spellings = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.255.255.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "0",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "[fc00::1]",
        "[fd12:3456::1]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "198.18.0.1",
        "240.0.0.1",
        "192.0.2.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ];
    assert!(spellings.len() >= 40);
    for host in spellings {
        let there = url(&format!("https://{host}/"));
        let listed = format!("{}:443", there.host_str().expect("a host"));
        let out = egress(&[&listed], &[]);
        let said = out.permit(&there);
        assert!(said.as_ref().is_err_and(|why| why.contains("is not dialled")), "{host}: {said:?}");
    }
}

#[test]
fn a_range_of_our_own_can_be_allowed_but_never_link_local_or_disguise() {
    let out = |host: &str, private: &str| {
        egress(&[&format!("{host}:443")], &[private]).permit(&url(&format!("https://{host}/")))
    };
    assert_eq!(out("10.1.2.3", "10.1.0.0/16"), Ok(()));
    assert_eq!(out("127.0.0.1", "127.0.0.0/8"), Ok(()));
    assert_eq!(out("[fd12::1]", "fd12::/16"), Ok(()));
    assert!(out("10.2.2.3", "10.1.0.0/16").is_err());
    assert!(out("169.254.169.254", "0.0.0.0/0").is_err());
    assert!(out("[64:ff9b::a00:1]", "::/0").is_err());
    assert!(out("0.0.0.0", "0.0.0.0/0").is_err());
}

#[test]
fn a_list_entry_is_one_host_and_one_port() {
    for entry in [
        "",
        "host",
        "host:",
        "host:0",
        "host:99999",
        "*.example.com:443",
        "a/b:443",
        "u@h:443",
        "https://h:443",
    ] {
        assert!(Egress::new(&[entry.to_owned()], Vec::new()).is_err(), "{entry:?}");
    }
}

/// Listens at home and says whether anybody came.
async fn a_trap() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 1_024];
            let _ = client.read(&mut request).await;
            let answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = client.write_all(answer).await;
        }
    });
    (port, came)
}

/// Answers the first question as `first`, and every later one as `then`.
fn liar(first: &'static str, then: &'static str) -> (LookUp, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let look_up: LookUp = Arc::new(move |_| {
        let answer = if count.fetch_add(1, Ordering::SeqCst) == 0 { first } else { then };
        Box::pin(async move { Ok(answer.split(' ').map(|a| a.parse().expect("address")).collect()) })
    });
    (look_up, asked)
}

#[tokio::test]
async fn a_name_that_leads_home_is_not_followed_there() {
    let (port, came) = a_trap().await;
    let target = format!("http://edr.example.com:{port}/");
    for answer in ["127.0.0.1", "8.8.8.8 127.0.0.1", "::ffff:127.0.0.1"] {
        let (look_up, _) = liar(answer, answer);
        let out = egress(&[&format!("edr.example.com:{port}")], &[]).with_look_up(look_up);
        assert_eq!(out.permit(&url(&target)), Ok(()), "the text alone is harmless");
        let client = out.client(Duration::from_secs(2)).expect("a client");
        let said = client.get(&target).send().await.expect_err("refused");
        assert!(said.is_connect(), "{answer}: {said:?}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "nobody was dialled");
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_dialled() {
    let (port, came) = a_trap().await;
    // The second answer would lead elsewhere: it is never asked for.
    let (look_up, asked) = liar("127.0.0.1", "203.0.113.9");
    let out = egress(&[&format!("edr.example.com:{port}")], &["127.0.0.0/8"]).with_look_up(look_up);
    let client = out.client(Duration::from_secs(2)).expect("a client");
    let answer = client.get(format!("http://edr.example.com:{port}/")).send().await.expect("answered");
    assert_eq!(answer.status(), 302, "a redirect is an answer, and not followed");
    assert_eq!((came.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_connector_with_a_url_goes_to_its_host_and_nowhere_else() {
    let (port, came) = a_trap().await;
    let there = url(&format!("http://127.0.0.1:{port}/hook"));
    let out = Egress::to(&there, &[]).expect("a host");
    assert_eq!(out.permit(&there), Ok(()), "an address that was written was meant");
    assert!(out.permit(&url("http://127.0.0.2/hook")).is_err());
    assert!(out.permit(&url("https://other.example/hook")).is_err());
    // A name is not an address: the same host by name needs the range.
    let named = url(&format!("http://hooks.example:{port}/"));
    let (look_up, _) = liar("127.0.0.1", "127.0.0.1");
    let out = Egress::to(&named, &[]).expect("a host").with_look_up(look_up.clone());
    let client = out.client(Duration::from_secs(2)).expect("a client");
    assert!(client.get(named.clone()).send().await.expect_err("refused").is_connect());
    assert_eq!(came.load(Ordering::SeqCst), 0);
    let out =
        Egress::to(&named, &["127.0.0.0/8".parse().expect("a range")]).expect("a host").with_look_up(look_up);
    let client = out.client(Duration::from_secs(2)).expect("a client");
    assert_eq!(client.get(named).send().await.expect("answered").status(), 302);
    assert_eq!(came.load(Ordering::SeqCst), 1, "a redirect was not followed");
}

#[test]
fn metadata_services_are_refused_even_when_written_out() {
    for text in [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://168.63.129.16/machine",
        "http://100.100.100.200/latest",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://169.254.43518/",
    ] {
        let there = url(text);
        let out = Egress::to(&there, &[]).expect("a host");
        assert!(out.permit(&there).is_err(), "{text}");
    }
}
