//! Fully connected networks.

use super::activation::Activation;
use super::initializer::Initializer;
use super::linear::Linear;
use super::module::{Init, Layer, Module, Scope};
use crate::error::Result;
use crate::tensor::Tensor;
use std::rc::Rc;

/// `x₀ = x`, `xₖ₊₁ = σ(xₖ Wₖ + bₖ)`, without `σ` after the last layer.
///
/// Shapes: `x [.., inputs]` → `[.., outputs]`. Several tensors are joined along the last axis first; where inputs are
/// named and each is given as its own tensor, a tensor of rank 1 counts as a column.
///
/// Good values: 4 to 8 hidden layers of 20 to 100 with `tanh` for equations, 3 of 128 with `silu` for densities.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// Names of the inputs, one per column.
    pub inputs: Vec<String>,
    /// Names of the outputs, one per column.
    pub outputs: Vec<String>,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The function after each hidden layer.
    pub activation: Activation,
    /// The function after the last layer.
    pub last: Activation,
    /// How the weights begin; by the activation if not given.
    pub weight_init: Option<Initializer>,
}

impl Mlp {
    /// With unnamed inputs and outputs.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize, activation: Activation) -> Self {
        let numbered = |letter: &str, n: usize| (0..n).map(|i| format!("{letter}{i}")).collect();
        Self {
            inputs: numbered("x", inputs),
            outputs: numbered("y", outputs),
            hidden: hidden.to_vec(),
            activation,
            last: Activation::Identity,
            weight_init: None,
        }
    }
    /// Widths from the first to the last.
    pub fn widths(&self) -> Vec<usize> {
        [&[self.inputs.len()], self.hidden.as_slice(), &[self.outputs.len()]].concat()
    }
    /// The affine maps in order.
    pub fn layers(&self) -> Vec<Linear> {
        let widths = self.widths();
        let last = widths.len().saturating_sub(2);
        let pairs = widths.iter().zip(widths.iter().skip(1));
        pairs
            .enumerate()
            .map(|(i, (&from, &to))| {
                // Nothing follows the last layer that would halve its variance.
                let ours = if i == last { Initializer::XavierUniform } else { self.activation.initializer() };
                Linear::new(from, to).with_weight_init(self.weight_init.unwrap_or(ours))
            })
            .collect()
    }
    /// The inputs as one tensor `[.., inputs]`.
    fn joined(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        if let [x] = inputs {
            // A plain list of points of a function of one variable.
            return if self.inputs.len() == 1 && x.rank() == 1 && x.shape() != [1] {
                x.unsqueeze(1)
            } else {
                Ok(x.clone())
            };
        }
        let columns = inputs.len() == self.inputs.len();
        let lifted = inputs
            .iter()
            .map(|x| if columns && x.rank() == 1 { x.unsqueeze(1) } else { Ok(x.clone()) })
            .collect::<Result<Vec<_>>>()?;
        let Some(axis) = lifted.first().and_then(|x| x.rank().checked_sub(1)) else {
            return Err(scope.misfit(
                self,
                format!("{} tensors", inputs.len()),
                format!("tensors for {}", self.inputs.join(", ")),
            ));
        };
        Tensor::concat(&lifted, axis).map_err(|e| e.within(self.describe()))
    }
}

impl Module for Mlp {
    fn describe(&self) -> String {
        let widths: Vec<String> = self.widths().iter().map(usize::to_string).collect();
        format!("mlp {} {}", widths.join(" → "), self.activation.name())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        init.children(&self.children())
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let mut x = self.joined(scope, inputs)?;
        if x.shape().last() != Some(&self.inputs.len()) {
            let expected = format!("[.., {}] for {}", self.inputs.len(), self.inputs.join(", "));
            return Err(scope.misfit(self, format!("shape {:?}", x.shape()), expected));
        }
        for (i, layer) in self.layers().iter().enumerate() {
            x = scope.run(&i.to_string(), layer, &[x])?;
            x = if i < self.hidden.len() { self.activation.apply(&x)? } else { self.last.apply(&x)? };
        }
        Ok(x)
    }
    fn children(&self) -> Vec<(String, Layer)> {
        self.layers().into_iter().enumerate().map(|(i, layer)| (i.to_string(), Rc::new(layer) as Layer)).collect()
    }
}
