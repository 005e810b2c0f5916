//! Conjugate gradients with a multigrid cycle as preconditioner, for finite-volume operators with variable coefficients.
//!
//! The iteration itself runs in double precision whatever the tensors have: on a fine grid the second difference of numbers in single
//! precision is mostly rounding. The cycle only has to be near the inverse, and runs in the precision of the tensors.

mod coarsen;
mod coarsest;
mod cycle;
mod level;
mod parts;
mod transfer;

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use self::cycle::Hierarchy;
use self::level::Level;
use self::parts::Parts;
use crate::session::interrupt;
use crate::tensor::Real;

/// The numbers of one operator, as they come from tensors.
pub(super) struct Operator {
    /// Cells along each axis; missing axes have one cell and come first.
    pub n: [usize; 3],
    /// Conductances of faces; empty where an axis has one cell.
    pub faces: [Vec<f64>; 3],
    /// Conductances to walls; empty where there are none.
    pub walls: [Vec<f64>; 3],
    /// The reaction; empty where there is none.
    pub reaction: Vec<f64>,
}

/// When the iteration stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub tolerance: f64,
    pub iterations: usize,
    /// Whether a right-hand side without a solution is refused: the part of it that is out of balance, relative to it.
    pub balance: Option<f64>,
}

/// Why there is no solution; can cross threads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    NotFinite,
    Interrupted,
    /// A part of the box that has no wall and whose right-hand side does not add up to 0: how much is left over, relative to its size.
    Unbalanced {
        part: usize,
        of: usize,
        excess: f64,
    },
    /// A cell that exchanges with nothing, and has a right-hand side.
    Disconnected {
        cell: usize,
    },
    Indefinite,
    Iterations {
        iterations: usize,
        residual: f64,
    },
}

/// An operator with all that is needed to invert it.
pub(super) struct Solver<T> {
    fine: Level<f64>,
    hierarchy: Hierarchy<T>,
    parts: Parts,
}

impl<T: Real> Solver<T> {
    pub fn new(operator: Operator) -> Self {
        let Operator { n, faces, walls, reaction } = operator;
        let fine = Level::new(n, faces, walls, reaction, n.map(|n| vec![1.0; n]));
        let parts = Parts::of(&fine);
        Self { hierarchy: Hierarchy::new(fine.cast()), fine, parts }
    }
    /// Bytes for each cell of a system.
    pub fn bytes_per_cell() -> usize {
        Hierarchy::<T>::numbers_per_cell() * size_of::<T>() + 15 * size_of::<f64>()
    }

    /// `x = A⁻¹ b`, and the residuals before each iteration and at the end. In parts without a wall `x` has the mean 0.
    pub fn solve(&self, b: &[f64], limits: Limits) -> Result<(Vec<f64>, Vec<f64>), Fault> {
        let cells = b.len();
        let mut r = b.to_vec();
        match limits.balance {
            Some(_) => self.connected(&r)?,
            None => r.iter_mut().zip(&self.fine.diagonal).filter(|(_, d)| **d == 0.0).for_each(|(r, _)| *r = 0.0),
        }
        self.parts.balance(&mut r, limits.balance)?;
        let norm = dot(&r, &r).sqrt();
        if !norm.is_finite() {
            return Err(Fault::NotFinite);
        }
        let mut x = vec![0.0; cells];
        let mut history = vec![if norm > 0.0 { 1.0 } else { 0.0 }];
        if norm == 0.0 {
            return Ok((x, history));
        }
        let mut work = self.hierarchy.work();
        let (mut single, mut cycled) = (vec![T::default(); cells], vec![T::default(); cells]);
        let mut z = vec![0.0; cells];
        let mut precondition = |r: &[f64], z: &mut [f64]| {
            // Scaled, so that nothing leaves the range of single precision.
            let scale = 1.0 / r.iter().fold(0.0f64, |m, r| m.max(r.abs())).max(f64::MIN_POSITIVE);
            single.iter_mut().zip(r).for_each(|(s, r)| *s = T::of(r * scale));
            self.hierarchy.cycle(&single, &mut cycled, &mut work);
            z.iter_mut().zip(&cycled).for_each(|(z, c)| *z = c.f64() / scale);
            // A cycle in single precision drifts along constants.
            self.parts.centre(z);
        };
        precondition(&r, &mut z);
        let mut p = z.clone();
        let mut ap = vec![0.0; cells];
        let mut rz = dot(&r, &z);
        loop {
            if history.last().is_some_and(|&last| last <= limits.tolerance) {
                self.parts.centre(&mut x);
                return Ok((x, history));
            }
            let iterations = history.len() - 1;
            let residual = history.last().copied().unwrap_or(f64::NAN);
            if residual.is_nan() {
                return Err(Fault::NotFinite);
            }
            if iterations >= limits.iterations {
                return Err(Fault::Iterations { iterations, residual });
            }
            if interrupt::pending().is_some() {
                return Err(Fault::Interrupted);
            }
            self.fine.apply(&p, &mut ap);
            let curvature = dot(&p, &ap);
            if curvature.is_nan() {
                return Err(Fault::NotFinite);
            }
            if curvature <= 0.0 {
                return Err(Fault::Indefinite);
            }
            let alpha = rz / curvature;
            add(&mut x, alpha, &p);
            add(&mut r, -alpha, &ap);
            precondition(&r, &mut z);
            let old = std::mem::replace(&mut rz, dot(&r, &z));
            let beta = rz / old;
            p.par_iter_mut().with_min_len(1 << 14).zip(&z).for_each(|(p, &z)| *p = z + beta * *p);
            history.push(dot(&r, &r).sqrt() / norm);
        }
    }

    /// One cycle, `z ≈ A⁻¹ r`: linear and symmetric. Cells that exchange with nothing and do not react stay as they are.
    pub fn precondition(&self, r: &[f64], z: &mut [f64]) {
        let mut balanced = r.to_vec();
        let loose = |at: usize| self.fine.diagonal.get(at).is_some_and(|d| *d == 0.0);
        balanced.iter_mut().enumerate().filter(|(at, _)| loose(*at)).for_each(|(_, r)| *r = 0.0);
        self.parts.centre(&mut balanced);
        let scale = 1.0 / balanced.iter().fold(0.0f64, |m, r| m.max(r.abs())).max(f64::MIN_POSITIVE);
        let single: Vec<T> = balanced.iter().map(|r| T::of(r * scale)).collect();
        let mut cycled = vec![T::default(); r.len()];
        self.hierarchy.cycle(&single, &mut cycled, &mut self.hierarchy.work());
        z.iter_mut().zip(&cycled).for_each(|(z, c)| *z = c.f64() / scale);
        self.parts.centre(z);
        z.iter_mut().zip(r).enumerate().filter(|(at, _)| loose(*at)).for_each(|(_, (z, r))| *z = *r);
    }

    /// Refuses a right-hand side where there is nothing to balance it.
    fn connected(&self, b: &[f64]) -> Result<(), Fault> {
        let fault = AtomicBool::new(false);
        b.par_iter().with_min_len(1 << 14).zip(&self.fine.diagonal).for_each(|(b, d)| {
            if *b != 0.0 && *d == 0.0 {
                fault.store(true, Ordering::Relaxed);
            }
        });
        if !fault.into_inner() {
            return Ok(());
        }
        let cell = b.iter().zip(&self.fine.diagonal).position(|(b, d)| *b != 0.0 && *d == 0.0);
        Err(Fault::Disconnected { cell: cell.unwrap_or(0) })
    }
}

/// Summed in pieces of fixed length, so that the result does not depend on the number of threads.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const PIECE: usize = 1 << 14;
    if a.len() <= PIECE {
        return a.iter().zip(b).map(|(a, b)| a * b).sum();
    }
    let pieces: Vec<f64> =
        a.par_chunks(PIECE).zip(b.par_chunks(PIECE)).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect();
    pieces.iter().sum()
}
fn add(y: &mut [f64], a: f64, x: &[f64]) {
    y.par_iter_mut().with_min_len(1 << 14).zip(x).for_each(|(y, &x)| *y += a * x);
}
