//! An integrator with a right-hand side, as programs: a step, a step that keeps what its reverse needs, its reverse.

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::adjoint::pulled;
use super::super::graph::{Graph, Id, Map, Node, POINTS};
use super::super::march::Keep;
use super::super::step::{Operation, Step};
use super::assemble::{self, Program, Shared, Target};
use crate::tensor::Binary;

/// Why there is no program.
pub type Unfit = &'static str;

/// A right-hand side.
pub trait Rates {
    /// The rates of change of channels, so long after the beginning of a step.
    fn rates(&mut self, graph: &mut Graph, state: &[Id], after: f64) -> Result<Vec<Id>, Unfit>;
    /// A state with what is known of it put in its place.
    fn settled(&mut self, graph: &mut Graph, state: &[Id], after: f64) -> Result<Vec<Id>, Unfit>;
    /// For drifts and kicks: pairs of channels, a position and its velocity.
    fn velocities(&self) -> &[(usize, usize)];
    /// Arrays and scalars that have gradients, of those that were asked for.
    fn wanted(&self) -> (Vec<usize>, Vec<usize>);
}

/// One kind of step.
pub struct Compiled {
    /// What the integrator does.
    pub step: Step,
    /// The step; `None` where every one keeps what its reverse needs.
    pub forward: Option<Program>,
    /// With gradients: the step that keeps states, and its reverse.
    pub back: Option<Back>,
}

/// The reverse of one kind of step.
pub struct Back {
    /// The step, which leaves states in the first arrays of [`Programs::saved`].
    pub record: Program,
    /// How many states.
    pub saved: usize,
    /// From the cotangents of the states it ends with to those of the ones it begins with.
    pub reverse: Program,
}

/// Programs with what they share.
pub struct Programs {
    /// Steps that differ.
    pub steps: Vec<Compiled>,
    /// Arrays of the states that steps begin and end with, by channels.
    pub states: Vec<Vec<usize>>,
    /// Arrays of their cotangents.
    pub cotangents: Vec<Vec<usize>>,
    /// Arrays of states that are kept.
    pub saved: Vec<Vec<usize>>,
    /// Arrays with gradients, and the arrays that those are added up in.
    pub arrays: Vec<(usize, usize)>,
    /// Scalars with gradients, which are the numbers that are kept.
    pub scalars: Vec<usize>,
    /// Places of arrays and scalars.
    pub shared: Shared,
    /// Maps by their numbers.
    pub maps: Vec<Map>,
    /// The lengths of the axes of what they make.
    #[cfg(feature = "cubecl")]
    pub targets: Vec<[usize; 3]>,
}

/// States of a step that its reverse needs: those at which the right-hand side is evaluated.
fn saved(step: &Step) -> Vec<usize> {
    let mut saved = Vec::new();
    for operation in &step.operations {
        if let Operation::Nonlinear { from, .. } = operation
            && !saved.contains(from)
        {
            saved.push(*from);
        }
    }
    saved
}

/// So long after the beginning of the step a state holds.
fn moment(step: &Step, state: usize) -> f64 {
    let read = step.operations.iter().find_map(|operation| match operation {
        Operation::Nonlinear { from, after, .. } if *from == state => Some(*after),
        _ => None,
    });
    if step.ends.first() == Some(&state) { step.h } else { read.unwrap_or(step.h) }
}

/// Programs for steps; with their reverse where `keep` says what is kept for a gradient, and for loops of the processor where `compiled` says so, for cards else.
///
/// # Errors
/// Why there are none.
pub fn programs(
    graph: &mut Graph,
    rates: &mut dyn Rates,
    channels: usize,
    steps: Vec<Step>,
    (keep, compiled): (Option<Keep>, bool),
) -> Result<Programs, Unfit> {
    let gradient = keep.is_some();
    let most = steps.iter().map(|s| s.given.max(s.ends.len())).max().unwrap_or(1);
    let most_saved = if gradient { steps.iter().map(|s| saved(s).len()).max().unwrap_or(0) } else { 0 };
    let arrays = |graph: &mut Graph, states: usize| -> Vec<Vec<(usize, Id)>> {
        (0..states).map(|_| (0..channels).map(|_| graph.fresh_array(POINTS)).collect()).collect()
    };
    let mut own = Arrays {
        states: arrays(graph, most),
        cotangents: arrays(graph, if gradient { most } else { 0 }),
        saved: arrays(graph, most_saved),
        raw: arrays(graph, usize::from(gradient)),
    };
    let mut results = Vec::new();
    for step in &steps {
        results.push(forward(graph, rates, step, &own)?);
    }
    let read = read(graph, &results, &own);
    let is_read = |target: &Target| !matches!(target, Target::Array(i) if !read.contains(i));
    results.iter_mut().for_each(|(ends, _)| ends.retain(|(_, target)| is_read(target)));
    let (wanted, scalars) = if gradient { rates.wanted() } else { Default::default() };
    let sums: Vec<(usize, usize)> = wanted
        .iter()
        .map(|array| {
            let form = graph.array_forms().get(*array).copied().unwrap_or(POINTS);
            (*array, graph.fresh_array(form).0)
        })
        .collect();
    let mut reverses = Vec::new();
    if gradient {
        for step in &steps {
            reverses.push(reverse(graph, rates, step, &own, &read, (&sums, &scalars))?);
        }
    }
    // What no reverse reads need not be kept: all of a state where the right-hand side is linear, velocities where forces depend on positions.
    let used = reached(graph, reverses.iter().flatten().map(|(id, _)| *id).collect());
    own.saved.iter_mut().for_each(|state| state.retain(|(array, _)| used.contains(array)));
    for (_, kept) in &mut results {
        kept.retain(|(_, target)| matches!(target, Target::Array(array) if used.contains(array)));
    }
    let given = graph.scalars();
    let mut shared = Shared::new(graph.array_forms(), compiled);
    let mut compiled = Vec::new();
    let mut reverses = reverses.into_iter();
    for (step, (ends, kept)) in steps.into_iter().zip(results) {
        let back = reverses.next().map(|results| {
            let both: Vec<(Id, Target)> = ends.iter().chain(&kept).copied().collect();
            Back {
                record: assemble::program(graph, &mut shared, &both, given),
                saved: saved(&step).len(),
                reverse: assemble::program(graph, &mut shared, &results, given),
            }
        });
        let forward = (keep != Some(Keep::All)).then(|| assemble::program(graph, &mut shared, &ends, given));
        compiled.push(Compiled { step, forward, back });
    }
    let numbers = |all: &[Vec<(usize, Id)>]| all.iter().map(|own| own.iter().map(|(i, _)| *i).collect()).collect();
    Ok(Programs {
        steps: compiled,
        states: numbers(&own.states),
        cotangents: numbers(&own.cotangents),
        saved: numbers(&own.saved),
        arrays: sums,
        scalars,
        #[cfg(feature = "cubecl")]
        targets: graph.maps().iter().map(|map| graph.shape(map.to)).collect(),
        maps: graph.maps().to_vec(),
        shared,
    })
}

/// Arrays of states, with their nodes.
struct Arrays {
    states: Vec<Vec<(usize, Id)>>,
    cotangents: Vec<Vec<(usize, Id)>>,
    saved: Vec<Vec<(usize, Id)>>,
    /// A state before it is settled.
    raw: Vec<Vec<(usize, Id)>>,
}

fn nodes(arrays: &[Vec<(usize, Id)>], at: usize) -> Vec<Id> {
    arrays.get(at).into_iter().flatten().map(|(_, id)| *id).collect()
}

/// Results with where they go.
type Results = Vec<(Id, Target)>;

/// A state with so much of the channel `from` of another one added to the channel `to`, for pairs `(to, from)`.
fn moved(
    graph: &mut Graph,
    state: &[Id],
    other: &[Id],
    pairs: impl Iterator<Item = (usize, usize)>,
    by: f64,
) -> Option<Vec<Id>> {
    let mut moved = state.to_vec();
    let by = graph.number(by);
    for (to, from) in pairs {
        let step = graph.binary(Binary::Mul, by, *other.get(from)?);
        let own = moved.get_mut(to)?;
        *own = graph.binary(Binary::Add, *own, step);
    }
    Some(moved)
}

/// The arrays that values are computed from.
fn reached(graph: &Graph, mut waiting: Vec<Id>) -> FxHashSet<usize> {
    let (mut seen, mut arrays) = (vec![false; graph.nodes().len()], FxHashSet::default());
    while let Some(id) = waiting.pop() {
        if seen.get_mut(id).is_some_and(|seen| !std::mem::replace(seen, true)) {
            if let Some(Node::Array(array)) = graph.nodes().get(id) {
                arrays.insert(*array);
            }
            waiting.extend(graph.arguments(id));
        }
    }
    arrays
}

/// The arrays of states that count: those of the state itself, and what of a method's memory it is computed from.
fn read(graph: &Graph, results: &[(Results, Results)], own: &Arrays) -> FxHashSet<usize> {
    let mut read: FxHashSet<usize> = own.states.iter().take(1).flatten().map(|(array, _)| *array).collect();
    loop {
        let counts = |target: &Target| matches!(target, Target::Array(array) if read.contains(array));
        let ends = results.iter().flat_map(|(ends, _)| ends).filter(|(_, target)| counts(target));
        let kept = results.iter().flat_map(|(_, kept)| kept);
        let found = reached(graph, ends.chain(kept).map(|(id, _)| *id).collect());
        let before = read.len();
        read.extend(found);
        if read.len() == before {
            return read;
        }
    }
}

/// The states that a step ends with, and those that are kept.
fn forward(graph: &mut Graph, rates: &mut dyn Rates, step: &Step, own: &Arrays) -> Result<(Results, Results), Unfit> {
    let mut states: FxHashMap<usize, Vec<Id>> = (0..step.given).map(|s| (s, nodes(&own.states, s))).collect();
    let missing = "a state of a step is missing";
    for operation in &step.operations {
        match operation {
            Operation::Sum { to, parts } => {
                let channels = own.states.first().map_or(0, Vec::len);
                let mut sums = Vec::with_capacity(channels);
                for c in 0..channels {
                    let mut sum: Option<Id> = None;
                    for (weight, function, from) in parts {
                        if function.is_some() {
                            return Err("the method takes the linear part for itself");
                        }
                        let part = *states.get(from).and_then(|s| s.get(c)).ok_or(missing)?;
                        let weight = graph.number(*weight);
                        let part = graph.binary(Binary::Mul, weight, part);
                        sum = Some(sum.map_or(part, |sum| graph.binary(Binary::Add, sum, part)));
                    }
                    sums.push(sum.unwrap_or_else(|| graph.number(0.0)));
                }
                let settled = rates.settled(graph, &sums, moment(step, *to))?;
                states.insert(*to, settled);
            }
            Operation::Nonlinear { to, from, after } => {
                let state = states.get(from).ok_or(missing)?.clone();
                let made = rates.rates(graph, &state, *after)?;
                states.insert(*to, made);
            }
            Operation::Drift { to, from, by, after } => {
                let pairs = rates.velocities().to_vec();
                let state = states.get(from).ok_or(missing)?;
                let moved = moved(graph, state, state, pairs.into_iter(), *by).ok_or(missing)?;
                let settled = rates.settled(graph, &moved, *after)?;
                states.insert(*to, settled);
            }
            Operation::Kick { to, from, rates: made, by } => {
                let (state, made) = (states.get(from).ok_or(missing)?, states.get(made).ok_or(missing)?);
                let pairs = rates.velocities().iter().map(|(_, v)| (*v, *v));
                let kicked = moved(graph, state, made, pairs, *by).ok_or(missing)?;
                states.insert(*to, kicked);
            }
        }
    }
    let into = |list: Vec<usize>, arrays: &[Vec<(usize, Id)>]| -> Result<Results, Unfit> {
        let mut results = Vec::new();
        for (place, state) in list.iter().enumerate() {
            let ids = states.get(state).ok_or(missing)?;
            let arrays = arrays.get(place).into_iter().flatten();
            results.extend(ids.iter().zip(arrays).map(|(id, (array, _))| (*id, Target::Array(*array))));
        }
        Ok(results)
    };
    Ok((into(step.ends.clone(), &own.states)?, into(saved(step), &own.saved)?))
}

/// The reverse of a step.
fn reverse(
    graph: &mut Graph,
    rates: &mut dyn Rates,
    step: &Step,
    own: &Arrays,
    read: &FxHashSet<usize>,
    (arrays, scalars): (&[(usize, usize)], &[usize]),
) -> Result<Results, Unfit> {
    let channels = own.states.first().map_or(0, Vec::len);
    let mut pull = Pull { channels, cotangents: FxHashMap::default(), leaves: FxHashMap::default() };
    let is_read = |place: usize, channel: usize| {
        own.states.get(place).and_then(|state| state.get(channel)).is_some_and(|(array, _)| read.contains(array))
    };
    for (place, end) in step.ends.iter().enumerate() {
        for (c, g) in nodes(&own.cotangents, place).into_iter().enumerate() {
            if is_read(place, c) {
                pull.add(graph, *end, c, g);
            }
        }
    }
    let wanted = |node: &Node| match node {
        Node::Array(i) => arrays.iter().any(|(own, _)| own == i),
        Node::Scalar(i) => scalars.contains(i),
        _ => false,
    };
    let kept = saved(step);
    for operation in step.operations.iter().rev() {
        let Some(mut g) = pull.cotangents.remove(&operation.to()) else { continue };
        let settled_at = match operation {
            Operation::Sum { to, .. } => Some(moment(step, *to)),
            Operation::Drift { after, .. } => Some(*after),
            Operation::Nonlinear { .. } | Operation::Kick { .. } => None,
        };
        if let Some(after) = settled_at {
            let raw = own.raw.first().cloned().unwrap_or_default();
            let bare = nodes(&own.raw, 0);
            let settled = rates.settled(graph, &bare, after)?;
            if settled != bare {
                g = pull.through(graph, &settled, &g, &raw, wanted)?;
            }
        }
        match operation {
            Operation::Sum { parts, .. } => {
                for (weight, _, from) in parts {
                    for (c, g) in g.iter().enumerate() {
                        let Some(g) = g else { continue };
                        let weight = graph.number(*weight);
                        let part = graph.binary(Binary::Mul, weight, *g);
                        pull.add(graph, *from, c, part);
                    }
                }
            }
            Operation::Nonlinear { from, after, .. } => {
                let place = kept.iter().position(|own| own == from).unwrap_or(0);
                let state = own.saved.get(place).cloned().unwrap_or_default();
                let made = rates.rates(graph, &nodes(&own.saved, place), *after)?;
                let back = pull.through(graph, &made, &g, &state, wanted)?;
                for (c, g) in back.into_iter().enumerate() {
                    if let Some(g) = g {
                        pull.add(graph, *from, c, g);
                    }
                }
            }
            Operation::Drift { from, by, .. } => {
                pull.moved(graph, (*from, *from), &g, rates.velocities().iter().copied(), *by);
            }
            Operation::Kick { from, rates: made, by, .. } => {
                let pairs = rates.velocities().iter().map(|(_, v)| (*v, *v));
                pull.moved(graph, (*from, *made), &g, pairs, *by);
            }
        }
    }
    let mut results = Vec::new();
    for (given, own) in own.cotangents.iter().enumerate().take(step.given.max(1)) {
        let ids = pull.cotangents.remove(&given).unwrap_or_else(|| vec![None; channels]);
        for (c, (id, (array, _))) in ids.into_iter().zip(own).enumerate() {
            if is_read(given, c) {
                let id = id.unwrap_or_else(|| graph.number(0.0));
                results.push((id, Target::Array(*array)));
            }
        }
    }
    for (array, sum) in arrays {
        if let Some(g) = pull.leaves.get(&(false, *array)) {
            results.push((*g, Target::Added(*sum)));
        }
    }
    for (number, scalar) in scalars.iter().enumerate() {
        if let Some(g) = pull.leaves.get(&(true, *scalar)) {
            results.push((*g, Target::Number(number)));
        }
    }
    Ok(results)
}

/// Cotangents while a step is gone back over.
struct Pull {
    channels: usize,
    /// Of states, by channels.
    cotangents: FxHashMap<usize, Vec<Option<Id>>>,
    /// Of arrays and scalars, the latter marked.
    leaves: FxHashMap<(bool, usize), Id>,
}

impl Pull {
    fn add(&mut self, graph: &mut Graph, state: usize, channel: usize, g: Id) {
        let slots = self.cotangents.entry(state).or_insert_with(|| vec![None; self.channels]);
        if let Some(slot) = slots.get_mut(channel) {
            *slot = Some(slot.map_or(g, |sum| graph.binary(Binary::Add, sum, g)));
        }
    }
    /// Those of a state that gets so much of the channels of another one, as [`moved`] has them.
    fn moved(
        &mut self,
        graph: &mut Graph,
        (state, other): (usize, usize),
        g: &[Option<Id>],
        pairs: impl Iterator<Item = (usize, usize)>,
        by: f64,
    ) {
        for (c, g) in g.iter().enumerate() {
            g.iter().for_each(|g| self.add(graph, state, c, *g));
        }
        for (to, from) in pairs {
            if let Some(Some(g)) = g.get(to) {
                let by = graph.number(by);
                let part = graph.binary(Binary::Mul, by, *g);
                self.add(graph, other, from, part);
            }
        }
    }
    /// From cotangents of values to those of the arrays that they are computed from.
    fn through(
        &mut self,
        graph: &mut Graph,
        values: &[Id],
        g: &[Option<Id>],
        arrays: &[(usize, Id)],
        wanted: impl Fn(&Node) -> bool,
    ) -> Result<Vec<Option<Id>>, Unfit> {
        let seeds: Vec<(Id, Id)> = values.iter().zip(g).filter_map(|(value, g)| Some((*value, (*g)?))).collect();
        let own = |i: &usize| arrays.iter().position(|(array, _)| array == i);
        let all = |node: &Node| wanted(node) || matches!(node, Node::Array(i) if own(i).is_some());
        let found = pulled(graph, &seeds, all).ok_or("its gradient is not compiled")?;
        let mut out = vec![None; arrays.len()];
        for (array, g) in found.arrays {
            match own(&array).and_then(|place| out.get_mut(place)) {
                Some(slot) => *slot = Some(g),
                None => self.leaf(graph, (false, array), g),
            }
        }
        for (scalar, g) in found.scalars {
            self.leaf(graph, (true, scalar), g);
        }
        Ok(out)
    }
    fn leaf(&mut self, graph: &mut Graph, key: (bool, usize), g: Id) {
        let sum = self.leaves.get(&key).map_or(g, |sum| graph.binary(Binary::Add, *sum, g));
        self.leaves.insert(key, sum);
    }
}
