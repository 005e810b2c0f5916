//! Averages of parameters over the steps of a training.

use super::optimizer::fused;
use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::tensor::{Real, in_precision};

/// Moves an average towards the parameters after step `t = 1, 2, …`: `e ← d e + (1 − d) p` with `d = min(decay, (1 + t)/(10 + t))`,
/// so that the first steps do not tie the average to where the parameters began.
pub fn average(mean: &Parameters, parameters: &Parameters, decay: f64, t: u64) -> Result<Parameters> {
    if !(0.0..1.0).contains(&decay) {
        return Err(Error::value("the decay of an average must be from 0 to below 1").got(decay));
    }
    let d = decay.min((1 + t) as f64 / (10 + t) as f64);
    mean.zip(parameters, |_, mean, p| {
        in_precision!(mean.precision(), T => {
            let (kept, taken) = (T::of(d), T::of(1.0 - d));
            let p = p.cast(mean.precision())?;
            let (mean, []) = fused::<T, 0>(mean, &p, [], |mean, p, []| {
                for (mean, &p) in mean.iter_mut().zip(p) {
                    *mean = kept * *mean + taken * p;
                }
            })?;
            Ok(mean)
        })
    })
}
