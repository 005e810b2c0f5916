//! The elementary functions in `f32`.

use super::Elementary;
use super::double::{exp_core, log2_core};
use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// Adding and subtracting it rounds to a whole number, which the last bits of the sum hold.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in two parts; the first has so few bits that its product with an exponent is exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `2ⁿ` for `−126 ≤ n ≤ 127`.
#[inline(always)]
fn two_to(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `x = n ln 2 + r`: the whole number and the rest.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    (shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32, (x - n * LN2[0]) - n * LN2[1])
}

/// `eʳ − 1 − r` for `|r| ≤ ½ ln 2`, from the minimax polynomial of its quotient with `r²`.
#[inline(always)]
fn expm1_rest(r: f32) -> f32 {
    let mut q = 1.990_770_4e-4;
    q = q * r + 1.393_373_6e-3;
    q = q * r + 8.333_286e-3;
    q = q * r + 4.166_646_4e-2;
    q = q * r + 1.666_666_7e-1;
    q = q * r + 5.0e-1;
    q * (r * r)
}
/// `eʳ − 1`
#[inline(always)]
fn expm1_core(r: f32) -> f32 {
    expm1_rest(r) + r
}

#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    // Comparisons with NaN are false, which leaves it as it is.
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// Exponent and mantissa less 1, in [√½ − 1, √2 − 1), of a positive number that is not subnormal.
#[inline(always)]
fn parts(x: f32) -> (f32, f32) {
    let shifted = x.to_bits().wrapping_sub(FRAC_1_SQRT_2.to_bits());
    let exponent = (shifted as i32) >> 23;
    (exponent as f32, f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23)) - 1.0)
}

/// `ln(1 + f) + e ln 2 + c` by Cephes' polynomial.
#[inline(always)]
fn log_core(e: f32, f: f32, c: f32) -> f32 {
    let mut p = 7.037_683_6e-2;
    p = p * f - 1.151_461e-1;
    p = p * f + 1.167_699_9e-1;
    p = p * f - 1.242_014_1e-1;
    p = p * f + 1.424_932_3e-1;
    p = p * f - 1.666_805_7e-1;
    p = p * f + 2.000_071_5e-1;
    p = p * f - 2.499_999_4e-1;
    p = p * f + 3.333_333e-1;
    let z = f * f;
    let small = ((f * z * p + (e * LN2[1] + c)) - 0.5 * z) + f;
    e * LN2[0] + small
}

/// Sine and cosine kernels of Cephes on [−π/4, π/4].
#[inline(always)]
fn sin_core(x: f32) -> f32 {
    let z = x * x;
    ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * x + x
}
#[inline(always)]
fn cos_core(x: f32) -> f32 {
    let z = x * x;
    ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * (z * z) + (1.0 - 0.5 * z)
}

/// Quarter turns and the rest in [−π/4, π/4], reduced in double precision.
#[inline(always)]
fn quarters(x: f32) -> (u32, f64) {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = x as f64;
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    (shifted.to_bits() as u32, (x - n * 1.570_796_326_734_125_6) - n * 6.077_100_506_506_192e-11)
}

impl Elementary for f32 {
    const FARTHEST: f32 = 1e6;

    #[inline(always)]
    fn vexp(self) -> f32 {
        let (n, r) = split(clamp(self, -104.0, 89.0));
        // In two steps, so that neither overflows before the result does, and subnormal results are rounded once.
        let half = n >> 1;
        (1.0 + expm1_core(r)) * two_to(half) * two_to(n.wrapping_sub(half))
    }
    #[inline(always)]
    fn vexpm1(self) -> f32 {
        let x = clamp(self, -18.0, 89.0);
        let shifted = x * LOG2_E + ROUND;
        let whole = shifted - ROUND;
        let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        let (high, low) = (x - whole * LN2[0], whole * LN2[1]);
        let r = high - low;
        let lost = (high - r) - low;
        // 2ⁿ ((1 − 2⁻ⁿ) + (eʳ − 1)), where the first sum keeps what it rounds away.
        let least = if n > 30 { 30 } else { n };
        let one = 1.0 - two_to(least.wrapping_neg());
        let sum = one + r;
        let rest = (r - (sum - one)) + (expm1_rest(r) + lost);
        let half = n >> 1;
        let y = (sum + rest) * two_to(half) * two_to(n.wrapping_sub(half));
        if self.abs() < 1e-4 { self + 0.5 * self * self } else { y }
    }
    #[inline(always)]
    fn vlog(self) -> f32 {
        let subnormal = self < f32::MIN_POSITIVE;
        let (e, f) = parts(if subnormal { self * 33_554_432.0 } else { self });
        let y = log_core(if subnormal { e - 25.0 } else { e }, f, 0.0);
        ends_of_log(self, y)
    }
    #[inline(always)]
    fn vlog1p(self) -> f32 {
        let u = 1.0 + self;
        let lost = if u >= 2.0 { 1.0 - (u - self) } else { self - (u - 1.0) };
        let (e, f) = parts(u);
        let y = log_core(e, if e == 0.0 { self } else { f }, if e == 0.0 { 0.0 } else { lost / u });
        let y = if self == 0.0 { self } else { y };
        let y = if self > 1e38 { self.vlog() } else { y };
        ends_of_log(u, y)
    }
    #[inline(always)]
    fn vsincos(self) -> (f32, f32) {
        let (turns, rest) = quarters(self);
        let (s, c) = (sin_core(rest as f32), cos_core(rest as f32));
        let odd = turns & 1 == 1;
        let (sin, cos) = if odd { (c, s) } else { (s, c) };
        let (flip_sin, flip_cos) = ((turns & 2) << 30, (turns.wrapping_add(1) & 2) << 30);
        let sin = f32::from_bits(sin.to_bits() ^ flip_sin);
        (if self == 0.0 { self } else { sin }, f32::from_bits(cos.to_bits() ^ flip_cos))
    }
    #[inline(always)]
    fn vtan(self) -> f32 {
        let (turns, rest) = quarters(self);
        let (s, c) = super::double::sincos_single(rest);
        let y = (if turns & 1 == 1 { -c / s } else { s / c }) as f32;
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn vtanh(self) -> f32 {
        // (1 − e⁻²ˣ)/(1 + e⁻²ˣ) = −(s p + (s − 1))/(s p + (s + 1)) with s = 2ⁿ, p = e⁻²ʳ − 1 and x = r − n ln 2/2. Both sums round what is
        // exact but for p, so that their errors do not add up. The bits of s come out of the rounding with their bias, and NaN comes
        // through all of it.
        const BIASED: f32 = ROUND + 127.0;
        let x = self.abs();
        let x = if x > 9.5 { 9.5 } else { x };
        let shifted = x * (-2.0 * LOG2_E) + BIASED;
        let n = shifted - BIASED;
        let scale = f32::from_bits(shifted.to_bits() << 23);
        let r = (x + n * (0.5 * LN2[0])) + n * (0.5 * LN2[1]);
        // Minimax polynomial of (p + 2r)/r² for |r| ≤ ¼ ln 2; p is off by 1.3·10⁻⁸ of itself.
        let mut q = 8.884_813e-2;
        q = q * r - 2.677_288_7e-1;
        q = q * r + 6.666_752e-1;
        q = q * r - 1.333_323_5;
        q = q * r + 1.999_999_9;
        let scaled = (q * (r * r) - (r + r)) * scale;
        ((scaled + (scale - 1.0)) / (scaled + (scale + 1.0))).copysign(self)
    }
    #[inline(always)]
    fn vsigmoid(self) -> f32 {
        // e⁻ˣ = 2ⁿ (1 + p), so the value is 2⁻ⁿ / (1 + 2⁻ⁿ + p); the sum begins with the smaller ones.
        let (n, r) = split(clamp(-self, -60.0, 104.0));
        let least = if n > 64 { 64 } else { n };
        let inverse = two_to(least.wrapping_neg());
        let (small, large) = if n > 0 { (inverse, 1.0) } else { (1.0, inverse) };
        let y = 1.0 / (large + (small + expm1_core(r)));
        let half = n >> 1;
        y * two_to(half.wrapping_neg()) * two_to(half.wrapping_sub(n))
    }
    #[inline(always)]
    fn verf(self) -> f32 {
        let (t, s) = (self.abs(), self * self);
        // Minimax polynomials of erf(x)/x and of ln(1 − erf x).
        let mut near = -5.967_617e-4;
        near = near * s + 4.991_194_2e-3;
        near = near * s - 2.676_813_5e-2;
        near = near * s + 1.128_199_25e-1;
        near = near * s - 3.761_253_4e-1;
        near = near * s + 1.283_791_7e-1;
        let near = near * self + self;
        let t = if t > 4.0 { 4.0 } else { t };
        let mut far = -1.728_534_7e-5 * t + 3.831_972e-4;
        far = far * (t * t) + (-3.883_964_4e-3 * t + 2.425_462_2e-2);
        far = far * t - 1.067_778_8e-1;
        far = far * t - 6.348_468_7e-1;
        far = far * t - 1.287_175_1e-1;
        far = far * t - t;
        let (n, r) = split(far);
        let far = 1.0 - (1.0 + expm1_core(r)) * two_to(n);
        let far = if self.is_nan() { self } else { far };
        if t > 0.927_734_4 { far.copysign(self) } else { near }
    }
    #[inline(always)]
    fn vpow(self, y: f32) -> f32 {
        let x = self.abs() as f64;
        // In double precision the product of exponent and logarithm is right far beyond the last place of a single.
        let product = y as f64 * log2_core(x);
        let size = exp_core(product * std::f64::consts::LN_2) as f32;
        let whole = y as f64 + 6_755_399_441_055_744.0;
        let is_whole = whole - 6_755_399_441_055_744.0 == y as f64;
        let is_odd = is_whole && whole.to_bits() & 1 == 1 && y.abs() < 16_777_216.0;
        let signed = if is_odd { size.copysign(self) } else { size };
        // A negative number has real powers of whole exponents only.
        let negative = self < 0.0 && self > f32::NEG_INFINITY;
        let y_is_whole = is_whole || y.abs() >= 8_388_608.0;
        let value = if negative && !y_is_whole { f32::NAN } else { signed };
        let value = if self == -1.0 && y.is_infinite() { 1.0 } else { value };
        if y == 0.0 || self == 1.0 { 1.0 } else { value }
    }
    #[inline(always)]
    fn vsqrt(self) -> f32 {
        self.sqrt()
    }
    #[inline(always)]
    fn vrecip(self) -> f32 {
        1.0 / self
    }
    #[inline(always)]
    fn is_far(self) -> bool {
        self.abs() > Self::FARTHEST
    }
    fn far_sin(self) -> f32 {
        (self as f64).sin() as f32
    }
    fn far_cos(self) -> f32 {
        (self as f64).cos() as f32
    }
    fn far_tan(self) -> f32 {
        (self as f64).tan() as f32
    }
}

/// The logarithm of 0, of negative numbers and of infinity.
#[inline(always)]
fn ends_of_log(x: f32, y: f32) -> f32 {
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}
