//! All samples through all steps.

use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::assemble::{Assembler, Multiplier, Part, Shared};
use super::graph::{Graph, Kernel, Node, Source, Term};
use super::layout::Layout;
use super::machine::{Machine, Phase, Plan, Table};
use super::reverse::{Back, Reverse, Wanted};
use super::step::{Function, Operation, Step};
use super::transform::Transforms;
use crate::error::Result;
use crate::session::{Progress, interrupt};
use crate::tensor::Real;

/// The right-hand side of an evolution, without its linear part with constant coefficients.
pub struct Problem {
    /// Lengths of the axes of space.
    pub lens: Vec<usize>,
    /// Columns with modes that are not cut; all where nothing is.
    pub kept: usize,
    /// What is computed: the spectra of the rates of change.
    pub graph: Graph,
    /// Which nodes.
    pub kernel: Kernel,
    /// Scalars that are given, the time among them.
    pub scalars: usize,
    /// Whether the linear part mixes channels.
    pub is_matrix: bool,
    /// Pairs of channels, a position and its velocity, for drifts and kicks.
    pub velocities: Vec<(usize, usize)>,
}

impl Problem {
    /// Channels of the state.
    pub fn channels(&self) -> usize {
        self.kernel.spectra.len()
    }
    /// Points of a channel.
    pub fn points(&self) -> usize {
        self.lens.iter().product()
    }
}

/// One step of the schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheduled {
    /// When it begins.
    pub t: f64,
    /// Its length.
    pub h: f64,
    /// Which program it is.
    pub program: usize,
    /// The number of the output time at its end.
    pub output: Option<usize>,
}

/// One kind of step.
pub struct Compiled {
    /// What the integrator does.
    pub step: Step,
    /// The step.
    pub forward: Vec<Phase>,
    /// The step with what its reverse needs, and its reverse.
    pub back: Option<Back>,
}

/// Programs for a schedule of steps, without the tables.
pub struct Programs {
    /// What they share.
    pub shared: Shared,
    /// Functions of the linear part with the length of the step, as [`Multiplier::Function`] numbers them.
    pub functions: Vec<(f64, Function)>,
    /// From points to spectra.
    pub input: Vec<Phase>,
    /// From spectra to points.
    pub output: Vec<Phase>,
    /// Steps.
    pub steps: Vec<Compiled>,
    /// What gradients need.
    pub reverse: Option<Reverse>,
    /// The steps in order.
    pub schedule: Vec<Scheduled>,
}

/// The kernel that transforms arrays `0 … channels − 1`, with a power of the weight of wavenumbers without stored opposites.
pub(super) fn into_spectra(channels: usize, weight: f64, doubled: i8) -> (Graph, Kernel) {
    let mut graph = Graph::default();
    let spectra = (0..channels)
        .map(|c| {
            let array = graph.node(Node::Array(c));
            vec![Term::of(Source::Transform(array)).scaled(weight).doubled(doubled)]
        })
        .collect();
    (graph, Kernel { spectra, ..Kernel::default() })
}
/// The kernel that brings states to points.
pub(super) fn into_points(channels: usize, weight: f64, doubled: i8) -> (Graph, Kernel) {
    let mut graph = Graph::default();
    let points = (0..channels)
        .map(|c| (graph.inverse(vec![Term::of(Source::State(c)).scaled(weight).doubled(doubled)]), false))
        .collect();
    (graph, Kernel { points, ..Kernel::default() })
}

/// The registers of one state.
pub(super) fn registers(state: usize, channels: usize) -> Vec<usize> {
    (state * channels..(state + 1) * channels).collect()
}

impl Programs {
    /// For steps that were traced, in their order; with their reverse where `wanted` says what has gradients.
    pub fn new(
        problem: &mut Problem,
        steps: Vec<Step>,
        schedule: Vec<Scheduled>,
        wanted: Option<&Wanted>,
    ) -> Option<Self> {
        let channels = problem.channels();
        let mut shared = Shared::new(problem.scalars);
        let states = steps.iter().map(|s| s.given.max(s.ends.len())).max().unwrap_or(1);
        let pinned = states * channels;
        let own = registers(0, channels);
        let (graph, kernel) = into_spectra(channels, 1.0, 0);
        let mut assembler = Assembler::new(&mut shared, pinned);
        let spectra = assembler.kernel(&graph, &kernel, &[], &[], 0.0);
        let input = assembler.finish(&spectra)?;
        let (graph, kernel) = into_points(channels, 1.0 / problem.points() as f64, 0);
        let mut assembler = Assembler::new(&mut shared, pinned);
        assembler.kernel(&graph, &kernel, &own, &[], 0.0);
        let output = assembler.finish(&[])?;
        let mut functions = Vec::new();
        let reverse = match wanted {
            Some(wanted) => Some(Reverse::new(problem, &mut shared, &mut functions, &steps, states, wanted)?),
            None => None,
        };
        let mut programs = Vec::new();
        for step in steps {
            let mut assembler = Assembler::new(&mut shared, pinned);
            let forward = assemble(problem, &step, &mut functions, &mut assembler)
                .and_then(|made| assembler.finish(&made.ends(&step)))?;
            let back = match &reverse {
                Some(reverse) => Some(reverse.back(problem, &mut shared, &mut functions, &step, states)?),
                None => None,
            };
            programs.push(Compiled { step, forward, back });
        }
        Some(Self { shared, functions, input, output, steps: programs, reverse, schedule })
    }
    /// With the tables, by their multipliers.
    pub fn plan<T: Real>(
        &self,
        problem: &Problem,
        table: impl Fn(&Multiplier, &Layout) -> Result<Table<T>>,
    ) -> Result<Plan<T>> {
        let layout = Layout::new(&problem.lens, problem.kept);
        Ok(Plan {
            transforms: Transforms::new(&layout),
            tables: self.shared.tables.iter().map(|m| table(m, &layout)).collect::<Result<_>>()?,
            registers: self.shared.registers,
            transformed: self.shared.transformed,
            kept: self.shared.points,
            scalars: self.shared.scalars.clone(),
            numbers: self.shared.numbers,
            scratch: Mutex::new(Vec::new()),
            layout,
        })
    }
}

/// The number of a function of the linear part.
pub(super) fn number_of(functions: &mut Vec<(f64, Function)>, h: f64, function: Function) -> usize {
    functions.iter().position(|own| *own == (h, function)).unwrap_or_else(|| {
        functions.push((h, function));
        functions.len() - 1
    })
}

/// The registers of the states of a step.
pub(super) struct Made(pub Vec<Vec<usize>>);

impl Made {
    /// Of the states that it ends with.
    pub fn ends(&self, step: &Step) -> Vec<usize> {
        step.ends.iter().filter_map(|end| self.0.get(*end)).flatten().copied().collect()
    }
}

/// Writes a step into a program.
pub(super) fn assemble(
    problem: &Problem,
    step: &Step,
    functions: &mut Vec<(f64, Function)>,
    assembler: &mut Assembler<'_>,
) -> Option<Made> {
    let channels = problem.channels();
    let mut states: Vec<Vec<usize>> = (0..step.given).map(|s| registers(s, channels)).collect();
    for operation in &step.operations {
        match operation {
            Operation::Sum { to, parts } => {
                let made = (0..channels).map(|row| {
                    let mut list = Vec::new();
                    for (weight, function, from) in parts {
                        let from = states.get(*from)?;
                        let Some(function) = function else {
                            list.push(Part { register: from[row], multiplier: None, weight: *weight });
                            continue;
                        };
                        let number = number_of(functions, step.h, step.functions[*function]);
                        for (column, register) in from.iter().enumerate() {
                            if problem.is_matrix || column == row {
                                let multiplier = Multiplier::Function { number, row, column, conjugate: false };
                                list.push(Part { register: *register, multiplier: Some(multiplier), weight: *weight });
                            }
                        }
                    }
                    Some(assembler.sum(&list))
                });
                let made = made.collect::<Option<Vec<_>>>()?;
                set(&mut states, *to, made);
            }
            Operation::Nonlinear { to, from, after } => {
                let made = assembler.kernel(&problem.graph, &problem.kernel, states.get(*from)?, &[], *after);
                set(&mut states, *to, made);
            }
            Operation::Drift { to, from, by, .. } => {
                let state = states.get(*from)?.clone();
                let made = moved(problem, assembler, (&state, &state), |(x, v)| (x, v), *by)?;
                set(&mut states, *to, made);
            }
            Operation::Kick { to, from, rates, by } => {
                let made = moved(problem, assembler, (states.get(*from)?, states.get(*rates)?), |(_, v)| (v, v), *by)?;
                set(&mut states, *to, made);
            }
        }
    }
    Some(Made(states))
}
/// The registers of a state with so much of a channel of another one added to each position or velocity: `which` gives, for a pair of those, to what and
/// from what.
fn moved(
    problem: &Problem,
    assembler: &mut Assembler<'_>,
    (state, other): (&[usize], &[usize]),
    which: impl Fn((usize, usize)) -> (usize, usize),
    by: f64,
) -> Option<Vec<usize>> {
    let mut made = state.to_vec();
    let part = |register: usize, weight: f64| Part { register, multiplier: None, weight };
    for (to, from) in problem.velocities.iter().map(|pair| which(*pair)) {
        let own = made.get_mut(to)?;
        *own = assembler.sum(&[part(*own, 1.0), part(*other.get(from)?, by)]);
    }
    Some(made)
}
fn set(states: &mut Vec<Vec<usize>>, at: usize, registers: Vec<usize>) {
    if states.len() <= at {
        states.resize(at + 1, Vec::new());
    }
    states[at] = registers;
}

/// Numbers that samples share, or that each has for itself.
#[derive(Clone)]
pub struct Given<T> {
    /// One sample after the other.
    pub values: Vec<T>,
    /// Numbers of one sample.
    pub each: usize,
}

impl<T> Given<T> {
    /// Those of a sample.
    pub fn of(&self, sample: usize) -> &[T] {
        let start = if self.values.len() > self.each { sample * self.each } else { 0 };
        &self.values[start..start + self.each]
    }
}

/// Programs with all that they need.
pub struct March<T: Real> {
    /// What is run.
    pub programs: Programs,
    /// Tables and sizes.
    pub plan: Plan<T>,
    /// Channels.
    pub channels: usize,
    /// Values of the scalars that are given, from number 1 on.
    pub scalars: Vec<Given<T>>,
    /// Arrays.
    pub arrays: Vec<Given<T>>,
    /// Output times, the first of them the start.
    pub times: usize,
    /// The first output time that is asked for: 1 where nobody wants the start again.
    pub first: usize,
}

/// What is kept for a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: there is none.
    Nothing,
    /// The state before every so many steps.
    Every(usize),
    /// Of every step what its reverse needs.
    All,
}

/// What was kept of one sample, in the order of steps.
pub type Kept<T> = Vec<Vec<Complex<T>>>;

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The state after this step is not finite.
    NotFinite(usize),
    /// Someone asked for it.
    Interrupted,
}

impl<T: Real> March<T> {
    /// Whether threads share one sample, because there are fewer samples than threads.
    fn is_spread(&self, samples: usize) -> bool {
        samples < rayon::current_num_threads() && self.plan.layout.modes() * self.channels >= 1 << 12
    }
    /// A sample at work.
    pub(super) fn machine(&self, samples: usize) -> Machine<'_, T> {
        Machine::new(&self.plan, self.is_spread(samples))
    }
    /// Sets what differs between samples.
    pub(super) fn enter(&self, machine: &mut Machine<T>, sample: usize) {
        machine.sample = sample;
        for (slot, given) in machine.scalars.iter_mut().skip(1).zip(&self.scalars) {
            *slot = given.of(sample).first().copied().unwrap_or_default();
        }
    }
    /// Arrays of a sample.
    pub(super) fn arrays_of(&self, sample: usize) -> Vec<&[T]> {
        self.arrays.iter().map(|given| given.of(sample)).collect()
    }
    /// Numbers in the state of one sample.
    pub fn state_len(&self) -> usize {
        self.channels * self.plan.layout.points()
    }

    /// Output times that are asked for.
    pub fn slots(&self) -> usize {
        self.times - self.first
    }

    /// From `start`, `[sample, channel, x…]`, to the states at the output times that are asked for, `[sample, time, channel, x…]`, in `out`, all of
    /// which is written. `keep` says what is kept for a gradient.
    ///
    /// # Errors
    /// When a state is not finite, or an interrupt was asked for.
    pub fn forward(
        &self,
        start: &[T],
        out: &mut [MaybeUninit<T>],
        keep: Keep,
        progress: Option<&mut Progress>,
    ) -> std::result::Result<Vec<Kept<T>>, Stop> {
        let len = self.state_len();
        let samples = start.len() / len.max(1);
        let work = |(sample, (start, out)): (usize, (&[T], &mut [MaybeUninit<T>])),
                    machine: &mut Machine<T>,
                    done: &AtomicUsize| { self.sample(machine, sample, start, out, keep, done) };
        let (times, done) = (self.slots() * len, AtomicUsize::new(0));
        let run = || -> Vec<std::result::Result<Kept<T>, Stop>> {
            let items = start.chunks_exact(len).zip(out.chunks_exact_mut(times)).enumerate();
            if samples == 1 || self.is_small(samples) {
                let mut machine = self.machine(samples);
                let mut all = |items: Vec<_>| items.into_iter().map(|item| work(item, &mut machine, &done)).collect();
                let items: Vec<_> = items.collect();
                // Inside of the pool, where handing out parts costs less.
                if samples == 1 && self.is_spread(1) { rayon::scope(|_| all(items)) } else { all(items) }
            } else {
                let items: Vec<_> = items.collect();
                items.into_par_iter().map_init(|| self.machine(samples), |m, item| work(item, m, &done)).collect()
            }
        };
        let total = (samples * self.programs.schedule.len()).max(1);
        let results = watched(run, &done, total, self.programs.schedule.len(), progress);
        let mut kept = Vec::with_capacity(samples);
        let mut stop: Option<Stop> = None;
        for result in results {
            match (result, stop) {
                (Ok(states), _) => kept.push(states),
                (Err(Stop::NotFinite(step)), Some(Stop::NotFinite(first))) => {
                    stop = Some(Stop::NotFinite(step.min(first)))
                }
                (Err(Stop::NotFinite(_)), Some(Stop::Interrupted)) => {}
                (Err(new), _) => stop = Some(new),
            }
        }
        stop.map_or(Ok(kept), Err)
    }
    /// Whether waking threads would cost more than the work.
    fn is_small(&self, samples: usize) -> bool {
        samples.saturating_mul(self.programs.schedule.len()).saturating_mul(self.state_len()) < 1 << 14
    }

    /// One sample through all steps.
    fn sample(
        &self,
        machine: &mut Machine<T>,
        sample: usize,
        start: &[T],
        out: &mut [MaybeUninit<T>],
        keep: Keep,
        done: &AtomicUsize,
    ) -> std::result::Result<Kept<T>, Stop> {
        let points = self.plan.layout.points();
        self.enter(machine, sample);
        if self.first == 0 {
            out[..start.len()].write_copy_of_slice(start);
        }
        let channels: Vec<&[T]> = start.chunks_exact(points).collect();
        machine.run(&self.plan, &self.programs.input, 0.0, &channels);
        let arrays = self.arrays_of(sample);
        let mut kept = Vec::new();
        // Threads that count every short step in one place hold one another up.
        let often = (COUNTED / self.state_len().max(1)).max(1);
        for (number, step) in self.programs.schedule.iter().enumerate() {
            let compiled = &self.programs.steps[step.program];
            match (keep, &compiled.back) {
                (Keep::All, Some(back)) => kept.push(self.recorded(machine, back, step.t, &arrays)),
                _ => {
                    if matches!(keep, Keep::Every(n) if number % n == 0) {
                        kept.push(self.registers(machine, &self.given(step)));
                    }
                    machine.run(&self.plan, &compiled.forward, step.t, &arrays);
                }
            }
            if (0..self.channels).any(|c| !machine.is_finite(&self.plan, c)) {
                return Err(Stop::NotFinite(number));
            }
            if let Some(slot) = step.output.map(|time| time - self.first) {
                machine.run(&self.plan, &self.programs.output, 0.0, &[]);
                let state = &mut out[slot * channels.len() * points..][..channels.len() * points];
                for (c, values) in state.chunks_exact_mut(points).enumerate() {
                    machine.points(c, values);
                }
            }
            if (number + 1).is_multiple_of(often) {
                done.fetch_add(often, Ordering::Relaxed);
            }
            if interrupt::pending().is_some() {
                return Err(Stop::Interrupted);
            }
        }
        done.fetch_add(self.programs.schedule.len() % often, Ordering::Relaxed);
        Ok(kept)
    }
    /// The registers that a step begins with.
    pub(super) fn given(&self, step: &Scheduled) -> Vec<usize> {
        (0..self.count_given(step)).collect()
    }
    /// How many those are.
    pub(super) fn count_given(&self, step: &Scheduled) -> usize {
        self.programs.steps[step.program].step.given * self.channels
    }
    /// Copies of registers.
    pub(super) fn registers(&self, machine: &Machine<T>, registers: &[usize]) -> Vec<Complex<T>> {
        let modes = self.plan.layout.modes();
        let mut state = vec![Complex::new(T::default(), T::default()); registers.len() * modes];
        for (register, part) in registers.iter().zip(state.chunks_exact_mut(modes)) {
            machine.read(&self.plan, *register, part);
        }
        state
    }
}

/// Numbers after which the progress of a sample is counted.
pub(super) const COUNTED: usize = 1 << 16;

/// Runs long work on a thread of its own and shows how far it is.
pub(super) fn watched<R: Send>(
    run: impl FnOnce() -> R + Send,
    done: &AtomicUsize,
    total: usize,
    steps: usize,
    progress: Option<&mut Progress>,
) -> R {
    let Some(progress) = progress else { return run() };
    let (finished, waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let result = run();
            let _ = finished.send(());
            result
        });
        while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = waiting.recv_timeout(Duration::from_millis(100)) {
            let part = done.load(Ordering::Relaxed) as f64 / total as f64;
            // The workers notice an interrupt themselves.
            let _ = progress.at((part * steps as f64) as u64, || format!("{:.0} %", 100.0 * part));
        }
        match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
