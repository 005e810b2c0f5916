//! Fourier transforms of any length over any axes, differentiable to any order.
//!
//! Conventions: forward `X(k) = Σ x(j) e^{−2πi jk/n}`, unscaled; inverse with `e^{+…}`, divided by the number of points.
//! Wavenumbers stand in the order `0, 1, … n/2 − 1, −n/2, … −1`. A real transform keeps `0 … n/2` along the last listed
//! axis. There the inverse takes the real part: an imaginary part at wavenumber 0 or at Nyquist, which no real field
//! has, drops out.
//!
//! The transpose of each transform is the one with the opposite sign and the same weights, so each is the other's rule.

mod axes;
#[cfg(feature = "cubecl")]
mod kernel;
mod kernels;
mod lowered;
#[cfg(test)]
mod matrix;
#[cfg(feature = "cubecl")]
mod mixed;
mod multiply;
mod volume;

use self::axes::Axes;
use self::kernels::Weights;
use self::multiply::Multiplier;
use self::volume::Direction;
use super::base::{Tensor, in_precision};
use super::complex::Complex;
use super::shape::{Shape, axes_indices, axis_index, broadcast, element_count};
use super::tape::{record_joint, unbroadcast};
use crate::error::{Error, Result};
use crate::session::{aside, interrupt};

/// The complex transform over `axes` (all when none is given).
pub fn fft(x: &Complex, axes: &[i64]) -> Result<Complex> {
    let axes = Axes::new("fft", &x.shape(), axes)?;
    transform(&x.checked("fft")?, &axes, Direction::Forward, 1.0)
}
/// The inverse of [`fft`].
pub fn ifft(x: &Complex, axes: &[i64]) -> Result<Complex> {
    let axes = Axes::new("ifft", &x.shape(), axes)?;
    transform(&x.checked("ifft")?, &axes, Direction::Inverse, 1.0 / axes.points() as f64)
}
/// The transform of real numbers over `axes` (all when none is given): `n/2 + 1` wavenumbers along the last listed one.
pub fn rfft(x: &Tensor, axes: &[i64]) -> Result<Complex> {
    let axes = Axes::new("rfft", &x.shape(), axes)?.real("rfft")?;
    forward_real(x, &axes, Weights { scale: 1.0, doubled: false })
}
/// The inverse of [`rfft`]; `len` is the length of the last listed axis of the real result.
pub fn irfft(x: &Complex, len: usize, axes: &[i64]) -> Result<Tensor> {
    let shape = x.shape();
    let axes = Axes::new("irfft", &shape, axes)?.real("irfft")?.with_last("irfft", len)?;
    let weights = Weights { scale: 1.0 / axes.points() as f64, doubled: true };
    inverse_real(&x.checked("irfft")?, &axes, weights)
}

/// `irfftn(multiplier · rfftn(x))` over `axes` (all when none is given). The multiplier has the shape of the half
/// spectrum, or one that broadcasts with it.
pub fn fourier_multiply(x: &Tensor, multiplier: &Complex, axes: &[i64]) -> Result<Tensor> {
    let multiplier = multiplier.checked("fourier_multiply")?;
    filtered(x, &multiplier.re, Some(&multiplier.im), axes)
}
/// [`fourier_multiply`] with a real multiplier.
pub fn fourier_multiply_real(x: &Tensor, multiplier: &Tensor, axes: &[i64]) -> Result<Tensor> {
    filtered(x, multiplier, None, axes)
}

/// Whole wavenumbers in the order of [`fft`]: `0, 1, … −2, −1`; for an even `n` Nyquist is `−n/2`.
pub fn fftfreq(n: usize) -> Vec<f64> {
    (0..n).map(|k| if 2 * k < n { k as f64 } else { k as f64 - n as f64 }).collect()
}
/// Whole wavenumbers in the order of [`rfft`]: `0 … n/2`.
pub fn rfftfreq(n: usize) -> Vec<f64> {
    if n == 0 { Vec::new() } else { (0..=n / 2).map(|k| k as f64).collect() }
}
/// Wavenumber 0 moved to the middle of `axes` (all when none is given).
pub fn fftshift(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
    shifted("fftshift", x, axes, |n| n / 2)
}
/// The inverse of [`fftshift`].
pub fn ifftshift(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
    shifted("ifftshift", x, axes, |n| n.div_ceil(2))
}
fn shifted(op: &str, x: &Tensor, axes: &[i64], by: fn(usize) -> usize) -> Result<Tensor> {
    let shape = x.shape();
    axes_indices(op, axes, x.rank())?
        .into_iter()
        .try_fold(x.clone(), |x, axis| x.roll(by(shape[axis]) as i64, axis as i64))
}

/// The complex transform times `scale`; its transpose has the opposite sign and the same scale.
fn transform(x: &Complex, axes: &Axes, direction: Direction, scale: f64) -> Result<Complex> {
    if axes.is_empty() {
        return x.scale(scale);
    }
    let context = x.re.context();
    context.reserve(x.re.len().saturating_mul(2 * x.re.precision().bytes()))?;
    let outputs = match (axes.gather(&x.re)?, axes.gather(&x.im)?) {
        (Some(re), Some(im)) => in_precision!(x.re.precision(), T => {
            let (lens, points) = (axes.lens(), x.re.len());
            let work = move || Some(kernels::complex::<T>((re.as_slice()?, im.as_slice()?), &lens, direction, scale));
            let (re, im) = stoppable(points, work)?;
            vec![axes.scatter(context, re, &axes.gathered())?, axes.scatter(context, im, &axes.gathered())?]
        }),
        _ => parts(lowered::transform(x, axes, direction, scale)?),
    };
    let axes = axes.clone();
    pair(record_joint(&[&x.re, &x.im], outputs, move |g| {
        let Some(g) = gradient_pair(g)? else { return Ok(vec![None, None]) };
        let back = transform(&g, &axes, direction.opposite(), scale)?;
        Ok(vec![Some(back.re), Some(back.im)])
    }))
}

/// `scale · c(k) · Σ x e^{−ikx}` on the half spectrum, with `c = 2` for inner wavenumbers when doubled.
fn forward_real(x: &Tensor, axes: &Axes, weights: Weights) -> Result<Complex> {
    let context = x.context();
    let spectrum = axes.half_spectrum();
    context.reserve(element_count(&spectrum)?.saturating_mul(2 * x.precision().bytes()))?;
    let outputs = match axes.gather(x)? {
        Some(flex) => in_precision!(x.precision(), T => {
            let lens = axes.lens();
            let work = move || Some(kernels::forward_real::<T>(flex.as_slice()?, &lens, weights));
            let (re, im) = stoppable(x.len(), work)?;
            vec![axes.scatter(context, re, &spectrum)?, axes.scatter(context, im, &spectrum)?]
        }),
        None => parts(lowered::forward_real(x, axes, weights)?),
    };
    let axes = axes.clone();
    pair(record_joint(&[x], outputs, move |g| {
        let Some(g) = gradient_pair(g)? else { return Ok(vec![None]) };
        Ok(vec![Some(inverse_real(&g, &axes, weights)?)])
    }))
}

/// `scale · Re Σ c(k) x(k) e^{ikx}` over the half spectrum: the transpose of [`forward_real`].
fn inverse_real(x: &Complex, axes: &Axes, weights: Weights) -> Result<Tensor> {
    let context = x.re.context();
    context.reserve(element_count(axes.shape())?.saturating_mul(x.re.precision().bytes()))?;
    let out = match (axes.gather(&x.re)?, axes.gather(&x.im)?) {
        (Some(re), Some(im)) => in_precision!(x.re.precision(), T => {
            let (lens, points) = (axes.lens(), x.re.len());
            let work = move || Some(kernels::inverse_real::<T>((re.as_slice()?, im.as_slice()?), &lens, weights));
            axes.scatter(context, stoppable(points, work)?, &axes.gathered())?
        }),
        _ => lowered::inverse_real(x, axes, weights)?,
    };
    let axes = axes.clone();
    let outputs = record_joint(&[&x.re, &x.im], vec![out], move |g| {
        let Some(Some(g)) = g.first() else { return Ok(vec![None, None]) };
        let back = forward_real(g, &axes, weights)?;
        Ok(vec![Some(back.re), Some(back.im)])
    });
    outputs.into_iter().next().ok_or_else(|| Error::internal("irfft without a result"))
}

/// Multiplication on the half spectrum; the imaginary part of the multiplier may be absent.
fn filtered(x: &Tensor, re: &Tensor, im: Option<&Tensor>, axes: &[i64]) -> Result<Tensor> {
    const OP: &str = "fourier_multiply";
    let layout = Axes::new(OP, &x.shape(), axes)?.real(OP)?;
    let spectrum = broadcast(OP, &layout.half_shape(), &re.shape())?;
    let mut target = spectrum.clone();
    // A multiplier with more axes or samples than x makes as many results.
    if let (Some(last), Some(&n)) = (layout.last(), layout.lens().last()) {
        let last = last + spectrum.len() - x.rank();
        if spectrum[last] != n / 2 + 1 {
            return Err(Error::shape(format!("{OP}: the multiplier does not fit the half spectrum")).got(format!(
                "{:?} for {:?}",
                re.shape(),
                layout.half_shape()
            )));
        }
        target[last] = n;
    }
    if target != x.shape() {
        let raised: Vec<i64> = layout.counted_from_end();
        return filtered(&x.expand(&target)?, re, im, &raised);
    }
    let (x, re) = x.joined(re)?;
    let im = im.map(|im| im.cast(x.precision())).transpose()?;
    let composed = |x: &Tensor| {
        let weights = Weights { scale: 1.0 / layout.points() as f64, doubled: true };
        let spectrum = forward_real(x, &layout, Weights { scale: 1.0, doubled: false })?;
        let product = match &im {
            Some(im) => spectrum.mul(&Complex { re: re.clone(), im: im.clone() })?,
            None => spectrum.mul_real(&re)?,
        };
        inverse_real(&product, &layout, weights)
    };
    let Some(flex) = layout.gather(&x)? else { return composed(&x) };
    let context = x.context();
    context.reserve(x.len().saturating_mul(x.precision().bytes()))?;
    let (m_re, which) = layout.multiplier(&re)?;
    let m_im = im.as_ref().map(|im| layout.multiplier(im)).transpose()?.map(|(im, _)| im);
    let m_re = m_re.flex_contiguous().ok_or_else(other_device)?;
    let m_im = m_im.map(|im| im.flex_contiguous().ok_or_else(other_device)).transpose()?;
    let out = in_precision!(x.precision(), T => {
        let lens = layout.lens();
        let out = stoppable(x.len(), move || {
            let mut out: Vec<T> = flex.as_slice::<T>()?.to_vec();
            let im = match &m_im {
                Some(im) => Some(im.as_slice::<T>()?),
                None => None,
            };
            if !out.is_empty() {
                multiply::multiply(&mut out, &lens, Multiplier { re: m_re.as_slice()?, im }, &which);
            }
            Some(out)
        })?;
        layout.scatter(context, out, &layout.gathered())?
    });
    let inputs: Vec<&Tensor> = [Some(&x), Some(&re), im.as_ref()].into_iter().flatten().collect();
    let rule = filter_rule(&x, &re, im.as_ref(), &layout, axes);
    record_joint(&inputs, vec![out], rule).into_iter().next().ok_or_else(|| Error::internal("no result"))
}

/// With respect to `x`: the conjugate multiplier. With respect to the multiplier: the product of the spectra.
fn filter_rule(
    x: &Tensor,
    re: &Tensor,
    im: Option<&Tensor>,
    layout: &Axes,
    axes: &[i64],
) -> impl Fn(&[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> + 'static {
    let (x, re, im, layout, axes) = (x.clone(), re.clone(), im.cloned(), layout.clone(), axes.to_vec());
    move |g| {
        let Some(Some(g)) = g.first() else { return Ok(vec![None; 2 + im.iter().count()]) };
        let negated = im.as_ref().map(|im| im.scale(-1.0)).transpose()?;
        let of_x = if x.is_tracked() { Some(filtered(g, &re, negated.as_ref(), &axes)?) } else { None };
        let mut gradients = vec![of_x, None];
        gradients.extend(im.iter().map(|_| None));
        if re.is_tracked() || im.as_ref().is_some_and(Tensor::is_tracked) {
            let weights = Weights { scale: 1.0 / layout.points() as f64, doubled: true };
            let spectrum = forward_real(&x, &layout, Weights { scale: 1.0, doubled: false })?;
            let g = forward_real(g, &layout, weights)?;
            let product = spectrum.conj()?.mul(&g)?;
            gradients[1] = Some(unbroadcast(&product.re, &re.shape())?);
            if let (Some(slot), Some(im)) = (gradients.get_mut(2), &im) {
                *slot = Some(unbroadcast(&product.im, &im.shape())?);
            }
        }
        Ok(gradients)
    }
}

/// Transforms of more points than this take long enough to be worth a thread that can be left.
const LONG: usize = 1 << 21;

/// Does the work of a kernel on `points` numbers; an interrupt ends it soon, or leaves it behind inside of one long line.
fn stoppable<R: Send + 'static>(points: usize, work: impl FnOnce() -> Option<R> + Send + 'static) -> Result<R> {
    let result = if points < LONG { work() } else { aside(work)? };
    interrupt::poll()?;
    result.ok_or_else(|| Error::internal("a tensor is not in the order or precision it should have"))
}
fn other_device() -> Error {
    Error::internal("operands are on different devices")
}
fn parts(z: Complex) -> Vec<Tensor> {
    vec![z.re, z.im]
}
fn pair(outputs: Vec<Tensor>) -> Result<Complex> {
    match <[Tensor; 2]>::try_from(outputs) {
        Ok([re, im]) => Ok(Complex { re, im }),
        Err(_) => Err(Error::internal("a transform without two parts")),
    }
}
/// The gradients of both parts, zero where one was not used.
fn gradient_pair(g: &[Option<Tensor>]) -> Result<Option<Complex>> {
    Ok(match g {
        [Some(re), Some(im)] => Some(Complex { re: re.clone(), im: im.clone() }),
        [Some(re), None] => Some(Complex { re: re.clone(), im: re.full_like(0.0)? }),
        [None, Some(im)] => Some(Complex { re: im.full_like(0.0)?, im: im.clone() }),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
