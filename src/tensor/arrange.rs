//! Moving elements without changing them: reshape, permute, slice, concatenate, pad, gather. Each is linear, and its
//! reverse is another of them.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{IndexingUpdateOp, Slice};

use super::base::Tensor;
use super::binary::Compare;
use super::shape::{Shape, axis_index, broadcast, element_count, position};
use super::unary::Unary;
use crate::error::{Error, Result};

/// Whole numbers on the device: places along an axis.
#[derive(Clone)]
pub(crate) struct Index(DispatchTensor);

impl Index {
    /// Numbers that are whole and no place beyond the ends: nobody looks.
    pub(crate) fn unchecked(places: &Tensor) -> Self {
        places.context().counts().operation();
        Self(Dispatch::float_into_int(places.data().clone(), places.context().places()))
    }
    /// Places along an axis of `len`, negative ones from its end.
    fn checked(index: &Tensor, len: usize) -> Result<Self> {
        if index.context().device().has_kernels() {
            return Self::read(index, len);
        }
        // One number comes back, unless they were looked at before.
        let known = &index.claim.places;
        if known.get().is_none_or(|n| n > len) {
            let index = index.detach();
            let n = len as f64;
            let whole = index.compare(Compare::Equal, &index.unary(Unary::Floor)?)?;
            let low = index.compare(Compare::GreaterEqual, &index.full_like(-n)?)?;
            let high = index.compare(Compare::Lower, &index.full_like(n)?)?;
            let least = whole.mul(&low)?.mul(&high)?.reshape(&[index.len()])?.min(&[0], false)?.item()?;
            if least < 1.0 {
                // The message says which.
                return Self::read(&index, len);
            }
            known.set(Some(len));
        }
        let index = index.detach();
        let negative = index.compare(Compare::Lower, &index.full_like(0.0)?)?;
        Ok(Self::unchecked(&index.add(&negative.scale(len as f64)?)?))
    }
    #[track_caller]
    fn read(index: &Tensor, len: usize) -> Result<Self> {
        let at = index.whole_numbers("gather")?;
        let at = at.iter().map(|&i| position("gather", i, len).map(|p| p as i64)).collect::<Result<Vec<_>>>()?;
        Ok(Self(Tensor::indices(index.context(), &at, &index.shape())))
    }
}

/// A range of positions along one axis: `start`, `start + step`, … before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first position.
    pub start: usize,
    /// One past the last position that may be taken.
    pub end: usize,
    /// The distance between positions, at least 1.
    pub step: usize,
}

impl Span {
    /// All positions of an axis.
    pub fn all(len: usize) -> Self {
        Self { start: 0, end: len, step: 1 }
    }
    /// How many positions there are.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start).div_ceil(self.step.max(1))
    }
    /// Whether there is no position.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What stands beyond the edge of a padded tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Padding {
    /// A constant.
    Constant(f64),
    /// The other end of the axis.
    Periodic,
    /// The mirror image, without repeating the edge.
    Reflect,
    /// The edge itself.
    Edge,
}

impl Tensor {
    /// The positions of the elements that are not 0, `[count]` of a vector, else `[count, axis]`.
    ///
    /// # Errors
    /// When the numbers cannot be read.
    pub fn nonzero(&self) -> Result<Self> {
        let (shape, values) = (self.shape(), self.detach().to_vec()?);
        let axes = shape.len();
        let mut found = Vec::new();
        for (at, _) in values.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let first = found.len();
            let mut rest = at;
            for n in shape.iter().rev() {
                found.push((rest % n) as f64);
                rest /= n;
            }
            found[first..].reverse();
        }
        let count = found.len() / axes.max(1);
        let shape = if axes == 1 { vec![count] } else { vec![count, axes] };
        Self::new(self.context(), found, &shape)
    }
    /// The same elements, in row-major order, under another shape.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        let from = self.shape();
        if from == shape {
            return Ok(self.clone());
        }
        if element_count(shape)? != self.len() {
            return Err(Error::shape("reshape: the number of elements must stay")
                .got(format!("{from:?} to {shape:?}"))
                .expected(format!("a shape of {} elements", self.len())));
        }
        if let Some(out) = self.refilled(shape) {
            return Ok(out.from(self, || move |g: &Tensor| g.reshape(&from)));
        }
        let single = shape.is_empty() && !self.context().device().has_kernels();
        let target: &[usize] = if single { &[1] } else { shape };
        let out = self.view(Dispatch::float_reshape(self.data().clone(), target.into())).ranked(shape);
        Ok(out.from(self, || move |g: &Tensor| g.reshape(&from)))
    }

    /// Axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    pub fn permute(&self, order: &[usize]) -> Result<Self> {
        let mut seen = vec![false; self.rank()];
        let unfit = order.len() != seen.len()
            || order.iter().any(|&a| seen.get_mut(a).is_none_or(|s| std::mem::replace(s, true)));
        if unfit {
            return Err(Error::shape("permute: every axis must be named once")
                .got(format!("{order:?} for a tensor of rank {}", self.rank())));
        }
        if order.iter().enumerate().all(|(i, &a)| i == a) {
            return Ok(self.clone());
        }
        let out = self.view(Dispatch::float_permute(self.data().clone(), order));
        Ok(out.from(self, || {
            let mut back = vec![0; order.len()];
            for (to, &from) in order.iter().enumerate() {
                back[from] = to;
            }
            move |g: &Tensor| g.permute(&back)
        }))
    }
    /// Two axes exchanged.
    pub fn swap(&self, a: i64, b: i64) -> Result<Self> {
        let (a, b) = (axis_index("swap_axes", a, self.rank())?, axis_index("swap_axes", b, self.rank())?);
        let mut order: Vec<usize> = (0..self.rank()).collect();
        order.swap(a, b);
        self.permute(&order)
    }

    /// Stretched to `shape` by repetition along axes of length 1.
    pub fn expand(&self, shape: &[usize]) -> Result<Self> {
        let from = self.shape();
        if from == shape {
            return Ok(self.clone());
        }
        if broadcast("expand", &from, shape)? != shape {
            return Err(
                Error::shape("expand: only axes of length 1 can be stretched").got(format!("{from:?} to {shape:?}"))
            );
        }
        self.context().reserve(element_count(shape)?.saturating_mul(self.precision().bytes()))?;
        let out = match self.refilled(shape) {
            Some(out) => out,
            None => {
                let mut lifted = vec![1; shape.len() - from.len()];
                lifted.extend_from_slice(&from);
                let data = Dispatch::float_reshape(self.data().clone(), lifted.as_slice().into());
                self.view(Dispatch::float_expand(data, shape.into()))
            }
        };
        Ok(out.from(self, || move |g: &Tensor| super::tape::unbroadcast(g, &from)))
    }

    /// A part of the tensor: one span per axis.
    pub fn slice(&self, spans: &[Span]) -> Result<Self> {
        let shape = self.shape();
        if spans.len() != shape.len() {
            return Err(Error::shape("slice: one span per axis").got(format!(
                "{} spans, rank {}",
                spans.len(),
                shape.len()
            )));
        }
        if let Some((axis, span)) = spans.iter().enumerate().find(|(a, s)| s.end > shape[*a] || s.step == 0) {
            return Err(Error::shape(format!("slice: the range leaves axis {axis}"))
                .got(format!("{}..{} on an axis of length {}", span.start, span.end, shape[axis])));
        }
        let target: Shape = spans.iter().map(Span::len).collect();
        if target == shape && spans.iter().all(|s| s.step == 1) {
            return Ok(self.clone());
        }
        if target.contains(&0) {
            return Self::full_in(self.context(), self.precision(), &target, 0.0);
        }
        let out = self.view(Dispatch::float_slice(self.data().clone(), &burn_slices(spans)));
        Ok(out.from(self, || {
            let spans = spans.to_vec();
            move |g: &Tensor| g.unslice(&spans, &shape)
        }))
    }
    /// Zeros of `shape` with this tensor put at `spans`: the transpose of [`slice`](Self::slice).
    pub fn unslice(&self, spans: &[Span], shape: &[usize]) -> Result<Self> {
        let zeros = Self::full_in(self.context(), self.precision(), shape, 0.0)?;
        let data = Dispatch::float_slice_assign(zeros.into_data(), &burn_slices(spans), self.data().clone());
        let out = Self::made(self.context(), data);
        Ok(out.from(self, || {
            let spans = spans.to_vec();
            move |g: &Tensor| g.slice(&spans)
        }))
    }
    /// `len` positions of one axis from `start`.
    pub fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Self> {
        let mut spans: Vec<Span> = self.shape().iter().map(|&n| Span::all(n)).collect();
        let rank = spans.len();
        let span =
            spans.get_mut(axis).ok_or_else(|| Error::shape(format!("no axis {axis} in a tensor of rank {rank}")))?;
        *span = Span { start, end: start + len, step: 1 };
        self.slice(&spans)
    }
    /// One position of an axis, which disappears.
    pub fn select(&self, axis: i64, index: i64) -> Result<Self> {
        let axis = axis_index("index", axis, self.rank())?;
        let mut shape = self.shape();
        let at = position("index", index, shape[axis])?;
        let out = self.narrow(axis, at, 1)?;
        shape.remove(axis);
        out.reshape(&shape)
    }

    /// A copy with the elements at `spans` replaced by `value` (broadcast to fit).
    pub fn assign(&self, spans: &[Span], value: &Self) -> Result<Self> {
        let part: Shape = spans.iter().map(Span::len).collect();
        let value = value.cast(self.precision())?.expand(&part)?;
        if part.contains(&0) {
            return Ok(self.clone());
        }
        self.context().reserve(self.len() * self.precision().bytes())?;
        let data = Dispatch::float_slice_assign(self.data().clone(), &burn_slices(spans), value.data().clone());
        let spans = spans.to_vec();
        let around = spans.clone();
        Ok(Self::made_in(self.context(), data, &self.shape())
            .from(self, || move |g: &Tensor| g.assign(&around, &Tensor::scalar_in(g.context(), g.precision(), 0.0)))
            .from(&value, || move |g: &Tensor| g.slice(&spans)))
    }

    /// Tensors joined along an existing axis.
    pub fn concat(parts: &[Self], axis: usize) -> Result<Self> {
        let Some(first) = parts.first() else {
            return Err(Error::shape("concat: nothing to join").expected("at least one tensor"));
        };
        let shape = first.shape();
        if axis >= shape.len() {
            return Err(Error::shape(format!("concat: no axis {axis}"))
                .got(format!("tensors of rank {}", shape.len()))
                .advice("stack(…) joins along a new axis"));
        }
        if parts.len() == 1 {
            return Ok(first.clone());
        }
        let precision = parts.iter().fold(first.precision(), |p, t| p.join(t.precision()));
        let mut starts = Vec::with_capacity(parts.len());
        let mut total = 0;
        for part in parts {
            let other = part.shape();
            let fits = other.len() == shape.len() && (0..shape.len()).all(|a| a == axis || other[a] == shape[a]);
            if !fits {
                return Err(Error::shape("concat: shapes may differ only along the joined axis")
                    .got(format!("{shape:?} and {other:?} along axis {axis}")));
            }
            starts.push(total);
            total += other[axis];
        }
        let context = first.context();
        let mut target = shape;
        target[axis] = total;
        context.reserve(element_count(&target)?.saturating_mul(precision.bytes()))?;
        let parts: Vec<Self> = parts.iter().map(|p| p.cast(precision)).collect::<Result<_>>()?;
        if total == 0 || target.contains(&0) {
            return Self::full_in(context, precision, &target, 0.0);
        }
        let data = parts.iter().filter(|p| !p.is_empty()).map(|p| p.data().clone()).collect();
        let mut out = Self::made(context, Dispatch::float_cat(data, axis));
        for (part, start) in parts.iter().zip(starts) {
            out = out.from(part, || {
                let len = part.shape()[axis];
                move |g: &Tensor| g.narrow(axis, start, len)
            });
        }
        Ok(out)
    }
    /// Tensors of one shape joined along a new axis.
    pub fn stack(parts: &[Self], axis: i64) -> Result<Self> {
        let shape = parts.first().map_or_else(Vec::new, Self::shape);
        if let Some(other) = parts.iter().map(Self::shape).find(|other| *other != shape) {
            return Err(Error::shape("stack: tensors of one shape")
                .got(format!("{shape:?} and {other:?}"))
                .advice("concat joins along an axis that is there"));
        }
        let axis = axis_index("stack", axis, shape.len() + 1)?;
        let lifted: Vec<Self> = parts.iter().map(|p| p.unsqueeze(axis)).collect::<Result<_>>()?;
        Self::concat(&lifted, axis)
    }
    /// A new axis of length 1.
    pub fn unsqueeze(&self, axis: usize) -> Result<Self> {
        let mut shape = self.shape();
        if axis > shape.len() {
            return Err(
                Error::shape(format!("unsqueeze: no place {axis} for an axis")).got(format!("rank {}", shape.len()))
            );
        }
        shape.insert(axis, 1);
        self.reshape(&shape)
    }

    /// Elements in opposite order along `axes`.
    pub fn flip(&self, axes: &[usize]) -> Result<Self> {
        if axes.is_empty() || self.is_empty() {
            return Ok(self.clone());
        }
        let out = self.view(Dispatch::float_flip(self.data().clone(), axes));
        let axes = axes.to_vec();
        Ok(out.from(self, || move |g: &Tensor| g.flip(&axes)))
    }
    /// Elements moved by `shift` positions along an axis; what leaves one end enters at the other.
    pub fn roll(&self, shift: i64, axis: i64) -> Result<Self> {
        let axis = axis_index("roll", axis, self.rank())?;
        let len = self.shape()[axis];
        if len == 0 {
            return Ok(self.clone());
        }
        let split = len - shift.rem_euclid(len as i64) as usize;
        if split == len {
            return Ok(self.clone());
        }
        Self::concat(&[self.narrow(axis, split, len - split)?, self.narrow(axis, 0, split)?], axis)
    }
    /// The tensor `times` over along an axis.
    pub fn repeat(&self, axis: i64, times: usize) -> Result<Self> {
        let axis = axis_index("repeat", axis, self.rank())?;
        if times == 0 {
            return self.narrow(axis, 0, 0);
        }
        let mut wide = self.shape();
        wide.insert(axis, times);
        element_count(&wide)?;
        let mut target = self.shape();
        target[axis] *= times;
        self.unsqueeze(axis)?.expand(&wide)?.reshape(&target)
    }

    /// Extends one axis on both sides.
    pub fn pad(&self, axis: i64, before: usize, after: usize, padding: Padding) -> Result<Self> {
        let axis = axis_index("pad", axis, self.rank())?;
        let len = self.shape()[axis];
        if before == 0 && after == 0 {
            return Ok(self.clone());
        }
        let most = match padding {
            Padding::Constant(_) => usize::MAX,
            Padding::Periodic => len,
            Padding::Reflect => len.saturating_sub(1),
            Padding::Edge => {
                if len == 0 {
                    0
                } else {
                    usize::MAX
                }
            }
        };
        if before.max(after) > most {
            return Err(Error::shape("pad: wider than the axis allows")
                .got(format!("{before} before and {after} after an axis of length {len}"))
                .expected(format!("at most {most} on each side for this kind of padding")));
        }
        let side = |width: usize, front: bool| -> Result<Option<Self>> {
            if width == 0 {
                return Ok(None);
            }
            Ok(Some(match padding {
                Padding::Constant(value) => {
                    let mut shape = self.shape();
                    shape[axis] = width;
                    Self::full_in(self.context(), self.precision(), &shape, value)?
                }
                Padding::Periodic => self.narrow(axis, if front { len - width } else { 0 }, width)?,
                Padding::Reflect => self.narrow(axis, if front { 1 } else { len - 1 - width }, width)?.flip(&[axis])?,
                Padding::Edge => self.narrow(axis, if front { 0 } else { len - 1 }, 1)?.repeat(axis as i64, width)?,
            }))
        };
        let parts: Vec<Self> =
            [side(before, true)?, Some(self.clone()), side(after, false)?].into_iter().flatten().collect();
        Self::concat(&parts, axis)
    }

    /// Positions `indices` of one axis, in that order; a position may come more than once.
    pub fn take(&self, axis: i64, indices: &[i64]) -> Result<Self> {
        let axis = axis_index("take", axis, self.rank())?;
        let shape = self.shape();
        let at = indices
            .iter()
            .map(|&i| position("take", i, shape[axis]).map(|p| p as i64))
            .collect::<Result<Vec<i64>>>()?;
        let mut target = shape.clone();
        target[axis] = at.len();
        if target.contains(&0) {
            return Self::full_in(self.context(), self.precision(), &target, 0.0);
        }
        self.context().reserve(element_count(&target)?.saturating_mul(self.precision().bytes()))?;
        let index = Self::indices(self.context(), &at, &[at.len()]);
        let out = Self::made(self.context(), Dispatch::float_select(self.data().clone(), axis, index));
        Ok(out.from(self, || move |g: &Tensor| g.untake(axis, &at, &shape)))
    }
    /// The transpose of [`take`](Self::take): adds each part at its position.
    fn untake(&self, axis: usize, at: &[i64], shape: &[usize]) -> Result<Self> {
        let zeros = Self::full_in(self.context(), self.precision(), shape, 0.0)?;
        let index = Self::indices(self.context(), at, &[at.len()]);
        let data =
            Dispatch::float_select_assign(zeros.into_data(), axis, index, self.data().clone(), IndexingUpdateOp::Add);
        let out = Self::made(self.context(), data);
        let at = at.to_vec();
        Ok(out.from(self, || move |g: &Tensor| g.take(axis as i64, &at)))
    }

    /// One element per element of `index` (whole numbers): `out[i, j] = self[index[i, j], j]` along axis 0, and so on.
    pub fn gather(&self, axis: i64, index: &Self) -> Result<Self> {
        let axis = axis_index("gather", axis, self.rank())?;
        let (shape, wanted) = (self.shape(), index.shape());
        let fits = wanted.len() == shape.len() && (0..shape.len()).all(|a| a == axis || wanted[a] == shape[a]);
        if !fits {
            return Err(Error::shape("gather: the index must have the tensor's shape except along the axis")
                .got(format!("tensor {shape:?}, index {wanted:?}, axis {axis}")));
        }
        if index.is_empty() {
            return Self::full_in(self.context(), self.precision(), &wanted, 0.0);
        }
        self.gather_by(axis, &Index::checked(index, shape[axis])?)
    }
    /// As [`gather`](Self::gather), by places that were looked at.
    pub(crate) fn gather_by(&self, axis: usize, index: &Index) -> Result<Self> {
        let out = self.gather_at(axis, index)?;
        Ok(out.from(self, || {
            let (index, shape) = (index.clone(), self.shape());
            move |g: &Tensor| g.scatter(axis, &index, &shape)
        }))
    }
    /// The transpose of [`gather`](Self::gather).
    fn scatter(&self, axis: usize, index: &Index, shape: &[usize]) -> Result<Self> {
        let out = self.scatter_at(axis, index, shape)?;
        Ok(out.from(self, || {
            let index = index.clone();
            move |g: &Tensor| g.gather_by(axis, &index)
        }))
    }
    /// The elements at places along an axis; not differentiable.
    pub(crate) fn gather_at(&self, axis: usize, index: &Index) -> Result<Self> {
        self.context().reserve(index.0.shape().num_elements() * self.precision().bytes())?;
        Ok(Self::made(self.context(), Dispatch::float_gather(axis, self.data().clone(), index.0.clone())))
    }
    /// Elements added up at places along an axis of the given shape; not differentiable.
    pub(crate) fn scatter_at(&self, axis: usize, index: &Index, shape: &[usize]) -> Result<Self> {
        let zeros = Self::full_in(self.context(), self.precision(), shape, 0.0)?.into_data();
        let data = Dispatch::float_scatter(axis, zeros, index.0.clone(), self.data().clone(), IndexingUpdateOp::Add);
        Ok(Self::made(self.context(), data))
    }
    /// The elements as whole numbers.
    pub(crate) fn whole_numbers(&self, op: &str) -> Result<Vec<i64>> {
        self.to_vec()?
            .into_iter()
            .map(|v| {
                if v.fract() == 0.0 && v.abs() < 9.0e15 {
                    Ok(v as i64)
                } else {
                    Err(Error::value(format!("{op}: an index must be a whole number")).got(v))
                }
            })
            .collect()
    }
}

fn burn_slices(spans: &[Span]) -> Vec<Slice> {
    spans.iter().map(|s| Slice::new(s.start as isize, Some(s.end as isize), s.step as isize)).collect()
}
