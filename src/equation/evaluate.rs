//! What both lanes do alike at points.

use super::opaque::Opaque;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Tensor};

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
