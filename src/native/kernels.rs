//! The loops over modes: sums of spectra times multipliers.

use rustfft::num_complex::Complex;

use super::simd::vectorised;
use crate::tensor::Real;

/// A multiplier: real, imaginary, complex, or 1.
#[derive(Clone, Copy)]
pub struct Factors<'a, T> {
    /// The real part, unless it is 0 everywhere; nowhere 0 means 1 where the other is absent too.
    pub re: Option<&'a [T]>,
    /// The imaginary part, unless it is 0 everywhere.
    pub im: Option<&'a [T]>,
    /// A number in front of it.
    pub weight: T,
}

vectorised! {
    /// `out ← weight · m v`
    pub fn write<T: Real>(out: &mut [Complex<T>], v: &[Complex<T>], by: Factors<'_, T>) {
        each(out, v, by, |_, new| new);
    }
}
vectorised! {
    /// `out ← out + weight · m v`
    pub fn add<T: Real>(out: &mut [Complex<T>], v: &[Complex<T>], by: Factors<'_, T>) {
        each(out, v, by, |old, new| Complex::new(old.re + new.re, old.im + new.im));
    }
}
vectorised! {
    /// `out ← weight · m out`
    pub fn scale<T: Real>(out: &mut [Complex<T>], by: Factors<'_, T>) {
        let w = by.weight;
        match (by.re, by.im) {
            (None, None) => out.iter_mut().for_each(|o| *o = real(*o, w)),
            (Some(m), None) => out.iter_mut().zip(m).for_each(|(o, m)| *o = real(*o, *m * w)),
            (None, Some(m)) => out.iter_mut().zip(m).for_each(|(o, m)| *o = imaginary(*o, *m * w)),
            (Some(re), Some(im)) => {
                out.iter_mut().zip(re).zip(im).for_each(|((o, re), im)| *o = complex(*o, *re * w, *im * w));
            }
        }
    }
}
vectorised! {
    /// `out ← out + a* b`
    pub fn correlate<T: Real>(out: &mut [Complex<T>], a: &[Complex<T>], b: &[Complex<T>]) {
        out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| {
            o.re = o.re + (a.re * b.re + a.im * b.im);
            o.im = o.im + (a.re * b.im - a.im * b.re);
        });
    }
}

#[inline(always)]
fn real<T: Real>(v: Complex<T>, m: T) -> Complex<T> {
    Complex::new(v.re * m, v.im * m)
}
#[inline(always)]
fn imaginary<T: Real>(v: Complex<T>, m: T) -> Complex<T> {
    Complex::new(-(v.im * m), v.re * m)
}
#[inline(always)]
fn complex<T: Real>(v: Complex<T>, re: T, im: T) -> Complex<T> {
    Complex::new(v.re * re - v.im * im, v.re * im + v.im * re)
}

#[inline(always)]
fn each<T: Real>(
    out: &mut [Complex<T>],
    v: &[Complex<T>],
    by: Factors<'_, T>,
    join: impl Fn(Complex<T>, Complex<T>) -> Complex<T>,
) {
    let w = by.weight;
    let both = out.iter_mut().zip(v);
    match (by.re, by.im) {
        (None, None) => both.for_each(|(o, v)| *o = join(*o, real(*v, w))),
        (Some(m), None) => both.zip(m).for_each(|((o, v), m)| *o = join(*o, real(*v, *m * w))),
        (None, Some(m)) => both.zip(m).for_each(|((o, v), m)| *o = join(*o, imaginary(*v, *m * w))),
        (Some(re), Some(im)) => {
            both.zip(re.iter().zip(im)).for_each(|((o, v), (re, im))| *o = join(*o, complex(*v, *re * w, *im * w)));
        }
    }
}

vectorised! {
    /// Whether every number is finite: `0 · x` is 0 for a finite `x` and NaN otherwise. Several sums side by side, because each
    /// addition of one sum waits for the one before.
    fn sums<T: Real>(numbers: &[T], sums: &mut [T; 32]) {
        let (blocks, rest) = numbers.as_chunks::<32>();
        for block in blocks {
            for (sum, x) in sums.iter_mut().zip(block) {
                *sum = *sum + *x * T::default();
            }
        }
        for (sum, x) in sums.iter_mut().zip(rest) {
            *sum = *sum + *x * T::default();
        }
    }
}
/// Whether every number is finite.
pub fn all_finite<T: Real>(numbers: &[T]) -> bool {
    let mut all = [T::default(); 32];
    sums(numbers, &mut all);
    all.iter().all(|x| *x == T::default())
}
