//! From values to colours, and the bar that explains them.

use super::axes::{Scale, Span};
use super::colour::{Colour, ColourMap};
use super::error::PlotError;
use super::font;
use super::frame::{GAP, LABEL, SMALL, widest, with_note};
use super::scene::{Anchor, Area, Bitmap, Scene};
use super::ticks::Ticks;
use super::values::Values2d;

/// How the values of a map become colours.
#[derive(Clone, Debug)]
pub struct Colours {
    /// By default [`ColourMap::RedBlue`] where data changes sign (its smaller side at least a tenth of the larger one),
    /// and [`ColourMap::Viridis`] elsewhere.
    pub map: Option<ColourMap>,
    /// Values of the first and the last colour. By default the smallest and the largest value; symmetric around zero
    /// for a diverging map. Values beyond get the colour of the nearer end, and the bar a pointed end.
    pub limits: Option<(f64, f64)>,
    /// Linear by default.
    pub scale: Scale,
    /// What the colours mean, with its unit. Empty by default.
    pub label: String,
    /// Whether to draw the bar. True by default.
    pub bar: bool,
}

impl Default for Colours {
    fn default() -> Self {
        Colours { map: None, limits: None, scale: Scale::Linear, label: String::new(), bar: true }
    }
}

impl Colours {
    /// Finds map and limits for this data.
    pub(crate) fn fit<'a>(&self, data: impl Iterator<Item = &'a Values2d>) -> Result<Palette, PlotError> {
        let mut palette = Palette::unfit(self);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in data.flat_map(|values| values.values.iter().copied()) {
            if value.is_finite() && (self.scale == Scale::Linear || value > 0.0) {
                (low, high) = (low.min(value), high.max(value));
            } else {
                palette.gaps = true;
            }
        }
        if let Some(limits) = self.limits {
            palette.span = Span::checked("the colours", limits, self.scale)?;
            let signed = self.scale == Scale::Linear && limits.0 == -limits.1;
            palette.map = self.map.unwrap_or(if signed { ColourMap::RedBlue } else { ColourMap::Viridis });
        } else if low <= high {
            let signed =
                self.scale == Scale::Linear && low < 0.0 && high > 0.0 && 10.0 * (-low).min(high) >= (-low).max(high);
            palette.map = self.map.unwrap_or(if signed { ColourMap::RedBlue } else { ColourMap::Viridis });
            let symmetric = self.scale == Scale::Linear && palette.map.is_diverging();
            let ends = if symmetric { [-(-low).max(high), (-low).max(high)] } else { [low, high] };
            palette.span = Span::around(ends.into_iter(), self.scale);
        }
        palette.below = low < palette.span.low;
        palette.above = high > palette.span.high;
        Ok(palette)
    }
}

/// Colours with their limits found.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    pub map: ColourMap,
    pub span: Span,
    pub label: String,
    /// Whether data goes below or above the limits, or has values without a colour.
    below: bool,
    above: bool,
    gaps: bool,
}

const BAR: f64 = 15.0;
const BEFORE: f64 = 14.0;
/// What NaN and infinite values are called.
const GAPS: &str = "n/a";

impl Palette {
    fn unfit(colours: &Colours) -> Self {
        Palette {
            map: colours.map.unwrap_or(ColourMap::Viridis),
            span: Span::around(std::iter::empty(), colours.scale),
            label: colours.label.clone(),
            below: false,
            above: false,
            gaps: false,
        }
    }

    pub fn colour(&self, value: f64) -> Colour {
        self.span.fraction(value).map_or(self.map.gap(), |fraction| self.map.at(fraction))
    }

    /// The image of a field: its first axis to the right, its second upwards.
    pub fn image(&self, values: &Values2d) -> Bitmap {
        let [columns, rows] = values.shape;
        let mut pixels = Vec::with_capacity(3 * columns * rows);
        for j in (0..rows).rev() {
            for i in 0..columns {
                let Colour(r, g, b) = self.colour(values.at(i, j));
                pixels.extend([r, g, b]);
            }
        }
        Bitmap { columns, rows, pixels }
    }

    fn ticks(&self, height: f64) -> Ticks {
        Ticks::of(self.span, ((height / 42.0) as usize).clamp(2, 9))
    }

    /// Room for the texts beside a bar of this height.
    pub fn text_width(&self, height: f64) -> f64 {
        widest(&self.ticks(height)).max(if self.gaps { font::width(GAPS, SMALL) } else { 0.0 })
    }

    /// Room the bar needs to the right of what it explains.
    pub fn width(&self, height: f64) -> f64 {
        let label = if with_note(&self.label, &self.ticks(height).note).is_empty() { 0.0 } else { LABEL + GAP };
        BEFORE + BAR + 8.0 + self.text_width(height) + label + 4.0
    }

    /// Draws the bar right of the given area, as high as it, with its label right of texts of the given width.
    pub fn draw_bar(&self, scene: &mut Scene, beside: Area, text_width: f64) {
        let ticks = self.ticks(beside.height());
        let (left, right) = (beside.right + BEFORE, beside.right + BEFORE + BAR);
        let point = 0.8 * BAR;
        let top = beside.top + if self.above { point } else { 0.0 };
        let foot = if self.gaps { SMALL + 2.0 * GAP } else { 0.0 };
        let bottom = beside.bottom - foot - if self.below { point } else { 0.0 };
        let bar = Area::new(left, top, right, bottom);
        self.draw_ends(scene, bar, point);
        scene.image(bar, self.gradient());
        scene.outline(bar, Colour::INK);
        for (value, text) in &ticks.labelled {
            let Some(fraction) = self.span.fraction(*value).filter(|fraction| (-1e-9..=1.0 + 1e-9).contains(fraction))
            else {
                continue;
            };
            let y = bottom - fraction * bar.height();
            scene.rule((right, y), (right + 3.0, y), Colour::INK);
            // Bars above each other share no room: texts stay beside their own.
            let y = y.max(beside.top + 0.5 * SMALL).min(beside.bottom - 0.5 * SMALL);
            scene.text(text, (right + 8.0, y), SMALL, Anchor::Start);
        }
        if self.gaps {
            let y = beside.bottom - 0.5 * SMALL;
            scene.rect(Area::new(left, y - 5.0, right, y + 5.0), self.map.gap(), 1.0);
            scene.text(GAPS, (right + 8.0, y), SMALL, Anchor::Start);
        }
        let x = right + 8.0 + text_width + GAP + 0.5 * LABEL;
        scene.upright(&with_note(&self.label, &ticks.note), (x, beside.middle().1), LABEL, beside.height());
    }

    /// Pointed ends where data goes on beyond the limits.
    fn draw_ends(&self, scene: &mut Scene, bar: Area, point: f64) {
        let (middle, _) = bar.middle();
        for (pointed, base, tip, end) in
            [(self.above, bar.top, bar.top - point, 1.0), (self.below, bar.bottom, bar.bottom + point, 0.0)]
        {
            if pointed {
                let corners = vec![(bar.left, base), (middle, tip), (bar.right, base)];
                scene.polygon(corners.clone(), self.map.at(end), 1.0);
                scene.line(corners, 1.0, Colour::INK);
            }
        }
    }

    fn gradient(&self) -> Bitmap {
        let rows = 256;
        let colours = (0..rows).rev().map(|row| self.map.at((row as f64 + 0.5) / rows as f64));
        Bitmap { columns: 1, rows, pixels: colours.flat_map(|Colour(r, g, b)| [r, g, b]).collect() }
    }
}
