//! Gradients of long solutions with little memory: some states are kept, the rest is computed again on the way back.
//!
//! Griewank and Walther, *Evaluating Derivatives*, chapter 12. With `n` steps and checkpoints every `√n`, the way back holds `√n` checkpoints,
//! the `√n` states of one segment, and the intermediate values of a single step. Every step is computed three times.

use super::method::Memory;
use super::newton::filled;
use super::rollout::{Checkpoints, Planned, Rollout, Statistics, advance};
use super::system::Parametrized;
use super::vector::Vector;
use crate::error::{Error, Result};
use crate::session::Progress;
use crate::tensor::{Context, Staged, Tensor, record_joint};

/// What the way back needs.
struct Tape<S: Parametrized> {
    rollout: Rollout,
    system: S,
    start: f64,
    y0: S::State,
    steps: Vec<Planned>,
    /// Numbers of steps, and what was known before them; the first is 0.
    kept: Vec<(usize, Memory<S::State>)>,
}

/// The states at the output times as one operation of the initial state and the parameters.
pub(super) fn run<S: Parametrized>(
    rollout: &Rollout,
    system: &S,
    y0: &S::State,
    times: &[f64],
    progress: Option<&mut Progress>,
) -> Result<(Vec<S::State>, Statistics)> {
    let context = y0.context()?;
    let mut states: Vec<S::State> = Vec::with_capacity(times.len());
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    let spacing = Spacing::new(rollout.checkpoints, rollout.total(times) as usize);
    let statistics = context.without_recording(|| {
        rollout.march(system, &y0.detach()?, times, progress, |planned, before, outputs| {
            states.extend(outputs);
            let Some(planned) = planned else { return };
            if spacing.keeps(steps.len()) {
                kept.push((steps.len(), before));
            }
            steps.push(planned);
        })
    })?;
    let parameters = system.parameters();
    let inputs = [y0.tensors(), parameters.clone()].concat();
    let outputs: Vec<Tensor> = states.iter().flat_map(Vector::tensors).collect();
    let start = times.first().copied().unwrap_or(0.0);
    let tape = Tape { rollout: *rollout, system: system.clone(), start, y0: y0.clone(), steps, kept };
    let shapes = states.first().cloned();
    let outputs = record_joint(&inputs.iter().collect::<Vec<_>>(), outputs, move |g| {
        let context = tape.y0.context()?;
        let (of_state, of_parameters) = tape.back(&context, &parameters, g)?;
        Ok(of_state.into_iter().chain(of_parameters).map(Some).collect())
    });
    let Some(like) = shapes else { return Ok((states, statistics)) };
    let parts = like.tensors().len();
    let states = outputs.chunks(parts).map(|part| like.with_tensors(part.to_vec())).collect::<Result<_>>()?;
    Ok((states, statistics))
}

/// Which steps begin at a checkpoint.
enum Spacing {
    Every(usize),
    /// At the squares: as `√n` of a number of steps that is not known before.
    Squares,
}

impl Spacing {
    fn new(checkpoints: Checkpoints, total: usize) -> Self {
        match checkpoints {
            Checkpoints::Every(n) => Self::Every(n.max(1)),
            _ if total == 0 => Self::Squares,
            _ => Self::Every((total as f64).sqrt().ceil() as usize),
        }
    }
    fn keeps(&self, step: usize) -> bool {
        match self {
            Self::Every(n) => step.is_multiple_of(*n),
            Self::Squares => (step as f64).sqrt().fract() == 0.0,
        }
    }
}

impl<S: Parametrized> Tape<S> {
    /// Gradients of the initial state and of the parameters from those of the outputs.
    fn back(
        &self,
        context: &Context,
        parameters: &[Tensor],
        g: &[Option<Tensor>],
    ) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
        let parts = self.y0.tensors().len();
        let mut g: Vec<&[Option<Tensor>]> = g.chunks(parts).collect();
        let mut staged = Staged::new(context, parameters);
        let system = if parameters.is_empty() {
            self.system.clone()
        } else {
            context.with_recording(|| context.deeper(|| self.system.with_parameters(staged.shared())))?
        };
        let settled = |y: &S::State| self.system.settle(self.start, y.clone());
        // A gradient of this gradient needs the states as functions of the inputs; else they begin at the checkpoints.
        let nested = context.is_recording();
        let from_start = if nested { vec![(0, Memory::start(settled(&self.y0)?))] } else { Vec::new() };
        let kept = if nested { &from_start } else { &self.kept };
        let mut cotangent: Option<Vec<Tensor>> = None;
        let mut end = self.steps.len();
        for (first, memory) in kept.iter().rev() {
            let mut memories = vec![memory.clone()];
            for planned in self.steps.get(*first..end.saturating_sub(1)).unwrap_or_default() {
                let Some(last) = memories.last() else { break };
                memories.push(advance(self.rollout.method, &self.system, planned, last)?.0);
            }
            for planned in self.steps.get(*first..end).unwrap_or_default().iter().rev() {
                let memory = memories.pop().ok_or_else(|| Error::internal("a step without a state before it"))?;
                let of_outputs = g.split_off(g.len().saturating_sub(planned.outputs.len()));
                if cotangent.is_none() && of_outputs.iter().all(|g| g.iter().all(Option::is_none)) {
                    continue;
                }
                let seeds = cotangent.take();
                cotangent = Some(staged.piece(&memory.tensors(), |leaves| {
                    let before = memory.with_tensors(leaves.to_vec())?;
                    let (after, outputs) = advance(self.rollout.method, &system, planned, &before)?;
                    let mut pairs: Vec<(Tensor, Tensor)> =
                        seeds.map(|seeds| after.tensors().into_iter().zip(seeds).collect()).unwrap_or_default();
                    for (output, g) in outputs.iter().zip(&of_outputs) {
                        pairs.extend(output.tensors().into_iter().zip(filled(output, g)?.tensors()));
                    }
                    Ok(pairs)
                })?);
            }
            end = *first;
        }
        let initial = g.pop().unwrap_or_default();
        let of_state = staged.piece(&self.y0.tensors(), |leaves| {
            let y = system.settle(self.start, self.y0.with_tensors(leaves.to_vec())?)?;
            let mut pairs: Vec<(Tensor, Tensor)> =
                cotangent.map(|seeds| y.tensors().into_iter().zip(seeds).collect()).unwrap_or_default();
            pairs.extend(y.tensors().into_iter().zip(filled(&y, initial)?.tensors()));
            Ok(pairs)
        })?;
        Ok((of_state, staged.finish()?))
    }
}
