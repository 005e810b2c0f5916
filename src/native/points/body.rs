//! The instructions of a pass in stages: those that are one loop, and the functions that are evaluated behind it.

use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

use super::assemble::{is_arithmetic, is_elementary};
use super::compiled::{Call, Given};
use super::lying::Rows;
use super::program::{Code, Operand, Pass};

/// Whether there is an instruction for it.
pub fn is_inline(code: &Code) -> bool {
    match code {
        Code::Copy(_) | Code::Linear(..) => true,
        Code::Unary(f, _) => is_arithmetic(*f),
        Code::Binary(op, ..) => is_elementary(*op),
    }
}

/// The instructions of a pass, and which of them are in which stage.
pub struct Body<'a> {
    /// The pass.
    pub pass: &'a Pass,
    /// By registers.
    pub values: FxHashMap<usize, usize>,
    /// With their registers.
    pub code: Vec<(&'a Code, usize)>,
    /// Of each instruction.
    pub stages: Vec<usize>,
    /// Which of them are computed at the place that is worked on, and not only where maps read them.
    is_here: Vec<bool>,
    /// Registers and arrays that are there between loops, and where.
    pub tiles: FxHashMap<Operand, usize>,
}

impl<'a> Body<'a> {
    /// Of a pass.
    pub fn new(pass: &'a Pass) -> Self {
        let mut body = Self {
            pass,
            values: FxHashMap::default(),
            code: Vec::new(),
            stages: Vec::new(),
            is_here: Vec::new(),
            tiles: FxHashMap::default(),
        };
        for instruction in &pass.code {
            let Operand::Register(register) = instruction.to else { continue };
            let code = &instruction.code;
            // A function is there behind the loop of its arguments.
            let own = read(code).filter_map(|a| body.stage_of(a)).max().unwrap_or(0) + usize::from(!is_inline(code));
            body.values.insert(register, body.code.len());
            body.code.push((code, register));
            body.stages.push(own);
        }
        for (code, register) in &body.code.clone() {
            if !is_inline(code) {
                read(code).for_each(|a| body.tile(a));
                body.tile(Operand::Register(*register));
            }
        }
        for at in 0..body.code.len() {
            let (code, own) = (body.code[at].0, body.stages[at]);
            for a in own_place(code) {
                if body.stage_of(a).is_some_and(|stage| stage < own) {
                    body.tile(a);
                }
            }
        }
        for (a, _) in &pass.sums {
            body.tile(*a);
        }
        body.is_here = vec![false; body.code.len()];
        let copies =
            pass.code.iter().filter(|own| matches!(own.to, Operand::Buffer(_))).flat_map(|own| own_place(&own.code));
        let ends = pass.sums.iter().map(|(a, _)| *a).chain(pass.added.iter().map(|(_, a)| *a));
        let mut waiting: Vec<Operand> = copies.chain(ends).collect();
        while let Some(a) = waiting.pop() {
            if let Operand::Register(r) = a
                && let Some(at) = body.values.get(&r)
                && !std::mem::replace(&mut body.is_here[*at], true)
            {
                waiting.extend(own_place(body.code[*at].0));
            }
        }
        body
    }
    /// Along each axis, the rows at which all maps are regular, where other axes may be anywhere.
    pub fn regular(&self, rows: &[Rows], lens: [usize; 3]) -> [Range<usize>; 3] {
        let mut regular = lens.map(|len| 0..len);
        // Values, how far from the place that is worked on they are read, and the axes along which that may be a row of its own.
        let mut waiting: Vec<(usize, [isize; 3], [bool; 3])> =
            (0..self.code.len()).filter(|at| self.is_here[*at]).map(|at| (at, [0; 3], [false; 3])).collect();
        let mut seen: FxHashSet<(usize, [isize; 3], [bool; 3])> = waiting.iter().copied().collect();
        while let Some((at, by, fixed)) = waiting.pop() {
            let mut go = |a: &Operand, by: [isize; 3], fixed: [bool; 3]| {
                if let Operand::Register(r) = a
                    && let Some(at) = self.values.get(r)
                    && seen.insert((*at, by, fixed))
                {
                    waiting.push((*at, by, fixed));
                }
            };
            own_place(self.code[at].0).for_each(|a| go(&a, by, fixed));
            let Code::Linear(_, parts) = self.code[at].0 else { continue };
            for (_, map, a) in parts {
                let (map, own) = (&rows[*map], rows[*map].regular());
                if !fixed[map.axis] {
                    let bound = |at: usize| (at as isize - by[map.axis]).max(0) as usize;
                    let inside = &mut regular[map.axis];
                    *inside = inside.start.max(bound(own.start))..inside.end.min(bound(own.end));
                    for (shift, _) in &map.taps {
                        let mut by = by;
                        by[map.axis] += shift;
                        go(a, by, fixed);
                    }
                }
                if fixed[map.axis] || map.has_ends() {
                    let (mut by, mut fixed) = (by, fixed);
                    (by[map.axis], fixed[map.axis]) = (0, true);
                    go(a, by, fixed);
                }
            }
        }
        regular
    }
    fn tile(&mut self, of: Operand) {
        let next = self.tiles.len();
        if !matches!(of, Operand::Scalar(_)) {
            self.tiles.entry(of).or_insert(next);
        }
    }
    /// In which stage a value is there; `None` for scalars, which are always.
    pub fn stage_of(&self, a: Operand) -> Option<usize> {
        match a {
            Operand::Register(r) => self.values.get(&r).map(|at| self.stages[*at]),
            Operand::Buffer(_) => Some(0),
            Operand::Scalar(_) => None,
        }
    }
    /// How many stages there are.
    pub fn stages(&self) -> usize {
        self.stages.iter().max().map_or(1, |last| last + 1)
    }
    /// Where a function, or a sum, finds a value.
    pub fn given(&self, a: Operand) -> Given {
        match a {
            Operand::Scalar(s) => Given::Scalar(s),
            a => Given::Tile(self.tiles.get(&a).copied().unwrap_or(0)),
        }
    }
    /// Functions that are evaluated behind a stage: those that the next one needs.
    pub fn calls(&self, stage: usize) -> Vec<(Call, usize)> {
        let of = |((code, register), own): (&(&Code, usize), &usize)| {
            if *own != stage + 1 || is_inline(code) {
                return None;
            }
            let call = match code {
                Code::Unary(f, a) => Call::Unary(*f, self.given(*a)),
                Code::Binary(op, a, b) => Call::Binary(*op, self.given(*a), self.given(*b)),
                _ => return None,
            };
            Some((call, self.tiles.get(&Operand::Register(*register)).copied()?))
        };
        self.code.iter().zip(&self.stages).filter_map(of).collect()
    }
    /// All arrays.
    pub fn arrays(&self) -> Vec<usize> {
        let read = self.pass.code.iter().flat_map(|own| read(&own.code).chain([own.to]).collect::<Vec<_>>());
        let sums = self.pass.sums.iter().map(|(a, _)| *a);
        let added = self.pass.added.iter().flat_map(|(to, a)| [Operand::Buffer(*to), *a]);
        let all = read.chain(sums).chain(added);
        let mut arrays: Vec<usize> =
            all.filter_map(|a| if let Operand::Buffer(b) = a { Some(b) } else { None }).collect();
        arrays.sort_unstable();
        arrays.dedup();
        arrays
    }
}

/// What an instruction reads.
fn read(code: &Code) -> impl Iterator<Item = Operand> {
    let parts = if let Code::Linear(_, parts) = code { &parts[..] } else { &[] };
    own_place(code).chain(parts.iter().map(|(.., a)| *a))
}
/// What it reads at the place that is worked on.
fn own_place(code: &Code) -> impl Iterator<Item = Operand> {
    let (pair, terms) = match code {
        Code::Copy(a) | Code::Unary(_, a) => ([Some(*a), None], &[][..]),
        Code::Binary(_, a, b) => ([Some(*a), Some(*b)], &[][..]),
        Code::Linear(terms, _) => ([None, None], &terms[..]),
    };
    pair.into_iter().flatten().chain(terms.iter().map(|(_, a)| *a))
}
