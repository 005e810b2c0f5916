//! Random zeros.

use super::module::{Init, Mode, Module, Scope};
use crate::error::Result;
use crate::tensor::random::uniform;
use crate::tensor::{Compare, Tensor};

/// `y = x · mask / (1 − rate)`, where each element of the mask is 0 with probability `rate` and 1 otherwise; `y = x` outside of
/// training. The mask depends on the seed of the training, the step, the layer and the call within the step: a resumed
/// training draws the same ones.
///
/// Source: Srivastava et al. 2014.
#[derive(Debug, Clone)]
pub struct Dropout {
    /// How likely an element is set to 0, from 0 to below 1.
    pub rate: f64,
    /// Whether whole channels (axis 1) are set to 0.
    pub channels: bool,
    /// Whether it acts outside of training too, for samples of a Bayesian posterior. The same masks come in the same
    /// order for each handle then.
    pub always: bool,
}

impl Dropout {
    /// In training, element by element.
    pub fn new(rate: f64) -> Self {
        Self { rate, channels: false, always: false }
    }
}

impl Module for Dropout {
    fn describe(&self) -> String {
        format!("dropout {}{}", self.rate, if self.channels { " of channels" } else { "" })
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        if (0.0..1.0).contains(&self.rate) {
            Ok(())
        } else {
            Err(init.unfit("the rate of a dropout must be from 0 to below 1").got(self.rate))
        }
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        if self.rate == 0.0 || (scope.mode() == Mode::Evaluate && !self.always) {
            return Ok(x.clone());
        }
        let mut shape = x.shape();
        if self.channels {
            if shape.len() < 2 {
                return Err(scope.misfit(self, format!("shape {shape:?}"), "[sample, channel, ..]"));
            }
            shape.iter_mut().skip(2).for_each(|n| *n = 1);
        }
        let draw = uniform(x.context(), scope.key(), 0.0, 1.0, &shape)?.cast(x.precision())?;
        let kept = draw.compare(Compare::GreaterEqual, &draw.full_like(self.rate)?)?;
        x.mul(&kept.scale(1.0 / (1.0 - self.rate))?)
    }
}
