//! A scene as SVG.
//!
//! The SVG backend of `plotters` knows whole numbers only and no size for an image. So marks are drawn in units of a
//! twentieth, under a `viewBox` that scales them back, and images are written here, as PNG inside the file.

use std::fmt::Write as _;

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, FontTransform, ShapeStyle, TextStyle};

use super::error::PlotError;
use super::font;
use super::output::{MAX_SIDE, png_bytes};
use super::raster::{Pixels, drawing_failed, ink};
use super::scene::{Anchor, Area, Bitmap, Mark, Point, Scene, Text};

const UNITS: f64 = 20.0;

/// # Errors
/// [`PlotError::TooLarge`] for a side above [`MAX_SIDE`].
pub(crate) fn document(scene: &Scene) -> Result<String, PlotError> {
    let side = 1.0..=f64::from(MAX_SIDE);
    if !side.contains(&scene.width) || !side.contains(&scene.height) {
        return Err(PlotError::TooLarge { width: scene.width, height: scene.height, scale: 1.0 });
    }
    let (width, height) = (scene.width, scene.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n<g stroke-linejoin=\"round\">\n",
        width * UNITS,
        height * UNITS
    );
    // Runs of other marks between images, each run by one backend.
    for run in scene.marks.chunk_by(|a, b| !is_image(a) && !is_image(b)) {
        match run {
            [Mark::Image { area, bitmap }] => image(&mut text, *area, bitmap)?,
            marks => text.push_str(&drawn_by_plotters(marks)?),
        }
    }
    text.push_str("</g>\n</svg>\n");
    Ok(text)
}

fn is_image(mark: &Mark) -> bool {
    matches!(mark, Mark::Image { .. })
}

fn place(point: Point) -> (i32, i32) {
    ((point.0 * UNITS).round() as i32, (point.1 * UNITS).round() as i32)
}

/// The elements without the document around them, whose size would be the one of this scene in small units.
fn drawn_by_plotters(marks: &[Mark]) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, (1, 1));
        for mark in marks {
            draw(&mut backend, mark)?;
        }
        backend.present().map_err(drawing_failed)?;
    }
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    Ok(body.strip_suffix("</svg>\n").unwrap_or(body).to_string())
}

fn draw(backend: &mut SVGBackend, mark: &Mark) -> Result<(), PlotError> {
    let drawn = match mark {
        Mark::Line { points, width, colour } => {
            let stroke = (width * UNITS).round().max(1.0) as u32;
            let style = ShapeStyle { color: ink(*colour, 1.0), filled: false, stroke_width: stroke };
            backend.draw_path(points.iter().map(|point| place(*point)), &style)
        }
        Mark::Polygon { points, colour, alpha } => {
            backend.fill_polygon(points.iter().map(|point| place(*point)), &ink(*colour, *alpha))
        }
        Mark::Rect { area, colour, alpha } => {
            let (from, to) = (place((area.left, area.top)), place((area.right, area.bottom)));
            backend.draw_rect(from, to, &ink(*colour, *alpha), true)
        }
        Mark::Disc { centre, radius, colour } => {
            backend.draw_circle(place(*centre), (radius * UNITS).round() as u32, &ink(*colour, 1.0), true)
        }
        Mark::Text(text) => return draw_text(backend, text),
        Mark::Image { .. } => Ok(()),
    };
    drawn.map_err(drawing_failed)
}

/// `plotters` writes the size over 1.24 as `font-size`, and puts the base line 0.76 of that below the point.
fn draw_text(backend: &mut SVGBackend, text: &Text) -> Result<(), PlotError> {
    let anchor = match text.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let font = FontDesc::new(FontFamily::Name(font::FAMILY), 1.24 * text.em * UNITS, FontStyle::Normal);
    let colour = ink(text.colour, 1.0);
    let style = TextStyle::from(font).color(&colour).pos(Pos::new(anchor, VPos::Top));
    let down = (0.5 * font::CAPITAL_HEIGHT - 0.76) * text.em;
    let (style, at) = if text.upright {
        let style = style.transform(FontTransform::Rotate270);
        (style, (text.at.0 + down, text.at.1))
    } else {
        (style, (text.at.0, text.at.1 + down))
    };
    backend.draw_text(&text.text, &style, place(at)).map_err(drawing_failed)
}

fn image(text: &mut String, area: Area, bitmap: &Bitmap) -> Result<(), PlotError> {
    let pixels = enlarged(bitmap, area);
    let encoded = base64(&png_bytes(&pixels)?);
    let (left, top) = place((area.left, area.top));
    let (right, bottom) = place((area.right, area.bottom));
    writeln!(
        text,
        "<image x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{encoded}\"/>",
        right - left,
        bottom - top
    )
    .map_err(drawing_failed)
}

/// Cells of about two pixels or more: viewers that ignore `image-rendering` would blur an image with few cells.
fn enlarged(bitmap: &Bitmap, area: Area) -> Pixels {
    let times = |length: f64, cells: usize| ((2.0 * length / cells as f64).ceil() as usize).clamp(1, 400);
    let (across, down) = (times(area.width(), bitmap.columns), times(area.height(), bitmap.rows));
    let mut rgb = Vec::with_capacity(bitmap.pixels.len() * across * down);
    for row in bitmap.pixels.chunks_exact(3 * bitmap.columns) {
        let wide: Vec<u8> = row.chunks_exact(3).flat_map(|pixel| pixel.repeat(across)).collect();
        rgb.extend(wide.repeat(down));
    }
    Pixels { width: (bitmap.columns * across) as u32, height: (bitmap.rows * down) as u32, rgb }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if chunk.len() > 1 { digit(bits >> 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(bits) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_pads_like_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(super::base64(plain.as_bytes()), coded);
        }
    }
}
