use proptest::prelude::*;

use super::*;

#[test]
fn show() {
    for t in ["a: no\nb:\n  c: [x, 'y']\n  d:\nlist:\n  - k: v\n    z: 1\n", "", "# x\n", "---\n", "~", "a: {{ x }}\n", "a: *x", "a: &x 1\nb: *x", "a: b: c", "a:\n\tb: 1", "a: 1\na: 2", "a: 1\n---\nb: 2", "a: !!str 3", "[1,2", "a: \"x", "- - - a"] {
        let mut m = Vec::new();
        let n = parse("f.yaml", t, &mut m);
        println!("=== {t:?}\n{n:#?}");
        for x in m { println!("{}", x.render()); }
    }
}
