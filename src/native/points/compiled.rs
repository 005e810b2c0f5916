//! A pass as loops of machine code.
//!
//! At most places every map has the same weights at the same distances: there a pass is one loop over neighbours with distances in its code. Where a map has a
//! row of its own, at edges and where an axis closes, a second loop with as many entries as the longest row is given the
//! places and weights of that row in tables: along a line of the grid as it lies, across lines by way of a buffer.
//!
//! Functions that are no single instruction are evaluated between loops, tile by tile.

use std::borrow::Cow;
use std::ops::Range;

use super::super::graph::{Map, Operation};
use super::super::kernel::Kernel;
use super::body::Body;
use super::builder;
use super::lying::{Lying, Order, Rows};
use super::program::{Code, Pass, Weight};
use crate::tensor::{Real, Unary};

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
pub struct Step {
    pub from: usize,
    pub map: usize,
    pub entry: usize,
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
        let source = (&body, &rows[..], &arrays[..]);
        let mut places = vec![Step { from: 0, map: 0, entry: 0 }];
        let has_maps = body.code.iter().any(|(code, _)| matches!(code, Code::Linear(_, parts) if !parts.is_empty()));
        let is_whole = regular.iter().zip(lens).all(|(rows, len)| *rows == (0..len));
        let stages = (0..body.stages()).map(|stage| {
            let inside: Loop<T> = builder::inside(source, stage);
            let outside = (has_maps && !is_whole).then(|| builder::outside(source, stage, &mut places));
            Stage { fixed: inside.fixed(&[]), inside, outside, calls: body.calls(stage) }
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
