//! How wrong a choice may be at most, given how often it was wrong so far.

/// The upper bound of an error rate after `errors` in `n` tries, at a one-sided confidence (0 to 1): the
/// largest rate under which so few errors would still be seen with probability `1 - confidence`. 1 when
/// nothing was tried. Source: Clopper and Pearson, Biometrika 1934.
#[must_use]
pub fn upper(errors: u64, n: u64, confidence: f64) -> f64 {
    if n == 0 || errors >= n {
        return 1.0;
    }
    let (mut low, mut high) = (errors as f64 / n as f64, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if chance(errors, n, middle) > 1.0 - confidence { low = middle } else { high = middle }
    }
    high
}

/// The lower bound, likewise. 0 when nothing was tried.
#[must_use]
pub fn lower(hits: u64, n: u64, confidence: f64) -> f64 {
    if n == 0 { 0.0 } else { 1.0 - upper(n - hits.min(n), n, confidence) }
}

/// Probability (0 to 1) of at most `k` errors in `n` tries at rate `p`, summed in logarithms from the first. 1
/// when nothing was tried.
#[must_use]
pub fn chance(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let (mut term, mut sum) = (n as f64 * (1.0 - p).ln(), 0.0);
    for i in 0..=k {
        sum += f64::exp(term);
        term += ((n - i) as f64 / (i + 1) as f64).ln() + (p / (1.0 - p)).ln();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables() {
        // Without an error the bound is 1 - 0.05^(1/n), which the rule of three says in short.
        assert!((upper(0, 100, 0.95) - 0.029_513).abs() < 1e-5);
        // Source: R 4.4, qbeta(0.95, k + 1, n - k).
        assert!((upper(1, 10, 0.95) - 0.394_163).abs() < 1e-5, "{}", upper(1, 10, 0.95));
        assert!((upper(2, 50, 0.95) - 0.120_61).abs() < 1e-4, "{}", upper(2, 50, 0.95));
        assert_eq!((upper(0, 0, 0.95), upper(3, 3, 0.95), lower(0, 5, 0.95)), (1.0, 1.0, 0.0));
    }

    proptest! {
        /// It holds what it promises: at a rate above the bound so few errors are rarer than agreed.
        #[test]
        fn a_bound_lies_above_what_was_seen_and_falls_with_more_tries(k in 0_u64..20, n in 20_u64..3_000) {
            let bound = upper(k, n, 0.95);
            prop_assert!(bound > k as f64 / n as f64 && bound < 1.0 + 1e-12);
            prop_assert!(upper(k, n + 1, 0.95) < bound);
            prop_assert!(chance(k, n, bound + 1e-6) <= 0.05 + 1e-6);
            prop_assert!(lower(k, n, 0.95) <= k as f64 / n as f64);
        }
    }
}
