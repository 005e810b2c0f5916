//! Histograms of one or more data sets over common bins.

use super::Draw;
use super::axes::{Axis, Plane, Scale, Span};
use super::colour::{Colour, palette};
use super::error::PlotError;
use super::frame::Frame;
use super::legend::{Entry, Legend, nothing_to_see};
use super::lines::LegendPlace;
use super::scene::{Area, Point, Scene, clip_line};
use crate::session::interrupt;

/// The bins of a histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Bins {
    /// Freedman and Diaconis' width `2 · IQR · n^(-1/3)`, between 10 and 100 bins.
    #[default]
    Auto,
    /// This many of equal width, at most 10 000.
    Count(usize),
    /// Edges in increasing order.
    Edges(Vec<f64>),
}

/// One data set. NaN and infinite values are not counted.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub label: String,
    pub values: Vec<f64>,
    /// The next colour of the palette by default.
    pub colour: Option<Colour>,
}

/// Overlaid histograms.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pub title: String,
    /// What is counted. Linear.
    pub x: Axis,
    /// `count` or `density` when its label is empty. May be logarithmic.
    pub y: Axis,
    pub samples: Vec<Sample>,
    pub bins: Bins,
    /// Whether the area of each histogram is one. False by default.
    pub density: bool,
    pub legend: LegendPlace,
}

impl Draw for Histogram {
    fn natural_size(&self) -> (f64, f64) {
        (600.0, 400.0)
    }

    /// # Errors
    /// [`PlotError::Empty`] without data, [`PlotError::Value`] for bad bins, [`PlotError::Limits`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        if self.samples.iter().all(|sample| sample.values.is_empty()) {
            return Err(PlotError::Empty { what: "the histogram".into() });
        }
        let edges = self.edges()?;
        let heights: Vec<Vec<f64>> = self.samples.iter().map(|sample| self.heights(&sample.values, &edges)).collect();
        let frame = self.frame(&edges, &heights)?;
        let mut frame =
            Frame { y_label: if self.y.label.is_empty() { self.counted() } else { &self.y.label }, ..frame };
        let legend = Legend::new(self.legend_entries(), self.legend, area);
        let (layout, spot) = legend.settle(&mut frame, area, |plane| occupied(plane, &edges, &heights))?;
        frame.draw_behind(scene, &layout);
        for (index, heights) in heights.iter().enumerate() {
            draw_bars(
                scene,
                &layout.plane,
                &edges,
                heights,
                self.colour(index),
                0.8 / (self.samples.len() as f64).sqrt(),
            );
        }
        for (index, heights) in heights.iter().enumerate() {
            draw_steps(scene, &layout.plane, &edges, heights, self.colour(index));
        }
        frame.draw(scene, &layout);
        let plane = layout.plane.area;
        legend.draw(scene, &spot, plane);
        if heights.iter().flatten().all(|height| *height == 0.0) {
            nothing_to_see(scene, plane);
        }
        Ok(())
    }
}

impl Histogram {
    fn counted(&self) -> &'static str {
        if self.density { "density" } else { "count" }
    }

    fn colour(&self, index: usize) -> Colour {
        self.samples.get(index).and_then(|sample| sample.colour).unwrap_or_else(|| palette(index))
    }

    fn frame(&self, edges: &[f64], heights: &[Vec<f64>]) -> Result<Frame<'_>, PlotError> {
        let ends = [edges.first(), edges.last()].into_iter().flatten().copied();
        let x = Axis { scale: Scale::Linear, ..self.x.clone() };
        let tall = heights.iter().flatten().copied().filter(|height| *height > 0.0);
        let y = match (self.y.limits, self.y.scale) {
            (None, Scale::Linear) => Span::around([0.0, 1.08 * tall.fold(0.0, f64::max)].into_iter(), Scale::Linear),
            // A bar of the lowest height would have no length if the axis began there.
            (None, Scale::Log) => {
                let seen = Span::around(tall, Scale::Log);
                Span::checked("the y axis", (0.5 * seen.low, 2.0 * seen.high), Scale::Log)?
            }
            (Some(limits), scale) => Span::checked("the y axis", limits, scale)?,
        };
        let y = if y.low < 0.0 && self.y.limits.is_none() { Span { low: 0.0, high: 1.0, scale: y.scale } } else { y };
        let x = Span::of("the x axis", &x, ends, 0.02)?;
        Ok(Frame {
            title: &self.title,
            x_label: &self.x.label,
            y_label: "",
            x,
            y,
            aspect: None,
            right: 0.0,
            grid: true,
        })
    }

    fn legend_entries(&self) -> Vec<Entry> {
        let labelled = self.samples.iter().enumerate().filter(|(_, sample)| !sample.label.is_empty());
        labelled
            .map(|(index, sample)| Entry {
                text: sample.label.clone(),
                colour: self.colour(index),
                style: None,
                band: false,
            })
            .collect()
    }

    fn edges(&self) -> Result<Vec<f64>, PlotError> {
        let count = match &self.bins {
            Bins::Edges(edges) => {
                let rising = edges.iter().zip(edges.iter().skip(1)).all(|(a, b)| a < b)
                    && edges.iter().all(|edge| edge.is_finite());
                let expected = "at least two finite edges in increasing order";
                let bad = PlotError::Value {
                    what: "the number of edges of bins".into(),
                    value: edges.len() as f64,
                    expected,
                };
                return if rising && edges.len() > 1 { Ok(edges.clone()) } else { Err(bad) };
            }
            Bins::Count(count) if (1..=10_000).contains(count) => Some(*count),
            Bins::Count(count) => {
                return Err(PlotError::Value {
                    what: "the number of bins".into(),
                    value: *count as f64,
                    expected: "1 to 10 000",
                });
            }
            Bins::Auto => None,
        };
        let values = || self.samples.iter().flat_map(|sample| sample.values.iter().copied());
        let span = Span::of("the x axis", &Axis { scale: Scale::Linear, ..self.x.clone() }, values(), 0.0)?;
        let count = count.unwrap_or_else(|| {
            // Quartiles hardly change when they are taken from a million evenly spread values.
            let all: usize = self.samples.iter().map(|sample| sample.values.len()).sum();
            automatic_count(values().step_by(all.div_ceil(1 << 20).max(1)).collect(), all, span)
        });
        let part = |index: usize| index as f64 / count as f64;
        Ok((0..=count).map(|index| span.low * (1.0 - part(index)) + span.high * part(index)).collect())
    }

    fn heights(&self, values: &[f64], edges: &[f64]) -> Vec<f64> {
        let mut counts = vec![0.0; edges.len().saturating_sub(1)];
        let mut counted = 0.0;
        for (at, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            // Whoever asked for the picture polls next.
            if at % (1 << 16) == 0 && interrupt::pending().is_some() {
                break;
            }
            // The last bin owns its upper edge.
            let last = edges.last() == Some(value);
            let after = edges.partition_point(|edge| edge <= value);
            if let Some(count) =
                (after - usize::from(last && after > 0)).checked_sub(1).and_then(|bin| counts.get_mut(bin))
            {
                *count += 1.0;
                counted += 1.0;
            }
        }
        if self.density && counted > 0.0 {
            let widths = edges.iter().zip(edges.iter().skip(1)).map(|(a, b)| b - a);
            counts.iter_mut().zip(widths).for_each(|(count, width)| *count /= counted * width);
        }
        counts
    }
}

/// Freedman and Diaconis (1981), for `all` values of which some are given.
fn automatic_count(mut values: Vec<f64>, all: usize, span: Span) -> usize {
    let given = values.len();
    values.retain(|value| value.is_finite());
    let count = values.len();
    let all = all as f64 * count as f64 / given.max(1) as f64;
    let mut quantile = |part: usize| {
        let at = count * part / 4;
        if at < count { *values.select_nth_unstable_by(at, f64::total_cmp).1 } else { 0.0 }
    };
    let width = 2.0 * (quantile(3) - quantile(1)) / all.max(1.0).cbrt();
    let count = ((span.high - span.low) / width).ceil();
    if count.is_finite() { (count as usize).clamp(10, 100) } else { 20 }
}

/// Corners of the stairs: from the lower edge up, along the bins, and down again.
fn stairs(plane: &Plane, edges: &[f64], heights: &[f64]) -> Vec<Point> {
    let bottom = plane.area.bottom;
    let y = |height: f64| plane.y_at(height).unwrap_or(bottom).min(bottom);
    let bins = edges.iter().zip(edges.iter().skip(1)).zip(heights);
    let tops = bins.filter_map(|((a, b), height)| Some([(plane.x_at(*a)?, y(*height)), (plane.x_at(*b)?, y(*height))]));
    let mut corners: Vec<Point> = tops.flatten().collect();
    if let (Some(first), Some(last)) = (corners.first().copied(), corners.last().copied()) {
        corners.insert(0, (first.0, bottom));
        corners.push((last.0, bottom));
    }
    corners
}

fn draw_bars(scene: &mut Scene, plane: &Plane, edges: &[f64], heights: &[f64], colour: Colour, alpha: f64) {
    let Area { left, right, top, bottom } = plane.area;
    let mut drawn_to = f64::NEG_INFINITY;
    for ((a, b), height) in edges.iter().zip(edges.iter().skip(1)).zip(heights) {
        let (Some(a), Some(b), Some(y)) = (plane.x_at(*a), plane.x_at(*b), plane.y_at(*height)) else {
            continue;
        };
        let bar = Area::new(a.max(left).max(drawn_to), y.max(top), b.min(right), bottom);
        if bar.width() > 0.0 && bar.height() > 0.0 && *height > 0.0 {
            scene.rect(bar, colour, alpha);
        }
        drawn_to = b;
    }
}

/// Outlines of the runs of bins that hold something.
fn draw_steps(scene: &mut Scene, plane: &Plane, edges: &[f64], heights: &[f64], colour: Colour) {
    let mut start = 0;
    for run in heights.chunk_by(|a, b| (*a > 0.0) == (*b > 0.0)) {
        let run_edges = edges.get(start..=start + run.len()).unwrap_or_default();
        if run.iter().any(|height| *height > 0.0) {
            for piece in clip_line(&stairs(plane, run_edges, run), plane.area) {
                scene.line(piece, 1.5, colour);
            }
        }
        start += run.len();
    }
}

/// Places under the stairs, which a legend should not cover.
fn occupied(plane: &Plane, edges: &[f64], heights: &[Vec<f64>]) -> Vec<Point> {
    let tops = heights.iter().flat_map(|heights| stairs(plane, edges, heights));
    tops.flat_map(|(x, top)| (0..=8).map(move |step| (x, top + 0.125 * f64::from(step) * (plane.area.bottom - top))))
        .collect()
}
