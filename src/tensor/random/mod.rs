//! Random numbers from counters: the same for any batch split, thread count and device.
//!
//! A number is a pure function of a [`Key`] (seed, purpose, sample, step) and of its place in the tensor, by
//! Philox4x32-10. The key of Philox is a hash of seed and purpose; the words of its counter are
//!
//! | word | holds |
//! |---|---|
//! | 0 | which block: numbers `4 b … 4 b + 3` of the tensor in row-major order come from block `b` |
//! | 1 | the step (31 bits); the top bit marks the block with the further bits of `f64` draws |
//! | 2, 3 | the sample (64 bits) |
//!
//! Both precisions draw from the same words: an `f64` draw takes 32 more bits for each. A uniform number in `f32` is
//! the `f64` one cut to 24 bits (before scaling). A normal number (Box–Muller) in `f32` differs from the one in `f64` by
//! less than 2·10⁻⁵ up to 4σ (most where both numbers of a pair are near 0, else 10⁻⁶); further out the `f64` one has the
//! finer tail (to 9.5σ against 6.8σ).

mod draw;
#[cfg(feature = "cubecl")]
pub(crate) mod kernel;
mod lowered;
mod philox;

use std::sync::Arc;

use rayon::prelude::*;

pub(crate) use self::draw::Drawable;
use self::philox::{BATCH, Words, block, scramble};
use super::base::{Tensor, in_precision};
use super::context::Context;
use super::shape::{Shape, element_count};
use super::simd::vectorised;
use crate::error::{Error, Result};
use crate::session::interrupt;

/// Where random numbers come from: a seed, a purpose, a sample and a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    key: u64,
    sample: u64,
    step: u32,
}

/// Bits of the step that fit into its word.
const STEP_BITS: u32 = 31;
/// Marks the block with the further bits of `f64` draws.
const FINE: u32 = 1 << STEP_BITS;
/// Numbers that one key can give.
const MOST: usize = 4 << 32;

impl Key {
    /// The key of a seed, at sample 0 and step 0.
    pub fn new(seed: u64) -> Self {
        Self { key: splitmix(seed), sample: 0, step: 0 }
    }
    /// An independent key for each name: noise, initial states, shuffling must not share their numbers.
    /// The name is hashed by FNV-1a (64 bits), the sum with this key by the finaliser of SplitMix64.
    pub fn purpose(&self, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ b as u64).wrapping_mul(0x0100_0000_01b3));
        Self { key: splitmix(self.key.wrapping_add(splitmix(hash))), ..*self }
    }
    /// The key of one sample of a batch; replaces the sample set before.
    pub fn sample(&self, index: u64) -> Self {
        Self { sample: index, ..*self }
    }
    /// The key of one step of a loop; replaces the step set before, up to 2³¹ (higher bits are hashed in).
    pub fn step(&self, index: u64) -> Self {
        let high = index >> STEP_BITS;
        let key = if high == 0 { self.key } else { splitmix(self.key ^ splitmix(high)) };
        Self { key, step: (index & (FINE as u64 - 1)) as u32, ..*self }
    }
    /// The word that Philox is keyed with.
    #[cfg(feature = "cubecl")]
    pub(crate) fn word(&self) -> u64 {
        self.key
    }
    /// 64 random bits.
    fn bits(&self, index: u64) -> u64 {
        let words = block(
            [index as u32, self.step, self.sample as u32, (self.sample >> 32) as u32],
            splitmix(self.key ^ (index >> 32)),
        );
        words[0] as u64 | (words[1] as u64) << 32
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) after one step of its counter: a bijection that spreads
/// every bit over all.
fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Standard normal numbers, in the session's precision.
pub fn normal(context: &Context, key: Key, shape: &[usize]) -> Result<Tensor> {
    draw(context, key, &[key.sample], shape, shape, Law::Normal)
}
/// Normal numbers of shape `[samples.len(), shape…]`; row `i` is `normal(key.sample(samples[i]), shape)`.
pub fn normal_samples(context: &Context, key: Key, samples: &[u64], shape: &[usize]) -> Result<Tensor> {
    let target: Shape = std::iter::once(samples.len()).chain(shape.iter().copied()).collect();
    draw(context, key, samples, shape, &target, Law::Normal)
}
/// Numbers spread evenly over `[low, high)`.
pub fn uniform(context: &Context, key: Key, low: f64, high: f64, shape: &[usize]) -> Result<Tensor> {
    if !(low.is_finite() && high.is_finite() && low <= high && (high - low).is_finite()) {
        return Err(Error::value("uniform: not a range")
            .got(format!("{low} to {high}"))
            .expected("finite numbers, low ≤ high"));
    }
    draw(context, key, &[key.sample], shape, shape, Law::Uniform { low, high })
}
/// −1 or 1, each with probability ½.
pub fn rademacher(context: &Context, key: Key, shape: &[usize]) -> Result<Tensor> {
    draw(context, key, &[key.sample], shape, shape, Law::Sign)
}

/// The numbers `0 … n − 1` in random order (Fisher–Yates; the bias of `n / 2⁶⁴` is beyond any measurement). An interrupt leaves
/// it unfinished: whoever asked polls next.
pub fn permutation(key: Key, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let other = ((key.bits(i as u64) as u128 * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, other);
        if i.is_multiple_of(1 << 16) && interrupt::pending().is_some() {
            break;
        }
    }
    order
}

/// A distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Law {
    Normal,
    Uniform { low: f64, high: f64 },
    Sign,
}

/// Numbers, each a function of its place: of one sample, or one of each sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draw {
    key: Key,
    law: Law,
    samples: Option<Arc<[u64]>>,
}

/// The numbers from place `start` on, a multiple of 4.
pub(crate) fn fill_part<T: Drawable>(draw: &Draw, start: usize, out: &mut [T]) {
    if let Some(samples) = &draw.samples {
        return fill(draw.key, &samples[start..start + out.len()], 0, 1, draw.law, out);
    }
    fill(draw.key, &[draw.key.sample], start as u64 / 4, out.len(), draw.law, out);
}

/// Blocks that one thread takes at a time; less work than this is done at once.
const GRAIN: usize = 8192;

fn draw(context: &Context, key: Key, samples: &[u64], row: &[usize], target: &[usize], law: Law) -> Result<Tensor> {
    let len = element_count(row)?;
    if len > MOST {
        return Err(Error::limit("one key cannot give as many random numbers")
            .got(len)
            .expected(format!("at most {MOST}")));
    }
    let count = element_count(target)?;
    context.reserve(count.saturating_mul(context.precision().bytes()))?;
    if !context.device().has_kernels() {
        #[cfg(feature = "cubecl")]
        if context.device().is_cube()
            && context.precision() == super::Precision::F32
            && count > 0
            && kernel::fits(samples.len(), len)
        {
            return kernel::draw(context, key, samples, len, target, law);
        }
        return lowered::draw(context, key, samples, len, target, law);
    }
    if let (&[sample], true) = (samples, len == count) {
        return Tensor::drawn(context, Draw { key: key.sample(sample), law, samples: None }, target);
    }
    if len == 1 {
        return Tensor::drawn(context, Draw { key, law, samples: Some(samples.into()) }, target);
    }
    in_precision!(context.precision(), T => {
        let mut out = vec![T::default(); count];
        if count > 0 {
            // A tile is a part of a row or a few whole rows, so that tiles are slices of the output.
            let rows = (4 * GRAIN / len).max(1);
            if rows > 1 {
                out.par_chunks_mut(rows * len).zip(samples.par_chunks(rows)).for_each(|(out, samples)| {
                    if interrupt::pending().is_none() {
                        fill(key, samples, 0, len, law, out);
                    }
                });
            } else {
                out.par_chunks_mut(len).zip(samples).for_each(|(out, sample)| {
                    out.par_chunks_mut(4 * GRAIN).enumerate().for_each(|(i, out)| {
                        let len = out.len();
                        if interrupt::pending().is_some() {
                            return;
                        }
                        fill(key, std::slice::from_ref(sample), (i * GRAIN) as u64, len, law, out);
                    });
                });
            }
        }
        interrupt::poll()?;
        Tensor::from_vec(context, out, target)
    })
}

vectorised! {
    /// Fills rows of `len` numbers, one row for each sample, from block `first` of each row.
    fn fill<T: Drawable>(key: Key, samples: &[u64], first: u64, len: usize, law: Law, out: &mut [T]) {
        let blocks = len.div_ceil(4);
        let total = blocks * samples.len();
        let mut words: Words = [[0; BATCH]; 4];
        let mut fine: Words = [[0; BATCH]; 4];
        let mut numbers = [[T::default(); BATCH]; 4];
        let mut interleaved = [[T::default(); 4]; BATCH];
        if blocks == 1 {
            // Many short rows: a block for each.
            for (samples, out) in samples.chunks(BATCH).zip(out.chunks_mut(BATCH * len)) {
                let width = samples.len().next_multiple_of(16).min(BATCH);
                (words[0], words[1]) = ([first as u32; BATCH], [key.step; BATCH]);
                for (i, sample) in samples.iter().enumerate() {
                    (words[2][i], words[3][i]) = (*sample as u32, (*sample >> 32) as u32);
                }
                if T::FINE {
                    fine = words;
                    fine[1].fill(key.step | FINE);
                    scramble(&mut fine, width, key.key);
                }
                scramble(&mut words, width, key.key);
                numbers_of(&words, &fine, width, law, &mut numbers);
                if len == 1 {
                    out.copy_from_slice(&numbers[0][..samples.len()]);
                    continue;
                }
                for (i, out) in out.chunks_exact_mut(len).enumerate() {
                    out.iter_mut().zip(&numbers).for_each(|(out, numbers)| *out = numbers[i]);
                }
            }
            return;
        }
        let mut places = [(0, 0); BATCH];
        let (mut row, mut at) = (0, 0);
        for start in (0..total).step_by(BATCH) {
            let count = (total - start).min(BATCH);
            // A few more are drawn than needed: whole vectors.
            let width = count.next_multiple_of(16).min(BATCH);
            words[1].fill(key.step);
            let whole = at + count <= blocks;
            if whole {
                let (sample, begin) = (samples[row], (first + at as u64) as u32);
                (0..width).for_each(|i| words[0][i] = begin.wrapping_add(i as u32));
                words[2].fill(sample as u32);
                words[3].fill((sample >> 32) as u32);
            }
            let (first_row, first_at) = (row, at);
            for i in 0..if whole { 0 } else { count } {
                places[i] = (row, at);
                words[0][i] = (first + at as u64) as u32;
                words[2][i] = samples[row] as u32;
                words[3][i] = (samples[row] >> 32) as u32;
                (row, at) = if at + 1 == blocks { (row + 1, 0) } else { (row, at + 1) };
            }
            if whole {
                (row, at) = if at + count == blocks { (row + 1, 0) } else { (row, at + count) };
            }
            if T::FINE {
                fine = words;
                fine[1].fill(key.step | FINE);
                scramble(&mut fine, width, key.key);
            }
            scramble(&mut words, width, key.key);
            numbers_of(&words, &fine, width, law, &mut numbers);
            let [a, b, c, d] = &numbers;
            let begin = first_row * len + 4 * first_at;
            if whole && 4 * (first_at + count) <= len {
                for (i, out) in out[begin..begin + 4 * count].chunks_exact_mut(4).enumerate() {
                    (out[0], out[1], out[2], out[3]) = (a[i], b[i], c[i], d[i]);
                }
                continue;
            }
            for (i, out) in interleaved.iter_mut().enumerate() {
                (out[0], out[1], out[2], out[3]) = (a[i], b[i], c[i], d[i]);
            }
            for (i, four) in interleaved.iter().enumerate().take(count) {
                let (row, at) = if whole { (first_row, first_at + i) } else { places[i] };
                let begin = row * len + 4 * at;
                let wanted = (len - 4 * at).min(4);
                out[begin..begin + wanted].copy_from_slice(&four[..wanted]);
            }
        }
    }
}

/// Numbers of a path of `row` numbers are drawn for so many steps at once: rows of less than a block of four would leave most of it unused.
pub(crate) fn steps_at_once(row: usize) -> usize {
    if (1..4).contains(&row) { 4 } else { 1 }
}

/// The noise of paths, one standard normal number for each of the `row` numbers of a sample and each step.
///
/// Step `m` of a row of four or more numbers is `normal_samples(key.step(m), …)`. Of shorter rows, step `m` is part `m mod 4` of four
/// equal parts of the rows of `normal_samples(key.step(m / 4), samples, [4 row])`.
pub(crate) struct PathNoise {
    key: Key,
    row: usize,
    /// What was drawn last: of which steps, and the numbers, `[sample, 4 row]`.
    drawn: Option<(u64, Tensor)>,
}

impl PathNoise {
    /// Of a key, for rows of so many numbers.
    pub fn new(key: Key, row: usize) -> Self {
        Self { key, row, drawn: None }
    }
    /// The noise of a step, `[sample, one…]`, where `one` has as many numbers as a row.
    pub fn of(&mut self, context: &Context, step: u64, samples: &[u64], one: &[usize]) -> Result<Tensor> {
        let each = steps_at_once(self.row);
        if each == 1 {
            return normal_samples(context, self.key.step(step), samples, one);
        }
        let group = step / each as u64;
        let drawn = match self.drawn.take() {
            Some((own, numbers)) if own == group => numbers,
            _ => normal_samples(context, self.key.step(group), samples, &[each * self.row])?,
        };
        let shape: Shape = std::iter::once(samples.len()).chain(one.iter().copied()).collect();
        let part = drawn.narrow(1, (step % each as u64) as usize * self.row, self.row)?.reshape(&shape)?;
        self.drawn = Some((group, drawn));
        Ok(part)
    }
}

/// The same noise by columns: the numbers of many samples at one place side by side.
pub(crate) struct NoiseColumns<T> {
    key: Key,
    row: usize,
    width: usize,
    group: Option<u64>,
    numbers: Vec<T>,
}

impl<T: Drawable> NoiseColumns<T> {
    /// For at most `width` samples.
    pub fn new(key: Key, row: usize, width: usize) -> Self {
        let columns = (steps_at_once(row) * row).next_multiple_of(4);
        Self { key, row, width, group: None, numbers: vec![T::default(); columns * width] }
    }
    /// Bytes that it takes.
    pub fn bytes(row: usize, width: usize) -> usize {
        (steps_at_once(row) * row).next_multiple_of(4).saturating_mul(width).saturating_mul(size_of::<T>())
    }
    /// Begins with other samples.
    pub fn restart(&mut self) {
        self.group = None;
    }
    /// The noise of a step: column `j` holds number `j` of each sample. Always the same samples until a new start.
    pub fn of(&mut self, step: u64, samples: &[u64]) -> impl Iterator<Item = &[T]> {
        let each = steps_at_once(self.row);
        let (group, part) = (step / each as u64, (step % each as u64) as usize);
        if self.group != Some(group) {
            for (block, out) in self.numbers.chunks_exact_mut(4 * self.width).enumerate() {
                fill_columns(self.key.step(group), block as u32, samples, self.width, out);
            }
            self.group = Some(group);
        }
        let columns = self.numbers.chunks_exact(self.width).skip(part * self.row).take(self.row);
        columns.map(|column| &column[..samples.len()])
    }
}

vectorised! {
    /// The four numbers of one block of each sample, in four columns of a given length.
    fn fill_columns<T: Drawable>(key: Key, block: u32, samples: &[u64], column: usize, out: &mut [T]) {
        let mut words: Words = [[0; BATCH]; 4];
        let mut fine: Words = [[0; BATCH]; 4];
        let mut numbers = [[T::default(); BATCH]; 4];
        for (part, samples) in samples.chunks(BATCH).enumerate() {
            let width = samples.len().next_multiple_of(16).min(BATCH);
            (words[0], words[1]) = ([block; BATCH], [key.step; BATCH]);
            for (i, sample) in samples.iter().enumerate() {
                (words[2][i], words[3][i]) = (*sample as u32, (*sample >> 32) as u32);
            }
            if T::FINE {
                fine = words;
                fine[1].fill(key.step | FINE);
                scramble(&mut fine, width, key.key);
            }
            scramble(&mut words, width, key.key);
            numbers_of(&words, &fine, width, Law::Normal, &mut numbers);
            for (out, numbers) in out.chunks_exact_mut(column).zip(&numbers) {
                out[part * BATCH..][..samples.len()].copy_from_slice(&numbers[..samples.len()]);
            }
        }
    }
}

/// Numbers from the first `width` blocks: `[number of the block][block]`.
#[inline(always)]
fn numbers_of<T: Drawable>(words: &Words, fine: &Words, width: usize, law: Law, out: &mut [[T; BATCH]; 4]) {
    let width = width.min(BATCH);
    match law {
        Law::Normal => {
            for pair in 0..2 {
                let (x, y) = out[2 * pair..].split_at_mut(1);
                let (radius, angle) =
                    ([&words[2 * pair], &fine[2 * pair]], [&words[2 * pair + 1], &fine[2 * pair + 1]]);
                for i in 0..width {
                    (x[0][i], y[0][i]) = T::normal([radius[0][i], radius[1][i]], [angle[0][i], angle[1][i]]);
                }
            }
        }
        Law::Uniform { low, high } => {
            // Rounding may reach the upper end, which does not belong to the range.
            let (base, wide, most) = (T::of(low), T::of(high - low), below(T::of(high), T::of(low)));
            for (out, (coarse, fine)) in out.iter_mut().zip(words.iter().zip(fine)) {
                for i in 0..width {
                    let value = base + wide * T::unit(coarse[i], fine[i]);
                    out[i] = if value > most { most } else { value };
                }
            }
        }
        Law::Sign => {
            for (out, words) in out.iter_mut().zip(words) {
                for i in 0..width {
                    out[i] = T::of(if words[i] >> 31 == 0 { 1.0 } else { -1.0 });
                }
            }
        }
    }
}

/// The number next to `high` towards `low`.
#[inline(always)]
fn below<T: Drawable>(high: T, low: T) -> T {
    if high > low { T::next_below(high) } else { low }
}

#[cfg(test)]
mod tests;
