//! Tensors: shape, precision, device, statistics and a small picture.

use super::Rich;
use super::html::{card, escaped};
use super::picture::{Small, curves, plane};
use crate::error::Result;
use crate::plot::Values2d;
use crate::tensor::{Tensor, number};

/// Fewer numbers than this are read faster than a picture of them.
const LEAST: usize = 16;
/// More are not walked through for their statistics.
const MOST: usize = 1 << 25;

/// A tensor of some size as a card; a small one is text.
pub(super) fn of_tensor(tensor: &Tensor, kind: &str) -> Rich {
    let text = tensor.to_string();
    if tensor.len() < LEAST {
        return Rich::plain(text);
    }
    let (png, width) = small(tensor).ok().flatten().map_or((None, 0), |(png, width)| (Some(png), width));
    let html = card(&facts(tensor, kind), png.as_deref(), width);
    Rich { text, html: Some(html), ..Rich::default() }
}

/// Kind, shape, precision, device, and how the numbers lie.
pub(super) fn facts(tensor: &Tensor, kind: &str) -> String {
    let head = format!(
        "<b>{}</b> {:?} {} on {}",
        escaped(kind),
        tensor.shape(),
        tensor.precision().name(),
        tensor.device_name()
    );
    match statistics(tensor) {
        Some(text) => format!("{head} · {text}"),
        None => head,
    }
}

fn statistics(tensor: &Tensor) -> Option<String> {
    if tensor.len() > MOST {
        return None;
    }
    let values = tensor.to_vec().ok()?;
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let missing = values.len() - finite.len();
    let lost = if missing > 0 { format!(" · {missing} not finite") } else { String::new() };
    if finite.is_empty() {
        return Some(format!("{missing} not finite"));
    }
    let count = finite.len() as f64;
    let mean = finite.iter().sum::<f64>() / count;
    let spread = (finite.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let [low, high, mean, spread] = [low, high, mean, spread].map(number);
    Some(format!("from {low} to {high}, mean {mean}, standard deviation {spread}{lost}"))
}

/// A curve of one axis, the first plane of more.
fn small(tensor: &Tensor) -> Result<Small> {
    let mut part = tensor.detach();
    while part.rank() > 2 || part.shape().first() == Some(&1) && part.rank() > 1 {
        part = part.select(0, 0)?;
    }
    Ok(match *part.shape().as_slice() {
        [n] if (2..=1 << 16).contains(&n) => {
            curves(&(0..n).map(|i| i as f64).collect::<Vec<_>>(), vec![(String::new(), part.to_vec()?)])
        }
        [nx, ny] if nx > 0 && ny > 0 => plane(Values2d::new([nx, ny], part.to_vec()?)?, None),
        _ => None,
    })
}
