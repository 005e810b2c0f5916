//! Rates at points as graphs of the compiled lane: what [`Run`](super::Run) evaluates, written down.
//!
//! What depends neither on the state nor on time is evaluated by tensors once and enters as numbers, with its gradients.

mod fluxes;
mod pairs;
mod upwind;

use std::collections::{BTreeMap, HashMap};

use super::{Between, Run, Stencil};
use crate::equation::program::Code;
use crate::error::Result;
use crate::field::{AxisOperator, Edge, EdgeKind, EdgeValue, stencil};
use crate::native::along::column;
use crate::native::graph::{Graph, Id, Map, Node, POINTS};
use crate::native::points::steps::{Rates, Unfit};
use crate::tensor::{Binary, Tensor};

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
    Pairs(usize, usize),
    Weights,
}

/// Numbers that are known before.
#[derive(Clone)]
pub struct Leaf {
    /// The number of the scalar or array.
    pub place: usize,
    /// `[sample | 1, 1, x… | 1]`
    pub values: Tensor,
    /// Lengths of the axes, where it is an array.
    pub shape: Vec<usize>,
    key: Key,
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
    /// Pairs of channels, a position and its velocity.
    pub velocities: Vec<(usize, usize)>,
    /// Edges at the beginning.
    edges: Vec<Vec<[Option<Tensor>; 2]>>,
    /// Whether an instruction depends on neither state nor time.
    fixed: Vec<bool>,
    known: HashMap<Key, Id>,
    /// Values for each pair of bodies that depend on neither state nor time.
    pairs: HashMap<usize, Tensor>,
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
                _ => {}
            }
        }
        let setting = &lane.setting;
        if program.has(|code| matches!(code, Code::PairSum(_))) {
            match (&setting.space[..], setting.grid.dimensions()) {
                _ if state.context().device().is_cube() => return Ok(Err("it sums over pairs on a card")),
                ([bodies], 0) if *bodies <= pairs::MOST_BODIES => {}
                ([_], 0) => return Ok(Err("it sums over the pairs of many bodies")),
                _ => return Ok(Err("it sums over pairs of points")),
            }
        }
        let bodies = setting.space.len() != setting.grid.dimensions();
        if bodies && program.has(|code| matches!(code, Code::Integral(_))) {
            return Ok(Err("it sums over bodies"));
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
            velocities: Vec::new(),
            edges,
            fixed,
            known: HashMap::new(),
            pairs: HashMap::new(),
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
    /// The numbers of a leaf of another lowering of the same lane, with the tensors that this one has; `None` where they have another shape, or
    /// cannot be told from the leaf alone.
    ///
    /// # Errors
    /// Those of the evaluation.
    pub fn again(&self, leaf: &Leaf) -> Result<Option<Tensor>> {
        let run = self.run();
        let values = match leaf.key {
            Key::Value(at) => run.value(at)?,
            Key::Between(at, axis, accuracy, open) => {
                run.between(at, Between { axis, accuracy, open }, &mut BTreeMap::new())?
            }
            Key::Faces(at, axis) => run.at_faces(at, axis, true, &mut BTreeMap::new())?,
            _ => return Ok(None),
        };
        let values = values.cast(self.lane.setting.precision)?;
        Ok((values.shape() == leaf.values.shape()).then_some(values))
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
            self.scalars.push(Leaf { place, values, shape: Vec::new(), key });
            id
        } else {
            let shape = shape.unwrap_or_else(|| graph.shape(POINTS));
            let form = graph.form_of(shape);
            let (place, id) = graph.fresh_array(form);
            let shape = shape.get(..dimensions).unwrap_or_default().to_vec();
            self.arrays.push(Leaf { place, values, shape, key });
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
    fn velocities(&self) -> &[(usize, usize)] {
        &self.velocities
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
            Code::PairSum(a) => self.pair_sum(a)?,
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
}
