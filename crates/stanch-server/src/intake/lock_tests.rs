use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn lock(keys: &[&str], stamped: bool) -> Lock {
    Lock::Hmac(HmacLock {
        keys: keys.iter().map(|k| Secret::new(*k)).collect(),
        header: HeaderName::from_static("x-signature"),
        timestamp_header: stamped.then(|| HeaderName::from_static("x-timestamp")),
    })
}

fn sign(key: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(k, v)| (HeaderName::from_static(k), v.parse().unwrap())).collect()
}

#[test]
fn a_signature_is_accepted_in_every_usual_spelling_and_under_either_secret() {
    let body = Bytes::from_static(b"{}");
    let both = lock(&["old-secret", "new-secret"], false);
    for key in ["old-secret", "new-secret"] {
        let s = sign(key, b"{}");
        for spelled in
            [s.clone(), format!("sha256={s}"), format!("v1={s}"), format!("v1=00, v1={s}"), s.to_uppercase()]
        {
            let ok = both.verify(None, &headers(&[("x-signature", &spelled)]), body.clone(), NOW);
            assert!(ok.is_ok(), "{spelled}");
        }
    }
    let wrong = sign("other-secret", b"{}");
    assert!(both.verify(None, &headers(&[("x-signature", &wrong)]), body, NOW).is_err());
}

#[test]
fn every_changed_byte_of_body_time_or_signature_is_refused() {
    let lock = lock(&["the-secret"], true);
    let (body, stamp) = (b"{\"a\":1}", "1700000000");
    let good = sign("the-secret", b"1700000000.{\"a\":1}");
    let check = |signature: &str, stamp: &str, body: &[u8]| {
        let h = headers(&[("x-signature", signature), ("x-timestamp", stamp)]);
        lock.verify(None, &h, Bytes::copy_from_slice(body), NOW).is_ok()
    };
    assert!(check(&good, stamp, body));
    for i in 0..body.len() {
        let mut other = body.to_vec();
        other[i] ^= 1;
        assert!(!check(&good, stamp, &other), "byte {i} of the body");
    }
    for i in 0..good.len() {
        let mut other = good.clone().into_bytes();
        other[i] = if other[i] == b'0' { b'1' } else { b'0' };
        assert!(!check(&String::from_utf8(other).unwrap(), stamp, body), "digit {i} of the signature");
    }
    assert!(!check(&good, "1700000001", body));
    assert!(!check("", stamp, body));
    assert!(!check("sha256=", stamp, body));
}

#[test]
fn a_clock_that_is_off_by_more_than_five_minutes_is_refused() {
    let lock = lock(&["the-secret"], true);
    for (off, accepted) in
        [(0, true), (299, true), (-299, true), (301, false), (-301, false), (i64::MAX / 2, false)]
    {
        let stamp = 1_700_000_000_i64.saturating_add(off).to_string();
        let signed = sign("the-secret", format!("{stamp}.x").as_bytes());
        let h = headers(&[("x-signature", &signed), ("x-timestamp", &stamp)]);
        assert_eq!(lock.verify(None, &h, Bytes::from_static(b"x"), NOW).is_ok(), accepted, "{off}");
    }
    let signed = sign("the-secret", b"x");
    assert!(lock.verify(None, &headers(&[("x-signature", &signed)]), Bytes::from_static(b"x"), NOW).is_err());
}

#[test]
fn a_source_without_a_secret_opens_to_nobody() {
    let h = headers(&[("authorization", "Bearer "), ("x-signature", "")]);
    assert!(Lock::Shut.verify(None, &h, Bytes::new(), NOW).is_err());
    assert!(Lock::Shut.before_body(&h, None).is_err());
    let empty = Lock::Bearer(TokenDigest::of(""));
    assert!(empty.verify(None, &h, Bytes::new(), NOW).is_err(), "an empty token is never a token");
}

#[test]
fn two_authorization_headers_name_nobody() {
    let mut h = headers(&[("authorization", "Bearer one")]);
    assert_eq!(bearer(&h), Some("one"));
    h.append(header::AUTHORIZATION, "Bearer two".parse().unwrap());
    assert_eq!(bearer(&h), None);
}
