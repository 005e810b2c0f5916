//! Functions and operations of numbers, as the tensor operations of [`unary`](crate::tensor::Unary) compute them on a card. Where what a driver
//! or CubeCL offers loses digits, it is written here from others: inverse sine and cosine, `expm1`, `log1p`.

use cubecl::prelude::*;

use crate::tensor::{Binary, SHORT_ANGLE, Unary};

/// A function of a number.
#[cube]
pub fn unary(x: f32, #[comptime] f: Unary) -> f32 {
    match comptime!(f) {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => sign(x),
        Unary::Exp => x.exp(),
        Unary::Expm1 => expm1(x),
        Unary::Log => x.ln(),
        Unary::Log1p => log1p(x),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0f32 / x.sqrt(),
        Unary::Recip => 1.0f32 / x,
        Unary::Square => x * x,
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.tan(),
        Unary::Asin => asin(x),
        Unary::Acos => acos(x),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Asinh => x.asinh(),
        Unary::Acosh => x.acosh(),
        Unary::Atanh => x.atanh(),
        Unary::Erf => Erf::erf(x),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round(),
        Unary::Sigmoid => sigmoid(x),
        Unary::Softplus => x.max(0.0f32) + log1p((-x.abs()).exp()),
        Unary::Relu => x.max(0.0f32),
        Unary::Silu => x * sigmoid(x),
        Unary::Gelu => x * (0.5f32 * Erf::erf(x * comptime!(std::f32::consts::FRAC_1_SQRT_2)) + 0.5f32),
        Unary::Heaviside => 0.5f32 * sign(x) + 0.5f32,
    }
}

/// An operation on two numbers.
#[cube]
pub fn binary(a: f32, b: f32, #[comptime] op: Binary) -> f32 {
    match comptime!(op) {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Rem => a.mod_floor(b),
        Binary::Atan2 => a.atan2(b),
        Binary::Min => select(a < b, a, select(b <= a, b, a + b)),
        Binary::Max => select(a > b, a, select(b >= a, b, a + b)),
    }
}

/// 1 where `a < b`, ½ where they are equal.
#[cube]
pub fn below(a: f32, b: f32) -> f32 {
    select(a < b, 1.0f32, select(a == b, 0.5f32, 0.0f32))
}

/// The inverse sine of a number up to ½ whose square is given: S. L. Moshier's polynomial in Cephes (`asinf`), 2 units in the last place.
#[cube]
fn short_angle(x: f32, square: f32) -> f32 {
    let mut sum = 0.0f32;
    #[unroll]
    for i in 0..5usize {
        sum = sum * square + comptime!(SHORT_ANGLE[4 - i] as f32);
    }
    x + x * square * sum
}

/// Beyond ½ by `π/2 − 2 asin √((1 − |x|)/2)`, which is not a number beyond 1.
#[cube]
fn asin(x: f32) -> f32 {
    let rest = 0.5f32 - 0.5f32 * x.abs();
    let far = comptime!(std::f32::consts::FRAC_PI_2) - 2.0f32 * short_angle(rest.sqrt(), rest);
    select(x.abs() < 0.5f32, short_angle(x, x * x), sign(x) * far)
}

#[cube]
fn acos(x: f32) -> f32 {
    let rest = 0.5f32 - 0.5f32 * x.abs();
    let far = 2.0f32 * short_angle(rest.sqrt(), rest);
    let far = select(x < 0.0f32, comptime!(std::f32::consts::PI) - far, far);
    select(x.abs() < 0.5f32, comptime!(std::f32::consts::FRAC_PI_2) - short_angle(x, x * x), far)
}

#[cube]
fn sign(x: f32) -> f32 {
    select(x > 0.0f32, 1.0f32, select(x < 0.0f32, -1.0f32, 0.0f32))
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    0.5f32 * (0.5f32 * x).tanh() + 0.5f32
}

/// Near 0, where a card loses its digits, `x Σ xᵏ/(k + 1)!`.
#[cube]
fn expm1(x: f32) -> f32 {
    let mut sum = 0.0f32;
    #[unroll]
    for i in 0..9u32 {
        sum = sum * x + comptime!(1.0f32 / (1..=9 - i).map(|k| k as f32).product::<f32>());
    }
    select(x.abs() < 0.5f32, sum * x, x.exp() - 1.0f32)
}

/// Near 0 `2 artanh(s)` with `s = x/(2 + x)`; CubeCL has the logarithm of `1 + x`.
#[cube]
fn log1p(x: f32) -> f32 {
    let s = x / (2.0f32 + x);
    let square = s * s;
    let mut sum = 0.0f32;
    #[unroll]
    for i in 0..6u32 {
        sum = sum * square + comptime!(2.0f32 / (2 * (5 - i) + 1) as f32);
    }
    select(x.abs() < 0.25f32, sum * s, (1.0f32 + x).ln())
}
