//! Parameters seen through a function, so that a minimisation without bounds keeps them in their domain.

use crate::error::{Error, Result};
use crate::tensor::{Tensor, Unary};

/// The function `x(z)` of the number `z` that is varied.
#[derive(Clone, Default)]
#[allow(clippy::large_enum_variant)] // one for each unknown
pub enum Transform {
    /// `x = z`
    #[default]
    None,
    /// `x = eᶻ`: positive numbers, in steps of their own size. For coefficients known up to orders of magnitude.
    Log,
    /// `x = ln(1 + eᶻ)`: positive numbers, like `z` where they are large.
    Softplus,
    /// `x = lower + (upper − lower)/(1 + e⁻ᶻ)`: between two bounds, never on one.
    Sigmoid {
        /// The lower bound, of the parameter's shape or one that broadcasts with it.
        lower: Tensor,
        /// The upper bound.
        upper: Tensor,
    },
}

impl Transform {
    /// `z(x)`
    ///
    /// # Errors
    /// When `x` is outside of the domain; `name` is told.
    pub fn forward(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        if matches!(self, Self::None) {
            return Ok(x.clone());
        }
        let z = self.unchecked(x)?;
        if z.is_finite()?.min(&[], false)?.item()? == 0.0 {
            let (what, expected) = match self {
                Self::Sigmoid { .. } => ("sigmoid", "numbers between the bounds, not on them"),
                Self::Softplus => ("softplus", "numbers greater than 0"),
                _ => ("log", "numbers greater than 0"),
            };
            return Err(Error::value(format!(
                "the start of {name:?} is outside of the domain of transform \"{what}\""
            ))
            .expected(expected));
        }
        Ok(z)
    }
    fn unchecked(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(x.clone()),
            Self::Log => x.unary(Unary::Log),
            // ln(eˣ − 1) without overflow
            Self::Softplus => x.add(&x.scale(-1.0)?.unary(Unary::Expm1)?.scale(-1.0)?.unary(Unary::Log)?),
            Self::Sigmoid { lower, upper } => x.sub(lower)?.div(&upper.sub(x)?)?.unary(Unary::Log)?.cast(x.precision()),
        }
    }
    /// A bound of `x` as one of `z`; none, if the transform keeps it by itself.
    pub fn bound(&self, x: &Tensor) -> Result<Option<Tensor>> {
        match self {
            Self::None => Ok(Some(x.clone())),
            // Bounds at 0 and below become −∞.
            Self::Log | Self::Softplus => self.unchecked(&x.clamp(0.0, f64::INFINITY)?).map(Some),
            Self::Sigmoid { .. } => Ok(None),
        }
    }
    /// `x(z)`, differentiable.
    pub fn back(&self, z: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(z.clone()),
            Self::Log => z.unary(Unary::Exp),
            Self::Softplus => z.unary(Unary::Softplus),
            Self::Sigmoid { lower, upper } => {
                upper.sub(lower)?.mul(&z.unary(Unary::Sigmoid)?)?.add(lower)?.cast(z.precision())
            }
        }
    }
}
