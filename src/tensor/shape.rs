//! Shape algebra: broadcasting, axes, ranges.

use crate::error::{Error, Result};

/// Lengths of the axes.
pub type Shape = Vec<usize>;

/// More elements than this no machine holds; the product of lengths is checked against it.
const MOST_ELEMENTS: usize = 1 << 48;

/// The number of elements of a shape.
///
/// # Errors
/// When the product is beyond anything that memory could hold.
pub fn element_count(shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &len| n.checked_mul(len))
        .filter(|&n| n <= MOST_ELEMENTS)
        .ok_or_else(|| Error::limit("a tensor of this shape is too large").got(format!("shape {shape:?}")))
}

/// The shape that two shapes broadcast to.
pub fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Result<Shape> {
    if a == b {
        return Ok(a.to_vec());
    }
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (m, n) if m == n => Ok(m),
            (1, n) => Ok(n),
            (m, 1) => Ok(m),
            (m, n) => Err(Error::shape(format!("{op}: shapes do not fit together"))
                .got(format!("{a:?} and {b:?} ({m} against {n})"))
                .expected("equal lengths, or 1, aligned at the last axis")
                .advice("reshape one of them, or add an axis of length 1: unsqueeze(t, axis)")),
        })
        .collect()
}

/// An axis counted from the front, or from the back when negative.
pub fn axis_index(op: &str, axis: i64, rank: usize) -> Result<usize> {
    let index = if axis < 0 { axis + rank as i64 } else { axis };
    if (0..rank as i64).contains(&index) {
        Ok(index as usize)
    } else if rank == 0 {
        Err(Error::shape(format!("{op}: no axis {axis}")).got("a tensor of rank 0").expected("rank 1 or more"))
    } else {
        Err(Error::shape(format!("{op}: no axis {axis}")).got(format!("a tensor of rank {rank}")).expected(format!(
            "an axis from {} to {}",
            -(rank as i64),
            rank as i64 - 1
        )))
    }
}

/// Several axes, each once, in ascending order; none given means all.
pub fn axes_indices(op: &str, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    if axes.is_empty() {
        return Ok((0..rank).collect());
    }
    let mut out = axes.iter().map(|&a| axis_index(op, a, rank)).collect::<Result<Vec<_>>>()?;
    out.sort_unstable();
    if out.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::shape(format!("{op}: an axis is named twice")).got(format!("{axes:?}")));
    }
    Ok(out)
}

/// A position along an axis of length `len`, counted from the back when negative.
pub fn position(op: &str, index: i64, len: usize) -> Result<usize> {
    let at = if index < 0 { index + len as i64 } else { index };
    if (0..len as i64).contains(&at) {
        Ok(at as usize)
    } else {
        Err(Error::shape(format!("{op}: index {index} is outside"))
            .got(format!("index {index} on an axis of length {len}"))
            .expected(if len == 0 {
                "an axis that is not empty".to_string()
            } else {
                format!("{} to {}", -(len as i64), len as i64 - 1)
            }))
    }
}

/// Row-major strides.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// Replaces one −1 by the length that makes the product come out.
pub fn infer_shape(wanted: &[i64], count: usize) -> Result<Shape> {
    let unfit = || {
        Error::shape("reshape: the number of elements must stay")
            .got(format!("{count} elements to {wanted:?}"))
            .expected("lengths whose product is the number of elements; one may be -1")
    };
    let mut known = wanted.iter().filter(|&&n| n != -1);
    if wanted.iter().filter(|&&n| n == -1).count() > 1 || known.clone().any(|&n| n < 0) {
        return Err(unfit());
    }
    let product = known.try_fold(1usize, |p, &n| p.checked_mul(n as usize)).ok_or_else(unfit)?;
    let shape: Shape = if product > 0 && count % product == 0 {
        wanted.iter().map(|&n| if n == -1 { count / product } else { n as usize }).collect()
    } else {
        wanted.iter().map(|&n| if n == -1 { 0 } else { n as usize }).collect()
    };
    if element_count(&shape)? == count { Ok(shape) } else { Err(unfit()) }
}
