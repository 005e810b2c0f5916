//! An equation: unknowns, captured parameters, residuals that should vanish.

use std::fmt;
use std::rc::Rc;

use super::expr::{Expr, Op, Rank};
use super::parameter::{Parameter, Value};
use super::prepared::Prepared;
use crate::error::{Error, Result};

/// What is solved for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name in the script.
    pub name: String,
    /// Scalar or vector.
    pub rank: Rank,
}

/// A residual in terms of unknowns, traced once. Cheap to clone.
#[derive(Clone)]
pub struct Equation(Rc<Parts>);

#[derive(Clone)]
struct Parts {
    unknowns: Vec<Unknown>,
    parameters: Vec<Parameter>,
    residuals: Vec<Expr>,
    /// What solving it has prepared.
    prepared: Rc<Prepared>,
}

impl Equation {
    /// Residuals of unknowns and parameters, referred to by their places.
    ///
    /// # Errors
    /// As many residuals as unknowns are needed; each must contain an unknown.
    pub fn new(unknowns: Vec<Unknown>, parameters: Vec<Parameter>, residuals: Vec<Expr>) -> Result<Self> {
        if residuals.len() != unknowns.len() {
            return Err(Error::shape("an equation needs one residual for each unknown")
                .got(format!("{} residuals, {} unknowns", residuals.len(), unknowns.len()))
                .advice("return an array: [dt(u) - …, dt(v) - …]"));
        }
        for (unknown, residual) in unknowns.iter().zip(&residuals) {
            if !residual.any(&mut |op| matches!(op, Op::Unknown(..))) {
                return Err(Error::value("a residual contains no unknown")
                    .got(residual)
                    .expected(format!("an expression of {}", unknown.name)));
            }
        }
        Ok(Self(Rc::new(Parts { unknowns, parameters, residuals, prepared: Rc::default() })))
    }
    /// What is solved for, in order.
    pub fn unknowns(&self) -> &[Unknown] {
        &self.0.unknowns
    }
    /// Captured variables.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }
    /// What should vanish.
    pub fn residuals(&self) -> &[Expr] {
        &self.0.residuals
    }
    /// What solving it has prepared.
    pub(super) fn prepared(&self) -> &Prepared {
        &self.0.prepared
    }
    /// A parameter's place.
    pub fn parameter(&self, name: &str) -> Option<usize> {
        self.0.parameters.iter().position(|p| p.name == name)
    }
    /// The same equation with other values of some parameters.
    ///
    /// # Errors
    /// When there is no such parameter.
    pub fn with_parameters(&self, values: &[(String, Value)]) -> Result<Self> {
        let mut parts = (*self.0).clone();
        for (name, value) in values {
            let known: Vec<String> = parts.parameters.iter().map(|p| p.name.clone()).collect();
            match parts.parameters.iter_mut().find(|p| p.name == *name) {
                Some(parameter) => parameter.value = value.clone(),
                None => {
                    let error = Error::option(format!("the equation has no parameter `{name}`")).expected(
                        if known.is_empty() { "none: it captured no variable".into() } else { known.join(", ") },
                    );
                    return Err(error);
                }
            }
        }
        Ok(Self(Rc::new(parts)))
    }
    /// As LaTeX, one line per residual.
    pub fn latex(&self) -> String {
        let rows: Vec<String> = self.0.residuals.iter().map(|r| format!("{} &= 0", r.latex())).collect();
        format!("\\begin{{aligned}} {} \\end{{aligned}}", rows.join(" \\\\ "))
    }
    /// Whether time derivatives occur.
    pub fn is_evolution(&self) -> bool {
        self.0.residuals.iter().any(|r| r.any(&mut |op| matches!(op, Op::TimeDerivative(_))))
    }
    /// Whether bodies act on one another in it.
    pub fn has_pairs(&self) -> bool {
        self.0.residuals.iter().any(|r| r.any(&mut |op| matches!(op, Op::PairSum(_))))
    }
    /// Whether derivatives in space, coordinates or integrals occur.
    pub fn is_spatial(&self) -> bool {
        let spatial = |op: &Op| {
            matches!(
                op,
                Op::Coordinate(_)
                    | Op::Partial(..)
                    | Op::Gradient(_)
                    | Op::Divergence(_)
                    | Op::Diffusion(..)
                    | Op::Laplacian(_)
                    | Op::Curl(_)
                    | Op::Advect(..)
                    | Op::Integral(_)
                    | Op::InverseLaplacian(..)
            )
        };
        self.0.residuals.iter().any(|r| r.any(&mut |op| spatial(op)))
    }
    /// The fewest dimensions in which it can be read: those of the axes it names.
    pub fn least_dimensions(&self) -> usize {
        let mut least = usize::from(self.is_spatial());
        for residual in &self.0.residuals {
            residual.any(&mut |op| {
                least = least.max(match op {
                    Op::Partial(_, orders) => 3 - orders.iter().rev().take_while(|&&n| n == 0).count(),
                    Op::Coordinate(axis) | Op::Component(_, axis) => axis + 1,
                    Op::Vector(parts) => parts.len(),
                    Op::Curl(_) => 2,
                    _ => 0,
                });
                false
            });
        }
        if self.0.unknowns.iter().any(|u| u.rank == Rank::Vector) { least.max(2) } else { least }
    }
}

impl fmt::Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<String> = self.0.residuals.iter().map(|r| format!("{r} = 0")).collect();
        let facts = super::class::Facts::of(self);
        match rows.as_slice() {
            [one] => write!(f, "{one} · {facts}")?,
            _ => write!(f, "{}\n{facts}", rows.join("\n"))?,
        }
        if !self.0.parameters.is_empty() {
            let values: Vec<String> = self.0.parameters.iter().map(|p| format!("{} = {}", p.name, p.value)).collect();
            write!(f, " · {}", values.join(", "))?;
        }
        Ok(())
    }
}
