//! Matrix products on slices, on one thread: the piece that kernels which are parallel over samples are built from.

use std::any::TypeId;

use super::base::Real;

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
            gemm::Parallelism::None,
        );
    }
}
