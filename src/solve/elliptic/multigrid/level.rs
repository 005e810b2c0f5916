//! The finite-volume operator of one grid of the hierarchy, on slices.
//!
//! A cell exchanges with its neighbour through a face of some conductance, loses through walls, and reacts:
//! `(A x)ᵢ = Σ_faces k (xᵢ − xⱼ) + (Σ wall + reaction)ᵢ xᵢ`. What is not connected has conductance 0, so that obstacles, edges and wrapped
//! axes are all one loop.

use rayon::prelude::*;

use crate::tensor::Real;

/// Cells below which a loop is left to one thread.
const ALONE: usize = 1 << 14;

/// A grid of up to three axes; axes that are missing have one cell, and come first.
#[derive(Clone)]
pub(super) struct Level<T> {
    /// Cells along each axis.
    pub n: [usize; 3],
    /// Conductance of the face between cell `i` and the next one along each axis, in cyclic order; empty where there is one cell.
    pub faces: [Vec<T>; 3],
    /// Conductance to the walls that end each axis; empty where there are none.
    pub walls: [Vec<T>; 3],
    /// The reaction; empty where there is none.
    pub reaction: Vec<T>,
    /// The sum of all of it.
    pub diagonal: Vec<T>,
    /// Its inverse; 0 for cells that are connected to nothing.
    pub inverse: Vec<T>,
    /// Widths of the cells of each axis, in those of the finest grid.
    pub widths: [Vec<f64>; 3],
}

impl<T: Real> Level<T> {
    pub fn new(n: [usize; 3], faces: [Vec<T>; 3], walls: [Vec<T>; 3], reaction: Vec<T>, widths: [Vec<f64>; 3]) -> Self {
        let cells = n.iter().product();
        let mut diagonal = if reaction.is_empty() { vec![T::default(); cells] } else { reaction.clone() };
        for (axis, faces) in faces.iter().enumerate() {
            let (n, stride) = (n[axis], stride(n, axis));
            if !faces.is_empty() {
                for at in 0..cells {
                    let i = at / stride % n;
                    let before = if i == 0 { at + (n - 1) * stride } else { at - stride };
                    diagonal[at] = diagonal[at] + faces[at] + faces[before];
                }
            }
        }
        for walls in &walls {
            diagonal.iter_mut().zip(walls).for_each(|(d, &w)| *d = *d + w);
        }
        let inverse = diagonal.iter().map(|&d| if d > T::default() { T::of(1.0) / d } else { T::default() }).collect();
        Self { n, faces, walls, reaction, diagonal, inverse, widths }
    }
    pub fn cells(&self) -> usize {
        self.diagonal.len()
    }
    /// The same operator in another precision.
    pub fn cast<U: Real>(&self) -> Level<U> {
        let cast = |values: &Vec<T>| values.iter().map(|v| U::of(v.f64())).collect::<Vec<U>>();
        Level {
            n: self.n,
            faces: self.faces.each_ref().map(cast),
            walls: self.walls.each_ref().map(cast),
            reaction: cast(&self.reaction),
            diagonal: cast(&self.diagonal),
            inverse: cast(&self.inverse),
            widths: self.widths.clone(),
        }
    }

    /// Rows of the last axis in pieces that are worth a task, with the number of the first row.
    pub fn rows_per_task(&self) -> usize {
        let rows = self.n[0] * self.n[1];
        if self.cells() < 2 * ALONE { rows.max(1) } else { (ALONE / self.n[2]).max(1) }
    }

    /// `A x` of one row of cells.
    #[inline(always)]
    pub fn row(&self, x: &[T], row: usize, out: &mut [T]) {
        let [n0, n1, n2] = self.n;
        let (i, j) = (row / n1, row % n1);
        let own = row * n2..(row + 1) * n2;
        let here = &x[own.clone()];
        for ((out, &x), &d) in out.iter_mut().zip(here).zip(&self.diagonal[own.clone()]) {
            *out = d * x;
        }
        let neighbours = [
            (&self.faces[0], ((i + 1) % n0) * n1 + j, ((i + n0 - 1) % n0) * n1 + j),
            (&self.faces[1], i * n1 + (j + 1) % n1, i * n1 + (j + n1 - 1) % n1),
        ];
        for (faces, next, before) in neighbours {
            if faces.is_empty() {
                continue;
            }
            let (next, before) = (next * n2..(next + 1) * n2, before * n2..(before + 1) * n2);
            let after = faces[own.clone()].iter().zip(&x[next]);
            let ahead = faces[before.clone()].iter().zip(&x[before]);
            for ((out, (&k, &x)), (&l, &y)) in out.iter_mut().zip(after).zip(ahead) {
                *out = *out - k * x - l * y;
            }
        }
        let faces = &self.faces[2];
        if !faces.is_empty() {
            let k = &faces[own];
            let last = n2 - 1;
            for ((out, &k), &x) in out[..last].iter_mut().zip(&k[..last]).zip(&here[1..]) {
                *out = *out - k * x;
            }
            for ((out, &k), &x) in out[1..].iter_mut().zip(&k[..last]).zip(&here[..last]) {
                *out = *out - k * x;
            }
            out[last] = out[last] - k[last] * here[0];
            out[0] = out[0] - k[last] * here[last];
        }
    }

    /// `A x`
    pub fn apply(&self, x: &[T], out: &mut [T]) {
        let (rows, n2) = (self.rows_per_task(), self.n[2]);
        out.par_chunks_mut(rows * n2).enumerate().for_each(|(task, out)| {
            for (r, out) in out.chunks_mut(n2).enumerate() {
                self.row(x, task * rows + r, out);
            }
        });
    }
    /// `r = b − A x`
    pub fn residual(&self, b: &[T], x: &[T], r: &mut [T]) {
        let (rows, n2) = (self.rows_per_task(), self.n[2]);
        r.par_chunks_mut(rows * n2).zip(b.par_chunks(rows * n2)).enumerate().for_each(|(task, (r, b))| {
            for (i, (r, b)) in r.chunks_mut(n2).zip(b.chunks(n2)).enumerate() {
                self.row(x, task * rows + i, r);
                for (r, &b) in r.iter_mut().zip(b) {
                    *r = b - *r;
                }
            }
        });
    }
}

/// The distance in memory between neighbours along an axis.
pub(super) fn stride(n: [usize; 3], axis: usize) -> usize {
    n.iter().skip(axis + 1).product()
}
