//! Some worlds at every test run; `cargo xtask sim --seeds 20000` plays many.
#![allow(missing_docs)]

#[test]
fn the_laws_hold_in_a_hundred_worlds_and_in_those_that_once_broke_one() {
    let kept = include_str!("../seeds/kept.txt");
    let kept = kept.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.trim().parse::<u64>().ok());
    let mut runs = 0;
    for seed in kept.chain(1_000..1_100) {
        let played = stanch_sim::play(seed).expect("the firm's files load");
        assert!(played.breaches.is_empty(), "seed {seed}: {:#?}", played.breaches);
        runs += played.counts[1];
    }
    assert!(runs > 200, "the worlds are too quiet to prove anything: {runs} runs");
}

#[test]
fn the_same_seed_gives_the_same_journal() {
    for seed in 1..6 {
        let (one, two) = (stanch_sim::play(seed), stanch_sim::play(seed));
        assert_eq!(one, two, "seed {seed}");
    }
    assert_ne!(stanch_sim::play(1).map(|o| o.head), stanch_sim::play(2).map(|o| o.head));
}
