//! What stands around a plot: title, frame, marks and labels, and the room they take.

use super::axes::{Plane, Span};
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
    /// What the frame was given: titles and labels stay inside.
    within: Area,
    x_ticks: Ticks,
    y_ticks: Ticks,
    title: Vec<String>,
}

impl Frame<'_> {
    /// Finds room for everything inside `area`.
    pub fn layout(&self, area: Area) -> Result<Layout, PlotError> {
        let title = font::wrap(self.title, TITLE, area.width() - 4.0 * GAP);
        let top = area.top + title_height(&title, TITLE).max(10.0);
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
        Ok(Layout { plane: Plane { area: plane, x: self.x, y: self.y }, within: area, x_ticks, y_ticks, title })
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
        let Layout { plane, within, x_ticks, y_ticks, title } = layout;
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
        let x_label = font::cut(
            &with_note(self.x_label, &x_ticks.note),
            LABEL,
            2.0 * (middle - within.left).min(within.right - middle),
        );
        let below = bottom + TICK + GAP + SMALL + GAP + 0.5 * LABEL - 2.0;
        scene.text(x_label, (middle, below), LABEL, Anchor::Middle);
        let beside = left - TICK - 4.0 - widest(y_ticks) - GAP - 0.5 * LABEL;
        scene.upright(
            &with_note(self.y_label, &y_ticks.note),
            (beside, center),
            LABEL,
            2.0 * (within.bottom - center).min(center - within.top),
        );
        draw_title(scene, title, TITLE, (0.5 * (left + right), top), *within);
    }
}

pub(crate) fn title_height(lines: &[String], em: f64) -> f64 {
    if lines.is_empty() { 0.0 } else { lines.len() as f64 * (em + 5.0) + GAP + 3.0 }
}

/// Lines of a title that ends above `bottom`, moved sideways where they would leave `within`.
pub(crate) fn draw_title(scene: &mut Scene, lines: &[String], em: f64, (middle, bottom): Point, within: Area) {
    let half = lines.iter().map(|line| 0.5 * font::width(line, em) + GAP).fold(0.0, f64::max);
    let fits = 2.0 * half < within.width();
    let x = if fits { middle.clamp(within.left + half, within.right - half) } else { within.middle().0 };
    for (line, text) in lines.iter().rev().enumerate() {
        let y = bottom - GAP - 1.0 - 0.5 * em - line as f64 * (em + 5.0);
        scene.text(text, (x, y), em, Anchor::Middle);
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
