//! Layers that set mean and variance.

use super::initializer::{Fan, Initializer};
use super::module::{Init, Mode, Module, Scope};
use crate::error::{Error, Result};
use crate::tensor::{Tensor, Unary};

/// What keeps the variance away from 0.
const EPSILON: f64 = 1e-5;
const NO_FAN: Fan = Fan { inputs: 1, outputs: 1 };

/// `(x − mean) / √(variance + ε)` over some axes.
fn standardized(x: &Tensor, mean: &Tensor, variance: &Tensor, epsilon: f64) -> Result<Tensor> {
    x.sub(mean)?.mul(&variance.shift(epsilon)?.unary(Unary::Rsqrt)?)
}
/// `weight [channels]` and `bias [channels]` along axis 1.
fn scaled(scope: &Scope, x: &Tensor, channels: usize) -> Result<Tensor> {
    let shape: Vec<usize> = (0..x.rank()).map(|axis| if axis == 1 { channels } else { 1 }).collect();
    let along = |name: &str| scope.parameter(name)?.reshape(&shape);
    x.mul(&along("weight")?)?.add(&along("bias")?)
}
fn scale_parameters(init: &mut Init, channels: usize) -> Result<()> {
    init.parameter("weight", &[channels], Initializer::Ones, NO_FAN)?;
    init.parameter("bias", &[channels], Initializer::Zeros, NO_FAN)
}
fn epsilon_fits(init: &Init, epsilon: f64) -> Result<()> {
    if epsilon > 0.0 && epsilon.is_finite() { Ok(()) } else { Err(init.unfit("epsilon must be above 0").got(epsilon)) }
}

/// `y = weight · (x − mean) / √(variance + ε) + bias`, mean and variance over the last axis.
///
/// Shapes: `x [.., features]`, `weight [features]`, `bias [features]`. Source: Ba et al. 2016.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// Length of the last axis.
    pub features: usize,
    /// 1e-5
    pub epsilon: f64,
}
impl LayerNorm {
    /// With the usual ε.
    pub fn new(features: usize) -> Self {
        Self { features, epsilon: EPSILON }
    }
}
impl Module for LayerNorm {
    fn describe(&self) -> String {
        format!("layer norm {}", self.features)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        epsilon_fits(init, self.epsilon)?;
        scale_parameters(init, self.features)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        if x.shape().last() != Some(&self.features) {
            return Err(scope.misfit(self, format!("shape {:?}", x.shape()), format!("[.., {}]", self.features)));
        }
        let y = standardized(x, &x.mean(&[-1], true)?, &x.variance(&[-1], true, 0.0)?, self.epsilon)?;
        y.mul(&scope.parameter("weight")?)?.add(&scope.parameter("bias")?)
    }
}

/// `y = weight · (x − mean) / √(variance + ε) + bias`, mean and variance of each sample over the points and the channels of a
/// group. With as many groups as channels this is the instance norm.
///
/// Shapes: `x [sample, channels, ..]`, `weight [channels]`, `bias [channels]`. Good values: 8 to 32 groups.
/// Sources: Wu and He 2018; Ulyanov et al. 2016.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    /// Length of axis 1.
    pub channels: usize,
    /// How many groups the channels form.
    pub groups: usize,
    /// 1e-5
    pub epsilon: f64,
}
impl GroupNorm {
    /// With the usual ε.
    pub fn new(channels: usize, groups: usize) -> Self {
        Self { channels, groups, epsilon: EPSILON }
    }
    /// One group per channel.
    pub fn instance(channels: usize) -> Self {
        Self::new(channels, channels)
    }
}
impl Module for GroupNorm {
    fn describe(&self) -> String {
        if self.groups == self.channels {
            format!("instance norm {}", self.channels)
        } else {
            format!("group norm {} in {}", self.channels, self.groups)
        }
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        epsilon_fits(init, self.epsilon)?;
        if self.groups == 0 || !self.channels.is_multiple_of(self.groups) {
            return Err(init
                .unfit("the groups must divide the channels")
                .got(format!("{} channels, {} groups", self.channels, self.groups)));
        }
        scale_parameters(init, self.channels)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        let shape = x.shape();
        let (Some(&samples), Some(&channels)) = (shape.first(), shape.get(1)) else {
            return Err(self.wrong(scope, &shape));
        };
        if channels != self.channels || x.is_empty() {
            return Err(self.wrong(scope, &shape));
        }
        let grouped = x.reshape(&[samples, self.groups, x.len() / samples.max(1) / self.groups])?;
        let y =
            standardized(&grouped, &grouped.mean(&[-1], true)?, &grouped.variance(&[-1], true, 0.0)?, self.epsilon)?;
        scaled(scope, &y.reshape(&shape)?, self.channels)
    }
}
impl GroupNorm {
    fn wrong(&self, scope: &Scope, shape: &[usize]) -> Error {
        scope.misfit(self, format!("shape {shape:?}"), format!("[sample, {}, ..]", self.channels))
    }
}

/// `y = weight · (x − mean) / √(variance + ε) + bias`. In training, mean and variance of each channel over samples and points,
/// and the running ones follow: `r ← (1 − momentum) r + momentum · now` (the variance unbiased). Elsewhere, the running ones.
///
/// Shapes: `x [sample, channels, ..]`; parameters `weight`, `bias`, buffers `mean`, `variance`, each `[channels]`.
/// Source: Ioffe and Szegedy 2015.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Length of axis 1.
    pub channels: usize,
    /// How fast the running statistics follow; 0.1.
    pub momentum: f64,
    /// 1e-5
    pub epsilon: f64,
}
impl BatchNorm {
    /// With the usual numbers.
    pub fn new(channels: usize) -> Self {
        Self { channels, momentum: 0.1, epsilon: EPSILON }
    }
}
impl Module for BatchNorm {
    fn describe(&self) -> String {
        format!("batch norm {}", self.channels)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        epsilon_fits(init, self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(init.unfit("the momentum must be from 0 to 1").got(self.momentum));
        }
        scale_parameters(init, self.channels)?;
        init.buffer("mean", Tensor::full(init.context(), &[self.channels], 0.0)?)?;
        init.buffer("variance", Tensor::full(init.context(), &[self.channels], 1.0)?)
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        let shape = x.shape();
        let per_channel = x.len() / self.channels.max(1);
        if shape.get(1) != Some(&self.channels) || per_channel == 0 {
            return Err(scope.misfit(self, format!("shape {shape:?}"), format!("[sample, {}, ..]", self.channels)));
        }
        let aligned: Vec<usize> = (0..shape.len()).map(|axis| if axis == 1 { self.channels } else { 1 }).collect();
        let (running_mean, running_variance) = (scope.buffer("mean")?, scope.buffer("variance")?);
        let (mean, variance) = if scope.mode() == Mode::Train {
            if per_channel < 2 {
                return Err(scope.misfit(
                    self,
                    format!("shape {shape:?}"),
                    "at least two values per channel in training",
                ));
            }
            let axes: Vec<i64> = (0..shape.len() as i64).filter(|&axis| axis != 1).collect();
            let (mean, variance) = (x.mean(&axes, true)?, x.variance(&axes, true, 0.0)?);
            let follow = |name: &str, running: &Tensor, now: &Tensor, factor: f64| {
                let now = now.detach().reshape(&[self.channels])?.scale(factor * self.momentum)?;
                scope.set_buffer(name, &running.scale(1.0 - self.momentum)?.add(&now)?.cast(running.precision())?)
            };
            follow("mean", &running_mean, &mean, 1.0)?;
            follow("variance", &running_variance, &variance, per_channel as f64 / (per_channel - 1) as f64)?;
            (mean, variance)
        } else {
            (running_mean.reshape(&aligned)?, running_variance.reshape(&aligned)?)
        };
        scaled(scope, &standardized(x, &mean, &variance, self.epsilon)?, self.channels)
    }
}
