//! Integrals, norms and inner products of fields by the quadrature weights of their grid.
//!
//! Midpoint rule for cells and periodic axes, trapezoidal rule for nodes: second order, on periodic axes exact to rounding for what the grid
//! resolves.

use super::base::Field;
use crate::error::{Error, Result};
use crate::tensor::{Tensor, Unary};

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// `∫ Σ_c |u_c|`
    L1,
    /// `√∫ Σ_c u_c²`
    L2,
    /// `max |u|`
    Max,
}

/// `Σ values · weights` over space.
fn weighted(u: &Field, values: &Tensor) -> Result<Tensor> {
    let (axes, grid) = (u.grid().space_axes(), u.grid());
    let weights = grid.weights(u.context(), values.precision())?;
    let uniform = grid.axes().iter().all(|axis| !axis.has_nodes());
    if axes.is_empty() {
        return Ok(values.clone());
    }
    if uniform {
        return values.sum(&axes, false)?.scale(grid.cell_volume());
    }
    let weighted = weights.iter().try_fold(values.clone(), |sum, w| sum.mul(w))?;
    weighted.sum(&axes, false)
}

/// `∫ u`, `[sample, channel]`.
///
/// # Errors
/// When memory does not suffice.
pub fn integral(u: &Field) -> Result<Tensor> {
    weighted(u, u.values())
}

/// `∫ Σ_c u_c v_c`, `[sample]`.
///
/// # Errors
/// Fields on different grids, or of shapes that do not fit.
pub fn inner(u: &Field, v: &Field) -> Result<Tensor> {
    u.same_grid(v)?;
    weighted(u, &u.values().mul(v.values())?)?.sum(&[1], false)
}

/// A norm of each sample, `[sample]`. Where it is 0 its gradient is 0.
///
/// # Errors
/// No channels.
pub fn norm(u: &Field, which: Norm) -> Result<Tensor> {
    if u.values().is_empty() {
        return Err(Error::shape("a norm of no numbers").got(format!("shape {:?}", u.values().shape())));
    }
    match which {
        Norm::L1 => weighted(u, &u.values().unary(Unary::Abs)?)?.sum(&[1], false),
        Norm::L2 => {
            // The weights go inside, so that the safe root of the plain norm is used.
            let grid = u.grid();
            let roots = grid.weights(u.context(), u.values().precision())?;
            let weighted = roots.iter().try_fold(u.values().clone(), |sum, w| sum.mul(&w.unary(Unary::Sqrt)?))?;
            let axes: Vec<i64> = (1..weighted.rank() as i64).collect();
            weighted.norm(&axes, false)
        }
        Norm::Max => {
            let axes: Vec<i64> = (1..u.values().rank() as i64).collect();
            u.values().unary(Unary::Abs)?.max(&axes, false)
        }
    }
}
