use ipnet::IpNet;
use proptest::prelude::*;
use stanch_model::{Span, Timestamp};

use super::*;

/// What the reader says about a text, and what `read` makes of its root.
fn check<T>(text: &str, read: impl FnOnce(Fields<'_>, &mut Vec<Mistake>) -> T) -> (Option<T>, String) {
    let mut mistakes = Vec::new();
    let root = parse("f.yaml", text, &mut mistakes);
    let fields = root.as_ref().and_then(|r| r.map(&mut mistakes));
    let value = fields.map(|f| read(f, &mut mistakes));
    let words: Vec<String> = mistakes.iter().map(Mistake::render).collect();
    (value, words.join("\n"))
}

/// What the reader says about one value under the key `a`.
fn one<T>(value: &str, read: impl FnOnce(&Node, &mut Vec<Mistake>) -> Option<T>) -> Result<T, String> {
    let (read, words) = check(&format!("a: {value}\n"), |f, m| f.required("a", m).and_then(|n| read(n, m)));
    read.flatten().ok_or(words)
}

fn refused<T: std::fmt::Debug>(
    value: &str,
    read: impl FnOnce(&Node, &mut Vec<Mistake>) -> Option<T>,
) -> String {
    one(value, read).expect_err(value)
}

#[test]
fn texts_stay_as_they_were_written() {
    for text in ["no", "1.10", "0123", "1e3", "0x1f", "2026-03-03", "a b", "yes"] {
        assert_eq!(one(text, Node::string).as_deref(), Ok(text));
    }
    assert_eq!(one("'quoted # text'", Node::string).as_deref(), Ok("quoted # text"));
    assert_eq!(one("|\n  two\n  lines", Node::string).as_deref(), Ok("two\nlines\n"));
}

#[test]
fn a_text_may_not_be_blank() {
    let words = "f.yaml:1:1: `a` is empty; it must be a text\n  mend: write a value, or take the key out";
    assert_eq!(refused("", Node::string), words);
    assert_eq!(refused("null", Node::string), words);
    assert!(refused("\"  \"", Node::string).starts_with("f.yaml:1:4: `a` is empty"));
    assert_eq!(
        refused("[x]", Node::string),
        "f.yaml:1:4: `a` is a list; it must be a text\n  mend: write a single value; put it in quotes if it begins with `[`"
    );
}

#[test]
fn only_true_and_false_are_yes_and_no() {
    assert_eq!(one("true", Node::boolean), Ok(true));
    assert_eq!(one("false", Node::boolean), Ok(false));
    assert_eq!(
        refused("yes", Node::boolean),
        "f.yaml:1:4: `a`: \"yes\" is not true or false\n  mend: write true"
    );
    assert_eq!(
        refused("Off", Node::boolean),
        "f.yaml:1:4: `a`: \"Off\" is not true or false\n  mend: write false"
    );
    assert!(refused("True", Node::boolean).ends_with("mend: write true"));
    assert!(refused("maybe", Node::boolean).ends_with("mend: write true or false"));
    assert_eq!(
        refused("\"true\"", Node::boolean),
        "f.yaml:1:4: `a` is a text; it must be true or false\n  mend: take the quotes away"
    );
}

#[test]
fn whole_numbers_have_a_range_and_no_leading_zeros() {
    let read = |n: &Node, m: &mut Vec<Mistake>| n.integer(-5..=1024, m);
    assert_eq!(one("1024", read), Ok(1024));
    assert_eq!(one("-5", read), Ok(-5));
    assert_eq!(one("0", read), Ok(0));
    assert_eq!(
        refused("0123", read),
        "f.yaml:1:4: `a`: \"0123\" is not a whole number from -5 to 1024\n  mend: take the leading zeros away"
    );
    for bad in ["1025", "1.0", "1e2", "0x10", "+5", "1_000", "99999999999999999999", "lots"] {
        let words = refused(bad, read);
        let start = format!("f.yaml:1:4: `a`: \"{bad}\" is not a whole number from -5 to 1024\n");
        assert!(words.starts_with(&start), "{words}");
    }
}

#[test]
fn fractions_are_decimal_and_within_a_range() {
    let read = |n: &Node, m: &mut Vec<Mistake>| n.float(0.0..=1.0, m);
    assert_eq!(one("0.35", read), Ok(0.35));
    assert_eq!(one("1", read), Ok(1.0));
    for bad in ["1.1", "-0.1", ".nan", ".inf", "inf", "NaN", "1e-1", "0,5"] {
        assert!(refused(bad, read).contains("is not a number from 0 to 1"), "{bad}");
    }
}

#[test]
fn durations_and_sizes_need_a_unit() {
    assert_eq!(one("30s", Node::span), Ok(Span::secs(30)));
    for bad in ["10", "10 sec", "1.5h", "5min", "0s", "-5m"] {
        assert!(refused(bad, Node::span).contains("is not a duration"), "{bad}");
    }
    let within = |n: &Node, m: &mut Vec<Mistake>| n.span_within(Span::mins(1)..=Span::hours(1), m);
    assert_eq!(
        refused("2h", within),
        "f.yaml:1:4: `a`: \"2h\" is not a duration from 1m to 1h\n  mend: choose one within the range"
    );
    let size = |n: &Node, m: &mut Vec<Mistake>| n.size(1024..=(1 << 30), m);
    assert_eq!(one("8MiB", size), Ok(8 << 20));
    assert_eq!(one("1024B", size), Ok(1024));
    assert_eq!(
        refused("2GiB", size),
        "f.yaml:1:4: `a`: \"2GiB\" is not a size from 1KiB to 1GiB\n  mend: choose one within the range"
    );
    for bad in ["8MB", "8", "8 MiB", "99999999999GiB"] {
        assert!(refused(bad, size).contains("is not a size"), "{bad}");
    }
}

#[test]
fn times_carry_their_zone() {
    let at = |text| one(text, Node::timestamp);
    assert_eq!(at("2026-03-03T22:10:00Z"), Ok(Timestamp(1_772_575_800_000)));
    assert_eq!(at("2026-03-03T23:10:00+01:00"), Ok(Timestamp(1_772_575_800_000)));
    for bad in ["2026-03-03T22:10:00", "2026-03-03", "tomorrow"] {
        assert!(at(bad).expect_err(bad).contains("is not a point in time"), "{bad}");
    }
}

#[test]
fn prefixes_have_no_host_bits() {
    let net = |text| one(text, Node::net).map(|n: IpNet| n.to_string());
    assert_eq!(net("192.0.2.0/24"), Ok("192.0.2.0/24".to_owned()));
    assert_eq!(net("2001:db8::/32"), Ok("2001:db8::/32".to_owned()));
    assert_eq!(net("192.0.2.7"), Ok("192.0.2.7/32".to_owned()));
    assert_eq!(
        net("192.0.2.7/24"),
        Err("f.yaml:1:4: `a`: \"192.0.2.7/24\" is not a prefix: bits are set beyond its length\n  \
             mend: write 192.0.2.0/24, or the single address 192.0.2.7"
            .to_owned())
    );
    for bad in ["192.0.2.0/33", "192.0.2", "example.com", "192.0.2.1-9"] {
        assert!(net(bad).expect_err(bad).contains("is not an address or a prefix"), "{bad}");
    }
    assert!(one("192.0.2.0/24", Node::ip).expect_err("a prefix").contains("is not an address"));
}

#[test]
fn unknown_keys_are_shown_at_the_key_with_the_nearest_known_one() {
    let (_, words) = check("approvals: 1\n\"zzz\": 2\n", |f, m| f.finish(&["approve", "approval"], m));
    assert_eq!(
        words,
        "f.yaml:1:1: unknown key `approvals`\n  mend: did you mean `approval`? known here: approve, approval\n\
         f.yaml:2:1: unknown key `zzz`\n  mend: take it out; known here: approve, approval"
    );
}

#[test]
fn a_list_gives_all_mistakes_of_its_items() {
    let read = |f: Fields<'_>, m: &mut Vec<Mistake>| f.required("a", m)?.list(m, Node::span);
    let (value, words) = check("a: [1s, x, 2s, y]", read);
    assert_eq!(value.flatten(), Some(vec![Span::secs(1), Span::secs(2)]));
    assert!(
        words.starts_with("f.yaml:1:9: `a`: \"x\"") && words.contains("f.yaml:1:16: `a`: \"y\""),
        "{words}"
    );
    assert_eq!(check("a:", read).0.flatten(), Some(vec![]));
    assert!(check("a: x", read).1.starts_with("f.yaml:1:4: `a` must be a list"));
    assert!(check("b: x", read).1.starts_with("f.yaml:1:1: `a` is missing\n  mend: add `a: …`"));
}

#[test]
fn an_empty_file_is_an_empty_map() {
    for text in ["", "# nothing\n", "---\n", "~\n", "\u{feff}"] {
        assert_eq!(check(text, |f, _| f.entries().len()), (Some(0), String::new()), "{text:?}");
    }
    assert!(check("- a", |_, _| ()).1.starts_with("f.yaml:1:1: the file must be a map"));
}

#[test]
fn twice_the_same_key_is_a_mistake_and_reading_goes_on() {
    let (value, words) = check("a: 1\nb: 2\na: 3\nc:\n  b: 1\n  b: 2\n", |f, _| f.entries().len());
    assert_eq!(value, Some(3));
    assert_eq!(
        words,
        "f.yaml:3:1: `a` stands here twice\n  mend: keep one of them; the first is in line 1\n\
         f.yaml:6:3: `b` stands here twice\n  mend: keep one of them; the first is in line 5"
    );
}

#[test]
fn anchors_aliases_tags_and_second_documents_are_refused() {
    let said = |text| check(text, |_, _| ()).1;
    let words = said("a: &x 1\nb: *x\nc: !!str 3\nd: !mine x\n");
    let firsts: Vec<&str> = words.lines().filter(|l| l.starts_with("f.yaml")).collect();
    assert_eq!(
        firsts,
        [
            "f.yaml:1:4: anchors (`&name`) are not used here",
            "f.yaml:2:4: aliases (`*name`) are not used here",
            "f.yaml:3:4: tags (`!name`) are not used here",
            "f.yaml:4:4: tags (`!name`) are not used here",
        ]
    );
    assert!(said("a: *x").contains("aliases (`*name`) are not used here"));
    assert!(said("a: 1\n---\nb: 2\n").contains("a second document begins here"));
}

#[test]
fn an_alias_bomb_is_refused_without_being_unfolded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..40 {
        let before = format!("*a{}", i - 1);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![before; 9].join(", ")));
    }
    let (_, words) = check(&bomb, |_, _| ());
    assert!(words.contains("aliases (`*name`) are not used here"));
}

#[test]
fn size_depth_and_count_are_limited() {
    let said = |text: &str| check(text, |_, _| ()).1;
    assert!(said(&"# x\n".repeat(300_000)).starts_with("f.yaml: the file has 1200000 bytes"));
    let deep = "f.yaml:1:65: lists and maps are nested more than 32 deep";
    assert!(said(&"- ".repeat(200_000)).starts_with(deep));
    for open in ["[", "{a: ", "{? "] {
        let words = said(&open.repeat(200_000));
        assert!(words.contains("nothing in this configuration needs such depth"), "{words}");
    }
    assert!(said(&"- 1\n".repeat(100_002)).contains("more than 100000 values"));
    let keys: String = (0..40_000).map(|n| format!("k{n}: \n")).collect();
    assert_eq!(check(&keys, |f, _| f.entries().len()), (Some(40_000), String::new()));
}

#[test]
fn what_is_no_yaml_is_shown_with_help_for_the_usual_causes() {
    let said = |text: &str| check(text, |_, _| ()).1;
    assert!(said("a:\n\tb: 1\n").ends_with("mend: YAML indents with spaces: replace the tab"));
    assert!(said("a: b: c\n").ends_with("mend: put a text that contains `: ` in quotes"));
    assert!(said("a: \"x\n").ends_with("mend: close the quotes"));
    assert!(
        said("a: { ip: ${{ x }} }\n").contains("put the whole expression in quotes"),
        "{}",
        said("a: { ip: ${{ x }} }\n")
    );
    assert_eq!(
        said("a: {{ x }}\n"),
        "f.yaml:1:5: a map cannot be a key\n  mend: braces begin a map in YAML; an expression is written \"${{ … }}\", in quotes"
    );
}

/// Asks every node for every type.
fn ask(node: &Node, m: &mut Vec<Mistake>) {
    node.string(m);
    node.name(m);
    node.boolean(m);
    node.integer(0..=10, m);
    node.float(0.0..=1.0, m);
    node.span(m);
    node.size(0..=10, m);
    node.timestamp(m);
    node.net(m);
    node.ip(m);
    node.choice("thing", &["one", "two"], m);
    node.list(m, |n, m| {
        ask(n, m);
        Some(())
    });
    if let Some(fields) = node.map(m) {
        fields.finish(&["a", "b"], m);
        fields.required("c", m);
        for (_, node) in fields.entries() {
            ask(node, m);
        }
    }
}

fn ask_all(text: &str) {
    let mut mistakes = Vec::new();
    let node = parse("f.yaml", text, &mut mistakes);
    assert!(node.is_some() || !mistakes.is_empty(), "nothing said about {text:?}");
    if let Some(node) = node {
        ask(&node, &mut mistakes);
    }
    for mistake in mistakes {
        // A lone carriage return is a line break in YAML.
        let lines = text.matches(['\n', '\r']).count() + 1;
        assert!(mistake.line <= lines + 1, "{} in {text:?}", mistake.render());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_and_never_panics(text in "\\PC{0,200}") {
        ask_all(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        ask_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_punctuation_is_read_or_refused_and_never_panics(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "a", "b: ", "- ", "? ", ": ", "{", "}", "[", "]", ",", "&x ", "*x", "!t ", "!!str ", "|", ">", "|2-\n",
                "'", "\"", "#", " ", "  ", "\n", "\r\n", "\t", "---\n", "...\n", "%YAML 1.2\n", "<<: ", "~", "${{", "\\x", "é", "\u{85}", "\u{2028}", "\0",
            ]),
            0..40,
        )
    ) {
        ask_all(&parts.concat());
    }
}
