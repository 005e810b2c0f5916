//! Values of a field between its points.
//!
//! One primitive and its transpose: `out[p] = Σ_k w_k(x_p) u_k` with tensor products of polynomials through the nearest points. The derivative
//! with respect to a position is the same sum with differentiated weights, so gradients with respect to values and positions nest.

pub(crate) mod lowered;

use std::rc::Rc;

use rayon::prelude::*;

use super::grid::{Axis, Grid};
use crate::error::{Error, Result};
use crate::session::interrupt;
use crate::tensor::{Real, Tensor, in_precision, record_joint, strides};

/// How values between points are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// On straight lines between the two nearest points of each axis: second order, never beyond the values around.
    Linear,
    /// On Lagrange's parabolas of third degree through the four nearest points of each axis: fourth order, continuous.
    Cubic,
    /// The value at one corner of the surrounding cell: bit `k` chooses the upper one along axis `k`.
    Corner(u8),
}

impl Interpolation {
    fn taps(self) -> usize {
        match self {
            Self::Cubic => 4,
            Self::Linear | Self::Corner(_) => 2,
        }
    }
    /// Weights at the fraction `f` of the way between the two middle points, differentiated `order` times.
    fn weights(self, axis: usize, f: f64, order: usize) -> [f64; 4] {
        match (self, order) {
            (Self::Linear, 0) => [1.0 - f, f, 0.0, 0.0],
            (Self::Linear, 1) => [-1.0, 1.0, 0.0, 0.0],
            (Self::Corner(bits), 0) => {
                if bits >> axis & 1 == 1 {
                    [0.0, 1.0, 0.0, 0.0]
                } else {
                    [1.0, 0.0, 0.0, 0.0]
                }
            }
            // Lagrange's polynomials on −1, 0, 1, 2 by their coefficients.
            (Self::Cubic, _) => {
                const C: [[f64; 4]; 4] = [
                    [0.0, -1.0 / 3.0, 0.5, -1.0 / 6.0],
                    [1.0, -0.5, -1.0, 0.5],
                    [0.0, 1.0, 0.5, -0.5],
                    [0.0, -1.0 / 6.0, 0.0, 1.0 / 6.0],
                ];
                let power = |m: usize| -> f64 {
                    let falling: f64 = (0..order).map(|j| m as f64 - j as f64).product();
                    if m < order { 0.0 } else { falling * f.powi((m - order) as i32) }
                };
                C.map(|c| c.iter().enumerate().map(|(m, c)| c * power(m)).sum())
            }
            _ => [0.0; 4],
        }
    }
}

/// An axis as the kernel sees it.
#[derive(Clone)]
struct Line {
    axis: Axis,
    stride: usize,
    /// How often the weights are differentiated.
    order: usize,
}

impl Line {
    /// Offsets of the points around a position, and their weights.
    fn around(&self, method: Interpolation, k: usize, x: f64) -> ([usize; 4], [f64; 4]) {
        let (n, h, taps) = (self.axis.points as i64, self.axis.spacing(), method.taps() as i64);
        let before = taps / 2 - 1;
        let (mut base, fraction, inside);
        if self.axis.periodic {
            let s = ((x - self.axis.low) / self.axis.length()).rem_euclid(1.0) * n as f64;
            base = s.floor();
            fraction = s - base;
            inside = true;
        } else {
            // Beyond the box the value at its edge; near it the polynomial through the first points goes on.
            let bounded = x.clamp(self.axis.low, self.axis.high);
            inside = bounded == x;
            let s = (bounded - self.axis.low) / h - self.axis.inset();
            base = s.floor().clamp(before as f64, (n - taps + before).max(before) as f64);
            fraction = s - base;
        }
        if base.is_nan() {
            base = 0.0;
        }
        let first = base as i64 - before;
        let offsets = std::array::from_fn(|i| {
            let at = first + (i as i64).min(taps - 1);
            (if self.axis.periodic { at.rem_euclid(n) } else { at.clamp(0, n - 1) }) as usize * self.stride
        });
        let mut weights = method.weights(k, fraction, self.order);
        let factor = if self.order > 0 && !inside { 0.0 } else { h.powi(-(self.order as i32)) };
        weights.iter_mut().for_each(|w| *w *= factor);
        (offsets, weights)
    }
}

/// The primitive for one grid, method and order of differentiation along each axis.
#[derive(Clone)]
struct Plan {
    lines: Rc<Vec<Line>>,
    method: Interpolation,
}

/// Positions of one call: numbers per axis, and how many there are.
struct Places {
    numbers: Vec<Vec<f64>>,
    samples: usize,
    points: usize,
}

/// Points of one piece of work.
const PIECE: usize = 1 << 10;

impl Plan {
    fn differentiated(&self, axis: usize) -> Self {
        let mut lines = (*self.lines).clone();
        lines.iter_mut().skip(axis).take(1).for_each(|line| line.order += 1);
        Self { lines: Rc::new(lines), method: self.method }
    }
    fn cells(&self) -> usize {
        self.lines.iter().map(|line| line.axis.points).product()
    }
    /// Calls `f` with every point around place `p` and its weight.
    fn each(lines: &[Line], method: Interpolation, places: &Places, p: usize, mut f: impl FnMut(usize, f64)) {
        let mut around = [([0usize; 4], [0.0f64; 4]); 3];
        for (k, (slot, line)) in around.iter_mut().zip(lines).enumerate() {
            *slot = line.around(method, k, places.numbers[k][p]);
        }
        let taps = method.taps();
        let count = |k: usize| if k < lines.len() { taps } else { 1 };
        let weight = |k: usize, i: usize| if k < lines.len() { (around[k].0[i], around[k].1[i]) } else { (0, 1.0) };
        for i in 0..count(0) {
            let (oi, wi) = weight(0, i);
            for j in 0..count(1) {
                let (oj, wj) = weight(1, j);
                for l in 0..count(2) {
                    let (ol, wl) = weight(2, l);
                    f(oi + oj + ol, wi * wj * wl);
                }
            }
        }
    }
    /// `[s, c, cells]` to `[s, c, places]`.
    fn gather<T: Real>(&self, u: &[T], places: &Places, out: &mut [T], channels: usize) {
        let (lines, method, cells) = (&**self.lines, self.method, self.cells());
        if places.points == 0 {
            return;
        }
        out.par_chunks_mut(places.points).zip(u.par_chunks(cells)).enumerate().for_each(|(row, (out, u))| {
            let shift = if places.samples == 1 { 0 } else { row / channels * places.points };
            out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
                for (i, out) in out.iter_mut().enumerate() {
                    let mut sum = 0.0;
                    Self::each(lines, method, places, shift + piece * PIECE + i, |at, w| sum += w * u[at].f64());
                    *out = T::of(sum);
                }
            });
        });
    }
    /// `[s, c, places]` to `[s, c, cells]`: the transpose.
    fn spread<T: Real>(&self, g: &[T], places: &Places, out: &mut [T], channels: usize) {
        let (lines, method, cells) = (&**self.lines, self.method, self.cells());
        if places.points == 0 {
            return;
        }
        out.par_chunks_mut(cells).zip(g.par_chunks(places.points)).enumerate().for_each(|(row, (out, g))| {
            let shift = if places.samples == 1 { 0 } else { row / channels * places.points };
            for (i, g) in g.iter().enumerate() {
                let g = g.f64();
                Self::each(lines, method, places, shift + i, |at, w| out[at] = out[at] + T::of(w * g));
            }
        });
    }

    /// `values` is `[s, c, cells]` or, for the transpose, `[s, c, places]`; positions are `[s or 1, places]`.
    fn run(&self, values: &Tensor, positions: &[Tensor], transposed: bool) -> Result<Tensor> {
        interrupt::poll()?;
        let shape = values.shape();
        let &[samples, channels, _] = shape.as_slice() else {
            return Err(Error::internal("interpolation of a tensor of another rank"));
        };
        let lead = positions.first().map_or(vec![1, 1], Tensor::shape);
        let points = lead.get(1).copied().unwrap_or(1);
        let len = if transposed { self.cells() } else { points };
        let count = crate::tensor::element_count(&[samples, channels, len])?;
        values.context().reserve(count.saturating_mul(values.precision().bytes()))?;
        let out = if !values.context().device().has_kernels() && count > 0 && !values.is_empty() {
            lowered::run(&self.lines, self.method, values, positions, self.cells(), transposed)?
        } else {
            let numbers = positions.iter().map(|p| p.detach().to_vec()).collect::<Result<Vec<_>>>()?;
            let places = Places { numbers, samples: lead.first().copied().unwrap_or(1), points };
            in_precision!(values.precision(), T => {
                let (from, mut to) = (values.detach().read::<T>()?, vec![T::default(); count]);
                if transposed {
                    self.spread(&from, &places, &mut to, channels);
                } else {
                    self.gather(&from, &places, &mut to, channels);
                }
                Tensor::from_vec(values.context(), to, &[samples, channels, len])?
            })
        };
        let inputs: Vec<&Tensor> = std::iter::once(values).chain(positions).collect();
        let (plan, v, x) = (self.clone(), values.clone(), positions.to_vec());
        let rule = move |g: &[Option<Tensor>]| -> Result<Vec<Option<Tensor>>> {
            let Some(Some(g)) = g.first() else { return Ok(vec![None; x.len() + 1]) };
            let mut out = vec![Some(plan.run(g, &x, !transposed)?)];
            for (axis, position) in x.iter().enumerate() {
                if !position.is_tracked() {
                    out.push(None);
                    continue;
                }
                // Whichever side was spread, the product of what lies at the places is summed over channels.
                let slope = plan.differentiated(axis);
                let (at_cells, at_places) = if transposed { (g, &v) } else { (&v, g) };
                let product = slope.run(at_cells, &x, false)?.mul(at_places)?.sum(&[1], false)?;
                let summed = if position.shape().first() == Some(&1) { product.sum(&[0], true)? } else { product };
                out.push(Some(summed.cast(position.precision())?));
            }
            Ok(out)
        };
        record_joint(&inputs, vec![out], rule).pop().ok_or_else(|| Error::internal("an interpolation without a result"))
    }
}

/// Values at any positions: `values [s, c, x…]` to `[s, c, p…]`.
///
/// `positions` holds one tensor per axis of the grid, all of one shape: `[p…]` with `per_sample` false, the same for all samples, or
/// `[s, p…]` with `per_sample` true. Periodic axes wrap; beyond an edge stands the value at the edge. Differentiable with respect to values and
/// positions (at a point itself the derivative is that of the upper side; beyond an edge it is 0).
///
/// # Errors
/// Shapes that do not fit; fewer points along an axis than the method needs.
pub fn interpolate(
    values: &Tensor,
    grid: &Grid,
    positions: &[Tensor],
    per_sample: bool,
    method: Interpolation,
) -> Result<Tensor> {
    let shape = values.shape();
    let space = grid.shape();
    let &[samples, channels, ..] = shape.as_slice() else {
        return Err(Error::shape("interpolation needs [sample, channel, x…]").got(format!("shape {shape:?}")));
    };
    if shape.get(2..) != Some(&space[..]) || positions.len() != space.len() || space.is_empty() {
        return Err(Error::shape("interpolation: values, grid and positions do not fit together")
            .got(format!("values {shape:?}, {} tensors of positions, {grid}", positions.len()))
            .expected("values [sample, channel, x…] on the grid and a tensor of positions per axis"));
    }
    let wanted = positions.first().map_or_else(Vec::new, Tensor::shape);
    let fits = wanted.first().is_some_and(|&s| s == samples || s == 1 || samples == 1);
    if positions.iter().any(|p| p.shape() != wanted) || (per_sample && !fits) {
        return Err(Error::shape("interpolation: positions of one shape for each axis, with one part per sample")
            .got(format!("{:?}, {samples} samples", positions.iter().map(Tensor::shape).collect::<Vec<_>>())));
    }
    if let Some(axis) = grid.axes().iter().find(|a| a.points < method.taps()) {
        return Err(Error::value(format!("axis {} has too few points to interpolate", axis.name))
            .got(axis.points)
            .expected(format!("{} or more", method.taps())));
    }
    let (lead, places) = if per_sample { wanted.split_at(1) } else { wanted.split_at(0) };
    let points = crate::tensor::element_count(places)?;
    let given = lead.first().copied().unwrap_or(1);
    let flat = |p: &Tensor| p.reshape(&[given, points]);
    let positions = positions.iter().map(flat).collect::<Result<Vec<_>>>()?;
    let rows = samples.max(given);
    let values = values.reshape(&[samples, channels, grid.points()])?.expand(&[rows, channels, grid.points()])?;
    let lines = grid.axes().iter().zip(strides(&space)).map(|(a, stride)| Line { axis: a.clone(), stride, order: 0 });
    let plan = Plan { lines: Rc::new(lines.collect()), method };
    let out = plan.run(&values, &positions, false)?;
    out.reshape(&[&[rows, channels], places].concat())
}
