//! Step control: each step as long as the tolerance allows.
//!
//! Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations I*, sections II.4 and IV.2 of volume II: the error of an embedded pair,
//! a proportional-integral controller (Gustafsson 1991), and an estimate of the first step from two evaluations.

use super::explicit;
use super::method::{Memory, Method, Step};
use super::system::{Parametrized, System};
use super::tableau::Embedded;
use super::vector::Vector;
use crate::error::{Error, Kind, Result};

/// What step control aims at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptive {
    /// The error tolerated where the state is 0.
    pub atol: f64,
    /// The error tolerated relative to the state.
    pub rtol: f64,
    /// The first step; estimated when not given.
    pub first: Option<f64>,
    /// The longest step.
    pub largest: f64,
    /// Steps, accepted and rejected, before it gives up.
    pub most: usize,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { atol: 1e-6, rtol: 1e-4, first: None, largest: f64::INFINITY, most: 100_000 }
    }
}

/// The controller between two steps.
pub(super) struct Control {
    rule: Adaptive,
    method: Method,
    pair: &'static Embedded,
    /// The step to be tried next, with the sign of the direction of time.
    h: f64,
    /// The error of the last accepted step.
    before: f64,
    tried: usize,
    /// Steps that were too long.
    pub rejected: usize,
}

/// The share of the predicted step that is taken.
const SAFETY: f64 = 0.9;
/// A step shrinks and grows by no more than this.
const RANGE: (f64, f64) = (0.2, 5.0);

impl Control {
    /// Begins at `t` towards `end`.
    pub fn new<S: Parametrized>(
        rule: Adaptive,
        method: Method,
        system: &S,
        t: f64,
        end: f64,
        y: &S::State,
    ) -> Result<Self> {
        let pair = method.pair().ok_or_else(|| refused(method))?;
        let limits = [rule.atol, rule.rtol];
        if limits.iter().any(|x| !x.is_finite() || *x < 0.0) || rule.atol + rule.rtol <= 0.0 {
            return Err(Error::value("tolerances are not negative, and not both 0")
                .got(format!("atol {}, rtol {}", rule.atol, rule.rtol)));
        }
        if rule.largest.is_nan() || rule.largest <= 0.0 || rule.first.is_some_and(|h| !h.is_finite() || h <= 0.0) {
            return Err(Error::value("the first and the longest step are positive")
                .got(format!("first {:?}, longest {}", rule.first, rule.largest)));
        }
        let size = match rule.first {
            Some(h) => h,
            None => first_step(&rule, pair, system, t, (end - t).signum(), y)?,
        };
        let h = size.min(rule.largest).min((end - t).abs()) * (end - t).signum();
        Ok(Self { rule, method, pair, h, before: 1e-4, tried: 0, rejected: 0 })
    }

    /// Tries steps from `t` until one is accepted; returns it with its length, which never passes `end`.
    pub fn advance<S: Parametrized>(
        &mut self,
        system: &S,
        t: f64,
        end: f64,
        memory: &Memory<S::State>,
    ) -> Result<(f64, Step<S::State>)> {
        let context = memory.y.context()?;
        let mut refused_once = false;
        loop {
            self.tried += 1;
            if self.tried > self.rule.most {
                return Err(Error::limit("too many steps")
                    .got(format!("{} steps, {} of them rejected, up to t = {t}", self.rule.most, self.rejected))
                    .advice("the system may be stiff: take scheme: \"esdirk4\", or a larger tolerance"));
            }
            // A rest of less than a percent of a step is taken at once.
            let left = end - t;
            let last = self.h.abs() * 1.01 >= left.abs();
            let h = if last { left } else { self.h };
            if !last && (t + h == t || h.abs() < 16.0 * f64::EPSILON * t.abs()) {
                return Err(Error::not_finite("the step became too small to advance")
                    .got(format!("h = {h:.1e} at t = {t}"))
                    .advice("the solution has a singularity there, or the system is stiff: take scheme: \"esdirk4\""));
            }
            let step = match self.method.step(system, t, h, memory) {
                // Newton's iteration has its limits too; a shorter step begins nearer to its solution.
                Err(error) if error.kind() == Kind::Unsolved => {
                    self.rejected += 1;
                    refused_once = true;
                    self.h = h * RANGE.0;
                    if self.h.abs() < 16.0 * f64::EPSILON * t.abs().max(h.abs()) {
                        return Err(error);
                    }
                    continue;
                }
                step => step?,
            };
            let error = context.without_recording(|| {
                let error = explicit::error(self.pair, h, &step.stages)?;
                error.error_norm(&memory.y, &step.memory.y, self.rule.atol, self.rule.rtol)
            })?;
            let k = self.pair.order as f64 + 1.0;
            if error <= 1.0 {
                let error = error.max(1e-10);
                let factor = SAFETY * error.powf(-0.7 / k) * self.before.powf(0.4 / k);
                let most = if refused_once { 1.0 } else { RANGE.1 };
                // The length of a step that was cut at the end says nothing about the next.
                let base = if last { h.abs().max(self.h.abs()) } else { h.abs() };
                self.h = (base * factor.clamp(RANGE.0, most)).min(self.rule.largest) * left.signum();
                self.before = error.max(1e-4);
                return Ok((h, step));
            }
            self.rejected += 1;
            refused_once = true;
            let factor = if error.is_finite() { SAFETY * error.powf(-1.0 / k) } else { RANGE.0 };
            self.h = h * factor.clamp(RANGE.0, 0.9);
        }
    }
}

fn refused(method: Method) -> Error {
    Error::value("this integrator has no estimate of its error to control the step by")
        .got(format!("\"{}\"", method.name()))
        .expected("\"dormand_prince\", \"bogacki_shampine\", or for stiff systems \"esdirk4\"")
        .advice("or give the number of steps, or their length")
}

/// The first step from the sizes of `y`, `f` and the change of `f` (section II.4).
fn first_step<S: Parametrized>(
    rule: &Adaptive,
    pair: &Embedded,
    system: &S,
    t: f64,
    sign: f64,
    y: &S::State,
) -> Result<f64> {
    y.context()?.without_recording(|| {
        let size = |v: &S::State| v.error_norm(y, y, rule.atol, rule.rtol);
        let f = finite_rate(system, t, y)?;
        let (d0, d1) = (size(y)?, size(&f)?);
        let guess = if d0 < 1e-5 || d1 < 1e-5 || !(d0 / d1).is_finite() { 1e-6 } else { 0.01 * d0 / d1 };
        let ahead = y.add_scaled(&[(sign * guess, &f)])?;
        let change = system.rhs(t + sign * guess, &ahead)?.add_scaled(&[(-1.0, &f)])?;
        let d2 = size(&change)? / guess;
        let top = d1.max(d2);
        let second =
            if top <= 1e-15 { (guess * 1e-3).max(1e-6) } else { (0.01 / top).powf(1.0 / (pair.order as f64 + 2.0)) };
        Ok(if second.is_finite() { second.min(100.0 * guess) } else { guess })
    })
}

/// Refuses a start at which the right-hand side has no value.
pub(crate) fn refuse_start<S: System>(system: &S, t: f64, y: &S::State) -> Result<()> {
    finite_rate(system, t, &system.settle(t, y.clone())?).map(|_| ())
}

fn finite_rate<S: System>(system: &S, t: f64, y: &S::State) -> Result<S::State> {
    let rate = system.rhs(t, y)?;
    if rate.is_finite()? {
        return Ok(rate);
    }
    if !y.is_finite()? {
        return Err(Error::not_finite("the initial state is not finite"));
    }
    Err(Error::not_finite("the right-hand side is not finite at the start")
        .got(format!("t = {t:?}"))
        .advice("look for a division by 0, a root or logarithm of a negative number, or an overflow in the equation at the initial state"))
}
