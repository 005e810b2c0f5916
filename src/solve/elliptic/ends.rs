//! What holds at the two ends of each axis, with the values of the conditions at hand.

use crate::error::{Error, Result};
use crate::field::{Edge, EdgeKind, Field};
use crate::tensor::{Span, Tensor};

/// Ends of one axis.
#[derive(Clone)]
pub(super) struct Ends {
    /// The kinds at the low and the high end.
    pub kinds: [EdgeKind; 2],
    /// The values, shaped `[sample, channel, x…]` or to broadcast with that, of length 1 along the axis; `None` where they are 0.
    pub values: [Option<Tensor>; 2],
    /// Distance between points.
    pub spacing: f64,
    /// Whether points lie on the edges.
    pub nodes: bool,
}

impl Ends {
    /// The ends of all axes of a field's grid.
    pub fn of(f: &Field, unknown: Option<&str>) -> Result<Vec<Self>> {
        let (grid, context) = (f.grid(), f.context());
        let edges = grid.edges(unknown)?;
        let rank = grid.dimensions() + 2;
        edges
            .iter()
            .zip(grid.axes())
            .enumerate()
            .map(|(axis, (pair, line))| {
                let value = |edge: &Edge| -> Result<Option<Tensor>> {
                    let Some(value) = edge.value() else { return Ok(None) };
                    if value.takes_time() {
                        return Err(Error::value("an equation without time has edges without time")
                            .got(format!("{edge} at an end of axis {}", line.name)));
                    }
                    if *value == crate::field::EdgeValue::Number(0.0) {
                        return Ok(None);
                    }
                    let value = value.at(context, &grid.side(context, axis)?, 0.0)?;
                    let mut shape = vec![1; rank - value.rank().min(rank)];
                    shape.extend(value.shape());
                    Ok(Some(value.reshape(&shape)?.cast(f.values().precision())?))
                };
                let [low, high] = pair;
                Ok(Self {
                    kinds: [low.kind(), high.kind()],
                    values: [value(low)?, value(high)?],
                    spacing: line.spacing(),
                    nodes: line.has_nodes(),
                })
            })
            .collect()
    }
    /// Which of the axis' points are unknown: all, except nodes whose value is given.
    pub fn unknowns(&self, points: usize) -> Span {
        let given = |end: usize| usize::from(self.nodes && self.kinds[end] == EdgeKind::Dirichlet);
        Span { start: given(0), end: points - given(1), step: 1 }
    }
}

/// The condition `a u + b ∂u/∂n = value` that a kind is; `None` for ends that are none.
pub(super) fn robin(kind: EdgeKind) -> Option<(f64, f64)> {
    match kind {
        EdgeKind::Dirichlet => Some((1.0, 0.0)),
        EdgeKind::Neumann => Some((0.0, 1.0)),
        EdgeKind::Robin(a, b) => Some((a, b)),
        EdgeKind::Periodic | EdgeKind::Free => None,
    }
}

/// Adds numbers to the first or the last plane along `axis`. `part` has length 1 there and may broadcast elsewhere.
pub(super) fn add_at_end(x: &Tensor, axis: usize, end: usize, part: &Tensor) -> Result<Tensor> {
    let n = x.shape()[axis];
    if n == 0 {
        return Ok(x.clone());
    }
    let mut plane = x.shape();
    plane[axis] = 1;
    let part = part.expand(&plane)?;
    if n == 1 {
        return x.add(&part);
    }
    let (before, after) = if end == 0 { (0, n - 1) } else { (n - 1, 0) };
    x.add(&part.pad(axis as i64, before, after, crate::tensor::Padding::Constant(0.0))?)
}

/// The part of a plane of length 1 along `axis` that lies within `spans` along the other axes.
pub(super) fn within(plane: &Tensor, axis: usize, spans: &[Span]) -> Result<Tensor> {
    let shape = plane.shape();
    let lead = shape.len() - spans.len();
    let cut = shape.iter().enumerate().map(|(i, &n)| match i.checked_sub(lead) {
        Some(space) if n > 1 && space != axis => spans[space],
        _ => Span::all(n),
    });
    plane.slice(&cut.collect::<Vec<_>>())
}
