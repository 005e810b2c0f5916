//! From the cotangents of a path to gradients: the reverse of every step, the last one first.

use rayon::prelude::*;

use super::machine::Machine;
use super::march::{Keep, Kept, March, Stop};
use super::steps::Back;
use crate::session::interrupt;
use crate::tensor::Real;

/// Gradients of one block.
pub struct Gradients<T> {
    /// Of the start, `[sample, channel, x…]`.
    pub start: Vec<T>,
    /// Of scalars, in the order of [`Programs::scalars`](super::steps::Programs::scalars): of a sample where each has its own, else of all samples of the block.
    pub scalars: Vec<f64>,
    /// Of arrays, in the order of [`Programs::arrays`](super::steps::Programs::arrays), `[sample, …]`.
    pub arrays: Vec<Vec<T>>,
}

impl<T: Real> March<T> {
    /// Numbers that a gradient keeps of one sample: before its reverse pass, and in it beside the machines.
    pub fn kept(&self, keep: Keep) -> (usize, usize) {
        let state = (0..self.schedule.len()).map(|number| self.given(number).len()).max().unwrap_or(0);
        let state = state.saturating_mul(self.state_len());
        match keep {
            Keep::Nothing => (0, 0),
            Keep::All => {
                let saved = |back: &Back| self.programs.saved[..back.saved].iter().map(Vec::len).sum::<usize>();
                let of = |program: usize| self.programs.steps[program].back.as_ref().map_or(0, saved);
                let arrays: usize = self.schedule.iter().map(|step| of(step.program)).sum();
                (arrays.saturating_mul(self.points), 0)
            }
            Keep::Every(n) => (
                self.schedule.len().div_ceil(n.max(1)).saturating_mul(state),
                state.saturating_mul(n.min(self.schedule.len())),
            ),
        }
    }
    /// From the cotangents of the states, `[sample, time, channel, x…]`, to gradients of blocks.
    ///
    /// # Errors
    /// When an interrupt was asked for.
    pub fn backward(&self, kept: &[Kept<T>], keep: Keep, g: &[T]) -> Result<Vec<Gradients<T>>, Stop> {
        let each = (self.slots() * self.state_len()).max(1);
        let samples = g.len() / each;
        let block = self.block(samples);
        let items: Vec<_> = kept.iter().zip(g.chunks(each * block)).enumerate().collect();
        let one = |(number, (kept, g))| self.block_back(number * block, samples, kept, keep, g);
        if self.is_small(samples) {
            return items.into_iter().map(one).collect();
        }
        if self.threads(samples) > 1 {
            return rayon::scope(|_| items.into_iter().map(one).collect());
        }
        items.into_par_iter().map(one).collect()
    }

    fn block_back(
        &self,
        first: usize,
        samples: usize,
        kept: &Kept<T>,
        keep: Keep,
        g: &[T],
    ) -> Result<Gradients<T>, Stop> {
        let (programs, plan, len, slots) = (&self.programs, &self.plan, self.state_len(), self.slots());
        let block = g.len() / (slots * len).max(1);
        let mut machine = self.machine(first, block, samples);
        let mut forward: Option<Machine<T>> = None;
        let mut end = self.schedule.len();
        for (segment, memory) in kept.iter().enumerate().rev() {
            let begin = if let Keep::Every(n) = keep { segment * n } else { segment };
            // The states before the steps of this part; what the reverse of a step needs is made again when its turn comes.
            let mut before: Vec<Vec<T>> = Vec::new();
            if let Keep::Every(_) = keep {
                let again = forward.get_or_insert_with(|| self.machine(first, block, samples));
                self.put_copies(again, self.given(begin), memory);
                for number in begin..end.saturating_sub(1) {
                    self.begin(again, number, first);
                    let forward = &programs.steps[self.schedule[number].program].forward;
                    forward.iter().for_each(|forward| again.run(plan, forward));
                    self.settle(again, number, first);
                    before.push(self.copies(again, self.given(number + 1)));
                }
            }
            for number in (begin..end).rev() {
                let step = &self.schedule[number];
                let Some(back) = &programs.steps[step.program].back else { return Err(Stop::Interrupted) };
                let saved = &programs.saved[..back.saved];
                match &mut forward {
                    Some(again) if keep != Keep::All => {
                        let state = (number - begin).checked_sub(1).and_then(|i| before.get(i)).unwrap_or(memory);
                        self.put_copies(again, self.given(number), state);
                        self.begin(again, number, first);
                        again.run(plan, &back.record);
                        for array in saved.iter().flatten() {
                            std::mem::swap(&mut machine.arrays[*array], &mut again.arrays[*array]);
                        }
                    }
                    _ => self.put_copies(&mut machine, saved, memory),
                }
                if let Some(slot) = step.output.map(|time| time - self.first) {
                    for (c, array) in programs.cotangents[0].iter().enumerate() {
                        for (sample, to) in machine.arrays[*array].chunks_exact_mut(self.points.max(1)).enumerate() {
                            let from = &g[(sample * slots + slot) * len + c * self.points..];
                            to.iter_mut().zip(from).for_each(|(to, g)| *to = *to + *g);
                        }
                    }
                }
                self.begin(&mut machine, number, first);
                machine.run(plan, &back.reverse);
                if interrupt::pending().is_some() {
                    return Err(Stop::Interrupted);
                }
            }
            end = begin;
        }
        let mut start = vec![T::default(); block * len];
        for (c, array) in programs.cotangents[0].iter().enumerate() {
            for (sample, from) in machine.arrays[*array].chunks_exact(self.points.max(1)).enumerate() {
                start[sample * len + c * self.points..][..self.points].copy_from_slice(from);
            }
        }
        let arrays = programs.arrays.iter().map(|(_, sum)| std::mem::take(&mut machine.arrays[*sum])).collect();
        Ok(Gradients { start, scalars: machine.numbers, arrays })
    }
}
