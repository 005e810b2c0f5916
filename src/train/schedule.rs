//! Learning rates over the steps of a training.

use std::f64::consts::PI;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The learning rate of step `t = 0, 1, …`.
#[derive(Clone)]
pub enum Schedule {
    /// `rate`
    Constant(f64),
    /// `rate · factor^⌊t / every⌋`
    Step { rate: f64, every: u64, factor: f64 },
    /// `rate · factor^t`
    Exponential { rate: f64, factor: f64 },
    /// From 0 to `rate` in `warmup` steps (linear), then `last + (rate − last) (1 + cos π s) / 2`, where `s` runs from 0 to 1
    /// until step `steps`; `last` after that.
    Cosine { rate: f64, last: f64, warmup: u64, steps: u64 },
    /// From `rate / 25` to `rate` in the first `rise · steps` steps, then to `rate / 10⁴`, both as half cosines (Smith and
    /// Topin 2018).
    OneCycle { rate: f64, rise: f64, steps: u64 },
    /// The rate of the last pair `(start, rate)` whose start was reached.
    Piecewise(Vec<(u64, f64)>),
    /// A function of the step. `name` stands for it where options are compared.
    Custom { name: String, rate: Rc<dyn Fn(u64) -> Result<f64>> },
}

impl Schedule {
    /// The rate of step `t`.
    ///
    /// # Errors
    /// When the rate is negative or not finite.
    pub fn at(&self, t: u64) -> Result<f64> {
        let half_cosine = |from: f64, to: f64, s: f64| to + (from - to) * 0.5 * (1.0 + (PI * s.clamp(0.0, 1.0)).cos());
        let rate = match self {
            Self::Constant(rate) => *rate,
            Self::Step { rate, every, factor } => rate * factor.powf((t / (*every).max(1)) as f64),
            Self::Exponential { rate, factor } => rate * factor.powf(t as f64),
            Self::Cosine { rate, warmup, .. } if t < *warmup => rate * (t + 1) as f64 / *warmup as f64,
            Self::Cosine { rate, last, warmup, steps } => {
                let span = steps.saturating_sub(*warmup).max(1) as f64;
                half_cosine(*rate, *last, (t - warmup) as f64 / span)
            }
            Self::OneCycle { rate, rise, steps } => {
                let top = (rise * *steps as f64).max(1.0);
                let t = t as f64;
                if t < top {
                    half_cosine(rate / 25.0, *rate, t / top)
                } else {
                    half_cosine(*rate, rate * 1e-4, (t - top) / (*steps as f64 - top).max(1.0))
                }
            }
            Self::Piecewise(pairs) => {
                let reached = pairs.iter().filter(|(start, _)| *start <= t).max_by_key(|(start, _)| *start);
                match reached.or(pairs.first()) {
                    Some((_, rate)) => *rate,
                    None => return Err(Error::value("a piecewise schedule needs at least one pair of step and rate")),
                }
            }
            Self::Custom { rate, .. } => rate(t)?,
        };
        if rate.is_finite() && rate >= 0.0 {
            Ok(rate)
        } else {
            Err(Error::value(format!("step {t}: the learning rate must be a finite number of 0 or more")).got(rate))
        }
    }

    /// What identifies it in a checkpoint.
    pub fn describe(&self) -> Value {
        match self {
            Self::Constant(rate) => json!({ "schedule": "constant", "rate": rate }),
            Self::Step { rate, every, factor } => {
                json!({ "schedule": "step", "rate": rate, "every": every, "factor": factor })
            }
            Self::Exponential { rate, factor } => json!({ "schedule": "exponential", "rate": rate, "factor": factor }),
            Self::Cosine { rate, last, warmup, steps } => {
                json!({ "schedule": "cosine", "rate": rate, "last": last, "warmup": warmup, "steps": steps })
            }
            Self::OneCycle { rate, rise, steps } => {
                json!({ "schedule": "one_cycle", "rate": rate, "rise": rise, "steps": steps })
            }
            Self::Piecewise(pairs) => json!({ "schedule": "piecewise", "pairs": pairs }),
            Self::Custom { name, .. } => json!({ "schedule": "custom", "name": name }),
        }
    }
}

impl From<f64> for Schedule {
    fn from(rate: f64) -> Self {
        Self::Constant(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let one_cycle = Schedule::OneCycle { rate: 1.0, rise: 0.25, steps: 100 };
        let cosine = Schedule::Cosine { rate: 1.0, last: 0.2, warmup: 4, steps: 24 };
        let piecewise = Schedule::Piecewise(vec![(10, 0.5), (0, 2.0), (20, 0.1)]);
        let cases: [(Schedule, u64, f64); 17] = [
            (Schedule::Constant(0.3), 1000, 0.3),
            (Schedule::Step { rate: 1.0, every: 10, factor: 0.5 }, 9, 1.0),
            (Schedule::Step { rate: 1.0, every: 10, factor: 0.5 }, 20, 0.25),
            (Schedule::Step { rate: 1.0, every: 0, factor: 0.5 }, 1, 0.5),
            (Schedule::Exponential { rate: 2.0, factor: 0.5 }, 3, 0.25),
            (cosine.clone(), 0, 0.25),
            (cosine.clone(), 3, 1.0),
            (cosine.clone(), 4, 1.0),
            (cosine.clone(), 14, 0.6),
            (cosine.clone(), 24, 0.2),
            (cosine, 1000, 0.2),
            (one_cycle.clone(), 0, 0.04),
            (one_cycle.clone(), 25, 1.0),
            (one_cycle, 100, 1e-4),
            (piecewise.clone(), 9, 2.0),
            (piecewise.clone(), 10, 0.5),
            (piecewise, 500, 0.1),
        ];
        for (i, (schedule, t, expected)) in cases.into_iter().enumerate() {
            let rate = schedule.at(t).unwrap();
            assert!((rate - expected).abs() < 1e-12, "case {i}: {rate} instead of {expected}");
        }
        let refused = [
            Schedule::Constant(-1.0),
            Schedule::Constant(f64::NAN),
            Schedule::Piecewise(vec![]),
            Schedule::Custom { name: "bad".into(), rate: Rc::new(|_| Ok(f64::INFINITY)) },
        ];
        assert!(refused.iter().all(|s| s.at(0).is_err()));
    }
}
