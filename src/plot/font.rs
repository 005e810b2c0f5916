//! The font that travels with the program: how wide a text is, and its shapes as pixels.
//!
//! Read with `ab_glyph` itself: the text of `plotters` 0.3.7 on top of it leaves out the bearings of the letters, which
//! makes their spacing visibly uneven.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

/// The `font-family` of SVG files, where a viewer without the first font takes the next.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Capital letters of DejaVu Sans are 0.729 em high.
pub(crate) const CAPITAL_HEIGHT: f64 = 0.729;

static FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans-subset.ttf");

/// None if the font in the program cannot be read; texts are then missing from a PNG.
fn font() -> Option<&'static FontRef<'static>> {
    static READ: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    READ.get_or_init(|| FontRef::try_from_slice(FONT).ok()).as_ref()
}

/// `ab_glyph` scales by the height from ascent to descent.
fn scale(font: &FontRef, em: f64) -> PxScale {
    let per_em = font.height_unscaled() / font.units_per_em().unwrap_or(2048.0);
    PxScale::from(em as f32 * per_em)
}

/// Width of `text` in the units of `em`.
pub(crate) fn width(text: &str, em: f64) -> f64 {
    walk(text, em, |_, _, _| {})
}

/// Calls `draw(x, y, coverage)` for each pixel of `text`, relative to the start of its base line, y down.
pub(crate) fn pixels(text: &str, em: f64, mut draw: impl FnMut(i32, i32, f32)) {
    walk(text, em, |font, letter, x| {
        let id = font.glyph_id(letter);
        let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale(font, em), point(x, 0.0))) else {
            return;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|x, y, coverage| draw(corner.x as i32 + x as i32, corner.y as i32 + y as i32, coverage));
    });
}

/// Calls `visit` for each letter with its place, and returns where the next one would stand.
fn walk(text: &str, em: f64, mut visit: impl FnMut(&FontRef, char, f32)) -> f64 {
    let Some(font) = font() else {
        return 0.6 * em * text.chars().count() as f64;
    };
    let scaled = font.as_scaled(scale(font, em));
    let (mut x, mut before) = (0.0_f32, None);
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        x += before.map_or(0.0, |before| scaled.kern(before, id));
        visit(font, letter, x);
        x += scaled.h_advance(id);
        before = Some(id);
    }
    f64::from(x)
}

/// Most letters and lines of a title.
const MOST_LETTERS: usize = 600;
const MOST_LINES: usize = 4;

/// `text` in at most four lines no wider than `room`, broken at spaces into lines of about one length.
pub(crate) fn wrap(text: &str, em: f64, room: f64) -> Vec<String> {
    let text: String = text.chars().take(MOST_LETTERS).collect();
    let mut lines = filled(&text, em, room);
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.iter_mut().skip(MOST_LINES - 1).for_each(|line| line.push('…'));
        return lines;
    }
    if lines.len() < 2 {
        return lines;
    }
    // The narrowest room that takes no further line.
    let narrower = (1..=10).map(|step| filled(&text, em, room * (1.0 - 0.06 * f64::from(step))));
    narrower.take_while(|narrower| narrower.len() == lines.len()).last().unwrap_or(lines)
}

fn filled(text: &str, em: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = if line.is_empty() { word.to_string() } else { format!("{line} {word}") };
            if !line.is_empty() && width(&longer, em) > room {
                lines.push(std::mem::replace(&mut line, word.to_string()));
            } else {
                line = longer;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    // A word may be wider than the room.
    lines.iter().map(|line| cut(line, em, room)).collect()
}

/// `text`, ended by … where it is wider than `room`.
pub(crate) fn cut(text: &str, em: f64, room: f64) -> String {
    let mut kept: Vec<char> = text.chars().take(MOST_LETTERS).collect();
    if kept.len() < MOST_LETTERS && width(text, em) <= room {
        return text.to_string();
    }
    while kept.len() > 1 {
        kept.pop();
        let shorter: String = kept.iter().collect::<String>() + "…";
        if width(&shorter, em) <= room {
            return shorter;
        }
    }
    "…".to_string()
}
