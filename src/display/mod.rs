//! How values look beyond text: HTML, LaTeX, pictures. A notebook shows the richest form it can.
//!
//! [`rich`] answers for every value of a script; the types themselves have `evcxr_display`, by which a notebook in Rust shows them.

mod evcxr;
mod field;
mod html;
mod picture;
mod tensor;
#[cfg(test)]
mod tests;

use rhai::{Array, Dynamic, Map};

use crate::equation::{Equation, Expr};
use crate::field::{Field, Path};
use crate::plot::{Animation, Figure};
use crate::script::table::{SharedTable, tables_of};
use crate::tensor::{Complex, Tensor};

pub use html::{escaped, table};

/// The forms in which a value can be shown. Those that do not suit it are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rich {
    /// As `print` shows it.
    pub text: String,
    /// A part of a page, without scripts.
    pub html: Option<String>,
    /// A formula between dollar signs.
    pub latex: Option<String>,
    /// A picture in PNG.
    pub png: Option<Vec<u8>>,
    /// Width of the picture on the page: its pixels are denser.
    pub width: Option<u32>,
    /// A picture in SVG.
    pub svg: Option<String>,
    /// A moving picture.
    pub gif: Option<Vec<u8>>,
}

impl Rich {
    /// Text alone.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// The forms of a script value whose text is `text`; a tensor's own tells more than the text that it is inside of others. What cannot be drawn is shown as text: no error, since nobody asked for a picture.
pub fn rich(value: &Dynamic, text: &str) -> Rich {
    let forms = if let Some(figure) = value.read_lock::<Figure>() {
        Some(of_figure(&figure))
    } else if let Some(animation) = value.read_lock::<Animation>() {
        Some(of_animation(&animation))
    } else if let Some(equation) = value.read_lock::<Equation>() {
        Some(of_equation(&equation))
    } else if let Some(expression) = value.read_lock::<Expr>() {
        Some(Rich { latex: Some(format!("$\\displaystyle {}$", expression.latex())), ..Rich::default() })
    } else if let Some(table) = value.read_lock::<SharedTable>() {
        Some(Rich { html: Some(html::table("", &table.header(), &table.rows())), ..Rich::default() })
    } else if let Some(map) = value.read_lock::<Map>() {
        let tables = tables_of(&map).iter().map(|t| html::table(&t.title, &t.header, &t.rows)).collect::<String>();
        Some(Rich { html: Some(tables).filter(|text| !text.is_empty()), ..Rich::default() })
    } else if let Some(array) = value.read_lock::<Array>() {
        Some(Rich { html: of_pictures(&array), ..Rich::default() })
    } else if let Some(field) = value.read_lock::<Field>() {
        Some(field::of_field(&field))
    } else if let Some(path) = value.read_lock::<Path>() {
        Some(field::of_path(&path))
    } else if let Some(z) = value.read_lock::<Complex>() {
        z.abs().ok().map(|size| tensor::of_tensor(&size, "Complex, its absolute value"))
    } else {
        value.read_lock::<Tensor>().map(|tensor| tensor::of_tensor(&tensor, "Tensor"))
    };
    let forms = forms.unwrap_or_default();
    let own = value.read_lock::<Tensor>().is_some();
    Rich { text: if own { forms.text } else { text.to_string() }, ..forms }
}

/// Pictures of an array that are shown.
const MOST_PICTURES: usize = 12;

/// The elements of an array side by side, when all of them are pictures.
fn of_pictures(array: &[Dynamic]) -> Option<String> {
    fn is<T: Clone + 'static>(value: &Dynamic) -> bool {
        value.read_lock::<T>().is_some()
    }
    let is = |v: &Dynamic| is::<Figure>(v) || is::<Animation>(v) || is::<Field>(v) || is::<Path>(v);
    if array.is_empty() || !array.iter().all(is) {
        return None;
    }
    let one = |value: &Dynamic| {
        let Rich { html, png, gif, width, .. } = rich(value, "");
        let image = |kind: &str, bytes: &[u8]| html::image(kind, bytes, width.unwrap_or(0));
        let picture = png.map(|png| image("png", &png)).or_else(|| gif.map(|gif| image("gif", &gif)));
        format!("<div style=\"display:inline-block\">{}</div>", html.or(picture).unwrap_or_default())
    };
    let mut out: String = array.iter().take(MOST_PICTURES).map(one).collect();
    if array.len() > MOST_PICTURES {
        out += &format!("<p>… and {} more</p>", array.len() - MOST_PICTURES);
    }
    Some(out)
}

fn of_figure(figure: &Figure) -> Rich {
    Rich {
        text: figure.to_string(),
        png: figure.to_png_bytes().ok(),
        width: Some(figure.size_or_natural().0 as u32),
        svg: figure.to_svg_string().ok(),
        ..Rich::default()
    }
}

fn of_animation(animation: &Animation) -> Rich {
    let width = animation.frames.first().map(|f| f.size_or_natural().0 as u32);
    Rich { text: animation.to_string(), gif: animation.to_gif_bytes().ok(), width, ..Rich::default() }
}

fn of_equation(equation: &Equation) -> Rich {
    Rich {
        text: equation.to_string(),
        latex: Some(format!("$\\displaystyle {}$", equation.latex())),
        ..Rich::default()
    }
}
