//! From random words to numbers: uniform, ±1, normal. Branch-free, so that the loops over lanes become vectors, and
//! without library functions, so that every machine gives the same bits.

use crate::tensor::base::Real;

/// A precision that numbers are drawn in.
pub(crate) trait Drawable: Real {
    /// Whether a second block gives each word 32 further bits.
    const FINE: bool;
    /// Uniform in [0, 1): 24 bits in `f32`, 53 bits in `f64`.
    fn unit(coarse: u32, fine: u32) -> Self;
    /// Two standard normal numbers from the words of a radius and of an angle, each with its further bits.
    fn normal(radius: [u32; 2], angle: [u32; 2]) -> (Self, Self);
    /// The next number towards −∞.
    fn next_below(self) -> Self;
}

/// `2⁻³²`
pub(super) const CELL: f64 = 1.0 / 4_294_967_296.0;
/// The fraction √½ of 2³²: above it the logarithm is taken around 1, below it after splitting off the exponent.
pub(super) const SPLIT: u32 = 0xB504_F334;

/// Cephes `logf` on [√½ − 1, √2 − 1], `sinf` and `cosf` on [−π/4, π/4]; highest power first.
pub(super) const LN_F32: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_7e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];
pub(super) const SIN_F32: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
pub(super) const COS_F32: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];
/// The same of fdlibm.
pub(super) const LN_F64: [f64; 7] = [
    1.479_819_860_511_658_6e-1,
    1.531_383_769_920_937_3e-1,
    1.818_357_216_161_805e-1,
    2.222_219_843_214_978_4e-1,
    2.857_142_874_366_239e-1,
    3.999_999_999_940_942e-1,
    6.666_666_666_666_735e-1,
];
pub(super) const SIN_F64: [f64; 6] = [
    1.589_690_995_211_55e-10,
    -2.505_076_025_340_686_3e-8,
    2.755_731_370_707_007e-6,
    -1.984_126_982_985_795e-4,
    8.333_333_333_322_49e-3,
    -1.666_666_666_666_663_2e-1,
];
pub(super) const COS_F64: [f64; 6] = [
    -1.135_964_755_778_819_5e-11,
    2.087_572_321_298_175e-9,
    -2.755_731_435_139_066_3e-7,
    2.480_158_728_947_673e-5,
    -1.388_888_888_887_411e-3,
    4.166_666_666_666_66e-2,
];

/// A polynomial, the highest coefficient first.
#[inline(always)]
fn horner<T: Real, const N: usize>(x: T, coefficients: &[T; N]) -> T {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = sum * x + *c;
    }
    sum
}

/// An angle as quarter turns and a rest in [−½, ½) quarter turns, in units of 2⁻³⁰ quarter turns.
#[inline(always)]
fn quarter(word: u32) -> (u32, i32) {
    let turns = word.wrapping_add(1 << 29) >> 30;
    (turns, word.wrapping_sub(turns << 30) as i32)
}

impl Drawable for f32 {
    const FINE: bool = false;

    #[inline(always)]
    fn next_below(self) -> Self {
        self.next_down()
    }

    #[inline(always)]
    fn unit(coarse: u32, _fine: u32) -> Self {
        (coarse >> 8) as i32 as f32 * (1.0 / 16_777_216.0)
    }

    #[inline(always)]
    fn normal(radius: [u32; 2], angle: [u32; 2]) -> (Self, Self) {
        let radius = (-2.0 * ln_f32(radius[0])).sqrt();
        let (turns, rest) = quarter(angle[0]);
        let (cos, sin) = turn_f32(turns, rest as f32 * (CELL as f32 * 4.0));
        (radius * cos, radius * sin)
    }
}

/// `ln((k + ½) / 2³²)`, with full relative accuracy near both ends: near 1 the distance to 1 is taken from the whole
/// number, which a float near 1 could not hold.
#[inline(always)]
fn ln_f32(k: u32) -> f32 {
    // As floats of 24 bits; conversions of unsigned numbers have no vector form, those of signed ones do.
    let unsigned = |v: u32| ((v >> 16) as i32 as f32) * 65536.0 + ((v & 0xFFFF) as i32 as f32) + 0.5;
    let (up, down) = (unsigned(k), unsigned(!k));
    // Mantissa in [√½, √2).
    let bits = up.to_bits();
    let exponent = (bits.wrapping_sub(0x3F35_04F3) as i32) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub((exponent as u32) << 23));
    let near_one = k >= SPLIT;
    let z = if near_one { -down * CELL as f32 } else { mantissa - 1.0 };
    let e = if near_one { 0.0 } else { (exponent - 32) as f32 };
    // Cephes logf: ln(1 + z) = z − z²/2 + z³ P(z) on [√½ − 1, √2 − 1].
    let p = horner(z, &LN_F32);
    let zz = z * z;
    let small = z * zz * p + e * -2.121_944_4e-4 - 0.5 * zz;
    z + small + e * 0.693_359_4
}

/// Cosine and sine of `(turns + rest) π/2`, `rest` in [−½, ½).
#[inline(always)]
fn turn_f32(turns: u32, rest: f32) -> (f32, f32) {
    let x = rest * std::f32::consts::FRAC_PI_2;
    let z = x * x;
    // Cephes sinf and cosf on [−π/4, π/4].
    let s = horner(z, &SIN_F32) * z * x + x;
    let c = horner(z, &COS_F32) * z * z - 0.5 * z + 1.0;
    let odd = turns & 1 == 1;
    let (cos, sin) = (if odd { s } else { c }, if odd { c } else { s });
    let (flip_cos, flip_sin) = ((turns.wrapping_add(1) & 2) << 30, (turns & 2) << 30);
    (f32::from_bits(cos.to_bits() ^ flip_cos), f32::from_bits(sin.to_bits() ^ flip_sin))
}

impl Drawable for f64 {
    const FINE: bool = true;

    #[inline(always)]
    fn next_below(self) -> Self {
        self.next_down()
    }

    #[inline(always)]
    fn unit(coarse: u32, fine: u32) -> Self {
        // 32 and 21 bits: their sum is exact.
        (unsigned(coarse) + unsigned(fine >> 11) * (1.0 / 2_097_152.0)) * CELL
    }

    #[inline(always)]
    fn normal(radius: [u32; 2], angle: [u32; 2]) -> (Self, Self) {
        let radius = (-2.0 * ln_f64(radius[0], radius[1])).sqrt();
        let (turns, rest) = quarter(angle[0]);
        let rest = (rest as f64 + unsigned(angle[1]) * CELL) * (4.0 * CELL);
        let (cos, sin) = turn_f64(turns, rest);
        (radius * cos, radius * sin)
    }
}

#[inline(always)]
fn unsigned(v: u32) -> f64 {
    (v ^ 0x8000_0000) as i32 as f64 + 2_147_483_648.0
}

/// `ln((k + ½) / 2⁶⁴)` of the 64-bit number with the halves `coarse` and `fine`.
#[inline(always)]
fn ln_f64(coarse: u32, fine: u32) -> f64 {
    let up = unsigned(coarse) + (unsigned(fine) + 0.5) * CELL;
    let down = unsigned(!coarse) + (unsigned(!fine) + 0.5) * CELL;
    let bits = up.to_bits();
    let shifted = bits.wrapping_sub(0x3FE6_A09E_667F_3BCD);
    let mantissa = f64::from_bits(bits.wrapping_sub(shifted & 0xFFF0_0000_0000_0000));
    let exponent = ((shifted >> 32) as i32) >> 20;
    let near_one = coarse >= SPLIT;
    let f = if near_one { -down * CELL } else { mantissa - 1.0 };
    let e = if near_one { 0.0 } else { (exponent - 32) as f64 };
    // fdlibm: with s = f/(2 + f), ln(1 + f) = f − f²/2 + s (f²/2 + R(s²)).
    let s = f / (2.0 + f);
    let z = s * s;
    let r = horner(z, &LN_F64) * z;
    let half = 0.5 * f * f;
    e * 6.931_471_803_691_238e-1 - ((half - (s * (half + r) + e * 1.908_214_929_270_587_7e-10)) - f)
}

/// Cosine and sine of `(turns + rest) π/2`, `rest` in [−½, ½).
#[inline(always)]
fn turn_f64(turns: u32, rest: f64) -> (f64, f64) {
    let x = rest * std::f64::consts::FRAC_PI_2;
    let z = x * x;
    // fdlibm kernels of sine and cosine on [−π/4, π/4].
    let s = horner(z, &SIN_F64);
    let s = x + x * z * s;
    let c = horner(z, &COS_F64);
    let c = 1.0 - (0.5 * z - z * z * c);
    let odd = turns & 1 == 1;
    let (cos, sin) = (if odd { s } else { c }, if odd { c } else { s });
    let (flip_cos, flip_sin) = ((turns.wrapping_add(1) & 2) as u64, (turns & 2) as u64);
    (f64::from_bits(cos.to_bits() ^ (flip_cos << 62)), f64::from_bits(sin.to_bits() ^ (flip_sin << 62)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> impl Iterator<Item = u32> {
        let ends = (0..200).flat_map(|k| [k, u32::MAX - k, SPLIT - 100 + k, (1 << 31) - 100 + k]);
        ends.chain((0..2_000_000u32).map(|k| k.wrapping_mul(2_654_435_761)))
    }

    #[test]
    fn the_logarithm_is_accurate_at_both_ends() {
        let (mut worst32, mut worst64) = (0.0f64, 0.0f64);
        for k in words() {
            let down = (!k as f64 + 0.5) * CELL;
            let exact = if k >= SPLIT { (-down).ln_1p() } else { ((k as f64 + 0.5) * CELL).ln() };
            worst32 = worst32.max(((ln_f32(k) as f64 - exact) / exact).abs());
            let fine = k.wrapping_mul(0x9E37_79B9);
            let down = (!k as f64 + (!fine as f64 + 0.5) * CELL) * CELL;
            let up = (k as f64 + (fine as f64 + 0.5) * CELL) * CELL;
            let exact = if k >= SPLIT { (-down).ln_1p() } else { up.ln() };
            worst64 = worst64.max(((ln_f64(k, fine) - exact) / exact).abs());
        }
        assert!(worst32 < 3e-7, "f32: {worst32:e}");
        assert!(worst64 < 5e-16, "f64: {worst64:e}");
    }

    #[test]
    fn the_angle_is_accurate() {
        let (mut worst32, mut worst64) = (0.0f64, 0.0f64);
        for k in words() {
            let (turns, rest) = quarter(k);
            let exact = (k as f64 * CELL * std::f64::consts::TAU).sin_cos();
            let (c, s) = turn_f32(turns, rest as f32 * (CELL as f32 * 4.0));
            worst32 = worst32.max((c as f64 - exact.1).abs()).max((s as f64 - exact.0).abs());
            let (c, s) = turn_f64(turns, rest as f64 * (CELL * 4.0));
            worst64 = worst64.max((c - exact.1).abs()).max((s - exact.0).abs());
        }
        assert!(worst32 < 1.5e-7, "f32: {worst32:e}");
        // The reference itself rounds an angle of up to 2π.
        assert!(worst64 < 1.5e-15, "f64: {worst64:e}");
    }
}
