//! The box that says which colour is what.

use super::axes::{GAP, SMALL};
use super::colour::Colour;
use super::font;
use super::lines::LineStyle;
use super::scene::{Anchor, Area, Point, Scene};

/// One line of a legend.
pub(crate) struct Entry {
    pub text: String,
    pub colour: Colour,
    /// None: a filled square.
    pub style: Option<LineStyle>,
    pub band: bool,
}

const SAMPLE: f64 = 24.0;
const LINE: f64 = SMALL + 6.5;
const MOST_TEXT: f64 = 240.0;

/// Width and height of the box.
pub(crate) fn size(entries: &[Entry]) -> (f64, f64) {
    let text = entries.iter().map(|entry| font::width(&entry.text, SMALL)).fold(0.0, f64::max).min(MOST_TEXT);
    (SAMPLE + text + 4.0 * GAP, entries.len() as f64 * LINE + GAP)
}

/// The place inside `area` that covers the fewest of the `occupied` places, if it covers next to none.
pub(crate) fn inside(entries: &[Entry], area: Area, occupied: &[Point]) -> Option<Point> {
    let (width, height) = size(entries);
    if entries.is_empty() || width > 0.6 * area.width() || height > 0.6 * area.height() {
        return None;
    }
    let (left, right) = (area.left + 8.0, area.right - 8.0 - width);
    let (top, bottom) = (area.top + 8.0, area.bottom - 8.0 - height);
    let (middle, center) = (0.5 * (left + right), 0.5 * (top + bottom));
    let places = [
        (right, top), (left, top), (right, bottom), (left, bottom),
        (middle, top), (middle, bottom), (right, center), (left, center),
    ];
    let covered = |(x, y): Point| {
        let cover = Area::new(x - 4.0, y - 4.0, x + width + 4.0, y + height + 4.0);
        occupied.iter().filter(|point| cover.contains(**point)).count()
    };
    let best = places.into_iter().map(|place| (covered(place), place)).min_by_key(|(count, _)| *count)?;
    (best.0 * 100 <= occupied.len()).then_some(best.1)
}

/// Draws the box with its upper left corner at the given place.
pub(crate) fn draw(scene: &mut Scene, entries: &[Entry], (left, top): Point, framed: bool) {
    let (width, height) = size(entries);
    if framed {
        let area = Area::new(left, top, left + width, top + height);
        scene.rect(area, Colour::WHITE, 0.85);
        scene.outline(area, Colour(0xcc, 0xcc, 0xcc));
    }
    for (index, entry) in entries.iter().enumerate() {
        let y = top + 0.5 * GAP + (index as f64 + 0.5) * LINE;
        let (from, to) = (left + GAP, left + GAP + SAMPLE);
        let swatch = Area::new(from, y - 5.0, to, y + 5.0);
        match entry.style {
            None => scene.rect(swatch, entry.colour, 0.6),
            Some(style) => draw_sample(scene, entry, style, swatch),
        }
        let text = font::cut(&entry.text, SMALL, MOST_TEXT + 1.0);
        scene.text(text, (to + 1.3 * GAP, y), SMALL, Anchor::Start);
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
