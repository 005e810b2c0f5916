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
struct Ghost {
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
    fn value_at(&self, s: f64) -> Result<Ghost> {
        let at: Vec<f64> = (0..self.through).map(|k| (k + self.skip()) as f64 + self.inset).collect();
        // The outward derivative is minus that along the inward distance, which is counted in spacings.
        if self.kind == EdgeKind::Free {
            return Ok(Ghost { points: fornberg(s, &at, 0), skip: 0, value: 0.0 });
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
        Ok(Ghost { points: clean(points), skip: self.skip(), value: ghost / own })
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

/// Values with `width` points more at each end, mirrored: with the outward distance `s` from the edge, `u(s) = 2v − u(−s)` where the
/// value `v` is known, `u(−s) + 2 s v` where the outward derivative is, and what `a u + b ∂u/∂n = v` gives with the mean and the
/// difference of the two. Second order, and what enters through an edge with `v = 0` is 0 to the last digit. `n → n + 2·width`.
///
/// # Errors
/// As of [`padding`]; an edge of which nothing is known.
pub fn mirrored(axis: &Axis, kinds: [EdgeKind; 2], width: usize) -> Result<AxisOperator> {
    if axis.periodic {
        return padding(axis, kinds, width, 2);
    }
    let (n, rows, inset) = (axis.points, axis.points + 2 * width, axis.inset());
    let ends = kinds.map(|kind| End::new(axis, kind, 2, 0));
    let needed = width + usize::from(axis.has_nodes());
    if n < needed {
        return Err(too_few(axis, needed));
    }
    let (mut low, mut high) = (vec![0.0; rows], vec![0.0; rows]);
    let mut outer: [Vec<Row>; 2] = [Vec::new(), Vec::new()];
    for (upper, (end, outer)) in ends.iter().zip(&mut outer).enumerate() {
        if matches!(end.kind, EdgeKind::Free | EdgeKind::Periodic) {
            return Err(Error::internal("nothing is known at an edge that is to be mirrored"));
        }
        let (a, b) = end.factors();
        let values = if upper == 0 { &mut low } else { &mut high };
        for i in 0..width + end.skip() {
            // Its own place where the value is known at a node; else `k` points beyond the first.
            let Some(k) = width.checked_sub(i).filter(|k| *k > 0) else {
                outer.push(Row::new());
                values.iter_mut().skip(i).take(1).for_each(|v| *v = 1.0 / a);
                continue;
            };
            let distance = k as f64 - inset;
            let slope = b / (2.0 * distance * end.spacing);
            let own = 0.5 * a + slope;
            if own.abs() <= 1e-9 * (0.5 * a.abs() + slope.abs()) {
                return Err(Error::value("an edge condition that fixes nothing at this spacing")
                    .got(format!("{a} u + {b} ∂u/∂n with a spacing of {}", end.spacing))
                    .advice("take a and b of one sign, or a finer grid"));
            }
            let mirror = if inset == 0.0 { k } else { k - 1 };
            let column = if upper == 0 { mirror } else { n - 1 - mirror };
            outer.push(vec![(column, (slope - 0.5 * a) / own)]);
            values.iter_mut().skip(i).take(1).for_each(|v| *v = 1.0 / own);
        }
    }
    let [first, mut last] = outer;
    last.reverse();
    high.reverse();
    Ok(AxisOperator { matrix: Banded::with_ends(rows, n, first, vec![(-(width as i64), 1.0)], last)?, low, high })
}

/// As [`derivative`] with [`mirrored`] values beyond the edges: what a derivative of even order of something with a slope of 0 at
/// its edges sums up to is 0.
///
/// # Errors
/// As of [`derivative`].
pub fn mirrored_derivative(axis: &Axis, kinds: [EdgeKind; 2], order: usize, accuracy: usize) -> Result<AxisOperator> {
    let (width, weights) = centred_derivative(axis, order, accuracy)?;
    let padded = mirrored(axis, kinds, width)?;
    AxisOperator::linear(Banded::sliding(axis.points + 2 * width, &weights)?).compose(&padded)
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
                Some(_) => Ghost { points: Vec::new(), skip: 0, value: 1.0 / end.factors().0 },
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
    if order == 0 {
        check_accuracy(accuracy)?;
        return Ok(AxisOperator::linear(Banded::identity(axis.points)));
    }
    let (width, weights) = centred_derivative(axis, order, accuracy)?;
    inner(axis, kinds, width, accuracy, order, &weights)
}

/// The centred stencil of a derivative: how far it looks, and its weights.
fn centred_derivative(axis: &Axis, order: usize, accuracy: usize) -> Result<(usize, Vec<f64>)> {
    check_accuracy(accuracy)?;
    if !(1..=16).contains(&order) {
        return Err(Error::value("no stencil of this order").got(order).expected("a derivative of order 1 to 16"));
    }
    let width = order.div_ceil(2) + accuracy / 2 - 1;
    // Fewer points do not determine it, whatever is assumed beyond the edges.
    if axis.points < 2 * width + 1 {
        return Err(too_few(axis, 2 * width + 1));
    }
    Ok((width, centred(2 * width + 1, order, axis.spacing())))
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

/// What is known of fluxes beyond an end of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beyond {
    /// Nothing: the polynomial through the first faces serves, and the order stays.
    Unknown,
    /// Nothing, and fluxes may jump: corrections of the outermost faces are left out, whose fluxes are then of second order.
    Rough,
    /// They are minus those inside, and nothing passes the edge, to the last digit.
    Odd,
    /// They are those inside.
    Even,
}

/// `∂F/∂x` at points as a difference of two numbers, one per face: what leaves one cell enters the next, at any accuracy.
/// `n + 1` faces to `n` points, periodic `n` to `n`.
///
/// `∂F/∂x = (F̂ᵢ₊₁ − F̂ᵢ)/h` holds exactly for `F̂ = F − h²/24 F″ + 7 h⁴/5760 F⁗ − …`, which is computed from the fluxes at neighbouring
/// faces (Shu and Osher, *J. Comput. Phys.* 77 (1988) 439); inside that is the centred stencil of [`divergence_of_faces`].
///
/// At an end with [`Beyond::Odd`] the derivatives `F″` and `F⁗` count as 0 at the edge. `F″ = ∂ₜ∂ₓu` is 0 there where the edge condition
/// is `∂u/∂n = 0` and there is no source; `F⁗` is not where a coefficient has a slope, and the order is 4 then.
///
/// # Errors
/// Too few points, an accuracy that is not offered.
pub fn flux_divergence(axis: &Axis, ends: [Beyond; 2], accuracy: usize) -> Result<Banded> {
    check_accuracy(accuracy)?;
    if accuracy == 2 || axis.periodic {
        return divergence_of_faces(axis, accuracy);
    }
    if axis.points < accuracy {
        return Err(too_few(axis, accuracy));
    }
    let h = axis.spacing();
    let faces = Faces { n: axis.points as i64, nodes: axis.has_nodes(), ends };
    let fluxes: Vec<Row> = (0..=axis.points as i64).map(|face| faces.flux(face, accuracy)).collect();
    let rows = fluxes.windows(2).map(|pair| {
        let scaled = |row: &Row, by: f64| row.iter().map(move |(c, w)| (*c, w * by / h)).collect::<Row>();
        [scaled(&pair[0], -1.0), scaled(&pair[1], 1.0)].concat()
    });
    Banded::from_rows(axis.points + 1, rows.collect())
}

/// `F̂` at 0 from fluxes at places in units of the spacing, up to an order.
fn corrected(places: &[f64], accuracy: usize) -> Vec<f64> {
    let factors = [(2, -1.0 / 24.0), (4, 7.0 / 5760.0), (6, -31.0 / 967_680.0)];
    let mut sum = fornberg(0.0, places, 0);
    for (order, factor) in factors.iter().filter(|(order, _)| *order < accuracy) {
        sum.iter_mut().zip(fornberg(0.0, places, *order)).for_each(|(sum, w)| *sum += factor * w);
    }
    sum
}

/// Faces `0 … n` of an axis with edges. Of centres the first lies on the edge; of nodes the edge lies between the first two.
struct Faces {
    n: i64,
    nodes: bool,
    ends: [Beyond; 2],
}

impl Faces {
    /// Whether nothing passes a face.
    fn is_shut(&self, face: i64) -> bool {
        !self.nodes && (face == 0 && self.ends[0] == Beyond::Odd || face == self.n && self.ends[1] == Beyond::Odd)
    }
    /// The face whose flux a face has, with its sign; `None` where that is not known.
    fn known(&self, face: i64) -> Option<(i64, f64)> {
        let mirrors = self.ends.map(|end| matches!(end, Beyond::Odd | Beyond::Even));
        let first = i64::from(self.nodes && mirrors[0]);
        let last = self.n - i64::from(self.nodes && mirrors[1]);
        let sign = |end: Beyond| if end == Beyond::Odd { -1.0 } else { 1.0 };
        match face {
            _ if (first..=last).contains(&face) => Some((face, 1.0)),
            _ if face < first && mirrors[0] => Some((i64::from(self.nodes) - face, sign(self.ends[0]))),
            _ if face > last && mirrors[1] => Some((2 * self.n - i64::from(self.nodes) - face, sign(self.ends[1]))),
            _ => None,
        }
    }
    fn flux(&self, face: i64, accuracy: usize) -> Row {
        if self.is_shut(face) {
            return Row::new();
        }
        let around = |reach: i64| -> Option<Row> {
            let places: Vec<f64> = (-reach..=reach).map(|k| k as f64).collect();
            let parts = (face - reach..=face + reach).zip(corrected(&places, accuracy));
            let row = parts.filter(|(at, _)| !self.is_shut(*at)).map(|(at, w)| {
                let (column, sign) = self.known(at)?;
                Some((column as usize, sign * w))
            });
            row.collect()
        };
        let reach = accuracy as i64 / 2 - 1;
        let rough = self.ends[usize::from(2 * face > self.n)] == Beyond::Rough;
        let widths = if rough { 0..=reach } else { reach..=reach };
        widths.rev().find_map(around).unwrap_or_else(|| {
            let many = accuracy as i64;
            let begin = (face - many / 2).clamp(0, self.n + 1 - many);
            let places: Vec<f64> = (begin..begin + many).map(|k| (k - face) as f64).collect();
            (begin as usize..).zip(corrected(&places, accuracy)).collect()
        })
    }
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
