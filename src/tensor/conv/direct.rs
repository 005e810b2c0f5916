//! Convolution with stride 1 in one or two dimensions without columns, with zeros or the other side of the input as margins: a block of output channels times a stretch of a row is summed up in
//! registers, over input channels and points of the kernel, from an input with its margins around it.
//!
//! Each sum is taken in the same order for any width of vectors, without fused products, so the bits do not depend on the machine.

use super::geometry::Geometry;
use crate::session::interrupt;
use crate::tensor::base::Real;
use crate::tensor::simd::{Level, level, vectorised};

/// The sizes of one convolution: output `[channel, row, column]` from a padded input.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    channels_in: usize,
    channels_out: usize,
    rows: usize,
    columns: usize,
    kernel: [usize; 2],
    /// Rows and columns of zeros before the input.
    before: [usize; 2],
    /// Rows and columns of the input.
    input: [usize; 2],
    /// Whether the margins hold the other side of the input in the place of zeros.
    periodic: bool,
    /// Whether kernels are transposed and mirrored.
    backwards: bool,
    /// Output channels that are summed up at once.
    block: usize,
}

/// Numbers that may be read behind the last row.
const BEHIND: usize = 64;
/// Output columns from which on whole vectors are worth it.
const NARROWEST: usize = 12;

impl Plan {
    /// For the output, where this way serves.
    pub fn forward(geometry: &Geometry) -> Option<Self> {
        let [_, kh, kw] = geometry.kernel;
        let plan = Self {
            channels_in: geometry.channels_in,
            channels_out: geometry.channels_out,
            rows: geometry.output[1],
            columns: geometry.output[2],
            kernel: [kh, kw],
            before: [geometry.before[1], geometry.before[2]],
            input: [geometry.input[1], geometry.input[2]],
            periodic: geometry.options.periodic,
            backwards: false,
            block: block(),
        };
        plan.serves(geometry)
    }
    /// For the gradient with respect to the input: a convolution of the output's gradient with the mirrored kernel.
    pub fn backward(geometry: &Geometry) -> Option<Self> {
        let [_, kh, kw] = geometry.kernel;
        let plan = Self {
            channels_in: geometry.channels_out,
            channels_out: geometry.channels_in,
            rows: geometry.input[1],
            columns: geometry.input[2],
            kernel: [kh, kw],
            before: [(kh - 1).checked_sub(geometry.before[1])?, (kw - 1).checked_sub(geometry.before[2])?],
            input: [geometry.output[1], geometry.output[2]],
            periodic: geometry.options.periodic,
            backwards: true,
            block: block(),
        };
        plan.serves(geometry)
    }
    fn serves(self, geometry: &Geometry) -> Option<Self> {
        let flat = geometry.kernel[0] == 1 && geometry.input[0] == 1 && geometry.before[0] == 0;
        let plain = geometry.stride == [1; 3] && geometry.dilation == [1; 3];
        let fits = self.before[0] + self.input[0] < self.rows + self.kernel[0]
            && self.before[1] + self.input[1] < self.columns + self.kernel[1];
        // Where few channels are summed up most of the work is for nothing, but a padded copy would cost more.
        let worth = (self.channels_out > 2 || self.periodic) && self.columns >= NARROWEST && geometry.taps() > 1;
        (flat && plain && fits && worth).then_some(self)
    }

    fn row(&self) -> usize {
        self.columns + self.kernel[1] - 1
    }
    fn plane(&self) -> usize {
        self.row() * (self.rows + self.kernel[0] - 1)
    }

    /// The weights of one group in the order in which they are read: `[block of channels out][channel in][point of the kernel][channel]`.
    pub fn pack<T: Real>(&self, w: &[T]) -> Vec<T> {
        let (block, taps) = (self.block, self.kernel[0] * self.kernel[1]);
        let mut packed = Vec::with_capacity(self.channels_out.next_multiple_of(block) * self.channels_in * taps);
        for first in (0..self.channels_out).step_by(block) {
            for c in 0..self.channels_in {
                for tap in 0..taps {
                    packed.extend((first..first + block).map(|o| match (o < self.channels_out, self.backwards) {
                        (false, _) => T::default(),
                        (true, false) => w[(o * self.channels_in + c) * taps + tap],
                        (true, true) => w[(c * self.channels_out + o) * taps + taps - 1 - tap],
                    }));
                }
            }
        }
        packed
    }

    /// One sample of one group; `padded` is working space.
    pub fn run<T: Real>(&self, x: &[T], packed: &[T], out: &mut [T], padded: &mut Vec<T>) {
        self.pad(x, padded);
        each_block(self, padded, packed, out);
    }

    /// Adds the gradient of one sample of one group with respect to the weights to `out`; `g` belongs to the output.
    pub fn add_weights<T: Real>(&self, x: &[T], g: &[T], out: &mut [T], padded: &mut Vec<T>) {
        self.pad(x, padded);
        // Rows of the gradient, made longer with zeros to whole vectors.
        let (long, start) = (self.columns.next_multiple_of(along::<T>()), padded.len());
        padded.resize(start + self.channels_out * self.rows * long, T::default());
        let (padded, wide) = padded.split_at_mut(start);
        for (to, from) in wide.chunks_exact_mut(long).zip(g.chunks_exact(self.columns)) {
            to[..self.columns].copy_from_slice(from);
        }
        match size_of::<T>() {
            4 => each_weight_single(self, padded, wide, out),
            _ => each_weight_double(self, padded, wide, out),
        }
    }

    fn pad<T: Real>(&self, x: &[T], padded: &mut Vec<T>) {
        let (row, plane, [height, width]) = (self.row(), self.plane(), self.input);
        padded.clear();
        padded.resize(self.channels_in * plane + BEHIND, T::default());
        for (c, x) in x.chunks_exact(height * width).take(self.channels_in).enumerate() {
            if self.periodic {
                for y in 0..self.rows + self.kernel[0] - 1 {
                    let line = &x[(y + height - self.before[0]) % height * width..][..width];
                    let to = &mut padded[c * plane + y * row..][..row];
                    let (left, rest) = to.split_at_mut(self.before[1]);
                    let (middle, right) = rest.split_at_mut(width);
                    left.copy_from_slice(&line[width - left.len()..]);
                    middle.copy_from_slice(line);
                    right.copy_from_slice(&line[..right.len()]);
                }
                continue;
            }
            for (y, line) in x.chunks_exact(width).enumerate() {
                let at = c * plane + (self.before[0] + y) * row + self.before[1];
                padded[at..at + width].copy_from_slice(line);
            }
        }
    }
}

/// With 32 registers of 16 numbers, or 16 registers of 8.
fn block() -> usize {
    if level() == Level::Avx512 { 8 } else { 4 }
}

vectorised! {
    fn each_block<T: Real>(plan: &Plan, padded: &[T], packed: &[T], out: &mut [T]) {
        match (plan.block, size_of::<T>()) {
            (8, 4) => blocks::<T, 8, 32>(plan, padded, packed, out),
            (8, _) => blocks::<T, 8, 16>(plan, padded, packed, out),
            (_, 4) => blocks::<T, 4, 16>(plan, padded, packed, out),
            (_, _) => blocks::<T, 4, 8>(plan, padded, packed, out),
        }
    }
}

#[inline(always)]
fn blocks<T: Real, const OUT: usize, const ALONG: usize>(plan: &Plan, padded: &[T], packed: &[T], out: &mut [T]) {
    let (row, plane, columns) = (plan.row(), plan.plane(), plan.columns);
    let weights = OUT * plan.channels_in * plan.kernel[0] * plan.kernel[1];
    let points = plan.rows * columns;
    for (out, weights) in out.chunks_mut(OUT * points).zip(packed.chunks_exact(weights)) {
        for y in 0..plan.rows {
            if interrupt::pending().is_some() {
                return;
            }
            for x in (0..columns).step_by(ALONG) {
                let sums = stretch::<T, OUT, ALONG>(plan, &padded[y * row + x..], plane, row, weights);
                let count = ALONG.min(columns - x);
                for (out, sums) in out.chunks_mut(points).zip(&sums) {
                    out[y * columns + x..][..count].copy_from_slice(&sums[..count]);
                }
            }
        }
    }
}

/// Neighbouring points of some channels.
#[inline(always)]
fn stretch<T: Real, const OUT: usize, const ALONG: usize>(
    plan: &Plan,
    padded: &[T],
    plane: usize,
    row: usize,
    weights: &[T],
) -> [[T; ALONG]; OUT] {
    let mut sums = [[T::default(); ALONG]; OUT];
    let mut weights = weights.chunks_exact(OUT);
    let [kh, kw] = plan.kernel;
    for c in 0..plan.channels_in {
        for ky in 0..kh {
            let line = &padded[c * plane + ky * row..][..kw - 1 + ALONG];
            for kx in 0..kw {
                let (Some(w), Some(&x)) = (weights.next(), line[kx..].first_chunk::<ALONG>()) else { return sums };
                // In this form, other than as loops over indices, the compiler keeps the sums in registers.
                for (sums, &w) in sums.iter_mut().zip(w) {
                    *sums = std::array::from_fn(|i| sums[i] + w * x[i]);
                }
            }
        }
    }
    sums
}

/// Running sums of a weight: a vector of the widest kind, on all machines, so that sums are taken in one order.
const fn along<T>() -> usize {
    64 / size_of::<T>()
}

vectorised! {
    fn each_weight_single<T: Real>(plan: &Plan, padded: &[T], g: &[T], out: &mut [T]) {
        if plan.block == 8 { weights::<T, 3, 16>(plan, padded, g, out) } else { weights::<T, 2, 16>(plan, padded, g, out) }
    }
}
vectorised! {
    fn each_weight_double<T: Real>(plan: &Plan, padded: &[T], g: &[T], out: &mut [T]) {
        if plan.block == 8 { weights::<T, 3, 8>(plan, padded, g, out) } else { weights::<T, 2, 8>(plan, padded, g, out) }
    }
}

#[inline(always)]
fn weights<T: Real, const OUT: usize, const ALONG: usize>(plan: &Plan, padded: &[T], g: &[T], out: &mut [T]) {
    let ([kh, kw], taps) = (plan.kernel, plan.kernel[0] * plan.kernel[1]);
    let sized = plan.rows * plan.columns.next_multiple_of(ALONG);
    for first in (0..plan.channels_out).step_by(OUT) {
        // Beyond the last channel that channel is taken again, and not written.
        let lines: [&[T]; OUT] = std::array::from_fn(|o| &g[(first + o).min(plan.channels_out - 1) * sized..][..sized]);
        for c in 0..plan.channels_in {
            if interrupt::pending().is_some() {
                return;
            }
            for ky in 0..kh {
                let mut kx = 0;
                while kx < kw {
                    let at = (c * plan.plane() + ky * plan.row() + kx, (c * kh + ky) * kw + kx);
                    let mut write = |sums: &[T], offset: usize| {
                        for (o, sum) in sums.iter().enumerate().take(plan.channels_out - first) {
                            let to = &mut out[(first + o) * plan.channels_in * taps + at.1 + offset];
                            *to = *to + *sum;
                        }
                    };
                    if kw - kx >= 3 {
                        let sums = neighbours::<T, OUT, ALONG, 3>(plan, &padded[at.0..], &lines);
                        sums.iter().enumerate().for_each(|(offset, sums)| write(sums, offset));
                        kx += 3;
                    } else {
                        let sums = neighbours::<T, OUT, ALONG, 1>(plan, &padded[at.0..], &lines);
                        write(&sums[0], 0);
                        kx += 1;
                    }
                }
            }
        }
    }
}

/// `Σ g[o, y, x] padded[y, x + k]` for some output channels and neighbouring points `k` of a row of the kernel: `[k][o]`.
#[inline(always)]
fn neighbours<T: Real, const OUT: usize, const ALONG: usize, const TAPS: usize>(
    plan: &Plan,
    padded: &[T],
    lines: &[&[T]; OUT],
) -> [[T; OUT]; TAPS] {
    let mut sums = [[[T::default(); ALONG]; OUT]; TAPS];
    let (row, long) = (plan.row(), plan.columns.next_multiple_of(ALONG));
    for y in 0..plan.rows {
        for x in (0..long).step_by(ALONG) {
            let g: [[T; ALONG]; OUT] = std::array::from_fn(|o| chunk(lines[o], y * long + x));
            for (k, sums) in sums.iter_mut().enumerate() {
                let v: [T; ALONG] = chunk(padded, y * row + x + k);
                for (sums, g) in sums.iter_mut().zip(&g) {
                    *sums = std::array::from_fn(|i| sums[i] + g[i] * v[i]);
                }
            }
        }
    }
    sums.map(|sums| sums.map(|sums| sums.into_iter().fold(T::default(), |sum, s| sum + s)))
}

#[inline(always)]
fn chunk<T: Real, const N: usize>(from: &[T], at: usize) -> [T; N] {
    from[at..].first_chunk::<N>().copied().unwrap_or([T::default(); N])
}
