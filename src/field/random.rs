//! Gaussian random fields.

use super::base::Field;
use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::fft::fourier_multiply_real;
use crate::tensor::random::{Key, normal_samples};
use crate::tensor::{Context, Precision, Tensor, Unary};

/// A stationary Gaussian random field: white noise times `√(P(|k|))` in Fourier space, without its mean.
#[derive(Debug, Clone)]
pub struct GaussianField {
    /// Power spectral density on the half spectrum, up to a factor; the mean mode is set to zero.
    pub density: Tensor,
    /// The expected variance at a point.
    pub variance: f64,
}

impl GaussianField {
    /// `P(k) = |k|^(−power)`.
    pub fn power_law(grid: &Grid, context: &Context, power: f64) -> Result<Self> {
        let k2 = grid.wavenumber_squared(context, Precision::F64)?;
        // k = 0 is replaced before the negative power and zeroed by `new`.
        let safe = k2.compare(crate::tensor::Compare::Equal, &k2.full_like(0.0)?)?.add(&k2)?;
        Self::new(safe.powf(-power / 2.0)?, 1.0)
    }
    /// Any density on the half spectrum; its first mode (the mean) is set to zero.
    pub fn new(density: Tensor, variance: f64) -> Result<Self> {
        let mut values = density.cast(Precision::F64)?.to_vec()?;
        if let Some(first) = values.first_mut() {
            *first = 0.0;
        }
        if values.iter().any(|v| !v.is_finite() || *v < 0.0) {
            return Err(Error::value("a power spectral density is finite and not negative"));
        }
        Ok(Self { density: Tensor::from_vec(density.context(), values, &density.shape())?, variance })
    }
    /// Eigenvalues of the covariance on the half spectrum: `E|û_k|²/N`, in double precision.
    ///
    /// # Errors
    /// When the density vanishes everywhere.
    pub fn eigenvalues(&self, grid: &Grid) -> Result<Tensor> {
        // Modes of the half axis other than the first and the Nyquist one stand for their mirror image too.
        let points = grid.axes().last().map_or(1, |axis| axis.points);
        let half = points / 2 + 1;
        let values = self.density.to_vec()?;
        let weight = |i: usize| {
            if i.is_multiple_of(half) || (points.is_multiple_of(2) && i % half == half - 1) { 1.0 } else { 2.0 }
        };
        let total: f64 = values.iter().enumerate().map(|(i, v)| v * weight(i)).sum();
        let scale = self.variance * grid.points() as f64 / total;
        if !(total > 0.0 && total.is_finite() && scale.is_finite()) {
            return Err(Error::value(
                "the power spectral density vanishes everywhere, or is too large or too small to be scaled",
            )
            .got(format!("a sum of {total:e}")));
        }
        self.density.scale(scale)
    }
    /// Fields `[samples, channels, x…]` from counters: sample `i` is the same however many are drawn.
    pub fn draw(&self, grid: &Grid, context: &Context, seed: u64, samples: usize, channels: usize) -> Result<Field> {
        grid.require_periodic("a Gaussian random field")?;
        let mut shape = vec![channels];
        shape.extend(grid.shape());
        let count = crate::tensor::element_count(&[samples, channels, grid.points()])?;
        context.reserve(count.max(samples).saturating_mul(8))?;
        let indices: Vec<u64> = (0..samples as u64).collect();
        let white = normal_samples(context, Key::new(seed).purpose("gaussian field"), &indices, &shape)?;
        let filter = self.eigenvalues(grid)?.unary(Unary::Sqrt)?.cast(white.precision())?;
        Field::new(fourier_multiply_real(&white, &filter, &grid.space_axes())?, grid.clone())
    }
}
