//! The loops of a pass as functions of numbers: inside, where all maps are regular, with distances, and everywhere else with places by tables.

use rustc_hash::FxHashMap;

use super::super::graph::Operation;
use super::super::kernel;
use super::super::kernel::{Function, Kernel, Stream, Value};
use super::body::{Body, is_inline};
use super::compiled::{Loop, Number, Slot, Step, Tap};
use super::lying::{Lying, Rows};
use super::program::{Code, Operand, Weight};
use crate::tensor::{Binary, Real, Unary};

/// What loops are made from: instructions, maps by their rows, and how arrays lie.
pub type Source<'a, 'b> = (&'a Body<'b>, &'a [Rows], &'a [Lying]);

/// The loop of a stage where all maps are regular.
pub fn inside<T: Real>(of: Source<'_, '_>, stage: usize) -> Loop<T> {
    let mut builder = Builder { stage, is_inside: true, ..Builder::of(of) };
    builder.write();
    builder.made()
}
/// The loop of a stage for all other places; `places` are those that maps lead to, to which it adds its own.
pub fn outside<T: Real>(of: Source<'_, '_>, stage: usize, places: &mut Vec<Step>) -> Loop<T> {
    let mut builder = Builder { stage, places: std::mem::take(places), ..Builder::of(of) };
    builder.write();
    *places = std::mem::take(&mut builder.places);
    builder.made()
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
    fn of((body, rows, arrays): Source<'a, 'b>) -> Self {
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
