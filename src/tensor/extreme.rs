//! The largest and the smallest of neighbouring elements.

use super::base::Real;
use super::share::share;
use super::simd::vectorised;

/// Comparisons side by side: each of one chain waits for the one before.
const LANES: usize = 32;
/// Elements that a thread takes at a time.
const PORTION: usize = 1 << 16;

/// The largest, or the smallest, of each `n` neighbours; NaN where one of them is.
pub(super) fn extremes<T: Real>(numbers: &[T], n: usize, largest: bool) -> Vec<T> {
    let n = n.max(1);
    let mut out = vec![T::default(); numbers.len() / n];
    let rows = (PORTION / n).max(1);
    let parts: Vec<(&[T], &mut [T])> = numbers.chunks(rows * n).zip(out.chunks_mut(rows)).collect();
    share(parts, || (), |(), (from, to)| of_rows(from, n, largest, to));
    out
}

vectorised! {
    fn of_rows<T: Real>(from: &[T], n: usize, largest: bool, to: &mut [T]) {
        for (to, row) in to.iter_mut().zip(from.chunks_exact(n)) {
            *to = if largest { best(row, |a, b| a > b) } else { best(row, |a, b| a < b) };
        }
    }
}

/// The element before which none comes; a NaN stays.
#[inline(always)]
fn best<T: Real>(row: &[T], before: impl Fn(T, T) -> bool) -> T {
    let better = |best: T, x: T| if before(x, best) || x.is_nan() { x } else { best };
    let first = row.first().copied().unwrap_or_default();
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [first; LANES];
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = better(*lane, *x);
        }
    }
    rest.iter().chain(&lanes).fold(first, |best, x| better(best, *x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::simd::at_each_level;

    #[test]
    fn extremes_are_those_of_sorted_rows() {
        let numbers: Vec<f32> = (0..6000).map(|i| ((i as f32) * 1.7).sin()).collect();
        at_each_level(|_| {
            for n in [1, 2, 31, 32, 33, 100, 6000] {
                let rows: Vec<Vec<f32>> = numbers.chunks_exact(n).map(<[f32]>::to_vec).collect();
                let whole = &numbers[..rows.len() * n];
                let (low, high) = (extremes(whole, n, false), extremes(whole, n, true));
                for ((mut row, low), high) in rows.into_iter().zip(low).zip(high) {
                    row.sort_by(f32::total_cmp);
                    assert_eq!((low, high), (row[0], row[n - 1]));
                }
            }
        });
    }

    #[test]
    fn nan_stays_wherever_it_is() {
        for at in [0, 1, 40, 99] {
            let mut numbers = vec![1.0f64; 100];
            numbers[at] = f64::NAN;
            assert!(extremes(&numbers, 100, true)[0].is_nan() && extremes(&numbers, 100, false)[0].is_nan());
        }
    }
}
