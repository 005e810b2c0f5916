//! The loops behind the instructions of a [`Program`](super::fused::Program).

use super::graph::Operation;
use crate::tensor::simd::vectorised;
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
        Operation::Of(Binary::Pow) => pairs(a, b, out, T::powf),
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
    let (half, one) = (T::of(0.5), T::of(1.0));
    let each = |out: &mut [T], g: fn(T) -> T| out.iter_mut().zip(a).for_each(|(o, x)| *o = g(*x));
    let sigmoid = |x: T| (x * half).tanh() * half + half;
    match f {
        Unary::Exp => each(out, T::exp),
        Unary::Expm1 => each(out, T::exp_m1),
        Unary::Log => each(out, T::ln),
        Unary::Log1p => each(out, T::ln_1p),
        Unary::Sin => each(out, T::sin),
        Unary::Cos => each(out, T::cos),
        Unary::Tan => each(out, T::tan),
        Unary::Asin => each(out, T::asin),
        Unary::Acos => each(out, T::acos),
        Unary::Atan => each(out, T::atan),
        Unary::Sinh => each(out, T::sinh),
        Unary::Cosh => each(out, T::cosh),
        Unary::Tanh => each(out, T::tanh),
        Unary::Asinh => each(out, T::asinh),
        Unary::Acosh => each(out, T::acosh),
        Unary::Atanh => each(out, T::atanh),
        Unary::Floor => each(out, T::floor),
        Unary::Ceil => each(out, T::ceil),
        // Halves to even.
        Unary::Round => out.iter_mut().zip(a).for_each(|(o, x)| {
            let below = x.floor();
            *o = if *x - below == half { (*x * half).round() * (one + one) } else { x.round() };
        }),
        Unary::Sigmoid => out.iter_mut().zip(a).for_each(|(o, x)| *o = sigmoid(*x)),
        Unary::Silu => out.iter_mut().zip(a).for_each(|(o, x)| *o = *x * sigmoid(*x)),
        Unary::Softplus => {
            out.iter_mut()
                .zip(a)
                .for_each(|(o, x)| *o = (-x.abs()).exp().ln_1p() + if *x > T::default() { *x } else { T::default() });
        }
        f => arithmetic(f, a, out),
    }
}
