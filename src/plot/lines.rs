//! Curves: several series over common axes.

use super::Draw;
use super::axes::{Axis, Plane, Scale, Span};
use super::colour::{Colour, PALETTE_SIZE, palette};
use super::error::PlotError;
use super::frame::Frame;
use super::legend::{Entry, Legend, nothing_to_see};
use super::scene::{Area, Point, Scene, clip_line, clip_polygon};

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineStyle {
    #[default]
    Line,
    Dashed,
    Dotted,
    Points,
    LineAndPoints,
}

impl LineStyle {
    pub(crate) fn pattern(self) -> &'static [f64] {
        match self {
            LineStyle::Dashed => &[7.0, 4.0],
            LineStyle::Dotted => &[1.8, 3.2],
            _ => &[],
        }
    }
    pub(crate) fn has_line(self) -> bool {
        self != LineStyle::Points
    }
    pub(crate) fn has_points(self) -> bool {
        matches!(self, LineStyle::Points | LineStyle::LineAndPoints)
    }
}

/// One curve. NaN, infinite values and, on a logarithmic axis, values that are not above zero leave a gap.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Text in the legend; none by default.
    pub label: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    /// A solid line by default; series beyond the eighth are dashed because their colours repeat.
    pub style: LineStyle,
    /// A shaded band between two curves `(lower, upper)`, one value per point.
    pub band: Option<(Vec<f64>, Vec<f64>)>,
    /// Half the length of an error bar, one value per point.
    pub error: Option<Vec<f64>>,
    /// The next colour of the palette by default.
    pub colour: Option<Colour>,
}

impl Series {
    /// A solid line.
    pub fn new(label: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Series { label: label.into(), x, y, ..Series::default() }
    }

    fn check(&self, index: usize) -> Result<(), PlotError> {
        let name = match self.label.as_str() {
            "" => format!("series {}", index + 1),
            label => format!("series `{label}`"),
        };
        if self.x.is_empty() && self.y.is_empty() {
            return Err(PlotError::Empty { what: name });
        }
        let (low, high) = self.band.as_ref().map_or((None, None), |(low, high)| (Some(low), Some(high)));
        let parts = [
            ("y", Some(&self.y)),
            ("the lower band", low),
            ("the upper band", high),
            ("the error", self.error.as_ref()),
        ];
        for (part, values) in parts {
            if let Some(values) = values.filter(|values| values.len() != self.x.len()) {
                let why = "one for each x".to_string();
                return Err(PlotError::Length {
                    what: format!("{part} of {name}"),
                    got: values.len(),
                    expected: self.x.len(),
                    why,
                });
            }
        }
        Ok(())
    }

    /// Every y that is drawn.
    fn heights(&self) -> impl Iterator<Item = f64> + '_ {
        let bands = self.band.iter().flat_map(|(low, high)| low.iter().chain(high).copied());
        let bars = self.error.iter().flat_map(|error| self.y.iter().zip(error));
        self.y.iter().copied().chain(bands).chain(bars.flat_map(|(y, error)| [y - error, y + error]))
    }
}

/// Where the legend stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegendPlace {
    /// In the emptiest corner, or right of the axes where every corner is in use.
    #[default]
    Auto,
    Outside,
    None,
}

/// Curves in one pair of axes.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub legend: LegendPlace,
}

const WIDTH: f64 = 1.7;
const DOT: f64 = 2.6;

impl Draw for Lines {
    fn natural_size(&self) -> (f64, f64) {
        (640.0, 420.0)
    }

    /// # Errors
    /// [`PlotError::Empty`] without series or points, [`PlotError::Length`] when parts of a series differ in length,
    /// [`PlotError::Limits`] and [`PlotError::LogLimits`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        if self.series.is_empty() {
            return Err(PlotError::Empty { what: "the list of series".into() });
        }
        for (index, series) in self.series.iter().enumerate() {
            series.check(index)?;
        }
        let x = self.series.iter().flat_map(|series| series.x.iter().copied());
        let y = self.series.iter().flat_map(Series::heights);
        let x = Span::of("the x axis", &self.x, x, 0.02)?;
        let y = Span::of("the y axis", &self.y, y, 0.05)?;
        let mut frame = Frame {
            title: &self.title,
            x_label: &self.x.label,
            y_label: &self.y.label,
            x,
            y,
            aspect: None,
            right: 0.0,
            grid: true,
        };
        let legend = Legend::new(self.legend_entries(), self.legend, area);
        let (layout, spot) = legend.settle(&mut frame, area, |plane| self.occupied(plane))?;
        frame.draw_behind(scene, &layout);
        for (index, series) in self.series.iter().enumerate() {
            self.draw_band(scene, series, self.colour(index), &layout.plane);
        }
        for index in 0..self.series.len() {
            self.draw_series(scene, index, &layout.plane);
        }
        frame.draw(scene, &layout);
        let plane = layout.plane.area;
        legend.draw(scene, &spot, plane);
        if !self.any_point(&layout.plane) {
            nothing_to_see(scene, plane);
        }
        Ok(())
    }
}

impl Lines {
    fn colour(&self, index: usize) -> Colour {
        self.series.get(index).and_then(|series| series.colour).unwrap_or_else(|| palette(index))
    }

    fn style(&self, index: usize) -> LineStyle {
        let style = self.series.get(index).map(|series| series.style).unwrap_or_default();
        if style == LineStyle::Line && index >= PALETTE_SIZE { LineStyle::Dashed } else { style }
    }

    fn legend_entries(&self) -> Vec<Entry> {
        let labelled = self.series.iter().enumerate().filter(|(_, series)| !series.label.is_empty());
        labelled
            .map(|(index, series)| Entry {
                text: series.label.clone(),
                colour: self.colour(index),
                style: Some(self.style(index)),
                band: series.band.is_some(),
            })
            .collect()
    }

    fn any_point(&self, plane: &Plane) -> bool {
        self.series.iter().any(|series| series.x.iter().zip(&series.y).any(|(x, y)| plane.at(*x, *y).is_some()))
    }

    /// Places along all curves, close enough together that a legend cannot slip between.
    fn occupied(&self, plane: &Plane) -> Vec<Point> {
        let mut places = Vec::new();
        for series in &self.series {
            let bands = series.band.iter().flat_map(|(low, high)| [low, high]);
            for values in std::iter::once(&series.y).chain(bands) {
                for run in runs(plane, &series.x, values) {
                    let run = thinned(run, plane.area);
                    places.extend(run.first().copied());
                    for (a, b) in run.iter().zip(run.iter().skip(1)) {
                        let steps = ((b.0 - a.0).hypot(b.1 - a.1) / 8.0).clamp(1.0, 200.0) as usize;
                        let part = |step: usize| step as f64 / steps as f64;
                        places.extend((1..=steps).map(|s| (a.0 + part(s) * (b.0 - a.0), a.1 + part(s) * (b.1 - a.1))));
                    }
                }
            }
        }
        places
    }

    fn draw_band(&self, scene: &mut Scene, series: &Series, colour: Colour, plane: &Plane) {
        let Some((low, high)) = &series.band else {
            return;
        };
        // On a logarithmic axis a band that reaches zero reaches the lower edge.
        let floor = |value: f64| {
            if plane.y.scale == Scale::Log && value <= 0.0 { plane.y.low } else { value }
        };
        let places = series.x.iter().zip(low).zip(high);
        let places = places.map(|((x, low), high)| Some((plane.at(*x, floor(*low))?, plane.at(*x, *high)?)));
        let places: Vec<Option<(Point, Point)>> = places.collect();
        for run in places.split(|place| place.is_none()) {
            let (low, high): (Vec<Point>, Vec<Point>) = run.iter().flatten().copied().unzip();
            let mut corners = thinned(low, plane.area);
            corners.extend(thinned(high, plane.area).into_iter().rev());
            scene.polygon(clip_polygon(corners, plane.area), colour, 0.2);
        }
    }

    fn draw_series(&self, scene: &mut Scene, index: usize, plane: &Plane) {
        let Some(series) = self.series.get(index) else {
            return;
        };
        let (colour, style) = (self.colour(index), self.style(index));
        draw_errors(scene, series, colour, plane);
        for run in runs(plane, &series.x, &series.y) {
            // A point alone between gaps has no line, and would not be seen.
            if style.has_points() || run.len() == 1 {
                run.iter()
                    .filter(|point| plane.area.contains(**point))
                    .for_each(|point| scene.disc(*point, DOT, colour));
            }
            if style.has_line() {
                draw_curve(scene, run, plane.area, colour, style);
            }
        }
    }
}

/// A line cut at the edges of `area`.
pub(crate) fn draw_curve(scene: &mut Scene, points: Vec<Point>, area: Area, colour: Colour, style: LineStyle) {
    for piece in clip_line(&thinned(points, area), area) {
        match style.pattern() {
            [] => scene.line(piece, WIDTH, colour),
            pattern => scene.dashed(&piece, WIDTH, colour, pattern),
        }
    }
}

fn draw_errors(scene: &mut Scene, series: &Series, colour: Colour, plane: &Plane) {
    let errors = series.error.iter().flatten();
    for ((x, y), error) in series.x.iter().zip(&series.y).zip(errors) {
        let low = plane.y_at(y - error).unwrap_or(plane.area.bottom);
        let (Some((x, _)), Some(high)) = (plane.at(*x, *y), plane.y_at(y + error)) else {
            continue;
        };
        let strokes =
            [vec![(x, low), (x, high)], vec![(x - 3.0, low), (x + 3.0, low)], vec![(x - 3.0, high), (x + 3.0, high)]];
        for piece in strokes.iter().flat_map(|stroke| clip_line(stroke, plane.area)) {
            scene.line(piece, 1.1, colour);
        }
    }
}

/// The places of a curve, in runs between gaps.
pub(crate) fn runs(plane: &Plane, x: &[f64], y: &[f64]) -> Vec<Vec<Point>> {
    let places: Vec<Option<Point>> = x.iter().zip(y).map(|(x, y)| plane.at(*x, *y)).collect();
    let runs = places.split(|place| place.is_none());
    runs.map(|run| run.iter().flatten().copied().collect::<Vec<Point>>()).filter(|run| !run.is_empty()).collect()
}

/// Far more points than pixels, from left to right: only the first, lowest, highest and last of each column are kept,
/// which looks the same.
fn thinned(points: Vec<Point>, area: Area) -> Vec<Point> {
    let columns = (area.width() * 3.0).max(1.0);
    if (points.len() as f64) < 6.0 * columns || points.iter().zip(points.iter().skip(1)).any(|(a, b)| b.0 < a.0) {
        return points;
    }
    let column = |point: &Point| (3.0 * point.0).floor();
    let mut kept = Vec::new();
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &&(usize, &Point), b: &&(usize, &Point)| a.1.1.total_cmp(&b.1.1);
        let numbered: Vec<(usize, &Point)> = run.iter().enumerate().collect();
        let extremes =
            [numbered.first(), numbered.iter().min_by(by_height), numbered.iter().max_by(by_height), numbered.last()];
        let mut indices: Vec<usize> = extremes.into_iter().flatten().map(|(index, _)| *index).collect();
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().filter_map(|index| run.get(index).copied()));
    }
    kept
}
