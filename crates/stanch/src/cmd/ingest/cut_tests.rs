use std::io::Read;

use super::super::feed::Steady;
use super::*;

fn cut(text: &[u8], framing: Framing, chunk: usize, largest: usize) -> Vec<Piece> {
    let mut cutter = Cutter::new(text, framing, chunk, largest).expect("a beginning");
    let mut out = Vec::new();
    while let Some(piece) = cutter.next().expect("readable") {
        out.push(piece);
    }
    out
}

fn bodies(text: &str, chunk: usize, largest: usize) -> Vec<String> {
    let pieces = cut(text.as_bytes(), Framing::Auto, chunk, largest).into_iter();
    pieces
        .map(|p| match p {
            Piece::Body(b) => String::from_utf8(b).expect("text"),
            Piece::TooLarge { at, bytes } => format!("too large: {bytes} at {at}"),
        })
        .collect()
}

#[test]
fn lines_are_cut_at_their_ends_and_nothing_is_lost() {
    let text: String = (0..50).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let cut = bodies(&text, 64, 1000);
    assert!(cut.len() > 5 && cut.iter().all(|b| b.len() <= 64 && b.ends_with('\n')), "{cut:?}");
    assert_eq!(cut.concat(), text);
    assert_eq!(bodies("{\"a\":1}", 64, 1000), ["{\"a\":1}"]);
    assert_eq!(bodies("", 64, 1000), Vec::<String>::new());
    assert_eq!(bodies("\u{feff}{\"a\":1}\n", 64, 1000), ["{\"a\":1}\n"]);
}

#[test]
fn a_line_larger_than_a_body_is_read_over_and_named() {
    let text = format!("{{\"n\":1}}\n{}\n{{\"n\":2}}\n", "x".repeat(500));
    assert_eq!(bodies(&text, 50, 100), ["too large: 501 at 8", "{\"n\":1}\n{\"n\":2}\n"]);
}

#[test]
fn one_document_over_several_lines_stays_whole() {
    let text = "{\n  \"alerts\": [ {},\n {} ]\n}\n";
    assert_eq!(bodies(text, 8, 1000), [text]);
    let broken = "{\"a\": nonsense\n{\"b\":1}\n";
    assert_eq!(bodies(broken, 100, 1000), [broken]);
}

#[test]
fn a_small_array_stays_whole_and_a_large_one_is_cut_between_elements() {
    let text = " [ {\"a\":\"],[\\\"\"} , [1,[2]],{\"b\":{\"c\":[]}}, 7 ]\n";
    assert_eq!(bodies(text, 10, 1000), [text]);
    assert_eq!(bodies(text, 16, 40), ["[{\"a\":\"],[\\\"\"}]", "[[1,[2]]]", "[{\"b\":{\"c\":[]}}]", "[7]"]);
    let two = "[{\"a\":1},{\"a\":2}]\n[{\"a\":3}]\nlast";
    assert_eq!(bodies(two, 10, 20), ["[{\"a\":1}]", "[{\"a\":2}]", "[{\"a\":3}]", "last"]);
    assert_eq!(bodies("[{\"a\":1},{\"cut off", 10, 12), ["[{\"a\":1}]", "[{\"cut off]"]);
}

#[test]
fn each_body_of_a_zeek_log_begins_with_the_header_of_its_log() {
    let log = |path: &str| {
        let rows: String = (0..6).map(|n| format!("{n}\tabcdefgh\n")).collect();
        format!("#separator \\x09\n#path\t{path}\n#fields\ta\tb\n{rows}#close\tx\n")
    };
    let text = log("conn") + &log("notice");
    let cut = bodies(&text, 80, 1000);
    assert!(cut.len() >= 4, "{cut:?}");
    for body in &cut {
        assert!(body.starts_with("#separator \\x09\n#path\t"), "{body}");
        assert_eq!(body.matches("#separator").count(), 1, "{body}");
    }
    let rows = |s: &str| s.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&cut.concat()), rows(&text));
    assert!(cut.iter().any(|b| b.contains("notice") && !b.contains("conn")));
}

#[test]
fn what_was_whole_before_an_error_is_sent_first() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 {
                return Err(io::Error::other("cut off"));
            }
            to[..8].copy_from_slice(b"{\"n\":1}\n");
            Ok(8)
        }
    }
    let mut cutter =
        Cutter::new(Steady(io::BufReader::new(Broken(0))), Framing::Lines, 100, 1000).expect("a beginning");
    assert_eq!(cutter.next().expect("first"), Some(Piece::Body(b"{\"n\":1}\n".to_vec())));
    assert!(cutter.next().is_err());
}
