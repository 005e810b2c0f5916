//! One number everywhere, on a device that is not the CPU with its kernels: written there only when an operation wants it as a tensor.

use std::cell::OnceCell;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor};

use super::context::{Context, Precision};
use super::shape::Shape;

/// A number, and the shape that it fills.
pub(super) struct Filled {
    pub shape: Shape,
    pub precision: Precision,
    pub number: f64,
    context: Context,
    done: OnceCell<DispatchTensor>,
}

impl Filled {
    pub fn new(context: &Context, precision: Precision, shape: &[usize], number: f64) -> Self {
        Self { shape: shape.to_vec(), precision, number, context: context.clone(), done: OnceCell::new() }
    }
    /// The same number in another shape.
    pub fn with_shape(&self, shape: &[usize]) -> Self {
        Self::new(&self.context, self.precision, shape, self.number)
    }
    /// The numbers on the device, written now at the latest; of rank 1 for rank 0.
    pub fn data(&self) -> &DispatchTensor {
        self.done.get_or_init(|| {
            self.context.counts().operation();
            let shape = if self.shape.is_empty() { vec![1] } else { self.shape.clone() };
            let device = self.context.burn_device();
            Dispatch::float_full(shape.into(), self.number.into(), &device, self.precision.dtype())
        })
    }
}
