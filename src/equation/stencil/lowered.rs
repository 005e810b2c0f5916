//! Rates at points as graphs of the compiled lane: what [`Run`](super::Run) evaluates, written down.
//!
//! What depends neither on the state nor on time is evaluated by tensors once and enters as numbers, with its gradients.

use std::collections::HashMap;

use super::{Between, Kind, Run, Stencil};
use crate::equation::program::Code;
use crate::equation::transport::Transport;
use crate::error::Result;
use crate::field::stencil::Beyond;
use crate::field::{AxisOperator, Banded, Edge, EdgeKind, EdgeValue, stencil};
use crate::native::along::column;
use crate::native::graph::{Form, Graph, Id, Map, Node, POINTS};
use crate::native::points::steps::{Rates, Unfit};
use crate::tensor::{Binary, Tensor, Unary};

/// What a leaf stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Value(usize),
    Between(usize, usize, usize, [bool; 2]),
    Faces(usize, usize),
    Edge(usize, usize, usize),
    EdgeAt(usize, usize, usize, u64),
    Time(u64),
    Free(usize),
    Weights,
}

/// Numbers that are known before.
pub struct Leaf {
    /// The number of the scalar or array.
    pub place: usize,
    /// `[sample | 1, 1, x… | 1]`
    pub values: Tensor,
    /// Lengths of the axes, where it is an array.
    pub shape: Vec<usize>,
}

/// The value of an edge so long after the beginning of a step.
pub struct Moving {
    /// Whether it is a scalar, and its number.
    pub place: (bool, usize),
    /// Channel or potential, axis, end.
    pub edge: (usize, usize, usize),
    /// When.
    pub after: f64,
    /// Lengths of the axes, where it is an array.
    pub shape: Vec<usize>,
}

/// A right-hand side that is being lowered.
pub struct Lowering {
    lane: Stencil,
    t: f64,
    state: Tensor,
    /// Whether a reverse is made too.
    pub gradient: bool,
    /// Edges at the beginning.
    edges: Vec<Vec<[Option<Tensor>; 2]>>,
    /// Whether an instruction depends on neither state nor time.
    fixed: Vec<bool>,
    known: HashMap<Key, Id>,
    /// Scalars.
    pub scalars: Vec<Leaf>,
    /// Arrays.
    pub arrays: Vec<Leaf>,
    /// Scalars that are the time.
    pub times: Vec<(usize, f64)>,
    /// Edges that move.
    pub moving: Vec<Moving>,
}

type Lowers<A> = std::result::Result<A, Unfit>;

/// Values of a flux that are computed a second time rather than kept in an array.
const MOST_ANEW: usize = 12;
const UNPLANNED: Unfit = "its differences cannot be planned";

impl Lowering {
    /// Of the rates of a lane from time `t` on.
    ///
    /// # Errors
    /// Those of the values of edges; the inner error says why it cannot be lowered.
    pub fn new(lane: &Stencil, state: &Tensor, t: f64) -> Result<std::result::Result<Self, Unfit>> {
        let program = &lane.plan.program;
        for code in &program.code {
            match code {
                Code::Opaque(..) => return Ok(Err("it calls a function that is not looked into")),
                Code::InverseLaplacian(..) => return Ok(Err("it solves for a potential at every step")),
                Code::PairSum(_) | Code::Separation(_) | Code::Other(_) => return Ok(Err("it sums over pairs")),
                _ => {}
            }
        }
        let setting = &lane.setting;
        if setting.space.len() != setting.grid.dimensions() {
            return Ok(Err("it is about bodies"));
        }
        let mut fixed = Vec::with_capacity(program.code.len());
        for code in &program.code {
            let own = !matches!(code, Code::Channel(_) | Code::Time);
            let all = code.arguments().iter().all(|a| fixed.get(*a).copied().unwrap_or(false));
            fixed.push(own && all);
        }
        let edges = lane.edge_values(t)?;
        Ok(Ok(Self {
            lane: lane.clone(),
            t,
            state: state.detach(),
            gradient: false,
            edges,
            fixed,
            known: HashMap::new(),
            scalars: Vec::new(),
            arrays: Vec::new(),
            times: Vec::new(),
            moving: Vec::new(),
        }))
    }
    /// The graph that it is lowered into.
    pub fn graph(&self) -> Graph {
        let mut shape = [1; 3];
        shape.iter_mut().zip(&self.lane.setting.space).for_each(|(own, n)| *own = *n);
        Graph::on(shape)
    }
    fn run(&self) -> Run<'_> {
        Run {
            of: &self.lane,
            t: self.t,
            state: &self.state,
            edges: self.edges.clone(),
            values: std::cell::RefCell::new(vec![None; self.lane.plan.program.code.len()]),
            faces: std::cell::RefCell::default(),
        }
    }
    /// Known numbers as a node.
    fn leaf(&mut self, graph: &mut Graph, key: Key, values: Tensor, shape: Option<[usize; 3]>) -> Lowers<Id> {
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let dimensions = self.lane.setting.space.len();
        let values = values.cast(self.lane.setting.precision).map_err(|_| UNPLANNED)?;
        let own = values.shape();
        if own.len() != dimensions + 2 || own.get(1) != Some(&1) {
            return Err("a coefficient has channels");
        }
        let uniform = own.iter().skip(2).all(|n| *n == 1);
        let id = if uniform && values.len() == 1 && !values.is_tracked() {
            graph.number(values.item().map_err(|_| UNPLANNED)?)
        } else if uniform {
            let (place, id) = graph.fresh_scalar();
            self.scalars.push(Leaf { place, values, shape: Vec::new() });
            id
        } else {
            let shape = shape.unwrap_or_else(|| graph.shape(POINTS));
            let form = graph.form_of(shape);
            let (place, id) = graph.fresh_array(form);
            let shape = shape.get(..dimensions).unwrap_or_default().to_vec();
            self.arrays.push(Leaf { place, values, shape });
            id
        };
        self.known.insert(key, id);
        Ok(id)
    }
}

impl Rates for Lowering {
    fn rates(&mut self, graph: &mut Graph, state: &[Id], after: f64) -> Lowers<Vec<Id>> {
        let outputs = self.lane.plan.program.outputs.clone();
        let free = self.lane.plan.free.clone();
        let mut stage = Stage { of: self, graph, state, after, values: HashMap::new(), faces: HashMap::new() };
        let mut rates = Vec::with_capacity(outputs.len());
        for (channel, output) in outputs.into_iter().enumerate() {
            let mut rate = stage.value(output)?;
            if let Some(free) = &free {
                let mask = free.narrow(1, channel, 1).map_err(|_| UNPLANNED)?;
                let mask = stage.of.leaf(stage.graph, Key::Free(channel), mask, None)?;
                rate = stage.graph.binary(Binary::Mul, rate, mask);
            }
            rates.push(rate);
        }
        Ok(rates)
    }
    fn settled(&mut self, graph: &mut Graph, state: &[Id], after: f64) -> Lowers<Vec<Id>> {
        if self.lane.plan.free.is_none() {
            return Ok(state.to_vec());
        }
        let grid = self.lane.setting.grid.clone();
        let mut stage = Stage { of: self, graph, state, after, values: HashMap::new(), faces: HashMap::new() };
        let mut settled = Vec::with_capacity(state.len());
        for (channel, own) in state.iter().enumerate() {
            let mut value = *own;
            for axis in 0..grid.dimensions() {
                let of = grid.numbered(axis).map_err(|_| UNPLANNED)?;
                let kinds = stage.of.lane.plan.edges.get(channel).and_then(|c| c.get(axis));
                let kinds = kinds.map_or([EdgeKind::Free; 2], |pair| [pair[0].kind(), pair[1].kind()]);
                if of.has_nodes() && kinds.contains(&EdgeKind::Dirichlet) {
                    let known = kinds.map(|k| if k == EdgeKind::Dirichlet { k } else { EdgeKind::Free });
                    let operator = stencil::padding(of, known, 0, 2).map_err(|_| UNPLANNED)?;
                    let sides = stage.sides(channel, axis)?;
                    value = stage.affine(&operator, value, axis, sides);
                }
            }
            settled.push(value);
        }
        Ok(settled)
    }
    fn wanted(&self) -> (Vec<usize>, Vec<usize>) {
        let tracked = |leaves: &[Leaf]| {
            leaves.iter().filter(|leaf| leaf.values.is_tracked()).map(|leaf| leaf.place).collect::<Vec<_>>()
        };
        (tracked(&self.arrays), tracked(&self.scalars))
    }
}

/// The right-hand side at one stage.
struct Stage<'a> {
    of: &'a mut Lowering,
    graph: &'a mut Graph,
    state: &'a [Id],
    after: f64,
    values: HashMap<usize, Id>,
    /// Channels on the two sides of the faces of an axis.
    faces: HashMap<(usize, usize), (Id, Id)>,
}

/// Weights of neighbours, from `start` on, for `count` results.
fn window(length: usize, start: usize, count: usize, weights: &[f64]) -> Lowers<Banded> {
    let taps = (start as i64..).zip(weights.iter().copied()).collect();
    Banded::with_ends(count, length, Vec::new(), taps, Vec::new()).map_err(|_| UNPLANNED)
}

impl Stage<'_> {
    fn code(&self, at: usize) -> Lowers<Code> {
        self.of.lane.plan.program.code.get(at).cloned().ok_or("an instruction is missing")
    }
    fn is_fixed(&self, at: usize) -> bool {
        self.of.fixed.get(at).copied().unwrap_or(false)
    }
    fn number(&mut self, n: f64) -> Id {
        self.graph.number(n)
    }
    fn scale(&mut self, a: Id, by: f64) -> Id {
        let by = self.number(by);
        self.graph.binary(Binary::Mul, by, a)
    }
    fn add(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Add, a, b)
    }
    fn sub(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Sub, a, b)
    }
    fn mul(&mut self, a: Id, b: Id) -> Id {
        self.graph.binary(Binary::Mul, a, b)
    }
    fn value(&mut self, at: usize) -> Lowers<Id> {
        if let Some(known) = self.values.get(&at) {
            return Ok(*known);
        }
        let made = self.computed(at)?;
        self.values.insert(at, made);
        Ok(made)
    }
    /// At all points.
    fn written_out(&mut self, at: usize) -> Lowers<Id> {
        let value = self.value(at)?;
        Ok(self.graph.spread(value, POINTS))
    }
    fn computed(&mut self, at: usize) -> Lowers<Id> {
        let code = self.code(at)?;
        if let Code::Number(n) = code {
            return Ok(self.number(n));
        }
        if self.is_fixed(at) {
            if let Some(known) = self.of.known.get(&Key::Value(at)) {
                return Ok(*known);
            }
            let values = self.of.run().value(at).map_err(|_| UNPLANNED)?;
            return self.of.leaf(self.graph, Key::Value(at), values, None);
        }
        Ok(match code {
            Code::Time => {
                let key = Key::Time(self.after.to_bits());
                match self.of.known.get(&key) {
                    Some(known) => *known,
                    None => {
                        let (place, id) = self.graph.fresh_scalar();
                        self.of.times.push((place, self.after));
                        self.of.known.insert(key, id);
                        id
                    }
                }
            }
            Code::Channel(c) => *self.state.get(c).ok_or("a channel is missing")?,
            Code::Unary(f, a) => {
                let a = self.value(a)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.graph.binary(op, a, b)
            }
            Code::Partial(a, orders) => {
                let mut value = self.written_out(a)?;
                let mut first = true;
                for (axis, &order) in orders.iter().enumerate().filter(|(_, order)| **order > 0) {
                    let operator = self.of.lane.derivative(at, a, axis, order, first).map_err(|_| UNPLANNED)?;
                    let sides = if first { self.edge_values(a, axis)? } else { [None; 2] };
                    value = self.affine(&operator, value, axis, sides);
                    first = false;
                }
                value
            }
            Code::Diffusion(a, u, axes) => self.diffusion(at, a, u, axes)?,
            Code::Upwind(v, u, axis) => self.upwind(v, u, axis)?,
            Code::FluxDifference(f, u, speed, axis) => self.flux_difference([f, u, speed], axis)?,
            Code::Integral(a) => self.integral(a)?,
            _ => return Err("it contains an operation that is not compiled"),
        })
    }
    fn integral(&mut self, a: usize) -> Lowers<Id> {
        let setting = self.of.lane.setting.clone();
        let value = self.written_out(a)?;
        let mut weights = setting.number(1.0).map_err(|_| UNPLANNED)?;
        for own in setting.weights().map_err(|_| UNPLANNED)? {
            weights = weights.mul(&own).map_err(|_| UNPLANNED)?;
        }
        let all = weights.to_vec().map_err(|_| UNPLANNED)?;
        let same = all.first().copied().filter(|first| all.iter().all(|w| w == first));
        if let Some(weight) = same {
            let sum = self.graph.node(Node::Sum(value));
            return Ok(self.scale(sum, weight));
        }
        let weights = self.of.leaf(self.graph, Key::Weights, weights, None)?;
        let product = self.mul(value, weights);
        Ok(self.graph.node(Node::Sum(product)))
    }
    /// A map along an axis that the values of edges enter.
    fn affine(&mut self, operator: &AxisOperator, value: Id, axis: usize, sides: [Option<Id>; 2]) -> Id {
        let from = self.graph.form(value);
        let map = self.graph.map(axis, operator.matrix.clone(), from);
        let to = self.graph.maps()[map].to;
        let mut parts = vec![(map, value)];
        for (weights, side) in [(&operator.low, sides[0]), (&operator.high, sides[1])] {
            if let Some(side) = side.filter(|_| weights.iter().any(|w| *w != 0.0)) {
                let matrix = column(weights.len(), |i| weights.get(i).copied().unwrap_or(0.0));
                parts.push((self.graph.map_to(Map { axis, matrix, to }), side));
            }
        }
        self.graph.along(parts)
    }
    /// Values of the edges of an instruction along an axis.
    fn edge_values(&mut self, at: usize, axis: usize) -> Lowers<[Option<Id>; 2]> {
        match self.code(at)? {
            Code::Channel(channel) => self.sides(channel, axis),
            _ => Ok([None; 2]),
        }
    }
    fn sides(&mut self, channel: usize, axis: usize) -> Lowers<[Option<Id>; 2]> {
        let pair = self.of.lane.plan.edges.get(channel).and_then(|c| c.get(axis)).cloned();
        let values = self.of.edges.get(channel).and_then(|c| c.get(axis)).cloned();
        let (Some(pair), Some(values)) = (pair, values) else { return Ok([None; 2]) };
        let mut sides = [None; 2];
        for (end, (edge, value)) in pair.iter().zip(values).enumerate() {
            let Some(value) = value else { continue };
            sides[end] = Some(self.side((channel, axis, end), edge, value)?);
        }
        Ok(sides)
    }
    fn side(&mut self, (channel, axis, end): (usize, usize, usize), edge: &Edge, value: Tensor) -> Lowers<Id> {
        let mut shape = self.graph.shape(POINTS);
        shape.iter_mut().skip(axis).take(1).for_each(|n| *n = 1);
        if !edge.value().is_some_and(EdgeValue::takes_time) {
            return self.of.leaf(self.graph, Key::Edge(channel, axis, end), value, Some(shape));
        }
        let key = Key::EdgeAt(channel, axis, end, self.after.to_bits());
        if let Some(known) = self.of.known.get(&key) {
            return Ok(*known);
        }
        let own = value.shape();
        if own.get(1) != Some(&1) {
            return Err("a coefficient has channels");
        }
        let dimensions = self.of.lane.setting.space.len();
        let uniform = own.iter().skip(2).all(|n| *n == 1);
        let (place, id, shape) = if uniform {
            let (place, id) = self.graph.fresh_scalar();
            (place, id, Vec::new())
        } else {
            let form = self.graph.form_of(shape);
            let (place, id) = self.graph.fresh_array(form);
            (place, id, shape.get(..dimensions).unwrap_or_default().to_vec())
        };
        let edge = (channel, axis, end);
        self.of.moving.push(Moving { place: (uniform, place), edge, after: self.after, shape });
        self.of.known.insert(key, id);
        Ok(id)
    }

    fn diffusion(&mut self, at: usize, a: usize, u: usize, axes: [bool; 3]) -> Lowers<Id> {
        let u_value = self.written_out(u)?;
        let lane = self.of.lane.clone();
        let mut sum = None;
        for axis in (0..3).filter(|&axis| axes[axis]) {
            let kinds = lane.kinds(u, axis).map_err(|_| UNPLANNED)?;
            let slope = lane.operator(axis, Kind::FaceDerivative, kinds).map_err(|_| UNPLANNED)?;
            let sides = self.edge_values(u, axis)?;
            let slope = self.affine(&slope, u_value, axis, sides);
            let between = Between { axis, accuracy: lane.plan.accuracy, open: lane.is_open(u, axis) };
            let coefficient = self.between(a, between, &mut HashMap::new())?;
            let flux = self.mul(coefficient, slope);
            let divergence = lane.fluxes(axis, lane.beyond(at, u, axis), lane.plan.accuracy).map_err(|_| UNPLANNED)?;
            let term = self.difference(flux, axis, divergence);
            sum = Some(match sum {
                Some(sum) => self.add(sum, term),
                None => term,
            });
        }
        sum.ok_or("a diffusion along no axis")
    }
    /// A difference of fluxes. Where it is one of two neighbours and no gradient is taken, both are computed where the difference is: a flux more
    /// is cheaper than an array of fluxes.
    fn difference(&mut self, flux: Id, axis: usize, matrix: Banded) -> Id {
        let shape = self.face_shape(axis);
        let faces = self.graph.form_of(shape);
        let flux = self.graph.spread(flux, faces);
        let ring = matrix.rows() == matrix.columns();
        let taps = matrix.stencil().1.to_vec();
        let plain = taps.len() == 2 && (ring || matrix.stencil().0 == (0..matrix.rows()));
        if plain && !self.of.gradient {
            let mut sum = None;
            for (shift, weight) in taps {
                let rows = if ring {
                    Banded::ring(matrix.columns(), &[(shift, 1.0)])
                } else {
                    Banded::with_ends(matrix.rows(), matrix.columns(), Vec::new(), vec![(shift, 1.0)], Vec::new())
                };
                let Some(part) =
                    rows.ok().and_then(|rows| self.graph.shifted(flux, axis, &rows, POINTS, &mut { MOST_ANEW }))
                else {
                    sum = None;
                    break;
                };
                let part = self.scale(part, weight);
                sum = Some(sum.map_or(part, |sum| self.add(sum, part)));
            }
            if let Some(sum) = sum {
                return sum;
            }
        }
        self.affine(&AxisOperator::linear(matrix), flux, axis, [None; 2])
    }
    /// A coefficient at faces.
    fn between(&mut self, at: usize, place: Between, known: &mut HashMap<usize, Id>) -> Lowers<Id> {
        if let Some(value) = known.get(&at) {
            return Ok(*value);
        }
        let value = match self.code(at)? {
            Code::Number(n) => self.number(n),
            _ if self.is_fixed(at) => {
                let key = Key::Between(at, place.axis, place.accuracy, place.open);
                let run = self.of.run();
                let values = run.between(at, place, &mut HashMap::new()).map_err(|_| UNPLANNED)?;
                let shape = self.face_shape(place.axis);
                self.of.leaf(self.graph, key, values, Some(shape))?
            }
            Code::Unary(f, a) => {
                let a = self.between(a, place, known)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.between(a, place, known)?, self.between(b, place, known)?);
                self.graph.binary(op, a, b)
            }
            _ => self.leaf_between(at, place)?,
        };
        known.insert(at, value);
        Ok(value)
    }
    fn face_shape(&self, axis: usize) -> [usize; 3] {
        let mut shape = self.graph.shape(POINTS);
        let ring = self.of.lane.setting.grid.numbered(axis).is_ok_and(|of| of.periodic);
        shape.iter_mut().skip(axis).take(1).for_each(|n| *n += usize::from(!ring));
        shape
    }
    fn leaf_between(&mut self, at: usize, Between { axis, accuracy, open }: Between) -> Lowers<Id> {
        let lane = self.of.lane.clone();
        let value = self.value(at)?;
        if self.graph.is_uniform(value) {
            return Ok(value);
        }
        let own = lane.kinds(at, axis).map_err(|_| UNPLANNED)?;
        let free = own.map(|kind| kind == EdgeKind::Free);
        let kinds = own.map(|k| if k == EdgeKind::Free && accuracy == 2 { EdgeKind::Neumann } else { k });
        let operator = lane.operator(axis, Kind::ToFaces(accuracy as u8), kinds).map_err(|_| UNPLANNED)?;
        let sides = self.edge_values(at, axis)?;
        let leaning = std::array::from_fn::<bool, 2, _>(|end| accuracy <= 2 && free[end] && open[end]);
        if leaning == [false; 2] {
            return Ok(self.affine(&operator, value, axis, sides));
        }
        // The outermost faces are computed for themselves.
        let (rows, columns) = (operator.matrix.rows(), operator.matrix.columns());
        let inside = |i: usize| !(leaning[0] && i == 0 || leaning[1] && i + 1 == rows);
        let kept = (0..rows).map(|i| if inside(i) { operator.matrix.row(i) } else { Vec::new() }).collect();
        let mut operator = (*operator).clone();
        operator.matrix = Banded::from_rows(columns, kept).map_err(|_| UNPLANNED)?;
        for weights in [&mut operator.low, &mut operator.high] {
            weights.iter_mut().enumerate().filter(|(i, _)| !inside(*i)).for_each(|(_, w)| *w = 0.0);
        }
        let faces = self.affine(&operator, value, axis, sides);
        let to = self.graph.form(faces);
        let mut sum = faces;
        for end in (0..2).filter(|end| leaning[*end]) {
            let place = |k: usize| if end == 0 { k } else { columns - 1 - k };
            let mut pick = |k: usize| -> Lowers<Id> {
                let row = Banded::from_rows(columns, vec![vec![(place(k), 1.0)]]).map_err(|_| UNPLANNED)?;
                let map = self.graph.map(axis, row, POINTS);
                Ok(self.graph.along(vec![(map, value)]))
            };
            let (here, next) = (pick(0)?, pick(1)?);
            let size = self.graph.unary(Unary::Abs, here);
            let minus = self.graph.unary(Unary::Neg, size);
            let step = self.sub(next, here);
            let step = self.graph.binary(Binary::Min, step, size);
            let step = self.graph.binary(Binary::Max, step, minus);
            let half = self.scale(step, 0.5);
            let outer = self.sub(here, half);
            let face = if end == 0 { 0 } else { rows - 1 };
            let matrix = column(rows, |i| if i == face { 1.0 } else { 0.0 });
            let map = self.graph.map_to(Map { axis, matrix, to });
            let part = self.graph.along(vec![(map, outer)]);
            sum = self.add(sum, part);
        }
        Ok(sum)
    }

    /// A value with ghosts at both ends of an axis, as a map of the value.
    fn padded(&mut self, at: usize, axis: usize) -> Lowers<Padded> {
        let lane = self.of.lane.clone();
        let width = lane.plan.transport.ghosts() as u8;
        let kinds = lane.kinds(at, axis).map_err(|_| UNPLANNED)?;
        let operator = (*lane.operator(axis, Kind::Padding(width), kinds).map_err(|_| UNPLANNED)?).clone();
        Ok(Padded { operator, value: self.written_out(at)?, axis, sides: self.edge_values(at, axis)? })
    }
    /// `out[i] = Σ_k w_k x[start + i + k]` of padded values.
    fn sliding(&mut self, of: &Padded, start: usize, count: usize, weights: &[f64]) -> Lowers<Id> {
        let window = AxisOperator::linear(window(of.operator.matrix.rows(), start, count, weights)?);
        let operator = window.compose(&of.operator).map_err(|_| UNPLANNED)?;
        Ok(self.affine(&operator, of.value, of.axis, of.sides))
    }
    /// `count` of the numbers of a value along an axis, from `start` on.
    fn part(&mut self, value: Id, axis: usize, start: usize, count: usize) -> Lowers<Id> {
        let length = self.graph.shape(self.graph.form(value))[axis];
        let form: Form = self.graph.form(value);
        let map = self.graph.map(axis, window(length, start, count, &[1.0])?, form);
        Ok(self.graph.along(vec![(map, value)]))
    }
    /// WENO5 on every window of five differences of padded values: `(upper end, lower end)` for `count` windows.
    fn reconstructed(&mut self, of: &Padded, first: &[f64], averages: bool) -> Lowers<(Id, Id)> {
        use crate::field::transport::{WENO_EPSILON, weno5_candidates};
        let count = (of.operator.matrix.rows() + 1).saturating_sub(first.len() + 4);
        let at = |stage: &mut Self, shift: usize, weights: &[f64]| {
            let mut all = vec![0.0; weights.len() + first.len() - 1];
            for (i, w) in weights.iter().enumerate() {
                for (j, v) in first.iter().enumerate() {
                    all[i + j] += w * v;
                }
            }
            stage.sliding(of, shift, count, &all)
        };
        let slopes = [[1.0, -4.0, 3.0], [1.0, 0.0, -1.0], [3.0, -4.0, 1.0]];
        let mut rough = Vec::with_capacity(3);
        for (shift, weights) in slopes.iter().enumerate() {
            let bend = at(self, shift, &[1.0, -2.0, 1.0])?;
            let bend = self.mul(bend, bend);
            let bend = self.scale(bend, 13.0 / 12.0);
            let slope = at(self, shift, weights)?;
            let slope = self.mul(slope, slope);
            let slope = self.scale(slope, 0.25);
            rough.push(self.add(bend, slope));
        }
        let [least, share] = WENO_EPSILON;
        let sum = self.add(rough[0], rough[1]);
        let sum = self.add(sum, rough[2]);
        let sum = self.scale(sum, share);
        let least = self.number(least);
        let floor = self.add(sum, least);
        let across = self.sub(rough[0], rough[2]);
        let mut steep = Vec::with_capacity(3);
        for rough in rough {
            let below = self.add(rough, floor);
            let ratio = self.graph.binary(Binary::Div, across, below);
            let square = self.mul(ratio, ratio);
            let one = self.number(1.0);
            steep.push(self.add(square, one));
        }
        let blend = |stage: &mut Self, linear: [f64; 3], candidates: [[f64; 3]; 3]| -> Lowers<Id> {
            let (mut total, mut value): (Option<Id>, Option<Id>) = (None, None);
            for (k, (steep, (d, weights))) in steep.iter().zip(linear.iter().zip(&candidates)).enumerate() {
                let alpha = stage.scale(*steep, *d);
                let candidate = at(stage, k, weights)?;
                let term = stage.mul(alpha, candidate);
                value = Some(value.map_or(term, |sum| stage.add(sum, term)));
                total = Some(total.map_or(alpha, |sum| stage.add(sum, alpha)));
            }
            match (value, total) {
                (Some(value), Some(total)) => Ok(stage.graph.binary(Binary::Div, value, total)),
                _ => Err(UNPLANNED),
            }
        };
        let (linear, points) = weno5_candidates(averages);
        let turned = |mut all: [f64; 3]| {
            all.reverse();
            all
        };
        let [a, b, c] = points;
        let upper = blend(self, linear, points)?;
        Ok((upper, blend(self, turned(linear), [turned(c), turned(b), turned(a)])?))
    }
    /// `v⁺ ∂⁻u + v⁻ ∂⁺u`
    fn upwind(&mut self, v: usize, u: usize, axis: usize) -> Lowers<Id> {
        let spacing = self.of.lane.setting.grid.numbered(axis).map_err(|_| UNPLANNED)?.spacing();
        let count = self.graph.shape(POINTS)[axis];
        let padded = self.padded(u, axis)?;
        let (minus, plus) = match self.of.lane.plan.transport {
            Transport::Weno5 => {
                let (upper, lower) = self.reconstructed(&padded, &[-1.0 / spacing, 1.0 / spacing], true)?;
                (self.part(upper, axis, 0, count)?, self.part(lower, axis, 1, count)?)
            }
            transport => {
                let order = if transport == Transport::Upwind3 { 3 } else { 1 };
                let (minus, plus) = crate::field::transport::upwind_weights(order, spacing);
                (self.sliding(&padded, 0, count, &minus)?, self.sliding(&padded, 1, count, &plus)?)
            }
        };
        // At v = 0 both sides count by half, also for the gradient.
        let v = self.value(v)?;
        let size = self.graph.unary(Unary::Abs, v);
        let (up, down) = (self.add(v, size), self.sub(v, size));
        let (up, down) = (self.mul(up, minus), self.mul(down, plus));
        let sum = self.add(up, down);
        Ok(self.scale(sum, 0.5))
    }
    /// `∂F/∂x` with Rusanov's flux.
    fn flux_difference(&mut self, [f, u, speed]: [usize; 3], axis: usize) -> Lowers<Id> {
        let mut sides = Vec::new();
        for left in [true, false] {
            let mut known = HashMap::new();
            let mut at = |stage: &mut Self, code: usize| stage.at_faces(code, axis, left, &mut known);
            sides.push([at(self, f)?, at(self, u)?, at(self, speed)?]);
        }
        let [[fl, ul, al], [fr, ur, ar]] = sides[..] else { return Err(UNPLANNED) };
        let speed = self.graph.binary(Binary::Max, al, ar);
        let (mean, jump) = (self.add(fl, fr), self.sub(ur, ul));
        let jump = self.mul(speed, jump);
        let flux = self.sub(mean, jump);
        let flux = self.scale(flux, 0.5);
        let lane = self.of.lane.clone();
        let ends = lane.parity(f, axis).map(|parity| match parity {
            super::Parity::Even => Beyond::Even,
            super::Parity::Odd => Beyond::Odd,
            super::Parity::None => Beyond::Rough,
        });
        let fluxes = lane.fluxes(axis, ends, lane.plan.transport.accuracy()).map_err(|_| UNPLANNED)?;
        Ok(self.difference(flux, axis, fluxes))
    }
    /// A value at the faces of an axis, computed from the channels on one side of them.
    fn at_faces(&mut self, at: usize, axis: usize, left: bool, known: &mut HashMap<usize, Id>) -> Lowers<Id> {
        if let Some(value) = known.get(&at) {
            return Ok(*value);
        }
        let value = match self.code(at)? {
            Code::Number(n) => self.number(n),
            Code::Channel(channel) => {
                let sides = match self.faces.get(&(channel, axis)) {
                    Some(sides) => *sides,
                    None => {
                        let sides = self.channel_at_faces(at, axis)?;
                        self.faces.insert((channel, axis), sides);
                        sides
                    }
                };
                if left { sides.0 } else { sides.1 }
            }
            _ if self.is_fixed(at) => {
                let run = self.of.run();
                let values = run.at_faces(at, axis, left, &mut HashMap::new()).map_err(|_| UNPLANNED)?;
                let shape = self.face_shape(axis);
                self.of.leaf(self.graph, Key::Faces(at, axis), values, Some(shape))?
            }
            Code::Unary(f, a) => {
                let a = self.at_faces(a, axis, left, known)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.at_faces(a, axis, left, known)?, self.at_faces(b, axis, left, known)?);
                self.graph.binary(op, a, b)
            }
            _ => {
                let of = self.of.lane.setting.grid.numbered(axis).map_err(|_| UNPLANNED)?.points;
                let accuracy = self.of.lane.plan.transport.accuracy().min(of & !1).max(2);
                self.leaf_between(at, Between { axis, accuracy, open: [true; 2] })?
            }
        };
        known.insert(at, value);
        Ok(value)
    }
    fn channel_at_faces(&mut self, at: usize, axis: usize) -> Lowers<(Id, Id)> {
        let padded = self.padded(at, axis)?;
        let count = self.face_shape(axis)[axis];
        Ok(match self.of.lane.plan.transport {
            Transport::Weno5 => {
                let (l, r) = self.reconstructed(&padded, &[1.0], false)?;
                (self.part(l, axis, 0, count)?, self.part(r, axis, 1, count)?)
            }
            Transport::Upwind3 => (
                self.sliding(&padded, 0, count, &[-0.125, 0.75, 0.375])?,
                self.sliding(&padded, 1, count, &[0.375, 0.75, -0.125])?,
            ),
            _ => (self.sliding(&padded, 0, count, &[1.0])?, self.sliding(&padded, 1, count, &[1.0])?),
        })
    }
}

/// Values with ghosts, as a map of values.
struct Padded {
    operator: AxisOperator,
    value: Id,
    axis: usize,
    sides: [Option<Id>; 2],
}
