//! One V-cycle: a symmetric approximation of the inverse, in time proportional to the number of cells.

use rayon::prelude::*;

use super::coarsen::{FEW, axes, coarser};
use super::coarsest::Elimination;
use super::level::Level;
use super::transfer::Transfer;
use crate::tensor::Real;

/// Steps of the smoother before and after a coarser grid; measured: 2 cost more cycles, 4 more time.
const STEPS: usize = 3;
/// Upper bound of the eigenvalues of `D⁻¹A`: the sum of a row's sizes is at most twice its diagonal (Gershgorin).
const LARGEST: f64 = 2.0;

/// All grids of one operator.
pub(super) struct Hierarchy<T> {
    levels: Vec<Level<T>>,
    transfers: Vec<Vec<Transfer<T>>>,
    /// `None` where the last operator is its diagonal: a larger one that cannot be coarsened.
    last: Option<Elimination>,
}

/// Vectors of one cycle.
pub(super) struct Work<T> {
    levels: Vec<Vectors<T>>,
    between: Vec<T>,
    beside: Vec<T>,
}
struct Vectors<T> {
    b: Vec<T>,
    x: Vec<T>,
    r: Vec<T>,
    d: Vec<T>,
    next: Vec<T>,
}

impl<T: Real> Hierarchy<T> {
    pub fn new(finest: Level<T>) -> Self {
        let mut levels = vec![finest];
        let mut transfers = Vec::new();
        while let Some(fine) = levels.last() {
            let which = axes(fine);
            if which == [false; 3] {
                break;
            }
            let coarse = coarser(fine, which);
            transfers.push(Transfer::between(fine, &coarse));
            levels.push(coarse);
        }
        let last = levels.last().filter(|level| level.cells() <= FEW).map(Elimination::new);
        Self { levels, transfers, last }
    }
    pub fn work(&self) -> Work<T> {
        let zeros = |n: usize| vec![T::default(); n];
        let levels = self.levels.iter().map(|level| {
            let n = level.cells();
            Vectors { b: zeros(n), x: zeros(n), r: zeros(n), d: zeros(n), next: zeros(n) }
        });
        Work { levels: levels.collect(), between: Vec::new(), beside: Vec::new() }
    }
    /// Bytes of all of it, in numbers per cell of the finest grid: operators, transfers and vectors, 1/(1 − ½) times in the worst case.
    pub fn numbers_per_cell() -> usize {
        2 * (2 + 3 + 3 + 1 + 4 + 5)
    }

    /// `x ≈ A⁻¹ b`
    pub fn cycle(&self, b: &[T], x: &mut [T], work: &mut Work<T>) {
        if let Some(first) = work.levels.first_mut() {
            first.b.copy_from_slice(b);
        }
        self.descend(0, work);
        if let Some(first) = work.levels.first() {
            x.copy_from_slice(&first.x);
        }
    }

    fn descend(&self, at: usize, work: &mut Work<T>) {
        let Some(level) = self.levels.get(at) else { return };
        let Some(transfers) = self.transfers.get(at) else {
            let Vectors { b, x, .. } = &mut work.levels[at];
            match &self.last {
                Some(last) => last.solve(b, x),
                None => x.iter_mut().zip(b.iter()).zip(&level.inverse).for_each(|((x, &b), &inverse)| *x = inverse * b),
            }
            return;
        };
        let own = &mut work.levels[at];
        own.x.fill(T::default());
        own.r.copy_from_slice(&own.b);
        smooth(level, own);
        // Down: restriction in the opposite order of prolongation, by way of grids that are coarse along some axes only.
        for (i, transfer) in transfers.iter().rev().enumerate() {
            let mut target = std::mem::take(&mut work.beside);
            target.resize(transfer.coarse_cells(), T::default());
            transfer.restrict(if i == 0 { &work.levels[at].r } else { &work.between }, &mut target);
            work.beside = std::mem::replace(&mut work.between, target);
        }
        std::mem::swap(&mut work.levels[at + 1].b, &mut work.between);
        self.descend(at + 1, work);
        // Up.
        for (i, transfer) in transfers.iter().enumerate() {
            let mut target = std::mem::take(&mut work.beside);
            target.resize(transfer.fine_cells(), T::default());
            transfer.prolong(if i == 0 { &work.levels[at + 1].x } else { &work.between }, &mut target);
            work.beside = std::mem::replace(&mut work.between, target);
        }
        let own = &mut work.levels[at];
        own.x.par_iter_mut().with_min_len(1 << 14).zip(&work.between).for_each(|(x, &c)| *x = *x + c);
        level.residual(&own.b, &own.x, &mut own.r);
        smooth(level, own);
    }
}

/// Adds to `x` what Chebyshev's polynomials of the fourth kind in `D⁻¹A` make of the residual `r`, and leaves the new residual in `r`.
///
/// A polynomial is the same in every order of the cells, so rows can be shared out among threads, and it is its own transpose.
/// Source: J. Lottes, *Optimal polynomial smoothers for multigrid V-cycles* (2022), algorithm 3.
fn smooth<T: Real>(level: &Level<T>, v: &mut Vectors<T>) {
    let first = T::of(4.0 / (3.0 * LARGEST));
    for (((d, x), &r), &inverse) in v.d.iter_mut().zip(&mut v.x).zip(&v.r).zip(&level.inverse) {
        *d = first * inverse * r;
        *x = *x + *d;
    }
    for k in 1..=STEPS {
        let (a, b) = ((2 * k - 1) as f64 / (2 * k + 3) as f64, (8 * k + 4) as f64 / ((2 * k + 3) as f64 * LARGEST));
        smoothing_step(level, v, T::of(a), T::of(b), k < STEPS);
        std::mem::swap(&mut v.d, &mut v.next);
    }
}

/// `r ← r − A d`, `d' = a d + b D⁻¹ r`, and `x ← x + d'` unless it is the last step, in one pass over the rows.
fn smoothing_step<T: Real>(level: &Level<T>, v: &mut Vectors<T>, a: T, b: T, more: bool) {
    let (rows, n2) = (level.rows_per_task(), level.n[2]);
    let size = rows * n2;
    let d = &v.d;
    let targets = v.next.par_chunks_mut(size).zip(v.r.par_chunks_mut(size)).zip(v.x.par_chunks_mut(size));
    targets.enumerate().for_each(|(task, ((next, r), x))| {
        let lines = next.chunks_mut(n2).zip(r.chunks_mut(n2)).zip(x.chunks_mut(n2));
        for (i, ((next, r), x)) in lines.enumerate() {
            let row = task * rows + i;
            level.row(d, row, next);
            let own = row * n2..(row + 1) * n2;
            for (r, &ad) in r.iter_mut().zip(&*next) {
                *r = *r - ad;
            }
            if more {
                let parts = d[own.clone()].iter().zip(&level.inverse[own]);
                for (((next, &r), x), (&d, &inverse)) in next.iter_mut().zip(&*r).zip(x).zip(parts) {
                    *next = a * d + b * inverse * r;
                    *x = *x + *next;
                }
            }
        }
    });
}
