//! Least squares of figures that are not negative.

/// A sum of unknown figures, each so often, that was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How often each figure is in the sum.
    pub often: Vec<f64>,
    /// The sum.
    pub sum: f64,
    /// What a square of its error weighs.
    pub weight: f64,
}

/// Figures from 0 up that make the weighted squares of the errors least. What no sum asks for stays as it is in `before`.
///
/// One figure after the other is set to its best, until none moves: the squares are convex, and the order is given, so that
/// the same sums give the same figures.
pub fn least_squares(measured: &[Measured], before: &[f64]) -> Vec<f64> {
    let (figures, mut found) = (before.len(), before.to_vec());
    let mut products = vec![vec![0.0; figures]; figures];
    let mut targets = vec![0.0; figures];
    for one in measured {
        for ((row, target), own) in products.iter_mut().zip(&mut targets).zip(&one.often) {
            *target += one.weight * own * one.sum;
            for (product, other) in row.iter_mut().zip(&one.often) {
                *product += one.weight * own * other;
            }
        }
    }
    for _ in 0..100_000 {
        let mut moved = 0.0_f64;
        for i in (0..figures).filter(|&i| products[i][i] > 0.0) {
            let others: f64 = (0..figures).filter(|&j| j != i).map(|j| products[i][j] * found[j]).sum();
            let best = ((targets[i] - others) / products[i][i]).max(0.0);
            moved = moved.max((best - found[i]).abs());
            found[i] = best;
        }
        if moved < 1e-9 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(often: [f64; 3], sum: f64) -> Measured {
        Measured { often: often.to_vec(), sum, weight: 1.0 }
    }

    #[test]
    fn figures_of_exact_sums_are_found_and_others_stay() {
        let sums = [measured([1.0, 2.0, 0.0], 8.0), measured([3.0, 1.0, 0.0], 9.0)];
        let found = least_squares(&sums, &[1.0, 1.0, 7.0]);
        let wanted = [2.0, 3.0, 7.0];
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn a_figure_that_would_be_negative_is_none() {
        // Without the bound: -1 and 2.
        let sums = [measured([1.0, 1.0, 0.0], 1.0), measured([1.0, 2.0, 0.0], 3.0)];
        let found = least_squares(&sums, &[0.0; 3]);
        // Of the second alone: (1 + 6) / 5.
        assert!(found[0] == 0.0 && (found[1] - 1.4).abs() < 1e-9, "{found:?}");
    }
}
