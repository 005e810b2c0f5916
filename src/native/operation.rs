//! The loops behind the instructions of a [`Program`](super::fused::Program): those of tensors, so that both lanes do the same to each number.

use super::graph::Operation;
use crate::tensor::elementwise::{self, evaluate};
use crate::tensor::{Real, Unary};

pub(super) use crate::tensor::elementwise::Values;

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
        Values::Many(a) => evaluate(f, a, out),
        Values::One(a) => {
            let mut one = [T::default()];
            evaluate(f, &[a], &mut one);
            out.fill(one[0]);
        }
    }
}

/// Applies an operation.
pub fn binary<T: Real>(op: Operation, a: Values<'_, T>, b: Values<'_, T>, out: &mut [T]) {
    match op {
        Operation::Of(op) => elementwise::binary(op, a, b, out),
        Operation::Below => {
            let (zero, half, one) = (T::default(), T::of(0.5), T::of(1.0));
            elementwise::pairs(a, b, out, |a, b| {
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
