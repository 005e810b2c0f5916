//! Sums as lists of terms, and the linear part with constant coefficients among them.

use std::collections::HashSet;

use super::expr::{Expr, Op};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// The most terms of one sum. What is shared counts each time: `e = e + e`, sixty times, has more than can be listed.
const MOST: usize = 20_000;

/// `Σ cᵢ bodyᵢ`: constants are drawn out of products and through derivatives, sums are taken apart. `constant` says which
/// expressions are the same number at all points and times.
pub(super) fn terms(e: &Expr, constant: &dyn Fn(&Expr) -> bool) -> Result<Vec<(Expr, Expr)>> {
    let mut out = Vec::new();
    collect(e, &Expr::number(1.0), constant, &mut out)?;
    Ok(out)
}

fn collect(e: &Expr, scale: &Expr, constant: &dyn Fn(&Expr) -> bool, out: &mut Vec<(Expr, Expr)>) -> Result<()> {
    if out.len() > MOST {
        return Err(Error::limit("the equation has too many terms")
            .expected(format!("at most {MOST}"))
            .advice("write a factor where the same term is added many times"));
    }
    match e.op() {
        _ if e.as_number() == Some(0.0) => Ok(()),
        Op::Binary(Binary::Add, a, b) => {
            collect(a, scale, constant, out)?;
            collect(b, scale, constant, out)
        }
        Op::Binary(Binary::Sub, a, b) => {
            collect(a, scale, constant, out)?;
            collect(b, &scale.neg()?, constant, out)
        }
        Op::Unary(Unary::Neg, a) => collect(a, &scale.neg()?, constant, out),
        Op::Binary(Binary::Mul, a, b) if constant(a) => collect(b, &scale.mul(a)?, constant, out),
        Op::Binary(Binary::Mul, a, b) if constant(b) => collect(a, &scale.mul(b)?, constant, out),
        Op::Binary(Binary::Div, a, b) if constant(b) => collect(a, &scale.div(b)?, constant, out),
        Op::Binary(Binary::Mul, a, b)
            if has_sum(a, constant, &mut HashSet::new()) && linear_sum(b, constant, &mut HashSet::new()) =>
        {
            // (c + f) ∂u: the constant part of a factor is worth its own term.
            for (c, body) in terms(a, constant)? {
                collect(&body.mul(b)?, &scale.mul(&c)?, constant, out)?;
            }
            Ok(())
        }
        Op::Partial(a, orders) => through(a, scale, constant, out, &|body| body.partial(*orders)),
        Op::Laplacian(a) => through(a, scale, constant, out, &|body| body.laplacian()),
        Op::InverseLaplacian(a, name) => through(a, scale, constant, out, &|body| body.potential(name.clone())),
        Op::Integral(a) => through(a, scale, constant, out, &|body| body.integral()),
        Op::Diffusion(a, u, axes) if constant(a) => {
            for axis in (0..3).filter(|&axis| axes[axis]) {
                let mut twice = [0; 3];
                twice[axis] = 2;
                collect(&u.partial(twice)?, &scale.mul(a)?, constant, out)?;
            }
            Ok(())
        }
        _ => {
            out.push((scale.clone(), e.clone()));
            Ok(())
        }
    }
}

/// Terms of the argument of a linear operator, each with the operator applied.
fn through(
    inner: &Expr,
    scale: &Expr,
    constant: &dyn Fn(&Expr) -> bool,
    out: &mut Vec<(Expr, Expr)>,
    operator: &dyn Fn(&Expr) -> Result<Expr>,
) -> Result<()> {
    for (c, body) in terms(inner, constant)? {
        out.push((scale.mul(&c)?, operator(&body)?));
    }
    Ok(())
}

/// Whether one of the terms of a sum is a constant. `seen` holds what has been looked at: parts are shared.
fn has_sum(e: &Expr, constant: &dyn Fn(&Expr) -> bool, seen: &mut HashSet<usize>) -> bool {
    match e.op() {
        Op::Binary(Binary::Add | Binary::Sub, a, b) if seen.insert(e.address()) => {
            constant(a) || constant(b) || has_sum(a, constant, seen) || has_sum(b, constant, seen)
        }
        _ => false,
    }
}

/// Whether an expression is a linear combination of unknowns and their derivatives.
fn linear_sum(e: &Expr, constant: &dyn Fn(&Expr) -> bool, seen: &mut HashSet<usize>) -> bool {
    // The search ends with the first part that is none, so that what was seen before is one.
    if !seen.insert(e.address()) {
        return true;
    }
    match e.op() {
        Op::Unknown(..) => true,
        Op::Partial(a, _) | Op::Laplacian(a) | Op::InverseLaplacian(a, _) | Op::Unary(Unary::Neg, a) => {
            linear_sum(a, constant, seen)
        }
        Op::Binary(Binary::Add | Binary::Sub, a, b) => linear_sum(a, constant, seen) && linear_sum(b, constant, seen),
        Op::Binary(Binary::Mul, a, b) if constant(a) => linear_sum(b, constant, seen),
        Op::Binary(Binary::Mul, a, b) if constant(b) => linear_sum(a, constant, seen),
        _ => false,
    }
}

/// A linear operator with constant coefficients on one channel: `Δ^(−inverse) ∂^orders u`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Linear {
    pub channel: usize,
    pub orders: [u8; 3],
    pub inverse: u8,
}

/// Reads a term's body as such an operator.
pub(super) fn linear(body: &Expr) -> Option<Linear> {
    match body.op() {
        Op::Unknown(channel, _) => Some(Linear { channel: *channel, orders: [0; 3], inverse: 0 }),
        Op::Partial(a, orders) => {
            let mut inner = linear(a)?;
            for (sum, n) in inner.orders.iter_mut().zip(orders) {
                *sum = sum.checked_add(*n)?;
            }
            Some(inner)
        }
        Op::InverseLaplacian(a, _) => {
            let inner = linear(a)?;
            Some(Linear { inverse: inner.inverse.checked_add(1)?, ..inner })
        }
        _ => None,
    }
}

/// Sums the terms again.
pub(super) fn sum(terms: &[(Expr, Expr)]) -> Result<Expr> {
    let mut out = Expr::number(0.0);
    for (c, body) in terms {
        out = match c.as_number() {
            Some(n) if n < 0.0 => out.sub(&Expr::number(-n).mul(body)?)?,
            _ => match c.op() {
                Op::Unary(Unary::Neg, c) => out.sub(&c.mul(body)?)?,
                _ => out.add(&c.mul(body)?)?,
            },
        };
    }
    Ok(out)
}
