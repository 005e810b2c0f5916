//! The font that travels with the program, and how wide a text is in it.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::error::PlotError;

/// Also the `font-family` of SVG files, where a viewer without the first font takes the next.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

static FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans-subset.ttf");

/// `plotters` calls a font's height from ascent to descent its size, `ab_glyph`'s convention; DejaVu's is 1.164 em.
const HEIGHT_PER_EM: f64 = 1.164;

/// Capital letters of DejaVu Sans are 0.729 em high.
pub(crate) const CAPITAL_HEIGHT: f64 = 0.729;

/// Registers the font the first time it is needed.
pub(crate) fn ready() -> Result<(), PlotError> {
    static READY: OnceLock<bool> = OnceLock::new();
    let ready = READY.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    if *ready { Ok(()) } else { Err(PlotError::Draw("the font of the pictures cannot be read".into())) }
}

/// The font at `em` units per em.
pub(crate) fn font(em: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::Name(FAMILY), em * HEIGHT_PER_EM, FontStyle::Normal)
}

/// Width of `text` in the units of `em`. Measured ten times as large, because `plotters` answers in whole pixels.
pub(crate) fn width(text: &str, em: f64) -> f64 {
    if ready().is_err() {
        return 0.6 * em * text.chars().count() as f64;
    }
    font(10.0 * em).box_size(text).map_or(0.0, |(width, _)| f64::from(width) / 10.0)
}

/// `text` in lines no wider than `room`, broken at spaces; a word that is too long stays whole.
pub(crate) fn wrap(text: &str, em: f64, room: f64) -> Vec<String> {
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
    lines
}

/// `text`, ended by … where it is wider than `room`.
pub(crate) fn cut(text: &str, em: f64, room: f64) -> String {
    if width(text, em) <= room {
        return text.to_string();
    }
    let mut kept: Vec<char> = text.chars().take(400).collect();
    while kept.len() > 1 {
        kept.pop();
        let shorter: String = kept.iter().collect::<String>() + "…";
        if width(&shorter, em) <= room {
            return shorter;
        }
    }
    "…".to_string()
}
