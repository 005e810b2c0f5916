//! Finite differences along one axis, at any accuracy and with any edge condition.
//!
//! Inside, weights are those of Fornberg (1988). At an edge, values at the points beyond it (ghosts) come from the polynomial through
//! the first points that also fulfils the edge condition; with nothing known ([`EdgeKind::Free`]) from the polynomial through the first
//! points alone. So each operator is a product: an inner stencil after [`padding`].
//!
//! With accuracy `p`, edges leave a ghost the error `h^p` (the value is known at an edge between points), `h^(p+1)` (a known
//! derivative; a value known at a node), or so much that derivatives keep the order `p` (nothing known). What that means:
//! - the solution of an equation of second order keeps the order `p` with each kind of edge, although the truncation error of `∂²`
//!   in the points next to it has only the order `p − 2` (value), `p − 1` (derivative): boundary errors gain what the operator loses;
//! - a first derivative *evaluated* next to an edge with a known value has the order `p − 1`, elsewhere `p`;
//! - at accuracy 2 the ghosts are the classic ones: `2b − u₀` for a value between points, `u₀ + h b` for an outward derivative there,
//!   `u₁ + 2h b` for one at a node.
//!
//! Sources: B. Fornberg, *Math. Comp.* 51 (1988) 699; B. Gustafsson, *Math. Comp.* 29 (1975) 396, for the gain of orders.

use super::banded::{AxisOperator, Banded, Row};
use super::edge::EdgeKind;
use super::grid::Axis;
use crate::error::{Error, Result};

/// Weights of the `order`-th derivative at `x0` on any points: `u⁽ᵐ⁾(x₀) ≈ Σ w_k u(x_k)`. Order 0 interpolates.
///
/// B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", *Math. Comp.* 51 (1988) 699.
pub fn fornberg(x0: f64, points: &[f64], order: usize) -> Vec<f64> {
    let n = points.len();
    // c[k][m]: weight of point k in the m-th derivative, for the points seen so far.
    let mut c = vec![vec![0.0; order + 1]; n];
    let at = |i: usize| points.get(i).copied().unwrap_or(0.0);
    let mut product = 1.0;
    for i in 0..n {
        let mut next = 1.0;
        let most = order.min(i);
        let distance = at(i) - x0;
        let before = if i > 0 { c[i - 1].clone() } else { Vec::new() };
        for (j, row) in c.iter_mut().enumerate().take(i) {
            let gap = at(i) - at(j);
            next *= gap;
            for m in (0..=most).rev() {
                let lower = if m > 0 { m as f64 * row[m - 1] } else { 0.0 };
                row[m] = (distance * row[m] - lower) / gap;
            }
        }
        if i == 0 {
            c[0][0] = 1.0;
        } else {
            let last = at(i - 1) - x0;
            for m in (0..=most).rev() {
                let lower = if m > 0 { m as f64 * before[m - 1] } else { 0.0 };
                c[i][m] = product / next * (lower - last * before[m]);
            }
        }
        product = next;
    }
    c.iter().map(|row| row[order]).collect()
}

/// Refuses accuracies that are not even or out of range.
fn check_accuracy(accuracy: usize) -> Result<()> {
    if matches!(accuracy, 2 | 4 | 6 | 8) {
        return Ok(());
    }
    Err(Error::value("no stencil of this accuracy").got(accuracy).expected("2, 4, 6 or 8"))
}

fn too_few(axis: &Axis, needed: usize) -> Error {
    Error::value(format!("axis {} has too few points for this stencil", axis.name))
        .got(format!("{} points", axis.points))
        .expected(format!("{needed} or more"))
        .advice("a lower accuracy needs fewer points")
}

/// How a value near an edge depends on the points and on the value of the edge condition.
struct Beyond {
    /// Weights of the points nearest to the edge, from the edge inwards, beginning with `skip`.
    points: Vec<f64>,
    /// Points at the edge that are left out: the node where the value is known.
    skip: usize,
    /// Weight of the edge's value.
    value: f64,
}

/// One end of an axis as stencils see it: distances are counted inwards from the edge, in spacings.
#[derive(Clone, Copy)]
struct End {
    kind: EdgeKind,
    /// Distance of the first point.
    inset: f64,
    spacing: f64,
    /// Points that the polynomial goes through.
    through: usize,
}

impl End {
    /// `reach` is the order of the derivative that the ghosts are for; it matters where nothing is known.
    fn new(axis: &Axis, kind: EdgeKind, accuracy: usize, reach: usize) -> Self {
        let through = match kind {
            EdgeKind::Periodic => 0,
            EdgeKind::Dirichlet | EdgeKind::Robin(_, 0.0) if !axis.has_nodes() => accuracy - 1,
            EdgeKind::Dirichlet | EdgeKind::Neumann | EdgeKind::Robin(..) => accuracy,
            EdgeKind::Free => accuracy + reach,
        };
        Self { kind, inset: axis.inset(), spacing: axis.spacing(), through }
    }
    fn skip(&self) -> usize {
        (matches!(self.kind, EdgeKind::Dirichlet | EdgeKind::Robin(_, 0.0)) && self.inset == 0.0) as usize
    }
    /// Points of the axis that are needed.
    fn needs(&self) -> usize {
        self.through + self.skip()
    }
    /// The value at distance `s` (negative beyond the edge) from the polynomial through the points and the edge condition.
    fn value_at(&self, s: f64) -> Result<Beyond> {
        let at: Vec<f64> = (0..self.through).map(|k| (k + self.skip()) as f64 + self.inset).collect();
        // The outward derivative is minus that along the inward distance, which is counted in spacings.
        if self.kind == EdgeKind::Free {
            return Ok(Beyond { points: fornberg(s, &at, 0), skip: 0, value: 0.0 });
        }
        let (a, b) = (self.factors().0, -self.factors().1 / self.spacing);
        // The polynomial through the points and an unknown ghost `g` next to them: the condition gives `g`, and it any other value.
        let nodes: Vec<f64> = std::iter::once(self.inset - 1.0).chain(at).collect();
        let (value, slope) = (fornberg(0.0, &nodes, 0), fornberg(0.0, &nodes, 1));
        let condition = clean(value.iter().zip(&slope).map(|(v, d)| a * v + b * d).collect());
        let size = condition.iter().fold(0.0f64, |m, w| m.max(w.abs()));
        let (own, others) = condition.split_first().map_or((0.0, &[][..]), |(own, others)| (*own, others));
        if own.abs() <= 1e-9 * size {
            return Err(Error::value("an edge condition that fixes nothing at this spacing")
                .got(format!("{a} u + {} ∂u/∂n with a spacing of {}", -b * self.spacing, self.spacing))
                .advice("take a and b of one sign, or a finer grid"));
        }
        let wanted = fornberg(s, &nodes, 0);
        let (ghost, direct) = wanted.split_first().map_or((0.0, &[][..]), |(g, d)| (*g, d));
        let points = direct.iter().zip(others).map(|(d, w)| d - ghost * w / own).collect();
        Ok(Beyond { points: clean(points), skip: self.skip(), value: ghost / own })
    }
    /// `a` and `b` of the condition `a u + b ∂u/∂n`.
    fn factors(&self) -> (f64, f64) {
        match self.kind {
            EdgeKind::Robin(a, b) => (a, b),
            EdgeKind::Neumann => (0.0, 1.0),
            _ => (1.0, 0.0),
        }
    }
}

/// Puts 0 where rounding left something near it.
fn clean(mut weights: Vec<f64>) -> Vec<f64> {
    let size = weights.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    weights.iter_mut().filter(|w| w.abs() < 1e-14 * size).for_each(|w| *w = 0.0);
    weights
}

/// Values with `width` points more at each end: ghosts, by the edge conditions. `n → n + 2·width`.
///
/// At a node whose value is known the point itself becomes that value.
///
/// # Errors
/// Too few points, an accuracy that is not offered, an edge condition that fixes nothing.
pub fn padding(axis: &Axis, kinds: [EdgeKind; 2], width: usize, accuracy: usize) -> Result<AxisOperator> {
    padded(axis, kinds, width, accuracy, 0)
}

fn padded(axis: &Axis, kinds: [EdgeKind; 2], width: usize, accuracy: usize, reach: usize) -> Result<AxisOperator> {
    check_accuracy(accuracy)?;
    let (n, rows) = (axis.points, axis.points + 2 * width);
    if axis.periodic || kinds.contains(&EdgeKind::Periodic) {
        if !(axis.periodic && kinds.iter().all(|k| matches!(k, EdgeKind::Periodic | EdgeKind::Free))) {
            return Err(Error::value(format!("axis {} and its edges do not agree on being periodic", axis.name)));
        }
        let row = |i: usize| vec![((i as i64 - width as i64).rem_euclid(n.max(1) as i64) as usize, 1.0)];
        let (first, last) = ((0..width).map(row).collect(), (n + width..rows).map(row).collect());
        return Ok(AxisOperator::linear(Banded::with_ends(rows, n, first, vec![(-(width as i64), 1.0)], last)?));
    }
    let ends = kinds.map(|kind| End::new(axis, kind, accuracy, reach));
    let needed = ends.iter().map(End::needs).max().unwrap_or(0);
    if n < needed {
        return Err(too_few(axis, needed));
    }
    let (mut low, mut high) = (vec![0.0; rows], vec![0.0; rows]);
    let mut outer: [Vec<Row>; 2] = [Vec::new(), Vec::new()];
    for (upper, (end, outer)) in ends.iter().zip(&mut outer).enumerate() {
        let column = |k: usize| if upper == 0 { k } else { n - 1 - k };
        let values = if upper == 0 { &mut low } else { &mut high };
        for i in 0..width + end.skip() {
            let beyond = match i.checked_sub(width) {
                Some(_) => Beyond { points: Vec::new(), skip: 0, value: 1.0 / end.factors().0 },
                None => end.value_at(i as f64 - width as f64 + end.inset)?,
            };
            outer.push(beyond.points.iter().enumerate().map(|(k, &w)| (column(k + beyond.skip), w)).collect());
            if let Some(value) = values.get_mut(i) {
                *value = beyond.value;
            }
        }
    }
    let [first, mut last] = outer;
    // The upper end was written from the outside inwards.
    last.reverse();
    high.reverse();
    Ok(AxisOperator { matrix: Banded::with_ends(rows, n, first, vec![(-(width as i64), 1.0)], last)?, low, high })
}

/// Weights on `count` points one spacing apart, at their middle, divided by `spacing^order`.
fn centred(count: usize, order: usize, spacing: f64) -> Vec<f64> {
    let middle = (count as f64 - 1.0) / 2.0;
    let points: Vec<f64> = (0..count).map(|i| i as f64 - middle).collect();
    clean(fornberg(0.0, &points, order)).iter().map(|w| w / spacing.powi(order as i32)).collect()
}

/// `∂ᵐ/∂xᵐ` on the points: `n → n`, `m ≥ 0`.
///
/// The centred stencil of `2⌊(m + 1)/2⌋ + accuracy − 1` points after [`padding`]. At a node whose value is known that value is used, not
/// the number that stands there.
///
/// # Errors
/// As of [`padding`].
pub fn derivative(axis: &Axis, kinds: [EdgeKind; 2], order: usize, accuracy: usize) -> Result<AxisOperator> {
    check_accuracy(accuracy)?;
    if order == 0 {
        return Ok(AxisOperator::linear(Banded::identity(axis.points)));
    }
    let width = order.div_ceil(2) + accuracy / 2 - 1;
    if order > 16 {
        return Err(Error::value("no stencil of this order").got(order).expected("a derivative of order 1 to 16"));
    }
    let weights = centred(2 * width + 1, order, axis.spacing());
    inner(axis, kinds, width, accuracy, order, &weights)
}

/// A sliding stencil after padding.
fn inner(
    axis: &Axis,
    kinds: [EdgeKind; 2],
    width: usize,
    accuracy: usize,
    reach: usize,
    weights: &[f64],
) -> Result<AxisOperator> {
    let padded = padded(axis, kinds, width, accuracy, reach)?;
    AxisOperator::linear(Banded::sliding(axis.points + 2 * width, weights)?).compose(&padded)
}

/// On faces half a spacing before each point, and after the last: `n → n + 1`; periodic, where the last is the first, `n → n`.
fn at_faces(axis: &Axis, kinds: [EdgeKind; 2], order: usize, accuracy: usize) -> Result<AxisOperator> {
    check_accuracy(accuracy)?;
    let weights = centred(accuracy, order, axis.spacing());
    let width = accuracy / 2;
    if axis.periodic {
        let taps: Vec<(i64, f64)> = (-(width as i64)..).zip(weights.iter().copied()).collect();
        return Ok(AxisOperator::linear(Banded::ring(axis.points, &taps)?));
    }
    inner(axis, kinds, width, accuracy, order, &weights)
}

/// Values at faces: `n` points to `n + 1` faces, periodic to `n`.
///
/// Face `i` lies half a spacing before point `i`. For centres the outermost faces are the edges, where a known value comes out exactly.
///
/// # Errors
/// As of [`padding`].
pub fn to_faces(axis: &Axis, kinds: [EdgeKind; 2], accuracy: usize) -> Result<AxisOperator> {
    at_faces(axis, kinds, 0, accuracy)
}

/// `∂u/∂x` at faces: `n` points to `n + 1` faces, periodic to `n`.
///
/// At the edges of centres a known derivative comes out exactly (with the sign of the axis, not of the outward normal); from a known value `b`
/// at accuracy 2 comes `(u₀ − b)/(h/2)`.
///
/// # Errors
/// As of [`padding`].
pub fn face_derivative(axis: &Axis, kinds: [EdgeKind; 2], accuracy: usize) -> Result<AxisOperator> {
    at_faces(axis, kinds, 1, accuracy)
}

/// `∂F/∂x` at points from values at faces: `n + 1` faces to `n` points, periodic `n` to `n`.
///
/// At accuracy 2, `(F_{i+1} − F_i)/h`: what leaves one cell enters the next. At higher accuracy the rows next to an edge lean inwards, and
/// the sum over cells is the flux through the edges only up to the truncation error.
///
/// # Errors
/// Too few points, an accuracy that is not offered.
pub fn divergence_of_faces(axis: &Axis, accuracy: usize) -> Result<Banded> {
    check_accuracy(accuracy)?;
    let (n, h, width) = (axis.points, axis.spacing(), accuracy / 2);
    let weights = centred(accuracy, 1, h);
    if axis.periodic {
        let taps: Vec<(i64, f64)> = (1 - width as i64..).zip(weights.iter().copied()).collect();
        return Banded::ring(n, &taps);
    }
    // One more face where the stencil leans keeps the order.
    let leaning = if accuracy == 2 { 2 } else { accuracy + 1 };
    if n + 1 < leaning {
        return Err(too_few(axis, leaning - 1));
    }
    // Rows where the centred stencil would leave the faces.
    let ends = (width - 1).min(n);
    let row = |i: usize| -> Row {
        let begin = (i + 1).saturating_sub(width).min(n + 1 - leaning);
        let points: Vec<f64> = (begin..begin + leaning).map(|face| face as f64 - i as f64 - 0.5).collect();
        fornberg(0.0, &points, 1).iter().enumerate().map(|(k, w)| (begin + k, w / h)).collect()
    };
    let (low, high) = (ends, n.saturating_sub(ends).max(ends));
    let taps = (1 - width as i64..).zip(weights.iter().copied()).collect();
    Banded::with_ends(n, n + 1, (0..low).map(row).collect(), taps, (high..n).map(row).collect())
}
