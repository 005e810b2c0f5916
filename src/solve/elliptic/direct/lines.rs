//! Transforms of all lines of a box, on slices.

use std::sync::Arc;

use rayon::prelude::*;
use rustdct::{Dct1, DctNum, DctPlanner, Dst1, TransformType2And3, TransformType4};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::basis::Basis;
use crate::tensor::Real;

/// A precision in which lines are transformed.
pub(super) trait Number: Real + DctNum {}
impl<T: Real + DctNum> Number for T {}

/// The transforms of the lines of one axis.
pub(super) enum Plan<T: Number> {
    /// A line of one number: all families are the identity up to their factor.
    One,
    Hartley(Arc<dyn Fft<T>>),
    Cosine1(Arc<dyn Dct1<T>>),
    Sine1(Arc<dyn Dst1<T>>),
    /// Types 2 and 3, sine or cosine; `first` says which of the two comes first.
    Pair {
        plan: Arc<dyn TransformType2And3<T>>,
        sine: bool,
        second_first: bool,
    },
    Own {
        plan: Arc<dyn TransformType4<T>>,
        sine: bool,
    },
}

impl<T: Number> Plan<T> {
    pub fn new(basis: Basis, n: usize) -> Self {
        let mut planner = DctPlanner::new();
        let pair = |planner: &mut DctPlanner<T>, sine, second_first| Self::Pair {
            plan: planner.plan_dct2(n),
            sine,
            second_first,
        };
        match basis {
            Basis::Periodic => Self::Hartley(FftPlanner::new().plan_fft_forward(n)),
            Basis::Cosine1 if n < 2 => Self::One,
            Basis::Cosine1 => Self::Cosine1(planner.plan_dct1(n)),
            Basis::Sine1 => Self::Sine1(planner.plan_dst1(n)),
            // Analysis by type 2, synthesis by type 3; where the roles of modes and points are exchanged, the other way round.
            Basis::Cosine2 => pair(&mut planner, false, true),
            Basis::Sine2 => pair(&mut planner, true, true),
            Basis::Cosine3 => pair(&mut planner, false, false),
            Basis::Sine3 => pair(&mut planner, true, false),
            Basis::Cosine4 => Self::Own { plan: planner.plan_dct4(n), sine: false },
            Basis::Sine4 => Self::Own { plan: planner.plan_dct4(n), sine: true },
        }
    }
    fn scratch(&self) -> usize {
        match self {
            Self::One | Self::Hartley(_) => 0,
            Self::Cosine1(plan) => plan.get_scratch_len(),
            Self::Sine1(plan) => plan.get_scratch_len(),
            Self::Pair { plan, .. } => plan.get_scratch_len(),
            Self::Own { plan, .. } => plan.get_scratch_len(),
        }
    }
    /// Transforms all lines of `n` numbers: into modes, or back.
    pub fn lines(&self, data: &mut [T], n: usize, into_modes: bool) {
        if let Self::Hartley(fft) = self {
            return hartley(&**fft, data, n);
        }
        let scratch = self.scratch();
        // Fewer than a few thousand numbers are not worth a task.
        data.par_chunks_mut(n).with_min_len((4096 / n.max(1)).max(1)).for_each_init(
            || vec![T::default(); scratch],
            |scratch, line| {
                // The transforms of type 1 take for granted that it is 0: what the line before left there would be added.
                scratch.fill(T::default());
                match self {
                    Self::One | Self::Hartley(_) => {}
                    Self::Cosine1(plan) => plan.process_dct1_with_scratch(line, scratch),
                    Self::Sine1(plan) => plan.process_dst1_with_scratch(line, scratch),
                    Self::Pair { plan, sine, second_first } => match (sine, *second_first == into_modes) {
                        (false, true) => plan.process_dct2_with_scratch(line, scratch),
                        (false, false) => plan.process_dct3_with_scratch(line, scratch),
                        (true, true) => plan.process_dst2_with_scratch(line, scratch),
                        (true, false) => plan.process_dst3_with_scratch(line, scratch),
                    },
                    Self::Own { plan, sine: false } => plan.process_dct4_with_scratch(line, scratch),
                    Self::Own { plan, sine: true } => plan.process_dst4_with_scratch(line, scratch),
                }
            },
        );
    }
}

/// `H(k) = Re X(k) − Im X(k)`, two lines by each complex transform: `Z = X_a + i X_b`.
fn hartley<T: Number>(fft: &dyn Fft<T>, data: &mut [T], n: usize) {
    let zero = Complex::new(T::default(), T::default());
    let half = T::of(0.5);
    data.par_chunks_mut(2 * n).with_min_len((2048 / n.max(1)).max(1)).for_each_init(
        || (vec![zero; n], vec![zero; fft.get_inplace_scratch_len()]),
        |(z, scratch), pair| {
            let (a, b) = pair.split_at_mut(n.min(pair.len()));
            z.fill(zero);
            for (z, &a) in z.iter_mut().zip(&*a) {
                z.re = a;
            }
            for (z, &b) in z.iter_mut().zip(&*b) {
                z.im = b;
            }
            fft.process_with_scratch(z, scratch);
            for k in 0..n {
                let (p, m) = (z[k], z[(n - k) % n]);
                // X_a = (p + m*)/2, X_b = (p − m*)/2i
                a[k] = (p.re + m.re - p.im + m.im) * half;
                if let Some(b) = b.get_mut(k) {
                    *b = (p.im + m.im + p.re - m.re) * half;
                }
            }
        },
    );
}

/// `target[c, r] = source[r, c]`, tile by tile so that both sides stay in cache.
pub(super) fn transpose<T: Number>(source: &[T], target: &mut [T], rows: usize, columns: usize) {
    const TILE: usize = 16;
    if rows == 0 || columns == 0 {
        return;
    }
    target.par_chunks_mut(rows * TILE).enumerate().with_min_len((4096 / (rows * TILE)).max(1)).for_each(
        |(tile, target)| {
            let first = tile * TILE;
            for start in (0..rows).step_by(TILE) {
                for (c, line) in target.chunks_mut(rows).enumerate() {
                    let end = (start + TILE).min(rows);
                    for (r, value) in line.iter_mut().enumerate().take(end).skip(start) {
                        *value = source[r * columns + first + c];
                    }
                }
            }
        },
    );
}
