//! The same draws in tensor operations, for devices without the kernels of the CPU.
//!
//! Words are whole numbers of 64 bits that stay below 2³²: a product of two is exact, and its halves are a shift and a mask. The bits are
//! those of the CPU on every device. What is made of them is the same sequence of operations on floats; a device that fuses a product
//! and a sum into one rounding may differ in the last bits of normal numbers.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor, Scalar};
use burn::tensor::{IntDType, TensorData};

use super::draw::{CELL, SPLIT};
use super::philox::{MULTIPLIERS, ROUNDS, WEYL};
use super::{FINE, Key, Law, below};
use crate::error::Result;
use crate::tensor::base::{Real, Tensor, in_precision};
use crate::tensor::context::{Context, Precision};
use crate::tensor::{Binary, Unary};

const MASK: u64 = 0xFFFF_FFFF;

/// One word of each counter, `[samples or 1, blocks or 1]`.
#[derive(Clone)]
struct Word {
    data: DispatchTensor,
    context: Context,
}

impl Word {
    fn made(&self, data: DispatchTensor) -> Self {
        self.context.counts().operation();
        Self { data, context: self.context.clone() }
    }
    fn constant(context: &Context, value: u64) -> Self {
        let data = Dispatch::int_full([1, 1].into(), Scalar::UInt(value), &context.burn_device(), IntDType::U64);
        context.counts().operation();
        Self { data, context: context.clone() }
    }
    /// `first, first + 1, …` along an axis.
    fn count(context: &Context, first: u64, len: usize, shape: [usize; 2]) -> Self {
        let range = first as i64..(first + len as u64) as i64;
        let data = Dispatch::int_arange(range, &context.burn_device(), IntDType::U64);
        context.counts().operation();
        Self { data: Dispatch::int_reshape(data, shape.into()), context: context.clone() }
    }
    fn times(&self, factor: u64) -> Self {
        self.made(Dispatch::int_mul_scalar(self.data.clone(), Scalar::UInt(factor)))
    }
    fn shifted(&self, bits: u64) -> Self {
        self.made(Dispatch::bitwise_right_shift_scalar(self.data.clone(), Scalar::UInt(bits)))
    }
    fn masked(&self, mask: u64) -> Self {
        self.made(Dispatch::bitwise_and_scalar(self.data.clone(), Scalar::UInt(mask)))
    }
    fn plus(&self, term: u64) -> Self {
        self.made(Dispatch::int_add_scalar(self.data.clone(), Scalar::UInt(term)))
    }
    fn flipped(&self, bits: u64) -> Self {
        self.made(Dispatch::bitwise_xor_scalar(self.data.clone(), Scalar::UInt(bits)))
    }
    fn xor(&self, other: &Self) -> Self {
        self.made(Dispatch::bitwise_xor(self.data.clone(), other.data.clone()))
    }
    fn stretched(&self, shape: [usize; 2]) -> Self {
        Self { data: Dispatch::int_expand(self.data.clone(), shape.into()), context: self.context.clone() }
    }
    /// As floats; exact below 2²⁴ and 2⁵³.
    fn float(&self, precision: Precision) -> Tensor {
        Tensor::made(&self.context, Dispatch::int_into_float(self.data.clone(), precision.dtype()))
    }
    /// As floats with `term` subtracted before they are rounded.
    fn float_below(&self, precision: Precision, term: i64) -> Tensor {
        let signed = self.made(Dispatch::int_cast(self.data.clone(), IntDType::I64));
        let less = signed.made(Dispatch::int_sub_scalar(signed.data.clone(), Scalar::Int(term)));
        Tensor::made(&self.context, Dispatch::int_into_float(less.data, precision.dtype()))
    }
    /// 1 where it is at least `bound`, else 0.
    fn reaches(&self, precision: Precision, bound: u64) -> Tensor {
        let mask = Dispatch::int_greater_equal_elem(self.data.clone(), Scalar::UInt(bound), self.context.bool_store());
        Tensor::made(&self.context, Dispatch::bool_into_float(mask, precision.dtype()))
    }
}

/// Ten rounds of Philox (`philox.rs`).
fn scramble(mut words: [Word; 4], key: u64, shape: [usize; 2]) -> [Word; 4] {
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..ROUNDS {
        let (a, b) = (words[0].times(MULTIPLIERS[0]), words[2].times(MULTIPLIERS[1]));
        words = [
            b.shifted(32).xor(&words[1]).flipped(k[0] as u64),
            b.masked(MASK),
            a.shifted(32).xor(&words[3]).flipped(k[1] as u64),
            a.masked(MASK),
        ];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    words.map(|w| w.stretched(shape))
}

/// The sample of each row: its low and its high word.
fn samples_of(context: &Context, samples: &[u64]) -> [Word; 2] {
    let first = samples.first().copied().unwrap_or(0);
    let shape = [samples.len(), 1];
    let in_order = samples.iter().enumerate().all(|(i, s)| *s == first.wrapping_add(i as u64));
    if in_order && (first & MASK) + samples.len() as u64 <= MASK {
        return [Word::count(context, first & MASK, samples.len(), shape), Word::constant(context, first >> 32)];
    }
    let word = |f: fn(u64) -> u64| {
        let values: Vec<u64> = samples.iter().map(|s| f(*s)).collect();
        context.copied_to_device(8 * values.len());
        let data = Dispatch::int_from_data(TensorData::new(values, shape.to_vec()), &context.burn_device());
        Word { data, context: context.clone() }
    };
    [word(|s| s & MASK), word(|s| s >> 32)]
}

/// As [`draw`](super::draw) does for rows of `len` numbers.
pub(super) fn draw(
    context: &Context,
    key: Key,
    samples: &[u64],
    len: usize,
    target: &[usize],
    law: Law,
) -> Result<Tensor> {
    let precision = context.precision();
    if samples.is_empty() || len == 0 {
        return Tensor::full_in(context, precision, target, 0.0);
    }
    let blocks = len.div_ceil(4);
    let shape = [samples.len(), blocks];
    // Words take 8 bytes, and eight of them live at once.
    context.reserve(samples.len().saturating_mul(blocks).saturating_mul(64))?;
    let words = |mark: u32| {
        let [low, high] = samples_of(context, samples);
        let counters = [
            Word::count(context, 0, blocks, [1, blocks]),
            Word::constant(context, (key.step | mark) as u64),
            low,
            high,
        ];
        scramble(counters, key.key, shape)
    };
    let coarse = words(0);
    let fine = (precision == Precision::F64).then(|| words(FINE));
    let fine = |i: usize| fine.as_ref().map(|f| &f[i]);
    let mut numbers = Vec::with_capacity(4);
    match law {
        Law::Sign => {
            for word in &coarse {
                numbers.push(word.shifted(31).float(precision).scale(-2.0)?.shift(1.0)?);
            }
        }
        Law::Uniform { low, high } => {
            let (base, width, most) = in_precision!(precision, T => {
                let most = below(T::of(high), T::of(low));
                (T::of(low).f64(), T::of(high - low).f64(), most.f64())
            });
            for (i, word) in coarse.iter().enumerate() {
                let value = unit(word, fine(i))?.scale(width)?.shift(base)?;
                let data = Dispatch::float_clamp_max(value.data().clone(), most.into());
                numbers.push(Tensor::made(context, data));
            }
        }
        Law::Normal => {
            for pair in [0, 2] {
                let radius = log(&coarse[pair], fine(pair))?.scale(-2.0)?.unary(Unary::Sqrt)?;
                let (cos, sin) = turn(&coarse[pair + 1], fine(pair + 1))?;
                numbers.extend([radius.mul(&cos)?, radius.mul(&sin)?]);
            }
        }
    }
    let columns = numbers.iter().map(|t| t.reshape(&[shape[0], blocks, 1])).collect::<Result<Vec<_>>>()?;
    let rows = Tensor::concat(&columns, 2)?.reshape(&[shape[0], 4 * blocks])?;
    rows.narrow(1, 0, len)?.reshape(target)
}

/// Uniform in [0, 1).
fn unit(coarse: &Word, fine: Option<&Word>) -> Result<Tensor> {
    match fine {
        None => coarse.shifted(8).float(Precision::F32).scale(1.0 / 16_777_216.0),
        Some(fine) => {
            let low = fine.shifted(11).float(Precision::F64).scale(1.0 / 2_097_152.0)?;
            coarse.float(Precision::F64).add(&low)?.scale(CELL)
        }
    }
}

/// A word and its further bits, plus one half, as a float.
fn middle(coarse: &Word, fine: Option<&Word>) -> Result<Tensor> {
    match fine {
        None => {
            let high = coarse.shifted(16).float(Precision::F32).scale(65536.0)?;
            high.add(&coarse.masked(0xFFFF).float(Precision::F32))?.shift(0.5)
        }
        Some(fine) => coarse.float(Precision::F64).add(&fine.float(Precision::F64).shift(0.5)?.scale(CELL)?),
    }
}

/// `ln((k + ½) / 2³²)`, as `ln_f32` and `ln_f64` in `draw.rs`.
fn log(coarse: &Word, fine: Option<&Word>) -> Result<Tensor> {
    let precision = if fine.is_some() { Precision::F64 } else { Precision::F32 };
    let not = |w: &Word| w.flipped(MASK);
    let (up, down) = (middle(coarse, fine)?, middle(&not(coarse), fine.map(not).as_ref())?);
    // Mantissa in [√½, √2) and exponent, by halving: Burn has no way to take the bits of a float.
    let root = match precision {
        Precision::F32 => f32::from_bits(0x3F35_04F3) as f64,
        Precision::F64 => f64::from_bits(0x3FE6_A09E_667F_3BCD),
    };
    let (mut mantissa, mut exponent) = (up.scale(2.0)?, up.full_like(-1.0)?);
    for step in [32, 16, 8, 4, 2, 1] {
        let size = f64::powi(2.0, step);
        let store = mantissa.context().bool_store();
        let mask = Dispatch::float_greater_equal_elem(mantissa.data().clone(), (root * size).into(), store);
        let large = Tensor::made(mantissa.context(), Dispatch::bool_into_float(mask, precision.dtype()));
        exponent = exponent.add(&large.scale(step as f64)?)?;
        mantissa = large.choose(&mantissa.scale(1.0 / size)?, &mantissa)?;
    }
    let near_one = coarse.reaches(precision, SPLIT as u64);
    let z = near_one.choose(&down.scale(-CELL)?, &mantissa.shift(-1.0)?)?;
    let e = near_one.choose(&z.full_like(0.0)?, &exponent.shift(-32.0)?)?;
    let zz = z.mul(&z)?;
    if precision == Precision::F32 {
        const P: [f32; 9] = super::draw::LN_F32;
        let p = polynomial(&z, &P.map(f64::from))?;
        let small = z.mul(&zz)?.mul(&p)?.add(&e.scale(-2.121_944_4e-4_f32 as f64)?)?.sub(&zz.scale(0.5)?)?;
        return z.add(&small)?.add(&e.scale(0.693_359_4_f32 as f64)?);
    }
    let s = z.div(&z.shift(2.0)?)?;
    let square = s.mul(&s)?;
    let r = polynomial(&square, &super::draw::LN_F64)?.mul(&square)?;
    let half = z.scale(0.5)?.mul(&z)?;
    let rest = s.mul(&half.add(&r)?)?.add(&e.scale(1.908_214_929_270_587_7e-10)?)?;
    e.scale(6.931_471_803_691_238e-1)?.sub(&half.sub(&rest)?.sub(&z)?)
}

/// By Horner's rule, the highest coefficient first.
fn polynomial(x: &Tensor, coefficients: &[f64]) -> Result<Tensor> {
    let Some((first, rest)) = coefficients.split_first() else { return x.full_like(0.0) };
    let mut sum: Option<Tensor> = None;
    for c in rest {
        let product = match sum {
            Some(sum) => sum.mul(x)?,
            None => x.scale(*first)?,
        };
        sum = Some(product.shift(*c)?);
    }
    sum.map_or_else(|| x.full_like(*first), Ok)
}

/// Cosine and sine of the angle of a word, as `turn_f32` and `turn_f64` in `draw.rs`.
fn turn(coarse: &Word, fine: Option<&Word>) -> Result<(Tensor, Tensor)> {
    let precision = if fine.is_some() { Precision::F64 } else { Precision::F32 };
    let moved = coarse.plus(1 << 29).masked(MASK);
    let turns = moved.shifted(30);
    let rest = moved.masked((1 << 30) - 1).float_below(precision, 1 << 29);
    let rest = match fine {
        None => rest.scale(4.0 * CELL)?,
        Some(fine) => rest.add(&fine.float(precision).scale(CELL)?)?.scale(4.0 * CELL)?,
    };
    let quarter = match precision {
        Precision::F32 => std::f32::consts::FRAC_PI_2 as f64,
        Precision::F64 => std::f64::consts::FRAC_PI_2,
    };
    let x = rest.scale(quarter)?;
    let z = x.mul(&x)?;
    let (s, c) = match precision {
        Precision::F32 => {
            let s = polynomial(&z, &super::draw::SIN_F32.map(f64::from))?.mul(&z)?.mul(&x)?.add(&x)?;
            let c = polynomial(&z, &super::draw::COS_F32.map(f64::from))?.mul(&z)?.mul(&z)?;
            (s, c.sub(&z.scale(0.5)?)?.shift(1.0)?)
        }
        Precision::F64 => {
            let s = x.add(&x.mul(&z)?.mul(&polynomial(&z, &super::draw::SIN_F64)?)?)?;
            let c = z.scale(0.5)?.sub(&z.mul(&z)?.mul(&polynomial(&z, &super::draw::COS_F64)?)?)?;
            (s, c.scale(-1.0)?.shift(1.0)?)
        }
    };
    let odd = turns.masked(1).float(precision);
    let (cos, sin) = (odd.choose(&s, &c)?, odd.choose(&c, &s)?);
    // −1 where the second bit is set.
    let sign = |turns: &Word| turns.shifted(1).masked(1).float(precision).scale(-2.0)?.shift(1.0);
    Ok((cos.binary(Binary::Mul, &sign(&turns.plus(1))?)?, sin.binary(Binary::Mul, &sign(&turns)?)?))
}
