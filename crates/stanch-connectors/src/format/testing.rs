//! What the tests of the formats have in common.

use std::io::Read;
use std::path::Path;

use stanch_model::port::{Delivery, Format, Parsed, Record};
use stanch_model::{Alert, Timestamp};

/// Parses, and checks what must hold of every answer to every body.
pub(crate) fn parse(format: &dyn Format, body: &[u8]) -> Vec<Record> {
    let records = format.parse(Delivery { body, received: Timestamp(1_700_000_000_000) });
    let mut covered = vec![false; body.len()];
    for record in &records {
        assert!(record.raw.start < record.raw.end, "an empty range {:?}", record.raw);
        let bytes = covered.get_mut(record.raw.clone()).expect("a range inside the body");
        bytes.fill(true);
        if let Err(rejected) = &record.parsed {
            assert!(rejected.reason.len() > 20 && rejected.reason.len() < 2_000, "{}", rejected.reason);
        }
    }
    for (at, seen) in covered.iter().enumerate() {
        let punctuation = b" \t\r\n[],\xef\xbb\xbf".contains(&body[at]);
        assert!(*seen || punctuation, "byte {at} of {} is in no record", body.len());
    }
    records
}

/// The alerts of a body and their group keys; fails on rejected records.
pub(crate) fn alerts(format: &dyn Format, body: &[u8]) -> Vec<(Alert, String)> {
    let parsed = parse(format, body).into_iter().filter_map(|record| match record.parsed {
        Ok(Parsed::Alert { alert, group_key }) => Some((*alert, group_key)),
        Ok(Parsed::Flow(_) | Parsed::Context { .. }) => None,
        Err(rejected) => panic!("rejected: {}", rejected.reason),
    });
    parsed.collect()
}

/// The only alert of a body.
pub(crate) fn alert(format: &dyn Format, body: &str) -> (Alert, String) {
    let mut all = alerts(format, body.as_bytes());
    assert_eq!(all.len(), 1, "{body}");
    all.remove(0)
}

/// The reason of the only record of a body.
pub(crate) fn reason(format: &dyn Format, body: &str) -> String {
    let mut all = parse(format, body.as_bytes());
    assert_eq!(all.len(), 1, "{body}");
    all.remove(0).parsed.expect_err("a rejected record").reason
}

/// A file of the real data that is read in place because its licence does not let us copy it. Looked
/// for in `STANCH_SHARED_DATA`, else in a folder `shared/data` beside any folder above this crate;
/// `None`, and a line saying so, when it is nowhere.
pub(crate) fn shared_data(file: &str) -> Option<Vec<u8>> {
    let named = std::env::var_os("STANCH_SHARED_DATA").map(|folder| Path::new(&folder).join(file));
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|up| up.join("shared/data").join(file));
    let Some(bytes) = named.into_iter().chain(beside).find_map(|path| std::fs::read(path).ok()) else {
        eprintln!("skipped: no {file}; set STANCH_SHARED_DATA to the folder that holds it");
        return None;
    };
    Some(unpacked(&bytes))
}

/// Unpacks gzip; other bytes come back as they are.
pub(crate) fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut body) {
        Ok(_) => body,
        Err(_) => bytes.to_vec(),
    }
}
