//! Transforms in tensor operations only, for devices without the kernels of the CPU: lines of length `n` as products with small matrices. On devices of CubeCL lines
//! that fit are transformed by `kernel.rs` instead, also those that longer ones are taken apart into, and no product is left.
//!
//! | length | way |
//! |---|---|
//! | up to 128, or without a divisor up to 128 and not above 1024 | one product with the matrix of the transform |
//! | with a divisor `n₁ ≤ 128` | four steps (Bailey 1990): products of length `n₁` over `j₁`, a twiddle, lines of length `n₂ = n/n₁`, a transpose |
//! | other | as a convolution of length `2ᵐ ≥ 2n − 1` with a chirp (Bluestein 1970) |
//!
//! Real and imaginary part stand side by side in one product with a matrix of twice the size: `[re im] [[C, gS], [−gS, C]]`, so that a line costs
//! one joining and one product. Even real lines are transformed as half as many complex points. Matrices, twiddles and chirps are made on the
//! host in doubles once for each length, and stay on the device.

use std::f64::consts::{PI, TAU};

use rustfft::num_complex::Complex64;

#[cfg(feature = "cubecl")]
use super::kernel;
use super::kernels::Weights;
use super::volume::Direction;
use super::{Axes, Complex, Error, Result, Tensor};
use crate::session::interrupt;

/// Lengths up to this are one product.
const DIRECT: usize = 128;
/// Lengths without a divisor up to [`DIRECT`] are one product up to this.
pub(super) const PRIME: usize = 1024;

/// How the lines of one length are transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Product,
    Steps(usize),
    Chirp,
}

impl Way {
    fn of(n: usize) -> Self {
        if n <= DIRECT {
            return Self::Product;
        }
        // The divisor nearest to the root, on a logarithmic scale, makes the two products cheapest together.
        let apart = |d: usize| ((d * d) as f64 / n as f64).ln().abs();
        let divisors = (2..=DIRECT).filter(|d| n.is_multiple_of(*d));
        match divisors.min_by(|a, b| apart(*a).total_cmp(&apart(*b))) {
            Some(divisor) => Self::Steps(divisor),
            None if n <= PRIME => Self::Product,
            None => Self::Chirp,
        }
    }
}

fn sign(direction: Direction) -> f64 {
    if direction == Direction::Forward { -1.0 } else { 1.0 }
}
/// `e^{± 2πi j k / n}`; the product is reduced as a whole number: large arguments would lose digits.
pub(super) fn wave(direction: Direction, n: usize, j: usize, k: usize) -> Complex64 {
    let turn = ((j as u128 * k as u128) % n as u128) as f64 / n as f64;
    Complex64::from_polar(1.0, sign(direction) * TAU * turn)
}

/// A matrix that depends on nothing but its name and the precision.
pub(super) fn constant(
    like: &Tensor,
    name: String,
    (rows, columns): (usize, usize),
    f: impl Fn(usize, usize) -> f64,
) -> Result<Tensor> {
    let precision = like.precision();
    like.context().constant(format!("{name} {}", precision.name()), || {
        let values: Vec<f64> = (0..rows * columns).map(|i| f(i / columns, i % columns)).collect();
        // Rounded here: an accelerator need not convert.
        match precision {
            crate::tensor::Precision::F32 => {
                let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
                Tensor::from_vec(like.context(), values, &[rows, columns])
            }
            crate::tensor::Precision::F64 => Tensor::from_vec(like.context(), values, &[rows, columns]),
        }
    })
}
fn constant_pair(
    like: &Tensor,
    name: &str,
    size: (usize, usize),
    f: impl Fn(usize, usize) -> Complex64,
) -> Result<Complex> {
    let re = constant(like, format!("{name} re"), size, |i, j| f(i, j).re)?;
    Ok(Complex { re, im: constant(like, format!("{name} im"), size, |i, j| f(i, j).im)? })
}

/// The matrix on the right of `[re im]`.
fn block(like: &Tensor, n: usize, direction: Direction) -> Result<Tensor> {
    constant(like, format!("fft block {n} {direction:?}"), (2 * n, 2 * n), |i, j| {
        let w = wave(direction, n, i % n, j % n);
        match (i < n, j < n) {
            (true, true) | (false, false) => w.re,
            (true, false) => w.im,
            (false, true) => -w.im,
        }
    })
}
/// Real and imaginary part from halves of one axis.
fn halves(t: &Tensor, axis: usize) -> Result<Complex> {
    let n = t.shape()[axis] / 2;
    Ok(Complex { re: t.narrow(axis, 0, n)?, im: t.narrow(axis, n, n)? })
}

/// The transform along the middle axis of `[lines, n, m]`, for lengths that are one product.
fn columns(z: &Complex, n: usize, direction: Direction) -> Result<Complex> {
    #[cfg(feature = "cubecl")]
    if kernel::fits(&z.re, n) {
        return kernel::complex(z, 1, direction);
    }
    // On the left of a column of real over imaginary parts stands the transpose.
    let left = block(&z.re, n, direction)?.swap(0, 1)?;
    halves(&left.matmul(&Tensor::concat(&[z.re.clone(), z.im.clone()], 1)?)?, 1)
}

/// `Σ z(j) e^{± 2πi jk/n}` along the last axis of `[lines, n]`.
fn lines(z: &Complex, direction: Direction) -> Result<Complex> {
    interrupt::poll()?;
    let &[count, n] = z.shape().as_slice() else { return Err(Error::internal("lines of another rank")) };
    #[cfg(feature = "cubecl")]
    if kernel::fits(&z.re, n) {
        return kernel::complex(z, 1, direction);
    }
    match Way::of(n) {
        _ if n == 1 => Ok(z.clone()),
        Way::Product => {
            halves(&Tensor::concat(&[z.re.clone(), z.im.clone()], 1)?.matmul(&block(&z.re, n, direction)?)?, 1)
        }
        Way::Steps(n1) => {
            let n2 = n / n1;
            let z = z.map(|t| t.reshape(&[count, n1, n2]))?;
            let z = columns(&z, n1, direction)?;
            let twiddle = constant_pair(&z.re, &format!("fft twiddle {n1} {n2} {direction:?}"), (n1, n2), |k, j| {
                wave(direction, n, j, k)
            })?;
            let z = z.mul(&twiddle)?.map(|t| t.reshape(&[count * n1, n2]))?;
            lines(&z, direction)?.map(|t| t.reshape(&[count, n1, n2])?.swap(1, 2)?.reshape(&[count, n]))
        }
        Way::Chirp => {
            let m = (2 * n - 1).next_power_of_two();
            let name = format!("fft chirp {n} {direction:?}");
            let chirp = move |j: usize| {
                let turn = ((j as u128 * j as u128) % (2 * n) as u128) as f64 / n as f64;
                Complex64::from_polar(1.0, sign(direction) * PI * turn)
            };
            let factor = constant_pair(&z.re, &name, (1, n), |_, j| chirp(j))?;
            let filter = {
                let spectrum = std::cell::OnceCell::new();
                let made = || {
                    let mut b = vec![Complex64::default(); m];
                    for j in 0..n {
                        b[j] = chirp(j).conj();
                        b[(m - j) % m] = b[j];
                    }
                    rustfft::FftPlanner::new().plan_fft_forward(m).process(&mut b);
                    b.iter_mut().for_each(|b| *b /= m as f64);
                    b
                };
                constant_pair(&z.re, &format!("{name} filter"), (1, m), |_, k| spectrum.get_or_init(made)[k])?
            };
            let long = z.mul(&factor)?.map(|t| t.pad(1, 0, m - n, crate::tensor::Padding::Constant(0.0)))?;
            let long = lines(&lines(&long, Direction::Forward)?.mul(&filter)?, Direction::Inverse)?;
            long.map(|t| t.narrow(1, 0, n))?.mul(&factor)
        }
    }
}

/// `f` applied to `[lines, n]` with `axis` last, and the result put back.
fn along(axis: usize, x: &Complex, f: impl Fn(&Complex) -> Result<Complex>) -> Result<Complex> {
    let mut shape = x.map(|t| t.swap(axis as i64, -1))?.shape();
    let n = shape.pop().unwrap_or(1);
    let count = shape.iter().product::<usize>();
    let done = f(&x.map(|t| t.swap(axis as i64, -1)?.reshape(&[count, n]))?)?;
    shape.push(done.shape().last().copied().unwrap_or(1));
    done.map(|t| t.reshape(&shape)?.swap(axis as i64, -1))
}

fn over(x: &Complex, axes: &[usize], direction: Direction) -> Result<Complex> {
    axes.iter().try_fold(x.clone(), |x, &axis| {
        #[cfg(feature = "cubecl")]
        if kernel::fits(&x.re, x.shape()[axis]) {
            return kernel::complex(&x, axis, direction);
        }
        along(axis, &x, |z| lines(z, direction))
    })
}

/// The complex transform times `scale`.
pub(super) fn transform(x: &Complex, axes: &Axes, direction: Direction, scale: f64) -> Result<Complex> {
    let z = over(&x.map(|t| Ok(t.detach()))?, axes.list(), direction)?;
    if scale == 1.0 { Ok(z) } else { z.scale(scale) }
}

/// The weight of a wavenumber of the half spectrum of `n` points.
pub(super) fn weight(weights: Weights, n: usize, k: usize) -> f64 {
    let own = k == 0 || 2 * k == n;
    weights.scale * if weights.doubled && !own { 2.0 } else { 1.0 }
}
fn weights_name(n: usize, weights: Weights) -> String {
    format!("{n} {:x} {}", weights.scale.to_bits(), weights.doubled)
}
/// The weights of the half spectrum as a row.
fn weight_row(like: &Tensor, n: usize, weights: Weights) -> Result<Tensor> {
    let name = format!("fft weights {}", weights_name(n, weights));
    constant(like, name, (1, n / 2 + 1), |_, k| weight(weights, n, k))
}

/// `c(k) Σ x e^{−ikx}` on the half spectrum.
pub(super) fn forward_real(x: &Tensor, axes: &Axes, weights: Weights) -> Result<Complex> {
    let Some((&last, others)) = axes.list().split_last() else { return Complex::real(x.clone()) };
    let n = axes.shape()[last];
    #[cfg(feature = "cubecl")]
    if kernel::fits(x, n) {
        return over(&kernel::forward(&x.detach(), last, weights)?, others, Direction::Forward);
    }
    let x = Complex { re: x.detach(), im: x.detach() };
    // The imaginary part of what `along` hands over is the same tensor again, and is not looked at.
    let half = along(last, &x, |z| real_lines(&z.re, n, weights))?;
    over(&half, others, Direction::Forward)
}

fn real_lines(x: &Tensor, n: usize, weights: Weights) -> Result<Complex> {
    let h = n / 2;
    if n == 1 {
        return Complex::real(x.scale(weight(weights, n, 0))?);
    }
    if Way::of(n) == Way::Product {
        let name = format!("rfft {}", weights_name(n, weights));
        let matrix = constant(x, name, (n, 2 * (h + 1)), |j, column| {
            let (k, imaginary) = (column % (h + 1), column > h);
            let w = wave(Direction::Forward, n, j, k) * weight(weights, n, k);
            if imaginary { w.im } else { w.re }
        })?;
        return halves(&x.matmul(&matrix)?, 1);
    }
    let spectrum = if n % 2 == 1 {
        lines(&Complex { re: x.clone(), im: x.full_like(0.0)? }, Direction::Forward)?.map(|t| t.narrow(1, 0, h + 1))?
    } else {
        let count = x.shape()[0];
        let pairs = x.reshape(&[count, h, 2])?;
        let part = |i: usize| pairs.narrow(2, i, 1)?.reshape(&[count, h]);
        let z = lines(&Complex { re: part(0)?, im: part(1)? }, Direction::Forward)?;
        // Z(h) = Z(0); with M(k) = Z*(h − k): X = (Z + M)/2 − i e^{−ikx} (Z − M)/2.
        let z = z.map(|t| Tensor::concat(&[t.clone(), t.narrow(1, 0, 1)?], 1))?;
        let m = z.map(|t| t.flip(&[1]))?.conj()?;
        let turn = constant_pair(x, &format!("rfft turn {n}"), (1, h + 1), |_, k| {
            wave(Direction::Forward, n, 1, k) * Complex64::new(0.0, -0.5)
        })?;
        z.add(&m)?.scale(0.5)?.add(&z.sub(&m)?.mul(&turn)?)?
    };
    if weights.scale == 1.0 && !weights.doubled {
        return Ok(spectrum);
    }
    spectrum.mul_real(&weight_row(x, n, weights)?)
}

/// `Re Σ c(k) x(k) e^{ikx}` over the half spectrum.
pub(super) fn inverse_real(x: &Complex, axes: &Axes, weights: Weights) -> Result<Tensor> {
    let Some((&last, others)) = axes.list().split_last() else { return Ok(x.re.clone()) };
    let n = axes.shape()[last];
    let x = over(&x.map(|t| Ok(t.detach()))?, others, Direction::Inverse)?;
    #[cfg(feature = "cubecl")]
    if kernel::fits(&x.re, n) {
        return kernel::back(&x, last, n, weights);
    }
    // As above: two handles of one tensor.
    let out = along(last, &x, |z| {
        let out = real_lines_back(z, n, weights)?;
        Ok(Complex { re: out.clone(), im: out })
    })?;
    Ok(out.re)
}

fn real_lines_back(x: &Complex, n: usize, weights: Weights) -> Result<Tensor> {
    let h = n / 2;
    if n == 1 {
        return x.re.scale(weight(weights, n, 0));
    }
    if Way::of(n) == Way::Product {
        let name = format!("irfft {}", weights_name(n, weights));
        let matrix = constant(&x.re, name, (2 * (h + 1), n), |row, j| {
            let (k, imaginary) = (row % (h + 1), row > h);
            let w = wave(Direction::Inverse, n, j, k) * weight(weights, n, k);
            if imaginary { -w.im } else { w.re }
        })?;
        return Tensor::concat(&[x.re.clone(), x.im.clone()], 1)?.matmul(&matrix);
    }
    // Half of each weight, because each wavenumber comes with its opposite; the imaginary parts of those without one drop out.
    let own = |k: usize| k == 0 || 2 * k == n;
    let name = weights_name(n, weights);
    let re = constant(&x.re, format!("irfft re {name}"), (1, h + 1), |_, k| {
        weight(weights, n, k) * if own(k) { 1.0 } else { 0.5 }
    })?;
    let im = constant(&x.re, format!("irfft im {name}"), (1, h + 1), |_, k| {
        weight(weights, n, k) * if own(k) { 0.0 } else { 0.5 }
    })?;
    let x = Complex { re: x.re.mul(&re)?, im: x.im.mul(&im)? };
    if n % 2 == 1 {
        let opposite = x.map(|t| t.narrow(1, 1, h)?.flip(&[1]))?.conj()?;
        let whole =
            Complex { re: Tensor::concat(&[x.re, opposite.re], 1)?, im: Tensor::concat(&[x.im, opposite.im], 1)? };
        return Ok(lines(&whole, Direction::Inverse)?.re);
    }
    // With M(k) = X*(h − k): Z = X + M + i e^{ikx} (X − M), the half of it being in the weights of both.
    let m = x.map(|t| t.flip(&[1]))?.conj()?;
    let turn = constant_pair(&x.re, &format!("irfft turn {n}"), (1, h + 1), |_, k| {
        wave(Direction::Inverse, n, 1, k) * Complex64::new(0.0, 1.0)
    })?;
    let z = x.add(&m)?.add(&x.sub(&m)?.mul(&turn)?)?.map(|t| t.narrow(1, 0, h))?;
    let z = lines(&z, Direction::Inverse)?;
    let count = z.re.shape()[0];
    let column = |t: &Tensor| t.reshape(&[count, h, 1]);
    Tensor::concat(&[column(&z.re)?, column(&z.im)?], 2)?.reshape(&[count, n])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::fft::{fft, fourier_multiply, ifft, irfft, rfft};
    use crate::tensor::random::{Key, normal};
    use crate::tensor::{Context, Device, Precision};

    /// Lengths that take every way, alone and nested.
    const LENGTHS: [usize; 16] = [1, 2, 3, 64, 127, 128, 129, 131, 200, 256, 254, 1000, 1021, 1031, 2062, 4096];

    fn numbers(t: &Tensor) -> Vec<f64> {
        t.to_vec().unwrap()
    }
    fn error(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.shape(), b.shape());
        let (a, b) = (numbers(a), numbers(b));
        let size = a.iter().fold(1e-300, |m: f64, x| m.max(x.abs()));
        a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / size
    }

    #[test]
    fn every_length_agrees_with_the_kernels_of_the_cpu() {
        assert_eq!([Way::of(131), Way::of(256), Way::of(1031)], [Way::Product, Way::Steps(16), Way::Chirp]);
        for (precision, tolerance) in [(Precision::F64, 1e-13), (Precision::F32, 2e-6)] {
            let (cpu, low) = (Context::cpu(precision), Context::on(Device::LOWERED, precision));
            for n in LENGTHS {
                let sample = |salt: u64| {
                    let x = normal(&cpu, Key::new(salt), &[3, n]).unwrap();
                    let there = Tensor::new(&low, numbers(&x), &[3, n]).unwrap();
                    (x, there)
                };
                let ((a, a2), (b, b2)) = (sample(1), sample(2));
                let (z, z2) = (Complex { re: a.clone(), im: b }, Complex { re: a2.clone(), im: b2 });
                for (here, there) in [(fft(&z, &[1]), fft(&z2, &[1])), (ifft(&z, &[1]), ifft(&z2, &[1]))] {
                    let (here, there) = (here.unwrap(), there.unwrap());
                    let error = error(&here.re, &there.re).max(error(&here.im, &there.im));
                    assert!(error < tolerance, "fft of {n}, {precision:?}: {error:e}");
                }
                let (here, there) = (rfft(&a, &[1]).unwrap(), rfft(&a2, &[1]).unwrap());
                let distance = error(&here.re, &there.re);
                assert!(distance < tolerance, "rfft of {n}, {precision:?}: {distance:e}");
                // A spectrum that belongs to no real field.
                let part = |z: &Complex| z.map(|t| t.narrow(1, 0, n / 2 + 1)).unwrap();
                let (here, there) = (irfft(&part(&z), n, &[1]).unwrap(), irfft(&part(&z2), n, &[1]).unwrap());
                let distance = error(&here, &there);
                assert!(distance < tolerance, "irfft of {n}, {precision:?}: {distance:e}");
            }
        }
    }

    #[test]
    fn a_filter_copies_nothing_once_its_constants_are_there() {
        let low = Context::on(Device::LOWERED, Precision::F32);
        let x = normal(&low, Key::new(1), &[2, 48, 300]).unwrap();
        let m = Complex::new(
            normal(&low, Key::new(2), &[48, 151]).unwrap(),
            normal(&low, Key::new(3), &[48, 151]).unwrap(),
        );
        let m = m.unwrap();
        let once = || fourier_multiply(&x, &m, &[1, 2]).unwrap();
        once();
        let before = low.counts().snapshot();
        once();
        let after = low.counts().snapshot().since(before);
        assert_eq!((after.to_host, after.to_device), (0, 0), "{:?}", low.counts().places());
        assert!(after.operations < 70, "{after:?}");
    }
}
