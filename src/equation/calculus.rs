//! Derivatives of expressions with respect to unknowns, in a direction (Gateaux derivatives), and substitution.
//!
//! `lim (F(u + ε v) − F(u))/ε` is again an expression. It says whether F is linear (it does not contain u), gives the speeds
//! of waves, and turns `dt(u * u)` into `2 u dt(u)`.

use std::collections::HashMap;

use super::expr::{Expr, Op};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// Rewrites expressions from the leaves up: `f` sees each node with its new arguments in place.
pub(super) fn rewrite(
    e: &Expr,
    f: &mut dyn FnMut(&Expr) -> Result<Option<Expr>>,
    done: &mut HashMap<usize, (Expr, Expr)>,
) -> Result<Expr> {
    if let Some((_, new)) = done.get(&e.address()) {
        return Ok(new.clone());
    }
    let new = match f(e)? {
        Some(new) => new,
        None => {
            let arguments = e.op().arguments();
            if arguments.is_empty() {
                e.clone()
            } else {
                let new = arguments.into_iter().map(|a| rewrite(a, f, done)).collect::<Result<Vec<_>>>()?;
                e.op().with(&new)?
            }
        }
    };
    done.insert(e.address(), (e.clone(), new.clone()));
    Ok(new)
}

/// Replaces what `f` answers for.
pub(super) fn replace(e: &Expr, f: &mut dyn FnMut(&Expr) -> Result<Option<Expr>>) -> Result<Expr> {
    rewrite(e, f, &mut HashMap::new())
}

/// The derivative of a function of one number, `f′(a)`.
fn slope(f: Unary, a: &Expr) -> Result<Expr> {
    let n = Expr::number;
    let one_minus_square = |s: f64| n(1.0).add(&a.mul(a)?.mul(&n(s))?);
    match f {
        Unary::Neg => Ok(n(-1.0)),
        Unary::Abs => a.unary(Unary::Sign),
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Heaviside => Ok(n(0.0)),
        Unary::Exp | Unary::Expm1 => a.unary(Unary::Exp),
        Unary::Log => n(1.0).div(a),
        Unary::Log1p => n(1.0).div(&a.add(&n(1.0))?),
        Unary::Sqrt => n(0.5).div(&a.unary(Unary::Sqrt)?),
        Unary::Rsqrt => n(-0.5).mul(&a.unary(Unary::Rsqrt)?)?.div(a),
        Unary::Recip => n(-1.0).div(&a.mul(a)?),
        Unary::Square => n(2.0).mul(a),
        Unary::Sin => a.unary(Unary::Cos),
        Unary::Cos => a.unary(Unary::Sin)?.neg(),
        Unary::Tan => n(1.0).add(&a.unary(Unary::Tan)?.unary(Unary::Square)?),
        Unary::Asin => one_minus_square(-1.0)?.unary(Unary::Rsqrt),
        Unary::Acos => one_minus_square(-1.0)?.unary(Unary::Rsqrt)?.neg(),
        Unary::Atan => n(1.0).div(&one_minus_square(1.0)?),
        Unary::Sinh => a.unary(Unary::Cosh),
        Unary::Cosh => a.unary(Unary::Sinh),
        Unary::Tanh => n(1.0).sub(&a.unary(Unary::Tanh)?.unary(Unary::Square)?),
        Unary::Asinh => one_minus_square(1.0)?.unary(Unary::Rsqrt),
        Unary::Acosh => a.mul(a)?.sub(&n(1.0))?.unary(Unary::Rsqrt),
        Unary::Atanh => n(1.0).div(&one_minus_square(-1.0)?),
        Unary::Erf => n(std::f64::consts::FRAC_2_SQRT_PI).mul(&a.mul(a)?.neg()?.unary(Unary::Exp)?),
        Unary::Sigmoid => {
            let s = a.unary(Unary::Sigmoid)?;
            s.mul(&n(1.0).sub(&s)?)
        }
        Unary::Softplus => a.unary(Unary::Sigmoid),
        Unary::Relu => a.unary(Unary::Heaviside),
        Unary::Silu => {
            let s = a.unary(Unary::Sigmoid)?;
            s.add(&a.mul(&s)?.mul(&n(1.0).sub(&s)?)?)
        }
        Unary::Gelu => {
            let half = n(0.5).mul(&n(1.0).add(&a.mul(&n(std::f64::consts::FRAC_1_SQRT_2))?.unary(Unary::Erf)?)?)?;
            let density = n(0.398_942_280_401_432_7).mul(&a.mul(a)?.mul(&n(-0.5))?.unary(Unary::Exp)?)?;
            half.add(&a.mul(&density)?)
        }
    }
}

/// The derivative of `e` when what `direction` answers for moves in the direction it answers with.
///
/// # Errors
/// When `e` depends on it through an opaque node.
pub(super) fn derivative(e: &Expr, direction: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Result<Expr> {
    go(e, direction, &mut HashMap::new())
}

fn go(
    e: &Expr,
    direction: &mut dyn FnMut(&Expr) -> Option<Expr>,
    done: &mut HashMap<usize, (Expr, Expr)>,
) -> Result<Expr> {
    if let Some((_, d)) = done.get(&e.address()) {
        return Ok(d.clone());
    }
    let zero = || Expr::number(0.0);
    let d = if let Some(d) = direction(e) {
        d
    } else {
        match e.op() {
            Op::Number(_) | Op::Parameter(..) | Op::Data(_) | Op::Unknown(..) | Op::Coordinate(_) | Op::Time => zero(),
            Op::Unary(f, a) => {
                let da = go(a, direction, done)?;
                if da.as_number() == Some(0.0) { zero() } else { slope(*f, a)?.mul(&da)? }
            }
            Op::Binary(op, a, b) => {
                let (da, db) = (go(a, direction, done)?, go(b, direction, done)?);
                binary(*op, a, b, &da, &db)?
            }
            Op::Dot(a, b) => two(e, a, b, direction, done)?,
            Op::Advect(a, b) => two(e, a, b, direction, done)?,
            Op::Diffusion(a, b, _) => two(e, a, b, direction, done)?,
            Op::Upwind(..) | Op::FluxDifference(..) => {
                return Err(Error::internal("a planned flux is not differentiated"));
            }
            Op::Opaque(f, arguments) => {
                for a in arguments {
                    if go(a, direction, done)?.as_number() != Some(0.0) {
                        return Err(Error::value(format!("`{}` is not looked into", f.name)));
                    }
                }
                zero()
            }
            // All others are linear in their arguments.
            op => {
                let parts = op.arguments().into_iter().map(|a| go(a, direction, done)).collect::<Result<Vec<_>>>()?;
                if parts.iter().all(|p| p.as_number() == Some(0.0)) { zero() } else { op.with(&parts)? }
            }
        }
    };
    done.insert(e.address(), (e.clone(), d.clone()));
    Ok(d)
}

/// The product rule of an operation that is linear in each of its two arguments.
fn two(
    e: &Expr,
    a: &Expr,
    b: &Expr,
    direction: &mut dyn FnMut(&Expr) -> Option<Expr>,
    done: &mut HashMap<usize, (Expr, Expr)>,
) -> Result<Expr> {
    let (da, db) = (go(a, direction, done)?, go(b, direction, done)?);
    let none = |d: &Expr| d.as_number() == Some(0.0);
    let first = if none(&da) { Expr::number(0.0) } else { e.op().with(&[da, b.clone()])? };
    let second = if none(&db) { Expr::number(0.0) } else { e.op().with(&[a.clone(), db])? };
    first.add(&second)
}

fn binary(op: Binary, a: &Expr, b: &Expr, da: &Expr, db: &Expr) -> Result<Expr> {
    let none = |d: &Expr| d.as_number() == Some(0.0);
    if none(da) && none(db) {
        return Ok(Expr::number(0.0));
    }
    match op {
        Binary::Add => da.add(db),
        Binary::Sub => da.sub(db),
        Binary::Mul => {
            let first = if none(da) { Expr::number(0.0) } else { da.mul(b)? };
            let second = if none(db) { Expr::number(0.0) } else { a.mul(db)? };
            first.add(&second)
        }
        Binary::Div => {
            let first = if none(da) { Expr::number(0.0) } else { da.div(b)? };
            let second = if none(db) { Expr::number(0.0) } else { a.mul(db)?.div(&b.mul(b)?)? };
            first.sub(&second)
        }
        Binary::Pow => {
            let one = Expr::number(1.0);
            let first =
                if none(da) { Expr::number(0.0) } else { b.mul(&a.binary(Binary::Pow, &b.sub(&one)?)?)?.mul(da)? };
            let second = if none(db) {
                Expr::number(0.0)
            } else {
                a.binary(Binary::Pow, b)?.mul(&a.unary(Unary::Log)?)?.mul(db)?
            };
            first.add(&second)
        }
        Binary::Rem => da.sub(&a.div(b)?.unary(Unary::Floor)?.mul(db)?),
        Binary::Atan2 => da.mul(b)?.sub(&a.mul(db)?)?.div(&a.mul(a)?.add(&b.mul(b)?)?),
        Binary::Min | Binary::Max => {
            // ½(da + db) ± ½ sign(a − b)(da − db): equal arguments share.
            let half = Expr::number(0.5);
            let sign = a.sub(b)?.unary(Unary::Sign)?.mul(&Expr::number(if op == Binary::Max { 0.5 } else { -0.5 }))?;
            da.add(db)?.mul(&half)?.add(&sign.mul(&da.sub(db)?)?)
        }
    }
}
