//! Elementwise operations in order as one pass over memory.
//!
//! The pass goes tile by tile: a few thousand neighbouring elements, for which every instruction is one vector loop. What an instruction
//! reads was written a moment ago and is still in the nearest cache; between the first and the last one nothing goes to memory. Large
//! passes are split among threads. Each element sees the same operations in the same order as it would one pass after the other, so the bits are the same.

use super::functions::evaluate;
use super::operations::{self, Values};
use crate::tensor::random::{self, Draw, Drawable};
use crate::tensor::{Binary, Compare, Real, Unary, share};

/// What is done to elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    /// A function of one.
    Unary(Unary),
    /// An operation on two.
    Binary(Binary),
    /// 1 or 0.
    Compare(Compare),
    /// The second where the first is not 0, else the third.
    Choose,
    /// The first, not below the second and not above the third.
    Clamp,
    /// Random numbers: a function of the place.
    Draw(Draw),
}

/// What an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// A tile.
    Register(usize),
    /// A tensor that is given.
    Input(usize),
    /// A number.
    Number(f64),
    /// A tensor that is made.
    Output(usize),
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub operation: Operation,
    /// As many as the operation has operands; the rest is not read.
    pub from: [Place; 3],
    pub to: Place,
}

/// Numbers that are given, over all elements in row-major order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a, T> {
    /// One for each element.
    Each(&'a [T]),
    /// Element `i` has number `(i / repeat) mod len`.
    Repeated { numbers: &'a [T], repeat: usize },
}

/// Operations in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub code: Vec<Instruction>,
    pub registers: usize,
    pub outputs: usize,
}

/// Bytes of a tile: a few of them fill the nearest cache.
const TILE_BYTES: usize = 8192;
/// Tiles that a thread takes at a time, at least.
const TILES: usize = 4;
/// Parts for each thread: one that began late takes fewer of them.
const PARTS: usize = 8;
/// Elements times instructions that are not worth a second thread.
const ALONE: usize = 1 << 16;

impl Program {
    /// Computes the outputs, each of `len` elements.
    pub fn run<T: Real + Drawable>(&self, inputs: &[Input<'_, T>], len: usize) -> Vec<Vec<T>> {
        let mut outputs: Vec<Vec<T>> = (0..self.outputs).map(|_| Vec::with_capacity(len)).collect();
        for output in &mut outputs {
            // SAFETY: the capacity is `len`, any bits are a float, and the pass below writes every element before anything reads it.
            #[allow(clippy::uninit_vec)]
            unsafe {
                output.set_len(len);
            }
        }
        let tile = TILE_BYTES / size_of::<T>();
        let drawing = self.code.iter().any(|i| matches!(i.operation, Operation::Draw(_)));
        let work = len.saturating_mul(self.code.len() + if drawing { 20 } else { 0 });
        if work <= ALONE || len <= tile {
            let outs = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            self.part(inputs, 0, len, outs, &mut Tiles::default());
            return outputs;
        }
        let tiles = len.div_ceil(tile * PARTS * rayon::current_num_threads()).max(TILES);
        let portion = tile * tiles;
        let mut rest: Vec<_> = outputs.iter_mut().map(|out| out.chunks_mut(portion)).collect();
        let parts: Vec<(usize, Vec<&mut [T]>)> = (0..len)
            .step_by(portion)
            .map(|start| (start, rest.iter_mut().filter_map(Iterator::next).collect()))
            .collect();
        share(parts, Tiles::default, |tiles, (start, outs)| {
            self.part(inputs, start, portion.min(len - start), outs, tiles);
        });
        outputs
    }

    /// The elements from `start` on.
    fn part<T: Real + Drawable>(
        &self,
        inputs: &[Input<'_, T>],
        start: usize,
        len: usize,
        mut outs: Vec<&mut [T]>,
        tiles: &mut Tiles<T>,
    ) {
        let tile = TILE_BYTES / size_of::<T>();
        tiles.registers.resize_with(self.registers, || vec![T::default(); tile]);
        tiles.loaded.resize_with(inputs.len(), Vec::new);
        for at in (0..len).step_by(tile) {
            let count = tile.min(len - at);
            for (input, loaded) in inputs.iter().zip(&mut tiles.loaded) {
                load(input, start + at, count, loaded);
            }
            for instruction in &self.code {
                self.step(instruction, inputs, start, at, count, &mut outs, tiles);
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn step<T: Real + Drawable>(
        &self,
        instruction: &Instruction,
        inputs: &[Input<'_, T>],
        start: usize,
        at: usize,
        count: usize,
        outs: &mut [&mut [T]],
        tiles: &mut Tiles<T>,
    ) {
        // What is written is taken out of its list meanwhile, so that the others can be read.
        let (mut register, mut output): (Vec<T>, &mut [T]) = (Vec::new(), &mut []);
        let to: &mut [T] = match instruction.to {
            Place::Register(i) => {
                register = std::mem::take(&mut tiles.registers[i]);
                &mut register[..count]
            }
            Place::Output(i) => {
                output = std::mem::take(&mut outs[i]);
                &mut output[at..at + count]
            }
            _ => return,
        };
        let read = |place: Place| match place {
            Place::Register(i) => Values::Many(&tiles.registers[i][..count]),
            Place::Output(i) => Values::Many(&outs[i][at..at + count]),
            Place::Number(number) => Values::One(T::of(number)),
            Place::Input(i) => match inputs[i] {
                Input::Each(numbers) => Values::Many(&numbers[start + at..][..count]),
                Input::Repeated { .. } => Values::Many(&tiles.loaded[i][..count]),
            },
        };
        let [a, b, c] = instruction.from;
        match &instruction.operation {
            &Operation::Unary(function) => match read(a) {
                Values::Many(a) => evaluate(function, a, to),
                Values::One(a) => {
                    let mut one = [T::default()];
                    evaluate(function, &[a], &mut one);
                    to.fill(one[0]);
                }
            },
            &Operation::Binary(op) => operations::binary(op, read(a), read(b), to),
            &Operation::Compare(op) => operations::compare(op, read(a), read(b), to),
            Operation::Choose => operations::choose(read(a), read(b), read(c), to),
            Operation::Clamp => operations::clamp(read(a), read(b), read(c), to),
            Operation::Draw(draw) => random::fill_part(draw, start + at, to),
        }
        match instruction.to {
            Place::Register(i) => tiles.registers[i] = register,
            Place::Output(i) => outs[i] = output,
            _ => {}
        }
    }
}

/// Working space of a thread.
#[derive(Default)]
struct Tiles<T> {
    registers: Vec<Vec<T>>,
    /// The tile of each input that is not one number for each element.
    loaded: Vec<Vec<T>>,
}

/// The elements `start..start + count` of an input that repeats its numbers.
fn load<T: Real>(input: &Input<'_, T>, start: usize, count: usize, to: &mut Vec<T>) {
    let Input::Repeated { numbers, repeat } = *input else { return };
    to.clear();
    let (mut at, mut offset) = (start / repeat % numbers.len().max(1), start % repeat);
    while to.len() < count && !numbers.is_empty() {
        let room = count - to.len();
        if repeat == 1 {
            let run = room.min(numbers.len() - at);
            to.extend_from_slice(&numbers[at..at + run]);
            at = 0;
        } else {
            to.resize(to.len() + room.min(repeat - offset), numbers[at]);
            (at, offset) = ((at + 1) % numbers.len(), 0);
        }
    }
}
