//! Fields on a plane as colours; space–time diagrams.

use super::Draw;
use super::axes::{Scale, Span};
use super::colour_bar::Colours;
use super::error::PlotError;
use super::frame::{Frame, Layout};
use super::scene::{Area, Scene};
use super::values::Values2d;

/// Shape of a map on paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aspect {
    /// One unit of x is as long as one unit of y; [`Aspect::Fill`] where that would be thinner than 1 : 8.
    #[default]
    Equal,
    /// As large as there is room.
    Fill,
}

/// A field on a plane: the first axis to the right, the second upwards.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub field: Values2d,
    /// Edges `[x_low, x_high, y_low, y_high]` in physical units; by default cells are counted.
    pub extent: Option<[f64; 4]>,
    pub aspect: Aspect,
    pub colours: Colours,
}

impl Draw for HeatMap {
    fn natural_size(&self) -> (f64, f64) {
        let around = (if self.colours.bar { 160.0 } else { 80.0 }, if self.title.is_empty() { 58.0 } else { 76.0 });
        match self.ratio() {
            Some(ratio) if ratio >= 1.0 => (around.0 + 420.0, around.1 + (420.0 / ratio).max(90.0)),
            Some(ratio) => (around.0 + (380.0 * ratio).max(120.0), around.1 + 380.0),
            None => (640.0, 400.0),
        }
    }

    /// # Errors
    /// [`PlotError::Empty`], [`PlotError::Length`], [`PlotError::Limits`], [`PlotError::LogLimits`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.draw_with(scene, area, |_, _| Ok(()))
    }
}

impl HeatMap {
    fn edges(&self) -> [f64; 4] {
        self.extent.unwrap_or([0.0, self.field.shape[0] as f64, 0.0, self.field.shape[1] as f64])
    }

    /// Width over height that the map keeps.
    fn ratio(&self) -> Option<f64> {
        let [x_low, x_high, y_low, y_high] = self.edges();
        let ratio = (x_high - x_low) / (y_high - y_low);
        (self.aspect == Aspect::Equal && (0.125..=8.0).contains(&ratio)).then_some(ratio)
    }

    /// Draws the map and what `over` puts on it, below frame and labels.
    pub(crate) fn draw_with(
        &self,
        scene: &mut Scene,
        area: Area,
        over: impl FnOnce(&mut Scene, &Layout) -> Result<(), PlotError>,
    ) -> Result<(), PlotError> {
        self.field.check("the field")?;
        let [x_low, x_high, y_low, y_high] = self.edges();
        let palette = self.colours.fit(std::iter::once(&self.field))?;
        let frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            x: Span::checked("the extent along x", (x_low, x_high), Scale::Linear)?,
            y: Span::checked("the extent along y", (y_low, y_high), Scale::Linear)?,
            aspect: self.ratio(),
            right: if self.colours.bar { palette.width(area.height()) } else { 0.0 },
            grid: false,
        };
        let layout = frame.layout(area)?;
        scene.image(layout.plane.area, palette.image(&self.field));
        over(scene, &layout)?;
        frame.draw(scene, &layout);
        if self.colours.bar {
            let plane = layout.plane.area;
            palette.draw_bar(scene, plane, palette.text_width(plane.height()));
        }
        Ok(())
    }
}

/// Which axis of the picture is time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeAxis {
    #[default]
    X,
    Y,
}

/// A one-dimensional field over time.
#[derive(Clone, Debug, Default)]
pub struct SpaceTime {
    pub title: String,
    /// `[time, x]`
    pub field: Values2d,
    /// First and last time; by default steps are counted.
    pub times: Option<(f64, f64)>,
    /// Both ends of the line; by default cells are counted.
    pub space: Option<(f64, f64)>,
    pub time_axis: TimeAxis,
    /// `time t` when empty.
    pub time_label: String,
    /// `x` when empty.
    pub space_label: String,
    pub colours: Colours,
}

impl Draw for SpaceTime {
    fn natural_size(&self) -> (f64, f64) {
        match self.time_axis {
            TimeAxis::X => (680.0, 380.0),
            TimeAxis::Y => (520.0, 540.0),
        }
    }

    /// # Errors
    /// Those of [`HeatMap`].
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.field.check("the field")?;
        self.as_heat_map().draw(scene, area)
    }
}

impl SpaceTime {
    fn as_heat_map(&self) -> HeatMap {
        let (t0, t1) = self.times.unwrap_or((0.0, self.field.shape[0] as f64));
        let (x0, x1) = self.space.unwrap_or((0.0, self.field.shape[1] as f64));
        let or = |label: &str, other: &str| {
            if label.is_empty() { other.to_string() } else { label.to_string() }
        };
        let time = or(&self.time_label, "time t");
        let space = or(&self.space_label, "x");
        let (field, extent, x_label, y_label) = match self.time_axis {
            TimeAxis::X => (self.field.clone(), [t0, t1, x0, x1], time, space),
            TimeAxis::Y => (self.field.transposed(), [x0, x1, t0, t1], space, time),
        };
        HeatMap {
            title: self.title.clone(),
            x_label,
            y_label,
            field,
            extent: Some(extent),
            aspect: Aspect::Fill,
            colours: self.colours.clone(),
        }
    }
}
