//! Integrals that differences keep, put back after every step: what is missing goes to all cells alike, and what one cell rounds away
//! to one further on.

use rayon::prelude::*;

use super::super::simd::vectorised;
use crate::tensor::Real;

/// Numbers that are worked on by one thread, and do not depend on others.
const PART: usize = 1 << 14;

/// Cells side by side, each of which hands on what it rounds away.
const LANES: usize = 16;

/// The integrals of a start.
pub struct Restore {
    /// By channel, and by sample.
    pub totals: Vec<Option<Vec<f64>>>,
    /// Of the points of a channel.
    pub weights: Vec<f64>,
    /// Their sum.
    pub whole: f64,
    /// More than this part of what there is, is not rounding.
    pub most: f64,
}

impl Restore {
    /// Puts the integral of a channel back; `spread` says whether threads share the work. The result does not depend on it.
    pub fn channel<T: Real>(&self, channel: usize, sample: usize, values: &mut [T], spread: bool) {
        let Some(total) = self.totals.get(channel).and_then(|t| t.as_ref()?.get(sample)) else { return };
        let (sum, size) = if spread && values.len() > PART {
            let parts = values.par_chunks(PART).zip(self.weights.par_chunks(PART)).map(|(v, w)| integral(v, w));
            summed(parts.collect::<Vec<_>>().into_iter())
        } else {
            summed(values.chunks(PART).zip(self.weights.chunks(PART)).map(|(v, w)| integral(v, w)))
        };
        if (total - sum).abs() > self.most * size {
            return;
        }
        let missing = (total - sum) / self.whole;
        if spread && values.len() > PART {
            values.par_chunks_mut(PART).for_each(|part| add(part, missing));
        } else {
            values.chunks_mut(PART).for_each(|part| add(part, missing));
        }
    }
}

fn summed(parts: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    parts.fold((0.0, 0.0), |(sum, size), part| (sum + part.0, size + part.1))
}

vectorised! {
    /// The weighted sums of numbers and of their sizes.
    fn integral<T: Real>(values: &[T], weights: &[f64]) -> (f64, f64) {
        let (mut sums, mut sizes) = ([0.0f64; LANES], [0.0f64; LANES]);
        for (values, weights) in values.chunks(LANES).zip(weights.chunks(LANES)) {
            for (((sum, size), v), w) in sums.iter_mut().zip(&mut sizes).zip(values).zip(weights) {
                let part = v.f64() * w;
                *sum += part;
                *size += part.abs();
            }
        }
        (sums.iter().sum(), sizes.iter().sum())
    }
}

vectorised! {
    /// Adds `missing` to all numbers.
    fn add<T: Real>(values: &mut [T], missing: f64) {
        let mut rest = [0.0f64; LANES];
        for values in values.chunks_mut(LANES) {
            for (rest, v) in rest.iter_mut().zip(values) {
                *rest += missing;
                let before = v.f64();
                *v = T::of(before + *rest);
                *rest -= v.f64() - before;
            }
        }
    }
}
