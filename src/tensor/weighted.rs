//! `Σ w x` of arrays of one length in one pass.

use super::base::Real;
use super::vectorised;

/// Arrays that one loop reads.
const MOST: usize = 9;

#[allow(clippy::needless_range_loop)]
// of several arrays at once
// Plain loops: an iterator's closure of this size is not inlined, and would run at the portable width of vectors.
#[inline(always)]
fn of<T: Real, const K: usize>(out: &mut [T], sources: &[(&[T], T)], begun: bool) {
    let len = out.len();
    let (mut weights, mut arrays): ([T; K], [&[T]; K]) = ([T::default(); K], [&[]; K]);
    for k in 0..K {
        (arrays[k], weights[k]) = (&sources[k].0[..len], sources[k].1);
    }
    // SAFETY: every array was cut to the length that the index stays below.
    let at = |k: usize, i: usize| unsafe { *arrays[k].get_unchecked(i) };
    for (i, out) in out.iter_mut().enumerate() {
        // One after the other, however many there are at once.
        let first = weights[0] * at(0, i);
        let mut sum = if begun { *out + first } else { first };
        for k in 1..K {
            sum = sum + weights[k] * at(k, i);
        }
        *out = sum;
    }
}

vectorised! {
    /// `out = Σ w x`, or that added to what is there.
    pub(crate) fn weighted_sum<T: Real>(out: &mut [T], sources: &[(&[T], T)], begun: bool) {
        let (mut rest, mut begun) = (sources, begun);
        if rest.is_empty() && !begun {
            out.fill(T::default());
        }
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(MOST));
            match now.len() {
                1 => of::<T, 1>(out, now, begun),
                2 => of::<T, 2>(out, now, begun),
                3 => of::<T, 3>(out, now, begun),
                4 => of::<T, 4>(out, now, begun),
                5 => of::<T, 5>(out, now, begun),
                6 => of::<T, 6>(out, now, begun),
                7 => of::<T, 7>(out, now, begun),
                8 => of::<T, 8>(out, now, begun),
                _ => of::<T, 9>(out, now, begun),
            }
            (rest, begun) = (later, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::simd::at_each_level;

    #[test]
    fn sums_of_any_number_of_arrays_are_those_of_a_plain_loop() {
        let array = |k: usize| (0..37).map(|i| ((i * (k + 3)) as f64 * 0.7).sin()).collect::<Vec<f64>>();
        for count in 0..=21 {
            let arrays: Vec<_> = (0..count).map(array).collect();
            let weight = |k: usize| 1.0 / (k as f64 - 4.5);
            let sources: Vec<_> = arrays.iter().enumerate().map(|(k, x)| (&x[..], weight(k))).collect();
            for begun in [false, true] {
                at_each_level(|level| {
                    let mut out = vec![0.25; 31];
                    weighted_sum(&mut out, &sources, begun);
                    for (i, found) in out.iter().enumerate() {
                        let expected: f64 = arrays.iter().enumerate().map(|(k, x)| weight(k) * x[i]).sum();
                        let expected = if begun { 0.25 + expected } else { expected };
                        assert!((found - expected).abs() < 1e-13, "{count} {begun} {level:?}: {found} {expected}");
                    }
                });
            }
        }
    }
}
