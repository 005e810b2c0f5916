//! Sums, means, extrema and the like, over chosen axes.

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor};

use super::base::{Tensor, in_precision};
use super::binary::Compare;
use super::context::Precision;
use super::extreme::extremes;
use super::shape::{Shape, axes_indices, axis_index, element_count};
use super::unary::Unary;
use crate::error::{Error, Result};
use crate::session::aside;

/// From so many numbers on, work that cannot be stopped is done on a thread that can be left.
const ALONE: usize = 1 << 18;

/// The shape after reducing `axes`: length 1 there when kept, gone otherwise.
fn reduced(shape: &[usize], axes: &[usize], keep: bool) -> Shape {
    let lens = shape.iter().enumerate();
    if keep {
        lens.map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect()
    } else {
        lens.filter(|(i, _)| !axes.contains(i)).map(|(_, &n)| n).collect()
    }
}

impl Tensor {
    /// Folds each axis with a Burn reduction that leaves length 1 there.
    fn fold(&self, axes: &[usize], keep: bool, f: impl Fn(DispatchTensor, usize) -> DispatchTensor) -> Result<Self> {
        let shape = self.shape();
        let target = reduced(&shape, axes, keep);
        self.context().reserve(element_count(&target)?.saturating_mul(self.precision().bytes()))?;
        if shape.is_empty() {
            return Ok(self.detach());
        }
        // A fold over one element would copy all of them.
        let longer = axes.iter().filter(|&&axis| shape[axis] != 1);
        let data = longer.fold(self.data().clone(), |data, &axis| f(data, axis));
        Self::made(self.context(), data).reshape(&target)
    }

    /// An extremum of nothing does not exist.
    fn refuse_empty(&self, op: &str, axes: &[usize]) -> Result<()> {
        let shape = self.shape();
        if axes.iter().any(|&a| shape[a] == 0) {
            return Err(Error::shape(format!("{op} of no elements does not exist")).got(format!("shape {shape:?}")));
        }
        Ok(())
    }

    /// The sum over `axes` (all when none is given).
    pub fn sum(&self, axes: &[i64], keep: bool) -> Result<Self> {
        let axes = axes_indices("sum", axes, self.rank())?;
        let shape = self.shape();
        if self.is_empty() {
            return Self::full_in(self.context(), self.precision(), &reduced(&shape, &axes, keep), 0.0);
        }
        let out = self.fold(&axes, keep, Dispatch::float_sum_dim)?;
        Ok(out.from(self, || {
            let kept = reduced(&shape, &axes, true);
            move |g: &Tensor| g.reshape(&kept)?.expand(&shape)
        }))
    }
    /// The sum of all elements, of rank 0.
    pub fn sum_all(&self) -> Result<Self> {
        self.sum(&[], false)
    }
    /// The mean over `axes` (all when none is given).
    pub fn mean(&self, axes: &[i64], keep: bool) -> Result<Self> {
        let indices = axes_indices("mean", axes, self.rank())?;
        self.refuse_empty("mean", &indices)?;
        let count: usize = indices.iter().map(|&a| self.shape()[a]).product();
        self.sum(axes, keep)?.scale(1.0 / count as f64)
    }
    /// The mean of squared deviations over `axes`, divided by `n − correction`.
    pub fn variance(&self, axes: &[i64], keep: bool, correction: f64) -> Result<Self> {
        let indices = axes_indices("variance", axes, self.rank())?;
        let count: usize = indices.iter().map(|&a| self.shape()[a]).product();
        if count as f64 <= correction {
            return Err(Error::shape("variance of too few elements")
                .got(format!("{count} elements with correction {correction}"))
                .expected("more elements than the correction"));
        }
        let deviation = self.sub(&self.mean(axes, true)?)?;
        deviation.unary(Unary::Square)?.sum(axes, keep)?.scale(1.0 / (count as f64 - correction))
    }

    /// The product over one axis.
    pub fn product(&self, axes: &[i64], keep: bool) -> Result<Self> {
        let axes = axes_indices("prod", axes, self.rank())?;
        let mut out = self.clone();
        for &axis in &axes {
            out = out.product_along(axis)?;
        }
        out.reshape(&reduced(&self.shape(), &axes, keep))
    }
    fn product_along(&self, axis: usize) -> Result<Self> {
        let shape = self.shape();
        if shape[axis] == 0 {
            return Self::full_in(self.context(), self.precision(), &reduced(&shape, &[axis], true), 1.0);
        }
        let out = self.fold(&[axis], true, Dispatch::float_prod_dim)?;
        Ok(out.from(self, || {
            let x = self.clone();
            // ∂Πx/∂xᵢ is the product of the others: from both sides, so that a zero does no harm.
            move |g: &Tensor| {
                let n = x.shape()[axis];
                let one = x.narrow(axis, 0, 1)?.full_like(1.0)?;
                let (mut before, mut after) = (vec![one.clone()], vec![one]);
                for i in 1..n {
                    before.push(before[i - 1].mul(&x.narrow(axis, i - 1, 1)?)?);
                    after.push(after[i - 1].mul(&x.narrow(axis, n - i, 1)?)?);
                }
                after.reverse();
                g.mul(&Tensor::concat(&before, axis)?.mul(&Tensor::concat(&after, axis)?)?)
            }
        }))
    }

    /// The largest element over `axes`; equal ones share the gradient.
    pub fn max(&self, axes: &[i64], keep: bool) -> Result<Self> {
        self.extreme("max", axes, keep, true)
    }
    /// The smallest element over `axes`; equal ones share the gradient.
    pub fn min(&self, axes: &[i64], keep: bool) -> Result<Self> {
        self.extreme("min", axes, keep, false)
    }
    fn extreme(&self, op: &str, axes: &[i64], keep: bool, largest: bool) -> Result<Self> {
        let indices = axes_indices(op, axes, self.rank())?;
        self.refuse_empty(op, &indices)?;
        let f: fn(DispatchTensor, usize) -> DispatchTensor =
            if largest { Dispatch::float_max_dim } else { Dispatch::float_min_dim };
        // The last axis first: its elements lie together, and few are left for the others.
        let mut innermost_first = indices.clone();
        innermost_first.sort_unstable_by_key(|axis| std::cmp::Reverse(*axis));
        let out = match self.extremes_of_neighbours(&innermost_first, largest)? {
            Some(fewer) => fewer.fold(&innermost_first, true, f)?.reshape(&reduced(&self.shape(), &indices, keep))?,
            None => self.fold(&innermost_first, keep, f)?,
        };
        let value = out.clone();
        Ok(out.from(self, || {
            let x = self.clone();
            let kept = reduced(&x.shape(), &indices, true);
            let axes: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
            move |g: &Tensor| {
                let at = x.detach().compare(Compare::Equal, &value.reshape(&kept)?)?;
                let share = if axes.is_empty() { at } else { at.div(&at.sum(&axes, true)?)? };
                g.reshape(&kept)?.mul(&share)
            }
        }))
    }

    /// Extrema over those of the axes that lie behind all others, which keep length 1; `None` where there are none, or not on the CPU.
    fn extremes_of_neighbours(&self, innermost_first: &[usize], largest: bool) -> Result<Option<Self>> {
        let mut shape = self.shape();
        let behind = innermost_first.iter().zip((0..shape.len()).rev()).take_while(|(a, b)| **a == *b).count();
        let rest = shape.len() - behind;
        let n: usize = shape[rest..].iter().product();
        let Some(flex) = self.flex().filter(|flex| n > 1 && flex.is_contiguous()) else { return Ok(None) };
        shape[rest..].fill(1);
        in_precision!(self.precision(), T => {
            let Some(numbers) = flex.as_slice::<T>() else { return Ok(None) };
            Self::from_vec::<T>(self.context(), extremes(numbers, n, largest), &shape).map(Some)
        })
    }

    /// Positions of the largest (or smallest) elements along an axis, as whole numbers.
    pub fn arg_extreme(&self, axis: i64, largest: bool) -> Result<Self> {
        let op = if largest { "argmax" } else { "argmin" };
        let axis = axis_index(op, axis, self.rank())?;
        self.refuse_empty(op, &[axis])?;
        let data = if largest {
            Dispatch::float_argmax(self.data().clone(), axis, self.context().places())
        } else {
            Dispatch::float_argmin(self.data().clone(), axis, self.context().places())
        };
        let data = Dispatch::int_into_float(data, self.precision().dtype());
        Self::made(self.context(), data).reshape(&reduced(&self.shape(), &[axis], false))
    }

    /// Running sums along an axis.
    pub fn cumsum(&self, axis: i64) -> Result<Self> {
        let axis = axis_index("cumsum", axis, self.rank())?;
        if self.is_empty() {
            return Ok(self.clone());
        }
        self.context().reserve(self.len() * self.precision().bytes())?;
        let out = Self::made(self.context(), Dispatch::float_cumsum(self.data().clone(), axis));
        Ok(out.from(self, || move |g: &Tensor| g.flip(&[axis])?.cumsum(axis as i64)?.flip(&[axis])))
    }

    /// `ln Σ eˣ` over `axes`, without overflow.
    pub fn logsumexp(&self, axes: &[i64], keep: bool) -> Result<Self> {
        let indices = axes_indices("logsumexp", axes, self.rank())?;
        let top = self.detach().max(axes, true)?;
        // −∞ − (−∞) would be NaN; where all is −∞ the answer is −∞ with any finite offset.
        let top = top.is_finite()?.choose(&top, &top.full_like(0.0)?)?;
        let total = self.sub(&top)?.unary(Unary::Exp)?.sum(axes, true)?.unary(Unary::Log)?;
        total.add(&top)?.reshape(&reduced(&self.shape(), &indices, keep))
    }
    /// `eˣ / Σ eˣ` along an axis, without overflow.
    pub fn softmax(&self, axis: i64) -> Result<Self> {
        let top = self.detach().max(&[axis], true)?;
        let weights = self.sub(&top)?.unary(Unary::Exp)?;
        weights.div(&weights.sum(&[axis], true)?)
    }
    /// Elements in order along an axis.
    pub fn sort(&self, axis: i64, descending: bool) -> Result<Self> {
        self.gather(axis, &self.argsort(axis, descending)?)
    }
    /// The positions that would put elements in order along an axis.
    pub fn argsort(&self, axis: i64, descending: bool) -> Result<Self> {
        let axis = axis_index("sort", axis, self.rank())?;
        if self.is_empty() {
            return Ok(self.detach());
        }
        let numbers = self.data().clone();
        let whole = self.context().places();
        let order = move || Dispatch::float_argsort(numbers, axis, descending, whole);
        // Some 0.4 s per million numbers on one core, in one piece.
        let data = if self.len() < ALONE || self.context().device().is_cube() { order() } else { aside(order)? };
        // In f32 positions beyond 2²⁴ would be rounded.
        let precision = self.context().held_in(Precision::F64);
        let order = Self::made(self.context(), Dispatch::int_into_float(data, precision.dtype()));
        // Whoever takes elements by it need not look.
        order.claim.places.set(Some(self.shape()[axis]));
        Ok(order)
    }
}
