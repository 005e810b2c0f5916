//! Gradients of steps on stencils on a card: steps that leave the states at which the right-hand side is evaluated on a tape, and their reverse. The tape
//! is a part of the buffer of all arrays. Nothing is copied to it: in each step the arrays that are kept lie at their places there.
//!
//! Sums over points, of which gradients of numbers are made, come to the host in parts, with the next wait.

use std::cell::RefCell;
use std::sync::Arc;

use super::launch::{Launch, Part, Sums};
use super::pace::Pace;
use super::pass::{Along, Constants};
use super::pieces::pieces;
use super::points::{Arena, MOST_STEPS, Steps, Unfit, Walk, scalars, scalars_of};
use crate::error::{Error, Result};
use crate::native::points::assemble::Program;
use crate::native::points::march::{Keep, March};
use crate::native::points::program::Pass;
use crate::session::interrupt;
use crate::tensor::Tensor;

/// Numbers that one thread sums up, and parts of a sum at most.
const SUMMED: usize = 64;
const MOST_PARTS: usize = 1024;
/// Numbers of sums that wait for the host, about.
const WAITING: usize = 1 << 18;

/// What gradients need besides steps that keep states.
pub(super) struct Back {
    /// Of each kind of step, the passes of its reverse.
    pub passes: Vec<Arc<Vec<Launch>>>,
    /// Of each kind of step, the sums that are known after each wave.
    gathered: Vec<Vec<Vec<Gathered>>>,
    /// Where the places of arrays that are summed begin, and how far they are apart.
    pub summands: Vec<usize>,
    /// Where sums begin, numbers of a step, and steps.
    sums: (usize, usize, usize),
    /// Where the tape begins, and numbers of a step there.
    tape: (usize, usize),
    /// Steps that it holds.
    pub segment: usize,
    /// Of each kind of step, the arrays that become those that are kept at its end.
    saved: Vec<Vec<(usize, usize)>>,
}

/// A sum that comes in parts.
struct Gathered {
    scalar: usize,
    /// Where its parts begin among those of a step, and how many they are.
    at: usize,
    parts: usize,
}

/// What is kept for a gradient.
pub(crate) struct Kept {
    /// The states before the first step and before those with which the tape begins anew.
    pub starts: Vec<Tensor>,
    /// All arrays after the last step, until they are used.
    pub arena: RefCell<Option<Arena>>,
}

/// Gradients.
pub(crate) struct Gradients {
    /// Of the start.
    pub start: Tensor,
    /// Of scalars.
    pub scalars: Vec<f64>,
    /// Of arrays, for each sample, flat.
    pub arrays: Vec<Tensor>,
}

impl Back {
    /// In a buffer whose arrays take so many numbers; with how many it is then. As many steps as `fits` says about the numbers in all.
    pub fn new(
        march: &March<f32>,
        keep: Keep,
        (maps, constants): (&[Along], &mut Constants),
        (samples, len): (usize, usize),
        fits: impl Fn(usize) -> bool,
    ) -> std::result::Result<(Self, usize), Unfit> {
        let reverses = || march.programs.steps.iter().filter_map(|own| own.back.as_ref());
        if reverses().count() != march.programs.steps.len() {
            return Err("a step has no reverse");
        }
        let programs: Vec<Vec<Vec<Pass>>> = reverses()
            .map(|back| back.reverse.waves.iter().map(|wave| wave.passes.iter().flat_map(pieces).collect()).collect())
            .collect();
        let all = || programs.iter().flatten().flatten();
        let arrays = all().map(|pass| pass.sums.len()).max().unwrap_or(0);
        let apart = all().filter(|pass| !pass.sums.is_empty()).map(|pass| pass.count * samples).max().unwrap_or(0);
        let parts = |count: usize| (count * samples).div_ceil(SUMMED).clamp(1, MOST_PARTS);
        let row = |waves: &Vec<Vec<Pass>>| {
            waves.iter().flatten().map(|pass| pass.sums.len() * parts(pass.count)).sum::<usize>()
        };
        let row = programs.iter().map(row).max().unwrap_or(0);
        let rows = if row == 0 { MOST_STEPS } else { (WAITING / row).clamp(1, MOST_STEPS) };
        let sums = len.saturating_add(arrays.saturating_mul(apart));
        let tape = sums.saturating_add(row.saturating_mul(rows));
        let of_array = march.points.saturating_mul(samples);
        let slot = reverses().map(|back| back.saved * march.channels).max().unwrap_or(0).saturating_mul(of_array);
        let steps = march.schedule.len().max(1);
        let few = (steps as f64).sqrt().ceil() as usize;
        let wanted = if let Keep::Every(n) = keep { n.clamp(1, steps) } else { steps };
        let whole = |segment: usize| tape.saturating_add(slot.saturating_mul(segment));
        let segment = [wanted, few].into_iter().find(|segment| fits(whole(*segment)));
        let segment = segment
            .ok_or("the states that its gradient keeps do not fit into a buffer of the device, or into memory")?;
        let (mut kinds, mut gathered) = (Vec::new(), Vec::new());
        for waves in &programs {
            let (mut own, mut known, mut at) = (Vec::new(), Vec::new(), 0);
            for wave in waves {
                let mut after = Vec::new();
                for pass in wave {
                    let made = super::pass::Pass::of(pass, maps, constants, march.plan.counts.len());
                    let made = made.ok_or("a pass of it is more than a kernel has")?;
                    let (arrays, parts, to) = (pass.sums.len(), parts(pass.count), sums + at);
                    let of = Sums { arrays, parts, from: len, apart, to, row };
                    own.push(Launch { pass: made, count: pass.count, sums: (arrays > 0).then_some(of) });
                    for (_, scalar) in &pass.sums {
                        after.push(Gathered { scalar: *scalar, at, parts });
                        at += parts;
                    }
                }
                known.push(after);
            }
            kinds.push(Arc::new(own));
            gathered.push(known);
        }
        let saved = reverses().map(|back| swapped(&back.record, &march.programs.saved[..back.saved]));
        let saved = saved.collect::<Option<_>>().ok_or("its states cannot be kept")?;
        let summands = (0..arrays).map(|array| len + array * apart).collect();
        let back =
            Self { passes: kinds, gathered, summands, sums: (sums, row, rows), tape: (tape, slot), segment, saved };
        Ok((back, whole(segment)))
    }
    /// Where the arrays that a step keeps lie on the tape, with the arrays that become them.
    pub fn places(
        &self,
        program: usize,
        number: usize,
        of_array: usize,
    ) -> impl Iterator<Item = ((usize, usize), usize)> + '_ {
        let begin = self.tape.0 + number % self.segment * self.tape.1;
        let saved = self.saved.get(program).into_iter().flatten();
        saved.enumerate().map(move |(i, pair)| (*pair, begin + i * of_array))
    }
}

/// The arrays that change places with the ones that are kept; `None` where one of them does so twice.
fn swapped(record: &Program, saved: &[Vec<usize>]) -> Option<Vec<(usize, usize)>> {
    let once = |array: &usize| record.swaps.iter().filter(|(a, b)| a == array || b == array).count() == 1;
    let pair = |array: &usize| record.swaps.iter().copied().find(|(from, to)| to == array && once(from) && once(to));
    saved.iter().flatten().map(pair).collect()
}

impl Steps {
    /// From the cotangents of the states, `[sample, time, channel, x…]`, to gradients.
    ///
    /// # Errors
    /// When an interrupt was asked for, or memory does not suffice.
    pub fn backward(
        &self,
        march: &March<f32>,
        kept: &Kept,
        g: &Tensor,
        settle: &dyn Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Gradients> {
        let lost = || Error::internal("a gradient of steps that kept nothing");
        let (back, start) = (self.back.as_ref().ok_or_else(lost)?, kept.starts.first().ok_or_else(lost)?);
        let (mut walk, mut is_there) = match kept.arena.take() {
            Some(arena) => (Walk::of(self, march, start, arena), true),
            None => (Walk::new(self, march, start, 0)?, false),
        };
        let work: usize = back.passes.iter().map(|passes| self.work(passes)).max().unwrap_or(1);
        let mut pace = Pace::new(work, back.sums.2);
        let mut sums =
            Summed { numbers: vec![0.0; march.programs.scalars.len()], queued: Vec::new(), scalars: scalars(march) };
        let mut end = march.schedule.len();
        for (segment, start) in kept.starts.iter().enumerate().rev() {
            let begin = segment * back.segment;
            if !std::mem::take(&mut is_there) {
                walk.number = begin;
                walk.put(start)?;
                while walk.number < end {
                    interrupt::poll()?;
                    let count = walk.until(pace.left().min(end - walk.number));
                    walk.advance(count)?;
                    if self.is_due(march, walk.number) && walk.number < end {
                        let state = settle(&walk.state()?)?;
                        walk.put(&state)?;
                    }
                    if pace.queue(count) {
                        walk.context.end_and_wait();
                        pace.waited();
                    } else {
                        walk.context.end_step();
                    }
                }
            }
            let mut number = end;
            while number > begin {
                interrupt::poll()?;
                if let Some(time) = march.schedule.get(number - 1).and_then(|step| step.output) {
                    walk.add(g, time - march.first)?;
                }
                let most = pace.left().min(number - begin).min(back.sums.2 - sums.queued.len());
                let count = walk.back(number, most, sums.queued.len())?;
                sums.queued.extend((number - count..number).rev());
                number -= count;
                if pace.queue(count) || sums.queued.len() == back.sums.2 || number == begin {
                    sums.collect(march, back, &walk)?;
                    pace.waited();
                } else {
                    walk.context.end_step();
                }
            }
            end = begin;
        }
        let start = walk.cotangents()?;
        let arrays = march.programs.arrays.iter().map(|(_, sum)| walk.whole(*sum)).collect::<Result<_>>()?;
        Ok(Gradients { start, scalars: sums.numbers, arrays })
    }
}

/// Gradients of numbers.
struct Summed {
    numbers: Vec<f64>,
    /// Steps whose sums are on the card.
    queued: Vec<usize>,
    scalars: Vec<f64>,
}

impl Summed {
    /// Waits for what is queued, and adds it up.
    fn collect(&mut self, march: &March<f32>, back: &Back, walk: &Walk<'_>) -> Result<()> {
        let (from, row, _) = back.sums;
        if row == 0 {
            walk.context.end_and_wait();
            self.queued.clear();
            return Ok(());
        }
        let count = self.queued.len() * row;
        let part = Part { from: (from, count), to: (0, count), count, samples: 1 };
        let parts = walk.taken_from(&[count], vec![part])?.read::<f32>()?;
        for (number, parts) in self.queued.drain(..).zip(parts.chunks(row)) {
            let kind = march.schedule.get(number).map_or(0, |step| step.program);
            let reverse = march.programs.steps.get(kind).and_then(|own| own.back.as_ref()).map(|back| &back.reverse);
            let (Some(reverse), Some(gathered)) = (reverse, back.gathered.get(kind)) else { continue };
            scalars_of(march, number, reverse, &mut self.scalars);
            for (wave, gathered) in reverse.waves.iter().zip(gathered) {
                wave.numbers.iter().for_each(|computed| computed.run(&mut self.scalars));
                for Gathered { scalar, at, parts: count } in gathered {
                    self.scalars[*scalar] = parts.iter().skip(*at).take(*count).map(|x| f64::from(*x)).sum();
                }
            }
            for (number, scalar) in &reverse.kept {
                self.numbers[*number] += self.scalars[*scalar];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_that_are_kept_change_places_once() {
        let record = |swaps: &[(usize, usize)]| Program { swaps: swaps.to_vec(), ..Program::default() };
        let saved = [vec![3, 4], vec![5]];
        let swaps = [(9, 0), (7, 3), (8, 4), (6, 5)];
        assert_eq!(swapped(&record(&swaps), &saved), Some(vec![(7, 3), (8, 4), (6, 5)]));
        assert_eq!(swapped(&record(&swaps[..3]), &saved), None);
        assert_eq!(swapped(&record(&[(7, 3), (7, 4), (6, 5)]), &saved), None);
    }
}
