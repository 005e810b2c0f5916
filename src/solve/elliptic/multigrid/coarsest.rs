//! Elimination on the coarsest grid.

use super::level::{Level, stride};
use crate::tensor::Real;

/// `L D Lᵀ` of the coarsest operator. A pivot that vanishes, one for each part that is connected to no wall, holds its unknown at 0: the
/// inverse of the rest is symmetric, which is all that a preconditioner of a singular system needs.
pub(super) struct Elimination {
    n: usize,
    factors: Vec<f64>,
    pivots: Vec<f64>,
}

/// A pivot below this part of its diagonal element has vanished.
const VANISHED: f64 = 1e-9;

impl Elimination {
    pub fn new<T: Real>(level: &Level<T>) -> Self {
        let n = level.cells();
        let mut a = vec![0.0; n * n];
        for (i, d) in level.diagonal.iter().enumerate() {
            a[i * n + i] = d.f64();
        }
        for (axis, faces) in level.faces.iter().enumerate() {
            let (cells, stride) = (level.n[axis], stride(level.n, axis));
            for (i, k) in faces.iter().enumerate() {
                let next = if i / stride % cells + 1 == cells { i - (cells - 1) * stride } else { i + stride };
                a[i * n + next] -= k.f64();
                a[next * n + i] -= k.f64();
            }
        }
        let mut pivots = vec![0.0; n];
        for j in 0..n {
            let before: f64 = (0..j).map(|k| a[j * n + k] * a[j * n + k] * pivots[k]).sum();
            let pivot = a[j * n + j] - before;
            let holds = pivot > VANISHED * level.diagonal[j].f64();
            pivots[j] = if holds { pivot } else { 0.0 };
            for i in j + 1..n {
                let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k] * pivots[k]).sum();
                a[i * n + j] = if holds { (a[i * n + j] - sum) / pivot } else { 0.0 };
            }
        }
        Self { n, factors: a, pivots }
    }
    pub fn solve<T: Real>(&self, b: &[T], x: &mut [T]) {
        let n = self.n;
        let mut y: Vec<f64> = b.iter().map(|b| b.f64()).collect();
        for i in 0..n {
            y[i] -= (0..i).map(|k| self.factors[i * n + k] * y[k]).sum::<f64>();
        }
        for (y, &pivot) in y.iter_mut().zip(&self.pivots) {
            *y = if pivot > 0.0 { *y / pivot } else { 0.0 };
        }
        for i in (0..n).rev() {
            y[i] -= (i + 1..n).map(|k| self.factors[k * n + i] * y[k]).sum::<f64>();
        }
        // What was held at 0 stays there.
        for ((x, y), &pivot) in x.iter_mut().zip(y).zip(&self.pivots) {
            *x = if pivot > 0.0 { T::of(y) } else { T::default() };
        }
    }
}
