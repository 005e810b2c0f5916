//! The box of a flow: its cells, what its sides let through, and obstacles.

use std::fmt;
use std::rc::Rc;

use super::interpolate::Outside;
use crate::error::{Error, Result};
use crate::field::{Edge, Field, Grid, Location};
use crate::solve::elliptic::Conductances;
use crate::tensor::{Compare, Context, Padding, Precision, Tensor};

/// What a side of the box is to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The opposite side is the same place.
    Periodic,
    /// A wall: nothing goes through.
    Closed,
    /// The outside is at rest and at pressure 0, at the face.
    Open,
}

/// The box of a flow. Pressure and smoke sit at the centres of its cells, each component of the velocity at the faces that it crosses.
/// Cheap to clone.
#[derive(Clone)]
pub struct Domain(Rc<Inner>);

struct Inner {
    /// Cells with the edges of the pressure.
    grid: Grid,
    sides: Vec<[Side; 2]>,
    /// 1 in solid cells; `[1, 1, x…]`.
    solid: Option<Tensor>,
}

impl Domain {
    /// The cells of a grid. Its periodic axes are periodic to the flow; the sides of the others are closed or open, whatever edges the grid
    /// has. An obstacle fills the cells where `solid` is above ½.
    ///
    /// # Errors
    /// Values at nodes; sides that contradict the grid; an obstacle on another grid, or several samples of it.
    pub fn new(grid: &Grid, sides: Vec<[Side; 2]>, solid: Option<&Field>) -> Result<Self> {
        if grid.dimensions() == 0 || grid.axes().iter().any(|axis| axis.has_nodes()) {
            return Err(Error::value("a flow needs a grid of cells: values at centres").got(grid));
        }
        if sides.len() != grid.dimensions() {
            return Err(Error::shape("a flow needs two sides for each axis").got(format!("{} pairs", sides.len())));
        }
        for (axis, pair) in grid.axes().iter().zip(&sides) {
            if pair.iter().any(|side| (*side == Side::Periodic) != axis.periodic) {
                return Err(Error::value(format!("the sides of axis {} do not fit the grid", axis.name))
                    .got(format!("{pair:?}"))
                    .expected(if axis.periodic { "both periodic" } else { "closed or open" }));
            }
        }
        let edge = |side: &Side| match side {
            Side::Periodic => Edge::Periodic,
            Side::Closed => Edge::neumann(0.0),
            Side::Open => Edge::dirichlet(0.0),
        };
        let bounds: Vec<(f64, f64)> = grid.axes().iter().map(|a| (a.low, a.high)).collect();
        let edges = sides.iter().map(|[low, high]| [edge(low).into(), edge(high).into()]).collect();
        let grid = Grid::new(&grid.shape(), &bounds, Location::Centres, edges)?;
        let solid = match solid {
            None => None,
            Some(field) => {
                let values = field.values().detach();
                let one = [&[1, 1], &grid.shape()[..]].concat();
                if values.shape() != one {
                    return Err(Error::shape("obstacles are one sample of one channel on the cells of the flow")
                        .got(format!("shape {:?}", values.shape()))
                        .expected(format!("{one:?}")));
                }
                let mask = values.compare(Compare::Greater, &values.full_like(0.5)?)?;
                (mask.max(&[], false)?.item()? > 0.0).then_some(mask)
            }
        };
        Ok(Self(Rc::new(Inner { grid, sides, solid })))
    }
    /// The cells; the edges of this grid are those of the pressure.
    pub fn grid(&self) -> &Grid {
        &self.0.grid
    }
    /// What the sides are.
    pub fn sides(&self) -> &[[Side; 2]] {
        &self.0.sides
    }
    /// Number of axes.
    pub fn dimensions(&self) -> usize {
        self.0.grid.dimensions()
    }
    /// Whether there are obstacles.
    pub fn has_obstacles(&self) -> bool {
        self.0.solid.is_some()
    }
    /// Whether two flows are in the same box.
    pub fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
    fn spacing(&self, axis: usize) -> f64 {
        self.0.grid.axes().get(axis).map_or(1.0, |a| a.spacing())
    }
    fn wraps(&self, axis: usize) -> bool {
        self.0.sides.get(axis).is_some_and(|pair| pair[0] == Side::Periodic)
    }
    /// Numbers of faces across `axis`: one more than cells along it; on a periodic axis as many, face `i` below cell `i`.
    pub fn faces(&self, axis: usize) -> Vec<usize> {
        let mut shape = self.0.grid.shape();
        if let Some(n) = shape.get_mut(axis).filter(|_| !self.wraps(axis)) {
            *n += 1;
        }
        shape
    }
    /// Positions of the faces across an axis, or of the centres, in cells from the corner of the box: `[1, axes, points…]`.
    pub(super) fn points(&self, context: &Context, precision: Precision, faces: Option<usize>) -> Result<Tensor> {
        let shape = faces.map_or_else(|| self.0.grid.shape(), |axis| self.faces(axis));
        let axes = (0..shape.len()).map(|axis| {
            let inset = if faces == Some(axis) { 0.0 } else { 0.5 };
            let mut own = vec![1; shape.len()];
            own[axis] = shape[axis];
            let places: Vec<f64> = (0..shape[axis]).map(|i| i as f64 + inset).collect();
            Tensor::from_vec(context, places, &own)?.cast(precision)?.expand(&shape)
        });
        Tensor::stack(&axes.collect::<Result<Vec<_>>>()?, 0)?.unsqueeze(0)
    }
    /// What a component of the velocity is beyond the sides: at rest beyond walls, as at the edge beyond open sides.
    pub(super) fn beyond(&self) -> Vec<[Outside; 2]> {
        let of = |side: &Side| match side {
            Side::Periodic => Outside::Wrap,
            Side::Closed => Outside::Zero,
            Side::Open => Outside::Clamp,
        };
        self.0.sides.iter().map(|[low, high]| [of(low), of(high)]).collect()
    }
    /// What smoke is beyond the sides: as at the edge.
    pub(super) fn beyond_smoke(&self) -> Vec<[Outside; 2]> {
        let of = |side: &Side| if *side == Side::Periodic { Outside::Wrap } else { Outside::Clamp };
        self.0.sides.iter().map(|[low, high]| [of(low), of(high)]).collect()
    }

    /// 1 at the faces across `axis` that let something through, `[1, 1, faces…]`.
    pub(super) fn open(&self, context: &Context, precision: Precision, axis: usize) -> Result<Tensor> {
        let one = [&[1, 1], &self.0.grid.shape()[..]].concat();
        let free = match &self.0.solid {
            Some(solid) => solid.cast(precision)?.scale(-1.0)?.shift(1.0)?,
            None => Tensor::full_in(context, precision, &one, 1.0)?,
        };
        let [low, high] = self.0.sides.get(axis).copied().unwrap_or([Side::Closed; 2]);
        let at = axis + 2;
        if low == Side::Periodic {
            return free.mul(&free.roll(1, at as i64)?);
        }
        let through = |side: Side| if side == Side::Open { 1.0 } else { 0.0 };
        let below = free.pad(at as i64, 1, 0, Padding::Constant(through(low)))?;
        let above = free.pad(at as i64, 0, 1, Padding::Constant(through(high)))?;
        below.mul(&above)
    }
    /// `p` with the cells beyond the sides: the same beyond walls, the opposite beyond open sides, so that it is 0 at the face.
    fn with_outside(&self, p: &Tensor, axis: usize) -> Result<Tensor> {
        let at = axis + 2;
        let n = p.shape()[at];
        let beyond = |side: Side, plane: Tensor| plane.scale(if side == Side::Open { -1.0 } else { 1.0 });
        let [low, high] = self.0.sides.get(axis).copied().unwrap_or([Side::Closed; 2]);
        let first = beyond(low, p.narrow(at, 0, 1)?)?;
        let last = beyond(high, p.narrow(at, n - 1, 1)?)?;
        Tensor::concat(&[first, p.clone(), last], at)
    }
    /// `∂p/∂x` at the faces across `axis`.
    pub(super) fn slope(&self, p: &Tensor, axis: usize) -> Result<Tensor> {
        let (at, h) = (axis + 2, self.spacing(axis));
        if self.wraps(axis) {
            return p.sub(&p.roll(1, at as i64)?)?.scale(1.0 / h);
        }
        let (wide, n) = (self.with_outside(p, axis)?, p.shape()[at]);
        wide.narrow(at, 1, n + 1)?.sub(&wide.narrow(at, 0, n + 1)?)?.scale(1.0 / h)
    }
    /// What flows out of each cell through its faces across `axis`, per length.
    pub(super) fn outflow(&self, v: &Tensor, axis: usize) -> Result<Tensor> {
        let (below, above) = self.beside(v, axis)?;
        above.sub(&below)?.scale(1.0 / self.spacing(axis))
    }
    /// Values of the faces below and above each cell.
    pub(super) fn beside(&self, v: &Tensor, axis: usize) -> Result<(Tensor, Tensor)> {
        let at = axis + 2;
        if self.wraps(axis) {
            return Ok((v.clone(), v.roll(-1, at as i64)?));
        }
        let n = v.shape()[at] - 1;
        Ok((v.narrow(at, 0, n)?, v.narrow(at, 1, n)?))
    }
    /// Means of neighbouring cells at the faces across `axis`; at the sides the cell's own value.
    pub(super) fn at_faces(&self, x: &Tensor, axis: usize) -> Result<Tensor> {
        let at = axis as i64 + 2;
        let (below, above) = if self.wraps(axis) {
            (x.roll(1, at)?, x.clone())
        } else {
            (x.pad(at, 1, 0, Padding::Edge)?, x.pad(at, 0, 1, Padding::Edge)?)
        };
        below.add(&above)?.scale(0.5)
    }

    /// The operator `−div grad` of the pressure with closed faces at obstacles.
    pub(super) fn conductances(&self, context: &Context, precision: Precision) -> Result<Conductances> {
        let (mut faces, mut walls) = (Vec::new(), Vec::new());
        for axis in 0..self.dimensions() {
            let (at, square) = (axis + 2, self.spacing(axis).powi(-2));
            let open = self.open(context, precision, axis)?.scale(square)?;
            if self.wraps(axis) {
                faces.push(open.roll(-1, at as i64)?);
                walls.push(None);
                continue;
            }
            let n = open.shape()[at] - 1;
            let zero = Padding::Constant(0.0);
            let inner = open.narrow(at, 1, n - 1)?;
            faces.push(inner.pad(at as i64, 0, 1, zero)?);
            // Half a cell from the centre to the face.
            let low = open.narrow(at, 0, 1)?.scale(2.0)?.pad(at as i64, 0, n - 1, zero)?;
            let high = open.narrow(at, n, 1)?.scale(2.0)?.pad(at as i64, n - 1, 0, zero)?;
            let is_open = self.0.sides.get(axis).is_some_and(|pair| pair.contains(&Side::Open));
            walls.push(if is_open { Some(low.add(&high)?) } else { None });
        }
        Ok(Conductances { faces, walls, reaction: None })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |side: &Side| match side {
            Side::Periodic => "periodic",
            Side::Closed => "closed",
            Side::Open => "open",
        };
        let axes = self.0.grid.axes().iter().zip(&self.0.sides);
        let axes =
            axes.map(|(a, [low, high])| format!("{}: {} cells, {} | {}", a.name, a.points, words(low), words(high)));
        let solid = if self.has_obstacles() { ", with obstacles" } else { "" };
        write!(f, "flow domain: {}{solid}", axes.collect::<Vec<_>>().join(" · "))
    }
}
