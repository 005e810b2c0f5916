//! Scores: functions of a state and a time.

use std::rc::Rc;

use super::process::{Drift, Process, Scheme, ascending, exact_deviation};
use crate::error::{Error, Result};
use crate::field::Grid;
use crate::session::interrupt;
use crate::tensor::fft::fourier_multiply_real;
use crate::tensor::{Complex, Precision, Tensor, Unary};

/// A function of states `[sample, …]` and times `[sample]`; a network, a closure, or a formula.
pub type Score = Rc<dyn Fn(&Tensor, &Tensor) -> Result<Tensor>>;

/// The exact score of a linear process with Gaussian initial states: `∇ ln p = −C(t)⁻¹ x`, diagonal in Fourier space.
///
/// `C` has the eigenvalues `e_0` given by the initial states and, over each step, `e ← |a|² e + σ²`: the law of the discrete
/// process. The scheme of the process decides: `a = e^(λΔt)` and `σ² = g² Δt` (exponential), `g² (|a|² − 1)/(2 Re λ)` (exact), or
/// `a = 1 + λΔt` and `σ² = g² Δt` (Euler–Maruyama).
#[derive(Clone)]
pub struct GaussianScore {
    grid: Grid,
    times: Rc<[f64]>,
    /// `1/e` for each time on the half spectrum, double precision; 0 where the variance is 0.
    inverse: Rc<[Tensor]>,
    /// Eigenvalues for each time.
    eigenvalues: Rc<[Tensor]>,
}

impl GaussianScore {
    /// The score of `process` at `times`, when the initial states have covariance eigenvalues `initial` (`E|û|²/N`).
    ///
    /// # Errors
    /// When the drift is not spectral.
    pub fn new(process: &Process, initial: &Tensor, times: &[f64]) -> Result<Self> {
        ascending(times)?;
        let Drift::Spectral(operator) = &process.drift else {
            return Err(Error::value("only a process with a spectral drift has this closed form")
                .advice("learn its score with train(…)"));
        };
        if initial.shape() != operator.grid().spectral_shape() {
            return Err(Error::shape("the initial states are on another grid than the process")
                .got(format!("eigenvalues {:?}", initial.shape()))
                .expected(format!("{:?}", operator.grid().spectral_shape())));
        }
        let mut e = initial.cast(Precision::F64)?;
        let mut all = vec![e.clone()];
        for pair in times.windows(2) {
            let &[t, next] = pair else { continue };
            interrupt::poll()?;
            let (dt, g) = (next - t, process.diffusion.at(t)?);
            let grown = match process.scheme {
                Scheme::EulerMaruyama => {
                    Complex::new(operator.symbol().re.scale(dt)?.shift(1.0)?, operator.symbol().im.scale(dt)?)?
                }
                Scheme::Exponential | Scheme::Exact => {
                    operator.exponential(&Tensor::scalar_in(e.context(), Precision::F64, dt))?
                }
            };
            let noise = match process.scheme {
                Scheme::Exact => exact_deviation(operator, dt)?.unary(Unary::Square)?.scale(g * g)?,
                Scheme::Exponential | Scheme::EulerMaruyama => e.full_like(g * g * dt)?,
            };
            e = e.mul(&grown.abs_squared()?)?.add(&noise)?;
            all.push(e.clone());
        }
        let invert = |e: &Tensor| -> Result<Tensor> {
            let positive = e.compare(crate::tensor::Compare::Greater, &e.full_like(0.0)?)?;
            positive.choose(&positive.choose(e, &e.full_like(1.0)?)?.unary(Unary::Recip)?, &e.full_like(0.0)?)
        };
        let inverse = all.iter().map(invert).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            grid: operator.grid().clone(),
            times: times.into(),
            inverse: inverse.into(),
            eigenvalues: all.into(),
        })
    }
    /// Covariance eigenvalues at time number `index`.
    pub fn eigenvalues(&self, index: usize) -> Option<&Tensor> {
        self.eigenvalues.get(index)
    }
    /// `−C(t)⁻¹ x` for one of the times it was made for.
    pub fn at(&self, x: &Tensor, t: f64) -> Result<Tensor> {
        let span = self.times.last().copied().unwrap_or(1.0) - self.times.first().copied().unwrap_or(0.0);
        // A time that came through single precision is off by its rounding.
        let near = 1e-5 * span + 1e-6 * t.abs();
        let nearest =
            self.times.iter().zip(self.inverse.iter()).min_by(|a, b| (a.0 - t).abs().total_cmp(&(b.0 - t).abs()));
        let inverse = nearest.filter(|(s, _)| (**s - t).abs() <= near).map(|(_, inverse)| inverse);
        let inverse = inverse.ok_or_else(|| {
            Error::value("the exact score is known at its own times only")
                .got(t)
                .advice("make it with the times that the sampler uses")
        })?;
        if !x.shape().ends_with(&self.grid.shape()) {
            return Err(Error::shape("the exact score is for states on its own grid")
                .got(format!("shape {:?}", x.shape()))
                .expected(format!("{:?} last", self.grid.shape())));
        }
        fourier_multiply_real(x, &inverse.scale(-1.0)?.cast(x.precision())?, &self.grid.space_axes())
    }
    /// As a function of states and times; all samples share one time.
    pub fn score(&self) -> Score {
        let this = self.clone();
        Rc::new(move |x, t| {
            let times = t.to_vec()?;
            let first = times.first().copied().unwrap_or(0.0);
            if times.iter().any(|&other| other != first) {
                return Err(Error::value("the exact score takes one time for all samples"));
            }
            this.at(x, first)
        })
    }
}
