//! Inner products and updates, one number for each sample.

use crate::error::Result;
use crate::tensor::Tensor;

/// How tensors divide into systems.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    /// Axes that a system extends over.
    axes: Vec<i64>,
    /// The shape of one number per sample.
    shape: Vec<usize>,
}

impl Samples {
    pub fn of(b: &Tensor) -> Self {
        let shape = b.shape();
        // A vector is one system, not many of a single number.
        let lead = if shape.len() < 2 { 0 } else { 1 };
        let kept = shape.iter().enumerate().map(|(axis, &n)| if axis < lead { n } else { 1 }).collect();
        Self { axes: (lead..shape.len()).map(|axis| axis as i64).collect(), shape: kept }
    }
    /// The inner product of each sample.
    pub fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Vec<f64>> {
        let products = x.mul(y)?;
        if self.axes.is_empty() { products.to_vec() } else { products.sum(&self.axes, true)?.to_vec() }
    }
    pub fn norms(&self, x: &Tensor) -> Result<Vec<f64>> {
        Ok(self.dot(x, x)?.into_iter().map(f64::sqrt).collect())
    }
    /// One number per sample, shaped to broadcast.
    fn factors(&self, factors: &[f64], like: &Tensor) -> Result<Tensor> {
        Tensor::from_vec(like.context(), factors.to_vec(), &self.shape)?.cast(like.precision())
    }
    /// `y + a x` with a factor for each sample.
    pub fn add(&self, y: &Tensor, a: &[f64], x: &Tensor) -> Result<Tensor> {
        match a {
            [a] => y.add(&x.scale(*a)?),
            _ => y.add(&x.mul(&self.factors(a, x)?)?),
        }
    }
    /// `a x` with a factor for each sample.
    pub fn scale(&self, a: &[f64], x: &Tensor) -> Result<Tensor> {
        match a {
            [a] => x.scale(*a),
            _ => x.mul(&self.factors(a, x)?),
        }
    }
}

/// `a/b` for the samples that are open, 0 for the others.
pub(super) fn quotients(a: &[f64], b: &[f64], open: &[bool]) -> Vec<f64> {
    a.iter().zip(b).zip(open).map(|((a, b), open)| if *open { a / b } else { 0.0 }).collect()
}
pub(super) fn negated(a: &[f64]) -> Vec<f64> {
    a.iter().map(|a| -a).collect()
}
