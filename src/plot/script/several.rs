//! Several figures: beside each other, and one after the other.

use rhai::Dynamic;

use super::data::extent;
use super::options::{colours, figure, text};
use crate::error::{Error, Result};
use crate::plot::{Animation, Figure, HeatMap, Panel, Panels, Values2d};
use crate::script::Call;
use crate::sde::Path;
use crate::tensor::Tensor;

pub(super) fn animation(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (sample, channel) = (o.count("sample", 0)?, o.count("channel", 0)?);
    let mut animation = if let Some(path) = c.object_if::<Path>(0) {
        let frames = (0..path.times().len())
            .map(|i| {
                let state = path.state(i)?.values.detach().select(0, sample as i64)?;
                let state = if state.rank() == 3 { state.select(0, channel as i64)? } else { state };
                let &[nx, ny] = state.shape().as_slice() else {
                    return Err(Error::shape("plot::animation: a path of two space dimensions")
                        .got(format!("{:?}", path.values().shape())));
                };
                Ok(Values2d::new([nx, ny], state.to_vec()?)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let like = HeatMap {
            title: text(&o, "title", "")?,
            x_label: text(&o, "x_label", "x")?,
            y_label: text(&o, "y_label", "y")?,
            extent: extent(&path.grid().cloned()),
            colours: colours(&o)?,
            ..HeatMap::default()
        };
        Animation::of_fields(&like, frames, path.times())?
    } else if let Some(frames) = c.object_if::<Tensor>(0) {
        let &[count, nx, ny] = frames.shape().as_slice() else {
            return Err(Error::shape("plot::animation: a tensor of frames has three axes")
                .got(format!("{:?}", frames.shape()))
                .expected("[time, x, y]"));
        };
        let values = |i: usize| Ok(Values2d::new([nx, ny], frames.detach().select(0, i as i64)?.to_vec()?)?);
        let like = HeatMap {
            title: text(&o, "title", "")?,
            x_label: text(&o, "x_label", "x")?,
            y_label: text(&o, "y_label", "y")?,
            colours: colours(&o)?,
            ..HeatMap::default()
        };
        let times: Vec<f64> = (0..count).map(|i| i as f64).collect();
        Animation::of_fields(&like, (0..count).map(values).collect::<Result<Vec<_>>>()?, &times)?
    } else {
        let unfit = || c.wrong(0, "a path of 2-D fields, a tensor [time, x, y], or an array of figures");
        let frames = c
            .array(0)
            .map_err(|_| unfit())?
            .iter()
            .map(|v| v.read_lock::<Figure>().map(|f| f.clone()))
            .collect::<Option<Vec<Figure>>>();
        Animation::new(frames.ok_or_else(unfit)?)
    };
    animation.frames_per_second = o.positive("fps", animation.frames_per_second)?;
    Ok(Dynamic::from(animation))
}

pub(super) fn panels(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let parts =
        c.array(0)?.iter().map(|v| v.read_lock::<Figure>().map(|f| f.panel.clone())).collect::<Option<Vec<Panel>>>();
    let parts = parts.ok_or_else(|| c.wrong(0, "an array of figures"))?;
    let columns = o.count("columns", 2)?.max(1);
    figure(&o, Panel::Panels(Panels::in_columns(text(&o, "title", "")?, parts, columns)))
}
