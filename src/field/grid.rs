//! Boxes of up to three dimensions: their points, and what holds at their edges.

use std::f64::consts::TAU;
use std::fmt;
use std::rc::Rc;

use super::edge::{Edge, EdgeValue, Side, SideEdges};
use crate::error::{Error, Result};
use crate::tensor::{Context, Precision, Tensor};

/// Where the values of an axis with edges sit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// At the ends of cells: the first and the last point lie on the edges.
    Nodes,
    /// In the middle of cells: the first point lies half a spacing inside.
    Centres,
}

/// One axis of a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// `"x"`, `"y"` or `"z"`.
    pub name: &'static str,
    /// Where the box begins.
    pub low: f64,
    /// Where it ends; on a periodic axis the same point as `low`.
    pub high: f64,
    /// Number of points.
    pub points: usize,
    /// Where values sit; without meaning on a periodic axis, whose points begin at `low`.
    pub location: Location,
    /// Whether the two ends are the same place.
    pub periodic: bool,
}

impl Axis {
    /// An axis of a box.
    ///
    /// # Errors
    /// Fewer than two points; an end that is not finite, an empty box, points that do not differ.
    pub fn new(
        name: &'static str,
        (low, high): (f64, f64),
        points: usize,
        location: Location,
        periodic: bool,
    ) -> Result<Self> {
        if points < 2 {
            return Err(Error::value(format!("axis {name} needs points")).got(points).expected("2 or more"));
        }
        // The distance of points must be a number, and so must the square of the largest wavenumber.
        let (length, n) = (high - low, points as f64);
        let spaced =
            length.is_finite() && low + length / n > low && (std::f64::consts::PI * n / length).powi(2).is_finite();
        if !(low.is_finite() && high.is_finite() && high > low && spaced) {
            return Err(Error::value(format!("axis {name} has no length"))
                .got(format!("from {low} to {high}"))
                .expected("finite ends, the second greater than the first, and points that differ"));
        }
        Ok(Self { name, low, high, points, location, periodic })
    }
    /// Length of the box along this axis.
    pub fn length(&self) -> f64 {
        self.high - self.low
    }
    /// Whether the first and the last point lie on the edges.
    pub fn has_nodes(&self) -> bool {
        !self.periodic && self.location == Location::Nodes
    }
    /// Distance between neighbouring points: `L/n`, of nodes `L/(n − 1)`.
    pub fn spacing(&self) -> f64 {
        let cells = if self.has_nodes() { self.points.saturating_sub(1).max(1) } else { self.points };
        self.length() / cells as f64
    }
    /// Distance of the first point from the edge in units of the spacing: ½ for centres, 0 otherwise.
    pub fn inset(&self) -> f64 {
        if !self.periodic && self.location == Location::Centres { 0.5 } else { 0.0 }
    }
    /// Positions of the points: `low + (i + inset) · spacing`.
    pub fn positions(&self) -> Vec<f64> {
        let (h, last) = (self.spacing(), self.points.saturating_sub(1));
        let at = |i: usize| match i {
            // (n − 1) · L/(n − 1) need not be L.
            _ if i == last && self.has_nodes() => self.high,
            _ => self.low + (i as f64 + self.inset()) * h,
        };
        (0..self.points).map(at).collect()
    }
    /// The length that each point stands for in an integral: the spacing; of nodes on an edge half of it (trapezoidal rule).
    pub fn weights(&self) -> Vec<f64> {
        let mut weights = vec![self.spacing(); self.points];
        if self.has_nodes() {
            if let Some(first) = weights.first_mut() {
                *first /= 2.0;
            }
            if let Some(last) = weights.last_mut() {
                *last /= 2.0;
            }
        }
        weights
    }
    /// Wavenumbers `2π m / length` in the order of the discrete Fourier transform.
    pub fn wavenumbers(&self) -> Vec<f64> {
        let n = self.points as i64;
        (0..n).map(|i| (if 2 * i < n { i } else { i - n }) as f64 * TAU / self.length()).collect()
    }
}

/// A box, its points, and what holds at its edges. Cheap to clone.
///
/// An axis is periodic or has two edges; both kinds may stand in one grid. A grid without axes is a single point: fields on it,
/// `[sample, channel]`, are the states of ordinary differential equations.
#[derive(Clone)]
pub struct Grid(Rc<Inner>);

#[derive(PartialEq)]
struct Inner {
    axes: Vec<Axis>,
    sides: Vec<[SideEdges; 2]>,
}

impl PartialEq for Grid {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Grid {
    /// Names of the axes in order.
    pub const NAMES: [&'static str; 3] = ["x", "y", "z"];
    /// Names of the sides: those where an axis begins and ends.
    pub const SIDES: [[&'static str; 2]; 3] = [["left", "right"], ["bottom", "top"], ["front", "back"]];

    /// A periodic box `[low, high)` per axis.
    ///
    /// # Errors
    /// More than three axes, fewer than two points, an empty or infinite box.
    pub fn periodic(points: &[usize], bounds: &[(f64, f64)]) -> Result<Self> {
        let side = || SideEdges::from(Edge::Periodic);
        let sides = points.iter().map(|_| [side(), side()]).collect();
        Self::new(points, bounds, Location::Centres, sides)
    }

    /// A box with two sides per axis. An axis is periodic when both of its sides are [`Edge::Periodic`].
    ///
    /// # Errors
    /// More than three axes, fewer than two points, an empty or infinite box; an axis that is periodic at one end only.
    pub fn new(
        points: &[usize],
        bounds: &[(f64, f64)],
        location: Location,
        sides: Vec<[SideEdges; 2]>,
    ) -> Result<Self> {
        if points.is_empty() || points.len() > 3 || points.len() != bounds.len() || points.len() != sides.len() {
            return Err(Error::shape("a grid has one to three axes, each with points, a length and two sides").got(
                format!("{} numbers of points, {} lengths, {} pairs of sides", points.len(), bounds.len(), sides.len()),
            ));
        }
        let mut axes = Vec::with_capacity(points.len());
        for (((&points, &bounds), pair), name) in points.iter().zip(bounds).zip(&sides).zip(Self::NAMES) {
            let wraps = |side: &SideEdges| side.all().any(|edge| *edge == Edge::Periodic);
            let [low, high] = pair;
            let periodic = wraps(low) || wraps(high);
            if periodic && *pair != [SideEdges::from(Edge::Periodic), SideEdges::from(Edge::Periodic)] {
                return Err(Error::value(format!("axis {name} is periodic at one side only"))
                    .got(format!("{low} and {high}"))
                    .expected("both sides periodic, for all unknowns, or neither"));
            }
            axes.push(Axis::new(name, bounds, points, location, periodic)?);
        }
        crate::tensor::element_count(points)?;
        Ok(Self(Rc::new(Inner { axes, sides })))
    }

    /// The grid without axes: one point. Fields on it have the shape `[sample, channel]`.
    pub fn point() -> Self {
        Self(Rc::new(Inner { axes: Vec::new(), sides: Vec::new() }))
    }

    /// The same box and edges with other numbers of points.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn with_points(&self, points: &[usize]) -> Result<Self> {
        if self.dimensions() == 0 && points.is_empty() {
            return Ok(self.clone());
        }
        let bounds: Vec<(f64, f64)> = self.axes().iter().map(|a| (a.low, a.high)).collect();
        let location = if self.axes().iter().any(Axis::has_nodes) { Location::Nodes } else { Location::Centres };
        Self::new(points, &bounds, location, self.0.sides.clone())
    }

    /// The axes in order.
    pub fn axes(&self) -> &[Axis] {
        &self.0.axes
    }
    /// What was said about the sides of each axis.
    pub fn sides(&self) -> &[[SideEdges; 2]] {
        &self.0.sides
    }
    /// What holds at the two sides of each axis for an unknown, or for unknowns without a name.
    ///
    /// # Errors
    /// When nothing was said about the unknown at some side.
    pub fn edges(&self, unknown: Option<&str>) -> Result<Vec<[Edge; 2]>> {
        let of = |axis: usize, end: usize, side: &SideEdges| {
            side.of(unknown).cloned().ok_or_else(|| {
                let name = Self::SIDES.get(axis).and_then(|pair| pair.get(end)).copied().unwrap_or("side");
                let who = unknown.map_or("unknowns without a name".to_string(), |u| format!("`{u}`"));
                Error::value(format!("the grid does not say what holds for {who} on the side `{name}`"))
                    .got(side)
                    .advice(format!(
                        "{name}: #{{ {}: neumann(0), … }}, or `others` for all that are not named",
                        unknown.unwrap_or("u")
                    ))
            })
        };
        let pairs = self.0.sides.iter().enumerate();
        pairs.map(|(axis, [low, high])| Ok([of(axis, 0, low)?, of(axis, 1, high)?])).collect()
    }
    /// Whether the values of all edges are numbers.
    pub fn has_plain_edges(&self) -> bool {
        let plain = |edge: &Edge| matches!(edge.value(), None | Some(EdgeValue::Number(_)));
        self.sides().iter().flatten().flat_map(SideEdges::all).all(plain)
    }
    /// Whether every axis is periodic; false for a single point.
    pub fn is_periodic(&self) -> bool {
        !self.axes().is_empty() && self.axes().iter().all(|axis| axis.periodic)
    }
    /// Refuses axes with edges: what uses Fourier transforms asks here.
    pub fn require_periodic(&self, what: &str) -> Result<()> {
        if self.is_periodic() {
            return Ok(());
        }
        Err(Error::value(format!("{what} needs a periodic grid"))
            .got(self)
            .expected("grid::periodic(points, lengths)")
            .advice("dx, dy, dz and laplacian of fields work on every grid: by stencils where there are edges"))
    }
    /// Axis number `axis`.
    pub fn numbered(&self, axis: usize) -> Result<&Axis> {
        self.axes().get(axis).ok_or_else(|| {
            Error::shape(format!("the grid has no axis number {axis}")).got(format!("{} axes", self.dimensions()))
        })
    }
    /// Number of axes.
    pub fn dimensions(&self) -> usize {
        self.axes().len()
    }
    /// Numbers of points.
    pub fn shape(&self) -> Vec<usize> {
        self.axes().iter().map(|a| a.points).collect()
    }
    /// Number of points in all.
    pub fn points(&self) -> usize {
        self.axes().iter().map(|a| a.points).product()
    }
    /// The volume (area, length) of a cell between points: the product of spacings.
    pub fn cell_volume(&self) -> f64 {
        self.axes().iter().map(Axis::spacing).product()
    }
    /// The axes of a field's tensor that belong to space: the last ones.
    pub fn space_axes(&self) -> Vec<i64> {
        (1..=self.dimensions() as i64).rev().map(|i| -i).collect()
    }
    /// The axis of a field's tensor that grid axis number `axis` is, counted from the end.
    pub fn tensor_axis(&self, axis: usize) -> i64 {
        axis as i64 - self.dimensions() as i64
    }
    /// An axis by name.
    pub fn axis(&self, name: &str) -> Result<usize> {
        self.axes().iter().position(|a| a.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.axes().iter().map(|a| a.name).collect();
            Error::value(format!("the grid has no axis {name:?}")).expected(match names.as_slice() {
                [] => "nothing: the grid is a single point".to_string(),
                names => format!("one of {}", names.join(", ")),
            })
        })
    }

    /// One tensor per axis from numbers per point, shaped to broadcast against the grid. Computed in `f64` and rounded once.
    fn per_axis(
        &self,
        context: &Context,
        precision: Precision,
        numbers: impl Fn(&Axis) -> Vec<f64>,
    ) -> Result<Vec<Tensor>> {
        context.reserve(self.shape().iter().sum::<usize>().saturating_mul(24))?;
        let of = |(i, axis): (usize, &Axis)| {
            let mut shape = vec![1; self.dimensions()];
            shape.iter_mut().skip(i).take(1).for_each(|n| *n = axis.points);
            Tensor::from_vec(context, numbers(axis), &shape)?.cast(precision)
        };
        self.axes().iter().enumerate().map(of).collect()
    }
    /// Coordinates of the points, one tensor per axis, shaped to broadcast against each other.
    pub fn coordinates(&self, context: &Context, precision: Precision) -> Result<Vec<Tensor>> {
        self.per_axis(context, precision, Axis::positions)
    }
    /// Quadrature weights, one tensor per axis: `∫ u ≈ Σ u w_x w_y …`.
    pub fn weights(&self, context: &Context, precision: Precision) -> Result<Vec<Tensor>> {
        self.per_axis(context, precision, Axis::weights)
    }
    /// The sides that close an axis (both have the same points along them).
    pub fn side(&self, context: &Context, axis: usize) -> Result<Side> {
        self.numbered(axis)?;
        let mut shape = self.shape();
        shape.iter_mut().skip(axis).take(1).for_each(|n| *n = 1);
        let mut coordinates = self.coordinates(context, context.precision())?;
        coordinates.remove(axis);
        Ok(Side { axis, shape, coordinates })
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = crate::tensor::number;
        let (all, pairs) = (self.is_periodic(), self.axes().iter().zip(self.sides()));
        let axes: Vec<String> = pairs
            .map(|(a, [low, high])| {
                let ends = format!("{} in [{}, {}", a.name, n(a.low), n(a.high));
                match (a.periodic, a.location) {
                    (true, _) if all => format!("{ends}), {} points", a.points),
                    (true, _) => format!("{ends}) periodic, {} points", a.points),
                    (false, Location::Nodes) => format!("{ends}], {} nodes, {low} | {high}", a.points),
                    (false, Location::Centres) => format!("{ends}], {} cells, {low} | {high}", a.points),
                }
            })
            .collect();
        match (axes.is_empty(), all) {
            (true, _) => write!(f, "grid of one point"),
            (_, true) => write!(f, "periodic grid: {}", axes.join(" · ")),
            _ => write!(f, "grid: {}", axes.join(" · ")),
        }
    }
}
impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
