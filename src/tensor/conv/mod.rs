//! Convolution with 1 to 3 spatial axes, differentiable to any order.
//!
//! `⟨g, conv(x, w)⟩` is linear in `g`, `x` and `w`; each of the three functions here is its gradient with respect to one of
//! them, and the rules of each are the other two.

mod device;
mod direct;
mod geometry;
mod kernels;

use self::geometry::Geometry;
use super::base::{Real, Tensor, in_precision};
use super::shape::{Shape, element_count};
use crate::error::{Error, Result};
use crate::session::interrupt;

/// Points before and after an axis that keep its length (divided by the stride, rounded up) under a kernel that reaches over
/// `span` points; where their number is odd, the larger part comes after.
pub fn same_padding(len: usize, span: usize, stride: usize) -> (usize, usize) {
    let stride = stride.max(1);
    let outputs = len.div_ceil(stride).max(1);
    let total = (outputs - 1).saturating_mul(stride).saturating_add(span).saturating_sub(len);
    (total / 2, total - total / 2)
}

/// How a convolution walks: one entry for each spatial axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvOptions {
    /// Distance between neighbouring outputs, in input points.
    pub stride: Vec<usize>,
    /// Zeros before and after the input.
    pub padding: Vec<(usize, usize)>,
    /// Distance between neighbouring points of the kernel, in input points.
    pub dilation: Vec<usize>,
    /// Channels are split into as many groups, each convolved on its own.
    pub groups: usize,
    /// The padding is the other side of the input in the place of zeros; not for [`conv_transpose`](Tensor::conv_transpose).
    pub periodic: bool,
}

impl ConvOptions {
    /// Stride 1, no padding, dilation 1, one group.
    pub fn new(dims: usize) -> Self {
        Self { stride: vec![1; dims], padding: vec![(0, 0); dims], dilation: vec![1; dims], groups: 1, periodic: false }
    }
    /// With the other side of the input as padding, where a kernel for that serves.
    fn wrapped(&self, x: &Tensor, weight: &Tensor, padding: &[(usize, usize)]) -> Option<Geometry> {
        let options = Self { padding: padding.to_vec(), periodic: true, ..self.clone() };
        let own = options.padding.len() == self.padding.len() && self.padding.iter().all(|p| *p == (0, 0));
        if !own || x.is_empty() || x.flex().is_none() {
            return None;
        }
        let geometry = Geometry::new("conv", &x.shape(), &weight.shape(), &options).ok()?;
        let same = geometry.input == geometry.output;
        let reach = padding.iter().zip(x.shape().iter().skip(2)).all(|((a, b), len)| a.max(b) <= len);
        let direct = direct::Plan::forward(&geometry).is_some() && direct::Plan::backward(&geometry).is_some();
        (same && reach && direct).then_some(geometry)
    }
}

impl std::fmt::Display for ConvOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stride {:?}, padding ", self.stride)?;
        if self.padding.iter().all(|(before, after)| before == after) {
            write!(f, "{:?}", self.padding.iter().map(|p| p.0).collect::<Vec<_>>())?;
        } else {
            let each: Vec<String> = self.padding.iter().map(|(b, a)| format!("{b} before and {a} after")).collect();
            write!(f, "{}", each.join(", "))?;
        }
        write!(f, ", dilation {:?}", self.dilation)?;
        if self.periodic {
            write!(f, " periodic")?;
        }
        if self.groups == 1 { Ok(()) } else { write!(f, ", {} groups", self.groups) }
    }
}

impl Tensor {
    /// `y[n, o, p] = Σ x[n, c, p · stride + k · dilation − padding] w[o, c, k]`: input `[sample, channel, space…]`, weight
    /// `[channel out, channel in / groups, kernel…]`. The kernel is not mirrored.
    pub fn conv(&self, weight: &Self, options: &ConvOptions) -> Result<Self> {
        if options.periodic {
            let dims = options.padding.len();
            let plain = ConvOptions { padding: vec![(0, 0); dims], periodic: false, ..options.clone() };
            return self.conv_periodic(weight, &options.padding, &plain);
        }
        let geometry = Geometry::new("conv", &self.shape(), &weight.shape(), options)?;
        let (x, w) = self.joined(weight)?;
        forward(&geometry, &x, &w)
    }

    /// [`conv`](Self::conv) of the input with `padding` points of its other side before and after each spatial axis.
    pub fn conv_periodic(&self, weight: &Self, padding: &[(usize, usize)], options: &ConvOptions) -> Result<Self> {
        if let Some(geometry) = options.wrapped(self, weight, padding) {
            let (x, w) = self.joined(weight)?;
            return forward(&geometry, &x, &w);
        }
        let mut wide = self.clone();
        for (i, &(before, after)) in padding.iter().enumerate() {
            wide = wide.pad(i as i64 + 2, before, after, super::Padding::Periodic)?;
        }
        wide.conv(weight, options)
    }

    /// The transpose of [`conv`](Self::conv): weight `[channel in, channel out / groups, kernel…]`, lengths
    /// `(n − 1) · stride − padding + dilation · (kernel − 1) + 1 + output_padding`.
    pub fn conv_transpose(&self, weight: &Self, options: &ConvOptions, output_padding: &[usize]) -> Result<Self> {
        const OP: &str = "conv_transpose";
        let (x, w) = (self.shape(), weight.shape());
        let dims = x.len().wrapping_sub(2);
        if !(1..=3).contains(&dims) || w.len() != x.len() || output_padding.len() != dims {
            return Err(Error::shape(format!("{OP}: ranks do not fit"))
                .got(format!("input {x:?}, weight {w:?}, output padding {output_padding:?}"))
                .expected("[sample, channel, 1 to 3 spatial axes] and [channel in, channel out, as many axes]"));
        }
        options.check(OP, dims)?;
        if options.periodic {
            return Err(Error::option(format!("{OP}: there is no periodic padding")).got(options));
        }
        let channels =
            w[1].checked_mul(options.groups).ok_or_else(|| Error::limit(format!("{OP}: too many groups")))?;
        let mut target: Shape = vec![x[0], channels];
        for axis in 0..dims {
            let (before, after) = options.padding[axis];
            let (stride, extra) = (options.stride[axis], output_padding[axis]);
            let grown = x[axis + 2].checked_sub(1).and_then(|n| n.checked_mul(stride));
            let span = w[axis + 2].checked_sub(1).and_then(|k| k.checked_mul(options.dilation[axis]));
            let len = grown
                .and_then(|n| n.checked_add(span?)?.checked_add(extra)?.checked_add(1))
                .and_then(|n| n.checked_sub(before)?.checked_sub(after))
                .filter(|&n| n > 0 && extra < stride.max(options.dilation[axis]));
            target.push(len.ok_or_else(|| {
                Error::shape(format!("{OP}: no result along spatial axis {axis}"))
                    .got(format!("input {x:?}, weight {w:?}, {options}, output padding {output_padding:?}"))
                    .expected("a positive length; output padding below stride or dilation")
            })?);
        }
        let geometry = Geometry::new(OP, &target, &w, options)?;
        if geometry.y_shape() != x {
            return Err(Error::shape(format!("{OP}: input and weight do not fit"))
                .got(format!("input {x:?}, weight {w:?}"))
                .expected(format!("an input of shape {:?}", geometry.y_shape())));
        }
        let (x, w) = self.joined(weight)?;
        input(&geometry, &x, &w)
    }
}

/// Runs a kernel on two CPU tensors, or `otherwise` on other devices.
macro_rules! on_cpu {
    ($a:expr, $b:expr, $shape:expr, $kernel:path, $geometry:expr, $otherwise:expr) => {{
        let (a, b, shape): (&Tensor, &Tensor, Shape) = ($a, $b, $shape);
        a.context().reserve(element_count(&shape)?.saturating_mul(a.precision().bytes()))?;
        if shape.contains(&0) || a.is_empty() || b.is_empty() {
            Tensor::full_in(a.context(), a.precision(), &shape, 0.0)?
        } else if let (Some(left), Some(right)) = (a.flex_contiguous(), b.flex_contiguous()) {
            in_precision!(a.precision(), T => {
                interrupt::poll()?;
                let out = $kernel($geometry, slice::<T>(&left)?, slice::<T>(&right)?);
                interrupt::poll()?;
                Tensor::from_vec(a.context(), out, &shape)?
            })
        } else {
            $otherwise($geometry, a, b)?
        }
    }};
}

fn forward(geometry: &Geometry, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let y = on_cpu!(x, w, geometry.y_shape(), kernels::forward, geometry, device::forward);
    Ok(y.from(x, || {
        let (geometry, w) = (geometry.clone(), w.clone());
        move |g: &Tensor| input(&geometry, g, &w)
    })
    .from(w, || {
        let (geometry, x) = (geometry.clone(), x.clone());
        move |g: &Tensor| self::weight(&geometry, g, &x)
    }))
}

/// The gradient with respect to the input.
fn input(geometry: &Geometry, g: &Tensor, w: &Tensor) -> Result<Tensor> {
    let x = on_cpu!(g, w, geometry.x_shape(), kernels::input, geometry, device::input);
    Ok(x.from(g, || {
        let (geometry, w) = (geometry.clone(), w.clone());
        move |x: &Tensor| forward(&geometry, x, &w)
    })
    .from(w, || {
        let (geometry, g) = (geometry.clone(), g.clone());
        move |x: &Tensor| self::weight(&geometry, &g, x)
    }))
}

/// The gradient with respect to the weight.
fn weight(geometry: &Geometry, g: &Tensor, x: &Tensor) -> Result<Tensor> {
    let w = on_cpu!(g, x, geometry.w_shape(), kernels::weight, geometry, device::weight);
    Ok(w.from(g, || {
        let (geometry, x) = (geometry.clone(), x.clone());
        move |w: &Tensor| forward(&geometry, &x, w)
    })
    .from(x, || {
        let (geometry, g) = (geometry.clone(), g.clone());
        move |w: &Tensor| input(&geometry, &g, w)
    }))
}

fn slice<T: Real>(flex: &super::base::FlexTensor) -> Result<&[T]> {
    flex.as_slice::<T>().ok_or_else(|| Error::internal("a tensor is not in the order or precision it should have"))
}

#[cfg(test)]
mod tests;
