//! Paths of particles in a plane.

use super::Draw;
use super::axes::{Plane, Scale, Span};
use super::colour::{Colour, palette};
use super::error::PlotError;
use super::frame::Frame;
use super::heat_map::Aspect;
use super::legend::{Entry, Legend, nothing_to_see};
use super::lines::{LegendPlace, LineStyle, draw_curve, runs};
use super::scene::{Area, Point, Scene};

/// The path of one particle. NaN and infinite values leave gaps.
#[derive(Clone, Debug, Default)]
pub struct Trajectory {
    /// Text in the legend; none by default.
    pub label: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    /// A solid line by default.
    pub style: LineStyle,
    /// The next colour of the palette by default.
    pub colour: Option<Colour>,
}

/// Paths in a plane: an open circle where each begins, a filled one where it ends.
#[derive(Clone, Debug, Default)]
pub struct Trajectories {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub paths: Vec<Trajectory>,
    /// `[x_low, x_high, y_low, y_high]`; by default what the paths need.
    pub extent: Option<[f64; 4]>,
    pub aspect: Aspect,
}

impl Draw for Trajectories {
    fn natural_size(&self) -> (f64, f64) {
        match self.spans() {
            Ok((x, y)) if self.aspect == Aspect::Equal => {
                let ratio = ((x.high - x.low) / (y.high - y.low)).clamp(0.4, 2.5);
                (90.0 + 440.0 * ratio.min(1.0).max(0.5 * ratio), 76.0 + 440.0 * ratio.min(1.0).max(0.5 * ratio) / ratio)
            }
            _ => (600.0, 440.0),
        }
    }

    /// # Errors
    /// [`PlotError::Empty`], [`PlotError::Length`], [`PlotError::Limits`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.check()?;
        let (x, y) = self.spans()?;
        let ratio = (x.high - x.low) / (y.high - y.low);
        let mut frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            x,
            y,
            aspect: (self.aspect == Aspect::Equal && (0.125..=8.0).contains(&ratio)).then_some(ratio),
            right: 0.0,
            grid: true,
        };
        let legend = Legend::new(self.legend_entries(), LegendPlace::Auto, area);
        let (layout, spot) = legend.settle(&mut frame, area, |plane| self.places(plane))?;
        frame.draw_behind(scene, &layout);
        for (index, path) in self.paths.iter().enumerate() {
            let colour = path.colour.unwrap_or_else(|| palette(index));
            let runs = runs(&layout.plane, &path.x, &path.y);
            let ends =
                runs.first().and_then(|run| run.first()).copied().zip(runs.last().and_then(|run| run.last()).copied());
            for run in runs {
                draw_path(scene, run, layout.plane.area, colour, path.style);
            }
            draw_ends(scene, ends, layout.plane.area, colour);
        }
        frame.draw(scene, &layout);
        let plane = layout.plane.area;
        legend.draw(scene, &spot, plane);
        if self.places(&layout.plane).is_empty() {
            nothing_to_see(scene, plane);
        }
        Ok(())
    }
}

impl Trajectories {
    fn places(&self, plane: &Plane) -> Vec<Point> {
        self.paths.iter().flat_map(|path| runs(plane, &path.x, &path.y)).flatten().collect()
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.paths.is_empty() {
            return Err(PlotError::Empty { what: "the list of paths".into() });
        }
        for (index, path) in self.paths.iter().enumerate() {
            let what = format!("path {}", index + 1);
            if path.x.is_empty() && path.y.is_empty() {
                return Err(PlotError::Empty { what });
            }
            if path.x.len() != path.y.len() {
                let why = "one y for each x".to_string();
                return Err(PlotError::Length {
                    what: format!("y of {what}"),
                    got: path.y.len(),
                    expected: path.x.len(),
                    why,
                });
            }
        }
        Ok(())
    }

    fn spans(&self) -> Result<(Span, Span), PlotError> {
        let axis = |limits: Option<(f64, f64)>| super::axes::Axis { limits, ..Default::default() };
        let (x_limits, y_limits) = self.extent.map_or((None, None), |[a, b, c, d]| (Some((a, b)), Some((c, d))));
        let x = self.paths.iter().flat_map(|path| path.x.iter().copied());
        let y = self.paths.iter().flat_map(|path| path.y.iter().copied());
        let x = Span::of("the x axis", &axis(x_limits), x, 0.06)?;
        let y = Span::of("the y axis", &axis(y_limits), y, 0.06)?;
        if self.aspect == Aspect::Fill || self.extent.is_some() {
            return Ok((x, y));
        }
        // A path along an axis would have a plane without height: give it a third.
        let (wide, high) = (x.high - x.low, y.high - y.low);
        Ok((at_least(x, high / 3.0), at_least(y, wide / 3.0)))
    }

    fn legend_entries(&self) -> Vec<Entry> {
        let labelled = self.paths.iter().enumerate().filter(|(_, path)| !path.label.is_empty());
        let entry = |(index, path): (usize, &Trajectory)| Entry {
            text: path.label.clone(),
            colour: path.colour.unwrap_or_else(|| palette(index)),
            style: Some(path.style),
            band: false,
        };
        labelled.map(entry).collect()
    }
}

fn at_least(span: Span, width: f64) -> Span {
    let lacking = 0.5 * (width - (span.high - span.low));
    if !(lacking > 0.0 && lacking.is_finite()) {
        return span;
    }
    Span { low: span.low - lacking, high: span.high + lacking, scale: Scale::Linear }
}

fn draw_path(scene: &mut Scene, run: Vec<Point>, area: Area, colour: Colour, style: LineStyle) {
    if style.has_points() {
        run.iter().filter(|point| area.contains(**point)).for_each(|point| scene.disc(*point, 1.8, colour));
    }
    if style.has_line() {
        draw_curve(scene, run, area, colour, style);
    }
}

fn draw_ends(scene: &mut Scene, ends: Option<(Point, Point)>, area: Area, colour: Colour) {
    let Some((first, last)) = ends else { return };
    if area.contains(first) {
        scene.disc(first, 4.2, colour);
        scene.disc(first, 2.7, Colour::WHITE);
    }
    if area.contains(last) {
        scene.disc(last, 4.2, colour);
    }
}
