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
        let weight = 2f64.powi(method.order().unwrap_or(1) as i32) - 1.0;
        let with = |n: usize| {
            let rollout = Rollout { method, steps: StepRule::Fixed(n), checkpoints: Checkpoints::None };
            match rollout.run(system, &y0, times, None) {
                Ok(solution) => Ok(Some(solution)),
                Err(error) if matches!(error.kind(), Kind::NotFinite | Kind::Unsolved) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let error = |coarse: &Solution<S::State>, fine: &Solution<S::State>| -> Result<f64> {
            let mut most = 0.0f64;
            for (a, b) in coarse.states.iter().zip(&fine.states) {
                let difference = b.add_scaled(&[(-1.0, a)])?;
                let norm = difference.error_norm(a, b, rule.atol, rule.rtol)?;
                // Squares of huge numbers overflow, and `max` would pass over what is no number.
                most = if norm.is_finite() { most.max(norm / weight) } else { f64::INFINITY };
            }
            Ok(most)
        };
        let (mut n, mut coarse) = (1, with(1)?);
        while n < MOST {
            n *= 2;
            let fine = with(n)?;
            match (&coarse, fine) {
                (Some(coarse), Some(fine)) if error(coarse, &fine)? <= 1.0 => return Ok((n, fine)),
                (_, fine) => coarse = fine,
            }
        }
        Err(Error::not_finite("no number of steps gives a solution within the tolerance")
            .got(format!("{MOST} steps between two output times"))
            .advice("give the number of steps (steps: 100), ask for less (rtol: 1e-3), or take another scheme"))
    })
}
