//! `−div(a grad u) + c u = f` on cells.

use super::SolveReport;
use super::conductances::{Conductances, Solve};
use super::ends::{Ends, add_at_end, robin};
use crate::error::{Error, Result};
use crate::field::{EdgeKind, Field};
use crate::tensor::{Binary, Compare, Padding, Tensor, Unary};

/// The mean of two cells' `a` at the face between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaceMean {
    /// `(a + b)/2`: second order where `a` is smooth.
    #[default]
    Arithmetic,
    /// `2ab/(a + b)`: exact for layers that meet at a face.
    Harmonic,
}

/// The problem `−div(a grad u) + c u = f` by finite volumes: two-point fluxes through the faces of the cells.
///
/// Shapes: `a` and `c` broadcast against `[sample, channel, x…]`. Edges may be periodic or of the first, second or third kind; a Dirichlet
/// value holds at the face, half a cell outside the centre, with the cell's own `a` between the two. The flux `a ∂u/∂n` through edges of the
/// second and third kind takes `a` at the edge, extrapolated from two cells where they differ by less than half.
#[derive(Clone)]
pub struct Diffusion {
    /// The diffusivity, 0 or more.
    pub a: Tensor,
    /// The reaction.
    pub c: Option<Tensor>,
    /// How `a` is taken at faces.
    pub mean: FaceMean,
}

impl Diffusion {
    /// With arithmetic means and without a reaction.
    pub fn new(a: Tensor) -> Self {
        Self { a, c: None, mean: FaceMean::Arithmetic }
    }

    /// Solves by conjugate gradients with a multigrid cycle. Gradients reach `a`, `c`, `f` and the values of the edges, by one more solve.
    ///
    /// # Errors
    /// On grids of nodes, and as of [`Conductances::solve`].
    pub fn solve(&self, f: &Field, unknown: Option<&str>, how: Solve) -> Result<(Field, SolveReport)> {
        let ends = Ends::of(f, unknown)?;
        let (conductances, lift) = self.assemble(f, &ends)?;
        let b = lift.map_or(Ok(f.values().clone()), |lift| f.values().add(&lift))?;
        let (u, report) = conductances.solve(&b, how)?;
        Ok((f.with(u)?, report))
    }
    /// The conductances on the grid of `f`, divided by the cell's volume, and what the edges add to the right-hand side.
    pub fn on(&self, f: &Field, unknown: Option<&str>) -> Result<(Conductances, Option<Tensor>)> {
        self.assemble(f, &Ends::of(f, unknown)?)
    }

    fn assemble(&self, f: &Field, ends: &[Ends]) -> Result<(Conductances, Option<Tensor>)> {
        if ends.iter().any(|ends| ends.nodes) {
            return Err(Error::value("elliptic: finite volumes need values at the centres of cells")
                .got(f.grid())
                .advice("make the grid with values at centres; poisson(f) solves at nodes where a is constant"));
        }
        let values = f.values();
        // Space axes of `a` written out; samples and channels stay as they are.
        let space = f.grid().shape();
        let lead = self.a.rank().saturating_sub(space.len());
        let wide: Vec<usize> = self.a.shape().iter().take(lead).copied().chain(space.iter().copied()).collect();
        let a = self.a.cast(values.precision())?.expand(&wide)?;
        let mut faces = Vec::with_capacity(ends.len());
        let mut walls = vec![None; ends.len()];
        let mut lift: Option<Tensor> = None;
        for (axis, ends) in ends.iter().enumerate() {
            let at = lead + axis;
            let square = 1.0 / (ends.spacing * ends.spacing);
            faces.push(self.between(&a, at, ends.kinds[0] == EdgeKind::Periodic)?.scale(square)?);
            for end in 0..2 {
                let Some((factor, slope)) = robin(ends.kinds[end]) else {
                    if ends.kinds[end] == EdgeKind::Free {
                        return Err(Error::value("elliptic: an edge without a condition"));
                    }
                    continue;
                };
                // The value beyond the face, so that a (u₀ + u₋)/2 + b (u₋ − u₀)/h = value.
                let weight = 0.5 * factor + slope / ends.spacing;
                if weight == 0.0 || !weight.is_finite() {
                    return Err(Error::value("elliptic: a Robin condition that cannot be met on this grid")
                        .got(format!("{factor} u + {slope} ∂u/∂n with a spacing of {}", ends.spacing)));
                }
                let beside = if slope == 0.0 { beside(&a, at, end, 0)? } else { at_edge(&a, at, end)? };
                if factor != 0.0 {
                    let held = beside.scale(square * factor / weight)?;
                    let wall = walls[axis].take().map_or_else(|| a.full_like(0.0), Ok)?;
                    walls[axis] = Some(add_at_end(&wall, at, end, &held)?);
                }
                if let Some(value) = &ends.values[end] {
                    let given = value.mul(&beside)?.scale(square / weight)?;
                    let whole = lift.take().map_or_else(|| values.full_like(0.0), Ok)?;
                    lift = Some(add_at_end(&whole, axis + 2, end, &given)?);
                }
            }
        }
        Ok((Conductances { faces, walls, reaction: self.c.clone() }, lift))
    }

    /// `a` at the faces of one axis, in cyclic order.
    fn between(&self, a: &Tensor, axis: usize, wraps: bool) -> Result<Tensor> {
        let n = a.shape()[axis];
        let mean = |a: &Tensor, b: &Tensor| match self.mean {
            FaceMean::Arithmetic => a.add(b)?.scale(0.5),
            FaceMean::Harmonic => {
                let sum = a.add(b)?;
                // Two cells of 0 have a closed face, not 0/0.
                let open = sum.compare(Compare::Greater, &sum.full_like(0.0)?)?;
                let safe = open.choose(&sum, &sum.full_like(1.0)?)?;
                a.mul(b)?.scale(2.0)?.div(&safe)
            }
        };
        if wraps {
            return mean(a, &a.roll(-1, axis as i64)?);
        }
        if n == 1 {
            return a.full_like(0.0);
        }
        let inner = mean(&a.narrow(axis, 0, n - 1)?, &a.narrow(axis, 1, n - 1)?)?;
        inner.pad(axis as i64, 0, 1, Padding::Constant(0.0))
    }
}

/// `a` in the cell beside an edge, or so many cells further in.
fn beside(a: &Tensor, axis: usize, end: usize, further: usize) -> Result<Tensor> {
    let n = a.shape()[axis];
    a.narrow(axis, if end == 0 { further } else { n - 1 - further }, 1)
}
/// `a` at an edge: `(3a₀ − a₁)/2`, without which the flux of a slope that is given would be of first order; across a jump that of the cell.
fn at_edge(a: &Tensor, axis: usize, end: usize) -> Result<Tensor> {
    let first = beside(a, axis, end, 0)?;
    if a.shape()[axis] < 2 {
        return Ok(first);
    }
    let second = beside(a, axis, end, 1)?;
    let least = first.detach().binary(Binary::Min, &second.detach())?.scale(0.5)?;
    let smooth = first.detach().sub(&second.detach())?.unary(Unary::Abs)?.compare(Compare::LowerEqual, &least)?;
    smooth.choose(&first.scale(1.5)?.sub(&second.scale(0.5)?)?, &first)
}
