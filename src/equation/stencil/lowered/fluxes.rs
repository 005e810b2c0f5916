//! Differences of fluxes `a ∂u/∂x` through faces, and coefficients between points, as graphs.

use std::collections::{BTreeMap, HashMap};

use super::super::{Between, Kind};
use super::{Key, Lowers, Stage, UNPLANNED};
use crate::equation::program::Code;
use crate::field::{AxisOperator, Banded, EdgeKind};
use crate::native::along::column;
use crate::native::graph::{Id, Map, POINTS};
use crate::tensor::{Binary, Unary};

/// Values of a flux that are computed a second time rather than kept in an array.
const MOST_ANEW: usize = 12;

impl Stage<'_> {
    pub(super) fn diffusion(&mut self, at: usize, a: usize, u: usize, axes: [bool; 3]) -> Lowers<Id> {
        let u_value = self.written_out(u)?;
        let lane = self.of.lane.clone();
        let mut sum = None;
        for axis in (0..3).filter(|&axis| axes[axis]) {
            let kinds = lane.kinds(u, axis).map_err(|_| UNPLANNED)?;
            let slope = lane.operator(axis, Kind::FaceDerivative, kinds).map_err(|_| UNPLANNED)?;
            let sides = self.edge_values(u, axis)?;
            let slope = self.affine(&slope, u_value, axis, sides);
            let between = Between { axis, accuracy: lane.plan.accuracy, open: lane.is_open(u, axis) };
            let coefficient = self.between(a, between, &mut HashMap::new())?;
            let flux = self.mul(coefficient, slope);
            let divergence = lane.fluxes(axis, lane.beyond(at, u, axis), lane.plan.accuracy).map_err(|_| UNPLANNED)?;
            let term = self.difference(flux, axis, divergence);
            sum = Some(match sum {
                Some(sum) => self.add(sum, term),
                None => term,
            });
        }
        sum.ok_or("a diffusion along no axis")
    }
    /// A difference of fluxes. Where it is one of two neighbours and no gradient is taken, both are computed where the difference is: a flux more
    /// is cheaper than an array of fluxes.
    pub(super) fn difference(&mut self, flux: Id, axis: usize, matrix: Banded) -> Id {
        let shape = self.face_shape(axis);
        let faces = self.graph.form_of(shape);
        let flux = self.graph.spread(flux, faces);
        let ring = matrix.rows() == matrix.columns();
        let taps = matrix.stencil().1.to_vec();
        let plain = taps.len() == 2 && (ring || matrix.stencil().0 == (0..matrix.rows()));
        if plain && !self.of.gradient {
            let mut sum = None;
            for (shift, weight) in taps {
                let rows = if ring {
                    Banded::ring(matrix.columns(), &[(shift, 1.0)])
                } else {
                    Banded::with_ends(matrix.rows(), matrix.columns(), Vec::new(), vec![(shift, 1.0)], Vec::new())
                };
                let Some(part) =
                    rows.ok().and_then(|rows| self.graph.shifted(flux, axis, &rows, POINTS, &mut { MOST_ANEW }))
                else {
                    sum = None;
                    break;
                };
                let part = self.scale(part, weight);
                sum = Some(sum.map_or(part, |sum| self.add(sum, part)));
            }
            if let Some(sum) = sum {
                return sum;
            }
        }
        self.affine(&AxisOperator::linear(matrix), flux, axis, [None; 2])
    }
    /// A coefficient at faces.
    pub(super) fn between(&mut self, at: usize, place: Between, known: &mut HashMap<usize, Id>) -> Lowers<Id> {
        if let Some(value) = known.get(&at) {
            return Ok(*value);
        }
        let value = match self.code(at)? {
            Code::Number(n) => self.number(n),
            _ if self.is_fixed(at) => {
                let key = Key::Between(at, place.axis, place.accuracy, place.open);
                let run = self.of.run();
                let values = run.between(at, place, &mut BTreeMap::new()).map_err(|_| UNPLANNED)?;
                let shape = self.face_shape(place.axis);
                self.of.leaf(self.graph, key, values, Some(shape))?
            }
            Code::Unary(f, a) => {
                let a = self.between(a, place, known)?;
                self.graph.unary(f, a)
            }
            Code::Binary(op, a, b) => {
                let (a, b) = (self.between(a, place, known)?, self.between(b, place, known)?);
                self.graph.binary(op, a, b)
            }
            _ => self.leaf_between(at, place)?,
        };
        known.insert(at, value);
        Ok(value)
    }
    pub(super) fn face_shape(&self, axis: usize) -> [usize; 3] {
        let mut shape = self.graph.shape(POINTS);
        let ring = self.of.lane.setting.grid.numbered(axis).is_ok_and(|of| of.periodic);
        shape.iter_mut().skip(axis).take(1).for_each(|n| *n += usize::from(!ring));
        shape
    }
    pub(super) fn leaf_between(&mut self, at: usize, Between { axis, accuracy, open }: Between) -> Lowers<Id> {
        let lane = self.of.lane.clone();
        let value = self.value(at)?;
        if self.graph.is_uniform(value) {
            return Ok(value);
        }
        let own = lane.kinds(at, axis).map_err(|_| UNPLANNED)?;
        let free = own.map(|kind| kind == EdgeKind::Free);
        let kinds = own.map(|k| if k == EdgeKind::Free && accuracy == 2 { EdgeKind::Neumann } else { k });
        let operator = lane.operator(axis, Kind::ToFaces(accuracy as u8), kinds).map_err(|_| UNPLANNED)?;
        let sides = self.edge_values(at, axis)?;
        let leaning = std::array::from_fn::<bool, 2, _>(|end| accuracy <= 2 && free[end] && open[end]);
        if leaning == [false; 2] {
            return Ok(self.affine(&operator, value, axis, sides));
        }
        // The outermost faces are computed for themselves.
        let (rows, columns) = (operator.matrix.rows(), operator.matrix.columns());
        let inside = |i: usize| !(leaning[0] && i == 0 || leaning[1] && i + 1 == rows);
        let kept = (0..rows).map(|i| if inside(i) { operator.matrix.row(i) } else { Vec::new() }).collect();
        let mut operator = (*operator).clone();
        operator.matrix = Banded::from_rows(columns, kept).map_err(|_| UNPLANNED)?;
        for weights in [&mut operator.low, &mut operator.high] {
            weights.iter_mut().enumerate().filter(|(i, _)| !inside(*i)).for_each(|(_, w)| *w = 0.0);
        }
        let faces = self.affine(&operator, value, axis, sides);
        let to = self.graph.form(faces);
        let mut sum = faces;
        for end in (0..2).filter(|end| leaning[*end]) {
            let place = |k: usize| if end == 0 { k } else { columns - 1 - k };
            let mut pick = |k: usize| -> Lowers<Id> {
                let row = Banded::from_rows(columns, vec![vec![(place(k), 1.0)]]).map_err(|_| UNPLANNED)?;
                let map = self.graph.map(axis, row, POINTS);
                Ok(self.graph.along(vec![(map, value)]))
            };
            let (here, next) = (pick(0)?, pick(1)?);
            let size = self.graph.unary(Unary::Abs, here);
            let minus = self.graph.unary(Unary::Neg, size);
            let step = self.sub(next, here);
            let step = self.graph.binary(Binary::Min, step, size);
            let step = self.graph.binary(Binary::Max, step, minus);
            let half = self.scale(step, 0.5);
            let outer = self.sub(here, half);
            let face = if end == 0 { 0 } else { rows - 1 };
            let matrix = column(rows, |i| if i == face { 1.0 } else { 0.0 });
            let map = self.graph.map_to(Map { axis, matrix, to });
            let part = self.graph.along(vec![(map, outer)]);
            sum = self.add(sum, part);
        }
        Ok(sum)
    }
}
