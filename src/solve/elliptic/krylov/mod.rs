//! Krylov methods for `A x = b`, where `A` is any linear function of tensors.
//!
//! Samples are systems of their own: axis 0 counts them, every inner product is taken per sample, and a sample that is done stands
//! still while the others go on.

mod bicgstab;
mod cg;
mod gmres;
mod implicit;
mod vectors;

pub use implicit::{BothWays, Operator, Way, linear_solve, transpose};

use self::vectors::Samples;
use crate::error::{Error, Result};
use crate::tensor::{Precision, Tensor};

/// A linear function of tensors that keeps the shape.
pub type Apply<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

/// How the solution is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Conjugate gradients: for symmetric positive definite operators. Hestenes and Stiefel (1952).
    ConjugateGradients,
    /// Stabilised bi-conjugate gradients: for any operator, with little memory. Van der Vorst (1992).
    BiCgStab,
    /// Generalised minimal residuals, begun again after so many vectors: for any operator. Saad and Schultz (1986).
    Gmres {
        /// Vectors that are kept; 30.
        restart: usize,
    },
}

impl Method {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConjugateGradients => "conjugate gradients",
            Self::BiCgStab => "BiCGStab",
            Self::Gmres { .. } => "GMRES",
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// The residual relative to the right-hand side, `|b − A x| / |b|`.
    pub tolerance: f64,
    /// Most applications of the operator (of two for BiCGStab).
    pub iterations: usize,
}

impl Stop {
    /// 1e-10 in double precision, 1e-5 in single; 1000 iterations.
    pub fn usual(precision: Precision) -> Self {
        Self { tolerance: if precision == Precision::F64 { 1e-10 } else { 1e-5 }, iterations: 1000 }
    }
}

/// What a solver did.
#[derive(Debug, Clone, PartialEq)]
pub struct SolveReport {
    /// Iterations of the slowest sample.
    pub iterations: usize,
    /// The largest residual of a sample at the end, relative to its right-hand side.
    pub residual: f64,
    /// The residual before each iteration and at the end.
    pub history: Vec<f64>,
    /// The method's name.
    pub method: &'static str,
}

/// Solves `A x = b` by iteration, from `x = 0` or a guess. Nothing is recorded for gradients; [`linear_solve`] does that.
///
/// Shapes: `b`, `x` `[sample, …]`; of rank 0 or 1 they are a single system. The preconditioner approximates `A⁻¹`; in conjugate gradients it
/// must be symmetric and positive definite too.
///
/// # Errors
/// When the iterations do not suffice, when the method breaks down, and when a number is not finite.
pub fn krylov(
    method: Method,
    a: &Apply,
    b: &Tensor,
    guess: Option<&Tensor>,
    preconditioner: Option<&Apply>,
    stop: Stop,
) -> Result<(Tensor, SolveReport)> {
    if !(stop.tolerance >= 0.0 && stop.tolerance < 1.0) {
        return Err(Error::value("the tolerance of a linear solver is relative to the right-hand side")
            .got(stop.tolerance)
            .expected("from 0 to below 1, such as 1e-8"));
    }
    let b = b.detach();
    b.context().without_recording(|| {
        let samples = Samples::of(&b);
        let norms = samples.norms(&b)?;
        if norms.iter().any(|n| !n.is_finite()) {
            return Err(Error::not_finite(format!("{}: the right-hand side is not finite", method.name())));
        }
        let x = match guess {
            Some(guess) if guess.shape() != b.shape() => {
                return Err(Error::shape("the guess does not have the shape of the right-hand side")
                    .got(format!("{:?}", guess.shape()))
                    .expected(format!("{:?}", b.shape())));
            }
            Some(guess) => guess.detach().cast(b.precision())?,
            None => b.full_like(0.0)?,
        };
        let r = if guess.is_some() { b.sub(&applied(a, &x)?)? } else { b.clone() };
        let mut course = Course { method, stop, norms, history: Vec::new(), samples };
        let identity = |r: &Tensor| Ok(r.clone());
        let m: &Apply = preconditioner.unwrap_or(&identity);
        let x = match method {
            Method::ConjugateGradients => cg::solve(a, m, x, r, &mut course)?,
            Method::BiCgStab => bicgstab::solve(a, m, x, r, &mut course)?,
            Method::Gmres { restart } => gmres::solve(a, m, &b, (x, r), restart, &mut course)?,
        };
        Ok((x, course.report()))
    })
}

fn applied(a: &Apply, x: &Tensor) -> Result<Tensor> {
    let y = a(x)?;
    if y.shape() != x.shape() {
        return Err(Error::shape("the operator of a linear system must keep the shape").got(format!(
            "{:?} from {:?}",
            y.shape(),
            x.shape()
        )));
    }
    Ok(y.detach())
}

/// How far the iteration is.
struct Course {
    method: Method,
    stop: Stop,
    /// Norms of the right-hand sides.
    norms: Vec<f64>,
    history: Vec<f64>,
    samples: Samples,
}

impl Course {
    /// Notes the residuals of all samples: which are still to be reduced, or `None` when none is.
    fn open(&mut self, residuals: &[f64]) -> Result<Option<Vec<bool>>> {
        let name = self.method.name();
        let iteration = self.history.len();
        if residuals.iter().any(|r| !r.is_finite()) {
            return Err(Error::not_finite(format!("{name}: iteration {iteration} is not finite"))
                .advice("the operator or the preconditioner returns NaN or overflows, or the method diverges"));
        }
        let relative = |(r, b): (&f64, &f64)| if *b > 0.0 { r / b } else { *r };
        let parts: Vec<f64> = residuals.iter().zip(&self.norms).map(relative).collect();
        let worst = parts.iter().copied().fold(0.0, f64::max);
        self.history.push(worst);
        let open: Vec<bool> = parts.iter().map(|&part| part > self.stop.tolerance).collect();
        if !open.contains(&true) {
            return Ok(None);
        }
        if iteration >= self.stop.iterations {
            return Err(Error::value(format!("{name}: the iterations do not suffice"))
                .got(format!("a residual of {worst:.1e} after {iteration} iterations"))
                .expected(format!("{:.1e} of the right-hand side", self.stop.tolerance))
                .advice("allow more `iterations`, a larger `tolerance`, or use a better `preconditioner`"));
        }
        Ok(Some(open))
    }
    fn breakdown(&self, what: &str, advice: &str) -> Error {
        Error::value(format!("{}: {what}", self.method.name()))
            .got(format!(
                "a residual of {:.1e} in iteration {}",
                self.history.last().unwrap_or(&1.0),
                self.history.len()
            ))
            .advice(advice)
    }
    fn report(self) -> SolveReport {
        SolveReport {
            iterations: self.history.len().saturating_sub(1),
            residual: self.history.last().copied().unwrap_or(0.0),
            history: self.history,
            method: self.method.name(),
        }
    }
}

#[cfg(test)]
mod tests;
