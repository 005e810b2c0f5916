//! Fields on coarser and finer grids.

use super::banded::{Banded, Row};
use super::base::Field;
use super::grid::{Axis, Grid};
use super::stencil::fornberg;
use crate::error::{Error, Result};
use crate::tensor::{Complex, Tensor, irfft, rfft};

/// How new points are made between old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refinement {
    /// On straight lines: second order.
    Linear,
    /// On polynomials of third degree: fourth order.
    Cubic,
    /// By the trigonometric polynomial through the points; periodic grids only.
    Spectral,
}

/// The grid with one of `factor` points (of nodes, one of `factor` intervals).
fn coarser(grid: &Grid, factor: usize) -> Result<Grid> {
    let points = grid.axes().iter().map(|axis| {
        let cells = if axis.has_nodes() { axis.points - 1 } else { axis.points };
        if factor == 0 || !cells.is_multiple_of(factor) {
            return Err(Error::value(format!("axis {} cannot be made coarser by this factor", axis.name))
                .got(format!("{cells} intervals, factor {factor}"))
                .expected("a factor that divides the number of intervals"));
        }
        Ok(cells / factor + axis.has_nodes() as usize)
    });
    grid.with_points(&points.collect::<Result<Vec<_>>>()?)
}
/// The grid with every interval divided by `factor`.
fn finer(grid: &Grid, factor: usize) -> Result<Grid> {
    let points = grid.axes().iter().map(|axis| {
        let cells = if axis.has_nodes() { axis.points - 1 } else { axis.points };
        let fine = cells.checked_mul(factor).filter(|n| *n > 0 && *n < 1 << 40);
        let fine = fine.ok_or_else(|| Error::value("no grid of this fineness").got(format!("{cells} × {factor}")))?;
        Ok(fine + axis.has_nodes() as usize)
    });
    grid.with_points(&points.collect::<Result<Vec<_>>>()?)
}

/// Applies a map along every axis of space.
fn each_axis(u: &Field, to: Grid, map: impl Fn(&Axis, &Axis) -> Result<Banded>) -> Result<Field> {
    let mut values = u.values().clone();
    for (i, (from, into)) in u.grid().axes().iter().zip(to.axes()).enumerate() {
        values = map(from, into)?.apply(&values, u.grid().tensor_axis(i))?;
    }
    Field::new(values, to)
}

/// A coarser field by a whole factor: means of cells; of nodes and periodic points, whose positions stay, every `factor`-th one.
///
/// # Errors
/// A factor that does not divide the number of intervals of each axis.
pub fn restrict(u: &Field, factor: usize) -> Result<Field> {
    let to = coarser(u.grid(), factor)?;
    each_axis(u, to, |from, to| {
        let mean = !from.periodic && !from.has_nodes();
        let row = |i: usize| -> Row {
            match mean {
                true => (0..factor).map(|k| (i * factor + k, 1.0 / factor as f64)).collect(),
                false => vec![(i * factor, 1.0)],
            }
        };
        Banded::from_rows(from.points, (0..to.points).map(row).collect())
    })
}

/// A finer field by a whole factor. Near edges polynomials lean inwards: nothing is assumed about the edge.
///
/// # Errors
/// A factor of 0; fewer points than the method needs; `Spectral` with edges.
pub fn refine(u: &Field, factor: usize, method: Refinement) -> Result<Field> {
    let to = finer(u.grid(), factor)?;
    // Before any row of a matrix is made: per point of an axis some hundred bytes.
    let rows: usize = to.shape().iter().sum();
    u.context().reserve(rows.saturating_mul(128).saturating_add(to.points().saturating_mul(4)))?;
    let taps = match method {
        Refinement::Linear => 2,
        Refinement::Cubic => 4,
        Refinement::Spectral => return spectral(u, factor, to),
    };
    each_axis(u, to, |from, to| {
        if from.points < taps {
            return Err(Error::value(format!("axis {} has too few points to refine", from.name)).got(from.points));
        }
        let row = |i: usize| -> Row {
            // The place of the new point in old spacings.
            let s = (i as f64 + to.inset()) / factor as f64 - from.inset();
            let first = s.floor() as i64 - (taps as i64 / 2 - 1);
            let n = from.points as i64;
            let first = if from.periodic { first } else { first.clamp(0, n - taps as i64) };
            let points: Vec<f64> = (0..taps).map(|k| (first + k as i64) as f64).collect();
            let column = |k: usize| (first + k as i64).rem_euclid(n) as usize;
            fornberg(s, &points, 0).into_iter().enumerate().map(|(k, w)| (column(k), w)).collect()
        };
        Banded::from_rows(from.points, (0..to.points).map(row).collect())
    })
}

/// One axis after the other: the half spectrum continued with zeros. The Nyquist mode of an even number of points stays a cosine.
fn spectral(u: &Field, factor: usize, to: Grid) -> Result<Field> {
    u.grid().require_periodic("refinement by Fourier modes")?;
    let mut values = u.values().clone();
    for (i, axis) in u.grid().axes().iter().enumerate() {
        let at = u.grid().tensor_axis(i);
        let place = (values.rank() as i64 + at) as usize;
        let (n, fine) = (axis.points, axis.points * factor);
        let modes = n / 2 + 1;
        let spectrum = rfft(&values, &[at])?;
        let mut factors = vec![factor as f64; modes];
        // At the old Nyquist the two modes of ±n/2 were one; on the finer grid each gets half.
        if let (Some(last), true) = (factors.last_mut(), n.is_multiple_of(2) && factor > 1) {
            *last /= 2.0;
        }
        let mut shape = vec![1; values.rank()];
        shape.iter_mut().skip(place).take(1).for_each(|len| *len = modes);
        let factors = Tensor::from_vec::<f64>(values.context(), factors, &shape)?.cast(values.precision())?;
        let wide =
            |part: &Tensor| part.mul(&factors)?.pad(at, 0, fine / 2 + 1 - modes, crate::tensor::Padding::Constant(0.0));
        values = irfft(&Complex::new(wide(&spectrum.re)?, wide(&spectrum.im)?)?, fine, &[at])?;
    }
    Field::new(values, to)
}
