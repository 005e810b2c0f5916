//! The instructions of one pass over tiles.

use super::super::graph::Operation;
use super::super::operation;
use super::linear::{self, Part, Prepared, Values};
use crate::tensor::{Real, Unary};

/// Bytes of a tile: a few registers of them stay in the nearest cache.
const TILE: usize = 8192;
/// Values that are added up in one instruction.
pub const MOST_TERMS: usize = 16;
/// Maps that are added up in one instruction.
pub const MOST_PARTS: usize = 8;

/// What an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A tile of an earlier result.
    Register(usize),
    /// A tile of an array.
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
    fn value<T: Real>(&self, scalars: &[f64]) -> T {
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
    /// Numbers of an array of one sample.
    pub count: usize,
    /// In order.
    pub code: Vec<Instruction>,
    /// Sums over all numbers: of what, and the scalar that it becomes.
    pub sums: Vec<(Operand, usize)>,
    /// Arrays that something is added to.
    pub added: Vec<(usize, Operand)>,
}

/// What a thread works with.
pub struct Tiles<T> {
    registers: Vec<Vec<T>>,
    /// Of the sums of a pass, in their order.
    pub sums: Vec<f64>,
}

impl<T: Real> Tiles<T> {
    /// For passes with so many registers and sums at most.
    pub fn new(registers: usize, sums: usize) -> Self {
        let tile = vec![T::default(); TILE / size_of::<T>()];
        Self { registers: vec![tile; registers], sums: vec![0.0; sums] }
    }
}

/// All arrays, where passes find them.
pub struct Bases<T>(Vec<(*mut T, usize)>);
// SAFETY: a pass writes a tile of an array from one thread only, and reads whole arrays only where it writes none of their tiles.
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
    /// A whole array that the pass does not write.
    fn all(&self, array: usize) -> &[T] {
        let (base, len) = self.0[array];
        // SAFETY: the array lives as long as the pass, which does not write it: what maps read was written by a pass before.
        unsafe { std::slice::from_raw_parts(base, len) }
    }
    /// A tile of an array.
    fn tile(&self, array: usize, (start, end): (usize, usize)) -> &[T] {
        let (base, len) = self.0[array];
        assert!(start <= end && end <= len);
        // SAFETY: in bounds; tiles belong to one thread each, and no instruction writes what it reads.
        unsafe { std::slice::from_raw_parts(base.add(start), end - start) }
    }
    /// A tile of an array that is written.
    #[allow(clippy::mut_from_ref)] // as of a cell: see below
    fn tile_mut(&self, array: usize, (start, end): (usize, usize)) -> &mut [T] {
        let (base, len) = self.0[array];
        assert!(start <= end && end <= len);
        // SAFETY: in bounds; tiles belong to one thread each, and no instruction writes what it reads.
        unsafe { std::slice::from_raw_parts_mut(base.add(start), end - start) }
    }
}

impl Pass {
    /// Works on the numbers `from … to` of arrays.
    pub fn run<T: Real>(
        &self,
        maps: &[Prepared<T>],
        scalars: &[f64],
        bases: &Bases<T>,
        tiles: &mut Tiles<T>,
        (from, to): (usize, usize),
    ) {
        let Tiles { registers, sums } = tiles;
        for start in (from..to).step_by(TILE / size_of::<T>()) {
            let range = (start, (start + TILE / size_of::<T>()).min(to));
            let len = range.1 - range.0;
            for Instruction { code, to } in &self.code {
                // Out of its place while it is written; no instruction reads it.
                let mut own = Vec::new();
                let write = match to {
                    Operand::Register(r) => {
                        own = std::mem::take(&mut registers[*r]);
                        &mut own[..len]
                    }
                    Operand::Buffer(b) => bases.tile_mut(*b, range),
                    Operand::Scalar(_) => continue,
                };
                let many = |operand: &Operand| match operand {
                    Operand::Register(r) => &registers[*r][..len],
                    Operand::Buffer(b) => bases.tile(*b, range),
                    Operand::Scalar(_) => &[],
                };
                let read = |operand: &Operand| match operand {
                    Operand::Scalar(s) => operation::Values::One(T::of(scalars[*s])),
                    _ => operation::Values::Many(many(operand)),
                };
                match code {
                    Code::Copy(a) => operation::copy(read(a), write),
                    Code::Unary(f, a) => operation::unary(*f, read(a), write),
                    Code::Binary(op, a, b) => operation::binary(*op, read(a), read(b), write),
                    Code::Linear(terms, parts) => {
                        let mut values: [(&[T], T); MOST_TERMS] = [(&[], T::default()); MOST_TERMS];
                        for (place, (w, a)) in values.iter_mut().zip(terms) {
                            *place = (many(a), w.value(scalars));
                        }
                        let part = |(w, map, a): &(Weight, usize, Operand)| Part {
                            map: &maps[*map],
                            weight: w.value(scalars),
                            of: match a {
                                Operand::Buffer(b) => Values::All(bases.all(*b)),
                                Operand::Scalar(s) => Values::One(T::of(scalars[*s])),
                                Operand::Register(_) => Values::One(T::default()),
                            },
                        };
                        let values = &values[..terms.len().min(MOST_TERMS)];
                        if let Some((first, others)) = parts.split_first() {
                            let mut all = [part(first); MOST_PARTS];
                            all.iter_mut().skip(1).zip(others).for_each(|(to, from)| *to = part(from));
                            linear::sum(write, start, values, &all[..parts.len().min(MOST_PARTS)]);
                        } else {
                            linear::sum(write, start, values, &[]);
                        }
                    }
                }
                if let Operand::Register(r) = to {
                    registers[*r] = own;
                }
            }
            let read = |operand: &Operand| match operand {
                Operand::Register(r) => &registers[*r][..len],
                Operand::Buffer(b) => bases.tile(*b, range),
                Operand::Scalar(_) => &[],
            };
            for (sum, (a, _)) in sums.iter_mut().zip(&self.sums) {
                *sum += match a {
                    Operand::Scalar(s) => scalars[*s] * len as f64,
                    a => linear::total(read(a)),
                };
            }
            for (to, a) in &self.added {
                let to = bases.tile_mut(*to, range);
                match a {
                    Operand::Scalar(s) => to.iter_mut().for_each(|o| *o = *o + T::of(scalars[*s])),
                    a => to.iter_mut().zip(read(a)).for_each(|(o, x)| *o = *o + *x),
                }
            }
        }
    }
}
