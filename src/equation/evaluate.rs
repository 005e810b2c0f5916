//! What the lanes do alike at points: leaves, operations, functions that are not looked into.

use super::opaque::Opaque;
use super::program::{Code, Program};
use super::setting::Setting;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Tensor};

/// Values that do not depend on the state.
pub(super) struct Leaves {
    coordinates: Vec<Tensor>,
    data: Vec<Tensor>,
    /// Quadrature weights per axis; a cell volume alone where all are equal.
    weights: Vec<Tensor>,
}

impl Leaves {
    pub fn new(setting: &Setting, program: &Program) -> Result<Self> {
        Ok(Self { coordinates: setting.coordinates()?, data: setting.data(program)?, weights: setting.weights()? })
    }
    /// How many samples the numbers `index` have.
    pub fn samples(&self, index: usize) -> Option<usize> {
        self.data.get(index)?.shape().first().copied()
    }
    /// The value of a leaf, `[sample | 1, 1, x…]`; `None` for anything else.
    pub fn of(&self, code: &Code, setting: &Setting, t: f64) -> Result<Option<Tensor>> {
        let missing = || Error::internal("a value of the equation is missing");
        Ok(Some(match code {
            Code::Number(n) => setting.number(*n)?,
            Code::Time => setting.time(t)?,
            Code::Parameter(i) => setting.parameters.get(*i).cloned().ok_or_else(missing)?,
            Code::Data(i) => self.data.get(*i).cloned().ok_or_else(missing)?,
            Code::Coordinate(i) => self.coordinates.get(*i).cloned().ok_or_else(missing)?,
            _ => return Ok(None),
        }))
    }
    /// The integral of a value written out on all points, as `[sample, 1, 1…]`.
    pub fn integral(&self, value: &Tensor, setting: &Setting) -> Result<Tensor> {
        let mut value = value.clone();
        for weights in &self.weights {
            value = value.mul(weights)?;
        }
        let axes: Vec<i64> = (1..=setting.space.len() as i64).map(|i| -i).collect();
        if axes.is_empty() { Ok(value) } else { value.sum(&axes, true) }
    }
}

/// An operation on values at points. A whole power of one element goes the way of `powf`, exact for negative numbers.
pub(super) fn binary(op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if op == Binary::Pow && b.len() == 1 && !b.is_tracked() {
        return a.powf(b.item()?);
    }
    a.binary(op, b)
}

/// Calls a function that is not looked into, with all arguments in one shape.
pub(super) fn opaque(f: &Opaque, arguments: &[Tensor]) -> Result<Tensor> {
    let mut shape = Vec::new();
    for argument in arguments {
        shape = crate::tensor::broadcast(&f.name, &shape, &argument.shape())?;
    }
    let arguments = arguments.iter().map(|a| a.expand(&shape)).collect::<Result<Vec<_>>>()?;
    let value = (f.call)(&arguments).map_err(|e| e.within(format!("`{}` in an equation", f.name)))?;
    if crate::tensor::broadcast(&f.name, &value.shape(), &shape).is_ok_and(|s| s == shape) {
        return Ok(value);
    }
    Err(Error::shape(format!("`{}` in an equation returned something unfit", f.name))
        .got(format!("shape {:?}", value.shape()))
        .expected(format!("{shape:?}, as its arguments have")))
}
