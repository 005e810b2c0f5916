//! Stabilised bi-conjugate gradients.

use super::vectors::{negated, quotients};
use super::{Apply, Course, applied};
use crate::error::Result;
use crate::session::interrupt;
use crate::tensor::Tensor;

/// Van der Vorst (1992), preconditioned from the right; begun again from the present residual where `ρ` or `ω` vanishes.
pub(super) fn solve(a: &Apply, m: &Apply, mut x: Tensor, mut r: Tensor, course: &mut Course) -> Result<Tensor> {
    let samples = course.samples.clone();
    let Some(mut open) = course.open(&samples.norms(&r)?)? else { return Ok(x) };
    let mut shadow = r.clone();
    let mut p = r.clone();
    let mut rho = samples.dot(&shadow, &r)?;
    loop {
        interrupt::poll()?;
        let p_hat = applied(m, &p)?;
        let v = applied(a, &p_hat)?;
        let alpha = finite(quotients(&rho, &samples.dot(&shadow, &v)?, &open));
        let s = samples.add(&r, &negated(&alpha), &v)?;
        let s_hat = applied(m, &s)?;
        let t = applied(a, &s_hat)?;
        let omega = finite(quotients(&samples.dot(&t, &s)?, &samples.dot(&t, &t)?, &open));
        x = samples.add(&samples.add(&x, &alpha, &p_hat)?, &omega, &s_hat)?;
        r = samples.add(&s, &negated(&omega), &t)?;
        let norms = samples.norms(&r)?;
        let Some(still) = course.open(&norms)? else { return Ok(x) };
        let next = samples.dot(&shadow, &r)?;
        let shadows = samples.norms(&shadow)?;
        let lost = |i: usize| next[i].abs() <= 1e-14 * norms[i] * shadows[i] || omega[i] == 0.0;
        if (0..next.len()).any(|i| still[i] && lost(i)) {
            if alpha.iter().zip(&omega).zip(&still).all(|((a, o), open)| !open || (*a == 0.0 && *o == 0.0)) {
                return Err(course.breakdown(
                    "the iteration stands still",
                    "use GMRES, another `preconditioner`, or a larger `tolerance`",
                ));
            }
            (shadow, p, rho, open) = (r.clone(), r.clone(), samples.dot(&r, &r)?, still);
            continue;
        }
        let beta: Vec<f64> =
            (0..next.len()).map(|i| if still[i] { next[i] / rho[i] * (alpha[i] / omega[i]) } else { 0.0 }).collect();
        p = samples.add(&r, &beta, &samples.add(&p, &negated(&omega), &v)?)?;
        (rho, open) = (next, still);
    }
}

fn finite(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect()
}
