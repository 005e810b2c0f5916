//! Linear interpolation at points that move: `y = Σ_corners w(p) x`, and its transpose.
//!
//! A weight is a product over axes of `1 − t` and `t`, which is linear in the position along each axis. So the derivative by a position is
//! another interpolation, with `−1` and `1` in place of the weights of that axis: interpolation and its transpose, each with any set of axes
//! differentiated, are closed under differentiation.

mod lowered;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::tensor::{Real, Tensor, in_precision};

/// What is found beyond the first and the last point of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// The points again, from the other end.
    Wrap,
    /// The value of the last point.
    Clamp,
    /// 0, from the distance of a spacing on.
    Zero,
}

/// Axes of the values, and which of them are differentiated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub n: Vec<usize>,
    pub outside: Vec<[Outside; 2]>,
    pub slopes: Vec<bool>,
}

impl Rule {
    pub fn new(n: &[usize], outside: &[[Outside; 2]]) -> Self {
        Self { n: n.to_vec(), outside: outside.to_vec(), slopes: vec![false; n.len()] }
    }
    fn cells(&self) -> usize {
        self.n.iter().product()
    }
    /// This rule with the derivative along one more axis; `None` where it is 0: weights are linear.
    fn along(&self, axis: usize) -> Option<Self> {
        let mut rule = self.clone();
        let slope = rule.slopes.get_mut(axis)?;
        if std::mem::replace(slope, true) { None } else { Some(rule) }
    }
}

/// Places and weights of the two neighbours along one axis.
fn pair<T: Real>(x: f64, n: usize, outside: [Outside; 2], slope: bool) -> ([usize; 2], [T; 2]) {
    let last = n - 1;
    let low = x.floor();
    let t = x - low;
    let weights = if slope { [-1.0, 1.0] } else { [1.0 - t, t] };
    if outside[0] == Outside::Wrap {
        // A remainder in floats: positions may be far away.
        let at = low.rem_euclid(n as f64) as usize % n;
        return ([at, (at + 1) % n], weights.map(T::of));
    }
    let side = if x < 0.0 { 0 } else { 1 };
    let beyond = x < 0.0 || x >= last as f64;
    if beyond && outside[side] == Outside::Clamp {
        let at = if side == 0 { 0 } else { last };
        return ([at, at], [if slope { 0.0 } else { 1.0 }, 0.0].map(T::of));
    }
    let inside = |i: f64| i >= 0.0 && i <= last as f64;
    let keep = |i: f64, w: f64| if inside(i) || i.is_nan() { w } else { 0.0 };
    let place = |i: f64| (i.max(0.0) as usize).min(last);
    ([place(low), place(low + 1.0)], [T::of(keep(low, weights[0])), T::of(keep(low + 1.0, weights[1]))])
}

/// Calls `f` with place and weight of each corner of the cell around point `m`; positions lie as `[axis, point]`.
#[inline]
fn corners<T: Real>(rule: &Rule, positions: &[T], points: usize, m: usize, mut f: impl FnMut(usize, T)) {
    let axes = rule.n.len();
    let mut sides = [([0usize; 2], [T::default(); 2]); 3];
    for (axis, side) in sides.iter_mut().enumerate().take(axes) {
        *side = pair(positions[axis * points + m].f64(), rule.n[axis], rule.outside[axis], rule.slopes[axis]);
    }
    for corner in 0..1usize << axes {
        let (mut place, mut weight) = (0, T::of(1.0));
        for (axis, (at, w)) in sides.iter().enumerate().take(axes) {
            let which = corner >> axis & 1;
            place = place * rule.n[axis] + at[which];
            weight = weight * w[which];
        }
        f(place, weight);
    }
}

/// Values `[s, c, n…]`, positions `[s, axes, points…]` in units of the spacing from the first point; `[s, c, points…]`. Differentiable in both.
pub(super) fn interpolate(values: &Tensor, positions: &Tensor, rule: &Rule) -> Result<Tensor> {
    let (values, positions) = paired(values, positions, rule)?;
    let (channels, target) = (values.shape()[1], target(&positions, values.shape()[1]));
    let context = values.context();
    context.reserve(target.iter().product::<usize>().saturating_mul(values.precision().bytes()))?;
    let elsewhere = !context.device().has_kernels() && !values.is_empty() && !positions.is_empty();
    let out = if elsewhere {
        lowered::run(&values, &positions, rule, false)?.reshape(&target)?
    } else {
        in_precision!(values.precision(), T => {
            let (x, p) = (values.read::<T>()?, positions.read::<T>()?);
            let (cells, points) = (rule.cells(), target[2..].iter().product::<usize>());
            let mut out = vec![T::default(); target.iter().product()];
            let size = channels * points;
            if size > 0 && cells > 0 {
                let samples = out.par_chunks_mut(size).zip(x.par_chunks(channels * cells)).zip(p.par_chunks(rule.n.len() * points));
                samples.for_each(|((out, x), p)| {
                    for m in 0..points {
                        corners(rule, p, points, m, |at, weight| {
                            for c in 0..channels {
                                out[c * points + m] += weight * x[c * cells + at];
                            }
                        });
                    }
                });
            }
            Tensor::from_vec(context, out, &target)?
        })
    };
    Ok(out
        .from(&values, || {
            let (positions, rule) = (positions.clone(), rule.clone());
            move |g: &Tensor| spread(g, &positions, &rule)
        })
        .from(&positions, || {
            let (values, positions, rule) = (values.clone(), positions.clone(), rule.clone());
            move |g: &Tensor| slopes(&values, g, &positions, &rule)
        }))
}

/// The transpose of [`interpolate`] in the values: `[s, c, points…]` to `[s, c, n…]`.
fn spread(g: &Tensor, positions: &Tensor, rule: &Rule) -> Result<Tensor> {
    let shape = g.shape();
    let (channels, points) = (shape[1], shape[2..].iter().product::<usize>());
    let target = [&shape[..2], &rule.n].concat();
    let context = g.context();
    context.reserve(target.iter().product::<usize>().saturating_mul(g.precision().bytes()))?;
    let elsewhere = !context.device().has_kernels() && !g.is_empty() && !positions.is_empty();
    let out = if elsewhere {
        lowered::run(g, positions, rule, true)?.reshape(&target)?
    } else {
        in_precision!(g.precision(), T => {
            let (y, p) = (g.read::<T>()?, positions.read::<T>()?);
            let cells = rule.cells();
            let mut out = vec![T::default(); target.iter().product()];
            if channels * points > 0 && cells > 0 {
                let samples = out.par_chunks_mut(channels * cells).zip(y.par_chunks(channels * points)).zip(p.par_chunks(rule.n.len() * points));
                samples.for_each(|((out, y), p)| {
                    for m in 0..points {
                        corners(rule, p, points, m, |at, weight| {
                            for c in 0..channels {
                                out[c * cells + at] += weight * y[c * points + m];
                            }
                        });
                    }
                });
            }
            Tensor::from_vec(context, out, &target)?
        })
    };
    Ok(out
        .from(g, || {
            let (positions, rule) = (positions.clone(), rule.clone());
            move |h: &Tensor| interpolate(h, &positions, &rule)
        })
        .from(positions, || {
            let (g, positions, rule) = (g.clone(), positions.clone(), rule.clone());
            move |h: &Tensor| slopes(h, &g, &positions, &rule)
        }))
}

/// The gradient with respect to positions of `Σ g · interpolate(values, positions)`.
fn slopes(values: &Tensor, g: &Tensor, positions: &Tensor, rule: &Rule) -> Result<Tensor> {
    let parts = (0..rule.n.len()).map(|axis| match rule.along(axis) {
        Some(rule) => interpolate(values, positions, &rule)?.mul(g)?.sum(&[1], true),
        None => g.sum(&[1], true)?.scale(0.0),
    });
    Tensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)
}

/// The smallest and the largest of the corners around each point: differentiable in the values.
pub(super) fn extremes(values: &Tensor, positions: &Tensor, rule: &Rule) -> Result<(Tensor, Tensor)> {
    let (values, positions) = paired(values, positions, rule)?;
    let target = target(&positions, values.shape()[1]);
    let (channels, cells, points) = (target[1], rule.cells(), target[2..].iter().product::<usize>());
    let flat = values.reshape(&[target[0], channels, cells])?;
    if !values.context().device().has_kernels()
        && !values.is_empty()
        && !positions.is_empty()
        && let Some((low, high)) = lowered::extremes(&flat, &positions, rule)?
    {
        return Ok((low.reshape(&target)?, high.reshape(&target)?));
    }
    let (x, p) = (values.to_vec()?, positions.to_vec()?);
    let count: usize = target.iter().product();
    values.context().reserve(count.saturating_mul(32))?;
    let (mut low, mut high) = (vec![0.0; count], vec![0.0; count]);
    let size = (channels * points).max(1);
    low.par_chunks_mut(size).zip(high.par_chunks_mut(size)).enumerate().for_each(|(s, (low, high))| {
        for m in 0..points {
            for c in 0..channels {
                let x = &x[(s * channels + c) * cells..][..cells];
                let (mut least, mut most) = (usize::MAX, usize::MAX);
                corners::<f64>(rule, &p[s * rule.n.len() * points..], points, m, |at, _| {
                    if least == usize::MAX || x[at] < x[least] {
                        least = at;
                    }
                    if most == usize::MAX || x[at] > x[most] {
                        most = at;
                    }
                });
                (low[c * points + m], high[c * points + m]) = (least as f64, most as f64);
            }
        }
    });
    let pick = |places: Vec<f64>| -> Result<Tensor> {
        let index = Tensor::from_vec(values.context(), places, &[target[0], channels, points])?;
        flat.gather(2, &index)?.reshape(&target)
    };
    Ok((pick(low)?, pick(high)?))
}

fn target(positions: &Tensor, channels: usize) -> Vec<usize> {
    let mut shape = positions.shape();
    shape[1] = channels;
    shape
}

/// Both with the same samples and precision.
fn paired(values: &Tensor, positions: &Tensor, rule: &Rule) -> Result<(Tensor, Tensor)> {
    let (from, to) = (values.shape(), positions.shape());
    let axes = rule.n.len();
    let fits = from.len() == axes + 2 && from[2..] == rule.n[..] && to.len() >= 3 && to[1] == axes;
    if !fits || (from[0] != to[0] && from[0] != 1 && to[0] != 1) || rule.n.contains(&0) {
        return Err(Error::shape("values and positions do not fit together")
            .got(format!("values {from:?}, positions {to:?}"))
            .expected(format!("[sample, channel, {:?}…] and [sample, {axes}, …]", rule.n)));
    }
    let samples = from[0].max(to[0]);
    let wide = |t: &Tensor| {
        let mut shape = t.shape();
        shape[0] = samples;
        t.expand(&shape)
    };
    Ok((wide(values)?, wide(positions)?.cast(values.precision())?))
}
