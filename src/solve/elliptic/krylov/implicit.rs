//! The solution of a linear system as a differentiable function of everything in it.

use std::rc::Rc;

use super::{Apply, Method, SolveReport, Stop, krylov};
use crate::error::{Error, Result};
use crate::tensor::{Tensor, vjp};

/// A linear function of tensors that can be kept; what it captured may be tracked.
pub type Operator = Rc<dyn Fn(&Tensor) -> Result<Tensor>>;

/// `Aᵀ`, by differentiating `A`.
pub fn transpose(a: &Operator) -> Operator {
    let a = a.clone();
    Rc::new(move |v: &Tensor| {
        let context = v.context();
        // A linear function has the same derivative everywhere. A reverse pass around this one records nothing, so it is asked for.
        let done = context
            .with_recording(|| vjp(context, &[v.full_like(0.0)?], |x| Ok((vec![(a(&x[0])?, v.clone())], ()))))?;
        done.gradients.into_iter().next().ok_or_else(|| Error::internal("a transpose without a result"))
    })
}

/// [`krylov`] with gradients with respect to `b` and to everything that `a` captured, by one solve with the transpose for each pass.
/// `symmetric` says that `Aᵀ = A`; conjugate gradients imply it. The preconditioner is used for the transpose too.
pub fn linear_solve(
    method: Method,
    a: &Operator,
    b: &Tensor,
    guess: Option<&Tensor>,
    preconditioner: Option<&Operator>,
    stop: Stop,
    symmetric: bool,
) -> Result<(Tensor, SolveReport)> {
    let symmetric = symmetric || method == Method::ConjugateGradients;
    let back = if symmetric { a.clone() } else { transpose(a) };
    let way = |a: Operator| Way { a, inverse: preconditioner.cloned(), exact: false };
    BothWays { direct: way(a.clone()), back: way(back), method, stop }.solve(b, guess)
}

/// A linear operator and something near its inverse.
#[derive(Clone)]
pub struct Way {
    /// `A`
    pub a: Operator,
    /// Something near `A⁻¹`.
    pub inverse: Option<Operator>,
    /// Whether that is `A⁻¹` up to rounding.
    pub exact: bool,
}

/// An operator and its transpose, with preconditioners for both.
#[derive(Clone)]
pub struct BothWays {
    /// The operator.
    pub direct: Way,
    /// Its transpose.
    pub back: Way,
    /// How it is solved.
    pub method: Method,
    /// When to stop.
    pub stop: Stop,
}

impl BothWays {
    /// With the transpose in the place of the operator.
    pub fn transposed(&self) -> Self {
        Self { direct: self.back.clone(), back: self.direct.clone(), ..self.clone() }
    }
    /// `A⁻¹ b`; gradients reach `b` and everything that `a` captured, by one solve with the transpose for each pass.
    ///
    /// With `r = b − A(θ) x₀`, which is 0, the solution is `x₀ + A⁻¹ r`: the gradient goes through `r`, with `A⁻ᵀ g`.
    ///
    /// # Errors
    /// Those of [`krylov`].
    pub fn solve(&self, b: &Tensor, guess: Option<&Tensor>) -> Result<(Tensor, SolveReport)> {
        let (x, report) = self.found(b, guess)?;
        let corrected = |x: &Tensor| -> Result<Tensor> {
            let r = b.sub(&(self.direct.a)(x)?)?;
            self.correction(&r)
        };
        let linked = x.add(&corrected(&x)?)?;
        // The first correction gives the first derivative; a second one that starts from it, the second derivative too.
        let linked =
            if b.context().is_nested() && linked.is_tracked() { linked.add(&corrected(&linked)?)? } else { linked };
        Ok((linked, report))
    }
    /// 0 that depends on a residual `r`, which is 0, as `A⁻¹ r` does.
    pub fn correction(&self, r: &Tensor) -> Result<Tensor> {
        let back = self.transposed();
        Ok(r.full_like(0.0)?.from(r, || move |g: &Tensor| back.solve(g, None).map(|(x, _)| x)))
    }
    /// The solution alone; nothing is recorded. An exact inverse is improved by its own residual.
    fn found(&self, b: &Tensor, guess: Option<&Tensor>) -> Result<(Tensor, SolveReport)> {
        let Way { a, inverse, exact } = &self.direct;
        if let (true, Some(inverse)) = (*exact, inverse) {
            let done = b.context().without_recording(|| refined(a, inverse, &b.detach(), self.stop))?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        let apply = |x: &Tensor| a(x);
        let smooth = inverse.as_ref().map(|m| move |r: &Tensor| m(r));
        krylov(self.method, &apply, b, guess, smooth.as_ref().map(|m| m as &Apply), self.stop)
    }
}

/// Corrections by an inverse until the residual no longer shrinks; `None` where that leaves more than tolerated.
fn refined(a: &Operator, inverse: &Operator, b: &Tensor, stop: Stop) -> Result<Option<(Tensor, SolveReport)>> {
    let samples = super::vectors::Samples::of(b);
    let norms = samples.norms(b)?;
    if norms.iter().any(|n| !n.is_finite()) {
        return Err(Error::not_finite("the right-hand side of a linear system is not finite"));
    }
    let worst = |r: &Tensor| -> Result<f64> {
        let parts = samples.norms(r)?.into_iter().zip(&norms).map(|(r, b)| if *b > 0.0 { r / b } else { r });
        Ok(parts.fold(0.0, |most, part| if part.is_nan() { f64::INFINITY } else { most.max(part) }))
    };
    let mut x = inverse(b)?.detach();
    let mut r = b.sub(&a(&x)?.detach())?;
    let mut history = vec![1.0, worst(&r)?];
    // Twice reaches rounding; each further one must pay.
    while history.len() < 8 {
        let next = x.add(&inverse(&r)?.detach())?;
        let next_r = b.sub(&a(&next)?.detach())?;
        let (before, after) = (history.last().copied().unwrap_or(1.0), worst(&next_r)?);
        if after.is_nan() || after >= 0.5 * before {
            break;
        }
        (x, r) = (next, next_r);
        history.push(after);
    }
    let residual = history.last().copied().unwrap_or(1.0);
    // What an operator of high order leaves at rounding may be more than asked for.
    let rounding = if b.precision() == crate::tensor::Precision::F64 { 1e-9 } else { 1e-3 };
    if residual > stop.tolerance.max(rounding) {
        return Ok(None);
    }
    let report = SolveReport { iterations: history.len() - 1, residual, history, method: "elimination" };
    Ok(Some((x, report)))
}
