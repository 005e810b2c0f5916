//! Functions of one tensor, element by element, as one table: the value, and the derivative in terms of input and output.

use std::f64::consts::{FRAC_2_SQRT_PI, FRAC_PI_2, PI};

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor};

use super::base::Tensor;
use super::binary::{Binary, Compare};
use super::context::Precision;
use super::elementwise::Operation;
use crate::error::Result;

/// A function applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-x`
    Neg,
    /// `|x|`; the derivative at 0 is 0
    Abs,
    /// −1, 0 or 1; derivative 0
    Sign,
    /// `eˣ`
    Exp,
    /// `eˣ − 1`, accurate near 0
    Expm1,
    /// natural logarithm
    Log,
    /// `ln(1 + x)`, accurate near 0
    Log1p,
    /// `√x`
    Sqrt,
    /// `1/√x`
    Rsqrt,
    /// `1/x`
    Recip,
    /// `x²`
    Square,
    /// sine
    Sin,
    /// cosine
    Cos,
    /// tangent
    Tan,
    /// inverse sine
    Asin,
    /// inverse cosine
    Acos,
    /// inverse tangent
    Atan,
    /// hyperbolic sine
    Sinh,
    /// hyperbolic cosine
    Cosh,
    /// hyperbolic tangent
    Tanh,
    /// inverse hyperbolic sine
    Asinh,
    /// inverse hyperbolic cosine
    Acosh,
    /// inverse hyperbolic tangent
    Atanh,
    /// error function
    Erf,
    /// towards −∞; derivative 0
    Floor,
    /// towards +∞; derivative 0
    Ceil,
    /// to the nearest whole number, halves to even; derivative 0
    Round,
    /// logistic function `1/(1 + e⁻ˣ)`
    Sigmoid,
    /// `ln(1 + eˣ)`, without overflow
    Softplus,
    /// `max(x, 0)`; the derivative at 0 is 0
    Relu,
    /// `x · sigmoid(x)`
    Silu,
    /// `x Φ(x)` with the normal distribution function
    Gelu,
    /// 0 below 0, 1 above, ½ at 0; derivative 0
    Heaviside,
}

impl Unary {
    /// Every function with the name that scripts use.
    pub const ALL: [(&'static str, Unary); 33] = [
        ("neg", Self::Neg),
        ("abs", Self::Abs),
        ("sign", Self::Sign),
        ("exp", Self::Exp),
        ("expm1", Self::Expm1),
        ("ln", Self::Log),
        ("log1p", Self::Log1p),
        ("sqrt", Self::Sqrt),
        ("rsqrt", Self::Rsqrt),
        ("recip", Self::Recip),
        ("square", Self::Square),
        ("sin", Self::Sin),
        ("cos", Self::Cos),
        ("tan", Self::Tan),
        ("asin", Self::Asin),
        ("acos", Self::Acos),
        ("atan", Self::Atan),
        ("sinh", Self::Sinh),
        ("cosh", Self::Cosh),
        ("tanh", Self::Tanh),
        ("asinh", Self::Asinh),
        ("acosh", Self::Acosh),
        ("atanh", Self::Atanh),
        ("erf", Self::Erf),
        ("floor", Self::Floor),
        ("ceil", Self::Ceil),
        ("round", Self::Round),
        ("sigmoid", Self::Sigmoid),
        ("softplus", Self::Softplus),
        ("relu", Self::Relu),
        ("silu", Self::Silu),
        ("gelu", Self::Gelu),
        ("heaviside", Self::Heaviside),
    ];

    /// The value on Burn's tensors; `None` for those composed of others below. Burn's `log1p` is not among them: CubeCL writes it as the logarithm of
    /// `1 + x`, for CUDA too; nor are inverse sine and cosine, of which Vulkan asks no accuracy (Mesa's are 3e-4 off, and its angles of points lose the digits of small ones).
    pub(super) fn primitive(self, x: DispatchTensor) -> Option<DispatchTensor> {
        Some(match self {
            Self::Neg => Dispatch::float_neg(x),
            Self::Abs => Dispatch::float_abs(x),
            Self::Sign => Dispatch::float_sign(x),
            Self::Exp => Dispatch::float_exp(x),
            Self::Log => Dispatch::float_log(x),
            Self::Sqrt => Dispatch::float_sqrt(x),
            Self::Rsqrt => Dispatch::float_recip(Dispatch::float_sqrt(x)),
            Self::Recip => Dispatch::float_recip(x),
            Self::Square => Dispatch::float_mul(x.clone(), x),
            Self::Sin => Dispatch::float_sin(x),
            Self::Cos => Dispatch::float_cos(x),
            Self::Tan => Dispatch::float_tan(x),
            Self::Atan => Dispatch::float_atan(x),
            Self::Sinh => Dispatch::float_sinh(x),
            Self::Cosh => Dispatch::float_cosh(x),
            Self::Tanh => Dispatch::float_tanh(x),
            Self::Asinh => Dispatch::float_asinh(x),
            Self::Acosh => Dispatch::float_acosh(x),
            Self::Atanh => Dispatch::float_atanh(x),
            Self::Erf => Dispatch::float_erf(x),
            Self::Floor => Dispatch::float_floor(x),
            Self::Ceil => Dispatch::float_ceil(x),
            Self::Round => Dispatch::float_round(x),
            Self::Relu => Dispatch::float_clamp_min(x, 0.0.into()),
            _ => return None,
        })
    }

    /// The value as a composition, for functions that Burn does not have in the form needed.
    fn composed(self, x: &Tensor) -> Result<Tensor> {
        match self {
            // Near 0, where a card loses its digits, x Σ xᵏ/(k + 1)!.
            Self::Expm1 => {
                let count = if x.precision() == Precision::F32 { 9 } else { 16 };
                let factorials = (1..=count).scan(1.0, |f, k| {
                    *f *= f64::from(k);
                    Some(1.0 / *f)
                });
                let near = series(x, &factorials.collect::<Vec<_>>())?.mul(x)?;
                chosen_below(0.5, x, &near, &x.unary(Self::Exp)?.shift(-1.0)?)
            }
            // Near 0 ln(1 + x) = 2 artanh(s) = 2 s Σ s²ᵏ/(2k + 1) with s = x/(2 + x).
            Self::Log1p => {
                let count = if x.precision() == Precision::F32 { 6 } else { 11 };
                let s = x.div(&x.shift(2.0)?)?;
                let weights: Vec<f64> = (0..count).map(|k| 2.0 / f64::from(2 * k + 1)).collect();
                let near = series(&s.unary(Self::Square)?, &weights)?.mul(&s)?;
                chosen_below(0.25, x, &near, &x.shift(1.0)?.unary(Self::Log)?)
            }
            // In double precision the angles of the points (√(1 − x²), x) and (x, √(1 − x²)).
            Self::Asin if x.precision() == Precision::F64 => within(x, |leg| x.binary(Binary::Atan2, leg)),
            Self::Acos if x.precision() == Precision::F64 => within(x, |leg| leg.binary(Binary::Atan2, x)),
            Self::Asin => {
                let (near, far) = angles(x)?;
                chosen_below(0.5, x, &near, &far.scale(-1.0)?.shift(FRAC_PI_2)?.mul(&x.unary(Self::Sign)?)?)
            }
            Self::Acos => {
                let (near, far) = angles(x)?;
                let (sign, left) = (x.unary(Self::Sign)?, x.unary(Self::Neg)?.unary(Self::Heaviside)?);
                let far = far.mul(&sign)?.add(&left.scale(PI)?)?;
                chosen_below(0.5, x, &near.scale(-1.0)?.shift(FRAC_PI_2)?, &far)
            }
            // ½ + ½ tanh(x/2): no overflow at either end.
            Self::Sigmoid => x.scale(0.5)?.unary(Self::Tanh)?.scale(0.5)?.shift(0.5),
            // max(x, 0) + ln(1 + e^−|x|)
            Self::Softplus => {
                let tail = x.unary(Self::Abs)?.unary(Self::Neg)?.unary(Self::Exp)?.unary(Self::Log1p)?;
                x.unary(Self::Relu)?.add(&tail)
            }
            Self::Silu => x.mul(&x.unary(Self::Sigmoid)?),
            Self::Gelu => x.mul(&normal_cdf(x)?),
            Self::Heaviside => x.unary(Self::Sign)?.scale(0.5)?.shift(0.5),
            other => unreachable!("{other:?} is a primitive"),
        }
    }

    /// The derivative at `x`, where the value is `y`; `None` when it is zero everywhere.
    fn derivative(self, x: &Tensor, y: &Tensor) -> Result<Option<Tensor>> {
        let one_minus = |t: Tensor| t.scale(-1.0)?.shift(1.0);
        Ok(Some(match self {
            Self::Sign | Self::Floor | Self::Ceil | Self::Round | Self::Heaviside => return Ok(None),
            Self::Neg => x.full_like(-1.0)?,
            Self::Abs => x.unary(Self::Sign)?,
            Self::Exp => y.clone(),
            Self::Expm1 => y.shift(1.0)?,
            Self::Log => x.unary(Self::Recip)?,
            Self::Log1p => x.shift(1.0)?.unary(Self::Recip)?,
            Self::Sqrt => y.unary(Self::Recip)?.scale(0.5)?,
            Self::Rsqrt => y.mul(y)?.mul(y)?.scale(-0.5)?,
            Self::Recip => y.unary(Self::Square)?.scale(-1.0)?,
            Self::Square => x.scale(2.0)?,
            Self::Sin => x.unary(Self::Cos)?,
            Self::Cos => x.unary(Self::Sin)?.scale(-1.0)?,
            Self::Tan => y.unary(Self::Square)?.shift(1.0)?,
            Self::Asin => one_minus(x.unary(Self::Square)?)?.unary(Self::Rsqrt)?,
            Self::Acos => one_minus(x.unary(Self::Square)?)?.unary(Self::Rsqrt)?.scale(-1.0)?,
            Self::Atan => x.unary(Self::Square)?.shift(1.0)?.unary(Self::Recip)?,
            Self::Sinh => x.unary(Self::Cosh)?,
            Self::Cosh => x.unary(Self::Sinh)?,
            Self::Tanh => one_minus(y.unary(Self::Square)?)?,
            Self::Asinh => x.unary(Self::Square)?.shift(1.0)?.unary(Self::Rsqrt)?,
            Self::Acosh => x.unary(Self::Square)?.shift(-1.0)?.unary(Self::Rsqrt)?,
            Self::Atanh => one_minus(x.unary(Self::Square)?)?.unary(Self::Recip)?,
            Self::Erf => x.unary(Self::Square)?.scale(-1.0)?.unary(Self::Exp)?.scale(FRAC_2_SQRT_PI)?,
            Self::Sigmoid => y.mul(&one_minus(y.clone())?)?,
            Self::Softplus => x.unary(Self::Sigmoid)?,
            Self::Relu => x.unary(Self::Sign)?.unary(Self::Relu)?,
            // s (1 + x (1 − s))
            Self::Silu => {
                let s = x.unary(Self::Sigmoid)?;
                s.mul(&x.mul(&one_minus(s.clone())?)?.shift(1.0)?)?
            }
            // Φ(x) + x φ(x)
            Self::Gelu => {
                let density = x.unary(Self::Square)?.scale(-0.5)?.unary(Self::Exp)?;
                normal_cdf(x)?.add(&x.mul(&density)?.scale(1.0 / (2.0 * PI).sqrt())?)?
            }
        }))
    }
}

/// `Σ cₖ xᵏ`.
fn series(x: &Tensor, coefficients: &[f64]) -> Result<Tensor> {
    let Some((highest, others)) = coefficients.split_last() else { return x.full_like(0.0) };
    let last = x.full_like(*highest)?;
    others.iter().rev().try_fold(last, |sum, c| sum.mul(x)?.shift(*c))
}
/// One value where `|x|` is below a bound, the other elsewhere.
fn chosen_below(bound: f64, x: &Tensor, near: &Tensor, far: &Tensor) -> Result<Tensor> {
    let bound = Tensor::scalar_in(x.context(), x.precision(), bound);
    x.unary(Unary::Abs)?.compare(Compare::Lower, &bound)?.choose(near, far)
}

/// Coefficients of `asin x = x + x Σ cₖ x²ᵏ⁺²` up to ½ in single precision, from S. L. Moshier's Cephes (`asinf`): 2 units in the last place.
#[allow(clippy::excessive_precision)]
pub(crate) const SHORT_ANGLE: [f64; 5] =
    [1.6666752422e-1, 7.4953002686e-2, 4.5470025998e-2, 2.4181311049e-2, 4.2163199048e-2];

/// `asin x` where `|x| < ½`, and `2 asin √((1 − |x|)/2)` for the others: not a number beyond 1.
fn angles(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let angle = |x: &Tensor, square: &Tensor| x.add(&series(square, &SHORT_ANGLE)?.mul(square)?.mul(x)?);
    let rest = x.unary(Unary::Abs)?.scale(-0.5)?.shift(0.5)?;
    Ok((angle(x, &x.unary(Unary::Square)?)?, angle(&rest.unary(Unary::Sqrt)?, &rest)?.scale(2.0)?))
}

/// What a function makes of `√(1 − x²)` between −1 and 1; beyond them not a number, which the angle of a point would not be on every driver.
fn within(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    // Without loss near ±1.
    let leg = x.scale(-1.0)?.shift(1.0)?.mul(&x.shift(1.0)?)?.unary(Unary::Sqrt)?;
    let one = Tensor::scalar_in(x.context(), x.precision(), 1.0);
    x.unary(Unary::Abs)?.compare(Compare::LowerEqual, &one)?.choose(&f(&leg)?, &leg)
}

fn normal_cdf(x: &Tensor) -> Result<Tensor> {
    x.scale(std::f64::consts::FRAC_1_SQRT_2)?.unary(Unary::Erf)?.scale(0.5)?.shift(0.5)
}

impl Tensor {
    /// Applies a function to each element.
    pub fn unary(&self, function: Unary) -> Result<Self> {
        let value = match self.elementwise(Operation::Unary(function), &[self], self.shape())? {
            Some(value) => value,
            None => match function.primitive(self.data().clone()) {
                Some(data) => Self::made_in(self.context(), data, &self.shape()),
                None => function.composed(&self.detach())?,
            },
        };
        let y = value.clone();
        Ok(value.from(self, || {
            let x = self.clone();
            move |g: &Tensor| match function {
                Unary::Neg => g.unary(Unary::Neg),
                _ => {
                    // The output enters the derivative as a function of x, so that this rule can be differentiated again.
                    let y = if x.context().is_recording() { x.unary(function)? } else { y.clone() };
                    match function.derivative(&x, &y)? {
                        Some(slope) => g.chain(&slope),
                        None => g.full_like(0.0),
                    }
                }
            }
        }))
    }

    /// An operation with a number, or what Burn makes of it on other devices.
    fn with_number(
        &self,
        operation: Operation,
        numbers: &[f64],
        otherwise: impl FnOnce(DispatchTensor) -> DispatchTensor,
    ) -> Result<Self> {
        if let Some(value) = self.elementwise_with(operation, numbers)? {
            return Ok(value);
        }
        self.context().reserve(self.len() * self.precision().bytes())?;
        Ok(Self::made_in(self.context(), otherwise(self.data().clone()), &self.shape()))
    }

    /// Multiplies by a number.
    pub fn scale(&self, factor: f64) -> Result<Self> {
        let burn = |data| Dispatch::float_mul_scalar(data, factor.into());
        let value = self.with_number(Operation::Binary(Binary::Mul), &[factor], burn)?;
        Ok(value.from(self, || move |g: &Tensor| g.scale(factor)))
    }
    /// Adds a number.
    pub fn shift(&self, term: f64) -> Result<Self> {
        let burn = |data| Dispatch::float_add_scalar(data, term.into());
        let value = self.with_number(Operation::Binary(Binary::Add), &[term], burn)?;
        Ok(value.from(self, || |g: &Tensor| Ok(g.clone())))
    }
    /// Raises to a fixed power: `xᵖ`.
    pub fn powf(&self, power: f64) -> Result<Self> {
        if power == 2.0 {
            return self.unary(Unary::Square);
        }
        // Burn takes whole powers as 32-bit integers, and panics beyond them.
        if power.abs() > 1e9 {
            return self.binary(Binary::Pow, &self.full_like(power)?);
        }
        let burn = |data| Dispatch::float_powf_scalar(data, power.into());
        let value = self.with_number(Operation::Binary(Binary::Pow), &[power], burn)?;
        Ok(value.from(self, || {
            let x = self.clone();
            move |g: &Tensor| match power {
                // 0 · x⁻¹ would be NaN at 0.
                0.0 => g.full_like(0.0),
                1.0 => Ok(g.clone()),
                _ => g.chain(&x.powf(power - 1.0)?.scale(power)?),
            }
        }))
    }
    /// Keeps each element between two bounds; the derivative is 1 inside and at the bounds, 0 outside.
    pub fn clamp(&self, low: f64, high: f64) -> Result<Self> {
        let burn = |data| Dispatch::float_clamp(data, low.into(), high.into());
        let value = self.with_number(Operation::Clamp, &[low, high], burn)?;
        Ok(value.from(self, || {
            let x = self.clone();
            move |g: &Tensor| {
                let inside = x.compare(super::Compare::GreaterEqual, &x.full_like(low)?)?;
                let inside = inside.mul(&x.compare(super::Compare::LowerEqual, &x.full_like(high)?)?)?;
                g.mul(&inside)
            }
        }))
    }
}
