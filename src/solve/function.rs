//! A right-hand side given as a function.

use std::rc::Rc;

use super::system::{Parametrized, System};
use super::vector::Vector;
use crate::error::Result;
use crate::tensor::Tensor;

/// `f(t, y, p)` with parameters `p`.
pub type RightHandSide<V> = Rc<dyn Fn(f64, &V, &[Tensor]) -> Result<V>>;

/// `y' = f(t, y, p)`: any function of tensors as a system, for explicit and implicit methods.
///
/// Tensors that a gradient is to go through belong into `p`. One that the function captured itself is differentiated by explicit methods without
/// checkpoints only; elsewhere it is an error.
#[derive(Clone)]
pub struct Function<V> {
    f: RightHandSide<V>,
    parameters: Vec<Tensor>,
}

impl<V: Vector> Function<V> {
    /// From the function and its parameters.
    pub fn new(f: impl Fn(f64, &V, &[Tensor]) -> Result<V> + 'static, parameters: Vec<Tensor>) -> Self {
        Self { f: Rc::new(f), parameters }
    }
}

impl<V: Vector> System for Function<V> {
    type State = V;
    fn nonlinear(&self, t: f64, y: &V) -> Result<V> {
        (self.f)(t, y, &self.parameters)
    }
}

impl<V: Vector> Parametrized for Function<V> {
    fn parameters(&self) -> Vec<Tensor> {
        self.parameters.clone()
    }
    fn with_parameters(&self, parameters: &[Tensor]) -> Result<Self> {
        Ok(Self { f: self.f.clone(), parameters: parameters.to_vec() })
    }
}
