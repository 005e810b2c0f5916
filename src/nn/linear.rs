//! The affine map of the last axis.

use super::initializer::{Fan, Initializer};
use super::module::{Init, Module, Scope};
use crate::error::Result;
use crate::tensor::Tensor;

/// `y = x W + b` over the last axis.
///
/// Shapes: `x [.., inputs]`, `weight [inputs, outputs]`, `bias [outputs]`, `y [.., outputs]`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// Length of the last axis of the input.
    pub inputs: usize,
    /// Length of the last axis of the output.
    pub outputs: usize,
    /// Whether `b` is added.
    pub bias: bool,
    /// How the weight begins.
    pub weight_init: Initializer,
    /// How the bias begins.
    pub bias_init: Initializer,
}

impl Linear {
    /// With a bias that begins at 0 and a weight from [`Initializer::XavierUniform`].
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, bias: true, weight_init: Initializer::XavierUniform, bias_init: Initializer::Zeros }
    }
    /// With another beginning of the weight.
    pub fn with_weight_init(self, weight_init: Initializer) -> Self {
        Self { weight_init, ..self }
    }
}

impl Module for Linear {
    fn describe(&self) -> String {
        format!("linear {} → {}", self.inputs, self.outputs)
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        let fan = Fan { inputs: self.inputs, outputs: self.outputs };
        init.parameter("weight", &[self.inputs, self.outputs], self.weight_init, fan)?;
        if self.bias {
            init.parameter("bias", &[self.outputs], self.bias_init, fan)?;
        }
        Ok(())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let x = scope.single(self, inputs)?;
        let shape = x.shape();
        if shape.last() != Some(&self.inputs) {
            return Err(scope.misfit(self, format!("shape {shape:?}"), format!("[.., {}]", self.inputs)));
        }
        let y = x.matmul(&scope.parameter("weight")?)?;
        if self.bias { y.add(&scope.parameter("bias")?) } else { Ok(y) }
    }
}
