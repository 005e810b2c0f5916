//! The minimum of a function of free numbers: initial states, coefficients, controls.

use std::collections::HashMap;

use serde_json::json;

use super::checkpoint::Checkpoint;
use super::optimizer::{Bounds, Evaluated, Lbfgs, Method, Optimizer};
use super::transform::Transform;
use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::session::{Progress, Session, interrupt};
use crate::tensor::{Context, Tensor, value_and_gradient};

/// How a function is minimised.
#[derive(Clone)]
pub struct Minimization {
    /// Most steps; 100.
    pub steps: u64,
    /// Stop once the norm of the gradient is at most `tolerance` times that at the start. 0: only where it vanishes.
    pub tolerance: f64,
    /// Lower bounds by name, in the shapes of the parameters.
    pub lower: Parameters,
    /// Upper bounds by name.
    pub upper: Parameters,
    /// The functions through which parameters are seen, by name.
    pub transforms: HashMap<String, Transform>,
    /// Whether the end is the last point, and not the lowest that was seen.
    pub keep_last: bool,
    /// Whether to show progress.
    pub progress: bool,
    /// The name in messages, and of the file that keeps the best point when the work is broken off.
    pub name: String,
}

impl Default for Minimization {
    fn default() -> Self {
        Self {
            steps: 100,
            tolerance: 0.0,
            lower: Parameters::new(),
            upper: Parameters::new(),
            transforms: HashMap::new(),
            keep_last: false,
            progress: true,
            name: "minimize".into(),
        }
    }
}

/// Why a minimisation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps were taken.
    Steps,
    /// The gradient fell below the tolerance.
    Gradient,
    /// The line search of L-BFGS found no lower point: a minimum to rounding.
    NoLowerPoint,
}

impl End {
    /// The end in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "all steps were taken",
            Self::Gradient => "the gradient is below the tolerance",
            Self::NoLowerPoint => "no lower point along the line",
        }
    }
}

/// What a minimisation came to.
#[derive(Clone)]
pub struct Minimum {
    /// The parameters at the end.
    pub x: Parameters,
    /// The loss there.
    pub loss: f64,
    /// Losses: `losses[k]` after `k` steps, `losses[0]` at the start.
    pub losses: Vec<f64>,
    /// Norms of the gradient before each step, in the numbers that are varied; at bounds of its part that points inwards.
    pub gradients: Vec<f64>,
    /// Steps taken.
    pub steps: u64,
    /// How often the function was evaluated.
    pub evaluations: usize,
    /// Why it ended.
    pub end: End,
}

impl Minimum {
    /// Whether it ended before the steps did.
    pub fn converged(&self) -> bool {
        self.end != End::Steps
    }
}

/// The function that is minimised.
pub type Function<'a> = dyn FnMut(&Parameters) -> Result<Tensor> + 'a;

/// Goes down the gradient of `f` from `start`. `optimizer` gives rule and rates; it starts anew and is not changed.
///
/// `f` must be the same function in each step. Bounds are kept by projection after each step, by a projected line search in
/// L-BFGS. Nothing that comes out is linked to a gradient around it.
///
/// # Errors
/// When the loss or a gradient is not finite (the step is named), when the start is outside of bounds or domains, when `f`
/// fails, and when the user interrupts; then the best point so far is in `<name>.safetensors` in the run folder.
pub fn minimize(
    session: &Session,
    optimizer: &Optimizer,
    start: &Parameters,
    plan: &Minimization,
    f: &mut Function,
) -> Result<Minimum> {
    let Some(context) = start.values().first().map(|t| t.context().clone()) else {
        return Err(Error::value("there is nothing to minimise over"));
    };
    let start = start.detach();
    let none = Transform::None;
    let transform = |name: &str| plan.transforms.get(name).unwrap_or(&none);
    let bounds = Bounds::new(plan.seen(&plan.lower)?, plan.seen(&plan.upper)?)?;
    let free = start.map(|name, x| transform(name).forward(name, x))?;
    bounds.check(&free)?;
    let mut optimizer = optimizer.clone();
    optimizer.reset();
    optimizer.bounds = bounds;
    if let Method::Lbfgs(method) = &mut optimizer.method {
        *method = Lbfgs { reuse: true, ..*method };
    }
    let shown = |free: &Parameters| free.map(|name, z| transform(name).back(z));
    let mut on_free = |free: &Parameters| f(&shown(free)?);
    let mut descent = Descent {
        context,
        optimizer,
        best: (f64::INFINITY, free.clone()),
        free,
        losses: Vec::new(),
        gradients: Vec::new(),
        evaluations: 0,
    };
    let mut progress = plan.progress.then(|| session.progress(&plan.name, plan.steps));
    let end = descent.run(plan, &mut on_free, progress.as_mut());
    drop(progress);
    let end = end.map_err(|error| {
        let kept = shown(&descent.best.1).and_then(|x| descent.keep(session, plan, &x));
        let error = error.within(&plan.name);
        if !matches!(kept, Ok(true)) {
            return error;
        }
        let place = format!("the best point so far is in {}.safetensors in the run folder", plan.name);
        let before = error.details().find(|(label, _)| *label == "advice").map(|(_, text)| format!("{text}; "));
        error.advice(format!("{}{place}", before.unwrap_or_default()))
    })?;
    let (loss, z) = if plan.keep_last {
        (descent.losses.last().copied().unwrap_or(f64::NAN), &descent.free)
    } else {
        (descent.best.0, &descent.best.1)
    };
    // The numbers that were given come back as they were, not by way of the transform.
    let x = if descent.gradients.is_empty() { start } else { shown(z)? };
    let steps = descent.losses.len().saturating_sub(1) as u64;
    let Descent { losses, gradients, evaluations, .. } = descent;
    Ok(Minimum { x, loss, losses, gradients, steps, evaluations, end })
}

impl Minimization {
    /// Bounds of the numbers that are varied.
    fn seen(&self, bounds: &Parameters) -> Result<Parameters> {
        let mut out = Parameters::new();
        for (name, bound) in bounds.iter() {
            let seen = self.transforms.get(name).map_or(Ok(Some(bound.clone())), |t| t.bound(bound))?;
            if let Some(seen) = seen {
                out.push(name.to_string(), seen)?;
            }
        }
        Ok(out)
    }
}

struct Descent {
    context: Context,
    optimizer: Optimizer,
    free: Parameters,
    /// The lowest loss so far and where it was.
    best: (f64, Parameters),
    losses: Vec<f64>,
    gradients: Vec<f64>,
    evaluations: usize,
}

impl Descent {
    fn run(&mut self, plan: &Minimization, f: &mut Function, mut progress: Option<&mut Progress>) -> Result<End> {
        for _ in 0..plan.steps {
            interrupt::poll()?;
            if let Some(end) = self.step(plan.tolerance, f)? {
                return Ok(end);
            }
            if let Some(progress) = progress.as_deref_mut() {
                let (loss, gradient) = (self.losses.last(), self.gradients.last());
                progress.step(|| format!("loss {:.4e}, gradient {:.1e}", or_nan(loss), or_nan(gradient)))?;
            }
        }
        let loss = self.context.without_recording(|| f(&self.free))?.item()?;
        self.evaluations += 1;
        self.note(loss);
        Ok(End::Steps)
    }
    /// One step; or why there is none.
    fn step(&mut self, tolerance: f64, f: &mut Function) -> Result<Option<End>> {
        let Self { context, optimizer, free, .. } = self;
        let (moved, report) = optimizer.advance(free, &mut |at| {
            let (value, gradients) =
                value_and_gradient(context, at.values(), |leaves| f(&at.with_values(leaves.to_vec())?))?;
            let gradients = gradients.iter().map(Tensor::detach).collect();
            Ok(Evaluated { loss: value.item()?, gradients: at.with_values(gradients)? })
        })?;
        let gradient = optimizer.bounds.inward(free, &report.gradients)?.unwrap_or(report.gradient_norm);
        self.evaluations += report.evaluations;
        self.gradients.push(gradient);
        self.note(report.loss);
        if gradient <= tolerance * self.gradients.first().copied().unwrap_or(0.0) {
            return Ok(Some(End::Gradient));
        }
        if matches!(self.optimizer.method, Method::Lbfgs(_)) && report.rate == 0.0 {
            return Ok(Some(End::NoLowerPoint));
        }
        self.free = moved;
        Ok(None)
    }
    fn note(&mut self, loss: f64) {
        self.losses.push(loss);
        if loss < self.best.0 {
            self.best = (loss, self.free.clone());
        }
    }
    /// Saves what was reached before an interruption or a loss that is not finite; whether there was anything.
    fn keep(&self, session: &Session, plan: &Minimization, x: &Parameters) -> Result<bool> {
        let broken_off = interrupt::pending().is_some() || self.losses.len() > 1;
        if !broken_off || self.losses.is_empty() {
            return Ok(false);
        }
        let manifest = json!({ "loss": self.best.0, "steps": self.losses.len() - 1 });
        let manifest = manifest.as_object().cloned().unwrap_or_default();
        let file = Checkpoint { groups: vec![("x".into(), x.clone())], manifest };
        session.run().write(&format!("{}.safetensors", plan.name), &file.to_bytes()?)?;
        Ok(true)
    }
}

fn or_nan(number: Option<&f64>) -> f64 {
    number.copied().unwrap_or(f64::NAN)
}
