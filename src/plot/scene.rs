//! A scene: a list of marks in logical units (the origin at the top left, y down), which every output reads.
//!
//! Panels write marks; `raster` and `svg` turn them into files. So what a panel draws is written once, and a test can
//! look at it without decoding a file.

use super::colour::Colour;
use super::font;

pub(crate) type Point = (f64, f64);

/// A box between (`left`, `top`) and (`right`, `bottom`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Area { left, top, right, bottom }
    }
    pub fn width(&self) -> f64 {
        self.right - self.left
    }
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
    pub fn middle(&self) -> Point {
        (0.5 * (self.left + self.right), 0.5 * (self.top + self.bottom))
    }
    pub fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub text: String,
    /// Horizontally what `anchor` says, vertically the middle of the capital letters.
    pub at: Point,
    pub em: f64,
    pub anchor: Anchor,
    /// Turned by 90° to be read from below.
    pub upright: bool,
    pub colour: Colour,
}

/// A bitmap of `columns` × `rows` colours, row by row from the top.
#[derive(Clone, Debug)]
pub(crate) struct Bitmap {
    pub columns: usize,
    pub rows: usize,
    pub pixels: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// An open line with round joints.
    Line {
        points: Vec<Point>,
        width: f64,
        colour: Colour,
    },
    Polygon {
        points: Vec<Point>,
        colour: Colour,
        alpha: f64,
    },
    /// Moved to whole pixels, so that rules and bars are sharp.
    Rect {
        area: Area,
        colour: Colour,
        alpha: f64,
    },
    Disc {
        centre: Point,
        radius: f64,
        colour: Colour,
    },
    Text(Text),
    Image {
        area: Area,
        bitmap: Bitmap,
    },
}

/// Marks in the order in which they cover each other.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
}

impl Scene {
    pub fn new(width: f64, height: f64) -> Self {
        Scene { width, height, marks: Vec::new() }
    }

    pub fn area(&self) -> Area {
        Area::new(0.0, 0.0, self.width, self.height)
    }

    pub fn line(&mut self, points: Vec<Point>, width: f64, colour: Colour) {
        if points.len() > 1 {
            self.marks.push(Mark::Line { points, width, colour });
        }
    }

    /// A line in strokes and gaps of the given lengths, in turn.
    pub fn dashed(&mut self, points: &[Point], width: f64, colour: Colour, pattern: &[f64]) {
        for stroke in strokes(points, pattern) {
            self.line(stroke, width, colour);
        }
    }

    pub fn polygon(&mut self, points: Vec<Point>, colour: Colour, alpha: f64) {
        if points.len() > 2 {
            self.marks.push(Mark::Polygon { points, colour, alpha });
        }
    }

    pub fn rect(&mut self, area: Area, colour: Colour, alpha: f64) {
        self.marks.push(Mark::Rect { area, colour, alpha });
    }

    /// A horizontal or vertical rule of width one.
    pub fn rule(&mut self, from: Point, to: Point, colour: Colour) {
        let (left, right) = (from.0.min(to.0) - 0.5, from.0.max(to.0) + 0.5);
        let (top, bottom) = (from.1.min(to.1) - 0.5, from.1.max(to.1) + 0.5);
        self.rect(Area::new(left, top, right, bottom), colour, 1.0);
    }

    pub fn outline(&mut self, area: Area, colour: Colour) {
        let Area { left, top, right, bottom } = area;
        self.rule((left, top), (right, top), colour);
        self.rule((left, bottom), (right, bottom), colour);
        self.rule((left, top), (left, bottom), colour);
        self.rule((right, top), (right, bottom), colour);
    }

    pub fn disc(&mut self, centre: Point, radius: f64, colour: Colour) {
        self.marks.push(Mark::Disc { centre, radius, colour });
    }

    pub fn image(&mut self, area: Area, bitmap: Bitmap) {
        self.marks.push(Mark::Image { area, bitmap });
    }

    pub fn text(&mut self, text: impl Into<String>, at: Point, em: f64, anchor: Anchor) {
        let text = printable(text.into());
        if !text.is_empty() {
            self.marks.push(Mark::Text(Text { text, at, em, anchor, upright: false, colour: Colour::INK }));
        }
    }

    /// A text read from below, cut to the `room` it has.
    pub fn upright(&mut self, text: &str, at: Point, em: f64, room: f64) {
        if !text.is_empty() {
            let text = font::cut(&printable(text.to_string()), em, room);
            self.marks.push(Mark::Text(Text {
                text,
                at,
                em,
                anchor: Anchor::Middle,
                upright: true,
                colour: Colour::INK,
            }));
        }
    }
}

/// Control characters have no shape, and are not allowed in an SVG.
fn printable(text: String) -> String {
    let bad = |letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    if text.contains(bad) { text.replace(bad, " ") } else { text }
}

/// Cuts a line into the strokes of a dash pattern; the pattern runs on across corners.
fn strokes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let (mut done, mut stroke): (Vec<Vec<Point>>, Vec<Point>) =
        (Vec::new(), points.first().copied().into_iter().collect());
    let mut lengths = pattern.iter().copied().filter(|length| *length > 0.0).cycle();
    let Some(mut left) = lengths.next() else {
        return vec![points.to_vec()];
    };
    let mut drawing = true;
    for (a, b) in points.iter().zip(points.iter().skip(1)) {
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let mut at = 0.0;
        while length - at > left {
            at += left;
            let place = (a.0 + (b.0 - a.0) * at / length, a.1 + (b.1 - a.1) * at / length);
            if drawing {
                stroke.push(place);
                done.push(std::mem::take(&mut stroke));
            } else {
                stroke = vec![place];
            }
            drawing = !drawing;
            left = lengths.next().unwrap_or(f64::INFINITY);
        }
        left -= length - at;
        if drawing {
            stroke.push(*b);
        }
    }
    if drawing {
        done.push(stroke);
    }
    done
}

/// The pieces of a line that lie inside `area` (Liang and Barsky, segment by segment).
pub(crate) fn clip_line(points: &[Point], area: Area) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    let mut piece: Vec<Point> = Vec::new();
    for (a, b) in points.iter().zip(points.iter().skip(1)) {
        let Some((from, to)) = clip_segment(*a, *b, area) else {
            pieces.push(std::mem::take(&mut piece));
            continue;
        };
        if piece.last() != Some(&from) {
            pieces.push(std::mem::take(&mut piece));
            piece.push(from);
        }
        piece.push(to);
    }
    pieces.push(piece);
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

fn clip_segment(a: Point, b: Point, area: Area) -> Option<(Point, Point)> {
    if area.contains(a) && area.contains(b) {
        return Some((a, b));
    }
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    let edges = [(-dx, a.0 - area.left), (dx, area.right - a.0), (-dy, a.1 - area.top), (dy, area.bottom - a.1)];
    for (towards, distance) in edges {
        if towards == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if towards < 0.0 {
            enter = enter.max(distance / towards);
        } else {
            leave = leave.min(distance / towards);
        }
    }
    let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// The part of a polygon inside `area` (Sutherland and Hodgman, one edge after the other).
pub(crate) fn clip_polygon(points: Vec<Point>, area: Area) -> Vec<Point> {
    if points.iter().all(|point| area.contains(*point)) {
        return points;
    }
    type Inside = fn(Point, f64) -> bool;
    type Cross = fn(Point, Point, f64) -> Point;
    let at_x: Cross = |a, b, x| (x, a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0));
    let at_y: Cross = |a, b, y| (a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1), y);
    let edges: [(f64, Inside, Cross); 4] = [
        (area.left, |p, e| p.0 >= e, at_x),
        (area.right, |p, e| p.0 <= e, at_x),
        (area.top, |p, e| p.1 >= e, at_y),
        (area.bottom, |p, e| p.1 <= e, at_y),
    ];
    edges.into_iter().fold(points, |points, (edge, inside, cross)| {
        let mut kept = Vec::with_capacity(points.len() + 2);
        let Some(mut previous) = points.last().copied() else {
            return kept;
        };
        for point in points {
            if inside(point, edge) != inside(previous, edge) {
                kept.push(cross(previous, point, edge));
            }
            if inside(point, edge) {
                kept.push(point);
            }
            previous = point;
        }
        kept
    })
}
