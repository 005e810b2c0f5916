//! Matrix products, norms, diagonals.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor};

use super::arrange::Span;
use super::base::Tensor;
use super::binary::Compare;
use super::product::matrices;
use super::shape::{Shape, broadcast, element_count};
use super::tape::unbroadcast;
use super::unary::Unary;
use crate::error::{Error, Result};
use crate::session::interrupt;

/// Multiplications in a product that is not worth an interruption.
const BLOCK: usize = 1 << 32;

/// The product of two stacks of matrices of one rank; a large one by parts of the stack or blocks of rows, so that it can be interrupted.
fn product(a: &Tensor, b: &Tensor) -> Result<DispatchTensor> {
    let (left, right) = (a.shape(), b.shape());
    let whole = || Ok(Dispatch::float_matmul(a.data().clone(), b.data().clone()));
    // Along the first axis, of the stack or of the rows; an operand that is repeated along it takes part in each.
    let [first, ..] = left[..] else { return whole() };
    let (own, other) = match left.len() {
        2 => (first, 1),
        _ => (first, right.first().copied().unwrap_or(1)),
    };
    let count = own.max(other);
    let columns = right.last().copied().unwrap_or(1);
    let each = left.iter().skip(1).chain([&columns]).fold(1usize, |work, &n| work.saturating_mul(n));
    let part = (BLOCK / each.max(1)).max(if left.len() == 2 { 16 } else { 1 });
    if part >= count {
        let flat = if left.len() == 2 { a.flex().zip(b.flex()) } else { None };
        let own = flat.and_then(|(x, y)| matrices(x, y, a.precision()));
        interrupt::poll()?;
        return own.map_or_else(whole, Ok);
    }
    let batch = left.iter().zip(&right).take(left.len() - 2).map(|(a, b)| *a.max(b));
    let rows = left.iter().rev().nth(1).copied().unwrap_or(1);
    let bytes = 2 * a.precision().bytes();
    a.context().reserve(batch.chain([rows, columns]).fold(bytes, usize::saturating_mul))?;
    let mut parts = Vec::new();
    for start in (0..count).step_by(part) {
        interrupt::poll()?;
        let of = |t: &Tensor, len: usize| match len {
            1 => Ok(t.detach()),
            _ => t.detach().narrow(0, start, part.min(count - start)),
        };
        parts.push(Dispatch::float_matmul(of(a, own)?.data().clone(), of(b, other)?.data().clone()));
    }
    Ok(Dispatch::float_cat(parts, 0))
}

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
        let out = Self::made(self.context(), product(&a, &b)?);
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

    /// `√Σx²` over `axes` (all when none is given); the gradient at 0 is 0.
    pub fn norm(&self, axes: &[i64], keep: bool) -> Result<Self> {
        // Very large and very small numbers are taken relative to the largest, so that no square overflows or vanishes; a
        // power of two loses no digit.
        let largest = match self.len() {
            0 => 1.0,
            _ => self.detach().unary(Unary::Abs)?.max(&[], false)?.item()?,
        };
        let extreme = !(1e-15..1e15).contains(&largest) && (1e-35..f64::MAX).contains(&largest);
        let unit = if extreme { largest.log2().floor().exp2() } else { 1.0 };
        let squared = self.scale(1.0 / unit)?.unary(Unary::Square)?.sum(axes, keep)?;
        let zero = squared.compare(Compare::Equal, &squared.full_like(0.0)?)?;
        // The square root has an infinite slope at 0, which times 0 would be NaN.
        let root = zero.choose(&squared.full_like(1.0)?, &squared)?.unary(Unary::Sqrt)?;
        zero.choose(&squared.full_like(0.0)?, &root)?.scale(unit)
    }
    /// The sum of products of two vectors.
    pub fn dot(&self, other: &Self) -> Result<Self> {
        if self.rank() != 1 || self.shape() != other.shape() {
            return Err(Error::shape("dot: two vectors of one length")
                .got(format!("{:?} and {:?}", self.shape(), other.shape()))
                .advice("sum(a * b, axis) works for any shape"));
        }
        self.mul(other)?.sum_all()
    }
    /// All products of the elements of two vectors: `[m]` and `[n]` give `[m, n]`.
    pub fn outer(&self, other: &Self) -> Result<Self> {
        if self.rank() != 1 || other.rank() != 1 {
            return Err(Error::shape("outer: two vectors").got(format!("{:?} and {:?}", self.shape(), other.shape())));
        }
        self.unsqueeze(1)?.mul(other)
    }
    /// The diagonals of `[…, n, n]`, as `[…, n]`.
    pub fn diagonal(&self) -> Result<Self> {
        let mut shape = self.shape();
        let n = match shape[..] {
            [.., m, n] if m == n => n,
            _ => {
                return Err(Error::shape("diagonal: a square matrix is needed")
                    .got(format!("shape {shape:?}"))
                    .expected("[…, n, n]"));
            }
        };
        shape.truncate(shape.len() - 2);
        let mut spans: Vec<Span> = shape.iter().map(|&n| Span::all(n)).collect();
        // In row-major order the diagonal is every (n + 1)-th element.
        spans.push(Span { start: 0, end: n * n, step: n + 1 });
        shape.push(n * n);
        self.reshape(&shape)?.slice(&spans)
    }
    /// The sum of the diagonal of `[…, n, n]`.
    pub fn trace(&self) -> Result<Self> {
        self.diagonal()?.sum(&[-1], false)
    }
    /// A matrix with this vector on its diagonal, or the diagonal of this matrix.
    pub fn diag(&self) -> Result<Self> {
        if self.rank() != 1 {
            return self.diagonal();
        }
        let n = self.len();
        element_count(&[n, n])?;
        self.unslice(&[Span { start: 0, end: n * n, step: n + 1 }], &[n * n])?.reshape(&[n, n])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::tests::{context, gradient_error, sample};

    #[test]
    fn values_and_gradients() {
        type F = fn(&[Tensor]) -> Result<Tensor>;
        let cases: [(&str, &[&[usize]], F); 8] = [
            ("norm", &[&[2, 3]], |x| x[0].norm(&[], false)),
            ("norm axis", &[&[2, 3]], |x| x[0].norm(&[1], true)),
            ("dot", &[&[3], &[3]], |x| x[0].dot(&x[1])),
            ("outer", &[&[2], &[3]], |x| x[0].outer(&x[1])),
            ("trace", &[&[2, 3, 3]], |x| x[0].trace()),
            ("diagonal", &[&[3, 3]], |x| x[0].diagonal()),
            ("diag", &[&[3]], |x| x[0].diag()),
            ("diag of a matrix", &[&[3, 3]], |x| x[0].diag()?.diag()),
        ];
        let c = context();
        for (name, shapes, f) in cases {
            let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(&c, s, i + 1)).collect();
            let error = gradient_error(&inputs, f);
            assert!(error < 1e-6, "{name}: {error:e}");
        }
        let t = |values: &[f64], shape: &[usize]| Tensor::new(&c, values.to_vec(), shape).unwrap();
        let long = t(&[3e200, -4e200], &[2]).norm(&[], false).unwrap().item().unwrap();
        assert!((long / 5e200 - 1.0).abs() < 1e-15);
        assert_eq!(t(&[0.0; 4], &[2, 2]).norm(&[0], false).unwrap().to_vec().unwrap(), [0.0, 0.0]);
        assert_eq!(t(&[], &[0]).norm(&[], false).unwrap().item().unwrap(), 0.0);
        assert_eq!(t(&[1.0, 2.0], &[2]).diag().unwrap().to_vec().unwrap(), [1.0, 0.0, 0.0, 2.0]);
        assert_eq!(t(&[1.0, 2.0, 3.0, 4.0], &[2, 2]).trace().unwrap().item().unwrap(), 5.0);
        assert!(t(&[1.0, 2.0], &[1, 2]).trace().is_err());
        assert!(t(&[1.0, 2.0], &[2]).trace().is_err());
        assert!(t(&[1.0, 2.0], &[2]).dot(&t(&[1.0], &[1])).is_err());
        assert!(t(&[1.0, 2.0], &[1, 2]).outer(&t(&[1.0], &[1])).is_err());
        assert_eq!(t(&[], &[0]).diag().unwrap().shape(), [0, 0]);
        assert_eq!(t(&[], &[0, 0]).trace().unwrap().item().unwrap(), 0.0);
    }
}
