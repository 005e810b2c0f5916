//! Stationary equations on periodic grids: mode by mode where they are linear with constant coefficients.

use std::rc::Rc;

use super::form::Evolution;
use super::setting::Setting;
use super::spectral::Spectral;
use super::stationary::{Near, Problem, Report};
use crate::error::{Error, Result};
use crate::solve::elliptic::krylov::Operator;
use crate::tensor::{Compare, Complex, Precision, Tensor};

use super::jacobian::differentiated;

/// What Fourier space gives.
pub(super) enum Outcome {
    /// The solution.
    Solved(Tensor, Report),
    /// Something to be iterated.
    Problem(Problem),
}

/// A mode of the symbol below this part of the largest one counts as 0.
const NOTHING: f64 = 1e-13;

/// Solves `L u + f = 0`, or hands over what is not of this form.
pub(super) fn solved(evolution: &Evolution, setting: &Setting, guess: &Tensor) -> Result<Outcome> {
    let lane = Spectral::new(evolution, setting.clone(), false)?;
    if !lane.is_affine() {
        return iterated(lane, setting).map(Outcome::Problem);
    }
    let precision = guess.precision();
    let symbol = lane.symbol()?;
    let zero = lane.spectrum(&guess.detach().full_like(0.0)?)?;
    let source = lane.nonlinear(0.0, &zero)?.map(|t| t.cast(Precision::F64)?.scale(-1.0))?;
    let channels = evolution.channels.len();
    let (m, null) = open(&symbol, channels)?;
    refuse(&source, &null, precision)?;
    let spectrum = if channels == 1 {
        let m = m.map(|t| t.squeeze(1))?;
        source.div(&m)?
    } else {
        coupled(&m, &source)?
    };
    // Modes that the equation does not see are 0: the mean, as a rule.
    let kept = null.full_like(1.0)?.sub(&null)?;
    let spectrum = spectrum.mul_real(&kept)?.map(|t| t.cast(precision))?;
    let values = lane.points(&spectrum)?.expand(&guess.shape())?;
    let report = Report { newton_steps: 0, iterations: 0, residual: 0.0, method: "mode by mode".into() };
    Ok(Outcome::Solved(values, report))
}

/// The symbol with the identity where it vanishes, and 1 at those modes, `[sample | 1, 1, k…]`.
fn open(symbol: &Complex, channels: usize) -> Result<(Complex, Tensor)> {
    let size = symbol.map(|t| Ok(t.detach()))?.abs_squared()?.sum(&[1, 2], true)?.squeeze(1)?;
    let largest = size.to_vec()?.into_iter().fold(0.0, f64::max);
    let null = size.compare(Compare::LowerEqual, &size.full_like(largest * NOTHING * NOTHING)?)?;
    let identity = (0..channels * channels).map(|i| if i % (channels + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let mut shape = vec![1; symbol.shape().len()];
    (shape[1], shape[2]) = (channels, channels);
    let identity = Tensor::from_vec::<f64>(size.context(), identity, &shape)?;
    let re = symbol.re.add(&null.unsqueeze(1)?.mul(&identity)?)?;
    Ok((Complex::new(re, symbol.im.clone())?, null))
}

/// Refuses a source in modes that the equation maps to 0.
fn refuse(source: &Complex, null: &Tensor, precision: Precision) -> Result<()> {
    let size = source.map(|t| Ok(t.detach()))?.abs_squared()?;
    let largest = size.to_vec()?.into_iter().fold(0.0, f64::max).sqrt();
    let there = size.mul(null)?.to_vec()?.into_iter().fold(0.0, f64::max).sqrt();
    let rounding = if precision == Precision::F64 { 1e-9 } else { 1e-4 };
    if there <= rounding * largest || largest == 0.0 {
        return Ok(());
    }
    Err(Error::value("the equation has no solution: it maps some modes to 0 in which its source is not 0")
        .got(format!("{:.1e} of the source's largest mode", there / largest))
        .expected("as a rule a source with the mean 0")
        .advice("subtract the mean of the source: f − mean(f)"))
}

/// `M⁻¹ b` for each mode, as real systems of twice the size.
fn coupled(m: &Complex, b: &Complex) -> Result<Complex> {
    let channels = m.shape()[1];
    let rank = m.re.rank();
    // [s, m, m, k…] → [s, k…, m, m]
    let last: Vec<usize> = std::iter::once(0).chain(3..rank).chain([1, 2]).collect();
    let (re, im) = (m.re.permute(&last)?, m.im.permute(&last)?);
    let above = Tensor::concat(&[re.clone(), im.scale(-1.0)?], rank - 1)?;
    let below = Tensor::concat(&[im, re], rank - 1)?;
    let matrix = Tensor::concat(&[above, below], rank - 2)?;
    let last: Vec<usize> = std::iter::once(0).chain(2..rank - 1).chain([1]).collect();
    let right = Tensor::concat(&[b.re.permute(&last)?, b.im.permute(&last)?], rank - 2)?;
    let x = matrix.solve(&right.unsqueeze(rank - 1)?)?.squeeze(rank - 1)?;
    // [s, k…, m] → [s, m, k…]
    let first: Vec<usize> = [0, rank - 2].into_iter().chain(1..rank - 2).collect();
    let part = |from: usize| x.narrow(rank - 2, from, channels)?.permute(&first);
    Complex::new(part(0)?, part(channels)?)
}

/// The equation with derivatives in Fourier space as a problem for Newton's method; the symbol is what is near the inverse.
fn iterated(lane: Spectral, setting: &Setting) -> Result<Problem> {
    let symbol = if lane.has_linear() { Some(lane.symbol()?) } else { None };
    let residual: Operator = {
        let (lane, symbol) = (lane.clone(), symbol.clone());
        Rc::new(move |u: &Tensor| {
            let spectrum = lane.spectrum(u)?;
            let mut sum = lane.nonlinear(0.0, &spectrum)?;
            if let Some(symbol) = &symbol {
                sum = sum.add(&product(symbol, &spectrum)?)?;
            }
            lane.points(&sum)
        })
    };
    let slope: Rc<dyn Fn(&Tensor) -> Operator> = {
        let residual = residual.clone();
        Rc::new(move |u: &Tensor| {
            let residual = residual.clone();
            differentiated(move |u| residual(u), u)
        })
    };
    let near = move |_: &Tensor, _: f64| -> Result<Option<Near>> {
        let Some(symbol) = &symbol else { return Ok(None) };
        let inverse = diagonal_inverse(symbol)?;
        let way = |factors: Complex| -> Operator {
            let lane = lane.clone();
            Rc::new(move |b: &Tensor| {
                let factors = factors.map(|t| t.cast(b.precision()))?;
                lane.points(&lane.spectrum(&b.detach())?.mul(&factors)?)
            })
        };
        let back = way(inverse.conj()?);
        Ok(Some(Near { direct: way(inverse), back, exact: false, name: "its linear part in Fourier space" }))
    };
    Ok(Problem {
        residual,
        slope,
        near: Rc::new(near),
        settle: Rc::new(|u: &Tensor| Ok(u.clone())),
        linear: false,
        weights: setting.weights()?,
    })
}

/// `Σ_j L_ij u_j` for each mode.
fn product(symbol: &Complex, u: &Complex) -> Result<Complex> {
    let symbol = symbol.map(|t| t.cast(u.re.precision()))?;
    let u = u.map(|t| t.unsqueeze(1))?;
    symbol.mul(&u)?.map(|t| t.sum(&[2], false))
}

/// `1/L_ii`, where that vanishes 1 over its smallest size elsewhere.
fn diagonal_inverse(symbol: &Complex) -> Result<Complex> {
    let symbol = symbol.map(|t| Ok(t.detach()))?;
    let channels = symbol.shape()[1];
    let mut parts = Vec::new();
    for i in 0..channels {
        let own = symbol.map(|t| t.narrow(1, i, 1)?.narrow(2, i, 1)?.squeeze(1))?;
        let size = own.abs()?;
        let sizes = size.to_vec()?;
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let least = sizes.iter().copied().filter(|s| *s > NOTHING * largest).fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { 1.0 };
        // With the sign that most modes have.
        let sign = if own.re.sum_all()?.item()? < 0.0 { -1.0 } else { 1.0 };
        let null = size.compare(Compare::LowerEqual, &size.full_like(NOTHING * largest)?)?;
        let filled = Complex::new(own.re.add(&null.scale(sign * least)?)?, own.im.clone())?;
        let one = Complex::new(size.full_like(1.0)?, size.full_like(0.0)?)?;
        parts.push(one.div(&filled)?);
    }
    let join = |of: &dyn Fn(&Complex) -> Tensor| Tensor::concat(&parts.iter().map(of).collect::<Vec<_>>(), 1);
    Complex::new(join(&|z| z.re.clone())?, join(&|z| z.im.clone())?)
}
