//! All samples through all steps.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::is_finite;
use super::super::march::{COUNTED, watched};
pub use super::super::march::{Given, Keep, Scheduled, Stop};
use super::machine::{Machine, Plan};
use super::restore::Restore;
use super::steps::Programs;
use crate::session::{Progress, interrupt};
use crate::tensor::Real;

/// Samples are worked on together until an array has about so many bytes.
const BLOCK: usize = 4096;
/// Threads share a sample of at least so many numbers in a channel.
const SPREAD: usize = 1 << 14;

/// Steps after which integrals are put back: two more passes over a state cost as much as a short step.
const RESTORED: usize = 16;

/// Whether numbers are finite; `spread` says whether threads share the work.
fn all_finite<T: Real>(numbers: &[T], spread: bool) -> bool {
    if spread { numbers.par_chunks(SPREAD).all(is_finite) } else { is_finite(numbers) }
}

/// Where numbers go that change from step to step.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A scalar.
    Scalar(usize),
    /// An array.
    Array(usize),
}

/// Numbers of each step.
pub struct Timed<T> {
    /// Where they go.
    pub place: Place,
    /// By steps.
    pub values: Vec<Given<T>>,
}

/// Programs with all that they need. Copies share what is large.
#[derive(Clone)]
pub struct March<T: Real> {
    /// What is run.
    pub programs: Arc<Programs>,
    /// Maps and sizes.
    pub plan: Arc<Plan<T>>,
    /// The steps in order.
    pub schedule: Arc<Vec<Scheduled>>,
    /// Channels.
    pub channels: usize,
    /// Points of a channel.
    pub points: usize,
    /// Values of scalars that are given.
    pub scalars: Arc<Vec<(usize, Given<T>)>>,
    /// Values of arrays that are given.
    pub arrays: Arc<Vec<(usize, Given<T>)>>,
    /// Scalars that are the time, so long after the beginning of a step.
    pub times: Vec<(usize, f64)>,
    /// What changes from step to step besides.
    pub timed: Arc<Vec<Timed<T>>>,
    /// Integrals that are put back.
    pub restore: Option<Arc<Restore>>,
    /// Output times, the first of them the start.
    pub outputs: usize,
    /// The first output time that is asked for: 1 where nobody wants the start again.
    pub first: usize,
}

/// What was kept of one block, in the order of steps: states one after the other.
pub type Kept<T> = Vec<Vec<T>>;

impl<T: Real> March<T> {
    /// Itself, where its numbers are of single precision.
    #[cfg(feature = "cubecl")]
    pub fn single(&self) -> Option<&March<f32>> {
        (self as &dyn std::any::Any).downcast_ref()
    }
    /// Numbers in the state of one sample.
    pub fn state_len(&self) -> usize {
        self.channels * self.points
    }
    /// Output times that are asked for.
    pub fn slots(&self) -> usize {
        self.outputs - self.first
    }
    /// Samples of a block.
    pub fn block(&self, samples: usize) -> usize {
        let own = |given: &Given<T>| given.values.len() > given.each;
        let alone = self.programs.shared.sums_are_used
            || self.scalars.iter().any(|(_, given)| own(given))
            || self.timed.iter().any(|t| matches!(t.place, Place::Scalar(_)) && t.values.iter().any(own));
        if alone {
            return 1;
        }
        let threads = rayon::current_num_threads().max(1);
        (BLOCK / size_of::<T>() / self.points.max(1)).clamp(1, samples.div_ceil(threads).max(1))
    }
    /// Threads that share a block.
    pub fn threads(&self, samples: usize) -> usize {
        let threads = rayon::current_num_threads();
        if samples < threads && self.points >= SPREAD { threads } else { 1 }
    }
    /// Samples `first …` at work.
    pub(super) fn machine(&self, first: usize, block: usize, samples: usize) -> Machine<T> {
        let mut machine = Machine::new(&self.plan, block, self.threads(samples));
        for (place, given) in self.scalars.iter() {
            machine.scalars[*place] = given.of(first).first().map_or(0.0, |x| x.f64());
        }
        for (place, given) in self.arrays.iter() {
            self.fill(&mut machine, *place, given, first);
        }
        machine
    }
    fn fill(&self, machine: &mut Machine<T>, place: usize, given: &Given<T>, first: usize) {
        let count = self.plan.counts[place].max(1);
        for (sample, part) in machine.arrays[place].chunks_exact_mut(count).enumerate() {
            part.copy_from_slice(given.of(first + sample));
        }
    }
    /// Sets what step number `number` has of its own.
    pub(super) fn begin(&self, machine: &mut Machine<T>, number: usize, first: usize) {
        let t = self.schedule[number].t;
        for (place, after) in &self.times {
            machine.scalars[*place] = t + after;
        }
        for Timed { place, values } in self.timed.iter() {
            match place {
                Place::Scalar(place) => {
                    machine.scalars[*place] = values[number].of(first).first().map_or(0.0, |x| x.f64());
                }
                Place::Array(place) => self.fill(machine, *place, &values[number], first),
            }
        }
    }
    /// Writes states `[sample, channel, x…]` into arrays.
    pub(super) fn put(
        &self,
        machine: &mut Machine<T>,
        arrays: &[usize],
        states: impl Fn(usize, usize) -> usize,
        from: &[T],
    ) {
        for (channel, array) in arrays.iter().enumerate() {
            for (sample, part) in machine.arrays[*array].chunks_exact_mut(self.points.max(1)).enumerate() {
                part.copy_from_slice(&from[states(sample, channel)..][..part.len()]);
            }
        }
    }
    /// Copies of arrays, one after the other.
    pub(super) fn copies(&self, machine: &Machine<T>, states: &[Vec<usize>]) -> Vec<T> {
        let mut out = Vec::with_capacity(states.iter().map(Vec::len).sum::<usize>() * self.points * machine.block);
        for array in states.iter().flatten() {
            out.extend_from_slice(&machine.arrays[*array]);
        }
        out
    }
    /// Puts such copies back.
    pub(super) fn put_copies(&self, machine: &mut Machine<T>, states: &[Vec<usize>], from: &[T]) {
        let parts = from.chunks_exact((self.points * machine.block).max(1));
        for (array, part) in states.iter().flatten().zip(parts) {
            machine.arrays[*array].copy_from_slice(part);
        }
    }
    /// The arrays of states that a step begins with.
    pub(super) fn given(&self, number: usize) -> &[Vec<usize>] {
        &self.programs.states[..self.programs.steps[self.schedule[number].program].step.given]
    }
    /// After a step: integrals that are kept are put back at times of output, and before rounding has added up.
    pub(super) fn settle(&self, machine: &mut Machine<T>, number: usize, first: usize) {
        let due = (number + 1).is_multiple_of(RESTORED) || self.schedule[number].output.is_some();
        let Some(restore) = self.restore.as_ref().filter(|_| due) else { return };
        let spread = machine.is_spread();
        for (channel, array) in self.programs.states[0].iter().enumerate() {
            for (sample, part) in machine.arrays[*array].chunks_exact_mut(self.points.max(1)).enumerate() {
                restore.channel(channel, first + sample, part, spread);
            }
        }
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
    ) -> Result<Vec<Kept<T>>, Stop> {
        let len = self.state_len().max(1);
        let samples = start.len() / len;
        let block = self.block(samples);
        let done = AtomicUsize::new(0);
        let blocks = start.chunks(len * block).zip(out.chunks_mut(self.slots() * len * block)).enumerate();
        let items: Vec<_> = blocks.collect();
        let total = (items.len() * self.schedule.len()).max(1);
        let run = || -> Vec<Result<Kept<T>, Stop>> {
            let one = |(number, (start, out))| self.block_forward(number * block, samples, start, out, keep, &done);
            if self.is_small(samples) {
                return items.into_iter().map(one).collect();
            }
            if self.threads(samples) > 1 {
                // Inside of the pool, where handing out parts costs less.
                return rayon::scope(|_| items.into_iter().map(one).collect());
            }
            items.into_par_iter().map(one).collect()
        };
        let results = watched(run, &done, total, self.schedule.len(), progress);
        let mut kept = Vec::with_capacity(results.len());
        let mut stop: Option<Stop> = None;
        for result in results {
            match (result, stop) {
                (Ok(states), _) => kept.push(states),
                (Err(Stop::NotFinite(step)), Some(Stop::NotFinite(first))) => {
                    stop = Some(Stop::NotFinite(step.min(first)));
                }
                (Err(Stop::NotFinite(_)), Some(Stop::Interrupted)) => {}
                (Err(new), _) => stop = Some(new),
            }
        }
        stop.map_or(Ok(kept), Err)
    }
    /// Whether waking threads would cost more than the work.
    pub(super) fn is_small(&self, samples: usize) -> bool {
        samples.saturating_mul(self.schedule.len()).saturating_mul(self.state_len()) < 1 << 14
    }

    /// Machines for all blocks of so many samples.
    pub fn machines(&self, samples: usize) -> Vec<Machine<T>> {
        let block = self.block(samples).max(1);
        let firsts = (0..samples).step_by(block);
        firsts.map(|first| self.machine(first, block.min(samples - first), samples)).collect()
    }
    /// Replaces states `[sample, channel, x…]` by what the first step of the schedule ends with.
    pub fn evaluate(&self, machines: &mut [Machine<T>], states: &mut [T]) {
        let len = self.state_len().max(1);
        let samples = states.len() / len;
        let block = self.block(samples).max(1);
        let Some(forward) = self.programs.steps.first().and_then(|own| own.forward.as_ref()) else { return };
        let arrays = self.programs.states.first().map_or(&[][..], Vec::as_slice);
        let one = |(number, (machine, states)): (usize, (&mut Machine<T>, &mut [T]))| {
            self.begin(machine, 0, number * block);
            self.put(machine, arrays, |s, c| s * len + c * self.points, states);
            machine.run(&self.plan, forward);
            for (sample, state) in states.chunks_mut(len).enumerate() {
                for (out, array) in state.chunks_mut(self.points.max(1)).zip(arrays) {
                    out.copy_from_slice(&machine.arrays[*array][sample * self.points..][..self.points]);
                }
            }
        };
        let parts = states.chunks_mut(len * block);
        if machines.len() < 2 || self.is_small(samples) {
            machines.iter_mut().zip(parts).enumerate().for_each(one);
        } else {
            machines.par_iter_mut().zip(parts.collect::<Vec<_>>()).enumerate().for_each(one);
        }
    }

    fn block_forward(
        &self,
        first: usize,
        samples: usize,
        start: &[T],
        out: &mut [MaybeUninit<T>],
        keep: Keep,
        done: &AtomicUsize,
    ) -> Result<Kept<T>, Stop> {
        let (len, slots) = (self.state_len(), self.slots());
        let mut machine = self.machine(first, start.len() / len.max(1), samples);
        if self.first == 0 {
            for (out, start) in out.chunks_mut(slots * len).zip(start.chunks(len)) {
                out[..len].write_copy_of_slice(start);
            }
        }
        self.put(&mut machine, &self.programs.states[0], |s, c| s * len + c * self.points, start);
        let mut kept = Vec::new();
        // Threads that count every short step in one place hold one another up.
        let often = (COUNTED / start.len().max(1)).max(1);
        for (number, step) in self.schedule.iter().enumerate() {
            let compiled = &self.programs.steps[step.program];
            self.begin(&mut machine, number, first);
            match (keep, &compiled.back) {
                (Keep::All, Some(back)) => {
                    machine.run(&self.plan, &back.record);
                    kept.push(self.copies(&machine, &self.programs.saved[..back.saved]));
                }
                _ => {
                    if matches!(keep, Keep::Every(n) if number % n == 0) {
                        kept.push(self.copies(&machine, self.given(number)));
                    }
                    compiled.forward.iter().for_each(|forward| machine.run(&self.plan, forward));
                }
            }
            self.settle(&mut machine, number, first);
            let state = &self.programs.states[0];
            if state.iter().any(|array| !all_finite(&machine.arrays[*array], machine.is_spread())) {
                return Err(Stop::NotFinite(number));
            }
            if let Some(slot) = step.output.map(|time| time - self.first) {
                for (sample, out) in out.chunks_mut(slots * len).enumerate() {
                    for (c, array) in state.iter().enumerate() {
                        let from = &machine.arrays[*array][sample * self.points..][..self.points];
                        out[slot * len + c * self.points..][..self.points].write_copy_of_slice(from);
                    }
                }
            }
            if (number + 1).is_multiple_of(often) {
                done.fetch_add(often, Ordering::Relaxed);
            }
            if interrupt::pending().is_some() {
                return Err(Stop::Interrupted);
            }
        }
        done.fetch_add(self.schedule.len() % often, Ordering::Relaxed);
        Ok(kept)
    }
}
