//! A score that is diagonal in Fourier space.

use super::initializer::{Fan, Initializer};
use super::module::{Init, Module, Scope};
use crate::error::{Error, Result};
use crate::field::Grid;
use crate::tensor::fft::fourier_multiply_real;
use crate::tensor::{Precision, Tensor};

/// `n(x, t) = −F⁻¹( c (1 + |k|²) θ(|k|, t) F x )` with a learned gain `θ` for each shell of wavenumbers of equal length and each
/// time of a table, linear in between.
///
/// This is the form that the score of a linear process with Gaussian, isotropic states has. The factor `c (1 + |k|²)` is a
/// unit, not an answer: scores of rough modes are larger in this proportion, and one learning rate then fits all.
///
/// Shapes: `x [sample, channel, x…]`, `t [sample]` or one number → `[sample, channel, x…]`. Gains begin at 0.
#[derive(Debug, Clone)]
pub struct SpectralScore {
    /// The grid of the last axes of the state.
    pub grid: Grid,
    /// Number of channels; each has its own gains.
    pub channels: usize,
    /// Times of the table, ascending.
    pub times: Vec<f64>,
    /// The unit `c` of the gains; `2/g²` for a process with noise `g`.
    pub scale: f64,
    /// For each mode of the half spectrum its shell.
    shells: Vec<i64>,
    /// `|k|²` of each shell.
    squares: Vec<f64>,
}

impl SpectralScore {
    /// A score on `grid` with a table of `times`.
    ///
    /// # Errors
    /// Times that do not ascend; no channels; a scale that is not positive.
    pub fn new(grid: Grid, channels: usize, times: Vec<f64>, scale: f64) -> Result<Self> {
        if channels == 0 || !(scale > 0.0 && scale.is_finite()) {
            return Err(Error::value("a spectral score needs channels and a positive scale")
                .got(format!("{channels} channels, scale {scale}")));
        }
        if times.is_empty() || times.iter().any(|t| !t.is_finite()) || times.windows(2).any(|w| w[1] <= w[0]) {
            return Err(Error::value("the times of a spectral score must ascend").got(format!("{} times", times.len())));
        }
        grid.require_periodic("a spectral score")?;
        let (shells, squares) = shells(&grid);
        Ok(Self { grid, channels, times, scale, shells, squares })
    }

    /// `[sample, time]`: the weights of the table's rows for each time.
    fn weights(&self, t: &Tensor, samples: usize) -> Result<Tensor> {
        let given = t.to_vec()?;
        let rows = self.times.len();
        let mut weights = vec![0.0; samples * rows];
        let mut slopes = weights.clone();
        for (sample, (row, slope)) in weights.chunks_mut(rows).zip(slopes.chunks_mut(rows)).enumerate() {
            let t = given.get(sample).or(given.first()).copied().unwrap_or(f64::NAN);
            if t.is_nan() {
                return Err(Error::not_finite("a time is NaN"));
            }
            let after = self.times.partition_point(|&knot| knot <= t);
            match (after.checked_sub(1), self.times.get(after)) {
                (Some(before), Some(&next)) => {
                    let width = next - self.times[before];
                    let part = (t - self.times[before]) / width;
                    (row[before], row[after]) = (1.0 - part, part);
                    (slope[before], slope[after]) = (-1.0 / width, 1.0 / width);
                }
                // Outside of the table its ends hold.
                (Some(before), None) => row[before] = 1.0,
                (None, _) => row[0] = 1.0,
            }
        }
        let spread =
            |values: Vec<f64>| Tensor::from_vec::<f64>(t.context(), values, &[samples, rows])?.cast(t.precision());
        let weights = spread(weights)?;
        if !t.is_tracked() {
            return Ok(weights);
        }
        // The same numbers, with their slope in t.
        let shift = t.sub(&t.detach())?.reshape(&[t.len(), 1])?;
        weights.add(&spread(slopes)?.mul(&shift)?)
    }
}

/// Modes of the half spectrum numbered by the length of their wavenumber, and the squared lengths.
fn shells(grid: &Grid) -> (Vec<i64>, Vec<f64>) {
    let last = grid.dimensions() - 1;
    let mut squares = vec![0.0f64];
    for (i, axis) in grid.axes().iter().enumerate() {
        let mut k = axis.wavenumbers();
        if i == last {
            k.truncate(axis.points / 2 + 1);
        }
        squares = squares.iter().flat_map(|s| k.iter().map(move |k| s + k * k)).collect();
    }
    let mut distinct = squares.clone();
    distinct.sort_by(f64::total_cmp);
    // Equal up to rounding: the same shell.
    distinct.dedup_by(|a, b| (*a - *b).abs() <= 1e-9 * (1.0 + b.abs()));
    let nearest = |s: f64| distinct.partition_point(|&d| d < s - 1e-9 * (1.0 + s)) as i64;
    (squares.into_iter().map(nearest).collect(), distinct)
}

impl Module for SpectralScore {
    fn describe(&self) -> String {
        format!("spectral score, {} shells × {} times", self.squares.len(), self.times.len())
    }
    fn init(&self, init: &mut Init) -> Result<()> {
        let shape = [self.times.len(), self.channels * self.squares.len()];
        init.parameter("gain", &shape, Initializer::Zeros, Fan { inputs: 1, outputs: 1 })
    }
    fn forward(&self, scope: &Scope, inputs: &[Tensor]) -> Result<Tensor> {
        let expected = || {
            format!("a state [sample, {}, …] with {:?} points, and times [sample]", self.channels, self.grid.shape())
        };
        let [x, t] = inputs else {
            return Err(scope.misfit(self, format!("{} tensors", inputs.len()), expected()));
        };
        let shape = x.shape();
        let space = self.grid.shape();
        let fits = shape.len() == space.len() + 2 && shape[1] == self.channels && shape[2..] == space[..];
        if !fits || (t.len() != 1 && t.len() != shape[0]) {
            return Err(scope.misfit(self, format!("shapes {shape:?} and {:?}", t.shape()), expected()));
        }
        let unit: Vec<f64> =
            (0..self.channels).flat_map(|_| self.squares.iter().map(|k2| -self.scale * (1.0 + k2))).collect();
        let unit =
            Tensor::from_vec::<f64>(x.context(), unit, &[self.channels * self.squares.len()])?.cast(Precision::F64)?;
        let table = scope.parameter("gain")?;
        let table = table.mul(&unit.cast(table.precision())?)?;
        let rows = self.weights(t, shape[0])?.cast(table.precision())?;
        // Interpolated per shell before it is spread over the modes: there are fewer shells.
        let gains = rows.matmul(&table)?.reshape(&[shape[0], self.channels, self.squares.len()])?;
        let mut spread = vec![shape[0], self.channels];
        spread.extend(self.grid.spectral_shape());
        let multiplier = gains.take(2, &self.shells)?.reshape(&spread)?;
        fourier_multiply_real(x, &multiplier.cast(x.precision())?, &self.grid.space_axes())
    }
}
