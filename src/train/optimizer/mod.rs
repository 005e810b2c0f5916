//! Optimisers: how a gradient becomes a step.

mod adam;
mod bounds;
mod guard;
mod lbfgs;
mod line_search;
mod lowered;
mod projected;
mod sgd;
mod slices;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use adam::Adam;
pub use bounds::Bounds;
pub use guard::{Guard, NotFinite};
pub use lbfgs::Lbfgs;
pub use sgd::Sgd;
pub(crate) use slices::fused;

use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::tensor::Tensor;

/// The rule of an optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Gradient descent.
    Sgd(Sgd),
    /// Adaptive moments.
    Adam(Adam),
    /// Limited-memory quasi-Newton steps.
    Lbfgs(Lbfgs),
}

/// A rule, its learning rates, bounds on gradients, and what it remembers between steps.
#[derive(Clone)]
pub struct Optimizer {
    /// The rule.
    pub method: Method,
    /// The rate of each step.
    pub schedule: Schedule,
    /// Bounds on gradients.
    pub guard: Guard,
    /// Numbers between which parameters stay; none at first.
    pub bounds: Bounds,
    memory: Memory,
}

/// What an optimiser remembers, as it stands in a checkpoint.
#[derive(Clone, Default)]
pub struct Memory {
    /// Steps taken.
    pub steps: u64,
    /// Tensors by name: `"m/layer.weight"`.
    pub tensors: Parameters,
}

/// A loss with its gradients at some parameters.
pub struct Evaluated {
    /// The loss.
    pub loss: f64,
    /// Its gradients.
    pub gradients: Parameters,
}

/// What a step did.
#[derive(Clone)]
pub struct Report {
    /// The loss before the step.
    pub loss: f64,
    /// Gradients before the step, within the bounds.
    pub gradients: Parameters,
    /// Their norm before it was bounded.
    pub gradient_norm: f64,
    /// The learning rate; for L-BFGS the length that its line search chose.
    pub rate: f64,
    /// How often the loss was evaluated.
    pub evaluations: usize,
}

/// Evaluates the loss at some parameters.
pub type Evaluate<'a> = dyn FnMut(&Parameters) -> Result<Evaluated> + 'a;

impl Optimizer {
    /// With this rule and these rates, without bounds on gradients.
    pub fn new(method: Method, schedule: impl Into<Schedule>) -> Self {
        Self {
            method,
            schedule: schedule.into(),
            guard: Guard::default(),
            bounds: Bounds::default(),
            memory: Memory::default(),
        }
    }
    /// Gradient descent.
    pub fn sgd(rate: f64) -> Self {
        Self::new(Method::Sgd(Sgd::default()), rate)
    }
    /// Adam with its usual numbers.
    pub fn adam(rate: f64) -> Self {
        Self::new(Method::Adam(Adam::default()), rate)
    }
    /// AdamW with its usual numbers.
    pub fn adamw(rate: f64) -> Self {
        Self::new(Method::Adam(Adam::decoupled()), rate)
    }
    /// L-BFGS with its usual numbers.
    pub fn lbfgs() -> Self {
        Self::new(Method::Lbfgs(Lbfgs::default()), 1.0)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.memory.steps
    }
    /// What it remembers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.memory = Memory::default();
    }
    /// Goes on from what another one remembered.
    ///
    /// # Errors
    /// When the tensors are not those of this rule for `parameters`.
    pub fn restore(&mut self, memory: Memory, parameters: &Parameters) -> Result<()> {
        if memory.steps > 0 && !matches!(self.method, Method::Lbfgs(_)) {
            let fresh = self.fresh(parameters)?;
            fresh.agrees_with(&memory.tensors).map_err(|e| e.within("the state of the optimiser"))?;
        }
        self.memory = memory;
        Ok(())
    }

    /// One step: the new parameters and what was done. The memory changes only when the step succeeds.
    ///
    /// # Errors
    /// When the loss or a gradient is not finite, or the evaluation fails.
    pub fn advance(&mut self, parameters: &Parameters, evaluate: &mut Evaluate) -> Result<(Parameters, Report)> {
        self.check()?;
        let step = self.memory.steps;
        let rate = self.schedule.at(step)?;
        if let Method::Lbfgs(method) = self.method {
            let (moved, tensors, report) =
                method.advance(&self.memory, parameters, rate, &self.guard, &self.bounds, evaluate)?;
            self.memory = Memory { steps: step + 1, tensors };
            return Ok((moved, report));
        }
        let Evaluated { loss, gradients } = evaluate(parameters)?;
        if !loss.is_finite() && self.guard.not_finite == NotFinite::Stop {
            return Err(not_finite_loss(step, loss));
        }
        let (gradients, gradient_norm) = self.guard.apply(gradients, step)?;
        let tensors = if self.memory.steps == 0 && self.memory.tensors.is_empty() {
            self.fresh(parameters)?
        } else {
            self.memory.tensors.clone()
        };
        let (moved, tensors) = self.moved(parameters, &gradients, &tensors, rate)?;
        let moved = if self.bounds.is_empty() { moved } else { self.bounds.project(&moved)? };
        self.memory = Memory { steps: step + 1, tensors };
        Ok((moved, Report { loss, gradients, gradient_norm, rate, evaluations: 1 }))
    }

    fn slots(&self) -> &'static [&'static str] {
        match &self.method {
            Method::Sgd(method) => method.slots(),
            Method::Adam(method) => method.slots(),
            Method::Lbfgs(_) => &[],
        }
    }
    /// Moments of zeros, slot by slot for each parameter.
    fn fresh(&self, parameters: &Parameters) -> Result<Parameters> {
        let mut tensors = Parameters::new();
        for (name, value) in parameters.iter() {
            for slot in self.slots() {
                tensors.push(format!("{slot}/{name}"), value.full_like(0.0)?)?;
            }
        }
        Ok(tensors)
    }
    fn moved(
        &self,
        parameters: &Parameters,
        gradients: &Parameters,
        moments: &Parameters,
        rate: f64,
    ) -> Result<(Parameters, Parameters)> {
        let width = self.slots().len();
        if moments.len() != width * parameters.len() {
            return Err(another_network());
        }
        let mut moved = Vec::with_capacity(parameters.len());
        let mut after = Vec::with_capacity(moments.len());
        for (i, ((name, p), g)) in parameters.iter().zip(gradients.values()).enumerate() {
            let own = moments.values().get(i * width..(i + 1) * width).unwrap_or_default();
            let fits = |t: &Tensor| t.shape() == p.shape() && t.precision() == p.precision();
            let named =
                moments.names().get(i * width).is_none_or(|n| n.split_once('/').is_some_and(|(_, n)| n == name));
            if !named || !own.iter().all(fits) {
                return Err(another_network());
            }
            let g = g.cast(p.precision())?;
            let (p, own) = match &self.method {
                Method::Sgd(method) => method.update(p, &g, own, rate)?,
                Method::Adam(method) => method.update(p, &g, own, rate, self.memory.steps + 1)?,
                Method::Lbfgs(_) => return Err(Error::internal("L-BFGS has no moments")),
            };
            moved.push(p);
            after.extend(own);
        }
        Ok((parameters.with_values(moved)?, moments.with_values(after)?))
    }

    /// Refuses numbers outside of their domain.
    fn check(&self) -> Result<()> {
        let within = |name: &str, x: f64, low: f64, high: f64| {
            if x >= low && x < high {
                Ok(())
            } else {
                Err(Error::value(format!("optimiser: {name} is outside its domain"))
                    .got(x)
                    .expected(format!("from {low} to below {high}")))
            }
        };
        match &self.method {
            Method::Sgd(m) => {
                within("momentum", m.momentum, 0.0, 1.0)?;
                within("decay", m.decay, 0.0, f64::INFINITY)?;
            }
            Method::Adam(m) => {
                within("beta1", m.beta1, 0.0, 1.0)?;
                within("beta2", m.beta2, 0.0, 1.0)?;
                within("epsilon", m.epsilon, 0.0, f64::INFINITY)?;
                within("decay", m.decay, 0.0, f64::INFINITY)?;
            }
            Method::Lbfgs(m) => m.check()?,
        }
        for (name, bound) in [("clip_value", self.guard.clip_value), ("clip_norm", self.guard.clip_norm)] {
            within(name, bound.unwrap_or(1.0), f64::MIN_POSITIVE, f64::INFINITY)?;
        }
        Ok(())
    }

    /// What identifies it in a checkpoint.
    pub fn describe(&self) -> Value {
        let method = match &self.method {
            Method::Sgd(m) => {
                json!({ "method": "sgd", "momentum": m.momentum, "nesterov": m.nesterov, "decay": m.decay })
            }
            Method::Adam(m) => json!({
                "method": if m.decoupled { "adamw" } else { "adam" },
                "beta1": m.beta1, "beta2": m.beta2, "epsilon": m.epsilon, "decay": m.decay, "amsgrad": m.amsgrad,
            }),
            Method::Lbfgs(m) => m.describe(),
        };
        json!({
            "rule": method, "rate": self.schedule.describe(),
            "clip_value": self.guard.clip_value, "clip_norm": self.guard.clip_norm,
            "zero_not_finite": self.guard.not_finite == NotFinite::Zero,
        })
    }
}

pub(super) fn not_finite_loss(step: u64, loss: f64) -> Error {
    Error::not_finite(format!("step {step}: the loss is not finite"))
        .got(loss)
        .advice("lower the learning rate, bound the gradient (clip_norm), or look for a division by 0, a root or a logarithm of 0 in the loss")
}

fn another_network() -> Error {
    Error::value("this optimiser has been used with another network, or with other parts of it frozen")
        .advice("make one optimiser for each network, and a new one after freeze or unfreeze")
}
