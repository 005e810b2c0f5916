//! Spectra: means with bands over wavenumbers, on logarithmic axes.

use super::Draw;
use super::axes::Axis;
use super::colour::Colour;
use super::error::PlotError;
use super::lines::{LegendPlace, LineStyle, Lines, Series};
use super::scene::{Area, Scene};

/// The spectrum of one data set or method.
#[derive(Clone, Debug, Default)]
pub struct SpectrumLine {
    pub label: String,
    pub wavenumber: Vec<f64>,
    pub mean: Vec<f64>,
    /// Lower and upper edge of a shaded band, for example quantiles over samples; none by default.
    pub band: Option<(Vec<f64>, Vec<f64>)>,
    pub style: LineStyle,
    pub colour: Option<Colour>,
}

/// A power law `∝ k^exponent` as a dotted line for comparison, through the middle of the first spectrum.
#[derive(Clone, Debug)]
pub struct PowerLaw {
    pub exponent: f64,
    pub label: String,
}

/// Spectra in one pair of axes.
#[derive(Clone, Debug)]
pub struct Spectra {
    pub title: String,
    /// Logarithmic, `wavenumber k` by default.
    pub x: Axis,
    /// Logarithmic, `E(k)` by default.
    pub y: Axis,
    pub spectra: Vec<SpectrumLine>,
    pub power_laws: Vec<PowerLaw>,
    pub legend: LegendPlace,
}

impl Default for Spectra {
    fn default() -> Self {
        Spectra {
            title: String::new(),
            x: Axis::log("wavenumber k"),
            y: Axis::log("E(k)"),
            spectra: Vec::new(),
            power_laws: Vec::new(),
            legend: LegendPlace::Auto,
        }
    }
}

impl Draw for Spectra {
    fn natural_size(&self) -> (f64, f64) {
        (600.0, 440.0)
    }

    /// # Errors
    /// Those of [`Lines`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.as_lines().draw(scene, area)
    }
}

impl Spectra {
    fn as_lines(&self) -> Lines {
        let series = self.spectra.iter().map(|line| Series {
            label: line.label.clone(),
            x: line.wavenumber.clone(),
            y: line.mean.clone(),
            style: line.style,
            band: line.band.clone(),
            error: None,
            colour: line.colour,
        });
        let laws = self.power_laws.iter().filter_map(|law| self.reference(law));
        Lines {
            title: self.title.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            series: series.chain(laws).collect(),
            legend: self.legend,
        }
    }

    /// The law three times as high as the first spectrum at its middle, over the middle third of its decades.
    fn reference(&self, law: &PowerLaw) -> Option<Series> {
        let line = self.spectra.first()?;
        let drawn = |(k, e): &(f64, f64)| k.is_finite() && e.is_finite() && *k > 0.0 && *e > 0.0;
        let points: Vec<(f64, f64)> =
            line.wavenumber.iter().copied().zip(line.mean.iter().copied()).filter(drawn).collect();
        let (first, last) = (points.first()?.0.log10(), points.last()?.0.log10());
        let part = |fraction: f64| 10_f64.powf(first + fraction * (last - first));
        let middle = part(0.4);
        let height = points.iter().min_by(|a, b| (a.0 - middle).abs().total_cmp(&(b.0 - middle).abs()))?.1;
        let x: Vec<f64> = (0..=10).map(|step| part(0.2 + 0.04 * f64::from(step))).collect();
        let y = x.iter().map(|k| 3.0 * height * (k / middle).powf(law.exponent)).collect();
        let colour = Some(Colour(0x4d, 0x4d, 0x4d));
        Some(Series { label: law.label.clone(), x, y, style: LineStyle::Dotted, colour, ..Series::default() })
    }
}
