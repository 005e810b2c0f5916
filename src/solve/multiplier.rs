//! Functions of a Fourier symbol applied to spectra: `Σᵢ Mᵢ v̂ᵢ` in one pass.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::tensor::{Complex, Real, Tensor, Unary, in_precision, record_joint, unbroadcast};

/// Factors of the modes of a spectrum: one for each unknown, `[sample|1, m, k…]`, or a matrix, `[sample|1, m, m, k…]`.
#[derive(Clone)]
pub(crate) struct Multiplier {
    /// The real part.
    pub re: Tensor,
    /// The imaginary part, unless it is 0 everywhere.
    pub im: Option<Tensor>,
    /// Whether it mixes the unknowns.
    pub is_matrix: bool,
}

impl Multiplier {
    /// Leaves the imaginary part out where it is 0 and no gradient goes through it.
    pub fn new(m: Complex, is_matrix: bool) -> Result<Self> {
        let real = !m.im.is_tracked()
            && if !m.im.context().device().has_kernels() {
                m.im.is_empty() || m.im.unary(Unary::Abs)?.max(&[], false)?.item()? == 0.0
            } else {
                in_precision!(m.im.precision(), T => {
                    m.im.with_numbers::<T, _>(|x| x.iter().all(|x| *x == T::default()))?
                })
            };
        Ok(Self { re: m.re, im: if real { None } else { Some(m.im) }, is_matrix })
    }
    /// The transpose with respect to real and imaginary parts: conjugate, and rows for columns.
    fn adjoint(&self) -> Result<Self> {
        let turned = |t: &Tensor| if self.is_matrix { t.swap(1, 2) } else { Ok(t.clone()) };
        let im = self.im.as_ref().map(|im| turned(im)?.scale(-1.0)).transpose()?;
        Ok(Self { re: turned(&self.re)?, im, is_matrix: self.is_matrix })
    }
    fn is_tracked(&self) -> bool {
        self.re.is_tracked() || self.im.as_ref().is_some_and(Tensor::is_tracked)
    }
    fn samples(&self) -> usize {
        self.re.shape().first().copied().unwrap_or(1)
    }
    /// Whether it fits a spectrum of this shape, apart from the number of samples.
    fn fits(&self, spectrum: &[usize]) -> bool {
        let shape = self.re.shape();
        let [_, unknowns, modes @ ..] = spectrum else { return false };
        let wanted = if self.is_matrix { [&[*unknowns, *unknowns], modes].concat() } else { spectrum[1..].to_vec() };
        shape.get(1..) == Some(&wanted[..]) && (shape[0] == 1 || shape[0] == spectrum[0])
    }
    /// `∂L/∂M = g v*`, summed over what `M` has once.
    fn gradient(&self, g: &Complex, v: &Complex) -> Result<Complex> {
        let (g, v) = if self.is_matrix {
            (g.map(|t| t.unsqueeze(2))?, v.map(|t| t.unsqueeze(1))?)
        } else {
            (g.clone(), v.clone())
        };
        let shape = self.re.shape();
        g.mul(&v.conj()?)?.map(|t| unbroadcast(t, &shape))
    }
}

/// `Σᵢ Mᵢ v̂ᵢ` for spectra `[sample, m, k…]`; differentiable in all of them.
///
/// # Errors
/// When the shapes do not fit.
pub(crate) fn multiply(terms: &[(&Multiplier, &Complex)]) -> Result<Complex> {
    let Some((_, first)) = terms.first() else { return Err(Error::internal("a sum of no spectra")) };
    let mut shape = first.shape();
    let samples = terms.iter().map(|(m, v)| m.samples().max(v.shape().first().copied().unwrap_or(1))).max();
    if let (Some(own), Some(samples)) = (shape.first_mut(), samples) {
        *own = samples;
    }
    let terms = terms
        .iter()
        .map(|(m, v)| {
            // One state and coefficients of many samples make many states.
            let v = if v.shape() == shape { (*v).clone() } else { v.map(|t| t.expand(&shape))? };
            if !m.fits(&shape) {
                return Err(Error::shape("a linear operator does not fit the spectrum it acts on")
                    .got(format!("operator {:?}, spectrum {shape:?}", m.re.shape()))
                    .expected("[sample|1, m, k…] or [sample|1, m, m, k…] for a spectrum [sample, m, k…]"));
            }
            Ok(((*m).clone(), v))
        })
        .collect::<Result<Vec<_>>>()?;
    if terms.iter().any(|(_, v)| v.re.flex().is_none()) {
        return composed(&terms);
    }
    let outputs = product(&terms, &shape)?;
    let mut inputs: Vec<Tensor> = Vec::new();
    for (m, v) in &terms {
        inputs.extend([v.re.clone(), v.im.clone(), m.re.clone()]);
        inputs.extend(m.im.clone());
    }
    // A factor keeps the spectrum only where its own gradient is wanted: a long rollout would keep them all.
    let kept: Vec<(Multiplier, Option<Complex>, bool)> = terms
        .into_iter()
        .map(|(m, v)| {
            let tracked = v.re.is_tracked() || v.im.is_tracked();
            let v = if m.is_tracked() { Some(v) } else { None };
            (m, v, tracked)
        })
        .collect();
    let outputs = record_joint(&inputs.iter().collect::<Vec<_>>(), outputs, move |g| {
        let g = match g {
            [Some(re), Some(im)] => Some(Complex { re: re.clone(), im: im.clone() }),
            [Some(re), None] => Some(Complex { re: re.clone(), im: re.full_like(0.0)? }),
            [None, Some(im)] => Some(Complex { re: im.full_like(0.0)?, im: im.clone() }),
            _ => None,
        };
        let mut gradients = Vec::new();
        for (m, v, tracked) in &kept {
            let of_v = match &g {
                Some(g) if *tracked => Some(multiply(&[(&m.adjoint()?, g)])?),
                _ => None,
            };
            let of_m = match (&g, v) {
                (Some(g), Some(v)) => Some(m.gradient(g, v)?),
                _ => None,
            };
            gradients.extend(of_v.map_or([None, None], |v| [Some(v.re), Some(v.im)]));
            let (re, im) = of_m.map_or((None, None), |m| (Some(m.re), Some(m.im)));
            gradients.push(re);
            if m.im.is_some() {
                gradients.push(im);
            }
        }
        Ok(gradients)
    });
    match <[Tensor; 2]>::try_from(outputs) {
        Ok([re, im]) => Ok(Complex { re, im }),
        Err(_) => Err(Error::internal("a spectrum without two parts")),
    }
}

/// The same as tensor operations, for other devices.
fn composed(terms: &[(Multiplier, Complex)]) -> Result<Complex> {
    let mut sum: Option<Complex> = None;
    for (m, v) in terms {
        let v = if m.is_matrix { v.map(|t| t.unsqueeze(1))? } else { v.clone() };
        let product = match &m.im {
            Some(im) => v.mul(&Complex { re: m.re.clone(), im: im.clone() })?,
            None => v.mul_real(&m.re)?,
        };
        let product = if m.is_matrix { product.map(|t| t.sum(&[2], false))? } else { product };
        sum = Some(match sum {
            Some(sum) => sum.add(&product)?,
            None => product,
        });
    }
    sum.ok_or_else(|| Error::internal("a sum of no spectra"))
}

fn product(terms: &[(Multiplier, Complex)], shape: &[usize]) -> Result<Vec<Tensor>> {
    let Some((_, first)) = terms.first() else { return Err(Error::internal("a sum of no spectra")) };
    let (context, precision) = (first.re.context(), first.re.precision());
    context.reserve(first.re.len().saturating_mul(2 * precision.bytes()))?;
    let not_here = || Error::internal("spectra are integrated on the CPU");
    let flat = |t: &Tensor| t.detach().cast(precision)?.flex_contiguous().ok_or_else(not_here);
    let storage = terms
        .iter()
        .map(|(m, v)| Ok((flat(&m.re)?, m.im.as_ref().map(flat).transpose()?, flat(&v.re)?, flat(&v.im)?)))
        .collect::<Result<Vec<_>>>()?;
    in_precision!(precision, T => {
        let slices = terms
            .iter()
            .zip(&storage)
            .map(|((m, _), (m_re, m_im, re, im))| {
                Some(Slices {
                    m_re: m_re.as_slice::<T>()?,
                    m_im: match m_im { Some(im) => Some(im.as_slice::<T>()?), None => None },
                    re: re.as_slice::<T>()?,
                    im: im.as_slice::<T>()?,
                    is_matrix: m.is_matrix,
                    shared: m.samples() == 1,
                })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(not_here)?;
        let (re, im) = kernel(&slices, shape);
        Ok(vec![Tensor::from_vec::<T>(context, re, shape)?, Tensor::from_vec::<T>(context, im, shape)?])
    })
}

struct Slices<'a, T> {
    m_re: &'a [T],
    m_im: Option<&'a [T]>,
    re: &'a [T],
    im: &'a [T],
    is_matrix: bool,
    shared: bool,
}

/// Every unknown of every sample is a line of modes of its own, which threads share.
fn kernel<T: Real>(terms: &[Slices<'_, T>], shape: &[usize]) -> (Vec<T>, Vec<T>) {
    let count: usize = shape.iter().product();
    let (mut re, mut im) = (vec![T::default(); count], vec![T::default(); count]);
    let unknowns = shape.get(1).copied().unwrap_or(1);
    let modes: usize = shape.iter().skip(2).product();
    if count == 0 {
        return (re, im);
    }
    let line = |(line, (re, im)): (usize, (&mut [T], &mut [T]))| {
        let (sample, row) = (line / unknowns, line % unknowns);
        for term in terms {
            let of_sample = if term.shared { 0 } else { sample };
            if term.is_matrix {
                for column in 0..unknowns {
                    let m = ((of_sample * unknowns + row) * unknowns + column) * modes;
                    accumulate(re, im, term, m, (sample * unknowns + column) * modes);
                }
            } else {
                accumulate(re, im, term, (of_sample * unknowns + row) * modes, line * modes);
            }
        }
    };
    // Handing lines to other threads costs more than a small spectrum.
    if count <= 1 << 13 {
        re.chunks_mut(modes).zip(im.chunks_mut(modes)).enumerate().for_each(line);
    } else {
        let lines = re.par_chunks_mut(modes).zip(im.par_chunks_mut(modes)).enumerate();
        lines.with_min_len((1 << 13) / modes + 1).for_each(line);
    }
    (re, im)
}

/// Adds `m v` along one line of modes.
fn accumulate<T: Real>(re: &mut [T], im: &mut [T], term: &Slices<'_, T>, m: usize, v: usize) {
    let modes = re.len();
    let (v_re, v_im, m_re) = (&term.re[v..][..modes], &term.im[v..][..modes], &term.m_re[m..][..modes]);
    match term.m_im.map(|m_im| &m_im[m..][..modes]) {
        Some(m_im) => {
            for k in 0..modes {
                re[k] = re[k] + (m_re[k] * v_re[k] - m_im[k] * v_im[k]);
                im[k] = im[k] + (m_re[k] * v_im[k] + m_im[k] * v_re[k]);
            }
        }
        None => {
            for k in 0..modes {
                re[k] = re[k] + m_re[k] * v_re[k];
                im[k] = im[k] + m_re[k] * v_im[k];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::tests::{context, gradient_error, sample};

    #[test]
    fn one_pass_is_the_same_as_tensor_operations() {
        let c = context();
        for (samples, modes) in [(1, 5), (3, 5), (3, 9000)] {
            let part = |shape: &[usize], salt: usize| sample(&c, shape, salt);
            let full = Multiplier {
                re: part(&[samples, 2, 2, modes], 1),
                im: Some(part(&[samples, 2, 2, modes], 2)),
                is_matrix: true,
            };
            let real = Multiplier { re: part(&[1, 2, modes], 3), im: None, is_matrix: false };
            let v = |salt| Complex { re: part(&[3, 2, modes], salt), im: part(&[3, 2, modes], salt + 1) };
            let terms = [(full, v(4)), (real, v(6))];
            let one = multiply(&terms.iter().map(|(m, v)| (m, v)).collect::<Vec<_>>()).unwrap();
            let other = composed(&terms).unwrap();
            let error = one.sub(&other).unwrap().abs().unwrap().max(&[], false).unwrap().item().unwrap();
            assert!(error < 1e-14, "{samples} {modes}: {error:e}");
        }
    }

    #[test]
    fn gradients_of_all_factors() {
        let c = context();
        for shape in [[1, 2, 2, 3], [2, 2, 2, 3]] {
            let inputs = [
                sample(&c, &shape, 1),
                sample(&c, &shape, 2),
                sample(&c, &[2, 2, 3], 3),
                sample(&c, &[2, 2, 3], 4),
                sample(&c, &[1, 2, 3], 5),
            ];
            let error = gradient_error(&inputs, |x| {
                let m = Multiplier { re: x[0].clone(), im: Some(x[1].clone()), is_matrix: true };
                let n = Multiplier { re: x[4].clone(), im: None, is_matrix: false };
                let v = Complex { re: x[2].clone(), im: x[3].clone() };
                let y = multiply(&[(&m, &v), (&n, &v)])?;
                Tensor::concat(&[y.re, y.im], 0)
            });
            assert!(error < 1e-8, "{shape:?}: {error:e}");
        }
        let unfit = Multiplier { re: sample(&c, &[1, 3, 3], 1), im: None, is_matrix: false };
        let v = Complex { re: sample(&c, &[2, 2, 3], 3), im: sample(&c, &[2, 2, 3], 4) };
        assert!(multiply(&[(&unfit, &v)]).is_err());
    }
}
