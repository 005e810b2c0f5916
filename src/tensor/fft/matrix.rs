//! Transforms as products with the matrices of cosines and sines, in tensor operations only: for devices without a
//! kernel of their own. Costs `n` per number instead of `log n`, on units that are made for it.

use std::f64::consts::TAU;

use super::kernels::Weights;
use super::volume::Direction;
use super::{Axes, Complex, Result, Tensor};

/// `cos` and `sin` of `2π j k / n`, `rows × columns`, times a weight of the column.
fn waves(
    like: &Tensor,
    n: usize,
    (rows, columns): (usize, usize),
    weight: impl Fn(usize, usize) -> f64,
) -> Result<(Tensor, Tensor)> {
    let make = |f: fn(f64) -> f64| {
        let value = |i: usize| {
            let (j, k) = (i / columns, i % columns);
            // The product is reduced as a whole number: large arguments would lose digits.
            weight(j, k) * f(TAU * ((j * k) % n) as f64 / n as f64)
        };
        Tensor::from_vec(like.context(), (0..rows * columns).map(value).collect::<Vec<f64>>(), &[rows, columns])?
            .cast(like.precision())
    };
    Ok((make(f64::cos)?, make(f64::sin)?))
}

/// `f` applied with `axis` last.
fn along(axis: usize, x: &Complex, f: impl Fn(&Complex) -> Result<Complex>) -> Result<Complex> {
    f(&x.map(|t| t.swap(axis as i64, -1))?)?.map(|t| t.swap(axis as i64, -1))
}

pub(super) fn transform(x: &Complex, axes: &Axes, direction: Direction, scale: f64) -> Result<Complex> {
    over(x, axes.list(), direction)?.scale(scale)
}

fn over(x: &Complex, axes: &[usize], direction: Direction) -> Result<Complex> {
    axes.iter().try_fold(x.clone(), |x, &axis| {
        along(axis, &x, |x| {
            let n = x.shape().last().copied().unwrap_or(1);
            let (cos, sin) = waves(&x.re, n, (n, n), |_, _| 1.0)?;
            let sin = if direction == Direction::Forward { sin.scale(-1.0)? } else { sin };
            let re = x.re.matmul(&cos)?.sub(&x.im.matmul(&sin)?)?;
            Ok(Complex { re, im: x.re.matmul(&sin)?.add(&x.im.matmul(&cos)?)? })
        })
    })
}

/// The weight of a wavenumber of the half spectrum of `n` points.
fn weight(weights: Weights, n: usize, k: usize) -> f64 {
    let own = k == 0 || 2 * k == n;
    weights.scale * if weights.doubled && !own { 2.0 } else { 1.0 }
}

pub(super) fn forward_real(x: &Tensor, axes: &Axes, weights: Weights) -> Result<Complex> {
    let Some((&last, others)) = axes.list().split_last() else { return Complex::real(x.clone()) };
    let n = axes.shape()[last];
    let (cos, sin) = waves(x, n, (n, n / 2 + 1), |_, k| weight(weights, n, k))?;
    let x = x.swap(last as i64, -1)?;
    let spectrum = Complex { re: x.matmul(&cos)?, im: x.matmul(&sin)?.scale(-1.0)? };
    over(&spectrum.map(|t| t.swap(last as i64, -1))?, others, Direction::Forward)
}

pub(super) fn inverse_real(x: &Complex, axes: &Axes, weights: Weights) -> Result<Tensor> {
    let Some((&last, others)) = axes.list().split_last() else { return Ok(x.re.clone()) };
    let n = axes.shape()[last];
    let (cos, sin) = waves(&x.re, n, (n / 2 + 1, n), |k, _| weight(weights, n, k))?;
    let x = over(x, others, Direction::Inverse)?.map(|t| t.swap(last as i64, -1))?;
    x.re.matmul(&cos)?.sub(&x.im.matmul(&sin)?)?.swap(last as i64, -1)
}
