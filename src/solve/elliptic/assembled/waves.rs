//! Where the eigenvalues of an operator lie, by waves.
//!
//! The row of a point, taken for the same everywhere, maps a wave to a multiple of itself: the small matrix `Σ_j A_ij e^{iθ(j − i)}` between
//! unknowns. Its eigenvalues for waves of 2, 3, 4 points and more bound those of the operator where coefficients vary slowly, and are
//! those of periodic stencils.

use rustfft::num_complex::Complex as Number;

use super::Lattice;
use crate::error::Result;
use crate::solve::Reach;
use crate::solve::eigenvalues::eigenvalues;
use crate::tensor::Tensor;

/// Points that are looked at, at most about.
const POINTS: usize = 200;
/// Parts of π between neighbours.
const ANGLES: [f64; 5] = [0.0, 1.0 / 3.0, 0.5, 2.0 / 3.0, 1.0];

impl Lattice {
    /// The box of eigenvalues over some hundred points.
    ///
    /// # Errors
    /// Those of the operator.
    pub fn reach(&self, a: impl Fn(&[f64]) -> Result<Tensor>) -> Result<Reach> {
        let cells: usize = self.points.iter().product();
        let mut reach = Reach { real: 0.0, imaginary: 0.0 };
        let waves = ANGLES.len().pow(self.points.len() as u32);
        let stride = (cells / POINTS).max(1) | 1;
        for products in self.products(a)? {
            let step = if cells <= POINTS { 1 } else { stride };
            let rows = self.rows_at(&products, |cell| cell.is_multiple_of(step));
            for cell in (0..cells).step_by(step).filter(|cell| self.is_inside(*cell)) {
                for wave in 0..waves {
                    let mut matrix = vec![Number::new(0.0, 0.0); self.channels * self.channels];
                    for channel in 0..self.channels {
                        for (column, value) in rows.get(channel * cells + cell).into_iter().flatten() {
                            let turn = Number::from_polar(*value, self.phase(cell, column % cells, wave));
                            matrix[channel * self.channels + column / cells] += turn;
                        }
                    }
                    let all = if self.channels == 1 { matrix } else { eigenvalues(&matrix, self.channels) };
                    for lambda in all {
                        reach = reach.including(lambda);
                    }
                }
            }
        }
        Ok(reach.without_rounding())
    }
    /// Whether a point is so far from edges that its row is that of the inside: those that lean have eigenvalues of their own,
    /// which are not the operator's.
    fn is_inside(&self, cell: usize) -> bool {
        let mut rest = cell;
        self.points.iter().enumerate().rev().all(|(axis, &n)| {
            let (i, width) = (rest % n, self.width.get(axis).copied().unwrap_or(0));
            rest /= n;
            self.periodic.get(axis) == Some(&true) || n <= 2 * width || (width..n - width).contains(&i)
        })
    }
    /// `θ (j − i)` of a wave between two points.
    fn phase(&self, from: usize, to: usize, wave: usize) -> f64 {
        let (mut i, mut j, mut wave, mut sum) = (from, to, wave, 0.0);
        for (axis, &n) in self.points.iter().enumerate().rev() {
            let mut distance = (j % n) as i64 - (i % n) as i64;
            if self.periodic.get(axis) == Some(&true) && 2 * distance.unsigned_abs() as usize > n {
                distance -= distance.signum() * n as i64;
            }
            sum += std::f64::consts::PI * ANGLES[wave % ANGLES.len()] * distance as f64;
            (i, j, wave) = (i / n, j / n, wave / ANGLES.len());
        }
        sum
    }
}
