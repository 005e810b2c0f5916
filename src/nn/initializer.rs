//! How parameters begin.

use crate::error::{Error, Result};
use crate::tensor::random::{Key, normal, uniform};
use crate::tensor::{Context, Tensor};

/// The distribution of a parameter before training. `fan_in` and `fan_out` are the numbers of inputs of one output
/// and of outputs of one input (for a convolution times the size of its kernel).
///
/// Good choices: [`XavierUniform`](Self::XavierUniform) before tanh and sine, [`KaimingNormal`](Self::KaimingNormal)
/// before the ReLU family, [`LecunNormal`](Self::LecunNormal) where no activation follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initializer {
    /// 0
    Zeros,
    /// 1
    Ones,
    /// the same number everywhere
    Constant(f64),
    /// U(low, high)
    Uniform { low: f64, high: f64 },
    /// N(mean, std²)
    Normal { mean: f64, std: f64 },
    /// N(0, 2 / fan_in): He et al. 2015
    KaimingNormal,
    /// U(−a, a), a = √(6 / fan_in): He et al. 2015
    KaimingUniform,
    /// N(0, 2 / (fan_in + fan_out)): Glorot and Bengio 2010
    XavierNormal,
    /// U(−a, a), a = √(6 / (fan_in + fan_out)): Glorot and Bengio 2010
    XavierUniform,
    /// N(0, 1 / fan_in): LeCun et al. 1998
    LecunNormal,
    /// U(−a, a), a = √(3 / fan_in): LeCun et al. 1998
    LecunUniform,
    /// U(−a, a), a = 1 / √fan_in: what PyTorch gives weights and biases
    FanInUniform,
}

impl Initializer {
    /// The initialisers without numbers of their own, by the names that scripts use.
    pub const NAMED: [(&'static str, Self); 9] = [
        ("zeros", Self::Zeros),
        ("ones", Self::Ones),
        ("kaiming_normal", Self::KaimingNormal),
        ("kaiming_uniform", Self::KaimingUniform),
        ("xavier_normal", Self::XavierNormal),
        ("xavier_uniform", Self::XavierUniform),
        ("lecun_normal", Self::LecunNormal),
        ("lecun_uniform", Self::LecunUniform),
        ("fan_in_uniform", Self::FanInUniform),
    ];

    /// Draws a tensor of that shape.
    ///
    /// # Errors
    /// When a spread is negative or a number is not finite.
    pub fn draw(self, context: &Context, key: Key, shape: &[usize], fan: Fan) -> Result<Tensor> {
        let (fan_in, fan_out) = (fan.inputs.max(1) as f64, fan.outputs.max(1) as f64);
        let gaussian = |mean: f64, std: f64| -> Result<Tensor> {
            if !(mean.is_finite() && std.is_finite() && std >= 0.0) {
                return Err(Error::value("an initial distribution needs a finite mean and a spread of 0 or more")
                    .got(format!("mean {mean}, spread {std}")));
            }
            let z = normal(context, key, shape)?.scale(std)?;
            if mean == 0.0 { Ok(z) } else { z.shift(mean) }
        };
        let flat = |low: f64, high: f64| -> Result<Tensor> {
            if !(low.is_finite() && high.is_finite() && low <= high) {
                return Err(Error::value("an initial distribution needs finite bounds, the lower one first")
                    .got(format!("{low} to {high}")));
            }
            uniform(context, key, low, high, shape)
        };
        let within = |a: f64| flat(-a, a);
        match self {
            Self::Zeros => Tensor::full(context, shape, 0.0),
            Self::Ones => Tensor::full(context, shape, 1.0),
            Self::Constant(value) => Tensor::full(context, shape, value),
            Self::Uniform { low, high } => flat(low, high),
            Self::Normal { mean, std } => gaussian(mean, std),
            Self::KaimingNormal => gaussian(0.0, (2.0 / fan_in).sqrt()),
            Self::KaimingUniform => within((6.0 / fan_in).sqrt()),
            Self::XavierNormal => gaussian(0.0, (2.0 / (fan_in + fan_out)).sqrt()),
            Self::XavierUniform => within((6.0 / (fan_in + fan_out)).sqrt()),
            Self::LecunNormal => gaussian(0.0, fan_in.recip().sqrt()),
            Self::LecunUniform => within((3.0 / fan_in).sqrt()),
            Self::FanInUniform => within(fan_in.recip().sqrt()),
        }
    }
}

/// Inputs of one output, outputs of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fan {
    /// Inputs of one output.
    pub inputs: usize,
    /// Outputs of one input.
    pub outputs: usize,
}
