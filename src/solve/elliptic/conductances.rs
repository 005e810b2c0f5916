//! The solution of a finite-volume problem as a differentiable function of its conductances.

use rayon::prelude::*;

use super::SolveReport;
use super::direct::Incompatible;
use super::multigrid::{Fault, Limits, Operator, Solver};
use crate::error::{Error, Result};
use crate::tensor::{Precision, Real, Shape, Tensor, broadcast, in_precision, record_joint, unbroadcast};

/// How an elliptic problem is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solve {
    /// The residual relative to the right-hand side at which to stop; 1e-10 in double precision, 1e-6 in single.
    pub tolerance: Option<f64>,
    /// Most iterations; 100.
    pub iterations: usize,
    /// What happens to the part of a right-hand side that has no solution.
    pub incompatible: Incompatible,
}

impl Default for Solve {
    fn default() -> Self {
        Self { tolerance: None, iterations: 100, incompatible: Incompatible::Refuse }
    }
}

/// The parts of `(A u)ᵢ = Σ_faces k (uᵢ − uⱼ) + (Σ walls + reaction)ᵢ uᵢ` on the cells of a box. Every tensor broadcasts against the right-hand
/// side `[.., cells…]`.
#[derive(Clone)]
pub struct Conductances {
    /// Per axis, of the face between cell `i` and the next one, in cyclic order: that of the last cell wraps around, and is 0 where the
    /// axis ends.
    pub faces: Vec<Tensor>,
    /// Per axis, to the walls that end it, in the cells beside them and 0 elsewhere. On coarser grids they count per distance, as faces do.
    pub walls: Vec<Option<Tensor>>,
    /// The reaction.
    pub reaction: Option<Tensor>,
}

impl Conductances {
    fn tensors(&self) -> Vec<&Tensor> {
        self.faces.iter().chain(self.walls.iter().flatten()).chain(&self.reaction).collect()
    }

    /// `A u`; differentiable.
    pub fn apply(&self, u: &Tensor) -> Result<Tensor> {
        let mut sum = u.full_like(0.0)?;
        for (axis, k) in self.faces.iter().enumerate() {
            let axis = axis as i64 - self.faces.len() as i64;
            let flux = k.mul(&u.sub(&u.roll(-1, axis)?)?)?;
            sum = sum.add(&flux)?.sub(&flux.roll(1, axis)?)?;
        }
        for held in self.walls.iter().flatten().chain(&self.reaction) {
            sum = sum.add(&held.mul(u)?)?;
        }
        Ok(sum)
    }

    /// `A⁻¹ b` by conjugate gradients with a multigrid cycle. Gradients reach `b` and every conductance, by one more solve: with `A λ = g`,
    ///
    /// ```text
    /// ∂L/∂b = λ      ∂L/∂k = −(λⱼ − λᵢ)(uⱼ − uᵢ)      ∂L/∂wall = ∂L/∂reaction = −λ u
    /// ```
    ///
    /// Parts of the box that have no wall and no reaction have solutions only if `b` adds up to 0 there, and take the one with the mean 0.
    ///
    /// # Errors
    /// When shapes do not fit, conductances are negative or not finite, a cell with a right-hand side exchanges with nothing, `b` is out
    /// of balance, or the iterations do not suffice.
    pub fn solve(&self, b: &Tensor, how: Solve) -> Result<(Tensor, SolveReport)> {
        let (u, report) = self.solved(b, how)?;
        let mut inputs = self.tensors();
        inputs.push(b);
        let shapes: Vec<(Shape, Precision)> = inputs.iter().map(|t| (t.shape(), t.precision())).collect();
        let (own, rhs, value) = (self.clone(), b.clone(), u.clone());
        let outputs = record_joint(&inputs, vec![u], move |gradients| {
            let Some(Some(g)) = gradients.first() else { return Ok(vec![None; shapes.len()]) };
            let back = Solve { incompatible: Incompatible::Remove, ..how };
            let (lambda, _) = own.solve(g, back)?;
            // Where the reverse pass is recorded, u is a function too.
            let u = if g.context().is_recording() { own.solve(&rhs, back)?.0 } else { value.clone() };
            let minus = lambda.scale(-1.0)?;
            let held = minus.mul(&u)?;
            let axes = own.faces.len();
            let mut out = Vec::with_capacity(shapes.len());
            for axis in 0..axes {
                let at = axis as i64 - axes as i64;
                let difference = |x: &Tensor| x.roll(-1, at)?.sub(x);
                out.push(difference(&minus)?.mul(&difference(&u)?)?);
            }
            let others = shapes.len() - 1 - axes;
            out.extend(std::iter::repeat_n(held, others));
            out.push(lambda);
            let fit = |(g, (shape, precision)): (Tensor, &(Shape, Precision))| {
                unbroadcast(&g, shape)?.cast(*precision).map(Some)
            };
            out.into_iter().zip(&shapes).map(fit).collect()
        });
        let u = outputs.into_iter().next().ok_or_else(|| Error::internal("a solve without a solution"))?;
        Ok((u, report))
    }

    fn solved(&self, b: &Tensor, how: Solve) -> Result<(Tensor, SolveReport)> {
        let (shape, axes) = (b.shape(), self.faces.len());
        if axes == 0 || axes > 3 || self.walls.len() != axes || shape.len() < axes {
            return Err(Error::shape("a finite-volume problem has one to three axes, with faces and walls for each")
                .got(format!(
                    "{axes} axes of faces, {} of walls, a right-hand side of shape {shape:?}",
                    self.walls.len()
                )));
        }
        for tensor in self.tensors() {
            if broadcast("conductances", &tensor.shape(), &shape)? != shape {
                return Err(Error::shape("conductances do not fit the right-hand side")
                    .got(format!("{:?} and {shape:?}", tensor.shape())));
            }
        }
        let precision = b.precision();
        in_precision!(precision, T => {
            let lead = &shape[..shape.len() - axes];
            let systems: usize = lead.iter().product();
            let cells: usize = shape[shape.len() - axes..].iter().product();
            let context = b.context();
            // Operators that are the same for all samples are built once.
            let alike = self.tensors().iter().all(|t| {
                let shape = t.shape();
                shape.len() <= axes || shape[..shape.len() - axes].iter().all(|&n| n == 1)
            });
            // Systems that differ are solved side by side, each with its own grids.
            let held = if alike { cells } else { b.len() };
            let vectors = b.len().saturating_mul(size_of::<f64>() * 8);
            context.reserve(held.saturating_mul(Solver::<T>::bytes_per_cell()).saturating_add(vectors))?;
            if b.is_empty() {
                return Ok((b.detach(), SolveReport { iterations: 0, residual: 0.0, history: vec![], method: METHOD }));
            }
            let operators = self.operators(&shape, if alike { 1 } else { systems })?;
            let right = b.to_vec()?;
            let limits = Limits {
                tolerance: how.tolerance.unwrap_or(if precision == Precision::F64 { 1e-10 } else { 1e-6 }),
                iterations: how.iterations,
                balance: (how.incompatible == Incompatible::Refuse).then_some(MEAN),
            };
            let results: Vec<_> = if alike {
                let solver = operators.into_iter().next().map(Solver::<T>::new).ok_or_else(|| Error::internal("no operator"))?;
                right.par_chunks(cells).map(|b| solver.solve(b, limits)).collect()
            } else {
                right.par_chunks(cells).zip(operators).map(|(b, o)| Solver::<T>::new(o).solve(b, limits)).collect()
            };
            let (mut values, mut history) = (Vec::with_capacity(right.len()), Vec::<f64>::new());
            for (sample, result) in results.into_iter().enumerate() {
                let (x, own) = result.map_err(|fault| explain(fault, sample, limits.tolerance))?;
                values.extend(x.into_iter().map(T::of));
                history.resize(history.len().max(own.len()), 0.0);
                history.iter_mut().zip(&own).for_each(|(worst, own)| *worst = worst.max(*own));
            }
            let report = SolveReport {
                iterations: history.len().saturating_sub(1),
                residual: history.last().copied().unwrap_or(0.0),
                history,
                method: METHOD,
            };
            Ok((Tensor::from_vec(context, values, &shape)?, report))
        })
    }

    /// The numbers of each system, checked.
    fn operators(&self, shape: &[usize], systems: usize) -> Result<Vec<Operator>> {
        let axes = self.faces.len();
        let space = &shape[shape.len() - axes..];
        let target: Vec<usize> = if systems == 1 { space.to_vec() } else { shape.to_vec() };
        let cells: usize = space.iter().product();
        let numbers = |what: &str, tensor: &Tensor| -> Result<Vec<f64>> {
            let own = tensor.detach();
            // A lead of ones is dropped, so that the numbers are those of one system.
            let own =
                if systems == 1 && own.rank() > axes { own.reshape(&own.shape()[own.rank() - axes..])? } else { own };
            let values = own.expand(&target)?.to_vec()?;
            match values.iter().find(|v| !(v.is_finite() && (**v >= 0.0 || what == "c"))) {
                None => Ok(values),
                Some(v) if v.is_finite() => Err(Error::value(format!("elliptic: {what} is negative somewhere"))
                    .got(v)
                    .expected("0 or more; 0 closes a face")),
                Some(v) => Err(Error::not_finite(format!("elliptic: {what} is not finite")).got(v)),
            }
        };
        let faces = self.faces.iter().map(|k| numbers("a", k)).collect::<Result<Vec<_>>>()?;
        let wall = |w: &Option<Tensor>| w.as_ref().map_or(Ok(Vec::new()), |w| numbers("a at an edge", w));
        let walls = self.walls.iter().map(wall).collect::<Result<Vec<_>>>()?;
        let reaction = self.reaction.as_ref().map_or(Ok(Vec::new()), |c| numbers("c", c))?;
        let lead = 3 - axes;
        let mut n = [1; 3];
        n[lead..].copy_from_slice(space);
        let part =
            |all: &[f64], system: usize| all.get(system * cells..(system + 1) * cells).unwrap_or_default().to_vec();
        let of_axis = |all: &[Vec<f64>], axis: usize, system: usize| {
            axis.checked_sub(lead).and_then(|own| all.get(own)).map_or(Vec::new(), |all| part(all, system))
        };
        // A single cell exchanges with itself alone.
        let exchanged =
            |axis: usize, system: usize| if n[axis] == 1 { Vec::new() } else { of_axis(&faces, axis, system) };
        Ok((0..systems)
            .map(|system| Operator {
                n,
                faces: std::array::from_fn(|axis| exchanged(axis, system)),
                walls: std::array::from_fn(|axis| of_axis(&walls, axis, system)),
                reaction: part(&reaction, system),
            })
            .collect())
    }
}

const METHOD: &str = "conjugate gradients with multigrid";
/// A mean above this part of the root mean square of a right-hand side is refused where it must be 0.
const MEAN: f64 = 1e-2;

fn explain(fault: Fault, sample: usize, tolerance: f64) -> Error {
    match fault {
        Fault::NotFinite => Error::not_finite(format!("elliptic: the right-hand side of sample {sample} is not finite")),
        Fault::Interrupted => crate::session::interrupt::poll().err().unwrap_or_else(Error::interrupted),
        Fault::Unbalanced { part, of, excess } => Error::value(
            "elliptic: without a wall of known value and without c there is no solution unless the right-hand side adds up to 0",
        )
        .got(format!("a mean of {excess:.2} of the root mean square in sample {sample}, part {} of {of} of the box", part + 1))
        .advice("subtract it, fluxes at the edges included; or let it be removed: incompatible: \"remove\""),
        Fault::Disconnected { cell } => Error::value("elliptic: a cell with a right-hand side exchanges with nothing")
            .got(format!("cell {cell} of sample {sample}, where a and c are 0"))
            .expected("a of more than 0 on some face, or c of more than 0"),
        Fault::Indefinite => Error::value(format!("elliptic: the operator of sample {sample} is not positive definite"))
            .advice("c must not be so negative that it outweighs the exchange; a Robin condition a u + b ∂u/∂n needs a and b of one sign"),
        Fault::Iterations { iterations, residual } => Error::value("elliptic: the iterations do not suffice")
            .got(format!("a residual of {residual:.1e} after {iterations} iterations in sample {sample}"))
            .expected(format!("{tolerance:.1e} of the right-hand side"))
            .advice("allow more `iterations` or a larger `tolerance`; jumps of a by many orders of magnitude slow it down"),
    }
}
