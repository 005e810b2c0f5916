//! Integrals that differences keep, put back after every step: what is missing goes to all cells alike, and what one cell rounds away
//! to one further on.

use crate::tensor::Real;

/// Cells side by side, each of which hands on what it rounds away.
const LANES: usize = 16;

/// The integrals of a start.
pub struct Restore {
    /// By channel, and by sample.
    pub totals: Vec<Option<Vec<f64>>>,
    /// Of the points of a channel.
    pub weights: Vec<f64>,
    /// More than this part of what there is, is not rounding.
    pub most: f64,
}

impl Restore {
    /// Puts the integral of a channel back.
    pub fn channel<T: Real>(&self, channel: usize, sample: usize, values: &mut [T]) {
        let Some(total) = self.totals.get(channel).and_then(|t| t.as_ref()?.get(sample)) else { return };
        let (mut sums, mut sizes) = ([0.0f64; LANES], [0.0f64; LANES]);
        for (values, weights) in values.chunks(LANES).zip(self.weights.chunks(LANES)) {
            for (((sum, size), v), w) in sums.iter_mut().zip(&mut sizes).zip(values).zip(weights) {
                let part = v.f64() * w;
                *sum += part;
                *size += part.abs();
            }
        }
        let (sum, size): (f64, f64) = (sums.iter().sum(), sizes.iter().sum());
        if (total - sum).abs() > self.most * size {
            return;
        }
        let missing = (total - sum) / self.weights.iter().sum::<f64>();
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
