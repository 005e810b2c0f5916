//! Vector loops of operations on two or three numbers.

use crate::native::math;
use crate::tensor::simd::vectorised;
use crate::tensor::{Binary, Compare, Real};

/// Operands along a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a, T> {
    /// One for each element.
    Many(&'a [T]),
    /// The same for all.
    One(T),
}

/// A function of each pair.
#[inline(always)]
pub(crate) fn pairs<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T], f: impl Fn(T, T) -> T) {
    // Plain loops: closures of iterators are not always inlined, and would run at the portable width of vectors.
    match (a, b) {
        (Values::Many(a), Values::Many(b)) => {
            for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
                *o = f(*a, *b);
            }
        }
        (Values::Many(a), Values::One(b)) => {
            for (o, a) in out.iter_mut().zip(a) {
                *o = f(*a, b);
            }
        }
        (Values::One(a), Values::Many(b)) => {
            for (o, b) in out.iter_mut().zip(b) {
                *o = f(a, *b);
            }
        }
        (Values::One(a), Values::One(b)) => out.fill(f(a, b)),
    }
}

/// Applies an operation to pairs of numbers.
pub(crate) fn binary<T: Real>(op: Binary, a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
    match op {
        Binary::Add => add(a, b, out),
        Binary::Sub => sub(a, b, out),
        Binary::Mul => mul(a, b, out),
        Binary::Div => div(a, b, out),
        Binary::Min => min(a, b, out),
        Binary::Max => max(a, b, out),
        Binary::Pow => match (a, b) {
            (Values::Many(a), Values::Many(b)) => math::pow(a, b, out),
            (a, Values::One(p)) => power(a, p, out),
            (a, b) => pairs(a, b, out, |a, b| a.vpow(b)),
        },
        Binary::Atan2 => pairs(a, b, out, |a, b| a.atan2(b)),
        // The remainder with the sign of b.
        Binary::Rem => pairs(a, b, out, |a, b| {
            let r = a % b;
            if r != T::zero() && (r < T::zero()) != (b < T::zero()) { r + b } else { r }
        }),
    }
}

vectorised! {
    fn add<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| a + b);
    }
}
vectorised! {
    fn sub<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| a - b);
    }
}
vectorised! {
    fn mul<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| a * b);
    }
}
vectorised! {
    fn div<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| a / b);
    }
}
vectorised! {
    fn min<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| if a <= b { a } else { b });
    }
}
vectorised! {
    fn max<T: Real>(a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        pairs(a, b, out, |a, b| if a >= b { a } else { b });
    }
}
vectorised! {
    /// A fixed power.
    fn power<T: Real>(a: Values<'_, T>, p: T, out: &mut [T]) {
        let one = T::one();
        let p64 = p.f64();
        let single = Values::One(p);
        if p64 == 1.0 {
            pairs(a, single, out, |a, _| a);
        } else if p64 == 2.0 {
            pairs(a, single, out, |a, _| a * a);
        } else if p64 == -1.0 {
            pairs(a, single, out, |a, _| one / a);
        } else if p64 == -2.0 {
            pairs(a, single, out, |a, _| one / (a * a));
        } else {
            pairs(a, single, out, |a, p| a.vpow(p));
        }
    }
}

vectorised! {
    /// 1 where the comparison holds, 0 where not.
    fn compare_loops<T: Real>(op: Compare, a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
        let (one, zero) = (T::one(), T::zero());
        match op {
            Compare::Equal => pairs(a, b, out, |a, b| if a == b { one } else { zero }),
            Compare::NotEqual => pairs(a, b, out, |a, b| if a != b { one } else { zero }),
            Compare::Lower => pairs(a, b, out, |a, b| if a < b { one } else { zero }),
            Compare::LowerEqual => pairs(a, b, out, |a, b| if a <= b { one } else { zero }),
            Compare::Greater => pairs(a, b, out, |a, b| if a > b { one } else { zero }),
            Compare::GreaterEqual => pairs(a, b, out, |a, b| if a >= b { one } else { zero }),
        }
    }
}
/// 1 where the comparison holds, 0 where not.
pub(crate) fn compare<T: Real>(op: Compare, a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
    compare_loops(op, a, b, out);
}

vectorised! {
    fn choose_loops<T: Real>(mask: Values<'_, T>, yes: Values<'_, T>, no: Values<'_, T>, out: &mut [T]) {
        let zero = T::zero();
        match mask {
            Values::One(mask) => pairs(yes, no, out, |yes, no| if mask != zero { yes } else { no }),
            Values::Many(mask) => {
                // The mask first, then both branches over it.
                out.copy_from_slice(mask);
                match (yes, no) {
                    (Values::Many(yes), Values::Many(no)) => out
                        .iter_mut()
                        .zip(yes)
                        .zip(no)
                        .for_each(|((o, yes), no)| *o = if *o != zero { *yes } else { *no }),
                    (Values::Many(yes), Values::One(no)) => {
                        out.iter_mut().zip(yes).for_each(|(o, yes)| *o = if *o != zero { *yes } else { no });
                    }
                    (Values::One(yes), Values::Many(no)) => {
                        out.iter_mut().zip(no).for_each(|(o, no)| *o = if *o != zero { yes } else { *no });
                    }
                    (Values::One(yes), Values::One(no)) => {
                        out.iter_mut().for_each(|o| *o = if *o != zero { yes } else { no });
                    }
                }
            }
        }
    }
}
/// `yes` where the mask is not 0, `no` where it is.
pub(crate) fn choose<T: Real>(mask: Values<'_, T>, yes: Values<'_, T>, no: Values<'_, T>, out: &mut [T]) {
    choose_loops(mask, yes, no, out);
}

vectorised! {
    fn clamp_loops<T: Real>(x: Values<'_, T>, low: T, high: T, out: &mut [T]) {
        pairs(x, Values::One(low), out, |x, low| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        });
    }
}
/// Each number between two bounds; NaN stays what it is, and a bound that is NaN makes all of them NaN.
pub(crate) fn clamp<T: Real>(x: Values<'_, T>, low: Values<'_, T>, high: Values<'_, T>, out: &mut [T]) {
    let (Values::One(low), Values::One(high)) = (low, high) else { return };
    if low.is_nan() || high.is_nan() {
        return out.fill(T::nan());
    }
    clamp_loops(x, low, high, out);
}
