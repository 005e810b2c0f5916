//! Radial spectra of fields, and the distance between two of them.

use super::base::Field;
use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tensor::Complex;
use crate::tensor::fft::fft;

/// A radial spectrum: amplitudes at integer multiples of the lowest wavenumber, one row per sample.
pub struct Spectrum {
    /// Radii `0, 1, …` in units of the lowest wavenumber of the first axis.
    pub radii: Vec<f64>,
    /// One row per sample.
    pub rows: Vec<Vec<f64>>,
}

/// What is averaged over a shell `⌊|m|⌋ = r` of mode numbers `m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amplitude {
    /// `|Re c|` with `c = F u / N`: the measure of the score-matching experiments.
    RealPart,
    /// `|c|²/2`, summed: the energy in the shell.
    Energy,
}

/// The radial spectrum of each sample (channels are averaged for amplitudes, summed for energies).
pub fn spectrum(u: &Field, amplitude: Amplitude) -> Result<Spectrum> {
    let grid = u.grid();
    grid.require_periodic("a spectrum")?;
    let (shells, count) = shells(grid)?;
    let values = u.values().detach();
    let transformed = fft(&Complex::real(values)?, &grid.space_axes())?;
    let (re, im) = (transformed.re.to_vec()?, transformed.im.to_vec()?);
    let points = grid.points();
    let size = points as f64;
    let channels = u.channels();
    let mut rows = Vec::with_capacity(u.samples());
    for sample in 0..u.samples() {
        let (mut sum, mut members) = (vec![0.0; count], vec![0usize; count]);
        for at in 0..channels * points {
            let mode = sample * channels * points + at;
            let (Some(&shell), Some(re), Some(im)) = (shells.get(at % points), re.get(mode), im.get(mode)) else {
                continue;
            };
            let (Some(sum), Some(members)) = (sum.get_mut(shell), members.get_mut(shell)) else { continue };
            *sum += match amplitude {
                Amplitude::RealPart => (re / size).abs(),
                Amplitude::Energy => (re * re + im * im) / (2.0 * size * size),
            };
            *members += 1;
        }
        if amplitude == Amplitude::RealPart {
            sum.iter_mut().zip(&members).for_each(|(s, &n)| *s /= n.max(1) as f64);
        }
        rows.push(sum);
    }
    Ok(Spectrum { radii: (0..count).map(|r| r as f64).collect(), rows })
}

/// For each mode in the order of the transform its shell, and the number of shells.
///
/// # Errors
/// When the box is so much longer along its first axis that there would be far more shells than points.
fn shells(grid: &Grid) -> Result<(Vec<usize>, usize)> {
    const MOST: f64 = 1e7;
    let base = std::f64::consts::TAU / grid.numbered(0)?.length();
    let per_axis: Vec<Vec<f64>> =
        grid.axes().iter().map(|a| a.wavenumbers().into_iter().map(|k| k / base).collect()).collect();
    let mut squares = vec![0.0f64];
    for axis in &per_axis {
        squares = squares.iter().flat_map(|s| axis.iter().map(move |k| s + k * k)).collect();
    }
    let largest = squares.iter().copied().fold(0.0, f64::max).sqrt();
    if largest.is_nan() || largest >= MOST {
        return Err(Error::value("the spectrum would have too many shells")
            .got(format!("wavenumbers up to {largest:.1e} times the lowest one of the first axis"))
            .expected(format!("up to {MOST:.0e}"))
            .advice("take a box of more similar lengths"));
    }
    // A hair more, so that √(3² + 4²) falls into shell 5.
    let shells: Vec<usize> = squares.into_iter().map(|s| (s.sqrt() + 1e-9).floor() as usize).collect();
    let count = shells.iter().copied().max().unwrap_or(0) + 1;
    Ok((shells, count))
}

/// `mean |ln A(truth) − ln A(other)|` over shells 1 to `last`, averaged over samples, each compared with its own truth;
/// `A` is the radial mean of `|Re F u / N|` (natural logarithm).
///
/// # Errors
/// Different grids or numbers of samples, fewer shells than `last`, or an amplitude of zero.
pub fn spectral_error(truth: &Field, other: &Field, last: usize) -> Result<f64> {
    truth.same_grid(other)?;
    if truth.samples() != other.samples() {
        return Err(Error::shape("spectral_error: numbers of samples differ").got(format!(
            "{} and {}",
            truth.samples(),
            other.samples()
        )));
    }
    let (a, b) = (spectrum(truth, Amplitude::RealPart)?, spectrum(other, Amplitude::RealPart)?);
    if last == 0 || last >= a.radii.len() {
        return Err(Error::value("spectral_error: no such shell")
            .got(last)
            .expected(format!("1 to {}", a.radii.len().saturating_sub(1))));
    }
    let mut total = 0.0;
    for (x, y) in a.rows.iter().zip(&b.rows) {
        total += x.iter().zip(y).skip(1).take(last).map(|(x, y)| (x.ln() - y.ln()).abs()).sum::<f64>() / last as f64;
    }
    let mean = total / a.rows.len().max(1) as f64;
    if !mean.is_finite() || a.rows.is_empty() {
        return Err(Error::not_finite("spectral_error: an amplitude is not a positive number"));
    }
    Ok(mean)
}

/// Values of a per-mode spectrum for plots: mean over samples and the quantiles `low` and `high`.
pub fn band(spectrum: &Spectrum, low: f64, high: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut means, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new());
    for r in 0..spectrum.radii.len() {
        let mut column: Vec<f64> = spectrum.rows.iter().filter_map(|row| row.get(r).copied()).collect();
        column.sort_by(f64::total_cmp);
        let at = |q: f64| {
            column.get(((column.len().saturating_sub(1)) as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
        };
        means.push(column.iter().sum::<f64>() / column.len().max(1) as f64);
        lows.push(at(low));
        highs.push(at(high));
    }
    (means, lows, highs)
}
