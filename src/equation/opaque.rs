//! Functions that are not looked into.

use crate::error::Result;
use crate::tensor::Tensor;

type Function = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// A function on tensors inside of an equation: a closure, a network, a native operator. Its gradient is that of the tensor
/// operations it makes; what it is cannot be read from the graph.
pub struct Opaque {
    /// How it is shown.
    pub name: String,
    /// Values at points in, `[sample, x…]` each; values at points out.
    pub call: Function,
}

impl Opaque {
    /// A function with a name.
    pub fn new(name: impl Into<String>, call: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Self {
        Self { name: name.into(), call: Box::new(call) }
    }
}
