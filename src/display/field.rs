//! Fields and paths: facts and a small picture of the first samples.

use super::Rich;
use super::html::{card, escaped};
use super::picture::{Small, curves, over_time, plane, planes};
use super::tensor::facts;
use crate::error::Result;
use crate::field::{Field, Path};
use crate::plot::Values2d;
use crate::tensor::Tensor;

/// Pictures side by side.
const SIDE_BY_SIDE: usize = 4;
/// Curves in one picture.
const CURVES: usize = 8;

fn shown(text: String, facts: String, small: Result<Small>) -> Rich {
    let (png, width) = small.ok().flatten().map_or((None, 0), |(png, width)| (Some(png), width));
    Rich { text, html: Some(card(&facts, png.as_deref(), width)), ..Rich::default() }
}

pub(super) fn of_field(field: &Field) -> Rich {
    let grid = escaped(&field.grid().to_string());
    shown(field.to_string(), format!("{}<br>{grid}", facts(field.values(), "Field")), of_samples(field))
}

fn of_samples(field: &Field) -> Result<Small> {
    let values = field.values().detach();
    match field.grid().axes() {
        [x] => {
            let channels = (0..field.channels().min(CURVES)).map(|channel| {
                let label = field.names().get(channel).cloned().unwrap_or_default();
                Ok((label, values.select(0, 0)?.select(0, channel as i64)?.to_vec()?))
            });
            Ok(curves(&x.positions(), channels.collect::<Result<_>>()?))
        }
        [x, y] => {
            let first = |sample: usize| as_plane(&values.select(0, sample as i64)?.select(0, 0)?);
            if field.samples() == 1 {
                return Ok(plane(first(0)?, Some([x.low, x.high, y.low, y.high])));
            }
            Ok(planes((0..field.samples().min(SIDE_BY_SIDE)).map(first).collect::<Result<_>>()?))
        }
        _ => Ok(None),
    }
}

pub(super) fn of_path(path: &Path) -> Rich {
    shown(path.to_string(), facts(path.values(), "Path"), of_times(path))
}

fn of_times(path: &Path) -> Result<Small> {
    let sample = path.values().detach().select(0, 0)?;
    let times = path.times();
    let axes = path.grid().map(|grid| grid.axes()).unwrap_or_default();
    match (axes, sample.rank()) {
        ([x], 3) => {
            let ends = times.first().copied().zip(times.last().copied());
            Ok(over_time(as_plane(&sample.select(1, 0)?)?, ends, Some((x.low, x.high))))
        }
        ([_, _], 4) => {
            let count = times.len().min(SIDE_BY_SIDE);
            // The first, the last and some between.
            let at = |i: usize| if count > 1 { i * (times.len() - 1) / (count - 1) } else { 0 };
            let picture = |i: usize| as_plane(&sample.select(0, at(i) as i64)?.select(0, 0)?);
            Ok(planes((0..count).map(picture).collect::<Result<_>>()?))
        }
        _ if times.len() > 1 && axes.is_empty() => {
            let flat = sample.reshape(&[times.len(), sample.len() / times.len()])?;
            let components = flat.shape().get(1).copied().unwrap_or(0).min(CURVES);
            let curve = |i: usize| {
                let label = path.names().get(i).cloned().unwrap_or_default();
                Ok((label, flat.select(1, i as i64)?.to_vec()?))
            };
            Ok(curves(times, (0..components).map(curve).collect::<Result<_>>()?))
        }
        _ => Ok(None),
    }
}

fn as_plane(tensor: &Tensor) -> Result<Values2d> {
    match *tensor.shape().as_slice() {
        [nx, ny] => Ok(Values2d::new([nx, ny], tensor.to_vec()?)?),
        _ => Ok(Values2d::default()),
    }
}
