//! The three partials of `⟨g, conv(x, w)⟩` on the CPU: [`direct`] sums where the stride is 1, else patches of the input as columns of
//! a matrix, and matrix products.
//!
//! Work is done a band of output rows at a time, so that the columns stay in cache. Samples and groups run in parallel;
//! sums over samples are taken in fixed portions, so that the number of threads does not change the result. An interrupt leaves a
//! result unfinished: whoever asked polls next.

use std::ops::Range;

use rayon::prelude::*;

use super::direct;
use super::geometry::Geometry;
use crate::session::interrupt;
use crate::tensor::base::Real;
use crate::tensor::product::{Matrix, multiply};

/// Numbers in the columns of one band.
const BAND: usize = 1 << 17;
/// Portions that a sum over samples is made of.
const PORTIONS: usize = 16;

impl Geometry {
    fn patch(&self) -> usize {
        self.channels_in * self.taps()
    }
    /// Output rows in one band, and all bands.
    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, width) = (self.output[0] * self.output[1], self.output[2]);
        let step = (BAND / (self.patch() * width).max(1)).clamp(1, rows.max(1));
        let bands = (0..rows).step_by(step).map(move |start| start..(start + step).min(rows));
        bands.take_while(|_| interrupt::pending().is_none())
    }
    /// Few enough output channels that a product with a matrix is mostly the making of that matrix.
    fn is_thin(&self) -> bool {
        self.channels_out <= 2
    }
}

/// Writes the patches of output rows as columns: `[channel · tap, output point of the band]`.
fn gather<T: Real>(geometry: &Geometry, x: &[T], rows: Range<usize>, columns: &mut [T]) {
    let (width, stride) = (geometry.output[2], geometry.stride[2]);
    let (first, points) = (rows.start, rows.len() * width);
    for (i, line) in columns.chunks_mut(points).take(geometry.patch()).enumerate() {
        let (channel, tap) = (i / geometry.taps(), i % geometry.taps());
        let x = &x[channel * geometry.input_points()..][..geometry.input_points()];
        geometry.each_row(tap, rows.clone(), |row, start, end, at| {
            let line = &mut line[(row - first) * width..][..width];
            line[..start].fill(T::default());
            line[end..].fill(T::default());
            copy(&mut line[start..end], &x[at..], stride);
        });
    }
}
fn copy<T: Real>(to: &mut [T], from: &[T], stride: usize) {
    if stride == 1 {
        to.copy_from_slice(&from[..to.len()]);
    } else {
        to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from);
    }
}

/// The transpose of [`gather`]: adds columns to the input points they came from.
fn spread<T: Real>(geometry: &Geometry, x: &mut [T], rows: Range<usize>, columns: &[T]) {
    let (width, stride) = (geometry.output[2], geometry.stride[2]);
    let (first, points) = (rows.start, rows.len() * width);
    for (i, line) in columns.chunks(points).take(geometry.patch()).enumerate() {
        let (channel, tap) = (i / geometry.taps(), i % geometry.taps());
        let x = &mut x[channel * geometry.input_points()..][..geometry.input_points()];
        geometry.each_row(tap, rows.clone(), |row, start, end, at| {
            let line = &line[(row - first) * width..][start..end];
            add(x[at..].iter_mut(), line, stride, T::of(1.0));
        });
    }
}
#[inline(always)]
fn add<'a, T: Real>(to: std::slice::IterMut<'a, T>, from: &[T], stride: usize, factor: T) {
    let sum = |(to, &from): (&mut T, &T)| *to = *to + factor * from;
    if stride == 1 { to.zip(from).for_each(sum) } else { to.step_by(stride).zip(from).for_each(sum) }
}

/// Calls `f(sample and group, chunk of out, buffer)` in parallel.
fn each_part<T: Real>(
    geometry: &Geometry,
    out: &mut [T],
    part: usize,
    f: impl Fn(usize, &mut [T], &mut Vec<T>) + Send + Sync,
) {
    let work = geometry.output_points() * geometry.patch() * geometry.channels_out;
    if work * geometry.samples * geometry.groups < 1 << 16 {
        let mut buffer = Vec::new();
        out.chunks_mut(part).enumerate().for_each(|(i, out)| f(i, out, &mut buffer));
    } else {
        let least = ((1 << 16) / work.max(1)).max(1);
        out.par_chunks_mut(part)
            .with_min_len(least)
            .enumerate()
            .for_each_init(Vec::new, |buffer, (i, out)| f(i, out, buffer));
    }
}

/// The weights of each group, in the order in which the direct way reads them.
fn packed<T: Real>(plan: Option<&direct::Plan>, w: &[T], group: usize) -> Vec<Vec<T>> {
    plan.map_or_else(Vec::new, |plan| w.chunks_exact(group.max(1)).map(|w| plan.pack(w)).collect())
}

/// `conv(x, w)`
pub(super) fn forward<T: Real>(geometry: &Geometry, x: &[T], w: &[T]) -> Vec<T> {
    let (m, k, points) = (geometry.channels_out, geometry.patch(), geometry.output_points());
    let (part_x, width) = (geometry.channels_in * geometry.input_points(), geometry.output[2]);
    let mut out = vec![T::default(); geometry.samples * geometry.groups * m * points];
    let direct = direct::Plan::forward(geometry);
    let packed = packed(direct.as_ref(), w, m * k);
    each_part(geometry, &mut out, m * points, |i, out, columns| {
        let x = &x[i * part_x..][..part_x];
        if let (Some(plan), Some(packed)) = (&direct, packed.get(i % geometry.groups)) {
            return plan.run(x, packed, out, columns);
        }
        let w = &w[i % geometry.groups * m * k..][..m * k];
        if geometry.is_pointwise() {
            return multiply(out, points, Matrix::new(w, m, k, k), Matrix::new(x, k, points, points), false);
        }
        if geometry.is_thin() {
            return each_pair(geometry, |o, c, tap| {
                let x = &x[c * geometry.input_points()..][..geometry.input_points()];
                let (out, factor) = (&mut out[o * points..][..points], w[o * k + c * geometry.taps() + tap]);
                geometry.each_row(tap, 0..points / width.max(1), |row, start, end, at| {
                    let out = &mut out[row * width..][start..end];
                    let sum = |(to, &from): (&mut T, &T)| *to = *to + factor * from;
                    if geometry.stride[2] == 1 {
                        out.iter_mut().zip(&x[at..]).for_each(sum);
                    } else {
                        out.iter_mut().zip(x[at..].iter().step_by(geometry.stride[2])).for_each(sum);
                    }
                });
            });
        }
        for rows in geometry.bands() {
            let (start, len) = (rows.start * width, rows.len() * width);
            columns.resize(k * len, T::default());
            gather(geometry, x, rows, columns);
            multiply(&mut out[start..], points, Matrix::new(w, m, k, k), Matrix::new(columns, k, len, len), false);
        }
    });
    out
}

/// The gradient of `⟨g, conv(x, w)⟩` with respect to `x`.
pub(super) fn input<T: Real>(geometry: &Geometry, g: &[T], w: &[T]) -> Vec<T> {
    let (m, k, points) = (geometry.channels_out, geometry.patch(), geometry.output_points());
    let (part_x, width) = (geometry.channels_in * geometry.input_points(), geometry.output[2]);
    let mut out = vec![T::default(); geometry.samples * geometry.groups * part_x];
    let direct = direct::Plan::backward(geometry);
    let packed = packed(direct.as_ref(), w, m * k);
    each_part(geometry, &mut out, part_x, |i, out, columns| {
        let g = &g[i * m * points..][..m * points];
        if let (Some(plan), Some(packed)) = (&direct, packed.get(i % geometry.groups)) {
            return plan.run(g, packed, out, columns);
        }
        let w = &w[i % geometry.groups * m * k..][..m * k];
        let transposed = Matrix::new(w, m, k, k).transposed();
        if geometry.is_pointwise() {
            return multiply(out, points, transposed, Matrix::new(g, m, points, points), false);
        }
        if geometry.is_thin() {
            return each_pair(geometry, |o, c, tap| {
                let out = &mut out[c * geometry.input_points()..][..geometry.input_points()];
                let (g, factor) = (&g[o * points..][..points], w[o * k + c * geometry.taps() + tap]);
                geometry.each_row(tap, 0..points / width.max(1), |row, start, end, at| {
                    add(out[at..].iter_mut(), &g[row * width..][start..end], geometry.stride[2], factor);
                });
            });
        }
        for rows in geometry.bands() {
            let (start, len) = (rows.start * width, rows.len() * width);
            columns.resize(k * len, T::default());
            multiply(columns, len, transposed, Matrix::new(&g[start..], m, len, points), false);
            spread(geometry, out, rows, columns);
        }
    });
    out
}

/// The gradient of `⟨g, conv(x, w)⟩` with respect to `w`.
pub(super) fn weight<T: Real>(geometry: &Geometry, g: &[T], x: &[T]) -> Vec<T> {
    let (m, k, points) = (geometry.channels_out, geometry.patch(), geometry.output_points());
    let (part_x, width) = (geometry.channels_in * geometry.input_points(), geometry.output[2]);
    let portion = geometry.samples.div_ceil(PORTIONS).max(1);
    let portions = geometry.samples.div_ceil(portion);
    let direct = direct::Plan::forward(geometry);
    let mut sums = vec![T::default(); portions * geometry.groups * m * k];
    each_part(geometry, &mut sums, m * k, |i, out, columns| {
        let (group, first) = (i % geometry.groups, i / geometry.groups * portion);
        for sample in first..(first + portion).min(geometry.samples) {
            let i = sample * geometry.groups + group;
            let (g, x) = (&g[i * m * points..][..m * points], &x[i * part_x..][..part_x]);
            if let Some(plan) = &direct {
                plan.add_weights(x, g, out, columns);
                continue;
            }
            if geometry.is_pointwise() {
                multiply(
                    out,
                    k,
                    Matrix::new(g, m, points, points),
                    Matrix::new(x, k, points, points).transposed(),
                    true,
                );
                continue;
            }
            if geometry.is_thin() {
                each_pair(geometry, |o, c, tap| {
                    let x = &x[c * geometry.input_points()..][..geometry.input_points()];
                    let g = &g[o * points..][..points];
                    let mut sum = T::default();
                    geometry.each_row(tap, 0..points / width.max(1), |row, start, end, at| {
                        sum = sum + dot(&g[row * width..][start..end], &x[at..], geometry.stride[2]);
                    });
                    let to = &mut out[o * k + c * geometry.taps() + tap];
                    *to = *to + sum;
                });
                continue;
            }
            for rows in geometry.bands() {
                let (start, len) = (rows.start * width, rows.len() * width);
                columns.resize(k * len, T::default());
                gather(geometry, x, rows, columns);
                let columns = Matrix::new(columns, k, len, len).transposed();
                multiply(out, k, Matrix::new(&g[start..], m, len, points), columns, true);
            }
        }
    });
    let (first, rest) = sums.split_at(geometry.groups * m * k);
    let mut out = first.to_vec();
    for sum in rest.chunks(out.len().max(1)) {
        out.iter_mut().zip(sum).for_each(|(to, &from)| *to = *to + from);
    }
    out
}

/// Every pair of channels and every point of the kernel.
fn each_pair(geometry: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    for o in 0..geometry.channels_out {
        for c in 0..geometry.channels_in {
            if interrupt::pending().is_some() {
                return;
            }
            (0..geometry.taps()).for_each(|tap| f(o, c, tap));
        }
    }
}

/// A sum of products with eight running sums, which the compiler can keep in one vector.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T], stride: usize) -> T {
    if stride > 1 {
        return a.iter().zip(b.iter().step_by(stride)).fold(T::default(), |sum, (&a, &b)| sum + a * b);
    }
    let mut sums = [T::default(); 8];
    let (a, b) = (a.chunks_exact(8), b[..a.len()].chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder()).fold(T::default(), |sum, (&a, &b)| sum + a * b);
    for (a, b) in a.zip(b) {
        for i in 0..8 {
            sums[i] = sums[i] + a[i] * b[i];
        }
    }
    sums.into_iter().fold(rest, |sum, s| sum + s)
}
