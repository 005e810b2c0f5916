//! Pictures of numbers: PNG, SVG and GIF from plain data.
//!
//! A [`Figure`] is data: what to show, not how it was drawn. Every kind of picture is one struct of public fields with
//! defaults, held by a [`Panel`]; [`Panels`] puts several in one figure and [`Animation`] figures one after the other.
//!
//! ```
//! use ansatz::plot::{Axis, Figure, Lines, Panel, Series};
//!
//! let x: Vec<f64> = (0..100).map(|i| 0.1 * f64::from(i)).collect();
//! let y = x.iter().map(|x| x.sin()).collect();
//! let lines = Lines {
//!     title: "A wave".into(),
//!     x: Axis::linear("x (m)"),
//!     y: Axis::linear("u (m/s)"),
//!     series: vec![Series::new("sin x", x, y)],
//!     ..Lines::default()
//! };
//! let svg = Figure::new(Panel::Lines(lines)).to_svg_string()?;
//! assert!(svg.contains("u (m/s)"));
//! # Ok::<(), ansatz::plot::PlotError>(())
//! ```
//!
//! Data may hold anything: NaN and infinite values are gaps or a colour of their own, and what cannot be drawn at all is a
//! [`PlotError`]. The same figure always gives the same bytes.

mod animation;
mod axes;
mod colour;
mod colour_bar;
mod compose;
mod error;
mod font;
mod frame;
mod heat_map;
mod histogram;
mod images;
mod legend;
mod lines;
mod output;
mod raster;
mod scene;
pub(crate) mod script;
mod spectrum;
mod svg;
mod ticks;
mod trajectories;
mod values;
mod vectors;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use animation::Animation;
pub use axes::{Axis, Scale};
pub use colour::{Colour, ColourMap, palette};
pub use colour_bar::Colours;
pub use compose::Panels;
pub use error::PlotError;
pub use heat_map::{Aspect, HeatMap, SpaceTime, TimeAxis};
pub use histogram::{Bins, Histogram, Sample};
pub use images::{Images, Sharing};
pub use lines::{LegendPlace, LineStyle, Lines, Series};
pub use output::{MAX_PIXELS, MAX_SIDE};
pub use spectrum::{PowerLaw, Spectra, SpectrumLine};
pub use trajectories::{Trajectories, Trajectory};
pub use values::Values2d;
pub use vectors::{Background, VectorField};

use scene::{Area, Scene};

use crate::session::interrupt;

/// One kind of picture.
#[derive(Clone, Debug)]
pub enum Panel {
    Lines(Lines),
    Spectra(Spectra),
    Histogram(Histogram),
    HeatMap(HeatMap),
    SpaceTime(SpaceTime),
    VectorField(VectorField),
    Images(Images),
    Trajectories(Trajectories),
    Panels(Panels),
}

/// What every kind of picture can do.
trait Draw {
    /// Width and height it would like to have.
    fn natural_size(&self) -> (f64, f64);

    /// Writes its marks inside `area`.
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError>;
}

impl Panel {
    fn drawing(&self) -> &dyn Draw {
        match self {
            Panel::Lines(panel) => panel,
            Panel::Spectra(panel) => panel,
            Panel::Histogram(panel) => panel,
            Panel::HeatMap(panel) => panel,
            Panel::SpaceTime(panel) => panel,
            Panel::VectorField(panel) => panel,
            Panel::Images(panel) => panel,
            Panel::Trajectories(panel) => panel,
            Panel::Panels(panel) => panel,
        }
    }

    fn depth(&self) -> usize {
        if let Panel::Panels(panels) = self { panels.depth() } else { 0 }
    }
}

impl Draw for Panel {
    fn natural_size(&self) -> (f64, f64) {
        self.drawing().natural_size()
    }

    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.drawing().draw(scene, area)
    }
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Figure {
    pub panel: Panel,
    /// Width and height in units in which text is 11 to 14 high. By default what suits the panel, about 640 × 420.
    pub size: Option<(f64, f64)>,
    /// Pixels per unit of size in a PNG. 2 by default, sharp on dense screens and in print.
    pub scale: f64,
}

impl Figure {
    /// The panel in its natural size.
    pub fn new(panel: Panel) -> Self {
        Figure { panel, size: None, scale: 2.0 }
    }

    /// Width and height in units of size: pixels of an SVG, and of a PNG at scale 1.
    pub fn size_or_natural(&self) -> (f64, f64) {
        // An empty panel has no size, and should fail for being empty.
        let natural = || {
            let (width, height) = self.panel.natural_size();
            (width.max(100.0), height.max(100.0))
        };
        let (width, height) = self.size.unwrap_or_else(natural);
        (width.round(), height.round())
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// What is wrong with the data or its limits, [`PlotError::TooLarge`] above [`MAX_SIDE`] or [`MAX_PIXELS`],
    /// [`PlotError::TooSmall`].
    pub fn to_png_bytes(&self) -> Result<Vec<u8>, PlotError> {
        let scene = self.scene(self.size_or_natural())?;
        output::png_bytes(&raster::rasterise(&scene, self.scale)?)
    }

    /// The text of an SVG file.
    ///
    /// # Errors
    /// As [`Figure::to_png_bytes`].
    pub fn to_svg_string(&self) -> Result<String, PlotError> {
        svg::document(&self.scene(self.size_or_natural())?)
    }

    /// Writes a PNG or SVG file by the ending of `path`, whole or not at all.
    ///
    /// # Errors
    /// As [`Figure::to_png_bytes`], [`PlotError::Extension`], [`PlotError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        match output::extension(path).as_str() {
            "png" => output::write_whole(path, &self.to_png_bytes()?),
            "svg" => output::write_whole(path, self.to_svg_string()?.as_bytes()),
            _ => Err(PlotError::Extension { path: path.to_path_buf(), known: ".png and .svg (.gif for animations)" }),
        }
    }

    fn scene(&self, (width, height): (f64, f64)) -> Result<Scene, PlotError> {
        if !(width.is_finite() && height.is_finite() && width <= f64::from(MAX_SIDE) && height <= f64::from(MAX_SIDE)) {
            return Err(PlotError::TooLarge { width, height, scale: self.scale });
        }
        if width < 40.0 || height < 40.0 {
            return Err(PlotError::TooSmall { width, height, what: "panel" });
        }
        let mut scene = Scene::new(width, height);
        let area = scene.area();
        self.panel.draw(&mut scene, area)?;
        if interrupt::pending().is_some() { Err(PlotError::Stopped) } else { Ok(scene) }
    }
}
