//! Conjugate gradients.

use super::vectors::{negated, quotients};
use super::{Apply, Course, applied};
use crate::error::Result;
use crate::session::interrupt;
use crate::tensor::Tensor;

/// Saad, *Iterative Methods for Sparse Linear Systems*, algorithm 9.1.
pub(super) fn solve(a: &Apply, m: &Apply, mut x: Tensor, mut r: Tensor, course: &mut Course) -> Result<Tensor> {
    let samples = course.samples.clone();
    let Some(mut open) = course.open(&samples.norms(&r)?)? else { return Ok(x) };
    let mut z = applied(m, &r)?;
    let mut p = z.clone();
    let mut rz = samples.dot(&r, &z)?;
    loop {
        interrupt::poll()?;
        let ap = applied(a, &p)?;
        let curvature = samples.dot(&p, &ap)?;
        // Also true for NaN, which the look at the residual names; a sample that is done may have any curvature.
        if curvature.iter().zip(&open).any(|(c, open)| *open && *c <= 0.0) {
            return Err(course.breakdown(
                "the operator or the preconditioner is not positive definite",
                "use BiCGStab or GMRES for operators that are not symmetric and positive; check the sign of the operator",
            ));
        }
        let alpha = quotients(&rz, &curvature, &open);
        x = samples.add(&x, &alpha, &p)?;
        r = samples.add(&r, &negated(&alpha), &ap)?;
        let Some(still) = course.open(&samples.norms(&r)?)? else { return Ok(x) };
        z = applied(m, &r)?;
        let next = samples.dot(&r, &z)?;
        let beta = quotients(&next, &rz, &still);
        p = samples.add(&z, &beta, &p)?;
        (rz, open) = (next, still);
    }
}
