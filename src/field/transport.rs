//! What moves with a flow: one-sided derivatives, WENO, semi-Lagrangian steps.
//!
//! One-sided operators act on values with ghosts at both ends ([`padding`](super::stencil::padding)), so they hold for every kind of edge.

use super::banded::Banded;
use super::grid::{Axis, Grid};
use super::interpolate::{Interpolation, interpolate};
use crate::error::{Error, Result};
use crate::tensor::{Tensor, Unary, axis_index};

/// `out[i] = Σ_k w_k x[i + k]`, `n − weights + 1` numbers.
fn sliding(x: &Tensor, axis: i64, weights: &[f64]) -> Result<Tensor> {
    let at = axis_index("a stencil along an axis", axis, x.rank())?;
    let columns = x.shape().get(at).copied().unwrap_or(0);
    Banded::sliding(columns, weights)?.apply(x, axis)
}
/// `count` positions from `start`.
fn part(x: &Tensor, axis: i64, start: usize, count: usize) -> Result<Tensor> {
    x.narrow(axis_index("a stencil along an axis", axis, x.rank())?, start, count)
}
/// Length of an axis beyond what its ghosts take.
fn points_inside(padded: &Tensor, axis: i64, ghosts: usize) -> Result<usize> {
    let at = axis_index("a one-sided derivative", axis, padded.rank())?;
    let len = padded.shape().get(at).copied().unwrap_or(0);
    len.checked_sub(2 * ghosts).filter(|n| *n > 0).ok_or_else(|| {
        Error::shape("a one-sided derivative needs ghosts at both ends")
            .got(format!("{len} values"))
            .expected(format!("the points and {ghosts} more at each end"))
    })
}

/// Ghosts that [`upwind_derivatives`] of an order needs at each end.
pub fn upwind_ghosts(order: usize) -> Result<usize> {
    match order {
        1 => Ok(1),
        3 => Ok(2),
        5 => Ok(3),
        _ => Err(Error::value("no upwind derivative of this order").got(order).expected("1, 3 or 5")),
    }
}
/// Ghosts that WENO5 needs at each end.
pub const WENO5_GHOSTS: usize = 3;

/// `∂u/∂x` from the low side and from the high side, on values with ghosts: `(minus, plus)`.
///
/// Order 1: `(u_i − u_{i−1})/h`; order 3: `(2u_{i+1} + 3u_i − 6u_{i−1} + u_{i−2})/6h`; order 5: the linear scheme that [`weno5_derivatives`] becomes
/// where `u` is smooth; `plus` is their mirror image. Upwind transport is `a⁺ minus + a⁻ plus` with `a^± = (a ± |a|)/2`.
///
/// # Errors
/// An order that is not offered; too few values.
pub fn upwind_derivatives(padded: &Tensor, axis: i64, spacing: f64, order: usize) -> Result<(Tensor, Tensor)> {
    let ghosts = upwind_ghosts(order)?;
    let n = points_inside(padded, axis, ghosts)?;
    let (minus, plus) = upwind_weights(order, spacing);
    let minus = part(&sliding(padded, axis, &minus)?, axis, 0, n)?;
    Ok((minus, part(&sliding(padded, axis, &plus)?, axis, 1, n)?))
}

/// Weights of [`upwind_derivatives`]: from the low side on `u_{i−ghosts}, …`, from the high side one point further.
pub(crate) fn upwind_weights(order: usize, spacing: f64) -> (Vec<f64>, Vec<f64>) {
    let weights: &[f64] = match order {
        1 => &[-1.0, 1.0],
        3 => &[1.0 / 6.0, -1.0, 0.5, 1.0 / 3.0],
        _ => &[-1.0 / 30.0, 0.25, -1.0, 1.0 / 3.0, 0.5, -0.05],
    };
    (weights.iter().map(|w| w / spacing).collect(), weights.iter().rev().map(|w| -w / spacing).collect())
}

/// What keeps the weights of WENO5 finite where nothing changes: a number, and a part of the sum of all roughnesses.
pub(crate) const WENO_EPSILON: [f64; 2] = [1e-8, 1e-10];

/// Polynomials of second degree through three of five points, whose values half a spacing above the middle one are blended.
struct Candidates {
    /// Weights of each with which the blend has fifth order.
    linear: [f64; 3],
    /// Weights of points.
    points: [[f64; 3]; 3],
}

/// From averages over cells, the value at a face; from slopes between points, the slope at a point.
const OF_AVERAGES: Candidates = Candidates {
    linear: [0.1, 0.6, 0.3],
    points: [
        [1.0 / 3.0, -7.0 / 6.0, 11.0 / 6.0],
        [-1.0 / 6.0, 5.0 / 6.0, 1.0 / 3.0],
        [1.0 / 3.0, 5.0 / 6.0, -1.0 / 6.0],
    ],
};
/// From values at points, the value half a spacing further.
const OF_VALUES: Candidates = Candidates {
    linear: [1.0 / 16.0, 10.0 / 16.0, 5.0 / 16.0],
    points: [[0.375, -1.25, 1.875], [-0.125, 0.75, 0.375], [0.375, 0.75, -0.125]],
};

/// Weights of the three candidates of WENO5 with which the blend has fifth order, and weights of points in each: of averages over cells, else of
/// values at points.
pub(crate) fn weno5_candidates(averages: bool) -> ([f64; 3], [[f64; 3]; 3]) {
    let of = if averages { &OF_AVERAGES } else { &OF_VALUES };
    (of.linear, of.points)
}

/// WENO5 on every window of five values: what it says at the end of the middle one, `(upper end, lower end)`.
///
/// Candidates and roughness `β` of Jiang and Shu, shared by both ends; weights `d_k (1 + ((β₀ − β₂)/(β_k + ε))²)` normalised: those of
/// Borges et al. keep the fifth order at extrema too, where those of Jiang and Shu lose one or two.
///
/// R. Borges, M. Carmona, B. Costa, W. S. Don, *J. Comput. Phys.* 227 (2008) 3191.
fn reconstruct(v: &Tensor, axis: i64, of: &Candidates) -> Result<(Tensor, Tensor)> {
    let at = axis_index("WENO5", axis, v.rank())?;
    let m = v.shape().get(at).copied().unwrap_or(0).saturating_sub(4);
    let bend = sliding(v, axis, &[1.0, -2.0, 1.0])?.unary(Unary::Square)?.scale(13.0 / 12.0)?;
    let slopes: [(&[f64], usize); 3] = [(&[1.0, -4.0, 3.0], 0), (&[1.0, 0.0, -1.0], 1), (&[3.0, -4.0, 1.0], 2)];
    let rough = |(weights, shift): (&[f64], usize)| -> Result<Tensor> {
        let slope = part(&sliding(v, axis, weights)?, axis, shift, m)?.unary(Unary::Square)?.scale(0.25)?;
        part(&bend, axis, shift, m)?.add(&slope)
    };
    let [first, second, third] = [rough(slopes[0])?, rough(slopes[1])?, rough(slopes[2])?];
    let [least, share] = WENO_EPSILON;
    let floor = first.add(&second)?.add(&third)?.scale(share)?.shift(least)?;
    let across = first.sub(&third)?;
    let steep = [first, second, third].map(|rough| across.div(&rough.add(&floor)?)?.unary(Unary::Square)?.shift(1.0));
    let blend = |linear: [f64; 3], candidates: [[f64; 3]; 3]| -> Result<Tensor> {
        let (mut total, mut value): (Option<Tensor>, Option<Tensor>) = (None, None);
        for (k, (steep, (d, weights))) in steep.iter().zip(linear.iter().zip(&candidates)).enumerate() {
            let alpha = steep.as_ref().map_err(Clone::clone)?.scale(*d)?;
            let term = alpha.mul(&part(&sliding(v, axis, weights)?, axis, k, m)?)?;
            value = Some(value.map_or(Ok(term.clone()), |sum| sum.add(&term))?);
            total = Some(total.map_or(Ok(alpha.clone()), |sum| sum.add(&alpha))?);
        }
        match (value, total) {
            (Some(value), Some(total)) => value.div(&total),
            _ => Err(Error::internal("WENO5 without candidates")),
        }
    };
    let turned = |mut all: [f64; 3]| {
        all.reverse();
        all
    };
    let [a, b, c] = of.points;
    Ok((blend(of.linear, of.points)?, blend(turned(of.linear), [turned(c), turned(b), turned(a)])?))
}

/// `∂u/∂x` from the low and the high side by WENO5 on values with three ghosts at each end: `(minus, plus)`.
///
/// For Hamilton–Jacobi equations and transport in advective form. Fifth order where `u` is smooth, without new extrema at a kink.
///
/// G.-S. Jiang and D. Peng, *SIAM J. Sci. Comput.* 21 (2000) 2126.
///
/// # Errors
/// Too few values.
pub fn weno5_derivatives(padded: &Tensor, axis: i64, spacing: f64) -> Result<(Tensor, Tensor)> {
    let n = points_inside(padded, axis, WENO5_GHOSTS)?;
    let slopes = sliding(padded, axis, &[-1.0 / spacing, 1.0 / spacing])?;
    let (upper, lower) = reconstruct(&slopes, axis, &OF_AVERAGES)?;
    Ok((part(&upper, axis, 0, n)?, part(&lower, axis, 1, n)?))
}

/// The values on both sides of the `n + 1` faces of `n` cells, from cell averages with three ghosts at each end: `(left, right)`.
///
/// For conservation laws: a numerical flux takes both, for example Rusanov's `(f(l) + f(r))/2 − a (r − l)/2`.
///
/// G.-S. Jiang and C.-W. Shu, *J. Comput. Phys.* 126 (1996) 202.
///
/// # Errors
/// Too few values.
pub fn weno5_faces(padded: &Tensor, axis: i64) -> Result<(Tensor, Tensor)> {
    let n = points_inside(padded, axis, WENO5_GHOSTS)?;
    let (upper, lower) = reconstruct(padded, axis, &OF_AVERAGES)?;
    Ok((part(&upper, axis, 0, n + 1)?, part(&lower, axis, 1, n + 1)?))
}

/// The values on both sides of the `n + 1` faces between and beside `n` points, from values at points with three ghosts at each end:
/// `(left, right)`. For fluxes whose difference is that of [`flux_divergence`](super::stencil::flux_divergence).
///
/// Y. Jiang, C.-W. Shu, M. Zhang, *SIAM J. Sci. Comput.* 35 (2013) A1137.
///
/// # Errors
/// Too few values.
pub fn weno5_values(padded: &Tensor, axis: i64) -> Result<(Tensor, Tensor)> {
    let n = points_inside(padded, axis, WENO5_GHOSTS)?;
    let (upper, lower) = reconstruct(padded, axis, &OF_VALUES)?;
    Ok((part(&upper, axis, 0, n + 1)?, part(&lower, axis, 1, n + 1)?))
}

/// The values on both sides of the `n + 1` faces between and beside `n` points by one-sided polynomials, from values at points with
/// [`upwind_ghosts`] at each end: `(left, right)`. Order 1: the neighbouring point; order 3: `(−u_{i−2} + 6u_{i−1} + 3u_i)/8`.
///
/// # Errors
/// An order other than 1 and 3; too few values.
pub fn upwind_values(padded: &Tensor, axis: i64, order: usize) -> Result<(Tensor, Tensor)> {
    let n = points_inside(padded, axis, upwind_ghosts(order)?)?;
    match order {
        1 => Ok((part(padded, axis, 0, n + 1)?, part(padded, axis, 1, n + 1)?)),
        3 => {
            let left = sliding(padded, axis, &[-0.125, 0.75, 0.375])?;
            let right = sliding(padded, axis, &[0.375, 0.75, -0.125])?;
            Ok((part(&left, axis, 0, n + 1)?, part(&right, axis, 1, n + 1)?))
        }
        _ => Err(Error::value("no face values of this order").got(order).expected("1 or 3")),
    }
}

/// Where a point of the grid came from: `x − v Δt`, one tensor `[s, x…]` per axis; at edges no further than the outermost points.
fn departures(grid: &Grid, velocity: &[Tensor], dt: f64) -> Result<Vec<Tensor>> {
    if velocity.len() != grid.dimensions() {
        return Err(Error::shape("a velocity has one component per axis")
            .got(format!("{} components", velocity.len()))
            .expected(format!("{} on this {grid}", grid.dimensions())));
    }
    let mut out = Vec::with_capacity(velocity.len());
    let whole = grid.shape();
    let samples = velocity.iter().map(|v| if v.rank() > whole.len() { v.shape()[0] } else { 1 }).max().unwrap_or(1);
    for (axis, v) in grid.axes().iter().zip(velocity) {
        let x = grid.coordinates(v.context(), v.precision())?;
        let x = x.into_iter().nth(out.len()).ok_or_else(|| Error::internal("an axis without coordinates"))?;
        let from = x.sub(&v.scale(dt)?)?.expand(&[&[samples], &whole[..]].concat())?;
        out.push(if axis.periodic { from } else { from.clamp(first(axis), last(axis))? });
    }
    Ok(out)
}
fn first(axis: &Axis) -> f64 {
    axis.low + axis.inset() * axis.spacing()
}
fn last(axis: &Axis) -> f64 {
    axis.high - axis.inset() * axis.spacing()
}

/// A semi-Lagrangian step of `∂u/∂t + v·∇u = 0`: `u'(x) = u(x − v(x) Δt)`.
///
/// `u [s, c, x…]`; `velocity` holds a tensor `[s or nothing, x…]` per axis. Stable for any step; linear interpolation makes no new extrema. Differentiable
/// with respect to `u` and the velocity.
///
/// A. Staniforth and J. Côté, *Mon. Weather Rev.* 119 (1991) 2206.
///
/// # Errors
/// Shapes that do not fit.
pub fn advect_semi_lagrangian(
    u: &Tensor,
    grid: &Grid,
    velocity: &[Tensor],
    dt: f64,
    method: Interpolation,
) -> Result<Tensor> {
    interpolate(u, grid, &departures(grid, velocity, dt)?, true, method)
}

/// A step of second order in space and time: forward, back, and half of the difference taken off; kept between the values around the point of
/// departure, so that no new extrema arise.
///
/// A. Selle et al., *J. Sci. Comput.* 35 (2008) 350.
///
/// # Errors
/// Shapes that do not fit.
pub fn advect_mac_cormack(u: &Tensor, grid: &Grid, velocity: &[Tensor], dt: f64) -> Result<Tensor> {
    let from = departures(grid, velocity, dt)?;
    let forward = interpolate(u, grid, &from, true, Interpolation::Linear)?;
    let back = advect_semi_lagrangian(&forward, grid, velocity, -dt, Interpolation::Linear)?;
    let corrected = forward.add(&u.sub(&back)?.scale(0.5)?)?;
    let corner = |bits: u8| interpolate(u, grid, &from, true, Interpolation::Corner(bits));
    let (mut low, mut high) = (corner(0)?, corner(0)?);
    for bits in 1..1u8 << grid.dimensions() {
        let value = corner(bits)?;
        low = low.binary(crate::tensor::Binary::Min, &value)?;
        high = high.binary(crate::tensor::Binary::Max, &value)?;
    }
    corrected.binary(crate::tensor::Binary::Max, &low)?.binary(crate::tensor::Binary::Min, &high)
}
