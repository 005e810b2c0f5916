//! Small pictures of numbers.

use crate::plot::{Aspect, Figure, HeatMap, Images, Lines, Panel, Series, SpaceTime, Values2d};

/// Finer detail would not be seen.
const MOST_SIDE: usize = 256;

/// A picture and its width on the page.
pub(super) type Small = Option<(Vec<u8>, u32)>;

fn drawn(panel: Panel, width: f64, height: f64) -> Small {
    let figure = Figure { panel, size: Some((width, height)), scale: 2.0 };
    figure.to_png_bytes().ok().map(|png| (png, width as u32))
}

/// Curves over common positions.
pub(super) fn curves(x: &[f64], curves: Vec<(String, Vec<f64>)>) -> Small {
    let series = curves.into_iter().map(|(label, y)| Series::new(label, x.to_vec(), y)).collect();
    drawn(Panel::Lines(Lines { series, ..Lines::default() }), 340.0, 190.0)
}

/// A plane of numbers, with its box where it has one.
pub(super) fn plane(values: Values2d, extent: Option<[f64; 4]>) -> Small {
    let panel = HeatMap { field: thinned(values), extent, aspect: Aspect::Equal, ..HeatMap::default() };
    drawn(Panel::HeatMap(panel), 300.0, 230.0)
}

/// Several planes side by side, in one range of colours.
pub(super) fn planes(rows: Vec<Values2d>) -> Small {
    let width = 90.0 + 110.0 * rows.len() as f64;
    let panel = Images { rows: vec![rows.into_iter().map(thinned).collect()], ..Images::default() };
    drawn(Panel::Images(panel), width, 150.0)
}

/// Numbers over time and one axis.
pub(super) fn over_time(field: Values2d, times: Option<(f64, f64)>, space: Option<(f64, f64)>) -> Small {
    let panel = SpaceTime { field: thinned(field), times, space, ..SpaceTime::default() };
    drawn(Panel::SpaceTime(panel), 400.0, 230.0)
}

/// Every so many points, so that no side is longer than is seen.
fn thinned(values: Values2d) -> Values2d {
    let [nx, ny] = values.shape;
    let (every_x, every_y) = (nx.div_ceil(MOST_SIDE).max(1), ny.div_ceil(MOST_SIDE).max(1));
    if every_x == 1 && every_y == 1 {
        return values;
    }
    let kept: Vec<f64> = (0..nx)
        .step_by(every_x)
        .flat_map(|i| (0..ny).step_by(every_y).map(move |j| i * ny + j))
        .map(|at| values.values.get(at).copied().unwrap_or(f64::NAN))
        .collect();
    Values2d { shape: [nx.div_ceil(every_x), ny.div_ceil(every_y)], values: kept }
}
