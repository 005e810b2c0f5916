//! Where the eigenvalues of an evolution in Fourier space lie, with its coefficients frozen.
//!
//! At a point `∂F/∂u` has coefficients that vary slowly against the shortest waves: there `∂/∂x` of a direction of change is
//! `ik`, and what is left is a small matrix between unknowns, whose eigenvalues bound the steps of explicit methods. Looked at are the
//! points where a coefficient is largest and some hundred others, at wavenumbers up to the largest that products keep.

use rustfft::num_complex::Complex as Number;

use super::calculus::derivative;
use super::expr::{Expr, Op, Rank};
use super::form::Evolution;
use super::setting::Setting;
use super::stencil::Stencil;
use super::transport::Transport;
use crate::error::Result;
use crate::solve::Reach;
use crate::solve::eigenvalues::eigenvalues;
use crate::tensor::{Binary, Tensor, Unary};

type C = Number<f64>;

/// Points that are looked at, about.
const POINTS: usize = 100;
/// Parts of the largest wavenumber along each axis.
const PARTS: [f64; 3] = [0.0, 0.5, 1.0];
/// Derivatives beyond which an equation is not looked at.
const NODES: usize = 20_000;

/// A derivative with its coefficients taken out.
pub(super) struct Frozen {
    channels: usize,
    /// `∂F_i/∂u · v` for each `i`.
    slopes: Vec<Expr>,
    /// What does not depend on the direction, evaluated at points.
    coefficients: Vec<Expr>,
    lane: Stencil,
    /// The largest wavenumber of products along each axis.
    largest: Vec<f64>,
}

impl Frozen {
    /// Of an evolution on a periodic grid; `None` where it cannot be differentiated symbolically.
    pub fn of(evolution: &Evolution, setting: &Setting, dealias: bool) -> Result<Option<Self>> {
        let count = evolution.channels.len();
        let mut slopes = Vec::new();
        for rate in &evolution.rates {
            let moved = derivative(rate, &mut |e| match e.op() {
                Op::Unknown(i, name) => Some(Expr::unknown(count + i, name, Rank::Scalar)),
                _ => None,
            });
            let Ok(slope) = moved else { return Ok(None) };
            slopes.push(slope);
        }
        let mut coefficients = Vec::new();
        let mut budget = NODES;
        if !slopes.iter().all(|slope| collect(slope, count, &mut coefficients, &mut budget)) {
            return Ok(None);
        }
        let names: Vec<String> = evolution.channels.iter().map(|channel| channel.name.clone()).collect();
        let outputs = if coefficients.is_empty() { vec![Expr::number(0.0)] } else { coefficients.clone() };
        let lane = Stencil::of(&evolution.channels, &outputs, &names, setting.clone(), 2, Transport::Central)?;
        let share = if dealias { 2.0 / 3.0 } else { 1.0 };
        let largest = setting.grid.axes().iter().map(|axis| share * std::f64::consts::PI / axis.spacing()).collect();
        Ok(Some(Self { channels: count, slopes, coefficients, lane, largest }))
    }
    /// The box of eigenvalues at a state at points.
    pub fn reach(&self, t: f64, state: &Tensor) -> Result<Reach> {
        let values = self.lane.evaluate(t, &state.detach())?;
        let (shape, numbers) = (values.shape(), values.to_vec()?);
        let outputs = shape.get(1).copied().unwrap_or(1);
        let cells: usize = shape.iter().skip(2).product();
        let mut reach = Reach { real: 0.0, imaginary: 0.0 };
        for sample in numbers.chunks((outputs * cells).max(1)) {
            let mut points: Vec<usize> = (0..cells).step_by((cells / POINTS).max(1) | 1).collect();
            for values in sample.chunks(cells.max(1)) {
                let largest = values.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
                points.extend(largest.map(|(at, _)| at));
            }
            for point in points {
                let at = |i: usize| sample.get(i * cells + point).copied().unwrap_or(0.0);
                for wave in 1..PARTS.len().pow(self.largest.len() as u32) {
                    let mut rest = wave;
                    let k: Vec<f64> = self
                        .largest
                        .iter()
                        .map(|largest| {
                            let part = PARTS[rest % PARTS.len()];
                            rest /= PARTS.len();
                            part * largest
                        })
                        .collect();
                    let matrix = self.matrix(&k, &at);
                    let all = if self.channels == 1 { matrix } else { eigenvalues(&matrix, self.channels) };
                    for lambda in all.iter().filter(|lambda| lambda.is_finite()) {
                        reach = reach.including(*lambda);
                    }
                }
            }
        }
        Ok(reach.without_rounding())
    }
    fn matrix(&self, k: &[f64], at: &dyn Fn(usize) -> f64) -> Vec<C> {
        let mut matrix = Vec::with_capacity(self.channels * self.channels);
        for slope in &self.slopes {
            let entry = |j| self.symbol(slope, j, k, at).unwrap_or_default();
            matrix.extend((0..self.channels).map(entry));
        }
        matrix
    }
    /// The symbol of a slope in the direction of channel `j`; `None` for what is no direction.
    fn symbol(&self, e: &Expr, j: usize, k: &[f64], at: &dyn Fn(usize) -> f64) -> Option<C> {
        let value = |e: &Expr| self.coefficients.iter().position(|c| c.address() == e.address()).map(at);
        let of = |e: &Expr| self.symbol(e, j, k, at);
        match e.op() {
            Op::Unknown(i, _) if *i >= self.channels => Some(C::from(f64::from(u8::from(*i == self.channels + j)))),
            Op::Unary(Unary::Neg, a) => of(a).map(|a| -a),
            Op::Binary(Binary::Add, a, b) => match (of(a), of(b)) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            },
            Op::Binary(Binary::Sub, a, b) => match (of(a), of(b)) {
                (Some(a), Some(b)) => Some(a - b),
                (a, b) => a.or(b.map(|b| -b)),
            },
            Op::Binary(Binary::Mul, a, b) => match (of(a), of(b)) {
                (Some(a), None) => Some(a * value(b)?),
                (None, Some(b)) => Some(b * value(a)?),
                _ => None,
            },
            Op::Binary(Binary::Div, a, b) => Some(of(a)? / value(b)?),
            Op::Partial(a, orders) => {
                let waves = k.iter().zip(orders).map(|(k, n)| C::new(0.0, *k).powi(i32::from(*n)));
                Some(of(a)? * waves.product::<C>())
            }
            Op::Diffusion(a, u, axes) => {
                let squares = k.iter().zip(axes).filter(|(_, axis)| **axis).map(|(k, _)| k * k).sum::<f64>();
                // Of `∇ · (δa ∇u)` the order is lower.
                Some(of(u).map_or(C::default(), |u| value(a).map_or(C::default(), |a| -u * a * squares)))
            }
            Op::InverseLaplacian(a, _) => {
                let squares = k.iter().map(|k| k * k).sum::<f64>();
                Some(if squares > 0.0 { -of(a)? / squares } else { C::default() })
            }
            Op::Integral(_) => of(e.op().arguments().first()?).map(|_| C::default()),
            _ => None,
        }
    }
}

/// Whether an expression contains a direction.
fn moves(e: &Expr, count: usize) -> bool {
    e.any(&mut |op| matches!(op, Op::Unknown(i, _) if *i >= count))
}

/// Notes what multiplies directions; false where something else is done to them.
fn collect(e: &Expr, count: usize, coefficients: &mut Vec<Expr>, budget: &mut usize) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    if !moves(e, count) {
        return true;
    }
    let note = |e: &Expr, coefficients: &mut Vec<Expr>| {
        if !coefficients.iter().any(|c| c.address() == e.address()) {
            coefficients.push(e.clone());
        }
        true
    };
    match e.op() {
        Op::Unknown(..) => true,
        Op::Unary(Unary::Neg, a) | Op::Partial(a, _) | Op::InverseLaplacian(a, _) | Op::Integral(a) => {
            collect(a, count, coefficients, budget)
        }
        Op::Binary(Binary::Add | Binary::Sub, a, b) => {
            collect(a, count, coefficients, budget) && collect(b, count, coefficients, budget)
        }
        Op::Binary(Binary::Mul, a, b) => match (moves(a, count), moves(b, count)) {
            (true, false) => note(b, coefficients) && collect(a, count, coefficients, budget),
            (false, true) => note(a, coefficients) && collect(b, count, coefficients, budget),
            _ => false,
        },
        Op::Binary(Binary::Div, a, b) if !moves(b, count) => {
            note(b, coefficients) && collect(a, count, coefficients, budget)
        }
        Op::Diffusion(a, u, _) => match (moves(a, count), moves(u, count)) {
            (false, true) => note(a, coefficients) && collect(u, count, coefficients, budget),
            (true, false) => true,
            _ => false,
        },
        _ => false,
    }
}
