//! The same three partials by Burn's operations, for devices other than the CPU. Padding is put on before, because
//! Burn's reverse passes want it equal on both sides.

use burn::backend::ops::{ConvOptions as BurnOptions, ModuleOps};
use burn::backend::{Dispatch, DispatchTensor};

use super::geometry::Geometry;
use super::{Result, Shape, Tensor};
use crate::tensor::arrange::Padding;

fn options<const N: usize>(geometry: &Geometry) -> BurnOptions<N> {
    let o = &geometry.options;
    let array = |values: &[usize]| std::array::from_fn(|i| values.get(i).copied().unwrap_or(1));
    BurnOptions::new(array(&o.stride), [0; N], array(&o.dilation), o.groups)
}

fn padded(geometry: &Geometry, x: &Tensor) -> Result<Tensor> {
    geometry.options.padding.iter().enumerate().try_fold(x.detach(), |x, (axis, &(before, after))| {
        x.pad(axis as i64 + 2, before, after, Padding::Constant(0.0))
    })
}
fn padded_shape(geometry: &Geometry) -> Shape {
    let mut shape = geometry.x_shape();
    for (len, (before, after)) in shape[2..].iter_mut().zip(&geometry.options.padding) {
        *len += before + after;
    }
    shape
}

pub(super) fn forward(geometry: &Geometry, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (x, w) = (padded(geometry, x)?, w.data().clone());
    let data: DispatchTensor = match geometry.options.stride.len() {
        1 => Dispatch::conv1d(x.data().clone(), w, None, options(geometry)),
        2 => Dispatch::conv2d(x.data().clone(), w, None, options(geometry)),
        _ => Dispatch::conv3d(x.data().clone(), w, None, options(geometry)),
    };
    Ok(Tensor::made(x.context(), data))
}

pub(super) fn input(geometry: &Geometry, g: &Tensor, w: &Tensor) -> Result<Tensor> {
    // Burn takes the shape from a tensor.
    let x = Tensor::full_in(g.context(), g.precision(), &[1], 0.0)?.expand(&padded_shape(geometry))?;
    let (x, w, g) = (x.into_data(), w.data().clone(), g.clone());
    let data = match geometry.options.stride.len() {
        1 => Dispatch::conv1d_x_backward(x, w, g.data().clone(), options(geometry)),
        2 => Dispatch::conv2d_x_backward(x, w, g.data().clone(), options(geometry)),
        _ => Dispatch::conv3d_x_backward(x, w, g.data().clone(), options(geometry)),
    };
    let whole = geometry.x_shape();
    geometry.options.padding.iter().enumerate().try_fold(Tensor::made(g.context(), data), |x, (axis, &(before, _))| {
        x.narrow(axis + 2, before, whole[axis + 2])
    })
}

pub(super) fn weight(geometry: &Geometry, g: &Tensor, x: &Tensor) -> Result<Tensor> {
    let x = padded(geometry, x)?;
    let w = Tensor::full_in(g.context(), g.precision(), &[1], 0.0)?.expand(&geometry.w_shape())?;
    let (x, w, context) = (x.into_data(), w.into_data(), g.context());
    let data = match geometry.options.stride.len() {
        1 => Dispatch::conv1d_weight_backward(x, w, g.data().clone(), options(geometry)),
        2 => Dispatch::conv2d_weight_backward(x, w, g.data().clone(), options(geometry)),
        _ => Dispatch::conv3d_weight_backward(x, w, g.data().clone(), options(geometry)),
    };
    Ok(Tensor::made(context, data))
}
