//! Axes: from data to places, and the frame around a plot.

use super::colour::Colour;
use super::error::PlotError;
use super::font;
use super::scene::{Anchor, Area, Point, Scene};
use super::ticks::Ticks;

pub(crate) const TITLE: f64 = 14.0;
pub(crate) const LABEL: f64 = 13.0;
pub(crate) const SMALL: f64 = 11.5;
/// Between things that must not touch.
pub(crate) const GAP: f64 = 6.0;
const TICK: f64 = 4.0;

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

/// Title, axes and labels around a plane.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    pub title: &'a str,
    pub x_label: &'a str,
    pub y_label: &'a str,
    pub x: Span,
    pub y: Span,
    /// Width over height that the plane keeps.
    pub aspect: Option<f64>,
    /// Room to the right, for a colour bar or a legend.
    pub right: f64,
    /// Pale lines at the marks.
    pub grid: bool,
}

/// A frame with its places found.
pub(crate) struct Layout {
    pub plane: Plane,
    x_ticks: Ticks,
    y_ticks: Ticks,
    title: Vec<String>,
}

impl Frame<'_> {
    /// Finds room for everything inside `area`.
    pub fn layout(&self, area: Area) -> Result<Layout, PlotError> {
        let title = font::wrap(self.title, TITLE, area.width() - 2.0 * GAP);
        let top = area.top + title_height(&title).max(10.0);
        let bottom = area.bottom - GAP - TICK - SMALL - if self.x_label.is_empty() { 4.0 } else { LABEL + 2.0 * GAP };
        let y_ticks = Ticks::of(self.y, marks_along(bottom - top, 46.0));
        let bottom = match (self.x_label.is_empty(), Ticks::of(self.x, 5).note.is_empty()) {
            (true, false) => bottom - LABEL - GAP,
            _ => bottom,
        };
        let labelled = !self.y_label.is_empty() || !y_ticks.note.is_empty();
        let left = area.left + widest(&y_ticks) + TICK + 2.0 * GAP + if labelled { LABEL + GAP } else { 2.0 };
        let most = area.right - self.right - 12.0;
        let x_ticks = self.x_ticks(most - left);
        let last = x_ticks.labelled.last().map_or(0.0, |(_, text)| 0.5 * font::width(text, SMALL));
        let right = most.min(area.right - self.right.max(last) - 2.0);
        let plane = kept_aspect(Area::new(left, top, right, bottom), self.aspect);
        if plane.width() < 12.0 || plane.height() < 12.0 {
            return Err(PlotError::TooSmall { width: area.width(), height: area.height(), what: "axes" });
        }
        let y_ticks = Ticks::of(self.y, marks_along(plane.height(), 46.0));
        let x_ticks = if plane.width() < right - left { self.x_ticks(plane.width()) } else { x_ticks };
        Ok(Layout { plane: Plane { area: plane, x: self.x, y: self.y }, x_ticks, y_ticks, title })
    }

    /// As many marks as have room for their texts.
    fn x_ticks(&self, width: f64) -> Ticks {
        let most = marks_along(width, 60.0).max(2);
        let fits = |ticks: &Ticks| (widest(ticks) + 14.0) * ticks.labelled.len() as f64 <= width + 30.0;
        (2..=most).rev().map(|count| Ticks::of(self.x, count)).find(fits).unwrap_or_else(|| Ticks::of(self.x, 2))
    }

    /// What lies behind the data.
    pub fn draw_behind(&self, scene: &mut Scene, layout: &Layout) {
        let Area { left, top, right, bottom } = layout.plane.area;
        if self.grid {
            for x in layout.x_ticks.labelled.iter().filter_map(|(value, _)| layout.plane.x_at(*value)) {
                scene.rule((x, top), (x, bottom), Colour::GRID);
            }
            for y in layout.y_ticks.labelled.iter().filter_map(|(value, _)| layout.plane.y_at(*value)) {
                scene.rule((left, y), (right, y), Colour::GRID);
            }
        }
    }

    /// The frame, its marks and texts.
    pub fn draw(&self, scene: &mut Scene, layout: &Layout) {
        let Layout { plane, x_ticks, y_ticks, title } = layout;
        let Area { left, right, bottom, top } = plane.area;
        scene.outline(plane.area, Colour::INK);
        for (value, text) in &x_ticks.labelled {
            if let Some(x) = plane.x_at(*value) {
                scene.rule((x, bottom), (x, bottom + TICK), Colour::INK);
                scene.text(text, (x, bottom + TICK + GAP + 0.5 * SMALL - 2.0), SMALL, Anchor::Middle);
            }
        }
        for (value, text) in &y_ticks.labelled {
            if let Some(y) = plane.y_at(*value) {
                scene.rule((left - TICK, y), (left, y), Colour::INK);
                scene.text(text, (left - TICK - 4.0, y), SMALL, Anchor::End);
            }
        }
        for x in x_ticks.small.iter().filter_map(|value| plane.x_at(*value)) {
            scene.rule((x, bottom), (x, bottom + 0.5 * TICK), Colour::INK);
        }
        for y in y_ticks.small.iter().filter_map(|value| plane.y_at(*value)) {
            scene.rule((left - 0.5 * TICK, y), (left, y), Colour::INK);
        }
        let (middle, center) = plane.area.middle();
        let x_label = font::cut(&with_note(self.x_label, &x_ticks.note), LABEL, 2.0 * (middle - GAP).min(scene.width - middle));
        let below = bottom + TICK + GAP + SMALL + GAP + 0.5 * LABEL - 2.0;
        scene.text(x_label, (middle, below), LABEL, Anchor::Middle);
        let beside = left - TICK - 4.0 - widest(y_ticks) - GAP - 0.5 * LABEL;
        scene.upright(&with_note(self.y_label, &y_ticks.note), (beside, center), LABEL, bottom - top + 60.0);
        draw_title(scene, title, (0.5 * (left + right), top));
    }
}

pub(crate) fn title_height(lines: &[String]) -> f64 {
    if lines.is_empty() { 0.0 } else { lines.len() as f64 * (TITLE + 5.0) + GAP + 3.0 }
}

/// Lines of a title that ends above `bottom`.
pub(crate) fn draw_title(scene: &mut Scene, lines: &[String], (middle, bottom): Point) {
    for (line, text) in lines.iter().rev().enumerate() {
        let y = bottom - GAP - 3.0 - 0.5 * TITLE - line as f64 * (TITLE + 5.0) + 2.0;
        // A wide title over a narrow plane is moved to stay inside the picture.
        let half = 0.5 * font::width(text, TITLE) + 2.0;
        let x = if 2.0 * half < scene.width { middle.clamp(half, scene.width - half) } else { middle };
        scene.text(text, (x, y), TITLE, Anchor::Middle);
    }
}

fn marks_along(length: f64, each: f64) -> usize {
    ((length / each) as usize).clamp(2, 12)
}

pub(crate) fn widest(ticks: &Ticks) -> f64 {
    ticks.labelled.iter().map(|(_, text)| font::width(text, SMALL)).fold(0.0, f64::max)
}

pub(crate) fn with_note(label: &str, note: &str) -> String {
    match (label.is_empty(), note.is_empty()) {
        (_, true) => label.to_string(),
        (true, false) => note.to_string(),
        (false, false) => format!("{label}  [{note}]"),
    }
}

/// The largest area of this aspect, to the left of its room and in the middle of its height.
fn kept_aspect(area: Area, aspect: Option<f64>) -> Area {
    let Some(aspect) = aspect else { return area };
    let (width, height) = (area.width().min(area.height() * aspect), area.height().min(area.width() / aspect));
    let left = area.left + 0.5 * (area.width() - width);
    let top = area.top + 0.5 * (area.height() - height);
    Area::new(left, top, left + width, top + height)
}
