//! Derivatives of fields: by Fourier modes on periodic grids, by stencils elsewhere or when an accuracy is asked for.
//!
//! A field is data: it does not claim to fulfil the edge conditions of its grid, so stencils lean inwards at edges. The unknowns of an
//! equation do fulfil them.

use super::base::Field;
use super::edge::EdgeKind;
use super::{spectral, stencil};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The accuracy of stencils when none is asked for.
const ACCURACY: usize = 2;

/// `∂ⁿu/∂xⁿ` along an axis; `accuracy` asks for stencils.
///
/// # Errors
/// No such axis; an order or accuracy that is not offered; too few points.
pub fn derivative(u: &Field, axis: usize, order: usize, accuracy: Option<usize>) -> Result<Field> {
    let grid = u.grid();
    if grid.is_periodic() && accuracy.is_none() {
        return spectral::derivative(u, axis, order);
    }
    let along = grid.numbered(axis)?;
    let kind = if along.periodic { EdgeKind::Periodic } else { EdgeKind::Free };
    let operator = stencil::derivative(along, [kind; 2], order, accuracy.unwrap_or(ACCURACY))?;
    u.map(|values| operator.matrix.apply(values, grid.tensor_axis(axis)))
}

/// `Δu`, the sum of second derivatives.
///
/// # Errors
/// As of [`derivative`]; a grid without axes.
pub fn laplacian(u: &Field, accuracy: Option<usize>) -> Result<Field> {
    if u.grid().is_periodic() && accuracy.is_none() {
        return spectral::laplacian(u);
    }
    sum((0..u.grid().dimensions()).map(|axis| derivative(u, axis, 2, accuracy)), u)
}

fn sum(mut parts: impl Iterator<Item = Result<Field>>, u: &Field) -> Result<Field> {
    let first = parts.next().ok_or_else(|| {
        Error::shape("a single point has no derivatives").got(u.grid()).expected("a grid with one axis or more")
    })??;
    parts.try_fold(first, |sum, part| sum.zip(&part?, Tensor::add))
}

/// `∇u`: for each channel its derivatives along x, y, …; `[s, c, x…]` to `[s, c·d, x…]`.
///
/// # Errors
/// As of [`laplacian`].
pub fn gradient(u: &Field, accuracy: Option<usize>) -> Result<Field> {
    let d = u.grid().dimensions();
    let parts =
        (0..d).map(|axis| Ok(derivative(u, axis, 1, accuracy)?.values().clone())).collect::<Result<Vec<_>>>()?;
    let stacked = Tensor::stack(&parts, 2)?;
    let mut shape = u.values().shape();
    shape.iter_mut().skip(1).take(1).for_each(|c| *c *= d);
    u.with(stacked.reshape(&shape)?)
}

/// Channel number `channel`, as a field.
fn component(u: &Field, channel: usize) -> Result<Field> {
    u.map(|values| values.narrow(1, channel, 1))
}

/// `∇·v` of every `d` channels: `[s, c·d, x…]` to `[s, c, x…]`.
///
/// # Errors
/// A number of channels that is no multiple of the number of axes.
pub fn divergence(v: &Field, accuracy: Option<usize>) -> Result<Field> {
    let (d, channels) = (v.grid().dimensions(), v.channels());
    if d == 0 || !channels.is_multiple_of(d) || channels == 0 {
        return Err(Error::shape("a divergence needs one channel per axis")
            .got(format!("{channels} channels on a grid of {d} axes")));
    }
    // [s, c, d, …]: channel i of each vector belongs to axis i.
    let own = |axis: usize| -> Result<Field> {
        let which: Vec<i64> = (0..channels / d).map(|c| (c * d + axis) as i64).collect();
        derivative(&v.map(|values| values.take(1, &which))?, axis, 1, accuracy)
    };
    sum((0..d).map(own), v)
}

/// `∇×v`: of a plane vector the number `∂v_y/∂x − ∂v_x/∂y`, in three dimensions a vector.
///
/// # Errors
/// Other numbers of axes or channels.
pub fn curl(v: &Field, accuracy: Option<usize>) -> Result<Field> {
    let (d, channels) = (v.grid().dimensions(), v.channels());
    let part = |of: usize, axis: usize| derivative(&component(v, of)?, axis, 1, accuracy);
    let turn = |a: usize, b: usize| part(b, a)?.zip(&part(a, b)?, Tensor::sub);
    match (d, channels) {
        (2, 2) => turn(0, 1),
        (3, 3) => {
            let parts = [turn(1, 2)?, turn(2, 0)?, turn(0, 1)?];
            let values: Vec<Tensor> = parts.iter().map(|p| p.values().clone()).collect();
            v.with(Tensor::concat(&values, 1)?)
        }
        _ => Err(Error::shape("a curl needs a vector in two or three dimensions")
            .got(format!("{channels} channels on a grid of {d} axes"))
            .expected("2 channels on 2 axes, or 3 on 3")),
    }
}
