//! Symplectic methods for separable systems: kicks of the velocities and drifts of the positions in turn.
//!
//! The energy they conserve is not quite the system's but near it for all times, where that of other methods drifts. Hairer, Lubich,
//! Wanner, *Geometric Numerical Integration*, chapters I and II.

use super::system::{Parametrized, Separable, System};
use super::vector::{Pair, Vector};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A part of a step, as a fraction of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// Positions move with their velocities.
    Drift(f64),
    /// Velocities change by the accelerations.
    Kick(f64),
}
use Part::{Drift, Kick};

/// The parts of a step in their order.
#[derive(Debug, PartialEq)]
pub struct Splitting {
    /// The name in messages.
    pub name: &'static str,
    /// The order of convergence.
    pub order: usize,
    /// Kicks and drifts; each kind adds up to 1.
    pub parts: &'static [Part],
}

/// Kick, then drift: first order.
pub static SYMPLECTIC_EULER: Splitting =
    Splitting { name: "symplectic_euler", order: 1, parts: &[Kick(1.0), Drift(1.0)] };
/// Drift, kick, drift: the leapfrog with accelerations at mid-step; one evaluation for each step.
pub static LEAPFROG: Splitting = Splitting { name: "leapfrog", order: 2, parts: &[Drift(0.5), Kick(1.0), Drift(0.5)] };
/// Kick, drift, kick: velocity Verlet, with positions and velocities at the same times.
pub static VERLET: Splitting = Splitting { name: "verlet", order: 2, parts: &[Kick(0.5), Drift(1.0), Kick(0.5)] };

/// `1/(2 − ∛2)`
const OUTER: f64 = 1.351_207_191_959_657_8;
/// `1 − 2 · OUTER`
const INNER: f64 = 1.0 - 2.0 * OUTER;
/// Yoshida's fourth order method (1990): three leapfrogs, the middle one backwards.
pub static YOSHIDA_4: Splitting = Splitting {
    name: "yoshida4",
    order: 4,
    parts: &[
        Drift(OUTER / 2.0),
        Kick(OUTER),
        Drift((OUTER + INNER) / 2.0),
        Kick(INNER),
        Drift((OUTER + INNER) / 2.0),
        Kick(OUTER),
        Drift(OUTER / 2.0),
    ],
};

/// One step. Time runs with the drifts.
pub(super) fn step<S: System>(splitting: &Splitting, system: &S, t: f64, h: f64, y: &S::State) -> Result<S::State> {
    let halves = system.separable().ok_or_else(|| {
        Error::value(format!("{} needs an equation of the form x'' = a(t, x)", splitting.name))
            .advice("take \"rk4\" or \"dormand_prince\" for equations whose accelerations depend on velocities")
    })?;
    let mut y = y.clone();
    let mut at = 0.0;
    for part in splitting.parts {
        y = match part {
            Drift(fraction) => {
                at += fraction;
                halves.drift(fraction * h, &y)?
            }
            Kick(fraction) => halves.kick(t + at * h, fraction * h, &y)?,
        };
    }
    system.settle(t + h, y)
}

/// `x'' = a(t, x)` with the state [`Pair`]: what the symplectic methods are for; every other method takes it as well.
#[derive(Clone)]
pub struct Motion<A> {
    /// The accelerations and their parameters.
    pub acceleration: A,
}

/// Accelerations `a(t, x)`.
pub trait Acceleration: Clone + 'static {
    /// What a position is.
    type Position: Vector;
    /// `a(t, x)`.
    fn at(&self, t: f64, x: &Self::Position) -> Result<Self::Position>;
    /// See [`Parametrized::parameters`].
    fn parameters(&self) -> Vec<Tensor> {
        Vec::new()
    }
    /// See [`Parametrized::with_parameters`].
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self>;
}

impl<A: Acceleration> System for Motion<A> {
    type State = Pair<A::Position>;
    fn nonlinear(&self, t: f64, y: &Self::State) -> Result<Self::State> {
        Ok(Pair { x: y.v.clone(), v: self.acceleration.at(t, &y.x)? })
    }
    fn separable(&self) -> Option<&dyn Separable<Self::State>> {
        Some(self)
    }
}
impl<A: Acceleration> Separable<Pair<A::Position>> for Motion<A> {
    fn drift(&self, h: f64, y: &Pair<A::Position>) -> Result<Pair<A::Position>> {
        Ok(Pair { x: y.x.add_scaled(&[(h, &y.v)])?, v: y.v.clone() })
    }
    fn kick(&self, t: f64, h: f64, y: &Pair<A::Position>) -> Result<Pair<A::Position>> {
        Ok(Pair { x: y.x.clone(), v: y.v.add_scaled(&[(h, &self.acceleration.at(t, &y.x)?)])? })
    }
}
impl<A: Acceleration> Parametrized for Motion<A> {
    fn parameters(&self) -> Vec<Tensor> {
        self.acceleration.parameters()
    }
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self> {
        Ok(Self { acceleration: self.acceleration.with_parameters(parameters)? })
    }
}
