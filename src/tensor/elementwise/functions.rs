//! Functions of elements as vector loops. Burn calls the library's function for one element after the other.

use crate::native::math;
use crate::tensor::simd::vectorised;
use crate::tensor::{Real, Unary};

/// The function of each number.
pub(crate) fn evaluate<T: Real>(function: Unary, x: &[T], out: &mut [T]) {
    match function {
        Unary::Exp => math::exp(x, out),
        Unary::Expm1 => math::expm1(x, out),
        Unary::Log => math::log(x, out),
        Unary::Log1p => math::log1p(x, out),
        Unary::Sqrt => math::sqrt(x, out),
        Unary::Recip => math::recip(x, out),
        Unary::Sin => math::sin(x, out),
        Unary::Cos => math::cos(x, out),
        Unary::Tan => math::tan(x, out),
        Unary::Tanh => math::tanh(x, out),
        Unary::Erf => math::erf(x, out),
        Unary::Sigmoid => math::sigmoid(x, out),
        Unary::Softplus => math::softplus(x, out),
        Unary::Silu => math::silu(x, out),
        Unary::Gelu => math::gelu(x, out),
        Unary::Asin => library(x, out, T::asin),
        Unary::Acos => library(x, out, T::acos),
        Unary::Atan => library(x, out, T::atan),
        Unary::Sinh => library(x, out, T::sinh),
        Unary::Cosh => library(x, out, T::cosh),
        Unary::Asinh => library(x, out, T::asinh),
        Unary::Acosh => library(x, out, T::acosh),
        Unary::Atanh => library(x, out, T::atanh),
        Unary::Neg
        | Unary::Abs
        | Unary::Sign
        | Unary::Rsqrt
        | Unary::Square
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Relu
        | Unary::Heaviside => arithmetic(function, x, out),
    }
}

/// Functions that the C library has and nobody asked to be faster.
fn library<T: Real>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    each(x, out, f);
}

#[inline(always)]
fn each<T: Real>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

vectorised! {
    /// Functions that are arithmetic alone.
    fn arithmetic<T: Real>(function: Unary, x: &[T], out: &mut [T]) {
        let (zero, one) = (T::zero(), T::one());
        // Adding and subtracting it rounds to a whole number, halves to even, as long as there is a fraction.
        let ulp = one / T::epsilon();
        let whole = |x: T| {
            let size = x.abs();
            if size < ulp { ((size + ulp) - ulp).copysign(x) } else { x }
        };
        match function {
            Unary::Neg => each(x, out, |x| -x),
            Unary::Abs => each(x, out, |x| x.abs()),
            Unary::Square => each(x, out, |x| x * x),
            Unary::Rsqrt => each(x, out, |x| one / x.sqrt()),
            Unary::Relu => each(x, out, |x| if x < zero { zero } else { x }),
            Unary::Sign => each(x, out, |x| if x > zero { one } else if x < zero { -one } else { x }),
            Unary::Heaviside => each(x, out, |x| {
                let half = one / (one + one);
                if x > zero { one } else if x < zero { zero } else { half + x }
            }),
            Unary::Floor => each(x, out, |x| {
                let y = whole(x);
                if y > x { y - one } else { y }
            }),
            Unary::Ceil => each(x, out, |x| {
                let y = whole(x);
                if y < x { (y + one).copysign(x) } else { y }
            }),
            _ => each(x, out, whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::simd::at_each_level;
    use crate::tensor::Tensor;
    use crate::tensor::tests::context;

    #[test]
    fn functions_of_arithmetic_are_the_librarys() {
        let x: Vec<f64> =
            (-40..=40).map(|i| i as f64 * 0.25).chain([-0.0, 1e300, f64::INFINITY, -f64::INFINITY]).collect();
        type Library = fn(f64) -> f64;
        let cases: [(Unary, Library); 9] = [
            (Unary::Neg, |x| -x),
            (Unary::Abs, f64::abs),
            (Unary::Sign, |x| if x == 0.0 { 0.0 } else { x.signum() }),
            (Unary::Square, |x| x * x),
            (Unary::Floor, f64::floor),
            (Unary::Ceil, f64::ceil),
            (Unary::Round, f64::round_ties_even),
            (Unary::Relu, |x| x.max(0.0)),
            (Unary::Heaviside, |x| if x == 0.0 { 0.5 } else { (x.signum() + 1.0) / 2.0 }),
        ];
        at_each_level(|_| {
            for (function, exact) in cases {
                let mut y = vec![0.0; x.len()];
                evaluate(function, &x, &mut y);
                for (&x, &y) in x.iter().zip(&y) {
                    assert_eq!(y, exact(x), "{function:?} of {x}");
                }
                let mut y = [0.0];
                evaluate(function, &[f64::NAN], &mut y);
                assert!(y[0].is_nan(), "{function:?} of NaN");
            }
        });
    }

    #[test]
    fn all_functions_agree_with_burn() {
        let c = context();
        let x: Vec<f64> = (0..3000).map(|i| (i as f64 * 0.61).sin() * 0.98).collect();
        for shape in [vec![], vec![0], vec![7], vec![3, 1000]] {
            let n = shape.iter().product();
            let x = Tensor::new(&c, x[..n].to_vec(), &shape).unwrap();
            for (name, function) in Unary::ALL {
                let Some(expected) = function.primitive(x.data().clone()) else { continue };
                let expected = Tensor::made(&c, expected).to_vec().unwrap();
                let found = x.unary(function).unwrap();
                assert_eq!(found.shape(), shape);
                for (a, b) in found.to_vec().unwrap().iter().zip(&expected) {
                    let near = a == b || (a - b).abs() <= 1e-15 * b.abs() || a.is_nan() && b.is_nan();
                    assert!(near, "{name}: {a:e}, {b:e}");
                }
            }
        }
    }
}
