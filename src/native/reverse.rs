//! Gradients of a march: the reverse of every step, the last one first.
//!
//! The reverse of a sum is a sum with transposed functions, that of an evaluation is the [`adjoint`](super::adjoint) of the right-hand
//! side at the state it was evaluated at. So the reverse of a step needs the states at which the right-hand side was evaluated, and nothing
//! else unless the linear part has gradients itself. They are kept, or a step is made again from a state before it.

use std::collections::HashMap;

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::adjoint::adjoint;
use super::assemble::{Assembler, Multiplier, Part, Shared};
use super::graph::{Graph, Kernel, Node};
use super::machine::{Machine, Phase};
use super::march::{Keep, Kept, March, Problem, Stop, assemble, into_points, into_spectra, number_of, registers};
use super::step::{Function, Operation, Step};
use crate::session::interrupt;
use crate::tensor::Real;

/// What has gradients besides the state.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Scalars by their numbers.
    pub scalars: Vec<usize>,
    /// Arrays by their numbers.
    pub arrays: Vec<usize>,
    /// Whether functions of the linear part have.
    pub functions: bool,
}

/// What the reverses of all steps share.
pub struct Reverse {
    graph: Graph,
    kernel: Kernel,
    /// Scalars whose cotangents are the numbers that are kept.
    pub scalars: Vec<usize>,
    /// Arrays whose cotangents are the points that are kept.
    pub arrays: Vec<usize>,
    /// Elements of functions of the linear part whose cotangents are registers: number, row, column.
    pub functions: Vec<(usize, usize, usize)>,
    /// The first of those registers.
    functions_at: usize,
    /// The first register of states that are kept.
    saved_at: usize,
    pinned: usize,
    /// Adds the cotangent of an output.
    input: Vec<Phase>,
    /// From the cotangent of the spectra of the start to that of its values.
    output: Vec<Phase>,
}

/// The reverse of one kind of step.
pub struct Back {
    /// States of the step that its reverse needs.
    saved: Vec<usize>,
    /// The step, which leaves those states in registers.
    record: Vec<Phase>,
    /// Where they are.
    recorded: Vec<usize>,
    /// The reverse.
    reverse: Vec<Phase>,
}

/// States of a step that its reverse needs.
fn saved(step: &Step, functions: bool) -> Vec<usize> {
    let mut saved = Vec::new();
    let mut add = |state: usize| {
        if !saved.contains(&state) {
            saved.push(state);
        }
    };
    for operation in &step.operations {
        match operation {
            Operation::Nonlinear { from, .. } => add(*from),
            Operation::Sum { parts, .. } if functions => {
                parts.iter().filter(|part| part.1.is_some()).for_each(|part| add(part.2));
            }
            Operation::Sum { .. } | Operation::Drift { .. } | Operation::Kick { .. } => {}
        }
    }
    saved
}

/// Elements of functions that a channel of a sum takes.
fn elements(problem: &Problem) -> impl Iterator<Item = (usize, usize)> {
    let (channels, is_matrix) = (problem.channels(), problem.is_matrix);
    (0..channels)
        .flat_map(move |row| (0..channels).map(move |column| (row, column)))
        .filter(move |(r, c)| is_matrix || r == c)
}

impl Reverse {
    /// `None` where something has no derivative here.
    pub(super) fn new(
        problem: &mut Problem,
        shared: &mut Shared,
        functions: &mut Vec<(f64, Function)>,
        steps: &[Step],
        states: usize,
        wanted: &Wanted,
    ) -> Option<Self> {
        let (channels, points) = (problem.channels(), problem.points());
        let back = adjoint(&mut problem.graph, &problem.kernel, points, |node| match node {
            Node::Scalar(i) => wanted.scalars.contains(i),
            Node::Array(i) => wanted.arrays.contains(i),
            _ => false,
        })?;
        let kernel = Kernel {
            spectra: back.states,
            points: back.arrays.iter().map(|(_, id)| (*id, true)).collect(),
            numbers: back.scalars.iter().map(|(_, id)| *id).collect(),
        };
        let most = steps.iter().map(|step| saved(step, wanted.functions).len()).max().unwrap_or(0);
        let saved_at = states * channels;
        let functions_at = saved_at + most * channels;
        let mut tracked = Vec::new();
        if wanted.functions {
            for step in steps {
                for function in &step.functions {
                    let number = number_of(functions, step.h, *function);
                    for (row, column) in elements(problem) {
                        if !tracked.contains(&(number, row, column)) {
                            tracked.push((number, row, column));
                        }
                    }
                }
            }
        }
        let pinned = functions_at + tracked.len();
        let own = registers(0, channels);
        let (graph, input) = into_spectra(channels, 1.0 / points as f64, 1);
        let mut assembler = Assembler::new(shared, pinned);
        let added = assembler.kernel(&graph, &input, &[], &[], 0.0);
        let part = |register: &usize| Part { register: *register, multiplier: None, weight: 1.0 };
        let sums: Vec<usize> = own.iter().zip(&added).map(|(a, b)| assembler.sum(&[part(a), part(b)])).collect();
        let input = assembler.finish(&sums)?;
        let (graph, output) = into_points(channels, 1.0, -1);
        let mut assembler = Assembler::new(shared, pinned);
        assembler.kernel(&graph, &output, &own, &[], 0.0);
        let output = assembler.finish(&[])?;
        Some(Self {
            graph: problem.graph.clone(),
            kernel,
            scalars: back.scalars.iter().map(|(i, _)| *i).collect(),
            arrays: back.arrays.iter().map(|(i, _)| *i).collect(),
            functions: tracked,
            functions_at,
            saved_at,
            pinned,
            input,
            output,
        })
    }

    /// The reverse of a step.
    pub(super) fn back(
        &self,
        problem: &Problem,
        shared: &mut Shared,
        functions: &mut Vec<(f64, Function)>,
        step: &Step,
        states: usize,
    ) -> Option<Back> {
        let channels = problem.channels();
        let saved = saved(step, !self.functions.is_empty());
        // The step itself, with what is saved in places behind those of the states.
        let mut assembler = Assembler::new(shared, self.pinned);
        let made = assemble(problem, step, functions, &mut assembler)?;
        let mut ends = made.ends(step);
        while ends.len() < states * channels {
            ends.push(ends.len());
        }
        let mut recorded = Vec::new();
        for state in &saved {
            for register in made.0.get(*state)? {
                // What the step begins with, and what it ends with too, is copied.
                let copied = *register < self.pinned || ends.contains(register);
                let part = Part { register: *register, multiplier: None, weight: 1.0 };
                recorded.push(ends.len());
                ends.push(if copied { assembler.sum(&[part]) } else { *register });
            }
        }
        let record = assembler.finish(&ends)?;
        let mut assembler = Assembler::new(shared, self.pinned);
        let ends = self.reversed(problem, functions, step, &saved, &mut assembler)?;
        let reverse = assembler.finish(&ends)?;
        Some(Back { saved, record, recorded, reverse })
    }

    /// Writes the reverse of a step; gives the registers of the cotangents of what the step begins with.
    fn reversed(
        &self,
        problem: &Problem,
        functions: &mut Vec<(f64, Function)>,
        step: &Step,
        saved: &[usize],
        assembler: &mut Assembler<'_>,
    ) -> Option<Vec<usize>> {
        let channels = problem.channels();
        let state = |number: usize| -> Option<Vec<usize>> {
            let at = saved.iter().position(|own| *own == number)?;
            Some((0..channels).map(|c| self.saved_at + at * channels + c).collect())
        };
        // Contributions to the cotangent of each state, by channels.
        let mut cotangents: HashMap<usize, Vec<Vec<Part>>> = HashMap::new();
        let add = |cotangents: &mut HashMap<usize, Vec<Vec<Part>>>, to: usize, channel: usize, part: Part| {
            cotangents.entry(to).or_insert_with(|| vec![Vec::new(); channels])[channel].push(part);
        };
        for (place, end) in step.ends.iter().enumerate() {
            for c in 0..channels {
                add(&mut cotangents, *end, c, Part { register: place * channels + c, multiplier: None, weight: 1.0 });
            }
        }
        for operation in step.operations.iter().rev() {
            let Some(parts) = cotangents.remove(&operation.to()) else { continue };
            let g: Vec<usize> = parts.iter().map(|parts| assembler.sum(parts)).collect();
            match operation {
                Operation::Sum { parts, .. } => {
                    for (weight, function, from) in parts {
                        let Some(function) = function else {
                            for (c, register) in g.iter().enumerate() {
                                let part = Part { register: *register, multiplier: None, weight: *weight };
                                add(&mut cotangents, *from, c, part);
                            }
                            continue;
                        };
                        let number = number_of(functions, step.h, step.functions[*function]);
                        for (row, column) in elements(problem) {
                            let multiplier = Multiplier::Function { number, row, column, conjugate: true };
                            let part = Part { register: g[row], multiplier: Some(multiplier), weight: *weight };
                            add(&mut cotangents, *from, column, part);
                            let tracked = self.functions.iter().position(|own| *own == (number, row, column));
                            if let Some(at) = tracked {
                                assembler.correlate(self.functions_at + at, state(*from)?[column], g[row]);
                            }
                        }
                    }
                }
                Operation::Nonlinear { from, after, .. } => {
                    let made = assembler.kernel(&self.graph, &self.kernel, &state(*from)?, &g, *after);
                    for (c, register) in made.into_iter().enumerate() {
                        add(&mut cotangents, *from, c, Part { register, multiplier: None, weight: 1.0 });
                    }
                }
                Operation::Drift { from, by, .. } => {
                    for (c, register) in g.iter().enumerate() {
                        add(&mut cotangents, *from, c, Part { register: *register, multiplier: None, weight: 1.0 });
                    }
                    for (x, v) in &problem.velocities {
                        add(&mut cotangents, *from, *v, Part { register: *g.get(*x)?, multiplier: None, weight: *by });
                    }
                }
                Operation::Kick { from, rates, by, .. } => {
                    for (c, register) in g.iter().enumerate() {
                        add(&mut cotangents, *from, c, Part { register: *register, multiplier: None, weight: 1.0 });
                    }
                    for (_, v) in &problem.velocities {
                        add(&mut cotangents, *rates, *v, Part { register: *g.get(*v)?, multiplier: None, weight: *by });
                    }
                }
            }
        }
        let ends = (0..step.given).flat_map(|given| {
            let parts = cotangents.remove(&given).unwrap_or_else(|| vec![Vec::new(); channels]);
            parts.into_iter().map(|parts| assembler.sum(&parts)).collect::<Vec<_>>()
        });
        Some(ends.collect())
    }
}

/// Gradients of one sample.
pub struct Gradients<T> {
    /// Of the start, `[channel, x…]`.
    pub start: Vec<T>,
    /// Of scalars, in the order of [`Reverse::scalars`].
    pub scalars: Vec<f64>,
    /// Of arrays, in the order of [`Reverse::arrays`].
    pub arrays: Vec<Vec<T>>,
    /// Of functions of the linear part, in the order of [`Reverse::functions`], by columns.
    pub functions: Vec<Vec<Complex<T>>>,
}

impl<T: Real> March<T> {
    /// Numbers that are kept of one sample when everything is kept.
    fn kept_by_all(&self) -> usize {
        let of = |program: usize| self.programs.steps[program].back.as_ref().map_or(0, |back| back.saved.len());
        let states: usize = self.programs.schedule.iter().map(|step| of(step.program)).sum();
        states.saturating_mul(2 * self.channels * self.plan.layout.modes())
    }
    /// Numbers that a gradient keeps of one sample: before its reverse pass, and in it beside one step at work.
    pub fn kept(&self, keep: Keep) -> (usize, usize) {
        let schedule = &self.programs.schedule;
        let state = schedule.iter().map(|step| self.count_given(step)).max().unwrap_or(0);
        let state = state.saturating_mul(2 * self.plan.layout.modes());
        match keep {
            Keep::Nothing => (0, 0),
            Keep::All => (self.kept_by_all(), 0),
            Keep::Every(n) => {
                (schedule.len().div_ceil(n.max(1)).saturating_mul(state), state.saturating_mul(n.min(schedule.len())))
            }
        }
    }
    /// Writes registers from one on.
    fn put(&self, machine: &mut Machine<T>, first: usize, values: &[Complex<T>]) {
        for (register, part) in values.chunks_exact(self.plan.layout.modes()).enumerate() {
            machine.write(&self.plan, first + register, part);
        }
    }
    /// Makes a step and gives what its reverse needs.
    pub(super) fn recorded(&self, machine: &mut Machine<T>, back: &Back, t: f64, arrays: &[&[T]]) -> Vec<Complex<T>> {
        machine.run(&self.plan, &back.record, t, arrays);
        self.registers(machine, &back.recorded)
    }

    /// From the cotangents of the states, `[sample, time, channel, x…]`, to gradients.
    ///
    /// # Errors
    /// When an interrupt was asked for.
    pub fn backward(&self, kept: &[Kept<T>], keep: Keep, g: &[T]) -> Result<Vec<Gradients<T>>, Stop> {
        let samples = kept.len();
        let each = self.slots() * self.state_len();
        let one = |(sample, (kept, g)): (usize, (&Kept<T>, &[T]))| self.back_over(sample, samples, kept, keep, g);
        let items = kept.iter().zip(g.chunks_exact(each.max(1))).enumerate();
        if samples == 1 {
            let items: Vec<_> = items.collect();
            rayon::scope(|_| items.into_iter().map(one).collect())
        } else {
            items.collect::<Vec<_>>().into_par_iter().map(one).collect()
        }
    }

    fn back_over(
        &self,
        sample: usize,
        samples: usize,
        kept: &Kept<T>,
        keep: Keep,
        g: &[T],
    ) -> Result<Gradients<T>, Stop> {
        let Some(reverse) = &self.programs.reverse else { return Err(Stop::Interrupted) };
        let (plan, schedule) = (&self.plan, &self.programs.schedule);
        let points = plan.layout.points();
        let arrays = self.arrays_of(sample);
        let mut machine = self.machine(samples);
        self.enter(&mut machine, sample);
        let mut forward: Option<Machine<T>> = None;
        let mut end = schedule.len();
        for (number, memory) in kept.iter().enumerate().rev() {
            let first = if let Keep::Every(n) = keep { number * n } else { number };
            let steps = &schedule[first..end];
            // The states before the steps of this part; what the reverse of a step needs is made again when its turn comes, so that memory
            // holds one state for a step and not all of its stages.
            let mut before: Vec<Vec<Complex<T>>> = Vec::new();
            if let Keep::Every(_) = keep {
                let again = forward.get_or_insert_with(|| {
                    let mut machine = self.machine(samples);
                    self.enter(&mut machine, sample);
                    machine
                });
                self.put(again, 0, memory);
                for pair in steps.windows(2) {
                    again.run(plan, &self.programs.steps[pair[0].program].forward, pair[0].t, &arrays);
                    before.push(self.registers(again, &self.given(&pair[1])));
                }
            }
            for (place, step) in steps.iter().enumerate().rev() {
                let made: Vec<Complex<T>>;
                let trace = match (&mut forward, &self.programs.steps[step.program].back) {
                    (Some(again), Some(back)) if keep != Keep::All => {
                        let state = place.checked_sub(1).and_then(|i| before.get(i)).unwrap_or(memory);
                        self.put(again, 0, state);
                        made = self.recorded(again, back, step.t, &arrays);
                        &made
                    }
                    _ => memory,
                };
                if let Some(slot) = step.output.map(|time| time - self.first) {
                    let g = &g[slot * self.channels * points..][..self.channels * points];
                    machine.run(plan, &reverse.input, 0.0, &g.chunks_exact(points).collect::<Vec<_>>());
                }
                self.put(&mut machine, reverse.saved_at, trace);
                if let Some(back) = &self.programs.steps[step.program].back {
                    machine.run(plan, &back.reverse, step.t, &arrays);
                }
                if interrupt::pending().is_some() {
                    return Err(Stop::Interrupted);
                }
            }
            end = first;
        }
        // What was added up at points comes before the start, which takes its place.
        let arrays = (0..reverse.arrays.len()).map(|i| machine.points_of(i)).collect();
        let functions =
            (0..reverse.functions.len()).map(|i| self.registers(&machine, &[reverse.functions_at + i])).collect();
        let scalars = machine.numbers[..reverse.scalars.len()].to_vec();
        machine.run(plan, &reverse.output, 0.0, &[]);
        let start = (0..self.channels).flat_map(|c| machine.points_of(c)).collect();
        Ok(Gradients { start, scalars, arrays, functions })
    }
}
