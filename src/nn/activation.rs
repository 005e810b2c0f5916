//! Functions between layers.

use super::initializer::Initializer;
use super::module::{Init, Module, Scope};
use crate::error::Result;
use crate::tensor::{Compare, Tensor, Unary};

/// A function applied to each element. Without one, layers in a row are one linear map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `x` above 0, `slope · x` below
    LeakyRelu(f64),
    /// `x · sigmoid(x)`; smooth, the usual choice of score networks
    Silu,
    /// `x Φ(x)`
    Gelu,
    /// hyperbolic tangent; smooth to every order, the usual choice where derivatives of the network are needed
    Tanh,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// `ln(1 + eˣ)`
    Softplus,
    /// `x` above 0, `α (eˣ − 1)` below
    Elu(f64),
    /// `sin(x)`
    Sin,
}

impl Activation {
    /// All of them with their usual numbers, by the names that scripts use.
    pub const NAMED: [(&'static str, Self); 10] = [
        ("identity", Self::Identity),
        ("relu", Self::Relu),
        ("leaky_relu", Self::LeakyRelu(0.01)),
        ("silu", Self::Silu),
        ("gelu", Self::Gelu),
        ("tanh", Self::Tanh),
        ("sigmoid", Self::Sigmoid),
        ("softplus", Self::Softplus),
        ("elu", Self::Elu(1.0)),
        ("sin", Self::Sin),
    ];

    /// The name that scripts use.
    pub fn name(self) -> &'static str {
        let same = |other: Self| std::mem::discriminant(&other) == std::mem::discriminant(&self);
        Self::NAMED.iter().find(|(_, other)| same(*other)).map_or("identity", |(name, _)| name)
    }
    /// How the weights before it should begin.
    pub fn initializer(self) -> Initializer {
        match self {
            Self::Relu | Self::LeakyRelu(_) | Self::Elu(_) | Self::Silu | Self::Gelu | Self::Softplus => {
                Initializer::KaimingNormal
            }
            Self::Tanh | Self::Sigmoid | Self::Sin => Initializer::XavierUniform,
            Self::Identity => Initializer::LecunNormal,
        }
    }
    /// Its value.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Relu => x.unary(Unary::Relu),
            // x · (1 or slope): one product forwards and one backwards.
            Self::LeakyRelu(slope) => {
                let x0 = x.detach();
                let positive = x0.compare(Compare::Greater, &x0.full_like(0.0)?)?;
                x.mul(&positive.scale(1.0 - slope)?.shift(slope)?)
            }
            Self::Silu => x.unary(Unary::Silu),
            Self::Gelu => x.unary(Unary::Gelu),
            Self::Tanh => x.unary(Unary::Tanh),
            Self::Sigmoid => x.unary(Unary::Sigmoid),
            Self::Softplus => x.unary(Unary::Softplus),
            // The exponent stays at 0 or below, so that the unused branch does not overflow.
            Self::Elu(alpha) => {
                let low = x.clamp(f64::MIN, 0.0)?.unary(Unary::Expm1)?.scale(alpha)?;
                let x0 = x.detach();
                x0.compare(Compare::Greater, &x0.full_like(0.0)?)?.choose(x, &low)
            }
            Self::Sin => x.unary(Unary::Sin),
        }
    }
}

impl Module for Activation {
    fn describe(&self) -> String {
        self.name().to_string()
    }
    fn init(&self, _: &mut Init) -> Result<()> {
        Ok(())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        self.apply(scope.single(self, inputs)?)
    }
}
