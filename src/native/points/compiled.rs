//! A pass as loops of machine code.
//!
//! At most places every map has the same weights at the same distances: there a pass is one loop over neighbours with distances in its code. Where a map has a
//! row of its own, at edges and where an axis closes, a second loop with as many entries as the longest row is given the
//! places and weights of that row in tables: along a line of the grid as it lies, across lines by way of a buffer.
//!
//! Functions that are no single instruction are evaluated between loops, tile by tile.

use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::ops::Range;

use super::super::graph::{Map, Operation};
use super::super::kernel;
use super::super::kernel::{Function, Kernel, Stream, Value};
use super::assemble::{is_arithmetic, is_elementary};
use super::lying::{Lying, Order, Rows};
use super::program::{Code, Operand, Pass, Weight};
use crate::tensor::{Binary, Real, Unary};

/// Numbers of a tile between loops.
pub const TILE: usize = 1024;
/// Places across lines that are worked on together.
pub const ACROSS: usize = 128;
/// Kinds of places whose tables are made before.
const MOST_KINDS: usize = 4096;

/// What an array of a loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// An array of the program, at the place that is worked on and those near it.
    Array(usize),
    /// One place of an array, by the number of the place.
    Place(usize, usize),
    /// Numbers between loops.
    Tile(usize),
}

/// A number of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Times the weight of an entry of a map: a fixed one, or that at a place, by its number.
    pub tap: Tap,
    /// The weight of a part of a sum.
    pub weight: Weight,
}

/// The weight of an entry of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tap {
    /// Of every regular row, or 1.
    Fixed(f64),
    /// Of the row at a place.
    At(usize),
}

impl Tap {
    fn value(self, taps: &[f64]) -> f64 {
        match self {
            Self::Fixed(weight) => weight,
            Self::At(place) => taps.get(place).copied().unwrap_or(0.0),
        }
    }
}

/// A loop with what it is given.
pub struct Loop<T> {
    pub kernel: Kernel<T>,
    /// Its arrays.
    pub slots: Vec<Slot>,
    /// The least and the greatest shift of each.
    pub reach: Vec<(isize, isize)>,
    /// Which of them it reads, and which it writes.
    pub reads: Vec<bool>,
    pub writes: Vec<bool>,
    pub numbers: Vec<Number>,
    /// Of the numbers, those with scalars in them.
    pub scaled: Vec<usize>,
    /// The arrays of the program among its own, each once.
    pub arrays: Vec<usize>,
    /// Of each of its own: which of those, or behind them, of the tiles.
    pub lies: Vec<usize>,
}

impl<T: Real> Loop<T> {
    /// The numbers at places whose maps have these weights, without the scalars in them.
    fn fixed(&self, taps: &[f64]) -> Vec<T> {
        self.numbers.iter().map(|own| T::of(own.tap.value(taps)) * T::of(own.weight.number)).collect()
    }
    /// The same with scalars, in `buffer` where there are such.
    pub fn scaled<'a>(&self, fixed: &'a [T], taps: &[f64], scalars: &[f64], buffer: &'a mut Vec<T>) -> &'a [T] {
        if self.scaled.is_empty() {
            return fixed;
        }
        buffer.clear();
        buffer.extend_from_slice(fixed);
        for at in &self.scaled {
            let Number { tap, weight } = &self.numbers[*at];
            buffer[*at] = T::of(tap.value(taps)) * weight.value(scalars);
        }
        buffer
    }
}

/// A function that is evaluated between loops.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Unary(Unary, Given),
    Binary(Operation, Given, Given),
}
/// What it is given.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    Tile(usize),
    Scalar(usize),
}

/// Loops, and the functions that are evaluated behind them.
pub struct Stage<T> {
    /// Where all maps are regular.
    pub inside: Loop<T>,
    /// Its numbers, without scalars.
    pub fixed: Vec<T>,
    /// Everywhere else; `None` where there is no map.
    pub outside: Option<Loop<T>>,
    pub calls: Vec<(Call, usize)>,
}

/// A pass, compiled.
pub struct Compiled<T> {
    pub stages: Vec<Stage<T>>,
    pub tiles: usize,
    /// Sums: tiles or scalars.
    pub sums: Vec<Given>,
    pub lens: [usize; 3],
    /// How the arrays lie, by their numbers.
    pub arrays: Vec<Lying>,
    /// Along each axis, the rows at which all maps are regular.
    pub regular: [Range<usize>; 3],
    /// Whether lines that follow one another are one loop.
    pub is_flat: bool,
    /// Whether an array has one number for all of a line.
    pub has_single: bool,
    /// By the numbers of kinds; nothing where there are too many.
    kinds: Vec<Tables<T>>,
    rows: Vec<Rows>,
    places: Vec<Step>,
}

/// Along each axis, a row; that of a regular one stands for all.
pub type Kind = [Option<usize>; 3];

/// What the outer loops are given at a kind of places.
#[derive(Clone)]
pub struct Tables<T> {
    /// Of each stage, of each array: from its first number, without regular axes.
    pub offsets: Vec<Vec<isize>>,
    /// Of each stage, the least and the greatest offset in each array of the program.
    pub reach: Vec<Vec<(isize, isize)>>,
    /// Of each stage, the numbers, without scalars.
    pub fixed: Vec<Vec<T>>,
    /// Of each place, the weight of the entry that leads there.
    pub taps: Vec<f64>,
}

/// A place that maps lead to: from another, by an entry of a map; the first is the place that is worked on.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: usize,
    map: usize,
    entry: usize,
}

/// Whether there is an instruction for it.
fn is_inline(code: &Code) -> bool {
    match code {
        Code::Copy(_) | Code::Linear(..) => true,
        Code::Unary(f, _) => is_arithmetic(*f),
        Code::Binary(op, ..) => is_elementary(*op),
    }
}

impl<T: Real> Compiled<T> {
    /// For arrays of these shapes.
    pub fn new(pass: &Pass, maps: &[Map], shapes: &[[usize; 3]]) -> Self {
        let order = Order::of(shapes.iter().copied().chain([pass.shape]));
        let lens = order.shape(pass.shape);
        let body = Body::new(pass);
        let rows: Vec<Rows> = maps.iter().map(|map| Rows::new(map, order)).collect();
        let arrays: Vec<Lying> = shapes.iter().map(|shape| Lying::new(order.shape(*shape))).collect();
        let mut regular = body.regular(&rows, lens);
        let mut inner: Vec<Loop<T>> = Vec::new();
        for stage in 0..body.stages() {
            let mut builder = Builder { stage, is_inside: true, ..Builder::of(&body, &rows, &arrays) };
            builder.write();
            inner.push(builder.made());
        }
        let mut places = vec![Step { from: 0, map: 0, entry: 0 }];
        let has_maps = body.code.iter().any(|(code, _)| matches!(code, Code::Linear(_, parts) if !parts.is_empty()));
        let is_whole = regular.iter().zip(lens).all(|(rows, len)| *rows == (0..len));
        let stages = inner.into_iter().enumerate().map(|(stage, inside)| {
            let outside = (has_maps && !is_whole).then(|| {
                let mut builder =
                    Builder { stage, places: std::mem::take(&mut places), ..Builder::of(&body, &rows, &arrays) };
                builder.write();
                places = std::mem::take(&mut builder.places);
                builder.made()
            });
            let calls = body.calls(stage);
            Stage { fixed: inside.fixed(&[]), inside, outside, calls }
        });
        let stages: Vec<Stage<T>> = stages.collect();
        for rows in &mut regular {
            if rows.start >= rows.end {
                *rows = 0..0;
            }
        }
        let own = Lying::new(lens);
        let level = body.arrays().into_iter().all(|array| arrays[array] == own);
        let adds = !pass.sums.is_empty() || !pass.added.is_empty();
        let is_columns = regular[2] == (0..lens[2]);
        let is_single = |own: &Loop<T>| own.arrays.iter().any(|array| arrays[*array].strides[2] == 0);
        let has_single = stages.iter().filter_map(|stage| stage.outside.as_ref()).any(is_single);
        let mut compiled = Self {
            stages,
            tiles: body.tiles.len(),
            sums: pass.sums.iter().map(|(a, _)| body.given(*a)).collect(),
            lens,
            arrays,
            regular,
            is_flat: level && (is_columns || !adds),
            has_single,
            kinds: Vec::new(),
            rows,
            places,
        };
        compiled.prepare();
        compiled
    }
    /// Tables of all kinds of places, unless there are too many.
    fn prepare(&mut self) {
        if self.stages.iter().all(|stage| stage.outside.is_none()) {
            return;
        }
        let of = |axis: usize| {
            let rows = &self.regular[axis];
            std::iter::once(None).chain((0..self.lens[axis]).filter(|row| !rows.contains(row)).map(Some))
        };
        let most = (0..3).fold(1usize, |count, axis| count.saturating_mul(of(axis).count()));
        if most <= MOST_KINDS {
            let all = of(0).flat_map(|a| of(1).flat_map(move |b| of(2).map(move |c| [a, b, c])));
            self.kinds = all.collect::<Vec<_>>().into_iter().map(|kind| self.made(kind)).collect();
        }
    }
    /// What the outer loops are given at a kind of places.
    pub fn tables(&self, kind: Kind) -> Cow<'_, Tables<T>> {
        let number = (0..3).fold(0, |number, axis| {
            let rows = &self.regular[axis];
            let own = match kind[axis] {
                None => 0,
                Some(row) if row < rows.start => 1 + row,
                Some(row) => 1 + row - rows.len(),
            };
            number * (1 + self.lens[axis] - rows.len()) + own
        });
        self.kinds.get(number).map_or_else(|| Cow::Owned(self.made(kind)), Cow::Borrowed)
    }
    fn made(&self, kind: Kind) -> Tables<T> {
        let origin: [usize; 3] = std::array::from_fn(|axis| kind[axis].unwrap_or(self.regular[axis].start));
        let mut at = vec![origin; self.places.len()];
        let mut taps = vec![1.0; self.places.len()];
        for (place, step) in self.places.iter().enumerate().skip(1) {
            let map = &self.rows[step.map];
            let mut to = at[step.from];
            let (column, weight) = map.entry(to[map.axis], step.entry);
            to[map.axis] = column;
            (at[place], taps[place]) = (to, weight);
        }
        let offset = |slot: &Slot| match slot {
            Slot::Place(array, place) => {
                let strides = self.arrays[*array].strides;
                let along = |axis: usize| {
                    let from = if kind[axis].is_some() { 0 } else { origin[axis] };
                    (at[*place][axis] as isize - from as isize) * strides[axis] as isize
                };
                along(0) + along(1) + along(2)
            }
            _ => 0,
        };
        let of = |stage: &Stage<T>| stage.outside.iter().flat_map(|own| own.slots.iter().map(offset)).collect();
        let offsets: Vec<Vec<isize>> = self.stages.iter().map(of).collect();
        let reach = |(stage, offsets): (&Stage<T>, &Vec<isize>)| {
            let Some(own) = &stage.outside else { return Vec::new() };
            let mut reach = vec![(isize::MAX, isize::MIN); own.arrays.len()];
            for (array, offset) in own.lies.iter().zip(offsets) {
                if let Some((low, high)) = reach.get_mut(*array) {
                    (*low, *high) = ((*low).min(*offset), (*high).max(*offset));
                }
            }
            reach
        };
        let reach = self.stages.iter().zip(&offsets).map(reach).collect();
        let fixed = |stage: &Stage<T>| stage.outside.as_ref().map_or_else(Vec::new, |own| own.fixed(&taps));
        Tables { offsets, reach, fixed: self.stages.iter().map(fixed).collect(), taps }
    }
}

/// The instructions of a pass, and which of them are in which stage.
struct Body<'a> {
    pass: &'a Pass,
    /// By registers.
    values: FxHashMap<usize, usize>,
    code: Vec<(&'a Code, usize)>,
    /// Of each instruction.
    stages: Vec<usize>,
    /// Which of them are computed at the place that is worked on, and not only where maps read them.
    is_here: Vec<bool>,
    /// Registers and arrays that are there between loops, and where.
    tiles: FxHashMap<Operand, usize>,
}

impl<'a> Body<'a> {
    fn new(pass: &'a Pass) -> Self {
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
    fn regular(&self, rows: &[Rows], lens: [usize; 3]) -> [Range<usize>; 3] {
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
    fn stage_of(&self, a: Operand) -> Option<usize> {
        match a {
            Operand::Register(r) => self.values.get(&r).map(|at| self.stages[*at]),
            Operand::Buffer(_) => Some(0),
            Operand::Scalar(_) => None,
        }
    }
    fn stages(&self) -> usize {
        self.stages.iter().max().map_or(1, |last| last + 1)
    }
    fn given(&self, a: Operand) -> Given {
        match a {
            Operand::Scalar(s) => Given::Scalar(s),
            a => Given::Tile(self.tiles.get(&a).copied().unwrap_or(0)),
        }
    }
    /// Functions that are evaluated behind a stage: those that the next one needs.
    fn calls(&self, stage: usize) -> Vec<(Call, usize)> {
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
    fn arrays(&self) -> Vec<usize> {
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

/// Writes the function of one stage.
struct Builder<'a, 'b> {
    body: &'a Body<'b>,
    rows: &'a [Rows],
    arrays: &'a [Lying],
    stage: usize,
    /// Whether the loop is that of places where all maps are regular.
    is_inside: bool,
    /// Of the loop for other places.
    places: Vec<Step>,
    known_places: FxHashMap<(usize, usize, usize), usize>,
    known: FxHashMap<(usize, Spot), Value>,
    function: Function,
    slots: Vec<Slot>,
    numbers: Vec<Number>,
}

/// Where a value is computed: so far from the place that is worked on, or at a place of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Spot {
    Shift([isize; 3]),
    Place(usize),
}

impl<'a, 'b> Builder<'a, 'b> {
    fn of(body: &'a Body<'b>, rows: &'a [Rows], arrays: &'a [Lying]) -> Self {
        Self {
            body,
            rows,
            arrays,
            stage: 0,
            is_inside: false,
            places: Vec::new(),
            known_places: FxHashMap::default(),
            known: FxHashMap::default(),
            function: Function::default(),
            slots: Vec::new(),
            numbers: Vec::new(),
        }
    }
    fn made<T: Real>(self) -> Loop<T> {
        let mut reach = vec![(0isize, 0isize); self.slots.len()];
        for stream in self.function.streams() {
            let (low, high) = &mut reach[stream.slot];
            (*low, *high) = ((*low).min(stream.shift), (*high).max(stream.shift));
        }
        let (mut reads, mut writes) = (vec![false; self.slots.len()], vec![false; self.slots.len()]);
        for operation in self.function.operations() {
            if let kernel::Operation::Load(from) = operation {
                reads[from.slot] = true;
            }
        }
        self.function.stores().iter().for_each(|(to, _)| writes[to.slot] = true);
        let scaled = (0..self.numbers.len()).filter(|at| !self.numbers[*at].weight.scalars.is_empty()).collect();
        let array = |slot: &Slot| match slot {
            Slot::Array(array) | Slot::Place(array, _) => Some(*array),
            Slot::Tile(_) => None,
        };
        let mut arrays: Vec<usize> = self.slots.iter().filter_map(array).collect();
        arrays.sort_unstable();
        arrays.dedup();
        let lies = |slot: &Slot| match slot {
            Slot::Array(array) | Slot::Place(array, _) => arrays.iter().position(|own| own == array).unwrap_or(0),
            Slot::Tile(tile) => arrays.len() + tile,
        };
        Loop {
            kernel: Kernel::new(self.function),
            lies: self.slots.iter().map(lies).collect(),
            slots: self.slots,
            reach,
            reads,
            writes,
            numbers: self.numbers,
            scaled,
            arrays,
        }
    }
    fn here(&self) -> Spot {
        if self.is_inside { Spot::Shift([0; 3]) } else { Spot::Place(0) }
    }
    fn slot(&mut self, slot: Slot) -> usize {
        self.slots.iter().position(|own| *own == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        })
    }
    /// The array that a result goes to, and where it is read before something is added.
    fn target(&mut self, array: usize) -> Stream {
        let slot = if self.is_inside { Slot::Array(array) } else { Slot::Place(array, 0) };
        Stream { slot: self.slot(slot), shift: 0 }
    }
    fn number(&mut self, tap: Tap, weight: Weight) -> Value {
        let number = Number { tap, weight };
        let place = self.numbers.iter().position(|own| *own == number).unwrap_or_else(|| {
            self.numbers.push(number);
            self.numbers.len() - 1
        });
        self.function.value(kernel::Operation::Number(place))
    }
    fn constant(&mut self, number: f64) -> Value {
        self.number(Tap::Fixed(1.0), Weight { number, scalars: Vec::new() })
    }
    /// Everything that is stored in this stage.
    fn write(&mut self) {
        let (body, here) = (self.body, self.here());
        let of_stage = |a: &Operand| body.stage_of(*a).unwrap_or(0) == self.stage;
        let copies = body.pass.code.iter().filter_map(|own| match (&own.code, own.to) {
            (Code::Copy(a), Operand::Buffer(to)) if of_stage(a) => Some((*a, to)),
            _ => None,
        });
        let copies: Vec<_> = copies.collect();
        let added: Vec<_> = body.pass.added.iter().filter(|(_, a)| of_stage(a)).copied().collect();
        let is_called = |a: &Operand| match a {
            Operand::Register(r) => body.values.get(r).is_some_and(|at| !is_inline(body.code[*at].0)),
            _ => false,
        };
        let mut tiles: Vec<_> =
            body.tiles.iter().filter(|(a, _)| of_stage(a) && !is_called(a)).map(|(a, tile)| (*a, *tile)).collect();
        tiles.sort_unstable_by_key(|(_, tile)| *tile);
        for (a, to) in copies {
            let value = self.operand(a, here);
            let to = self.target(to);
            self.function.store(to, value);
        }
        for (to, a) in added {
            let value = self.operand(a, here);
            let to = self.target(to);
            let before = self.function.value(kernel::Operation::Load(to));
            let sum = self.function.value(kernel::Operation::Add(before, value));
            self.function.store(to, sum);
        }
        for (a, tile) in tiles {
            let value = self.operand(a, here);
            let slot = self.slot(Slot::Tile(tile));
            self.function.store(Stream { slot, shift: 0 }, value);
        }
    }
    fn operand(&mut self, a: Operand, spot: Spot) -> Value {
        match a {
            Operand::Scalar(s) => self.number(Tap::Fixed(1.0), Weight { number: 1.0, scalars: vec![s] }),
            Operand::Buffer(array) => self.load(array, spot),
            Operand::Register(register) => self.register(register, spot),
        }
    }
    fn load(&mut self, array: usize, spot: Spot) -> Value {
        let stream = match spot {
            Spot::Shift(by) => {
                let strides = self.arrays[array].strides;
                let shift = by.iter().zip(strides).map(|(by, stride)| by * stride as isize).sum();
                Stream { slot: self.slot(Slot::Array(array)), shift }
            }
            Spot::Place(place) => Stream { slot: self.slot(Slot::Place(array, place)), shift: 0 },
        };
        self.function.value(kernel::Operation::Load(stream))
    }
    fn register(&mut self, register: usize, spot: Spot) -> Value {
        if let Some(value) = self.known.get(&(register, spot)) {
            return *value;
        }
        let Some(&at) = self.body.values.get(&register) else { return self.constant(f64::NAN) };
        let is_before = self.body.stages[at] < self.stage || !is_inline(self.body.code[at].0);
        let tile = self.body.tiles.get(&Operand::Register(register)).filter(|_| is_before && spot == self.here());
        let value = match tile {
            Some(tile) => {
                let slot = self.slot(Slot::Tile(*tile));
                self.function.value(kernel::Operation::Load(Stream { slot, shift: 0 }))
            }
            None => self.code(self.body.code[at].0, spot),
        };
        self.known.insert((register, spot), value);
        value
    }
    fn code(&mut self, code: &Code, spot: Spot) -> Value {
        use kernel::Operation as Own;
        match code {
            Code::Copy(a) => self.operand(*a, spot),
            Code::Unary(f, a) => {
                let a = self.operand(*a, spot);
                let made = match f {
                    Unary::Neg => Own::Mul(a, self.constant(-1.0)),
                    Unary::Abs => Own::Abs(a),
                    Unary::Sqrt => Own::Sqrt(a),
                    Unary::Square => Own::Mul(a, a),
                    Unary::Rsqrt => {
                        let root = self.function.value(Own::Sqrt(a));
                        Own::Div(self.constant(1.0), root)
                    }
                    // The only one left for which there is an instruction.
                    _ => Own::Div(self.constant(1.0), a),
                };
                self.function.value(made)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.operand(*a, spot), self.operand(*b, spot));
                self.function.value(match op {
                    Operation::Of(Binary::Add) => Own::Add(a, b),
                    Operation::Of(Binary::Sub) => Own::Sub(a, b),
                    Operation::Of(Binary::Mul) => Own::Mul(a, b),
                    _ => Own::Div(a, b),
                })
            }
            Code::Linear(terms, parts) => {
                let mut sum = None;
                for (weight, a) in terms {
                    let value = self.operand(*a, spot);
                    self.add(&mut sum, Tap::Fixed(1.0), weight, value);
                }
                for (weight, map, a) in parts {
                    for (tap, to) in self.entries(*map, spot) {
                        let value = self.operand(*a, to);
                        self.add(&mut sum, tap, weight, value);
                    }
                }
                sum.unwrap_or_else(|| self.constant(0.0))
            }
        }
    }
    /// One more part of a sum. What 1 and −1 would do to a number is done without a product.
    fn add(&mut self, sum: &mut Option<Value>, tap: Tap, weight: &Weight, value: Value) {
        use kernel::Operation as Own;
        // The product that a table would have, in either precision.
        let fixed = match tap {
            Tap::Fixed(w)
                if weight.scalars.is_empty() && f64::from(w as f32 * weight.number as f32) == w * weight.number =>
            {
                Some(w * weight.number)
            }
            _ => None,
        };
        let made = match (fixed, *sum) {
            (Some(1.0), None) => value,
            (Some(1.0), Some(sum)) => self.function.value(Own::Add(sum, value)),
            (Some(-1.0), Some(sum)) => self.function.value(Own::Sub(sum, value)),
            _ => {
                let number = self.number(tap, weight.clone());
                let part = self.function.value(Own::Mul(value, number));
                sum.map_or(part, |sum| self.function.value(Own::Add(sum, part)))
            }
        };
        *sum = Some(made);
    }
    /// The entries of a row of a map: their weights, and where they lead.
    fn entries(&mut self, map: usize, spot: Spot) -> Vec<(Tap, Spot)> {
        let rows = &self.rows[map];
        match spot {
            Spot::Shift(by) => {
                let to = |shift: isize| {
                    let mut by = by;
                    by[rows.axis] += shift;
                    Spot::Shift(by)
                };
                rows.taps.iter().map(|(shift, w)| (Tap::Fixed(*w), to(*shift))).collect()
            }
            Spot::Place(from) => {
                let mut made = Vec::with_capacity(rows.widest());
                for entry in 0..rows.widest() {
                    let next = self.places.len();
                    let place = *self.known_places.entry((from, map, entry)).or_insert(next);
                    if place == next {
                        self.places.push(Step { from, map, entry });
                    }
                    made.push((Tap::At(place), Spot::Place(place)));
                }
                made
            }
        }
    }
}
