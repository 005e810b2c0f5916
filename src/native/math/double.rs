//! The elementary functions in `f64`.

use super::Elementary;
use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E};

/// Adding and subtracting it rounds to a whole number, which the last bits of the sum hold.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// `ln 2` in two parts; the first has so few bits that its product with an exponent is exact.
const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// `2ⁿ` for `−1022 ≤ n ≤ 1023`.
#[inline(always)]
fn two_to(n: i64) -> f64 {
    f64::from_bits((n.wrapping_add(1023) as u64) << 52)
}
/// `⌊n/2⌋` for `|n| < 2048`, with a shift that AVX2 has.
#[inline(always)]
fn half_of(n: i64) -> i64 {
    (((n.wrapping_add(2048)) as u64 >> 1) as i64).wrapping_sub(1024)
}

/// `x = n ln 2 + r`: the whole number and the rest.
#[inline(always)]
fn split(x: f64) -> (i64, f64) {
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    (shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i64, (x - n * LN2[0]) - n * LN2[1])
}

/// `eʳ − 1 − r` for `|r| ≤ ½ ln 2`, from the minimax polynomial of its quotient with `r²`.
#[inline(always)]
fn expm1_rest(r: f64) -> f64 {
    let mut q = 2.092_167_017_912_071e-09;
    q = q * r + 2.510_531_411_653_494_5e-08;
    q = q * r + 2.755_725_267_329_236_6e-07;
    q = q * r + 2.755_725_516_624_523_3e-06;
    q = q * r + 2.480_158_734_758_717_7e-05;
    q = q * r + 0.000_198_412_698_750_056_7;
    q = q * r + 0.001_388_888_888_887_429_4;
    q = q * r + 0.008_333_333_333_326_082;
    q = q * r + 0.041_666_666_666_666_685;
    q = q * r + 0.166_666_666_666_666_7;
    q = q * r + 0.5;
    q * (r * r)
}
/// `eʳ − 1`
#[inline(always)]
fn expm1_core(r: f64) -> f64 {
    expm1_rest(r) + r
}

/// `eˣ`, with no more than that `x` may be anything.
#[inline(always)]
pub(super) fn exp_core(x: f64) -> f64 {
    let (n, r) = split(clamp(x, -746.0, 710.0));
    let half = half_of(n);
    (1.0 + expm1_core(r)) * two_to(half) * two_to(n.wrapping_sub(half))
}

#[inline(always)]
fn clamp(x: f64, low: f64, high: f64) -> f64 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// Exponent and mantissa less 1, in [√½ − 1, √2 − 1), of a positive number that is not subnormal.
#[inline(always)]
fn parts(x: f64) -> (f64, f64) {
    const BIAS: u64 = 2048;
    let shifted = x.to_bits().wrapping_sub(FRAC_1_SQRT_2.to_bits());
    let fraction = x.to_bits().wrapping_sub(shifted & 0xFFF0_0000_0000_0000);
    // The exponent as the last bits of 2⁵² + …: whole numbers of 64 bits have no vector form of their conversion.
    let biased = (shifted.wrapping_add(BIAS << 52) >> 52) & 0xFFF;
    let exponent = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + BIAS as f64);
    (exponent, f64::from_bits(fraction) - 1.0)
}

/// `R` of fdlibm's logarithm: with `s = f/(2 + f)`, `ln(1 + f) = f − f²/2 + s (f²/2 + R(s²))`.
#[inline(always)]
fn log_rest(z: f64) -> f64 {
    let mut r = 1.479_819_860_511_658_6e-1;
    r = r * z + 1.531_383_769_920_937_3e-1;
    r = r * z + 1.818_357_216_161_805e-1;
    r = r * z + 2.222_219_843_214_978_4e-1;
    r = r * z + 2.857_142_874_366_239e-1;
    r = r * z + 3.999_999_999_940_942e-1;
    r = r * z + 6.666_666_666_666_735e-1;
    r * z
}

/// `ln(1 + f) + e ln 2 + c`.
#[inline(always)]
fn log_core(e: f64, f: f64, c: f64) -> f64 {
    let s = f / (2.0 + f);
    let half = 0.5 * f * f;
    e * LN2[0] - ((half - (s * (half + log_rest(s * s)) + (e * LN2[1] + c))) - f)
}

/// `log₂ x` of a positive number that is not subnormal (and what singles are as doubles), 0, ∞ or NaN.
#[inline(always)]
pub(super) fn log2_core(x: f64) -> f64 {
    let (e, f) = parts(x);
    let s = f / (2.0 + f);
    let half = 0.5 * f * f;
    let y = e + (f - (half - s * (half + log_rest(s * s)))) * LOG2_E;
    let y = if x == f64::INFINITY { x } else { y };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// fdlibm's kernels on [−π/4, π/4]; `tail` is what `x` lost when it was rounded.
#[inline(always)]
fn sin_core(x: f64, tail: f64) -> f64 {
    let z = x * x;
    let mut s = 1.589_690_995_211_55e-10;
    s = s * z - 2.505_076_025_340_686_3e-8;
    s = s * z + 2.755_731_370_707_007e-6;
    s = s * z - 1.984_126_982_985_795e-4;
    s = s * z + 8.333_333_333_322_49e-3;
    let cube = z * x;
    x - ((z * (0.5 * tail - cube * s) - tail) + cube * 1.666_666_666_666_663_2e-1)
}
#[inline(always)]
fn cos_core(x: f64, tail: f64) -> f64 {
    let z = x * x;
    let mut c = -1.135_964_755_778_819_5e-11;
    c = c * z + 2.087_572_321_298_175e-9;
    c = c * z - 2.755_731_435_139_066_3e-7;
    c = c * z + 2.480_158_728_947_673e-5;
    c = c * z - 1.388_888_888_887_411e-3;
    c = c * z + 4.166_666_666_666_66e-2;
    let half = 0.5 * z;
    let w = 1.0 - half;
    w + (((1.0 - w) - half) + (z * z * c - x * tail))
}
/// Sine and cosine of a reduced angle, for a result in single precision.
#[inline(always)]
pub(super) fn sincos_single(x: f64) -> (f64, f64) {
    (sin_core(x, 0.0), cos_core(x, 0.0))
}

/// `π/2` in parts of 33 bits, whose products with less than 2²⁰ are exact, and the rest.
const HALF_PI: [f64; 4] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_711_166_5e-21, 8.478_427_660_368_9e-32];

/// Quarter turns and the rest in [−π/4, π/4], with what it lost when it was rounded.
#[inline(always)]
fn quarters(x: f64) -> (u64, f64, f64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    let (a, b) = (x - n * HALF_PI[0], n * HALF_PI[1]);
    // a − b with its rounding, whichever is larger.
    let r = a - b;
    let t = a - r;
    let lost = (a - (r + t)) + (t - b);
    let rest = lost - n * HALF_PI[2];
    let high = r + rest;
    (shifted.to_bits(), high, ((r - high) + rest) - n * HALF_PI[3])
}

impl Elementary for f64 {
    const FARTHEST: f64 = 1e6;

    #[inline(always)]
    fn vexp(self) -> f64 {
        exp_core(self)
    }
    #[inline(always)]
    fn vexpm1(self) -> f64 {
        let x = clamp(self, -38.0, 710.0);
        let shifted = x * LOG2_E + ROUND;
        let whole = shifted - ROUND;
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i64;
        let (high, low) = (x - whole * LN2[0], whole * LN2[1]);
        let r = high - low;
        let lost = (high - r) - low;
        // 2ⁿ ((1 − 2⁻ⁿ) + (eʳ − 1)), where the first sum keeps what it rounds away.
        let least = if n > 60 { 60 } else { n };
        let one = 1.0 - two_to(least.wrapping_neg());
        let sum = one + r;
        let rest = (r - (sum - one)) + (expm1_rest(r) + lost);
        let half = half_of(n);
        let y = (sum + rest) * two_to(half) * two_to(n.wrapping_sub(half));
        if self.abs() < 1e-8 { self + 0.5 * self * self } else { y }
    }
    #[inline(always)]
    fn vlog(self) -> f64 {
        let subnormal = self < f64::MIN_POSITIVE;
        let (e, f) = parts(if subnormal { self * 18_014_398_509_481_984.0 } else { self });
        ends_of_log(self, log_core(if subnormal { e - 54.0 } else { e }, f, 0.0))
    }
    #[inline(always)]
    fn vlog1p(self) -> f64 {
        let u = 1.0 + self;
        let lost = if u >= 2.0 { 1.0 - (u - self) } else { self - (u - 1.0) };
        let (e, f) = parts(u);
        let y = log_core(e, if e == 0.0 { self } else { f }, if e == 0.0 { 0.0 } else { lost / u });
        ends_of_log(u, if self == 0.0 { self } else { y })
    }
    #[inline(always)]
    fn vsincos(self) -> (f64, f64) {
        let (turns, rest, tail) = quarters(self);
        let (s, c) = (sin_core(rest, tail), cos_core(rest, tail));
        let odd = turns & 1 == 1;
        let (sin, cos) = if odd { (c, s) } else { (s, c) };
        let (flip_sin, flip_cos) = ((turns & 2) << 62, (turns.wrapping_add(1) & 2) << 62);
        let sin = f64::from_bits(sin.to_bits() ^ flip_sin);
        (if self == 0.0 { self } else { sin }, f64::from_bits(cos.to_bits() ^ flip_cos))
    }
    #[inline(always)]
    fn vtan(self) -> f64 {
        let (sin, cos) = self.vsincos();
        sin / cos
    }
    #[inline(always)]
    fn vtanh(self) -> f64 {
        // As in single precision.
        let x = self.abs();
        let (n, r) = split(-2.0 * if x > 20.0 { 20.0 } else { x });
        let scale = two_to(n);
        let scaled = expm1_core(r) * scale;
        ((scaled + (scale - 1.0)) / (scaled + (scale + 1.0))).copysign(self)
    }
    #[inline(always)]
    fn vsigmoid(self) -> f64 {
        // e⁻ˣ = 2ⁿ (1 + p), so the value is 2⁻ⁿ / (1 + 2⁻ⁿ + p); the sum begins with the smaller ones.
        let (n, r) = split(clamp(-self, -60.0, 746.0));
        let least = if n > 64 { 64 } else { n };
        let inverse = two_to(least.wrapping_neg());
        let (small, large) = if n > 0 { (inverse, 1.0) } else { (1.0, inverse) };
        let y = 1.0 / (large + (small + expm1_core(r)));
        let half = half_of(n);
        y * two_to(half.wrapping_neg()) * two_to(half.wrapping_sub(n))
    }
    #[inline(always)]
    fn verf(self) -> f64 {
        let (t, s) = (self.abs(), self * self);
        // Minimax polynomials of erf(x)/x on [0, 1] and of ln(1 − erf x) on [1, 6].
        let mut near = 5.960_685_338_520_971e-11;
        near = near * s - 1.137_495_573_607_015e-09;
        near = near * s + 1.466_032_872_274_226e-08;
        near = near * s - 1.635_039_622_286_461_7e-07;
        near = near * s + 1.646_100_847_780_27e-06;
        near = near * s - 1.492_559_577_218_090_6e-05;
        near = near * s + 0.000_120_553_311_329_558_2;
        near = near * s - 0.000_854_832_698_142_554_2;
        near = near * s + 0.005_223_977_624_828_431;
        near = near * s - 0.026_866_170_645_077_875;
        near = near * s + 0.112_837_916_709_548_85;
        near = near * s - 0.376_126_389_031_837_5;
        near = near * s + std::f64::consts::FRAC_2_SQRT_PI;
        let near = near * self;
        let x = if t > 6.0 { 6.0 } else { t };
        let mut far = 2.248_947_588_225_235e-14;
        far = far * x - 1.245_331_464_303_507e-12;
        far = far * x + 3.264_873_970_655_352e-11;
        far = far * x - 5.390_765_701_377_98e-10;
        far = far * x + 6.287_949_263_959_412e-09;
        far = far * x - 5.505_079_882_756_444e-08;
        far = far * x + 3.747_406_103_960_864_4e-07;
        far = far * x - 2.023_059_639_283_308_8e-06;
        far = far * x + 8.722_487_382_728_052e-06;
        far = far * x - 2.977_554_411_920_990_3e-05;
        far = far * x + 7.743_967_057_770_009e-05;
        far = far * x - 0.000_134_631_684_183_381_2;
        far = far * x + 5.851_795_928_388_838e-05;
        far = far * x + 0.000_507_110_635_872_156_5;
        far = far * x - 0.001_630_000_835_345_031_1;
        far = far * x + 0.000_167_028_560_366_403_2;
        far = far * x + 0.019_149_385_826_447_77;
        far = far * x - 0.102_780_412_218_604_93;
        far = far * x - 0.636_617_716_170_091_4;
        far = far * x - 1.128_379_507_709_735_4;
        far = far * x + 2.667_842_966_379_593_8e-08;
        let far = 1.0 - exp_core(far);
        let far = if self.is_nan() { self } else { far };
        if t > 1.0 { far.copysign(self) } else { near }
    }
    #[inline(always)]
    fn vpow(self, y: f64) -> f64 {
        self.powf(y)
    }
    #[inline(always)]
    fn vsqrt(self) -> f64 {
        self.sqrt()
    }
    #[inline(always)]
    fn vrecip(self) -> f64 {
        1.0 / self
    }
    #[inline(always)]
    fn is_far(self) -> bool {
        self.abs() > Self::FARTHEST
    }
    fn far_sin(self) -> f64 {
        self.sin()
    }
    fn far_cos(self) -> f64 {
        self.cos()
    }
    fn far_tan(self) -> f64 {
        self.tan()
    }
}

/// The logarithm of 0, of negative numbers and of infinity.
#[inline(always)]
fn ends_of_log(x: f64, y: f64) -> f64 {
    let y = if x == f64::INFINITY { x } else { y };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f64::NAN }
}
