//! Where the eigenvalues of an operator lie, by waves.
//!
//! The row of a point, taken for the same everywhere, maps a wave to a multiple of itself: the small matrix `Σ_j A_ij e^{iθ(j − i)}` between
//! unknowns. Its eigenvalues for waves of 2, 3, 4 points and more bound those of the operator where coefficients vary slowly, and are
//! those of periodic stencils.

use std::collections::BTreeMap;

use rustfft::num_complex::Complex as Number;

use super::Lattice;
use crate::error::Result;
use crate::session::interrupt;
use crate::solve::Reach;
use crate::solve::eigenvalues::eigenvalues;
use crate::tensor::Tensor;

/// Points evenly apart that are looked at, at most about.
const POINTS: usize = 100;
/// And those where the operator is largest.
const LARGEST: usize = 32;
/// Parts of π between neighbours.
const ANGLES: [f64; 5] = [0.0, 1.0 / 3.0, 0.5, 2.0 / 3.0, 1.0];

impl Lattice {
    /// The box of eigenvalues over some hundred points of all samples. Points where the derivative is not finite say nothing.
    ///
    /// # Errors
    /// Those of the operator.
    pub fn reach(&self, a: impl Fn(&[f64]) -> Result<Tensor>) -> Result<Reach> {
        let cells: usize = self.points.iter().product();
        let mut reach = Reach { real: 0.0, imaginary: 0.0 };
        let waves = ANGLES.len().pow(self.points.len() as u32);
        let products = self.products(a)?;
        for (sample, places) in self.places(&products)? {
            interrupt::poll()?;
            let Some(products) = products.get(sample) else { continue };
            let rows = self.rows_at(products, |cell| places.binary_search(&cell).is_ok());
            for cell in places {
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
    /// The points to look at, by sample: those evenly apart, and those whose rows are largest.
    fn places(&self, products: &[Vec<Vec<f64>>]) -> Result<BTreeMap<usize, Vec<usize>>> {
        let cells: usize = self.points.iter().product();
        let inside: Vec<usize> = (0..cells).filter(|cell| self.is_inside(*cell)).collect();
        let apart = (products.len().saturating_mul(inside.len()) / POINTS).max(1) | 1;
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut largest: Vec<(f64, usize, usize)> = Vec::new();
        let shrink = |largest: &mut Vec<(f64, usize, usize)>| {
            largest.sort_by(|a, b| b.0.total_cmp(&a.0));
            largest.truncate(LARGEST);
        };
        let mut sizes = vec![0.0f64; cells];
        for (sample, products) in products.iter().enumerate() {
            interrupt::poll()?;
            sizes.fill(0.0);
            for product in products {
                for part in product.chunks(cells.max(1)) {
                    sizes.iter_mut().zip(part).for_each(|(size, value)| *size += value.abs());
                }
            }
            for (at, &cell) in inside.iter().enumerate() {
                let size = sizes.get(cell).copied().unwrap_or(0.0);
                if !size.is_finite() {
                    continue;
                }
                if (sample * inside.len() + at).is_multiple_of(apart) {
                    places.entry(sample).or_default().push(cell);
                } else {
                    largest.push((size, sample, cell));
                }
            }
            if largest.len() > 64 * LARGEST {
                shrink(&mut largest);
            }
        }
        shrink(&mut largest);
        for (_, sample, cell) in largest {
            places.entry(sample).or_default().push(cell);
        }
        places.values_mut().for_each(|cells| cells.sort_unstable());
        Ok(places)
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
