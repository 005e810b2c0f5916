//! Elimination for matrices with few diagonals.

use crate::session::interrupt;

/// `P A = L U` of a matrix whose entries lie near the diagonal, by elimination with row pivots. Golub and Van Loan, *Matrix
/// Computations*, section 4.3.
pub(super) struct Band {
    n: usize,
    /// Diagonals below, and above after pivoting.
    low: usize,
    high: usize,
    /// Row after row, columns `i ..= i + high`.
    upper: Vec<f64>,
    /// Column after column, what was subtracted from the `low` rows below.
    lower: Vec<f64>,
    pivots: Vec<usize>,
}

/// Entries of a row: column and value.
pub(super) type Row = Vec<(usize, f64)>;

impl Band {
    /// Numbers that the factors of a matrix take, and operations to find them.
    pub fn cost(n: usize, low: usize, high: usize) -> (f64, f64) {
        let (n, low, high) = (n as f64, low as f64, high as f64);
        (n * (2.0 * low + high + 1.0), 2.0 * n * low * (low + high))
    }
    /// The factors; `None` when a number is not finite or an interrupt was asked for. A pivot that vanishes against the
    /// largest entry is replaced by that entry: what is solved then differs from the matrix in a direction that it maps to 0.
    pub fn of(rows: &[Row]) -> Option<Self> {
        let n = rows.len();
        let entries = || rows.iter().enumerate().flat_map(|(i, row)| row.iter().map(move |&(j, v)| (i, j, v)));
        let (mut low, mut above, mut largest) = (0, 0, 0.0f64);
        for (i, j, v) in entries() {
            if !v.is_finite() {
                return None;
            }
            (low, above, largest) =
                (low.max(i.saturating_sub(j)), above.max(j.saturating_sub(i)), largest.max(v.abs()));
        }
        let high = low + above;
        let width = low + high + 1;
        // Row i holds columns i − low ..= i + high.
        let mut a = vec![0.0; n * width];
        for (i, j, v) in entries() {
            a[i * width + j + low - i] += v;
        }
        let mut lower = vec![0.0; n * low];
        let mut pivots = Vec::with_capacity(n);
        let at = |i: usize, j: usize| i * width + j + low - i;
        for k in 0..n {
            if k % 64 == 0 && interrupt::pending().is_some() {
                return None;
            }
            let last = (k + low).min(n - 1);
            let end = (k + high).min(n - 1);
            let pivot = (k..=last).fold(k, |best, i| if a[at(i, k)].abs() > a[at(best, k)].abs() { i } else { best });
            pivots.push(pivot);
            if pivot != k {
                for j in k..=end {
                    a.swap(at(k, j), at(pivot, j));
                }
            }
            if a[at(k, k)].abs() <= 1e-14 * largest {
                a[at(k, k)] = largest.max(f64::MIN_POSITIVE);
            }
            let (done, rest) = a.split_at_mut((k + 1) * width);
            let own = &done[at(k, k)..=at(k, end)];
            for i in k + 1..=last {
                let base = at(i, k) - (k + 1) * width;
                let factor = rest[base] / own[0];
                lower[k * low + i - k - 1] = factor;
                if factor != 0.0 {
                    let row = &mut rest[base..base + own.len()];
                    row.iter_mut().zip(own).for_each(|(x, &u)| *x -= factor * u);
                }
            }
        }
        let mut upper = vec![0.0; n * (high + 1)];
        for i in 0..n {
            let from = i * width + low;
            upper[i * (high + 1)..(i + 1) * (high + 1)].copy_from_slice(&a[from..from + high + 1]);
        }
        Some(Self { n, low, high, upper, lower, pivots })
    }
    fn row(&self, i: usize) -> &[f64] {
        let len = (self.n - i).min(self.high + 1);
        &self.upper[i * (self.high + 1)..][..len]
    }
    fn below(&self, k: usize) -> &[f64] {
        &self.lower[k * self.low..][..self.low.min(self.n - 1 - k)]
    }
    /// `x = A⁻¹ x`.
    pub fn solve(&self, x: &mut [f64]) {
        for k in 0..self.n {
            x.swap(k, self.pivots[k]);
            let own = x[k];
            for (x, l) in x[k + 1..].iter_mut().zip(self.below(k)) {
                *x -= l * own;
            }
        }
        for i in (0..self.n).rev() {
            let row = self.row(i);
            let sum: f64 = row[1..].iter().zip(&x[i + 1..]).map(|(u, x)| u * x).sum();
            x[i] = (x[i] - sum) / row[0];
        }
    }
    /// `x = A⁻ᵀ x`.
    pub fn solve_transposed(&self, x: &mut [f64]) {
        for i in 0..self.n {
            let row = self.row(i);
            x[i] /= row[0];
            let own = x[i];
            for (x, u) in x[i + 1..].iter_mut().zip(&row[1..]) {
                *x -= u * own;
            }
        }
        for k in (0..self.n).rev() {
            let sum: f64 = self.below(k).iter().zip(&x[k + 1..]).map(|(l, x)| l * x).sum();
            x[k] -= sum;
            x.swap(k, self.pivots[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_solve_both_ways_with_pivots() {
        // A matrix that needs pivots: zeros on the diagonal, three diagonals below, two above.
        let n = 23;
        let rows: Vec<Row> = (0..n)
            .map(|i: usize| {
                let near = (i.saturating_sub(3)..(i + 3).min(n)).filter(|&j| j != i || !i.is_multiple_of(3));
                near.map(|j| (j, ((i * 7 + j * 13) % 11) as f64 - 4.5)).collect()
            })
            .collect();
        let band = Band::of(&rows).unwrap();
        let x: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
        let mut b: Vec<f64> = rows.iter().map(|r| r.iter().map(|&(j, v)| v * x[j]).sum()).collect();
        band.solve(&mut b);
        let mut c = vec![0.0; n];
        rows.iter().enumerate().for_each(|(i, r)| r.iter().for_each(|&(j, v)| c[j] += v * x[i]));
        band.solve_transposed(&mut c);
        for ((x, b), c) in x.iter().zip(&b).zip(&c) {
            assert!((x - b).abs() < 1e-9 && (x - c).abs() < 1e-9, "{x} {b} {c}");
        }
    }
}
