//! Between a grid and the next coarser one, axis by axis.
//!
//! A fine centre lies between the centre of its coarse cell and that of a neighbour; its value is interpolated linearly between the two.
//! Where there is no open face towards that neighbour the value is the coarse cell's own, at a wall it falls towards 0. Restriction is the
//! transpose, which keeps the cycle symmetric.

use rayon::prelude::*;

use super::level::{Level, stride};
use crate::tensor::Real;

/// The weights of one axis: for each fine cell on each line of the axis, that of the coarse neighbour and that of the own coarse cell.
pub(super) struct Transfer<T> {
    axis: usize,
    /// The grid with the axis still fine; axes before it are coarse already.
    fine: [usize; 3],
    coarse: [usize; 3],
    /// Weight of the own coarse cell.
    own: Vec<T>,
    /// Weight of the neighbour on the side where the fine cell lies.
    other: Vec<T>,
}

impl<T: Real> Transfer<T> {
    /// The transfers between two levels, in the order of prolongation.
    pub fn between(fine: &Level<T>, coarse: &Level<T>) -> Vec<Self> {
        let mut steps = Vec::new();
        let mut mixed = coarse.n;
        for axis in 0..3 {
            if fine.n[axis] == coarse.n[axis] {
                continue;
            }
            let from = mixed;
            mixed[axis] = fine.n[axis];
            steps.push(Self::along(axis, mixed, from, fine, coarse));
        }
        steps
    }
    /// `target` is `source` with `axis` made fine.
    fn along(axis: usize, target: [usize; 3], source: [usize; 3], fine: &Level<T>, coarse: &Level<T>) -> Self {
        let cells: usize = target.iter().product();
        let (mut own, mut other) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
        let (small, large) = (&fine.widths[axis], &coarse.widths[axis]);
        let n = coarse.n[axis];
        let (faces, walls) = (&coarse.faces[axis], &coarse.walls[axis]);
        let (zero, one) = (T::default(), T::of(1.0));
        // Conductances are known on the coarse grid; an axis that is fine already is looked up in the cell around.
        let up = |a: usize, i: usize| if target[a] == coarse.n[a] { i } else { i / 2 };
        for i in 0..target[0] {
            for j in 0..target[1] {
                for k in 0..target[2] {
                    let index = [i, j, k];
                    let i = index[axis];
                    let parent = i / 2;
                    let pair = 2 * parent + 1 < target[axis];
                    if !pair {
                        // The centres coincide.
                        own.push(one);
                        other.push(zero);
                        continue;
                    }
                    let low = i % 2 == 0;
                    let mut at: [usize; 3] = std::array::from_fn(|a| up(a, index[a]));
                    let neighbour = if low { (parent + n - 1) % n } else { (parent + 1) % n };
                    let place =
                        |at: [usize; 3]| at.iter().enumerate().map(|(a, i)| i * stride(coarse.n, a)).sum::<usize>();
                    let here = place(at);
                    at[axis] = neighbour;
                    let face = if low { place(at) } else { here };
                    let offset = 0.5 * (large[parent] - small[i]);
                    let open = faces.get(face).is_some_and(|&k| k > zero);
                    if open {
                        let weight = T::of(offset / (0.5 * (large[parent] + large[neighbour])));
                        own.push(one - weight);
                        other.push(weight);
                        continue;
                    }
                    let at_end = if low { parent == 0 } else { parent + 1 == n };
                    let wall = walls.get(here).copied().unwrap_or(zero);
                    let mut weight = one;
                    if at_end && wall > zero {
                        // A wall that holds as firmly as a face would over half of the distance stands for the value 0.
                        let inner = if n > 1 {
                            faces.get(if low { here } else { face_before(here, axis, coarse.n) })
                        } else {
                            None
                        };
                        let firm = inner.map_or(one, |&k| (wall / (k + k)).min(one));
                        let firm = if firm.is_finite() { firm } else { one };
                        weight = one - firm * T::of(offset / (0.5 * large[parent]));
                    }
                    own.push(weight);
                    other.push(zero);
                }
            }
        }
        Self { axis, fine: target, coarse: source, own, other }
    }

    /// Which coarse cell, and which neighbour, belongs to index `i` of the axis.
    fn parents(&self, i: usize) -> (usize, usize) {
        let n = self.coarse[self.axis];
        let parent = i / 2;
        (parent, if i.is_multiple_of(2) { (parent + n - 1) % n } else { (parent + 1) % n })
    }

    /// `target = P source`
    pub fn prolong(&self, source: &[T], target: &mut [T]) {
        let inner = stride(self.fine, self.axis);
        let (n, m) = (self.fine[self.axis], self.coarse[self.axis]);
        if inner == 1 {
            let weights = self.own.par_chunks(n).zip(self.other.par_chunks(n));
            let lines = target.par_chunks_mut(n).zip(source.par_chunks(m)).zip(weights);
            lines.with_min_len((4096 / n).max(1)).for_each(|((target, source), (own, other))| {
                for (i, (target, (&own, &other))) in target.iter_mut().zip(own.iter().zip(other)).enumerate() {
                    let (parent, neighbour) = self.parents(i);
                    *target = own * source[parent] + other * source[neighbour];
                }
            });
            return;
        }
        target.par_chunks_mut(inner).with_min_len((4096 / inner).max(1)).enumerate().for_each(|(line, target)| {
            let (outer, i) = (line / n, line % n);
            let (parent, neighbour) = self.parents(i);
            let at = |p: usize| &source[(outer * m + p) * inner..][..inner];
            let range = line * inner..(line + 1) * inner;
            let weights = self.own[range.clone()].iter().zip(&self.other[range]);
            let values = at(parent).iter().zip(at(neighbour));
            for ((target, (&a, &b)), (&own, &other)) in target.iter_mut().zip(values).zip(weights) {
                *target = own * a + other * b;
            }
        });
    }
    /// `target = Pᵀ source`
    pub fn restrict(&self, source: &[T], target: &mut [T]) {
        let inner = stride(self.fine, self.axis);
        let (n, m) = (self.fine[self.axis], self.coarse[self.axis]);
        if inner == 1 {
            let weights = self.own.par_chunks(n).zip(self.other.par_chunks(n));
            let lines = target.par_chunks_mut(m).zip(source.par_chunks(n)).zip(weights);
            lines.with_min_len((4096 / n).max(1)).for_each(|((target, source), (own, other))| {
                target.fill(T::default());
                for (i, (&x, (&own, &other))) in source.iter().zip(own.iter().zip(other)).enumerate() {
                    let (parent, neighbour) = self.parents(i);
                    target[parent] = target[parent] + own * x;
                    target[neighbour] = target[neighbour] + other * x;
                }
            });
            return;
        }
        target.par_chunks_mut(inner).with_min_len((4096 / inner).max(1)).enumerate().for_each(|(line, target)| {
            let (outer, p) = (line / m, line % m);
            target.fill(T::default());
            let mut add = |i: usize, weights: &[T]| {
                let range = (outer * n + i) * inner..(outer * n + i + 1) * inner;
                for ((t, &x), &w) in target.iter_mut().zip(&source[range.clone()]).zip(&weights[range]) {
                    *t = *t + w * x;
                }
            };
            for i in [2 * p, 2 * p + 1] {
                if i < n {
                    add(i, &self.own);
                }
            }
            // The upper cell of the coarse cell before, the lower cell of the one after.
            let before = 2 * ((p + m - 1) % m) + 1;
            if before < n {
                add(before, &self.other);
            }
            let after = 2 * ((p + 1) % m);
            add(after, &self.other);
        });
    }
    /// Cells on the fine side.
    pub fn fine_cells(&self) -> usize {
        self.own.len()
    }
    /// Cells on the coarse side.
    pub fn coarse_cells(&self) -> usize {
        self.coarse.iter().product()
    }
}

fn face_before(here: usize, axis: usize, n: [usize; 3]) -> usize {
    here.saturating_sub(stride(n, axis))
}
