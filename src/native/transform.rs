//! Real transforms of rows and complex ones of columns, with plans and tables made once.
//!
//! A real row of even length `n = 2h` is a complex row of length `h`, `z[j] = x[2j] + i x[2j+1]`, which is how it lies in memory. With
//! `q(k) = i e^{2πik/n}` its spectrum `X` and that of `z` are related by pairs of wavenumbers `k` and `h − k`:
//! `2Z(k) = S + D`, `2Z(h−k) = (S − D)*` for `S, D = X(k) + X*(h−k), q (X(k) − X*(h−k))`, and the other way round with `q*`.
//! Rows of odd length are transformed as complex ones.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::layout::Layout;
use super::simd::vectorised;
use crate::tensor::Real;

/// A transform of one length in both directions.
#[derive(Clone)]
struct Lines<T: Real> {
    forward: Arc<dyn Fft<T>>,
    inverse: Arc<dyn Fft<T>>,
}

impl<T: Real> Lines<T> {
    fn new(planner: &mut FftPlanner<T>, n: usize) -> Self {
        Self { forward: planner.plan_fft_forward(n.max(1)), inverse: planner.plan_fft_inverse(n.max(1)) }
    }
    fn run(&self, inverse: bool, data: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        if self.forward.len() > 1 {
            let plan = if inverse { &self.inverse } else { &self.forward };
            plan.process_with_scratch(data, scratch);
        }
    }
    fn scratch(&self) -> usize {
        self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len())
    }
}

/// With this thread's planner, which remembers the lengths that it has planned.
fn with_planner<T: Real, R>(work: impl FnOnce(&mut FftPlanner<T>) -> R) -> R {
    thread_local! {
        static PLANNERS: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    PLANNERS.with_borrow_mut(|planners| match planners.iter_mut().find_map(|p| p.downcast_mut()) {
        Some(planner) => work(planner),
        None => {
            let mut planner = FftPlanner::new();
            let result = work(&mut planner);
            planners.push(Box::new(planner));
            result
        }
    })
}

/// The transforms of one layout. Nothing is scaled.
#[derive(Clone)]
pub struct Transforms<T: Real> {
    n: usize,
    /// Of rows.
    rows: Lines<T>,
    /// Of columns, along the axes of the points before the last.
    columns: Vec<(usize, Lines<T>)>,
    /// `q(k)` for `k = 1 … h/2`.
    turns: Vec<Complex<T>>,
    scratch: usize,
}

impl<T: Real> Transforms<T> {
    /// Plans.
    pub fn new(layout: &Layout) -> Self {
        let n = layout.row;
        let others = layout.lens.split_last().map_or(&[][..], |(_, others)| others);
        let (rows, columns) = with_planner(|planner| {
            let rows = Lines::new(planner, if n.is_multiple_of(2) { n / 2 } else { n });
            let columns: Vec<(usize, Lines<T>)> = others.iter().map(|&n| (n, Lines::new(planner, n))).collect();
            (rows, columns)
        });
        let turn = |k: usize| {
            let (sin, cos) = (std::f64::consts::TAU * k as f64 / n as f64).sin_cos();
            Complex::new(T::of(-sin), T::of(cos))
        };
        let turns = (1..=n / 4).map(turn).collect();
        let scratch = columns.iter().map(|(_, l)| l.scratch()).chain([rows.scratch(), n]).max().unwrap_or(0);
        Self { n, rows, columns, turns, scratch }
    }
    /// Complex numbers of working space.
    pub fn scratch(&self) -> usize {
        self.scratch
    }
    /// Complex numbers that a row takes: half of its points where their number is even.
    pub fn width(&self) -> usize {
        if self.n.is_multiple_of(2) { self.n / 2 } else { self.n }
    }

    /// Columns one after the other, each `[x][y]` to `[k_y][k_x]`; `other` has the length of one and is overwritten.
    pub fn columns_forward(&self, columns: &mut [Complex<T>], other: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        match self.columns.as_slice() {
            [(_, x)] => x.run(false, columns, scratch),
            [(nx, x), (ny, y)] => {
                for column in columns.chunks_exact_mut(nx * ny) {
                    y.run(false, column, scratch);
                    transpose(column, other, *nx, *ny);
                    x.run(false, other, scratch);
                    column.copy_from_slice(other);
                }
            }
            _ => {}
        }
    }
    /// Columns one after the other, each `[k_y][k_x]` to `[x][y]`.
    pub fn columns_inverse(&self, columns: &mut [Complex<T>], other: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        match self.columns.as_slice() {
            [(_, x)] => x.run(true, columns, scratch),
            [(nx, x), (ny, y)] => {
                for column in columns.chunks_exact_mut(nx * ny) {
                    x.run(true, column, scratch);
                    transpose(column, other, *ny, *nx);
                    y.run(true, other, scratch);
                    column.copy_from_slice(other);
                }
            }
            _ => {}
        }
    }

    /// Rows from their half spectra, which lie where the rows will be: wavenumbers from 0 on, with the real part of wavenumber `n/2` in the
    /// place of the imaginary one of wavenumber 0.
    pub fn rows_inverse(&self, rows: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        let width = self.width();
        if self.n.is_multiple_of(2) {
            for row in rows.chunks_exact_mut(width) {
                let (low, high) = (row[0].re, row[0].im);
                row[0] = Complex::new(low + high, low - high);
                fold(&mut row[1..], &self.turns);
            }
        } else {
            for row in rows.chunks_exact_mut(width) {
                row[0].im = T::default();
                for k in 1..=width / 2 {
                    row[width - k] = row[k].conj();
                }
            }
        }
        self.rows.run(true, rows, scratch);
        if !self.n.is_multiple_of(2) {
            self.pack(rows);
        }
    }
    /// The half spectra of rows, in the same order; not more than `kept` wavenumbers matter.
    pub fn rows_forward(&self, rows: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
        if self.n.is_multiple_of(2) {
            self.rows.run(false, rows, scratch);
            for row in rows.chunks_exact_mut(self.width()) {
                let (re, im) = (row[0].re, row[0].im);
                row[0] = Complex::new(re + im, re - im);
                unfold(&mut row[1..], &self.turns);
            }
        } else {
            self.unpack(rows);
            self.rows.run(false, rows, scratch);
        }
    }
    /// The real numbers of complex rows of odd length, one row after the other at the front.
    fn pack(&self, rows: &mut [Complex<T>]) {
        let count = rows.len();
        for j in 0..count {
            let x = rows[j].re;
            let target = &mut rows[j / 2];
            if j % 2 == 0 {
                // The place of an even number is not behind that of its source, whose imaginary part is not needed.
                target.re = x;
            } else {
                target.im = x;
            }
        }
    }
    fn unpack(&self, rows: &mut [Complex<T>]) {
        for j in (0..rows.len()).rev() {
            let source = rows[j / 2];
            rows[j] = Complex::new(if j % 2 == 0 { source.re } else { source.im }, T::default());
        }
    }
}

/// The transpose of `rows × columns` numbers.
fn transpose<A: Copy>(from: &[A], to: &mut [A], rows: usize, columns: usize) {
    const TILE: usize = 8;
    for first in (0..columns).step_by(TILE) {
        for start in (0..rows).step_by(TILE) {
            for column in first..(first + TILE).min(columns) {
                for row in start..(start + TILE).min(rows) {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
}

vectorised! {
    /// `2Z` from `X` at wavenumbers `1 … h − 1`.
    fn fold<T: Real>(row: &mut [Complex<T>], turns: &[Complex<T>]) {
        pairs(row, turns, |a, b, q| {
            let (sr, si) = (a.re + b.re, a.im - b.im);
            let (er, ei) = (a.re - b.re, a.im + b.im);
            let (dr, di) = (er * q.re - ei * q.im, er * q.im + ei * q.re);
            (Complex::new(sr + dr, si + di), Complex::new(sr - dr, di - si))
        });
    }
}
vectorised! {
    /// `X` from `Z` at wavenumbers `1 … h − 1`.
    fn unfold<T: Real>(row: &mut [Complex<T>], turns: &[Complex<T>]) {
        let half = T::of(0.5);
        pairs(row, turns, |a, b, q| {
            let (sr, si) = (a.re + b.re, a.im - b.im);
            let (er, ei) = (a.re - b.re, a.im + b.im);
            let (dr, di) = (er * q.re + ei * q.im, ei * q.re - er * q.im);
            (Complex::new((sr + dr) * half, (si + di) * half), Complex::new((sr - dr) * half, (di - si) * half))
        });
    }
}

/// Replaces elements `k` and `h − k` of `1 … h − 1` together.
#[inline(always)]
fn pairs<T: Real>(
    row: &mut [Complex<T>],
    turns: &[Complex<T>],
    f: impl Fn(Complex<T>, Complex<T>, Complex<T>) -> (Complex<T>, Complex<T>),
) {
    let half = row.len() / 2;
    if row.len() % 2 == 1 {
        // The middle is its own partner.
        let middle = row[half];
        row[half] = f(middle, middle, turns[half]).0;
    }
    let (front, back) = row.split_at_mut(row.len().div_ceil(2));
    let (fronts, rest) = front[..half].as_chunks_mut::<LANES>();
    let (left, backs) = back.as_rchunks_mut::<LANES>();
    let (many, few) = turns[..half].as_chunks::<LANES>();
    // Several at a time, turned around as a whole: vectors of the processor do not run backwards.
    for ((a, b), q) in fronts.iter_mut().zip(backs.iter_mut().rev()).zip(many) {
        let (x, mut y) = (*a, *b);
        y.reverse();
        for j in 0..LANES {
            (a[j], y[j]) = f(x[j], y[j], q[j]);
        }
        y.reverse();
        *b = y;
    }
    for ((a, b), q) in rest.iter_mut().zip(left.iter_mut().rev()).zip(few) {
        (*a, *b) = f(*a, *b, *q);
    }
}
/// Pairs that are replaced at a time.
const LANES: usize = 8;

/// Complex numbers as real ones, twice as many.
pub fn reals<T: Real>(numbers: &[Complex<T>]) -> &[T] {
    // SAFETY: `Complex<T>` is `repr(C)` with two fields `T`: the same alignment and twice the size.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len() * 2) }
}
/// Complex numbers as real ones, to be written.
pub fn reals_mut<T: Real>(numbers: &mut [Complex<T>]) -> &mut [T] {
    // SAFETY: as in `reals`; the exclusive borrow is passed on.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len() * 2) }
}
