//! How many steps are enough, for methods that do not estimate their own error.

use super::Adaptive;
use super::method::Method;
use super::rollout::{Checkpoints, Rollout, Solution, StepRule};
use super::system::Parametrized;
use super::vector::Vector;
use crate::error::{Error, Kind, Result};

/// The most steps between two output times that are tried.
const MOST: usize = 1 << 16;

/// The solution with so many equal steps between output times that halving them once more changes no output by more than the
/// tolerance, and that number.
///
/// The difference of two solutions with steps h and h/2 is about `2ᵖ − 1` times the error of the finer one (Richardson). Nothing
/// is recorded.
///
/// # Errors
/// When even very short steps do not give a finite solution, or their errors do not fall.
pub fn enough_steps<S: Parametrized>(
    system: &S,
    method: Method,
    y0: &S::State,
    times: &[f64],
    rule: Adaptive,
) -> Result<(usize, Solution<S::State>)> {
    y0.context()?.without_recording(|| {
        let y0 = y0.detach()?;
        let with = |n: usize| {
            let rollout = Rollout { method, steps: StepRule::Fixed(n), checkpoints: Checkpoints::None };
            rollout.run(system, &y0, times, None)
        };
        enough(method, with, |coarse, fine| {
            largest(coarse.states.iter().zip(&fine.states).map(|(a, b)| difference(a, b, rule)))
        })
    })
}

/// The weighted difference of two states.
pub(crate) fn difference<V: Vector>(a: &V, b: &V, rule: Adaptive) -> Result<f64> {
    b.add_scaled(&[(-1.0, a)])?.error_norm(a, b, rule.atol, rule.rtol)
}
/// The largest of some norms; one that is no number counts as infinite.
pub(crate) fn largest(norms: impl Iterator<Item = Result<f64>>) -> Result<f64> {
    // Squares of huge numbers overflow, and `max` would pass over what is no number.
    norms
        .map(|norm| norm.map(|norm| if norm.is_finite() { norm } else { f64::INFINITY }))
        .try_fold(0.0, |most: f64, norm| Ok(most.max(norm?)))
}

/// The number of steps between output times that is enough, and the solution `with` so many; `difference` is the largest one between two
/// solutions, in units of what is tolerated.
pub(crate) fn enough<R>(
    method: Method,
    with: impl Fn(usize) -> Result<R>,
    difference: impl Fn(&R, &R) -> Result<f64>,
) -> Result<(usize, R)> {
    let weight = 2f64.powi(method.order().unwrap_or(1) as i32) - 1.0;
    let finite = |n: usize| match with(n) {
        Ok(solution) => Ok(Some(solution)),
        Err(error) if matches!(error.kind(), Kind::NotFinite | Kind::Unsolved) => Ok(None),
        Err(error) => Err(error),
    };
    let (mut n, mut coarse) = (1, finite(1)?);
    while n < MOST {
        n *= 2;
        let fine = finite(n)?;
        match (&coarse, fine) {
            (Some(coarse), Some(fine)) if difference(coarse, &fine)? / weight <= 1.0 => return Ok((n, fine)),
            (_, fine) => coarse = fine,
        }
    }
    Err(Error::not_finite("no number of steps gives a solution within the tolerance")
        .got(format!("{MOST} steps between two output times"))
        .advice("give the number of steps (steps: 100), ask for less (rtol: 1e-3), or take another scheme"))
}
