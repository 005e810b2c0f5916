//! Integrals that differences keep, kept from rounding too, in single precision.
//!
//! Where an evolution moves a quantity from cell to cell and nothing passes the edges, its sum over cells is constant but for rounding.
//! In single precision that does not average out: a state changes little from step to step, so each step rounds in the same direction as the
//! one before, and 1,000 steps drift by 1e-6 and more. The sum is put back after every step: what is missing goes to all cells
//! alike, and what one cell rounds away to the next one.
//!
//! E. Hairer, C. Lubich, G. Wanner, *Geometric Numerical Integration*, section IV.4, on projections to what is kept.

use super::expr::{Expr, Op};
use super::system::StencilSystem;
use crate::error::Result;
use crate::tensor::{Binary, Precision, Tensor, Unary};

/// Sums below this part of the sum of absolute values are rounding, in double precision.
const ROUNDING: f64 = 1e-11;
/// More than this part of what there is, is not rounding: it is left alone.
const MOST: f64 = 1e-4;

/// The integrals of a start that stay.
pub(super) struct Kept {
    /// By channel, and by sample.
    totals: Vec<Option<Vec<f64>>>,
    /// Of the points of a channel.
    weights: Vec<f64>,
}

/// Whether the sum of an unknown over cells may stay: not where a part of its rate is made at each point from unknowns there.
fn may_stay(rate: &Expr) -> bool {
    // What is subtracted may be the mean of what is added.
    if rate.any(&mut |op| matches!(op, Op::Integral(_))) {
        return true;
    }
    let mut parts = vec![rate];
    while let Some(part) = parts.pop() {
        match part.op() {
            Op::Binary(Binary::Add | Binary::Sub, a, b) => parts.extend([a, b]),
            Op::Unary(Unary::Neg, a) => parts.push(a),
            _ if part.is_pointwise() => return false,
            _ => {}
        }
    }
    true
}

impl Kept {
    /// What an evolution keeps of a start; `None` in double precision, and where it is nothing.
    ///
    /// Found by evaluating the rates in double precision at a state near the start.
    pub fn of(own: &StencilSystem, start: &Tensor, times: [f64; 2]) -> Result<Option<Self>> {
        let (rates, setting) = (own.evolution().rates.iter(), own.lane().setting());
        let grid = setting.grid.clone();
        let on_grid = setting.space.len() == grid.dimensions() && grid.dimensions() > 0;
        if start.precision() == Precision::F64 || !on_grid || !rates.clone().any(may_stay) {
            return Ok(None);
        }
        let mut weights = vec![1.0];
        for axis in grid.axes() {
            let own = axis.weights();
            weights = weights.iter().flat_map(|w| own.iter().map(move |v| w * v)).collect();
        }
        let (context, shape) = (start.context().clone(), start.shape());
        context.without_recording(|| {
            let system = own.in_double()?;
            let values = start.to_vec()?;
            let size = values.iter().fold(0.0f64, |m, v| m.max(v.abs())).max(1e-3);
            // Multiples of the golden ratio, without their whole part, are spread evenly.
            let off = |i: usize| (i as f64 * 0.618_033_988_749_895).fract() - 0.5;
            let near = values.iter().enumerate().map(|(i, v)| v + 1e-2 * size * off(i));
            let near = Tensor::from_vec::<f64>(&context, near.collect(), &shape)?;
            let (samples, channels) = (shape[0], shape[1]);
            let mut kept = vec![true; channels];
            for t in times {
                let rates = system.rates(t, &system.lane().settle(t, near.clone())?)?.to_vec()?;
                for (i, rates) in rates.chunks(weights.len()).enumerate() {
                    let parts = || rates.iter().zip(&weights).map(|(r, w)| r * w);
                    let (sum, size) = (parts().sum::<f64>(), parts().map(f64::abs).sum::<f64>());
                    kept[i % channels] &= sum.abs() <= ROUNDING * size;
                }
                if system.is_steady() {
                    break;
                }
            }
            let totals: Vec<Option<Vec<f64>>> = (0..channels)
                .map(|channel| {
                    let of = |sample: usize| {
                        let at = (sample * channels + channel) * weights.len();
                        values[at..at + weights.len()].iter().zip(&weights).map(|(v, w)| v * w).sum()
                    };
                    kept[channel].then(|| (0..samples).map(of).collect())
                })
                .collect();
            Ok(totals.iter().any(Option::is_some).then_some(Self { totals, weights }))
        })
    }
    /// As compiled steps have it.
    pub fn restored(&self) -> crate::native::points::restore::Restore {
        crate::native::points::restore::Restore {
            totals: self.totals.clone(),
            weights: self.weights.clone(),
            whole: self.weights.iter().sum(),
            most: MOST,
        }
    }
    /// A state with the integrals of the start.
    pub fn restore(&self, y: &Tensor) -> Result<Tensor> {
        let mut values = y.to_vec()?;
        let (channels, whole) = (self.totals.len(), self.weights.iter().sum::<f64>());
        let mut changed = false;
        for (i, part) in values.chunks_mut(self.weights.len()).enumerate() {
            let total = self.totals.get(i % channels).and_then(|t| t.as_ref()?.get(i / channels));
            let Some(total) = total else {
                part.fill(0.0);
                continue;
            };
            let sum: f64 = part.iter().zip(&self.weights).map(|(v, w)| v * w).sum();
            let size: f64 = part.iter().zip(&self.weights).map(|(v, w)| v.abs() * w).sum();
            let missing = if (total - sum).abs() <= MOST * size { (total - sum) / whole } else { 0.0 };
            let mut rest = 0.0;
            for v in part {
                rest += missing;
                let rounded = f64::from((*v + rest) as f32);
                let change = rounded - *v;
                rest -= change;
                changed |= change != 0.0;
                *v = change;
            }
        }
        if !changed {
            return Ok(y.clone());
        }
        y.add(&Tensor::from_vec(y.context(), values, &y.shape())?.cast(y.precision())?)
    }
}
