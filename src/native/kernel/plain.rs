//! A function by loops of their own for each of its operations, tile by tile: on processors for which no code is made.

use super::super::graph;
use super::super::operation::{self, Values};
use super::function::{Function, Operation, Stream};
use crate::tensor::{Binary, Real, Unary};

/// Numbers of a tile.
const TILE: usize = 256;

/// As [`Kernel::run`](super::Kernel::run).
///
/// # Safety
/// As there.
pub unsafe fn run<T: Real>(function: &Function, slots: &[*mut T], numbers: &[T], len: usize) {
    let operations = function.operations();
    let tile = TILE.min(len).max(1);
    let mut values = vec![T::default(); operations.len() * tile];
    for start in (0..len).step_by(tile) {
        let count = tile.min(len - start);
        let at = |stream: &Stream| slots[stream.slot].wrapping_offset(stream.shift + start as isize);
        for (i, own) in operations.iter().enumerate() {
            let (before, rest) = values.split_at_mut(i * tile);
            let out = &mut rest[..count];
            let given = |value: usize| match operations[value] {
                Operation::Number(n) => Values::One(numbers[n]),
                _ => Values::Many(&before[value * tile..][..count]),
            };
            let of = |op: Binary| graph::Operation::Of(op);
            match *own {
                // SAFETY: the caller's streams are as long as it says.
                Operation::Load(ref from) => unsafe {
                    std::ptr::copy_nonoverlapping(at(from), out.as_mut_ptr(), count)
                },
                Operation::Number(n) => out.fill(numbers[n]),
                Operation::Add(a, b) => operation::binary(of(Binary::Add), given(a), given(b), out),
                Operation::Sub(a, b) => operation::binary(of(Binary::Sub), given(a), given(b), out),
                Operation::Mul(a, b) => operation::binary(of(Binary::Mul), given(a), given(b), out),
                Operation::Div(a, b) => operation::binary(of(Binary::Div), given(a), given(b), out),
                Operation::Sqrt(a) => operation::unary(Unary::Sqrt, given(a), out),
                Operation::Abs(a) => operation::unary(Unary::Abs, given(a), out),
            }
        }
        for (stream, value) in function.stores() {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(values[value * tile..].as_ptr(), at(stream), count) };
        }
    }
}
