//! How many steps are enough, for methods that do not estimate their own error.

use std::cell::Cell;

use super::Adaptive;
use super::adaptive::refuse_start;
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
        refuse_start(system, times.first().copied().unwrap_or(0.0), &y0)?;
        let span = times.first().zip(times.last()).map_or(0.0, |(from, to)| (to - from).abs());
        // How far each of the last solutions that did not stay finite came, and the error of the last one.
        let (mut ends, mut fault) = (Vec::<f64>::new(), None);
        let mut with = |n: usize| {
            let rollout = Rollout { method, steps: StepRule::Fixed(n), checkpoints: Checkpoints::None };
            let reached = Cell::new(times.first().copied().unwrap_or(0.0));
            match rollout.reaching(system, &y0, times, None, &reached) {
                Ok(solution) => {
                    ends.clear();
                    Ok(Some(solution))
                }
                Err(error) if error.kind() == Kind::NotFinite => {
                    ends.push((reached.get() - times.first().copied().unwrap_or(0.0)).abs());
                    let ends = ends.get(ends.len().saturating_sub(3)..).unwrap_or_default();
                    // Steps that are not stable end sooner when they are halved; a solution that grows without bound does not.
                    let same = |pair: &[f64]| pair[1] > 0.8 * pair[0] && pair[1] > 0.01 * span;
                    if ends.len() == 3 && n >= 64 && ends.windows(2).all(same) {
                        return Err(error);
                    }
                    fault = Some(error);
                    Ok(None)
                }
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
        if let Some(fault) = fault.filter(|_| coarse.is_none()) {
            return Err(fault);
        }
        Err(Error::not_finite("no number of steps gives a solution within the tolerance")
            .got(format!("{MOST} steps between two output times"))
            .advice("give the number of steps (steps: 100), ask for less (rtol: 1e-3), or take another scheme"))
    })
}
