//! Which axes are transformed, and how they are brought to the end of a tensor.

use super::{Error, Result, Shape, Tensor, axis_index, broadcast};
use crate::tensor::base::{FlexTensor, Real};
use crate::tensor::context::Context;

/// The axes of a transform on tensors of one shape (the shape on the real side, for real transforms).
#[derive(Clone, Debug)]
pub(super) struct Axes {
    shape: Shape,
    /// As listed: the last one is the half axis of a real transform.
    axes: Vec<usize>,
}

impl Axes {
    pub fn new(op: &str, shape: &[usize], axes: &[i64]) -> Result<Self> {
        let rank = shape.len();
        let axes: Vec<usize> = if axes.is_empty() {
            (0..rank).collect()
        } else {
            axes.iter().map(|&a| axis_index(op, a, rank)).collect::<Result<_>>()?
        };
        for (i, axis) in axes.iter().enumerate() {
            if axes[..i].contains(axis) {
                return Err(
                    Error::shape(format!("{op}: an axis is named twice")).got(format!("axis {axis} in {axes:?}"))
                );
            }
            if shape[*axis] == 0 {
                return Err(Error::shape(format!("{op}: axis {axis} is empty")).got(format!("shape {shape:?}")));
            }
        }
        Ok(Self { shape: shape.to_vec(), axes })
    }
    /// A real transform needs an axis to halve.
    pub fn real(self, op: &str) -> Result<Self> {
        if self.axes.is_empty() {
            return Err(Error::shape(format!("{op}: there is no axis to transform")).got("a tensor of rank 0"));
        }
        Ok(self)
    }
    /// The shape so far was that of the half spectrum; `len` is the length of the real axis.
    pub fn with_last(mut self, op: &str, len: usize) -> Result<Self> {
        if let Some(&last) = self.axes.last() {
            let stored = self.shape[last];
            if len == 0 || stored != len / 2 + 1 {
                return Err(Error::shape(format!("{op}: the length does not fit the half spectrum"))
                    .got(format!("length {len} for {stored} wavenumbers"))
                    .expected(format!("{} or {}", (2 * stored).saturating_sub(2), (2 * stored).saturating_sub(1))));
            }
            self.shape[last] = len;
        }
        Ok(self)
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    pub fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }
    pub fn list(&self) -> &[usize] {
        &self.axes
    }
    pub fn last(&self) -> Option<usize> {
        self.axes.last().copied()
    }
    /// The same axes counted from the end, which hold for a tensor with further axes in front.
    pub fn counted_from_end(&self) -> Vec<i64> {
        self.axes.iter().map(|&a| a as i64 - self.shape.len() as i64).collect()
    }
    /// Lengths of the transformed axes.
    pub fn lens(&self) -> Shape {
        self.axes.iter().map(|&a| self.shape[a]).collect()
    }
    /// Points of one transform.
    pub fn points(&self) -> usize {
        self.lens().iter().product()
    }
    /// The shape of the half spectrum.
    pub fn half_shape(&self) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(last) = self.last() {
            shape[last] = shape[last] / 2 + 1;
        }
        shape
    }

    /// The order of axes with the transformed ones at the end.
    pub fn order(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|a| !self.axes.contains(a)).chain(self.axes.iter().copied()).collect()
    }
    /// The shape with the transformed axes at the end.
    pub fn gathered(&self) -> Shape {
        self.order().into_iter().map(|a| self.shape[a]).collect()
    }
    /// The shape of the half spectrum with the transformed axes at the end.
    pub fn half_spectrum(&self) -> Shape {
        let half = self.half_shape();
        self.order().into_iter().map(|a| half[a]).collect()
    }
    /// The numbers with the transformed axes at the end; `None` on other devices than the CPU.
    pub fn gather(&self, x: &Tensor) -> Result<Option<FlexTensor>> {
        Ok(x.detach().permute(&self.order())?.flex_contiguous())
    }
    /// A tensor from numbers in the order of [`gather`](Self::gather).
    pub fn scatter<T: Real>(&self, context: &Context, numbers: Vec<T>, shape: &[usize]) -> Result<Tensor> {
        let mut back = vec![0; self.shape.len()];
        for (place, axis) in self.order().into_iter().enumerate() {
            back[axis] = place;
        }
        Tensor::from_vec(context, numbers, shape)?.permute(&back)
    }

    /// A multiplier with whole half spectra at the end, and which of them belongs to each volume.
    pub fn multiplier(&self, m: &Tensor) -> Result<(Tensor, Vec<usize>)> {
        let rank = self.shape.len();
        let mut shape = vec![1; rank.saturating_sub(m.rank())];
        shape.extend(m.shape());
        let half = self.half_shape();
        let mut whole = shape.clone();
        for &axis in &self.axes {
            whole[axis] = half[axis];
        }
        let m = m.detach().reshape(&shape)?.expand(&whole)?.permute(&self.order())?;
        let leading = rank - self.axes.len();
        let (own, all) = (m.shape(), self.gathered());
        broadcast("fourier_multiply", &own[..leading], &all[..leading])?;
        let which = all[..leading].iter().zip(&own[..leading]).fold(vec![0], |which, (&n, &own)| {
            which.iter().flat_map(|&w| (0..n).map(move |i| w * own + if own == 1 { 0 } else { i })).collect()
        });
        Ok((m, which))
    }
}
