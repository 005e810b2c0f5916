//! The complex transform of one sample over all its axes, in a buffer that stays in cache.
//!
//! Only lines that lie together in memory are transformed. Between two axes the buffer is transposed as a matrix, which
//! turns the order of the axes by one: `[x, y, z]` becomes `[z, x, y]`, and `y` is last.

use std::cell::RefCell;
use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex as Number;
use rustfft::{Fft, FftPlanner};

use crate::session::interrupt;
use crate::tensor::base::Real;

/// Sign of the exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// `e^{-ikx}`
    Forward,
    /// `e^{+ikx}`
    Inverse,
}

impl Direction {
    pub fn opposite(self) -> Self {
        match self {
            Self::Forward => Self::Inverse,
            Self::Inverse => Self::Forward,
        }
    }
}

/// A precision with what each thread keeps for it: a planner that remembers its plans, and buffers.
pub(super) trait Planned: Real {
    fn plan(len: usize, direction: Direction) -> Arc<dyn Fft<Self>>;
    /// `e^{∓ 2πi k/n}` for `k` below `n/2`, kept from one transform to the next.
    fn turns(n: usize, direction: Direction) -> Turns<Self>;
    /// The buffers that this thread keeps, exchanged for others.
    fn exchange(work: Work<Self>) -> Work<Self>;
}

/// Points on the unit circle.
pub(super) type Turns<T> = Arc<[Number<T>]>;
/// Lengths of which a thread keeps them.
const KEPT_LENGTHS: usize = 32;

fn turns<T: Real>(n: usize, direction: Direction) -> Turns<T> {
    let sign = if direction == Direction::Forward { -1.0 } else { 1.0 };
    let turn = |k: usize| {
        let (sin, cos) = (sign * std::f64::consts::TAU * k as f64 / n as f64).sin_cos();
        Number::new(T::of(cos), T::of(sin))
    };
    (0..n / 2).map(turn).collect()
}

macro_rules! planned {
    ($real:ty) => {
        impl Planned for $real {
            fn plan(len: usize, direction: Direction) -> Arc<dyn Fft<Self>> {
                thread_local! {
                    static PLANNER: RefCell<FftPlanner<$real>> = RefCell::new(FftPlanner::new());
                }
                PLANNER.with_borrow_mut(|p| match direction {
                    Direction::Forward => p.plan_fft_forward(len),
                    Direction::Inverse => p.plan_fft_inverse(len),
                })
            }
            fn turns(n: usize, direction: Direction) -> Turns<Self> {
                thread_local! {
                    static TURNS: RefCell<Vec<(usize, Direction, Turns<$real>)>> = const { RefCell::new(Vec::new()) };
                }
                TURNS.with_borrow_mut(|kept| {
                    if let Some((.., known)) = kept.iter().find(|(len, sign, _)| (*len, *sign) == (n, direction)) {
                        return known.clone();
                    }
                    if kept.len() >= KEPT_LENGTHS {
                        kept.remove(0);
                    }
                    let made: Turns<Self> = turns(n, direction);
                    kept.push((n, direction, made.clone()));
                    made
                })
            }
            fn exchange(work: Work<Self>) -> Work<Self> {
                thread_local! {
                    static KEPT: RefCell<Work<$real>> = const { RefCell::new(Work::empty()) };
                }
                KEPT.replace(work)
            }
        }
    };
}
planned!(f32);
planned!(f64);

/// Buffers of one thread.
pub(super) struct Work<T> {
    pub data: Vec<Number<T>>,
    pub other: Vec<Number<T>>,
    scratch: Vec<Number<T>>,
}

impl<T> Work<T> {
    const fn empty() -> Self {
        Self { data: Vec::new(), other: Vec::new(), scratch: Vec::new() }
    }
}

/// A thread gives back buffers up to this many numbers. Fresh memory costs more than a transform: the system clears it
/// page by page.
const KEPT: usize = 1 << 21;

/// The buffers of a thread while it works; they go back to it at the end.
struct Borrowed<T: Planned>(Work<T>);
impl<T: Planned> Drop for Borrowed<T> {
    fn drop(&mut self) {
        if self.0.data.capacity() <= KEPT {
            T::exchange(std::mem::replace(&mut self.0, Work::empty()));
        }
    }
}

/// The plan for a volume of complex numbers.
pub(super) struct Volume<T: Planned> {
    lens: Vec<usize>,
    plans: Vec<Arc<dyn Fft<T>>>,
    /// Whether one volume is shared out among threads (when there are fewer volumes than threads).
    spread: bool,
}

/// A volume smaller than this is left to one thread.
const SPREAD: usize = 1 << 15;

impl<T: Planned> Volume<T> {
    pub fn new(lens: &[usize], direction: Direction, batch: usize) -> Self {
        let len: usize = lens.iter().product();
        Self {
            lens: lens.to_vec(),
            plans: lens.iter().map(|&n| T::plan(n, direction)).collect(),
            spread: batch < rayon::current_num_threads() && len >= SPREAD,
        }
    }
    /// Numbers in the volume.
    pub fn len(&self) -> usize {
        self.lens.iter().product()
    }
    pub fn lens(&self) -> &[usize] {
        &self.lens
    }
    pub fn spread(&self) -> bool {
        self.spread
    }
    /// Buffers of the right lengths, with whatever was left in them.
    fn work(&self) -> Borrowed<T> {
        let mut work = T::exchange(Work::empty());
        let zero = Number::new(T::default(), T::default());
        let scratch = self.plans.iter().map(|p| p.get_inplace_scratch_len()).max().unwrap_or(0);
        work.data.resize(self.len(), zero);
        work.other.resize(self.len(), zero);
        work.scratch.resize(scratch, zero);
        Borrowed(work)
    }

    /// Transforms all lines of `axis`, which must be last in `data`.
    pub fn lines(&self, axis: usize, data: &mut [Number<T>], scratch: &mut [Number<T>]) {
        let (plan, n) = (&self.plans[axis], self.lens[axis]);
        // After an interrupt nobody reads the numbers.
        if n == 1 || interrupt::pending().is_some() {
            return;
        }
        if self.spread {
            let lines = (SPREAD / 8 / n).max(1);
            data.par_chunks_mut(lines * n).for_each_init(
                || vec![Number::new(T::default(), T::default()); plan.get_inplace_scratch_len()],
                |scratch, lines| {
                    if interrupt::pending().is_none() {
                        plan.process_with_scratch(lines, scratch);
                    }
                },
            );
        } else {
            plan.process_with_scratch(data, scratch);
        }
    }
    pub fn lines_in_work(&self, axis: usize, work: &mut Work<T>) {
        self.lines(axis, &mut work.data, &mut work.scratch);
    }
    pub fn lines_in(&self, axis: usize, data: &mut [Number<T>], work: &mut Work<T>) {
        self.lines(axis, data, &mut work.scratch);
    }

    /// Transforms `work.data` over all axes and leaves the axes in their order.
    pub fn transform(&self, work: &mut Work<T>) {
        for axis in (0..self.lens.len()).rev() {
            self.lines_in_work(axis, work);
            if self.lens.len() > 1 {
                self.turn(axis, work);
            }
        }
    }
    /// Brings the last axis, which is `axis`, to the front.
    pub fn turn(&self, axis: usize, work: &mut Work<T>) {
        let columns = self.lens[axis];
        self.transpose(&work.data, &mut work.other, columns);
        std::mem::swap(&mut work.data, &mut work.other);
    }
    /// Brings the first axis, which is `axis`, to the end.
    pub fn turn_back(&self, axis: usize, work: &mut Work<T>) {
        let columns = self.len() / self.lens[axis].max(1);
        self.transpose(&work.data, &mut work.other, columns);
        std::mem::swap(&mut work.data, &mut work.other);
    }
    /// The transpose of a matrix with the given number of columns.
    pub fn transpose(&self, from: &[Number<T>], to: &mut [Number<T>], columns: usize) {
        let rows = from.len() / columns.max(1);
        if interrupt::pending().is_some() {
            return;
        }
        if rows <= 1 || columns <= 1 {
            to.copy_from_slice(from);
        } else if self.spread {
            let band = (SPREAD / 8 / rows).clamp(1, columns);
            to.par_chunks_mut(band * rows)
                .enumerate()
                .for_each(|(i, to)| transpose_band(from, to, columns, rows, i * band));
        } else {
            transpose_band(from, to, columns, rows, 0);
        }
    }
}

/// Writes columns `first…` of `from` as rows of `to`, in tiles that fit into the nearest cache.
fn transpose_band<N: Copy>(from: &[N], to: &mut [N], columns: usize, rows: usize, first: usize) {
    // With lengths that are powers of two all rows of a tile fall on the same few places of the cache: not too many.
    const TILE: usize = 8;
    for (band, to) in to.chunks_mut(TILE * rows).enumerate() {
        let start = first + band * TILE;
        let width = to.len() / rows;
        for row in (0..rows).step_by(TILE) {
            let end = (row + TILE).min(rows);
            for column in 0..width {
                let target = &mut to[column * rows + row..column * rows + end];
                let source = from[row * columns + start + column..].iter().step_by(columns);
                for (to, &from) in target.iter_mut().zip(source) {
                    *to = from;
                }
            }
        }
    }
}

/// For each place of a volume, the place of the opposite wavenumber.
pub(super) fn opposite_places(lens: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for &n in lens {
        places = places.iter().flat_map(|&p| (0..n).map(move |k| p * n + (n - k) % n)).collect();
    }
    places
}

/// Real numbers taken in pairs as complex ones.
pub(super) fn as_pairs<T: Real>(numbers: &[T]) -> &[Number<T>] {
    // SAFETY: `Complex<T>` is `repr(C)` with two fields `T`, so it has the alignment and twice the size of `T`; the
    // length is halved, and every bit pattern of two numbers is a valid pair.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len() / 2) }
}
/// Real numbers taken in pairs as complex ones, to be written.
pub(super) fn as_pairs_mut<T: Real>(numbers: &mut [T]) -> &mut [Number<T>] {
    // SAFETY: as in `as_pairs`; the exclusive borrow is passed on.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len() / 2) }
}

/// Calls `f` for each sample with the buffers of its thread.
pub(super) fn each_sample<T: Planned, W: Send>(
    volume: &Volume<T>,
    items: impl Iterator<Item = W>,
    f: impl Fn(&mut Work<T>, W) + Send + Sync,
) {
    let items: Vec<W> = items.collect();
    let len = volume.len().max(1);
    if items.len() < 2 || items.len().saturating_mul(len) < 1 << 12 || volume.spread {
        // Not worth waking threads, or the threads work inside of each volume.
        let mut work = volume.work();
        items.into_iter().for_each(|item| f(&mut work.0, item));
    } else {
        let least = ((1 << 13) / len).max(1);
        items.into_par_iter().with_min_len(least).for_each_init(|| volume.work(), |work, item| f(&mut work.0, item));
    }
}

/// Calls `f` for each line of a volume, on several threads where the volume is spread.
pub(super) fn each_line<W: Send>(spread: bool, lines: impl Iterator<Item = W>, f: impl Fn(W) + Send + Sync) {
    if spread {
        lines.collect::<Vec<_>>().into_par_iter().with_min_len(16).for_each(f);
    } else {
        lines.for_each(f);
    }
}
