//! Vector fields as arrows over a map.

use super::Draw;
use super::axes::Plane;
use super::colour::Colour;
use super::colour_bar::Colours;
use super::error::PlotError;
use super::heat_map::{Aspect, HeatMap};
use super::scene::{Area, Point, Scene};
use super::values::Values2d;

/// What lies under the arrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Background {
    /// The length of the vectors.
    #[default]
    Length,
    /// Another field over the same extent, of any resolution.
    Field(Values2d),
    /// White.
    None,
}

/// A vector field on a plane. Vectors with a NaN or infinite component have no arrow.
#[derive(Clone, Debug, Default)]
pub struct VectorField {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    /// Components along x and y on one grid.
    pub u: Values2d,
    pub v: Values2d,
    /// Edges `[x_low, x_high, y_low, y_high]`; by default cells are counted.
    pub extent: Option<[f64; 4]>,
    pub aspect: Aspect,
    /// Arrows along the longer side: 24 by default, fewer on a coarser grid.
    pub arrows: Option<usize>,
    pub background: Background,
    pub colours: Colours,
}

impl Draw for VectorField {
    fn natural_size(&self) -> (f64, f64) {
        self.as_heat_map().natural_size()
    }

    /// # Errors
    /// Those of [`HeatMap`], and [`PlotError::Length`] when the components differ in shape.
    fn draw(&self, scene: &mut Scene, area: Area) -> Result<(), PlotError> {
        self.u.check("the component along x")?;
        self.v.check("the component along y")?;
        if self.u.shape != self.v.shape {
            let why = "both components have one shape".to_string();
            let (got, expected) = (self.v.values.len(), self.u.values.len());
            return Err(PlotError::Length { what: "the component along y".into(), got, expected, why });
        }
        if self.arrows == Some(0) {
            return Err(PlotError::Value { what: "the number of arrows".into(), value: 0.0, expected: "at least 1" });
        }
        let mut map = self.as_heat_map();
        let white = self.background == Background::None;
        map.colours.bar &= !white;
        map.draw_with(scene, area, |scene, layout| {
            let colour = if white { Colour::INK } else { Colour::WHITE };
            if white {
                scene.rect(layout.plane.area, Colour::WHITE, 1.0);
            }
            self.draw_arrows(scene, &layout.plane, colour);
            Ok(())
        })
    }
}

impl VectorField {
    fn as_heat_map(&self) -> HeatMap {
        let lengths = || {
            let values = self.u.values.iter().zip(&self.v.values).map(|(u, v)| u.hypot(*v)).collect();
            Values2d { shape: self.u.shape, values }
        };
        let [nx, ny] = self.u.shape;
        HeatMap {
            title: self.title.clone(),
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            field: if let Background::Field(field) = &self.background { field.clone() } else { lengths() },
            extent: Some(self.extent.unwrap_or([0.0, nx as f64, 0.0, ny as f64])),
            aspect: self.aspect,
            colours: self.colours.clone(),
        }
    }

    fn draw_arrows(&self, scene: &mut Scene, plane: &Plane, colour: Colour) {
        let [nx, ny] = self.u.shape;
        let every = nx.max(ny).div_ceil(self.arrows.unwrap_or(24)).max(1);
        let (dx, dy) = (plane.area.width() / nx as f64, plane.area.height() / ny as f64);
        let cell = every as f64 * dx.min(dy);
        let pairs = self.u.values.iter().zip(&self.v.values).map(|(u, v)| u.abs().max(v.abs()));
        let longest = pairs.filter(|length| length.is_finite()).fold(0.0, f64::max);
        for i in (every / 2..nx).step_by(every) {
            for j in (every / 2..ny).step_by(every) {
                // Divided first: the squares of large components would overflow.
                let (u, v) = (self.u.at(i, j) / longest, self.v.at(i, j) / longest);
                if u.is_finite() && v.is_finite() && u.hypot(v) > 0.02 {
                    let middle = (plane.area.left + (i as f64 + 0.5) * dx, plane.area.bottom - (j as f64 + 0.5) * dy);
                    draw_arrow(scene, middle, (0.9 * cell * u, -0.9 * cell * v), colour);
                }
            }
        }
    }
}

/// An arrow around its middle, dark at the edges where it is pale.
fn draw_arrow(scene: &mut Scene, middle: Point, (x, y): Point, colour: Colour) {
    let length = x.hypot(y);
    let head = (0.4 * length).clamp(2.0, 7.0).min(length);
    let (ex, ey) = (x / length, y / length);
    let (tail, tip) = ((middle.0 - 0.5 * x, middle.1 - 0.5 * y), (middle.0 + 0.5 * x, middle.1 + 0.5 * y));
    let neck = (tip.0 - head * ex, tip.1 - head * ey);
    let side = |sign: f64| (neck.0 - sign * 0.45 * head * ey, neck.1 + sign * 0.45 * head * ex);
    if colour == Colour::WHITE {
        scene.line(vec![tail, tip], 2.6, Colour::INK);
        scene.line(vec![neck, side(1.0), tip, side(-1.0), neck], 1.6, Colour::INK);
    }
    scene.line(vec![tail, neck], 1.2, colour);
    scene.polygon(vec![side(1.0), tip, side(-1.0)], colour, 1.0);
}
