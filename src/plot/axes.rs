//! Axes: from data to places.

use super::error::PlotError;
use super::scene::{Area, Point};

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    #[default]
    Linear,
    /// Powers of ten; values that are not above zero are gaps.
    Log,
}

/// One axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What is measured, with its unit: `time (s)`. Empty by default.
    pub label: String,
    /// Linear by default.
    pub scale: Scale,
    /// From and to; by default what the data needs.
    pub limits: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis as long as the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Axis { label: label.into(), scale: Scale::Linear, limits: None }
    }

    /// A logarithmic axis as long as the data above zero.
    pub fn log(label: impl Into<String>) -> Self {
        Axis { label: label.into(), scale: Scale::Log, limits: None }
    }
}

/// The values an axis or a colour bar covers: finite, `low < high`, both above zero on a logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub low: f64,
    pub high: f64,
    pub scale: Scale,
}

impl Span {
    /// Limits given by the user.
    pub fn checked(what: &str, (low, high): (f64, f64), scale: Scale) -> Result<Span, PlotError> {
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(PlotError::Limits { what: what.into(), low, high });
        }
        if scale == Scale::Log && low <= 0.0 {
            return Err(PlotError::LogLimits { what: what.into(), low, high });
        }
        Ok(widened(low, high, scale))
    }

    /// The limits of `axis`, or the values that can be drawn, with `padding` of the range beyond each end.
    pub fn of(what: &str, axis: &Axis, values: impl Iterator<Item = f64>, padding: f64) -> Result<Span, PlotError> {
        match axis.limits {
            Some(limits) => Span::checked(what, limits, axis.scale),
            None => Ok(Span::around(values, axis.scale).padded(padding)),
        }
    }

    /// From the smallest to the largest value that can be drawn; (0, 1) or (0.1, 10) when there is none.
    pub fn around(values: impl Iterator<Item = f64>, scale: Scale) -> Span {
        let drawn = values.filter(|value| value.is_finite() && (scale == Scale::Linear || *value > 0.0));
        let (low, high) = drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
        match (low <= high, scale) {
            (true, _) => widened(low, high, scale),
            (false, Scale::Linear) => Span { low: 0.0, high: 1.0, scale },
            (false, Scale::Log) => Span { low: 0.1, high: 10.0, scale },
        }
    }

    fn padded(self, padding: f64) -> Span {
        let (low, high) = match self.scale {
            Scale::Linear => {
                let beyond = padding * self.high - padding * self.low;
                (self.low - beyond, self.high + beyond)
            }
            Scale::Log => {
                let beyond = (padding * (self.high.log10() - self.low.log10())).min(1.0);
                (self.low * 10_f64.powf(-beyond), self.high * 10_f64.powf(beyond))
            }
        };
        let fits = low.is_finite() && high.is_finite() && (self.scale == Scale::Linear || low > 0.0);
        if fits { Span { low, high, scale: self.scale } } else { self }
    }

    /// Place of `value` between 0 and 1; outside the limits below and above that. None for what cannot be drawn.
    pub fn fraction(&self, value: f64) -> Option<f64> {
        let fraction = match self.scale {
            // Halves, because the difference of two numbers near 1e308 is infinite.
            Scale::Linear => (0.5 * value - 0.5 * self.low) / (0.5 * self.high - 0.5 * self.low),
            Scale::Log if value > 0.0 => (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10()),
            Scale::Log => return None,
        };
        (value.is_finite() && fraction.is_finite()).then(|| fraction.clamp(-1e6, 1e6))
    }
}

/// A range of no or next to no width, made wide enough to draw.
fn widened(low: f64, high: f64, scale: Scale) -> Span {
    if scale == Scale::Log {
        let narrow = high.log10() - low.log10() < 1e-6;
        let (low, high) = if narrow { (low / 2.0, high * 2.0) } else { (low, high) };
        return Span { low: low.max(f64::MIN_POSITIVE), high: high.clamp(2.0 * f64::MIN_POSITIVE, f64::MAX), scale };
    }
    let size = low.abs().max(high.abs());
    if 0.5 * high - 0.5 * low > (1e-13 * size).max(1e-306) {
        return Span { low, high, scale };
    }
    let beyond = if size < 1e-300 { 1.0 } else { 0.1 * size };
    Span { low: (low - beyond).max(f64::MIN), high: (high + beyond).min(f64::MAX), scale }
}

/// A part of the picture with axes: from data to places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane {
    pub area: Area,
    pub x: Span,
    pub y: Span,
}

impl Plane {
    pub fn x_at(&self, value: f64) -> Option<f64> {
        Some(self.area.left + self.x.fraction(value)? * self.area.width())
    }
    pub fn y_at(&self, value: f64) -> Option<f64> {
        Some(self.area.bottom - self.y.fraction(value)? * self.area.height())
    }
    pub fn at(&self, x: f64, y: f64) -> Option<Point> {
        Some((self.x_at(x)?, self.y_at(y)?))
    }
}
