//! Order statistics of a few numbers: median, range, quantile. Not a histogram: a cell has at most some 100,000 values.
//!
//! Invariant: no result for no values; a quantile is always one of the values.

use serde::Serialize;

/// Median of a cell's rounds with the smallest and the largest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Smallest value.
    pub(crate) min: f64,
    /// Middle value; of an even number the mean of the two in the middle.
    pub(crate) median: f64,
    /// Largest value.
    pub(crate) max: f64,
}

impl Spread {
    /// `None` for no values, or when one is not a number.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        if sorted.iter().any(|value| value.is_nan()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { min, median: f64::midpoint(lower, upper), max })
    }
}

/// The value that `permille` thousandths of the sorted values do not exceed (nearest rank).
pub(crate) fn quantile(sorted: &[u64], permille: usize) -> Option<u64> {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_is_between_the_two_in_the_middle() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
        assert_eq!(Spread::of([3.0, 9.0, 1.0]).unwrap().median, 3.0);
    }

    #[test]
    fn nothing_comes_from_no_values_and_from_what_is_not_a_number() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
        assert_eq!(quantile(&[], 500), None);
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(quantile(&values, 500), Some(100));
        assert_eq!(quantile(&values, 990), Some(198));
        assert_eq!(quantile(&values, 1000), Some(200));
        assert_eq!(quantile(&[7], 1), Some(7));
    }
}
