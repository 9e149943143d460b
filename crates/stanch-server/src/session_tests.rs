use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn sessions() -> Sessions {
    Sessions::new(Place::new("127.0.0.1:7878".parse().unwrap(), false, vec!["stanch.example.com".into()]))
}

fn ours() -> HeaderMap {
    headers(&[(OURS, "1"), ("origin", "http://127.0.0.1:7878"), ("host", "127.0.0.1:7878")])
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    all.iter()
        .map(|(n, v)| (n.parse::<axum::http::HeaderName>().unwrap(), HeaderValue::from_str(v).unwrap()))
        .collect()
}

fn token(text: &str) -> Credential {
    Credential::Configured(TokenDigest::of(text))
}

/// The same request with the cookie that was set.
fn with_cookie(mut all: HeaderMap, set: &HeaderValue) -> HeaderMap {
    let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
    all.insert(header::COOKIE, pair.parse().unwrap());
    all
}

#[test]
fn a_session_is_worth_its_token_until_it_is_over() {
    let s = sessions();
    let token = token("a-token");
    let set = s.open(token.clone(), "maria", &ours(), NOW).unwrap();
    let text = set.to_str().unwrap();
    assert!(
        text.contains("HttpOnly") && text.contains("SameSite=Strict") && text.starts_with("stanch-7878=")
    );
    let asked = with_cookie(ours(), &set);
    assert!(s.of(&Method::GET, &asked, NOW).unwrap().1 == token);
    assert!(s.of(&Method::GET, &asked, NOW.plus(Span::mins(31))).is_err(), "idle");
    let set = s.open(token, "maria", &ours(), NOW).unwrap();
    let asked = with_cookie(ours(), &set);
    for minutes in (20..=700).step_by(20) {
        assert!(s.of(&Method::GET, &asked, NOW.plus(Span::mins(minutes))).is_ok(), "{minutes}");
    }
    assert!(s.of(&Method::GET, &asked, NOW.plus(Span::mins(720))).is_err(), "a shift is over");
}

#[test]
fn signing_out_ends_it_on_our_side() {
    let s = sessions();
    let set = s.open(token("a-token"), "maria", &ours(), NOW).unwrap();
    let asked = with_cookie(ours(), &set);
    assert!(s.end(&asked).to_str().unwrap().contains("Max-Age=0"));
    assert!(s.of(&Method::GET, &asked, NOW).is_err());
}

#[test]
fn a_change_by_cookie_needs_our_origin_and_our_header() {
    let s = sessions();
    let set = s.open(token("a-token"), "maria", &ours(), NOW).unwrap();
    let good = with_cookie(ours(), &set);
    assert!(s.of(&Method::POST, &good, NOW).is_ok());
    for (name, value) in [
        ("origin", Some("http://evil.example")),
        ("origin", Some("null")),
        ("origin", Some("http://127.0.0.1:9999")),
        ("origin", None),
        (OURS, None),
        ("sec-fetch-site", Some("cross-site")),
        ("sec-fetch-site", Some("same-site")),
    ] {
        let mut asked = good.clone();
        asked.remove(name);
        if let Some(value) = value {
            asked.insert(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        assert!(s.of(&Method::POST, &asked, NOW).is_err(), "{name} {value:?}");
    }
    let proxied = with_cookie(
        headers(&[(OURS, "1"), ("origin", "https://stanch.example.com"), ("host", "127.0.0.1:7878")]),
        &set,
    );
    assert!(s.of(&Method::POST, &proxied, NOW).is_ok(), "a proxy that was named");
}

#[test]
fn on_loopback_only_our_own_names_mean_us() {
    let place = sessions();
    let place = place.place();
    for host in
        ["127.0.0.1:7878", "localhost", "LOCALHOST:1", "[::1]:7878", "stanch.example.com", "a.localhost"]
    {
        assert!(place.is_ours(host), "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:7878", "localhost.evil.example", "10.0.0.1", ""] {
        assert!(!place.is_ours(host), "{host}");
    }
}

#[test]
fn signing_in_again_makes_a_new_session_and_ends_the_one_the_browser_had() {
    let s = sessions();
    let first = with_cookie(ours(), &s.open(token("a"), "maria", &ours(), NOW).unwrap());
    let second = with_cookie(ours(), &s.open(token("b"), "jon", &first, NOW).unwrap());
    assert!(s.of(&Method::GET, &first, NOW).is_err());
    assert!(s.of(&Method::GET, &second, NOW).is_ok());
}

#[test]
fn signing_out_everywhere_ends_all_sessions_of_one_person_but_the_one_in_hand() {
    let s = sessions();
    let open = |person: &str| with_cookie(ours(), &s.open(token("a"), person, &ours(), NOW).unwrap());
    let (one, two, other) = (open("maria"), open("maria"), open("jon"));
    let own = s.of(&Method::GET, &one, NOW).unwrap().0;
    assert_eq!(s.end_all("maria", Some(own)), 1);
    assert!(s.of(&Method::GET, &one, NOW).is_ok() && s.of(&Method::GET, &two, NOW).is_err());
    assert_eq!((s.end_all("maria", None), s.count("maria", NOW), s.count("jon", NOW)), (1, 0, 1));
    assert!(s.of(&Method::GET, &other, NOW).is_ok());
}

#[test]
fn one_person_opens_only_so_many_sessions() {
    let s = sessions();
    let first = with_cookie(ours(), &s.open(token("a"), "maria", &ours(), NOW).unwrap());
    for n in 1..=MOST_OF_ONE {
        s.open(token("a"), "maria", &ours(), NOW.plus(Span::secs(n as i64))).unwrap();
    }
    assert!(s.of(&Method::GET, &first, NOW).is_err(), "the oldest made room");
}

#[test]
fn where_others_can_reach_us_a_name_that_was_given_is_the_only_one() {
    let place = |hosts: &[&str]| {
        Place::new("0.0.0.0:443".parse().unwrap(), true, hosts.iter().map(|h| (*h).to_owned()).collect())
    };
    let named = place(&["stanch.example.com"]);
    for host in
        ["stanch.example.com", "stanch.example.com:443", "10.0.0.7:443", "[2001:db8::1]", "localhost:443"]
    {
        assert!(named.is_ours(host), "{host}");
    }
    for host in ["evil.example", "evil.example:443", "stanch.example.com.evil.example", ""] {
        assert!(!named.is_ours(host), "{host}");
    }
    assert!(place(&[]).is_ours("whatever.example.com"), "nobody has said what we are called");
}
