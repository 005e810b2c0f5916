//! Matrix products.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::base::Tensor;
use super::shape::{Shape, broadcast, element_count};
use super::tape::unbroadcast;
use crate::error::{Error, Result};

impl Tensor {
    /// The matrix product over the last two axes; axes before them broadcast. A vector counts as a row on the left
    /// and as a column on the right, and that axis disappears from the result.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        if self.rank() == 0 || other.rank() == 0 {
            return Err(Error::shape("matmul: a number is not a matrix")
                .got(format!("{:?} and {:?}", self.shape(), other.shape()))
                .expected("rank 1 or more on both sides")
                .advice("multiply by a number with *"));
        }
        if self.rank() == 1 {
            let out = self.unsqueeze(0)?.matmul(other)?;
            let axis = if other.rank() == 1 { 0 } else { out.rank() - 2 };
            return out.squeeze(axis);
        }
        if other.rank() == 1 {
            let out = self.matmul(&other.unsqueeze(1)?)?;
            return out.squeeze(out.rank() - 1);
        }
        let (a, b) = self.joined(other)?;
        let (left, right) = (a.shape(), b.shape());
        let (m, k) = (left[left.len() - 2], left[left.len() - 1]);
        let (k2, n) = (right[right.len() - 2], right[right.len() - 1]);
        if k != k2 {
            return Err(Error::shape("matmul: inner lengths differ")
                .got(format!("{left:?} times {right:?} ({k} against {k2})"))
                .expected("[…, m, k] times […, k, n]"));
        }
        let batch = broadcast("matmul", &left[..left.len() - 2], &right[..right.len() - 2])?;
        let target: Shape = batch.iter().copied().chain([m, n]).collect();
        let count = element_count(&target)?;
        if count == 0 || k == 0 {
            return Self::full_in(self.context(), a.precision(), &target, 0.0);
        }
        self.context().reserve(count.saturating_mul(a.precision().bytes()))?;
        // One matrix on the right serves a whole batch as a single tall product, which is much faster than many small ones.
        if right.len() == 2 && left.len() > 2 {
            let rows: usize = left[..left.len() - 1].iter().product();
            return a.reshape(&[rows, k])?.matmul(&b)?.reshape(&target);
        }
        let lift = |t: &Self| -> Result<Self> {
            let shape = t.shape();
            let mut lifted = vec![1; target.len() - shape.len()];
            lifted.extend_from_slice(&shape);
            t.reshape(&lifted)
        };
        let (a, b) = (lift(&a)?, lift(&b)?);
        let out = Self::made(self.context(), Dispatch::float_matmul(a.data.clone(), b.data.clone()));
        Ok(out
            .from(&a, || {
                let (b, shape) = (b.clone(), a.shape());
                move |g: &Tensor| unbroadcast(&g.matmul(&b.swap(-1, -2)?)?, &shape)
            })
            .from(&b, || {
                let (a, shape) = (a.clone(), b.shape());
                move |g: &Tensor| unbroadcast(&a.swap(-1, -2)?.matmul(g)?, &shape)
            }))
    }

    /// An axis of length 1 removed.
    pub fn squeeze(&self, axis: usize) -> Result<Self> {
        let mut shape = self.shape();
        if shape.get(axis) != Some(&1) {
            return Err(Error::shape(format!("squeeze: axis {axis} has not length 1")).got(format!("shape {shape:?}")));
        }
        shape.remove(axis);
        self.reshape(&shape)
    }
}
