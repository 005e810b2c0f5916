//! What compiled steps of spectra and of points have in common: when there are none, the path that they fill, its place on the tape.

use std::mem::MaybeUninit;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::native::march::{Keep, Scheduled, Stop};
use crate::session::interrupt;
use crate::solve::{Checkpoints, Planned, Rollout, Statistics, StepRule, not_finite};
use crate::tensor::{Claim, Context, Precision, Real, Tensor, record_joint, unbroadcast};

/// A schedule longer than this is not written down.
const MOST_STEPS: f64 = 1e7;

/// A value, or why it cannot be had by compiled steps.
pub(super) type Compiled<T> = std::result::Result<T, &'static str>;

/// What the native lane gives.
pub(super) struct Marched {
    /// The states at the times, `[sample, time, channel, x…]`, the start first; the end alone where there is nothing beside the start.
    path: Tensor,
    start: Tensor,
    times: usize,
    /// What it took.
    pub statistics: Statistics,
    /// What the user should know.
    pub warning: Option<String>,
}

impl Marched {
    /// What compiled steps give: the states at so many times, as [`path`](Self::path) is kept.
    pub fn new(path: Tensor, start: &Tensor, times: usize, statistics: Statistics, warning: Option<String>) -> Self {
        Self { path, start: start.clone(), times, statistics, warning }
    }
    /// The state at an output time. Of several samples it is copied out of the path.
    pub fn state(&self, time: usize) -> Result<Tensor> {
        match (time, self.times) {
            (0, _) => Ok(self.start.clone()),
            (_, 2) => self.path.squeeze(1),
            _ => self.path.narrow(1, time, 1)?.squeeze(1),
        }
    }
    /// The states at all times as one tensor; `None` where there is one beside the start.
    pub fn path(&self) -> Option<Tensor> {
        (self.times > 2).then(|| self.path.clone())
    }
    /// The states: only the last where there is a path, which holds the others.
    pub fn states(&self) -> Result<Vec<Tensor>> {
        let first = if self.times > 2 { self.times - 1 } else { 0 };
        (first..self.times).map(|time| self.state(time)).collect()
    }
}

/// Solves with as many steps between output times as are enough.
///
/// # Errors
/// Those of [`enough`](crate::solve::enough).
pub(super) fn enough(
    rollout: Rollout,
    start: &Tensor,
    times: &[f64],
    march: impl Fn(&Rollout, &Tensor) -> Result<Compiled<Marched>>,
    apart: impl Fn(&Marched, &Marched) -> Result<f64>,
) -> Result<Compiled<Marched>> {
    let context = start.context();
    let with = |n: usize| Rollout { steps: StepRule::Fixed(n), ..rollout };
    let found = context.without_recording(|| {
        let start = start.detach();
        if let Ok(Err(unfit)) = march(&with(1), &start) {
            return Ok(Err(unfit));
        }
        let run = |n: usize| march(&with(n), &start)?.map_err(|unfit| Error::internal(unfit.to_string()));
        crate::solve::enough(rollout.method, times, run, apart).map(Ok)
    })?;
    match found {
        Ok((n, _)) if context.is_recording() && context.is_differentiating() => march(&with(n), start),
        Ok((_, marched)) => Ok(Ok(marched)),
        Err(unfit) => Ok(Err(unfit)),
    }
}

/// Why steps cannot be compiled, as far as it is seen at once; `takes` says whether the method can, `timed` whether a gradient goes to the times.
pub(super) fn unfit(
    rollout: &Rollout,
    start: &Tensor,
    times: &[f64],
    (takes, timed): (bool, bool),
) -> Option<&'static str> {
    let context = start.context();
    let steps: f64 = match rollout.steps {
        StepRule::Fixed(n) => n as f64 * times.len() as f64,
        StepRule::MaxStep(h) => times.windows(2).map(|w| ((w[1] - w[0]) / h).abs() + 1.0).sum(),
        StepRule::Adaptive(_) => return Some("steps that a tolerance chooses are the same for all samples"),
    };
    if !takes {
        Some("the method is more than sums and evaluations of the right-hand side")
    } else if steps > MOST_STEPS {
        Some("there are too many steps")
    } else if start.flex().is_none() && !context.device().is_cube() {
        Some("the state is not on the CPU")
    } else if timed {
        Some("a gradient goes to the times")
    } else if context.is_recording() && context.is_nested() {
        Some("a gradient is taken inside of another one")
    } else if times.len() < 2 || start.is_empty() {
        Some("there is no step")
    } else {
        None
    }
}

/// What is kept of so many steps for a gradient.
pub(super) fn keep(rollout: &Rollout, steps: usize) -> Keep {
    match rollout.checkpoints {
        Checkpoints::None => Keep::All,
        Checkpoints::Every(n) => Keep::Every(n.max(1)),
        Checkpoints::Sqrt => Keep::Every((steps as f64).sqrt().ceil().max(1.0) as usize),
    }
}

/// Bytes that a march needs beside its path.
pub(super) struct Needs {
    /// While it works.
    pub working: usize,
    /// As long as its gradient may be asked for.
    pub held: usize,
}

/// A path of so many states from `start`, filled by `forward`, which gets the numbers of the start; with what is kept of it, on the account
/// of memory.
pub(super) fn filled<T: Real, K>(
    context: &Context,
    start: &Tensor,
    (slots, schedule): (usize, &[Scheduled]),
    needs: Needs,
    forward: impl FnOnce(&[T], &mut [MaybeUninit<T>]) -> std::result::Result<K, Stop>,
) -> Result<(Tensor, K, Rc<Claim>)> {
    let mut shape = start.shape();
    shape.insert(1, slots);
    let count = start.len().saturating_mul(slots);
    context.reserve(count.saturating_mul(start.precision().bytes()).saturating_add(needs.working))?;
    let values = start.read::<T>()?;
    if !crate::native::is_finite(&values) {
        return Err(Error::not_finite("the initial state is not finite"));
    }
    context.reserve(needs.held.saturating_add(needs.working))?;
    let work = context.claim(needs.working);
    // Memory that nobody clears: a long path is as large as all that is written to it.
    let mut out: Vec<T> = Vec::with_capacity(count);
    let places = out.spare_capacity_mut().get_mut(..count).unwrap_or_default();
    let kept = match forward(&values, places) {
        Ok(kept) => kept,
        Err(Stop::Interrupted) => return Err(stopped()),
        Err(Stop::NotFinite(step)) => {
            let (t, h) = schedule.get(step).map_or((0.0, 0.0), |s| (s.t, s.h));
            return Err(not_finite(step + 1, &Planned { t, h, outputs: Vec::new() }));
        }
    };
    // SAFETY: `forward` has written every element of `places`, which are the first `count` of the capacity.
    unsafe { out.set_len(count) };
    let path = Tensor::from_vec::<T>(context, out, &shape)?;
    let held = context.claim(needs.held);
    drop(work);
    Ok((path, kept, held))
}

/// A path as one operation of the start and of what else has a gradient; `back` takes the gradient of the path to those of the inputs, before
/// they are summed over what has one element for many. What is held stays on the account as long as the tape.
pub(super) fn recorded(
    context: &Context,
    inputs: &[Tensor],
    path: Tensor,
    held: Rc<Claim>,
    back: impl Fn(&Tensor) -> Result<Vec<Tensor>> + 'static,
) -> Result<Tensor> {
    let shapes: Vec<(Vec<usize>, Precision)> = inputs.iter().map(|t| (t.shape(), t.precision())).collect();
    let context = context.clone();
    let outputs = record_joint(&inputs.iter().collect::<Vec<_>>(), vec![path], move |g| {
        let Some(Some(g)) = g.first() else { return Ok(vec![None; shapes.len()]) };
        if context.is_recording() {
            return Err(
                Error::value("a compiled solution has no gradient of its gradient here").advice("lane: \"burn\"")
            );
        }
        let _ = &held;
        let parts = back(g)?;
        let fit = |(t, (shape, precision)): (Tensor, &(Vec<usize>, Precision))| {
            unbroadcast(&t, shape)?.cast(*precision).map(Some)
        };
        parts.into_iter().zip(&shapes).map(fit).collect()
    });
    outputs.into_iter().next().ok_or_else(|| Error::internal("a solution without a path"))
}

/// The error of work that someone asked to stop.
pub(super) fn stopped() -> Error {
    interrupt::poll().err().unwrap_or_else(Error::interrupted)
}
