//! Where an equation is solved: the grid, the precision, and the numbers that its parameters have there.

use super::equation::Equation;
use super::expr::{Expr, Op};
use super::parameter::Value;
use super::program::Program;
use crate::error::{Error, Result};
use crate::field::Grid;
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
    /// Names of the equation's parameters.
    names: Vec<String>,
    /// Their values, lifted to broadcast against values at points.
    pub parameters: Vec<Tensor>,
    /// Which of them are the same at all points.
    uniform: Vec<bool>,
}

impl Setting {
    /// The parameters of an equation on a grid.
    ///
    /// # Errors
    /// When one does not fit the grid.
    pub fn new(equation: &Equation, grid: &Grid, context: &Context, precision: Precision) -> Result<Self> {
        let space = grid.shape();
        let mut setting = Self {
            context: context.clone(),
            precision,
            grid: grid.clone(),
            names: Vec::new(),
            parameters: Vec::new(),
            uniform: Vec::new(),
        };
        for parameter in equation.parameters() {
            setting.names.push(parameter.name.clone());
            setting.uniform.push(parameter.value.is_uniform(&space));
            setting.parameters.push(setting.lift(&parameter.name, &parameter.value)?);
        }
        Ok(setting)
    }
    /// Numbers on the points, in the precision of the state.
    pub fn lift(&self, name: &str, value: &Value) -> Result<Tensor> {
        value.on(name, &self.context, &self.grid.shape(), Some(&self.grid))?.cast(self.precision)
    }
    /// The same with other numbers for the parameters.
    pub fn with_parameters(&self, parameters: &[Tensor]) -> Self {
        Self { parameters: parameters.to_vec(), ..self.clone() }
    }
    /// Coordinates of the points, each `[1, 1, x…]` with length 1 along other axes.
    pub fn coordinates(&self) -> Result<Vec<Tensor>> {
        let dimensions = self.grid.dimensions();
        let one = |(axis, of): (usize, &crate::field::Axis)| {
            let positions = of.positions();
            let mut shape = vec![1; dimensions + 2];
            if let Some(len) = shape.get_mut(axis + 2) {
                *len = positions.len();
            }
            Tensor::from_vec::<f64>(&self.context, positions, &shape)?.cast(self.precision)
        };
        self.grid.axes().iter().enumerate().map(one).collect()
    }
    /// Numbers without a name, lifted.
    pub fn data(&self, program: &Program) -> Result<Vec<Tensor>> {
        program.data.iter().map(|value| self.lift("a number of the equation", value)).collect()
    }
    /// Whether an expression is the same number at all points and times, for any state.
    pub fn is_constant(&self, e: &Expr) -> bool {
        let space = self.grid.shape();
        !e.any(&mut |op| match op {
            Op::Number(_) | Op::Unary(..) | Op::Binary(..) => false,
            Op::Parameter(index, _) => !self.uniform.get(*index).copied().unwrap_or(false),
            Op::Data(value) => !value.is_uniform(&space),
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
