//! What an equation has captured: numbers and fields that can be replaced, differentiated, and differ per sample.

use crate::error::{Error, Result};
use crate::field::{Field, Grid};
use crate::tensor::{Context, Tensor};

/// Numbers that an equation contains.
#[derive(Clone)]
pub enum Value {
    /// One number.
    Number(f64),
    /// One number, one per sample, or one per point.
    Tensor(Tensor),
    /// One per point of a grid.
    Field(Field),
}

impl Value {
    /// Whether it is the same at all points. A tensor is when it has one element, or one per sample.
    pub fn is_uniform(&self, space: &[usize]) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Tensor(t) => t.len() == 1 || (t.rank() == 1 && t.shape()[..] != *space),
            Self::Field(field) => field.grid().points() == 1,
        }
    }
    /// As `[sample | 1, 1, x…]`, to broadcast against values on points of shape `space`.
    ///
    /// # Errors
    /// When it does not fit the points.
    pub fn on(&self, name: &str, context: &Context, space: &[usize], grid: Option<&Grid>) -> Result<Tensor> {
        let mut lifted = vec![1; space.len() + 2];
        match self {
            Self::Number(n) => Tensor::scalar(context, *n).reshape(&lifted),
            Self::Field(field) => {
                if let Some(grid) = grid
                    && field.grid() != grid
                {
                    return Err(Error::shape(format!("`{name}` lies on another grid than the unknowns"))
                        .got(field.grid())
                        .expected(grid)
                        .advice("sample it on the grid that is solved on, or interpolate it"));
                }
                if field.channels() != 1 {
                    return Err(Error::shape(format!("`{name}` has several channels"))
                        .got(field.channels())
                        .advice("take one: field.values[ALL, 0]; a vector is written [a, b]"));
                }
                Ok(field.values().clone())
            }
            Self::Tensor(t) => {
                let shape = t.shape();
                if t.len() == 1 {
                    return t.reshape(&lifted);
                }
                if shape[..] == *space {
                    lifted[2..].copy_from_slice(space);
                    return t.reshape(&lifted);
                }
                if shape.len() == 1 {
                    lifted[0] = shape[0];
                    return t.reshape(&lifted);
                }
                if shape.len() == space.len() + 1 && shape[1..] == *space {
                    lifted[0] = shape[0];
                    lifted[2..].copy_from_slice(space);
                    return t.reshape(&lifted);
                }
                if shape.len() == space.len() + 2 && shape[1] == 1 && shape[2..] == *space {
                    return Ok(t.clone());
                }
                Err(Error::shape(format!("`{name}` does not fit the points"))
                    .got(format!("shape {shape:?}"))
                    .expected(format!("one number, one per sample, or {space:?}")))
            }
        }
    }
    /// The tensor in it, when gradients may flow to it.
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Number(_) => None,
            Self::Tensor(t) => Some(t),
            Self::Field(field) => Some(field.values()),
        }
    }
    /// The same with other numbers in it.
    pub fn with_tensor(&self, tensor: Tensor) -> Result<Self> {
        Ok(match self {
            Self::Number(_) | Self::Tensor(_) => Self::Tensor(tensor),
            Self::Field(field) => Self::Field(field.with(tensor)?),
        })
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{}", crate::tensor::number(*n)),
            Self::Tensor(t) if t.len() == 1 => write!(f, "{}", crate::tensor::number(t.item().unwrap_or(f64::NAN))),
            Self::Tensor(t) => write!(f, "a tensor {:?}", t.shape()),
            Self::Field(field) => write!(f, "a field {:?}", field.values().shape()),
        }
    }
}

/// A captured variable.
#[derive(Clone)]
pub struct Parameter {
    /// Its name in the script.
    pub name: String,
    /// Its value when the equation was written.
    pub value: Value,
}
