//! The same sums in tensor operations, for devices without the kernels of the CPU: positions stay where they are. Each point around a place is
//! one gather, or in the transpose one scatter.

use super::{Interpolation, Line};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Compare, Index, Precision, Tensor, Unary};

/// Places of the points around positions along one axis, times the stride of the axis, and their weights.
fn around(line: &Line, method: Interpolation, k: usize, x: &Tensor) -> Result<Vec<(Tensor, Tensor)>> {
    let (axis, taps) = (&line.axis, method.taps() as i64);
    let (n, h, before) = (axis.points as i64, axis.spacing(), taps / 2 - 1);
    let bounded = |t: &Tensor, low: f64, high: f64| {
        t.binary(Binary::Max, &t.full_like(low)?)?.binary(Binary::Min, &t.full_like(high)?)
    };
    let (base, fraction, inside);
    if axis.periodic {
        let turns = x.shift(-axis.low)?.scale(1.0 / axis.length())?;
        let s = turns.sub(&turns.unary(Unary::Floor)?)?.scale(n as f64)?;
        base = s.unary(Unary::Floor)?;
        fraction = s.sub(&base)?;
        inside = None;
    } else {
        let held = bounded(x, axis.low, axis.high)?;
        let s = held.shift(-axis.low)?.scale(1.0 / h)?.shift(-axis.inset())?;
        base = bounded(&s.unary(Unary::Floor)?, before as f64, (n - taps + before).max(before) as f64)?;
        fraction = s.sub(&base)?;
        inside = (line.order > 0).then(|| held.compare(Compare::Equal, x)).transpose()?;
    }
    // Where a position is NaN its weights are, and any place will do.
    let base = base.compare(Compare::Equal, &base)?.choose(&base, &base.full_like(0.0)?)?;
    let factor = h.powi(-(line.order as i32));
    (0..taps)
        .map(|i| {
            let at = base.shift((i - before) as f64)?;
            let at = if axis.periodic {
                let turns = at.shift(0.5)?.scale(1.0 / n as f64)?.unary(Unary::Floor)?;
                at.sub(&turns.scale(n as f64)?)?
            } else {
                bounded(&at, 0.0, (n - 1) as f64)?
            };
            let weight = weight(method, k, &fraction, line.order, i as usize)?.scale(factor)?;
            let weight = match &inside {
                Some(inside) => weight.mul(inside)?,
                None => weight,
            };
            Ok((at.scale(line.stride as f64)?, weight))
        })
        .collect()
}

/// The weight of one point as a polynomial in the fraction: its coefficients are the differences that `weights` shows.
fn weight(method: Interpolation, k: usize, fraction: &Tensor, order: usize, tap: usize) -> Result<Tensor> {
    // A polynomial of third degree is known by its derivatives at 0.
    let at_zero = |order: usize| method.weights(k, 0.0, order)[tap];
    let slope = match method {
        Interpolation::Cubic => at_zero(order + 1),
        // `weights` gives straight lines up to their slope only.
        _ if order == 0 => method.weights(k, 1.0, 0)[tap] - at_zero(0),
        _ => 0.0,
    };
    let (second, third) = match method {
        Interpolation::Cubic => (at_zero(order + 2) / 2.0, at_zero(order + 3) / 6.0),
        _ => (0.0, 0.0),
    };
    let horner = fraction.scale(third)?.shift(second)?.mul(fraction)?.shift(slope)?.mul(fraction)?;
    horner.shift(at_zero(order))
}

/// The same by tensors: see `Plan::run`.
pub(super) fn run(
    lines: &[Line],
    method: Interpolation,
    values: &Tensor,
    positions: &[Tensor],
    cells: usize,
    transposed: bool,
) -> Result<Tensor> {
    let axes = lines.iter().zip(positions).enumerate();
    let axes = axes
        .map(|(k, (line, x))| around(line, method, k, &x.detach().cast(Precision::F64)?))
        .collect::<Result<Vec<_>>>()?;
    weighted(values, &axes, cells, transposed)
}

/// Calls `f` with places `[s, 1, points]` and weights of every choice of one point along each axis; of an axis come the places, times its
/// stride, and the weights, both `[s, points]`.
pub(crate) fn each_corner(
    axes: &[Vec<(Tensor, Tensor)>],
    mut f: impl FnMut(Tensor, Tensor) -> Result<()>,
) -> Result<()> {
    let count: usize = axes.iter().map(Vec::len).product();
    for choice in 0..count {
        let (mut rest, mut chosen): (usize, Option<(Tensor, Tensor)>) = (choice, None);
        for axis in axes {
            let Some((at, w)) = axis.get(rest % axis.len().max(1)) else { continue };
            rest /= axis.len();
            chosen = Some(match chosen {
                None => (at.clone(), w.clone()),
                Some((place, weight)) => (place.add(at)?, weight.mul(w)?),
            });
        }
        if let Some((place, weight)) = chosen {
            let &[samples, points] = place.shape().as_slice() else { continue };
            let lead = [samples, 1, points];
            f(place.reshape(&lead)?, weight.reshape(&lead)?)?;
        }
    }
    Ok(())
}

/// `Σ w u` over the points around each place: `[s, c, cells]` to `[s, c, points]`, or its transpose.
pub(crate) fn weighted(
    values: &Tensor,
    axes: &[Vec<(Tensor, Tensor)>],
    cells: usize,
    transposed: bool,
) -> Result<Tensor> {
    let values = values.detach();
    let shape = values.shape();
    let &[samples, channels, _] = shape.as_slice() else {
        return Err(Error::internal("interpolation of a tensor of another rank"));
    };
    let mut out: Option<Tensor> = None;
    each_corner(axes, |place, weight| {
        let points = place.shape().last().copied().unwrap_or(1);
        let index = Index::unchecked(&place.expand(&[samples, channels, points])?);
        let weight = weight.cast(values.precision())?;
        let part = if transposed {
            values.mul(&weight)?.scatter_at(2, &index, &[samples, channels, cells])?
        } else {
            values.gather_at(2, &index)?.mul(&weight)?
        };
        out = Some(match out.take() {
            None => part,
            Some(sum) => sum.add(&part)?,
        });
        Ok(())
    })?;
    out.ok_or_else(|| Error::internal("interpolation along no axis"))
}
