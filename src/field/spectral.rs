//! Fourier multipliers on periodic grids: derivatives, linear operators given by their symbol, exact propagators.
//!
//! Conventions: `û(k) = Σ u(x) e^(−ikx)`, the inverse carries 1/N; wavenumbers are `2π m / length`; real fields keep the half
//! spectrum along the last axis. Odd derivatives drop the Nyquist mode, whose sign is not known from samples.

use std::rc::Rc;

use super::base::Field;
use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::fft::{fourier_multiply, fourier_multiply_real};
use crate::tensor::{Complex, Context, Precision, Tensor, Unary};

impl Grid {
    /// Wavenumbers of axis `axis` on the half spectrum, shaped to broadcast against it.
    pub fn wavenumbers(&self, context: &Context, precision: Precision, axis: usize) -> Result<Tensor> {
        let of = self.numbered(axis)?;
        self.require_periodic("a Fourier transform")?;
        context.reserve(of.points.saturating_mul(16))?;
        let mut values = of.wavenumbers();
        if axis + 1 == self.dimensions() {
            let half = values.len() / 2 + 1;
            values.truncate(half);
            // The Nyquist mode is kept with a positive sign on the half axis.
            if let (Some(k), 0) = (values.last_mut(), of.points % 2) {
                *k = k.abs();
            }
        }
        let shape: Vec<usize> = (0..self.dimensions()).map(|i| if i == axis { values.len() } else { 1 }).collect();
        Tensor::from_vec(context, values, &shape)?.cast(precision)
    }
    /// Shape of the half spectrum.
    pub fn spectral_shape(&self) -> Vec<usize> {
        let mut shape = self.shape();
        if let Some(last) = shape.last_mut() {
            *last = *last / 2 + 1;
        }
        shape
    }
    /// `|k|²` on the half spectrum.
    pub fn wavenumber_squared(&self, context: &Context, precision: Precision) -> Result<Tensor> {
        self.require_periodic("a Fourier transform")?;
        let mut sum = Tensor::full_in(context, precision, &self.spectral_shape(), 0.0)?;
        for axis in 0..self.dimensions() {
            sum = sum.add(&self.wavenumbers(context, precision, axis)?.unary(Unary::Square)?)?;
        }
        Ok(sum)
    }
}

/// The multiplier of `∂ⁿ/∂xⁿ` along one axis: `(ik)ⁿ`, without the Nyquist mode when n is odd.
pub fn derivative_symbol(
    grid: &Grid,
    context: &Context,
    precision: Precision,
    axis: usize,
    order: usize,
) -> Result<Complex> {
    let k = grid.wavenumbers(context, Precision::F64, axis)?;
    let mut power = k.full_like(1.0)?;
    for _ in 0..order {
        power = power.mul(&k)?;
    }
    if order % 2 == 1 && grid.numbered(axis)?.points % 2 == 0 {
        let top = k.unary(Unary::Abs)?.max(&[], false)?;
        let inner = k.unary(Unary::Abs)?.compare(crate::tensor::Compare::Lower, &top.scale(1.0 - 1e-6)?)?;
        power = power.mul(&inner)?;
    }
    // Single precision ends at 3e38: the sixteenth power of a wavenumber may pass it.
    let power = power.scale(if order % 4 >= 2 { -1.0 } else { 1.0 })?.cast(precision)?;
    if power.is_finite()?.min(&[], false)?.item()? == 0.0 {
        return Err(Error::not_finite("the derivative has a multiplier that is too large for the precision")
            .got(format!("order {order} in {}", precision.name()))
            .advice("take a lower order, or --precision f64"));
    }
    let zero = power.full_like(0.0)?;
    if order.is_multiple_of(2) { Complex::new(power, zero) } else { Complex::new(zero, power) }
}

/// `∂ⁿu/∂xⁿ` by Fourier multipliers.
pub fn derivative(u: &Field, axis: usize, order: usize) -> Result<Field> {
    let grid = u.grid();
    let symbol = derivative_symbol(grid, u.context(), u.values().precision(), axis, order)?;
    let axes = grid.space_axes();
    u.map(|values| {
        if order.is_multiple_of(2) {
            fourier_multiply_real(values, &symbol.re, &axes)
        } else {
            fourier_multiply(values, &symbol, &axes)
        }
    })
}

/// `Δu`, the sum of second derivatives.
pub fn laplacian(u: &Field) -> Result<Field> {
    let symbol = u.grid().wavenumber_squared(u.context(), u.values().precision())?.scale(-1.0)?;
    u.map(|values| fourier_multiply_real(values, &symbol, &u.grid().space_axes()))
}

/// A linear operator with constant coefficients, diagonal in Fourier space: `L u = F⁻¹(λ(k) F u)`. Cheap to clone.
#[derive(Clone)]
pub struct SpectralOperator(Rc<Inner>);

struct Inner {
    grid: Grid,
    /// `λ(k)` on the half spectrum, in double precision.
    symbol: Complex,
    real: bool,
}

impl SpectralOperator {
    /// The operator with the symbol `λ(k)` on the half spectrum of `grid`; of the modes that are their own mirror image, such as
    /// Nyquist in one dimension, only the real part counts.
    ///
    /// # Errors
    /// When the symbol does not fit the half spectrum or is not finite.
    pub fn new(grid: Grid, symbol: Complex) -> Result<Self> {
        grid.require_periodic("a spectral operator")?;
        let shape = grid.spectral_shape();
        let fit = |t: &Tensor| -> Result<Tensor> {
            let t = t.cast(Precision::F64)?.detach();
            let finite = t.is_finite()?.min(&[], false)?.item()?;
            if finite == 0.0 {
                return Err(
                    Error::not_finite("the symbol of an operator is not finite").advice("does it divide by k = 0?")
                );
            }
            t.expand(&shape)
        };
        let (re, im) = symmetric(&grid, fit(&symbol.re)?, fit(&symbol.im)?)?;
        let real = im.unary(Unary::Abs)?.max(&[], false)?.item()? == 0.0;
        Ok(Self(Rc::new(Inner { grid, symbol: Complex::new(re, im)?, real })))
    }
    /// The grid it acts on.
    pub fn grid(&self) -> &Grid {
        &self.0.grid
    }
    /// `λ(k)` on the half spectrum, in double precision.
    pub fn symbol(&self) -> &Complex {
        &self.0.symbol
    }
    /// Whether `λ` is real, so that the operator is symmetric.
    pub fn is_real(&self) -> bool {
        self.0.real
    }
    fn multiply(&self, u: &Tensor, symbol: &Complex) -> Result<Tensor> {
        let axes = self.0.grid.space_axes();
        if self.0.real {
            return fourier_multiply_real(u, &symbol.re.cast(u.precision())?, &axes);
        }
        let symbol = Complex::new(symbol.re.cast(u.precision())?, symbol.im.cast(u.precision())?)?;
        fourier_multiply(u, &symbol, &axes)
    }
    /// `L u` for values whose last axes are the grid's.
    pub fn apply(&self, u: &Tensor) -> Result<Tensor> {
        self.multiply(u, &self.0.symbol)
    }
    /// `e^(λ t)` for each time of `t`, whose shape comes before that of the half spectrum.
    pub fn exponential(&self, t: &Tensor) -> Result<Complex> {
        let mut shape = t.shape();
        shape.extend(std::iter::repeat_n(1, self.0.grid.dimensions()));
        let t = t.cast(Precision::F64)?.reshape(&shape)?;
        let size = self.0.symbol.re.mul(&t)?.unary(Unary::Exp)?;
        if self.0.real {
            let zero = size.full_like(0.0)?;
            return Complex::new(size, zero);
        }
        let angle = self.0.symbol.im.mul(&t)?;
        Complex::new(size.mul(&angle.unary(Unary::Cos)?)?, size.mul(&angle.unary(Unary::Sin)?)?)
    }
    /// The exact solution of `∂u/∂t = L u` after `time`: `e^(L t) u`. A single time for all samples.
    pub fn propagate(&self, u: &Tensor, time: f64) -> Result<Tensor> {
        let t = Tensor::scalar_in(u.context(), Precision::F64, time);
        let after = self.multiply(u, &self.exponential(&t)?)?;
        // What calls this again and again is a loop over steps, in a script perhaps.
        u.context().end_step();
        Ok(after)
    }
    /// [`propagate`](Self::propagate) by a multiplier computed before with [`exponential`](Self::exponential).
    pub fn multiply_by(&self, u: &Tensor, multiplier: &Complex) -> Result<Tensor> {
        self.multiply(u, multiplier)
    }
}

/// `½(λ(k) + λ(−k)*)` on the planes of the half spectrum that hold both `k` and `−k`: wavenumber 0 and Nyquist of the last axis.
///
/// A real field stays real under nothing else. With `λ = −ick` at Nyquist the inverse transform would drop what is imaginary of
/// each multiplier by itself: `L` would give 0 and `e^(Lt)` a factor cos(ckt), which is not the exponential of 0.
fn symmetric(grid: &Grid, re: Tensor, im: Tensor) -> Result<(Tensor, Tensor)> {
    let points = grid.axes().last().map_or(1, |axis| axis.points);
    let half = points / 2 + 1;
    let planes = (0..half).map(|k| if k == 0 || 2 * k == points { 1.0 } else { 0.0 }).collect();
    let planes = Tensor::from_vec::<f64>(re.context(), planes, &[half])?;
    // The order 0, 1, … −1 backwards is −1, … 1, 0; one step on, 0, −1, … 1.
    let mirrored = |t: &Tensor| {
        (0..grid.dimensions().saturating_sub(1)).try_fold(t.clone(), |t, axis| t.flip(&[axis])?.roll(1, axis as i64))
    };
    let (re_mean, im_mean) = (re.add(&mirrored(&re)?)?.scale(0.5)?, im.sub(&mirrored(&im)?)?.scale(0.5)?);
    Ok((planes.choose(&re_mean, &re)?, planes.choose(&im_mean, &im)?))
}

impl std::fmt::Display for SpectralOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range = |t: &Tensor| -> Result<(f64, f64)> { Ok((t.min(&[], false)?.item()?, t.max(&[], false)?.item()?)) };
        write!(f, "spectral operator")?;
        if let Ok((low, high)) = range(&self.0.symbol.re) {
            write!(f, ", Re λ from {} to {}", crate::tensor::number(low), crate::tensor::number(high))?;
        }
        if !self.0.real
            && let Ok((low, high)) = range(&self.0.symbol.im)
        {
            write!(f, ", Im λ from {} to {}", crate::tensor::number(low), crate::tensor::number(high))?;
        }
        write!(f, ", on a {}", self.0.grid)
    }
}
