//! A step along a direction that bends at bounds.

use super::bounds::Walls;
use super::lbfgs::{Found, along, dot};
use crate::error::Result;

/// The loss and its gradient at some numbers.
pub(super) type Evaluation<'a> = dyn FnMut(&[f64]) -> Result<(f64, Vec<f64>)> + 'a;

/// Sufficient decrease.
const C1: f64 = 1e-4;

/// Halves the step until the projected point `P(x + t d)` has a loss that is lower by `C1 g·(P(x + t d) − x)`; `None` when
/// `evaluations` do not suffice.
///
/// Source: Bertsekas, *Projected Newton methods for optimization problems with simple constraints* (1982).
pub(super) fn backtrack(
    x: &[f64],
    (loss, gradient): (f64, &[f64]),
    direction: &[f64],
    first: f64,
    walls: &Walls,
    evaluations: usize,
    at: &mut Evaluation,
) -> Result<Option<Found>> {
    let mut t = first;
    for _ in 0..evaluations {
        let mut moved = along(x, t, direction);
        walls.project(&mut moved);
        let step: Vec<f64> = moved.iter().zip(x).map(|(a, b)| a - b).collect();
        let expected = dot(gradient, &step);
        // A step of length 0 ends here too.
        if expected >= 0.0 || expected.is_nan() {
            return Ok(None);
        }
        let (value, there) = at(&moved)?;
        if value.is_finite() && value <= loss + C1 * expected {
            return Ok(Some(Found { x: moved, step, loss: value, gradient: there, length: t }));
        }
        // The lowest point of the parabola through what is known, not too near either end.
        let parabola = -0.5 * expected / (value - loss - expected);
        t *= if parabola.is_finite() { parabola.clamp(0.1, 0.5) } else { 0.5 };
    }
    Ok(None)
}
