//! What happens to gradients before an optimiser sees them: a look for NaNs, and clipping.

use super::slices::fused;
use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::tensor::{Precision, Real, Tensor, Unary, in_precision};

/// What to do with a gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotFinite {
    /// Stop, naming the step and the parameter.
    #[default]
    Stop,
    /// Set the elements to 0 and go on.
    Zero,
}

/// Bounds on gradients. Elements are clipped first, the norm after that.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Guard {
    /// The largest size of an element.
    pub clip_value: Option<f64>,
    /// The largest Euclidean norm of all gradients together.
    pub clip_norm: Option<f64>,
    /// What to do with a NaN or an infinity.
    pub not_finite: NotFinite,
}

impl Guard {
    /// The gradients within the bounds, and the norm that they had before the norm was bounded.
    ///
    /// # Errors
    /// When one is not finite and is to stop the training.
    pub fn apply(&self, gradients: Parameters, step: u64) -> Result<(Parameters, f64)> {
        let (gradients, mut norm) = (gradients.clone(), norm_of(&gradients)?);
        let gradients = if norm.is_finite() {
            gradients
        } else {
            let cleaned = self.cleaned(&gradients, step)?;
            norm = norm_of(&cleaned)?;
            cleaned
        };
        let gradients = match self.clip_value {
            Some(bound) => {
                let clipped = gradients.map(|_, g| g.clamp(-bound, bound))?;
                norm = norm_of(&clipped)?;
                clipped
            }
            None => gradients,
        };
        match self.clip_norm {
            Some(bound) if norm > bound => Ok((gradients.map(|_, g| g.scale(bound / norm))?, norm)),
            _ => Ok((gradients, norm)),
        }
    }

    fn cleaned(&self, gradients: &Parameters, step: u64) -> Result<Parameters> {
        gradients.map(|name, gradient| {
            let bad = in_precision!(gradient.precision(), T => count_not_finite::<T>(gradient))?;
            match self.not_finite {
                _ if bad == 0 => Ok(gradient.clone()),
                NotFinite::Zero => in_precision!(gradient.precision(), T => zeroed::<T>(gradient)),
                NotFinite::Stop => Err(Error::not_finite(format!("step {step}: the gradient of {name:?} is not finite"))
                    .got(format!("{bad} of {} elements are NaN or infinite", gradient.len()))
                    .advice("lower the learning rate, bound the gradient (clip_norm), or look for a division by 0, a root or a logarithm of 0 in the loss")),
            }
        })
    }
}

/// The Euclidean norm of all numbers together, summed in doubles.
pub(crate) fn norm_of(values: &Parameters) -> Result<f64> {
    let mut sum = 0.0;
    let elsewhere = |t: &Tensor| !t.context().device().has_kernels();
    if values.values().first().is_some_and(elsewhere) {
        // One number comes back for all parameters together.
        let squares = values.values().iter().map(|t| t.detach().cast(Precision::F64)?.unary(Unary::Square)?.sum_all());
        let squares = squares.map(|t| t?.reshape(&[1])).collect::<Result<Vec<_>>>()?;
        return Ok(Tensor::concat(&squares, 0)?.sum_all()?.item()?.sqrt());
    }
    for value in values.values() {
        sum += in_precision!(value.precision(), T => value.with_numbers::<T, _>(|x| {
            x.iter().map(|&x| x.f64() * x.f64()).sum::<f64>()
        }))?;
    }
    Ok(sum.sqrt())
}

fn count_not_finite<T: Real>(gradient: &Tensor) -> Result<usize> {
    if !gradient.context().device().has_kernels() {
        let finite = gradient.is_finite()?.cast(Precision::F64)?.sum_all()?.item()?;
        return Ok(gradient.len().saturating_sub(finite as usize));
    }
    gradient.with_numbers::<T, _>(|g| g.iter().filter(|g| !g.is_finite()).count())
}

fn zeroed<T: Real>(gradient: &Tensor) -> Result<Tensor> {
    if !gradient.context().device().has_kernels() {
        return gradient.is_finite()?.choose(gradient, &gradient.full_like(0.0)?);
    }
    let (cleaned, []) = fused::<T, 0>(gradient, gradient, [], |p, _, []| {
        for p in p.iter_mut().filter(|p| !p.is_finite()) {
            *p = T::of(0.0);
        }
    })?;
    Ok(cleaned)
}
