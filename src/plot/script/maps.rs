//! Pictures of fields: colours and arrows over the plane.

use rhai::Dynamic;

use super::data::{extent, list, plane};
use super::options::{colours, figure, pair, text};
use crate::error::{Error, Result};
use crate::plot::{HeatMap, Images, Panel, Sharing, SpaceTime, Values2d, VectorField};
use crate::script::Call;
use crate::script::value::Operand;
use crate::sde::Path;

pub(super) fn heat_map(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (field, grid) = plane(c, &c.value(0)?, o.count("sample", 0)?, o.count("channel", 0)?)?;
    let panel = HeatMap {
        title: text(&o, "title", "")?,
        x_label: text(&o, "x_label", "x")?,
        y_label: text(&o, "y_label", "y")?,
        field,
        extent: extent(&grid),
        colours: colours(&o)?,
        ..HeatMap::default()
    };
    figure(&o, Panel::HeatMap(panel))
}

pub(super) fn images(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (columns, channel) = (o.count("columns", 6)?.max(1), o.count("channel", 0)?);
    let rows = list(c)?
        .iter()
        .map(|value| {
            let samples = match Operand::of(value) {
                Some(Operand::Field(field)) => field.samples(),
                Some(Operand::Tensor(t)) if t.rank() > 2 => t.shape().first().copied().unwrap_or(1),
                _ => 1,
            };
            (0..columns.min(samples)).map(|sample| plane(c, value, sample, channel).map(|p| p.0)).collect()
        })
        .collect::<Result<Vec<Vec<Values2d>>>>()?;
    let panel = Images {
        title: text(&o, "title", "")?,
        rows,
        row_labels: o.strings_if("titles")?.unwrap_or_default(),
        column_labels: o.strings_if("column_titles")?.unwrap_or_default(),
        sharing: o.choice("sharing", &[("all", Sharing::All), ("row", Sharing::Row), ("image", Sharing::Image)])?,
        colours: colours(&o)?,
    };
    figure(&o, Panel::Images(panel))
}

pub(super) fn space_time(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(1)?;
    let (sample, channel) = (o.count("sample", 0)?, o.count("channel", 0)?);
    let panel = if let Some(path) = c.object_if::<Path>(0) {
        let values = path.values().detach().select(0, sample as i64)?;
        let values = if values.rank() == 3 { values.select(1, channel as i64)? } else { values };
        let &[nt, nx] = values.shape().as_slice() else {
            return Err(Error::shape("plot::space_time: a path of one space dimension")
                .got(format!("{:?}", path.values().shape())));
        };
        let times = path.times();
        let space = path.grid().and_then(|g| g.axes().first().map(|a| (a.low, a.high)));
        SpaceTime {
            field: Values2d::new([nt, nx], values.to_vec()?)?,
            times: times.first().copied().zip(times.last().copied()),
            space,
            ..SpaceTime::default()
        }
    } else {
        SpaceTime {
            field: plane(c, &c.value(0)?, sample, channel)?.0,
            times: pair(&o, "times")?,
            space: pair(&o, "space")?,
            ..SpaceTime::default()
        }
    };
    let panel = SpaceTime {
        title: text(&o, "title", "")?,
        time_label: text(&o, "time_label", "t")?,
        space_label: text(&o, "space_label", "x")?,
        colours: colours(&o)?,
        ..panel
    };
    figure(&o, Panel::SpaceTime(panel))
}

pub(super) fn vectors(c: &mut Call) -> Result<Dynamic> {
    let o = c.options(2)?;
    let sample = o.count("sample", 0)?;
    let (u, grid) = plane(c, &c.value(0)?, sample, 0)?;
    let (v, _) = plane(c, &c.value(1)?, sample, 0)?;
    let panel = VectorField {
        title: text(&o, "title", "")?,
        x_label: text(&o, "x_label", "x")?,
        y_label: text(&o, "y_label", "y")?,
        u,
        v,
        extent: extent(&grid),
        arrows: o.count_if("arrows")?,
        colours: colours(&o)?,
        ..VectorField::default()
    };
    figure(&o, Panel::VectorField(panel))
}
