//! Script values as the plain numbers of pictures.

use rhai::{Array, Dynamic, Map};

use crate::error::{Error, Result};
use crate::field::{Field, Grid};
use crate::plot::Values2d;
use crate::script::value::{Operand, number_of};
use crate::script::{Call, Options};
use crate::sde::Path;

/// The elements of argument 0: an array of things, or one thing.
pub(super) fn list(c: &Call) -> Result<Vec<Dynamic>> {
    let value = c.value(0)?;
    match value.read_lock::<Array>() {
        // An array of numbers is one thing.
        Some(array) if !array.iter().all(|v| number_of(v).is_some()) || array.is_empty() => Ok(array.clone()),
        _ => Ok(vec![value.clone()]),
    }
}
pub(super) fn numbers(c: &Call, value: &Dynamic) -> Result<Vec<f64>> {
    match Operand::of(value).and_then(|o| o.into_tensor(c.session.context())) {
        Some(tensor) => tensor.to_vec(),
        None => crate::script::value::tensor_of(c.session.context(), value)?.to_vec(),
    }
}
/// What a value is drawn over, and its heights: a field over its axis, what a path holds over its times; the first sample and channel.
pub(super) fn curve(c: &Call, value: &Dynamic) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
    let axes = |grid: Option<&Grid>| grid.map_or(0, Grid::dimensions);
    if let Some(field) = value.read_lock::<Field>()
        && let [axis] = field.grid().axes()
    {
        let heights = field.values().detach().select(0, 0)?.select(0, 0)?.to_vec()?;
        return Ok(Some((axis.positions(), heights)));
    }
    let Some(path) = value.read_lock::<Path>() else { return Ok(None) };
    let mut heights = path.values().detach().select(0, 0)?;
    if axes(path.grid()) > 0 || heights.rank() > 2 {
        return Err(Error::typ(format!("{}: a line shows one state, or numbers over time", c.name()))
            .got("a path of fields")
            .advice("take a state (path.last()), plot::space_time(path) for one dimension, or plot::animation(path)"));
    }
    if heights.rank() == 2 {
        heights = heights.select(1, 0)?;
    }
    Ok(Some((path.times().to_vec(), heights.to_vec()?)))
}
pub(super) fn label(o: &Options, i: usize) -> Result<String> {
    Ok(o.strings_if("labels")?.and_then(|l| l.get(i).cloned()).unwrap_or_default())
}
pub(super) fn in_map<'m>(map: &'m Map, key: &str) -> Option<&'m Dynamic> {
    map.get(key).filter(|v| !v.is_unit())
}

/// The 2-D values of one sample and channel, and the box they fill.
pub(super) fn plane(c: &Call, value: &Dynamic, sample: usize, channel: usize) -> Result<(Values2d, Option<Grid>)> {
    let refuse = |shape: &[usize]| {
        Error::shape(format!("{}: a picture needs two dimensions", c.name()))
            .got(format!("shape {shape:?}"))
            .advice("take a slice first: field.values[[0, 0]]")
    };
    if value.read_lock::<Path>().is_some() {
        return Err(Error::typ(format!("{}: a picture shows one state", c.name()))
            .got("a path")
            .advice("take a state (path.last()), plot::space_time(path) for one dimension, or plot::animation(path)"));
    }
    let (tensor, grid) = match value.read_lock::<Field>() {
        Some(field) => {
            let values = field.values().detach().select(0, sample as i64)?.select(0, channel as i64)?;
            (values, Some(field.grid().clone()))
        }
        None => match Operand::of(value).and_then(|o| o.into_tensor(c.session.context())) {
            Some(mut tensor) => {
                // Leading axes are samples and channels.
                while tensor.rank() > 2 {
                    let at = if tensor.rank() == 4 {
                        sample
                    } else {
                        channel.min(tensor.shape().first().copied().unwrap_or(1).saturating_sub(1))
                    };
                    tensor = tensor.detach().select(0, at as i64)?;
                }
                (tensor, None)
            }
            None => (crate::script::value::tensor_of(c.session.context(), value)?, None),
        },
    };
    let &[nx, ny] = tensor.shape().as_slice() else { return Err(refuse(&tensor.shape())) };
    Ok((Values2d::new([nx, ny], tensor.to_vec()?)?, grid))
}
pub(super) fn extent(grid: &Option<Grid>) -> Option<[f64; 4]> {
    match grid.as_ref()?.axes() {
        [x, y] => Some([x.low, x.high, y.low, y.high]),
        _ => None,
    }
}
