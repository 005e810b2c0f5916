//! The loops behind the instructions of a [`Program`](super::fused::Program).

use super::graph::Operation;
use super::math;
use super::simd::vectorised;
use crate::tensor::{Binary, Real, Unary};

/// Values along a tile.
#[derive(Clone, Copy)]
pub enum Values<'a, T> {
    /// One for each point.
    Many(&'a [T]),
    /// The same for all.
    One(T),
}

/// Writes values.
pub fn copy<T: Real>(a: Values<'_, T>, out: &mut [T]) {
    match a {
        Values::Many(a) => out.copy_from_slice(a),
        Values::One(a) => out.fill(a),
    }
}

/// Applies a function.
pub fn unary<T: Real>(f: Unary, a: Values<'_, T>, out: &mut [T]) {
    match a {
        Values::Many(a) => many(f, a, out),
        Values::One(a) => {
            let mut one = [T::default()];
            many(f, &[a], &mut one);
            out.fill(one[0]);
        }
    }
}

/// Applies an operation.
pub fn binary<T: Real>(op: Operation, a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
    match op {
        Operation::Of(Binary::Add) => add(a, b, out),
        Operation::Of(Binary::Sub) => sub(a, b, out),
        Operation::Of(Binary::Mul) => mul(a, b, out),
        Operation::Of(Binary::Div) => div(a, b, out),
        Operation::Of(Binary::Min) => pairs(a, b, out, |a, b| if a <= b { a } else { b }),
        Operation::Of(Binary::Max) => pairs(a, b, out, |a, b| if a >= b { a } else { b }),
        Operation::Of(Binary::Pow) => match (a, b) {
            (Values::Many(a), Values::Many(b)) => math::pow(a, b, out),
            (a, b) => pairs(a, b, out, T::powf),
        },
        Operation::Of(Binary::Atan2) => pairs(a, b, out, T::atan2),
        // The remainder with the sign of b.
        Operation::Of(Binary::Rem) => pairs(a, b, out, |a, b| a - (a / b).floor() * b),
        Operation::Below => {
            let (zero, half, one) = (T::default(), T::of(0.5), T::of(1.0));
            pairs(a, b, out, |a, b| {
                if a < b {
                    one
                } else if a > b {
                    zero
                } else {
                    half
                }
            });
        }
    }
}

#[inline(always)]
fn pairs<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T], f: impl Fn(T, T) -> T) {
    match (a, b) {
        (Values::Many(a), Values::Many(b)) => out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = f(*a, *b)),
        (Values::Many(a), Values::One(b)) => out.iter_mut().zip(a).for_each(|(o, a)| *o = f(*a, b)),
        (Values::One(a), Values::Many(b)) => out.iter_mut().zip(b).for_each(|(o, b)| *o = f(a, *b)),
        (Values::One(a), Values::One(b)) => out.fill(f(a, b)),
    }
}

vectorised! {
    fn add<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) { pairs(a, b, out, |a, b| a + b) }
}
vectorised! {
    fn sub<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) { pairs(a, b, out, |a, b| a - b) }
}
vectorised! {
    fn mul<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) { pairs(a, b, out, |a, b| a * b) }
}
vectorised! {
    fn div<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) { pairs(a, b, out, |a, b| a / b) }
}
vectorised! {
    /// Functions that are arithmetic alone.
    fn arithmetic<T: Real>(f: Unary, a: &[T], out: &mut [T]) {
        let (zero, half, one) = (T::default(), T::of(0.5), T::of(1.0));
        let each = out.iter_mut().zip(a);
        match f {
            Unary::Neg => each.for_each(|(o, x)| *o = -*x),
            Unary::Abs => each.for_each(|(o, x)| *o = x.abs()),
            Unary::Sqrt => each.for_each(|(o, x)| *o = x.sqrt()),
            Unary::Rsqrt => each.for_each(|(o, x)| *o = one / x.sqrt()),
            Unary::Recip => each.for_each(|(o, x)| *o = one / *x),
            Unary::Square => each.for_each(|(o, x)| *o = *x * *x),
            Unary::Relu => each.for_each(|(o, x)| *o = if *x < zero { zero } else { *x }),
            Unary::Sign => each.for_each(|(o, x)| *o = if *x > zero { one } else if *x < zero { -one } else { zero }),
            _ => each.for_each(|(o, x)| *o = if *x > zero { one } else if *x < zero { zero } else { half }),
        }
    }
}

fn many<T: Real>(f: Unary, a: &[T], out: &mut [T]) {
    let half = T::of(0.5);
    let each = |out: &mut [T], g: fn(T) -> T| out.iter_mut().zip(a).for_each(|(o, x)| *o = g(*x));
    match f {
        Unary::Exp => math::exp(a, out),
        Unary::Expm1 => math::expm1(a, out),
        Unary::Log => math::log(a, out),
        Unary::Log1p => math::log1p(a, out),
        Unary::Sin => math::sin(a, out),
        Unary::Cos => math::cos(a, out),
        Unary::Tan => math::tan(a, out),
        Unary::Tanh => math::tanh(a, out),
        Unary::Sigmoid => math::sigmoid(a, out),
        Unary::Silu => math::silu(a, out),
        Unary::Softplus => math::softplus(a, out),
        Unary::Erf => math::erf(a, out),
        Unary::Gelu => math::gelu(a, out),
        Unary::Asin => each(out, T::asin),
        Unary::Acos => each(out, T::acos),
        Unary::Atan => each(out, T::atan),
        Unary::Sinh => each(out, T::sinh),
        Unary::Cosh => each(out, T::cosh),
        Unary::Asinh => each(out, T::asinh),
        Unary::Acosh => each(out, T::acosh),
        Unary::Atanh => each(out, T::atanh),
        Unary::Floor => each(out, T::floor),
        Unary::Ceil => each(out, T::ceil),
        // Halves to even.
        Unary::Round => out.iter_mut().zip(a).for_each(|(o, x)| {
            let tie = *x - x.floor() == half;
            *o = if tie { (*x * half).round() * T::of(2.0) } else { x.round() };
        }),
        f => arithmetic(f, a, out),
    }
}
