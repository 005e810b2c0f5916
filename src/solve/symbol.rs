//! Linear parts with constant coefficients on periodic grids: a number or a small matrix for each mode.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use rustfft::num_complex::Complex as Number;

use super::eigenvalues::eigenvalues;
use super::multiplier::{Multiplier, multiply};
use super::phi::{phi_elements, phi_matrices, phi_real};
use super::system::{Linear, Phi, Reach};
use crate::error::{Error, Result};
use crate::tensor::{Complex, Precision, Tensor};

/// `L(k)` in Fourier space, acting on spectra `[sample, m, k…]` of `m` unknowns. Cheap to clone; clones share what was computed.
///
/// Functions of it (`e^(hL)`, `φⱼ(hL)`, `(I − γhL)⁻¹`) are computed in double precision whatever that of the state, once for each step
/// size. It may depend on parameters that are being differentiated: gradients go through all of them. To differentiate with
/// respect to the final time, multiply it, and the rest of the right-hand side, by a rate `ρ = 1` and take the gradient with
/// respect to `ρ`: `∂/∂T = (1/T) ∂/∂ρ` for a span `T`.
#[derive(Clone)]
pub struct Symbol(Rc<Inner>);

struct Inner {
    own: Multiplier,
    made: RefCell<Vec<(Key, Multiplier)>>,
    growth: OnceCell<[(f64, bool); 2]>,
}

/// Which function of the symbol, for which step, in which precision, and whether it carries a gradient.
#[derive(PartialEq, Clone, Copy)]
struct Key {
    function: Function,
    h: u64,
    precision: Precision,
    recorded: bool,
}

/// A function of a symbol.
#[derive(PartialEq, Clone, Copy)]
pub(crate) enum Function {
    /// `L`
    Itself,
    /// `hᵖ Σ wⱼ φⱼ(c h L)`
    Phi(Phi),
    /// `(I − h L)⁻¹`
    Resolvent,
}

/// More step sizes than an integrator has at once; beyond them the oldest are computed again.
const MOST_KEPT: usize = 48;

impl Symbol {
    /// One number for each mode and unknown: `[sample|1, m, k…]`.
    ///
    /// # Errors
    /// When it has fewer axes, or is not finite.
    pub fn diagonal(l: Complex) -> Result<Self> {
        Self::new(l, false)
    }
    /// One matrix for each mode: `[sample|1, m, m, k…]`, row by row. Where it turns out diagonal it is treated so.
    ///
    /// # Errors
    /// When it has fewer axes, the matrices are not square, or it is not finite.
    pub fn matrix(l: Complex) -> Result<Self> {
        let shape = l.shape();
        let square = matches!(shape[..], [_, m, n, ..] if m == n);
        if !square {
            return Err(Error::shape("the symbol of coupled unknowns is a square matrix for each mode")
                .got(format!("shape {shape:?}"))
                .expected("[sample or 1, m, m, k…]"));
        }
        // Off-diagonal elements that a gradient goes through matter also where they are 0.
        let tracked = l.re.is_tracked() || l.im.is_tracked();
        if shape[1] == 1 || (!tracked && is_diagonal(&l)?) {
            return Self::new(l.map(diagonal_of)?, false);
        }
        Self::new(l, true)
    }
    fn new(l: Complex, is_matrix: bool) -> Result<Self> {
        let l = l.checked("symbol")?.map(|t| t.cast(Precision::F64))?;
        if l.shape().len() < 2 {
            return Err(Error::shape("a symbol needs the axes [sample or 1, m, k…]").got(format!("{:?}", l.shape())));
        }
        for part in [&l.re, &l.im] {
            if !part.is_empty() && part.is_finite()?.min(&[], false)?.item()? == 0.0 {
                return Err(
                    Error::not_finite("the symbol of a linear part is not finite").advice("does it divide by k = 0?")
                );
            }
        }
        Ok(Self(Rc::new(Inner {
            own: Multiplier::new(l, is_matrix)?,
            made: RefCell::default(),
            growth: OnceCell::new(),
        })))
    }

    /// Whether each unknown is by itself.
    pub fn is_diagonal(&self) -> bool {
        !self.0.own.is_matrix
    }
    /// `L(k)`.
    pub fn values(&self) -> Result<Complex> {
        let own = &self.0.own;
        let im = match &own.im {
            Some(im) => im.clone(),
            None => own.re.full_like(0.0)?,
        };
        Ok(Complex { re: own.re.clone(), im })
    }
    /// Where its eigenvalues lie.
    pub fn reach(&self) -> Result<Reach> {
        let mut reach = Reach { real: 0.0, imaginary: 0.0 };
        self.eigenvalues(|_, lambda| {
            reach.real = reach.real.max(-lambda.re);
            reach.imaginary = reach.imaginary.max(lambda.im.abs());
        })?;
        // What is left of a real part by rounding is no diffusion.
        if reach.real < 1e-9 * reach.imaginary {
            reach.real = 0.0;
        }
        Ok(reach)
    }

    /// The largest and the smallest real part of an eigenvalue, each with whether it belongs to a mode for which `is_finest` holds; found once.
    ///
    /// # Errors
    /// When the numbers cannot be read.
    pub(crate) fn growth(&self, is_finest: impl Fn(usize) -> bool) -> Result<[(f64, bool); 2]> {
        if let Some(known) = self.0.growth.get() {
            return Ok(*known);
        }
        let mut found = [(f64::NEG_INFINITY, 0), (f64::INFINITY, 0)];
        self.eigenvalues(|mode, lambda| {
            if lambda.re > found[0].0 {
                found[0] = (lambda.re, mode);
            }
            if lambda.re < found[1].0 {
                found[1] = (lambda.re, mode);
            }
        })?;
        let found = found.map(|(growth, mode)| (growth, is_finest(mode)));
        let _ = self.0.growth.set(found);
        Ok(found)
    }
    /// Every eigenvalue with its mode.
    fn eigenvalues(&self, mut seen: impl FnMut(usize, Number<f64>)) -> Result<()> {
        let own = &self.0.own;
        let (shape, re) = (own.re.shape(), own.re.to_vec()?);
        let im = own.im.as_ref().map(Tensor::to_vec).transpose()?;
        let m = if own.is_matrix { shape[1] } else { 1 };
        let modes = shape.iter().skip(if own.is_matrix { 3 } else { 2 }).product::<usize>().max(1);
        let number = |i: usize| Number::new(re[i], im.as_ref().map_or(0.0, |im| im[i]));
        for first in (0..re.len()).step_by(m * m * modes) {
            for mode in 0..modes {
                if m == 1 {
                    seen(mode, number(first + mode));
                } else {
                    let matrix: Vec<Number<f64>> = (0..m * m).map(|e| number(first + e * modes + mode)).collect();
                    eigenvalues(&matrix, m).into_iter().for_each(|lambda| seen(mode, lambda));
                }
            }
        }
        Ok(())
    }

    /// A function of the symbol, kept for the next step.
    pub(crate) fn made(&self, function: Function, h: f64, precision: Precision) -> Result<Multiplier> {
        let own = &self.0.own;
        let tracked = own.re.is_tracked() || own.im.as_ref().is_some_and(Tensor::is_tracked);
        let key = Key { function, h: h.to_bits(), precision, recorded: tracked && own.re.context().is_recording() };
        if let Some((_, made)) = self.0.made.borrow().iter().find(|(own, _)| *own == key) {
            return Ok(made.clone());
        }
        let is_matrix = own.is_matrix;
        if let (Function::Phi(phi), None, false, false) = (function, &own.im, is_matrix, key.recorded) {
            let z = own.re.detach().scale(h * phi.fraction)?;
            let value = phi_real(&z, phi.leading())?;
            let value = if phi.power == 0 { value } else { value.scale(h.powi(phi.power))? };
            return Ok(self.keep(key, Multiplier { re: value.cast(precision)?, im: None, is_matrix }));
        }
        let value = match function {
            Function::Itself => self.values()?,
            Function::Phi(phi) => {
                let z = self.values()?.scale(h * phi.fraction)?;
                let weights = phi.leading();
                let value = if is_matrix { phi_matrices(&z, weights)? } else { phi_elements(&z, weights)? };
                if phi.power == 0 { value } else { value.scale(h.powi(phi.power))? }
            }
            Function::Resolvent => resolvent(&self.values()?, h, is_matrix)?,
        };
        let value = value.map(|t| t.cast(precision))?;
        let real = own.im.is_none();
        let made =
            if real { Multiplier { re: value.re, im: None, is_matrix } } else { Multiplier::new(value, is_matrix)? };
        Ok(self.keep(key, made))
    }
    fn keep(&self, key: Key, made: Multiplier) -> Multiplier {
        let mut kept = self.0.made.borrow_mut();
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, made.clone()));
        made
    }
}

impl Linear<Complex> for Symbol {
    fn apply(&self, y: &Complex) -> Result<Complex> {
        multiply(&[(&self.made(Function::Itself, 1.0, y.re.precision())?, y)])
    }
    fn combine(&self, h: f64, terms: &[(Phi, &Complex)]) -> Result<Complex> {
        let made = terms
            .iter()
            .map(|(phi, y)| self.made(Function::Phi(*phi), h, y.re.precision()))
            .collect::<Result<Vec<_>>>()?;
        multiply(&made.iter().zip(terms).map(|(m, (_, y))| (m, *y)).collect::<Vec<_>>())
    }
    fn resolve(&self, gamma_h: f64, y: &Complex) -> Result<Complex> {
        multiply(&[(&self.made(Function::Resolvent, gamma_h, y.re.precision())?, y)])
    }
}

/// `(I − γh L)⁻¹`
fn resolvent(l: &Complex, gamma_h: f64, is_matrix: bool) -> Result<Complex> {
    let scaled = l.scale(-gamma_h)?;
    if !is_matrix {
        let one = Complex::real(scaled.re.full_like(1.0)?)?;
        return one.div(&Complex { re: scaled.re.shift(1.0)?, im: scaled.im });
    }
    // As a real matrix twice as large, [[A, −B], [B, A]], whose inverse has the same form.
    let shape = l.shape();
    let (m, rank) = (shape[1], shape.len());
    let last: Vec<usize> = [0].into_iter().chain(3..rank).chain([1, 2]).collect();
    let back: Vec<usize> = [0, rank - 2, rank - 1].into_iter().chain(1..rank - 2).collect();
    let identity = (0..m * m).map(|i| if i % (m + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let identity = Tensor::from_vec::<f64>(l.re.context(), identity, &[m, m])?;
    let a = scaled.re.permute(&last)?.add(&identity)?;
    let b = scaled.im.permute(&last)?;
    let axis = rank - 1;
    let upper = Tensor::concat(&[a.clone(), b.scale(-1.0)?], axis)?;
    let whole = Tensor::concat(&[upper, Tensor::concat(&[b, a], axis)?], axis - 1)?;
    let inverse = whole.inverse()?;
    let left = inverse.narrow(axis, 0, m)?;
    Ok(Complex { re: left.narrow(axis - 1, 0, m)?.permute(&back)?, im: left.narrow(axis - 1, m, m)?.permute(&back)? })
}

/// The diagonal of `[s, m, m, k…]`, as `[s, m, k…]`.
fn diagonal_of(t: &Tensor) -> Result<Tensor> {
    let shape = t.shape();
    let parts: Vec<Tensor> =
        (0..shape[1]).map(|i| t.narrow(1, i, 1)?.narrow(2, i, 1)?.squeeze(2)).collect::<Result<_>>()?;
    Tensor::concat(&parts, 1)
}

fn is_diagonal(l: &Complex) -> Result<bool> {
    let shape = l.shape();
    let (m, modes) = (shape[1], shape[3..].iter().product::<usize>().max(1));
    let zero = |t: &Tensor| -> Result<bool> {
        let values = t.to_vec()?;
        Ok(values
            .chunks(modes)
            .enumerate()
            .all(|(e, line)| e % (m * m) % (m + 1) == 0 || line.iter().all(|x| *x == 0.0)))
    };
    Ok(zero(&l.re)? && zero(&l.im)?)
}
