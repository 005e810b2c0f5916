//! States of a system: what an integrator may do with them.

use crate::error::{Error, Result};
use crate::tensor::{Binary, Complex, Context, Precision, Real, Tensor, Unary, in_precision};

use super::combination::combine;

/// A state: one or more tensors that are added and scaled together.
///
/// Implemented for a [`Tensor`] `[sample, channel, x…]`, for a [`Complex`] spectrum `[sample, channel, k…]`, for several
/// tensors of their own shapes (`Vec<Tensor>`) and for position and velocity ([`Pair`]). A new kind gives its tensors and
/// takes them back; the rest follows.
pub trait Vector: Clone + 'static {
    /// The tensors it is made of, in a fixed order, at least one.
    fn tensors(&self) -> Vec<Tensor>;
    /// The same kind of state with other tensors, in the order of [`tensors`](Self::tensors).
    ///
    /// # Errors
    /// When there are not as many.
    fn with_tensors(&self, tensors: Vec<Tensor>) -> Result<Self>;
    /// The size of an error relative to what is tolerated; at most 1 is accepted. Nothing is recorded.
    ///
    /// For tensors the root of the mean over elements of `(e / (atol + rtol · max(|a|, |b|)))²`, with `a` and `b` the states
    /// before and after the step. For spectra the same with the root mean square of a whole channel in the place of an element,
    /// because the modes of a smooth field reach down to rounding.
    fn error_norm(&self, a: &Self, b: &Self, atol: f64, rtol: f64) -> Result<f64> {
        let (e, a, b) = (self.tensors(), a.tensors(), b.tensors());
        let (mut sum, mut count) = (0.0, 0);
        for ((e, a), b) in e.iter().zip(&a).zip(&b) {
            sum += weighted_squares(e, a, b, atol, rtol)?;
            count += e.len();
        }
        Ok((sum / (count.max(1) as f64)).sqrt())
    }

    /// `Σ cᵢ yᵢ`.
    ///
    /// # Errors
    /// When there is no term, or states of different kinds meet.
    fn combination(terms: &[(f64, &Self)]) -> Result<Self> {
        let Some((_, first)) = terms.first() else { return Err(Error::internal("a combination of no states")) };
        let parts: Vec<(f64, Vec<Tensor>)> = terms.iter().map(|(c, y)| (*c, y.tensors())).collect();
        let count = parts.first().map_or(0, |(_, p)| p.len());
        if parts.iter().any(|(_, p)| p.len() != count) {
            return Err(Error::shape("states with different numbers of parts cannot be added"));
        }
        let tensors = (0..count)
            .map(|i| combine(&parts.iter().map(|(c, p)| (*c, &p[i])).collect::<Vec<_>>()))
            .collect::<Result<_>>()?;
        first.with_tensors(tensors)
    }
    /// `self + Σ cᵢ yᵢ`.
    fn add_scaled(&self, terms: &[(f64, &Self)]) -> Result<Self> {
        let mut all = vec![(1.0, self)];
        all.extend_from_slice(terms);
        Self::combination(&all)
    }
    /// `c y`.
    fn scale(&self, factor: f64) -> Result<Self> {
        self.map(|t| t.scale(factor))
    }
    /// 0 in the same shapes.
    fn zeros_like(&self) -> Result<Self> {
        self.map(|t| t.full_like(0.0))
    }
    /// Each tensor through a function.
    fn map(&self, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        self.with_tensors(self.tensors().iter().map(f).collect::<Result<_>>()?)
    }
    /// The same values, outside of any gradient.
    fn detach(&self) -> Result<Self> {
        self.map(|t| Ok(t.detach()))
    }
    /// The sum of products of all elements, as a number; nothing is recorded.
    fn dot(&self, other: &Self) -> Result<f64> {
        let pairs = self.tensors().into_iter().zip(other.tensors());
        pairs.map(|(a, b)| product_sum(&a, &b)).sum()
    }
    /// Whether every element is finite.
    fn is_finite(&self) -> Result<bool> {
        let tensors = self.tensors();
        if tensors.first().is_some_and(|t| !t.context().device().has_kernels()) {
            // One number comes back, not the state.
            let lowest = |t: &Tensor| t.is_finite()?.cast(Precision::F32)?.min(&[], false)?.reshape(&[1]);
            let parts = tensors.iter().filter(|t| !t.is_empty()).map(lowest).collect::<Result<Vec<_>>>()?;
            return Ok(parts.is_empty() || Tensor::concat(&parts, 0)?.min(&[], false)?.item()? != 0.0);
        }
        for tensor in tensors {
            let finite = in_precision!(tensor.precision(), T => {
                tensor.with_numbers::<T, _>(all_finite)?
            });
            if !finite {
                return Ok(false);
            }
        }
        Ok(true)
    }
    /// Whether a gradient that is being taken goes through it.
    fn is_tracked(&self) -> bool {
        self.tensors().iter().any(Tensor::is_tracked)
    }
    /// What its tensors share.
    ///
    /// # Errors
    /// When it has no tensor.
    fn context(&self) -> Result<Context> {
        self.tensors().first().map(|t| t.context().clone()).ok_or_else(|| Error::internal("a state without tensors"))
    }
    /// The precision of its first tensor.
    fn precision(&self) -> Precision {
        self.tensors().first().map_or(Precision::F64, Tensor::precision)
    }
}

/// Whether every number is finite: `x · 0` is 0 for a finite `x` and NaN otherwise, so there is no branch in the loop. Several
/// sums side by side, because each addition of one sum waits for the one before.
fn all_finite<T: Real>(numbers: &[T]) -> bool {
    let mut sums = [T::default(); 32];
    let (blocks, rest) = numbers.as_chunks::<32>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum = *sum + *x * T::default();
        }
    }
    sums.iter().chain(rest).all(|x| *x * T::default() == T::default())
}

/// The tensors of a state of `N` parts.
fn exactly<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let got = tensors.len();
    tensors.try_into().map_err(|_| Error::internal(format!("a state of {N} tensors got {got}")))
}

impl Vector for Tensor {
    fn tensors(&self) -> Vec<Tensor> {
        vec![self.clone()]
    }
    fn with_tensors(&self, tensors: Vec<Tensor>) -> Result<Self> {
        let [tensor] = exactly(tensors)?;
        Ok(tensor)
    }
}

impl Vector for Complex {
    fn tensors(&self) -> Vec<Tensor> {
        vec![self.re.clone(), self.im.clone()]
    }
    fn with_tensors(&self, tensors: Vec<Tensor>) -> Result<Self> {
        let [re, im] = exactly(tensors)?;
        Ok(Self { re, im })
    }
    fn error_norm(&self, a: &Self, b: &Self, atol: f64, rtol: f64) -> Result<f64> {
        let (e, a, b) = (spectral_sizes(self)?, spectral_sizes(a)?, spectral_sizes(b)?);
        let ratios = e.iter().zip(&a).zip(&b).map(|((e, a), b)| (e / (atol + rtol * a.max(*b))).powi(2));
        Ok((ratios.sum::<f64>() / e.len().max(1) as f64).sqrt())
    }
}

impl Vector for Vec<Tensor> {
    fn tensors(&self) -> Vec<Tensor> {
        self.clone()
    }
    fn with_tensors(&self, tensors: Vec<Tensor>) -> Result<Self> {
        if tensors.len() != self.len() {
            return Err(Error::internal(format!("a state of {} tensors got {}", self.len(), tensors.len())));
        }
        Ok(tensors)
    }
}

/// Position and velocity, the state of `x'' = a(t, x)`.
#[derive(Clone, Debug)]
pub struct Pair<V> {
    /// The position.
    pub x: V,
    /// The velocity.
    pub v: V,
}

impl<V: Vector> Vector for Pair<V> {
    fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = self.x.tensors();
        tensors.extend(self.v.tensors());
        tensors
    }
    fn with_tensors(&self, mut tensors: Vec<Tensor>) -> Result<Self> {
        let of_x = self.x.tensors().len();
        if tensors.len() < of_x {
            return Err(Error::internal("too few tensors for a position and a velocity"));
        }
        let v = tensors.split_off(of_x);
        Ok(Self { x: self.x.with_tensors(tensors)?, v: self.v.with_tensors(v)? })
    }
    fn error_norm(&self, a: &Self, b: &Self, atol: f64, rtol: f64) -> Result<f64> {
        let (x, v) = (self.x.error_norm(&a.x, &b.x, atol, rtol)?, self.v.error_norm(&a.v, &b.v, atol, rtol)?);
        Ok(((x * x + v * v) / 2.0).sqrt())
    }
}

/// `Σ a b`.
fn product_sum(a: &Tensor, b: &Tensor) -> Result<f64> {
    let (a, b) = a.joined(b)?;
    if !a.context().device().has_kernels() {
        return a.detach().cast(Precision::F64)?.mul(&b.detach())?.sum_all()?.item();
    }
    in_precision!(a.precision(), T => {
        a.with_numbers::<T, _>(|a| b.with_numbers::<T, _>(|b| a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()))?
    })
}

/// `Σ (e / (atol + rtol · max(|a|, |b|)))²`.
fn weighted_squares(e: &Tensor, a: &Tensor, b: &Tensor, atol: f64, rtol: f64) -> Result<f64> {
    let (a, b) = (a.cast(e.precision())?, b.cast(e.precision())?);
    if !e.context().device().has_kernels() {
        let [e, a, b] = [e, &a, &b].map(|t| t.detach().cast(Precision::F64));
        let size = a?.unary(Unary::Abs)?.binary(Binary::Max, &b?.unary(Unary::Abs)?)?.scale(rtol)?.shift(atol)?;
        return e?.div(&size)?.unary(Unary::Square)?.sum_all()?.item();
    }
    in_precision!(e.precision(), T => {
        let ratio = |e: T, a: T, b: T| (e.f64() / (atol + rtol * a.abs().max(b.abs()).f64())).powi(2);
        let sum = |e: &[T], a: &[T], b: &[T]| e.iter().zip(a).zip(b).map(|((e, a), b)| ratio(*e, *a, *b)).sum();
        e.with_numbers::<T, _>(|e| a.with_numbers::<T, _>(|a| b.with_numbers::<T, _>(|b| sum(e, a, b))))??
    })
}

/// The root mean square in space of each sample and channel of a half spectrum `[sample, channel, k…]`.
///
/// By Parseval `Σ|û|²/N²` over all modes; the half spectrum of `n` modes stands for about `2n`.
fn spectral_sizes(u_hat: &Complex) -> Result<Vec<f64>> {
    let shape = u_hat.shape();
    let modes: usize = shape.iter().skip(2).product::<usize>().max(1);
    if !u_hat.re.context().device().has_kernels() && shape.len() >= 2 {
        let squares = u_hat.map(|t| t.detach().cast(Precision::F64))?.abs_squared()?;
        let lines = shape[0] * shape[1];
        let sums = squares.reshape(&[lines, modes])?.sum(&[1], false)?.to_vec()?;
        return Ok(sums.into_iter().map(|sum| (2.0 * sum).sqrt() / (2 * modes) as f64).collect());
    }
    let (re, im) = (u_hat.re.to_vec()?, u_hat.im.to_vec()?);
    let size = |(re, im): (&[f64], &[f64])| {
        let sum: f64 = re.iter().zip(im).map(|(re, im)| re * re + im * im).sum();
        (2.0 * sum).sqrt() / (2 * modes) as f64
    };
    Ok(re.chunks(modes).zip(im.chunks(modes)).map(size).collect())
}
