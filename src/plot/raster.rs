//! A scene as pixels.
//!
//! `plotters` places everything on whole pixels and smooths few edges. So the scene is drawn up to three times as large and
//! shrunk by averaging: lines, text and fills get smooth edges and positions finer than a pixel.

use std::fmt::Display;
use std::ops::Range;

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBAColor};

use super::colour::Colour;
use super::error::PlotError;
use super::font;
use super::output::{MAX_PIXELS, MAX_SIDE};
use super::scene::{Anchor, Area, Bitmap, Mark, Point, Scene, Text};

/// Pixels, row by row from the top, three bytes each.
pub(crate) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

/// The drawing before it is shrunk has at most this many pixels (200 MB).
const MAX_DRAWN_PIXELS: usize = 66_000_000;

/// Draws `scene` with `scale` pixels per logical unit.
///
/// # Errors
/// [`PlotError::TooLarge`] beyond the limits of [`super::output`].
pub(crate) fn rasterise(scene: &Scene, scale: f64) -> Result<Pixels, PlotError> {
    let (width, height) = pixel_size(scene, scale)?;
    let finer = (1..=3).rev().find(|n| width * height * n * n <= MAX_DRAWN_PIXELS).unwrap_or(1);
    let (drawn_width, drawn_height) = (width * finer, height * finer);
    let mut drawn = vec![255_u8; drawn_width * drawn_height * 3];
    {
        let backend = BitMapBackend::with_buffer(&mut drawn, (drawn_width as u32, drawn_height as u32));
        let mut canvas = Canvas { backend, scale, finer };
        for mark in &scene.marks {
            canvas.draw(mark)?;
        }
        canvas.backend.present().map_err(drawing_failed)?;
    }
    Ok(Pixels { width: width as u32, height: height as u32, rgb: shrink(&drawn, width, height, finer) })
}

/// Size in pixels, refused before anything is allocated.
fn pixel_size(scene: &Scene, scale: f64) -> Result<(usize, usize), PlotError> {
    let (width, height) = ((scene.width * scale).round(), (scene.height * scale).round());
    let side = 1.0..=f64::from(MAX_SIDE);
    if side.contains(&width) && side.contains(&height) && width * height <= MAX_PIXELS as f64 {
        Ok((width as usize, height as usize))
    } else {
        Err(PlotError::TooLarge { width: scene.width, height: scene.height, scale })
    }
}

pub(crate) fn drawing_failed(error: impl Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

/// A colour as `plotters` takes it.
pub(crate) fn ink(colour: Colour, alpha: f64) -> RGBAColor {
    RGBAColor(colour.0, colour.1, colour.2, alpha)
}

struct Canvas<'a> {
    backend: BitMapBackend<'a>,
    /// Pixels of the result per logical unit.
    scale: f64,
    /// Drawn pixels per pixel of the result.
    finer: usize,
}

impl Canvas<'_> {
    fn draw(&mut self, mark: &Mark) -> Result<(), PlotError> {
        match mark {
            Mark::Line { points, width, colour } => self.line(points, *width, *colour),
            Mark::Polygon { points, colour, alpha } => {
                let corners: Vec<_> = points.iter().map(|point| self.place(*point)).collect();
                self.backend.fill_polygon(corners, &ink(*colour, *alpha)).map_err(drawing_failed)
            }
            Mark::Rect { area, colour, alpha } => self.rect(*area, *colour, *alpha),
            Mark::Disc { centre, radius, colour } => self.disc(self.drawn(*centre), radius * self.factor(), *colour),
            Mark::Text(text) => self.text(text),
            Mark::Image { area, bitmap } => self.image(*area, bitmap),
        }
    }

    fn factor(&self) -> f64 {
        self.scale * self.finer as f64
    }

    fn drawn(&self, point: Point) -> Point {
        (point.0 * self.factor(), point.1 * self.factor())
    }

    fn place(&self, point: Point) -> (i32, i32) {
        let (x, y) = self.drawn(point);
        (x.round() as i32, y.round() as i32)
    }

    /// Segment by segment with round joints: `plotters` would fill one polygon around the whole line, which leaves holes
    /// where the line crosses itself.
    fn line(&mut self, points: &[Point], width: f64, colour: Colour) -> Result<(), PlotError> {
        let half = (0.5 * width * self.factor()).max(0.5);
        let drawn: Vec<Point> = points.iter().map(|point| self.drawn(*point)).collect();
        for (a, b) in drawn.iter().zip(drawn.iter().skip(1)) {
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length > 0.0 {
                let (x, y) = (half * (a.1 - b.1) / length, half * (b.0 - a.0) / length);
                let corners = [(a.0 + x, a.1 + y), (b.0 + x, b.1 + y), (b.0 - x, b.1 - y), (a.0 - x, a.1 - y)];
                let corners = corners.map(|(x, y)| (x.round() as i32, y.round() as i32));
                self.backend.fill_polygon(corners, &ink(colour, 1.0)).map_err(drawing_failed)?;
            }
        }
        for joint in drawn.iter().take(drawn.len().saturating_sub(1)).skip(1) {
            self.disc(*joint, half, colour)?;
        }
        Ok(())
    }

    fn disc(&mut self, centre: Point, radius: f64, colour: Colour) -> Result<(), PlotError> {
        let centre = (centre.0.round() as i32, centre.1.round() as i32);
        let radius = radius.round().max(1.0) as u32;
        self.backend.draw_circle(centre, radius, &ink(colour, 1.0), true).map_err(drawing_failed)
    }

    /// Edges on whole pixels of the result, at least one pixel wide.
    fn whole(&self, area: Area) -> (i32, i32, i32, i32) {
        let snap = |low: f64, high: f64| {
            let low = (low * self.scale).round();
            let high = (high * self.scale).round().max(low + 1.0);
            ((low * self.finer as f64) as i32, (high * self.finer as f64) as i32)
        };
        let ((left, right), (top, bottom)) = (snap(area.left, area.right), snap(area.top, area.bottom));
        (left, top, right, bottom)
    }

    fn rect(&mut self, area: Area, colour: Colour, alpha: f64) -> Result<(), PlotError> {
        let (left, top, right, bottom) = self.whole(area);
        // The bitmap backend fills up to its second corner, without it.
        self.backend.draw_rect((left, top), (right, bottom), &ink(colour, alpha), true).map_err(drawing_failed)
    }

    fn text(&mut self, text: &Text) -> Result<(), PlotError> {
        let em = text.em * self.factor();
        let back = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5 * font::width(&text.text, em),
            Anchor::End => font::width(&text.text, em),
        };
        let down = 0.5 * font::CAPITAL_HEIGHT * em;
        let (x, y) = self.drawn(text.at);
        let (x, y) = if text.upright { (x + down, y + back) } else { (x - back, y + down) };
        let (x, y) = (x.round() as i32, y.round() as i32);
        let (width, height) = self.backend.get_size();
        let mut done = Ok(());
        font::pixels(&text.text, em, |right, below, coverage| {
            let at = if text.upright { (x + below, y - right) } else { (x + right, y + below) };
            let inside = (0..width as i32).contains(&at.0) && (0..height as i32).contains(&at.1);
            if inside && coverage > 0.0 && done.is_ok() {
                done = self.backend.draw_pixel(at, ink(text.colour, f64::from(coverage).min(1.0)).to_backend_color());
            }
        });
        done.map_err(drawing_failed)
    }

    fn image(&mut self, area: Area, bitmap: &Bitmap) -> Result<(), PlotError> {
        let (left, top, right, bottom) = self.whole(area);
        let (width, height) = ((right - left) as usize, (bottom - top) as usize);
        let pixels = resample(bitmap, width, height);
        self.backend.blit_bitmap((left, top), (width as u32, height as u32), &pixels).map_err(drawing_failed)
    }
}

/// Each target pixel shows the cells under it: one cell enlarged stays a sharp block, many are averaged.
fn resample(bitmap: &Bitmap, width: usize, height: usize) -> Vec<u8> {
    let span = |index: usize, count: usize, cells: usize| {
        let from = index * cells / count;
        from..((index + 1) * cells / count).max(from + 1).min(cells)
    };
    let columns: Vec<Range<usize>> = (0..width).map(|x| span(x, width, bitmap.columns)).collect();
    let mut pixels: Vec<u8> = Vec::with_capacity(width * height * 3);
    let mut before = 0..0;
    for y in 0..height {
        let rows = span(y, height, bitmap.rows);
        if rows == before {
            // Enlarged cells: the same row again.
            pixels.extend_from_within(pixels.len() - 3 * width..);
            continue;
        }
        for columns in &columns {
            let (mut sum, mut cells) = ([0_u32; 3], 0_u32);
            for row in rows.clone() {
                let start = 3 * (row * bitmap.columns + columns.start);
                let end = 3 * (row * bitmap.columns + columns.end);
                for [r, g, b] in bitmap.pixels.get(start..end).unwrap_or_default().as_chunks::<3>().0 {
                    sum = [sum[0] + u32::from(*r), sum[1] + u32::from(*g), sum[2] + u32::from(*b)];
                    cells += 1;
                }
            }
            pixels.extend(sum.map(|total| (total / cells.max(1)) as u8));
        }
        before = rows;
    }
    pixels
}

fn shrink(drawn: &[u8], width: usize, height: usize, finer: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0_u32; width * 3];
    let count = (finer * finer) as u32;
    for rows in drawn.chunks_exact(width * finer * finer * 3) {
        sums.fill(0);
        for row in rows.chunks_exact(width * finer * 3) {
            for (block, sum) in row.chunks_exact(finer * 3).zip(sums.chunks_exact_mut(3)) {
                for pixel in block.chunks_exact(3) {
                    for (total, value) in sum.iter_mut().zip(pixel) {
                        *total += u32::from(*value);
                    }
                }
            }
        }
        rgb.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
    }
    rgb
}
