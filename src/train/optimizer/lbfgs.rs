//! Limited-memory quasi-Newton steps.

use serde_json::{Value, json};

use super::bounds::{Bounds, masked};
use super::line_search::{Point, strong_wolfe};
use super::projected::backtrack;
use super::{Evaluate, Evaluated, Guard, Memory, NotFinite, Report, not_finite_loss};
use crate::error::{Error, Result};
use crate::nn::Parameters;
use crate::tensor::{Context, Tensor};

/// L-BFGS with a strong-Wolfe line search. With the last `history` pairs `s = x₊ − x`, `y = g₊ − g` and `ρ = 1/(y·s)`:
///
/// ```text
/// q ← g;  newest to oldest:  a ← ρ s·q,  q ← q − a y
/// r ← (s·y / y·y) q;  oldest to newest:  r ← r + (a − ρ y·r) s
/// x ← x − t r        with t from the line search, tried first at the learning rate
/// ```
///
/// One step is one iteration, in double precision whatever the parameters have. It wants a loss that is the same function
/// from step to step: all samples at once, no dropout. Each step evaluates the loss where it stands and then once or a few
/// times along the line; `reuse` saves the first of these.
///
/// Good values: the defaults, after some thousand steps of Adam for networks.
/// Source: Nocedal and Wright, *Numerical Optimization*, algorithms 7.4 and 7.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    /// How many pairs are kept; 20.
    pub history: usize,
    /// The most evaluations of one line search; 25.
    pub evaluations: usize,
    /// Whether the loss is the same function in each step, so that the last value and gradient hold at the next step's start.
    pub reuse: bool,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { history: 20, evaluations: 25, reuse: false }
    }
}

impl Lbfgs {
    pub(super) fn check(&self) -> Result<()> {
        if self.history == 0 || self.evaluations == 0 {
            return Err(Error::value("lbfgs: history and evaluations must be 1 or more"));
        }
        Ok(())
    }
    pub(super) fn describe(&self) -> Value {
        json!({ "method": "lbfgs", "history": self.history, "evaluations": self.evaluations, "reuse": self.reuse })
    }

    pub(super) fn advance(
        &self,
        memory: &Memory,
        parameters: &Parameters,
        rate: f64,
        guard: &Guard,
        bounds: &Bounds,
        evaluate: &mut Evaluate,
    ) -> Result<(Parameters, Parameters, Report)> {
        let context = match parameters.values().first() {
            Some(tensor) => tensor.context().clone(),
            None => return Err(Error::value("there are no parameters to train")),
        };
        let mut evaluations = 0;
        let mut at = |x: &[f64]| -> Result<(f64, Vec<f64>)> {
            evaluations += 1;
            let Evaluated { loss, gradients } = evaluate(&unflat(parameters, &context, x)?)?;
            Ok((loss, flat(&gradients)?))
        };
        let x = flat(parameters)?;
        let mut pairs = Pairs::read(&memory.tensors, x.len())?;
        let known = if self.reuse { Known::read(&memory.tensors, &x)? } else { None };
        let (loss, gradient) = match known {
            Some(known) => (known.loss, known.gradient),
            None => at(&x)?,
        };
        if !loss.is_finite() {
            return Err(not_finite_loss(memory.steps, loss));
        }
        let gradients = parameters.with_values(split(parameters, &context, &gradient)?)?;
        // Bounds would break the curvature condition; only the look for NaNs applies.
        let look = Guard { not_finite: NotFinite::Stop, clip_norm: None, clip_value: None };
        let (gradients, gradient_norm) =
            Guard { not_finite: guard.not_finite, ..look }.apply(gradients, memory.steps)?;
        let gradient = flat(&gradients)?;
        // At a bound, what points outwards counts no more than if it were not there.
        let walls = if bounds.is_empty() { None } else { Some(bounds.walls(parameters)?) };
        let free = walls.as_ref().map(|walls| walls.free(&x, &gradient));
        let downhill = free.as_ref().map_or_else(|| gradient.clone(), |free| masked(&gradient, free));
        let gradient_norm = if free.is_some() { dot(&downhill, &downhill).sqrt() } else { gradient_norm };

        let mut found = None;
        // Two turns at most: the second has no pairs.
        while found.is_none() && gradient_norm > 0.0 {
            let mut direction = match &free {
                Some(free) => pairs.within(free).direction(&downhill),
                None => pairs.direction(&gradient),
            };
            let mut slope = dot(&direction, &gradient);
            if !(slope < 0.0 && slope.is_finite()) {
                pairs.list.clear();
                direction = downhill.iter().map(|g| -g).collect();
                slope = -gradient_norm * gradient_norm;
            }
            // Nothing is known of the scale before the first pair.
            let first = if pairs.list.is_empty() {
                rate * (1.0 / downhill.iter().map(|g| g.abs()).sum::<f64>()).min(1.0)
            } else {
                rate
            };
            let lower = match &walls {
                Some(walls) => backtrack(&x, (loss, &gradient), &direction, first, walls, self.evaluations, &mut at)?,
                None => {
                    let start = Point { t: 0.0, value: loss, slope, gradient: gradient.clone() };
                    let point = strong_wolfe(&start, first, self.evaluations, &mut |t| {
                        let (value, gradient) = at(&along(&x, t, &direction))?;
                        Ok(Point { t, value, slope: dot(&gradient, &direction), gradient })
                    })?;
                    point.map(|point| Found {
                        x: along(&x, point.t, &direction),
                        step: direction.iter().map(|d| point.t * d).collect(),
                        loss: point.value,
                        gradient: point.gradient,
                        length: point.t,
                    })
                }
            };
            match lower {
                Some(point) => found = Some(point),
                // The curvature was wrong: try once more, straight down.
                None if !pairs.list.is_empty() => pairs.list.clear(),
                None => break,
            }
        }
        // Without a lower point the step stays where it is: a minimum to rounding.
        let (moved, known, length) = match found {
            Some(found) => {
                let y: Vec<f64> = found.gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
                pairs.add(found.step, y, self.history);
                let moved = unflat(parameters, &context, &found.x)?;
                let known = Known { point: flat(&moved)?, loss: found.loss, gradient: found.gradient };
                (moved, known, found.length)
            }
            None => (parameters.clone(), Known { point: x, loss, gradient }, 0.0),
        };
        let mut tensors = pairs.write(&context)?;
        if self.reuse {
            known.write(&context, &mut tensors)?;
        }
        Ok((moved, tensors, Report { loss, gradients, gradient_norm, rate: length, evaluations }))
    }
}

/// A lower point that a line search found.
pub(super) struct Found {
    pub x: Vec<f64>,
    /// From where the search began.
    pub step: Vec<f64>,
    pub loss: f64,
    pub gradient: Vec<f64>,
    /// The step in units of the direction.
    pub length: f64,
}

/// Pairs of steps and changes of the gradient, the oldest first.
struct Pairs {
    list: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Pairs {
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut q = gradient.to_vec();
        let mut factors = Vec::with_capacity(self.list.len());
        for (s, y) in self.list.iter().rev() {
            let a = dot(s, &q) / dot(y, s);
            subtract(&mut q, a, y);
            factors.push(a);
        }
        if let Some((s, y)) = self.list.last() {
            let gamma = dot(s, y) / dot(y, y);
            q.iter_mut().for_each(|q| *q *= gamma);
        }
        for ((s, y), a) in self.list.iter().zip(factors.iter().rev()) {
            let b = dot(y, &q) / dot(y, s);
            subtract(&mut q, b - a, s);
        }
        q.iter_mut().for_each(|q| *q = -*q);
        q
    }
    fn add(&mut self, s: Vec<f64>, y: Vec<f64>, most: usize) {
        // Only a positive curvature keeps the matrix positive definite.
        if dot(&s, &y) > 1e-10 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
            self.list.push((s, y));
            if self.list.len() > most {
                self.list.remove(0);
            }
        }
    }
    /// The pairs in the space of free numbers: a number at its bound must not turn the direction of the others.
    fn within(&self, free: &[bool]) -> Self {
        let mut part = Self { list: Vec::new() };
        for (s, y) in &self.list {
            part.add(masked(s, free), masked(y, free), self.list.len());
        }
        part
    }
    fn read(tensors: &Parameters, n: usize) -> Result<Self> {
        let mut list = Vec::new();
        while let (Some(s), Some(y)) =
            (tensors.get(&format!("s/{}", list.len())), tensors.get(&format!("y/{}", list.len())))
        {
            if s.len() != n || y.len() != n {
                return Err(super::another_network());
            }
            list.push((s.to_vec()?, y.to_vec()?));
        }
        Ok(Self { list })
    }
    fn write(&self, context: &Context) -> Result<Parameters> {
        let mut tensors = Parameters::new();
        for (i, (s, y)) in self.list.iter().enumerate() {
            tensors.push(format!("s/{i}"), Tensor::from_vec(context, s.clone(), &[s.len()])?)?;
            tensors.push(format!("y/{i}"), Tensor::from_vec(context, y.clone(), &[y.len()])?)?;
        }
        Ok(tensors)
    }
}

/// The loss and its gradient where the last step ended.
struct Known {
    point: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl Known {
    /// What was known, if the parameters are still there.
    fn read(tensors: &Parameters, x: &[f64]) -> Result<Option<Self>> {
        let (Some(point), Some(loss), Some(gradient)) =
            (tensors.get("point"), tensors.get("loss"), tensors.get("gradient"))
        else {
            return Ok(None);
        };
        let known = Self { point: point.to_vec()?, loss: loss.item()?, gradient: gradient.to_vec()? };
        Ok((known.point == x && known.gradient.len() == x.len()).then_some(known))
    }
    fn write(self, context: &Context, tensors: &mut Parameters) -> Result<()> {
        let n = self.point.len();
        tensors.push("point".into(), Tensor::from_vec(context, self.point, &[n])?)?;
        tensors.push("loss".into(), Tensor::from_vec(context, vec![self.loss], &[1])?)?;
        tensors.push("gradient".into(), Tensor::from_vec(context, self.gradient, &[n])?)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
fn subtract(q: &mut [f64], factor: f64, y: &[f64]) {
    q.iter_mut().zip(y).for_each(|(q, y)| *q -= factor * y);
}
pub(super) fn along(x: &[f64], t: f64, d: &[f64]) -> Vec<f64> {
    x.iter().zip(d).map(|(x, d)| x + t * d).collect()
}
fn flat(values: &Parameters) -> Result<Vec<f64>> {
    let mut all = Vec::with_capacity(values.count());
    for value in values.values() {
        all.extend(value.to_vec()?);
    }
    Ok(all)
}
/// Parts of `x` in the shapes and precisions of the parameters.
fn split(parameters: &Parameters, context: &Context, x: &[f64]) -> Result<Vec<Tensor>> {
    let mut start = 0;
    parameters
        .values()
        .iter()
        .map(|p| {
            let part = x.get(start..start + p.len()).unwrap_or_default().to_vec();
            start += p.len();
            Tensor::from_vec(context, part, &p.shape())?.cast(p.precision())
        })
        .collect()
}
fn unflat(parameters: &Parameters, context: &Context, x: &[f64]) -> Result<Parameters> {
    parameters.with_values(split(parameters, context, x)?)
}
