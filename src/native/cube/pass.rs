//! One pass over arrays as a kernel: a thread for each number, which runs the instructions in registers. All arrays of a solution lie in one buffer, which passes
//! change in place: none of them writes what its maps read.

use cubecl::prelude::*;

use super::functions::{below, binary, unary};
use crate::native::graph::{Map, Operation};
use crate::native::points::program::{self, Operand};
use crate::tensor::{Binary, Unary};

/// What a kernel is made from. Sizes and numbers are not part of it: another grid or parameter is the same kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    code: Vec<(Code, Operand)>,
    registers: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Code {
    Copy(Operand),
    Unary(Unary, Operand),
    Binary(Binary, Operand, Operand),
    Below(Operand, Operand),
    Linear(Vec<(Weight, Operand)>, Vec<(Weight, Along, Operand)>),
}

/// A constant, by its place, times scalars.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Weight {
    constant: usize,
    scalars: Vec<usize>,
}

/// A map: where its description begins among the places, and how many weights its regular rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Along {
    at: usize,
    taps: usize,
}

/// Numbers that kernels read besides arrays and scalars.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    pub numbers: Vec<f32>,
    pub places: Vec<i32>,
}

/// Numbers in the description of a map before its shifts.
const HEADER: usize = 8;

impl Constants {
    /// A map to arrays with these lengths of axes.
    pub fn map(&mut self, map: &Map, to: [usize; 3]) -> Along {
        let (regular, taps) = map.matrix.stencil();
        let ends = (0..regular.start).chain(regular.end..map.matrix.rows()).map(|i| map.matrix.row(i));
        let ends: Vec<_> = ends.collect();
        let (at, weights) = (self.places.len(), self.numbers.len());
        let inner: usize = to.iter().skip(map.axis + 1).product();
        let shifts = at + HEADER;
        let starts = shifts + taps.len();
        let entries = starts + ends.len() + 1;
        let header =
            [inner, map.matrix.rows(), map.matrix.columns(), regular.start, regular.len(), weights, starts, entries];
        self.places.extend(header.map(|n| n as i32));
        self.places.extend(taps.iter().map(|(shift, _)| *shift as i32));
        let mut begin = 0;
        for row in &ends {
            self.places.push(begin);
            begin += row.len() as i32;
        }
        self.places.push(begin);
        self.places.extend(ends.iter().flatten().map(|(column, _)| *column as i32));
        self.numbers.extend(
            taps.iter()
                .chain(ends.iter().flatten().map(|(_, w)| (0, *w)).collect::<Vec<_>>().iter())
                .map(|(_, w)| *w as f32),
        );
        Along { at, taps: taps.len() }
    }
    fn weight(&mut self, weight: &program::Weight) -> Weight {
        self.numbers.push(weight.number as f32);
        Weight { constant: self.numbers.len() - 1, scalars: weight.scalars.clone() }
    }
}

impl Pass {
    /// What it sums over points goes to arrays from number `summands` on. `None` where a map reads what the pass itself makes: it takes numbers of other threads.
    pub fn of(pass: &program::Pass, maps: &[Along], constants: &mut Constants, summands: usize) -> Option<Self> {
        let mut registers = 0;
        let mut code = Vec::with_capacity(pass.code.len());
        for instruction in &pass.code {
            let made = match &instruction.code {
                program::Code::Copy(a) => Code::Copy(*a),
                program::Code::Unary(f, a) => Code::Unary(*f, *a),
                program::Code::Binary(Operation::Of(op), a, b) => Code::Binary(*op, *a, *b),
                program::Code::Binary(Operation::Below, a, b) => Code::Below(*a, *b),
                program::Code::Linear(_, parts) if parts.iter().any(|(_, _, a)| matches!(a, Operand::Register(_))) => {
                    return None;
                }
                program::Code::Linear(terms, parts) => Code::Linear(
                    terms.iter().map(|(w, a)| (constants.weight(w), *a)).collect(),
                    parts.iter().map(|(w, map, a)| (constants.weight(w), maps[*map], *a)).collect(),
                ),
            };
            if let Operand::Register(r) = instruction.to {
                registers = registers.max(r + 1);
            }
            code.push((made, instruction.to));
        }
        let sums = pass.sums.iter().zip(summands..);
        code.extend(sums.map(|((of, _), to)| (Code::Copy(*of), Operand::Buffer(to))));
        let added = pass.added.iter().map(|(to, of)| (Operand::Buffer(*to), *of));
        code.extend(added.map(|(to, of)| (Code::Binary(Binary::Add, to, of), to)));
        Some(Self { code, registers })
    }
}

/// Where a thread is.
#[derive(CubeType, Clone, Copy)]
struct Spot {
    /// Its number among all numbers of an array, of its sample, and numbers of a sample.
    place: u32,
    sample: u32,
    own: u32,
    count: u32,
    /// Where scalars and offsets of arrays of this step begin.
    scalars: u32,
    offsets: u32,
}

/// Runs a pass: array `b` begins at `offsets[offsets_at + b]`, scalar `s` is `scalars[scalars_at + s]`.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn pass_kernel(
    arena: &mut [f32],
    constants: &[f32],
    places: &[u32],
    scalars: &[f32],
    offsets: &[u32],
    total: u32,
    count: u32,
    scalars_at: u32,
    offsets_at: u32,
    #[comptime] pass: Pass,
) {
    if ABSOLUTE_POS >= total as usize {
        terminate!();
    }
    let place = ABSOLUTE_POS as u32;
    let sample = place / count;
    let spot = Spot { place, sample, own: place - sample * count, count, scalars: scalars_at, offsets: offsets_at };
    let mut registers = Array::<f32>::new(comptime!(pass.registers.max(1)));
    #[unroll]
    for i in 0..comptime!(pass.code.len()) {
        let value = match comptime!(pass.code[i].0.clone()) {
            Code::Copy(a) => operand(&registers, &*arena, scalars, offsets, &spot, a),
            Code::Unary(f, a) => unary(operand(&registers, &*arena, scalars, offsets, &spot, a), f),
            Code::Binary(op, a, b) => binary(
                operand(&registers, &*arena, scalars, offsets, &spot, a),
                operand(&registers, &*arena, scalars, offsets, &spot, b),
                op,
            ),
            Code::Below(a, b) => below(
                operand(&registers, &*arena, scalars, offsets, &spot, a),
                operand(&registers, &*arena, scalars, offsets, &spot, b),
            ),
            Code::Linear(terms, parts) => {
                let mut sum = 0.0f32;
                #[unroll]
                for k in 0..comptime!(terms.len()) {
                    let w = weight(constants, scalars, &spot, comptime!(terms[k].0.clone()));
                    sum += w * operand(&registers, &*arena, scalars, offsets, &spot, comptime!(terms[k].1));
                }
                #[unroll]
                for k in 0..comptime!(parts.len()) {
                    let w = weight(constants, scalars, &spot, comptime!(parts[k].0.clone()));
                    sum += w * along(
                        &*arena,
                        constants,
                        places,
                        scalars,
                        offsets,
                        &spot,
                        comptime!(parts[k].1),
                        comptime!(parts[k].2),
                    );
                }
                sum
            }
        };
        match comptime!(pass.code[i].1) {
            Operand::Register(r) => registers[r] = value,
            Operand::Buffer(b) => {
                let at = offsets[(offsets_at + comptime!(b as u32)) as usize] + place;
                arena[at as usize] = value;
            }
            Operand::Scalar(_) => {}
        }
    }
}

#[cube]
fn operand(
    registers: &Array<f32>,
    arena: &[f32],
    scalars: &[f32],
    offsets: &[u32],
    spot: &Spot,
    #[comptime] of: Operand,
) -> f32 {
    match comptime!(of) {
        Operand::Register(r) => registers[r],
        Operand::Buffer(b) => arena[(offsets[(spot.offsets + comptime!(b as u32)) as usize] + spot.place) as usize],
        Operand::Scalar(s) => scalars[(spot.scalars + comptime!(s as u32)) as usize],
    }
}

#[cube]
fn weight(constants: &[f32], scalars: &[f32], spot: &Spot, #[comptime] of: Weight) -> f32 {
    let mut w = constants[comptime!(of.constant)];
    #[unroll]
    for k in 0..comptime!(of.scalars.len()) {
        w *= scalars[(spot.scalars + comptime!(of.scalars[k] as u32)) as usize];
    }
    w
}

/// The row of a map that belongs to a place, times the line that it reads.
#[cube]
#[allow(clippy::too_many_arguments)]
fn along(
    arena: &[f32],
    constants: &[f32],
    places: &[u32],
    scalars: &[f32],
    offsets: &[u32],
    spot: &Spot,
    #[comptime] map: Along,
    #[comptime] of: Operand,
) -> f32 {
    let at = comptime!(map.at);
    let inner = places[at];
    let rows = places[at + 1];
    let columns = places[at + 2];
    let first = places[at + 3];
    let regular = places[at + 4];
    let weights = places[at + 5];
    let line = spot.own / inner;
    let i = line % rows;
    let before = spot.sample * (spot.count / rows * columns) + (line / rows) * columns * inner + spot.own % inner;
    let mut sum = 0.0f32;
    if i >= first && i < first + regular {
        #[unroll]
        for k in 0..comptime!(map.taps) {
            // Shifts to the left are whole turns of 32 bits less.
            let column = i + places[at + comptime!(HEADER + k)];
            let w = constants[(weights + comptime!(k as u32)) as usize];
            sum += w * entry(arena, scalars, offsets, spot, before + column * inner, of);
        }
    } else {
        let starts = places[at + 6];
        let entries = places[at + 7];
        let row = starts + select(i < first, i, i - regular);
        let mut k = places[row as usize];
        let end = places[(row + 1u32) as usize];
        while k < end {
            let column = places[(entries + k) as usize];
            let w = constants[(weights + comptime!(map.taps as u32) + k) as usize];
            sum += w * entry(arena, scalars, offsets, spot, before + column * inner, of);
            k += 1u32;
        }
    }
    sum
}

/// A number that a map reads: of an array, or the same everywhere.
#[cube]
fn entry(arena: &[f32], scalars: &[f32], offsets: &[u32], spot: &Spot, at: u32, #[comptime] of: Operand) -> f32 {
    match comptime!(of) {
        Operand::Buffer(b) => arena[(offsets[(spot.offsets + comptime!(b as u32)) as usize] + at) as usize],
        Operand::Scalar(s) => scalars[(spot.scalars + comptime!(s as u32)) as usize],
        Operand::Register(_) => 0.0f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_what_the_pass_makes_is_refused_and_sums_are_left_to_another_kernel() {
        let weight = || program::Weight { number: 2.0, scalars: Vec::new() };
        let of = |part: Operand, sums: Vec<(Operand, usize)>, added: Vec<(usize, Operand)>| {
            let code = program::Code::Linear(vec![(weight(), Operand::Register(0))], vec![(weight(), 0, part)]);
            let instruction = program::Instruction { code, to: Operand::Register(1) };
            let pass = program::Pass { count: 4, code: vec![instruction], sums, added };
            Pass::of(&pass, &[Along { at: 0, taps: 1 }], &mut Constants::default(), 7)
        };
        assert_eq!(of(Operand::Register(0), Vec::new(), Vec::new()), None);
        assert_eq!(of(Operand::Scalar(0), Vec::new(), Vec::new()).map(|pass| pass.code.len()), Some(1));
        let one = Operand::Register(1);
        let pass = of(Operand::Buffer(0), vec![(one, 3), (one, 5)], vec![(2, one)]).expect("a reverse pass");
        let ends: Vec<_> = pass.code.iter().skip(1).cloned().collect();
        let sum = Code::Binary(Binary::Add, Operand::Buffer(2), one);
        let buffers = [7, 8, 2].map(Operand::Buffer);
        assert_eq!(ends, [(Code::Copy(one), buffers[0]), (Code::Copy(one), buffers[1]), (sum, buffers[2])]);
    }
}
