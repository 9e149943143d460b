//! Shares of a whole: percentages and bars that add up exactly.

use super::{Paint, Style};

/// One part of a bar.
pub(crate) struct Slice {
    /// How large, in any unit.
    pub(crate) size: i64,
    /// How it is drawn, readable without colours.
    pub(crate) glyph: char,
    /// Its colour.
    pub(crate) style: Style,
}

/// Splits `cells` among `sizes` in proportion: the sum is exact, the largest remainders round up,
/// the first of equals first. Negative sizes count as zero.
#[must_use]
fn shares(sizes: &[i64], cells: usize) -> Vec<usize> {
    let sizes: Vec<u128> = sizes.iter().map(|s| u128::try_from(*s).unwrap_or(0)).collect();
    let total: u128 = sizes.iter().sum();
    if total == 0 {
        return vec![0; sizes.len()];
    }
    let exact = |s: u128| s * cells as u128;
    let mut out: Vec<usize> = sizes.iter().map(|s| usize::try_from(exact(*s) / total).unwrap_or(0)).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(exact(sizes[*i]) % total), *i));
    let missing = cells.saturating_sub(out.iter().sum());
    for i in order.into_iter().take(missing) {
        out[i] += 1;
    }
    out
}

/// Whole percentages that sum to 100, or zeros when nothing is there.
#[must_use]
pub(crate) fn percents(sizes: &[i64]) -> Vec<usize> {
    shares(sizes, 100)
}

/// A bar of exactly `width` columns, empty when nothing is there.
#[must_use]
pub(crate) fn stacked(slices: &[Slice], width: usize, paint: Paint) -> String {
    let sizes: Vec<i64> = slices.iter().map(|s| s.size).collect();
    let drawn = slices.iter().zip(shares(&sizes, width));
    drawn.map(|(s, n)| paint.on(s.style, &s.glyph.to_string().repeat(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_the_whole_whatever_the_parts() {
        for sizes in [vec![1, 1, 1], vec![0, 7], vec![999, 1, 0, 5], vec![i64::MAX, i64::MAX], vec![-3, 2]] {
            assert_eq!(percents(&sizes).iter().sum::<usize>(), 100, "{sizes:?}");
            assert_eq!(shares(&sizes, 61).iter().sum::<usize>(), 61, "{sizes:?}");
        }
        assert_eq!(percents(&[0, 0]), [0, 0]);
        assert_eq!(percents(&[1, 1, 1]), [34, 33, 33]);
    }

    #[test]
    fn a_bar_has_its_width() {
        let slice = |size, glyph| Slice { size, glyph, style: Style::Plain };
        let bar = stacked(&[slice(3, '█'), slice(1, '░')], 8, Paint(false));
        assert_eq!(bar, "██████░░");
    }
}
