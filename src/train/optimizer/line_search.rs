//! A step length that satisfies the strong Wolfe conditions.
//!
//! Source: Nocedal and Wright, *Numerical Optimization*, algorithms 3.5 and 3.6, with cubic interpolation (3.59).

use crate::error::Result;

/// A point of the line: `φ(t) = f(x + t d)`.
#[derive(Clone)]
pub(super) struct Point {
    pub t: f64,
    pub value: f64,
    /// `φ'(t)`
    pub slope: f64,
    pub gradient: Vec<f64>,
}

/// Sufficient decrease.
const C1: f64 = 1e-4;
/// Curvature; loose, because a quasi-Newton direction is already well scaled.
const C2: f64 = 0.9;

/// A point after `start` (at `t = 0`, with a negative slope) where `φ(t) ≤ φ(0) + C1 t φ'(0)` and `|φ'(t)| ≤ C2 |φ'(0)|`.
/// When `evaluations` do not suffice: the lowest point found, or `None` if none was lower than the start.
pub(super) fn strong_wolfe(
    start: &Point,
    first: f64,
    evaluations: usize,
    phi: &mut dyn FnMut(f64) -> Result<Point>,
) -> Result<Option<Point>> {
    let decreases = |p: &Point| p.value <= start.value + C1 * p.t * start.slope;
    let flat = |p: &Point| p.slope.abs() <= -C2 * start.slope;
    let mut left = evaluations;
    let mut previous = start.clone();
    let mut t = first;
    // Widen the interval until it holds a good point.
    let (mut low, mut high) = loop {
        if left == 0 {
            return Ok(lower(previous, start));
        }
        left -= 1;
        let point = phi(t)?;
        if !point.value.is_finite() || !decreases(&point) || (previous.t > 0.0 && point.value >= previous.value) {
            break (previous, point);
        }
        if flat(&point) {
            return Ok(Some(point));
        }
        if point.slope >= 0.0 {
            break (point, previous);
        }
        t = 2.0 * point.t;
        previous = point;
    };
    // `low` has the smallest value with sufficient decrease so far; a good point lies between it and `high`.
    while left > 0 {
        left -= 1;
        let width = (high.t - low.t).abs();
        if width <= 1e-12 * low.t.abs().max(high.t.abs()) {
            break;
        }
        let point = phi(between(&low, &high))?;
        if !point.value.is_finite() || !decreases(&point) || point.value >= low.value {
            high = point;
            continue;
        }
        if flat(&point) {
            return Ok(Some(point));
        }
        if point.slope * (high.t - low.t) >= 0.0 {
            high = low;
        }
        low = point;
    }
    Ok(lower(low, start))
}

fn lower(point: Point, start: &Point) -> Option<Point> {
    (point.t > 0.0 && point.value < start.value).then_some(point)
}

/// The minimiser of the cubic through both points, kept a tenth of the interval away from its ends; the middle when
/// there is none.
fn between(a: &Point, b: &Point) -> f64 {
    let middle = 0.5 * (a.t + b.t);
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if !(square.is_finite() && square >= 0.0) {
        return middle;
    }
    let d2 = square.sqrt() * (b.t - a.t).signum();
    let t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    let (from, to) = (a.t.min(b.t), a.t.max(b.t));
    let margin = 0.1 * (to - from);
    if t.is_finite() { t.clamp(from + margin, to - margin) } else { middle }
}
