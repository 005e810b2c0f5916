//! Symplectic methods for separable systems: kicks of the velocities and drifts of the positions in turn.
//!
//! The energy they conserve is not quite the system's but near it for all times, where that of other methods drifts. Hairer, Lubich,
//! Wanner, *Geometric Numerical Integration*, chapters I and II.

use super::method::Memory;
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
/// Kick, drift, kick: velocity Verlet, with positions and velocities at the same times; one evaluation for each step, that of its end.
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

impl Splitting {
    /// Whether a step begins with the accelerations that the step before ended with.
    pub fn is_fsal(&self) -> bool {
        matches!(self.parts, [Kick(_), .., Kick(_)])
    }
}

/// One step. Time runs with the drifts, after each of which edges and constraints are imposed.
pub(super) fn step<S: System>(
    splitting: &Splitting,
    system: &S,
    t: f64,
    h: f64,
    memory: &Memory<S::State>,
) -> Result<Memory<S::State>> {
    let halves = system.separable().ok_or_else(|| {
        Error::value(format!("{} needs an equation of the form x'' = a(t, x)", splitting.name))
            .advice("take \"rk4\" or \"dormand_prince\" for equations whose accelerations depend on velocities")
    })?;
    let mut y = memory.y.clone();
    let mut force = memory.past.first().cloned();
    let mut at = 0.0f64;
    for part in splitting.parts {
        match part {
            Drift(fraction) => {
                at += fraction;
                // The fractions add up to 1 but for rounding.
                at = if (at - 1.0).abs() < 1e-12 { 1.0 } else { at };
                y = system.settle(t + at * h, halves.drift(fraction * h, &y)?)?;
                force = None;
            }
            Kick(fraction) => {
                let own = force.map_or_else(|| halves.force(t + at * h, &y), Ok)?;
                y = halves.kick(fraction * h, &y, &own)?;
                force = Some(own);
            }
        }
    }
    let past = force.filter(|_| splitting.is_fsal()).into_iter().collect();
    Ok(Memory { y: system.settle(t + h, y)?, past, last_step: h })
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
    fn force(&self, t: f64, y: &Pair<A::Position>) -> Result<Pair<A::Position>> {
        self.nonlinear(t, y)
    }
    fn kick(&self, h: f64, y: &Pair<A::Position>, force: &Pair<A::Position>) -> Result<Pair<A::Position>> {
        Ok(Pair { x: y.x.clone(), v: y.v.add_scaled(&[(h, &force.v)])? })
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
