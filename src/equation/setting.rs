//! Where an equation is solved: the grid, the precision, and the numbers that its parameters have there.

use std::rc::Rc;

use super::base::Equation;
use super::expr::{Expr, Op};
use super::parameter::Value;
use super::program::Program;
use crate::error::{Error, Result};
use crate::field::Grid;
use crate::solve::elliptic::FaceMean;
use crate::tensor::{Context, Precision, Tensor};

/// Values at points are `[sample | 1, 1, x…]`; the state has its channels on the second axis.
#[derive(Clone)]
pub struct Setting {
    /// What tensors share.
    pub context: Context,
    /// Of the state.
    pub precision: Precision,
    /// The points.
    pub grid: Grid,
    /// Lengths of the axes after sample and channel: the grid's, or the number of bodies.
    pub space: Vec<usize>,
    /// Names of the equation's parameters.
    names: Vec<String>,
    /// Their values, lifted to broadcast against values at points.
    pub parameters: Vec<Tensor>,
    /// Which of them are the same at all points.
    uniform: Vec<bool>,
    /// For each rate whether it is a sum of fluxes by differences of even order: diffusion of all kinds.
    diffusive: Rc<Vec<bool>>,
    /// What fields in a coefficient are at faces, at accuracy 2.
    pub means: FaceMean,
    /// Where the clock stands still: then the last two of `parameters` are its rate and its reading there.
    clock: Option<f64>,
}

impl Setting {
    /// The name of a parameter with numbers that are not finite.
    pub fn not_finite(&self) -> Option<&str> {
        let finite = |t: &Tensor| t.detach().to_vec().is_ok_and(|numbers| numbers.iter().all(|x| x.is_finite()));
        let found = self.parameters.iter().position(|t| !finite(t))?;
        self.names.get(found).map(String::as_str)
    }
    /// The parameters of an equation on a grid.
    ///
    /// # Errors
    /// When one does not fit the grid.
    pub fn new(equation: &Equation, grid: &Grid, context: &Context, precision: Precision) -> Result<Self> {
        Self::over(equation, grid, grid.shape(), context, precision)
    }
    /// The parameters of an equation of so many bodies. A tensor `[…, bodies, bodies]` is a number for each pair.
    ///
    /// # Errors
    /// When one does not fit.
    pub fn bodies(equation: &Equation, bodies: usize, context: &Context, precision: Precision) -> Result<Self> {
        for (index, parameter) in equation.parameters().iter().enumerate() {
            let named = |e: &Expr| matches!(e.op(), Op::Parameter(i, _) if *i == index);
            let of_bodies = equation
                .residuals()
                .iter()
                .any(|residual| residual.any(&mut |op| matches!(op, Op::Other(m) if named(m))));
            if let (true, Some(t)) = (of_bodies, parameter.value.tensor())
                && t.len() != 1
                && t.shape().last() != Some(&bodies)
            {
                return Err(Error::shape(format!("`{}` is a number of each body", parameter.name))
                    .got(format!("shape {:?}", t.shape()))
                    .expected(format!("{bodies} numbers, as there are bodies, or one")));
            }
        }
        Self::over(equation, &Grid::point(), vec![bodies], context, precision)
    }
    fn over(
        equation: &Equation,
        grid: &Grid,
        space: Vec<usize>,
        context: &Context,
        precision: Precision,
    ) -> Result<Self> {
        let mut setting = Self {
            context: context.clone(),
            precision,
            grid: grid.clone(),
            space,
            names: Vec::new(),
            parameters: Vec::new(),
            uniform: Vec::new(),
            diffusive: Rc::default(),
            means: FaceMean::Arithmetic,
            clock: None,
        };
        for parameter in equation.parameters() {
            setting.names.push(parameter.name.clone());
            setting.uniform.push(parameter.value.is_uniform(&setting.space));
            setting.parameters.push(setting.lift(&parameter.name, &parameter.value)?);
        }
        Ok(setting)
    }
    /// With other means of coefficients at faces.
    pub fn with_means(self, means: FaceMean) -> Self {
        Self { means, ..self }
    }
    /// Parameters by name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.iter().map(String::as_str).zip(&self.parameters)
    }
    /// Numbers on the points, in the precision of the state.
    pub fn lift(&self, name: &str, value: &Value) -> Result<Tensor> {
        if let (Value::Tensor(t), [bodies], 0) = (value, &self.space[..], self.grid.dimensions()) {
            let shape = t.shape();
            if let [lead @ .., a, b] = shape.as_slice()
                && a == bodies
                && b == bodies
                && lead.len() < 2
            {
                let samples = lead.first().copied().unwrap_or(1);
                return t.reshape(&[samples, 1, *bodies, *bodies])?.cast(self.precision);
            }
        }
        value.on(name, &self.context, &self.space, Some(&self.grid))?.cast(self.precision)
    }
    /// A number at all points.
    pub fn number(&self, n: f64) -> Result<Tensor> {
        Tensor::full_in(&self.context, self.precision, &vec![1; self.space.len() + 2], n)
    }
    /// The time at all points.
    pub fn time(&self, t: f64) -> Result<Tensor> {
        let number = self.number(t)?;
        let (Some(zero), [.., rate, reading]) = (self.clock, self.parameters.as_slice()) else { return Ok(number) };
        // The value is t to the last digit; the rest carries the gradient.
        let moved = reading.add(&rate.scale(t - zero)?)?;
        number.add(&moved.sub(&moved.detach())?)
    }
    /// The same with the time `reading + rate (t − zero)` at `t`, whose value is `t` itself: gradients go to the rate, which
    /// multiplies the right-hand side, and to the reading.
    pub fn with_clock(&self, zero: f64, rate: &Tensor, reading: &Tensor) -> Result<Self> {
        let lifted = |t: &Tensor| t.reshape(&vec![1; self.space.len() + 2])?.cast(self.precision);
        let mut parameters = self.parameters.clone();
        parameters.extend([lifted(rate)?, lifted(reading)?]);
        Ok(Self { parameters, clock: Some(zero), ..self.clone() })
    }
    /// The rate of the clock, where it has one: the factor of the right-hand side.
    pub fn rate(&self) -> Option<&Tensor> {
        self.clock.and_then(|_| self.parameters.iter().rev().nth(1))
    }
    /// The same in another precision; gradients do not pass.
    pub fn in_precision(&self, precision: Precision) -> Result<Self> {
        let parameters = self.parameters.iter().map(|p| p.detach().cast(precision)).collect::<Result<_>>()?;
        Ok(Self { precision, parameters, ..self.clone() })
    }
    /// The same with other numbers for the parameters.
    pub fn with_parameters(&self, parameters: &[Tensor]) -> Self {
        Self { parameters: parameters.to_vec(), ..self.clone() }
    }
    /// Coordinates of the points, each `[1, 1, x…]` with length 1 along other axes.
    pub fn coordinates(&self) -> Result<Vec<Tensor>> {
        self.lifted(self.grid.coordinates(&self.context, self.precision)?)
    }
    /// Quadrature weights, one per axis, shaped like coordinates.
    pub fn weights(&self) -> Result<Vec<Tensor>> {
        self.lifted(self.grid.weights(&self.context, self.precision)?)
    }
    fn lifted(&self, per_axis: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let lift = |t: Tensor| {
            let mut shape = vec![1, 1];
            shape.extend(t.shape());
            t.reshape(&shape)
        };
        per_axis.into_iter().map(lift).collect()
    }
    /// Numbers without a name, lifted.
    pub fn data(&self, program: &Program) -> Result<Vec<Tensor>> {
        program.data.iter().map(|value| self.lift("a number of the equation", value)).collect()
    }
    /// The same, knowing which of the rates are nothing but diffusion: what closed edges keep in is kept in by them.
    pub fn knowing_diffusion(&self, rates: &[Expr]) -> Result<Self> {
        let flux = |body: &Expr| match body.op() {
            Op::Diffusion(..) => true,
            Op::Partial(_, orders) => orders.iter().all(|n| n.is_multiple_of(2)) && orders.iter().any(|n| *n > 0),
            _ => false,
        };
        let pure = |rate: &Expr| -> Result<bool> {
            Ok(super::split::terms(rate, &|e| self.is_constant(e))?.iter().all(|(_, body)| flux(body)))
        };
        Ok(Self { diffusive: Rc::new(rates.iter().map(pure).collect::<Result<_>>()?), ..self.clone() })
    }
    /// Whether a rate is nothing but diffusion.
    pub fn is_diffusive(&self, rate: usize) -> bool {
        self.diffusive.get(rate).copied().unwrap_or(false)
    }
    /// Whether an expression is the same number at all points and times, for any state.
    pub fn is_constant(&self, e: &Expr) -> bool {
        let space = &self.space;
        !e.any(&mut |op| match op {
            Op::Number(_) | Op::Unary(..) | Op::Binary(..) => false,
            Op::Parameter(index, _) => !self.uniform.get(*index).copied().unwrap_or(false),
            Op::Data(value) => !value.is_uniform(space),
            _ => true,
        })
    }
    /// Whether parameter `index` is the same at all points.
    pub fn is_uniform(&self, index: usize) -> bool {
        self.uniform.get(index).copied().unwrap_or(false)
    }
    /// The value of a constant expression, `[sample | 1]` in double precision, with gradients to the parameters in it.
    pub fn constant(&self, e: &Expr) -> Result<Tensor> {
        let number = |n: f64| Tensor::full_in(&self.context, Precision::F64, &[1], n);
        match e.op() {
            Op::Number(n) => number(*n),
            Op::Parameter(index, name) => {
                let value = self.parameters.get(*index);
                let value = value.ok_or_else(|| Error::internal(format!("no parameter {name}")))?;
                value.cast(Precision::F64)?.reshape(&[value.len()])
            }
            Op::Data(value) => {
                let value = value.on("a number", &self.context, &[], None)?;
                value.cast(Precision::F64)?.reshape(&[value.len()])
            }
            Op::Unary(f, a) => self.constant(a)?.unary(*f),
            Op::Binary(op, a, b) => self.constant(a)?.binary(*op, &self.constant(b)?),
            _ => Err(Error::internal("an expression that varies was taken for a constant").got(e)),
        }
    }
}
