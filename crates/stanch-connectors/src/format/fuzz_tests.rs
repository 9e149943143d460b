//! What must hold for every format and every body: no panic, ranges inside the body, every byte
//! accounted for, the same answer twice. Bodies are real samples, damaged at random from fixed seeds.

use stanch_model::Timestamp;
use stanch_model::port::{Delivery, Format};

use super::testing::parse;
use super::{FORMATS, generic};

const SAMPLES: &[&[u8]] = &[
    include_bytes!("../../fixtures/suricata/cptc-2017.eve.json"),
    include_bytes!("../../fixtures/suricata/suricata-samples.eve.json"),
    include_bytes!("../../fixtures/zeek/apt29-day1.json"),
    include_bytes!("../../fixtures/alertmanager/prometheus.json"),
    include_bytes!("../../fixtures/generic/libre_nms.json"),
    include_bytes!("../../fixtures/generic/thousandeyes.json"),
    b"#separator \\x09\n#path\tweird\n#fields\tts\tname\n#types\ttime\tstring\n1.5\tx\\x09\n2.5\ty\n",
    br#"{"version":"4","alerts":[{"labels":{"alertname":"a"}},{"labels":{"b":"c"},"endsAt":"2020-01-01T00:00:00Z"}]}"#,
    br#"[{"event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info"}}]"#,
    br#"{"rule":{"id":"1","level":3},"data":{"event_type":"alert","alert":{"signature_id":"7"},"src_ip":"192.0.2.1"}}"#,
];

/// Small numbers from a seed (xorshift): the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or(0)
    }
}

/// Cuts, flips, inserts, removes and repeats a few places.
fn damaged(sample: &[u8], dice: &mut Dice) -> Vec<u8> {
    const SPLINTERS: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b",",
        b"\n",
        b":",
        b"\xff",
        b"\0",
        b"null",
        b"1e999",
        b"-",
        b"\t",
        b"#",
        b"\\ud800",
        b"{}",
        b"[]",
        b"18446744073709551616",
        b"\xef\xbb\xbf",
        b"\\u0000",
        b"{\"a\":{\"a\":",
    ];
    let from = dice.roll(sample.len());
    let mut body = sample[from * dice.roll(2)..].to_vec();
    body.truncate(3_000 + dice.roll(1_000));
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(body.len());
        match dice.roll(5) {
            0 => body.truncate(at),
            1 if at < body.len() => body[at] = u8::try_from(dice.roll(256)).unwrap_or(0),
            2 => drop(body.drain(at..(at + dice.roll(40)).min(body.len()))),
            3 => {
                let again = body[at..(at + dice.roll(60)).min(body.len())].to_vec();
                drop(body.splice(at..at, again));
            }
            _ => drop(body.splice(at..at, SPLINTERS[dice.roll(SPLINTERS.len())].iter().copied())),
        }
    }
    body
}

fn mapping() -> generic::GenericFormat {
    let fields = [("title", "event.title"), ("rule_uid", "'r'"), ("src_ip", "event.ip")];
    let fields = fields.map(|(field, source)| (field.to_owned(), source.to_owned())).into();
    let mapping = generic::Mapping { fields, ..generic::Mapping::default() };
    generic::GenericFormat::compile("x", mapping).expect("a good mapping")
}

#[test]
fn damaged_bodies_never_panic_and_every_byte_is_accounted_for() {
    let generic = mapping();
    let mut dice = Dice(0x5eed_0001);
    for round in 0..300 {
        let body = damaged(SAMPLES[round % SAMPLES.len()], &mut dice);
        for format in FORMATS.iter().copied().chain([&generic as &dyn Format]) {
            let first = parse(format, &body);
            let again = format.parse(Delivery { body: &body, received: Timestamp(1_700_000_000_000) });
            assert_eq!(format!("{first:?}"), format!("{again:?}"), "round {round} of {}", format.name());
        }
    }
}

#[test]
fn every_prefix_of_a_sample_is_answered() {
    for sample in SAMPLES {
        let sample = &sample[..sample.len().min(700)];
        for end in 0..sample.len() {
            for format in FORMATS {
                parse(*format, &sample[..end]);
            }
        }
    }
}

#[test]
fn formats_are_found_by_their_names_and_no_other() {
    for format in FORMATS {
        assert_eq!(super::by_name(format.name()).map(Format::name), Some(format.name()));
    }
    assert!(super::by_name("generic").is_none(), "a mapping has to be compiled");
    assert!(super::by_name("").is_none());
}
