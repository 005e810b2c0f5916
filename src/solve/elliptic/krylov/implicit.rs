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
///
/// With `r = b − A(θ) x₀`, which is 0, the solution is `x₀ + A⁻¹ r`: the gradient goes through `r`, with `A⁻ᵀ g`.
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
    let apply = |x: &Tensor| a(x);
    let precondition = preconditioner.cloned();
    let smooth = precondition.as_ref().map(|m| move |r: &Tensor| m(r));
    let smooth = smooth.as_ref().map(|m| m as &Apply);
    let (x, report) = krylov(method, &apply, b, guess, smooth, stop)?;
    let back = if symmetric { a.clone() } else { transpose(a) };
    let corrected = |x: &Tensor| -> Result<Tensor> {
        let r = b.sub(&a(x)?)?;
        let (back, precondition) = (back.clone(), precondition.clone());
        Ok(x.full_like(0.0)?.from(&r, || {
            move |g: &Tensor| {
                linear_solve(method, &back, g, None, precondition.as_ref(), stop, symmetric).map(|(x, _)| x)
            }
        }))
    };
    let linked = x.add(&corrected(&x)?)?;
    // The first correction gives the first derivative; a second one that starts from it, the second derivative too.
    let linked =
        if b.context().is_nested() && linked.is_tracked() { linked.add(&corrected(&linked)?)? } else { linked };
    Ok((linked, report))
}
