//! A solution over time: steps between output times, what is kept of them, and gradients with or without checkpoints.

use std::cell::Cell;
use std::rc::Rc;

use super::adaptive::{Adaptive, Control};
use super::checkpoint;
use super::counting::Counting;
use super::explicit;
use super::method::{Memory, Method};
use super::stability;
use super::system::{Parametrized, System};
use super::vector::Vector;
use crate::error::{Error, Kind, Result};
use crate::session::{Progress, interrupt};
use crate::tensor::{Tensor, Unary, depends_on_older};

/// Steps between two output times.
pub(crate) const MOST_STEPS: f64 = 1e12;

/// How long the steps are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepRule {
    /// So many equal steps between any two output times.
    Fixed(usize),
    /// Equal steps between any two output times, none longer than this.
    MaxStep(f64),
    /// As long as a tolerance allows; output times between are interpolated.
    Adaptive(Adaptive),
}

/// What is kept of a solution for its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// Every intermediate value of every step: fastest, and memory grows with the number of steps.
    None,
    /// The states of every `√n`-th of `n` steps; the rest is computed again, for about two forward passes more.
    Sqrt,
    /// The states of every so many steps.
    Every(usize),
}

/// An integrator with its steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rollout {
    /// The integrator.
    pub method: Method,
    /// How long the steps are.
    pub steps: StepRule,
    /// What is kept for gradients.
    pub checkpoints: Checkpoints,
}

/// A solution.
pub struct Solution<V> {
    /// The states at the output times, the first of them the initial one with constraints imposed.
    pub states: Vec<V>,
    /// What it took.
    pub statistics: Statistics,
    /// Says when the steps are too long for the method, and how long they may be.
    pub warning: Option<String>,
}

/// What a solution took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Times and lengths of the steps that were made.
    pub steps: Vec<(f64, f64)>,
    /// Steps that step control tried and refused.
    pub rejected: usize,
    /// Evaluations of the right-hand side or of its nonlinear part, without those of reverse passes.
    pub evaluations: usize,
}

/// One step that was made or is to be made, and the output times in it.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub t: f64,
    pub h: f64,
    /// Output times as fractions of the step, ascending.
    pub outputs: Vec<f64>,
}

impl Rollout {
    /// The solution from `y0` at `times[0]` at all `times`, which ascend or descend.
    ///
    /// Steps of a given number or length land on the output times exactly. With step control the sequence of steps counts as constant
    /// in gradients. To differentiate with respect to the final time, multiply the right-hand side by a rate `ρ = 1` that is a
    /// parameter: `∂/∂T = (1/T) ∂/∂ρ` for a span `T`, where the right-hand side does not depend on time itself.
    ///
    /// # Errors
    /// When a state is no longer finite (with step and time), an interrupt was asked for, or the method does not fit the system.
    pub fn run<S: Parametrized>(
        &self,
        system: &S,
        y0: &S::State,
        times: &[f64],
        progress: Option<&mut Progress>,
    ) -> Result<Solution<S::State>> {
        self.check(times)?;
        let context = y0.context()?;
        if !y0.is_finite()? {
            return Err(Error::not_finite("the initial state is not finite"));
        }
        let evaluations = Rc::new(Cell::new(0));
        let counted = Counting { system: system.clone(), evaluations: evaluations.clone() };
        let judged = || context.without_recording(|| self.warning(system, y0, times));
        let later = system.is_judged_later(y0, self.total(times));
        let warning = if later { None } else { judged()? };
        let tracked = y0.is_tracked() || system.parameters().iter().any(Tensor::is_tracked);
        let checkpointed = self.checkpoints != Checkpoints::None && tracked && context.is_recording();
        if checkpointed || self.method.is_implicit() {
            refuse_hidden(system, times[0], y0)?;
        }
        let ran = if !checkpointed {
            let mut states = Vec::with_capacity(times.len());
            let ran = self.march(&counted, y0, times, progress, |_, _, outputs| states.extend(outputs));
            ran.map(|statistics| (states, statistics))
        } else {
            checkpoint::run(self, &counted, y0, times, progress)
        };
        let (states, mut statistics) = match ran {
            Err(error) if later && error.kind() == Kind::NotFinite => {
                return Err(judged()?.into_iter().fold(error, Error::advice));
            }
            ran => ran?,
        };
        let warning = match states.last() {
            Some(end) if later && grown(y0, end)? => judged()?,
            _ => warning,
        };
        statistics.evaluations = evaluations.get();
        Ok(Solution { states, statistics, warning })
    }

    /// How many steps there will be, for a report of progress; 0 when that is not known.
    pub fn total(&self, times: &[f64]) -> u64 {
        times.windows(2).map(|w| self.steps_between(w[0], w[1]).unwrap_or(0) as u64).sum()
    }

    /// Refuses times and steps that make no sense.
    pub(crate) fn check(&self, times: &[f64]) -> Result<()> {
        let forward = times.windows(2).all(|w| w[0] < w[1]);
        let backward = times.windows(2).all(|w| w[0] > w[1]);
        if times.is_empty() || times.iter().any(|t| !t.is_finite()) || !(forward || backward) {
            return Err(Error::value("output times ascend or descend, and are finite").got(format!("{times:?}")));
        }
        match self.steps {
            StepRule::Fixed(0) => Err(Error::value("at least one step between output times").got(0)),
            StepRule::Fixed(n) if n as f64 > MOST_STEPS => Err(Error::limit("more steps than can ever be made")
                .got(n)
                .expected("at most 10¹² steps between output times")),
            StepRule::MaxStep(h) if !h.is_finite() || h <= 0.0 => {
                Err(Error::value("the length of a step is positive").got(h))
            }
            StepRule::MaxStep(h) if times.windows(2).any(|w| (w[1] - w[0]).abs() / h > MOST_STEPS) => {
                Err(Error::limit("more steps than can ever be made").got(format!("steps of {h:?}")))
            }
            _ if self.checkpoints == Checkpoints::Every(0) => {
                Err(Error::value("checkpoints lie at least one step apart").got(0))
            }
            _ => Ok(()),
        }
    }
    fn steps_between(&self, from: f64, to: f64) -> Option<usize> {
        match self.steps {
            StepRule::Fixed(n) => Some(n),
            // A length that fits a whole number of times but for rounding is not cut once more.
            StepRule::MaxStep(h) => Some((((to - from).abs() / h - 1e-9).ceil() as usize).max(1)),
            StepRule::Adaptive(_) => None,
        }
    }
    /// Says when the steps are too long for the method.
    pub(crate) fn warning<S: Parametrized>(&self, system: &S, y0: &S::State, times: &[f64]) -> Result<Option<String>> {
        let (Method::Explicit(tableau), [from, to, ..]) = (self.method, times) else { return Ok(None) };
        let Some(n) = self.steps_between(*from, *to) else { return Ok(None) };
        let Some(reach) = system.reach(*from, y0)? else { return Ok(None) };
        let intervals = times.len().saturating_sub(1);
        Ok(stability::warning(tableau, reach, (to - from).abs() / n as f64, n.saturating_mul(intervals)))
    }

    /// The steps through `times`, where their number or length is given.
    pub(crate) fn planned<'a>(&'a self, times: &'a [f64]) -> impl Iterator<Item = Planned> + 'a {
        let mut last = 0.0f64;
        times.windows(2).flat_map(move |pair| {
            let (from, to) = (pair[0], pair[1]);
            let n = self.steps_between(from, to).unwrap_or(1);
            let mut h = (to - from) / n as f64;
            // Times such as 0.1, 0.2, 0.3 are unequally far apart by rounding; steps of one length keep one set of multipliers.
            if (h - last).abs() * n as f64 <= 4.0 * f64::EPSILON * to.abs().max(from.abs()) {
                h = last;
            }
            last = h;
            (0..n).map(move |i| {
                let t = from + (to - from) * (i as f64 / n as f64);
                Planned { t, h, outputs: if i + 1 == n { vec![1.0] } else { Vec::new() } }
            })
        })
    }

    /// Makes all steps; `seen` gets each with the state before it and the outputs in it, the initial state first.
    pub(super) fn march<S: Parametrized>(
        &self,
        system: &S,
        y0: &S::State,
        times: &[f64],
        mut progress: Option<&mut Progress>,
        mut seen: impl FnMut(Option<Planned>, Memory<S::State>, Vec<S::State>),
    ) -> Result<Statistics> {
        let mut statistics = Statistics::default();
        let Some((&start, rest)) = times.split_first() else { return Ok(statistics) };
        let y = system.settle(start, y0.clone())?;
        seen(None, Memory::start(y0.clone()), vec![y.clone()]);
        let mut memory = Memory::start(y);
        let mut done = |statistics: &mut Statistics, planned: &Planned, y: &S::State| {
            statistics.steps.push((planned.t, planned.h));
            let number = statistics.steps.len();
            if !y.is_finite()? {
                return Err(not_finite(number, planned));
            }
            match &mut progress {
                Some(progress) => progress.step(|| format!("t = {:.4}", planned.t + planned.h)),
                None => interrupt::poll(),
            }
        };
        if let (StepRule::Adaptive(rule), Some(&end)) = (self.steps, rest.last()) {
            let mut control = Control::new(rule, self.method, system, start, end, &memory.y)?;
            let (mut t, mut next) = (start, 0);
            while next < rest.len() {
                let (h, step) = control.advance(system, t, end, &memory)?;
                let arrived = if h == end - t { end } else { t + h };
                let inside = rest[next..].iter().take_while(|&&out| (arrived - out) * h >= 0.0);
                let outputs: Vec<f64> = inside.map(|out| if *out == arrived { 1.0 } else { (out - t) / h }).collect();
                next += outputs.len();
                let planned = Planned { t, h, outputs };
                let states = outputs_of(self.method, system, &planned, &memory.y, &step.memory.y, &step.stages)?;
                done(&mut statistics, &planned, &step.memory.y)?;
                seen(Some(planned), std::mem::replace(&mut memory, step.memory), states);
                t = arrived;
            }
            statistics.rejected = control.rejected;
            return Ok(statistics);
        }
        for planned in self.planned(times) {
            let (after, states) = advance(self.method, system, &planned, &memory)?;
            done(&mut statistics, &planned, &after.y)?;
            seen(Some(planned), std::mem::replace(&mut memory, after), states);
        }
        Ok(statistics)
    }
}

/// Whether a state has become larger than what unstable steps leave alone.
pub(crate) fn grown<V: Vector>(start: &V, end: &V) -> Result<bool> {
    let size = |state: &V| {
        let largest = |u: &Tensor| u.detach().unary(Unary::Abs)?.max(&[], false)?.item();
        state
            .tensors()
            .iter()
            .filter(|u| !u.is_empty())
            .try_fold(0.0f64, |size, u| Ok::<_, Error>(size.max(largest(u)?)))
    };
    Ok(size(end)? > 2.0 * size(start)?)
}

/// What the next step needs, and the outputs in this one.
pub(super) type Advanced<V> = (Memory<V>, Vec<V>);

/// One step with the outputs in it.
pub(super) fn advance<S: Parametrized>(
    method: Method,
    system: &S,
    planned: &Planned,
    memory: &Memory<S::State>,
) -> Result<Advanced<S::State>> {
    let step = method.step(system, planned.t, planned.h, memory)?;
    let outputs = outputs_of(method, system, planned, &memory.y, &step.memory.y, &step.stages)?;
    Ok((step.memory, outputs))
}

fn outputs_of<S: System>(
    method: Method,
    system: &S,
    planned: &Planned,
    before: &S::State,
    after: &S::State,
    stages: &[S::State],
) -> Result<Vec<S::State>> {
    let at = |theta: &f64| match method {
        _ if *theta == 1.0 => Ok(after.clone()),
        Method::Explicit(tableau) | Method::Diagonal(tableau) => {
            let state = explicit::inside(tableau, *theta, before, planned.h, stages)?;
            system.settle(planned.t + theta * planned.h, state)
        }
        _ => Err(Error::internal("an output inside a step of a method without a polynomial")),
    };
    planned.outputs.iter().map(at).collect()
}

/// A tensor that is being differentiated and that the system does not name would silently get no gradient.
fn refuse_hidden<S: Parametrized>(system: &S, t: f64, y0: &S::State) -> Result<()> {
    let context = y0.context()?;
    if !context.is_recording() || !context.is_differentiating() {
        return Ok(());
    }
    let free: Vec<Tensor> = system.parameters().iter().map(Tensor::detach).collect();
    let system = if free.is_empty() { system.clone() } else { system.with_parameters(&free)? };
    let floor = context.next_node();
    if !depends_on_older(&system.rhs(t, &system.settle(t, y0.detach()?)?)?.tensors(), floor) {
        return Ok(());
    }
    Err(Error::value(
        "the right-hand side depends on a tensor that is being differentiated but is not among its parameters",
    )
    .expected("every such tensor among the parameters, where checkpoints or an implicit method compute a step again")
    .advice("name it as a parameter, or take an explicit method without checkpoints"))
}

/// The error of a state that is no longer finite.
pub(crate) fn not_finite(number: usize, planned: &Planned) -> Error {
    let Planned { t, h, .. } = planned;
    // As many digits as tell the ends of the step from others, not those of rounding.
    let digits = (t.abs().max(h.abs()) / h.abs()).log10().clamp(0.0, 12.0) as usize + 4;
    let short = |t: f64| format!("{t:.digits$e}").parse().unwrap_or(t);
    Error::not_finite("the solution is no longer finite")
        .got(format!("step {number}, from t = {:?} to {:?}", short(*t), short(t + h)))
        .at_time(*t)
        .advice(
            "take smaller steps or a method that is stable for longer ones; or the solution itself grows without bound",
        )
}
