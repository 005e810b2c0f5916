//! The loops of banded maps: shifted copies of flat arrays, split over threads where that pays.

use rayon::prelude::*;

use super::Banded;
use crate::error::Result;
use crate::session::interrupt;
use crate::tensor::{Real, Tensor, weighted_sum};

/// How a tensor lies around an axis, and the shape of the result.
pub(super) struct Along {
    pub outer: usize,
    pub inner: usize,
    pub shape: Vec<usize>,
}

/// Numbers of one piece of work: fits the first cache with its neighbours.
const PIECE: usize = 1 << 12;
/// Fewer numbers than this are not worth a second thread.
const SPREAD: usize = 1 << 15;

impl Along {
    pub fn multiply<T: Real>(&self, matrix: &Banded, x: &Tensor, out: &mut [T]) -> Result<()> {
        interrupt::poll()?;
        let flex = x.flex_contiguous();
        let read;
        let source: &[T] = match flex.as_ref().and_then(|flex| flex.as_slice::<T>()) {
            Some(slice) => slice,
            None => {
                read = x.detach().read::<T>()?;
                &read
            }
        };
        let (from, to) = (matrix.columns() * self.inner, matrix.rows() * self.inner);
        if from == 0 || to == 0 {
            return Ok(());
        }
        let spread = out.len() >= SPREAD;
        let blocks = source.chunks(from).zip(out.chunks_mut(to)).collect::<Vec<_>>();
        let one = |(x, out): (&[T], &mut [T])| self.block(matrix, x, out, spread);
        if spread {
            blocks.into_par_iter().for_each(one)
        } else {
            blocks.into_iter().for_each(one)
        }
        Ok(())
    }

    /// One place of the axes before.
    fn block<T: Real>(&self, matrix: &Banded, x: &[T], out: &mut [T], spread: bool) {
        let (parts, inner) = (&*matrix.0, self.inner);
        let (first, rest) = out.split_at_mut(parts.first.len() * inner);
        let (regular, last) = rest.split_at_mut(rest.len() - parts.last.len() * inner);
        for (rows, out) in [(&parts.first, first), (&parts.last, last)] {
            for (row, out) in rows.iter().zip(out.chunks_mut(inner)) {
                for &(column, weight) in row {
                    add_scaled(out, T::of(weight), &x[column * inner..][..inner]);
                }
            }
        }
        let begin = (parts.first.len() * inner) as i64;
        let taps: Vec<(i64, T)> = parts.taps.iter().map(|&(s, w)| (begin + s * inner as i64, T::of(w))).collect();
        let piece = |(i, out): (usize, &mut [T])| {
            let at = |&(start, w): &(i64, T)| (&x[(start + (i * PIECE) as i64) as usize..][..out.len()], w);
            let sources: Vec<(&[T], T)> = taps.iter().map(at).collect();
            weighted_sum(out, &sources, false);
        };
        if spread && regular.len() > 4 * PIECE {
            regular.par_chunks_mut(PIECE).enumerate().with_min_len(4).for_each(piece);
        } else {
            regular.chunks_mut(PIECE).enumerate().for_each(piece);
        }
    }
}

/// `out += w x`
fn add_scaled<T: Real>(out: &mut [T], w: T, x: &[T]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = *out + w * x;
    }
}

/// `out[o, i, j] += w_i b[o, j]`
pub(super) fn add_side<T: Real>(out: &mut [T], weights: &[f64], side: &[T], inner: usize) {
    if inner == 0 || weights.is_empty() {
        return;
    }
    for (block, side) in out.chunks_mut(weights.len() * inner).zip(side.chunks(inner)) {
        for (out, &w) in block.chunks_mut(inner).zip(weights) {
            if w != 0.0 {
                add_scaled(out, T::of(w), side);
            }
        }
    }
}
