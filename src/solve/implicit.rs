//! Implicit methods for stiff systems: the whole right-hand side at the end of the step.
//!
//! Each step solves `y − γh f(t + h, y) = r` by Newton's method with GMRES, and needs nothing of the system but `f`. Where the system has
//! a linear part of its own, that is the preconditioner.

use super::method::Memory;
use super::newton::Stage;
use super::system::Parametrized;
use super::vector::Vector;
use crate::error::Result;

/// An implicit method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implicit {
    /// `y₁ = y + h f(y₁)`: first order, L-stable.
    BackwardEuler,
    /// `y₁ = y + ½h (f(y) + f(y₁))`: second order, A-stable; does not damp what is very stiff.
    CrankNicolson,
    /// Backward differences over two steps: second order, L-stable. The first step is backward Euler.
    Bdf2,
}

/// One step.
pub(super) fn step<S: Parametrized>(
    scheme: Implicit,
    system: &S,
    t: f64,
    h: f64,
    memory: &Memory<S::State>,
) -> Result<Memory<S::State>> {
    let y = &memory.y;
    let omega = h / memory.last_step;
    let (gamma, known, guess) = match (scheme, memory.past.first()) {
        (Implicit::CrankNicolson, _) => (0.5, y.add_scaled(&[(0.5 * h, &system.rhs(t, y)?)])?, y.clone()),
        // With steps of ratio ω: Hairer, Nørsett, Wanner, section III.5.
        (Implicit::Bdf2, Some(before)) => {
            let share = 1.0 + 2.0 * omega;
            let known = S::State::combination(&[((1.0 + omega).powi(2) / share, y), (-omega * omega / share, before)])?;
            ((1.0 + omega) / share, known, y.add_scaled(&[(omega, y), (-omega, before)])?)
        }
        _ => (1.0, y.clone(), y.clone()),
    };
    let stage = Stage { system: system.clone(), t: t + h, gamma_h: gamma * h };
    let y_new = system.settle(t + h, stage.solve(&known, &guess)?)?;
    let past = if scheme == Implicit::Bdf2 { vec![y.clone()] } else { Vec::new() };
    Ok(Memory { y: y_new, past, last_step: h })
}
