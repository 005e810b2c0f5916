//! Elementary functions in pairs of doubles (some 30 digits), by series: slow, and written without what they check.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number as an unevaluated sum of two doubles.
#[derive(Clone, Copy, Debug)]
pub struct Pair(pub f64, pub f64);

fn quick(a: f64, b: f64) -> Pair {
    let s = a + b;
    Pair(s, b - (s - a))
}
impl From<f64> for Pair {
    fn from(x: f64) -> Self {
        Pair(x, 0.0)
    }
}
impl Add for Pair {
    type Output = Pair;
    fn add(self, o: Pair) -> Pair {
        let s = self.0 + o.0;
        let t = s - self.0;
        let e = (self.0 - (s - t)) + (o.0 - t);
        quick(s, e + self.1 + o.1)
    }
}
impl Neg for Pair {
    type Output = Pair;
    fn neg(self) -> Pair {
        Pair(-self.0, -self.1)
    }
}
impl Sub for Pair {
    type Output = Pair;
    fn sub(self, o: Pair) -> Pair {
        self + -o
    }
}
impl Mul for Pair {
    type Output = Pair;
    fn mul(self, o: Pair) -> Pair {
        let p = self.0 * o.0;
        quick(p, self.0.mul_add(o.0, -p) + (self.0 * o.1 + self.1 * o.0))
    }
}
impl Div for Pair {
    type Output = Pair;
    fn div(self, o: Pair) -> Pair {
        let a = self.0 / o.0;
        let rest = self - Pair::from(a) * o;
        let b = rest.0 / o.0;
        let rest = rest - Pair::from(b) * o;
        quick(a, b) + Pair::from(rest.0 / o.0)
    }
}

const LN2: Pair = Pair(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);
/// `π/2` in three parts.
const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

/// `Σ xⁿ/n!` from `n = 1`, for `|x| < 1/2`.
fn small_expm1(x: Pair) -> Pair {
    (1..28).rev().fold(Pair(0.0, 0.0), |sum, n| (sum + 1.0.into()) * x / Pair::from(n as f64))
}
/// Mantissa and exponent, apart so that nothing overflows.
fn split_exp(x: Pair) -> (Pair, i32) {
    let n = (x.0 / std::f64::consts::LN_2).round();
    (small_expm1(x - LN2 * n.into()) + 1.0.into(), n as i32)
}
fn scaled(x: Pair, n: i32) -> Pair {
    let half = n / 2;
    let (a, b) = (2f64.powi(half), 2f64.powi(n - half));
    Pair(x.0 * a * b, x.1 * a * b)
}
pub fn exp(x: Pair) -> Pair {
    let (m, n) = split_exp(x);
    scaled(m, n)
}
pub fn expm1(x: f64) -> Pair {
    if x.abs() < 0.4 { small_expm1(x.into()) } else { exp(x.into()) - 1.0.into() }
}
pub fn log(x: f64) -> Pair {
    // A Newton step from the library's value, with the exponents kept apart.
    let y = Pair::from(x.ln());
    let (m, n) = split_exp(-y);
    let half = n / 2;
    let d = m * Pair::from(x * 2f64.powi(half) * 2f64.powi(n - half)) - 1.0.into();
    y + d - d * d * 0.5.into()
}
pub fn log1p(x: f64) -> Pair {
    let y = x.ln_1p();
    let e = expm1(y);
    Pair::from(y) + (Pair::from(x) - e) / (e + 1.0.into())
}
fn sin_series(x: Pair) -> Pair {
    let z = x * x;
    (1..16).rev().fold(Pair(0.0, 0.0), |sum, n| -((sum + 1.0.into()) * z / Pair::from((2 * n * (2 * n + 1)) as f64)))
        * x
        + x
}
fn cos_series(x: Pair) -> Pair {
    let z = x * x;
    (1..16).rev().fold(Pair(0.0, 0.0), |sum, n| -((sum + 1.0.into()) * z / Pair::from((2 * n * (2 * n - 1)) as f64)))
        + 1.0.into()
}
pub fn sincos(x: f64) -> (Pair, Pair) {
    let n = (x / HALF_PI[0]).round();
    let product = |part: f64| {
        let p = part * n;
        Pair(p, part.mul_add(n, -p))
    };
    let r = Pair::from(x) - product(HALF_PI[0]) - product(HALF_PI[1]) - product(HALF_PI[2]);
    let (s, c) = (sin_series(r), cos_series(r));
    match (n as i64).rem_euclid(4) {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}
pub fn tanh(x: f64) -> Pair {
    let t = expm1(2.0 * x.clamp(-40.0, 40.0));
    t / (t + 2.0.into())
}
pub fn sigmoid(x: f64) -> Pair {
    let e = exp((-x.abs()).into());
    (if x < 0.0 { e } else { 1.0.into() }) / (e + 1.0.into())
}
/// `2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!`: all terms have one sign.
pub fn erf(x: f64) -> Pair {
    const TWO_OVER_ROOT_PI: Pair = Pair(std::f64::consts::FRAC_2_SQRT_PI, 1.533_545_961_316_587_8e-17);
    let p = Pair::from(x.clamp(-7.0, 7.0));
    let z = p * p;
    let (mut term, mut sum) = (p, p);
    for n in 1..300 {
        term = term * z * 2.0.into() / Pair::from((2 * n + 1) as f64);
        sum = sum + term;
    }
    exp(-z) * sum * TWO_OVER_ROOT_PI
}

/// The distance of a double from a pair in units of the last place.
pub fn error(y: f64, exact: Pair) -> f64 {
    if y == exact.0 && exact.1 == 0.0 || y.is_nan() && exact.0.is_nan() {
        return 0.0;
    }
    if exact.0.is_infinite() || y.is_infinite() {
        return if y == exact.0 || exact.0.abs() > 1.797e308 { 0.0 } else { f64::INFINITY };
    }
    let unit = (exact.0.abs().to_bits() & 0x7FF0_0000_0000_0000).max(1 << 52);
    let unit = f64::from_bits(unit) * f64::EPSILON;
    ((y - exact.0 - exact.1) / unit.max(f64::from_bits(1))).abs()
}
