//! `evcxr_display`: in a notebook of the stock evcxr kernel, a value of the library at the end of a cell is shown by it.
//!
//! evcxr reads the forms from standard output, between lines that name their type.

use std::fmt::Write as _;

use super::html::base64;
use super::{Rich, field, of_animation, of_equation, of_figure, tensor};
use crate::equation::Equation;
use crate::field::{Field, Path};
use crate::plot::{Animation, Figure};
use crate::tensor::Tensor;

/// The text that evcxr reads.
pub(super) fn message(rich: &Rich) -> String {
    let mut out = String::new();
    let mut put = |kind: &str, content: &str| {
        let _ = write!(out, "EVCXR_BEGIN_CONTENT {kind}\n{content}\nEVCXR_END_CONTENT\n");
    };
    put("text/plain", &rich.text);
    if let Some(html) = &rich.html {
        put("text/html", html);
    }
    if let Some(latex) = &rich.latex {
        put("text/latex", latex);
    }
    if let Some(svg) = &rich.svg {
        put("image/svg+xml", svg);
    }
    if let Some(png) = &rich.png {
        put("image/png", &base64(png));
    }
    if let Some(gif) = &rich.gif {
        put("image/gif", &base64(gif));
    }
    out
}

macro_rules! shown_by {
    ($($type:ty => $rich:expr),* $(,)?) => {
        $(impl $type {
            /// Shows it in a notebook of the stock evcxr kernel, which calls this for the value at the end of a cell.
            pub fn evcxr_display(&self) {
                let rich: fn(&$type) -> Rich = $rich;
                print!("{}", message(&rich(self)));
            }
        })*
    };
}

shown_by! {
    Figure => of_figure,
    Animation => of_animation,
    Equation => of_equation,
    Tensor => |t| tensor::of_tensor(t, "Tensor"),
    Field => field::of_field,
    Path => field::of_path,
}
