//! What can be read from an equation before it is solved: orders, linearity, coefficients, degree.

use std::collections::HashMap;
use std::fmt;

use super::base::Equation;
use super::expr::{Expr, Op};
use crate::tensor::{Binary, Unary};

/// How the residuals depend on the unknowns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Linear (affine: sources are allowed), coefficients are the same everywhere and always.
    LinearConstant,
    /// Linear with coefficients that vary.
    Linear,
    /// A polynomial of this degree in the unknowns and their derivatives.
    Polynomial(u32),
    /// Anything else.
    General,
}

/// What is known of an equation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The highest time derivative.
    pub time_order: usize,
    /// The highest derivative in space.
    pub space_order: usize,
    /// How it depends on the unknowns.
    pub class: Class,
    /// Whether the time stands in it.
    pub autonomous: bool,
    /// Whether coefficients vary in space.
    pub uniform: bool,
    /// Names of the unknowns.
    pub unknowns: Vec<String>,
}

impl Facts {
    /// Reads an equation.
    pub fn of(equation: &Equation) -> Self {
        let residuals = equation.residuals();
        let mut memo = Memo::default();
        let degree = residuals.iter().map(|r| memo.degree(r)).try_fold(0, |most, d| d.map(|d: u32| most.max(d)));
        let has = |found: &mut dyn FnMut(&Op) -> bool| residuals.iter().any(|r| r.any(found));
        let autonomous = !has(&mut |op| matches!(op, Op::Time));
        let varying = |op: &Op| match op {
            Op::Coordinate(_) => true,
            Op::Parameter(index, _) => equation.parameters().get(*index).is_some_and(|p| !p.value.is_uniform(&[])),
            Op::Data(value) => !value.is_uniform(&[]),
            _ => false,
        };
        let uniform = !has(&mut |op| varying(op));
        let class = match degree {
            Some(0 | 1) if autonomous && uniform => Class::LinearConstant,
            Some(0 | 1) => Class::Linear,
            Some(degree) => Class::Polynomial(degree),
            None => Class::General,
        };
        Self {
            time_order: residuals.iter().map(|r| memo.time_order(r)).max().unwrap_or(0),
            space_order: residuals.iter().map(|r| memo.space_order(r)).max().unwrap_or(0),
            class,
            autonomous,
            uniform,
            unknowns: equation.unknowns().iter().map(|u| u.name.clone()).collect(),
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ordinal = |n: usize| match n {
            1 => "1st".to_string(),
            2 => "2nd".to_string(),
            3 => "3rd".to_string(),
            n => format!("{n}th"),
        };
        let names = self.unknowns.join(", ");
        if self.time_order > 0 {
            write!(f, "{} order in t, ", ordinal(self.time_order))?;
        }
        match self.space_order {
            0 if self.time_order > 0 => write!(f, "no derivatives in space")?,
            0 => write!(f, "algebraic")?,
            n => write!(f, "{} in space", ordinal(n))?,
        }
        match self.class {
            Class::LinearConstant => write!(f, " · linear with constant coefficients"),
            Class::Linear if !self.uniform => write!(f, " · linear, coefficients vary in space"),
            Class::Linear => write!(f, " · linear, coefficients vary in time"),
            Class::Polynomial(n) => write!(f, " · polynomial of degree {n} in {names}"),
            Class::General => write!(f, " · nonlinear in {names}"),
        }
    }
}

/// Readings that are made once per shared node.
#[derive(Default)]
struct Memo {
    degrees: HashMap<usize, Option<u32>>,
    time: HashMap<usize, usize>,
    space: HashMap<usize, usize>,
}

impl Memo {
    /// The degree as a polynomial in the unknowns; `None` when it is none.
    fn degree(&mut self, e: &Expr) -> Option<u32> {
        if let Some(&known) = self.degrees.get(&e.address()) {
            return known;
        }
        let most = |memo: &mut Self| {
            e.op().arguments().into_iter().map(|a| memo.degree(a)).try_fold(0, |most, d| d.map(|d| most.max(d)))
        };
        let constant = |d: Option<u32>| d.filter(|&d| d == 0);
        let found = match e.op() {
            Op::Unknown(..) => Some(1),
            Op::Unary(Unary::Neg, a) => self.degree(a),
            Op::Unary(Unary::Square, a) => self.degree(a)?.checked_mul(2),
            Op::Unary(_, a) => constant(self.degree(a)),
            Op::Binary(Binary::Add | Binary::Sub, ..) => most(self),
            Op::Binary(Binary::Mul, a, b) | Op::Dot(a, b) | Op::Advect(a, b) | Op::Diffusion(a, b, _) => {
                let (a, b) = (self.degree(a), self.degree(b));
                a.zip(b).and_then(|(a, b)| a.checked_add(b))
            }
            Op::Binary(Binary::Div, a, b) => constant(self.degree(b)).and(self.degree(a)),
            Op::Binary(Binary::Pow, a, b) => match (self.degree(a), b.as_number()) {
                (Some(0), _) => constant(self.degree(b)),
                (Some(d), Some(n)) if n.fract() == 0.0 && (0.0..64.0).contains(&n) => d.checked_mul(n as u32),
                _ => None,
            },
            Op::Binary(..) | Op::Opaque(..) => constant(most(self)),
            _ => most(self),
        };
        self.degrees.insert(e.address(), found);
        found
    }
    fn time_order(&mut self, e: &Expr) -> usize {
        if let Some(&known) = self.time.get(&e.address()) {
            return known;
        }
        let inner = e.op().arguments().into_iter().map(|a| self.time_order(a)).max().unwrap_or(0);
        let found = inner + usize::from(matches!(e.op(), Op::TimeDerivative(_)));
        self.time.insert(e.address(), found);
        found
    }
    fn space_order(&mut self, e: &Expr) -> usize {
        if let Some(&known) = self.space.get(&e.address()) {
            return known;
        }
        let inner = e.op().arguments().into_iter().map(|a| self.space_order(a)).max().unwrap_or(0);
        let own = match e.op() {
            Op::Partial(_, orders) => orders.iter().map(|&n| usize::from(n)).sum(),
            Op::Gradient(_) | Op::Divergence(_) | Op::Curl(_) | Op::Advect(..) => 1,
            Op::Laplacian(_) | Op::Diffusion(..) => 2,
            _ => 0,
        };
        self.space.insert(e.address(), inner + own);
        inner + own
    }
}
