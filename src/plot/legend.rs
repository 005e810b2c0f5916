//! The box that says which colour is what.

use super::axes::Plane;
use super::colour::Colour;
use super::error::PlotError;
use super::font;
use super::frame::{Frame, GAP, Layout, SMALL};
use super::lines::{LegendPlace, LineStyle};
use super::scene::{Anchor, Area, Point, Scene};

/// One line of a legend.
pub(crate) struct Entry {
    pub text: String,
    pub colour: Colour,
    /// None: a filled square.
    pub style: Option<LineStyle>,
    pub band: bool,
}

/// Entries with the place the user wants for them.
pub(crate) struct Legend {
    entries: Vec<Entry>,
    wanted: LegendPlace,
    /// Width of the texts; what is longer is cut.
    text_width: f64,
}

/// Where a legend has room.
pub(crate) enum Spot {
    /// Inside the axes, with its upper left corner here.
    Inside(Point),
    /// Right of the axes.
    Beside,
    Nowhere,
}

const SAMPLE: f64 = 24.0;
const LINE: f64 = SMALL + 6.5;

impl Legend {
    pub fn new(entries: Vec<Entry>, wanted: LegendPlace, area: Area) -> Self {
        let widest = entries.iter().map(|entry| font::width(&entry.text, SMALL)).fold(0.0, f64::max);
        Legend { entries, wanted, text_width: widest.min(240.0).min(0.4 * area.width()) }
    }

    /// Lays the frame out and finds a spot; `occupied` are places that a legend should not cover.
    pub fn settle(
        &self,
        frame: &mut Frame,
        area: Area,
        occupied: impl FnOnce(&Plane) -> Vec<Point>,
    ) -> Result<(Layout, Spot), PlotError> {
        let layout = frame.layout(area)?;
        if self.entries.is_empty() || self.wanted == LegendPlace::None {
            return Ok((layout, Spot::Nowhere));
        }
        if self.wanted == LegendPlace::Auto
            && let Some(place) = self.inside(layout.plane.area, &occupied(&layout.plane))
        {
            return Ok((layout, Spot::Inside(place)));
        }
        frame.right = self.width() + 2.0 * GAP;
        Ok((frame.layout(area)?, Spot::Beside))
    }

    fn width(&self) -> f64 {
        SAMPLE + self.text_width + 4.0 * GAP
    }

    fn height(&self) -> f64 {
        self.entries.len() as f64 * LINE + GAP
    }

    /// The place inside `area` that covers the fewest of the `occupied` places, if it covers next to none.
    fn inside(&self, area: Area, occupied: &[Point]) -> Option<Point> {
        let (width, height) = (self.width(), self.height());
        if width > 0.6 * area.width() || height > 0.6 * area.height() {
            return None;
        }
        let (left, right) = (area.left + 8.0, area.right - 8.0 - width);
        let (top, bottom) = (area.top + 8.0, area.bottom - 8.0 - height);
        let (middle, center) = (0.5 * (left + right), 0.5 * (top + bottom));
        let corners = [(right, top), (left, top), (right, bottom), (left, bottom)];
        let sides = [(middle, top), (middle, bottom), (right, center), (left, center)];
        let covered = |(x, y): Point| {
            let cover = Area::new(x - 4.0, y - 4.0, x + width + 4.0, y + height + 4.0);
            occupied.iter().filter(|point| cover.contains(**point)).count()
        };
        let places = corners.into_iter().chain(sides).map(|place| (covered(place), place));
        let (count, place) = places.min_by_key(|(count, _)| *count)?;
        (count * 100 <= occupied.len()).then_some(place)
    }

    /// Draws the legend in its spot at the `plane`. Beside it, entries that find no room are counted.
    pub fn draw(&self, scene: &mut Scene, spot: &Spot, plane: Area) {
        match *spot {
            Spot::Nowhere => {}
            Spot::Inside((left, top)) => {
                let area = Area::new(left, top, left + self.width(), top + self.height());
                scene.rect(area, Colour::WHITE, 0.85);
                scene.outline(area, Colour(0xcc, 0xcc, 0xcc));
                self.draw_entries(scene, &self.entries, (left, top));
            }
            Spot::Beside => {
                let (left, fits) = (plane.right + 2.0 * GAP, ((plane.height() - GAP) / LINE).max(1.0) as usize);
                let shown = if self.entries.len() > fits { fits.saturating_sub(1) } else { fits };
                self.draw_entries(scene, self.entries.get(..shown).unwrap_or(&self.entries), (left, plane.top));
                let more = self.entries.len().saturating_sub(shown);
                if more > 0 {
                    let at = (left + GAP, plane.top + 0.5 * GAP + (shown as f64 + 0.5) * LINE);
                    scene.text(format!("… {more} more"), at, SMALL, Anchor::Start);
                }
            }
        }
    }

    fn draw_entries(&self, scene: &mut Scene, entries: &[Entry], (left, top): Point) {
        for (index, entry) in entries.iter().enumerate() {
            let y = top + 0.5 * GAP + (index as f64 + 0.5) * LINE;
            let (from, to) = (left + GAP, left + GAP + SAMPLE);
            let swatch = Area::new(from, y - 5.0, to, y + 5.0);
            match entry.style {
                None => scene.rect(swatch, entry.colour, 0.6),
                Some(style) => draw_sample(scene, entry, style, swatch),
            }
            let text = font::cut(&entry.text, SMALL, self.text_width + 0.5);
            scene.text(text, (to + 1.3 * GAP, y), SMALL, Anchor::Start);
        }
    }
}

fn draw_sample(scene: &mut Scene, entry: &Entry, style: LineStyle, swatch: Area) {
    let (middle, y) = swatch.middle();
    if entry.band {
        scene.rect(swatch, entry.colour, 0.2);
    }
    let line = vec![(swatch.left, y), (swatch.right, y)];
    match style.pattern() {
        _ if !style.has_line() => {}
        [] => scene.line(line, 1.9, entry.colour),
        pattern => scene.dashed(&line, 1.9, entry.colour, pattern),
    }
    if style.has_points() {
        scene.disc((middle, y), 2.6, entry.colour);
    }
}

/// Says in an empty plane why it is empty.
pub(crate) fn nothing_to_see(scene: &mut Scene, area: Area) {
    scene.text("no value that can be drawn", area.middle(), SMALL, Anchor::Middle);
}
