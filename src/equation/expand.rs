//! From vectors to components, once the number of dimensions is known.

use std::collections::HashMap;

use super::expr::{Expr, Op, Orders, Rank};
use crate::error::{Error, Result};
use crate::tensor::{Binary, Unary};

/// Writes expressions in components. A vector unknown becomes one unknown per axis.
pub(super) struct Expansion<'a> {
    /// Number of axes of space.
    pub dimensions: usize,
    /// Where the channels of each unknown begin, and whether it is a vector.
    pub channels: &'a [(usize, Rank)],
    done: HashMap<usize, Vec<Expr>>,
    // Keys are addresses: the expressions must live as long.
    kept: Vec<Expr>,
}

pub(super) fn along(axis: usize) -> Orders {
    let mut orders = [0; 3];
    if let Some(order) = orders.get_mut(axis) {
        *order = 1;
    }
    orders
}

/// The names of components of a vector unknown.
pub(super) fn component_name(name: &str, axis: usize) -> String {
    format!("{name}.{}", ["x", "y", "z"].get(axis).copied().unwrap_or("?"))
}

impl<'a> Expansion<'a> {
    pub fn new(dimensions: usize, channels: &'a [(usize, Rank)]) -> Self {
        Self { dimensions, channels, done: HashMap::new(), kept: Vec::new() }
    }

    /// The components: one of a scalar, one per axis of a vector.
    pub fn of(&mut self, e: &Expr) -> Result<Vec<Expr>> {
        if let Some(done) = self.done.get(&e.address()) {
            return Ok(done.clone());
        }
        let parts = self.components(e)?;
        self.kept.push(e.clone());
        self.done.insert(e.address(), parts.clone());
        Ok(parts)
    }
    fn scalar(&mut self, e: &Expr) -> Result<Expr> {
        let mut parts = self.of(e)?;
        match (parts.pop(), parts.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Error::typ("a vector stands where one number is needed").got(e)),
        }
    }
    fn each(&mut self, e: &Expr, f: impl Fn(&Expr) -> Result<Expr>) -> Result<Vec<Expr>> {
        self.of(e)?.iter().map(f).collect()
    }
    fn vector(&mut self, e: &Expr) -> Result<Vec<Expr>> {
        let parts = self.of(e)?;
        if parts.len() == self.dimensions {
            return Ok(parts);
        }
        Err(Error::shape("a vector does not fit the dimensions")
            .got(format!("{} components: {e}", parts.len()))
            .expected(format!("{}, one per axis of the grid", self.dimensions)))
    }

    fn components(&mut self, e: &Expr) -> Result<Vec<Expr>> {
        let dimensions = self.dimensions;
        match e.op() {
            Op::Number(_) | Op::Parameter(..) | Op::Data(_) | Op::Time => Ok(vec![e.clone()]),
            Op::Coordinate(axis) if *axis < dimensions => Ok(vec![e.clone()]),
            Op::Coordinate(axis) => Err(no_axis(*axis, dimensions)),
            Op::Unknown(index, name) => match self.channels.get(*index) {
                Some((first, Rank::Vector)) => Ok((0..dimensions)
                    .map(|axis| Expr::unknown(first + axis, &component_name(name, axis), Rank::Scalar))
                    .collect()),
                Some((first, _)) => Ok(vec![Expr::unknown(*first, name, Rank::Scalar)]),
                None => Err(Error::internal("an unknown without a channel")),
            },
            Op::Unary(f, a) => self.each(a, |a| a.unary(*f)),
            Op::Binary(op, a, b) => {
                let (a, b) = (self.of(a)?, self.of(b)?);
                let n = a.len().max(b.len());
                let pick = |parts: &[Expr], i: usize| {
                    parts.get(if parts.len() == 1 { 0 } else { i }).cloned().ok_or_else(|| {
                        Error::shape("vectors of different lengths").got(e).expected(format!("{n} components"))
                    })
                };
                (0..n).map(|i| pick(&a, i)?.binary(*op, &pick(&b, i)?)).collect()
            }
            Op::TimeDerivative(a) => self.each(a, Expr::time_derivative),
            Op::Partial(a, orders) => {
                if let Some(axis) = (dimensions..3).find(|&axis| orders[axis] > 0) {
                    return Err(no_axis(axis, dimensions));
                }
                self.each(a, |a| partial(a, *orders))
            }
            Op::Gradient(a) => {
                let a = self.scalar(a)?;
                (0..dimensions).map(|axis| a.partial(along(axis))).collect()
            }
            Op::Divergence(v) => Ok(vec![self.divergence(v)?]),
            Op::Diffusion(a, u, axes) => Ok(vec![self.scalar(a)?.diffusion(&self.scalar(u)?, *axes)?]),
            Op::Upwind(..) | Op::FluxDifference(..) => Ok(vec![e.clone()]),
            Op::Laplacian(a) => self.each(a, |a| {
                let mut sum = Expr::number(0.0);
                for axis in 0..dimensions {
                    let mut twice = along(axis);
                    twice[axis] = 2;
                    sum = sum.add(&a.partial(twice)?)?;
                }
                Ok(sum)
            }),
            Op::Curl(v) => {
                let v = self.vector(v)?;
                let d = |i: usize, axis: usize| -> Result<Expr> {
                    v.get(i).ok_or_else(|| Error::internal("curl without a component"))?.partial(along(axis))
                };
                match dimensions {
                    2 => Ok(vec![d(1, 0)?.sub(&d(0, 1)?)?]),
                    3 => Ok(vec![d(2, 1)?.sub(&d(1, 2)?)?, d(0, 2)?.sub(&d(2, 0)?)?, d(1, 0)?.sub(&d(0, 1)?)?]),
                    _ => Err(Error::shape("a curl needs two or three dimensions").got(dimensions)),
                }
            }
            Op::Dot(a, b) => {
                let (a, b) = (self.of(a)?, self.of(b)?);
                if a.len() != b.len() {
                    return Err(Error::shape("the vectors of a product differ in length").got(e));
                }
                let mut sum = Expr::number(0.0);
                for (a, b) in a.iter().zip(&b) {
                    sum = sum.add(&a.mul(b)?)?;
                }
                Ok(vec![sum])
            }
            Op::Advect(v, f) => {
                let v = self.vector(v)?;
                self.each(f, |f| {
                    let mut sum = Expr::number(0.0);
                    for (axis, v) in v.iter().enumerate() {
                        sum = sum.add(&v.mul(&f.partial(along(axis))?)?)?;
                    }
                    Ok(sum)
                })
            }
            Op::Component(v, axis) => {
                let parts = self.of(v)?;
                parts.get(*axis).cloned().map(|part| vec![part]).ok_or_else(|| no_axis(*axis, parts.len()))
            }
            Op::Vector(parts) => {
                let parts = parts.iter().map(|p| self.scalar(p)).collect::<Result<Vec<_>>>()?;
                if parts.len() != dimensions {
                    return Err(Error::shape("a vector does not fit the dimensions")
                        .got(format!("{} components", parts.len()))
                        .expected(format!("{dimensions}, one per axis of the grid")));
                }
                Ok(parts)
            }
            Op::Integral(a) => Ok(vec![self.scalar(a)?.integral()?]),
            Op::InverseLaplacian(a, name) => Ok(vec![self.scalar(a)?.potential(name.clone())?]),
            Op::Opaque(f, arguments) => {
                let mut all = Vec::new();
                for argument in arguments {
                    all.extend(self.of(argument)?);
                }
                Ok(vec![Expr::opaque(f.clone(), all)?])
            }
            Op::PairSum(a) => self.each(a, Expr::pair_sum),
            Op::Separation(a) => self.each(a, Expr::separation),
            Op::Other(a) => self.each(a, Expr::other),
        }
    }

    /// `∇ · v`, with `∇ · (a ∇u)` kept as one.
    fn divergence(&mut self, v: &Expr) -> Result<Expr> {
        match v.op() {
            Op::Binary(Binary::Add, a, b) => return self.divergence(a)?.add(&self.divergence(b)?),
            Op::Binary(Binary::Sub, a, b) => return self.divergence(a)?.sub(&self.divergence(b)?),
            Op::Unary(Unary::Neg, a) => return self.divergence(a)?.neg(),
            _ => {}
        }
        if let Some((a, u)) = flux(v)? {
            let (a, u) = (self.scalar(&a)?, self.scalar(&u)?);
            let mut axes = [false; 3];
            axes.iter_mut().take(self.dimensions).for_each(|axis| *axis = true);
            return a.diffusion(&u, axes);
        }
        let mut sum = Expr::number(0.0);
        for (axis, part) in self.vector(v)?.iter().enumerate() {
            sum = sum.add(&partial(part, along(axis))?)?;
        }
        Ok(sum)
    }
}

/// The factor and the scalar of `a ∇u`.
fn flux(v: &Expr) -> Result<Option<(Expr, Expr)>> {
    Ok(match v.op() {
        Op::Gradient(u) => Some((Expr::number(1.0), u.clone())),
        Op::Binary(Binary::Mul, a, b) => match (flux(a)?, flux(b)?) {
            (Some((inner, u)), None) if b.rank() == Rank::Scalar => Some((inner.mul(b)?, u)),
            (None, Some((inner, u))) if a.rank() == Rank::Scalar => Some((a.mul(&inner)?, u)),
            _ => None,
        },
        Op::Binary(Binary::Div, a, b) => flux(a)?.map(|(inner, u)| Ok::<_, Error>((inner.div(b)?, u))).transpose()?,
        Op::Unary(Unary::Neg, a) => flux(a)?.map(|(inner, u)| Ok::<_, Error>((inner.neg()?, u))).transpose()?,
        _ => None,
    })
}

/// A partial derivative; `∂(a ∂u/∂x)/∂x` is kept as one.
fn partial(e: &Expr, orders: Orders) -> Result<Expr> {
    let Some(axis) = (0..3).find(|&axis| orders == along(axis)) else { return e.partial(orders) };
    match e.op() {
        Op::Binary(Binary::Add, a, b) => partial(a, orders)?.add(&partial(b, orders)?),
        Op::Binary(Binary::Sub, a, b) => partial(a, orders)?.sub(&partial(b, orders)?),
        Op::Unary(Unary::Neg, a) => partial(a, orders)?.neg(),
        Op::Binary(Binary::Mul, ..) => match slope(e, orders)? {
            Some((a, u)) => {
                let mut axes = [false; 3];
                axes[axis] = true;
                a.diffusion(&u, axes)
            }
            None => e.partial(orders),
        },
        _ => e.partial(orders),
    }
}

/// The factor and the function of `a ∂u/∂x`.
fn slope(e: &Expr, orders: Orders) -> Result<Option<(Expr, Expr)>> {
    Ok(match e.op() {
        Op::Partial(u, o) if *o == orders => Some((Expr::number(1.0), u.clone())),
        Op::Binary(Binary::Mul, a, b) => match (slope(a, orders)?, slope(b, orders)?) {
            (Some((inner, u)), None) => Some((inner.mul(b)?, u)),
            (None, Some((inner, u))) => Some((a.mul(&inner)?, u)),
            _ => None,
        },
        _ => None,
    })
}

fn no_axis(axis: usize, dimensions: usize) -> Error {
    let name = ["x", "y", "z"].get(axis).copied().unwrap_or("?");
    Error::shape(format!("the equation speaks of {name}, but there is no such axis"))
        .got(format!("a domain of {dimensions} dimension{}", if dimensions == 1 { "" } else { "s" }))
        .advice("solve it on a grid with more axes, or write it with grad, div and laplacian")
}
