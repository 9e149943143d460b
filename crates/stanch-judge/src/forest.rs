//! A forest of extremely randomised trees over rows of numbers.
//!
//! The library is smartcore; why it and not another is in ADR 0011. A mean of many random trees needs
//! no tuning, keeps its word about probabilities with few examples, and the seed settles every tree.

use crate::chance::Chance;
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::linalg::basic::arrays::Array2;
use smartcore::linalg::basic::matrix::DenseMatrix;

/// How a forest is grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Trees.
    pub trees: usize,
    /// Fewest examples in a leaf.
    pub leaf: usize,
    /// Settles every random choice.
    pub seed: u64,
}

/// Share of the columns tried at each split.
const TRIED: f64 = 0.3;

/// A fitted forest.
#[derive(Debug)]
pub struct Forest {
    fitted: ExtraTreesRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>,
}

impl Forest {
    /// Fits; `None` when there is nothing to tell apart.
    #[must_use]
    pub fn fit(rows: &[Vec<f64>], real: &[bool], growth: Growth) -> Option<Forest> {
        let columns = rows.first()?.len();
        if real.iter().all(|r| *r) || !real.iter().any(|r| *r) {
            return None;
        }
        let y: Vec<f64> = real.iter().map(|r| f64::from(u8::from(*r))).collect();
        let parameters = ExtraTreesRegressorParameters::default()
            .with_n_trees(growth.trees)
            .with_min_samples_leaf(growth.leaf)
            .with_min_samples_split(2)
            .with_m(((columns as f64 * TRIED) as usize).max(1))
            // The library gives tree i the seed s + i; neighbouring seeds must not share trees.
            .with_seed(Chance::new(growth.seed).draw());
        let fitted = ExtraTreesRegressor::fit(&matrix(rows)?, &y, parameters).ok()?;
        Some(Forest { fitted })
    }

    /// Shares of trees' leaves that were real, 0 to 1, row by row.
    #[must_use]
    pub fn score(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let told = matrix(rows).and_then(|x| self.fitted.predict(&x).ok());
        told.unwrap_or_else(|| vec![0.0; rows.len()])
    }
}

fn matrix(rows: &[Vec<f64>]) -> Option<DenseMatrix<f64>> {
    let (n, columns) = (rows.len(), rows.first()?.len());
    let flat = rows.iter().flatten().copied();
    (columns > 0).then(|| DenseMatrix::from_iterator(flat, n, columns, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (Vec<Vec<f64>>, Vec<bool>) {
        let rows: Vec<Vec<f64>> = (0..80).map(|i| vec![f64::from(i % 10), f64::from(i % 7)]).collect();
        let real = rows.iter().map(|r| r[0] > 6.0).collect();
        (rows, real)
    }

    #[test]
    fn the_seed_settles_the_forest_and_the_forest_learns() {
        let (rows, real) = data();
        let growth = Growth { trees: 20, leaf: 1, seed: 5 };
        let one = Forest::fit(&rows, &real, growth).expect("two kinds").score(&rows);
        let two = Forest::fit(&rows, &real, growth).expect("two kinds").score(&rows);
        assert_eq!(one, two);
        assert!(one.iter().zip(&real).all(|(p, r)| (*p > 0.5) == *r));
    }

    #[test]
    fn nothing_to_tell_apart_grows_no_forest() {
        let (rows, _) = data();
        assert!(Forest::fit(&rows, &[true; 80], Growth { trees: 5, leaf: 1, seed: 0 }).is_none());
        assert!(Forest::fit(&[], &[], Growth { trees: 5, leaf: 1, seed: 0 }).is_none());
    }
}
