//! The same interpolation in tensor operations, for devices without the kernels of the CPU.

use super::{Outside, Rule};
use crate::error::Result;
use crate::field::interpolate::lowered::{each_corner, weighted};
use crate::tensor::{Binary, Compare, Index, Precision, Tensor, Unary, strides};

/// Places times the stride, and weights, of the two neighbours along one axis: `pair` by tensors.
fn pair(x: &Tensor, n: usize, stride: usize, outside: [Outside; 2], slope: bool) -> Result<Vec<(Tensor, Tensor)>> {
    let (count, last) = (n as f64, (n - 1) as f64);
    let low = x.unary(Unary::Floor)?;
    let t = x.sub(&low)?;
    let high = low.shift(1.0)?;
    let (mut w0, mut w1) =
        if slope { (x.full_like(-1.0)?, x.full_like(1.0)?) } else { (t.scale(-1.0)?.shift(1.0)?, t) };
    let zero = x.full_like(0.0)?;
    let known = |at: Tensor| at.compare(Compare::Equal, &at)?.choose(&at, &zero);
    if outside[0] == Outside::Wrap {
        let wrapped = |at: &Tensor| -> Result<Tensor> {
            let turns = at.shift(0.5)?.scale(1.0 / count)?.unary(Unary::Floor)?;
            known(at.sub(&turns.scale(count)?)?)?.scale(stride as f64)
        };
        return Ok(vec![(wrapped(&low)?, w0), (wrapped(&high)?, w1)]);
    }
    let end = x.full_like(last)?;
    let inside = |at: &Tensor| at.compare(Compare::GreaterEqual, &zero)?.mul(&at.compare(Compare::LowerEqual, &end)?);
    (w0, w1) = (w0.mul(&inside(&low)?)?, w1.mul(&inside(&high)?)?);
    for (side, outside) in outside.iter().enumerate() {
        if *outside == Outside::Clamp {
            let beyond =
                if side == 0 { x.compare(Compare::Lower, &zero)? } else { x.compare(Compare::GreaterEqual, &end)? };
            w0 = beyond.choose(&x.full_like(if slope { 0.0 } else { 1.0 })?, &w0)?;
            w1 = beyond.choose(&zero, &w1)?;
        }
    }
    let place = |at: Tensor| known(at.binary(Binary::Max, &zero)?.binary(Binary::Min, &end)?)?.scale(stride as f64);
    Ok(vec![(place(low)?, w0), (place(high)?, w1)])
}

/// Neighbours along each axis; positions lie as `[s, axes, points…]`.
fn neighbours(positions: &Tensor, rule: &Rule) -> Result<Vec<Vec<(Tensor, Tensor)>>> {
    let shape = positions.shape();
    let points: usize = shape[2..].iter().product();
    let flat = positions.detach().reshape(&[shape[0], shape[1], points])?.cast(Precision::F64)?;
    let axes = strides(&rule.n).into_iter().enumerate();
    axes.map(|(axis, stride)| {
        let x = flat.narrow(1, axis, 1)?.reshape(&[shape[0], points])?;
        pair(&x, rule.n[axis], stride, rule.outside[axis], rule.slopes[axis])
    })
    .collect()
}

/// `[s, c, cells…]` to `[s, c, points]`, or its transpose.
pub(super) fn run(values: &Tensor, positions: &Tensor, rule: &Rule, transposed: bool) -> Result<Tensor> {
    let shape = values.shape();
    let flat = values.detach().reshape(&[shape[0], shape[1], shape[2..].iter().product()])?;
    weighted(&flat, &neighbours(positions, rule)?, rule.cells(), transposed)
}

/// The smallest and the largest of the corners around each point, `[s, c, points]`; `flat` is `[s, c, cells]`.
pub(super) fn extremes(flat: &Tensor, positions: &Tensor, rule: &Rule) -> Result<Option<(Tensor, Tensor)>> {
    let shape = flat.shape();
    let mut found: Option<(Tensor, Tensor)> = None;
    each_corner(&neighbours(positions, rule)?, |place, _| {
        let points = place.shape()[2];
        let there = flat.gather_by(2, &Index::unchecked(&place.expand(&[shape[0], shape[1], points])?))?;
        found = Some(match found.take() {
            None => (there.clone(), there),
            Some((low, high)) => (low.binary(Binary::Min, &there)?, high.binary(Binary::Max, &there)?),
        });
        Ok(())
    })?;
    Ok(found)
}
