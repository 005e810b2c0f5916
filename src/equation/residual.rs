//! What is left of an equation when data are put into it.
//!
//! Time derivatives are channels of their own, `u_t`, `u_tt`: given, or differences over the times of a path. So a residual is a
//! plain function of a state, and any factor of a product may be taken from another state: `u ∂v/∂x` with `v` held is linear
//! in `u`, which is how constraints with products are imposed one factor at a time.

use std::collections::HashMap;

use super::base::Equation;
use super::calculus::replace;
use super::class::Facts;
use super::expr::{Expr, Op, Rank};
use super::form::{Channel, Evolution, carry};
use super::problem::Space;
use super::setting::Setting;
use super::stencil::Stencil;
use super::system::SpectralSystem;
use super::transport::Transport;
use crate::error::{Error, Result};
use crate::solve::System;
use crate::tensor::{Binary, Tensor, Unary};

/// Residuals as expressions of channels: unknowns, their time derivatives, and the same of another state.
#[derive(Clone)]
pub struct Residuals {
    /// Unknowns and rates.
    pub channels: Vec<Channel>,
    /// How many of them are unknowns; they come first.
    pub unknowns: usize,
    /// What should vanish, one for each unknown. Channel `n + i` is channel `i` of the other state, where `n` counts channels.
    pub rows: Vec<Expr>,
    /// The factors of products in the order in which they are read, as text.
    pub factors: Vec<String>,
}

impl Equation {
    /// The residuals in `dimensions` dimensions, with the factors of products whose numbers are in `held` taken from another state.
    /// Unknowns that are not among `given` and follow from a constraint are replaced by what follows.
    ///
    /// # Errors
    /// When the equation does not fit the dimensions, or there is no such factor.
    pub fn residuals_of(&self, dimensions: usize, given: &dyn Fn(&str) -> bool, held: &[usize]) -> Result<Residuals> {
        let (mut channels, rows) = self.scalars(dimensions)?;
        let unknowns = channels.len();
        let rows = rows.iter().map(carry).collect::<Result<Vec<_>>>()?;
        let mut places: HashMap<(usize, usize), usize> = (0..unknowns).map(|j| ((j, 0), j)).collect();
        let most = Facts::of(self).time_order.max(1);
        for j in 0..unknowns {
            for rate in 1..=most {
                let wanted =
                    rows.iter().any(|row| row.any(&mut |op| rate_of(op).is_some_and(|(k, n)| k == j && n >= rate)));
                if wanted {
                    places.insert((j, rate), channels.len());
                    let of = &channels[j];
                    let channel =
                        Channel { name: format!("{}_{}", of.name, "t".repeat(rate)), unknown: of.unknown, rate };
                    channels.push(channel);
                }
            }
        }
        let derived = self.derived(dimensions, &channels, unknowns, given)?;
        let rows = rows.iter().map(|row| {
            let row = replace(row, &mut |e| {
                let Some((j, rate)) = rate_of(e.op()).filter(|(_, rate)| *rate > 0) else { return Ok(None) };
                let at = places.get(&(j, rate)).copied().ok_or_else(|| Error::internal("a rate without a channel"))?;
                Ok(Some(Expr::unknown(at, &channels[at].name, Rank::Scalar)))
            })?;
            replace(&row, &mut |e| match e.op() {
                Op::Unknown(j, _) => Ok(derived.get(j).cloned()),
                _ => Ok(None),
            })
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let mut walk = Walk { held, shift: channels.len(), factors: Vec::new(), seen: 0 };
        let rows = rows.iter().map(|row| walk.sum(row)).collect::<Result<Vec<_>>>()?;
        let factors = walk.factors;
        if let Some(n) = held.iter().find(|n| **n >= factors.len()) {
            let list: Vec<String> = factors.iter().enumerate().map(|(i, f)| format!("{i}: {f}")).collect();
            return Err(Error::value("the equation has no such factor of a product").got(n).expected(
                if list.is_empty() { "no factors: there is no product of unknowns".into() } else { list.join(", ") },
            ));
        }
        Ok(Residuals { channels, unknowns, rows, factors })
    }

    /// Unknowns without data that follow from a constraint, in terms of the channels.
    fn derived(
        &self,
        dimensions: usize,
        channels: &[Channel],
        unknowns: usize,
        given: &dyn Fn(&str) -> bool,
    ) -> Result<HashMap<usize, Expr>> {
        let missing: Vec<usize> = (0..unknowns).filter(|&j| channels.get(j).is_some_and(|c| !given(&c.name))).collect();
        if missing.is_empty() || !self.is_evolution() {
            return Ok(HashMap::new());
        }
        let evolution = self.evolution(dimensions)?;
        let place = |name: &str| channels.iter().position(|c| c.name == name);
        let mut out = HashMap::new();
        for j in missing {
            let name = channels.get(j).map_or("", |c| c.name.as_str());
            let Some((_, e)) = evolution.derived.iter().find(|(n, _)| n == name) else { continue };
            let own = replace(e, &mut |e| match e.op() {
                Op::Unknown(k, _) => {
                    let name = evolution.channels.get(*k).map_or("", |c| c.name.as_str());
                    let at = place(name).ok_or_else(|| Error::internal("a channel was lost"))?;
                    Ok(Some(Expr::unknown(at, name, Rank::Scalar)))
                }
                _ => Ok(None),
            })?;
            out.insert(j, own);
        }
        Ok(out)
    }
}

/// The unknown and the number of time derivatives of `∂ⁿu/∂tⁿ`.
fn rate_of(op: &Op) -> Option<(usize, usize)> {
    let (mut depth, mut at) = (0, op);
    while let Op::TimeDerivative(inner) = at {
        (depth, at) = (depth + 1, inner.op());
    }
    match at {
        Op::Unknown(j, _) => Some((*j, depth)),
        _ => None,
    }
}

/// Expressions that are walked through; a graph with much sharing is a large tree.
const MOST: usize = 100_000;

/// Numbers the factors of products and moves some of them to the other state.
struct Walk<'a> {
    held: &'a [usize],
    shift: usize,
    factors: Vec<String>,
    seen: usize,
}

fn has_unknown(e: &Expr) -> bool {
    e.any(&mut |op| matches!(op, Op::Unknown(..)))
}

impl Walk<'_> {
    /// What is no factor by itself.
    fn sum(&mut self, e: &Expr) -> Result<Expr> {
        self.seen += 1;
        if self.seen > MOST {
            return Err(Error::limit("the equation is too large for its factors to be told apart"));
        }
        match e.op() {
            _ if !has_unknown(e) => Ok(e.clone()),
            Op::Binary(Binary::Mul, a, b) if has_unknown(a) && has_unknown(b) => self.factor(a)?.mul(&self.factor(b)?),
            Op::Unary(Unary::Square, a) => self.factor(a)?.mul(&self.factor(a)?),
            Op::Binary(Binary::Pow, a, b) => match b.as_number() {
                Some(n) if n.fract() == 0.0 && (2.0..=8.0).contains(&n) => {
                    let mut product = self.factor(a)?;
                    for _ in 1..n as usize {
                        product = product.mul(&self.factor(a)?)?;
                    }
                    Ok(product)
                }
                _ => Ok(e.clone()),
            },
            Op::Diffusion(a, u, axes) if has_unknown(a) => self.factor(a)?.diffusion(&self.factor(u)?, *axes),
            Op::Unknown(..) => Ok(e.clone()),
            op => {
                let parts = op.arguments().into_iter().map(|a| self.sum(a)).collect::<Result<Vec<_>>>()?;
                op.with(&parts)
            }
        }
    }
    /// One factor, or the factors of a product inside of one.
    fn factor(&mut self, e: &Expr) -> Result<Expr> {
        let product = match e.op() {
            Op::Binary(Binary::Mul, a, b) => has_unknown(a) || has_unknown(b),
            Op::Unary(Unary::Square, _) => true,
            _ => false,
        };
        if product {
            return match e.op() {
                Op::Binary(Binary::Mul, a, b) if !has_unknown(a) => a.mul(&self.factor(b)?),
                Op::Binary(Binary::Mul, a, b) if !has_unknown(b) => self.factor(a)?.mul(b),
                _ => self.sum(e),
            };
        }
        let number = self.factors.len();
        self.factors.push(e.to_string());
        if !self.held.contains(&number) {
            return Ok(e.clone());
        }
        let shift = self.shift;
        replace(e, &mut |e| match e.op() {
            Op::Unknown(j, name) => Ok(Some(Expr::unknown(shift + j, name, Rank::Scalar))),
            _ => Ok(None),
        })
    }
}

/// Residuals on a domain.
pub struct Evaluation {
    lane: Lane,
    rows: usize,
    channels: usize,
}

enum Lane {
    Spectral(Box<SpectralSystem>),
    Stencil(Stencil),
}

impl Evaluation {
    /// Plans residuals in a setting, with derivatives in `space` taken as by [`solve`](super::Choices::solve); in Fourier space
    /// products lose the modes that alias where `dealias` says so.
    ///
    /// # Errors
    /// When a parameter or the grid does not fit.
    pub fn new(
        equation: &Equation,
        residuals: &Residuals,
        setting: Setting,
        space: Space,
        dealias: bool,
    ) -> Result<Self> {
        // The other state stands after the own one; rows are filled up, so that each channel has one.
        let both: Vec<Channel> = residuals.channels.iter().chain(&residuals.channels).cloned().collect();
        let mut rows = residuals.rows.clone();
        rows.resize(both.len(), Expr::number(0.0));
        let count = residuals.channels.len();
        let fourier = match space {
            Space::Fourier => {
                setting.grid.require_periodic("derivatives: \"fourier\"")?;
                true
            }
            Space::Automatic => setting.grid.is_periodic(),
            Space::Central(_) => false,
        };
        let lane = if fourier {
            let evolution = Evolution { channels: both, rates: rows, derived: Vec::new() };
            Lane::Spectral(Box::new(SpectralSystem::new(&evolution, setting, dealias)?))
        } else {
            let accuracy = if let Space::Central(accuracy) = space { accuracy } else { 2 };
            let names: Vec<String> = equation.unknowns().iter().map(|u| u.name.clone()).collect();
            Lane::Stencil(Stencil::of(&both, &rows, &names, setting, accuracy, Transport::Central)?)
        };
        Ok(Self { lane, rows: residuals.unknowns, channels: count })
    }
    /// The residuals `[sample, unknown, x…]` of a state `[sample, channel, x…]` at time `t`; held factors are those of `other`, or
    /// of the state itself. 0 at nodes whose value an edge gives.
    pub fn at(&self, t: f64, state: &Tensor, other: Option<&Tensor>) -> Result<Tensor> {
        let other = other.unwrap_or(state);
        if state.shape().get(1) != Some(&self.channels) || other.shape().get(1) != Some(&self.channels) {
            return Err(Error::internal("a residual of a state with other channels"));
        }
        let both = Tensor::concat(&[state.clone(), other.expand(&state.shape())?], 1)?;
        let values = match &self.lane {
            Lane::Spectral(system) => {
                let spectrum = system.lane().spectrum(&both)?;
                system.lane().points(&system.rhs(t, &spectrum)?)?
            }
            Lane::Stencil(stencil) => stencil.rates(t, &both)?,
        };
        values.narrow(1, 0, self.rows)
    }
}
