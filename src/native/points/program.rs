//! The instructions of one pass over arrays.

use super::super::graph::Operation;
use crate::tensor::{Real, Unary};

/// Values that are added up in one instruction.
pub const MOST_TERMS: usize = 16;
/// Maps that are added up in one instruction.
pub const MOST_PARTS: usize = 8;

/// What an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// An earlier result; of loops each has its own name, and maps may read it.
    Register(usize),
    /// An array, at the place that is worked on.
    Buffer(usize),
    /// The same number everywhere.
    Scalar(usize),
}

/// A number times scalars.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// The number.
    pub number: f64,
    /// Scalars by their places.
    pub scalars: Vec<usize>,
}

impl Weight {
    pub(super) fn value<T: Real>(&self, scalars: &[f64]) -> T {
        T::of(self.scalars.iter().fold(self.number, |w, s| w * scalars[*s]))
    }
}

/// What is computed.
#[derive(Clone, Debug)]
pub enum Code {
    /// What is there already.
    Copy(Operand),
    /// A function.
    Unary(Unary, Operand),
    /// An operation.
    Binary(Operation, Operand, Operand),
    /// Weighted values, and maps, by their numbers, of whole arrays or of scalars.
    Linear(Vec<(Weight, Operand)>, Vec<(Weight, usize, Operand)>),
}

/// One instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// What is computed.
    pub code: Code,
    /// Where it goes.
    pub to: Operand,
}

/// One pass over arrays of a form.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Its number among all passes.
    pub number: usize,
    /// The lengths of the axes of what it makes.
    pub shape: [usize; 3],
    /// Numbers of an array of one sample.
    pub count: usize,
    /// In order.
    pub code: Vec<Instruction>,
    /// Sums over all numbers: of what, and the scalar that it becomes.
    pub sums: Vec<(Operand, usize)>,
    /// Arrays that something is added to.
    pub added: Vec<(usize, Operand)>,
}

/// All arrays, where passes find them.
pub struct Bases<T>(Vec<(*mut T, usize)>);
// SAFETY: a pass writes a place of an array from one thread only, and reads other places of an array only where it writes none.
unsafe impl<T: Send> Sync for Bases<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Bases<T> {}

impl<T> Default for Bases<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Real> Bases<T> {
    /// Looks where the arrays are; they stay there as long as passes run.
    pub fn set(&mut self, arrays: &mut [Vec<T>]) {
        self.0.clear();
        self.0.extend(arrays.iter_mut().map(|array| (array.as_mut_ptr(), array.len())));
    }
    /// A place of an array; panics unless the array has the numbers `from … to`, which are reached from there.
    pub(super) fn pointer(&self, array: usize, at: isize, from: isize, to: isize) -> *mut T {
        let (base, len) = self.0[array];
        assert!(from >= 0 && to <= len as isize, "array {array} of {len} numbers has none at {from} … {to}");
        base.wrapping_offset(at)
    }
    /// Numbers of an array that the pass does not write, so far from one another.
    pub(super) fn gather(&self, array: usize, from: isize, stride: usize, out: &mut [T]) {
        let first = self.pointer(array, from, from, from + (stride * out.len().saturating_sub(1)) as isize + 1);
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: as far as the last one the array was found to have them.
            *out = unsafe { *first.add(i * stride) };
        }
    }
    /// Writes such numbers.
    pub(super) fn scatter(&self, array: usize, from: isize, stride: usize, numbers: &[T]) {
        let first = self.pointer(array, from, from, from + (stride * numbers.len().saturating_sub(1)) as isize + 1);
        for (i, number) in numbers.iter().enumerate() {
            // SAFETY: as above; places belong to one thread each.
            unsafe { *first.add(i * stride) = *number };
        }
    }
}
