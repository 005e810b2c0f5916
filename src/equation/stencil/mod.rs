//! The lane of stencils: an evolution at points, with derivatives by differences that know the edges of the grid.
//!
//! It serves grids with edges, periodic grids where differences are asked for, single points (ordinary differential equations)
//! and bodies. The state is `[sample, channel, x…]`.
//!
//! An unknown carries the edge conditions of the grid. What is computed from unknowns does not: its derivatives lean inwards at an
//! edge, unless it is even or odd there (`parity`). `∇ · (a ∇u)` is a difference of fluxes through faces, with `a` between
//! points and the flux at an edge from its condition, so that what leaves one cell enters the next, at any accuracy. A rate that is
//! nothing but diffusion continues evenly beyond edges with a slope of 0: what is in the box stays there to rounding.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::equation::evaluate::{Leaves, binary, opaque};
use crate::equation::form::Channel;
use crate::equation::jacobian::both_ways;
use crate::equation::parity::{Parities, Parity, parities};
use crate::equation::program::{Code, Program};
use crate::equation::setting::Setting;
use crate::equation::transport::Transport;
use crate::error::{Error, Result};
use crate::field::stencil::Beyond;
use crate::field::{
    Axis, AxisOperator, Banded, Edge, EdgeKind, EdgeValue, Field, Grid, Location, Side, SideEdges, stencil, transport,
};
use crate::session::interrupt;
use crate::solve::elliptic::krylov::{Method, Operator, Stop};
use crate::solve::elliptic::{FaceMean, Incompatible, poisson_of};
use crate::tensor::{Binary, Precision, Tensor, Unary};

/// What a cached operator does.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Kind {
    Derivative(u8),
    /// With values mirrored beyond the edges.
    Mirrored(u8),
    FaceDerivative,
    /// At an accuracy.
    ToFaces(u8),
    /// Values beyond the edges, mirrored.
    Padding(u8),
}

/// How operators of edges are told apart: the kinds with their factors as bits.
type Ends = [(u8, u64, u64); 2];

/// A difference of fluxes: axis, what is known beyond its ends, accuracy.
type Difference = (usize, [Beyond; 2], usize);

pub(super) mod lowered;

struct Plan {
    program: Program,
    leaves: Leaves,
    accuracy: usize,
    transport: Transport,
    /// For each channel what holds at the two sides of each axis; `None` values are 0.
    edges: Vec<Vec<[Edge; 2]>>,
    sides: Vec<Side>,
    operators: RefCell<HashMap<(usize, Kind, Ends), Rc<AxisOperator>>>,
    fluxes: RefCell<HashMap<Difference, Banded>>,
    /// 0 at nodes whose value an edge gives, 1 elsewhere, `[1, channel, x…]`.
    free: Option<Tensor>,
    channels: usize,
    /// For channels that are directions of change of others: which. Their edges hold with values of 0.
    follows: Vec<Option<usize>>,
    /// Where in `edges` those of potentials stand, by instruction, and whether their values are 0: those of directions.
    potentials: HashMap<usize, (usize, bool)>,
    /// How each instruction continues beyond edges.
    parities: Vec<Parities>,
    /// Whether an instruction is part of a rate that is nothing but diffusion.
    closed: Vec<bool>,
}

/// An evolution at points. Cheap to clone.
#[derive(Clone)]
pub struct Stencil {
    plan: Rc<Plan>,
    setting: Setting,
    /// Values of edges that are tensors, in the order of channels, axes and ends.
    values: Rc<Vec<Tensor>>,
}

impl Stencil {
    /// Plans expressions of channels, such as the rates of an evolution; `names` are those of the unknowns.
    ///
    /// # Errors
    /// When the grid says nothing about an unknown at some side, or a parameter does not fit.
    pub fn of(
        channels: &[Channel],
        outputs: &[crate::equation::expr::Expr],
        names: &[String],
        setting: Setting,
        accuracy: usize,
        transport: Transport,
    ) -> Result<Self> {
        Self::following(channels, Vec::new(), outputs, names, setting, accuracy, transport)
    }
    /// Plans expressions of channels followed by as many directions in which they may change, numbered on.
    ///
    /// # Errors
    /// As of [`of`](Self::of).
    pub fn with_directions(
        channels: &[Channel],
        outputs: &[crate::equation::expr::Expr],
        names: &[String],
        setting: Setting,
        accuracy: usize,
        transport: Transport,
    ) -> Result<Self> {
        let moved = channels.iter().map(|channel| Channel { rate: channel.rate + 1, ..channel.clone() });
        let all: Vec<Channel> = channels.iter().cloned().chain(moved).collect();
        let follows = channels.iter().map(|_| None).chain((0..channels.len()).map(Some)).collect();
        Self::following(&all, follows, outputs, names, setting, accuracy, transport)
    }
    fn following(
        channels: &[Channel],
        follows: Vec<Option<usize>>,
        outputs: &[crate::equation::expr::Expr],
        names: &[String],
        setting: Setting,
        accuracy: usize,
        transport: Transport,
    ) -> Result<Self> {
        let grid = &setting.grid;
        let dimensions = grid.dimensions();
        let mut edges = Vec::new();
        for channel in channels {
            let name = names.get(channel.unknown).map(String::as_str);
            // A component of a vector may have edges of its own: `velocity.x`, else those of the vector.
            let own = grid.edges(Some(&channel.name)).or_else(|_| grid.edges(name))?;
            edges.push(if channel.rate == 0 { own } else { own.into_iter().map(|pair| pair.map(still)).collect() });
        }
        // Unknowns that are no channels (potentials), and those without a name: the same for all programs of an equation.
        let of_channel = |index: &usize| channels.iter().any(|c| c.unknown == *index);
        let others =
            names.iter().enumerate().filter(|(index, _)| !of_channel(index)).map(|(_, name)| Some(name.as_str()));
        let others: Vec<(Option<&str>, Vec<[Edge; 2]>)> =
            others.chain([None]).filter_map(|name| Some((name, grid.edges(name).ok()?))).collect();
        let all = edges.iter().chain(others.iter().map(|(_, edges)| edges));
        let values = all.flatten().flatten().filter_map(|edge| match edge.value() {
            Some(EdgeValue::Tensor(t)) => Some(t.clone()),
            _ => None,
        });
        let values = Rc::new(values.collect());
        let program = Program::new(outputs)?;
        let free = free(&edges, &setting)?;
        let mut potentials = HashMap::new();
        for (at, name, moves) in potentials_of(&program, &follows) {
            let place = others.iter().position(|(own, _)| *own == name.as_deref());
            let place = place.or_else(|| others.iter().position(|(own, _)| own.is_none()));
            match place {
                Some(place) => potentials.insert(at, (edges.len() + place, moves)),
                None => return Err(grid.edges(name.as_deref()).err().unwrap_or_else(|| Error::internal("no edges"))),
            };
        }
        edges.extend(others.into_iter().map(|(_, edges)| edges));
        let origin = |channel: usize| follows.get(channel).copied().flatten().unwrap_or(channel);
        let parities = parities(
            &program,
            &setting,
            |channel| edges.get(origin(channel)),
            |at| potentials.get(&at).and_then(|(place, _)| edges.get(*place)),
        );
        let plan = Plan {
            parities,
            closed: closed(&program, &setting),
            leaves: Leaves::new(&setting, &program)?,
            accuracy,
            transport,
            sides: (0..dimensions).map(|axis| grid.side(&setting.context, axis)).collect::<Result<_>>()?,
            operators: RefCell::new(HashMap::new()),
            fluxes: RefCell::new(HashMap::new()),
            free,
            channels: channels.len(),
            follows,
            potentials,
            edges,
            program,
        };
        Ok(Self { plan: Rc::new(plan), setting, values })
    }
    /// How many channels there are.
    pub fn channels(&self) -> usize {
        self.plan.channels
    }
    /// How many samples its coefficients differ between; 1 where they are the same for all.
    pub fn samples(&self) -> usize {
        let lead = |code: &Code| match code {
            Code::Parameter(i) => self.setting.parameters.get(*i).and_then(|t| t.shape().first().copied()),
            Code::Data(i) => self.plan.leaves.samples(*i),
            _ => None,
        };
        self.plan.program.code.iter().filter_map(lead).max().unwrap_or(1)
    }
    /// Where it is solved.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }
    /// Tensors that gradients may flow to: parameters, then values of edges.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.setting.parameters.iter().chain(self.values.iter()).cloned().collect()
    }
    /// The same with other ones.
    pub fn with_tensors(&self, tensors: &[Tensor]) -> Self {
        let (parameters, values) = tensors.split_at(self.setting.parameters.len().min(tensors.len()));
        Self {
            plan: self.plan.clone(),
            setting: self.setting.with_parameters(parameters),
            values: Rc::new(values.to_vec()),
        }
    }

    /// The outputs at time `t`, `[sample, output, x…]`.
    pub fn evaluate(&self, t: f64, state: &Tensor) -> Result<Tensor> {
        interrupt::poll()?;
        let edges = self.edge_values(t)?;
        let run = Run {
            of: self,
            t,
            state,
            edges,
            values: RefCell::new(vec![None; self.plan.program.code.len()]),
            faces: RefCell::default(),
        };
        let mut shape = vec![state.shape().first().copied().unwrap_or(1), 1];
        shape.extend(&self.setting.space);
        let parts = self.plan.program.outputs.iter().map(|&output| run.value(output)?.expand(&shape));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        match parts.as_slice() {
            [one] => Ok(one.clone()),
            _ => Tensor::concat(&parts, 1),
        }
    }
    /// The rates, 0 at nodes whose value an edge gives.
    pub fn rates(&self, t: f64, state: &Tensor) -> Result<Tensor> {
        let rates = self.evaluate(t, state)?;
        match &self.plan.free {
            Some(free) => rates.mul(&free.narrow(1, 0, self.plan.program.outputs.len())?),
            None => Ok(rates),
        }
    }
    /// The part of a state at nodes whose value an edge gives; `None` where there are none.
    pub fn pinned(&self, state: &Tensor) -> Result<Option<Tensor>> {
        let Some(free) = &self.plan.free else { return Ok(None) };
        let channels = state.shape().get(1).copied().unwrap_or(0);
        state.sub(&state.mul(&free.narrow(1, 0, channels)?)?).map(Some)
    }
    /// Whether some edge has a value other than 0.
    pub fn has_edge_values(&self) -> bool {
        let given = |edge: &Edge| edge.value().is_some_and(|v| *v != EdgeValue::Number(0.0));
        self.plan.edges.iter().take(self.plan.channels).flatten().flatten().any(given)
    }
    /// How many points away from a point its outputs look, along each axis; `None` when farther than any number of points.
    pub fn widths(&self) -> Result<Option<Vec<usize>>> {
        let (grid, dimensions) = (&self.setting.grid, self.setting.grid.dimensions());
        let mut all: Vec<Vec<usize>> = Vec::with_capacity(self.plan.program.code.len());
        for (at, code) in self.plan.program.code.iter().enumerate() {
            let mut width = vec![0; dimensions];
            for argument in code.arguments() {
                let of = all.get(argument).cloned().unwrap_or_default();
                width.iter_mut().zip(of).for_each(|(w, of)| *w = (*w).max(of));
            }
            match code {
                Code::Integral(_) | Code::InverseLaplacian(..) | Code::PairSum(_) => return Ok(None),
                Code::Upwind(.., axis) | Code::FluxDifference(.., axis) => {
                    if let Some(w) = width.get_mut(*axis) {
                        *w += self.plan.transport.ghosts() + self.plan.transport.accuracy() / 2;
                    }
                }
                Code::Partial(a, orders) => {
                    let mut first = true;
                    for (axis, w) in width.iter_mut().enumerate().filter(|(axis, _)| orders[*axis] > 0) {
                        let operator = self.derivative(at, *a, axis, orders[axis], first)?;
                        *w += farthest(&operator.matrix, grid.numbered(axis)?.periodic);
                        first = false;
                    }
                }
                Code::Diffusion(_, u, axes) => {
                    for (axis, w) in width.iter_mut().enumerate().filter(|(axis, _)| axes[*axis]) {
                        let ring = grid.numbered(axis)?.periodic;
                        let fluxes = self.fluxes(axis, self.beyond(at, *u, axis), self.plan.accuracy)?;
                        let slope = self.operator(axis, Kind::FaceDerivative, self.kinds(*u, axis)?)?;
                        let kinds = if ring { [EdgeKind::Periodic; 2] } else { [EdgeKind::Free; 2] };
                        let faces = self.operator(axis, Kind::ToFaces(self.plan.accuracy as u8), kinds)?;
                        let far = |inner: &Banded| Ok::<_, Error>(farthest(&fluxes.compose(inner)?, ring));
                        *w += far(&slope.matrix)?.max(far(&faces.matrix)?).max(1);
                    }
                }
                _ => {}
            }
            all.push(width);
        }
        let mut most = vec![0; dimensions];
        for output in &self.plan.program.outputs {
            most.iter_mut().zip(all.get(*output).cloned().unwrap_or_default()).for_each(|(m, w)| *m = (*m).max(w));
        }
        Ok(Some(most))
    }
    /// The state with the values of edges at the nodes that lie on them.
    pub fn settle(&self, t: f64, state: Tensor) -> Result<Tensor> {
        if self.plan.free.is_none() {
            return Ok(state);
        }
        let edges = self.edge_values(t)?;
        let mut parts = Vec::new();
        for channel in 0..self.plan.channels {
            let mut part = state.narrow(1, channel, 1)?;
            for axis in 0..self.setting.grid.dimensions() {
                // Order 0 with known values: the padding of width 0 puts them at their nodes.
                let (kinds, values) = self.ends(&edges, channel, axis);
                if self.setting.grid.numbered(axis)?.has_nodes() && kinds.contains(&EdgeKind::Dirichlet) {
                    let known = kinds.map(|k| if k == EdgeKind::Dirichlet { k } else { EdgeKind::Free });
                    let operator = stencil::padding(self.setting.grid.numbered(axis)?, known, 0, 2)?;
                    part = operator.apply(&part, self.setting.grid.tensor_axis(axis), values)?;
                }
            }
            parts.push(part);
        }
        Tensor::concat(&parts, 1)
    }

    /// The values of all edges at a time: per channel, axis and end.
    pub(super) fn edge_values(&self, t: f64) -> Result<Vec<Vec<[Option<Tensor>; 2]>>> {
        let mut tensors = self.values.iter();
        let mut all = Vec::new();
        let needed = if self.plan.potentials.is_empty() { self.plan.channels } else { self.plan.edges.len() };
        for channel in self.plan.edges.iter().take(needed) {
            let mut of_channel = Vec::new();
            for (axis, pair) in channel.iter().enumerate() {
                let mut values = [None, None];
                for (value, edge) in values.iter_mut().zip(pair) {
                    *value = match edge.value() {
                        None | Some(EdgeValue::Number(0.0)) => None,
                        Some(given) => {
                            let given = match (given, self.plan.sides.get(axis)) {
                                (EdgeValue::Tensor(_), Some(side)) => {
                                    let tensor =
                                        tensors.next().ok_or_else(|| Error::internal("an edge lost its value"))?;
                                    EdgeValue::Tensor(tensor.clone()).at(&self.setting.context, side, t)?
                                }
                                (_, Some(side)) => given.at(&self.setting.context, side, t)?,
                                _ => return Err(Error::internal("an axis without sides")),
                            };
                            // With as many axes as values at points have.
                            let mut shape = vec![1; (self.setting.space.len() + 2).saturating_sub(given.rank())];
                            shape.extend(given.shape());
                            Some(given.reshape(&shape)?.cast(self.setting.precision)?)
                        }
                    };
                }
                of_channel.push(values);
            }
            all.push(of_channel);
        }
        Ok(all)
    }
    #[allow(clippy::type_complexity)]
    fn ends<'a>(
        &self,
        edges: &'a [Vec<[Option<Tensor>; 2]>],
        channel: usize,
        axis: usize,
    ) -> ([EdgeKind; 2], [Option<&'a Tensor>; 2]) {
        let kinds = self.plan.edges.get(channel).and_then(|c| c.get(axis));
        let kinds = kinds.map_or([EdgeKind::Free; 2], |pair| [pair[0].kind(), pair[1].kind()]);
        let values = edges.get(channel).and_then(|c| c.get(axis));
        (kinds, values.map_or([None; 2], |pair| [pair[0].as_ref(), pair[1].as_ref()]))
    }
    fn operator(&self, axis: usize, kind: Kind, kinds: [EdgeKind; 2]) -> Result<Rc<AxisOperator>> {
        let key = (axis, kind, kinds.map(bits));
        if let Some(known) = self.plan.operators.borrow().get(&key) {
            return Ok(known.clone());
        }
        let of = self.setting.grid.numbered(axis)?;
        let accuracy = self.plan.accuracy;
        let made = Rc::new(match kind {
            Kind::Derivative(order) => stencil::derivative(of, kinds, usize::from(order), accuracy)?,
            Kind::Mirrored(order) => stencil::mirrored_derivative(of, kinds, usize::from(order), accuracy)?,
            Kind::FaceDerivative => stencil::face_derivative(of, kinds, accuracy)?,
            Kind::ToFaces(accuracy) => stencil::to_faces(of, kinds, usize::from(accuracy))?,
            Kind::Padding(width) => stencil::mirrored(of, kinds, usize::from(width))?,
        });
        self.plan.operators.borrow_mut().insert(key, made.clone());
        Ok(made)
    }
    /// Differences of fluxes along an axis.
    fn fluxes(&self, axis: usize, ends: [Beyond; 2], accuracy: usize) -> Result<Banded> {
        if let Some(known) = self.plan.fluxes.borrow().get(&(axis, ends, accuracy)) {
            return Ok(known.clone());
        }
        let made = stencil::flux_divergence(self.setting.grid.numbered(axis)?, ends, accuracy)?;
        self.plan.fluxes.borrow_mut().insert((axis, ends, accuracy), made.clone());
        Ok(made)
    }
    /// The solution of `Δp − c p = a` by transforms, with values beyond edges mirrored.
    fn transformed(
        &self,
        edges: &[[Edge; 2]],
        value: impl Fn(usize, usize) -> Option<Tensor>,
        source: &Tensor,
        c: f64,
    ) -> Result<Tensor> {
        let side = |edge: &Edge, axis: usize, end: usize| {
            let value = value(axis, end).map_or(EdgeValue::Number(0.0), EdgeValue::Tensor);
            SideEdges::from(match edge {
                Edge::Periodic => Edge::Periodic,
                Edge::Dirichlet(_) => Edge::Dirichlet(value),
                Edge::Neumann(_) => Edge::Neumann(value),
                Edge::Robin { a, b, .. } => Edge::Robin { a: *a, b: *b, value },
            })
        };
        let sides = edges.iter().enumerate().map(|(axis, [low, high])| [side(low, axis, 0), side(high, axis, 1)]);
        let axes = self.setting.grid.axes();
        let bounds: Vec<(f64, f64)> = axes.iter().map(|axis| (axis.low, axis.high)).collect();
        let nodes = axes.iter().any(Axis::has_nodes);
        let location = if nodes { Location::Nodes } else { Location::Centres };
        let grid = Grid::new(&self.setting.grid.shape(), &bounds, location, sides.collect())?;
        let source = Field::new(source.scale(-1.0)?, grid)?;
        Ok(poisson_of(&source, c, None, Incompatible::Remove, self.plan.accuracy)?.values().clone())
    }
    fn parity(&self, at: usize, axis: usize) -> [Parity; 2] {
        self.plan.parities.get(at).and_then(|p| p.get(axis)).copied().unwrap_or([Parity::None; 2])
    }
    /// The kinds of the edges of a value along an axis: its own, or those that follow from what it is computed from.
    fn kinds(&self, at: usize, axis: usize) -> Result<[EdgeKind; 2]> {
        if self.setting.grid.numbered(axis)?.periodic {
            return Ok([EdgeKind::Periodic; 2]);
        }
        let place = match self.plan.program.code.get(at) {
            Some(Code::Channel(channel)) => Some(*channel),
            _ => self.plan.potentials.get(&at).map(|(place, _)| *place),
        };
        let own = place.and_then(|place| self.plan.edges.get(place)?.get(axis));
        Ok(match own {
            Some(pair) => [pair[0].kind(), pair[1].kind()],
            None => self.parity(at, axis).map(Parity::kind),
        })
    }
    /// Whether the values of edges along an axis differ from place to place; for a direction those of what it changes.
    fn values_vary(&self, at: usize, axis: usize) -> bool {
        let channel = match (self.plan.program.code.get(at), self.plan.potentials.get(&at)) {
            (_, Some((place, _))) => *place,
            (Some(Code::Channel(channel)), None) => {
                self.plan.follows.get(*channel).copied().flatten().unwrap_or(*channel)
            }
            _ => return false,
        };
        let pair = self.plan.edges.get(channel).and_then(|c| c.get(axis));
        pair.into_iter().flatten().any(|edge| match edge.value() {
            Some(EdgeValue::Tensor(value)) => value.len() > 1,
            Some(EdgeValue::Function { .. }) => self.setting.grid.dimensions() > 1,
            _ => false,
        })
    }
    /// A derivative along an axis of instruction `of`, for instruction `at`; `first`: nothing was done to it along other axes.
    fn derivative(&self, at: usize, of: usize, axis: usize, order: u8, first: bool) -> Result<Rc<AxisOperator>> {
        let mut kinds = self.kinds(of, axis)?;
        // A derivative along an edge of a constant value is 0, of one that varies not known.
        if !first && self.values_vary(of, axis) {
            kinds = kinds.map(|k| if k == EdgeKind::Periodic { k } else { EdgeKind::Free });
        }
        let known = kinds[0] == EdgeKind::Periodic || !self.parity(of, axis).contains(&Parity::None);
        let closed = known && order.is_multiple_of(2) && self.plan.closed.get(at) == Some(&true);
        self.operator(axis, if closed { Kind::Mirrored(order) } else { Kind::Derivative(order) }, kinds)
    }
    /// What is known of the flux `a ∂u/∂x` beyond the ends of an axis.
    fn beyond(&self, at: usize, u: usize, axis: usize) -> [Beyond; 2] {
        let closed = self.plan.closed.get(at) == Some(&true);
        self.parity(u, axis).map(|p| if closed && p == Parity::Even { Beyond::Odd } else { Beyond::Unknown })
    }
    /// Whether the gradient of a value is other than 0 at an end of an axis, or not known: then a coefficient counts there.
    fn is_open(&self, u: usize, axis: usize) -> [bool; 2] {
        let kinds = self.kinds(u, axis).unwrap_or([EdgeKind::Free; 2]);
        let parity = self.parity(u, axis);
        std::array::from_fn(|end| {
            matches!(kinds[end], EdgeKind::Neumann | EdgeKind::Robin(..)) && parity[end] != Parity::Even
        })
    }
}

/// An edge that transforms know, for one that they do not. A node whose value is not known stays an unknown.
fn simpler(edge: Edge, length: f64, nodes: bool) -> Edge {
    match edge {
        Edge::Robin { a, b, .. } if !nodes && (a * length).abs() > b.abs() => Edge::dirichlet(0.0),
        Edge::Robin { .. } => Edge::neumann(0.0),
        other => still(other),
    }
}

/// Whether an instruction is part of an output that is nothing but diffusion.
fn closed(program: &Program, setting: &Setting) -> Vec<bool> {
    let mut closed = vec![false; program.code.len()];
    let outputs = program.outputs.iter().enumerate().filter(|(i, _)| setting.is_diffusive(*i));
    outputs.for_each(|(_, &output)| closed.iter_mut().skip(output).take(1).for_each(|c| *c = true));
    for at in (0..closed.len()).rev() {
        if closed.get(at) == Some(&true) {
            let arguments = program.code.get(at).map(Code::arguments).unwrap_or_default();
            arguments.into_iter().for_each(|a| closed.iter_mut().skip(a).take(1).for_each(|c| *c = true));
        }
    }
    closed
}

/// The instructions that are potentials, with their names and whether they follow a direction of change.
fn potentials_of(program: &Program, follows: &[Option<usize>]) -> Vec<(usize, Option<Rc<str>>, bool)> {
    let mut moves: Vec<bool> = Vec::with_capacity(program.code.len());
    let mut found = Vec::new();
    for (at, code) in program.code.iter().enumerate() {
        let own = match code {
            Code::Channel(channel) => follows.get(*channel).is_some_and(Option::is_some),
            _ => code.arguments().iter().any(|&a| moves.get(a).copied().unwrap_or(false)),
        };
        if let Code::InverseLaplacian(_, name) = code {
            found.push((at, name.clone(), own));
        }
        moves.push(own);
    }
    found
}

/// The largest distance between a row and an entry in it.
fn farthest(matrix: &Banded, ring: bool) -> usize {
    let n = matrix.columns();
    let distance = |i: usize, j: usize| {
        let d = i.abs_diff(j);
        if ring { d.min(n - d) } else { d }
    };
    matrix.kinds_of_rows().flat_map(|i| matrix.row(i).into_iter().map(move |(j, _)| distance(i, j))).max().unwrap_or(0)
}

/// The edge of a rate of change: what is held constant has a rate of 0.
fn still(edge: Edge) -> Edge {
    let zero = EdgeValue::Number(0.0);
    match edge {
        Edge::Periodic => Edge::Periodic,
        Edge::Dirichlet(_) => Edge::Dirichlet(zero),
        Edge::Neumann(_) => Edge::Neumann(zero),
        Edge::Robin { a, b, .. } => Edge::Robin { a, b, value: zero },
    }
}

fn bits(kind: EdgeKind) -> (u8, u64, u64) {
    match kind {
        EdgeKind::Periodic => (0, 0, 0),
        EdgeKind::Dirichlet => (1, 0, 0),
        EdgeKind::Neumann => (2, 0, 0),
        EdgeKind::Robin(a, b) => (3, a.to_bits(), b.to_bits()),
        EdgeKind::Free => (4, 0, 0),
    }
}

/// 0 at nodes that lie on an edge with a known value.
fn free(edges: &[Vec<[Edge; 2]>], setting: &Setting) -> Result<Option<Tensor>> {
    let grid = &setting.grid;
    let pinned = |edge: &Edge| matches!(edge.kind(), EdgeKind::Dirichlet);
    let any = edges
        .iter()
        .flat_map(|c| c.iter().enumerate())
        .any(|(axis, pair)| grid.numbered(axis).is_ok_and(crate::field::Axis::has_nodes) && pair.iter().any(pinned));
    if !any {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for channel in edges {
        let mut shape = vec![1, 1];
        shape.extend(&setting.space);
        let mut mask = Tensor::full_in(&setting.context, Precision::F64, &shape, 1.0)?;
        for (axis, pair) in channel.iter().enumerate() {
            let of = grid.numbered(axis)?;
            if !of.has_nodes() {
                continue;
            }
            let mut line = vec![1.0; of.points];
            if let (true, Some(first)) = (pinned(&pair[0]), line.first_mut()) {
                *first = 0.0;
            }
            if let (true, Some(last)) = (pinned(&pair[1]), line.last_mut()) {
                *last = 0.0;
            }
            let mut along = vec![1; setting.space.len() + 2];
            if let Some(len) = along.get_mut(axis + 2) {
                *len = of.points;
            }
            mask = mask.mul(&Tensor::from_vec::<f64>(&setting.context, line, &along)?)?;
        }
        parts.push(mask);
    }
    Ok(Some(Tensor::concat(&parts, 1)?.cast(setting.precision)?))
}

/// Faces of an axis, and how values go there.
#[derive(Clone, Copy)]
struct Between {
    axis: usize,
    accuracy: usize,
    /// Ends at which the flux depends on the value at the edge itself.
    open: [bool; 2],
}

/// One evaluation.
struct Run<'a> {
    of: &'a Stencil,
    t: f64,
    state: &'a Tensor,
    edges: Vec<Vec<[Option<Tensor>; 2]>>,
    values: RefCell<Vec<Option<Tensor>>>,
    /// Channels on the two sides of the faces of an axis. In order, as all tensors of an evaluation are: a map of hashes lets go of them in another order each
    /// time, and Burn's fusion, which sees that, would search a plan anew for each step.
    faces: RefCell<BTreeMap<(usize, usize), (Tensor, Tensor)>>,
}

impl Run<'_> {
    fn code(&self, at: usize) -> Result<&Code> {
        self.of.plan.program.code.get(at).ok_or_else(|| Error::internal("an instruction is missing"))
    }
    fn value(&self, at: usize) -> Result<Tensor> {
        if let Some(Some(known)) = self.values.borrow().get(at) {
            return Ok(known.clone());
        }
        let made = self.computed(at)?;
        if let Some(cell) = self.values.borrow_mut().get_mut(at) {
            *cell = Some(made.clone());
        }
        Ok(made)
    }
    /// A value with every axis of space written out.
    fn written_out(&self, at: usize) -> Result<Tensor> {
        let value = self.value(at)?;
        let mut shape = value.shape();
        shape.truncate(2);
        shape.extend(&self.of.setting.space);
        value.expand(&shape)
    }
    /// Values of the edges of a value along an axis.
    fn edge_values(&self, at: usize, axis: usize) -> Result<[Option<&Tensor>; 2]> {
        let (place, moves) = match (self.code(at)?, self.of.plan.potentials.get(&at)) {
            (Code::Channel(channel), _) => (*channel, false),
            (_, Some((place, moves))) => (*place, *moves),
            _ => return Ok([None; 2]),
        };
        let values = self.edges.get(place).and_then(|c| c.get(axis)).filter(|_| !moves);
        Ok(values.map_or([None; 2], |pair| [pair[0].as_ref(), pair[1].as_ref()]))
    }
    fn computed(&self, at: usize) -> Result<Tensor> {
        let setting = &self.of.setting;
        let code = self.code(at)?;
        if let Some(leaf) = self.of.plan.leaves.of(code, setting, self.t)? {
            return Ok(leaf);
        }
        match code {
            Code::Channel(c) => self.state.narrow(1, *c, 1),
            Code::Unary(f, a) => self.value(*a)?.unary(*f),
            Code::Binary(op, a, b) => binary(*op, &self.value(*a)?, &self.value(*b)?),
            Code::Partial(a, orders) => {
                let mut value = self.written_out(*a)?;
                let mut first = true;
                for (axis, &order) in orders.iter().enumerate().filter(|(_, order)| **order > 0) {
                    let operator = self.of.derivative(at, *a, axis, order, first)?;
                    let values = if first { self.edge_values(*a, axis)? } else { [None; 2] };
                    value = operator.apply(&value, setting.grid.tensor_axis(axis), values)?;
                    first = false;
                }
                Ok(value)
            }
            Code::Diffusion(a, u, axes) => {
                let u_value = self.written_out(*u)?;
                let mut sum: Option<Tensor> = None;
                for axis in (0..3).filter(|&axis| axes[axis]) {
                    let along = setting.grid.tensor_axis(axis);
                    let slope = self.of.operator(axis, Kind::FaceDerivative, self.of.kinds(*u, axis)?)?;
                    let slope = slope.apply(&u_value, along, self.edge_values(*u, axis)?)?;
                    let between = Between { axis, accuracy: self.of.plan.accuracy, open: self.of.is_open(*u, axis) };
                    let flux = slope.mul(&self.between(*a, between, &mut BTreeMap::new())?)?;
                    let divergence = self.of.fluxes(axis, self.of.beyond(at, *u, axis), self.of.plan.accuracy)?;
                    let term = divergence.apply(&flux, along)?;
                    sum = Some(match sum {
                        Some(sum) => sum.add(&term)?,
                        None => term,
                    });
                }
                sum.ok_or_else(|| Error::internal("a diffusion along no axis"))
            }
            Code::Upwind(v, u, axis) => self.upwind(*v, *u, *axis),
            Code::FluxDifference(f, u, speed, axis) => self.flux_difference([*f, *u, *speed], *axis),
            Code::Integral(a) => self.of.plan.leaves.integral(&self.written_out(*a)?, setting),
            Code::InverseLaplacian(a, _) => self.potential(*a, at),
            Code::Opaque(f, arguments) => {
                let arguments = arguments.iter().map(|&a| self.value(a)).collect::<Result<Vec<_>>>()?;
                opaque(f, &arguments)
            }
            Code::PairSum(a) => self.pair_sum(*a),
            Code::Separation(_) | Code::Other(_) => {
                Err(Error::value("r_j − r_i and other(m) have a meaning inside of pair_sum only"))
            }
            _ => Err(Error::internal("an instruction without a value")),
        }
    }
    /// The solution of `Δp = a` with the edges of `p`; with mean 0 where they leave that free. By transforms on periodic grids and, at
    /// accuracy 2, where the edges allow it; else by iterations that transforms precondition.
    fn potential(&self, a: usize, at: usize) -> Result<Tensor> {
        let missing = || Error::internal("a potential without edges");
        let (place, moves) = self.of.plan.potentials.get(&at).copied().ok_or_else(missing)?;
        let edges = self.of.plan.edges.get(place).ok_or_else(missing)?;
        let values = self.edges.get(place).ok_or_else(missing)?;
        let source = self.written_out(a)?;
        let robin = edges.iter().flatten().any(|edge| matches!(edge, Edge::Robin { .. }));
        if (self.of.plan.accuracy == 2 && !robin) || self.of.setting.grid.is_periodic() {
            let known =
                |axis: usize, end: usize| values.get(axis).and_then(|pair| pair[end].clone()).filter(|_| !moves);
            return self.of.transformed(edges, known, &source, 0.0).map_err(|error| error.within("a potential"));
        }
        self.iterated(at, edges, &source).map_err(|error| error.within("a potential"))
    }
    /// The potential with differences of any accuracy and any edges.
    fn iterated(&self, at: usize, edges: &[[Edge; 2]], source: &Tensor) -> Result<Tensor> {
        let lane = self.of;
        let grid = &lane.setting.grid;
        let mut operators = Vec::new();
        for axis in 0..grid.dimensions() {
            operators.push(lane.operator(axis, Kind::Derivative(2), lane.kinds(at, axis)?)?);
        }
        // 1 at points where the equation holds, 0 at nodes that have their value from an edge.
        let free = free(&[edges.to_vec()], &lane.setting)?;
        let zero = source.full_like(0.0)?;
        let (mut known, mut offset) = (zero.clone(), zero.clone());
        for (axis, operator) in operators.iter().enumerate() {
            let (along, of, values) = (grid.tensor_axis(axis), grid.numbered(axis)?, self.edge_values(at, axis)?);
            offset = offset.add(&operator.apply(&zero, along, values)?)?;
            if of.has_nodes() {
                let kinds = lane.kinds(at, axis)?;
                let kinds = kinds.map(|k| if k == EdgeKind::Dirichlet { k } else { EdgeKind::Free });
                known = stencil::padding(of, kinds, 0, 2)?.apply(&known, along, values)?;
            }
        }
        let b = source.sub(&offset)?;
        let b = match &free {
            Some(free) => b.mul(free)?.add(&known)?,
            None => b,
        };
        let fixes = |edge: &Edge| match edge {
            Edge::Dirichlet(_) => true,
            Edge::Robin { a, .. } => *a != 0.0,
            _ => false,
        };
        let singular = !edges.iter().flatten().any(fixes);
        let longest = grid.axes().iter().map(Axis::length).fold(0.0, f64::max);
        let shift = 1.0 / (longest * longest);
        let volume: f64 = grid.axes().iter().map(|axis| axis.weights().iter().sum::<f64>()).product();
        let lane = lane.clone();
        let mean = {
            let lane = lane.clone();
            move |u: &Tensor| lane.plan.leaves.integral(u, &lane.setting)?.scale(1.0 / volume)
        };
        let a: Operator = {
            let (lane, free, mean) = (lane.clone(), free.clone(), mean.clone());
            Rc::new(move |u: &Tensor| {
                let mut sum = if singular { mean(u)?.scale(shift)?.expand(&u.shape())? } else { u.full_like(0.0)? };
                for (axis, operator) in operators.iter().enumerate() {
                    sum = sum.add(&operator.matrix.apply(u, lane.setting.grid.tensor_axis(axis))?)?;
                }
                match &free {
                    Some(free) => sum.mul(free)?.add(&u.sub(&u.mul(free)?)?),
                    None => Ok(sum),
                }
            })
        };
        let nodes = grid.axes().iter().any(Axis::has_nodes);
        let simple = |pair: &[Edge; 2]| pair.clone().map(|edge| simpler(edge, longest, nodes));
        let nearby: Vec<[Edge; 2]> = edges.iter().map(simple).collect();
        let regular = nearby.iter().flatten().any(fixes);
        let near: Operator = {
            let free = free.clone();
            Rc::new(move |r: &Tensor| {
                let u = lane.transformed(&nearby, |_, _| None, r, if regular { 0.0 } else { shift })?;
                match &free {
                    Some(free) => u.mul(free)?.add(&r.sub(&r.mul(free)?)?),
                    None => Ok(u),
                }
            })
        };
        let tolerance = if source.precision() == Precision::F64 { 1e-12 } else { 2e-6 };
        let stop = Stop { tolerance, iterations: 500 };
        let mut both = both_ways(a, None, false, Method::Gmres { restart: 60 }, stop);
        (both.direct.inverse, both.back.inverse) = (Some(near.clone()), Some(near));
        let u = both.solve(&b, None)?.0;
        if singular { u.sub(&mean(&u)?) } else { Ok(u) }
    }
    /// A value with ghosts at both ends of an axis.
    fn padded(&self, at: usize, axis: usize, width: usize) -> Result<Tensor> {
        let operator = self.of.operator(axis, Kind::Padding(width as u8), self.of.kinds(at, axis)?)?;
        operator.apply(&self.written_out(at)?, self.of.setting.grid.tensor_axis(axis), self.edge_values(at, axis)?)
    }
    /// `v⁺ ∂⁻u + v⁻ ∂⁺u`
    fn upwind(&self, v: usize, u: usize, axis: usize) -> Result<Tensor> {
        let grid = &self.of.setting.grid;
        let (along, spacing) = (grid.tensor_axis(axis), grid.numbered(axis)?.spacing());
        let padded = self.padded(u, axis, self.of.plan.transport.ghosts())?;
        let (minus, plus) = match self.of.plan.transport {
            Transport::Weno5 => transport::weno5_derivatives(&padded, along, spacing)?,
            Transport::Upwind3 => transport::upwind_derivatives(&padded, along, spacing, 3)?,
            _ => transport::upwind_derivatives(&padded, along, spacing, 1)?,
        };
        // At v = 0 both sides count by half, also for the gradient.
        let v = self.value(v)?;
        let size = v.unary(Unary::Abs)?;
        v.add(&size)?.mul(&minus)?.add(&v.sub(&size)?.mul(&plus)?)?.scale(0.5)
    }
    /// `∂F/∂x` with Rusanov's flux `(F(l) + F(r))/2 − a (r − l)/2` through faces.
    fn flux_difference(&self, [f, u, speed]: [usize; 3], axis: usize) -> Result<Tensor> {
        let along = self.of.setting.grid.tensor_axis(axis);
        let mut sides = Vec::new();
        for left in [true, false] {
            let mut known = BTreeMap::new();
            let mut at = |code: usize| self.at_faces(code, axis, left, &mut known);
            sides.push([at(f)?, at(u)?, at(speed)?]);
        }
        let [[fl, ul, al], [fr, ur, ar]] = &sides[..] else { return Err(Error::internal("a face has two sides")) };
        let speed = al.binary(Binary::Max, ar)?;
        let flux = fl.add(fr)?.sub(&speed.mul(&ur.sub(ul)?)?)?.scale(0.5)?;
        let ends = self.of.parity(f, axis).map(|parity| match parity {
            Parity::Even => Beyond::Even,
            Parity::Odd => Beyond::Odd,
            Parity::None => Beyond::Rough,
        });
        self.of.fluxes(axis, ends, self.of.plan.transport.accuracy())?.apply(&flux, along)
    }
    /// A value at the faces of an axis, computed from the channels on one side of them.
    fn at_faces(&self, at: usize, axis: usize, left: bool, known: &mut BTreeMap<usize, Tensor>) -> Result<Tensor> {
        if let Some(value) = known.get(&at) {
            return Ok(value.clone());
        }
        let setting = &self.of.setting;
        let (of, along) = (setting.grid.numbered(axis)?, setting.grid.tensor_axis(axis));
        // The last face of a ring is its first.
        let ring = |faces: Tensor| if of.periodic { faces.narrow(axis + 2, 0, of.points) } else { Ok(faces) };
        let value = match self.code(at)? {
            Code::Channel(channel) => {
                let sides = self.faces.borrow().get(&(*channel, axis)).cloned();
                let (l, r) = match sides {
                    Some(sides) => sides,
                    None => {
                        let padded = self.padded(at, axis, self.of.plan.transport.ghosts())?;
                        let (l, r) = match self.of.plan.transport {
                            Transport::Weno5 => transport::weno5_values(&padded, along)?,
                            Transport::Upwind3 => transport::upwind_values(&padded, along, 3)?,
                            _ => transport::upwind_values(&padded, along, 1)?,
                        };
                        let sides = (ring(l)?, ring(r)?);
                        self.faces.borrow_mut().insert((*channel, axis), sides.clone());
                        sides
                    }
                };
                if left { l } else { r }
            }
            Code::Unary(f, a) => self.at_faces(*a, axis, left, known)?.unary(*f)?,
            Code::Binary(op, a, b) => {
                binary(*op, &self.at_faces(*a, axis, left, known)?, &self.at_faces(*b, axis, left, known)?)?
            }
            Code::Opaque(f, arguments) => {
                let arguments = arguments.iter().map(|&a| self.at_faces(a, axis, left, known));
                opaque(f, &arguments.collect::<Result<Vec<_>>>()?)?
            }
            // Coordinates, coefficients: between points, or the same everywhere.
            _ => {
                let accuracy = self.of.plan.transport.accuracy().min(of.points & !1).max(2);
                self.leaf_between(at, Between { axis, accuracy, open: [true; 2] })?
            }
        };
        known.insert(at, value.clone());
        Ok(value)
    }
    /// A coefficient at the faces of an axis: a function of unknowns and coordinates is computed from those at the faces.
    fn between(&self, at: usize, place: Between, known: &mut BTreeMap<usize, Tensor>) -> Result<Tensor> {
        if let Some(value) = known.get(&at) {
            return Ok(value.clone());
        }
        let value = match self.code(at)? {
            Code::Unary(f, a) => self.between(*a, place, known)?.unary(*f)?,
            Code::Binary(op, a, b) => binary(*op, &self.between(*a, place, known)?, &self.between(*b, place, known)?)?,
            _ => self.leaf_between(at, place)?,
        };
        known.insert(at, value.clone());
        Ok(value)
    }
    /// A value that is not taken apart at the faces of an axis. What has no edge conditions is, at accuracy 2, the one of the
    /// outermost cell at an edge, or where the flux there is `a` times something known, half a difference further, but
    /// no less than half of it.
    fn leaf_between(&self, at: usize, Between { axis, accuracy, open }: Between) -> Result<Tensor> {
        let setting = &self.of.setting;
        let (of, along) = (setting.grid.numbered(axis)?, setting.grid.tensor_axis(axis));
        let value = self.value(at)?;
        let mut shape = value.shape();
        if shape.get(axis + 2) == Some(&1) {
            return Ok(value);
        }
        if let Code::Coordinate(_) = self.code(at)? {
            // Faces lie half a spacing before points; an end of centres is met to the last digit.
            let face = |i: usize| match i {
                0 if !of.periodic && !of.has_nodes() => of.low,
                _ if i == of.points && !of.has_nodes() => of.high,
                _ => of.low + (i as f64 + of.inset() - 0.5) * of.spacing(),
            };
            let faces = (0..of.points + usize::from(!of.periodic)).map(face).collect::<Vec<_>>();
            shape.iter_mut().skip(axis + 2).take(1).for_each(|n| *n = faces.len());
            return Tensor::from_vec(&setting.context, faces, &shape)?.cast(setting.precision);
        }
        let own = self.of.kinds(at, axis)?;
        let free = own.map(|kind| kind == EdgeKind::Free);
        let kinds = own.map(|k| if k == EdgeKind::Free && accuracy == 2 { EdgeKind::Neumann } else { k });
        let operator = self.of.operator(axis, Kind::ToFaces(accuracy as u8), kinds)?;
        let harmonic = setting.means == FaceMean::Harmonic
            && accuracy == 2
            && free == [true; 2]
            && matches!(self.code(at)?, Code::Parameter(_) | Code::Data(_));
        let faces = if harmonic {
            operator.apply(&value.unary(Unary::Recip)?, along, [None; 2])?.unary(Unary::Recip)?
        } else {
            operator.apply(&value, along, self.edge_values(at, axis)?)?
        };
        if accuracy > 2 || !(0..2).any(|end| free[end] && open[end]) {
            return Ok(faces);
        }
        let (points, first) = (of.points, |at: usize| value.narrow(axis + 2, at, 1));
        let outer = |end: usize| -> Result<Tensor> {
            let (here, next) = if end == 0 { (first(0)?, first(1)?) } else { (first(points - 1)?, first(points - 2)?) };
            if !(free[end] && open[end]) {
                return faces.narrow(axis + 2, if end == 0 { 0 } else { points }, 1);
            }
            let size = here.unary(Unary::Abs)?;
            let step = next.sub(&here)?.binary(Binary::Min, &size)?.binary(Binary::Max, &size.scale(-1.0)?)?;
            here.sub(&step.scale(0.5)?)
        };
        Tensor::concat(&[outer(0)?, faces.narrow(axis + 2, 1, points - 1)?, outer(1)?], axis + 2)
    }
    /// `Σ_{j ≠ i}` of a value per pair, `[sample, 1, body]`.
    ///
    /// A body and itself are no pair: its distance of 0 would have a gradient that is not finite, even where its value is left out.
    fn pair_sum(&self, at: usize) -> Result<Tensor> {
        let bodies = self.bodies()?;
        let value = self.per_pair(at, &mut BTreeMap::new())?;
        let samples = value.shape().first().copied().unwrap_or(1);
        value.expand(&[samples, 1, bodies, bodies - 1])?.sum(&[-1], false)
    }
    fn bodies(&self) -> Result<usize> {
        match self.of.setting.space[..] {
            [bodies] if bodies > 0 => Ok(bodies),
            _ => Err(Error::value("pair sums are over bodies, not over points of a grid")),
        }
    }
    /// `[…, i | 1, j]` without `i = j`, `[…, i, j − 1]`: of the elements in one row, each `n + 1`-th is left out.
    fn others(&self, value: &Tensor) -> Result<Tensor> {
        let n = self.bodies()?;
        let samples = value.shape().first().copied().unwrap_or(1);
        let row = value.expand(&[samples, 1, n, n])?.reshape(&[samples, 1, n * n])?;
        let rest = row.narrow(2, 1, n * n - 1)?.reshape(&[samples, 1, n - 1, n + 1])?.narrow(3, 0, n)?;
        rest.reshape(&[samples, 1, n, n - 1])
    }
    /// A value for each pair, `[sample | 1, 1, i | 1, j − 1 | 1]`.
    fn per_pair(&self, at: usize, known: &mut BTreeMap<usize, Tensor>) -> Result<Tensor> {
        if let Some(value) = known.get(&at) {
            return Ok(value.clone());
        }
        let of_i = |v: Tensor| if v.rank() == 3 { v.unsqueeze(3) } else { self.others(&v) };
        let of_j = |v: Tensor| self.others(&v.unsqueeze(2)?);
        let value = match self.code(at)? {
            Code::Separation(a) => {
                let r = self.value(*a)?;
                of_j(r.clone())?.sub(&of_i(r)?)?
            }
            Code::Other(a) => of_j(self.value(*a)?)?,
            Code::Unary(f, a) => self.per_pair(*a, known)?.unary(*f)?,
            Code::Binary(op, a, b) => binary(*op, &self.per_pair(*a, known)?, &self.per_pair(*b, known)?)?,
            Code::Opaque(f, arguments) => {
                let arguments = arguments.iter().map(|&a| self.per_pair(a, known)).collect::<Result<Vec<_>>>()?;
                opaque(f, &arguments)?
            }
            _ => of_i(self.value(at)?)?,
        };
        known.insert(at, value.clone());
        Ok(value)
    }
}
