//! Matrix products on slices, on one thread: the piece that kernels which are parallel over samples are built from; and products of two
//! whole matrices on all threads.

use std::any::TypeId;

use burn::backend::DispatchTensor;

use super::base::{FlexTensor, Real, in_precision};
use super::context::Precision;
use super::elementwise::tensor_of;
use super::share::share;
use crate::session::interrupt;

/// A matrix in a slice: `data[row * row_stride + column * column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Rows one after the other, `stride` apart.
    pub fn new(data: &'a [T], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(stride >= columns && reach(rows, stride, columns) <= data.len(), "a matrix leaves its slice");
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }
    /// With any distances between rows and between columns.
    fn strided(data: &'a [T], [rows, columns]: [usize; 2], [row_stride, column_stride]: [usize; 2]) -> Self {
        let last = rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * column_stride;
        assert!(rows == 0 || columns == 0 || last < data.len(), "a matrix leaves its slice");
        Self { data, rows, columns, row_stride, column_stride }
    }
    /// Rows from `start` on, at most `count`.
    fn rows_from(self, start: usize, count: usize) -> Self {
        Self { data: &self.data[start * self.row_stride..], rows: count.min(self.rows - start), ..self }
    }
    /// Rows and columns exchanged.
    pub fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }
}

/// How many numbers a matrix spans.
fn reach(rows: usize, stride: usize, columns: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * stride + columns }
}

/// `out = a b`, or `out += a b`; the rows of `out` are `stride` apart.
pub(crate) fn multiply<T: Real>(out: &mut [T], stride: usize, a: Matrix<'_, T>, b: Matrix<'_, T>, add: bool) {
    multiply_on(out, stride, a, b, add, gemm::Parallelism::None);
}

/// The same, on so many threads.
fn multiply_on<T: Real>(
    out: &mut [T],
    stride: usize,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    add: bool,
    threads: gemm::Parallelism,
) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(k == b.rows && stride >= n && reach(m, stride, n) <= out.len(), "a product leaves its slice");
    assert!(TypeId::of::<T>() == TypeId::of::<f32>() || TypeId::of::<T>() == TypeId::of::<f64>());
    // SAFETY: both operands and the result lie inside their slices for these lengths and strides (checked when the
    // matrices were made and above), the result is borrowed exclusively, and `gemm` has kernels for both types.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            if add { T::of(1.0) } else { T::of(0.0) },
            T::of(1.0),
            false,
            false,
            false,
            threads,
        );
    }
}

/// Multiplications that are not worth a second thread.
const ALONE: usize = 192 * 192 * 192;
/// Rows that a thread takes at a time, where there are many times more; always as many, so that bits do not depend on threads.
const ROWS: usize = 256;

/// The product of two matrices of any strides; `None` for other shapes, or when an interrupt ended it.
///
/// Burn's clears its result and copies it once before it is written, which costs as much as a narrow product.
pub(crate) fn matrices(a: &FlexTensor, b: &FlexTensor, precision: Precision) -> Option<DispatchTensor> {
    in_precision!(precision, T => product::<T>(a, b))
}

fn matrix<T: Real>(tensor: &FlexTensor) -> Option<Matrix<'_, T>> {
    let layout = tensor.layout();
    let (&[rows, columns], &[row, column]) = (&layout.shape()[..], layout.strides()) else { return None };
    let strides = [usize::try_from(row).ok()?, usize::try_from(column).ok()?];
    let data = tensor.storage::<T>().get(layout.start_offset()..)?;
    Some(Matrix::strided(data, [rows, columns], strides))
}

fn product<T: Real>(a: &FlexTensor, b: &FlexTensor) -> Option<DispatchTensor> {
    let (a, b) = (matrix::<T>(a)?, matrix::<T>(b)?);
    let (m, k, n) = (a.rows, a.columns, b.columns);
    if k != b.rows || k == 0 {
        return None;
    }
    let mut out: Vec<T> = Vec::with_capacity(m * n);
    // SAFETY: the capacity is `m n`, any bits are a float, and each element is written below before anything reads it: `multiply` without
    // `add` does not read its result.
    #[allow(clippy::uninit_vec)]
    unsafe {
        out.set_len(m * n);
    }
    let work = m.saturating_mul(n).saturating_mul(k);
    if work < ALONE || m < 4 * ROWS {
        let threads = if work < ALONE { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(0) };
        multiply_on(&mut out, n, a, b, false, threads);
    } else {
        let parts = out.chunks_mut(ROWS * n).enumerate().collect();
        share(
            parts,
            || (),
            |(), (i, out): (usize, &mut [T])| {
                if interrupt::pending().is_some() {
                    // Nobody sees it: whoever asked polls next.
                    return out.fill(T::default());
                }
                multiply(out, n, a.rows_from(i * ROWS, ROWS), b, false);
            },
        );
    }
    Some(tensor_of(out, &[m, n]))
}
