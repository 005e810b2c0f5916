//! The same draws in one kernel, for devices of CubeCL: Philox and the functions of `draw.rs` in `f32`, a thread for each block of four
//! numbers. The operations of `lowered.rs` would be some hundred launches.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchTensor, backend_extension};
use burn::tensor::{DType, Shape, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use cubecl::prelude::*;

use super::draw::{CELL, COS_F32, Drawable, LN_F32, SIN_F32, SPLIT};
use super::philox::{MULTIPLIERS, ROUNDS, WEYL};
use super::{Key, Law};
use crate::error::Result;
use crate::tensor::base::Tensor;
use crate::tensor::context::Context;

/// What a launch is told.
#[derive(Clone, Debug)]
pub struct Settings {
    rows: usize,
    len: usize,
    key: u64,
    step: u32,
    /// The sample of the first row, when the others follow it.
    first: Option<u64>,
    /// 0 for normal numbers, 1 for uniform ones, 2 for signs.
    law: u32,
    /// Lower end, width and largest number of a range.
    range: [f32; 3],
}

/// What this program adds to the operations of Burn.
#[backend_extension(Cube, Fusion)]
pub trait Kernels: Backend {
    /// Random numbers `[rows, len]`; `samples` holds the two words of each row's sample, and is only there where they are in order.
    #[fusion(meta = |_samples, settings| spec(settings))]
    fn draw_numbers(samples: IntTensor<Self>, settings: Settings) -> FloatTensor<Self>;
}

fn spec(settings: &Settings) -> TensorSpec {
    TensorSpec::new(Shape::from([settings.rows, settings.len]), DType::F32)
}

/// Whether the kernel's 32 bits of index are enough.
pub(super) fn fits(rows: usize, len: usize) -> bool {
    rows.checked_mul(len.next_multiple_of(4)).is_some_and(|n| n < 1 << 31)
}

/// As [`draw`](super::draw) does for rows of `len` numbers, neither 0.
pub(super) fn draw(
    context: &Context,
    key: Key,
    samples: &[u64],
    len: usize,
    target: &[usize],
    law: Law,
) -> Result<Tensor> {
    let (words, first) = words(context, samples);
    let (law, range) = match law {
        Law::Normal => (0, [0.0; 3]),
        Law::Uniform { low, high } => {
            let (base, end) = (low as f32, high as f32);
            let most = if end > base { end.next_below() } else { base };
            (1, [base, (high - low) as f32, most])
        }
        Law::Sign => (2, [0.0; 3]),
    };
    let settings = Settings { rows: samples.len(), len, key: key.key, step: key.step, first, law, range };
    Tensor::made(context, Dispatch::draw_numbers(words, settings)).reshape(target)
}

/// The two words of the number of each sample, and the number of the first, where the others follow it: then there are no words.
pub(crate) fn words(context: &Context, samples: &[u64]) -> (DispatchTensor, Option<u64>) {
    let begin = samples.first().copied().unwrap_or(0);
    if samples.iter().enumerate().all(|(i, s)| *s == begin.wrapping_add(i as u64)) {
        return (context.constant_data("samples in order", || int(context, vec![0, 0])), Some(begin));
    }
    context.copied_to_device(8 * samples.len());
    (int(context, samples.iter().flat_map(|s| [*s as u32 as i32, (*s >> 32) as u32 as i32]).collect()), None)
}

fn int(context: &Context, words: Vec<i32>) -> DispatchTensor {
    let count = words.len();
    Dispatch::int_from_data(TensorData::new(words, [count]), &context.burn_device())
}

impl Kernels for CubeBackend {
    fn draw_numbers(samples: IntTensor<Self>, settings: Settings) -> FloatTensor<Self> {
        let client = samples.client.clone();
        let Settings { rows, len, key, step, first, law, range } = settings;
        let out = empty_device_contiguous_dtype(client.clone(), samples.device.clone(), [rows, len].into(), DType::F32);
        let blocks = len.div_ceil(4);
        let total = rows * blocks;
        let cube = CubeDim::new(&client, total);
        let count = cubecl::calculate_cube_count_elemwise(&client, total, cube);
        let begin = first.unwrap_or(0);
        draw_kernel::launch(
            &client,
            count,
            cube,
            samples.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            key as u32,
            (key >> 32) as u32,
            step,
            begin as u32,
            (begin >> 32) as u32,
            blocks as u32,
            len as u32,
            total as u32,
            range[0],
            range[1],
            range[2],
            law,
            first.is_some(),
        );
        out
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn draw_kernel(
    samples: &[u32],
    out: &mut [f32],
    key_low: u32,
    key_high: u32,
    step: u32,
    first_low: u32,
    first_high: u32,
    blocks: u32,
    len: u32,
    total: u32,
    low: f32,
    width: f32,
    most: f32,
    #[comptime] law: u32,
    #[comptime] in_order: bool,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= total {
        terminate!();
    }
    let row = place / blocks;
    let block = place - row * blocks;
    let (c, d) = sample(samples, row, first_low, first_high, in_order);
    let (a, b, c, d) = philox(block, step, c, d, key_low, key_high);
    let at = row * len + 4 * block;
    let rest = len - 4 * block;
    let mut numbers = Array::<f32>::new(4usize);
    if comptime!(law == 0) {
        let (x, y) = normal(a, b);
        let (z, w) = normal(c, d);
        numbers[0] = x;
        numbers[1] = y;
        numbers[2] = z;
        numbers[3] = w;
    } else if comptime!(law == 1) {
        numbers[0] = uniform(a, low, width, most);
        numbers[1] = uniform(b, low, width, most);
        numbers[2] = uniform(c, low, width, most);
        numbers[3] = uniform(d, low, width, most);
    } else {
        numbers[0] = sign(a);
        numbers[1] = sign(b);
        numbers[2] = sign(c);
        numbers[3] = sign(d);
    }
    #[unroll]
    for i in 0..4u32 {
        if i < rest {
            out[(at + i) as usize] = numbers[i as usize];
        }
    }
}

/// The two words of the sample of a row.
#[cube]
pub(crate) fn sample(
    samples: &[u32],
    row: u32,
    first_low: u32,
    first_high: u32,
    #[comptime] in_order: bool,
) -> (u32, u32) {
    let mut low = first_low + row;
    let mut high = first_high;
    if in_order {
        high += select(low < row, 1u32, 0u32);
    } else {
        low = samples[(2 * row) as usize];
        high = samples[(2 * row + 1) as usize];
    }
    (low, high)
}

/// Philox: `philox.rs`.
#[cube]
pub(crate) fn philox(block: u32, step: u32, low: u32, high: u32, key_low: u32, key_high: u32) -> (u32, u32, u32, u32) {
    let mut a = block;
    let mut b = step;
    let mut c = low;
    let mut d = high;
    let mut k = key_low;
    let mut l = key_high;
    #[unroll]
    for _ in 0..comptime!(ROUNDS as u32) {
        let m = comptime!(MULTIPLIERS[0] as u32);
        let n = comptime!(MULTIPLIERS[1] as u32);
        let high_a = a.mul_hi(m);
        let low_a = a * m;
        let high_c = c.mul_hi(n);
        let low_c = c * n;
        a = high_c ^ b ^ k;
        b = low_c;
        c = high_a ^ d ^ l;
        d = low_a;
        k += comptime!(WEYL[0]);
        l += comptime!(WEYL[1]);
    }
    (a, b, c, d)
}

/// Normal number `j` of the draw of a step and a sample.
#[cube]
pub(crate) fn normal_at(j: u32, step: u32, low: u32, high: u32, key_low: u32, key_high: u32) -> f32 {
    let (a, b, c, d) = philox(j / 4u32, step, low, high, key_low, key_high);
    let second = j & 2u32 == 2u32;
    let (x, y) = normal(select(second, c, a), select(second, d, b));
    select(j & 1u32 == 1u32, y, x)
}

#[cube]
fn sign(word: u32) -> f32 {
    select(word >> 31u32 == 0u32, 1.0f32, -1.0f32)
}

#[cube]
fn uniform(word: u32, low: f32, width: f32, most: f32) -> f32 {
    let unit = f32::cast_from((word >> 8u32) as i32) * comptime!(1.0f32 / 16_777_216.0f32);
    let value = low + width * unit;
    select(value > most, most, value)
}

/// Two normal numbers from two words.
#[cube]
pub(crate) fn normal(radius: u32, angle: u32) -> (f32, f32) {
    let radius = (ln(radius) * -2.0f32).sqrt();
    let (cos, sin) = turn(angle);
    (radius * cos, radius * sin)
}

/// A word plus one half, as a float of 24 bits.
#[cube]
fn middle(word: u32) -> f32 {
    f32::cast_from((word >> 16u32) as i32) * 65536.0f32 + f32::cast_from((word & 0xFFFFu32) as i32) + 0.5f32
}

/// `ln_f32` of `draw.rs`.
#[cube]
fn ln(k: u32) -> f32 {
    let up = middle(k);
    let down = middle(k ^ 0xFFFF_FFFFu32);
    let bits = u32::reinterpret(up);
    let exponent = (bits - 0x3F35_04F3u32) as i32 >> 23i32;
    let mantissa = f32::reinterpret(bits - ((exponent as u32) << 23u32));
    let near_one = k >= comptime!(SPLIT);
    let z = select(near_one, down * comptime!(-(CELL as f32)), mantissa - 1.0f32);
    let e = select(near_one, 0.0f32, f32::cast_from(exponent - 32i32));
    let mut p = comptime!(LN_F32[0]).runtime();
    #[unroll]
    for i in 1..9usize {
        p = p * z + comptime!(LN_F32[i]);
    }
    let zz = z * z;
    let small = z * zz * p + e * -2.121_944_4e-4f32 - zz * 0.5f32;
    z + small + e * 0.693_359_4f32
}

/// Cosine and sine of a word's angle, `turn_f32` of `draw.rs`.
#[cube]
fn turn(word: u32) -> (f32, f32) {
    let turns = (word + 0x2000_0000u32) >> 30u32;
    let rest = f32::cast_from((word - (turns << 30u32)) as i32) * comptime!(CELL as f32 * 4.0f32);
    let x = rest * comptime!(std::f32::consts::FRAC_PI_2);
    let z = x * x;
    let mut s = comptime!(SIN_F32[0]).runtime();
    let mut c = comptime!(COS_F32[0]).runtime();
    #[unroll]
    for i in 1..3usize {
        s = s * z + comptime!(SIN_F32[i]);
        c = c * z + comptime!(COS_F32[i]);
    }
    let s = s * z * x + x;
    let c = c * z * z - z * 0.5f32 + 1.0f32;
    let odd = turns & 1u32 == 1u32;
    let cos = select(odd, s, c);
    let sin = select(odd, c, s);
    let flip_cos = ((turns + 1u32) & 2u32) << 30u32;
    let flip_sin = (turns & 2u32) << 30u32;
    (f32::reinterpret(u32::reinterpret(cos) ^ flip_cos), f32::reinterpret(u32::reinterpret(sin) ^ flip_sin))
}
