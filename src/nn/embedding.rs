//! Ways to tell a network the time.

use super::module::{Init, Module, Scope};
use crate::error::Result;
use crate::tensor::random::normal;
use crate::tensor::{Tensor, Unary};

/// `[sin(ω₀ t), …, cos(ω₀ t), …]` with `ωₖ = scale · longest^(−k/(n−1))`, `k = 0 … n−1`, `n = features / 2`.
///
/// Shapes: `t [sample]` or `[]` → `[sample, features]` or `[features]`. Good values: times in 0…1 want a scale of about 1000, whole step
/// numbers a scale of 1. Source: Vaswani et al. 2017, in the form of Ho et al. 2020.
#[derive(Debug, Clone)]
pub struct Sinusoidal {
    /// Length of the result; even.
    pub features: usize,
    /// The largest frequency.
    pub scale: f64,
    /// The ratio of the largest frequency to the smallest; 10 000.
    pub longest: f64,
}
impl Sinusoidal {
    /// For times in 0…1.
    pub fn new(features: usize) -> Self {
        Self { features, scale: 1000.0, longest: 10_000.0 }
    }
}
impl Module for Sinusoidal {
    fn describe(&self) -> String {
        format!("sinusoidal embedding {}", self.features)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        let fits = self.scale > 0.0 && self.longest > 0.0 && self.scale.is_finite() && self.longest.is_finite();
        if !fits {
            return Err(init
                .unfit("scale and longest must be above 0")
                .got(format!("{}, {}", self.scale, self.longest)));
        }
        even(init, self.features)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let t = scope.single(self, inputs)?;
        let n = self.features / 2;
        let last = (n.max(2) - 1) as f64;
        let frequencies = (0..n).map(|k| self.scale * self.longest.powf(-(k as f64) / last)).collect();
        waves(t, &Tensor::new(t.context(), frequencies, &[n])?)
    }
}

/// `[sin(2π b₀ t), …, cos(2π b₀ t), …]` with `b ~ N(0, scale²)`, drawn once and not trained.
///
/// Shapes: `t [sample]` or `[]` → `[sample, features]` or `[features]`. Good values: scale 16 for score networks.
/// Source: Tancik et al. 2020.
#[derive(Debug, Clone)]
pub struct FourierFeatures {
    /// Length of the result; even.
    pub features: usize,
    /// The spread of the frequencies.
    pub scale: f64,
}
impl Module for FourierFeatures {
    fn describe(&self) -> String {
        format!("Fourier features {}", self.features)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        if !(self.scale.is_finite() && self.scale >= 0.0) {
            return Err(init.unfit("scale must be 0 or more").got(self.scale));
        }
        even(init, self.features)?;
        let draw = normal(init.context(), init.key("frequencies"), &[self.features / 2])?;
        init.buffer("frequencies", draw.scale(self.scale * std::f64::consts::TAU)?)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        waves(scope.single(self, inputs)?, &scope.buffer("frequencies")?)
    }
}

fn even(init: &Init, features: usize) -> Result<()> {
    if features >= 2 && features.is_multiple_of(2) {
        Ok(())
    } else {
        Err(init.unfit("the features of an embedding must be an even number, 2 or more").got(features))
    }
}
/// Sines and cosines of `t ω` along a new last axis.
fn waves(t: &Tensor, frequencies: &Tensor) -> Result<Tensor> {
    let angles = t.unsqueeze(t.rank())?.mul(frequencies)?;
    Tensor::concat(&[angles.unary(Unary::Sin)?, angles.unary(Unary::Cos)?], angles.rank() - 1)
}

/// A state with the raw time as one more channel, constant in space: `(x [sample, channel, ..], t [] or [sample])` →
/// `[sample, channel + 1, ..]`.
pub fn with_time_channel(scope: &Scope, module: &dyn Module, inputs: &[Tensor]) -> Result<Tensor> {
    let (x, t) = match inputs {
        [x, t] => (x, t),
        _ => return Err(scope.misfit(module, format!("{} tensors", inputs.len()), "a state and a time")),
    };
    let shape = x.shape();
    let samples = shape.first().copied().unwrap_or(0);
    let wrong = || {
        scope.misfit(
            module,
            format!("a state of shape {shape:?} and times of shape {:?}", t.shape()),
            "[sample, channel, ..] and [], [1] or [sample]",
        )
    };
    if shape.len() < 2 || t.rank() > 1 || (t.len() != 1 && t.len() != samples) {
        return Err(wrong());
    }
    let mut channel = shape.clone();
    channel[1] = 1;
    let column: Vec<usize> = (0..shape.len()).map(|axis| if axis == 0 { t.len() } else { 1 }).collect();
    let time = t.cast(x.precision())?.reshape(&column)?.expand(&channel)?;
    Tensor::concat(&[x.clone(), time], 1)
}

/// [`with_time_channel`] as a layer: the raw time as one more channel of the state.
#[derive(Debug, Clone, Copy)]
pub struct TimeChannel;

impl Module for TimeChannel {
    fn describe(&self) -> String {
        "time as a channel".to_string()
    }
    fn init(&self, _: &mut Init) -> Result<()> {
        Ok(())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        with_time_channel(scope, self, inputs)
    }
}
