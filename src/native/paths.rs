//! Stochastic steps at points: all samples through all steps, with their noise, in one pass.
//!
//! A tile of samples stays in the nearest cache from its first step to its last one: numbers from counters become normal ones, these become the
//! update, and only what is asked for at output times leaves. A tile lies as `[channel, point, sample]`, so that the
//! program of a step runs along samples. Tiles and the bundles that they are joined in do not depend on the number of threads, so neither do results.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::graph::{Graph, Id, POINTS};
use super::is_finite;
use super::march::{Stop, watched};
use super::points::assemble::{Program, Shared, Target, program};
use super::points::machine::{Machine, Plan};
use crate::sde::moments::{Bins, Tally};
use crate::session::{Progress, interrupt};
use crate::tensor::Real;
use crate::tensor::random::{Drawable, Key, NoiseColumns};

/// Numbers of a channel that are worked on together.
const TILE: usize = 1024;
/// Bundles of tiles: one joins the statistics of its tiles in their order.
const BUNDLES: usize = 256;
/// Numbers times steps that are not worth a second thread.
const ALONE: usize = 1 << 14;
/// Steps between looks at the flag of interruption.
const LOOK: usize = 32;

/// What a step is computed from.
pub struct Leaves {
    /// The channels of the state.
    pub state: Vec<Id>,
    /// Standard normal numbers for each channel.
    pub noise: Vec<Id>,
    /// The time at the beginning of the step.
    pub time: Id,
    /// Its length.
    pub step: Id,
    /// Its square root.
    pub root: Id,
    /// The strength of the noise of each channel, where it is a function of time.
    pub strengths: Vec<Id>,
}

/// A step, compiled.
pub struct Compiled {
    graph: Graph,
    shared: Shared,
    step: Program,
    observe: Option<Program>,
    /// Arrays of what is observed.
    observed: Vec<usize>,
    channels: usize,
    points: usize,
    /// Channels that have noise.
    noisy: Vec<usize>,
}

impl Compiled {
    /// The graph with the leaves of a step, for so many channels of so many points.
    pub fn leaves(channels: usize, points: usize) -> (Graph, Leaves) {
        let mut graph = Graph::on([points, 1, 1]);
        let mut arrays = || (0..channels).map(|_| graph.fresh_array(POINTS).1).collect();
        let (state, noise) = (arrays(), arrays());
        let (time, step, root) = (graph.fresh_scalar().1, graph.fresh_scalar().1, graph.fresh_scalar().1);
        let strengths = (0..channels).map(|_| graph.fresh_scalar().1).collect();
        (graph, Leaves { state, noise, time, step, root, strengths })
    }
    /// A step from the state after it, and what is observed of a state; the state itself where that is nothing. Noise is drawn for the
    /// channels in `noisy` alone.
    pub fn new(mut graph: Graph, points: usize, next: &[Id], observe: Option<&[Id]>, noisy: Vec<usize>) -> Self {
        let channels = next.len();
        let places: Option<Vec<usize>> =
            observe.map(|values| values.iter().map(|_| graph.fresh_array(POINTS).0).collect());
        let mut shared = Shared::new(graph.array_forms(), true);
        let results: Vec<_> = next.iter().zip(0..).map(|(id, place)| (*id, Target::Array(place))).collect();
        let step = program(&graph, &mut shared, &results, graph.scalars());
        let observe = observe.zip(places.as_ref()).map(|(values, places)| {
            let results: Vec<_> = values.iter().zip(places).map(|(id, place)| (*id, Target::Array(*place))).collect();
            program(&graph, &mut shared, &results, graph.scalars())
        });
        let observed = places.unwrap_or_else(|| (0..channels).collect());
        Self { graph, shared, step, observe, observed, channels, points, noisy }
    }
    /// Values that are observed.
    pub fn values(&self) -> usize {
        self.observed.len()
    }
    /// Numbers of a sample that are observed.
    pub fn columns(&self) -> usize {
        self.observed.len() * self.points
    }
    /// Samples of a tile.
    fn tile(&self) -> usize {
        (TILE / self.points.max(1)).next_multiple_of(16).max(16)
    }
}

/// What is done.
pub struct March<'a> {
    /// The step.
    pub step: &'a Compiled,
    /// The times at which states are asked for, the first of them the start.
    pub times: &'a [f64],
    /// Steps from one to the next.
    pub steps: usize,
    /// Strengths of the noise: of each channel for each step, or for all steps alike.
    pub strengths: &'a [f64],
    /// The seed of the noise.
    pub key: Key,
    /// How many samples.
    pub samples: usize,
    /// Their numbers; 0, 1, … where none are given.
    pub numbers: Option<&'a [u64]>,
    /// What is counted of the states.
    pub tally: Option<Option<Bins>>,
}

/// Where states go.
pub struct Asked<'a, T> {
    /// `[sample, slot, …]`; empty where none is asked for.
    pub out: &'a mut [MaybeUninit<T>],
    /// The first output time that is written.
    pub first: usize,
}

impl March<'_> {
    fn row(&self) -> usize {
        self.step.channels * self.step.points
    }
    /// Numbers of a sample that have noise.
    fn noise_row(&self) -> usize {
        self.step.noisy.len() * self.step.points
    }
    /// Steps in all.
    pub fn total(&self) -> usize {
        self.steps.saturating_mul(self.times.len().saturating_sub(1))
    }
    fn tiles_of_bundle(&self) -> usize {
        self.samples.div_ceil(self.step.tile()).div_ceil(BUNDLES).max(1)
    }
    /// Bytes that it needs beside its results.
    pub fn bytes<T: Drawable>(&self) -> usize {
        let bundles = self.samples.div_ceil(self.step.tile()).min(BUNDLES);
        let tally = self.tally.map_or(0, |bins| Tally::bytes(self.times.len(), self.step.columns(), bins));
        let arrays = self.step.shared.arrays.len().saturating_mul(self.step.points).saturating_mul(size_of::<T>());
        let tile = self.step.tile();
        let machine = arrays.saturating_mul(tile).saturating_add(NoiseColumns::<T>::bytes(self.noise_row(), tile));
        machine.saturating_mul(rayon::current_num_threads()).saturating_add(tally.saturating_mul(bundles + 1))
    }
    /// From `start`, `[sample | 1, channel, point]`.
    ///
    /// # Errors
    /// When a state at an output time is not finite (its number), or an interrupt was asked for.
    pub fn run<T: Real + Drawable>(
        &self,
        start: &[T],
        asked: Asked<'_, T>,
        progress: Option<&mut Progress>,
    ) -> Result<Tally, Stop> {
        let bundle = self.tiles_of_bundle() * self.step.tile();
        let slots = if asked.out.is_empty() { 0 } else { self.times.len() - asked.first };
        let plan = Plan::<T>::new(&self.step.shared, self.step.graph.maps(), |form| self.step.graph.shape(form), 0);
        let mut outs = asked.out.chunks_mut((bundle * slots * self.row()).max(1));
        let items: Vec<_> = (0..self.samples.div_ceil(bundle)).map(|i| (i * bundle, outs.next())).collect();
        let done = AtomicUsize::new(0);
        let total = self.samples.div_ceil(self.step.tile()).saturating_mul(self.total()).max(1);
        let small = self.samples.saturating_mul(self.row()).saturating_mul(self.total()) < ALONE;
        let run = || -> Vec<Result<Tally, Stop>> {
            let one = |(first, out): (usize, Option<&mut [MaybeUninit<T>]>)| {
                let samples = first..(first + bundle).min(self.samples);
                self.bundle(&plan, samples, start, out.unwrap_or_default(), asked.first, &done)
            };
            if small { items.into_iter().map(one).collect() } else { items.into_par_iter().map(one).collect() }
        };
        // Watching takes a thread of its own, which is longer than a small rollout.
        let progress = if small { None } else { progress };
        let mut tally: Option<Tally> = None;
        let mut stop: Option<Stop> = None;
        for part in watched(run, &done, total, self.total(), progress) {
            match (part, stop) {
                (Ok(part), _) => match &mut tally {
                    Some(tally) => tally.join(&part),
                    None => tally = Some(part),
                },
                (Err(Stop::NotFinite(time)), Some(Stop::NotFinite(first))) => {
                    stop = Some(Stop::NotFinite(time.min(first)));
                }
                (Err(Stop::NotFinite(_)), Some(Stop::Interrupted)) => {}
                (Err(new), _) => stop = Some(new),
            }
        }
        stop.map_or_else(|| Ok(tally.unwrap_or_default()), Err)
    }

    fn bundle<T: Real + Drawable>(
        &self,
        plan: &Plan<T>,
        samples: std::ops::Range<usize>,
        start: &[T],
        out: &mut [MaybeUninit<T>],
        first: usize,
        done: &AtomicUsize,
    ) -> Result<Tally, Stop> {
        let (row, tile) = (self.row(), self.step.tile());
        let slots = if out.is_empty() { 0 } else { self.times.len() - first };
        let mut worker = Worker {
            of: self,
            plan,
            machine: Machine::new(plan, tile.min(samples.len()), 1),
            noise: NoiseColumns::new(self.key, self.noise_row(), tile),
            numbers: Vec::with_capacity(tile),
            tally: match self.tally {
                Some(bins) => Tally::new(self.times.len(), self.step.columns(), bins),
                None => Tally::default(),
            },
            slots,
            first,
        };
        let mut outs = out.chunks_mut((tile * slots * row).max(1));
        for begin in samples.clone().step_by(tile) {
            worker.tile(begin..(begin + tile).min(samples.end), start, outs.next().unwrap_or_default(), done)?;
        }
        Ok(worker.tally)
    }
}

/// A thread at work.
struct Worker<'a, 'b, T> {
    of: &'a March<'b>,
    plan: &'a Plan<T>,
    machine: Machine<T>,
    noise: NoiseColumns<T>,
    numbers: Vec<u64>,
    tally: Tally,
    slots: usize,
    first: usize,
}

impl<T: Real + Drawable> Worker<'_, '_, T> {
    fn tile(
        &mut self,
        samples: std::ops::Range<usize>,
        start: &[T],
        out: &mut [MaybeUninit<T>],
        done: &AtomicUsize,
    ) -> Result<(), Stop> {
        // Many paths of few steps are stopped here, between two tiles.
        if interrupt::pending().is_some() {
            return Err(Stop::Interrupted);
        }
        let (channels, points, width) = (self.of.step.channels, self.of.step.points, samples.len());
        self.machine.block = width;
        self.numbers.clear();
        match self.of.numbers {
            Some(numbers) => self.numbers.extend_from_slice(&numbers[samples.clone()]),
            None => self.numbers.extend(samples.start as u64..samples.end as u64),
        }
        self.noise.restart();
        let row = channels * points;
        // One start for all is repeated.
        let rows = if start.len() == row { start } else { &start[samples.start * row..samples.end * row] };
        for (channel, array) in self.machine.arrays.iter_mut().take(channels).enumerate() {
            for (point, column) in array.chunks_exact_mut(width).take(points).enumerate() {
                let at = channel * points + point;
                let each = rows.chunks_exact(row).map(|row| row[at]).cycle();
                column.iter_mut().zip(each).for_each(|(to, from)| *to = from);
            }
        }
        self.output(0, out)?;
        for step in 0..self.of.total() {
            let (time, part) = (step / self.of.steps, step % self.of.steps);
            self.step(step, time, part);
            if part + 1 == self.of.steps {
                self.output(time + 1, out)?;
            }
            if step % LOOK == LOOK - 1 {
                done.fetch_add(LOOK, Ordering::Relaxed);
                if interrupt::pending().is_some() {
                    return Err(Stop::Interrupted);
                }
            }
        }
        done.fetch_add(self.of.total() % LOOK, Ordering::Relaxed);
        Ok(())
    }
    fn step(&mut self, step: usize, time: usize, part: usize) {
        let (channels, width) = (self.of.step.channels, self.machine.block);
        let (t, dt) = step_of(self.of.times, self.of.steps, time, part);
        let strengths = self.of.strengths;
        let at = if strengths.len() > channels { step * channels } else { 0 };
        self.machine.scalars[..3].copy_from_slice(&[t, dt, dt.sqrt()]);
        self.machine.scalars[3..3 + channels].copy_from_slice(&strengths[at..at + channels]);
        let mut columns = self.noise.of(step as u64, &self.numbers);
        for channel in &self.of.step.noisy {
            let places = self.machine.arrays[channels + channel].chunks_exact_mut(width).take(self.of.step.points);
            places.zip(&mut columns).for_each(|(to, column)| to.copy_from_slice(column));
        }
        self.machine.run(self.plan, &self.of.step.step);
    }
    /// What is asked for at an output time.
    fn output(&mut self, time: usize, out: &mut [MaybeUninit<T>]) -> Result<(), Stop> {
        let (channels, points, width) = (self.of.step.channels, self.of.step.points, self.machine.block);
        let state = &self.machine.arrays[..channels];
        if !state.iter().all(|array| is_finite(&array[..points * width])) {
            return Err(Stop::NotFinite(time));
        }
        if self.slots > 0 && time >= self.first {
            let row = channels * points;
            let begin = (time - self.first) * row;
            let columns = state.iter().flat_map(|array| array.chunks_exact(width).take(points));
            for (at, column) in columns.enumerate() {
                let places = out[begin + at..].iter_mut().step_by(self.slots * row);
                places.zip(column).for_each(|(to, from)| {
                    to.write(*from);
                });
            }
        }
        if self.of.tally.is_none() {
            return Ok(());
        }
        if let Some(observe) = &self.of.step.observe {
            let t = self.of.times[time];
            self.machine.scalars[..3].copy_from_slice(&[t, 0.0, 0.0]);
            self.machine.run(self.plan, observe);
        }
        let observed = self.of.step.observed.iter();
        let columns = observed.flat_map(|place| self.machine.arrays[*place].chunks_exact(width).take(points));
        for (at, column) in columns.enumerate() {
            self.tally.add(time, at, column);
        }
        Ok(())
    }
}

/// When part `part` of `steps` from time number `time` to the next begins, and how long it is.
pub fn step_of(times: &[f64], steps: usize, time: usize, part: usize) -> (f64, f64) {
    let (from, to) = (times[time], times[time + 1]);
    let length = to - from;
    (from + length * (part as f64 / steps as f64), length / steps as f64)
}
